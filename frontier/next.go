package frontier

import (
	"fmt"
	"slices"
	"time"

	"pawl/storage"
)

const never = int64(1<<63 - 1)

// wake puts the host where it belongs among those that have something to hand out.
func (f *Frontier) wake(h *host) {
	h.calm()
	at := f.when(h)
	if p := f.paceOf(h); at != never && p != h.pace {
		f.waiting[h.pace].set(h, never)
		h.pace = p
	}
	f.waiting[h.pace].set(h, at)
}

// when is the earliest time at which the host has something to hand out.
func (f *Frontier) when(h *host) int64 {
	at := never
	gate := f.gate(h)
	ord, queued := h.queue.peek()
	if h.lost() != storage.NoClass {
		// Its jobs need no request.
		if queued || h.nextRetry() != nil || len(h.errands()) > 0 {
			return 0
		}
		return never
	}
	if int(h.out) >= f.options.PerHost || h.starting != 0 {
		return never
	}
	errands := h.errands()
	for i := range errands {
		at = min(at, max(gate, f.due(&errands[i])))
		if at == gate {
			break // not sooner; there may be very many
		}
	}
	if !f.pagesLeft(h) {
		return at
	}
	if r := h.nextRetry(); r != nil {
		at = min(at, f.originGate(h, r.https, max(gate, r.due)))
	}
	if queued {
		if p, err := h.queue.find(ord); err == nil {
			at = min(at, f.originGate(h, p.https, gate))
		}
	}
	return at
}

func (f *Frontier) pagesLeft(h *host) bool {
	n := f.options.MaxPagesPerHost
	return n == 0 || int(h.fetched)+int(h.outPages) < n || h.lost() != storage.NoClass
}

// originGate is when a job of the origin may be handed out, given when its
// host allows it.
func (f *Frontier) originGate(h *host, https bool, gate int64) int64 {
	if f.options.IgnoreRobots {
		return gate
	}
	o := h.origin(https)
	switch {
	case o.busy:
		return never // its commit wakes the host
	case o.isGivenUp():
		return 0
	}
	return gate
}

// Next hands out a job that may start at the given time; ok is false when
// there is none now, see Wake. It writes nothing: the reader is for the text of
// the job's address. Every job that Next gives must be given to Release once,
// and then to Finish, Retry, Robots or Withdraw, unless the run ends first.
func (f *Frontier) Next(now time.Time, r *storage.Reader) (j Job, ok bool, err error) {
	at := now.UnixNano()
	f.lookedAt = at
	if ok, err := f.nextDeferred(at, r, &j); ok || err != nil {
		return j, ok, err
	}
	for h := f.nextHost(at); h != nil; h = f.nextHost(at) {
		ok, err := f.pick(h, at, r, &j)
		if err != nil {
			return Job{}, false, err
		}
		f.wake(h)
		if ok {
			return j, true, nil
		}
	}
	// Perhaps all that is left has just been put off.
	ok, err = f.nextDeferred(at, r, &j)
	return j, ok, err
}

// pick chooses the host's next job. It gives none when the robots.txt of the
// host must be asked for first and that belongs to a later time.
func (f *Frontier) pick(h *host, at int64, r *storage.Reader, j *Job) (bool, error) {
	gate := f.gate(h)
	errands := h.errands()
	for i := range errands {
		if max(gate, f.due(&errands[i])) <= at || h.lost() != storage.NoClass {
			f.handErrand(h, i, at, j)
			return true, nil
		}
	}
	if t := h.nextRetry(); t != nil && f.pagesLeft(h) {
		id := storage.JobID{Host: h.id, Ord: t.ord}
		if f.originGate(h, t.https, max(gate, t.due)) <= at || h.lost() != storage.NoClass {
			if f.needsRobots(h, t.https, at) {
				return false, nil
			}
			h.trouble.retries.remove(t)
			if f.putOff(h, id, t.place, at) {
				return false, nil
			}
			j.Attempt, j.Hops, j.Raw = t.attempt+1, t.hops, t.raw
			return true, f.hand(h, id, t.place, at, r, j)
		}
	}
	ord, ok := h.queue.peek()
	if !ok || !f.pagesLeft(h) {
		return false, nil
	}
	p, err := h.queue.find(ord)
	if err != nil {
		return false, fmt.Errorf("%w: %w", storage.ErrDamaged, err)
	}
	if f.originGate(h, p.https, gate) > at && h.lost() == storage.NoClass {
		return false, nil
	}
	if f.needsRobots(h, p.https, at) {
		return false, nil
	}
	h.queue.take()
	j.Attempt = 1
	id := storage.JobID{Host: h.id, Ord: ord}
	if f.putOff(h, id, p, at) {
		return false, nil
	}
	return true, f.hand(h, id, p, at, r, j)
}

