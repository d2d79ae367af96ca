package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Everything that the script tells still happens: every command ends with the exit
// code that it expects.
func TestScript(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("it builds pawl, and needs a shell and terminals")
	}
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	binary, err := build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := play(ctx, script, binary, dir)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, dir) {
		t.Error("the folder of the recording is shown")
	}
	if d := cmp.Diff(told(script), told(got)); d != "" {
		t.Errorf("what is shown differs from the script:\n%s", d)
	}
}

// docs/terminal.md was recorded from the script as it is now.
func TestDocIsOfThisScript(t *testing.T) {
	doc, err := os.ReadFile("../../docs/terminal.md")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(told(script), told(string(doc))); d != "" {
		t.Errorf("make it anew: go run ./internal/record -o docs/terminal.md\n%s", d)
	}
}

// told is what a text says beside what commands write: its prose and its commands.
func told(text string) (lines []string) {
	names := strings.NewReplacer("{web}", shownWeb, "{other}", shownOther, "{port}", shownPort)
	atTerminal := map[string]string{}
	inBlock := false
	for line := range strings.Lines(text) {
		line = names.Replace(strings.TrimSuffix(line, "\n"))
		word, rest, _ := strings.Cut(line, " ")
		name, command, _ := strings.Cut(rest, " ")
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = line == "```console"
			lines = append(lines, line)
		case !inBlock:
			lines = append(lines, line)
		case word == "&tty":
			atTerminal[name] = command
		case word == "&":
			lines = append(lines, "$ "+command)
		case word == "%screen":
			lines = append(lines, "$ "+atTerminal[rest])
		case len(word) <= 2 && strings.HasPrefix(word, "$"):
			lines = append(lines, "$ "+rest)
		}
	}
	return lines
}

func TestScreen(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes []string
		want   string
	}{
		{"lines", []string{"a\r\nb\r\n"}, "a\nb\n"},
		{"a line written over", []string{"hello\rj"}, "jello\n"},
		{"what is below is cleared", []string{"a\r\nbb\r\ncc\r\n\x1b[2Ax\x1b[J"}, "a\nx\n"},
		{"the rest of a line is cleared", []string{"hello\r\x1b[Kyes"}, "yes\n"},
		{"colours are not seen", []string{"\x1b[31mred\x1b[0m"}, "red\n"},
		{"codes in pieces", []string{"one\x1b", "[", "3", "1mtwo"}, "onetwo\n"},
		{"characters in pieces", []string{"\xe2", "\x96", "\x88x"}, "█x\n"},
		{"it scrolls", []string{"1\r\n2\r\n3\r\n4\r\n5"}, "2\n3\n4\n5\n"},
		{"what is too wide goes on below", []string{strings.Repeat("w", 30) + "\r\nx"}, strings.Repeat("w", 20) + "\n" + strings.Repeat("w", 10) + "\nx\n"},
		{"what just fits", []string{strings.Repeat("w", 20) + "\r\nx"}, strings.Repeat("w", 20) + "\nx\n"},
		{"up beyond the top", []string{"a\x1b[9Ab"}, "ab\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScreen(20, 4)
			for _, text := range c.writes {
				if _, err := s.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.text(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestStable(t *testing.T) {
	s := newStable(map[string]string{"127.0.0.1:40001": shownWeb, "/tmp/x": "/home/me"})
	s.isPID(1234)
	for _, c := range []struct{ name, in, want string }{
		{"names", "http://127.0.0.1:40001/a /tmp/x/f", "http://" + shownWeb + "/a /home/me/f"},
		{"times in their order", "2020-01-02T03:04:05.678Z 2020-01-01T00:00:00Z 2020-01-02T03:04:05.678Z", "2026-11-02T09:30:01.000Z 2026-11-02T09:30:00Z 2026-11-02T09:30:01.000Z"},
		{"times of the log", "12:34:56 INF x 12:34:56", "09:30:00 INF x 12:34:56"},
		{"process ids", "process 1234, 12345, 11234", "process 4711, 12345, 11234"},
		{"the id of a crawl", "crawl          0123456789abcdef0123456789abcdef, x", "crawl          6b1f0c4e9d7a4c3e8f5a2b7d9c0e1f34, x"},
		{"speed", "2.5s, 12 pages/s", "2.5s, 12 pages/s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := s.of(c.in); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
