package frontier

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pawl/storage"
)

func TestGap(t *testing.T) {
	const s = time.Second
	fixed := func(d time.Duration) Options { return Options{PerHost: 1, Delay: d} }
	adaptive := Defaults()
	for _, c := range []struct {
		name    string
		o       Options
		took    time.Duration
		delays  [2]time.Duration // Crawl-delay of http and https
		penalty uint8
		want    time.Duration
	}{
		{name: "none asked for", o: fixed(0), took: 5 * s, want: 0},
		{name: "fixed", o: fixed(3 * s), took: 5 * s, want: 3 * s},
		{name: "adaptive, nothing known yet", o: adaptive, want: 100 * time.Millisecond},
		{name: "adaptive, fast host", o: adaptive, took: 20 * time.Millisecond, want: 100 * time.Millisecond},
		{name: "adaptive, as long as the answer took", o: adaptive, took: 1500 * time.Millisecond, want: 1500 * time.Millisecond},
		{name: "adaptive, slow host", o: adaptive, took: 40 * s, want: 10 * s},
		{name: "adaptive ignores the fixed delay", o: Options{PerHost: 1, Adaptive: true, Delay: 9 * s}, want: 100 * time.Millisecond},
		{name: "Crawl-delay is longer", o: fixed(s), delays: [2]time.Duration{4 * s, 0}, want: 4 * s},
		{name: "Crawl-delay of the other scheme counts too", o: fixed(s), delays: [2]time.Duration{s, 5 * s}, want: 5 * s},
		{name: "Crawl-delay is shorter", o: fixed(6 * s), delays: [2]time.Duration{4 * s, 0}, want: 6 * s},
		{name: "robots.txt ignored", o: Options{PerHost: 1, IgnoreRobots: true}, delays: [2]time.Duration{4 * s, 0}, want: 0},
		{name: "throttled once", o: fixed(0), penalty: 1, want: s},
		{name: "throttled thrice", o: fixed(0), penalty: 3, want: 4 * s},
		{name: "throttled, own delay doubled", o: fixed(3 * s), penalty: 2, want: 6 * s},
		{name: "throttled to the bound", o: fixed(30 * s), penalty: 8, want: 10 * time.Minute},
		{name: "a delay beyond the bound stays", o: fixed(time.Hour), penalty: 8, want: time.Hour},
		{name: "the longest delay does not overflow", o: fixed(24 * time.Hour), penalty: 8, want: 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &host{took: uint32(c.took.Milliseconds()), penalty: c.penalty}
			if c.delays != [2]time.Duration{} {
				h.origin(false).delay = uint32(c.delays[0].Milliseconds())
				h.origin(true).delay = uint32(c.delays[1].Milliseconds())
			}
			if got := h.gap(&c.o); got != c.want {
				t.Errorf("gap is %v, want %v", got, c.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	const minute = 60_000
	for _, c := range []struct {
		name       string
		h          host
		a          storage.Ask
		retryAfter time.Duration
		hold       int64 // after the answer, in milliseconds; 0: none
		penalty    uint8
		giveUp     bool
	}{
		{name: "a good answer", a: storage.Ask{Asked: true}, penalty: 0},
		{name: "a good answer does not end the penalty", h: host{penalty: 2}, a: storage.Ask{Asked: true}, penalty: 2},
		{name: "the twentieth good answer takes one doubling back", h: host{penalty: 2, good: 19}, a: storage.Ask{Asked: true}, penalty: 1},
		{name: "nothing to take back", h: host{good: 19}, a: storage.Ask{Asked: true}, penalty: 0},
		{name: "no request, no change", h: host{penalty: 3, good: 19}, a: storage.Ask{Throttled: true}, retryAfter: time.Hour, penalty: 3},
		{name: "throttled first", a: storage.Ask{Asked: true, Throttled: true}, hold: 1000, penalty: 1},
		{name: "throttled again", h: host{throttles: 3, penalty: 3}, a: storage.Ask{Asked: true, Throttled: true}, hold: 8000, penalty: 4},
		{name: "the wait stops growing", h: host{throttles: 60, penalty: 1}, a: storage.Ask{Asked: true, Throttled: true, Time: 1}, hold: 64000, penalty: 2, giveUp: false},
		{name: "the penalty stops growing", h: host{throttles: 1, penalty: 8}, a: storage.Ask{Asked: true, Throttled: true}, hold: 128000, penalty: 8},
		{name: "Retry-After is longer", a: storage.Ask{Asked: true, Throttled: true}, retryAfter: 90 * time.Second, hold: 90000, penalty: 1},
		{name: "Retry-After is shorter", h: host{throttles: 5, penalty: 1}, a: storage.Ask{Asked: true, Throttled: true}, retryAfter: time.Second, hold: 32000, penalty: 2},
		{name: "Retry-After of a year", a: storage.Ask{Asked: true, Throttled: true}, retryAfter: 8760 * time.Hour, hold: 24 * 60 * minute, penalty: 1},
		{name: "Retry-After that is negative", a: storage.Ask{Asked: true, Throttled: true}, retryAfter: -time.Hour, hold: 1000, penalty: 1},
		{name: "ten times in ten minutes", h: host{throttles: 9, penalty: 8}, a: storage.Ask{Asked: true, Throttled: true, Time: 10 * minute}, hold: 128000, penalty: 8, giveUp: true},
		{name: "ten times in less than ten minutes", h: host{throttles: 9, penalty: 8}, a: storage.Ask{Asked: true, Throttled: true, Time: 10*minute - 1}, hold: 128000, penalty: 8},
		{name: "nine times in an hour", h: host{throttles: 8, penalty: 8}, a: storage.Ask{Asked: true, Throttled: true, Time: 60 * minute}, hold: 128000, penalty: 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Times count from the first throttled answer of the run of them.
			const since = 1_700_000_000_000
			c.h.inTrouble().throttleSince = since * int64(time.Millisecond)
			c.a.Time += since
			c.a.Took = 500
			giveUp := c.h.judge(&c.a, c.retryAfter, &Options{PerHost: 1})
			var hold int64
			if c.a.Hold != 0 {
				hold = c.a.Hold - c.a.Time - 500
			}
			if hold != c.hold || c.a.Penalty != c.penalty || giveUp != c.giveUp {
				t.Errorf("hold %d penalty %d give up %v, want %d, %d, %v", hold, c.a.Penalty, giveUp, c.hold, c.penalty, c.giveUp)
			}
		})
	}
}

func TestOptionsAreValidated(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		good bool
	}{
		{"defaults", Defaults(), true},
		{"no delay", Options{PerHost: 1}, true},
		{"a day of delay", Options{PerHost: 1, Delay: 24 * time.Hour}, true},
		{"a delay so long that times overflow", Options{PerHost: 1, Delay: 1<<63 - 1}, false},
		{"negative delay", Options{PerHost: 1, Delay: -1}, false},
		{"no connection", Options{}, false},
		{"too many connections", Options{PerHost: 10001}, false},
		{"negative pages", Options{PerHost: 1, MaxPagesPerHost: -1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.o.validate(); (err == nil) != c.good {
				t.Errorf("validate: %v", err)
			}
		})
	}
}

func TestThrottlingHostIsGivenUp(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2", "http://b.test/")
	for i := range 20 {
		at, ok := r.f.Wake()
		if !ok {
			t.Fatal("the host sleeps for ever")
		}
		if at.After(r.now) {
			r.now = at
		}
		j, _ := r.next()
		if j.Host == "b.test" {
			r.fetched(&j)
			continue
		}
		if j.GaveUp != storage.NoClass {
			if i < 10 {
				t.Fatalf("given up after %d answers", i)
			}
			break
		}
		r.f.Release(&j, r.now)
		e := &storage.Retry{Ask: storage.Ask{Asked: true, Throttled: true, Time: r.now.UnixMilli()}, Class: storage.Throttled}
		r.ok(r.f.Retry(&j, e, time.Minute))
		r.commit()
	}
	r.commit()
	r.reopen()
	for _, url := range []string{"http://a.test/1", "http://a.test/2"} {
		j := r.want(url)
		if j.GaveUp != storage.Throttled {
			t.Errorf("%s comes with class %v", url, j.GaveUp)
		}
		r.f.Release(j, time.Time{})
		r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Failed, Class: j.GaveUp}, nil, 0))
	}
	if n := r.f.Counts().Pending; n != 0 {
		t.Errorf("%d jobs left", n)
	}
	r.commit()
	r.isPure()
}

