package export

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"pawl/page"
	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

// graphML is what a reader takes from a graph.
type graphML struct {
	XMLName xml.Name `xml:"http://graphml.graphdrawing.org/xmlns graphml"`
	Keys    []struct {
		ID  string `xml:"id,attr"`
		For string `xml:"for,attr"`
	} `xml:"key"`
	Graph struct {
		Directed string `xml:"edgedefault,attr"`
		Nodes    []struct {
			ID   string    `xml:"id,attr"`
			Data []xmlData `xml:"data"`
		} `xml:"node"`
		Edges []struct {
			Source string    `xml:"source,attr"`
			Target string    `xml:"target,attr"`
			Data   []xmlData `xml:"data"`
		} `xml:"edge"`
	} `xml:"graph"`
}

type xmlData struct {
	Key   string `xml:"key,attr"`
	Value string `xml:",chardata"`
}

// readGraph checks what GraphML demands: ids that are there once, edges between
// nodes, and data of keys that are declared.
func readGraph(t *testing.T, b []byte) (nodes, edges map[string]map[string]string) {
	t.Helper()
	var g graphML
	d := xml.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	if end, err := d.Token(); err != nil || strings.TrimSpace(string(end.(xml.CharData))) != "" {
		t.Error("more than one element:", err)
	}
	if g.Graph.Directed != "directed" {
		t.Error("not directed")
	}
	keys := map[string]bool{}
	for _, k := range g.Keys {
		keys[k.For+" "+k.ID] = true
	}
	values := func(of string, data []xmlData) map[string]string {
		all := map[string]string{}
		for _, d := range data {
			if !keys[of+" "+d.Key] {
				t.Errorf("a %s has the undeclared key %q", of, d.Key)
			}
			all[d.Key] = d.Value
		}
		return all
	}
	nodes, edges = map[string]map[string]string{}, map[string]map[string]string{}
	for _, n := range g.Graph.Nodes {
		if nodes[n.ID] != nil {
			t.Errorf("two nodes %s", n.ID)
		}
		nodes[n.ID] = values("node", n.Data)
	}
	for _, e := range g.Graph.Edges {
		if nodes[e.Source] == nil || nodes[e.Target] == nil {
			t.Errorf("an edge from %s to %s", e.Source, e.Target)
		}
		data := values("edge", e.Data)
		ends := e.Source + " " + e.Target
		if edges[ends] != nil {
			ends += " " + data["kind"] // another kind of link
		}
		if edges[ends] != nil {
			t.Errorf("two edges %s", ends)
		}
		edges[ends] = data
	}
	return nodes, edges
}

func TestGraph(t *testing.T) {
	const at = "https://example.org/"
	f := of(
		t,
		&storage.Visit{
			URL: at, Outcome: storage.Fetched, Status: 200, Record: storage.Record{Title: "<b>&\"'> \x00\x01\xff\u2028 ü ]]>"},
			Kept: packed(
				t, at,
				storage.PageLink{URL: at + "?a=1&b=2", Kind: uint8(page.KindA), Count: 2, NoFollow: true},
				storage.PageLink{URL: at + "?a=1&b=2", Kind: uint8(page.KindNext), Count: 1},
				storage.PageLink{URL: at, Kind: uint8(page.KindCanonical), Count: 1},
				storage.PageLink{URL: at + "never", Kind: uint8(page.KindA), Count: 2},
			),
		},
		&storage.Edit{Edit: storage.EditSettings, Settings: []byte("{}")},
		&storage.Visit{URL: at + "?a=1&b=2", Outcome: storage.Failed, Class: storage.DNS, Origin: storage.Origin{Depth: 1}},
		&storage.Visit{URL: at + "list", Outcome: storage.Fetched, Status: 200, Unlisted: true},
	)
	var b bytes.Buffer
	n, err := Graph(&b, f, Defaults())
	if n != 3 || err != nil {
		t.Fatal(n, err)
	}
	nodes, edges := readGraph(t, b.Bytes())
	wantNodes := map[string]map[string]string{
		"n1": {"url": at, "outcome": "fetched", "status": "200", "title": "<b>&\"'> \uFFFD\uFFFD\uFFFD\u2028 ü ]]>", "depth": "0"},
		"n3": {"url": at + "?a=1&b=2", "outcome": "failed", "depth": "1"},
		"n4": {"url": at + "list", "outcome": "fetched", "status": "200", "depth": "0"},
	}
	wantEdges := map[string]map[string]string{
		"n1 n3":      {"kind": "a", "count": "2", "nofollow": "true"},
		"n1 n3 next": {"kind": "next", "count": "1"},
		"n1 n1":      {"kind": "canonical", "count": "1"},
	}
	if diff := cmp.Diff(wantNodes, nodes) + cmp.Diff(wantEdges, edges); diff != "" {
		t.Error(diff)
	}
	if _, err := Graph(io.Discard, of(t, samplePage(0)), Defaults()); !errors.Is(err, ErrNoLinks) {
		t.Error(err)
	}
	var refused *ColumnError
	if _, err := Graph(io.Discard, f, Options{Columns: []string{"url"}}); !errors.As(err, &refused) || err.Error() != `column "url" cannot be chosen: a graph has no columns` {
		t.Errorf("takes columns: %v", err)
	}
}

