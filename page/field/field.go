// Package field takes values from pages by selectors, such as a price by ".price".
//
// A field is written NAME[:TYPE]=SELECTOR, or NAME[][:TYPE]=SELECTOR for all that the selector finds. TYPE is text, int or
// float. A selector is one of
//
//	.price                       CSS: the text of the first element that matches
//	a.next@href                  an attribute, as it stands in the page
//	.description@html            the HTML in the element
//	xpath://h1/text()            XPath 1.0: elements, attributes and texts, or a string, a number or true or false
//	xpath://div[2]@html          the HTML in the elements
//	jsonld:Product.offers.price  JSON-LD, by the type of an object and keys; or by keys alone
//	og:title, twitter:card       meta elements, by property or name
//	meta:description             meta elements, by name, property, itemprop or http-equiv
//	microdata:Product.name       microdata, by the type of an item and properties; or by properties alone
//	header:Content-Type          headers of the answer
//
// and may end in a regular expression, as in ".isbn ~ /ISBN ([0-9X]+)/": what does not match is dropped, and of what does the
// first group is taken, or all of the match if there is no group.
//
// The first match decides. If it is empty, so is the field, and no later match takes its place: that may be about something
// else. Only meta elements without content, and what a regular expression has dropped, are no matches at all.
//
// Pages are hostile: a value is cut at MaxValue bytes, and what one selector may take on one page is bounded, by steps and not
// by time, so that the same page always gives the same values.
package field

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// Limits on what is taken from a page.
const (
	MaxValue = 1 << 20 // bytes of a value; text is cut between two characters
	MaxPage  = 4 << 20 // bytes of all values of a page; those for which there is no room are dropped
	MaxList  = 10_000  // values of a field
	MaxName  = 64      // bytes of a name
	MaxSpec  = 16 << 10
)

// maxPath is how many segments a path of JSON-LD or microdata may have.
const maxPath = 32

// Type is what a value is read as.
type Type uint8

// The types. An Int is within the range of int64, a Float is finite; both are written with digits, a minus sign and a decimal
// point, without exponent. What is no number of the type gives no value.
const (
	Text Type = iota
	Int
	Float
)

// String returns the name of t as it stands in a spec, or "unknown".
func (t Type) String() string {
	switch t {
	case Text:
		return "text"
	case Int:
		return "int"
	case Float:
		return "float"
	}
	return "unknown"
}

// Field is a value, or a list of them, to take from pages. It is made by Parse and never changes; the zero Field finds nothing.
type Field struct {
	Name string
	Type Type
	List bool // all matches, not the first

	spec   string
	source source
	css    *css
	xpath  *xpathExpr
	attr   string // of the elements that css finds; empty for their text
	inner  bool   // their HTML
	path   []string
	name   string // of meta elements or headers
	re     *regexp.Regexp
}

// source is where the values of a field come from.
type source uint8

const (
	fromNowhere source = iota
	fromCSS
	fromXPath
	fromJSONLD
	fromGraph // meta elements of OpenGraph and the like
	fromMeta
	fromMicrodata
	fromHeader
)

// needsTree reports whether the source is a tree.
func (s source) needsTree() bool { return s == fromCSS || s == fromXPath || s == fromMicrodata }

// Parse reads NAME[:TYPE]=SELECTOR or NAME[][:TYPE]=SELECTOR. Its errors are for the user who wrote it.
func Parse(spec string) (Field, error) {
	if len(spec) > MaxSpec {
		return Field{}, fmt.Errorf("field of %d bytes is too long", len(spec))
	}
	left, selector, ok := strings.Cut(spec, "=")
	if !ok {
		return Field{}, fmt.Errorf("field %q is not NAME=SELECTOR", spec)
	}
	f := Field{spec: spec}
	if err := f.parseName(strings.TrimSpace(left)); err != nil {
		return Field{}, err
	}
	if err := f.parseSelector(selector); err != nil {
		return Field{}, fmt.Errorf("field %s: %w", f.Name, err)
	}
	return f, nil
}

// String returns the spec that f was made from.
func (f Field) String() string { return f.spec }

func (f *Field) parseName(left string) error {
	name, typeName, typed := strings.Cut(left, ":")
	f.Name, f.List = strings.CutSuffix(name, "[]")
	if err := checkName(f.Name); err != nil {
		return err
	}
	if !typed {
		return nil
	}
	for _, t := range [...]Type{Text, Int, Float} {
		if typeName == t.String() {
			f.Type = t
			return nil
		}
	}
	return fmt.Errorf("field %s: type %q is none of text, int, float", f.Name, typeName)
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a field has no name")
	case len(name) > MaxName:
		return fmt.Errorf("field name %q is longer than %d bytes", name, MaxName)
	}
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '-' {
			return fmt.Errorf("field name %q has more in it than letters, digits, _ and -", name)
		}
	}
	return nil
}

func (f *Field) parseSelector(text string) error {
	text, err := f.cutRegexp(text)
	if err != nil {
		return err
	}
	if text == "" {
		return errors.New("there is no selector")
	}
	prefix, rest, _ := strings.Cut(text, ":")
	switch prefix {
	case "xpath":
		if expr, ok := strings.CutSuffix(rest, "@html"); ok && expr != "" && endsStep(expr) {
			rest, f.inner = expr, true
		}
		f.source = fromXPath
		f.xpath, err = parseXPath(rest)
		return err
	case "jsonld":
		f.source = fromJSONLD
	case "og", "twitter":
		f.source, rest = fromGraph, text
	case "meta":
		f.source = fromMeta
	case "microdata":
		f.source = fromMicrodata
	case "header":
		f.source = fromHeader
	default:
		return f.parseCSS(text)
	}
	if _, err := cascadia.ParseGroup(text); err == nil {
		return fmt.Errorf("%q may be a selector of %s elements or of what %s: stands for; write %s for the elements",
			text, prefix, prefix, strings.ToUpper(prefix)+text[len(prefix):])
	}
	return f.parseKey(prefix, rest)
}

