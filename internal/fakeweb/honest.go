package fakeweb

import (
	"strconv"
	"strings"
	"time"
)

// shelves are numbered lists of numbered things, each of many pages.
type shelves struct {
	path   string // before the number of a shelf
	title  string
	things int
	item   func(dst []byte, n int) []byte
}

const (
	perShelf = 500
	perPage  = 25
)

// menus returns links to all shelves.
func (h *shelves) menus() []menu {
	var all []menu
	for n := range (h.things + perShelf - 1) / perShelf {
		number := strconv.Itoa(n + 1)
		all = append(all, menu{h.path + number, h.title + " " + number})
	}
	return all
}

// open returns a page of a shelf.
func (h *shelves) open(path, query string) view {
	digits, ok := strings.CutPrefix(path, h.path)
	n, isNumber := number(digits)
	if !ok || !isNumber || n < 1 || n > (h.things+perShelf-1)/perShelf {
		return view{}
	}
	first := (n - 1) * perShelf
	return list{
		path: path, title: h.title + " " + digits, first: first, items: min(perShelf, h.things-first),
		per: perPage, item: h.item,
	}.page(query)
}

// series is a numbered set of pages under one path.
type series struct {
	path  string // before the number
	first int    // number of the first
	pages int
	title func(n int) string // of the n-th, from 0
}

func (v *series) appendPath(dst []byte, n int) []byte {
	return strconv.AppendInt(append(dst, v.path...), int64(v.first+n), 10)
}

func (v *series) appendItem(dst []byte, n int) []byte {
	dst = v.appendPath(append(dst, "<li><a href=\""...), n)
	return append(append(append(dst, "\">"...), v.title(n)...), "</a></li>\n"...)
}

// find returns which page of the series a path is.
func (v *series) find(path string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(path, v.path)
	if !ok {
		return 0, false
	}
	n, ok = number(digits)
	n -= v.first
	return n, ok && n >= 0 && n < v.pages
}

func (v *series) each(yield func(string) bool) {
	for n := range v.pages {
		if !yield(string(v.appendPath(nil, n))) {
			return
		}
	}
}

// subject is what the n-th page of content of s is about.
func (s *Site) subject(n int) uint64 { return mix(s.key + uint64(n)*golden) }

// catalogueSite has products under one template, with text of their own.
func catalogueSite(t *Sites) *Site {
	s := newSite(t, "catalogue", false, withStanding(menu{"/category/1", "Products"})...)
	products := &series{path: "/product/", first: 10_000, pages: t.o.Large, title: func(n int) string { return t.lex.name(s.subject(n), 3) }}
	categories := &shelves{path: "/category/", title: "Category", things: products.pages, item: products.appendItem}
	s.each = products.each
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(categories.menus()...)
		}
		n, ok := products.find(path)
		if !ok || query != "" {
			return categories.open(path, query)
		}
		subject := s.subject(n)
		return view{verdict: Content, title: products.title(n), main: func(dst []byte) []byte {
			dst = strconv.AppendInt(append(dst, "<dl>\n<dt>Price</dt><dd>€ "...), int64(subject%900+9), 10)
			dst = appendTwo(append(dst, '.'), int(subject>>16%100))
			dst = strconv.AppendInt(append(dst, "</dd>\n<dt>Article number</dt><dd>"...), int64(products.first+n), 10)
			dst = append(append(dst, "</dd>\n<dt>Maker</dt><dd>"...), t.lex.name(subject>>40, 1)...)
			dst = append(dst, "</dd>\n<dt>Delivery</dt><dd>Two to three working days</dd>\n</dl>\n<h2>Description</h2>\n<p>"...)
			dst = t.lex.appendProse(dst, subject, 4+int(subject>>32%5))
			dst = append(dst, "</p>\n<p><button>Add to basket</button></p>\n<h2>Others liked</h2>\n<ul>\n"...)
			shelf := n / perShelf * perShelf
			for k := 1; k <= 4; k++ {
				dst = products.appendItem(dst, shelf+(n-shelf+k*k)%min(perShelf, products.pages-shelf))
			}
			return append(dst, "</ul>\n"...)
		}}
	}
	return s
}

// partsSite has pages that differ in numbers only.
func partsSite(t *Sites) *Site {
	s := newSite(t, "parts", false, withStanding(menu{"/series/1", "Parts"})...)
	parts := &series{path: "/part/", first: 6000, pages: t.o.Large, title: func(n int) string { return "Ball bearing " + strconv.Itoa(6000+n) }}
	lists := &shelves{path: "/series/", title: "Series", things: parts.pages, item: parts.appendItem}
	s.each = parts.each
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(lists.menus()...)
		}
		n, ok := parts.find(path)
		if !ok || query != "" {
			return lists.open(path, query)
		}
		return view{verdict: Content, title: parts.title(n), main: func(dst []byte) []byte {
			c := chance(s.subject(n))
			bore := 5 + c.below(200)
			row := func(name string, value int, unit string) {
				dst = append(append(append(dst, "<tr><th>"...), name...), "</th><td>"...)
				dst = strconv.AppendInt(dst, int64(value), 10)
				dst = append(append(append(dst, ' '), unit...), "</td></tr>\n"...)
			}
			dst = append(dst, "<p>Single-row deep groove ball bearing with the dimensions below. Suitable for high speeds.</p>\n<table>\n"...)
			row("Bore", bore, "mm")
			row("Outside diameter", bore+10+c.below(180), "mm")
			row("Width", 4+c.below(80), "mm")
			row("Dynamic load", 300+c.below(90_000), "N")
			row("Static load", 200+c.below(60_000), "N")
			row("Limiting speed", 2000+c.below(40_000), "rpm")
			row("Weight", 5+c.below(9000), "g")
			return append(dst, "</table>\n<p>Ask for larger quantities. All dimensions without guarantee.</p>\n"...)
		}}
	}
	return s
}

// archiveSite has news by date. perDay of them came each day, so the number of
// an article tells its date.
func archiveSite(t *Sites) *Site {
	s := newSite(t, "archive", false, withStanding(menu{"/2008/", "Archive"})...)
	pages := t.o.Large
	perDay := min(max(pages/1000, 1), 30)
	born := time.Date(2008, time.January, 1, 0, 0, 0, 0, time.UTC)
	day := func(date time.Time) int { return int(date.Sub(born).Hours()) / 24 }
	date := func(n int) time.Time { return born.AddDate(0, 0, n/perDay) }
	last := date(pages - 1)
	title := func(n int) string { return t.lex.name(s.subject(n), 4) }
	appendPath := func(dst []byte, n int) []byte {
		return t.lex.appendSlug(append(date(n).AppendFormat(append(dst, '/'), "2006/01/02"), '/'), uint64(n))
	}
	appendItem := func(dst []byte, n int) []byte {
		dst = appendPath(append(dst, "<li><a href=\""...), n)
		return append(append(append(dst, "\">"...), title(n)...), "</a></li>\n"...)
	}
	s.each = func(yield func(string) bool) {
		for n := range pages {
			if !yield(string(appendPath(nil, n))) {
				return
			}
		}
	}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			var years []menu
			for y := born.Year(); y <= last.Year(); y++ {
				years = append(years, menu{"/" + strconv.Itoa(y) + "/", strconv.Itoa(y)})
			}
			return s.front(years...)
		}
		if slash := strings.LastIndexByte(path, '/'); slash > 0 && slash < len(path)-1 && query == "" {
			x, ok := t.lex.slug(path[slash+1:])
			n := int(x)
			var room [96]byte
			if !ok || x >= uint64(pages) || string(appendPath(room[:0], n)) != path {
				return view{}
			}
			return view{verdict: Content, title: title(n), main: func(dst []byte) []byte {
				subject := s.subject(n)
				dst = date(n).AppendFormat(append(dst, "<p class=\"date\">"...), "2 January 2006")
				dst = append(append(append(dst, " by "...), t.lex.name(subject>>50, 2)...), "</p>\n"...)
				dst = t.lex.appendParagraphs(dst, subject, 1000+int(subject%3000))
				dst = append(dst, "<ul>\n"...)
				for k := 1; k <= min(3, pages-1); k++ {
					dst = appendItem(dst, (n+k)%pages)
				}
				return append(dst, "</ul>\n"...)
			}}
		}
		// "/2019/" or "/2019/05/", with the slashes of both ends.
		year, month, monthly := strings.Cut(strings.Trim(path, "/"), "/")
		y, ok := number(year)
		if !ok || y < born.Year() || y > last.Year() {
			return view{}
		}
		if !monthly {
			if path != "/"+year+"/" || query != "" {
				return view{}
			}
			return view{verdict: Passage, title: year, main: func(dst []byte) []byte {
				dst = append(dst, "<ul>\n"...)
				for m := time.January; m <= time.December && (y < last.Year() || m <= last.Month()); m++ {
					dst = appendTwo(append(append(append(dst, "<li><a href=\"/"...), year...), '/'), int(m))
					dst = append(append(append(dst, "/\">"...), m.String()...), "</a></li>\n"...)
				}
				return append(dst, "</ul>\n"...)
			}}
		}
		first, err := time.Parse("/2006/01/", path)
		if err != nil || month == "" || first.After(last) {
			return view{}
		}
		from := day(first) * perDay
		to := min(day(first.AddDate(0, 1, 0))*perDay, pages)
		return list{
			path: path, title: first.Format("January 2006"), first: from, items: to - from,
			per: 2 * perPage, item: appendItem,
		}.page(query)
	}
	return s
}

