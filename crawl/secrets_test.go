package crawl

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"pawl/export"
	"pawl/storage"
	"pawl/weburl"
)

// request is what a host was told in one.
type request struct {
	url  string // with what userinfo it may have
	head http.Header
}

// recorder keeps all requests.
type recorder struct {
	http.RoundTripper
	mu  sync.Mutex
	all []request
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.all = append(r.all, request{q.URL.String(), q.Header.Clone()})
	r.mu.Unlock()
	return r.RoundTripper.RoundTrip(q)
}

// to gives the requests to a host.
func (r *recorder) to(host string) (found []request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.all {
		if weburl.URL(q.url).Host() == host {
			found = append(found, q)
		}
	}
	return found
}

// What stands in the addresses of this web as a name and password.
const inLink, inSeed = "link-secret", "seed-secret"

// webOfOthers is a web in which the hosts that the user names, a.test and r.test,
// lead to others in all ways there are.
func webOfOthers(p *paper) (seeds, others []string) {
	const a, b = "http://a.test/", "http://b.test/"
	p.on(a+"robots.txt", naming(b+"sitemap.xml", "http://u:"+inLink+"@a.test/sitemap.xml"))
	p.on(a+"sitemap.xml", urlset("http://u:"+inLink+"@b.test/listed", "http://u:"+inLink+"@a.test/listed"))
	page := linking(b+"link", "http://sub.a.test/", "http://a.test:8080/", "https://b.test/", "/moved", "/raw",
		"http://u:"+inLink+"@a.test/named", "http://u:"+inLink+"@b.test/named", "//u:"+inLink+"@b.test/named2")
	page.body += fmt.Sprintf(`<img src=%simg><script src=%sjs></script><iframe src=%sframe></iframe><link rel=stylesheet href="http://u:%s@b.test/css">`, b, b, b, inLink)
	page.header = map[string]string{"Set-Cookie": "jar=jar-secret; Domain=a.test", "Link": "<" + b + "next>; rel=next", "Refresh": "5; url=" + b + "refresh"}
	p.on(a, page)
	p.on(a+"moved", moved("http://u:"+inLink+"@b.test/moved"))
	p.on(a+"raw", moved("http://a.test:8080/raw"))
	p.on(a+"away", moved("http://c.test/"))
	p.on("http://c.test/", linking("/1", a+"back"))
	p.on("http://r.test/robots.txt", moved(b+"r-robots.txt"))
	p.on("http://r.test/", linking(b+"r"))
	p.on(b+"r-robots.txt", text("User-agent: *\nDisallow: /never\n"))
	p.all = func(url string) (answer, bool) { return linking(a, b), !strings.HasSuffix(url, "/robots.txt") }
	seeds = []string{a, "http://u:" + inSeed + "@a.test/two", a + "away", "http://r.test/"}
	others = []string{"b.test", "c.test", "a.test:8080"}
	return seeds, others
}

func TestSecretsGoNowhereElse(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("me:user-secret"))
	for _, c := range []struct {
		name string
		set  func(o *Options)
		// has is the header that a.test is told, with this in it.
		header, has string
		jar         bool // r.test is not told
	}{
		{"a header Authorization", func(o *Options) { o.Headers = []string{"Authorization: Bearer header-secret"} }, "Authorization", "header-secret", false},
		{"a header in other letters", func(o *Options) { o.Headers = []string{"aUTHORIZATION:header-secret"} }, "Authorization", "header-secret", false},
		{"a header Cookie", func(o *Options) { o.Headers = []string{"cookie: s=header-secret"} }, "Cookie", "s=header-secret", false},
		{"a user", func(o *Options) { o.User = "me:user-secret" }, "Authorization", "Basic " + basic, false},
		{"cookies of a file", func(o *Options) {
			o.Input.Cookies = []byte(cookieFile + "a.test\tFALSE\t/\tFALSE\t0\ts\tfile-secret\n")
		}, "Cookie", "file-secret", true},
		{"cookies that a host has set", func(*Options) {}, "Cookie", "jar-secret", true},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t)
			var others []string
			s.opt.Input.Args, others = webOfOthers(p)
			spy := &recorder{RoundTripper: p}
			s.opt.Transport = spy
			s.opt.Scope, s.opt.Assets, s.opt.Delay = ScopeAny, true, 0
			var said bytes.Buffer
			s.opt.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			c.set(&s.opt)
			s.finish()

			named := []string{"a.test", "r.test"}
			if c.jar {
				named = named[:1]
			}
			for _, host := range named {
				last := spy.to(host)
				if q := last[len(last)-1]; !strings.Contains(q.head.Get(c.header), c.has) {
					t.Errorf("%s was told %q", q.url, q.head)
				}
			}
			for _, host := range others {
				if len(spy.to(host)) < 2 {
					t.Errorf("%s was not asked for pages", host)
				}
			}
			for _, q := range spy.all {
				switch host := weburl.URL(q.url).Host(); host {
				case "a.test", "r.test":
				case "sub.a.test", "a.test:8080": // cookies are for all ports, and below Domain=a.test
					if q.head["Authorization"] != nil || strings.Contains(fmt.Sprint(q.head), "header-secret") {
						t.Errorf("%s was told %q", q.url, q.head)
					}
				default:
					if q.head["Authorization"] != nil || q.head["Cookie"] != nil {
						t.Errorf("%s was told %q", q.url, q.head)
					}
				}
				if q.head["Referer"] != nil {
					t.Errorf("%s was told where it was found: %q", q.url, q.head)
				}
				if text := q.url + fmt.Sprint(q.head); strings.Contains(text, inLink) || strings.Contains(text, inSeed) || strings.Contains(text, "@") {
					t.Errorf("an address was asked for with its name and password: %s", text)
				}
			}
			s.wantNoSecrets(said.String(), "header-secret", "user-secret", basic, "file-secret", "jar-secret")
		})
	}
}

