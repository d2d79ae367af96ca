package export

import (
	"fmt"
	"io"
	"testing"

	"pawl/storage"
)

// benchFile is a crawl of n pages as they are on average: most of the cells
// filled, eight new links a page.
func benchFile(b *testing.B, n int) *storage.File {
	b.Helper()
	c := newCrawl(b)
	for i := range n {
		c.add(benchPage(i))
		if c.batch.Len() == 256 {
			c.commit()
		}
	}
	c.commit()
	return c.file
}

func benchPage(i int) *storage.Visit {
	v := samplePage(i)
	for j := range 8 {
		v.Links = append(v.Links, storage.Link{
			URL: fmt.Sprintf("https://example.org/section-%d/article-%d.html", i%40, i*8+j), Kind: 4, Anchor: "Read more about it",
		})
	}
	return v
}

func BenchmarkPages(b *testing.B) {
	const rows = 20_000
	f := benchFile(b, rows)
	for format := range formats {
		b.Run(format.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n, err := Pages(io.Discard, f, Options{Format: format})
				if n != rows || err != nil {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkAppendRow(b *testing.B) {
	row := pageRow{seq: 123456, Visit: samplePage(7)}
	for _, format := range []Format{CSV, JSONL} {
		b.Run(format.String(), func(b *testing.B) {
			e, err := pageTable(nil).encoder(Options{Format: format})
			if err != nil {
				b.Fatal(err)
			}
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = e.appendRow(buf[:0], &row)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func BenchmarkSkipped(b *testing.B) {
	const events, each = 5_000, 20
	c := newCrawl(b)
	for i := range events {
		s := &storage.Skip{FoundOn: fmt.Sprintf("https://example.org/section-%d/", i), Time: noon}
		for j := range each {
			s.Links = append(s.Links, skipLink(fmt.Sprintf("https://elsewhere.example/page-%d.html", i*each+j), storage.OutOfScope))
		}
		c.add(s)
	}
	c.batch.State.Counts.Known = events * each
	c.commit()
	b.ReportAllocs()
	for b.Loop() {
		rows, err := Skipped(io.Discard, c.file, Defaults(), eachOf(func(string) bool { return true }))
		if rows != events*each || err != nil {
			b.Fatal(rows, err)
		}
	}
	b.ReportMetric(float64(events*each)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
