package export

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pawl/storage"
)

// mapped is a writer that looks at how the file is mapped whenever something
// is written.
type mapped struct {
	t        *testing.T
	name     string
	inOrder  int // writes while the file was to be read ahead
	atRandom int
}

func (m *mapped) Write(b []byte) (int, error) {
	if readsAtRandom(m.t, m.name) {
		m.atRandom++
	} else {
		m.inOrder++
	}
	return len(b), nil
}

// readsAtRandom tells whether the system was told that the file, as far as it is
// mapped together with its beginning, is not read in order.
func readsAtRandom(t *testing.T, name string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	found, ours, random := false, false, false
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		switch {
		case len(words) == 0:
		case !strings.HasSuffix(words[0], ":"): // a mapping begins
			ours = words[len(words)-1] == name && strings.Trim(words[2], "0") == "" // at offset 0
			found = found || ours
		case ours && words[0] == "VmFlags:":
			random = random || slices.Contains(words, "rr")
		}
	}
	if !found {
		t.Skip("the mapping is not listed")
	}
	return random
}

// A large file that is not in memory is read ahead; page by page, an export
// takes five times as long.
func TestFileIsReadAhead(t *testing.T) {
	f := of(t, samplePage(1), samplePage(2), &storage.Skip{FoundOn: "https://example.org/", Links: []storage.SkipLink{
		skipLink("https://example.org/a", storage.OutOfScope),
	}})
	name, err := filepath.EvalSymlinks(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if !readsAtRandom(t, name) {
		t.Fatal("the mapping of the file is not that of bbolt")
	}
	for table, export := range map[string]func(*mapped) error{
		"pages":   func(w *mapped) error { _, err := Pages(w, f, Defaults()); return err },
		"skipped": func(w *mapped) error { _, err := Skipped(w, f, Defaults(), nil); return err },
	} {
		w := mapped{t: t, name: name}
		if err := export(&w); err != nil {
			t.Fatal(err)
		}
		// The header is written before anything is read.
		if w.inOrder == 0 || w.atRandom > 1 {
			t.Errorf("%s: %d writes with the file read ahead, %d without", table, w.inOrder, w.atRandom)
		}
		if !readsAtRandom(t, name) {
			t.Errorf("%s: the file is still read ahead after it", table)
		}
	}
}
