package field

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// microCost is what a step takes, in those of a walk, beside the attributes that it looks at.
const microCost = 16

// microWalk looks for values of microdata (https://html.spec.whatwg.org/#microdata).
type microWalk struct {
	root   *html.Node
	budget *budget
	apart  bool
	yield  func(result) bool
	done   bool
	ids    map[string]*html.Node
}

// find yields the values at a path, in the order of the document. The path begins with the type of an item, which may be
// anywhere; or else, if there is no item of that type, with a property of an item that is in none.
func (w *microWalk) find(path []string) {
	typed := false
	for n := range w.root.Descendants() {
		if w.done || !w.look(n) {
			return
		}
		if n.Type == html.ElementNode && hasAttr(n, "itemscope") && hasToken(attrOf(n, "itemtype"), path[0]) {
			typed = true
			w.follow(n, path[1:])
		}
	}
	if typed {
		return
	}
	for n := range w.root.Descendants() {
		if w.done || !w.look(n) {
			return
		}
		if n.Type == html.ElementNode && hasAttr(n, "itemscope") && !hasAttr(n, "itemprop") {
			w.follow(n, path)
		}
	}
}

// look takes what it costs to look at the attributes of an element, and at itemprop and itemref as lists. It returns false if
// that is not left.
func (w *microWalk) look(n *html.Node) bool {
	cost := microCost + len(n.Attr)
	for _, a := range n.Attr {
		if a.Key == "itemprop" || a.Key == "itemref" {
			cost += len(a.Val)
		}
	}
	return w.budget.spend(cost)
}

// follow yields what is at a path from an item.
func (w *microWalk) follow(item *html.Node, path []string) {
	if len(path) == 0 {
		w.done = !w.yield(result{text: textOf(item, w.apart, w.budget)})
		return
	}
	w.properties(item, path)
	for ref := range strings.FieldsSeq(attrOf(item, "itemref")) {
		if w.done || !w.budget.spend(microCost) {
			return
		}
		// An element that is in the item anyway is not taken twice.
		if n := w.byID(ref); n != nil && n != item && !w.isWithin(n, item) && !w.isWithin(item, n) && w.look(n) {
			w.property(n, path)
		}
	}
}

// properties yields what is at a path from the item that the children of n belong to.
func (w *microWalk) properties(n *html.Node, path []string) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if w.done || !w.look(c) {
			return
		}
		if c.Type == html.ElementNode {
			w.property(c, path)
		}
	}
}

func (w *microWalk) property(n *html.Node, path []string) {
	scope := hasAttr(n, "itemscope")
	if hasToken(attrOf(n, "itemprop"), path[0]) {
		switch {
		case scope && len(path) > 1:
			w.follow(n, path[1:])
		case scope:
			w.done = w.done || !w.yield(result{text: textOf(n, w.apart, w.budget)})
		case len(path) == 1:
			w.done = w.done || !w.yield(w.value(n))
		}
	}
	if !scope {
		w.properties(n, path)
	}
}

// value returns the value of a property (https://html.spec.whatwg.org/#values). Beyond the standard, and as search engines
// do, a content attribute counts on any element.
func (w *microWalk) value(n *html.Node) result {
	name := ""
	switch n.DataAtom {
	case atom.Audio, atom.Embed, atom.Iframe, atom.Img, atom.Source, atom.Track, atom.Video:
		name = "src"
	case atom.A, atom.Area, atom.Link:
		name = "href"
	case atom.Object:
		name = "data"
	case atom.Data, atom.Meter:
		name = "value"
	case atom.Time:
		if hasAttr(n, "datetime") {
			name = "datetime"
		}
	}
	isMeta := n.DataAtom == atom.Meta || hasAttr(n, "content")
	if isMeta {
		name = "content"
	}
	if name != "" {
		text := w.attr(n, name)
		if isMeta {
			text = clean(text, w.apart)
		}
		return result{text: text, machine: true}
	}
	return result{text: textOf(n, w.apart, w.budget)}
}

// attr returns an attribute, which an element may be asked for once for each item that refers to it.
func (w *microWalk) attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && !w.budget.spend(len(a.Val)) {
			return ""
		}
	}
	return attrOf(n, name)
}

// byID returns the first element with an id, nil if there is none.
func (w *microWalk) byID(id string) *html.Node {
	if w.ids == nil {
		w.ids = map[string]*html.Node{}
		for n := range w.root.Descendants() {
			if !w.budget.spend(1) {
				return nil
			}
			if n.Type != html.ElementNode {
				continue
			}
			if id := attrOf(n, "id"); id != "" && w.ids[id] == nil {
				w.ids[id] = n
			}
		}
	}
	return w.ids[id]
}

func (w *microWalk) isWithin(n, outer *html.Node) bool {
	for ; n != nil && w.budget.spend(1); n = n.Parent {
		if n == outer {
			return true
		}
	}
	return false
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return true
		}
	}
	return false
}

// hasToken reports whether a list of names, which may be URLs, holds one that ends in name.
func hasToken(list, name string) bool {
	for token := range strings.FieldsSeq(list) {
		if isType(token, name) {
			return true
		}
	}
	return false
}
