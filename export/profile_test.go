package export

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pawl/page"
	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

// frogHeader is the header of an "Internal: All".
const frogHeader = `Address,Content Type,Status Code,Status,Indexability,Indexability Status,Title 1,Title 1 Length,Title 1 Pixel Width,` +
	`Meta Description 1,Meta Description 1 Length,Meta Description 1 Pixel Width,Meta Keywords 1,Meta Keywords 1 Length,H1-1,H1-1 Length,` +
	`H2-1,H2-1 Length,H2-2,H2-2 Length,Meta Robots 1,X-Robots-Tag 1,Meta Refresh 1,Canonical Link Element 1,"rel=""next"" 1","rel=""prev"" 1",` +
	`"HTTP rel=""next"" 1","HTTP rel=""prev"" 1",amphtml Link Element,Size (bytes),Transferred (bytes),Total Transferred (bytes),CO2 (mg),` +
	`Carbon Rating,Word Count,Sentence Count,Average Words Per Sentence,Flesch Reading Ease Score,Readability,Text Ratio,Crawl Depth,Folder Depth,` +
	`Link Score,Inlinks,Unique Inlinks,Unique JS Inlinks,% of Total,Outlinks,Unique Outlinks,Unique JS Outlinks,External Outlinks,` +
	`Unique External Outlinks,Unique External JS Outlinks,Closest Near Duplicate Match,No. Near Duplicates,Spelling Errors,Grammar Errors,Hash,` +
	`Response Time,Last Modified,Redirect URL,Redirect Type,Cookies,Language,HTTP Version,Mobile Alternate Link,` +
	`Closest Semantically Similar Address,Semantic Similarity Score,No. Semantically Similar,Semantic Relevance Score,URL Encoded Address,Crawl Timestamp`

func profiled(p Profile) exporter {
	return func(w io.Writer, f *storage.File, o Options) (int, error) { return ProfilePages(w, f, p, o) }
}

func profileCrawl(t *testing.T, links bool) *storage.File {
	const at = "https://example.org/"
	keep := func(v *storage.Visit, all ...storage.PageLink) *storage.Visit {
		if links {
			v.Kept = packed(t, v.URL, all...)
		}
		return v
	}
	link := func(url string, kind page.Kind, count uint32, anchor string) storage.PageLink {
		return storage.PageLink{URL: url, Kind: uint8(kind), Count: count, Anchor: anchor}
	}
	home := samplePage(0)
	home.URL, home.Canonical, home.FoundOn, home.Hops, home.Seed, home.Record.Kind = at+"a/b.html", "", at+"old", 2, true, uint8(page.KindRedirect)
	home.Record.Title = "Füße"
	followed := link(at, page.KindA, 2, "home")
	followed.NoFollow = true
	return of(
		t,
		&storage.Visit{URL: at, Ask: storage.Ask{Asked: true, Time: noon}, Outcome: storage.Redirected, Status: 301, Redirect: at + "old", Origin: storage.Origin{Seed: true}},
		&storage.Visit{
			URL: at + "old", Ask: storage.Ask{Asked: true, Time: noon}, Outcome: storage.Redirected, Status: 302, Redirect: home.URL, FoundOn: at,
			Origin: storage.Origin{Seed: true, Hops: 1},
		},
		keep(
			home, followed, link(at+"c", page.KindArea, 1, "c"), link(at+"c", page.KindPrev, 2, ""), link(at+"c", page.KindAMP, 1, ""),
			link("https://elsewhere.example/", page.KindA, 3, "else"),
			link(at+"next", page.KindNext, 1, ""), link(at+"x.png", page.KindImg, 1, "a picture"), link(at+"de", page.KindAlternate, 1, ""),
		),
		&storage.Visit{URL: at + "down", Ask: storage.Ask{Time: noon}, Outcome: storage.Failed, Class: storage.DNS, Record: storage.Record{Error: "no such host"}},
		&storage.Visit{URL: at + "no", Ask: storage.Ask{Time: noon}, Outcome: storage.Blocked},
		keep(samplePage(8)),
	)
}

