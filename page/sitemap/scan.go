package sitemap

import (
	"bytes"
	"io"
)

const (
	// sniffLength is how much of a file is looked at to see what it is.
	sniffLength = 4 << 10
	// window is the length of the part of a file that is in memory.
	window = 32 << 10
	// maxWindow is what it grows to for a tag or text that does not fit: room for the longest address with some escapes.
	maxWindow = 128 << 10
	// maxName is the longest tag name that is read.
	maxName = 64
)

// scanner cuts a file into pieces. What its methods return is valid until the next call.
type scanner struct {
	src  io.Reader
	buf  []byte
	r, w int   // buf[r:w] is read and not yet taken
	err  error // why there is no more
	past int   // bytes that were taken before buf
}

func newScanner(src io.Reader) *scanner { return &scanner{src: src, buf: make([]byte, window)} }

// rest returns what is in memory.
func (s *scanner) rest() []byte { return s.buf[s.r:s.w] }

// ended reports whether all of the file was read, and nothing was wrong with it.
func (s *scanner) ended() bool { return s.err == io.EOF }

// offset returns how many bytes were taken.
func (s *scanner) offset() int { return s.past + s.r }

// full reports whether there is no room for more.
func (s *scanner) full() bool { return s.w-s.r == maxWindow }

// fill reads more behind what is there, and reports whether it did. It moves what is there.
func (s *scanner) fill() bool {
	if s.err != nil || s.full() {
		return false
	}
	if s.r > 0 {
		copy(s.buf, s.buf[s.r:s.w])
		s.past += s.r
		s.r, s.w = 0, s.w-s.r
	}
	if s.w == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.w:])
		s.w += n
		s.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// peek returns what comes next, n bytes if there are as many.
func (s *scanner) peek(n int) []byte {
	for s.w-s.r < n && s.fill() {
	}
	return s.buf[s.r:min(s.r+n, s.w)]
}

func (s *scanner) skip(n int) { s.r = min(s.r+n, s.w) }

// skipSpace takes white space and byte order marks.
func (s *scanner) skipSpace() {
	for {
		next := s.peek(len(byteOrderMark))
		switch {
		case len(next) > 0 && isSpace(next[0]):
			s.r++
		case string(next) == byteOrderMark:
			s.r += len(byteOrderMark)
		default:
			return
		}
	}
}

// until returns what comes before c, or all there is with ok false, when the file ends before it or it is too far.
func (s *scanner) until(c byte) (run []byte, ok bool) {
	for from := 0; ; {
		if i := bytes.IndexByte(s.buf[s.r+from:s.w], c); i >= 0 {
			return s.buf[s.r : s.r+from+i], true
		}
		from = s.w - s.r
		if !s.fill() {
			return s.buf[s.r:s.w], false
		}
	}
}

// skipTo takes what comes before mark, of which it keeps nothing in memory. It reports whether there is one.
func (s *scanner) skipTo(mark string) bool {
	for {
		if i := bytes.Index(s.rest(), []byte(mark)); i >= 0 {
			s.r += i
			return true
		}
		s.r = max(s.r, s.w-len(mark)+1)
		if !s.fill() {
			s.r = s.w
			return false
		}
	}
}

// skipPast takes what comes before mark and the mark.
func (s *scanner) skipPast(mark string) bool {
	found := s.skipTo(mark)
	if found {
		s.r += len(mark)
	}
	return found
}

// line takes a line with what ends it, and reports false for ok at the end of the file. One that is too long is empty. The
// last line is whole if the file ends it.
func (s *scanner) line() (line []byte, whole, ok bool) {
	long := false
	for from := 0; ; {
		if i := bytes.IndexAny(s.buf[s.r+from:s.w], "\r\n"); i >= 0 {
			line = s.buf[s.r : s.r+from+i]
			s.r += from + i + 1
			if long {
				line = nil
			}
			return line, true, true
		}
		from = s.w - s.r
		if s.full() {
			s.r, from, long = s.w, 0, true
		}
		if !s.fill() {
			line = s.rest()
			s.r = s.w
			return line, false, !long && len(line) > 0
		}
	}
}

