package warc

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// state is the state of the archive in a folder.
func (f folder) state() (name, text string) {
	for name, text = range f {
		if strings.HasSuffix(name, ".state") {
			return name, text
		}
	}
	return "", ""
}

// isAhead opens an archive at a position that the folder is beyond, and checks
// that it says so and has changed nothing.
func isAhead(t *testing.T, dir string, kept []byte, maxSize int64) {
	t.Helper()
	before := read(t, dir)
	a, err := open(dir, "crawl", kept, testOptions(maxSize), archiveID)
	var changed *ChangedError
	if !errors.As(err, &changed) || !strings.Contains(err.Error(), dir+" was written on") || !strings.Contains(err.Error(), "choose another folder") {
		t.Errorf("error %v", err)
	}
	if err == nil {
		a.Close()
	}
	if name, text := before.state(); text == "" {
		delete(before, name) // as if it were not there
	}
	if !maps.Equal(read(t, dir), before) {
		t.Errorf("files:\n got %q\nwant %q", read(t, dir).all(), before.all())
	}
}

// What a copy of the crawl file knows may be old: then the folder holds what
// only the other copy knows, and nothing of that may go.
func TestArchiveRefusesAnOldPosition(t *testing.T) {
	t.Parallel()
	for title, maxSize := range map[string]int64{"one file": 1e6, "a file each": 1, "some files": 3500} {
		t.Run(title, func(t *testing.T) {
			dir := t.TempDir()
			a := mustOpen(t, dir, nil, testOptions(maxSize))
			positions := [][]byte{a.Position()}
			for n := range 6 {
				mustAdd(t, a, pages(n*3, 3)...)
				positions = append(positions, a.Position())
			}
			a.Close()
			for _, kept := range positions[:5] {
				isAhead(t, dir, kept, maxSize)
			}
			// The last was not acknowledged: a crash before its commit leaves the same.
			for _, kept := range [][]byte{positions[5], positions[6]} {
				mustOpen(t, read(t, dir).put(t), kept, testOptions(maxSize)).Close()
			}
			a = mustOpen(t, dir, positions[6], testOptions(maxSize))
			a.Close()
			isAhead(t, dir, positions[5], maxSize)

			a = mustOpen(t, dir, positions[6], testOptions(maxSize))
			if err := errors.Join(a.Finish(), a.Committed(), a.Close()); err != nil {
				t.Fatal(err)
			}
			end := a.Position()
			if name, _ := read(t, dir).state(); name != "" {
				t.Errorf("%s is left behind", name)
			}
			checkArchive(t, read(t, dir), 18)
			for _, kept := range positions[:5] {
				isAhead(t, dir, kept, maxSize)
			}
			a = mustOpen(t, dir, end, testOptions(maxSize))
			mustAdd(t, a, pages(18, 1)...)
			if err := errors.Join(a.Finish(), a.Committed(), a.Close()); err != nil {
				t.Fatal(err)
			}
			isAhead(t, dir, end, maxSize)
			checkArchive(t, read(t, dir), 19)
		})
	}
}

// A folder that is copied without hidden files says nothing of what was
// committed: then only what needs nothing removed is taken.
func TestArchiveWithoutItsState(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	first := mustAdd(t, a, pages(0, 3)...)
	second := mustAdd(t, a, pages(3, 3)...)
	a.Close()
	f := read(t, dir)
	name, text := f.state()
	for title, f := range map[string]folder{
		"missing": f.with(name),
		"empty":   f.with(name, ""),
		"zeros":   f.with(name, strings.Repeat("\x00", len(text))),
		"junk":    f.with(name, strings.Repeat("junk", 300)),
	} {
		t.Run(title, func(t *testing.T) {
			dir := f.put(t)
			isAhead(t, dir, first, 1e6)
			a := mustOpen(t, dir, second, testOptions(1e6))
			mustAdd(t, a, pages(6, 3)...)
			a.Close()
			a = mustOpen(t, dir, second, testOptions(1e6))
			mustAdd(t, a, pages(6, 3)...)
			if err := a.Finish(); err != nil {
				t.Fatal(err)
			}
			checkArchive(t, read(t, dir), 9)
		})
	}
}

// Of the two slots of the state one may be lost to a power cut.
func TestArchiveStateSurvivesATornWrite(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	var positions [][]byte
	for n := range 4 {
		positions = append(positions, mustAdd(t, a, pages(n, 1)...))
	}
	a.Close()
	f := read(t, dir)
	name, text := f.state()
	for slot := range 2 {
		torn := []byte(text)
		copy(torn[slot*slotSize+20:], "torn")
		dir := f.with(name, string(torn)).put(t)
		isAhead(t, dir, positions[0], 1e6)
		mustOpen(t, dir, positions[3], testOptions(1e6)).Close()
		isAhead(t, dir, positions[2], 1e6)
	}
}

func TestArchiveIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	fresh := mustOpen(t, dir, nil, testOptions(1e6))
	begun := fresh.Position()
	a := mustOpen(t, dir, begun, testOptions(1e6))
	isBusy := func(kept []byte) {
		t.Helper()
		before := read(t, dir)
		if _, err := Open(dir, "crawl", kept, testOptions(1e6)); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) {
			t.Errorf("error %v", err)
		}
		if !maps.Equal(read(t, dir), before) {
			t.Errorf("files %q, were %q", read(t, dir).all(), before.all())
		}
	}
	isBusy(begun)
	kept := mustAdd(t, a, pages(0, 3)...)
	isBusy(begun)
	isBusy(kept)
	if err := fresh.Add(pages(0, 3)); !errors.Is(err, ErrBusy) {
		t.Errorf("Add of another that has the same id: %v", err)
	}
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	isBusy(a.Position())
	other, err := Open(dir, "crawl", nil, testOptions(1e6))
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, other, pages(3, 3)...)
	if err := errors.Join(other.Finish(), other.Committed(), other.Close(), a.Committed(), a.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir, a.Position(), testOptions(1e6)).Close()
	checkArchive(t, read(t, dir), 6)
	if f := read(t, dir); len(f) != 4 {
		t.Errorf("files %q", f.all())
	}
}

// One that was opened for the first time knows of nothing in the folder; another
// that has its id may have been there meanwhile.
func TestArchiveRefusesToBeginTwice(t *testing.T) {
	dir := t.TempDir()
	fresh := mustOpen(t, dir, nil, testOptions(1e6))
	a := mustOpen(t, dir, fresh.Position(), testOptions(1e6))
	mustAdd(t, a, pages(0, 3)...)
	if err := errors.Join(a.Finish(), a.Committed(), a.Close()); err != nil {
		t.Fatal(err)
	}
	before := read(t, dir)
	var changed *ChangedError
	if err := fresh.Add(pages(0, 3)); !errors.As(err, &changed) {
		t.Errorf("error %v", err)
	}
	fresh.Close()
	if !maps.Equal(read(t, dir), before) {
		t.Errorf("files %q", read(t, dir).all())
	}
}

// What stands where a link leads is not the archive's.
func TestArchiveWritesThroughNoLink(t *testing.T) {
	const mine = "mine\n"
	setup := func(t *testing.T) (f folder, kept []byte) {
		dir := t.TempDir()
		a := mustOpen(t, dir, nil, testOptions(1e6))
		kept = mustAdd(t, a, pages(0, 3)...)
		a.Close()
		return read(t, dir), kept
	}
	const name = "crawl-20260304120000-00001.warc.gz"
	temporary := (&Archive{id: archiveID}).temporary()
	for _, c := range []struct {
		title, link string
		refused     bool
	}{
		{"the file", name + ".open", true},
		{"the list", listName(name), false},
		{"an index that is being made", indexName(name) + ".tmp", false},
		{"a file that is being begun", temporary, false},
		{"the state", (&Archive{id: archiveID}).stateName(), true},
	} {
		t.Run(c.title, func(t *testing.T) {
			f, kept := setup(t)
			dir := f.with(c.link).put(t)
			victim := filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte(mine), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(victim, filepath.Join(dir, c.link)); err != nil {
				t.Skip(err)
			}
			a, err := open(dir, "crawl", kept, testOptions(5000), archiveID)
			if (err != nil) != c.refused {
				t.Errorf("error %v", err)
			}
			if err == nil {
				mustAdd(t, a, pages(3, 30)...)
				if err := errors.Join(a.Finish(), a.Close()); err != nil {
					t.Error(err)
				}
				checkArchive(t, read(t, dir), 33)
			}
			if b, err := os.ReadFile(victim); err != nil || string(b) != mine {
				t.Errorf("the other file holds %q, %v", b, err)
			}
		})
	}
	t.Run("runs of a sorter", func(t *testing.T) {
		dir := t.TempDir()
		victim := filepath.Join(dir, "victim")
		s := sorter{path: filepath.Join(dir, "x.runs")}
		if err := os.WriteFile(victim, []byte(mine), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, s.path); err != nil {
			t.Skip(err)
		}
		if err := errors.Join(s.add([]byte("a\n")), s.spill()); err != nil {
			t.Fatal(err)
		}
		s.close()
		if b, err := os.ReadFile(victim); err != nil || string(b) != mine {
			t.Errorf("the other file holds %q, %v", b, err)
		}
	})
	t.Run("nowhere", func(t *testing.T) {
		f, kept := setup(t)
		dir := f.with(listName(name)).put(t)
		victim := filepath.Join(t.TempDir(), "victim")
		if err := os.Symlink(victim, filepath.Join(dir, listName(name))); err != nil {
			t.Skip(err)
		}
		mustOpen(t, dir, kept, testOptions(1e6)).Close()
		if _, err := os.Lstat(victim); err == nil {
			t.Error("a file was made where the link leads")
		}
	})
}

func TestStatesThatAreNone(t *testing.T) {
	ok := encodeSlot(7, mark{3, 4711})
	if turn, m, valid := decodeSlot(ok); !valid || turn != 7 || m != (mark{3, 4711}) {
		t.Fatalf("%q: %d, %v, %v", ok, turn, m, valid)
	}
	if _, m, valid := decodeSlot(encodeSlot(1<<63, mark{1 << 40, complete})); !valid || m != (mark{1 << 40, complete}) {
		t.Errorf("a complete file: %v, %v", m, valid)
	}
	for i := range ok {
		bad := slices.Clone(ok)
		bad[i] ^= 1
		if _, _, valid := decodeSlot(bad); valid {
			t.Errorf("%q is taken", bad)
		}
		if _, _, valid := decodeSlot(ok[:i]); valid {
			t.Errorf("%q is taken", ok[:i])
		}
	}
}
