package field

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/antchfx/xpath"
	"golang.org/x/net/html"
)

// xpathExpr is an XPath 1.0 expression. It never changes.
type xpathExpr struct {
	text  string
	parts []string // those that | joins; most expressions are one
}

// parseXPath reads an expression. The library ends at the first thing that it does not understand and takes what came before,
// so "//a b" would be "//a"; in parentheses that is an error.
func parseXPath(text string) (*xpathExpr, error) {
	e := &xpathExpr{text: text}
	parts, err := splitXPath(text)
	for _, part := range parts {
		if err == nil {
			_, err = compileXPath("(" + part + ")")
		}
		if err == nil {
			_, err = compileXPath(part)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("XPath expression %q does not parse: %w%s", text, err, xpathHint(text))
	}
	e.parts = parts
	if err := e.try(); err != nil {
		return nil, fmt.Errorf("XPath expression %q: %w", text, err)
	}
	return e, nil
}

var (
	errXPath     = errors.New("the XPath library cannot evaluate this")
	errXPathHere = fmt.Errorf("%w on this page", errXPath)
)

// try evaluates the expression, and what stands in square brackets in it, on two small trees, and returns errXPath if the
// library makes a fault that it would make on any page.
func (e *xpathExpr) try() error {
	empty := &html.Node{Type: html.DocumentNode}
	root := &html.Node{Type: html.DocumentNode}
	element := &html.Node{Type: html.ElementNode, Data: "p", Attr: []html.Attribute{{Key: "title", Val: "1"}}}
	root.AppendChild(element)
	element.AppendChild(&html.Node{Type: html.TextNode, Data: "12"})
	element.AppendChild(&html.Node{Type: html.ElementNode, Data: "b"})
	fails := func(text string, at *html.Node) bool {
		_, err := evaluateXPath(text, &navigator{root: at, curr: at, attr: -1, budget: &budget{left: tryWork}})
		// Another page may have what is missing here; an expression that looks at no page is the same on all.
		return errors.Is(err, errXPath) && (!errors.Is(err, errXPathHere) || !strings.ContainsAny(text, "/@.*[:"))
	}
	for _, part := range e.parts {
		if fails(part, empty) || fails(part, root) {
			return errXPath
		}
	}
	for _, condition := range conditions(e.text) {
		if fails(condition, element) {
			return errXPath
		}
	}
	return nil
}

// tryWork is what trying an expression may take.
const tryWork = 100_000

// conditions returns what stands in square brackets in an expression that is known to parse.
func conditions(text string) []string {
	var out []string
	var open []int
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			i += 1 + strings.IndexByte(text[i+1:], c)
		case '[':
			open = append(open, i+1)
		case ']':
			out = append(out, text[open[len(open)-1]:i])
			open = open[:len(open)-1]
		}
	}
	return out
}

func xpathHint(text string) string {
	if i := strings.LastIndexByte(text, '@'); i > 0 && isNameByte(text[i-1]) {
		return " (an attribute is taken by " + text[:i] + "/" + text[i:] + ")"
	}
	return ""
}

func isNameByte(c byte) bool {
	return c >= 0x80 || c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// compileXPath reads an expression, and turns what the library makes of some faults into errors.
func compileXPath(text string) (expr *xpath.Expr, err error) {
	defer func() {
		if r := recover(); r != nil {
			expr, err = nil, fmt.Errorf("%v", r)
		}
	}()
	expr, err = xpath.Compile(text)
	var fault runtime.Error
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "index out of range"):
		err = errors.New("a function lacks an argument")
	case errors.As(err, &fault):
		err = errXPath
	}
	return expr, err
}

// splitXPath cuts an expression where | joins node sets, outside of brackets and strings. The library would find out what
// both sides have in common by counting the siblings of each node anew.
func splitXPath(text string) ([]string, error) {
	var parts []string
	var open []byte
	start := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			n := strings.IndexByte(text[i+1:], c)
			if n < 0 {
				return nil, errors.New("a string is not closed")
			}
			i += n + 1
		case '(':
			open = append(open, ')')
		case '[':
			open = append(open, ']')
		case ')', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, fmt.Errorf("%q closes nothing", c)
			}
			open = open[:len(open)-1]
		case '|':
			if len(open) == 0 {
				parts = append(parts, text[start:i])
				start = i + 1
			}
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("%q is missing", open[len(open)-1])
	}
	parts = append(parts, text[start:])
	for _, part := range parts {
		if strings.TrimSpace(part) == "" {
			return nil, errors.New("a part is empty")
		}
	}
	return parts, nil
}

// place is a node that an expression selects: a node of the tree, or an attribute of one.
type place struct {
	node *html.Node
	attr int // index, -1 for the node itself
}

// found is what an expression gives: places, or else one string.
type found struct {
	places []place // in the order of the document, each once
	scalar bool
	text   string
	number bool // the string is a number in the notation of machines
}

// find evaluates the expression on a tree. Whatever goes wrong in the library is an error.
func (e *xpathExpr) find(root *html.Node, b *budget) (found, error) {
	var out found
	for _, part := range e.parts {
		v, err := evaluateXPath(part, &navigator{root: root, curr: root, attr: -1, budget: b})
		if err != nil {
			return found{}, err
		}
		switch v := v.(type) {
		case []place:
			out.places = append(out.places, v...)
		case string:
			out.scalar, out.text = true, v
		case bool:
			out.scalar, out.text = true, strconv.FormatBool(v)
		case float64:
			out.scalar, out.number = true, true
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				out.text = strconv.FormatFloat(v+0, 'f', -1, 64)
			}
		}
	}
	if out.scalar && len(e.parts) > 1 {
		return found{}, errors.New("fails: what | joins are not all node sets")
	}
	out.places = inOrder(root, out.places)
	return out, b.err
}