// wantNoSecrets checks that no secret stands in what the crawl has said or found,
// and that of the names and passwords in addresses none is anywhere in the file.
func (s *site) wantNoSecrets(said string, secrets ...string) {
	s.t.Helper()
	all := append(slices.Clone(secrets), inLink, inSeed)
	find := func(where, text string, secrets []string) {
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				s.t.Errorf("%s: %q holds %s", where, text[max(0, at-60):min(len(text), at+len(secret)+20)], secret)
			}
		}
	}
	find("the log", said, all)
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	err = file.Walk(1, 1<<62, func(seq uint64, event []byte) error {
		e, err := storage.Decode(event)
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case *storage.Edit:
			// The settings hold what the user has set.
			find(fmt.Sprint("event ", seq), string(e.Settings), []string{inLink, inSeed})
		case *storage.Host:
			// The text of a robots.txt is kept as the host tells it to everyone.
			e.Text = ""
			find(fmt.Sprint("event ", seq), fmt.Sprintf("%+v", e), all)
		default:
			// Links are stored in part: the differences alone.
			find(fmt.Sprint("event ", seq), fmt.Sprintf("%+v", e)+string(event), all)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, format := range []export.Format{export.CSV, export.JSONL} {
		o := export.Defaults()
		o.Format = format
		var b bytes.Buffer
		pages, err := export.Pages(&b, file, o)
		if err != nil || pages == 0 {
			s.t.Fatalf("%d pages, %v", pages, err)
		}
		if _, err := export.Errors(&b, file, o); err != nil {
			s.t.Fatal(err)
		}
		if _, err := export.Skipped(&b, file, o, nil); err != nil {
			s.t.Fatal(err)
		}
		find("an export", b.String(), all)
	}
	raw, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	find("the file", strings.ReplaceAll(string(raw), "u:"+inLink+"@a.test/sitemap.xml", ""), []string{inLink, inSeed})
	if info, err := os.Stat(s.path); err != nil || info.Mode().Perm()&0o077 != 0 {
		s.t.Errorf("others may read the file: %v %v", info.Mode(), err)
	}
}

// A host that only joined the scope is told the secrets once the user names it.
func TestSecretsForAHostThatIsNamedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		saw := map[string]string{}
		s.opt.Transport, s.opt.User = spy{p, saw}, "me:secret"
		p.on("http://a.test/", moved("http://www.a.test/"))
		few(p, "http://www.a.test/ /1 \n http://www.a.test/1")
		s.finish()
		if saw["a.test"] == "" || saw["www.a.test"] != "" {
			t.Errorf("told: %v", saw)
		}
		p.on("http://www.a.test/2", linking())
		s.opt.Input.Args = []string{"http://www.a.test/2"}
		s.finish()
		if saw["www.a.test"] == "" {
			t.Errorf("told: %v", saw)
		}
	})
}

// What the user names with https is not told its secrets without.
func TestSecretsAreNotToldInTheClear(t *testing.T) {
	for _, way := range []struct {
		name string
		root answer
	}{{"by a link", linking("http://a.test/1")}, {"by a redirect", moved("http://a.test/1")}} {
		inBubble(t, way.name, func(t *testing.T) {
			s, p := onPaper(t, "https://a.test/")
			spy := &recorder{RoundTripper: p}
			s.opt.Transport, s.opt.User = spy, "me:secret"
			p.on("https://a.test/", way.root)
			p.on("http://a.test/1", linking())
			s.finish()
			if len(spy.all) < 4 {
				t.Fatal("not everything was asked for")
			}
			for _, q := range spy.all {
				if got := q.head.Get("Authorization") != ""; got != strings.HasPrefix(q.url, "https:") {
					t.Errorf("%s was told secrets: %v", q.url, got)
				}
			}
		})
	}
}

// Seeds that cannot be used, and redirects to nowhere, are said and stored
// without the names and passwords in them.
func TestSecretsInAddressesThatAreNone(t *testing.T) {
	for _, c := range []struct{ name, seed, location string }{
		{"a seed without a host", "http://u:" + inSeed + "@/", ""},
		{"a seed with a bad host", "http://u:" + inSeed + "@a b/", ""},
		{"a seed with a bad port", "http://u:" + inSeed + "@a.test:99999/", ""},
		{"a seed of another scheme", "ftp://u:" + inSeed + "@a.test/", ""},
		{"a redirect to a bad host", "", "http://u:" + inLink + "@[/"},
		{"a redirect to another scheme", "", "ftp://u:" + inLink + "@a.test/"},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/", c.seed)
			p.on("http://a.test/", linking("/moved"))
			p.on("http://a.test/moved", moved(c.location))
			var said bytes.Buffer
			s.opt.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			s.finish()
			if _, ok := s.brief()["http://a.test/moved"]; !ok {
				t.Errorf("rows: %v", slices.Sorted(maps.Keys(s.brief())))
			}
			s.wantNoSecrets(said.String())
		})
	}
}
