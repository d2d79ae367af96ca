package export

import (
	"errors"
	"io"

	"pawl/storage"
)

// ErrNoFields is the error of [Fields] when there are none.
var ErrNoFields = errors.New("the crawl takes no fields: start it with --field NAME=SELECTOR")

// FieldColumns gives the names of the default columns of [Fields] in their
// order. It has all others of [Pages] as well.
func FieldColumns(fields []Field) []string {
	names := []string{"seq", "url"}
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return names
}

// CheckFields tells whether [Fields] would accept the options.
func CheckFields(o Options) error {
	_, err := fieldTable(&o)
	return err
}

func fieldTable(o *Options) (*table[pageRow], error) {
	if len(o.Fields) == 0 {
		return nil, ErrNoFields
	}
	t := pageTable(o.Fields)
	t.name = "fields"
	if len(o.Columns) == 0 {
		o.Columns = FieldColumns(o.Fields)
	}
	return t, checkPages(t, *o)
}

// Fields writes the rows of [Pages] where at least one of [Options].Fields
// was found, with the fields as their columns. Without any field the error is
// [ErrNoFields].
func Fields(w io.Writer, f *storage.File, o Options) (int, error) {
	t, err := fieldTable(&o)
	if err != nil {
		return 0, err
	}
	return writePages(w, f, o, t, 0, func(r *pageRow) bool {
		for i := range o.Fields {
			if len(fieldValues(&r.Record, i, o.Fields[i].Name)) > 0 {
				return true
			}
		}
		return false
	})
}
