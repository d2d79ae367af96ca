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
	"github.com/vbauerster/mpb/v8/cwriter"
)

func talkOptions() []option {
	return []option{
		{name: "progress", arg: "auto|bar|plain|none", group: groupTalk, usage: "how to show progress: one live line, a line every 30s, or not at all; auto is bar on a terminal and plain elsewhere (auto)"},
		{name: "log-level", arg: "LEVEL", group: groupTalk, usage: "log debug, info, warn or error and worse (info)"},
		{name: "log-format", arg: "text|json", group: groupTalk, usage: "as lines for people or as JSON Lines (text)"},
		{name: "log-file", arg: "FILE", group: groupTalk, usage: "append the log to a file instead of stderr"},
		{name: "quiet", short: "q", group: groupTalk, usage: "show no progress, and log only errors"},
	}
}

// talk is how a crawl speaks to the user while it runs.
type talk struct {
	screen   *screen
	log      *slog.Logger
	json     bool // messages are log records too
	isQuiet  bool
	progress string // bar, plain or none
	file     *os.File
}

// newTalk opens what the flags of the talk group ask for.
func newTalk(c *call) (*talk, error) {
	t := &talk{screen: &screen{out: c.Stderr}}
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
	word, err := c.given.oneOf("log-level", usual, "debug", "info", "warn", "error")
	if err != nil {
		return nil, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(word)); err != nil {
		return nil, err
	}
	format, err := c.given.oneOf("log-format", "text", "text", "json")
	if err != nil {
		return nil, err
	}
	terminal := isTerminal(c.Stderr)
	if t.progress == "auto" {
		t.progress = "plain"
		if terminal && hasRoom(c.Stderr) && c.Env("TERM") != "dumb" {
			t.progress = "bar"
		}
	}
	var out io.Writer = t.screen
	if name := c.given.text("log-file", ""); name != "" {
		t.file, err = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, c.given["log-file"].wrong(err)
		}
		out, terminal = t.file, false
	}
	if format == "json" {
		t.json = t.file == nil
		t.log = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: visible}))
	} else {
		t.log = slog.New(tint.NewTextHandler(out, &tint.Options{
			Level: level, ReplaceAttr: brief, TimeFormat: "15:04:05", NoColor: !terminal || c.Env("NO_COLOR") != "",
		}))
	}
	return t, nil
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

// screen is stderr. While a live line is shown, what is written to it appears
// above.
type screen struct {
	out  io.Writer
	mu   sync.Mutex
	live io.Writer // nil: there is no live line
}

// Write may be called concurrently.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		if n, err := s.live.Write(b); err == nil {
			return n, nil
		}
	}
	return s.out.Write(b)
}

func (s *screen) setLive(live io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = live
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// hasRoom tells whether a terminal has a size: some that are none say 0 by 0.
func hasRoom(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	width, height, err := cwriter.GetSize(int(f.Fd()))
	return err == nil && width > 0 && height > 0
}

var errNoArgs = errors.New("takes no arguments")

// noArgs is for commands without arguments.
func (c *call) noArgs(command string) error {
	if len(c.args) == 0 {
		return nil
	}
	return usagef("pawl %s %w, and %q is one", command, errNoArgs, c.args[0])
}
