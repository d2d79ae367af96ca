package field

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"pawl/page"
)

// Set is what is to be taken from a page. It never changes, and may be used concurrently.
type Set struct {
	fields    []Field
	linksFrom []Selector
	work      int // what a selector may take on a page
}

// NewSet returns a Set of fields, and of the selectors of the elements that links are to be taken from. That their names
// differ is for the caller to see to.
func NewSet(fields []Field, linksFrom []Selector) *Set {
	return &Set{slices.Clone(fields), slices.Clone(linksFrom), maxWork}
}

// Input is an answer. It is not changed, and not kept.
type Input struct {
	ContentType string // header value, may be empty
	Header      http.Header
	Body        []byte // without content encoding
	HTML        bool   // the body is a page; otherwise only what stands in the header is taken
}

// Value is what was found for a field: one value, or one or more if it is a list. None is empty, and all are valid UTF-8.
type Value struct {
	Name   string
	Values []string
}

// Taken is what was found in an answer. It belongs to the caller.
type Taken struct {
	Values []Value // in the order of the fields, of those that found something
	// Parts is the HTML, in UTF-8, of the elements that links are to be taken from, in the order of the document and with a line
	// feed behind each. None is there twice, within another. What a base element outside of them says is for the caller to know.
	// Parts is cut at three times the length of the body and 64 KB. It is empty if no element is wanted, or if a selector fails.
	Parts []byte
	Err   error // the first reason why something could not be looked for
}

// Take looks for all there is to find. Of a page of which no tree can be made, or on which a selector fails, it takes all else.
func (s *Set) Take(in Input) Taken {
	t := taking{in: in, left: MaxPage, work: s.work}
	for i := range s.fields {
		t.field(&s.fields[i])
	}
	if len(s.linksFrom) > 0 && in.HTML {
		t.parts(s.linksFrom)
	}
	return t.out
}

// result is what a selector gives, before it is made a value.
type result struct {
	text    string
	machine bool // written for machines, so a number in it is in their notation
}

// taking is the work on one answer. What several fields need is made once, by the first of them.
type taking struct {
	in   Input
	out  Taken
	left int // bytes of MaxPage
	work int

	root   *html.Node
	built  bool
	data   *data
	linked *linked
}

func (t *taking) fail(err error) {
	if t.out.Err == nil {
		t.out.Err = err
	}
}

func (t *taking) field(f *Field) {
	if f.source != fromHeader && !t.in.HTML {
		return
	}
	if f.source.needsTree() && t.tree() == nil {
		return
	}
	b := &budget{left: t.work}
	var values []string
	full, isCut := false, false
	err := t.results(f, b, func(r result) bool {
		value, decided := f.value(r, b)
		if value != "" {
			if full = len(value) > t.left; full {
				return false
			}
			t.left -= len(value)
			values = append(values, value)
			isCut = isCut || len(value) > MaxValue-2*utf8.UTFMax // or as good as
		}
		return !decided && len(values) < MaxList
	})
	if err == nil {
		err = b.err
	}
	if err != nil {
		t.fail(fmt.Errorf("field %s: %w", f.Name, err))
		for _, v := range values {
			t.left += len(v)
		}
		return
	}
	switch {
	case full:
		t.fail(fmt.Errorf("field %s: the values of the page have more than %d bytes", f.Name, MaxPage))
	case isCut:
		t.fail(fmt.Errorf("field %s: a value of more than %d bytes was cut", f.Name, MaxValue))
	case len(values) == MaxList:
		t.fail(fmt.Errorf("field %s: of %d values or more the first are taken", f.Name, MaxList))
	}
	if len(values) > 0 {
		t.out.Values = append(t.out.Values, Value{f.Name, values})
	}
}

// value makes a value of a result, empty if it gives none. decided says that no other result matters.
func (f *Field) value(r result, b *budget) (value string, decided bool) {
	if f.re != nil {
		if !b.spend(len(r.text)) {
			return "", true
		}
		match := f.re.FindStringSubmatch(r.text)
		if match == nil {
			return "", false
		}
		r.text = strings.TrimSpace(match[min(1, len(match)-1)])
	}
	if f.Type != Text {
		return parseNumber(r.text, f.Type, r.machine), !f.List
	}
	return cut(strings.ToValidUTF8(r.text, "\uFFFD"), MaxValue), !f.List
}

