package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/export"
	"pawl/storage"
)

// lookAgain is how often it is looked whether a crawl at rest has gone on.
const lookAgain = time.Second

// followExport writes rows as they come, until the crawl in the file has come to
// its end. The crawl file is open only while rows are read, so that the crawl can
// go on meanwhile.
func (c *call) followExport(ctx context.Context, e *control.Export, name, path string) error {
	f := &following{call: c, name: name, path: path, e: e, out: &continued{w: c.Stdout}}
	told := false
	for {
		err := f.look(ctx)
		isBusy := errors.Is(err, storage.ErrInUse)
		switch {
		case errors.Is(err, export.ErrClosed), errors.Is(err, errGone):
			return nil // who read it has seen enough
		case errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return silentError{errStopped}
		case err != nil && !isBusy:
			return err
		case f.over:
			return nil
		}
		if !told {
			why := "the crawl is not finished; the rows go on when it does (Ctrl-C to leave)"
			if isBusy {
				why = "the crawl file is in use; its rows are read when the crawl rests (Ctrl-C to leave)"
			}
			fmt.Fprintln(c.Stderr, "pawl: "+why)
			told = true
		}
		select {
		case <-ctx.Done():
			return silentError{errStopped}
		case <-time.After(lookAgain):
		}
	}
}

// following is an export that goes on.
type following struct {
	*call
	name, path string
	e          *control.Export
	out        *continued
	seen       fs.FileInfo // the crawl file when all of it was written; nil: it never was
	position   []byte      // of the output then
	over       bool        // there will be no more rows
}

// look writes the rows that there are, if the crawl file has changed since the
// last look.
func (f *following) look(ctx context.Context) error {
	info, err := os.Stat(f.path)
	if err == nil && f.seen != nil && info.ModTime().Equal(f.seen.ModTime()) && info.Size() == f.seen.Size() && os.SameFile(info, f.seen) {
		return nil
	}
	file, err := storage.Open(f.path, true)
	if err != nil {
		return err
	}
	defer file.Close()
	settings, _, err := crawl.Remembered(file)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	o := f.e.Options
	o.Stop = ctx.Err
	if o.Fields, err = exportFields(&settings); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := wrongOptions(export.CheckFollow(o), len(o.Columns) > 0); err != nil {
		return f.usage(err)
	}
	var last uint64
	over := false
	err = file.View(func(r *storage.Reader) error {
		state, err := r.State()
		word, _ := crawl.Standing(&state, &settings)
		last, over = r.Last(), word == "finished" && !state.Run.Unread || word == "limit"
		return err
	})
	if err != nil {
		return err
	}
	var w *export.Follower
	if f.name == "-" || f.name == "" {
		f.out.skip = f.out.written
		w, err = export.FollowTo(&stoppable{ctx: ctx, w: f.out}, file, o)
	} else {
		w, err = export.Follow(f.name, file, o, f.position)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Write(last); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	f.seen, f.position, f.over = info, w.Position(), over
	return nil
}

var errGone = errors.New("the reader of the output has left")

// continued passes over what it has written before.
type continued struct {
	w             io.Writer
	written, skip int64
}

func (c *continued) Write(b []byte) (int, error) {
	n := int(min(c.skip, int64(len(b))))
	c.skip -= int64(n)
	k, err := c.w.Write(b[n:])
	c.written += int64(k)
	if err != nil && quiet(err) == nil {
		err = errGone
	}
	return n + k, err
}