func TestScreamingFrog(t *testing.T) {
	got, rows := exported(t, profiled(ScreamingFrog), profileCrawl(t, true), Options{Format: ScreamingFrog.Format()})
	if header, _, _ := strings.Cut(got, "\r\n"); header != frogHeader || len(ProfileColumns(ScreamingFrog)) != 72 {
		t.Errorf("header %s", header)
	}
	all, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || rows != 6 || len(all) != 7 {
		t.Fatal(rows, err)
	}
	named := func(line []string) map[string]string {
		m := map[string]string{}
		for i, cell := range line {
			if cell != "" {
				m[all[0][i]] = cell
			}
		}
		return m
	}
	want := map[string]string{
		"Address": "https://example.org/a/b.html", "Content Type": "text/html; charset=utf-8", "Status Code": "200", "Status": "OK",
		"Indexability": "Indexable", "Title 1": "Füße", "Title 1 Length": "4",
		"Meta Description 1": samplePage(0).Record.MetaDescription, "Meta Description 1 Length": "103", "H1-1": "What the river brought", "H1-1 Length": "22",
		`rel="next" 1`: "https://example.org/next", `rel="prev" 1`: "https://example.org/c", "amphtml Link Element": "https://example.org/c", "Size (bytes)": "38201", "Transferred (bytes)": "9412", "Word Count": "812",
		"Crawl Depth": "0", "Folder Depth": "1", "Inlinks": "0", "Unique Inlinks": "0", "% of Total": "0",
		"Outlinks": "3", "Unique Outlinks": "2", "External Outlinks": "3", "Unique External Outlinks": "1", "Response Time": "0.183",
		"Last Modified": "Sat, 21 Nov 2026 10:00:00 GMT", "Language": "en", "HTTP Version": "2.0",
		"URL Encoded Address": "https://example.org/a/b.html", "Crawl Timestamp": "2026-11-22 12:00:00",
	}
	if diff := cmp.Diff(want, named(all[3])); diff != "" {
		t.Error(diff)
	}
	want = map[string]string{
		"Address": "https://example.org/", "Status Code": "301", "Status": "Moved Permanently", "Indexability": "Non-Indexable",
		"Indexability Status": "Redirected", "Size (bytes)": "0", "Transferred (bytes)": "0", "Crawl Depth": "0", "Folder Depth": "0", "Inlinks": "2",
		"Unique Inlinks": "1", "% of Total": "50", "Response Time": "0", "Redirect URL": "https://example.org/old", "Redirect Type": "HTTP Redirect",
		"URL Encoded Address": "https://example.org/", "Crawl Timestamp": "2026-11-22 12:00:00",
	}
	if diff := cmp.Diff(want, named(all[1])); diff != "" {
		t.Error(diff)
	}
	t.Run("without links", func(t *testing.T) {
		o := Options{Columns: []string{"Inlinks", "Outlinks", "% of Total", "Status Code"}}
		want := []string{",,,301", ",,,302", ",,,200", ",,,0", ",,,0", ",,,200"}
		if diff := cmp.Diff(want, cells(t, profiled(ScreamingFrog), profileCrawl(t, false), o)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("some", func(t *testing.T) {
		o := Options{Columns: []string{"Address"}, Where: `status == 302 or inlinks == 2 or url endsWith "/no"`}
		want := []string{"https://example.org/", "https://example.org/old", "https://example.org/no"}
		if diff := cmp.Diff(want, cells(t, profiled(ScreamingFrog), profileCrawl(t, true), o)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("fields", func(t *testing.T) {
		o := Options{Columns: []string{"Address", "price"}, Fields: []Field{{Name: "price"}}}
		if err := CheckProfile(ScreamingFrog, o); err != nil {
			t.Error(err)
		}
		var refused *ColumnError
		if err := CheckProfile(ScreamingFrog, Options{Columns: []string{"url"}}); !errors.As(err, &refused) {
			t.Error(err)
		}
	})
}

func TestScreamingFrogWords(t *testing.T) {
	for _, c := range []struct {
		visit                storage.Visit
		status, indexability string
	}{
		{storage.Visit{Outcome: storage.Fetched, Status: 200}, "OK", ""},
		{storage.Visit{Outcome: storage.Fetched, Status: 200, Canonical: "https://a.example/"}, "OK", "Canonicalised"},
		{storage.Visit{Outcome: storage.Fetched, Status: 200, Canonical: "https://a.example/", Record: storage.Record{NoIndex: true}}, "OK", "noindex"},
		{storage.Visit{Outcome: storage.Redirected, Status: 308}, "Permanent Redirect", "Redirected"},
		{storage.Visit{Outcome: storage.Failed, Status: 404}, "Not Found", "Client Error"},
		{storage.Visit{Outcome: storage.Failed, Status: 429, Class: storage.Throttled}, "Too Many Requests", "Client Error"},
		{storage.Visit{Outcome: storage.Failed, Status: 503}, "Service Unavailable", "Server Error"},
		{storage.Visit{Outcome: storage.Failed, Status: 799}, "", "Server Error"},
		{storage.Visit{Outcome: storage.Failed, Class: storage.DNS}, "DNS Lookup Failed", "No Response"},
		{storage.Visit{Outcome: storage.Failed, Class: storage.Connect}, "Connection Error", "No Response"},
		{storage.Visit{Outcome: storage.Failed, Class: storage.Timeout}, "Connection Timeout", "No Response"},
		{storage.Visit{Outcome: storage.Failed, Class: storage.Reset}, "Connection Reset", "No Response"},
		{storage.Visit{Outcome: storage.Failed, Class: storage.Crashed}, "No Response", "No Response"},
		{storage.Visit{Outcome: storage.Blocked}, "Blocked by Robots.txt", "Blocked by robots.txt"},
	} {
		r := &pageRow{Visit: &c.visit}
		if got := frogStatus(r); got != c.status {
			t.Errorf("%+v: status %q, want %q", c.visit, got, c.status)
		}
		if got := frogIndexability(r); got != c.indexability {
			t.Errorf("%+v: indexability %q, want %q", c.visit, got, c.indexability)
		}
	}
}

func TestFolderDepth(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.example/": "0", "https://a.example/x": "0", "https://a.example/x/": "1", "https://a.example/x/y/z.html?a=/b/": "2",
	} {
		v := &storage.Visit{URL: url, Outcome: storage.Fetched}
		if got := cells(t, profiled(ScreamingFrog), of(t, v), Options{Columns: []string{"Folder Depth"}}); got[0] != want {
			t.Errorf("%s: %s, want %s", url, got[0], want)
		}
	}
}

func TestAdvertools(t *testing.T) {
	got, rows := exported(t, profiled(Advertools), profileCrawl(t, true), Options{Format: Advertools.Format()})
	var objects []map[string]any
	d := json.NewDecoder(strings.NewReader(got))
	for d.More() {
		var object map[string]any
		if err := d.Decode(&object); err != nil {
			t.Fatal(err)
		}
		if len(object) != len(ProfileColumns(Advertools)) {
			t.Errorf("%d keys", len(object))
		}
		for key, value := range object {
			if value == nil {
				delete(object, key)
			}
		}
		objects = append(objects, object)
	}
	if rows != 6 || len(objects) != 6 {
		t.Fatal(rows, len(objects))
	}
	const at = "https://example.org/"
	want := map[string]any{
		"url": at + "a/b.html", "title": "Füße", "charset": "utf-8", "meta_desc": samplePage(0).Record.MetaDescription, "alt_href": at + "de",
		"h1": "What the river brought", "size": 38201.0, "download_latency": 0.092, "redirect_times": 2.0,
		"redirect_urls": at + "@@" + at + "old", "redirect_reasons": "301@@302", "depth": 0.0, "status": 200.0,
		"links_url": at + "@@" + at + "c@@https://elsewhere.example/", "links_text": "home@@c@@else", "links_nofollow": "True@@False@@False",
		"img_src": at + "x.png", "img_alt": "a picture", "ip_address": "192.0.2.17", "crawl_time": "2026-11-22 12:00:00",
		"resp_headers_Content-Type": "text/html; charset=utf-8", "resp_headers_Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT",
		"resp_headers_Etag": `"5f3a-61b"`,
	}
	if diff := cmp.Diff(want, objects[2]); diff != "" {
		t.Error(diff)
	}
	want = map[string]any{"url": at + "down", "depth": 0.0, "crawl_time": "2026-11-22 12:00:00", "errors": "dns: no such host"}
	if diff := cmp.Diff(want, objects[3]); diff != "" {
		t.Error(diff)
	}
	if got := objects[4]["errors"]; got != "robots.txt forbids it" {
		t.Error(got)
	}
}

func TestProfileNames(t *testing.T) {
	for _, p := range []Profile{ScreamingFrog, Advertools} {
		if got, err := ParseProfile(p.String()); got != p || err != nil {
			t.Error(p, got, err)
		}
		if names := ProfileColumns(p); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
			t.Errorf("%v has a column twice", p)
		}
	}
	if _, err := ParseProfile("sitebulb"); err == nil || !strings.Contains(err.Error(), "screaming-frog, advertools") {
		t.Error(err)
	}
	if err := CheckProfile(0, Defaults()); err == nil {
		t.Error("accepts no profile")
	}
	if _, err := ProfilePages(io.Discard, of(t, samplePage(0)), 9, Defaults()); err == nil || fmt.Sprint(Profile(9)) != "profile(9)" {
		t.Error(err)
	}
}
