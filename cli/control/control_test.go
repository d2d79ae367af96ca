package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pawl/crawl"
	"pawl/export"
	"pawl/storage"
)

// Each method of a crawl is asked with what the client was given, and the client
// gives what it answered.
func TestEachMethodGoesThrough(t *testing.T) {
	ctx := context.Background()
	depth, withdrawn, sum := 0, uint64(3), uint32(1<<32-1)
	story := &crawl.Story{URL: "https://a.example/?a=1&b=<2>", Standing: "done", Chapters: []crawl.Chapter{{Seq: 7, What: "outcome", Text: "200"}}}
	page := &crawl.QueuePage{Jobs: []crawl.QueuedJob{{URL: "https://a.example/", State: "queued", Attempts: 1}}, Next: "12.3"}
	edited := &crawl.Edited{Patterns: 1, Addresses: 1 << 40, Examples: []string{"https://a.example/x"}}
	added := &crawl.Added{Added: 1, Known: 2, Refused: []string{"mailto:a: not an address"}}
	query := crawl.QueueQuery{Host: "a.example", Match: `\d+"`, Depth: &depth, State: "out", After: "9", Limit: 1000}
	edit := crawl.Edit{Kind: crawl.Retry, Predicate: storage.Predicate{
		Host: "a.example", Classes: []string{"timeout"}, Statuses: []storage.StatusRange{{From: 500, To: 599}}, Since: 1, Until: 2,
	}, DryRun: true}
	wanted := Export{
		What: "pages", Options: export.Options{Format: export.JSONL, Columns: []string{"url"}, Raw: true, Where: `status == 200 and title != "ü"`, SitemapBase: "https://a.example/"},
		Profile: "p", Follow: true, Skip: 1 << 40, Withdrawn: &withdrawn, CRC32: &sum, Path: "/x",
	}

	var asked []any
	got := func(v ...any) { asked = append(asked, v...) }
	c := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { got("status"); return standing(), nil },
		why:    func(_ context.Context, u string) (*crawl.Story, error) { got("why", u); return story, nil },
		queue: func(_ context.Context, q crawl.QueueQuery) (*crawl.QueuePage, error) {
			got("queue", q)
			return page, nil
		},
		add:    func(_ context.Context, u []string) (*crawl.Added, error) { got("add", u); return added, nil },
		edit:   func(_ context.Context, e crawl.Edit) (*crawl.Edited, error) { got("edit", e); return edited, nil },
		pause:  func(context.Context) error { got("pause"); return nil },
		resume: func(context.Context) error { got("resume"); return nil },
		stop:   func(context.Context) error { got("stop"); return nil },
		set: func(_ context.Context, v map[string][]string) ([]string, error) {
			got("set", v)
			return []string{"delay 1s"}, nil
		},
		export: func(_ context.Context, e Export, w io.Writer) error {
			got("export", e)
			_, err := io.WriteString(w, "url\r\n\x00\xff")
			return err
		},
		snapshot: func(_ context.Context, p string) error { got("snapshot", p); return nil },
		info:     func(context.Context) (*storage.Info, error) { got("info"); return new(storage.Info), nil },
	}).client()

	want := func(what any, err error, wanted any, call ...any) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(wanted, what); d != "" {
			t.Errorf("answer (-want +got):\n%s", d)
		}
		if d := cmp.Diff(call, asked, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".InScope" || p.Last().String() == ".Pace" }, cmp.Ignore())); d != "" {
			t.Errorf("call (-want +got):\n%s", d)
		}
		asked = nil
	}
	s, err := c.Status(ctx)
	want(s, err, standing(), "status")
	st, err := c.Why(ctx, story.URL)
	want(st, err, story, "why", story.URL)
	p, err := c.Queue(ctx, query)
	want(p, err, page, "queue", query)
	a, err := c.Add(ctx, []string{"https://a.example/", "mailto:a"})
	want(a, err, added, "add", []string{"https://a.example/", "mailto:a"})
	e, err := c.Edit(ctx, edit)
	want(e, err, edited, "edit", edit)
	values := map[string][]string{"delay": {"1s"}, "exclude": {}}
	changes, err := c.Set(ctx, values)
	want(changes, err, []string{"delay 1s"}, "set", values)
	want(nil, c.Pause(ctx), nil, "pause")
	want(nil, c.Resume(ctx), nil, "resume")
	want(nil, c.Stop(ctx), nil, "stop")
	want(nil, c.Snapshot(ctx, "/tmp/copy.pawl"), nil, "snapshot", "/tmp/copy.pawl")
	i, err := c.Info(ctx)
	want(i, err, new(storage.Info), "info")
	var out bytes.Buffer
	err = c.Export(ctx, wanted, &out)
	want(out.String(), err, "url\r\n\x00\xff", "export", wanted)
	if h := c.Hello(); h.Version != "1.2.3" || h.PID != 4711 || h.API != API {
		t.Errorf("Hello() = %+v", h)
	}
}

