package fakeweb

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ending is how an answer ends.
type ending uint8

const (
	endWhole ending = iota
	endReset        // nothing is sent
	endHalf         // half of the body is sent
)

// reply is an answer but for its body.
type reply struct {
	status      int
	contentType string
	location    string
	retryAfter  string
	etag        string
	modified    string
	cookie      string
	gzip        bool
	wait        time.Duration
	ending      ending
}

const (
	typeHTML = "text/html; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
)

// answer appends the body of the answer for target, a path with its query, to
// dst. host is the name that was asked for.
func (w *Web) answer(dst []byte, names *names, h int, host, target string, gzipped bool) ([]byte, reply) {
	a := reply{status: http.StatusOK, contentType: typeHTML}
	if w.o.Latency != nil {
		path, _, _ := strings.Cut(target, "?")
		a.wait = w.o.Latency(host, path)
	}
	if target == "/robots.txt" {
		a.contentType = typeText
		if w.o.Robots == nil {
			return append(dst, DefaultRobots...), a
		}
		var body string
		a.status, body = w.o.Robots(host)
		if a.status == 0 {
			a.ending = endReset
		}
		return append(dst, body...), a
	}

	p, tracked, ok := w.find(h, target)
	if !ok {
		return w.refuse(dst, &a, http.StatusNotFound, h), a
	}
	switch p.place {
	case placeAsset:
		a.contentType = assets[p.n].contentType
		return append(dst, assets[p.n].body...), a
	case placeHop:
		return w.move(dst, &a, names, p), a
	case placePage:
	default:
		return w.appendPlain(dst, p), a
	}

	kind := w.kind(h, p.n)
	switch kind {
	case NotFound:
		return w.refuse(dst, &a, http.StatusNotFound, h), a
	case ServerError:
		return w.refuse(dst, &a, http.StatusInternalServerError, h), a
	case Redirect, Chain, Loop:
		return w.move(dst, &a, names, p), a
	case Bounce:
		if !tracked {
			return w.move(dst, &a, names, p), a
		}
	case Throttled:
		if w.refusals.next(p, w.o.Faults.ThrottleAsks) {
			a.retryAfter = strconv.FormatInt(int64(w.o.Faults.RetryAfter/time.Second), 10)
			status := http.StatusTooManyRequests
			if w.hash(h, p.n, forStatus)%2 == 0 {
				status = http.StatusServiceUnavailable
			}
			return w.refuse(dst, &a, status, h), a
		}
	case Slow:
		a.wait += w.o.Faults.SlowBy
	case Reset:
		a.ending = endReset
		return dst, a
	case Cut:
		a.ending = endHalf
	case Binary:
		var body string
		a.contentType, body = w.binary(h, p.n)
		return append(dst, body...), a
	}
	a.etag, a.modified = w.validators(h, p.n)
	a.gzip = gzipped && w.gzipped(h, p.n)
	return w.appendPage(dst, names, h, p.n), a
}

// refuse appends the body of an error page. It links an address that a crawler
// does not ask for, as it follows no links of an error page.
func (w *Web) refuse(dst []byte, a *reply, status, h int) []byte {
	a.status = status
	dst = append(dst, "<!DOCTYPE html>\n<title>"...)
	dst = append(dst, http.StatusText(status)...)
	return append(dst, "</title>\n<p>Perhaps <a href=\"/lost/6\">this</a>?</p>\n"...)
}

// move appends the body of a redirect from p.
func (w *Web) move(dst []byte, a *reply, names *names, p node) []byte {
	to, status := w.redirect(names, p)
	a.status = status
	var room [192]byte
	location := room[:0]
	// Both spellings of a Location are common.
	if to.h != p.h || to.n%2 == 0 {
		location = names.appendRoot(location, to.h)
	}
	location = w.appendPath(location, to)
	if w.kind(p.h, p.n) == Bounce {
		mark := "?utm_source=bounce"
		if strings.Contains(string(location), "?") {
			mark = "&utm_source=bounce"
		}
		location = append(location, mark...)
	}
	a.location = string(location)
	return append(dst, "<!DOCTYPE html>\n<title>Moved</title>\n"...)
}

// appendPlain appends a page of one of the special places, which has no links.
func (w *Web) appendPlain(dst []byte, p node) []byte {
	dst = append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<title>"...)
	dst = appendPlainTitle(dst, p)
	dst = append(dst, "</title>\n<h1>"...)
	dst = appendPlainTitle(dst, p)
	return append(dst, "</h1>\n"...)
}

func appendPlainTitle(dst []byte, p node) []byte {
	switch p.place {
	case placePrivate:
		dst = append(dst, "Private "...)
	case placeNofollow:
		dst = append(dst, "Unfollowed "...)
	default:
		dst = append(dst, "Lost "...)
	}
	return strconv.AppendInt(dst, int64(p.n), 10)
}

func (w *Web) binary(h, n int) (contentType, body string) {
	if w.hash(h, n, forStatus)%2 == 0 {
		return "application/pdf", pdfFile
	}
	return "image/png", pngFile
}

func (w *Web) gzipped(h, n int) bool {
	return int(w.hash(h, n, forGzip)%1000) < w.o.Faults.Gzip
}

// validators returns ETag and Last-Modified of a page, "" where it has none.
func (w *Web) validators(h, n int) (etag, modified string) {
	look := w.look(h, n)
	x := w.hash(h, n, forBody)
	if look.etag {
		etag = `"` + strconv.FormatUint(x, 16) + `"`
	}
	if look.modified {
		born := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
		modified = born.Add(time.Duration(x>>40) * time.Second).Format(http.TimeFormat)
	}
	return etag, modified
}

// compress returns body compressed, in a buffer from the pool.
func (w *Web) compress(body []byte) *[]byte {
	out := w.buffer()
	zip, _ := w.gzips.Get().(*gzip.Writer)
	sink := appender{out}
	if zip == nil {
		// The level is a constant that gzip knows.
		zip, _ = gzip.NewWriterLevel(sink, gzip.BestSpeed)
	} else {
		zip.Reset(sink)
	}
	// An appender takes everything.
	_, _ = zip.Write(body)
	_ = zip.Close()
	w.gzips.Put(zip)
	return out
}

type appender struct{ to *[]byte }

func (a appender) Write(p []byte) (int, error) {
	*a.to = append(*a.to, p...)
	return len(p), nil
}

