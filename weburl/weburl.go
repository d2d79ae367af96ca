// Package weburl gives every http and https address one spelling.
//
// Pages spell the same address in many ways. A crawl that told them apart would fetch pages twice, and one that resolved
// links differently from browsers would fetch what nobody meant. So links are resolved and written by the WHATWG URL
// standard (https://url.spec.whatwg.org/), which is what browsers do and what the authors of pages test against. The
// canonical spelling of an address is its WHATWG serialisation without userinfo, fragment and default port, and without
// the parameters that say who is looking rather than at what ([Rules]). All other bytes are kept as they are, in their
// order unless the rules sort queries: percent-encoding, letter case in paths and an empty query ("/?") may mean something
// to a server. Spelling an address twice changes nothing.
//
// A [Speller] holds the rules, a [Base] resolves the links of one page. Most links are plain and are resolved by copying
// bytes (fast.go); all others go to a full WHATWG parser (base.go, host.go), which costs some forty times as much. Both ways give
// the same result.
package weburl

import (
	"errors"
	"strings"
)

// MaxLength is the greatest length in bytes of an address, before and after resolution.
const MaxLength = 64 << 10

// What the WHATWG parser spends grows with the square of these, so they are bounded apart from the length. Nothing that
// could be fetched comes near: a host name has at most 253 bytes.
const (
	maxAuthority = 2048 // bytes of userinfo, host and port
	maxSegments  = 1024 // slashes in a path
)

var (
	// ErrScheme is returned for an address that is neither http nor https, such as mailto: or javascript:.
	ErrScheme = errors.New("not an http or https address")
	// ErrInvalid is wrapped by the error for an address that does not parse.
	ErrInvalid = errors.New("invalid address")
	// ErrTooLong is returned for a web address of more than MaxLength bytes, 2048 bytes of userinfo, host and port, or 1024
	// path segments.
	ErrTooLong = errors.New("address too long")
)

// URL is an absolute http or https address in canonical spelling: scheme://host[:port]/path[?query].
//
// It has no userinfo, no fragment and no default port, and its path starts with a slash. Only a [Speller] or a [Base]
// makes one; the methods take this form for granted, and return parts of the string without copying. On any other string
// they return something meaningless, but do not panic.
type URL string

// String returns the address itself.
func (u URL) String() string { return string(u) }

// Scheme returns "http" or "https".
func (u URL) Scheme() string {
	scheme, _, _ := strings.Cut(string(u), "://")
	return scheme
}

// Host returns the host, with the port when it is not the default of the scheme: "example.org", "example.org:8080",
// "[::1]:8080".
func (u URL) Host() string {
	start, end := u.hostBounds()
	return string(u[start:end])
}

// Hostname returns the host without port, an IPv6 address without brackets.
func (u URL) Hostname() string {
	host := u.Host()
	if strings.HasPrefix(host, "[") {
		name, _, _ := strings.Cut(host[1:], "]")
		return name
	}
	name, _, _ := strings.Cut(host, ":")
	return name
}

// Origin returns scheme and host: "https://example.org".
func (u URL) Origin() string {
	_, end := u.hostBounds()
	return string(u[:end])
}

// PathQuery returns what a request asks the host for: "/a/b?x=1". It starts with a slash.
func (u URL) PathQuery() string {
	_, end := u.hostBounds()
	return string(u[end:])
}

// Path returns the path: "/a/b". It starts with a slash.
func (u URL) Path() string {
	path, _, _ := strings.Cut(u.PathQuery(), "?")
	return path
}

// Query returns the query without the question mark, empty if there is none.
func (u URL) Query() string {
	_, query, _ := strings.Cut(string(u), "?")
	return query
}

// hostBounds returns where the host (with port) starts and where the path does.
func (u URL) hostBounds() (start, end int) {
	if i := strings.Index(string(u), "://"); i >= 0 {
		start = i + len("://")
	}
	if i := strings.IndexByte(string(u[start:]), '/'); i >= 0 {
		return start, start + i
	}
	return start, len(u)
}
