package page

import (
	"encoding/binary"
	"math/bits"
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
		n := 0
		for n < len(text) && ' ' < text[n] && text[n] < 0x7f {
			n++
		}
		if n > 0 {
			n = min(n, g.room(1))
			g.buf = append(g.buf, text[:n]...)
			text = text[n:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			g.gap = true
		} else if g.room(utf8.RuneLen(r)) > 0 {
			g.buf = utf8.AppendRune(g.buf, r)
		}
	}
}

// room makes ready for a character of n bytes, with a space before it if there is a gap, and returns how many bytes may
// follow. They are 0 if the character does not fit, and nothing more is to be added.
func (g *gather) room(n int) int {
	space := 0
	if g.gap && len(g.buf) > 0 {
		space = 1
	}
	left := g.max - len(g.buf) - space
	if left < n {
		g.full = true
		return 0
	}
	if space > 0 {
		g.buf = append(g.buf, ' ')
	}
	g.gap = false
	return left
}

// wordReader counts words over the pieces of text that it is given one after another, and makes their digest. A word is a
// run of characters without white space that holds at least one letter or digit; so a script that sets no spaces between
// its words, such as Chinese, counts by the phrase.
type wordReader struct {
	n      int
	open   uint8 // 1 within a word that is counted, else 0
	digest digest
}

func (w *wordReader) reset() {
	w.n, w.open = 0, 0
	w.digest.reset()
}

// space ends a word and a chunk.
func (w *wordReader) space() {
	w.open = 0
	w.digest.endChunk()
}

func (w *wordReader) add(text []byte) {
	for len(text) > 0 {
		n := w.addASCII(text)
		if n == 0 {
			n = w.addRunes(text)
		}
		text = text[n:]
	}
}

const (
	ones = 0x0101010101010101 // 1 in each of eight bytes
	high = 0x80 * ones
)

// addASCII takes in up to 64 bytes of text, eight at a time, and returns how many: none from the first eight on that are not
// all ASCII. Most text goes through here, and a look at each byte would cost twice as much.
func (w *wordReader) addASCII(text []byte) int {
	var letters, blanks uint64 // a bit for each byte
	var anyDigit uint64
	n := 0
	for n < 64 && n < len(text) {
		b, size := firstBytes(text[n:])
		if b&high != 0 {
			break
		}
		// Bytes below 0x80 cannot carry into the next: the high bit of c + 0x80 - x says that c is x or more.
		folded := b | 0x20*ones
		alpha := (folded + (0x80-'a')*ones) &^ (folded + (0x7f-'z')*ones)
		digit := (b + (0x80-'0')*ones) &^ (b + (0x7f-'9')*ones)
		blank := ^(b + (0x7f-' ')*ones) | (b + ones) // a space, a control character below it or 0x7f
		letters |= gatherBits(alpha|digit) << (n & 63)
		anyDigit |= digit
		blanks |= gatherBits(blank) << (n & 63)
		n += size
	}
	if n == 0 {
		return 0
	}
	letters = letters << (64 - n) >> (64 - n)
	if run := bits.LeadingZeros64(^(letters << (64 - n))); n < len(text) && run < n {
		n -= run // a word is best read whole
		letters = letters << (64 - n) >> (64 - n)
	}
	var digits uint64 // they are letters too
	if anyDigit&high != 0 {
		for i, c := range text[:n] {
			if asciiClass[c] == letter && c <= '9' {
				digits |= 1 << (i & 63)
			}
		}
	}
	if letters != 0 || w.digest.word.size > 0 { // and not the white space between two tags
		w.digest.addASCII(text, n, letters, digits)
	}
	// Added to a run of characters that are not blank, which is one of ones, a letter in it or an open word before it makes
	// a carry run out at its end.
	sum, carry := bits.Add64(^blanks<<(64-n), letters<<(64-n), 0)
	if w.open != 0 {
		var more uint64
		sum, more = bits.Add64(sum, 1<<(64-n), 0)
		carry |= more
	}
	w.n += bits.OnesCount64(sum&(blanks<<(64-n))) + int(carry) - int(w.open) // words that end, and from those the ones that start
	w.open = uint8(carry)
	return n
}

// firstBytes returns up to eight bytes that text starts with, the first one lowest, and how many they are.
func firstBytes(text []byte) (b uint64, size int) {
	if len(text) >= 8 {
		return binary.LittleEndian.Uint64(text), 8
	}
	for i, c := range text {
		b |= uint64(c) << (8 * i & 63)
	}
	return b, len(text)
}

// gatherBits returns the high bits of the bytes of b.
func gatherBits(b uint64) uint64 { return (b & high >> 7) * 0x0102040810204080 >> 56 }

// addRunes takes in some text, character by character, and returns how many bytes it was.
func (w *wordReader) addRunes(text []byte) int {
	const some = 16
	i, n, open := 0, w.n, w.open
	for ; i < len(text) && i < some; i++ {
		c := text[i]
		var class uint8
		if c < utf8.RuneSelf {
			class = asciiClass[c]
			w.digest.addASCIIByte(c, class)
		} else if c&^1 == 0xD0 && i+1 < len(text) && text[i+1]&0xC0 == 0x80 {
			// U+0400 to U+047F, all of them letters: those of Cyrillic that are in use today.
			i++
			w.digest.addCyrillic(rune(c)&0x1F<<6 | rune(text[i])&0x3F)
			class = letter
		} else {
			r, size := utf8.DecodeRune(text[i:])
			w.digest.addRune(c, r, size)
			i += size - 1
			if open != 0 && c != 0xC2 && c != 0xE1 && c != 0xE2 && c != 0xE3 {
				continue // no white space is encoded with this byte in front
			}
			class = runeClass(r)
		}
		// No branch, which would be guessed wrong once a word.
		n += int(class & letter &^ open)
		open = (open | class&letter) &^ (class >> 1)
	}
	w.n, w.open = n, open
	return i
}

// What a character is to a wordReader, as bits to reckon with; punctuation has none.
const (
	letter = 1 << 0 // or digit
	blank  = 1 << 1 // white space or control character
)

// asciiClass is the class of each ASCII character.
var asciiClass = [utf8.RuneSelf]uint8{
	blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank,
	blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank, blank,
	'0': letter, letter, letter, letter, letter, letter, letter, letter, letter, letter,
	'A': letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter,
	'N': letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter,
	'a': letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter,
	'n': letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter, letter,
	0x7f: blank,
}

func runeClass(r rune) uint8 {
	switch {
	case unicode.IsSpace(r):
		return blank
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		return letter
	}
	return 0
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
