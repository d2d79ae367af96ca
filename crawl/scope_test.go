package crawl

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

// few writes down a small web in which each address is an HTML page with the
// links after it.
func few(p *paper, web string) {
	for line := range strings.Lines(web) {
		if f := strings.Fields(line); len(f) > 0 {
			links := strings.ReplaceAll(strings.Join(f[1:], " "), "nofollow ", "nofollow_")
			list := strings.Fields(links)
			for i := range list {
				list[i] = strings.Replace(list[i], "nofollow_", "nofollow ", 1)
			}
			p.on(f[0], linking(list...))
		}
	}
}

func TestScope(t *testing.T) {
	const web = `
		http://a.test/        /docs/ /x http://www.a.test/ http://b.test/ http://a.test:8080/ https://a.test/
		http://a.test/x       /
		http://a.test/docs/   /docs/1 /docs/2 /docsother /x
		http://a.test/docs/1  1/below ../x
		http://a.test/docs/2
		http://a.test/docs/1/below
		http://a.test/docsother
		https://a.test/       /secure
		https://a.test/secure
		http://a.test:8080/
		http://www.a.test/    /w
		http://www.a.test/w
		http://b.test/        http://c.test/
		http://c.test/
		http://shop.co.uk/    http://www.shop.co.uk/ http://other.co.uk/
		http://www.shop.co.uk/
		http://other.co.uk/
		http://192.0.2.7/     http://192.1.2.7/
		http://192.1.2.7/
	`
	for _, c := range []struct {
		name  string
		seeds string
		set   func(o *Settings)
		want  string // fetched
	}{
		{
			"host", "http://a.test/", func(o *Settings) {},
			"http://a.test/ http://a.test/docs/ http://a.test/x http://a.test/docs/1 http://a.test/docs/2 http://a.test/docs/1/below http://a.test/docsother https://a.test/ https://a.test/secure",
		},
		{
			"domain", "http://a.test/docs/1", func(o *Settings) { o.Scope = ScopeDomain },
			"http://a.test/docs/1 http://a.test/docs/1/below http://a.test/x http://a.test/ http://a.test/docs/ http://a.test/docs/2 http://a.test/docsother http://a.test:8080/ https://a.test/ https://a.test/secure http://www.a.test/ http://www.a.test/w",
		},
		{
			"domain below a public suffix", "http://shop.co.uk/", func(o *Settings) { o.Scope = ScopeDomain },
			"http://shop.co.uk/ http://www.shop.co.uk/",
		},
		{
			"domain of an address", "http://192.0.2.7/", func(o *Settings) { o.Scope = ScopeDomain },
			"http://192.0.2.7/",
		},
		{
			"prefix", "http://a.test/docs/", func(o *Settings) { o.Scope = ScopePrefix },
			"http://a.test/docs/ http://a.test/docs/1 http://a.test/docs/2 http://a.test/docs/1/below",
		},
		{
			"prefix of two seeds", "http://a.test/docs/1/below http://a.test/docs/1", func(o *Settings) { o.Scope = ScopePrefix },
			"http://a.test/docs/1/below http://a.test/docs/1",
		},
		{
			"any, two deep", "http://a.test/", func(o *Settings) { o.Scope, o.MaxDepth = ScopeAny, 2 },
			"http://a.test/ http://a.test/docs/ http://a.test/x http://a.test/docs/1 http://a.test/docs/2 http://a.test/docsother http://a.test:8080/ https://a.test/ https://a.test/secure http://www.a.test/ http://www.a.test/w http://b.test/ http://c.test/",
		},
		{
			"depth 0", "http://a.test/ http://b.test/", func(o *Settings) { o.MaxDepth = 0 },
			"http://a.test/ http://b.test/",
		},
		{
			"depth 1", "http://a.test/docs/", func(o *Settings) { o.MaxDepth = 1 },
			"http://a.test/docs/ http://a.test/docs/1 http://a.test/docs/2 http://a.test/docsother http://a.test/x",
		},
		{
			"exclude", "http://a.test/", func(o *Settings) { o.Exclude = []string{`/docs/`, `^https:`} },
			"http://a.test/ http://a.test/x",
		},
		{
			"include is not for seeds", "http://a.test/docs/", func(o *Settings) { o.Include = []string{`/\d$`, `below`} },
			"http://a.test/docs/ http://a.test/docs/1 http://a.test/docs/2 http://a.test/docs/1/below",
		},
		{
			"include and exclude", "http://a.test/docs/", func(o *Settings) { o.Include, o.Exclude = []string{`/docs/`}, []string{`2$`} },
			"http://a.test/docs/ http://a.test/docs/1 http://a.test/docs/1/below",
		},
		{
			"a second seed widens the scope", "http://a.test/docs/1 http://www.a.test/w", func(o *Settings) { o.Include = []string{"www"} },
			"http://a.test/docs/1 http://www.a.test/w",
		},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, strings.Fields(c.seeds)...)
			s.opt.Delay = 0
			few(p, web)
			c.set(&s.opt.Settings)
			s.finish()
			want := map[string]string{}
			for u := range strings.FieldsSeq(c.want) {
				want[u] = "fetched"
			}
			s.want(want)
			if len(p.asked) != len(want)+len(p.hostsOfRobots()) {
				t.Errorf("%d requests for %d pages", len(p.asked), len(want))
			}
		})
	}
}

