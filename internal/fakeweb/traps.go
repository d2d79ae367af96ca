package fakeweb

import (
	"strconv"
	"strings"
	"time"
)

// articles gives s its articles and returns what answers for them and for the
// lists of them. Beside a trap they are the real content.
func (s *Site) articles() (f *folder, open func(path, query string) view) {
	f = s.folder("/articles/", s.in.o.Content)
	s.each = func(yield func(string) bool) { f.each(yield) }
	all := list{path: "/articles", title: "Articles", items: f.pages, per: 50, item: f.appendItem}
	return f, func(path, query string) view {
		if path == all.path {
			return all.page(query)
		}
		if n, ok := f.find(path, query); ok {
			return f.page(n)
		}
		return view{}
	}
}

// alsoEach adds the pages of f to the content of s.
func (s *Site) alsoEach(f *folder) {
	first := s.each
	s.each = func(yield func(string) bool) {
		more := true
		first(func(key string) bool {
			more = yield(key)
			return more
		})
		if more {
			f.each(yield)
		}
	}
}

// calendarSite has months and days for ever. The days of eventYear that have
// events, and the months of that year, lead to content.
func calendarSite(t *Sites) *Site {
	entry := menu{"/events/2026/01", "Events"}
	s := newSite(t, "calendar", true, withStanding(menu{"/articles", "Articles"}, entry)...)
	_, articles := s.articles()
	const (
		eventYear = 2026
		perMonth  = 2
	)
	events := s.folder("/event/", 12*perMonth)
	s.alsoEach(events)
	eventDay := func(n int) int { return 1 + int(events.subject(n)>>40%28) }

	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(menu{"/articles", "Articles"}, entry)
		}
		if n, ok := events.find(path, query); ok {
			return events.page(n)
		}
		rest, ok := strings.CutPrefix(path, "/events/")
		if !ok || query != "" {
			return articles(path, query)
		}
		year, month, day, ok := calendarDate(rest)
		if !ok {
			return view{}
		}
		var here []int // events of this day
		if year == eventYear && day > 0 {
			for n := (month - 1) * perMonth; n < month*perMonth; n++ {
				if eventDay(n) == day {
					here = append(here, n)
				}
			}
		}
		shown := view{verdict: Waste}
		if year == eventYear && (day == 0 || len(here) > 0) {
			shown.verdict = Passage
		}
		if day == 0 {
			shown.title = time.Month(month).String() + " " + strconv.Itoa(year)
			shown.main = func(dst []byte) []byte { return appendMonth(dst, year, month) }
			return shown
		}
		date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		shown.title = strconv.Itoa(day) + " " + date.Month().String() + " " + strconv.Itoa(year)
		shown.main = func(dst []byte) []byte {
			dst = append(append(append(dst, "<p>"...), date.Weekday().String()...), "</p>\n"...)
			if len(here) == 0 {
				dst = append(dst, "<p>No events on this day. Choose another day from the calendar.</p>\n"...)
			}
			dst = append(dst, "<ul>\n"...)
			for _, n := range here {
				dst = events.appendItem(dst, n)
			}
			dst = append(dst, "</ul>\n<p>"...)
			dst = appendDay(dst, date.AddDate(0, 0, -1), true, "Previous day")
			dst = appendDay(dst, date.AddDate(0, 0, 1), true, "Next day")
			dst = appendDay(dst, date, false, "Whole month")
			return append(dst, "</p>\n"...)
		}
		return shown
	}
	return s
}

// lastYear bounds the calendar where dates could no longer be computed.
const lastYear = 99_999_999

// calendarDate reads "2026/11" and "2026/11/22"; day is 0 in the first.
func calendarDate(s string) (year, month, day int, ok bool) {
	y, rest, _ := strings.Cut(s, "/")
	m, d, hasDay := strings.Cut(rest, "/")
	year, ok = number(y)
	month = twoDigits(m)
	if !ok || year < 1 || year > lastYear || month < 1 || month > 12 {
		return 0, 0, 0, false
	}
	if hasDay {
		if day = twoDigits(d); day < 1 || day > monthDays(year, month) {
			return 0, 0, 0, false
		}
	}
	return year, month, day, true
}

// twoDigits reads a number of exactly two digits, -1 if it is none.
func twoDigits(s string) int {
	if len(s) != 2 || strings.Trim(s, "0123456789") != "" {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

func monthDays(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// appendDay appends a link to the page of a day or of its month.
func appendDay(dst []byte, date time.Time, day bool, title string) []byte {
	if date.Year() < 1 || date.Year() > lastYear {
		return dst
	}
	dst = strconv.AppendInt(append(dst, "<a href=\"/events/"...), int64(date.Year()), 10)
	dst = appendTwo(append(dst, '/'), int(date.Month()))
	if day {
		dst = appendTwo(append(dst, '/'), date.Day())
	}
	return append(append(append(dst, "\">"...), title...), "</a>\n"...)
}

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

func appendMonth(dst []byte, year, month int) []byte {
	first := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
	dst = append(dst, "<p>"...)
	dst = appendDay(dst, first.AddDate(0, -1, 0), false, "Previous month")
	dst = appendDay(dst, first.AddDate(0, 1, 0), false, "Next month")
	dst = append(dst, "</p>\n<table>\n<tr><th>Mon</th><th>Tue</th><th>Wed</th><th>Thu</th><th>Fri</th><th>Sat</th><th>Sun</th></tr>\n<tr>"...)
	column := (int(first.Weekday()) + 6) % 7
	for range column {
		dst = append(dst, "<td></td>"...)
	}
	for day := 1; day <= monthDays(year, month); day++ {
		if column == 7 {
			column = 0
			dst = append(dst, "</tr>\n<tr>"...)
		}
		column++
		dst = append(dst, "<td>"...)
		dst = appendDay(dst, first.AddDate(0, 0, day-1), true, strconv.Itoa(day))
		dst = append(dst, "</td>"...)
	}
	return append(dst, "</tr>\n</table>\n"...)
}

func sessionSite(t *Sites) *Site      { return newSession(t, "session", false) }
func sessionQuerySite(t *Sites) *Site { return newSession(t, "sessionquery", true) }

// newSession returns a site whose answers link all its pages under an id that
// comes from the address asked, so that the same address has the same answer.
func newSession(t *Sites, name string, inQuery bool) *Site {
	s := newSite(t, name, true)
	s.plain = true
	pages := t.o.Content
	s.each = func(yield func(string) bool) {
		for n := 1; n <= pages; n++ {
			if !yield("/page-" + strconv.Itoa(n)) {
				return
			}
		}
	}
	links := func(dst []byte, path, query string) []byte {
		x := s.key
		for _, part := range [...]string{path, query} {
			for i := range len(part) {
				x = x*31 + uint64(part[i])
			}
		}
		var room [16]byte
		id := appendHex(room[:0], mix(x))
		dst = append(dst, "<p>Pages:\n"...)
		for n := 1; n <= pages; n++ {
			dst = append(dst, "<a href=\""...)
			if !inQuery {
				dst = append(append(dst, "/s/"...), id...)
			}
			dst = strconv.AppendInt(append(dst, "/page-"...), int64(n), 10)
			if inQuery {
				dst = append(append(dst, "?zsid="...), id...)
			}
			dst = strconv.AppendInt(append(dst, "\">"...), int64(n), 10)
			dst = append(dst, "</a>\n"...)
		}
		return append(dst, "</p>\n"...)
	}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return view{verdict: Passage, title: "Welcome", main: func(dst []byte) []byte {
				return links(s.prose(s.key+5, 600)(dst), path, query)
			}}
		}
		page, id, ok := path, "", false
		if inQuery {
			id, ok = strings.CutPrefix(query, "zsid=")
		} else if id, ok = strings.CutPrefix(path, "/s/"); ok && query == "" {
			slash := max(0, strings.IndexByte(id, '/'))
			id, page = id[:slash], id[slash:]
		}
		if !ok || !isHex(id) {
			return view{}
		}
		digits, ok := strings.CutPrefix(page, "/page-")
		n, isNumber := number(digits)
		if !ok || !isNumber || n < 1 || n > pages {
			return view{}
		}
		subject := mix(s.key + uint64(n)*golden)
		return view{verdict: Content, key: page, title: t.lex.name(subject, 3), main: func(dst []byte) []byte {
			return links(t.lex.appendParagraphs(dst, subject, 800+int(subject%1600)), path, query)
		}}
	}
	return s
}

const hexDigits = "0123456789abcdef"

// appendHex appends x as 16 digits.
func appendHex(dst []byte, x uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[x>>shift&15])
	}
	return dst
}

