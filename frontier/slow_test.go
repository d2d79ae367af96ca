package frontier

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pawl/storage"
)

// takes finishes a job that was handed out so long ago.
func (r *rig) takes(j *Job, sent time.Time) {
	r.tb.Helper()
	r.f.Release(j, sent)
	v := &storage.Visit{Outcome: storage.Fetched}
	v.Ask = storage.Ask{Asked: true, Time: sent.UnixMilli(), Took: uint32(r.now.Sub(sent).Milliseconds())}
	r.ok(r.f.Finish(j, v, nil, 0))
}

// handedOut hands out all that may go now, at most as many as there are workers.
func (r *rig) handedOut(workers int) (jobs []Job) {
	r.tb.Helper()
	for len(jobs) < workers {
		j, ok := r.next()
		if !ok {
			break
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func count(jobs []Job, prefix string) (n int) {
	for i := range jobs {
		if strings.HasPrefix(jobs[i].URL, prefix) {
			n++
		}
	}
	return n
}

// Slow hosts leave workers to those that answer, as many as these need, and have
// a part of them in any case.
func TestSlowHosts(t *testing.T) {
	const workers = 8
	for _, c := range []struct {
		name        string
		slow, quick int // hosts, with two addresses each
		took        time.Duration
		want        int // slow ones among the first to go
	}{
		{"slow ones alone have all workers", 20, 0, 30 * time.Second, workers},
		{"one that answers needs one", 20, 1, 30 * time.Second, workers - 1},
		{"three that answer", 20, 3, 30 * time.Second, workers - 3},
		{"many that answer leave a part", 20, 20, 30 * time.Second, workers / 4},
		{"few slow ones have what they need", 1, 20, 30 * time.Second, 1},
		{"not so slow", 20, 20, slowAnswer, workers / 4},
		{"not slow", 20, 20, slowAnswer - time.Millisecond, workers}, // they come first
	} {
		t.Run(c.name, func(t *testing.T) {
			o := quick()
			o.Workers = workers
			r := newRig(t, o)
			var urls []string
			for i := range c.slow {
				urls = append(urls, fmt.Sprintf("http://slow%d.test/1", i), fmt.Sprintf("http://slow%d.test/2", i))
			}
			for i := range c.quick {
				urls = append(urls, fmt.Sprintf("http://quick%d.test/1", i), fmt.Sprintf("http://quick%d.test/2", i))
			}
			r.seed(urls...)
			r.f.options.Workers = 0 // so that all are asked once
			sent := r.now
			first := r.handedOut(len(urls))
			r.f.options.Workers = workers
			r.pass(c.took)
			for i := range first {
				j := &first[i]
				if strings.HasPrefix(j.URL, "http://slow") {
					r.takes(j, sent)
				}
			}
			sent = r.now
			for i := range first {
				j := &first[i]
				if strings.HasPrefix(j.URL, "http://quick") {
					r.takes(j, sent)
				}
			}
			r.commit()
			r.stop() // it is known to the next run as well
			if jobs := r.handedOut(workers); count(jobs, "http://slow") != c.want {
				t.Errorf("%d of %d are slow, want %d", count(jobs, "http://slow"), len(jobs), c.want)
			}
		})
	}
}

// Strangers leave a few workers to those that answer; when they mostly hang, they
// are taken to be slow until they answer again.
func TestStrangers(t *testing.T) {
	const workers = 8
	o := quick()
	o.Workers = workers
	r := newRig(t, o)
	var urls, known []string
	for i := range 60 {
		urls = append(urls, fmt.Sprintf("http://stranger%d.test/", i))
	}
	for i := range 3 * workers {
		known = append(known, fmt.Sprintf("http://known%d.test/1", i), fmt.Sprintf("http://known%d.test/2", i))
	}
	r.seed(known...)
	r.f.options.Workers = 0 // so that all are asked once
	for _, j := range r.handedOut(3 * workers) {
		r.takes(&j, r.now)
	}
	r.f.options.Workers = workers
	r.seed(urls...)
	strangers := func(want int) []Job {
		t.Helper()
		jobs := r.handedOut(workers)
		if len(jobs) != workers || count(jobs, "http://stranger") != want {
			t.Fatalf("%d of %d are strangers, want %d", count(jobs, "http://stranger"), len(jobs), want)
		}
		return jobs
	}
	finish := func(jobs []Job, took time.Duration) {
		for i := range jobs {
			j := &jobs[i]
			if !strings.HasPrefix(j.URL, "http://stranger") {
				// So that there is always one to ask.
				r.f.Release(j, r.now)
				r.ok(r.f.Retry(j, &storage.Retry{Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, Due: r.now.UnixMilli()}, 0))
				continue
			}
			sent := r.now
			r.now = r.now.Add(took)
			r.takes(j, sent)
			r.now = sent
		}
		r.pass(took + time.Second)
	}
	finish(strangers(workers-workers/4), 30*time.Second)
	finish(strangers(workers/4), 30*time.Second)
	// They answer again.
	for range 3 {
		finish(strangers(workers/4), time.Millisecond)
	}
	finish(strangers(workers-workers/4), time.Millisecond)
}

// However hosts answer, a worker that is idle is so because there is nothing for
// it, everything is handed out in the end, in the order found on each host, and
// what is in the file has nothing of whose turn it was.
func TestPacesByChance(t *testing.T) {
	for range 30 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		o := quick()
		o.Workers, o.PerHost = 1+rng.IntN(12), 1+rng.IntN(2)
		if rng.IntN(2) == 0 {
			o.Delay = time.Duration(rng.IntN(3000)) * time.Millisecond
		}
		r := newRig(t, o)
		hosts := 1 + rng.IntN(25)
		took := make([]time.Duration, hosts)
		for h := range took {
			took[h] = []time.Duration{time.Millisecond, 100 * time.Millisecond, 6 * time.Second, 30 * time.Second}[rng.IntN(4)]
		}
		var urls []string
		for i := range 6 * hosts {
			urls = append(urls, fmt.Sprintf("http://h%d.test/%03d", rng.IntN(hosts), i))
		}
		r.seed(urls...)

		type running struct {
			job       Job
			sent, end time.Time
		}
		var out []running
		last := map[string]string{}
		done := 0
		for steps := 0; done < len(urls); steps++ {
			if steps > 20*len(urls) {
				t.Fatalf("seed %d: it turns round and round with %d of %d done", seed, done, len(urls))
			}
			for len(out) < o.Workers {
				j, ok := r.next()
				if !ok {
					break
				}
				if j.URL < last[j.Host] {
					t.Fatalf("seed %d: %s after %s", seed, j.URL, last[j.Host])
				}
				last[j.Host] = j.URL
				var h int
				_, err := fmt.Sscanf(j.Host, "h%d.test", &h)
				r.ok(err)
				if j.TellSent {
					r.f.Sent(&j, r.now)
				}
				out = append(out, running{j, r.now, r.now.Add(took[h])})
			}
			at, ok := r.f.Wake()
			if ok && len(out) < o.Workers && !at.After(r.now) {
				t.Fatalf("seed %d: nothing is handed out, and it wants to be asked again at once", seed)
			}
			if !ok && len(out) == 0 {
				t.Fatalf("seed %d: nothing is out, and it waits for nothing with %d of %d done", seed, done, len(urls))
			}
			first := slices.MinFunc(append(out, running{end: r.now.Add(time.Hour)}), func(a, b running) int { return a.end.Compare(b.end) })
			if ok && len(out) < o.Workers && at.Before(first.end) {
				r.now = at
				continue
			}
			r.now = first.end
			i := slices.IndexFunc(out, func(x running) bool { return x.job.ID == first.job.ID })
			r.takes(&out[i].job, out[i].sent)
			out = slices.Delete(out, i, i+1)
			done++
			if rng.IntN(10) == 0 {
				r.commit()
			}
		}
		if r.f.outBy != [paces]int{} {
			t.Errorf("seed %d: %v are out in the end", seed, r.f.outBy)
		}
		r.commit()
		r.isPure()
	}
}
