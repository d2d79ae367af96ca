// Package fetch makes one polite HTTP exchange: it asks for one address, reads
// one answer within bounds, and says in plain data what came of it.
//
// The package knows no queue, no disk and no other package of pawl. It never
// follows a redirect, never retries on its own account, and has no error to
// return: a page that cannot be had is a [Response] with a [Class].
//
// Everything that comes back is taken for hostile. Header size, body size
// (on the wire and decoded), the memory of decoders, the time of each step
// and the addresses that may be connected to are all bounded:
//
//   - fetch.go        the exchange: options, request, response, time
//   - target.go       an address, byte for byte, into what net/http sends
//   - transport.go    connections: dialling, TLS
//   - pool.go         where they are kept, and given up
//   - rate.go         how much may come over all of them
//   - guard.go        addresses that no page may make pawl connect to
//   - encoding.go     gzip, br, zstd and deflate, decoded within bounds
//   - body.go         reading the body into a worker's buffer
//   - clock.go        the time that an exchange has
//   - trace.go        what net/http tells while the exchange runs
//   - conn.go         connections that tell when they break
//   - metered.go      connections of HTTP/2 that nobody may flood
//   - proxy.go        connections that go through a proxy
//   - certificate.go  trouble with certificates in few words
//   - heads.go        request and answer as text
//   - cookies.go      what servers want to have said to them again
//   - class.go        errors into the classes that users see
//   - errno_*.go      errors that say whether there is a network
//   - probe.go        whether there is one
//   - robots.go       what robots.txt allows
package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// HardMaxBody is the most that a body may decode to, in bytes, whatever
// [Options] and [Request] say: a body lives in memory.
const HardMaxBody = 1 << 30

// maxRetryAfter is the longest wait that a server can ask for, and
// maxRetryAfters in how many lines.
const (
	maxRetryAfter  = 24 * time.Hour
	maxRetryAfters = 10
)

// errTimedOut is the cause that ends an exchange whose time is over.
var errTimedOut = errors.New("timed out")

// Header is one line that is sent with every request.
type Header struct{ Name, Value string }

// Options say how exchanges are made. Start from [Defaults]: a zero is a
// choice of its own. Each time-out bounds one step within Timeout.
type Options struct {
	// UserAgent names the crawler. It must not be empty.
	UserAgent string

	// Timeout bounds a whole exchange, from the start to the last byte of the
	// body. 0 means no bound: then the three below still end an exchange
	// that stands still, but not one that crawls.
	Timeout time.Duration
	// ConnectTimeout bounds name lookup and connect together, and then the
	// TLS handshake. 0 means no bound but Timeout.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the wait for the header once the request is sent.
	// 0 means no bound but Timeout. A Transport of one's own keeps its own.
	HeaderTimeout time.Duration
	// IdleBodyTimeout bounds the wait for the next byte of a body. 0 means
	// no bound but Timeout.
	IdleBodyTimeout time.Duration

	// MaxBody is where a decoded body is cut, in bytes. 0, or anything above
	// it, means HardMaxBody.
	MaxBody int64

	// Headers are sent with every request and replace those of the package
	// (Accept, say). Authorization and Cookie are secrets: they go only where
	// [Request.Auth] allows. Lines that net/http writes itself (Host,
	// Content-Length, Connection and their kind) are refused by New.
	Headers []Header
	// Jar keeps cookies. A host is sent its own, after those of Headers that
	// it may see, whether Auth allows secrets or not: it has set them, or the
	// user has loaded them for it. nil: no cookies are kept.
	Jar *Jar
	// User and Password make a basic Authorization (RFC 7617) for the
	// requests that have Auth set. Both empty means none.
	User, Password string

	// Proxy is the address of a proxy that all requests go through: of the
	// scheme http, https, socks5 (names are looked up here) or socks5h (the
	// proxy looks them up), perhaps with USER:PASSWORD@. It may be at any
	// address itself, and its certificate must be good whatever Insecure
	// says. The address guard sees what is connected to with socks5 alone;
	// with the others it refuses addresses and localhost names, but where
	// other names point is known to the proxy only. Empty means none; the
	// environment is not looked at.
	Proxy string

	// HTTP1 never speaks HTTP/2.
	HTTP1 bool
	// Insecure accepts any certificate.
	Insecure bool
	// AllowPrivate turns the address guard off (see [Private]).
	AllowPrivate bool

	// PerHost is the most connections that one host (a name with its port)
	// sees at a time; it must be at least 1. An exchange that finds them all
	// busy waits, on its own time.
	PerHost int
	// Rate bounds what is taken from the network, together with others that share
	// it; nil: there is no bound. A Transport of one's own is not bound by it.
	Rate *Rate
	// Budget bounds the memory of bodies, together with others that share it; nil:
	// there is no bound.
	Budget *Budget

	// MaxConns is the most connections that are kept open for reuse, over
	// all hosts; those in use come on top, one for each exchange under way.
	// 0 means no bound.
	MaxConns int
	// IdleConnTimeout is how long a connection is kept that nobody uses. It
	// should be longer than the crawl delay: a new connection costs four
	// times what an old one does, and TLS more. 0 means no bound.
	IdleConnTimeout time.Duration

	// Transport takes the place of the network when it is not nil: then
	// nothing is dialled, and the address guard, Proxy, PerHost, MaxConns
	// and everything about TLS have no effect. It must obey the context.
	Transport http.RoundTripper
}

