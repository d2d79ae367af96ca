package fakeweb

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustNew(t testing.TB, o Options) *Web {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// rough is a web with everything that a web can have, and no waiting.
func rough(hosts, pages int) Options {
	o := Defaults()
	o.Hosts, o.Pages = hosts, pages
	o.PageBytes = 2 << 10
	o.Faults = AllFaults()
	o.Faults.SlowBy = 0
	return o
}

// fetched is an answer with its body read and decoded.
type fetched struct {
	*http.Response
	body    string
	bodyErr error
}

func get(t testing.TB, rt http.RoundTripper, address string, header ...string) (fetched, error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return fetched{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fetched{resp, string(b), err}, nil
}

func mustGet(t testing.TB, rt http.RoundTripper, address string, header ...string) fetched {
	t.Helper()
	f, err := get(t, rt, address, header...)
	if err != nil || f.bodyErr != nil {
		t.Fatalf("%s: %v %v", address, err, f.bodyErr)
	}
	return f
}

// rowOf returns the first expected row of a kind.
func rowOf(t testing.TB, w *Web, walk Walk, kind Kind) Row {
	t.Helper()
	for row := range w.Expected(walk) {
		if row.Kind == kind && row.Outcome != Skipped {
			return row
		}
	}
	t.Fatalf("no page is %v", kind)
	return Row{}
}

func TestSameOptionsSameWeb(t *testing.T) {
	a, b := mustNew(t, rough(3, 200)), mustNew(t, rough(3, 200))
	o := rough(3, 200)
	o.Seed++
	other := mustNew(t, o)
	same := 0
	for row := range a.Expected(Walk{}) {
		fa, errA := get(t, a, row.URL)
		fb, errB := get(t, b, row.URL)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("%s: %v and %v", row.URL, errA, errB)
		}
		if errA != nil {
			continue
		}
		if fa.body != fb.body || fmt.Sprint(fa.Header) != fmt.Sprint(fb.Header) || fa.StatusCode != fb.StatusCode {
			t.Errorf("%s: two answers", row.URL)
		}
		if f, err := get(t, other, row.URL); err == nil && f.StatusCode == 200 && f.body == fa.body && row.IsHTML() && row.Kind == Healthy {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d pages are the same with another seed", same)
	}
}

var (
	hidden    = regexp.MustCompile(`(?s)<!--.*?-->|<script.*?</script>`)
	anchors   = regexp.MustCompile(`(?s)<a href=(?:"([^"]*)"|'([^']*)')([^>]*)>`)
	refs      = regexp.MustCompile(`<(?:link rel="stylesheet" href|script src|img src)="([^"]*)"`)
	baseHref  = regexp.MustCompile(`<base href="([^"]*)">`)
	canonical = regexp.MustCompile(`<link rel="canonical" href="([^"]*)">`)
	robots    = regexp.MustCompile(`<meta name="robots" content="([^"]*)">`)
	described = regexp.MustCompile(`<meta name="description" content="([^"]*)">`)
	titled    = regexp.MustCompile(`<title>([^<]*)</title>`)
	heading   = regexp.MustCompile(`<h1>([^<]*)</h1>`)
)

var dots = strings.NewReplacer("%2e", ".", "%2E", ".")

func first(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// resolve does for the links of these pages, and for no others, what a crawler
// does to bring them to one spelling.
func resolve(base *url.URL, ref string) (string, bool) {
	ref = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return -1
		}
		return r
	}, strings.Trim(ref, " \n\t"))
	ref = dots.Replace(ref)
	u, err := base.Parse(strings.ReplaceAll(ref, `\`, "/"))
	if err != nil || u.Scheme != "http" {
		return "", false
	}
	u.Fragment = ""
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), ":80")
	var keep []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if !strings.HasPrefix(part, "utm_") && !strings.HasPrefix(part, "gclid") {
			keep = append(keep, part)
		}
	}
	u.RawQuery = strings.Join(keep, "&")
	return u.String(), true
}

// crawl walks the web as it is served, knowing nothing of how it is made.
func crawl(t *testing.T, rt http.RoundTripper, seeds []string, walk Walk) map[string]Row {
	t.Helper()
	rows := map[string]Row{}
	skipped := map[string]Row{}
	scope := map[string]bool{}
	hostOf := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	for _, seed := range seeds {
		scope[hostOf(seed)] = true
	}
	var level, next []string
	find := func(address string, nofollow bool, to *[]string) {
		reason := ""
		if _, ok := rows[address]; ok {
			return
		}
		if !walk.AnyHost && !scope[hostOf(address)] {
			reason = "scope"
		} else if nofollow && !walk.IgnoreNofollow {
			reason = "nofollow"
		}
		if reason == "" {
			rows[address] = Row{}
			delete(skipped, address)
			*to = append(*to, address)
		} else if _, ok := skipped[address]; !ok {
			skipped[address] = Row{URL: address, Outcome: Skipped, Reason: reason}
		}
	}
	visit := func(address string, depth int) (row Row, links func()) {
		row = Row{URL: address, Depth: depth}
		if strings.Contains(address, "/private/") {
			row.Outcome = Blocked
			return row, nil
		}
		f, err := get(t, rt, address, "Accept-Encoding", "identity")
		for range 5 {
			if err != nil {
				break
			}
			if location := f.Header.Get("Location"); location != "" {
				to, _ := resolve(f.Request.URL, location)
				if to != address {
					break
				}
				raw, err := f.Request.URL.Parse(location)
				if err != nil {
					t.Fatal(err)
				}
				f, _ = get(t, rt, raw.String(), "Accept-Encoding", "identity")
			} else if f.Header.Get("Retry-After") != "" {
				row.Refusals++
				f, err = get(t, rt, address, "Accept-Encoding", "identity")
			}
		}
		if err != nil || f.bodyErr != nil {
			row.Outcome, row.ErrorClass = Failed, "reset"
			if err == nil {
				row.Status = f.StatusCode
			}
			return row, nil
		}
		row.Status = f.StatusCode
		base := f.Request.URL
		switch {
		case row.Status >= 400:
			row.Outcome = Failed
			return row, nil
		case row.Status >= 300:
			row.Outcome = Redirected
			row.RedirectURL, _ = resolve(base, f.Header.Get("Location"))
			return row, nil
		}
		row.Outcome = Fetched
		row.ContentType = f.Header.Get("Content-Type")
		row.ETag, row.LastModified = f.Header.Get("Etag"), f.Header.Get("Last-Modified")
		if !row.IsHTML() {
			return row, nil
		}
		row.Title, row.H1 = first(titled, f.body), first(heading, f.body)
		row.Description, row.MetaRobots = first(described, f.body), first(robots, f.body)
		row.Canonical = first(canonical, f.body)
		return row, func() {
			if href := first(baseHref, f.body); href != "" {
				if base, err = base.Parse(href); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range anchors.FindAllStringSubmatch(hidden.ReplaceAllString(f.body, ""), -1) {
				if to, ok := resolve(base, html.UnescapeString(m[1]+m[2])); ok {
					find(to, strings.Contains(row.MetaRobots, "nofollow") || strings.Contains(m[3], "nofollow"), &next)
				}
			}
			if !walk.Assets {
				return
			}
			for _, m := range refs.FindAllStringSubmatch(f.body, -1) {
				if to, ok := resolve(base, m[1]); ok {
					find(to, false, &next)
				}
			}
		}
	}
	for _, seed := range seeds {
		find(seed, false, &level)
	}
	for depth := 0; len(level) > 0; depth++ {
		var open []func()
		for i := 0; i < len(level); i++ {
			row, links := visit(level[i], depth)
			rows[level[i]] = row
			if row.Outcome == Redirected {
				find(row.RedirectURL, false, &level)
			}
			if links != nil {
				open = append(open, links)
			}
		}
		for _, links := range open {
			links()
		}
		level, next = next, nil
	}
	for address, row := range skipped {
		rows[address] = row
	}
	return rows
}

// compare holds a crawl against what the web says of itself.
func compare(t *testing.T, w *Web, walk Walk, got map[string]Row) {
	t.Helper()
	n, depth := 0, 0
	for want := range w.Expected(walk) {
		n++
		have, ok := got[want.URL]
		if !ok {
			t.Errorf("not found: %+v", want)
			continue
		}
		if want.Outcome != Skipped {
			if want.Depth < depth {
				t.Errorf("%s: depth %d after depth %d", want.URL, want.Depth, depth)
			}
			depth = want.Depth
		}
		// What can not be seen from outside.
		want.Host, want.Kind, want.Gzip = 0, 0, false
		if want != have {
			t.Errorf("\nwant %+v\nhave %+v", want, have)
		}
		if strings.Contains(want.URL, "/lost/") {
			t.Errorf("%s is expected", want.URL)
		}
	}
	if n != len(got) {
		t.Errorf("%d rows expected, %d found", n, len(got))
	}
}

func TestExpectedIsWhatACrawlFinds(t *testing.T) {
	oneLink := rough(2, 40)
	oneLink.Fanout, oneLink.LinksPerPage = 1, 0
	wide := rough(2, 300)
	wide.Fanout, wide.LinksPerPage = 50, 3
	tests := []struct {
		name string
		o    Options
		walk Walk
	}{
		{"demo", Defaults(), Walk{}},
		{"one page", rough(1, 1), Walk{}},
		{"a chain of pages", oneLink, Walk{}},
		{"a flat tree", wide, Walk{}},
		{"one host", rough(1, 300), Walk{}},
		{"one host of three", rough(3, 150), Walk{From: []int{1}}},
		{"any host", rough(3, 150), Walk{From: []int{2}, AnyHost: true}},
		{"all hosts", rough(3, 150), Walk{}},
		{"nofollow ignored", rough(2, 150), Walk{IgnoreNofollow: true}},
		{"assets", rough(2, 100), Walk{Assets: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := mustNew(t, test.o)
			seeds := w.Seeds()
			if test.walk.From != nil {
				seeds = seeds[test.walk.From[0] : test.walk.From[0]+1]
			}
			compare(t, w, test.walk, crawl(t, w, seeds, test.walk))
		})
	}
}

func TestEveryPageIsReached(t *testing.T) {
	o := rough(2, 1000)
	w := mustNew(t, o)
	kinds := map[Kind]int{}
	pages := 0
	for row := range w.Expected(Walk{}) {
		kinds[row.Kind]++
		if row.Outcome != Skipped && row.Kind < kindFaulty {
			pages++
		}
	}
	if want := o.Hosts * o.Pages; pages != want {
		t.Errorf("%d pages, want %d", pages, want)
	}
	for k := Healthy; k < Asset; k++ {
		if kinds[k] == 0 && k != kindFaulty {
			t.Errorf("no page is %v", k)
		}
	}
}

func TestEverySpellingOccurs(t *testing.T) {
	w := mustNew(t, rough(2, 1000))
	var all strings.Builder
	for row := range w.Expected(Walk{}) {
		if row.Kind == Healthy && row.Outcome == Fetched {
			all.WriteString(mustGet(t, w, row.URL).body)
		}
	}
	for _, want := range []string{
		`href="/`, `href="./`, `href="../`, `href="http://h0.test/`, `href="//h1.test/`, `#part-`, `utm_source=`,
		`&amp;utm_source=`, `gclid=`, `/./old/..`, `%2E%2e`, `HTTP://H1.TEST/`, `:80/`, "href=' \n/", `href="\`, `/café/`,
		`/caf%C3%A9/`, ` rel="nofollow"`, `<base href=`, `content="nofollow"`, `content="noindex"`, `rel="canonical"`, `<!--`, ` &amp; `,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no page holds %s", want)
		}
	}
}

func TestPagesHaveTheirSize(t *testing.T) {
	o := Defaults()
	for _, size := range []int{0, 1000, 20 << 10, 1 << 20} {
		o.PageBytes = size
		body := mustGet(t, mustNew(t, o), "http://h0.test/").body
		if len(body) < size || len(body) > size+8<<10 {
			t.Errorf("%d bytes, want %d", len(body), size)
		}
	}
}

func TestServedOnPortsOfTheirOwn(t *testing.T) {
	w := mustNew(t, rough(4, 60))
	roots, stop, err := w.Start(3)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	walk := Walk{Roots: roots, From: []int{0}, AnyHost: true}
	compare(t, w, walk, crawl(t, rt, roots[:1], walk))
	if n := len(w.Tally().Hosts()); n != 3 {
		t.Errorf("%d hosts were asked, want 3", n)
	}
	for host, tally := range w.Tally().Hosts() {
		if tally.MaxOpen != 1 {
			t.Errorf("%s: %d requests at a time, but the crawl makes one", host, tally.MaxOpen)
		}
	}
	rt.CloseIdleConnections()
	stop()
	stop()
	if _, err := get(t, rt, roots[0]); err == nil {
		t.Error("it still answers when stopped")
	}
}

func TestStartRefusesHostsThatAreNone(t *testing.T) {
	w := mustNew(t, rough(3, 1))
	for _, hosts := range []int{-1, 0, 4} {
		if _, _, err := w.Start(hosts); err == nil {
			t.Errorf("%d of 3 hosts started", hosts)
		}
	}
}

func TestAnyNameIsAWebOfOneSite(t *testing.T) {
	w := mustNew(t, rough(3, 60))
	server := httptest.NewServer(w)
	defer server.Close()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	root := server.URL + "/"
	walk := Walk{Roots: []string{root}}
	compare(t, w, walk, crawl(t, rt, []string{root}, walk))
}

func TestNamedHostsBehindAProxy(t *testing.T) {
	w := mustNew(t, rough(3, 60))
	server := httptest.NewServer(w)
	defer server.Close()
	proxy, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	rt := &http.Transport{DisableCompression: true, Proxy: http.ProxyURL(proxy)}
	defer rt.CloseIdleConnections()
	compare(t, w, Walk{}, crawl(t, rt, w.Seeds(), Walk{}))
}

func TestLinksCarryPortAndScheme(t *testing.T) {
	w := mustNew(t, rough(1, 200))
	body := mustGet(t, w, "https://h0.test:8443/").body
	if !strings.Contains(body, `"https://h0.test:8443/`) {
		t.Error("no link has scheme and port of the request")
	}
	if strings.Contains(body, `http://h0.test/`) {
		t.Error("a link has lost scheme and port of the request")
	}
}

func TestBrokenConnections(t *testing.T) {
	w := mustNew(t, rough(1, 300))
	roots, stop, err := w.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	for name, via := range map[string]struct {
		rt   http.RoundTripper
		walk Walk
	}{
		"memory": {w, Walk{}},
		"socket": {rt, Walk{Roots: roots}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, via.rt, rowOf(t, w, via.walk, Reset).URL)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("reset: %v", err)
			}
			f, err := get(t, via.rt, rowOf(t, w, via.walk, Cut).URL)
			if err != nil || !errors.Is(f.bodyErr, io.ErrUnexpectedEOF) {
				t.Errorf("cut: %v %v", err, f.bodyErr)
			}
			if len(f.body) == 0 || int64(len(f.body)) >= f.ContentLength {
				t.Errorf("cut: %d of %d bytes", len(f.body), f.ContentLength)
			}
		})
	}
}

