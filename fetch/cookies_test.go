package fetch

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var cookieNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func address(tb testing.TB, raw string) *url.URL {
	tb.Helper()
	u, err := target(raw)
	if err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return u
}

// What a server sets at one address and gets back at another.
func TestCookies(t *testing.T) {
	const there = "http://www.example.com/dir/page"
	long := strings.Repeat("x", maxCookie-1)
	for _, c := range []struct {
		name string
		set  string // Set-Cookie lines, between "|"
		at   string // empty: there
		to   string // empty: there
		want string
	}{
		// Section 5.6: what a line says.
		{"a pair", "a=b", "", "", "a=b"},
		{"a pair among blanks", " \ta \t= b\t ; path=/", "", "", "a=b"},
		{"a pair with more equals signs", "a=b=c=", "", "", "a=b=c="},
		{"an empty value", "a=", "", "", "a="},
		{"an empty name", "=b", "", "", "b"},
		{"an empty name, and more equals signs", "=a=b", "", "", "a=b"},
		{"no equals sign", "b", "", "", "b"},
		{"nothing", "", "", "", ""},
		{"an equals sign alone", " = ", "", "", ""},
		{"attributes alone", "; path=/", "", "", ""},
		{"quotes are kept", `a="b c"`, "", "", `a="b c"`},
		{"a comma is kept", "a=b, c=d", "", "", "a=b, c=d"},
		{"bytes above ASCII are kept", "\xe4=\xff\xfe", "", "", "\xe4=\xff\xfe"},
		{"a tab within", "a=b\tc", "", "", "a=b\tc"},
		{"a NUL", "a=b\x00c", "", "", ""},
		{"a control character in an attribute", "a=b; path=/\x01", "", "", ""},
		{"the longest", "a=" + long[1:], "", "", "a=" + long[1:]},
		{"too long", "a=" + long + "x", "", "", ""},
		{"unknown attributes", "a=b; Priority=High; x; =y; Partitioned", "", "", "a=b"},
		{"an attribute that is too long", "a=b; Path=/" + long[:maxAttribute], "", "", "a=b"},
		{"attributes in any case", "a=b; PATH=/; secURE", "https://www.example.com/", "https://www.example.com/x", "a=b"},

		// Several.
		{"two", "a=b|c=d", "", "", "a=b; c=d"},
		{"one over another", "a=b|c=d|a=e", "", "", "a=e; c=d"},
		{"names have case", "a=b|A=c", "", "", "a=b; A=c"},
		{"the longest path first", "a=1; path=/|a=2; path=/dir|b=3; path=/", "", "", "a=2; a=1; b=3"},

		// How long.
		{"Max-Age", "a=b; Max-Age=1", "", "", "a=b"},
		{"Max-Age 0", "a=b|a=c; Max-Age=0", "", "", ""},
		{"Max-Age negative", "a=b|a=c; Max-Age=-1", "", "", ""},
		{"Max-Age very negative", "a=b|a=c; Max-Age=-99999999999999999999", "", "", ""},
		{"Max-Age huge", "a=b; Max-Age=99999999999999999999", "", "", "a=b"},
		{"Max-Age of words", "a=b; Max-Age=never", "", "", "a=b"},
		{"Max-Age empty", "a=b; Max-Age=", "", "", "a=b"},
		{"Expires before", "a=b|a=c; Expires=Sun, 22 Nov 2026 11:59:59 GMT", "", "", ""},
		{"Expires after", "a=b; Expires=Sun, 22 Nov 2026 12:00:01 GMT", "", "", "a=b"},
		{"Expires of words", "a=b; Expires=never", "", "", "a=b"},
		{"Max-Age before Expires", "a=b; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "", "", "a=b"},
		{"Max-Age after Expires", "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9", "", "", "a=b"},
		{"only the same path takes away", "a=b; path=/|a=c; path=/dir; Max-Age=0", "", "", "a=b"},

		// Domains.
		{"the host alone", "a=b", "", "http://sub.www.example.com/dir/", ""},
		{"the host alone, above", "a=b", "", "http://example.com/dir/", ""},
		{"the port does not matter", "a=b", "http://www.example.com:81/", "http://www.example.com:82/", "a=b"},
		{"http and https are one", "a=b; path=/", "", "https://www.example.com/", "a=b"},
		{"a domain", "a=b; domain=example.com; path=/", "", "http://other.example.com/", "a=b"},
		{"a domain with a dot", "a=b; domain=.EXAMPLE.com; path=/", "", "http://example.com/", "a=b"},
		{"a domain with two dots", "a=b; domain=..example.com", "", "", ""},
		{"the domain is the host", "a=b; domain=www.example.com; path=/", "", "http://sub.www.example.com/", "a=b"},
		{"the domain is below the host", "a=b; domain=sub.www.example.com", "", "", ""},
		{"another domain", "a=b; domain=example.org", "", "http://example.org/", ""},
		{"a domain that only ends alike", "a=b; domain=ple.com", "", "", ""},
		{"the host of another that ends alike", "a=b; domain=example.com; path=/", "", "http://badexample.com/", ""},
		{"an empty domain", "a=b; domain=", "", "http://sub.www.example.com/dir/", ""},
		{"an empty domain after another", "a=b; domain=example.com; domain=; path=/", "", "http://example.com/", "a=b"},
		{"the last domain counts", "a=b; domain=example.org; domain=example.com", "", "", "a=b"},
		{"a public suffix", "a=b; domain=com", "", "", ""},
		{"a public suffix of two labels", "a=b; domain=co.uk", "http://www.example.co.uk/", "http://www.example.co.uk/", ""},
		{"a private suffix", "a=b; domain=github.io; path=/", "http://one.github.io/", "http://two.github.io/", ""},
		{"a suffix on itself", "a=b; domain=github.io; path=/", "http://github.io/", "http://github.io/", "a=b"},
		{"a suffix on itself, not below", "a=b; domain=github.io; path=/", "http://github.io/", "http://one.github.io/", ""},
		{"an unlisted suffix", "a=b; domain=internal", "http://one.internal/", "http://two.internal/", ""},
		{"a single label", "a=b; path=/", "http://intranet/", "http://intranet/x", "a=b"},
		{"an address", "a=b; path=/", "http://192.0.2.1/", "http://192.0.2.1:8080/", "a=b"},
		{"an address as domain", "a=b; domain=192.0.2.1; path=/", "http://192.0.2.1/", "http://192.0.2.1/", "a=b"},
		{"a part of an address", "a=b; domain=2.1", "http://192.0.2.1/", "http://192.0.2.1/", ""},
		{"an IPv6 address", "a=b; path=/", "http://[2001:db8::1]/", "http://[2001:db8::1]:81/", "a=b"},
		{"a domain in Unicode", "a=b; domain=müller.example", "http://xn--mller-kva.example/", "http://xn--mller-kva.example/", ""},
		{"a dot at the end is another host", "a=b; path=/", "http://www.example.com./", "http://www.example.com/", ""},

		// Paths.
		{"the directory", "a=b", "", "http://www.example.com/dir/sub/x", "a=b"},
		{"the directory itself", "a=b", "", "http://www.example.com/dir", "a=b"},
		{"another directory", "a=b", "", "http://www.example.com/other", ""},
		{"a directory that begins alike", "a=b", "", "http://www.example.com/directory", ""},
		{"a path", "a=b; path=/x", "", "http://www.example.com/x/y?z", "a=b"},
		{"a path with a slash", "a=b; path=/x/", "", "http://www.example.com/x", ""},
		{"a path without a slash in front", "a=b; path=x", "", "", "a=b"},
		{"an empty path", "a=b; path=", "", "http://www.example.com/other", ""},
		{"the last path counts", "a=b; path=/x; path=/dir", "", "", "a=b"},
		{"a path in bytes", "a=b; path=/%zz|c", "http://www.example.com/", "http://www.example.com/%zz|c/", "a=b"},
		{"a path in escapes", "a=b; path=/%7Ex", "", "http://www.example.com/%7Ex/y", "a=b"},
		{"two slashes", "a=b", "http://www.example.com//a|b/c", "http://www.example.com//a|b/d", "a=b"},

		// Secure.
		{"Secure", "a=b; Secure", "https://www.example.com/", "https://www.example.com/", "a=b"},
		{"Secure, to http", "a=b; Secure", "https://www.example.com/", "http://www.example.com/", ""},
		{"Secure, from http", "a=b; Secure", "http://www.example.com/", "https://www.example.com/", ""},
		{"HttpOnly and SameSite", "a=b; HttpOnly; SameSite=Strict|c=d; SameSite=None", "", "", "a=b; c=d"},

		// Prefixes.
		{"__Secure-", "__Secure-a=b; Secure", "https://www.example.com/", "https://www.example.com/", "__Secure-a=b"},
		{"__Secure- without Secure", "__Secure-a=b", "https://www.example.com/", "https://www.example.com/", ""},
		{"__secure- in lower case", "__secure-a=b", "https://www.example.com/", "https://www.example.com/", ""},
		{"__Secure- without a name", "=__Secure-a=b; Secure", "https://www.example.com/", "https://www.example.com/", ""},
		{"__Host-", "__Host-a=b; Secure; Path=/", "https://www.example.com/", "https://www.example.com/", "__Host-a=b"},
		{"__Host- without a path", "__Host-a=b; Secure", "https://www.example.com/", "https://www.example.com/", ""},
		{"__Host- with a longer path", "__Host-a=b; Secure; Path=/x", "https://www.example.com/", "https://www.example.com/x", ""},
		{"__Host- with a domain", "__Host-a=b; Secure; Path=/; Domain=www.example.com", "https://www.example.com/", "https://www.example.com/", ""},
		{"__Host- without Secure", "__Host-a=b; Path=/", "https://www.example.com/", "https://www.example.com/", ""},
		{"__HOST- without a name", "__HOST-a; Secure; Path=/", "https://www.example.com/", "https://www.example.com/", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.at == "" {
				c.at = there
			}
			if c.to == "" {
				c.to = there
			}
			sep := "|"
			if strings.Contains(c.set, "%zz|") {
				sep = "\x00"
			}
			j := NewJar()
			j.store(address(t, c.at), strings.Split(c.set, sep), cookieNow)
			if got := j.header(address(t, c.to), cookieNow); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			holdsTogether(t, j)
		})
	}
}

