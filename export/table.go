package export

import (
	"fmt"
	"strings"
)

// column is one column of a table whose rows are R. It has either text or
// plain.
type column[R any] struct {
	name string
	// text gives a cell with content that comes from elsewhere.
	text func(*R) string
	// plain appends a cell of digits and words of our own, which no format has
	// to quote or escape; it appends nothing when the cell is empty.
	plain func([]byte, *R) []byte
	// number tells that plain appends a number of JSON.
	number bool
}

// table is what can be exported: its columns, of which the first so many are
// the default ones.
type table[R any] struct {
	columns  []column[R]
	defaults int
	later    []string // names that are promised, but not to be had yet
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
	Known   []string // all columns of the table, those on request last
	Reason  string   // what is wrong with it
}

func (e *ColumnError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "column %q %s", e.Name, e.Reason)
	if e.Nearest != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Nearest)
	}
	b.WriteString(" The columns are " + strings.Join(e.Known, ", "))
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

func (t *table[R]) unknown(name string) error {
	for _, later := range t.later {
		if later == name {
			return &ColumnError{Name: name, Known: t.names(), Reason: "is not available yet."}
		}
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