func TestGapRunsFromStartToStart(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: 10 * time.Second})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://a.test/4")
	j := r.want("http://a.test/1")
	r.pass(time.Second)
	sent := r.now
	r.pass(4 * time.Second)
	r.none() // one connection
	r.f.Release(j, sent)
	r.wakes(6 * time.Second)
	v := r.answer(storage.Fetched)
	v.Time, v.Took = sent.UnixMilli(), 4000
	r.ok(r.f.Finish(j, v, nil, 0))
	r.wakes(6 * time.Second)
	r.pass(6 * time.Second)

	// A job without a request costs no delay.
	j = r.want("http://a.test/2")
	r.f.Release(j, time.Time{})
	r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Blocked}, nil, 0))
	j = r.want("http://a.test/3")
	// One that takes longer than the gap leaves none.
	sent = r.now
	r.pass(time.Minute)
	r.f.Release(j, sent)
	r.want("http://a.test/4")
}

func TestGapFollowsWhatIsLearned(t *testing.T) {
	t.Run("Crawl-delay holds from the robots.txt on", func(t *testing.T) {
		r := newRig(t, Options{PerHost: 1, Delay: time.Second})
		r.seed("http://a.test/1", "http://a.test/2")
		r.robots(r.want("http://a.test/robots.txt"), storage.RobotsRules, 30*time.Second, time.Hour)
		r.commit()
		r.wakes(30 * time.Second)
		r.pass(30 * time.Second)
		r.fetched(r.want("http://a.test/1"))
		r.wakes(30 * time.Second)
	})
	t.Run("a setting is in force at once", func(t *testing.T) {
		r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Hour})
		r.seed("http://a.test/1", "http://a.test/2")
		r.fetched(r.want("http://a.test/1"))
		r.wakes(time.Hour)
		r.ok(r.f.Set(Options{PerHost: 1, IgnoreRobots: true, Delay: time.Second}))
		r.wakes(time.Second)
		r.ok(r.f.Set(Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute}))
		r.wakes(time.Minute)
	})
	t.Run("a new gap counts from what is out", func(t *testing.T) {
		r := newRig(t, Options{PerHost: 2, IgnoreRobots: true})
		r.seed("http://a.test/1", "http://a.test/2")
		r.want("http://a.test/1")
		r.ok(r.f.Set(Options{PerHost: 2, IgnoreRobots: true, Delay: time.Minute}))
		r.wakes(time.Minute)
	})
	t.Run("a slow answer slows the next", func(t *testing.T) {
		r := newRig(t, Options{PerHost: 2, IgnoreRobots: true, Adaptive: true})
		r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		j := r.want("http://a.test/1")
		r.f.Sent(j, r.now)
		v := r.answer(storage.Fetched)
		v.Took = 5000
		r.pass(5 * time.Second)
		k := r.want("http://a.test/2")
		r.f.Sent(k, r.now)
		r.f.Release(j, r.now.Add(-5*time.Second))
		r.ok(r.f.Finish(j, v, nil, 0))
		r.wakes(5 * time.Second)
	})
}

