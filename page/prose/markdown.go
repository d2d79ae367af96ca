package prose

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"pawl/page"
)

const (
	// MaxMarkdown is how long a page may be of which Markdown is made.
	MaxMarkdown = 10 << 20
	// spareCells is how many cells a table may have that are not in the page, and cellsPerCell how many more for each that is.
	// Spans, and one long row among short ones, make a grid of millions of cells out of a line of HTML.
	spareCells   = 1000
	cellsPerCell = 8
	// farBracket is how far the end of a link may be from what may be its beginning.
	farBracket = 256
)

var errLong = fmt.Errorf("page is longer than %d bytes", MaxMarkdown)

// Markdown returns a page as Markdown (CommonMark, with the tables and the strike-through of GitHub). Links are made absolute:
// they are resolved against address, that of the page, or against what its base element says. Left out is what Text leaves out.
//
// It fails if the body is no HTML page by page.IsHTML, has more than MaxMarkdown bytes, or is one of which page.Tree makes no
// tree; and on one that would take more than a few seconds, such as quotes in quotes without end or a million elements. Markdown may be called concurrently.
func Markdown(contentType string, body []byte, address string) (out string, err error) {
	if err := checkPage(contentType, body); err != nil {
		return "", err
	}
	if len(body) > MaxMarkdown {
		return "", errLong
	}
	root, _, err := page.Tree(contentType, body, false)
	if err != nil {
		return "", err
	}
	base := baseOf(root, address)
	prune(root)
	if err := checkCost(root, len(base)); err != nil {
		return "", err
	}
	simplify(root)
	defer func() {
		if r := recover(); r != nil {
			out, err = "", fmt.Errorf("page cannot be made Markdown: %v", r)
		}
	}()
	text, err := newConverter().ConvertNode(root, converter.WithDomain(base))
	if err != nil {
		return "", err
	}
	return strings.ToValidUTF8(string(bytes.TrimSpace(text)), "\uFFFD"), nil
}

func newConverter() *converter.Converter {
	c := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(),
		strikethrough.NewStrikethroughPlugin(),
		table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal)),
	))
	c.Register.UnEscaper(escapeFarBracket, converter.PriorityEarly)
	return c
}

// escapeFarBracket escapes a bracket whose partner is far away. The converter would search the line to its end for each.
func escapeFarBracket(text []byte, i int) int {
	if text[i] != '[' {
		return -1
	}
	near := text[i+1 : min(len(text), i+1+farBracket)]
	if len(near) < farBracket || bytes.IndexByte(near, ']') >= 0 || bytes.IndexByte(near, '\n') >= 0 {
		return -1
	}
	return 1
}

// baseOf returns the address that the links of a page are resolved against.
func baseOf(root *html.Node, address string) string {
	at, err := url.Parse(address)
	if err != nil {
		return address
	}
	for n := range root.Descendants() {
		if n.DataAtom != atom.Base || n.Namespace != "" {
			continue
		}
		for _, a := range n.Attr {
			if a.Key != "href" {
				continue
			}
			ref, err := url.Parse(strings.TrimSpace(a.Val))
			if err != nil {
				return address
			}
			if to := at.ResolveReference(ref); to.Scheme == "http" || to.Scheme == "https" {
				return to.String()
			}
			return address
		}
	}
	return address
}

// grid is what is in a table.
type grid struct {
	cells, spanned, rows, widest int
}

// simplify takes the spans from tables that they would make too large, and makes blocks of tables that are too large even so.
// It returns what is in n.
func simplify(n *html.Node) grid {
	var g grid
	width := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		inner := simplify(c)
		g.cells += inner.cells
		g.spanned += inner.spanned
		g.rows += inner.rows
		g.widest = max(g.widest, inner.widest)
		if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
			g.cells++
			span := spanOf(c, "colspan") * spanOf(c, "rowspan")
			g.spanned = min(g.spanned+span, 1<<40)
			width = min(width+spanOf(c, "colspan"), 1<<20)
		}
	}
	g.widest = max(g.widest, width)
	switch n.DataAtom {
	case atom.Tr:
		g.rows++
	case atom.Table:
		most := spareCells + cellsPerCell*g.cells
		if g.spanned <= most && g.rows*g.widest <= most {
			break
		}
		dropSpans(n)
		if g.rows*widestRow(n) > most {
			unmake(n)
		}
	}
	return g
}

// spanOf returns how many columns or rows a cell takes, within what HTML allows.
func spanOf(cell *html.Node, name string) int {
	for _, a := range cell.Attr {
		if a.Key != name {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(a.Val))
		if err != nil && errors.Is(err, strconv.ErrRange) {
			n = 1 << 16
		}
		return max(1, min(n, 1<<16))
	}
	return 1
}

func dropSpans(table *html.Node) {
	for n := range table.Descendants() {
		if n.DataAtom != atom.Td && n.DataAtom != atom.Th {
			continue
		}
		kept := n.Attr[:0]
		for _, a := range n.Attr {
			if a.Key != "colspan" && a.Key != "rowspan" {
				kept = append(kept, a)
			}
		}
		n.Attr = kept
	}
}

// widestRow returns how many cells the longest row has, without spans.
func widestRow(n *html.Node) int {
	widest, width := 0, 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		widest = max(widest, widestRow(c))
		if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
			width++
		}
	}
	return max(widest, width)
}

// unmake makes blocks of a table, its rows and its cells.
func unmake(table *html.Node) {
	for n := range table.Descendants() {
		switch n.DataAtom {
		case atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Caption, atom.Colgroup, atom.Col:
			n.DataAtom, n.Data = atom.Div, "div"
		}
	}
	table.DataAtom, table.Data = atom.Div, "div"
}
