package page

import (
	"bytes"
	"errors"
	"hash/maphash"
	"iter"

	"pawl/weburl"
)

// linkSet holds the links of a page, distinct by address and kind, with all their strings in one piece of memory.
type linkSet struct {
	arena     []byte
	links     []link
	also      int              // how many of links are not the first of their address
	index     map[uint64]int32 // hash of the address, or the next free number after it, to the first link to it
	seed      maphash.Seed     // random, so that no page can craft addresses that collide
	rel       gather
	budget    int // bytes of work left
	baseLen   int
	canonical int // index of the canonical link and 1
	cut       bool
	ignored   int
	malformed int
}

// link is a Link whose strings are in the arena.
type link struct {
	url, rel, anchor span
	count            int32
	next             int32 // index of the next one to the same address; -1: there is none
	kind             Kind
	noFollow         bool // at all its occurrences
	again            bool // it is not the first of its address
}

type span struct{ start, end int32 }

func (s *linkSet) reset() {
	if s.index == nil {
		s.seed = maphash.MakeSeed()
		s.rel.max = MaxRel
	}
	if s.index == nil || len(s.index) > keepScratch/256 {
		s.index = make(map[uint64]int32)
	} else {
		clear(s.index)
	}
	if cap(s.arena) > keepScratch {
		s.arena = nil
	}
	if cap(s.links) > keepScratch/32 {
		s.links = nil
	}
	s.arena, s.links = s.arena[:0], s.links[:0]
	s.also, s.canonical, s.cut, s.ignored, s.malformed = 0, 0, false, 0, 0
}

func (s *linkSet) bytes(at span) []byte { return s.arena[at.start:at.end] }

// keep appends b to the arena.
func (s *linkSet) keep(b []byte) span {
	start := len(s.arena)
	s.arena = append(s.arena, b...)
	return span{int32(start), int32(len(s.arena))}
}

// spend takes the cost of resolving ref from the budget. It returns false when nothing more is to be resolved.
func (s *linkSet) spend(ref []byte) bool {
	s.budget -= s.baseLen + len(ref) + 32
	if s.budget < 0 || len(s.arena) > maxArena {
		s.cut = true
	}
	return !s.cut
}

// resolve appends the canonical spelling of ref to the arena, and counts it if there is none.
func (s *linkSet) resolve(base *weburl.Base, ref []byte) (span, bool) {
	if !s.spend(ref) {
		return span{}, false
	}
	start := len(s.arena)
	var err error
	s.arena, err = base.Append(s.arena, validUTF8(ref))
	switch {
	case errors.Is(err, weburl.ErrScheme):
		s.ignored++
	case err != nil:
		s.malformed++
	default:
		return span{int32(start), int32(len(s.arena))}, true
	}
	return span{}, false
}

// find returns the index of the first link to an address, which is -1 if there is none, and its place in the index.
func (s *linkSet) find(url span) (i int, key uint64) {
	addr := s.bytes(url)
	for key = maphash.Bytes(s.seed, addr); ; key++ {
		i, ok := s.index[key]
		if !ok {
			return -1, key
		}
		if bytes.Equal(s.bytes(s.links[i].url), addr) {
			return int(i), key
		}
	}
}

// add adds a link, or counts another occurrence of one of the same kind to the same target, and returns its index. It returns
// -1 if it is none.
func (s *linkSet) add(base *weburl.Base, k Kind, ref, rel []byte, noFollow bool) int {
	url, ok := s.resolve(base, ref)
	if !ok {
		return -1
	}
	start := url.start
	first, key := s.find(url)
	last := -1
	for i := first; i >= 0; i = int(s.links[i].next) {
		l := &s.links[i]
		if l.kind == k {
			s.arena = s.arena[:start]
			l.count++
			l.noFollow = l.noFollow && noFollow
			return i
		}
		last = i
	}
	if first >= 0 {
		s.arena = s.arena[:start]
		url = s.links[first].url
	}
	if len(s.links) >= MaxLinks {
		s.arena = s.arena[:start]
		s.cut = true
		return -1
	}
	i := len(s.links)
	if first < 0 {
		s.index[key] = int32(i)
	} else {
		s.links[last].next = int32(i)
		s.also++
	}
	s.links = append(s.links, link{url: url, rel: s.keepRel(rel), count: 1, next: -1, kind: k, noFollow: noFollow, again: first >= 0})
	return i
}

// furthest returns the index of that of the links to an address, of which first is the first, whose kind leads furthest, and
// whether none of them is to be followed.
func (s *linkSet) furthest(first int) (i int, noFollow bool) {
	i, noFollow = first, true
	for j := first; j >= 0; j = int(s.links[j].next) {
		l := &s.links[j]
		if l.kind.weight() > s.links[i].kind.weight() {
			i = j
		}
		if l.kind.Navigation() {
			noFollow = noFollow && l.noFollow
		}
	}
	if l := &s.links[i]; !l.kind.Navigation() {
		noFollow = l.noFollow
	}
	return i, noFollow
}

func (s *linkSet) keepRel(rel []byte) span {
	if len(rel) == 0 {
		return span{}
	}
	s.rel.reset()
	s.rel.add(rel)
	for i, c := range s.rel.buf {
		if 'A' <= c && c <= 'Z' {
			s.rel.buf[i] = c | 0x20
		}
	}
	return s.keep(s.rel.buf)
}

// setAnchor gives link i its text, if it has none.
func (s *linkSet) setAnchor(i int, text []byte) {
	if l := &s.links[i]; l.anchor == (span{}) && len(text) > 0 {
		l.anchor = s.keep(text)
	}
}

