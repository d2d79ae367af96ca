package weburl

import "bytes"

// The fast way: links that hold only bytes which the WHATWG parser copies as they are, and whose host needs no thought, are
// resolved by copying. All functions of this file append to dst and report whether they could; what they then return has
// to be what the parser would have made. Anything that leaves room for doubt is refused, since refusing is always right.
// Bytes between the length and the capacity of dst are scratch space.

// What the parser copies as it stands, by place.
const (
	inPath  = 1 << iota // within a segment; "%" too, as the parser does not look at what follows it
	inQuery             // "'" is missing: it is encoded
	inHost              // lower case, and no "_": the parser has a special case for it
)

var places = [256]uint8{
	'a': inPath | inQuery | inHost, 'b': inPath | inQuery | inHost, 'c': inPath | inQuery | inHost,
	'd': inPath | inQuery | inHost, 'e': inPath | inQuery | inHost, 'f': inPath | inQuery | inHost,
	'g': inPath | inQuery | inHost, 'h': inPath | inQuery | inHost, 'i': inPath | inQuery | inHost,
	'j': inPath | inQuery | inHost, 'k': inPath | inQuery | inHost, 'l': inPath | inQuery | inHost,
	'm': inPath | inQuery | inHost, 'n': inPath | inQuery | inHost, 'o': inPath | inQuery | inHost,
	'p': inPath | inQuery | inHost, 'q': inPath | inQuery | inHost, 'r': inPath | inQuery | inHost,
	's': inPath | inQuery | inHost, 't': inPath | inQuery | inHost, 'u': inPath | inQuery | inHost,
	'v': inPath | inQuery | inHost, 'w': inPath | inQuery | inHost, 'x': inPath | inQuery | inHost,
	'y': inPath | inQuery | inHost, 'z': inPath | inQuery | inHost,

	'A': inPath | inQuery, 'B': inPath | inQuery, 'C': inPath | inQuery, 'D': inPath | inQuery, 'E': inPath | inQuery,
	'F': inPath | inQuery, 'G': inPath | inQuery, 'H': inPath | inQuery, 'I': inPath | inQuery, 'J': inPath | inQuery,
	'K': inPath | inQuery, 'L': inPath | inQuery, 'M': inPath | inQuery, 'N': inPath | inQuery, 'O': inPath | inQuery,
	'P': inPath | inQuery, 'Q': inPath | inQuery, 'R': inPath | inQuery, 'S': inPath | inQuery, 'T': inPath | inQuery,
	'U': inPath | inQuery, 'V': inPath | inQuery, 'W': inPath | inQuery, 'X': inPath | inQuery, 'Y': inPath | inQuery,
	'Z': inPath | inQuery,

	'0': inPath | inQuery | inHost, '1': inPath | inQuery | inHost, '2': inPath | inQuery | inHost,
	'3': inPath | inQuery | inHost, '4': inPath | inQuery | inHost, '5': inPath | inQuery | inHost,
	'6': inPath | inQuery | inHost, '7': inPath | inQuery | inHost, '8': inPath | inQuery | inHost,
	'9': inPath | inQuery | inHost,

	'-': inPath | inQuery | inHost, '.': inPath | inQuery | inHost,
	'_': inPath | inQuery, '~': inPath | inQuery, '!': inPath | inQuery, '$': inPath | inQuery, '&': inPath | inQuery,
	'(': inPath | inQuery, ')': inPath | inQuery, '*': inPath | inQuery, '+': inPath | inQuery, ',': inPath | inQuery,
	';': inPath | inQuery, ':': inPath | inQuery, '@': inPath | inQuery, '=': inPath | inQuery, '%': inPath | inQuery,
	'[': inPath | inQuery, ']': inPath | inQuery, '|': inPath | inQuery,
	'\'': inPath, '/': inQuery, '?': inQuery,
}

// span returns how many bytes at the start of s may stand in the place.
func span(s []byte, place uint8) int {
	for i, c := range s {
		if places[c]&place == 0 {
			return i
		}
	}
	return len(s)
}

