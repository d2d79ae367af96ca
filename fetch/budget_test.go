package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// grow has a share take n bytes, and tells when it has them.
func grow(t *testing.T, s *Share, n int64) (got chan error) {
	got = make(chan error, 1)
	go func() { got <- s.Grow(t.Context(), n, nil) }()
	synctest.Wait()
	return got
}

func has(got chan error) bool {
	synctest.Wait()
	return len(got) == 1
}

func TestBudgetIsSharedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		one, two, three, four := b.Share(), b.Share(), b.Share(), b.Share()
		if !has(grow(t, one, 60)) || !has(grow(t, two, 40)) {
			t.Fatal("what fits has to wait")
		}
		if !has(grow(t, one, 500)) {
			t.Fatal("nobody may go on")
		}
		twoMore, threeHas, fourHas := grow(t, two, 10), grow(t, three, 90), grow(t, four, 1)
		if has(twoMore) || has(threeHas) || has(fourHas) {
			t.Fatal("there is more than the bound, and more is given")
		}
		if u := b.Use(); u != (BudgetUse{Used: 600, Most: 600, Waiting: 3}) {
			t.Errorf("used are %+v", u)
		}
		one.Release()
		if !has(twoMore) || !has(threeHas) || has(fourHas) {
			t.Fatal("not those get it who have waited longest")
		}
		if !has(grow(t, three, 1)) {
			t.Fatal("who is first now has to wait")
		}
		three.Release()
		if !has(fourHas) {
			t.Fatal("what is given back is not passed on")
		}
		for _, s := range []*Share{two, three, four} {
			s.Release()
			s.Release()
		}
		if u := b.Use(); u.Used != 0 {
			t.Errorf("at the end %d are used", u.Used)
		}
	})
}

func TestBudgetThatGrowsServesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		one, two := b.Share(), b.Share()
		if !has(grow(t, one, 50)) {
			t.Fatal("the first has to wait")
		}
		waits := grow(t, two, 50)
		if has(waits) {
			t.Fatal("the second has not")
		}
		b.Set(100)
		if !has(waits) {
			t.Fatal("it waits in spite of a larger bound")
		}
	})
}

func TestWhoLeavesTheLineLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		one, two, three := b.Share(), b.Share(), b.Share()
		first := grow(t, one, 20)
		ctx, cancel := context.WithCancelCause(t.Context())
		left := make(chan error, 1)
		go func() { left <- two.Grow(ctx, 5, nil) }()
		synctest.Wait()
		waits := grow(t, three, 1)
		why := errors.New("enough")
		cancel(why)
		if !has(first) || !has(left) || !errors.Is(<-left, why) || has(waits) {
			t.Fatal("who leaves is not told why, or another is served")
		}
		one.Release()
		if !has(waits) || two.Held() != 0 || b.Use().Used != 1 {
			t.Errorf("%+v used, %d by who has left", b.Use(), two.Held())
		}
	})
}

// What a first in the line sets aside stands in the way of another first.
func TestWhatIsSetAsideCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		one, two := b.Share(), b.Share()
		if !has(grow(t, one, 100)) {
			t.Fatal("the first has to wait")
		}
		kept := one.split(1000)
		one.Release()
		waits := grow(t, two, 50)
		if has(waits) {
			t.Fatal("two are first at once")
		}
		kept.Release()
		if !has(waits) || b.Use().Used != 50 {
			t.Fatalf("%+v used, want 50", b.Use())
		}
	})
}

func TestNoBudgetIsNoBound(t *testing.T) {
	var none *Budget
	s := none.Share()
	if err := s.Grow(t.Context(), 1<<50, func() { t.Error("it waits") }); err != nil || s.Held() != 0 {
		t.Error(err, s.Held())
	}
	s.Release()
	(*Share)(nil).Release()
	free := NewBudget(0)
	if err := free.Share().Grow(t.Context(), 1<<50, func() { t.Error("it waits") }); err != nil || free.Use().Used != 1<<50 {
		t.Error(err, free.Use())
	}
}

