package storage

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a process leaves that loses its power goes with the next file that is made
// beside it, but not before a day is over, or a month where no
// lock tells whether it is worked on, and nothing else does.
func TestLeftoversAreRemoved(t *testing.T) {
	now := time.Now()
	old, older := now.Add(-25*time.Hour), now.Add(-31*24*time.Hour)
	hasLocks := canLock(t)
	files := map[string]struct {
		at   time.Time
		gone bool
	}{
		".pawl-1234567890.tmp":             {old, hasLocks}, // of Create
		".pawl-0123456789abcdef.tmp":       {old, hasLocks}, // of TempName
		".pawl-export-4711-4045028171.tmp": {old, hasLocks},
		".pawl-export-4045028171.tmp":      {old, hasLocks}, // of a database
		".pawl-1212121212.tmp":             {older, true},
		".pawl-sitemap-4711-45028171.tmp":  {old, false}, // closed before it is published
		".pawl-sitemap-4711-45028172.tmp":  {older, true},
		".pawl-9876543210.tmp":             {now.Add(-time.Hour), false},
		".pawl-1111111111.tmp":             {now.Add(48 * time.Hour), false},
		".pawl-mine.tmp":                   {old, false},
		".pawl-1234.tmp.gz":                {old, false},
		"pawl-1234567890.tmp":              {old, false},
		"pages.csv":                        {old, false},
	}
	makers := map[string]func(path string) error{
		"Create": func(path string) error {
			f, err := Create(path, nil)
			if err == nil {
				err = f.Close()
			}
			return err
		},
		"RemoveLeftovers": func(path string) error { RemoveLeftovers(filepath.Dir(path)); return nil },
		"CopyTo": func(path string) error {
			f, err := Create(filepath.Join(t.TempDir(), "crawl.pawl"), nil)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.CopyTo(context.Background(), path, nil)
		},
	}
	for name, made := range makers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, file := range files {
				must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
				must(t, os.Chtimes(filepath.Join(dir, name), file.at, file.at))
			}
			folder := filepath.Join(dir, ".pawl-2222222222.tmp")
			must(t, os.Mkdir(folder, 0o700))
			must(t, os.Chtimes(folder, old, old))
			must(t, made(filepath.Join(dir, "new.pawl")))
			for name, file := range files {
				if _, err := os.Lstat(filepath.Join(dir, name)); (err != nil) != file.gone {
					t.Errorf("%s: gone is %v, want %v", name, err != nil, file.gone)
				}
			}
			if _, err := os.Lstat(folder); err != nil {
				t.Error("a folder is gone")
			}
		})
	}
}

// canLock tells whether there are locks by which others see what is worked on.
func canLock(t *testing.T) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "unlocked")
	must(t, os.WriteFile(path, nil, 0o600))
	return removeUnlocked(path)
}

// A machine may sleep for days amid an export, a snapshot or a compaction: what is
// being written is not left over, however old it looks.
func TestWhatIsWorkedOnIsNotLeftOver(t *testing.T) {
	if !canLock(t) {
		t.Skip("there are no locks that tell")
	}
	dir := t.TempDir()
	old := time.Now().Add(-60 * 24 * time.Hour)
	age := func(path string) {
		t.Helper()
		must(t, os.Chtimes(path, old, old))
	}
	rows := filepath.Join(dir, ".pawl-export-1-1.tmp")
	export, err := os.Create(rows)
	must(t, err)
	defer export.Close()
	LockTemp(export)
	age(rows)

	source, err := Create(filepath.Join(t.TempDir(), "crawl.pawl"), nil)
	must(t, err)
	defer source.Close()
	made := TempName(filepath.Join(dir, "copy.pawl"))
	must(t, source.CopyTo(context.Background(), made, nil))
	snapshot, err := Open(made, true)
	must(t, err)
	defer snapshot.Close()
	age(made)

	RemoveLeftovers(dir)
	for _, path := range []string{rows, made} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("it is gone: %v", err)
		}
	}
	export.Close()
	snapshot.Close()
	RemoveLeftovers(dir)
	for _, path := range []string{rows, made} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
}
