package export

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"pawl/page"
	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

// packed is what is kept of the links of a page.
func packed(t testing.TB, base string, links ...storage.PageLink) []storage.Kept {
	t.Helper()
	p, err := storage.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	return []storage.Kept{p.Links(base, links)}
}

// cells are the rows of a table in CSV, without the header.
func cells(t testing.TB, do exporter, f *storage.File, o Options) []string {
	t.Helper()
	got, _ := exported(t, do, f, o)
	lines := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
	return lines[1:]
}

func TestInlinks(t *testing.T) {
	const at = "https://example.org"
	visit := func(path string, outcome storage.Outcome, links ...storage.PageLink) *storage.Visit {
		return &storage.Visit{URL: at + path, Attempt: 1, Outcome: outcome, Status: 200, Kept: packed(t, at+path, links...)}
	}
	link := func(path string, kind page.Kind, count uint32) storage.PageLink {
		return storage.PageLink{URL: at + path, Kind: uint8(kind), Count: count}
	}
	unlisted := visit("/list", storage.Fetched, link("/b", page.KindA, 1))
	unlisted.Unlisted = true
	f := of(
		t,
		visit("/", storage.Fetched, link("/", page.KindA, 1), link("/b", page.KindA, 3), link("/c", page.KindImg, 1), link("/never", page.KindA, 1)),
		visit("/b", storage.Redirected, link("/", page.KindRedirect, 1)),
		visit("/c", storage.Failed, link("/", page.KindArea, 2), link("/b", page.KindFrame, 1), link("/c", page.KindRefresh, math.MaxUint32)),
		unlisted,
		&storage.Visit{URL: at + "/blocked", Outcome: storage.Blocked},
	)
	got := cells(t, Pages, f, Options{Columns: []string{"url", "inlinks", "unique_inlinks"}})
	want := []string{at + "/,3,2", at + "/b,5,3", at + "/c,4294967295,1", at + "/blocked,0,0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := cells(t, Errors, f, Options{Columns: []string{"inlinks"}}); !cmp.Equal(got, []string{"4294967295"}) {
		t.Error(got)
	}
}

