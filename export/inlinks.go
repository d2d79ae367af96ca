package export

import (
	"math"

	"pawl/page"
	"pawl/storage"
)

// inlinks counts the links that lead to each visit, by its number: sixteen
// bytes of the table of addresses and eight of counts for each while they are
// counted, and the eight after that.
type inlinks struct {
	all    []uint32 // links, as often as they stand on pages
	unique []uint32 // pages that have one
}

func (c *inlinks) of(number uint32) (links int64, known bool) {
	if c == nil {
		return 0, false
	}
	return int64(c.all[number]), true
}

func (c *inlinks) uniqueOf(number uint32) (pages int64, known bool) {
	if c == nil {
		return 0, false
	}
	return int64(c.unique[number]), true
}

// countInlinks counts the links that are kept of all pages, those that lead to
// the page itself among them, and those of answers from 400 on.
func countInlinks(f *storage.File, last uint64, pace pacing) (*inlinks, error) {
	if err := has(f, storage.KeepLinks); err != nil {
		return nil, err
	}
	c := new(inlinks)
	n, err := expected(f)
	if err != nil {
		return nil, err
	}
	c.all, c.unique = make([]uint32, 0, n), make([]uint32, 0, n)
	v, err := visitsOf(f, last, pace, func(uint32, uint64, *storage.VisitHead) {
		c.all, c.unique = append(c.all, 0), append(c.unique, 0)
	})
	if err != nil {
		return nil, err
	}
	var from uint64
	var to string
	err = walkLinks(f, last, pace, func(seq uint64, _ string, l *storage.PageLink) error {
		if !isHyperlink(page.Kind(l.Kind)) {
			return nil
		}
		if number, ok := v.find(v.fingerprint(l.URL)); ok {
			c.all[number] = sum(c.all[number], l.Count)
			// The kinds of an address stand one behind the other.
			if seq != from || l.URL != to {
				c.unique[number] = sum(c.unique[number], 1)
			}
		}
		from, to = seq, l.URL
		return nil
	})
	return c, err
}

// isHyperlink tells whether a reader of a page can take a link of the kind: what
// outlinks counts on the other side.
func isHyperlink(k page.Kind) bool {
	switch k {
	case page.KindA, page.KindArea, page.KindFrame, page.KindIframe, page.KindRefresh:
		return true
	}
	return false
}

// sum adds, and stays at the largest number.
func sum(a, b uint32) uint32 {
	if a > math.MaxUint32-b {
		return math.MaxUint32
	}
	return a + b
}
