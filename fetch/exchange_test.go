package fetch

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBodyIsCutAtTheLimit(t *testing.T) {
	text := strings.Repeat("0123456789", 10_000)
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		body := text
		if r.URL.Path == "/gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			body = encode("gzip", text)
		}
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, body)
	})
	for _, c := range []struct {
		name          string
		options, asks int64
		want          int
		truncated     bool
	}{
		{"limit of the options", 10, 0, 10, true},
		{"limit of the request below", 50_000, 3, 3, true},
		{"limit of the request above", 10, 50_000, 50_000, true},
		{"limit one short", 99_999, 0, 99_999, true},
		{"limit met", 100_000, 0, 100_000, false},
		{"limit not met", 100_001, 0, 100_000, false},
		{"no limit", 0, 0, 100_000, false},
	} {
		o := options()
		o.MaxBody = c.options
		f, buf := fetcher(t, o), new(Buffer)
		for _, path := range []string{"/", "/chunked", "/gzip"} {
			res := f.Fetch(t.Context(), Request{URL: s.URL + path, MaxBody: c.asks}, buf)
			if res.Class != None || len(res.Body) != c.want || res.Truncated != c.truncated || !strings.HasPrefix(text, string(res.Body)) {
				t.Errorf("%s: %s: got %q (%s), %d bytes, truncated %v", c.name, path, res.Class, res.Err, len(res.Body), res.Truncated)
			}
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	text := strings.Repeat("x", 1<<20)
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Port", r.RemoteAddr)
		switch r.URL.Path {
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, encode("gzip", text))
			w.(http.Flusher).Flush() // so that the last chunk comes apart
		case "/error":
			http.Error(w, "no", http.StatusInternalServerError)
		case "/redirect":
			http.Redirect(w, r, "/x", http.StatusFound)
		case "/large":
			io.WriteString(w, text)
		}
	})
	o := options()
	o.MaxBody = 2 << 20
	f, buf := fetcher(t, o), new(Buffer)
	port := ""
	for _, c := range []struct {
		path string
		max  int64
		kept bool
	}{
		{"/", 0, false},
		{"/", 0, true},
		{"/gzip", 0, true},
		{"/error", 0, true},
		{"/redirect", 0, true},
		{"/large", 0, true},
		{"/large", 1000, true},
		{"/", 0, false}, // there was more than anybody wanted to read
		{"/", 0, true},
	} {
		res := f.Fetch(t.Context(), Request{URL: s.URL + c.path, MaxBody: c.max}, buf)
		if res.Class != None {
			t.Fatalf("%s: got %+v", c.path, res)
		}
		if now := res.Header.Get("X-Port"); (now == port) != c.kept {
			t.Errorf("%s: connection kept: %v, want %v", c.path, now == port, c.kept)
		}
		port = res.Header.Get("X-Port")
	}
}

func TestOneHostSeesFewConnections(t *testing.T) {
	var open, most atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			now := open.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	defer s.Close()
	o := options()
	o.PerHost = 2
	f := fetcher(t, o)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			var buf Buffer
			for range 20 {
				if res := f.Fetch(t.Context(), Request{URL: s.URL}, &buf); res.Class != None {
					t.Errorf("got %+v", res)
				}
			}
		})
	}
	workers.Wait()
	if most.Load() > 2 {
		t.Errorf("%d connections at a time, want at most 2", most.Load())
	}
}

func TestHeadersThatAreSent(t *testing.T) {
	seen := make(chan http.Header, 1)
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	o := options()
	o.UserAgent = "pawl/1 (+https://example.org)"
	o.Headers = []Header{{"accept-language", "de, en"}, {"X-Two", "a"}, {"X-Two", "b"}, {"Cookie", "a=b"}, {"Accept", "*/*"}}
	o.User, o.Password = "me", "pass:word"
	f := fetcher(t, o)
	common := map[string][]string{
		"User-Agent":      {"pawl/1 (+https://example.org)"},
		"Accept":          {"*/*"},
		"Accept-Encoding": {"gzip, br, zstd"},
		"Accept-Language": {"de, en"},
		"X-Two":           {"a", "b"},
	}
	for _, c := range []struct {
		name string
		req  Request
		more map[string][]string
	}{
		{"to anybody", Request{}, nil},
		{"to who may see secrets", Request{Auth: true}, map[string][]string{"Authorization": {"Basic bWU6cGFzczp3b3Jk"}, "Cookie": {"a=b"}}},
		{"to anybody again", Request{}, nil},
		{"with a referer", Request{Referer: "https://example.org/"}, map[string][]string{"Referer": {"https://example.org/"}}},
	} {
		c.req.URL = s.URL
		if res := f.Fetch(t.Context(), c.req, new(Buffer)); res.Class != None {
			t.Fatalf("%s: %+v", c.name, res)
		}
		want := http.Header{}
		for _, m := range []map[string][]string{common, c.more} {
			for k, v := range m {
				want[k] = v
			}
		}
		if got := <-seen; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: sent %v, want %v", c.name, got, want)
		}
	}
	res := f.Fetch(t.Context(), Request{URL: s.URL, Referer: "a\r\nX: y"}, new(Buffer))
	if res.Class != Protocol || !res.Sent.IsZero() {
		t.Errorf("a referer of two lines: got %+v", res)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Options)
		want string // empty: it does not refuse
	}{
		{"defaults", func(*Options) {}, ""},
		{"no time-outs", func(o *Options) { o.Timeout, o.ConnectTimeout, o.HeaderTimeout, o.IdleBodyTimeout = 0, 0, 0, 0 }, ""},
		{"no limits", func(o *Options) { o.MaxBody, o.MaxConns = 0, 0 }, ""},
		{"empty value", func(o *Options) { o.Headers = []Header{{"X", ""}} }, ""},
		{"no user agent", func(o *Options) { o.UserAgent = "" }, "user agent"},
		{"user agent of two lines", func(o *Options) { o.UserAgent = "a\nb" }, "user agent"},
		{"negative timeout", func(o *Options) { o.Timeout = -1 }, "timeout -1ns"},
		{"negative idle body timeout", func(o *Options) { o.IdleBodyTimeout = -1 }, "idle body timeout"},
		{"negative body", func(o *Options) { o.MaxBody = -1 }, "largest body"},
		{"no connections", func(o *Options) { o.PerHost = 0 }, "at least 1"},
		{"negative connections", func(o *Options) { o.MaxConns = -1 }, "connections in all"},
		{"user with a colon", func(o *Options) { o.User = "a:b" }, "colon"},
		{"header without name", func(o *Options) { o.Headers = []Header{{"", "x"}} }, "not valid"},
		{"header name with a space", func(o *Options) { o.Headers = []Header{{"a b", "x"}} }, "not valid"},
		{"header value of two lines", func(o *Options) { o.Headers = []Header{{"X", "a\r\nY: b"}} }, "value of header X"},
		{"host", func(o *Options) { o.Headers = []Header{{"hOST", "x"}} }, "hOST cannot be set"},
		{"transfer encoding", func(o *Options) { o.Headers = []Header{{"Transfer-Encoding", "x"}} }, "cannot be set"},
	} {
		o := Defaults()
		c.set(&o)
		_, err := New(o)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	later := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"007", "", 7 * time.Second},
		{"86400", "", 24 * time.Hour},
		{"86401", "", 24 * time.Hour},
		{"99999999999999999999999", "", 24 * time.Hour},
		{"-1", "", 0},
		{"+7", "", 0},
		{"1.5", "", 0},
		{"7 seconds", "", 0},
		{"soon", "", 0},
		{"٧", "", 0},
		{later(time.Minute), "", time.Minute},
		{later(-time.Minute), "", 0},
		{later(48 * time.Hour), "", 24 * time.Hour},
		{later(time.Minute), later(30 * time.Second), 30 * time.Second},
		{later(time.Hour), later(time.Hour), 0},
		{later(time.Minute), "yesterday", time.Minute},
		{"Sunday, 22-Nov-26 12:01:00 GMT", "", time.Minute},
		{"Sun Nov 22 12:01:00 2026", "", time.Minute},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 24 * time.Hour},
		{"Mon, 01 Jan 0001 00:00:00 GMT", "", 0},
		{"Sun, 22 Nov 2026 12:01:00 UTC", "", 0}, // not a date of HTTP
		{"22 Nov 2026 12:01:00 GMT", "", 0},
		{"Sunday, 22-Nov-26 11:59:00 GMT", "", 0},
		{"0x10", "", 0},
		{"1e3", "", 0},
		{"--1", "", 0},
		{"60;comment", "", 0},
		{strings.Repeat("9", 10_000), "", 24 * time.Hour},
		{strings.Repeat("x", 10_000), "", 0},
		{"120, 60", "", 120 * time.Second},
		{"60,120", "", 120 * time.Second},
		{"60, soon", "", 60 * time.Second},
		{",", "", 0},
		{"60|120|5", "", 120 * time.Second},
		{"5|" + later(time.Minute) + "|7", "", time.Minute},
	} {
		h := http.Header{"Retry-After": strings.Split(c.value, "|"), "Date": {c.date}}
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %v", c.value, c.date, got, c.want)
		}
	}
}

