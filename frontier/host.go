package frontier

import (
	"container/heap"
	"math"
	"time"

	"pawl/storage"
)

// host is everything that is known of one host: a name with its port, when
// that is not the default. The fields marked "folded" follow from the log, and
// so do its retries and errands but for those that are out; the others are of
// this run. There may be very many hosts, most of them idle: what few need at
// a time is behind pointers.
//
// Times are Unix nanoseconds of the crawl's own clock.
type host struct {
	name    string    // folded
	queue   queue     // folded
	trouble *trouble  // nil: none
	origins [2]origin // folded; http and https

	lastSent  int64         // folded; when the last request went out
	sent      int64         // when the last request went out, or may have before an unclean end
	slot      int64         // when a job was handed out that may be sending, 0: none
	id        uint32        // folded
	left      uint32        // folded; unfinished jobs
	took      uint32        // folded; milliseconds the last answer took
	fetched   uint32        // folded; jobs with outcome fetched
	heap      int32         // place where it waits for its turn; -1: nowhere
	starting  uint32        // start of the job that was handed out and is not known to be sent yet, 0: none
	out       uint16        // jobs handed out and not released
	outPages  uint16        // jobs that may become fetched pages: out, or over and not finished
	throttles uint16        // folded; throttled answers running
	good      uint16        // folded; other answers running
	penalty   uint8         // folded; how many times the gap is doubled
	gaveUp    storage.Class // folded; see also trouble
	alive     bool          // folded; it has answered at least once
	pardoned  bool          // that it was given up was over when this run began
	rests     bool          // Frontier.rests says how long
	pace      pace          // of those among which it waits for its turn
	edited    uint8         // folded; what the oldest open edit has done here: editedHost, ...
}

// origin is what is known of the robots.txt of one scheme of a host.
type origin struct {
	copy     uint64              // folded; seq of the event with the last text, 0: none
	expires  int64               // folded
	delay    uint32              // folded; Crawl-delay in milliseconds
	state    storage.RobotsState // folded; see also unsettled
	busy     bool                // an errand is under way: nothing else is handed out
	fresh    bool                // of this run: learned, and no job has used it yet
	pardoned bool                // given up, but that was over when this run began
}

// trouble is what a host needs only while something waits to be asked again,
// or when it asked for a pause or was given up.
type trouble struct {
	retries retries  // those that wait; not those that are out or put off
	errands []errand // robots.txt files to ask this host for

	hold          int64        // folded; not to be asked before
	throttleSince int64        // folded; first of the throttled answers running
	gaveUpUntil   int64        // folded; with gaveUp
	gaveUpBy      uint64       // folded; with gaveUp: seq of the event that says why
	robots        [2]unsettled // folded; http and https
}

// unsettled is what is known of a robots.txt that is to be asked for again, or
// is given up.
type unsettled struct {
	due     int64         // folded
	next    string        // folded; where it stands instead
	attempt uint8         // folded
	hops    uint8         // folded
	class   storage.Class // folded; with RobotsGivenUp
	until   int64         // folded; with RobotsGivenUp
	by      uint64        // folded; with RobotsGivenUp: seq of the event that says why
}

// errand is a robots.txt to ask for, on behalf of an origin that may be of
// another host.
type errand struct {
	id  storage.JobID // of the origin
	url string
	due int64
}

func (h *host) origin(https bool) *origin { return &h.origins[index(https)] }

// inTrouble gives the host's trouble to be changed.
func (h *host) inTrouble() *trouble {
	if h.trouble == nil {
		h.trouble = new(trouble)
	}
	return h.trouble
}

// calm forgets the host's trouble when it is over.
func (h *host) calm() {
	t := h.trouble
	if t != nil && len(t.retries) == 0 && len(t.errands) == 0 && !t.isFolded() {
		h.trouble = nil
	}
}

// isFolded tells whether there is any trouble by the log, beside retries and
// errands.
func (t *trouble) isFolded() bool {
	return t.hold != 0 || t.throttleSince != 0 || t.gaveUpUntil != 0 || t.gaveUpBy != 0 || t.robots != [2]unsettled{}
}

func (h *host) errands() []errand {
	if h.trouble == nil {
		return nil
	}
	return h.trouble.errands
}

// nextRetry is the one that is due first of those that wait, nil: none.
func (h *host) nextRetry() *retry {
	if h.trouble == nil || len(h.trouble.retries) == 0 {
		return nil
	}
	return h.trouble.retries[0]
}

// hold is when the host allows to be asked, 0: it has not said so.
func (h *host) hold() int64 {
	if h.trouble == nil {
		return 0
	}
	return h.trouble.hold
}

func (h *host) unsettled(https bool) unsettled {
	if h.trouble == nil {
		return unsettled{}
	}
	return h.trouble.robots[index(https)]
}

// robotsJob is the job of asking for the robots.txt of a scheme.
func (h *host) robotsJob(https bool) storage.JobID {
	return storage.JobID{Host: h.id, Ord: storage.OrdRobotsHTTP + uint32(index(https))}
}

// originURL is the origin as the log names it.
func (h *host) originURL(https bool) string {
	return [2]string{"http://", "https://"}[index(https)] + h.name
}

// robotsURL is where the robots.txt of a scheme is to be asked for.
func (h *host) robotsURL(https bool) string {
	if next := h.unsettled(https).next; next != "" {
		return next
	}
	return h.originURL(https) + "/robots.txt"
}

// settleRobots ends what was to be done about a robots.txt.
func (h *host) settleRobots(https bool) {
	if h.trouble != nil {
		h.trouble.robots[index(https)] = unsettled{}
	}
}

// gaveUpBy is the seq of the event that says why the host is given up.
func (h *host) gaveUpBy() uint64 {
	if h.trouble == nil {
		return 0
	}
	return h.trouble.gaveUpBy
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
	h.pardoned = h.trouble == nil || h.trouble.gaveUpUntil <= at
	for i := range h.origins {
		h.origins[i].pardoned = h.trouble == nil || h.trouble.robots[i].until <= at
	}
}

// gaveUp is the class with which the jobs of an origin finish whose robots.txt
// could not be had. That its address is private is not the host's failing, and
// is said as it is.
func (u *unsettled) gaveUp() storage.Class {
	if u.class == storage.PrivateAddress {
		return u.class
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
	gap := h.usualGap(o)
	if h.penalty > 0 {
		// A host that throttles is not asked without a gap, even when the
		// user wants none.
		slowed := max(gap, time.Second) << (h.penalty - 1)
		gap = max(gap, min(slowed, maxGap))
	}
	return gap
}

// usualGap is the gap while the host does not throttle.
func (h *host) usualGap(o *Options) time.Duration {
	gap := o.Delay
	if o.Adaptive {
		gap = min(max(time.Duration(h.took)*time.Millisecond, minAdaptive), maxAdaptive)
	}
	if !o.IgnoreRobots {
		delay := max(h.origins[0].delay, h.origins[1].delay)
		gap = max(gap, time.Duration(delay)*time.Millisecond)
	}
	return gap
}

// leastGap is the shortest that the gap may become: answers may get faster.
func (h *host) leastGap(o *Options) time.Duration {
	if !o.Adaptive {
		return h.usualGap(o)
	}
	fixed := *o
	fixed.Adaptive, fixed.Delay = false, minAdaptive
	return h.usualGap(&fixed)
}

// gate is when politeness lets the next request go out. The gap is that of
// now: what was learned since the last request counts as well.
func (f *Frontier) gate(h *host) int64 {
	at := max(max(h.sent, h.slot)+int64(h.gap(&f.options)), h.hold())
	if h.rests {
		at = max(at, f.rests[h.id])
	}
	return at
}

// waitsTooLong tells whether a stored wait ends more than maxHold from now, as
// none can unless the clock has jumped.
func (f *Frontier) waitsTooLong(now time.Time) bool {
	at := now.UnixMilli() * int64(time.Millisecond)
	latest := at + int64(maxHold)
	for _, r := range f.retries {
		if r.due > latest {
			return true
		}
	}
	for h := range f.hosts.all() {
		if max(h.origins[0].expires, h.origins[1].expires) > latest {
			return true
		}
		if t := h.trouble; t != nil {
			most := max(t.hold, t.gaveUpUntil, t.robots[0].due, t.robots[0].until, t.robots[1].due, t.robots[1].until)
			if most > latest || t.throttleSince > at {
				return true
			}
		}
	}
	return false
}

// capWaits shortens stored waits that a jump of the clock has made too long.
func (h *host) capWaits(at int64) {
	latest := at + int64(maxHold)
	for i := range h.origins {
		h.origins[i].expires = min(h.origins[i].expires, latest)
	}
	t := h.trouble
	if t == nil {
		return
	}
	t.hold = min(t.hold, latest)
	t.gaveUpUntil = min(t.gaveUpUntil, latest)
	t.throttleSince = min(t.throttleSince, at)
	for i := range t.errands {
		t.errands[i].due = min(t.errands[i].due, latest)
	}
	for i := range t.robots {
		t.robots[i].due, t.robots[i].until = min(t.robots[i].due, latest), min(t.robots[i].until, latest)
	}
	heap.Init(&t.retries) // they have changed before
}

// moveWaits moves stored waits when the clock was set back by so much.
func (h *host) moveWaits(back int64) {
	move := func(at *int64) {
		if *at != 0 {
			*at -= back
		}
	}
	for i := range h.origins {
		move(&h.origins[i].expires)
	}
	t := h.trouble
	if t == nil {
		return
	}
	move(&t.hold)
	move(&t.throttleSince)
	for i := range t.errands {
		move(&t.errands[i].due)
	}
	for i := range t.robots {
		move(&t.robots[i].due)
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
	if a.Hold > 0 {
		t := h.inTrouble()
		t.hold = max(t.hold, a.Hold*int64(time.Millisecond))
	}
	h.penalty = min(a.Penalty, maxPenalty)
	h.alive = h.alive || !a.Unreachable
	if a.Throttled || a.Unreachable {
		if h.throttles == 0 {
			h.inTrouble().throttleSince = a.Time * int64(time.Millisecond)
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
	if h.throttles+1 < throttlesToGiveUp {
		return false
	}
	var since int64
	if h.trouble != nil {
		since = h.trouble.throttleSince / int64(time.Millisecond)
	}
	return a.Time-since >= throttledFor.Milliseconds()
}

// turn is when a host may be asked again.
type turn struct {
	at   int64
	host *host
}

// hostHeap is a binary heap of hosts by the time at which they may be asked
// again. A host knows its place in it. It is not one of container/heap, whose
// calls by interface would take most of the time.
type hostHeap []turn

// set puts the host where its time belongs; never takes it out.
func (q *hostHeap) set(h *host, at int64) {
	switch {
	case at == never && h.heap < 0:
	case at == never:
		q.remove(h)
	case h.heap < 0:
		*q = append(*q, turn{at, h})
		q.fix(len(*q) - 1)
	case (*q)[h.heap].at != at:
		(*q)[h.heap].at = at
		q.fix(int(h.heap))
	}
}

func (q *hostHeap) remove(h *host) {
	last := len(*q) - 1
	i := int(h.heap)
	(*q)[i] = (*q)[last]
	(*q)[last] = turn{}
	*q = (*q)[:last]
	h.heap = -1
	if i < last {
		q.fix(i)
	}
	if cap(*q) > 1024 && last < cap(*q)/4 {
		*q = append(make(hostHeap, 0, cap(*q)/2), *q...)
	}
}

// fix brings the turn at i to its place.
func (q hostHeap) fix(i int) {
	t := q[i]
	for i > 0 {
		up := (i - 1) / 2
		if q[up].at <= t.at {
			break
		}
		q.put(i, q[up])
		i = up
	}
	for {
		down := 2*i + 1
		if down+1 < len(q) && q[down+1].at < q[down].at {
			down++
		}
		if down >= len(q) || q[down].at >= t.at {
			break
		}
		q.put(i, q[down])
		i = down
	}
	q.put(i, t)
}

func (q hostHeap) put(i int, t turn) {
	q[i] = t
	t.host.heap = int32(i)
}

// dueUpTo counts the hosts whose time has come, no further than to most. It looks
// at no others but the next.
func (q hostHeap) dueUpTo(at int64, most int) int {
	n := 0
	open := make([]int, 1, 64) // place 0
	for len(open) > 0 && n < most {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		if i < len(q) && q[i].at <= at {
			n++
			open = append(open, 2*i+1, 2*i+2)
		}
	}
	return n
}
