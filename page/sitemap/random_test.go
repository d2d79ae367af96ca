package sitemap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pawl/weburl"
)

var (
	seed  = flag.Uint64("sitemap.seed", 0, "seed of the random files (0: another one each time)")
	files = flag.Int("sitemap.files", 1500, "how many random files there are of each sort")
)

func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-sitemap.seed %d", s)
	return rand.New(rand.NewPCG(s, s))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// Whatever tags follow each other, the properties of FuzzParse hold.
func TestRandomTags(t *testing.T) {
	r, sp := newRandom(t), newSpeller(t)
	parts := []string{
		"<urlset>", "</urlset>", "<sitemapindex>", "</sitemapindex>", "<rss>", "<feed xml:base='/b/'>", "</rss>", "<url>", "</url>", "<s:url>", "</s:url>",
		"<sitemap>", "</sitemap>", "<item>", "</item>", "<entry>", "<loc>", "</loc>", "<loc>/a</loc>", "<loc/>", "<image:image>", "</image:image>", "<image:loc>",
		"<lastmod>2024-01-02</lastmod>", "<lastmod>", "</lastmod>", "<updated>2024-01-03</updated>", "<pubDate>Mon, 06 May 2024 07:08:09 GMT</pubDate>",
		"<link rel='alternate' href='/l'/>", "<link href=/m>", "<link>", "</link>", "/n", "<guid>", "</guid>", "http://x.org/g", "<guid isPermaLink=false>",
		"<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE x [", "]>", "&amp;", "&", "&eacute;", "é", "\xff", "\n", " ", "<", ">", "\"", "'", "<html>",
		"<priority>", "</priority>", "<x:y z='", "<x y=\">\">", "</x>", "http://x.org/t\n", "\uFEFF",
	}
	for range *files {
		var body []byte
		if r.IntN(4) > 0 {
			body = append(body, pick(r, "<urlset>", "<sitemapindex>", "<rss>", "http://x.org/\n")...)
		}
		for range r.IntN(40) {
			body = append(body, pick(r, parts...)...)
		}
		checkParse(t, sp, body, "text/xml; charset=windows-1252", r.IntN(len(body)+1))
	}
}

// What is well-formed is read as encoding/xml reads it.
func TestAgainstEncodingXML(t *testing.T) {
	r, sp := newRandom(t), newSpeller(t)
	entries := 0
	for range *files {
		body := wellFormed(r)
		want, err := byEncodingXML(sp, body)
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		var got []string
		report := Parse(Input{URL: "http://x.org/dir/sitemap.xml", Body: strings.NewReader(body), Speller: sp}, func(e Entry) bool {
			if !e.Alternate {
				got = append(got, line(e))
			}
			return true
		})
		if diff := cmp.Diff(want, got); diff != "" || report.Broken != "" {
			t.Fatalf("report %+v, entries (-want +got)\n%s\n%s", report, diff, body)
		}
		if !Is([]byte(body)) {
			t.Fatalf("Is does not take it for a sitemap: %s", body)
		}
		entries += len(got)
	}
	if entries < 2**files {
		t.Errorf("only %d entries", entries)
	}
}

// byEncodingXML reads a well-formed sitemap with namespaces, as a model.
func byEncodingXML(sp *weburl.Speller, body string) (entries []string, err error) {
	const namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
	type item struct {
		Loc     string `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 loc"`
		LastMod string `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 lastmod"`
	}
	base, err := sp.NewBase("http://x.org/dir/sitemap.xml")
	if err != nil {
		return nil, err
	}
	for dec := xml.NewDecoder(strings.NewReader(body)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Space != namespace || start.Name.Local != "url" && start.Name.Local != "sitemap" {
			continue
		}
		var it item
		if err := dec.DecodeElement(&it, &start); err != nil {
			return nil, err
		}
		if addr, err := base.Append(nil, bytes.TrimSpace([]byte(it.Loc))); err == nil && strings.TrimSpace(it.Loc) != "" {
			entries = append(entries, line(Entry{
				URL: weburl.URL(addr), LastMod: parseDate(bytes.TrimSpace([]byte(it.LastMod))), Sitemap: start.Name.Local == "sitemap",
			}))
		}
	}
}

