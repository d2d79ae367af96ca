package export

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// The language of [Options].Where is told in the comment of the package. The
// parser is that of expr; what an expression means is decided here, with columns
// of fixed types that may be empty, and compiled to functions, so that a row
// costs no more than the columns that are named.

// What an expression may be made of.
const (
	longestWhere = 64 << 10 // bytes
	mostNodes    = 10_000
)

// WhereError is what is wrong with [Options].Where.
type WhereError struct {
	Column  int      // where, in characters from 1
	Reason  string   // what
	Nearest string   // the name that was probably meant, as it is to be written; empty: none is near
	Known   []string // the columns there are, when one is unknown
}

func (e *WhereError) Error() string {
	s := fmt.Sprintf("filter, character %d: %s", e.Column, e.Reason)
	if e.Nearest != "" {
		s += fmt.Sprintf("; did you mean %s?", e.Nearest)
	} else if len(e.Known) > 0 {
		s += "; the columns are " + strings.Join(e.Known, ", ")
	}
	return s
}

// termKind is what a term of an expression is.
type termKind uint8

const (
	aCondition termKind = iota
	aNumber
	aText
	aTime
	aList
	nothing // nil
)

func (s termKind) String() string {
	return [...]string{aCondition: "a condition", aNumber: "a number", aText: "text", aTime: "a time", aList: "a list", nothing: "nil"}[s]
}

// number is a number that may be not known. An integer is exact.
type number struct {
	is kind // intCell, floatCell or emptyCell
	n  int64
	x  float64
}

func intNumber(n int64) number { return number{is: intCell, n: n} }

func floatNumber(x float64) number {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return number{is: emptyCell}
	}
	return number{is: floatCell, x: x}
}

func (a number) float() float64 {
	if a.is == intCell {
		return float64(a.n)
	}
	return a.x
}

// term is a part of an expression: what it is, and the function that gives it
// for a row.
type term[R any] struct {
	is        termKind
	condition func(*R) bool
	number    func(*R) number
	text      func(*R) string
	time      func(*R) int64 // 0: empty
	list      func(*R) []string
	items     FieldType     // of the list
	empty     func(*R) bool // of what may be empty; nil: it is not
	literal   bool          // the same for all rows: the functions take nil
	at        ast.Node
}

// filter compiles an expression. Its errors are *WhereError.
func (t *table[R]) filter(where string) (func(*R) bool, error) {
	if len(where) > longestWhere {
		return nil, &WhereError{Column: 1, Reason: fmt.Sprintf("it is longer than %d bytes", longestWhere)}
	}
	if !utf8.ValidString(where) {
		return nil, &WhereError{Column: 1, Reason: "it is not UTF-8"}
	}
	config := conf.CreateNew()
	config.MaxNodes = mostNodes
	config.DisableIfOperator = true
	tree, err := parser.ParseWithConfig(where, config)
	if err != nil {
		return nil, parseError(err)
	}
	c := compiler[R]{columns: t.columns, source: where, why: t.why}
	if t.filtered != nil {
		c.columns = t.filtered
	}
	whole, err := c.compile(tree.Node)
	if err != nil {
		return nil, err
	}
	if whole.is != aCondition {
		return nil, wrong(tree.Node, "a filter is a condition, such as status >= 400; this is %v", whole.is)
	}
	return whole.condition, nil
}

// parseError makes the parser's words those of people who do not know it.
func parseError(err error) error {
	var e *file.Error
	if !errors.As(err, &e) {
		return &WhereError{Column: 1, Reason: err.Error()}
	}
	reason := e.Message
	if kind, value, ok := strings.Cut(strings.TrimPrefix(reason, "unexpected token "), `("`); ok && strings.HasPrefix(reason, "unexpected token ") {
		value = strings.TrimSuffix(value, `")`)
		reason = fmt.Sprintf("%q is not expected here", value)
		switch word := strings.ToLower(value); {
		case value == "=":
			reason += `; to compare, write ==`
		case value == "<>" || value == ">" && kind == "Operator":
			reason += `; not equal is !=`
		case word != value && slices.Contains([]string{"and", "or", "not", "in", "contains", "matches"}, word):
			reason += fmt.Sprintf(`; write %s in small letters`, word)
		case word == "like":
			reason += `; there are contains, startsWith, endsWith and matches`
		case word == "is":
			reason += `; write == nil or != nil`
		}
	} else if reason == "unexpected token EOF" {
		reason = "it ends too early"
	}
	return &WhereError{Column: e.From + 1, Reason: reason}
}

