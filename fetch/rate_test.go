package fetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// inMemory is a server that is reached over connections in memory. What it writes waits to
// be read, and is counted then; what it is to read does not wait.
type inMemory struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
	read  atomic.Int64

	mu    sync.Mutex
	reads map[string]*atomic.Int64 // by address that was dialled
}

func newInMemory() *inMemory {
	return &inMemory{conns: make(chan net.Conn), done: make(chan struct{}), reads: make(map[string]*atomic.Int64)}
}

func (m *inMemory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *inMemory) Addr() net.Addr { return &net.TCPAddr{} }

func (m *inMemory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

func (m *inMemory) dial(_ context.Context, _, address string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		c := &countedConn{Conn: near, all: &m.read, own: m.of(address), toWrite: make(chan []byte, 100), closed: make(chan struct{})}
		go c.write()
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

// of is how much was read of the connections with a host and port.
func (m *inMemory) of(address string) *atomic.Int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reads[address] == nil {
		m.reads[address] = new(atomic.Int64)
	}
	return m.reads[address]
}

type countedConn struct {
	net.Conn
	all, own *atomic.Int64
	toWrite  chan []byte
	once     sync.Once
	closed   chan struct{}
}

func (c *countedConn) write() {
	for {
		select {
		case b := <-c.toWrite:
			c.Conn.Write(b)
		case <-c.closed:
			return
		}
	}
}

func (c *countedConn) Write(b []byte) (int, error) {
	select {
	case c.toWrite <- bytes.Clone(b):
		return len(b), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *countedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.all.Add(int64(n))
	c.own.Add(int64(n))
	return n, err
}

// scheme is that of an address of a protocol, "HTTP/1.1", "HTTP/1.1 over TLS" or "HTTP/2.0".
func scheme(kind string) string {
	if kind == "HTTP/1.1" {
		return "http://"
	}
	return "https://"
}

var kinds = []string{"HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2.0"}

// inBubble runs a test in fake time, with a server in memory and a Fetcher for it
// that is bound by a Rate.
func inBubble(t *testing.T, kind string, perSecond int64, o Options, serve http.HandlerFunc, test func(*testing.T, *Fetcher, *inMemory)) {
	t.Helper()
	config, _ := authority(t)
	synctest.Test(t, func(t *testing.T) {
		m := newInMemory()
		s := &http.Server{Handler: serve, ErrorLog: quiet(), TLSConfig: config.Clone(), TLSNextProto: nil}
		if kind != "HTTP/2.0" {
			s.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		}
		var serving sync.WaitGroup
		serving.Go(func() {
			if kind == "HTTP/1.1" {
				s.Serve(m)
			} else {
				s.ServeTLS(m, "", "")
			}
		})
		o.Rate = NewRate(perSecond)
		f := overMemory(t, o, m)
		test(t, f, m)
		f.Close()
		s.Close()
		serving.Wait()
	})
}

func overMemory(t *testing.T, o Options, m *inMemory) *Fetcher {
	t.Helper()
	o.Insecure = true
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.pool.Store(&pool{newTransportOver(o, m.dial, m.dial)})
	return f
}

// sends returns a handler of pages of so many bytes.
func sends(size int) http.HandlerFunc {
	body := bytes.Repeat([]byte("x"), size)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(body) // at one go
	}
}

// about says whether two times are the same but for what rounding and the last reading make.
func about(got, want, slack time.Duration) bool { return (got - want).Abs() <= slack }

func seconds(bytes, perSecond int64) time.Duration {
	return time.Duration(float64(bytes) / float64(perSecond) * float64(time.Second))
}

// What comes over all connections together takes as long as it must.
func TestRateIsKept(t *testing.T) {
	for _, kind := range kinds {
		for _, c := range []struct {
			perSecond int64
			size      int
			hosts     int
		}{
			{100_000, 1_000_000, 1},
			{100_000, 200_000, 5},
			{100_000, 1, 20},
			{2_000_000, 2_000_000, 3},
			{1000, 100_000, 2},
			{1, 5000, 1},
			{1 << 40, 1_000_000, 2},
		} {
			t.Run(fmt.Sprintf("%s, %d hosts, %d bytes at %d a second", kind, c.hosts, c.size, c.perSecond), func(t *testing.T) {
				inBubble(t, kind, c.perSecond, Defaults(), sends(c.size), func(t *testing.T, f *Fetcher, m *inMemory) {
					began := time.Now()
					var fetches sync.WaitGroup
					for i := range c.hosts {
						fetches.Go(func() {
							res := get(f, fmt.Sprintf("%shost%d.test/", scheme(kind), i))
							if res.Class != None || len(res.Body) != c.size || res.Proto != kind[:8] {
								t.Errorf("class %q (%s), %s, %d bytes after %v", res.Class, res.Err, res.Proto, len(res.Body), res.Total)
							}
						})
					}
					fetches.Wait()
					took := time.Since(began)
					burst := max(c.perSecond/8, minChunk)
					want := max(seconds(m.read.Load()-burst, c.perSecond), 0)
					slack := time.Millisecond
					if kind != "HTTP/1.1" { // TLS says something behind the page, perhaps
						slack += seconds(minChunk, c.perSecond)
					}
					if !about(took, want, slack) {
						t.Errorf("%d bytes took %v, want %v", m.read.Load(), took, want)
					}
				})
			})
		}
	}
}

// A handshake does not wait while it goes on. Those that come to nothing are paid for
// all the same, so that they cannot take more than the Rate, nor leave a debt to others.
func TestRateCountsHandshakesThatComeToNothing(t *testing.T) {
	const perSecond, workers, hosts = 10_000, 8, 200
	for name, isTrusted := range map[string]bool{"their certificate is not valid": false, "they hang up behind it": true} {
		t.Run(name, func(t *testing.T) {
			o := Defaults()
			o.Insecure = isTrusted
			withBadHosts(t, perSecond, o, func(t *testing.T, f *Fetcher, good, bad *inMemory) {
				began := time.Now()
				var fetches sync.WaitGroup
				for worker := range workers {
					fetches.Go(func() {
						for i := range hosts / workers {
							res := get(f, fmt.Sprintf("https://host%d-%d.test/", worker, i))
							if res.Class == None || res.Class == TimedOut || res.Total-res.Waited > time.Second {
								t.Errorf("class %q (%s) after %v", res.Class, res.Err, res.Total)
							}
						}
					})
				}
				fetches.Wait()
				took, read := time.Since(began), bad.read.Load()
				if least := seconds(read-minChunk, perSecond); took < least-time.Millisecond {
					t.Errorf("%d bytes took %v, want %v", read, took, least)
				}
				res := get(f, "http://good.test/")
				if most := seconds(2*workers*read/hosts, perSecond); res.Class != None || res.Total > most {
					t.Errorf("the next host: class %q (%s) after %v, want at most %v", res.Class, res.Err, res.Total, most)
				}
			})
		})
	}
}

// What is paid for a handshake can be waited for long. It ends with the caller, and with
// the bound.
func TestRateOfHandshakesWaitsNoLongerThanTheCaller(t *testing.T) {
	for name, end := range map[string]func(*Fetcher, context.CancelFunc){
		"the caller": func(_ *Fetcher, cancel context.CancelFunc) { cancel() },
		"the bound":  func(f *Fetcher, _ context.CancelFunc) { f.opts.Rate.Set(0) },
	} {
		t.Run(name, func(t *testing.T) {
			withBadHosts(t, 1, Defaults(), func(t *testing.T, f *Fetcher, _, _ *inMemory) {
				f.opts.Rate.bound.Load().limiter.ReserveN(time.Now(), minChunk)
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Minute, func() { end(f, cancel) })
				res := f.Fetch(ctx, Request{URL: "https://host.test/"}, new(Buffer))
				if took := time.Since(began); res.Class != TLS || took != time.Minute {
					t.Errorf("class %q (%s), came back after %v", res.Class, res.Err, took)
				}
			})
		})
	}
}

