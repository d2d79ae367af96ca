package weburl

import (
	"errors"
	"slices"
	"strings"
)

// Pattern is the form that many addresses of a site have in common. It is written like the path and query of an address:
//
//	/events/{n}/{n}     in a segment {n} stands for a run of digits
//	/s/{id}/page-{n}    {id} for a segment that is an id: hexadecimal digits, a UUID, or letters and digits mixed
//	/word/*             * for any segment
//	/*/*/**             ** at the end for one or more segments
//	/shop?color&size    a query with these parameters and no others, whatever their values
//	/shop?*             any query; without a question mark there must be none
//
// Everything else stands for itself. A Pattern does not change and may be used concurrently.
type Pattern struct {
	text     string
	segments []string
	deep     bool // ends in **
	query    string
	anyQuery bool
}

// maxPattern is how long the text of a Pattern may be.
const maxPattern = MaxLength

// ParsePattern reads a Pattern.
func ParsePattern(text string) (Pattern, error) {
	if len(text) > maxPattern || !strings.HasPrefix(text, "/") {
		return Pattern{}, errors.New("a pattern of addresses starts with a slash")
	}
	p := Pattern{text: text}
	path, query, hasQuery := strings.Cut(text[1:], "?")
	p.segments = strings.Split(path, "/")
	if last := len(p.segments) - 1; p.segments[last] == "**" {
		p.deep = true
		p.segments = p.segments[:last]
	}
	p.query, p.anyQuery = query, hasQuery && query == "*"
	return p, nil
}

// String returns the text of the Pattern.
func (p *Pattern) String() string { return p.text }

// Shape is what a Pattern sees of an address.
type Shape struct {
	Segments []string // of the path, each as SegmentShape returns it
	Query    string   // as QueryShape returns it
	asked    bool     // there is a query
}

// Shape returns the Shape of the address.
func (u URL) Shape() Shape {
	path, query, _ := strings.Cut(u.PathQuery(), "?")
	s := Shape{Segments: make([]string, 0, strings.Count(path, "/")), Query: QueryShape(query), asked: query != ""}
	for segment := range strings.SplitSeq(path[1:], "/") {
		s.Segments = append(s.Segments, SegmentShape(segment))
	}
	return s
}

// String returns the text of the narrowest Pattern that matches the Shape.
func (s *Shape) String() string {
	text := "/" + strings.Join(s.Segments, "/")
	if s.Query != "" {
		text += "?" + s.Query
	}
	return text
}

// Matches reports whether an address of the Shape has the form of the Pattern.
func (p *Pattern) Matches(s *Shape) bool {
	switch {
	case p.anyQuery && !s.asked, !p.anyQuery && s.Query != p.query:
		return false
	case p.deep && len(s.Segments) <= len(p.segments), !p.deep && len(s.Segments) != len(p.segments):
		return false
	}
	for i, want := range p.segments {
		if want != "*" && s.Segments[i] != want {
			return false
		}
	}
	return true
}

// QueryShape returns the names of the parameters of a query, without their values, each once and in order.
func QueryShape(query string) string {
	if !strings.Contains(query, "&") {
		name, _, _ := strings.Cut(query, "=")
		return name
	}
	var space [16]string
	names := space[:0]
	for param := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(param, "="); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "&")
}

// SegmentShape returns a segment of a path with {id} in place of an id and {n} in place of each run of digits. What follows
// the last point stays as it is.
func SegmentShape(segment string) string {
	if !strings.ContainsAny(segment, "0123456789") {
		return segment
	}
	name, ext := segment, ""
	if i := strings.LastIndexByte(segment, '.'); i > 0 {
		name, ext = segment[:i], segment[i:]
	}
	if isID(name) {
		return "{id}" + ext
	}
	var b strings.Builder
	inDigits := false
	for i := range len(name) {
		digit := isDigit(name[i])
		if digit && !inDigits {
			b.WriteString("{n}")
		}
		if !digit {
			b.WriteByte(name[i])
		}
		inDigits = digit
	}
	b.WriteString(ext)
	return b.String()
}

// How long a segment is that is taken for an id: of hexadecimal digits, and of any letters.
const (
	minHexID   = 8
	minMixedID = 16
)

// isID reports whether a segment looks made up by a machine: letters and digits without an order.
func isID(s string) bool {
	if len(s) < minHexID {
		return false
	}
	hex, digits, letters, changes, dashes := true, 0, 0, 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case isDigit(c):
			digits++
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			letters++
			hex = hex && c|0x20 <= 'f'
		case c == '-':
			dashes++
		default:
			return false
		}
		if i > 0 && isDigit(c) != isDigit(s[i-1]) {
			changes++
		}
	}
	switch {
	case digits == 0 || letters == 0:
		return false
	case dashes == 4 && len(s) == 36:
		return hex // a UUID
	case dashes > 0:
		return false
	}
	return hex && changes > 1 || len(s) >= minMixedID && changes > 3
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
