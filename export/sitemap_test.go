package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

// urlset is what a reader takes from a sitemap or an index of such.
type urlset struct {
	XMLName xml.Name
	URLs    []struct {
		Loc     string `xml:"loc"`
		LastMod string `xml:"lastmod"`
	} `xml:"url"`
	Parts []struct {
		Loc string `xml:"loc"`
	} `xml:"sitemap"`
}

func readSitemap(t *testing.T, b []byte) urlset {
	t.Helper()
	var s urlset
	if err := xml.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if s.XMLName.Space != "http://www.sitemaps.org/schemas/sitemap/0.9" {
		t.Errorf("namespace %q", s.XMLName.Space)
	}
	if len(b) > 52_428_800 || len(s.URLs) > 50_000 {
		t.Errorf("%d bytes, %d addresses", len(b), len(s.URLs))
	}
	return s
}

func TestSitemap(t *testing.T) {
	html := func(url string, change func(*storage.Visit)) *storage.Visit {
		v := &storage.Visit{
			URL: url, Ask: storage.Ask{Asked: true, Time: noon}, Outcome: storage.Fetched, Status: 200,
			Record: storage.Record{ContentType: "text/html; charset=utf-8"},
		}
		change(v)
		return v
	}
	modified := func(date string) func(*storage.Visit) { return func(v *storage.Visit) { v.Record.LastModified = date } }
	f := of(
		t,
		html("https://a.example/?a=1&b='2'", modified("Sat, 21 Nov 2026 10:00:00 GMT")),
		html("https://a.example/long ago", modified("Thu, 01 Jan 1970 00:00:00 GMT")),
		html("https://a.example/future", modified("Sat, 28 Nov 2026 10:00:00 GMT")),
		html("https://a.example/nonsense", modified("yesterday")),
		html("https://a.example/old form", modified("Sunday, 06-Nov-94 08:49:37 GMT")),
		html("https://a.example/canonical", func(v *storage.Visit) { v.Canonical = v.URL }),
		html("https://a.example/not-1", func(v *storage.Visit) { v.Canonical = "https://a.example/" }),
		html("https://a.example/not-2", func(v *storage.Visit) { v.Record.NoIndex = true }),
		html("https://a.example/not-3", func(v *storage.Visit) { v.Outcome, v.Status = storage.Failed, 404 }),
		html("https://a.example/not-4", func(v *storage.Visit) { v.Outcome, v.Status = storage.Redirected, 301 }),
		html("https://a.example/not-5", func(v *storage.Visit) { v.Record.ContentType = "image/png" }),
		html("https://a.example/not-6", func(v *storage.Visit) { v.Unlisted = true }),
		html("https://a.example/"+strings.Repeat("n", 2048-18), func(v *storage.Visit) {}),
		html("https://a.example/"+strings.Repeat("y", 2047-18), func(v *storage.Visit) {}),
	)
	var b bytes.Buffer
	n, err := Sitemap(&b, f, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range readSitemap(t, b.Bytes()).URLs {
		got = append(got, u.Loc+" "+u.LastMod)
	}
	want := []string{
		"https://a.example/?a=1&b='2' 2026-11-21T10:00:00Z", "https://a.example/long ago ", "https://a.example/future ", "https://a.example/nonsense ",
		"https://a.example/old form 1994-11-06T08:49:37Z", "https://a.example/canonical ", "https://a.example/" + strings.Repeat("y", 2047-18) + " ",
	}
	if diff := cmp.Diff(want, got); diff != "" || n != len(want) {
		t.Errorf("%d: %s", n, diff)
	}
}

// sitemapFile is the content of a file of a sitemap.
func sitemapFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if isGzip(name) {
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func manyPages(t *testing.T, n int, path string) *storage.File {
	t.Helper()
	c := newCrawl(t)
	for i := range n {
		c.add(&storage.Visit{
			URL: fmt.Sprintf("https://a.example/%s%d", path, i), Outcome: storage.Fetched, Status: 200, Record: storage.Record{ContentType: "text/html"},
		})
		if c.batch.Len() == 10_000 {
			c.commit()
		}
	}
	c.commit()
	return c.file
}

func TestSitemapFiles(t *testing.T) {
	for _, c := range []struct {
		name, file string
		n          int
		path       string
		base       string
		files      []string
		locs       []string
	}{
		{"none", "s.xml", 0, "", "", []string{"s.xml"}, nil},
		{"as many as fit", "s.xml", 50_000, "", "", []string{"s.xml"}, nil},
		{
			"one more, compressed", "site map.xml.gz", 50_001, "", "",
			[]string{"site map.xml.gz", "site map-1.xml.gz", "site map-2.xml.gz"},
			[]string{"https://a.example/site%20map-1.xml.gz", "https://a.example/site%20map-2.xml.gz"},
		},
		{
			"one more, elsewhere", "s", 50_001, "new/", "https://cdn.example/maps",
			[]string{"s", "s-1", "s-2"},
			[]string{"https://cdn.example/maps/s-1", "https://cdn.example/maps/s-2"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := manyPages(t, c.n, c.path)
			folder := t.TempDir()
			o := Defaults()
			o.SitemapBase = c.base
			files, urls, err := SitemapFiles(context.Background(), filepath.Join(folder, c.file), f, o)
			if err != nil || urls != c.n {
				t.Fatal(urls, err)
			}
			var names []string
			for _, file := range files {
				names = append(names, filepath.Base(file))
			}
			if diff := cmp.Diff(c.files, names); diff != "" {
				t.Error(diff)
			}
			there, err := os.ReadDir(folder)
			if err != nil || len(there) != len(files) {
				t.Errorf("%d files in the folder, %v", len(there), err)
			}
			if c.locs != nil {
				var locs []string
				for _, p := range readSitemap(t, sitemapFile(t, files[0])).Parts {
					locs = append(locs, p.Loc)
				}
				if diff := cmp.Diff(c.locs, locs); diff != "" {
					t.Error(diff)
				}
				files = files[1:]
			}
			n := 0
			for _, file := range files {
				for _, u := range readSitemap(t, sitemapFile(t, file)).URLs {
					if want := fmt.Sprintf("https://a.example/%s%d", c.path, n); u.Loc != want {
						t.Fatalf("%q, want %q", u.Loc, want)
					}
					n++
				}
			}
			if n != c.n {
				t.Errorf("%d addresses in the files", n)
			}
			var b bytes.Buffer
			_, err = Sitemap(&b, f, o)
			if many := len(c.locs) > 0; many != errors.Is(err, ErrManySitemaps) || many && b.Len() > 0 {
				t.Errorf("to a writer: %v, %d bytes", err, b.Len())
			}
		})
	}
}

func TestSitemapSize(t *testing.T) {
	const room = 52_428_800 - len(sitemapHead) - len(sitemapTail)
	for _, c := range []struct {
		name  string
		size  sitemapSize
		entry int
		want  bool
	}{
		{"empty", sitemapSize{}, 1000, true},
		{"the last address", sitemapSize{urls: 49_999}, 1000, true},
		{"an address too many", sitemapSize{urls: 50_000}, 1000, false},
		{"the last byte", sitemapSize{bytes: room - 1000}, 1000, true},
		{"a byte too many", sitemapSize{bytes: room - 999}, 1000, false},
	} {
		if c.size.fits(make([]byte, c.entry)) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
}

func TestSitemapIsWholeOrNot(t *testing.T) {
	f := manyPages(t, 10, "")
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := SitemapFiles(ctx, filepath.Join(folder, "s.xml"), f, Defaults()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if there, err := os.ReadDir(folder); len(there) > 0 || err != nil {
		t.Error(there, err)
	}
	if _, _, err := SitemapFiles(context.Background(), filepath.Join(folder, "no", "s.xml"), f, Defaults()); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".tmp") {
		t.Error(err)
	}
	if _, _, err := SitemapFiles(context.Background(), folder, f, Defaults()); err == nil {
		t.Error("writes to a folder")
	}
	broken := errors.New("broken pipe")
	if _, err := Sitemap(writerFunc(func([]byte) (int, error) { return 0, broken }), f, Defaults()); err != broken {
		t.Error(err)
	}
}

// A sitemap replaces files alone, and never the one that it is read from.
func TestSitemapReplacesFilesAlone(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	f := manyPages(t, maxSitemapURLs+1, "")
	before, err := os.Stat(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]string{"link.xml": f.Path(), "part-2.xml": f.Path(), "null.xml": os.DevNull, "parts-1.xml": folder} {
		if err := os.Symlink(there, path(name)); err != nil {
			t.Skip(err)
		}
	}
	for name, want := range map[string]string{
		f.Path(): "is the crawl file itself", path("link.xml"): "is the crawl file itself", path("part.xml"): "part-2.xml is the crawl file itself",
		path("null.xml"): "is not a file", folder: "is a folder", path("parts.xml"): "parts-1.xml is a folder",
	} {
		if _, _, err := SitemapFiles(context.Background(), name, f, Defaults()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := os.Stat(f.Path()); err != nil || !os.SameFile(before, after) {
		t.Errorf("the crawl file was replaced: %v", err)
	}
	if there, err := os.ReadDir(folder); len(there) != 4 || err != nil {
		t.Error(there, err)
	}
}

func TestCheckSitemap(t *testing.T) {
	for base, good := range map[string]bool{
		"": true, "https://a.example": true, "http://a.example/maps/": true, "a.example": false, "ftp://a.example/": false, "https://": false,
		"https://a.example/?x": false, "https://a.example/#x": false, "://": false,
	} {
		if err := CheckSitemap(Options{SitemapBase: base}); (err == nil) != good {
			t.Errorf("%q: %v", base, err)
		}
	}
	var refused *ColumnError
	if err := CheckSitemap(Options{Columns: []string{"url"}}); !errors.As(err, &refused) || refused.Nearest != "" {
		t.Error("takes columns")
	}
}

func TestSitemapOfSome(t *testing.T) {
	f := manyPages(t, 30, "")
	var b bytes.Buffer
	if n, err := Sitemap(&b, f, Options{Where: `seq > 10 and not (url endsWith "7")`}); n != 18 || err != nil || len(readSitemap(t, b.Bytes()).URLs) != 18 {
		t.Error(n, err)
	}
	var wrong *WhereError
	if err := CheckSitemap(Options{Where: "titel == nil"}); !errors.As(err, &wrong) {
		t.Error(err)
	}
	if err := CheckSitemap(Options{Where: `text contains "x"`}); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, "stored bodies") || wrong.Nearest != "" {
		t.Error(err)
	}
}
