package fetch

import (
	"errors"
	"net/url"
	"strings"
)

// errAddress is for an address that no request can be made of.
var errAddress = errors.New("malformed address")

// target takes an address apart, so that net/http sends its path and query
// byte for byte. url.Parse is not used: it refuses what browsers send (%zz),
// and spells other bytes in its own way (| ^ ").
//
// One case cannot be had: a path that begins with two slashes and holds such
// bytes. net/http takes it for an authority, so it is sent in absolute form
// (RFC 9112 section 3.2.2), which every server must accept.
func target(raw string) (*url.URL, error) {
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] == 0x7f {
			return nil, errAddress
		}
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil, errAddress
	}
	rest, _, _ = strings.Cut(rest, "#")
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	if host == "" || host[0] == ':' {
		return nil, errAddress
	}
	path, query, asked := strings.Cut(path, "?")
	if path == "" {
		path = "/"
	}
	u := &url.URL{Scheme: scheme, Host: host, Path: path, RawQuery: query, ForceQuery: asked && query == ""}
	if plainPath(path) {
		return u, nil
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = decoded, path
	}
	if u.EscapedPath() != path {
		u.Opaque = path
		if strings.HasPrefix(path, "//") {
			u.Opaque = "//" + host + path
		}
	}
	return u, nil
}

// plainPath says that net/url would leave every byte of a path as it is.
func plainPath(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '/' || c == '-' || c == '_' || c == '.' || c == '~':
		default:
			return false
		}
	}
	return true
}

// requestPath is the path of an address as target was given it.
func requestPath(u *url.URL) string {
	if u.Opaque != "" {
		return strings.TrimPrefix(u.Opaque, "//"+u.Host)
	}
	return u.EscapedPath()
}
