package fetch

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestNewRefusesProxies(t *testing.T) {
	for _, c := range []struct{ proxy, want string }{ // want empty: it does not refuse
		{"", ""},
		{"http://proxy.example", ""},
		{"http://proxy.example/", ""},
		{"https://proxy.example:8443", ""},
		{"socks5://proxy.example", ""},
		{"socks5h://user:secret@[::1]:1080", ""},
		{"http://us%40er:secret%3a%2f@10.0.0.1:3128", ""},
		{"proxy.example:3128", "proxy must be"},
		{"proxy.example", "proxy must be an address as"},
		{"//proxy.example", "proxy must be an address as"},
		{"user:secret@proxy.example:3128", "proxy must be an address as"},
		{"http:secret", "proxy must be an address as"},
		{"ftp://user:secret@proxy.example", "scheme http, https, socks5 or socks5h"},
		{"socks4://user:secret@proxy.example", "scheme http, https, socks5 or socks5h"},
		{"http://user:secret@", "no valid host name"},
		{"http://user:secret@:80", "no valid host name"},
		{"http://user:secret@a b", "proxy must be"},
		{"http://user:secret@proxy.example:0", "port"},
		{"http://user:secret@proxy.example:65536", "port"},
		{"http://user:secret@proxy.example:x", "proxy must be"},
		{"http://user:sec%zzret@proxy.example:80", "proxy must be"},
		{"http://user:secret@proxy.example/path", "nothing behind"},
		{"http://user:secret@proxy.example?secret", "nothing behind"},
		{"http://us%3aer:secret@proxy.example", "colon"},
		{"socks5://user@proxy.example", "user name and a password"},
		{"socks5://user:" + strings.Repeat("secret", 50) + "@proxy.example", "255 bytes"},
	} {
		o := Defaults()
		o.Proxy = c.proxy
		_, err := New(o)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sec")) {
			t.Errorf("%s: error %v, want %q", c.proxy, err, c.want)
		}
	}
	o := Defaults()
	o.Headers = []Header{{"proxy-authorization", "Basic x"}}
	if _, err := New(o); err == nil {
		t.Error("Proxy-Authorization would go to every host")
	}
}

// testProxy is a proxy that really passes on: HTTP with CONNECT and absolute
// addresses, or SOCKS5. It knows the names of the test.
type testProxy struct {
	address string
	login   string            // USER:PASSWORD that it wants, empty: none
	names   map[string]string // host to address
	refuse  int               // status with which it answers CONNECT, 0: it connects

	mu     sync.Mutex
	asked  []string // what it was asked for, as it was
	opened int
}

func (p *testProxy) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *testProxy) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// dial connects to what it was asked for.
func (p *testProxy) dial(address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if to, ok := p.names[host]; ok {
		host = to
	}
	if net.ParseIP(host) == nil {
		return nil, errors.New("unknown name")
	}
	return net.Dial("tcp", net.JoinHostPort(host, port))
}

// splice passes bytes on both ways until both sides have ended.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			io.Copy(way[0], way[1])
			way[0].Close()
			way[1].Close()
		})
	}
	both.Wait()
}

// many accepts connections, each served by a goroutine of its own.
func many(t *testing.T, l net.Listener, serve func(net.Conn)) {
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				serve(c)
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
}

func (p *testProxy) start(t *testing.T, config *tls.Config, serve func(net.Conn)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	if config != nil {
		l = tls.NewListener(l, config)
	}
	many(t, l, func(c net.Conn) {
		p.mu.Lock()
		p.opened++
		p.mu.Unlock()
		serve(c)
	})
}

