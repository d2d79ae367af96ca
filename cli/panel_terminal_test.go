package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// terminal is a model of one: what a person would see of what was written to it.
type terminal struct {
	width, height int
	rows          [][]rune
	row, column   int
	noWrap        bool
	unknown       []string // escape codes that it does not know
	rest          string   // of a code that has not come whole
}

func newTerminal(width, height int) *terminal {
	return &terminal{width: width, height: height, rows: make([][]rune, height)}
}

func (t *terminal) Write(b []byte) (int, error) {
	text := t.rest + string(b)
	t.rest = ""
	for text != "" {
		if text[0] == '\x1b' {
			n := t.escape(text)
			if n == 0 {
				t.rest = text
				break
			}
			text = text[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && len(text) < utf8.UTFMax {
			t.rest = text
			break
		}
		text = text[n:]
		t.put(r)
	}
	return len(b), nil
}

func (t *terminal) put(r rune) {
	switch {
	case r == '\r':
		t.column = 0
		return
	case r == '\n': // and a return: the terminal's driver adds it
		t.column = 0
		t.down()
		return
	case r < ' ' || r == 0x7f:
		t.unknown = append(t.unknown, fmt.Sprintf("%q", r))
		return
	}
	w := runeWidth(r)
	if t.column+w > t.width {
		if t.noWrap {
			t.column = t.width - w
		} else {
			t.column = 0
			t.down()
		}
	}
	for len(t.rows[t.row]) < t.column+w {
		t.rows[t.row] = append(t.rows[t.row], ' ')
	}
	t.rows[t.row][t.column] = r
	for i := 1; i < w; i++ {
		t.rows[t.row][t.column+i] = 0
	}
	t.column += w
}

func (t *terminal) down() {
	if t.row++; t.row == t.height {
		t.rows = append(t.rows[1:], nil)
		t.row--
	}
}

// escape carries out the code at the start of a text, and tells how long it is; 0:
// it is not whole.
func (t *terminal) escape(text string) int {
	if len(text) < 2 {
		return 0
	}
	if text[1] != '[' {
		t.unknown = append(t.unknown, fmt.Sprintf("%q", text[:2]))
		return 2
	}
	end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if end < 0 {
		return 0
	}
	end += 2
	code, n := text[2:end+1], 1
	fmt.Sscanf(code, "%d", &n)
	cut := func() { t.rows[t.row] = t.rows[t.row][:min(t.column, len(t.rows[t.row]))] }
	switch {
	case strings.HasSuffix(code, "A"):
		t.row = max(0, t.row-n)
	case code == "K":
		cut()
	case code == "J":
		cut()
		for i := t.row + 1; i < t.height; i++ {
			t.rows[i] = nil
		}
	case code == "?7l":
		t.noWrap = true
	case code == "?7h":
		t.noWrap = false
	case strings.HasSuffix(code, "m"):
	default:
		t.unknown = append(t.unknown, fmt.Sprintf("%q", text[:end+1]))
	}
	return end + 1
}

// reflow makes it narrower as most terminals do: what is too wide goes on in the
// next line, and the cursor stays where it was in the text.
func (t *terminal) reflow(width int) {
	var rows [][]rune
	row := 0
	for i, line := range t.rows {
		if i == t.row {
			row = len(rows) + t.column/width
		}
		for len(line) > width {
			rows = append(rows, line[:width:width])
			line = line[width:]
		}
		rows = append(rows, line)
	}
	t.width, t.row, t.column = width, row, t.column%width
	// What is empty below goes first.
	for len(rows) > t.height && len(rows[len(rows)-1]) == 0 && t.row < len(rows)-1 {
		rows = rows[:len(rows)-1]
	}
	if over := len(rows) - t.height; over > 0 {
		rows, t.row = rows[over:], t.row-over
	}
	t.rows = rows
}

func (t *terminal) String() string {
	var b strings.Builder
	for _, row := range t.rows {
		for _, r := range row {
			if r != 0 {
				b.WriteRune(r)
			}
		}
		b.WriteByte('\n')
	}
	text := strings.TrimRight(b.String(), "\n")
	if text != "" {
		text += "\n"
	}
	return text
}

// resize cuts or adds columns and lines. Lines go away at the top when there is
// nothing below the cursor to be cut.
func (t *terminal) resize(width, height int) {
	for len(t.rows) > height {
		if t.row < len(t.rows)-1 && len(t.rows[len(t.rows)-1]) == 0 {
			t.rows = t.rows[:len(t.rows)-1]
			continue
		}
		t.rows = t.rows[1:]
		t.row = max(0, t.row-1)
	}
	for len(t.rows) < height {
		t.rows = append(t.rows, nil)
	}
	t.width, t.height = width, height
}

// builtIn is the folder of what buildPawl builds, which TestMain removes; empty:
// none.
var builtIn string

// buildPawl builds pawl, once for all tests.
var buildPawl = sync.OnceValues(func() (string, error) {
	var err error
	if builtIn, err = os.MkdirTemp("", "pawl-test-"); err != nil {
		return "", err
	}
	bin := filepath.Join(builtIn, "pawl")
	if out, err := exec.Command("go", "build", "-o", bin, "pawl").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})

func builtPawl(t *testing.T) string {
	t.Helper()
	bin, err := buildPawl()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
