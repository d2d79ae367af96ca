package prose

import (
	"fmt"
	"html"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const utf8HTML = "text/html; charset=utf-8"

func TestText(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"words", "<p> a\n <b>b</b>c &amp;  d&nbsp;e </p>", "a bc & d e"},
		{"paragraphs", "<h1>H</h1><p>a<p>b</p><div>c</div><div>d</div>e", "H\n\na\n\nb\n\nc\nd\ne"},
		{"lines", "a<br>b<br/>c<br><br>d<br><br><br>e", "a\nb\nc\n\nd\n\ne"},
		{"hidden", "<head><title>T</title><style>s</style><script>x</script></head><body>a<noscript>b<p>c</noscript><template>d<template>e</template></template><iframe>f</iframe><textarea>g</textarea><!-- h -->i", "a i"},
		{"shadow tree", "<div><template shadowrootmode=open>a</template></div>", "a"},
		{"title of a drawing", "a<svg><title>t</title><path/></svg>b", "a b"},
		{"list", "a<ul><li>b<li>c</ul>d", "a\n\n- b\n- c\n\nd"},
		{"loose list", "<ul><li><p>b</p><li><p>c</p><p>d</p></li></ul>", "- b\n- c\n\n  d"},
		{"lists in lists", "<ul><li>a<ol><li>b<li>c<ul><li>d</ul>e</ol><li>f</ul>", "- a\n  - b\n  - c\n    - d\n    e\n- f"},
		{"empty items", "<ul><li></li><li> <li>a<li></ul>b", "- a\n\nb"},
		{"items of no list", "<li>a<li>b", "- a\n- b"},
		{"table", "x<table><caption>C</caption><tr><th>a<th>b</tr><tr><td><p>c</p></td><td></td><td>d e</td></tr></table>y", "x\n\nC\na\tb\nc\t\td e\n\ny"},
		{"table of layout", "<table><tr><td><p>a</p><p>b</p></td><td>c<td>d</table>", "a\n\nb\n\nc\td"},
		{"empty cells", "<table><tr><td><td>a<td><tr><td><tr><td>b</table>", "\ta\nb"},
		{"pre", "a<pre>\n  if x {\n\n\ty  z\n}\n\n</pre>b", "a\n\n  if x {\n\n\ty  z\n}\n\nb"},
		{"form", "a<select><optgroup><option>b<option>c</select>d<button>e</button>f<label>g</label><select><option>h<p>i", "a d e f g\n\ni"},
		{"definitions", "<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\nb\nc\nd"},
		{"quote", "a<blockquote>b<p>c</blockquote>d", "a\n\nb\n\nc\n\nd"},
		{"images", "a<img alt=b>c", "a c"},
		{"broken", "</p></ul></li></td>a</div><p", "a"},
		{"nothing", "", ""},
		{"white space", "<p> \n <li> ", ""},
		{"control characters and invalid UTF-8", "a\x01b\xffc\u2028d", "a b\uFFFDc d"},
		{"deep", strings.Repeat("<div>", 5000) + "a" + strings.Repeat("<ul><li>", 200) + "b", "a\n\n" + strings.Repeat("  ", 7) + "- b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Text(utf8HTML, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestTextOfCharsets(t *testing.T) {
	for _, test := range []struct{ contentType, body, want string }{
		{"text/html; charset=windows-1251", "<p>\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"text/html", "<meta charset=shift_jis><p>\x93\x8c\x8b\x9e", "東京"},
		{"application/xhtml+xml", "<html><title/><script src='x'/><p>a<![CDATA[ <b> ]]>c</p></html>", "a <b> c"},
		{"", "<html><p>a", "a"},
	} {
		if got, err := Text(test.contentType, []byte(test.body)); got != test.want || err != nil {
			t.Errorf("%s: %q, %v", test.contentType, got, err)
		}
		if got, err := Markdown(test.contentType, []byte(test.body), "http://x.org/"); html.UnescapeString(got) != test.want || err != nil {
			t.Errorf("%s: Markdown %q, %v", test.contentType, got, err)
		}
	}
}

func TestNoPage(t *testing.T) {
	for _, contentType := range []string{"image/png", "text/plain", "application/json", ""} {
		if _, err := Text(contentType, []byte("x")); err == nil {
			t.Errorf("text of %q", contentType)
		}
		if _, err := Markdown(contentType, []byte("x"), "http://x.org/"); err == nil {
			t.Errorf("Markdown of %q", contentType)
		}
	}
}

func TestMarkdown(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"headings", "<h1>A &amp; b</h1><p>c<h2>d</h2>", "# A & b\n\nc\n\n## d"},
		{"formats", "<b>a</b> <i>b</i> <code>c*</code> <del>d</del>", "**a** *b* `c*` ~~d~~"},
		{"signs", "<p>1. *a* [b](c) # `d`", "1\\. \\*a* \\[b](c) # \\`d\\`"},
		{"links", "<a href=y>a</a> <a href='/z?q=1#f'>b</a> <a href='//w.org'>c</a> <a href='mailto:a@b.c'>d</a> <a href='#e'>e</a>", "[a](https://x.org/dir/y) [b](https://x.org/z?q=1#f) [c](https://w.org) [d](mailto:a@b.c) [e](https://x.org/dir/page?q#e)"},
		{"base", "<base href=/other/><a href=y>a</a><img src=i.png alt=A>", "[a](https://x.org/other/y)![A](https://x.org/other/i.png)"},
		{"base of no use", "<base href=javascript:x><a href=y>a</a>", "[a](https://x.org/dir/y)"},
		{"list", "<ul><li>a<li>b</ul><ol start=3><li>c</ol>", "- a\n- b\n\n<!--THE END-->\n\n3. c"},
		{"table", "<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n|---|---|\n| 1 | 2 |"},
		{"span", "<table><tr><th colspan=2>a<tr><td>1<td>2</table>", "| a |  |\n|---|---|\n| 1 | 2 |"},
		{"code", "<pre><code>a\n b</code></pre>", "```\na\n b\n```"},
		{"quote", "<blockquote>a<br>b</blockquote>", "> a  \n> b"},
		{"hidden", "<title>t</title><script>x</script><style>y</style><noscript>z</noscript><select><option>o</select><textarea>p</textarea><iframe>q</iframe><template>r</template>a", "a"},
		{"span", "<p>a<span>b<span>c</span></span> <span> d</span><span><b>e</b></span><b>f</b>", "abc d**ef**"},
		{"span with a block", "a<span>b<p>c</p>d</span>e", "a\n\nb\n\nc\n\nd\n\ne"},
		{"comment", "a<!-- x -->b<!-- y --> <!-- z --> c", "ab c"},
		{"nothing", "", ""},
		{"invalid UTF-8", "a\xffb", "a\uFFFDb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Markdown(utf8HTML, []byte(test.body), "https://x.org/dir/page?q")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What a small page could make large, or keep the converter busy with, is refused or made less of.
func TestHostileMarkdown(t *testing.T) {
	nest := func(tag string, n int, inner string) string { return strings.Repeat("<"+tag+">", n) + inner }
	lines := strings.Repeat("<p>some words", 5000)
	for _, test := range []struct {
		name, body, err string
		most            int // bytes of Markdown
	}{
		{"quotes", nest("blockquote", 400, lines), "too many", 0},
		{"lists", nest("ul><li", 200, lines), "too many", 0},
		{"some quotes", nest("blockquote", 5, lines), "", 400_000},
		{"deep", nest("div", 600, lines), "512", 0},
		{"brackets", strings.Repeat("* _ [ ", 30_000), "", 300_000},
		{"long", strings.Repeat("word ", MaxMarkdown/5+1), "longer", 0},
		{"wide span", "<table><tr><td colspan=60000>a<td>b<tr><td>c</table>", "", 1000},
		{"long span", "<table><tr><td rowspan=99999999999999999999 colspan=1000>a<td>b<tr><td>c</table>", "", 1000},
		{"span in a span", strings.Repeat("<table><tr><td colspan=1000>", 50) + "x", "", 1000},
		{"one long row", "<table><tr>" + strings.Repeat("<td>a", 3000) + strings.Repeat("<tr><td>b", 3000), "", 50_000},
		{"lists in one another, and much behind", strings.Repeat("<ul>", 70) + strings.Repeat("</ul>", 70) + "x", "too many", 0},
		{"headings in one another", nest("h1><div", 60, strings.Repeat("a<br>", 20_000)), "too many", 0},
		{"lines in wide lists", "<ol><li><ol start=999999999999999999><li><pre>" + strings.Repeat("\n", 900_000), "too many", 0},
		{"marks of lines in wide lists", "<ol start=999999999999999999><li><pre>a" + strings.Repeat("\uF002", 100_000), "", 100},
		{"tables in one another", nest("table><tr><td", 100, strings.Repeat("<br>a", 110_000)), "tables in one another", 0},
		{"bold deep down", nest("div", 480, strings.Repeat("<b></b>a", 45_000)), "too deep", 0},
		{"links deep down", nest("div", 480, strings.Repeat("<a></a>a", 45_000)), "too deep", 0},
		{"signs", strings.Repeat("*", 1_600_000), "signs", 0},
		{"control characters", strings.Repeat("\a", 100_000), "", 0},
		{"control characters in a title", "<a href=x title='\a\a\a\a*'>x</a>", "", 30},
		{"elements", strings.Repeat("<p>a", 376_000), "more than 750000", 0},
		{"long base", "<base href='/" + strings.Repeat("x", 10_000) + "/'>" + strings.Repeat("<a href=x>x</a>", 4000), "so long an address", 0},
		{"brackets far from their ends", strings.Repeat("[", 100_000) + "]", "", 200_010},
		{"one long cell", "<table><tr><td>" + strings.Repeat("x", 20_000) + strings.Repeat("<tr><td>b", 5000), "", 100_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Markdown(utf8HTML, []byte(test.body), "https://x.org/")
			if s := fmt.Sprint(err); (test.err == "") != (err == nil) || !strings.Contains(s, test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if len(got) > test.most {
				t.Errorf("%d bytes of Markdown", len(got))
			}
			text, err := Text(utf8HTML, []byte(test.body))
			if err != nil || len(text) > 4*len(test.body) {
				t.Errorf("text of %d bytes, %v", len(text), err)
			}
		})
	}
}

// Nodes that stand for nothing cost as much as they are, not as much as all before them.
func TestMarkdownIsLinear(t *testing.T) {
	const n = 15_000
	for _, test := range []struct{ name, one, want string }{
		{"comments", "a<!---->", "a"},
		{"processing instructions", "a<?x>", "a"},
		{"scripts", "a<script></script>", "a"},
		{"inputs", "a<input>", "a"},
		{"spans", "<span>a</span>", "a"},
		{"spans within spans", "<span>a<span>a</span><!-- --></span>", "aa"},
		{"templates", "a<template>x</template>", "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := Markdown(utf8HTML, []byte(strings.Repeat(test.one, n)), "https://x.org/")
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if got != strings.Repeat(test.want, n) {
				t.Errorf("got %d bytes: %.40q", len(got), got)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 50<<20 {
				t.Errorf("took %d MB", took>>20)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	for _, body := range []string{
		"<h1>H</h1><p>a<ul><li>b<ol><li>c</ol></ul><table><tr><td>1<td><p>2</table><pre> x\n</pre>",
		"<select><option>a<br><template><li>\xff\x00</template></select><tr><th></td><textarea>x",
		"<pre><li>\n\n a<td>\t<ul></pre>b</ul><br><br>&nbsp;c", "<svg><title>x</svg><![CDATA[y]]><plaintext><p>",
	} {
		f.Add([]byte(body), utf8HTML)
		f.Add([]byte(body), "application/xhtml+xml")
		f.Add([]byte(body), "text/html; charset=utf-16")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		before := string(body)
		text, err := Text(contentType, body)
		if string(body) != before {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		if !utf8.ValidString(text) || len(text) > 32+20*len(body) {
			t.Errorf("%d bytes of %d: %q", len(text), len(body), text)
		}
		if text != "" && (strings.HasSuffix(text, "\n") || strings.HasPrefix(text, "\n") || strings.HasSuffix(text, " ")) {
			t.Errorf("blank around %q", text)
		}
		if _, err := Markdown(contentType, body, "https://x.org/a"); err != nil && strings.Contains(err.Error(), "cannot be made") {
			t.Error(err)
		}
	})
}

func article() []byte {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html><html lang=en><head><title>News</title><script>var a = 1;</script></head><body><h1>News of the day</h1>\n")
	for i := range 50 {
		fmt.Fprintf(&b, `<div class="teaser"><h3><a class="teaser__link" href="/news/%d.html">Story %d</a></h3>
<img src="/img/%d.jpg" alt="A picture" width="320"><p class="teaser__text">%s</p><ul><li>one<li>two</ul></div>
`, i, i, i, strings.Repeat("The <b>committee</b> met on Tuesday. ", 5))
	}
	return []byte(b.String())
}

func BenchmarkText(b *testing.B) {
	body := article()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Text(utf8HTML, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarkdown(b *testing.B) {
	body := article()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Markdown(utf8HTML, body, "https://x.org/"); err != nil {
			b.Fatal(err)
		}
	}
}
