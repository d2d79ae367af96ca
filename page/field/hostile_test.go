package field

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkBounds holds what was taken to what is promised.
func checkBounds(t *testing.T, taken Taken) {
	t.Helper()
	total := 0
	for _, v := range taken.Values {
		if len(v.Values) == 0 || len(v.Values) > MaxList {
			t.Errorf("%s has %d values", v.Name, len(v.Values))
		}
		for _, s := range v.Values {
			if total += len(s); s == "" || len(s) > MaxValue || !utf8.ValidString(s) {
				t.Errorf("%s has a value of %d bytes: %.40q", v.Name, len(s), s)
			}
		}
	}
	if total > MaxPage {
		t.Errorf("%d bytes in all", total)
	}
}

func TestDeepPageKeepsWhatNeedsNoTree(t *testing.T) {
	body := `<meta property="og:title" content=T><script type=application/ld+json>{"@type":"A","b":1}</script>` + strings.Repeat("<div>", 600) + "<p>x"
	in := Input{ContentType: "text/html", Header: shopHeader(), Body: []byte(body), HTML: true}
	link, err := ParseSelector("p")
	if err != nil {
		t.Fatal(err)
	}
	var fields []Field
	for _, spec := range []string{"a=p", "b=og:title", "c=jsonld:A.b", "d=header:X-Count", "e=xpath://p", "f=microdata:A.b"} {
		f, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, f)
	}
	taken := NewSet(fields, []Selector{link}).Take(in)
	if got := fmt.Sprint(taken.Values); got != "[{b [T]} {c [1]} {d [1,234]}]" || taken.Parts != nil {
		t.Errorf("got %s, parts %q", got, taken.Parts)
	}
	if taken.Err == nil || !strings.Contains(taken.Err.Error(), "512 nodes") {
		t.Errorf("error %v", taken.Err)
	}
}

// What the elements that links are taken from come to is bounded, whatever the page has once and they would have each.
func TestHostileParts(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "<p>%d", i)
	}
	for _, test := range []struct{ name, body, err string }{
		{"long base", "<base href='/" + long + "/'>" + many.String(), ""},
		{"left open", "<p><b title='" + long + "'>" + many.String(), "too large"},
		{"escaped", "<p>" + strings.Repeat(`"`, 100_000), "too large"},
		{"quotes added", "<p>" + strings.Repeat("<a b=c>", 5000), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			taken := NewSet(nil, selectors(t, "p")).Take(Input{ContentType: "text/html", Body: []byte(test.body), HTML: true})
			if got := fmt.Sprint(taken.Err); (test.err == "") != (taken.Err == nil) || !strings.Contains(got, test.err) {
				t.Errorf("error %v, want %q", taken.Err, test.err)
			}
			if most := 3*len(test.body) + 64<<10; len(taken.Parts) > most || len(taken.Parts) == 0 {
				t.Errorf("parts of %d bytes of a page of %d", len(taken.Parts), len(test.body))
			}
		})
	}
}

