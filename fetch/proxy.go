package fetch

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	socks "golang.org/x/net/proxy"
)

// Proxies are dialled here and not by net/http, whose Transport keeps all plain
// connections through a proxy as if they were to one host, so that the bound
// of one host would bind the whole crawl, does not tell trouble with the proxy
// from trouble with the host, and has SOCKS proxies look up names always. What
// net/http sees is a connection to the host, whichever way it goes; for the
// proxy's sake, plain requests name their host (RFC 9112 section 3.2.2).

const (
	// maxProxyHeader bounds the answer to a CONNECT, in bytes.
	maxProxyHeader = 16 << 10
	// maxProxyAddresses is how many addresses of a host are tried through a
	// proxy that takes no names.
	maxProxyAddresses = 4
)

// proxy makes connections through the proxy that the user named. That may be
// at any address.
type proxy struct {
	scheme, address string
	auth            string // the value of Proxy-Authorization, or empty
	agent           string // the User-Agent that it is told
	guarded         bool
	timeout         time.Duration
	direct          *net.Dialer
	names           *net.Resolver
	tls             *tls.Config
	login           *socks.Auth // of a SOCKS proxy; nil: none
	served          atomic.Bool // a plain request, and so the password is right
}

// newProxy reads Options.Proxy. Its errors do not repeat it: it may hold a
// password.
func newProxy(o *Options, names *net.Resolver) (*proxy, error) {
	u, err := url.Parse(o.Proxy)
	if err != nil || u.Opaque != "" || u.Scheme == "" && !strings.Contains(o.Proxy, "://") {
		return nil, errors.New("proxy must be an address as http://HOST:PORT or socks5h://USER:PASSWORD@HOST:PORT")
	}
	port, ok := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	if !ok {
		return nil, errors.New("proxy must be of the scheme http, https, socks5 or socks5h")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Hostname() == "" || !validDomain(u.Hostname()) || strings.ContainsAny(u.Hostname(), "[]"):
		return nil, errors.New("proxy has no valid host name")
	case err != nil || number == 0:
		return nil, errors.New("proxy has a port that is not from 1 to 65535")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("proxy must be a scheme, a host and a port, nothing behind them")
	}
	p := &proxy{
		scheme: u.Scheme, address: net.JoinHostPort(u.Hostname(), port),
		guarded: !o.AllowPrivate, timeout: shorter(o.ConnectTimeout, o.Timeout),
		direct: &net.Dialer{Resolver: names}, names: names,
		// Insecure is for the hosts: the proxy may see a password.
		tls: &tls.Config{ServerName: u.Hostname()},
	}
	if p.names == nil {
		p.names = net.DefaultResolver
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	if p.isSocks() {
		return p, p.useSocks(user, password)
	}
	if strings.Contains(user, ":") {
		return nil, errors.New("proxy has a user name with a colon")
	}
	if user != "" || password != "" {
		p.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	return p, nil
}

func (p *proxy) useSocks(user, password string) error {
	if user != "" || password != "" {
		// RFC 1929 section 2.
		if user == "" || password == "" || len(user) > 255 || len(password) > 255 {
			return errors.New("proxy needs a user name and a password of at most 255 bytes each")
		}
		p.login = &socks.Auth{User: user, Password: password}
	}
	return nil
}

func (p *proxy) isSocks() bool { return p.scheme == "socks5" || p.scheme == "socks5h" }

// namesHost says that a request must name its host to the proxy, which may be
// nil.
func (p *proxy) namesHost(u *url.URL) bool {
	return p != nil && u.Scheme == "http" && !p.isSocks()
}

// refused says that an answer is taken for the proxy's own, which wants a
// password. Once it has served without, or with the one it was given, such an
// answer is a host's, which has no use for it: else any host could stop a crawl.
func (p *proxy) refused(u *url.URL, answer *http.Response, res *Response) bool {
	if !p.namesHost(u) {
		return false
	}
	if answer.StatusCode != http.StatusProxyAuthRequired {
		p.served.Store(true)
		return false
	}
	if p.served.Load() {
		return false
	}
	answer.Body.Close()
	res.Class, res.Err, res.Proxy = Connect, "proxy: "+statusText(answer.StatusCode), true
	return true
}

// dial makes a connection for plain HTTP with a host.
func (p *proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.isSocks() {
		return p.tunnel(ctx, network, address)
	}
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	if err := p.judge(ctx, address); err != nil {
		return nil, err
	}
	return p.reach(ctx, network)
}

// tunnel makes a connection with a host that the proxy only passes on.
func (p *proxy) tunnel(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	if p.scheme == "socks5" {
		return p.tunnelToAddress(ctx, network, address)
	}
	if err := p.judge(ctx, address); err != nil {
		return nil, err
	}
	if p.isSocks() {
		return p.tunnelBySocks(ctx, network, address)
	}
	c, err := p.reach(ctx, network)
	if err != nil {
		return nil, err
	}
	if err := p.connect(ctx, c, address); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (p *proxy) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, p.timeout)
}

// judge is the guard for what the proxy is asked for: it sees addresses and the
// names that stand for this machine, but not what other names mean to the
// proxy.
func (p *proxy) judge(ctx context.Context, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(host)
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case name == "localhost" || name == "localhost.localdomain" || strings.HasSuffix(name, ".localhost"): // RFC 6761 section 6.3
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err != nil:
		return nil
	}
	return p.judgeAddr(ctx, addr)
}

