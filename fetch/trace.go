package fetch

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"time"
)

// maxSends is how often net/http may send a request. It sends it again when a
// server of HTTP/2 says that it has not looked at it, as one does that is about
// to close a connection: at once, then after one second, after two and so on.
const maxSends = 4

var errRefused = streamError{Cause: errors.New("received from peer")}

// trace holds what net/http tells during an exchange. Its hooks are called by
// the goroutines of connections, and some of them after the exchange is over.
type trace struct {
	hooks httptrace.ClientTrace

	mu          sync.Mutex
	conns       int // connections that the exchange was given
	writes      int // requests written, well or not
	addr        netip.Addr
	reused      bool // the last connection had served before
	sent, first time.Time
	whenSent    func(time.Time)
	conn        *conn    // that the answer is waited for on, if it is watched
	uses        *metered // that the exchange is on, if it is one of HTTP/2
	clock       *clock
	paced       *paced // what is below the connection that was given last, if there is a Rate
	before      paid   // by it, when it was given
	paid        paid   // for the exchange, by those that were given before
}

// sighting is what a trace has seen.
type sighting struct {
	ip          string
	reused      bool
	sent, first time.Time
}

func newTrace() *trace {
	t := new(trace)
	t.hooks = httptrace.ClientTrace{
		GotConn:              t.gotConn,
		WroteRequest:         t.wroteRequest,
		GotFirstResponseByte: t.gotFirstByte,
	}
	return t
}

// takeTrace returns a trace for a new exchange: the last one, if it is at
// rest.
func (b *Buffer) takeTrace(whenSent func(time.Time), clock *clock) *trace {
	t := b.trace
	b.trace = nil
	if t == nil || !t.rewind() {
		t = newTrace()
	}
	// Nobody else has it yet.
	t.whenSent, t.clock = whenSent, clock
	return t
}

func (t *trace) gotConn(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns++
	t.reused = info.Reused
	if t.writes >= maxSends {
		t.clock.cancel(&brokenError{errRefused})
	}
	if tcp, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
		t.addr = tcp.AddrPort().Addr().Unmap()
	}
	t.hand(nil)
	switch c := info.Conn.(type) {
	case *conn:
		t.hand(c.paced)
		c.settle()
		c.waiting.Store(t)
		t.conn = c
	case *tls.Conn:
		// It serves several exchanges at a time: net/http knows which answer is
		// whose, and only repeats what the server has not looked at.
		t.leave()
		if t.uses, _ = c.NetConn().(*metered); t.uses != nil {
			t.hand(t.uses.paced)
			t.uses.enter()
		}
	}
}

// hand says what the Rate of the exchange is paid by from now on; mu is locked.
func (t *trace) hand(p *paced) {
	if t.paced != nil {
		u := t.paced.used(time.Now())
		t.paid.read += u.read - t.before.read
		t.paid.waited += u.waited - t.before.waited
	}
	if t.paced = p; p != nil {
		t.before = p.used(time.Now()).paid
	}
}

// waited tells for how long the exchange has waited for the Rate, and when it did so
// last. Nothing counts once its connections have read more than most bytes, and when
// there is no trace.
func (t *trace) waited(now time.Time, most int64) (total time.Duration, last time.Time) {
	if t == nil {
		return 0, time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.paid
	if t.paced != nil {
		u := t.paced.used(now)
		last = u.last
		sum.read += u.read - t.before.read
		sum.waited += u.waited - t.before.waited
	}
	if sum.read > most {
		return 0, time.Time{}
	}
	return sum.waited, last
}

// leave says that the exchange does not use its connection of HTTP/2 any more;
// mu is locked.
func (t *trace) leave() {
	if t.uses != nil {
		t.uses.leave()
		t.uses = nil
	}
}

// wasDying tells whether the exchange was given a connection that was being closed
// on this side, so that its request has not reached the server.
func (t *trace) wasDying() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.uses != nil && t.uses.closed.Load() && t.first.IsZero()
}

// cut says that the body was not read to its end: a server that goes on sending
// it would keep the next exchange on the connection of HTTP/2 waiting.
func (t *trace) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.uses != nil {
		t.uses.cut.Store(true)
	}
}

// over is called at the end of an exchange. No connection is given to it later.
func (t *trace) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leave()
	t.hand(nil)
}

// broke ends the exchange when a connection breaks that its request went out
// on. Else net/http would send the request again at once, if the connection
// had served before: perhaps to a host that cannot bear more.
func (t *trace) broke(err error) {
	t.mu.Lock()
	ours, clock := t.writes > 0 && t.first.IsZero(), t.clock
	t.mu.Unlock()
	if ours {
		clock.cancel(&brokenError{err})
	}
}

func (t *trace) wroteRequest(httptrace.WroteRequestInfo) {
	t.mu.Lock()
	t.writes++
	t.sent = time.Now()
	sent, tell, clock := t.sent, t.whenSent, t.clock
	t.mu.Unlock()
	clock.sent()
	if tell != nil {
		tell(sent)
	}
}

func (t *trace) gotFirstByte() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first.IsZero() {
		t.first = t.cameAt(time.Now())
	}
	if t.conn != nil {
		t.conn.waiting.CompareAndSwap(t, nil)
		t.conn = nil
	}
}

// cameAt is when what was read just now had come, before it waited for the Rate; mu
// is locked. What was waited for something before it is not told from what the server
// took: for an earlier piece of the same record of TLS, say.
func (t *trace) cameAt(now time.Time) time.Time {
	if t.paced == nil {
		return now
	}
	u := t.paced.used(now)
	if u.came.IsZero() || u.last.Before(t.sent) {
		return now
	}
	return later(u.came, t.sent)
}

// read returns what was seen until now. Buffer remembers the last address, as
// a worker often stays with a host.
func (t *trace) read(buf *Buffer) sighting {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.addr.IsValid() && t.addr != buf.addr {
		buf.addr, buf.ip = t.addr, t.addr.String()
	}
	s := sighting{reused: t.reused, sent: t.sent, first: t.first}
	if t.addr.IsValid() {
		s.ip = buf.ip
	}
	return s
}

// rewind makes a trace ready for another exchange, if no hook can be called
// any more: every connection that it was given has written its request.
func (t *trace) rewind() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns != t.writes {
		return false
	}
	t.conns, t.writes = 0, 0
	t.addr, t.reused = netip.Addr{}, false
	t.paced, t.before, t.paid = nil, paid{}, paid{}
	t.sent, t.first = time.Time{}, time.Time{}
	return true
}
