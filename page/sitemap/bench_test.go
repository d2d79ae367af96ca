package sitemap

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// bigFile is a sitemap of 50,000 entries, as most programs write them.
func bigFile() []byte {
	var b strings.Builder
	b.WriteString(xmlDecl + "<urlset" + ns + ">\n")
	for i := range MaxEntries {
		fmt.Fprintf(&b, "  <url>\n    <loc>https://www.example.org/shop/category-%d/product-%d.html?v=1&amp;ref=%d</loc>\n    <lastmod>2024-%02d-%02dT07:08:09+00:00</lastmod>\n"+
			"    <changefreq>weekly</changefreq>\n    <priority>0.8</priority>\n  </url>\n", i%100, i, i, i%12+1, i%28+1)
	}
	b.WriteString("</urlset>\n")
	return []byte(b.String())
}

// manyLanguages is one of 2,000 pages in 20 languages, each with all others and images.
func manyLanguages() []byte {
	var b strings.Builder
	b.WriteString(xmlDecl + "<urlset" + ns + ">\n")
	for i := range 2000 {
		for l := range 20 {
			fmt.Fprintf(&b, "<url><loc>https://www.example.org/l%d/p%d</loc>", l, i)
			for m := range 20 {
				fmt.Fprintf(&b, `<xhtml:link rel="alternate" hreflang="l%d" href="https://www.example.org/l%d/p%d"/>`, m, m, i)
			}
			fmt.Fprintf(&b, "<image:image><image:loc>https://www.example.org/%d.png</image:loc></image:image></url>", i)
		}
	}
	b.WriteString("</urlset>")
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	big := bigFile()
	list := strings.Repeat("https://www.example.org/shop/category/product.html\n", MaxEntries)
	for _, bench := range []struct {
		name string
		body []byte
		size int
	}{
		{"50000 entries", big, len(big)},
		{"50000 entries in gzip", []byte(zip(string(big))), len(big)},
		{"alternates", manyLanguages(), 0},
		{"list", []byte(list), 0},
		{"one entry", []byte(set("<url><loc>https://www.example.org/</loc></url>")), 0},
	} {
		b.Run(bench.name, func(b *testing.B) {
			sp := newSpeller(b)
			b.SetBytes(int64(max(bench.size, len(bench.body))))
			b.ReportAllocs()
			for b.Loop() {
				Parse(Input{URL: "https://www.example.org/sitemap.xml", Body: bytes.NewReader(bench.body), Speller: sp}, func(Entry) bool { return true })
			}
		})
	}
}

// BenchmarkRawToken is what encoding/xml takes for the tokens alone.
func BenchmarkRawToken(b *testing.B) {
	big := bigFile()
	b.SetBytes(int64(len(big)))
	b.ReportAllocs()
	for b.Loop() {
		for dec := xml.NewDecoder(bytes.NewReader(big)); ; {
			if _, err := dec.RawToken(); err == io.EOF {
				break
			}
		}
	}
}

// BenchmarkIs asks it of what a crawl mostly sees.
func BenchmarkIs(b *testing.B) {
	for _, bench := range []struct{ name, body string }{
		{"HTML", "\n<!DOCTYPE html>\n<html lang=en><head>" + strings.Repeat("<meta name=a content=b>", 1000)},
		{"sitemap", set(strings.Repeat("<url><loc>/a</loc></url>", 1000))},
		{"sitemap in gzip", zip(set(strings.Repeat("<url><loc>/a</loc></url>", 1000)))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			body := []byte(bench.body)
			b.ReportAllocs()
			for b.Loop() {
				Is(body)
			}
		})
	}
}

// What Parse holds of a file does not grow with it: but for the strings of the entries, a long file takes no more memory than
// a short one.
func TestMemoryIsFlat(t *testing.T) {
	sp := newSpeller(t)
	perFile := func(entries int) float64 {
		body := set(strings.Repeat("<url><loc>http://x.org/a</loc><lastmod>2024-05-06</lastmod></url>", entries))
		return testing.AllocsPerRun(3, func() {
			Parse(Input{URL: "http://x.org/", Body: strings.NewReader(body), Speller: sp}, func(Entry) bool { return true })
		})
	}
	// One string for each entry, and a little more in all.
	if one, many := perFile(1), perFile(20_000); many > one+20_000+10 {
		t.Errorf("%v allocations for one entry, %v for 20,000", one, many)
	}
}

// What is too long to be an address is not kept, whatever it is made of.
func TestMemoryIsBounded(t *testing.T) {
	sp := newSpeller(t)
	const size, most = 1 << 20, 1 << 20
	for _, part := range []string{"a", "<", "&", "\n", "<![CDATA[a]]>", "<b>", "<!-- -->a", "<? "} {
		for _, head := range []string{"<urlset><url><loc>", "<urlset><url a='", "<urlset><![CDATA[", "<!--", "<!DOCTYPE ", "http://x.org/"} {
			body := head + strings.Repeat(part, size/len(part))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			Parse(Input{URL: "http://x.org/", Body: strings.NewReader(body), Speller: sp}, func(Entry) bool { return true })
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("%s%s...: %d bytes", head, part, took)
			}
		}
	}
}