// wellFormed returns a sitemap or an index with all that XML allows, in one of its spellings.
func wellFormed(r *rand.Rand) string {
	root, child := "urlset", "url"
	if r.IntN(4) == 0 {
		root, child = "sitemapindex", "sitemap"
	}
	prefix := pick(r, "", "", "s:", "site-map.1:")
	var b strings.Builder
	b.WriteString(pick(r, "", "\uFEFF", xmlDecl, "<?xml version='1.0'?>", xmlDecl+"<?xml-stylesheet href='a>b'?>\n"))
	b.WriteString(pick(r, "", "<!-- <urlset> -->", "<!DOCTYPE x [<!ENTITY e 'f'><!ELEMENT g (#PCDATA)>]>\n", "<!DOCTYPE x SYSTEM \"y\">"))
	fmt.Fprintf(&b, "<%s%s xmlns%s='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:image=\"i\" xmlns:xhtml='x' a='>'>", prefix, root, strings.TrimSuffix(":"+prefix, ":"))
	for range r.IntN(8) {
		space(r, &b)
		fmt.Fprintf(&b, "<%s%s%s>", prefix, child, pick(r, "", " ", "\n", " id='a>b'"))
		children := []func(){
			func() { b.WriteString(textElement(r, prefix+"loc", address(r))) },
			func() {
				if r.IntN(2) > 0 {
					b.WriteString(textElement(r, prefix+"lastmod", pick(r, "2024-05-06", "2024-05-06T07:08:09+02:00", "", "never", " 2024-02-29 ")))
				}
			},
			func() {
				b.WriteString(pick(r, "", textElement(r, prefix+"priority", "0.5"), "<"+prefix+"changefreq/>"))
			},
			func() {
				b.WriteString(pick(r, "", "", "<image:image><image:loc>/no</image:loc><image:title>&lt;"+"</image:title></image:image>", "<image:loc>/no</image:loc>", "<image:loc/>",
					"<image:a><image:a/><image:b>c</image:b></image:a>"))
			},
			func() {
				b.WriteString(pick(r, "", "<xhtml:link rel='alternate' href='/l?a>b'/>", "<xhtml:link></xhtml:link>"))
			},
			func() { space(r, &b) },
		}
		r.Shuffle(len(children), func(i, j int) { children[i], children[j] = children[j], children[i] })
		for _, write := range children {
			write()
		}
		fmt.Fprintf(&b, "</%s%s%s>", prefix, child, pick(r, "", " "))
	}
	space(r, &b)
	fmt.Fprintf(&b, "</%s%s>%s", prefix, root, pick(r, "", "\n", "<!-- x -->"))
	return b.String()
}

func space(r *rand.Rand, b *strings.Builder) {
	b.WriteString(pick(r, "", "", "\n\t", "<!-- a > b & <loc>/no</loc> -->", "<?p a>b ?>", "text &amp; ", "<![CDATA[<url><loc>/no</loc></url>]]>"))
}

// textElement returns an element with text, which may stand in CDATA, in part or as a whole.
func textElement(r *rand.Rand, name, text string) string {
	var b strings.Builder
	for _, part := range cut(r, text) {
		switch r.IntN(4) {
		case 0:
			if !strings.Contains(part, "<") {
				b.WriteString("<![CDATA[" + part + "]]>")
				continue
			}
			fallthrough
		case 1:
			for _, c := range part {
				fmt.Fprintf(&b, pick(r, "&#%d;", "&#x%x;", "&#x%X;", "&#00%d;"), c)
			}
		default:
			b.WriteString(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", pick(r, ">", "&gt;"), "'", pick(r, "'", "&apos;"), `"`, "&quot;").Replace(part))
		}
		b.WriteString(pick(r, "", "", "", "<!-- a > b -->"))
	}
	pad := pick(r, "", "", " ", "\n  ", "\t")
	return "<" + name + ">" + pad + b.String() + pad + "</" + name + pick(r, "", "\n") + ">"
}

// cut returns text in up to three parts.
func cut(r *rand.Rand, text string) []string {
	runes := []rune(text)
	at := []int{0, r.IntN(len(runes) + 1), r.IntN(len(runes) + 1), len(runes)}
	if r.IntN(2) > 0 {
		return []string{text}
	}
	slices.Sort(at)
	var parts []string
	for i := range at[:3] {
		parts = append(parts, string(runes[at[i]:at[i+1]]))
	}
	return parts
}

func address(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(pick(r, "http://x.org/", "https://y.example/", "/", "", "//z.org", "?", "mailto:", "../"))
	for range r.IntN(6) {
		b.WriteString(pick(r, "a", "b/", "?", "&", "=", "&amp", ";", "%20", "é", "日本", "'", `"`, "<", ">", " c", "#f", "1", "-"))
	}
	return b.String()
}
