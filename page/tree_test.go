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
			root, _, err := Tree(test.contentType, []byte(test.body), true)
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
		{"attributes", "<p" + strings.Repeat(" a", 5000) + ">", "attributes"},
		{"attributes of a long name", "<" + strings.Repeat("x", 100) + strings.Repeat(" a", 5000) + ">", "attributes"},
		{"attributes behind a closing sign", "<p x='>'" + strings.Repeat(" a", 5000) + ">", "attributes"},
		{"attributes of a void element", "<img" + strings.Repeat(" a", 5000) + ">", "attributes"},
		{"formatting behind a quote within a value", "<p x=y=\"><p>" + open.String() + again + "\">", "never closed"},
		{"formatting in a value", "<p x=\"<p>" + open.String() + again + "\">", ""},
		{"long tag", "<p " + strings.Repeat("a", 20_000) + "=1>", ""},
		{"long script", "<script>a<b" + strings.Repeat(" x", 5000) + "</script>", ""},
		{"formatting", "<p>" + open.String() + again, "never closed"},
		{"formatting in a drawing", "<svg><title><p>" + open.String() + again, "never closed"},
		{"formatting in a style of a drawing", "<svg><style><p>" + open.String() + again + "</style>", "never closed"},
		{"formatting behind a table in a drawing", "<svg><title><table></title></svg></table></title><style><p>" + open.String() + again + "</style>", "never closed"},
		{"formatting behind a value in a frame", "<iframe><p x=\"</iframe><p>" + open.String() + again, "never closed"},
		{"formatting behind a value in a script", "<svg><b></svg><script><p x='</script><p>" + open.String() + again, "never closed"},
		{"formatting behind a comment in a script", "<svg><table></svg><script><!--</script><p>" + open.String() + again, "never closed"},
		{"formatting behind CDATA and a quote", "<svg><![CDATA[><p x=\"]]></svg><p>" + open.String() + again, "never closed"},
		{"formatting behind an instruction", "<?<p x=\"><p>" + open.String() + again, "never closed"},
		{"formatting behind a bogus end", "</ <p x=\"><p>" + open.String() + again, "never closed"},
		{"scripted, formatting behind a value in noscript", "<body><noscript><p x=\"</noscript><p>" + open.String() + again, "never closed"},
		{"formatting behind a longer end", "<script></scriptx y=\"</script><p>" + open.String() + again, "never closed"},
		{"formatting behind a script in a script", "<script><!--<script></script><p x=\"--></script></script><p>" + open.String() + again, "never closed"},
		{"old scripts", strings.Repeat("<script><!--\nif (a <b && c <i) x='<font a=b c=d>'\n//--></script><div><p>x</p></div>", 2000), ""},
		{"tags in tags", "<math><script><a " + strings.Repeat("<a ", 200_000), "attributes"},
		{"tags in values", "<math><script>" + strings.Repeat("<a b="+strings.Repeat("<a", 1000), 300), "never closed"},
		{"drawings and scripts", strings.Repeat("<svg><title>x</title><path d='M0'/><style>a>b{}</style></svg><script>if (a <b && c <i) x='<font a=b c=d>'</script><div><p>x</p></div>", 2000), ""},
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
			root, _, err := Tree("text/html", []byte(test.body), !strings.HasPrefix(test.name, "scripted"))
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
	// These hide tags, or seem to.
	hiding := []string{
		"<p x=\"", "\"", "'", ">", "<a b='", "<script>", "</script>", "</scripts>", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "<title>", "</title>", "<title/>",
		"<textarea>", "</textarea>", "<iframe>", "</iframe>", "<math>", "</math>", "<desc>", "</desc>", "<foreignObject>", "</foreignObject>", "<path>", "<?", "</ ", "<xmp>",
		"</xmp>", "<noscript>", "</noscript>", "<mi>", "</mi>", "<g>", "</g>", "=", "/", "</p><p>x", "</p><p>x",
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var bomb strings.Builder
	bomb.WriteString("<p>")
	for i := range 40 {
		fmt.Fprintf(&bomb, "<b id=a%d>", i)
	}
	bomb.WriteString(strings.Repeat("</p><p>x", 20))
	for i := range 4000 {
		var b strings.Builder
		soup := func(n int, of ...[]string) {
			for range n {
				from := of[r.IntN(len(of))]
				b.WriteString(from[r.IntN(len(from))])
			}
		}
		if i%4 == 0 {
			soup(300, units)
		} else {
			soup(1+r.IntN(8), hiding, hiding, units)
			b.WriteString(bomb.String())
			soup(r.IntN(8), hiding, units)
		}
		noscript := i%8 > 3
		text := []byte(b.String())
		root, err := html.ParseWithOptions(bytes.NewReader(text), html.ParseOptionEnableScripting(!noscript))
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
		extra := elements - 2*tags
		if extra > 10 && checkFormatting(text, noscript, (extra-10)*nodeBytes) == nil {
			t.Fatalf("seed %d: %d elements of %d tags are more than was added up for\n%s", seed, elements, tags, text)
		}
	}
}

// Tokens are those of the Tokenizer, also when it was replaced.
func TestTokens(t *testing.T) {
	many := strings.Repeat(" attribute=value", 100)
	text := []byte("<p" + many + ">a<script" + many + ">x<b></script><!-- c --><b>d</b><title" + many + ">t<i></title><img" + many + "/>e")
	want, got := html.NewTokenizer(bytes.NewReader(text)), NewTokens(text)
	for {
		w, g := want.Next(), got.Next()
		if w != g || !bytes.Equal(want.Raw(), got.Raw()) {
			t.Fatalf("%v %.60q, want %v %.60q", g, got.Raw(), w, want.Raw())
		}
		if w == html.ErrorToken {
			return
		}
	}
}
