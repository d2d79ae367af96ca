package page

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// maxTags bounds the nodes of a tree: an element takes some hundred bytes, of which the page spends three.
	maxTags = 1 << 20
	// maxRemade and maxRemadePerByte bound the memory of the elements that a tree holds beyond those which the page has.
	maxRemade        = 64 << 20
	maxRemadePerByte = 8
	// maxTreeAttrs bounds the attributes of a tag: each tag that follows costs as much as there were.
	maxTreeAttrs = 4096
	// maxFormatting is how many formatting elements may be open: the stack of a tree holds no more.
	maxFormatting = 512
	nodeBytes     = 112 // of html.Node
	attrBytes     = 48  // of html.Attribute
)

var (
	errManyTags  = fmt.Errorf("page has more than %d tags", maxTags)
	errManyAttrs = fmt.Errorf("page has a tag with more than %d attributes", maxTreeAttrs)
	errRemade    = errors.New("formatting tags that are never closed would make the tree too large")
)

// Tree returns the tree of a page, with its text in UTF-8, and the name of the encoding that the page was in, as Text does.
// With noscript, the content of noscript elements is markup, as it is for a Parser; otherwise it is text that is not shown.
// Templates are empty. A Parser needs no tree; this is for those who look for elements by what is around them.
//
// There is no tree, but an error, of a page with more than 512 elements in one another, with more than a million tags or
// thousands of attributes in one, or with formatting tags left open so that each paragraph would have to hold all of them again: twenty kilobytes of those can make
// a tree of a hundred megabytes. The tree of any other page takes at most about 60 times the memory of the page. Tree may be
// called concurrently.
func Tree(contentType string, body []byte, noscript bool) (root *html.Node, charset string, err error) {
	text, charset := Text(contentType, body)
	if isXML(MediaType(contentType)) {
		text = openXML(text)
	}
	if err := checkTree(text, noscript); err != nil {
		return nil, charset, err
	}
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("page cannot be made a tree: %v", r)
		}
	}()
	root, err = html.ParseWithOptions(bytes.NewReader(text), html.ParseOptionEnableScripting(!noscript))
	if err != nil {
		return nil, charset, err
	}
	emptyTemplates(root)
	return root, charset, nil
}

// emptyTemplates takes away what is in templates: it is no part of the page until a script makes it one. But for those of
// shadow trees, which are shown.
func emptyTemplates(n *html.Node) {
	if n.DataAtom == atom.Template && n.Namespace == "" && !isShadowRoot(n) {
		for n.FirstChild != nil {
			n.RemoveChild(n.FirstChild)
		}
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		emptyTemplates(c)
	}
}

func isShadowRoot(template *html.Node) bool {
	for _, a := range template.Attr {
		if a.Key == "shadowrootmode" {
			return strings.EqualFold(a.Val, "open") || strings.EqualFold(a.Val, "closed")
		}
	}
	return false
}

// formatting is an open formatting element.
type formatting struct {
	name string
	raw  []byte // its tag
	size int    // what another one like it takes
}

// checkTree reports why the tree of a page would take too much memory, nil if it would not.
//
// A formatting element that is open where its parent ends goes on in what follows: the tree has it once more. checkTree adds
// up what that can come to at most, by the tags alone: at each tag that may end a parent, all that are open are made again.
func checkTree(text []byte, noscript bool) error {
	if bytes.Count(text, []byte("<")) > maxTags {
		return errManyTags
	}
	return checkFormatting(text, noscript, maxRemade+maxRemadePerByte*len(text))
}

// checkFormatting returns an error if the elements that are made again may take more than budget bytes.
func checkFormatting(text []byte, noscript bool, budget int) error {
	c := treeCheck{noscript: noscript, budget: budget, scan: maxRescans * (len(text) + 1<<10)}
	for {
		i := bytes.IndexByte(text, '<')
		if i < 0 || i+1 == len(text) {
			return nil
		}
		text = text[i:]
		skip, end := len("<"), text[1] == '/'
		if end {
			skip = len("</")
		}
		var buf [maxName]byte
		name := tagName(text[:min(len(text), skip+maxName+1)], skip)
		if len(name) == 0 || !isLetter(name[0]) {
			text = c.other(text)
			continue
		}
		name = lowerName(&buf, name)
		raw, attrs := readTag(text, skip)
		if attrs > maxTreeAttrs {
			return errManyAttrs
		}
		if c.unsure {
			text = text[skip:]
			c.scan -= len(raw)
		} else {
			text = text[len(raw):]
		}
		if element := formattingName(name); element != "" {
			c.format(element, raw, attrs, end)
		} else if !isVoid(name) {
			c.budget -= c.sum
			text = c.within(text, raw, name, end)
		}
		if c.budget < 0 || c.scan < 0 || len(c.open) > maxFormatting {
			return errRemade
		}
	}
}

