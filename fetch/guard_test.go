package fetch

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// The IANA special-purpose address registries (RFC 6890, RFC 8190), every row,
// IPv4 and IPv6 as of October 2025. Where the registry says neither (N/A),
// reachable is false.
func TestPrivateSpecialPurposeRegistries(t *testing.T) {
	for _, row := range []struct {
		block, name, rfc string
		reachable        bool // as the registry has it
		private          bool // as it is judged here
		before, after    bool // whether the neighbours outside are private
	}{
		{"0.0.0.0/8", "this network", "RFC 791", false, true, true, false},
		{"0.0.0.0/32", "this host on this network", "RFC 1122", false, true, true, true},
		{"10.0.0.0/8", "private use", "RFC 1918", false, true, false, false},
		{"100.64.0.0/10", "shared address space", "RFC 6598", false, true, false, false},
		{"127.0.0.0/8", "loopback", "RFC 1122", false, true, false, false},
		{"169.254.0.0/16", "link-local", "RFC 3927", false, true, false, false},
		{"172.16.0.0/12", "private use", "RFC 1918", false, true, false, false},
		{"192.0.0.0/24", "IETF protocol assignments", "RFC 6890", false, true, false, false},
		{"192.0.0.0/29", "IPv4 service continuity", "RFC 7335", false, true, false, true},
		{"192.0.0.8/32", "IPv4 dummy address", "RFC 7600", false, true, true, true},
		{"192.0.0.9/32", "PCP anycast", "RFC 7723", true, true, true, true},
		{"192.0.0.10/32", "TURN anycast", "RFC 8155", true, true, true, true},
		{"192.0.0.170/32", "NAT64/DNS64 discovery", "RFC 8880", false, true, true, true},
		{"192.0.0.171/32", "NAT64/DNS64 discovery", "RFC 8880", false, true, true, true},
		{"192.0.2.0/24", "documentation", "RFC 5737", false, true, false, false},
		{"192.31.196.0/24", "AS112-v4", "RFC 7535", true, false, false, false},
		{"192.52.193.0/24", "AMT", "RFC 7450", true, false, false, false},
		{"192.88.99.0/24", "6to4 relay anycast, given up", "RFC 7526", false, true, false, false},
		{"192.88.99.2/32", "6a44 relay anycast", "RFC 6751", false, true, true, true},
		{"192.168.0.0/16", "private use", "RFC 1918", false, true, false, false},
		{"192.175.48.0/24", "direct delegation AS112", "RFC 7534", true, false, false, false},
		{"198.18.0.0/15", "benchmarking", "RFC 2544", false, true, false, false},
		{"198.51.100.0/24", "documentation", "RFC 5737", false, true, false, false},
		{"203.0.113.0/24", "documentation", "RFC 5737", false, true, false, false},
		{"240.0.0.0/4", "reserved", "RFC 1112", false, true, true, true},
		{"255.255.255.255/32", "limited broadcast", "RFC 919", false, true, true, true},

		{"::1/128", "loopback", "RFC 4291", false, true, true, true},
		{"::/128", "unspecified", "RFC 4291", false, true, true, true},
		// Judged by the IPv4 address inside: 0.0.0.0 and 255.255.255.255.
		{"::ffff:0:0/96", "IPv4-mapped", "RFC 4291", false, true, true, true},
		{"64:ff9b::/96", "IPv4-IPv6 translation", "RFC 6052", true, true, true, true},
		{"64:ff9b:1::/48", "IPv4-IPv6 translation, local use", "RFC 8215", false, true, true, true},
		{"100::/64", "discard only", "RFC 6666", false, true, true, true},
		{"100:0:0:1::/64", "dummy prefix", "RFC 9780", false, true, true, true},
		{"2001::/23", "IETF protocol assignments", "RFC 2928", false, true, false, false},
		{"2001::/32", "Teredo", "RFC 4380", false, true, false, true},
		{"2001:1::1/128", "PCP anycast", "RFC 7723", true, true, true, true},
		{"2001:1::2/128", "TURN anycast", "RFC 8155", true, true, true, true},
		{"2001:1::3/128", "DNS-SD SRP anycast", "RFC 9665", true, true, true, true},
		{"2001:2::/48", "benchmarking", "RFC 5180", false, true, true, true},
		{"2001:3::/32", "AMT", "RFC 7450", true, true, true, true},
		{"2001:4:112::/48", "AS112-v6", "RFC 7535", true, true, true, true},
		{"2001:10::/28", "ORCHID, given up", "RFC 4843", false, true, true, true},
		{"2001:20::/28", "ORCHIDv2", "RFC 7343", true, true, true, true},
		{"2001:30::/28", "DRIP entity tags", "RFC 9374", true, true, true, true},
		{"2001:db8::/32", "documentation", "RFC 3849", false, true, false, false},
		{"2002::/16", "6to4", "RFC 3056", false, true, false, false},
		{"2620:4f:8000::/48", "direct delegation AS112", "RFC 7534", true, false, false, false},
		{"3fff::/20", "documentation", "RFC 9637", false, true, false, false},
		{"5f00::/16", "SRv6 segments", "RFC 9602", false, true, true, true},
		{"fc00::/7", "unique local", "RFC 4193", false, true, true, true},
		{"fe80::/10", "link-local", "RFC 4291", false, true, true, true},

		// Not in these registries, but in those of the address space.
		{"224.0.0.0/4", "multicast", "RFC 5771", false, true, false, true},
		{"::/96", "IPv4-compatible, given up", "RFC 4291", false, true, true, true},
		{"::ffff:0:0:0/96", "IPv4-translated", "RFC 2765", false, true, true, true},
		{"fec0::/10", "site-local, given up", "RFC 3879", false, true, true, true},
		{"ff00::/8", "multicast", "RFC 4291", false, true, true, true},
		{"2000::/3", "global unicast", "RFC 4291", true, false, true, true},
	} {
		block := netip.MustParsePrefix(row.block)
		first, last := block.Addr(), lastOf(block)
		for _, c := range []struct {
			which string
			addr  netip.Addr
			want  bool
		}{
			{"before", first.Prev(), row.before},
			{"first", first, row.private},
			{"last", last, row.private},
			{"after", last.Next(), row.after},
		} {
			if got := Private(c.addr); got != c.want {
				t.Errorf("%s %s (%s): %s %v private %v, want %v", row.block, row.name, row.rfc, c.which, c.addr, got, c.want)
			}
		}
		if !row.reachable && !row.private {
			t.Errorf("%s %s (%s) is not globally reachable, yet public here", row.block, row.name, row.rfc)
		}
	}
}

