package weburl

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func newSpeller(t testing.TB) *Speller {
	t.Helper()
	s, err := New(DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newBase(t testing.TB, s *Speller, addr string) *Base {
	t.Helper()
	b, err := s.NewBase(addr)
	if err != nil {
		t.Fatalf("base %q: %v", addr, err)
	}
	return b
}

func TestURLParts(t *testing.T) {
	for _, tt := range []struct {
		url                                                    URL
		scheme, host, hostname, origin, pathQuery, path, query string
	}{
		{"http://example.org/", "http", "example.org", "example.org", "http://example.org", "/", "/", ""},
		{"https://example.org/a/b?x=1", "https", "example.org", "example.org", "https://example.org", "/a/b?x=1", "/a/b", "x=1"},
		{"http://example.org:8080/?", "http", "example.org:8080", "example.org", "http://example.org:8080", "/?", "/", ""},
		{"http://[::1]/", "http", "[::1]", "::1", "http://[::1]", "/", "/", ""},
		{"https://[::1]:80/a?b?c", "https", "[::1]:80", "::1", "https://[::1]:80", "/a?b?c", "/a", "b?c"},
		{"http://h/?u=http://x/y", "http", "h", "h", "http://h", "/?u=http://x/y", "/", "u=http://x/y"},
		{"http://h//x//", "http", "h", "h", "http://h", "//x//", "//x//", ""},
	} {
		got := []string{
			tt.url.String(), tt.url.Scheme(), tt.url.Host(), tt.url.Hostname(), tt.url.Origin(), tt.url.PathQuery(), tt.url.Path(),
			tt.url.Query(),
		}
		want := []string{string(tt.url), tt.scheme, tt.host, tt.hostname, tt.origin, tt.pathQuery, tt.path, tt.query}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.url, got, want)
		}
	}
}

func TestURLPartsOfAnythingDoNotPanic(t *testing.T) {
	for _, u := range []URL{"", "x", "://", "http://", "http://[", "?", "/", "http://h", "http://h?x"} {
		_ = []string{u.Scheme(), u.Host(), u.Hostname(), u.Origin(), u.PathQuery(), u.Path(), u.Query()}
	}
}

