package weburl

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
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

	// Slashes of all kinds.
	{"three slashes", "http://a/b", "///g/x", "http://g/x", nil},
	{"slashes and backslashes", "http://a/b", `/\/\\g/../x`, "http://g/x", nil},
	{"slashes alone", "http://a/b", "///", "", ErrInvalid},
	{"backslashes", "http://a/b", `\x\y`, "http://a/x/y", nil},
	{"backslash in the query", "http://a/b", `?\x`, `http://a/b?\x`, nil},
	{"backslash after dots", "http://a/b/c", `..\x`, "http://a/x", nil},
	{"tabs and line breaks within", "http://a/b", "ht\ntp:\t//g\r\n/x\ty", "http://g/xy", nil},
	{"line break between dots", "http://a/b/c", ".\n./x", "http://a/x", nil},
	{"caret in a path", "http://a/b", "/^", "http://a/%5E", nil},

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
	{"IDN in upper-case punycode", "http://a/b", "http://XN--MNCHEN-3YA.de/", "http://xn--mnchen-3ya.de/", nil},
	{"emoji", "http://a/b", "http://i❤.ws/", "http://xn--i-7iq.ws/", nil},
	{"emoji with variation selector", "http://a/b", "http://i❤\ufe0f.ws/", "http://xn--i-7iq.ws/", nil},
	{"mixed scripts", "http://a/b", "http://pаypal.com/", "http://xn--pypal-4ve.com/", nil},
	{"all of one script", "http://a/b", "//ПРИМЕР.рф", "http://xn--e1afmkfd.xn--p1ai/", nil},
	{"right to left", "http://a/b", "http://אב.com/", "http://xn--4dbc.com/", nil},
	{"both directions in a label", "http://a/b", "http://aא.com/", "", ErrInvalid},
	{"last ideographic full stop", "http://a/b", "http://例え。テスト。", "http://xn--r8jz45g.xn--zckzah./", nil},
	{"soft hyphen", "http://a/b", "http://ex\u00adample.org/", "http://example.org/", nil},
	{"soft hyphen alone", "http://a/b", "http://\u00ad/", "", ErrInvalid},
	{"zero-width space", "http://a/b", "http://ex\u200bample.org/", "http://example.org/", nil},
	{"zero-width joiner without need", "http://a/b", "http://a\u200db.org/", "", ErrInvalid},
	{"zero-width joiner after virama", "http://a/b", "http://ශ්\u200dරී.com/", "http://xn--10cl1a0b660p.com/", nil},
	{"replacement character", "http://a/b", "http://\ufffd.com/", "", ErrInvalid},
	{"invalid UTF-8 in a host", "http://a/b", "http://\xff.com/", "", ErrInvalid},
	{"invalid UTF-8 percent-encoded", "http://a/b", "http://%ff.com/", "", ErrInvalid},
	{"not equal", "http://a/b", "http://=\u0338.com/", "http://xn--1ch.com/", nil},
	{"registered emoji of nobody's list", "http://a/b", "http://xn--i29h.kz/", "http://xn--i29h.kz/", nil},
	{"punycode of a forbidden sign", "http://a/b", "http://xn--a<b-1ga/", "", ErrInvalid},
	{"punycode percent-encoded", "http://a/b", "http://%78n--a/", "http://xn--a/", nil},
	{"equals sign after xn", "http://a/b", "http://xn=--a.Xn==.XN--a/", "http://xn=--a.xn==.xn--a/", nil},
	{"encoded twice", "http://a/b", "http://%2541/", "", ErrInvalid},
	{"full-width percent sign", "http://a/b", "http://％41.com/", "", ErrInvalid},
	{"full-width bracket", "http://a/b", "http://［::1］/", "", ErrInvalid},
	{"encoded bracket", "http://a/b", "http://%5B::1%5D/", "", ErrInvalid},
	{"encoded slash", "http://a/b", "http://a%2Fb/", "", ErrInvalid},
	{"IPv4 in full-width digits", "http://a/b", "http://１２７.0.0.1/", "http://127.0.0.1/", nil},
	{"IPv4 percent-encoded", "http://a/b", "http://%31%32%37.1/", "http://127.0.0.1/", nil},
	{"IPv4 of two parts", "http://a/b", "http://127.1/", "http://127.0.0.1/", nil},
	{"IPv4 of three parts", "http://a/b", "http://10.1.515/", "http://10.1.2.3/", nil},
	{"IPv4 of five parts", "http://a/b", "http://1.2.3.4.5/", "", ErrInvalid},
	{"IPv4 in octal with a nine", "http://a/b", "http://09/", "", ErrInvalid},
	{"IPv4 of prefix alone", "http://a/b", "http://0x/", "http://0.0.0.0/", nil},
	{"IPv4 number out of range", "http://a/b", "http://4294967296/", "", ErrInvalid},
	{"IPv4 number of many digits", "http://a/b", "http://99999999999999999999999999/", "", ErrInvalid},
	{"IPv4 after punycode", "http://a/b", "http://xn--a.1/", "", ErrInvalid},
	{"IPv6 compressed once", "http://a/b", "http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/", nil},
	{"IPv6 of zeros", "http://a/b", "http://[0:0:0:0:0:0:0:0]/", "http://[::]/", nil},
	{"IPv6 single zero stays", "http://a/b", "http://[1:0:2:3:4:5:6:7]/", "http://[1:0:2:3:4:5:6:7]/", nil},
	{"IPv6 compressed twice", "http://a/b", "http://[1::2::3]/", "", ErrInvalid},
	{"IPv6 with zone", "http://a/b", "http://[fe80::1%25eth0]/", "", ErrInvalid},
	{"IPv6 with bare zone", "http://a/b", "http://[fe80::1%eth0]/", "", ErrInvalid},
	{"IPv6 without brackets", "http://a/b", "http://::1/", "", ErrInvalid},
	{"IPv6 with letters behind", "http://a/b", "http://[::1]a/", "", ErrInvalid},
	{"IPv6 with leading zeros of IPv4", "http://a/b", "http://[::01.2.3.4]/", "", ErrInvalid},
	{"IPv6 empty", "http://a/b", "http://[]/", "", ErrInvalid},
	{"port zero", "http://a/b", "http://g:0/", "http://g:0/", nil},
	{"greatest port", "http://a/b", "http://g:65535/", "http://g:65535/", nil},
	{"port of many digits", "http://a/b", "http://g:99999999999999999999/", "", ErrInvalid},
	{"port of many zeros", "http://a/b", "http://g:000000000000000000000080/", "http://g/", nil},
	{"negative port", "http://a/b", "http://g:-1/", "", ErrInvalid},
	{"two ports", "http://a/b", "http://g:1:2/", "", ErrInvalid},
	{"userinfo with backslash", "http://a/b", `http://u\@g/`, "http://u/@g/", nil},
	{"userinfo alone", "http://a/b", "http://u:p@/", "", ErrInvalid},
	{"userinfo of slashes", "http://a/b", "http:/u:p@g/", "http://a/u:p@g/", nil},
	{"link to a template", "http://a/b", "http://{{host}}/", "http://{{host}}/", nil},

	// Other schemes.
	{"mail", "http://a/b", "mailto:someone@example.org", "", ErrScheme},
	{"script", "http://a/b", "javascript:void(0)", "", ErrScheme},
	{"script in disguise", "http://a/b", " \x01JaVa\nScript:alert(1)", "", ErrScheme},
	{"data", "http://a/b", "data:text/html,x", "", ErrScheme},
	{"telephone", "http://a/b", "tel:+123", "", ErrScheme},
	{"file", "http://a/b", "file:///etc/passwd", "", ErrScheme},
	{"ftp", "http://a/b", "ftp://g/", "", ErrScheme},
	{"blob", "http://a/b", "blob:https://g/1-2", "", ErrScheme},
	{"about", "http://a/b", "about:blank", "", ErrScheme},
	{"intent", "http://a/b", "intent://g/#Intent;scheme=https;end", "", ErrScheme},
	{"opaque path with spaces", "http://a/b", "tel:1 2 ?x", "", ErrScheme},
	{"view-source", "http://a/b", "view-source:http://g/", "", ErrScheme},
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

