package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"unsafe"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
)

// A page has 50 links. 8 are new: 7 on its own host and one on another. 42 are
// known: 30 are the navigation that all pages of the host share, 6 are anywhere
// on the host, 6 anywhere at all.
const (
	newOwn       = 7
	newElsewhere = 1
	newLinks     = newOwn + newElsewhere
	navigation   = 30
	knownOwn     = 6
	knownAny     = 6
	pageLinks    = newLinks + navigation + knownOwn + knownAny

	// leastSeeds is how many addresses a crawl begins with, when it has not more
	// hosts than that.
	leastSeeds = 5000
)

// web is an endless web of some hosts. The address of the n-th page of a host
// follows from the two numbers, so all that is kept is how many there are.
type web struct {
	// By host: pages that the crawl has met on the host itself (known links go
	// to these), and pages that other hosts link to.
	Own, Foreign []uint32
	Completed    uint64   // pages taken, each of which brought one foreign page
	Turns        []uint32 // the hosts, the one that was asked longest ago first

	rand *rand.Rand
	text []byte
	// Pages made before they are needed, so that making them does not count as
	// the crawler's work: of each host, and those that are used.
	made   []uint32 // by host: as Own, but with those that the pages bring
	ahead  []pages
	spare  pages
	left   []int    // by host: pages met and not taken
	asked  []uint32 // hosts whose pages were taken, in order
	missed int      // pages that had to be made when they were needed
}

// answer is what came of a job.
type answer struct {
	visit   storage.Visit
	links   []frontier.Candidate
	foreign uint32 // the other host that it links to
	next    *answer
}

// pages is a queue of them.
type pages struct {
	first, last *answer
	n           int
}

func (q *pages) push(a *answer) {
	a.next = nil
	if q.first == nil {
		q.first = a
	} else {
		q.last.next = a
	}
	q.last = a
	q.n++
}

func (q *pages) pop() *answer {
	a := q.first
	if a != nil {
		q.first = a.next
		q.n--
	}
	return a
}

func newWeb(hosts int, seed uint64) *web {
	w := &web{Own: make([]uint32, hosts), Foreign: make([]uint32, hosts), Turns: make([]uint32, hosts)}
	for h := range w.Turns {
		w.Turns[h] = uint32(h)
	}
	w.begin(seed)
	return w
}

// begin makes the web of what is exported.
func (w *web) begin(seed uint64) {
	w.rand = rand.New(rand.NewPCG(seed, uint64(len(w.Own))))
	w.made = slices.Clone(w.Own)
	w.ahead = make([]pages, len(w.Own))
	w.left = make([]int, len(w.Own))
}

// known is how many addresses the crawl has met.
func (w *web) known() uint64 {
	n := w.Completed * newElsewhere
	for _, c := range w.Own {
		n += uint64(c)
	}
	return n
}

var (
	names    = [...]string{"garden", "harbour", "north", "river", "old-mill", "paper", "copper", "station"}
	sections = [...]string{"products", "articles", "forum", "en/docs", "archive", "news", "people", "gallery", "support", "wiki", "shop", "blog"}
	topics   = [...]string{"furniture", "lighting", "history", "outdoor", "software", "cycling", "kitchen", "travel", "music", "science", "textiles", "tools", "health", "weather", "markets", "food"}
	words    = [...]string{"small", "blue", "guide", "modern", "report", "winter", "simple", "review", "classic", "notes", "summer", "bright", "annual", "wooden", "open", "local"}
)

// scramble is the finaliser of splitmix64.
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func appendHost(b []byte, host uint32) []byte {
	b = append(b, names[host%uint32(len(names))]...)
	b = append(b, '-')
	b = appendNumber(b, host, 6)
	return append(b, ".example"...)
}

func appendNumber(b []byte, n uint32, width int) []byte {
	for limit := uint32(10); width > 1; width-- {
		if n < limit {
			b = append(b, '0')
		}
		limit *= 10
	}
	return strconv.AppendUint(b, uint64(n), 10)
}

// appendURL appends the address of the n-th page of a host, 70 bytes or so.
// Even numbers are the host's own pages, odd ones those that others link to.
// Pages that were linked to together mostly stand in one folder.
func appendURL(b []byte, host, n uint32) []byte {
	b = appendHost(append(b, "https://"...), host)
	folder := scramble(uint64(host)<<32 | uint64(n/(2*newOwn)))
	b = append(append(b, '/'), sections[folder%uint64(len(sections))]...)
	b = append(append(b, '/'), topics[folder>>16%uint64(len(topics))]...)
	x := scramble(uint64(n)<<32 | uint64(host))
	b = append(append(b, '/'), words[x%uint64(len(words))]...)
	b = append(append(b, '-'), words[x>>16%uint64(len(words))]...)
	b = strconv.AppendUint(append(b, '-'), uint64(n), 10)
	return append(b, ".html"...)
}

// prepare makes pages ahead, so that the hosts of the next n turns have theirs.
func (w *web) prepare(n int, hash func([]byte) uint64) {
	want := make(map[uint32]int, min(n, len(w.Turns)))
	most := n + len(w.Turns)
	for i := 0; n > 0 && i < most; i++ {
		h := w.Turns[i%len(w.Turns)]
		want[h]++
		if w.ahead[h].n < want[h] {
			w.ahead[h].push(w.page(h, hash))
		}
		// Others come before their turn, as soon as they are linked to.
		if w.left[h] > 0 {
			n--
		}
	}
}

