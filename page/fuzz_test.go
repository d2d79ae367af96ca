package page

import (
	"bytes"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`<!doctype html><html lang=de><meta charset=utf-8><title>T &amp; U</title><base href=/z/><h1>H <b>I</b></h1>`,
		`<meta name=robots content="noindex, none"><meta http-equiv=refresh content="0; url='/b'"><link rel="next canonical" href=/c>`,
		`<a href="b?x=1&amp;y=2&z=3&copy" rel="nofollow x">A<img src=i srcset="j 1x, k 2x" alt=I></a><area href=http://[ alt=x>`,
		"<noscript><a href='java\nscript:x'>\xff\x00</a></noscript><template><svg><title>x</template><script><!--<script></script>",
		"\xff\xfe<\x00a\x00 \x00h\x00r\x00e\x00f\x00=\x00b\x00>\x00",
		"a<b>c</b>&amp;&lt&#65;&notit;&#x;& &ampx;<p>x<y < z<<i>&NotEqualTilde;</i></P1><H1>&nbsp;x</h1><!-- > --><a title='>'>b</a ><br/>x</",
		"<script>if (a > b) c</script>x<style>p > q</style>y<noscript>z</noscript><textarea>&lt;</textarea><plaintext>x<a href=y>",
		`<?xml version="1.0" encoding="koi8-r"?><html><script src="a"/><title/><p><![CDATA[x > <a href="b">]]></p><a href="c"/><svg><style/><image href="d"/></svg>`,
		`<template shadowrootmode=open>a 1<template>b</template><p>c</p></template><svg><![CDATA[x]]]><a>]]></svg><meta charset=shift_jis><p>One two<p>17 Dec`,
		"<\x00a\x00 \x00h\x00r\x00e\x00f\x00=\x00b\x00>\x00",
		"\xef\xbb\xbf<body background=x><form action=y><object data=z><input type=image src=w>",
	} {
		f.Add([]byte(body), "text/html", `</a>; rel="next"; x, <b>; rel=preload`, "pawl: none")
		f.Add([]byte(body), "text/html; charset=windows-1251", "", "")
		f.Add([]byte(body), "text/html; charset=iso-2022-jp", "", "")
		f.Add([]byte(body), "application/xhtml+xml", "", "")
	}
	sp := newSpeller(f)
	used := New(sp, "pawl")
	f.Fuzz(func(t *testing.T, body []byte, contentType, linkHeader, xRobots string) {
		in := Input{
			URL: "http://x.org/dir/page?q", ContentType: contentType, Body: bytes.Clone(body), LinkHeaders: []string{linkHeader},
			XRobots: []string{xRobots}, ContentLanguage: linkHeader,
		}
		page, err := used.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		checkPage(t, sp, page)
		if !bytes.Equal(body, in.Body) {
			t.Error("the body was changed")
		}
		fresh, err := New(sp, "pawl").Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fresh, page); diff != "" {
			t.Errorf("the page depends on those read before (-fresh +used)\n%s", diff)
		}
		slow := New(sp, "pawl")
		slow.slow = true
		if page, err = slow.Parse(in); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(page, fresh); diff != "" {
			t.Errorf("the Tokenizer alone reads something else (-slow +fast)\n%s", diff)
		}
		MediaType(contentType)
		IsHTML(contentType, body)
	})
}

// FuzzAttrs holds the reading of raw tags to what the Tokenizer reads.
func FuzzAttrs(f *testing.F) {
	for _, tag := range []string{
		`<a href=b>`, `<A HREF = 'b' href=c ALT>`, `<a =x ==y / rel=/ src=/>`, `<img/src=x/alt=y>`, "<a href='a\r\nb'\x00rel=\x00>",
		`<a href="?a&amp;b=1&copy=2&copy&#38;&c;&;&" alt='&amp'>`, `<a href=">" rel='>'>`, "<a\u00e9 href\u00e9=x href=y>",
		`<p alt=a&b= src="&amp;&amp;x" rel=&amp;>`, `<a href= >`, `<a href=''rel=x>`, "<a\fhref\n=\tb>", `<script src=x></script><a>`,
	} {
		f.Add([]byte(tag))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fast, slow := html.NewTokenizer(bytes.NewReader(body)), html.NewTokenizer(bytes.NewReader(body))
		for {
			token := fast.Next()
			slow.Next()
			switch token {
			case html.ErrorToken:
				return
			case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			default:
				continue
			}
			raw := fast.Raw()
			if token == html.EndTagToken {
				if got, want := tagOf(tagName(raw, len("</"))), slowTag(slow); got != want {
					t.Fatalf("%q is %d, want %d", raw, got, want)
				}
				continue
			}
			var got attrs
			got.read(fast, bytes.Clone(raw))
			want := map[attr]string{}
			name := slowTag(slow)
			for more := true; more; {
				var key, value []byte
				key, value, more = slow.TagAttr()
				k := attrOf(key)
				if _, again := want[k]; k != attrCount && !again {
					want[k] = string(bytes.Trim(value, " \t\n\f\r"))
				}
			}
			if tag := tagOf(tagName(raw, len("<"))); tag != name {
				t.Fatalf("%q is %d, want %d", raw, tag, name)
			}
			have := map[attr]string{}
			for k := range attrCount {
				if got.has(k) {
					have[k] = string(got.get(k))
				}
			}
			if !maps.Equal(have, want) {
				t.Fatalf("%q has %q, want %q", raw, have, want)
			}
		}
	})
}

func slowTag(z *html.Tokenizer) tag {
	name, _ := z.TagName()
	return tagOf(name)
}

// FuzzSrcset sees that the candidates of a srcset are parts of it, and that reading them ends.
func FuzzSrcset(f *testing.F) {
	f.Add([]byte("/a 1x, /b,(,) 2x,,/c, data:,x 1x"))
	f.Fuzz(func(t *testing.T, srcset []byte) {
		for rest := srcset; len(rest) > 0; {
			ref, after := nextCandidate(rest)
			if len(after) >= len(rest) {
				t.Fatalf("%q: no step was made at %q", srcset, rest)
			}
			if bytes.ContainsAny(ref, " \t\n\f\r") || bytes.HasSuffix(ref, []byte(",")) {
				t.Fatalf("%q: address %q", srcset, ref)
			}
			rest = after
		}
	})
}