// hostsOfRobots are the origins whose robots.txt was asked for.
func (p *paper) hostsOfRobots() map[string]bool {
	hosts := map[string]bool{}
	for url := range p.count {
		if origin, ok := strings.CutSuffix(url, "/robots.txt"); ok {
			hosts[origin] = true
		}
	}
	return hosts
}

func TestSkippedLinksHaveReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.MaxDepth = 1
		s.opt.Exclude = []string{"secret"}
		long := "/" + strings.Repeat("x", MaxURLLength)
		p.on("http://a.test/", linking("/1", "http://b.test/", "/secret", "nofollow /n", long, "/a/b/a/b/a/b/a/b",
			strings.Repeat("/y", 3)+strings.Repeat("/z/w", 29)+"/"+"/q", "/?"+strings.Repeat("k&", 60),
			"mailto:x@a.test", "javascript:void(0)", "#top", "http://", "/a/b/a/b/a/b"))
		p.on("http://a.test/1", linking("/2"))
		p.on("http://a.test/a/b/a/b/a/b", linking())
		s.finish()
		s.want(map[string]string{"http://a.test/": "fetched", "http://a.test/1": "fetched", "http://a.test/a/b/a/b/a/b": "fetched"})
		s.wantSkipped(map[string]string{
			"http://b.test/":                             "scope",
			"http://a.test/secret":                       "exclude",
			"http://a.test/n":                            "nofollow",
			"http://a.test" + long:                       "url_length",
			"http://a.test/a/b/a/b/a/b/a/b":              "repeated_segments",
			"http://a.test/2":                            "depth",
			"http://a.test/?" + strings.Repeat("k&", 60): "query_params",
			"http://a.test" + strings.Repeat("/y", 3) + strings.Repeat("/z/w", 29) + "//q": "path_segments",
		})
	})
}

