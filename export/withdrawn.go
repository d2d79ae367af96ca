package export

import (
	"fmt"
	"maps"
	"slices"

	"pawl/storage"
)

// The user may withdraw outcomes: an EditRetry in the log says which, Reopen
// events behind it carry it out, slice by slice, and the last of these reaches the
// edit's Upto. The edits are carried out one after the other. Until then an
// address may stand in the log twice: with the outcome that is to be withdrawn, and
// with that of the new job.

// retry is an EditRetry.
type retry struct {
	seq  uint64
	upto uint64 // it is carried out when a Reopen event has come so far
}

func retryOf(seq uint64, event []byte) (r retry, ok bool, err error) {
	if storage.KindOf(event) != storage.KindEdit {
		return retry{}, false, nil
	}
	e, err := storage.DecodeEdit(event)
	if err != nil || e.Edit != storage.EditRetry {
		return retry{}, false, err
	}
	return retry{seq, e.Upto}, true, nil
}

// retries reads on in the log to learn which edits are carried out.
type retries struct {
	seq  uint64 // events up to this one were read
	open []retry
	done []carried
	any  bool // the oldest open edit has withdrawn something
}

// carried is an edit that was carried out.
type carried struct {
	end uint64 // event by which it was
	any bool   // it withdrew something
}

// readTo reads the events up to last.
func (e *retries) readTo(f *storage.File, last uint64, pace pacing) error {
	return walkFrom(f, e.seq+1, last, pace, func(_ *storage.Reader, seq uint64, event []byte) (bool, error) {
		e.seq = seq
		return true, e.take(seq, event)
	}, func() error { return nil })
}

func (e *retries) take(seq uint64, event []byte) error {
	if storage.KindOf(event) != storage.KindReopen {
		r, ok, err := retryOf(seq, event)
		if ok {
			e.open = append(e.open, r)
		}
		return err
	}
	r, err := storage.DecodeReopen(event)
	if err != nil {
		return err
	}
	if len(e.open) == 0 || r.Edit != e.open[0].seq {
		return nil // of an edit before those that were read
	}
	e.any = e.any || len(r.Visits) > 0
	if r.Upto < e.open[0].upto {
		return nil
	}
	e.done = append(e.done, carried{seq, e.any})
	e.open, e.any = e.open[1:], false
	return nil
}

// ends gives the events by which edits were carried out that withdrew anything, the
// newest last.
func (e *retries) ends() (ends []uint64) {
	for _, c := range e.done {
		if c.any {
			ends = append(ends, c.end)
		}
	}
	return ends
}

// endsOf gives the events up to last by which edits were carried out that
// withdrew anything, the newest last.
func endsOf(f *storage.File, last uint64, pace pacing) ([]uint64, error) {
	withdrawals, err := reopenings(f)
	if err != nil {
		return nil, err
	}
	if len(withdrawals) == 0 {
		return nil, nil
	}
	var first uint64 // the first edit
	seq := slices.Min(slices.Collect(maps.Keys(withdrawals)))
	err = f.View(func(r *storage.Reader) error {
		event, err := storage.DecodeReopen(r.Event(seq))
		if err != nil {
			return fmt.Errorf("event %d: %w", seq, err)
		}
		first = event.Edit
		return nil
	})
	if err != nil || first == 0 || first > last {
		return nil, err
	}
	e := retries{seq: first - 1}
	err = e.readTo(f, last, pace)
	return e.ends(), err
}

// reopenings gives the events that withdrew outcomes, with how many each.
func reopenings(f *storage.File) (map[uint64]int, error) {
	const most = 500 // in a transaction
	all := map[uint64]int{}
	block, event, more := uint64(0), uint64(0), true
	for more {
		more = false
		err := f.View(func(r *storage.Reader) error {
			n := 0
			return r.ScanReopened(block, event, func(b, e uint64, visits []uint64) (bool, error) {
				if n == most {
					block, event, more = b, e, true
					return false, nil
				}
				n++
				all[e] += len(visits)
				return true, nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// withdrawal gives the event by which the first n outcomes were withdrawn.
func withdrawal(f *storage.File, n uint64) (seq uint64, err error) {
	if n == 0 {
		return 0, nil
	}
	all, err := reopenings(f)
	if err != nil {
		return 0, err
	}
	var sum uint64
	for _, seq = range slices.Sorted(maps.Keys(all)) {
		if sum += uint64(all[seq]); sum >= n {
			break
		}
	}
	return seq, nil
}
