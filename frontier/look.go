package frontier

import (
	"fmt"
	"time"

	"pawl/storage"
)

// HostLook is how a host stands.
type HostLook struct {
	Name    string
	Pending int // jobs without an outcome
	Out     int // requests in flight, or about to be
	Fetched int
	Gap     time.Duration // between requests, as of now
	Least   time.Duration // that Gap may become
	Took    time.Duration // the last answer
	Penalty int           // how many times the gap is doubled
	Until   time.Time     // when it may be asked next; zero: now, or when what it waits for comes
	Wait    Wait
	GaveUp  storage.Class // with WaitLost
}

// Wait is what a host waits for.
type Wait uint8

const (
	WaitNothing Wait = iota // it has no jobs
	WaitWorker              // its turn has come
	WaitGap                 // until the gap since the last request is over
	WaitHold                // it asked to be left alone until then
	WaitRetry               // for the next attempt of what failed
	WaitRobots              // for its robots.txt
	WaitAnswer              // for the requests in flight: no more connections may be open
	WaitLimit               // for nothing: as many of its pages are fetched as may be
	WaitLost                // it was given up: its jobs finish without a request
	waits
)

var waitNames = [waits]string{"nothing", "worker", "gap", "hold", "retry", "robots", "answer", "limit", "lost"}

// String is the word for it: "gap".
func (w Wait) String() string {
	if w < waits {
		return waitNames[w]
	}
	return fmt.Sprintf("wait(%d)", uint8(w))
}

// Hosts calls do for at most n hosts from number from on, and gives the number to
// go on from; more is false when there are none behind. What do receives is valid
// during the call.
func (f *Frontier) Hosts(from, n int, now time.Time, do func(*HostLook)) (next int, more bool) {
	at := now.UnixNano()
	var look HostLook
	end := min(f.hosts.n, from+n)
	for ; from < end; from++ {
		f.look(f.hosts.at(uint32(from)), at, &look)
		do(&look)
	}
	return from, from < f.hosts.n
}

// HostNamed tells how a host stands; ok is false when it is not known.
func (f *Frontier) HostNamed(name string, now time.Time) (look HostLook, ok bool) {
	h := f.hosts.find(name)
	if h == nil {
		return look, false
	}
	f.look(h, now.UnixNano(), &look)
	return look, true
}

func (f *Frontier) look(h *host, now int64, look *HostLook) {
	*look = HostLook{
		Name: h.name, Pending: int(h.left), Out: int(h.out), Fetched: int(h.fetched), Penalty: int(h.penalty),
		Gap: h.gap(&f.options), Least: h.leastGap(&f.options), Took: time.Duration(h.took) * time.Millisecond,
	}
	n := f.wait(h)
	if look.Wait = n.wait; n.wait == WaitLost {
		look.GaveUp = n.gaveUp
		return
	}
	switch n.at {
	case never:
	default:
		if n.at <= now {
			look.Wait = WaitWorker
			return
		}
		look.Until = time.Unix(0, n.at)
	}
}

// turnOf is when a host may be asked next, never when that is not a matter of
// time, and what it waits for until then.
type turnOf struct {
	at     int64
	wait   Wait
	gaveUp storage.Class
}

func (t *turnOf) sooner(at int64, wait Wait) {
	if at < t.at {
		t.at, t.wait = at, wait
	}
}

// wait tells why the host's turn is when it is, see when.
func (f *Frontier) wait(h *host) turnOf {
	errands := h.errands()
	if h.left == 0 && len(errands) == 0 {
		if h.out > 0 {
			return turnOf{at: never, wait: WaitAnswer}
		}
		return turnOf{at: never, wait: WaitNothing}
	}
	if class := h.lost(); class != storage.NoClass {
		return turnOf{wait: WaitLost, gaveUp: class}
	}
	if int(h.out) >= f.options.PerHost || h.starting != 0 {
		return turnOf{at: never, wait: WaitAnswer}
	}
	gate, reason := f.gate(h), WaitGap
	if gate == h.hold() {
		reason = WaitHold
	}
	n := turnOf{at: never}
	later := func(due int64, wait Wait) {
		if due > gate {
			n.sooner(due, wait)
		} else {
			n.sooner(gate, reason)
		}
	}
	for i := range errands {
		if later(f.due(&errands[i]), WaitRobots); n.at == gate {
			break
		}
	}
	if !f.pagesLeft(h) {
		if n.at == never {
			n.wait = WaitLimit
		}
		return n
	}
	isWanted := false // some job waits for nothing but its robots.txt
	page := func(https bool, due int64) {
		switch {
		case !f.options.IgnoreRobots && h.origin(https).busy:
			isWanted = true
		case f.originGaveUp(h, https):
			u := h.unsettled(https)
			n = turnOf{wait: WaitLost, gaveUp: u.gaveUp()}
		default:
			later(due, WaitRetry)
		}
	}
	if r := h.nextRetry(); r != nil {
		page(r.https, r.due)
	}
	if ord, queued := h.queue.peek(); queued && n.wait != WaitLost {
		if p, err := h.queue.find(ord); err == nil {
			page(p.https, 0)
		}
	}
	if n.at != never {
		return n
	}
	n.wait = WaitWorker // what it has is not on disk yet
	switch {
	case isWanted:
		n.wait = WaitRobots
	case h.out > 0 || h.outPages > 0:
		n.wait = WaitAnswer
	}
	for _, id := range f.deferred {
		if id.Host == h.id {
			n.sooner(f.deferredAt(id), WaitRetry)
		}
	}
	return n
}
