package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"pawl/crawl"
)

// ErrAddress is the error of an address that [ServeMetrics] cannot make sense of.
var ErrAddress = errors.New("not an address to listen on: PORT or HOST:PORT is")

// MetricsOptions say where [ServeMetrics] listens and what it tells.
type MetricsOptions struct {
	// Addr is PORT or HOST:PORT. Without a host it is 127.0.0.1, port 0 takes one
	// that is free. An IPv6 address stands in brackets.
	Addr string
	// Status tells how the crawl stands. It must return when ctx is cancelled, and
	// what it gave must not change any more. It is asked by one request at a time,
	// at most once a second, and not any more when Stop has returned.
	Status func(ctx context.Context) (*crawl.Status, error)
	// Base is how the crawl stood when the run began: counters count from there, as
	// those of a crawl that goes on after a crash would otherwise step back. nil:
	// from the first status that is asked for, in the first run of a crawl from 0.
	Base *crawl.Status
	// Profiles serves what go tool pprof reads, under /debug/pprof/.
	Profiles bool
}

// Metrics is a server of [ServeMetrics].
type Metrics struct {
	// Addr is the address that it listens on.
	Addr net.Addr
	// Warning is what the user should be told in one line, empty: nothing.
	Warning string

	server *http.Server
	gate   *metricsGate
	cancel context.CancelFunc
	served chan struct{}
	once   sync.Once
}

const (
	listenConns   = 32
	listenHeader  = 16 << 10
	scrapesAtOnce = 2
	// Who asks sends all of it within this.
	listenRead = 10 * time.Second
	// Who asks takes the answer within this. The time that a profile lasts comes on
	// top.
	listenWrite = 15 * time.Second
	listenIdle  = 75 * time.Second // longer than scrapers usually wait
	// What is under way when the server stops may take this much longer.
	listenStop = time.Second
)

// ServeMetrics listens on a TCP address and tells monitoring programs by HTTP how a
// crawl stands, until Stop is called:
//
//	/               what there is, as text
//	/healthz        200 and "ok", or 503 and what is wrong
//	/metrics        for Prometheus, in its text format 0.0.4
//	/v1/status      the Status as JSON
//	/debug/pprof/   profiles, when they are asked for
//
// Nothing can be told to the crawl here: there is only GET and HEAD. Web pages
// cannot read it through the browser of somebody who can: the Host of a request
// must be an IP address, localhost or the host in Addr, and what a browser sends on
// behalf of another origin is refused. At most 32 connections are served, others
// wait.
//
// ctx is for finding the address alone. The error is ErrAddress, or that of the
// system: the port is taken, the host has another address.
func ServeMetrics(ctx context.Context, o MetricsOptions) (*Metrics, error) {
	host, port, err := splitAddress(o.Addr)
	if err != nil {
		return nil, err
	}
	// For "tcp" 0.0.0.0 would be all addresses of version 6 as well.
	network := "tcp"
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		network = "tcp4"
	}
	var config net.ListenConfig
	ln, err := config.Listen(ctx, network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	base, cancel := context.WithCancel(context.Background())
	g := &metricsGate{next: newListenHandler(base, host, o)}
	m := &Metrics{
		Addr: ln.Addr(), gate: g, cancel: cancel, served: make(chan struct{}),
		server: &http.Server{
			Handler:        g,
			BaseContext:    func(net.Listener) context.Context { return base },
			ReadTimeout:    listenRead,
			WriteTimeout:   listenWrite,
			IdleTimeout:    listenIdle,
			MaxHeaderBytes: listenHeader,
			ErrorLog:       log.New(io.Discard, "", 0),
		},
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		m.Warning = "anybody who can reach " + ln.Addr().String() + " can read how this crawl stands, with addresses and settings"
		if o.Profiles {
			m.Warning += ", and profile it"
		}
	}
	go func() {
		defer close(m.served)
		// It ends when the server is closed, and then with nothing else to say.
		_ = m.server.Serve(netutil.LimitListener(ln, listenConns))
	}()
	return m, nil
}

// Stop ends the server. What is under way may take a second longer, and is then cut
// off. It may be called more than once.
func (m *Metrics) Stop() {
	m.once.Do(func() {
		ctx, done := context.WithTimeout(context.Background(), listenStop)
		defer done()
		_ = m.server.Shutdown(ctx)
		m.cancel()
		_ = m.server.Close()
		<-m.served
		m.gate.shut()
	})
}

// splitAddress takes an Addr of MetricsOptions apart.
func splitAddress(addr string) (host, port string, err error) {
	host, port = "", addr
	if strings.Contains(addr, ":") {
		if host, port, err = net.SplitHostPort(addr); err != nil {
			return "", "", fmt.Errorf("%q is %w", addr, ErrAddress)
		}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || strings.ContainsAny(host, "/@?# ") {
		return "", "", fmt.Errorf("%q is %w", addr, ErrAddress)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return host, port, nil
}

// metricsGate lets requests pass until it is shut, and then has seen the last of them end.
type metricsGate struct {
	next   http.Handler
	mu     sync.RWMutex
	closed bool
}

func (g *metricsGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *metricsGate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// browserGuard refuses what web pages could have a browser ask.
type browserGuard struct {
	named string // host in the address that the user named
	next  http.Handler
}

func (g *browserGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	refuse := func(code int, why string) {
		h.Set("Connection", "close")
		http.Error(w, why, code)
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		refuse(http.StatusMethodNotAllowed, "only GET and HEAD are served here")
	case !g.knows(r.Host):
		// A name that an attacker owns can be made to resolve to this address, so
		// that the browser takes us for a part of his site.
		refuse(http.StatusForbidden, "refused: ask by IP address, by localhost, or by the host that --listen names")
	case !isOwnOrigin(r):
		refuse(http.StatusForbidden, "refused: asked on behalf of another site")
	case r.ContentLength != 0:
		refuse(http.StatusRequestEntityTooLarge, "no body is wanted")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// knows tells whether host, of a request, is one by which we may be asked.
func (g *browserGuard) knows(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = host
		if rest, ok := strings.CutPrefix(host, "["); ok {
			name = strings.TrimSuffix(rest, "]")
		}
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return strings.EqualFold(name, "localhost") || strings.EqualFold(name, g.named)
}

// isOwnOrigin tells whether a request is not one that a browser sends for a page of
// another origin, as far as it says so. Another port of this machine is one too.
func isOwnOrigin(r *http.Request) bool {
	for _, origin := range r.Header["Origin"] {
		if !strings.EqualFold(origin, "http://"+r.Host) {
			return false
		}
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}