// A page that has an address as several kinds is one page that links to it, and
// what a reader cannot take is no link.
func TestInlinksOfSeveralKinds(t *testing.T) {
	const at = "https://example.org/"
	kinds := func(path string, kinds ...page.Kind) (links []storage.PageLink) {
		for i, k := range kinds {
			links = append(links, storage.PageLink{URL: at + path, Kind: uint8(k), Count: uint32(i + 1)})
		}
		return links
	}
	visit := func(path string, links ...storage.PageLink) *storage.Visit {
		return &storage.Visit{URL: at + path, Outcome: storage.Fetched, Status: 200, Kept: packed(t, at+path, links...)}
	}
	f := of(
		t,
		visit("", append(kinds("b", page.KindA, page.KindImg, page.KindArea, page.KindCanonical), kinds("c", page.KindIframe)...)...),
		visit("b", kinds("b", page.KindA, page.KindFrame)...),
		visit("c", kinds("b", page.KindNext, page.KindAlternate)...),
	)
	got := cells(t, Pages, f, Options{Columns: []string{"url", "inlinks", "unique_inlinks"}})
	if diff := cmp.Diff([]string{at + ",0,0", at + "b,7,2", at + "c,1,1"}, got); diff != "" {
		t.Error(diff)
	}
	got = cells(t, profiled(ScreamingFrog), f, Options{Columns: []string{"Inlinks", "Unique Inlinks", "Outlinks", "Unique Outlinks"}})
	if diff := cmp.Diff([]string{"0,0,5,2", "7,2,3,1", "1,1,0,0"}, got); diff != "" {
		t.Error(diff)
	}
	got = cells(t, profiled(Advertools), f, Options{Columns: []string{"links_url", "alt_href", "img_src"}})
	if diff := cmp.Diff([]string{at + "b,," + at + "b", at + "b,,", "," + at + "b,"}, got); diff != "" {
		t.Error(diff)
	}
	got = cells(t, Links, f, Options{Columns: []string{"target", "kind", "count"}, Where: `source == "https://example.org/c"`})
	if diff := cmp.Diff([]string{at + "b,next,1", at + "b,alternate,2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrNoLinks(t *testing.T) {
	f := of(t, samplePage(0))
	for _, column := range []string{"inlinks", "unique_inlinks"} {
		if n, err := Pages(io.Discard, f, Options{Columns: []string{column}}); !errors.Is(err, ErrNoLinks) || n != 0 {
			t.Errorf("%s: %v", column, err)
		}
	}
}

// linkedCrawl is a crawl of n pages that link to one another, of which some were
// not visited, in several commits, and what it links.
func linkedCrawl(t testing.TB, n, each int) (*storage.File, map[string][]storage.PageLink) {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	kinds := []page.Kind{page.KindA, page.KindA, page.KindA, page.KindImg, page.KindRefresh, page.KindCanonical, page.KindArea}
	c := newCrawl(t)
	p, err := storage.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	links := map[string][]storage.PageLink{}
	for i := range n {
		v := samplePage(i)
		taken := map[string]bool{}
		for range random.IntN(each) {
			to := samplePage(random.IntN(n + n/4)).URL
			if taken[to] {
				continue
			}
			taken[to] = true
			links[v.URL] = append(links[v.URL], storage.PageLink{
				URL: to, Kind: uint8(kinds[random.IntN(len(kinds))]), Count: 1 + uint32(random.IntN(3)), Anchor: "a \"link\"",
				NoFollow: random.IntN(4) == 0,
			})
		}
		if len(links[v.URL]) > 0 || random.IntN(2) == 0 {
			v.Kept = []storage.Kept{p.Links(v.URL, links[v.URL])}
		}
		c.add(v)
		if random.IntN(3) == 0 {
			c.add(&storage.Edit{Edit: storage.EditSettings, Settings: []byte("{}")})
		}
		if c.batch.Len() > 200 {
			c.commit()
		}
	}
	c.commit()
	return c.file, links
}

func TestInlinksAgainstAModel(t *testing.T) {
	const n = 3000
	f, links := linkedCrawl(t, n, 20)
	all, unique := map[string]int{}, map[string]int{}
	for _, of := range links {
		for _, l := range of {
			switch page.Kind(l.Kind) {
			case page.KindA, page.KindArea, page.KindRefresh:
				all[l.URL] += int(l.Count)
				unique[l.URL]++
			}
		}
	}
	var want []string
	for i := range n {
		url := samplePage(i).URL
		want = append(want, fmt.Sprintf("%s,%d,%d", url, all[url], unique[url]))
	}
	if diff := cmp.Diff(want, cells(t, Pages, f, Options{Columns: []string{"url", "inlinks", "unique_inlinks"}})); diff != "" {
		t.Error(diff)
	}
}

func TestDiscoveryPath(t *testing.T) {
	visit := func(url, on string, kind page.Kind) *storage.Visit {
		return &storage.Visit{URL: url, FoundOn: on, Outcome: storage.Fetched, Record: storage.Record{Kind: uint8(kind)}}
	}
	events := []storage.Event{
		visit("seed", "", page.KindSeed),
		visit("link", "seed", page.KindA),
		visit("redirect", "link", page.KindRedirect),
		visit("image", "redirect", page.KindImg),
		visit("sitemap", "https://x/robots.txt", page.KindSitemapFile),
		visit("entry", "sitemap", page.KindSitemap),
		visit("form", "entry", page.KindForm),
		visit("refresh", "entry", page.KindRefresh),
		visit("canonical", "entry", page.KindCanonical),
		visit("unknown parent", "nowhere", page.KindA),
		visit("its own parent", "its own parent", page.KindA),
		visit("unknown kind", "seed", 0),
	}
	want := []string{
		"seed,", "link,L", "redirect,LR", "image,LRE", "sitemap,PM", "entry,PMM", "form,PMMS", "refresh,PMMR", "canonical,PMML",
		"unknown parent,L", "its own parent,L", "unknown kind,L",
	}
	// A long way: as Heritrix cuts it.
	path := ""
	for i := range 150 {
		kind, letter := page.KindA, "L"
		if i%7 == 3 {
			kind, letter = page.KindRedirect, "R"
		}
		on := "seed"
		if i > 0 {
			on = "step " + strconv.Itoa(i-1)
		}
		events = append(events, visit("step "+strconv.Itoa(i), on, kind))
		path += letter
		shown := path
		if len(path) > 50 {
			shown = strconv.Itoa(len(path)-50) + "+" + path[len(path)-50:]
		}
		want = append(want, "step "+strconv.Itoa(i)+","+shown)
	}
	got := cells(t, Pages, of(t, events...), Options{Columns: []string{"url", "discovery_path"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAddressesKeepAll(t *testing.T) {
	v := newAddresses(0) // it has to grow
	const n = 20_000
	for i := range uint32(n) {
		v.put(v.fingerprint(strconv.Itoa(int(i))), i)
	}
	for i := range uint32(n) {
		if got, ok := v.find(v.fingerprintOf([]byte(strconv.Itoa(int(i))))); !ok || got != i {
			t.Fatalf("%d: %d, %v", i, got, ok)
		}
	}
	if _, ok := v.find(v.fingerprint("another")); ok {
		t.Error("finds what was not put")
	}
	if len(v.prints) > n*2 {
		t.Errorf("%d places for %d", len(v.prints), n)
	}
	v.put(v.fingerprint("7"), 70)
	if got, _ := v.find(v.fingerprint("7")); got != 70 || v.n != n {
		t.Errorf("put again: %d, %d in all", got, v.n)
	}
}

// The memory of counting links is what is said.
func TestMemoryOfInlinks(t *testing.T) {
	if testing.Short() || raceOn {
		t.Skip("writes a file of 120 MB")
	}
	const n = 300_000
	c := newCrawl(t)
	p, err := storage.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	var links []storage.PageLink
	for i := range n {
		v := &storage.Visit{URL: benchURL(i), Outcome: storage.Fetched, Status: 200}
		links = links[:0]
		for j := range 4 {
			links = append(links, storage.PageLink{URL: benchURL((i*7 + j*j*31) % n), Kind: uint8(page.KindA), Count: 1})
		}
		v.Kept = []storage.Kept{p.Links(v.URL, links)}
		if c.add(v); c.batch.Len() == 10_000 {
			c.batch.State.Counts.Outcomes[storage.Fetched] = uint64(i + 1)
			c.commit()
		}
	}
	c.batch = storage.Batch{}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	last, err := end(c.file)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := countInlinks(c.file, last, pacing{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	var sum uint64
	for _, k := range counts.all {
		sum += uint64(k)
	}
	if sum != 4*n {
		t.Errorf("%d links, want %d", sum, 4*n)
	}
	if kept := after.HeapAlloc - before.HeapAlloc; kept > 9*n {
		t.Errorf("%d bytes a row are left", kept/n)
	}
	// All that was ever allocated for good: the table and the counts. What
	// comes and goes is collected.
	t.Logf("%d bytes a row in all", (after.HeapSys-before.HeapSys)/n)
}

func benchURL(i int) string {
	return "https://example.org/section-" + strconv.Itoa(i%40) + "/article-" + strconv.Itoa(i) + ".html"
}
