package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pawl/crawl"
)

// Options say how a crawl is served. The zero value will do.
type Options struct {
	Version string // of pawl
	PID     int    // of this process
	// Pacer shares out the work that requests for the state and the queue make;
	// nil: nobody waits. Exports and other long work pace themselves, by the same
	// one.
	Pacer *Pacer
	// Usage gives the usage error that an error is, if it is one of the caller's
	// own; nil: a *UsageError alone is one. Hint gives what the user can do about
	// an error.
	Usage func(err error) *UsageError
	Hint  func(err error) string
}

// Listener is a socket at which a crawl can be spoken to.
type Listener struct {
	l      *net.UnixListener
	path   string
	made   fs.FileInfo // the socket
	hello  Hello
	limits limits
	once   sync.Once
}

// Listen makes the socket of a crawl file: beside it, by its name and ".sock", or,
// where that cannot be, in a folder of the user's in runtimeDir. Only the process
// that holds the lock of the file may call it: a socket that stands there has been
// left behind, and is replaced. It is the user's alone from its first moment on.
func Listen(crawlFile, runtimeDir string) (*Listener, error) {
	file, err := resolve(crawlFile)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, p := range places(file, runtimeDir) {
		l, err := p.listen()
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		made, _ := os.Lstat(p.path)
		return &Listener{
			l: l, path: p.path, made: made, limits: defaultLimits(),
			hello: Hello{API: API, File: file, ID: fileID(file)},
		}, nil
	}
	if failed == nil {
		failed = errors.New("there is no folder for it")
	}
	return nil, fmt.Errorf("make the control socket: %w", failed)
}

// Path is where the socket stands.
func (l *Listener) Path() string { return l.path }

// Close takes the socket away. It is to be called before the lock of the crawl
// file is given up. A second call does nothing.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		if now, lerr := os.Lstat(l.path); lerr == nil && l.made != nil && os.SameFile(now, l.made) {
			_ = os.Remove(l.path) // what stands there is recognised as stale
		}
		err = l.l.Close()
	})
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Serve answers for a crawl until the context is done, and closes the listener.
// What is being asked then is given a moment to come to its end, with its context
// cancelled. No method of the crawl is at work any more when Serve returns, so
// each must return soon after its context is done.
func (l *Listener) Serve(ctx context.Context, c Crawl, o Options) error {
	defer l.Close()
	l.hello.Version, l.hello.PID = o.Version, o.PID
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	s := &server{crawl: c, options: o, hello: l.hello, limits: l.limits, ctx: work}
	s.gate, s.meter = newGate(&s.limits), newMeter(&s.limits)
	s.paths = s.endpointsOf(c)
	web := &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            l.limits.header,
		IdleTimeout:                  l.limits.idle,
		MaxHeaderBytes:               16 << 10,
		ErrorLog:                     log.New(io.Discard, "", 0),
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return work },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if g, ok := c.(*guest); ok && g.isTooMuch {
				ctx = context.WithValue(ctx, tooMuch{}, true)
			}
			return ctx
		},
	}
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(&door{UnixListener: l.l, ctx: work, meter: newMeter(&s.limits), limit: int64(l.limits.conns)})
	}()
	var err error
	select {
	case err = <-served:
		served <- nil // for below
	case <-ctx.Done():
	}
	cancel(crawl.ErrOver)
	l.Close()
	<-served
	s.close(l.limits.grace)
	// What is answered may still have to leave; connections that have begun a
	// request are not waited for long.
	short, stop := context.WithTimeout(context.WithoutCancel(ctx), l.limits.grace/8)
	defer stop()
	_ = web.Shutdown(short)
	_ = web.Close()
	s.wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// door lets in peers that may ask, so many at once; as many more are told that
// there is no room.
type door struct {
	*net.UnixListener
	ctx   context.Context // done when nobody is let in any more
	meter *meter
	limit int64
	open  atomic.Int64
}

// Accept is as net.Listener has it.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if d.meter.pass(d.ctx) != nil {
			c.Close()
			return nil, net.ErrClosed
		}
		if uid, _, err := peer(c); err != nil || !mayAsk(uid) {
			c.Close()
			continue
		}
		n := d.open.Add(1)
		g := &guest{UnixConn: c, isTooMuch: n > d.limit, leave: sync.OnceFunc(func() { d.open.Add(-1) })}
		if n > 2*d.limit {
			g.Close()
			continue
		}
		return g, nil
	}
}

