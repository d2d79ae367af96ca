package page

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pawl/weburl"
)

// told writes links as list does, with how often they occur, their rel and whether that kind is nofollow.
func told(links []Link) []string {
	lines := list(links)
	for i, l := range links {
		lines[i] += fmt.Sprintf(" %d", l.Count)
		if l.Rel != "" {
			lines[i] += fmt.Sprintf(" rel=%q", l.Rel)
		}
		if l.KindNoFollow {
			lines[i] += " kind nofollow"
		}
	}
	return lines
}

func TestKindsOfAnAddress(t *testing.T) {
	for _, test := range []struct {
		name, body  string
		links, also []string
	}{
		{"one kind", `<a href=/b>B</a><a href=/b>C</a>`, []string{`a /b "B" 2`}, nil},
		{"rel=next and a", `<link rel=next href=/b><a href=/b>B</a>`, []string{`a /b "B" 1`}, []string{`next /b 1 rel="next"`}},
		{"a and rel=prev", `<a href=/b>B</a><link rel=prev href=/b>`, []string{`a /b "B" 1`}, []string{`prev /b 1 rel="prev"`}},
		{"amphtml", `<link rel=amphtml href=/b><a href=/b>B</a>`, []string{`a /b "B" 1`}, []string{`amphtml /b 1 rel="amphtml"`}},
		{"image in a link to it", `<a href=/b><img src=/b alt=B></a>`, []string{`a /b "B" 1`}, []string{`img /b "B" 1`}},
		{"image in a link to it, twice", `<a href=/b>X<img src=/b></a><a href=/b><img src=/b alt=B></a>`, []string{`a /b "X" 2`}, []string{`img /b "B" 2`}},
		{"image without a text of its own", `<img src=/b><a href=/b>B</a>`, []string{`a /b "B" 1`}, []string{`img /b 1`}},
		{"link without one", `<a href=/b></a><img src=/b alt=B>`, []string{`a /b 1`}, []string{`img /b "B" 1`}},
		{"the first of two that lead as far", `<area href=/b alt=B><a href=/b>C</a>`, []string{`area /b "B" 1`}, []string{`a /b "C" 1`}},
		{
			"in the order of the document",
			`<link rel=alternate href=/b><img src=/c><link rel=canonical href=/b><link rel=icon href=/c><a href=/c></a><link rel=next href=/b>`,
			[]string{`canonical /b 1 rel="canonical"`, `a /c 1`},
			[]string{`alternate /b 1 rel="alternate"`, `next /b 1 rel="next"`, `img /c 1`, `icon /c 1 rel="icon"`},
		},
		{
			"nofollow of each kind", `<a href=/b rel=nofollow></a><a href=/b rel=ugc></a><area href=/b>`,
			[]string{`a /b 2 rel="nofollow" kind nofollow`},
			[]string{`area /b 1`},
		},
		{
			"nofollow of all", `<a href=/b rel=nofollow></a><area href=/b rel=ugc><img src=/b>`,
			[]string{`a /b nofollow 1 rel="nofollow" kind nofollow`},
			[]string{`area /b nofollow 1 rel="ugc" kind nofollow`, `img /b 1`},
		},
		{
			"nofollow of what is no navigation", `<link rel="alternate nofollow" href=/b><img src=/b>`,
			[]string{`img /b 1`},
			[]string{`alternate /b nofollow 1 rel="alternate nofollow" kind nofollow`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := parse(t, test.body)
			if diff := cmp.Diff(test.links, told(page.Links)); diff != "" {
				t.Errorf("links %s\n(-want +got)\n%s", test.body, diff)
			}
			if diff := cmp.Diff(test.also, told(page.Also)); diff != "" {
				t.Errorf("also %s\n(-want +got)\n%s", test.body, diff)
			}
		})
	}
}

func TestByAddress(t *testing.T) {
	page := parse(t, `<img src=/b><link rel=next href=/c><a href=/b></a><a href=/c></a><form action=/b></form><a href=/d></a>`)
	var got []Link
	for l := range page.ByAddress() {
		got = append(got, *l)
	}
	want := []string{`a /b`, `img /b`, `form /b`, `a /c`, `next /c`, `a /d`}
	if diff := cmp.Diff(want, list(got)); diff != "" {
		t.Error(diff)
	}
	for l := range page.ByAddress() {
		if l.Kind == KindImg {
			break // the iterator must stand it
		}
	}
	for range parse(t, "").ByAddress() {
		t.Error("a link of a page without any")
	}
}

