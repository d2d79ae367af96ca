package frontier

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"pawl/storage"
)

// OpenEdit is an edit of the user that is not carried out to its end: addresses
// that are to be dropped from the queue (EditDrop), or outcomes that are to be
// reopened (EditRetry). It is about what the log held when it was made, and is
// carried out in slices, each an event or a few.
type OpenEdit struct {
	Seq  uint64 // of its event
	Kind storage.EditKind
	storage.Predicate
	Upto    uint64        // it is about what stands in the log up to this event
	Job     storage.JobID // EditDrop: jobs before this one are through
	Done    uint64        // EditRetry: events up to this one are through
	Changed uint64        // addresses dropped or reopened so far
}

// What an edit that reopens outcomes has done on a host. It does so once, however
// many slices it takes: what is learned of the host meanwhile counts.
const (
	editedHost uint8 = 1 << iota // that it was given up is forgotten
	editedHTTP                   // its robots.txt is asked for anew
	editedHTTPS
)

// allJobs is the place behind all jobs, in an EditDropped.
const allJobs = ^uint64(0)

func numberOf(id storage.JobID) uint64 { return uint64(id.Host)<<32 | uint64(id.Ord) }
func jobOf(number uint64) storage.JobID {
	return storage.JobID{Host: uint32(number >> 32), Ord: uint32(number)}
}

// Edits are the edits that are not carried out to their end, the oldest first.
// They are carried out one after the other. The slice is the frontier's own, and
// valid until something is appended.
func (f *Frontier) Edits() []OpenEdit { return f.edits }

// OpenDrop appends that jobs of addresses which are known by now are to be
// dropped, those for which the predicate holds. See Drop.
func (f *Frontier) OpenDrop(p storage.Predicate, at time.Time) error {
	return f.openEdit(storage.EditDrop, p, at)
}

// OpenRetry appends that outcomes which are in the log by now are to be
// reopened, those for which the predicate holds. See Reopen.
func (f *Frontier) OpenRetry(p storage.Predicate, at time.Time) error {
	return f.openEdit(storage.EditRetry, p, at)
}

func (f *Frontier) openEdit(kind storage.EditKind, p storage.Predicate, at time.Time) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return f.append(&storage.Edit{Edit: kind, Time: at.UnixMilli(), Upto: f.seq, Settings: text})
}

// Dropped is a job that leaves the queue by an edit.
type Dropped struct {
	ID storage.JobID
	storage.Found
}

// errNoEdit is a bug of the caller.
var errNoEdit = errors.New("frontier: the oldest open edit is another one")

func (f *Frontier) carriedOut(kind storage.EditKind) (*OpenEdit, error) {
	if len(f.edits) == 0 || f.edits[0].Kind != kind {
		return nil, errNoEdit
	}
	return &f.edits[0], nil
}

// endEdit ends the oldest open edit.
func (f *Frontier) endEdit() {
	for _, id := range f.edited {
		f.hosts.at(id).edited = 0
	}
	f.edits, f.edited = slices.Delete(f.edits, 0, 1), nil
}

