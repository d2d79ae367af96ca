package fakeweb

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SitesOptions says what [Sites] are like. The same options give the same
// sites, byte for byte. Start from [DefaultSites].
type SitesOptions struct {
	Seed    uint64 // another seed gives other words and names
	Content int    // articles beside each trap, 1 to 10,000
	Large   int    // pages of content of each large honest site, 1 to 1,000,000

	// Latency is how long an answer for a path on a host takes; nil means no
	// time at all. It must be safe for concurrent use. See [Fixed].
	Latency func(host, path string) time.Duration

	// Tally says whether requests are counted, see [Tally]. Counts take memory
	// for every address asked.
	Tally bool
}

// DefaultSites returns traps beside 200 articles each and honest sites of 2,000
// pages.
func DefaultSites() SitesOptions {
	return SitesOptions{Seed: 1, Content: 200, Large: 2000, Tally: true}
}

// Sites is a set of generated sites, each with a name of its own: some hold a
// trap, an endless or huge supply of addresses without content, beside real
// content; the others are honest and large, and look like traps to a rash eye.
// Nothing is stored, and no answer depends on an earlier one. Sites are safe for
// concurrent use.
//
// The traps:
//
//   - calendar: month and day pages for ever, both ways; some days of 2026 have
//     events, which only they link
//   - session: every answer links all pages under a fresh id in the path
//   - sessionquery: the same with the id in a parameter
//   - growing: relative links without their slash make paths grow; every address
//     answers the same
//   - facets: a shop whose 6 filters of 8 values, sort orders and page numbers
//     can all be combined
//   - sorts: a list that can be shown in 675 ways
//   - soft404: every unknown address answers 200 and links three others
//   - soft404mixed: the same, with the unknown addresses among the articles
//   - replies: a forum with a reply address for each post, seen from each post
//   - pagination: a blog whose page numbers never end
//
// The honest ones, each of SitesOptions.Large pages of content but where said:
//
//   - catalogue: products under one template, /product/12345, in paged lists
//   - parts: pages that differ in numbers only, /part/6204, in paged lists
//   - archive: news under /2019/05/17/slug, by year and month
//   - forum: threads of one to five pages, /t/123?page=2; at least Large pages
//   - words: a dictionary, one line of text for each /word/headword
//   - queries: articles that only a parameter tells apart, /view.php?id=123
//   - gallery: at most 3,000 photos, /photo/123, with no text but their number
//     and linked only by the next and the previous one
type Sites struct {
	o     SitesOptions
	lex   *lexicon
	stage *stage
	sites []*Site
}

// NewSites returns the sites that o describes, or an error that names what is
// wrong with o.
func NewSites(o SitesOptions) (*Sites, error) {
	switch {
	case o.Content < 1 || o.Content > 10_000:
		return nil, fmt.Errorf("fakeweb: %d articles, want 1 to 10000", o.Content)
	case o.Large < 1 || o.Large > 1_000_000:
		return nil, fmt.Errorf("fakeweb: large sites of %d pages, want 1 to 1000000", o.Large)
	}
	t := &Sites{o: o, lex: makeLexicon(o.Seed), stage: newStage(o.Tally)}
	for _, build := range []func(*Sites) *Site{
		calendarSite, sessionSite, sessionQuerySite, growingSite, facetSite, sortSite,
		softSite, softMixedSite, replySite, paginationSite,
		catalogueSite, partsSite, archiveSite, forumSite, wordsSite, queriesSite, gallerySite,
	} {
		t.sites = append(t.sites, build(t))
	}
	return t, nil
}

// All returns the sites, traps first. The slice must not be changed.
func (t *Sites) All() []*Site { return t.sites }

// Site returns the site of the given name, nil if there is none.
func (t *Sites) Site(name string) *Site {
	for _, s := range t.sites {
		if s.name == name {
			return s
		}
	}
	return nil
}

// Tally returns what the sites have counted so far. It is always the same one.
func (t *Sites) Tally() *Tally { return &t.stage.tally }

// ServeHTTP answers for the site that the Host header names, as calendar.test,
// with any port. Any other name is a 404; see [Site.ServeHTTP].
func (t *Sites) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s := t.named(hostname(r.Host))
	if s == nil {
		http.NotFound(rw, r)
		return
	}
	s.ServeHTTP(rw, r)
}

