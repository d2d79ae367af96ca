package export

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"pawl/page"
	"pawl/storage"
)

// pageRow is a row of the tables that are made of visits: pages, errors,
// duplicates and fields.
type pageRow struct {
	seq uint64
	*storage.Visit
	number uint32 // how many visits stand before it in the log
	beside        // what does not stand in the visit
}

// answered tells whether there was an HTTP answer to measure.
func (r *pageRow) answered() bool { return r.Status != 0 }

// parsed tells whether the text of the answer was read as HTML, so that a
// count of nothing means that there is nothing.
func (r *pageRow) parsed() bool {
	if !r.answered() || r.Outcome == storage.Redirected {
		return false
	}
	media, _, _ := strings.Cut(r.Record.ContentType, ";")
	media = strings.TrimSpace(media)
	return strings.EqualFold(media, "text/html") || strings.EqualFold(media, "application/xhtml+xml")
}

// indexable is Screaming Frog's notion.
func (r *pageRow) indexable() bool {
	return r.Outcome == storage.Fetched && !r.Record.NoIndex && (r.Canonical == "" || r.Canonical == r.URL)
}

// count gives a number that is not known when it is 0 and was not measured.
func count(n int64, measured bool) (int64, bool) { return n, n != 0 || measured }

// anchorOf parts what is kept of the link that found an address: its anchor, or
// the date of change in place of one when a sitemap or a robots.txt named it.
func anchorOf(kind uint8, kept string) (anchor, lastMod string) {
	if k := page.Kind(kind); k == page.KindSitemap || k.SitemapFile() {
		return "", kept
	}
	return kept, ""
}

