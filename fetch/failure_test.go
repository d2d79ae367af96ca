package fetch

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// The ways in which a connection can end.
func closes(net.Conn)   {}
func resets(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }

// stalls waits until the other side gives up.
func stalls(c net.Conn) { io.Copy(io.Discard, c) }

// asked reads a request up to its end.
func asked(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		if line, err := r.ReadString('\n'); err != nil || line == "\r\n" {
			return
		}
	}
}

func TestBrokenAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name   string
		answer string
		end    func(net.Conn)
		class  Class
		status int
		err    string // a part of it
		body   string
	}{
		{"nothing, then closed", "", closes, Reset, 0, "closed before", ""},
		{"nothing, then reset", "", resets, Reset, 0, "reset by peer", ""},
		{"half a status line, then closed", "HTTP/1.1 20", closes, Protocol, 0, "malformed HTTP status code", ""},
		{"half a header, then closed", ok + "Content-Ty", closes, Protocol, 0, "malformed MIME header", ""},
		{"half a header, then stalled", ok + "Content-Ty", stalls, TimedOut, 0, "no answer in time", ""},
		{"half a body, then closed", ok + "Content-Length: 10\r\n\r\nhalf", closes, Reset, 200, "closed before", "half"},
		{"half a body, then reset", ok + "Content-Length: 10\r\n\r\nhalf", resets, Reset, 200, "", ""},
		{"half a body, then stalled", ok + "Content-Length: 10\r\n\r\nhalf", stalls, TimedOut, 200, "body not complete in time", "half"},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf", closes, Reset, 200, "closed before", "half"},
		{"no last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", closes, Reset, 200, "closed before", "half"},
		{"half of a gzip body", ok + "Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n" + encode("gzip", "half")[:12], closes, Reset, 200, "closed before", ""},
		{"chunk without size", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n", closes, Protocol, 200, "chunk", ""},
		{"chunk of a huge size", ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nhalf", closes, Protocol, 200, "chunk", ""},
		{"chunk with an endless extension", ok + "Transfer-Encoding: chunked\r\n\r\n4;" + strings.Repeat("x", 1<<20), closes, Protocol, 200, "", ""},
		{"a throttle with half a body", "HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nhalf", closes, Throttled, 429, "status 429", "half"},
		{"a redirect with half a body", "HTTP/1.1 301 Go\r\nLocation: /x\r\nContent-Length: 10\r\n\r\nhalf", closes, None, 301, "", "half"},
		{"a redirect without Location with half a body", "HTTP/1.1 301 Go\r\nContent-Length: 10\r\n\r\nhalf", closes, Reset, 301, "closed before", "half"},
		{"a body up to the end of the connection", "HTTP/1.0 200 OK\r\n\r\nhalf", closes, None, 200, "", "half"},
		{"more than the length says", ok + "Connection: close\r\nContent-Length: 4\r\n\r\nhalf and more", closes, None, 200, "", "half"},

		{"another protocol", "SSH-2.0-OpenSSH_9.9\r\n", closes, Protocol, 0, "malformed HTTP response", ""},
		{"HTML without a header", "<!DOCTYPE html>\n<title>old</title>\n", closes, Protocol, 0, "malformed HTTP", ""},
		{"noise", "\x00\x01\x02\xff\xfe\r\n\r\n\r\n", closes, Protocol, 0, "malformed HTTP", ""},
		{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", closes, Protocol, 0, "malformed HTTP status code", ""},
		{"status of words", "HTTP/1.1 fine\r\n\r\n", closes, Protocol, 0, "malformed HTTP status code", ""},
		{"status 000", "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", closes, Protocol, 0, "status 0", ""},
		{"status 101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", closes, Protocol, 0, "status 101", ""},
		{"status 999", "HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n", closes, None, 999, "", ""},
		{"header without colon", ok + "Content-Type text/html\r\n\r\n", closes, Protocol, 0, "malformed MIME header", ""},
		{"negative length", ok + "Content-Length: -1\r\n\r\n", closes, Protocol, 0, "Content-Length", ""},
		{"two lengths", ok + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nhalf", closes, Protocol, 0, "Content-Length", ""},
		{"header of one long line", ok + "X: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n", closes, Protocol, 0, "exceeded", ""},
		{"header of many lines", ok + strings.Repeat("X: y\r\n", maxHeader/4) + "\r\n", closes, Protocol, 0, "exceeded", ""},
		{"status line without end", "HTTP/1.1 200 " + strings.Repeat("O", 2*maxHeader), closes, Protocol, 0, "", ""},
		{"interim answers without end", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 20000), closes, Protocol, 0, "", ""},
		{"some interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 3) + ok + "Content-Length: 4\r\n\r\nhalf", closes, None, 200, "", "half"},
		{"trailers without end", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n" + strings.Repeat("X: y\r\n", 1<<16), closes, Protocol, 200, "", "half"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := raw(t, func(conn net.Conn) {
				asked(conn)
				io.WriteString(conn, c.answer)
				c.end(conn)
			})
			o := options()
			if c.class == TimedOut {
				o.Timeout = 50 * time.Millisecond
			}
			res := get(fetcher(t, o), "http://"+addr+"/")
			if res.Class != c.class || res.Status != c.status || !strings.Contains(res.Err, c.err) {
				t.Fatalf("got class %q, status %d, %q; want %q, %d, %q", res.Class, res.Status, res.Err, c.class, c.status, c.err)
			}
			if res.Sent.IsZero() || res.IP != "127.0.0.1" {
				t.Errorf("sent at %v to %q", res.Sent, res.IP)
			}
			if !strings.HasPrefix(string(res.Body), c.body) {
				t.Errorf("body is %q, want %q", res.Body, c.body)
			}
			if (c.class == None) != (res.Err == "") || len(res.Err) > maxErr || strings.ContainsAny(res.Err, "\r\n\x00") {
				t.Errorf("error %q", res.Err)
			}
		})
	}
}

