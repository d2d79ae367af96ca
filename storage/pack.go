package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Packer compresses what is kept of visits. It may be used concurrently.
type Packer struct{ zstd *zstd.Encoder }

// packWindow is how far back a repetition is found, in bytes: it bounds what an
// encoder takes.
const packWindow = 1 << 20

// NewPacker makes a Packer.
func NewPacker() (*Packer, error) {
	// The fastest level: a page's links take 15 µs and a third of their size
	// (docs/benchmarks.md).
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(packWindow))
	if err != nil {
		return nil, err
	}
	return &Packer{z}, nil
}

// Links is what is kept of the links of the page at the address base.
func (p *Packer) Links(base string, links []PageLink) Kept {
	return Kept{KeepLinks, p.zstd.EncodeAll(AppendLinks(nil, base, links), nil)}
}

// Body is an exchange as it is kept. Request and Response are the heads, as
// text of HTTP/1.1 with an empty line at the end; Content is the decoded body,
// unless the visit First had the same.
type Body struct {
	Request  []byte
	Response []byte
	First    uint64 // seq of the visit that has the content; 0: this one
	Content  []byte
}

// Body is what is kept of an exchange: seq of the visit with the same content
// or 0, then compressed: length of the request's head, it, the same of the
// response, and the body.
func (p *Packer) Body(b *Body) Kept {
	raw := make([]byte, 0, len(b.Request)+len(b.Response)+len(b.Content)+2*binary.MaxVarintLen64)
	raw = appendString(raw, string(b.Request))
	raw = appendString(raw, string(b.Response))
	raw = append(raw, b.Content...)
	return Kept{KeepBody, p.zstd.EncodeAll(raw, binary.AppendUvarint(nil, b.First))}
}

// maxKept bounds what is kept of a visit when it is unpacked: the largest body,
// or all links of a page, with room.
const maxKept = 1<<30 + 1<<26

// Unpacker reads what a Packer wrote, for one goroutine. The zero value is ready.
type Unpacker struct {
	zstd *zstd.Decoder
	buf  []byte
}

func (u *Unpacker) unpack(b []byte) ([]byte, error) {
	if u.zstd == nil {
		var err error
		if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxKept), zstd.WithDecoderConcurrency(1)); err != nil {
			return nil, err
		}
	}
	var err error
	u.buf, err = u.zstd.DecodeAll(b, u.buf[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return u.buf, nil
}

// EachLink calls do for the links that are kept of the page at the address base.
// The link is valid during the call, its strings for good.
func (u *Unpacker) EachLink(value []byte, base string, do func(*PageLink) error) error {
	b, err := u.unpack(value)
	if err != nil {
		return err
	}
	return eachLink(b, base, do)
}

// Body reads what is kept of an exchange. It is valid until the next call.
func (u *Unpacker) Body(value []byte) (b Body, err error) {
	first, n := binary.Uvarint(value)
	if n <= 0 {
		return b, damage("a body that is cut off")
	}
	raw, err := u.unpack(value[n:])
	if err != nil {
		return b, err
	}
	r := reader{b: raw}
	b = Body{First: first, Request: r.bytes(), Response: r.bytes()}
	b.Content = r.b
	return b, r.err
}