// maxRescans is how often a page may be read over when it cannot be told what in it are tags.
const maxRescans = 16

// treeCheck is the state of checkFormatting.
type treeCheck struct {
	noscript bool // its content is markup
	open     []formatting
	sum      int // of the sizes of open
	budget   int
	// In a drawing, nothing is raw text: what a style there holds are tags, and in a style elsewhere they are not. Where the
	// drawing ends is clear as long as it holds what drawings do.
	drawing []string // the open elements svg, title and desc
	foreign bool     // there was something else in a drawing, so it may have no end
	unsure  bool     // what are tags cannot be told, so all that may be tags counts
	scan    int      // bytes that may still be read while unsure
}

// format takes in the tag of a formatting element.
func (c *treeCheck) format(element string, raw []byte, attrs int, end bool) {
	last := lastOpen(c.open, element)
	if last >= 0 && (end || element == "a" || element == "nobr") {
		if last < len(c.open)-1 {
			c.budget -= c.sum // those within it are made again
		}
		c.remove(last)
	}
	if end {
		return
	}
	if twin := fourthTwin(c.open, raw); twin >= 0 {
		c.remove(twin)
	}
	size := nodeBytes + attrBytes*attrs
	c.open = append(c.open, formatting{element, raw, size})
	c.sum += size
}

func (c *treeCheck) remove(i int) {
	c.sum -= c.open[i].size
	c.open = slices.Delete(c.open, i, i+1)
}

// within takes in any other tag, and returns what is to be read behind it: not what it makes raw text of.
func (c *treeCheck) within(text, raw, name []byte, end bool) []byte {
	inDrawing := len(c.drawing) > 0
	switch {
	case string(name) == "math":
		c.foreign = true
	case string(name) == "svg" || inDrawing && (string(name) == "title" || string(name) == "desc"):
		if top := len(c.drawing) - 1; end && top >= 0 && c.drawing[top] == string(name) {
			c.drawing = c.drawing[:top]
		} else if !end && !bytes.HasSuffix(raw, []byte("/>")) {
			c.drawing = append(c.drawing, string(name))
			c.foreign = c.foreign || len(c.drawing) > maxFormatting
		}
	case inDrawing && !isDrawn(name):
		c.foreign = true
	}
	if end || c.unsure || !startsRawText(name) && (c.noscript || string(name) != "noscript") {
		return text
	}
	n := rawTextLength(text, string(name))
	if content := text[:n]; bytes.IndexByte(content, '<') >= 0 {
		// A script that starts a comment, and another script in it, ends behind that.
		escaped := string(name) == "script" && bytes.Contains(content, []byte("<!--")) && indexFold(content, "<script") >= 0
		if c.unsure = escaped || inDrawing || c.foreign; c.unsure {
			return text
		}
	}
	return text[n:]
}

// other returns what is to be read behind a sign < that starts no tag: not the comment that it may start.
func (c *treeCheck) other(text []byte) []byte {
	if (len(c.drawing) > 0 || c.foreign) && bytes.HasPrefix(text, []byte("<![CDATA[")) {
		c.unsure = true
	}
	if c.unsure || text[1] != '!' && text[1] != '?' && text[1] != '/' {
		return text[1:]
	}
	return afterMarkup(text)
}

// rawTextLength returns the length of the raw text that an element holds which text is the rest of.
func rawTextLength(text []byte, name string) int {
	for n := 0; ; n += len("</") {
		i := indexFold(text[n:], "</"+name)
		if i < 0 {
			return len(text)
		}
		n += i
		if tagOf(tagName(text[n:min(len(text), n+maxName)], len("</"))) == tagOf([]byte(name)) {
			return n
		}
	}
}

