package fetch

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is the server's side of one connection of HTTP/2.
type peer struct {
	*http2.Framer
	conn  net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

// fields encodes a header of names and values.
func (p *peer) fields(pairs ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		p.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return p.block.Bytes()
}

func (p *peer) header(stream uint32, end bool, pairs ...string) error {
	return p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.fields(pairs...), EndStream: end, EndHeaders: true})
}

func (p *peer) answer(stream uint32) {
	p.header(stream, false, ":status", "200")
	p.WriteData(stream, true, []byte("hello"))
}

// http2Server has serve called for each request, frame by frame. It returns the
// address.
func http2Server(t *testing.T, serve func(p *peer, stream uint32)) string {
	config, _ := authority(t)
	config.NextProtos = []string{"h2"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	many(t, l, func(c net.Conn) { servePeer(c, serve) })
	return l.Addr().String()
}

// servePeer serves one connection.
func servePeer(c net.Conn, serve func(p *peer, stream uint32)) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	p := &peer{Framer: http2.NewFramer(c, c), conn: c}
	p.enc = hpack.NewEncoder(&p.block)
	p.WriteSettings()
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				p.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				p.WritePing(true, f.Data)
			}
		case *http2.HeadersFrame:
			serve(p, f.StreamID)
		}
	}
}

// What goes wrong in frames has a class; nothing grows without bound.
func TestHTTP2FramesThatAreBroken(t *testing.T) {
	long := strings.Repeat("x", 4000)
	for _, c := range []struct {
		name   string
		serve  func(p *peer, stream uint32)
		class  Class
		status int
		err    string
	}{
		{"as it should be", (*peer).answer, None, 200, ""},
		{"the stream is reset", func(p *peer, s uint32) { p.WriteRSTStream(s, http2.ErrCodeInternal) }, Reset, 0, "stream reset by peer"},
		{"the stream is cancelled", func(p *peer, s uint32) { p.WriteRSTStream(s, http2.ErrCodeCancel) }, Reset, 0, "stream reset by peer"},
		{"HTTP/1.1 is required", func(p *peer, s uint32) { p.WriteRSTStream(s, http2.ErrCodeHTTP11Required) }, Reset, 0, "stream reset by peer"},
		{"reset in the body", func(p *peer, s uint32) {
			p.header(s, false, ":status", "200")
			p.WriteData(s, false, []byte("half"))
			p.WriteRSTStream(s, http2.ErrCodeInternal)
		}, Reset, 200, "stream reset by peer"},
		{"reset without error after the answer", func(p *peer, s uint32) { p.answer(s); p.WriteRSTStream(s, http2.ErrCodeNo) }, None, 200, ""},
		{"GOAWAY for too many requests", func(p *peer, s uint32) { p.WriteGoAway(s, http2.ErrCodeEnhanceYourCalm, nil); p.conn.Close() }, Reset, 0, ""},
		{"GOAWAY in the body", func(p *peer, s uint32) {
			p.header(s, false, ":status", "200")
			p.WriteGoAway(s, http2.ErrCodeInternal, []byte("sorry"))
			p.conn.Close()
		}, Reset, 200, ""},
		{"GOAWAY, and the answer all the same", func(p *peer, s uint32) { p.WriteGoAway(s, http2.ErrCodeNo, nil); p.answer(s) }, None, 200, ""},
		{"closed", func(p *peer, _ uint32) { p.conn.Close() }, Reset, 0, ""},
		{"closed in the body", func(p *peer, s uint32) { p.header(s, false, ":status", "200"); p.conn.Close() }, Reset, 200, ""},
		{"HTTP/1.1 in place of frames", func(p *peer, _ uint32) { io.WriteString(p.conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }, Protocol, 0, ""},
		{"a frame that is too large", func(p *peer, s uint32) { p.WriteRawFrame(http2.FrameData, 0, s, make([]byte, 1<<20)) }, Protocol, 0, ""},
		{"DATA before the header", func(p *peer, s uint32) { p.WriteData(s, false, []byte("x")) }, Protocol, 0, ""},
		{"a status of words", func(p *peer, s uint32) { p.header(s, true, ":status", "fine") }, Protocol, 0, ""},
		{"no status", func(p *peer, s uint32) { p.header(s, true, "x", "y") }, Protocol, 0, ""},
		{"a field name with capitals", func(p *peer, s uint32) { p.header(s, true, ":status", "200", "X-Y", "z") }, Protocol, 0, ""},
		{"a field value of two lines", func(p *peer, s uint32) { p.header(s, true, ":status", "200", "x", "a\r\nb: c") }, Protocol, 0, ""},
		{"status 101", func(p *peer, s uint32) { p.header(s, true, ":status", "101") }, Protocol, 0, ""},
		{"status 103 and the answer", func(p *peer, s uint32) { p.header(s, false, ":status", "103", "link", "</a>"); p.answer(s) }, None, 200, ""},
		{"status 103 without end", func(p *peer, s uint32) {
			for p.header(s, false, ":status", "103", "link", "</a>") == nil {
			}
		}, Protocol, 0, ""},
		{"more than the length says", func(p *peer, s uint32) {
			p.header(s, false, ":status", "200", "content-length", "1")
			p.WriteData(s, true, []byte("hello"))
		}, Protocol, 200, ""},
		{"less than the length says", func(p *peer, s uint32) {
			p.header(s, false, ":status", "200", "content-length", "10")
			p.WriteData(s, true, []byte("hello"))
		}, Reset, 200, ""},
		{"more than the window allows", func(p *peer, s uint32) {
			p.header(s, false, ":status", "200")
			for p.WriteData(s, false, make([]byte, 16<<10)) == nil {
			}
		}, None, 200, ""},
		{"a field that is repeated by its number", func(p *peer, s uint32) {
			block := p.fields(":status", "200", "x", long)
			again := bytes.Repeat([]byte{0x80 | 62}, 10_000) // the last one of the table
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: append(bytes.Clone(block), again...), EndStream: true, EndHeaders: true})
		}, Protocol, 0, ""},
		{"CONTINUATION without end", func(p *peer, s uint32) {
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: p.fields(":status", "200")})
			for p.WriteContinuation(s, false, p.fields("x", long, "y", long, "z", long)) == nil {
			}
		}, Protocol, 0, ""},
		{"CONTINUATION of nothing without end", func(p *peer, s uint32) {
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: p.fields(":status", "200")})
			for p.WriteContinuation(s, false, nil) == nil {
			}
		}, TimedOut, 0, "no answer in time"},
		{"PING without end", func(p *peer, _ uint32) {
			go io.Copy(io.Discard, p.conn) // the answers
			for p.WritePing(false, [8]byte{}) == nil {
			}
		}, TimedOut, 0, "no answer in time"},
		{"SETTINGS without end", func(p *peer, _ uint32) {
			go io.Copy(io.Discard, p.conn)
			for p.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1}) == nil {
			}
		}, TimedOut, 0, "no answer in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := http2Server(t, c.serve)
			o := options()
			o.Insecure = true
			o.MaxBody = streamBuffer / 2
			if c.class == TimedOut {
				o.HeaderTimeout = 100 * time.Millisecond
			}
			f := fetcher(t, o)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			res := get(f, "https://"+addr+"/")
			f.Close()
			runtime.ReadMemStats(&after)
			if res.Class != c.class || res.Status != c.status || !strings.Contains(res.Err, c.err) {
				t.Errorf("got class %q, status %d, %q; want %q, %d, %q", res.Class, res.Status, res.Err, c.class, c.status, c.err)
			}
			if (res.Err == "") != (c.class == None) || res.Sent.IsZero() {
				t.Errorf("got %+v", res)
			}
			if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
				t.Errorf("memory has grown by %d bytes", grown)
			}
		})
	}
}