func TestURLPartsAreNotCopied(t *testing.T) {
	u := URL("https://example.org:8080/a/b/c?x=1")
	allocs := testing.AllocsPerRun(100, func() {
		_ = len(u.Scheme()) + len(u.Host()) + len(u.Hostname()) + len(u.Origin()) + len(u.PathQuery()) + len(u.Path()) + len(u.Query())
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// resolveTests hold what pages contain, with the answers of browsers.
var resolveTests = []struct {
	name, base, ref, want string
	err                   error
}{
	// References, RFC 3986 section 5.4, as far as browsers agree.
	{"relative", "http://a/b/c/d?q", "g", "http://a/b/c/g", nil},
	{"relative with dot", "http://a/b/c/d?q", "./g", "http://a/b/c/g", nil},
	{"relative directory", "http://a/b/c/d?q", "g/", "http://a/b/c/g/", nil},
	{"absolute path", "http://a/b/c/d?q", "/g", "http://a/g", nil},
	{"other host", "http://a/b/c/d?q", "//g", "http://g/", nil},
	{"other host keeps scheme", "https://a/b", "//g/x", "https://g/x", nil},
	{"query alone", "http://a/b/c/d?q", "?y", "http://a/b/c/d?y", nil},
	{"empty query", "http://a/b/c/d?q", "?", "http://a/b/c/d?", nil},
	{"relative with query", "http://a/b/c/d?q", "g?y", "http://a/b/c/g?y", nil},
	{"query with slash and dots", "http://a/b/c/d?q", "g?y/../x", "http://a/b/c/g?y/../x", nil},
	{"fragment alone", "http://a/b/c/d?q", "#s", "http://a/b/c/d?q", nil},
	{"fragment of another page", "http://a/b/c/d?q", "g#s/../x", "http://a/b/c/g", nil},
	{"fragment with question mark", "http://a/b/c/d?q", "g#s?x", "http://a/b/c/g", nil},
	{"empty", "http://a/b/c/d?q", "", "http://a/b/c/d?q", nil},
	{"white space alone", "http://a/b/c/d?q", " \n ", "http://a/b/c/d?q", nil},
	{"this directory", "http://a/b/c/d?q", ".", "http://a/b/c/", nil},
	{"this directory with slash", "http://a/b/c/d?q", "./", "http://a/b/c/", nil},
	{"parent", "http://a/b/c/d?q", "..", "http://a/b/", nil},
	{"parent with slash", "http://a/b/c/d?q", "../", "http://a/b/", nil},
	{"parent's page", "http://a/b/c/d?q", "../g", "http://a/b/g", nil},
	{"two up", "http://a/b/c/d?q", "../../g", "http://a/g", nil},
	{"above the root", "http://a/b/c/d?q", "../../../../g", "http://a/g", nil},
	{"dots inside", "http://a/b/c/d?q", "/x/./y/../z", "http://a/x/z", nil},
	{"dots at the end", "http://a/b/c/d?q", "/x/y/..", "http://a/x/", nil},
	{"dots that are names", "http://a/b/c/d?q", "g./.g/..g/g../...", "http://a/b/c/g./.g/..g/g../...", nil},
	{"encoded dots", "http://a/b/c/d?q", "%2e/%2E%2e/.%2e/g", "http://a/g", nil},
	{"encoded dots that are names", "http://a/b/c/d?q", "%2e%2e%2e/%2ex", "http://a/b/c/%2e%2e%2e/%2ex", nil},
	{"empty segments", "http://a/b/c/d?q", "/x//y///", "http://a/x//y///", nil},
	{"parent of empty segment", "http://a/b//d", "../x", "http://a/b/x", nil},
	{"base without path", "http://a", "g", "http://a/g", nil},
	{"base with query of slashes", "http://a/b?c/d/e", "g", "http://a/g", nil},
	{"semicolons and commas", "http://a/b/c/d;p?q", ";x,y=1", "http://a/b/c/;x,y=1", nil},
	{"colon after slash", "http://a/b", "./x:y", "http://a/x:y", nil},
	{"colon after digit", "http://a/b", "1:2", "http://a/1:2", nil},

	// Spellings that browsers put up with.
	{"backslashes", "http://a/b/c", `\x\..\y`, "http://a/y", nil},
	{"backslash host", "http://a/b/c", `\\g\x`, "http://g/x", nil},
	{"backslashes in the query stay", "http://a/b", `x?a\b`, `http://a/x?a\b`, nil},
	{"white space around", "http://a/b", " \t/x y \r\n", "http://a/x%20y", nil},
	{"white space before a fragment", "http://a/b", "/x #y", "http://a/x%20", nil},
	{"tabs and line breaks within", "http://a/b", "/x\n\t/y\r?z\n", "http://a/x/y?z", nil},
	{"line break in the scheme", "http://a/b", "ht\ntp://g/", "http://g/", nil},
	{"scheme without slashes", "http://a/b/c", "https:g", "https://g/", nil},
	{"same scheme without slashes", "http://a/b/c", "http:g", "http://a/b/g", nil},
	{"same scheme alone", "http://a/b/c?q", "http:", "http://a/b/c?q", nil},
	{"same scheme with fragment", "http://a/b/c?q", "HTTP:#f", "http://a/b/c?q", nil},
	{"same scheme with query", "http://a/b/c?q", "http:?x", "http://a/b/c?x", nil},
	{"too many slashes", "http://a/b/c", "https:////g//x", "https://g//x", nil},
	{"too many slashes without scheme", "http://a/b/c", "///g/x", "http://g/x", nil},
	{"other scheme alone", "http://a/b/c", "https:", "", ErrInvalid},
	{"capitals", "http://a/b", "HTTPS://EXAMPLE.Org/A?B", "https://example.org/A?B", nil},
	{"no path before the query", "http://a/b", "http://g?x", "http://g/?x", nil},
	{"no path before the fragment", "http://a/b", "http://g#x", "http://g/", nil},

	// What is left out.
	{"userinfo", "http://a/b", "http://user:secret@g/x", "http://g/x", nil},
	{"userinfo with @", "http://a/b", "http://us@er:x@g/", "http://g/", nil},
	{"userinfo of the base", "http://u:p@a/b", "c", "http://a/c", nil},
	{"default port", "http://a/b", "http://g:80/", "http://g/", nil},
	{"default port of https", "http://a/b", "https://g:443/", "https://g/", nil},
	{"default port of the other scheme", "http://a/b", "https://g:80/", "https://g:80/", nil},
	{"port with zeros", "http://a/b", "http://g:0080/x", "http://g/x", nil},
	{"empty port", "http://a/b", "http://g:/", "http://g/", nil},
	{"port", "http://a/b", "//g:8080/", "http://g:8080/", nil},
	{"port of the base", "http://a:8080/b", "/c", "http://a:8080/c", nil},

	// Bytes that need encoding.
	{"letters beyond ASCII", "http://a/b", "/ü?ü#ü", "http://a/%C3%BC?%C3%BC", nil},
	{"invalid UTF-8", "http://a/b", "/\xff", "http://a/%EF%BF%BD", nil},
	{"encoded as path", "http://a/b", "/ \"<>^`{}'|[]", "http://a/%20%22%3C%3E%5E%60%7B%7D'|[]", nil},
	{"encoded as query", "http://a/b", "?x \"<>^`{}'|[]", "http://a/b?x%20%22%3C%3E^`{}%27|[]", nil},
	{"percent signs stay", "http://a/b", "/%zz%4a%4A%?%&%1", "http://a/%zz%4a%4A%?%&%1", nil},
	{"NUL", "http://a/b", "/x\x00y", "http://a/x%00y", nil},

	// Hosts.
	{"IDN", "http://a/b", "http://München.de/", "http://xn--mnchen-3ya.de/", nil},
	{"IDN in punycode", "http://a/b", "http://xn--mnchen-3ya.de/", "http://xn--mnchen-3ya.de/", nil},
	{"IDN percent-encoded", "http://a/b", "http://m%C3%BCnchen.de/", "http://xn--mnchen-3ya.de/", nil},
	{"sharp s", "http://a/b", "http://faß.de/", "http://xn--fa-hia.de/", nil},
	{"full-width letters", "http://a/b", "http://ｇｏ.com/", "http://go.com/", nil},
	{"ideographic full stop", "http://a/b", "http://go。com/", "http://go.com/", nil},
	{"IDN of symbols", "http://a/b", "http://\u226a\u2135\u210d/", "http://xn--h-zhc970t/", nil},
	{"invalid punycode", "http://a/b", "http://XN--a/", "http://xn--a/", nil},
	{"invalid punycode beside a letter", "http://a/b", "http://xn--a.ß/", "", ErrInvalid},
	{"IPv4", "http://a/b", "http://192.168.0.1/", "http://192.168.0.1/", nil},
	{"IPv4 hexadecimal", "http://a/b", "http://0x7f.1/", "http://127.0.0.1/", nil},
	{"IPv4 octal", "http://a/b", "http://0177.0.0.01/", "http://127.0.0.1/", nil},
	{"IPv4 as one number", "http://a/b", "http://2130706433/", "http://127.0.0.1/", nil},
	{"IPv4 with last dot", "http://a/b", "http://127.0.0.1./", "http://127.0.0.1/", nil},
	{"IPv4 out of range", "http://a/b", "http://256.256.256.256/", "", ErrInvalid},
	{"number as top-level domain", "http://a/b", "http://foo.0x4/", "", ErrInvalid},
	{"IPv6", "http://a/b", "http://[2001:DB8:0:0:0:0:0:1]:80/", "http://[2001:db8::1]/", nil},
	{"IPv6 with IPv4", "http://a/b", "http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/", nil},
	{"IPv6 unclosed", "http://a/b", "http://[::1/", "", ErrInvalid},
	{"underscore", "http://a/b", "http://a_b.example.org/", "http://a_b.example.org/", nil},
	{"last dot", "http://a/b", "http://example.org./", "http://example.org./", nil},
	{"hyphens", "http://a/b", "http://-a-.b--c.org/", "http://-a-.b--c.org/", nil},
	{"space", "http://a/b", "http://a b/", "", ErrInvalid},
	{"percent sign", "http://a/b", "http://a%zz/", "", ErrInvalid},
	{"empty host", "http://a/b", "https://", "", ErrInvalid},
	{"empty host before query", "http://a/b", "https://?x", "", ErrInvalid},
	{"port alone", "http://a/b", "http://:80/", "", ErrInvalid},
	{"port out of range", "http://a/b", "http://g:65536/", "", ErrInvalid},
	{"port of letters", "http://a/b", "http://g:a/", "", ErrInvalid},
	{"link to a template", "http://a/b", "http://{{host}}/", "http://{{host}}/", nil},

	// Other schemes.
	{"mail", "http://a/b", "mailto:someone@example.org", "", ErrScheme},
	{"script", "http://a/b", "javascript:void(0)", "", ErrScheme},
	{"script in disguise", "http://a/b", " \x01JaVa\nScript:alert(1)", "", ErrScheme},
	{"data", "http://a/b", "data:text/html,x", "", ErrScheme},
	{"telephone", "http://a/b", "tel:+123", "", ErrScheme},
	{"file", "http://a/b", "file:///etc/passwd", "", ErrScheme},
	{"ftp", "http://a/b", "ftp://g/", "", ErrScheme},
	{"web socket", "http://a/b", "wss://g/", "", ErrScheme},
	{"host and port without scheme", "http://a/b", "localhost:8080/x", "", ErrScheme},
}

func TestResolve(t *testing.T) {
	s := newSpeller(t)
	for _, tt := range resolveTests {
		t.Run(tt.name, func(t *testing.T) {
			const before = "before "
			got, err := newBase(t, s, tt.base).Append([]byte(before), []byte(tt.ref))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if string(got) != before+tt.want {
				t.Fatalf("got %q, want %q", got, before+tt.want)
			}
		})
	}
}

func TestSpellingTwiceChangesNothing(t *testing.T) {
	s := newSpeller(t)
	for _, tt := range resolveTests {
		if tt.err != nil {
			continue
		}
		if got, err := s.Parse(tt.want); string(got) != tt.want || err != nil {
			t.Errorf("%s: %q became %q, %v", tt.name, tt.want, got, err)
		}
	}
}

func TestParse(t *testing.T) {
	s := newSpeller(t)
	for _, tt := range []struct {
		raw, want string
		err       error
	}{
		{"http://example.org", "http://example.org/", nil},
		{"http://example.org/", "http://example.org/", nil},
		{"http://example.org/?", "http://example.org/?", nil},
		{" https://Example.org/a#b ", "https://example.org/a", nil},
		{"https:example.org", "https://example.org/", nil},
		{`http:\\example.org\a`, "http://example.org/a", nil},
		{"https://example.org/?utm_source=x", "https://example.org/", nil},
		{"", "", ErrInvalid},
		{"example.org", "", ErrInvalid},
		{"/a", "", ErrInvalid},
		{"//example.org/", "", ErrInvalid},
		{"http:", "", ErrInvalid},
		{"http://", "", ErrInvalid},
		{"://example.org", "", ErrInvalid},
		{"mailto:a@b", "", ErrScheme},
		{"example.org:80", "", ErrScheme},
	} {
		if got, err := s.Parse(tt.raw); string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%q: got %q, %v, want %q, %v", tt.raw, got, err, tt.want, tt.err)
		}
	}
}

func TestErrorsSayWhyInFewWords(t *testing.T) {
	_, err := newSpeller(t).Parse("http://" + strings.Repeat("[", 1000))
	if err == nil || len(err.Error()) > 200 || err.Error() == ErrInvalid.Error() {
		t.Errorf("got %v", err)
	}
}

func TestParametersAreDropped(t *testing.T) {
	s := newSpeller(t)
	for _, tt := range []struct{ name, ref, want string }{
		{"the only one", "/?utm_source=x", "/"},
		{"all", "/?utm_source=x&gclid=y&fbclid", "/"},
		{"first", "/?utm_source=x&a=1", "/?a=1"},
		{"last", "/?a=1&gclid=x", "/?a=1"},
		{"middle", "/?a=1&fbclid=x&b=2", "/?a=1&b=2"},
		{"order and bytes are kept", "/?b=%7e&utm_term=x&a=+&a", "/?b=%7e&a=+&a"},
		{"empty ones are kept", "/?&utm_id=x&&a&", "/?&&a&"},
		{"an empty one alone is nothing", "/?utm_id=x&", "/"},
		{"nothing to drop", "/?&", "/?&"},
		{"no query", "/?", "/?"},
		{"without value", "/?gclid", "/"},
		{"value with equals sign", "/?gclid=a=b", "/"},
		{"session", "/?PHPSESSID=0123456789abcdef&id=1", "/?id=1"},
		{"prefix", "/?ASPSESSIONIDABCD=1", "/"},
		{"prefix alone is a name too", "/?utm_=1", "/"},
		{"shorter than the prefix", "/?utm=1", "/?utm=1"},
		{"longer than the name", "/?gclids=1", "/?gclids=1"},
		{"letter case counts", "/?GCLID=1", "/?GCLID=1"},
		{"encoded names are others", "/?%67clid=1", "/?%67clid=1"},
		{"ambiguous names", "/?sid=1&ref=2&source=3", "/?sid=1&ref=2&source=3"},
		{"separated by semicolon", "/?a=1;gclid=2", "/?a=1;gclid=2"},
		{"name in a path", "/gclid=1", "/gclid=1"},
		{"nested address", "/?u=http://x/?gclid=1&b", "/?u=http://x/?gclid=1&b"},
		{"fragment", "/?a#?gclid=1", "/?a"},

		{"path session", "/a;jsessionid=0123ABCD", "/a"},
		{"path session before query", "/a;jsessionid=0123?b", "/a?b"},
		{"path session in the middle", "/a;jsessionid=0123/b", "/a/b"},
		{"path session among others", "/a;x=1;jsessionid=0123;y/b;z", "/a;x=1;y/b;z"},
		{"path session on the root", "/;jsessionid=1", "/"},
		{"path session without value stays", "/a;jsessionid/b", "/a;jsessionid/b"},
		{"path session in the query stays", "/a?b;jsessionid=1", "/a?b;jsessionid=1"},
		{"dots would become the parent", "/a/..;jsessionid=1/b", "/a/..;jsessionid=1/b"},
		{"encoded dots would become the parent", "/a/%2e.;jsessionid=1", "/a/%2e.;jsessionid=1"},
		{"both sessions", "/a;jsessionid=1?jsessionid=1", "/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const origin = "http://example.org"
			got, err := newBase(t, s, origin).Append(nil, []byte(tt.ref))
			if string(got) != origin+tt.want || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, origin+tt.want)
			}
			if again, err := s.Parse(string(got)); string(again) != string(got) || err != nil {
				t.Fatalf("again: %q, %v", again, err)
			}
		})
	}
}

func TestHostWithSemicolonIsNoPath(t *testing.T) {
	got, err := newSpeller(t).Parse("http://a;jsessionid=1/b;jsessionid=2")
	if got != "http://a;jsessionid=1/b" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestBaseKeepsItsParameters(t *testing.T) {
	b := newBase(t, newSpeller(t), "http://u:p@example.org/d;jsessionid=1/p?utm_source=x#f")
	for _, tt := range []struct{ ref, canonical, raw string }{
		{"", "http://example.org/d/p", "http://example.org/d;jsessionid=1/p?utm_source=x"},
		{"q?gclid=1", "http://example.org/d/q", "http://example.org/d;jsessionid=1/q?gclid=1"},
		{"http://u:p@other/?fbclid=1#x", "http://other/", "http://other/?fbclid=1"},
	} {
		got, err := b.Append(nil, []byte(tt.ref))
		raw, errRaw := b.Raw(tt.ref)
		if string(got) != tt.canonical || raw != tt.raw || err != nil || errRaw != nil {
			t.Errorf("%q: %q %v, %q %v", tt.ref, got, err, raw, errRaw)
		}
	}
	if raw, err := b.Raw("mailto:x"); raw != "" || !errors.Is(err, ErrScheme) {
		t.Errorf("got %q, %v", raw, err)
	}
}

func TestLimits(t *testing.T) {
	s := newSpeller(t)
	b := newBase(t, s, "http://example.org/"+strings.Repeat("a/", 600))
	for _, tt := range []struct {
		name, ref string
		err       error
	}{
		{"long", "/" + strings.Repeat("a", MaxLength-100), nil},
		{"too long", strings.Repeat("a", MaxLength+1), ErrTooLong},
		{"too long once resolved", strings.Repeat("a", MaxLength-10), ErrTooLong},
		{"too long once encoded", "/" + strings.Repeat("ü", MaxLength/4), ErrTooLong},
		{"long fragment", "#" + strings.Repeat("ü", MaxLength/4), nil},
		{"long query", "?" + strings.Repeat("a&", MaxLength/2-2000), nil},
		{"deep", "/" + strings.Repeat("a/", 1000), nil},
		{"too deep", "/" + strings.Repeat("/", 1100), ErrTooLong},
		{"too deep with backslashes", strings.Repeat(`a\`, 1100), ErrTooLong},
		{"too deep once resolved", strings.Repeat("a/", 600), ErrTooLong},
		{"slashes in the query", "?" + strings.Repeat("/", 5000), nil},
		{"long userinfo", "//" + strings.Repeat("a", 3000) + "@example.org/", ErrTooLong},
		{"long host", "http:" + strings.Repeat("é", 1500), ErrTooLong},
		{"long host once encoded", "http://" + strings.Repeat("é.", 600), ErrTooLong},
		{"long first segment", strings.Repeat("a", 3000), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst := []byte("kept")
			got, err := b.Append(dst, []byte(tt.ref))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				if string(got) != "kept" {
					t.Fatalf("dst became %.50q", got)
				}
				return
			}
			addr := string(got[len(dst):])
			if again, err := s.Parse(addr); string(again) != addr || err != nil {
				t.Fatalf("again: %.50q, %v", again, err)
			}
		})
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	for _, r := range []Rules{
		{},
		{Version: 2},
		{Version: 1, DropParams: []string{""}},
		{Version: 1, DropParams: []string{"a*b"}},
		{Version: 1, DropParams: []string{"a&b"}},
		{Version: 1, DropParams: []string{"a=b"}},
		{Version: 1, DropParams: []string{"ü"}},
		{Version: 1, DropPathParams: []string{"a/b"}},
	} {
		if _, err := New(r); err == nil {
			t.Errorf("%+v: no error", r)
		}
	}
}

func TestOtherRules(t *testing.T) {
	for _, tt := range []struct {
		name        string
		query, path []string
		addr, want  string
	}{
		{"nothing is dropped", nil, nil, "http://h/a;jsessionid=1?gclid=2", "http://h/a;jsessionid=1?gclid=2"},
		{"every parameter", []string{"*"}, nil, "http://h/a;b=1?c=2&&d", "http://h/a;b=1"},
		{"an empty query too", []string{"*"}, nil, "http://h/?", "http://h/"},
		{"every path parameter", nil, []string{"*"}, "http://h/a;b=1;=/c;d?e", "http://h/a/c;d?e"},
		{"prefix in paths", nil, []string{"s*"}, "http://h/a;sid=1;t=2", "http://h/a;t=2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(Rules{Version: 1, DropParams: tt.query, DropPathParams: tt.path})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Parse(tt.addr); string(got) != tt.want || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestRulesSurviveJSON(t *testing.T) {
	want := DefaultRules()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Rules
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: got %+v", err, got)
	}
}

func TestSpellerIsSharedAndBaseIsReused(t *testing.T) {
	s := newSpeller(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			b, err := s.NewBase("http://a/b?gclid=1")
			if err != nil {
				t.Error(err)
				return
			}
			var dst []byte
			for _, tt := range resolveTests {
				if tt.base != "http://a/b" || tt.ref == "" {
					continue
				}
				dst, err = b.Append(dst[:0], []byte(tt.ref))
				if string(dst) != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("%s: got %q, %v", tt.name, dst, err)
				}
			}
		})
	}
	wg.Wait()
}
