package crawl

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"pawl/frontier"
	"pawl/storage"
	"pawl/weburl"
)

// How traps are found. A calendar that goes on for ever, session ids in paths,
// every combination of filters: what they have in common is that addresses of
// one form come by the thousand and bring nothing new. So for each form on a
// host (see weburl.Pattern) it is counted how many addresses were met and how
// many of the pages last fetched were worth it. A form is parked when
//
//   - formFound addresses of it were met,
//   - formFetched pages of it were fetched, and
//   - of the last window pages at most maxFresh were fresh.
//
// A page is fresh when something on it is new on its host: one of its chunks (see
// page.Chunk) or images. In a chunk neither digits alone are new, which a calendar
// has, nor words of the page's own address, which a page that is not there repeats;
// one of the two is enough when the addresses of the form are found elsewhere, as
// those of a catalogue are on its lists. It is not when nearly all were found on
// pages of the form itself. When these also combine a few values of several
// parameters, a tenth of the chunks must be new: the caption of a combination of
// filters is always new. And a page is fresh, whatever it says, when it brings a new
// address of another form that is worth it itself: so do lists.
//
// Addresses that a sitemap lists, or the user names, are neither counted nor
// parked. What is counted is of hosts that are large enough; memory is bounded,
// and what is forgotten looks new, which parks less. It is kept in the file when a
// run ends, and every few minutes (trapkept.go).
const (
	watchFrom   = 64 // pages fetched from a host, from which on it is watched
	formFound   = 1000
	formFetched = 300
	window      = 256
	maxFresh    = window / 50
	// provenFrom is how many pages show whether a form is worth it.
	provenFrom = 48
	// manyWords is how many different words a segment may have at one place before
	// they count as one form.
	manyWords = 50
	// deepFrom is from how many segments on all addresses of a host are one more
	// form together.
	deepFrom = 7
	deepForm = "/*/*/*/*/*/*/**"

	maxWatched = 256             // hosts
	idleFrom   = 50 * maxWatched // pages of others, after which a host makes room
	maxCost    = 32 << 20        // of all of them beside chunks, in bytes, about
	maxForms   = 2000            // of a host
	maxPlaces  = 1000            // of a host, where segments are told apart
	minChunks  = 1 << 8          // that a host has said lately
	maxChunks  = 1 << 16         // likewise
	allChunks  = 1 << 22         // of all hosts
	maxPattern = 1000            // bytes
	// How many patterns are ever parked on a host, and in a crawl.
	maxParksOfHost = 64
	maxParks       = 4000
)

// traps finds them. It is used by the goroutine that owns the frontier.
type traps struct {
	frontier *frontier.Frontier
	parking  *parking
	hosts    map[string]*watched
	chunks   int // that are remembered, or for which there is room
	cost     int // of all hosts
	turn     int64
	gone     []string // hosts that are watched no more, and may be kept in the file
	from     int      // pages fetched from a host, from which on it is watched
	full     int64    // turn before which no room is looked for
	keptAt   int64    // turn at which what has changed was last kept
}

func newTraps(f *frontier.Frontier, p *parking) traps {
	return traps{frontier: f, parking: p, hosts: map[string]*watched{}, from: watchFrom}
}

// What is remembered of the pages of a host, as hashes.
const (
	words = iota // of page.Chunk
	rest
	loose
	image
	kinds
)

// watched is a host with what is counted of it.
type watched struct {
	forms  map[string]*form
	places map[string]map[uint64]struct{} // hashes of the words met behind a path; nil: too many
	said   [kinds]recently                // hashes of chunks and images that were met
	size   int                            // of these, as the traps know it
	cost   int                            // bytes of the rest, about
	known  int                            // likewise, as the traps know it
	used   int64
}

// form is the addresses of a host that have a pattern in common.
type form struct {
	pattern string
	found   int
	bred    int // of these, on pages of the same form
	fetched int
	fresh   int
	worth   lately   // fresh, for its text or its links
	content lately   // fresh for its text
	values  *variety // of several parameters
	parked  bool
}