// Drop appends that jobs leave the queue, as the oldest open edit, an EditDrop,
// wants it, and that it has come to the job next; isDone: to its end. Jobs that
// are out, or have an outcome by now, are passed over. Their addresses are
// parked: known, and admitted by nothing but a seed or a Restore. It returns how
// many left. The jobs must rise by their IDs, as JobsFrom gives them.
func (f *Frontier) Drop(jobs []Dropped, next storage.JobID, isDone bool, at time.Time) (int, error) {
	if _, err := f.carriedOut(storage.EditDrop); err != nil {
		return 0, err
	}
	for i := 1; i < len(jobs); i++ {
		if compareJobs(jobs[i-1].ID, jobs[i].ID) >= 0 {
			return 0, errors.New("frontier: jobs to be dropped do not rise")
		}
	}
	n := 0
	skip := &storage.Skip{Time: at.UnixMilli(), Withdrawn: true, Dropped: true}
	flush := func() error {
		if len(skip.Links) == 0 {
			return nil
		}
		n += len(skip.Links)
		err := f.append(skip)
		skip.Links = skip.Links[:0]
		return err
	}
	for i := range jobs {
		d := &jobs[i]
		if f.out[d.ID] != nil || d.ID.IsRobots() || !f.IsPending(d.ID) {
			continue
		}
		parent := parentOf(&d.Found)
		isAnother := skip.FoundOn != d.FoundOn || skip.Origin != parent || skip.Job.Host != d.ID.Host
		if isAnother || len(skip.Links) == storage.MaxLinks {
			if err := flush(); err != nil {
				return n, err
			}
			skip.FoundOn, skip.Origin, skip.Job.Host = d.FoundOn, parent, d.ID.Host
		}
		skip.Links = append(skip.Links, storage.SkipLink{Link: linkOf(&d.Found), Reason: storage.Parked, Ord: d.ID.Ord})
	}
	if err := flush(); err != nil {
		return n, err
	}
	f.forgetDropped(jobs)
	upto := numberOf(next)
	if isDone {
		upto = allJobs
	}
	return n, f.append(&storage.Edit{Edit: storage.EditDropped, Time: at.UnixMilli(), Upto: upto})
}

// forgetDropped drops what this run knows of jobs, and has their hosts look what
// is next.
func (f *Frontier) forgetDropped(jobs []Dropped) {
	if len(f.suspects) > 0 {
		for i := range jobs {
			if id := jobs[i].ID; f.out[id] == nil {
				delete(f.suspects, id)
			}
		}
	}
	f.deferred = slices.DeleteFunc(f.deferred, func(id storage.JobID) bool { return !f.IsPending(id) })
	for i := range jobs {
		if i > 0 && jobs[i].ID.Host == jobs[i-1].ID.Host {
			continue
		}
		if h, err := f.host(jobs[i].ID); err == nil {
			f.wake(h)
		}
	}
}

// foldDropped takes the jobs of a skip event out of the queue.
func (f *Frontier) foldDropped(s *storage.LinksHead) error {
	edit, err := f.carriedOut(storage.EditDrop)
	if err != nil {
		return err
	}
	for s.Links.Next() {
		l := &s.Links.Link
		if _, err := f.finish(storage.JobID{Host: s.Job.Host, Ord: l.Ord}, l.Depth); err != nil {
			return err
		}
		f.counts.Withdrawn++
		f.counts.Parked++
		f.counts.Dropped++
		edit.Changed++
		fp := f.hash(l.URL)
		f.seen.put(fp, dropped)
		f.journal.sawAddress(fp)
	}
	return s.Links.Err()
}

// Reopen appends that the outcomes of visits are withdrawn, as the oldest open
// edit, an EditRetry, wants it, and that it has come to the event upto. Their
// addresses are jobs again, at the end of their hosts' queues. Visits that were
// reopened before are passed over, for which it asks the reader, and only such
// that failed or were blocked may be among them. They must rise by Seq, and stand
// behind those that the edit has come to. It returns how many there are.
func (f *Frontier) Reopen(r *storage.Reader, visits []storage.Reopened, upto uint64, at time.Time) (int, error) {
	edit, err := f.carriedOut(storage.EditRetry)
	if err != nil {
		return 0, err
	}
	upto = min(upto, edit.Upto)
	before := edit.Done
	for i := range visits {
		v := &visits[i]
		if v.Seq <= before || v.Seq > upto {
			return 0, fmt.Errorf("frontier: visit %d cannot be reopened between %d and %d", v.Seq, before, upto)
		}
		if v.Outcome != storage.Failed && v.Outcome != storage.Blocked {
			return 0, fmt.Errorf("frontier: visit %d, %v, cannot be reopened", v.Seq, v.Outcome)
		}
		before = v.Seq
	}
	n := 0
	event := &storage.Reopen{Time: at.UnixMilli(), Edit: edit.Seq, Upto: upto}
	for i := range visits {
		v := &visits[i]
		if f.batch.IsReopened(v.Seq) || f.spare.IsReopened(v.Seq) || r.IsReopened(v.Seq, ^uint64(0)) {
			continue
		}
		if len(event.Visits) == storage.MaxReopened {
			event.Upto = event.Visits[storage.MaxReopened-1].Seq
			if err := f.append(event); err != nil {
				return n, err
			}
			event.Visits, event.Upto = event.Visits[:0], upto
		}
		event.Visits = append(event.Visits, *v)
		n++
	}
	if err := f.append(event); err != nil {
		return n, err
	}
	for i := range visits {
		if i > 0 && visits[i].Host == visits[i-1].Host {
			continue
		}
		if h, err := f.host(storage.JobID{Host: visits[i].Host}); err == nil {
			f.wake(h) // it may have been given up
		}
	}
	return n, nil
}