func TestPerHostConnections(t *testing.T) {
	r := newRig(t, Options{PerHost: 3, IgnoreRobots: true})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://a.test/4")
	j := r.want("http://a.test/1")
	r.want("http://a.test/2")
	if k := r.want("http://a.test/3"); k.TellSent {
		t.Error("without a gap nobody need know when a request goes out")
	}
	r.none()
	r.f.Release(j, r.now)
	r.want("http://a.test/4")
}

func TestStartsAreApartWithManyConnections(t *testing.T) {
	r := newRig(t, Options{PerHost: 3, IgnoreRobots: true, Delay: time.Second})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	j := r.want("http://a.test/1")
	if !j.TellSent {
		t.Fatal("TellSent is not set")
	}
	r.pass(time.Hour) // it hangs before the request is out
	r.none()
	r.f.Sent(j, r.now)
	r.wakes(time.Second)
	r.pass(time.Second)
	k := r.want("http://a.test/2")
	// It ends without having been sent.
	r.f.Release(k, time.Time{})
	r.want("http://a.test/3")
}

func TestMaxPagesPerHost(t *testing.T) {
	o := quick()
	o.PerHost, o.MaxPagesPerHost = 4, 2
	r := newRig(t, o)
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://a.test/4")
	j := r.want("http://a.test/1")
	k := r.want("http://a.test/2")
	r.none()
	// A failure does not count.
	r.f.Release(j, r.now)
	r.none() // it may yet count
	r.ok(r.f.Finish(j, r.answer(storage.Failed), nil, 0))
	l := r.want("http://a.test/3")
	r.none()
	r.fetched(k)
	r.fetched(l)
	r.none()
	if _, ok := r.f.Wake(); ok {
		t.Error("there is nothing to wait for")
	}
	r.commit()
	r.reopen()
	r.pass(time.Hour)
	r.none()
	o.MaxPagesPerHost = 3
	r.ok(r.f.Set(o))
	r.fetched(r.want("http://a.test/4"))
}

