package export

import (
	"math"
)

// emptyCell is the kind of a value that is not known.
const emptyCell kind = 0xff

// value is a cell with its type, for formats that are not text. What it is made
// of stands in its batch.
type value struct {
	kind kind // textCell also for what is plain
	// bits is a number, the bits of one, 0 or 1, Unix milliseconds, or where in
	// the batch the text or the items are: the first and behind the last.
	bits uint64
}

func span(from, to int) uint64 { return uint64(from)<<32 | uint64(to) }

// batch is the values of some rows, which are copies.
type batch[R any] struct {
	columns []column[R]
	values  []value // row by row
	items   []value // of lists
	texts   []byte
	rows    int
}

func (b *batch[R]) reset() {
	b.values, b.items, b.texts, b.rows = b.values[:0], b.items[:0], b.texts[:0], 0
}

// size is about how many bytes the rows are.
func (b *batch[R]) size() int { return len(b.texts) + 8*(len(b.values)+len(b.items)) }

// text gives the text of a value, valid until the batch changes.
func (b *batch[R]) text(v value) []byte { return b.texts[v.bits>>32 : v.bits&math.MaxUint32] }

// list gives the items of a value, valid until the batch changes.
func (b *batch[R]) list(v value) []value { return b.items[v.bits>>32 : v.bits&math.MaxUint32] }

// add takes the cells of a row.
func (b *batch[R]) add(row *R) {
	for i := range b.columns {
		b.values = append(b.values, b.cell(&b.columns[i], row))
	}
	b.rows++
}

func (b *batch[R]) cell(c *column[R], row *R) value {
	switch c.kind {
	case textCell:
		if s := c.text(row); s != "" {
			return b.keep(s)
		}
	case plainCell:
		start := len(b.texts)
		if b.texts = c.plain(b.texts, row); len(b.texts) > start {
			return value{textCell, span(start, len(b.texts))}
		}
	case intCell:
		if n, known := c.integer(row); known {
			return value{intCell, uint64(n)}
		}
	case floatCell:
		if x, known := c.float(row); known {
			return value{floatCell, math.Float64bits(x)}
		}
	case boolCell:
		if is, known := c.boolean(row); known {
			v := value{kind: boolCell}
			if is {
				v.bits = 1
			}
			return v
		}
	case timeCell:
		if ms := c.time(row); ms != 0 {
			return value{timeCell, uint64(ms)}
		}
	case listCell:
		if items := c.list(row); len(items) > 0 {
			start := len(b.items)
			for _, item := range items {
				b.items = append(b.items, b.item(item, c.items))
			}
			return value{listCell, span(start, len(b.items))}
		}
	}
	return value{kind: emptyCell}
}

func (b *batch[R]) item(item string, of FieldType) value {
	switch of {
	case FieldInt:
		if n, known := parseInt(item); known {
			return value{intCell, uint64(n)}
		}
	case FieldFloat:
		if x, known := parseFloat(item); known {
			return value{floatCell, math.Float64bits(x)}
		}
	default:
		return b.keep(item)
	}
	return value{kind: emptyCell}
}

func (b *batch[R]) keep(s string) value {
	start := len(b.texts)
	b.texts = append(b.texts, clean(s)...)
	return value{textCell, span(start, len(b.texts))}
}
