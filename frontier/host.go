package frontier

import (
	"container/heap"
	"math"
	"time"

	"pawl/storage"
)

// host is everything that is known of one host: a name with its port, when
// that is not the default. Its queue, retries and the fields marked "folded"
// follow from the log; the others are of this run.
//
// Times are Unix nanoseconds of the crawl's own clock.
type host struct {
	id      uint32 // folded
	name    string
	queue   queue           // folded
	origins *[2]origin      // folded; http and https; nil: nothing known
	retries []storage.JobID // by due time, those that are not out; see Frontier.retries
	errands []errand        // robots.txt files to ask this host for

	lastSent      int64         // folded; when the last request went out
	hold          int64         // folded; not to be asked before
	throttleSince int64         // folded; first of the throttled answers running
	left          uint32        // folded; unfinished jobs
	took          uint32        // folded; milliseconds the last answer took
	fetched       uint32        // folded; jobs with outcome fetched
	throttles     uint16        // folded; throttled answers running
	good          uint16        // folded; other answers running
	penalty       uint8         // folded; how many times the gap is doubled
	gaveUp        storage.Class // folded
	gaveUpUntil   int64         // folded
	gaveUpBy      uint64        // folded; seq of the event that says why
	alive         bool          // folded; it has answered at least once
	pardoned      bool          // that was over when this run began

	sent     int64 // when the last request went out, or may have before an unclean end
	slot     int64 // when a job was handed out that may be sending, 0: none
	heap     int32 // place in the heap, -1: not in it
	out      uint16
	outPages uint16 // jobs that may become fetched pages: out, or over and not finished
	// A request was handed out and is not known to have gone out yet.
	starting   storage.JobID
	isStarting bool
}

// origin is what is known of the robots.txt of one scheme of a host.
type origin struct {
	state   storage.RobotsState
	busy    bool // an errand is under way: nothing else is handed out
	fresh   bool // of this run: learned, and no job has used it yet
	attempt uint8
	hops    uint8
	class   storage.Class // with RobotsGivenUp
	until   int64         // with RobotsGivenUp
	by      uint64        // with RobotsGivenUp; seq of the event that says why
	// pardoned: given up, but that was over when this run began.
	pardoned bool
	copy     uint64 // seq of the event with the last text, 0: none
	expires  int64
	delay    uint32 // Crawl-delay in milliseconds
	due      int64
	next     string // where it stands instead
}

// errand is a robots.txt to ask for, on behalf of an origin that may be of
// another host.
type errand struct {
	id  storage.JobID // of the origin
	url string
	due int64
}

func (h *host) origin(https bool) *origin {
	if h.origins == nil {
		h.origins = new([2]origin)
	}
	return &h.origins[index(https)]
}

// GivenUpFor is how long a host that is given up is not asked again by later
// runs.
const GivenUpFor = time.Hour

// lost is the class for which the host is given up.
func (h *host) lost() storage.Class {
	if h.pardoned {
		return storage.NoClass
	}
	return h.gaveUp
}

func (o *origin) isGivenUp() bool { return o.state == storage.RobotsGivenUp && !o.pardoned }

// isKnown tells whether the robots.txt was had, or found not to be there.
func (o *origin) isKnown() bool {
	return o.state == storage.RobotsRules || o.state == storage.RobotsAllow
}

// pardon lets the host be asked again when it was given up long ago.
func (h *host) pardon(at int64) {
	h.pardoned = h.gaveUpUntil <= at
	if h.origins != nil {
		for i := range h.origins {
			h.origins[i].pardoned = h.origins[i].until <= at
		}
	}
}

// gaveUp is the class with which the jobs of an origin finish whose robots.txt
// could not be had. That its address is private is not the host's failing, and
// is said as it is.
func (o *origin) gaveUp() storage.Class {
	if o.class == storage.PrivateAddress {
		return o.class
	}
	return storage.Robots
}

func index(https bool) int {
	if https {
		return 1
	}
	return 0
}

const (
	minAdaptive = 100 * time.Millisecond
	maxAdaptive = 10 * time.Second
	maxGap      = 10 * time.Minute
	maxDelay    = 24 * time.Hour
	maxPenalty  = 8
	// What a request is taken to be on its way at most, see Arrival: also not
	// more than this part of the gap.
	maxTransit  = 10 * time.Millisecond
	transitPart = 10
	// goodAnswers running take one doubling of the gap back.
	goodAnswers = 20
	// A host that throttles this often running, over at least this long, is
	// given up, so that the crawl ends.
	throttlesToGiveUp = 10
	throttledFor      = 10 * time.Minute
	// No stored wait is longer, whatever the clock says.
	maxHold = 24 * time.Hour
)