func TestRedirects(t *testing.T) {
	const a = "http://a.test/"
	for _, c := range []struct {
		name    string
		seeds   string
		set     func(o *Settings)
		web     map[string]answer
		want    map[string]string
		skipped map[string]string
	}{
		{
			name: "of a link", seeds: a,
			web:  map[string]answer{a: linking("/1"), a + "1": moved("/2"), a + "2": linking()},
			want: map[string]string{a: "fetched", a + "1": "redirected", a + "2": "fetched"},
		},
		{
			name: "of a link to another host", seeds: a,
			web:     map[string]answer{a: linking("/1"), a + "1": moved("http://b.test/2"), "http://b.test/2": linking()},
			want:    map[string]string{a: "fetched", a + "1": "redirected"},
			skipped: map[string]string{"http://b.test/2": "scope"},
		},
		{
			name: "of a seed joins the scope", seeds: "http://x.test/",
			web: map[string]answer{
				"http://x.test/": moved("https://x.test/"), "https://x.test/": moved("https://www.x.test/home"),
				"https://www.x.test/home": linking("/1", "http://x.test/2", "http://y.test/"), "https://www.x.test/1": linking(), "http://x.test/2": linking(),
			},
			want: map[string]string{
				"http://x.test/": "redirected", "https://x.test/": "redirected", "https://www.x.test/home": "fetched",
				"https://www.x.test/1": "fetched", "http://x.test/2": "fetched",
			},
			skipped: map[string]string{"http://y.test/": "scope"},
		},
		{
			name: "of a seed, in list mode", seeds: "http://x.test/ " + a, set: func(o *Settings) { o.MaxDepth = 0 },
			web: map[string]answer{
				"http://x.test/": moved("http://y.test/"), "http://y.test/": moved("/2"), "http://y.test/2": linking("/3"), a: linking("/1"),
			},
			want:    map[string]string{"http://x.test/": "redirected", "http://y.test/": "redirected", "http://y.test/2": "fetched", a: "fetched"},
			skipped: map[string]string{"http://y.test/3": "depth", a + "1": "depth"},
		},
		{
			name: "of a seed to what is excluded", seeds: "http://x.test/", set: func(o *Settings) { o.Exclude = []string{"y.test"} },
			web:     map[string]answer{"http://x.test/": moved("http://y.test/")},
			want:    map[string]string{"http://x.test/": "redirected"},
			skipped: map[string]string{"http://y.test/": "exclude"},
		},
		{
			name: "of a seed in a folder joins that folder", seeds: "http://x.test/a/", set: func(o *Settings) { o.Scope = ScopePrefix },
			web: map[string]answer{
				"http://x.test/a/": moved("/b/c/"), "http://x.test/b/c/": linking("/b/c/1", "/b/2", "/a/3"),
				"http://x.test/b/c/1": linking(), "http://x.test/a/3": linking(),
			},
			want: map[string]string{
				"http://x.test/a/": "redirected", "http://x.test/b/c/": "fetched", "http://x.test/b/c/1": "fetched", "http://x.test/a/3": "fetched",
			},
			skipped: map[string]string{"http://x.test/b/2": "scope"},
		},
		{
			name: "in a circle", seeds: a,
			web:  map[string]answer{a: moved("/1"), a + "1": moved("/2"), a + "2": moved("/")},
			want: map[string]string{a: "redirected", a + "1": "redirected", a + "2": "redirected"},
		},
		{
			name: "as many as there may be", seeds: a, set: func(o *Settings) { o.MaxRedirects = 2 },
			web:  map[string]answer{a: moved("/1"), a + "1": moved("/2"), a + "2": linking()},
			want: map[string]string{a: "redirected", a + "1": "redirected", a + "2": "fetched"},
		},
		{
			name: "one too many", seeds: a, set: func(o *Settings) { o.MaxRedirects = 1 },
			web:     map[string]answer{a: moved("/1"), a + "1": moved("/2"), a + "2": linking()},
			want:    map[string]string{a: "redirected", a + "1": "redirected"},
			skipped: map[string]string{a + "2": "redirects"},
		},
		{
			name: "none allowed", seeds: a, set: func(o *Settings) { o.MaxRedirects = 0 },
			web:     map[string]answer{a: moved("/1"), a + "1": linking()},
			want:    map[string]string{a: "redirected"},
			skipped: map[string]string{a + "1": "redirects"},
		},
		{
			name: "one too many, but linked from a page too", seeds: a, set: func(o *Settings) { o.MaxRedirects, o.Delay = 1, 0 },
			web: map[string]answer{
				a: linking("/1", "/4"), a + "1": moved("/2"), a + "2": moved("/3"), a + "3": linking(), a + "4": slow(linking("/3"), time.Minute),
			},
			want: map[string]string{a: "fetched", a + "1": "redirected", a + "2": "redirected", a + "3": "fetched", a + "4": "failed timeout"},
		},
		{
			name: "without a Location", seeds: a,
			web:  map[string]answer{a: {status: 301}},
			want: map[string]string{a: "failed protocol"},
		},
		{
			name: "304 to a plain request", seeds: a,
			web:  map[string]answer{a: {status: 304}},
			want: map[string]string{a: "failed protocol"},
		},
		{
			name: "to nonsense", seeds: a + " " + a + "1 " + a + "2",
			web:  map[string]answer{a: moved("http://["), a + "1": moved("mailto:x@a.test"), a + "2": moved("http://" + strings.Repeat("x", 70000))},
			want: map[string]string{a: "redirected", a + "1": "redirected", a + "2": "redirected"},
		},
		{
			name: "to itself for ever", seeds: a, set: func(o *Settings) { o.MaxRedirects = 3 },
			web:  map[string]answer{a: moved("/")},
			want: map[string]string{a: "failed protocol"},
		},
		{
			name: "to itself, none allowed", seeds: a, set: func(o *Settings) { o.MaxRedirects = 0 },
			web:  map[string]answer{a: moved("/")},
			want: map[string]string{a: "failed protocol"},
		},
	} {
		if c.name == "one too many, but linked from a page too" {
			c.web[a+"4"] = slow(linking("/3"), 20*time.Second)
			c.want[a+"4"] = "fetched"
		}
		for _, restarts := range some(0, 5) {
			inBubble(t, fmt.Sprintf("%s, %d restarts", c.name, restarts), func(t *testing.T) {
				s, p := onPaper(t, strings.Fields(c.seeds)...)
				if c.set != nil {
					c.set(&s.opt.Settings)
				}
				for url, a := range c.web {
					p.on(url, a)
				}
				for range restarts {
					s.stopAfter(150 * time.Millisecond)
				}
				s.finish()
				s.want(c.want)
				if c.skipped != nil {
					s.wantSkipped(c.skipped)
				}
			})
		}
	}
}

