package page

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// slowWords returns the words of a text as a digest sees them, by the plain rule.
func slowWords(text string) (words []string) {
	var word []byte
	end := func() {
		if len(word) > 0 {
			words = append(words, string(word))
			word = nil
		}
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			word = append(word, text[i])
		case r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r), r >= utf8.RuneSelf && isMark(r):
			end()
		default:
			word = utf8.AppendRune(word, unicode.ToLower(r))
		}
		i += size
	}
	end()
	return words
}

// slowHash returns the hash of a word by the plain rule.
func slowHash(word string) uint64 {
	h := uint64(0)
	for b := range slices.Chunk([]byte(word), blockSize) {
		b = append(slices.Clone(b), make([]byte, blockSize)...)
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b)^k0^h, binary.LittleEndian.Uint64(b[8:])^k1)
		h = hi ^ lo
	}
	return h
}

func slowSimHash(words []string) uint64 {
	var ones [64]int
	for i, word := range words {
		f := slowHash(word)
		if i > 0 {
			f ^= bits.RotateLeft64(slowHash(words[i-1]), 21)
		}
		if i > 1 {
			f ^= bits.RotateLeft64(slowHash(words[i-2]), 42)
		}
		for b := range ones {
			ones[b] += int(f >> b & 1)
		}
	}
	sum := uint64(0)
	for b, n := range ones {
		if 2*n > len(words) {
			sum |= 1 << b
		}
	}
	if sum == 0 && len(words) > 0 {
		return 1
	}
	return sum
}

func slowChunk(words []string) Chunk {
	hash := func(words []string) uint32 {
		c := uint64(0)
		for _, w := range words {
			c = (bits.RotateLeft64(c, 23) ^ slowHash(w)) * k2
		}
		if len(words) == 0 {
			return 0
		}
		return max(1, uint32(c>>32))
	}
	noDigits := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.ContainsAny(w, "0123456789") })
	return Chunk{Exact: hash(words), Words: hash(noDigits), Rest: hash(words), Loose: hash(noDigits)}
}

// A digest is the same however the text is cut into pieces between two characters, and as a plain reading of the rule says.
func TestDigestEqualsRule(t *testing.T) {
	pieces := []string{" ", "a", "Z", "0", "9", "-", "@", "[", "`", "{", "\n", "\x00", "\x7f", "word ", "x, ", "é", "É", "\u00a0", "Щ", "ѐЁ", "Комитет ", "ѡѠҁҀ", "\u0482", "\u0483", "\u3000", "我", "，", "\xff", "\xd0", "ÿŸẞ", "👍", "٣", "16 bytes in words", "abcdefghijklmnop", "Longer words and more of them, ", "of-a-length-that-no-word-has-", "Ünïcödé", "Ａ", "Ꙁ", "𐐀"}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		from := pieces[r.IntN(len(pieces)/2):]
		from = from[:2+r.IntN(len(from)-1)]
		var w wordReader
		w.reset()
		var words []string
		var chunks []Chunk
		for range 1 + r.IntN(4) {
			var chunk, piece strings.Builder
			flush := func() {
				w.add(slices.Clip([]byte(piece.String())))
				chunk.WriteString(piece.String())
				piece.Reset()
			}
			for range r.IntN(100) {
				piece.WriteString(from[r.IntN(len(from))])
				if last, _ := utf8.DecodeLastRuneInString(piece.String()); r.IntN(20) == 0 && last != utf8.RuneError {
					flush()
				}
			}
			flush()
			w.space()
			of := slowWords(chunk.String())
			words = append(words, of...)
			if c := slowChunk(of); len(of) > 0 && !slices.ContainsFunc(chunks, func(d Chunk) bool { return d.Exact == c.Exact }) {
				chunks = append(chunks, c)
			}
		}
		if got, want := w.digest.sim.sum(), slowSimHash(words); got != want {
			t.Fatalf("seed %d: SimHash %x, want %x of %q", seed, got, want, words)
		}
		if diff := cmp.Diff(chunks, w.digest.chunks.export()); diff != "" {
			t.Fatalf("seed %d: chunks of %q (-want +got)\n%s", seed, words, diff)
		}
	}
}

// The values are stored in crawl files: a change here makes all pages of users look new.
func TestDigestsAreStable(t *testing.T) {
	for _, test := range []struct {
		body    string
		simHash uint64
		chunks  []Chunk
	}{
		{"<p>one", 0x9b367101dfb24990, []Chunk{{1498921528, 1498921528, 1498921528, 1498921528}}},
		{"<title>News</title><h1>News of the day</h1><p>Published on 2026-11-22, 17:04.<p>Привет, мир! 你好，世界。", 0xba71e13c4682f45b, []Chunk{{2282245148, 2282245148, 2282245148, 2282245148}, {769923729, 2890142661, 769923729, 2890142661}, {2761682313, 2761682313, 2761682313, 2761682313}, {3600056126, 3600056126, 3600056126, 3600056126}}},
		{"<p>The committee met on Tuesday; incomprehensibilities were discussed. The committee met on Tuesday; incomprehensibilities were discussed. The committee met on Tuesday; incomprehensibilities were discussed. ", 0x401178642da1d06b, []Chunk{{301175717, 301175717, 301175717, 301175717}}},
		{"<p>Съешь же ещё этих мягких французских булок, да выпей чаю! Жебракують філософи при ґанку церкви в Гадячі, ще й шатро їхнє п'яне знаємо. Љубазни фењерџија чађавог лица хоће да ми покаже штос.", 0x78e5b8cabebe2a3a, []Chunk{{1821779778, 1821779778, 1821779778, 1821779778}}},
		{"<p>" + everyCyrillic(), 0x3c7edb1ac1599be3, []Chunk{{3512490435, 3512490435, 3512490435, 3512490435}}},
	} {
		page := parse(t, test.body)
		if diff := cmp.Diff(test.chunks, page.Chunks); diff != "" || page.SimHash != test.simHash {
			t.Errorf("%.100s: SimHash %#x, want %#x, chunks (-want +got)\n%s", test.body, page.SimHash, test.simHash, diff)
		}
	}
}

// everyCyrillic has each letter from U+0400 to U+0481 in each place of a block.
func everyCyrillic() string {
	var b strings.Builder
	for r := rune(0x400); r <= 0x481; r++ {
		for before := range 17 {
			b.WriteString(strings.Repeat("x", before) + string(r) + "y ")
		}
	}
	return b.String()
}

// Texts on one line of the table have the same digest.
func TestSameDigest(t *testing.T) {
	for _, test := range []struct{ name, a, b string }{
		{"case", "<p>One TWO", "<p>one two"},
		{"case beyond ASCII", "<p>ÉCOLE Привет ŁÓDŹ Ωμέγα", "<p>école привет łódź ωΜΈΓΑ"},
		{"punctuation", "<p>“One”, two — three!", "<p>one two... three"},
		{"entities", "<p>caf&eacute;&nbsp;&amp;&nbsp;bar", "<p>café bar"},
		{"white space", "<p> one \n\t two", "<p>one two"},
		{"formatting", "<p>o<b>n</b>e <i>two</i>", "<p>one two"},
		{"links", "<p>one <a href=/a>two</a>", "<p>one <a href=/b>two</a>"},
		{"tags without text", "<div><p>one</p><hr><p>two</p></div>", "<p>one<p>two"},
		{"what is no text", "<p>one<script>two</script><style>three</style><noscript>four</noscript>", "<p>one"},
		{"charset", "<p>one", "\xef\xbb\xbf<p>one"},
	} {
		a, b := parse(t, test.a), parse(t, test.b)
		if diff := cmp.Diff(a.Chunks, b.Chunks); diff != "" || a.SimHash != b.SimHash {
			t.Errorf("%s: SimHash %x and %x, chunks (-a +b)\n%s", test.name, a.SimHash, b.SimHash, diff)
		}
	}
}

func TestSimHashIsOfWords(t *testing.T) {
	for _, body := range []string{"", "<p> - , &nbsp; … 👍 </p>", "<title>one</title><script>two</script><noscript>three</noscript>"} {
		if h := parse(t, body).SimHash; h != 0 {
			t.Errorf("%q: %x, want 0", body, h)
		}
	}
	seen := map[uint64]string{}
	for _, body := range []string{"one", "two", "one two", "two one", "one one", "one two three", "1", "2", "один", "一", "onetwo"} {
		h := parse(t, body).SimHash
		if other, ok := seen[h]; ok || h == 0 {
			t.Errorf("%q and %q: %x", other, body, h)
		}
		seen[h] = body
	}
}

func TestChunks(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"none", "", nil},
		{"without words", "<p>—</p><p> </p>", nil},
		{"blocks", "<p>one two</p><div>three<br>four</div>", []string{"one two", "three", "four"}},
		{"formatting does not part", "<p>one <b>two</b> <a href=/>three</a>", []string{"one two"}},
		{"links do not count", "<p><a href=/>one</a></p><p>two <a href=/>three</a> four", []string{"two four"}},
		{"cells and items", "<table><tr><td>one<td>two</table><ul><li>three<li>four</ul>", []string{"one", "two", "three", "four"}},
		{"distinct", "<p>one<p>two<p>One!<p>two", []string{"one", "two"}},
		{"title is the last", "<title>one</title><p>two", []string{"two", "one"}},
		{"title as in the text", "<title>one</title><h1>One</h1><p>two", []string{"one", "two"}},
		{"template", "<template><p>one</template><p>two", []string{"two"}},
		{"only digits", "<p>17</p><p>2026-11-22", []string{"17", "2026 11 22"}},
	} {
		var want []Chunk
		for _, text := range test.want {
			want = append(want, slowChunk(slowWords(text)))
		}
		if diff := cmp.Diff(want, parse(t, test.body).Chunks); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}

