package fakeweb

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	robotsLine = regexp.MustCompile(`(?mi)^sitemap: *(\S+)$`)
	entries    = regexp.MustCompile(`(?s)<(url|sitemap|item|entry)>.*?</(?:url|sitemap|item|entry)>`)
	locations  = regexp.MustCompile(`<(?:loc|link)>([^<]*)<|rel="alternate" href="([^"]*)"`)
	dates      = regexp.MustCompile(`<(?:lastmod|pubDate|updated)>([^<]*)<`)
)

// readSitemaps crawls a site by its sitemaps, as rows without what only the site
// can know.
func readSitemaps(t *testing.T, rt http.RoundTripper, root string) map[string]SitemapRow {
	t.Helper()
	rows := map[string]SitemapRow{}
	var files, pages []string
	find := func(address, from, date string, sitemap bool) {
		if _, ok := rows[address]; ok {
			return
		}
		row := SitemapRow{URL: address, Sitemap: sitemap, From: from, LastMod: date}
		switch {
		case !strings.HasPrefix(address, root+"/"):
			row.Outcome, row.Reason = Skipped, "scope"
		case strings.HasPrefix(address, root+"/private/"):
			row.Outcome = Blocked
		case sitemap:
			files = append(files, address)
		default:
			pages = append(pages, address)
		}
		rows[address] = row
	}
	fetch := func(address string) fetched {
		f := mustGet(t, rt, address)
		row := rows[address]
		if row.Status, row.Outcome = f.StatusCode, Fetched; f.StatusCode >= 400 {
			row.Outcome = Failed
		}
		rows[address] = row
		return f
	}
	find(root+"/", "", "", false)
	for _, m := range robotsLine.FindAllStringSubmatch(mustGet(t, rt, root+"/robots.txt").body, -1) {
		find(m[1], "/robots.txt", "", true)
	}
	for ; len(files) > 0; files = files[1:] {
		at := files[0]
		f := fetch(at)
		if f.StatusCode != 200 {
			continue
		}
		body := f.body
		if strings.HasPrefix(body, "\x1f\x8b") {
			zip, err := gzip.NewReader(bytes.NewReader([]byte(body)))
			if err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(zip)
			if err != nil {
				t.Fatal(err)
			}
			body = string(all)
		}
		from := strings.TrimPrefix(at, root)
		named := map[string]bool{}
		if strings.HasPrefix(f.Header.Get("Content-Type"), "text/plain") {
			for line := range strings.Lines(body) {
				named[strings.TrimSpace(line)] = true
				find(strings.TrimSpace(line), from, "", false)
			}
		}
		for _, m := range entries.FindAllStringSubmatch(body, -1) {
			loc, date := locations.FindStringSubmatch(m[0]), dates.FindStringSubmatch(m[0])
			if date == nil {
				date = []string{"", ""}
			}
			named[loc[1]+loc[2]] = true
			find(loc[1]+loc[2], from, date[1], m[1] == "sitemap")
		}
		row := rows[at]
		row.Entries = len(named)
		rows[at] = row
	}
	for _, address := range pages {
		f := fetch(address)
		for _, to := range linksOf(t, address, f.body) {
			row, ok := rows[to]
			if !ok {
				t.Errorf("%s links %s, which no sitemap names", address, to)
			}
			row.Linked = row.Linked || to != root+"/"
			rows[to] = row
		}
	}
	return rows
}

func TestSitemapsTellTheTruth(t *testing.T) {
	m, err := NewSitemaps(DefaultSitemaps())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m)
	defer server.Close()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	for name, via := range map[string]struct {
		rt   http.RoundTripper
		root string
	}{
		"memory": {m, ""},
		"socket": {rt, server.URL},
	} {
		t.Run(name, func(t *testing.T) {
			root := via.root
			if root == "" {
				root = strings.TrimSuffix(m.Seed(), "/")
			}
			got := readSitemaps(t, via.rt, root)
			n, linked, sitemaps := 0, 0, 0
			outcomes := map[Outcome]int{}
			for want := range m.Expected(via.root) {
				n++
				outcomes[want.Outcome]++
				if want.Linked {
					linked++
				}
				if want.Sitemap {
					sitemaps++
				}
				if _, err := time.Parse(time.RFC3339, want.LastMod); want.From == "/sitemaps/blog.atom" && want.LastMod != "" && err != nil {
					t.Errorf("%s: an Atom feed with the date %s", want.URL, want.LastMod)
				}
				if have := got[want.URL]; have != want {
					t.Errorf("\nwant %+v\nhave %+v", want, have)
				}
			}
			if n != len(got) {
				t.Errorf("%d rows expected, %d found", n, len(got))
			}
			if linked != 4 || sitemaps != 14 || outcomes[Blocked] != 20 || outcomes[Skipped] != 11 || outcomes[Failed] != 1 {
				t.Errorf("%d linked, %d sitemaps, %v", linked, sitemaps, outcomes)
			}
		})
	}
	if _, err := get(t, m, "http://"+ElsewhereHost+"/"); err == nil {
		t.Error("there is another host")
	}
}

func TestSitemapAddressesAreOneSpelling(t *testing.T) {
	m, err := NewSitemaps(DefaultSitemaps())
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/plain/", "/plain/x", "/plain", "/nested/", "/sitemaps/gone.xml", "/sitemaps/pages.xml?x", "/lost/1"} {
		if f := mustGet(t, m, "http://"+SitemapsHost+target); f.StatusCode != 404 {
			t.Errorf("%s: %d", target, f.StatusCode)
		}
	}
}

func TestOptionsThatMakeNoSitemaps(t *testing.T) {
	for _, pages := range []int{-1, 0, 1, 50_001} {
		if _, err := NewSitemaps(SitemapsOptions{Pages: pages}); err == nil {
			t.Errorf("%d pages: no error", pages)
		}
	}
}