// An error is for the caller what it was for the crawl.
func TestErrorsKeepTheirMeaning(t *testing.T) {
	own := errors.New("a mistake by another type")
	is := func(target error) func(error) bool {
		return func(err error) bool { return errors.Is(err, target) }
	}
	tests := []struct {
		name string
		err  error
		is   func(error) bool
		text string
		hint string
	}{
		{"resting", crawl.ErrResting, is(crawl.ErrResting), "the crawl does not run", ""},
		{"over, named", fmt.Errorf("pause: %w", crawl.ErrOver), is(crawl.ErrOver), "pause: the run has come to its end", ""},
		{"usage", &UsageError{Text: `no host "ü"`, Flag: "host", Hint: "try another"}, func(err error) bool {
			u, ok := errors.AsType[*UsageError](err)
			return ok && u.Flag == "host" && u.Hint == "try another"
		}, `no host "ü"`, ""},
		{"usage of the caller's own", own, func(err error) bool {
			u, ok := errors.AsType[*UsageError](err)
			return ok && u.Flag == "own"
		}, own.Error(), ""},
		{"a mistake in the question", &crawl.QueryError{Err: errors.New("this is no web address")}, func(err error) bool {
			_, ok := errors.AsType[*UsageError](err)
			return ok
		}, "this is no web address", ""},
		{"damaged", fmt.Errorf("event 7: %w", storage.ErrDamaged), is(storage.ErrDamaged), "event 7: the crawl file is damaged", ""},
		{"exists", storage.ErrExists, is(storage.ErrExists), "the file exists already", ""},
		{"disk full", &fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, is(syscall.ENOSPC), "write /x: no space left on device", ""},
		{"disk broken", &fs.PathError{Op: "sync", Path: "/x", Err: syscall.EIO}, is(syscall.EIO), "sync /x: input/output error", ""},
		{"disk read-only", fmt.Errorf("-o: %w", syscall.EROFS), is(syscall.EROFS), "-o: read-only file system", ""},
		{"failed commit", &storage.WriteError{Err: syscall.EIO}, func(err error) bool {
			_, ok := errors.AsType[*storage.WriteError](err)
			return ok
		}, "write the crawl file: input/output error", ""},
		{"anything", errors.New("no & <idea>\x1b\n"), func(err error) bool {
			e, ok := errors.AsType[*Error](err)
			return ok && e.Code == codeInternal && e.Unwrap() == nil
		}, "no & <idea>\x1b\n", ""},
		{"with a hint", errors.New("hinted"), func(error) bool { return true }, "hinted", "do this"},
	}
	var now error
	var late bool
	r := served(t, &fake{
		why: func(context.Context, string) (*crawl.Story, error) { return nil, now },
		export: func(_ context.Context, _ Export, w io.Writer) error {
			if late {
				if _, err := io.WriteString(w, "rows"); err != nil {
					return err
				}
			}
			return now
		},
	}, func(_ *Listener, o *Options) {
		o.Usage = func(err error) *UsageError {
			if errors.Is(err, own) {
				return &UsageError{Text: err.Error(), Flag: "own"}
			}
			return nil
		}
		o.Hint = func(err error) string {
			if err.Error() == "hinted" {
				return "do this"
			}
			return ""
		}
	})
	c := r.client()
	for _, tt := range tests {
		check := func(t *testing.T, err error) {
			t.Helper()
			if err == nil || err.Error() != tt.text || !tt.is(err) {
				t.Errorf("error %#v: %v", err, err)
			}
			if e, ok := errors.AsType[*Error](err); tt.hint != "" && (!ok || e.Hint != tt.hint) {
				t.Errorf("no hint in %#v", err)
			}
		}
		now = tt.err
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Why(t.Context(), "x")
			check(t, err)
		})
		t.Run(tt.name+", of an export", func(t *testing.T) {
			late = false
			var out bytes.Buffer
			check(t, c.Export(t.Context(), Export{}, &out))
			if out.Len() > 0 {
				t.Errorf("wrote %q", &out)
			}
		})
		t.Run(tt.name+", of an export that has begun", func(t *testing.T) {
			late = true
			var out bytes.Buffer
			check(t, c.Export(t.Context(), Export{}, &out))
			if out.String() != "rows" {
				t.Errorf("wrote %q", &out)
			}
		})
	}
}

