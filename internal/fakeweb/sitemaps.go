package fakeweb

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SitemapsOptions says what a [Sitemaps] site is like. Start from
// [DefaultSitemaps].
type SitemapsOptions struct {
	Seed  uint64
	Pages int  // pages that each sitemap file names, 2 to 50,000
	Tally bool // counts requests, see [Tally]
}

// DefaultSitemaps returns a site whose sitemap files name 20 pages each.
func DefaultSitemaps() SitemapsOptions {
	return SitemapsOptions{Seed: 1, Pages: 20, Tally: true}
}

// Sitemaps is a site whose pages are found by sitemaps; a few are also linked.
// robots.txt names an index, compressed, and a text file, and others that are
// not there or not on the host. The index names all other files, itself, and an
// index that names it in turn. Among the files are one for each format that
// crawlers read, one that breaks off, one that lists another host's addresses,
// and one that is an HTML page. It is safe for concurrent use.
//
// In memory it is sitemaps.test; on a socket it answers under any name, which
// the addresses in its files then carry.
type Sitemaps struct {
	o     SitemapsOptions
	lex   *lexicon
	stage *stage
	files []sitemapFile
}

// SitemapsHost is the name of a [Sitemaps] site in memory.
const SitemapsHost = "sitemaps.test"

// ElsewhereHost is the host whose addresses a file of a [Sitemaps] site lists
// without being asked. There is no such host.
const ElsewhereHost = "elsewhere.test"

// sitemapFile is a file that names pages, or others of its kind.
type sitemapFile struct {
	path   string
	folder string // of its pages, as "/nested/", "" for an index
	format sitemapFormat
	gzip   bool     // the file itself is compressed, not its transfer
	names  []string // for an index: paths of files
	named  bool     // by robots.txt
}

type sitemapFormat uint8

const (
	formatURLSet sitemapFormat = iota
	formatIndex
	formatText
	formatRSS
	formatAtom
	formatBroken    // a URL set that ends in the middle of an entry
	formatElsewhere // a URL set of which every second entry is of another host
	formatPrivate   // a URL set of pages that robots.txt forbids
	formatHTML      // no sitemap at all, but status 200
	formatMissing   // 404
)

// sitemapFiles are all files of a site, in the order in which a breadth-first
// crawl comes to them.
func sitemapFiles() []sitemapFile {
	const index, nested = "/sitemap_index.xml.gz", "/sitemaps/nested.xml"
	files := []sitemapFile{
		{path: index, format: formatIndex, gzip: true, named: true},
		{path: "/sitemaps/list.txt", folder: "/text/", format: formatText, named: true},
		{path: "/sitemaps/gone.xml", format: formatMissing, named: true},
		{path: nested, format: formatIndex, names: []string{"/sitemaps/deep.xml.gz", index, nested}},
		{path: "/sitemaps/pages.xml", folder: "/plain/"},
		{path: "/sitemaps/packed.xml.gz", folder: "/packed/", gzip: true},
		{path: "/sitemaps/news.rss", folder: "/news/", format: formatRSS},
		{path: "/sitemaps/blog.atom", folder: "/blog/", format: formatAtom},
		{path: "/sitemaps/broken.xml", folder: "/broken/", format: formatBroken},
		{path: "/sitemaps/elsewhere.xml", folder: "/mixed/", format: formatElsewhere},
		{path: "/sitemaps/private.xml", folder: "/private/", format: formatPrivate},
		{path: "/sitemaps/soft.xml", format: formatHTML},
		{path: "/sitemaps/deep.xml.gz", folder: "/deep/", gzip: true},
	}
	for _, f := range files[3 : len(files)-1] {
		files[0].names = append(files[0].names, f.path)
	}
	files[0].names = append(files[0].names, index, "/sitemaps/list.txt")
	return files
}

