//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pawl/internal/fakeweb"
	"pawl/internal/hostile"
)

// failing is how a network fails.
type failing string

const (
	working   failing = ""
	refusing  failing = "refuses connections"
	resetting failing = "takes connections and resets them"
	silent    failing = "takes connections and passes nothing"
	pausing   failing = "passes nothing and then goes on"
	routeless failing = "has no route"
)

// network stands between the crawler and all servers: hosts of 127/8 with one
// port, or of one address with a port each, that can be cut off together.
type network struct {
	addresses []string // by host
	numbers   map[string]int
	upstream  map[int]string // by host: where its connections are led on to; others go to the server

	mu        sync.Mutex
	passing   *sync.Cond // when silence ends, or a connection does
	failing   failing
	listeners []net.Listener
	wires     map[*wire]struct{}
	taken     chan net.Conn // for the server
	over      chan struct{}
	end       sync.Once
	running   sync.WaitGroup
}

// startNetwork takes the addresses of so many hosts.
func startNetwork(t *testing.T, hosts int, chance *rand.Rand) *network {
	t.Helper()
	n := &network{
		numbers: map[string]int{}, upstream: map[int]string{}, wires: map[*wire]struct{}{},
		taken: make(chan net.Conn), over: make(chan struct{}),
	}
	n.passing = sync.NewCond(&n.mu)
	if runtime.GOOS == "linux" {
		// All of 127/8 is this machine. The port is below those of outgoing
		// connections, so that it is free again after it was given up.
		var l net.Listener
		var err error
		port := 0
		for range 50 {
			port = 12000 + chance.IntN(20000)
			if l, err = net.Listen("tcp4", fmt.Sprintf(":%d", port)); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		n.listeners = append(n.listeners, l)
		for h := range hosts {
			n.addresses = append(n.addresses, fmt.Sprintf("127.%d.%d.%d:%d", 1+h>>16, h>>8&255, h&255, port))
		}
	} else {
		for range hosts {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			n.listeners = append(n.listeners, l)
			n.addresses = append(n.addresses, l.Addr().String())
		}
	}
	for h, a := range n.addresses {
		n.numbers[a] = h
	}
	for _, l := range n.listeners {
		n.running.Go(func() { n.accept(l) })
	}
	t.Cleanup(func() {
		n.Close()
		n.cut(refusing)
		n.running.Wait()
	})
	return n
}

func (n *network) root(h int) string { return "http://" + n.addresses[h] + "/" }

func (n *network) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		w := &wire{TCPConn: conn.(*net.TCPConn), net: n}
		n.mu.Lock()
		closed := n.failing == refusing || n.failing == resetting || n.failing == routeless
		if !closed {
			n.wires[w] = struct{}{}
		}
		h, known := n.numbers[conn.LocalAddr().String()]
		to := n.upstream[h]
		n.mu.Unlock()
		if closed || !known {
			w.reset()
			continue
		}
		n.running.Go(func() {
			if to != "" {
				n.lead(w, to)
				return
			}
			select {
			case n.taken <- w:
			case <-n.over:
				w.reset()
			}
		})
	}
}

// lead leads a connection on to a server.
func (n *network) lead(w *wire, to string) {
	defer w.Close()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		w.reset()
		return
	}
	defer conn.Close()
	n.running.Go(func() {
		io.Copy(conn, struct{ io.Reader }{w})
		conn.Close()
	})
	if _, err := io.Copy(struct{ io.Writer }{w}, conn); errors.Is(err, syscall.ECONNRESET) {
		w.reset()
	}
}