// take gives what comes of a job on the host. It is valid until the next call.
func (w *web) take(host uint32, hash func([]byte) uint64) *answer {
	a := w.ahead[host].pop()
	if a == nil {
		w.missed++
		a = w.page(host, hash)
	}
	w.spare.push(a)
	w.asked = append(w.asked, host)
	w.Own[host] += newOwn
	w.Completed++
	w.left[host] += newOwn - 1
	w.left[a.foreign]++
	return a
}

// takeBare gives a page without links.
func (w *web) takeBare(host uint32) *answer {
	w.asked = append(w.asked, host)
	w.left[host]--
	return &answer{visit: w.visit(host)}
}

// page makes a page. Links that are known have no text: nobody looks at it.
func (w *web) page(h uint32, hash func([]byte) uint64) *answer {
	a := w.spare.pop()
	if a == nil {
		a = &answer{links: make([]frontier.Candidate, 0, pageLinks)}
	}
	a.visit, a.links = w.visit(h), a.links[:0]
	link := func(host, n uint32, isNew bool) {
		const longest = 120
		if cap(w.text)-len(w.text) < longest {
			// Not used again: the crawler may keep a part of an address.
			w.text = make([]byte, 0, 64<<10)
		}
		at := len(w.text)
		text := appendURL(w.text, host, n)[at:]
		c := frontier.Candidate{FP: hash(text)}
		c.Kind = uint8(page.KindA)
		if isNew {
			w.text = w.text[:at+len(text)]
			c.URL = unsafe.String(&text[0], len(text)) // never written to again
			c.Anchor = words[n%uint32(len(words))]
		}
		a.links = append(a.links, c)
	}
	for k := range uint32(navigation) {
		link(h, k%w.Own[h]*2, false)
	}
	for range knownOwn {
		link(h, w.rand.Uint32N(w.Own[h])*2, false)
	}
	for range knownAny {
		g := w.rand.Uint32N(uint32(len(w.Own)))
		link(g, w.rand.Uint32N(w.Own[g])*2, false)
	}
	for range newOwn {
		link(h, w.made[h]*2, true)
		w.made[h]++
	}
	for range newElsewhere {
		g := w.rand.Uint32N(uint32(len(w.Own)))
		link(g, w.Foreign[g]*2+1, true)
		w.Foreign[g]++
		a.foreign = g
	}
	return a
}

// visit is what a page of a host says beside its links, some 240 bytes.
func (w *web) visit(host uint32) storage.Visit {
	x := w.rand.Uint64()
	hash := make([]byte, 16)
	for i := range hash {
		hash[i] = byte(x >> (i * 4))
	}
	title := words[x%16] + " " + words[x>>8%16] + " " + topics[x>>16%16]
	return storage.Visit{
		Ask:     storage.Ask{Asked: true, Took: 50 + uint32(x>>32%200), Transferred: 4000 + int64(x>>40%8000)},
		Outcome: storage.Fetched, Status: 200, ContentHash: hash,
		Record: storage.Record{
			ContentType: "text/html; charset=utf-8", Charset: "utf-8", Language: "en",
			Title:           title + " | " + names[host%uint32(len(names))],
			MetaDescription: "All about " + title + ", with pictures and prices",
			H1:              title,
			Outlinks:        pageLinks, Size: 20_000 + int64(x>>24%40_000), WordCount: 300 + uint32(x>>48%900),
			ETag: `"5f3-` + strconv.FormatUint(x, 36) + `"`,
			TTFB: 40 + uint32(x>>32%100), HTTPVersion: "HTTP/2.0", IP: "203.0.113.7", Worker: 1 + uint16(x%workers),
		},
	}
}

// served orders the turns by which hosts were asked since it was last called.
func (w *web) served() {
	last := make(map[uint32]int, min(len(w.asked), len(w.Turns)))
	for i, h := range w.asked {
		last[h] = i
	}
	waiting := w.Turns[:0]
	for _, h := range w.Turns {
		if _, ok := last[h]; !ok {
			waiting = append(waiting, h)
		}
	}
	for i, h := range w.asked {
		if last[h] == i {
			waiting = append(waiting, h)
		}
	}
	w.Turns, w.asked = waiting, w.asked[:0]
}

// seeds gives the seeds of each host in turn.
func (w *web) seeds(hash func([]byte) uint64, add func([]frontier.Candidate) error) error {
	each := max(1, leastSeeds/len(w.Own))
	var links []frontier.Candidate
	for h := range w.Own {
		for range each {
			url := appendURL(nil, uint32(h), w.Own[h]*2)
			w.Own[h]++
			w.left[h]++
			c := frontier.Candidate{FP: hash(url)}
			c.URL, c.Kind = string(url), uint8(page.KindSeed)
			links = append(links, c)
		}
		if len(links) >= storage.MaxLinks || h == len(w.Own)-1 {
			for part := range slices.Chunk(links, storage.MaxLinks) {
				if err := add(part); err != nil {
					return fmt.Errorf("seeds: %w", err)
				}
			}
			links = links[:0]
		}
	}
	copy(w.made, w.Own)
	return nil
}
