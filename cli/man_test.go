package cli

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func manual1(t *testing.T) string {
	t.Helper()
	w := new(world)
	if code := w.run(t, t.Context(), "man"); code != 0 || w.stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	return w.stdout.String()
}

// TestManualIsRoff holds that each line is text, or a macro of man that there is.
func TestManualIsRoff(t *testing.T) {
	macro := regexp.MustCompile(`^\.(TH PAWL 1( "[^"]*"){3}|SH [A-Z ]+|SS "[^"]+"|PP|TP|br|nf|fi)$`)
	escape := regexp.MustCompile(`\\(f[BIR]|-|e|&|\((aq|ga|ha|ti|dq))`)
	isTerm := false
	for i, line := range strings.Split(strings.TrimSuffix(manual1(t), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "."), strings.HasPrefix(line, "'"):
			if !macro.MatchString(line) {
				t.Errorf("line %d: %q is no macro", i+1, line)
			}
			if isTerm {
				t.Errorf("line %d: %q stands where a term should", i+1, line)
			}
		case line == "":
			t.Errorf("line %d is empty", i+1)
		}
		if rest := escape.ReplaceAllString(line, ""); strings.Contains(rest, `\`) {
			t.Errorf("line %d: %q escapes something unknown", i+1, line)
		}
		isTerm = line == ".TP"
	}
}

// TestManualTellsAll reads the page as people do.
func TestManualTellsAll(t *testing.T) {
	page := regexp.MustCompile(`\\f[BIR]|\\&`).ReplaceAllString(manual1(t), "")
	page = strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\(ga`, "`", `\(ha`, "^", `\(ti`, "~", `\e`, `\`).Replace(page)
	for _, cmd := range commands() {
		_, section, ok := strings.Cut(page, `.SS "pawl `+cmd.name+`"`+"\n")
		if !ok {
			t.Errorf("no section about %s", cmd.name)
		}
		section, _, _ = strings.Cut(section, "\n.S")
		for i := range cmd.options {
			if o := &cmd.options[i]; !strings.Contains(section, o.usage) || !strings.Contains(section, "--"+o.name) {
				t.Errorf("%s: nothing about --%s", cmd.name, o.name)
			}
		}
		for line := range strings.Lines(cmd.text) {
			if !strings.Contains(section, strings.TrimSpace(line)) {
				t.Errorf("%s: no line %q", cmd.name, line)
			}
		}
	}
}

func TestManualPleasesGroff(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(groff, "-ww", "-man", "-Tascii", "-z")
	cmd.Stdin = strings.NewReader(manual1(t))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v, said %s", err, out)
	}
}

func TestManualPleasesMandoc(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(mandoc, "-Tlint", "-Wwarning")
	cmd.Stdin = strings.NewReader(manual1(t))
	out, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		// A page that is made on the spot has no date.
		if !strings.Contains(line, "missing date") {
			t.Error(line)
		}
	}
}