// Defaults returns the options of a polite crawler.
func Defaults() Options {
	return Options{
		UserAgent:       "pawl",
		Timeout:         30 * time.Second,
		ConnectTimeout:  10 * time.Second,
		HeaderTimeout:   5 * time.Minute,
		IdleBodyTimeout: 20 * time.Second,
		MaxBody:         10_000_000,
		PerHost:         1,
		MaxConns:        256,
		IdleConnTimeout: 90 * time.Second,
	}
}

// Fetcher makes exchanges. It may be used by many goroutines at once.
type Fetcher struct {
	opts   Options
	pool   atomic.Pointer[pool]
	plain  http.Header // what every request says; never written to
	secret http.Header // the same with what only some hosts may see
	proxy  *proxy      // nil: none
	codecs codecs
	bodies sync.Pool // of *[]byte, decoded
	wires  sync.Pool // of *[]byte, as they came
}

// Request is one address to ask for, with GET.
type Request struct {
	// URL is absolute, http or https, and spelled as a WHATWG parser
	// serialises it: no byte that would need escaping is left bare. Path and
	// query go out byte for byte, also where net/url would spell them
	// differently or refuse them. A fragment and credentials are not sent.
	URL string
	// Trusted allows private addresses: the user named this host. It must be
	// the same for every request to one host, as connections are shared.
	Trusted bool
	// Auth allows Authorization and Cookie to be sent.
	Auth bool
	// MaxBody takes the place of Options.MaxBody when it is not 0.
	MaxBody int64
	// Referer is sent when it is not empty.
	Referer string
	// Heads asks for the heads of request and answer as text.
	Heads bool
	// WhenSent, if not nil, is called with the time as soon as the request
	// has gone out, by a goroutine of net/http, and again when net/http sends
	// it again. It must not block for long. A Transport that tells nothing
	// does not call it.
	WhenSent func(at time.Time)
}