// All these must come to an end soon: by finding what there is, or by giving up.
func TestHostilePages(t *testing.T) {
	items := "<ul>" + strings.Repeat("<li>x</li>", 20_001) + "</ul>"
	big := strings.Repeat("word ", 220_000)
	nest := func(tag string, n int, inner string) string {
		return strings.Repeat("<"+tag+">", n) + inner + strings.Repeat("</"+tag+">", n)
	}
	ld := func(s string) string { return "<script type='application/ld+json'>" + s + "</script>" }
	refer := func(id, to string) string {
		return "<div id=" + id + " itemscope itemprop=b itemtype=T itemref='" + strings.Repeat(to, 50) + "'></div>"
	}
	attributes := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d ", i)
		}
		return b.String()
	}
	const slow = "takes too long"
	for _, test := range []struct {
		name, body, spec string
		values           int    // how many
		err              string // part of it, empty for none
	}{
		{"list", strings.Repeat("<li>x", 100_000), "x[]=li", MaxList, "the first are taken"},
		{"list by XPath", items, "x[]=xpath://li", MaxList, "the first are taken"},
		{"count", items, "x=xpath:count(//li)", 1, ""},
		{"first child", items, "x[]=li:first-child", 1, ""},
		{"odd children", items, "x[]=li:nth-child(odd)", MaxList, "the first are taken"},
		{"last of type", items, "x[]=li:last-of-type", 1, ""},
		{"not the first", items, "x[]=li:not(:first-child)", MaxList, "the first are taken"},
		{"siblings", items, "x[]=p ~ li, p + li", 0, ""},
		{"elements that have", items, "x[]=li:has(p)", 0, ""},
		{"lists that have", items, "x=ul:has(li ~ p)", 0, slow},
		{"enabled", items, "x[]=:enabled", 0, slow},
		{"last by XPath", items, "x=xpath://li[last()]", 1, slow},
		{"position by XPath", items, "x[]=xpath://li[position()<3]", 2, slow},
		{"siblings by XPath", items, "x=xpath:count(//li/following-sibling::li)", 0, slow},
		{"all with all by XPath", items, "x=xpath://li = //ul/li[2]", 1, ""},
		{"union by XPath", items, "x[]=xpath://li | //ul", MaxList, "the first are taken"},
		{"union in brackets", items, "x[]=xpath:(//li | //ul)", 0, slow},
		{"many ancestors", nest("div", 500, strings.Repeat("<a>x</a>", 10_000)), "x[]=.a div div div div a", 0, ""},
		{"many ancestors negated", nest("div", 500, strings.Repeat("<a>x</a>", 10_000)), "x[]=a:not(.a div div div div)", 0, slow},
		{"text of each ancestor", nest("div", 500, big), "x[]=div", 0, "more than 4194304 bytes"},
		{"HTML of each ancestor", nest("div", 500, big), "x[]=div@html", 0, "more than 4194304 bytes"},
		{"text of each ancestor matched", nest("div", 500, big), "x[]=div ~ /nothing/", 0, slow},
		{"text of each ancestor contained", nest("div", 500, big), "x[]=div:contains('nothing')", 0, slow},
		{"long text", "<p>" + big, "x=p", 1, "was cut"},
		{"many long texts", strings.Repeat("<p>"+big+"</p>", 5), "x[]=p", 0, "more than 4194304 bytes"},
		{"long attribute", "<p title='" + big + "'>", "x=p@title", 1, "was cut"},
		{"long JSON-LD", ld(`{"a":[` + strings.Repeat(`"0123456789012345678901234567890123456789",`, 40_000) + `1]}`), "x[]=jsonld:a", MaxList, "the first are taken"},
		{"JSON-LD of many values", ld(`{"a":[` + strings.Repeat("1,", maxJSONNodes) + `1]}`), "x[]=jsonld:a", 0, "more than 250000 values"},
		{"deep JSON-LD", ld(strings.Repeat("[", 100_000)), "x=jsonld:a", 0, "nested more"},
		{"JSON-LD that refers to itself", ld(`[{"@id":"a","k":[` + strings.Repeat(`{"@id":"a"},`, 1000) + `1]}]`), "x[]=jsonld:k.k.k.k.k.k.z", 0, slow},
		{"JSON-LD of many keys", ld(`[` + strings.Repeat(`{"@type":"A","b":{"b":{"b":{"c":1}}}},`, 11_000) + `1]`), "x[]=jsonld:A.b.b.b.c", MaxList, "the first are taken"},
		{"many scripts", strings.Repeat(ld(`{"a":1}`), 12_000), "x[]=jsonld:a", MaxList, "the first are taken"},
		{"many meta elements", strings.Repeat("<meta name=a content=b>", 12_000), "x[]=meta:a", MaxList, "the first are taken"},
		{"items that refer to each other", refer("a", "c ") + refer("c", "a "), "x[]=microdata:T.b.b.b.b.b.b.c", 0, slow},
		{"item of many", "<div itemscope itemtype=T>" + strings.Repeat("<b itemprop=n>x</b>", 12_000) + "</div>", "x[]=microdata:T.n", MaxList, "the first are taken"},
		{"nested items", nest("div itemscope itemtype=T itemprop=n", 400, "x"), "x[]=microdata:T.n", 399, ""},
		{"numbers of JSON-LD in one another", ld(strings.Repeat(`{"@type":"T","c":`, 490) + `"` + big + `"` + strings.Repeat("}", 490)), "x[]:int=jsonld:T", 0, slow},
		{"blanks of JSON-LD that is referred to", ld(`[{"@id":"a","k":"` + big + strings.Repeat(" ", 500_000) + `"},{"b":[` + strings.Repeat(`{"@id":"a"},`, 1000) + `1]}]`), "x[]=jsonld:b.k ~ /^$/", 0, slow},
		{"empty JSON-LD that is referred to", ld(`[{"@id":"a","k":"` + strings.Repeat(" ", 500_000) + `"},{"b":[` + strings.Repeat(`{"@id":"a"},`, 1000) + `1]}]`), "x[]=jsonld:b.k", 0, slow},
		{"long names in JSON-LD", ld(`[{"@id":"` + big + `","b":[` + strings.Repeat(`{"@id":"z`+big[:1000]+`"},`, 100) + `1]},{"@id":"z` + big[:1000] + `","k":[` + strings.Repeat(`{"@id":"z`+big[:1000]+`"},`, 100) + `1]}]`), "x[]=jsonld:b.k.k.k.k.z", 0, slow},
		{"item of many attributes", "<div itemscope itemtype=T itemref='" + strings.Repeat("a ", 20_000) + "'></div><b id=a " + attributes(4000) + ">x</b>", "x[]=microdata:T.p", 0, slow},
		{"item with a long property", "<div itemscope itemtype=T itemref='" + strings.Repeat("a ", 20_000) + "'></div><b id=a itemprop='" + strings.Repeat("q ", 50_000) + "'>x</b>", "x[]=microdata:T.p", 0, slow},
		{"item with an empty value", "<div itemscope itemtype=T itemref='" + strings.Repeat("a ", 20_000) + "'></div><b id=a itemprop=p content='" + strings.Repeat(" ", 100_000) + "'>x</b>", "x[]=microdata:T.p", 0, slow},
		{"item that refers to nothing at length", "<div itemscope itemtype=T itemref='" + strings.Repeat("a ", 20_000) + "'></div><b id=a itemprop=p itemscope itemref='" + strings.Repeat(" ", 100_000) + "'>x</b>", "x[]=microdata:T.p.q", 0, slow},
		{"items deep down", nest("div", 400, "<div itemscope itemtype=T itemref='"+strings.Repeat("a ", 100_000)+"'></div><b id=a>x</b>"), "x[]=microdata:T.p", 0, slow},
		{"no end", "<p title='<h1>x", "x=h1", 0, ""},
		{"NUL", "<h1>\x00a\x00</h1>", "x=h1", 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Parse(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			set := NewSet([]Field{f}, nil)
			if test.err == slow {
				set.work /= 10 // it is as much too little, and spares time
			}
			taken := set.Take(Input{ContentType: "text/html; charset=utf-8", Body: []byte(test.body), HTML: true})
			checkBounds(t, taken)
			if got := fmt.Sprint(taken.Err); (test.err == "") != (taken.Err == nil) || !strings.Contains(got, test.err) {
				t.Errorf("error %v, want %q", taken.Err, test.err)
			}
			n := 0
			if len(taken.Values) > 0 {
				n = len(taken.Values[0].Values)
			}
			if test.err == "" && n != test.values {
				t.Errorf("%d values, want %d", n, test.values)
			}
		})
	}
}

