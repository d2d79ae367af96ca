package crawl

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

// onCookies is a crawl of a site that is closed to those who keep no cookies.
func onCookies(t *testing.T, everywhere bool) (*site, *fakeweb.Cookies) {
	t.Helper()
	o := fakeweb.DefaultCookies()
	o.Everywhere = everywhere
	web, err := fakeweb.NewCookies(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, path: newPath(t)}
	s.opt = Options{Settings: Defaults("pawl/test"), Transport: web, Input: Input{Args: []string{web.Seed()}}}
	return s, web
}

// wantMembers checks that all pages of the site were fetched.
func (s *site) wantMembers(web *fakeweb.Cookies, root string) {
	s.t.Helper()
	rows, n := s.outcomes(), 0
	for path := range web.Content() {
		n++
		if v := rows[root+path]; v == nil || v.Outcome != storage.Fetched {
			s.t.Errorf("%s is not fetched: %+v", path, v)
		}
	}
	if len(rows) != n || web.Refused() != 0 {
		s.t.Errorf("%d rows of %d pages, and %d requests were refused", len(rows), n, web.Refused())
	}
}

// kept is what the crawl file holds of the cookies of each site.
func (s *site) kept() map[string]string {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	found := map[string]string{}
	err = file.View(func(r *storage.Reader) error {
		return r.EachSide(storage.SideCookies, func(site string, value []byte) error {
			found[site] = string(value)
			return nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func TestCookiesAreKept(t *testing.T) {
	const root = "http://" + fakeweb.CookiesHost
	for _, everywhere := range []bool{false, true} {
		name := "at the door, "
		if everywhere {
			name = "everywhere, "
		}
		inBubble(t, name+"in one run", func(t *testing.T) {
			s, web := onCookies(t, everywhere)
			s.finish()
			s.wantMembers(web, root)
			if web.Sessions() != 1 || !strings.Contains(s.kept()[fakeweb.CookiesHost], "visit") {
				t.Errorf("%d sessions, kept %q", web.Sessions(), s.kept())
			}
		})
		inBubble(t, name+"in a run for each page", func(t *testing.T) {
			s, web := onCookies(t, everywhere)
			for n := 1; n <= 51; n++ {
				s.opt.MaxPages = n
				s.run(t.Context())
			}
			s.opt.MaxPages = 0
			s.finish()
			s.wantMembers(web, root)
			if web.Sessions() != 1 {
				t.Errorf("%d sessions", web.Sessions())
			}
		})
		inBubble(t, name+"in runs that die", func(t *testing.T) {
			s, web := onCookies(t, everywhere)
			deaths := 0
			for after := 20 * time.Millisecond; s.killAfter(after); after += 50 * time.Millisecond {
				// With a page in the file its cookie is there too.
				fetched := false
				for _, v := range s.outcomes() {
					fetched = fetched || v.Outcome == storage.Fetched
				}
				if kept := strings.Contains(s.kept()[fakeweb.CookiesHost], "visit"); fetched && !kept {
					t.Fatalf("dead after %v: pages are in the file, the cookie is not", after)
				}
				if fetched && web.Sessions() > 1+deaths {
					t.Fatalf("dead after %v: %d sessions", after, web.Sessions())
				}
				if !fetched {
					deaths++
				}
			}
			s.finish()
			s.wantMembers(web, root)
			if web.Sessions() > 1+deaths {
				t.Errorf("%d sessions, though only %d runs died before the first page", web.Sessions(), deaths)
			}
		})
	}
	inBubble(t, "from several seeds at a time", func(t *testing.T) {
		s, web := onCookies(t, true)
		for path := range web.Content() {
			s.opt.Input.Args = append(s.opt.Input.Args, root+path)
		}
		s.opt.Workers, s.opt.PerHost, s.opt.Delay = 8, 8, 0
		s.finish()
		s.wantMembers(web, root)
		if n := web.Sessions(); n > s.opt.Workers {
			t.Errorf("%d sessions, there are %d workers", n, s.opt.Workers)
		}
	})
	t.Run("over sockets", func(t *testing.T) {
		s, web := onCookies(t, false)
		server := httptest.NewServer(web)
		defer server.Close()
		s.opt.Transport, s.opt.Delay, s.opt.Input.Args = nil, 0, []string{server.URL + "/"}
		for _, most := range []int{5, 20, 0} {
			s.opt.MaxPages = most
			s.run(t.Context())
		}
		s.wantMembers(web, server.URL)
		if web.Sessions() != 1 {
			t.Errorf("%d sessions", web.Sessions())
		}
	})
}

// heard is what requests to each address brought in one header, in their order.
type heard struct {
	http.RoundTripper
	name string
	mu   sync.Mutex
	said map[string][]string
}

func hear(web http.RoundTripper, name string) *heard {
	return &heard{RoundTripper: web, name: name, said: map[string][]string{}}
}

func (h *heard) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	url := r.URL.Scheme + "://" + r.URL.Host + r.URL.RequestURI()
	h.said[url] = append(h.said[url], strings.Join(r.Header[h.name], "; "))
	h.mu.Unlock()
	return h.RoundTripper.RoundTrip(r)
}

// last is what the last request to an address brought.
func (h *heard) last(url string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if of := h.said[url]; len(of) > 0 {
		return of[len(of)-1]
	}
	return "never asked"
}

// setting is a page that sets cookies and links others.
func setting(cookie string, links ...string) answer {
	a := linking(links...)
	a.header = map[string]string{"Set-Cookie": cookie}
	return a
}

const cookieFile = "# Netscape HTTP Cookie File\n"

func TestCookiesOfSeveralRuns(t *testing.T) {
	const a = "http://a.test/"
	// runs are the cookies that the page of each run was asked with.
	for _, c := range []struct {
		name    string
		first   answer // of the root, in the first run
		pause   time.Duration
		files   [2]string // of the user, in each run
		runs    [2]string
		inFile  string // after the second run
		notThen string // nor this
	}{
		{
			name: "a session cookie", first: setting("s=1"), pause: 24 * time.Hour,
			runs: [2]string{"", "s=1"}, inFile: "s",
		},
		{
			name: "one that lives", first: setting("s=1; Max-Age=86400"), pause: time.Hour,
			runs: [2]string{"", "s=1"}, inFile: "s",
		},
		{
			name: "one that expires between runs", first: setting("gone=hereandgone; Max-Age=3600"), pause: 2 * time.Hour,
			runs: [2]string{"", ""}, notThen: "hereandgone",
		},
		{
			name: "one that is taken back by a later page", first: setting("gone=hereandgone", "/back"), pause: time.Hour,
			runs: [2]string{"", ""}, notThen: "hereandgone",
		},
		{
			name: "the user's stays without being given again", first: linking(), pause: time.Hour,
			files: [2]string{cookieFile + "a.test\tFALSE\t/\tFALSE\t0\tu\t1\n"},
			runs:  [2]string{"u=1", "u=1"}, inFile: "u",
		},
		{
			name: "the user's wins over a kept one", first: setting("s=kept"), pause: time.Hour,
			files: [2]string{"", cookieFile + "a.test\tFALSE\t/\tFALSE\t0\ts\tmine\n"},
			runs:  [2]string{"", "s=mine"}, inFile: "mine", notThen: "kept",
		},
		{
			name: "the site's takes the place of the user's", first: setting("s=site"), pause: time.Hour,
			files: [2]string{cookieFile + "a.test\tFALSE\t/\tFALSE\t0\ts\tmine\n"},
			runs:  [2]string{"s=mine", "s=site"}, inFile: "site", notThen: "mine",
		},
		{
			name: "the user's has expired", first: linking(),
			files: [2]string{cookieFile + "a.test\tFALSE\t/\tFALSE\t1\told\thereandgone\n"},
			runs:  [2]string{"", ""}, notThen: "hereandgone",
		},
		{
			name: "the user's for another host", first: linking(),
			files: [2]string{cookieFile + ".b.test\tTRUE\t/\tFALSE\t0\tu\t1\nba.test\tFALSE\t/\tFALSE\t0\tu\t1\n"},
			runs:  [2]string{"", ""},
		},
		{
			name: "of a page that fails", first: answer{status: 404, header: map[string]string{"Set-Cookie": "s=1"}},
			runs: [2]string{"", "s=1"}, inFile: "s",
		},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, a)
			ear := hear(p, "Cookie")
			s.opt.Transport = ear
			p.on(a, c.first)
			p.on(a+"back", setting("gone=x; Max-Age=0"))
			s.opt.Input.Cookies = []byte(c.files[0])
			s.finish()
			if got := ear.last(a); got != c.runs[0] {
				t.Errorf("the first run asked with %q, want %q", got, c.runs[0])
			}
			time.Sleep(c.pause)
			s.opt.Input.Args = []string{a + "again"}
			s.opt.Input.Cookies = []byte(c.files[1])
			s.finish()
			if got := ear.last(a + "again"); got != c.runs[1] {
				t.Errorf("the second run asked with %q, want %q", got, c.runs[1])
			}
			kept := s.kept()["a.test"]
			if !strings.Contains(kept, c.inFile) || c.notThen != "" && strings.Contains(kept, c.notThen) {
				t.Errorf("the file keeps %q", kept)
			}
		})
	}
}

// A stop that breaks off what takes too long keeps the cookies all the same.
func TestCookiesOutliveABrokenOffRun(t *testing.T) {
	const a = "http://a.test/"
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, a)
		ear := hear(p, "Cookie")
		s.opt.Transport = ear
		s.opt.Timeout = time.Hour
		p.on(a, setting("s=1", "/slow"))
		p.on(a+"slow", slow(linking(), 30*time.Minute), linking())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if sum := s.run(ctx); sum.End != Stopped || sum.Counts.Pending != 1 {
			t.Fatalf("ended %s with %d pending", sum.End, sum.Counts.Pending)
		}
		s.finish()
		if got := ear.said[a+"slow"]; len(got) != 2 || got[1] != "s=1" {
			t.Errorf("asked with %q", got)
		}
	})
}
