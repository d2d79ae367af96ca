package fakeweb

import (
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
)

func mustStore(t testing.TB, apps int) *Store {
	t.Helper()
	o := DefaultStore()
	o.Apps = apps
	s, err := NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seenApp is what an app's page says to one who reads its tree.
type seenApp struct {
	app      StoreApp
	data     StoreApp // what its JSON-LD says: name, price and average
	meta     map[string]string
	clusters [][]string // paths that each links, the first time that it does
	links    []string   // paths of all links
}

// readStore reads a page as a browser does, with nothing of the generator but
// the class names.
func readStore(t testing.TB, at, page string) seenApp {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	seen := seenApp{app: StoreApp{Path: base.Path}, meta: map[string]string{}}
	var headings int
	var visit func(n *html.Node, cluster int)
	visit = func(n *html.Node, cluster int) {
		if n.Type == html.ElementNode {
			switch class := attribute(n, "class"); {
			case n.Data == "template":
				return
			case n.Data == "base":
				if base, err = base.Parse(attribute(n, "href")); err != nil {
					t.Fatal(err)
				}
			case n.Data == "h1":
				headings++
				seen.app.Name = textOf(n)
			case n.Data == "meta":
				seen.meta[attribute(n, "property")+attribute(n, "name")] = attribute(n, "content")
			case n.Data == "script" && attribute(n, "type") == "application/ld+json":
				seen.data = readData(t, n.FirstChild.Data)
			case class == "price":
				seen.app.Price = strings.NewReplacer("Free", "0", "$", "", ",", "").Replace(textOf(n))
			case class == "score":
				seen.app.Average = strings.TrimSuffix(textOf(n), " of 5")
			case strings.HasPrefix(class, "bar "):
				for i, name := range []string{"five", "four", "three", "two", "one"} {
					if class == "bar "+name+"-star" {
						seen.app.Ratings[i] = strings.ReplaceAll(textOf(n.LastChild), ",", "")
					}
				}
			case n.Data == "section" && class == "cluster":
				seen.clusters = append(seen.clusters, nil)
				cluster = len(seen.clusters)
			case n.Data == "a":
				to, err := base.Parse(attribute(n, "href"))
				if err != nil {
					t.Fatal(err)
				}
				seen.links = append(seen.links, to.Path)
				if cluster > 0 && strings.HasPrefix(to.Path, "/app/") {
					if in := &seen.clusters[cluster-1]; !slices.Contains(*in, to.Path) {
						*in = append(*in, to.Path)
					}
				}
			}
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			visit(child, cluster)
		}
	}
	visit(doc, 0)
	if headings != 1 {
		t.Errorf("%s has %d h1", at, headings)
	}
	return seen
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" && d.Parent.Data != "style" {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.FieldsFunc(b.String(), unicode.IsSpace), " ")
}

// readData finds the app in JSON-LD, in whatever it is wrapped.
func readData(t testing.TB, text string) (a StoreApp) {
	t.Helper()
	var all any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				visit(item)
			}
		case map[string]any:
			if graph, ok := v["@graph"]; ok {
				visit(graph)
			}
			if types, ok := v["@type"].([]any); !ok || !slices.Contains(types, any("SoftwareApplication")) {
				return
			}
			a.Name = v["name"].(string)
			switch price := v["offers"].(map[string]any)["price"].(type) {
			case string:
				a.Price = price
			case float64:
				number, _ := json.Marshal(price)
				a.Price = string(number)
			}
			if rating, ok := v["aggregateRating"].(map[string]any); ok {
				a.Average = rating["ratingValue"].(string)
			}
		}
	}
	visit(all)
	return a
}

// walkStore reads all that is found from start on, breadth first, by the links
// that next picks.
func walkStore(t testing.TB, rt http.RoundTripper, root, start string, next func(seenApp) []string) iter.Seq[seenApp] {
	return func(yield func(seenApp) bool) {
		known := map[string]bool{start: true}
		for found := []string{start}; len(found) > 0; found = found[1:] {
			at := root + found[0]
			answer := mustGet(t, rt, at)
			if answer.StatusCode != 200 {
				t.Errorf("%s: %d", at, answer.StatusCode)
				continue
			}
			seen := readStore(t, at, answer.body)
			if !yield(seen) {
				return
			}
			for _, path := range next(seen) {
				if !known[path] {
					known[path] = true
					found = append(found, path)
				}
			}
		}
	}
}

