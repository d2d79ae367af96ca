package crawl

import (
	"cmp"
	"slices"
	"time"

	"pawl/storage"
)

const (
	gaugeEvery  = time.Second
	gaugeKept   = 15*60 + 1 // samples
	recentSlice = 3         // samples
	recentKept  = 40        // slices
	// Pages by host are counted over so many slices of so long.
	busySlices   = 6
	busySlice    = 10 * time.Second
	busyHosts    = 256 // hosts that are counted in a slice
	busiestKept  = 5
	failuresKept = 8
)

// sample is how far a run had come.
type sample struct {
	at                                  time.Duration // since it began
	done, failed, requests, transferred uint64
}

// gauge measures how a run gets on. It belongs to the goroutine of Run, which
// publishes what others may see.
type gauge struct {
	samples  []sample // the oldest first
	busy     [busySlices]map[string]int
	busyAt   time.Duration // when the first of busy began
	failed   uint64        // pages
	failures []Failure
	commit   time.Time
	took     time.Duration
}

// visited notes the outcome of a page.
func (g *gauge) visited(host string, v *storage.Visit) {
	if g.busy[0] == nil {
		g.busy[0] = map[string]int{}
	}
	if n, ok := g.busy[0][host]; ok || len(g.busy[0]) < busyHosts {
		g.busy[0][host] = n + 1
	}
	if v.Outcome != storage.Failed {
		return
	}
	g.failed++
	if len(g.failures) == failuresKept {
		g.failures = slices.Clone(g.failures[1:]) // what is published stays
	}
	g.failures = append(g.failures, Failure{
		At: stamp(v.Time + int64(v.Took)), URL: v.URL, Status: int(v.Status), Class: v.Class.String(), Error: v.Record.Error,
	})
}

// committed notes a commit.
func (g *gauge) committed(at time.Time, took time.Duration) { g.commit, g.took = at, took }

// tick takes a sample when it is time, and publishes what there is.
func (g *gauge) tick(l *loop) {
	at := time.Since(l.began)
	n := len(g.samples)
	if n > 0 && at-g.samples[n-1].at < gaugeEvery {
		return
	}
	c := l.frontier.Counts()
	s := sample{at: at, done: c.Done() + c.Reopened, failed: g.failed, requests: c.Requests, transferred: c.Transferred}
	if n == 0 {
		b := &l.summary.Before
		g.samples = append(g.samples, sample{
			done: b.Done() + b.Reopened, requests: b.Requests, transferred: b.Transferred,
		})
	}
	if n >= 2*gaugeKept {
		g.samples = append(g.samples[:0], g.samples[n-gaugeKept:]...)
	}
	g.samples = append(g.samples, s)
	for ; at-g.busyAt >= busySlice; g.busyAt += busySlice {
		copy(g.busy[1:], g.busy[:])
		g.busy[0] = nil
		if at-g.busyAt > busySlices*busySlice {
			g.busyAt = at // the machine slept
		}
	}
	l.live.Store(g.look(l))
}

// look is what others may see of it.
func (g *gauge) look(l *loop) *LiveStatus {
	last := g.samples[len(g.samples)-1]
	live := &LiveStatus{
		Workers: l.settings.Workers, RecentSlice: (recentSlice * gaugeEvery).Seconds(), Recent: []float64{}, Busiest: []HostStatus{},
		Failures: append([]Failure{}, g.failures...), // not null in JSON
	}
	if !g.commit.IsZero() {
		live.LastCommit, live.CommitMS = stamp(g.commit.UnixMilli()), float64(g.took.Microseconds())/1000
	}
	for _, minutes := range []int{1, 5, 15} {
		i, _ := slices.BinarySearchFunc(g.samples, last.at-time.Duration(minutes)*time.Minute, func(s sample, at time.Duration) int {
			return cmp.Compare(s.at, at)
		})
		first := g.samples[i]
		r := Rate{Minutes: minutes, Seconds: (last.at - first.at).Seconds()}
		if r.Seconds >= gaugeEvery.Seconds() {
			r.Pages, r.Failed = float64(last.done-first.done)/r.Seconds, float64(last.failed-first.failed)/r.Seconds
			r.Requests, r.Bytes = float64(last.requests-first.requests)/r.Seconds, float64(last.transferred-first.transferred)/r.Seconds
		}
		live.Rates = append(live.Rates, r)
	}
	for end := len(g.samples) - 1; end > 0 && len(live.Recent) < recentKept; end -= recentSlice {
		first, last := g.samples[max(0, end-recentSlice)], g.samples[end]
		if last.at-first.at < gaugeEvery {
			break
		}
		live.Recent = append(live.Recent, float64(last.done-first.done)/(last.at-first.at).Seconds())
	}
	slices.Reverse(live.Recent)
	counts, span := map[string]int{}, min(busySlices*busySlice, last.at)
	for _, slice := range g.busy {
		for host, n := range slice {
			counts[host] += n
		}
	}
	for host, n := range counts {
		live.Busiest = append(live.Busiest, HostStatus{Host: host, Rate: float64(n) / max(span.Seconds(), 1)})
	}
	slices.SortFunc(live.Busiest, func(a, b HostStatus) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(a.Host, b.Host))
	})
	live.Busiest = live.Busiest[:min(busiestKept, len(live.Busiest))]
	return live
}
