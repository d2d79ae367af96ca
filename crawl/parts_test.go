package crawl

import (
	"runtime"
	"strings"
	"testing"

	"pawl/page"
	"pawl/page/field"
	"pawl/weburl"
)

// linksFromParts takes the links of a page from its p elements, as a worker does.
func linksFromParts(t *testing.T, url, body string) []page.Link {
	t.Helper()
	selector, err := field.ParseSelector("p")
	if err != nil {
		t.Fatal(err)
	}
	speller, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	parser := page.New(speller, "")
	whole, err := parser.Parse(page.Input{URL: url, ContentType: "text/html", Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	taken := field.NewSet(nil, []field.Selector{selector}).Take(field.Input{ContentType: "text/html", Body: []byte(body), HTML: true})
	if taken.Err != nil {
		t.Fatal(taken.Err)
	}
	return linksIn(taken.Parts, parser, whole, url)
}

func TestLinksInParts(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"no base", `<a href=0></a><p><a href=1></a><p><a href=2></a></p><a href=3></a>`, "http://a.test/d/1 http://a.test/d/2"},
		{"base", `<base href="/b/?x&y"><p><a href=1></a><p><a href=?z></a></p><a href=3></a>`, "http://a.test/b/1 http://a.test/b/?z"},
		{"base in a part", `<p><base href=/b/><a href=1></a></p><a href=2></a>`, "http://a.test/b/1"},
		{"another base in a part", `<base href=/b/><p><base href=/c/><a href=1></a></p>`, "http://a.test/b/1"},
		{"base that is none", `<base href=mailto:x><p><base href=/c/><a href=1></a></p>`, "http://a.test/d/1"},
		{"no parts", `<base href=/b/><a href=1></a>`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, l := range linksFromParts(t, "http://a.test/d/e", test.body) {
				got = append(got, string(l.URL))
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("links %s, want %s", s, test.want)
			}
		})
	}
}

// A base element is not repeated in each of the parts that it is for.
func TestLinksInPartsOfLongBase(t *testing.T) {
	body := `<base href="/` + strings.Repeat("x", 200_000) + `/">` + strings.Repeat("<p><a href=1></a>", 2000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	linksFromParts(t, "http://a.test/", body)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20 {
		t.Errorf("a page of %d bytes took %d", len(body), took)
	}
}