func TestUncleanEndDelaysEveryHost(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, Delay: time.Minute})
	r.seed("http://a.test/1", "https://a.test/2", "http://b.test/1")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsGivenUp, 0, 24*time.Hour)
	r.robots(r.want("http://b.test/robots.txt"), storage.RobotsAllow, 0, 24*time.Hour)
	r.commit()
	r.pass(time.Hour)
	r.reopen()
	// A job that needs no request goes at once, and lets nothing else through.
	j := r.want("http://a.test/1")
	if j.GaveUp != storage.Robots {
		t.Fatalf("gave up: %v", j.GaveUp)
	}
	r.f.Release(j, time.Time{})
	r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Failed, Class: j.GaveUp}, nil, 0))
	r.wakes(time.Minute)
	r.pass(time.Minute)
	for range 2 {
		if _, ok := r.next(); !ok {
			t.Fatal("a host is not asked after its gap")
		}
	}
}

func TestCleanEndKeepsTheGap(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	r.seed("http://a.test/1", "http://a.test/2", "http://b.test/1")
	r.fetched(r.want("http://a.test/1"))
	r.pass(10 * time.Second)
	r.stop()
	r.want("http://b.test/1")
	r.wakes(50 * time.Second)
}

func TestRequestThatWasBrokenOff(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	r.seed("http://a.test/1")
	j := r.want("http://a.test/1")
	sent := r.now
	r.pass(time.Second)
	r.f.Release(j, sent)
	r.ok(r.f.Abandon(j, storage.Ask{Asked: true, Time: sent.UnixMilli(), Took: 1000}))
	r.stop()
	if c := r.f.Counts(); c.Pending != 1 || c.Requests != 1 {
		t.Errorf("counts %+v", c)
	}
	r.wakes(59 * time.Second)
	r.pass(time.Minute)
	if j := r.want("http://a.test/1"); j.Attempt != 1 || j.Careful {
		t.Errorf("it comes again as %+v", j)
	}
}

func TestShortRunAfterAnUncleanEnd(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	r.seed("http://a.test/1")
	r.reopen()
	r.pass(10 * time.Second)
	r.stop()
	r.wakes(50 * time.Second)
}

func TestClockThatJumpsBack(t *testing.T) {
	const year = 365 * 24 * time.Hour
	o := Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute}

	t.Run("the gap is not longer", func(t *testing.T) {
		r := newRig(t, o)
		r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		r.fetched(r.want("http://a.test/1"))
		r.now = r.now.Add(-year)
		r.stop()
		r.wakes(time.Minute)
		r.pass(time.Minute)
		j := r.want("http://a.test/2")
		r.f.Release(j, time.Time{})
		r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Blocked}, nil, 0))
		r.pass(time.Minute)
		r.want("http://a.test/3")
	})
	t.Run("a retry waits a day at most", func(t *testing.T) {
		r := newRig(t, o)
		r.seed("http://a.test/1")
		r.again(r.want("http://a.test/1"), time.Hour)
		r.now = r.now.Add(-year)
		r.stop()
		r.wakes(24 * time.Hour)
		r.pass(24 * time.Hour)
		r.want("http://a.test/1")
	})
	t.Run("a hold waits a day at most", func(t *testing.T) {
		r := newRig(t, o)
		r.seed("http://a.test/1")
		j := r.want("http://a.test/1")
		r.f.Release(j, r.now)
		e := &storage.Retry{Ask: storage.Ask{Asked: true, Throttled: true, Time: r.now.UnixMilli()}}
		r.ok(r.f.Retry(j, e, time.Hour))
		r.now = r.now.Add(-year)
		r.stop()
		r.wakes(24 * time.Hour)
	})
	t.Run("a robots.txt waits a day at most and serves no longer", func(t *testing.T) {
		o := Options{PerHost: 1}
		r := newRig(t, o)
		r.seed("http://a.test/1", "http://b.test/1")
		r.robots(r.want("http://a.test/robots.txt"), storage.RobotsAllow, 0, 24*time.Hour)
		j := r.want("http://b.test/robots.txt")
		r.f.Release(j, r.now)
		r.ok(r.f.Robots(j, &storage.Host{State: storage.RobotsRetry, Attempt: 1, Due: r.now.Add(time.Hour).UnixMilli()}, 0))
		r.now = r.now.Add(-year)
		r.stop()
		r.pass(24*time.Hour + time.Second)
		for range 2 {
			j, ok := r.next()
			if !ok || !j.Robots {
				t.Fatalf("handed out %s (%v), want a robots.txt", j.URL, ok)
			}
		}
	})
}

