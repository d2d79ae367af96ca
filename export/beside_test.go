package export

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// heapPeak is a writer that looks at the heap whenever something is written.
type heapPeak struct{ bytes uint64 }

func (p *heapPeak) Write(b []byte) (int, error) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	p.bytes = max(p.bytes, sample[0].Value.Uint64())
	return len(b), nil
}

// The memory of an export does not depend on the number of rows.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() || raceOn {
		t.Skip("writes a file of 150 MB")
	}
	const rows, most = 300_000, 64 << 20
	c := newCrawl(t)
	for i := range rows {
		if c.add(samplePage(i)); c.batch.Len() == 10_000 {
			c.commit()
		}
	}
	c.batch = storage.Batch{}
	for _, format := range []Format{CSV, JSONL} {
		runtime.GC()
		var p heapPeak
		if n, err := Pages(&p, c.file, Options{Format: format}); n != rows || err != nil {
			t.Fatal(n, err)
		}
		t.Logf("%v: heap of %d KB at most", format, p.bytes>>10)
		if p.bytes > most {
			t.Errorf("%v of %d rows: heap of %d MB, more than %d MB", format, rows, p.bytes>>20, most>>20)
		}
	}
}

// An export that rests pauses between its transactions, and not after the last.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrawl(t)
		for i := range 3 * sliceEvents {
			c.add(&storage.Retry{Job: storage.JobID{Ord: uint32(i)}})
		}
		c.commit()
		flushed := 0
		began := time.Now()
		err := walk(c.file, 3*sliceEvents, (&Options{Rest: 2}).pacing(), func(seq uint64, _ []byte) (bool, error) {
			if seq%sliceEvents == 1 {
				time.Sleep(10 * time.Millisecond) // the transaction takes that long
			}
			return true, nil
		}, func() error {
			flushed++
			time.Sleep(time.Minute) // a slow reader is no work
			return nil
		})
		if err != nil || flushed != 3 {
			t.Fatal(flushed, err)
		}
		if took, want := time.Since(began), 3*(10*time.Millisecond+time.Minute)+2*20*time.Millisecond; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

// besideRun is what came of a crawl for a while, and of the exports beside it.
type besideRun struct {
	pages, rows int
	took        time.Duration
	commits     []time.Duration // how long they took, sorted
	size        int64           // of the file
}

func (r *besideRun) rate() float64 { return float64(r.pages) / r.took.Seconds() }

func (r *besideRun) p99() float64 {
	return r.commits[len(r.commits)*99/100].Seconds() * 1000
}

// BenchmarkBeside commits pages while exports of the same file run, one after
// the other, and without any, by turns. A crawl that is paced commits 256 pages
// every 64 ms and has processor time to spare. One that is not reads pages on
// all processors, and what the export takes is missing.
//
//	go test ./export -run '^$' -bench Beside -benchtime 3x
func BenchmarkBeside(b *testing.B) {
	const before = 50_000
	full := benchFile(b, before)
	template, err := os.ReadFile(full.Path())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		paced bool
		rest  float64
	}{
		{"paced", true, 0},
		{"paced,export=rests", true, 9},
		{"busy", false, 0},
		{"busy,export=rests", false, 9},
	} {
		b.Run(c.name, func(b *testing.B) {
			var alone, beside []besideRun
			for b.Loop() {
				alone = append(alone, runBeside(b, template, before, c.paced, nil))
				beside = append(beside, runBeside(b, template, before, c.paced, &Options{Rest: c.rest}))
			}
			b.ReportMetric(0, "ns/op")
			average := func(runs []besideRun, of func(*besideRun) float64) float64 {
				sum := 0.0
				for i := range runs {
					sum += of(&runs[i])
				}
				return sum / float64(len(runs))
			}
			b.ReportMetric(average(alone, (*besideRun).rate), "pages/s-alone")
			b.ReportMetric(average(beside, (*besideRun).rate), "pages/s")
			b.ReportMetric(average(beside, (*besideRun).rate)/average(alone, (*besideRun).rate), "ratio")
			b.ReportMetric(average(alone, (*besideRun).p99), "p99-ms-alone")
			b.ReportMetric(average(beside, (*besideRun).p99), "p99-ms")
			b.ReportMetric(average(beside, func(r *besideRun) float64 { return float64(r.rows) / r.took.Seconds() }), "rows/s")
			// Busy crawls write more or fewer pages.
			perPage := func(r *besideRun) float64 { return float64(r.size-int64(len(template))) / float64(r.pages) }
			b.ReportMetric(average(alone, perPage), "file-B/page-alone")
			b.ReportMetric(average(beside, perPage), "file-B/page")
		})
	}
}

// runBeside crawls for two seconds in a copy of a file of so many pages, and
// exports all the while when there are options.
func runBeside(b *testing.B, template []byte, before int, paced bool, o *Options) (run besideRun) {
	path := filepath.Join(b.TempDir(), "crawl.pawl")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := storage.Open(path, false)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	stop := make(chan struct{})
	var others sync.WaitGroup
	defer func() {
		close(stop)
		others.Wait()
	}()
	read := make(chan struct{}, 1024) // pages
	if !paced {
		for range runtime.GOMAXPROCS(0) {
			others.Go(func() { readPages(b, read, stop) })
		}
	}
	if o != nil {
		others.Go(func() {
			var w untilClosed = stop
			for {
				n, err := Pages(w, f, *o)
				run.rows += n
				if err == io.ErrClosedPipe {
					return
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	const size, pace, lasts = 256, 64 * time.Millisecond, 2 * time.Second
	batch := storage.Batch{}
	began := time.Now()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for time.Since(began) < lasts {
		if paced {
			<-tick.C
		}
		batch.Reset(uint64(before + run.pages + 1))
		for i := range size {
			if !paced {
				<-read
			}
			batch.Add(benchPage(before + run.pages + i))
		}
		start := time.Now()
		if err := f.Commit(&batch); err != nil {
			b.Fatal(err)
		}
		run.commits = append(run.commits, time.Since(start))
		run.pages += size
	}
	run.took = time.Since(began)
	slices.Sort(run.commits)
	run.size = f.Size()
	return run
}

// untilClosed is a writer that takes all until the channel is closed.
type untilClosed <-chan struct{}

func (w untilClosed) Write(b []byte) (int, error) {
	select {
	case <-w:
		return 0, io.ErrClosedPipe
	default:
		return len(b), nil
	}
}

// readPages is a worker of a crawl that never waits for a host.
func readPages(b *testing.B, read chan<- struct{}, stop <-chan struct{}) {
	speller, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		b.Error(err)
		return
	}
	var body strings.Builder
	for i := range 50 {
		fmt.Fprintf(&body, "<h2>Section %d</h2><p>%s <a href=\"/section-%d/article-%d.html\">Read more</a></p>\n", i, strings.Repeat("Words that are read. ", 15), i, i*i)
	}
	parser := page.New(speller, "pawl")
	for {
		if _, err := parser.Parse(page.Input{URL: "https://example.org/", ContentType: "text/html", Body: []byte(body.String())}); err != nil {
			b.Error(err)
		}
		select {
		case read <- struct{}{}:
		case <-stop:
			return
		}
	}
}