func lastOf(block netip.Prefix) netip.Addr {
	b := block.Addr().AsSlice()
	for i := block.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		addr string
		want bool
	}{
		{"1.1.1.1", false},
		{"127.0.0.1", true},
		{"169.254.169.254", true}, // what clouds tell their machines
		{"192.0.0.11", true},
		{"223.255.255.255", false},

		{"::127.0.0.1", true}, // IPv4-compatible
		{"::8.8.8.8", true},
		{"::ffff:127.0.0.1", true}, // IPv4-mapped
		{"::ffff:10.1.2.3", true},
		{"::ffff:8.8.8.8", false},
		{"::ffff:192.0.0.9", true},
		{"::ffff:0:8.8.8.8", true}, // IPv4-translated
		{"64:ff9b::8.8.8.8", false},
		{"64:ff9b::10.0.0.1", true},
		{"64:ff9b::169.254.169.254", true},
		{"64:ff9b:1::8.8.8.8", true},
		{"64:ff9b:0:1::8.8.8.8", true},
		{"2001::1", true}, // Teredo with nothing in it
		{"2001:0:808:808::f7f7:f7f7", false},
		{"2001:0:808:808::80ff:fffe", true},        // Teredo client 127.0.0.1
		{"2001:0:a00:1::f7f7:f7f7", true},          // Teredo server 10.0.0.1
		{"2001:0:808:808:0:5efe:f7f7:f7f7", false}, // a port of Teredo, not ISATAP
		{"2001:1::4", true},
		{"2001:5::1", true},
		{"2001:40::1", true},
		{"2001:4860:4860::8888", false},
		{"2002:808:808::1", false},
		{"2002:7f00:1::1", true},
		{"2002:c0a8:101::1", true},
		{"2002:c058:6301::1", true},
		{"2002:808:808:0:0:5efe:10.0.0.1", true},
		{"2606:4700::5efe:8.8.8.8", false}, // ISATAP
		{"2606:4700::5efe:10.0.0.1", true},
		{"2606:4700::200:5efe:8.8.8.8", false},
		{"2606:4700::200:5efe:192.168.0.1", true},
		{"2606:4700::200:5efe:127.0.0.1", true},
		{"2606:4700::100:5efe:127.0.0.1", false}, // not its form
		{"2606:4700::5eff:127.0.0.1", false},
		{"fe80::5efe:8.8.8.8", true},
		{"2606:4700::1111", false},
		{"4000::1", true},
		{"fd12:3456::1", true},
		{"fe80::1%eth0", true},
		{"2001:4860:4860::8888%eth0", false},
		{"::ffff:10.0.0.1%eth0", true},
		{"2001:db8::1%eth0", true},
		{"ff0e::1", true}, // global scope, but multicast
	} {
		if got := Private(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("Private(%s) = %v, want %v", c.addr, got, c.want)
		}
	}
	if !Private(netip.Addr{}) {
		t.Error("the zero address is not private")
	}
}

