package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pawl/export"
	"pawl/storage"
)

// lookAgain is how often it is looked whether a crawl at rest has gone on.
const lookAgain = time.Second

// followExport writes rows as they come, until the crawl in the file is finished.
// The crawl file is open only while rows are read, so that the crawl can go on
// meanwhile.
func (c *call) followExport(ctx context.Context, what *table, name, path string, o export.Options) error {
	if what.name != "pages" {
		return c.given["follow"].wrong(errors.New("is for pages alone"))
	}
	if err := export.CheckFollow(o); err != nil && len(o.Columns) == 0 {
		return usageError{error: err, command: "export"}
	}
	out := &continued{w: c.Stdout}
	told := false
	for {
		over, err := c.followOnce(ctx, what, name, path, o, out)
		isBusy := errors.Is(err, storage.ErrInUse)
		switch {
		case errors.Is(err, export.ErrClosed), errors.Is(err, errGone):
			return nil // who read it has seen enough
		case errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return silentError{errStopped}
		case err != nil && !isBusy:
			return err
		case over:
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

// followOnce writes the rows that there are. over tells that there will be no
// more.
func (c *call) followOnce(ctx context.Context, what *table, name, path string, o export.Options, out *continued) (over bool, err error) {
	file, err := storage.Open(path, true)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if err := c.addFields(file, what, &o); err != nil {
		return false, err
	}
	var last uint64
	err = file.View(func(r *storage.Reader) error {
		state, err := r.State()
		last, over = r.Last(), state.Counts.Pending == 0 && !state.Run.Running && !state.Run.Unread
		return err
	})
	if err != nil {
		return false, err
	}
	var f *export.Follower
	if name == "-" || name == "" {
		out.skip = out.written
		f, err = export.FollowTo(&stoppable{ctx: ctx, w: out}, file, o)
	} else {
		f, err = export.Follow(name, file, o, nil)
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := f.Write(last); err != nil {
		return false, err
	}
	return over, f.Sync()
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