// isHex says whether s is what appendHex writes.
func isHex(s string) bool {
	return len(s) == 16 && strings.Trim(s, hexDigits) == ""
}

// growingSite has a manual whose links lack their first slash.
func growingSite(t *Sites) *Site {
	entry := menu{"/manual/", "Manual"}
	s := newSite(t, "growing", true, withStanding(menu{"/articles", "Articles"}, entry)...)
	_, articles := s.articles()
	folders := [...]string{
		"setup", "guide", "admin", "users", "network", "storage",
		"backup", "upgrade", "faq", "glossary", "support", "license",
	}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(menu{"/articles", "Articles"}, entry)
		}
		rest, ok := strings.CutPrefix(path, entry.path)
		if !ok || query != "" {
			return articles(path, query)
		}
		// In the manual every address answers, as long as it ends like a folder.
		if rest != "" && !strings.HasSuffix(rest, "/") {
			return view{}
		}
		return view{verdict: Waste, title: "Manual", main: func(dst []byte) []byte {
			dst = t.lex.appendParagraphs(dst, s.key+7, 1500)
			x := s.key
			for i := range len(rest) {
				x = x*31 + uint64(rest[i])
			}
			c := chance(mix(x))
			dst = append(dst, "<ul>\n"...)
			for k, first := 0, c.below(len(folders)); k < 4; k++ {
				name := folders[(first+k*5)%len(folders)]
				dst = append(append(append(dst, "<li><a href=\""...), name...), "/"...)
				if k%2 == 1 {
					dst = append(append(dst, folders[c.below(len(folders))]...), '/')
				}
				dst = append(append(append(dst, "\">"...), name...), "</a></li>\n"...)
			}
			return append(dst, "</ul>\n"...)
		}}
	}
	return s
}

// items is how many things a shop or list shows.
const items = 300

// dial is a parameter of an address and its values. Values are numbered from 1,
// 0 means that the parameter is not there.
type dial struct {
	name   string
	values []string
}

// readDials reads a query, in any order of parameters, into choice, a number
// for each dial, and the page.
func readDials(query string, dials []dial, choice []int) (page int, ok bool) {
	page = 1
	if query == "" {
		return page, true
	}
	paged := false
parts:
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name == "page" {
			if page, ok = number(value); !ok || page < 2 || paged {
				return 0, false
			}
			paged = true
			continue
		}
		for i, d := range dials {
			if d.name == name {
				v := at(d.values, value)
				if v < 0 || choice[i] != 0 {
					return 0, false
				}
				choice[i] = v + 1
				continue parts
			}
		}
		return 0, false
	}
	return page, true
}

// appendDialed appends a link to path with the given choice and page.
func appendDialed(dst []byte, path string, dials []dial, choice []int, page int, title string) []byte {
	dst = append(append(dst, "<a href=\""...), path...)
	mark := "?"
	add := func(name string) {
		dst = append(append(append(dst, mark...), name...), '=')
		mark = "&amp;"
	}
	for i, d := range dials {
		if v := choice[i]; v > 0 {
			add(d.name)
			dst = append(dst, d.values[v-1]...)
		}
	}
	if page > 1 {
		add("page")
		dst = strconv.AppendInt(dst, int64(page), 10)
	}
	return append(append(append(dst, "\">"...), title...), "</a>\n"...)
}

