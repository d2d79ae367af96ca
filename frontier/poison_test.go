package frontier

import (
	"testing"
	"time"

	"pawl/storage"
)

const poison = "http://a.test/poison"

// takeOnly hands out the job of one address, and finishes what comes with it.
func (r *rig) takeOnly(url, other string) *Job {
	jobs := r.take()
	if j := jobs[other]; j != nil {
		r.again(j, 0)
	}
	return jobs[url]
}

// take hands out everything that may go now, by address.
func (r *rig) take() map[string]*Job {
	jobs := map[string]*Job{}
	for {
		j, ok := r.next()
		if !ok {
			return jobs
		}
		jobs[j.URL] = &j
	}
}

func TestPoisonedPage(t *testing.T) {
	const innocent, bystander = "http://a.test/innocent", "http://b.test/bystander"
	o := quick()
	o.PerHost = 10
	r := newRig(t, o)
	r.seed(poison, innocent)

	// Two processes die while both are out.
	for ends := range 2 {
		jobs := r.take()
		for _, url := range []string{poison, innocent} {
			if j := jobs[url]; j.Alone || j.Condemned || j.Careful != (ends > 0) {
				t.Fatalf("%s after %d ends: %+v", url, ends, j)
			}
		}
		r.commit()
		r.reopen()
	}

	// Both are suspects now, and wait until the process has lasted for a while.
	r.seed(bystander)
	jobs := r.take()
	if len(jobs) != 1 || jobs[bystander] == nil || jobs[bystander].Alone {
		t.Fatalf("%d jobs come, want the bystander", len(jobs))
	}
	r.fetched(jobs[bystander])
	r.pass(patience)
	jobs = r.take()
	if !jobs[poison].Alone || !jobs[innocent].Alone {
		t.Fatal("the suspects do not come alone")
	}
	r.f.RunsAlone(jobs[innocent])
	r.commit()
	r.fetched(jobs[innocent])
	r.f.RunsAlone(jobs[poison])
	r.commit()
	r.reopen()

	// Once is not enough: it may have been killed from outside.
	r.pass(patience)
	jobs = r.take()
	if len(jobs) != 1 || !jobs[poison].Alone || jobs[poison].Condemned {
		t.Fatalf("%d jobs come, want the poisoned one alone: %+v", len(jobs), jobs[poison])
	}
	r.f.RunsAlone(jobs[poison])
	r.commit()
	r.reopen()

	jobs = r.take()
	j := jobs[poison]
	if len(jobs) != 1 || !j.Condemned || j.Alone {
		t.Fatalf("the page that died alone twice: %+v", j)
	}
	r.f.Release(j, time.Time{})
	r.ok(r.f.Finish(j, &storage.Visit{Outcome: storage.Failed, Class: storage.Crashed}, nil, 0))
	r.commit()
	r.reopen()
	r.none()
}