// withBadHosts runs a test in fake time, with hosts of which those of https hang up
// behind the handshake, and a Fetcher that is bound by a Rate.
func withBadHosts(t *testing.T, perSecond int64, o Options, test func(t *testing.T, f *Fetcher, good, bad *inMemory)) {
	t.Helper()
	config, _ := authority(t)
	synctest.Test(t, func(t *testing.T) {
		good, bad := newInMemory(), newInMemory()
		s := &http.Server{Handler: sends(100), ErrorLog: quiet()}
		var serving sync.WaitGroup
		serving.Go(func() { s.Serve(good) })
		serving.Go(func() {
			for {
				c, err := bad.Accept()
				if err != nil {
					return
				}
				serving.Go(func() {
					tls.Server(c, config).Handshake()
					c.Close()
				})
			}
		})
		o.Rate = NewRate(perSecond)
		f, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f.pool.Store(&pool{newTransportOver(o, good.dial, bad.dial)})
		test(t, f, good, bad)
		f.Close()
		s.Close()
		bad.Close()
		serving.Wait()
	})
}

// Connections share the Rate alike, whatever is spoken on them.
func TestRateIsFair(t *testing.T) {
	const hosts = 10
	for _, kind := range kinds {
		for _, perSecond := range []int64{20_000, 200_000} {
			inBubble(t, kind, perSecond, Defaults(), sends(10_000_000), func(t *testing.T, f *Fetcher, m *inMemory) {
				ctx, cancel := context.WithCancel(t.Context())
				var fetches sync.WaitGroup
				for i := range hosts {
					fetches.Go(func() {
						f.Fetch(ctx, Request{URL: fmt.Sprintf("%shost%d.test/", scheme(kind), i)}, new(Buffer))
					})
				}
				time.Sleep(25 * time.Second)
				m.mu.Lock()
				defer m.mu.Unlock()
				least, most := int64(1<<40), int64(0)
				for _, n := range m.reads {
					least, most = min(least, n.Load()), max(most, n.Load())
				}
				cancel()
				fetches.Wait()
				// The burst of the beginning goes to some of them.
				if mean := 25 * perSecond / hosts; least < mean-4*maxChunk || most > mean+perSecond/8+4*maxChunk {
					t.Errorf("%s: hosts got from %d to %d bytes, want %d", kind, least, most, mean)
				}
			})
		}
	}
}

