package warc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

const (
	maxLine   = 64 << 10  // bytes of a line in the head of a record
	maxFields = 256 << 10 // bytes of the head of a record
	maxFlight = 1 << 20   // bytes of the head of a message that are looked at
)

// members reads a WARC file record by record, each of them a gzip member.
type members struct {
	src counter
	in  *bufio.Reader // gzip takes no byte more than its member from one
	zip *gzip.Reader
	out *bufio.Reader
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func newMembers(r io.Reader) *members {
	m := &members{src: counter{r: r}, out: bufio.NewReaderSize(nil, maxLine)}
	m.in = bufio.NewReaderSize(&m.src, 1<<16)
	return m
}

// offset is how many bytes of the file were taken.
func (m *members) offset() int64 { return m.src.n - int64(m.in.Buffered()) }

// record is a record whose head was read.
type record struct {
	m      *members
	offset int64 // where its member begins
	fields []string
	length int64 // of the block
	read   int64 // bytes of the block that were taken
}

// next reads the head of the next record. The record before must have been
// skipped. It returns io.EOF at the end of the file, and only there.
func (m *members) next() (*record, error) {
	r := &record{m: m, offset: m.offset()}
	if _, err := m.in.Peek(1); err != nil {
		return nil, err
	}
	var err error
	if m.zip == nil {
		m.zip, err = gzip.NewReader(m.in)
	} else {
		err = m.zip.Reset(m.in)
	}
	if err != nil {
		return nil, r.error(cut(err).Error())
	}
	m.zip.Multistream(false)
	m.out.Reset(m.zip)
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	if line != "WARC/1.0" && line != "WARC/1.1" {
		return nil, r.error("not a WARC record")
	}
	for size := 0; ; {
		if line, err = r.line(); err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		if size += len(line); size > maxFields {
			return nil, r.error("the head is too long")
		}
		if n := len(r.fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			line = r.fields[n-1] + " " + strings.TrimLeft(line, " \t")
			r.fields = r.fields[:n-1]
		}
		r.fields = append(r.fields, line)
	}
	if r.length, err = strconv.ParseInt(r.get("Content-Length"), 10, 64); err != nil || r.length < 0 {
		return nil, r.error("no Content-Length")
	}
	return r, nil
}

func (r *record) line() (string, error) {
	line, err := r.m.out.ReadSlice('\n')
	if err != nil {
		return "", r.error(cut(err).Error())
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

// get is the value of a field, empty when there is none.
func (r *record) get(name string) string {
	for _, f := range r.fields {
		if n, v, ok := strings.Cut(f, ":"); ok && strings.EqualFold(n, name) {
			return strings.Trim(v, " \t")
		}
	}
	return ""
}

// messageHead takes the head of the message off the block, up to its empty line
// or as much as is looked at.
func (r *record) messageHead() ([]byte, error) {
	var head []byte
	block := io.LimitReader(r.m.out, min(r.length, maxFlight))
	lines := bufio.NewReaderSize(nil, 4096)
	lines.Reset(block)
	for {
		line, err := lines.ReadSlice('\n')
		head = append(head, line...)
		if errors.Is(err, io.EOF) || err == nil && len(bytes.TrimRight(line, "\r\n")) == 0 {
			r.read = min(r.length, maxFlight) - block.(*io.LimitedReader).N
			return head, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, r.error(cut(err).Error())
		}
	}
}

// skip goes to the end of the record and returns the length of its member.
func (r *record) skip() (int64, error) {
	n, err := io.CopyN(io.Discard, r.m.out, r.length-r.read)
	if err != nil {
		return 0, r.error(fmt.Sprintf("the block has %d of %d bytes: %v", r.read+n, r.length, cut(err)))
	}
	var end [5]byte // one more than there is: only its end checks the sum of a member
	k, err := io.ReadFull(r.m.out, end[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, r.error(err.Error())
	}
	if k != 4 || string(end[:4]) != "\r\n\r\n" {
		return 0, r.error("the record does not end with its member")
	}
	return r.m.offset() - r.offset, nil
}

func (r *record) error(what string) error {
	return fmt.Errorf("warc: record at offset %d: %s", r.offset, what)
}

// cut says of an end of file that it came too early.
func cut(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