func TestStatus(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Location", "/ü elsewhere")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
	})
	f := fetcher(t, options())
	for _, c := range []struct {
		status   int
		class    Class
		location string
	}{
		{200, None, ""},
		{201, None, ""},
		{204, None, ""},
		{301, None, "/ü elsewhere"},
		{304, None, "/ü elsewhere"},
		{308, None, "/ü elsewhere"},
		{404, None, ""},
		{429, Throttled, ""},
		{500, None, ""},
		{503, Throttled, ""},
	} {
		res := get(f, fmt.Sprint(s.URL, "/", c.status))
		if res.Status != c.status || res.Class != c.class || res.Location != c.location || res.RetryAfter != 7*time.Second {
			t.Errorf("status %d: got %+v", c.status, res)
		}
	}
}

// The answers that have no body, or need not have one, and those that nobody
// has asked for.
func TestStatusAndBody(t *testing.T) {
	const body = "Content-Length: 4\r\n\r\nbody"
	for _, c := range []struct {
		name, answer string
		class        Class
		status       int
		location     string
		body         string
		kept         bool // the connection can be used again
	}{
		{"204 without length", "204 No Content\r\n\r\n", None, 204, "", "", true},
		{"204 with a length", "204 No Content\r\nContent-Length: 4\r\n\r\n", None, 204, "", "", true},
		{"205 without length", "205 Reset Content\r\nConnection: close\r\n\r\n", None, 205, "", "", false},
		{"205 with length 0", "205 Reset Content\r\nContent-Length: 0\r\n\r\n", None, 205, "", "", true},
		{"304 with a length", "304 Not Modified\r\nContent-Length: 4\r\n\r\n", None, 304, "", "", true},
		{"206 without having asked", "206 Partial Content\r\nContent-Range: bytes 0-3/9\r\n" + body, None, 206, "", "body", true},
		{"300 without Location", "300 Multiple Choices\r\n" + body, None, 300, "", "body", true},
		{"300 with Location", "300 Multiple Choices\r\nLocation: /x\r\n" + body, None, 300, "/x", "body", true},
		{"301 with a body", "301 Moved\r\nLocation: /x\r\n" + body, None, 301, "/x", "body", true},
		{"302 with an empty Location", "302 Found\r\nLocation:\r\n" + body, None, 302, "", "body", true},
		{"302 with two", "302 Found\r\nLocation: /x\r\nLocation: /y\r\n" + body, None, 302, "/x", "body", true},
		{"201 with Location", "201 Created\r\nLocation: /x\r\n" + body, None, 201, "", "body", true},
		{"200 without a reason", "200\r\n" + body, None, 200, "", "body", true},
		{"418", "418 I'm a teapot\r\n" + body, None, 418, "", "body", true},
		{"status 599", "599 x\r\n" + body, None, 599, "", "body", true},
		{"status 600", "600 x\r\n" + body, None, 600, "", "body", true},
		{"status 999", "999 x\r\n" + body, None, 999, "", "body", true},
		{"status 000", "000 x\r\n" + body, Protocol, 0, "", "", false},
		{"status 99", "99 x\r\n" + body, Protocol, 0, "", "", false},
		{"status 1000", "1000 x\r\n" + body, Protocol, 0, "", "", false},
		{"status 099", "099 x\r\n" + body, Protocol, 0, "", "", false},
		{"status +20", "+20 x\r\n" + body, Protocol, 0, "", "", false},
		{"status -20", "-20 x\r\n" + body, Protocol, 0, "", "", false},
		{"100 and the answer", "100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + body, None, 200, "", "body", true},
		{"102 and the answer", "102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n" + body, None, 200, "", "body", true},
		{"103 and the answer", "103 Early Hints\r\nLink: </a>\r\nSet-Cookie: early=1\r\n\r\nHTTP/1.1 200 OK\r\n" + body, None, 200, "", "body", true},
		{"199 and the answer", "199 x\r\n\r\nHTTP/1.1 200 OK\r\n" + body, None, 200, "", "body", true},
		{"101 without having asked", "101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbody", Protocol, 0, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conns := 0
			addr := raw(t, func(conn net.Conn) {
				conns++
				r := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					if req.URL.Path == "/conns" {
						fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", conns)
						continue
					}
					io.WriteString(conn, "HTTP/1.1 "+c.answer)
					if strings.Contains(c.answer, "Connection: close") {
						return
					}
				}
			})
			o := options()
			o.Jar = NewJar()
			f, buf := fetcher(t, o), new(Buffer)
			res := f.Fetch(t.Context(), Request{URL: "http://" + addr + "/"}, buf)
			if res.Class != c.class || res.Status != c.status || res.Location != c.location {
				t.Errorf("got class %q (%s), status %d, Location %q; want %q, %d, %q", res.Class, res.Err, res.Status, res.Location, c.class, c.status, c.location)
			}
			if string(res.Body) != c.body {
				t.Errorf("body %q, want %q", res.Body, c.body)
			}
			if res.Header["Link"] != nil || len(o.Jar.sites) > 0 {
				t.Error("what an interim answer says counts")
			}
			res = f.Fetch(t.Context(), Request{URL: "http://" + addr + "/conns"}, buf)
			if want := map[bool]string{true: "1", false: "2"}[c.kept]; string(res.Body) != want {
				t.Errorf("the next page came over connection %q, want %s (%s)", res.Body, want, res.Err)
			}
		})
	}
}

