package frontier

import (
	"fmt"
	"testing"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

func TestNothingIsHandedOutBeforeItIsOnDisk(t *testing.T) {
	r := newRig(t, quick())
	_, err := r.f.AddSeeds(r.candidates("http://a.test/1"), nil, r.now)
	r.ok(err)
	r.none()
	first := r.f.Seal(r.now)
	r.none()
	// More is found while the batch is on its way.
	_, err = r.f.AddSeeds(r.candidates("http://a.test/2", "http://b.test/1"), nil, r.now)
	r.ok(err)
	r.ok(r.file.Commit(first))
	r.f.Committed()
	j := r.want("http://a.test/1")
	r.fetched(j, r.candidates("http://a.test/3")...)
	r.none()
	second := r.f.Seal(r.now)
	r.ok(r.file.Commit(second))
	r.f.Committed()
	if got := len(r.take()); got != 2 { // one of each host
		t.Errorf("%d jobs, want 2", got)
	}
	r.isPure()
}

func TestLostCommitIsDoneAgain(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1")
	r.fetched(r.want("http://a.test/1"), r.candidates("http://a.test/2")...)
	r.f.Seal(r.now)
	r.reopen()
	r.fetched(r.want("http://a.test/1"), r.candidates("http://a.test/2")...)
	r.commit()
	r.reopen()
	r.fetched(r.want("http://a.test/2"))
	if n := r.f.Counts().Pending; n != 0 {
		t.Errorf("%d pending", n)
	}
}

func TestJobsComeInTheOrderFound(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/0", "http://a.test/1")
	// Links of many origins are gathered by origin in their events.
	var links []string
	for i := range 40 {
		links = append(links, fmt.Sprintf("http://h%d.test/%d", i%13, i), fmt.Sprintf("http://a.test/%d", i+2))
	}
	r.fetched(r.want("http://a.test/0"), r.candidates(links...)...)
	r.commit()
	seen := map[string]int{}
	for {
		j, ok := r.next()
		if !ok {
			break
		}
		var n int
		if _, err := fmt.Sscanf(weburl.URL(j.URL).Path(), "/%d", &n); err != nil {
			t.Fatal(err)
		}
		if last, ok := seen[j.Host]; ok && n <= last {
			t.Errorf("%s comes after /%d", j.URL, last)
		}
		seen[j.Host] = n
		r.fetched(&j)
	}
	if seen["a.test"] != 41 || len(seen) != 14 || r.f.Counts().Pending != 0 {
		t.Errorf("%d hosts, a.test up to %d, %d pending", len(seen), seen["a.test"], r.f.Counts().Pending)
	}
}

func TestRobotsBeforePages(t *testing.T) {
	const home, home2 = "http://a.test/1", "https://a.test/1"
	for _, c := range []struct {
		name  string
		state storage.RobotsState
		gave  storage.Class
	}{
		{"rules", storage.RobotsRules, storage.NoClass},
		{"none there", storage.RobotsAllow, storage.NoClass},
		{"given up", storage.RobotsGivenUp, storage.Robots},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Options{PerHost: 5})
			r.seed(home, home2)
			j := r.want("http://a.test/robots.txt")
			if !j.Robots || j.Attempt != 1 || j.ID.Ord != storage.OrdRobotsHTTP {
				t.Errorf("%+v", j)
			}
			r.robots(j, c.state, 0, time.Hour)
			r.none() // the rules are not on disk
			r.f.Seal(r.now)
			r.none()
			r.reopen() // and are lost

			r.robots(r.want("http://a.test/robots.txt"), c.state, 0, time.Hour)
			seq := r.f.Seq()
			r.commit()
			j = r.want(home)
			if j.GaveUp != c.gave || c.state == storage.RobotsRules && j.Rules != seq {
				t.Errorf("gave up %v rules %d, want %v of %d", j.GaveUp, j.Rules, c.gave, seq)
			}
			// The other origin of the host has its own.
			r.want("https://a.test/robots.txt")
			r.none()
		})
	}
}

func TestRobotsIsAskedAgainWhenOld(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsRules, 0, time.Hour)
	first := r.f.Seq()
	r.commit()
	r.fetched(r.want("http://a.test/1"))
	r.pass(time.Hour)
	j := r.want("http://a.test/robots.txt")
	if state, _, rules := r.f.RobotsCopy(j); state != storage.RobotsRules || rules != first {
		t.Errorf("the copy is %v of %d", state, rules)
	}
	// It is the same, so the first text stays in force.
	r.f.Release(j, r.now)
	r.ok(r.f.Robots(j, &storage.Host{State: storage.RobotsRules, Same: true, Expires: r.now.Add(time.Hour).UnixMilli()}, 0))
	r.commit()
	if j := r.want("http://a.test/2"); j.Rules != first {
		t.Errorf("rules of %d, want %d", j.Rules, first)
	}
}

func TestRobotsServesOneJobHoweverOld(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, Delay: 2 * time.Hour})
	r.seed("http://a.test/1", "http://a.test/2", "https://a.test/3")
	asked := map[string]int{}
	for range 20 {
		at, ok := r.f.Wake()
		if !ok {
			break
		}
		if at.After(r.now) {
			r.now = at
		}
		j, _ := r.next()
		asked[j.URL]++
		if j.Robots {
			r.robots(&j, storage.RobotsAllow, 0, time.Hour)
		} else {
			r.fetched(&j)
		}
		r.commit()
	}
	if r.f.Counts().Pending != 0 {
		t.Errorf("the crawl does not end: asked for %v", asked)
	}
}

func TestRobotsElsewhere(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, Delay: time.Minute})
	r.seed("http://a.test/1", "http://b.test/1")
	redirect := func(j *Job, next string) {
		r.f.Release(j, r.now)
		r.ok(r.f.Robots(j, &storage.Host{
			Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, State: storage.RobotsRedirect, Hops: j.Hops + 1, Next: next,
		}, 0))
	}
	jobs := r.take()
	r.robots(jobs["http://b.test/robots.txt"], storage.RobotsAllow, 0, 24*time.Hour)
	redirect(jobs["http://a.test/robots.txt"], "http://b.test/r.txt")
	r.commit()
	r.wakes(time.Minute) // it waits for its turn on the other host
	r.pass(time.Minute)
	j := r.want("http://b.test/r.txt")
	if j.Host != "a.test" || j.Asked != "b.test" || j.Hops != 1 || !j.Robots {
		t.Fatalf("%+v", j)
	}
	// Its host throttles: that holds b.test, and the errand with it.
	r.f.Release(j, r.now)
	ask := storage.Ask{Asked: true, Time: r.now.UnixMilli(), Throttled: true}
	r.ok(r.f.Robots(j, &storage.Host{Ask: ask, State: storage.RobotsRetry, Attempt: 1, Hops: 1, Next: j.URL, Due: r.now.UnixMilli()}, 5*time.Minute))
	r.commit()
	r.wakes(5 * time.Minute)
	r.stop()
	r.wakes(5 * time.Minute)
	r.pass(5 * time.Minute)
	if j = r.want("http://b.test/r.txt"); j.Attempt != 2 || j.Hops != 1 {
		t.Fatalf("%+v", j)
	}
	r.robots(j, storage.RobotsAllow, 0, 24*time.Hour)
	r.commit()
	r.fetched(r.want("http://a.test/1"))
	r.commit()
	r.stop()
	// What was answered is not asked again.
	r.pass(time.Hour)
	r.fetched(r.want("http://b.test/1"))
	r.commit()
	r.pass(time.Hour)
	r.none()
	if _, ok := r.f.Wake(); ok {
		t.Error("something waits")
	}
	r.isPure()
}

func TestRobotsOfGivenUpHost(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/1")
	j := r.want("http://a.test/robots.txt")
	r.f.Release(j, r.now)
	r.ok(r.f.Robots(j, &storage.Host{State: storage.RobotsRedirect, Hops: 1, Next: "http://b.test/r.txt"}, 0))
	r.ok(r.f.append(&storage.Host{Origin: "http://b.test", GiveUp: storage.Throttled, Expires: r.now.Add(time.Minute).UnixMilli()}))
	r.commit()
	r.reopen()
	j = r.want("http://b.test/r.txt")
	if j.GaveUp != storage.Throttled {
		t.Fatalf("%+v", j)
	}
	r.f.Release(j, time.Time{})
	r.ok(r.f.Robots(j, &storage.Host{State: storage.RobotsGivenUp, Class: j.GaveUp}, 0))
	r.commit()
	if j := r.want("http://a.test/1"); j.GaveUp != storage.Robots {
		t.Errorf("%+v", j)
	}
}

func TestRetries(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	r.again(r.want("http://a.test/1"), time.Minute)
	r.again(r.want("http://a.test/2"), time.Second)
	r.fetched(r.want("http://a.test/3"))
	if c := r.f.Counts(); c.Pending != 2 || c.Retrying != 2 {
		t.Errorf("%+v", c)
	}
	r.commit()
	r.wakes(time.Second)
	r.stop()
	r.wakes(time.Second)
	r.pass(time.Second)
	j := r.want("http://a.test/2")
	if j.Attempt != 2 {
		t.Errorf("attempt %d", j.Attempt)
	}
	r.again(j, 2*time.Minute)
	r.commit()
	r.isPure()
	r.pass(time.Hour)
	r.fetched(r.want("http://a.test/1"))
	j = r.want("http://a.test/2")
	if j.Attempt != 3 {
		t.Errorf("attempt %d", j.Attempt)
	}
	r.fetched(j)
	r.commit()
	r.isPure()
	r.stop()
	r.pass(time.Hour)
	r.none()
}

func TestPending(t *testing.T) {
	r := newRig(t, quick())
	var urls []string
	for i := range 2*pendingRows + 5 {
		urls = append(urls, fmt.Sprintf("http://a.test/%d", i))
	}
	r.seed(urls...)
	for i := range 10 {
		j := r.want(urls[i])
		if i == 3 {
			r.again(j, time.Hour)
		} else {
			r.fetched(j)
		}
	}
	r.seed("http://b.test/1")
	r.reopen()
	var got []Pending
	for p, err := range r.f.Pending(r.file) {
		r.ok(err)
		got = append(got, p)
	}
	if len(got) != len(urls)-9+1 {
		t.Fatalf("%d jobs pending", len(got))
	}
	if p := got[0]; p.URL != urls[3] || p.Retry == nil || p.Retry.Attempt != 1 || p.Retry.Due != r.now.Add(time.Hour).UnixMilli() || p.Host != "a.test" {
		t.Errorf("first %+v", p)
	}
	if p := got[1]; p.URL != urls[10] || p.Retry != nil {
		t.Errorf("second %+v", p)
	}
	if p := got[len(got)-1]; p.URL != "http://b.test/1" {
		t.Errorf("last %+v", p)
	}
}

func TestAsleep(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, IgnoreRobots: true, Delay: time.Minute})
	r.seed("http://a.test/1", "http://a.test/2", "http://b.test/1", "http://b.test/2", "http://c.test/1")
	for _, j := range r.take() {
		r.fetched(j)
	}
	if n := r.f.Asleep(r.now); n != 2 {
		t.Errorf("%d hosts are asleep, want 2", n)
	}
	if n := r.f.Out(); n != 0 {
		t.Errorf("%d jobs are out", n)
	}
}