// variety tells roughly how many different values the parameters of a form have,
// by linear counting (Whang et al., 1990) in a few bits for each.
type variety [8][4]uint64

func (v *variety) add(query string) {
	for param := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(param, "=")
		bit := xxh3.HashString(value) % 256
		v[xxh3.HashString(name)%uint64(len(v))][bit/64] |= 1 << (bit % 64)
	}
}

// most is the number of values of the parameter that has the most.
func (v *variety) most() int {
	most := 0.0
	for i := range v {
		free := 256
		for _, word := range v[i] {
			free -= bits.OnesCount64(word)
		}
		if free == 0 {
			return math.MaxInt
		}
		most = max(most, -256*math.Log(float64(free)/256))
	}
	return int(most)
}

// combines tells whether the addresses are combinations of few values.
func (f *form) combines() bool { return f.values != nil && f.values.most() <= f.found/10 }

// breedsItself tells whether nearly all addresses were found on pages of the
// form.
func (f *form) breedsItself() bool { return f.found > 0 && f.bred*10 >= f.found*9 }

// isStale tells whether enough pages have shown that it is not worth it.
func (f *form) isStale() bool {
	n := min(f.fetched, window)
	return n >= provenFrom && f.content.count()*20 <= n
}

func (f *form) isTrap() bool {
	return f.found >= formFound && f.fetched >= formFetched && f.worth.count() <= maxFresh
}

// lately remembers a yes or no of the last window pages.
type lately struct {
	bits [window / 64]uint64
	next int
	n    int
}

func (l *lately) push(yes bool) {
	word, bit := &l.bits[l.next/64], uint64(1)<<(l.next%64)
	if *word&bit != 0 {
		l.n--
	}
	*word &^= bit
	if yes {
		*word |= bit
		l.n++
	}
	l.next = (l.next + 1) % window
}

func (l *lately) count() int { return l.n }

// read takes the bits over from bytes.
func (l *lately) read(b []byte) {
	l.n = 0
	for i := range l.bits {
		l.bits[i] = binary.LittleEndian.Uint64(b[8*i:])
		l.n += bits.OnesCount64(l.bits[i])
	}
}

// recently is a set that forgets what it was told longest ago, more or less.
type recently struct {
	slots []uint32 // in groups of ways, the newest of each first; 0 is free
	n     int
}

const ways = 8

// meet tells whether a hash is new, and remembers it. most is how large the set
// may be.
func (r *recently) meet(h uint32, most int) bool {
	if r.n >= len(r.slots)/4 && len(r.slots) < most { // any fuller, and full groups forget what comes again and again
		old := r.slots
		r.slots, r.n = make([]uint32, max(minChunks, 4*len(old))), 0
		for _, h := range slices.Backward(old) {
			if h != 0 {
				r.meet(h, 0)
			}
		}
	}
	groups := len(r.slots) / ways
	at := int(uint64(h) * uint64(groups) >> 32 * ways)
	group := r.slots[at : at+ways]
	i := slices.Index(group, h)
	isNew := i < 0
	if isNew {
		i = ways - 1
		if group[i] == 0 {
			r.n++
		}
	}
	copy(group[1:i+1], group[:i])
	group[0] = h
	return isNew
}

// host gives a host that is watched, nil when it is too small for that.
func (t *traps) host(name string) *watched {
	t.turn++
	if w := t.hosts[name]; w != nil {
		w.used = t.turn
		return w
	}
	if t.frontier.Fetched(name) < t.from {
		return nil
	}
	if len(t.hosts) >= maxWatched && !t.makeRoom() {
		return nil
	}
	w := &watched{forms: map[string]*form{}, places: map[string]map[uint64]struct{}{}, used: t.turn}
	t.hosts[name] = w
	return w
}

