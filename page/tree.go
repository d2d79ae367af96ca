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
	// maxFormatting is how many formatting elements may be open: the stack of a tree holds no more.
	maxFormatting = 512
	nodeBytes     = 112 // of html.Node
	attrBytes     = 48  // of html.Attribute
)

var (
	errManyTags = fmt.Errorf("page has more than %d tags", maxTags)
	errRemade   = errors.New("formatting tags that are never closed would make the tree too large")
)

// Tree returns the tree of a page, with its text in UTF-8, and the name of the encoding that the page was in, as Text does.
// The content of noscript is markup, and templates are empty, as they are for a Parser. A Parser needs no tree; this is for
// those who look for elements by what is around them.
//
// There is no tree, but an error, of a page with more than 512 elements in one another, with more than a million tags, or with
// formatting tags left open so that each paragraph would have to hold all of them again: twenty kilobytes of those can make
// a tree of a hundred megabytes. The tree of any other page takes at most about 60 times the memory of the page. Tree may be
// called concurrently.
func Tree(contentType string, body []byte) (root *html.Node, charset string, err error) {
	text, charset := Text(contentType, body)
	if isXML(MediaType(contentType)) {
		text = openXML(text)
	}
	if err := checkTree(text); err != nil {
		return nil, charset, err
	}
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("page cannot be made a tree: %v", r)
		}
	}()
	root, err = html.ParseWithOptions(bytes.NewReader(text), html.ParseOptionEnableScripting(false))
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
func checkTree(text []byte) error {
	if bytes.Count(text, []byte("<")) > maxTags {
		return errManyTags
	}
	return checkFormatting(text, maxRemade+maxRemadePerByte*len(text))
}

// checkFormatting returns an error if the elements that are made again may take more than budget bytes.
func checkFormatting(text []byte, budget int) error {
	var open []formatting
	sum := 0         // of the sizes of open
	foreign := false // a drawing or a formula was met: in those, no element holds raw text
	for {
		i := bytes.IndexByte(text, '<')
		if i < 0 || i+1 == len(text) {
			return nil
		}
		text = text[i:]
		if text[1] == '!' {
			text = afterMarkup(text)
			continue
		}
		skip, end := len("<"), text[1] == '/'
		if end {
			skip = len("</")
		}
		var buf [maxName]byte
		name := tagName(text[:min(len(text), skip+maxName+1)], skip)
		if len(name) == 0 || !isLetter(name[0]) {
			text = text[1:]
			continue
		}
		name = lowerName(&buf, name)
		element := formattingName(name)
		switch {
		case element == "" && !isVoid(name):
			budget -= sum
			foreign = foreign || string(name) == "svg" || string(name) == "math"
			if !end && !foreign {
				text = skipRawText(text, name)
			}
		case element != "":
			last := lastOpen(open, element)
			if last >= 0 && (end || element == "a" || element == "nobr") {
				if last < len(open)-1 {
					budget -= sum // those within it are made again
				}
				sum -= open[last].size
				open = slices.Delete(open, last, last+1)
			}
			if end {
				break
			}
			raw := rawTag(text)
			if twin := fourthTwin(open, raw); twin >= 0 {
				sum -= open[twin].size
				open = slices.Delete(open, twin, twin+1)
			}
			if len(open) == maxFormatting {
				return errRemade
			}
			size := nodeBytes + attrBytes*countAttrs(raw)
			open = append(open, formatting{element, raw, size})
			sum += size
			skip = len(raw)
		}
		if budget < 0 {
			return errRemade
		}
		text = text[min(skip, len(text)):]
	}
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

// skipRawText returns text from the end tag on if it starts with an element whose content is no markup.
func skipRawText(text, name []byte) []byte {
	switch string(name) {
	case "script", "style", "textarea", "title":
	default:
		return text
	}
	i := indexFold(text, "</"+string(name))
	if i < 0 {
		return nil
	}
	return text[i:]
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

// rawTag returns the tag that text starts with.
func rawTag(text []byte) []byte {
	var quote byte
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			return text[:i]
		case (c == '"' || c == '\'') && text[i-1] == '=':
			quote = c
		}
	}
	return text
}

// countAttrs returns how many attributes a tag has at most.
func countAttrs(raw []byte) int {
	n := 0
	for rest := raw[len("<")+len(tagName(raw, len("<"))):]; ; n++ {
		var name []byte
		if name, _, rest = nextAttr(rest); name == nil {
			return n
		}
	}
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