func (p *testProxy) http(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		p.note(req.Method + " " + req.RequestURI)
		if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.login)); p.login != "" && req.Header.Get("Proxy-Authorization") != want {
			io.WriteString(c, "HTTP/1.1 407 Authenticate, please\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 4\r\n\r\nno!\n")
			continue
		}
		if p.refuse != 0 {
			fmt.Fprintf(c, "HTTP/1.1 %d Whatever\r\nContent-Length: 4\r\n\r\nno!\n", p.refuse)
			return
		}
		if req.Method == http.MethodConnect {
			to, err := p.dial(req.RequestURI)
			if err != nil {
				io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
				return
			}
			io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
			splice(c, to)
			return
		}
		address := req.URL.Host
		if req.URL.Port() == "" {
			address += ":80"
		}
		to, err := p.dial(address)
		if err != nil {
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nno!\n")
			continue
		}
		req.Header.Del("Proxy-Authorization")
		req.Write(to)
		answer, err := http.ReadResponse(bufio.NewReader(to), req)
		if err == nil {
			answer.Write(c)
			answer.Body.Close()
		}
		to.Close()
	}
}

// socks5 is RFC 1928 and RFC 1929, as far as a client of TCP sees them.
func (p *testProxy) socks5(c net.Conn) {
	read := func(n int) []byte {
		b := make([]byte, n)
		io.ReadFull(c, b)
		return b
	}
	methods := read(int(read(2)[1]))
	if p.login != "" {
		if !slices.Contains(methods, 2) {
			c.Write([]byte{5, 0xff})
			return
		}
		c.Write([]byte{5, 2})
		user := read(int(read(2)[1]))
		password := read(int(read(1)[0]))
		if string(user)+":"+string(password) != p.login {
			c.Write([]byte{1, 1})
			return
		}
		c.Write([]byte{1, 0})
	} else {
		c.Write([]byte{5, 0})
	}
	var host string
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	port := read(2)
	address := net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1])))
	p.note(address)
	if p.refuse != 0 {
		c.Write([]byte{5, byte(p.refuse), 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	to, err := p.dial(address)
	if err != nil {
		c.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 80})
	splice(c, to)
}

// authority makes certificates that a client can be told to believe.
func authority(t *testing.T, hosts ...string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	now := time.Now()
	cert := certificate(t, now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1")
	leaf, err := x509.ParseCertificate(cert[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: cert}, roots
}

// Whatever the way, a host sees the same request and the caller the same
// answer, one connection serves many, and the proxy is asked as it should be.
func TestProxies(t *testing.T) {
	var conns atomic.Int32
	newServer := func(secure bool) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var secrets []string
			for _, name := range []string{"Proxy-Authorization", "Proxy-Connection", "Connection", "Te"} {
				if r.Header.Get(name) != "" {
					secrets = append(secrets, name)
				}
			}
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
			w.Header().Set("X-Saw", fmt.Sprint(r.Host, " ", r.RequestURI, " ", r.Header.Get("Cookie"), secrets))
			io.WriteString(w, "hello")
		}))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				conns.Add(1)
			}
		}
		s.EnableHTTP2 = true
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		return s
	}
	plain, secure := newServer(false), newServer(true)
	port := func(s *httptest.Server) string { _, p, _ := net.SplitHostPort(s.Listener.Addr().String()); return p }
	for _, c := range []struct {
		name, scheme, login string
		plainAsked          string // what the proxy is asked for; HOST has the port
		secureAsked         string
	}{
		{"http", "http", "", "GET http://HOST/a%20b?c|d", "CONNECT HOST"},
		{"http with a password", "http", "us@er:p:w/", "GET http://HOST/a%20b?c|d", "CONNECT HOST"},
		{"https", "https", "", "GET http://HOST/a%20b?c|d", "CONNECT HOST"},
		{"https with a password", "https", "user:password", "GET http://HOST/a%20b?c|d", "CONNECT HOST"},
		{"socks5h", "socks5h", "", "HOST", "HOST"},
		{"socks5h with a password", "socks5h", "user:password", "HOST", "HOST"},
		{"socks5", "socks5", "", "ADDRESS", "ADDRESS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &testProxy{login: c.login, names: map[string]string{"www.test": "127.0.0.1"}}
			config, roots := authority(t)
			switch c.scheme {
			case "http":
				p.start(t, nil, p.http)
			case "https":
				p.start(t, config, p.http)
			default:
				p.start(t, nil, p.socks5)
			}
			o := options()
			o.Insecure = true // for the host
			o.Jar = NewJar()
			o.Proxy = c.scheme + "://" + p.address
			if user, password, ok := strings.Cut(c.login, ":"); ok {
				escape := strings.NewReplacer("@", "%40", ":", "%3A", "/", "%2F").Replace
				o.Proxy = c.scheme + "://" + escape(user) + ":" + escape(password) + "@" + p.address
			}
			f, err := newFetcher(o, names(t, func() dnsAnswer { return inside }))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			f.proxy.tls.RootCAs = roots
			buf, cookie := new(Buffer), ""
			for _, to := range []struct {
				url, proto, asked string
				server            *httptest.Server
			}{
				{"http://www.test:" + port(plain), "HTTP/1.1", c.plainAsked, plain},
				{"https://www.test:" + port(secure), "HTTP/2.0", c.secureAsked, secure},
			} {
				for range 3 {
					res := f.Fetch(t.Context(), Request{URL: to.url + "/a%20b?c|d#e"}, buf)
					_, host, _ := strings.Cut(to.url, "://")
					if res.Class != None || res.Status != 200 || string(res.Body) != "hello" || res.Proto != to.proto {
						t.Fatalf("got %+v", res)
					}
					if want := host + " /a%20b?c|d " + cookie + "[]"; res.Header.Get("X-Saw") != want {
						t.Errorf("the host saw %q, want %q", res.Header.Get("X-Saw"), want)
					}
					if res.IP != "" || res.Sent.IsZero() || res.TTFB <= 0 {
						t.Errorf("got %+v", res)
					}
					cookie = "seen=1"
				}
				asked := strings.NewReplacer("HOST", "www.test:"+port(to.server), "ADDRESS", "127.0.0.1:"+port(to.server)).Replace(to.asked)
				if got := p.seen(); len(got) == 0 || got[len(got)-1] != asked {
					t.Errorf("the proxy was asked for %q, want %q", got, asked)
				}
			}
			if p.opened != 2 {
				t.Errorf("%d connections with the proxy, want one for each host", p.opened)
			}
		})
	}
}

