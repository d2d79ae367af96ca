package warc

import (
	"regexp"
	"slices"
	"strings"
)

// SURT is the key under which replay tools look an address up in an index: the
// host turned round, then port, path and query.
//
//	https://www.example.org:8443/A/?b=2&a=1   org,example:8443)/a?a=1&b=2
//
// It follows the canonicalisation of the surt library of the Internet Archive,
// with which pywb and cdxj-indexer make the keys that they look up; so a key is
// a way to find a page, not its name. Scheme, user, fragment, the default port
// and a leading www. or www2. go; all is lower case; escapes are undone as often
// as it goes and only what must be is escaped again; empty and dot segments and a
// slash at the end go; session ids in path and query go; the parts of the query
// are sorted. Host names must be in ASCII already, and numeric hosts in four
// parts, which they are in every address that a browser or pawl has parsed.
//
// An address of another scheme than http and https is its own key. A key holds
// no space, control or octet beyond ASCII.
func SURT(url string) string {
	n := schemeLength(url)
	scheme := strings.ToLower(url[:n])
	if scheme != "http:" && scheme != "https:" {
		return string(appendURI(nil, url))
	}
	rest := strings.TrimLeft(url[n:], `/\`)
	rest, _, _ = strings.Cut(rest, "#")
	authority, path := rest, ""
	if i := strings.IndexAny(rest, `/?\`); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	path, query, _ := strings.Cut(path, "?")

	key := appendHostKey(make([]byte, 0, len(url)+8), authority, scheme)
	key = append(key, ')')
	key = append(key, pathKey(path)...)
	if q := queryKey(query); q != "" {
		key = append(append(key, '?'), q...)
	}
	return string(key)
}

func appendHostKey(dst []byte, authority, scheme string) []byte {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	host, port := authority, ""
	if end := strings.LastIndexByte(authority, ']'); end >= 0 {
		host, port = strings.Trim(authority[:end], "[]"), strings.TrimPrefix(authority[end+1:], ":")
	} else if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, port = authority[:i], authority[i+1:]
	}
	host = strings.Trim(strings.ReplaceAll(string(unescape(host)), "..", "."), ".")
	host = strings.ToLower(string(escape([]byte(host))))
	if digits := strings.TrimLeft(strings.TrimPrefix(host, "www"), "0123456789"); strings.HasPrefix(host, "www") && strings.HasPrefix(digits, ".") {
		host = digits[1:]
	}
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	dst = append(dst, strings.Join(labels, ",")...)
	if port == "" || scheme == "http:" && port == "80" || scheme == "https:" && port == "443" {
		return dst
	}
	return append(append(dst, ':'), escape([]byte(port))...)
}

func pathKey(path string) string {
	segments := strings.Split(string(unescape(path)), "/")
	if len(segments) > 0 {
		segments = segments[1:] // what stands before the first slash
	}
	var kept []string
	for _, s := range segments {
		switch {
		case s == ".":
		case s == ".." && len(kept) > 0:
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, s)
		}
	}
	var b strings.Builder
	for i, s := range kept {
		if s != "" || i == len(kept)-1 {
			b.WriteByte('/')
			b.WriteString(s)
		}
	}
	key := strings.ToLower(string(escape([]byte(b.String()))))
	if strings.Contains(key, ").aspx") || strings.Contains(key, ")/") {
		for _, re := range [...]*regexp.Regexp{pathSessions, pathSession} {
			key = re.ReplaceAllString(key, "$1$2")
		}
	}
	if len(key) > 1 {
		key = strings.TrimSuffix(key, "/")
	}
	if key == "" {
		return "/"
	}
	return key
}

func queryKey(query string) string {
	q := strings.ToLower(string(escape(unescape(query))))
	if strings.Contains(q, "id=") || strings.Contains(q, "sessionid") {
		for _, re := range [...]*regexp.Regexp{javaSession, phpSession, shortSession, aspSession, coldFusionSession} {
			q = re.ReplaceAllString(q, "$1$2")
		}
	}
	if strings.IndexByte(q, '&') < 0 {
		return q
	}
	parts := strings.Split(q, "&")
	slices.SortFunc(parts, func(a, b string) int {
		nameA, valueA, hasA := strings.Cut(a, "=")
		nameB, valueB, hasB := strings.Cut(b, "=")
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		if hasA != hasB {
			if hasB {
				return -1
			}
			return 1
		}
		return strings.Compare(valueA, valueB)
	})
	return strings.Join(parts, "&")
}

// Session ids as servers put them into addresses; keys are in lower case by then.
var (
	pathSessions      = regexp.MustCompile(`^(.*/)\((?:[a-z]\([0-9a-z]{24}\))+\)/([^?]+\.aspx.*)$`)
	pathSession       = regexp.MustCompile(`^(.*/)\([0-9a-z]{24}\)/([^?]+\.aspx.*)$`)
	javaSession       = regexp.MustCompile(`^(.*)jsessionid=[0-9a-z]{32}(?:&(.*))?$`)
	phpSession        = regexp.MustCompile(`^(.*)phpsessid=[0-9a-z]{32}(?:&(.*))?$`)
	shortSession      = regexp.MustCompile(`^(.*)sid=[0-9a-z]{32}(?:&(.*))?$`)
	aspSession        = regexp.MustCompile(`^(.*)aspsessionid[a-z]{8}=[a-z]{24}(?:&(.*))?$`)
	coldFusionSession = regexp.MustCompile(`^(.*)cfid=[^&]+&cftoken=[^&]+(?:&(.*))?$`)
)

// unescape undoes percent-encoding until there is nothing to undo: %2525 is %.
// Since no escape can overlap another, undoing each as soon as it is complete
// comes to the same as pass after pass, in time that grows with the length alone.
func unescape(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		out = append(out, s[i])
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			hi, lo := hexDigit(out[n-2]), hexDigit(out[n-1])
			if hi < 0 || lo < 0 {
				break
			}
			out = append(out[:n-3], byte(hi<<4|lo))
		}
	}
	return out
}

// escape encodes what a key must not hold: controls, space, #, % and all beyond ASCII.
func escape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for _, c := range s {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '%' {
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			out = append(out, c)
		}
	}
	return out
}