// evaluateXPath returns what an expression without | gives at a node: places, a string, a bool or a float64. Whatever goes
// wrong in the library is an error: errXPathHere or errXPath if it has not seen to it itself.
func evaluateXPath(text string, at *navigator) (value any, err error) {
	b := at.budget
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		value = nil
		fault, bad := r.(runtime.Error)
		switch {
		case b.err != nil:
			err = b.err
		case !bad:
			err = fmt.Errorf("fails on this page: %v", r)
		case strings.Contains(fault.Error(), "nil pointer"): // it made an expression with a hole
			err = errXPath
		default:
			err = errXPathHere
		}
	}()
	// An expression holds what it is doing, and clones of it share some of that: each page needs its own.
	expr, err := compileXPath(text)
	if err != nil {
		return nil, err
	}
	value = expr.Evaluate(at)
	if v, ok := value.(*xpath.NodeIterator); ok {
		var places []place
		for v.MoveNext() {
			if !b.spend(stepCost) {
				return nil, b.err
			}
			n := v.Current().(*navigator)
			places = append(places, place{n.curr, n.attr})
		}
		return places, nil
	}
	return value, nil
}

// inOrder returns places in the order of the document, each once.
func inOrder(root *html.Node, places []place) []place {
	if len(places) < 2 {
		return places
	}
	wanted := make(map[*html.Node][]int, len(places))
	for _, p := range places {
		attrs := wanted[p.node]
		i := 0
		for i < len(attrs) && attrs[i] < p.attr {
			i++
		}
		if i < len(attrs) && attrs[i] == p.attr {
			continue
		}
		attrs = append(attrs, 0)
		copy(attrs[i+1:], attrs[i:])
		attrs[i] = p.attr
		wanted[p.node] = attrs
	}
	out := places[:0]
	add := func(n *html.Node) {
		for _, attr := range wanted[n] {
			out = append(out, place{n, attr})
		}
	}
	add(root)
	for n := range root.Descendants() {
		add(n)
	}
	return out
}

// navigator shows a tree to the library, and counts its steps.
type navigator struct {
	root, curr *html.Node
	attr       int // index of the attribute that it is at, -1 if it is at the node itself
	budget     *budget
}

// stepCost is what a step of the library takes, in those of a walk: it copies its place again and again.
const stepCost = 4

// step panics when the budget is spent: the library has no other way to be stopped.
func (v *navigator) step(n int) {
	if !v.budget.spend(n) {
		panic(v.budget.err)
	}
}

func (v *navigator) NodeType() xpath.NodeType {
	switch v.curr.Type {
	case html.ElementNode:
		if v.attr >= 0 {
			return xpath.AttributeNode
		}
		return xpath.ElementNode
	case html.TextNode:
		return xpath.TextNode
	case html.CommentNode:
		return xpath.CommentNode
	}
	return xpath.RootNode
}

func (v *navigator) LocalName() string {
	if v.attr >= 0 {
		return v.curr.Attr[v.attr].Key
	}
	return v.curr.Data
}

func (v *navigator) Prefix() string {
	if v.attr >= 0 {
		return v.curr.Attr[v.attr].Namespace
	}
	return ""
}

// Value returns the string value of the node, as XPath has it: all the text within an element, scripts too.
func (v *navigator) Value() string {
	switch {
	case v.attr >= 0:
		v.step(stepCost + len(v.curr.Attr[v.attr].Val))
		return v.curr.Attr[v.attr].Val
	case v.curr.Type == html.TextNode || v.curr.Type == html.CommentNode:
		v.step(stepCost + len(v.curr.Data))
		return v.curr.Data
	}
	if c := v.curr.FirstChild; c != nil && c.NextSibling == nil && c.Type == html.TextNode {
		v.step(stepCost + len(c.Data))
		return c.Data
	}
	var b strings.Builder
	for n := range v.curr.Descendants() {
		v.step(1)
		if n.Type == html.TextNode {
			v.step(len(n.Data))
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

func (v *navigator) Copy() xpath.NodeNavigator {
	v.step(stepCost)
	c := *v
	return &c
}

func (v *navigator) MoveToRoot() {
	v.step(stepCost)
	v.curr, v.attr = v.root, -1
}

func (v *navigator) MoveToParent() bool {
	v.step(stepCost)
	if v.attr >= 0 {
		v.attr = -1
		return true
	}
	return v.moveTo(v.curr.Parent)
}

func (v *navigator) MoveToNextAttribute() bool {
	v.step(stepCost)
	if v.curr.Type != html.ElementNode || v.attr >= len(v.curr.Attr)-1 {
		return false
	}
	v.attr++
	return true
}

func (v *navigator) MoveToChild() bool { return v.attr < 0 && v.moveTo(v.curr.FirstChild) }

func (v *navigator) MoveToFirst() bool {
	if v.attr >= 0 || v.curr.PrevSibling == nil {
		return false
	}
	return v.moveTo(v.curr.Parent.FirstChild)
}

func (v *navigator) MoveToNext() bool { return v.attr < 0 && v.moveTo(v.curr.NextSibling) }

func (v *navigator) MoveToPrevious() bool { return v.attr < 0 && v.moveTo(v.curr.PrevSibling) }

func (v *navigator) MoveTo(other xpath.NodeNavigator) bool {
	v.step(stepCost)
	o, ok := other.(*navigator)
	if !ok || o.root != v.root {
		return false
	}
	v.curr, v.attr = o.curr, o.attr
	return true
}

func (v *navigator) moveTo(n *html.Node) bool {
	v.step(stepCost)
	if n == nil {
		return false
	}
	v.curr = n
	return true
}
