package page

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// samplePage returns a page of about size bytes with n links, of the mixture that an article of a news site is.
func samplePage(size, n int) []byte {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>News of the day &amp; more | Example</title>
<meta name="description" content="What happened today, in short."><meta name="viewport" content="width=device-width">
<meta property="og:title" content="News of the day"><link rel="canonical" href="https://www.example.org/news/2026/today">
<link rel="stylesheet" href="/static/css/main.4f2a.css"><link rel="icon" href="/favicon.ico">
<script>window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments);}gtag('js',new Date());</script>
<script src="/static/js/app.81bc.js" defer></script></head><body class="page page--article" data-id="4711"><h1>News of the day</h1>
`)
	const text = "The committee met on Tuesday to talk about the plan, which had been put off twice; no decision was made. "
	fill := size/n - 280
	for i := range n {
		fmt.Fprintf(&b, `<div class="teaser teaser--small" id="t%d"><h3 class="teaser__title"><a class="teaser__link" href="/news/2026/11/article-%d.html?ref=home" data-track="click">Story number %d</a></h3>
<img class="teaser__image" src="/img/%d.jpg" alt="A picture" width="320" height="180" loading="lazy"><p class="teaser__text">`, i, i, i, i%10)
		for left := fill; left > 0; left -= len(text) {
			b.WriteString(text[:min(left, len(text))])
		}
		b.WriteString("</p></div>\n")
	}
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}

var samples = []struct {
	name        string
	size, links int
}{
	{"20KB", 20 << 10, 50},
	{"200KB", 200 << 10, 300},
}

// A page costs a handful of allocations beyond those of the Tokenizer, however many links it has.
func TestParseAllocatesLittle(t *testing.T) {
	p := New(newSpeller(t), "pawl")
	for _, sample := range samples {
		in := Input{URL: "https://www.example.org/news/", ContentType: "text/html; charset=utf-8", Body: samplePage(sample.size, sample.links)}
		bare := testing.AllocsPerRun(5, func() {
			for z := html.NewTokenizer(bytes.NewReader(in.Body)); z.Next() != html.ErrorToken; {
			}
		})
		parse := testing.AllocsPerRun(5, func() {
			if _, err := p.Parse(in); err != nil {
				t.Fatal(err)
			}
		})
		if parse-bare > 12 {
			t.Errorf("%s: %v allocations, of which %v of the Tokenizer", sample.name, parse, bare)
		}
	}
}

// BenchmarkTokenizer is the least that a page costs: the bare loop over its tokens.
func BenchmarkTokenizer(b *testing.B) {
	for _, sample := range samples {
		b.Run(sample.name, func(b *testing.B) {
			body := samplePage(sample.size, sample.links)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				for z := html.NewTokenizer(bytes.NewReader(body)); z.Next() != html.ErrorToken; {
				}
			}
		})
	}
}

// BenchmarkTokenizerHrefs reads no more than the addresses of links, by the Tokenizer's own means.
func BenchmarkTokenizerHrefs(b *testing.B) {
	for _, sample := range samples {
		b.Run(sample.name, func(b *testing.B) {
			body := samplePage(sample.size, sample.links)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				z := html.NewTokenizer(bytes.NewReader(body))
				for token := z.Next(); token != html.ErrorToken; token = z.Next() {
					if token != html.StartTagToken {
						continue
					}
					name, more := z.TagName()
					for string(name) == "a" && more {
						_, _, more = z.TagAttr()
					}
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	base, err := newSpeller(b).NewBase("https://www.example.org/news/")
	if err != nil {
		b.Fatal(err)
	}
	ref := []byte("/news/2026/11/article-17.html?ref=home")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = base.Append(dst[:0], ref); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewBase(b *testing.B) {
	sp := newSpeller(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sp.NewBase("https://www.example.org/news/"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, sample := range samples {
		for _, contentType := range []string{"text/html; charset=utf-8", "text/html"} {
			b.Run(sample.name+"/"+contentType, func(b *testing.B) {
				in := Input{URL: "https://www.example.org/news/", ContentType: contentType, Body: samplePage(sample.size, sample.links)}
				p := New(newSpeller(b), "pawl")
				b.SetBytes(int64(len(in.Body)))
				b.ReportAllocs()
				for b.Loop() {
					if page, err := p.Parse(in); err != nil || page.Outlinks != sample.links {
						b.Fatal(page.Outlinks, err)
					}
				}
			})
		}
	}
}

func BenchmarkContentHash(b *testing.B) {
	body := samplePage(20<<10, 50)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		ContentHash(body)
	}
}