// guest is a connection that counts.
type guest struct {
	*net.UnixConn
	isTooMuch bool
	leave     func()
}

func (g *guest) Close() error {
	g.leave()
	return g.UnixConn.Close()
}

// tooMuch is where the context of a request says that there is no room for its
// connection.
type tooMuch struct{}

// server answers requests.
type server struct {
	crawl   Crawl
	options Options
	hello   Hello
	limits  limits
	gate    *gate
	meter   *meter
	paths   map[string]*endpoint
	status  shared
	ctx     context.Context // done when Serve comes to its end

	mu      sync.Mutex
	closing bool
	busy    sync.WaitGroup // what may be using the crawl
}

// begin tells whether the crawl may still be used; then end follows.
func (s *server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.busy.Add(1)
	return true
}

func (s *server) end() { s.busy.Done() }

// close lets nothing more begin, and waits for a while for what is at work.
func (s *server) close(grace time.Duration) {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.busy.Wait()
		close(done)
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (s *server) wait() { s.busy.Wait() }

// endpoint is what is done for one path.
type endpoint struct {
	method  string
	isLarge bool // bodies may be
	isFree  bool // so cheap, or so urgent, that it need not wait for others
	isPaced bool
	tells   bool // it changes how the crawl stands
	answer  func(ctx context.Context, body []byte) (any, error)
}

// asked makes an endpoint that reads a value.
func asked[Q any](answer func(ctx context.Context, q Q) (any, error)) *endpoint {
	return &endpoint{method: http.MethodPost, answer: func(ctx context.Context, body []byte) (any, error) {
		var q Q
		if err := decode(body, &q); err != nil {
			return nil, err
		}
		return answer(ctx, q)
	}}
}

// told makes an endpoint that only passes something on.
func told(do func(ctx context.Context) error) *endpoint {
	e := asked(func(ctx context.Context, _ nothing) (any, error) { return nothing{}, do(ctx) })
	e.isFree, e.tells = true, true
	return e
}

const (
	pathHello  = "/v1/hello"
	pathWhy    = "/v1/why"
	pathStatus = "/v1/status"
	pathExport = "/v1/export"
)

func (s *server) endpointsOf(c Crawl) map[string]*endpoint {
	paths := map[string]*endpoint{
		pathHello: {method: http.MethodGet, isFree: true, answer: func(context.Context, []byte) (any, error) {
			return s.hello, nil
		}},
		pathStatus: {method: http.MethodGet, isFree: true, answer: func(ctx context.Context, _ []byte) (any, error) {
			text, err := s.status.get(ctx, s.askStatus)
			return text, err
		}},
		"/v1/info": {method: http.MethodGet, answer: func(ctx context.Context, _ []byte) (any, error) {
			return c.Info(ctx)
		}},
		pathWhy: asked(func(ctx context.Context, q whyQuery) (any, error) { return c.Why(ctx, q.URL) }),
		"/v1/queue": asked(func(ctx context.Context, q crawl.QueueQuery) (any, error) {
			return c.Queue(ctx, q)
		}),
		"/v1/add":  asked(func(ctx context.Context, q addQuery) (any, error) { return c.Add(ctx, q.URLs) }),
		"/v1/edit": asked(func(ctx context.Context, q crawl.Edit) (any, error) { return c.Edit(ctx, q) }),
		"/v1/set": asked(func(ctx context.Context, q setQuery) (any, error) {
			changes, err := c.Set(ctx, q.Values)
			return setAnswer{Changes: append([]string{}, changes...)}, err
		}),
		"/v1/pause":  told(c.Pause),
		"/v1/resume": told(c.Resume),
		"/v1/stop":   told(c.Stop),
		"/v1/snapshot": asked(func(ctx context.Context, q snapshotQuery) (any, error) {
			if !filepath.IsAbs(q.Path) {
				return nil, &UsageError{Text: "the path of a copy must be absolute"}
			}
			if info, err := os.Stat(filepath.Dir(q.Path)); err != nil || !info.IsDir() {
				return nil, &UsageError{Text: q.Path + ": its folder does not exist"}
			}
			return nothing{}, c.Snapshot(ctx, q.Path)
		}),
		pathExport: {method: http.MethodPost},
	}
	for _, path := range []string{"/v1/add", "/v1/edit", "/v1/set"} {
		paths[path].tells = true
	}
	paths["/v1/add"].isLarge = true
	paths["/v1/add"].isPaced, paths["/v1/queue"].isPaced = true, true
	return paths
}

// askStatus asks the crawl, for all that wait for the answer.
func (s *server) askStatus(land func([]byte, error)) {
	if !s.begin() {
		land(nil, crawl.ErrOver)
		return
	}
	go func() {
		defer s.end()
		v, err := s.run(s.ctx, true, func() (any, error) { return s.crawl.Status(s.ctx) })
		var text []byte
		if err == nil {
			text, err = encode(v)
		}
		land(text, err)
	}()
}

// run does a piece of work; a panic is its error.
func (s *server) run(ctx context.Context, isPaced bool, do func() (any, error)) (v any, err error) {
	if isPaced {
		if err := s.options.Pacer.Wait(ctx); err != nil {
			return nil, err
		}
		start := time.Now()
		defer func() { s.options.Pacer.Took(time.Since(start)) }()
	}
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("internal error: %v", p)
		}
	}()
	return do()
}

