package export

import (
	"io"

	"pawl/storage"
)

// DuplicateColumns gives the names of the default columns of [Duplicates] in
// their order, which never changes. It has all others of [Pages] as well.
func DuplicateColumns() []string {
	return []string{"seq", "url", "duplicate_of", "content_hash", "size", "title", "canonical", "indexability", "depth", "found_on"}
}

// CheckDuplicates tells whether [Duplicates] would accept the options.
func CheckDuplicates(o Options) error {
	_, err := duplicateTable(&o)
	return err
}

func duplicateTable(o *Options) (*table[pageRow], error) {
	t := pageTable(o.Fields)
	t.name = "duplicates"
	if len(o.Columns) == 0 {
		o.Columns = DuplicateColumns()
	}
	return t, checkPages(t, *o)
}

// Duplicates writes the rows of [Pages] whose content, byte for byte, was
// fetched before from another address, which is duplicate_of. So all that have
// the same content name the same original, which is no row itself. Pages that
// are only nearly the same are not among them; see the column simhash.
func Duplicates(w io.Writer, f *storage.File, o Options) (int, error) {
	t, err := duplicateTable(&o)
	if err != nil {
		return 0, err
	}
	return writePages(w, f, o, t, 0, func(r *pageRow) bool { return r.DuplicateOf != "" })
}