// makeRoom drops a host that seems to be done with. Hosts take turns: if each made
// room for the next, none would be watched for long enough.
func (t *traps) makeRoom() bool {
	if t.turn < t.full {
		return false
	}
	t.full = t.turn + maxWatched // it takes a while to look at all
	if oldest := t.oldest(); t.hosts[oldest].used < t.turn-idleFrom {
		t.forget(oldest)
		return true
	}
	return false
}

// oldest is the host that was used longest ago.
func (t *traps) oldest() (oldest string) {
	for name, w := range t.hosts {
		if oldest == "" || w.used < t.hosts[oldest].used {
			oldest = name
		}
	}
	return oldest
}

func (t *traps) forget(oldest string) {
	t.chunks -= t.hosts[oldest].size
	t.cost -= t.hosts[oldest].known
	delete(t.hosts, oldest)
	t.gone = append(t.gone, oldest)
}

// room takes in what the host costs now, and tells how many of its chunks may be
// remembered.
func (t *traps) room(w *watched) int {
	size := 0
	for i := range w.said {
		size += len(w.said[i].slots)
	}
	t.chunks += size - w.size
	w.size = size
	t.cost += w.cost - w.known
	w.known = w.cost
	for t.cost > maxCost && len(t.hosts) > 1 {
		t.forget(t.oldest()) // another one: this is in use
	}
	if t.chunks > allChunks {
		return minChunks
	}
	return maxChunks
}

// formsOf gives the forms of an address, from the narrowest on.
func (w *watched) formsOf(u weburl.URL, dst []*form) []*form {
	shape := u.Shape()
	var b strings.Builder
	for _, segment := range shape.Segments {
		if w.isOneOfMany(b.String(), segment) {
			segment = "*"
		}
		b.WriteByte('/')
		b.WriteString(segment)
	}
	pattern := b.String()
	if names := shape.Query; names != "" {
		several := strings.Contains(names, "&")
		dst = w.form(dst, pattern+"?"+names, several)
		dst = w.form(dst, pattern+"?*", several)
	} else {
		dst = w.form(dst, pattern, false)
	}
	if len(shape.Segments) >= deepFrom && shape.Query == "" {
		dst = w.form(dst, deepForm, false)
	}
	return dst
}

func (w *watched) form(dst []*form, pattern string, several bool) []*form {
	if len(pattern) > maxPattern {
		return dst
	}
	f := w.forms[pattern]
	if f == nil {
		if len(w.forms) >= maxForms {
			w.forget()
		}
		f = &form{pattern: pattern}
		w.cost += formCost + len(pattern)
		if several {
			f.values = new(variety)
			w.cost += varietyCost
		}
		w.forms[pattern] = f
	}
	return append(dst, f)
}

// forget makes room for other forms: those that are too small to say anything
// go, or else all.
func (w *watched) forget() {
	for pattern, f := range w.forms {
		if f.fetched < provenFrom {
			delete(w.forms, pattern)
		}
	}
	if len(w.forms) > maxForms/2 {
		clear(w.forms)
	}
	w.count()
}

// What things take, in bytes, about.
const (
	formCost    = 300
	varietyCost = 256
	placeCost   = 120
	wordCost    = 20
)

// count reckons anew what the host costs.
func (w *watched) count() {
	w.cost = 0
	for pattern, f := range w.forms {
		w.cost += formCost + len(pattern)
		if f.values != nil {
			w.cost += varietyCost
		}
	}
	for path, met := range w.places {
		w.cost += placeCost + len(path) + wordCost*len(met)
	}
}

// isOneOfMany tells whether very many different segments were met behind a path.
// Of the segment it keeps nothing: that is a part of a page.
func (w *watched) isOneOfMany(path, segment string) bool {
	met, ok := w.places[path]
	switch {
	case ok && met == nil:
		return true
	case !ok && (len(w.places) >= maxPlaces || len(path) > maxPattern):
		return false
	case !ok:
		met = map[uint64]struct{}{}
		w.places[path] = met
		w.cost += placeCost + len(path)
	}
	n := len(met)
	met[xxh3.HashString(segment)] = struct{}{}
	w.cost += wordCost * (len(met) - n)
	if len(met) > manyWords {
		w.places[path] = nil
		w.cost -= wordCost * len(met)
		return true
	}
	return false
}

// saw takes in a page that was fetched, with those of its links that are new, as
// they were judged. It gives what is to be parked; nil: nothing.
func (t *traps) saw(u weburl.URL, r *result) (park *storage.Park) {
	w := t.host(u.Host())
	if w == nil || r.task.job.Found.Listed || r.task.job.Found.Seed || t.parking.isWanted(u) {
		return nil
	}
	var space, linkSpace [3]*form
	forms := w.formsOf(u, space[:0])
	leads := false // to something that may be worth it
	for i := range r.links {
		c := &r.links[i]
		if c.Reason != storage.NoReason || c.Listed {
			continue
		}
		to := weburl.URL(c.URL)
		if to.Host() != u.Host() {
			leads = true
			continue
		}
		if w.found(to, forms, w.formsOf(to, linkSpace[:0])) {
			leads = true
		}
	}
	var fresh [kinds]int
	most := t.room(w)
	meet := func(kind int, hash uint32) {
		if hash != 0 && w.said[kind].meet(hash, most) {
			fresh[kind]++
		}
	}
	for _, c := range r.chunks {
		meet(words, c.Words)
		meet(rest, c.Rest)
		meet(loose, c.Loose)
	}
	for _, hash := range r.images {
		meet(image, hash)
	}
	// Of the last pages that were on their way when it was parked.
	parked := slices.ContainsFunc(forms, func(f *form) bool { return f.parked })
	for _, f := range forms {
		content := f.isNew(&fresh, r)
		f.fetched++
		f.content.push(content)
		f.worth.push(content || leads)
		if content || leads {
			f.fresh++
		}
		if !parked && f.isTrap() {
			f.parked, parked = true, true // the narrowest is enough for now
			park = &storage.Park{Host: u.Host(), Pattern: f.pattern, Found: f.found, Fetched: f.fetched, New: f.fresh}
		}
	}
	return park
}

// found counts a link to an address of the forms to, on a page of the forms
// from. It tells whether it leads to something else that may be worth it.
func (w *watched) found(u weburl.URL, from, to []*form) (leads bool) {
	leads = true
	for _, f := range to {
		f.found++
		if f.values != nil {
			f.values.add(u.Query())
		}
		for _, own := range from {
			if own == f {
				f.bred++
				leads = false
			}
		}
		leads = leads && !f.isStale()
	}
	return leads
}

// isNew tells whether what a page of the form shows counts as new. fresh is how
// much of it was not met before.
func (f *form) isNew(fresh *[kinds]int, r *result) bool {
	switch {
	case r.visit.DuplicateOf != "":
		return false
	case !r.isPage:
		return len(r.visit.ContentHash) > 0
	case f.breedsItself() && f.combines():
		return fresh[loose]*10 >= max(len(r.chunks), 1)
	case fresh[loose] > 0 || fresh[image] > 0:
		return true
	}
	return (fresh[words] > 0 || fresh[rest] > 0) && !f.breedsItself()
}

// watch has traps found among what was fetched, and parks them.
func (l *loop) watch(r *result, at time.Time) error {
	if l.settings.KeepTraps {
		return nil
	}
	p := l.traps.saw(weburl.URL(r.task.job.URL), r)
	switch {
	case p == nil:
		return nil
	case l.scope.parking.isFull(p.Host), len(l.frontier.Parks()) >= maxParks:
		l.log.Warn("addresses of this pattern bring nothing new, but too many are parked already; they are followed", "host", p.Host, "pattern", p.Pattern)
		return nil
	}
	l.log.Warn("addresses of this pattern bring nothing new; they are parked",
		"host", p.Host, "pattern", p.Pattern, "found", p.Found, "fetched", p.Fetched, "new", p.New)
	return l.frontier.Park(*p, at)
}