// appendChanges appends links to all single changes of choice.
func appendChanges(dst []byte, path string, dials []dial, choice []int) []byte {
	for i, d := range dials {
		was := choice[i]
		dst = append(append(append(dst, "<p>"...), d.name...), ":\n"...)
		for v := range len(d.values) + 1 {
			choice[i] = v
			switch {
			case v == was && v > 0:
				dst = append(append(append(dst, "<b>"...), d.values[v-1]...), "</b>\n"...)
			case v == was:
			case v == 0:
				dst = appendDialed(dst, path, dials, choice, 1, "any")
			default:
				dst = appendDialed(dst, path, dials, choice, 1, d.values[v-1])
			}
		}
		choice[i] = was
		dst = append(dst, "</p>\n"...)
	}
	return dst
}

// stride returns by how much a sort order goes on in a ring of items; all are
// coprime to their number.
func stride(order int) int { return [...]int{1, 7, 11, 13, 17, 19, 23, 299, 293}[order] }

// facetSite is a shop with filters. Only the unfiltered, unsorted list is a
// passage.
func facetSite(t *Sites) *Site {
	entry := menu{"/shop", "Shop"}
	s := newSite(t, "facets", true, withStanding(menu{"/articles", "Articles"}, entry)...)
	_, articles := s.articles()
	products := s.folder("/product/", items)
	s.alsoEach(products)
	dials := []dial{
		{"color", []string{"red", "blue", "green", "black", "white", "grey", "pink", "gold"}},
		{"size", []string{"xs", "s", "m", "l", "xl", "xxl", "kids", "one"}},
		{"brand", []string{"acorn", "borealis", "cobalt", "drift", "everest", "fjord", "gale", "haven"}},
		{"material", []string{"cotton", "wool", "linen", "silk", "leather", "denim", "fleece", "canvas"}},
		{"style", []string{"casual", "formal", "sport", "retro", "urban", "classic", "slim", "loose"}},
		{"season", []string{"spring", "summer", "autumn", "winter", "easter", "school", "rain", "holiday"}},
		{"sort", []string{"price", "name", "newest"}},
	}
	const filters, per = 6, 20
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(menu{"/articles", "Articles"}, entry)
		}
		if n, ok := products.find(path, query); ok {
			return products.page(n)
		}
		if path != entry.path {
			return articles(path, query)
		}
		choice := make([]int, len(dials))
		page, ok := readDials(query, dials, choice)
		if !ok {
			return view{}
		}
		shown := view{verdict: Passage, title: "Shop"}
		for _, v := range choice {
			if v > 0 {
				shown.verdict = Waste
			}
		}
		var found []int
		for i := range items {
			n := i * stride(choice[filters]) % items
			// A product has about half of the values of each filter.
			has, fits := mix(products.subject(n)), true
			for f, v := range choice[:filters] {
				fits = fits && (v == 0 || has>>(f*8+v-1)&1 == 1)
			}
			if fits {
				found = append(found, n)
			}
		}
		pages := max(1, (len(found)+per-1)/per)
		if page > pages {
			return view{}
		}
		shown.main = func(dst []byte) []byte {
			dst = strconv.AppendInt(append(dst, "<p>"...), int64(len(found)), 10)
			dst = append(dst, " products</p>\n<ul>\n"...)
			for _, n := range found[(page-1)*per : min(len(found), page*per)] {
				dst = products.appendItem(dst, n)
			}
			dst = append(dst, "</ul>\n<p>"...)
			for p := 1; p <= pages; p++ {
				if p != page {
					dst = appendDialed(dst, path, dials, choice, p, strconv.Itoa(p))
				}
			}
			dst = append(dst, "</p>\n"...)
			return appendChanges(dst, path, dials, choice)
		}
		return shown
	}
	return s
}