// needsRobots makes an errand of the origin's robots.txt when it is not known
// or too old.
func (f *Frontier) needsRobots(h *host, https bool, at int64) bool {
	if f.options.IgnoreRobots || h.lost() != storage.NoClass {
		return false
	}
	o := h.origin(https)
	switch {
	case o.busy:
		return true
	case o.isGivenUp():
		return false
	case o.isKnown() && (at < o.expires || o.fresh):
		// It serves one job even when the gap of the host is longer than its
		// life: else none would ever be handed out.
		return false
	}
	o.busy = true
	f.addErrand(h, errand{id: h.robotsJob(https), url: h.robotsURL(https)})
	return true
}

func (f *Frontier) handErrand(h *host, i int, at int64, j *Job) {
	t := h.trouble
	e := t.errands[i]
	t.errands = slices.Delete(t.errands, i, i+1)
	owner := f.hosts.at(e.id.Host)
	o := owner.unsettled(e.id.Ord == storage.OrdRobotsHTTPS)
	*j = Job{
		ID: e.id, Robots: true, Host: owner.name, Asked: h.name, asked: h.id,
		Attempt: o.attempt + 1, Hops: o.hops, Found: storage.Found{URL: e.url}, GaveUp: h.lost(),
	}
	f.handOut(h, at, j)
}

// hand fills the job from the log.
func (f *Frontier) hand(h *host, id storage.JobID, p place, at int64, r *storage.Reader, j *Job) error {
	found, err := f.found.Decode(r.Event(p.seq), int(p.index))
	if err != nil {
		return fmt.Errorf("job %d of host %s: %w", id.Ord, h.name, err)
	}
	hops := j.Hops
	*j = Job{
		ID: id, Host: h.name, Asked: h.name, asked: id.Host, Raw: j.Raw, Attempt: j.Attempt,
		Hops: max(found.Hops, hops), Found: found, GaveUp: h.lost(), GaveUpBy: h.gaveUpBy(),
	}
	if !f.options.IgnoreRobots && j.GaveUp == storage.NoClass {
		o := h.origin(p.https)
		j.Rules, o.fresh = o.copy, false
		if o.isGivenUp() {
			u := h.unsettled(p.https)
			j.GaveUp, j.GaveUpBy = u.gaveUp(), u.by
		}
	}
	f.handOut(h, at, j)
	return nil
}

// handOut takes the host's slot and marks the job.
func (f *Frontier) handOut(h *host, at int64, j *Job) {
	mark := &storage.Mark{Job: j.ID}
	if m, ok := f.suspects[j.ID]; ok {
		*mark = m
		j.Careful = true
		j.Condemned = isCondemned(m)
		if j.Alone = f.runsAlone(j, m, at); j.Alone {
			j.Within = timeAlone(j, m)
		}
	}
	if f.careful > 0 {
		f.careful--
		j.Careful = true
	}
	f.out[j.ID] = mark
	h.out++
	if j.pace = f.paceOf(h); f.spared[j.ID] {
		j.pace = paceSlow
	}
	f.outBy[j.pace]++
	if !j.Robots {
		h.outPages++
	}
	if j.GaveUp != storage.NoClass || j.Condemned {
		return
	}
	h.slot, j.slot = at, at
	if h.rests && f.rests[h.id] <= at {
		h.rests = false
		delete(f.rests, h.id)
	}
	if f.options.PerHost > 1 && h.gap(&f.options) > 0 {
		// The next one may start while this one still runs: its gap counts
		// from when this one is really sent.
		f.tellSent(h, j)
	}
}

// tellSent has the host wait until the job is really sent.
func (f *Frontier) tellSent(h *host, j *Job) {
	f.starts = max(f.starts+1, 1)
	h.starting, j.start, j.TellSent = f.starts, f.starts, true
}