// A server that never comes to the answer is left, though each of its bytes
// comes in time.
func TestInterimAnswersWithoutEnd(t *testing.T) {
	for _, interim := range []string{
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
		"HTTP/1.1 199 x\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n",
	} {
		addr := raw(t, func(conn net.Conn) {
			asked(conn)
			for {
				if _, err := io.WriteString(conn, interim); err != nil {
					return
				}
			}
		})
		res := get(fetcher(t, options()), "http://"+addr+"/")
		if res.Class != Protocol || res.Status != 0 || res.Err == "" {
			t.Errorf("%.20q: got %+v", interim, res)
		}
	}
}

func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	res := get(fetcher(t, options()), "http://"+addr+"/")
	if res.Class != Connect || res.Err != "connection refused" || !res.Sent.IsZero() || res.Status != 0 {
		t.Errorf("got %+v", res)
	}
	if res := get(fetcher(t, options()), "http://127.0.0.1:99999/"); res.Class != Connect || res.Err != "address 99999: invalid port" {
		t.Errorf("port 99999: got %+v", res)
	}
}

// What leads nowhere is told from what does, whatever the system calls it.
func TestNoRoute(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, c := range []struct {
		name    string
		err     error
		class   Class
		noRoute bool
	}{
		{"refused", dial(errnoRefused), Connect, false},
		{"no network", dial(syscall.ENETUNREACH), Connect, true},
		{"network is down", dial(syscall.ENETDOWN), Connect, true},
		{"no way to the host", dial(syscall.EHOSTUNREACH), Connect, true},
		{"the host does not answer for its address", dial(syscall.EHOSTDOWN), Connect, true},
		{"no address of one's own", dial(syscall.EADDRNOTAVAIL), Connect, true},
		{"a firewall on this machine", dial(syscall.EPERM), Connect, true},
		{"no answer", dial(syscall.ETIMEDOUT), TimedOut, false},
		{"too many files", dial(syscall.EMFILE), Connect, false},
		{"no such name", &net.DNSError{Err: "no such host", IsNotFound: true}, DNS, false},
		{"a file that may not be read", &os.PathError{Op: "open", Err: syscall.EACCES}, Protocol, false},
	} {
		if class, _ := classify(c.err); class != c.class || noRoute(c.err) != c.noRoute {
			t.Errorf("%s: class %q, no route %v", c.name, class, noRoute(c.err))
		}
	}
}

