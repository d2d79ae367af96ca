package sitemap

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pawl/weburl"
)

// FuzzParse sees that entries are canonical, that the limits hold, that the beginning of a file has the first of its
// entries, and that neither pieces nor gzip change what is read.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		set("<url><loc>http://x.org/a?b&amp;c&d</loc><lastmod>2024-05-06T07:08:09+02:00</lastmod></url><url><loc><![CDATA[/b]]></loc></url>"),
		set(`<url><x:link rel="alternate" href='/c'/><loc> /a` + "\n" + `</loc><image:image><image:loc>/i</image:loc></image:image><x:link rel=alternate href=/d></url>`),
		"\uFEFF<!DOCTYPE x [<!ENTITY a 'b'>]><s:sitemapindex><!-- - --><s:sitemap><s:loc>/&a;&eacute;&#65;</s:loc></s:sitemap></s:sitemapindex>x",
		"<rss><channel><item><guid isPermaLink='true'>http://x.org/g</guid><pubDate>Mon, 06 May 2024 07:08:09 EST</pubDate></item><item><link>/b</link></item>",
		"<feed xml:base='/z/'><entry><link href='a' rel='alternate'/><updated>2024-01-01</updated></entry><entry><link href=b></entry></feed>",
		"http://x.org/a\r\nhttps://\xff/b\tc\nno\n",
		"<?xml encoding='windows-1251'?><urlset><url><loc>/\xff</loc></url><url><loc>/\xd1\x8f</loc></url></urlset>",
		"\xff\xfe<\x00u\x00r\x00l\x00s\x00e\x00t\x00>\x00<\x00l\x00o\x00c\x00>\x00/\x00",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x00\x01\x00\xfe\xff<",
		"<p>x</p><urlset><loc>/a<loc>/b</url></loc><url a='><sitemap><loc>/c</sitemap></urlset><rss><urlset><loc>/d</loc>",
	} {
		f.Add([]byte(body), "text/xml; charset=koi8-r", 60)
		f.Add([]byte(body), "", len(body)-2)
	}
	sp := newSpeller(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType string, length int) {
		checkParse(t, sp, body, contentType, length)
	})
}

// checkParse holds a file, and its first length bytes, to what FuzzParse says.
func checkParse(t *testing.T, sp *weburl.Speller, body []byte, contentType string, length int) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%q", body)
		}
	}()
	parse := func(body []byte, truncated bool) (entries []Entry, report Report) {
		report = Parse(Input{
			URL: "http://x.org/dir/sitemap.xml", ContentType: contentType, Body: bytes.NewReader(body), Truncated: truncated, Speller: sp,
		}, func(e Entry) bool {
			entries = append(entries, e)
			return true
		})
		return entries, report
	}
	before := bytes.Clone(body)
	entries, report := parse(body, false)
	if !bytes.Equal(body, before) {
		t.Fatal("the body was changed")
	}
	pages, alternates := 0, 0
	for _, e := range entries {
		if again, err := sp.Parse(e.URL.String()); err != nil || again != e.URL || len(e.URL) > weburl.MaxLength {
			t.Fatalf("%q is spelt %q, %v", e.URL, again, err)
		}
		if e.Alternate {
			alternates++
		} else {
			pages++
		}
		if e.LastMod != "" && !isDate(e.LastMod) {
			t.Fatalf("date %q", e.LastMod)
		}
		if e.Alternate && (e.LastMod != "" || e.Sitemap) {
			t.Fatalf("%+v", e)
		}
	}
	if pages > MaxEntries || alternates > MaxAlternates || report.Entries != len(entries) || report.Kind == None && len(entries) > 0 || report.Kind > Text {
		t.Fatalf("%d pages and %d alternates, report %+v", pages, alternates, report)
	}
	if slow, _ := readInput(Input{ContentType: contentType, Body: &pieces{rest: body}, Speller: sp}); !slices.Equal(slow, lines(entries)) {
		t.Fatalf("in pieces %q, want %q", slow, lines(entries))
	}
	if Is(body) && report.Kind != URLSet && report.Kind != Index {
		t.Fatalf("Is takes it for a sitemap, report %+v", report)
	}
	if bytes.HasPrefix(body, []byte(gzipMagic)) {
		return // of which the beginning is something else
	}
	if len(body)%4 == 0 { // a gzip.Writer takes longer than all the rest
		if zipped, _ := parse([]byte(zip(string(body))), false); !slices.Equal(zipped, entries) {
			t.Fatalf("in gzip %q, want %q", lines(zipped), lines(entries))
		}
	}
	head, _ := parse(body[:min(max(length, 0), len(body))], true)
	if !startsWith(entries, head) {
		t.Fatalf("the first %d bytes have %q, all have %q", length, lines(head), lines(entries))
	}
}

// pieces is a body that comes a few bytes at a time.
type pieces struct {
	rest []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	p.n = p.n%7 + 1
	n := min(p.n, len(b), len(p.rest))
	copy(b, p.rest[:n])
	p.rest = p.rest[n:]
	if len(p.rest) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func isDate(s string) bool {
	_, date := time.Parse(time.DateOnly, s)
	t, full := time.Parse(time.RFC3339, s)
	return date == nil || full == nil && t.Location() == time.UTC && strings.HasSuffix(s, "Z")
}

func lines(entries []Entry) (lines []string) {
	for _, e := range entries {
		lines = append(lines, line(e))
	}
	return lines
}

// startsWith reports whether all starts with head. What is said about the last page of head may follow later.
func startsWith(all, head []Entry) bool {
	if len(head) > len(all) {
		return false
	}
	last := len(head) - 1
	for last >= 0 && head[last].Alternate {
		last--
	}
	for i, e := range head {
		want := all[i]
		if i == last {
			e.LastMod, want.LastMod = "", ""
		}
		if e != want {
			return false
		}
	}
	return true
}

// FuzzDate sees that dates are dates, and are read as what they are.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2024-05-06", "2024-05-06T07:08:09.1+02:00", "Mon, 06 May 2024 07:08 EST", "2024/5/6", "6 May 24 07:08:09 -0200", "0001-01-01T00:00+01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := parseDate(raw)
		if got != "" && (!isDate(got) || parseDate([]byte(got)) != got) {
			t.Fatalf("%q is %q", raw, got)
		}
	})
}
