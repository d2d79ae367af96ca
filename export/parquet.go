package export

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"reflect"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// A row group ends with so many rows, which is what DuckDB makes of them, or
// so many bytes of cells: as much is held, compressed, until it can be written.
const (
	groupRows  = 122_880
	groupBytes = 32 << 20
)

// pageCodec is zstd with a window that is no larger than most pages: the
// library's own takes some 16 MB.
type pageCodec struct {
	parquetzstd.Codec
	encoder *zstd.Encoder
}

func newPageCodec() *pageCodec {
	encoder, err := zstd.NewWriter(
		nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false),
	)
	if err != nil {
		panic(fmt.Sprintf("export: %v", err)) // of options that are wrong
	}
	return &pageCodec{encoder: encoder}
}

// Encode appends nothing to dst, but makes use of its room.
func (c *pageCodec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}

// parquetRows writes a file of Parquet.
type parquetRows[R any] struct {
	batch  batch[R]
	out    *bufio.Writer // not that of the library, which does not tell when its last byte is out
	writer *parquet.GenericWriter[any]
	cells  []parquet.Value // scratch space
	rows   int             // in the row group, without those of the batch
	bytes  int             // as rows
	whole  int             // rows written
	failed error           // what a writer of Parquet that failed has to say is not to be relied on
}

func newParquetRows[R any](w io.Writer, columns []column[R], name string) *parquetRows[R] {
	out := bufio.NewWriterSize(w, sliceBytes)
	return &parquetRows[R]{
		batch: batch[R]{columns: columns},
		out:   out,
		writer: parquet.NewGenericWriter[any](
			out,
			parquet.WriteBufferSize(0),
			parquet.NewSchema(name, parquetSchema(columns)),
			parquet.Compression(newPageCodec()),
			parquet.CreatedBy("pawl", "", ""),
			parquet.DataPageStatistics(true),
			parquet.ColumnIndexSizeLimit(func([]string) int { return 64 }),
			parquet.DictionaryMaxBytes(1<<20),
		),
	}
}

// orderedGroup is a group whose fields stand in an order of ours: those of a
// parquet.Group are sorted by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g *orderedGroup) Fields() []parquet.Field { return g.fields }

// namedNode is a field of an orderedGroup.
type namedNode struct {
	parquet.Node
	name string
}

func (n *namedNode) Name() string { return n.name }

// Value is for rows that are Go values, which ours never are.
func (n *namedNode) Value(base reflect.Value) reflect.Value { return base.FieldByName(n.name) }

func parquetSchema[R any](columns []column[R]) parquet.Node {
	root := &orderedGroup{Group: parquet.Group{}}
	for i := range columns {
		c := &columns[i]
		var node parquet.Node
		switch c.kind {
		case textCell:
			node = parquet.String()
		case plainCell:
			node = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		case intCell:
			node = parquet.Int(64)
		case floatCell:
			node = parquet.Leaf(parquet.DoubleType)
		case boolCell:
			node = parquet.Leaf(parquet.BooleanType)
		case timeCell:
			node = parquet.TimestampAdjusted(parquet.Millisecond, true)
		case listCell:
			item := [...]parquet.Node{
				FieldText: parquet.String(), FieldInt: parquet.Int(64), FieldFloat: parquet.Leaf(parquet.DoubleType),
			}[c.items]
			node = parquet.List(parquet.Optional(item))
		}
		if !c.key {
			node = parquet.Optional(node)
		}
		root.Group[c.name] = node
		root.fields = append(root.fields, &namedNode{node, c.name})
	}
	return root
}

func (p *parquetRows[R]) begin() error { return nil } // the magic number comes with the first row group

func (p *parquetRows[R]) add(row *R) { p.batch.add(row) }

func (p *parquetRows[R]) waiting() int { return p.batch.size() }

func (p *parquetRows[R]) flush() error {
	if p.failed == nil {
		p.failed = p.write()
	}
	return p.failed
}

func (p *parquetRows[R]) write() error {
	if p.batch.rows == 0 {
		return nil
	}
	width := len(p.batch.columns)
	for i, w := range p.writer.ColumnWriters() {
		p.cells = p.cells[:0]
		for j := i; j < len(p.batch.values); j += width {
			p.appendCell(p.batch.values[j], i)
		}
		if _, err := w.WriteRowValues(p.cells); err != nil {
			return fmt.Errorf("column %s: %w", p.batch.columns[i].name, err)
		}
	}
	p.rows += p.batch.rows
	p.bytes += p.batch.size()
	p.batch.reset()
	if p.rows < groupRows && p.bytes < groupBytes {
		return nil
	}
	return p.endGroup()
}

func (p *parquetRows[R]) endGroup() error {
	if err := p.writer.Flush(); err != nil {
		return err
	}
	if err := p.out.Flush(); err != nil {
		return err
	}
	p.whole += p.rows
	p.rows, p.bytes = 0, 0
	return nil
}

// appendCell appends what column i holds for a row: one value, or one for each
// item of a list.
func (p *parquetRows[R]) appendCell(v value, i int) {
	// The levels tell how many of what may be missing is there: the cell
	// itself, an item of a list, its value.
	present := 1
	if p.batch.columns[i].key {
		present = 0
	}
	switch v.kind {
	case emptyCell:
		p.cells = append(p.cells, parquet.Value{}.Level(0, 0, i))
	case listCell:
		for n, item := range p.batch.list(v) {
			level := 3
			if item.kind == emptyCell {
				level = 2
			}
			p.cells = append(p.cells, p.value(item).Level(min(n, 1), level, i))
		}
	default:
		p.cells = append(p.cells, p.value(v).Level(0, present, i))
	}
}

func (p *parquetRows[R]) value(v value) parquet.Value {
	switch v.kind {
	case textCell:
		return parquet.ByteArrayValue(p.batch.text(v))
	case intCell, timeCell:
		return parquet.Int64Value(int64(v.bits))
	case floatCell:
		return parquet.DoubleValue(math.Float64frombits(v.bits))
	case boolCell:
		return parquet.BooleanValue(v.bits != 0)
	}
	return parquet.Value{}
}

func (p *parquetRows[R]) end() error {
	if p.failed == nil {
		p.failed = p.endGroup()
	}
	if p.failed == nil {
		p.failed = p.writer.Close()
	}
	if p.failed == nil {
		p.failed = p.out.Flush()
	}
	return p.failed
}

func (p *parquetRows[R]) discard()     {}
func (p *parquetRows[R]) written() int { return p.whole }