// What is kept of each kind is what counting by hand gives, on pages where addresses occur as all kinds there are.
func TestKindsAgainstAModel(t *testing.T) {
	elements := []struct {
		kind Kind
		html string // the address and a text, or a rel
	}{
		{KindA, "<a href=%s>%s</a>"},
		{KindA, "<a href=%s rel=nofollow>%s</a>"},
		{KindArea, "<area href=%s alt='%s'>"},
		{KindFrame, "<frame src=%s><!--%s-->"},
		{KindIframe, "<iframe src=%s></iframe><!--%s-->"},
		{KindImg, "<img src=%s alt='%s'>"},
		{KindMedia, "<audio src=%s><!--%s-->"},
		{KindScript, "<script src=%s></script><!--%s-->"},
		{KindForm, "<form action=%s></form><!--%s-->"},
		{KindCanonical, "<link rel=canonical href=%s><!--%s-->"},
		{KindNext, "<link rel='next ugc' href=%s><!--%s-->"},
		{KindPrev, "<link rel=prev href=%s><!--%s-->"},
		{KindAlternate, "<link rel='alternate nofollow' href=%s><!--%s-->"},
		{KindStylesheet, "<link rel=stylesheet href=%s><!--%s-->"},
		{KindLink, "<link rel=me href=%s><!--%s-->"},
	}
	type occurrence struct {
		url      string
		kind     Kind
		noFollow bool
		text     string
	}
	random := rand.New(rand.NewPCG(5, 22))
	for range 300 {
		var body strings.Builder
		var all []occurrence
		for range random.IntN(60) {
			e, url, text := elements[random.IntN(len(elements))], fmt.Sprintf("http://x.org/%d", random.IntN(8)), ""
			if random.IntN(3) > 0 {
				text = fmt.Sprintf("t%d", random.IntN(100))
			}
			fmt.Fprintf(&body, e.html, url, text)
			if !strings.Contains(e.html, "alt=") && e.kind != KindA {
				text = ""
			}
			all = append(all, occurrence{url, e.kind, strings.Contains(e.html, "nofollow") || strings.Contains(e.html, "ugc"), text})
		}
		var links, also []Link
		var seen []string
		for _, first := range all {
			if slices.Contains(seen, first.url) {
				continue
			}
			seen = append(seen, first.url)
			var kinds []Link
			followed, isNavigation := false, false
			for _, o := range all {
				if o.url != first.url {
					continue
				}
				if o.kind.Navigation() {
					isNavigation = true
					followed = followed || !o.noFollow
				}
				i := slices.IndexFunc(kinds, func(l Link) bool { return l.Kind == o.kind })
				if i < 0 {
					i = len(kinds)
					kinds = append(kinds, Link{URL: weburl.URL(o.url), Kind: o.kind, NoFollow: true, KindNoFollow: true})
				}
				l := &kinds[i]
				l.Count++
				l.NoFollow, l.KindNoFollow = l.NoFollow && o.noFollow, l.KindNoFollow && o.noFollow
				if l.Anchor == "" {
					l.Anchor = o.text
				}
			}
			heaviest := 0
			for i, l := range kinds {
				if l.Kind.weight() > kinds[heaviest].Kind.weight() {
					heaviest = i
				}
			}
			if isNavigation {
				kinds[heaviest].NoFollow = !followed
			}
			links = append(links, kinds[heaviest])
			also = append(also, slices.Delete(kinds, heaviest, heaviest+1)...)
		}
		page := parse(t, body.String())
		for _, part := range [][]Link{page.Links, page.Also} {
			for i := range part {
				part[i].Rel = ""
			}
		}
		if diff := cmp.Diff(links, page.Links) + cmp.Diff(also, page.Also); diff != "" {
			t.Fatalf("%s\n%s", &body, diff)
		}
	}
}

// A page cannot have more links kept by having its addresses occur as many kinds.
func TestKindsAreCut(t *testing.T) {
	var body strings.Builder
	for i := range MaxLinks/2 + 10 {
		fmt.Fprintf(&body, "<a href=/%d></a><img src=/%d>", i, i)
	}
	page := parse(t, body.String())
	if len(page.Links) != MaxLinks/2 || len(page.Also) != MaxLinks/2 || !page.LinksCut {
		t.Errorf("%d links and %d of further kinds, cut %v", len(page.Links), len(page.Also), page.LinksCut)
	}
}
