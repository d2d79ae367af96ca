package page

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// sniffLength is how much of a page is searched for the name of its encoding.
const sniffLength = 1024

// decode returns the text of a page in UTF-8, which is body itself if it is UTF-8 already, and the name of the encoding
// that it was in. That is told by a byte order mark, or else the header, or else a meta element in the first 1024 bytes
// (https://html.spec.whatwg.org/#determining-the-character-encoding). A page that says nothing, or no more than that it is
// Western, and is valid UTF-8 to its end is taken for UTF-8.
//
// What is not valid in UTF-8 is left: replacing it is for those who take strings out of the text.
func decode(body []byte, contentType string) (text []byte, name string, query queryEncoder) {
	if rest, ok := bytes.CutPrefix(body, []byte("\xEF\xBB\xBF")); ok {
		return rest, "utf-8", queryEncoder{}
	}
	marked := bytes.HasPrefix(body, []byte("\xFE\xFF")) || bytes.HasPrefix(body, []byte("\xFF\xFE"))
	label := charsetParam(contentType)
	if !marked && (strings.EqualFold(label, "utf-8") || strings.EqualFold(label, "utf8")) {
		return body, "utf-8", queryEncoder{}
	}
	e, name := charset.Lookup(label)
	if e == nil || marked {
		e, name, _ = charset.DetermineEncoding(body[:min(len(body), sniffLength)], "")
		if name == "windows-1252" && utf8.Valid(wholeRunes(body)) {
			name = "utf-8"
		}
	}
	switch name {
	case "utf-8":
		return body, name, queryEncoder{}
	case "replacement":
		// The standard shows nothing at all of encodings that were abused to smuggle scripts. Their ASCII parts, and so
		// most of the links, can be read all the same.
		return body, name, queryEncoder{}
	}
	decoded, err := e.NewDecoder().Bytes(body)
	if err != nil {
		return body, name, queryEncoder{}
	}
	if strings.HasPrefix(name, "utf-16") {
		return bytes.TrimPrefix(decoded, []byte("\uFEFF")), name, queryEncoder{}
	}
	return decoded, name, queryEncoder{e.NewEncoder().Bytes}
}

// wholeRunes returns b without a character that is cut off at its end, as that of a body over the limit may be.
func wholeRunes(b []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return b[:len(b)-n]
			}
			break
		}
	}
	return b
}

// charsetParam returns the charset parameter of a Content-Type, empty if there is none. It puts up with more than
// mime.ParseMediaType, which refuses the header as a whole for any fault in it.
func charsetParam(contentType string) string {
	_, params, _ := strings.Cut(contentType, ";")
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		key, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(key), "charset") {
			return strings.Trim(value, " \t\"'")
		}
	}
	return ""
}

// queryEncoder writes queries in the encoding of their page, as browsers do and the servers of such pages expect. The zero
// queryEncoder is that of a page in UTF-8.
type queryEncoder struct {
	bytes func([]byte) ([]byte, error) // writes what the encoding lacks as &#NNN;
}

// encode returns ref with the characters of its query encoded and percent-encoded, if there are any beyond ASCII
// (https://url.spec.whatwg.org/#string-percent-encode-after-encoding).
func (q queryEncoder) encode(ref []byte) []byte {
	if q.bytes == nil {
		return ref
	}
	start := bytes.IndexByte(ref, '?')
	fragment := bytes.IndexByte(ref, '#')
	if fragment < 0 {
		fragment = len(ref)
	}
	if start < 0 || start > fragment || isASCII(ref[start:fragment]) {
		return ref
	}
	out := append(make([]byte, 0, 2*len(ref)), ref[:start]...)
	for rest := ref[start:fragment]; len(rest) > 0; {
		n := 0
		for n < len(rest) && rest[n] < utf8.RuneSelf {
			n++
		}
		out = append(out, rest[:n]...)
		rest = rest[n:]
		for n = 0; n < len(rest) && rest[n] >= utf8.RuneSelf; {
			n++
		}
		encoded, err := q.bytes(rest[:n])
		if err != nil {
			return ref
		}
		out = appendPercent(out, encoded)
		rest = rest[n:]
	}
	return out
}

func appendPercent(dst, b []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"#%&';<>`, c) >= 0 {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
