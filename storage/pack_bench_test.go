package storage

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"

	"pawl/internal/fakeweb"
)

// BenchmarkPack compares what could pack the links and the body of a page.
//
//	go test ./storage -run '^$' -bench Pack
func BenchmarkPack(b *testing.B) {
	const base = "https://www.example.com/"
	links := make([]PageLink, 60)
	for i := range links {
		links[i] = PageLink{
			URL:  fmt.Sprintf("%ssection-%d/article-about-things-%d.html", base, i%7, i*7919%100_000),
			Kind: 4, Count: 1, Anchor: fmt.Sprintf("The story of the %d things in %d", i*31%977, i%13),
		}
	}
	o := fakeweb.Defaults()
	o.PageBytes = 20_000
	web, err := fakeweb.New(o)
	if err != nil {
		b.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, web.Seeds()[0], nil)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := web.RoundTrip(request)
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	p := newPacker(b)
	zip, err := gzip.NewWriterLevel(io.Discard, 1)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	for _, what := range []struct {
		name string
		raw  []byte
	}{{"links", appendPageLinks(nil, base, links)}, {"body", body}} {
		space := make([]byte, s2.MaxEncodedLen(len(what.raw)))
		for _, codec := range []struct {
			name string
			pack func() int
		}{
			{"s2", func() int { return len(s2.Encode(space, what.raw)) }},
			{"zstd", func() int { return len(p.zstd.EncodeAll(what.raw, space[:0])) }},
			{"gzip-1", func() int {
				out.Reset()
				zip.Reset(&out)
				zip.Write(what.raw)
				zip.Close()
				return out.Len()
			}},
		} {
			b.Run(what.name+"/"+codec.name, func(b *testing.B) {
				b.SetBytes(int64(len(what.raw)))
				n := 0
				for b.Loop() {
					n = codec.pack()
				}
				b.ReportMetric(float64(n), "bytes")
			})
		}
	}
}
