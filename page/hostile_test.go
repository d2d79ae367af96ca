package page

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pawl/weburl"
)

// What surrounds a piece that is too long to be read whole must be read all the same.
func TestOversizeTokens(t *testing.T) {
	long := strings.Repeat("x ", maxToken)
	for _, test := range []struct{ name, middle string }{
		{"text", long},
		{"script", "<script>" + long + "<a href=/no></script>"},
		{"script with attributes", "<script async>" + long + "</scripted><a href=/no></SCRIPT >"},
		{"style", "<style>" + long + "<a href=/no></style>"},
		{"textarea", "<textarea>" + long + "<a href=/no></textarea>"},
		{"comment", "<!--" + long + "<a href=/no>-->"},
		{"declaration", "<!x " + long + ">"},
		{"processing instruction", "<?x " + long + ">"},
		{"doctype", "<!doctype " + long + ">"},
		{"start tag", "<div " + long + ">"},
		{"start tag with value", "<img src='data:," + long + "'>"},
		{"end tag", "</div " + long + ">"},
		{"link", "<a href='/" + strings.Repeat("x", 2*maxToken) + "'>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := parse(t, "<title>T</title><a href=/b>B</a><template></template>"+test.middle+"<a href=/c>C</a>")
			if got := strings.Join(list(page.Links), " "); page.Title != "T" || got != `a /b "B" a /c "C"` {
				t.Errorf("title %q, links %.200s", page.Title, got)
			}
		})
	}
}

// A long text is read in pieces. Wherever a tag stands, none is lost between two of them.
func TestOversizeTextKeepsTags(t *testing.T) {
	for n := maxToken - 20; n < maxToken+3; n++ {
		page := parse(t, strings.Repeat("x", n)+"<a href=/b>B</a>")
		if got := strings.Join(list(page.Links), " "); got != `a /b "B"` || page.WordCount != 1 {
			t.Fatalf("after %d bytes: links %s, %d words", n, got, page.WordCount)
		}
	}
}

func TestOversizeTitle(t *testing.T) {
	page := parse(t, "<title>"+strings.Repeat("word ", maxToken)+"</title><h1>H</h1>")
	if !strings.HasPrefix(page.Title, "word word") || page.H1 != "H" || page.WordCount != 1 {
		t.Errorf("title of %d bytes, h1 %q, %d words", len(page.Title), page.H1, page.WordCount)
	}
}

// All these pages must be read in time and memory linear in their length: no byte is given to a Tokenizer more than a few
// times, and the map of attribute names that a Tokenizer clears for each tag stays small.
func TestHostilePages(t *testing.T) {
	const size = 2 * maxToken
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	var names strings.Builder
	for i := 0; names.Len() < maxToken/2; i++ {
		fmt.Fprintf(&names, " a%d", i)
	}
	sp := newSpeller(t)
	for _, test := range []struct{ name, body string }{
		{"one line", fill("x")},
		{"open angles", fill("<")},
		{"open tags", fill("<a")},
		{"open comments", fill("<!--")},
		{"closing signs", fill("</")},
		{"bogus end tags", fill("</ >")},
		{"ampersands", fill("&")},
		{"references", fill("&#x")},
		{"long reference", "<a href='&" + fill("a") + "'>&" + fill("a")},
		{"references in a link", "<a href='" + strings.Repeat("&lt;", maxToken/8) + "'>"},
		{"nested elements", fill("<div>")},
		{"nested links", fill("<a href=/>")},
		{"nested headings", fill("<h1>")},
		{"nested templates", fill("<template>")},
		{"nested drawings", fill("<svg>")},
		{"titles", fill("<title>x</title>")},
		{"scripts", fill("<script></script>")},
		{"open script", "<script>" + fill("</scrip")},
		{"script in comment in script", "<script><!--" + fill("<script>")},
		{"open title", "<title>" + fill("</titl")},
		{"plaintext", "<plaintext>" + fill("</plaintext>")},
		{"attributes", "<a" + strings.Repeat(names.String(), 4) + ">"},
		{"attributes, then tags", "<a" + names.String() + ">" + fill("<a b>")},
		{"attributes, again and again", fill("<a" + names.String()[:2000] + ">")},
		{"same attribute", "<a" + fill(" b") + ">"},
		{"open value", "<a href='" + fill("x")},
		{"srcset", "<img srcset='" + strings.Repeat("/,", maxToken/4) + "'>"},
		{"srcset of commas", "<img srcset='" + strings.Repeat(",", maxToken/2) + "'>"},
		{"rel", "<a href=/ rel='" + strings.Repeat("x ", maxToken/4) + "'>"},
		{"robots", "<meta name=robots content='" + strings.Repeat("none,", maxToken/8) + "'>"},
		{"NUL", fill("\x00")},
		{"invalid UTF-8", fill("\xff")},
		{"slashes in a tag", "<a " + fill("/")},
		{"equals signs in a tag", "<a " + fill("=")},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := New(sp, "pawl")
			page, err := p.Parse(Input{URL: "http://x.org/", ContentType: "text/html; charset=utf-8", Body: []byte(test.body)})
			if err != nil {
				t.Fatal(err)
			}
			checkPage(t, sp, page)
			if p.feed.given > 8*len(test.body) {
				t.Errorf("%d bytes were read of %d", p.feed.given, len(test.body))
			}
		})
	}
}

