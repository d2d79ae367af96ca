package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/export"
	"pawl/storage"
)

const (
	// lookAgain is how often it is looked whether a crawl at rest has gone on.
	lookAgain = time.Second
	// rowsEvery is how often it is looked whether a running crawl has new rows.
	rowsEvery = 200 * time.Millisecond
	// syncRows is how often what was written to a file is made durable.
	syncRows = 5 * time.Second
	// fileBusy is for how long it is waited for a file that another process writes
	// to: it may be the one that did so for a client that has just left.
	fileBusy = 3 * time.Second
)

// followRows writes rows as they come to a crawl that runs, until ctx is done.
func followRows(ctx context.Context, e *control.Export, w io.Writer, s *exportSource, o export.Options) error {
	var f *export.Follower
	var err error
	out := &continued{w: w, skip: e.Skip, want: e.CRC32}
	switch {
	case e.Path != "":
		if f, err = followFile(ctx, e.Path, s.file, o); err == nil {
			_, err = io.WriteString(w, "\n") // to say that it has begun
		}
	default:
		withdrawn := uint64(math.MaxUint64)
		if e.Withdrawn != nil {
			withdrawn = *e.Withdrawn
		}
		f, err = export.FollowToAsOf(&stoppable{ctx: ctx, w: out}, s.file, o, withdrawn)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = writeAsTheyCome(ctx, f, s.file, out)
	if ctx.Err() != nil {
		return nil // what was not synced is found again
	}
	return err
}

func writeAsTheyCome(ctx context.Context, f *export.Follower, file *storage.File, out *continued) error {
	tick := time.NewTicker(rowsEvery)
	defer tick.Stop()
	synced := time.Now()
	for {
		last, err := lastEvent(file)
		if err == nil {
			err = f.Write(last)
		}
		if err == nil {
			err = out.behind()
		}
		if err == nil && time.Since(synced) > syncRows {
			err = f.Sync()
			synced = time.Now()
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return f.Sync()
		case <-tick.C:
		}
	}
}

func lastEvent(file *storage.File) (last uint64, err error) {
	err = file.View(func(r *storage.Reader) error {
		last = r.Last()
		return nil
	})
	return last, err
}

// followFile opens a file for who asked for it from elsewhere.
func followFile(ctx context.Context, path string, file *storage.File, o export.Options) (*export.Follower, error) {
	if !filepath.IsAbs(path) {
		return nil, &control.UsageError{Text: "the path of a file must be absolute"}
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is not there for the process that runs the crawl; does it see other files, as in a container?", path)
	case err != nil:
		return nil, err
	}
	for deadline := time.Now().Add(fileBusy); ; {
		f, err := export.Follow(path, file, o, nil)
		if !errors.Is(err, export.ErrBusy) || time.Now().After(deadline) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rowsEvery):
		}
	}
}

// followExport writes rows as they come, until the crawl in the file has come to
// its end. The crawl file is open only while rows are read, so that the crawl can
// go on meanwhile; when it does, the process that runs it gives the rows.
func (c *call) followExport(ctx context.Context, e *control.Export, name, path string) error {
	f := &following{call: c, e: e, path: path, told: map[string]bool{}}
	switch {
	case name == "-" || name == "":
		f.out = &continued{w: c.Stdout}
	case isRegular(name):
		var err error
		if f.name, err = filepath.Abs(name); err != nil {
			return err
		}
	default:
		pipe, err := openPipe(ctx, name)
		if err != nil {
			return stoppedOr(ctx, err)
		}
		defer pipe.Close()
		f.out = &continued{w: pipe}
	}
	for {
		err := f.look(ctx)
		switch {
		case errors.Is(err, export.ErrClosed), errors.Is(err, errGone):
			return nil // who read it has seen enough
		case err != nil:
			return stoppedOr(ctx, err)
		case f.over:
			return nil
		}
		select {
		case <-ctx.Done():
			return silentError{errStopped}
		case <-time.After(f.pause):
		}
	}
}

// following is an export that goes on.
type following struct {
	*call
	e         *control.Export
	path      string        // of the crawl file
	name      string        // of the file that is written; empty: out is
	out       *continued    // stdout or a pipe
	withdrawn *uint64       // of out, see control.Export
	seen      fs.FileInfo   // the crawl file when all of it was written; nil: it never was
	position  []byte        // of the output then
	over      bool          // there will be no more rows
	pause     time.Duration // before the next look
	inVain    int           // looks in a row at a file that is in use by who cannot be asked
	told      map[string]bool
}

// tell says once what is waited for.
func (f *following) tell(what string) {
	if !f.told[what] {
		fmt.Fprintf(f.Stderr, "pawl: %s (Ctrl-C to leave)\n", what)
		f.told[what] = true
	}
}