// sortSite is a list that is shown in many ways. Only the default one is a
// passage.
func sortSite(t *Sites) *Site {
	entry := menu{"/list", "Collection"}
	s := newSite(t, "sorts", true, withStanding(menu{"/articles", "Articles"}, entry)...)
	_, articles := s.articles()
	things := s.folder("/item/", items)
	s.alsoEach(things)
	dials := []dial{
		{"sort", []string{"name", "date", "price", "rating", "size", "origin", "views", "id"}},
		{"dir", []string{"asc", "desc"}},
		{"view", []string{"grid", "list", "table", "compact"}},
		{"per", []string{"10", "25", "50", "100"}},
	}
	perPage := [...]int{25, 10, 25, 50, 100}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(menu{"/articles", "Articles"}, entry)
		}
		if n, ok := things.find(path, query); ok {
			return things.page(n)
		}
		if path != entry.path {
			return articles(path, query)
		}
		choice := make([]int, len(dials))
		page, ok := readDials(query, dials, choice)
		per := perPage[choice[3]]
		pages := (items + per - 1) / per
		if !ok || page > pages {
			return view{}
		}
		shown := view{verdict: Passage, title: "Collection"}
		for _, v := range choice {
			if v > 0 {
				shown.verdict = Waste
			}
		}
		shown.main = func(dst []byte) []byte {
			dst = append(dst, "<ul>\n"...)
			for i := (page - 1) * per; i < min(items, page*per); i++ {
				n := i * stride(choice[0]) % items
				if choice[1] == 2 {
					n = items - 1 - n
				}
				dst = things.appendItem(dst, n)
			}
			dst = append(dst, "</ul>\n<p>"...)
			for p := 1; p <= pages; p++ {
				if p != page {
					dst = appendDialed(dst, path, dials, choice, p, strconv.Itoa(p))
				}
			}
			dst = append(dst, "</p>\n"...)
			return appendChanges(dst, path, dials, choice)
		}
		return shown
	}
	return s
}

func softSite(t *Sites) *Site      { return newSoft(t, "soft404", "/") }
func softMixedSite(t *Sites) *Site { return newSoft(t, "soft404mixed", "/articles/") }

// newSoft returns a site that answers 200 for every address and links unknown
// ones in the folder dir.
func newSoft(t *Sites, name, dir string) *Site {
	s := newSite(t, name, true, withStanding(menu{"/articles", "Articles"})...)
	f, articles := s.articles()
	dead := func(dst []byte, c *chance) []byte {
		dst = t.lex.appendSlug(append(append(dst, "<a href=\""...), dir...), c.next()&slugMask)
		return append(append(append(dst, "\">"...), t.lex.name(c.next(), 2)...), "</a>\n"...)
	}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(menu{"/articles", "Articles"})
		}
		if n, ok := f.find(path, query); ok {
			shown := f.page(n)
			text := shown.main
			shown.main = func(dst []byte) []byte {
				c := chance(f.subject(n) + 1)
				return append(dead(append(text(dst), "<p>See also "...), &c), "</p>\n"...)
			}
			return shown
		}
		if shown := articles(path, query); shown.verdict != Missing {
			return shown
		}
		return view{verdict: Waste, title: "Page not found", main: func(dst []byte) []byte {
			x := s.key
			for _, part := range [...]string{path, "?", query} {
				for i := range len(part) {
					x = x*31 + uint64(part[i])
				}
			}
			c := chance(mix(x))
			dst = append(dst, "<p>Sorry, we could not find the page that you asked for. It may have moved.</p>\n<p>You might like:</p>\n<p>"...)
			for range 3 {
				dst = dead(dst, &c)
			}
			return append(dst, "</p>\n"...)
		}}
	}
	return s
}