func TestGuard(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "inside") })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	guarded := options()
	guarded.AllowPrivate = false
	for _, c := range []struct {
		name    string
		opts    Options
		host    string
		trusted bool
		want    Class
	}{
		{"an address", guarded, "127.0.0.1", false, PrivateAddress},
		{"an address mapped into IPv6", guarded, "[::ffff:127.0.0.1]", false, PrivateAddress},
		{"a name that points inside", guarded, "inside.example", false, PrivateAddress},
		{"a trusted name", guarded, "inside.example", true, None},
		{"a trusted address", guarded, "127.0.0.1", true, None},
		{"the guard is off", options(), "inside.example", false, None},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := newFetcher(c.opts, names(t, func() dnsAnswer { return inside }))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			res := f.Fetch(context.Background(), Request{URL: "http://" + c.host + ":" + port + "/", Trusted: c.trusted}, new(Buffer))
			if res.Class != c.want {
				t.Fatalf("class %q (%s), want %q", res.Class, res.Err, c.want)
			}
			if refused := c.want != None; res.Sent.IsZero() != refused || (string(res.Body) == "inside") == refused {
				t.Errorf("got %+v", res)
			}
		})
	}
}

// What a name pointed to before says nothing of what it points to now.
func TestGuardJudgesEachLookup(t *testing.T) {
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	o := options()
	o.AllowPrivate = false
	var now atomic.Pointer[dnsAnswer]
	f, err := newFetcher(o, names(t, func() dnsAnswer { return *now.Load() }))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, step := range []struct {
		answer dnsAnswer
		want   Class
	}{
		{dnsAnswer{code: dnsmessage.RCodeServerFailure}, DNS},
		{inside, PrivateAddress},
		{dnsAnswer{code: dnsmessage.RCodeNameError}, DNS},
		{inside, PrivateAddress},
	} {
		now.Store(&step.answer)
		if res := get(f, "http://rebind.example:"+port+"/"); res.Class != step.want {
			t.Errorf("name service says %v: class %q (%s), want %q", step.answer, res.Class, res.Err, step.want)
		}
	}
}

// Some spell an IPv4 address in ways that the C library reads as one. Here they
// are names, and what a name service makes of them is judged like any address.
func TestGuardAndOddAddresses(t *testing.T) {
	s := server(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	o := options()
	o.AllowPrivate = false
	for _, host := range []string{
		"0x7f.1", "0x7f000001", "2130706433", "127.1", "127.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "127.000.000.001",
		"[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::1]", "[::]", "[::1%25lo]", "0.0.0.0", "0",
		"localhost", "localhost.", "user@127.0.0.1", "8.8.8.8@127.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "127%2E0%2E0%2E1",
	} {
		for _, answer := range []dnsAnswer{inside, addresses("::1"), {code: dnsmessage.RCodeNameError}} {
			f, err := newFetcher(o, names(t, func() dnsAnswer { return answer }))
			if err != nil {
				t.Fatal(err)
			}
			res := get(f, "http://"+host+":"+port+"/")
			if res.Class == None || !res.Sent.IsZero() || res.Status != 0 {
				t.Errorf("%s, name service says %v: got %+v", host, answer, res)
			}
			f.Close()
		}
	}
}

// Of a host with several addresses the public ones are asked and the private
// ones never. No address of this machine is public, so that 127.0.0.2 stands
// for one; all others are judged by the guard.
func TestGuardAndSeveralAddresses(t *testing.T) {
	listen := func(address string) net.Listener {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skip(err)
		}
		return l
	}
	public := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "public") }))
	public.Listener.Close()
	public.Listener = listen("127.0.0.2:0")
	public.Start()
	defer public.Close()
	_, port, _ := net.SplitHostPort(public.Listener.Addr().String())
	private := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the private address was asked") }))
	private.Listener.Close()
	private.Listener = listen("127.0.0.1:" + port)
	private.Start()
	defer private.Close()

	o := options()
	o.AllowPrivate = false
	for _, c := range []struct {
		name  string
		first []string // what the name service says first
		then  []string // and for the second request
		want  [2]Class
	}{
		{"private before public", []string{"127.0.0.1", "10.0.0.1", "127.0.0.2"}, nil, [2]Class{None, None}},
		{"public before private", []string{"127.0.0.2", "127.0.0.1", "169.254.169.254"}, nil, [2]Class{None, None}},
		{"private over IPv6, public over IPv4", []string{"::1", "fe80::1", "::ffff:127.0.0.1", "127.0.0.2"}, nil, [2]Class{None, None}},
		{"all private", []string{"127.0.0.1", "::1", "10.0.0.1", "fd00::1"}, nil, [2]Class{PrivateAddress, PrivateAddress}},
		{"public first, then private", []string{"127.0.0.2"}, []string{"127.0.0.1"}, [2]Class{None, PrivateAddress}},
		{"public first, then both", []string{"127.0.0.2"}, []string{"127.0.0.1", "127.0.0.2"}, [2]Class{None, None}},
		{"private first, then public", []string{"127.0.0.1"}, []string{"127.0.0.2"}, [2]Class{PrivateAddress, None}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var answer atomic.Pointer[dnsAnswer]
			dialer := &net.Dialer{
				Resolver: names(t, func() dnsAnswer { return *answer.Load() }),
				ControlContext: func(ctx context.Context, network, address string, raw syscall.RawConn) error {
					if address == "127.0.0.2:"+port {
						return nil
					}
					return guard(ctx, network, address, raw)
				},
			}
			f := &Fetcher{opts: o}
			f.pool.Store(&pool{newTransportOver(o, dialer.DialContext, dialer.DialContext)})
			f.plain, f.secret = o.headers()
			for i, list := range [][]string{c.first, c.then} {
				if list != nil {
					a := addresses(list...)
					answer.Store(&a)
				}
				res := get(f, "http://several.example:"+port+"/")
				if res.Class != c.want[i] || (res.Class == None) != (string(res.Body) == "public") {
					t.Errorf("request %d: class %q (%s), body %q, want class %q", i, res.Class, res.Err, res.Body, c.want[i])
				}
				if res.Class == None && res.IP != "127.0.0.2" {
					t.Errorf("request %d: asked %s", i, res.IP)
				}
				f.Close() // so that each request looks the name up again
			}
		})
	}
}

func TestLookupFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		code dnsmessage.RCode
		want string
	}{
		{"no such name", dnsmessage.RCodeNameError, "no such host"},
		{"name without address", dnsmessage.RCodeSuccess, "no such host"},
		{"server trouble", dnsmessage.RCodeServerFailure, "server misbehaving"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := newFetcher(options(), names(t, func() dnsAnswer { return dnsAnswer{code: c.code} }))
			if err != nil {
				t.Fatal(err)
			}
			res := get(f, "http://nowhere.example/")
			if res.Class != DNS || res.Err != c.want || !res.Sent.IsZero() || res.IP != "" {
				t.Errorf("got %+v, want class dns, %q", res, c.want)
			}
		})
	}
}

// dnsAnswer is what a name has: addresses, or an error, or nothing.
type dnsAnswer struct {
	code dnsmessage.RCode
	ips  []netip.Addr
}

func addresses(list ...string) dnsAnswer {
	var a dnsAnswer
	for _, s := range list {
		a.ips = append(a.ips, netip.MustParseAddr(s))
	}
	return a
}

var inside = addresses("127.0.0.1")

// names is a name service in memory that has one answer for every name.
func names(t *testing.T, answer func() dnsAnswer) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, service := net.Pipe()
		go func() {
			defer service.Close()
			if err := answerLookup(service, answer()); err != nil {
				t.Error(err)
			}
		}()
		return client, nil
	}}
}

// answerLookup serves one question of DNS over TCP (RFC 1035 section 4.2.2).
func answerLookup(conn net.Conn, a dnsAnswer) error {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	raw := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, raw); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(raw); err != nil {
		return err
	}
	m.Response, m.RecursionAvailable, m.RCode = true, true, a.code
	m.Additionals = nil
	for _, ip := range a.ips {
		q := m.Questions[0]
		var body dnsmessage.ResourceBody
		switch {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			body = &dnsmessage.AResource{A: ip.As4()}
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			body = &dnsmessage.AAAAResource{AAAA: ip.As16()}
		default:
			continue
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET},
			Body:   body,
		})
	}
	reply, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}

func TestGuardLetsPublicAddressesBe(t *testing.T) {
	for _, address := range []string{"8.8.8.8:80", "[2606:4700::1111]:443"} {
		if err := guard(t.Context(), "tcp", address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"10.0.0.1:80", "[fd00::1]:443", "8.8.8.8", ""} {
		if guard(t.Context(), "tcp", address, nil) == nil {
			t.Errorf("%s: no error", address)
		}
	}
}