// pageTable gives the columns in the order that is promised to users: new ones
// go to the end of the default ones, before those of the fields.
func pageTable(fields []Field) *table[pageRow] {
	t := &table[pageRow]{
		name:     "pages",
		defaults: 37,
		columns: []column[pageRow]{
			{name: "seq", key: true, integer: func(r *pageRow) (int64, bool) { return int64(r.seq), true }},
			{name: "url", indexed: true, text: func(r *pageRow) string { return r.URL }},
			{name: "outcome", plain: func(b []byte, r *pageRow) []byte { return append(b, r.Outcome.String()...) }},
			{name: "status", integer: func(r *pageRow) (int64, bool) { return count(int64(r.Status), false) }},
			{name: "error_class", plain: func(b []byte, r *pageRow) []byte { return append(b, r.Class.String()...) }},
			{name: "error", text: func(r *pageRow) string { return r.Record.Error }},
			{name: "content_type", text: func(r *pageRow) string { return r.Record.ContentType }},
			{name: "charset", text: func(r *pageRow) string { return r.Record.Charset }},
			{name: "language", text: func(r *pageRow) string { return r.Record.Language }},
			{name: "title", text: func(r *pageRow) string { return r.Record.Title }},
			{name: "meta_description", text: func(r *pageRow) string { return r.Record.MetaDescription }},
			{name: "h1", text: func(r *pageRow) string { return r.Record.H1 }},
			{name: "canonical", text: func(r *pageRow) string { return r.Canonical }},
			{name: "meta_robots", text: func(r *pageRow) string { return r.Record.MetaRobots }},
			{name: "x_robots_tag", text: func(r *pageRow) string { return r.Record.XRobotsTag }},
			{name: "indexability", plain: func(b []byte, r *pageRow) []byte {
				if r.indexable() {
					return append(b, "Indexable"...)
				}
				return append(b, "Non-Indexable"...)
			}},
			{name: "redirect_url", text: func(r *pageRow) string { return r.Redirect }},
			{name: "depth", integer: func(r *pageRow) (int64, bool) { return int64(r.Depth), true }},
			{name: "found_on", text: func(r *pageRow) string { return r.FoundOn }},
			{name: "anchor", text: func(r *pageRow) string {
				anchor, _ := anchorOf(r.Record.Kind, r.Record.Anchor)
				return anchor
			}},
			{name: "outlinks", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Record.Outlinks), r.parsed())
			}},
			{name: "size", integer: func(r *pageRow) (int64, bool) {
				return count(r.Record.Size, r.answered())
			}},
			{name: "transferred", integer: func(r *pageRow) (int64, bool) {
				return count(r.Transferred, r.answered())
			}},
			{name: "truncated", plain: func(b []byte, r *pageRow) []byte {
				if r.Record.Truncated {
					return append(b, "length"...)
				}
				return b
			}},
			{name: "content_hash", plain: func(b []byte, r *pageRow) []byte { return hex.AppendEncode(b, r.ContentHash) }},
			{name: "word_count", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Record.WordCount), r.parsed())
			}},
			{name: "last_modified", text: func(r *pageRow) string { return r.Record.LastModified }},
			{name: "etag", text: func(r *pageRow) string { return r.Record.ETag }},
			{name: "ttfb_ms", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Record.TTFB), r.answered())
			}},
			{name: "total_ms", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Took), r.Asked)
			}},
			{name: "http_version", text: func(r *pageRow) string { return r.Record.HTTPVersion }},
			{name: "ip", text: func(r *pageRow) string { return r.Record.IP }},
			{name: "attempts", integer: func(r *pageRow) (int64, bool) { return int64(r.Attempt), true }},
			{name: "found_at", time: func(r *pageRow) int64 { return r.Record.FoundAt }},
			{name: "fetched_at", time: func(r *pageRow) int64 { return r.Time }},
			{name: "duplicate_of", text: func(r *pageRow) string { return r.DuplicateOf }},
			{name: "simhash", plain: func(b []byte, r *pageRow) []byte {
				if r.Record.SimHash == 0 {
					return b
				}
				return hex.AppendEncode(b, binary.BigEndian.AppendUint64(nil, r.Record.SimHash))
			}},
			// From here on only on request.
			{name: "worker", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Record.Worker), false)
			}},
			{name: "sitemap_lastmod", text: func(r *pageRow) string {
				_, lastMod := anchorOf(r.Record.Kind, r.Record.Anchor)
				return lastMod
			}},
			{name: "ignored_links", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Record.Ignored), r.parsed())
			}},
			{name: "malformed_links", integer: func(r *pageRow) (int64, bool) {
				return count(int64(r.Record.Malformed), r.parsed())
			}},
			{name: "fields_error", text: func(r *pageRow) string { return r.Record.FieldsError }},
			{name: "inlinks", integer: func(r *pageRow) (int64, bool) { return r.inlinks.of(r.number) }},
			{name: "unique_inlinks", integer: func(r *pageRow) (int64, bool) { return r.inlinks.uniqueOf(r.number) }},
			{name: "discovery_path", plain: func(b []byte, r *pageRow) []byte { return r.paths.append(b, r.number) }},
		},
	}
	t.columns = append(t.columns, contentColumns()...)
	t.columns = slices.Insert(t.columns, t.defaults, fieldColumns(fields, func(r *pageRow) *storage.Record { return &r.Record })...)
	t.defaults += len(fields)
	return t
}

// PageColumns gives the names of the columns of [Pages] and [Errors] in their
// order, which never changes. On request by [Options].Columns only, and not
// among them: worker, sitemap_lastmod, ignored_links, malformed_links,
// fields_error, and those that [NeedsWholeCrawl] tells of.
func PageColumns() []string {
	t := pageTable(nil)
	return t.names()[:t.defaults]
}

// NeedsWholeCrawl tells whether the cells of a column of [Pages] need more than
// the visit of their row: they change as the crawl goes on, or are found by
// reading elsewhere. So they are not to be had in what follows a crawl.
func NeedsWholeCrawl(column string) bool {
	switch column {
	case "inlinks", "unique_inlinks", "discovery_path":
		return true
	}
	return isContent(column)
}

// CheckPages tells whether [Pages] and [Errors] would accept the options,
// before anything is opened for writing. An unknown column is a *ColumnError.
func CheckPages(o Options) error { return checkPages(pageTable(o.Fields), o) }

func checkPages(t *table[pageRow], o Options) error {
	if err := t.accepts(o); err != nil {
		return err
	}
	return checkContent(t, o)
}

