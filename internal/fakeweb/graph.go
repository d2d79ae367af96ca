package fakeweb

import (
	"strconv"
	"strings"
)

// Kind says what stands behind an address.
type Kind uint8

// The kinds. Those from NotFound to Binary are the faults of [Faults].
const (
	Healthy     Kind = iota // an HTML page
	NotFound                // 404
	ServerError             // 500
	Redirect                // a redirect to a healthy page
	Chain                   // the first redirect of a chain
	Loop                    // a redirect into a loop
	Bounce                  // a redirect to itself with a tracking parameter, then a page
	Throttled               // 429 or 503 at first, then a page
	Slow                    // a page that takes its time
	Reset                   // no answer
	Cut                     // half an answer
	Binary                  // PDF or PNG
	kindFaulty              // how many kinds a page can be of
	Hop                     // a redirect inside a chain or loop
	Private                 // a page that robots.txt forbids
	Nofollow                // a page that only nofollow links lead to
	Asset                   // style, script or image
)

// String returns the name of the kind in lower case.
func (k Kind) String() string {
	names := [...]string{
		"healthy", "not found", "server error", "redirect", "chain", "loop", "bounce",
		"throttled", "slow", "reset", "cut", "binary", "?",
		"hop", "private", "nofollow", "asset",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// place says which family of addresses a node is in.
type place uint8

const (
	placePage place = iota
	placePrivate
	placeNofollow
	placeHop
	placeAsset
	placeLost // addresses that only comments, scripts and error pages hold
)

// node is an address of the web: host h, number n and, for a hop, its step k.
type node struct {
	place place
	h, n  int
	k     int
}

// mix is the finisher of SplitMix64: a bijection whose output bits all depend
// on all input bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const golden = 0x9e3779b97f4a7c15

// chance is a stream of pseudo-random numbers, SplitMix64.
type chance uint64

func (c *chance) next() uint64 {
	*c += golden
	return mix(uint64(*c))
}

// below returns a number from 0 to n-1.
func (c *chance) below(n int) int { return int(c.next() >> 1 % uint64(n)) }

// What a page's number is hashed for. Each use has numbers of its own, so that
// changing one leaves the others as they are.
const (
	forPath uint64 = iota + 1
	forKind
	forTitle
	forLinks
	forTarget
	forBody
	forLook
	forPrivate
	forNofollow
	forGzip
	forStatus
)

func (w *Web) hash(h, n int, use uint64) uint64 {
	return mix(mix(mix(w.o.Seed+use*golden)+uint64(h)*golden) + uint64(n)*golden)
}

// kind says how page n of host h behaves.
func (w *Web) kind(h, n int) Kind {
	if n < w.interior {
		return Healthy
	}
	x := w.hash(h, n, forKind) % 1000
	for k := NotFound; k < kindFaulty; k++ {
		if x < w.faults[k] {
			return k
		}
	}
	return Healthy
}

// isPage says whether a page of kind k is HTML in the end.
func isPage(k Kind) bool {
	return k == Healthy || k == Bounce || k == Throttled || k == Slow
}

func (w *Web) linksPrivate(h, n int) bool {
	return w.o.Private > 0 && (n == 0 || int(w.hash(h, n, forPrivate)%1000) < w.o.Private)
}

func (w *Web) linksNofollow(h, n int) bool {
	return w.o.Nofollow > 0 && (n == 0 || int(w.hash(h, n, forNofollow)%1000) < w.o.Nofollow)
}

// look is what the head of a page says beside its title.
type look struct {
	base      string // path of the base element, "" without
	noindex   bool
	nofollow  bool // the page asks that none of its links be followed
	canonical bool
	lost      bool // a comment and a script hold addresses that are none
	etag      bool
	modified  bool
}

func (w *Web) look(h, n int) look {
	x := w.hash(h, n, forLook)
	l := look{
		noindex:   x%32 == 1,
		canonical: x>>8%4 == 0,
		lost:      x>>16%8 == 0,
		etag:      x>>24%2 == 0,
		modified:  x>>32%2 == 0,
	}
	if n > 0 && x>>40%16 == 0 {
		l.base = bases[x>>48%uint64(len(bases))]
	}
	// Only leaves: an inner page that forbids its links would cut the tree.
	l.nofollow = n >= w.interior && x>>52%64 == 0
	return l
}

var bases = [...]string{"/", "/amber/", "/north/harbour/"}

// form is how a link is spelled.
type form uint8

const (
	formPath form = iota
	formRelative
	formAbsolute
	formNoScheme
	formFragment
	formTracking
	formDots
	formUpper
	formPort
	formBlanks
	formBackslash
	formRaw
)

// Odds of the spellings, most of them plain.
var (
	ownForms = [64]form{
		27: formRaw,
		28: formRelative, formRelative, formRelative, formRelative, formRelative, formRelative, formRelative, formRelative,
		36: formRelative, formRelative, formRelative, formRelative, formRelative, formRelative, formRelative, formRelative,
		44: formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute, formNoScheme,
		52: formFragment, formFragment, formFragment, formFragment, formTracking, formTracking, formTracking, formDots,
		60: formUpper, formPort, formBlanks, formBackslash,
	}
	crossForms = [16]form{
		formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute, formAbsolute,
		formAbsolute, formNoScheme, formNoScheme, formFragment, formTracking, formTracking, formUpper, formPort,
	}
)

// link is one link of a page.
type link struct {
	to       node
	form     form
	nofollow bool
	anchor   uint16
}

// links appends the links of page n of host h to dst: all that can be followed
// and no other, in the order of the page.
func (w *Web) links(names *names, h, n int, dst []link) []link {
	c := chance(w.hash(h, n, forLinks))
	add := func(to node, nofollow bool) {
		x := c.next()
		f := ownForms[x%uint64(len(ownForms))]
		if to.h != h {
			f = crossForms[x%uint64(len(crossForms))]
		}
		dst = append(dst, link{to: to, form: f, nofollow: nofollow, anchor: uint16(x >> 32)})
	}
	for i := range min(w.o.Pages, 5) {
		dst = append(dst, link{to: node{h: h, n: i}, anchor: uint16(i)})
	}
	if n > 0 {
		add(node{h: h, n: (n - 1) / w.o.Fanout}, false)
	}
	if w.linksPrivate(h, n) {
		add(node{place: placePrivate, h: h, n: n}, false)
	}
	if w.linksNofollow(h, n) {
		add(node{place: placeNofollow, h: h, n: n}, true)
	}
	children := 0
	for child := n*w.o.Fanout + 1; child < w.o.Pages && children < w.o.Fanout; child++ {
		add(node{h: h, n: child}, false)
		children++
	}
	for i := 1; i <= w.o.LinksPerPage-children; i++ {
		to := node{h: h, n: c.below(w.o.Pages)}
		if w.o.CrossEvery > 0 && i%w.o.CrossEvery == 0 && names.hosts > 1 {
			to.h = (h + 1 + c.below(names.hosts-1)) % names.hosts
		}
		add(to, c.next()%32 == 0)
	}
	return dst
}

// redirect says where page n of host h, or a hop, points to, and by which
// status.
func (w *Web) redirect(names *names, from node) (to node, status int) {
	statuses := [...]int{301, 302, 303, 307, 308}
	x := w.hash(from.h, from.n, forStatus)
	status = statuses[(x+uint64(from.k))%uint64(len(statuses))]
	kind := w.kind(from.h, from.n)
	hop := func(k int) node { return node{place: placeHop, h: from.h, n: from.n, k: k} }
	switch {
	case kind == Bounce:
		return from, status
	case kind == Loop:
		return hop(1 + from.k%2), status
	case kind == Chain && from.k < w.o.Faults.ChainHops:
		return hop(from.k + 1), status
	}
	c := chance(w.hash(from.h, from.n, forTarget))
	to = node{h: from.h, n: c.below(w.interior)}
	if w.o.CrossEvery > 0 && names.hosts > 1 && c.below(4) == 0 {
		to.h = (from.h + 1 + c.below(names.hosts-1)) % names.hosts
	}
	return to, status
}

// appendPath appends path and query of p in their canonical spelling.
func (w *Web) appendPath(dst []byte, p node) []byte {
	number := func(dst []byte) []byte { return strconv.AppendInt(dst, int64(p.n), 10) }
	switch p.place {
	case placePrivate:
		return number(append(dst, "/private/"...))
	case placeNofollow:
		return number(append(dst, "/nofollow/"...))
	case placeLost:
		return number(append(dst, "/lost/"...))
	case placeAsset:
		return append(dst, assets[p.n].path...)
	case placeHop:
		dst = append(number(append(dst, "/hop/"...)), '/')
		return strconv.AppendInt(dst, int64(p.k), 10)
	}
	if p.n == 0 {
		return append(dst, '/')
	}
	x := w.hash(p.h, p.n, forPath)
	word := func(dst []byte, shift int) []byte {
		return append(dst, words[x>>shift%uint64(len(words))]...)
	}
	dst = append(dst, '/')
	switch x % 16 {
	default:
		dst = append(word(dst, 8), '/')
		return append(number(append(word(dst, 16), '-')), ".html"...)
	case 9, 10, 11:
		return append(number(append(word(dst, 8), '/')), '/')
	case 12, 13:
		return number(append(word(dst, 8), "/view?id="...))
	case 14:
		return append(number(append(word(append(dst, "caf%C3%A9/"...), 8), '-')), ".html"...)
	case 15:
		dst = append(word(dst, 8), '/')
		dst = append(word(dst, 16), '/')
		return append(number(append(word(dst, 24), '-')), ".html"...)
	}
}

// find returns the node of host h with the given path and query, and whether a
// tracking parameter came with it.
func (w *Web) find(h int, target string) (p node, tracked, ok bool) {
	path, query, hasQuery := strings.Cut(target, "?")
	if hasQuery {
		if query, tracked = dropTracking(query); tracked {
			target = path
			if query != "" {
				target += "?" + query
			}
		}
	}
	p.h = h
	dir, rest, _ := strings.Cut(target[min(1, len(target)):], "/")
	switch dir {
	case "":
		return p, tracked, target == "/"
	case "private":
		p.place = placePrivate
	case "nofollow":
		p.place = placeNofollow
	case "lost":
		p.place = placeLost
	case "hop":
		p.place = placeHop
		number, step, _ := strings.Cut(rest, "/")
		p.n, _ = strconv.Atoi(number)
		p.k, _ = strconv.Atoi(step)
		ok = p.n > 0 && p.n < w.o.Pages && p.k > 0
		switch {
		case ok && w.kind(h, p.n) == Loop:
			ok = p.k <= 2
		case ok && w.kind(h, p.n) == Chain:
			ok = p.k <= w.o.Faults.ChainHops
		default:
			ok = false
		}
		return p, tracked, ok
	case "assets":
		for i := range assets {
			if assets[i].path == target {
				return node{place: placeAsset, h: h, n: i}, tracked, true
			}
		}
		return p, tracked, false
	}
	if p.n, ok = lastNumber(target); !ok || p.n >= w.o.Pages {
		return p, tracked, false
	}
	switch p.place {
	case placePrivate:
		ok = w.linksPrivate(h, p.n)
	case placeNofollow:
		ok = w.linksNofollow(h, p.n)
	}
	// The number alone would let any path with that number in it pass.
	var room [128]byte
	return p, tracked, ok && string(w.appendPath(room[:0], p)) == target
}

// lastNumber reads the last run of digits in s.
func lastNumber(s string) (n int, ok bool) {
	isDigit := func(b byte) bool { return '0' <= b && b <= '9' }
	end := len(s)
	for end > 0 && !isDigit(s[end-1]) {
		end--
	}
	start := end
	for start > 0 && isDigit(s[start-1]) {
		start--
	}
	n, err := strconv.Atoi(s[start:end])
	return n, err == nil
}

// dropTracking returns the query without tracking parameters and whether it
// had any.
func dropTracking(query string) (kept string, dropped bool) {
	var keep []string
	for part := range strings.SplitSeq(query, "&") {
		if strings.HasPrefix(part, "utm_") || strings.HasPrefix(part, "gclid=") || strings.HasPrefix(part, "fbclid=") {
			dropped = true
		} else {
			keep = append(keep, part)
		}
	}
	if !dropped {
		return query, false
	}
	return strings.Join(keep, "&"), true
}

// names says under which addresses the hosts are reached.
type names struct {
	hosts  int      // how many hosts there are; links go to no other
	roots  []string // by host, without the last slash; nil means hN.test
	scheme string
	port   string // of hN.test, as ":8080" or ""
}

func (v *names) appendRoot(dst []byte, h int) []byte {
	if v.roots != nil {
		return append(dst, v.roots[h]...)
	}
	dst = append(dst, v.scheme...)
	dst = append(dst, "://h"...)
	dst = strconv.AppendInt(dst, int64(h), 10)
	return append(append(dst, ".test"...), v.port...)
}

// appendURL appends the canonical address of p.
func (w *Web) appendURL(dst []byte, names *names, p node) []byte {
	return w.appendPath(names.appendRoot(dst, p.h), p)
}