// Response is what came of an exchange. Whether the host answered, and with
// what, is in Status; whether all went well is in Class. After a failure the
// fields hold what was known by then.
type Response struct {
	// Status is the HTTP status, 0 when no answer came. It never is 1xx.
	Status int
	// Header is the header of the answer; nil when none came.
	Header http.Header
	// Proto is the protocol of the answer, "HTTP/1.1" or "HTTP/2.0".
	Proto string
	// IP is the address that was asked, empty when there was no connection or
	// it goes through a proxy.
	IP string
	// Location is the header of that name of a 3xx, as it was sent.
	Location string
	// RetryAfter is how long the server asks to be left alone (RFC 9110
	// section 10.2.3), from 0 to 24 hours; 0 when it does not ask.
	RetryAfter time.Duration

	// RequestHead and ResponseHead are the heads of request and answer, if
	// Request.Heads asked for them and an answer came: as text of HTTP/1.1,
	// whatever was spoken, up to the empty line. The order of the lines and
	// the capitals of their names are net/http's, not those of the wire. What
	// of the user's may be secret is left out: Authorization, Cookie, and all
	// Options.Headers but those of harmlessLines.
	RequestHead, ResponseHead []byte

	// Body is the decoded body. It is valid until the next Fetch with the
	// same Buffer, or its Release. After a failure it is what had come by
	// then.
	Body []byte
	// Transferred is the size of the body on the wire, before decoding.
	Transferred int64
	// Truncated says that the body was cut at the limit.
	Truncated bool

	// Started is when Fetch was called.
	Started time.Time
	// Sent is when the request had been handed to the connection, the last
	// time if net/http had to send it again. It is zero when no request went
	// out: the host was not asked. With a Transport that tells nothing it is
	// Started, unless it failed before it can have asked.
	Sent time.Time
	// TTFB is the time from Started to the first byte of the answer, with
	// lookup, connect and TLS if they were needed; 0 when none came.
	TTFB time.Duration
	// Total is the time that Fetch took.
	Total time.Duration
	// Waited is how much of Total, after TTFB, went into waiting for the Rate and the
	// Budget: it is none of the server's.
	Waited time.Duration
	// Crowded says, with Aborted, that the body is not whole because it had to wait for
	// the Budget: for longer than two minutes, or than the server kept the connection.
	Crowded bool

	// Proxy says that Class is trouble of the proxy itself, whichever host was
	// to be asked: it cannot be reached, wants another password, or speaks what
	// no proxy does. What it says of a host, and what may be the host's, is not:
	// that it cannot reach it or may not, takes too long to, or hangs up. The 407
	// of a plain request is the proxy's until it has served one.
	Proxy bool
	// Reused says that the request went out on a connection that had served before:
	// that it was not answered then says nothing of whether the host can be reached.
	Reused bool
	// Class is what went wrong, empty if nothing did.
	Class Class
	// Err says in a few words what is behind Class: one line, at most 200
	// bytes, without the address.
	Err string
}

// New returns a Fetcher that works by the options, or an error that names the
// first one that cannot be.
func New(o Options) (*Fetcher, error) {
	return newFetcher(o, nil)
}

// newFetcher lets tests answer for the name service.
func newFetcher(o Options, names *net.Resolver) (*Fetcher, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	f := &Fetcher{opts: o}
	f.plain, f.secret = o.headers()
	if o.Transport != nil {
		f.pool.Store(&pool{o.Transport})
		return f, nil
	}
	if o.Proxy == "" {
		f.pool.Store(&pool{newTransport(o, names)})
		return f, nil
	}
	var err error
	if f.proxy, err = newProxy(&o, names); err != nil {
		return nil, err
	}
	f.proxy.agent = f.plain.Get("User-Agent") // perhaps one of Headers
	f.pool.Store(&pool{newTransportOver(o, f.proxy.dial, f.proxy.tunnel)})
	return f, nil
}