func wrong(at ast.Node, format string, args ...any) error {
	return &WhereError{Column: at.Location().From + 1, Reason: fmt.Sprintf(format, args...)}
}

type compiler[R any] struct {
	columns []column[R]
	source  string
	why     func(name string) string // of the table
}

func (c *compiler[R]) compile(node ast.Node) (*term[R], error) {
	t, err := c.term(node)
	if err != nil {
		return nil, err
	}
	t.at = node
	return t, nil
}

func (c *compiler[R]) term(node ast.Node) (*term[R], error) {
	switch n := node.(type) {
	case *ast.NilNode:
		return &term[R]{is: nothing, literal: true}, nil
	case *ast.BoolNode:
		return &term[R]{is: aCondition, literal: true, condition: func(*R) bool { return n.Value }}, nil
	case *ast.IntegerNode:
		return numberTerm[R](true, func(*R) number { return intNumber(int64(n.Value)) }), nil
	case *ast.FloatNode:
		return numberTerm[R](true, func(*R) number { return floatNumber(n.Value) }), nil
	case *ast.StringNode:
		return &term[R]{is: aText, literal: true, text: func(*R) string { return n.Value }}, nil
	case *ast.IdentifierNode:
		return c.column(node, n.Value)
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.function(node, n.Name, n.Arguments)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.MemberNode, *ast.ChainNode:
		return nil, wrong(node, `a column has no parts; one whose name is no word is written col("the.name")`)
	case *ast.ArrayNode:
		return nil, wrong(node, `a list in brackets stands behind "in" only`)
	}
	return nil, wrong(node, "this is not part of the language of filters")
}

func numberTerm[R any](literal bool, of func(*R) number) *term[R] {
	return &term[R]{is: aNumber, literal: literal, number: of, empty: func(row *R) bool { return of(row).is == emptyCell }}
}

func (c *compiler[R]) column(at ast.Node, name string) (*term[R], error) {
	for i := range c.columns {
		if c.columns[i].name == name {
			return columnTerm(&c.columns[i]), nil
		}
	}
	if why := c.why(name); why != "" {
		return nil, wrong(at, "the column %q %s", name, why)
	}
	e := &WhereError{Column: at.Location().From + 1, Reason: fmt.Sprintf("there is no column %q", name)}
	for i := range c.columns {
		e.Known = append(e.Known, c.columns[i].name)
	}
	switch strings.ToLower(name) {
	case "null", "none":
		e.Known = nil
		e.Reason, e.Nearest = fmt.Sprintf("what is empty is not called %s here", name), "nil"
		return nil, e
	}
	for _, known := range e.Known {
		if len(known) > len(name) && strings.HasPrefix(known, name) && known[len(name)] == '-' {
			e.Nearest = fmt.Sprintf("col(%q)", known) // my-field is my less field
			return nil, e
		}
	}
	if e.Nearest = nearest(name, e.Known); e.Nearest != "" && !isWord(e.Nearest) {
		e.Nearest = fmt.Sprintf("col(%q)", e.Nearest)
	}
	return nil, e
}

