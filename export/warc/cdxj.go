package warc

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// mimeRevisit is what stands in an index for the type of a revisit.
const mimeRevisit = "warc/revisit"

// entry is what a line of an index says of a record.
type entry struct {
	url, mime, status, digest string
	time                      time.Time
	offset, length            int64 // of the gzip member in the file
}

// appendTo appends the entry as a line of CDXJ: the key of the address, the time
// to seconds, and JSON in ASCII, in which numbers are strings, as cdxj-indexer
// writes it. What is not known is left out.
func (e *entry) appendTo(dst []byte, filename string) []byte {
	dst = append(dst, SURT(e.url)...)
	dst = append(dst, ' ')
	dst = e.time.UTC().AppendFormat(dst, "20060102150405")
	dst = append(dst, ' ')
	open := byte('{')
	for _, f := range [...]struct{ name, value string }{
		{"url", e.url},
		{"mime", e.mime},
		{"status", e.status},
		{"digest", e.digest},
		{"length", strconv.FormatInt(e.length, 10)},
		{"offset", strconv.FormatInt(e.offset, 10)},
		{"filename", filename},
	} {
		if f.value == "" {
			continue
		}
		dst = append(dst, open)
		if open == ',' {
			dst = append(dst, ' ')
		}
		open = ','
		dst = append(dst, '"')
		dst = append(dst, f.name...)
		dst = append(dst, `": `...)
		dst = appendJSON(dst, f.value)
	}
	return append(dst, "}\n"...)
}

// appendJSON appends a string in JSON that is ASCII, as Python writes it.
func appendJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case ' ' <= r && r < 0x7f:
			dst = append(dst, byte(r))
		case r < 0x10000:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			r -= 0x10000
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return append(dst, '"')
}

// Index writes the CDXJ index of a WARC file whose records are gzip members of
// their own: a line for each response, revisit, and resource or metadata of other
// content than warc-fields, sorted by bytes. The filename stands in every line.
//
// It reads the file once from where r stands. Lines are sorted in memory up to
// 8 MB; beyond that, runs of them go to a file in the folder scratch, which is
// gone afterwards. A file that is cut off or is no such WARC is an error that
// names the offset; then what was written is of no use.
func Index(w io.Writer, r io.Reader, filename, scratch string) error {
	s := sorter{path: filepath.Join(scratch, filename+".runs")}
	defer s.close()
	err := entries(r, func(e *entry) error { return s.add(e.appendTo(nil, filename)) })
	if err != nil {
		return err
	}
	return s.writeTo(w)
}

// sorter sorts lines in bounded memory.
type sorter struct {
	path string // of the file that takes the runs
	file *os.File
	runs []int64 // where each run ends in the file
	text []byte
	ends []int
}

// sorterMemory bounds the text that a sorter holds. What it needs besides is 4 %
// of that, and 64 KB for each run while they are merged.
const sorterMemory = 8 << 20

func (s *sorter) add(line []byte) error {
	if len(s.text)+len(line) > sorterMemory && len(s.ends) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.text = append(s.text, line...)
	s.ends = append(s.ends, len(s.text))
	return nil
}

