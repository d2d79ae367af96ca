package field

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

const shop = `<!doctype html><html lang=en><head><title>Shop</title>
<meta name=description content="  Good
 things "><meta name=description content=other><meta property="og:title" content="OG &amp; title"><meta name="og:type" content=product>
<meta property="og:image" content=""><meta property="og:image" content="/a.png"><meta property="og:image" content="/b.png">
<meta name="twitter:card" content=summary><meta itemprop=sku content=S1><meta http-equiv=refresh content="9">
<meta property="article:published_time" content="2026-01-02">
<script type="application/ld+json">{"@context":"https://schema.org","@type":"Product","name":" Kettle ","brand":{"@type":"Brand","name":"Acme"},
"sku":null,"image":["/1.png","/2.png"],"offers":[{"@type":"Offer","price":"1,299.00","count":12},{"@type":"Offer","price":4.5,"instock":true}],
"related":{"@type":["Thing","Product"],"name":"Pot"},"note":"a\nb \"q\" \u00e9\ud83d\ude00"}</script>
<script type="application/LD+JSON; charset=utf-8">{"@graph":[{"@type":"WebPage","@id":"#p","headline":"News","author":{"@id":"#me"}},
{"@type":"schema:Person","@id":"#me","schema:name":{"@value":"Ann","@language":"en"}}]}</script>
<script type="application/ld+json">{"@type":"Review", broken</script>
</head><body>
<h1> Kettle <em>de</em>luxe<br>2 <script>x()</script><style>p{}</style></h1>
<p class="price">$1,299.00 <span class=old>was</span></p><p class=price>4,5</p><p class=price></p><p class=price>sold out</p>
<p class=split>$12<sup>99</sup></p><table><tr class=cells><td>4<td>500</table>
<div id=d data-json=' {"a": 1,
 "b": 2} '><p>one</p><p>two &lt;3</p></div>
<ul class=pages><li><a href="/p?a=1&amp;b=2" title="">1</a><li><a class=next href="next.html">Next</a><li><a>none</a></ul>
<noscript><img class=lazy src=lazy.png>Please</noscript><template><p class=price>7</p></template>
<script id=state type="application/json">{"stock": 17}</script>
<svg viewBox="0 0 1 1"><a xlink:href="#s">s</a></svg>
<div itemscope itemtype="https://schema.org/Product" itemref="extra gone"><span itemprop="name alternateName">Micro kettle</span>
<img itemprop=image src=m.png><link itemprop=url href=/m><data itemprop=gtin value=0123>x</data><time itemprop=released datetime=2026-02-03>Feb</time>
<time itemprop=seen>2025</time><meta itemprop=color content=" red "><object itemprop=manual data=m.pdf></object>
<div itemprop=offers itemscope itemtype="http://schema.org/Offer"><span itemprop=price content="1299.000">$1,299</span><span itemprop=name>Offer name</span></div>
<div itemprop=offers itemscope itemtype="http://schema.org/Offer"><span itemprop=price>1.5</span></div></div>
<div id=extra><b itemprop=weight>2 kg</b></div>
<div itemscope><i itemprop=loose>free</i></div>
</body></html>`

func shopHeader() http.Header {
	return http.Header{"Content-Type": {"text/html"}, "X-Count": {"1,234", "7"}, "Set-Cookie": {"a=1", "b=2"}, "X-Old": {"caf\xe9"}, "X-Empty": {" "}}
}

func take(tb testing.TB, in Input, specs ...string) Taken {
	tb.Helper()
	var fields []Field
	for _, spec := range specs {
		f, err := Parse(spec)
		if err != nil {
			tb.Fatal(err)
		}
		if f.String() != spec {
			tb.Errorf("%q became %q", spec, f)
		}
		fields = append(fields, f)
	}
	return NewSet(fields, nil).Take(in)
}

