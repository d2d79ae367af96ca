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
	// tlsSessions is how many hosts are remembered for a short handshake.
	tlsSessions = 256
)

// handshakeError tells trouble of TLS from trouble of the connection below,
// which the errors of crypto/tls do not.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// newTransport returns the one pool of connections of a Fetcher. Connections
// are kept by scheme, host and port, so what was trusted for one host never
// serves another.
func newTransport(o Options, names *net.Resolver) *http.Transport {
	dialer := &net.Dialer{Timeout: shorter(o.ConnectTimeout, o.Timeout), Resolver: names}
	if !o.AllowPrivate {
		dialer.ControlContext = guard
	}
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
	headerTimeout := o.HeaderTimeout
	if o.Timeout > 0 && headerTimeout >= o.Timeout {
		headerTimeout = 0 // a timer less for each exchange
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dial(ctx, dialer, network, address)
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialTLS(ctx, dialer, config, network, address)
		},
		TLSClientConfig:        config.Clone(), // net/http writes to it
		Protocols:              protocols,
		DisableCompression:     true,
		MaxConnsPerHost:        o.PerHost,
		MaxIdleConnsPerHost:    o.PerHost,
		MaxIdleConns:           o.MaxConns,
		IdleConnTimeout:        o.IdleConnTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeader,
		ReadBufferSize:         readBuffer,
		WriteBufferSize:        writeBuffer,
	}
}

func dialTLS(ctx context.Context, dialer *net.Dialer, config *tls.Config, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, dialer, network, address)
	if err != nil {
		return nil, err
	}
	if dialer.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dialer.Timeout)
		defer cancel()
	}
	config = config.Clone()
	config.ServerName = host
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &handshakeError{err}
	}
	return secure, nil
}

// shorter returns the lesser of two time-outs, of which 0 means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