// An answer without TLS cannot take the place of what was set with it (RFC
// 6265bis section 5.7, "leave Secure cookies alone").
func TestSecureCookiesAreLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name, set, want string
	}{
		{"the same", "a=evil; path=/login", "a=good"},
		{"for the domain", "a=evil; domain=example.com; path=/login/x", "a=good"},
		{"taken away", "a=; path=/login; max-age=0", "a=good"},
		{"above its path", "a=other; path=/", "a=good; a=other"},
		{"another name", "b=other; path=/", "a=good; b=other"},
	} {
		j := NewJar()
		j.store(address(t, "https://www.example.com/"), []string{"a=good; Secure; path=/login"}, cookieNow)
		j.store(address(t, "http://www.example.com/"), []string{c.set}, cookieNow)
		if got := j.header(address(t, "https://www.example.com/login/x"), cookieNow); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCookieDates(t *testing.T) {
	at := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, c := range []struct {
		text string
		want time.Time // zero: not a date
	}{
		{"Sun, 06 Nov 1994 08:49:37 GMT", at},
		{"Sunday, 06-Nov-94 08:49:37 GMT", at},
		{"Sun Nov  6 08:49:37 1994", at},
		{"Sun, 06-Nov-1994 08:49:37 GMT", at},
		{"Sun, 06 Nov 1994 08:49:37 +0900", at}, // zones are not looked at
		{"1994 nov 6 8:49:37", at},
		{"08:49:37 06 november 94", at},
		{"6th NOVEMBER 1994 08:49:37pm", at},
		{"06/Nov/1994;08:49:37", at},
		{"Sun, 06 Nov 1969 08:49:37 GMT", time.Date(1969, 11, 6, 8, 49, 37, 0, time.UTC)},
		{"Sun, 06 Nov 69 08:49:37 GMT", time.Date(2069, 11, 6, 8, 49, 37, 0, time.UTC)},
		{"Sun, 06 Nov 70 08:49:37 GMT", time.Date(1970, 11, 6, 8, 49, 37, 0, time.UTC)},
		{"Sun, 31 Dec 9999 23:59:59 GMT", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"", time.Time{}},
		{"Sun, 06 Nov 1994", time.Time{}},
		{"Sun, 06 Nov 08:49:37", time.Time{}},
		{"Sun, 32 Nov 1994 08:49:37", time.Time{}},
		{"Sun, 31 Nov 1994 08:49:37", time.Time{}},
		{"Sun, 00 Nov 1994 08:49:37", time.Time{}},
		{"Sun, 06 Nov 1600 08:49:37", time.Time{}},
		{"Sun, 06 Nov 19940 08:49:37", time.Time{}},
		{"Sun, 06 Nov 1994 24:49:37", time.Time{}},
		{"Sun, 06 Nov 1994 08:60:37", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:60", time.Time{}},
		{"Sun, 06 Nov 1994 08:49", time.Time{}},
		{"Sun, 06 Nov 1994 008:49:37", time.Time{}},
		{"Sun, 06 Xov 1994 08:49:37", time.Time{}},
		{"Sun, 06 anf 1994 08:49:37", time.Time{}},
	} {
		got, ok := cookieDate(c.text)
		if ok == c.want.IsZero() || ok && !got.Equal(c.want) {
			t.Errorf("%q: got %v, %v; want %v", c.text, got, ok, c.want)
		}
	}
}

func TestCookiesExpire(t *testing.T) {
	j := NewJar()
	home := address(t, "http://example.com/")
	j.store(home, []string{"a=1; max-age=10", "b=2; max-age=20", "c=3", "d=4; max-age=999999999"}, cookieNow)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{9 * time.Second, "a=1; b=2; c=3; d=4"},
		{10 * time.Second, "b=2; c=3; d=4"},
		{20 * time.Second, "c=3; d=4"},
		{maxCookieAge - time.Second, "c=3; d=4"},
		{maxCookieAge, "c=3"},
	} {
		if got := j.header(home, cookieNow.Add(c.after)); got != c.want {
			t.Errorf("after %v: got %q, want %q", c.after, got, c.want)
		}
	}
	holdsTogether(t, j)
}

func TestJarIsBounded(t *testing.T) {
	home := address(t, "https://example.com/")
	t.Run("cookies of a site", func(t *testing.T) {
		j := NewJar()
		j.store(home, []string{"old=1", "used=1", "safe=1; Secure; path=/x"}, cookieNow)
		for i := range maxSiteCookies - 3 {
			j.store(home, []string{fmt.Sprintf("n%d=1; path=/n", i)}, cookieNow)
		}
		if got := j.header(home, cookieNow); got != "old=1; used=1" {
			t.Fatalf("before: %q", got)
		}
		j.store(home, []string{"used=2"}, cookieNow)
		for i := range 2 * maxSiteCookies {
			j.header(address(t, "https://example.com/"), cookieNow) // old and used are used
			j.store(address(t, "https://www.example.com/"), []string{fmt.Sprintf("m%d=1; domain=example.com; path=/m", i)}, cookieNow)
		}
		if got := j.header(home, cookieNow); got != "old=1; used=2" {
			t.Errorf("what is used has gone: %q", got)
		}
		if got := j.header(address(t, "https://example.com/x"), cookieNow); !strings.HasPrefix(got, "safe=1; ") {
			t.Errorf("what is Secure has gone: %q", got)
		}
		if s := j.sites["example.com"].Value.(*site); len(s.cookies) != maxSiteCookies {
			t.Errorf("%d cookies", len(s.cookies))
		}
		holdsTogether(t, j)
	})
	t.Run("bytes of a site", func(t *testing.T) {
		j := NewJar()
		for i := range 20 {
			j.store(home, []string{fmt.Sprintf("n%d=%s", i, strings.Repeat("x", 4000))}, cookieNow)
			holdsTogether(t, j)
		}
		if got := j.header(home, cookieNow); len(got) > maxSiteBytes || strings.Count(got, "n") != 4 || !strings.Contains(got, "n19=") {
			t.Errorf("%d bytes", len(got))
		}
	})
	t.Run("one answer of very many", func(t *testing.T) {
		j := NewJar()
		var lines []string
		for i := range 20_000 {
			lines = append(lines, fmt.Sprintf("n%d=", i))
		}
		j.store(home, lines, cookieNow)
		sent := j.header(home, cookieNow)
		if got := strings.Count(sent, "n"); got != maxSiteCookies {
			t.Errorf("%d cookies", got)
		}
		if last := fmt.Sprintf("n%d=", maxSetCookies-1); !strings.HasSuffix(sent, last) {
			t.Errorf("not all of those behind %s were passed over: %s", last, sent)
		}
	})
	t.Run("sites", func(t *testing.T) {
		j := NewJar()
		j.maxSites = 3
		site := func(i int) *url.URL { return address(t, fmt.Sprintf("http://s%d.example/", i)) }
		for i := range 3 {
			j.store(site(i), []string{"a=b"}, cookieNow)
		}
		if got := len(j.Changed()); got != 3 {
			t.Fatalf("%d sites have changed, want 3", got)
		}
		j.header(site(0), cookieNow)
		j.store(site(3), []string{"a=b"}, cookieNow)
		for i, want := range []string{"a=b", "", "a=b", "a=b"} {
			if got := j.header(site(i), cookieNow); got != want {
				t.Errorf("site %d: got %q, want %q", i, got, want)
			}
		}
		// The file must forget what the jar has forgotten.
		if got := fmt.Sprint(changes(j.Changed())); got != "[-s1.example +s3.example]" {
			t.Errorf("changed: %s", got)
		}
		// What was never told of need not be told of when it goes.
		for i := range 100 {
			j.store(site(100+i), []string{"a=b"}, cookieNow)
		}
		if len(j.changed) > 6 {
			t.Errorf("%d sites to tell of", len(j.changed))
		}
		holdsTogether(t, j)
	})
	t.Run("bytes in all", func(t *testing.T) {
		j := NewJar()
		j.maxBytes = 50_000
		for i := range 100 {
			j.store(address(t, fmt.Sprintf("http://s%d.example/", i)), []string{"a=" + strings.Repeat("x", 4000)}, cookieNow)
			holdsTogether(t, j)
		}
		if j.size > j.maxBytes || len(j.sites) != 11 {
			t.Errorf("%d bytes for %d sites", j.size, len(j.sites))
		}
	})
}

// changes is what Changed has said: + for cookies, - for none.
func changes(all []SiteCookies) (names []string) {
	for _, s := range all {
		sign := "+"
		if len(s.Data) == 0 {
			sign = "-"
		}
		names = append(names, sign+s.Site)
	}
	return names
}

// holdsTogether checks the accounts of a jar.
func holdsTogether(t *testing.T, j *Jar) {
	t.Helper()
	size := 0
	for name, e := range j.sites {
		s := e.Value.(*site)
		texts := 0
		for _, c := range s.cookies {
			texts += c.size()
			if siteOf(c.domain) != name {
				t.Errorf("site %s has a cookie of %s", name, c.domain)
			}
		}
		if texts != s.size || s.size > maxSiteBytes || len(s.cookies) > maxSiteCookies || len(s.cookies) == 0 {
			t.Errorf("site %s: %d cookies, %d bytes, counted %d", name, len(s.cookies), texts, s.size)
		}
		size += texts + cookieCost*(1+len(s.cookies))
	}
	if size != j.size || len(j.sites) != j.used.Len() {
		t.Errorf("%d bytes, counted %d; %d sites, %d in order", size, j.size, len(j.sites), j.used.Len())
	}
}

func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := NewJar()
		one, two := address(t, "http://one.example/"), address(t, "http://two.example/")
		set := func(u *url.URL, line string) { j.store(u, []string{line}, time.Now()) }
		for _, c := range []struct {
			name string
			do   func()
			want string
		}{
			{"nothing", func() {}, "[]"},
			{"an answer that sets nothing", func() { j.store(one, nil, time.Now()) }, "[]"},
			{"two", func() { set(two, "a=b"); set(one, "a=b") }, "[+one.example +two.example]"},
			{"nothing since", func() {}, "[]"},
			{"the same again", func() { set(one, "a=b") }, "[]"},
			{"sent", func() { j.header(one, time.Now()) }, "[]"},
			{"another value", func() { set(one, "a=c") }, "[+one.example]"},
			{"another and back", func() { set(one, "a=d"); set(one, "a=c") }, "[+one.example]"},
			{"to live on", func() { set(one, "a=c; max-age=86400") }, "[+one.example]"},
			{"to live on a second longer", func() { time.Sleep(time.Second); set(one, "a=c; max-age=86400") }, "[]"},
			{"renewed after half an hour", func() { time.Sleep(30 * time.Minute); set(one, "a=c; max-age=86400") }, "[]"},
			{"renewed after an hour", func() { time.Sleep(30 * time.Minute); set(one, "a=c; max-age=86400") }, "[+one.example]"},
			{"renewed at once", func() { set(one, "a=c; max-age=86401") }, "[]"},
			{"for ten minutes", func() { set(two, "a=b; max-age=600") }, "[+two.example]"},
			{"for ten minutes, renewed after four", func() { time.Sleep(4 * time.Minute); set(two, "a=b; max-age=600") }, "[]"},
			{"for ten minutes, renewed after five", func() { time.Sleep(time.Minute); set(two, "a=b; max-age=600") }, "[+two.example]"},
			{"taken away that was not there", func() { set(one, "x=; max-age=0") }, "[]"},
			{"taken away", func() { set(one, "a=; max-age=0") }, "[-one.example]"},
			{"expired, and nobody has looked", func() { time.Sleep(time.Hour) }, "[]"},
			{"expired", func() { j.header(two, time.Now()) }, "[-two.example]"},
			{"set, taken away, set, taken away", func() {
				set(one, "a=b")
				set(one, "a=; max-age=0")
				set(one, "a=b")
				set(one, "a=; max-age=0")
			}, "[]"},
			{"set", func() { set(one, "a=b") }, "[+one.example]"},
			{"taken away and set", func() { set(one, "a=; max-age=0"); set(one, "a=b") }, "[+one.example]"},
			{"taken away, set and taken away", func() { set(one, "a=; max-age=0"); set(one, "a=b"); set(one, "a=; max-age=0") }, "[-one.example]"},
			{"for a second", func() { set(one, "a=b; max-age=1") }, "[+one.example]"},
			{"another, and the last has expired", func() { time.Sleep(time.Second); set(one, "b=c") }, "[+one.example]"},
			{"for a second, and expired before it was told", func() { set(two, "a=b; max-age=1"); time.Sleep(time.Second) }, "[]"},
		} {
			c.do()
			if got := fmt.Sprint(changes(j.Changed())); got != c.want {
				t.Errorf("%s: changed %s, want %s", c.name, got, c.want)
			}
			holdsTogether(t, j)
		}
	})
}

