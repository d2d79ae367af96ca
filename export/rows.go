package export

import (
	"fmt"
	"io"
	"strings"
)

// rows writes the rows of a table in the format that the options name, those
// that pass the filter of [Options].Where.
//
// A function that exports a table makes one by table.rows, which checks the
// options, calls begin, row for each row in order, and end:
//
//	out, err := someTable(o).rows(w, o)
//	if err != nil {
//		return 0, err
//	}
//	last, err := end(f)
//	if err != nil {
//		return 0, err
//	}
//	if err := out.begin(); err != nil {
//		return 0, err
//	}
//	err = walk(f, last, o.pacing(), func(seq uint64, event []byte) (bool, error) {
//		…
//		return out.row(&row)
//	}, out.flush)
//	return out.end(err)
//
// What is begun has to end: end removes what a format made on the way.
//
// row writes nothing, so that it may be called while a transaction of the crawl
// file is open; begin, flush and end do, and must not be: the reader of a pipe
// may not read for an hour. What row is given has to be valid during the call
// only. row returns room false when enough waits to be written: the transaction
// should end and flush be called. A row more is no harm.
//
// What appends to a file that has its header calls no begin, and no end but a
// last flush; only formats that append can be written so.
type rows[R any] struct {
	out    encoding[R]
	wanted func(*R) bool // nil: all rows
}

// encoding is what a format does with rows.
type encoding[R any] interface {
	// begin writes what stands before the first row.
	begin() error
	// add takes a row and writes nothing.
	add(*R)
	// waiting tells how many bytes, or about so many, flush would write.
	waiting() int
	flush() error
	// end writes what stands behind the last row.
	end() error
	// discard frees what is held, also after end.
	discard()
	// written is the number of rows that were handed to the writer whole.
	written() int
}

// check tells whether the table can be exported with the options, and gives the
// columns.
func (t *table[R]) check(o Options) ([]column[R], error) {
	if o.Format >= formats {
		return nil, fmt.Errorf("unknown %v", o.Format)
	}
	if !(o.Rest >= 0 && o.Rest <= maxRest) { // nor is it NaN
		return nil, fmt.Errorf("a rest of %v, must be from 0 to %d", o.Rest, maxRest)
	}
	if err := t.complete(); err != nil {
		return nil, err
	}
	columns, err := t.choose(o.Columns)
	if err != nil {
		return nil, err
	}
	if o.Format == SQLite {
		if err := t.distinct(columns); err != nil {
			return nil, err
		}
	}
	if o.Where != "" {
		if _, err := t.filter(o.Where); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// distinct refuses two names that SQLite takes for one.
func (t *table[R]) distinct(columns []column[R]) error {
	taken := make(map[string]string, len(columns))
	for i := range columns {
		name := columns[i].name
		if other, ok := taken[strings.ToLower(name)]; ok {
			return &ColumnError{
				Name: name, Known: t.names(), Reason: fmt.Sprintf("and %q differ by the case of letters only, which SQLite takes for the same.", other),
			}
		}
		taken[strings.ToLower(name)] = name
	}
	return nil
}

// accepts is the error that rows would give for the options.
func (t *table[R]) accepts(o Options) error {
	_, err := t.check(o)
	return err
}

// rows gives a writer of rows; nothing has been written yet.
func (t *table[R]) rows(w io.Writer, o Options) (*rows[R], error) {
	columns, err := t.check(o)
	if err != nil {
		return nil, err
	}
	r := &rows[R]{}
	if o.Where != "" {
		if r.wanted, err = t.filter(o.Where); err != nil {
			return nil, err
		}
	}
	switch o.Format {
	case Parquet:
		r.out = newParquetRows(w, columns, t.name)
	case SQLite:
		r.out = newSQLiteRows(w, columns, t.name, o.TempDir)
	default:
		r.out = &lines[R]{w: w, encoder: newEncoder(columns, o)}
	}
	return r, nil
}

func (r *rows[R]) begin() error {
	err := r.out.begin()
	if err != nil {
		r.out.discard()
	}
	return err
}

func (r *rows[R]) row(row *R) (room bool, err error) {
	if r.wanted != nil && !r.wanted(row) {
		return true, nil
	}
	r.out.add(row)
	return r.out.waiting() < sliceBytes, nil
}

func (r *rows[R]) flush() error { return r.out.flush() }

// end gives what the export returns. Unless the rows ended with an error, it
// writes what is left.
func (r *rows[R]) end(err error) (written int, _ error) {
	defer r.out.discard()
	if err == nil {
		err = r.out.flush()
	}
	if err == nil {
		err = r.out.end()
	}
	return r.out.written(), err
}

// lines writes the formats of text.
type lines[R any] struct {
	w       io.Writer
	encoder *encoder[R]
	buf     []byte
	rows    int // in buf
	whole   int // rows written
}

func (l *lines[R]) begin() error {
	l.buf = l.encoder.appendHeader(l.buf)
	return l.flush()
}

func (l *lines[R]) add(row *R) {
	l.buf = l.encoder.appendRow(l.buf, row)
	l.rows++
}

func (l *lines[R]) waiting() int { return len(l.buf) }

func (l *lines[R]) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	if _, err := l.w.Write(l.buf); err != nil {
		return err
	}
	l.whole += l.rows
	l.buf, l.rows = l.buf[:0], 0
	return nil
}

func (l *lines[R]) end() error   { return nil }
func (l *lines[R]) discard()     {}
func (l *lines[R]) written() int { return l.whole }
