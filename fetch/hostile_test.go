package fetch

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pawl/internal/hostile"
)

// hostileBody is where bodies of hostile servers are cut.
const hostileBody = 256 << 10

// costs are how much an exchange with a fault may allocate in all, in bytes.
// The rest may take usualCost: a body within its limit, grown by doubling, and
// what the server itself takes.
const usualCost = 2 << 20

var costs = map[string]uint64{
	// Each line of a header takes some times its size.
	"header without end":          8 << 20,
	"100,000 headers":             16 << 20,
	"header name of 10 MB":        4 << 20,
	"interim answers without end": 8 << 20,
	// What strconv says of a number repeats it.
	"Retry-After of 200 KB": 4 << 20,
	// Windows.
	"brotli bomb": 16 << 20,
	"zstd bomb":   4 << 20,
	// What has come of the window of HTTP/2.
	"HTTP/2 body without end": 16 << 20,
}

func hostileOptions(f *hostile.Fault) Options {
	o := options()
	o.Insecure = true
	o.MaxBody = hostileBody
	if f.Class == string(TimedOut) {
		o.Timeout = 100 * time.Millisecond
		if f.TLS {
			o.Timeout = 300 * time.Millisecond // a handshake takes its time when both sides are busy
		}
	}
	return o
}

// Each hostile server is met with a Fetcher and a Buffer that have served a good
// page, and that must serve another one after it.
func TestHostileServers(t *testing.T) {
	quietLog(t)
	// Those that only waste time do so at once, before the others, whose memory
	// is measured.
	t.Run("slow", func(t *testing.T) {
		for _, f := range hostile.All() {
			if f.Class == string(TimedOut) && !floods(&f) {
				t.Run(f.Name, func(t *testing.T) {
					t.Parallel()
					meet(t, &f)
				})
			}
		}
	})
	for _, f := range hostile.All() {
		switch {
		case floods(&f): // see TestFloodEndsWithTheExchange
		case f.Class != string(TimedOut):
			t.Run(f.Name, func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				meet(t, &f)
				runtime.ReadMemStats(&after)
				if cost, most := after.TotalAlloc-before.TotalAlloc, max(costs[f.Name], usualCost); cost > most {
					t.Errorf("it allocated %d KB, at most %d may be", cost>>10, most>>10)
				}
			})
		}
	}
}

// floods says that a server keeps its client busy until time is over, and that
// for ever.
func floods(f *hostile.Fault) bool {
	return f.Class == string(TimedOut) && strings.HasPrefix(f.Name, "HTTP/2 ") &&
		strings.HasSuffix(f.Name, " without end")
}

func meet(t *testing.T, f *hostile.Fault) {
	s, err := hostile.Start(*f)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	good := s
	if f.Whole {
		if good, err = hostile.Start(hostile.Fault{TLS: f.TLS}); err != nil {
			t.Fatal(err)
		}
		defer good.Close()
	}
	fe := fetcher(t, hostileOptions(f))
	defer fe.Close()
	buf := new(Buffer)
	wantFine(t, fe, good, buf)

	ctx, cancel := context.WithTimeout(t.Context(), 10*fe.opts.Timeout)
	defer cancel()
	res := fe.Fetch(ctx, Request{URL: s.Root}, buf)

	if f.Or != "" && string(res.Class) == f.Or {
		f.Class, f.Status, f.Body = f.Or, res.Status, ""
	}
	if string(res.Class) != f.Class || res.Status != f.Status {
		t.Errorf("class %q (%s), status %d; want %q, %d", res.Class, res.Err, res.Status, f.Class, f.Status)
	}
	if ctx.Err() != nil {
		t.Errorf("it took %v", res.Total)
	}
	if (res.Class == None) != (res.Err == "") || oneLine(res.Err) != res.Err {
		t.Errorf("error %q", res.Err)
	}
	if !strings.HasPrefix(string(res.Body), f.Body) || len(res.Body) > hostileBody || res.Truncated != f.Truncated {
		t.Errorf("body %.40q of %d bytes, truncated %v; want %q, %v", res.Body, len(res.Body), res.Truncated, f.Body, f.Truncated)
	}
	if want := strings.ReplaceAll(f.Location, "*", s.Root); !strings.HasPrefix(res.Location, want) {
		t.Errorf("location %.100q, want %q", res.Location, want)
	}
	wantFine(t, fe, good, buf)
	if !f.Whole {
		if n := s.Asked(); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
		want := 1
		if f.Fresh {
			want = 2
		}
		if n := s.Conns(); n != want {
			t.Errorf("%d connections, want %d", n, want)
		}
	}
}

