package page

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pawl/weburl"
)

func newSpeller(t testing.TB) *weburl.Speller {
	t.Helper()
	sp, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// parse reads body as the page http://x.org/dir/page in UTF-8.
func parse(t testing.TB, body string) *Page {
	t.Helper()
	return parseInput(t, Input{URL: "http://x.org/dir/page", ContentType: "text/html; charset=utf-8", Body: []byte(body)})
}

func parseInput(t testing.TB, in Input) *Page {
	t.Helper()
	page, err := New(newSpeller(t), "pawl").Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// list writes links as "kind url", with what else is said about them after it; http://x.org is left out.
func list(links []Link) []string {
	var lines []string
	for _, l := range links {
		line := l.Kind.String() + " " + strings.TrimPrefix(l.URL.String(), "http://x.org")
		if l.NoFollow {
			line += " nofollow"
		}
		if l.Anchor != "" {
			line += fmt.Sprintf(" %q", l.Anchor)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestLinkCount(t *testing.T) {
	page := parse(t, `<base href=http://x.org/z/><a href=b>B</a><img src=c><a href=./b>again</a><a href=/z/b></a><link rel=next href=b>`)
	if got := []int{page.Links[0].Count, page.Links[1].Count, page.Also[0].Count}; got[0] != 3 || got[1] != 1 || got[2] != 1 {
		t.Errorf("the links occur %v times, want 3, 1 and 1", got)
	}
	if page.Base != "http://x.org/z/" {
		t.Errorf("base %q", page.Base)
	}
}

func TestLinks(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"a", `<a href="b">B</a>`, []string{`a /dir/b "B"`}},
		{"a in capitals", `<A HREF=b>B</A>`, []string{`a /dir/b "B"`}},
		{"a without quotes", `<a href=/b/c>B</a>`, []string{`a /b/c "B"`}},
		{"a with white space around", "<a href=' \n /b\t'>B</a>", []string{`a /b "B"`}},
		{"a with attribute soup", `<a =x "" / class='a>b' href = '/b' href=/c>B</a>`, []string{`a /b "B"`}},
		{"a without address", `<a name=x>B</a><a>C</a>`, nil},
		{"a without value leads to the page", `<a href>B</a>`, []string{`a /dir/page "B"`}},
		{"a empty leads to the page", `<a href="">B</a>`, []string{`a /dir/page "B"`}},
		{"a within the page", `<a href="#top">B</a>`, nil},
		{"a with fragment", `<a href="/b#top">B</a>`, []string{`a /b "B"`}},
		{"a with ping", `<a href=/b ping=/c></a>`, []string{`a /b`}},
		{"a in svg", `<svg><a xlink:href="/b"><text>B</text></a></svg>`, []string{`a /b "B"`}},
		{"a that is never closed", `<a href=/b>B<p>C`, []string{`a /b "B C"`}},
		{"a in a", `<a href=/b>B<a href=/c>C</a>D</a>`, []string{`a /b "B"`, `a /c "C"`}},
		{"a self-closed", `<a href=/b />B</a>`, []string{`a /b "B"`}},
		{"entities in address", `<a href="?a=1&amp;b=2&c=3&copy=4&#x26;d=5&lt;"></a>`, []string{`a /dir/page?a=1&b=2&c=3&copy=4&d=5%3C`}},
		{"plain ampersands in address", `<a href="?a=1&b=2&amp;c=3"></a>`, []string{`a /dir/page?a=1&b=2&c=3`}},
		{"line break in address", "<a href='/b\r\nc'></a>", []string{`a /bc`}},
		{"NUL in address", "<a href='/b\x00c'></a>", []string{`a /b%EF%BF%BDc`}},
		{"invalid UTF-8 in address", "<a href='/b\xffc'></a>", []string{`a /b%EF%BF%BDc`}},
		{"area", `<map><area href=/b alt="The B"></map>`, []string{`area /b "The B"`}},
		{"frame", `<frameset><frame src=/b></frameset>`, []string{`frame /b`}},
		{"iframe", `<iframe src=/b><a href=/c></a></iframe><a href=/d>`, []string{`iframe /b`, `a /d`}},
		{"img", `<img src=/b.png alt="A  B">`, []string{`img /b.png "A B"`}},
		{"img with srcset", `<img src=/b srcset="/c 1x, /d 2x">`, []string{`img /b`, `img /c`, `img /d`}},
		{"img empty", `<img src="" srcset="">`, nil},
		{"input image", `<input type=IMAGE src=/b><input src=/c>`, []string{`img /b`}},
		{"svg image", `<svg><image xlink:href=/b /><image href=/c /></svg>`, []string{`img /b`, `img /c`}},
		{"body background", `<body background=/b>`, []string{`img /b`}},
		{"picture", `<picture><source srcset="/b 1x"><img src=/c></picture>`, []string{`img /b`, `img /c`}},
		{"video", `<video src=/b poster=/c><source src=/d><track src=/e></video>`, []string{`media /b`, `img /c`, `media /d`, `media /e`}},
		{"audio, embed, object", `<audio src=/b></audio><embed src=/c><object data=/d>`, []string{`media /b`, `media /c`, `media /d`}},
		{"script", `<script src=/b>"<a href=/c>"</script><a href=/d>`, []string{`script /b`, `a /d`}},
		{"form by get", `<form action=/b><form action=/c method=GET>`, []string{`form /b`, `form /c`}},
		{"form by post", `<form action=/b method=POST><form action=/c method=dialog>`, nil},
		{"link", `<link rel=canonical href=/b><link rel=Next href=/c><link rel=previous href=/d>`, []string{`canonical /b`, `next /c`, `prev /d`}},
		{"link to assets", `<link rel=stylesheet href=/b><link rel="shortcut icon" href=/c><link rel=preload href=/d>`, []string{`stylesheet /b`, `icon /c`, `preload /d`}},
		{"link to other pages", `<link rel=alternate hreflang=de href=/b><link rel=author href=/c>`, []string{`alternate /b`, `link /c`}},
		{"link with several rels", `<link rel="alternate stylesheet" href=/b><link rel="next canonical" href=/c>`, []string{`stylesheet /b`, `canonical /c`}},
		{"link without rel", `<link href=/b><link rel="" href=/c>`, nil},
		{"connection hint", `<link rel=dns-prefetch href=//cdn.org><link rel="preconnect" href=//cdn.org>`, nil},
		{"refresh", `<meta http-equiv=refresh content="5;url=/b">`, []string{`refresh /b`}},
		{"nofollow", `<a rel=nofollow href=/b></a><a rel="ugc NoFollow" href=/c></a><a rel=nofollowed href=/d></a>`, []string{`a /b nofollow`, `a /c nofollow`, `a /d`}},
		{"comment", `<!-- <a href=/b> --><a href=/c>`, []string{`a /c`}},
		{"comment that is never closed", `<a href=/b><!-- <a href=/c>`, []string{`a /b`}},
		{"style", `<style><a href=/b></style><a href=/c>`, []string{`a /c`}},
		{"textarea", `<textarea><a href=/b></textarea><a href=/c>`, []string{`a /c`}},
		{"title", `<title><a href=/b></title><a href=/c>`, []string{`a /c`}},
		{"noscript", `<noscript><a href=/b>B</a></noscript><a href=/c>`, []string{`a /b "B"`, `a /c`}},
		{"noframes", `<noframes><a href=/b>B</a></noframes>`, []string{`a /b "B"`}},
		{"template", `<template><a href=/b><template></template><script>"</template>"</script><img src=/c></template><a href=/d>`, []string{`a /d`}},
		{"template with noscript", `<template><noscript><a href=/b></noscript></template><a href=/c>`, []string{`a /c`}},
		{"cut tag", `<a href=/b>B</a><a href=/c`, []string{`a /b "B"`}},
		{"a by entities without semicolon", `<a href="?a=1&copy=2&copy;3&lt=4&ltx&amp">`, []string{`a /dir/page?a=1&copy=2%C2%A93&lt=4&ltx&`}},
		{"a by numeric entities", `<a href="&#47;b&#x2F;c&#x0;&#x110000;">`, []string{`a /b/c%EF%BF%BD%EF%BF%BD`}},
		{"a with the same attribute twice", `<a href=/b HREF=/c rel=x rel=nofollow>`, []string{`a /b`}},
		{"a with attributes side by side", `<a class="x"href="/b"title='y'rel="nofollow">`, []string{`a /b nofollow`}},
		{"a with an open quote", `<a href="/b>B</a><a href=/c>"x">D</a>`, []string{`a /b%3EB%3C/a%3E%3Ca%20href=/c%3E "D"`}},
		{"a in a list that is never closed", `<ul><li><a href=/b>B<li><a href=/c>C<table><tr><td><a href=/d>D`, []string{`a /b "B"`, `a /c "C"`, `a /d "D"`}},
		{"a in select", `<select><option><a href=/b>B</a></select>`, []string{`a /b "B"`}},
		{"a in math", `<math><mtext><a href=/b>B</a></mtext></math>`, []string{`a /b "B"`}},
		{"a in svg by both", `<svg><a href=/b xlink:href=/c></a><a xlink:href=/d /></svg>`, []string{`a /b`, `a /d`}},
		{"CDATA in svg", `<svg><text><![CDATA[ > <a href=/no> ]]></text></svg><a href=/b>`, []string{`a /b`}},
		{"CDATA elsewhere is a comment to the first >", `<![CDATA[<a href=/no><a href=/b>]]>`, []string{`a /b "]]>"`}},
		{"processing instruction", `<?php echo "<a href=/no>" ?><a href=/b>`, []string{`a /b`}},
		{"comments with odd ends", `<!--><a href=/b><!---><a href=/c><!-- x --!><a href=/d><!--x--><a href=/e><!-- <!-- --><a href=/f>`, []string{`a /b`, `a /c`, `a /d`, `a /e`, `a /f`}},
		{"plaintext", `<a href=/b></a><plaintext><a href=/no></plaintext><a href=/no>`, []string{`a /b`}},
		{"xmp and noembed", `<xmp><a href=/no></xmp><noembed><a href=/no></noembed><a href=/b>`, []string{`a /b`}},
		{"script with a tag in a string", `<script>document.write("<a href=/no></a>")</script><script>/* <!-- <script> </script> */ "<a href=/no>"</script><a href=/b>`, []string{`a /b`}},
		{"script in svg that closes itself", `<svg><script href=/s /><title/></svg><a href=/b>`, []string{`a /b`}},
		{"script that closes itself does not", `<script src=/s /><a href=/no></script><a href=/b>`, []string{`script /s`, `a /b`}},
		{"shadow tree", `<div><template shadowrootmode=open><a href=/b>B</a><template><a href=/no></template></template></div><a href=/c>`, []string{`a /b "B"`, `a /c`}},
		{"closed shadow tree", `<template ShadowRootMode=CLOSED><template shadowrootmode=open><a href=/b></template></template>`, []string{`a /b`}},
		{"shadow tree of no mode", `<template shadowrootmode=x><a href=/no></template><template shadowrootmode><a href=/no></template><template shadowroot=open><a href=/no></template>`, nil},
		{"shadow tree in a template", `<template><template shadowrootmode=open><a href=/no></template><a href=/no></template><a href=/b>`, []string{`a /b`}},
		{"iframe with srcdoc", `<iframe src=/b srcdoc="<a href=/no>"></iframe>`, []string{`iframe /b`}},
		{"image is img", `<image src=/b alt=B>`, []string{`img /b "B"`}},
		{"form without an address", `<form></form><form action=""></form><form method=get></form>`, nil},
		{"form by a method that is none", `<form action=/b method=put></form>`, []string{`form /b`}},
		{"form with other addresses", `<form action=/b><button formaction=/no></form>`, []string{`form /b`}},
		{"amphtml", `<link rel=amphtml href=/b>`, []string{`amphtml /b`}},
		{"ugc and sponsored", `<a rel=ugc href=/b></a><a rel="SPONSORED noopener" href=/c></a><a rel=ugcs href=/d></a>`, []string{`a /b nofollow`, `a /c nofollow`, `a /d`}},
		{"refresh in the body and in noscript", `<body><noscript><meta http-equiv=refresh content="0;/b"></noscript>`, []string{`refresh /b`}},
		{"refresh to the page itself", `<meta http-equiv=refresh content="30"><meta http-equiv=Refresh content="30;url=page">`, []string{`refresh /dir/page`}},
		{"other hosts", `<a href=//Y.org><a href=https://z.org:443/?>`, []string{`a http://y.org/`, `a https://z.org/?`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, list(parse(t, test.body).Links)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", test.body, diff)
			}
		})
	}
}

func TestSameTarget(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"first place", `<a href=/b>B</a><a href=/c>C</a><a href=/b>D</a>`, []string{`a /b "B"`, `a /c "C"`}},
		{"fragments", `<a href=/b#1>B</a><a href=/b#2>C</a>`, []string{`a /b "B"`}},
		{"later text", `<a href=/b></a><a href=/b>B</a>`, []string{`a /b "B"`}},
		{"one may be followed", `<a rel=nofollow href=/b></a><a href=/b></a>`, []string{`a /b`}},
		{"the other may be followed", `<a href=/b></a><a rel=nofollow href=/b></a>`, []string{`a /b`}},
		{"none may be followed", `<a rel=nofollow href=/b></a><a rel=nofollow href=/b></a>`, []string{`a /b nofollow`}},
		{"form before a", `<form action=/b></form><a href=/b>B</a>`, []string{`a /b "B"`}},
		{"form before a that may not be followed", `<form action=/b></form><a rel=nofollow href=/b>B</a>`, []string{`a /b nofollow "B"`}},
		{"img before a", `<img src=/b alt=I><a href=/b>B</a>`, []string{`a /b "B"`}},
		{"a around img", `<a href=/b><img src=/b alt=I></a>`, []string{`a /b "I"`}},
		{"alternate before icon", `<link rel=alternate href=/b><link rel=icon href=/b>`, []string{`icon /b`}},
		{"canonical before a", `<link rel=canonical href=/b><a rel=nofollow href=/b>B</a>`, []string{`a /b "B"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, list(parse(t, test.body).Links)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", test.body, diff)
			}
		})
	}
}

func TestBase(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"absolute", `<base href=http://y.org/z/><a href=b>`, []string{`a http://y.org/z/b`}},
		{"relative", `<base href=../z/><a href=b>`, []string{`a /z/b`}},
		{"first only", `<base target=x><base href=/z/><base href=/y/><a href=b>`, []string{`a /z/b`}},
		{"of another scheme", `<base href=data:,x><base href=/y/><a href=b>`, []string{`a /dir/b`}},
		{"that does not parse", `<base href=http://[><base href=/y/><a href=b>`, []string{`a /dir/b`}},
		{"fragments are of the base", `<base href=/z/><a href=#top>`, []string{`a /z/`}},
		{"counts from where it stands", `<a href=a><base href=/z/><a href=b>`, []string{`a /dir/a`, `a /z/b`}},
		{"script", `<base href="javascript:alert(1)"><a href=b>`, []string{`a /dir/b`}},
		{"mail", `<base href=mailto:x@y.org><base href=/y/><a href=b>`, []string{`a /dir/b`}},
		{"of another scheme for links with their own", `<base href=ftp://y.org/><a href=//z.org/b>`, []string{`a http://z.org/b`}},
		{"empty is the page", `<base href=""><base href=/y/><a href=b>`, []string{`a /dir/b`}},
		{"only a query", `<base href="?x"><a href="#top"><a href="?y">`, []string{`a /dir/page?x`, `a /dir/page?y`}},
		{"that hides in a script", `<script>"<base href=/no/>"</script><!-- <base href=/no/> --><a href=b>`, []string{`a /dir/b`}},
		{"in the body", `<body><a href=a><base href=//y.org><a href=b>`, []string{`a /dir/a`, `a http://y.org/b`}},
		{"in template", `<template><base href=/z/></template><a href=b>`, []string{`a /dir/b`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, list(parse(t, test.body).Links)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", test.body, diff)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	page := parse(t, `<a href=mailto:a@b.org><a href=" JavaScript:x()"><a href="java
		script:x()"><img src=data:image/png;base64,AAAA><a href=tel:1>
		<a href=http://[>B</a><a href=/b><a href=/b><iframe src=/c></iframe><area href=/d>
		<link rel=canonical href=/e><img src=/f><form action=/g>`)
	if page.Ignored != 5 || page.Malformed != 1 || page.Outlinks != 3 || len(page.Links) != 6 {
		t.Errorf("ignored %d, malformed %d, outlinks %d, links %d, want 5, 1, 3, 6",
			page.Ignored, page.Malformed, page.Outlinks, len(page.Links))
	}
}

// A link is kept, or ignored for its scheme, or malformed, or none.
func TestLinksAreCounted(t *testing.T) {
	long := strings.Repeat("x", weburl.MaxLength)
	for _, test := range []struct {
		ref                      string
		kept, ignored, malformed int
	}{
		{"/b", 1, 0, 0},
		{"http:b", 1, 0, 0},
		{"HTTPS://y.org", 1, 0, 0},
		{"//y.org", 1, 0, 0},
		{"b:c/d", 0, 1, 0},
		{"./b:c", 1, 0, 0},
		{"#top", 0, 0, 0},
		{"mailto:a@b.org", 0, 1, 0},
		{"javascript:void(0)", 0, 1, 0},
		{"JavaScript:;", 0, 1, 0},
		{"java&#10;script:x", 0, 1, 0},
		{"&#1;javascript:x", 0, 1, 0},
		{"tel:+1", 0, 1, 0},
		{"sms:1", 0, 1, 0},
		{"data:text/html,x", 0, 1, 0},
		{"blob:http://x.org/1", 0, 1, 0},
		{"ftp://x.org/", 0, 1, 0},
		{"file:///etc/passwd", 0, 1, 0},
		{"about:blank", 0, 1, 0},
		{"view-source:http://x.org/", 0, 1, 0},
		{"android-app://x/y", 0, 1, 0},
		{"http://", 0, 0, 1},
		{"http://[", 0, 0, 1},
		{"http://x.org:99999/", 0, 0, 1},
		{"http://a b/", 0, 0, 1},
		{"//", 0, 0, 1},
		{"/" + long, 0, 0, 1},
	} {
		page := parse(t, `<a href="`+test.ref+`">`)
		if len(page.Links) != test.kept || page.Ignored != test.ignored || page.Malformed != test.malformed {
			t.Errorf("%.50q: %d kept, %d ignored, %d malformed, want %d, %d, %d",
				test.ref, len(page.Links), page.Ignored, page.Malformed, test.kept, test.ignored, test.malformed)
		}
	}
	// Each place that may hold a link counts.
	for _, tag := range []string{"a href", "area href", "link rel=next href", "img src", "img srcset", "script src", "iframe src", "form action", "video poster", "object data"} {
		page := parse(t, "<"+tag+"=tel:1></script></iframe><"+tag+"=tel:1></script></iframe><"+tag+"=http://[>")
		if page.Ignored != 2 || page.Malformed != 1 || len(page.Links) != 0 {
			t.Errorf("%s: ignored %d, malformed %d, want 2, 1", tag, page.Ignored, page.Malformed)
		}
	}
}

// In XML, any tag may close itself, and CDATA is text.
func TestXHTML(t *testing.T) {
	const body = `<?xml version="1.0" encoding="windows-1251"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x">
		<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="ru"><head><title>П</title><script src="/s"/><link rel="next" href="/n"/>
		<style/></head><body><a name="x"/>one<iframe src="/i"/><p><![CDATA[two > <a href="/no">three</a>]]></p><noscript/>
		<template/><a href="/b">four</a><textarea/></body></html>`
	for _, contentType := range []string{"application/xhtml+xml", "text/xml", "application/vnd.wap.xhtml+xml; x"} {
		page := parseInput(t, Input{URL: "http://x.org/", ContentType: contentType, Body: encoded(t, "windows-1251", body)})
		want := []string{"script /s", "next /n", "iframe /i", `a /b "four"`}
		if diff := cmp.Diff(want, list(page.Links)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", contentType, diff)
		}
		if page.Title != "П" || page.Charset != "windows-1251" || page.Language != "ru" || page.WordCount != 5 {
			t.Errorf("%s: title %q, charset %q, language %q, %d words", contentType, page.Title, page.Charset, page.Language, page.WordCount)
		}
	}
}

func TestAnchor(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"white space", "<a href=b> \n A\u00a0\u2003 B\t</a>", "A B"},
		{"formatted", `<a href=b>A<b>B</b><span>C</span></a>`, "ABC"},
		{"blocks", `<a href=b><div>A</div><div>B</div>C<br>D</a>`, "A B C D"},
		{"entities", `<a href=b>A &amp; B&nbsp;&copy</a>`, "A & B ©"},
		{"image", `<a href=b><img src=i alt="An image"></a>`, "An image"},
		{"image in text", `<a href=b>A<img src=i alt=I>B</a>`, "A I B"},
		{"script", `<a href=b>A<script>B</script><style>C</style></a>`, "A"},
		{"control characters", "<a href=b>A\x01\x7f\u0085B</a>", "A B"},
		{"invalid UTF-8", "<a href=b>A\xffB</a>", "A\uFFFDB"},
		{"cut between characters", "<a href=b>x" + strings.Repeat("é", 100) + "</a>", "x" + strings.Repeat("é", 59)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := parse(t, test.body).Links[0].Anchor; got != test.want {
				t.Errorf("%s\n got %q\nwant %q", test.body, got, test.want)
			}
		})
	}
}

func TestRel(t *testing.T) {
	for rel, want := range map[string]string{
		"":                          "",
		" NoOpener\n  noreferrer":   "noopener noreferrer",
		strings.Repeat("long ", 40): strings.TrimSpace(strings.Repeat("long ", 13))[:MaxRel],
	} {
		if got := parse(t, `<a href=/b rel="`+rel+`">`).Links[0].Rel; got != want {
			t.Errorf("rel %q: got %q, want %q", rel, got, want)
		}
	}
}

func TestSrcset(t *testing.T) {
	for _, test := range []struct {
		srcset string
		want   []string
	}{
		{"", nil},
		{" , ,", nil},
		{"/a", []string{`img /a`}},
		{"/a 1x,/b 2x", []string{`img /a`, `img /b`}},
		{"/a,/b 2x", []string{`img /a,/b`}},
		{"/a, /b", []string{`img /a`, `img /b`}},
		{"/a,,, /b", []string{`img /a`, `img /b`}},
		{"/w_1,h_2/a 100w,\n/w_2,h_3/b 200w", []string{`img /w_1,h_2/a`, `img /w_2,h_3/b`}},
		{"data:image/gif;base64,AA== 1x, /b 2x", []string{`img /b`}},
		{"/a calc(1x, 2x), /b", []string{`img /a`, `img /b`}},
		{"/a (1x, /b", []string{`img /a`}},
	} {
		if diff := cmp.Diff(test.want, list(parse(t, `<img srcset="`+test.srcset+`">`).Links)); diff != "" {
			t.Errorf("srcset %q (-want +got)\n%s", test.srcset, diff)
		}
	}
}

func TestRefreshTarget(t *testing.T) {
	for _, test := range []struct{ content, want string }{
		{"5", ""},
		{"5;", ""},
		{"", ""},
		{"x;url=/b", ""},
		{"url=/b", ""},
		{"5;url=/b", "/b"},
		{"5;URL=/b", "/b"},
		{" 0 ; url = /b ", "/b"},
		{"0; URL='/b'", "/b"},
		{`0; url="/b" and more`, "/b"},
		{"0; url='/b", "/b"},
		{"0,/b", "/b"},
		{"0 /b", "/b"},
		{"0.5;/b", "/b"},
		{".5;/b", "/b"},
		{"0;'/b'", "/b"},
		{"0;urlib/b", "urlib/b"},
		{"0;u", "u"},
		{"0;url", "url"},
		{"0;url=", ""},
		{"0x/b", ""},
	} {
		if got := string(refreshTarget([]byte(test.content))); got != test.want {
			t.Errorf("content %q: got %q, want %q", test.content, got, test.want)
		}
	}
}

func TestLinkHeaders(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		want    []string
	}{
		{"one", []string{`</b>; rel="next"`}, []string{`next /b`}},
		{"without quotes", []string{`</b>;rel=prev`}, []string{`prev /b`}},
		{"several", []string{`</b,c>; rel=next, <d>; title="a, b; c \" <x>"; rel=author`}, []string{`next /b,c`, `header /dir/d`}},
		{"several headers", []string{`</b>; rel=next`, `</c>; rel=prev`}, []string{`next /b`, `prev /c`}},
		{"several rels", []string{`</b>; rel="next canonical"`}, []string{`canonical /b`}},
		{"first rel counts", []string{`</b>; rel=next; rel=prev`}, []string{`next /b`}},
		{"name in capitals", []string{`</b>; REL=Next`}, []string{`next /b`}},
		{"white space", []string{` < /b > ; rel = "next" ,, </c> ;; rel=prev`}, []string{`next /b`, `prev /c`}},
		{"preload", []string{`</b.css>; rel=preload; as=style; nopush`}, []string{`preload /b.css`}},
		{"parameter without value", []string{`</b>; crossorigin; rel=next, </c>; x, </d>; rel=next`}, []string{`next /b`, `next /d`}},
		{"from elsewhere", []string{`</b>; rel=next; anchor="/z", </c>; rel=prev`}, []string{`prev /c`}},
		{"without rel", []string{`</b>; title=x`}, nil},
		{"hint", []string{`<https://cdn.org>; rel=preconnect`}, nil},
		{"broken", []string{`</b`, `/b; rel=next`, `<`, `</b>; rel="`, `</c>; rel="next`, ``, `,`}, []string{`next /c`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := parseInput(t, Input{
				URL: "http://x.org/dir/page", Body: []byte(`<base href=/z/>`), LinkHeaders: test.headers,
			})
			if diff := cmp.Diff(test.want, list(page.Links)); diff != "" {
				t.Errorf("%q (-want +got)\n%s", test.headers, diff)
			}
		})
	}
}

func TestCanonical(t *testing.T) {
	for _, test := range []struct {
		name, header, body string
		want               weburl.URL
	}{
		{"none", ``, `<a href=/b>`, ""},
		{"element", ``, `<link rel=canonical href=/b><link rel=canonical href=/c>`, "http://x.org/b"},
		{"header first", `</c>; rel=canonical`, `<link rel=canonical href=/b>`, "http://x.org/c"},
		{"first valid", ``, `<link rel=canonical href=><link rel=canonical href=http://[><link rel=canonical href=/b>`, "http://x.org/b"},
		{"of a link met before", ``, `<a href=/b></a><link rel=canonical href=/b>`, "http://x.org/b"},
		{"not by a", ``, `<a rel=canonical href=/b>`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := parseInput(t, Input{URL: "http://x.org/", Body: []byte(test.body), LinkHeaders: []string{test.header}})
			if page.Canonical != test.want {
				t.Errorf("got %q, want %q", page.Canonical, test.want)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       Page
	}{
		{"title", "<title> A\n B &amp; &eacute;</title><title>C</title>", Page{Title: "A B & é"}},
		{"empty title", "<title> </title><title>B</title>", Page{Title: "B"}},
		{"title with tags", "<title>a <b>c</b></title>", Page{Title: "a <b>c</b>"}},
		{"title of a drawing", "<svg><title>A</title></svg><svg/><title>B</title>", Page{Title: "B"}},
		{"title in template", "<template><title>A</title></template>", Page{}},
		{"title that is never closed", "<title>A", Page{Title: "A"}},
		{"h1", "<h1>A <em>B</em>C</h1>D<h1>E</h1>", Page{H1: "A BC", WordCount: 4}},
		{"h1 with image", "<h1><img alt=A></h1><h1>B</h1>", Page{H1: "B", WordCount: 1}},
		{"h1 ended by another heading", "<h1>A<h2>B</h2>C", Page{H1: "A", WordCount: 3}},
		{"h1 ended by a wrong end tag", "<h1>A</h2>B", Page{H1: "A", WordCount: 2}},
		{"h1 in link in h1", "<h1><a href=/>A</a></h1>", Page{H1: "A", WordCount: 1, Outlinks: 1}},
		{"description", `<meta NAME=Description content=" A  B "><meta name=description content=C>`, Page{MetaDescription: "A B"}},
		{"empty description", `<meta name=description content=""><meta name=description content=C>`, Page{MetaDescription: "C"}},
		{"lang", `<html lang="de-AT"><html lang=en>`, Page{Language: "de-AT"}},
		{"lang over xml:lang", `<html xml:lang=en lang=de>`, Page{Language: "de"}},
		{"xml:lang", `<html xml:lang=en>`, Page{Language: "en"}},
		{"lang over meta", `<html lang=de><meta http-equiv=content-language content=en>`, Page{Language: "de"}},
		{"language of meta", `<meta http-equiv=Content-Language content=en>`, Page{Language: "en"}},
		{"languages of meta", `<meta http-equiv=content-language content="en, de">`, Page{}},
		{"long", "<title>" + strings.Repeat("日本", 1000), Page{Title: strings.Repeat("日本", 1000)[:MaxText/3*3]}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := parse(t, test.body)
			got.Links, got.Charset, got.SimHash, got.Chunks = nil, "", 0, nil
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", test.body, diff)
			}
		})
	}
}

func TestLanguageHeader(t *testing.T) {
	for _, test := range []struct{ header, body, want string }{
		{"fr", "", "fr"},
		{"fr, de", "", ""},
		{"fr", "<html lang=de>", "de"},
		{"fr", "<meta http-equiv=content-language content=en>", "en"},
		{"fr", "<html lang=''>", "fr"},
	} {
		page := parseInput(t, Input{URL: "http://x.org/", Body: []byte(test.body), ContentLanguage: test.header})
		if page.Language != test.want {
			t.Errorf("header %q, body %q: got %q, want %q", test.header, test.body, page.Language, test.want)
		}
	}
}

func TestRobots(t *testing.T) {
	for _, test := range []struct {
		name, body        string
		headers           []string
		noIndex, noFollow bool
		text              string
	}{
		{"nothing", ``, nil, false, false, ""},
		{"noindex", `<meta name=robots content=noindex>`, nil, true, false, "noindex"},
		{"nofollow", `<meta name=ROBOTS content="INDEX,NoFollow">`, nil, false, true, "INDEX,NoFollow"},
		{"none", `<meta name=robots content=none>`, nil, true, true, "none"},
		{"by white space", `<meta name=robots content="noindex nofollow">`, nil, true, true, "noindex nofollow"},
		{"of ours", `<meta name=Pawl content=noindex>`, nil, true, false, "noindex"},
		{"of others", `<meta name=googlebot content=noindex>`, nil, false, false, ""},
		{"the stricter", `<meta name=robots content="noindex"><meta name=pawl content="index, nofollow">`, nil, true, true, "noindex, index, nofollow"},
		{"other directives", `<meta name=robots content="noarchive,max-snippet:-1,noindexed">`, nil, false, false, "noarchive,max-snippet:-1,noindexed"},
		{"header", ``, []string{"noindex"}, true, false, ""},
		{"headers", ``, []string{"noarchive, NOINDEX", "nofollow"}, true, true, ""},
		{"header none", ``, []string{"none"}, true, true, ""},
		{"header for another", ``, []string{"googlebot: noindex, nofollow"}, false, false, ""},
		{"header for us", ``, []string{"Pawl: nofollow"}, false, true, ""},
		{"header for another, then us", ``, []string{"googlebot: noindex, pawl: nofollow"}, false, true, ""},
		{"header for another, then all", ``, []string{"googlebot: noindex", "nofollow"}, false, true, ""},
		{"header with values", ``, []string{"unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", "max-snippet: 5, nofollow"}, true, true, ""},
		{"header with value after other's", ``, []string{"bot: max-snippet: 5, noindex"}, false, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := parseInput(t, Input{URL: "http://x.org/", Body: []byte(test.body), XRobots: test.headers})
			if page.NoIndex != test.noIndex || page.NoFollow != test.noFollow || page.MetaRobots != test.text {
				t.Errorf("got noindex %v, nofollow %v, %q", page.NoIndex, page.NoFollow, page.MetaRobots)
			}
		})
	}
}

func TestWordCount(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       int
	}{
		{"plain", "one two  three\nfour", 4},
		{"punctuation", "one - two, & three... (4) ! @ #", 4},
		{"within a word", "don't re-do 3.14", 3},
		{"entities", "one&nbsp;two &amp; three", 3},
		{"formatting", "o<b>n</b>e <i>two</i>three", 2},
		{"link", "o<a href=/>n</a>e", 1},
		{"blocks", "<p>one<p>two<div>three</div>four<br>five", 5},
		{"not text", "<title>x</title><script>x</script><style>x</style><textarea>x</textarea><noscript>x</noscript><template>x</template><iframe>x</iframe><!-- x -->one", 1},
		{"attributes", "<p title='x y'>one", 1},
		{"Cyrillic", "раз два\u00a0три\u2003четыре — пять", 5},
		{"Chinese", "你好，世界。 再见", 2},
		{"ideographic space", "你好\u3000世界", 2},
		{"emoji alone", "one 👍 two", 2},
		{"invalid UTF-8", "one \xff\xfe two", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := parse(t, test.body).WordCount; got != test.want {
				t.Errorf("%s: got %d, want %d", test.body, got, test.want)
			}
		})
	}
}

func TestParseRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"", "x", "/x", "ftp://x.org/", "http://"} {
		if page, err := New(newSpeller(t), "pawl").Parse(Input{URL: addr}); err == nil {
			t.Errorf("%q: got %+v, want an error", addr, page)
		}
	}
}

