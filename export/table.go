package export

import (
	"fmt"
	"strings"
)

// kind is what the cells of a column hold.
type kind uint8

const (
	textCell  kind = iota // text from elsewhere
	plainCell             // words and digits of our own
	intCell
	floatCell
	boolCell
	timeCell
	listCell
)

// column is one column of a table whose rows are R. Exactly one of its
// functions is set, which makes it the definition for every format and for the
// filter. What a function gives has to stay valid until the row is done with
// only: who keeps it makes a copy.
type column[R any] struct {
	name string
	// text gives a cell with content that comes from elsewhere; empty is an
	// empty cell.
	text func(*R) string
	// plain appends a cell of words and digits of our own, which no format has
	// to quote or escape; it appends nothing when the cell is empty.
	plain func([]byte, *R) []byte
	// integer, float and boolean give a cell and tell whether it is known: if
	// not, it is empty.
	integer func(*R) (n int64, known bool)
	float   func(*R) (x float64, known bool)
	boolean func(*R) (is, known bool)
	// time gives Unix milliseconds, 0 for an empty cell.
	time func(*R) int64
	// list gives the items of a cell as text, of the type items. None is an
	// empty cell; an item that is not of the type is an empty item.
	list  func(*R) []string
	items FieldType

	// What SQLite should know.
	key     bool // each row has another value, and none is empty: an integer
	indexed bool // rows are looked for by it

	kind kind // which function is set; table.complete sees to it
}

// kindOf tells which function is set, and whether it is exactly one.
func (c *column[R]) kindOf() (kind, bool) {
	var k kind
	n := 0
	for i, set := range [...]bool{
		textCell: c.text != nil, plainCell: c.plain != nil, intCell: c.integer != nil, floatCell: c.float != nil,
		boolCell: c.boolean != nil, timeCell: c.time != nil, listCell: c.list != nil,
	} {
		if set {
			k = kind(i)
			n++
		}
	}
	return k, n == 1
}

// table is what can be exported: its columns, of which the first so many are
// the default ones. It is made anew for each export.
type table[R any] struct {
	name     string // of the table in a SQLite file
	columns  []column[R]
	defaults int
	// filtered are the columns that a filter may name; nil: all.
	filtered []column[R]
	// refused tells why a column is missing that is elsewhere, as the end of a
	// sentence that begins with its name; empty: there is none. It may be nil.
	refused func(name string) string
}

// complete fills in what follows from the definitions, and refuses a name that
// two columns have.
func (t *table[R]) complete() error {
	taken := make(map[string]bool, len(t.columns))
	for i := range t.columns {
		name := t.columns[i].name
		if taken[name] {
			return &ColumnError{Name: name, Known: t.names(), Reason: "is there twice."}
		}
		taken[name] = true
	}
	for _, columns := range [][]column[R]{t.columns, t.filtered} {
		for i := range columns {
			var one bool
			if columns[i].kind, one = columns[i].kindOf(); !one {
				panic("export: column " + columns[i].name + " must have one function")
			}
		}
	}
	return nil
}

func (t *table[R]) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// ColumnError is a name in [Options].Columns that cannot be had.
type ColumnError struct {
	Name    string
	Nearest string   // the column that was probably meant, empty: none is near
	Known   []string // all columns of the table, those on request last; none: no columns can be chosen
	Reason  string   // what is wrong with it
}

func (e *ColumnError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "column %q %s", e.Name, e.Reason)
	if e.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Nearest)
	}
	if len(e.Known) > 0 {
		b.WriteString(" The columns are " + strings.Join(e.Known, ", "))
	}
	return b.String()
}

// choose gives the columns with the names, or the default ones.
func (t *table[R]) choose(names []string) ([]column[R], error) {
	if len(names) == 0 {
		return t.columns[:t.defaults], nil
	}
	byName := make(map[string]int, len(t.columns))
	for i, c := range t.columns {
		byName[c.name] = i
	}
	chosen := make([]column[R], 0, min(len(names), len(t.columns)))
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		i, ok := byName[name]
		switch {
		case !ok:
			return nil, t.unknown(name)
		case taken[name]:
			// A JSON object cannot hold it twice.
			return nil, &ColumnError{Name: name, Known: t.names(), Reason: "is named twice."}
		}
		taken[name] = true
		chosen = append(chosen, t.columns[i])
	}
	return chosen, nil
}

// why tells why a column is missing that is elsewhere, see refused.
func (t *table[R]) why(name string) string {
	if t.refused == nil {
		return ""
	}
	return t.refused(name)
}

func (t *table[R]) unknown(name string) error {
	if why := t.why(name); why != "" {
		return &ColumnError{Name: name, Known: t.names(), Reason: why + "."}
	}
	e := &ColumnError{Name: name, Known: t.names(), Reason: "is unknown"}
	e.Nearest = nearest(name, e.Known)
	if e.Nearest == "" {
		e.Reason += "."
	}
	return e
}

// nearest gives the name that is a few typing errors away, empty when none is.
func nearest(name string, names []string) string {
	const longest = 40 // no name is longer, and the distance is quadratic
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(strings.TrimSpace(name))
	best, least := "", len(name)/3+2
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace that make b of
// a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