// Delay has the host of a job, which Next has just handed out, rest for at least
// the gap after the job's request, also after a restart: the next request goes
// out after that or after the host's own gap, whichever is longer. The job has
// TellSent from then on. A job that makes no request brings no rest. More than a
// day is taken as a day.
func (f *Frontier) Delay(j *Job, gap time.Duration) {
	if gap <= 0 || j.GaveUp != storage.NoClass || j.Condemned {
		return
	}
	j.rest = int64(min(gap, maxHold))
	if !j.TellSent {
		h := f.hosts.at(j.asked)
		f.tellSent(h, j)
		f.wake(h)
	}
}

// begun notes that the request of a job went out.
func (f *Frontier) begun(h *host, j *Job, at int64) {
	h.sent = max(h.sent, at)
	if j.rest > 0 {
		h.rests = true
		f.rests[h.id] = max(f.rests[h.id], at+j.rest)
	}
}

// Sent tells that the request of a job with TellSent has gone out.
func (f *Frontier) Sent(j *Job, at time.Time) {
	h := f.hosts.at(j.asked)
	if j.start == h.starting {
		h.starting = 0
	}
	f.begun(h, j, at.UnixNano())
	f.wake(h)
}

// RunsAlone marks a job as running alone, to be called right before the Seal
// that precedes its start.
func (f *Frontier) RunsAlone(j *Job) { f.alone = f.out[j.ID] }

// Arrival is when the host had a request in its hands, as far as can be told:
// the gap to the next counts from then, so that the host sees no shorter one.
// It is by the first byte of the answer at the latest, which came answered
// after the request was sent; more than a few milliseconds are the host's own.
func (f *Frontier) Arrival(j *Job, sent time.Time, answered time.Duration) time.Time {
	if sent.IsZero() {
		return sent
	}
	gap := max(f.hosts.at(j.asked).gap(&f.options), time.Duration(j.rest))
	return sent.Add(min(answered, maxTransit, gap/transitPart))
}

// Release tells that a job's exchange is over, or was never begun, so that its
// host may be asked again. sent is when the request went out, zero when none
// did.
func (f *Frontier) Release(j *Job, sent time.Time) {
	h := f.hosts.at(j.asked)
	h.out--
	f.outBy[j.pace]--
	isLatest := h.starting != 0 && j.start == h.starting
	if isLatest {
		h.starting = 0
	}
	switch {
	case !sent.IsZero():
		f.begun(h, j, sent.UnixNano())
	case isLatest || h.slot == j.slot || h.out == 0:
		// No request was made: it costs no delay.
		h.slot = 0
	}
	f.wake(h)
}

// HasServed tells whether a page was ever fetched from the host that a job asks.
func (f *Frontier) HasServed(j *Job) bool { return f.hosts.at(j.asked).fetched > 0 }

// Took is how long the last answer of the host took that a job asks, in milliseconds.
func (f *Frontier) Took(j *Job) uint32 { return f.hosts.at(j.asked).took }

// Wake is when the next job may be handed out; ok is false when there is none
// to wait for.
func (f *Frontier) Wake() (at time.Time, ok bool) {
	next := f.nextTurn()
	for _, id := range f.deferred {
		next = min(next, f.deferredAt(id))
	}
	if next == never {
		return time.Time{}, false
	}
	return time.Unix(0, next), true
}

// Asleep is the number of hosts that have something to hand out but not yet.
func (f *Frontier) Asleep(now time.Time) int {
	n := 0
	for p := range f.waiting {
		q := f.waiting[p]
		n += len(q) - q.dueUpTo(now.UnixNano(), len(q))
	}
	return n
}

// Out is the number of jobs that are handed out and neither finished nor
// retried.
func (f *Frontier) Out() int { return len(f.out) }

// leastLeft looks at some hosts more, and renews the count when it has come
// round: the least time that what is pending will take is that of the longest
// host queue times the shortest that its gap may become, after its hold.
func (f *Frontier) leastLeft(at int64) {
	if f.counts.Pending == 0 {
		f.counts.LeastLeft, f.leftNext, f.leftLongest = 0, 0, 0
		return
	}
	end := min(f.hosts.n, f.leftNext+leftPerSeal)
	for ; f.leftNext < end; f.leftNext++ {
		h := f.hosts.at(uint32(f.leftNext))
		if h.left > 0 && h.lost() == storage.NoClass {
			hold := time.Duration(max(h.hold()-at, 0))
			f.leftLongest = max(f.leftLongest, hold+time.Duration(h.left)*h.leastGap(&f.options))
		}
	}
	if f.leftNext == f.hosts.n {
		f.counts.LeastLeft = f.leftLongest.Milliseconds()
		f.leftNext, f.leftLongest = 0, 0
	}
}