func firstCluster(seen seenApp) []string {
	if len(seen.clusters) == 0 {
		return nil
	}
	return seen.clusters[0]
}

func TestStoreTellsTheTruthOfFirstClusters(t *testing.T) {
	s := mustStore(t, 400)
	server := httptest.NewServer(s)
	defer server.Close()
	rt := &http.Transport{DisableCompression: true}
	defer rt.CloseIdleConnections()
	for _, test := range []struct {
		name  string
		rt    http.RoundTripper
		root  string
		start string
		limit int
		want  int // apps
	}{
		{"from app 1", s, "http://" + StoreHost, "/app/1", 0, 280},
		{"from app 1 over a socket", rt, server.URL, "/app/1", 100, 100},
		{"from another app", s, "http://" + StoreHost, "/app/77", 100, 100},
		{"from an app that no first cluster links", s, "http://" + StoreHost, "/app/321", 0, 281},
		{"from an app without clusters", s, "http://" + StoreHost, "/app/250", 0, 1},
		{"one app", s, "http://" + StoreHost, "/app/2", 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			truth := s.Similar(test.start, test.limit)
			if len(truth) != test.want {
				t.Errorf("%d apps, want %d", len(truth), test.want)
			}
			n := 0
			for seen := range walkStore(t, test.rt, test.root, test.start, firstCluster) {
				if n >= len(truth) {
					t.Fatalf("%s is reached and not expected", seen.app.Path)
				}
				checkApp(t, seen, truth[n])
				n++
				if n == test.limit {
					break
				}
			}
			if n != len(truth) {
				t.Errorf("%d apps are reached, %d are expected", n, len(truth))
			}
		})
	}
}

func TestStoreTellsTheTruthOfAllLinks(t *testing.T) {
	s := mustStore(t, 400)
	truth := map[string]StoreApp{}
	for a := range s.All() {
		truth[a.Path] = a
	}
	if len(truth) != 360 {
		t.Errorf("%d apps, want 360", len(truth))
	}
	pages := 0
	everything := func(seen seenApp) []string { return seen.links }
	for seen := range walkStore(t, s, "http://"+StoreHost, "/", everything) {
		want, ok := truth[seen.app.Path]
		if !ok {
			if strings.HasPrefix(seen.app.Path, "/app/") {
				t.Errorf("%s is reached and not expected", seen.app.Path)
			}
			pages++
			continue
		}
		checkApp(t, seen, want)
		delete(truth, seen.app.Path)
	}
	for path := range truth {
		t.Errorf("%s is not reached", path)
	}
	// The front page, /about, and the categories, of which each has one page.
	if pages != 2+storeCategories {
		t.Errorf("%d pages beside apps", pages)
	}
}

// checkApp holds what a page says against the truth, in all the places where it
// says so.
func checkApp(t *testing.T, seen seenApp, want StoreApp) {
	t.Helper()
	if seen.app != want {
		t.Errorf("\nwant %+v\nhave %+v", want, seen.app)
	}
	if data := (StoreApp{Name: want.Name, Price: want.Price, Average: want.Average}); seen.data != data {
		t.Errorf("%s: JSON-LD has %+v, want %+v", want.Path, seen.data, data)
	}
	if seen.meta["og:title"] != want.Name || seen.meta["product:price:amount"] != want.Price {
		t.Errorf("%s: meta elements have %v", want.Path, seen.meta)
	}
}

