package page

import (
	"unicode"
	"unicode/utf8"
)

// gather collects text as a reader sees it: white space and control characters become one space between words and none
// at the ends, what is not UTF-8 becomes U+FFFD, and the whole is cut at max bytes between two characters.
type gather struct {
	buf  []byte
	max  int
	gap  bool // white space was met since the last character
	full bool
}

func (g *gather) reset() {
	g.buf, g.gap, g.full = g.buf[:0], false, false
}

// space sets following text apart from what is there.
func (g *gather) space() { g.gap = true }

func (g *gather) add(text []byte) {
	for len(text) > 0 && !g.full {
		r, size := rune(text[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text)
		}
		text = text[size:]
		switch {
		case r <= ' ' || r == 0x7f:
			g.gap = true
		case r >= utf8.RuneSelf && (unicode.IsSpace(r) || unicode.IsControl(r)):
			g.gap = true
		default:
			g.put(r)
		}
	}
}

func (g *gather) put(r rune) {
	n := 1
	if r >= utf8.RuneSelf {
		n = utf8.RuneLen(r)
	}
	if g.gap && len(g.buf) > 0 {
		n++
	}
	if len(g.buf)+n > g.max {
		g.full = true
		return
	}
	if g.gap && len(g.buf) > 0 {
		g.buf = append(g.buf, ' ')
	}
	g.gap = false
	g.buf = utf8.AppendRune(g.buf, r)
}

// wordCount counts words over the pieces of text that it is given one after another. A word is a run of characters
// without white space that holds at least one letter or digit; so a script that sets no spaces between its words, such as
// Chinese, counts by the phrase.
type wordCount struct {
	n    int
	open bool // within a word that is counted
}

// space ends a word.
func (w *wordCount) space() { w.open = false }

func (w *wordCount) add(text []byte) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9':
			if !w.open {
				w.open = true
				w.n++
			}
			i++
		case c <= ' ' || c == 0x7f:
			w.open = false
			i++
		case c < utf8.RuneSelf:
			i++
		case w.open && c != 0xC2 && c != 0xE1 && c != 0xE2 && c != 0xE3:
			i++ // no white space is encoded with this byte in front
		default:
			r, size := utf8.DecodeRune(text[i:])
			i += size
			if unicode.IsSpace(r) {
				w.open = false
			} else if !w.open && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				w.open = true
				w.n++
			}
		}
	}
}

// validUTF8 returns b, or a copy in which what is not UTF-8 is replaced.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	valid := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		valid = utf8.AppendRune(valid, r)
		b = b[size:]
	}
	return valid
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'
}

// trim returns b without the white space of HTML around it.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold reports whether b is the lower-case ASCII word, in any case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// field returns the first run of bytes of b that are not separators, and what follows it.
func field(b []byte, separator func(byte) bool) (word, rest []byte) {
	for len(b) > 0 && separator(b[0]) {
		b = b[1:]
	}
	for i, c := range b {
		if separator(c) {
			return b[:i], b[i:]
		}
	}
	return b, nil
}
