package field

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// A walk from the top finds what Cascadia finds from the bottom.
func TestCSSFindsWhatCascadiaFinds(t *testing.T) {
	compounds := []string{
		"div", "p", "*", ".a", ".b", "#x", "p.a", "[title]", "[title='a b']", "div.a.b", ":first-child", "p:last-child", ":nth-child(2n+1)", ":nth-child(3)",
		":nth-last-child(2)", ":first-of-type", "p:last-of-type", ":nth-of-type(2n)", ":nth-last-of-type(-n+2)", ":only-child", ":only-of-type",
		":not(.a)", ":not(p, .b)", ":not(:first-child)", ":not(div p)", ":has(.a)", "div:has(> p)", ":haschild(p)", "p:contains('t')", ":containsown(t)",
		":empty", ":root", ":not([title=\"a > b\"])", ".a:not(:nth-child(2)).b", ":has(.a + p)", "p:matches(^t)", "*:not(*)", ":first-child[title]", `#\78 `, `#\000078`, `.\61:first-child`, `p:first-child#\78 .a`, `[title='a\' b'] ~ p`, ":nth-child(-n+3):not(.a):first-of-type",
	}
	combinators := []string{" ", " > ", ">", " + ", "~", " ~ ", "  ", ", ", ",", "/* , */ "}
	tags := []string{"<div>", "<div class='a b'>", "<div class=b title='a b'>", "<p>", "<p class=a id=x>", "</div>", "</p>", "t", "<!-- c -->", "<span class=a>", "</span>", "<i title='a > b'>", "</i>", " "}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	tried := 0
	for range 2000 {
		var b strings.Builder
		b.WriteString(compounds[r.IntN(len(compounds))])
		for range r.IntN(4) {
			b.WriteString(combinators[r.IntN(len(combinators))])
			b.WriteString(compounds[r.IntN(len(compounds))])
		}
		text := b.String()
		group, err := cascadia.ParseGroup(text)
		ours, oursErr := parseCSS(text)
		if (err != nil) != (oursErr != nil) {
			t.Fatalf("seed %d: %q: Cascadia says %v, we %v", seed, text, err, oursErr)
		}
		if err != nil {
			continue
		}
		tried++
		var page strings.Builder
		for range 40 {
			page.WriteString(tags[r.IntN(len(tags))])
		}
		root, err := html.Parse(strings.NewReader(page.String()))
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, n := range cascadia.QueryAll(root, group) {
			if n.Type == html.ElementNode {
				want = append(want, path(n))
			}
		}
		if err := ours.find(root, &budget{left: maxWork}, func(n *html.Node) (more, inside bool) {
			got = append(got, path(n))
			return true, true
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %q in %s (-Cascadia +ours)\n%s", seed, text, &page, diff)
		}
	}
	if tried < 500 {
		t.Errorf("only %d selectors parsed", tried)
	}
}

// path tells where an element is.
func path(n *html.Node) string {
	if n.Parent == nil {
		return ""
	}
	i := 0
	for s := n.PrevSibling; s != nil; s = s.PrevSibling {
		i++
	}
	return path(n.Parent) + "/" + n.Data + string(rune('0'+i%10)) + string(rune('0'+i/10))
}

func TestCSSFaults(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{".a[", `CSS selector ".a[" does not parse`},
		{"", "does not parse"},
		{"> a", "does not parse"},
		{"a,,b", "does not parse"},
		{"a:unknown", "does not parse"},
		{"a::attr(href)", "SELECTOR@NAME"},
		{"a::text", "taken anyway"},
		{"//a", "xpath:"},
		{"a:is(b)", "commas"},
		{strings.Repeat("a ", 65), "64 parts"},
		{strings.Repeat("a:not(", 1100) + "b" + strings.Repeat(")", 1100), "does not parse"},
	} {
		if _, err := parseCSS(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: %v", test.text, err)
		}
	}
}
