package weburl

import (
	"bytes"
	"fmt"
	"strings"

	whatwgerrors "github.com/nlnwa/whatwg-url/errors"
	whatwg "github.com/nlnwa/whatwg-url/url"
)

// Parse returns the canonical spelling of an absolute address. White space around it is ignored, as are tabs and line
// breaks within, and all else that browsers put up with. It returns ErrScheme, ErrTooLong or an error that wraps
// ErrInvalid. The result may share memory with raw.
func (s *Speller) Parse(raw string) (URL, error) {
	var space [256]byte
	addr, err := s.appendWHATWG(space[:0], raw)
	if err != nil {
		return "", err
	}
	addr = s.drop(addr)
	if string(addr) == raw {
		return URL(raw), nil
	}
	return URL(addr), nil
}

// appendWHATWG appends the WHATWG spelling of an absolute address without userinfo and fragment.
func (s *Speller) appendWHATWG(dst []byte, raw string) ([]byte, error) {
	if out, ok := absoluteFast(dst, []byte(raw)); ok {
		return out, nil
	}
	if hasOtherScheme(raw) {
		return nil, ErrScheme
	}
	return s.appendSlow(dst, raw)
}

// appendSlow does so by the WHATWG parser.
func (s *Speller) appendSlow(dst []byte, raw string) ([]byte, error) {
	raw, err := clean(raw)
	if err != nil {
		return nil, err
	}
	switch scheme, _ := cutScheme(raw); {
	case scheme == "":
		return nil, fmt.Errorf("%w: no scheme", ErrInvalid)
	case !isWeb(scheme):
		return nil, ErrScheme
	}
	u, err := s.parser.Parse(raw)
	if err != nil {
		return nil, invalid(err)
	}
	return serialise(dst, u)
}

// Base resolves the links of a page. It is used by one goroutine at a time.
type Base struct {
	speller *Speller
	addr    []byte      // WHATWG spelling without userinfo and fragment
	scheme  int         // length of "https:" in addr
	root    int         // where the path starts in addr
	dir     int         // where its last segment starts
	path    int         // where it ends
	whatwg  *whatwg.Url // what addr[:path] parses to; nil until a link takes the slow way
}

// NewBase returns a Base for the address of a page, in any spelling: it is resolved against as it stands, with all its
// parameters. Errors are those of Parse.
func (s *Speller) NewBase(base string) (*Base, error) {
	addr, err := s.appendWHATWG(make([]byte, 0, len(base)+1), base) // often just a slash longer
	if err != nil {
		return nil, err
	}
	b := &Base{speller: s, addr: addr, path: len(addr)}
	if i := bytes.IndexByte(addr, '?'); i >= 0 {
		b.path = i
	}
	b.scheme = bytes.IndexByte(addr, ':') + 1
	b.root = rootOf(addr)
	b.dir = bytes.LastIndexByte(addr[:b.path], '/') + 1
	return b, nil
}

// Append appends the canonical spelling of ref, resolved against the base, to dst. It does not keep ref. On an error, which
// is one of those of Parse, it returns dst with the length it had; bytes between its length and capacity may have changed.
func (b *Base) Append(dst, ref []byte) ([]byte, error) {
	n := len(dst)
	out, err := b.resolve(dst, ref)
	if err != nil {
		return dst, err
	}
	return out[:n+len(b.speller.drop(out[n:]))], nil
}

// Raw returns ref resolved against the base without fragment and userinfo, and with all its parameters: what a client asks
// for when it follows ref. Errors are those of Parse.
func (b *Base) Raw(ref string) (string, error) {
	out, err := b.resolve(nil, []byte(ref))
	return string(out), err
}

// resolve appends the WHATWG spelling of ref without userinfo and fragment.
func (b *Base) resolve(dst, ref []byte) ([]byte, error) {
	if out, ok := b.resolveFast(dst, ref); ok {
		return out, nil
	}
	if hasOtherScheme(ref) {
		return nil, ErrScheme // whatever its length: pages hold images of many KB as data: links
	}
	if len(ref) > MaxLength {
		return nil, ErrTooLong // before it is copied
	}
	return b.resolveSlow(dst, string(ref))
}

// resolveSlow resolves by the WHATWG parser.
func (b *Base) resolveSlow(dst []byte, ref string) ([]byte, error) {
	ref, err := clean(ref)
	if err != nil {
		return nil, err
	}
	scheme, rest := cutScheme(ref)
	if scheme != "" && !isWeb(scheme) {
		return nil, ErrScheme
	}
	if (rest == "" || rest[0] == '#') && (scheme == "" || strings.EqualFold(scheme, string(b.addr[:b.scheme-1]))) {
		return append(dst, b.addr...), nil
	}
	// All other links bring their own query, so that the parser need not copy that of the base for each.
	if b.whatwg == nil {
		b.whatwg, err = b.speller.parser.Parse(string(b.addr[:b.path]))
		if err != nil {
			return nil, invalid(err)
		}
	}
	u, err := b.whatwg.Parse(ref)
	if err != nil {
		return nil, invalid(err)
	}
	return serialise(dst, u)
}