func TestGraphAgainstAModel(t *testing.T) {
	const n = 2500
	f, links := linkedCrawl(t, n, 20)
	var b bytes.Buffer
	rows, err := Graph(writerFunc(func(p []byte) (int, error) {
		noTransaction(t)
		return b.Write(p)
	}), f, Defaults())
	if rows != n || err != nil {
		t.Fatal(rows, err)
	}
	nodes, edges := readGraph(t, b.Bytes())
	urls := map[string]bool{}
	for i := range n {
		urls[samplePage(i).URL] = true
	}
	want, got := map[string]string{}, map[string]string{}
	for source, all := range links {
		for _, l := range all {
			if urls[l.URL] {
				want[source+" "+l.URL] = fmt.Sprintf("%v %d", page.Kind(l.Kind), l.Count)
			}
		}
	}
	for ends, data := range edges {
		source, target, _ := strings.Cut(ends, " ")
		got[nodes[source]["url"]+" "+nodes[target]["url"]] = data["kind"] + " " + data["count"]
	}
	if diff := cmp.Diff(want, got); diff != "" || len(nodes) != n {
		t.Errorf("%d nodes, %s", len(nodes), diff)
	}
}

func TestGraphOfSome(t *testing.T) {
	const at = "https://example.org/"
	visit := func(path string, depth uint32, to ...string) *storage.Visit {
		var links []storage.PageLink
		for _, path := range to {
			links = append(links, storage.PageLink{URL: at + path, Kind: uint8(page.KindA), Count: 1})
		}
		return &storage.Visit{URL: at + path, Outcome: storage.Fetched, Origin: storage.Origin{Depth: depth}, Kept: packed(t, at+path, links...)}
	}
	f := of(t, visit("", 0, "a", "b"), visit("a", 1, "b", ""), visit("b", 1, "c"), visit("c", 2, "", "a"))
	for where, want := range map[string][]string{
		"depth < 2":               {"n1 n2", "n1 n3", "n2 n1", "n2 n3"},
		"depth > 0":               {"n2 n3", "n3 n4", "n4 n2"},
		"inlinks >= 2":            {"n1 n2", "n1 n3", "n2 n1", "n2 n3"},
		`discovery_path == "LLL"`: nil,
	} {
		var b bytes.Buffer
		if _, err := Graph(&b, f, Options{Where: where}); err != nil {
			t.Fatal(err)
		}
		_, edges := readGraph(t, b.Bytes())
		if got := slices.Sorted(maps.Keys(edges)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
	var wrong *WhereError
	if _, err := Graph(io.Discard, f, Options{Where: "dept < 2"}); !errors.As(err, &wrong) || wrong.Nearest != "depth" {
		t.Error(err)
	}
}