// Long addresses of each kind of byte that costs the parser most. What they cost is bounded by what they allocate, which is
// the same on every machine; the time follows.
func TestLongAddressesAreCheap(t *testing.T) {
	s := newSpeller(t)
	const size = MaxLength - 100
	for _, tt := range []struct {
		name, start, piece string
		err                error
	}{
		{"parents", "http://h/", "../", ErrTooLong},
		{"encoded parents", "http://h/", "%2e%2e/", ErrTooLong},
		{"relative parents", "", "../", ErrTooLong},
		{"percent signs", "http://h/", "%", nil},
		{"percent signs in a query", "?", "%", nil},
		{"encoded in a path", "http://h/", "<", ErrTooLong},
		{"at signs", "http://", "@", ErrTooLong},
		{"at signs in a path", "http://h/", "@", nil},
		{"colons", "http://", ":", ErrTooLong},
		{"colons without scheme", "", ":", nil},
		{"dots in a host", "http://", ".", ErrTooLong},
		{"dots in a path", "http://h/", ".", nil},
		{"letters beyond ASCII in a host", "http://", "ü", ErrTooLong},
		{"labels beyond ASCII", "http://", "ü.", ErrTooLong},
		{"labels in punycode", "http://", "xn--a.", ErrTooLong},
		{"letters beyond ASCII in a path", "http://h/", "ü", ErrTooLong},
		{"brackets", "http://", "[", ErrTooLong},
		{"digits", "http://", "1", ErrTooLong},
		{"port", "http://h:", "1", ErrTooLong},
		{"slashes", "", "/", ErrTooLong},
		{"backslashes", "http:", `\`, ErrTooLong},
		{"tabs", "http://h/", "\t", nil},
		{"tabs in a scheme", "h", "\t", nil},
		{"scheme", "", "a", ErrTooLong},
		{"scheme with colon", "a:", "a", ErrScheme},
		{"white space", " ", " ", nil},
		{"question marks", "http://h/", "?", nil},
		{"parameters", "?", "b&a&", nil},
		{"parameters to drop", "?", "utm_x&", nil},
		{"path parameters", "http://h/", ";jsessionid=1", nil},
		{"number signs", "", "#", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ref := tt.start + strings.Repeat(tt.piece, (size-len(tt.start))/len(tt.piece))
			if tt.name == "scheme" {
				ref += strings.Repeat("a", 100) // too long with its base
			}
			b := newBase(t, s, "http://example.org/a/b")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := b.Append(nil, []byte(ref))
			runtime.ReadMemStats(&after)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if n := (after.Mallocs - before.Mallocs) / uint64(len(ref)); n > 4 {
				t.Errorf("%d allocations for each byte", n)
			}
			if n := (after.TotalAlloc - before.TotalAlloc) / uint64(len(ref)); n > 256 {
				t.Errorf("%d bytes allocated for each byte", n)
			}
		})
	}
}

func TestLongLinksOfOtherSchemes(t *testing.T) {
	b := newBase(t, newSpeller(t), "http://a/b")
	for _, ref := range []string{"data:image/png;base64,", "javascript:", " \n mailto:", "DATA:,"} {
		link := []byte(ref + strings.Repeat("a/", 2*MaxLength))
		if _, err := b.Append(nil, link); err != ErrScheme {
			t.Errorf("%s: %v", ref, err)
		}
		if n := testing.AllocsPerRun(10, func() { _, _ = b.Append(nil, link) }); n != 0 {
			t.Errorf("%s: %v allocations", ref, n)
		}
		if _, err := b.speller.Parse(string(link)); err != ErrScheme {
			t.Errorf("%s alone: %v", ref, err)
		}
	}
}

func TestNothingOfUserinfoSurvives(t *testing.T) {
	s := newSpeller(t)
	for _, ref := range []string{
		"http://secret@g/", "http://u:secret@g/", "http://:secret@g/x?y", "//secret@g/", "//secret:@g:8080/", `http:\\secret@g/`,
		"http://u:secret@secret@g/", "http://u:sec\tret@g/", "http://secr%65t@g/", "http://secret@[::1]/", "http://secret@münchen.de/",
	} {
		on := newBase(t, s, "https://u:secret@h/p")
		got, err := on.Append(nil, []byte(ref))
		raw, errRaw := on.Raw(ref)
		parsed, errParse := s.Parse(strings.Replace(ref, "//", "http://", 1-strings.Count(ref, "http:")))
		below := newBase(t, s, raw)
		down, errDown := below.Raw("x")
		all := string(got) + raw + string(parsed) + down
		if err != nil || errRaw != nil || errParse != nil || errDown != nil || strings.Contains(all, "@") || strings.Contains(all, "sec") {
			t.Errorf("%q: %q, %q, %q, %q; %v, %v, %v, %v", ref, got, raw, parsed, down, err, errRaw, errParse, errDown)
		}
	}
	if raw, err := newBase(t, s, "https://u:secret@h/p").Raw("q"); raw != "https://h/q" || err != nil {
		t.Errorf("from the base: %q, %v", raw, err)
	}
}

func TestQueriesAreSorted(t *testing.T) {
	rules := DefaultRules()
	rules.SortQuery = true
	s, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	var many, manySorted []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("p%02d=%d", 99-i, i))
		manySorted = append(manySorted, fmt.Sprintf("p%02d=%d", i, 99-i))
	}
	for _, tt := range []struct{ name, ref, want string }{
		{"by name", "/?b=2&a=1", "/?a=1&b=2"},
		{"equal names keep their order", "/?b=2&a=1&a=0", "/?a=1&a=0&b=2"},
		{"list", "/?x[]=3&x[]=1&a&x[]=2", "/?a&x[]=3&x[]=1&x[]=2"},
		{"sorted already", "/?a=1&b=2&b=1&c", "/?a=1&b=2&b=1&c"},
		{"one", "/?b", "/?b"},
		{"name without value is the same name", "/?b&a=1&a&a=", "/?a=1&a&a=&b"},
		{"the name alone counts", "/?a-=1&a=2", "/?a=2&a-=1"},
		{"shorter first", "/?aa&a", "/?a&aa"},
		{"bytes, not letters", "/?b&B&%62&_", "/?%62&B&_&b"},
		{"bytes are kept", "/?b=%7e+%zz&a=a=b", "/?a=a=b&b=%7e+%zz"},
		{"dropped first", "/?b=2&utm_id=0&a=1&gclid=3", "/?a=1&b=2"},
		{"all dropped", "/?utm_id=0&gclid=3", "/"},
		{"empty ones go", "/?&b&&a&", "/?a&b"},
		{"only empty ones", "/?&&", "/"},
		{"empty query", "/?", "/"},
		{"empty name is a name", "/?b&=2&=1", "/?=2&=1&b"},
		{"semicolons separate nothing", "/?b;a&a;b", "/?a;b&b;a"},
		{"path session too", "/a;jsessionid=1?b&a", "/a?a&b"},
		{"no query", "/b&a", "/b&a"},
		{"many", "/?" + strings.Join(many, "&"), "/?" + strings.Join(manySorted, "&")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const origin = "http://example.org"
			b := newBase(t, s, origin)
			got, err := b.Append([]byte("before?"), []byte(tt.ref))
			if want := "before?" + origin + tt.want; string(got) != want || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
			if again, err := s.Parse(origin + tt.want); string(again) != origin+tt.want || err != nil {
				t.Fatalf("again: %q, %v", again, err)
			}
			if raw, err := b.Raw(tt.ref); raw != origin+tt.ref || err != nil {
				t.Fatalf("raw: %q, %v", raw, err)
			}
		})
	}
}

func TestSortingAllocatesNothing(t *testing.T) {
	s, err := New(Rules{Version: 1, SortQuery: true})
	if err != nil {
		t.Fatal(err)
	}
	b := newBase(t, s, "http://example.org/")
	dst := make([]byte, 0, 2048)
	for _, ref := range []string{"?a=1&b=2&c=3", "?c=3&b=2&a=1", "?" + strings.Repeat("b=12345678&a=12345678&", 16)} {
		link := []byte(ref)
		if n := testing.AllocsPerRun(10, func() { _, _ = b.Append(dst, link) }); n != 0 {
			t.Errorf("%.30s: %v allocations", ref, n)
		}
	}
}

func TestRulesWith(t *testing.T) {
	base := Rules{Version: 1, DropParams: []string{"gclid", "utm_*"}, DropPathParams: []string{"jsessionid"}}
	for _, tt := range []struct {
		name       string
		keepQuery  bool
		drop       []string
		sortQuery  bool
		addr, want string
	}{
		{"nothing", false, nil, false, "http://h/;jsessionid=1?b&gclid&a", "http://h/?b&a"},
		{"keep", true, nil, false, "http://h/;jsessionid=1?b&gclid&a", "http://h/;jsessionid=1?b&gclid&a"},
		{"drop besides", false, []string{"b", "ref_*"}, false, "http://h/?b&ref_1&utm_x&a&ref", "http://h/?a&ref"},
		{"drop these alone", true, []string{"b"}, false, "http://h/?b&gclid&a", "http://h/?gclid&a"},
		{"drop one twice", false, []string{"b", "b", "gclid"}, false, "http://h/?b&a&gclid", "http://h/?a"},
		{"drop all", true, []string{"*"}, false, "http://h/?b&gclid&a", "http://h/"},
		{"sort", false, nil, true, "http://h/?b&gclid&a", "http://h/?a&b"},
		{"sort alone", true, nil, true, "http://h/?b&gclid&a", "http://h/?a&b&gclid"},
		{
			"longer names", true,
			[]string{strings.Repeat("a", 63), strings.Repeat("b", 100) + "*"},
			false,
			"http://h/?" + strings.Repeat("a", 64) + "&" + strings.Repeat("a", 63) + "&" + strings.Repeat("b", 101) + "&" + strings.Repeat("b", 99),
			"http://h/?" + strings.Repeat("a", 64) + "&" + strings.Repeat("b", 99),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := base.With(tt.keepQuery, tt.drop, tt.sortQuery)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var stored Rules
			if err := json.Unmarshal(data, &stored); err != nil || !reflect.DeepEqual(stored, r) {
				t.Fatalf("%s: %+v, %v", data, stored, err)
			}
			s, err := New(stored)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Parse(tt.addr); string(got) != tt.want || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	if want := []string{"gclid", "utm_*"}; !reflect.DeepEqual(base.DropParams, want) {
		t.Errorf("the rules themselves became %q", base.DropParams)
	}
}

func TestWrongNamesAreExplained(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"", "the name of a parameter to drop is empty"},
		{"a=1", `"a=1" is no name of a parameter: give the name alone, "a"`},
		{"a*b", `"a*b" is no name of a parameter: an asterisk may only stand at its end`},
		{"**", `"**" is no name of a parameter: an asterisk may only stand at its end`},
		{"*a", `"*a" is no name of a parameter: an asterisk may only stand at its end`},
		{"a&b", `"a&b" is no name of a parameter: "&" cannot be part of one`},
		{"?a", `"?a" is no name of a parameter: "?" cannot be part of one`},
		{"a b", `"a b" is no name of a parameter: " " cannot be part of one`},
		{"ü", `"ü" is no name of a parameter: write it percent-encoded, as it stands in addresses`},
	} {
		r, err := DefaultRules().With(false, []string{"fine", tt.name}, false)
		if err == nil || err.Error() != tt.want || r.Version != 0 {
			t.Errorf("%q: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestRulesOfOlderFiles(t *testing.T) {
	var r Rules
	err := json.Unmarshal([]byte(`{"version":1,"drop_params":["utm_*"],"drop_path_params":["jsessionid"]}`), &r)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Parse("http://h/a;jsessionid=1?b&utm_x&&a"); got != "http://h/a?b&&a" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	data, err := json.Marshal(r)
	if err != nil || strings.Contains(string(data), "sort") {
		t.Errorf("%s, %v", data, err)
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