// look writes the rows that there are, and, while the crawl runs, those that come.
func (f *following) look(ctx context.Context) error {
	f.pause = lookAgain
	err := f.atRest(ctx)
	if !errors.Is(err, storage.ErrInUse) {
		if err == nil && !f.over {
			f.tell("the crawl is not finished; the rows go on when it does")
		}
		return err
	}
	client, err := f.speak(ctx, f.path)
	if err == nil {
		f.pause, f.inVain = rowsEvery, 0 // for the process to end
		defer client.Close()
		err = f.live(ctx, client)
	}
	switch {
	case errors.Is(err, control.ErrLost), errors.Is(err, crawl.ErrOver):
		return nil // it rests by now, or soon
	case errors.Is(err, control.ErrNoSocket), errors.Is(err, control.ErrNoAnswer), errors.Is(err, control.ErrBusy):
		if f.inVain++; f.inVain > 2 { // it may be about to begin or to end
			f.tell("the crawl file is in use; its rows are read when that is over")
		}
		return nil
	}
	return f.usage(err)
}

// live has the process that runs the crawl give the rows, until the run ends.
func (f *following) live(ctx context.Context, running control.Crawl) error {
	e := *f.e
	if f.name != "" {
		if err := refuseGrowing(ctx, running, f.name); err != nil {
			return err
		}
		isNew, err := f.touch()
		if err != nil {
			return err
		}
		e.Path = f.name
		err = running.Export(ctx, e, io.Discard)
		if usage := (*control.UsageError)(nil); isNew && errors.As(err, &usage) {
			os.Remove(f.name) // nothing was written to it
		}
		return err
	}
	if f.withdrawn == nil {
		s, err := running.Status(ctx)
		if err != nil {
			return err
		}
		f.withdrawn = &s.Reopened
	}
	sum := f.out.sum
	e.Skip, e.CRC32, e.Withdrawn = f.out.written, &sum, f.withdrawn
	f.out.goOn()
	return running.Export(ctx, e, f.out)
}

// touch makes the file that is to be written, unless it is there.
func (f *following) touch() (isNew bool, err error) {
	file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(file.Close(), storage.SyncDir(filepath.Dir(f.name)))
}

// atRest writes the rows that there are, if the crawl file has changed since the
// last look.
func (f *following) atRest(ctx context.Context) error {
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
	var state storage.State
	var last uint64
	err = file.View(func(r *storage.Reader) (err error) {
		state, err = r.State()
		last = r.Last()
		return err
	})
	if err != nil {
		return err
	}
	var w *export.Follower
	if f.name != "" {
		w, err = export.Follow(f.name, file, o, f.position)
	} else {
		if f.withdrawn == nil {
			f.withdrawn = &state.Counts.Reopened
		}
		f.out.again()
		w, err = export.FollowToAsOf(&stoppable{ctx: ctx, w: f.out}, file, o, *f.withdrawn)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Write(last); err != nil {
		return err
	}
	if f.out != nil {
		if err := f.out.behind(); err != nil {
			return err
		}
	}
	if err := w.Sync(); err != nil {
		return err
	}
	word, _ := crawl.Standing(&state, &settings)
	isOver := word == "finished" && !state.Run.Unread || word == "limit"
	f.seen, f.position, f.over = info, w.Position(), isOver && !w.Waits()
	return nil
}

var errGone = errors.New("the reader of the output has left")

// errOtherRows is a stream that broke off, and cannot go on as it began.
var errOtherRows = hintedError{
	errors.New("the rows are others than those that were written until now, as when a --field was added or taken away: the output cannot go on"),
	"begin it anew, or choose the columns: --columns A,B,C",
}

// continued passes over what has been written before.
type continued struct {
	w             io.Writer
	written, skip int64
	sum           uint32  // of what was written
	passed        uint32  // of what was passed over
	want          *uint32 // what passed has to be in the end; nil: anything
}

// again has all that was written passed over.
func (c *continued) again() {
	sum := c.sum
	c.skip, c.passed, c.want = c.written, 0, &sum
}

// goOn has nothing passed over.
func (c *continued) goOn() { c.skip, c.want = 0, nil }

// behind tells whether there is less than what is to be passed over, now that all
// was written.
func (c *continued) behind() error {
	if c.want != nil && c.skip > 0 {
		return errOtherRows
	}
	return nil
}

func (c *continued) Write(b []byte) (int, error) {
	n := int(min(c.skip, int64(len(b))))
	if n > 0 {
		c.passed = crc32.Update(c.passed, crc32.IEEETable, b[:n])
		c.skip -= int64(n)
		if c.skip == 0 && c.want != nil && c.passed != *c.want {
			return 0, errOtherRows
		}
	}
	k, err := c.w.Write(b[n:])
	c.written += int64(k)
	c.sum = crc32.Update(c.sum, crc32.IEEETable, b[n:n+k])
	if err != nil && quiet(err) == nil {
		err = errGone
	}
	return n + k, err
}
