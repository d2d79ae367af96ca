package sitemap

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html/charset"

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

// read returns the entries of a file at http://x.org/dir/sitemap.xml, each as its address without http://x.org, its date,
// and its marks.
func read(t testing.TB, body, contentType string) ([]string, Report) {
	t.Helper()
	return readInput(Input{ContentType: contentType, Body: strings.NewReader(body), Speller: newSpeller(t)})
}

func readInput(in Input) ([]string, Report) {
	var lines []string
	in.URL = "http://x.org/dir/sitemap.xml"
	report := Parse(in, func(e Entry) bool {
		lines = append(lines, line(e))
		return true
	})
	return lines, report
}

func line(e Entry) string {
	s := strings.TrimPrefix(e.URL.String(), "http://x.org")
	if e.LastMod != "" {
		s += " " + e.LastMod
	}
	if e.Sitemap {
		s += " sitemap"
	}
	if e.Alternate {
		s += " alternate"
	}
	return s
}

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func encode(t testing.TB, label, s string) string {
	t.Helper()
	e, _ := charset.Lookup(label)
	b, err := e.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	xmlDecl = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	ns      = ` xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"`
)

// set is a sitemap with the given content.
func set(content string) string { return xmlDecl + "<urlset" + ns + ">\n" + content + "\n</urlset>\n" }

func TestURLSet(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"plain", set("<url><loc>http://x.org/a</loc></url>\n<url><loc>http://x.org/b</loc></url>"), []string{"/a", "/b"}},
		{"all children", set("<url><loc>http://x.org/a</loc><lastmod>2024-05-06</lastmod><changefreq>daily</changefreq><priority>0.5</priority></url>"), []string{"/a 2024-05-06"}},
		{"date before address", set("<url><lastmod>2024-05-06</lastmod><loc>http://x.org/a</loc></url><url><loc>/b</loc></url>"), []string{"/a 2024-05-06", "/b"}},
		{"no entries", set(""), nil},
		{"empty root", "<urlset/>", nil},
		{"no XML declaration", "<urlset><url><loc>http://x.org/a</loc></url></urlset>", []string{"/a"}},
		{"white space before declaration", "\n\n  " + set("<url><loc>/a</loc></url>"), []string{"/a"}},
		{"byte order mark", "\uFEFF" + set("<url><loc>/a</loc></url>"), []string{"/a"}},
		{"byte order mark twice", "\uFEFF\n\uFEFF" + set("<url><loc>/a</loc></url>"), []string{"/a"}},
		{"declaration without its question mark", `<?xml version="1.0" encoding="UTF-8"><urlset><url><loc>/a</loc></url></urlset>`, []string{"/a"}},
		{"declaration in capitals", `<?XML version="1.0"?><urlset><url><loc>/a</loc></url></urlset>`, []string{"/a"}},
		{"stylesheet", xmlDecl + `<?xml-stylesheet type="text/xsl" href="//x.org/m.xsl?a>b"?><urlset><url><loc>/a</loc></url></urlset>`, []string{"/a"}},
		{"comments", "<!-- a <urlset> -- --><urlset><!-- <url><loc>/no</loc></url> --><url><!----><loc>/a<!-- x -->b</loc></url></urlset><!-- cached -->", []string{"/ab"}},
		{"doctype", `<!DOCTYPE urlset PUBLIC "-//x" "http://x.org/a.dtd"><urlset><url><loc>/a</loc></url></urlset>`, []string{"/a"}},
		{"entities declared", `<!DOCTYPE urlset [<!ENTITY a "/no"><!ENTITY b "&a;&a;"> <!-- ] --> ] ><urlset><url><loc>/&b;</loc></url></urlset>`, []string{"/&b;"}},
		{"external entity", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset><url><loc>/?&e;</loc></url></urlset>`, []string{"/?&e;"}},
		{"namespace prefix", `<sm:urlset xmlns:sm="http://www.sitemaps.org/schemas/sitemap/0.9"><sm:url><sm:loc>/a</sm:loc><sm:lastmod>2024-01-02</sm:lastmod></sm:url></sm:urlset>`, []string{"/a 2024-01-02"}},
		{"prefix on the root alone", `<sm:urlset><url><loc>/a</loc></url></sm:urlset>`, []string{"/a"}},
		{"prefix on the root and url", `<sm:urlset><sm:url><loc>/a</loc></sm:url></sm:urlset>`, []string{"/a"}},
		{"wrong namespace", `<urlset xmlns="http://www.google.com/schemas/sitemap/0.84"><url><loc>/a</loc></url></urlset>`, []string{"/a"}},
		{"capitals", "<URLSET><URL><LOC>/a</LOC><LastMod>2024-01-02</LastMod></URL></URLSET>", []string{"/a 2024-01-02"}},
		{"attributes and spaces in tags", "<urlset\n a='>'\n><url ><loc\tx=\"/loc>\">/a</loc\n></url\t></urlset >", []string{"/a"}},
		{"a quote without end", `<urlset a="b><url x='><loc>/a</loc></url></urlset>`, []string{"/a"}},
		{"images and videos", set(`<url><loc>/a</loc><image:image><image:loc>/i.png</image:loc><image:title>T</image:title></image:image>` +
			`<video:video><video:content_loc>/v</video:content_loc><video:player_loc allow_embed="yes">/p</video:player_loc></video:video></url>`), []string{"/a"}},
		{"image before address", set("<url><image:image><image:loc>/i.png</image:loc></image:image><loc>/a</loc></url>"), []string{"/a"}},
		{"image without prefix", set(`<url><image xmlns="http://www.google.com/schemas/sitemap-image/1.1"><loc>/i.png</loc></image><loc>/a</loc></url>`), []string{"/a"}},
		{"image with another prefix", set(`<url><i:image><i:loc>/i.png</i:loc></i:image><loc>/a</loc></url>`), []string{"/a"}},
		{"image address straight in url", set("<url><image:loc>/i.png</image:loc><loc>/a</loc></url>"), []string{"/a"}},
		{"image without end", set("<url><loc>/a</loc><image:image><image:loc>/i.png</url><url><loc>/b</loc></url>"), []string{"/a", "/b"}},
		{"url with another prefix within", set("<url><x:y><x:url></x:url><loc>/no</loc></x:y><loc>/a</loc></url>"), []string{"/a"}},
		{"news", set("<url><loc>/a</loc><news:news><news:publication><news:name>N</news:name></news:publication><news:publication_date>2024</news:publication_date></news:news></url>"), []string{"/a"}},
		{"alternates", set(`<url><loc>/a</loc><xhtml:link rel="alternate" hreflang="de" href="/de/a?x=1&amp;y=2"/><xhtml:link rel='alternate' hreflang='en' href='/a'/><lastmod>2024-01-02</lastmod></url>`), []string{"/a 2024-01-02", "/de/a?x=1&y=2 alternate"}},
		{"alternates left open", set(`<url><loc>/a</loc><xhtml:link rel="alternate" href="/b"><xhtml:link rel="Alternate" href="/c"></xhtml:link><lastmod>2024-01-02</lastmod></url><url><loc>/d</loc></url>`), []string{"/a 2024-01-02", "/b alternate", "/c alternate", "/d"}},
		{"alternates repeated for each", set(`<url><loc>/a</loc><l:link rel="alternate" href="/b"/></url><url><loc>/b</loc><l:link rel="alternate" href="/a"/></url><url><loc>/a</loc></url>`), []string{"/a", "/b alternate", "/b", "/a"}},
		{"alternates before address", set(`<url><x:link rel="alternate" href="/b"/><loc>/a</loc></url>`), []string{"/a", "/b alternate"}},
		{"alternates that are the page itself", set(`<url><x:link rel="alternate" href="http://x.org/a"/><loc>/a</loc><x:link rel="alternate" href="../a"/></url>`), []string{"/a"}},
		{"alternates of apps", set(`<url><loc>/a</loc><x:link rel="alternate" href="android-app://org.x/http/x"/></url>`), []string{"/a"}},
		{"links that are no alternates", set(`<url><loc>/a</loc><x:link rel="canonical" href="/b"/><x:link href="/c"/><x:link rel=alternate></url>`), []string{"/a"}},
		{"attributes without quotes", set(`<url><loc>/a</loc><x:link " rel=alternate disabled href=/b></url>`), []string{"/a", "/b alternate"}},
		{"CDATA", set("<url><loc><![CDATA[http://x.org/a?b=1&c=2&amp;d]]></loc><lastmod><![CDATA[2024-01-02]]></lastmod></url>"), []string{"/a?b=1&c=2&amp;d 2024-01-02"}},
		{"CDATA in parts", set("<url><loc>\n<![CDATA[/a?]]>b&amp;<![CDATA[c]]>\n</loc></url>"), []string{"/a?b&c"}},
		{"CDATA elsewhere", set("<![CDATA[<url><loc>/no</loc></url>]]><url><x><![CDATA[</x></url>]]></x><loc>/a</loc></url>"), []string{"/a"}},
		{"CDATA without end", set("<url><loc><![CDATA[/a</loc></url><url><loc>/b</loc></url>"), []string{"/a", "/b"}},
		{"references", set("<url><loc>/?a=1&amp;b=&lt;&gt;&quot;&apos;&#65;&#x42;&#X43;</loc></url>"), []string{"/?a=1&b=%3C%3E%22%27ABC"}},
		{"bare ampersand", set("<url><loc>/?a=1&b=2&copy=3&amp=4&&c;&#;&#x;&#0;&#xD800;&#99999999;</loc></url>"), []string{"/?a=1&b=2&copy=3&amp=4&&c;&"}},
		{"names of HTML", set("<url><loc>/1&Acirc;&ordm;&eacute;&notit;</loc></url>"), []string{"/1%C3%82%C2%BA%C3%A9&notit;"}},
		{"reference at the end", set("<url><loc>/?a&amp</loc></url>"), []string{"/?a&amp"}},
		{"white space around", set("<url><loc>\r\n\t http://x.org/a \n</loc><lastmod>\n2024-01-02\n</lastmod></url>"), []string{"/a 2024-01-02"}},
		{"odd white space around", set("<url><loc>\u00A0\u200B\uFEFFhttp://x.org/a\u3000</loc></url>"), []string{"/a"}},
		{"line breaks within", set("<url><loc>http://x.org/a/\n      b\r\n  c</loc></url>"), []string{"/a/bc"}},
		{"space within", set("<url><loc>http://x.org/a b</loc></url>"), []string{"/a%20b"}},
		{"relative", set("<url><loc>a</loc></url><url><loc>/b</loc></url><url><loc>//y.org/c</loc></url><url><loc>?d</loc></url>"), []string{"/dir/a", "/b", "http://y.org/c", "/dir/sitemap.xml?d"}},
		{"host without scheme", set("<url><loc>x.org/a</loc></url><url><loc>www.X.org</loc></url><url><loc>x.organ/b</loc></url>"), []string{"/a", "http://www.x.org/", "/dir/x.organ/b"}},
		{"other hosts", set("<url><loc>https://y.org/a</loc></url>"), []string{"https://y.org/a"}},
		{"other schemes", set("<url><loc>mailto:a@x.org</loc></url><url><loc>javascript:x</loc></url><url><loc>/a</loc></url>"), []string{"/a"}},
		{"malformed", set("<url><loc></loc></url><url><loc/></url><url></url><url/><url><loc>http://[</loc></url><url><loc>/a</loc></url>"), []string{"/a"}},
		{"beyond ASCII", set("<url><loc>http://x.org/ä?ö</loc></url><url><loc>http://bücher.example/</loc></url>"), []string{"/%C3%A4?%C3%B6", "http://xn--bcher-kva.example/"}},
		{"fragments and sessions", set("<url><loc>http://x.org:80/a?utm_source=x#b</loc></url>"), []string{"/a"}},
		{"the same twice", set("<url><loc>/a</loc></url><url><loc>/a</loc></url>"), []string{"/a", "/a"}},
		{"end of loc missing", set("<url><loc>/a<lastmod>2024-01-02</lastmod></url><url><loc>/b</url><url><loc>/c<url><loc>/d</loc></url>"), []string{"/a 2024-01-02", "/b", "/c", "/d"}},
		{"start for end of loc", set("<url><loc>/a<loc></url><url><loc>/b</loc></url>"), []string{"/a", "/b"}},
		{"another end of loc", set("<url><loc>/a</lastmod></url><url><loc>/b</loc></url>"), []string{"/a", "/b"}},
		{"end of url missing", set("<url><loc>/a</loc><url><loc>/b</loc><lastmod>2024-01-02</lastmod>"), []string{"/a", "/b 2024-01-02"}},
		{"unknown element without end", set("<url><foo><loc>/no</loc></url><url><loc>/b</loc></url>"), []string{"/b"}},
		{"priority without end", set("<url><priority>1<priority><loc>/a</loc></url>"), []string{"/a"}},
		{"no url element", set("<loc>/a</loc><loc>/b</loc>"), []string{"/a", "/b"}},
		{"two addresses in one url", set("<url><loc>/a</loc><loc>/b</loc></url>"), []string{"/a", "/b"}},
		{"markup in loc", set(`<url><loc><a href="/no">/a</a></loc></url>`), []string{"/a"}},
		{"less-than in loc", set("<url><loc>/a< b</loc></url>"), []string{"/a%3C%20b"}},
		{"tag without end", set("<url><loc>/a</loc><lastmod <url><loc>/b</loc></url>"), []string{"/a", "/b"}},
		{"sitemap among urls", set("<url><loc>/a</loc></url><sitemap><loc>/s.xml</loc></sitemap>"), []string{"/a", "/s.xml sitemap"}},
		{"root in a wrapper", "<xml><urlset><url><loc>/a</loc></url></urlset></xml>", []string{"/a"}},
		{"warning before", "<br />\n<b>Warning</b>: mysql_connect() in <b>/a.php</b> on line 3<br />\n" + set("<url><loc>/a</loc></url>"), []string{"/a"}},
		{"text before", "Notice: x\n" + set("<url><loc>/a</loc></url>"), []string{"/a"}},
		{"text after", set("<url><loc>/a</loc></url>") + "Warning: y", []string{"/a"}},
		{"page after", set("<url><loc>/a</loc></url>") + "<html><body><p>x</body></html>", []string{"/a"}},
		{"several roots", set("<url><loc>/a</loc></url>") + "<sitemapindex><sitemap><loc>/s</loc></sitemap></sitemapindex>" + set("<url><loc>/b</loc></url>"), []string{"/a", "/s sitemap", "/b"}},
		{"root in root", set("<url><loc>/a</loc></url>" + set("<url><loc>/b</loc></url>")), []string{"/a", "/b"}},
		{"cut off behind an address", "<urlset><url><loc>/a</loc></url><url><loc>/b</loc><last", []string{"/a", "/b"}},
		{"cut off within an address", "<urlset><url><loc>/a</loc></url><url><loc>/b", []string{"/a"}},
		{"cut off within a tag", "<urlset><url><loc>/a</loc></url><url><loc>/b</lo", []string{"/a"}},
		{"cut off within an attribute", `<urlset><url><loc>/a</loc><x:link rel="alternate" href="/b>c`, []string{"/a"}},
		{"cut off within a comment", "<urlset><url><loc>/a</loc></url><!-- <url><loc>/b</loc></url>", []string{"/a"}},
		{"cut off within CDATA", "<urlset><url><loc>/a</loc></url><url><loc><![CDATA[/b]", []string{"/a"}},
		{"bytes that are no text", "<urlset><url><loc>/a\x00\xff</loc>\x01\x02</url><\x00><url><loc>/b</loc></url></urlset>", []string{"/a%00%FF", "/b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, report := read(t, test.body, "application/xml")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got)\n%s", diff)
			}
			if report.Kind != URLSet || report.Entries != len(got) || report.Cut {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestIndex(t *testing.T) {
	index := func(content string) string { return "<sitemapindex" + ns + ">" + content + "</sitemapindex>" }
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"plain", index("<sitemap><loc>http://x.org/1.xml</loc><lastmod>2024-01-02</lastmod></sitemap><sitemap><loc>/2.xml.gz</loc></sitemap>"), []string{"/1.xml 2024-01-02 sitemap", "/2.xml.gz sitemap"}},
		{"urls for sitemaps", index("<url><loc>/1.xml</loc></url>"), []string{"/1.xml sitemap"}},
		{"itself", index("<sitemap><loc>/dir/sitemap.xml</loc></sitemap>"), []string{"/dir/sitemap.xml sitemap"}},
		{"prefix", "<s:sitemapindex><s:sitemap><s:loc>/1.xml</s:loc></s:sitemap></s:sitemapindex>", []string{"/1.xml sitemap"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, report := read(t, test.body, "text/html")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got)\n%s", diff)
			}
			if report != (Report{Kind: Index, Entries: len(got)}) {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestFeed(t *testing.T) {
	rss := func(items string) string {
		return `<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>T</title><link>http://x.org/home</link>` +
			`<atom:link rel="self" href="/feed"/><pubDate>Mon, 06 May 2024 10:00:00 GMT</pubDate><image><url>/i.png</url><link>/no</link></image>` + items + "</channel></rss>"
	}
	atom := func(entries string) string {
		return `<feed xmlns="http://www.w3.org/2005/Atom"><link href="/home"/><link rel="self" href="/feed"/><updated>2024-01-01T00:00:00Z</updated>` + entries + "</feed>"
	}
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"RSS", rss("<item><title>T</title><link>http://x.org/a?b&amp;c</link><pubDate>Mon, 06 May 2024 10:00:00 +0200</pubDate></item><item><link>/b</link></item>"), []string{"/a?b&c 2024-05-06T08:00:00Z", "/b"}},
		{"RSS with CDATA", rss("<item><link><![CDATA[/a?b&c]]></link></item>"), []string{"/a?b&c"}},
		{"RSS in capitals", "<RSS><CHANNEL><ITEM><LINK>/a</LINK></ITEM></CHANNEL></RSS>", []string{"/a"}},
		{"guid for link", rss("<item><guid>http://x.org/g</guid></item><item><guid isPermaLink='true'>http://x.org/h</guid><link></link></item>"), []string{"/g", "/h"}},
		{"link before guid", rss("<item><guid>http://x.org/g</guid><link>/a</link></item>"), []string{"/a"}},
		{"guid that is no link", rss("<item><guid isPermaLink='false'>http://x.org/g</guid></item><item><guid>17</guid></item>"), nil},
		{"enclosures and comments", rss("<item><link>/a</link><enclosure url='/a.mp3' type='audio/mpeg'/><comments>/c</comments><media:content url='/m'/><source url='/s'>S</source></item>"), []string{"/a"}},
		{"HTML in a description", rss("<item><description><p>x<br><a href=/no>y</a><link>/no</link></p></description><link>/a</link></item><item><link>/b</link></item>"), []string{"/b"}},
		{"link of Atom in RSS", rss("<item><link>/a</link><atom:link rel='alternate' href='/no'/></item><item><atom:link href='/b'/></item>"), []string{"/a", "/b"}},
		{"date of Dublin Core", rss("<item><link>/a</link><dc:date>2024-05-06T10:00:00+02:00</dc:date></item>"), []string{"/a 2024-05-06T08:00:00Z"}},
		{"RSS 1.0", `<rdf:RDF xmlns="http://purl.org/rss/1.0/"><channel rdf:about="/"><link>/home</link><items><rdf:Seq><rdf:li resource="/a"/></rdf:Seq></items></channel><item rdf:about="/a"><link>/a</link></item></rdf:RDF>`, []string{"/a"}},
		{"Atom", atom("<entry><link rel='edit' href='/e'/><link rel='alternate' href='/a?b&amp;c'/><published>2024-01-01T00:00:00Z</published><updated>2024-02-01T00:00:00Z</updated></entry><entry><link href='/b'/></entry>"), []string{"/a?b&c 2024-02-01T00:00:00Z", "/b"}},
		{"Atom with updated before published", atom("<entry><updated>2024-02-01T00:00:00Z</updated><published>2024-01-01T00:00:00Z</published><link href='/a'></link></entry>"), []string{"/a 2024-02-01T00:00:00Z"}},
		{"Atom with a source", atom("<entry><source><link href='/no'/></source><link href='/a'/></entry>"), []string{"/a"}},
		{"Atom with prefix", "<a:feed><a:entry><a:link href='/a'/></a:entry></a:feed>", []string{"/a"}},
		{"Atom with a base", "<feed xml:base='http://y.org/z/'><entry><link href='a'/></entry></feed>", []string{"http://y.org/z/a"}},
		{"no items", rss(""), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, report := read(t, xmlDecl+test.body, "application/rss+xml")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got)\n%s", diff)
			}
			if report != (Report{Kind: Feed, Entries: len(got)}) {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
		malformed  int
	}{
		{"plain", "http://x.org/a\nhttp://x.org/b?c&amp;d\n", []string{"/a", "/b?c&amp;d"}, 0},
		{"line ends", "http://x.org/a\r\nhttps://x.org/b\rHTTP://x.org/c\n\n\nhttp://x.org/d", []string{"/a", "https://x.org/b", "/c", "/d"}, 0},
		{"byte order mark", "\uFEFFhttp://x.org/a\n", []string{"/a"}, 0},
		{"white space", "\n \n  http://x.org/a \t\n", []string{"/a"}, 0},
		{"columns", "http://x.org/a\t2024-01-02\n", []string{"/a"}, 0},
		{"other lines", "http://x.org/a\n# b\n/c\nftp://x.org/d\nhttp://[\nhttp://x.org/e", []string{"/a", "/e"}, 4},
		{"UTF-16", encode(t, "utf-16le", "\uFEFFhttp://x.org/ä\nhttp://x.org/b"), []string{"/%C3%A4", "/b"}, 0},
		{"UTF-16 without mark", encode(t, "utf-16be", "http://x.org/a\r\nhttp://x.org/b"), []string{"/a", "/b"}, 0},
		{"gzip", zip("http://x.org/a\nhttp://x.org/b"), []string{"/a", "/b"}, 0},
		{"a line that is too long", "http://x.org/a\nhttp://x.org/" + strings.Repeat("b", 2*maxWindow) + "\nhttp://x.org/c\n", []string{"/a", "/c"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, report := read(t, test.body, "text/plain")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got)\n%s", diff)
			}
			if report != (Report{Kind: Text, Entries: len(got), Malformed: test.malformed}) {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestNone(t *testing.T) {
	for _, test := range []struct{ name, body string }{
		{"empty", ""},
		{"white space", " \n\n"},
		{"HTML", "<!doctype html><html><body><urlset><url><loc>/a</loc></url></urlset></body></html>"},
		{"HTML without doctype", "<html><body><item><link>/a</link></item><urlset><url><loc>/a</loc></url></urlset>"},
		{"XHTML", xmlDecl + `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd"><html><loc>/a</loc></html>`},
		{"other XML", xmlDecl + "<project><url><loc>/a</loc></url></project>"},
		{"feed in other XML", xmlDecl + "<project><rss><item><link>/a</link></item></rss></project>"},
		{"JSON", `{"urls": ["http://x.org/a"]}`},
		{"prose", "Not found\nhttp://x.org/a"},
		{"robots.txt", "User-agent: *\nSitemap: http://x.org/sitemap.xml\n"},
		{"root far away", strings.Repeat("<p>x</p>", maxProlog) + "<urlset><url><loc>/a</loc></url></urlset>"},
		{"PNG", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"},
		{"no gzip behind its magic number", "\x1f\x8bhttp://x.org/a"},
		{"HTML in gzip", zip("<!doctype html><html><body>x")},
		{"three layers of gzip", zip(zip(zip(set("<url><loc>/a</loc></url>"))))},
		{"a tag without end", "<urlset" + strings.Repeat(" a", maxWindow)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, report := read(t, test.body, "application/xml")
			if got != nil || report.Kind != None || report.Entries != 0 {
				t.Errorf("entries %v, report %+v", got, report)
			}
			if Is([]byte(test.body)) {
				t.Error("Is takes it for a sitemap")
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	declared := func(label string) string {
		return `<?xml version='1.0' encoding = '` + label + `'?><urlset><url><loc>http://x.org/я</loc></url><url><loc>/б?в</loc></url></urlset>`
	}
	want := []string{"/%D1%8F", "/%D0%B1?%D0%B2"}
	raw := []string{"/%FF", "/%E1?%E2"}
	for _, test := range []struct {
		name, contentType, body string
		want                    []string
	}{
		{"UTF-8", "application/xml", declared("UTF-8"), want},
		{"windows-1251 declared", "application/xml", encode(t, "windows-1251", declared("windows-1251")), want},
		{"windows-1251 in the header", "text/xml; Charset=\"windows-1251\"; q=1", encode(t, "windows-1251", declared("x")), want},
		{"the header before the declaration", "text/xml;charset=koi8-r", encode(t, "koi8-r", declared("windows-1251")), want},
		{"UTF-8 in spite of both", "text/xml; charset=iso-8859-1", declared("windows-1251"), want},
		{"UTF-8 called UTF-16", "text/xml; charset=utf-16", declared("utf-16"), want},
		{"windows-1251 called UTF-8", "text/xml; charset=utf-8", encode(t, "windows-1251", declared("utf-8")), raw},
		{"windows-1251 without a name", "text/xml", encode(t, "windows-1251", declared("none")), raw},
		{"UTF-16 with mark", "text/xml", encode(t, "utf-16le", "\uFEFF"+declared("utf-16")), want},
		{"UTF-16 without mark", "text/xml", encode(t, "utf-16be", declared("utf-16")), want},
		{"UTF-16 in gzip", "text/xml", zip(encode(t, "utf-16be", "\uFEFF"+declared("utf-16"))), want},
		{"ISO-2022-JP", "text/xml", encode(t, "iso-2022-jp", declared("ISO-2022-JP")), want},
		{"Shift_JIS", "text/xml", encode(t, "shift_jis", declared("Shift_JIS")), want},
		{"an encoding that is not to be read", "text/xml; charset=iso-2022-kr", declared("x"), want},
		{"what looks like UTF-8 after what does not", "text/xml; charset=windows-1251", "<urlset><loc>/\xff</loc><loc>/\xd1\x8f</loc><loc>/\xff</loc></urlset>", []string{"/%D1%8F", "/%D1%8F", "/%D1%8F"}},
		{"the same with more before it", "text/xml; charset=windows-1251", "<urlset><loc>/\xff</loc><loc>/\xff</loc><loc>/\xcf\xb8</loc></urlset>", []string{"/%D1%8F", "/%D1%8F", "/%D0%9F%D1%91"}},
		{"references beside letters", "text/xml", encode(t, "windows-1251", "<?xml encoding='windows-1251'?><urlset><url><loc>/я&amp;&#1103;<![CDATA[я]]></loc></url></urlset>"), []string{"/%D1%8F&%D1%8F%D1%8F"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, report := read(t, test.body, test.contentType)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got)\n%s", diff)
			}
			if report.Broken != "" || report.Malformed != 0 {
				t.Errorf("report %+v", report)
			}
			if !Is([]byte(test.body)) {
				t.Error("Is does not take it for a sitemap")
			}
		})
	}
}

func TestGzip(t *testing.T) {
	file := set("<url><loc>/a</loc></url>")
	half := func(s string) string { return s[:len(s)-12] }
	long := set(strings.Repeat("<url><loc>/a</loc></url>", 10_000))
	for _, test := range []struct {
		name, body, broken string
		entries            int
	}{
		{"once", zip(file), "", 1},
		{"twice", zip(zip(file)), "", 1},
		{"members", zip(file[:20]) + zip("") + zip(file[20:]), "", 1},
		{"a comment after it", zip(file) + "<!-- WP Super Cache -->", "", 1},
		{"zeros after it", zip(file) + "\x00\x00", "", 1},
		{"cut off", half(zip(file)), "gzip: unexpected EOF", 1},
		{"wrong checksum", zip(file)[:len(zip(file))-8] + "        ", "gzip: invalid checksum", 1},
		{"broken in the middle", zip(long)[:200] + "\xff\xff\xff\xff\xff\xff\xff\xff", "gzip: unexpected EOF", 1},
		{"broken from the first byte", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff", "flate:", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, report := read(t, test.body, "application/x-gzip")
			if report.Entries < test.entries || !strings.HasPrefix(report.Broken, test.broken) || (test.broken == "") != (report.Broken == "") {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestReport(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       Report
	}{
		{"malformed", set("<url><loc></loc></url><url></url><url><loc>http://[</loc></url><loc/>"), Report{Kind: URLSet, Malformed: 4}},
		{"ignored", set("<url><loc>ftp://x.org/</loc></url>"), Report{Kind: URLSet, Ignored: 1}},
		{"address too long", set("<url><loc>/" + strings.Repeat("a", weburl.MaxLength) + "</loc></url><url><loc>/b</loc></url>"), Report{Kind: URLSet, Entries: 1, Malformed: 1}},
		{"address far too long", set("<url><loc>/" + strings.Repeat("a", 3*maxWindow) + "</loc></url><url><loc>/b</loc></url>"), Report{Kind: URLSet, Entries: 1, Malformed: 1}},
		{"CDATA far too long", set("<url><loc><![CDATA[/" + strings.Repeat("a", 3*maxWindow) + "]]></loc></url><url><loc>/b</loc></url>"), Report{Kind: URLSet, Entries: 1, Malformed: 1}},
		{"less-than signs", set("<url><loc>/" + strings.Repeat("<", 3*maxWindow) + "</loc></url><url><loc>/b</loc></url>"), Report{Kind: URLSet, Entries: 1, Malformed: 1}},
		{"tag far too long", set("<url><loc>/a</loc></url><url " + strings.Repeat("a", 3*maxWindow) + "><loc>/b</loc></url>"), Report{Kind: URLSet, Entries: 2}},
		{"comment and text far too long", set("<!--" + strings.Repeat("a", 3*maxWindow) + "-->" + strings.Repeat("a", 3*maxWindow) + "<url><loc>/b</loc></url>"), Report{Kind: URLSet, Entries: 1}},
		{"cut off", "<urlset><url><loc>/a</loc>", Report{Kind: URLSet, Entries: 1, Broken: "cut off within the root element"}},
		{"text after", "<urlset></urlset>x", Report{Kind: URLSet, Broken: "text outside of the root element"}},
		{"50,000", set(strings.Repeat("<url><loc>/a</loc></url>", MaxEntries)), Report{Kind: URLSet, Entries: MaxEntries}},
		{"50,001", set(strings.Repeat("<url><loc>/a</loc></url>", MaxEntries+1)), Report{Kind: URLSet, Entries: MaxEntries, Cut: true}},
		{"50,001 malformed", set(strings.Repeat("<url><loc>http://[</loc></url>", MaxEntries+1)), Report{Kind: URLSet, Malformed: MaxEntries, Cut: true}},
		{"50,001 lines", strings.Repeat("http://x.org/a\n", MaxEntries+1), Report{Kind: Text, Entries: MaxEntries, Cut: true}},
		{"a bomb of gzip", zip("<urlset>") + strings.Repeat(zip(strings.Repeat(" ", 1<<20)), MaxBytes>>20), Report{Kind: URLSet, Cut: true}},
		{"three layers of gzip", zip(zip(zip("<urlset/>"))), Report{Broken: "gzip within gzip within gzip"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, report := read(t, test.body, "")
			if diff := cmp.Diff(test.want, report); diff != "" {
				t.Errorf("report (-want +got)\n%s", diff)
			}
		})
	}
}

func TestAlternatesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("<urlset><url><loc>/a</loc>")
	for i := range MaxAlternates + 10 {
		fmt.Fprintf(&b, "<x:link rel='alternate' href='/%d'/>", i)
	}
	b.WriteString("</url><url><loc>/b</loc></url></urlset>")
	got, report := read(t, b.String(), "")
	if report.Entries != MaxAlternates+2 || report.Ignored != 10 || !report.Cut || got[len(got)-1] != "/b" {
		t.Errorf("report %+v, last %s", report, got[len(got)-1])
	}
}

// Short references in a file with a long address make long addresses.
func TestWorkIsBounded(t *testing.T) {
	total := 0
	Parse(Input{
		URL:     "http://x.org/" + strings.Repeat("a", weburl.MaxLength-1000) + "/",
		Body:    strings.NewReader(set(strings.Repeat("<url><loc>b</loc></url>", 5000))),
		Speller: newSpeller(t),
	}, func(e Entry) bool {
		total += len(e.URL)
		return true
	})
	if total == 0 || total > maxWork {
		t.Errorf("%d bytes were handed out", total)
	}
}

func TestEmitStops(t *testing.T) {
	n := 0
	report := Parse(Input{
		URL: "http://x.org/s", Speller: newSpeller(t),
		Body: strings.NewReader(set("<url><loc>/a</loc><x:link rel='alternate' href='/b'/></url><url><loc>/c</loc></url>")),
	}, func(Entry) bool {
		n++
		return false
	})
	if n != 1 || report != (Report{Kind: URLSet, Entries: 1}) {
		t.Errorf("%d calls, report %+v", n, report)
	}
}

func TestTruncatedText(t *testing.T) {
	for _, test := range []struct {
		name      string
		body      io.Reader
		truncated bool
		want      []string
	}{
		{"whole", strings.NewReader("http://x.org/a\nhttp://x.org/bc"), false, []string{"/a", "/bc"}},
		{"truncated", strings.NewReader("http://x.org/a\nhttp://x.org/b"), true, []string{"/a"}},
		{"truncated behind a line", strings.NewReader("http://x.org/a\n"), true, []string{"/a"}},
		{"a fault of the reader", io.MultiReader(strings.NewReader("http://x.org/a\nhttp://x.org/b"), iotest.ErrReader(io.ErrUnexpectedEOF)), false, []string{"/a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := readInput(Input{Body: test.body, Truncated: test.truncated, Speller: newSpeller(t)})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("entries (-want +got)\n%s", diff)
			}
		})
	}
}

func TestAddressOfFileMalformed(t *testing.T) {
	report := Parse(Input{URL: "ftp://x.org/", Body: strings.NewReader(set("")), Speller: newSpeller(t)}, func(Entry) bool { return true })
	if report.Kind != None || report.Broken == "" {
		t.Errorf("report %+v", report)
	}
}

// What a file says does not depend on the pieces in which it comes.
func TestReadInPieces(t *testing.T) {
	body := set(strings.Repeat(`<url><loc>http://x.org/a?b&amp;c</loc><!-- - -> --><x:link rel="alternate" href="/d"/><lastmod><![CDATA[2024-01-02]]></lastmod></url>`, 1000))
	want, _ := read(t, body, "")
	if len(want) != 1001 {
		t.Fatalf("%d entries", len(want))
	}
	for name, src := range map[string]io.Reader{
		"one byte":        iotest.OneByteReader(strings.NewReader(body)),
		"half":            iotest.HalfReader(strings.NewReader(body)),
		"data with error": iotest.DataErrReader(strings.NewReader(body)),
	} {
		got, report := readInput(Input{Body: src, Speller: newSpeller(t)})
		if diff := cmp.Diff(want, got); diff != "" || report.Broken != "" {
			t.Errorf("%s: report %+v, entries (-want +got)\n%s", name, report, diff)
		}
	}
}

func TestIs(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       bool
	}{
		{"urlset", "<urlset>", true},
		{"index", "<sitemapindex>", true},
		{"prefix", "<a:urlset xmlns:a='b'>", true},
		{"capitals", "<URLSET >", true},
		{"all that may stand before", "\uFEFF \n" + xmlDecl + "<!-- <a> --><!DOCTYPE urlset [<!ENTITY a 'b'>]><?a b?>\n<urlset/>", true},
		{"gzip", zip(set("")), true},
		{"gzip twice", zip(zip(set(""))), true},
		{"gzip cut off", zip(set(""))[:len(zip(set("")))-10], true},
		{"a long file", set(strings.Repeat("<url><loc>/a</loc></url>", 1000)), true},
		{"another name", "<urlsets>", false},
		{"an end tag", "</urlset>", false},
		{"RSS", "<rss><item/></rss>", false},
		{"a list", "http://x.org/a\n", false},
		{"within HTML", "<html><urlset>", false},
		{"behind the doctype of HTML", "<!doctype html><urlset>", false},
		{"in text", "See <urlset>", false},
		{"in a comment", "<!-- <urlset>", false},
		{"in CDATA", "<![CDATA[x]><urlset>]]>", false},
		{"behind a long comment", "<!--" + strings.Repeat("a", sniffLength) + "--><urlset>", false},
		{"a tag without end", "<urlset" + strings.Repeat(" a", sniffLength), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Is([]byte(test.body)); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestIsAllocatesNothing(t *testing.T) {
	body := []byte(set("<url><loc>/a</loc></url>"))
	if n := testing.AllocsPerRun(100, func() { Is(body) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLastMod(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"2024-05-06", "2024-05-06"},
		{"2024-02-29", "2024-02-29"},
		{"2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"},
		{"2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09Z"},
		{"2024-05-06T07:08:09.123456-0530", "2024-05-06T12:38:09Z"},
		{"2024-05-06T07:08+02", "2024-05-06T05:08:00Z"},
		{"2024-05-06T07:08:09", "2024-05-06T07:08:09Z"},
		{"2024-05-06 07:08:09", "2024-05-06T07:08:09Z"},
		{"2024-05-06t07:08:09 utc", "2024-05-06T07:08:09Z"},
		{"2024-12-31T23:59:60Z", "2024-12-31T23:59:59Z"},
		{"2024-12-31T23:00:00-02:00", "2025-01-01T01:00:00Z"},
		{"2024-05-06Z", "2024-05-06"},
		{"2024-05-06+02:00", "2024-05-06"},
		{"2024-5-6", "2024-05-06"},
		{"2024/05/06", "2024-05-06"},
		{"Mon, 06 May 2024 07:08:09 GMT", "2024-05-06T07:08:09Z"},
		{"Mon, 6 May 2024 07:08:09 +0200", "2024-05-06T05:08:09Z"},
		{"6 May 24 07:08 EST", "2024-05-06T12:08:00Z"},
		{"Mon, 06 May 2024 07:08:09", "2024-05-06T07:08:09Z"},
		{"6 May 2024", "2024-05-06"},
		{"", ""},
		{"2024", ""},
		{"2024-05", ""},
		{"today", ""},
		{"0000-00-00", ""},
		{"0000-01-01", ""},
		{"2023-02-29", ""},
		{"2024-13-01", ""},
		{"2024-05-06T25:00:00Z", ""},
		{"2024-05-06T07:08:09+99:00", ""},
		{"2024-05-06T07:08:09 Europe/Berlin", ""},
		{"2024-05-06T07:08:09Z 2024-05-06T07:08:09Z", ""},
		{"0001-01-01T00:00:00+01:00", ""},
		{"9999-12-31T23:59:59-01:00", ""},
		{"2024-05-06 and so on", ""},
		{"06/05/2024", ""},
		{"1714979289", ""},
		{"Mon, 06 May 2024 07:08:09 XYZ", ""},
		{strings.Repeat("2", 100), ""},
	} {
		var d dates
		if got := d.parse([]byte(test.in)); got != test.want {
			t.Errorf("%q is %q, want %q", test.in, got, test.want)
		}
		if got := d.parse([]byte(test.want)); got != test.want {
			t.Errorf("%q is read as %q", test.want, got)
		}
	}
}

func TestKindNames(t *testing.T) {
	names := fmt.Sprint(None, URLSet, Index, Feed, Text)
	if names != "none urlset index feed text" {
		t.Error(names)
	}
}
