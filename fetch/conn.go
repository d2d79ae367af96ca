package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
)

// conn is a connection that tells the exchange which waits on it for an answer
// when it breaks.
type conn struct {
	net.Conn
	waiting atomic.Pointer[trace]
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	// net/http closes it when time runs out; that is no break.
	if err != nil && !errors.Is(err, net.ErrClosed) {
		if t := c.waiting.Load(); t != nil {
			t.broke(err)
		}
	}
	return n, err
}

// watched gives the conn below what net/http uses, nil when it serves several
// exchanges at a time: then net/http only repeats what the server has not
// looked at.
func watched(c net.Conn) *conn {
	if secure, ok := c.(*tls.Conn); ok {
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return nil
		}
		c = secure.NetConn()
	}
	w, _ := c.(*conn)
	return w
}

// dial makes connections that are watched.
func dial(ctx context.Context, dialer *net.Dialer, network, address string) (net.Conn, error) {
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// brokenError is the end of an exchange whose connection broke before the
// answer.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }
