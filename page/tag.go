package page

import (
	"bytes"

	"golang.org/x/net/html"
)

// Tag names and attributes are read from the Tokenizer's raw bytes. Its own TagName and TagAttr copy each name and each
// value; most tags of a page are of no interest, and most values need no decoding.

// tag is an element that means something to the Parser.
type tag uint8

const (
	tagOther  tag = iota // starts a new word
	tagInline            // formats text within a word
	tagA
	tagArea
	tagAudio
	tagBase
	tagBody
	tagEmbed
	tagForm
	tagFrame
	tagH1
	tagHeading // h2 to h6
	tagHTML
	tagIframe
	tagImage
	tagImg
	tagInput
	tagLink
	tagMeta
	tagNoembed
	tagNoframes
	tagNoscript
	tagObject
	tagPlaintext
	tagScript
	tagSource
	tagStyle
	tagSVG
	tagTemplate
	tagTextarea
	tagTitle
	tagTrack
	tagVideo
	tagXmp
)

// startsRaw reports whether the Tokenizer takes what follows a start tag for raw text.
func (t tag) startsRaw() bool {
	switch t {
	case tagIframe, tagNoembed, tagNoframes, tagNoscript, tagPlaintext, tagScript, tagStyle, tagTextarea, tagTitle, tagXmp:
		return true
	}
	return false
}

// maxName is longer than any name of a tag or an attribute that means something here.
const maxName = 16

// lowerName returns name in lower case, written to buf. It is empty for a name that is too long to mean anything.
func lowerName(buf *[maxName]byte, name []byte) []byte {
	if len(name) > len(buf) {
		return nil
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	return buf[:len(name)]
}

// tagName returns the name in a tag as it is written, of a start tag from skip = 1 and of an end tag from 2.
func tagName(raw []byte, skip int) []byte {
	name := raw[min(skip, len(raw)):]
	for i, c := range name {
		if isSpace(c) || c == '/' || c == '>' {
			return name[:i]
		}
	}
	return name
}

func tagOf(name []byte) tag {
	var buf [maxName]byte
	switch string(lowerName(&buf, name)) {
	case "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark",
		"nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr":
		return tagInline
	case "a":
		return tagA
	case "area":
		return tagArea
	case "audio":
		return tagAudio
	case "base":
		return tagBase
	case "body":
		return tagBody
	case "embed":
		return tagEmbed
	case "form":
		return tagForm
	case "frame":
		return tagFrame
	case "h1":
		return tagH1
	case "h2", "h3", "h4", "h5", "h6":
		return tagHeading
	case "html":
		return tagHTML
	case "iframe":
		return tagIframe
	case "image":
		return tagImage
	case "img":
		return tagImg
	case "input":
		return tagInput
	case "link":
		return tagLink
	case "meta":
		return tagMeta
	case "noembed":
		return tagNoembed
	case "noframes":
		return tagNoframes
	case "noscript":
		return tagNoscript
	case "object":
		return tagObject
	case "plaintext":
		return tagPlaintext
	case "script":
		return tagScript
	case "source":
		return tagSource
	case "style":
		return tagStyle
	case "svg":
		return tagSVG
	case "template":
		return tagTemplate
	case "textarea":
		return tagTextarea
	case "title":
		return tagTitle
	case "track":
		return tagTrack
	case "video":
		return tagVideo
	case "xmp":
		return tagXmp
	}
	return tagOther
}

// attr is an attribute that means something to the Parser.
type attr uint8

const (
	attrAction attr = iota
	attrAlt
	attrBackground
	attrCharset
	attrContent
	attrData
	attrHref
	attrHTTPEquiv
	attrLang
	attrMethod
	attrName
	attrPoster
	attrRel
	attrShadowRoot
	attrSrc
	attrSrcset
	attrType
	attrXlinkHref
	attrXMLLang
	attrCount
)

func attrOf(name []byte) attr {
	var buf [maxName]byte
	switch string(lowerName(&buf, name)) {
	case "action":
		return attrAction
	case "alt":
		return attrAlt
	case "background":
		return attrBackground
	case "charset":
		return attrCharset
	case "content":
		return attrContent
	case "data":
		return attrData
	case "href":
		return attrHref
	case "http-equiv":
		return attrHTTPEquiv
	case "lang":
		return attrLang
	case "method":
		return attrMethod
	case "name":
		return attrName
	case "poster":
		return attrPoster
	case "rel":
		return attrRel
	case "shadowrootmode":
		return attrShadowRoot
	case "src":
		return attrSrc
	case "srcset":
		return attrSrcset
	case "type":
		return attrType
	case "xlink:href":
		return attrXlinkHref
	case "xml:lang":
		return attrXMLLang
	}
	return attrCount
}

// attrs holds the attributes of one start tag. Its values are valid until the next token.
type attrs struct {
	values  [attrCount][]byte
	present uint32
	decoded []byte // backs the values in which a character reference was replaced
}

// has reports whether the tag has the attribute.
func (a *attrs) has(k attr) bool { return a.present&(1<<k) != 0 }

// get returns the value of an attribute without white space around it, empty if the tag does not have it.
func (a *attrs) get(k attr) []byte {
	if !a.has(k) {
		return nil
	}
	return a.values[k]
}

func (a *attrs) set(k attr, value []byte) {
	if k == attrCount || a.has(k) {
		return // of two with the same name the first counts
	}
	a.present |= 1 << k
	a.values[k] = trim(value)
}

// read takes in the attributes of the start tag that z stands at, whose bytes are raw.
func (a *attrs) read(z *html.Tokenizer, raw []byte) {
	a.present = 0
	a.decoded = a.decoded[:0]
	rest := raw[len("<")+len(tagName(raw, len("<"))):]
	plain := bytes.IndexByte(raw, '&') < 0 && bytes.IndexByte(raw, '\r') < 0 && bytes.IndexByte(raw, 0) < 0
	for {
		var name, value []byte
		name, value, rest = nextAttr(rest)
		if name == nil {
			return
		}
		k := attrOf(name)
		if k == attrCount || a.has(k) {
			continue
		}
		if !plain {
			var ok bool
			if value, ok = a.decode(value); !ok {
				a.readSlowly(z)
				return
			}
		}
		a.set(k, value)
	}
}

// readSlowly does what read does, by the Tokenizer's own means.
func (a *attrs) readSlowly(z *html.Tokenizer) {
	a.present = 0
	_, more := z.TagName()
	for more {
		var name, value []byte
		name, value, more = z.TagAttr()
		a.set(attrOf(name), value)
	}
}

// decode replaces character references and line ends as the Tokenizer does, as far as that is plain: &amp; and ampersands
// that only separate parameters. It returns false for a value with anything else to replace.
func (a *attrs) decode(value []byte) ([]byte, bool) {
	amp := bytes.IndexByte(value, '&')
	if bytes.IndexByte(value, 0) >= 0 || bytes.IndexByte(value, '\r') >= 0 {
		return nil, false
	}
	if amp < 0 {
		return value, true
	}
	start := len(a.decoded)
	for amp >= 0 {
		a.decoded = append(a.decoded, value[:amp+1]...)
		value = value[amp+1:]
		if bytes.HasPrefix(value, []byte("amp;")) {
			value = value[len("amp;"):]
		} else if !plainAmpersand(value) {
			return nil, false
		}
		amp = bytes.IndexByte(value, '&')
	}
	a.decoded = append(a.decoded, value...)
	return a.decoded[start:], true
}

// plainAmpersand reports whether an ampersand before rest stands for itself, because rest cannot be a reference or is the
// name of a parameter with its equals sign.
func plainAmpersand(rest []byte) bool {
	for i, c := range rest {
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' {
			continue
		}
		return c == '=' || i == 0 && c != '#'
	}
	return len(rest) == 0
}

