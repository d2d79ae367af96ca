package fetch

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestPrivate(t *testing.T) {
	for _, c := range []struct {
		addr string
		want bool
	}{
		{"0.0.0.0", true},
		{"0.1.2.3", true},
		{"1.1.1.1", false},
		{"9.255.255.255", false},
		{"10.0.0.0", true},
		{"10.255.255.255", true},
		{"11.0.0.0", false},
		{"100.63.255.255", false},
		{"100.64.0.0", true},
		{"100.127.255.255", true},
		{"100.128.0.0", false},
		{"127.0.0.1", true},
		{"127.255.255.254", true},
		{"169.254.169.254", true}, // what clouds tell their machines
		{"172.15.255.255", false},
		{"172.16.0.0", true},
		{"172.31.255.255", true},
		{"172.32.0.0", false},
		{"192.0.0.8", true},
		{"192.0.1.1", false},
		{"192.0.2.1", true},
		{"192.88.99.1", true},
		{"192.167.255.255", false},
		{"192.168.1.1", true},
		{"192.169.0.0", false},
		{"198.17.255.255", false},
		{"198.18.0.1", true},
		{"198.19.255.255", true},
		{"198.20.0.0", false},
		{"198.51.100.7", true},
		{"203.0.113.7", true},
		{"203.0.114.0", false},
		{"223.255.255.255", false},
		{"224.0.0.1", true},
		{"239.255.255.255", true},
		{"240.0.0.1", true},
		{"255.255.255.255", true},

		{"::", true},
		{"::1", true},
		{"::127.0.0.1", true}, // IPv4-compatible, given up
		{"::8.8.8.8", true},
		{"::ffff:127.0.0.1", true},
		{"::ffff:10.1.2.3", true},
		{"::ffff:8.8.8.8", false},
		{"64:ff9b::8.8.8.8", false},
		{"64:ff9b::10.0.0.1", true},
		{"64:ff9b::169.254.169.254", true},
		{"64:ff9b:1::8.8.8.8", true},
		{"100::1", true},
		{"100:0:0:1::1", true},
		{"2000::1", false},
		{"2001::1", true}, // Teredo with nothing in it
		{"2001:0:808:808::f7f7:f7f7", false},
		{"2001:0:808:808::80ff:fffe", true}, // Teredo client 127.0.0.1
		{"2001:0:a00:1::f7f7:f7f7", true},   // Teredo server 10.0.0.1
		{"2001:2::1", true},
		{"2001:10::1", true},
		{"2001:20::1", true},
		{"2001:200::1", false},
		{"2001:4860:4860::8888", false},
		{"2001:db8::1", true},
		{"2002:808:808::1", false},
		{"2002:7f00:1::1", true},
		{"2002:c0a8:101::1", true},
		{"2606:4700::1111", false},
		{"3fff::1", true},
		{"3fff:fff:ffff::1", true},
		{"3fff:1000::1", false},
		{"4000::1", true},
		{"5f00::1", true},
		{"fc00::1", true},
		{"fd12:3456::1", true},
		{"fe80::1", true},
		{"fe80::1%eth0", true},
		{"2001:4860:4860::8888%eth0", false},
		{"fec0::1", true},
		{"ff02::1", true},
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

// dnsAnswer is what a name has: an IPv4 address, or an error, or nothing.
type dnsAnswer struct {
	code dnsmessage.RCode
	ip   [4]byte
}

var inside = dnsAnswer{ip: [4]byte{127, 0, 0, 1}}

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
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA && a.ip != [4]byte{} {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: a.ip},
		}}
	}
	reply, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}
