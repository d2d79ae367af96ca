package warc

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// article is a page of about 20 KB that compresses as pages do, to about a quarter.
func article(n int) *Exchange {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	words := strings.Fields("the crawl of a web page is what stands in this text when words come and go with names numbers links and markup between")
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><html><head><title>Article</title></head><body>")
	for b.Len() < 20<<10 {
		fmt.Fprintf(&b, "<div class=\"item item-%d\"><a href=\"/p/%d/%x.html\" title=\"", random.IntN(9), random.IntN(1e5), random.Uint32())
		for range 4 + random.IntN(30) {
			if random.IntN(3) == 0 {
				fmt.Fprintf(&b, "%c%c%c%c%c ", 'a'+random.IntN(26), 'a'+random.IntN(26), 'e', 'a'+random.IntN(26), 'n')
			} else {
				b.WriteString(words[random.IntN(len(words))] + " ")
			}
		}
		b.WriteString("</a></div>\n")
	}
	x := page(n)
	x.Body = b.Bytes()
	x.Response = []byte("HTTP/1.1 200 OK\r\nDate: Wed, 04 Mar 2026 12:00:00 GMT\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\n" +
		"Vary: Accept-Encoding\r\nCache-Control: max-age=600\r\nETag: \"5f3a-6e2\"\r\nStrict-Transport-Security: max-age=31536000\r\nContent-Length: 5123\r\n\r\n")
	return x
}

func articles(count int) (xs []*Exchange, size int64) {
	for n := range count {
		xs = append(xs, article(n))
		size += int64(len(xs[n].Body))
	}
	return xs, size
}

func BenchmarkWrite(b *testing.B) {
	xs, size := articles(64)
	for _, level := range []int{1, 2, 3, 4, 5, 6, 7, 9} {
		b.Run(fmt.Sprintf("level=%d", level), func(b *testing.B) {
			w := NewWriter(io.Discard, testInfo)
			w.enc, _ = newEncoder(level)
			var packed int
			w.w = count{&packed}
			b.ReportAllocs()
			b.SetBytes(size / 64)
			for n := 0; b.Loop(); n++ {
				if err := w.Write(xs[n%64]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(packed)/float64(b.N), "B/page")
		})
	}
}

type count struct{ n *int }

func (c count) Write(p []byte) (int, error) {
	*c.n += len(p)
	return len(p), nil
}

// BenchmarkAdd is a page of a batch of 256, with what syncing costs.
func BenchmarkAdd(b *testing.B) {
	xs, size := articles(256)
	a := mustOpen(b, b.TempDir(), nil, testOptions(1e9))
	b.ReportAllocs()
	b.SetBytes(size / 256)
	for n := 0; b.Loop(); n++ {
		if n%256 == 0 {
			if err := a.Add(xs); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	xs, size := articles(256)
	file := write(b, xs...)
	b.ReportAllocs()
	b.SetBytes(size)
	for b.Loop() {
		if err := Index(io.Discard, bytes.NewReader(file), "a.warc.gz", b.TempDir()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSURT(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		SURT("https://www.example.org/products/Some-Category/item-1234.html?page=2&sort=price&color=red")
	}
}

func BenchmarkAppendResponseHead(b *testing.B) {
	head := article(1).Response
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = AppendResponseHead(dst[:0], head, 20<<10)
	}
}
