package export

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"pawl/page"
	"pawl/storage"
	"pawl/weburl"

	"github.com/dchest/siphash"
)

// skipRow is a row of the table skipped.
type skipRow struct {
	url, foundOn, anchor string
	reason               storage.Reason
	kind                 page.Kind
	depth                uint32
	foundAt              int64
	pattern              string // of those that are parked
}

func skipTable() *table[skipRow] {
	return &table[skipRow]{
		name:     "skipped",
		defaults: 8,
		columns: []column[skipRow]{
			{name: "url", indexed: true, text: func(r *skipRow) string { return r.url }},
			{name: "reason", plain: func(b []byte, r *skipRow) []byte { return append(b, r.reason.String()...) }},
			{name: "depth", integer: func(r *skipRow) (int64, bool) { return int64(r.depth), true }},
			{name: "found_on", text: func(r *skipRow) string { return r.foundOn }},
			{name: "anchor", text: func(r *skipRow) string { return r.anchor }},
			{name: "kind", plain: func(b []byte, r *skipRow) []byte { return appendKind(b, r.kind) }},
			{name: "found_at", time: func(r *skipRow) int64 { return r.foundAt }},
			{name: "pattern", text: func(r *skipRow) string { return r.pattern }},
		},
	}
}

// appendKind appends the name of a kind of link, nothing for none.
func appendKind(dst []byte, k page.Kind) []byte {
	if k == 0 {
		return dst
	}
	return append(dst, k.String()...)
}

// SkippedColumns gives the names of the columns of [Skipped] in their order.
func SkippedColumns() []string { return skipTable().names() }

// CheckSkipped tells whether [Skipped] would accept the options.
func CheckSkipped(o Options) error {
	return skipTable().accepts(o)
}

// Skipped writes a row for each address that was refused and is still not
// admitted to the queue, with the reason. It returns how many rows were
// written whole.
//
// An address is in the log once for each time that it was met closer to a seed
// than before, and when it left the queue again, as when the user dropped it: then
// it is parked, without a pattern. The last time counts: its
// reason is the one in force, and its place in the log is the row's. Whether
// the address was admitted after all only the frontier knows: still is asked
// for each address that has a row to come, once, for up to a thousand of them
// at a time, outside of all transactions. It answers for each in turn; its error
// ends the export. A nil still stands for one that always says yes.
//
// The log is read twice. Between the two Skipped remembers one or two bytes for
// each address of the crawl, and some forty for each that was skipped more than
// once.
func Skipped(w io.Writer, f *storage.File, o Options, still func(urls []string) ([]bool, error)) (rows int, err error) {
	out, err := skipTable().rows(w, o)
	if err != nil {
		return 0, err
	}
	last, err := end(f)
	if err != nil {
		return 0, err
	}
	again, err := skippedAgain(f, last, o.pacing())
	if err != nil {
		return 0, err
	}
	parked, err := parkedPatterns(f, last)
	if err != nil {
		return 0, err
	}
	if err := out.begin(); err != nil {
		return 0, err
	}
	held := heldRows{out: out, still: still}
	err = eachSkip(f, last, o.pacing(), func(skip uint64, h *storage.LinksHead) bool {
		l := &h.Links.Link
		if counts, ok := again.last[again.fingerprint(l.URL)]; ok && counts != skip {
			return true
		}
		row := skipRow{
			url: string(l.URL), foundOn: h.FoundOn, reason: l.Reason, kind: page.Kind(l.Kind), depth: l.Depth, foundAt: h.Time,
		}
		row.anchor, _ = anchorOf(l.Kind, string(l.Anchor))
		if l.Reason == storage.Parked && !h.Dropped { // by a pattern, not by the user
			row.pattern = parked.of(row.url)
		}
		return held.hold(row)
	}, held.flush)
	return out.end(err)
}

// patterns are those that were parked, by host, the first first.
type patterns map[string][]weburl.Pattern

// parkedPatterns gives those that are parked.
func parkedPatterns(f *storage.File, last uint64) (patterns, error) {
	all := patterns{}
	err := f.View(func(r *storage.Reader) error {
		state, err := r.State()
		if err != nil {
			return err
		}
		for _, seq := range state.Parked {
			if seq > last {
				continue
			}
			p, _, err := storage.DecodePark(r.Event(seq))
			if err != nil {
				return fmt.Errorf("event %d: %w", seq, err)
			}
			if pattern, err := weburl.ParsePattern(p.Pattern); err == nil {
				all[p.Host] = append(all[p.Host], pattern)
			}
		}
		return nil
	})
	return all, err
}