func TestHTTPVersions(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for _, c := range []struct {
		http1 bool
		want  string
	}{{false, "HTTP/2.0"}, {true, "HTTP/1.1"}} {
		o := options()
		o.Insecure, o.HTTP1 = true, c.http1
		f, buf := fetcher(t, o), new(Buffer)
		for range 2 {
			res := f.Fetch(t.Context(), Request{URL: s.URL}, buf)
			if res.Proto != c.want || res.Status != 404 || res.IP != "127.0.0.1" || res.Sent.IsZero() || res.TTFB <= 0 {
				t.Errorf("HTTP1 %v: got %+v", c.http1, res)
			}
		}
	}
}

// Workers share the Fetcher and its headers, also where net/http sends again.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		http2   bool
		perHost int
	}{
		{"HTTP/1 on one connection", false, 1},
		{"HTTP/1 on eight", false, 8},
		{"HTTP/2 on one connection", true, 1},
		{"HTTP/2 on eight", true, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n atomic.Int64
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1)%7 == 0 {
					w.Header().Set("Connection", "close")
				}
				w.Header().Set("Content-Encoding", "gzip")
				io.WriteString(w, encode("gzip", r.URL.Path))
			}))
			s.EnableHTTP2 = c.http2
			if c.http2 {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			o := options()
			o.Insecure, o.PerHost = true, c.perHost
			f := fetcher(t, o)
			var workers sync.WaitGroup
			for worker := range 8 {
				workers.Go(func() {
					var buf Buffer
					for page := range 25 {
						path := fmt.Sprintf("/%d/%d", worker, page)
						res := f.Fetch(t.Context(), Request{URL: s.URL + path, Auth: page%2 == 0}, &buf)
						if res.Class != None || string(res.Body) != path || res.Sent.IsZero() || res.IP != "127.0.0.1" {
							t.Errorf("%s: got %+v", path, res)
						}
					}
				})
			}
			workers.Wait()
		})
	}
}

func TestBufferGivesMemoryBack(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Write(make([]byte, 5<<20))
		}
	})
	f, buf := fetcher(t, options()), new(Buffer)
	for _, path := range []string{"/large", "/"} {
		if res := f.Fetch(t.Context(), Request{URL: s.URL + path}, buf); res.Class != None {
			t.Fatalf("got %+v", res)
		}
	}
	if cap(buf.body) > keepBuffer {
		t.Errorf("%d bytes kept for an empty page", cap(buf.body))
	}
	if buf.Release(); buf.body != nil {
		t.Error("still holds memory for a body after Release")
	}
	buf.Release() // once more does nothing
	if res := f.Fetch(t.Context(), Request{URL: s.URL + "/large"}, buf); len(res.Body) != 5<<20 {
		t.Errorf("%d bytes after Release", len(res.Body))
	}
}

// memory is a web without a network: what testing/synctest can hold.
type memory func(*http.Request) (*http.Response, error)

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) { return m(r) }

