package fetch

import (
	"context"
	"net/netip"
	"syscall"
)

// trustedKey marks the context of a request whose host the user named.
type trustedKey struct{}

// guardError is for a connection that was refused before it was made.
type guardError struct{ addr netip.Addr }

func (e *guardError) Error() string { return e.addr.String() + " is not a public address" }

// guard refuses connections to private addresses. It sees the address that is
// about to be connected to, after name lookup and for each address of a host,
// so that no name can be made to point inside between a check and its use.
func guard(ctx context.Context, _, address string, _ syscall.RawConn) error {
	if trusted, _ := ctx.Value(trustedKey{}).(bool); trusted {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if Private(to.Addr()) {
		return &guardError{to.Addr()}
	}
	return nil
}

// Private reports whether an address is not for the public internet: private,
// loopback, link-local, shared (RFC 6598), multicast, documentation,
// benchmarking, reserved, or in another range that the IANA special-purpose
// registries (RFC 6890) do not call globally reachable. IPv6 addresses that
// carry an IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP) are private when
// that one is; of all other IPv6 only global unicast, 2000::/3, is public. The
// zero Addr is private.
//
// Two blocks are private as a whole though the registries call a few addresses
// in them globally reachable: 192.0.0.0/24 and 2001::/23 (but for Teredo).
// These are anycast addresses of PCP, TURN, AMT, AS112 and SRP, and the hashes
// and entity tags of ORCHIDv2 and DRIP, where nobody serves pages. What stands
// there on its own (AS112, AMT: 192.31.196.0/24, 192.52.193.0/24,
// 192.175.48.0/24, 2620:4f:8000::/48) is public. Nobody can tell from an
// address that a network translates a prefix of its own to IPv4 (RFC 6052
// section 2.2), or which public addresses stand behind the same firewall.
func Private(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	switch {
	case addr.Is4():
		return within(addr, privateIPv4[:])
	case nat64.Contains(addr):
		return privateAt(addr, 12)
	case teredo.Contains(addr):
		return privateAt(addr, 4) || privateTeredoClient(addr)
	case sixToFour.Contains(addr) && privateAt(addr, 2):
		return true
	}
	return !globalUnicast.Contains(addr) || within(addr, privateIPv6[:]) || isISATAP(addr) && privateAt(addr, 12)
}

func within(addr netip.Addr, ranges []netip.Prefix) bool {
	for _, r := range ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

// privateAt judges the IPv4 address that begins at a byte of an IPv6 address.
func privateAt(addr netip.Addr, at int) bool {
	b := addr.As16()
	return Private(netip.AddrFrom4([4]byte(b[at:])))
}

// privateTeredoClient judges the client of a Teredo address, which is written
// with all bits flipped (RFC 4380 section 4).
func privateTeredoClient(addr netip.Addr) bool {
	b := addr.As16()
	for i := 12; i < 16; i++ {
		b[i] = ^b[i]
	}
	return Private(netip.AddrFrom4([4]byte(b[12:])))
}

// isISATAP reports whether the end of an address is the IPv4 address of a host
// to which packets are tunnelled (RFC 5214 section 6.1). With a private one
// behind any prefix, the tunnel of the machine we run on could lead inside.
func isISATAP(addr netip.Addr) bool {
	b := addr.As16()
	return b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// These never change.
var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour     = netip.MustParsePrefix("2002::/16")    // RFC 3056
	teredo        = netip.MustParsePrefix("2001::/32")    // RFC 4380

	privateIPv4 = [...]netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),       // this network, RFC 791
		netip.MustParsePrefix("10.0.0.0/8"),      // private, RFC 1918
		netip.MustParsePrefix("100.64.0.0/10"),   // shared, RFC 6598
		netip.MustParsePrefix("127.0.0.0/8"),     // loopback, RFC 1122
		netip.MustParsePrefix("169.254.0.0/16"),  // link-local, RFC 3927
		netip.MustParsePrefix("172.16.0.0/12"),   // private, RFC 1918
		netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments, RFC 6890
		netip.MustParsePrefix("192.0.2.0/24"),    // documentation, RFC 5737
		netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, given up, RFC 7526
		netip.MustParsePrefix("192.168.0.0/16"),  // private, RFC 1918
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarking, RFC 2544
		netip.MustParsePrefix("198.51.100.0/24"), // documentation, RFC 5737
		netip.MustParsePrefix("203.0.113.0/24"),  // documentation, RFC 5737
		netip.MustParsePrefix("224.0.0.0/4"),     // multicast, RFC 5771
		netip.MustParsePrefix("240.0.0.0/4"),     // reserved and broadcast, RFC 1112
	}

	// Within 2000::/3; everything outside is private as a whole.
	privateIPv6 = [...]netip.Prefix{
		netip.MustParsePrefix("2001::/23"),     // protocol assignments, RFC 2928
		netip.MustParsePrefix("2001:db8::/32"), // documentation, RFC 3849
		netip.MustParsePrefix("3fff::/20"),     // documentation, RFC 9637
	}
)
