// Package cli is pawl on the command line: it turns words into values, results
// into text, and wires the other packages together.
//
// Its surface is a contract with people and scripts, told in docs/cli.md:
// stdout is data and stderr is talk, every exit code has one meaning, and what
// a crawl file remembers need not be said again. It is the only package that
// prints, and the only one that reads the environment.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	urfave "github.com/urfave/cli/v2"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/storage"
)

// The exit codes.
const (
	ExitOK      = 0 // finished, or a limit of the user's was reached
	ExitError   = 1
	ExitUsage   = 2
	ExitFile    = 3 // the crawl file: missing, in use, not ours, damaged, too new
	ExitStopped = 4 // stopped before the end, resumable
	ExitFull    = 5 // out of disk or memory, resumable
)

// System is the world around the program.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            func(name string) string // empty: not set
	// CrashTo has the file take what is said of the end of a process that dies of
	// a bug, or because there is no memory, until it is called with nil. nil: that
	// goes to stderr.
	CrashTo func(f *os.File) error
}

// Run carries out what args ask for, of which the first is the name of the
// program, and returns the exit code. When ctx is cancelled it stops in order.
func Run(ctx context.Context, args []string, sys System) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(sys.Stderr, "pawl: internal error: %s; please report it, the crawl file is fine\n", clean(fmt.Sprint(p)))
			code = ExitError
		}
	}()
	err := dispatch(ctx, args, &sys)
	if err == nil {
		return ExitOK
	}
	code, hint := judge(err)
	var silent silentError
	if errors.As(err, &silent) || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return code
	}
	text := clean(err.Error())
	if hint != "" {
		text += "; " + hint
	}
	fmt.Fprintf(sys.Stderr, "pawl: %s\n", text)
	var wrong lineError
	if errors.As(err, &wrong) {
		fmt.Fprint(sys.Stderr, wrong.line.show())
	}
	return code
}

// usageError is a mistake in what the user asked for.
type usageError struct {
	error
	command string // whose help is worth reading; empty: none
}

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{error: fmt.Errorf(format, args...)} }

// silentError ends the program with the code that its error has, without a
// word: all has been said.
type silentError struct{ error }

func (e silentError) Unwrap() error { return e.error }

// hintedError tells the user what to do about it.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

var (
	errStopped  = errors.New("stopped")
	errNoRoom   = errors.New("out of disk or memory")
	errNoCrawl  = errors.New("there is no crawl in this file yet")
	errFindings = errors.New("the crawl file is not sound")
	// errHarmless: what is wrong is made anew by itself.
	errHarmless = errors.New("the checkpoint in the crawl file is damaged")
)

const helpHint = "see: pawl --help"

// judge is where errors become exit codes, and the only place.
func judge(err error) (code int, hint string) {
	var (
		usage  usageError
		write  *storage.WriteError
		hinted hintedError
		asked  *control.UsageError
		told   *control.Error
		query  *crawl.QueryError
		memory *crawl.MemoryError
	)
	switch {
	case errors.As(err, &asked):
		if code, hint = ExitUsage, asked.Hint; hint == "" && errors.As(err, &usage) {
			hint = "see: pawl " + usage.command + " --help"
		}
	case errors.As(err, &query):
		code = ExitUsage
	case errors.As(err, &usage):
		code, hint = ExitUsage, helpHint
		if usage.command != "" {
			hint = "see: pawl " + usage.command + " --help"
		}
	case errors.As(err, &write):
		code, hint = ExitFull, "nothing is lost: "+mend(err)+" and go on with the same command"
	case errors.Is(err, storage.ErrGone):
		code, hint = ExitFile, "put it back, or start anew"
	case errors.Is(err, storage.ErrMissing):
		code, hint = ExitFile, "start a crawl with: pawl crawl URL, or name its file with --db FILE"
	case errors.Is(err, storage.ErrInUse):
		code, hint = ExitFile, "wait for it, or stop it with Ctrl-C"
	case errors.Is(err, storage.ErrExists), errors.Is(err, storage.ErrNotOurs):
		code, hint = ExitFile, "name another file with --db FILE"
	case errors.Is(err, storage.ErrTooNew):
		code, hint = ExitFile, "install a newer pawl"
	case errors.Is(err, storage.ErrDamaged):
		code, hint = ExitFile, "pawl verify tells more; go on from a copy that is whole"
	case errors.Is(err, storage.ErrReadOnly):
		code, hint = ExitFile, "check the permissions of the file and its folder"
	case isDisk(err):
		code, hint = ExitFull, mend(err)+" and try again"
	case errors.Is(err, errNoCrawl):
		code, hint = ExitFile, "start one with: pawl crawl URL"
	case errors.Is(err, errHarmless):
		code, hint = ExitFile, "nothing is lost: the next run makes it anew from the log, which is sound"
	case errors.Is(err, errFindings):
		code, hint = ExitFile, "go on from a copy that is whole"
	case errors.Is(err, control.ErrNoAnswer):
		code, hint = ExitFile, "it may be suspended: fg or kill -CONT wakes it"
	case errors.Is(err, control.ErrOtherUser):
		code, hint = ExitFile, "ask as that user"
	case errors.Is(err, control.ErrVersion):
		code, hint = ExitFile, "use the pawl that runs the crawl"
	case errors.Is(err, control.ErrOther):
		code, hint = ExitFile, "the crawl file was replaced while its crawl ran: stop that process"
	case errors.As(err, &memory):
		code, hint = ExitFull, moreMemory(memory, "")
	case errors.Is(err, errNoRoom):
		code = ExitFull
	case errors.Is(err, errStopped), errors.Is(err, context.Canceled):
		code = ExitStopped
	default:
		code = ExitError
	}
	if errors.As(err, &told) && told.Hint != "" {
		hint = told.Hint
	}
	if errors.As(err, &hinted) {
		hint = hinted.hint
	}
	return code, hint
}

