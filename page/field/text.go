package field

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// cleaner collects text as a reader sees it: white space and control characters become one space between words and none at
// the ends, and what is not UTF-8 becomes U+FFFD. It takes no more than MaxValue bytes.
type cleaner struct {
	buf    []byte
	gap    rune // what is to stand before the next character, 0 if nothing
	narrow bool // keep spaces that part the digits of a number, where they are one by one
	full   bool
}

func (c *cleaner) add(text string) {
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			switch {
			case c.gap == 0 && c.narrow && isNarrowSpace(r):
				c.gap = r
			case c.gap != '\n':
				c.gap = ' '
			}
			continue
		}
		if len(c.buf)+2*utf8.UTFMax > MaxValue {
			c.full = true
			return
		}
		if c.gap != 0 && len(c.buf) > 0 {
			c.buf = utf8.AppendRune(c.buf, c.gap)
		}
		c.gap = 0
		c.buf = utf8.AppendRune(c.buf, r)
	}
}

// clean returns text as a cleaner collects it.
func clean(text string, narrow bool) string {
	c := cleaner{narrow: narrow}
	c.add(text)
	return string(c.buf)
}

// texts collects the text of elements.
type texts struct {
	cleaner
	apart  bool // elements part words by a line feed, and sub and sup do too: this is to be a number
	budget *budget
}

// textOf returns the text of a node and of what is in it, cleaned. Scripts, styles, templates and what is shown only where
// scripts do not run are left out, unless n is such an element. Elements that format text do not part a word, all others do;
// with apart, sub and sup do too, so that digits in them do not look like more digits of the number before, and no-break
// spaces stay.
func textOf(n *html.Node, apart bool, b *budget) string {
	t := texts{cleaner: cleaner{narrow: apart}, apart: apart, budget: b}
	switch n.Type {
	case html.TextNode, html.CommentNode:
		t.text(n.Data)
	default:
		t.children(n)
	}
	return string(t.buf)
}

func (t *texts) text(s string) bool {
	if !t.budget.spend(1 + len(s)) {
		return false
	}
	t.add(s)
	return !t.full
}

// children adds the text of the children of n. It returns false when there is to be no more.
func (t *texts) children(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.Type {
		case html.TextNode:
			if !t.text(c.Data) {
				return false
			}
		case html.ElementNode:
			if !t.budget.spend(1) {
				return false
			}
			if hidden(c) {
				continue
			}
			breaks := !formats(c) || t.apart && (c.DataAtom == atom.Sub || c.DataAtom == atom.Sup)
			if breaks {
				t.part()
			}
			if !t.children(c) {
				return false
			}
			if breaks {
				t.part()
			}
		}
	}
	return true
}

// part sets what follows apart.
func (t *texts) part() {
	t.gap = ' '
	if t.apart {
		t.gap = '\n'
	}
}

// hidden reports whether the content of an element is not for readers.
func hidden(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Noembed, atom.Noframes, atom.Iframe:
		return true
	}
	return false
}

// formats reports whether an element only formats text within a word.
func formats(n *html.Node) bool {
	switch n.DataAtom {
	case atom.A, atom.Abbr, atom.B, atom.Bdi, atom.Bdo, atom.Big, atom.Cite, atom.Code, atom.Data, atom.Del, atom.Dfn, atom.Em,
		atom.Font, atom.I, atom.Ins, atom.Kbd, atom.Mark, atom.Nobr, atom.Q, atom.S, atom.Samp, atom.Small, atom.Span, atom.Strike,
		atom.Strong, atom.Sub, atom.Sup, atom.Time, atom.Tt, atom.U, atom.Var, atom.Wbr:
		return true
	}
	return false
}

// attrOf returns an attribute as it stands in the page, without white space at its ends. Empty is as good as missing.
func attrOf(n *html.Node, name string) string {
	for _, a := range n.Attr {
		key := a.Key
		if a.Namespace != "" {
			key = a.Namespace + ":" + a.Key
		}
		if strings.EqualFold(key, name) {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

// limited is a buffer that fails once it holds enough.
type limited struct {
	buf    bytes.Buffer
	budget *budget
	max    int
}

var errEnough = errors.New("enough")

func (l *limited) Write(p []byte) (int, error) {
	if l.buf.Len() >= l.max || !l.budget.spend(len(p)) {
		return 0, errEnough
	}
	return l.buf.Write(p)
}

// innerHTML returns the HTML within an element.
func innerHTML(n *html.Node, b *budget) string {
	out := limited{budget: b, max: MaxValue}
	w := bufio.NewWriter(&out)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		// Rendering fails when there is enough, and on trees that no page makes; what came before is good.
		if err := html.Render(w, c); err != nil {
			break
		}
	}
	_ = w.Flush() // it fails when there is enough
	return strings.TrimSpace(out.buf.String())
}

// cut returns s without what is beyond n bytes, and without a part of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