// isWord tells whether a name can stand for a column without col.
func isWord(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

func columnTerm[R any](c *column[R]) *term[R] {
	switch c.kind {
	case intCell:
		return &term[R]{is: aNumber, number: func(row *R) number {
			if n, known := c.integer(row); known {
				return intNumber(n)
			}
			return number{is: emptyCell}
		}, empty: func(row *R) bool {
			_, known := c.integer(row)
			return !known
		}}
	case floatCell:
		return numberTerm(false, func(row *R) number {
			if x, known := c.float(row); known {
				return floatNumber(x)
			}
			return number{is: emptyCell}
		})
	case boolCell:
		return &term[R]{is: aCondition, condition: func(row *R) bool {
			is, known := c.boolean(row)
			return is && known
		}, empty: func(row *R) bool {
			_, known := c.boolean(row)
			return !known
		}}
	case timeCell:
		return &term[R]{is: aTime, time: c.time, empty: func(row *R) bool { return c.time(row) == 0 }}
	case listCell:
		return &term[R]{is: aList, list: c.list, items: c.items, empty: func(row *R) bool { return len(c.list(row)) == 0 }}
	case plainCell:
		var buf []byte
		var last string // most such columns have few words
		return textTerm(func(row *R) string {
			if buf = c.plain(buf[:0], row); string(buf) != last {
				last = string(buf)
			}
			return last
		})
	}
	return textTerm(func(row *R) string { return clean(c.text(row)) }) // as it is exported
}

func textTerm[R any](of func(*R) string) *term[R] {
	return &term[R]{is: aText, text: of, empty: func(row *R) bool { return of(row) == "" }}
}

func (c *compiler[R]) call(n *ast.CallNode) (*term[R], error) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return nil, wrong(n, "this cannot be called")
	}
	if callee.Value != "col" {
		return c.function(n, callee.Value, n.Arguments)
	}
	if len(n.Arguments) == 1 {
		if name, ok := n.Arguments[0].(*ast.StringNode); ok {
			// So that who looks for the name in the source finds it.
			if !strings.Contains(c.source, name.Value) {
				return nil, wrong(name, "write the name of the column without escapes")
			}
			return c.column(name, name.Value)
		}
	}
	return nil, wrong(n, `col is given the name of a column in quotes: col("my-field")`)
}

// function compiles a call of one of the functions.
func (c *compiler[R]) function(at ast.Node, name string, arguments []ast.Node) (*term[R], error) {
	known := []string{"len", "lower", "upper", "col"}
	if !slices.Contains(known, name) {
		e := &WhereError{Column: at.Location().From + 1, Reason: fmt.Sprintf("there is no function %s, but len, lower, upper and col", name)}
		e.Nearest = nearest(name, known)
		return nil, e
	}
	if len(arguments) != 1 {
		return nil, wrong(at, "%s is given one value, not %d", name, len(arguments))
	}
	of, err := c.compile(arguments[0])
	if err != nil {
		return nil, err
	}
	if name == "len" && of.is == aList {
		return numberTerm(false, func(row *R) number { return intNumber(int64(len(of.list(row)))) }), nil
	}
	text, err := of.asText(name)
	if err != nil {
		return nil, err
	}
	switch name {
	case "lower":
		t := textTerm(func(row *R) string { return strings.ToLower(text(row)) })
		t.literal = of.literal
		return t, nil
	case "upper":
		t := textTerm(func(row *R) string { return strings.ToUpper(text(row)) })
		t.literal = of.literal
		return t, nil
	}
	return numberTerm(of.literal, func(row *R) number { return intNumber(int64(utf8.RuneCountInString(text(row)))) }), nil
}

// asText gives what an operator or a function on text works with. That of a
// time is what is exported.
func (t *term[R]) asText(user string) (func(*R) string, error) {
	switch t.is {
	case aText:
		return t.text, nil
	case aTime:
		return func(row *R) string { return string(appendTime(nil, t.time(row))) }, nil
	case aList:
		return nil, wrong(t.at, `%s works on text, not on a list; what a list holds is told by "in": "x" in the_list`, user)
	}
	return nil, wrong(t.at, "%s works on text, not on %v", user, t.is)
}

func (t *term[R]) asCondition(user string) (func(*R) bool, error) {
	if t.is == aCondition {
		return t.condition, nil
	}
	hint := ""
	if user == "not" || user == "!" {
		hint = "; it may need brackets: not (status == 404)"
	}
	return nil, wrong(t.at, "%q takes conditions, not %v%s", user, t.is, hint)
}

func (t *term[R]) asNumber(user string) (func(*R) number, error) {
	if t.is == aNumber {
		return t.number, nil
	}
	return nil, wrong(t.at, "%q calculates with numbers, not with %v", user, t.is)
}