// ServeHTTP answers a request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// An answer without having read the body does not wait for it.
		w.Header().Set("Connection", "close")
	}
	ctx := r.Context()
	if err := s.meter.pass(ctx); err != nil {
		s.fail(w, r, err)
		return
	}
	if ctx.Value(tooMuch{}) != nil {
		w.Header().Set("Connection", "close")
		s.fail(w, r, ErrBusy)
		return
	}
	e, a := s.find(r)
	if a != nil {
		s.refuse(w, a)
		return
	}
	limit, rooms := s.limits.small, []chan struct{}{s.gate.work}
	switch {
	case e.isFree:
		rooms = nil
	case r.URL.Path == pathWhy:
		rooms = []chan struct{}{s.gate.stories, s.gate.work}
	case e.isLarge:
		// No more large bodies are in memory than there are places for.
		limit = s.limits.large
		leave, err := s.gate.enter(ctx, s.gate.adds)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		defer leave()
	}
	body, a := s.read(w, r, limit)
	if a != nil {
		s.refuse(w, a)
		return
	}
	// From here on the end of the run waits for the request.
	if !s.begin() {
		s.refuse(w, answerTo(crawl.ErrOver, &s.options))
		return
	}
	defer s.end()
	w.Header().Del("Connection")
	var wanted Export
	if r.URL.Path == pathExport {
		err := decode(body, &wanted)
		if err == nil {
			err = wanted.check()
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		rooms = []chan struct{}{s.gate.exports, s.gate.work}
		if wanted.Follow {
			rooms = []chan struct{}{s.gate.follows} // it mostly waits
		}
	}
	leave, err := s.gate.enter(ctx, rooms...)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer leave()
	if r.URL.Path == pathExport {
		s.export(w, r, wanted)
		return
	}
	v, err := s.run(ctx, e.isPaced, func() (any, error) { return e.answer(ctx, body) })
	if e.tells {
		s.status.forget() // even if it failed, as it may have done so half-way
	}
	leave() // the work is done, and who asked may take its time
	if err != nil {
		s.fail(w, r, err)
		return
	}
	text, ok := v.([]byte)
	if !ok {
		if text, err = encode(v); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.reply(w, http.StatusOK, text)
}

// find finds what is asked for, or says why it is refused.
func (s *server) find(r *http.Request) (*endpoint, *answer) {
	// Nothing that a browser sends on behalf of a page gets through, should
	// somebody put the socket behind a port.
	if r.Host != "pawl" {
		return nil, refusal(http.StatusForbidden, codeRefused, "the header Host must say pawl: ask for http://pawl"+pathHello)
	}
	for name := range r.Header {
		if name == "Origin" || name == "Referer" || len(name) > 9 && name[:10] == "Sec-Fetch-" {
			return nil, refusal(http.StatusForbidden, codeRefused, "requests of web pages are refused")
		}
	}
	e := s.paths[r.URL.Path]
	switch {
	case !r.ProtoAtLeast(1, 1):
		// It has no way to say that an export is whole.
		return nil, refusal(http.StatusHTTPVersionNotSupported, codeUsage, "ask by HTTP/1.1")
	case e == nil:
		a := refusal(http.StatusNotFound, "version", fmt.Sprintf("%s is not known to pawl %s, which speaks version %d of the protocol", cut(r.URL.Path, 100), s.hello.Version, API))
		a.API, a.Pawl = API, s.hello.Version
		return nil, a
	case r.Method != e.method:
		return nil, refusal(http.StatusMethodNotAllowed, codeUsage, "ask for "+r.URL.Path+" by "+e.method)
	case r.URL.RawQuery != "":
		return nil, refusal(http.StatusBadRequest, codeUsage, "what is asked for stands in the body, not behind a ? in the path")
	}
	return e, nil
}

// read reads the body of a request.
func (s *server) read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *answer) {
	tooLarge := refusal(http.StatusRequestEntityTooLarge, codeUsage, fmt.Sprintf("the body of the request is larger than %d bytes", limit))
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	rc := http.NewResponseController(w)
	end := time.Now().Add(s.limits.body)
	var body []byte
	for {
		deadline := time.Now().Add(s.limits.stall)
		if deadline.After(end) {
			deadline = end
		}
		_ = rc.SetReadDeadline(deadline)
		body = slices.Grow(body, 4096)
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, tooLarge
		case errors.Is(err, io.EOF):
			_ = rc.SetReadDeadline(time.Time{})
			return body, nil
		case err != nil:
			return nil, refusal(http.StatusRequestTimeout, codeUsage, "the body of the request did not come")
		}
	}
}

