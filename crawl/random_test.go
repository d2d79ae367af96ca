package crawl

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

var (
	rounds    = flag.Int("rounds", 10, "random crawls to try")
	firstSeed = flag.Uint64("seed", 0, "seed of the first random crawl; 0: by chance")
)

// TestRandomCrawls crawls random webs with random settings, stopping and dying
// at random moments. Whatever happens, each crawl ends, with the rows that the
// web has and no request too many.
func TestRandomCrawls(t *testing.T) {
	seed := *firstSeed
	if seed == 0 {
		seed = rand.Uint64()>>1 + 1
	}
	for i := range uint64(*rounds) {
		t.Run(fmt.Sprint(seed+i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomCrawl(t, seed+i) })
		})
	}
}

func randomCrawl(t *testing.T, seed uint64) {
	c := rand.New(rand.NewPCG(seed, 1))
	pick := func(n ...int) int { return n[c.IntN(len(n))] }
	retries := c.IntN(4)
	o := fakeweb.Defaults()
	o.Seed, o.Hosts, o.Pages = seed, pick(1, 1, 2, 5), pick(1, 10, 60, 120)
	o.PageBytes, o.LinksPerPage, o.CrossEvery = 500, pick(0, 5, 20), pick(0, 3)
	o.Private, o.Nofollow = pick(0, 50), pick(0, 50)
	share := func() int { return pick(0, 0, 20, 60) }
	o.Faults = fakeweb.Faults{
		NotFound: share(), ServerError: share(), Redirect: share(), Chain: share(), Loop: share(), Bounce: share(),
		Slow: share(), Reset: share(), Cut: share(), Binary: share(), Gzip: pick(0, 500),
		ChainHops: 1 + c.IntN(4), SlowBy: time.Duration(c.IntN(9)) * time.Second,
		RetryAfter: time.Duration(pick(0, 1, 30, 1000)) * time.Second,
	}
	if retries > 0 {
		o.Faults.Throttled, o.Faults.ThrottleAsks = share(), 1+c.IntN(retries)
	}
	latency := time.Duration(pick(0, 1, 90, 400)) * time.Millisecond
	o.Latency = func(host, _ string) time.Duration { return latency * time.Duration(host[1]-'0'+1) }
	robots := pick(200, 200, 200, 404, 403)
	walk := fakeweb.Walk{}
	if robots != 200 {
		o.Robots = func(string) (int, string) { return robots, "" }
		walk.Allowed = func(string) bool { return true }
	}
	var flaky sync.Map // how often a host refused its robots.txt
	refusals := pick(0, 0, 1, 2)
	if refusals > retries {
		refusals = 0
	}
	if refusals > 0 {
		say, body, code := robots, fakeweb.DefaultRobots, pick(0, 500, 503, 429)
		o.Robots = func(host string) (int, string) {
			n, _ := flaky.LoadOrStore(host, new(atomic.Int32))
			if n.(*atomic.Int32).Add(1) <= int32(refusals) {
				return code, ""
			}
			return say, body
		}
	}
	s := newSite(t, o)
	s.opt.Retries = retries
	s.opt.Workers, s.opt.PerHost = pick(1, 2, 16, 100), pick(1, 1, 2, 3)
	s.opt.Delay = time.Duration(pick(int(Adaptive), 0, 0, int(50*time.Millisecond), int(time.Second)))
	walk.IgnoreNofollow, walk.Assets = c.IntN(3) == 0, c.IntN(3) == 0
	s.opt.IgnoreNoFollow, s.opt.Assets = walk.IgnoreNofollow, walk.Assets
	if c.IntN(4) == 0 {
		s.opt.Scope, walk.AnyHost = ScopeAny, true
		walk.From, s.opt.Input.Args = []int{0}, s.opt.Input.Args[:1]
	}

	spare := refusals * o.Hosts
	restarts := pick(0, 1, 4, 12)
	base := s.opt.Settings
	changes := c.IntN(3) == 0
	unclean := 0 // ends running
	for range restarts {
		d := time.Duration(c.Int64N(int64(time.Duration(pick(1, 20, 200)) * time.Second / 10)))
		if changes {
			s.opt.Settings = base
			switch c.IntN(5) {
			case 0:
				s.opt.MaxDepth = c.IntN(4)
			case 1:
				s.opt.Exclude = []string{`[13579]$|h1`}
			case 2:
				s.opt.MaxPages = 1 + c.IntN(40)
			case 3:
				s.opt.MaxPagesPerHost = 1 + c.IntN(20)
			case 4:
				s.opt.MaxBytes = 10_000
			}
		}
		how := c.IntN(5)
		if unclean == 2 {
			how = 0 // a page that is slow would be suspected with good reason
		}
		unclean++
		switch how {
		case 0, 1, 2:
			s.stopAfter(d)
			unclean = 0
		case 3:
			s.killAfter(d)
			spare += s.opt.Workers + commitEvents
		case 4:
			// The commits fail from some moment on.
			var timer *time.Timer
			s.during = func(file *storage.File) {
				timer = time.AfterFunc(d+977*time.Nanosecond, func() { file.Close() })
			}
			_, _ = s.try(t.Context())
			timer.Stop()
			s.during = nil
			spare += s.opt.Workers + commitEvents
		}
	}
	s.opt.Settings = base
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if sum := s.run(ctx); sum.End != Finished || sum.Counts.Pending != 0 {
		t.Fatalf("ended %s with %d pending", sum.End, sum.Counts.Pending)
	}
	s.compare(walk)
	s.wantAsks(walk, spare)
	gap := s.opt.Delay
	if gap == Adaptive {
		gap = 100 * time.Millisecond
	}
	s.wantPolite(s.opt.PerHost, gap)
	if t.Failed() {
		t.Logf("web %+v", o)
		t.Logf("settings %+v, %d restarts", s.opt.Settings, restarts)
	}
}
