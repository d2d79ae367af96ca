package crawl

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"pawl/storage"
)

var sweepJobsFlag = flag.Int("sweep.jobs", 100_000, "how many jobs BenchmarkEdit edits")

// manySeeds are n addresses on a hundred hosts, one a line.
func manySeeds(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		for i := range n {
			fmt.Fprintf(w, "http://host%d.test/some/folder/page-%d.html\n", i%100, i)
		}
		w.Close()
	}()
	return r
}

// BenchmarkEdit drops, restores and reopens very many jobs of a crawl that runs. It
// tells how long the crawl was held up at the most, and the memory that was in use
// on top.
func BenchmarkEdit(b *testing.B) {
	n := *sweepJobsFlag
	path := b.TempDir() + "/crawl.pawl"
	settings := Defaults("pawl/test")
	settings.IgnoreRobots, settings.Delay, settings.Retries = true, time.Hour, 0
	file, err := storage.Create(path, Rules(&settings))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	p := newPaper()
	p.all = func(string) (answer, bool) { return status(404), true }
	var (
		c    *Crawl
		ctx  context.Context
		stop func()
	)
	begin := func(o Options) {
		var err error
		if c, err = New(file, o); err != nil {
			b.Fatal(err)
		}
		over := make(chan error, 1)
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(b.Context())
		do := (*Crawl).Rest
		if o.Transport != nil {
			do = func(c *Crawl, ctx context.Context) error { _, err := c.Run(ctx); return err }
		}
		go func() { over <- do(c, ctx) }()
		stop = func() {
			cancel()
			if err := <-over; err != nil {
				b.Error(err)
			}
		}
	}
	begin(Options{Settings: settings, Transport: p, Input: Input{Stdin: manySeeds(n)}})
	for c.Progress().Counts.Admitted < uint64(n) || c.Progress().Seeding {
		time.Sleep(10 * time.Millisecond)
	}
	edit := func(name string, e Edit) {
		b.Run(name, func(b *testing.B) {
			if b.N > 1 {
				return // it can be done once
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			size := file.Size()
			done := make(chan uint64)
			began := time.Now()
			go func() {
				d, err := c.Edit(ctx, e)
				if err != nil {
					b.Error(err)
					d = new(Edited)
				}
				done <- d.Addresses
			}()
			longest, most := time.Duration(0), uint64(0)
			for {
				select {
				case addresses := <-done:
					took := time.Since(began)
					runtime.GC()
					runtime.ReadMemStats(&after)
					b.ReportMetric(took.Seconds(), "s")
					b.ReportMetric(float64(took.Nanoseconds())/float64(max(addresses, 1)), "ns/address")
					b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
					b.ReportMetric(float64(most-min(most, before.HeapAlloc))/1e6, "MB-on-top")
					b.ReportMetric(float64(file.Size()-size)/float64(max(addresses, 1)), "B/address")
					b.ReportMetric(float64(addresses), "addresses")
					return
				case <-time.After(5 * time.Millisecond):
				}
				at := time.Now()
				if err := c.do(ctx, func(*loop) error { return nil }); err != nil {
					b.Error(err)
				}
				longest = max(longest, time.Since(at))
				runtime.ReadMemStats(&after)
				most = max(most, after.HeapAlloc)
			}
		})
	}
	// Something is left whatever is dropped.
	if _, err := c.Add(ctx, []string{"http://held.test/1", "http://held.test/2"}); err != nil {
		b.Fatal(err)
	}
	edit("foresee", Edit{Kind: Drop, Predicate: storage.Predicate{Match: "page"}, DryRun: true})
	edit("drop", Edit{Kind: Drop, Predicate: storage.Predicate{Match: "page"}})
	edit("restore", Edit{Kind: Restore})
	for c.Progress().Counts.Pending < uint64(n)*9/10 && !b.Failed() {
		time.Sleep(10 * time.Millisecond)
	}
	stop()

	settings.Delay, settings.Workers = 0, 200
	begin(Options{Settings: settings, Transport: p})
	<-c.Over()
	stop()
	begin(Options{Settings: settings}) // at rest
	edit("retry", Edit{Kind: Retry})
	stop()
}
