package fakeweb

import (
	"hash/maphash"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
)

// ask is a request as a generated site sees it.
type ask struct {
	host   string // as it was asked for, with its port
	https  bool
	target string // path and query as they stand on the wire
	header http.Header
}

// root returns the address of the root that was asked for, without its slash.
func (q *ask) root() string {
	scheme := "http"
	if q.https {
		scheme = "https"
	}
	return scheme + "://" + plainHost(q.host)
}

// answerer appends the body of the answer to q and says the rest of it.
type answerer func(dst []byte, q ask) ([]byte, reply)

// stage is where sites answer from: sockets and memory in, answers out. All its
// methods may be called concurrently.
type stage struct {
	tally Tally
	pages sync.Pool // *[]byte
}

func newStage(tally bool) *stage {
	s := &stage{}
	s.tally.on, s.tally.seed = tally, maphash.MakeSeed()
	s.pages.New = func() any { return new([]byte) }
	return s
}

func (s *stage) buffer() *[]byte {
	b := s.pages.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

// hostname returns host without its port.
func hostname(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		return host[:colon]
	}
	return host
}

// serve writes the answer to a request from a socket.
func (s *stage) serve(rw http.ResponseWriter, r *http.Request, answer answerer) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(rw, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	q := ask{host: r.Host, https: r.TLS != nil, target: target(r), header: r.Header}
	counted := s.tally.begin(q.host, q.target)
	buf := s.buffer()
	defer s.pages.Put(buf)
	var a reply
	*buf, a = answer(*buf, q)
	err := pause(r.Context(), a.wait)
	// Not deferred: the count must end before the client has its answer.
	s.tally.end(q.host, counted)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	header := rw.Header()
	a.header(header)
	header["Content-Length"] = []string{strconv.Itoa(len(*buf))}
	rw.WriteHeader(a.status)
	// The client's going away is nothing to report.
	_, _ = rw.Write(*buf)
}

// noSuchHost is what asking for an unknown name ends in.
func noSuchHost(r *http.Request) error {
	err := &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

// roundTrip answers in memory. find returns nil for a name that does not
// resolve.
func (s *stage) roundTrip(r *http.Request, find func(name string) answerer) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q := ask{host: r.Host, https: r.URL.Scheme == "https", target: target(r), header: r.Header}
	if q.host == "" {
		q.host = r.URL.Host
	}
	answer := find(hostname(q.host))
	if answer == nil {
		return nil, noSuchHost(r)
	}
	counted := s.tally.begin(q.host, q.target)
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	buf := s.buffer()
	a := reply{status: http.StatusMethodNotAllowed, contentType: typeText}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == "" {
		*buf, a = answer(*buf, q)
	}
	if err := pause(ctx, a.wait); err != nil {
		s.tally.end(q.host, counted)
		s.pages.Put(buf)
		return nil, err
	}
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	length := len(*buf)
	header := make(http.Header, 8)
	a.header(header)
	header["Content-Length"] = []string{strconv.Itoa(length)}
	left := length
	if r.Method == http.MethodHead {
		left = 0
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
			pool: &s.pages, tally: &s.tally, ctx: ctx, host: q.host, counted: counted,
			buf: buf, left: (*buf)[:left],
		},
	}, nil
}
