package export

import (
	"fmt"
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

// encoder writes the rows of a table in one format.
type encoder[R any] struct {
	columns []column[R]
	format  Format
	comma   byte
	guard   bool
	keys    []string // JSON: what stands before the value of each column
	classes [256]byte
}

// encoder checks the options: nothing has been written when it fails.
func (t *table[R]) encoder(o Options) (*encoder[R], error) {
	if o.Format >= formats {
		return nil, fmt.Errorf("unknown %v", o.Format)
	}
	if !(o.Rest >= 0 && o.Rest <= maxRest) { // nor is it NaN
		return nil, fmt.Errorf("a rest of %v, must be from 0 to %d", o.Rest, maxRest)
	}
	columns, err := t.choose(o.Columns)
	if err != nil {
		return nil, err
	}
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
	return e, nil
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
		if c.text != nil {
			dst = e.appendCell(dst, c.text(row))
		} else {
			dst = c.plain(dst, row)
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
		if c.text != nil {
			if s := c.text(row); s != "" {
				dst = e.appendString(dst, s)
			} else {
				dst = append(dst, "null"...)
			}
			continue
		}
		start := len(dst)
		if !c.number {
			dst = append(dst, '"')
		}
		value := len(dst)
		dst = c.plain(dst, row)
		switch {
		case len(dst) == value:
			dst = append(dst[:start], "null"...)
		case !c.number:
			dst = append(dst, '"')
		}
	}
	return append(dst, "}\n"...)
}

// found gives the classes of all bytes of s together.
func (e *encoder[R]) found(s string) byte {
	var found byte
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