func TestRestore(t *testing.T) {
	now := time.Now()
	before := NewJar()
	lines := []string{
		"a=1; path=/", "b=\"x\ty\"; path=/; max-age=1000", "=c=d; path=/", "e=5; Secure; domain=example.com; path=/",
		"f=\xff\xfe", "g=; path=/", "h\ti=j",
	}
	before.store(address(t, "https://www.example.com/"), lines, now)
	told := before.Changed()
	if len(told) != 1 || told[0].Site != "example.com" {
		t.Fatalf("told %q", told)
	}
	after := NewJar()
	if err := after.Restore(told[0].Site, told[0].Data); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"https://www.example.com/", "http://www.example.com/", "https://example.com/", "https://sub.www.example.com/"} {
		want, got := before.header(address(t, to), now), after.header(address(t, to), now)
		if want != got {
			t.Errorf("%s: before %q, after %q", to, want, got)
		}
	}
	if got := after.Changed(); got != nil {
		t.Errorf("restoring is no change: %q", got)
	}
	if want, got := "a=1; b=\"x\ty\"; c=d; e=5; f=\xff\xfe; g=; h\ti=j", after.header(address(t, "https://www.example.com/"), now); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	after.store(address(t, "https://www.example.com/"), []string{"a=2; path=/"}, now)
	again := after.Changed()
	if len(again) != 1 || bytes.Equal(again[0].Data, told[0].Data) {
		t.Errorf("told %q", again)
	}

	t.Run("expired", func(t *testing.T) {
		j := NewJar()
		if err := j.Restore("example.com", []byte("1\n1\t1000\texample.com\t/\ta=b\n")); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(changes(j.Changed())); got != "[-example.com]" {
			t.Errorf("changed %s", got)
		}
	})
	t.Run("of another site", func(t *testing.T) {
		j := NewJar()
		if err := j.Restore("example.com", []byte("1\n1\t0\texample.com\t/\ta=b\n1\t0\texample.org\t/\ta=b\n")); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(changes(j.Changed())); got != "[+example.com]" || j.header(address(t, "http://example.org/"), now) != "" {
			t.Errorf("changed %s", got)
		}
		holdsTogether(t, j)
	})
	t.Run("beside what is there", func(t *testing.T) {
		j := NewJar()
		j.store(address(t, "http://example.com/"), []string{"a=1", "b=2"}, now)
		if err := j.Restore("example.com", []byte("1\n1\t0\texample.com\t/\ta=3\n")); err != nil {
			t.Fatal(err)
		}
		if got := j.header(address(t, "http://example.com/"), now); got != "a=3; b=2" {
			t.Errorf("got %q", got)
		}
		if got := fmt.Sprint(changes(j.Changed())); got != "[+example.com]" {
			t.Errorf("changed %s", got)
		}
	})
	for _, c := range []struct{ name, data string }{
		{"nothing", ""},
		{"another version", "2\n1\t0\texample.com\t/\ta=b\n"},
		{"half a line", "1\n1\t0\texample.com\t/\ta=b"},
		{"too few fields", "1\n1\t0\texample.com\ta=b\n"},
		{"no equals sign", "1\n1\t0\texample.com\t/\ta\n"},
		{"empty", "1\n1\t0\texample.com\t/\t=\n"},
		{"unknown flags", "1\n4\t0\texample.com\t/\ta=b\n"},
		{"no number", "1\n1\tsoon\texample.com\t/\ta=b\n"},
		{"before time began", "1\n1\t-5\texample.com\t/\ta=b\n"},
		{"no domain", "1\n1\t0\t\t/\ta=b\n"},
		{"no path", "1\n1\t0\texample.com\t\ta=b\n"},
		{"a second line in a value", "1\n1\t0\texample.com\t/\ta=b\rSet: x\n"},
		{"a semicolon", "1\n1\t0\texample.com\t/\ta=b; c=d\n"},
		{"too long", "1\n1\t0\texample.com\t/\ta=" + strings.Repeat("x", maxCookie) + "\n"},
		{"too many", "1\n" + strings.Repeat("1\t0\texample.com\t/\ta=b\n", maxSiteCookies+1)},
	} {
		j := NewJar()
		if err := j.Restore("example.com", []byte(c.data)); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if len(j.sites) > 0 || j.Changed() != nil {
			t.Errorf("%s: the jar has changed", c.name)
		}
	}
}