// What is waited for the Rate does not count for any time-out, and what a server takes does.
func TestRateAndTimeouts(t *testing.T) {
	stalls := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		io.WriteString(w, strings.Repeat("x", 500_000))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	drips := func(w http.ResponseWriter, r *http.Request) {
		for range 1000 {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(time.Second):
			}
		}
	}
	dripsTen := func(w http.ResponseWriter, _ *http.Request) {
		for range 10 {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(time.Second)
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	late := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(4 * time.Second)
		sends(300_000)(w, r)
	}
	const short = 5 * time.Second
	for _, c := range []struct {
		name                string
		timeout, header, id time.Duration
		hosts               int
		serve               http.HandlerFunc
		class               Class
		err                 string
		took                time.Duration // of each, by a server that is alone
	}{
		{"a large page", short, 0, 0, 1, sends(1_000_000), None, "", 100 * time.Second},
		{"a large page, and all time-outs", short, short, short, 1, sends(1_000_000), None, "", 100 * time.Second},
		{"many at a time", short, short, short, 30, sends(5000), None, "", 0},
		{"many at a time, and each wait by itself", 0, short, short, 30, sends(5000), None, "", 0},
		{"an answer that comes late, but in time", short, short, short, 1, late, None, "", 34 * time.Second},
		{"a body that stands still", time.Minute, 0, short, 1, stalls, TimedOut, "body not complete in time", 55 * time.Second},
		{"a body that stands still, and no bound of the whole", 0, 0, short, 1, stalls, TimedOut, "body not complete in time", 55 * time.Second},
		{"a body that stands still, and only the whole is bound", 20 * time.Second, 0, 0, 1, stalls, TimedOut, "body not complete in time", 70 * time.Second},
		{"a body that drips", 20 * time.Second, 0, short, 1, drips, TimedOut, "body not complete in time", 20 * time.Second},
		{"a body that takes longer than the header may", 0, short, 0, 1, dripsTen, None, "", 10 * time.Second},
		{"no answer", 20 * time.Second, 0, 0, 1, silent, TimedOut, "no answer in time", 20 * time.Second},
		{"no header", 20 * time.Second, short, 0, 1, silent, TimedOut, "no answer in time", short},
		{"no header, and no bound of the whole", 0, short, 0, 1, silent, TimedOut, "no answer in time", short},
	} {
		for _, kind := range kinds {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				o := Defaults()
				o.Timeout, o.HeaderTimeout, o.IdleBodyTimeout = c.timeout, c.header, c.id
				inBubble(t, kind, 10_000, o, c.serve, func(t *testing.T, f *Fetcher, m *inMemory) {
					var fetches sync.WaitGroup
					for i := range c.hosts {
						fetches.Go(func() {
							res := get(f, fmt.Sprintf("%shost%d.test/", scheme(kind), i))
							if res.Class != c.class || res.Err != c.err {
								t.Errorf("class %q (%s), %d bytes after %v", res.Class, res.Err, len(res.Body), res.Total)
							}
							if c.took > 0 && !about(res.Total, c.took, 3*time.Second) {
								t.Errorf("took %v, want %v", res.Total, c.took)
							}
						})
					}
					fetches.Wait()
				})
			})
		}
	}
}