// Accept, Close and Addr make the network the listener of a server.
func (n *network) Accept() (net.Conn, error) {
	select {
	case w := <-n.taken:
		return w, nil
	case <-n.over:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.end.Do(func() { close(n.over) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// cut has the network fail, for all hosts at once.
func (n *network) cut(how failing) {
	n.mu.Lock()
	n.failing = how
	if how == refusing {
		for _, l := range n.listeners {
			l.Close()
		}
	}
	n.mu.Unlock()
	if how == refusing || how == resetting {
		n.hangUp()
	}
}

// mend has it work again. Connections from before do not go on, but for those that
// the crawler still holds when it was a pause.
func (n *network) mend(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	how := n.failing
	if how == refusing {
		for i, l := range n.listeners {
			again, err := net.Listen("tcp4", l.Addr().String())
			if err != nil {
				n.mu.Unlock()
				t.Fatal(err)
			}
			n.listeners[i] = again
			n.running.Go(func() { n.accept(again) })
		}
	}
	n.mu.Unlock()
	n.hangUpIf(func(w *wire) bool { return how != pausing || !w.hasPeer() })
	n.mu.Lock()
	n.failing = working
	n.passing.Broadcast()
	n.mu.Unlock()
}

// hangUp ends all connections.
func (n *network) hangUp() { n.hangUpIf(func(*wire) bool { return true }) }

func (n *network) hangUpIf(is func(*wire) bool) {
	n.mu.Lock()
	var ends []*wire
	for w := range n.wires {
		if is(w) {
			ends = append(ends, w)
		}
	}
	n.mu.Unlock()
	for _, w := range ends {
		w.reset()
	}
}

// wire is a connection over the network.
type wire struct {
	*net.TCPConn
	net    *network
	closed bool // guarded by net.mu
}

// pass waits while the network passes nothing.
func (w *wire) pass() error {
	n := w.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for !w.closed && (n.failing == silent || n.failing == pausing) {
		n.passing.Wait()
	}
	if w.closed {
		return net.ErrClosed
	}
	return nil
}

func (w *wire) Read(p []byte) (int, error) {
	got, err := w.TCPConn.Read(p)
	if gone := w.pass(); gone != nil {
		return 0, gone
	}
	return got, err
}

func (w *wire) Write(p []byte) (int, error) {
	if gone := w.pass(); gone != nil {
		return 0, gone
	}
	return w.TCPConn.Write(p)
}

// ReadFrom is not that of a TCP connection, which would pass by Write.
func (w *wire) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

func (w *wire) Close() error {
	n := w.net
	n.mu.Lock()
	w.closed = true
	delete(n.wires, w)
	n.passing.Broadcast()
	n.mu.Unlock()
	return w.TCPConn.Close()
}

func (w *wire) reset() {
	w.SetLinger(0)
	w.Close()
}

// soakSite serves a generated web through a network and keeps count: a few bytes
// for each address.
type soakSite struct {
	ledger *fakeweb.Ledger
	net    *network
	web    http.Handler
	flaky  uint64 // per mille of the healthy pages that fail when they are asked first
	asks   []atomic.Uint32
	total  atomic.Int64

	mu      sync.Mutex
	open    []map[*wire]struct{} // by host: requests under way
	opened  int
	closed  *sync.Cond
	rude    tellings // more than one request at a time
	again   tellings // pages with an outcome that were asked for
	reached chan struct{}
	goal    int64
	last    time.Time
}

// stored marks an address with an outcome in asks; the rest is how often it was
// asked for.
const stored = 1 << 31

// tellings counts and keeps the first.
type tellings struct {
	n     int
	first []string
}

func (f *tellings) add(text string) {
	if f.n++; len(f.first) < 10 {
		f.first = append(f.first, text)
	}
}

func (f *tellings) report(t *testing.T, what string) {
	t.Helper()
	if f.n > 0 {
		t.Errorf("%s: %d", what, f.n)
	}
	for _, text := range f.first {
		t.Errorf("%s: %s", what, text)
	}
}

// startSite serves the web at the first hosts of the network.
func startSite(t *testing.T, n *network, o fakeweb.Options, flaky int) *soakSite {
	t.Helper()
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var roots []string
	for h := range o.Hosts {
		roots = append(roots, n.root(h))
	}
	s := &soakSite{ledger: web.Ledger(roots), net: n, web: web.Handler(roots), flaky: uint64(flaky), open: make([]map[*wire]struct{}, o.Hosts), last: time.Now()}
	s.closed = sync.NewCond(&s.mu)
	s.asks = make([]atomic.Uint32, s.ledger.Size())
	for h := range s.open {
		s.open[h] = map[*wire]struct{}{}
	}
	server := &http.Server{
		Handler:     s,
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, s, c) },
	}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(n) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return s
}

// ServeHTTP answers for the web, but for pages that are flaky.
func (s *soakSite) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := r.Context().Value(s).(*wire)
	h, ok := s.net.numbers[r.Host]
	if !ok || h >= len(s.open) {
		http.Error(rw, "no such host", http.StatusMisdirectedRequest)
		return
	}
	number, isPage := s.ledger.Asked(r.Host, r.URL.RequestURI())
	s.begin(h, w, r)
	answer := &counted{ResponseWriter: rw, end: sync.OnceFunc(func() { s.end(h, w) })}
	defer answer.end()
	if isPage {
		n := s.asks[number].Add(1)
		if n&stored != 0 {
			s.mu.Lock()
			s.again.add(r.Host + r.URL.RequestURI())
			s.mu.Unlock()
		}
		if n&^stored == 1 && s.isFlaky(number) {
			http.Error(answer, "not now", http.StatusInternalServerError)
			return
		}
	}
	s.web.ServeHTTP(answer, r)
}

// isFlaky tells whether a page fails when it is asked first.
func (s *soakSite) isFlaky(number int) bool {
	h := fnv.New64a()
	fmt.Fprint(h, number)
	if h.Sum64()%1000 >= s.flaky {
		return false
	}
	row, ok := s.ledger.Row(number)
	return ok && row.Kind == fakeweb.Healthy && row.Outcome == fakeweb.Fetched
}

// usual is how often a page is asked for by a crawl that nobody disturbs.
func (s *soakSite) usual(number int, row *fakeweb.Row, retries int) int {
	switch {
	case row.Outcome == fakeweb.Blocked, row.Outcome == fakeweb.Skipped:
		return 0
	case isFaulty(row.Kind):
		return 1 + retries
	case row.Kind == fakeweb.Bounce:
		return 2
	case row.Kind == fakeweb.Throttled:
		return 1 + row.Refusals
	case s.isFlaky(number):
		return 2
	}
	return 1
}

func (s *soakSite) begin(h int, w *wire, r *http.Request) {
	total := s.total.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.open[h] {
		// Who has gone is noticed only some time later.
		if other.hasPeer() && w.hasPeer() {
			s.rude.add(r.Host + r.URL.RequestURI())
		}
	}
	s.open[h][w] = struct{}{}
	s.opened++
	s.last = time.Now()
	if s.reached != nil && total >= s.goal {
		close(s.reached)
		s.reached = nil
	}
}

func (s *soakSite) end(h int, w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open[h], w)
	if s.opened--; s.opened == 0 {
		s.closed.Broadcast()
	}
}