func TestHostHeap(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q hostHeap
		hosts := make([]host, 1+rng.IntN(3000))
		at := make([]int64, len(hosts))
		for i := range hosts {
			hosts[i].heap, at[i] = -1, never
		}
		for range 10_000 {
			i := rng.IntN(len(hosts))
			at[i] = rng.Int64N(1000)
			if rng.IntN(3) == 0 {
				at[i] = never
			}
			q.set(&hosts[i], at[i])
		}
		ready, now, due := 0, rng.Int64N(1000), 0
		for i := range hosts {
			if at[i] != never {
				ready++
			}
			if at[i] <= now {
				due++
			}
			if k := hosts[i].heap; at[i] == never && k >= 0 || at[i] != never && q[k] != (turn{at[i], &hosts[i]}) {
				t.Fatalf("seed %d: host %d has its turn at %d, and is in place %d", seed, i, at[i], k)
			}
		}
		if len(q) != ready || q.dueUpTo(now, len(q)) != due {
			t.Fatalf("seed %d: %d ready, %d due, want %d and %d", seed, len(q), q.dueUpTo(now, len(q)), ready, due)
		}
		for last := int64(0); len(q) > 0; {
			if q[0].at < last {
				t.Fatalf("seed %d: %d after %d", seed, q[0].at, last)
			}
			last = q[0].at
			q.set(q[0].host, never)
		}
		if cap(q) > 1024 {
			t.Fatalf("seed %d: an empty heap keeps %d places", seed, cap(q))
		}
	}
}

func TestLeastLeft(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	seals := func(n int, want time.Duration) {
		t.Helper()
		for range n {
			r.commit()
		}
		if got := time.Duration(r.f.Counts().LeastLeft) * time.Millisecond; got != want {
			t.Fatalf("least left is %v, want %v", got, want)
		}
	}
	hosts := func(from, to int) {
		var urls []string
		for i := from; i < to; i++ {
			urls = append(urls, fmt.Sprintf("http://h%d.test/", i))
		}
		r.seed(urls...)
	}
	hosts(0, 900)
	seals(0, time.Minute)
	r.seed("http://h7.test/1")
	seals(0, 2*time.Minute)
	// With many it is known when all were looked at.
	hosts(900, 2500)
	seals(2, 2*time.Minute)
	r.seed("http://h1700.test/1", "http://h1700.test/2")
	seals(0, 2*time.Minute)
	seals(2, 3*time.Minute)
	for r.f.Counts().Pending > 0 {
		for _, j := range r.take() {
			r.fetched(j)
		}
		r.pass(time.Minute)
	}
	seals(1, 0)
}

// BenchmarkAsleep counts the hosts that are asleep when few are: all that are
// not are looked at.
func BenchmarkAsleep(b *testing.B) {
	const n = 100_000
	var q hostHeap
	hosts := make([]host, n)
	for i := range hosts {
		hosts[i].heap = -1
		q.set(&hosts[i], int64(i*7919%n))
	}
	f := &Frontier{waiting: [paces]hostHeap{q}}
	b.ReportAllocs()
	for b.Loop() {
		if got := f.Asleep(time.Unix(0, n-11)); got != 10 {
			b.Fatal(got)
		}
	}
}