// skipDeclaration takes the document type declaration, or whatever else starts with "<!" here, and reports whether it
// announces HTML. What is declared within is not read.
func (s *scanner) skipDeclaration() (html bool) {
	head := s.peek(len("<!doctype html>"))
	if len(head) == len("<!doctype html>") && fold(head[:len("<!doctype")], "<!doctype") {
		html = isSpace(head[9]) && fold(head[10:14], "html") && endsName(head[14])
	}
	run, found := s.until('>')
	subset := bytes.IndexByte(run, '[')
	if subset < 0 {
		s.skip(len(run))
		if found {
			s.skip(1)
		}
		return html
	}
	s.skip(subset)
	for s.skipPast("]") {
		s.skipSpace()
		if string(s.peek(1)) == ">" {
			s.skip(1)
			break
		}
	}
	return html
}

// skipInstruction takes the processing instruction that starts here. It ends at ">" if there is no "?>" before the next
// tag.
func (s *scanner) skipInstruction() {
	s.skip(len("<?"))
	run, _ := s.until('<')
	if i := bytes.Index(run, []byte("?>")); i >= 0 {
		s.skip(i + len("?>"))
	} else if i := bytes.IndexByte(run, '>'); i >= 0 {
		s.skip(i + 1)
	} else {
		s.skip(len(run))
	}
}

// element is a start or end tag.
type element struct {
	prefix, name []byte // before and after the colon
	attrs        []byte // what stands between the name and ">"
	end          bool   // </name>
	empty        bool   // <name/>
}

// tag takes the tag that starts here. It reports false if this "<" does not start one, or one that has no end: then nothing
// is taken.
func (s *scanner) tag() (e element, ok bool) {
	head := s.peek(maxName + len("</>"))
	i := 1
	if len(head) > 1 && head[1] == '/' {
		e.end = true
		i++
	}
	start := i
	if start >= len(head) || !startsName(head[start]) {
		return e, false
	}
	for i < len(head) && !endsName(head[i]) {
		i++
	}
	stop, next, ok := s.tagEnd(i)
	if !ok {
		return e, false
	}
	tag := s.buf[s.r : s.r+stop] // head may have moved
	e.name = tag[start:i]
	if colon := bytes.LastIndexByte(e.name, ':'); colon >= 0 {
		e.prefix, e.name = e.name[:colon], e.name[colon+1:]
	}
	e.attrs = tag[i:]
	if n := len(e.attrs); n > 0 && e.attrs[n-1] == '/' {
		e.empty, e.attrs = true, e.attrs[:n-1]
	}
	s.r += next
	return e, true
}

// tagEnd returns where the tag that starts here ends, and where what follows starts, when its name ends at i. It ends
// before the next "<" at the latest, which XML allows nowhere in a tag: so a quote or ">" that is missing costs no more than
// that tag.
func (s *scanner) tagEnd(i int) (stop, next int, ok bool) {
	var quote byte
	first := -1 // where the first ">" is
	for ; ; i++ {
		if s.r+i >= s.w && !s.fill() {
			// What has no end in a full window ends at the first chance. At the end of the file nobody knows what was to come.
			return first, first + 1, first >= 0 && s.full()
		}
		switch c := s.buf[s.r+i]; {
		case c == '>' && quote == 0:
			return i, i + 1, true
		case c == '>' && first < 0:
			first = i
		case c == '<' && first >= 0:
			return first, first + 1, true
		case c == '<':
			return i, i, true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		}
	}
}

// attr returns the value of an attribute, as it stands in the tag. Its name is in lower case and has no colon.
func (e element) attr(name string) (value []byte, ok bool) {
	rest := e.attrs
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n\f/")
		if len(rest) == 0 {
			return nil, false
		}
		n := bytes.IndexAny(rest, "= \t\r\n\f/\"'")
		if n < 0 {
			return nil, false
		}
		key := rest[:n]
		rest = bytes.TrimLeft(rest[n:], " \t\r\n\f")
		if len(rest) == 0 || rest[0] != '=' {
			if n == 0 {
				rest = rest[1:] // a stray quote
			}
			continue
		}
		value, rest = attrValue(bytes.TrimLeft(rest[1:], " \t\r\n\f"))
		if fold(key, name) {
			return value, true
		}
	}
}

// attrValue returns the value that text starts with, quoted or not, and what follows.
func attrValue(text []byte) (value, rest []byte) {
	if len(text) == 0 {
		return nil, nil
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		value, rest, _ = bytes.Cut(text[1:], text[:1])
		return value, rest
	}
	n := bytes.IndexAny(text, " \t\r\n\f")
	if n < 0 {
		n = len(text)
	}
	return text[:n], text[n:]
}

// fold reports whether b is name in any letter case. The name is in lower case.
func fold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

func startsName(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == ':' || c >= 0x80
}

func endsName(c byte) bool { return c == '>' || c == '/' || c == '<' || isSpace(c) }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }
