// Package hostile has servers that misbehave, for tests: each shows one way in
// which a server on the web, by fault or with intent, makes a client wait,
// swallow, crash or believe something wrong.
//
// A [Fault] says what its server does and what a crawler must make of it; All
// lists them. [Start] runs one on loopback. What the fault leaves intact works:
// /robots.txt is a 404 and /fine a good page, so that a test can ask for
// something good before and after, on the same connection where that is still
// allowed. Every other path misbehaves.
//
// Nothing is stored and next to nothing allocated while a server misbehaves,
// however much it sends, so that a test can measure what its client costs in
// the same process.
package hostile

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is one way to misbehave, and the truth about it.
type Fault struct {
	// Name is unique, in words.
	Name string
	// Must says what a crawler must do.
	Must string

	// TLS is for a server that is asked by https.
	TLS bool
	// Whole says that /robots.txt and /fine cannot be had either.
	Whole bool

	// Class is the error class that an exchange must end in, empty if it goes
	// well.
	Class string
	// Or is another class that is right, perhaps with less seen of the answer:
	// which one it is depends on what comes first.
	Or string
	// Status is the status that must be seen, 0 for none.
	Status int
	// Truncated says that the body has no end that a client can wait for.
	Truncated bool
	// Body is what the decoded body must begin with.
	Body string
	// Location is what the header of that name must begin with. A star stands
	// for the root of the server.
	Location string
	// Fresh says that the connection is given up: the next request needs
	// another.
	Fresh bool

	// Row is the outcome in a crawl with its class, as "failed protocol", where
	// that does not follow from the above.
	Row string

	connect func(*call) // has the connection as it is accepted
	answer  func(*call) // answers a request
}

// Outcome is what must become of the fault's page in a crawl: "fetched",
// "redirected", or "failed" with the class or status.
func (f *Fault) Outcome() string {
	switch {
	case f.Row != "":
		return f.Row
	case f.Class != "":
		return "failed " + f.Class
	case f.Status >= 400:
		return "failed " + strconv.Itoa(f.Status)
	case f.Status >= 300:
		return "redirected"
	}
	return "fetched"
}

// All returns every fault that can be shown on this system.
func All() []Fault {
	return slices.Concat(drips(), sizes(), codings(), lengths(), chunks(), losses(), handshakes(),
		redirects(), statuses(), poisons(), streams(), pages())
}

// Fine is the body of the good page at /fine.
const Fine = "<title>fine</title>fine"

// Server is a server that misbehaves. Its methods may be called concurrently.
type Server struct {
	// Root is the address of the fault: scheme, host, port and "/".
	Root string

	fault    Fault
	listener net.Listener
	tls      *tls.Config
	stop     chan struct{}
	closing  sync.Once
	running  sync.WaitGroup
	accepted atomic.Int64
	asked    atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil when the server is closed
}