func TestLongErrorsOfExportsAreCut(t *testing.T) {
	c := served(t, &fake{export: func(_ context.Context, _ Export, w io.Writer) error {
		_, _ = io.WriteString(w, "x")
		return fmt.Errorf("%s: %w", strings.Repeat("ü\x7f😀", 5000), crawl.ErrOver)
	}}).client()
	err := c.Export(t.Context(), Export{}, io.Discard)
	if !errors.Is(err, crawl.ErrOver) || !strings.HasPrefix(err.Error(), "ü\x7f😀ü") {
		t.Errorf("error %v", err)
	}
}

func TestPanicIsAnError(t *testing.T) {
	r := served(t, &fake{}) // each call is of a nil function
	c := r.client()
	for name, err := range map[string]error{
		"status": second(c.Status(t.Context())),
		"why":    second(c.Why(t.Context(), "x")),
		"export": c.Export(t.Context(), Export{}, io.Discard),
		"stop":   c.Stop(t.Context()),
	} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != codeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who has told the crawl something sees that in its status, however soon.
func TestStatusIsNotOlderThanWhatWasTold(t *testing.T) {
	now := "running"
	c := served(t, &fake{
		status: func(context.Context) (*crawl.Status, error) { return &crawl.Status{State: now}, nil },
		pause:  func(context.Context) error { now = "paused"; return nil },
		resume: func(context.Context) error { now = "running"; return nil },
	}).client()
	for range 10 {
		for _, tell := range []func(context.Context) error{c.Pause, c.Resume} {
			if err := tell(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s, err := c.Status(t.Context()); err != nil || s.State != now {
				t.Fatalf("%v, %v; it is %s", s, err, now)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestExportWithoutAByte(t *testing.T) {
	c := served(t, &fake{export: func(_ context.Context, _ Export, w io.Writer) error {
		_, err := w.Write(nil)
		return err
	}}).client()
	var out bytes.Buffer
	if err := c.Export(t.Context(), Export{}, &out); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", &out, err)
	}
}

// Lists are lists when nothing is in them, too.
func TestNothingChanged(t *testing.T) {
	r := served(t, &fake{set: func(context.Context, map[string][]string) ([]string, error) { return nil, nil }})
	if status, body := r.says(request("POST", "/v1/set", `{}`, "Host: pawl", "Connection: close")); status != 200 || body != `{"changes":[]}`+"\n" {
		t.Errorf("%d %q", status, body)
	}
}

// Rows of an export that follows arrive one by one.
func TestFollowedRowsArriveAtOnce(t *testing.T) {
	more := make(chan string)
	c := served(t, &fake{export: func(_ context.Context, _ Export, w io.Writer) error {
		for row := range more {
			if _, err := io.WriteString(w, row); err != nil {
				return err
			}
		}
		return nil
	}}).client()
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- c.Export(context.Background(), Export{Follow: true}, pw) }()
	for _, row := range []string{"one\n", "two\n"} {
		more <- row
		got := make([]byte, len(row))
		if _, err := io.ReadFull(pr, got); err != nil || string(got) != row {
			t.Fatalf("%q, %v", got, err)
		}
	}
	close(more)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An export whose reader has gone is told so, even while it waits for rows.
func TestExportEndsWithItsReader(t *testing.T) {
	waits, ended := make(chan struct{}), make(chan error, 2)
	c := served(t, &fake{export: func(ctx context.Context, e Export, w io.Writer) error {
		if e.What == "waits" {
			close(waits)
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				ended <- err
				return err
			}
		}
	}}).client()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waits
		cancel()
	}()
	if err := c.Export(ctx, Export{What: "waits"}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	full := errors.New("full")
	if err := c.Export(t.Context(), Export{}, failing{full}); err != full {
		t.Errorf("error %v", err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("the crawl was not told")
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A process that dies is not taken for one that is through.
func TestBrokenAnswersAreErrors(t *testing.T) {
	hello := `{"pawl":"1","api":1,"pid":1,"file":"FILE"}`
	tests := []struct{ name, answer string }{
		{"nothing", ""},
		{"half a header", "HTTP/1.1 200 OK\r\nTransf"},
		{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Pawl-End\r\n\r\n5\r\nab"},
		{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Pawl-End\r\n\r\n2\r\nab\r\n"},
		{"no trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Pawl-End\r\n\r\n2\r\nab\r\n0\r\n\r\n"},
		{"another trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Pawl-End\r\n\r\n0\r\nPawl-End: maybe\r\n\r\n"},
		{"no chunks", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab"},
		{"fewer bytes than said", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t)
			file := crawlFile(t, dir+"/crawl.pawl")
			stub(t, file+".sock", func(path string) string {
				if path == pathHello {
					body := strings.Replace(hello, "FILE", file, 1)
					return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
				}
				return tt.answer
			})
			c, err := Dial(t.Context(), file, "")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Export(t.Context(), Export{}, io.Discard); !errors.Is(err, ErrLost) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// stub listens at a path, and answers each connection once with a text.
func stub(t *testing.T, path string, answer func(path string) string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, answer(r.URL.Path))
	})}
	done := make(chan struct{})
	go func() {
		_ = s.Serve(l)
		close(done)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
}

func TestDialJudgesWhoAnswers(t *testing.T) {
	dir := folder(t)
	tests := []struct {
		name  string
		hello string
		want  error
	}{
		{"another version", `{"pawl":"9.9","api":2,"pid":1,"file":"FILE"}`, ErrVersion},
		{"another file", `{"pawl":"1","api":1,"pid":1,"file":"/elsewhere/crawl.pawl"}`, ErrOther},
		{"another file in its place", `{"pawl":"1","api":1,"pid":1,"file":"FILE","file_id":"1:2"}`, ErrOther},
		{"the file by another path", `{"pawl":"1","api":1,"pid":1,"file":"/elsewhere","file_id":"ID"}`, nil},
		{"more than we know", `{"pawl":"1","api":1,"pid":1,"file":"FILE","news":[1]}`, nil},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := crawlFile(t, fmt.Sprintf("%s/%d.pawl", dir, i))
			stub(t, file+".sock", func(string) string {
				body := strings.NewReplacer("FILE", file, "ID", fileID(file)).Replace(tt.hello)
				return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
			})
			c, err := Dial(t.Context(), file, "")
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("error %v", err)
			}
		})
	}
	if t.Failed() {
		return
	}
	file := crawlFile(t, dir+"/9.pawl")
	stub(t, file+".sock", func(string) string { return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x00\x01\x02" })
	if _, err := Dial(t.Context(), file, ""); err == nil {
		t.Error("garbage was taken for an answer")
	}
}

// A process that is suspended takes connections, but says nothing.
func TestDialDoesNotWaitForever(t *testing.T) {
	file := crawlFile(t, folder(t)+"/crawl.pawl")
	l, err := net.Listen("unix", file+".sock")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = dial(t.Context(), file, "", 500*time.Millisecond)
	if !errors.Is(err, ErrNoAnswer) || runtime.GOOS == "linux" && !strings.HasSuffix(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, file, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestManySeedsGoInSeveralRequests(t *testing.T) {
	var calls, seeds int
	full := errors.New("no more")
	r := served(t, &fake{add: func(_ context.Context, urls []string) (*crawl.Added, error) {
		if calls++; calls == 3 {
			return nil, full
		}
		seeds += len(urls)
		return &crawl.Added{Added: len(urls), Refused: []string{urls[0]}}, nil
	}}, func(l *Listener, _ *Options) { l.limits.large = 2 << 20 })
	c := r.client()
	urls := make([]string, 45_000)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://a.example/%030d", i)
	}
	a, err := c.Add(t.Context(), urls)
	if err == nil || err.Error() != full.Error() || a.Added != seeds || seeds == 0 || len(a.Refused) != 2 || a.Refused[0] != urls[0] {
		t.Errorf("%d of %d, %v; %v", a.Added, seeds, a.Refused, err)
	}
	calls, seeds = 10, 0
	if a, err := c.Add(t.Context(), urls); err != nil || a.Added != len(urls) || seeds != len(urls) {
		t.Errorf("%d of %d: %v", a.Added, seeds, err)
	}
	if _, err := c.Add(t.Context(), []string{strings.Repeat("x", 3<<20)}); err == nil {
		t.Error("an address of 3 MB was taken")
	} else if _, ok := errors.AsType[*UsageError](err); !ok {
		t.Errorf("error %#v", err)
	}
}

func TestWhatAClientSendsOfItsOwn(t *testing.T) {
	c := served(t, &fake{}).client()
	if _, ok := errors.AsType[*UsageError](c.Snapshot(t.Context(), "copy.pawl")); !ok {
		t.Error("a relative path was taken")
	}
	if _, ok := errors.AsType[*UsageError](c.Snapshot(t.Context(), "/\xff.pawl")); !ok {
		t.Error("a path that is not UTF-8 was taken")
	}
	if _, ok := errors.AsType[*UsageError](c.Export(t.Context(), Export{Path: "/\xff.csv"}, io.Discard)); !ok {
		t.Error("a path that is not UTF-8 was taken")
	}
}