// clean takes away what the standard says to ignore, and refuses what would cost the parser too much.
func clean(ref string) (string, error) {
	if len(ref) > MaxLength {
		return "", ErrTooLong
	}
	ref = strings.TrimFunc(ref, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(ref, "\t\n\r") {
		ref = ignored.Replace(ref)
	}
	if i := strings.IndexByte(ref, '#'); i >= 0 {
		ref = ref[:i+1] // the sign stays: without it the parser would ignore white space that stood before it
	}
	scheme, rest := cutScheme(ref)
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if strings.Count(rest, "/")+strings.Count(rest, `\`) > len("//")+maxSegments {
		return "", ErrTooLong
	}
	authority := strings.TrimLeft(rest, `/\`)
	if scheme == "" && len(rest)-len(authority) < len("//") {
		return ref, nil
	}
	if i := strings.IndexAny(authority, `/\`); i >= 0 {
		authority = authority[:i]
	}
	if len(authority) > maxAuthority {
		return "", ErrTooLong
	}
	return ref, nil
}

// ignored takes out what may stand anywhere within an address without meaning.
var ignored = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// cutScheme returns the scheme that ref starts with, empty if there is none, and what follows its colon.
func cutScheme[T string | []byte](ref T) (scheme, rest T) {
	for i := range len(ref) {
		switch c := ref[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return ref[:i], ref[i+1:]
		default:
			return ref[:0], ref
		}
	}
	return ref[:0], ref
}

// isWeb reports whether a scheme, which holds what cutScheme lets it, is that of a web address.
func isWeb[T string | []byte](scheme T) bool {
	return len(scheme) >= len("http") && len(scheme) <= len("https") &&
		scheme[0]|0x20 == 'h' && scheme[1]|0x20 == 't' && scheme[2]|0x20 == 't' && scheme[3]|0x20 == 'p' &&
		(len(scheme) == len("http") || scheme[4]|0x20 == 's')
}

// hasOtherScheme reports whether ref plainly starts with a scheme that is not that of a web address. One that has line
// breaks within is found only later.
func hasOtherScheme[T string | []byte](ref T) bool {
	i := 0
	for i < len(ref) && ref[i] <= ' ' {
		i++
	}
	scheme, _ := cutScheme(ref[i:])
	return len(scheme) > 0 && !isWeb(scheme)
}

// serialise appends the WHATWG spelling without userinfo and fragment.
func serialise(dst []byte, u *whatwg.Url) ([]byte, error) {
	host := u.Hostname()
	if host == "" {
		return nil, fmt.Errorf("%w: no host", ErrInvalid)
	}
	u.SetUsername("")
	u.SetPassword("")
	href := u.Href(true)
	if len(href) > MaxLength || len(host) > maxAuthority-len(":65535") || tooDeep([]byte(href)) {
		return nil, ErrTooLong
	}
	return append(dst, href...), nil
}

// tooDeep reports whether the path of a serialised address has too many segments.
func tooDeep(addr []byte) bool {
	if len(addr) <= maxSegments {
		return false
	}
	path, _, _ := bytes.Cut(addr, []byte("?"))
	return bytes.Count(path, []byte("/"))-len("//") > maxSegments
}

// rootOf returns where the path of a serialised address starts.
func rootOf(addr []byte) int {
	host := bytes.IndexByte(addr, '/') + len("//")
	return host + bytes.IndexByte(addr[host:], '/')
}

// invalid tells in a few words what the parser found, and leaves out the address, which may be long and the caller has.
func invalid(err error) error {
	reason := string(whatwgerrors.Type(err))
	if reason == "" {
		reason = "does not parse"
	}
	return fmt.Errorf("%w: %s", ErrInvalid, strings.ToLower(reason[:1])+reason[1:])
}

// isDots reports whether a path segment means this or the parent segment, in any of its spellings.
func isDots[T string | []byte](segment T) bool {
	dots := 0
	for i := 0; i < len(segment); dots++ {
		switch {
		case segment[i] == '.':
			i++
		case i+2 < len(segment) && segment[i] == '%' && segment[i+1] == '2' && segment[i+2]|0x20 == 'e':
			i += 3
		default:
			return false
		}
	}
	return dots == 1 || dots == 2
}