// NewSitemaps returns the site that o describes, or an error that names what is
// wrong with o.
func NewSitemaps(o SitemapsOptions) (*Sitemaps, error) {
	if o.Pages < 2 || o.Pages > 50_000 {
		return nil, fmt.Errorf("fakeweb: %d pages in a sitemap, want 2 to 50000", o.Pages)
	}
	return &Sitemaps{o: o, lex: makeLexicon(o.Seed), stage: newStage(o.Tally), files: sitemapFiles()}, nil
}

// Seed returns the address to start at in memory.
func (m *Sitemaps) Seed() string { return "http://" + SitemapsHost + "/" }

// Tally returns what the site has counted so far. It is always the same one.
func (m *Sitemaps) Tally() *Tally { return &m.stage.tally }

// ServeHTTP answers under whatever name it is asked.
func (m *Sitemaps) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	m.stage.serve(rw, r, m.answer)
}

// RoundTrip answers in memory for [SitemapsHost] on any port. Any other name is
// a [*net.DNSError].
func (m *Sitemaps) RoundTrip(r *http.Request) (*http.Response, error) {
	return m.stage.roundTrip(r, func(name string) answerer {
		if name == SitemapsHost {
			return m.answer
		}
		return nil
	})
}

var (
	_ http.Handler      = (*Sitemaps)(nil)
	_ http.RoundTripper = (*Sitemaps)(nil)
)

// SitemapRow is the truth about one address of a [Sitemaps] site.
type SitemapRow struct {
	URL     string
	Sitemap bool    // a file that sitemaps or robots.txt name as a sitemap
	Outcome Outcome // Fetched, Failed, Blocked or Skipped
	Reason  string  // why it is skipped: "scope"
	Status  int     // 0 when it is not asked for
	Entries int     // of a sitemap: addresses in it, each counted once
	Linked  bool    // a page links it too
	// From is the path of the first sitemap file that names it, or robots.txt;
	// "" for the root, which nothing needs to name.
	From string
	// LastMod is the date of its entry as it is written there, "" for none.
	LastMod string
}

// Expected enumerates every address that a crawl finds which starts at the root
// and reads all sitemaps that robots.txt names, each once: the root, the sitemap
// files, then the pages. root is the address of the site without its last
// slash, as "http://127.0.0.1:4711"; "" means that in memory.
func (m *Sitemaps) Expected(root string) iter.Seq[SitemapRow] {
	if root == "" {
		root = "http://" + SitemapsHost
	}
	return func(yield func(SitemapRow) bool) {
		if !yield(SitemapRow{URL: root + "/", Outcome: Fetched, Status: http.StatusOK}) {
			return
		}
		from := map[string]string{}
		for _, f := range m.files {
			if f.named {
				from[f.path] = "/robots.txt"
			}
			for _, name := range f.names {
				if from[name] == "" {
					from[name] = f.path
				}
			}
		}
		off := SitemapRow{URL: "http://" + ElsewhereHost + "/sitemap.xml", Sitemap: true, Outcome: Skipped, Reason: "scope", From: "/robots.txt"}
		if !yield(off) {
			return
		}
		for _, f := range m.files {
			row := SitemapRow{
				URL: root + f.path, Sitemap: true, Outcome: Fetched, Status: http.StatusOK,
				Entries: len(f.names), From: from[f.path],
			}
			if f.folder != "" {
				row.Entries = m.o.Pages
			}
			if f.format == formatMissing {
				row.Outcome, row.Status = Failed, http.StatusNotFound
			}
			if row.From != "/robots.txt" {
				row.LastMod = m.fileDate(f.path)
			}
			if !yield(row) {
				return
			}
		}
		for _, f := range m.files {
			if f.folder == "" {
				continue
			}
			for n := range m.o.Pages {
				row := SitemapRow{URL: root + m.pagePath(f, n), Outcome: Fetched, Status: http.StatusOK, From: f.path, LastMod: m.pageDate(f, n)}
				row.Linked = m.linked(f, n)
				switch {
				case f.format == formatPrivate:
					row.Outcome, row.Status = Blocked, 0
				case f.format == formatElsewhere && n%2 == 1:
					row.URL = "http://" + ElsewhereHost + m.pagePath(f, n)
					row.Outcome, row.Reason, row.Status = Skipped, "scope", 0
				}
				if !yield(row) {
					return
				}
			}
		}
	}
}

