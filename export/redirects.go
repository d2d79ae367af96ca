package export

import (
	"io"
	"slices"

	"pawl/page"
	"pawl/storage"
)

// longestChain is how many redirects of a chain are followed.
const longestChain = 20

// redirectRow is a row of the table redirects.
type redirectRow struct {
	pageRow
	target   place  // of Redirect
	hops     int    // redirects from here to the end
	finalURL string // address at the end
	final    place
	loop     bool
	isBrief  bool // some redirect of the chain is meant to be temporary
}

func redirectTable() *table[redirectRow] {
	status := func(s uint16) (int64, bool) { return int64(s), s != 0 }
	return &table[redirectRow]{
		name:     "redirects",
		defaults: 18,
		columns: []column[redirectRow]{
			{name: "seq", key: true, integer: func(r *redirectRow) (int64, bool) { return int64(r.seq), true }},
			{name: "url", indexed: true, text: func(r *redirectRow) string { return r.URL }},
			{name: "status", integer: func(r *redirectRow) (int64, bool) { return status(r.Status) }},
			{name: "redirect_url", indexed: true, text: func(r *redirectRow) string { return r.Redirect }},
			{name: "target_outcome", plain: func(b []byte, r *redirectRow) []byte { return r.target.appendOutcome(b) }},
			{name: "target_status", integer: func(r *redirectRow) (int64, bool) { return status(r.target.status) }},
			{name: "hops", integer: func(r *redirectRow) (int64, bool) { return int64(r.hops), true }},
			{name: "final_url", text: func(r *redirectRow) string { return r.finalURL }},
			{name: "final_outcome", plain: func(b []byte, r *redirectRow) []byte { return r.final.appendOutcome(b) }},
			{name: "final_status", integer: func(r *redirectRow) (int64, bool) { return status(r.final.status) }},
			{name: "final_error_class", plain: func(b []byte, r *redirectRow) []byte { return append(b, r.final.class.String()...) }},
			{name: "loop", boolean: func(r *redirectRow) (bool, bool) { return r.loop, true }},
			{name: "temporary", boolean: func(r *redirectRow) (bool, bool) { return r.isBrief, true }},
			{name: "depth", integer: func(r *redirectRow) (int64, bool) { return int64(r.Depth), true }},
			{name: "found_on", text: func(r *redirectRow) string { return r.FoundOn }},
			{name: "anchor", text: func(r *redirectRow) string {
				anchor, _ := anchorOf(r.Record.Kind, r.Record.Anchor)
				return anchor
			}},
			{name: "kind", plain: func(b []byte, r *redirectRow) []byte { return appendKind(b, page.Kind(r.Record.Kind)) }},
			{name: "fetched_at", time: func(r *redirectRow) int64 { return r.Time }},
		},
	}
}

// RedirectColumns gives the names of the columns of [Redirects] in their order,
// which never changes.
func RedirectColumns() []string { return redirectTable().names() }

// CheckRedirects tells whether [Redirects] would accept the options.
func CheckRedirects(o Options) error { return redirectTable().accepts(o) }

// Redirects writes a row for each address that redirects, in the order in which
// they were finished. It returns how many rows were written whole.
//
// redirect_url is where the address leads; target_outcome and target_status are
// those of the row of redirect_url in [Pages], and empty when it has none: it
// was out of scope, or is still waiting. hops counts the redirects from the
// address on to final_url, the first that redirects no further or has no
// outcome; final_outcome, final_status and final_error_class tell what came of
// that one. loop tells that the chain comes back to an address of its own:
// final_url is then the first one that comes again. A chain is followed for
// twenty hops, and what comes then is that of final_url. temporary tells that
// one of the redirects of the chain has a status that is neither 301 nor 308.
//
// The log is read three times. Redirects remembers up to 65 bytes for each redirect.
func Redirects(w io.Writer, f *storage.File, o Options) (int, error) {
	out, err := redirectTable().rows(w, o)
	if err != nil {
		return 0, err
	}
	last, err := end(f)
	if err != nil {
		return 0, err
	}
	places, err := placesOf(f, last, o.pacing())
	if err != nil {
		return 0, err
	}
	if err := out.begin(); err != nil {
		return 0, err
	}
	// The address at the end of a chain stands in the row of its last redirect,
	// which may be anywhere. So the rows are made when no transaction is open.
	var row redirectRow
	var decoder, other storage.PageDecoder
	var through uint64 // not 0: the row waits for the address that this event has
	err = walk(f, last, o.pacing(), func(seq uint64, event []byte) (bool, error) {
		kind := storage.KindOf(event)
		if kind != storage.KindVisit {
			return true, known(kind)
		}
		v, err := decoder.Decode(event)
		if err != nil || v.Outcome != storage.Redirected {
			return true, err
		}
		row = redirectRow{pageRow: pageRow{seq: seq, Visit: v}}
		if through = places.follow(&row); through == seq {
			row.finalURL, through = v.Redirect, 0
			return out.row(&row)
		}
		return false, nil
	}, func() error {
		if through != 0 {
			if err := places.finish(f, &row, through, &other); err != nil {
				return err
			}
			through = 0
			if _, err := out.row(&row); err != nil {
				return err
			}
		}
		return out.flush()
	})
	return out.end(err)
}

