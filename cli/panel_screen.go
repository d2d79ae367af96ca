package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	// redraw is how often a panel is renewed.
	redraw = 200 * time.Millisecond
	// Text that comes faster than this is written together, for each time the
	// panel below it is written anew too, and so is what is more than mostText.
	flushEvery = 50 * time.Millisecond
	mostText   = 64 << 10
)

// screen is a terminal, or what stands for one. While a panel is shown, it keeps
// to the last lines, and what is written to the screen appears above.
//
// The cursor rests in the first column of the panel, and is never hidden. So
// whatever a terminal does to lines when its size changes, all of the panel is
// from the cursor on, and is gone when that is erased; and a program that dies
// leaves nothing to be put right.
type screen struct {
	out io.Writer

	mu    sync.Mutex
	shown bool     // a panel is to be shown
	lines []string // of the panel
	rest  bool     // the cursor is to be left below it
	drawn int      // how many lines of it stand on the terminal
	below bool     // the cursor is below them
	// ours tells whether the terminal is that of this process, and not of the
	// shell which it was sent into the background from; nil: it is.
	ours    func() bool
	text    []byte // to be written above the panel, after the next newline of it
	flushed time.Time
	err     error // of the last write to out
}

// Write may be called concurrently.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shown {
		return s.out.Write(b)
	}
	s.text = append(s.text, b...)
	if len(s.text) >= mostText || time.Since(s.flushed) >= flushEvery {
		s.flush()
	}
	return len(b), s.err
}

// show has the panel be of these lines, each shorter than the terminal is wide.
// After rest the cursor is left below the panel, where it is in nobody's way when
// the program ends from one moment to the next.
func (s *screen) show(lines []string, rest bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown, s.lines, s.rest = true, lines, rest
	s.flush()
}

// flushText writes the text that waits, if there is any.
func (s *screen) flushText() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.IndexByte(s.text, '\n') >= 0 {
		s.flush()
	}
}

// hide takes the panel away, and writes what waits, until show is called.
func (s *screen) hide() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shown {
		return
	}
	s.lines = nil
	s.flush()
	_, _ = s.out.Write(s.text) // a line without its end
	s.shown, s.text = false, nil
}

// away erases the panel, calls do while nothing is written, and has the panel
// drawn anew by the next show.
func (s *screen) away(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	s.flush()
	do()
	s.lines = lines
}

const (
	eraseBelow = "\x1b[J"
	eraseRight = "\x1b[K"
	// A line that is wider than was thought shall be cut, not wrapped.
	wrapOff = "\x1b[?7l"
	wrapOn  = "\x1b[?7h"
)

// flush writes the text that waits, and the panel below it, in one piece.
func (s *screen) flush() {
	s.flushed = time.Now()
	var b bytes.Buffer
	whole := bytes.LastIndexByte(s.text, '\n') + 1
	if s.ours != nil && !s.ours() {
		// Whatever stood there is not known any more.
		b.Write(s.text[:whole])
		s.drawn, s.below = 0, false
	} else {
		if s.drawn > 0 {
			b.WriteString("\r")
			if s.below {
				fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
			}
			if whole > 0 || len(s.lines) == 0 {
				b.WriteString(eraseBelow)
			}
		}
		b.Write(s.text[:whole])
		s.draw(&b)
	}
	s.text = slices.Delete(s.text, 0, whole)
	if b.Len() > 0 {
		_, s.err = s.out.Write(b.Bytes())
	}
}

// draw writes the panel from the first column of a line on.
func (s *screen) draw(b *bytes.Buffer) {
	s.drawn, s.below = len(s.lines), false
	if s.drawn == 0 {
		return
	}
	s.below = s.rest
	b.WriteString(wrapOff)
	for i, line := range s.lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line)
		b.WriteString(eraseRight)
	}
	switch {
	case s.below:
		b.WriteString("\r\n" + eraseBelow + wrapOn)
	case s.drawn > 1:
		fmt.Fprintf(b, eraseBelow+wrapOn+"\r\x1b[%dA", s.drawn-1)
	default:
		b.WriteString(eraseBelow + wrapOn + "\r")
	}
}

// terminalSize is the width and height of the terminal that a writer is; 0, 0 when it
// has none.
func terminalSize(w io.Writer) (width, height int) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0
	}
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 0, 0
	}
	return width, height
}