// What stands behind an answer is there when the next request looks for a
// connection, in the same moment.
func TestForgedAnswers(t *testing.T) {
	quietLog(t)
	for _, f := range hostile.All() {
		if f.Whole || !f.Fresh || f.Class != "" || f.Truncated {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			s, err := hostile.Start(f)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			fe := fetcher(t, hostileOptions(&f))
			defer fe.Close()
			buf := new(Buffer)
			for range 200 {
				if res := fe.Fetch(t.Context(), Request{URL: s.Root}, buf); res.Class != None || res.Status != f.Status {
					t.Fatalf("class %q (%s), status %d", res.Class, res.Err, res.Status)
				}
				wantFine(t, fe, s, buf)
			}
			if n := s.Asked(); n != 200 {
				t.Errorf("it was asked %d times", n)
			}
		})
	}
}

// scripted is a connection that reads what it is told to.
type scripted struct {
	net.Conn // never used
	reads    chan string
}

func (s *scripted) Read(p []byte) (int, error)  { return copy(p, <-s.reads), nil }
func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }
func (s *scripted) Close() error                { return nil }

// served is a conn that has served a request and is read again, as net/http
// does.
func served() (c *conn, s *scripted, next chan error) {
	s = &scripted{reads: make(chan string, 1)}
	c = &conn{Conn: s}
	c.Write([]byte("request"))
	s.reads <- "answer"
	c.Read(make([]byte, 100))
	next = make(chan error, 1)
	go func() {
		n, err := c.Read(make([]byte, 100))
		if n > 0 && err == nil {
			err = errors.New("it was given " + strconv.Itoa(n) + " bytes")
		}
		next <- err
	}()
	return c, s, next
}

func TestConnGivesNothingUnasked(t *testing.T) {
	t.Run("what comes before the request ends it", func(t *testing.T) {
		c, s, next := served()
		c.settle()
		s.reads <- "forged"
		if err := <-next; err != errUnasked {
			t.Errorf("reading: %v", err)
		}
		if n, err := c.Write([]byte("request")); n != 0 || err != errUnasked {
			t.Errorf("writing: %d, %v", n, err)
		}
	})
	t.Run("what comes after the request is its answer", func(t *testing.T) {
		c, s, next := served()
		c.settle()
		c.Write([]byte("request"))
		s.reads <- "answer"
		if err := <-next; err == errUnasked {
			t.Error(err)
		}
	})
	t.Run("what comes before the first request waits for it", func(t *testing.T) {
		s := &scripted{reads: make(chan string, 1)}
		c := &conn{Conn: s}
		s.reads <- "early"
		var asks atomic.Bool
		early := make(chan bool)
		go func() {
			c.Read(make([]byte, 100))
			early <- !asks.Load()
		}()
		c.settle()
		asks.Store(true)
		c.Write([]byte("request"))
		if <-early {
			t.Error("it was read before anything was sent")
		}
	})
	t.Run("nobody waits for a closed one", func(t *testing.T) {
		c := &conn{Conn: &scripted{reads: make(chan string, 1)}}
		done := make(chan struct{})
		go func() { c.settle(); close(done) }()
		c.Close()
		<-done
	})
}

func TestConnSeesWhatIsPending(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	look := pending(client)
	if look() {
		t.Error("something is pending before anything was sent")
	}
	io.WriteString(server, "forged")
	if !look() {
		if runtime.GOOS != "linux" {
			t.Skip("it cannot be seen here, or not yet")
		}
		t.Error("nothing is pending")
	}
	c := &conn{Conn: client, reading: true, sent: true}
	if c.settle(); !c.closed {
		t.Error("the connection is kept")
	}
}

// A server that floods a connection and never reads lets nobody write to it
// either. When its time is over nothing of the exchange may be left but the
// connection, and that no longer than others that nobody uses.
func TestHostileStreamsLeaveNothing(t *testing.T) {
	quietLog(t)
	for _, f := range hostile.All() {
		if !strings.HasPrefix(f.Name, "HTTP/2 ") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			s, err := hostile.Start(f)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ours := goleak.IgnoreCurrent()
			o := hostileOptions(&f)
			o.Timeout, o.IdleConnTimeout = 60*time.Millisecond, 50*time.Millisecond
			get(fetcher(t, o), s.Root)
			if err := goleak.Find(ours, goleak.IgnoreAnyFunction("pawl/internal/hostile.(*Server).serve")); err != nil {
				t.Errorf("with the server still there: %v", err)
			}
		})
	}
}