// A server that sends without end what is no answer takes more time than its own, but
// not without bound: what is waited for more than an answer can be does not count.
func TestRateUnderAFlood(t *testing.T) {
	config, _ := authority(t)
	config.NextProtos = []string{"h2"}
	synctest.Test(t, func(t *testing.T) {
		o := Defaults()
		o.Timeout, o.MaxBody, o.Rate = time.Minute, 10_000, NewRate(10_000)
		m := newInMemory()
		flood := make(chan struct{})
		go func() {
			defer close(flood)
			c, err := m.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			servePeer(tls.Server(c, config), func(p *peer, _ uint32) {
				go io.Copy(io.Discard, p.conn) // the answers
				for p.WritePing(false, [8]byte{}) == nil {
				}
			})
		}()
		f := overMemory(t, o, m)
		res := get(f, "https://host.test/")
		most := seconds(f.mostRead(&Request{}), 10_000)
		if res.Class != TimedOut || res.Err != "no answer in time" || res.Total < o.Timeout || res.Total > most+o.Timeout {
			t.Errorf("class %q (%s) after %v, want at most %v", res.Class, res.Err, res.Total, most+o.Timeout)
		}
		// Then it has no more than what any flood has without an exchange.
		before := m.read.Load()
		<-flood
		if after := m.read.Load() - before; after > 2*maxUnasked {
			t.Errorf("%d bytes came when the exchange was over", after)
		}
		f.Close()
	})
}

// A server may answer before it has the whole request: then nobody waits for a header any
// more when that is out.
func TestClockAfterAnEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clock{header: time.Second}
		ctx := c.start(t.Context(), time.Now(), 0)
		c.answered()
		c.sent()
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Error("the exchange was ended")
		}
		c.stop()
	})
}

func TestRateWaitEndsAtOnce(t *testing.T) {
	for _, kind := range kinds {
		inBubble(t, kind, 100, Defaults(), sends(1_000_000), func(t *testing.T, f *Fetcher, _ *inMemory) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Hour, cancel)
			res := f.Fetch(ctx, Request{URL: scheme(kind) + "host.test/"}, new(Buffer))
			if res.Class != Aborted || res.Total != time.Hour {
				t.Errorf("%s: class %q after %v", kind, res.Class, res.Total)
			}
		})
	}
}

func TestRateIsSet(t *testing.T) {
	for _, kind := range kinds {
		for _, c := range []struct {
			name         string
			first, then  int64
			after, total time.Duration
		}{
			{"more", 10_000, 100_000, 10 * time.Second, 19 * time.Second},
			{"less", 100_000, 10_000, 5 * time.Second, 55 * time.Second},
			{"no bound any more", 10_000, 0, 10 * time.Second, 10 * time.Second},
			{"no bound any more, after next to nothing", 1, 0, time.Hour, time.Hour},
			{"the same", 10_000, 10_000, 10 * time.Second, 100 * time.Second},
			{"below nothing", 10_000, -1, 10 * time.Second, 10 * time.Second},
		} {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				inBubble(t, kind, c.first, Defaults(), sends(1_000_000), func(t *testing.T, f *Fetcher, _ *inMemory) {
					time.AfterFunc(c.after, func() { f.opts.Rate.Set(c.then) })
					res := get(f, scheme(kind)+"host.test/")
					if res.Class != None || len(res.Body) != 1_000_000 || !about(res.Total, c.total, 3*time.Second) {
						t.Errorf("class %q (%s), %d bytes after %v, want %v", res.Class, res.Err, len(res.Body), res.Total, c.total)
					}
				})
			})
		}
	}
}

// A bound that comes in the middle holds from then on.
func TestRateIsSetFromNone(t *testing.T) {
	halfway := make(chan struct{})
	serve := func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", 500_000))
		w.(http.Flusher).Flush()
		<-halfway
		io.WriteString(w, strings.Repeat("x", 500_000))
	}
	o := Defaults()
	o.Rate = new(Rate)
	synctest.Test(t, func(t *testing.T) {
		halfway = make(chan struct{})
		m := newInMemory()
		s := &http.Server{Handler: http.HandlerFunc(serve), ErrorLog: quiet()}
		go s.Serve(m)
		f := overMemory(t, o, m)
		time.AfterFunc(time.Second, func() { o.Rate.Set(10_000); close(halfway) })
		if res := get(f, "http://host.test/"); res.Class != None || !about(res.Total, 51*time.Second, 3*time.Second) {
			t.Errorf("class %q (%s) after %v", res.Class, res.Err, res.Total)
		}
		f.Close()
		s.Close()
	})
}

