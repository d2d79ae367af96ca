package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pawl/crawl"
)

func TestRequestsThatAreRefused(t *testing.T) {
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
		pause:  func(context.Context) error { return nil },
	})
	tests := []struct {
		name    string
		request string
		status  int
		code    string
	}{
		{"as it should be", request("GET", "/v1/status", ""), 200, ""},
		{"without a body", request("POST", "/v1/pause", ""), 200, ""},
		{"null for a body", request("POST", "/v1/pause", "null"), 200, ""},
		{"an older HTTP", strings.Replace(request("GET", "/v1/status", ""), "HTTP/1.1", "HTTP/1.0", 1), 505, "usage"},
		{"another host", request("GET", "/v1/status", "", "Host: localhost"), 403, "refused"},
		{"a whole address of another host", request("GET", "http://localhost/v1/status", ""), 403, "refused"},
		{"from a page", request("GET", "/v1/status", "", "Host: pawl", "Origin: http://pawl"), 403, "refused"},
		{"from no page in particular", request("GET", "/v1/status", "", "Host: pawl", "Origin: null"), 403, "refused"},
		{"by a browser", request("GET", "/v1/status", "", "Host: pawl", "Sec-Fetch-Site: none"), 403, "refused"},
		{"unknown path", request("GET", "/v1/nothing", ""), 404, "version"},
		{"later version", request("GET", "/v2/status", ""), 404, "version"},
		{"path with a slash more", request("GET", "/v1/status/", ""), 404, "version"},
		{"path that goes up", request("GET", "/v1/../v1/status", ""), 404, "version"},
		{"wrong method", request("GET", "/v1/stop", ""), 405, "usage"},
		{"head", request("POST", "/v1/status", ""), 405, "usage"},
		{"query", request("GET", "/v1/status?x=1", ""), 400, "usage"},
		{"unknown field", request("POST", "/v1/why", `{"url":"x","speed":1}`), 400, "usage"},
		{"unknown field where nothing is asked", request("POST", "/v1/pause", `{"for":"1h"}`), 400, "usage"},
		{"unknown field within", request("POST", "/v1/export", `{"what":"pages","options":{"TempDir":"/"}}`), 400, "usage"},
		{"wrong type", request("POST", "/v1/why", `{"url":1}`), 400, "usage"},
		{"not JSON", request("POST", "/v1/why", `url=x`), 400, "usage"},
		{"half of it", request("POST", "/v1/why", `{"url":"x"`), 400, "usage"},
		{"two values", request("POST", "/v1/why", `{"url":"x"}{"url":"y"}`), 400, "usage"},
		{"deep", request("POST", "/v1/add", `{"urls":`+strings.Repeat("[", 1e5)), 400, "usage"},
		{"relative path of an export", request("POST", "/v1/export", `{"what":"sitemap","path":"map.xml"}`), 400, "usage"},
		{"negative bytes", request("POST", "/v1/export", `{"what":"pages","follow":true,"skip":-1}`), 400, "usage"},
		{"relative path of a copy", request("POST", "/v1/snapshot", `{"path":"copy"}`), 400, "usage"},
		{"bytes to skip of what is not followed", request("POST", "/v1/export", `{"what":"pages","skip":9}`), 400, "usage"},
		{"withdrawn of what is not followed", request("POST", "/v1/export", `{"what":"pages","withdrawn":0}`), 400, "usage"},
		{"copy into no folder", request("POST", "/v1/snapshot", `{"path":"/dev/null/copy"}`), 400, "usage"},
		{"body too large", "POST /v1/why HTTP/1.1\r\nHost: pawl\r\nContent-Length: 1048577\r\n\r\n", 413, "usage"},
		{"body far too large", "POST /v1/add HTTP/1.1\r\nHost: pawl\r\nContent-Length: 16777217\r\n\r\n", 413, "usage"},
		{"body of an unknown path does not come", "POST /v1/x HTTP/1.1\r\nHost: pawl\r\nContent-Length: 9\r\n\r\n", 404, "version"},
		{"body to another host does not come", "POST /v1/why HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 403, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := r.says(tt.request)
			var a answer
			if err := json.Unmarshal([]byte(body), &a); err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			if status != tt.status || a.Code != tt.code || (a.Code != "") != (a.Error != "") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	chunked := "POST /v1/why HTTP/1.1\r\nHost: pawl\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
	if status, body := r.says(chunked + "100001\r\n" + strings.Repeat(" ", 1<<20+1) + "\r\n"); status != 413 {
		t.Errorf("a body of chunks: %d %s", status, body)
	}
	for _, wrong := range []string{"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\xff\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: pawl\r\n\r\n"} {
		if status, body := r.says(wrong + "\r\n\r\n"); status < 400 || status > 505 {
			t.Errorf("%q: %d %s", wrong, status, body)
		}
	}
	if status, _ := r.says("GET /v1/status HTTP/1.1\r\nHost: pawl\r\nX: " + strings.Repeat("x", 64<<10)); status != 431 {
		t.Errorf("a long header: %d", status)
	}
	answersStill(t, r)
}

func answersStill(t *testing.T, r *rig) {
	t.Helper()
	if _, err := r.client().Status(t.Context()); err != nil {
		t.Errorf("Status: %v", err)
	}
}

func TestGarbage(t *testing.T) {
	r := served(t, &fake{status: func(context.Context) (*crawl.Status, error) { return standing(), nil }})
	random := rand.NewChaCha8([32]byte{1})
	for range 50 {
		c := r.conn()
		_, _ = io.CopyN(c, random, 10_000) // it may be closed before that
		c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	answersStill(t, r)
}

// Connections that send half a request, or none, are closed after a while, and
// hold up nobody meanwhile.
func TestHalfRequests(t *testing.T) {
	const half = 500 * time.Millisecond // enough for who means well, on a machine that is busy
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
	}, func(l *Listener, _ *Options) {
		l.limits.header, l.limits.idle, l.limits.stall = half, half, half
	})
	halves := []string{
		"", "G", "GET /v1/status HTTP/1.1\r\n", "GET /v1/status HTTP/1.1\r\nHost: pawl\r\n",
		"POST /v1/why HTTP/1.1\r\nHost: pawl\r\nContent-Length: 20\r\n\r\n{\"url\"",
		"POST /v1/add HTTP/1.1\r\nHost: pawl\r\nContent-Length: 16000000\r\n\r\n{\"urls\"",
		"POST /v1/add HTTP/1.1\r\nHost: pawl\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	}
	var conns []net.Conn
	for _, half := range halves {
		c := r.conn()
		if _, err := io.WriteString(c, half); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	answersStill(t, r)
	for i, c := range conns {
		if _, err := io.ReadAll(c); err != nil && !isReset(err) { // until it is closed
			t.Errorf("%q: %v", halves[i], err)
		}
	}
}

// A request whose body has come may take its time.
func TestWorkMayBeLong(t *testing.T) {
	begun, let := make(chan struct{}), make(chan struct{})
	r := served(t, &fake{why: func(ctx context.Context, _ string) (*crawl.Story, error) {
		close(begun)
		<-let
		return new(crawl.Story), ctx.Err()
	}}, func(l *Listener, _ *Options) { l.limits.stall = 300 * time.Millisecond })
	c, done := r.client(), make(chan error)
	go func() { done <- second(c.Why(context.Background(), "x")) }()
	<-begun
	// This body comes later than the other one, and never to its end.
	if status, _ := r.says("POST /v1/queue HTTP/1.1\r\nHost: pawl\r\nContent-Length: 20\r\n\r\n{"); status != http.StatusRequestTimeout {
		t.Errorf("status %d", status)
	}
	close(let)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// A thousand connections that say nothing leave no room, but are told so; and who
// has a connection keeps it.
func TestThousandConnections(t *testing.T) {
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
	}, func(l *Listener, _ *Options) { l.limits.header = time.Hour })
	c := r.client()
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 63 { // and that of c
		r.conn()
	}
	for range 1000 {
		if _, err := Dial(t.Context(), r.file, r.dir); !errors.Is(err, ErrBusy) {
			t.Fatalf("Dial: %v", err)
		}
	}
	if status, _ := r.says(request("POST", "/v1/add", "x")); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	for range 1000 { // no room to say so
		r.conn()
	}
	if text, err := io.ReadAll(r.conn()); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("Status: %v", err)
	}
	if _, err := Dial(t.Context(), r.file, r.dir); !errors.Is(err, ErrBusy) {
		t.Errorf("Dial: %v", err)
	}
}

