package crawl

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/page"
	"pawl/storage"
)

// onSitemaps is a crawl of a site whose pages are found by sitemaps.
func onSitemaps(t *testing.T) (*site, *fakeweb.Sitemaps) {
	t.Helper()
	web, err := fakeweb.NewSitemaps(fakeweb.DefaultSitemaps())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, path: newPath(t)}
	s.opt = Options{Settings: Defaults("pawl/test"), Transport: web, Input: Input{Args: []string{web.Seed()}}}
	s.opt.Delay = 0
	return s, web
}

// wantSitemaps holds what became of a site of sitemaps at root against its truth.
func (s *site) wantSitemaps(web *fakeweb.Sitemaps, root string) {
	s.t.Helper()
	if root == "" {
		root = strings.TrimSuffix(web.Seed(), "/")
	}
	rows, skipped := s.outcomes(), s.skipped()
	for want := range web.Expected(root) {
		got := rows[want.URL]
		delete(rows, want.URL)
		if want.Sitemap && want.Outcome == fakeweb.Skipped {
			// The site names it in its own robots.txt, so it is asked for, but there is
			// no such host.
			if skipped[want.URL] != "exclude" && (got == nil || said(got) != "failed robots") {
				s.t.Errorf("%s was not asked for: %+v", want.URL, got)
			}
			continue
		}
		if want.Outcome == fakeweb.Skipped {
			if got != nil || skipped[want.URL] != want.Reason {
				s.t.Errorf("%s is skipped because of %q, want %q", want.URL, skipped[want.URL], want.Reason)
			}
			continue
		}
		if got == nil {
			s.t.Errorf("%s is missing, want %s", want.URL, want.Outcome)
			continue
		}
		if got.Outcome.String() != string(want.Outcome) || int(got.Status) != want.Status {
			s.t.Errorf("%s is %s %d, want %s %d", want.URL, got.Outcome, got.Status, want.Outcome, want.Status)
		}
		kind := page.KindSitemap
		switch {
		case want.From == "":
			kind = page.KindSeed
		case want.Sitemap:
			kind = page.KindSitemapFile
		}
		is := page.Kind(got.Record.Kind)
		if is.SitemapFile() {
			is = page.KindSitemapFile
		}
		if got.Depth != 0 || is != kind {
			if !want.Linked || got.Depth > 1 {
				s.t.Errorf("%s is a %s of depth %d", want.URL, page.Kind(got.Record.Kind), got.Depth)
			}
		}
		if want.Linked || want.From == "" {
			continue
		}
		if got.FoundOn != root+want.From || got.Record.Anchor != plainDate(want.LastMod) {
			s.t.Errorf("%s was found on %s with %q, want %s with %q", want.URL, got.FoundOn, got.Record.Anchor, root+want.From, plainDate(want.LastMod))
		}
		if want.Sitemap && want.Status == 200 && int(got.Record.Outlinks) < want.Entries {
			s.t.Errorf("%s has %d entries, want %d", want.URL, got.Record.Outlinks, want.Entries)
		}
	}
	for _, url := range slices.Sorted(maps.Keys(rows)) {
		s.t.Errorf("%s was not expected: %s", url, rows[url].Outcome)
	}
}

// plainDate is a date of a sitemap as records have it.
func plainDate(text string) string {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04-07:00", time.RFC1123Z} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Format(time.RFC3339)
		}
	}
	return text
}

// wantOnce checks that each address was asked for once at most, but for spare
// requests in all.
func wantOnce(t *testing.T, asked map[string]int, spare int) {
	t.Helper()
	extra := 0
	for url, n := range asked {
		if extra += n - 1; n > 1 && spare == 0 {
			t.Errorf("%s was asked for %d times", url, n)
		}
	}
	if extra > spare {
		t.Errorf("%d requests too many, at most %d may be", extra, spare)
	}
}

func TestSitemaps(t *testing.T) {
	inBubble(t, "by one worker", func(t *testing.T) {
		s, web := onSitemaps(t)
		s.opt.Workers = 1
		s.finish()
		s.wantSitemaps(web, "")
		wantOnce(t, web.Tally().URLs(fakeweb.SitemapsHost), 0)
	})
	inBubble(t, "by many", func(t *testing.T) {
		s, web := onSitemaps(t)
		s.finish()
		s.wantSitemaps(web, "")
		asked := web.Tally().Total()
		if again := s.finish(); web.Tally().Total() != asked || again.Counts.Requests != again.Before.Requests {
			t.Error("the second run asked for something")
		}
	})
	inBubble(t, "stopped and gone on", func(t *testing.T) {
		for most := 1; most < 200; most += 13 {
			s, web := onSitemaps(t)
			s.opt.MaxPages = most
			s.run(t.Context())
			s.opt.MaxPages = 0
			s.finish()
			s.wantSitemaps(web, "")
			wantOnce(t, web.Tally().URLs(fakeweb.SitemapsHost), 0)
		}
	})
	inBubble(t, "killed and gone on", func(t *testing.T) {
		for _, after := range some(3, 8, 20, 60, 150) {
			s, web := onSitemaps(t)
			s.opt.Delay, s.opt.Workers, s.opt.PerHost = 100*time.Millisecond, 4, 4
			died := 0
			for s.killAfter(time.Duration(after) * 100 * time.Millisecond) {
				if died++; died == 3 {
					break
				}
			}
			if died == 0 {
				t.Fatal("it was over before")
			}
			s.finish()
			s.wantSitemaps(web, "")
			wantOnce(t, web.Tally().URLs(fakeweb.SitemapsHost), died*4)
		}
	})
	t.Run("over sockets", func(t *testing.T) {
		s, web := onSitemaps(t)
		server := httptest.NewServer(web)
		defer server.Close()
		s.opt.Transport, s.opt.Retries, s.opt.Input.Args = nil, 0, []string{server.URL + "/"}
		// The name that does not resolve is looked up for real.
		s.opt.Exclude = []string{"^http://" + strings.ReplaceAll(fakeweb.ElsewhereHost, ".", `\.`) + "/sitemap"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if sum := s.run(ctx); sum.End != Finished {
			t.Fatalf("ended %s", sum.End)
		}
		s.wantSitemaps(web, server.URL)
	})
}

// urlset is a sitemap of addresses.
func urlset(urls ...string) answer {
	return answer{body: sitemapText("urlset", "url", urls), header: map[string]string{"Content-Type": "application/xml"}}
}

// index is a sitemap of sitemaps.
func index(urls ...string) answer {
	return answer{body: sitemapText("sitemapindex", "sitemap", urls), header: map[string]string{"Content-Type": "text/xml"}}
}

func sitemapText(root, element string, urls []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\"?>\n<%s xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n", root)
	for _, u := range urls {
		fmt.Fprintf(&b, "<%s><loc>%s</loc></%s>\n", element, strings.ReplaceAll(u, "&", "&amp;"), element)
	}
	fmt.Fprintf(&b, "</%s>\n", root)
	return b.String()
}

func zipped(a answer) answer {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(a.body))
	_ = w.Close()
	a.body = b.String()
	return a
}

func typed(a answer, contentType string) answer {
	a.header = map[string]string{"Content-Type": contentType}
	return a
}

// naming is a robots.txt that names sitemaps.
func naming(sitemaps ...string) answer {
	var b strings.Builder
	b.WriteString("User-agent: *\nDisallow: /private/\n")
	for _, u := range sitemaps {
		b.WriteString("Sitemap: " + u + "\n")
	}
	return text(b.String())
}

