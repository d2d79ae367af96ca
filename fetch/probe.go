package fetch

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxProbed is how many hosts a probe looks at, and of how many names it asks
	// in their own domains.
	maxProbed   = 8
	maxOwnNames = 2
	// maxResolvers is how many name servers are asked; resolv.conf has three.
	maxResolvers = 4
	// probeTime bounds a probe, resendAfter is when a question that may be lost is
	// asked again, and twice as long after that once more.
	probeTime   = 5 * time.Second
	resendAfter = time.Second
	// maxStray is how many answers to other questions one asks through.
	maxStray = 100
)

// The addresses of two root servers of the DNS, a.root-servers.net, which have
// stood for decades. Nothing is sent to them: the routing table alone is asked. Those
// kept for documentation are no help, as careful networks route them to nowhere.
const (
	publicIPv4 = "198.41.0.4"
	publicIPv6 = "2001:503:ba3e::2:30"
)

var (
	errNoRoute    = errors.New("no route to any network")
	errNoResolver = errors.New("no name server is known")

	// What is said of a name server.
	errSilent    = errors.New("does not answer")
	errUseless   = errors.New("cannot look up names")
	errAbsent    = errors.New("is not there")
	errUnreached = errors.New("cannot be reached")
)

// Probe tells whether the network is there, after hosts could not be reached:
// hosts are their names, or addresses, with ports or without. nil: it is, so these
// hosts are to blame; else the error says in a few words what is missing, unless ctx
// was cancelled. With a proxy the host that counts is the proxy.
//
// It asks the routing table for a way to an address, without sending anything, and
// when one of the hosts has a name, or a public address, the name servers of this machine
// for names that nobody can have kept: a random one in com, and for networks that do not know of
// com, random ones below the names of up to two of the hosts. Any answer will do,
// that there is no such name above all. Names that the hosts file of this machine has
// count as their addresses, and hosts that are this machine itself are always there.
//
// It looks at the first few hosts only and returns within five seconds, or when ctx
// is done. It may be called concurrently.
func Probe(ctx context.Context, hosts []string) error {
	p := prober{
		dial:    new(net.Dialer).DialContext,
		servers: systemResolvers,
		files:   hostsFile,
		system:  net.DefaultResolver.LookupNetIP,
		isUp:    isUp,
	}
	return p.probe(ctx, hosts)
}

// prober is what a probe needs of the machine.
type prober struct {
	dial    dialFunc
	servers func(context.Context) []resolverAddr
	// files looks a name up without the network.
	files func(ctx context.Context, name string) []netip.Addr
	// isUp tells whether the device is up that has a local address.
	isUp func(local net.Addr) bool
	// system looks a name up in the way of the operating system.
	system func(ctx context.Context, network, name string) ([]netip.Addr, error)
}

// resolverAddr is a name server, and how it is spoken to.
type resolverAddr struct{ network, address string }

func (p *prober) probe(parent context.Context, hosts []string) error {
	ctx, cancel := context.WithTimeout(parent, probeTime)
	defer cancel()
	addrs, names, near := p.sort(ctx, hosts)
	if len(addrs) == 0 && len(names) == 0 && near {
		return nil
	}
	routed := p.routed(ctx, addrs)
	isWorld := slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !Private(a) })
	if len(names) == 0 && (!routed || !isWorld) {
		if !routed {
			return errNoRoute
		}
		return nil
	}
	err := p.lookup(ctx, names)
	if len(names) == 0 && errors.Is(err, errNoResolver) {
		return nil // nobody here needs one
	}
	switch {
	case err == nil: // perhaps in a network that leads nowhere else
		return nil
	case errors.Is(parent.Err(), context.Canceled):
		return parent.Err()
	case !routed:
		return errNoRoute
	}
	return err
}