func TestUnknownNamesDoNotResolve(t *testing.T) {
	w := mustNew(t, rough(2, 1))
	for _, host := range []string{"h2.test", "h-1.test", "h01.test", "h+1.test", "h.test", "test", "example.com", "h0.test.com"} {
		_, err := get(t, w, "http://"+host+"/")
		var dns *net.DNSError
		if !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := w.Tally().Total(); n != 0 {
		t.Errorf("%d requests counted", n)
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	w := mustNew(t, rough(1, 50))
	page := rowOf(t, w, Walk{}, Chain).URL
	for _, target := range []string{
		"/nothing", "/?a=b", "/lost", "//", "/7", "/amber/amber-49.htm", "/amber/amber-50.html", "/hop/0/1", "/hop/1/1", "/hop/x/y",
		"/private/", "/private/-1", "/private/007", "/private/99999999999999999999", "/assets/", "/assets/none.css", "/robots.txt/",
		strings.TrimPrefix(page, "http://h0.test") + "/",
	} {
		if f := mustGet(t, w, "http://h0.test"+target); f.StatusCode != 404 {
			t.Errorf("%s: %s", target, f.Status)
		}
	}
}

func TestTrackingParametersChangeNothing(t *testing.T) {
	w := mustNew(t, rough(1, 300))
	for row := range w.Expected(Walk{}) {
		if row.Kind != Healthy || row.Outcome != Fetched {
			continue
		}
		mark := "?"
		if strings.Contains(row.URL, "?") {
			mark = "&"
		}
		plain, tracked := mustGet(t, w, row.URL), mustGet(t, w, row.URL+mark+"utm_source=a&fbclid=b")
		if plain.body != tracked.body {
			t.Fatalf("%s: another page", row.URL)
		}
	}
}

func TestCompressedPagesAreTheSame(t *testing.T) {
	w := mustNew(t, rough(1, 100))
	n := 0
	for row := range w.Expected(Walk{}) {
		if row.Kind != Healthy || row.Outcome != Fetched {
			continue
		}
		f := mustGet(t, w, row.URL, "Accept-Encoding", "br, gzip")
		if got := f.Header.Get("Content-Encoding") == "gzip"; got != row.Gzip {
			t.Fatalf("%s: compressed %t, want %t", row.URL, got, row.Gzip)
		}
		if !row.Gzip {
			continue
		}
		n++
		zip, err := gzip.NewReader(strings.NewReader(f.body))
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		if string(page) != mustGet(t, w, row.URL).body {
			t.Fatalf("%s: another page", row.URL)
		}
	}
	if n == 0 {
		t.Error("no page is compressed")
	}
}

func TestThrottledPagesRelent(t *testing.T) {
	w := mustNew(t, rough(1, 300))
	row := rowOf(t, w, Walk{}, Throttled)
	statuses := func() (got []int) {
		for range 4 {
			f := mustGet(t, w, row.URL)
			got = append(got, f.StatusCode)
			if after := f.Header.Get("Retry-After"); (after == "2") != (f.StatusCode != 200) {
				t.Errorf("status %d with Retry-After %q", f.StatusCode, after)
			}
		}
		return got
	}
	got := statuses()
	if got[0] != 429 && got[0] != 503 || got[1] != got[0] || got[2] != 200 || got[3] != 200 {
		t.Errorf("statuses %d", got)
	}
	w.Reset()
	if again := statuses(); fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("statuses %d after a reset", again)
	}
}

func TestRedirectsEndAsTheirKindSays(t *testing.T) {
	w := mustNew(t, rough(2, 300))
	rows := map[string]Row{}
	for row := range w.Expected(Walk{}) {
		rows[row.URL] = row
	}
	// way returns the kinds on the way from a page, until it ends or repeats.
	way := func(row Row) (kinds []Kind, repeats bool) {
		seen := map[string]bool{}
		for row.RedirectURL != "" && !seen[row.URL] {
			seen[row.URL] = true
			kinds = append(kinds, row.Kind)
			row = rows[row.RedirectURL]
		}
		return append(kinds, row.Kind), seen[row.URL]
	}
	for kind, want := range map[Kind]string{
		Redirect: "[redirect healthy] false",
		Chain:    "[chain hop hop hop healthy] false",
		Loop:     "[loop hop hop hop] true",
	} {
		kinds, repeats := way(rowOf(t, w, Walk{}, kind))
		if got := fmt.Sprint(kinds, repeats); got != want {
			t.Errorf("%v: %s, want %s", kind, got, want)
		}
	}
	bounce := rowOf(t, w, Walk{}, Bounce)
	f := mustGet(t, w, bounce.URL)
	if location := f.Header.Get("Location"); f.StatusCode/100 != 3 || !strings.HasSuffix(location, "utm_source=bounce") {
		t.Errorf("bounce: %s to %q", f.Status, location)
	}
	if f = mustGet(t, w, bounce.URL+"?utm_source=bounce"); f.StatusCode != 200 {
		t.Errorf("bounced: %s", f.Status)
	}
}

func TestRobots(t *testing.T) {
	o := rough(2, 1)
	if f := mustGet(t, mustNew(t, o), "http://h1.test/robots.txt"); f.body != DefaultRobots || f.StatusCode != 200 {
		t.Errorf("%s %q", f.Status, f.body)
	}
	o.Robots = func(host string) (int, string) {
		if host == "h0.test" {
			return 0, ""
		}
		return 503, "later"
	}
	w := mustNew(t, o)
	if f := mustGet(t, w, "http://h1.test/robots.txt"); f.body != "later" || f.StatusCode != 503 {
		t.Errorf("%s %q", f.Status, f.body)
	}
	if _, err := get(t, w, "http://h0.test/robots.txt"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("status 0: %v", err)
	}
}

func TestOtherMethods(t *testing.T) {
	w := mustNew(t, rough(1, 1))
	for method, want := range map[string]int{"HEAD": 200, "POST": 405, "DELETE": 405} {
		r, err := http.NewRequest(method, "http://h0.test/", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || len(b) > 0 || resp.StatusCode != want {
			t.Errorf("%s: %s, %d bytes, %v", method, resp.Status, len(b), err)
		}
		resp.Body.Close()
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("%s served: %d", method, rec.Code)
		}
	}
}

func TestLatencyIsExactInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rough(1, 300)
		o.Latency = Fixed(250 * time.Millisecond)
		o.Faults.SlowBy = time.Hour
		w := mustNew(t, o)
		start := time.Now()
		mustGet(t, w, "http://h0.test/")
		if took := time.Since(start); took != 250*time.Millisecond {
			t.Errorf("a page took %v", took)
		}
		start = time.Now()
		mustGet(t, w, rowOf(t, w, Walk{}, Slow).URL)
		if took := time.Since(start); took != time.Hour+250*time.Millisecond {
			t.Errorf("a slow page took %v", took)
		}
	})
}

func TestGivingUpEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rough(1, 1)
		o.Latency = Fixed(time.Hour)
		w := mustNew(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://h0.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err = w.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("gave up after %v", took)
		}
		if _, err = w.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("asked when given up: %v", err)
		}
	})
}

func TestBodyAfterTheEnd(t *testing.T) {
	w := mustNew(t, rough(1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://h0.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	var b [10]byte
	if n, err := resp.Body.Read(b[:]); n != 10 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	cancel()
	if _, err := resp.Body.Read(b[:]); !errors.Is(err, context.Canceled) {
		t.Errorf("read when cancelled: %v", err)
	}
	resp.Body.Close()
	resp.Body.Close()
	if _, err := resp.Body.Read(b[:]); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("read when closed: %v", err)
	}
}

func TestTallyCountsConcurrencyAndGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := rough(2, 10)
		o.Latency = Fixed(10 * time.Second)
		w := mustNew(t, o)
		// h0 is asked at 0, 3, 5 and 20 s, h1 once.
		var asking sync.WaitGroup
		for _, ask := range []struct {
			at      time.Duration
			address string
		}{
			{0, "http://h0.test/"},
			{3 * time.Second, "http://h0.test/"},
			{5 * time.Second, "http://h0.test/robots.txt"},
			{20 * time.Second, "http://h0.test/none?utm_source=x"},
			{4 * time.Second, "http://h1.test/"},
		} {
			asking.Go(func() {
				time.Sleep(ask.at)
				mustGet(t, w, ask.address)
			})
		}
		asking.Wait()
		tally := w.Tally()
		if got, want := tally.Host("h0.test"), (HostTally{Requests: 4, MaxOpen: 3, MinGap: 2 * time.Second}); got != want {
			t.Errorf("h0: %+v, want %+v", got, want)
		}
		if got, want := tally.Host("h1.test"), (HostTally{Requests: 1, MaxOpen: 1}); got != want {
			t.Errorf("h1: %+v, want %+v", got, want)
		}
		if got, want := fmt.Sprint(tally.URLs("h0.test")), "map[/:2 /none?utm_source=x:1 /robots.txt:1]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := tally.URL("h0.test", "/"); got != 2 {
			t.Errorf("the root was asked %d times", got)
		}
		if tally.Total() != 5 || len(tally.Hosts()) != 2 {
			t.Errorf("%d requests of %d hosts", tally.Total(), len(tally.Hosts()))
		}
		tally.Reset()
		if tally.Total() != 0 || tally.Host("h0.test") != (HostTally{}) || len(tally.URLs("h0.test")) != 0 {
			t.Error("it remembers after a reset")
		}
	})
}

