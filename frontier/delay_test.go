package frontier

import (
	"testing"
	"time"

	"pawl/storage"
)

// The next request of a host goes out when the rest is over that a job asked
// for, or the host's own gap, whichever is longer.
func TestHostRestsAfterAJob(t *testing.T) {
	for _, c := range []struct {
		name       string
		host, rest time.Duration
		want       time.Duration
	}{
		{"no gap of its own", 0, 5 * time.Second, 5 * time.Second},
		{"a shorter gap of its own", 2 * time.Second, 5 * time.Second, 5 * time.Second},
		{"a longer gap of its own", 9 * time.Second, 5 * time.Second, 9 * time.Second},
		{"no rest", 2 * time.Second, 0, 2 * time.Second},
		{"a rest of more than a day", 0, 100 * time.Hour, 24 * time.Hour},
	} {
		for _, perHost := range []int{1, 3} {
			for _, finish := range []string{"finished", "retried", "not yet over", "broken off"} {
				t.Run(c.name+", "+finish, func(t *testing.T) {
					o := quick()
					o.PerHost, o.Delay = perHost, c.host
					r := newRig(t, o)
					r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
					j := r.want("http://a.test/1")
					r.f.Delay(j, c.rest)
					if want := c.rest > 0 || perHost > 1 && c.host > 0; j.TellSent != want {
						t.Errorf("TellSent is %v", j.TellSent)
					}
					if c.rest > 0 {
						r.none() // it has not gone out
					}
					r.pass(30 * time.Second) // by then it has
					sent := r.now
					if j.TellSent {
						r.f.Sent(j, sent)
					}
					r.pass(time.Second)
					v := &storage.Visit{Ask: storage.Ask{Asked: true, Time: sent.UnixMilli(), Took: 1000}, Outcome: storage.Fetched}
					switch finish {
					case "finished":
						r.f.Release(j, sent)
						r.ok(r.f.Finish(j, v, nil, 0))
					case "retried":
						r.f.Release(j, sent)
						r.ok(r.f.Retry(j, &storage.Retry{Ask: v.Ask, Attempt: 1, Due: r.now.Add(24 * time.Hour).UnixMilli()}, 0))
					case "broken off":
						r.f.Release(j, sent)
						r.ok(r.f.Abandon(j, v.Ask))
					case "not yet over":
						if perHost == 1 {
							r.none()
							r.f.Release(j, sent)
						}
					}
					r.wakes(c.want - time.Second)
					r.commit()
					if finish != "not yet over" && finish != "broken off" {
						r.stop()
						r.wakes(c.want - time.Second)
					}
					r.pass(c.want - time.Second + 10*time.Millisecond)
					r.want("http://a.test/2")
				})
			}
		}
	}
}

// A process that ends right after it has stored what became of the job does not
// cut the rest short, by whatever way the next one starts.
func TestRestIsKept(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2")
	r.now = r.now.Add(999_999 * time.Nanosecond) // the file has whole milliseconds
	j := r.want("http://a.test/1")
	r.f.Delay(j, time.Hour+time.Nanosecond)
	sent := r.now
	r.fetched(j)
	r.commit()
	r.isPure()
	r.f.check.every = 1
	r.stop()
	at, ok := r.f.Wake()
	if early := sent.Add(time.Hour + 1).Sub(at); !ok || early > 0 || early < -2*time.Millisecond {
		t.Errorf("the host is asked again %v too early (%v)", early, ok)
	}
}

func TestJobWithoutARequestBringsNoRest(t *testing.T) {
	for _, perHost := range []int{1, 2} {
		o := quick()
		o.PerHost = perHost
		r := newRig(t, o)
		r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		j := r.want("http://a.test/1")
		r.f.Delay(j, time.Hour)
		r.f.Release(j, time.Time{})
		r.ok(r.f.Withdraw(j, storage.Excluded, r.now))
		j = r.want("http://a.test/2")
		r.f.Delay(j, time.Hour)
		r.f.Release(j, time.Time{})
		v := &storage.Visit{Ask: storage.Ask{Time: r.now.UnixMilli()}, Outcome: storage.Blocked}
		r.ok(r.f.Finish(j, v, nil, 0))
		if v.Hold != 0 {
			t.Errorf("the host is held until %d", v.Hold)
		}
		r.want("http://a.test/3")
	}
}

// While a host has no more to rest nothing is kept of it.
func TestRestsAreForgotten(t *testing.T) {
	o := quick()
	o.PerHost = 4
	r := newRig(t, o)
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	j := r.want("http://a.test/1")
	r.f.Delay(j, time.Minute)
	r.f.Sent(j, r.now)
	r.pass(time.Minute)
	second := r.want("http://a.test/2")
	if len(r.f.rests) != 0 || r.f.hosts.at(0).rests {
		t.Errorf("%d rests", len(r.f.rests))
	}
	r.f.Release(j, r.now.Add(-time.Minute)) // late, and over
	r.f.Release(second, r.now)
	r.want("http://a.test/3")
}

// The machine's clock moves the end of a rest as it moves gaps.
func TestRestMovesWithTheClock(t *testing.T) {
	for _, by := range []time.Duration{8 * time.Hour, -8 * time.Hour} {
		o := quick()
		o.PerHost = 2
		r := newRig(t, o)
		r.seed("http://a.test/1", "http://a.test/2")
		j := r.want("http://a.test/1")
		r.f.Delay(j, time.Minute)
		r.f.Sent(j, r.now)
		r.pass(by)
		r.ok(r.f.ClockMoved(by, r.now))
		r.wakes(time.Minute)
	}
}