func TestTimeouts(t *testing.T) {
	const short = 30 * time.Millisecond
	header := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
	for _, c := range []struct {
		name   string
		scheme string
		set    func(*Options)
		answer string
		err    string
		status int
	}{
		{"in all", "http", func(o *Options) { o.Timeout = short }, "", "no answer in time", 0},
		{"for the header", "http", func(o *Options) { o.HeaderTimeout = short }, "", "no answer in time", 0},
		{"for the header, nothing in all", "http", func(o *Options) { o.Timeout, o.HeaderTimeout = 0, short }, "", "no answer in time", 0},
		{"between bytes of the body", "http", func(o *Options) { o.IdleBodyTimeout = short }, header, "body not complete in time", 200},
		{"between bytes of the body, nothing in all", "http", func(o *Options) { o.Timeout, o.IdleBodyTimeout = 0, short }, header, "body not complete in time", 200},
		{"for TLS", "https", func(o *Options) { o.ConnectTimeout = short }, "", "TLS handshake timed out", 0},
		{"for TLS, in all", "https", func(o *Options) { o.Timeout = short }, "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := raw(t, func(conn net.Conn) {
				if c.scheme == "http" {
					asked(conn)
				}
				io.WriteString(conn, c.answer)
				stalls(conn)
			})
			o := options()
			c.set(&o)
			res := get(fetcher(t, o), c.scheme+"://"+addr+"/")
			if res.Class != TimedOut || res.Status != c.status || !strings.Contains(res.Err, c.err) {
				t.Errorf("got class %q, status %d, %q", res.Class, res.Status, res.Err)
			}
			if res.Sent.IsZero() != (c.scheme == "https") {
				t.Errorf("sent at %v", res.Sent)
			}
		})
	}
}

func TestAborted(t *testing.T) {
	t.Run("before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		res := fetcher(t, options()).Fetch(ctx, Request{URL: "http://127.0.0.1:1/"}, new(Buffer))
		if res.Class != Aborted || !res.Sent.IsZero() {
			t.Errorf("got %+v", res)
		}
	})
	for _, c := range []struct {
		name, answer string
		status       int
	}{
		{"waiting for the header", "", 0},
		{"within the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			addr := raw(t, func(conn net.Conn) {
				asked(conn)
				io.WriteString(conn, c.answer)
				if c.answer == "" {
					cancel()
				}
				stalls(conn)
			})
			o := options()
			o.Transport = stopInBody{http.DefaultTransport.(*http.Transport).Clone(), cancel}
			res := fetcher(t, o).Fetch(ctx, Request{URL: "http://" + addr + "/"}, new(Buffer))
			if res.Class != Aborted || res.Status != c.status || res.Sent.IsZero() {
				t.Errorf("got %+v", res)
			}
		})
	}
	t.Run("the caller's own deadline is a time-out", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		addr := raw(t, stalls)
		if res := fetcher(t, options()).Fetch(ctx, Request{URL: "http://" + addr + "/"}, new(Buffer)); res.Class != TimedOut {
			t.Errorf("got %+v", res)
		}
	})
}

// stopInBody ends the exchange at the first read of a body.
type stopInBody struct {
	*http.Transport
	stop func()
}