// A site that sets a cookie, or marks its visitors, redirects to the same
// address in another spelling. That is the same page.
func TestRedirectToTheSamePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/?utm_source=mail", "http://a.test/c", "http://a.test/loop")
		p.on("http://a.test/", moved("/?utm_source=x"))
		p.on("http://a.test/?utm_source=x", linking("/1?utm_medium=y", "/1"))
		p.on("http://a.test/1", linking())
		p.on("http://a.test/c", moved("/c"), moved("/c#there"), linking("/2"))
		p.on("http://a.test/2", linking())
		p.on("http://a.test/loop", moved("/loop?gclid=1"))
		p.on("http://a.test/loop?gclid=1", moved("/loop"))
		for range 8 {
			s.stopAfter(150 * time.Millisecond)
		}
		s.finish()
		s.want(map[string]string{
			"http://a.test/": "fetched", "http://a.test/1": "fetched", "http://a.test/c": "fetched",
			"http://a.test/2": "fetched", "http://a.test/loop": "failed protocol",
		})
		if n := p.of("http://a.test/loop") + p.of("http://a.test/loop?gclid=1"); n != 1+s.opt.MaxRedirects {
			t.Errorf("the loop was asked for %d times", n)
		}
		if v := s.outcomes()["http://a.test/c"]; v.Attempt != 1 {
			t.Errorf("a redirect to itself counts as an attempt: %d", v.Attempt)
		}
	})
}

// What a link was first refused for does not keep it out when another way to
// it passes.
func TestKnownIsNotAdmitted(t *testing.T) {
	for _, c := range []struct {
		name  string
		seeds string
		set   func(o *Settings)
		web   string
		want  string // the page in question
		depth uint32
	}{
		{
			"first nofollow", "http://a.test/", func(o *Settings) {},
			"http://a.test/ nofollow /x /1 \n http://a.test/1 /x \n http://a.test/x", "http://a.test/x", 2,
		},
		{
			"nofollow and not in one page", "http://a.test/", func(o *Settings) {},
			"http://a.test/ nofollow /x /x \n http://a.test/x", "http://a.test/x", 1,
		},
		{
			"first too deep", "http://a.test/ http://a.test/s", func(o *Settings) { o.MaxDepth = 1 },
			"http://a.test/ /1 \n http://a.test/1 /x \n http://a.test/s /x \n http://a.test/x", "http://a.test/x", 1,
		},
		{
			"first out of scope", "http://a.test/ http://a.test/s", func(o *Settings) { o.Exclude = []string{"/4"} },
			"http://a.test/ http://b.test/x \n http://a.test/s \n http://b.test/ /x \n http://b.test/x", "http://b.test/x", 1,
		},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, strings.Fields(c.seeds)...)
			s.opt.Workers = 1
			c.set(&s.opt.Settings)
			few(p, c.web)
			if c.name == "first out of scope" {
				// A seed comes to be known as part of the site later.
				p.on("http://a.test/s", slow(moved("http://b.test/"), 5*time.Second))
			}
			s.finish()
			v := s.outcomes()[c.want]
			if v == nil || v.Outcome != storage.Fetched {
				t.Fatalf("%s is missing", c.want)
			}
			if v.Depth != c.depth {
				t.Errorf("depth %d, want %d", v.Depth, c.depth)
			}
		})
	}
}