// drip gives a byte each time that every has passed, and never ends.
type drip struct {
	ctx   context.Context
	every time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, context.Cause(d.ctx)
	case <-time.After(d.every):
		p[0] = 'x'
		return 1, nil
	}
}

func (d drip) Close() error { return nil }

func TestTimeInMemory(t *testing.T) {
	answer := func(r *http.Request, wait, every time.Duration) (*http.Response, error) {
		select {
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		case <-time.After(wait):
		}
		return &http.Response{StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{}, Body: drip{r.Context(), every}, ContentLength: -1}, nil
	}
	for _, c := range []struct {
		name        string
		set         func(*Options)
		wait, every time.Duration
		stop        time.Duration // when the caller stops it
		want        Response
	}{
		{"no answer", func(*Options) {}, time.Hour, 0, 0, Response{Class: TimedOut, Total: 30 * time.Second}},
		{"slow body", func(*Options) {}, time.Second, 10 * time.Second, 0, Response{Class: TimedOut, Status: 200, TTFB: time.Second, Total: 30 * time.Second, Transferred: 2}},
		{"body that stands still", func(*Options) {}, time.Second, time.Minute, 0, Response{Class: TimedOut, Status: 200, TTFB: time.Second, Total: 21 * time.Second}},
		{"body that stands still, nothing in all", func(o *Options) { o.Timeout = 0 }, time.Minute, time.Hour, 0, Response{Class: TimedOut, Status: 200, TTFB: time.Minute, Total: 80 * time.Second}},
		{"endless body, no time-out", func(o *Options) { o.Timeout, o.MaxBody = 0, 100 }, 0, 10 * time.Second, 0, Response{Status: 200, Total: 1010 * time.Second, Transferred: 101, Truncated: true}},
		{"stopped", func(*Options) {}, time.Hour, 0, 5 * time.Second, Response{Class: Aborted, Total: 5 * time.Second}},
		{"stopped in the body", func(*Options) {}, time.Second, 3 * time.Second, 5 * time.Second, Response{Class: Aborted, Status: 200, TTFB: time.Second, Total: 5 * time.Second, Transferred: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Defaults()
				c.set(&o)
				o.Transport = memory(func(r *http.Request) (*http.Response, error) { return answer(r, c.wait, c.every) })
				ctx := t.Context()
				if c.stop > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					time.AfterFunc(c.stop, cancel)
				}
				start := time.Now()
				got := fetcher(t, o).Fetch(ctx, Request{URL: "http://memory.example/"}, new(Buffer))
				if !got.Started.Equal(start) || !got.Sent.Equal(start) {
					t.Errorf("started %v, sent %v, want %v", got.Started, got.Sent, start)
				}
				if got.Class != c.want.Class || got.Status != c.want.Status || got.TTFB != c.want.TTFB || got.Total != c.want.Total ||
					got.Transferred != c.want.Transferred || got.Truncated != c.want.Truncated {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		})
	}
}

func TestTransportOfOnesOwn(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want Class
		sent bool
	}{
		{"no name", &net.DNSError{Err: "no such host", IsNotFound: true}, DNS, false},
		{"refused", &net.OpError{Op: "dial", Err: io.EOF}, Connect, false},
		{"lost", io.ErrUnexpectedEOF, Reset, true},
		{"nonsense", fmt.Errorf("nonsense"), Protocol, true},
	} {
		o := Defaults()
		var path string
		o.Transport = memory(func(r *http.Request) (*http.Response, error) {
			path = r.URL.Path
			return nil, c.err
		})
		res := get(fetcher(t, o), "http://memory.example/a%20b|c")
		if res.Class != c.want || res.Sent.IsZero() == c.sent || path != "/a b|c" {
			t.Errorf("%s: path %q, got %+v", c.name, path, res)
		}
	}
	o := Defaults()
	o.Transport = memory(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil })
	if res := get(fetcher(t, o), "http://memory.example/"); res.Class != None || res.Status != 204 {
		t.Errorf("an answer with nothing in it: got %+v", res)
	}
}

// pipe is a connection on which the answer stands before it is asked for.
type pipe struct {
	net.Conn // never used
	answer   *bytes.Reader
}

func (p pipe) Read(b []byte) (int, error)       { return p.answer.Read(b) }
func (p pipe) Write(b []byte) (int, error)      { return len(b), nil }
func (p pipe) Close() error                     { return nil }
func (p pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p pipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p pipe) SetDeadline(time.Time) error      { return nil }
func (p pipe) SetReadDeadline(time.Time) error  { return nil }
func (p pipe) SetWriteDeadline(time.Time) error { return nil }