// TestStoreHasAllThatIsHard fails when a store lacks one of the difficulties for
// which it was made.
func TestStoreHasAllThatIsHard(t *testing.T) {
	s := mustStore(t, 400)
	listed := map[string]int{} // in what else than first clusters apps are linked
	var formulas, unrated, some, zero, large, bare, long, base int
	names := map[string]int{}
	pages := map[string]string{}
	everything := func(seen seenApp) []string { return seen.links }
	for seen := range walkStore(t, s, "http://"+StoreHost, "/", everything) {
		pages[seen.app.Path] = mustGet(t, s, "http://"+StoreHost+seen.app.Path).body
		if !strings.HasPrefix(seen.app.Path, "/app/") {
			for _, to := range seen.links {
				listed[to]++
			}
			continue
		}
		for i, cluster := range seen.clusters {
			for _, to := range cluster {
				if i > 0 {
					listed[to]++
				}
			}
		}
		counts := strings.Join(seen.app.Ratings[:], "")
		names[seen.app.Name]++
		for what, is := range map[*int]bool{
			&formulas: strings.ContainsRune("=+-@", rune(seen.app.Name[0])),
			&unrated:  counts == "",
			&some:     counts != "" && slices.Contains(seen.app.Ratings[:], ""),
			&zero:     slices.Contains(seen.app.Ratings[:], "0"),
			&large:    slices.ContainsFunc(seen.app.Ratings[:], func(n string) bool { return len(n) > 9 }),
			&bare:     len(seen.clusters) == 0,
			&long:     len(seen.app.Name) > 5000,
			&base:     strings.Contains(pages[seen.app.Path], "<base"),
		} {
			if is {
				*what++
			}
		}
	}
	for what, n := range map[string]int{
		"names like formulas": formulas, "unrated apps": unrated, "apps with some ratings": some,
		"apps with no rating of a kind": zero, "numbers beyond 32 bits": large,
		"apps without clusters": bare, "long names": long, "pages with a base": base,
	} {
		if n < 4 {
			t.Errorf("%d %s", n, what)
		}
	}
	if names["Calculator"] < 2 {
		t.Error("no two apps have the same name")
	}
	only := 0
	for _, a := range s.Similar("/app/1", 0) {
		if listed[a.Path] == 0 {
			only++
		}
	}
	if only < 210 {
		t.Errorf("%d apps are linked in first clusters alone", only)
	}
	decoys := map[string]bool{}
	for _, page := range pages {
		for _, cut := range [][2]string{{"<!--\n<sec", "-->"}, {"<template>\n<sec", "</template>"}, {"later\">\n<sec", "</script>"}} {
			if _, rest, ok := strings.Cut(page, cut[0]); ok && strings.Contains(rest, cut[1]) {
				decoys[cut[0]] = true
			}
		}
	}
	if len(decoys) != 3 {
		t.Errorf("clusters that are none stand in %v", decoys)
	}
}

func TestSameOptionsSameStore(t *testing.T) {
	a, b := mustStore(t, 200), mustStore(t, 200)
	o := DefaultStore()
	o.Apps, o.Seed = 200, 2
	other, err := NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for _, path := range []string{"/", "/about", "/category/3", "/app/1", "/app/2", "/app/150", "/app/190", "/icon/7.svg"} {
		one := mustGet(t, a, "http://"+StoreHost+path)
		if again := mustGet(t, b, "http://"+StoreHost+path); one.body != again.body {
			t.Errorf("%s differs", path)
		}
		if one.body != mustGet(t, other, "http://"+StoreHost+path).body {
			differ++
		}
	}
	if differ < 7 {
		t.Errorf("another seed changes %d pages", differ)
	}
}

func TestStoreAddressesThatAreNone(t *testing.T) {
	s := mustStore(t, 200)
	for _, target := range []string{"/app/0", "/app/201", "/app/01", "/app/1/", "/app/-1", "/app/1?x=1", "/app/", "/category/0", "/category/9", "/category/1?page=9", "/icon/201.svg", "/icon/1", "/x"} {
		if f := mustGet(t, s, "http://"+StoreHost+target); f.StatusCode != 404 {
			t.Errorf("%s: %d", target, f.StatusCode)
		}
	}
	if s.Similar("/app/201", 0) != nil || s.Similar("/", 0) != nil {
		t.Error("apps where there are none")
	}
	if _, err := get(t, s, "http://elsewhere.test/"); err == nil {
		t.Error("there is another host")
	}
}

func TestOptionsThatMakeNoStore(t *testing.T) {
	for _, apps := range []int{-1, 0, 9, 1_000_001} {
		if _, err := NewStore(StoreOptions{Apps: apps}); err == nil {
			t.Errorf("%d apps: no error", apps)
		}
	}
	for apps := 10; apps < 60; apps++ {
		s := mustStore(t, apps)
		if n := len(s.Similar("/app/1", 0)); n != apps*7/10 {
			t.Errorf("%d apps: %d are similar", apps, n)
		}
	}
}

func BenchmarkStorePage(b *testing.B) {
	s := mustStore(b, 2000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = n%2000 + 1
		r := httptest.NewRequest(http.MethodGet, "http://"+StoreHost+string(appendApp(nil, n)), nil)
		resp, err := s.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		size, _ := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		b.SetBytes(size)
	}
}