// resolveFast resolves ref against the base.
func (b *Base) resolveFast(dst, ref []byte) ([]byte, bool) {
	if len(b.addr)+len(ref) > maxSegments {
		return dst, false // within this length nothing exceeds a limit
	}
	if len(ref) == 0 || ref[0] == '#' {
		return append(dst, b.addr...), true
	}
	n := len(dst)
	switch {
	case ref[0] == '?':
		return queryFast(append(dst, b.addr[:b.path]...), ref)
	case ref[0] != '/':
		if hasColon(ref) {
			return absoluteFast(dst, ref)
		}
		return pathFast(append(dst, b.addr[:b.dir]...), n+b.root, ref)
	case len(ref) > 1 && ref[1] == '/':
		return hostFast(append(dst, b.addr[:b.scheme]...), ref)
	default:
		return pathFast(append(dst, b.addr[:b.root+1]...), n+b.root, ref[1:])
	}
}

// hasColon reports whether ref has a colon in its first segment, so that it may start with a scheme.
func hasColon(ref []byte) bool {
	for _, c := range ref {
		switch c {
		case ':':
			return true
		case '/', '?', '#':
			return false
		}
	}
	return false
}

// absoluteFast treats an address that starts with "http://" or "https://".
func absoluteFast(dst, ref []byte) ([]byte, bool) {
	if len(ref) > maxSegments {
		return dst, false
	}
	for _, scheme := range [...]string{"https:", "http:"} {
		if len(ref) > len(scheme)+2 && string(ref[:len(scheme)]) == scheme {
			return hostFast(append(dst, scheme...), ref[len(scheme):])
		}
	}
	return dst, false
}

// hostFast treats what follows a scheme: "//example.org:8080/path?query".
func hostFast(dst, ref []byte) ([]byte, bool) {
	if len(ref) < 2 || ref[0] != '/' || ref[1] != '/' {
		return dst, false
	}
	n := 2 + span(ref[2:], inHost)
	if !plainHost(ref[2:n]) {
		return dst, false
	}
	if n < len(ref) && ref[n] == ':' {
		port := n + 1
		for n++; n < len(ref) && '0' <= ref[n] && ref[n] <= '9'; n++ {
		}
		// A default port would have to go, as would leading zeros; five digits may be out of range.
		if digits := ref[port:n]; len(digits) < 3 || len(digits) > 4 || digits[0] == '0' || string(digits) == "443" {
			return dst, false
		}
	}
	dst = append(dst, ref[:n]...)
	root := len(dst)
	dst = append(dst, '/')
	if n == len(ref) {
		return dst, true
	}
	switch ref[n] {
	case '/':
		return pathFast(dst, root, ref[n+1:])
	case '?':
		return queryFast(dst, ref[n:])
	default:
		return dst, ref[n] == '#'
	}
}

// plainHost reports whether a host made of bytes allowed in the place is its own canonical form: a DNS name without empty
// or encoded labels that cannot be taken for an IPv4 address.
func plainHost(host []byte) bool {
	label := 0
	for i, c := range host {
		if c == '.' {
			if i == label {
				return false
			}
			label = i + 1
		} else if i == label && c == 'x' && bytes.HasPrefix(host[i:], []byte("xn--")) {
			return false
		}
	}
	return label < len(host) && 'a' <= host[label] && host[label] <= 'z'
}

// pathFast appends the segments of a path. dst ends with a slash; the path starts at dst[root].
func pathFast(dst []byte, root int, ref []byte) ([]byte, bool) {
	for {
		n := span(ref, inPath)
		segment := ref[:n]
		dots := n > 0 && n <= len("%2e%2e") && (ref[0] == '.' || ref[0] == '%') && isDots(segment)
		switch {
		case !dots:
			dst = append(dst, segment...)
		case n == len(".") || n == len("%2e"):
		case len(dst) > root+1:
			dst = dst[:root+bytes.LastIndexByte(dst[root:len(dst)-1], '/')+1]
		}
		if n == len(ref) {
			return dst, true
		}
		switch ref[n] {
		case '/':
			if !dots {
				dst = append(dst, '/')
			}
			ref = ref[n+1:]
		case '?':
			return queryFast(dst, ref[n:])
		case '#':
			return dst, true
		default:
			return dst, false
		}
	}
}

// queryFast appends a query with its question mark.
func queryFast(dst, ref []byte) ([]byte, bool) {
	n := span(ref, inQuery)
	return append(dst, ref[:n]...), n == len(ref) || ref[n] == '#'
}
