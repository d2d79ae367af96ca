package warc

import (
	"bytes"
	"io"
	"time"
)

// Level is the level at which records are compressed when nothing is said. On 400
// HTML files of 22 KB level 1 took 137 µs a page, digests included, and 5,108
// bytes; level 4 198 µs and 4,861; level 6 245 µs and 4,612.
const Level = 1

// Writer writes exchanges as one WARC file to a stream.
// It is for one goroutine at a time.
type Writer struct {
	w    io.Writer
	info Info
	enc  *encoder
	buf  bytes.Buffer
	err  error
	done bool // the warcinfo is written
}

// NewWriter makes a Writer. Nothing is written before the first [Writer.Write].
func NewWriter(w io.Writer, info Info) *Writer {
	enc, err := newEncoder(Level)
	return &Writer{w: w, info: info, enc: enc, err: err}
}

// Write writes the records of an exchange with one call of the underlying
// Write; before the first, those of the warcinfo. An error that wraps
// [ErrExchange] wrote nothing, and the next exchange may be written; after any
// other error all calls return that error.
func (w *Writer) Write(x *Exchange) error {
	if w.err != nil {
		return w.err
	}
	if err := x.check(); err != nil {
		return err
	}
	if err := w.begin(x.Time); err != nil {
		return err
	}
	if _, err := w.enc.exchange(&w.buf, x); err != nil {
		w.err = err
		return err
	}
	return w.flush()
}

// Close ends the file. One without exchanges holds a warcinfo alone, for an empty
// file is no WARC file. It does not close the underlying stream.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.begin(time.Time{}); err != nil {
		return err
	}
	return w.flush()
}

func (w *Writer) begin(first time.Time) error {
	if w.done {
		return nil
	}
	if w.info.Time.IsZero() {
		w.info.Time = first
	}
	w.done = true
	w.err = w.enc.info(&w.buf, &w.info)
	return w.err
}

func (w *Writer) flush() error {
	if w.buf.Len() > 0 {
		_, w.err = w.w.Write(w.buf.Bytes())
	}
	w.buf = recycled(w.buf)
	return w.err
}

// recycled is an empty buffer, the same unless a large body has made it large.
func recycled(buf bytes.Buffer) bytes.Buffer {
	const most = 4 << 20
	if buf.Cap() > most {
		return bytes.Buffer{}
	}
	buf.Reset()
	return buf
}