// sort tells addresses from names, and leaves out those of this machine; near says
// that there was one.
func (p *prober) sort(ctx context.Context, hosts []string) (addrs []netip.Addr, names []string, near bool) {
	for _, host := range hosts[:min(len(hosts), maxProbed)] {
		name := hostOf(host)
		if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761 section 6.3
			near = true
			continue
		}
		var found []netip.Addr
		if addr, err := netip.ParseAddr(name); err == nil {
			found = []netip.Addr{addr}
		} else {
			found = p.files(ctx, name)
		}
		if len(found) == 0 {
			names = append(names, name)
			continue
		}
		for _, addr := range found {
			if addr = addr.Unmap(); addr.IsLoopback() || addr.IsUnspecified() { // the latter is connected to as the former
				near = true
			} else if len(addrs) < maxProbed {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs, names, near
}

// hostOf is a host without its port, in lower case and without a dot at the end.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// routed asks the routing table for a way to one of the addresses, or to any network
// of the world: a host that has IPv6 alone is not to be reached from a machine
// without, but that is no trouble of the network.
func (p *prober) routed(ctx context.Context, addrs []netip.Addr) bool {
	addrs = append(slices.Clip(addrs), netip.MustParseAddr(publicIPv4), netip.MustParseAddr(publicIPv6))
	return slices.ContainsFunc(addrs, func(addr netip.Addr) bool {
		// To connect UDP sends nothing.
		c, err := p.dial(ctx, "udp", netip.AddrPortFrom(addr, 443).String())
		if err != nil {
			return !leadsNowhere(err)
		}
		defer c.Close()
		return p.isUp(c.LocalAddr())
	})
}

// isUp tells whether the device is up that has a local address: one without a cable
// keeps its address and its routes where nobody takes them from it.
func isUp(local net.Addr) bool {
	own, ok := local.(*net.UDPAddr)
	devices, err := net.Interfaces()
	if !ok || err != nil {
		return true
	}
	for _, d := range devices {
		addrs, err := d.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(own.IP) {
				return d.Flags&net.FlagUp != 0 && d.Flags&net.FlagRunning != 0
			}
		}
	}
	return true
}

// leadsNowhere tells no route from what says nothing of routes: too many open files,
// or a sandbox that does not let anybody have a socket of UDP.
func leadsNowhere(err error) bool {
	call := (*os.SyscallError)(nil)
	if errors.As(err, &call) && call.Syscall == "socket" && errors.Is(err, fs.ErrPermission) {
		return false
	}
	return noRoute(err) || errors.Is(err, syscall.EINVAL) // that of a route set up as a black hole
}

// lookup asks all name servers at once for names that nobody has, and is content
// with the first that knows anything.
func (p *prober) lookup(ctx context.Context, hosts []string) error {
	servers := p.servers(ctx)
	servers = servers[:min(len(servers), maxResolvers)]
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		server resolverAddr
		err    error
	}
	questions := p.questions(hosts)
	outcomes := make(chan outcome, len(servers)*len(questions))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel() // before the wait
	for _, server := range servers {
		for _, q := range questions {
			asking.Go(func() { outcomes <- outcome{server, p.ask(asked, server, slices.Clone(q))} })
		}
	}
	worst := errNoResolver
	for i := range cap(outcomes) {
		o := <-outcomes
		if o.err == nil {
			return nil
		}
		// The first server is the one that the machine asks first.
		if i == 0 || o.server == servers[0] {
			worst = fmt.Errorf("the name server %w (%s)", o.err, serverName(o.server))
		}
	}
	// The system may have servers that stand in no file, and is asked when there is
	// none in those: where it is Go's own resolver, that does no good, and no harm. Only
	// addresses count, as one without a network says of every name that there is none.
	if !errors.Is(worst, errSilent) && !errors.Is(worst, errUseless) && p.knows(ctx, hosts) {
		return nil
	}
	return worst
}

// serverName is the address of a name server, without the port that all have.
func serverName(s resolverAddr) string {
	if host, port, err := net.SplitHostPort(s.address); err == nil && port == "53" {
		return host
	}
	return s.address
}

