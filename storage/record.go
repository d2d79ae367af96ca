package storage

import (
	"encoding/binary"
	"slices"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file record.go -o record_gen.go -io=false -tests=false

// Record is what is kept of a finished job beside what its Visit holds. Fields
// that are empty take no space, and a reader skips keys it does not know, so
// that fields can be added.
type Record struct {
	FoundAt         int64  `msg:"fa,omitempty"` // Unix milliseconds
	Anchor          string `msg:"an,omitempty"`
	Kind            uint8  `msg:"k,omitempty"` // page.Kind of the link that found it
	Error           string `msg:"e,omitempty"`
	ContentType     string `msg:"ct,omitempty"`
	Charset         string `msg:"cs,omitempty"`
	Language        string `msg:"la,omitempty"`
	Title           string `msg:"t,omitempty"`
	MetaDescription string `msg:"d,omitempty"`
	H1              string `msg:"h,omitempty"`
	MetaRobots      string `msg:"mr,omitempty"`
	XRobotsTag      string `msg:"xr,omitempty"`
	NoIndex         bool   `msg:"ni,omitempty"`
	Outlinks        uint32 `msg:"ol,omitempty"`
	Size            int64  `msg:"sz,omitempty"` // decoded bytes
	Truncated       bool   `msg:"tr,omitempty"` // the body was cut at its limit
	ContentHash     []byte `msg:"ch,omitempty"` // XXH3-128 of the decoded body
	WordCount       uint32 `msg:"wc,omitempty"`
	LastModified    string `msg:"lm,omitempty"`
	ETag            string `msg:"et,omitempty"`
	TTFB            uint32 `msg:"tb,omitempty"` // milliseconds
	HTTPVersion     string `msg:"hv,omitempty"`
	IP              string `msg:"ip,omitempty"`
	Worker          uint16 `msg:"w,omitempty"`
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

func (r *Record) decode(from *reader) {
	b := from.bytes()
	if from.err != nil {
		return
	}
	if _, err := r.UnmarshalMsg(b); err != nil {
		from.fail("page record: " + err.Error())
	}
}
