package export

import (
	"fmt"
	"io"

	"pawl/page"
	"pawl/storage"
)

// linkRow is a row of the table links.
type linkRow struct {
	source string
	*storage.PageLink
	inScope func(string) bool
	status  uint16 // of the target's visit
}

func linkTable() *table[linkRow] {
	return &table[linkRow]{
		name:     "links",
		defaults: 9,
		columns: []column[linkRow]{
			{name: "source", indexed: true, text: func(r *linkRow) string { return r.source }},
			{name: "target", indexed: true, text: func(r *linkRow) string { return r.URL }},
			{name: "kind", plain: func(b []byte, r *linkRow) []byte { return appendKind(b, page.Kind(r.Kind)) }},
			{name: "anchor", text: func(r *linkRow) string { return r.Anchor }},
			{name: "rel", text: func(r *linkRow) string { return r.Rel }},
			{name: "in_scope", boolean: func(r *linkRow) (is, known bool) {
				if r.inScope == nil {
					return false, false
				}
				return r.inScope(r.URL), true
			}},
			{name: "target_status", integer: func(r *linkRow) (int64, bool) { return int64(r.status), r.status != 0 }},
			{name: "nofollow", boolean: func(r *linkRow) (is, known bool) { return r.NoFollow, true }},
			{name: "count", integer: func(r *linkRow) (int64, bool) { return int64(r.Count), true }},
		},
	}
}

// LinkColumns gives the names of the columns of [Links] in their order, which
// never changes.
func LinkColumns() []string { return linkTable().names() }

// CheckLinks tells whether [Links] would accept the options.
func CheckLinks(o Options) error { return linkTable().accepts(o) }

// Links writes a row for each link of each page: pages in the order in which
// they were finished, targets in that in which they first stand there. It returns
// how many rows were written whole. A crawl that kept no links is [ErrNoLinks].
//
// A target that stands on a page several times is a row for each kind of link that
// it stands there as, that which leads furthest first, with its count; nofollow
// then says that all of them are. Redirects are links of the kind
// redirect, and so are the entries of a sitemap of the kind sitemap.
//
// target_status is the status of the target's row in [Pages], empty when it has
// none or got no answer. in_scope is what [Options].InScope says, without which
// it is empty. For target_status the log is read once before, and eighteen bytes
// are in memory for each visit.
func Links(w io.Writer, f *storage.File, o Options) (int, error) {
	t := linkTable()
	out, err := t.rows(w, o)
	if err != nil {
		return 0, err
	}
	last, err := keptEnd(f, storage.KeepLinks)
	if err != nil {
		return 0, err
	}
	var status []uint16
	var targets *addresses
	if t.needs(o, "target_status") {
		targets, err = visitsOf(f, last, o.pacing(), func(_ uint32, _ uint64, h *storage.VisitHead) { status = append(status, h.Status) })
		if err != nil {
			return 0, err
		}
	}
	if err := out.begin(); err != nil {
		return 0, err
	}
	row := linkRow{inScope: o.InScope}
	err = walkLinks(f, last, o.pacing(), func(_ uint64, source string, l *storage.PageLink) error {
		row.source, row.PageLink, row.status = source, l, 0
		if targets != nil {
			if number, ok := targets.find(targets.fingerprint(l.URL)); ok {
				row.status = status[number]
			}
		}
		room, err := out.row(&row)
		if err == nil && !room {
			err = out.flush()
		}
		return err
	})
	return out.end(err)
}

// walkLinks calls do for the links that are kept of the visits up to the event
// last, while no transaction is open: do may write.
func walkLinks(f *storage.File, last uint64, pace pacing, do func(seq uint64, source string, l *storage.PageLink) error) error {
	var unpacker storage.Unpacker
	return walkKept(f, storage.KeepLinks, false, last, pace, func(v *keptVisit) error {
		h, err := storage.DecodeVisitHead(v.event)
		if err != nil {
			return fmt.Errorf("event %d: %w", v.seq, err)
		}
		source := string(h.URL)
		return unpacker.EachLink(v.value, source, func(l *storage.PageLink) error { return do(v.seq, source, l) })
	})
}
