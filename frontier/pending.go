package frontier

import (
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
	return EachPending(file, func(from storage.JobID, n int) ([]QueuedJob, storage.JobID, bool, error) {
		jobs, next, more := f.JobsFrom(nil, from, n)
		return jobs, next, more, nil
	})
}

const pendingRows = 1000

// EachPending gives every job without an outcome that is on disk, as Pending
// does, also beside a crawl that runs: ask is JobsFrom, called by whoever owns the
// frontier. A job that finishes meanwhile may be among them.
func EachPending(file *storage.File, ask func(from storage.JobID, n int) (jobs []QueuedJob, next storage.JobID, more bool, err error)) iter.Seq2[Pending, error] {
	return func(yield func(Pending, error) bool) {
		var from storage.JobID
		for more := true; more; {
			var jobs []QueuedJob
			var err error
			jobs, from, more, err = ask(from, pendingRows)
			if err != nil {
				yield(Pending{}, err)
				return
			}
			rows := make([]Pending, 0, len(jobs))
			err = file.View(func(r *storage.Reader) error {
				var with storage.FoundReader
				for i := range jobs {
					p := Pending{Host: jobs[i].Host}
					if p.Found, err = jobs[i].Found(r, &with); err != nil {
						return err
					}
					if p.Retry, err = jobs[i].LastTry(r); err != nil {
						return err
					}
					rows = append(rows, p)
				}
				return nil
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
