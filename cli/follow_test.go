package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"pawl/cli/control"
	"pawl/export"
)

// A stream that broke off goes on only with the bytes that it began with.
func TestStreamGoesOnAsItBegan(t *testing.T) {
	tests := []struct {
		name           string
		before, behind string
		want           string
		isOther        bool
	}{
		{"from the start", "", "url,status\n1\n", "url,status\n1\n", false},
		{"nothing new", "url,status\n1\n", "url,status\n1\n", "url,status\n1\n", false},
		{"another row", "url,status\n1\n", "url,status\n1\n2\n", "url,status\n1\n2\n", false},
		{"amid a row", "url,status\n1", "url,status\n1\n2\n", "url,status\n1\n2\n", false},
		{"another column", "url,status\n1\n", "url,status,name\n1\n", "url,status\n1\n", true},
		{"other bytes, as many", "url,status\n1\n", "url,statuz\n1\n2\n", "url,status\n1\n", true},
		{"a column less", "url,status\n1\n", "url\n1\n", "url,status\n1\n", true},
	}
	for _, tt := range tests {
		for _, step := range []int{1, 5, 100} {
			var b bytes.Buffer
			c := &continued{w: &b}
			write := func(text string) (err error) {
				for len(text) > 0 && err == nil {
					n := min(step, len(text))
					_, err = c.Write([]byte(text[:n]))
					text = text[n:]
				}
				return errors.Join(err, c.behind())
			}
			if err := write(tt.before); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				c.again()
				err := write(tt.behind)
				if errors.Is(err, errOtherRows) != tt.isOther || !tt.isOther && err != nil || b.String() != tt.want {
					t.Errorf("%s, by %d bytes: %q, %v", tt.name, step, b.String(), err)
				}
			}
		}
	}
}

// When the fields of a crawl change, rows that are followed to stdout cannot go on.
func TestFollowToStdoutNoticesOtherFields(t *testing.T) {
	db, root := filepath.Join(t.TempDir(), "c.pawl"), site(t)
	var w world
	run := func(args ...string) {
		t.Helper()
		if code := w.run(t, context.Background(), append([]string{"crawl", "--db", db, "--delay", "0", "--progress", "none"}, args...)...); code != 0 {
			t.Fatalf("exit code %d: %s", code, &w.stderr)
		}
	}
	run(root, "--max-pages", "5")
	var all, some bytes.Buffer
	followed := func(b *bytes.Buffer, columns ...string) *following {
		o := export.Defaults()
		o.Columns = columns
		return &following{call: &call{}, e: &control.Export{What: "pages", Options: o, Follow: true}, path: db, out: &continued{w: b}}
	}
	f, chosen := followed(&all), followed(&some, "url")
	for _, f := range []*following{f, chosen} {
		if err := f.atRest(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := all.String()
	run("--max-pages", "9", "--field", "name=h1")
	if err := f.atRest(t.Context()); !errors.Is(err, errOtherRows) || all.String() != before || strings.Count(before, "\n") < 6 {
		t.Errorf("%v, %q", err, all.String()[len(before):])
	}
	if err := chosen.atRest(t.Context()); err != nil || strings.Count(some.String(), "\n") < 10 {
		t.Errorf("%v, %q", err, some.String())
	}
}

// Whoever stops an export is told that it is not whole.
func TestStoppedExportIsAPart(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{"-": "what was written is a part of it", filepath.Join(dir, "x.csv"): "x.csv was not written"} {
		err := exportTo(t.Context(), new(control.Export), name, io.Discard, func(w io.Writer) error { return fmt.Errorf("read: %w", context.Canceled) })
		if code, _ := judge(err); code != ExitStopped || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: exit code %d, %v", name, code, err)
		}
	}
}