func TestLoadCookies(t *testing.T) {
	const file = "\ufeff# Netscape HTTP Cookie File\r\n" +
		"# https://curl.se/docs/http-cookies.html\r\n\r\n" +
		".example.com\tTRUE\t/\tFALSE\t0\tsession\tone\r\n" +
		"#HttpOnly_.example.com\tTRUE\t/\tTRUE\t4102444800\tlogin\ttwo=2\r\n" +
		"www.example.com\tFALSE\t/dir\tfalse\t4102444800.25\tpath\tthree\n" +
		"example.com\tFALSE\t/\tFALSE\t-1\tempty\t\n" +
		"example.com\tFALSE\t/\tFALSE\t0\tlost\n" +
		"Example.ORG\tTRUE\t/\tFALSE\t1\told\tgone\n" +
		"127.0.0.1\tTRUE\t/\tFALSE\t0\tlocal\tfour\n" +
		"localhost\tTRUE\t/\tFALSE\t0\tlocal\told\n" +
		"localhost\tTRUE\t/\tFALSE\t\tlocal\tfive" // no expiry, no end of line
	j := NewJar()
	n, err := j.LoadCookies(strings.NewReader(file))
	if n != 7 || err != nil {
		t.Fatalf("%d cookies, %v", n, err)
	}
	for to, want := range map[string]string{
		"https://example.com/":            "session=one; login=two=2; empty=; lost=",
		"http://example.com/":             "session=one; empty=; lost=",
		"http://sub.example.com/":         "session=one",
		"https://www.example.com/dir/x":   "path=three; session=one; login=two=2",
		"http://www.example.com/":         "session=one",
		"http://example.org/":             "",
		"http://127.0.0.1:8080/":          "local=four",
		"http://localhost/":               "local=five",
		"http://evil.localhost/":          "",
		"http://example.com.evil.example": "",
		"http://notexample.com/":          "",
	} {
		if got := j.header(address(t, to), time.Now()); got != want {
			t.Errorf("%s: got %q, want %q", to, got, want)
		}
	}
	if got := fmt.Sprint(changes(j.Changed())); got != "[+127.0.0.1 +example.com +localhost]" {
		t.Errorf("changed: %s", got)
	}
	holdsTogether(t, j)

	const good = "example.com\tTRUE\t/\tFALSE\t0\ta\tb\n"
	for _, c := range []struct{ name, file, want string }{
		{"spaces", "# x\n" + good + "example.com TRUE / FALSE 0 a secret\n", "line 3: 1 fields between tabs, not 7"},
		{"JSON", `[{"domain": "example.com", "value": "secret"}]`, "line 1: 1 fields"},
		{"eight fields", "example.com\tTRUE\t/\tFALSE\t0\ta\tsecret\tc\n", "line 1: 8 fields"},
		{"maybe", "example.com\tMAYBE\t/\tFALSE\t0\ta\tsecret\n", "line 1: the fields 2 and 4 must be TRUE or FALSE"},
		{"fields in another order", "example.com\tTRUE\t/\t0\tFALSE\ta\tsecret\n", "line 1: the fields 2 and 4"},
		{"a date", "example.com\tTRUE\t/\tFALSE\tSunday\ta\tsecret\n", "line 1: field 5"},
		{"no domain", "\tTRUE\t/\tFALSE\t0\ta\tsecret\n", "line 1: field 1"},
		{"an address of a page", "http://example.com/\tTRUE\t/\tFALSE\t0\ta\tsecret\n", "line 1: field 1"},
		{"no path", "example.com\tTRUE\tx\tFALSE\t0\ta\tsecret\n", "line 1: field 3"},
		{"neither name nor value", "example.com\tTRUE\t/\tFALSE\t0\t\t\n", "line 1: the cookie has no name"},
		{"a semicolon", "example.com\tTRUE\t/\tFALSE\t0\ta\tsecret;x\n", "line 1: the cookie"},
		{"control characters", "example.com\tTRUE\t/\tFALSE\t0\ta\tsecret\x00\n", "line 1: the cookie"},
		{"a long cookie", "example.com\tTRUE\t/\tFALSE\t0\ta\t" + strings.Repeat("x", maxCookie) + "\n", "line 1: the cookie is longer than 4096 bytes"},
		{"a long line", good + strings.Repeat("x", maxCookieLine+1), "line 2: longer than"},
		{"too many", strings.Repeat(good, maxSiteCookies+1), "line 51: more than 50 cookies for example.com"},
		{"too much", strings.Repeat("example.com\tTRUE\t/\tFALSE\t0\ta\t"+strings.Repeat("x", 4000)+"\n", 5), "line 5: more than 16384 bytes"},
	} {
		j := NewJar()
		n, err := j.LoadCookies(strings.NewReader(c.file))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "secret") || n != 0 || len(j.sites) > 0 {
			t.Errorf("%s: %d, %v; want %s", c.name, n, err, c.want)
		}
	}
	// Whatever the jar cannot hold is not counted as held.
	var many strings.Builder
	for i := range maxJarBytes/12_000 + 1 {
		for name := range 3 {
			fmt.Fprintf(&many, "site%d.com\tTRUE\t/\tFALSE\t0\t%d\t%s\n", i, name, strings.Repeat("x", 4000))
		}
	}
	j = NewJar()
	if n, err := j.LoadCookies(strings.NewReader(many.String())); err == nil || !strings.HasSuffix(err.Error(), "more than 33554432 bytes of cookies") || n != 0 || len(j.sites) > 0 {
		t.Errorf("more than the jar: %d, %v", n, err)
	}
	j.maxSites = 2
	if err := j.Restore("other.example", []byte("1\n1\t0\tother.example\t/\ta=b\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := j.LoadCookies(strings.NewReader("a.com\tTRUE\t/\tFALSE\t0\ta\tb\nb.com\tTRUE\t/\tFALSE\t0\ta\tb\n")); n != 2 || err != nil || len(j.sites) != 2 || j.sites["other.example"] != nil {
		t.Errorf("what was in the jar stays: %d, %v, %d sites", n, err, len(j.sites))
	}
	holdsTogether(t, j)
	if _, err := NewJar().LoadCookies(io.MultiReader(strings.NewReader(good), broken{})); err != io.ErrClosedPipe {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A session over real HTTP: what is set comes back, to its host alone, beside
// what the user has said.
func TestFetchKeepsCookies(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		serve := func(name string) *httptest.Server {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Saw", strings.Join(r.Header["Cookie"], "|"))
				if r.URL.Path == "/login" {
					w.Header().Add("Set-Cookie", "session="+name+"; Path=/; HttpOnly")
					w.Header().Add("Set-Cookie", "lang=de; Path=/; Secure")
					w.Header().Set("Location", "/")
					w.WriteHeader(http.StatusFound)
				}
			}))
			s.EnableHTTP2 = http2
			if http2 {
				s.StartTLS()
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			return s
		}
		one, two := serve("one"), serve("two")
		// The two are the same address with two ports: cookies do not look at
		// ports, so the second has a name.
		two.URL = strings.Replace(two.URL, "127.0.0.1", "localhost", 1)
		o := options()
		o.Insecure = true
		o.Jar = NewJar()
		o.Headers = []Header{{"Cookie", "own=1"}, {"Cookie", "own=2"}}
		f := fetcher(t, o)
		secure := ""
		if http2 {
			secure = "; lang=de"
		}
		for _, c := range []struct {
			url  string
			auth bool
			want string
		}{
			{one.URL + "/", false, ""},
			{one.URL + "/login", true, "own=1|own=2"},
			{one.URL + "/", false, "session=one" + secure},
			{one.URL + "/", true, "own=1; own=2; session=one" + secure},
			{two.URL + "/", false, ""},
			{two.URL + "/login", false, ""},
			{two.URL + "/", false, "session=two" + secure},
			{one.URL + "/", false, "session=one" + secure},
		} {
			res := f.Fetch(t.Context(), Request{URL: c.url, Auth: c.auth}, new(Buffer))
			got := res.Header.Get("X-Saw")
			if http2 {
				// HTTP/2 may cut the line at each cookie (RFC 9113 section 8.2.3).
				got, c.want = strings.ReplaceAll(got, "|", "; "), strings.ReplaceAll(c.want, "|", "; ")
			}
			if res.Class != None || got != c.want {
				t.Errorf("HTTP/2 %v: %s, auth %v: server saw %q, want %q (%s)", http2, c.url, c.auth, got, c.want, res.Err)
			}
		}
	}
}

