package frontier

import (
	"fmt"
	"iter"

	"pawl/storage"
)

// Pending is a job without an outcome.
type Pending struct {
	Host  string
	Retry *storage.Retry // the last attempt and when the next is due, nil: none was made
	storage.Found
}

// Pending gives every job without an outcome, host by host in the order in
// which they were found. The crawl must be at rest.
func (f *Frontier) Pending(file *storage.File) iter.Seq2[Pending, error] {
	return func(yield func(Pending, error) bool) {
		for h := range f.hosts.all() {
			if h.left == 0 {
				continue
			}
			for ord := uint32(0); ord < h.queue.total; {
				var rows []Pending
				err := file.View(func(r *storage.Reader) (err error) {
					rows, ord, err = f.pendingSlice(r, h, ord)
					return err
				})
				if err != nil {
					yield(Pending{}, err)
					return
				}
				for _, p := range rows {
					if !yield(p, nil) {
						return
					}
				}
			}
		}
	}
}

const pendingRows = 1000

func (f *Frontier) pendingSlice(r *storage.Reader, h *host, ord uint32) (rows []Pending, next uint32, err error) {
	for ; ord < h.queue.total && len(rows) < pendingRows; ord++ {
		p := Pending{Host: h.name}
		var at place
		if t := f.retries[storage.JobID{Host: h.id, Ord: ord}]; t != nil {
			at = t.place
			if p.Retry, err = storage.DecodeRetry(r.Event(t.event)); err != nil {
				return nil, 0, err
			}
		} else if h.queue.isDone(ord) {
			continue
		} else if at, err = h.queue.find(ord); err != nil {
			return nil, 0, fmt.Errorf("%w: %w", storage.ErrDamaged, err)
		}
		p.Found, err = storage.DecodeFound(r.Event(at.seq), int(at.index))
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, p)
	}
	return rows, ord, nil
}
