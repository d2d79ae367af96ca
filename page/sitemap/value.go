package sitemap

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"pawl/weburl"
)

const byteOrderMark = "\uFEFF"

// values makes text of what stands in a file.
type values struct {
	label         string // the encoding that the file says to be in, empty if that is UTF-8 or not known
	valid, broken int    // values beyond ASCII that were UTF-8, and were not
	scratch       []byte
}

// appendText appends what stands between two tags or in an attribute, with references resolved.
func (v *values) appendText(dst, raw []byte) []byte {
	raw = v.utf8(raw)
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		var n int
		dst, n = appendReference(dst, raw[i:])
		raw = raw[i+n:]
	}
}

// appendReference appends what the reference that text starts with stands for, and returns its length. What is none is
// taken for an ampersand.
func appendReference(dst, text []byte) (out []byte, n int) {
	const most = 40 // the longest name of HTML has 31 letters
	name, _, found := bytes.Cut(text[1:min(len(text), most)], []byte(";"))
	if !found || len(name) == 0 {
		return append(dst, '&'), 1
	}
	n = len("&") + len(name) + len(";")
	switch string(name) {
	case "amp":
		return append(dst, '&'), n
	case "lt":
		return append(dst, '<'), n
	case "gt":
		return append(dst, '>'), n
	case "quot":
		return append(dst, '"'), n
	case "apos":
		return append(dst, '\''), n
	}
	if name[0] == '#' {
		if r, ok := codePoint(string(name[1:])); ok {
			return utf8.AppendRune(dst, r), n
		}
		return append(dst, '&'), 1
	}
	for _, c := range name {
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9') {
			return append(dst, '&'), 1
		}
	}
	ref := string(text[:n])
	// It also takes the start of a longer word for a name: what remains of that is no character reference.
	if s := html.UnescapeString(ref); s != ref && !strings.HasSuffix(s, ";") {
		return append(dst, s...), n
	}
	return append(dst, '&'), 1
}

// codePoint returns the character of a numeric reference: "65" or "x41".
func codePoint(digits string) (rune, bool) {
	base := 10
	if digits != "" && digits[0]|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 21)
	r := rune(n)
	return r, err == nil && r != 0 && utf8.ValidRune(r)
}

// utf8 returns raw in UTF-8. Files are not always in the encoding that they or their servers claim, and some are in two: so
// each value speaks for itself, unless more of those before it were in the claimed encoding.
func (v *values) utf8(raw []byte) []byte {
	if isASCII(raw) {
		return raw
	}
	if utf8.Valid(raw) {
		v.valid++
		if v.label == "" || v.broken <= v.valid {
			return raw
		}
	} else {
		v.broken++
	}
	if v.label != "" {
		e, _ := charset.Lookup(v.label)
		if decoded, err := e.NewDecoder().Bytes(raw); err == nil {
			return decoded
		}
	}
	// A server that knows no encodings takes the bytes as they are.
	out := make([]byte, 0, 3*len(raw))
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			const hex = "0123456789ABCDEF"
			out = append(out, '%', hex[raw[0]>>4], hex[raw[0]&15])
		} else {
			out = append(out, raw[:n]...)
		}
		raw = raw[n:]
	}
	return out
}

// clean returns a value without the white space around it, and without line breaks and what indents the next line.
func (v *values) clean(ref []byte) []byte {
	ref = bytes.Trim(ref, " \t\r\n\f")
	if len(ref) > 0 && (ref[0] >= utf8.RuneSelf || ref[len(ref)-1] >= utf8.RuneSelf) {
		ref = bytes.TrimFunc(ref, func(r rune) bool {
			return unicode.IsSpace(r) || r == '\u200B' || r == '\uFEFF'
		})
	}
	if bytes.IndexByte(ref, '\n') < 0 && bytes.IndexByte(ref, '\r') < 0 {
		return ref
	}
	v.scratch = v.scratch[:0]
	for line := range bytes.FieldsFuncSeq(ref, func(r rune) bool { return r == '\n' || r == '\r' }) {
		v.scratch = append(v.scratch, bytes.Trim(line, " \t\f")...)
	}
	return v.scratch
}

// withScheme puts "//" before an address that starts with the host of the file, or with its other name, with or without
// "www.": what it would mean by the standard, a path below that of the file, nobody means.
func (p *parser) withScheme(ref []byte) []byte {
	if len(ref) == 0 || !startsHost(ref[0]) || isWeb(ref) {
		return ref
	}
	rest := ref
	if len(rest) > len("www.") && fold(rest[:len("www.")], "www.") {
		rest = rest[len("www."):]
	}
	for _, host := range []string{p.host, p.hostname} {
		host = strings.TrimPrefix(host, "www.")
		if len(rest) < len(host) || host == "" || !fold(rest[:len(host)], host) {
			continue
		}
		if tail := rest[len(host):]; len(tail) == 0 || tail[0] == '/' || tail[0] == '?' {
			return append([]byte("//"), ref...)
		}
	}
	return ref
}

func startsHost(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isWeb reports whether text starts as an absolute address.
func isWeb(text []byte) bool {
	const http, https = "http://", "https://"
	return len(text) >= len(http) && fold(text[:len(http)], http) || len(text) >= len(https) && fold(text[:len(https)], https)
}

// tooLong reports whether a value can be no address.
func tooLong(value []byte) bool { return len(value) > weburl.MaxLength }
