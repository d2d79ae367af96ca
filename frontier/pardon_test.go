package frontier

import (
	"fmt"
	"testing"
	"time"

	"pawl/storage"
)

// A host that was down once is not given up for ever: a run that begins later
// asks it again.
func TestGivenUpHostIsPardoned(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/1")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsGivenUp, 0, GivenUpFor)
	r.commit()
	finish := func(j *Job) {
		t.Helper()
		if j.GaveUp != storage.Robots {
			t.Fatalf("gave up: %v", j.GaveUp)
		}
		r.f.Release(j, time.Time{})
		r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Failed, Class: j.GaveUp}, nil, 0))
	}
	finish(r.want("http://a.test/1"))
	r.stop()
	r.seed("http://a.test/2")
	finish(r.want("http://a.test/2"))
	r.pass(GivenUpFor)
	r.seed("http://a.test/3")
	finish(r.want("http://a.test/3")) // this run has given it up
	r.stop()
	r.seed("http://a.test/4")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsAllow, 0, time.Hour)
	r.commit()
	r.fetched(r.want("http://a.test/4"))
	r.none()
}

func TestThrottlingHostIsPardoned(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2")
	r.ok(r.f.append(&storage.Host{
		Origin: "http://a.test", GiveUp: storage.Throttled, Expires: r.now.Add(GivenUpFor).UnixMilli(),
	}))
	r.stop()
	j := r.want("http://a.test/1")
	if j.GaveUp != storage.Throttled {
		t.Fatalf("gave up: %v", j.GaveUp)
	}
	r.f.Release(j, time.Time{})
	r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Failed, Class: j.GaveUp}, nil, 0))
	r.pass(GivenUpFor)
	r.stop()
	r.fetched(r.want("http://a.test/2"))
}

// When the clock is set back, waits do not last for as long as it went.
func TestClockIsSetBack(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	r.seed("http://a.test/1", "http://a.test/2", "http://b.test/1")
	r.fetched(r.want("http://a.test/1"))
	r.again(r.want("http://b.test/1"), 2*time.Minute)
	r.pass(-8 * time.Hour)
	r.ok(r.f.ClockMoved(-8*time.Hour, r.now))
	r.wakes(time.Minute)
	r.pass(time.Minute)
	r.fetched(r.want("http://a.test/2"))
	r.wakes(time.Minute)
	r.pass(time.Minute)
	r.fetched(r.want("http://b.test/1"))
	r.none()
}

// When it goes forward, after sleep or by itself, the gap begins anew.
func TestClockGoesForward(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	r.seed("http://a.test/1", "http://a.test/2", "http://b.test/1")
	r.fetched(r.want("http://a.test/1"))
	r.again(r.want("http://b.test/1"), 2*time.Hour)
	r.pass(3 * time.Hour)
	r.ok(r.f.ClockMoved(3*time.Hour, r.now))
	r.none()
	r.pass(time.Minute)
	if jobs := r.take(); len(jobs) != 2 {
		t.Errorf("%d jobs come, want the next one and the retry that is due", len(jobs))
	}
}

// A host that never answered is not tried for hours.
func TestHostThatNeverWas(t *testing.T) {
	r := newRig(t, quick())
	var urls []string
	for i := range 20 {
		urls = append(urls, fmt.Sprintf("http://a.test/%d", i))
	}
	r.seed(urls...)
	tried := 0
	for {
		j, ok := r.next()
		if !ok {
			break
		}
		v := &storage.Visit{Outcome: storage.Failed, Class: storage.Connect}
		if j.GaveUp == storage.NoClass {
			tried++
			v.Ask = storage.Ask{Asked: true, Unreachable: true, Time: r.now.UnixMilli(), Took: 10}
			r.pass(10 * time.Millisecond)
		} else if j.GaveUp != storage.Connect {
			t.Fatalf("gave up: %v", j.GaveUp)
		}
		r.f.Release(&j, time.Time{})
		r.ok(r.f.Finish(&j, v, nil, 0))
		r.commit()
	}
	if tried != 10 || r.f.Counts().Pending != 0 {
		t.Errorf("tried %d times, %d pending", tried, r.f.Counts().Pending)
	}
}
