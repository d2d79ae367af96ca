// Package fakeweb is a generated web: any number of hosts and pages that look
// like a real site, the same for the same [Options], for tests, benchmarks and
// a demonstration crawl.
//
// Nothing is stored. A page is computed from its host number and page number
// each time it is asked for, so a web of a hundred million pages costs no more
// than one of a hundred. What the web is is known exactly: [Web.Expected]
// enumerates every address that a right crawl reaches, with its outcome.
//
// One [Web] can be reached in three ways. As an [http.RoundTripper] it answers
// in memory under the names h0.test, h1.test and so on, without sockets and
// goroutines, so that it works inside testing/synctest. As an [http.Handler]
// it answers any server. [Web.Start] serves each host on a loopback port of
// its own.
//
// # The shape of a host
//
// Page 0 is the root, with the path "/". Page n > 0 is linked by page
// (n-1)/Fanout, so every page is reached from the root; the last pages of that
// tree, those without children, are its leaves. Pages also link the
// navigation (the root and the first pages), their parent, and other pages
// chosen by chance, as paths, relative, with and without a base element,
// absolute, and now and then in a spelling that only a careful crawler finds to
// be the same: fragments, tracking parameters, dot segments, upper case hosts,
// default ports, blanks, backslashes, raw UTF-8. Comments and scripts hold
// addresses under /lost/ that nobody should ask for, and so do the bodies of
// answers from 400 on.
//
// Faults that end in no page fall on leaves only, so they never cut the tree.
//
// # Other sites
//
// [Sites] are traps and large honest sites, for crawlers that must tell the one
// from the other. [Sitemaps] is a site whose pages only sitemaps name, [Cookies]
// one that opens to those who keep cookies, [Store] an app store with values on
// its pages that are worth having. They too are computed, not stored, work in
// memory and on sockets, and know their own truth.
package fakeweb

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Options says what the web is like. The same options give the same web, byte
// for byte. Start from [Defaults].
type Options struct {
	Seed  uint64 // another seed gives other words, other links, other faults
	Hosts int    // number of hosts, 1 or more
	Pages int    // pages of each host, 1 or more

	// Fanout is how many children a page of the tree has: the number of new
	// pages that a page can bring.
	Fanout int
	// LinksPerPage is how many links a page holds beside navigation, parent and
	// the rare special ones. Children come first and are always all there; the
	// rest go to pages chosen by chance.
	LinksPerPage int
	// CrossEvery makes every CrossEvery-th link chosen by chance go to another
	// host. 0 means none.
	CrossEvery int
	// PageBytes is the least size of an HTML page before compression. A page
	// ends up larger by at most a paragraph and its footer, or when its links
	// alone need more.
	PageBytes int

	// Private and Nofollow are shares, per mille of the pages, that link an
	// address of their own under /private/ (which the default robots.txt
	// forbids) and under /nofollow/ (by a link that must not be followed). The
	// root does so whenever the share is not 0.
	Private, Nofollow int

	Faults Faults

	// Latency is how long an answer for a path on a host takes; nil means no
	// time at all. It must be safe for concurrent use. See [Fixed].
	Latency func(host, path string) time.Duration

	// Robots answers for robots.txt of a host, which is spelled as it was
	// asked for. Status 0 resets the connection. nil means status 200 and
	// [DefaultRobots]. It must be safe for concurrent use.
	Robots func(host string) (status int, body string)

	// Tally says whether requests are counted, see [Tally]. Counts take memory
	// for every address asked.
	Tally bool
}

// Faults says which share of the pages misbehaves, and how. All shares are per
// mille of the leaf pages, except Gzip; their sum may not be over 1000.
type Faults struct {
	NotFound    int // 404
	ServerError int // 500, always
	Redirect    int // to a healthy page, of this host or another
	Chain       int // redirect over ChainHops further redirects to a healthy page
	Loop        int // redirect into two redirects that point at each other
	Bounce      int // redirect to its own address with a tracking parameter, then the page
	Throttled   int // 429 or 503 with Retry-After for the first ThrottleAsks requests, then the page
	Slow        int // the page, after SlowBy
	Reset       int // connection reset before the answer
	Cut         int // connection closed after half of the body
	Binary      int // a PDF or PNG file

	// Gzip is the share of all HTML pages that are sent compressed to those
	// who accept it.
	Gzip int

	ChainHops    int           // redirects in a chain after its first, 1 or more
	ThrottleAsks int           // refusals of a throttled page, counted over the life of the Web
	RetryAfter   time.Duration // sent in whole seconds
	SlowBy       time.Duration
}

// Defaults returns a friendly site for a demonstration: one host with 300
// pages, some of them gone, moved or not HTML, and none that makes a crawler
// wait.
func Defaults() Options {
	return Options{
		Seed:         1,
		Hosts:        1,
		Pages:        300,
		Fanout:       6,
		LinksPerPage: 20,
		CrossEvery:   10,
		PageBytes:    8 << 10,
		Private:      30,
		Nofollow:     20,
		Faults: Faults{
			NotFound: 30, Redirect: 30, Chain: 5, Binary: 20, Gzip: 300,
			ChainHops: 3, ThrottleAsks: 2, RetryAfter: time.Second, SlowBy: time.Second,
		},
		Tally: true,
	}
}

