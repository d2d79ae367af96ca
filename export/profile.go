package export

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// Profile is a way to write the table of pages that users of another program
// know.
type Profile uint8

const (
	// ScreamingFrog is the export "Internal: All" of Screaming Frog's SEO Spider.
	ScreamingFrog Profile = 1 + iota
	// Advertools is what the crawl of the Python package advertools writes.
	Advertools
)

// String is the name of the profile as ParseProfile reads it.
func (p Profile) String() string {
	switch p {
	case ScreamingFrog:
		return "screaming-frog"
	case Advertools:
		return "advertools"
	}
	return fmt.Sprintf("profile(%d)", uint8(p))
}

// ParseProfile is the inverse of [Profile.String]; its error lists the profiles.
func ParseProfile(name string) (Profile, error) {
	for _, p := range []Profile{ScreamingFrog, Advertools} {
		if p.String() == name {
			return p, nil
		}
	}
	return 0, fmt.Errorf("unknown profile %q; there are %v, %v", name, ScreamingFrog, Advertools)
}

// Format is what the other program writes.
func (p Profile) Format() Format {
	if p == Advertools {
		return JSONL
	}
	return CSV
}

func (p Profile) table(fields []Field) (*table[pageRow], error) {
	var columns []column[pageRow]
	switch p {
	case ScreamingFrog:
		columns = frogColumns()
	case Advertools:
		columns = advertoolsColumns()
	default:
		return nil, fmt.Errorf("unknown %v", p)
	}
	columns = append(columns, fieldColumns(fields, func(r *pageRow) *storage.Record { return &r.Record })...)
	return &table[pageRow]{
		name: "pages", columns: columns, defaults: len(columns), filtered: withoutContent(pageTable(fields).columns), refused: noContent,
	}, nil
}

// ProfileColumns gives the names of the columns of a profile in their order.
func ProfileColumns(p Profile) []string {
	t, err := p.table(nil)
	if err != nil {
		return nil
	}
	return t.names()
}

// CheckProfile tells whether [ProfilePages] would accept the profile and the
// options.
func CheckProfile(p Profile, o Options) error {
	t, err := p.table(o.Fields)
	if err != nil {
		return err
	}
	return t.accepts(o)
}

// ProfilePages writes the rows of [Pages] under the names, in the order and in
// the words of another program. [Options].Columns are names of its columns,
// [Options].Where goes by those of [Pages]. [Options].Fields stand behind them.
// What is not measured is empty; so are the counts of links when the crawl did
// not keep its links.
//
// It reads the log twice, and what was kept of the links twice, and remembers 24
// bytes for each page, and with [Advertools] up to 65 bytes for each redirect.
func ProfilePages(w io.Writer, f *storage.File, p Profile, o Options) (rows int, err error) {
	t, err := p.table(o.Fields)
	if err != nil {
		return 0, err
	}
	out, err := t.rows(w, o)
	if err != nil {
		return 0, err
	}
	last, err := end(f)
	if err != nil {
		return 0, err
	}
	all, err := besideOf(f, last, t, o)
	if err != nil {
		return 0, err
	}
	all.kept = &keptReader{file: f, what: storage.KeepLinks}
	var hasLinks bool
	err = f.View(func(r *storage.Reader) error {
		hasLinks = r.Has(storage.KeepLinks)
		return nil
	})
	if err != nil {
		return 0, err
	}
	switch {
	case p == ScreamingFrog && hasLinks && (t.needs(o, "Inlinks") || t.needs(o, "Unique Inlinks") || t.needs(o, "% of Total")):
		if all.inlinks == nil {
			all.inlinks, err = countInlinks(f, last, o.pacing())
		}
		if err == nil {
			all.pages, err = countPages(f, last, o.pacing())
		}
	case p == Advertools && (t.needs(o, "redirect_urls") || t.needs(o, "redirect_reasons")):
		all.places, err = placesOf(f, last, o.pacing())
	}
	if err != nil {
		return 0, err
	}
	return writeVisits(out, f, last, o.pacing(), &pageReader{row: pageRow{beside: all}}, 0, nil)
}

// countPages counts the pages of HTML that were fetched.
func countPages(f *storage.File, last uint64, pace pacing) (n int64, err error) {
	row := pageRow{}
	var decoder storage.PageDecoder
	err = eachVisit(f, last, pace, func(_ uint32, _ uint64, event []byte) (err error) {
		if row.Visit, err = decoder.Decode(event); err == nil && row.Outcome == storage.Fetched && row.parsed() {
			n++
		}
		return err
	})
	return n, err
}

func textColumn(name string, text func(*pageRow) string) column[pageRow] {
	return column[pageRow]{name: name, text: text}
}

func intColumn(name string, integer func(*pageRow) (int64, bool)) column[pageRow] {
	return column[pageRow]{name: name, integer: integer}
}

// lengthColumn counts the characters of a text of a page.
func lengthColumn(name string, text func(*pageRow) string) column[pageRow] {
	return intColumn(name, func(r *pageRow) (int64, bool) {
		return int64(utf8.RuneCountInString(text(r))), r.parsed()
	})
}

// frogColumns are those of "Internal: All".
func frogColumns() []column[pageRow] {
	var columns []column[pageRow]
	add := func(c column[pageRow]) { columns = append(columns, c) }
	// What is not measured.
	blank := func(names ...string) {
		for _, name := range names {
			add(textColumn(name, func(*pageRow) string { return "" }))
		}
	}
	first := func(kind page.Kind) func(*pageRow) string {
		return func(r *pageRow) string {
			for _, l := range r.kept.pageLinks(r) {
				if page.Kind(l.Kind) == kind {
					return l.URL
				}
			}
			return ""
		}
	}
	links := func(name string, n func(*linkCounts) int64) {
		add(intColumn(name, func(r *pageRow) (int64, bool) {
			c, known := r.linkCounts()
			return n(&c), known
		}))
	}
	title := func(r *pageRow) string { return r.Record.Title }
	description := func(r *pageRow) string { return r.Record.MetaDescription }
	h1 := func(r *pageRow) string { return r.Record.H1 }

	add(textColumn("Address", func(r *pageRow) string { return r.URL }))
	add(textColumn("Content Type", func(r *pageRow) string { return r.Record.ContentType }))
	add(intColumn("Status Code", func(r *pageRow) (int64, bool) { return int64(r.Status), true }))
	add(textColumn("Status", frogStatus))
	add(textColumn("Indexability", func(r *pageRow) string {
		if r.indexable() {
			return "Indexable"
		}
		return "Non-Indexable"
	}))
	add(textColumn("Indexability Status", frogIndexability))
	add(textColumn("Title 1", title))
	add(lengthColumn("Title 1 Length", title))
	blank("Title 1 Pixel Width")
	add(textColumn("Meta Description 1", description))
	add(lengthColumn("Meta Description 1 Length", description))
	blank("Meta Description 1 Pixel Width", "Meta Keywords 1", "Meta Keywords 1 Length")
	add(textColumn("H1-1", h1))
	add(lengthColumn("H1-1 Length", h1))
	blank("H2-1", "H2-1 Length", "H2-2", "H2-2 Length")
	add(textColumn("Meta Robots 1", func(r *pageRow) string { return r.Record.MetaRobots }))
	add(textColumn("X-Robots-Tag 1", func(r *pageRow) string { return r.Record.XRobotsTag }))
	blank("Meta Refresh 1")
	add(textColumn("Canonical Link Element 1", func(r *pageRow) string { return r.Canonical }))
	add(textColumn(`rel="next" 1`, first(page.KindNext)))
	add(textColumn(`rel="prev" 1`, first(page.KindPrev)))
	blank(`HTTP rel="next" 1`, `HTTP rel="prev" 1`)
	add(textColumn("amphtml Link Element", first(page.KindAMP)))
	add(intColumn("Size (bytes)", func(r *pageRow) (int64, bool) { return count(r.Record.Size, r.answered()) }))
	add(intColumn("Transferred (bytes)", func(r *pageRow) (int64, bool) { return count(r.Transferred, r.answered()) }))
	blank("Total Transferred (bytes)", "CO2 (mg)", "Carbon Rating")
	add(intColumn("Word Count", func(r *pageRow) (int64, bool) { return count(int64(r.Record.WordCount), r.parsed()) }))
	blank("Sentence Count", "Average Words Per Sentence", "Flesch Reading Ease Score", "Readability", "Text Ratio")
	add(intColumn("Crawl Depth", func(r *pageRow) (int64, bool) { return int64(r.Depth), true }))
	add(intColumn("Folder Depth", func(r *pageRow) (int64, bool) { return int64(strings.Count(weburl.URL(r.URL).Path(), "/") - 1), true }))
	blank("Link Score")
	add(intColumn("Inlinks", func(r *pageRow) (int64, bool) { return r.inlinks.of(r.number) }))
	add(intColumn("Unique Inlinks", func(r *pageRow) (int64, bool) { return r.inlinks.uniqueOf(r.number) }))
	blank("Unique JS Inlinks")
	add(column[pageRow]{name: "% of Total", float: func(r *pageRow) (float64, bool) {
		n, known := r.inlinks.uniqueOf(r.number)
		if !known || r.pages == 0 {
			return 0, false
		}
		return math.Round(float64(n)*100_000/float64(r.pages)) / 1000, true
	}})
	links("Outlinks", func(c *linkCounts) int64 { return c.inner })
	links("Unique Outlinks", func(c *linkCounts) int64 { return c.innerUnique })
	blank("Unique JS Outlinks")
	links("External Outlinks", func(c *linkCounts) int64 { return c.outer })
	links("Unique External Outlinks", func(c *linkCounts) int64 { return c.outerUnique })
	blank(
		"Unique External JS Outlinks", "Closest Near Duplicate Match", "No. Near Duplicates", "Spelling Errors", "Grammar Errors",
		"Hash", // an MD5 there: another hash would look like one
	)
	add(column[pageRow]{name: "Response Time", float: func(r *pageRow) (float64, bool) { return float64(r.Took) / 1000, r.Asked }})
	add(textColumn("Last Modified", func(r *pageRow) string { return r.Record.LastModified }))
	add(textColumn("Redirect URL", func(r *pageRow) string { return r.Redirect }))
	add(textColumn("Redirect Type", func(r *pageRow) string {
		if r.Outcome == storage.Redirected {
			return "HTTP Redirect"
		}
		return ""
	}))
	blank("Cookies")
	add(textColumn("Language", func(r *pageRow) string { return r.Record.Language }))
	add(textColumn("HTTP Version", func(r *pageRow) string { return strings.TrimPrefix(r.Record.HTTPVersion, "HTTP/") }))
	blank(
		"Mobile Alternate Link", "Closest Semantically Similar Address", "Semantic Similarity Score", "No. Semantically Similar",
		"Semantic Relevance Score",
	)
	add(textColumn("URL Encoded Address", func(r *pageRow) string { return r.URL }))
	add(column[pageRow]{name: "Crawl Timestamp", plain: appendTimestamp})
	return columns
}

