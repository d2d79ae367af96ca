package page

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is here makes numbers that are stored and compared from crawl to crawl: it never changes. TestDigestsAreStable
// holds it. Of the tables of package unicode it uses the pairs of cases only. Unicode does not change those of letters
// that it has, but adds letters: what a text with capitals that were added after Unicode 15 gives depends on Go's version.

// A digest reads the text of a page, piece by piece, and makes Page.SimHash and Page.Chunks of it.
//
// A word, to it, is a run of letters and digits, in lower case: ASCII ones, and of the characters beyond ASCII all but
// spaces, punctuation and symbols (see isMark); what is not UTF-8 belongs to a word as it is.
//
//	hash of a word   in blocks of 16 bytes, the last one padded with zeros, each as two little-endian numbers lo and hi:
//	                 h = fold((lo ^ k0 ^ h) * (hi ^ k1)), from h = 0, where fold is the upper half of a 128-bit product ^ the lower
//	feature          of each word and the two before it: w ^ rotl(w1, 21) ^ rotl(w2, 42), with w1 and w2 = 0 where there are none
//	SimHash          a bit is 1 if it is 1 in more than half of the features; 1 instead of 0, unless there is no word at all
//	hash of a chunk  c = (rotl(c, 23) ^ w) * k2 for each of its words that counts, from c = 0, of which the upper 32 bits; 1
//	                 instead of 0, unless there is no such word. No word counts that begins in a link, or that is one of the
//	                 first 24 of the path and the query of the page's address; nor, for Loose, one that holds a digit.
type digest struct {
	sim    simHash
	chunks chunkSet

	word  wordHash // of the word that is open, if there is one
	digit bool     // the word holds one
	link  bool     // the word began in a link

	// Hashes of the words of the page's own address, for which chunks are told apart.
	// A bit of ownBits for the upper six bits of each says that it may be there.
	own     [maxOwn]uint64
	owns    int
	ownBits uint64

	inLink bool // what comes is the text of a link, which does not count for chunks either

	before [2]uint64 // hashes of the words before, the last one first
	chunk  chunkSums // of the chunk so far
}

const (
	blockSize = 16
	maxOwn    = 24 // words of an address

	k0 = 0xa0761d6478bd642f // constants of wyhash
	k1 = 0xe7037ed1a0b428db
	k2 = 0x8ebc6af09c88c6e3

	lowerCase = 0x20 * ones
)