// RoundTrip answers in memory for calendar.test and so on, with any port. Any
// other name is a [*net.DNSError]. Bodies must be closed, as with any
// [http.RoundTripper].
func (t *Sites) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.stage.roundTrip(r, func(name string) answerer {
		if s := t.named(name); s != nil {
			return s.answer
		}
		return nil
	})
}

func (t *Sites) named(host string) *Site {
	name, ok := strings.CutSuffix(host, ".test")
	if !ok {
		return nil
	}
	return t.Site(name)
}

var (
	_ http.Handler      = (*Sites)(nil)
	_ http.RoundTripper = (*Sites)(nil)
	_ http.Handler      = (*Site)(nil)
)

// Verdict is what an address is to a right crawl.
type Verdict uint8

// The verdicts.
const (
	Missing Verdict = iota // 404; no page links it
	Content                // real content: a right crawl fetches it
	Passage                // a list or front page on the way to content, or a file that pages need
	Waste                  // belongs to the trap
)

// String returns the name of the verdict in lower case.
func (v Verdict) String() string {
	names := [...]string{"missing", "content", "passage", "waste"}
	if int(v) < len(names) {
		return names[v]
	}
	return "Verdict(" + strconv.Itoa(int(v)) + ")"
}

// Site is one of [Sites]. Its links are paths, so that it can be served under
// any name. It is safe for concurrent use.
type Site struct {
	name  string
	trap  bool
	in    *Sites
	key   uint64 // what all choices of the site begin with
	head  string // from the title's end to the main part
	foot  string
	open  func(path, query string) view
	each  func(yield func(key string) bool) // the keys of content beside the standing pages
	plain bool                              // without standing pages
}

// view is what stands behind an address.
type view struct {
	verdict Verdict
	key     string // of content; "" means path and query
	title   string
	main    func(dst []byte) []byte // appends the main part
	file    string                  // instead of HTML: its body
	media   string                  // and its type
}

// Name returns the name of the site, as "calendar".
func (s *Site) Name() string { return s.name }

// Host returns the name under which the site is reached in memory, as
// "calendar.test".
func (s *Site) Host() string { return s.name + ".test" }

// Seed returns the address to start at, as "http://calendar.test/". It leads to
// everything.
func (s *Site) Seed() string { return "http://" + s.Host() + "/" }

// Trap says whether the site holds a trap.
func (s *Site) Trap() bool { return s.trap }

// Content enumerates the keys of all content, each once. A key is path and query
// of the address, but for session and sessionquery, where it is that without
// the session id, which any id may stand for. Where a site has other spellings of
// content than its key, they are in no link.
func (s *Site) Content() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !s.plain {
			for _, p := range standing {
				if !yield(p.path) {
					return
				}
			}
		}
		s.each(yield)
	}
}

// Judge tells what an address is to a right crawl, and the key of content that
// it shows, "" for any other. Scheme and host are not looked at: of "http://x/a?b"
// and "/a?b" it tells the same.
func (s *Site) Judge(address string) (v Verdict, key string) {
	target := address
	if _, rest, ok := strings.Cut(address, "://"); ok {
		target = "/"
		if slash := strings.IndexAny(rest, "/?#"); slash >= 0 {
			target = rest[slash:]
		}
	}
	target, _, _ = strings.Cut(target, "#")
	path, query, _ := strings.Cut(target, "?")
	shown := s.look(path, query)
	if shown.verdict != Content {
		return shown.verdict, ""
	}
	if shown.key != "" {
		return Content, shown.key
	}
	return Content, target
}

// Score is how a crawl did on a site.
type Score struct {
	Content int // keys of content that were fetched
	Lost    int // keys of content that were not
	Passage int
	Waste   int // addresses of the trap
	Again   int // content that was fetched under another address before
	Missing int // addresses that are no page; a crawl that invents none has 0
}

// Score holds the addresses that a crawl fetched on this site, each once,
// against the truth. It holds all keys of content in memory.
func (s *Site) Score(fetched iter.Seq[string]) Score {
	var score Score
	seen := map[string]bool{}
	for address := range fetched {
		switch v, key := s.Judge(address); v {
		case Content:
			if seen[key] {
				score.Again++
			}
			seen[key] = true
		case Passage:
			score.Passage++
		case Waste:
			score.Waste++
		default:
			score.Missing++
		}
	}
	for key := range s.Content() {
		if seen[key] {
			score.Content++
		} else {
			score.Lost++
		}
	}
	return score
}