func TestProxyRefuses(t *testing.T) {
	silent := func(c net.Conn) { stalls(c) }
	says := func(text string) func(net.Conn) {
		return func(c net.Conn) { asked(c); io.WriteString(c, text) }
	}
	for _, c := range []struct {
		name, scheme, login, url string
		refuse                   int
		serve                    func(net.Conn) // nil: a proxy as it should be
		class                    Class
		err                      string // ADDRESS is that of the proxy
		own                      bool   // the proxy's trouble
	}{
		{"no password to CONNECT", "http", "", "https://www.test/", 0, nil, Connect, "proxy: 407 Proxy Authentication Required", true},
		{"no password to GET", "http", "", "http://www.test/", 0, nil, Connect, "proxy: 407 Proxy Authentication Required", true},
		{"another password", "http", "user:other", "https://www.test/", 0, nil, Connect, "proxy: 407 Proxy Authentication Required", true},
		{"CONNECT is forbidden", "http", "user:secret", "https://www.test/", 403, nil, Connect, "proxy: 403 Forbidden", false},
		{"CONNECT cannot be done", "http", "user:secret", "https://unknown.test/", 0, nil, Connect, "proxy: 502 Bad Gateway", false},
		{"CONNECT redirects", "http", "user:secret", "https://www.test/", 302, nil, Connect, "proxy: 302 Found", false},
		{"CONNECT is answered strangely", "http", "user:secret", "https://www.test/", 799, nil, Connect, "proxy: 799", false},
		{"GET cannot be done", "http", "user:secret", "http://unknown.test/", 0, nil, None, "", false},
		{"socks: no password", "socks5h", "", "http://www.test/", 0, nil, Connect, "proxy: no acceptable authentication methods", true},
		{"socks: another password", "socks5h", "user:other", "http://www.test/", 0, nil, Connect, "proxy: username/password authentication failed", true},
		{"socks: not allowed", "socks5h", "user:secret", "http://www.test/", 2, nil, Connect, "proxy: connection not allowed by ruleset", false},
		{"socks: unknown name", "socks5h", "user:secret", "https://unknown.test/", 0, nil, Connect, "proxy: host unreachable", false},
		{"socks: the host refuses", "socks5h", "user:secret", "https://unknown.test/", 5, nil, Connect, "proxy: connection refused", false},

		{"closes", "http", "", "https://www.test/", 0, asked, Connect, "proxy: connection closed before the answer was complete", false},
		{"speaks another protocol", "http", "", "https://www.test/", 0, says("SSH-2.0\r\n\r\n"), Connect, "proxy: malformed HTTP response \"SSH-2.0\"", true},
		{"an endless header", "http", "", "https://www.test/", 0, says("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", maxProxyHeader)), Connect, "proxy: ", true},
		{"speaks on in a tunnel", "http", "", "https://www.test/", 0, says("HTTP/1.1 200 OK\r\n\r\nhello"), Connect, "proxy: it speaks in place of the host", false},
		{"says nothing to CONNECT", "http", "", "https://www.test/", 0, silent, TimedOut, "connect timed out", false},
		{"socks: closes", "socks5h", "", "https://www.test/", 0, closes, Connect, "proxy: ", false},
		{"socks: speaks HTTP", "socks5h", "", "https://www.test/", 0, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 No\r\n\r\n"); stalls(c) }, Connect, "proxy: unexpected protocol version 72", true},
		{"socks: says nothing", "socks5h", "", "https://www.test/", 0, silent, TimedOut, "connect timed out", false},
		{"socks: answers strangely", "socks5h", "", "https://www.test/", 0, func(c net.Conn) { io.ReadFull(c, make([]byte, 3)); c.Write([]byte{5, 0, 5, 0, 0, 9}); stalls(c) }, Connect, "proxy: unknown address type 9", true},
		{"socks: a name that is too long", "socks5h", "", "https://" + strings.Repeat("x", 256) + "/", 0, func(c net.Conn) { io.ReadFull(c, make([]byte, 3)); c.Write([]byte{5, 0}); stalls(c) }, Connect, "proxy: FQDN too long", false},
		{"a host that is not TLS", "http", "", "https://www.test/", 0, says("HTTP/1.1 200 OK\r\n\r\n"), Reset, "", false},
		{"not TLS itself", "https", "", "https://www.test/", 0, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 No\r\n\r\n"); stalls(c) }, Connect, "proxy ADDRESS: ", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &testProxy{login: "user:secret", names: map[string]string{"www.test": "127.0.0.1"}, refuse: c.refuse}
			serve := c.serve
			if serve == nil && c.scheme == "http" {
				serve = p.http
			} else if serve == nil {
				serve = p.socks5
			}
			p.start(t, nil, serve)
			o := options()
			o.Proxy = c.scheme + "://" + p.address
			if c.login != "" {
				o.Proxy = c.scheme + "://" + c.login + "@" + p.address
			}
			if c.class == TimedOut {
				o.ConnectTimeout = 50 * time.Millisecond
			}
			res := get(fetcher(t, o), c.url)
			want := strings.ReplaceAll(c.err, "ADDRESS", p.address)
			if res.Class != c.class || !strings.HasPrefix(res.Err, want) || strings.Contains(res.Err, "secret") {
				t.Errorf("got class %q, %q; want %q, %q", res.Class, res.Err, c.class, want)
			}
			if res.Proxy != c.own {
				t.Errorf("the proxy's trouble: %v, want %v", res.Proxy, c.own)
			}
			if c.class != None && (!res.Sent.IsZero() || res.Status != 0 || res.Header != nil) {
				t.Errorf("got %+v", res)
			}
			if c.class == None && res.Status != 502 {
				t.Errorf("got %+v", res)
			}
		})
	}
}

func TestProxyCannotBeReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for _, scheme := range []string{"http", "https", "socks5", "socks5h"} {
		for _, url := range []string{"http://192.0.2.1/", "https://192.0.2.1/"} {
			o := options()
			o.Proxy = scheme + "://user:secret@" + address
			res := get(fetcher(t, o), url)
			if want := "proxy " + address + ": connection refused"; res.Class != Connect || res.Err != want || !res.Proxy || !res.Sent.IsZero() {
				t.Errorf("%s, %s: got class %q, %q; want %q", scheme, url, res.Class, res.Err, want)
			}
		}
	}
	o := options()
	o.Proxy = "http://proxy.test"
	f, err := newFetcher(o, names(t, func() dnsAnswer { return dnsAnswer{code: dnsmessage.RCodeNameError} }))
	if err != nil {
		t.Fatal(err)
	}
	if res := get(f, "http://www.test/"); res.Class != Connect || !res.Proxy || res.Err != "proxy proxy.test:80: no such host" {
		t.Errorf("a proxy without address: %q, %q", res.Class, res.Err)
	}

	// Its certificate must be good, whatever is said of those of hosts.
	p := new(testProxy)
	config, _ := authority(t)
	p.start(t, config, p.http)
	o.Proxy, o.Insecure = "https://"+p.address, true
	if res := get(fetcher(t, o), "http://www.test/"); res.Class != Connect || !res.Proxy || res.Err != "proxy "+p.address+": certificate is self-signed" {
		t.Errorf("a proxy of an unknown authority: %q, %q", res.Class, res.Err)
	}
}