func TestLooseChunksHaveNoNumbers(t *testing.T) {
	for _, test := range []struct {
		a, b        string
		exact, same bool
	}{
		{"On November 21, 2026", "On November 22, 2026", false, true},
		{"3 comments", "comments", false, true},
		{"A4 paper", "paper", false, true},
		{"three comments", "four comments", false, false},
		{"comments three", "three comments", false, false},
		{"three comments", "Three comments.", true, true},
	} {
		a, b := parse(t, test.a).Chunks[0], parse(t, test.b).Chunks[0]
		if a.Exact == b.Exact != test.exact || a.Loose == b.Loose != test.same || a.Loose == 0 {
			t.Errorf("%q is %x and %q is %x", test.a, a, test.b, b)
		}
	}
	if c := parse(t, "2026-11-22").Chunks[0]; c.Exact == 0 || c.Loose != 0 {
		t.Errorf("a date alone is %x", c)
	}
}

// Of many chunks those with the smallest hashes are kept, wherever on the page they stand.
func TestChunksAreBounded(t *testing.T) {
	for _, n := range []int{MaxChunks - 1, MaxChunks, MaxChunks + 1, chunkRoom, chunkRoom + 1, 20_000} {
		var body strings.Builder
		var want []Chunk
		for i := range n {
			text := fmt.Sprintf("w%d text", i)
			want = append(want, slowChunk(slowWords(text)))
			fmt.Fprintf(&body, "<p>%s<p>%s", text, text)
		}
		sorted := slices.SortedFunc(slices.Values(want), func(a, b Chunk) int { return int(int64(a.Exact) - int64(b.Exact)) })
		if n > MaxChunks {
			want = slices.DeleteFunc(want, func(c Chunk) bool { return c.Exact >= sorted[MaxChunks].Exact })
		}
		if diff := cmp.Diff(want, parse(t, body.String()).Chunks); diff != "" {
			t.Errorf("%d chunks (-want +got)\n%s", n, diff)
		}
	}
}

func TestSimHashTellsNearFromFar(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := make([]string, 3000)
	for i := range vocabulary {
		for range 2 + r.IntN(9) {
			vocabulary[i] += string(rune('a' + r.IntN(26)))
		}
	}
	article := func(n int) []string {
		words := make([]string, n)
		for i := range words {
			words[i] = vocabulary[int(float64(len(vocabulary))*r.Float64()*r.Float64()*r.Float64())] // some much more often than others
		}
		return words
	}
	hash := func(words []string) uint64 {
		return parse(t, "<p>"+strings.Join(words, " ")).SimHash
	}
	var near, far, samples int
	for range 50 {
		a, b := article(2000), article(2000)
		h := hash(a)
		a[700], a[1500] = "17:04", "November"
		d := bits.OnesCount64(h ^ hash(a))
		near += d
		if d > 7 {
			t.Errorf("two words of two thousand change %d bits", d)
		}
		d = bits.OnesCount64(h ^ hash(b))
		far += d
		if d < 14 || d > 50 {
			t.Errorf("other words change %d bits", d)
		}
		samples++
	}
	if near > 3*samples {
		t.Errorf("near duplicates differ in %.1f bits", float64(near)/float64(samples))
	}
	if far < 29*samples || far > 35*samples {
		t.Errorf("other texts differ in %.1f bits", float64(far)/float64(samples))
	}
	t.Logf("near %.2f, far %.2f", float64(near)/float64(samples), float64(far)/float64(samples))
}

// What a page was asked for does not make its text new.
func TestLooseLeavesOutTheWordsOfTheAddress(t *testing.T) {
	loose := func(url, body string) []uint32 {
		t.Helper()
		page, err := New(newSpeller(t), "").Parse(Input{URL: url, ContentType: "text/html; charset=utf-8", Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		var hashes []uint32
		for _, c := range page.Chunks {
			hashes = append(hashes, c.Loose)
		}
		return hashes
	}
	for _, c := range []struct {
		name        string
		url1, text1 string
		url2, text2 string
		same        bool
	}{
		{"parameters", "/shop?colour=red&size=xl", "All in Red, XL", "/shop?colour=green&size=s", "All in Green, S", true},
		{"path", "/no/such-page", "Sorry: no such page here", "/or/such-place", "Sorry: or such place here", true},
		{"encoded", "/caf%C3%A9+m%C3%BCller", "about CAFÉ MÜLLER", "/tee", "about Tee", true},
		{"other words", "/word/apple", "apple: a fruit", "/word/chair", "chair: a seat", false},
		{"the host does not count", "/", "welcome to h", "/", "welcome to x", false},
		{"in links", "/a", `see <a href=/x>the blue one</a> too`, "/a", `see <a href=/x>what is green</a> too`, true},
		{"a link within a word", "/a", `<a href=/x>in</a>side`, "/a", `<a href=/x>out</a>side`, true},
		{"outside of links", "/a", `see <a href=/x>this</a> too`, "/a", `see <a href=/x>this</a> as well`, false},
		{"long words", "/donaudampfschifffahrt", "The Donaudampfschifffahrt is late", "/x", "The X is late", true},
	} {
		a, b := loose("http://h/"+c.url1[1:], "<p>"+c.text1), loose("http://h/"+c.url2[1:], "<p>"+c.text2)
		if slices.Equal(a, b) != c.same {
			t.Errorf("%s: %x and %x", c.name, a, b)
		}
	}
}