func (s stopInBody) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.Transport.RoundTrip(r)
	if err == nil {
		body := res.Body
		res.Body = struct {
			io.Reader
			io.Closer
		}{readerFunc(func(p []byte) (int, error) {
			s.stop()
			return body.Read(p)
		}), body}
	}
	return res, err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestTLSFailures(t *testing.T) {
	now := time.Now()
	const day = 24 * time.Hour
	good := certificate(t, now.Add(-day), now.Add(day), "127.0.0.1")
	only := func(set func(*tls.Config)) *tls.Config {
		config := &tls.Config{Certificates: good}
		set(config)
		return config
	}
	date := func(d time.Duration) string { return now.Add(d).UTC().Format(time.DateOnly) }
	for _, c := range []struct {
		name   string
		config *tls.Config
		class  Class
		err    string
	}{
		{"expired", &tls.Config{Certificates: certificate(t, now.Add(-2*day), now.Add(-day), "127.0.0.1")}, TLS, "certificate expired on " + date(-day)},
		{"not valid yet", &tls.Config{Certificates: certificate(t, now.Add(day), now.Add(2*day), "127.0.0.1")}, TLS, "certificate not valid before " + date(day)},
		{"for another host", &tls.Config{Certificates: certificate(t, now.Add(-day), now.Add(day), "127.0.0.2")}, TLS, "certificate is for another host"},
		{"self-signed", &tls.Config{Certificates: good}, TLS, "certificate is self-signed"},
		{"of an unknown authority", &tls.Config{Certificates: issued(t, x509.SHA256WithRSA)}, TLS, "certificate signed by unknown authority"},
		{"of an unknown authority, with all of the chain", &tls.Config{Certificates: issued(t, x509.SHA256WithRSA, "with the root")}, TLS, "certificate signed by unknown authority"},
		{"signed with SHA-1", &tls.Config{Certificates: issued(t, x509.SHA1WithRSA, "with the root")}, TLS, "certificate signed with an insecure algorithm"},
		{"without a certificate", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}, TLS, "internal error"},
		{"TLS 1.1 at most", only(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), TLS, "server speaks no TLS version from 1.2 on"},
		{"TLS 1.0 at most", only(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }), TLS, "server speaks no TLS version from 1.2 on"},
		{"no cipher in common", only(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}
		}), TLS, "server refused the handshake: no cipher in common, perhaps"},
		{"no protocol in common", only(func(c *tls.Config) { c.NextProtos = []string{"x"} }), TLS, "no application protocol"},
		{"a certificate is asked of us, TLS 1.2", only(func(c *tls.Config) {
			c.MaxVersion, c.ClientAuth = tls.VersionTLS12, tls.RequireAnyClientCert
		}), TLS, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := raw(t, func(conn net.Conn) {
				if tls.Server(conn, c.config).Handshake() == nil {
					stalls(conn)
				}
			})
			res := get(fetcher(t, options()), "https://"+addr+"/")
			if res.Class != c.class || !strings.HasPrefix(res.Err, c.err) || !res.Sent.IsZero() {
				t.Errorf("got class %q, %q, sent %v; want %q, %q", res.Class, res.Err, res.Sent, c.class, c.err)
			}
		})
	}
	for _, c := range []struct {
		name, answer, err string // the answer to a ClientHello, a record of TLS
	}{
		{"a server that chooses TLS 1.0", serverHello(0x0301), "server speaks TLS 1.0 and no later version"},
		{"a server that chooses TLS 1.1", serverHello(0x0302), "server speaks TLS 1.1 and no later version"},
		{"a server that chooses SSL 3", serverHello(0x0300), "server speaks no TLS version from 1.2 on"},
		{"the name is unknown", alert(112), "server does not know this host name"},
		{"the handshake is refused", alert(40), "server refused the handshake: no cipher in common, perhaps"},
		{"the version is refused", alert(70), "server speaks no TLS version from 1.2 on"},
		{"access is denied", alert(49), "access denied"},
		{"an unknown alert", alert(99), "alert(99)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			addr := raw(t, func(conn net.Conn) {
				conn.Read(make([]byte, 4096))
				io.WriteString(conn, c.answer)
				stalls(conn)
			})
			res := get(fetcher(t, options()), "https://"+addr+"/")
			if res.Class != TLS || res.Err != c.err || !res.Sent.IsZero() {
				t.Errorf("got class %q, %q; want %q", res.Class, res.Err, c.err)
			}
		})
	}
	t.Run("plain HTTP", func(t *testing.T) {
		addr := raw(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1024))
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			stalls(conn)
		})
		if res := get(fetcher(t, options()), "https://"+addr+"/"); res.Class != TLS || !res.Sent.IsZero() {
			t.Errorf("got %+v", res)
		}
	})
	t.Run("closed in the handshake", func(t *testing.T) {
		addr := raw(t, func(conn net.Conn) { conn.Read(make([]byte, 1024)) })
		if res := get(fetcher(t, options()), "https://"+addr+"/"); res.Class != Reset || !res.Sent.IsZero() {
			t.Errorf("got %+v", res)
		}
	})
	t.Run("a certificate is asked of us", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		s.Config.ErrorLog = quiet()
		s.StartTLS()
		defer s.Close()
		o := options()
		o.Insecure = true
		if res := get(fetcher(t, o), s.URL); res.Class != TLS || res.Err != "certificate required" {
			t.Errorf("got %+v", res)
		}
	})
	t.Run("insecure takes them all", func(t *testing.T) {
		config := &tls.Config{Certificates: certificate(t, now.Add(-2*day), now.Add(-day), "127.0.0.2")}
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = config
		s.StartTLS()
		defer s.Close()
		o := options()
		o.Insecure = true
		if res := get(fetcher(t, o), s.URL); res.Class != None || res.Status != 404 {
			t.Errorf("got %+v", res)
		}
	})
}

