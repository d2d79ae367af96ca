package crawl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pawl/frontier"
	"pawl/storage"
	"pawl/weburl"
)

// sweep carries out edits of the queue, one after the other, in slices.
type sweep struct {
	edits []*editing // the first is being carried out
	until time.Time  // no slice before
	jobs  []frontier.QueuedJob
	// unwanted are jobs that were in flight when they were to be dropped: what comes
	// of this attempt is their outcome.
	unwanted map[storage.JobID]bool
}

// editing is an edit that is being carried out.
type editing struct {
	Edit
	wish   wish
	isOpen bool
	seq    uint64    // of its event, with isOpen
	asked  *question // nil: it was asked for in an earlier run
	edited *Edited
}

const (
	// sweepShare is for how many times as long as a slice took the next one waits.
	sweepShare  = 3
	sweepJobs   = 1000
	sweepEvents = 2000
	editsAtMost = 100
	// editExamples is how many addresses are named.
	editExamples = 5
)

func (s *sweep) isOpen() bool { return len(s.edits) > 0 }

// isSweeping tells whether jobs or outcomes are being looked through. What is being
// restored is brought back by a review of skipped links instead.
func (s *sweep) isSweeping() bool {
	return s.isOpen() && s.edits[0].isOpen && s.edits[0].Kind != Restore
}

// wake is when the next slice may begin.
func (s *sweep) wake(l *loop) (at time.Time, ok bool) {
	if !s.isOpen() || !l.mayEdit() || l.sweepWaits() {
		return time.Time{}, false
	}
	return s.until, true
}

// mayEdit tells whether edits are carried out at all.
func (l *loop) mayEdit() bool { return !l.stopping && !l.file.IsReadOnly() }

// sweepWaits tells whether a slice waits for a commit, or for a review.
func (l *loop) sweepWaits() bool {
	if l.frontier.Waiting() >= commitEvents {
		return true
	}
	e := l.sweep.edits[0]
	if e.isOpen && e.Kind == Restore {
		return len(l.frontier.Restores()) > 0
	}
	open := l.frontier.Edits()
	return e.isOpen && len(open) > 0 && open[0].Seq > l.onDisk
}

// carryOut does a slice of the first edit, when it is time.
func (l *loop) carryOut() error {
	s := &l.sweep
	if !s.isOpen() || !l.mayEdit() || l.sweepWaits() || !l.resting && l.now().Before(s.until) {
		return nil
	}
	began := time.Now()
	e := s.edits[0]
	var err error
	if e.isOpen {
		err = l.slice(e)
	} else {
		err = l.open(e)
	}
	if err != nil {
		return err
	}
	l.touch()
	s.until = l.now().Add(sweepShare * time.Since(began))
	if l.isThrough(e) {
		s.edits = s.edits[1:]
		if e.asked != nil {
			e.asked.seq = l.frontier.Seq()
			l.counter.durable = append(l.counter.durable, e.asked)
		}
		l.log.Info("the queue was edited by the user", "edit", string(e.Kind), "host", e.Host, "match", e.Match, "addresses", e.edited.Addresses)
	}
	return nil
}

// open appends the wish of the user.
func (l *loop) open(e *editing) (err error) {
	e.isOpen, e.seq = true, l.frontier.Seq()+1
	switch e.Kind {
	case Drop:
		return l.frontier.OpenDrop(e.Predicate, l.now())
	case Retry:
		return l.frontier.OpenRetry(e.Predicate, l.now())
	}
	return l.frontier.Unpark(storage.Restore{Host: e.Host, Match: e.Match}, l.now())
}

// isThrough tells whether an edit is carried out to its end.
func (l *loop) isThrough(e *editing) bool {
	switch {
	case !e.isOpen:
		return false
	case e.Kind == Restore:
		return len(l.frontier.Restores()) == 0
	}
	return !slices.ContainsFunc(l.frontier.Edits(), func(o frontier.OpenEdit) bool { return o.Seq == e.seq })
}

func (l *loop) slice(e *editing) error {
	open := l.frontier.Edits()
	if e.Kind == Restore || len(open) == 0 {
		return nil // it is through
	}
	if e.Kind == Drop {
		return l.dropSlice(e, &open[0])
	}
	return l.retrySlice(e, &open[0])
}