// The time to the first byte is the server's.
func TestRateIsNoneOfTheServersTime(t *testing.T) {
	const hosts, thinks = 25, 3 * time.Second
	for _, kind := range kinds {
		serve := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(thinks)
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			sends(20_000)(w, r)
		}
		inBubble(t, kind, 20_000, Defaults(), serve, func(t *testing.T, f *Fetcher, _ *inMemory) {
			var fetches sync.WaitGroup
			for host := range hosts {
				fetches.Go(func() {
					var buf Buffer
					for range 2 {
						res := f.Fetch(t.Context(), Request{URL: fmt.Sprintf("%shost%d.test/", scheme(kind), host)}, &buf)
						took := res.Started.Add(res.TTFB).Sub(res.Sent)
						if res.Class != None || took < thinks || res.Total <= thinks {
							t.Errorf("%s: class %q (%s), first byte after %v, all after %v", kind, res.Class, res.Err, took, res.Total)
						}
						if servers := res.Total - res.Waited; servers < thinks || servers > took+time.Millisecond && kind == "HTTP/1.1" {
							t.Errorf("%s: %v are the server's, of %v", kind, servers, res.Total)
						}
						// What TLS and HTTP/2 say for themselves can keep an answer waiting unread.
						if took > thinks+time.Millisecond && kind == "HTTP/1.1" {
							t.Errorf("%s: first byte after %v, want %v", kind, took, thinks)
						}
					}
				})
			}
			fetches.Wait()
		})
	}
}

// What has come before a request was sent is not its answer, though it is held back.
func TestRateHoldsNoForgedAnswers(t *testing.T) {
	config, _ := authority(t)
	config.NextProtos = nil
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
	for _, kind := range kinds[:2] {
		synctest.Test(t, func(t *testing.T) {
			o := Defaults()
			o.Rate = NewRate(1000)
			m := newInMemory()
			forged := make(chan struct{})
			serve := func(c net.Conn) {
				defer c.Close()
				if kind != "HTTP/1.1" {
					c = tls.Server(c, config)
				}
				r := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.WriteString(c, answer+"true")
					if req.URL.Path == "/first" {
						<-forged
						io.WriteString(c, answer+"lies")
					}
				}
			}
			go func() {
				for {
					c, err := m.Accept()
					if err != nil {
						return
					}
					go serve(c)
				}
			}()
			f := overMemory(t, o, m)
			var buf Buffer
			if res := f.Fetch(t.Context(), Request{URL: scheme(kind) + "host.test/first"}, &buf); string(res.Body) != "true" {
				t.Fatalf("%s: class %q (%s), %q", kind, res.Class, res.Err, res.Body)
			}
			// So much debt that what comes now is held for a while.
			o.Rate.bound.Load().limiter.ReserveN(time.Now(), minChunk)
			o.Rate.bound.Load().limiter.ReserveN(time.Now(), minChunk)
			close(forged)
			synctest.Wait()
			if res := f.Fetch(t.Context(), Request{URL: scheme(kind) + "host.test/second"}, &buf); res.Class != None || string(res.Body) != "true" {
				t.Errorf("%s: class %q (%s), %q", kind, res.Class, res.Err, res.Body)
			}
			f.Close()
			m.Close()
		})
	}
}

// Over real connections, of all kinds, while the Rate changes all the time.
func TestRateOverTheNetwork(t *testing.T) {
	const size = 200_000
	body := strings.Repeat("0123456789", size/10)
	for _, kind := range kinds {
		p := newPooled(t, kind)
		p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		o := options()
		o.Insecure, o.Rate, o.PerHost = true, NewRate(20_000_000), 4
		f := fetcher(t, o)
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				for i := range 5 {
					if res := get(f, p.URL+"/"); res.Class != None || string(res.Body) != body || res.Transferred != size {
						t.Errorf("%s: class %q (%s), %d bytes", kind, res.Class, res.Err, len(res.Body))
					}
					o.Rate.Set(int64(i%3) * 20_000_000)
				}
			})
		}
		workers.Wait()
	}
}

// What waits to be read is seen through a bound connection, too.
func TestRateHidesNothingThatIsPending(t *testing.T) {
	addr := raw(t, func(c net.Conn) {
		io.WriteString(c, "ab")
		io.Copy(io.Discard, c)
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if !pending(c)() {
		t.Skip("there is no look at what is pending here")
	}
	bounded, _ := NewRate(1).pace(c)
	if !pending(bounded)() {
		t.Error("nothing is pending")
	}
}