func (o *Options) validate() error {
	if o.UserAgent == "" || !httpguts.ValidHeaderFieldValue(o.UserAgent) {
		return fmt.Errorf("user agent %q is empty or holds control characters", o.UserAgent)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"timeout", o.Timeout},
		{"connect timeout", o.ConnectTimeout},
		{"header timeout", o.HeaderTimeout},
		{"idle body timeout", o.IdleBodyTimeout},
		{"idle connection timeout", o.IdleConnTimeout},
	} {
		if d.value < 0 {
			return fmt.Errorf("%s %v is negative", d.name, d.value)
		}
	}
	switch {
	case o.MaxBody < 0:
		return fmt.Errorf("largest body %d is negative", o.MaxBody)
	case o.PerHost < 1:
		return fmt.Errorf("%d connections for each host, must be at least 1", o.PerHost)
	case o.MaxConns < 0:
		return fmt.Errorf("%d connections in all is negative", o.MaxConns)
	case strings.ContainsRune(o.User, ':'):
		return errors.New("user name holds a colon")
	}
	for _, h := range o.Headers {
		if err := h.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (h Header) validate() error {
	if !httpguts.ValidHeaderFieldName(h.Name) {
		return fmt.Errorf("header name %q is not valid", h.Name)
	}
	if !httpguts.ValidHeaderFieldValue(h.Value) {
		return fmt.Errorf("value of header %s holds control characters", h.Name)
	}
	switch textproto.CanonicalMIMEHeaderKey(h.Name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive",
		"Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Upgrade", "Expect":
		return fmt.Errorf("header %s cannot be set", h.Name)
	}
	return nil
}

// headers returns the two header sets that all requests share.
func (o *Options) headers() (plain, secret http.Header) {
	plain = http.Header{
		"User-Agent":      {o.UserAgent},
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Encoding": {"gzip, br, zstd"},
	}
	own := make(http.Header)
	for _, h := range o.Headers {
		own.Add(h.Name, h.Value)
	}
	secret = make(http.Header)
	for name, values := range own {
		if name == "Authorization" || name == "Cookie" {
			secret[name] = values
		} else {
			plain[name] = values
		}
	}
	if o.User != "" || o.Password != "" {
		credentials := base64.StdEncoding.EncodeToString([]byte(o.User + ":" + o.Password))
		secret.Set("Authorization", "Basic "+credentials)
	}
	maps.Copy(secret, plain)
	return plain, secret
}

// Fetch makes one exchange and returns what came of it. It returns at the
// latest when the time of the options is over, which stands still for the Rate and the
// Budget, or ctx is done. Many goroutines may call it at once, each with a Buffer
// of its own.
func (f *Fetcher) Fetch(ctx context.Context, req Request, buf *Buffer) Response {
	res := Response{Started: time.Now()}
	f.exchange(ctx, &req, buf, &res)
	res.Total = time.Since(res.Started)
	// Of a connection that is shared, the waits for others are in it.
	res.Waited = min(res.Waited, res.Total-res.TTFB)
	if res.Status == 0 {
		// Nothing may have been read behind a handshake, which would have waited for it.
		f.opts.Rate.settle(ctx)
	}
	return res
}

func (f *Fetcher) exchange(parent context.Context, req *Request, buf *Buffer, res *Response) {
	buf.Release()
	to, err := target(req.URL)
	if err != nil {
		res.Class, res.Err = Protocol, err.Error()
		return
	}
	clock := &clock{header: f.opts.headerTimeout(), idle: f.opts.IdleBodyTimeout, most: f.mostRead(req)}
	tr := buf.takeTrace(req.WhenSent, clock)
	clock.trace = tr
	ctx := clock.start(parent, res.Started, f.opts.Timeout)
	defer clock.stop()
	from := f.pool.Load()
	defer func() {
		waited, _ := tr.waited(time.Now(), math.MaxInt64)
		res.Waited += waited
		f.leave(from, tr)
	}()
	if req.Trusted {
		ctx = context.WithValue(ctx, trustedKey{}, true)
	}
	ctx = httptrace.WithClientTrace(ctx, &tr.hooks)

	asked := f.request(ctx, to, req, res.Started)
	answer, err := from.RoundTrip(asked)
	if err != nil && tr.wasDying() && ctx.Err() == nil {
		asked = f.request(ctx, to, req, res.Started)
		from = f.pool.Load()
		answer, err = from.RoundTrip(asked)
	}
	if err != nil {
		res.fail(ctx, err)
		seen := tr.read(buf)
		res.IP, res.Sent, res.Reused = f.asked(seen), seen.sent, seen.reused
		if res.Sent.IsZero() && f.opts.Transport != nil && !res.Class.beforeRequest() {
			res.Sent = res.Started
		}
		return
	}
	now := time.Now()
	clock.answered()
	if f.proxy.refused(to, answer, res) {
		return
	}
	res.Status, res.Header, res.Proto = answer.StatusCode, answer.Header, answer.Proto
	res.RetryAfter = retryAfter(answer.Header, now)
	if req.Heads {
		res.RequestHead, res.ResponseHead = f.heads(asked, answer)
	}
	if res.Status/100 == 3 {
		res.Location = answer.Header.Get("Location")
	}

	switch {
	case res.Status >= 200:
		if f.opts.Jar != nil {
			f.opts.Jar.store(to, answer.Header["Set-Cookie"], now)
		}
		err = f.readBody(ctx, answer, f.limit(req), buf, clock, res)
		if res.Truncated || err != nil {
			tr.cut()
		}
	case answer.Body != nil:
		answer.Body.Close() // nobody knows what it would be
	}
	seen := tr.read(buf)
	res.IP, res.Reused = f.asked(seen), seen.reused
	// A server may answer before the request has left in full.
	res.Sent = later(seen.sent, res.Started)
	res.TTFB = now.Sub(res.Started)
	if !seen.first.IsZero() {
		res.TTFB = seen.first.Sub(res.Started)
	}
	switch {
	case res.Status < 200:
		res.Class, res.Err = Protocol, "status "+strconv.Itoa(res.Status)
		res.Status = 0
	case res.Status == http.StatusTooManyRequests || res.Status == http.StatusServiceUnavailable:
		res.Class, res.Err = Throttled, "status "+strconv.Itoa(res.Status)
	case err == nil:
		buf.trace = tr
	case res.Location == "":
		res.fail(ctx, err)
	}
	// What is left: a redirect whose body broke. It has said where to go.
}

// headerTimeout is the bound of the wait for the header; 0: none of its own.
func (o *Options) headerTimeout() time.Duration {
	if o.Transport != nil || o.Timeout > 0 && o.HeaderTimeout >= o.Timeout {
		return 0
	}
	return o.HeaderTimeout
}

// mostRead is what can be read for an exchange from its connection, or all exchanges that
// share it, in bytes.
func (f *Fetcher) mostRead(req *Request) int64 {
	limit := f.limit(req)
	return (limit + limit/8 + wireSlack + maxHeader) * int64(f.opts.PerHost)
}

// asked is the address of the host that was asked, if it is known.
func (f *Fetcher) asked(seen sighting) string {
	if f.proxy != nil {
		return ""
	}
	return seen.ip
}

// request makes what net/http sends.
func (f *Fetcher) request(ctx context.Context, to *url.URL, req *Request, now time.Time) *http.Request {
	header := f.header(req, to, now)
	if f.proxy.namesHost(to) {
		to.Opaque = "//" + to.Host + requestPath(to)
	}
	return (&http.Request{
		Method: http.MethodGet,
		URL:    to,
		Host:   to.Host,
		Header: header,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
}

// header returns what a request says; it must not be written to.
func (f *Fetcher) header(req *Request, to *url.URL, now time.Time) http.Header {
	h, shared := f.plain, true
	if req.Auth {
		h = f.secret
	}
	set := func(name, value string) {
		if shared {
			h, shared = maps.Clone(h), false
		}
		h[name] = []string{value}
	}
	if f.proxy.namesHost(to) && f.proxy.auth != "" {
		set("Proxy-Authorization", f.proxy.auth)
	}
	if req.Referer != "" {
		set("Referer", req.Referer)
	}
	if f.opts.Jar != nil {
		if kept := f.opts.Jar.header(to, now); kept != "" {
			set("Cookie", strings.Join(append(slices.Clip(h["Cookie"]), kept), "; "))
		}
	}
	return h
}

// fail fills in the class of an error, which is that of the clock or of the
// caller if one of them ended the exchange.
func (r *Response) fail(ctx context.Context, err error) {
	if crowded := (*crowdedError)(nil); errors.As(err, &crowded) {
		r.Class, r.Err, r.Crowded = Aborted, errCrowded.Error(), true
		return
	}
	cause := context.Cause(ctx)
	broken := (*brokenError)(nil)
	if errors.As(cause, &broken) {
		err = broken.err
	}
	if ctx.Err() == nil || broken != nil {
		r.Class, r.Err = classify(err)
		trouble := (*proxyError)(nil)
		r.Proxy = errors.As(err, &trouble) && trouble.own
		return
	}
	switch {
	case errors.Is(cause, errTimedOut), errors.Is(cause, context.DeadlineExceeded):
		r.Class, r.Err = TimedOut, r.waitedFor()
	default:
		r.Class, r.Err = Aborted, "stopped"
	}
}

// waitedFor names the step in which time ran out.
func (r *Response) waitedFor() string {
	if r.Status == 0 {
		return "no answer in time"
	}
	return "body not complete in time"
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// retryAfter reads the header of that name: seconds, or a date, which counts
// from the date of the answer, so that a wrong clock does no harm. Of several,
// whether in lines of their own or in a list, the longest wait counts.
func retryAfter(h http.Header, now time.Time) (wait time.Duration) {
	values := h["Retry-After"]
	for _, value := range values[:min(len(values), maxRetryAfters)] {
		until, err := http.ParseTime(strings.TrimSpace(value))
		if err == nil {
			from := now
			if date, err := http.ParseTime(h.Get("Date")); err == nil {
				from = date
			}
			wait = max(wait, until.Sub(from))
			continue
		}
		for part := range strings.SplitSeq(value, ",") {
			wait = max(wait, waitSeconds(strings.TrimSpace(part)))
		}
	}
	return min(wait, maxRetryAfter)
}

// waitSeconds reads a number of seconds; what is none is no wait.
func waitSeconds(value string) time.Duration {
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return 0
	}
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds > int(maxRetryAfter/time.Second) {
		return maxRetryAfter
	}
	return time.Duration(seconds) * time.Second
}