func (p *proxy) judgeAddr(ctx context.Context, addr netip.Addr) error {
	if trusted, _ := ctx.Value(trustedKey{}).(bool); trusted || !p.guarded || !Private(addr) {
		return nil
	}
	return &guardError{addr}
}

// reach connects to the proxy itself.
func (p *proxy) reach(ctx context.Context, network string) (net.Conn, error) {
	c, err := p.direct.DialContext(ctx, network, p.address)
	if err == nil && p.scheme == "https" {
		plain := c
		secure := tls.Client(plain, p.tls)
		if c, err = secure, secure.HandshakeContext(ctx); err != nil {
			plain.Close()
			err = &handshakeError{certificateReason(err)}
		}
	}
	if err != nil {
		_, why := classify(err)
		return nil, &net.OpError{Op: "dial", Net: "proxy", Err: &proxyError{"proxy " + p.address + ": " + why, true, err}}
	}
	return c, nil
}

// failed is an error of the class Connect. It is the proxy's own if it has
// nothing to do with the host.
func (p *proxy) failed(why string, own bool) error {
	return &net.OpError{Op: "dial", Net: "proxy", Err: &proxyError{"proxy" + why, own, nil}}
}

// proxyError is for a connection that a proxy did not make.
type proxyError struct {
	why   string
	own   bool  // the proxy's trouble, not the host's
	cause error // of a proxy that could not be reached, or nil
}

func (e *proxyError) Error() string { return e.why }

// Is looks at the cause, which does not unwrap: its kind is not that of the error.
func (e *proxyError) Is(target error) bool { return errors.Is(e.cause, target) }

// connect asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).
func (p *proxy) connect(ctx context.Context, c net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	why, own := p.exchange(c, address)
	if !stop() {
		return &net.OpError{Op: "dial", Net: "proxy", Err: ctx.Err()}
	}
	if why != "" {
		return p.failed(": "+why, own)
	}
	return nil
}