// linked says whether the root links page n of f: that is every fifth of one
// folder.
func (m *Sitemaps) linked(f sitemapFile, n int) bool { return f.folder == "/plain/" && n%5 == 0 }

func (m *Sitemaps) subject(f sitemapFile, n int) uint64 {
	x := m.o.Seed
	for i := range len(f.folder) {
		x = mix(x + uint64(f.folder[i])*golden)
	}
	return mix(x + uint64(n)*golden)
}

func (m *Sitemaps) pagePath(f sitemapFile, n int) string {
	return string(m.lex.appendSlug([]byte(f.folder), uint64(n)))
}

// pageDate is the date of an entry as its file has it. Entries of one file have
// dates of several forms; every fourth has none.
func (m *Sitemaps) pageDate(f sitemapFile, n int) string {
	x := m.subject(f, n)
	date := time.Date(2020+int(x%6), time.Month(1+x>>8%12), 1+int(x>>16%28), int(x>>24%24), int(x>>32%60), 0, 0, time.UTC)
	switch {
	case f.format == formatText || n%4 == 3:
		return ""
	case f.format == formatRSS:
		return date.Format(time.RFC1123Z)
	case f.format == formatAtom || n%4 == 1:
		return date.Format(time.RFC3339)
	case n%4 == 2:
		return date.In(time.FixedZone("", 2*60*60)).Format("2006-01-02T15:04-07:00")
	}
	return date.Format(time.DateOnly)
}