// The errors of a host keep their class and words behind a proxy.
func TestFailuresBehindProxies(t *testing.T) {
	now := time.Now()
	for _, scheme := range []string{"http", "socks5h", "socks5"} {
		p := &testProxy{names: map[string]string{"www.test": "127.0.0.1"}}
		p.start(t, nil, map[bool]func(net.Conn){true: p.http, false: p.socks5}[scheme == "http"])
		o := options()
		o.Proxy = scheme + "://" + p.address
		f, err := newFetcher(o, names(t, func() dnsAnswer { return inside }))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		expired := &tls.Config{Certificates: certificate(t, now.Add(-48*time.Hour), now.Add(-24*time.Hour), "127.0.0.1")}
		addr := raw(t, func(c net.Conn) { tls.Server(c, expired).Handshake() })
		if res := get(f, "https://"+addr+"/"); res.Class != TLS || !strings.HasPrefix(res.Err, "certificate expired on ") {
			t.Errorf("%s: expired: got %q, %q", scheme, res.Class, res.Err)
		}
		addr = raw(t, func(c net.Conn) { c.Read(make([]byte, 1)) })
		if res := get(f, "https://"+addr+"/"); res.Class != Reset || !res.Sent.IsZero() {
			t.Errorf("%s: closed in the handshake: got %q, %q", scheme, res.Class, res.Err)
		}
	}
}

func TestGuardBehindProxies(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "inside") })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, c := range []struct {
		scheme, host string
		trusted      bool
		want         Class
	}{
		{"http", "127.0.0.1", false, PrivateAddress},
		{"http", "[::ffff:127.0.0.1]", false, PrivateAddress},
		{"http", "localhost", false, PrivateAddress},
		{"http", "x.LocalHost.", false, PrivateAddress},
		{"http", "localhost.localdomain", false, PrivateAddress},
		{"http", "127.0.0.1", true, None},
		{"http", "www.test", false, None}, // only the proxy knows where that is
		{"socks5h", "127.0.0.1", false, PrivateAddress},
		{"socks5h", "localhost", false, PrivateAddress},
		{"socks5h", "127.0.0.1", true, None},
		{"socks5h", "www.test", false, None},
		{"socks5", "127.0.0.1", false, PrivateAddress},
		{"socks5", "www.test", false, PrivateAddress},
		{"socks5", "127.0.0.1", true, None},
		{"socks5", "www.test", true, None},
	} {
		p := &testProxy{names: map[string]string{"www.test": "127.0.0.1"}}
		p.start(t, nil, map[bool]func(net.Conn){true: p.http, false: p.socks5}[c.scheme == "http"])
		o := options()
		o.AllowPrivate = false
		o.Proxy = c.scheme + "://" + p.address
		f, err := newFetcher(o, names(t, func() dnsAnswer { return inside }))
		if err != nil {
			t.Fatal(err)
		}
		res := f.Fetch(t.Context(), Request{URL: "http://" + c.host + ":" + port + "/", Trusted: c.trusted}, new(Buffer))
		if res.Class != c.want || (string(res.Body) == "inside") != (c.want == None) {
			t.Errorf("%s, %s, trusted %v: got class %q, %q, %q", c.scheme, c.host, c.trusted, res.Class, res.Err, res.Body)
		}
		if c.want != None && (len(p.seen()) > 0 || !res.Sent.IsZero()) {
			t.Errorf("%s, %s: the proxy was asked for %q", c.scheme, c.host, p.seen())
		}
		f.Close()
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		o := options()
		o.AllowPrivate = false
		o.Proxy = "http://127.0.0.1:1"
		if res := get(fetcher(t, o), "https://"+host+"/"); res.Class != PrivateAddress {
			t.Errorf("a tunnel to %s: got %q, %q", host, res.Class, res.Err)
		}
	}
}

