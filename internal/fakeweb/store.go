package fakeweb

import (
	"encoding/json"
	"fmt"
	"html"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StoreOptions says what a [Store] is like. The same options give the same
// store, byte for byte. Start from [DefaultStore].
type StoreOptions struct {
	Seed uint64 // another seed gives other names, counts and links
	Apps int    // pages of apps, 10 to 1,000,000

	// Latency is how long an answer for a path on a host takes; nil means no
	// time at all. It must be safe for concurrent use. See [Fixed].
	Latency func(host, path string) time.Duration

	Tally bool // counts requests, see [Tally]
}

// DefaultStore returns a store of 2,000 apps, 1,400 of which are found by way of
// similar apps.
func DefaultStore() StoreOptions { return StoreOptions{Seed: 1, Apps: 2000, Tally: true} }

// Store is an app store. Each app has a page, /app/1 and so on, with its name,
// its price, bars that say how many people gave it five stars, four, and so on,
// and clusters of links to other apps. There are lists of apps by category,
// /category/1 and so on, a front page, and /about. It is safe for concurrent use.
//
// Names hold whatever names hold: quotes, markup, white space, what a
// spreadsheet takes for a formula, many scripts. Some apps were never rated and
// have no bars; some lack a few of them, or have one without a number; a number
// may also be 0. The data of a page are in its JSON-LD and its meta elements too.
//
// The first section of class cluster, whatever its heading, is the one whose
// links [Store.Similar] follows. It stands before all others, but for what no
// reader sees: comments, templates and scripts hold clusters as well. It also
// links a category. Some pages have no cluster at all. Of all apps,
//
//   - seven in ten are in first clusters that lead to them from app 1, three
//     quarters of these nowhere else;
//   - two in ten are in other clusters and categories alone;
//   - the rest are in nothing that is a link.
//
// In memory it is store.test; on a socket it answers under any name.
type Store struct {
	o       StoreOptions
	lex     *lexicon
	stage   *stage
	similar int // apps 1 to similar are in first clusters
	linked  int // those beyond similar, up to linked, in others
}

// StoreHost is the name of a [Store] in memory.
const StoreHost = "store.test"

// NewStore returns the store that o describes, or an error that names what is
// wrong with o.
func NewStore(o StoreOptions) (*Store, error) {
	if o.Apps < 10 || o.Apps > 1_000_000 {
		return nil, fmt.Errorf("fakeweb: a store of %d apps, want 10 to 1000000", o.Apps)
	}
	return &Store{
		o: o, lex: makeLexicon(o.Seed), stage: newStage(o.Tally),
		similar: o.Apps * 7 / 10, linked: o.Apps*7/10 + o.Apps*2/10,
	}, nil
}

// Seed returns the address of the front page in memory. It leads to all apps of
// [Store.All].
func (s *Store) Seed() string { return "http://" + StoreHost + "/" }

// Tally returns what the store has counted so far. It is always the same one.
func (s *Store) Tally() *Tally { return &s.stage.tally }

// ServeHTTP answers under whatever name it is asked.
func (s *Store) ServeHTTP(rw http.ResponseWriter, r *http.Request) { s.stage.serve(rw, r, s.answer) }

// RoundTrip answers in memory for [StoreHost] on any port. Any other name is a
// [*net.DNSError].
func (s *Store) RoundTrip(r *http.Request) (*http.Response, error) {
	return s.stage.roundTrip(r, func(name string) answerer {
		if name == StoreHost {
			return s.answer
		}
		return nil
	})
}

var (
	_ http.Handler      = (*Store)(nil)
	_ http.RoundTripper = (*Store)(nil)
)

// StoreApp is the truth about an app: the cells that a right crawl writes for
// it. A cell is empty when the page does not tell.
type StoreApp struct {
	Path string // as "/app/17"
	// Name is the text of the page's h1: white space within is one space, and
	// there is none at the ends.
	Name    string
	Ratings [5]string // how many gave five stars, four, three, two, one: digits alone
	Price   string    // in dollars, as "4.99" or "0"
	Average string    // of all ratings, with one digit after the point
}

// Similar returns the apps that are reached from the app at the path start, as
// "/app/1", by the links in first clusters, start among them: the first ones
// that a breadth-first walk finds, in its order, and no more than limit of them. A limit
// of 0 is none. There are no apps behind a path that is not that of one.
func (s *Store) Similar(start string, limit int) []StoreApp {
	first, ok := s.number(start)
	if !ok {
		return nil
	}
	if limit <= 0 {
		limit = s.o.Apps
	}
	found := []int{first}
	known := map[int]bool{first: true}
	for at := 0; at < len(found) && len(found) < limit; at++ {
		clusters := s.clusters(found[at])
		if len(clusters) == 0 {
			continue
		}
		for _, n := range clusters[0].apps {
			if !known[n] && len(found) < limit {
				known[n] = true
				found = append(found, n)
			}
		}
	}
	apps := make([]StoreApp, len(found))
	for i, n := range found {
		apps[i] = s.app(n)
	}
	return apps
}

// All enumerates the apps that are reached when every link is followed, from
// wherever one starts, by their numbers.
func (s *Store) All() iter.Seq[StoreApp] {
	return func(yield func(StoreApp) bool) {
		for n := 1; n <= s.linked; n++ {
			if !yield(s.app(n)) {
				return
			}
		}
	}
}

func (s *Store) app(n int) StoreApp {
	a := StoreApp{Path: string(appendApp(nil, n)), Price: s.price(n)}
	a.Name, _ = s.appName(n)
	bars := s.bars(n)
	for i, b := range bars {
		if b.counted {
			a.Ratings[i] = strconv.Itoa(b.count)
		}
	}
	if total, average := rated(bars); total > 0 {
		a.Average = average
	}
	return a
}

func appendApp(dst []byte, n int) []byte {
	return strconv.AppendInt(append(dst, "/app/"...), int64(n), 10)
}

// number reads the path of an app.
func (s *Store) number(path string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(path, "/app/")
	if !ok {
		return 0, false
	}
	n, ok = number(digits)
	return n, ok && n >= 1 && n <= s.o.Apps
}

// The uses of chance in a store.
const (
	forStoreBars uint64 = iota + 1
	forStorePrice
	forStoreClusters
	forStoreLinks
)

func (s *Store) chance(use uint64, n int) chance {
	return chance(mix(mix(s.o.Seed+use*golden) + uint64(n)*golden))
}

func (s *Store) subject(n int) uint64 { return mix(s.o.Seed + uint64(n)*golden) }

// oddNames are what is hard about names; % stands for a plain one. Where the
// markup is empty, it is the text, escaped.
var oddNames = [...]struct{ text, markup string }{
	{text: `% & Co.`},
	{text: `"%" the Game`},
	{text: `%, the "Best", really`},
	{text: `Größe für %: Übermäßig`},
	{text: `天気予報 %`},
	{text: `🚀 % 👩‍👩‍👧 🇩🇪`},
	{text: `=1+2 %`},
	{text: `+%`},
	{text: `-% -`},
	{text: `@%`},
	{text: `=HYPERLINK("http://example.com/","%")`, markup: "\n\t =HYPERLINK(&quot;http://example.com/&quot;,&quot;%&quot;)"},
	{text: `'%`},
	{text: `% for You and Me`, markup: "\r\n   % \t for\n\n\n      You&nbsp;and\u2003 Me  \n"},
	{text: `%Pro beta`, markup: "<b>%</b><span class=\"tier\">Pro</span> <i> beta</i>"},
	{text: `% 2.0`, markup: "%<!-- <h1>no</h1> --> 2.0<script>var h1 = \"<h1>no</h1>\";</script><style>h1 { color: #123 }</style>"},
	{text: `<b>%</b> &amp; <script>`},
	{text: `%; tabs | pipes \ "back\\slashes" \n`},
	{text: `Calculator`},
	{text: `00712`},
	{text: `1e5`},
	{text: `تطبيق %`},
	{text: "Cafe\u0301 %"},
	{text: "“%” – l’été…"},
	{text: "NULL"},
	{text: "%long"},
}

// appName returns the name of an app as it is read, and as it stands in its h1.
func (s *Store) appName(n int) (text, markup string) {
	plain := s.lex.name(s.subject(n), 1+n%3)
	if n%3 != 2 {
		return plain, plain
	}
	odd := oddNames[n/3%len(oddNames)]
	text, markup = odd.text, odd.markup
	if text == "%long" {
		text = strings.Repeat("% – ", 400) + "%"
	}
	if markup == "" {
		markup = html.EscapeString(text)
	}
	return strings.ReplaceAll(text, "%", plain), strings.ReplaceAll(markup, "%", plain)
}

func (s *Store) price(n int) string {
	c := s.chance(forStorePrice, n)
	switch c.below(4) {
	case 0:
		return strconv.Itoa(c.below(100)) + ".99"
	case 1:
		return strconv.Itoa(1+c.below(2000)) + ".49"
	}
	return "0"
}

// bar is how many gave an app a number of stars.
type bar struct {
	shown   bool
	counted bool // a number stands in it
	count   int
}

// bars returns the bars of an app, that for five stars first.
func (s *Store) bars(n int) (bars [5]bar) {
	if n%9 == 4 {
		return bars // never rated
	}
	c := s.chance(forStoreBars, n)
	size := 1
	for range c.below(10) {
		size *= 10
	}
	for i := range bars {
		bars[i] = bar{shown: true, counted: true, count: c.below(size + size/5*(4-i))}
	}
	if n%9 == 7 {
		bars[c.below(5)].shown = false
		bars[c.below(5)].shown = false
	}
	if n%11 == 6 {
		bars[c.below(5)].counted = false
	}
	if n%13 == 5 {
		bars[c.below(5)].count = 0
	}
	for i := range bars {
		if !bars[i].shown || !bars[i].counted {
			bars[i].counted, bars[i].count = false, 0
		}
	}
	return bars
}

// rated returns the number of ratings and their average.
func rated(bars [5]bar) (total int, average string) {
	sum := 0
	for i, b := range bars {
		total += b.count
		sum += b.count * (5 - i)
	}
	if total == 0 {
		return 0, ""
	}
	return total, strconv.FormatFloat(float64(sum)/float64(total), 'f', 1, 64)
}

// cluster is a heading with apps under it.
type cluster struct {
	heading string
	apps    []int
}

// clusters returns the clusters of an app's page in their order. The first one
// links similar apps only, the others none that is in first clusters alone.
func (s *Store) clusters(n int) []cluster {
	c := s.chance(forStoreClusters, n)
	similar := cluster{heading: "Similar apps"}
	if n%8 == 3 {
		similar.heading = "Customers also installed"
	}
	// The apps up to similar form a tree of three children each, from app 1 on.
	child := 3*n - 1
	leaf := child > s.similar
	if leaf && n > 1 && n%5 == 0 {
		return nil
	}
	for range 2 + c.below(4) {
		similar.apps = append(similar.apps, 1+c.below(s.similar))
	}
	for k := child; k <= min(child+2, s.similar); k++ {
		similar.apps = append(similar.apps, k)
	}
	// Children are not always the last, so that the order of finding is not that of numbers.
	turn := c.below(len(similar.apps))
	similar.apps = append(similar.apps[turn:len(similar.apps):len(similar.apps)], similar.apps[:turn]...)
	if leaf && n%5 == 1 {
		return []cluster{similar}
	}

	// Every app of the others is linked by one that is no leaf.
	others := s.linked - s.similar
	developer := cluster{heading: "More by this developer", apps: []int{s.similar + 1 + (n-1)%others}}
	liked := cluster{heading: "You might also like"}
	for range 3 + c.below(3) {
		liked.apps = append(liked.apps, s.widely(&c))
	}
	if n%4 == 2 {
		return []cluster{similar, liked, developer}
	}
	return []cluster{similar, developer, liked}
}

// widely returns an app that may be linked from anywhere.
func (s *Store) widely(c *chance) int {
	if c.below(2) == 0 {
		return s.similar + 1 + c.below(s.linked-s.similar)
	}
	return 1 + c.below((s.similar+3)/4)*4
}

// Categories have apps that may be linked from anywhere: every fourth of the
// similar ones, and half of the others.
const (
	storeCategories  = 8
	storeCategoryPer = 50
)

func categoryOf(n int) int { return 1 + n/4%storeCategories }

// inCategory returns the apps of a category.
func (s *Store) inCategory(category int) (apps []int) {
	for n := 1; n <= s.linked; n++ {
		if listed := n%4 == 1 || n > s.similar && n%2 == 0; listed && categoryOf(n) == category {
			apps = append(apps, n)
		}
	}
	return apps
}

func (s *Store) answer(dst []byte, q ask) ([]byte, reply) {
	a := reply{status: http.StatusOK, contentType: typeHTML}
	path, query, _ := strings.Cut(q.target, "?")
	if s.o.Latency != nil {
		a.wait = s.o.Latency(q.host, path)
	}
	if q.target == "/robots.txt" {
		a.contentType = typeText
		return append(dst, "User-agent: *\nDisallow:\n"...), a
	}
	if strings.HasPrefix(query, "utm_") {
		query = ""
	}
	category := 0
	if digits, ok := strings.CutPrefix(path, "/category/"); ok {
		category, _ = number(digits)
	}
	if rest, ok := strings.CutPrefix(path, "/icon/"); ok {
		digits, ok := strings.CutSuffix(rest, ".svg")
		if _, known := s.number("/app/" + digits); ok && known && query == "" {
			a.contentType = "image/svg+xml"
			return append(dst, `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><title>`+digits+`</title><rect width="64" height="64"/></svg>`...), a
		}
	}
	n, isApp := s.number(path)
	page, pageOK := pageOf(query)
	switch {
	case isApp && query == "":
		return s.appendAppPage(dst, q, n), a
	case category >= 1 && category <= storeCategories && pageOK:
		apps := s.inCategory(category)
		if pages := max(1, (len(apps)+storeCategoryPer-1)/storeCategoryPer); page <= pages {
			return s.appendCategory(dst, q, category, apps, page, pages), a
		}
	case path == "/" && query == "":
		return s.appendFront(dst, q), a
	case path == "/about" && query == "":
		dst = s.appendHead(dst, "About this store", "")
		dst = s.lex.appendParagraphs(append(dst, "<h1>About this store</h1>\n"...), s.subject(-1), 1500)
		return s.appendFoot(dst), a
	}
	a.status = http.StatusNotFound
	dst = s.appendHead(dst, "Not found", "")
	return s.appendFoot(append(dst, "<h1>Not found</h1>\n<p>There is no such page here.</p>\n"...)), a
}

func (s *Store) appendHead(dst []byte, title, more string) []byte {
	dst = append(append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"...), html.EscapeString(title)...)
	dst = append(append(dst, " - Apps</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n"...), more...)
	dst = append(dst, "</head>\n<body>\n<header>\n<p class=\"brand\"><a href=\"/\">Apps</a></p>\n<nav>\n"...)
	for k := 1; k <= storeCategories; k++ {
		dst = strconv.AppendInt(append(dst, "<a href=\"/category/"...), int64(k), 10)
		dst = append(append(append(dst, "\">"...), s.categoryName(k)...), "</a>\n"...)
	}
	return append(dst, "</nav>\n</header>\n<main>\n"...)
}

func (s *Store) appendFoot(dst []byte) []byte {
	return append(dst, "</main>\n<footer>\n<a href=\"/about\">About</a>\n<a href=\"/\">All apps</a>\n</footer>\n</body>\n</html>\n"...)
}

func (s *Store) categoryName(k int) string { return s.lex.name(s.subject(-1000-k), 1) }

func (s *Store) appendFront(dst []byte, q ask) []byte {
	dst = s.appendHead(dst, "Welcome", "")
	dst = append(dst, "<h1>Welcome</h1>\n<div class=\"clusters\">\n"...)
	c := s.chance(forStoreLinks, 0)
	dst = s.appendCluster(dst, q, &c, cluster{heading: "App of the day", apps: []int{1}}, 0)
	liked := cluster{heading: "You might also like"}
	for range 6 {
		liked.apps = append(liked.apps, s.widely(&c))
	}
	dst = s.appendCluster(dst, q, &c, liked, 0)
	return s.appendFoot(append(dst, "</div>\n"...))
}

func (s *Store) appendCategory(dst []byte, q ask, category int, apps []int, page, pages int) []byte {
	name := s.categoryName(category)
	dst = s.appendHead(dst, name, "")
	dst = append(append(append(dst, "<h1>"...), name...), "</h1>\n<ul class=\"apps\">\n"...)
	c := s.chance(forStoreLinks, -category)
	for _, n := range apps[(page-1)*storeCategoryPer : min(page*storeCategoryPer, len(apps))] {
		dst = s.appendCard(append(dst, "<li>"...), q, &c, n, 0)
		dst = append(dst, "</li>\n"...)
	}
	dst = append(dst, "</ul>\n"...)
	dst = appendPager(dst, "/category/"+strconv.Itoa(category), page, pages)
	return s.appendFoot(dst)
}

// starClasses name the bars, that for five stars first.
var starClasses = [5]string{"five-star", "four-star", "three-star", "two-star", "one-star"}

func (s *Store) appendAppPage(dst []byte, q ask, n int) []byte {
	name, markup := s.appName(n)
	dst = s.appendHead(dst, name, s.appMeta(q, n, name))
	c := s.chance(forStoreLinks, n)

	dst = append(append(append(dst, "<article class=\"app\">\n<h1 class=\"title\">"...), markup...), "</h1>\n<p class=\"developer\">"...)
	dst = append(append(dst, s.lex.name(s.subject(n)+1, 2)...), "</p>\n<p class=\"price\">"...)
	if price := s.price(n); price == "0" {
		dst = append(dst, "Free"...)
	} else {
		dst = append(append(dst, '$'), thousands(price)...)
	}
	dst = append(dst, "</p>\n"...)
	dst = s.appendBars(dst, n)
	dst = append(dst, "<section class=\"description\">\n<h2>Description</h2>\n"...)
	dst = s.lex.appendParagraphs(dst, s.subject(n), 900+n%7*300)
	dst = append(dst, "</section>\n</article>\n"...)

	dst = append(dst, "<div class=\"clusters\">\n"...)
	if hidden := s.o.Apps - s.linked; n%7 >= 4 {
		decoy := cluster{heading: "Similar apps", apps: []int{s.linked + 1 + c.below(hidden), s.linked + 1 + c.below(hidden)}}
		frame := [...][2]string{{"<!--\n", "-->\n"}, {"<template>\n", "</template>\n"}, {"<script type=\"text/x-later\">\n", "</script>\n"}}[n%7-4]
		dst = append(s.appendCluster(append(dst, frame[0]...), q, &c, decoy, n), frame[1]...)
	}
	for _, cluster := range s.clusters(n) {
		dst = s.appendCluster(dst, q, &c, cluster, n)
	}
	return s.appendFoot(append(dst, "</div>\n"...))
}

func (s *Store) appendBars(dst []byte, n int) []byte {
	bars := s.bars(n)
	if bars == ([5]bar{}) {
		return append(dst, "<p class=\"unrated\">Nobody has rated this app yet.</p>\n"...)
	}
	total, average := rated(bars)
	dst = append(dst, "<section class=\"ratings\">\n<h2>Ratings</h2>\n"...)
	if total > 0 {
		dst = append(append(append(dst, "<p class=\"score\">"...), average...), " of 5</p>\n"...)
	}
	for i, b := range bars {
		if !b.shown {
			continue
		}
		dst = append(append(append(dst, "<div class=\"bar "...), starClasses[i]...), "\"><span class=\"bar-label\">"...)
		dst = strconv.AppendInt(dst, int64(5-i), 10)
		dst = append(dst, "</span><span class=\"bar-fill\" style=\"width:"...)
		dst = strconv.AppendInt(dst, int64(100*b.count/max(1, total)), 10)
		dst = append(dst, "%\"></span><span class=\"bar-number\">"...)
		if b.counted {
			count := thousands(strconv.Itoa(b.count))
			if n%6 == 1 {
				count = "\n    " + count + "\n  "
			}
			dst = append(dst, count...)
		}
		dst = append(dst, "</span></div>\n"...)
	}
	return append(dst, "</section>\n"...)
}

// thousands puts a comma before every third digit of the whole part of a number.
func thousands(number string) string {
	whole, rest, _ := strings.Cut(number, ".")
	if rest != "" {
		rest = "." + rest
	}
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	return whole + rest
}

// appendCluster appends a section on the page of the given app, 0 for none.
func (s *Store) appendCluster(dst []byte, q ask, c *chance, in cluster, n int) []byte {
	dst = append(append(append(dst, "<section class=\"cluster\">\n<h2>"...), in.heading...), "</h2>\n"...)
	if n > 0 {
		dst = strconv.AppendInt(append(dst, "<a class=\"more\" href=\"/category/"...), int64(categoryOf(n)), 10)
		dst = append(dst, "\">See more</a>\n"...)
	}
	for _, app := range in.apps {
		dst = s.appendCard(append(dst, "<div class=\"card\">"...), q, c, app, n)
		dst = append(dst, "</div>\n"...)
	}
	return append(dst, "</section>\n"...)
}

// appendCard appends two links to an app, in one of the ways in which addresses
// are written on the page of the app on, 0 for another page.
func (s *Store) appendCard(dst []byte, q ask, c *chance, n, on int) []byte {
	var href string
	path := string(appendApp(nil, n))
	switch c.below(12) {
	case 0:
		href = q.root() + path
	case 1:
		href = path + "?utm_source=store&amp;utm_medium=cluster"
	case 2:
		href = path + "#reviews"
	case 3, 4:
		href = ".." + path
		if hasBase(on) {
			href = path[1:]
		}
	default:
		href = path
	}
	name, _ := s.appName(n)
	name = html.EscapeString(name)
	dst = append(append(dst, "<a href=\""...), href...)
	dst = strconv.AppendInt(append(dst, "\"><img src=\"/icon/"...), int64(n), 10)
	dst = append(append(dst, ".svg\" alt=\"\"></a> <a href=\""...), href...)
	return append(append(append(dst, "\">"...), name...), "</a>"...)
}

// hasBase says whether relative addresses on the page of an app go from the root,
// as a base element says there.
func hasBase(n int) bool { return n%5 == 1 }

// appMeta returns what the head of an app's page says about it.
func (s *Store) appMeta(q ask, n int, name string) string {
	address := q.root() + string(appendApp(nil, n))
	description := string(s.lex.appendProse(nil, s.subject(n)+2, 1))
	var b strings.Builder
	property := func(attribute, key, content string) {
		fmt.Fprintf(&b, "<meta %s=\"%s\" content=\"%s\">\n", attribute, key, html.EscapeString(content))
	}
	if hasBase(n) {
		b.WriteString("<base href=\"/\">\n")
	}
	property("name", "description", description)
	property("property", "og:type", "website")
	property("property", "og:title", name)
	property("property", "og:url", address)
	property("property", "og:description", description)
	property("property", "og:image", q.root()+"/icon/"+strconv.Itoa(n)+".svg")
	property("property", "product:price:amount", s.price(n))
	property("property", "product:price:currency", "USD")
	property("name", "twitter:card", "summary")
	b.WriteString("<link rel=\"canonical\" href=\"" + address + "\">\n<script type=\"application/ld+json\">\n")
	b.Write(s.linkedData(n, name, address))
	b.WriteString("\n</script>\n")
	return b.String()
}

// linkedData returns the JSON-LD of an app: one object, a list, or a graph.
func (s *Store) linkedData(n int, name, address string) []byte {
	type object = map[string]any
	var price any = s.price(n)
	if n%2 == 0 {
		price = json.Number(s.price(n))
	}
	app := object{
		"@context": "https://schema.org", "@type": []string{"SoftwareApplication", "Product"},
		"name": name, "url": address, "applicationCategory": s.categoryName(categoryOf(n)),
		"offers": object{"@type": "Offer", "price": price, "priceCurrency": "USD"},
	}
	if total, average := rated(s.bars(n)); total > 0 {
		app["aggregateRating"] = object{"@type": "AggregateRating", "ratingValue": average, "ratingCount": total}
	}
	crumbs := object{"@context": "https://schema.org", "@type": "BreadcrumbList", "name": "Where you are"}
	var all any = app
	switch n % 3 {
	case 1:
		all = []object{crumbs, app}
	case 2:
		delete(app, "@context")
		delete(crumbs, "@context")
		all = object{"@context": "https://schema.org", "@graph": []object{crumbs, app}}
	}
	// What can be made of strings and numbers can be encoded; "<" comes out as \u003c.
	text, err := json.Marshal(all)
	if err != nil {
		panic("fakeweb: " + err.Error())
	}
	return text
}