func TestSitemapsOnPaper(t *testing.T) {
	const a, b = "http://a.test/", "http://b.test/"
	for _, c := range []struct {
		name    string
		set     func(o *Options)
		web     map[string]answer
		want    map[string]string // beside the root
		skipped map[string]string
		depth   map[string]int // where it is not 0
	}{
		{
			name: "entries of another host are out of scope",
			web:  map[string]answer{a + "robots.txt": naming(a + "s.xml"), a + "s.xml": urlset(a+"1", b+"1"), a + "1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{b + "1": "scope"},
		},
		{
			name: "entries of another host in a scope of all",
			set:  func(o *Options) { o.Scope = ScopeAny },
			web:  map[string]answer{a + "robots.txt": naming(a + "s.xml"), a + "s.xml": urlset(a+"1", b+"1"), a + "1": linking(), b + "1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched", b + "1": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "robots.txt names a sitemap of another host",
			web:  map[string]answer{a + "robots.txt": naming(b + "s.xml"), b + "s.xml": urlset(a+"1", b+"1"), a + "1": linking()},
			want: map[string]string{b + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{b + "1": "scope"},
		},
		{
			name: "an index of another host names its own, and others",
			web: map[string]answer{
				a + "robots.txt": naming(b + "i.xml"), b + "i.xml": index(b+"s.xml", "http://c.test/s.xml", a+"s.xml"),
				b + "s.xml": urlset(a + "1"), a + "s.xml": urlset(a + "2"), a + "1": linking(), a + "2": linking(),
			},
			want:    map[string]string{b + "i.xml": "fetched", b + "s.xml": "fetched", a + "s.xml": "fetched", a + "1": "fetched", a + "2": "fetched"},
			skipped: map[string]string{"http://c.test/s.xml": "scope"},
		},
		{
			name: "the robots.txt of a host that only holds a sitemap names others",
			web: map[string]answer{
				a + "robots.txt": naming(b + "s.xml"), b + "robots.txt": naming("http://c.test/s.xml", b+"t.xml"), b + "s.xml": urlset(a + "1"), a + "1": linking(),
				"http://c.test/robots.txt": naming("http://d.test/s.xml"),
			},
			want: map[string]string{b + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{"http://c.test/s.xml": "scope", b + "t.xml": "scope"},
		},
		{
			name: "a sitemap that redirects",
			web: map[string]answer{
				a + "robots.txt": naming(a + "s.xml"), a + "s.xml": moved("/sitemaps/s.xml"), a + "sitemaps/s.xml": urlset(a + "1"), a + "1": linking(),
			},
			want: map[string]string{a + "s.xml": "redirected", a + "sitemaps/s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "a sitemap that redirects to another host",
			web: map[string]answer{
				a + "robots.txt": naming(a + "s.xml"), a + "s.xml": moved(b + "s.xml"), b + "s.xml": urlset(a + "1"), a + "1": linking(),
			},
			want: map[string]string{a + "s.xml": "redirected"}, skipped: map[string]string{b + "s.xml": "scope"},
		},
		{
			name: "sitemaps that redirect in a circle",
			web:  map[string]answer{a + "robots.txt": naming(a + "s.xml"), a + "s.xml": moved("/t.xml"), a + "t.xml": moved("/s.xml")},
			want: map[string]string{a + "s.xml": "redirected", a + "t.xml": "redirected"}, skipped: map[string]string{},
		},
		{
			name: "a compressed sitemap that says it is HTML",
			web: map[string]answer{
				a + "robots.txt": naming(a + "s.xml.gz"), a + "s.xml.gz": typed(zipped(urlset(a+"1")), "text/html"), a + "1": linking(),
			},
			want: map[string]string{a + "s.xml.gz": "fetched", a + "1": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "a sitemap that says it is HTML",
			web:  map[string]answer{a + "robots.txt": naming(a + "s.xml"), a + "s.xml": typed(urlset(a+"1"), "text/html"), a + "1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "a list of addresses",
			web:  map[string]answer{a + "robots.txt": naming(a + "s"), a + "s": text(a + "1\n" + a + "2\n"), a + "1": linking(), a + "2": linking()},
			want: map[string]string{a + "s": "fetched", a + "1": "fetched", a + "2": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "a sitemap that no one names, but a page links",
			web:  map[string]answer{a: linking("/s.xml"), a + "s.xml": urlset(a + "1"), a + "1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{},
			depth: map[string]int{a + "s.xml": 1, a + "1": 2}, // for it may lead to more of its kind
		},
		{
			name: "a seed that turns out to be a sitemap, in list mode",
			set:  func(o *Options) { o.Input.Args, o.MaxDepth = []string{a, a + "s.xml"}, 0 },
			web:  map[string]answer{a: linking(), a + "s.xml": urlset(a + "1")},
			want: map[string]string{a + "s.xml": "fetched"}, skipped: map[string]string{a + "1": "depth"},
		},
		{
			name: "the user's sitemap lists other hosts, one of which redirects",
			set:  func(o *Options) { o.Input.Sitemaps, o.MaxDepth = []string{a + "s.xml"}, 0 },
			web: map[string]answer{
				a: linking(), a + "s.xml": urlset("http://b.test/1", "http://c.test/"), "http://b.test/1": linking("/2"),
				"http://c.test/": moved("http://www.c.test/"), "http://www.c.test/": linking("/2"),
			},
			want: map[string]string{
				a + "s.xml": "fetched", "http://b.test/1": "fetched", "http://c.test/": "redirected", "http://www.c.test/": "fetched",
			},
			skipped: map[string]string{"http://b.test/2": "scope", "http://www.c.test/2": "scope"},
		},
		{
			name: "of the user's sitemap a part is wanted",
			set:  func(o *Options) { o.Input.Sitemaps, o.Include = []string{a + "s.xml"}, []string{"/blog/"} },
			web:  map[string]answer{a: linking(), a + "s.xml": urlset(a+"blog/1", a+"shop/1"), a + "blog/1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "blog/1": "fetched"}, skipped: map[string]string{a + "shop/1": "include"},
		},
		{
			name: "no sitemaps are wanted",
			set:  func(o *Options) { o.NoSitemaps = true },
			web:  map[string]answer{a: linking("/s.xml"), a + "robots.txt": naming(a+"s.xml", a+"t.xml"), a + "s.xml": urlset(a + "1")},
			want: map[string]string{a + "s.xml": "fetched"}, skipped: map[string]string{a + "t.xml": "sitemaps"},
			depth: map[string]int{a + "s.xml": 1},
		},
		{
			name: "no sitemaps are wanted but that of the user",
			set:  func(o *Options) { o.NoSitemaps, o.Input.Sitemaps = true, []string{a + "s.xml"} },
			web:  map[string]answer{a + "robots.txt": naming(a + "t.xml"), a + "s.xml": urlset(a + "1"), a + "1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{a + "t.xml": "sitemaps"},
		},
		{
			name: "nothing but the seeds",
			set:  func(o *Options) { o.MaxDepth = 0 },
			web:  map[string]answer{a: linking("/l"), a + "robots.txt": naming(a + "s.xml"), a + "s.xml": urlset(a + "1")},
			want: map[string]string{}, skipped: map[string]string{a + "l": "depth", a + "s.xml": "depth"},
		},
		{
			name: "nothing but the seeds, some of them in a sitemap",
			set:  func(o *Options) { o.MaxDepth, o.Input.Sitemaps = 0, []string{a + "i.xml"} },
			web: map[string]answer{
				a + "robots.txt": naming(a + "t.xml"), a + "i.xml": index(a + "s.xml"), a + "s.xml": urlset(a + "1"), a + "1": linking("/2"),
			},
			want: map[string]string{a + "i.xml": "fetched", a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{a + "2": "depth", a + "t.xml": "depth"},
		},
		{
			name: "pages that robots.txt forbids",
			web:  map[string]answer{a + "robots.txt": naming(a+"s.xml", a+"private/s.xml"), a + "s.xml": urlset(a+"1", a+"private/1"), a + "1": linking()},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched", a + "private/1": "blocked", a + "private/s.xml": "blocked"}, skipped: map[string]string{},
		},
		{
			name: "sitemaps need not be included",
			set:  func(o *Options) { o.Include = []string{"/docs/"} },
			web: map[string]answer{
				a + "robots.txt": naming(a + "i.xml"), a + "i.xml": index(a + "s.xml"), a + "s.xml": urlset(a+"docs/1", a+"1"), a + "docs/1": linking(),
			},
			want: map[string]string{a + "i.xml": "fetched", a + "s.xml": "fetched", a + "docs/1": "fetched"}, skipped: map[string]string{a + "1": "include"},
		},
		{
			name: "sitemaps may be excluded",
			set:  func(o *Options) { o.Exclude = []string{`\.xml$`} },
			web:  map[string]answer{a + "robots.txt": naming(a + "s.xml"), a + "s.xml": urlset(a + "1")},
			want: map[string]string{}, skipped: map[string]string{a + "s.xml": "exclude"},
		},
		{
			name: "a sitemap that breaks off",
			web: map[string]answer{
				a + "robots.txt": naming(a + "s.xml"), a + "s.xml": {body: strings.Split(urlset(a+"1", a+"2").body, "</url>")[0] + "</url><url><lo", header: map[string]string{"Content-Type": "text/xml"}},
				a + "1": linking(),
			},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "a sitemap that is not there",
			web:  map[string]answer{a + "robots.txt": naming(a + "s.xml"), a + "s.xml": {status: 404, body: urlset(a + "1").body}},
			want: map[string]string{a + "s.xml": "failed 404"}, skipped: map[string]string{},
		},
		{
			name: "indexes that name each other and themselves",
			web: map[string]answer{
				a + "robots.txt": naming(a+"i.xml", a+"i.xml"), a + "i.xml": index(a+"i.xml", a+"j.xml", a+"j.xml"), a + "j.xml": index(a+"i.xml", a+"j.xml"),
			},
			want: map[string]string{a + "i.xml": "fetched", a + "j.xml": "fetched"}, skipped: map[string]string{},
		},
		{
			name: "entries that are no addresses of the web",
			web: map[string]answer{
				a + "robots.txt": naming("http://", "mailto:x@a.test", "/s.xml"), a + "s.xml": urlset("mailto:x@a.test", "javascript:alert(1)", "http://", "file:///etc/passwd", a+"1"), a + "1": linking(),
			},
			want: map[string]string{a + "s.xml": "fetched", a + "1": "fetched"}, skipped: map[string]string{},
		},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, a)
			p.on(a, linking())
			for url, answer := range c.web {
				p.on(url, answer)
			}
			if c.set != nil {
				c.set(&s.opt)
			}
			s.finish()
			want := maps.Clone(c.want)
			want[a] = "fetched"
			s.want(want)
			s.wantSkipped(c.skipped)
			for url, v := range s.outcomes() {
				if int(v.Depth) != c.depth[url] {
					t.Errorf("%s is of depth %d, want %d", url, v.Depth, c.depth[url])
				}
			}
		})
	}
}

// A server that answers with a page where robots.txt names a sitemap has none.
// What the user calls a sitemap may be one made for people.
func TestSitemapThatIsAPage(t *testing.T) {
	const a = "http://a.test/"
	for _, named := range []string{"by robots.txt", "by the user"} {
		t.Run(named, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := onPaper(t, a)
				p.on(a, linking())
				p.on(a+"s.xml", linking("/1", "http://b.test/"))
				p.on(a+"1", linking())
				want := map[string]string{a: "fetched", a + "s.xml": "fetched"}
				if named == "by robots.txt" {
					p.on(a+"robots.txt", naming(a+"s.xml"))
				} else {
					s.opt.Input.Sitemaps = []string{a + "s.xml"}
					want[a+"1"] = "fetched"
				}
				s.finish()
				s.want(want)
			})
		})
	}
}

// The sitemaps of a host are read also when only a folder of it is crawled.
func TestSitemapsOfAFolder(t *testing.T) {
	const a, b = "http://a.test/", "http://b.test/"
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, a+"docs/")
		s.opt.Scope = ScopePrefix
		p.on(a+"robots.txt", naming(a+"s.xml", b+"s.xml"))
		p.on(a+"docs/", linking())
		p.on(a+"s.xml", urlset(a+"docs/1", a+"1"))
		p.on(b+"robots.txt", naming(b+"t.xml"))
		p.on(b+"s.xml", urlset(a+"docs/2", b+"docs/3"))
		p.on(a+"docs/1", linking())
		p.on(a+"docs/2", linking())
		s.finish()
		s.want(map[string]string{a + "docs/": "fetched", a + "s.xml": "fetched", b + "s.xml": "fetched", a + "docs/1": "fetched", a + "docs/2": "fetched"})
		s.wantSkipped(map[string]string{a + "1": "scope", b + "docs/3": "scope", b + "t.xml": "scope"})
	})
}

// A sitemap may list 50,000 addresses. All are admitted, in events of bounded size,
// and none is lost when the crawl dies in the midst of it.
func TestSitemapOfManyPages(t *testing.T) {
	const a, most = "http://a.test/", 50_000
	synctest.Test(t, func(t *testing.T) {
		urls := make([]string, most+10)
		for i := range urls {
			urls[i] = fmt.Sprintf("%sp/%d", a, i)
		}
		s, p := onPaper(t, a)
		p.on(a+"robots.txt", naming(a+"s.xml"))
		p.on(a, linking())
		p.on(a+"s.xml", zipped(urlset(urls...)))
		p.all = func(string) (answer, bool) { return linking(), true }
		s.opt.Delay = 100 * time.Millisecond
		if !s.killAfter(2 * time.Second) {
			t.Fatal("it was over before")
		}
		s.opt.Delay, s.opt.MaxPages = 0, 50
		sum := s.run(t.Context())
		if sum.End != MaxPages || sum.Counts.Pending != most+2-50 {
			t.Errorf("ended %s with %d pending", sum.End, sum.Counts.Pending)
		}
		longest := 0
		file, err := storage.Open(s.path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		err = file.Walk(1, 1<<62, func(_ uint64, event []byte) error {
			longest = max(longest, len(event))
			return nil
		})
		if err != nil || longest > 64<<10 {
			t.Errorf("an event takes %d bytes, %v", longest, err)
		}
	})
}

// An index may name 50,000 sitemaps. Those of other hosts are none of its
// business.
func TestIndexOfOtherHosts(t *testing.T) {
	const a, most = "http://a.test/", 50_000
	synctest.Test(t, func(t *testing.T) {
		urls := make([]string, most)
		for i := range urls {
			urls[i] = fmt.Sprintf("http://h%d.test/sitemap.xml", i)
		}
		s, p := onPaper(t, a)
		p.on(a+"robots.txt", naming(a+"i.xml"))
		p.on(a, linking())
		p.on(a+"i.xml", index(urls...))
		sum := s.finish()
		s.want(map[string]string{a: "fetched", a + "i.xml": "fetched"})
		if n := len(s.skipped()); n != most || sum.Counts.Hosts != 1 {
			t.Errorf("%d are skipped, and %d hosts known", n, sum.Counts.Hosts)
		}
	})
}

// A server that makes up indexes as they are asked for does not keep a crawl
// from ending.
func TestIndexesWithoutEnd(t *testing.T) {
	const a = "http://a.test/"
	t.Run("of sitemaps that list each other as pages", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, p := onPaper(t, a)
			var n atomic.Int64
			p.on(a+"robots.txt", naming(a+"i.xml"))
			p.all = func(url string) (answer, bool) { return urlset(fmt.Sprintf("%si/%d.xml", a, n.Add(1))), url != a }
			s.opt.Delay, s.opt.MaxPages = 0, 5000
			if sum := s.run(t.Context()); sum.End != Finished {
				t.Errorf("ended %s", sum.End)
			}
		})
	})
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, a)
		var n atomic.Int64
		p.on(a+"robots.txt", naming(a+"i.xml"))
		p.all = func(url string) (answer, bool) {
			k := n.Add(1)
			return index(fmt.Sprintf("%si/%d.xml", a, 2*k), fmt.Sprintf("%si/%d.xml", a, 2*k+1)), url != a
		}
		s.opt.Delay, s.opt.MaxPages = 0, 5000
		if sum := s.run(t.Context()); sum.End != Finished {
			t.Errorf("ended %s", sum.End)
		}
	})
}

