package prose

import (
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/marker"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// prune takes from a tree what is not for readers, and span elements, which say nothing, and makes one text of texts that then
// stand next to each other. The converter would do the same, but in time that is quadratic in how many there are.
func prune(root *html.Node) {
	nameBlocks(root)
	pruneChildren(root)
}

// nameBlocks has the span elements that hold blocks be blocks, and reports whether n is or holds one.
func nameBlocks(n *html.Node) bool {
	block := isBlock(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if nameBlocks(c) {
			block = true
		}
	}
	if block && isSpan(n) {
		n.DataAtom, n.Data = atom.Div, "div"
	}
	return block
}

func pruneChildren(n *html.Node) {
	var p pruner
	p.gather(n)
	p.endText()
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	for _, c := range p.kept {
		dropMarks(c)
		if c.Parent != nil {
			c.Parent.RemoveChild(c)
		}
		n.AppendChild(c)
		pruneChildren(c)
	}
}

// dropMarks takes away the characters that mean something to the converter: what it may have to escape is marked with one,
// and a line feed of pre with the other.
func dropMarks(n *html.Node) {
	if n.Type == html.TextNode {
		n.Data = withoutMarks(n.Data)
	}
	for i := range n.Attr {
		n.Attr[i].Val = withoutMarks(n.Attr[i].Val)
	}
}

func withoutMarks(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, string(marker.MarkerEscaping), ""), string(marker.MarkerCodeBlockNewline), "")
}

// pruner gathers what is left of the children of a node.
type pruner struct {
	kept  []*html.Node
	texts []string // of those that are to be one; the last that is kept is the first of them
}

func (p *pruner) gather(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			if len(p.texts) == 0 {
				p.kept = append(p.kept, c)
			}
			p.texts = append(p.texts, c.Data)
		case c.Type != html.ElementNode || notForReaders(c):
		case isSpan(c):
			p.gather(c)
		default:
			p.endText()
			p.kept = append(p.kept, c)
		}
	}
}

func (p *pruner) endText() {
	if len(p.texts) > 1 {
		p.kept[len(p.kept)-1].Data = strings.Join(p.texts, "")
	}
	p.texts = p.texts[:0]
}

func isSpan(n *html.Node) bool { return n.Type == html.ElementNode && n.Data == "span" }

// notForReaders reports whether an element is left out with all it holds.
func notForReaders(n *html.Node) bool {
	switch n.Data {
	case "head", "script", "style", "link", "meta", "iframe", "noscript", "input", "textarea", "select", "datalist", "noembed",
		"noframes", "template":
		return true
	}
	return false
}

func isBlock(n *html.Node) bool {
	if n.Type != html.ElementNode {
		return false
	}
	switch n.Data {
	case "address", "article", "aside", "blockquote", "details", "dialog", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure",
		"footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
		"table", "ul":
		return true
	}
	return false
}
