package fetch

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxCodings is how many encodings may lie on top of each other.
	maxCodings = 2
	// maxWindow is the memory that a zstd body may ask for, in bytes: what
	// RFC 9659 lets a server use. A body whose first frame asks for no more than
	// usualWindow, as nearly all do, gets no more for later ones: a second frame
	// shall not take what was not counted.
	maxWindow   = 8 << 20
	usualWindow = 2 << 20
	// zstdBlocks is what a decoder of zstd has beside its window.
	zstdBlocks = 512 << 10
	// maxBrotliWindow is the most that brotli can ask for.
	maxBrotliWindow = 16 << 20
	// keepWindow is up to which window a decoder is kept for the next body.
	keepWindow = 4 << 20
)

// encodingError is for a body that is not what Content-Encoding says. It does
// not unwrap: an unexpected end means a bad body here, not a lost connection.
type encodingError struct {
	name string
	err  error
}

func (e *encodingError) Error() string {
	if e.err == nil {
		return "content encoding " + e.name + " is not known"
	}
	return fmt.Sprintf("content encoding %s: %v", e.name, e.err)
}

// decoder undoes one content encoding. A decoder is used again and again.
type decoder interface {
	io.Reader
	// start begins a new body; nil lets go of the last one.
	start(src io.Reader)
	// window is how much memory it may take while it is used, in bytes; 0: little.
	window() int64
}

// codecs keeps decoders for use again.
type codecs struct{ gzip, brotli, zstd, deflate sync.Pool }

// decode calls read with the decoded body. An error of the wire goes before
// that of a decoder, which only follows from it.
func (f *Fetcher) decode(h http.Header, w *wire, space *room, read func(io.Reader) (int, error)) error {
	names, err := codings(h["Content-Encoding"])
	if err != nil {
		return err
	}
	if len(names) == 0 {
		_, err := read(w)
		return err
	}
	// Decoder and decoded body take ten times the memory of what comes: they
	// shall not wait for it.
	w.readAhead(&f.wires)
	var src io.Reader = w
	var used [maxCodings]decoder
	windows := int64(0)
	for i := len(names) - 1; i >= 0; i-- { // the last one was applied last
		// What is inside another encoding is not known yet.
		used[i] = f.codecs.get(names[i], w.ahead, i == len(names)-1)
		used[i].start(src)
		src = used[i]
		windows += used[i].window()
	}
	if err := space.take(windows); err != nil {
		return err
	}
	n, err := read(src)
	for i, name := range names {
		used[i].start(nil)
		// After a large body it may hold a window of megabytes.
		if n <= keepBuffer && used[i].window() <= keepWindow {
			f.codecs.pool(name).Put(used[i])
		}
	}
	space.giveBack(windows)
	switch {
	case w.broken() != nil && err != nil:
		return w.broken()
	case err != nil && w.count > 0:
		return &encodingError{strings.Join(names, ", "), err}
	}
	return nil // also for no body at all, as redirects have
}