// Whatever is taken and given back, all get what they ask for in the end, and no
// more is used than the bound and what one may have.
func TestBudgetUnderRandomUse(t *testing.T) {
	const size, most, holders = 1000, 700, 20
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(size)
		var all sync.WaitGroup
		for i := range holders {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			all.Go(func() {
				s := b.Share()
				for range 200 {
					for s.Held() < most && rnd.IntN(4) > 0 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rnd.IntN(2000))*time.Millisecond)
						_ = s.Grow(ctx, 1+rnd.Int64N(most-s.Held()), nil)
						cancel()
					}
					time.Sleep(time.Duration(rnd.IntN(100)) * time.Millisecond)
					if rnd.IntN(3) == 0 {
						s.Shrink(rnd.Int64N(most))
						continue
					}
					kept := s.split(rnd.Int64N(most))
					s.Release()
					time.Sleep(time.Duration(rnd.IntN(10)) * time.Millisecond)
					kept.Release()
				}
				s.Release()
			})
		}
		all.Wait()
		u := b.Use()
		if u.Used != 0 || u.Waiting != 0 || b.first != nil || u.Most > size+most {
			t.Errorf("%+v at the end, the bound was %d", u, size)
		}
		if u.Most <= size {
			t.Errorf("at most %d were used: nobody was ever first", u.Most)
		}
	})
}

// slowly is a body of n bytes that takes its time.
type slowly struct {
	ctx  context.Context
	left int
	wait time.Duration // before each piece
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.wait):
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
	n := min(len(p), s.left, 128<<10)
	s.left -= n
	return n, nil
}

func (s *slowly) Close() error { return nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// largeBodies answers with bodies of 1 MB that take a second for each eighth.
func largeBodies(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{}, ContentLength: -1, Request: r,
		Body: &slowly{ctx: r.Context(), left: 1 << 20, wait: time.Second},
	}, nil
}

func TestLargeBodiesWaitForTheBudget(t *testing.T) {
	for _, c := range []struct {
		name          string
		timeout, idle time.Duration
	}{
		{"with all time-outs", 30 * time.Second, 3 * time.Second},
		{"with one for all", 30 * time.Second, 0},
		{"with one for each read", 0, 3 * time.Second},
		{"without", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const exchanges, size = 14, 5 << 19
				o := Defaults()
				o.Timeout, o.IdleBodyTimeout = c.timeout, c.idle
				o.Transport, o.Budget, o.MaxBody = roundTrip(largeBodies), NewBudget(size), 2<<20
				f := fetcher(t, o)
				began := time.Now()
				var all sync.WaitGroup
				for range exchanges {
					all.Go(func() {
						var buf Buffer
						res := f.Fetch(t.Context(), Request{URL: "http://a.test/"}, &buf)
						if res.Class != None || len(res.Body) != 1<<20 {
							t.Errorf("%q (%s), %d bytes after %v", res.Class, res.Err, len(res.Body), res.Total)
						}
						buf.Release()
					})
				}
				all.Wait()
				if u := o.Budget.Use(); u.Used != 0 || u.Most > size+o.MaxBody+1 || u.Most < size/2 {
					t.Errorf("of %d bytes %+v", size, u)
				}
				if took := time.Since(began); took < time.Minute {
					t.Errorf("all took %v: nobody had to wait", took)
				}
			})
		})
	}
}

func TestAWaitForTheBudgetEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Defaults()
		o.Transport, o.Budget = roundTrip(largeBodies), NewBudget(1<<19)
		f := fetcher(t, o)
		if err := o.Budget.Share().Grow(t.Context(), 1<<20, nil); err != nil { // and never gives it back
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(maxPause/2, cancel)
		if res := f.Fetch(ctx, Request{URL: "http://a.test/"}, new(Buffer)); res.Class != Aborted || res.Crowded || res.Total != maxPause/2 {
			t.Errorf("when it is stopped: %q (%s) after %v", res.Class, res.Err, res.Total)
		}
		if res := f.Fetch(t.Context(), Request{URL: "http://a.test/"}, new(Buffer)); res.Class != Aborted || !res.Crowded || res.Total < maxPause {
			t.Errorf("else: %q (%s) after %v", res.Class, res.Err, res.Total)
		}
		if u := o.Budget.Use(); u.Used != 1<<20 || u.Waiting != 0 {
			t.Errorf("%+v is left", u)
		}
	})
}