// export moves all to the Page: the links, and the texts in the order of its fields.
func (s *linkSet) export(page *Page, title, h1, description, robots, language []byte) {
	texts := [...]span{s.keep(title), s.keep(h1), s.keep(description), s.keep(robots), s.keep(language)}
	all := string(s.arena)
	str := func(at span) string { return all[at.start:at.end] }

	page.Title, page.H1, page.MetaDescription = str(texts[0]), str(texts[1]), str(texts[2])
	page.MetaRobots, page.Language = str(texts[3]), str(texts[4])
	page.LinksCut, page.Ignored, page.Malformed = s.cut, s.ignored, s.malformed
	if len(s.links) == 0 {
		return
	}
	link := func(l *link) Link {
		return Link{
			URL: weburl.URL(str(l.url)), Kind: l.kind, NoFollow: l.noFollow, KindNoFollow: l.noFollow, Rel: str(l.rel), Anchor: str(l.anchor),
			Count: int(l.count),
		}
	}
	links := make([]Link, len(s.links))
	n := len(links) - s.also
	page.Links = links[:0:n]
	if s.also > 0 {
		page.Also = links[n:n]
	}
	for first := range s.links {
		if s.links[first].again {
			continue
		}
		furthest, noFollow := s.furthest(first)
		l := link(&s.links[furthest])
		l.NoFollow = noFollow
		page.Links = append(page.Links, l)
		if l.Kind.hyperlink() {
			page.Outlinks++
		}
		for i := first; i >= 0; i = int(s.links[i].next) {
			if i != furthest {
				page.Also = append(page.Also, link(&s.links[i]))
			}
		}
	}
	if s.canonical > 0 {
		page.Canonical = weburl.URL(str(s.links[s.canonical-1].url))
	}
}

// ByAddress gives all of Links and of Also: each of Links in its order, and behind it those of Also with the same address.
func (p *Page) ByAddress() iter.Seq[*Link] {
	return func(yield func(*Link) bool) {
		also := p.Also
		for i := range p.Links {
			l := &p.Links[i]
			if !yield(l) {
				return
			}
			for len(also) > 0 && also[0].URL == l.URL {
				if !yield(&also[0]) {
					return
				}
				also = also[1:]
			}
		}
	}
}

// addLink adds a link that stands in the body, and returns its index, or -1 if it is none.
func (p *Parser) addLink(k Kind, ref, rel []byte, noFollow bool) int {
	if len(ref) > 0 && ref[0] == '#' && !p.baseSet {
		return -1
	}
	return p.addTo(p.base, k, ref, rel, noFollow)
}

func (p *Parser) addTo(base *weburl.Base, k Kind, ref, rel []byte, noFollow bool) int {
	if foreignScheme(ref) {
		p.links.ignored++
		return -1
	}
	return p.links.add(base, k, p.query.encode(ref), rel, noFollow)
}

// addRel adds a link whose kind is told by its rel, and which is of the kind other if rel says nothing known. Without any
// rel it is no link.
func (p *Parser) addRel(ref, rel []byte, other Kind) {
	is := relOf(rel)
	if len(ref) == 0 || is == 0 {
		return
	}
	k, ok := is.kind(other)
	if !ok {
		return
	}
	i := p.addLink(k, ref, rel, is&relNoFollow != 0)
	if i >= 0 && is&relCanonical != 0 && p.links.canonical == 0 {
		p.links.canonical = i + 1
	}
}

// foreignScheme reports whether ref has a scheme that is neither http nor https, as far as a short look tells. It spares
// the resolution of what may be very long, such as data: addresses.
func foreignScheme(ref []byte) bool {
	for i, c := range ref {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return !equalFold(ref[:i], "https") && !equalFold(ref[:i], "http")
		default:
			return false
		}
	}
	return false
}

// relSet is what the tokens of a rel attribute say.
type relSet uint16

const (
	relOther relSet = 1 << iota
	relNoFollow
	relCanonical
	relNext
	relPrev
	relAlternate
	relStylesheet
	relIcon
	relPreload
	relHint
	relAMP
)

func relOf(rel []byte) relSet {
	var is relSet
	for {
		var word []byte
		if word, rel = field(rel, isSpace); len(word) == 0 {
			return is
		}
		var buf [maxName]byte
		switch string(lowerName(&buf, word)) {
		case "nofollow", "ugc", "sponsored": // https://developers.google.com/search/docs/crawling-indexing/qualify-outbound-links
			is |= relNoFollow
		case "canonical":
			is |= relCanonical
		case "next":
			is |= relNext
		case "prev", "previous":
			is |= relPrev
		case "alternate":
			is |= relAlternate
		case "amphtml":
			is |= relAMP
		case "stylesheet":
			is |= relStylesheet
		case "icon", "apple-touch-icon", "mask-icon", "fluid-icon":
			is |= relIcon
		case "preload", "modulepreload", "prefetch", "manifest":
			is |= relPreload
		case "dns-prefetch", "preconnect":
			is |= relHint
		default:
			if equalFold(word, "apple-touch-icon-precomposed") {
				is |= relIcon
			} else {
				is |= relOther
			}
		}
	}
}

// kind returns the kind of a link with this rel: of several the one that leads furthest. It returns false if it is but a
// hint to connect.
func (is relSet) kind(other Kind) (Kind, bool) {
	for _, r := range [...]struct {
		rel  relSet
		kind Kind
	}{
		{relCanonical, KindCanonical},
		{relNext, KindNext},
		{relPrev, KindPrev},
		{relStylesheet, KindStylesheet},
		{relIcon, KindIcon},
		{relAlternate, KindAlternate},
		{relAMP, KindAMP},
		{relPreload, KindPreload},
	} {
		if is&r.rel != 0 {
			return r.kind, true
		}
	}
	return other, is&relHint == 0
}
