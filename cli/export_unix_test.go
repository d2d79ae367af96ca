//go:build unix

package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/storage"
)

// Who asks a running crawl to write to a path cannot have it replace what it reads,
// nor wait until somebody reads a pipe.
func TestExportToAPath(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	file, err := storage.Create(at("c"), crawl.Rules(new(crawl.Settings)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before, err := os.Stat(at("c"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at("c.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(
		syscall.Mkfifo(at("pipe"), 0o600), os.Symlink("c", at("link")), os.Symlink("pipe", at("link-to-pipe")), os.Link(at("c"), at("second-name")),
		os.WriteFile(at("csv"), nil, 0o600), os.WriteFile(at("xml"), []byte("old"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path      string
		want      string // in the error of both
		canFollow bool
		canMap    bool
	}{
		{"c", "is the crawl file itself", false, false},
		{"link", "is the crawl file itself", false, false},
		{"second-name", "is the crawl file itself", false, false},
		{"c.sock", "is not a file", false, false},
		{"pipe", "is not a file", false, false},
		{"link-to-pipe", "is not a file", false, false},
		{"/dev/null", "is not a file", false, false},
		{"", "is a folder", false, false},
		{"nothing", "is not there", false, true},
		{"xml", "is not what this crawl writes", false, true},
		{"csv", "", true, true},
	}
	for _, tt := range tests {
		path := tt.path
		if !filepath.IsAbs(path) {
			path = at(path)
		}
		for _, what := range []string{"pages", "sitemap"} {
			ctx, cancel := context.WithCancel(t.Context())
			e := control.Export{What: what, Path: path, Follow: what == "pages"}
			begun := writerFunc(func(b []byte) (int, error) {
				cancel() // followed rows would go on
				return len(b), nil
			})
			err := writeExport(ctx, e, begun, sourceAtRest(file, new(crawl.Settings)))
			cancel()
			can := tt.canFollow
			if what == "sitemap" {
				can = tt.canMap
			}
			if can && err != nil || !can && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s to %q: %v", what, tt.path, err)
			}
			if what == "pages" && tt.path == "nothing" {
				if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a file was made: %v", err)
				}
			}
		}
	}
	if after, err := os.Stat(at("c")); err != nil || !os.SameFile(before, after) {
		t.Errorf("the crawl file was replaced: %v", err)
	}
}
