package crawl

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
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
// until stop is called. It is a setting of the process: only a program that
// crawls and does nothing else should call it. When the user has chosen a
// setting (GOGC), that stays.
func BoundHeap() (stop func()) {
	if before := debug.SetGCPercent(usualGC); before != usualGC {
		debug.SetGCPercent(before)
		return func() {}
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
	}
}

// gcPercent is how far a heap may grow in percent of what is in it, in bytes.
func gcPercent(live uint64) int {
	return int(max(min(headRoom*100/max(live, 1), usualGC), leastGC))
}

// memoryWatch watches what the process takes, and what a crawl can do about it.
type memoryWatch struct {
	since time.Time // it is short; zero: it is not
}

// setLimit bounds the memory of the process, in bytes; 0: by what the system allows
// it.
func (m *memoryWatch) setLimit(limit int64) {}

// look takes in how much is in use. It is called a few times per second.
func (m *memoryWatch) look(now time.Time) {}

// isTight tells whether nothing more is to be handed out for now.
func (m *memoryWatch) isTight() bool { return !m.since.IsZero() }

// isOver tells whether the crawl cannot go on within its limit, and why.
func (m *memoryWatch) isOver() (why string, ok bool) { return "", false }
