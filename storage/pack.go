package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Packer compresses what is kept of visits, for one goroutine.
type Packer struct {
	zstd *zstd.Encoder // may be used concurrently
	raw  []byte
	pack []byte
}

// packWindow is how far back a repetition is found, in bytes: it bounds what an
// encoder takes.
const packWindow = 1 << 20

// NewPacker makes a Packer. On pages of 20 KB the default level of Zstandard
// takes no longer than the fastest, and makes 5 % less.
func NewPacker() (*Packer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(packWindow))
	if err != nil {
		return nil, err
	}
	return &Packer{zstd: z}, nil
}

// Another is a Packer for another goroutine, which shares what takes memory.
func (p *Packer) Another() *Packer { return &Packer{zstd: p.zstd} }

// keepScratch is how much a Packer keeps of its memory from page to page.
const keepScratch = 256 << 10

// Links is what is kept of the links of the page at the address base, in the
// block format of S2: of the links of a page it makes twice what zstd does in a
// fifth of the time (docs/benchmarks.md).
func (p *Packer) Links(base string, links []PageLink) Kept {
	p.raw = appendPageLinks(p.raw[:0], base, links)
	if most := s2.MaxEncodedLen(len(p.raw)); cap(p.pack) < most {
		p.pack = make([]byte, most)
	}
	packed := s2.Encode(p.pack[:cap(p.pack)], p.raw)
	value := append(make([]byte, 0, len(packed)+checksumSize), packed...)
	if cap(p.raw) > keepScratch {
		p.raw, p.pack = nil, nil
	}
	return Kept{KeepLinks, value}
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

// EachLink calls do for the links that are kept of the page at the address base.
// The link is valid during the call, its strings for good.
func (u *Unpacker) EachLink(value []byte, base string, do func(*PageLink) error) error {
	n, err := s2.DecodedLen(value)
	if err == nil && n > maxKept {
		err = s2.ErrTooLarge
	}
	if err == nil {
		// No byte stands for more than about a thousand: what says so is damaged.
		if n > 1<<20+len(value)<<12 {
			err = s2.ErrCorrupt
		} else {
			u.buf, err = s2.Decode(u.buf[:cap(u.buf)], value)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return eachLink(u.buf, base, do)
}

// Body reads what is kept of an exchange. It is valid until the next call.
func (u *Unpacker) Body(value []byte) (b Body, err error) {
	first, n := binary.Uvarint(value)
	if n <= 0 {
		return b, damage("a body that is cut off")
	}
	if u.zstd == nil {
		if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxKept), zstd.WithDecoderConcurrency(1)); err != nil {
			return b, err
		}
	}
	if u.buf, err = u.zstd.DecodeAll(value[n:], u.buf[:0]); err != nil {
		return b, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r := reader{b: u.buf}
	b = Body{First: first, Request: r.bytes(), Response: r.bytes()}
	b.Content = r.b
	return b, r.err
}