// Sitemaps that were not wanted are asked for when they are.
func TestSitemapsAreWantedLater(t *testing.T) {
	const a = "http://a.test/"
	for _, c := range []struct {
		name    string
		without func(o *Options)
	}{
		{"after --sitemaps off", func(o *Options) { o.NoSitemaps = true }},
		{"after list mode", func(o *Options) { o.MaxDepth = 0 }},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, a)
			p.on(a+"robots.txt", naming(a+"s.xml"))
			p.on(a, linking())
			p.on(a+"s.xml", urlset(a+"1"))
			p.on(a+"1", linking())
			with := s.opt.Settings
			c.without(&s.opt)
			s.finish()
			s.want(map[string]string{a: "fetched"})
			s.opt.Settings = with
			s.finish()
			s.want(map[string]string{a: "fetched", a + "s.xml": "fetched", a + "1": "fetched"})
		})
	}
}

// A sitemap that is larger than a page may be is asked for again, with more room,
// also when no redirects are followed; the room is not taken by those that wait.
func TestLargeSitemaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts = 8
		var seeds []string
		for i := range hosts {
			seeds = append(seeds, fmt.Sprintf("http://h%d.test/", i))
		}
		s, p := onPaper(t, seeds...)
		padding := strings.Repeat("<!-- padding -->", smallSitemap/16+1)
		for _, root := range seeds {
			p.on(root+"robots.txt", naming(root+"s.xml"))
			p.on(root, linking())
			a := urlset(root + "1")
			a.body = strings.Replace(a.body, "<url>", padding+"<url>", 1)
			p.on(root+"s.xml", slow(a, 10*time.Second))
			p.on(root+"1", linking())
		}
		s.opt.MaxRedirects = 0
		began := time.Now()
		s.finish()
		for url, v := range s.outcomes() {
			if v.Outcome != storage.Fetched || v.Record.Truncated {
				t.Errorf("%s is %s, cut %v", url, v.Outcome, v.Record.Truncated)
			}
		}
		if n := len(s.outcomes()); n != 3*hosts {
			t.Errorf("%d outcomes, want %d", n, 3*hosts)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		if p.of(seeds[0]+"s.xml") != 2 {
			t.Errorf("asked for %d times", p.of(seeds[0]+"s.xml"))
		}
	})
}