// codings reads the Content-Encoding of an answer (RFC 9110 section 8.4). It
// is empty for a body that is sent as it is.
func codings(lines []string) ([]string, error) {
	if len(lines) == 1 {
		switch lines[0] { // without a copy: nearly all answers
		case "gzip", "br", "zstd", "deflate":
			return lines, nil
		}
	}
	var names []string
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "br", "zstd", "deflate", "gzip":
			case "x-gzip":
				name = "gzip"
			case "", "identity", "none", "utf-8", "utf8", "iso-8859-1", "text/html", "binary", "7bit", "8bit", "chunked":
				// Confused with a charset, a type or a transfer encoding by
				// many servers; browsers pass over them.
				continue
			default:
				return nil, &encodingError{name: fmt.Sprintf("%.40q", name)}
			}
			if len(names) == maxCodings {
				return nil, &encodingError{name: "of many layers"}
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func (c *codecs) pool(name string) *sync.Pool {
	switch name {
	case "br":
		return &c.brotli
	case "zstd":
		return &c.zstd
	case "deflate":
		return &c.deflate
	}
	return &c.gzip
}

// get gives a decoder for a body that begins with head.
func (c *codecs) get(name string, head []byte, isKnown bool) decoder {
	window := int64(maxWindow)
	switch {
	case name == "zstd" && isKnown:
		window = zstdWindow(head)
	case name == "br" && isKnown:
		window = brotliWindow(head)
	case name == "br":
		window = maxBrotliWindow
	}
	if name == "zstd" && window > usualWindow {
		return newZstdDecoder(maxWindow) // one of its own: the others never take as much
	}
	switch d := c.pool(name).Get().(type) {
	case *brotliDecoder:
		d.most = max(d.most, window)
		return d
	case decoder:
		return d
	}
	switch name {
	case "br":
		return &brotliDecoder{z: brotli.NewReader(nil), most: window}
	case "zstd":
		return newZstdDecoder(usualWindow)
	case "deflate":
		return &deflateDecoder{src: bufio.NewReader(nil)}
	}
	return &gzipDecoder{src: bufio.NewReader(nil)}
}

type brotliDecoder struct {
	z    *brotli.Reader
	most int64 // the largest window so far: it keeps that
}

func (d *brotliDecoder) start(src io.Reader)        { d.z.Reset(src) }
func (d *brotliDecoder) Read(p []byte) (int, error) { return d.z.Read(p) }
func (d *brotliDecoder) window() int64              { return d.most }

// brotliWindow is how large the window of a body is that begins with head (RFC
// 7932 section 9.1).
func brotliWindow(head []byte) int64 {
	if len(head) == 0 {
		return 0
	}
	bits := 16
	switch b := head[0]; {
	case b&1 == 0:
	case b>>1&7 != 0:
		bits = 17 + int(b>>1&7)
	case b>>4&7 != 0:
		bits = 8 + int(b>>4&7)
	default:
		bits = 17
	}
	return 1 << bits
}

// gzipDecoder reads gzip members one after the other, and as browsers do,
// passes over what comes behind the last, and takes a body that is not gzip
// at all for what it is.
type gzipDecoder struct {
	src   *bufio.Reader
	z     gzip.Reader
	state gzipState
}

func (d *gzipDecoder) window() int64 { return 0 }

type gzipState int

const (
	gzipStart gzipState = iota
	gzipMember
	gzipBetween
	gzipPlain
)

func (d *gzipDecoder) start(src io.Reader) {
	d.src.Reset(src)
	d.state = gzipStart
}

func (d *gzipDecoder) Read(p []byte) (int, error) {
	for {
		switch d.state {
		case gzipStart, gzipBetween:
			if head, _ := d.src.Peek(2); string(head) != "\x1f\x8b" {
				if d.state == gzipBetween {
					return 0, io.EOF
				}
				d.state = gzipPlain
				continue
			}
			if err := d.z.Reset(d.src); err != nil {
				return 0, noEOF(err)
			}
			d.z.Multistream(false)
			d.state = gzipMember
		case gzipMember:
			n, err := d.z.Read(p)
			if err != io.EOF {
				return n, err
			}
			d.state = gzipBetween
			if n > 0 {
				return n, nil
			}
		case gzipPlain:
			return d.src.Read(p)
		}
	}
}

// zstdDecoder takes a body without the magic number of zstd for what it is.
type zstdDecoder struct {
	src   *bufio.Reader
	z     *zstd.Decoder
	most  int64 // the largest window that it takes
	plain bool
	begun bool
}

func (d *zstdDecoder) window() int64 { return d.most + zstdBlocks }

// zstdWindow is how large the window of the first frame of a body is that begins
// with head (RFC 8878 section 3.1.1.1).
func zstdWindow(head []byte) int64 {
	if len(head) < 4 || !isZstd(head[:4]) {
		return 0
	}
	var h zstd.Header
	if err := h.Decode(head); err != nil || h.Skippable {
		return maxWindow
	}
	if h.SingleSegment {
		return int64(min(h.FrameContentSize, maxWindow))
	}
	return int64(min(h.WindowSize, maxWindow))
}

// newZstdDecoder makes a decoder that refuses windows larger than most.
func newZstdDecoder(most uint64) *zstdDecoder {
	z, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), // no goroutines
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(most))
	if err != nil {
		panic("fetch: zstd options: " + err.Error())
	}
	return &zstdDecoder{src: bufio.NewReader(nil), z: z, most: int64(most)}
}

func (d *zstdDecoder) start(src io.Reader) {
	d.src.Reset(src)
	d.plain, d.begun = false, false
	d.z.Reset(nil)
}

func (d *zstdDecoder) Read(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		head, _ := d.src.Peek(4)
		d.plain = !isZstd(head)
		if !d.plain {
			if err := d.z.Reset(d.src); err != nil {
				return 0, noEOF(err)
			}
		}
	}
	if d.plain {
		return d.src.Read(p)
	}
	return d.z.Read(p)
}

// isZstd knows the magic numbers of RFC 8878, of four bytes: a frame, or one to be
// skipped.
func isZstd(head []byte) bool {
	return string(head) == "\x28\xb5\x2f\xfd" ||
		len(head) == 4 && head[0]&0xf0 == 0x50 && string(head[1:]) == "\x2a\x4d\x18"
}

// deflateDecoder reads zlib data, or deflate without a header, which the same
// word has come to mean. It is not asked for, but some servers send it.
type deflateDecoder struct {
	src *bufio.Reader
	z   io.Reader
}

func (d *deflateDecoder) window() int64 { return 0 }

func (d *deflateDecoder) start(src io.Reader) {
	d.src.Reset(src)
	d.z = nil
}

func (d *deflateDecoder) Read(p []byte) (int, error) {
	if d.z == nil {
		head, _ := d.src.Peek(2)
		if len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			z, err := zlib.NewReader(d.src)
			if err != nil {
				return 0, noEOF(err)
			}
			d.z = z
		} else {
			d.z = flate.NewReader(d.src)
		}
	}
	return d.z.Read(p)
}

// noEOF keeps a header that ends early from looking like the end of a body.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