// ServeHTTP answers for the site under whatever name it is asked, such as that
// of a loopback listener. GET and HEAD are answered.
func (s *Site) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.in.stage.serve(rw, r, s.answer)
}

func (s *Site) answer(dst []byte, q ask) ([]byte, reply) {
	a := reply{status: http.StatusOK, contentType: typeHTML}
	path, query, _ := strings.Cut(q.target, "?")
	if s.in.o.Latency != nil {
		a.wait = s.in.o.Latency(q.host, path)
	}
	if q.target == "/robots.txt" {
		a.contentType = typeText
		return append(dst, "User-agent: *\nDisallow:\n"...), a
	}
	shown := s.look(path, query)
	if shown.file != "" {
		a.contentType = shown.media
		return append(dst, shown.file...), a
	}
	if shown.verdict == Missing {
		a.status = http.StatusNotFound
		shown.title = "Not found"
		shown.main = func(dst []byte) []byte { return append(dst, "<p>There is no such page here.</p>\n"...) }
	}
	dst = append(append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"...), shown.title...)
	dst = append(append(dst, s.head...), "<h1>"...)
	dst = append(append(dst, shown.title...), "</h1>\n"...)
	return append(shown.main(dst), s.foot...), a
}

// standing are the pages that nearly every site has, with the links of the
// navigation to them.
var standing = [...]struct{ path, title string }{
	{"/about", "About us"}, {"/contact", "Contact"}, {"/terms", "Terms of use"}, {"/privacy", "Privacy"},
}

// look returns what stands behind path and query.
func (s *Site) look(path, query string) view {
	if path == "/style.css" && query == "" {
		return view{verdict: Passage, file: assets[0].body, media: assets[0].contentType}
	}
	if !s.plain && query == "" {
		for i, p := range standing {
			if p.path == path {
				return view{verdict: Content, title: p.title, main: s.prose(mix(s.key+6)+uint64(i)*golden, 1200)}
			}
		}
	}
	return s.open(path, query)
}

// link is a link of the navigation or the front page.
type menu struct{ path, title string }

// newSite returns a site without its pages, with what all its pages share.
func newSite(t *Sites, name string, trap bool, nav ...menu) *Site {
	s := &Site{name: name, trap: trap, in: t}
	s.key = t.o.Seed
	for _, b := range []byte(name) {
		s.key = mix(s.key + uint64(b)*golden)
	}
	s.each = func(func(string) bool) {}
	owner := t.lex.name(s.key, 2)

	var b []byte
	b = append(b, " - "+owner+"</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n"+
		"<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n<header>\n<p class=\"brand\">"+owner+"</p>\n<p>"...)
	b = t.lex.appendProse(b, s.key+1, 1)
	b = append(b, "</p>\n<nav>\n<a href=\"/\">Home</a>\n"...)
	for _, m := range nav {
		b = append(b, "<a href=\""+m.path+"\">"+m.title+"</a>\n"...)
	}
	s.head = string(append(b, "</nav>\n</header>\n<main>\n"...))

	b = append(b[:0], "</main>\n<aside>\n<h2>"+t.lex.name(s.key+2, 3)+"</h2>\n<p>"...)
	b = t.lex.appendProse(b, s.key+3, 4)
	b = append(b, "</p>\n</aside>\n<footer>\n<p>"...)
	b = t.lex.appendProse(b, s.key+4, 3)
	b = append(b, "</p>\n<p>© 2026 "+owner+"</p>\n</footer>\n</body>\n</html>\n"...)
	s.foot = string(b)
	return s
}

// withStanding puts the standing pages behind the given part of a navigation.
func withStanding(nav ...menu) []menu {
	for _, p := range standing {
		nav = append(nav, menu{p.path, p.title})
	}
	return nav
}

// prose returns a main part of about the given size about the subject key.
func (s *Site) prose(key uint64, bytes int) func([]byte) []byte {
	return func(dst []byte) []byte { return s.in.lex.appendParagraphs(dst, key, bytes) }
}

// pageOf reads the query of a page of a list: "" is page 1, "page=2" the next.
func pageOf(query string) (page int, ok bool) {
	if query == "" {
		return 1, true
	}
	digits, ok := strings.CutPrefix(query, "page=")
	if !ok {
		return 0, false
	}
	page, ok = number(digits)
	return page, ok && page >= 2
}

// appendPage appends the address of a page of the list at path.
func appendListPage(dst []byte, path string, page int) []byte {
	dst = append(dst, path...)
	if page > 1 {
		dst = strconv.AppendInt(append(dst, "?page="...), int64(page), 10)
	}
	return dst
}

// appendPager appends links to all pages of a list but the given one.
func appendPager(dst []byte, path string, page, pages int) []byte {
	if pages < 2 {
		return dst
	}
	dst = append(dst, "<p class=\"pager\">\n"...)
	for p := 1; p <= pages; p++ {
		if p == page {
			dst = append(strconv.AppendInt(append(dst, "<b>"...), int64(p), 10), "</b>\n"...)
			continue
		}
		dst = appendListPage(append(dst, "<a href=\""...), path, p)
		dst = append(strconv.AppendInt(append(dst, "\">"...), int64(p), 10), "</a>\n"...)
	}
	return append(dst, "</p>\n"...)
}

// folder is a numbered set of pages under one path, each with a slug for its
// name.
type folder struct {
	s     *Site
	path  string // with slashes at both ends
	pages int
	key   uint64
}

func (s *Site) folder(path string, pages int) *folder {
	return &folder{s: s, path: path, pages: pages, key: mix(s.key + uint64(len(path)))}
}

func (f *folder) subject(n int) uint64 { return mix(f.key + uint64(n)*golden) }

func (f *folder) title(n int) string { return f.s.in.lex.name(f.subject(n), 3) }

func (f *folder) appendPath(dst []byte, n int) []byte {
	return f.s.in.lex.appendSlug(append(dst, f.path...), uint64(n))
}

func (f *folder) appendItem(dst []byte, n int) []byte {
	dst = f.appendPath(append(dst, "<li><a href=\""...), n)
	return append(append(append(dst, "\">"...), f.title(n)...), "</a></li>\n"...)
}

// find returns the number of the page with the given address.
func (f *folder) find(path, query string) (n int, ok bool) {
	slug, ok := strings.CutPrefix(path, f.path)
	if !ok || query != "" {
		return 0, false
	}
	x, ok := f.s.in.lex.slug(slug)
	return int(x), ok && x < uint64(f.pages)
}

func (f *folder) each(yield func(string) bool) bool {
	for n := range f.pages {
		if !yield(string(f.appendPath(nil, n))) {
			return false
		}
	}
	return true
}

// page is a page of content with text of its own, which links the pages after
// it.
func (f *folder) page(n int) view {
	return view{verdict: Content, title: f.title(n), main: func(dst []byte) []byte {
		subject := f.subject(n)
		dst = f.s.in.lex.appendParagraphs(dst, subject, 800+int(subject%2400))
		return f.more(dst, n)
	}}
}

// more appends links to the pages after n.
func (f *folder) more(dst []byte, n int) []byte {
	dst = append(dst, "<h2>Read more</h2>\n<ul>\n"...)
	for k := 1; k <= min(4, f.pages-1); k++ {
		dst = f.appendItem(dst, (n+k)%f.pages)
	}
	return append(dst, "</ul>\n"...)
}

// list is a paged list of items that are numbered from first.
type list struct {
	path         string
	title        string
	first, items int
	per          int // items on a page
	item         func(dst []byte, n int) []byte
}

// page returns a page of the list, Missing beyond the last.
func (l list) page(query string) view {
	page, ok := pageOf(query)
	pages := max(1, (l.items+l.per-1)/l.per)
	if !ok || page > pages {
		return view{}
	}
	return view{verdict: Passage, title: l.title, main: func(dst []byte) []byte {
		dst = append(dst, "<ul>\n"...)
		for i := (page - 1) * l.per; i < min(l.items, page*l.per); i++ {
			dst = l.item(dst, l.first+i)
		}
		return appendPager(append(dst, "</ul>\n"...), l.path, page, pages)
	}}
}

// front returns a front page that leads to the given places.
func (s *Site) front(links ...menu) view {
	return view{verdict: Passage, title: "Welcome", main: func(dst []byte) []byte {
		dst = s.in.lex.appendParagraphs(dst, s.key+5, 600)
		dst = append(dst, "<ul>\n"...)
		for _, m := range links {
			dst = append(append(dst, "<li><a href=\""...), m.path...)
			dst = append(append(append(dst, "\">"...), m.title...), "</a></li>\n"...)
		}
		return append(dst, "</ul>\n"...)
	}}
}
