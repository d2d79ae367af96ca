package frontier

import (
	"encoding/json"
	"slices"
	"time"

	"pawl/storage"
)

// Park is a pattern of addresses that was parked by the event Seq.
type Park struct {
	Seq     uint64
	Host    string
	Pattern string // of weburl.Pattern
}

// Parks are all patterns that were ever parked, in the order of the log. The
// slice only grows.
func (f *Frontier) Parks() []Park { return f.parks }

// Unpark is the wish of the user, in the event Seq, that parked addresses come
// back and are not parked again: without a Match those of the patterns that were
// parked on the host before, else those that match.
type Unpark struct {
	Seq uint64
	storage.Restore
}

// TakesBack tells whether it takes a park back as a whole.
func (u *Unpark) TakesBack(p *Park) bool {
	return u.Match == "" && u.Seq > p.Seq && (u.Host == "" || u.Host == p.Host)
}

// Unparks are all of these, in the order of the log. The slice only grows.
func (f *Frontier) Unparks() []Unpark { return f.unparks }

// Park appends that addresses of a pattern are a trap. It is for the scope to
// refuse them from then on, found anew or handed out.
func (f *Frontier) Park(p storage.Park, at time.Time) error {
	return f.appendEdit(storage.EditPark, p, at)
}

// Unpark appends that what is parked comes back, and has all skipped links
// judged again.
func (f *Frontier) Unpark(r storage.Restore, at time.Time) error {
	if err := f.appendEdit(storage.EditRestore, r, at); err != nil {
		return err
	}
	return f.OpenReview(at)
}

func (f *Frontier) appendEdit(kind storage.EditKind, what any, at time.Time) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return f.append(&storage.Edit{Edit: kind, Time: at.UnixMilli(), Settings: text})
}

// inForce are the events of the parks that were not taken back as a whole.
func (f *Frontier) inForce() (seqs []uint64) {
	for _, p := range f.parks {
		if !slices.ContainsFunc(f.unparks, func(u Unpark) bool { return u.TakesBack(&p) }) {
			seqs = append(seqs, p.Seq)
		}
	}
	return seqs
}

// Fetched is the number of pages that were fetched from a host.
func (f *Frontier) Fetched(host string) int {
	if h := f.hosts.find(host); h != nil {
		return int(h.fetched)
	}
	return 0
}
