package field

import (
	"bytes"
	"net/http"
	"testing"
)

// FuzzTake holds Parse and Take to their bounds, whatever a user writes and a page holds: no panic, and the same again.
func FuzzTake(f *testing.F) {
	for _, selector := range []string{
		"h1", ".price ~ /[0-9]+/", "a[href]@href", "#d@html", "li:nth-child(2n+1):not(.a, b c)", "p + p ~ li > a", "div:has(a:first-child)", "xpath://a/@href | //b",
		"xpath:count(//li)", "xpath://li[position()<3]@html", "xpath:string-join(//li, ';')", "xpath://a/ancestor::*[2]", "jsonld:Product.offers.price",
		"jsonld:@graph.x", "og:title", "meta:description", "microdata:Product.offers.price", "header:X-Count", "xpath:substring(//a, 2, 3)", "xpath:translate(//a,'a','b')",
		"xpath://*[preceding::a]/following::b", "xpath:-1", "xpath:1 mod 0", "xpath:reverse(//a)", "xpath:matches(//a, '[')",
	} {
		for _, left := range []string{"a[]", "a:int", "a[]:float"} {
			f.Add(left+"="+selector, []byte(shop), "text/html")
		}
	}
	f.Add("a=p", []byte("<svg><p><template><table><b><p>\xff\x00</b>"), "text/html; charset=utf-16")
	f.Add("a=xpath://p/text()", []byte("<p/><![CDATA[x]]>"), "application/xhtml+xml")
	f.Add("a[]=jsonld:a.b", []byte("<script type=application/ld+json>{\"a\":[{\"b\":\"\\ud800\"},{\"@id\":\"x\"}]}"), "")
	f.Fuzz(func(t *testing.T, spec string, body []byte, contentType string) {
		field, err := Parse(spec)
		if err != nil {
			return
		}
		if again, err := Parse(field.String()); err != nil || again.Name != field.Name || again.Type != field.Type || again.List != field.List {
			t.Errorf("%q again is %v, %v", spec, again, err)
		}
		var links []Selector
		if s, err := ParseSelector("div, a"); err == nil {
			links = append(links, s)
		}
		in := Input{ContentType: contentType, Header: http.Header{"X-Count": {string(body)}}, Body: bytes.Clone(body), HTML: true}
		set := NewSet([]Field{field}, links)
		set.work = 200_000
		taken := set.Take(in)
		checkBounds(t, taken)
		if !bytes.Equal(in.Body, body) {
			t.Error("the body was changed")
		}
		if len(taken.Values) > 0 {
			if n := len(taken.Values[0].Values); n > 1 && !field.List {
				t.Errorf("%d values of a field that is no list", n)
			}
			for _, v := range taken.Values[0].Values {
				if field.Type != Text && parseNumber(v, field.Type, true) != v {
					t.Errorf("%q is no %v as it should be written", v, field.Type)
				}
			}
		}
	})
}

// FuzzNumber holds numbers to their form: reading one again gives the same.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1,234", "-$1.299,50", "4.5 of 5", "1'234", "१२३", ".5", "1e5", "- 5", "12,34,567", "1.2M", "٫5", "5٫"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, typ := range []Type{Int, Float} {
			for _, machine := range []bool{false, true} {
				n := parseNumber(s, typ, machine)
				if n == "" {
					continue
				}
				if again := parseNumber(n, typ, true); again != n {
					t.Errorf("%q is %q as %v, and that is %q", s, n, typ, again)
				}
			}
		}
	})
}
