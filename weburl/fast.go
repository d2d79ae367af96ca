package weburl

import "bytes"

// The fast way: links that hold only bytes which the WHATWG parser copies as they are, and whose host needs no thought, are
// resolved by copying. All functions of this file append to dst and report whether they could; what they then return has
// to be what the parser would have made. Anything that leaves room for doubt is refused, since refusing is always right.
// Bytes between the length and the capacity of dst are scratch space.

// What the parser copies as it stands, by place.
const (
	inSegment = 1 << iota // of a path; "%" too, as the parser does not look at what follows it
	inPath                // the same and "/", but neither "." nor "%", with which a dot segment may start
	inQuery               // "'" is missing: it is encoded
	inHost                // lower case

	notInHost = inSegment | inPath | inQuery
	anywhere  = notInHost | inHost
)

var places = [256]uint8{
	'a': anywhere, 'b': anywhere, 'c': anywhere, 'd': anywhere, 'e': anywhere, 'f': anywhere, 'g': anywhere, 'h': anywhere,
	'i': anywhere, 'j': anywhere, 'k': anywhere, 'l': anywhere, 'm': anywhere, 'n': anywhere, 'o': anywhere, 'p': anywhere,
	'q': anywhere, 'r': anywhere, 's': anywhere, 't': anywhere, 'u': anywhere, 'v': anywhere, 'w': anywhere, 'x': anywhere,
	'y': anywhere, 'z': anywhere,
	'0': anywhere, '1': anywhere, '2': anywhere, '3': anywhere, '4': anywhere, '5': anywhere, '6': anywhere, '7': anywhere,
	'8': anywhere, '9': anywhere,
	'-': anywhere, '.': inSegment | inQuery | inHost,

	'A': notInHost, 'B': notInHost, 'C': notInHost, 'D': notInHost, 'E': notInHost, 'F': notInHost, 'G': notInHost, 'H': notInHost,
	'I': notInHost, 'J': notInHost, 'K': notInHost, 'L': notInHost, 'M': notInHost, 'N': notInHost, 'O': notInHost, 'P': notInHost,
	'Q': notInHost, 'R': notInHost, 'S': notInHost, 'T': notInHost, 'U': notInHost, 'V': notInHost, 'W': notInHost, 'X': notInHost,
	'Y': notInHost, 'Z': notInHost,
	'_': anywhere, '~': notInHost, '!': notInHost, '$': notInHost, '&': notInHost, '(': notInHost, ')': notInHost, '*': notInHost,
	'+': notInHost, ',': notInHost, ';': notInHost, ':': notInHost, '@': notInHost, '=': notInHost, '[': notInHost,
	'|': notInHost, ']': notInHost,

	'%': inSegment | inQuery, '\'': inSegment | inPath, '/': inPath | inQuery, '?': inQuery,
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
	for len(ref) > 0 && ref[0] <= ' ' {
		ref = ref[1:]
	}
	for len(ref) > 0 && ref[len(ref)-1] <= ' ' {
		ref = ref[:len(ref)-1]
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
			if root := b.addr[:b.root+1]; bytes.HasPrefix(ref, root) {
				// The host of the base, whatever its kind, is spelled as it has to be.
				return pathFast(append(dst, root...), n+b.root, ref[len(root):])
			}
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
		// A default port would have to go, as would leading zeros.
		digits := ref[port:n]
		if len(digits) < 3 || len(digits) > 5 || digits[0] == '0' || string(digits) == "443" || len(digits) == 5 && string(digits) > "65535" {
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

// plainHost reports whether a host made of bytes allowed in the place is its own canonical form: an IPv4 address as it is
// written, or a DNS name without empty labels that cannot be taken for one.
func plainHost(host []byte) bool {
	label := 0
	for i, c := range host {
		if c == '.' {
			if i == label {
				return false
			}
			label = i + 1
		}
	}
	return label < len(host) && 'a' <= host[label] && host[label] <= 'z' || plainIPv4(host)
}

// plainIPv4 reports whether a host is four numbers from 0 to 255 without leading zeros.
func plainIPv4(host []byte) bool {
	for part := 1; ; part++ {
		i, n := 0, 0
		for ; i < len(host) && i < 3 && '0' <= host[i] && host[i] <= '9'; i++ {
			n = 10*n + int(host[i]-'0')
		}
		switch {
		case i == 0 || i > 1 && host[0] == '0' || n > 255:
			return false
		case part == 4:
			return i == len(host)
		case i == len(host) || host[i] != '.':
			return false
		}
		host = host[i+1:]
	}
}

// pathFast appends the segments of a path. dst ends with a slash; the path starts at dst[root].
func pathFast(dst []byte, root int, ref []byte) ([]byte, bool) {
	n := 0
	for ; n < len(ref); n++ {
		c := ref[n]
		if places[c]&inPath != 0 {
			continue
		}
		if c != '.' && c != '%' {
			break
		}
		if n == 0 || ref[n-1] == '/' {
			return dotsFast(dst, root, ref)
		}
	}
	dst = append(dst, ref[:n]...)
	switch {
	case n == len(ref) || ref[n] == '#':
		return dst, true
	case ref[n] == '?':
		return queryFast(dst, ref[n:])
	default:
		return dst, false
	}
}

// dotsFast does the same for a path that may have dot segments, in any of their spellings.
func dotsFast(dst []byte, root int, ref []byte) ([]byte, bool) {
	for {
		n := span(ref, inSegment)
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
