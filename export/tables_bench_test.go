package export

import (
	"fmt"
	"io"
	"testing"

	"pawl/page"
	"pawl/storage"
)

// benchTables is a crawl of n pages of which one in ten redirects and one in ten
// is a duplicate, with so many links each.
func benchTables(b *testing.B, n, links int) *storage.File {
	b.Helper()
	c := newCrawl(b)
	p, err := storage.NewPacker()
	if err != nil {
		b.Fatal(err)
	}
	all := make([]storage.PageLink, links)
	for i := range n {
		v := benchPage(i)
		v.FoundOn = benchPage(i / 8).URL
		v.Record.Fields = []storage.Field{{Name: "name", Values: []string{v.Record.Title}}, {Name: "stars", Values: []string{"1234"}}}
		switch i % 10 {
		case 3:
			v.Outcome, v.Status, v.Redirect = storage.Redirected, 301, samplePage(i+1).URL
		case 4:
			v.DuplicateOf = samplePage(i - 4).URL
		}
		for j := range all {
			// What all pages link, and what few do.
			to := j
			if j > links/2 {
				to = (i*7 + j*j) % n
			}
			all[j] = storage.PageLink{URL: samplePage(to).URL, Kind: uint8(page.KindA), Count: 1, Anchor: "Read more about it"}
		}
		v.Kept = []storage.Kept{p.Links(v.URL, all)}
		c.add(v)
		if c.batch.Len() == 256 {
			c.batch.State.Counts.Outcomes[storage.Fetched] = uint64(i + 1)
			c.commit()
		}
	}
	c.commit()
	return c.file
}

func BenchmarkTables(b *testing.B) {
	const n, links = 20_000, 40
	f := benchTables(b, n, links)
	fields := []Field{{Name: "name"}, {Name: "stars", Type: FieldInt}}
	for _, c := range []struct {
		name  string
		do    exporter
		rows  int
		links int
		o     Options
	}{
		{"pages", Pages, n, 0, Options{}},
		{"redirects", Redirects, n / 10, 0, Options{}},
		{"hosts", Hosts, 1, 0, Options{}},
		{"duplicates", Duplicates, n / 10, 0, Options{}},
		{"fields", Fields, n, 0, Options{Fields: fields}},
		{"links", Links, n * links, n * links, Options{InScope: func(string) bool { return true }}},
		{"inlinks", Pages, n, n * links, Options{Columns: []string{"url", "inlinks", "unique_inlinks"}}},
		{"discovery_path", Pages, n, 0, Options{Columns: []string{"url", "discovery_path"}}},
		{"sitemap", Sitemap, n * 9 / 10, 0, Options{}},
		{"graph", Graph, n, n * links, Options{}},
		{"screaming-frog", profiled(ScreamingFrog), n, 2 * n * links, Options{}},
		{"advertools", profiled(Advertools), n, n * links, Options{Format: JSONL}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rows, err := c.do(io.Discard, f, c.o)
				if err != nil || rows != c.rows {
					b.Fatal(rows, err)
				}
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(n/seconds, "pages/s")
			if c.links > 0 {
				b.ReportMetric(float64(c.links)/seconds, "links/s")
			}
		})
	}
}

func BenchmarkAddresses(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := newAddresses(uint64(n))
			for i := range n {
				v.put(v.fingerprint(benchURL(i)), uint32(i))
			}
			urls := make([]string, 1024)
			for i := range urls {
				urls[i] = benchURL(i * 7919 % (n * 5 / 4))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				v.find(v.fingerprint(urls[i%len(urls)]))
			}
		})
	}
}
