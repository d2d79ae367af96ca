package cli

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pawl/crawl"
	"pawl/export/warc"
	"pawl/storage"
)

// filesOf is what the files of a folder hold.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

// The folder of WARC files belongs to the copy of a crawl file that went on last,
// and to one that is running.
func TestCopiesOfACrawlFileDoNotShareAnArchive(t *testing.T) {
	dir := t.TempDir()
	db, copied, folder := filepath.Join(dir, "c.pawl"), filepath.Join(dir, "copy.pawl"), filepath.Join(dir, "w")
	root := site(t)
	var w world
	run := func(want int, args ...string) {
		t.Helper()
		args = append([]string{"crawl", root}, args...)
		if code := w.run(t, context.Background(), append(args, "--delay", "0", "--progress", "none")...); code != want {
			t.Fatalf("exit code %d, want %d: %s", code, want, &w.stderr)
		}
	}
	refused := func(texts ...string) {
		t.Helper()
		before := filesOf(t, folder)
		run(ExitError, "--db", copied, "--max-pages", "21")
		for _, text := range append(texts, "to write elsewhere: pawl crawl --db "+copied+" --warc OTHER; to write none: --warc none") {
			if !strings.Contains(w.stderr.String(), text) {
				t.Errorf("%q is not said: %s", text, &w.stderr)
			}
		}
		if !maps.Equal(filesOf(t, folder), before) {
			t.Errorf("files %q, were %q", slices.Sorted(maps.Keys(filesOf(t, folder))), slices.Sorted(maps.Keys(before)))
		}
	}

	run(ExitOK, "--db", db, "--warc", folder, "--max-pages", "20")
	text, err := os.ReadFile(db)
	if err == nil {
		err = os.WriteFile(copied, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}

	// The crawl is running while the copy is tried.
	file, err := storage.Open(db, false)
	if err != nil {
		t.Fatal(err)
	}
	position, err := crawl.Position(file, folder)
	if err != nil {
		t.Fatal(err)
	}
	a, err := warc.Open(folder, "pawl", position, warc.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	refused("--warc "+folder, "another process is writing to the archive", "wait for it; ")
	a.Close()
	file.Close()

	run(ExitOK, "--db", db, "--max-pages", "0")
	if names := slices.Sorted(maps.Keys(filesOf(t, folder))); len(names) != 4 {
		t.Errorf("files %q", names)
	}
	refused(folder+" was written on from another copy of the crawl file", "go on with that copy, or choose another folder")

	run(ExitOK, "--db", copied, "--max-pages", "21", "--warc", filepath.Join(dir, "other"))
	run(ExitOK, "--db", copied, "--max-pages", "22", "--warc", "none")
	run(ExitOK, "--db", db)
}