// Whatever comes over a connection becomes a Response that makes sense.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + encode("gzip", "body"),
		"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\nbody",
		"HTTP/1.1 503 No\r\nRetry-After: 10\r\nDate: x\r\n\r\n",
		"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbody",
		"HTTP/1.0 -1 x\r\n\r\n", "SSH-2.0-x\r\n", "",
	} {
		f.Add([]byte(answer))
	}
	const limit = 1000
	f.Fuzz(func(t *testing.T, answer []byte) {
		transport := &http.Transport{
			DisableCompression: true,
			DisableKeepAlives:  true,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return pipe{answer: bytes.NewReader(answer)}, nil
			},
		}
		o := Defaults()
		o.MaxBody, o.Transport = limit, transport
		fe, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer fe.Close()
		res := get(fe, "http://memory.example/")
		if res.Class == None && res.Status < 200 || res.Class == Aborted || res.Class.beforeRequest() {
			t.Errorf("class %q, status %d", res.Class, res.Status)
		}
		if (res.Class == None) != (res.Err == "") || len(res.Err) > maxErr || strings.ContainsAny(res.Err, "\r\n\x00") {
			t.Errorf("class %q, error %q", res.Class, res.Err)
		}
		if len(res.Body) > limit || res.Truncated && len(res.Body) != limit || res.Transferred > int64(len(answer)) {
			t.Errorf("%d bytes of %d, truncated %v", len(res.Body), res.Transferred, res.Truncated)
		}
		if res.RetryAfter < 0 || res.RetryAfter > maxRetryAfter || res.Total < res.TTFB {
			t.Errorf("times: %+v", res)
		}
	})
}

// What an exchange costs the client, next to net/http as it is: same server,
// same page of 20 KB, one connection kept.
func BenchmarkFetch(b *testing.B) {
	text := strings.Repeat("<p>0123456789</p>\n", 1100)
	page := []byte(encode("gzip", text))
	plain := []byte(text)
	// A server that costs next to nothing, so that the client is what counts.
	answers := map[string][]byte{
		"/plain": append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(plain)), plain...),
		"/gzip":  append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(page)), page...),
	}
	addr := raw(b, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			answer := answers[strings.Fields(line)[1]]
			for line != "\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			c.Write(answer)
		}
	})
	for _, c := range []struct {
		name, path string
		rate       *Rate
	}{
		{"plain", "/plain", nil},
		{"gzip", "/gzip", nil},
		{"rate/none", "/plain", new(Rate)},
		{"rate/far", "/plain", NewRate(1 << 40)},
	} {
		b.Run("fetch/"+c.name, func(b *testing.B) {
			o := options()
			o.Rate = c.rate
			f, buf := fetcher(b, o), new(Buffer)
			defer f.Close()
			b.ReportAllocs()
			for b.Loop() {
				if res := f.Fetch(b.Context(), Request{URL: "http://" + addr + c.path}, buf); len(res.Body) != len(text) {
					b.Fatalf("got %+v", res)
				}
			}
		})
	}
	b.Run("fetch/cookies", func(b *testing.B) {
		o := options()
		o.Jar = NewJar()
		o.Jar.store(address(b, "http://"+addr+"/"), []string{"session=0123456789abcdef", "lang=de"}, time.Now())
		f, buf := fetcher(b, o), new(Buffer)
		defer f.Close()
		b.ReportAllocs()
		for b.Loop() {
			if res := f.Fetch(b.Context(), Request{URL: "http://" + addr + "/plain"}, buf); len(res.Body) != len(text) {
				b.Fatalf("got %+v", res)
			}
		}
	})
	b.Run("net/http/plain", func(b *testing.B) {
		transport := &http.Transport{DisableCompression: true, ReadBufferSize: readBuffer}
		defer transport.CloseIdleConnections()
		client := http.Client{Transport: transport, Timeout: 10 * time.Second}
		var body bytes.Buffer
		b.ReportAllocs()
		for b.Loop() {
			res, err := client.Get("http://" + addr + "/plain")
			if err != nil {
				b.Fatal(err)
			}
			body.Reset()
			body.ReadFrom(res.Body)
			res.Body.Close()
			if body.Len() != len(text) {
				b.Fatal("wrong length")
			}
		}
	})
}
