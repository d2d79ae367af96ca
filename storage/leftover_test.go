package storage

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a process leaves that loses its power goes with the next file that is made
// beside it, but not before a day is over, and nothing else does.
func TestLeftoversAreRemoved(t *testing.T) {
	now := time.Now()
	old := now.Add(-25 * time.Hour)
	files := map[string]struct {
		at   time.Time
		gone bool
	}{
		".pawl-1234567890.tmp":             {old, true}, // of Create
		".pawl-0123456789abcdef.tmp":       {old, true}, // of TempName
		".pawl-export-4711-4045028171.tmp": {old, true},
		".pawl-export-4045028171.tmp":      {old, true}, // of a database
		".pawl-sitemap-4711-45028171.tmp":  {old, true},
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
		"TempName": func(path string) error { TempName(path); return nil },
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
