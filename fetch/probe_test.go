package fetch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// What a name server makes of a question; nil is silence.
type nameService func(q dnsmessage.Message) *dnsmessage.Message

func says(code dnsmessage.RCode) nameService {
	return func(q dnsmessage.Message) *dnsmessage.Message {
		q.Response, q.RCode = true, code
		return &q
	}
}

func silent(dnsmessage.Message) *dnsmessage.Message { return nil }

// serve answers what comes over a connection, as UDP or as a stream keeps packets apart.
func (s nameService) serve(t *testing.T, read func([]byte) (int, func([]byte), error)) {
	packet := make([]byte, 4096)
	for {
		n, reply, err := read(packet)
		if err != nil {
			return
		}
		var q dnsmessage.Message
		if err := q.Unpack(packet[:n]); err != nil {
			t.Error(err)
			return
		}
		if a := s(q); a != nil {
			packed, err := a.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			reply(packed)
		}
	}
}

// udpService is a name server on this machine.
func udpService(t *testing.T, s nameService) resolverAddr {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve(t, func(b []byte) (int, func([]byte), error) {
			n, from, err := c.ReadFrom(b)
			return n, func(b []byte) { c.WriteTo(b, from) }, err
		})
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return resolverAddr{"udp", c.LocalAddr().String()}
}

// nobody is an address where no name server is.
func nobody(t *testing.T) resolverAddr {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return resolverAddr{"udp", c.LocalAddr().String()}
}

// machine is a prober of a machine with a network, no hosts file and these name servers.
func machine(servers ...resolverAddr) *prober {
	return &prober{
		isUp: func(net.Addr) bool { return true },
		dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if slices.ContainsFunc(servers, func(s resolverAddr) bool { return s.address == address }) {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			client, other := net.Pipe()
			other.Close()
			return client, nil // a route
		},
		servers: func(context.Context) []resolverAddr { return servers },
		files:   func(context.Context, string) []netip.Addr { return nil },
		system: func(context.Context, string, string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
	}
}

// routes makes the machine know a way to the networks of these prefixes alone; its name
// servers are there as ever.
func (p *prober) routes(err error, prefixes ...string) *prober {
	dial := p.dial
	p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		to := netip.MustParseAddrPort(address)
		isRouted := to.Addr().IsLoopback()
		for _, prefix := range prefixes {
			isRouted = isRouted || netip.MustParsePrefix(prefix).Contains(to.Addr())
		}
		if !isRouted {
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", err)}
		}
		return dial(ctx, network, address)
	}
	return p
}