func (w *Web) buffer() *[]byte {
	b := w.pages.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

// header says in HTTP what a says.
func (a *reply) header(to http.Header) {
	// One array holds all values, which is one allocation instead of one a field.
	values := make([]string, 0, 8)
	set := func(key, value string) {
		if value != "" {
			values = append(values, value)
			to[key] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set("Content-Type", a.contentType)
	set("Location", a.location)
	set("Retry-After", a.retryAfter)
	set("Etag", a.etag)
	set("Last-Modified", a.modified)
	set("Set-Cookie", a.cookie)
	if a.gzip {
		set("Content-Encoding", "gzip")
		set("Vary", "Accept-Encoding")
	}
}

// pause waits for d or until ctx is done, and returns why it ended early.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// target returns path and query of r as they stand on the wire.
func target(r *http.Request) string {
	t := r.URL.RequestURI()
	if strings.HasPrefix(t, "/") {
		return t
	}
	// The whole address, as in a request to a proxy.
	if _, rest, ok := strings.Cut(t, "://"); ok {
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			return rest[slash:]
		}
	}
	return "/"
}

// testHost reads "h7.test:8080".
func testHost(host string) (h int, port string, ok bool) {
	name := host
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	number, ok := strings.CutSuffix(name, ".test")
	digits, isHost := strings.CutPrefix(number, "h")
	h, err := strconv.Atoi(digits)
	// Printed back, so that h07.test and h+7.test are not h7.test.
	return h, port, ok && isHost && err == nil && h >= 0 && strconv.Itoa(h) == digits
}

// ServeHTTP answers for the host that the request names: h0.test, h1.test and
// so on, with any port, which its links then carry too. Under any other name,
// such as that of a loopback listener, it is a web of the one site 0. GET and
// HEAD are answered, whatever the request's body. Over HTTP/1 a reset is a real
// one; the other faulty ends abort the handler as [http.ErrAbortHandler] says.
func (w *Web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	v := names{hosts: w.o.Hosts, scheme: "http"}
	if r.TLS != nil {
		v.scheme = "https"
	}
	h, port, ok := testHost(r.Host)
	if ok && h < w.o.Hosts {
		v.port = port
	} else {
		h = 0
		v.hosts = 1
		v.roots = []string{v.scheme + "://" + plainHost(r.Host)}
	}
	w.serve(rw, r, &v, h)
}

// plainHost returns host if it can stand in an address and in HTML as it is.
func plainHost(host string) string {
	for _, b := range []byte(host) {
		if b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' || strings.IndexByte(".-_:[]", b) >= 0 {
			continue
		}
		return "invalid.test"
	}
	return host
}

// serve writes the answer of host h to a request from a socket.
func (w *Web) serve(rw http.ResponseWriter, r *http.Request, names *names, h int) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(rw, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	target := target(r)
	counted := w.tally.begin(r.Host, target)
	// Not deferred: the count must end before the client has its answer.
	ended := func() { w.tally.end(r.Host, counted) }

	buf := w.buffer()
	defer w.pages.Put(buf)
	body, a := w.answer(*buf, names, h, r.Host, target, strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"))
	*buf = body
	if pause(r.Context(), a.wait) != nil {
		ended()
		panic(http.ErrAbortHandler)
	}
	if a.ending == endReset {
		ended()
		reset(rw)
		return
	}
	if a.gzip {
		zipped := w.compress(body)
		defer w.pages.Put(zipped)
		body = *zipped
	}
	header := rw.Header()
	a.header(header)
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	rw.WriteHeader(a.status)
	if a.ending == endHalf {
		// The client's going away is nothing to report.
		_, _ = rw.Write(body[:len(body)/2])
		_ = http.NewResponseController(rw).Flush()
		ended()
		panic(http.ErrAbortHandler)
	}
	ended()
	_, _ = rw.Write(body)
}

// reset closes the client's connection in such a way that it reads "connection
// reset".
func reset(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// RoundTrip answers in memory for the hosts h0.test, h1.test and so on. Any
// other name is a [*net.DNSError], a reset is a [*net.OpError] that wraps
// ECONNRESET, a cut body ends in [io.ErrUnexpectedEOF]. Waiting honours the
// request's context. Bodies must be closed, as with any [http.RoundTripper].
func (w *Web) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	v := w.names
	h, port, ok := testHost(host)
	if !ok || h >= w.o.Hosts {
		err := &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	v.port = port
	if r.URL.Scheme == "https" {
		v.scheme = "https"
	}
	target := target(r)
	counted := w.tally.begin(host, target)
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}

	buf := w.buffer()
	var a reply
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == "" {
		*buf, a = w.answer(*buf, &v, h, host, target, strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"))
	} else {
		a = reply{status: http.StatusMethodNotAllowed, contentType: typeText}
	}
	err := pause(ctx, a.wait)
	if err == nil && a.ending == endReset {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	if err != nil {
		w.tally.end(host, counted)
		w.pages.Put(buf)
		return nil, err
	}
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	if a.gzip {
		zipped := w.compress(*buf)
		w.pages.Put(buf)
		buf = zipped
	}
	length := len(*buf)
	header := make(http.Header, 8)
	a.header(header)
	header["Content-Length"] = []string{strconv.Itoa(length)}
	left := length
	switch {
	case r.Method == http.MethodHead:
		left = 0
	case a.ending == endHalf:
		left = length / 2
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		ContentLength: int64(length),
		Request:       r,
		Body: &body{
			pool: &w.pages, tally: &w.tally, ctx: ctx, host: host, counted: counted, buf: buf,
			left: (*buf)[:left], cut: a.ending == endHalf && r.Method != http.MethodHead,
		},
	}, nil
}

// body is the body of an answer in memory. The lock lets a client close it while
// it reads, as a real one may.
type body struct {
	pool    *sync.Pool // takes buf back
	tally   *Tally
	ctx     context.Context
	host    string
	cut     bool
	mu      sync.Mutex
	counted *hostTally // nil when the request was not counted, or has ended
	buf     *[]byte    // nil when closed
	left    []byte
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	if len(b.left) > 0 {
		return n, nil
	}
	b.end()
	if b.cut {
		return n, io.ErrUnexpectedEOF
	}
	return n, io.EOF
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf != nil {
		b.pool.Put(b.buf)
		b.buf, b.left = nil, nil
	}
	b.end()
	return nil
}

func (b *body) end() {
	b.tally.end(b.host, b.counted)
	b.counted = nil
}