func TestMarks(t *testing.T) {
	// A page that is out when the process is killed, so and so often, with
	// what happens in between. Another is always out beside it.
	const other = "http://b.test/other"
	die := func(r *rig) { r.take(); r.commit(); r.reopen() }
	dieAlone := func(r *rig) {
		r.pass(patience)
		r.f.RunsAlone(r.takeOnly(poison, other))
		r.commit()
		r.reopen()
	}
	for _, c := range []struct {
		name             string
		do               func(r *rig)
		careful, alone   bool
		condemned, again bool
	}{
		{name: "never", do: func(r *rig) {}},
		{name: "killed once", do: func(r *rig) { die(r) }, careful: true},
		{name: "killed twice", do: func(r *rig) { die(r); die(r) }, careful: true, alone: true},
		{name: "killed twenty times, never when it ran alone", do: func(r *rig) {
			for range 20 {
				die(r)
			}
		}, careful: true, alone: true},
		{name: "killed before the commit that marks it", do: func(r *rig) { r.commit(); r.take(); r.reopen() }},
		{name: "killed twice, stopped cleanly", do: func(r *rig) { die(r); die(r); r.stop() }},
		{name: "stopped cleanly while it was out", do: func(r *rig) { r.take(); r.stop() }},
		{name: "killed before its turn keeps its mark", do: func(r *rig) {
			die(r)
			for range 5 {
				r.commit()
				r.reopen()
			}
		}, careful: true},
		{name: "killed twice and before its turn", do: func(r *rig) { die(r); die(r); r.commit(); r.reopen() }, careful: true, alone: true},
		{name: "a retry clears the mark", do: func(r *rig) {
			die(r)
			r.again(r.take()[poison], 0)
			r.commit()
		}},
		{name: "a retry clears the mark for the next process too", do: func(r *rig) {
			die(r)
			r.again(r.take()[poison], 0)
			r.stop()
		}},
		{name: "died alone once", do: func(r *rig) { die(r); die(r); dieAlone(r) }, careful: true, alone: true},
		{name: "died alone twice", do: func(r *rig) { die(r); die(r); dieAlone(r); dieAlone(r) }, careful: true, condemned: true},
		{name: "died alone twice, then killed before its turn", do: func(r *rig) {
			die(r)
			die(r)
			dieAlone(r)
			dieAlone(r)
			r.commit()
			r.reopen()
		}, careful: true, condemned: true},
		{name: "came alone, killed before it ran", do: func(r *rig) { die(r); die(r); r.pass(patience); r.take(); r.reopen() }, careful: true, alone: true},
		{name: "ran alone, stopped cleanly", do: func(r *rig) {
			die(r)
			die(r)
			r.pass(patience)
			r.f.RunsAlone(r.takeOnly(poison, other))
			r.commit()
			r.stop()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			r.seed(poison, other)
			r.stop()
			c.do(r)
			r.f.careful = 0 // the window is another test's
			if c.alone {
				r.seed("http://c.test/fresh") // so that there is something else to do
				if r.take()[poison] != nil {
					t.Error("it comes before the process has lasted")
				}
				r.pass(patience)
			}
			j := r.take()[poison]
			if j == nil {
				t.Fatal("it does not come")
			}
			if j.Careful != c.careful || j.Alone != c.alone || j.Condemned != c.condemned {
				t.Errorf("careful %v alone %v condemned %v, want %v %v %v", j.Careful, j.Alone, j.Condemned, c.careful, c.alone, c.condemned)
			}
		})
	}
}

// Killed all the time, a process still gets on when suspects are all that is
// left.
func TestSuspectsAreAllThatIsLeft(t *testing.T) {
	r := newRig(t, quick())
	r.seed(poison)
	for range 2 {
		r.want(poison)
		r.commit()
		r.reopen()
	}
	j := r.want(poison)
	if j.Alone || j.Condemned || !j.Careful {
		t.Fatalf("after two ends: %+v", j)
	}
	r.commit()
	r.reopen()
	// From now on it waits until the process has lasted, and then runs alone.
	for range 2 {
		r.none()
		r.pass(patience)
		j := r.want(poison)
		if !j.Alone || j.Condemned {
			t.Fatalf("after three ends: %+v", j)
		}
		r.f.RunsAlone(j)
		r.commit()
		r.reopen()
	}
	if j := r.want(poison); !j.Condemned {
		t.Fatalf("alone at the last two of five ends: %+v", j)
	}
}

func TestPoisonedRobots(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/1", "http://a.test/2")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsAllow, 0, time.Hour)
	r.commit()
	r.fetched(r.want("http://a.test/1"))
	r.commit()
	r.pass(2 * time.Hour)
	// The next processes die of it when it is asked for again.
	for n := range 7 {
		if n >= 5 {
			r.pass(patience)
		}
		j := r.want("http://a.test/robots.txt")
		if j.Alone != (n >= 5) || j.Condemned {
			t.Fatalf("after %d ends: %+v", n, j)
		}
		if j.Alone {
			r.f.RunsAlone(j)
		}
		r.commit()
		r.reopen()
	}
	j := r.want("http://a.test/robots.txt")
	if !j.Condemned {
		t.Fatalf("the robots.txt that died alone: %+v", j)
	}
	r.f.Release(j, time.Time{})
	r.ok(r.f.Robots(j, &storage.Host{State: storage.RobotsGivenUp, Class: storage.Crashed}, 0))
	r.commit()
	if k := r.want("http://a.test/2"); k.GaveUp != storage.Robots {
		t.Errorf("its page comes as %+v", k)
	}
}

func TestCarefulWindow(t *testing.T) {
	o := quick()
	o.PerHost = 100
	r := newRig(t, o)
	var urls []string
	for i := range 20 {
		urls = append(urls, "http://a.test/"+string(rune('a'+i)))
	}
	r.seed(urls...)
	for _, j := range r.take() {
		if j.Careful {
			t.Fatal("careful in the first run")
		}
	}
	r.reopen() // nothing was marked
	careful := 0
	for _, url := range urls {
		if j := r.want(url); j.Careful {
			careful++
		}
	}
	if careful != window {
		t.Errorf("%d careful jobs, want %d", careful, window)
	}
	r.stop()
	for _, j := range r.take() {
		if j.Careful {
			t.Fatal("careful after a clean stop")
		}
	}
}

// A suspect that has had its time alone runs among others, and stays a suspect
// with more time when the process dies all the same.
func TestSuspectIsPutBack(t *testing.T) {
	const other = "http://b.test/other"
	o := quick()
	o.Workers = 8
	r := newRig(t, o)
	r.seed(poison)
	r.seed(other)
	die := func() { r.take(); r.commit(); r.reopen() }
	die()
	die()
	for n := range 4 {
		r.pass(patience)
		jobs := r.take()
		j := jobs[poison]
		if !j.Alone || j.Within != time.Second<<n {
			t.Fatalf("after %d ends: %+v", n+2, j)
		}
		r.f.Release(j, r.now)
		r.f.PutBack(j, r.now)
		if j = r.take()[poison]; j == nil || j.Alone || !j.Careful || j.Attempt != 1 {
			t.Fatalf("put back, it comes as %+v", j)
		}
		r.commit()
		r.reopen()
	}
	// Through among others, it is none any more.
	r.pass(patience)
	jobs := r.take()
	j := jobs[poison]
	r.f.Release(j, r.now)
	r.f.PutBack(j, r.now)
	j = r.want(poison)
	r.fetched(j)
	r.fetched(jobs[other])
	r.commit()
	r.none()
	if len(r.f.suspects) != 0 || len(r.f.spared) != 0 || r.f.outBy != [paces]int{} {
		t.Errorf("left are %v, %v, %v", r.f.suspects, r.f.spared, r.f.outBy)
	}
	r.isPure()
}

// A robots.txt is put back as well.
func TestPoisonedRobotsIsPutBack(t *testing.T) {
	r := newRig(t, Options{PerHost: 1, Workers: 4})
	r.seed("http://a.test/1")
	const robots = "http://a.test/robots.txt"
	for range 5 {
		r.want(robots)
		r.commit()
		r.reopen()
	}
	r.pass(time.Minute)
	j := r.want(robots)
	if !j.Alone || j.Within != time.Second {
		t.Fatalf("it comes as %+v", j)
	}
	r.f.Release(j, r.now)
	r.f.PutBack(j, r.now)
	r.pass(time.Minute)
	j = r.want(robots)
	if j.Alone || !j.Careful {
		t.Fatalf("put back, it comes as %+v", j)
	}
	r.robots(j, storage.RobotsAllow, 0, time.Hour)
	r.commit()
	r.pass(time.Minute)
	r.fetched(r.want("http://a.test/1"))
	r.commit()
	r.isPure()
}
