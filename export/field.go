package export

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pawl/storage"
)

// FieldType is what the values of a field are.
type FieldType uint8

const (
	FieldText  FieldType = iota
	FieldInt             // an integer of 64 bits
	FieldFloat           // a number
)

// String is the name of the type.
func (t FieldType) String() string {
	switch t {
	case FieldText:
		return "text"
	case FieldInt:
		return "int"
	case FieldFloat:
		return "float"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Field is a column that the user defined: what a selector found on the pages.
type Field struct {
	Name string // differs from all columns, see [IsPageColumn]
	Type FieldType
	List bool // all that was found, not only the first
}

// IsPageColumn tells whether the table of pages has a column of the name, in
// whatever capitals, for SQLite does not tell them apart; also
// one on request, so that no field may be called so.
func IsPageColumn(name string) bool {
	return slices.ContainsFunc(pageTable(nil).names(), func(column string) bool { return strings.EqualFold(column, name) })
}

// fieldColumns gives a column for each field. record gives the record of a row.
func fieldColumns[R any](fields []Field, record func(*R) *storage.Record) []column[R] {
	columns := make([]column[R], len(fields))
	for i, field := range fields {
		found := func(row *R) []string { return fieldValues(record(row), i, field.Name) }
		first := func(row *R) string {
			if values := found(row); len(values) > 0 {
				return values[0]
			}
			return ""
		}
		c := column[R]{name: field.Name}
		switch {
		case field.List:
			c.list, c.items = found, field.Type
		case field.Type == FieldInt:
			c.integer = func(row *R) (int64, bool) { return parseInt(first(row)) }
		case field.Type == FieldFloat:
			c.float = func(row *R) (float64, bool) { return parseFloat(first(row)) }
		default:
			c.text = first
		}
		columns[i] = c
	}
	return columns
}

// fieldValues gives what was found of a field, which is likely the i-th.
func fieldValues(r *storage.Record, i int, name string) []string {
	if i < len(r.Fields) && r.Fields[i].Name == name {
		return r.Fields[i].Values
	}
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return r.Fields[i].Values
		}
	}
	return nil
}

// parseInt reads a number of digits. What is none, which was kept when the
// field was of another type, is not known.
func parseInt(s string) (n int64, known bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// parseFloat reads a finite number.
func parseFloat(s string) (x float64, known bool) {
	if strings.ContainsAny(s, "_xXpP") { // of Go, not of people
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
}