// show writes the values of one field, "-" for none.
func show(t Taken) string {
	if len(t.Values) == 0 {
		return "-"
	}
	return strings.Join(t.Values[0].Values, "|")
}

func TestTake(t *testing.T) {
	for _, test := range []struct{ spec, want string }{
		// CSS.
		{"x=h1", "Kettle deluxe 2"},
		{"x=.price", "$1,299.00 was"},
		{"x[]=.price", "$1,299.00 was|4,5|sold out"},
		{"x:float=.price", "1299"},
		{"x:int=.price", "1299"},
		{"x[]:float=.price", "1299|4.5"},
		{"x[]:int=.price", "1299"},
		{"x:float=.price:nth-of-type(2)", "4.5"},
		{"x:int=.price:nth-of-type(3)", "-"},
		{"x:float=.split", "-"},
		{"x=.split", "$1299"},
		{"x:int=.cells", "-"},
		{"x=.cells", "4 500"},
		{"x[]:int=.cells td", "4|500"},
		{"x=#d", "one two <3"},
		{"x=#d@html", "<p>one</p><p>two &lt;3</p>"},
		{"x=#d@data-json", "{\"a\": 1,\n \"b\": 2}"},
		{"x=a.next@href", "next.html"},
		{"x[]=a@href", "/p?a=1&b=2|next.html"},
		{"x[]=a@HREF", "/p?a=1&b=2|next.html"},
		{"x[]=a@xlink:href", "#s"},
		{"x=a@title", "-"},
		{"x=svg@viewbox", "0 0 1 1"},
		{"x=.pages li:last-child a@href", "-"},
		{"x=img.lazy@src", "lazy.png"},
		{"x=script#state", `{"stock": 17}`},
		{"x:int=script#state", "17"},
		{"x=.missing", "-"},
		{"x=.pages li:first-child, .pages li:last-child", "1"},
		{"x = .next ", "Next"},
		{`x=a[href="/p?a=1&b=2"]`, "1"},
		{`x[]=a[href*="@"]`, "-"},
		{"x=HEADER:first-child", "-"},
		// Regular expressions.
		{`x=.price ~ /\$([0-9,]+)/`, "1,299"},
		{`x[]=.price ~ /[0-9]+/`, "1|4"},
		{`x=li ~ /N(.)x(t)/`, "e"},
		{`x=.price ~ /(sold) out|never/`, "sold"},
		{`x=.price ~ /never/`, "-"},
		{`x[]=.price ~ /\$(z)?/`, "-"},
		{`x=a@href ~ /(?i)^/P\?/`, "/p?"},
		{`x:int=.price ~ /([0-9,]+)\.00/`, "1299"},
		{`x:int=.cells ~ /4 (\d+)/`, "500"},
		{`x=header:set-cookie ~ /b=(.*)/`, "2"},
		{`x=jsonld:Product.image ~ /2/`, "2"},
		// XPath.
		{"x=xpath://h1", "Kettle deluxe 2"},
		{"x=xpath://h1/text()", "Kettle"},
		{"x[]=xpath://a/@href", "/p?a=1&b=2|next.html"},
		{"x=xpath://svg/a/@xlink:href", "#s"},
		{"x=xpath:count(//li)", "3"},
		{"x:int=xpath:count(//nothing)", "0"},
		{"x=xpath:string(//a[2])", "-"},
		{"x=xpath:string((//a)[2])", "Next"},
		{"x=xpath:number(//nothing)", "-"},
		{"x=xpath:1 div 0", "-"},
		{"x=xpath:0.5 + 1", "1.5"},
		{"x=xpath:boolean(//h1)", "true"},
		{"x=xpath://div[@id='d']@html", "<p>one</p><p>two &lt;3</p>"},
		{"x[]=xpath://li[position()<3]/a", "1|Next"},
		{"x[]=xpath://p[@class='price'][2] | //h1 | //p[@class='price'][2]", "Kettle deluxe 2|4,5"},
		{"x[]=xpath://a[.='Next']/../preceding-sibling::li", "1"},
		{"x[]=xpath://li/ancestor::*[self::ul]/@class", "pages"},
		{"x[]:float=xpath://p[@class='price']", "1299|4.5"},
		{"x=xpath:normalize-space(//h1)", "Kettle deluxe2 x()p{}"}, // as XPath has it
		{"x=xpath:string-join(//li/a, ';')", "1;Next;none"},
		{"x=xpath://comment()", "-"},
		// JSON-LD.
		{"x=jsonld:Product.name", "Kettle"},
		{"x[]=jsonld:Product.name", "Kettle|Pot"},
		{"x[]=jsonld:Product.offers.price", "1,299.00|4.5"},
		{"x[]:float=jsonld:Product.offers.price", "1299|4.5"},
		{"x[]=jsonld:Offer.price", "1,299.00|4.5"},
		{"x[]:int=jsonld:Offer.count", "12"},
		{"x=jsonld:Offer.instock", "true"},
		{"x=jsonld:Product.sku", "-"},
		{"x[]=jsonld:Product.image", "/1.png|/2.png"},
		{"x=jsonld:Product.brand.name", "Acme"},
		{"x=jsonld:Product.brand", `{"@type":"Brand","name":"Acme"}`},
		{"x=jsonld:Product.note", "a\nb \"q\" é😀"},
		{"x=jsonld:brand.name", "Acme"},
		{"x=jsonld:headline", "News"},
		{"x=jsonld:@graph.headline", "News"},
		{"x=jsonld:WebPage.author.name", "Ann"},
		{"x=jsonld:WebPage.author", "#me"},
		{"x=jsonld:Person.name", "Ann"},
		{"x[]=jsonld:Thing.@type", "Thing|Product"},
		// Meta elements.
		{"x=og:title", "OG & title"},
		{"x=og:type", "product"},
		{"x=og:image", "/a.png"},
		{"x[]=og:image", "/a.png|/b.png"},
		{"x=twitter:card", "summary"},
		{"x=meta:description", "Good things"},
		{"x[]=meta:Description", "Good things|other"},
		{"x=meta:sku", "S1"},
		{"x=meta:refresh", "9"},
		{"x=meta:og:title", "OG & title"},
		{"x=meta:article:published_time", "2026-01-02"},
		{"x=og:sku", "-"},
		// Microdata.
		{"x=microdata:Product.name", "Micro kettle"},
		{"x=microdata:Product.alternateName", "Micro kettle"},
		{"x=microdata:Product.image", "m.png"},
		{"x=microdata:Product.url", "/m"},
		{"x=microdata:Product.gtin", "0123"},
		{"x=microdata:Product.released", "2026-02-03"},
		{"x=microdata:Product.seen", "2025"},
		{"x=microdata:Product.color", "red"},
		{"x=microdata:Product.manual", "m.pdf"},
		{"x[]=microdata:Product.offers.price", "1299.000|1.5"},
		{"x:int=microdata:Product.offers.price", "1299"},
		{"x=microdata:Product.offers", "$1,299Offer name"},
		{"x[]=microdata:Offer.name", "Offer name"},
		{"x:int=microdata:Product.weight", "2"},
		{"x=microdata:loose", "free"},
		{"x=microdata:price", "-"},
		{"x=microdata:Nothing.name", "-"},
		// Headers.
		{"x=header:Content-Type", "text/html"},
		{"x=header:content-type", "text/html"},
		{"x[]=header:Set-Cookie", "a=1|b=2"},
		{"x:int=header:X-Count", "1234"},
		{"x=header:X-Old", "café"},
		{"x=header:X-Empty", "-"},
		{"x=header:Nothing", "-"},
	} {
		t.Run(test.spec, func(t *testing.T) {
			in := Input{ContentType: "text/html; charset=utf-8", Header: shopHeader(), Body: []byte(shop), HTML: true}
			taken := take(t, in, test.spec)
			if got := show(taken); got != test.want {
				t.Errorf("got %q, want %q, error %v", got, test.want, taken.Err)
			}
			if taken.Err != nil {
				t.Errorf("error %v", taken.Err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		spec, name string
		typ        Type
		list       bool
	}{
		{"price=.a", "price", Text, false},
		{"price:int=.a", "price", Int, false},
		{"price:text=.a", "price", Text, false},
		{"price[]=.a", "price", Text, true},
		{"price[]:float=.a", "price", Float, true},
		{"Größe_2-x=a[b='c=d']", "Größe_2-x", Text, false},
	} {
		f, err := Parse(test.spec)
		if err != nil || f.Name != test.name || f.Type != test.typ || f.List != test.list {
			t.Errorf("%q is %q %v %v, %v", test.spec, f.Name, f.Type, f.List, err)
		}
	}
}

func TestParseFaults(t *testing.T) {
	for _, test := range []struct{ spec, want string }{
		{"", "is not NAME=SELECTOR"},
		{"price", "is not NAME=SELECTOR"},
		{"=.a", "has no name"},
		{"[]=.a", "has no name"},
		{"a b=.a", "letters, digits"},
		{"a.b=.a", "letters, digits"},
		{"\xff=.a", "letters, digits"},
		{strings.Repeat("x", 65) + "=.a", "64 bytes"},
		{"a:number=.a", "none of text, int, float"},
		{"a:int[]=.a", "none of text, int, float"},
		{"a:=.a", "none of text, int, float"},
		{"a=", "there is no selector"},
		{"a= ", "there is no selector"},
		{"a=.a[", `field a: CSS selector ".a[" does not parse: `},
		{"a=@href", "no selector stands before @href"},
		{"a=header:first-child", "write HEADER:first-child"},
		{"a=header:", "no name"},
		{"a=header:a b", "not the name of a header"},
		{"a=og:", "no name"},
		{"a=meta:", "no name"},
		{"a=jsonld:", "no name"},
		{"a=jsonld:Product..x", "empty part"},
		{"a=microdata:." + strings.Repeat("x.", 40), "empty part"},
		{"a=jsonld:x" + strings.Repeat(".x", 40), "32 parts"},
		{"a=xpath:", "does not parse"},
		{"a=xpath://a[", `XPath expression "//a[" does not parse`},
		{"a=xpath://a b", "does not parse"},
		{"a=xpath://a]", "closes nothing"},
		{"a=xpath:(//a", "is missing"},
		{"a=xpath:'x", "not closed"},
		{"a=xpath://a|", "part is empty"},
		{"a=xpath://a,//b", "does not parse"},
		{"a=xpath:foo()", "does not parse"},
		{"a=xpath://foo()", "does not parse"},
		{"a=xpath:$x", "undeclared variable"},
		{"a=xpath:contains(//a)", "lacks an argument"},
		{"a=xpath://a@href", "//a/@href"},
		{"a=xpath:number()", `XPath expression "number()": the XPath library cannot evaluate this`},
		{"a=xpath:boolean()", "cannot evaluate this"},
		{"a=xpath://a | //li[boolean() or b]", "cannot evaluate this"},
		{"a=xpath://a[b[number() = 1]]", "cannot evaluate this"},
		{"a=xpath:count(//a[. = number()])", "cannot evaluate this"},
		{"a=xpath:substring('abc', 0 div 0)", "cannot evaluate this"},
		{"a=xpath:matches('a', 1)", "cannot evaluate this"},
		{"a=.a ~ /x", "does not end in /"},
		{"a=.a ~ /", "does not end in /"},
		{"a=.a ~ //", "is empty"},
		{"a=.a ~ /x/i", "flags"},
		{"a=.a ~ /(/", "does not parse"},
		{"a= ~ /x/", "no selector"},
		{"a=" + strings.Repeat("a", MaxSpec), "too long"},
	} {
		if f, err := Parse(test.spec); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60q: %v, want %q", test.spec, err, test.want)
		} else if f.Name != "" {
			t.Errorf("%.60q: a field came with %v", test.spec, err)
		}
	}
}

func selectors(t *testing.T, texts ...string) (out []Selector) {
	t.Helper()
	for _, text := range texts {
		s, err := ParseSelector(text)
		if err != nil || s.String() != text {
			t.Fatal(s, err)
		}
		out = append(out, s)
	}
	return out
}

func TestParts(t *testing.T) {
	const body = `<base href="/b/?x&amp;y"><div class=a>1<div class=a><a href=x>in</a></div></div><p>out</p><div class=b>2 &lt;</div>`
	for _, test := range []struct {
		selectors []string
		want, err string
	}{
		{[]string{".a"}, `<div class="a">1<div class="a"><a href="x">in</a></div></div>` + "\n", ""},
		{[]string{".b", "xpath://div[@class='a']"}, `<div class="a">1<div class="a"><a href="x">in</a></div></div>` + "\n" + `<div class="b">2 &lt;</div>` + "\n", ""},
		{[]string{"a", ".a > .a"}, `<div class="a"><a href="x">in</a></div>` + "\n", ""},
		{[]string{".none"}, "", ""},
		{[]string{"xpath://p/text()"}, "", ""},
		{[]string{".b", "xpath:count(//p)"}, "", `selector "xpath:count(//p)": gives no elements`},
	} {
		taken := NewSet(nil, selectors(t, test.selectors...)).Take(Input{ContentType: "text/html", Body: []byte(body), HTML: true})
		if (taken.Err == nil) != (test.err == "") || taken.Err != nil && taken.Err.Error() != test.err {
			t.Errorf("%q: error %v", test.selectors, taken.Err)
		}
		if string(taken.Parts) != test.want {
			t.Errorf("%q: parts %q, want %q", test.selectors, taken.Parts, test.want)
		}
	}
	for _, text := range []string{"", " ", ".a[", "a@href", "xpath:", "xpath://a[", "og:title", strings.Repeat("a", MaxSpec+1)} {
		if _, err := ParseSelector(text); err == nil {
			t.Errorf("%.20q is a selector", text)
		}
	}
}

// A field that found nothing while some JSON-LD could not be read says so; one that found something does not.
func TestBrokenJSONLD(t *testing.T) {
	in := Input{ContentType: "text/html", Body: []byte(shop), HTML: true}
	taken := take(t, in, "a=jsonld:Product.nothing", "b=jsonld:Product.name")
	if taken.Err == nil || taken.Err.Error() != "field a: JSON-LD does not parse" || show(taken) != "Kettle" {
		t.Errorf("got %+v", taken)
	}
}

// What is no page has headers alone, and what nobody asks for costs no tree.
func TestTakeNoPage(t *testing.T) {
	in := Input{ContentType: "image/png", Header: shopHeader(), Body: []byte(shop)}
	taken := take(t, in, "a=h1", "b=header:X-Count", "c=og:title", "d=xpath://h1")
	if show(taken) != "1,234" || len(taken.Values) != 1 || taken.Values[0].Name != "b" || taken.Err != nil || taken.Parts != nil {
		t.Errorf("got %+v", taken)
	}
	if taken := new(Set).Take(in); taken.Values != nil || taken.Err != nil {
		t.Errorf("got %+v", taken)
	}
	if taken := NewSet([]Field{{}}, []Selector{{}}).Take(Input{HTML: true}); taken.Values != nil || taken.Err != nil {
		t.Errorf("zero values: %+v", taken)
	}
}

func TestCharsets(t *testing.T) {
	const text = "Привет, 東京"
	page := func(charset, text string) string {
		return "<html><head><meta charset='" + charset + "'><meta name=description content='" + text + "'></head><body><h1>" + text + "</h1></body></html>"
	}
	encode := func(e encoding.Encoding, s string) []byte {
		b, err := e.NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, test := range []struct {
		name, contentType, want string
		body                    []byte
	}{
		{"UTF-16 with a mark", "text/html", text, encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), page("x", text))},
		{"UTF-16 by header", "text/html; charset=utf-16be", text, encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), page("x", text))},
		{"windows-1251 by header", "text/html; charset=windows-1251", "Привет", encode(charmap.Windows1251, page("utf-8", "Привет"))},
		{"windows-1251 by meta", "text/html", "Привет", encode(charmap.Windows1251, page("windows-1251", "Привет"))},
		{"Shift_JIS by header", "text/html; charset=Shift_JIS", "東京", encode(japanese.ShiftJIS, page("", "東京"))},
		{"Shift_JIS by meta", "text/html", "東京", encode(japanese.ShiftJIS, page("shift_jis", "東京"))},
		{"invalid UTF-8", "text/html; charset=utf-8", "a\uFFFDb", []byte(page("", "a\xffb"))},
	} {
		in := Input{ContentType: test.contentType, Body: test.body, HTML: true}
		for _, spec := range []string{"x=h1", "x=xpath://h1", "x=meta:description", "x=meta[name=description]@content", "x=h1@html"} {
			if got := show(take(t, in, spec)); got != test.want {
				t.Errorf("%s: %s is %q, want %q", test.name, spec, got, test.want)
			}
		}
	}
}

