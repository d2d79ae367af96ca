package frontier

import (
	"testing"
	"time"

	"pawl/storage"
)

func TestWhatAHostWaitsFor(t *testing.T) {
	const a = "http://a.test/1"
	slow := Options{PerHost: 1, Delay: 5 * time.Second, IgnoreRobots: true}
	for _, c := range []struct {
		name string
		o    Options
		do   func(r *rig)
		want Wait
		in   time.Duration // until then; 0: that is not known
		lost storage.Class
	}{
		{"nothing", quick(), func(r *rig) { r.fetched(r.want(a)) }, WaitNothing, 0, 0},
		{"a worker", quick(), func(r *rig) {}, WaitWorker, 0, 0},
		{"a worker, after the gap", slow, func(r *rig) {
			r.seed("http://a.test/2")
			r.fetched(r.want(a))
			r.pass(6 * time.Second)
		}, WaitWorker, 0, 0},
		{"a worker, when a commit is done", quick(), func(r *rig) {
			r.fetched(r.want(a), r.candidates("http://a.test/2")...)
		}, WaitWorker, 0, 0},
		{"the gap", slow, func(r *rig) {
			r.seed("http://a.test/2")
			r.fetched(r.want(a))
		}, WaitGap, 5 * time.Second, 0},
		{"the rest that a rule wants", quick(), func(r *rig) {
			r.seed("http://a.test/2")
			j := r.want(a)
			r.f.Delay(j, time.Minute)
			r.f.Sent(j, r.now)
			r.f.Release(j, r.now)
		}, WaitGap, time.Minute, 0},
		{"a hold", quick(), func(r *rig) {
			r.seed("http://a.test/2")
			j := r.want(a)
			r.f.Release(j, r.now)
			ask := storage.Ask{Asked: true, Throttled: true, Time: r.now.UnixMilli()}
			r.ok(r.f.Retry(j, &storage.Retry{Ask: ask, Attempt: 1, Due: r.now.UnixMilli()}, time.Hour))
		}, WaitHold, time.Hour, 0},
		{"a retry", quick(), func(r *rig) { r.again(r.want(a), time.Hour) }, WaitRetry, time.Hour, 0},
		{"robots.txt that is asked for", Options{PerHost: 2}, func(r *rig) { r.want("http://a.test/robots.txt") }, WaitRobots, 0, 0},
		{"robots.txt that is tried again", Options{PerHost: 1}, func(r *rig) {
			j := r.want("http://a.test/robots.txt")
			r.f.Release(j, r.now)
			r.ok(r.f.Robots(j, &storage.Host{
				Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, State: storage.RobotsRetry, Attempt: 1,
				Due: r.now.Add(time.Hour).UnixMilli(),
			}, 0))
			r.commit()
		}, WaitRobots, time.Hour, 0},
		{"the answer", quick(), func(r *rig) {
			r.seed("http://a.test/2")
			r.want(a)
		}, WaitAnswer, 0, 0},
		{"the answer to the last job", Options{PerHost: 2, IgnoreRobots: true}, func(r *rig) { r.want(a) }, WaitAnswer, 0, 0},
		{"the limit", Options{PerHost: 1, IgnoreRobots: true, MaxPagesPerHost: 1}, func(r *rig) {
			r.seed("http://a.test/2")
			r.fetched(r.want(a))
		}, WaitLimit, 0, 0},
		{"nothing any more", quick(), func(r *rig) {
			r.seed("http://a.test/2")
			r.ok(r.f.append(&storage.Host{Origin: "http://a.test", GiveUp: storage.Throttled, Expires: r.now.Add(time.Hour).UnixMilli()}))
		}, WaitLost, 0, storage.Throttled},
		{"nothing any more, for want of a robots.txt", Options{PerHost: 1}, func(r *rig) {
			r.robots(r.want("http://a.test/robots.txt"), storage.RobotsGivenUp, 0, time.Hour)
			r.commit()
		}, WaitLost, 0, storage.Robots},
		{"its turn as a suspect", quick(), func(r *rig) {
			for range 3 {
				r.want(a)
				r.commit()
				r.reopen()
			}
			r.none()
		}, WaitRetry, patience, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.o)
			r.seed(a)
			c.do(r)
			look, ok := r.f.HostNamed("a.test", r.now)
			if !ok || look.Wait != c.want || look.GaveUp != c.lost {
				t.Fatalf("it waits for %v, %v, want %v", look.Wait, look.GaveUp, c.want)
			}
			in := look.Until.Sub(r.now)
			if look.Until.IsZero() {
				in = 0
			}
			if in < c.in || in > c.in+10*time.Millisecond {
				t.Errorf("for %v, want %v", in, c.in)
			}
		})
	}
}