// forumSite has threads of one to five pages: thread n has 1 + n%5.
func forumSite(t *Sites) *Site {
	s := newSite(t, "forum", false, withStanding(menu{"/board/1", "Forum"})...)
	const posts = 8
	threads := &series{path: "/t/", first: 1, pages: (t.o.Large + 14) / 15 * 5, title: func(n int) string { return t.lex.name(s.subject(n), 5) }}
	boards := &shelves{path: "/board/", title: "Board", things: threads.pages, item: threads.appendItem}
	s.each = func(yield func(string) bool) {
		for n := range threads.pages {
			for page := 1; page <= 1+n%5; page++ {
				if !yield(string(appendListPage(nil, string(threads.appendPath(nil, n)), page))) {
					return
				}
			}
		}
	}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(boards.menus()...)
		}
		n, ok := threads.find(path)
		if !ok {
			return boards.open(path, query)
		}
		page, ok := pageOf(query)
		if !ok || page > 1+n%5 {
			return view{}
		}
		return view{verdict: Content, title: threads.title(n), main: func(dst []byte) []byte {
			for post := range posts {
				subject := mix(s.subject(n) + uint64(page*posts+post))
				dst = append(append(dst, "<article>\n<p class=\"who\">"...), t.lex.name(subject>>52, 1)...)
				dst = strconv.AppendInt(append(dst, ", post "...), int64((page-1)*posts+post+1), 10)
				dst = t.lex.appendProse(append(dst, "</p>\n<p>"...), subject, 1+int(subject%4))
				dst = append(dst, "</p>\n</article>\n"...)
			}
			return appendPager(dst, path, page, 1+n%5)
		}}
	}
	return s
}

// wordsSite is a dictionary.
func wordsSite(t *Sites) *Site {
	s := newSite(t, "words", false, withStanding(menu{"/letter/1", "Words"})...)
	const dir = "/word/"
	pages := t.o.Large
	appendItem := func(dst []byte, n int) []byte {
		dst = appendHeadword(append(dst, "<li><a href=\"/word/"...), n)
		return append(appendHeadword(append(dst, "\">"...), n), "</a></li>\n"...)
	}
	lists := &shelves{path: "/letter/", title: "List", things: pages, item: appendItem}
	s.each = func(yield func(string) bool) {
		for n := range pages {
			if !yield(string(appendHeadword([]byte(dir), n))) {
				return
			}
		}
	}
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(lists.menus()...)
		}
		word, ok := strings.CutPrefix(path, dir)
		if !ok || query != "" {
			return lists.open(path, query)
		}
		n, ok := headword(word)
		if !ok || n >= pages {
			return view{}
		}
		return view{verdict: Content, title: word, main: func(dst []byte) []byte {
			dst = append(append(append(dst, "<p><b>"...), word...), "</b>, noun. "...)
			return append(t.lex.appendProse(dst, s.subject(n), 1), "</p>\n"...)
		}}
	}
	return s
}

// queriesSite has articles that only a parameter tells apart.
func queriesSite(t *Sites) *Site {
	s := newSite(t, "queries", false, withStanding(menu{"/index/1", "Articles"})...)
	articles := &series{path: "/view.php?id=", first: 1, pages: t.o.Large, title: func(n int) string { return t.lex.name(s.subject(n), 4) }}
	lists := &shelves{path: "/index/", title: "Index", things: articles.pages, item: articles.appendItem}
	s.each = articles.each
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(lists.menus()...)
		}
		n, ok := articles.find(path + "?" + query)
		if !ok {
			return lists.open(path, query)
		}
		return view{verdict: Content, title: articles.title(n), main: func(dst []byte) []byte {
			subject := s.subject(n)
			dst = t.lex.appendParagraphs(dst, subject, 800+int(subject%2000))
			dst = append(dst, "<ul>\n"...)
			for k := 1; k <= min(3, articles.pages-1); k++ {
				dst = articles.appendItem(dst, (n+k)%articles.pages)
			}
			return append(dst, "</ul>\n"...)
		}}
	}
	return s
}

// gallerySite is a chain of photos.
func gallerySite(t *Sites) *Site {
	s := newSite(t, "gallery", false, withStanding(menu{"/photo/1", "Photos"})...)
	photos := &series{path: "/photo/", first: 1, pages: min(t.o.Large, 3000), title: func(n int) string { return "Photo " + strconv.Itoa(n+1) }}
	images := &series{path: "/image/", first: 1, pages: photos.pages}
	s.each = photos.each
	s.open = func(path, query string) view {
		if path == "/" && query == "" {
			return s.front(menu{"/photo/1", "Photos"})
		}
		if name, ok := strings.CutSuffix(path, ".png"); ok && query == "" {
			if _, ok := images.find(name); ok {
				return view{verdict: Passage, file: pngFile, media: "image/png"}
			}
		}
		n, ok := photos.find(path)
		if !ok || query != "" {
			return view{}
		}
		return view{verdict: Content, title: photos.title(n), main: func(dst []byte) []byte {
			dst = images.appendPath(append(dst, "<p><img src=\""...), n)
			dst = append(dst, ".png\" alt=\"\"></p>\n<p>"...)
			if n > 0 {
				dst = append(photos.appendPath(append(dst, "<a href=\""...), n-1), "\">Previous</a>\n"...)
			}
			if n+1 < photos.pages {
				dst = append(photos.appendPath(append(dst, "<a href=\""...), n+1), "\">Next</a>\n"...)
			}
			return append(dst, "</p>\n"...)
		}}
	}
	return s
}