// A server that ends a connection in good order has not looked at the requests
// that it names: they are sent again, on another connection.
func TestHTTP2IsAskedAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse func(p *peer, stream uint32)
	}{
		{"GOAWAY", func(p *peer, _ uint32) { p.WriteGoAway(0, http2.ErrCodeNo, nil); p.conn.Close() }},
		{"REFUSED_STREAM", func(p *peer, s uint32) { p.WriteRSTStream(s, http2.ErrCodeRefusedStream) }},
	} {
		var asked atomic.Int32
		addr := http2Server(t, func(p *peer, stream uint32) {
			if asked.Add(1) == 2 {
				c.refuse(p, stream)
				return
			}
			p.answer(stream)
		})
		o := options()
		o.Insecure = true
		f := fetcher(t, o)
		for range 3 {
			var sent []time.Time
			var mu sync.Mutex
			res := f.Fetch(t.Context(), Request{URL: "https://" + addr + "/", WhenSent: func(at time.Time) {
				mu.Lock()
				sent = append(sent, at)
				mu.Unlock()
			}}, new(Buffer))
			if res.Class != None || string(res.Body) != "hello" {
				t.Errorf("%s: got %+v", c.name, res)
			}
			if mu.Lock(); len(sent) == 0 || !res.Sent.Equal(sent[len(sent)-1]) {
				t.Errorf("%s: sent at %v, told of %v", c.name, res.Sent, sent)
			}
			mu.Unlock()
		}
		if asked.Load() != 4 {
			t.Errorf("%s: asked %d times for 3 pages, want 4", c.name, asked.Load())
		}
	}
}