func TestHostsAreLookedAtInSlices(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, Delay: 3 * time.Second, IgnoreRobots: true})
	r.seed("http://a.test/1", "http://a.test/2", "http://b.test/", "http://c.test:81/")
	j := r.want("http://a.test/1")
	r.pass(200 * time.Millisecond)
	r.f.Release(j, r.now)
	v := r.answer(storage.Fetched)
	v.Took = 150
	r.ok(r.f.Finish(j, v, nil, 0))
	r.handOut("http://b.test/")
	var got []HostLook
	next, more := r.f.Hosts(0, 2, r.now, func(l *HostLook) { got = append(got, *l) })
	if next != 2 || !more {
		t.Errorf("next %d, more %v", next, more)
	}
	if next, more = r.f.Hosts(next, 100, r.now, func(l *HostLook) { got = append(got, *l) }); next != 3 || more {
		t.Errorf("next %d, more %v", next, more)
	}
	if got[2].Out == 1 { // whose turn came first is not said
		got[2].Out, got[2].Wait = 0, WaitWorker
	}
	want := []HostLook{
		{Name: "a.test", Pending: 1, Fetched: 1, Took: 150 * time.Millisecond, Wait: WaitGap, Until: time.Unix(0, r.f.gate(r.f.hosts.at(0)))},
		{Name: "b.test", Pending: 1, Out: 1, Wait: WaitAnswer},
		{Name: "c.test:81", Pending: 1, Wait: WaitWorker},
	}
	for i := range want {
		want[i].Gap, want[i].Least = 3*time.Second, 3*time.Second
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("host %d: %+v, want %+v", i, got, want[i])
		}
	}
	if _, ok := r.f.HostNamed("x.test", r.now); ok {
		t.Error("a host that was never met")
	}
}

func TestWaitsHaveWords(t *testing.T) {
	for w := range waits {
		if w.String() == "" {
			t.Errorf("%d has none", w)
		}
	}
	if got := waits.String(); got != "wait(9)" {
		t.Error(got)
	}
}

// BenchmarkLook is what it takes to look at 500 hosts.
func BenchmarkLook(b *testing.B) {
	r, _ := benchRig(b)
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for b.Loop() {
		r.f.Hosts(0, 500, r.now, func(l *HostLook) { n += l.Pending })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/host")
}

// What is said to be left at least must be so: an adaptive gap may become shorter,
// and a host that throttles may stop doing so.
func TestTheLeastTimeLeftIsALowerBound(t *testing.T) {
	h := &host{took: 8000, penalty: 5}
	h.origins[0].delay = 300
	for _, c := range []struct {
		name string
		o    Options
		want time.Duration
	}{
		{"adaptive", Options{Adaptive: true, IgnoreRobots: true}, minAdaptive},
		{"adaptive, with a Crawl-delay", Options{Adaptive: true}, 300 * time.Millisecond},
		{"fixed", Options{Delay: 2 * time.Second}, 2 * time.Second},
		{"none", Options{IgnoreRobots: true}, 0},
	} {
		if got := h.leastGap(&c.o); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