// place is an address that redirects or is redirected to.
type place struct {
	seq     uint64 // of its visit, when that redirects
	next    uint32 // number of the place that it redirects to
	status  uint16
	outcome storage.Outcome // 0: it has no visit
	class   storage.Class
}

func (p *place) appendOutcome(dst []byte) []byte {
	if p.outcome == 0 {
		return dst
	}
	return append(dst, p.outcome.String()...)
}

func (p *place) redirects() bool { return p.seq != 0 }

// isBrief tells whether the redirect is meant to be temporary.
func (p *place) isBrief() bool { return p.status != 301 && p.status != 308 }

// places are the addresses on chains of redirects.
type places struct {
	numbers *addresses
	all     []place
}

// placesOf finds them: first those that redirect and where to, then what came
// of all of them, for a target may have been visited before.
func placesOf(f *storage.File, last uint64, pace pacing) (*places, error) {
	var redirects uint64
	err := f.View(func(r *storage.Reader) error {
		s, err := r.State()
		redirects = min(s.Counts.Of(storage.Redirected), uint64(f.Size())/64)
		return err
	})
	if err != nil {
		return nil, err
	}
	p := &places{newAddresses(2 * redirects), make([]place, 0, 2*redirects)}
	var decoder storage.PageDecoder
	err = eachVisit(f, last, pace, func(_ uint32, seq uint64, event []byte) error {
		h, err := storage.DecodeVisitHead(event)
		if err != nil || h.Outcome != storage.Redirected {
			return err
		}
		v, err := decoder.Decode(event)
		if err != nil {
			return err
		}
		from := p.numbers.number(p.numbers.fingerprint(v.URL), p.grow)
		to := p.numbers.number(p.numbers.fingerprint(v.Redirect), p.grow)
		p.all[from].seq, p.all[from].next = seq, to
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachVisit(f, last, pace, func(_ uint32, _ uint64, event []byte) error {
		h, err := storage.DecodeVisitHead(event)
		if err != nil {
			return err
		}
		if number, ok := p.numbers.find(p.numbers.fingerprintOf(h.URL)); ok {
			at := &p.all[number]
			at.status, at.outcome, at.class = h.Status, h.Outcome, h.Class
		}
		return nil
	})
	return p, err
}

// grow makes room for another place, and gives its number.
func (p *places) grow() uint32 {
	p.all = append(p.all, place{})
	return uint32(len(p.all) - 1)
}

// follow fills in where the redirect leads, but for final_url. It gives the seq
// of the last redirect of the chain, which has that.
func (p *places) follow(row *redirectRow) (through uint64) {
	at, _ := p.numbers.find(p.numbers.fingerprint(row.URL))
	var chain [longestChain]uint32
	for {
		from := &p.all[at]
		row.isBrief = row.isBrief || from.isBrief()
		through = from.seq
		chain[row.hops] = at
		row.hops++
		row.final = p.all[from.next]
		if row.hops == 1 {
			row.target = row.final
		}
		row.loop = slices.Contains(chain[:row.hops], from.next)
		if row.loop || !row.final.redirects() || row.hops == longestChain {
			return through
		}
		at = from.next
	}
}

// finish fills in the address that the redirect of the event through leads to.
func (p *places) finish(f *storage.File, row *redirectRow, through uint64, decoder *storage.PageDecoder) error {
	return f.View(func(r *storage.Reader) error {
		v, err := decoder.Decode(r.Event(through))
		if err == nil {
			row.finalURL = v.Redirect
		}
		return err
	})
}