func TestSmallBodiesTakeNoBudget(t *testing.T) {
	o := options()
	o.Budget = NewBudget(1)
	body := strings.Repeat("x", freeBody-1)
	f := fetcher(t, o)
	for _, coding := range []string{"", "gzip"} {
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			if coding == "" {
				io.WriteString(w, body)
				return
			}
			w.Header().Set("Content-Encoding", coding)
			io.WriteString(w, encode(coding, body))
		})
		if res := get(f, s.URL); res.Class != None || string(res.Body) != body {
			t.Errorf("%q: %q (%s)", coding, res.Class, res.Err)
		}
	}
	if u := o.Budget.Use(); u.Most != 0 {
		t.Errorf("%+v of the budget", u)
	}
}

func TestBodyKeepsItsShare(t *testing.T) {
	o := options()
	o.Budget = NewBudget(10 << 20)
	f := fetcher(t, o)
	s := server(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 1_000_000)) })
	var buf Buffer
	used := func() int64 { return o.Budget.Use().Used }
	res := f.Fetch(t.Context(), Request{URL: s.URL}, &buf)
	if res.Class != None || used() < 1_000_000 {
		t.Errorf("%q (%s): %d used for %d bytes", res.Class, res.Err, used(), len(res.Body))
	}
	before := used()
	if err := buf.Reserve(t.Context(), 4_000_000); err != nil || used() != before+4_000_000 {
		t.Error(err, used())
	}
	kept := buf.Keep(300_000)
	buf.Release()
	if used() != 300_000 {
		t.Errorf("%d are kept, want 300000", used())
	}
	kept.Release()
	f.Fetch(t.Context(), Request{URL: s.URL}, &buf)
	buf.Drop()
	if used() != 0 {
		t.Errorf("%d used at the end", used())
	}
	// What the pool has kept is counted when it is used again.
	f.Fetch(t.Context(), Request{URL: s.URL}, &buf)
	buf.Release()
	f.Fetch(t.Context(), Request{URL: s.URL}, &buf)
	if used() < 1_000_000 {
		t.Errorf("%d used", used())
	}
}

// sharedLine is a body of n bytes that comes over a line that all share, of so many
// bytes per second.
type sharedLine struct {
	line chan struct{} // of one place
	rate int
	left int
	read int
}

func (b *sharedLine) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), b.left, 16<<10)
	b.line <- struct{}{}
	time.Sleep(time.Duration(n) * time.Second / time.Duration(b.rate))
	<-b.line
	b.left -= n
	b.read += n
	return n, nil
}

func (b *sharedLine) Close() error { return nil }

// However long an exchange waits for memory, no host is to blame; and of a body whose
// length is told nothing is read before there is room for all of it.
func TestNoHostIsBlamedForOurWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const exchanges, size = 64, 9_900_000
		line := make(chan struct{}, 1)
		o := Defaults()
		o.Timeout, o.MaxBody, o.Budget = 0, 10_000_000, NewBudget(14_400_000)
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{}, ContentLength: size, Request: r,
				Body: &sharedLine{line: line, rate: 500_000, left: size},
			}, nil
		})
		f := fetcher(t, o)
		var all sync.WaitGroup
		var mu sync.Mutex
		whole, crowded := 0, 0
		for range exchanges {
			all.Go(func() {
				var buf Buffer
				defer buf.Release()
				res := f.Fetch(t.Context(), Request{URL: "http://a.test/"}, &buf)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case res.Class == None:
					whole++
				case res.Class == Aborted && res.Crowded && res.Transferred == 0 && res.Total-res.Waited < time.Second:
					crowded++
				default:
					t.Errorf("%q (%s) after %v, %d bytes", res.Class, res.Err, res.Total, res.Transferred)
				}
			})
		}
		all.Wait()
		if u := o.Budget.Use(); whole < 3 || whole+crowded != exchanges || u.Used != 0 {
			t.Errorf("%d are whole, %d had no memory, and %+v", whole, crowded, u)
		}
	})
}

// brokenWhenRead is a body that ends before its time, with an error.
type brokenWhenRead struct {
	left int
	err  error
}

func (b *brokenWhenRead) Read(p []byte) (int, error) {
	n := min(len(p), b.left)
	if b.left -= n; n == 0 {
		return 0, b.err
	}
	return n, nil
}

func (b *brokenWhenRead) Close() error { return nil }

