package crawl

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pawl/fetch"
	"pawl/page"
	"pawl/storage"
)

const (
	// headRoom is how much garbage may gather before it is collected, when there
	// is much that is not garbage. Left to itself the heap of a crawl of ten
	// million addresses would be twice as large as what is in it.
	headRoom = 64 << 20
	// usualGC is how far a heap grows by default, in percent of what is in it.
	usualGC = 100
	// leastGC bounds the work of collecting very much, very often.
	leastGC     = 15
	weighPeriod = 500 * time.Millisecond
)

// BoundHeap keeps the head-room of the garbage collector small from now on,
// until stop is called, and has it work harder before the process comes to take
// what the system allows it. Both are settings of the process: only a program
// that crawls and does nothing else should call it. What the user has chosen
// (GOGC, GOMEMLIMIT) stays.
func BoundHeap() (stop func()) {
	unlimit := limitBySystem()
	if before := debug.SetGCPercent(usualGC); before != usualGC {
		debug.SetGCPercent(before)
		return unlimit
	}
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		ticker := time.NewTicker(weighPeriod)
		defer ticker.Stop()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		now := usualGC
		for {
			select {
			case <-done:
				debug.SetGCPercent(usualGC)
				return
			case <-ticker.C:
			}
			metrics.Read(live)
			if want := gcPercent(live[0].Value.Uint64()); want*10 < now*9 || want*9 > now*10 {
				debug.SetGCPercent(want)
				now = want
			}
		}
	})
	return func() {
		close(done)
		watch.Wait()
		unlimit()
	}
}

// limitBySystem sets the soft limit of the process by what the system allows it.
func limitBySystem() (unlimit func()) {
	allowed := allowedMemory()
	if runtimeLimit() > 0 || allowed == 0 {
		return func() {}
	}
	before := debug.SetMemoryLimit(withRoom(allowed))
	return func() { debug.SetMemoryLimit(before) }
}

// runtimeLimit is the soft limit of the process, in bytes; 0: there is none.
func runtimeLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	return 0
}

// gcPercent is how far a heap may grow in percent of what is in it, in bytes.
func gcPercent(live uint64) int {
	return int(max(min(headRoom*100/max(live, 1), usualGC), leastGC))
}

// memoryWatch watches what the process takes, and what a crawl can do about it.
//
// What it counts is what the collector cannot give back: what it found alive when it
// last ran, and the stacks and tables of the runtime. From tightAt of the limit on,
// if it still is when the collector has run again, and from certainAt on at once,
// nothing more is handed out, until it is less than easyAt: what is in flight
// finishes, is committed, and goes. Then half as many are out at a time, and slowly
// more again. When nothing is in flight any more, nothing else is at work, and it is
// still too much for overAfter, then it is the queue itself that does not fit; but
// where that is too small for it, it goes on with one at a time.
//
// The mapped crawl file does not count: the system takes its pages back by itself.
type memoryWatch struct {
	since  time.Time    // it is short; zero: it is not
	budget fetch.Budget // of bodies

	places   int       // jobs that may be out at a time; 0: as many as there are workers
	placedAt time.Time // when that last changed
	oneUntil time.Time // one at a time may be out, however much is in use

	limit   int64 // of the process, in bytes; 0: none
	said    int64 // by the user, of which it is a part; 0: nothing
	before  int64 // with said: the limit of the process before
	samples []metrics.Sample
	highAt  uint64       // collection after which it was first found to be short; 0: it is not
	idleAt  uint64       // collection after which nothing was in flight; 0: something is
	idle    time.Time    // since when, with idleAt
	over    *MemoryError // the crawl cannot go on; nil: it can

	collected  time.Time     // when the collector was last made to run
	spell      time.Duration // for how long not again
	out        int           // jobs that were out at the last look
	collecting atomic.Bool
	collector  sync.WaitGroup
}

const (
	// In percent of the limit, see memoryWatch.
	certainAt = 95
	tightAt   = 85
	easyAt    = 75
	// usualBudget is what bodies may take when there is no limit; else it is a part of
	// that.
	usualBudget = 256 << 20
	budgetPart  = 4
	// leastBudget is enough for ordinary pages.
	leastBudget = 2 << 20
	// Of a limit, what waits for its commit may take a part.
	weightPart = 16
	// poolsGone is after how many collections nothing is kept for use again.
	poolsGone = 3
	// collectPeriod is how often the collector is made to run, at first: twice as
	// seldom each time when nothing has changed.
	collectPeriod    = 500 * time.Millisecond
	maxCollectPeriod = 8 * time.Second
	// overAfter is for how long it must be too much with nothing in flight before the
	// crawl is over.
	overAfter = 30 * time.Second
	// widenEvery is after how long more may be out again, and for how long one at a
	// time is, at the least.
	widenEvery = 30 * time.Second
	// crowdedEvery is how often what had no memory makes the places fewer.
	crowdedEvery = 10 * time.Second
	// crowdedWait is when what had no memory is asked for again.
	crowdedWait = 10 * time.Second
	// clearEvery is how often what can be made again is given up.
	clearEvery = 10 * time.Minute
	// What an address and a host take at the least: see docs/architecture.md.
	addressBytes = 10
	hostBytes    = 190
	// What they take at the most, and a pending job beside.
	mostAddressBytes = 14
	mostHostBytes    = 500
	pendingBytes     = 16
)