// gap is the least time from one request's start to the next on the host.
func (h *host) gap(o *Options) time.Duration {
	gap := o.Delay
	if o.Adaptive {
		gap = min(max(time.Duration(h.took)*time.Millisecond, minAdaptive), maxAdaptive)
	}
	if h.origins != nil && !o.IgnoreRobots {
		delay := max(h.origins[0].delay, h.origins[1].delay)
		gap = max(gap, time.Duration(delay)*time.Millisecond)
	}
	if h.penalty > 0 {
		// A host that throttles is not asked without a gap, even when the
		// user wants none.
		slowed := max(gap, time.Second) << (h.penalty - 1)
		gap = max(gap, min(slowed, maxGap))
	}
	return gap
}

// gate is when politeness lets the next request go out. The gap is that of
// now: what was learned since the last request counts as well.
func (h *host) gate(o *Options) int64 {
	return max(max(h.sent, h.slot)+int64(h.gap(o)), h.hold)
}

// capWaits shortens stored waits that a jump of the clock has made too long.
func (h *host) capWaits(at int64) {
	latest := at + int64(maxHold)
	h.hold = min(h.hold, latest)
	h.gaveUpUntil = min(h.gaveUpUntil, latest)
	h.throttleSince = min(h.throttleSince, at)
	for i := range h.errands {
		h.errands[i].due = min(h.errands[i].due, latest)
	}
	if h.origins != nil {
		for i := range h.origins {
			o := &h.origins[i]
			o.expires, o.due, o.until = min(o.expires, latest), min(o.due, latest), min(o.until, latest)
		}
	}
}

// answered folds what an answer tells of the host's load.
func (h *host) answered(a *storage.Ask) {
	if !a.Asked {
		return
	}
	// Stored in whole milliseconds: round up, so as never to be early.
	h.lastSent = max(h.lastSent, (a.Time+1)*int64(time.Millisecond))
	h.took = a.Took
	h.hold = max(h.hold, a.Hold*int64(time.Millisecond))
	h.penalty = min(a.Penalty, maxPenalty)
	h.alive = h.alive || !a.Unreachable
	if a.Throttled || a.Unreachable {
		if h.throttles == 0 {
			h.throttleSince = a.Time * int64(time.Millisecond)
		}
		h.throttles = min(h.throttles+1, math.MaxUint16-1)
		h.good = 0
		return
	}
	h.throttles = 0
	h.good++
	if h.good >= goodAnswers {
		h.good = 0
	}
}

// judge decides what an answer means for the host: it fills Hold and Penalty,
// and tells whether the host is to be given up.
func (h *host) judge(a *storage.Ask, retryAfter time.Duration, o *Options) (giveUp bool) {
	a.Penalty = h.penalty
	if !a.Asked {
		return false
	}
	if !a.Throttled && !a.Unreachable {
		if h.good+1 >= goodAnswers && h.penalty > 0 {
			a.Penalty--
		}
		return false
	}
	if a.Unreachable && !h.alive {
		// It may never have been there: nothing to wait for.
		return h.throttles+1 >= throttlesToGiveUp
	}
	if a.Throttled && a.Penalty < maxPenalty {
		a.Penalty++
	}
	wait := min(max(retryAfter, h.gap(o), time.Second<<min(h.throttles, 6)), maxHold)
	a.Hold = a.Time + int64(a.Took) + wait.Milliseconds()
	since := h.throttleSince / int64(time.Millisecond)
	return h.throttles+1 >= throttlesToGiveUp && a.Time-since >= throttledFor.Milliseconds()
}

// turn is when a host may be asked again.
type turn struct {
	at   int64
	host *host
}

// hostHeap orders hosts by the time at which they may be asked again. A host
// knows its place in it.
type hostHeap []turn

func (q hostHeap) Len() int           { return len(q) }
func (q hostHeap) Less(i, j int) bool { return q[i].at < q[j].at }
func (q hostHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].host.heap, q[j].host.heap = int32(i), int32(j)
}

// Push implements heap.Interface. It is not called: boxing a turn would
// allocate, see set.
func (q *hostHeap) Push(any) { panic("frontier: hostHeap.Push") }

// Pop implements heap.Interface. It gives nothing, for the same reason.
func (q *hostHeap) Pop() any {
	last := len(*q) - 1
	(*q)[last].host.heap = -1
	(*q)[last] = turn{}
	*q = (*q)[:last]
	if cap(*q) > 1024 && last < cap(*q)/4 {
		*q = append(make(hostHeap, 0, cap(*q)/2), *q...)
	}
	return nil
}

// set puts the host where its time belongs; never takes it out.
func (q *hostHeap) set(h *host, at int64) {
	switch {
	case at == never && h.heap < 0:
	case at == never:
		heap.Remove(q, int(h.heap))
	case h.heap < 0:
		h.heap = int32(len(*q))
		*q = append(*q, turn{at, h})
		heap.Fix(q, int(h.heap))
	default:
		(*q)[h.heap].at = at
		heap.Fix(q, int(h.heap))
	}
}

// due counts the hosts whose time has come. It looks at no others but the
// next.
func (q hostHeap) due(at int64) int {
	n := 0
	open := make([]int, 1, 64) // place 0
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		if i < len(q) && q[i].at <= at {
			n++
			open = append(open, 2*i+1, 2*i+2)
		}
	}
	return n
}