// The scope grows by a seed's redirect, or by further seeds. Links that were
// refused before are in it then, whatever happens between.
func TestScopeGrows(t *testing.T) {
	for _, c := range []struct {
		name string
		stop func(s *site)
	}{
		{"in one run", func(s *site) { s.finish() }},
		{"stopped in between", func(s *site) { s.stopAfter(8 * time.Second) }},
		{"killed in between", func(s *site) { s.killAfter(8 * time.Second) }},
		{"stopped often", func(s *site) {
			for range 20 {
				s.stopAfter(time.Second)
			}
		}},
	} {
		inBubble(t, "by a redirect, "+c.name, func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/", "http://x.test/")
			p.on("http://a.test/", linking("http://b.test/deep", "http://c.test/", "/slow"))
			p.on("http://a.test/slow", slow(linking(), 9*time.Second))
			p.on("http://x.test/", slow(moved("http://b.test/"), 4*time.Second))
			p.on("http://b.test/", linking())
			p.on("http://b.test/deep", linking("/deeper"))
			p.on("http://b.test/deeper", linking())
			c.stop(s)
			s.finish()
			s.want(map[string]string{
				"http://a.test/": "fetched", "http://a.test/slow": "fetched", "http://x.test/": "redirected",
				"http://b.test/": "fetched", "http://b.test/deep": "fetched", "http://b.test/deeper": "fetched",
			})
		})
		inBubble(t, "by a seed, "+c.name, func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/")
			p.on("http://a.test/", linking("http://b.test/deep", "http://c.test/"))
			p.on("http://b.test/", slow(linking(), 9*time.Second))
			p.on("http://b.test/deep", linking("/deeper"))
			p.on("http://b.test/deeper", linking())
			s.finish()
			s.want(map[string]string{"http://a.test/": "fetched"})
			s.opt.Input.Args = []string{"http://b.test/"}
			c.stop(s)
			s.opt.Input.Args = nil
			s.finish()
			s.want(map[string]string{
				"http://a.test/": "fetched", "http://b.test/": "fetched", "http://b.test/deep": "fetched", "http://b.test/deeper": "fetched",
			})
		})
	}
}

