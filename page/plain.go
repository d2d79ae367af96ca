package page

import (
	"bytes"

	"golang.org/x/net/html"
)

// Most of a page is plain: text, and tags whose attributes, if they have any,
// are as most people write them. A Tokenizer looks at text byte by byte and
// copies it; here it is searched for the next tag. Whatever leaves room for
// doubt is left to the Tokenizer, and what is read without it has no effect on
// how it reads the rest. FuzzParse holds the two ways against each other.

// readPlain takes in what is plain and starts where the last token ended, as long as the Tokenizer has not got it yet.
func (p *Parser) readPlain() {
	if p.slow || p.state.raw != tagOther || p.feed.next != p.end {
		return
	}
	for p.end < len(p.body) {
		rest := p.body[p.end:]
		n := nextMarkup(rest)
		if n > 0 {
			p.readMarked(rest[:n])
			p.end += n
			rest = rest[n:]
		}
		raw, name, selfClosing := plainTag(rest)
		if raw == nil {
			break
		}
		t := tagOf(name)
		switch {
		case raw[1] == '/':
			p.endTag(t)
		case !t.startsRaw():
			p.startTag(t, raw, selfClosing)
		default:
			p.feed.next = p.end
			return
		}
		p.end += len(raw)
	}
	p.feed.next = p.end
}

// nextMarkup returns the length of the text before the first tag, comment or the like.
func nextMarkup(text []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], '<')
		if at += i + 1; i < 0 || at == len(text) {
			return len(text)
		}
		if c := text[at]; 'a' <= c|0x20 && c|0x20 <= 'z' || c == '/' || c == '!' || c == '?' {
			return at - 1
		}
	}
}

// plainTag returns the tag that text starts with and its name, nil if that is anything but a short name of letters and
// digits with attributes that are plain.
func plainTag(text []byte) (raw, name []byte, selfClosing bool) {
	if len(text) < len("<b>") {
		return nil, nil, false
	}
	start := len("<")
	if text[start] == '/' {
		start++
	}
	for i := start; i < min(len(text), start+maxName+1); i++ {
		switch c := text[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > start && '0' <= c && c <= '9':
		case i > start && c == '>':
			return text[:i+1], text[start:i], false
		case i > start && start == len("<") && isSpace(c):
			raw, selfClosing = plainAttrs(text[:min(len(text), manyAttrBytes)], i)
			return raw, text[start:i], selfClosing
		default:
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// plainAttrs returns the start tag that text starts with and whose attributes start at text[i], nil if they are anything but
// names of letters, digits and a few signs, each alone or with a value in quotes.
func plainAttrs(text []byte, i int) (raw []byte, selfClosing bool) {
	attrs := i
	for {
		for i < len(text) && isSpace(text[i]) {
			i++
		}
		name := i
		for i < len(text) && inAttrName(text[i]) {
			i++
		}
		if i == len(text) {
			return nil, false
		}
		if i == name {
			break
		}
		if text[i] == '=' {
			if i+2 >= len(text) || text[i+1] != '"' && text[i+1] != '\'' {
				return nil, false
			}
			n := bytes.IndexByte(text[i+2:], text[i+1])
			if n < 0 {
				return nil, false
			}
			i += n + 3
			if i == len(text) {
				return nil, false
			}
		}
		if c := text[i]; c == '>' || c == '/' {
			break
		} else if !isSpace(c) {
			return nil, false
		}
	}
	if text[i] == '/' && i+1 < len(text) {
		selfClosing = true
		i++
	}
	if text[i] != '>' || bytes.IndexByte(text[attrs:i], '&') >= 0 || bytes.IndexByte(text[attrs:i], '\r') >= 0 || bytes.IndexByte(text[attrs:i], 0) >= 0 {
		return nil, false
	}
	return text[:i+1], selfClosing
}

func inAttrName(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == ':' || c == '.'
}

// readMarked takes in text in which character references are to be replaced.
func (p *Parser) readMarked(text []byte) {
	if p.state.template > 0 {
		return
	}
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			p.addText(text)
			return
		}
		n := referenceLength(text[i:])
		p.addText(text[:i])
		switch reference := text[i : i+n]; string(reference) {
		case "&", "&amp;":
			p.addText([]byte("&"))
		case "&nbsp;":
			p.addText([]byte("\u00a0"))
		case "&lt;":
			p.addText([]byte("<"))
		case "&gt;":
			p.addText([]byte(">"))
		case "&quot;":
			p.addText([]byte(`"`))
		default:
			p.addText([]byte(html.UnescapeString(string(reference))))
		}
		text = text[i+n:]
	}
}

// referenceLength returns how many bytes from the ampersand on may belong to a character reference.
func referenceLength(text []byte) int {
	i := 1
	if i < len(text) && text[i] == '#' {
		i++
	}
	for i < len(text) && ('a' <= text[i]|0x20 && text[i]|0x20 <= 'z' || '0' <= text[i] && text[i] <= '9') {
		i++
	}
	if i < len(text) && text[i] == ';' {
		i++
	}
	return i
}