// questions ask for names that nobody has asked for yet.
func (p *prober) questions(hosts []string) [][]byte {
	random := "pawl-" + strings.ToLower(rand.Text()[:16]) + "."
	var questions [][]byte
	for _, domain := range append([]string{"com"}, hosts[:min(len(hosts), maxOwnNames)]...) {
		name, err := dnsmessage.NewName(random + domain + ".")
		if err != nil {
			continue // it cannot be looked up at all
		}
		m := dnsmessage.Message{
			Header:    dnsmessage.Header{RecursionDesired: true},
			Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeNS, Class: dnsmessage.ClassINET}},
		}
		if packed, err := m.Pack(); err == nil {
			questions = append(questions, packed)
		}
	}
	return questions
}

// knows tells whether the system finds one of the hosts.
func (p *prober) knows(ctx context.Context, hosts []string) bool {
	for _, host := range hosts[:min(len(hosts), maxOwnNames)] {
		if addrs, err := p.system(ctx, "ip", host); err == nil && len(addrs) > 0 {
			return true
		}
	}
	return false
}

// ask puts a question to a name server (RFC 1035 section 4) and returns nil when it
// is answered, in whatever way.
func (p *prober) ask(ctx context.Context, server resolverAddr, question []byte) error {
	rand.Read(question[:2]) // its number
	c, err := p.dial(ctx, server.network, server.address)
	if err != nil {
		return unanswered(err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if strings.HasPrefix(server.network, "tcp") {
		return unanswered(askStream(c, question))
	}
	return unanswered(askPackets(ctx, c, question))
}

// askPackets asks over UDP, again when a packet may be lost.
func askPackets(ctx context.Context, c net.Conn, question []byte) error {
	answer := make([]byte, 4<<10)
	wait := resendAfter
	for stray := 0; stray < maxStray; {
		if _, err := c.Write(question); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(wait))
		if ctx.Err() != nil { // perhaps its deadline was there before
			return ctx.Err()
		}
		for ; stray < maxStray; stray++ {
			n, err := c.Read(answer)
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				break
			}
			if err != nil {
				return err
			}
			if isAnswer, err := judgeAnswer(answer[:n], question); isAnswer {
				return err
			}
		}
		wait *= 2
	}
	return errSilent
}

// askStream asks over TCP, as options of resolv.conf can want.
func askStream(c net.Conn, question []byte) error {
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)); err != nil {
		return err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if isAnswer, err := judgeAnswer(answer, question); isAnswer {
		return err
	}
	return errSilent
}

// judgeAnswer tells whether a message answers the question, and what is wrong if it
// is of no use. More than the header is of no interest.
func judgeAnswer(message, question []byte) (isAnswer bool, err error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil || !header.Response || !bytes.HasPrefix(message, question[:2]) {
		return false, nil
	}
	switch header.RCode {
	case dnsmessage.RCodeSuccess, dnsmessage.RCodeNameError:
		return true, nil
	}
	return true, errUseless
}

// unanswered says why there is no answer.
func unanswered(err error) error {
	switch {
	case err == nil || errors.Is(err, errUseless):
		return err
	case errors.Is(err, errnoRefused):
		return errAbsent
	case noRoute(err):
		return errUnreached
	}
	return errSilent
}

// systemResolvers returns the name servers that Go's own resolver would ask: those of
// resolv.conf, on Windows those of the adapters, without either this machine.
func systemResolvers(ctx context.Context) []resolverAddr {
	var (
		mu      sync.Mutex
		servers []resolverAddr
	)
	r := net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if s := (resolverAddr{network, address}); !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
		return nil, syscall.ENETUNREACH // it goes on with the next
	}}
	r.LookupNS(ctx, "com.")
	mu.Lock()
	defer mu.Unlock()
	return servers
}

// hostsFile looks a name up in the hosts file.
func hostsFile(ctx context.Context, name string) []netip.Addr {
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, syscall.ENETUNREACH
	}}
	addrs, err := r.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil
	}
	return addrs
}