// parseKey reads what stands behind a prefix such as jsonld:.
func (f *Field) parseKey(prefix, rest string) error {
	rest = strings.TrimSpace(rest)
	if rest == "" || strings.HasSuffix(rest, ":") {
		return fmt.Errorf("%s: is followed by no name", prefix)
	}
	switch f.source {
	case fromJSONLD, fromMicrodata:
		f.path = strings.Split(rest, ".")
		for _, segment := range f.path {
			if segment == "" {
				return fmt.Errorf("%s path %q has an empty part", prefix, rest)
			}
		}
		if len(f.path) > maxPath {
			return fmt.Errorf("%s path %q has more than %d parts", prefix, rest, maxPath)
		}
	case fromHeader:
		for i := range len(rest) {
			if !isNameByte(rest[i]) && strings.IndexByte("!#$%&'*+.^`|~", rest[i]) < 0 || rest[i] >= utf8.RuneSelf {
				return fmt.Errorf("%q is not the name of a header", rest)
			}
		}
		f.name = http.CanonicalHeaderKey(rest)
	default:
		f.name = rest
	}
	return nil
}

// cutRegexp takes the regular expression from the end of a selector.
func (f *Field) cutRegexp(text string) (string, error) {
	const mark = " ~ /"
	i := strings.Index(text, mark)
	if i < 0 {
		return strings.TrimSpace(text), nil
	}
	expr := text[i+len(mark):]
	last := strings.LastIndexByte(expr, '/')
	if last < 0 {
		return "", fmt.Errorf("regular expression %q does not end in /", expr)
	}
	if behind := expr[last+1:]; strings.TrimSpace(behind) != "" {
		return "", fmt.Errorf("%q stands behind the regular expression (flags are written in it, as in /(?i)abc/)", behind)
	}
	expr = expr[:last]
	if expr == "" {
		return "", errors.New("the regular expression is empty")
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return "", fmt.Errorf("regular expression %q does not parse: %w", expr, err)
	}
	f.re = re
	return strings.TrimSpace(text[:i]), nil
}

func (f *Field) parseCSS(text string) error {
	selector, attr := cutAttr(text)
	f.source = fromCSS
	switch {
	case attr == "html":
		f.inner = true
	case attr != "":
		f.attr = attr
	}
	if selector == "" {
		return fmt.Errorf("no selector stands before @%s", attr)
	}
	var err error
	f.css, err = parseCSS(selector)
	return err
}

// cutAttr cuts a selector at the @ that ends it; CSS itself has one only in strings.
func cutAttr(text string) (selector, attr string) {
	i := strings.LastIndexByte(text, '@')
	if i < 0 || i == len(text)-1 {
		return text, ""
	}
	for j := i + 1; j < len(text); j++ {
		if !isNameByte(text[j]) && text[j] != ':' && text[j] != '.' {
			return text, ""
		}
	}
	return strings.TrimSpace(text[:i]), text[i+1:]
}

// endsStep reports whether an XPath expression is complete, so that @html behind it is no step of it.
func endsStep(expr string) bool {
	c := expr[len(expr)-1]
	return isNameByte(c) || c == ')' || c == ']' || c == '*' || c == '.'
}

// Selector is a selector of elements. It is made by ParseSelector and never changes; the zero Selector finds nothing.
type Selector struct {
	text  string
	css   *css
	xpath *xpathExpr
}

// ParseSelector reads a selector of elements: CSS, or XPath behind xpath:. Its errors are for the user who wrote it.
func ParseSelector(text string) (Selector, error) {
	s := Selector{text: text}
	trimmed := strings.TrimSpace(text)
	var err error
	switch expr, ok := strings.CutPrefix(trimmed, "xpath:"); {
	case len(text) > MaxSpec:
		err = fmt.Errorf("selector of %d bytes is too long", len(text))
	case trimmed == "":
		err = errors.New("the selector is empty")
	case ok:
		s.xpath, err = parseXPath(expr)
	default:
		if selector, attr := cutAttr(trimmed); attr != "" && selector != "" {
			if _, fault := parseCSS(selector); fault == nil {
				return Selector{}, fmt.Errorf("selector %q takes an attribute, where elements are asked for", text)
			}
		}
		s.css, err = parseCSS(trimmed)
	}
	if err != nil {
		return Selector{}, err
	}
	return s, nil
}

// String returns the text that s was made from.
func (s Selector) String() string { return s.text }

// find returns the elements that match, in the order of the document. It leaves out those within others that match.
func (s Selector) find(root *html.Node, b *budget) (elements []*html.Node, err error) {
	switch {
	case s.css != nil:
		err = s.css.find(root, b, func(n *html.Node) (more, inside bool) {
			elements = append(elements, n)
			return true, false
		})
	case s.xpath != nil:
		var out found
		if out, err = s.xpath.find(root, b); err != nil {
			break
		}
		if out.scalar {
			return nil, errors.New("gives no elements")
		}
		for _, p := range out.places {
			if p.attr < 0 && p.node.Type == html.ElementNode {
				elements = append(elements, p.node)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return elements, nil
}