// results gives what a field's selector finds to yield, until that wants no more.
func (t *taking) results(f *Field, b *budget, yield func(result) bool) error {
	apart := f.Type != Text && f.re == nil
	switch f.source {
	case fromHeader:
		for _, v := range t.in.Header[f.name] {
			if !yield(result{headerText(v), true}) {
				break
			}
		}
	case fromGraph, fromMeta:
		for i := range t.pageData().metas {
			m := &t.data.metas[i]
			if !m.named(f.name, f.source == fromGraph) {
				continue
			}
			content := m.content
			if !apart {
				content = clean(content, false)
			}
			if !yield(result{content, true}) {
				break
			}
		}
	case fromJSONLD:
		return t.jsonLD(f, b, yield)
	case fromMicrodata:
		w := microWalk{root: t.root, budget: b, apart: apart, yield: yield}
		w.find(f.path)
	case fromCSS:
		return f.css.find(t.root, b, func(n *html.Node) (more, inside bool) {
			switch {
			case f.attr != "":
				return yield(result{attrOf(n, f.attr), true}), true
			case f.inner:
				return yield(result{innerHTML(n, b), false}), true
			}
			return yield(result{textOf(n, apart, b), false}), true
		})
	case fromXPath:
		return f.byXPath(t.root, apart, b, yield)
	}
	return nil
}

func (f *Field) byXPath(root *html.Node, apart bool, b *budget, yield func(result) bool) error {
	out, err := f.xpath.find(root, b)
	if err != nil {
		return err
	}
	if out.scalar {
		yield(result{clean(out.text, apart), out.number})
		return nil
	}
	for _, p := range out.places {
		r := result{}
		switch {
		case p.attr >= 0:
			r = result{strings.TrimSpace(p.node.Attr[p.attr].Val), true}
		case f.inner:
			r.text = innerHTML(p.node, b)
		default:
			r.text = textOf(p.node, apart, b)
		}
		if !yield(r) {
			break
		}
	}
	return nil
}

func (t *taking) jsonLD(f *Field, b *budget, yield func(result) bool) error {
	if t.linked == nil {
		t.linked = readLinked(t.pageData().scripts)
	}
	none := true
	t.linked.find(f.path, b, func(n jsonNode) bool {
		none = false
		if !b.spend(len(n.text)) { // one may be in many others, or referred to by many
			return false
		}
		if n.kind == 'n' {
			n.text = "" // null
		}
		return yield(result{strings.TrimSpace(n.text), true})
	})
	if none {
		return t.linked.err // what was looked for may have been in what could not be read
	}
	return nil
}

// tree returns the tree of the page, nil if there is none.
func (t *taking) tree() *html.Node {
	if !t.built {
		t.built = true
		root, _, err := page.Tree(t.in.ContentType, t.in.Body, true)
		if err != nil {
			t.fail(err)
		}
		t.root = root
	}
	return t.root
}

func (t *taking) pageData() *data {
	if t.data == nil {
		text, _ := page.Text(t.in.ContentType, t.in.Body)
		d := readData(text)
		t.data = &d
	}
	return t.data
}

// headerText returns a header value in UTF-8. What is not UTF-8 is Latin-1, as it was in HTTP of old.
func headerText(v string) string {
	v = strings.TrimSpace(v)
	if utf8.ValidString(v) {
		return v
	}
	runes := make([]rune, len(v))
	for i := range len(v) {
		runes[i] = rune(v[i])
	}
	return string(runes)
}

// parts takes the elements that links are to be taken from.
func (t *taking) parts(selectors []Selector) {
	if t.tree() == nil {
		return
	}
	wanted := map[*html.Node]bool{}
	for _, s := range selectors {
		elements, err := s.find(t.root, &budget{left: t.work})
		if err != nil {
			t.fail(fmt.Errorf("selector %q: %w", s.text, err))
			return
		}
		for _, n := range elements {
			wanted[n] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	out := limited{budget: &budget{left: sparePart + partsPerByte*len(t.in.Body)}, max: math.MaxInt}
	w := bufio.NewWriter(&out)
	walkOutermost(t.root, wanted, func(n *html.Node) bool {
		// It fails when there is enough, and on trees that no page makes; what came before is good.
		_ = html.Render(w, n)
		return w.WriteByte('\n') == nil
	})
	if err := w.Flush(); err != nil {
		t.fail(errParts)
	}
	t.out.Parts = out.buf.Bytes()
}

const (
	// sparePart and partsPerByte bound the parts of a page. Their HTML may be longer than the page, as what was left out or
	// written in short is written in full, and much longer, as an element that is open where its parent ends is there again.
	sparePart    = 64 << 10
	partsPerByte = 3
)

var errParts = errors.New("the elements that links are to be taken from are too large")

// walkOutermost calls visit for the wanted elements that are not within another one, until that returns false.
func walkOutermost(n *html.Node, wanted map[*html.Node]bool, visit func(*html.Node) bool) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if wanted[c] {
			if !visit(c) {
				return false
			}
		} else if !walkOutermost(c, wanted, visit) {
			return false
		}
	}
	return true
}