// Pages writes a row for each job that has an outcome, in the order in which
// they were finished. It returns how many rows were written whole; an error of
// w comes back as it is. It may run while the file is committed to, and several
// exports may run at once.
//
// status, the sizes and ttfb_ms are empty when there was no answer; outlinks
// and word_count are 0 only for a page of HTML, and empty for what was not
// parsed. total_ms is empty when no request went out. fetched_at is when the
// request was sent; for one that was blocked, when that was decided. attempts
// counts from 1, and worker, which tells workers apart by numbers from 1, is
// empty when none was involved.
//
// indexability is Screaming Frog's column: Indexable or Non-Indexable, for
// every address whatever its content type. Non-Indexable is what redirects,
// failed or was blocked, what asks for noindex by its robots meta or its
// X-Robots-Tag, and what names another address as its canonical.
//
// duplicate_of is the address that the same content, byte for byte, was fetched
// from before. simhash (of package page, 16 hexadecimal digits) differs in few
// bits for texts that are nearly the same. sitemap_lastmod is the date of change
// that the sitemap gives which an address was found in first; ignored_links
// counts what is neither http nor https (mailto:, javascript:), malformed_links
// what is no address.
//
// inlinks and unique_inlinks count the links that lead to an address, and the
// pages that have one, over all pages of the crawl: links that a reader can take
// (of kind a, area, frame, iframe and refresh, as outlinks counts), however
// often they stand on a page, links of a page to itself and of error pages
// included. An image, a canonical or the like that names the same address is none
// of them. They need a crawl that kept its links, otherwise the error is
// [ErrNoLinks].
//
// discovery_path is the way from a seed to an address, a letter for each step,
// those of Heritrix: L a link, R a redirect, E a part of a page, M an entry of a
// sitemap or a sitemap, S a form, and P in front for what a robots.txt named. It
// is empty for a seed. Of more than 50 letters the last 50 stand behind the
// number of those before them and a plus sign, as 12+LLL….
//
// text and markdown are what there is to read in a page of HTML, menus and
// footers included, as package prose makes it of the stored body; empty for all
// else, and for what cannot be read as such. They are not to be had as CSV or
// TSV, and need a crawl that stored bodies, otherwise the error is [ErrNoBodies].
// One body is in memory at a time.
//
// For the counts 24 bytes a row are in memory, for the paths as many.
func Pages(w io.Writer, f *storage.File, o Options) (rows int, err error) {
	return writePages(w, f, o, pageTable(o.Fields), 0, nil)
}

// Errors writes the rows of [Pages] whose outcome is failed: an answer from 400
// on, or none. What robots.txt blocked is no error and not among them; what the
// user's rules keep out of the results is.
func Errors(w io.Writer, f *storage.File, o Options) (rows int, err error) {
	t := pageTable(o.Fields)
	t.name = "errors"
	return writePages(w, f, o, t, storage.Failed, nil)
}

// writePages writes the visits with the outcome, 0 for all that are rows of the
// results, as rows of the table; of these only those that takes takes, unless it
// is nil.
func writePages(w io.Writer, f *storage.File, o Options, t *table[pageRow], only storage.Outcome, takes func(*pageRow) bool) (int, error) {
	if err := checkPages(t, o); err != nil {
		return 0, err
	}
	last, err := end(f)
	if err != nil {
		return 0, err
	}
	out, err := t.rows(w, o)
	if err != nil {
		return 0, err
	}
	beside, err := besideOf(f, last, t, o)
	if err != nil {
		return 0, err
	}
	return writeVisits(out, f, last, o.pacing(), &pageReader{row: pageRow{beside: beside}}, only, takes)
}