// AllFaults returns faults of every kind, each on 3 % of the leaves, and a
// third of the pages compressed.
func AllFaults() Faults {
	return Faults{
		NotFound: 30, ServerError: 30, Redirect: 30, Chain: 30, Loop: 30, Bounce: 30,
		Throttled: 30, Slow: 30, Reset: 30, Cut: 30, Binary: 30,
		Gzip:      333,
		ChainHops: 3, ThrottleAsks: 2, RetryAfter: 2 * time.Second, SlowBy: 3 * time.Second,
	}
}

// DefaultRobots is the robots.txt of a host unless [Options] has another.
const DefaultRobots = "User-agent: *\nDisallow: /private/\n"

// Fixed returns a latency for [Options] that is d for every answer.
func Fixed(d time.Duration) func(host, path string) time.Duration {
	return func(string, string) time.Duration { return d }
}

// Web is a generated web. It is safe for concurrent use.
type Web struct {
	o        Options
	interior int                // pages below this number have children
	faults   [kindFaulty]uint64 // by Kind: the part of 1000 below which a leaf is of this kind or one before
	names    names              // hN.test over http
	text     text
	tally    Tally
	refusals refusals
	pages    sync.Pool // *[]byte
	gzips    sync.Pool // *gzip.Writer
}

// maxPages bounds hosts and pages so that their numbers can be multiplied and
// hashed without care.
const maxPages = 1 << 31

// New returns the web that o describes, or an error that names what is wrong
// with o.
func New(o Options) (*Web, error) {
	f := o.Faults
	// In the order of Kind, which is how thresholds are found again.
	shares := [kindFaulty]int{
		NotFound: f.NotFound, ServerError: f.ServerError, Redirect: f.Redirect, Chain: f.Chain,
		Loop: f.Loop, Bounce: f.Bounce, Throttled: f.Throttled, Slow: f.Slow,
		Reset: f.Reset, Cut: f.Cut, Binary: f.Binary,
	}
	w := &Web{o: o}
	sum := 0
	for kind, share := range shares {
		if share < 0 || share > 1000 {
			return nil, fmt.Errorf("fakeweb: share of %v is %d, want 0 to 1000", Kind(kind), share)
		}
		sum += share
		w.faults[kind] = uint64(sum)
	}
	between := func(n, low, high int) bool { return low <= n && n <= high }
	switch {
	case !between(o.Hosts, 1, maxPages):
		return nil, fmt.Errorf("fakeweb: %d hosts", o.Hosts)
	case !between(o.Pages, 1, maxPages):
		return nil, fmt.Errorf("fakeweb: %d pages", o.Pages)
	case !between(o.Fanout, 1, 1<<16):
		return nil, fmt.Errorf("fakeweb: fanout %d", o.Fanout)
	case !between(o.LinksPerPage, 0, 1<<16):
		return nil, fmt.Errorf("fakeweb: %d links per page", o.LinksPerPage)
	case o.CrossEvery < 0:
		return nil, fmt.Errorf("fakeweb: cross every %d links", o.CrossEvery)
	case !between(o.PageBytes, 0, 1<<30):
		return nil, fmt.Errorf("fakeweb: %d bytes per page", o.PageBytes)
	case !between(o.Private, 0, 1000), !between(o.Nofollow, 0, 1000), !between(f.Gzip, 0, 1000):
		return nil, errors.New("fakeweb: shares go from 0 to 1000")
	case sum > 1000:
		return nil, fmt.Errorf("fakeweb: faults add up to %d, more than 1000", sum)
	case f.Chain > 0 && !between(f.ChainHops, 1, 1<<16):
		return nil, fmt.Errorf("fakeweb: chains of %d hops", f.ChainHops)
	case f.ThrottleAsks < 0 || f.RetryAfter < 0 || f.SlowBy < 0:
		return nil, errors.New("fakeweb: a negative ThrottleAsks, RetryAfter or SlowBy")
	}
	w.interior = max(1, (o.Pages-1+o.Fanout-1)/o.Fanout)
	w.names = names{hosts: o.Hosts, scheme: "http"}
	w.text = makeText(o.Seed)
	w.tally.on, w.tally.seed = o.Tally, maphash.MakeSeed()
	w.pages.New = func() any { return new([]byte) }
	return w, nil
}

// Seeds returns the addresses of the roots of all hosts in the form that
// [Web.RoundTrip] answers: http://h0.test/ and so on.
func (w *Web) Seeds() []string {
	seeds := make([]string, w.o.Hosts)
	for h := range seeds {
		seeds[h] = "http://h" + strconv.Itoa(h) + ".test/"
	}
	return seeds
}

// Tally returns what the web has counted so far. It is always the same one.
func (w *Web) Tally() *Tally { return &w.tally }

// Reset forgets all requests: the tally is empty and throttled pages refuse
// anew.
func (w *Web) Reset() {
	w.tally.Reset()
	w.refusals.reset()
}

var (
	_ http.Handler      = (*Web)(nil)
	_ http.RoundTripper = (*Web)(nil)
)

// refusals counts the requests for throttled pages, the only pages that
// remember anything.
type refusals struct {
	mu    sync.Mutex
	asked map[node]int
}

// next says whether this request for p is among the first limit ones.
func (r *refusals) next(p node, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked[p] >= limit {
		return false
	}
	if r.asked == nil {
		r.asked = map[node]int{}
	}
	r.asked[p]++
	return true
}

func (r *refusals) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = nil
}