func TestProbeOfTheResolver(t *testing.T) {
	// A network of its own, whose name server knows no other.
	own := func(q dnsmessage.Message) *dnsmessage.Message {
		if strings.HasSuffix(q.Questions[0].Name.String(), ".wiki.corp.") {
			return says(dnsmessage.RCodeNameError)(q)
		}
		return says(dnsmessage.RCodeRefused)(q)
	}
	stray := func(q dnsmessage.Message) *dnsmessage.Message {
		q.ID++
		return says(dnsmessage.RCodeSuccess)(q)
	}
	echo := func(q dnsmessage.Message) *dnsmessage.Message { return &q }
	for _, c := range []struct {
		name    string
		servers []nameService // nil: nobody is there
		hosts   []string
		want    string // empty: the network is there
	}{
		{"no such name", []nameService{says(dnsmessage.RCodeNameError)}, []string{"a.example"}, ""},
		{"a name that is there after all", []nameService{says(dnsmessage.RCodeSuccess)}, []string{"a.example:8080"}, ""},
		{"server trouble", []nameService{says(dnsmessage.RCodeServerFailure)}, []string{"a.example"}, "the name server cannot look up names (ADDRESS)"},
		{"it does not want to", []nameService{says(dnsmessage.RCodeRefused)}, []string{"a.example"}, "the name server cannot look up names (ADDRESS)"},
		{"silence", []nameService{silent}, []string{"a.example"}, "the name server does not answer (ADDRESS)"},
		{"answers to other questions", []nameService{stray}, []string{"a.example"}, "the name server does not answer (ADDRESS)"},
		{"the question itself", []nameService{echo}, []string{"a.example"}, "the name server does not answer (ADDRESS)"},
		{"nobody there", []nameService{nil}, []string{"a.example"}, "the name server is not there (ADDRESS)"},
		{"no server", nil, []string{"a.example"}, "no name server is known"},
		{"the second answers", []nameService{silent, says(dnsmessage.RCodeNameError)}, []string{"a.example"}, ""},
		{"the third answers", []nameService{nil, says(dnsmessage.RCodeServerFailure), says(dnsmessage.RCodeNameError)}, []string{"a.example"}, ""},
		{"none of two", []nameService{says(dnsmessage.RCodeServerFailure), nil}, []string{"a.example"}, "the name server cannot look up names (ADDRESS)"},
		{"a network of its own", []nameService{own}, []string{"wiki.corp"}, ""},
		{"a network of its own, and a host outside", []nameService{own}, []string{"a.example"}, "the name server cannot look up names (ADDRESS)"},
		{"an address among names", []nameService{says(dnsmessage.RCodeServerFailure)}, []string{"192.0.2.1", "a.example"}, "the name server cannot look up names (ADDRESS)"},
		{"a name that cannot be asked for", []nameService{says(dnsmessage.RCodeNameError)}, []string{strings.Repeat("x", 300)}, ""},
		{"many names", []nameService{says(dnsmessage.RCodeNameError)}, slices.Repeat([]string{"a.example"}, 10_000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var servers []resolverAddr
			for _, s := range c.servers {
				if s == nil {
					servers = append(servers, nobody(t))
				} else {
					servers = append(servers, udpService(t, s))
				}
			}
			ctx := t.Context()
			if strings.Contains(c.want, "does not answer") {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 30*time.Millisecond)
				defer cancel()
			}
			want := c.want
			if len(servers) > 0 {
				want = strings.ReplaceAll(want, "ADDRESS", servers[0].address)
			}
			if got := text(machine(servers...).probe(ctx, c.hosts)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestProbeOfRoutes(t *testing.T) {
	const all4, all6 = "0.0.0.0/0", "::/0"
	for _, c := range []struct {
		name   string
		err    error // of what has no route
		routes []string
		hosts  []string
		want   string
	}{
		{"this machine", syscall.ENETUNREACH, nil, []string{"127.0.0.1:8080", "[::1]:80", "localhost", "LOCALHOST.:80", "shop.localhost", "0.0.0.0:80", "::1"}, ""},
		{"this machine by the hosts file", syscall.ENETUNREACH, nil, []string{"shop.test:8080"}, ""},
		{"this machine among others", syscall.ENETUNREACH, nil, []string{"localhost", "192.0.2.1"}, "no route to any network"},
		{"no host at all", syscall.ENETUNREACH, nil, nil, "no route to any network"},
		{"everywhere", nil, []string{all4, all6}, []string{"192.0.2.1"}, ""},
		{"nowhere", syscall.ENETUNREACH, nil, []string{"192.0.2.1:80"}, "no route to any network"},
		{"nowhere, by name", syscall.ENETUNREACH, nil, []string{"a.example"}, "no route to any network"},
		{"nowhere, by the hosts file", syscall.ENETUNREACH, nil, []string{"near.test"}, "no route to any network"},
		{"network is down", syscall.ENETDOWN, nil, []string{"192.0.2.1"}, "no route to any network"},
		{"no address of one's own", syscall.EADDRNOTAVAIL, nil, []string{"192.0.2.1"}, "no route to any network"},
		{"black holes", syscall.EINVAL, nil, []string{"192.0.2.1"}, "no route to any network"},
		{"a firewall on this machine", syscall.EPERM, nil, []string{"192.0.2.1"}, "no route to any network"},
		{"too many open files", syscall.EMFILE, nil, []string{"192.0.2.1"}, ""},
		{"IPv6 asked of a machine of IPv4", syscall.ENETUNREACH, []string{all4}, []string{"[2001:db8::1]:443"}, ""},
		{"IPv4 asked of a machine of IPv6", syscall.ENETUNREACH, []string{all6}, []string{"192.0.2.1"}, ""},
		{"a network that leads nowhere else", syscall.ENETUNREACH, []string{"192.168.1.0/24"}, []string{"192.168.1.7:8080"}, ""},
		{"the same by the hosts file", syscall.ENETUNREACH, []string{"192.168.1.0/24"}, []string{"near.test"}, ""},
		{"the same, and a host outside", syscall.ENETUNREACH, []string{"192.168.1.0/24"}, []string{"192.0.2.1"}, "no route to any network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := machine(udpService(t, says(dnsmessage.RCodeServerFailure))).routes(c.err, c.routes...)
			p.files = func(_ context.Context, name string) []netip.Addr {
				return map[string][]netip.Addr{
					"shop.test": {netip.MustParseAddr("127.0.0.1")},
					"near.test": {netip.MustParseAddr("192.168.1.7")},
				}[name]
			}
			if got := text(p.probe(t.Context(), c.hosts)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A name server on this machine may know the names of a network that leads nowhere else.
func TestProbeAsksTheResolverWithoutRoute(t *testing.T) {
	p := machine(udpService(t, says(dnsmessage.RCodeNameError))).routes(syscall.ENETUNREACH, "192.168.1.0/24")
	if err := p.probe(t.Context(), []string{"wiki.corp"}); err != nil {
		t.Error(err)
	}
}

// A sandbox that gives nobody a socket of UDP says nothing of routes.
func TestProbeWithoutUDP(t *testing.T) {
	p := machine()
	p.dial = func(_ context.Context, network, _ string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("socket", syscall.EPERM)}
	}
	if err := p.probe(t.Context(), []string{"192.0.2.1"}); err != nil {
		t.Error(err)
	}
}

// Where the name servers stand in no file that Go reads, the system's word counts,
// if it has addresses.
func TestProbeAsksTheSystem(t *testing.T) {
	for _, c := range []struct {
		name   string
		server nameService
		addrs  []netip.Addr
		there  bool
	}{
		{"the system knows the host", nil, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, true},
		{"the system knows nothing", nil, nil, false},
		{"the name server is there, and in trouble", says(dnsmessage.RCodeServerFailure), []netip.Addr{netip.MustParseAddr("192.0.2.1")}, false},
	} {
		server := nobody(t)
		if c.server != nil {
			server = udpService(t, c.server)
		}
		p := machine(server)
		p.system = func(context.Context, string, string) ([]netip.Addr, error) { return c.addrs, nil }
		if err := p.probe(t.Context(), []string{"a.example"}); (err == nil) != c.there {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Names are asked for that nobody can have kept, and few of them.
func TestProbeAsksForNewNames(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	server := udpService(t, func(q dnsmessage.Message) *dnsmessage.Message {
		mu.Lock()
		defer mu.Unlock()
		if !q.RecursionDesired {
			t.Error("the server is not asked to look the name up")
		}
		asked = append(asked, q.Questions[0].Name.String())
		return says(dnsmessage.RCodeServerFailure)(q)
	})
	for range 2 {
		if machine(server).probe(t.Context(), []string{"a.example", "b.example", "c.example"}) == nil {
			t.Error("the network is there")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.SortFunc(asked, func(a, b string) int {
		return strings.Compare(a[1+strings.Index(a, "."):], b[1+strings.Index(b, "."):])
	})
	ends := []string{".a.example.", ".a.example.", ".b.example.", ".b.example.", ".com.", ".com."}
	if len(asked) != len(ends) {
		t.Fatalf("asked for %q", asked)
	}
	for i, end := range ends {
		random := strings.TrimPrefix(strings.TrimSuffix(asked[i], end), "pawl-")
		if len(random) != 16 || strings.Contains(random, ".") || i%2 == 1 && asked[i] == asked[i-1] {
			t.Errorf("asked for %q", asked)
		}
	}
}

// A packet that is lost is sent again, and a probe that gets no answer ends.
func TestProbeTakesItsTime(t *testing.T) {
	for _, c := range []struct {
		name string
		lost int // the first packets
		want string
		took time.Duration
	}{
		{"none is lost", 0, "", 0},
		{"one is lost", 1, "", time.Second},
		{"two are lost", 2, "", 3 * time.Second},
		{"all are lost", 99, "the name server does not answer (192.0.2.53)", probeTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := machine(resolverAddr{"udp", "192.0.2.53:53"})
				p.dial = func(context.Context, string, string) (net.Conn, error) {
					client, service := net.Pipe()
					go func() {
						defer service.Close()
						came := 0
						nameService(func(q dnsmessage.Message) *dnsmessage.Message {
							if came++; came <= c.lost {
								return nil
							}
							return says(dnsmessage.RCodeNameError)(q)
						}).serve(t, func(b []byte) (int, func([]byte), error) {
							n, err := service.Read(b)
							return n, func(b []byte) { service.Write(b) }, err
						})
					}()
					return client, nil
				}
				began := time.Now()
				got := text(p.probe(t.Context(), []string{"a.example"}))
				if took := time.Since(began); got != c.want || took != c.took {
					t.Errorf("got %q after %v; want %q after %v", got, took, c.want, c.took)
				}
			})
		})
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := udpService(t, func(dnsmessage.Message) *dnsmessage.Message { cancel(); return nil })
	if err := machine(server).probe(ctx, []string{"a.example"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Over a stream, if resolv.conf wants that.
func TestProbeOverTCP(t *testing.T) {
	for _, c := range []struct {
		code dnsmessage.RCode
		want string
	}{
		{dnsmessage.RCodeNameError, ""},
		{dnsmessage.RCodeServerFailure, "the name server cannot look up names (192.0.2.53)"},
	} {
		p := machine(resolverAddr{"tcp", "192.0.2.53:53"})
		service := names(t, func() dnsAnswer { return dnsAnswer{code: c.code} })
		routed := p.dial
		p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "tcp" {
				return service.Dial(ctx, network, address)
			}
			return routed(ctx, network, address)
		}
		onlyCom := strings.Repeat("x", 300)
		if got := text(p.probe(t.Context(), []string{onlyCom})); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// What the system says of itself can be read, whatever it is.
func TestProbeOfThisMachine(t *testing.T) {
	if err := Probe(t.Context(), []string{"localhost:1", "127.0.0.1"}); err != nil {
		t.Errorf("this machine is not there: %v", err)
	}
	servers := systemResolvers(t.Context())
	if len(servers) == 0 {
		t.Error("no name server, not even that of this machine")
	}
	for _, s := range servers {
		if _, err := netip.ParseAddrPort(s.address); err != nil || !strings.HasPrefix(s.network, "udp") && !strings.HasPrefix(s.network, "tcp") {
			t.Errorf("%+v", s)
		}
	}
	if addrs := hostsFile(t.Context(), "no-such-name.invalid"); addrs != nil {
		t.Errorf("got %v", addrs)
	}
}
