package storage

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"
)

// Reading is done by hand, see Record.decode.
//
//msgp:unmarshal ignore Record
//msgp:tuple Field
//msgp:unmarshal ignore Field
//go:generate go run github.com/tinylib/msgp@v1.6.5 -file record.go -o record_gen.go -io=false -tests=false

// Record is what is kept of a finished job beside what its Visit holds. Fields
// that are empty take no space, and a reader skips keys it does not know, so
// that fields can be added.
type Record struct {
	FoundAt         int64   `msg:"fa,omitempty"` // Unix milliseconds
	Anchor          string  `msg:"an,omitempty"`
	Kind            uint8   `msg:"k,omitempty"` // page.Kind of the link that found it
	Error           string  `msg:"e,omitempty"`
	ContentType     string  `msg:"ct,omitempty"`
	Charset         string  `msg:"cs,omitempty"`
	Language        string  `msg:"la,omitempty"`
	Title           string  `msg:"t,omitempty"`
	MetaDescription string  `msg:"d,omitempty"`
	H1              string  `msg:"h,omitempty"`
	MetaRobots      string  `msg:"mr,omitempty"`
	XRobotsTag      string  `msg:"xr,omitempty"`
	NoIndex         bool    `msg:"ni,omitempty"`
	Outlinks        uint32  `msg:"ol,omitempty"`
	Size            int64   `msg:"sz,omitempty"` // decoded bytes
	Truncated       bool    `msg:"tr,omitempty"` // the body was cut at its limit
	WordCount       uint32  `msg:"wc,omitempty"`
	SimHash         uint64  `msg:"sh,omitempty"` // of the text, see page.Page
	Ignored         uint32  `msg:"ig,omitempty"` // links that are neither http nor https
	Malformed       uint32  `msg:"mf,omitempty"` // links that are no address
	LastModified    string  `msg:"lm,omitempty"`
	ETag            string  `msg:"et,omitempty"`
	TTFB            uint32  `msg:"tb,omitempty"` // milliseconds
	HTTPVersion     string  `msg:"hv,omitempty"`
	IP              string  `msg:"ip,omitempty"`
	Worker          uint16  `msg:"w,omitempty"`
	Archive         uint32  `msg:"ar,omitempty"` // tells which archive holds the exchange; 0: none
	Fields          []Field `msg:"f,omitempty"`  // what the user's selectors found
	FieldsError     string  `msg:"fe,omitempty"` // why they could not all be tried
}

// Field is what a selector of the user found on a page.
type Field struct {
	Name   string   `msg:"n"`
	Values []string `msg:"v"`
}

// appendTo writes the record behind its length.
func (r *Record) appendTo(dst []byte) []byte {
	// The length stands before the value and is known after it: room is left
	// for two bytes, which is what nearly all records need.
	at := len(dst)
	dst = append(dst, 0, 0)
	dst, _ = r.MarshalMsg(dst) // fails only for types that Record has not
	n := len(dst) - at - 2
	if n < 1<<14 {
		dst[at], dst[at+1] = byte(n)|0x80, byte(n>>7)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(length[:], uint64(n))
	return slices.Replace(dst, at, at+2, length[:k]...)
}

// decode reads a record that is in a memory of its own: all texts are parts of
// it, where the code that msgp would generate makes a copy of each. Keys that
// are unknown are passed over.
func (r *Record) decode(from *reader) {
	b := from.bytes()
	if from.err != nil {
		return
	}
	var key []byte
	fields, b, err := msgp.ReadMapHeaderBytes(b)
	for ; fields > 0 && err == nil; fields-- {
		if key, b, err = msgp.ReadMapKeyZC(b); err != nil {
			break
		}
		switch string(key) {
		case "fa":
			r.FoundAt, b, err = msgp.ReadInt64Bytes(b)
		case "an":
			r.Anchor, b, err = readText(b)
		case "k":
			r.Kind, b, err = msgp.ReadUint8Bytes(b)
		case "e":
			r.Error, b, err = readText(b)
		case "ct":
			r.ContentType, b, err = readText(b)
		case "cs":
			r.Charset, b, err = readText(b)
		case "la":
			r.Language, b, err = readText(b)
		case "t":
			r.Title, b, err = readText(b)
		case "d":
			r.MetaDescription, b, err = readText(b)
		case "h":
			r.H1, b, err = readText(b)
		case "mr":
			r.MetaRobots, b, err = readText(b)
		case "xr":
			r.XRobotsTag, b, err = readText(b)
		case "ni":
			r.NoIndex, b, err = msgp.ReadBoolBytes(b)
		case "ol":
			r.Outlinks, b, err = msgp.ReadUint32Bytes(b)
		case "sz":
			r.Size, b, err = msgp.ReadInt64Bytes(b)
		case "tr":
			r.Truncated, b, err = msgp.ReadBoolBytes(b)
		case "wc":
			r.WordCount, b, err = msgp.ReadUint32Bytes(b)
		case "sh":
			r.SimHash, b, err = msgp.ReadUint64Bytes(b)
		case "ig":
			r.Ignored, b, err = msgp.ReadUint32Bytes(b)
		case "mf":
			r.Malformed, b, err = msgp.ReadUint32Bytes(b)
		case "lm":
			r.LastModified, b, err = readText(b)
		case "et":
			r.ETag, b, err = readText(b)
		case "tb":
			r.TTFB, b, err = msgp.ReadUint32Bytes(b)
		case "hv":
			r.HTTPVersion, b, err = readText(b)
		case "ip":
			r.IP, b, err = readText(b)
		case "w":
			r.Worker, b, err = msgp.ReadUint16Bytes(b)
		case "ar":
			r.Archive, b, err = msgp.ReadUint32Bytes(b)
		case "f":
			r.Fields, b, err = readFields(b)
		case "fe":
			r.FieldsError, b, err = readText(b)
		default:
			b, err = msgp.Skip(b)
		}
	}
	if err != nil {
		from.fail(fmt.Sprintf("page record: %q: %v", key, err))
	}
}

// readText reads a string that is a part of b.
func readText(b []byte) (s string, rest []byte, err error) {
	text, rest, err := msgp.ReadStringZC(b)
	return textOf(text), rest, err
}

func readFields(b []byte) (fields []Field, rest []byte, err error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	for ; n > 0 && err == nil; n-- {
		var f Field
		var parts, values uint32
		if parts, b, err = msgp.ReadArrayHeaderBytes(b); err != nil {
			break
		}
		if parts != 2 {
			return nil, b, msgp.ArrayError{Wanted: 2, Got: parts}
		}
		if f.Name, b, err = readText(b); err != nil {
			break
		}
		if values, b, err = msgp.ReadArrayHeaderBytes(b); err != nil {
			break
		}
		for ; values > 0 && err == nil; values-- {
			var v string
			v, b, err = readText(b)
			f.Values = append(f.Values, v)
		}
		fields = append(fields, f)
	}
	return fields, b, err
}
