package fakeweb

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func mustSites(t testing.TB, o SitesOptions) *Sites {
	t.Helper()
	s, err := NewSites(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// linksOf returns the addresses that a page links, resolved, without order or
// repetition taken away.
func linksOf(t testing.TB, at, body string) []string {
	t.Helper()
	base, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	// By hand, as regular expressions are slow under the race detector.
	for _, mark := range []string{` href="`, ` src="`} {
		for rest := body; ; {
			var ref string
			var ok bool
			if _, rest, ok = strings.Cut(rest, mark); !ok {
				break
			}
			ref, rest, _ = strings.Cut(rest, `"`)
			if strings.HasPrefix(ref, "/") {
				all = append(all, base.Scheme+"://"+base.Host+html.UnescapeString(ref))
				continue
			}
			to, err := base.Parse(html.UnescapeString(ref))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, to.String())
		}
	}
	return all
}

// walk fetches what enter admits, breadth first and up to limit pages, and
// returns the bodies by address. It knows nothing of how sites are made.
func walk(t testing.TB, rt http.RoundTripper, seed string, limit int, enter func(address string) bool) map[string]string {
	t.Helper()
	bodies := map[string]string{}
	known := map[string]bool{seed: true}
	for queue := []string{seed}; len(queue) > 0 && len(bodies) < limit; queue = queue[1:] {
		f := mustGet(t, rt, queue[0])
		if f.StatusCode != 200 {
			t.Errorf("%s: status %d", queue[0], f.StatusCode)
		}
		bodies[queue[0]] = f.body
		for _, to := range linksOf(t, queue[0], f.body) {
			if !known[to] && enter(to) {
				known[to] = true
				queue = append(queue, to)
			}
		}
	}
	return bodies
}

func smallSites() SitesOptions {
	o := DefaultSites()
	o.Large = 700
	return o
}

func TestContentIsReachedWithoutTheTrap(t *testing.T) {
	for _, s := range mustSites(t, smallSites()).All() {
		t.Run(s.Name(), func(t *testing.T) {
			// Content that has many addresses is entered once.
			keys := map[string]bool{}
			bodies := walk(t, s.in, s.Seed(), 20_000, func(address string) bool {
				v, key := s.Judge(address)
				if v == Content {
					if keys[key] {
						return false
					}
					keys[key] = true
				}
				return v == Content || v == Passage || v == Missing
			})
			score := s.Score(maps.Keys(bodies))
			passage := score.Passage
			score.Passage = 0
			if want := (Score{Content: len(slices.Collect(s.Content()))}); score != want {
				t.Errorf("%+v, want %+v", score, want)
			}
			if passage < 2 || passage > max(100, score.Content) {
				t.Errorf("%d passages to %d pages of content", passage, score.Content)
			}
			sizes := 0
			for address, body := range bodies {
				if len(body) > 16<<10 {
					t.Errorf("%s: %d bytes", address, len(body))
				}
				sizes += len(body)
			}
			t.Logf("%d content, %d passages, %d bytes a page", score.Content, passage, sizes/len(bodies))
		})
	}
}

// That a page of content links its neighbours must not be what leads to them.
func TestListsAloneLeadToContent(t *testing.T) {
	sites := mustSites(t, smallSites())
	for _, name := range []string{"calendar", "growing", "facets", "sorts", "soft404", "replies", "pagination", "catalogue", "parts", "archive", "words", "queries"} {
		s := sites.Site(name)
		linked := map[string]bool{}
		walk(t, sites, s.Seed(), 2000, func(address string) bool {
			v, key := s.Judge(address)
			linked[key] = true
			return v == Passage
		})
		for key := range s.Content() {
			if !linked[key] {
				t.Errorf("%s: no list links %s", name, key)
			}
		}
	}
}

func TestContentHasCounts(t *testing.T) {
	sites := mustSites(t, DefaultSites())
	for name, want := range map[string]int{
		"calendar": 200 + 24 + 4, "session": 200, "sessionquery": 200, "growing": 204, "facets": 504, "sorts": 504,
		"soft404": 204, "soft404mixed": 204, "replies": 264, "pagination": 204,
		"catalogue": 2004, "parts": 2004, "archive": 2004, "forum": 2014, "words": 2004, "queries": 2004, "gallery": 2004,
	} {
		s := sites.Site(name)
		keys := slices.Collect(s.Content())
		if len(keys) != want {
			t.Errorf("%s: %d pages of content, want %d", name, len(keys), want)
		}
		slices.Sort(keys)
		if n := len(slices.Compact(keys)); n != want {
			t.Errorf("%s: %d pages of content are different, want %d", name, n, want)
		}
	}
}

func TestTrapsAreDeep(t *testing.T) {
	sites := mustSites(t, smallSites())
	for _, s := range sites.All() {
		t.Run(s.Name(), func(t *testing.T) {
			limit := 1500
			if strings.HasPrefix(s.Name(), "session") {
				limit = 500
			}
			bodies := walk(t, sites, s.Seed(), limit, func(address string) bool { return true })
			score := s.Score(maps.Keys(bodies))
			if score.Missing > 0 {
				t.Errorf("%d links lead nowhere", score.Missing)
			}
			if waste := score.Waste + score.Again; s.Trap() != (waste > limit/2) || !s.Trap() && waste > 0 {
				t.Errorf("%+v", score)
			}
			t.Logf("%+v", score)
		})
	}
}

// runs are the words of the main part of a page in runs of four, without tags.
func runs(body string) map[string]bool {
	_, body, _ = strings.Cut(body, "<main>")
	body, _, _ = strings.Cut(body, "</main>")
	var text strings.Builder
	for part := range strings.SplitSeq(body, "<") {
		_, after, _ := strings.Cut(part, ">")
		text.WriteString(after + " ")
	}
	words := strings.Fields(text.String())
	all := map[string]bool{}
	for i := 0; i+4 <= len(words); i++ {
		all[strings.Join(words[i:i+4], " ")] = true
	}
	return all
}

// likeness is the share of what two pages say that they have in common.
func likeness(a, b map[string]bool) float64 {
	common := 0
	for run := range a {
		if b[run] {
			common++
		}
	}
	return float64(common) / float64(max(1, len(a)+len(b)-common))
}

func TestContentDiffersAndTrapsRepeat(t *testing.T) {
	sites := mustSites(t, smallSites())
	alike := map[string]bool{"parts": true, "gallery": true, "session": true, "sessionquery": true, "replies": true}
	for _, s := range sites.All() {
		if alike[s.Name()] {
			continue
		}
		t.Run(s.Name(), func(t *testing.T) {
			var pages []map[string]bool
			for key := range s.Content() {
				if pages = append(pages, runs(mustGet(t, sites, "http://"+s.Host()+key).body)); len(pages) == 30 {
					break
				}
			}
			for i, a := range pages {
				for k, b := range pages[:i] {
					if l := likeness(a, b); l > 0.2 {
						t.Errorf("pages %d and %d have %.2f in common", i, k, l)
					}
				}
			}
		})
	}
	for _, test := range []struct{ a, b string }{
		{"http://growing.test/manual/setup/faq/", "http://growing.test/manual/users/"},
		{"http://soft404.test/gone", "http://soft404.test/gone/too?x=1"},
		{"http://pagination.test/blog?page=900", "http://pagination.test/blog?page=77"},
		{"http://replies.test/forum/thread-7", "http://replies.test/forum/thread-7?replytocom=141"},
	} {
		if l := likeness(runs(mustGet(t, sites, test.a).body), runs(mustGet(t, sites, test.b).body)); l < 0.5 {
			t.Errorf("%s and %s have only %.2f in common", test.a, test.b, l)
		}
	}
}

func TestJudge(t *testing.T) {
	sites := mustSites(t, DefaultSites())
	tests := []struct {
		site, target string
		verdict      Verdict
		key          string
	}{
		{"calendar", "/", Passage, ""},
		{"calendar", "", Passage, ""},
		{"calendar", "/about", Content, "/about"},
		{"calendar", "/about#team", Content, "/about"},
		{"calendar", "/about?x", Missing, ""},
		{"calendar", "/articles", Passage, ""},
		{"calendar", "/articles?page=4", Passage, ""},
		{"calendar", "/articles?page=5", Missing, ""},
		{"calendar", "/articles?page=1", Missing, ""},
		{"calendar", "/events/2026/12", Passage, ""},
		{"calendar", "/events/2027/01", Waste, ""},
		{"calendar", "/events/2025/12/31", Waste, ""},
		{"calendar", "/events/123456/02/29", Waste, ""},
		{"calendar", "/events/2026/13", Missing, ""},
		{"calendar", "/events/2026/02/30", Missing, ""},
		{"calendar", "/events/2026/1", Missing, ""},
		{"calendar", "/events/2026/+1", Missing, ""},
		{"calendar", "/events/0/01", Missing, ""},
		{"session", "/s/0123456789abcdef/page-17", Content, "/page-17"},
		{"session", "/s/0123456789abcdef/page-0", Missing, ""},
		{"session", "/s/0123456789abcdef/page-201", Missing, ""},
		{"session", "/s/0123456789ABCDEF/page-1", Missing, ""},
		{"session", "/page-1", Missing, ""},
		{"session", "/about", Missing, ""},
		{"sessionquery", "/page-17?zsid=0123456789abcdef", Content, "/page-17"},
		{"sessionquery", "/page-17", Missing, ""},
		{"growing", "/manual/", Waste, ""},
		{"growing", "/manual/setup/guide/", Waste, ""},
		{"growing", "/manual", Missing, ""},
		{"facets", "/shop", Passage, ""},
		{"facets", "/shop?page=15", Passage, ""},
		{"facets", "/shop?page=16", Missing, ""},
		{"facets", "/shop?color=red", Waste, ""},
		{"facets", "/shop?sort=price&color=red", Waste, ""},
		{"facets", "/shop?color=red&color=blue", Missing, ""},
		{"facets", "/shop?colour=red", Missing, ""},
		{"sorts", "/list?page=12", Passage, ""},
		{"sorts", "/list?page=13", Missing, ""},
		{"sorts", "/list?per=10&page=30", Waste, ""},
		{"soft404", "/no-such-page", Waste, ""},
		{"soft404mixed", "/articles/no-such-page", Waste, ""},
		{"replies", "/forum/thread-60", Content, "/forum/thread-60"},
		{"replies", "/forum/thread-61", Missing, ""},
		{"replies", "/forum/thread-7?replytocom=141", Waste, ""},
		{"replies", "/forum/thread-7?replytocom=141&from=142", Waste, ""},
		{"replies", "/forum/thread-7?from=142&replytocom=141", Waste, ""},
		{"replies", "/forum/thread-7?from=142", Missing, ""},
		{"replies", "/forum/thread-7?replytocom=141&replytocom=142", Missing, ""},
		{"replies", "/forum/thread-7?replytocom=160", Missing, ""},
		{"pagination", "/blog?page=20", Passage, ""},
		{"pagination", "/blog?page=21", Waste, ""},
		{"pagination", "/blog?page=99999999999999999999", Missing, ""},
		{"catalogue", "/product/11999", Content, "/product/11999"},
		{"catalogue", "/product/12000", Missing, ""},
		{"catalogue", "/category/4?page=20", Passage, ""},
		{"catalogue", "/category/5", Missing, ""},
		{"parts", "/part/6204", Content, "/part/6204"},
		{"parts", "/part/06204", Missing, ""},
		{"archive", "/2008/05/", Passage, ""},
		{"archive", "/2008/05/?page=2", Passage, ""},
		{"archive", "/2007/", Missing, ""},
		{"forum", "/t/5?page=5", Content, "/t/5?page=5"},
		{"forum", "/t/5?page=6", Missing, ""},
		{"forum", "/t/4?page=5", Missing, ""},
		{"words", "/word/bababa", Missing, ""},
		{"queries", "/view.php?id=2000", Content, "/view.php?id=2000"},
		{"queries", "/view.php?id=2001", Missing, ""},
		{"queries", "/view.php", Missing, ""},
		{"gallery", "/photo/2000", Content, "/photo/2000"},
		{"gallery", "/photo/2001", Missing, ""},
		{"gallery", "/image/1.png", Passage, ""},
	}
	for _, test := range tests {
		s := sites.Site(test.site)
		for _, address := range []string{"http://" + s.Host() + test.target, "https://[::1]:80" + test.target} {
			v, key := s.Judge(address)
			if v != test.verdict || key != test.key {
				t.Errorf("%s: %v %q, want %v %q", address, v, key, test.verdict, test.key)
			}
		}
		// The answer is what the verdict says.
		want := 200
		if test.verdict == Missing {
			want = 404
		}
		if f := mustGet(t, sites, "http://"+s.Host()+test.target); f.StatusCode != want {
			t.Errorf("%s%s: status %d", s.Host(), test.target, f.StatusCode)
		}
	}
}

func TestSameOptionsSameSites(t *testing.T) {
	a, b := mustSites(t, DefaultSites()), mustSites(t, DefaultSites())
	o := DefaultSites()
	o.Seed++
	other := mustSites(t, o)
	for _, s := range a.All() {
		if s.Name() == "gallery" {
			continue
		}
		one := mustGet(t, a, s.Seed()).body
		if one != mustGet(t, b, s.Seed()).body || one != mustGet(t, a, s.Seed()).body {
			t.Errorf("%s: two answers", s.Name())
		}
		if one == mustGet(t, other, s.Seed()).body {
			t.Errorf("%s: the same with another seed", s.Name())
		}
	}
}

func TestNamesCanBeReadBack(t *testing.T) {
	l := makeLexicon(7)
	for _, n := range []uint64{0, 1, 2, 63, 64, 99_999, 1 << 20, 1 << 30, slugMask - 1, slugMask} {
		slug := string(l.appendSlug(nil, n))
		if back, ok := l.slug(slug); !ok || back != n {
			t.Errorf("%d: %s is %d, %v", n, slug, back, ok)
		}
		if _, ok := l.slug(slug + "-"); ok {
			t.Errorf("%s- is a slug", slug)
		}
	}
	for _, n := range []int{0, 1, 99, 100, 12_345, 999_999, headwords - 1} {
		word := string(appendHeadword(nil, n))
		if back, ok := headword(word); !ok || back != n {
			t.Errorf("%d: %s is %d, %v", n, word, back, ok)
		}
	}
}

func TestSiteUnderAnyName(t *testing.T) {
	sites := mustSites(t, DefaultSites())
	s := sites.Site("forum")
	server := httptest.NewServer(s)
	defer server.Close()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	if got, want := mustGet(t, rt, server.URL+"/t/5?page=2").body, mustGet(t, sites, "http://forum.test:81/t/5?page=2").body; got != want {
		t.Error("a socket has another answer than memory")
	}
	if robots := mustGet(t, rt, server.URL+"/robots.txt"); !strings.HasPrefix(robots.body, "User-agent: *") {
		t.Errorf("robots.txt: %q", robots.body)
	}
	resp, err := http.Post(server.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestHeadHasNoBody(t *testing.T) {
	sites := mustSites(t, DefaultSites())
	r, err := http.NewRequest(http.MethodHead, sites.Site("words").Seed(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := sites.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) > 0 || resp.ContentLength < 1000 {
		t.Errorf("%d bytes of %d, %v", len(b), resp.ContentLength, err)
	}
	if open := mustGet(t, sites, sites.Site("words").Seed()); open.ContentLength != resp.ContentLength {
		t.Errorf("GET has %d bytes, HEAD says %d", open.ContentLength, resp.ContentLength)
	}
}

func TestHostHeaderDecidesTheSite(t *testing.T) {
	sites := mustSites(t, DefaultSites())
	for host, want := range map[string]int{"words.test": 200, "words.test:8080": 200, "nowhere.test": 404, "words": 404, "127.0.0.1:80": 404} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		rec := httptest.NewRecorder()
		sites.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("%s: %d, want %d", host, rec.Code, want)
		}
	}
	if _, err := get(t, sites, "http://nowhere.test/"); err == nil {
		t.Error("nowhere.test resolves")
	}
	if got := sites.Tally().Host("words.test").Requests; got != 1 {
		t.Errorf("%d requests counted, want 1", got)
	}
}

func TestSitesTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := DefaultSites()
		o.Latency = Fixed(3 * time.Second)
		sites := mustSites(t, o)
		start := time.Now()
		mustGet(t, sites, sites.Site("growing").Seed())
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestOptionsThatMakeNoSites(t *testing.T) {
	for name, spoil := range map[string]func(o *SitesOptions){
		"no content":       func(o *SitesOptions) { o.Content = 0 },
		"too much content": func(o *SitesOptions) { o.Content = 10_001 },
		"nothing large":    func(o *SitesOptions) { o.Large = 0 },
		"too large":        func(o *SitesOptions) { o.Large = 1_000_001 },
	} {
		o := DefaultSites()
		spoil(&o)
		if _, err := NewSites(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSmallestSites(t *testing.T) {
	sites := mustSites(t, SitesOptions{Content: 1, Large: 1})
	for _, s := range sites.All() {
		bodies := walk(t, sites, s.Seed(), 2000, func(address string) bool {
			v, _ := s.Judge(address)
			return v == Content || v == Passage
		})
		if score := s.Score(maps.Keys(bodies)); score.Lost > 0 {
			t.Errorf("%s: %+v", s.Name(), score)
		}
	}
}

// FuzzSites holds that judging and answering agree, for any address.
func FuzzSites(f *testing.F) {
	sites := mustSites(f, smallSites())
	for i := range sites.All() {
		for _, target := range []string{"/", "/articles?page=2", "/events/2026/01/05", "/s/0123456789abcdef/page-1", "/shop?color=red&page=2", "/2008/01/", "/t/5?page=2", "/blog?page=22", "/%", "?", ""} {
			f.Add(i, target)
		}
	}
	f.Fuzz(func(t *testing.T, i int, target string) {
		s := sites.All()[uint(i)%uint(len(sites.All()))]
		path, query, _ := strings.Cut(target, "?")
		shown := s.look(path, query)
		_, a := s.answer(nil, ask{host: s.Host(), target: target})
		if target != "/robots.txt" && (a.status == 404) != (shown.verdict == Missing) {
			t.Errorf("%s %q: %v, status %d", s.Name(), target, shown.verdict, a.status)
		}
	})
}

func BenchmarkSites(b *testing.B) {
	o := DefaultSites()
	o.Tally, o.Large = false, 100_000
	sites := mustSites(b, o)
	for _, test := range []struct{ site, target string }{
		{"calendar", "/events/2031/07"},
		{"session", "/s/0123456789abcdef/page-17"},
		{"growing", "/manual/setup/faq/"},
		{"facets", "/shop?color=red&size=m&sort=name"},
		{"sorts", "/list?sort=price&per=50"},
		{"soft404", "/no-such-page"},
		{"replies", "/forum/thread-7?replytocom=141"},
		{"pagination", "/blog?page=7"},
		{"catalogue", "/product/71234"},
		{"catalogue", "/category/7?page=3"},
		{"parts", "/part/62040"},
		{"archive", "/2008/05/?page=2"},
		{"forum", "/t/123?page=2"},
		{"words", "/word/" + string(appendHeadword(nil, 77_777))},
		{"queries", "/view.php?id=4321"},
		{"gallery", "/photo/1234"},
	} {
		b.Run(test.site, func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, "http://"+test.site+".test"+test.target, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				resp, err := sites.RoundTrip(r)
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(err, resp.StatusCode)
				}
				n, err := io.Copy(io.Discard, resp.Body)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
				resp.Body.Close()
			}
		})
	}
}