func TestParserKeepsNothing(t *testing.T) {
	const rich = `<html lang=de><title>T</title><base href=/z/><meta name=robots content=none><meta name=description content=d>
		<link rel=canonical href=/b><h1>H</h1><a href=c rel=x>C</a><a href=mailto:x><a href=http://[><template><svg>`
	p := New(newSpeller(t), "pawl")
	in := Input{URL: "http://x.org/", Body: []byte(rich), XRobots: []string{"none"}, LinkHeaders: []string{"</l>; rel=next"}}
	first, err := p.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	want := parseInput(t, in)
	empty, err := p.Parse(Input{URL: "http://x.org/dir/", Body: []byte("<title>U</title><a href=d>D</a>")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("a page changed when the next one was read (-want +got)\n%s", diff)
	}
	if len(empty.Chunks) != 1 || empty.SimHash != parse(t, "d").SimHash {
		t.Errorf("the text of a page was left in the next one: SimHash %x, %d chunks", empty.SimHash, len(empty.Chunks))
	}
	empty.Chunks, empty.SimHash = nil, 0
	wantEmpty := &Page{Title: "U", Charset: "utf-8", WordCount: 1, Outlinks: 1, Links: []Link{{URL: "http://x.org/dir/d", Kind: KindA, Anchor: "D", Count: 1}}}
	if diff := cmp.Diff(wantEmpty, empty); diff != "" {
		t.Errorf("a page was left in the next one (-want +got)\n%s", diff)
	}
}

// checkPage fails if something that holds of every Page does not hold.
func checkPage(t *testing.T, sp *weburl.Speller, page *Page) {
	t.Helper()
	texts := []string{page.Title, page.H1, page.MetaDescription, page.MetaRobots, page.Language, page.Charset}
	for i, limit := range []int{MaxText, MaxText, MaxText, MaxText, MaxLang, 64} {
		checkText(t, texts[i], limit)
	}
	seen := map[weburl.URL]bool{}
	outlinks := 0
	kinds, before := map[Kind]bool{}, (*Link)(nil)
	for l := range page.ByAddress() {
		checkText(t, l.Anchor, MaxAnchor)
		checkText(t, l.Rel, MaxRel)
		if again, err := sp.Parse(l.URL.String()); err != nil || again != l.URL {
			t.Errorf("link %q is not canonical: %q, %v", l.URL, again, err)
		}
		if l.Kind.String() == "unknown" || l.Count < 1 {
			t.Errorf("link %q is of no kind, or occurs %d times", l.URL, l.Count)
		}
		if before != nil && l.URL == before.URL {
			if kinds[l.Kind] || l.Kind.weight() > before.Kind.weight() || l.KindNoFollow != l.NoFollow {
				t.Errorf("link %q is of kind %v behind one of kind %v, in all %v", l.URL, l.Kind, before.Kind, kinds)
			}
			kinds[l.Kind] = true
			continue
		}
		if seen[l.URL] {
			t.Errorf("link %q occurs twice", l.URL)
		}
		seen[l.URL] = true
		before = l
		clear(kinds)
		kinds[l.Kind] = true
		if l.Kind.hyperlink() {
			outlinks++
		}
	}
	inOrder := 0
	for range page.ByAddress() {
		inOrder++
	}
	if n := len(page.Links) + len(page.Also); n > MaxLinks || n != inOrder {
		t.Errorf("%d links, of which %d are in order", n, inOrder)
	}
	if outlinks != page.Outlinks {
		t.Errorf("outlinks %d, counted %d", page.Outlinks, outlinks)
	}
	exact := map[uint32]bool{}
	for _, c := range page.Chunks {
		if c.Exact == 0 || exact[c.Exact] {
			t.Errorf("chunk %x is there twice or none", c)
		}
		exact[c.Exact] = true
	}
	if len(page.Chunks) > MaxChunks {
		t.Errorf("%d chunks", len(page.Chunks))
	}
	if page.Canonical != "" && !seen[page.Canonical] {
		t.Errorf("canonical %q is not among the links", page.Canonical)
	}
}

func checkText(t *testing.T, s string, limit int) {
	t.Helper()
	if !utf8.ValidString(s) || len(s) > limit || s != strings.Join(strings.Fields(s), " ") {
		t.Errorf("text of %d bytes is not clean: %q", len(s), s)
	}
}
