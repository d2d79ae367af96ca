package prose

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Limits on what the converter is given. It reads some parts of a page more than once, and what it writes can be much longer
// than the page; with these it takes a second or two of the worst of pages.
const (
	// maxNodes is how many elements and texts there may be; each takes a microsecond or two.
	maxNodes = 750_000
	// maxNesting bounds the quotes and lists in one another: each of their lines is written anew for each of them, and grows.
	// It is the sum over all nodes of what they hold, times the square of how deep they are.
	maxNesting = 400 << 20
	// maxInList is how deep they may be.
	maxInList = 64
	// lineWeight is what a line counts for in a list: so many bytes may stand before it.
	lineWeight = 32
	// maxWithin bounds the tables and pieces of code in one another: all that they hold is looked through for each of them.
	maxWithin = 20_000_000
	// maxAbove bounds the elements that are looked for above each other one like them.
	maxAbove = 20_000_000
	// maxSigns is how many characters there may be that may have to be escaped.
	maxSigns = 1_500_000
	// maxLinks bounds the bytes that links get before them to be absolute.
	maxLinks = 32 << 20
)

var (
	errNodes  = fmt.Errorf("page has more than %d elements and texts", maxNodes)
	errNested = errors.New("quotes and lists in one another are too many")
	errWithin = errors.New("tables in one another are too many")
	errAbove  = errors.New("elements that format text are too many and too deep")
	errSigns  = errors.New("signs that are to be escaped are too many")
	errLinks  = errors.New("links are too many for so long an address")
)

// cost adds up what the converter is going to take for a tree.
type cost struct {
	base int // bytes that a link gets before it

	nodes, nested, within, above, signs, linking int
}

// checkCost returns an error if it would take too much to convert a tree whose links are resolved against base bytes.
func checkCost(root *html.Node, base int) error {
	c := cost{base: base}
	return c.add(root, depths{})
}

// depths are how many elements of some kinds a node is in.
type depths struct{ any, lists, within int }

func (c *cost) add(n *html.Node, d depths) error {
	d.any++
	c.nodes++
	switch n.DataAtom {
	case atom.Blockquote, atom.Li, atom.Ul, atom.Ol, atom.Menu, atom.Dir, atom.Dl, atom.Dd, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		d.lists++
	case atom.Table:
		d.within++
		c.above += d.any
	case atom.Code:
		d.within++
	case atom.A, atom.Img:
		c.linking += c.base
		c.above += d.any
	case atom.B, atom.Strong, atom.I, atom.Em, atom.S, atom.Strike, atom.Del:
		c.above += d.any
	}
	c.within += d.within
	weight := 8 + len(n.Data)
	if n.Type == html.TextNode {
		for i := range len(n.Data) {
			if strings.IndexByte("\\*_-+.>|$#=[]()!~`\"'", n.Data[i]) >= 0 {
				c.signs++
			}
		}
		if d.lists > 0 {
			weight += (lineWeight - 1) * strings.Count(n.Data, "\n")
		}
	}
	c.nested += weight * d.lists * d.lists
	switch {
	case c.nodes > maxNodes:
		return errNodes
	case c.nested > maxNesting || d.lists > maxInList:
		return errNested
	case c.within > maxWithin:
		return errWithin
	case c.above > maxAbove:
		return errAbove
	case c.signs > maxSigns:
		return errSigns
	case c.linking > maxLinks:
		return errLinks
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if err := c.add(child, d); err != nil {
			return err
		}
	}
	return nil
}
