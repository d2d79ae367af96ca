package frontier

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"pawl/storage"
)

func TestHostsAgainstMap(t *testing.T) {
	var hosts hosts
	numbers := map[string]uint32{}
	pointers := map[string]*host{}
	names := []string{""}
	for i := range 5000 {
		names = append(names, fmt.Sprintf("host-%d.test", i*7919%3000), fmt.Sprintf("%d.test:%d", i%100, i))
	}
	for _, name := range names {
		_, known := numbers[name]
		if h := hosts.find(name); (h != nil) != known {
			t.Fatalf("%q is known: %v, want %v", name, h != nil, known)
		}
		h := hosts.intern(name)
		if !known {
			numbers[name], pointers[name] = uint32(len(numbers)), h
		}
		if h.id != numbers[name] || h.name != name || h != pointers[name] || hosts.at(h.id) != h {
			t.Fatalf("%q is host %d, %q, want %d", name, h.id, h.name, numbers[name])
		}
	}
	n := uint32(0)
	for h := range hosts.all() {
		if h.id != n || numbers[h.name] != n {
			t.Fatalf("host %d is visited as the %d-th", h.id, n)
		}
		n++
	}
	if int(n) != len(numbers) || hosts.n != len(numbers) {
		t.Fatalf("%d hosts visited, %d counted, want %d", n, hosts.n, len(numbers))
	}
}

// crawlHosts takes one page of each of n hosts through the frontier, robots.txt
// first, and leaves the given number of further pages pending on each.
func (r *rig) crawlHosts(n, pending int) {
	r.tb.Helper()
	r.seed("http://start.test/")
	r.robots(r.want("http://start.test/robots.txt"), storage.RobotsAllow, 0, 24*time.Hour)
	r.commit()
	r.pass(time.Second)
	start := r.want("http://start.test/")
	r.f.Release(start, r.now)
	const portion = 1000
	for first := 0; first < n; first += portion {
		r.pass(time.Second)
		var links []Candidate
		for i := first; i < min(n, first+portion); i++ {
			for page := range 1 + pending {
				links = append(links, r.candidates(fmt.Sprintf("https://www.site-%06d.example/page/%d", i, page))...)
			}
		}
		if first == 0 {
			r.ok(r.f.Finish(start, r.answer(storage.Fetched), links, 0))
		} else {
			_, err := r.f.Readmit(&storage.LinksHead{FoundOn: "http://start.test/"}, links, r.now)
			r.ok(err)
		}
		for range 2 {
			r.commit()
			r.ok(r.file.View(func(reader *storage.Reader) error {
				for range min(n, first+portion) - first {
					j, ok, err := r.f.Next(r.now, reader)
					if !ok || err != nil {
						return fmt.Errorf("nothing to hand out: %w", err)
					}
					if j.Robots {
						r.robots(&j, storage.RobotsAllow, 0, 24*time.Hour)
					} else {
						r.fetched(&j)
					}
				}
				return nil
			}))
			r.pass(time.Second)
		}
	}
	r.commit()
}

// hostBytes is the memory that one of n hosts takes. The set of addresses is
// not counted.
func (r *rig) hostBytes(n int) float64 {
	with := heapInUse()
	seen := uint64(0)
	for i := range shards {
		seen += 8*uint64(cap(r.f.seen.admitted.shards[i].slots)) + 9*uint64(cap(r.f.seen.refused.shards[i].slots))
	}
	// Neither are buffers that do not grow with the number of hosts, and what the
	// next checkpoint is to hold.
	buffers := []any{r.f.journal, r.f.sifted, r.f.text, r.f.batch, r.f.spare, r.f.staged, r.f.sealed, r.f.stagedRobots, r.f.sealedRobots}
	r.f = nil
	defer runtime.KeepAlive(buffers)
	return float64(with-heapInUse()-seen) / float64(n)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestIdleHostIsSmall(t *testing.T) {
	// The index by name has just grown.
	const n = 22_500
	const most = 200
	o := Defaults()
	o.PerHost = 2
	r := newRig(t, o)
	r.crawlHosts(n, 0)
	if c := r.f.Counts(); c.Pending != 0 || c.Hosts != n+1 || c.Done() != n+1 {
		t.Fatalf("counts %+v", c)
	}
	if got := r.hostBytes(n); got > most {
		t.Errorf("after a crawl a host takes %.0f bytes, want at most %d", got, most)
	} else {
		t.Logf("after a crawl a host takes %.0f bytes", got)
	}
	r.reopen()
	if got := r.hostBytes(n); got > most {
		t.Errorf("after a restart a host takes %.0f bytes, want at most %d", got, most)
	} else {
		t.Logf("after a restart a host takes %.0f bytes", got)
	}
}

// BenchmarkHosts measures the memory of hosts with pending jobs.
func BenchmarkHosts(b *testing.B) {
	const n = 22_500
	for _, pending := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("pending=%d", pending), func(b *testing.B) {
			var bytes float64
			for range b.N {
				r := newRig(b, Defaults())
				r.crawlHosts(n, pending)
				bytes = r.hostBytes(n)
			}
			b.ReportMetric(bytes, "B/host")
		})
	}
}