// A server that loses its patience while we wait is not to blame; one that breaks off
// by itself is, and so is one whose content is bad.
func TestWhoIsToBlameAfterAWait(t *testing.T) {
	for _, c := range []struct {
		name    string
		wait    time.Duration
		status  int
		coding  string
		err     error
		class   Class
		crowded bool
	}{
		{"lost after a long wait", 30 * time.Second, 200, "", io.ErrUnexpectedEOF, Aborted, true},
		{"lost after a short wait", 2 * time.Second, 200, "", io.ErrUnexpectedEOF, Reset, false},
		{"lost without a wait", 0, 200, "", io.ErrUnexpectedEOF, Reset, false},
		{"not what it says it is", 30 * time.Second, 200, "br", io.EOF, Protocol, false},
		{"throttled after a long wait", 30 * time.Second, 503, "", io.ErrUnexpectedEOF, Throttled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Defaults()
				o.Budget = NewBudget(1 << 20)
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					h := http.Header{}
					if c.coding != "" {
						h.Set("Content-Encoding", c.coding)
					}
					return &http.Response{
						StatusCode: c.status, Proto: "HTTP/1.1", Header: h, ContentLength: 500_000, Request: r,
						Body: &brokenWhenRead{left: 300_000, err: c.err},
					}, nil
				})
				f := fetcher(t, o)
				first := o.Budget.Share()
				if err := first.Grow(t.Context(), 2<<20, nil); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(c.wait, first.Release)
				time.Sleep(time.Nanosecond)
				var buf Buffer
				res := f.Fetch(t.Context(), Request{URL: "http://a.test/"}, &buf)
				buf.Release()
				if res.Class != c.class || res.Crowded != c.crowded {
					t.Errorf("%q (%s), crowded is %v", res.Class, res.Err, res.Crowded)
				}
				if u := o.Budget.Use(); u.Used != 0 {
					t.Errorf("%+v", u)
				}
			})
		})
	}
}

// What is promised and does not come is given back.
func TestPromisedRoomIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Defaults()
		o.Budget = NewBudget(0)
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{}, ContentLength: 5_000_000, Request: r,
				Body: &brokenWhenRead{left: 300_000, err: io.ErrUnexpectedEOF},
			}, nil
		})
		var buf Buffer
		fetcher(t, o).Fetch(t.Context(), Request{URL: "http://a.test/"}, &buf)
		if u := o.Budget.Use(); u.Most != 5_000_001 || u.Used > 2<<20 || u.Used < 300_000 {
			t.Errorf("%+v", u)
		}
		buf.Release()
	})
}

// A length that the server has told is not exceeded by half, once some of the body has
// come.
func TestBodyTakesNoMoreThanItsLength(t *testing.T) {
	const size = 5_000_000
	o := options()
	o.Budget = NewBudget(0)
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		io.WriteString(w, strings.Repeat("x", size))
	})
	if res := get(fetcher(t, o), s.URL); res.Class != None || len(res.Body) != size || o.Budget.Use().Most != size+1 {
		t.Errorf("%q (%s): %d bytes, %d taken", res.Class, res.Err, len(res.Body), o.Budget.Use().Most)
	}
}

func TestWindowsAreCounted(t *testing.T) {
	text := []byte(strings.Repeat("many words ", 1000))
	for bits := 10; bits <= 24; bits++ {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: bits})
		w.Write(text)
		w.Close()
		if got := brotliWindow(b.Bytes()); got != 1<<bits {
			t.Errorf("brotli with a window of 2^%d: %d", bits, got)
		}
		if bits > 23 {
			continue
		}
		b.Reset()
		z, err := zstd.NewWriter(&b, zstd.WithWindowSize(1<<bits), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		for range 1 << bits / len(text) {
			z.Write(text)
		}
		z.Write(text)
		z.Close()
		if got := zstdWindow(b.Bytes()); got != 1<<bits {
			t.Errorf("zstd with a window of 2^%d: %d", bits, got)
		}
	}
	for _, c := range []struct {
		name, head   string
		brotli, zstd int64
	}{
		{"nothing", "", 0, 0},
		{"plain text", "<html>", 1 << 16, 0},
		{"half a magic number", "\x28\xb5", 1 << 16, 0},
		{"a frame that is cut", "\x28\xb5\x2f\xfd", 1 << 16, maxWindow},
		{"a frame to be skipped", "\x5a\x2a\x4d\x18\x03\x00\x00\x00abc", 1 << 16, maxWindow},
		{"a window of 512 MB", "\x28\xb5\x2f\xfd\x00\x98", 1 << 16, maxWindow},
		{"a single segment", "\x28\xb5\x2f\xfd\x20\x64", 1 << 16, 100},
	} {
		if b, z := brotliWindow([]byte(c.head)), zstdWindow([]byte(c.head)); b != c.brotli && c.name != "plain text" || z != c.zstd {
			t.Errorf("%s: brotli %d, zstd %d", c.name, b, z)
		}
	}
}

