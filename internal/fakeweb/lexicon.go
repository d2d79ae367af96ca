package fakeweb

import "strconv"

// lexicon is the language of a set of sites: 4096 words made of syllables, and
// names put together from them that can be read back into numbers. It is
// constant once it is made.
type lexicon struct {
	words [1 << wordBits]string
	index map[string]int
}

const (
	wordBits  = 12
	slugBits  = 3 * wordBits
	slugMask  = 1<<slugBits - 1
	headwords = 100_000_000 // one-word names: four syllables out of a hundred
)

var (
	consonants = [...]string{"b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "c", "q", "x"}
	vowels     = [...]string{"a", "e", "i", "o", "u"}
	small      = [...]string{
		"the", "of", "and", "a", "to", "in", "by", "near", "with", "under", "was", "is",
		"that", "for", "on", "are", "as", "at", "from", "this", "which", "or", "had", "not",
		"but", "they", "his", "her", "all", "one", "there", "been",
	}
)

func makeLexicon(seed uint64) *lexicon {
	starts := [...]string{
		"b", "br", "c", "ch", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m",
		"n", "p", "pl", "qu", "r", "s", "sh", "st", "t", "th", "tr", "v", "w", "z", "sp", "sk",
	}
	middles := [...]string{"a", "e", "i", "o", "u", "ai", "ea", "oo"}
	ends := [...]string{"", "n", "r", "s", "l", "t", "m", "nd"}
	l := &lexicon{index: make(map[string]int, 1<<wordBits)}
	c := chance(mix(seed + forBody))
	for n := 0; n < len(l.words); {
		word := ""
		for range 2 + c.below(2) {
			x := c.next()
			word += starts[x>>8%32] + middles[x>>16%8]
			if x>>24%3 == 0 {
				word += ends[x>>32%8]
			}
		}
		if _, ok := l.index[word]; ok {
			continue
		}
		l.words[n], l.index[word] = word, n
		n++
	}
	return l
}

// Slugs must look random, not count up, so numbers are scattered by a bijection
// on slugBits bits: two odd factors around a fold that undoes itself.
const (
	scatterA = 0x9e3779b97
	scatterB = 0xbf58476d1
	scatter0 = 0x94d049bb1 // so that 0 looks like any other
)

// gather is the inverse of an odd factor modulo 1<<slugBits, by Newton.
func gather(odd uint64) uint64 {
	x := odd
	for range 6 {
		x *= 2 - odd*x
	}
	return x & slugMask
}

// appendSlug appends three words with hyphens that stand for n, which must be
// below 1<<slugBits.
func (l *lexicon) appendSlug(dst []byte, n uint64) []byte {
	x := (n + scatter0) * scatterA & slugMask
	x ^= x >> (slugBits / 2)
	x = x * scatterB & slugMask
	dst = append(append(dst, l.words[x>>(2*wordBits)]...), '-')
	dst = append(append(dst, l.words[x>>wordBits%(1<<wordBits)]...), '-')
	return append(dst, l.words[x%(1<<wordBits)]...)
}

// slug reads what appendSlug has written.
func (l *lexicon) slug(s string) (n uint64, ok bool) {
	var x uint64
	for k := range 3 {
		end := 0
		for end < len(s) && s[end] != '-' {
			end++
		}
		word, ok := l.index[s[:end]]
		if !ok || (end < len(s)) != (k < 2) {
			return 0, false
		}
		x = x<<wordBits | uint64(word)
		s = s[min(end+1, len(s)):]
	}
	x = x * gather(scatterB) & slugMask
	x ^= x >> (slugBits / 2)
	return (x*gather(scatterA) - scatter0) & slugMask, true
}

// headwordStep and its inverse modulo headwords scatter the numbers of one-word
// names.
const (
	headwordStep = 38_196_601
	headwordBack = 17_363_401
	headword0    = 31_415_927 // where 0 goes
)

// appendHeadword appends a word of eight letters that stands for n, below
// headwords.
func appendHeadword(dst []byte, n int) []byte {
	x := (n*headwordStep + headword0) % headwords
	for unit := headwords / 100; unit > 0; unit /= 100 {
		s := x / unit % 100
		dst = append(append(dst, consonants[s/5]...), vowels[s%5]...)
	}
	return dst
}

// headword reads what appendHeadword has written.
func headword(s string) (n int, ok bool) {
	if len(s) != 8 {
		return 0, false
	}
	x := 0
	for i := 0; i < len(s); i += 2 {
		c, v := at(consonants[:], s[i:i+1]), at(vowels[:], s[i+1:i+2])
		if c < 0 || v < 0 {
			return 0, false
		}
		x = x*100 + c*5 + v
	}
	return (x + headwords - headword0) * headwordBack % headwords, true
}

// at returns where s stands in list, -1 if nowhere.
func at(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// appendProse appends sentences about the subject key: a third of their words
// are the subject's own, so that two subjects share little but small words.
func (l *lexicon) appendProse(dst []byte, key uint64, sentences int) []byte {
	c := chance(mix(key + forBody))
	var subject [24]string
	for i := range subject {
		subject[i] = l.words[c.next()%uint64(len(l.words))]
	}
	for sentence := range sentences {
		if sentence > 0 {
			dst = append(dst, ' ')
		}
		for k := range 7 + int(c.next()%9) {
			x := c.next()
			word := ""
			switch {
			case k > 0 && x%20 < 9:
				word = small[x>>16%uint64(len(small))]
			case x%20 < 16:
				word = subject[x>>16%uint64(len(subject))]
			default:
				word = l.words[x>>16%uint64(len(l.words))]
			}
			if k > 0 {
				dst = append(append(dst, ' '), word...)
				continue
			}
			dst = append(append(dst, word[0]-'a'+'A'), word[1:]...)
		}
		dst = append(dst, '.')
	}
	return dst
}

// appendParagraphs appends paragraphs of HTML about the subject key, until they
// have about the given number of bytes.
func (l *lexicon) appendParagraphs(dst []byte, key uint64, bytes int) []byte {
	for start := len(dst); len(dst)-start < bytes; {
		dst = append(dst, "<p>"...)
		dst = l.appendProse(dst, key+uint64(len(dst)-start)<<32, 4)
		dst = append(dst, "</p>\n"...)
	}
	return dst
}

// name returns words in title case that belong to key.
func (l *lexicon) name(key uint64, count int) string {
	var room [64]byte
	dst := room[:0]
	c := chance(mix(key + forTitle))
	for k := range count {
		if k > 0 {
			dst = append(dst, ' ')
		}
		word := l.words[c.next()%uint64(len(l.words))]
		dst = append(append(dst, word[0]-'a'+'A'), word[1:]...)
	}
	return string(dst)
}

// number reads a number as it is written in an address: without a sign and
// without leading zeros.
func number(s string) (n int, ok bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == s
}
