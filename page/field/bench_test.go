package field

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// article returns a page of 20 KB with fifty teasers.
func article() []byte {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>News of the day | Example</title>
<meta name="description" content="What happened today, in short."><meta property="og:title" content="News of the day">
<script type="application/ld+json">{"@context":"https://schema.org","@type":"Product","name":"Kettle","offers":{"@type":"Offer","price":"1299.00"}}</script>
</head><body class="page page--article"><h1>News of the day</h1><p class="rating"><span class="bar-number">1,234</span></p>
`)
	for i := range 50 {
		fmt.Fprintf(&b, `<div class="teaser teaser--small" id="t%d"><h3 class="teaser__title"><a class="teaser__link" href="/news/%d.html">Story %d</a></h3>
<img class="teaser__image" src="/img/%d.jpg" alt="A picture" width="320"><p class="teaser__text">%s</p></div>
`, i, i, i, i, strings.Repeat("The committee met on Tuesday. ", 5))
	}
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}

func BenchmarkTake(b *testing.B) {
	in := Input{
		ContentType: "text/html; charset=utf-8", Header: http.Header{"Content-Type": {"text/html"}, "Server": {"x"}},
		Body: article(), HTML: true,
	}
	for _, bench := range []struct {
		name  string
		specs []string
	}{
		{"no tree", []string{"a=header:Content-Type", "b=header:Server", "c=header:X-None"}},
		{"JSON-LD and meta", []string{"a=jsonld:Product.offers.price", "b=og:title", "c=meta:description"}},
		{"6 CSS", []string{"a=h1", "b:int=.rating .bar-number", "c=.teaser:first-of-type a@href", "d=title", "e=#t40 .teaser__text", "f=.missing > a"}},
		{"6 CSS lists", []string{"a[]=h3", "b[]:int=.bar-number", "c[]=.teaser a@href", "d[]=img@src", "e[]=.teaser__text", "f[]=.missing > a"}},
		{"6 XPath", []string{"a=xpath://h1", "b:int=xpath://p[@class='rating']/span", "c=xpath:(//a)[1]/@href", "d=xpath://title", "e=xpath://div[@id='t40']/p", "f=xpath:count(//a)"}},
	} {
		var fields []Field
		for _, spec := range bench.specs {
			f, err := Parse(spec)
			if err != nil {
				b.Fatal(err)
			}
			fields = append(fields, f)
		}
		set := NewSet(fields, nil)
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(in.Body)))
			for b.Loop() {
				if taken := set.Take(in); len(taken.Values) == 0 || taken.Err != nil {
					b.Fatal(taken)
				}
			}
		})
	}
}

// BenchmarkTree is the least that a page costs of which a tree is made.
func BenchmarkTree(b *testing.B) {
	body := article()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := html.Parse(bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}