// Bodies that ask for large windows wait for each other, however small they are.
func TestWindowsWaitForTheBudget(t *testing.T) {
	text := strings.Repeat("a window is not a page. ", 100)
	for _, c := range []struct {
		coding string
		window int64
		body   func(w io.Writer) io.WriteCloser
	}{
		{"br", 16 << 20, func(w io.Writer) io.WriteCloser {
			return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 5, LGWin: 24})
		}},
		{"zstd", maxWindow + zstdBlocks, func(w io.Writer) io.WriteCloser {
			z, _ := zstd.NewWriter(w, zstd.WithWindowSize(maxWindow), zstd.WithSingleSegment(false))
			return z
		}},
	} {
		t.Run(c.coding, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var packed bytes.Buffer
				w := c.body(&packed)
				io.WriteString(w, text)
				if z, ok := w.(*zstd.Encoder); ok {
					z.Flush() // or it would be a single segment
				}
				w.Close()
				o := Defaults()
				o.Budget = NewBudget(20 << 20)
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: 200, Header: http.Header{"Content-Encoding": {c.coding}}, ContentLength: -1, Request: r,
						Body: io.NopCloser(bytes.NewReader(packed.Bytes())),
					}, nil
				})
				f := fetcher(t, o)
				var all sync.WaitGroup
				for range 50 {
					all.Go(func() {
						if res := get(f, "http://a.test/"); res.Class != None || string(res.Body) != text {
							t.Errorf("%q (%s), %d bytes", res.Class, res.Err, len(res.Body))
						}
					})
				}
				all.Wait()
				if u := o.Budget.Use(); u.Used != 0 || u.Most < c.window || u.Most > 20<<20+c.window {
					t.Errorf("%+v of the budget, a window is %d", u, c.window)
				}
			})
		})
	}
}

// A later frame does not get the window that the first has not asked for.
func TestLaterFramesGetNoLargerWindow(t *testing.T) {
	frame := func(window int) string {
		var b strings.Builder
		z, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(z, "text")
		z.Flush()
		z.Close()
		return b.String()
	}
	for _, c := range []struct {
		windows []int
		class   Class
	}{
		{[]int{usualWindow, 1 << 10, usualWindow}, None},
		{[]int{maxWindow}, None},
		{[]int{maxWindow, 1 << 10, maxWindow}, None},
		{[]int{1 << 10, maxWindow}, Protocol},
	} {
		var body strings.Builder
		for _, w := range c.windows {
			body.WriteString(frame(w))
		}
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "zstd")
			io.WriteString(w, body.String())
		})
		res := get(fetcher(t, options()), s.URL)
		if want := strings.Repeat("text", len(c.windows)); res.Class != c.class || c.class == None && string(res.Body) != want {
			t.Errorf("windows of %v: %q (%s): %q", c.windows, res.Class, res.Err, res.Body)
		}
	}
}

func BenchmarkBodies(b *testing.B) {
	for _, size := range []int{20_000, 100_000, 1_000_000} {
		for _, limit := range []int64{-1, 0, 256 << 20} {
			name := map[int64]string{-1: "without", 0: "unbounded", 256 << 20: "bounded"}[limit]
			b.Run(fmt.Sprintf("%dKB/%s", size/1000, name), func(b *testing.B) {
				body := bytes.Repeat([]byte("x"), size)
				o := Defaults()
				if limit >= 0 {
					o.Budget = NewBudget(limit)
				}
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: 200, Header: http.Header{}, ContentLength: int64(size), Request: r, Body: io.NopCloser(bytes.NewReader(body)),
					}, nil
				})
				f := fetcher(b, o)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					var buf Buffer
					for pb.Next() {
						if res := f.Fetch(context.Background(), Request{URL: "http://a.test/"}, &buf); len(res.Body) != size {
							b.Error(res.Err)
						}
					}
				})
			})
		}
	}
}
