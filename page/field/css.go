package field

import (
	"errors"
	"fmt"
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// Cascadia reads the selectors and matches what stands between two combinators. It would match the combinators too, but by
// trying all ways to climb a page, and it counts the siblings of each element anew: "ul a" or "li:nth-child(2)" could keep a
// hostile page busy for hours. Here a selector is matched in one walk from the top, in which each element knows what its
// ancestors and elder siblings have matched, and what its number is.

// maxSteps is how many compounds a selector may have: a bit of a word each.
const maxSteps = 64

// css is a group of CSS selectors. It never changes.
type css struct {
	steps  []step
	accept uint64 // the steps at which a selector ends
	ofType bool   // some step counts elements of a type
}

// step is one compound of a selector, such as a.next:first-child.
type step struct {
	pred       int  // the step on the other side of the combinator, -1 if there is none
	combinator byte // ' ', '>', '+' or '~'
	cheap      []cascadia.Sel
	position   []position
	not        []step // none of which may match
	costly     []costly
}

// position is a pseudo-class that tells the number of an element among its siblings.
type position struct {
	a, b         int // an+b
	ofType, last bool
	only         bool
}

// costly is a pseudo-class that looks at more than the element.
type costly struct {
	match cascadia.Sel
	depth int  // how many ancestors each comparison may take, as a power of their number
	wide  bool // looks at siblings too
}

var errManySteps = fmt.Errorf("more than %d parts", maxSteps)

func parseCSS(text string) (*css, error) {
	group, err := cascadia.ParseGroup(text)
	if err != nil {
		return nil, fmt.Errorf("CSS selector %q does not parse: %w%s", text, err, cssHint(text))
	}
	s := &css{}
	if err := s.split(text); err != nil {
		return nil, fmt.Errorf("CSS selector %q: %w", text, err)
	}
	if n := endCount(s.accept); n != len(group) {
		return nil, fmt.Errorf("CSS selector %q: cannot be told apart", text)
	}
	return s, nil
}

// cssHint says what to write in place of what others understand.
func cssHint(text string) string {
	switch {
	case strings.Contains(text, "::attr("):
		return " (an attribute is taken by SELECTOR@NAME)"
	case strings.Contains(text, "::text"):
		return " (the text is what is taken anyway)"
	case strings.HasPrefix(text, "/") || strings.HasPrefix(text, "("):
		return " (XPath is written xpath:EXPR)"
	case strings.Contains(text, ":is(") || strings.Contains(text, ":where("):
		return " (:is and :where are not known; write the alternatives one by one, with commas)"
	}
	return ""
}

func endCount(accept uint64) int {
	n := 0
	for ; accept != 0; accept &= accept - 1 {
		n++
	}
	return n
}

// split reads the steps of a selector that is known to parse.
func (s *css) split(text string) error {
	pred, combinator := -1, byte(0)
	for i := 0; ; {
		gap := skipBlank(text, i)
		spaced := gap > i
		i = gap
		if i == len(text) || text[i] == ',' {
			if pred < 0 {
				return errors.New("a part is empty")
			}
			s.accept |= 1 << pred
			if i == len(text) {
				return nil
			}
			pred, combinator = -1, 0
			i++
			continue
		}
		if c := text[i]; c == '>' || c == '+' || c == '~' {
			combinator = c
			i++
			continue
		}
		if spaced && pred >= 0 && combinator == 0 {
			combinator = ' '
		}
		end := compoundEnd(text, i)
		if end == i {
			return fmt.Errorf("%q is not understood", text[i:])
		}
		if len(s.steps) == maxSteps {
			return errManySteps
		}
		next, err := parseStep(text[i:end])
		if err != nil {
			return err
		}
		s.ofType = s.ofType || next.countsTypes()
		next.pred, next.combinator = pred, combinator
		pred, combinator = len(s.steps), 0
		s.steps = append(s.steps, next)
		i = end
	}
}

func (st *step) countsTypes() bool {
	for _, p := range st.position {
		if p.ofType {
			return true
		}
	}
	for i := range st.not {
		if st.not[i].countsTypes() {
			return true
		}
	}
	return false
}

// skipBlank returns where the white space and comments at text[i] end.
func skipBlank(text string, i int) int {
	for i < len(text) {
		switch {
		case strings.IndexByte(" \t\r\n\f", text[i]) >= 0:
			i++
		case strings.HasPrefix(text[i:], "/*"):
			n := strings.Index(text[i+2:], "*/")
			if n < 0 {
				return i
			}
			i += n + 4
		default:
			return i
		}
	}
	return i
}

// compoundEnd returns where the compound that starts at text[i] ends.
func compoundEnd(text string, i int) int {
	for depth := 0; i < len(text); i = skipChar(text, i) {
		switch text[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case ' ', '\t', '\r', '\n', '\f', '>', '+', '~', ',', '/':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// skipChar returns where the byte, escape or string at text[i] ends.
func skipChar(text string, i int) int {
	quote := text[i]
	i++
	switch quote {
	case '\\':
		digits := i
		for i < len(text) && i < digits+6 && isHex(text[i]) {
			i++
		}
		if i == digits || i < len(text) && strings.IndexByte(" \t\r\n\f", text[i]) >= 0 {
			i++ // the character, or the white space that ends its number
		}
	case '"', '\'':
		for i < len(text) && text[i] != quote {
			if text[i] == '\\' {
				i++
			}
			i++
		}
		i++
	}
	return min(i, len(text))
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// parseStep takes a compound apart: what comes before its first pseudo-class, and the pseudo-classes.
func parseStep(text string) (step, error) {
	var st step
	for text != "" {
		end := simpleEnd(text)
		part := text[:end]
		text = text[end:]
		sel, err := cascadia.Parse(part)
		if err != nil {
			return st, fmt.Errorf("%q does not parse: %w", part, err)
		}
		if part[0] != ':' {
			st.cheap = append(st.cheap, sel)
			continue
		}
		if p, ok := parsePosition(sel.String()); ok {
			st.position = append(st.position, p)
			continue
		}
		name, argument, _ := strings.Cut(strings.ToLower(part[1:]), "(")
		switch name {
		case "not":
			if inner, ok := simpleGroup(part); ok {
				st.not = append(st.not, inner.steps...)
				continue
			}
			fallthrough
		case "has", "haschild":
			argument = bare(argument)
			st.costly = append(st.costly, costly{
				match: sel,
				depth: strings.Count(argument, " ") + strings.Count(argument, "~"),
				wide:  strings.ContainsAny(argument, "+~:"),
			})
		case "contains", "matches", "lang":
			st.costly = append(st.costly, costly{match: sel})
		case "enabled", "disabled":
			st.costly = append(st.costly, costly{match: sel, depth: 1, wide: true})
		default:
			st.cheap = append(st.cheap, sel)
		}
	}
	return st, nil
}

// simpleGroup reads what stands within :not(), if there are no combinators in it.
func simpleGroup(part string) (*css, bool) {
	inner := &css{}
	if err := inner.split(part[len(":not(") : len(part)-1]); err != nil {
		return nil, false
	}
	for _, st := range inner.steps {
		if st.pred >= 0 {
			return nil, false
		}
	}
	return inner, true
}

// bare returns the argument of a pseudo-class without strings and attributes, and with white space only where it combines.
func bare(argument string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(argument); i = skipChar(argument, i) {
		switch c := argument[i]; c {
		case '\\', '"', '\'':
		case '[':
			depth++
		case ']':
			depth--
		default:
			if depth == 0 {
				b.WriteByte(c)
			}
		}
	}
	s := strings.Join(strings.Fields(b.String()), " ")
	for _, c := range [...]string{">", "+", "~", ",", "(", ")"} {
		s = strings.ReplaceAll(strings.ReplaceAll(s, " "+c, c), c+" ", c)
	}
	return s
}

// simpleEnd returns where the first part of a compound ends that can be matched by itself: at the next pseudo-class.
func simpleEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i = skipChar(text, i) {
		c := text[i]
		if depth == 0 && i > 0 && (c == ':' || text[0] == ':' && (c == '.' || c == '#' || c == '[')) {
			return i
		}
		switch c {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		}
	}
	return len(text)
}

// parsePosition reads a pseudo-class as Cascadia writes it.
func parsePosition(text string) (p position, ok bool) {
	switch text {
	case ":first-child", ":first-of-type":
		p.b = 1
	case ":last-child", ":last-of-type":
		p.b, p.last = 1, true
	case ":only-child", ":only-of-type":
		p.only = true
	default:
		if !strings.HasPrefix(text, ":nth-") {
			return p, false
		}
		_, argument, _ := strings.Cut(text, "(")
		if n, err := fmt.Sscanf(argument, "%dn%d)", &p.a, &p.b); n != 2 || err != nil {
			return p, false
		}
		p.last = strings.HasPrefix(text, ":nth-last-")
	}
	p.ofType = strings.Contains(text, "-of-type")
	return p, true
}

// holds reports whether a number is an+b for some n of at least 0.
func (p position) holds(number int) bool {
	if p.a == 0 {
		return number == p.b
	}
	return (number-p.b)%p.a == 0 && (number-p.b)/p.a >= 0
}

// finder is one walk over a tree.
type finder struct {
	*css
	budget *budget
	found  func(*html.Node) (more, inside bool)
}

// family is what the children of an element share in a walk.
type family struct {
	parent, elder, eldest uint64 // steps that the parent, the sibling before and any sibling before have matched
	number, total         int    // of elements
	byType, totalByType   map[string]int
}

// find calls found for the elements below root that match, in the order of the document, until that wants no more; nor does
// it look inside an element if found says so. The error is that of the budget.
func (s *css) find(root *html.Node, b *budget, found func(*html.Node) (more, inside bool)) error {
	f := finder{s, b, found}
	f.walk(root, 0, 0)
	return b.err
}

// walk goes through the children of n, which with its ancestors has matched the given steps. It returns false when the walk
// is over.
func (f *finder) walk(n *html.Node, parent, ancestors uint64) bool {
	fam := family{parent: parent}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			if !f.budget.spend(1) {
				return false
			}
			continue
		}
		fam.number++
		if f.ofType {
			if fam.byType == nil {
				fam.byType = map[string]int{}
			}
			fam.byType[c.Data]++
		}
		var matched uint64
		for i := range f.steps {
			st := &f.steps[i]
			if st.pred >= 0 {
				before := ancestors
				switch st.combinator {
				case '>':
					before = parent
				case '+':
					before = fam.elder
				case '~':
					before = fam.eldest
				}
				if before&(1<<st.pred) == 0 {
					continue
				}
			}
			if f.matches(st, c, &fam) {
				matched |= 1 << i
			}
		}
		if !f.budget.spend(1 + len(f.steps)) {
			return false
		}
		inside := true
		if matched&f.accept != 0 {
			var more bool
			if more, inside = f.found(c); !more {
				return false
			}
		}
		if inside && c.FirstChild != nil && !f.walk(c, matched, ancestors|matched) {
			return false
		}
		fam.elder = matched
		fam.eldest |= matched
	}
	return true
}

func (f *finder) matches(st *step, n *html.Node, fam *family) bool {
	for _, sel := range st.cheap {
		if !sel.Match(n) {
			return false
		}
	}
	for _, p := range st.position {
		if n.Parent == nil {
			return false
		}
		number := fam.number
		if p.ofType {
			number = fam.byType[n.Data]
		}
		if p.last || p.only {
			total := f.total(fam, n, p.ofType)
			if p.only {
				if total != 1 {
					return false
				}
				continue
			}
			number = total - number + 1
		}
		if !p.holds(number) {
			return false
		}
	}
	for i := range st.not {
		if f.matches(&st.not[i], n, fam) {
			return false
		}
	}
	for _, c := range st.costly {
		if !f.budget.spend(c.cost(n, f.budget)) || !c.match.Match(n) {
			return false
		}
	}
	return true
}

// total returns how many elements the family has, all of them or those named as n.
func (f *finder) total(fam *family, n *html.Node, ofType bool) int {
	if fam.total == 0 {
		if f.ofType {
			fam.totalByType = map[string]int{}
		}
		for c := n.Parent.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode {
				fam.total++
				if fam.totalByType != nil {
					fam.totalByType[c.Data]++
				}
			}
		}
	}
	if ofType {
		return fam.totalByType[n.Data]
	}
	return fam.total
}

// cost returns what a comparison may take at most, or more than the budget has.
func (c *costly) cost(n *html.Node, b *budget) int {
	left := b.left
	cost, depth, width := 1, 1, 1
	for p := n.Parent; p != nil; p = p.Parent {
		depth++
	}
	if c.wide && n.Parent != nil {
		for s := n.Parent.FirstChild; s != nil && width <= left; s = s.NextSibling {
			width++
		}
	}
	below := 0 // how deep the walk is below n
	for d := n; cost <= left; {
		cost += 1 + len(d.Data)/4 + len(d.Attr)
		switch {
		case d.FirstChild != nil:
			d = d.FirstChild
			if below++; c.wide {
				for s := d; s != nil && width <= left; s = s.NextSibling {
					width++
				}
			}
		default:
			for d != n && d.NextSibling == nil {
				d = d.Parent
				below--
			}
			if d == n {
				depth += below
				goto walked
			}
			d = d.NextSibling
		}
	}
walked:
	for range c.depth {
		if cost > left {
			break
		}
		cost *= max(depth, width)
	}
	if c.wide && c.depth == 0 && cost <= left {
		cost *= width
	}
	return cost
}