// blockMask covers the first bytes of a block.
var blockMask = [blockSize + 1][2]uint64{
	{0, 0},
	{1<<8 - 1, 0},
	{1<<16 - 1, 0},
	{1<<24 - 1, 0},
	{1<<32 - 1, 0},
	{1<<40 - 1, 0},
	{1<<48 - 1, 0},
	{1<<56 - 1, 0},
	{1<<64 - 1, 0},
	{1<<64 - 1, 1<<8 - 1},
	{1<<64 - 1, 1<<16 - 1},
	{1<<64 - 1, 1<<24 - 1},
	{1<<64 - 1, 1<<32 - 1},
	{1<<64 - 1, 1<<40 - 1},
	{1<<64 - 1, 1<<48 - 1},
	{1<<64 - 1, 1<<56 - 1},
	{1<<64 - 1, 1<<64 - 1},
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// reset makes ready for a page.
func (d *digest) reset() {
	d.sim = simHash{}
	d.chunks.reset()
	d.before = [2]uint64{}
	d.word, d.digit, d.link, d.inLink = wordHash{}, false, false, false
	d.chunk = chunkSums{}
}

// chunkSums are what the hashes of a Chunk are made of; 0 where there are no words.
// Up to the first word of the page's own address rest is exact, and loose is words:
// only from there on they are reckoned.
type chunkSums struct {
	exact, words, rest, loose uint64
	parted                    bool
}

// endChunk ends the open word and the chunk.
func (d *digest) endChunk() {
	if d.word.size > 0 {
		d.endWord()
	}
	if c := &d.chunk; c.exact != 0 {
		if !c.parted {
			c.rest, c.loose = c.exact, c.words
		}
		d.chunks.add(Chunk{Exact: chunkHash(c.exact), Words: chunkHash(c.words), Rest: chunkHash(c.rest), Loose: chunkHash(c.loose)})
		*c = chunkSums{}
	}
}

func chunkHash(c uint64) uint32 {
	if c == 0 {
		return 0
	}
	return max(1, uint32(c>>32))
}

// endWord ends the open word.
func (d *digest) endWord() {
	d.addWord(d.word.sum(), d.digit, d.link)
	d.word, d.digit, d.link = wordHash{}, false, false
}

// addWord takes in the hash of a word.
func (d *digest) addWord(w uint64, digit, link bool) {
	d.sim.add(w ^ bits.RotateLeft64(d.before[0], 21) ^ bits.RotateLeft64(d.before[1], 42))
	d.before[0], d.before[1] = w, d.before[0]
	if !link {
		d.chunk.add(w, digit, d.isOwn(w))
	}
}

func (c *chunkSums) add(w uint64, digit, own bool) {
	if own && !c.parted {
		c.rest, c.loose, c.parted = c.exact, c.words, true
	}
	c.exact = (bits.RotateLeft64(c.exact, 23) ^ w) * k2
	if !digit {
		c.words = (bits.RotateLeft64(c.words, 23) ^ w) * k2
	}
	if own || !c.parted {
		return
	}
	c.rest = (bits.RotateLeft64(c.rest, 23) ^ w) * k2
	if !digit {
		c.loose = (bits.RotateLeft64(c.loose, 23) ^ w) * k2
	}
}

// isOwn reports whether a word is one of the page's own address.
func (d *digest) isOwn(w uint64) bool {
	return d.ownBits>>(w>>58)&1 != 0 && slices.Contains(d.own[:d.owns], w)
}

// setOwn takes in the words of the page's address, from its path on.
func (d *digest) setOwn(address string) {
	d.owns, d.ownBits = 0, 0
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	_, address, _ = strings.Cut(address, "/")
	if decoded, err := url.PathUnescape(address); err == nil {
		address = decoded
	}
	var word wordHash
	for _, r := range address {
		switch {
		case r < utf8.RuneSelf && asciiClass[r] == letter:
			word.add(byte(r) | 0x20)
		case r >= utf8.RuneSelf && !isMark(r):
			var buf [utf8.UTFMax]byte
			for _, c := range utf8.AppendRune(buf[:0], unicode.ToLower(r)) {
				word.add(c)
			}
		default:
			d.addOwn(&word)
		}
		if d.owns == maxOwn {
			return
		}
	}
	d.addOwn(&word)
}

func (d *digest) addOwn(word *wordHash) {
	if word.size > 0 && d.owns < maxOwn {
		w := word.sum()
		d.own[d.owns] = w
		d.owns++
		d.ownBits |= 1 << (w >> 58)
	}
	*word = wordHash{}
}

// wordHash is the hash of a word that is not at its end: all blocks before the last one are in hash.
type wordHash struct {
	hash  uint64
	block [2]uint64
	size  int // bytes in the block; 0 if there is no word yet
}

func (w *wordHash) add(c byte) {
	if w.size == blockSize {
		*w = wordHash{hash: w.sum()}
	}
	w.block[w.size>>3&1] |= uint64(c) << (w.size & 7 * 8)
	w.size++
}

func (w *wordHash) sum() uint64 { return fold(w.block[0]^k0^w.hash, w.block[1]^k1) }

// addASCII takes in the first n bytes of text, at most 64, all ASCII. Bits in letters say which of them are letters or
// digits, and in digits which are digits. It does what addASCIIByte does for each of them.
func (d *digest) addASCII(text []byte, n int, letters, digits uint64) {
	if d.word.size > 0 {
		run := min(n, bits.TrailingZeros64(^letters))
		d.addLetters(text[:run], digits&(1<<run-1) != 0)
		if run == n {
			return
		}
		d.endWord()
		letters &^= 1<<run - 1
	}
	// Words are read as blocks, so what stands behind text in its array is read too; it is masked out.
	const room = 64 + blockSize
	var from *[room]byte
	if cap(text) >= room {
		from = (*[room]byte)(text[:room])
	} else {
		from = new([room]byte)
		copy(from[:], text[:n])
	}
	starts := letters &^ (letters << 1)
	ends := letters << 1 &^ letters & (1<<n - 1) // without that of a word which may go on in the next text
	// What follows is addWord, with all that changes in registers.
	w1, w2, exact, words, count := d.before[0], d.before[1], d.chunk.exact, d.chunk.words, d.sim.n
	for ends != 0 {
		start, end := starts&-starts, ends&-ends
		starts ^= start
		ends ^= end
		i := bits.TrailingZeros64(start) & 63
		size := uint(bits.TrailingZeros64(end) - i)
		var w uint64
		if size <= blockSize {
			mask := &blockMask[size]
			lo := (binary.LittleEndian.Uint64(from[i:i+8]) | lowerCase) & mask[0]
			hi := (binary.LittleEndian.Uint64(from[i+8:i+16]) | lowerCase) & mask[1]
			w = fold(lo^k0, hi^k1)
		} else {
			w = hashLong(text[i : i+int(size)])
		}
		d.sim.waiting[count&15] = w ^ bits.RotateLeft64(w1, 21) ^ bits.RotateLeft64(w2, 42)
		if count++; count&15 == 0 {
			d.sim.addWaiting()
		}
		w1, w2 = w, w1
		switch {
		case d.inLink:
		case d.chunk.parted || d.isOwn(w):
			d.chunk.exact, d.chunk.words = exact, words
			d.chunk.add(w, digits&(end-start) != 0, d.isOwn(w))
			exact, words = d.chunk.exact, d.chunk.words
		default:
			exact = (bits.RotateLeft64(exact, 23) ^ w) * k2
			if digits&(end-start) == 0 {
				words = (bits.RotateLeft64(words, 23) ^ w) * k2
			}
		}
	}
	d.before[0], d.before[1], d.chunk.exact, d.chunk.words, d.sim.n = w1, w2, exact, words, count
	if starts != 0 {
		i := bits.TrailingZeros64(starts)
		d.addLetters(text[i:n], digits>>i != 0)
	}
}

// addLetters adds ASCII letters and digits to the open word, or opens one with them.
func (d *digest) addLetters(text []byte, digit bool) {
	d.begin()
	for _, c := range text {
		d.word.add(c | 0x20)
	}
	d.digit = d.digit || digit
}

// begin notes where a word begins, if none is open.
func (d *digest) begin() {
	if d.word.size == 0 {
		d.link = d.inLink
	}
}

// hashLong returns the hash of a word of ASCII letters and digits.
func hashLong(word []byte) uint64 {
	var h wordHash
	for _, c := range word {
		h.add(c | 0x20)
	}
	return h.sum()
}

// addASCIIByte takes in one ASCII character of a class.
func (d *digest) addASCIIByte(c, class uint8) {
	if class == letter {
		d.begin()
		d.digit = d.digit || c <= '9'
		d.word.add(c | 0x20)
	} else if d.word.size > 0 {
		d.endWord()
	}
}

// addRune takes in a character beyond ASCII of size bytes, of which c is the first.
func (d *digest) addRune(c byte, r rune, size int) {
	switch {
	case size == 1: // not UTF-8
		d.begin()
		d.word.add(c)
		return
	case isMark(r):
		if d.word.size > 0 {
			d.endWord()
		}
		return
	case r < 0x2e80 || 0xa640 <= r && r < 0xac00 || 0xfb00 <= r: // all but Chinese, Japanese and Korean, which have no cases
		r = unicode.ToLower(r) // pairs of letters that are assigned are stable: https://www.unicode.org/policies/stability_policy.html
	}
	d.begin()
	if w := &d.word; r < 0x800 && r >= utf8.RuneSelf && w.size&7 < 7 {
		if w.size == blockSize {
			*w = wordHash{hash: w.sum()}
		}
		w.block[w.size>>3&1] |= (0x80C0 | uint64(r)>>6 | uint64(r)&0x3f<<8) << (w.size & 7 * 8)
		w.size += 2
		return
	}
	var buf [utf8.UTFMax]byte
	for _, c := range utf8.AppendRune(buf[:0], r) {
		d.word.add(c)
	}
}

// addCyrillic takes in a letter from U+0400 to U+047F.
func (d *digest) addCyrillic(r rune) {
	switch {
	case r >= 0x460:
		r |= 1 // which is the lower case
	case r < 0x410:
		r += 0x50
	case r < 0x430:
		r += 0x20
	}
	d.begin()
	w := &d.word
	if w.size&7 == 7 || w.size == blockSize {
		w.add(byte(0xC0 | r>>6))
		w.add(byte(0x80 | r&0x3F))
		return
	}
	w.block[w.size>>3&1] |= (0x80C0 | uint64(r)>>6 | uint64(r)&0x3F<<8) << (w.size & 7 * 8)
	w.size += 2
}

// isMark reports whether a character beyond ASCII parts words: spaces, punctuation and symbols, as far as they are common,
// by blocks that will not change.
func isMark(r rune) bool {
	switch {
	case r < 0xc0:
		return r != 0xaa && r != 0xb5 && r != 0xba
	case r < 0x1680:
		return r == 0xd7 || r == 0xf7
	case r < 0x2000:
		return r == 0x1680 || r == 0x180e
	case r < 0x2c00:
		return true
	case r < 0x3000:
		return 0x2e00 <= r && r < 0x2e80
	case r < 0x3040:
		return r < 0x3005 || r > 0x3007
	case r < 0xfe10:
		return r == 0x30fb
	case r < 0x10000:
		return r < 0xfe70 || r == 0xfeff || 0xff00 <= r && r < 0xff10 || 0xff1a <= r && r < 0xff21 || 0xff3b <= r && r < 0xff41 || 0xff5b <= r && r < 0xff66 || r >= 0xffe0
	case r < 0x20000:
		return 0x1f000 <= r
	}
	return false
}

// simHash counts, for each of 64 bits, in how many features it is set.
type simHash struct {
	planes  [48]uint64 // bit b of planes[i] is bit i of the count of b
	n       int
	waiting [16]uint64 // the last n%16 features
}

func (s *simHash) add(feature uint64) {
	s.waiting[s.n&15] = feature
	s.n++
	if s.n&15 == 0 {
		s.addWaiting()
	}
}

// addWaiting adds 16 features at once. Full adders make of them one carry of weight 16, and so it takes about six operations
// to count the 64 bits of a feature.
func (s *simHash) addWaiting() {
	f, p := &s.waiting, &s.planes
	one, a := fullAdd(p[0], f[0], f[1])
	one, b := fullAdd(one, f[2], f[3])
	two, c := fullAdd(p[1], a, b)
	one, a = fullAdd(one, f[4], f[5])
	one, b = fullAdd(one, f[6], f[7])
	two, d := fullAdd(two, a, b)
	four, x := fullAdd(p[2], c, d)
	one, a = fullAdd(one, f[8], f[9])
	one, b = fullAdd(one, f[10], f[11])
	two, c = fullAdd(two, a, b)
	one, a = fullAdd(one, f[12], f[13])
	one, b = fullAdd(one, f[14], f[15])
	two, d = fullAdd(two, a, b)
	four, y := fullAdd(four, c, d)
	eight, carry := fullAdd(p[3], x, y)
	p[0], p[1], p[2], p[3] = one, two, four, eight
	// As far as most carries go there is no branch, which would be guessed wrong each time.
	for i := 4; i < 12; i++ {
		p[i], carry = p[i]^carry, p[i]&carry
	}
	s.ripple(12, carry)
}

func fullAdd(a, b, c uint64) (sum, carry uint64) {
	u := a ^ b
	return u ^ c, a&b | u&c
}

// ripple adds 1<<i to the counts of the bits that are set in x.
func (s *simHash) ripple(i int, x uint64) {
	for ; x != 0 && i < len(s.planes); i++ {
		s.planes[i], x = s.planes[i]^x, s.planes[i]&x
	}
}

// sum returns the SimHash of the features.
func (s *simHash) sum() uint64 {
	if s.n == 0 {
		return 0
	}
	total := *s
	for _, f := range s.waiting[:s.n&15] {
		total.ripple(0, f)
	}
	// All counts are compared with half of n at once, from the highest bit down.
	more, equal := uint64(0), ^uint64(0)
	for i := len(total.planes) - 1; i >= 0; i-- {
		if s.n>>1>>i&1 == 0 {
			more |= equal & total.planes[i]
			equal &^= total.planes[i]
		} else {
			equal &= total.planes[i]
		}
	}
	return max(1, more)
}

// chunkSet gathers distinct chunks, and of more than MaxChunks those with the smallest Exact.
type chunkSet struct {
	list   []Chunk
	below  uint64       // an Exact that is not smaller is not kept
	table  [2048]uint16 // indices in list and 1, by hash; 0 is free
	factor uint32       // odd and random, so that no page can fill one end of the table
}

const (
	chunkRoom  = 1024 // chunks before the list is cut to MaxChunks
	tableShift = 32 - 11
)

func (s *chunkSet) reset() {
	if s.factor == 0 {
		s.factor = rand.Uint32() | 1
	}
	s.list, s.below = s.list[:0], 1<<32
	s.table = [len(s.table)]uint16{}
}

func (s *chunkSet) add(c Chunk) {
	if uint64(c.Exact) >= s.below || !s.insert(c, len(s.list)) {
		return
	}
	if s.list = append(s.list, c); len(s.list) == chunkRoom {
		s.cut()
		s.table = [len(s.table)]uint16{}
		for i, c := range s.list {
			s.insert(c, i)
		}
	}
}

// insert notes that c is to be s.list[i], unless there is such a chunk.
func (s *chunkSet) insert(c Chunk, i int) bool {
	for at := c.Exact * s.factor >> tableShift; ; at = (at + 1) % uint32(len(s.table)) {
		switch j := s.table[at]; {
		case j == 0:
			s.table[at] = uint16(i + 1)
			return true
		case s.list[j-1].Exact == c.Exact:
			return false
		}
	}
}

// cut leaves the MaxChunks with the smallest Exact, in their order.
func (s *chunkSet) cut() {
	if len(s.list) <= MaxChunks {
		return
	}
	sorted := make([]uint32, len(s.list))
	for i, c := range s.list {
		sorted[i] = c.Exact
	}
	slices.Sort(sorted)
	s.below = uint64(sorted[MaxChunks])
	s.list = slices.DeleteFunc(s.list, func(c Chunk) bool { return uint64(c.Exact) >= s.below })
}

// export returns the chunks for good.
func (s *chunkSet) export() []Chunk {
	s.cut()
	if len(s.list) == 0 {
		return nil
	}
	return slices.Clone(s.list)
}