// Start runs a server with the fault on a loopback port of its own, until it
// is closed.
func Start(f Fault) (*Server, error) {
	s := &Server{fault: f, stop: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	scheme := "http"
	if f.TLS {
		scheme = "https"
		cert, err := certificate()
		if err != nil {
			return nil, err
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.listener, s.Root = l, scheme+"://"+l.Addr().String()+"/"
	s.running.Go(s.accept)
	return s, nil
}

// Good is the address of the good page.
func (s *Server) Good() string { return s.Root + "fine" }

// Conns is how many connections were accepted.
func (s *Server) Conns() int { return int(s.accepted.Load()) }

// Asked is how many requests came for what misbehaves.
func (s *Server) Asked() int { return int(s.asked.Load()) }

// Close ends all connections and returns when nothing of the server is left.
// Calling it again does nothing.
func (s *Server) Close() {
	s.closing.Do(func() {
		close(s.stop)
		_ = s.listener.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.conns = nil
		s.mu.Unlock()
	})
	s.running.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.accepted.Add(1)
		s.mu.Lock()
		open := s.conns != nil
		if open {
			s.conns[conn] = struct{}{}
		}
		s.mu.Unlock()
		if !open {
			_ = conn.Close()
			return
		}
		s.running.Go(func() {
			s.serve(conn)
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

func (s *Server) serve(conn net.Conn) {
	c := &call{Conn: conn, tcp: conn.(*net.TCPConn), in: bufio.NewReader(conn), server: s}
	if s.fault.connect != nil {
		s.fault.connect(c)
		return
	}
	if s.tls != nil {
		secure := tls.Server(conn, s.tls)
		if secure.Handshake() != nil {
			return
		}
		c.Conn, c.in = secure, bufio.NewReader(secure)
	}
	for c.keep = true; c.keep; {
		path, err := c.request()
		plain, _, _ := strings.Cut(path, "?")
		switch {
		case err != nil:
			return
		case plain == "/robots.txt" && !s.fault.Whole:
			c.say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		case plain == "/fine" && !s.fault.Whole:
			c.say(ok, "Content-Type: text/html\r\nContent-Length: ", strconv.Itoa(len(Fine)), "\r\n\r\n", Fine)
		default:
			c.path, c.keep = path, false
			s.asked.Add(1)
			s.fault.answer(c)
		}
	}
}

const ok = "HTTP/1.1 200 OK\r\n"

// call is a connection on which a request has come.
type call struct {
	net.Conn // with TLS, if any
	tcp      *net.TCPConn
	in       *bufio.Reader
	server   *Server
	path     string
	keep     bool // the connection is to go on
}

var errRequest = errors.New("no request")

// request reads a request and returns what is asked for.
func (c *call) request() (path string, err error) {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if path == "" {
			parts := strings.Fields(string(line))
			if len(parts) != 3 {
				return "", errRequest
			}
			path = parts[1]
		}
		if len(line) == 2 {
			return path, nil
		}
	}
}

// say sends texts, in one piece.
func (c *call) say(texts ...string) bool {
	_, err := io.WriteString(c.Conn, strings.Join(texts, ""))
	return err == nil
}

// pour sends a piece again and again, size bytes in all, or until the other
// side has gone.
func (c *call) pour(piece string, size int64) bool {
	block := []byte(strings.Repeat(piece, max(1, (32<<10)/len(piece))))
	for size > 0 {
		n, err := c.Conn.Write(block)
		if err != nil {
			return false
		}
		size -= int64(n)
	}
	return true
}

// endless as a size never ends.
const endless = 1 << 62

// drop is the time between the pieces of what drips.
const drop = 2 * time.Millisecond

// drip sends a piece now and then, until the other side or the server has
// gone.
func (c *call) drip(piece string) {
	ticker := time.NewTicker(drop)
	defer ticker.Stop()
	for c.say(piece) {
		select {
		case <-ticker.C:
		case <-c.server.stop:
			return
		}
	}
}

// hang waits until the other side goes away.
func (c *call) hang() { _, _ = io.Copy(io.Discard, c.in) }

// reset makes the end of the connection a reset.
func (c *call) reset() { _ = c.tcp.SetLinger(0) }

// says is a fault that sends texts and closes the connection.
func says(texts ...string) func(*call) {
	return func(c *call) { c.say(texts...) }
}

// keeps is a fault that sends texts and goes on with the connection.
func keeps(texts ...string) func(*call) {
	return func(c *call) { c.keep = c.say(texts...) }
}

// hangs is a fault that sends texts and nothing more.
func hangs(texts ...string) func(*call) {
	return func(c *call) {
		c.say(texts...)
		c.hang()
	}
}

// resets is a fault that sends texts and resets the connection.
func resets(texts ...string) func(*call) {
	return func(c *call) {
		c.say(texts...)
		c.reset()
	}
}

// pours is a fault that sends a head, and then a piece again and again.
func pours(head, piece string, size int64) func(*call) {
	return func(c *call) {
		if c.say(head) && c.pour(piece, size) {
			c.hang()
		}
	}
}

// dripping is a fault that sends a head, and then a piece now and then.
func dripping(head, piece string) func(*call) {
	return func(c *call) {
		c.say(head)
		c.drip(piece)
	}
}

// certificate is one that nobody has signed.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