func TestTakeConcurrently(t *testing.T) {
	var fields []Field
	for _, spec := range []string{"a=h1", "b=xpath:string-join(//li/a, ';')", "c[]=xpath://li[last()]", "d=jsonld:Product.name", "e=xpath:count(//p[not(@class)])", "f=microdata:Product.name"} {
		f, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, f)
	}
	set := NewSet(fields, nil)
	in := Input{ContentType: "text/html; charset=utf-8", Body: []byte(shop), HTML: true}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				taken := set.Take(in)
				var got []string
				for _, v := range taken.Values {
					got = append(got, v.Name+"="+strings.Join(v.Values, "|"))
				}
				if s := strings.Join(got, " "); s != "a=Kettle deluxe 2 b=1;Next;none c=none d=Kettle e=2 f=Micro kettle" {
					t.Error(s)
				}
			}
		})
	}
	wg.Wait()
}

// What fails on one page may be found on another, and is told in words that are not those of a program.
func TestXPathFaultOfOnePage(t *testing.T) {
	for _, test := range []struct{ spec, page, want, err string }{
		{"x=xpath:substring(//p, number(//b))", "<p>kettle<b>3</b>", "ttle3", ""},
		{"x=xpath:substring(//p, number(//b))", "<p>kettle", "", "field x: the XPath library cannot evaluate this on this page"},
		{"x=xpath://p[substring(., number(b)) = 'tle3']", "<p>kettle", "", "field x: the XPath library cannot evaluate this on this page"},
		{"x=xpath://p[@a and number()]", "<p a=1>kettle", "", "field x: the XPath library cannot evaluate this"},
		{"x=xpath://p[contains(., '[number()]')]", "<p>kettle [number()]", "kettle [number()]", ""},
		{"x=xpath://p[position() = last()][string()]", "<p>kettle", "kettle", ""},
	} {
		taken := take(t, Input{ContentType: "text/html", HTML: true, Body: []byte(test.page)}, test.spec)
		got, err := "", ""
		if len(taken.Values) > 0 {
			got = taken.Values[0].Values[0]
		}
		if taken.Err != nil {
			err = taken.Err.Error()
		}
		if got != test.want || err != test.err {
			t.Errorf("%s on %s: %q, %q", test.spec, test.page, got, err)
		}
	}
}
