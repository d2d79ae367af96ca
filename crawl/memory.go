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
// finishes, is committed, and goes. When nothing is in flight any more and it is
// still too much, then it is the queue itself that does not fit.
//
// The mapped crawl file does not count: the system takes its pages back by itself.
type memoryWatch struct {
	since  time.Time    // it is short; zero: it is not
	budget fetch.Budget // of bodies

	limit   int64 // of the process, in bytes; 0: none
	said    int64 // by the user, of which it is a part; 0: nothing
	before  int64 // with said: the limit of the process before
	samples []metrics.Sample
	highAt  uint64       // collection after which it was first found to be short; 0: it is not
	idleAt  uint64       // collection after which nothing was in flight; 0: something is
	over    *MemoryError // the crawl cannot go on; nil: it can

	collected  time.Time // when the collector was last made to run
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
	// collectPeriod is how often the collector is made to run.
	collectPeriod = 500 * time.Millisecond
	// What an address and a host take at the least: see docs/architecture.md.
	addressBytes = 10
	hostBytes    = 190
)

// setLimit bounds the memory of the process, in bytes; 0: by what the process, or the
// system, is set to already.
func (m *memoryWatch) setLimit(limit int64) {
	m.unset()
	if limit > 0 {
		m.before, m.said = debug.SetMemoryLimit(withRoom(limit)), limit
	}
	m.limit = runtimeLimit()
	m.budget.Set(bodyBudget(m.limit))
	m.highAt, m.idleAt, m.over = 0, 0, nil
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

// look takes in how much is in use. It is called a few times per second. isIdle
// tells that nothing is in flight, and all is committed.
func (m *memoryWatch) look(now time.Time, isIdle bool, counts storage.Counts) {
	if m.limit == 0 {
		m.since = time.Time{}
		return
	}
	inUse, collection := m.weigh()
	m.take(now, inUse, collection, isIdle, counts)
}

// take takes in how much is in use after the n-th collection.
func (m *memoryWatch) take(now time.Time, inUse int64, n uint64, isIdle bool, counts storage.Counts) {
	isHigh := inUse/tightAt >= m.limit/100
	if inUse/easyAt < m.limit/100 || !isHigh && m.since.IsZero() {
		m.since, m.highAt, m.idleAt = time.Time{}, 0, 0
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
	}
	if !isIdle {
		m.idleAt = 0
		m.collect(now)
		return
	}
	if m.idleAt == 0 {
		m.idleAt = n
	}
	switch {
	case n < m.idleAt+poolsGone:
		m.collected = time.Time{} // there is nothing else to do
		m.collect(now)
	case isHigh:
		m.over = newMemoryError(inUse, m.said, counts)
	default:
		// It does not get less, and there is some room.
		m.since, m.highAt, m.idleAt = time.Time{}, 0, 0
	}
}

// collect has the collector run, beside the loop, which needs to know what is alive:
// as long as nothing is handed out, it may not run by itself.
func (m *memoryWatch) collect(now time.Time) {
	if now.Sub(m.collected).Abs() < collectPeriod || m.collecting.Swap(true) {
		return
	}
	m.collected = now
	m.collector.Go(func() {
		defer m.collecting.Store(false)
		runtime.GC()
	})
}

// isTight tells whether nothing more is to be handed out for now.
func (m *memoryWatch) isTight() bool { return !m.since.IsZero() }

// newMemoryError says what a crawl needs that takes so many bytes at rest. The limit
// is that of the user, 0: of the process.
func newMemoryError(atRest, limit int64, counts storage.Counts) *MemoryError {
	e := &MemoryError{Needs: atRest / easyAt * 100, Limit: limit, Set: limit > 0, Addresses: counts.Known, Hosts: counts.Hosts}
	if e.Set {
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
	return fmt.Sprintf("the crawl needs %s for %s addresses and %s hosts, and %s %s",
		megabytes(e.Needs), inThousands(e.Addresses), inThousands(e.Hosts), limit, megabytes(e.Limit))
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
	allowed := withRoom(limit)
	if limit == 0 {
		allowed = runtimeLimit()
	}
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
		before := debug.SetMemoryLimit(withRoom(limit))
		defer debug.SetMemoryLimit(before)
	}
	return c.load()
}

// lookAtMemory has the memory looked at, and does without what can be made again when
// it is short.
func (l *loop) lookAtMemory() {
	m := &l.memory
	was := m.isTight()
	isIdle := l.idle() && !l.committing && l.frontier.Waiting() == 0 && !l.paused
	m.look(l.now(), isIdle, l.frontier.Counts())
	if m.isTight() && !was {
		l.terms.fetcher.Close() // connections that nobody uses
		l.rules.clear()
	}
}