// A name that cannot be looked up is the name's fault, not the proxy's.
func TestLookupFailureBesideProxy(t *testing.T) {
	o := options()
	o.Proxy = "socks5://127.0.0.1:1"
	f, err := newFetcher(o, names(t, func() dnsAnswer { return dnsAnswer{code: dnsmessage.RCodeNameError} }))
	if err != nil {
		t.Fatal(err)
	}
	if res := get(f, "http://nowhere.test/"); res.Class != DNS || res.Err != "no such host" || res.Proxy {
		t.Errorf("got %q, %q", res.Class, res.Err)
	}
}

// Headers may name the crawler anew, to the proxy too.
func TestProxyIsToldTheSameUserAgent(t *testing.T) {
	seen := make(chan string, 1)
	p := new(testProxy)
	p.start(t, nil, func(c net.Conn) {
		if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			seen <- req.Method + " " + req.UserAgent()
		}
	})
	o := options()
	o.Proxy = "http://" + p.address
	o.Headers = []Header{{"user-agent", "other/2"}}
	get(fetcher(t, o), "https://www.test/")
	if got := <-seen; got != "CONNECT other/2" {
		t.Errorf("the proxy was told %q", got)
	}
}

// What has come and is not read is seen through a SOCKS proxy as well.
func TestPendingThroughSocks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it cannot be seen here, perhaps")
	}
	host := raw(t, func(c net.Conn) { io.WriteString(c, "forged"); stalls(c) })
	p := new(testProxy)
	p.start(t, nil, p.socks5)
	o := options()
	o.Proxy = "socks5h://" + p.address
	c, err := fetcher(t, o).proxy.tunnel(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	look := pending(c)
	for end := time.Now().Add(10 * time.Second); !look(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("nothing is pending")
		}
	}
}

// Each host has its own connections also through a proxy: one that does not
// answer does not hold up the others.
func TestHostsDoNotWaitForEachOtherBehindProxy(t *testing.T) {
	release := make(chan struct{})
	slow := server(t, func(http.ResponseWriter, *http.Request) { <-release })
	fast := server(t, func(http.ResponseWriter, *http.Request) {})
	p := new(testProxy)
	p.start(t, nil, p.http)
	o := options()
	o.Proxy = "http://" + p.address
	f := fetcher(t, o)
	var waiting sync.WaitGroup
	asked := make(chan struct{})
	waiting.Go(func() {
		res := f.Fetch(t.Context(), Request{URL: slow.URL, WhenSent: func(time.Time) { close(asked) }}, new(Buffer))
		if res.Class != None {
			t.Errorf("got %+v", res)
		}
	})
	<-asked
	for range 3 {
		if res := get(f, fast.URL); res.Class != None {
			t.Errorf("got %+v", res)
		}
	}
	close(release)
	waiting.Wait()
}