func (c *compiler[R]) unary(n *ast.UnaryNode) (*term[R], error) {
	of, err := c.compile(n.Node)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "not", "!":
		is, err := of.asCondition(n.Operator)
		if err != nil {
			return nil, err
		}
		return &term[R]{is: aCondition, literal: of.literal, condition: func(row *R) bool { return !is(row) }}, nil
	case "-", "+":
		of, err := of.asNumber(n.Operator)
		if err != nil {
			return nil, err
		}
		if n.Operator == "+" {
			return numberTerm(false, of), nil
		}
		_, literal := n.Node.(*ast.IntegerNode)
		_, float := n.Node.(*ast.FloatNode)
		return numberTerm(literal || float, func(row *R) number { return calculate('-', intNumber(0), of(row)) }), nil
	}
	return nil, wrong(n, "%q is not part of the language of filters", n.Operator)
}

func (c *compiler[R]) binary(n *ast.BinaryNode) (*term[R], error) {
	if n.Operator == "in" {
		return c.in(n)
	}
	left, err := c.compile(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.compile(n.Right)
	if err != nil {
		return nil, err
	}
	switch n.Operator {
	case "and", "&&", "or", "||":
		a, err := left.asCondition(n.Operator)
		if err != nil {
			return nil, err
		}
		b, err := right.asCondition(n.Operator)
		if err != nil {
			return nil, err
		}
		if n.Operator == "and" || n.Operator == "&&" {
			return condition(func(row *R) bool { return a(row) && b(row) }), nil
		}
		return condition(func(row *R) bool { return a(row) || b(row) }), nil
	case "contains", "startsWith", "endsWith", "matches":
		return c.search(n.Operator, left, right)
	case "==", "!=", "<", "<=", ">", ">=":
		return c.compare(n, left, right)
	case "+", "-", "*", "/", "%":
		a, err := left.asNumber(n.Operator)
		if err != nil {
			return nil, err
		}
		b, err := right.asNumber(n.Operator)
		if err != nil {
			return nil, err
		}
		operator := n.Operator[0]
		return numberTerm(false, func(row *R) number { return calculate(operator, a(row), b(row)) }), nil
	case "..":
		return nil, wrong(n, `a range such as 400..499 stands behind "in" only`)
	}
	return nil, wrong(n, "%q is not part of the language of filters", n.Operator)
}

func condition[R any](is func(*R) bool) *term[R] { return &term[R]{is: aCondition, condition: is} }

// calculate gives an integer for two of them, as long as there is one.
func calculate(operator byte, a, b number) number {
	if a.is == emptyCell || b.is == emptyCell {
		return number{is: emptyCell}
	}
	if a.is == intCell && b.is == intCell {
		switch operator {
		case '+':
			if sum := a.n + b.n; (sum > a.n) == (b.n > 0) {
				return intNumber(sum)
			}
		case '-':
			if difference := a.n - b.n; (difference < a.n) == (b.n > 0) {
				return intNumber(difference)
			}
		case '*':
			product := a.n * b.n
			if a.n == 0 || b.n == 0 || product/b.n == a.n && !(a.n == -1 && b.n == math.MinInt64) && !(b.n == -1 && a.n == math.MinInt64) {
				return intNumber(product)
			}
		case '%':
			if b.n == 0 {
				return number{is: emptyCell}
			}
			return intNumber(a.n % b.n)
		}
	}
	x, y := a.float(), b.float()
	switch operator {
	case '+':
		return floatNumber(x + y)
	case '-':
		return floatNumber(x - y)
	case '*':
		return floatNumber(x * y)
	case '/':
		return floatNumber(x / y) // by 0 it is not finite, and so empty
	}
	return floatNumber(math.Mod(x, y))
}

// search compiles the operators that look into text.
func (c *compiler[R]) search(operator string, left, right *term[R]) (*term[R], error) {
	text, err := left.asText(operator)
	if err != nil {
		return nil, err
	}
	what, err := right.asText(operator)
	if err != nil {
		return nil, err
	}
	var does func(string, string) bool
	switch operator {
	case "contains":
		does = strings.Contains
	case "startsWith":
		does = strings.HasPrefix
	case "endsWith":
		does = strings.HasSuffix
	default:
		if !right.literal {
			return nil, wrong(right.at, "matches is given a regular expression in quotes")
		}
		pattern, err := regexp.Compile(what(nil))
		if err != nil {
			return nil, wrong(right.at, "%v", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		return condition(func(row *R) bool { return pattern.MatchString(text(row)) }), nil
	}
	if right.literal {
		fixed := what(nil)
		return condition(func(row *R) bool { return does(text(row), fixed) }), nil
	}
	return condition(func(row *R) bool { return does(text(row), what(row)) }), nil
}

// order tells for which results of a comparison, less, equal and more, an
// operator is true.
type order [3]bool

func orderOf(operator string) order {
	switch operator {
	case "==":
		return order{false, true, false}
	case "!=":
		return order{true, false, true}
	case "<":
		return order{true, false, false}
	case "<=":
		return order{true, true, false}
	case ">":
		return order{false, false, true}
	}
	return order{false, true, true}
}

func (o order) holds(result int) bool { return o[result+1] }

func (c *compiler[R]) compare(n *ast.BinaryNode, a, b *term[R]) (*term[R], error) {
	operator := n.Operator
	if a.is == nothing || b.is == nothing {
		return isNil(n, a, b)
	}
	// What is empty is not even equal to what is empty; != is the opposite of ==.
	unequal := operator == "!="
	order := orderOf(operator)
	switch {
	case a.is == aTime || b.is == aTime:
		x, err := a.asTime()
		if err != nil {
			return nil, err
		}
		y, err := b.asTime()
		if err != nil {
			return nil, err
		}
		return condition(func(row *R) bool {
			s, t := x(row), y(row)
			if s == 0 || t == 0 {
				return unequal
			}
			return order.holds(cmp.Compare(s, t))
		}), nil
	case a.is != b.is:
		return nil, wrong(n, "%v and %v cannot be compared", a.is, b.is)
	case a.is == aNumber:
		x, y := a.number, b.number
		if b.literal {
			fixed := y(nil)
			y = func(*R) number { return fixed }
		}
		return condition(func(row *R) bool {
			s, t := x(row), y(row)
			if s.is == emptyCell || t.is == emptyCell {
				return unequal
			}
			return order.holds(compareNumbers(s, t))
		}), nil
	case a.is == aText:
		x, y := a.text, b.text
		switch operator {
		case "==":
			return condition(func(row *R) bool { return x(row) == y(row) }), nil
		case "!=":
			return condition(func(row *R) bool { return x(row) != y(row) }), nil
		}
		return condition(func(row *R) bool { return order.holds(strings.Compare(x(row), y(row))) }), nil
	case a.is == aCondition && (operator == "==" || unequal):
		x, y := a.condition, b.condition
		return condition(func(row *R) bool {
			known := (a.empty == nil || !a.empty(row)) && (b.empty == nil || !b.empty(row))
			return (known && x(row) == y(row)) != unequal
		}), nil
	}
	return nil, wrong(n, "%q does not compare %v with %v", operator, a.is, b.is)
}

// isNil compiles the question whether something is empty.
func isNil[R any](n *ast.BinaryNode, a, b *term[R]) (*term[R], error) {
	if a.is == nothing {
		a = b
	}
	switch {
	case n.Operator != "==" && n.Operator != "!=":
		return nil, wrong(n, "nothing is less or more than nil; write == nil or != nil")
	case a.empty == nil:
		return nil, wrong(a.at, "this is never empty")
	}
	is := n.Operator == "=="
	return condition(func(row *R) bool { return a.empty(row) == is }), nil
}

// compareNumbers compares two that are known.
func compareNumbers(a, b number) int {
	if a.is == intCell && b.is == intCell {
		return cmp.Compare(a.n, b.n)
	}
	return cmp.Compare(a.float(), b.float())
}

// asTime gives a time, also of one in quotes.
func (t *term[R]) asTime() (func(*R) int64, error) {
	if t.is == aTime {
		return t.time, nil
	}
	if t.is != aText || !t.literal {
		return nil, wrong(t.at, `a time is compared with one in quotes, such as "2026-11-22" or "2026-11-22T12:00:00Z"`)
	}
	ms, ok := parseTime(t.text(nil))
	if !ok {
		return nil, wrong(t.at, `%q is no time; write it as "2026-11-22", "2026-11-22T12:00" or "2026-11-22T12:00:00Z"`, t.text(nil))
	}
	return func(*R) int64 { return ms }, nil
}

// parseTime reads a date or a time by RFC 3339, whose end may be missing, in
// UTC unless it says otherwise.
func parseTime(s string) (ms int64, ok bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, strings.Replace(s, " ", "T", 1)); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

// in compiles the operator with a list in brackets, a range, or a column that
// holds a list.
func (c *compiler[R]) in(n *ast.BinaryNode) (*term[R], error) {
	left, err := c.compile(n.Left)
	if err != nil {
		return nil, err
	}
	switch right := n.Right.(type) {
	case *ast.ArrayNode:
		return c.inValues(left, right)
	case *ast.BinaryNode:
		if right.Operator == ".." {
			return c.inRange(left, right)
		}
	}
	right, err := c.compile(n.Right)
	if err != nil {
		return nil, err
	}
	if right.is != aList {
		hint := ""
		if right.is == aText {
			hint = "; whether text holds other text is told by contains"
		}
		return nil, wrong(right.at, `"in" is followed by a list, such as ["failed", "blocked"], not by %v%s`, right.is, hint)
	}
	list := right.list
	if right.items == FieldText {
		text, err := left.asText("in")
		if err != nil {
			return nil, err
		}
		return condition(func(row *R) bool {
			s := text(row)
			return slices.ContainsFunc(list(row), func(item string) bool { return clean(item) == s })
		}), nil
	}
	x, err := left.asNumber("in")
	if err != nil {
		return nil, err
	}
	items := right.items
	return condition(func(row *R) bool {
		s := x(row)
		return s.is != emptyCell && slices.ContainsFunc(list(row), func(item string) bool {
			t := itemNumber(item, items)
			return t.is != emptyCell && compareNumbers(s, t) == 0
		})
	}), nil
}

func itemNumber(item string, of FieldType) number {
	if of == FieldInt {
		if n, known := parseInt(item); known {
			return intNumber(n)
		}
	} else if x, known := parseFloat(item); known {
		return floatNumber(x)
	}
	return number{is: emptyCell}
}

func (c *compiler[R]) inValues(left *term[R], list *ast.ArrayNode) (*term[R], error) {
	texts, numbers, times := map[string]bool{}, []number(nil), []int64(nil)
	for _, node := range list.Nodes {
		item, err := c.compile(node)
		if err != nil {
			return nil, err
		}
		switch {
		case !item.literal || item.is != aText && item.is != aNumber:
			return nil, wrong(node, "a list is made of numbers, or of text in quotes")
		case left.is == aTime:
			at, err := item.asTime()
			if err != nil {
				return nil, err
			}
			times = append(times, at(nil))
		case item.is != left.is:
			return nil, wrong(node, "%v and %v cannot be compared", left.is, item.is)
		case item.is == aText:
			texts[item.text(nil)] = true
		default:
			numbers = append(numbers, item.number(nil))
		}
	}
	switch left.is {
	case aText:
		return condition(func(row *R) bool { return texts[left.text(row)] }), nil
	case aNumber:
		return condition(func(row *R) bool {
			s := left.number(row)
			return s.is != emptyCell && slices.ContainsFunc(numbers, func(t number) bool { return compareNumbers(s, t) == 0 })
		}), nil
	case aTime:
		return condition(func(row *R) bool {
			at := left.time(row)
			return at != 0 && slices.Contains(times, at)
		}), nil
	}
	return nil, wrong(left.at, `"in" looks for text, a number or a time, not for %v`, left.is)
}

func (c *compiler[R]) inRange(left *term[R], bounds *ast.BinaryNode) (*term[R], error) {
	x, err := left.asNumber("in")
	if err != nil {
		return nil, err
	}
	var limits [2]number
	for i, node := range []ast.Node{bounds.Left, bounds.Right} {
		limit, err := c.compile(node)
		if err != nil {
			return nil, err
		}
		if !limit.literal || limit.is != aNumber {
			return nil, wrong(node, "a range is made of two numbers: 400..499")
		}
		limits[i] = limit.number(nil)
	}
	return condition(func(row *R) bool {
		s := x(row)
		return s.is != emptyCell && compareNumbers(s, limits[0]) >= 0 && compareNumbers(s, limits[1]) <= 0
	}), nil
}
