package frontier

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"pawl/storage"
)

// A copy that is made while a crawl commits as fast as it can, with checkpoints on
// their way nearly all the time, is the crawl after one of its commits: what a
// start takes from its checkpoint and the rest of its log is what its whole log
// says, and its state is that after its last event.
func TestACopyIsTheCrawlAtOneInstant(t *testing.T) {
	o := quick()
	o.CheckpointEvery = 1500
	r := newRig(t, o)
	var urls []string
	for i := range 500 {
		urls = append(urls, fmt.Sprintf("http://host-%04d.test/", i))
	}
	r.seed(urls...)
	work := func() {
		for range 20 {
			j, ok := r.next()
			if !ok {
				break
			}
			seq := r.f.Seq()
			links := r.candidates(fmt.Sprintf("http://host-%04d.test/%d", seq%500, seq), fmt.Sprintf("http://host-%04d.test/%d", seq*7%500, seq))
			r.fetched(&j, append(links, r.refused(storage.TooDeep, fmt.Sprintf("http://a.test/%d", seq%5000))...)...)
		}
		r.commit()
	}
	for r.f.Seq() < 6000 || r.f.check.stands.Generation == 0 {
		work()
	}
	const copies = 6
	dir, made := t.TempDir(), make(chan error)
	go func() {
		for i := range copies {
			pace := func(time.Duration) { runtime.Gosched() }
			if i%2 == 0 {
				pace = nil
			}
			made <- r.file.CopyTo(t.Context(), filepath.Join(dir, fmt.Sprint(i, ".pawl")), pace)
		}
	}()
	for n := 0; n < copies; {
		work()
		select {
		case err := <-made:
			r.ok(err)
			n++
		default:
		}
	}
	last, withCheckpoint := uint64(0), 0
	for i := range copies {
		file, err := storage.Open(filepath.Join(dir, fmt.Sprint(i, ".pawl")), true)
		r.ok(err)
		defer file.Close()
		f, damage, err := Restore(file, o)
		r.ok(errors.Join(damage, err))
		if f.Seq() > 0 {
			withCheckpoint++
		}
		r.ok(f.CatchUp(file))
		whole, err := Fold(file, o)
		r.ok(err)
		if a, b := f.Digest(), whole.Digest(); a != b {
			t.Errorf("copy %d: the checkpoint comes to %+v, the log to %+v", i, a, b)
		}
		var state storage.State
		r.ok(file.View(func(reader *storage.Reader) (err error) {
			state, err = reader.State()
			return err
		}))
		counts := whole.Counts()
		if counts.LeastLeft = state.Counts.LeastLeft; counts != state.Counts {
			t.Errorf("copy %d: the state says %+v, the log %+v", i, state.Counts, counts)
		}
		for _, m := range state.Out {
			if !whole.IsPending(m.Job) {
				t.Errorf("copy %d: job %v is out, but not pending", i, m.Job)
			}
		}
		if f.Seq() < last {
			t.Errorf("copy %d ends at event %d, the one before it at %d", i, f.Seq(), last)
		}
		last = f.Seq()
	}
	t.Logf("%d events in the last copy", last)
	if withCheckpoint < copies {
		t.Errorf("only %d copies have a checkpoint", withCheckpoint)
	}
}
