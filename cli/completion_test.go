package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script is the completion script for a shell.
func script(t *testing.T, shell string) string {
	t.Helper()
	w := new(world)
	if code := w.run(t, t.Context(), "completion", shell); code != 0 || w.stderr.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	return w.stdout.String()
}

// completions are what each shell must offer for what stands on the command line.
var completions = []struct {
	name  string
	words []string // the last is the one to be completed
	want  []string // offered
	not   []string // not offered
}{
	{"a command", []string{"ex"}, []string{"export"}, []string{"crawl", "--help"}},
	{"any command", []string{""}, []string{"crawl", "export", "status", "help"}, nil},
	{"a flag", []string{"crawl", "--max-d"}, []string{"--max-depth", "--max-duration"}, []string{"--max-pages"}},
	{"a flag behind an argument", []string{"crawl", "https://example.com/", "--ass"}, []string{"--assets"}, nil},
	{"a flag of another command", []string{"status", "--max-d"}, nil, []string{"--max-depth"}},
	{"a value", []string{"crawl", "--scope", "d"}, []string{"domain"}, []string{"host", "--db"}},
	{"what can be exported", []string{"export", "re"}, []string{"redirects"}, []string{"pages"}},
	{"a format", []string{"export", "pages", "--format", "j"}, []string{"jsonl"}, []string{"csv"}},
	{"a word of queue", []string{"queue", "re"}, []string{"restore"}, []string{"drop", "redirects"}},
	{"a key of set", []string{"set", "max-pages-"}, []string{"max-pages-per-host="}, []string{"max-pages="}},
	{"a flag that an edit takes", []string{"queue", "drop", "--"}, []string{"--host", "--match", "--dry-run", "--db", "--help"}, []string{"--depth", "--state", "--limit", "--errors", "--since"}},
	{"a flag that only a list takes", []string{"queue", "list", "--st"}, []string{"--state"}, []string{"--status"}},
	{"a state of the queue", []string{"queue", "list", "--state", "re"}, []string{"retrying"}, []string{"out"}},
	{"an error class", []string{"queue", "retry", "--errors", "time"}, []string{"timeout"}, []string{"dns"}},
	{"a column of pages", []string{"export", "--columns", "title"}, []string{"title"}, []string{"url"}},
	{"a column of links", []string{"export", "links", "--columns", "a"}, []string{"anchor"}, []string{"title"}},
	{"a column behind another", []string{"export", "links", "--columns", "source,anch"}, nil, []string{"title", "source,title"}},
	{"a key of what can change", []string{"set", "ke"}, nil, []string{"keep-query="}},
	{"a shell", []string{"completion", "f"}, []string{"fish"}, []string{"bash"}},
	{"a command to be helped with", []string{"help", "ver"}, []string{"verify", "version"}, []string{"crawl"}},
}

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pawl.bash")
	if err := os.WriteFile(file, []byte(script(t, "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	complete := func(words ...string) []string {
		t.Helper()
		args := []string{"--norc", "--noprofile", "-c", `source "$1" || exit 1; shift; COMP_WORDS=(pawl "$@"); COMP_CWORD=$#; _pawl; printf '%s\n' "${COMPREPLY[@]}"`, "bash", file}
		cmd := exec.Command(bash, append(args, words...)...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	for _, c := range completions {
		t.Run(c.name, func(t *testing.T) { checkOffer(t, complete(c.words...), c.want, c.not) })
	}
	t.Run("a value behind an equals sign", func(t *testing.T) {
		checkOffer(t, complete("crawl", "--scope", "=", "d"), []string{"domain"}, []string{"host"})
		checkOffer(t, complete("crawl", "--scope", "="), []string{"domain", "host"}, nil)
	})
	t.Run("a value of a setting, of which bash makes three words", func(t *testing.T) {
		checkOffer(t, complete("set", "scope", "=", "d"), []string{"domain"}, []string{"host", "delay=", "scope=domain"})
		checkOffer(t, complete("set", "scope", "="), []string{"domain", "host"}, []string{"delay="})
		checkOffer(t, complete("set", "delay", "=", "1s", "traps", "=", "f"), []string{"follow"}, []string{"park"})
		checkOffer(t, complete("set", "delay", "=", "1s", "max-pages-"), []string{"max-pages-per-host="}, nil)
		checkOffer(t, complete("set", "log-level", "="), []string{"debug", "warn"}, nil)
		checkOffer(t, complete("set", "assets", "=", "o"), []string{"on", "off"}, nil)
		checkOffer(t, complete("set", "exclude+", "=", "d"), []string{""}, []string{"delay="})
		checkOffer(t, complete("set", "delay", "="), []string{""}, []string{"delay=", "adaptive="})
	})
	t.Run("a value of a setting, where = breaks no words", func(t *testing.T) {
		checkOffer(t, complete("set", "scope=d"), []string{"scope=domain"}, []string{"domain", "delay="})
		checkOffer(t, complete("set", "output=pawl.b"), []string{"output=pawl.bash"}, nil)
	})
	t.Run("more of a list", func(t *testing.T) {
		checkOffer(t, complete("export", "links", "--columns", "source,anch"), []string{"source,anchor"}, []string{"anchor"})
		checkOffer(t, complete("queue", "retry", "--errors", "dns,time"), []string{"dns,timeout"}, []string{"timeout"})
		checkOffer(t, complete("queue", "retry", "--errors", "=", "time"), []string{"timeout"}, []string{"dns"})
		checkOffer(t, complete("queue", "retry", "--errors", "dns", "time"), []string{"timeout"}, []string{"dns"})
	})
	t.Run("classes only behind --errors", func(t *testing.T) {
		checkOffer(t, complete("queue", "retry", "time"), nil, []string{"timeout"})
	})
	t.Run("a flag behind an address, which bash takes for several words", func(t *testing.T) {
		checkOffer(t, complete("crawl", "--proxy", "http", ":", "//localhost", ":", "80", "--no"), nil, []string{"--db"})
		checkOffer(t, complete("export", "--base", "http", ":", "//x", "li"), []string{"links"}, nil)
	})
	t.Run("a file", func(t *testing.T) {
		checkOffer(t, complete("crawl", "--db", "pa"), []string{"pawl.bash"}, nil)
		checkOffer(t, complete("crawl", "-o", "a"), []string{"a folder"}, nil)
	})
	t.Run("a folder", func(t *testing.T) {
		checkOffer(t, complete("crawl", "--warc", ""), []string{"a folder"}, []string{"pawl.bash"})
	})
	t.Run("nothing is evaluated", func(t *testing.T) {
		for _, hostile := range []string{"$(touch owned)", "`touch owned`", "x;touch owned", "*", "'", `"`, `\`} {
			complete(hostile)
			complete("crawl", hostile)
			complete("crawl", "--db", hostile)
			complete("crawl", hostile, "--max")
			complete("set", hostile)
			complete("set", hostile, "=", hostile)
			complete("set", "scope="+hostile)
			complete("queue", hostile, "--")
			complete("queue", "retry", "--errors", "dns,"+hostile)
			complete("export", hostile, "--columns", hostile+","+hostile)
			complete(hostile, hostile)
		}
		if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
			t.Error("a command was run")
		}
	})
}

func checkOffer(t *testing.T, got, want, not []string) {
	t.Helper()
	has := map[string]bool{}
	for _, g := range got {
		has[g] = true
	}
	for _, w := range want {
		if !has[w] {
			t.Errorf("%q is not offered, but %q", w, got)
		}
	}
	for _, n := range not {
		if has[n] {
			t.Errorf("%q is offered", n)
		}
	}
}

func TestFishCompletes(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "pawl.fish")
	if err := os.WriteFile(file, []byte(script(t, "fish")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range completions {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", file, "pawl "+strings.Join(c.words, " "))
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(string(out)) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				got = append(got, word)
			}
			checkOffer(t, got, c.want, c.not)
		})
	}
}

// TestZshCompletes has zsh complete in a terminal of its own, as it cannot
// elsewhere.
func TestZshCompletes(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pawl.zsh")
	if err := os.WriteFile(file, []byte(script(t, "zsh")), 0o600); err != nil {
		t.Fatal(err)
	}
	// What would be added to the command line is printed instead, between lines
	// of a NUL, and then the inner shell ends.
	const ask = `
zmodload zsh/zpty || exit 1
zpty z zsh -f -i
zpty -w z "source $2"
zpty -r z line '*re''ady*' || exit 1
zpty -n -w z "$3"$'\t'
zpty -r z line $'*\0*\0*' || exit 1
print -r -- $line
zpty -d z
`
	const inner = `
PROMPT=
autoload -U compinit
compinit -u -d ./dump
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
mark() { print -r -- $'\0' }
compprefuncs=(mark)
comppostfuncs=(mark exit)
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	local -a hits
	builtin compadd -A hits "$@"
	builtin compadd "$@"
	print -rl -- $hits
}
source ./pawl.zsh
zle-line-init() { print rea''dy }
zle -N zle-line-init
`
	if err := os.WriteFile(filepath.Join(dir, "inner.zsh"), []byte(inner), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range completions {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, zsh, "-f", "-c", ask, "zsh", file, "./inner.zsh", "pawl "+strings.Join(c.words, " "))
			cmd.Dir = dir
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(string(out)) {
				got = append(got, strings.TrimRight(line, "\r\n"))
			}
			checkOffer(t, got, c.want, c.not)
		})
	}
}

// TestCompletionsKnowAll holds that no script lacks a command, a flag or a value.
func TestCompletionsKnowAll(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		text := script(t, shell)
		for _, cmd := range commands() {
			if !strings.Contains(text, cmd.name) {
				t.Errorf("%s: no command %s", shell, cmd.name)
			}
			for i := range cmd.options {
				o := &cmd.options[i]
				if !strings.Contains(text, o.name) {
					t.Errorf("%s: no flag --%s", shell, o.name)
				}
				for _, w := range cmd.offerOf(o, "").words {
					if !strings.Contains(text, w) {
						t.Errorf("%s: no value %s of --%s", shell, w, o.name)
					}
				}
			}
			for _, w := range cmd.offerFirst().words {
				if !strings.Contains(text, w) {
					t.Errorf("%s: no %s of %s", shell, w, cmd.name)
				}
			}
		}
		for i, r := range text {
			// PowerShell takes other quotation marks for its own.
			if r > 0x7e || r < ' ' && r != '\n' && r != '\t' {
				t.Errorf("%s: %q at %d", shell, r, i)
			}
		}
	}
}

// TestPowershellQuotes counts what nobody here can run: each quotation mark and
// bracket that is opened is closed in its line or block.
func TestPowershellQuotes(t *testing.T) {
	depth := 0
	for line := range strings.Lines(script(t, "powershell")) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if strings.Count(line, "'")%2 != 0 {
			t.Errorf("a quotation mark is open: %s", line)
		}
		for i, part := range strings.Split(line, "'") {
			if i%2 == 0 {
				depth += strings.Count(part, "{") + strings.Count(part, "(") - strings.Count(part, "}") - strings.Count(part, ")")
			}
		}
	}
	if depth != 0 {
		t.Errorf("%d brackets are open at the end", depth)
	}
}

func TestCompletionRefuses(t *testing.T) {
	for _, args := range [][]string{{}, {"tcsh"}, {"bash", "zsh"}} {
		w := new(world)
		if code := w.run(t, t.Context(), append([]string{"completion"}, args...)...); code != ExitUsage || w.stdout.Len() > 0 {
			t.Errorf("%q: exit code %d, wrote %q", args, code, &w.stdout)
		}
	}
}
