package export

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"pawl/page"
	"pawl/storage"
)

// paths are the ways from a seed to each visit, by its number: nine bytes each,
// and fifteen more of the table of addresses until they are known.
type paths struct {
	parent  []uint32 // number of the visit it was found on
	letters []byte   // how; 0: it is a seed
	length  []uint32 // letters from the seed on
}

const (
	noParent = math.MaxUint32
	// shownHops is how many letters of a path are shown: the last.
	shownHops = 50
)

// hop is the letter of a way to find an address. They are those of Heritrix, as
// far as there is the same.
func hop(k page.Kind) byte {
	switch {
	case k == page.KindRedirect, k == page.KindRefresh:
		return 'R'
	case k == page.KindSitemap, k.SitemapFile():
		return 'M'
	case k == page.KindForm:
		return 'S'
	case k.Asset():
		return 'E'
	}
	return 'L'
}

// pathsOf finds the ways to all visits up to the event last. What an address was
// found on has finished before it, so one reading of the log is enough.
func pathsOf(f *storage.File, last uint64, pace pacing) (*paths, error) {
	n, err := expected(f)
	if err != nil {
		return nil, err
	}
	v := newAddresses(n)
	p := &paths{make([]uint32, 0, n), make([]byte, 0, n), make([]uint32, 0, n)}
	var decoder storage.PageDecoder
	err = eachVisit(f, last, pace, func(number uint32, _ uint64, event []byte) error {
		visit, err := decoder.Decode(event)
		if err != nil {
			return err
		}
		parent, letter, length := uint32(noParent), byte(0), uint32(0)
		if visit.FoundOn != "" {
			letter, length = hop(page.Kind(visit.Record.Kind)), 1
			if found, ok := v.find(v.fingerprint(visit.FoundOn)); ok {
				parent, length = found, sum(p.length[found], 1)
			} else if strings.HasSuffix(visit.FoundOn, "/robots.txt") {
				length = 2 // it is no visit, but a way
			}
		}
		p.parent, p.letters, p.length = append(p.parent, parent), append(p.letters, letter), append(p.length, length)
		v.put(v.fingerprint(visit.URL), number)
		return nil
	})
	return p, err
}

// append appends the path to a visit: nothing for a seed.
func (p *paths) append(dst []byte, number uint32) []byte {
	if p == nil {
		return dst
	}
	length := p.length[number]
	if length > shownHops {
		dst = strconv.AppendUint(dst, uint64(length-shownHops), 10)
		dst = append(dst, '+')
	}
	start := len(dst)
	for left := min(length, shownHops); left > 0; left-- {
		if number == noParent {
			dst = append(dst, 'P')
			break
		}
		dst = append(dst, p.letters[number])
		number = p.parent[number]
	}
	slices.Reverse(dst[start:])
	return dst
}