// metering counts what is read from the network, and tells when it is closed.
type metering struct {
	net.Conn
	read   atomic.Int64
	held   atomic.Int64 // bytes of memory when muchFlood had been read
	closed chan struct{}
	once   sync.Once
}

// muchFlood is how much of a flood must have come until memory is looked at, in
// bytes: 15,000 frames, which would be more than heldFlood if they were kept.
const (
	muchFlood = 256 << 10
	heldFlood = 512 << 10
)

func (m *metering) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.read.Add(int64(n)) > muchFlood && m.held.Load() == 0 {
		m.held.Store(held())
	}
	return n, err
}

// held is how much memory is in use, in bytes.
func held() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func (m *metering) Close() error {
	m.once.Do(func() { close(m.closed) })
	return m.Conn.Close()
}

// Of what floods a connection of HTTP/2 nothing is kept. It can go on when the
// exchange is over, but must not last, though this connection would be kept for
// ever.
func TestFloodEndsWithTheExchange(t *testing.T) {
	quietLog(t)
	for _, f := range hostile.All() {
		if !strings.HasPrefix(f.Name, "HTTP/2 ") || !strings.HasSuffix(f.Name, " without end") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			s, err := hostile.Start(f)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			o := hostileOptions(&f)
			o.IdleConnTimeout = 0
			m := &metering{closed: make(chan struct{})}
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil || m.Conn != nil {
					return c, err
				}
				m.Conn = c
				return m, nil
			}
			fe := fetcher(t, o)
			fe.pool.Store(&pool{newTransportOver(o, dial, dial)})
			empty := held()
			res := get(fe, s.Root)
			before := m.read.Load()
			if string(res.Class) != f.Class || res.Status != f.Status || res.Truncated != f.Truncated {
				t.Errorf("class %q (%s), status %d, truncated %v", res.Class, res.Err, res.Status, res.Truncated)
			}
			select {
			case <-m.closed:
			case <-time.After(10 * time.Second):
				t.Fatalf("the flood goes on, %d MB later", (m.read.Load()-before)>>20)
			}
			// What the last reading gives comes on top.
			if after := m.read.Load() - before; after > 2*maxUnasked {
				t.Errorf("%d bytes came when the exchange was over", after)
			}
			good, err := hostile.Start(hostile.Fault{TLS: true})
			if err != nil {
				t.Fatal(err)
			}
			defer good.Close()
			wantFine(t, fe, good, new(Buffer))
			if kept := m.held.Load() - empty; floods(&f) && kept > heldFlood {
				t.Errorf("%d KB are held after %d KB of the flood", kept>>10, muchFlood>>10)
			}
		})
	}
}

// What an honest server sends while nobody asks does not cost its connection.
func TestQuietHTTP2ConnectionIsKept(t *testing.T) {
	var conns sync.Map
	addr := http2Server(t, func(p *peer, stream uint32) {
		conns.Store(p, true)
		p.answer(stream)
		for range 100 {
			p.WritePing(false, [8]byte{})
		}
	})
	o := options()
	o.Insecure = true
	f := fetcher(t, o)
	for range 20 {
		if res := get(f, "https://"+addr+"/"); res.Class != None || res.Proto != "HTTP/2.0" {
			t.Fatalf("class %q (%s), %s", res.Class, res.Err, res.Proto)
		}
	}
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A port whose queue of connections is full neither takes nor refuses one.
func TestHostileQueueOfConnections(t *testing.T) {
	root, stop, err := hostile.Full()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	o := options()
	o.ConnectTimeout = 60 * time.Millisecond
	if res := get(fetcher(t, o), root); res.Class != TimedOut || res.Err != "connect timed out" || !res.Sent.IsZero() {
		t.Errorf("got %+v", res)
	}
}

func TestAnswerBeforeTheRequestIsTold(t *testing.T) {
	class, text := classify(errors.New("net/http: HTTP/1.x transport connection broken: readLoopPeekFailLocked: %!w(<nil>)"))
	if class != Protocol || text != "the server answered before it was asked" {
		t.Errorf("class %q, %q", class, text)
	}
}

// quietLog keeps net/http from writing of what servers do, as main does.
func quietLog(t *testing.T) {
	before := log.Writer()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(before) })
}

func wantFine(t *testing.T, f *Fetcher, s *hostile.Server, buf *Buffer) {
	t.Helper()
	res := f.Fetch(t.Context(), Request{URL: s.Good()}, buf)
	if res.Class != None || res.Status != 200 || string(res.Body) != hostile.Fine {
		t.Fatalf("the good page: class %q (%s), status %d, %.40q", res.Class, res.Err, res.Status, res.Body)
	}
}