// replySite is a forum whose posts each have an address to reply at, which
// shows the thread again.
func replySite(t *Sites) *Site {
	const threads, posts = 60, 20
	entry := menu{"/forum", "Forum"}
	s := newSite(t, "replies", true, withStanding(menu{"/articles", "Articles"}, entry)...)
	_, articles := s.articles()
	article := s.each
	s.each = func(yield func(string) bool) {
		more := true
		article(func(key string) bool {
			more = yield(key)
			return more
		})
		for n := 1; more && n <= threads; n++ {
			more = yield("/forum/thread-" + strconv.Itoa(n))
		}
	}
	subject := func(n int) uint64 { return mix(s.key + uint64(n)*golden) }
	board := list{path: entry.path, title: "Forum", first: 1, items: threads, per: threads, item: func(dst []byte, n int) []byte {
		dst = strconv.AppendInt(append(dst, "<li><a href=\"/forum/thread-"...), int64(n), 10)
		return append(append(append(dst, "\">"...), t.lex.name(subject(n), 4)...), "</a></li>\n"...)
	}}
	s.open = func(path, query string) view {
		switch {
		case path == "/" && query == "":
			return s.front(menu{"/articles", "Articles"}, entry)
		case path == entry.path:
			return board.page(query)
		}
		digits, ok := strings.CutPrefix(path, "/forum/thread-")
		if !ok {
			return articles(path, query)
		}
		thread, ok := number(digits)
		reply, known := replyTo(query, thread*posts, posts)
		if !ok || !known || thread < 1 || thread > threads {
			return view{}
		}
		shown := view{verdict: Content, title: t.lex.name(subject(thread), 4)}
		if reply >= 0 {
			shown.verdict = Waste
		}
		shown.main = func(dst []byte) []byte {
			for n := thread * posts; n < (thread+1)*posts; n++ {
				dst = append(t.lex.appendProse(append(dst, "<div><p>"...), subject(threads+1+n), 2), "</p>\n<p><a href=\""...)
				dst = strconv.AppendInt(append(append(dst, path...), "?replytocom="...), int64(n), 10)
				if reply >= 0 {
					dst = strconv.AppendInt(append(dst, "&amp;from="...), int64(reply), 10)
				}
				dst = append(dst, "\" rel=\"reply\">Reply</a></p></div>\n"...)
			}
			if reply >= 0 {
				dst = append(dst, "<h2>Write a reply</h2>\n<form method=\"post\" action=\"/reply\"><textarea name=\"t\"></textarea></form>\n"...)
			}
			return dst
		}
		return shown
	}
	return s
}

// replyTo reads the query of a reply address, in any order of parameters: the
// post that is replied to, and perhaps the one whose address linked this one. It
// is -1 for no query.
func replyTo(query string, first, posts int) (post int, ok bool) {
	if query == "" {
		return -1, true
	}
	post, from := -1, -1
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		n, ok := number(value)
		switch {
		case !ok || n < first || n >= first+posts:
			return 0, false
		case name == "replytocom" && post < 0:
			post = n
		case name == "from" && from < 0:
			from = n
		default:
			return 0, false
		}
	}
	return post, post >= 0
}

// paginationSite is a blog whose lists go on after the last post.
func paginationSite(t *Sites) *Site {
	entry := menu{"/blog", "Blog"}
	s := newSite(t, "pagination", true, withStanding(entry)...)
	posts := s.folder("/blog/", t.o.Content)
	s.each = func(yield func(string) bool) { posts.each(yield) }
	const (
		per  = 10
		last = 1_000_000_000 // where numbers would become too large
	)
	pages := (posts.pages + per - 1) / per
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(entry)
		}
		if n, ok := posts.find(path, query); ok {
			return posts.page(n)
		}
		page, ok := pageOf(query)
		if path != entry.path || !ok || page > last {
			return view{}
		}
		shown := view{verdict: Passage, title: "Blog, page " + strconv.Itoa(page)}
		if page > pages {
			shown.verdict = Waste
		}
		shown.main = func(dst []byte) []byte {
			if page > pages {
				dst = append(dst, "<p>There are no more posts.</p>\n"...)
			}
			dst = append(dst, "<ul>\n"...)
			for n := (page - 1) * per; n < min(posts.pages, page*per); n++ {
				dst = posts.appendItem(dst, n)
			}
			dst = append(dst, "</ul>\n<p>"...)
			if page > 1 {
				dst = append(appendListPage(append(dst, "<a href=\""...), path, page-1), "\">Newer posts</a>\n"...)
			}
			if page < last {
				dst = append(appendListPage(append(dst, "<a href=\""...), path, page+1), "\">Older posts</a>\n"...)
			}
			return append(dst, "</p>\n"...)
		}
		return shown
	}
	return s
}