// What fails on one field leaves the room and the time of the others alone.
func TestFieldsFailAlone(t *testing.T) {
	body := strings.Repeat("<p>"+strings.Repeat("word ", 300_000)+"</p>", 4) + "<h1>x</h1>"
	taken := take(t, Input{ContentType: "text/html", Body: []byte(body), HTML: true}, "a[]=p", "b=xpath:count(//*[count(//*) > 0 and count(//text()) < count(//p/preceding::node())])", "c=h1")
	if len(taken.Values) == 0 || taken.Values[len(taken.Values)-1].Name != "c" {
		t.Errorf("%d fields, %v", len(taken.Values), taken.Err)
	}
}

func TestJSONLDOfPages(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"comment around", `<!-- {"@type":"A","b":"c"} -->`, "c"},
		{"CDATA around", `<![CDATA[ {"@type":"A","b":"c"} ]]>`, "c"},
		{"CDATA in comments of scripts", "//<![CDATA[\n{\"@type\":\"A\",\"b\":\"c\"}\n//]]>", "c"},
		{"CDATA in comments of styles", `/*<![CDATA[*/ {"@type":"A","b":"c"} /*]]>*/`, "c"},
		{"byte order mark", "\ufeff" + `{"@type":"A","b":"c"}`, "c"},
		{"semicolon behind", `{"@type":"A","b":"c"};`, "c"},
		{"control characters", "{\"@type\":\"A\",\"b\":\"c\x01\n\td\"}", "c\x01\n\td"},
		{"control characters between", "{\x01\"@type\":\"A\",\x0b\"b\":\"c\"}", "c"},
		{"NBSP between", "{\u00a0\"@type\":\"A\",\"b\":\"c\"}", "c"},
		{"comma too many", `{"@type":"A","b":["c",],}`, "c"},
		{"unknown escape", `{"@type":"A","b":"\c\/\'"}`, "c/'"},
		{"half a pair", `{"@type":"A","b":"\ud83dc"}`, "\uFFFDc"},
		{"short escape", `{"@type":"A","b":"\u00"}`, "\uFFFD00"},
		{"key twice", `{"@type":"A","b":"no","b":"c"}`, "c"},
		{"empty", ` `, "-"},
		{"no value", `{"@type":"A","b":}`, "-"},
		{"cut", `{"@type":"A","b":"c","d`, "-"},
		{"cut in an escape", `{"@type":"A","b":"c\`, "-"},
		{"script", `var x = {"@type":"A","b":"c"}`, "-"},
		{"number of a kind", `{"@type":"A","b":0x10}`, "-"},
		{"types", `{"@type":["x","https://schema.org/A"],"b":"c"}`, "c"},
		{"in a type of another", `{"@type":"Z","z":[[{"@type":"A","b":[["c"]]}]]}`, "c"},
		{"list", `{"@type":"A","b":{"@list":["c"]}}`, "c"},
		{"bare value", `"c"`, "-"},
		{"null", `{"@type":"A","b":null}`, "-"},
		{"empty before another", `[{"@type":"A","b":""},{"@type":"A","b":"c"}]`, "-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := `<script type="application/ld+json">` + test.script + "</script>"
			taken := take(t, Input{ContentType: "text/html; charset=utf-8", Body: []byte(body), HTML: true}, "x=jsonld:A.b")
			if got := show(taken); got != test.want {
				t.Errorf("got %q, want %q, error %v", got, test.want, taken.Err)
			}
		})
	}
}