// mend says what the user can do about a write that failed.
func mend(err error) string {
	switch e, _ := storage.DiskTrouble(err); e {
	case syscall.EIO:
		return "the disk does not work as it should; see to it"
	case syscall.EFBIG:
		return "files may not grow that far (ulimit -f, or the file system); change that"
	case syscall.EROFS:
		return "the disk can only be read; see to it"
	}
	return "make room"
}

// command is one of the words after pawl.
type command struct {
	name    string
	args    string // as shown in its help
	summary string
	text    string // what else there is to say
	options []option
	run     func(ctx context.Context, c *call) error
}

// call is one use of a command.
type call struct {
	*System
	args  []string
	given given
}

func commands() []*command {
	return []*command{
		crawlCommand(), checkCommand(), resumeCommand(), exportCommand(), statusCommand(), whyCommand(), queueCommand(), setCommand(), pauseCommand(), stopCommand(),
		snapshotCommand(), compactCommand(), infoCommand(), verifyCommand(), completionCommand(), manCommand(), versionCommand(),
	}
}

// dispatch finds the command that is meant and runs it.
func dispatch(ctx context.Context, args []string, sys *System) error {
	all := commands()
	words, err := arrange(args, all)
	if err != nil {
		return err
	}
	if words.help {
		return words.showHelp(sys, all)
	}
	app := &urfave.App{
		Name:   "pawl",
		Writer: sys.Stdout, ErrWriter: sys.Stderr,
		HideHelp: true, HideVersion: true, DisableSliceFlagSeparator: true,
		OnUsageError:   onUsageError,
		ExitErrHandler: func(*urfave.Context, error) {},
		Action:         func(*urfave.Context) error { return usagef("name a command") },
	}
	for _, cmd := range all {
		app.Commands = append(app.Commands, cmd.build(sys))
	}
	err = app.RunContext(ctx, words.line())
	var usage usageError
	if errors.As(err, &usage) && usage.command == "" {
		return usageError{error: err, command: words.command}
	}
	return err
}

// build makes the command known to the library, which parses its flags.
func (cmd *command) build(sys *System) *urfave.Command {
	values := make([]*value, len(cmd.options))
	flags := make([]urfave.Flag, len(cmd.options))
	for i := range cmd.options {
		o := &cmd.options[i]
		values[i] = &value{option: o}
		flags[i] = &urfave.GenericFlag{Name: o.name, Usage: o.usage, Category: o.group, Value: values[i]}
	}
	return &urfave.Command{
		Name: cmd.name, Usage: cmd.summary, ArgsUsage: cmd.args, Description: cmd.text,
		Flags: flags, HideHelp: true, OnUsageError: onUsageError,
		Action: func(u *urfave.Context) error {
			return cmd.run(u.Context, &call{System: sys, args: u.Args().Slice(), given: gather(values, sys.Env)})
		},
	}
}

func onUsageError(_ *urfave.Context, err error, _ bool) error { return usageError{error: err} }

// clean makes a text fit for one line of a terminal: what would control it is
// escaped.
func clean(s string) string {
	if strings.IndexFunc(s, controls) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case r == '\t':
			b.WriteByte(' ')
		case controls(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// writeJSON writes a value for people and programs.
func (c *call) writeJSON(v any) error {
	e := json.NewEncoder(c.Stdout)
	e.SetEscapeHTML(false) // addresses have many a &
	e.SetIndent("", "  ")
	return quiet(e.Encode(v))
}

// quiet takes the error of writing to stdout. That its reader has left, as head
// does when it has seen enough, is none.
func quiet(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) || isPipeGone(err) {
		return nil
	}
	return err
}
