package storage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A flipped bit inside a title breaks no page and no encoding.
func TestChangedEventIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crawl.pawl")
	f, err := Create(path, nil)
	must(t, err)
	b := Batch{First: 1}
	b.Add(&Visit{URL: "https://example.com/", Outcome: Fetched, Status: 200, Record: Record{Title: "Overview of it all"}})
	must(t, f.Commit(&b))
	must(t, f.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	if bytes.Count(text, []byte("Overview")) != 1 {
		t.Fatal("the title does not stand once in the file")
	}
	must(t, os.WriteFile(path, bytes.Replace(text, []byte("Overview"), []byte("0verview"), 1), 0o600))
	f, err = Open(path, true)
	must(t, err)
	defer f.Close()
	err = f.Walk(1, 1, func(uint64, []byte) error { return nil })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("walk: %v", err)
	}
	err = f.View(func(r *Reader) error { r.Event(1); return nil })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("event: %v", err)
	}
}
