package frontier

import (
	"cmp"
	"slices"
	"time"

	"pawl/storage"
)

// leftPerSeal is how many hosts a Seal looks at to tell how long the crawl will
// take at least. With fewer hosts it is exact.
const leftPerSeal = 1000

// Waiting is the number of events that are appended and not sealed.
func (f *Frontier) Waiting() int { return f.batch.Len() }

// Weight is the size of these and of what is kept beside them, in bytes.
func (f *Frontier) Weight() int { return f.batch.Weight() }

// Seal gives the batch of all events appended since the last Seal, with the
// state after them, to be committed. Only one batch may be sealed at a time:
// call Committed before the next Seal.
func (f *Frontier) Seal(now time.Time) *storage.Batch {
	b := f.batch
	at := now.UnixNano()
	f.leastLeft(at)
	b.State = storage.State{Counts: f.Counts(), Run: f.run, Out: f.marks(at), Parked: f.inForce()}
	f.checkpoint(b)
	f.batch, f.spare = f.spare, nil
	f.batch.Reset(f.seq + 1)
	f.sealed, f.staged = f.staged, f.sealed[:0]
	f.sealedRobots, f.stagedRobots = f.stagedRobots, f.sealedRobots[:0]
	f.spare = b
	return b
}

// marks lists the jobs that are out, and the suspects that are still to come.
func (f *Frontier) marks(at int64) []storage.Mark {
	marks := make([]storage.Mark, 0, len(f.out)+len(f.suspects))
	// Whatever runs first is the only one out when a process is killed early.
	lasted := at >= f.patience
	for _, m := range f.out {
		now := *m
		now.Running = true
		// While every job is marked before it starts, what is out at a commit
		// is all that can be out before the next.
		now.Only = len(f.out) == 1 && (m == f.alone || f.careful > 0 && lasted)
		marks = append(marks, now)
	}
	for id, m := range f.suspects {
		if f.out[id] == nil {
			// It has not run in this run. A death now is not its doing.
			marks = append(marks, m)
		}
	}
	slices.SortFunc(marks, func(a, b storage.Mark) int { return compareJobs(a.Job, b.Job) })
	return marks
}

func compareJobs(a, b storage.JobID) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Ord, b.Ord))
}

// Committed tells that the sealed batch is on disk: the jobs it brought may be
// handed out from now on.
func (f *Frontier) Committed() {
	f.spare.Written()
	f.sifted.shrink()
	for _, p := range f.sealed {
		h := f.hosts.at(p.host)
		_, queued := h.queue.peek()
		h.queue.push(p.place, p.lane, p.count)
		if !queued || h.queue.hasLanes() {
			f.wake(h) // else its turn is as it was
		}
	}
	f.sealed = f.sealed[:0]
	for _, id := range f.sealedRobots {
		h := f.hosts.at(id.Host)
		h.origin(id.Ord == storage.OrdRobotsHTTPS).busy = false
		f.wake(h)
	}
	f.sealedRobots = f.sealedRobots[:0]
}

// keepSifted is for how many links memory is kept.
const keepSifted = 1000

// shrink lets go of the links of a page, or of a sitemap, that had very many.
func (s *sifted) shrink() {
	if cap(s.fresh) > keepSifted || cap(s.refused) > keepSifted {
		*s = sifted{}
	}
}