// of gives the pattern that an address is parked by, empty when none is in
// force any more.
func (p patterns) of(url string) string {
	u := weburl.URL(url)
	shape := u.Shape()
	for i := range p[u.Host()] {
		pattern := &p[u.Host()][i]
		if pattern.Matches(&shape) {
			return pattern.String()
		}
	}
	return ""
}

// eachSkip calls do for every skipped link up to the event last, numbered from
// 0. do returns false to have the transaction end after the event.
func eachSkip(f *storage.File, last uint64, pace pacing, do func(skip uint64, h *storage.LinksHead) bool, flush func() error) error {
	var skip uint64
	return walk(f, last, pace, func(_ uint64, event []byte) (bool, error) {
		kind := storage.KindOf(event)
		if kind != storage.KindSkip {
			return true, known(kind)
		}
		h, err := storage.DecodeLinksHead(event)
		if err != nil {
			return false, err
		}
		room := true
		for h.Links.Next() {
			room = do(skip, &h) && room
			skip++
		}
		return room, h.Links.Err()
	}, flush)
}

// repeats tells which skips of addresses that were skipped more than once are
// their last.
type repeats struct {
	key  [2]uint64
	met  []uint64          // Bloom filter of the fingerprints met
	last map[uint64]uint64 // fingerprint to number of the last skip, for (nearly) only those met again
}

// skippedAgain finds the addresses that were skipped more than once. Those that
// the filter wrongly takes for such do no harm: their only skip is their last.
func skippedAgain(f *storage.File, last uint64, pace pacing) (*repeats, error) {
	var known uint64
	err := f.View(func(r *storage.Reader) error {
		s, err := r.State()
		known = s.Counts.Known
		return err
	})
	if err != nil {
		return nil, err
	}
	secret := f.Header().Secret
	r := &repeats{
		key: [2]uint64{binary.LittleEndian.Uint64(secret[:8]), binary.LittleEndian.Uint64(secret[8:])},
		// Eight to sixteen bits an address, of which two are set: one in
		// twenty is taken for a repeat at most. The count is only a hint, and
		// what stands in a damaged file shall not take gigabytes.
		met:  make([]uint64, 1<<bits.Len64(max(min(known, uint64(f.Size())/16, 1<<26), 1<<10)/8)),
		last: map[uint64]uint64{},
	}
	err = eachSkip(f, last, pace, func(skip uint64, h *storage.LinksHead) bool {
		if fp := r.fingerprint(h.Links.Link.URL); r.meet(fp) {
			r.last[fp] = skip
		}
		return true
	}, func() error { return nil })
	r.met = nil
	return r, err
}

// fingerprint has a key of the crawl's own, so that no site can craft two
// addresses with the same one and hide the row of one behind the other.
func (r *repeats) fingerprint(url []byte) uint64 { return siphash.Hash(r.key[0], r.key[1], url) }

// meet puts the fingerprint into the filter and tells whether it may have been
// there before.
func (r *repeats) meet(fp uint64) bool {
	mask := uint64(len(r.met)*64 - 1)
	before := true
	for _, bit := range [2]uint64{fp & mask, fp >> 32 & mask} {
		word := &r.met[bit/64]
		before = before && *word>>(bit%64)&1 != 0
		*word |= 1 << (bit % 64)
	}
	return before
}

// mostAsked is for how many addresses still is asked at a time.
const mostAsked = 1000

// heldRows are the rows of a transaction, until it has ended and each can be
// asked for without the danger that who answers waits for a commit, and the
// commit for the transaction.
type heldRows struct {
	out   *rows[skipRow]
	still func(urls []string) ([]bool, error)
	rows  []skipRow
	bytes int // of their texts
	urls  []string
}

// hold keeps a row and tells whether there is room for more.
func (h *heldRows) hold(row skipRow) (room bool) {
	h.rows = append(h.rows, row)
	h.bytes += len(row.url) + len(row.foundOn) + len(row.anchor) + len(row.pattern)
	return h.bytes < sliceBytes
}

func (h *heldRows) flush() error {
	for some := range slices.Chunk(h.rows, mostAsked) {
		if err := h.write(some); err != nil {
			return err
		}
	}
	h.rows, h.bytes = h.rows[:0], 0
	return h.out.flush()
}

// write takes those of the rows that are still skipped.
func (h *heldRows) write(some []skipRow) error {
	var still []bool
	if h.still != nil {
		h.urls = h.urls[:0]
		for i := range some {
			h.urls = append(h.urls, some[i].url)
		}
		var err error
		if still, err = h.still(h.urls); err != nil {
			return err
		}
	}
	for i := range some {
		if still != nil && !still[i] {
			continue
		}
		if _, err := h.out.row(&some[i]); err != nil {
			return err
		}
	}
	return nil
}