// Readers who do not read hold their exports up, and nothing else.
func TestExportsAreBounded(t *testing.T) {
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
		why:    func(context.Context, string) (*crawl.Story, error) { return new(crawl.Story), nil },
		pause:  func(context.Context) error { return nil },
		export: func(_ context.Context, _ Export, w io.Writer) error {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return err
				}
			}
		},
	}, func(l *Listener, _ *Options) { l.limits.inLine = 50 * time.Millisecond })
	begin := func(body string) *bufio.Reader {
		c := r.conn()
		if _, err := io.WriteString(c, request("POST", pathExport, body)); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(c)
	}
	for _, kind := range []struct {
		body string
		n    int
	}{{`{"what":"pages"}`, 4}, {`{"what":"pages","follow":true}`, 16}} {
		for range kind.n {
			resp, err := http.ReadResponse(begin(kind.body), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%v, %v", resp, err)
			}
		}
		if err := r.client().Export(t.Context(), Export{Follow: kind.n == 16}, io.Discard); !errors.Is(err, ErrBusy) {
			t.Errorf("one export more: %v", err)
		}
	}
	c := r.client()
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Why(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if err := c.Pause(t.Context()); err != nil {
		t.Error(err)
	}
}

// Work that does not end lets in so many, has so many wait, and turns others
// away; what is urgent gets through.
func TestLineIsBounded(t *testing.T) {
	let, begun := make(chan struct{}), make(chan struct{}, 100)
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
		stop:   func(context.Context) error { return nil },
		queue: func(context.Context, crawl.QueueQuery) (*crawl.QueuePage, error) {
			begun <- struct{}{}
			<-let
			return new(crawl.QueuePage), nil
		},
	}, func(l *Listener, _ *Options) { l.limits.line, l.limits.inLine = 3, time.Hour })
	c := r.client()
	results := make(chan error, 20)
	for range 20 {
		go func() { results <- second(c.Queue(context.Background(), crawl.QueueQuery{})) }()
	}
	for range 20 - 8 - 3 { // the others wait
		if err := <-results; !errors.Is(err, ErrBusy) {
			t.Errorf("error %v", err)
		}
	}
	for range 8 {
		<-begun
	}
	if len(begun) > 0 {
		t.Error("more are at work than may be")
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
	close(let)
	for range 8 + 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// At the end of the crawl whoever is at work is told, and waited for; whoever
// hangs is not.
func TestEnd(t *testing.T) {
	begun := make(chan struct{}, 3)
	r := served(t, &fake{
		why: func(ctx context.Context, _ string) (*crawl.Story, error) {
			begun <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		},
		stop: func(ctx context.Context) error {
			begun <- struct{}{}
			<-ctx.Done()
			return nil
		},
		export: func(ctx context.Context, e Export, w io.Writer) error {
			_, err := io.WriteString(w, "row\n")
			begun <- struct{}{}
			for err == nil {
				if e.What == "waits" {
					<-ctx.Done()
				}
				_, err = w.Write(make([]byte, 64<<10))
			}
			return err
		},
	}, func(l *Listener, _ *Options) { l.limits.grace = time.Second })
	c := r.client()
	results := make(chan error, 3)
	go func() { results <- second(c.Why(context.Background(), "x")) }()
	go func() { results <- c.Export(context.Background(), Export{What: "waits"}, io.Discard) }()
	go func() {
		err := c.Stop(context.Background())
		if err == nil {
			err = crawl.ErrOver // what is expected of the others
		}
		results <- err
	}()
	for range 3 {
		<-begun
	}
	hung := r.conn()
	if _, err := io.WriteString(hung, request("POST", pathExport, `{}`)+"POST /v1/"); err != nil {
		t.Fatal(err)
	}
	<-begun // it is not read
	if _, err := io.WriteString(r.conn(), "POST /v1/why HTTP/1.1\r\nHost: pawl\r\nContent-Length: 100\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r.conn()
	if err := r.end(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-results; !errors.Is(err, crawl.ErrOver) {
			t.Errorf("error %v", err)
		}
	}
}

// A listener that is taken away ends Serve with its error.
func TestServeTellsOfTrouble(t *testing.T) {
	dir := folder(t)
	l, err := Listen(crawlFile(t, dir+"/crawl.pawl"), dir)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- l.Serve(context.Background(), &fake{}, Options{}) }()
	l.Close()
	if err := <-done; err != nil { // closed by its owner
		t.Error(err)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
		queue: func(_ context.Context, q crawl.QueueQuery) (*crawl.QueuePage, error) {
			return &crawl.QueuePage{Next: q.After}, nil
		},
		export: func(_ context.Context, e Export, w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat(e.What, 1000))
			return err
		},
	})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c, err := Dial(context.Background(), r.file, r.dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for n := range 100 {
				word := fmt.Sprintf("%d.%d ", i, n)
				var out bytes.Buffer
				err := c.Export(context.Background(), Export{What: word}, &out)
				if err != nil || out.String() != strings.Repeat(word, 1000) {
					t.Errorf("export: %v", err)
				}
				if p, err := c.Queue(context.Background(), crawl.QueueQuery{After: word}); err != nil || p.Next != word {
					t.Errorf("queue: %v", err)
				}
				if _, err := c.Status(context.Background()); err != nil {
					t.Errorf("status: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// A flood of requests, and one of connections, is answered at a rate that a crawl
// does not feel.
func TestFloodIsSpreadOut(t *testing.T) {
	r := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return standing(), nil },
	}, func(l *Listener, _ *Options) { l.limits.gap, l.limits.burst = time.Hour, 3 })
	c := r.client() // one of each
	for range 2 {
		if _, err := c.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request too many: %v", err)
	}
	for range 5 {
		r.conn() // and none of them hinders the end
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

// FuzzRequest: whatever is sent, the answer is JSON, that of an error has a code,
// and the crawl is asked only for what a request can say.
func FuzzRequest(f *testing.F) {
	s := &server{crawl: &fake{
		why: func(_ context.Context, u string) (*crawl.Story, error) { return &crawl.Story{URL: u}, nil },
		queue: func(_ context.Context, q crawl.QueueQuery) (*crawl.QueuePage, error) {
			return &crawl.QueuePage{Next: q.After}, nil
		},
		add: func(_ context.Context, u []string) (*crawl.Added, error) {
			return &crawl.Added{Refused: u}, nil
		},
		edit: func(_ context.Context, e crawl.Edit) (*crawl.Edited, error) {
			return &crawl.Edited{Examples: e.Classes}, nil
		},
		set:      func(_ context.Context, v map[string][]string) ([]string, error) { return v["delay"], nil },
		pause:    func(context.Context) error { return crawl.ErrResting },
		snapshot: func(context.Context, string) error { return nil },
		export: func(_ context.Context, e Export, w io.Writer) error {
			return errors.Join(fmt.Errorf("%+v", e), second(w.Write(nil)))
		},
	}, limits: defaultLimits(), ctx: context.Background()}
	s.limits.gap = 0
	s.gate, s.meter = newGate(&s.limits), newMeter(&s.limits)
	s.paths = s.endpointsOf(s.crawl)
	for _, path := range []string{"/v1/why", "/v1/queue", "/v1/add", "/v1/edit", "/v1/set", "/v1/pause", "/v1/snapshot", "/v1/export", "/v2/why"} {
		for _, body := range []string{
			``, `{}`, `null`, `{"url":"https://a.example/"}`, `{"urls":["a","b"]}`, `{"path":"/x"}`, `{"values":{"delay":["1s"],"exclude":null}}`,
			`{"kind":"retry","host":"a","classes":["dns"],"statuses":[{"from":500,"to":599}],"since":1,"dry_run":true}`,
			`{"what":"pages","options":{"format":"csv","columns":["url"],"where":"status == 200"},"follow":true,"skip":9}`,
			`{"limit":1e3,"depth":0,"after":"` + "\xff" + `"}`, `{"URL":"x","url":"y"} `, `[[[`,
		} {
			f.Add(path, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "http://pawl/", bytes.NewReader(body))
		r.URL.Path = path
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("%v in %q", err, w.Body)
		}
		if (w.Code == http.StatusOK) != (a.Code == "") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
