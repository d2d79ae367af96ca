package fakeweb

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"
)

func mustCookies(t testing.TB, o CookiesOptions) *Cookies {
	t.Helper()
	c, err := NewCookies(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// visitor fetches with or without a jar, and follows no redirect to where it
// has been with the same cookies.
func visitor(t testing.TB, c *Cookies, keep bool) func(address string) (status int, body string) {
	var jar http.CookieJar
	if keep {
		var err error
		if jar, err = cookiejar.New(nil); err != nil {
			t.Fatal(err)
		}
	}
	client := http.Client{Transport: c, Jar: jar, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 1 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return func(address string) (int, string) {
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
}

func TestCookiesOpenTheSite(t *testing.T) {
	for _, everywhere := range []bool{false, true} {
		o := DefaultCookies()
		o.Everywhere = everywhere
		c := mustCookies(t, o)
		visit := visitor(t, c, true)
		queue, seen := []string{c.Seed()}, []string{}
		for ; len(queue) > 0; queue = queue[1:] {
			status, body := visit(queue[0])
			if status != 200 {
				t.Errorf("%s: %d", queue[0], status)
			}
			seen = append(seen, strings.TrimPrefix(queue[0], "http://"+CookiesHost))
			for _, to := range linksOf(t, queue[0], body) {
				if to != c.Seed() {
					queue = append(queue, to)
				}
			}
		}
		if want := slices.Collect(c.Content()); !slices.Equal(seen, want) {
			t.Errorf("reached %d pages, want %d", len(seen), len(want))
		}
		if c.Sessions() != 1 || c.Refused() != 0 {
			t.Errorf("%d sessions, %d refused", c.Sessions(), c.Refused())
		}
	}
}

func TestNoCookiesNoSite(t *testing.T) {
	c := mustCookies(t, DefaultCookies())
	visit := visitor(t, c, false)
	if status, _ := visit(c.Seed()); status != http.StatusFound {
		t.Errorf("root: %d", status)
	}
	if c.Sessions() != 2 {
		t.Errorf("%d sessions after two requests for the root", c.Sessions())
	}
	for page := range c.Content() {
		if page == "/" {
			continue
		}
		if status, _ := visit("http://" + CookiesHost + page); status != http.StatusForbidden {
			t.Errorf("%s: %d", page, status)
		}
	}
	if c.Refused() != 50 || c.Sessions() != 2 {
		t.Errorf("%d refused, %d sessions", c.Refused(), c.Sessions())
	}
}

func TestCookieIsTheOneGiven(t *testing.T) {
	c := mustCookies(t, DefaultCookies())
	given := mustGet(t, c, c.Seed())
	cookie, attributes, _ := strings.Cut(given.Header.Get("Set-Cookie"), ";")
	if given.StatusCode != 302 || given.Header.Get("Location") != "/" || attributes != " Path=/; HttpOnly; SameSite=Lax" {
		t.Errorf("%d %v", given.StatusCode, given.Header)
	}
	other := mustCookies(t, CookiesOptions{Seed: 2, Pages: 1})
	for _, test := range []struct {
		name, cookie string
		status       int
	}{
		{"given", cookie, 200},
		{"among others", "a=b; " + cookie + "; c=d", 200},
		{"none", "", 403},
		{"of another name", "x" + cookie, 403},
		{"cut", cookie[:len(cookie)-1], 403},
		{"changed", cookie[:len(cookie)-1] + "x", 403},
		{"not a number", "visit=" + strings.Repeat("z", 32), 403},
		{"made up", "visit=" + strings.Repeat("0", 32), 403},
		{"of another site", "visit=" + other.session(1), 403},
	} {
		if f := mustGet(t, c, "http://"+CookiesHost+"/members/1", "Cookie", test.cookie); f.StatusCode != test.status {
			t.Errorf("%s: %d, want %d", test.name, f.StatusCode, test.status)
		}
	}
	for _, target := range []string{"/members/0", "/members/51", "/members/01", "/members/", "/members/1?x", "/x"} {
		if f := mustGet(t, c, "http://"+CookiesHost+target, "Cookie", cookie); f.StatusCode != 404 {
			t.Errorf("%s: %d", target, f.StatusCode)
		}
	}
}

func TestOptionsThatMakeNoCookies(t *testing.T) {
	for name, o := range map[string]CookiesOptions{
		"no pages":       {},
		"too many pages": {Pages: 10_001},
		"a second line":  {Pages: 1, Attributes: "\r\nX: y"},
	} {
		if _, err := NewCookies(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