// A Tokenizer that has met a tag with many attributes is replaced as soon as it is at no raw text.
func TestManyAttributes(t *testing.T) {
	tag := func(name string, n int) string {
		s := "<" + name
		for i := range n {
			s += fmt.Sprintf(" attribute-%d=%d", i, i)
		}
		return s + ">"
	}
	for _, test := range []struct {
		body     string
		replaced bool
	}{
		{tag("p", 50), false},
		{tag("p", 80), true},
		{tag("noscript", 80) + "</noscript>", true},
		{tag("script", 80) + "<a href=/no></script>", true},
		{tag("script", 80) + "</script>", true},
		{"<p title='" + strings.Repeat("x y ", 500) + "'>", false},
	} {
		p := New(newSpeller(t), "")
		body := []byte("<a href=/b>B</a>" + test.body + "<a href=/c>C</a>")
		page, err := p.Parse(Input{URL: "http://x.org/", ContentType: "text/html; charset=utf-8", Body: body})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(list(page.Links), " "); got != `a /b "B" a /c "C"` {
			t.Errorf("%.20s: links %s", test.body, got)
		}
		if replaced := p.tokenizers > 1; replaced != test.replaced {
			t.Errorf("%.20s: took %d Tokenizers", test.body, p.tokenizers)
		}
	}
}

func TestLinksAreCut(t *testing.T) {
	var body bytes.Buffer
	for i := range MaxLinks + 1 {
		fmt.Fprintf(&body, "<a href=/%d>", i)
	}
	page := parse(t, body.String())
	if len(page.Links) != MaxLinks || !page.LinksCut || page.Outlinks != MaxLinks {
		t.Errorf("%d links, cut %v, %d outlinks", len(page.Links), page.LinksCut, page.Outlinks)
	}
	page = parse(t, body.String()[:body.Len()/10])
	if page.LinksCut {
		t.Error("links were cut below the limit")
	}
}

// Short references to a long address make long links, so their number is not bound enough.
func TestLinksOfLongBaseAreCut(t *testing.T) {
	base := "http://x.org/" + strings.Repeat("x", 60_000) + "/"
	for name, ref := range map[string]string{"distinct": "%d", "same": "a%.0d", "malformed": "//[%d", "long path": "../%d/../x"} {
		var body bytes.Buffer
		fmt.Fprintf(&body, "<base href=%s>", base)
		for i := range 20_000 {
			fmt.Fprintf(&body, "<a href="+ref+">", i)
		}
		page := parse(t, body.String())
		total := 0
		for _, l := range page.Links {
			total += len(l.URL)
		}
		if !page.LinksCut || total > maxArena+weburl.MaxLength {
			t.Errorf("%s: cut %v, %d bytes of links", name, page.LinksCut, total)
		}
	}
}

// hugePages are what a server may send to wear a crawler out, each in a size.
var hugePages = []struct {
	name string
	make func(size int) []byte
}{
	{"one line", filled("x")},
	{"one line of words", filled("word and ")},
	{"one line of Cyrillic", filled("слово и ")},
	{"nested elements", filled("<div>")},
	{"tiny tags", filled("<b>")},
	{"tiny blocks", filled("<p>x")},
	{"open links", filled("<a href=/b>")},
	{"links to here", filled("<a href=?>")},
	{"references", filled("&amp;&#65;&notit;")},
	{"NUL", filled("\x00")},
	{"NUL in tags", filled("<a\x00 href\x00=\x00>")},
	{"refresh to itself", filled("<meta http-equiv=refresh content=0;page>")},
	{"bases", filled("<base href=data:,x>")},
	{"drawings", filled("<svg><![CDATA[x]]>")},
	{"shadow trees", filled("<template shadowrootmode=open>")},
	{"title", func(n int) []byte { return append([]byte("<title>"), filled("word ")(n)...) }},
	{"attributes", func(n int) []byte { return append([]byte("<a"), filled(" b=c")(n)...) }},
	{"srcset", func(n int) []byte { return append([]byte("<img srcset='"), filled("/b 1x, ")(n)...) }},
	{"srcdoc", func(n int) []byte { return append([]byte("<iframe srcdoc='"), filled("<a href=/b>")(n)...) }},
	{"distinct chunks", distinct("<p>w%d")},
	{"distinct links", distinct("<a href=%d>")},
}

func filled(unit string) func(int) []byte {
	return func(size int) []byte { return bytes.Repeat([]byte(unit), size/len(unit)) }
}

func distinct(format string) func(int) []byte {
	return func(size int) []byte {
		var b []byte
		for i := 0; len(b) < size; i++ {
			b = fmt.Appendf(b, format, i)
		}
		return b
	}
}

// What a page takes of memory is bounded, however long it is.
func TestHugePagesTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 100 MB")
	}
	sp := newSpeller(t)
	for i, test := range hugePages {
		t.Run(test.name, func(t *testing.T) {
			size := 2 << 20
			switch {
			case raceDetector:
				size = maxToken + 1000
			case i == 0:
				size = 64 << 20
			}
			p := New(sp, "pawl")
			in := Input{URL: "http://x.org/", ContentType: "text/html; charset=utf-8", Body: test.make(size)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			page, err := p.Parse(in)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			checkPage(t, sp, page)
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("%d MB were allocated", took>>20)
			}
			if p.feed.given > 8*len(in.Body) {
				t.Errorf("%d bytes were read of %d", p.feed.given, len(in.Body))
			}
		})
	}
}

// BenchmarkHugePages shows that what a page costs is linear in its length: the rates of the two sizes are alike.
func BenchmarkHugePages(b *testing.B) {
	for _, test := range hugePages {
		for _, size := range []int{1 << 20, 8 << 20} {
			b.Run(fmt.Sprintf("%s/%dMB", test.name, size>>20), func(b *testing.B) {
				p := New(newSpeller(b), "pawl")
				in := Input{URL: "http://x.org/", ContentType: "text/html; charset=utf-8", Body: test.make(size)}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.Parse(in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