func TestJarOfManyWorkers(t *testing.T) {
	j := NewJar()
	j.maxSites = 20
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 200 {
				u := address(t, fmt.Sprintf("http://s%d.example/", (worker+i)%30))
				j.store(u, []string{fmt.Sprintf("a%d=%d", worker, i)}, time.Now())
				j.header(u, time.Now())
				for _, s := range j.Changed() {
					if len(s.Data) > 0 {
						if err := NewJar().Restore(s.Site, s.Data); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	workers.Wait()
	holdsTogether(t, j)
}

// Whatever a server sets, the jar holds together, gives a header that can be
// sent, and comes back from a file as it was.
func FuzzSetCookie(f *testing.F) {
	for _, line := range []string{
		"a=b", "a=b; Path=/x; Domain=.example.com; Max-Age=60; Secure; HttpOnly; SameSite=None",
		"__Host-a=b; Secure; Path=/", "=a=b", "a=b; Expires=Sun, 06-Nov-2094 08:49:37 GMT\na=; Max-Age=-1", ";;=;",
	} {
		f.Add(line, "www.example.com/dir/page")
	}
	f.Add("a=b; domain=co.uk", "[::1]:80/")
	f.Fuzz(func(t *testing.T, lines, rest string) {
		u, err := target("https://" + rest)
		if err != nil {
			return
		}
		now := time.Now()
		j := NewJar()
		j.store(u, strings.Split(lines, "\n"), now)
		holdsTogether(t, j)
		header := j.header(u, now)
		if hasControls(header) || len(header) > 2*maxSiteBytes {
			t.Fatalf("%q", header)
		}
		if other := j.header(address(t, "https://other.test/"), now); other != "" && siteOf(cookieHost(u)) != "other.test" {
			t.Fatalf("another site is sent %q", other)
		}
		again := NewJar()
		for _, s := range j.Changed() {
			if err := again.Restore(s.Site, s.Data); err != nil {
				t.Fatalf("%q: %v", s.Data, err)
			}
		}
		if got := again.header(u, now); got != header {
			t.Fatalf("restored %q, was %q", got, header)
		}
	})
}

// No file makes LoadCookies or Restore panic, or the jar come apart.
func FuzzCookieFiles(f *testing.F) {
	f.Add("example.com\tTRUE\t/\tFALSE\t0\ta\tb\n#HttpOnly_x\tFALSE\t/\tTRUE\t1\t\tv")
	f.Add("1\n1\t0\texample.com\t/\ta=b\n")
	f.Fuzz(func(t *testing.T, file string) {
		j := NewJar()
		n, err := j.LoadCookies(strings.NewReader(file))
		if err != nil && n != 0 {
			t.Fatalf("%d cookies with an error", n)
		}
		for _, s := range j.Changed() {
			if err := j.Restore(s.Site, s.Data); err != nil {
				t.Fatal(err)
			}
		}
		j.Restore("example.com", []byte(file))
		holdsTogether(t, j)
	})
}

func BenchmarkJar(b *testing.B) {
	j := NewJar()
	now := time.Now()
	for i := range 1000 {
		u := address(b, fmt.Sprintf("https://www.s%d.example.com/", i))
		j.store(u, []string{"session=0123456789abcdef; Path=/", "lang=de; Domain=example.com", "cart=1; Path=/cart"}, now)
		j.store(address(b, fmt.Sprintf("https://www.site%d.example/", i)), []string{"session=0123456789abcdef; Path=/", "lang=de; Path=/"}, now)
	}
	for _, c := range []struct{ name, url string }{
		{"none", "https://www.other.example/"},
		{"two", "https://www.site500.example/a/b"},
	} {
		u := address(b, c.url)
		b.Run("header/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				j.header(u, now)
			}
		})
	}
	u := address(b, "https://www.site500.example/a/b")
	line := []string{"session=0123456789abcdef; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600"}
	b.Run("store/same", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			j.store(u, line, now)
		}
	})
}