// What net/http would repeat is not repeated: not when TLS ends politely, nor
// behind a proxy.
func TestRequestIsSentOnceOverTLS(t *testing.T) {
	for _, scheme := range []string{"", "http", "https", "socks5h"} {
		var asked atomic.Int32
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		config, roots := authority(t)
		host := tls.NewListener(l, config)
		many(t, host, func(c net.Conn) {
			b := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(b)
				if err != nil {
					return
				}
				asked.Add(1)
				if req.URL.Path == "/break" {
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		p := new(testProxy)
		switch scheme {
		case "http":
			p.start(t, nil, p.http)
		case "https":
			p.start(t, config, p.http)
		default:
			p.start(t, nil, p.socks5)
		}
		o := options()
		o.Insecure = true
		if scheme != "" {
			o.Proxy = scheme + "://" + p.address
		}
		f := fetcher(t, o)
		if scheme != "" {
			f.proxy.tls.RootCAs = roots
		}
		url := "https://" + l.Addr().String()
		for range 2 {
			if res := get(f, url+"/"); res.Class != None {
				t.Fatalf("%s: got %+v", scheme, res)
			}
			if res := get(f, url+"/break"); res.Class != Reset || res.Sent.IsZero() {
				t.Errorf("%s: got %q, %q", scheme, res.Class, res.Err)
			}
		}
		if asked.Load() != 4 {
			t.Errorf("%s: the host was asked %d times, want 4", scheme, asked.Load())
		}
	}
}

func TestAbortedBehindProxies(t *testing.T) {
	for _, scheme := range []string{"http", "socks5h"} {
		ctx, cancel := context.WithCancel(t.Context())
		p := new(testProxy)
		p.start(t, nil, func(c net.Conn) {
			c.Read(make([]byte, 1))
			cancel()
			stalls(c)
		})
		o := options()
		o.Proxy = scheme + "://" + p.address
		o.ConnectTimeout = 200 * time.Millisecond // net/http goes on dialling for the next
		res := fetcher(t, o).Fetch(ctx, Request{URL: "https://www.test/"}, new(Buffer))
		if res.Class != Aborted || !res.Sent.IsZero() {
			t.Errorf("%s: got %+v", scheme, res)
		}
	}
}

// Whatever is given for a proxy is refused, or can be dialled; its password is
// never in an error.
func FuzzProxy(f *testing.F) {
	for _, proxy := range []string{
		"http://proxy.example:3128", "https://u:secret@[::1]", "socks5://u:secret@proxy.example", "http:secret", "://", "socks5h://@:1", "http://a b", "http://proxy.e]ample:3128", "",
	} {
		f.Add(proxy)
	}
	f.Fuzz(func(t *testing.T, proxy string) {
		o := Defaults()
		o.Proxy = proxy
		p, err := newProxy(&o, nil)
		if err != nil {
			if strings.Contains(err.Error(), "secret") {
				t.Fatalf("%q: %v", proxy, err)
			}
			return
		}
		host, port, err := net.SplitHostPort(p.address)
		if err != nil || host == "" || port == "" || strings.ContainsAny(p.auth+p.address, "\r\n") {
			t.Fatalf("%q: address %q, %v", proxy, p.address, err)
		}
	})
}

// A host that answers 407 does not pass for the proxy once that has served.
func TestHostThatWantsAProxyPassword(t *testing.T) {
	p := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Host == "evil.test" {
			rw.WriteHeader(http.StatusProxyAuthRequired)
		}
	}))
	defer p.Close()
	o := Defaults()
	o.Proxy = p.URL
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var buf Buffer
	for _, c := range []struct {
		url    string
		status int
		proxy  bool
	}{
		{"http://evil.test/", 0, true},
		{"http://good.test/", 200, false},
		{"http://evil.test/", 407, false},
	} {
		if r := f.Fetch(t.Context(), Request{URL: c.url}, &buf); r.Status != c.status || r.Proxy != c.proxy {
			t.Errorf("%s: status %d, proxy %v (%s)", c.url, r.Status, r.Proxy, r.Err)
		}
	}
}
