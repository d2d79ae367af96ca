package fetch

import (
	"net"
	"sync/atomic"
)

// maxUnasked is how much may come over a connection of HTTP/2 while no exchange
// uses it, in bytes as TLS has them: the rest of a body that was cut, or what
// keeps a connection alive. net/http answers or throws away all of it for as
// long as it keeps the connection, so a server could keep a core busy with
// frames that cost it nothing.
const maxUnasked = 64 << 10

// metered is a connection below TLS that ends when more than maxUnasked comes
// over it between two exchanges, once HTTP/2 is spoken on it, and when a body on it
// was cut, as one of HTTP/1.1 does.
type metered struct {
	net.Conn
	paced  *paced // what Conn is; nil: it is not
	counts atomic.Bool
	users  atomic.Int32 // exchanges under way
	came   atomic.Int64 // bytes since there were none
	cut    atomic.Bool  // a body was not read to its end
	closed atomic.Bool  // for that
}

// enter begins an exchange on the connection, leave ends it.
func (m *metered) enter() {
	m.users.Add(1)
	m.came.Store(0)
}

// leave closes the connection behind the last exchange when a body was cut: most
// servers go on for a while, and a hostile one for ever.
func (m *metered) leave() {
	if m.users.Add(-1) == 0 && m.cut.Load() {
		m.closed.Store(true)
		m.Close()
	}
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.counts.Load() && m.users.Load() == 0 && m.came.Add(int64(n)) > maxUnasked {
		m.Close()
		// An exchange that begins in this moment has lost its connection.
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: errUnasked}
	}
	return n, err
}