// setLimit bounds the memory of the process, in bytes, by no more than the process, or
// the system, is set to already; 0: by that alone.
func (m *memoryWatch) setLimit(limit int64) {
	m.unset()
	m.limit = within(limit)
	if limit > 0 {
		m.before, m.said = debug.SetMemoryLimit(m.limit), limit
	}
	m.budget.Set(bodyBudget(m.limit))
	m.enough()
	m.over, m.places, m.oneUntil = nil, 0, time.Time{}
}

// within is the limit of the process with one of the user, who may set 0: the lesser of
// both; 0: there is none.
func within(said int64) int64 {
	limit := runtimeLimit()
	if own := withRoom(said); said > 0 && (limit == 0 || own < limit) {
		return own
	}
	return limit
}

// unset takes back what setLimit has set.
func (m *memoryWatch) unset() {
	if m.said > 0 {
		debug.SetMemoryLimit(m.before)
		m.said = 0
	}
}

// stop ends the watch. A limit that was set is that of before again.
func (m *memoryWatch) stop() {
	m.unset()
	m.collector.Wait()
}

// bodyBudget is what the bodies may take together of a limit; 0: there is none.
func bodyBudget(limit int64) int64 {
	if limit == 0 {
		return usualBudget
	}
	return max(limit/budgetPart, leastBudget)
}

// mostWeight is from how many bytes on that wait to be committed nothing more is
// handed out, and commitWeight from how many on a commit is due at once.
func (m *memoryWatch) mostWeight() int {
	if m.limit == 0 {
		return mostWeight
	}
	return int(min(mostWeight, m.limit/weightPart))
}

func (m *memoryWatch) commitWeight() int { return min(commitWeight, m.mostWeight()/2) }

const (
	sampleLive = iota
	sampleTotal
	sampleReleased
	sampleObjects
	sampleFree
	sampleUnused
	sampleCycles
)

// weigh gives what is in use for certain, in bytes, and after which collection.
func (m *memoryWatch) weigh() (inUse int64, collection uint64) {
	if m.samples == nil {
		m.samples = []metrics.Sample{
			sampleLive:     {Name: "/gc/heap/live:bytes"},
			sampleTotal:    {Name: "/memory/classes/total:bytes"},
			sampleReleased: {Name: "/memory/classes/heap/released:bytes"},
			sampleObjects:  {Name: "/memory/classes/heap/objects:bytes"},
			sampleFree:     {Name: "/memory/classes/heap/free:bytes"},
			sampleUnused:   {Name: "/memory/classes/heap/unused:bytes"},
			sampleCycles:   {Name: "/gc/cycles/total:gc-cycles"},
		}
	}
	metrics.Read(m.samples)
	n := func(i int) int64 { return int64(m.samples[i].Value.Uint64()) }
	tables := n(sampleTotal) - n(sampleReleased) - n(sampleObjects) - n(sampleFree) - n(sampleUnused)
	return n(sampleLive) + max(tables, 0), m.samples[sampleCycles].Value.Uint64() + 1
}

// work is what the crawl is at.
type work struct {
	out      int  // jobs at workers
	workers  int  // that there may be
	isIdle   bool // nothing is in flight, all is committed, and nothing else is at work
	isPaused bool // nothing is handed out, whatever is in use
	counts   storage.Counts
	patience time.Duration // for how long it must be too much before the crawl is over
}

// look takes in how much is in use. It is called a few times per second.
func (m *memoryWatch) look(now time.Time, w *work) {
	if m.limit == 0 {
		m.enough()
		m.widen(now, w.workers)
		return
	}
	inUse, collection := m.weigh()
	m.take(now, inUse, collection, w)
}

