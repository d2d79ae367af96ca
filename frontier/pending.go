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
	return func(yield func(Pending, error) bool) {
		var from storage.JobID
		var jobs []QueuedJob
		for more := true; more; {
			jobs, from, more = f.JobsFrom(jobs[:0], from, pendingRows)
			rows, err := readPending(file, jobs)
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

const pendingRows = 1000

func readPending(file *storage.File, jobs []QueuedJob) ([]Pending, error) {
	rows := make([]Pending, 0, len(jobs))
	err := file.View(func(r *storage.Reader) (err error) {
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
	return rows, err
}
