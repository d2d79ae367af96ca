package export

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What a byte of text means to a format.
const (
	replace byte = 1 << iota // NUL: not to be written at all
	high                     // part of a character beyond ASCII, or of none
	special                  // makes CSV quote the cell, is escaped in JSON
)

// encoder makes the lines of a table in a format of text: CSV, TSV or JSON
// Lines.
type encoder[R any] struct {
	columns []column[R]
	format  Format
	comma   byte
	guard   bool
	keys    []string // JSON: what stands before the value of each column
	classes [256]byte
	joined  []byte // scratch space of lists
}

// encoder checks the options: nothing has been written when it fails.
func (t *table[R]) encoder(o Options) (*encoder[R], error) {
	columns, err := t.check(o)
	if err != nil {
		return nil, err
	}
	if !o.Format.Appends() {
		return nil, fmt.Errorf("%v is no format of lines", o.Format)
	}
	return newEncoder(columns, o), nil
}

func newEncoder[R any](columns []column[R], o Options) *encoder[R] {
	e := &encoder[R]{columns: columns, format: o.Format, comma: ',', guard: !o.Raw}
	for c := utf8.RuneSelf; c < len(e.classes); c++ {
		e.classes[c] = high
	}
	specials := "\",\r\n"
	switch o.Format {
	case TSV:
		e.comma, specials = '\t', "\"\t\r\n"
	case JSONL:
		specials = `"\`
		for c := range byte(' ') {
			e.classes[c] = special
		}
	}
	for _, c := range []byte(specials) {
		e.classes[c] = special
	}
	e.classes[0] = replace
	if o.Format == JSONL {
		start := byte('{')
		for _, c := range columns {
			e.keys = append(e.keys, string(append(e.appendString([]byte{start}, c.name), ':')))
			start = ','
		}
	}
	return e
}

// appendHeader appends the line with the names of the columns, which JSON
// Lines has not.
func (e *encoder[R]) appendHeader(dst []byte) []byte {
	if e.format == JSONL {
		return dst
	}
	for i, c := range e.columns {
		if i > 0 {
			dst = append(dst, e.comma)
		}
		dst = e.appendCell(dst, c.name)
	}
	return append(dst, "\r\n"...)
}

func (e *encoder[R]) appendRow(dst []byte, row *R) []byte {
	if e.format == JSONL {
		return e.appendObject(dst, row)
	}
	start := len(dst)
	for i := range e.columns {
		if i > 0 {
			dst = append(dst, e.comma)
		}
		c := &e.columns[i]
		switch c.kind {
		case textCell:
			dst = e.appendCell(dst, c.text(row))
		case plainCell:
			dst = c.plain(dst, row)
		case intCell:
			if n, known := c.integer(row); known {
				dst = strconv.AppendInt(dst, n, 10)
			}
		case floatCell:
			if x, known := c.float(row); known {
				dst = appendFloat(dst, x)
			}
		case boolCell:
			if is, known := c.boolean(row); known {
				dst = strconv.AppendBool(dst, is)
			}
		case timeCell:
			dst = appendTime(dst, c.time(row))
		case listCell:
			dst = e.appendJoined(dst, c.list(row), c.items)
		}
	}
	if len(dst) == start {
		dst = append(dst, `""`...) // readers pass over an empty line
	}
	return append(dst, "\r\n"...)
}

func (e *encoder[R]) appendObject(dst []byte, row *R) []byte {
	for i := range e.columns {
		c := &e.columns[i]
		dst = append(dst, e.keys[i]...)
		start := len(dst)
		switch c.kind {
		case textCell:
			if s := c.text(row); s != "" {
				dst = e.appendString(dst, s)
			}
		case plainCell:
			dst = append(dst, '"')
			if dst = c.plain(dst, row); len(dst) > start+1 {
				dst = append(dst, '"')
			} else {
				dst = dst[:start]
			}
		case intCell:
			if n, known := c.integer(row); known {
				dst = strconv.AppendInt(dst, n, 10)
			}
		case floatCell:
			if x, known := c.float(row); known {
				dst = appendFloat(dst, x)
			}
		case boolCell:
			if is, known := c.boolean(row); known {
				dst = strconv.AppendBool(dst, is)
			}
		case timeCell:
			if ms := c.time(row); ms != 0 {
				dst = append(dst, '"')
				dst = append(appendTime(dst, ms), '"')
			}
		case listCell:
			dst = e.appendArray(dst, c.list(row), c.items)
		}
		if len(dst) == start {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, "}\n"...)
}

// appendJoined appends the items of a list as one cell of CSV or TSV.
func (e *encoder[R]) appendJoined(dst []byte, items []string, of FieldType) []byte {
	joined := e.joined[:0]
	for i, item := range items {
		if i > 0 {
			joined = append(joined, '|')
		}
		if of == FieldText {
			joined = append(joined, item...)
		} else {
			joined = appendNumber(joined, item, of)
		}
	}
	e.joined = joined
	if of != FieldText {
		return append(dst, joined...)
	}
	return e.appendCell(dst, string(joined))
}

// appendArray appends the items of a list as an array of JSON, nothing when
// there are none.
func (e *encoder[R]) appendArray(dst []byte, items []string, of FieldType) []byte {
	if len(items) == 0 {
		return dst
	}
	separator := byte('[')
	for _, item := range items {
		dst = append(dst, separator)
		separator = ','
		start := len(dst)
		if of == FieldText {
			dst = e.appendString(dst, item)
		} else if dst = appendNumber(dst, item, of); len(dst) == start {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, ']')
}

// appendNumber appends an item of a list of numbers, nothing when it is none.
func appendNumber(dst []byte, item string, of FieldType) []byte {
	if of == FieldInt {
		if n, known := parseInt(item); known {
			return strconv.AppendInt(dst, n, 10)
		}
	} else if x, known := parseFloat(item); known {
		return appendFloat(dst, x)
	}
	return dst
}

// appendFloat appends a number that is finite, in the shortest form that gives
// it back, which is one of JSON's.
func appendFloat(dst []byte, x float64) []byte {
	if size := math.Abs(x); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(dst, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, x, 'f', -1, 64)
}

// found gives the classes of all bytes of s together.
func (e *encoder[R]) found(s string) byte {
	var found byte
	for ; len(s) >= 8; s = s[8:] { // a third less time than one by one
		found |= e.classes[s[0]] | e.classes[s[1]] | e.classes[s[2]] | e.classes[s[3]] |
			e.classes[s[4]] | e.classes[s[5]] | e.classes[s[6]] | e.classes[s[7]]
	}
	for i := range len(s) {
		found |= e.classes[s[i]]
	}
	return found
}

// appendCell appends a cell of CSV or TSV.
func (e *encoder[R]) appendCell(dst []byte, s string) []byte {
	if s == "" {
		return dst
	}
	found := e.found(s)
	if found&(replace|high) != 0 {
		s = clean(s)
	}
	quoted := found&special != 0
	if quoted {
		dst = append(dst, '"')
	}
	if e.guard && formula(s[0]) {
		dst = append(dst, '\'')
	}
	if !quoted {
		return append(dst, s...)
	}
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		dst = append(dst, s[:i+1]...)
		dst = append(dst, '"')
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

// formula tells whether a spreadsheet may run a cell that starts with the byte.
func formula(c byte) bool {
	switch c {
	case '=', '+', '-', '@', '\t', '\r':
		return true
	}
	return false
}

// appendString appends a string of JSON.
func (e *encoder[R]) appendString(dst []byte, s string) []byte {
	found := e.found(s)
	if found&(replace|high) != 0 {
		s = clean(s)
	}
	dst = append(dst, '"')
	if found&(special|high) == 0 {
		dst = append(dst, s...)
		return append(dst, '"')
	}
	const digits = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case e.classes[c]&special != 0:
			dst = append(dst, s[start:i]...)
			start = i + 1
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, `\u00`...)
				dst = append(dst, digits[c>>4], digits[c&15])
			}
		case c == 0xE2 && s[i+1] == 0x80 && s[i+2]|1 == 0xA9:
			// U+2028 and U+2029 end a line for readers that go by Unicode.
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, digits[s[i+2]&15])
			i += 2
			start = i + 1
		case c == 0xC2 && s[i+1] == 0x85: // U+0085 does as well
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u0085`...)
			i++
			start = i + 1
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// clean gives s with U+FFFD for each NUL and each byte that is not UTF-8.
func clean(s string) string {
	if utf8.ValidString(s) {
		return strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	var b strings.Builder
	b.Grow(len(s) + 2*utf8.UTFMax)
	for _, r := range s {
		if r == 0 {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// appendTime appends a time in Unix milliseconds, nothing for 0.
func appendTime(dst []byte, ms int64) []byte {
	if ms == 0 {
		return dst
	}
	t := time.UnixMilli(ms).UTC()
	dst = t.AppendFormat(dst, time.RFC3339) // much faster than any other layout
	thousandths := t.Nanosecond() / 1e6
	dst = append(dst[:len(dst)-1], '.', '0'+byte(thousandths/100), '0'+byte(thousandths/10%10), '0'+byte(thousandths%10))
	return append(dst, 'Z')
}