func TestTallyCountsUntilTheBodyIsRead(t *testing.T) {
	w := mustNew(t, rough(1, 10))
	open := func() *http.Response {
		r, err := http.NewRequest(http.MethodGet, "http://h0.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	a := open()
	b := open()
	if got := w.Tally().Host("h0.test").MaxOpen; got != 2 {
		t.Errorf("%d open, want 2", got)
	}
	a.Body.Close()
	a.Body.Close()
	c := open()
	if got := w.Tally().Host("h0.test").MaxOpen; got != 2 {
		t.Errorf("%d open, want 2 when one was closed", got)
	}
	w.Tally().Reset()
	b.Body.Close()
	c.Body.Close()
	open().Body.Close()
	if got := w.Tally().Host("h0.test").MaxOpen; got != 1 {
		t.Errorf("%d open, want 1 after a reset", got)
	}
}

func TestTallySwitchedOff(t *testing.T) {
	o := rough(1, 1)
	o.Tally = false
	w := mustNew(t, o)
	mustGet(t, w, "http://h0.test/")
	if w.Tally().Total() != 0 {
		t.Error("it counts")
	}
}

func TestManyAtOnce(t *testing.T) {
	w := mustNew(t, rough(3, 60))
	var rows []Row
	for row := range w.Expected(Walk{}) {
		rows = append(rows, row)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for _, row := range rows {
				f, err := get(t, w, row.URL, "Accept-Encoding", "gzip")
				if err == nil && f.bodyErr == nil && row.Kind == Healthy && row.Outcome == Fetched && !row.Gzip {
					if first(titled, f.body) != row.Title || !strings.HasSuffix(f.body, "</html>\n") {
						t.Errorf("%s: another page", row.URL)
					}
				}
			}
		})
	}
	asking.Wait()
	if got := w.Tally().Total(); got != 8*len(rows) {
		t.Errorf("%d requests, want %d", got, 8*len(rows))
	}
}

func TestOptionsThatMakeNoWeb(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(o *Options)
	}{
		{"no hosts", func(o *Options) { o.Hosts = 0 }},
		{"no pages", func(o *Options) { o.Pages = 0 }},
		{"no children", func(o *Options) { o.Fanout = 0 }},
		{"negative links", func(o *Options) { o.LinksPerPage = -1 }},
		{"negative cross links", func(o *Options) { o.CrossEvery = -1 }},
		{"negative size", func(o *Options) { o.PageBytes = -1 }},
		{"all private and more", func(o *Options) { o.Private = 1001 }},
		{"negative nofollow", func(o *Options) { o.Nofollow = -1 }},
		{"negative share", func(o *Options) { o.Faults.Cut = -1 }},
		{"share over all", func(o *Options) { o.Faults.Cut = 1001 }},
		{"shares over all", func(o *Options) { o.Faults.Cut, o.Faults.Slow = 600, 600 }},
		{"gzip over all", func(o *Options) { o.Faults.Gzip = 1001 }},
		{"chains of none", func(o *Options) { o.Faults.ChainHops = 0 }},
		{"negative wait", func(o *Options) { o.Faults.SlowBy = -1 }},
	}
	for _, test := range tests {
		o := rough(1, 1)
		test.spoil(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "fakeweb: ") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	w := mustNew(f, rough(2, 500))
	for row := range w.Expected(Walk{}) {
		if row.Depth == 1 {
			f.Add(strings.TrimPrefix(row.URL, "http://h0.test"))
		}
	}
	for _, s := range []string{"", "?", "/", "/?utm_source=x", "/hop/1/1", "/hop//", "/private/0", "/x/view?id=3&utm_a=b", "/assets/one.png?gclid=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		p, tracked, ok := w.find(0, target)
		if !ok || tracked {
			return
		}
		// One address, one spelling.
		if got := string(w.appendPath(nil, p)); got != target {
			t.Errorf("%q is found as %q", target, got)
		}
		w.answer(nil, &w.names, 0, "h0.test", target, false)
	})
}

func benchOptions() Options {
	o := Defaults()
	o.Hosts, o.Pages = 50, 1_000_000
	o.LinksPerPage, o.Fanout = 40, 8
	o.PageBytes = 20 << 10
	o.Faults = Faults{}
	o.Tally = false
	return o
}

func BenchmarkPage(b *testing.B) {
	w := mustNew(b, benchOptions())
	b.ReportAllocs()
	var page []byte
	n := 0
	for b.Loop() {
		page = w.appendPage(page[:0], &w.names, n%50, n)
		n = (n + 1) % 1_000_000
		b.SetBytes(int64(len(page)))
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, tally := range []bool{false, true} {
		b.Run("tally="+strconv.FormatBool(tally), func(b *testing.B) {
			o := benchOptions()
			o.Tally = tally
			w := mustNew(b, o)
			r := make([]*http.Request, 1000)
			for i := range r {
				var err error
				if r[i], err = http.NewRequest(http.MethodGet, string(w.appendURL(nil, &w.names, node{h: i % 50, n: i})), nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				resp, err := w.RoundTrip(r[i%1000])
				if err != nil {
					b.Fatal(err)
				}
				if _, err = io.Copy(io.Discard, resp.Body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
				i++
			}
		})
	}
}

// BenchmarkLoopback is a client and the server together; see how much of it is
// left when the page is empty.
func BenchmarkLoopback(b *testing.B) {
	w := mustNew(b, benchOptions())
	roots, stop, err := w.Start(1)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	for _, path := range []string{"", "robots.txt"} {
		b.Run("path=/"+path, func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, roots[0]+path, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				resp, err := rt.RoundTrip(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err = io.Copy(io.Discard, resp.Body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}

func BenchmarkExpected(b *testing.B) {
	o := benchOptions()
	o.Hosts, o.Pages = 10, 1000
	w := mustNew(b, o)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range w.Expected(Walk{}) {
			n++
		}
		if n < 10_000 {
			b.Fatal(n)
		}
	}
}