// writeVisits is writePages with all that the rows need at hand.
func writeVisits(
	out *rows[pageRow], f *storage.File, last uint64, pace pacing, reader *pageReader, only storage.Outcome, takes func(*pageRow) bool,
) (int, error) {
	if err := out.begin(); err != nil {
		return 0, err
	}
	write := func(seq uint64, event []byte) (room bool, err error) {
		row, err := reader.read(seq, event, only)
		if row == nil || takes != nil && !takes(row) {
			return true, err
		}
		return out.row(row)
	}
	kept := reader.row.kept
	if kept == nil {
		return out.end(walk(f, last, pace, write, out.flush))
	}
	return out.end(walkKept(f, kept.what, true, last, pace, func(v *keptVisit) error {
		kept.visit(v)
		room, err := write(v.seq, v.event)
		if err == nil {
			err = kept.err
		}
		if err == nil && !room {
			err = out.flush()
		}
		return err
	}))
}

// pageReader makes rows of events.
type pageReader struct {
	decoder storage.PageDecoder
	row     pageRow
	visits  uint32
}

// read gives the row that an event makes, valid until the next call; nil when it
// makes none. only is the outcome that is asked for, 0 for all: then what the
// user's rules keep out of the results is no row.
func (p *pageReader) read(seq uint64, event []byte, only storage.Outcome) (*pageRow, error) {
	kind := storage.KindOf(event)
	if kind != storage.KindVisit {
		return nil, known(kind)
	}
	v, err := p.decoder.Decode(event)
	if err != nil {
		return nil, err
	}
	number := p.visits
	p.visits++
	if only != 0 && v.Outcome != only || only == 0 && v.Unlisted {
		return nil, nil
	}
	p.row.seq, p.row.Visit, p.row.number = seq, v, number
	return &p.row, nil
}

// beside is what cells show that does not stand in the visit of their row.
type beside struct {
	inlinks *inlinks // nil: not asked for
	paths   *paths
	kept    *keptReader
	pages   int64 // of HTML that were fetched
	places  *places
}

// besideOf finds what the columns and the filter of an export need.
func besideOf(f *storage.File, last uint64, t *table[pageRow], o Options) (b beside, err error) {
	if t.needs(o, "inlinks") || t.needs(o, "unique_inlinks") {
		if b.inlinks, err = countInlinks(f, last, o.pacing()); err != nil {
			return b, err
		}
	}
	if t.needs(o, "discovery_path") {
		if b.paths, err = pathsOf(f, last, o.pacing()); err != nil {
			return b, err
		}
	}
	if t.needs(o, "text") || t.needs(o, "markdown") {
		b.kept = &keptReader{file: f, what: storage.KeepBody}
		err = has(f, storage.KeepBody)
	}
	return b, err
}

// pageFilter gives the filter of the options, for what is made of visits but is
// no table; nil when there is none. A row that it is given needs what beside
// holds.
func pageFilter(f *storage.File, last uint64, o Options) (wanted func(*pageRow) bool, b beside, err error) {
	if o.Where == "" {
		return nil, b, nil
	}
	t := pageTable(o.Fields)
	t.columns, t.refused = withoutContent(t.columns), noContent
	if err := t.complete(); err != nil {
		return nil, b, err
	}
	if wanted, err = t.filter(o.Where); err != nil {
		return nil, b, err
	}
	b, err = besideOf(f, last, t, Options{Where: o.Where, Rest: o.Rest, Pace: o.Pace, Stop: o.Stop})
	return wanted, b, err
}

// checkFilter tells whether pageFilter would accept the options, and whether
// what all exports share is right.
func checkFilter(o Options) error {
	t := pageTable(o.Fields)
	t.columns, t.refused = withoutContent(t.columns), noContent
	return t.accepts(o)
}

// needs tells whether an export of the table, which accepts the options, shows
// the column or filters by it.
func (t *table[R]) needs(o Options, name string) bool {
	names := o.Columns
	if len(names) == 0 {
		names = t.names()[:t.defaults]
	}
	if slices.Contains(names, name) {
		return true
	}
	if o.Where == "" {
		return false
	}
	// It filters by the column when the filter makes no sense without it.
	without := *t
	if without.filtered == nil {
		without.filtered = t.columns
	}
	without.filtered = slices.DeleteFunc(slices.Clone(without.filtered), func(c column[R]) bool { return c.name == name })
	_, err := without.filter(o.Where)
	return err != nil
}
