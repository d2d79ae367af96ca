package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	// maxHeader bounds the header of an answer, in bytes; net/http would
	// take ten megabytes.
	maxHeader = 256 << 10
	// readBuffer and writeBuffer are what each connection has, in bytes, also
	// while it waits. Of a body larger than the rest of it, most is read past
	// it; a request that is larger goes out in two pieces.
	readBuffer  = 4 << 10
	writeBuffer = 2 << 10
	// streamBuffer is what a server of HTTP/2 may send ahead of what is read of one
	// body, in bytes: net/http keeps it, beyond every Budget, and would take four
	// megabytes. At 100 ms there and back it is 5 MB a second.
	streamBuffer = 512 << 10
	// tlsSessions is how many hosts are remembered for a short handshake.
	tlsSessions = 256
)

// handshakeError tells trouble of TLS from trouble of the connection below,
// which the errors of crypto/tls do not.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// dialFunc makes a connection to a host and port.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport returns a pool of connections with the hosts themselves.
func newTransport(o Options, names *net.Resolver) *http.Transport {
	dialer := &net.Dialer{Timeout: shorter(o.ConnectTimeout, o.Timeout), Resolver: names}
	if !o.AllowPrivate {
		dialer.ControlContext = guard
	}
	return newTransportOver(o, dialer.DialContext, dialer.DialContext)
}

// newTransportOver returns the one pool of connections of a Fetcher, which are
// made by plain for HTTP, and by secure for TLS to begin on. They are kept by
// scheme, host and port, so what was trusted for one host never serves another.
func newTransportOver(o Options, plain, secure dialFunc) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!o.HTTP1)
	config := &tls.Config{
		InsecureSkipVerify: o.Insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions),
		NextProtos:         []string{"h2", "http/1.1"},
	}
	if o.HTTP1 {
		config.NextProtos = nil
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := plain(ctx, network, address)
			if err != nil {
				return nil, err
			}
			below, paced := o.Rate.pace(c)
			paced.wait()
			return &conn{Conn: below, paced: paced}, nil
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := secure(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return handshake(ctx, c, o.Rate, config, address, shorter(o.ConnectTimeout, o.Timeout))
		},
		TLSClientConfig:        config.Clone(), // net/http writes to it
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: streamBuffer},
		Protocols:              protocols,
		DisableCompression:     true,
		MaxConnsPerHost:        o.PerHost,
		MaxIdleConnsPerHost:    o.PerHost,
		MaxIdleConns:           o.MaxConns,
		IdleConnTimeout:        o.IdleConnTimeout,
		MaxResponseHeaderBytes: maxHeader,
		ReadBufferSize:         readBuffer,
		WriteBufferSize:        writeBuffer,
	}
}

// handshake begins TLS on a connection, which it closes if that fails. For
// HTTP/1.1 the result is watched above TLS, whose own messages come and go as
// they like, and whose polite end the connection below does not tell from any
// other. For HTTP/2 it is metered below TLS, as net/http must see TLS itself.
func handshake(ctx context.Context, c net.Conn, rate *Rate, config *tls.Config, address string, timeout time.Duration) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		c.Close()
		return nil, err
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	config = config.Clone()
	config.ServerName = host
	below := new(metered)
	below.Conn, below.paced = rate.pace(c)
	secure := tls.Client(below, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, &handshakeError{certificateReason(err)}
	}
	below.paced.wait()
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		below.counts.Store(true)
		return secure, nil
	}
	return &conn{Conn: secure, paced: below.paced}, nil
}

// shorter returns the lesser of two time-outs, of which 0 means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
