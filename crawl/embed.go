package crawl

import (
	"encoding/binary"
	"net/http"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
)

// Answer is what a fetched address said, for [Options].Links. It is valid during
// the call.
type Answer struct {
	URL    string // canonical
	Depth  int    // steps from a seed
	Status int
	Header http.Header
	Body   []byte   // decoded, cut at MaxBody
	Links  []string // that were found by the usual ways and are of a kind that is followed
}

// Visits is a [Sink] that hands every visit to a function, in order.
//
// Do is called for each visit behind After, in the order of seq, once it is
// committed. A program that stores seq together with what it makes of the visit,
// in one transaction, and sets After to the highest that it has, gets each exactly
// once, however its process ends. One that leaves After at what NewVisits found
// gets each at least once: after a kill those again that Do was called for in the
// last few seconds.
type Visits struct {
	File  *storage.File
	After uint64 // the last event that is done with
	Do    func(seq uint64, v *storage.Visit) error
}

// NewVisits gives the sink for a key, to be put into Options.Outputs under it,
// where it was left.
func NewVisits(file *storage.File, key string, do func(seq uint64, v *storage.Visit) error) (*Visits, error) {
	position, err := Position(file, key)
	if err != nil {
		return nil, err
	}
	after, _ := binary.Uvarint(position)
	return &Visits{File: file, After: after, Do: do}, nil
}

// Write hands out the visits up to last. After an error of Do the crawl stops,
// and that visit comes again in the next run.
func (s *Visits) Write(last uint64) error {
	err := EachVisit(s.File, s.After+1, last, func(seq uint64, v *storage.Visit) error {
		if err := s.Do(seq, v); err != nil {
			return err
		}
		s.After = seq
		return nil
	})
	if err == nil {
		s.After = max(s.After, last)
	}
	return err
}

// Sync gives how far it has come.
func (s *Visits) Sync() ([]byte, error) { return binary.AppendUvarint(nil, s.After), nil }

// ownLinks are the links that the program adds to those of an answer.
func (w *worker) ownLinks(url string, a *Answer, res *result) {
	base, err := w.speller.NewBase(url)
	if err != nil {
		return
	}
	for i := range res.links {
		a.Links = append(a.Links, res.links[i].URL)
	}
	for _, ref := range w.links(a) {
		w.address, err = base.Append(w.address[:0], []byte(ref))
		if err != nil {
			w.log.Warn("this link of the program is no web address", "url", a.URL, "link", shorten(ref, 200), "error", err)
			continue
		}
		res.links = append(res.links, frontier.Candidate{
			Link: storage.Link{URL: string(w.address), Kind: uint8(page.KindA)}, FP: w.hash(w.address),
		})
	}
}