// A server that refuses for ever is not asked for ever.
func TestHTTP2IsNotAskedForEver(t *testing.T) {
	var ended error
	tr := new(Buffer).takeTrace(nil, &clock{cancel: func(err error) { ended = err }})
	c, other := net.Pipe()
	defer c.Close()
	defer other.Close()
	for i := range maxSends {
		tr.hooks.GotConn(httptrace.GotConnInfo{Conn: c})
		if ended != nil {
			t.Fatalf("ended before it was sent %d times", i+1)
		}
		tr.hooks.WroteRequest(httptrace.WroteRequestInfo{})
	}
	tr.hooks.GotConn(httptrace.GotConnInfo{Conn: c})
	var broken *brokenError
	if !errors.As(ended, &broken) {
		t.Fatalf("ended with %v", ended)
	}
	if class, why := classify(broken.err); class != Reset || why != "stream reset by peer" {
		t.Errorf("class %q, %q", class, why)
	}
}

// PerHost bounds connections: over HTTP/2 one of them carries many requests.
func TestHTTP2SharesConnections(t *testing.T) {
	const workers = 8
	var open, most atomic.Int32
	all := make(chan struct{})
	var inside atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			return
		}
		if inside.Add(1) == workers {
			close(all)
		}
		<-all // none leaves before all have come
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if now := open.Add(1); now > most.Load() {
				most.Store(now)
			}
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	o := options()
	o.Insecure, o.PerHost = true, 1
	f := fetcher(t, o)
	if res := get(f, s.URL+"/first"); res.Class != None {
		t.Fatalf("got %+v", res)
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			if res := get(f, s.URL); res.Class != None || res.Proto != "HTTP/2.0" {
				t.Errorf("got %+v", res)
			}
		})
	}
	group.Wait()
	if most.Load() != 1 {
		t.Errorf("%d connections, want 1", most.Load())
	}
}

// Requests are the same in both versions, and say nothing that was not asked
// for.
func TestRequestsAreBare(t *testing.T) {
	for _, http1 := range []bool{true, false} {
		seen := make(chan *http.Request, 1)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
		s.EnableHTTP2 = true
		s.StartTLS()
		o := options()
		o.Insecure, o.HTTP1 = true, http1
		o.User, o.Password = "me", "secret"
		f := fetcher(t, o)
		for _, auth := range []bool{false, true} {
			at := strings.Replace(s.URL, "https://", "https://user:password@", 1)
			res := f.Fetch(t.Context(), Request{URL: at + "/page", Auth: auth}, new(Buffer))
			if res.Class != None || res.Proto != map[bool]string{true: "HTTP/1.1", false: "HTTP/2.0"}[http1] {
				t.Fatalf("got %+v", res)
			}
			r := <-seen
			want := "map[Accept:[text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8] Accept-Encoding:[gzip, br, zstd] User-Agent:[pawl]]"
			if auth {
				want = strings.Replace(want, " User-Agent", " Authorization:[Basic bWU6c2VjcmV0] User-Agent", 1)
			}
			if got := fmt.Sprint(r.Header); got != want || r.Method != "GET" || len(r.TransferEncoding) > 0 || r.ContentLength != 0 {
				t.Errorf("HTTP1 %v, auth %v: %s %s, want %s", http1, auth, r.Method, got, want)
			}
			if r.Host != s.Listener.Addr().String() || r.URL.User != nil {
				t.Errorf("HTTP1 %v: host %s, %v", http1, r.Host, r.URL)
			}
		}
		f.Close()
		s.Close()
	}
}