// TestChangedSettings crawls with one set of settings, perhaps not to the end,
// then with another: the rows must be those of a crawl that had the last from
// the start.
func TestChangedSettings(t *testing.T) {
	base := func(o *Settings) {}
	for _, c := range []struct {
		name        string
		first, then func(o *Settings)
	}{
		{"deeper", func(o *Settings) { o.MaxDepth = 1 }, func(o *Settings) { o.MaxDepth = 3 }},
		{"from list mode to all", func(o *Settings) { o.MaxDepth = 0 }, base},
		{"wider scope", base, func(o *Settings) { o.Scope = ScopeAny }},
		{"wider scope, only so deep", func(o *Settings) { o.MaxDepth = 1 }, func(o *Settings) { o.Scope, o.MaxDepth = ScopeDomain, 2 }},
		{"exclude removed", func(o *Settings) { o.Exclude = []string{"[13579]"} }, base},
		{"everything excluded, then not", func(o *Settings) { o.Exclude = []string{"."} }, base},
		{"include removed", func(o *Settings) { o.Include = []string{"h0.test/[a-m]"} }, base},
		{"nofollow ignored", base, func(o *Settings) { o.IgnoreNoFollow = true }},
		{"more redirects", func(o *Settings) { o.MaxRedirects = 1 }, func(o *Settings) { o.MaxRedirects = 10 }},
		{"all at once", func(o *Settings) { o.MaxDepth, o.Exclude = 2, []string{"[13579]"} }, func(o *Settings) { o.Scope, o.IgnoreNoFollow = ScopeAny, true }},
	} {
		for _, when := range []string{"at the end", "on the way", "stopped in the review", "killed in the review"} {
			if raceOn && when != "killed in the review" {
				continue
			}
			inBubble(t, c.name+", "+when, func(t *testing.T) {
				o := fakeweb.Defaults()
				o.Hosts, o.Pages, o.Fanout, o.LinksPerPage = 3, 40, 4, 6
				o.PageBytes = 100
				o.Faults = fakeweb.Faults{NotFound: 30, Redirect: 60, Chain: 60, ChainHops: 4}
				one := func() *site {
					s := newSite(t, o)
					s.opt.Input.Args = s.opt.Input.Args[:1]
					s.opt.Delay = 100 * time.Millisecond
					// The depth of a page must not depend on which answer came first.
					s.opt.Workers = 1
					return s
				}
				s := one()
				c.first(&s.opt.Settings)
				if when == "on the way" {
					s.stopAfter(2 * time.Second)
				} else {
					s.finish()
				}
				s.opt.Settings = one().opt.Settings
				c.then(&s.opt.Settings)
				s.opt.Input.Args = nil // what is in the file must do
				switch when {
				case "stopped in the review":
					for range 3 {
						s.stopAfter(0)
						s.stopAfter(time.Millisecond)
					}
				case "killed in the review":
					for range 3 {
						s.killAfter(0)
						s.killAfter(time.Millisecond)
					}
				}
				s.finish()

				fresh := one()
				c.then(&fresh.opt.Settings)
				fresh.finish()
				got, want := s.brief(), fresh.brief()
				if !maps.Equal(got, want) {
					for url, row := range want {
						if got[url] != row {
							t.Errorf("%s is %q, want %q", url, got[url], row)
						}
					}
					for url, row := range got {
						if want[url] == "" {
							t.Errorf("%s is %q, want no row", url, row)
						}
					}
				}
				if again := s.run(t.Context()); again.Counts.Requests != again.Before.Requests {
					t.Error("a further run makes requests")
				}
			})
		}
	}
}

// Narrower settings take pending addresses out of the queue, and wider ones
// bring them back.
func TestNarrowerSettings(t *testing.T) {
	for _, kill := range []bool{false, true} {
		inBubble(t, fmt.Sprintf("killed %v", kill), func(t *testing.T) {
			o := fakeweb.Defaults()
			o.Hosts, o.Pages = 2, 80
			s := newSite(t, o)
			s.opt.Delay = 100 * time.Millisecond
			stop := func() {
				if kill {
					s.killAfter(3 * time.Second)
				} else {
					s.stopAfter(3 * time.Second)
				}
			}
			stop()
			before := len(s.outcomes())
			s.opt.Exclude = []string{"h1"}
			sum := s.finish()
			if sum.Counts.Withdrawn == 0 || before == 0 {
				t.Errorf("%d left the queue, %d rows before", sum.Counts.Withdrawn, before)
			}
			for url, reason := range s.skipped() {
				if strings.Contains(url, "h1.test") && reason != "exclude" && reason != "nofollow" {
					t.Errorf("%s is skipped because of %q", url, reason)
				}
			}
			s.opt.Exclude = nil
			stop()
			s.opt.MaxDepth = 1
			stop()
			s.opt.MaxDepth = NoLimit
			s.finish()
			s.compare(fakeweb.Walk{})
			spare := 0
			if kill {
				spare = 3 * s.opt.Workers
			}
			s.wantAsks(fakeweb.Walk{}, spare)
		})
	}
}

func TestFormsAreFollowedOnRequest(t *testing.T) {
	const a = "http://a.test/"
	for _, follow := range []bool{false, true} {
		t.Run(fmt.Sprint(follow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := onPaper(t, a)
				p.on(a, answer{body: `<form action="/search?q="><input name=x></form><form method=post action="/post"></form>`})
				p.on(a+"search?q=", linking())
				s.opt.Forms = follow
				s.finish()
				want := map[string]string{a: "fetched"}
				if follow {
					want[a+"search?q="] = "fetched"
				}
				s.want(want)
				// What was not followed is found again when the user changes his mind only
				// on pages to come: it left no trace.
				if p.of(a+"post") > 0 {
					t.Error("a form that posts was asked for")
				}
			})
		})
	}
}
