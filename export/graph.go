package export

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strconv"

	"pawl/page"
	"pawl/storage"
)

const graphHead = `<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
<key id="url" for="node" attr.name="url" attr.type="string"/>
<key id="outcome" for="node" attr.name="outcome" attr.type="string"/>
<key id="status" for="node" attr.name="status" attr.type="int"/>
<key id="title" for="node" attr.name="title" attr.type="string"/>
<key id="depth" for="node" attr.name="depth" attr.type="int"/>
<key id="kind" for="edge" attr.name="kind" attr.type="string"/>
<key id="count" for="edge" attr.name="count" attr.type="int"/>
<key id="nofollow" for="edge" attr.name="nofollow" attr.type="boolean"/>
<graph id="crawl" edgedefault="directed">
`

const graphTail = "</graph>\n</graphml>\n"

// CheckGraph tells whether [Graph] would accept the options. To choose columns is
// a *ColumnError.
func CheckGraph(o Options) error {
	if len(o.Columns) > 0 {
		return &ColumnError{Name: o.Columns[0], Reason: "cannot be chosen: a graph has no columns"}
	}
	return checkFilter(o)
}

// Graph writes the crawl as GraphML: a node for each address that has an
// outcome, also for those that rules keep out of the results, and an edge for
// each kind of link of a page to another of them. Links to what has no outcome are
// left out. It returns the number of nodes. A crawl that kept no links is
// [ErrNoLinks].
//
// The id of a node is n and the seq of the row. Nodes have url, outcome, status,
// title and depth, edges have kind, count (how often the page has the link as
// that kind) and nofollow. Characters that XML cannot hold become U+FFFD. [Options].Where
// says which addresses are nodes; but for it and Rest, the options say nothing.
//
// The log is read once, the links once; 23 bytes are in memory for each node.
func Graph(w io.Writer, f *storage.File, o Options) (nodes int, err error) {
	if err := CheckGraph(o); err != nil {
		return 0, err
	}
	last, err := keptEnd(f, storage.KeepLinks)
	if err != nil {
		return 0, err
	}
	wanted, beside, err := pageFilter(f, last, o)
	if err != nil {
		return 0, err
	}
	g := graph{w: w, wanted: wanted, row: pageRow{beside: beside}}
	g.buf.WriteString(graphHead)
	n, err := expected(f)
	if err != nil {
		return 0, err
	}
	g.numbers, g.seqs = newAddresses(n), make([]uint64, 0, n)
	err = walk(f, last, o.pacing(), func(seq uint64, event []byte) (bool, error) {
		kind := storage.KindOf(event)
		if kind != storage.KindVisit {
			return true, known(kind)
		}
		return g.buf.Len() < sliceBytes, g.node(seq, event)
	}, g.flush)
	if err != nil {
		return g.nodes, err
	}
	err = walkLinks(f, last, o.pacing(), func(from uint64, _ string, l *storage.PageLink) error {
		g.edge(from, l)
		if g.buf.Len() < sliceBytes {
			return nil
		}
		return g.flush()
	})
	if err != nil {
		return g.nodes, err
	}
	g.buf.WriteString(graphTail)
	return g.nodes, g.flush()
}

// graph is the writer of a graph.
type graph struct {
	w       io.Writer
	buf     bytes.Buffer
	numbers *addresses
	seqs    []uint64 // of the nodes, by their numbers
	decoder storage.PageDecoder
	nodes   int
	wanted  func(*pageRow) bool // nil: all
	row     pageRow
	visits  uint32
}

func (g *graph) flush() error {
	_, err := g.w.Write(g.buf.Bytes())
	g.buf.Reset()
	return err
}

func (g *graph) node(seq uint64, event []byte) error {
	v, err := g.decoder.Decode(event)
	if err != nil {
		return err
	}
	g.row.seq, g.row.Visit, g.row.number = seq, v, g.visits
	g.visits++
	if g.wanted != nil && !g.wanted(&g.row) {
		return nil
	}
	g.numbers.put(g.numbers.fingerprint(v.URL), uint32(g.nodes))
	g.seqs = append(g.seqs, seq)
	g.nodes++
	g.buf.WriteString(`<node id="n`)
	g.number(seq)
	g.buf.WriteString(`">`)
	g.text("url", v.URL)
	g.text("outcome", v.Outcome.String())
	if v.Status != 0 {
		g.count("status", uint64(v.Status))
	}
	g.text("title", v.Record.Title)
	g.count("depth", uint64(v.Depth))
	g.buf.WriteString("</node>\n")
	return nil
}

func (g *graph) edge(from uint64, l *storage.PageLink) {
	to, ok := g.numbers.find(g.numbers.fingerprint(l.URL))
	if ok && g.wanted != nil {
		_, ok = slices.BinarySearch(g.seqs, from)
	}
	if !ok {
		return
	}
	g.buf.WriteString(`<edge source="n`)
	g.number(from)
	g.buf.WriteString(`" target="n`)
	g.number(g.seqs[to])
	g.buf.WriteString(`">`)
	g.text("kind", page.Kind(l.Kind).String())
	g.count("count", uint64(l.Count))
	if l.NoFollow {
		g.text("nofollow", "true")
	}
	g.buf.WriteString("</edge>\n")
}

func (g *graph) number(n uint64) { g.buf.Write(strconv.AppendUint(g.buf.AvailableBuffer(), n, 10)) }

func (g *graph) count(key string, n uint64) {
	g.buf.WriteString(`<data key="` + key + `">`)
	g.number(n)
	g.buf.WriteString("</data>")
}

// text writes a value, unless there is none.
func (g *graph) text(key, value string) {
	if value == "" {
		return
	}
	g.buf.WriteString(`<data key="` + key + `">`)
	_ = xml.EscapeText(&g.buf, []byte(value)) // the errors are those of the writer
	g.buf.WriteString("</data>")
}