// when returns a channel that is closed when so many requests were made in all.
func (s *soakSite) when(requests int64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	reached := make(chan struct{})
	if s.total.Load() >= requests {
		close(reached)
	} else {
		s.reached, s.goal = reached, requests
	}
	return reached
}

// idle is for how long nothing was asked.
func (s *soakSite) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}

// rest waits until all that was asked by a process that is gone has ended.
func (s *soakSite) rest() {
	s.net.hangUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.opened > 0 {
		s.closed.Wait()
	}
}

// counted is an answer that tells when it begins to go out. From then on the client
// may ask the next.
type counted struct {
	http.ResponseWriter
	end func()
}

func (c *counted) WriteHeader(status int) {
	c.end()
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	c.end()
	return c.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController the rest.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// addHostile leads the hosts from first on to servers that misbehave, and returns
// their roots.
func addHostile(t *testing.T, n *network, first int, chosen []hostile.Fault) (roots []string) {
	t.Helper()
	for i, f := range chosen {
		server, err := hostile.Start(f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		scheme := "http://"
		if f.TLS {
			scheme = "https://"
		}
		n.mu.Lock()
		n.upstream[first+i] = server.Root[len(scheme) : len(server.Root)-1]
		n.mu.Unlock()
		roots = append(roots, scheme+n.addresses[first+i]+"/")
	}
	return roots
}

// hostileFaults are servers that misbehave; quick leaves out those that make others
// wait.
func hostileFaults(chance *rand.Rand, quick int) []hostile.Fault {
	all := hostile.All()
	if quick == 0 {
		return all
	}
	all = slices.DeleteFunc(all, func(f hostile.Fault) bool { return f.Class == "timeout" || f.Or == "timeout" })
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(quick, len(all))]
}
