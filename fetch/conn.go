package fetch

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// errUnasked is for bytes that came before the request that they would be
// taken to answer.
var errUnasked = errors.New("the server sent more than was asked for")

// conn is a connection that tells the exchange which waits on it for an answer
// when it breaks, and that gives no exchange what came before its request.
//
// net/http reads behind an answer to see whether the server sends more than
// that, but hands the connection on before it has: the next exchange could get
// a forged answer, or the rest of a body that is longer than it should be. So
// an exchange waits for that reading to begin, which is when all that had come
// is known to be read, and what comes from then on until something is sent
// ends the connection. Above TLS there is no look at what is pending besides:
// the connection below does not tell HTTP from what TLS says for itself. What
// comes after the request has left cannot be told from its answer.
//
// The zero conn with a Conn is ready.
type conn struct {
	net.Conn
	paced   *paced // the same or below it; nil: there is no Rate
	waiting atomic.Pointer[trace]
	came    atomic.Bool // something, in the reading that goes on

	mu      sync.Mutex
	changed sync.Cond // of what follows; see wait
	reading bool      // everything that came has been read, and more is waited for
	sent    bool      // anything at all
	quiet   bool      // nothing may come until something is sent
	closed  bool
	pending func() bool // whether anything has come that is not read; nil: not looked for yet
}

// wait waits for a change, with mu locked.
func (c *conn) wait() {
	if c.changed.L == nil {
		c.changed.L = &c.mu
	}
	c.changed.Wait()
}

func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	c.came.Store(false)
	c.reading = true
	c.mu.Unlock()
	c.changed.Broadcast()
	n, err := c.Conn.Read(b)
	c.came.Store(n > 0)
	c.mu.Lock()
	// What a server says before the first request is kept for that.
	for n > 0 && !c.sent && !c.closed {
		c.wait()
	}
	c.reading = false
	unasked := n > 0 && c.quiet
	c.mu.Unlock()
	if unasked {
		// No request has gone out, so net/http may make it on another.
		return 0, errUnasked
	}
	// net/http closes it when time runs out; that is no break.
	if err != nil && !errors.Is(err, net.ErrClosed) {
		if t := c.waiting.Load(); t != nil {
			t.broke(err)
		}
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.quiet && (c.came.Load() || c.paced.holds()) {
		c.mu.Unlock()
		return 0, errUnasked
	}
	first := !c.sent
	c.sent, c.quiet = true, false
	c.mu.Unlock()
	if first {
		c.changed.Broadcast()
	}
	return c.Conn.Write(b)
}

func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.changed.Broadcast()
	return c.Conn.Close()
}

// settle waits until nothing is left of what the connection served before, or
// until net/http has found that there is and closed it. It does not take long:
// a goroutine of net/http is on its way to one of the two.
func (c *conn) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.reading && !c.closed {
		c.wait()
	}
	if !c.sent || c.closed {
		return
	}
	c.quiet = true
	if c.pending == nil {
		c.pending = pending(c.Conn)
	}
	if c.pending() || c.came.Load() || c.paced.holds() {
		// It might be read too late. net/http takes another connection, as
		// nothing was sent on this one.
		c.closed = true
		c.Conn.Close()
	}
}

// brokenError is the end of an exchange whose connection broke before the
// answer.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }
