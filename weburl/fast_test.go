package weburl

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

var seed = flag.Uint64("seed", 0, "seed of the random links, to see a failure again")

// bases are in WHATWG spelling and short enough for the fast way.
var bases = []string{
	"http://example.org/",
	"https://www.example.org/shop/shoes/index.html?page=2&utm_source=x",
	"https://example.org:8443/a//b/;jsessionid=1/c",
	"http://127.0.0.1/x",
	"http://[::1]:8080/?",
	"https://xn--mnchen-3ya.de/%C3%BC/..%2f/",
}

var plainLinks = []string{
	"", "#", "#top", "#a b", "?", "?page=2", "?a=1&b=%20+&c[]=x#y",
	"/", "/about", "/a/b/c.html", "/~user/", "/a/b?x=1#y", "/a,b;c=d:e@f!g$h(i)*j+k'l", "/%D0%B0/%zz", "/a[1]|b",
	"about", "about.html", "a/b/c", "a/b/?x", "p?q=http://x/", "index.php#top", "-", "_a", "..a", ".htaccess",
	" /a", "/a ", "\n", "\t a\r\n", "?x ", " https://example.org/ ", "\x00",
	".", "./", "./a", "..", "../", "../a", "../../a/b", "/a/./b/../c", "a/../../..", "/..", "%2e", "/a/%2E%2e/b", "..?x", ".#y",
	"//example.org", "//cdn.example.org/a.js", "//example.org?x", "//example.org#x",
	"http://example.org", "https://example.org/", "https://www.example-shop.co.uk/a/b?x=1#y", "http://a/b", "http://a.b.c.d.e/",
	"https://example.org:8080/a", "http://localhost:3000", "http://3com.com/x", "https://a--b.org/", "https://example.org/../a",
	"https://example.org/?u=https://example.net/?v", "http://example.org/a:b/c:d",
	"http://ex_ample.org/", "//_dmarc.a_.org", "http://a.xn--mnchen-3ya.de/", "http://xn--a/", "http://xn--/", "http://a.xn--p1ai",
	"http://1.2.3.4/", "http://127.0.0.1:41235/x", "http://255.255.255.255:65535", "http://0.0.0.0/", "http://h:12345/",
}

// doubtfulLinks are those that would come out wrong if the fast way took them.
var doubtfulLinks = []string{
	"/a #b", "/a b", "/a\nb", "/\ta", "\t?'", "/a\\b", "\\a", "/ü", "/a\"", "/<", "/>", "/^", "/`", "/{", "/}", "?'", "?a b", "?ü", "/\x00a", "/\x7f",
	"/\xff", "mailto:a@b", "javascript:void(0)", "a:b", "http:", "http:a", "http:/a", "https:a", "HTTP://example.org/", "Http://a/",
	"http://", "https:///a", "///a", "//", "//?", "//#", "/\\a", "http://\\a", "http:\\\\a",
	"http://Example.org/", "http://münchen.de/", "http://a%62c/",
	"http://example.org./", "http://.example.org/", "http://a..b/", "http://.", "http://1.2.3.256/", "http://01.2.3.4/", "http://1.2.3.04/", "http://1.2.3.4.5/", "http://1.2.3.4./", "http://1.2.3./",
	"http://1.2..4/", "http://1.2.3.4a/", "http://1.2.3.1000/", "http://1.2.3.0x4/", "http://1.2.3/", "http://127.1/", "http://1/", "http://0x7f/",
	"http://a.1/", "http://a.0x1/", "http://a.-1/", "http://-1/", "http://xn--a.1/", "http://xn=--a/", "http://XN--a/", "http://[::1]/", "http://u@h/", "http://u:1@h/", "http://u:p@h/", "http://@h/",
	"http://h:/", "http://h:80/", "https://h:443/", "http://h:0/", "http://h:0080/", "http://h:65536/", "http://h:99999/", "http://h:100000/", "http://h:08080/", "http://h:a/",
	"http://h:808a/", "http://h;a/", "http://h,a", "http://h\\a", "//h:8080\\a", "//h:8080:1/", "//h:8080x",
}

// If links that ought to be taken the fast way are not, a crawl is slow and nothing else tells.
func TestPlainLinksTakeTheFastWay(t *testing.T) {
	s := newSpeller(t)
	for _, base := range bases {
		b := newBase(t, s, base)
		for _, ref := range plainLinks {
			if _, ok := b.resolveFast(nil, []byte(ref)); !ok {
				t.Errorf("%q on %q is refused", ref, base)
			}
			checkSameWays(t, b, ref)
		}
	}
}

func TestDoubtfulLinksTakeTheSlowWay(t *testing.T) {
	s := newSpeller(t)
	for _, base := range bases {
		b := newBase(t, s, base)
		for _, ref := range doubtfulLinks {
			if out, ok := b.resolveFast(nil, []byte(ref)); ok {
				t.Errorf("%q on %q is taken: %q", ref, base, out)
			}
		}
	}
}

func TestFastWayAllocatesNothing(t *testing.T) {
	b := newBase(t, newSpeller(t), bases[1])
	dst := make([]byte, 0, 1024)
	for _, ref := range plainLinks {
		link := []byte(ref)
		if n := testing.AllocsPerRun(10, func() { _, _ = b.Append(dst, link) }); n != 0 {
			t.Errorf("%q: %v allocations", ref, n)
		}
	}
}

// checkSameWays fails if the fast way takes a link and makes something else of it than the parser.
func checkSameWays(t testing.TB, b *Base, ref string) {
	t.Helper()
	const before = "before"
	if fast, ok := b.resolveFast([]byte(before), []byte(ref)); ok {
		slow, err := b.resolveSlow([]byte(before), ref)
		if err != nil || !bytes.Equal(fast, slow) {
			t.Fatalf("%q on %q:\nfast %q\nslow %q, %v", ref, b.addr, fast, slow, err)
		}
	}
	if fast, ok := absoluteFast([]byte(before), []byte(ref)); ok {
		slow, err := b.speller.appendSlow([]byte(before), ref)
		if err != nil || !bytes.Equal(fast, slow) {
			t.Fatalf("%q:\nfast %q\nslow %q, %v", ref, fast, slow, err)
		}
	}
}

// pieces are what random links are put together from: mostly plain, with what might be mistaken for it.
var pieces = strings.Fields(`/ / / / /a /b.html /c/ a b index.html x1 - _ ~ . .. ./ ../ /. /.. ... %2e %2E %2e. .%2E /%2e%2e/ % %4a %zz
	? & = ?a=1 &b=2 ?utm_id=1 ;jsessionid=1 ; # #top : @ ! $ ' ( ) * + , [ ] | \ ^ { " < ü ` + "` \xff" + `
	// // //example.org //h http: https: http:// http:// https:// https:// HTTP:// ftp: mailto: ///
	example.org www. .com com localhost h a.b xn-- xn--a .xn--p1ai xn= xn=-- Xn-- %78n--a a_b Ex EXAMPLE.ORG 1.2.3.4 127.1 0x7f .0x1 1 08 [::1] a--b -a a-
	:80 :443 :8080 :3000 :0 :080 :99999 : u@ u:p@`)

func randomLink(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(9) {
		if r.IntN(60) == 0 {
			b.WriteByte(byte(r.IntN(128)))
			continue
		}
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestFastWayEqualsSlowWay(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 0))
	s := newSpeller(t)
	links, taken := 300_000, 0
	if testing.Short() {
		links /= 10
	}
	var on []*Base
	for _, base := range bases {
		on = append(on, newBase(t, s, base))
	}
	for range links {
		b, ref := on[r.IntN(len(on))], randomLink(r)
		if _, ok := b.resolveFast(nil, []byte(ref)); !ok {
			continue
		}
		taken++
		checkSameWays(t, b, ref)
	}
	if taken < links/10 {
		t.Errorf("only %d of %d links take the fast way", taken, links)
	}
}

func TestRandomLinksAreSpeltOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	spellers := []*Speller{newSpeller(t), sortingSpeller(t)}
	for i := range 20_000 {
		base, ref, s := bases[r.IntN(len(bases))], randomLink(r), spellers[i%2]
		if out, err := newBase(t, s, base).Append(nil, []byte(ref)); err == nil {
			checkCanonical(t, s, ref, string(out))
		}
	}
}

func TestRandomHostsAreSpeltOnce(t *testing.T) {
	// Letters and signs that the mapping of names turns into others, from several directions of writing.
	letters := []rune("abzAZ019-_.~+xn\u00ad\u00b7\u00df\u00e9\u0130\u017f\u0301\u03c2\u0430\u05d0\u0628\u0660\u0915\u094d" +
		"\u200c\u200d\u2080\u210d\u2135\u2260\u226a\u226e\u2460\u2488\u3002\u30fb\u4e00\uac00\uff0e\uff11\uff21\ufdfa\U0001d7d8\U0001f600")
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	s := newSpeller(t)
	valid := 0
	for range 10_000 {
		host := []rune{}
		for range 1 + r.IntN(6) {
			host = append(host, letters[r.IntN(len(letters))])
		}
		raw := "http://" + []string{"", "xn--", "a."}[r.IntN(3)] + string(host)
		if addr, err := s.Parse(raw); err == nil {
			valid++
			checkCanonical(t, s, raw, string(addr))
		}
	}
	if valid < 1000 {
		t.Errorf("only %d hosts are valid", valid)
	}
}

// checkCanonical fails if addr, made from raw, is not what the type URL promises.
func checkCanonical(t testing.TB, s *Speller, raw, addr string) {
	t.Helper()
	if again, err := s.Parse(addr); err != nil || string(again) != addr {
		t.Fatalf("%q became %q, and that %q, %v", raw, addr, again, err)
	}
	u := URL(addr)
	port := strings.TrimPrefix(u.Host()[strings.LastIndexByte(u.Host(), ']')+1:], u.Hostname())
	switch {
	case u.Scheme() != "http" && u.Scheme() != "https",
		u.Hostname() == "",
		u.Origin()+u.PathQuery() != addr,
		u.Scheme() == "http" && port == ":80" || u.Scheme() == "https" && port == ":443",
		!strings.HasPrefix(u.Path(), "/"),
		strings.ContainsFunc(addr, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }),
		strings.ContainsAny(u.Host(), "@/?\\"),
		len(addr) > MaxLength:
		t.Fatalf("%q became %q", raw, addr)
	}
	if s.sort {
		query := u.Query()
		params := strings.Split(query, "&")
		if query == "" && strings.HasSuffix(addr, "?") || query != "" && slices.Contains(params, "") || !slices.IsSortedFunc(params, func(a, b string) int {
			a, _, _ = strings.Cut(a, "=")
			b, _, _ = strings.Cut(b, "=")
			return strings.Compare(a, b)
		}) {
			t.Fatalf("%q became %q, which is not sorted", raw, addr)
		}
	}
	checkNetURL(t, u)
	if strings.HasPrefix(u.Host(), "[") {
		if _, err := netip.ParseAddr(u.Hostname()); err != nil {
			t.Fatalf("%q became %q: %v", raw, addr, err)
		}
	}
	for segment := range strings.SplitSeq(u.Path(), "/") {
		if isDots(segment) {
			t.Fatalf("%q became %q, which holds dot segments", raw, addr)
		}
	}
}

// checkNetURL fails unless net/url, by which the request goes out, finds the same host in an address. It refuses percent
// signs that encode nothing and some signs in hosts, which browsers take.
func checkNetURL(t testing.TB, u URL) {
	t.Helper()
	parsed, err := url.Parse(string(u))
	if err != nil {
		badEscape := strings.Contains(u.Path(), "%")
		badHost := strings.ContainsAny(u.Host(), "\"`{}")
		if !badEscape && !badHost {
			t.Fatalf("%q: %v", u, err)
		}
		return
	}
	if parsed.Host != u.Host() || parsed.User != nil || parsed.Fragment != "" || parsed.RawQuery != u.Query() {
		t.Fatalf("%q: net/url finds %+v", u, parsed)
	}
}

// sortingSpeller returns a Speller that sorts queries.
func sortingSpeller(t testing.TB) *Speller {
	t.Helper()
	rules := DefaultRules()
	rules.SortQuery = true
	s, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func FuzzFastPath(f *testing.F) {
	for i, ref := range append(append([]string{}, plainLinks...), doubtfulLinks...) {
		f.Add(bases[i%len(bases)], ref)
	}
	s := newSpeller(f)
	f.Fuzz(func(t *testing.T, base, ref string) {
		b, err := s.NewBase(base)
		if err != nil {
			return
		}
		checkSameWays(t, b, ref)
	})
}

func FuzzCanonical(f *testing.F) {
	for i, ref := range append(append([]string{}, plainLinks...), doubtfulLinks...) {
		f.Add(bases[i%len(bases)], ref)
	}
	for _, tt := range resolveTests {
		f.Add(tt.base, tt.ref)
	}
	for _, query := range []string{"?b=2&a=1&a=0", "?&&b&utm_x&a", "?=&b&=", "?a&B&%62&", "/;jsessionid=1;x?b;a&a;b", "?c&b#&a"} {
		f.Add(bases[0], query)
	}
	spellers := []*Speller{newSpeller(f), sortingSpeller(f)}
	f.Fuzz(func(t *testing.T, base, ref string) {
		for _, s := range spellers {
			checkSpelling(t, s, base, ref)
		}
	})
}

// checkSpelling fails if ref, alone or on base, has no canonical spelling that is what it should be, in all ways to get it.
func checkSpelling(t *testing.T, s *Speller, base, ref string) {
	t.Helper()
	if addr, err := s.Parse(ref); err == nil {
		checkCanonical(t, s, ref, string(addr))
	}
	b, err := s.NewBase(base)
	if err != nil {
		return
	}
	checkSameWays(t, b, ref)
	checkCanonical(t, s, base, string(b.speller.drop(bytes.Clone(b.addr))))
	addr, err := b.Append(nil, []byte(ref))
	if err != nil {
		return
	}
	checkCanonical(t, s, ref, string(addr))
	raw, err := b.Raw(ref)
	if err != nil {
		t.Fatalf("%q on %q has the canonical spelling %q and no raw one: %v", ref, base, addr, err)
	}
	if again, err := s.Parse(raw); err != nil || string(again) != string(addr) {
		t.Fatalf("%q on %q is %q, but its raw spelling %q is %q, %v", ref, base, addr, raw, again, err)
	}
}

// pageLinks are links of the kinds and lengths that pages have.
var pageLinks = [][]byte{
	[]byte("/"),
	[]byte("/products/category/shoes/running-shoes-42.html"),
	[]byte("https://www.example.org/news/2024/03/some-title-of-an-article"),
	[]byte("https://cdn.example.net/assets/img/header-background.jpg?v=1234567"),
	[]byte("../images/logo.png"),
	[]byte("?page=2&sort=price&order=asc"),
	[]byte("#content"),
	[]byte("article.php?id=12345&lang=en"),
	[]byte("//fonts.example.com/css?family=Roboto:400,700"),
	[]byte("/search?q=go%20crawler&utm_source=home&utm_medium=link"),
}

func BenchmarkAppendFast(b *testing.B) {
	base := newBase(b, newSpeller(b), bases[1])
	dst := make([]byte, 0, 1024)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.Append(dst, pageLinks[i]); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % len(pageLinks)
	}
}

func BenchmarkAppendFast60Bytes(b *testing.B) {
	base := newBase(b, newSpeller(b), bases[1])
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.Append(dst, pageLinks[2]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendSorting is what sorting adds to a link whose parameters have to be sorted.
func BenchmarkAppendSorting(b *testing.B) {
	base := newBase(b, sortingSpeller(b), bases[1])
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.Append(dst, pageLinks[5]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOtherScheme(b *testing.B) {
	base := newBase(b, newSpeller(b), bases[1])
	link := []byte("mailto:someone@example.org")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.Append(nil, link); err != ErrScheme {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendSlow(b *testing.B) {
	base := newBase(b, newSpeller(b), bases[1])
	dst := make([]byte, 0, 1024)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := base.resolveSlow(dst, string(pageLinks[i])); err != nil {
			b.Fatal(err)
		}
		i = (i + 1) % len(pageLinks)
	}
}

func BenchmarkParse(b *testing.B) {
	s := newSpeller(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Parse("https://www.example.org/news/2024/03/some-title-of-an-article?utm_source=x"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCanonical(b *testing.B) {
	s := newSpeller(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Parse("https://www.example.org/news/2024/03/some-title-of-an-article"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewBase(b *testing.B) {
	s := newSpeller(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.NewBase("https://www.example.org/news/2024/03/some-title-of-an-article?page=2"); err != nil {
			b.Fatal(err)
		}
	}
}