// serverHello is the record by which a server chooses a version, up to TLS 1.2.
func serverHello(version uint16) string {
	v := string([]byte{byte(version >> 8), byte(version)})
	hello := v + strings.Repeat("r", 32) + "\x00" + "\xc0\x13" + "\x00"
	message := "\x02\x00\x00" + string(rune(len(hello))) + hello
	return "\x16" + v + "\x00" + string(rune(len(message))) + message
}

// alert is the record of a fatal alert.
func alert(code byte) string { return "\x15\x03\x03\x00\x02\x02" + string([]byte{code}) }

// A server may name an authority as it likes.
func TestAuthorityNamesAreNoReasons(t *testing.T) {
	certs := make([]*x509.Certificate, 2)
	for i, isCA := range []bool{true, false} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // another one, so that the signature is wrong
		if err != nil {
			t.Fatal(err)
		}
		ca := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "insecure algorithm"}, NotAfter: time.Now().Add(time.Hour),
			IsCA: isCA, BasicConstraintsValid: isCA,
		}
		cert := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Somebody"}, NotAfter: ca.NotAfter}
		if isCA {
			cert = ca
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, ca, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if certs[i], err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	known := x509.NewCertPool()
	known.AddCert(certs[0])
	_, err := certs[1].Verify(x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: known})
	if err == nil || !strings.Contains(err.Error(), "insecure algorithm") {
		t.Fatalf("the name is not in %v", err)
	}
	if got := certificateReason(err); strings.HasPrefix(got.Error(), "certificate signed with") {
		t.Errorf("got %v", got)
	}
}

// issued is a certificate for 127.0.0.1 by an authority that nobody knows, with
// that of the authority itself if a root is given.
func issued(t *testing.T, algorithm x509.SignatureAlgorithm, root ...string) []tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Nobody"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Somebody"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	chain := [][]byte{der}
	if len(root) > 0 {
		self, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, self)
	}
	return []tls.Certificate{{Certificate: chain, PrivateKey: key}}
}

func certificate(t *testing.T, from, to time.Time, ip string) []tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, IPAddresses: []net.IP{net.ParseIP(ip)}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
}

func TestHTTP2Failures(t *testing.T) {
	body := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/reset-in-body":
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			<-body // the client has the header
			panic(http.ErrAbortHandler)
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
		case "/short":
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "half")
		}
	}))
	s.Config.ErrorLog = quiet()
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	o := options()
	o.Insecure = true
	f := fetcher(t, o)
	close(body)
	for _, c := range []struct {
		path   string
		class  Class
		status int
	}{
		{"/", None, 200},
		{"/reset", Reset, 0},
		{"/reset-in-body", Reset, 200},
		{"/header", Protocol, 0},
		{"/short", Reset, 200},
		{"/", None, 200},
	} {
		res := get(f, s.URL+c.path)
		if res.Class != c.class || res.Status != c.status {
			t.Errorf("%s: got class %q, status %d, %q; want %q, %d", c.path, res.Class, res.Status, res.Err, c.class, c.status)
		}
		if c.status == 200 && res.Proto != "HTTP/2.0" {
			t.Errorf("%s: protocol %s", c.path, res.Proto)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"as it is, ü":               "as it is, ü",
		"two\r\nlines\tand\x00\x1b": "two  lines and  ",
		"bad \xff\xfe bytes":        "bad \uFFFD bytes",
		"turned \u202e round":       "turned   round",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	if got := oneLine(strings.Repeat("ü", 101)[1:]); len(got) > maxErr || !utf8.ValidString(got) {
		t.Errorf("a long text becomes %d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}
