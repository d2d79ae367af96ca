package frontier

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// fold changes the frontier as the event says. It is the only code that
// changes folded state, while loading as well as while crawling.
func (f *Frontier) fold(seq uint64, event []byte) error {
	f.seq = seq
	f.journal.weight += eventWeight
	err := f.foldEvent(seq, event)
	if err != nil && !errors.Is(err, storage.ErrDamaged) {
		err = fmt.Errorf("%w: %w", storage.ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("event %d: %w", seq, err)
	}
	return nil
}

func (f *Frontier) foldEvent(seq uint64, event []byte) error {
	switch storage.KindOf(event) {
	case storage.KindVisit:
		return f.foldVisit(seq, event)
	case storage.KindLinks, storage.KindSeeds:
		return f.foldLinks(seq, event)
	case storage.KindSkip:
		return f.foldSkip(seq, event)
	case storage.KindRetry:
		return f.foldRetry(seq, event)
	case storage.KindHost:
		return f.foldHost(seq, event)
	case storage.KindEdit:
		return f.foldEdit(seq, event)
	case storage.KindReopen:
		return f.foldReopen(event)
	}
	return fmt.Errorf("%w: an event of a kind or version that this pawl does not know", storage.ErrDamaged)
}

func (f *Frontier) foldVisit(seq uint64, event []byte) error {
	v, err := storage.DecodeVisitHead(event)
	if err != nil {
		return err
	}
	h, err := f.finish(v.Job, v.Depth)
	if err != nil {
		return err
	}
	f.asked(h, &v.Ask)
	f.counts.LastTime = max(f.counts.LastTime, v.Time)
	if int(v.Outcome) >= len(f.counts.Outcomes) || int(v.Class) >= len(f.counts.Classes) {
		return errors.New("an outcome that this pawl does not know")
	}
	f.counts.Outcomes[v.Outcome]++
	switch v.Outcome {
	case storage.Failed:
		f.counts.Classes[v.Class]++
	case storage.Fetched:
		h.fetched++
		if v.Unlisted {
			f.counts.Unlisted++
		}
		if len(v.ContentHash) > 0 && !v.Duplicate {
			f.foldContent(seq, v.ContentHash)
		}
	}
	if v.Join != "" {
		f.addRoot(seq, weburl.URL(v.Join), false)
	}
	return f.admit(seq, &v.Links, false, h)
}

func (f *Frontier) foldLinks(seq uint64, event []byte) error {
	l, err := storage.DecodeLinksHead(event)
	if err != nil {
		return err
	}
	seeds := storage.KindOf(event) == storage.KindSeeds
	if err := f.admit(seq, &l.Links, seeds, nil); err != nil || !seeds {
		return err
	}
	if l.Source != nil {
		f.sources[l.Source.Path] = *l.Source
	}
	known := l.Known()
	for known.Next() {
		f.addRoot(seq, weburl.URL(known.Link.URL), true)
	}
	return known.Err()
}

// asked folds that a host was asked.
func (f *Frontier) asked(h *host, a *storage.Ask) {
	h.answered(a)
	if a.Asked {
		f.counts.Requests++
	}
	f.counts.Transferred += uint64(a.Transferred)
}

// admit pushes the links of an event on their hosts' queues. Most of them are
// on the host near, if it is not nil.
func (f *Frontier) admit(seq uint64, links *storage.LinkBlock, seeds bool, near *host) error {
	links.Reuse(f.text)
	origin := f.origin // scheme://host of the run
	var run push
	flush := func() {
		if run.count > 0 {
			f.push(run)
		}
	}
	for i := 0; links.Next(); i++ {
		u := links.Link.URL
		var fp uint64
		if len(f.sieved) > 0 {
			fp, f.sieved = f.sieved[0], f.sieved[1:]
		} else {
			fp = f.hash(u)
			f.seen.put(fp, admitted)
		}
		f.journal.sawAddress(fp)
		f.counts.Admitted++
		f.counts.Pending++
		*f.atDepth(links.Link.Depth)++
		if seeds {
			f.addRoot(seq, weburl.URL(u), true)
		}
		if n := len(origin); n > 0 && len(u) > n && u[n] == '/' && string(u[:n]) == string(origin) {
			run.count++
			continue
		}
		flush()
		url := weburl.URL(u)
		origin = append(origin[:0], url.Origin()...)
		name := url.Host()
		if near == nil || near.name != name {
			near = f.hosts.intern(name)
		}
		run = push{
			host:  near.id,
			lane:  links.Link.Lane,
			place: place{seq: seq, index: uint16(i), https: url.Scheme() == "https"},
			count: 1,
		}
	}
	flush()
	f.origin = origin[:0]
	return links.Err()
}

func (f *Frontier) push(p push) {
	h := f.hosts.at(p.host)
	if h.left == 0 && h.queue.total == 0 {
		// The first on its host: hosts may be known by a robots.txt alone.
		f.counts.Hosts++
	}
	h.left += uint32(p.count)
	f.journal.pushed(p)
	if f.loading {
		h.queue.push(p.place, p.lane, p.count)
		return
	}
	f.staged = append(f.staged, p)
}

func (f *Frontier) foldSkip(seq uint64, event []byte) error {
	s, err := storage.DecodeLinksHead(event)
	if err != nil {
		return err
	}
	s.Links.Reuse(f.text)
	if s.Dropped {
		return f.foldDropped(&s)
	}
	if s.Withdrawn && s.Links.Left() != 1 {
		return fmt.Errorf("one job leaves the queue with %d addresses", s.Links.Left())
	}
	for s.Links.Next() {
		l := &s.Links.Link
		if s.Withdrawn {
			if _, err := f.finish(s.Job, l.Depth); err != nil {
				return err
			}
			f.counts.Withdrawn++
		}
		if l.Reason == storage.OutOfScope && f.firstOutside == 0 {
			f.firstOutside = seq
		}
		fp := f.hash(l.URL)
		st, known := f.seen.get(fp)
		if l.Reason == storage.Parked {
			f.counts.Parked++
		}
		now := refusedAt(l.Depth, l.NoFollow)
		if known && (st != admitted || !s.Withdrawn) {
			now = min(now, st)
		}
		if known && st == dropped {
			now = dropped
		}
		f.seen.put(fp, now)
		f.journal.sawAddress(fp)
	}
	return s.Links.Err()
}

func (f *Frontier) foldRetry(seq uint64, event []byte) error {
	r, err := storage.DecodeRetry(event)
	if err != nil {
		return err
	}
	h, err := f.host(r.Job)
	if err != nil {
		return err
	}
	f.asked(h, &r.Ask)
	f.counts.LastTime = max(f.counts.LastTime, r.Time)
	waiting := &h.inTrouble().retries
	t := f.retries[r.Job]
	if t != nil {
		waiting.remove(t)
	} else {
		// From here on it is not in the queue but among the retries.
		at, err := h.queue.find(r.Job.Ord)
		if err != nil {
			return err
		}
		if err := h.queue.finish(r.Job.Ord); err != nil {
			return err
		}
		t = &retry{place: at, ord: r.Job.Ord}
		f.retries[r.Job] = t
	}
	t.attempt, t.hops, t.raw, t.event = r.Attempt, r.Hops, r.Raw, seq
	t.due = r.Due * int64(time.Millisecond)
	waiting.push(t)
	return nil
}

func (f *Frontier) foldHost(seq uint64, event []byte) error {
	e, err := storage.DecodeHost(event)
	if err != nil {
		return err
	}
	u := weburl.URL(e.Origin + "/")
	h := f.hosts.intern(u.Host())
	asked := h
	if e.At != "" {
		asked = f.hosts.intern(e.At)
	}
	f.asked(asked, &e.Ask)
	if e.GiveUp != storage.NoClass {
		h.gaveUp, h.pardoned = e.GiveUp, false
		t := h.inTrouble()
		t.gaveUpUntil, t.gaveUpBy = e.Expires*int64(time.Millisecond), seq
	}
	https := u.Scheme() == "https"
	o := h.origin(https)
	if e.State == storage.RobotsNone {
		return nil
	}
	if o.state == storage.RobotsRetry || o.state == storage.RobotsRedirect {
		// This event came of the errand that the last one made.
		f.dropErrand(f.hosts.intern(weburl.URL(h.robotsURL(https)).Host()), h.robotsJob(https))
	}
	switch e.State {
	case storage.RobotsRules:
		if !e.Same {
			o.copy = seq
		}
		o.delay = e.Delay
	case storage.RobotsAllow:
		o.copy, o.delay = 0, 0
	case storage.RobotsGivenUp:
		o.state, o.busy, o.pardoned = e.State, false, false
		h.inTrouble().robots[index(https)] = unsettled{class: e.Class, until: e.Expires * int64(time.Millisecond), by: seq}
		return nil
	case storage.RobotsRetry, storage.RobotsRedirect:
		o.state = e.State
		h.inTrouble().robots[index(https)] = unsettled{
			attempt: e.Attempt, hops: e.Hops, next: e.Next, due: e.Due * int64(time.Millisecond),
		}
		f.addErrandOf(h, https)
		return nil
	default:
		return errors.New("a robots.txt state that this pawl does not know")
	}
	h.settleRobots(https)
	o.state, o.busy = e.State, false
	o.expires = e.Expires * int64(time.Millisecond)
	o.fresh = !f.loading
	return nil
}

// addErrandOf has a robots.txt asked for again, by what is known of it: of the
// host where it stands.
func (f *Frontier) addErrandOf(h *host, https bool) {
	h.origin(https).busy = true
	url := h.robotsURL(https)
	f.addErrand(f.hosts.intern(weburl.URL(url).Host()), errand{id: h.robotsJob(https), url: url, due: h.unsettled(https).due})
}

func (f *Frontier) addErrand(h *host, e errand) {
	f.dropErrand(h, e.id)
	t := h.inTrouble()
	t.errands = append(t.errands, e)
}

func (f *Frontier) dropErrand(h *host, id storage.JobID) {
	if t := h.trouble; t != nil {
		t.errands = slices.DeleteFunc(t.errands, func(x errand) bool { return x.id == id })
	}
}

func (f *Frontier) foldEdit(seq uint64, event []byte) error {
	e, err := storage.DecodeEdit(event)
	if err != nil {
		return err
	}
	switch e.Edit {
	case storage.EditSettings:
		f.settings = e.Settings
		f.counts.Settings = seq
	case storage.EditReview:
		f.review = review{upto: e.Upto}
		f.lastReview = seq
	case storage.EditReviewed:
		f.review.done = e.Upto
		if e.Upto >= f.review.upto {
			f.review = review{}
			for f.restored < len(f.unparks) && f.unparks[f.restored].Seq < f.lastReview {
				f.restored++
			}
		}
	case storage.EditWaits:
		f.foldWaits(e.Time*int64(time.Millisecond), e.Upto)
	case storage.EditPark:
		var p storage.Park
		if err := json.Unmarshal(e.Settings, &p); err != nil {
			return err
		}
		f.parks = append(f.parks, Park{Seq: seq, Host: p.Host, Pattern: p.Pattern})
	case storage.EditRestore:
		var r storage.Restore
		if err := json.Unmarshal(e.Settings, &r); err != nil {
			return err
		}
		f.unparks = append(f.unparks, Unpark{Seq: seq, Restore: r})
	case storage.EditDrop, storage.EditRetry:
		o := OpenEdit{Seq: seq, Kind: e.Edit, Upto: e.Upto}
		if err := json.Unmarshal(e.Settings, &o.Predicate); err != nil {
			return err
		}
		f.edits = append(f.edits, o)
	case storage.EditDropped:
		o, err := f.carriedOut(storage.EditDrop)
		if err != nil {
			return err
		}
		if o.Job = jobOf(e.Upto); e.Upto == allJobs {
			f.endEdit()
		}
	default:
		return errors.New("an edit that this pawl does not know")
	}
	return nil
}

// foldWaits moves and shortens all stored waits after a jump of the clock.
func (f *Frontier) foldWaits(at int64, backMilliseconds uint64) {
	back := int64(min(backMilliseconds, math.MaxInt64/uint64(time.Millisecond))) * int64(time.Millisecond)
	for _, r := range f.retries {
		r.due = min(r.due-back, at+int64(maxHold))
	}
	for h := range f.hosts.all() {
		h.moveWaits(back)
		h.capWaits(at)
	}
}

func (f *Frontier) host(id storage.JobID) (*host, error) {
	if int64(id.Host) >= int64(f.hosts.n) {
		return nil, fmt.Errorf("host %d is not known", id.Host)
	}
	return f.hosts.at(id.Host), nil
}

// atDepth is the number of pending jobs at a depth.
func (f *Frontier) atDepth(depth uint32) *uint64 {
	return &f.counts.Depths[min(depth, storage.Depths-1)]
}

// finish takes a job, of an address at the given depth, out of the queue or out
// of the retries.
func (f *Frontier) finish(id storage.JobID, depth uint32) (*host, error) {
	h, err := f.host(id)
	if err != nil {
		return nil, err
	}
	if t := f.retries[id]; t != nil {
		delete(f.retries, id)
		if h.trouble != nil {
			h.trouble.retries.remove(t)
		}
	} else if err := h.queue.finish(id.Ord); err != nil {
		return nil, err
	}
	n := f.atDepth(depth)
	if f.counts.Pending == 0 || h.left == 0 || *n == 0 {
		return nil, errors.New("more jobs finished than admitted")
	}
	f.counts.Pending--
	*n--
	h.left--
	return h, nil
}

// IsPending tells whether a job is known and has no outcome. A robots.txt never
// has one for good: it is asked for again.
func (f *Frontier) IsPending(id storage.JobID) bool {
	h, err := f.host(id)
	if err != nil {
		return false
	}
	if id.IsRobots() {
		// What is known of the origin says nothing: the job may have been to
		// ask again.
		return true
	}
	return f.retries[id] != nil || id.Ord < h.queue.total && !h.queue.isDone(id.Ord)
}
