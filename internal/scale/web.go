package main

import (
	"fmt"
	"math/rand/v2"
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

	// seeds is how many addresses a crawl begins with, when it has not more
	// hosts than that.
	seeds = 5000
)

// web is an endless web of some hosts. The address of the n-th page of a host
// follows from the two numbers, so all that is kept is how many pages of each
// host have been linked to.
type web struct {
	Counts []uint32 // by host
	Turns  []uint32 // the hosts, the one that was asked longest ago first
	rand   *rand.Rand
	text   []byte
	before []uint32 // Counts when the portion was begun
}

func newWeb(hosts int, seed uint64) *web {
	w := &web{Counts: make([]uint32, hosts), Turns: make([]uint32, hosts)}
	for h := range w.Turns {
		w.Turns[h] = uint32(h)
	}
	w.reseed(seed)
	return w
}

func (w *web) reseed(seed uint64) { w.rand = rand.New(rand.NewPCG(seed, uint64(len(w.Counts)))) }

// known is how many addresses have been linked to.
func (w *web) known() (n uint64) {
	for _, c := range w.Counts {
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
// Pages that were linked to together mostly stand in one folder.
func appendURL(b []byte, host, n uint32) []byte {
	b = appendHost(append(b, "https://"...), host)
	folder := scramble(uint64(host)<<32 | uint64(n/newOwn))
	b = append(append(b, '/'), sections[folder%uint64(len(sections))]...)
	b = append(append(b, '/'), topics[folder>>16%uint64(len(topics))]...)
	x := scramble(uint64(n)<<32 | uint64(host))
	b = append(append(b, '/'), words[x%uint64(len(words))]...)
	b = append(append(b, '-'), words[x>>16%uint64(len(words))]...)
	b = strconv.AppendUint(append(b, '-'), uint64(n), 10)
	return append(b, ".html"...)
}

// portion is pages that were made before they are needed, so that making them
// does not count as the crawler's work.
type portion struct {
	pages  []answer
	first  int      // the pages before are used
	hosts  []uint32 // that the pages are for; used, when the page is
	asked  []uint32 // the hosts of the jobs, in order
	missed int      // pages that were used for a job of another host
	links  []frontier.Candidate
}

// answer is what came of a job.
type answer struct {
	visit storage.Visit
	links []frontier.Candidate
}

const (
	used = ^uint32(0)
	// A page is looked for among so many.
	lookAhead = 512
)

// take gives the answer for a job of the host.
func (p *portion) take(host uint32) *answer {
	p.asked = append(p.asked, host)
	for p.hosts[p.first] == used {
		p.first++
	}
	i := p.first
	for k, h := range p.hosts[i:min(i+lookAhead, len(p.hosts))] {
		if h == host {
			i += k
			break
		}
	}
	if p.hosts[i] != host {
		p.missed++
	}
	p.hosts[i] = used
	return &p.pages[i]
}

func (p *portion) reset(n int) {
	if cap(p.pages) < n {
		p.pages, p.hosts, p.asked = make([]answer, n), make([]uint32, n), make([]uint32, 0, n)
	}
	p.pages, p.hosts, p.asked = p.pages[:n], p.hosts[:n], p.asked[:0]
	p.first, p.missed = 0, 0
}

// fill makes the next n pages. With allText the links that are known have
// their text too, which nobody looks at but who hashes them anew.
func (w *web) fill(p *portion, n int, hash func([]byte) uint64, allText bool) {
	p.reset(n)
	if cap(p.links) < n*pageLinks {
		p.links = make([]frontier.Candidate, n*pageLinks)
	}
	// Not used again: the crawler may keep a part of an address.
	size := newLinks
	if allText {
		size = pageLinks
	}
	w.text = make([]byte, 0, n*size*100)
	// What a page of the portion brings is not known to the others, for they may
	// be used in another order.
	w.before = append(w.before[:0], w.Counts...)
	for i := range p.pages {
		h := w.Turns[i%len(w.Turns)]
		p.hosts[i] = h
		p.pages[i].visit = w.visit(h)
		links := p.links[i*pageLinks : i*pageLinks : (i+1)*pageLinks]
		link := func(host, n uint32, withText bool) {
			at := len(w.text)
			w.text = appendURL(w.text, host, n)
			url := w.text[at:len(w.text):len(w.text)]
			c := frontier.Candidate{FP: hash(url)}
			c.Kind = uint8(page.KindA)
			if withText {
				c.URL = unsafe.String(&url[0], len(url)) // written once
				c.Anchor = words[n%uint32(len(words))]
			} else {
				w.text = w.text[:at]
			}
			links = append(links, c)
		}
		for k := range uint32(navigation) {
			link(h, k%w.before[h], allText)
		}
		for range knownOwn {
			link(h, w.rand.Uint32N(w.before[h]), allText)
		}
		for range knownAny {
			g := w.rand.Uint32N(uint32(len(w.Counts)))
			link(g, w.rand.Uint32N(w.before[g]), allText)
		}
		for range newOwn {
			link(h, w.Counts[h], true)
			w.Counts[h]++
		}
		for range newElsewhere {
			g := w.rand.Uint32N(uint32(len(w.Counts)))
			link(g, w.Counts[g], true)
			w.Counts[g]++
		}
		p.pages[i].links = links
	}
}

// fillEmpty makes pages without links.
func (w *web) fillEmpty(p *portion, n int) {
	p.reset(n)
	for i := range p.pages {
		h := w.Turns[i%len(w.Turns)]
		p.hosts[i] = h
		p.pages[i] = answer{visit: w.visit(h)}
	}
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
		Outcome: storage.Fetched, Status: 200,
		Record: storage.Record{
			ContentType: "text/html; charset=utf-8", Charset: "utf-8", Language: "en",
			Title:           title + " | " + names[host%uint32(len(names))],
			MetaDescription: "All about " + title + ", with pictures and prices",
			H1:              title,
			Outlinks:        pageLinks, Size: 20_000 + int64(x>>24%40_000), ContentHash: hash, WordCount: 300 + uint32(x>>48%900),
			ETag: `"5f3-` + strconv.FormatUint(x, 36) + `"`,
			TTFB: 40 + uint32(x>>32%100), HTTPVersion: "HTTP/2.0", IP: "203.0.113.7", Worker: 1 + uint16(x%workers),
		},
	}
}

// served notes in which order hosts were asked, which is the order of their
// next turns.
func (w *web) served(p *portion) {
	last := make(map[uint32]int, len(p.asked))
	for i, h := range p.asked {
		last[h] = i
	}
	waiting := w.Turns[:0]
	for _, h := range w.Turns {
		if _, ok := last[h]; !ok {
			waiting = append(waiting, h)
		}
	}
	for i, h := range p.asked {
		if last[h] == i {
			waiting = append(waiting, h)
		}
	}
	w.Turns = waiting
}

// seedLinks gives the seeds of each host in turn.
func (w *web) seedLinks(hash func([]byte) uint64, yield func([]frontier.Candidate) error) error {
	each := max(1, seeds/len(w.Counts))
	var links []frontier.Candidate
	for h := range w.Counts {
		for range each {
			url := appendURL(nil, uint32(h), w.Counts[h])
			w.Counts[h]++
			c := frontier.Candidate{FP: hash(url)}
			c.URL, c.Kind = string(url), uint8(page.KindSeed)
			links = append(links, c)
		}
		if len(links) >= storage.MaxLinks || h == len(w.Counts)-1 {
			for len(links) > 0 {
				n := min(len(links), storage.MaxLinks)
				if err := yield(links[:n]); err != nil {
					return fmt.Errorf("seeds: %w", err)
				}
				links = links[n:]
			}
		}
	}
	return nil
}
