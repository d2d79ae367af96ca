package page

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestTree(t *testing.T) {
	for _, test := range []struct{ name, contentType, body, want string }{
		{"utf-8", "text/html", "<p>é", "<html><head></head><body><p>é</p></body></html>"},
		{"windows-1251", "text/html; charset=windows-1251", "<p>\xc0", "<html><head></head><body><p>А</p></body></html>"},
		{"noscript is markup", "text/html", "<body><noscript><a>x</a></noscript>", "<html><head></head><body><noscript><a>x</a></noscript></body></html>"},
		{"templates are empty", "text/html", "<body><template><a>x</a></template>y", "<html><head></head><body><template></template>y</body></html>"},
		{"shadow trees are not", "text/html", "<body><template shadowrootmode=open>x</template>", `<html><head></head><body><template shadowrootmode="open">x</template></body></html>`},
		{"XML closes itself", "application/xhtml+xml", "<body><script src='a'/><div/><p><br/>x</p>", `<html><head></head><body><script src="a"></script><div></div><p><br/>x</p></body></html>`},
		{"CDATA of XML", "application/xhtml+xml", "<body><p><![CDATA[a<b]]></p>", `<html><head></head><body><p>a&lt;b</p></body></html>`},
		{"HTML does not", "text/html", "<body><div/>x", `<html><head></head><body><div>x</div></body></html>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, _, err := Tree(test.contentType, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := html.Render(&b, root); err != nil || b.String() != test.want {
				t.Errorf("got %s, %v", &b, err)
			}
		})
	}
}

// Pages that would take a hundred times their length in memory are refused before they do.
func TestTreeRefuses(t *testing.T) {
	var open strings.Builder
	for i := range 400 {
		fmt.Fprintf(&open, "<b id=%d>", i)
	}
	again := strings.Repeat("</p><p>x", 20_000)
	for _, test := range []struct{ name, body, want string }{
		{"depth", strings.Repeat("<div>", 600), "512 nodes"},
		{"tags", strings.Repeat("<p>", maxTags+1), "more than"},
		{"formatting", "<p>" + open.String() + again, "never closed"},
		{"formatting in a drawing", "<svg><title><p>" + open.String() + again, "never closed"},
		{"formatting in a style of a drawing", "<svg><style><p>" + open.String() + again + "</style>", "never closed"},
		{"formatting behind a comment", "<!-- --!><p>" + open.String() + again, "never closed"},
		{"formatting behind an empty comment", "<!--><p>" + open.String() + again, "never closed"},
		{"formatting by list items", "<li>" + open.String() + strings.Repeat("<li>x", 20_000), "never closed"},
		{"formatting of many attributes", "<p><b" + strings.Repeat(" a", 5) + again, ""},
		{"crossed", open.String() + "<i>" + strings.Repeat("</b><i>x</i>", 400), ""},
		{"fonts of old", strings.Repeat("<p><font color=red>x</p>", 20_000), ""},
		{"closed", strings.Repeat("<p><a href=x><b>x</b></a><div><i>x</i></div>", 20_000), ""},
		{"script", "<script>" + open.String() + "</script>" + again, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, _, err := Tree("text/html", []byte(test.body))
			if got := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(got, test.want) && test.want != "" {
				t.Errorf("got %v", err)
			}
			if (root == nil) != (err != nil) {
				t.Errorf("tree %v with error %v", root != nil, err)
			}
		})
	}
}

// What checkTree adds up is at least what the tree holds beyond the tags of the page.
func TestTreeEstimate(t *testing.T) {
	units := []string{
		"<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<b id=1>", "<i>", "</i>", "<a href=x>", "</a>", "x", "<table>", "<td>", "<tr>", "</table>",
		"<li>", "<ul>", "</ul>", "<font color=a>", "</font>", "<font size=1>", "<em>", "<u>", "<br>", "<svg>", "</svg>", "<span>", "</span>",
		"<nobr>", "<s>", "<h1>", "</h1>", "<button>", "<select>", "<option>", "<template>", "</template>", "<applet>", "</applet>", "<style>", "</style>",
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		var b strings.Builder
		for range 400 {
			b.WriteString(units[r.IntN(len(units))])
		}
		text := []byte(b.String())
		root, err := html.ParseWithOptions(bytes.NewReader(text), html.ParseOptionEnableScripting(false))
		if err != nil {
			continue
		}
		elements := 0
		for n := range root.Descendants() {
			if n.Type == html.ElementNode {
				elements++
			}
		}
		// Tables and their relatives are made up too, but only a few for each tag.
		tags := bytes.Count(text, []byte("<"))
		if extra := elements - 2*tags; extra*nodeBytes > remade(text) {
			t.Fatalf("seed %d: %d elements of %d tags, %d bytes allowed for\n%s", seed, elements, tags, remade(text), text)
		}
	}
}

// remade returns what checkTree adds up for a page, to within a kilobyte.
func remade(text []byte) int {
	low, high := 0, 1<<40
	for high-low > 1<<10 {
		mid := (low + high) / 2
		if checkFormatting(text, mid) == nil {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}