// exchange returns why there is no tunnel, empty if there is one, and whether
// that is the proxy's own trouble. To hang up is not: some do for a host that
// they cannot reach.
func (p *proxy) exchange(c net.Conn, address string) (why string, own bool) {
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if p.agent != "" {
		request += "User-Agent: " + p.agent + "\r\n"
	}
	if p.auth != "" {
		request += "Proxy-Authorization: " + p.auth + "\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		return lossReason(err), false
	}
	limited := &io.LimitedReader{R: c, N: maxProxyHeader}
	from := bufio.NewReader(limited)
	answer, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect})
	if err != nil {
		class, why := classify(err)
		return why, class == Protocol || limited.N == 0
	}
	switch {
	case answer.StatusCode/100 != 2:
		return statusText(answer.StatusCode), answer.StatusCode == http.StatusProxyAuthRequired
	case from.Buffered() > 0:
		return "it speaks in place of the host", false
	}
	return "", false
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// tunnelToAddress looks the host up here, and has the proxy connect to an
// address that the guard has seen.
func (p *proxy) tunnelToAddress(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.Addr, 1)
	if addrs[0], err = netip.ParseAddr(host); err != nil {
		if addrs, err = p.names.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
	}
	var first error
	addrs = addrs[:min(len(addrs), maxProxyAddresses)]
	for i, addr := range addrs {
		addr = addr.Unmap()
		err := p.judgeAddr(ctx, addr)
		if err == nil {
			var c net.Conn
			ctx, cancel := oneOf(ctx, len(addrs)-i)
			c, err = p.tunnelBySocks(ctx, network, net.JoinHostPort(addr.String(), port))
			cancel()
			if err == nil {
				return c, nil
			}
		}
		if first == nil {
			first = err
		}
		if trouble := (*proxyError)(nil); errors.As(err, &trouble) && trouble.own {
			return nil, err
		}
	}
	return nil, first
}

// oneOf gives one of n tries its share of the time, so that an address where
// nobody answers leaves some for the next.
func oneOf(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(n))
}

func (p *proxy) tunnelBySocks(ctx context.Context, network, address string) (net.Conn, error) {
	first := &reached{proxy: p}
	d, err := socks.SOCKS5("tcp", p.address, p.login, first)
	if err != nil {
		return nil, err
	}
	c, err := d.(socks.ContextDialer).DialContext(ctx, network, address)
	if err == nil {
		return &tunnelled{c, first.conn}, nil
	}
	if unreached := (*unreachedError)(nil); errors.As(err, &unreached) {
		return nil, unreached.err
	}
	if ctx.Err() != nil {
		return nil, &net.OpError{Op: "dial", Net: "proxy", Err: ctx.Err()}
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return nil, &net.OpError{Op: "dial", Net: "proxy", Err: context.DeadlineExceeded}
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op != "read" && op.Op != "write" && op.Err != nil {
		err = op.Err
	}
	if lostConnection(err, nil) {
		return nil, p.failed(": "+lossReason(err), false)
	}
	why := strings.TrimPrefix(err.Error(), "unknown error ")
	own := slices.ContainsFunc(socksTroubles, func(text string) bool { return strings.HasPrefix(err.Error(), text) })
	return nil, p.failed(": "+why, own)
}

// socksTroubles are what x/net says of a proxy that does not let us in, or that
// is none. There is no type for it, and what a proxy says of a host stands
// beside it, as does what is wrong with a host's name.
var socksTroubles = []string{
	"no acceptable authentication methods",
	"unsupported authentication method ",
	"invalid username/password version",
	"username/password authentication failed",
	"unexpected protocol version ",
	"non-zero reserved field",
	"unknown address type ",
}

// tunnelled is a connection through a SOCKS proxy that shows what is below it,
// as that of x/net does not: see pending.
type tunnelled struct {
	net.Conn
	below net.Conn
}

func (t *tunnelled) SyscallConn() (syscall.RawConn, error) {
	if below, ok := t.below.(syscall.Conn); ok {
		return below.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// reached connects to a SOCKS proxy, and remembers the connection.
type reached struct {
	*proxy
	conn net.Conn
}

func (r *reached) Dial(network, _ string) (net.Conn, error) {
	return r.DialContext(context.Background(), network, "")
}

func (r *reached) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	c, err := r.reach(ctx, network)
	if err != nil {
		return nil, &unreachedError{err}
	}
	r.conn = c
	return c, nil
}

// unreachedError tells a proxy that could not be reached from one that could
// not reach the host.
type unreachedError struct{ err error }

func (e *unreachedError) Error() string { return e.err.Error() }
