package frontier

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pawl/storage"
)

// pageLinks are the links of the n-th page: 8 new ones and 42 that are known.
func (r *rig) pageLinks(n int, known []Candidate) []Candidate {
	links := make([]Candidate, 0, 50)
	for i := range 8 {
		u := fmt.Sprintf("https://host%d.test/section/%d/page-%d.html", n%500, n, i)
		links = append(links, Candidate{Link: storage.Link{URL: u, Anchor: "read more"}, FP: r.f.Fingerprint(u)})
	}
	for i := range 42 {
		links = append(links, known[(n*42+i)%len(known)])
	}
	return links
}

func benchRig(b *testing.B) (r *rig, known []Candidate) {
	r = newRig(b, Options{PerHost: 1000, IgnoreRobots: true})
	var urls []string
	for i := range 5000 {
		urls = append(urls, fmt.Sprintf("https://host%d.test/start/%d", i%500, i))
	}
	r.seed(urls...)
	return r, r.candidates(urls...)
}

// crawlPages takes n pages through the frontier, at most 256 a commit.
func (r *rig) crawlPages(b *testing.B, n int, known []Candidate) {
	links := make([][]Candidate, 0, 256)
	jobs := make([]Job, 0, 256)
	for done := 0; done < n; done += len(jobs) {
		// Making the links is not the frontier's work.
		b.StopTimer()
		links, jobs = links[:0], jobs[:0]
		for i := range min(256, n-done) {
			links = append(links, r.pageLinks(int(r.f.Seq())+i, known))
		}
		b.StartTimer()
		r.ok(r.file.View(func(reader *storage.Reader) error {
			for range links {
				j, ok, err := r.f.Next(r.now, reader)
				if err != nil || !ok {
					return fmt.Errorf("nothing to hand out: %w", err)
				}
				jobs = append(jobs, j)
			}
			return nil
		}))
		for i := range jobs {
			r.f.Release(&jobs[i], r.now)
			v := &storage.Visit{
				Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli(), Took: 80}, Outcome: storage.Fetched, Status: 200,
				Record: storage.Record{ContentType: "text/html; charset=utf-8", Title: "A page with a title of usual length", Outlinks: 50},
			}
			r.ok(r.f.Finish(&jobs[i], v, links[i], 0))
		}
		r.commit()
	}
}

// BenchmarkCrawl is a completed job with everything that the frontier and the
// file do for it.
func BenchmarkCrawl(b *testing.B) {
	r, known := benchRig(b)
	b.ReportAllocs()
	b.ResetTimer()
	r.crawlPages(b, b.N, known)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}

// BenchmarkLoad folds a log of 100,000 visits with 8 new links each.
func BenchmarkLoad(b *testing.B) {
	r, known := benchRig(b)
	r.crawlPages(b, 100_000, known)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		f, err := Load(r.file, r.o)
		r.ok(err)
		if c := f.Counts(); c.Done() != 100_000 {
			b.Fatalf("%+v", c)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "visits/s")
}

// BenchmarkRetries is a host on which everything fails and waits.
func BenchmarkRetries(b *testing.B) {
	r := newRig(b, quick())
	const waiting = 10_000
	var urls []string
	for i := range waiting {
		urls = append(urls, fmt.Sprintf("https://a.test/%d", i))
	}
	r.seed(urls...)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.ok(r.file.View(func(reader *storage.Reader) error {
			if at, _ := r.f.Wake(); at.After(r.now) {
				r.now = at
			}
			j, _, err := r.f.Next(r.now, reader)
			r.f.Release(&j, r.now)
			r.ok(r.f.Retry(&j, &storage.Retry{
				Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, Attempt: 1, Due: r.now.Add(time.Duration(i*7919%waiting) * time.Second).UnixMilli(),
			}, 0))
			return err
		}))
		if r.f.Waiting() >= 256 {
			r.commit()
		}
	}
}

// BenchmarkFreeze is what a checkpoint holds the crawl up for, with 100,000
// hosts that have pending jobs.
func BenchmarkFreeze(b *testing.B) {
	o := Defaults()
	o.PerHost, o.CheckpointEvery = 2, 1<<40
	r := newRig(b, o)
	r.crawlHosts(100_000, 2)
	rng := rand.New(rand.NewPCG(1, 2))
	const since = checkpointWeight * 2 / 3 // addresses, when a page brings 8
	pieces := 0
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for len(r.f.journal.seen) < since {
			r.f.journal.seen = append(r.f.journal.seen, rng.Uint64())
		}
		b.StartTimer()
		r.f.freeze()
		pieces = len(r.f.check.pieces)
		r.f.check.pieces, r.f.check.open = nil, false
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
	b.ReportMetric(float64(pieces), "pieces")
}

// BenchmarkRestore reads a checkpoint of a million addresses.
func BenchmarkRestore(b *testing.B) {
	r, known := benchRig(b)
	r.crawlPages(b, 125_000, known)
	r.f.Stop()
	r.commit()
	r.ok(r.f.Rest(r.file))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		f, damage, err := Restore(r.file, r.o)
		r.ok(errors.Join(damage, err))
		if f.Seq() != r.f.Seq() {
			b.Fatalf("event %d", f.Seq())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
}
