package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLastCrash(t *testing.T) {
	began := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		name, text string
		at         time.Time
		want       string
	}{
		{"a bug", "panic: a bug\n\ngoroutine 1 [running]:\n", began.Add(time.Hour), "panic: a bug"},
		{"a fault", "fatal error: out of memory\n\nruntime stack:\n", began, "fatal error: out of memory"},
		{"the last of two", "panic: one\nfatal error: two\n", began, "fatal error: two"},
		{"what controls a terminal", "panic: \x1b[2Jgone\n", began, `panic: \u001b[2Jgone`},
		{"something else", "unexpected fault\n", began, "of an unknown cause"},
		{"asked for by Ctrl-\\", "SIGQUIT: quit\nPC=0x47 m=0\n\ngoroutine 0\n", began, ""},
		{"a bug after Ctrl-\\", "SIGQUIT: quit\ngoroutine 0\npanic: a bug\n", began, "panic: a bug"},
		{"Ctrl-\\ after a bug", "panic: a bug\nSIGQUIT: quit\ngoroutine 0\n", began, ""},
		{"nothing", "", began, ""},
		{"told already", "panic: a bug\n", began.Add(-time.Millisecond), ""},
	} {
		path := filepath.Join(t.TempDir(), "c.pawl.crash")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, c.at, c.at); err != nil {
			t.Fatal(err)
		}
		if got, _ := lastCrash(path, began); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Of a process that died while it was loading there is no run: it is told by what it
// left, also when that is so much that another file is begun, and told once.
func TestCrashesAreToldOnce(t *testing.T) {
	root := site(t)
	for _, c := range []struct {
		name string
		size int
		kept string // the ending of the file in which the report is then
	}{{"a report", 100, ".crash"}, {"a large report", maxCrash + 1, ".crash.old"}} {
		t.Run(c.name, func(t *testing.T) {
			db := filepath.Join(t.TempDir(), "c.pawl")
			w := world{crashTo: func(*os.File) error { return nil }}
			crawl := func(pages string) string {
				t.Helper()
				if code := w.run(t, context.Background(), "crawl", root, "--db", db, "--delay", "0", "--progress", "none", "--max-pages", pages); code != ExitOK {
					t.Fatalf("exit code %d: %s", code, &w.stderr)
				}
				return w.stderr.String()
			}
			crawl("3")
			report := "panic: too deep\n" + strings.Repeat(".", c.size)
			if err := os.WriteFile(db+".crash", []byte(report), 0o600); err != nil {
				t.Fatal(err)
			}
			want := "the last run died by itself: panic: too deep; what is known of it is in " + db + c.kept
			if said := crawl("3"); !strings.Contains(said, want) || strings.Contains(said, "cleanly") {
				t.Errorf("says %s", said)
			}
			if text, err := os.ReadFile(db + c.kept); err != nil || string(text) != report {
				t.Errorf("the report is gone, or another: %v", err)
			}
			for _, pages := range []string{"3", "6"} {
				if said := crawl(pages); strings.Contains(said, "died") {
					t.Errorf("says it again: %s", said)
				}
			}
		})
	}
}
