package main

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// screen is what a person would see of what is written to a terminal. It knows the
// codes that pawl writes, and may be written to and read concurrently.
type screen struct {
	mu          sync.Mutex
	width       int
	rows        [][]rune
	row, column int
	rest        string // of a code or a character that has not come whole
}

func newScreen(width, height int) *screen {
	return &screen{width: width, rows: make([][]rune, height)}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.rest + string(b)
	s.rest = ""
	for text != "" {
		n := s.one(text)
		if n == 0 {
			s.rest = text
			break
		}
		text = text[n:]
	}
	return len(b), nil
}

// one takes what stands at the start of a text, and tells how long it is; 0: it is
// not whole.
func (s *screen) one(text string) int {
	switch text[0] {
	case '\r':
		s.column = 0
		return 1
	case '\n':
		s.down()
		return 1
	case '\x1b':
		return s.escape(text)
	}
	if !utf8.FullRuneInString(text) {
		return 0
	}
	r, n := utf8.DecodeRuneInString(text)
	if s.column == s.width {
		s.column = 0
		s.down()
	}
	for len(s.rows[s.row]) <= s.column {
		s.rows[s.row] = append(s.rows[s.row], ' ')
	}
	s.rows[s.row][s.column] = r
	s.column++
	return n
}

func (s *screen) down() {
	if s.row++; s.row == len(s.rows) {
		s.rows = append(s.rows[1:], nil)
		s.row--
	}
}

func (s *screen) escape(text string) int {
	if len(text) < 2 {
		return 0
	}
	if text[1] != '[' {
		return 2
	}
	end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if end < 0 {
		return 0
	}
	code, n := text[2:2+end+1], 1
	// What is no number leaves it at 1.
	_, _ = fmt.Sscanf(code, "%d", &n)
	switch code[end] {
	case 'A':
		s.row = max(0, s.row-n)
	case 'J':
		clear(s.rows[s.row+1:])
		fallthrough
	case 'K':
		s.rows[s.row] = s.rows[s.row][:min(s.column, len(s.rows[s.row]))]
	}
	return 2 + end + 1
}

// text is what is seen, without what is empty below.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, row := range s.rows {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