func appendTimestamp(b []byte, r *pageRow) []byte {
	if r.Time == 0 {
		return b
	}
	return time.UnixMilli(r.Time).UTC().AppendFormat(b, time.DateTime)
}

// frogStatus is the text of a status, or why there is none.
func frogStatus(r *pageRow) string {
	switch {
	case r.Status != 0:
		return http.StatusText(int(r.Status))
	case r.Outcome == storage.Blocked:
		return "Blocked by Robots.txt"
	}
	switch r.Class {
	case storage.DNS:
		return "DNS Lookup Failed"
	case storage.Connect:
		return "Connection Error"
	case storage.Timeout:
		return "Connection Timeout"
	case storage.Reset:
		return "Connection Reset"
	}
	return "No Response"
}

// frogIndexability is why an address is not indexable.
func frogIndexability(r *pageRow) string {
	switch {
	case r.indexable():
		return ""
	case r.Outcome == storage.Blocked:
		return "Blocked by robots.txt"
	case r.Outcome == storage.Redirected:
		return "Redirected"
	case r.Status >= 500:
		return "Server Error"
	case r.Status >= 400:
		return "Client Error"
	case r.Outcome != storage.Fetched:
		return "No Response"
	case r.Record.NoIndex:
		return "noindex"
	}
	return "Canonicalised"
}

// linkCounts are the links of a page that a reader can take, to its own host
// and to others.
type linkCounts struct{ inner, innerUnique, outer, outerUnique int64 }

// linkCounts is known when links were kept of the row.
func (r *pageRow) linkCounts() (c linkCounts, known bool) {
	if r.kept == nil || r.kept.at.value == nil {
		return c, false
	}
	if r.kept.counted {
		return r.kept.counts, true
	}
	host := weburl.URL(r.URL).Host()
	before := ""
	for i := range r.kept.pageLinks(r) {
		l := &r.kept.links[i]
		if !isHyperlink(page.Kind(l.Kind)) {
			continue
		}
		n, unique := int64(l.Count), int64(1)
		if l.URL == before { // as another kind
			unique = 0
		}
		if weburl.URL(l.URL).Host() == host {
			c.inner, c.innerUnique = c.inner+n, c.innerUnique+unique
		} else {
			c.outer, c.outerUnique = c.outer+n, c.outerUnique+unique
		}
		before = l.URL
	}
	r.kept.counts, r.kept.counted = c, true
	return c, true
}

// advertoolsColumns are the keys of an object. Lists are joined by @@ there.
func advertoolsColumns() []column[pageRow] {
	const separator = "@@"
	joined := func(name string, takes func(page.Kind) bool, value func(*storage.PageLink) string) column[pageRow] {
		return textColumn(name, func(r *pageRow) string {
			var b strings.Builder
			some, before := false, ""
			for i := range r.kept.pageLinks(r) {
				l := &r.kept.links[i]
				if !takes(page.Kind(l.Kind)) || l.URL == before { // as another kind
					continue
				}
				if some {
					b.WriteString(separator)
				}
				some, before = true, l.URL
				b.WriteString(value(l))
			}
			return b.String()
		})
	}
	isLink := func(k page.Kind) bool { return k == page.KindA || k == page.KindArea }
	isImage := func(k page.Kind) bool { return k == page.KindImg }
	url := func(l *storage.PageLink) string { return l.URL }
	anchor := func(l *storage.PageLink) string { return l.Anchor }
	return []column[pageRow]{
		textColumn("url", func(r *pageRow) string { return r.URL }),
		textColumn("title", func(r *pageRow) string { return r.Record.Title }),
		textColumn("charset", func(r *pageRow) string { return r.Record.Charset }),
		textColumn("meta_desc", func(r *pageRow) string { return r.Record.MetaDescription }),
		textColumn("canonical", func(r *pageRow) string { return r.Canonical }),
		joined("alt_href", func(k page.Kind) bool { return k == page.KindAlternate }, url),
		textColumn("h1", func(r *pageRow) string { return r.Record.H1 }),
		intColumn("size", func(r *pageRow) (int64, bool) { return count(r.Record.Size, r.answered()) }),
		{name: "download_latency", float: func(r *pageRow) (float64, bool) { return float64(r.Record.TTFB) / 1000, r.answered() }},
		intColumn("redirect_times", func(r *pageRow) (int64, bool) { return int64(r.Hops), r.Hops > 0 }),
		textColumn("redirect_urls", func(r *pageRow) string {
			var urls []string
			for _, s := range r.cameFrom() {
				urls = append(urls, s.url)
			}
			return strings.Join(urls, separator)
		}),
		textColumn("redirect_reasons", func(r *pageRow) string {
			var reasons []string
			for _, s := range r.cameFrom() {
				reasons = append(reasons, strconv.Itoa(int(s.status)))
			}
			return strings.Join(reasons, separator)
		}),
		intColumn("depth", func(r *pageRow) (int64, bool) { return int64(r.Depth), true }),
		intColumn("status", func(r *pageRow) (int64, bool) { return count(int64(r.Status), false) }),
		joined("links_url", isLink, url),
		joined("links_text", isLink, anchor),
		joined("links_nofollow", isLink, func(l *storage.PageLink) string {
			if l.NoFollow {
				return "True"
			}
			return "False"
		}),
		joined("img_src", isImage, url),
		joined("img_alt", isImage, anchor),
		textColumn("ip_address", func(r *pageRow) string { return r.Record.IP }),
		{name: "crawl_time", plain: appendTimestamp},
		textColumn("resp_headers_Content-Type", func(r *pageRow) string { return r.Record.ContentType }),
		textColumn("resp_headers_Last-Modified", func(r *pageRow) string { return r.Record.LastModified }),
		textColumn("resp_headers_Etag", func(r *pageRow) string { return r.Record.ETag }),
		textColumn("resp_headers_X-Robots-Tag", func(r *pageRow) string { return r.Record.XRobotsTag }),
		textColumn("resp_headers_Location", func(r *pageRow) string { return r.Redirect }),
		textColumn("errors", func(r *pageRow) string {
			switch {
			case r.answered():
				return ""
			case r.Outcome == storage.Blocked:
				return "robots.txt forbids it"
			case r.Class == storage.NoClass:
				return r.Record.Error
			}
			return strings.TrimSuffix(r.Class.String()+": "+r.Record.Error, ": ")
		}),
	}
}

// step is a redirect that led to an address.
type step struct {
	url    string
	status uint16
}

// cameFrom gives the redirects that led to the address of the row, the first
// first. It is valid until the next row.
func (r *pageRow) cameFrom() []step {
	if r.Hops == 0 || r.places == nil {
		return nil
	}
	if r.kept.stepped {
		return r.kept.steps
	}
	steps := r.kept.steps[:0]
	from := r.FoundOn
	for range min(int(r.Hops), longestChain) {
		number, ok := r.places.numbers.find(r.places.numbers.fingerprint(from))
		if !ok || !r.places.all[number].redirects() {
			break
		}
		at := &r.places.all[number]
		steps = append(steps, step{from, at.status})
		err := r.kept.file.View(func(reader *storage.Reader) error {
			v, err := storage.DecodePage(reader.Event(at.seq))
			if err == nil {
				from = v.FoundOn
			}
			return err
		})
		if err != nil {
			r.kept.fail(err)
			break
		}
	}
	slices.Reverse(steps)
	r.kept.steps, r.kept.stepped = steps, true
	return steps
}