// fail answers with an error.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(w, s.answerTo(r, err))
}

// answerTo puts the error of a request into words.
func (s *server) answerTo(r *http.Request, err error) *answer {
	if errors.Is(err, context.Canceled) && s.ctx.Err() != nil {
		err = context.Cause(s.ctx)
	}
	return answerTo(err, &s.options)
}

func (s *server) refuse(w http.ResponseWriter, a *answer) {
	text, err := encode(a)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.reply(w, a.status, text)
}

// reply sends an answer to a reader who may be slow, but gets on.
func (s *server) reply(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", fmt.Sprint(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(s.limits.stall))
	w.WriteHeader(status)
	for chunk := range slices.Chunk(text, 64<<10) {
		_ = rc.SetWriteDeadline(time.Now().Add(s.limits.stall))
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	if rc.Flush() == nil {
		_ = rc.SetWriteDeadline(time.Time{})
	}
}

// check refuses what would mean something else to the crawl than to who asks.
func (e *Export) check() error {
	switch {
	case e.Skip < 0:
		return &UsageError{Text: "fewer than no bytes cannot be passed over"}
	case !e.Follow && (e.Skip > 0 || e.Withdrawn != nil || e.CRC32 != nil):
		return &UsageError{Text: "skip, withdrawn and crc32 are for follow"}
	case e.Path != "" && !filepath.IsAbs(e.Path):
		return &UsageError{Text: "the path of an export must be absolute"}
	}
	return nil
}

// export streams what was found. Its reader may stop reading for hours.
func (s *server) export(w http.ResponseWriter, r *http.Request, e Export) {
	ctx := r.Context()
	out := &stream{ctx: ctx, w: w, rc: http.NewResponseController(w), isLive: e.Follow}
	_, err := s.run(ctx, false, func() (any, error) { return nil, s.crawl.Export(ctx, e, out) })
	if err == nil {
		err = out.begin() // there may have been nothing to write
	}
	switch {
	case err == nil:
		w.Header().Set(endTrailer, endOK)
	case !out.begun:
		s.fail(w, r, err)
	default:
		w.Header().Set(endTrailer, s.answerTo(r, err).trailer())
	}
}

// stream is the body of an answer that begins with the first byte.
type stream struct {
	ctx    context.Context
	w      http.ResponseWriter
	rc     *http.ResponseController
	isLive bool // each write is to arrive at once
	begun  bool
}

func (s *stream) begin() error {
	if s.begun {
		return nil
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Trailer", endTrailer)
	s.w.WriteHeader(http.StatusOK)
	return s.rc.Flush()
}

// Write is as io.Writer has it. With no bytes it tells whether to go on.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil || len(p) == 0 {
		return 0, err
	}
	if err := s.begin(); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err == nil && s.isLive {
		err = s.rc.Flush()
	}
	return n, err
}
