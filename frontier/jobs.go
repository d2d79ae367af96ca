package frontier

import (
	"cmp"
	"math/bits"
	"slices"

	"pawl/storage"
)

// QueuedJob is a job without an outcome, as the frontier knows it: its address is
// in the log.
type QueuedJob struct {
	ID      storage.JobID
	Host    string
	Seq     uint64 // of the event that its address stands in
	Index   int    // where it stands there
	Retry   uint64 // seq of the event of the last attempt, 0: none was made
	IsOut   bool   // it is handed out
	Attempt uint8  // attempts made
}

// Found reads the job's address, in the transaction of r and of with.
func (q *QueuedJob) Found(r *storage.Reader, with *storage.FoundReader) (storage.Found, error) {
	return with.Read(r, q.Seq, q.Index)
}

// LastTry reads what came of the last attempt and when the next is due; nil: none
// was made, or it is not on disk yet.
func (q *QueuedJob) LastTry(r *storage.Reader) (*storage.Retry, error) {
	if q.Retry == 0 {
		return nil, nil
	}
	event := r.Event(q.Retry)
	if event == nil {
		return nil, nil
	}
	return storage.DecodeRetry(event)
}

const (
	// What a call of JobsFrom does at the most: a step is a host, or a job, or some
	// words of bits of jobs that are all finished.
	stepsACall = 1000
	stepsAJob  = 20
	wordsAStep = 8
)

// JobsFrom gives jobs without an outcome that are on disk, from a job on, in the
// order of hosts and of finding: at most n, and fewer when many hosts have none,
// so that it takes some tens of microseconds for each hundred. next is where to go
// on; more is false when there are none behind. A job is never given twice as long
// as each call begins at the next of the one before, whatever happens meanwhile,
// but for one that was finished and reopened. The event of a job's last attempt
// may not be on disk yet.
func (f *Frontier) JobsFrom(dst []QueuedJob, from storage.JobID, n int) (jobs []QueuedJob, next storage.JobID, more bool) {
	w := jobWalk{f: f, jobs: dst, left: n, steps: stepsACall + stepsAJob*n}
	w.noteOut(from.Host)
	for ; int64(from.Host) < int64(f.hosts.n); from = (storage.JobID{Host: from.Host + 1}) {
		w.steps--
		if w.left <= 0 || w.steps <= 0 {
			return w.jobs, from, true
		}
		h := f.hosts.at(from.Host)
		if h.left == 0 {
			continue
		}
		if ord, isThrough := w.host(h, from.Ord); !isThrough {
			return w.jobs, storage.JobID{Host: h.id, Ord: ord}, true
		}
	}
	return w.jobs, from, false
}

// jobWalk is a call of JobsFrom.
type jobWalk struct {
	f     *Frontier
	jobs  []QueuedJob
	left  int // jobs wanted
	steps int
	// Jobs that were tried before and wait nowhere: they are out, or put off.
	away []storage.JobID
	ords []uint32 // memory
}

func (w *jobWalk) noteOut(from uint32) {
	f := w.f
	if len(f.retries) == 0 {
		return
	}
	note := func(id storage.JobID) {
		if id.Host >= from && f.retries[id] != nil {
			w.away = append(w.away, id)
		}
	}
	for id := range f.out {
		note(id)
	}
	for _, id := range f.deferred {
		note(id)
	}
	slices.SortFunc(w.away, compareJobs)
}

// host gives the jobs of a host from ord on, as far as it comes.
func (w *jobWalk) host(h *host, ord uint32) (next uint32, isThrough bool) {
	var waits retries
	if h.trouble != nil {
		waits = h.trouble.retries
	}
	w.ords = w.ords[:0]
	if len(waits) > 4*w.left+64 {
		// To look through all of them each time would take too long. There are so
		// many that it is not far to the next.
		return w.hostByOrd(h, ord)
	}
	for _, t := range waits {
		if t.ord >= ord {
			w.ords = append(w.ords, t.ord)
		}
	}
	i, _ := slices.BinarySearchFunc(w.away, storage.JobID{Host: h.id, Ord: ord}, compareJobs)
	for ; i < len(w.away) && w.away[i].Host == h.id; i++ {
		w.ords = append(w.ords, w.away[i].Ord)
	}
	slices.Sort(w.ords)
	tried := slices.Compact(w.ords)
	for w.left > 0 && w.steps > 0 {
		w.steps--
		open, found := h.queue.unfinished(ord, wordsAStep)
		for len(tried) > 0 && tried[0] < open && w.left > 0 {
			w.tried(h, tried[0])
			ord, tried = tried[0]+1, tried[1:]
		}
		if w.left == 0 {
			return ord, false
		}
		ord = open
		if found {
			w.queued(h, ord)
			ord++
		} else if ord >= h.queue.total {
			return ord, true
		}
	}
	return ord, false
}

// hostByOrd does the same job by job.
func (w *jobWalk) hostByOrd(h *host, ord uint32) (next uint32, isThrough bool) {
	for ; ord < h.queue.total; ord++ {
		if w.left <= 0 || w.steps <= 0 {
			return ord, false
		}
		w.steps--
		if !h.queue.isDone(ord) {
			w.queued(h, ord)
		} else if w.f.retries[storage.JobID{Host: h.id, Ord: ord}] != nil {
			w.tried(h, ord)
		}
	}
	return ord, true
}

