package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/storage"
)

func snapshotCommand() *command {
	return &command{
		name: "snapshot", summary: "copy the crawl file, also while the crawl runs",
		text: "The copy is the crawl as it stood at one instant, and can be gone on with. It is\n" +
			"checked as pawl verify does before it gets its name, and never replaces a file.",
		options: []option{
			{name: "output", short: "o", arg: "COPY", group: groupFile, usage: "where the copy is to be"},
			fileOption(),
		},
		run: runSnapshot,
	}
}

func runSnapshot(ctx context.Context, c *call) error {
	if err := c.noArgs("snapshot"); err != nil {
		return err
	}
	said, ok := c.given["output"]
	// PAWL_OUTPUT is where pages are written.
	if !ok || !strings.HasPrefix(said.where, "-") || said.last() == "" {
		return usageError{error: errors.New("name the copy: -o COPY"), command: "snapshot"}
	}
	to := said.last()
	if to == "-" {
		return said.wrong(errors.New("a snapshot cannot be written to stdout"))
	}
	if _, err := os.Lstat(to); err == nil {
		return errTaken(to)
	}
	target, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(target)); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: its folder does not exist", to)
	}
	path, _ := c.file()
	began := time.Now()
	storage.RemoveLeftovers(filepath.Dir(target))
	tmp := storage.TempName(target)
	defer os.Remove(tmp)
	if err := c.snapshot(ctx, path, tmp, to); err != nil {
		if ctx.Err() != nil {
			return silentError{errStopped}
		}
		return renamed(err, tmp, to)
	}
	v, size, err := c.verifyCopy(ctx, tmp, to)
	if err != nil {
		return err
	}
	if err := storage.Publish(tmp, target); errors.Is(err, storage.ErrExists) {
		return errTaken(to)
	} else if err != nil {
		return renamed(err, target, to)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s: %s, %s, %s pending, %s, %s\n", clean(to),
		counted(v.last, "event", "events"), counted(v.counts.Done(), "outcome", "outcomes"), grouped(v.counts.Pending),
		roughSize(float64(size)), roughDuration(time.Since(began)))
	return quiet(err)
}

// errTaken is not an error of the crawl file.
func errTaken(path string) error {
	return hintedError{fmt.Errorf("%s is there already, and a copy replaces nothing", path), "name another file with -o"}
}

// snapshotTries is how often a copy is begun, when the crawl starts or ends
// meanwhile.
const snapshotTries = 3

// snapshot has the copy made, by the process that runs the crawl or by this one.
func (c *call) snapshot(ctx context.Context, path, tmp, to string) error {
	for try := 1; ; try++ {
		s, err := c.dial(ctx, path)
		if err != nil {
			return err
		}
		need, err := storage.Used(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := roomFor(to, filepath.Dir(tmp), need); err != nil {
			return err
		}
		err = s.Snapshot(ctx, tmp)
		if gone := errors.Is(err, control.ErrLost) || errors.Is(err, crawl.ErrOver); !gone || try == snapshotTries || ctx.Err() != nil {
			return err
		}
		// It may be there when the answer alone was lost.
		if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// roomFor finds out whether as many bytes can be written in a folder.
func roomFor(name, dir string, need int64) error {
	free, ok := storage.FreeSpace(dir)
	if !ok || free >= need {
		return nil
	}
	return fmt.Errorf("%s: it takes %s, but %s are free: %w", name, roughSize(float64(need)), roughSize(float64(free)), syscall.ENOSPC)
}

// renamed gives an error that speaks of a temporary file the name that the user
// knows.
func renamed(err error, tmp, name string) error {
	text := strings.ReplaceAll(err.Error(), tmp, name)
	if text == err.Error() {
		return err
	}
	return textError{err, text}
}

// textError is an error in other words.
type textError struct {
	error
	text string
}

func (e textError) Error() string { return e.text }
func (e textError) Unwrap() error { return e.error }

// verifyCopy checks a copy, and gives its size. What is wrong is printed.
func (c *call) verifyCopy(ctx context.Context, tmp, name string) (*verifier, int64, error) {
	file, err := storage.Open(tmp, true)
	if err != nil {
		return nil, 0, renamed(err, tmp, name)
	}
	defer file.Close()
	v := &verifier{ctx: ctx, file: file}
	if err := v.run(); err != nil {
		if ctx.Err() != nil {
			return nil, 0, silentError{errStopped}
		}
		return nil, 0, renamed(err, tmp, name)
	}
	if len(v.findings) == 0 {
		return v, file.Size(), nil
	}
	for _, finding := range v.findings {
		if _, err := fmt.Fprintln(c.Stdout, clean(finding)); err != nil {
			break // the exit code tells the rest
		}
	}
	return nil, 0, fmt.Errorf("%s: no copy was made: %w: %s", name, errFindings, counted(uint64(len(v.findings)), "finding", "findings"))
}