// fileDate is the date of a file as the index has it.
func (m *Sitemaps) fileDate(path string) string {
	return time.Date(2026, time.March, 1+len(path)%28, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

func (m *Sitemaps) answer(dst []byte, q ask) ([]byte, reply) {
	a := reply{status: http.StatusOK, contentType: typeHTML}
	switch q.target {
	case "/robots.txt":
		a.contentType = typeText
		dst = append(dst, "User-agent: *\nDisallow: /private/\n\n"...)
		for _, f := range m.files {
			if f.named {
				dst = append(dst, "Sitemap: "+q.root()+f.path+"\n"...)
			}
		}
		return append(dst, "sitemap:http://"+ElsewhereHost+"/sitemap.xml\n"...), a
	case "/":
		dst = append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Home</title>\n<h1>Home</h1>\n<ul>\n"...)
		for _, f := range m.files {
			for n := range m.o.Pages {
				if m.linked(f, n) {
					dst = append(dst, "<li><a href=\""+m.pagePath(f, n)+"\">"+m.lex.name(m.subject(f, n), 3)+"</a></li>\n"...)
				}
			}
		}
		return append(dst, "</ul>\n</html>\n"...), a
	}
	for _, f := range m.files {
		if f.path == q.target && f.format != formatMissing {
			return m.appendFile(dst, &a, f, q.root()), a
		}
		slug, ok := strings.CutPrefix(q.target, f.folder)
		if f.folder == "" || !ok {
			continue
		}
		n, ok := m.lex.slug(slug)
		if !ok || n >= uint64(m.o.Pages) || f.format == formatElsewhere && n%2 == 1 {
			break
		}
		title := m.lex.name(m.subject(f, int(n)), 3)
		dst = append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>"+title+"</title>\n<h1>"+title+"</h1>\n"...)
		dst = m.lex.appendParagraphs(dst, m.subject(f, int(n)), 1500)
		return append(dst, "<p><a href=\"/\">Home</a></p>\n</html>\n"...), a
	}
	a.status = http.StatusNotFound
	return append(dst, "<!DOCTYPE html>\n<title>Not found</title>\n<p>There is no such page.</p>\n"...), a
}

// appendFile appends a sitemap file, compressed if it is.
func (m *Sitemaps) appendFile(dst []byte, a *reply, f sitemapFile, root string) []byte {
	a.contentType = "application/xml"
	switch f.format {
	case formatText:
		a.contentType = typeText
	case formatRSS:
		a.contentType = "application/rss+xml; charset=utf-8"
	case formatAtom:
		a.contentType = "application/atom+xml"
	case formatHTML:
		a.contentType = typeHTML
	}
	if !f.gzip {
		return m.appendPlain(dst, f, root)
	}
	a.contentType = "application/x-gzip"
	out := bytes.NewBuffer(dst)
	zip := gzip.NewWriter(out)
	// A buffer takes everything.
	_, _ = zip.Write(m.appendPlain(nil, f, root))
	_ = zip.Close()
	return out.Bytes()
}

// appendPlain appends what a sitemap file says. Addresses of pages hold letters,
// hyphens and slashes, so nothing needs an escape.
func (m *Sitemaps) appendPlain(dst []byte, f sitemapFile, root string) []byte {
	const (
		xml       = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		namespace = " xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\""
	)
	switch f.format {
	case formatHTML:
		return append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<title>Sitemap</title>\n<p>There is <a href=\"/lost/1\">nothing</a> here.</p>\n</html>\n"...)
	case formatIndex:
		dst = append(dst, xml+"<sitemapindex"+namespace+">\n"...)
		for _, name := range f.names {
			dst = append(dst, "<sitemap><loc>"+root+name+"</loc><lastmod>"+m.fileDate(name)+"</lastmod></sitemap>\n"...)
		}
		return append(dst, "</sitemapindex>\n"...)
	case formatRSS:
		dst = append(dst, xml+"<rss version=\"2.0\">\n<channel>\n<title>News</title>\n<link>"+root+"/</link>\n<description>What is new</description>\n"...)
	case formatAtom:
		dst = append(dst, xml+"<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<title>Blog</title>\n<link href=\""+root+"/\"/>\n<id>urn:blog</id>\n"...)
	case formatText:
	default:
		dst = append(dst, xml+"<urlset"+namespace+">\n"...)
	}
	for n := range m.o.Pages {
		loc, date := root+m.pagePath(f, n), m.pageDate(f, n)
		element := func(name string) {
			if date != "" {
				dst = append(dst, "<"+name+">"+date+"</"+name+">"...)
			}
		}
		switch f.format {
		case formatText:
			dst = append(dst, loc+"\n"...)
		case formatRSS:
			dst = append(dst, "<item><title>"+m.lex.name(m.subject(f, n), 3)+"</title><link>"+loc+"</link><guid isPermaLink=\"false\">"+strconv.Itoa(n)+"</guid>"...)
			element("pubDate")
			dst = append(dst, "</item>\n"...)
		case formatAtom:
			dst = append(dst, "<entry><title>"+m.lex.name(m.subject(f, n), 3)+"</title><link rel=\"alternate\" href=\""+loc+"\"/><id>urn:blog:"+strconv.Itoa(n)+"</id>"...)
			element("updated")
			dst = append(dst, "</entry>\n"...)
		default:
			if f.format == formatElsewhere && n%2 == 1 {
				loc = "http://" + ElsewhereHost + m.pagePath(f, n)
			}
			dst = append(dst, "<url><loc>"+loc+"</loc>"...)
			element("lastmod")
			dst = append(dst, "</url>\n"...)
		}
	}
	switch f.format {
	case formatRSS:
		return append(dst, "</channel>\n</rss>\n"...)
	case formatAtom:
		return append(dst, "</feed>\n"...)
	case formatText:
		return dst
	case formatBroken:
		return append(dst, "<url>\n  <lo"...)
	}
	return append(dst, "</urlset>\n"...)
}