// startsRawText reports whether the content of an element is no markup, outside of drawings.
func startsRawText(name []byte) bool {
	switch string(name) {
	case "script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp":
		return true
	}
	return false
}

// isDrawn reports whether an element is one of drawings alone, or of no importance in them.
func isDrawn(name []byte) bool {
	switch string(name) {
	case "path", "g", "use", "defs", "circle", "rect", "line", "polygon", "polyline", "ellipse", "symbol", "text", "tspan",
		"lineargradient", "radialgradient", "stop", "clippath", "mask", "pattern", "marker", "filter", "style", "script", "animate",
		"animatetransform", "animatemotion", "set", "textpath", "metadata", "switch", "view":
		return true
	}
	return bytes.HasPrefix(name, []byte("fe"))
}

// afterMarkup returns what follows the comment or declaration that text starts with.
func afterMarkup(text []byte) []byte {
	if !bytes.HasPrefix(text, []byte("<!--")) {
		_, after, _ := bytes.Cut(text, []byte(">"))
		return after
	}
	for text = text[len("<!"):]; ; text = text[1:] {
		i := bytes.Index(text, []byte("--"))
		if i < 0 {
			return nil
		}
		text = text[i:]
		if bytes.HasPrefix(text, []byte("-->")) || bytes.HasPrefix(text, []byte("--!>")) {
			return text
		}
	}
}

// formattingName returns the name of a formatting element (https://html.spec.whatwg.org/#formatting), empty for others.
func formattingName(name []byte) string {
	for _, known := range [...]string{"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"} {
		if string(name) == known {
			return known
		}
	}
	return ""
}

func isVoid(name []byte) bool {
	switch string(name) {
	case "area", "br", "embed", "img", "input", "link", "meta", "param", "source", "track", "wbr":
		return true
	}
	return false
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func lastOpen(open []formatting, name string) int {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].name == name {
			return i
		}
	}
	return -1
}

// fourthTwin returns which of open must give way to another with the same tag, -1 if none: there are never more than three.
func fourthTwin(open []formatting, raw []byte) int {
	n := 0
	for i := len(open) - 1; i >= 0; i-- {
		if bytes.Equal(open[i].raw, raw) {
			if n++; n == 3 {
				return i
			}
		}
	}
	return -1
}

// readTag returns the tag that text starts with, whose name starts after skip bytes, and how many attributes it has; of more
// than maxTreeAttrs only that it has more.
func readTag(text []byte, skip int) (raw []byte, attrs int) {
	rest := text[skip+len(tagName(text, skip)):]
	for attrs <= maxTreeAttrs {
		name, _, after := nextAttr(rest)
		if name == nil {
			break
		}
		rest = after
		attrs++
	}
	end := bytes.IndexByte(rest, '>')
	if end < 0 {
		return text, attrs
	}
	return text[:len(text)-len(rest)+end+1], attrs
}

// openXML gives the elements of an XML page that close themselves an end tag, as HTML wants it: its script element would take
// all that follows for its content.
func openXML(text []byte) []byte {
	if !bytes.Contains(text, []byte("/>")) && !bytes.Contains(text, []byte("<![CDATA[")) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	z := html.NewTokenizer(bytes.NewReader(text))
	z.AllowCDATA(true)
	for {
		token := z.Next()
		raw := z.Raw()
		switch token {
		case html.ErrorToken:
			return append(out, raw...)
		case html.SelfClosingTagToken:
			name := tagName(raw, len("<"))
			out = append(append(out, bytes.TrimSuffix(raw, []byte("/>"))...), '>')
			var buf [maxName]byte
			if low := lowerName(&buf, name); !isVoid(low) && string(low) != "hr" && string(low) != "base" && string(low) != "col" {
				out = append(append(append(out, "</"...), name...), '>')
			}
			if tagOf(name).startsRaw() {
				z.NextIsNotRawText()
			}
		case html.TextToken:
			if bytes.HasPrefix(raw, []byte("<![CDATA[")) {
				out = append(out, html.EscapeString(string(z.Text()))...)
			} else {
				out = append(out, raw...)
			}
		default:
			out = append(out, raw...)
		}
	}
}
