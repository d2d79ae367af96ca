package page

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

const (
	// sniffLength is how much of a page is searched for the name of its encoding, and for its type.
	sniffLength = 1024
	// lateSniffLength is how much is searched when nothing else is known of the encoding.
	lateSniffLength = 64 << 10
)

// Text returns the text of a page in UTF-8, and the name of the encoding that it was in by the Encoding standard, in lower
// case. It is read as by a Parser, so both name the same encoding for the same page. The text is body itself, or a part of
// it, if that is in UTF-8 already: it is not to be changed, and may hold what is not valid UTF-8. Text may be called
// concurrently.
func Text(contentType string, body []byte) (text []byte, charset string) {
	text, charset, _ = decode(body, contentType)
	return text, charset
}

// decode returns the text of a page in UTF-8, which is body itself if it is UTF-8 already, and the name of the encoding
// that it was in. That is told by the first of
//
//   - a byte order mark,
//   - the charset of the header, if it is one of the Encoding standard: it wins over what the page says, right or wrong,
//   - zeros beside the first signs, as in UTF-16,
//   - a meta element in the first 1024 bytes, or else an XML declaration; in XHTML the declaration, or else UTF-8,
//   - the text, if it is valid UTF-8 to its end; also if the page has said that it is Western, as many do by mistake,
//   - a meta element after the first 1024 bytes,
//
// and is windows-1252 if nothing tells it (https://html.spec.whatwg.org/#determining-the-character-encoding).
//
// What is not valid in UTF-8 is left: replacing it is for those who take strings out of the text.
func decode(body []byte, contentType string) (text []byte, name string, query queryEncoder) {
	if rest, ok := bytes.CutPrefix(body, []byte("\xEF\xBB\xBF")); ok {
		return rest, "utf-8", queryEncoder{}
	}
	label := charsetParam(contentType)
	switch {
	case bytes.HasPrefix(body, []byte("\xFE\xFF")):
		label = "utf-16be"
	case bytes.HasPrefix(body, []byte("\xFF\xFE")):
		label = "utf-16le"
	case strings.EqualFold(label, "utf-8") || strings.EqualFold(label, "utf8"):
		return body, "utf-8", queryEncoder{}
	}
	e, name := charset.Lookup(label)
	if e == nil {
		name = sniffCharset(body, isXML(MediaType(contentType)))
		e, _ = charset.Lookup(name)
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

// sniffCharset returns the name of the encoding of a page that has neither a byte order mark nor a label.
func sniffCharset(body []byte, xml bool) string {
	if len(body) >= 4 && body[0]|body[1] == '<' && body[2]|body[3] != 0 {
		switch {
		case body[0] == 0 && body[2] == 0:
			return "utf-16be"
		case body[1] == 0 && body[3] == 0:
			return "utf-16le"
		}
	}
	head := body[:min(len(body), sniffLength)]
	name := ""
	if xml {
		if name = xmlCharset(head); name == "" {
			name = "utf-8"
		}
		return name
	}
	if name = metaCharset(head); name == "" {
		name = xmlCharset(head)
	}
	if name != "" && name != "windows-1252" {
		return name
	}
	if utf8.Valid(wholeRunes(body)) {
		return "utf-8"
	}
	if name == "" && !isASCII(head) && utf8.Valid(wholeRunes(head)) {
		return "utf-8" // with a fault farther down
	}
	if name == "" {
		name = metaCharset(body[:min(len(body), lateSniffLength)])
	}
	if name == "" {
		name = "windows-1252"
	}
	return name
}

// metaCharset returns the name of the encoding that the first meta element in head with a known one states, empty if there is
// none (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding).
func metaCharset(head []byte) string {
	if indexFold(head, "charset") < 0 {
		return ""
	}
	z := html.NewTokenizer(bytes.NewReader(head))
	z.SetMaxBuf(len(head))
	var a attrs
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			raw := z.Raw()
			if tagOf(tagName(raw, len("<"))) != tagMeta {
				continue
			}
			a.read(z, raw)
			label := string(a.get(attrCharset))
			if !a.has(attrCharset) && equalFold(a.get(attrHTTPEquiv), "content-type") {
				label = contentCharset(a.get(attrContent))
			}
			if name := statedCharset(label); name != "" {
				return name
			}
		}
	}
}

// contentCharset returns the label in the content of a meta element
// (https://html.spec.whatwg.org/#algorithm-for-extracting-a-character-encoding-from-a-meta-element).
func contentCharset(content []byte) string {
	for {
		i := indexFold(content, "charset")
		if i < 0 {
			return ""
		}
		content = bytes.TrimLeft(content[i+len("charset"):], " \t\n\f\r")
		value, ok := bytes.CutPrefix(content, []byte("="))
		if !ok {
			continue
		}
		value = bytes.TrimLeft(value, " \t\n\f\r")
		if len(value) > 0 && (value[0] == '"' || value[0] == '\'') {
			value, _, _ = bytes.Cut(value[1:], value[:1])
		} else if i := bytes.IndexAny(value, "; \t\n\f\r"); i >= 0 {
			value = value[:i]
		}
		return string(value)
	}
}

// indexFold returns where the lower-case ASCII word stands in b, in any case, or -1.
func indexFold(b []byte, word string) int {
	for i := range len(b) - len(word) + 1 {
		if b[i]|0x20 == word[0] && equalFold(b[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}

// xmlCharset returns the name of the encoding in the XML declaration that a page starts with, empty if there is none
// (https://html.spec.whatwg.org/#concept-get-xml-encoding-when-sniffing).
func xmlCharset(head []byte) string {
	declaration, ok := bytes.CutPrefix(head, []byte("<?xml"))
	if !ok {
		return ""
	}
	declaration, _, _ = bytes.Cut(declaration, []byte(">"))
	_, value, _ := bytes.Cut(declaration, []byte("encoding"))
	value = bytes.TrimLeft(value, " \t\n\r")
	value, ok = bytes.CutPrefix(value, []byte("="))
	value = bytes.TrimLeft(value, " \t\n\r")
	if !ok || len(value) == 0 || value[0] != '"' && value[0] != '\'' {
		return ""
	}
	label, _, _ := bytes.Cut(value[1:], value[:1])
	return statedCharset(string(label))
}

// statedCharset returns the name of the encoding that a page means which bears the label, empty if it is not known.
func statedCharset(label string) string {
	_, name := charset.Lookup(label)
	switch name {
	case "utf-16be", "utf-16le":
		return "utf-8" // or the label could not have been read
	case "x-user-defined":
		return "windows-1252"
	}
	return name
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
