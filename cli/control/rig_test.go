package control

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"pawl/crawl"
	"pawl/storage"
)

// fake is a crawl that says what it is told to say. A nil function is a method
// that nobody should call.
type fake struct {
	status   func(context.Context) (*crawl.Status, error)
	why      func(context.Context, string) (*crawl.Story, error)
	queue    func(context.Context, crawl.QueueQuery) (*crawl.QueuePage, error)
	add      func(context.Context, []string) (*crawl.Added, error)
	edit     func(context.Context, crawl.Edit) (*crawl.Edited, error)
	set      func(context.Context, map[string][]string) ([]string, error)
	pause    func(context.Context) error
	resume   func(context.Context) error
	stop     func(context.Context) error
	export   func(context.Context, Export, io.Writer) error
	snapshot func(context.Context, string) error
	info     func(context.Context) (*storage.Info, error)
}

func (f *fake) Status(ctx context.Context) (*crawl.Status, error)       { return f.status(ctx) }
func (f *fake) Why(ctx context.Context, u string) (*crawl.Story, error) { return f.why(ctx, u) }
func (f *fake) Queue(ctx context.Context, q crawl.QueueQuery) (*crawl.QueuePage, error) {
	return f.queue(ctx, q)
}

func (f *fake) Add(ctx context.Context, u []string) (*crawl.Added, error) { return f.add(ctx, u) }

func (f *fake) Edit(ctx context.Context, e crawl.Edit) (*crawl.Edited, error) { return f.edit(ctx, e) }

func (f *fake) Set(ctx context.Context, v map[string][]string) ([]string, error) {
	return f.set(ctx, v)
}

func (f *fake) Pause(ctx context.Context) error { return f.pause(ctx) }

func (f *fake) Resume(ctx context.Context) error { return f.resume(ctx) }

func (f *fake) Stop(ctx context.Context) error { return f.stop(ctx) }

func (f *fake) Export(ctx context.Context, e Export, w io.Writer) error { return f.export(ctx, e, w) }

func (f *fake) Snapshot(ctx context.Context, path string) error { return f.snapshot(ctx, path) }

func (f *fake) Info(ctx context.Context) (*storage.Info, error) { return f.info(ctx) }

// rig is a crawl that is served.
type rig struct {
	t      testing.TB
	file   string
	dir    string // of the runtime
	l      *Listener
	cancel context.CancelFunc
	end    func() error // cancels, and gives the error of Serve
}

// folder makes a folder with a short path, as sockets need it. When the test is
// through no goroutine may be left.
func folder(t testing.TB) string {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	base := "/tmp" // that of macOS has a long path
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "pc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// crawlFile makes something for a crawl file.
func crawlFile(t testing.TB, path string) string {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a crawl"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// served has a crawl served until the end of the test.
func served(t testing.TB, c Crawl, change ...func(*Listener, *Options)) *rig {
	t.Helper()
	dir := folder(t)
	return servedAt(t, crawlFile(t, filepath.Join(dir, "crawl.pawl")), dir, c, change...)
}

func servedAt(t testing.TB, file, dir string, c Crawl, change ...func(*Listener, *Options)) *rig {
	t.Helper()
	l, err := Listen(file, dir)
	if err != nil {
		t.Fatal(err)
	}
	l.limits.gap = 0
	o := Options{Version: "1.2.3", PID: 4711}
	for _, ch := range change {
		ch(l, &o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, c, o) }()
	r := &rig{t: t, file: file, dir: dir, l: l, cancel: cancel, end: sync.OnceValue(func() error {
		cancel()
		return <-done
	})}
	t.Cleanup(func() {
		if err := r.end(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// client dials.
func (r *rig) client() *Client {
	r.t.Helper()
	c, err := Dial(context.Background(), r.file, r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// conn opens a bare connection.
func (r *rig) conn() *net.UnixConn {
	r.t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.l.Path(), Net: "unix"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// says sends a text over a connection of its own, and gives what comes back as
// one status and body.
func (r *rig) says(text string) (status int, body string) {
	r.t.Helper()
	c := r.conn()
	if _, err := io.WriteString(c, text); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// request is the text of a request.
func request(method, path, body string, headers ...string) string {
	if len(headers) == 0 {
		headers = []string{"Host: pawl"}
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n%s", method, path, strings.Join(headers, "\r\n"), len(body), body)
}

func standing() *crawl.Status {
	return &crawl.Status{
		File: "/a/crawl.pawl", State: "running", Done: 12, Outcomes: map[string]uint64{"fetched": 12},
		Live: &crawl.LiveStatus{PID: 4711, Rates: []crawl.Rate{{Minutes: 1, Pages: 2.5}}},
	}
}
