package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each promise in docs/guarantees.md names tests that hold it, and each of these
// exists: the document cannot promise what nobody checks any more.
func TestGuaranteesHaveTests(t *testing.T) {
	text, err := os.ReadFile("docs/guarantees.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("`(go test|make) ([^`]+)`")
	_, promises, _ := strings.Cut(string(text), "\n## ")
	for promise := range strings.SplitSeq(promises, "\n## ") {
		title, _, _ := strings.Cut(promise, "\n")
		if !strings.Contains(string(text), "["+title+"](#"+anchor(title)+")") {
			t.Errorf("%q is not in the table at the top", title)
		}
		tests := 0
		for _, c := range command.FindAllStringSubmatch(promise, -1) {
			if c[1] == "make" {
				if !regexp.MustCompile(`(?m)^` + c[2] + `:`).Match(makefile) {
					t.Errorf("%s: there is no target for make %s", title, c[2])
				}
				continue
			}
			tests++
			if wrong := wrongTests(t, c[2]); wrong != "" {
				t.Errorf("%s: go test %s: %s", title, c[2], wrong)
			}
		}
		if tests == 0 {
			t.Errorf("%s: no test holds it", title)
		}
	}
}

// anchor is what a heading is called in links.
func anchor(title string) string {
	keep := func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}
	return strings.Map(keep, strings.ToLower(title))
}

// wrongTests tells what is wrong with the arguments of go test; empty: nothing.
func wrongTests(t *testing.T, args string) string {
	t.Helper()
	fields := strings.Fields(args)
	run := slices.Index(fields, "-run")
	dir := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, ".") })
	if run < 0 || dir < run+2 {
		return "it is not -run NAMES PACKAGE"
	}
	files, err := filepath.Glob(filepath.Join(fields[dir], "*_test.go"))
	if err != nil || len(files) == 0 {
		return "there are no tests in " + fields[dir]
	}
	var source strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for name := range strings.SplitSeq(strings.Trim(fields[run+1], "'"), "|") {
		if !strings.Contains(source.String(), "\nfunc "+name+"(t *testing.T)") {
			return "there is no " + name
		}
	}
	for _, f := range fields[dir+1:] {
		if flag, isFlag := strings.CutPrefix(f, "-"); isFlag && !strings.Contains(source.String(), `"`+flag+`"`) {
			return "there is no flag -" + flag
		}
	}
	return ""
}