// jobsBegin is where the jobs of a host begin, from one on; isOver: there are none
// behind. No name is for all hosts.
func (l *loop) jobsBegin(host string, from storage.JobID) (begin storage.JobID, isOver bool) {
	if host == "" {
		return from, false
	}
	id, ok := l.frontier.HostNumber(host)
	if !ok || from.Host > id {
		return from, true
	}
	if from.Host < id {
		from = storage.JobID{Host: id}
	}
	return from, false
}

// dropSlice drops some of the jobs.
func (l *loop) dropSlice(e *editing, open *frontier.OpenEdit) error {
	from, isOver := l.jobsBegin(e.Host, open.Job)
	var jobs []frontier.QueuedJob
	next, more := from, false
	if !isOver {
		jobs, next, more = l.frontier.JobsFrom(l.sweep.jobs[:0], from, sweepJobs)
		_, isOver = l.jobsBegin(e.Host, next)
		more = more && !isOver
	}
	l.sweep.jobs = jobs
	var dropped []frontier.Dropped
	err := l.file.View(func(r *storage.Reader) error {
		var with storage.FoundReader
		for i := range jobs {
			j := &jobs[i]
			if j.Seq > open.Upto || !e.wish.onHost(j.Host) {
				continue
			}
			found, err := j.Found(r, &with)
			switch {
			case err != nil:
				return err
			case !e.wish.matches(found.URL):
			case j.IsOut:
				e.edited.InFlight++
				l.sweep.unwanted[j.ID] = true
			default:
				dropped = append(dropped, frontier.Dropped{ID: j.ID, Found: found})
				e.edited.name(found.URL)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	n, err := l.frontier.Drop(dropped, next, !more, l.now())
	e.edited.Addresses += uint64(n)
	return err
}

// retrySlice reopens some of the outcomes.
func (l *loop) retrySlice(e *editing, open *frontier.OpenEdit) error {
	var visits []storage.Reopened
	reached := open.Done
	return l.file.View(func(r *storage.Reader) error {
		err := r.Scan(open.Done+1, func(seq uint64, event []byte) (bool, error) {
			if seq > open.Upto {
				reached = open.Upto
				return false, nil
			}
			reached = seq
			v, ok, err := e.wish.reopens(r, seq, l.onDisk, event)
			if err != nil {
				return false, err
			}
			if ok {
				url := string(v.URL)
				e.edited.name(url)
				visits = append(visits, storage.Reopened{
					Seq: seq, Host: v.Job.Host, HTTPS: strings.HasPrefix(url, "https:"), Depth: v.Origin.Depth,
					Outcome: v.Outcome, Class: v.Class, Lane: l.treat.of(url).lane,
				})
			}
			return seq-open.Done < sweepEvents, nil
		})
		if err != nil {
			return err
		}
		if reached == open.Done {
			reached = open.Upto
		}
		n, err := l.frontier.Reopen(r, visits, reached, l.now())
		e.edited.Addresses += uint64(n)
		return err
	})
}

// restored notes that an address comes back that was parked.
func (s *sweep) restored(url string) {
	if s.isOpen() && s.edits[0].isOpen && s.edits[0].Kind == Restore {
		s.edits[0].edited.Addresses++
		s.edits[0].edited.name(url)
	}
}

// name takes an address as an example, while there are few.
func (e *Edited) name(url string) {
	if len(e.Examples) < editExamples {
		e.Examples = append(e.Examples, strings.Clone(url))
	}
}

// wish is a predicate that is ready for use.
type wish struct {
	storage.Predicate
	re      *regexp.Regexp // nil: any
	classes map[storage.Class]bool
	blocked bool // outcomes that are blocked
	any     bool // whatever failed or was blocked
}

// Blocked is the word for the outcome blocked among the classes of a Predicate.
const Blocked = "blocked"

func newWish(p storage.Predicate) (wish, error) {
	w := wish{Predicate: p, classes: map[storage.Class]bool{}, any: len(p.Classes) == 0 && len(p.Statuses) == 0}
	if p.Match != "" {
		if err := checkRE(p.Match); err != nil {
			return w, &QueryError{err}
		}
		w.re = regexp.MustCompile(p.Match)
	}
	for _, word := range p.Classes {
		class, ok := storage.ParseClass(word)
		switch {
		case word == Blocked:
			w.blocked = true
		case !ok || class == storage.NoClass:
			return w, queryErrorf("there is no error class %q", word)
		default:
			w.classes[class] = true
		}
	}
	for _, s := range p.Statuses {
		if s.From > s.To || s.To < 400 || s.To > 999 {
			return w, queryErrorf("%d to %d are no statuses of what failed", s.From, s.To)
		}
	}
	return w, nil
}

func (w *wish) onHost(host string) bool { return w.Host == "" || w.Host == host }

func (w *wish) matches(url string) bool { return w.re == nil || w.re.MatchString(url) }

// reopens tells whether the outcome of a visit is one to be reopened. last is the
// last event on disk.
func (w *wish) reopens(r *storage.Reader, seq, last uint64, event []byte) (v storage.VisitHead, ok bool, err error) {
	if storage.KindOf(event) != storage.KindVisit {
		return v, false, nil
	}
	if v, err = storage.DecodeVisitHead(event); err != nil {
		return v, false, err
	}
	if v.Outcome != storage.Failed && v.Outcome != storage.Blocked {
		return v, false, nil
	}
	switch at := v.Time + int64(v.Took); {
	case w.Since != 0 && at < w.Since, w.Until != 0 && at > w.Until:
		return v, false, nil
	case !w.any && !w.names(&v):
		return v, false, nil
	}
	url := weburl.URL(v.URL)
	return v, w.onHost(url.Host()) && w.matches(string(url)) && !r.IsReopened(seq, last), nil
}

// names tells whether an outcome is of the classes or statuses.
func (w *wish) names(v *storage.VisitHead) bool {
	if v.Outcome == storage.Blocked {
		return w.blocked
	}
	return w.classes[v.Class] || slices.ContainsFunc(w.Statuses, func(s storage.StatusRange) bool {
		return s.From <= v.Status && v.Status <= s.To
	})
}

// resumed are the edits that earlier runs did not carry out to their end.
func (l *loop) resumed() error {
	for _, u := range l.frontier.Restores() {
		e := &editing{
			Edit:   Edit{Kind: Restore, Predicate: storage.Predicate{Host: u.Host, Match: u.Match}},
			isOpen: true, seq: u.Seq, edited: new(Edited),
		}
		l.sweep.edits = append(l.sweep.edits, e)
	}
	for _, open := range l.frontier.Edits() {
		e := &editing{
			Edit: Edit{Kind: Drop, Predicate: open.Predicate}, isOpen: true, seq: open.Seq, edited: &Edited{Addresses: open.Changed},
		}
		if open.Kind == storage.EditRetry {
			e.Kind = Retry
		}
		var err error
		if e.wish, err = newWish(open.Predicate); err != nil {
			return fmt.Errorf("%w: event %d: %w", storage.ErrDamaged, open.Seq, err)
		}
		l.sweep.edits = append(l.sweep.edits, e)
	}
	slices.SortFunc(l.sweep.edits, func(a, b *editing) int { return cmp.Compare(a.seq, b.seq) })
	return nil
}

// ErrTooManyEdits is the error of an Edit while very many wait for their turn.
var ErrTooManyEdits = errors.New("too many edits wait for their turn")

// Edit changes the queue as the user wants it, and returns when that is on disk.
// It is carried out in slices, beside the crawl, one edit after the other, and goes
// on when ctx is cancelled. What has begun when the run ends goes on with the next
// one; what has not is forgotten. Both are ErrOver to who waits.
func (c *Crawl) Edit(ctx context.Context, e Edit) (*Edited, error) {
	w, err := newWish(e.Predicate)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Kind != Drop && e.Kind != Restore && e.Kind != Retry:
		return nil, queryErrorf("the queue cannot be told to %q, but to drop, restore or retry", string(e.Kind))
	case e.Kind == Drop && e.Host == "" && e.Match == "":
		return nil, queryErrorf("name what to drop: a host or a regular expression; . drops everything that is queued")
	case e.Kind != Retry && !(w.any && w.Since == 0 && w.Until == 0):
		return nil, queryErrorf("only retry is about error classes, statuses and times")
	}
	doing := &editing{Edit: e, wish: w, edited: &Edited{Examples: []string{}}}
	if e.DryRun || e.Kind == Restore {
		would, isBusy, err := c.foresee(ctx, &e, &w)
		if err != nil || e.DryRun {
			return would, err
		}
		if !isBusy && would.Patterns == 0 && would.Addresses == 0 {
			return would, nil // such a wish would only keep traps from being parked
		}
		doing.edited.Patterns = would.Patterns
	}
	if err := c.carryOut(ctx, doing); err != nil {
		return nil, err
	}
	return doing.edited, nil
}

// carryOut has the loop carry out an edit, and waits for it.
func (c *Crawl) carryOut(ctx context.Context, e *editing) error {
	e.asked = &question{done: make(chan error, 1), later: true}
	e.asked.do = func(l *loop) error {
		switch {
		case l.stopping:
			return ErrOver
		case l.file.IsReadOnly():
			return storage.ErrReadOnly
		case len(l.sweep.edits) >= editsAtMost:
			return ErrTooManyEdits
		}
		l.sweep.edits = append(l.sweep.edits, e)
		return nil
	}
	return c.put(ctx, e.asked)
}

// foresee tells what an edit would come to. isBusy: others are being carried out,
// that what it would come to may depend on.
func (c *Crawl) foresee(ctx context.Context, e *Edit, w *wish) (edited *Edited, isBusy bool, err error) {
	edited = &Edited{Examples: []string{}}
	switch err = c.do(ctx, func(l *loop) error { isBusy = l.sweep.isOpen(); return nil }); {
	case err != nil:
	case e.Kind == Drop:
		err = c.foreseeDrop(ctx, w, edited)
	case e.Kind == Retry:
		err = c.walk(ctx, func(r *storage.Reader, seq, last uint64, event []byte) error {
			v, ok, err := w.reopens(r, seq, last, event)
			if ok && err == nil {
				edited.Addresses++
				edited.name(string(v.URL))
			}
			return err
		}, nil)
	default:
		err = c.foreseeRestore(ctx, e, w, edited)
	}
	if err != nil {
		return nil, false, err
	}
	return edited, isBusy, nil
}

func (c *Crawl) foreseeDrop(ctx context.Context, w *wish, edited *Edited) error {
	for j, err := range c.jobsOf(ctx, w.Host, storage.JobID{}) {
		switch {
		case err != nil:
			return err
		case !w.matches(j.Found.URL):
		case j.IsOut:
			edited.InFlight++
		default:
			edited.Addresses++
			edited.name(j.Found.URL)
		}
	}
	return nil
}

// walk calls read for the events that are on disk, in short transactions, and flush
// after each of them, if it is not nil.
func (c *Crawl) walk(ctx context.Context, read func(r *storage.Reader, seq, last uint64, event []byte) error, flush func() error) error {
	last := uint64(0)
	err := c.file.View(func(r *storage.Reader) error { last = r.Last(); return nil })
	if err != nil {
		return err
	}
	for from := uint64(1); from <= last; {
		began, start, size := time.Now(), from, 0
		err := c.file.View(func(r *storage.Reader) error {
			return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
				if seq > last {
					return false, nil
				}
				from = seq + 1
				size += len(event)
				return from-start < sweepEvents && size < sliceBytes, read(r, seq, last, event)
			})
		})
		if err != nil {
			return err
		}
		if from == start {
			return nil
		}
		took := time.Since(began)
		if flush != nil {
			if err := flush(); err != nil {
				return err
			}
		}
		if err := c.pause(ctx, took); err != nil {
			return err
		}
	}
	return nil
}

// Patience is for how many times as long as a piece of work took that others have
// the process do the next one should wait: more while the crawl is busy, none when
// it rests. It may be called concurrently.
func (c *Crawl) Patience() float64 {
	live := c.live.Load()
	switch p := c.Progress(); {
	case live == nil:
		return 0
	case p.InFlight*2 >= live.Workers:
		return 9
	}
	return 2
}

// longestPause bounds a pause, should the machine have slept.
const longestPause = time.Second

// pause leaves the processor to the crawl after work that took so long.
func (c *Crawl) pause(ctx context.Context, took time.Duration) error {
	d := min(time.Duration(c.Patience()*float64(took)), longestPause)
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