// queued adds a job that was not tried yet.
func (w *jobWalk) queued(h *host, ord uint32) {
	if at, err := h.queue.find(ord); err == nil {
		w.add(h, ord, at, QueuedJob{})
	}
}

// tried adds a job that was tried before.
func (w *jobWalk) tried(h *host, ord uint32) {
	if t := w.f.retries[storage.JobID{Host: h.id, Ord: ord}]; t != nil {
		w.add(h, ord, t.place, QueuedJob{Retry: t.event, Attempt: t.attempt})
	}
}

func (w *jobWalk) add(h *host, ord uint32, at place, q QueuedJob) {
	q.ID, q.Host = storage.JobID{Host: h.id, Ord: ord}, h.name
	q.Seq, q.Index, q.IsOut = at.seq, int(at.index), w.f.out[q.ID] != nil
	w.jobs = append(w.jobs, q)
	w.left--
	w.steps--
}

// unfinished gives the first job from ord on that is not finished, and looks
// through so many words of bits at the most; found is false when there is none so
// far, up to the ordinal that it gives instead.
func (q *queue) unfinished(ord uint32, words int) (at uint32, found bool) {
	if q.open == nil {
		return q.total, false
	}
	ord = max(ord, q.base)
	origin := q.base &^ 63
	for ; words > 0 && ord < q.total; words-- {
		i := int((ord - origin) / 64)
		if i >= len(q.open.done) {
			return ord, true
		}
		if free := ^q.open.done[i] >> (ord % 64); free != 0 {
			ord += uint32(bits.TrailingZeros64(free))
			return min(ord, q.total), ord < q.total
		}
		ord = ord&^63 + 64
	}
	return min(ord, q.total), false
}

// HostNumber is the number of a host, which JobIDs name it by; ok is false when
// it is not known.
func (f *Frontier) HostNumber(name string) (id uint32, ok bool) {
	h := f.hosts.find(name)
	if h == nil {
		return 0, false
	}
	return h.id, true
}

// JobAt gives the job without an outcome whose address stands at the index of the
// event seq, and how many jobs of its host are handed out before it, as it looks
// now; ok is false when there is none. It looks through all jobs of the host: a
// few milliseconds for a million.
func (f *Frontier) JobAt(host string, seq uint64, index int) (job QueuedJob, before int, ok bool) {
	h := f.hosts.find(host)
	if h == nil {
		return job, 0, false
	}
	w := jobWalk{f: f}
	if t := f.triedAt(h, seq, index); t != nil {
		w.tried(h, t.ord)
		return w.jobs[0], h.waitingBefore(t), true
	}
	q := &h.queue
	for _, g := range q.groups() {
		ord := g.ord + uint32(index) - uint32(g.first)
		if g.seq != seq || index < int(g.first) || ord-g.ord >= g.size() || q.isDone(ord) {
			continue
		}
		w.queued(h, ord)
		if job = w.jobs[0]; !job.IsOut {
			before = f.queuedBefore(h, ord, g.lane())
		}
		return job, before, true
	}
	return job, 0, false
}

// triedAt gives the job of a host that was tried before and whose address stands
// there, nil: there is none.
func (f *Frontier) triedAt(h *host, seq uint64, index int) *retry {
	stands := func(t *retry) bool { return t != nil && t.seq == seq && int(t.index) == index }
	if h.trouble != nil {
		if i := slices.IndexFunc(h.trouble.retries, stands); i >= 0 {
			return h.trouble.retries[i]
		}
	}
	for id := range f.out {
		if t := f.retries[id]; id.Host == h.id && stands(t) {
			return t
		}
	}
	for _, id := range f.deferred {
		if t := f.retries[id]; id.Host == h.id && stands(t) {
			return t
		}
	}
	return nil
}

// waitingBefore counts the retries that come before one of them.
func (h *host) waitingBefore(t *retry) (n int) {
	if h.trouble == nil || t.heap < 0 {
		return 0
	}
	for _, x := range h.trouble.retries {
		if cmp.Or(cmp.Compare(x.due, t.due), cmp.Compare(x.event, t.event)) < 0 {
			n++
		}
	}
	return n
}

// queuedBefore counts the jobs of the queue that come before one of its lane.
func (f *Frontier) queuedBefore(h *host, ord uint32, lane storage.Lane) (n int) {
	turn := slices.Index(laneOrder[:], lane)
	for _, g := range h.queue.groups() {
		switch other := slices.Index(laneOrder[:], g.lane()); {
		case other > turn, other == turn && g.ord > ord:
			continue
		case other == turn && g.ord+g.size() > ord:
			n += h.queue.unfinishedIn(g.ord, ord)
		default:
			n += h.queue.unfinishedIn(g.ord, g.ord+g.size())
		}
	}
	for id := range f.out {
		if id.Host == h.id && !id.IsRobots() && f.retries[id] == nil && id.Ord != ord && n > 0 {
			n-- // it is not in the way any more
		}
	}
	return n
}

func (q *queue) unfinishedIn(from, to uint32) (n int) {
	for ord := from; ord < to; ord++ {
		if !q.isDone(ord) {
			n++
		}
	}
	return n
}
