package fetch

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

const (
	// minChunk and maxChunk bound what one reading takes of a bounded Rate, in bytes:
	// a burst's worth if that is between them. Connections have their turn one after
	// the other, so the chunk is also what is fair.
	minChunk = 4 << 10
	maxChunk = 16 << 10
	// burstsPerSecond is how many bursts a second holds: so long a time of silence is
	// made up for.
	burstsPerSecond = 8
)

// Rate bounds what all exchanges together take from the network, in bytes per
// second. It may be shared by several Fetchers, and used concurrently. The zero Rate
// is without bound.
//
// What counts is what is read from connections, TLS and all, but not the packets
// around it. Readings wait, so that the window of TCP slows servers down; what that
// lets them send ahead, some 64 KB on a new connection, comes as fast as the network
// is. A handshake of TLS does not wait: its bytes are made up for afterwards, by what is
// read next, or else before Fetch returns, in none of the times of its Response. What is
// said to have a tunnel of a proxy does not count.
//
// The time for which an exchange waits for the Rate does not count for its time-outs, as
// long as it has not read more than an answer can be. Nor does it for Response.TTFB, but
// for what is waited for what TLS or HTTP/2 say for themselves right before.
type Rate struct {
	mu    sync.Mutex // of Set
	bound atomic.Pointer[bound]
}

// bound is a Rate until it is set to another.
type bound struct {
	perSecond int64
	limiter   *rate.Limiter
	chunk     int
	replaced  chan struct{} // closed when it is over
}

// NewRate makes a Rate of so many bytes per second; 0: no bound.
func NewRate(perSecond int64) *Rate {
	r := new(Rate)
	r.Set(perSecond)
	return r
}

// Set changes the bound, for exchanges under way too.
func (r *Rate) Set(perSecond int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.bound.Load()
	switch {
	case old == nil && perSecond <= 0, old != nil && old.perSecond == perSecond:
		return
	case perSecond <= 0:
		r.bound.Store(nil)
	default:
		burst := perSecond / burstsPerSecond
		chunk := int(min(max(burst, minChunk), maxChunk))
		r.bound.Store(&bound{
			perSecond: perSecond,
			limiter:   rate.NewLimiter(rate.Limit(perSecond), int(min(max(burst, minChunk), 1<<30))),
			chunk:     chunk, replaced: make(chan struct{}),
		})
	}
	if old != nil {
		close(old.replaced)
	}
}

// settle waits until what was read without waiting is made up for, or ctx is done.
func (r *Rate) settle(ctx context.Context) {
	if r == nil {
		return
	}
	for b := r.bound.Load(); b != nil; b = r.bound.Load() {
		now := time.Now()
		wait := b.limiter.ReserveN(now, 0).DelayFrom(now)
		if wait <= 0 {
			return
		}
		select {
		case <-time.After(wait):
			return
		case <-b.replaced:
		case <-ctx.Done():
			return
		}
	}
}

// pace has the readings of a connection bound by the Rate. Without one it returns the
// connection as it is, and nil.
func (r *Rate) pace(c net.Conn) (below net.Conn, p *paced) {
	if r == nil {
		return c, nil
	}
	p = &paced{Conn: c, rate: r, closed: make(chan struct{})}
	return p, p
}

// paced is a connection that waits after it has read, for as long as the Rate asks. It
// does so below TLS and HTTP/2, where what they say for themselves counts, too.
type paced struct {
	net.Conn
	rate    *Rate
	patient atomic.Bool // it does wait
	timer   *time.Timer // of the reader
	once    sync.Once
	closed  chan struct{}

	mu  sync.Mutex
	use paceUse
}

// paid is what a connection has had of a Rate, and what it has cost.
type paid struct {
	read   int64 // bytes, while there was a bound
	waited time.Duration
}

// paceUse is what a connection has to do with its Rate. Times that there are none of are
// zero.
type paceUse struct {
	paid
	came  time.Time // when what was read last had come, if it had to wait
	since time.Time // since when it waits
	last  time.Time // when it waited last
}

// wait has readings wait from now on; until then they are only counted. The nil paced
// is no matter.
func (p *paced) wait() {
	if p != nil {
		p.patient.Store(true)
	}
}

// used tells what the connection has had until now. The nil paced has had nothing.
func (p *paced) used(now time.Time) paceUse {
	if p == nil {
		return paceUse{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.use
	if !u.since.IsZero() {
		u.waited += now.Sub(u.since)
		u.last = now
	}
	return u
}

// holds says that something has come and is not handed on yet.
func (p *paced) holds() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.use.since.IsZero()
}

func (p *paced) Read(b []byte) (int, error) {
	if bound := p.rate.bound.Load(); bound != nil {
		b = b[:min(len(b), bound.chunk)]
	}
	n, err := p.Conn.Read(b)
	if n > 0 && !p.pay(n) {
		return 0, net.ErrClosed
	}
	return n, err
}

// pay takes n bytes from the Rate, and waits until it has them. It is false when the
// connection was closed meanwhile.
func (p *paced) pay(n int) bool {
	b := p.rate.bound.Load()
	if b == nil {
		return true
	}
	came := time.Now()
	p.mu.Lock()
	p.use.read += int64(n)
	p.use.came = time.Time{}
	p.mu.Unlock()
	for b != nil {
		now := time.Now()
		// A reading that began before there was a bound may have given more than a burst.
		wait := b.limiter.ReserveN(now, min(n, b.limiter.Burst())).DelayFrom(now)
		if wait <= 0 || !p.patient.Load() {
			return true
		}
		p.mu.Lock()
		p.use.came, p.use.since = came, now
		p.mu.Unlock()
		isPaid, isOpen := p.sleep(wait, b.replaced)
		p.mu.Lock()
		p.use.last, p.use.since = time.Now(), time.Time{}
		p.use.waited += p.use.last.Sub(now)
		p.mu.Unlock()
		if isPaid || !isOpen {
			return isOpen
		}
		b = p.rate.bound.Load()
	}
	return true
}

// sleep waits until the time is over, or the bound, or the connection.
func (p *paced) sleep(wait time.Duration, replaced <-chan struct{}) (isPaid, isOpen bool) {
	if p.timer == nil {
		p.timer = time.NewTimer(wait)
	} else {
		p.timer.Reset(wait)
	}
	defer p.timer.Stop()
	select {
	case <-p.timer.C:
		return true, true
	case <-replaced:
		return false, true
	case <-p.closed:
		return false, false
	}
}

func (p *paced) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Conn.Close()
}

// SyscallConn shows what is below: see pending.
func (p *paced) SyscallConn() (syscall.RawConn, error) {
	if below, ok := p.Conn.(syscall.Conn); ok {
		return below.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
