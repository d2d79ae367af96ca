package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
)

func talkOptions() []option {
	return []option{
		{name: "progress", arg: "auto|bar|plain|none", group: groupTalk, usage: "how to show progress: a panel of a few lines that is kept up to date, a line every 30s, or not at all; auto is bar on a terminal and plain elsewhere (auto)"},
		{name: "log-level", arg: "LEVEL", group: groupTalk, usage: "log debug, info, warn or error and worse (info)"},
		{name: "log-format", arg: "text|json", group: groupTalk, usage: "as lines for people or as JSON Lines (text)"},
		{name: "log-file", arg: "FILE", group: groupTalk, usage: "append the log to a file instead of stderr"},
		{name: "quiet", short: "q", group: groupTalk, usage: "show no progress, and log only errors"},
	}
}

// logLevels are the words for how much is logged, most first.
var logLevels = []string{"debug", "info", "warn", "error"}

// talk is how a crawl speaks to the user while it runs.
type talk struct {
	screen   *screen
	log      *slog.Logger
	level    *slog.LevelVar // of the log
	json     bool           // messages are log records too
	isQuiet  bool
	progress string // bar, plain or none
	style    style
	file     *os.File
}

// newTalk opens what the flags of the talk group ask for.
func newTalk(c *call) (*talk, error) {
	t := &talk{screen: &screen{out: c.Stderr}, style: newStyle(c.Env), level: new(slog.LevelVar)}
	var err error
	if t.isQuiet, err = c.given.isOn("quiet"); err != nil {
		return nil, err
	}
	if t.progress, err = c.given.oneOf("progress", "auto", "auto", "bar", "plain", "none"); err != nil {
		return nil, err
	}
	usual := "info"
	if t.isQuiet {
		usual, t.progress = "error", "none"
	}
	word, err := c.given.oneOf("log-level", usual, logLevels...)
	if err != nil {
		return nil, err
	}
	if err := t.level.UnmarshalText([]byte(word)); err != nil {
		return nil, err
	}
	format, err := c.given.oneOf("log-format", "text", "text", "json")
	if err != nil {
		return nil, err
	}
	terminal := isTerminal(c.Stderr)
	// A panel needs a terminal, and one with a size unless it was asked for.
	isFit := terminal && takesPanel(c.Stderr, c.Env)
	switch {
	case t.progress == "auto" && isFit && hasRoom(c.Stderr):
		t.progress = "bar"
	case t.progress == "auto", t.progress == "bar" && !isFit:
		t.progress = "plain"
	}
	var out io.Writer = t.screen
	if name := c.given.text("log-file", ""); name != "" {
		t.file, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, c.given["log-file"].wrong(err)
		}
		out, terminal = &logFile{file: t.file, fails: func(err error) {
			t.complainf("the log cannot be written, and the crawl goes on: %v", err)
		}}, false
	}
	if format == "json" {
		t.json = t.file == nil
		t.log = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: t.level, ReplaceAttr: visible}))
	} else {
		t.log = slog.New(tint.NewTextHandler(out, &tint.Options{
			Level: t.level, ReplaceAttr: brief, TimeFormat: "15:04:05", NoColor: !terminal || c.Env("NO_COLOR") != "",
		}))
	}
	return t, nil
}

// logFile is a log that nobody would miss before they need it: it tells once when it
// cannot be written.
type logFile struct {
	file  *os.File
	fails func(error)
	once  sync.Once
}

func (l *logFile) Write(b []byte) (int, error) {
	n, err := l.file.Write(b)
	if err != nil {
		l.once.Do(func() { l.fails(err) })
	}
	return n, err
}

// visible escapes what could steer a terminal in texts that come from
// elsewhere.
func visible(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(clean(v))
	case error:
		a.Value = slog.StringValue(clean(v.Error()))
	}
	return a
}

// brief is visible without what is empty, which tells people nothing.
func brief(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindString && a.Value.String() == "" {
		return slog.Attr{}
	}
	return visible(groups, a)
}

func (t *talk) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// sayf tells the user something, unless quiet.
func (t *talk) sayf(format string, args ...any) {
	if !t.isQuiet {
		t.line(slog.LevelInfo, fmt.Sprintf(format, args...))
	}
}

// complainf tells the user, also a quiet one, what is wrong but does not end
// the crawl.
func (t *talk) complainf(format string, args ...any) {
	t.line(slog.LevelError, fmt.Sprintf(format, args...))
}

func (t *talk) line(level slog.Level, text string) {
	if t.json {
		t.log.Log(context.Background(), level, clean(text))
		return
	}
	// Nobody is left to tell when stderr is gone.
	_, _ = io.WriteString(t.screen, "pawl: "+clean(text)+"\n")
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// takesPanel tells whether a terminal does what it is told to.
func takesPanel(w io.Writer, env func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && env("TERM") != "dumb" && canSteer(f)
}

// hasRoom tells whether a terminal has a size: some that are none say 0 by 0.
func hasRoom(w io.Writer) bool {
	width, _ := terminalSize(w)
	return width > 0
}

var errNoArgs = errors.New("takes no arguments")

// noArgs is for commands without arguments.
func (c *call) noArgs(command string) error {
	if len(c.args) == 0 {
		return nil
	}
	return usagef("pawl %s %w, and %q is one", command, errNoArgs, c.args[0])
}
