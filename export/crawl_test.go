package export

import (
	"fmt"
	"path/filepath"
	"testing"

	"pawl/storage"
)

// crawl is a real crawl file that a test fills.
type crawl struct {
	t     testing.TB
	file  *storage.File
	batch storage.Batch
}

func newCrawl(t testing.TB) *crawl {
	t.Helper()
	f, err := storage.Create(filepath.Join(t.TempDir(), "crawl.pawl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return &crawl{t: t, file: f, batch: storage.Batch{First: 1}}
}

func (c *crawl) add(events ...storage.Event) {
	for _, e := range events {
		c.batch.Add(e)
	}
}

func (c *crawl) commit() {
	c.t.Helper()
	if err := c.file.Commit(&c.batch); err != nil {
		c.t.Fatal(err)
	}
	c.batch.Reset(c.batch.First + uint64(c.batch.Len()))
}

// of is a crawl file that holds the events.
func of(t testing.TB, events ...storage.Event) *storage.File {
	t.Helper()
	c := newCrawl(t)
	c.add(events...)
	c.commit()
	return c.file
}

// noon is 12:00 of 22 November 2026.
const noon = 1795348800000

// samplePage is a page as most are.
func samplePage(i int) *storage.Visit {
	return &storage.Visit{
		Job:     storage.JobID{Host: 0, Ord: uint32(i)},
		URL:     fmt.Sprintf("https://example.org/section-%d/article-%d.html", i%40, i),
		Attempt: 1,
		Origin:  storage.Origin{Depth: uint32(i % 7)},
		Ask:     storage.Ask{Asked: true, Time: noon + int64(i)*100, Took: 183, Transferred: 9_412},
		Outcome: storage.Fetched,
		Status:  200,

		ContentHash: []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff},
		FoundOn:     fmt.Sprintf("https://example.org/section-%d/", i%40),
		Canonical:   fmt.Sprintf("https://example.org/section-%d/article-%d.html", i%40, i),
		Record: storage.Record{
			FoundAt: noon - 60_000 + int64(i)*100, Anchor: "Read more about it", Kind: 4,
			ContentType: "text/html; charset=utf-8", Charset: "utf-8", Language: "en",
			Title:           fmt.Sprintf("Article %d: what the river brought, and why", i),
			MetaDescription: "A short summary of the article, in the length that search engines show to those who look for something.",
			H1:              "What the river brought",
			Outlinks:        42, Size: 38_201, WordCount: 812,
			LastModified: "Sat, 21 Nov 2026 10:00:00 GMT", ETag: `"5f3a-61b"`,
			TTFB: 92, HTTPVersion: "HTTP/2.0", IP: "192.0.2.17", Worker: 3,
		},
	}
}
