package frontier

import (
	"fmt"
	"testing"
	"time"

	"pawl/storage"
)

// walk gives the ordinals of a host's jobs as JobsFrom has them, n at a time.
func walk(t *testing.T, f *Frontier, n int) (ids []storage.JobID, calls int) {
	t.Helper()
	var from storage.JobID
	for more := true; more; calls++ {
		var jobs []QueuedJob
		before := from
		jobs, from, more = f.JobsFrom(nil, from, n)
		if len(jobs) > n {
			t.Fatalf("%d jobs, at most %d are wanted", len(jobs), n)
		}
		if more && compareJobs(before, from) >= 0 {
			t.Fatalf("it does not come on: %v, %v", before, from)
		}
		for _, j := range jobs {
			if len(ids) > 0 && compareJobs(ids[len(ids)-1], j.ID) >= 0 {
				t.Fatalf("%v after %v", j.ID, ids[len(ids)-1])
			}
			ids = append(ids, j.ID)
		}
	}
	return ids, calls
}

// queueOf gives a frontier in which a host has so many jobs, those finished that
// isDone names, and those waiting for a retry that waits names.
func queueOf(t testing.TB, jobs int, isDone, waits func(ord int) bool) *Frontier {
	f := newRig(t, quick()).f
	h := f.hosts.intern("a.test")
	for ord := 0; ord < jobs; ord += storage.MaxLinks {
		h.queue.push(place{seq: uint64(ord + 1)}, 0, min(storage.MaxLinks, jobs-ord))
	}
	for ord := range jobs {
		id := storage.JobID{Ord: uint32(ord)}
		switch {
		case waits(ord):
			r := &retry{ord: id.Ord, heap: -1, event: 1, due: int64(ord * 7919 % 1000)}
			f.retries[id] = r
			h.inTrouble().retries.push(r)
		case !isDone(ord):
			h.left++
			continue
		}
		if err := h.queue.finish(id.Ord); err != nil {
			t.Fatal(err)
		}
	}
	h.left += uint32(len(f.retries))
	return f
}

func never0(int) bool { return false }

func TestJobsAreWalkedWithBoundedWork(t *testing.T) {
	for _, c := range []struct {
		name          string
		jobs          int
		isDone, waits func(ord int) bool
		calls         int // at the most, for 100 jobs each
	}{
		{"all wait", 10_000, never0, never0, 102},
		{"only the last", 3_000_000, func(ord int) bool { return ord < 2_999_999 }, never0, 2},
		{"only the first and the last", 3_000_000, func(ord int) bool { return ord%2_999_999 != 0 }, never0, 10},
		{"every 5000th", 3_000_000, func(ord int) bool { return ord%5000 != 0 }, never0, 20},
		{"few retries of many jobs", 3_000_000, func(ord int) bool { return true }, func(ord int) bool { return ord%50_000 == 3 }, 3},
		{"as many retries as jobs", 20_000, never0, func(ord int) bool { return ord%2 == 0 }, 205},
		{"nothing but retries", 20_000, never0, func(ord int) bool { return true }, 205},
		{"many retries, far apart", 500_000, func(ord int) bool { return true }, func(ord int) bool { return ord%500 == 0 }, 230},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := queueOf(t, c.jobs, c.isDone, c.waits)
			ids, calls := walk(t, f, 100)
			k := 0
			for ord := range c.jobs {
				if c.isDone(ord) && !c.waits(ord) {
					continue
				}
				if k >= len(ids) || ids[k].Ord != uint32(ord) {
					t.Fatalf("job %d is not given", ord)
				}
				k++
			}
			if k != len(ids) {
				t.Errorf("%d jobs, want %d", len(ids), k)
			}
			if calls > c.calls {
				t.Errorf("%d calls, want %d at the most", calls, c.calls)
			}
		})
	}
}

func TestManyHostsWithoutJobsAreWalkedInSlices(t *testing.T) {
	f := newRig(t, quick()).f
	for i := range 100_000 {
		f.hosts.intern(fmt.Sprintf("h%d.test", i))
	}
	ids, calls := walk(t, f, 100)
	if len(ids) != 0 || calls < 20 || calls > 50 {
		t.Errorf("%d jobs in %d calls", len(ids), calls)
	}
}

func TestAJobTellsOfItsLastTry(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2")
	r.again(r.want("http://a.test/1"), time.Hour)
	job := func(ord uint32) QueuedJob {
		jobs, _, _ := r.f.JobsFrom(nil, storage.JobID{Ord: ord}, 1)
		return jobs[0]
	}
	try := func(j QueuedJob) (tried *storage.Retry) {
		r.ok(r.file.View(func(reader *storage.Reader) (err error) {
			tried, err = j.LastTry(reader)
			return err
		}))
		return tried
	}
	j := job(0)
	if j.Attempt != 1 || j.Retry == 0 || try(j) != nil {
		t.Errorf("%+v before it is on disk", j)
	}
	r.commit()
	if got := try(j); got == nil || got.Due != r.now.Add(time.Hour).UnixMilli() {
		t.Errorf("%+v", got)
	}
	if j := job(1); j.Attempt != 0 || try(j) != nil || j.IsOut {
		t.Errorf("%+v", j)
	}
	r.want("http://a.test/2")
	if j := job(1); !j.IsOut {
		t.Errorf("%+v", j)
	}
	n := 0
	for p, err := range r.f.Pending(r.file) {
		r.ok(err)
		if p.Host != "a.test" || (p.Retry != nil) != (n == 0) || p.URL != fmt.Sprintf("http://a.test/%d", n+1) {
			t.Errorf("%+v", p)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d are pending", n)
	}
}

// handOut hands out until the job of this address comes. The others stay out.
func (r *rig) handOut(url string) *Job {
	r.tb.Helper()
	for {
		j, ok := r.next()
		if !ok {
			r.tb.Fatalf("%s is not handed out", url)
		}
		if j.URL == url {
			return &j
		}
	}
}

func TestHowManyJobsComeBefore(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/")
	links := r.candidates("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://b.test/1", "http://a.test/4")
	links[2].Lane, links[4].Lane = storage.LaneHigh, storage.LaneLow
	r.fetched(r.want("http://a.test/"), links...)
	r.commit()
	before := func() map[string]int {
		got := map[string]int{}
		jobs, _, _ := r.f.JobsFrom(nil, storage.JobID{}, 100)
		r.ok(r.file.View(func(reader *storage.Reader) error {
			for i := range jobs {
				found, err := jobs[i].Found(reader, new(storage.FoundReader))
				if err != nil {
					return err
				}
				_, n, ok := r.f.JobAt(jobs[i].Host, jobs[i].Seq, jobs[i].Index)
				if !ok {
					t.Errorf("%s is not there", found.URL)
				}
				got[found.URL[len("http://"):]] = n
			}
			return nil
		}))
		return got
	}
	check := func(want string) {
		t.Helper()
		if got := fmt.Sprint(before()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	check("map[a.test/1:1 a.test/2:2 a.test/3:0 a.test/4:3 b.test/1:0]")
	high := r.handOut("http://a.test/3")
	check("map[a.test/1:0 a.test/2:1 a.test/3:0 a.test/4:2 b.test/1:0]")
	r.again(high, time.Hour)
	r.again(r.handOut("http://a.test/1"), time.Minute)
	check("map[a.test/1:0 a.test/2:0 a.test/3:1 a.test/4:1 b.test/1:0]")
	if _, _, ok := r.f.JobAt("x.test", 1, 0); ok {
		t.Error("a job of a host that is not known")
	}
	if _, _, ok := r.f.JobAt("a.test", 1, 0); ok {
		t.Error("a finished job")
	}
	if id, ok := r.f.HostNumber("b.test"); !ok || id != 1 {
		t.Errorf("b.test is host %d, %v", id, ok)
	}
}