// nextAttr returns the first attribute in rest, which is what remains of a start tag, and what follows it. The name is nil
// when there is none. It reads what the Tokenizer reads (https://html.spec.whatwg.org/#before-attribute-name-state).
func nextAttr(rest []byte) (name, value, after []byte) {
	for i := skipSpace(rest, 0); i < len(rest) && rest[i] != '>'; i = skipSpace(rest, i) {
		start := i
		i++ // even an equals sign, but not a slash, which is no name
		if rest[start] == '/' {
			continue
		}
		for i < len(rest) && !isSpace(rest[i]) && rest[i] != '/' && rest[i] != '>' && rest[i] != '=' {
			i++
		}
		name = rest[start:i]
		if i = skipSpace(rest, i); i < len(rest) && rest[i] == '=' {
			value, i = attrValue(rest, skipSpace(rest, i+1))
		}
		return name, value, rest[i:]
	}
	return nil, nil, nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// attrValue returns the value that starts at rest[i], after the equals sign, and where it ends.
func attrValue(rest []byte, i int) (value []byte, end int) {
	if i >= len(rest) || rest[i] == '>' {
		return nil, i
	}
	if quote := rest[i]; quote == '"' || quote == '\'' {
		i++
		n := bytes.IndexByte(rest[i:], quote)
		if n < 0 {
			return rest[i:], len(rest)
		}
		return rest[i : i+n], i + n + 1
	}
	start := i
	for i < len(rest) && !isSpace(rest[i]) && rest[i] != '>' {
		i++
	}
	return rest[start:i], i
}