// take takes in how much is in use after the n-th collection.
func (m *memoryWatch) take(now time.Time, inUse int64, n uint64, w *work) {
	if w.out != m.out {
		m.out, m.spell = w.out, 0
	}
	isHigh := inUse/tightAt >= m.limit/100
	switch {
	case inUse/easyAt < m.limit/100 || !isHigh && m.since.IsZero():
		m.enough()
		m.widen(now, w.workers)
		return
	case w.isPaused || now.Before(m.oneUntil):
		return
	}
	if m.since.IsZero() {
		// What was alive when the collector ran may be gone by now.
		if m.highAt == 0 {
			m.highAt = n
		}
		if n == m.highAt && inUse/certainAt < m.limit/100 {
			m.collect(now)
			return
		}
		m.since = now
		m.narrow(now, w.out)
	}
	if !w.isIdle {
		m.idleAt = 0
		m.collect(now)
		return
	}
	if m.idleAt == 0 {
		m.idleAt, m.idle = n, now
	}
	switch mayBeQueue := mostNeeded(w.counts) >= m.limit/2; {
	case n < m.idleAt+poolsGone:
		m.spell = 0 // there is nothing else to do
		m.collect(now)
	case isHigh && mayBeQueue && now.Sub(m.idle) < w.patience:
		m.collect(now)
	case isHigh && mayBeQueue:
		m.over = newMemoryError(inUse, m.said, w.counts)
	default:
		// It does not get less, and there is some room, or it is not the queue.
		m.enough()
		if isHigh {
			m.places = 1
		}
		if m.places == 1 {
			m.placedAt, m.oneUntil = now, now.Add(widenEvery)
		}
	}
}

// enough ends a shortage.
func (m *memoryWatch) enough() {
	m.since, m.highAt, m.idleAt, m.spell = time.Time{}, 0, 0, 0
}

// narrow halves what may be out at a time; now so many are.
func (m *memoryWatch) narrow(now time.Time, out int) {
	if m.places > 0 {
		out = min(out, m.places)
	}
	m.places, m.placedAt = max(out/2, 1), now
}

// crowded takes in that an exchange had no memory for its body in time, with so many
// out at once.
func (m *memoryWatch) crowded(now time.Time, out int) {
	if m.places == 0 || now.Sub(m.placedAt).Abs() >= crowdedEvery { // else it was one of many
		m.narrow(now, out)
	}
}

// widen has a few more out at a time, if it has been a while.
func (m *memoryWatch) widen(now time.Time, workers int) {
	if m.places == 0 || now.Sub(m.placedAt).Abs() < widenEvery {
		return
	}
	m.places, m.placedAt = m.places+max(m.places/8, 1), now
	if m.places >= workers {
		m.places = 0
	}
}

// most is how many of so many workers may have a job.
func (m *memoryWatch) most(workers int) int {
	if m.places == 0 {
		return workers
	}
	return min(m.places, workers)
}

// mostNeeded is what a queue takes at the most, in bytes.
func mostNeeded(c storage.Counts) int64 {
	return int64(c.Known*mostAddressBytes + c.Hosts*mostHostBytes + c.Pending*pendingBytes)
}

// collect has the collector run, beside the loop, which needs to know what is alive:
// as long as nothing is handed out, it may not run by itself.
func (m *memoryWatch) collect(now time.Time) {
	if now.Sub(m.collected).Abs() < m.spell || m.collecting.Swap(true) {
		return
	}
	m.collected = now
	m.spell = min(max(2*m.spell, collectPeriod), maxCollectPeriod)
	m.collector.Go(func() {
		defer m.collecting.Store(false)
		runtime.GC()
	})
}

// isTight tells whether nothing more is to be handed out for now.
func (m *memoryWatch) isTight() bool { return !m.since.IsZero() }

// newMemoryError says what a crawl needs that takes so many bytes at rest. The limit
// is that of the user, 0: none; the one that counts is named.
func newMemoryError(atRest, limit int64, counts storage.Counts) *MemoryError {
	e := &MemoryError{Needs: atRest / easyAt * 100, Limit: limit, Addresses: counts.Known, Hosts: counts.Hosts}
	if e.Set = limit > 0 && withRoom(limit) == within(limit); e.Set {
		e.Needs = e.Needs / 9 * 10 // as withRoom leaves it
	} else {
		e.Limit = runtimeLimit()
	}
	return e
}

// withRoom is the limit of the process for one that the user sets. What the process
// takes for a moment beyond its own, and what the collector does not know of, is for
// that to have room.
func withRoom(limit int64) int64 { return limit / 10 * 9 }

// MemoryError says that a crawl needs more memory than it may take.
type MemoryError struct {
	Needs, Limit     int64 // bytes
	Set              bool  // the limit is that of Settings.MaxMemory
	Addresses, Hosts uint64
}

func (e *MemoryError) Error() string {
	limit := "the process may take"
	if e.Set {
		limit = "--max-memory is"
	}
	return fmt.Sprintf("the crawl needs %s for %s and %s, and %s %s",
		megabytes(e.Needs), counted(e.Addresses, "address", "addresses"), counted(e.Hosts, "host", "hosts"), limit, megabytes(e.Limit))
}

