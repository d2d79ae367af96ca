package crawl

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
)

var (
	rounds    = flag.Int("rounds", 12, "random crawls to try")
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

	spare := 0
	restarts := pick(0, 1, 4, 12)
	for range restarts {
		d := time.Duration(c.Int64N(int64(time.Duration(pick(1, 20, 200)) * time.Second / 10)))
		if c.IntN(3) > 0 {
			if sum := s.stopAfter(d); sum.End == Finished {
				break
			}
		} else if s.killAfter(d) {
			spare += s.opt.Workers + commitEvents
		} else {
			break
		}
	}
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