// foldReopen makes jobs of finished ones.
func (f *Frontier) foldReopen(event []byte) error {
	e, err := storage.DecodeReopen(event)
	if err != nil {
		return err
	}
	edit, err := f.carriedOut(storage.EditRetry)
	if err != nil {
		return err
	}
	if edit.Seq != e.Edit || e.Upto < edit.Done || e.Upto > edit.Upto {
		return fmt.Errorf("outcomes up to %d are reopened for the edit %d", e.Upto, e.Edit)
	}
	for i := range e.Visits {
		v := &e.Visits[i]
		if v.Seq <= edit.Done || v.Seq > e.Upto {
			return fmt.Errorf("visit %d is reopened out of turn", v.Seq)
		}
		if err := f.reopen(v); err != nil {
			return err
		}
	}
	edit.Changed += uint64(len(e.Visits))
	if edit.Done = e.Upto; edit.Done == edit.Upto {
		f.endEdit()
	}
	return nil
}

func (f *Frontier) reopen(v *storage.Reopened) error {
	h, err := f.host(storage.JobID{Host: v.Host})
	if err != nil {
		return err
	}
	c := &f.counts
	if int(v.Outcome) >= len(c.Outcomes) || c.Outcomes[v.Outcome] == 0 {
		return errors.New("more outcomes are reopened than there are")
	}
	c.Outcomes[v.Outcome]--
	if v.Outcome == storage.Failed {
		if int(v.Class) >= len(c.Classes) || c.Classes[v.Class] == 0 {
			return errors.New("more failures are reopened than there are")
		}
		c.Classes[v.Class]--
	}
	c.Pending++
	c.Reopened++
	*f.atDepth(v.Depth)++
	f.push(push{host: v.Host, lane: v.Lane, place: place{seq: v.Seq, index: storage.SelfIndex, https: v.HTTPS}, count: 1})
	f.askAgain(h, v)
	return nil
}

// askAgain forgets why a host was not to be asked any more: else what is reopened
// would end as it did, without a request.
func (f *Frontier) askAgain(h *host, v *storage.Reopened) {
	was := h.edited
	if was&editedHost == 0 {
		h.edited |= editedHost
		if h.gaveUp != storage.NoClass {
			h.gaveUp, h.throttles = storage.NoClass, 0
			if t := h.trouble; t != nil {
				t.gaveUpUntil, t.gaveUpBy, t.throttleSince = 0, 0, 0
			}
		}
		for i := range h.origins {
			if o := &h.origins[i]; o.state == storage.RobotsGivenUp {
				o.state = storage.RobotsNone
				h.settleRobots(i == 1)
			}
		}
	}
	scheme := editedHTTP << index(v.HTTPS)
	if o := h.origin(v.HTTPS); was&scheme == 0 && (v.Outcome == storage.Blocked || v.Class == storage.Robots) {
		h.edited |= scheme
		if o.expires != 0 {
			// Long ago, and not never: the copy is still there to go on with when it
			// cannot be had now.
			o.expires, o.fresh = int64(time.Millisecond), false
		}
	}
	if was == 0 {
		f.edited = append(f.edited, h.id)
	}
}

// IsDropped tells whether an address was dropped from the queue and did not come
// back.
func (f *Frontier) IsDropped(fp uint64) bool {
	st, known := f.seen.get(fp)
	return known && st == dropped
}

// Restores are those of Unparks whose review has not come to its end: the skipped
// links of drops before them, for which they hold, are to be admitted again. See
// Candidate.Restored.
func (f *Frontier) Restores() []Unpark { return f.unparks[f.restored:] }
