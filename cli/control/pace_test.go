package control

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/crawl"
)

// Readers together take one part in k+1 of the time, however many they are.
func TestPacerSharesOneBudget(t *testing.T) {
	for _, readers := range []int{1, 2, 4} {
		synctest.Test(t, func(t *testing.T) {
			p := NewPacer(func() float64 { return 9 })
			start := time.Now()
			var all sync.WaitGroup
			for range readers {
				all.Go(func() {
					pace := p.Pace(t.Context())
					for range 100 {
						time.Sleep(5 * time.Millisecond) // works
						pace(5 * time.Millisecond)
					}
				})
			}
			all.Wait()
			worked := time.Duration(readers*100) * 5 * time.Millisecond
			if share := float64(worked) / float64(time.Since(start)); math.Abs(share-0.1) > 0.005 {
				t.Errorf("%d readers take %.3f", readers, share)
			}
		})
	}
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := 9.0
		p := NewPacer(func() float64 { return k })
		waits := func(want time.Duration) {
			t.Helper()
			start := time.Now()
			if err := p.Wait(t.Context()); err != nil || time.Since(start) != want {
				t.Errorf("waited %v, not %v: %v", time.Since(start), want, err)
			}
		}
		work := func(d time.Duration) {
			time.Sleep(d)
			p.Took(d)
		}
		waits(0)
		work(10 * time.Millisecond)
		waits(90 * time.Millisecond)
		waits(0)
		work(time.Hour) // the machine slept
		waits(longestRest)
		p.Took(-time.Hour)
		waits(0)
		work(10 * time.Millisecond)
		k = 0 // the crawl idles
		work(10 * time.Millisecond)
		waits(0)
		k = math.NaN()
		work(time.Second)
		waits(0)
		k = math.Inf(1)
		work(time.Nanosecond)
		waits(longestRest)

		work(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		p.Pace(ctx)(time.Second)
		if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Millisecond {
			t.Errorf("waited %v: %v", time.Since(start), err)
		}
		var none *Pacer
		none.Took(time.Second)
		none.Pace(t.Context())(time.Second)
		if err := none.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(&limits{gap: 10 * time.Millisecond, burst: 10})
		passes := func(n int) time.Duration {
			start := time.Now()
			for range n {
				if err := m.pass(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		for _, tt := range []struct {
			n    int
			want time.Duration
		}{{10, 0}, {1, 10 * time.Millisecond}, {100, time.Second}} {
			if took := passes(tt.n); took != tt.want {
				t.Errorf("%d passed in %v, not %v", tt.n, took, tt.want)
			}
		}
		time.Sleep(time.Hour) // it does not save up
		if took := passes(110); took != time.Second {
			t.Errorf("110 passed in %v", took)
		}
	})
}

// Places and the line are given back, whatever becomes of who was there.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(&limits{work: 1, exports: 1, line: 1, inLine: time.Minute})
		enter := func(ctx context.Context) (func(), error) { return g.enter(ctx, g.exports, g.work) }
		for range 5 {
			leave, err := enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := enter(t.Context()); !errors.Is(err, ErrBusy) { // after a minute
				t.Errorf("in line for too long: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("in line until it was cancelled: %v", err)
			}
			cancel()
			go func() {
				next, err := enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				next()
				next() // twice is once
			}()
			synctest.Wait()
			if _, err := enter(t.Context()); !errors.Is(err, ErrBusy) { // at once
				t.Errorf("no room in line: %v", err)
			}
			leave()
			synctest.Wait()
			if len(g.work) > 0 || len(g.exports) > 0 || len(g.line) > 0 {
				t.Fatalf("left behind: %d %d %d", len(g.work), len(g.exports), len(g.line))
			}
		}
	})
}

// Who asks for the status while it is being found out, or soon after, gets the
// same.
func TestStatusIsFoundOutOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked int
		broken := errors.New("broken")
		var fails error
		s := &server{ctx: t.Context(), crawl: &fake{status: func(context.Context) (*crawl.Status, error) {
			asked++
			time.Sleep(time.Second)
			return standing(), fails
		}}}
		ask := func(n int) (err error) {
			var (
				all sync.WaitGroup
				mu  sync.Mutex
			)
			for range n {
				all.Go(func() {
					_, e := s.status.get(t.Context(), s.askStatus)
					mu.Lock()
					defer mu.Unlock()
					err = e
				})
			}
			all.Wait()
			return err
		}
		check := func(want int) {
			t.Helper()
			if asked != want {
				t.Errorf("asked %d times, not %d", asked, want)
			}
		}
		if err := ask(100); err != nil {
			t.Error(err)
		}
		check(1)
		time.Sleep(statusAge - time.Nanosecond)
		_ = ask(10)
		check(1)
		time.Sleep(time.Nanosecond)
		_ = ask(10)
		check(2)
		time.Sleep(statusAge)
		fails = broken
		if err := ask(10); err != broken {
			t.Errorf("error %v", err)
		}
		check(3)
		fails = nil
		if err := ask(10); err != nil {
			t.Error(err)
		}
		check(4)

		// What was found out before it was forgotten is not given afterwards.
		time.Sleep(statusAge)
		begun := make(chan error)
		go func() { begun <- ask(1) }()
		synctest.Wait()
		s.status.forget()
		if err := ask(1); err != nil {
			t.Error(err)
		}
		if err := <-begun; err != nil {
			t.Error(err)
		}
		check(6)
		_ = ask(1)
		check(6)

		// Who cannot wait does not spoil it for others.
		time.Sleep(statusAge)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.status.get(ctx, s.askStatus); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if err := ask(1); err != nil {
			t.Error(err)
		}
		check(7)
	})
}

func BenchmarkStatus(b *testing.B) {
	r := served(b, &fake{status: func(context.Context) (*crawl.Status, error) { return standing(), nil }})
	c := r.client()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Status(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExport is the throughput of a stream.
func BenchmarkExport(b *testing.B) {
	rows := make([]byte, 256<<10)
	r := served(b, &fake{export: func(_ context.Context, _ Export, w io.Writer) error {
		for range 64 {
			if _, err := w.Write(rows); err != nil {
				return err
			}
		}
		return nil
	}})
	c := r.client()
	b.SetBytes(64 * int64(len(rows)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Export(b.Context(), Export{}, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