// sorted is the lines that are held, in order.
func (s *sorter) sorted() [][]byte {
	lines := make([][]byte, len(s.ends))
	begin := 0
	for i, end := range s.ends {
		lines[i] = s.text[begin:end]
		begin = end
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

func (s *sorter) spill() error {
	if s.file == nil {
		file, err := createNew(s.path)
		if err != nil {
			return err
		}
		s.file = file
	}
	w := bufio.NewWriterSize(s.file, 1<<18)
	for _, line := range s.sorted() {
		w.Write(line)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end := int64(len(s.text))
	if n := len(s.runs); n > 0 {
		end += s.runs[n-1]
	}
	s.runs = append(s.runs, end)
	s.text, s.ends = s.text[:0], s.ends[:0]
	return nil
}

func (s *sorter) writeTo(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<18)
	if len(s.runs) == 0 {
		for _, line := range s.sorted() {
			out.Write(line)
		}
		return out.Flush()
	}
	if err := s.spill(); err != nil {
		return err
	}
	var m merge
	begin := int64(0)
	for _, end := range s.runs {
		run := &run{r: bufio.NewReaderSize(io.NewSectionReader(s.file, begin, end-begin), 1<<16)}
		begin = end
		if more, err := run.next(); err != nil {
			return err
		} else if more {
			m = append(m, run)
		}
	}
	heap.Init(&m)
	for len(m) > 0 {
		if _, err := out.Write(m[0].line); err != nil {
			return err
		}
		switch more, err := m[0].next(); {
		case err != nil:
			return err
		case more:
			heap.Fix(&m, 0)
		default:
			heap.Pop(&m)
		}
	}
	return out.Flush()
}

// close removes the file of runs.
func (s *sorter) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.path)
		s.file = nil
	}
}

// run is sorted lines that are read one by one.
type run struct {
	r    *bufio.Reader
	line []byte
}

func (r *run) next() (more bool, err error) {
	r.line, err = r.r.ReadBytes('\n')
	if errors.Is(err, io.EOF) && len(r.line) == 0 {
		return false, nil
	}
	return err == nil, err
}

// merge is the heap of runs, the least line first.
type merge []*run

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return bytes.Compare(m[i].line, m[j].line) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*run)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// entries calls do with the entry of every record of a file that an index names.
func entries(r io.Reader, do func(*entry) error) error {
	m := newMembers(r)
	for {
		rec, err := m.next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		e, listed, err := rec.entry()
		if err != nil {
			return err
		}
		e.offset = rec.offset
		if e.length, err = rec.skip(); err != nil {
			return err
		}
		if listed {
			if err := do(&e); err != nil {
				return err
			}
		}
	}
}

// entry is what an index says of the record, without where it stands. It reads
// the head of the message, if there is one.
func (r *record) entry() (e entry, listed bool, err error) {
	kind, content := r.get("WARC-Type"), r.get("Content-Type")
	switch kind {
	case "response", "revisit":
		listed = true
	case "resource", "metadata":
		listed = mediaType([]byte(content)) != "application/warc-fields"
	}
	if !listed {
		return e, false, nil
	}
	e.url, e.digest = strings.Trim(r.get("WARC-Target-URI"), "<>"), r.get("WARC-Payload-Digest")
	if e.url == "" || !utf8.ValidString(e.url) {
		return e, false, r.error("no WARC-Target-URI")
	}
	if e.time, err = parseDate(r.get("WARC-Date")); err != nil {
		return e, false, r.error(err.Error())
	}
	e.mime = mediaType([]byte(content))
	if strings.HasPrefix(strings.ToLower(content), "application/http") {
		head, err := r.messageHead()
		if err != nil {
			return e, false, err
		}
		e.status, e.mime = statusAndType(head)
	}
	if kind == "revisit" {
		e.mime = mimeRevisit
	}
	return e, true, nil
}

// parseDate reads a WARC-Date of any precision.
func parseDate(s string) (time.Time, error) {
	for _, layout := range [...]string{"2006-01-02T15:04:05Z", "2006-01-02T15:04Z", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("no WARC-Date: %.40q", s)
}

// indexFile writes the index of a file from its lines in the order of its
// records, under a temporary name first.
func indexFile(path, lines string) error {
	in, err := openOwn(lines, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	s := sorter{path: path + ".runs"}
	defer s.close()
	for r := (&run{r: bufio.NewReaderSize(in, 1<<16)}); ; {
		more, err := r.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := s.add(r.line); err != nil {
			return err
		}
	}
	out, err := createNew(path + ".tmp")
	if err != nil {
		return err
	}
	defer out.Close()
	if err := s.writeTo(out); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