// counted spells a number of things for people.
func counted(n uint64, one, many string) string {
	if n == 1 {
		many = one
	}
	return inThousands(n) + " " + many
}

// inThousands spells a number for people: 1,234,567.
func inThousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// checkMemory tells whether what a crawl file counts can fit into memory: with a
// MemoryError when it cannot, whatever is done.
func checkMemory(counts storage.Counts, limit int64) error {
	allowed := within(limit)
	least := int64(counts.Known*addressBytes + counts.Hosts*hostBytes)
	if allowed == 0 || least <= allowed {
		return nil
	}
	return newMemoryError(least, limit, counts)
}

const (
	// largeBody is from which size on it counts what is made of a body.
	largeBody = 64 << 10
	// largeResult is from which size on the memory of a result is counted.
	largeResult = 64 << 10
	// What is made of a body, by its size: its links and what finding them takes, no
	// more than mostParsed since they are bounded; and the tree that fields are taken
	// from.
	parsedPart = 2
	mostParsed = 32 << 20
	treePart   = 8
	// linkBytes is what a link takes beside its text.
	linkBytes = 128
	// manyLinks is from how many on the texts of links count.
	manyLinks = 500
	// A compressed sitemap has more in it.
	packedPart = 8
)

// needs is how much memory is needed to read an answer, beside its body.
func (w *worker) needs(t *task, r *fetch.Response) (n int64) {
	size := int64(len(r.Body))
	switch isSitemap := page.Kind(t.job.Kind).SitemapFile(); {
	case isSitemap && bytes.HasPrefix(r.Body, []byte("\x1f\x8b")):
		return min(packedPart*size, maxSitemap)
	case size <= largeBody:
		return 0
	case isSitemap:
		return size
	}
	n = min(parsedPart*size, mostParsed)
	if t.treat.take != nil {
		n += treePart * size
	}
	return n
}

// size is how much memory a result takes, when it is much.
func (r *result) size() int64 {
	n := len(r.packed.Value) + len(r.keptLinks.Value) + len(r.links)*linkBytes
	if len(r.links) > manyLinks {
		for i := range r.links {
			n += len(r.links[i].URL) + len(r.links[i].Anchor)
		}
	}
	if r.exchange != nil {
		n += len(r.exchange.Body)
	}
	return int64(n)
}

// loadWithin loads the frontier within a limit, or says that it does not fit into what
// the process may have. When it does not fit into the limit of the user, then it is
// Run that says so: settings can be changed at rest, this one above all.
func (c *Crawl) loadWithin(limit int64) error {
	var counts storage.Counts
	err := c.file.View(func(r *storage.Reader) error {
		state, err := r.State()
		counts = state.Counts
		return err
	})
	if err == nil {
		err = checkMemory(counts, 0)
	}
	if err != nil {
		return err
	}
	if limit > 0 {
		before := debug.SetMemoryLimit(within(limit))
		defer debug.SetMemoryLimit(before)
	}
	return c.load()
}

// lookAtMemory has the memory looked at, and does without what can be made again when
// it is short.
func (l *loop) lookAtMemory() {
	m, now := &l.memory, l.now()
	was := m.isTight()
	_, _, isReviewing := l.frontier.Review()
	isElse := isReviewing || l.sweep.isOpen() || l.beside.Load() > 0
	m.look(now, &work{
		out: l.busy, workers: l.settings.Workers, counts: l.frontier.Counts(), patience: l.overAfter, isPaused: l.paused,
		isIdle: l.idle() && !l.committing && l.frontier.Waiting() == 0 && !isElse,
	})
	if m.isTight() && !was && (l.memoryCleared.IsZero() || now.Sub(l.memoryCleared).Abs() >= clearEvery) {
		l.memoryCleared = now
		l.terms.fetcher.Close() // connections that nobody uses
		l.rules.clear()
	}
}

// Beside tells a run that something else in its process takes memory, an export say,
// until done is called: for that no run is ended. It may be called concurrently.
func (c *Crawl) Beside() (done func()) {
	c.beside.Add(1)
	return sync.OnceFunc(func() { c.beside.Add(-1) })
}

// goOnLater has a job asked for again, uncharged, whose body had no memory in time, and
// has fewer out at a time.
func (l *loop) goOnLater(r *result) error {
	l.memory.crowded(l.now(), l.busy+1)
	at := storage.Ask{Asked: true, Time: l.at(r.sent).UnixMilli(), Took: l.frontier.Took(&r.task.job)}
	return l.askAgain(r, at, l.now().Add(crowdedWait), "not charged, for memory was short")
}
