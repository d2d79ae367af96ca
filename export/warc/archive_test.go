package warc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestArchiveRotates(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(5000))
	for n := 0; n < 60; n += 20 {
		mustAdd(t, a, pages(n, 20)...)
	}
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	f := read(t, dir)
	if len(f) < 8 || f.names()[1] != "crawl-20260304120000-00001.warc.gz" {
		t.Errorf("files %q", f.names())
	}
	for name, text := range f {
		if len(text) > 5000 && serialOf(name) > 0 {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	checkArchive(t, f, 60)
}

func TestArchiveGivesLargeExchangeAFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1))
	mustAdd(t, a, pages(0, 3)...)
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	f := read(t, dir)
	if len(f.names()) != 6 {
		t.Errorf("files %q", f.names())
	}
	checkArchive(t, f, 3)
}

func TestArchiveGoesOnAfterCloseAndAfterFinish(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	kept := mustAdd(t, a, pages(0, 3)...)
	a.Close()
	a = mustOpen(t, dir, kept, testOptions(1e6))
	if !bytes.Equal(a.Position(), kept) {
		t.Errorf("position %s, want %s", a.Position(), kept)
	}
	mustAdd(t, a, pages(3, 3)...)
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	if f := read(t, dir); len(f.names()) != 2 {
		t.Errorf("files after Finish: %q", f.names())
	}
	a.Close()
	a = mustOpen(t, dir, a.Position(), testOptions(1e6))
	mustAdd(t, a, pages(6, 3)...)
	if err := errors.Join(a.Finish(), a.Finish(), a.Add(nil)); err != nil {
		t.Fatal(err)
	}
	f := read(t, dir)
	if len(f.names()) != 4 {
		t.Errorf("files: %q", f.names())
	}
	checkArchive(t, f, 9)
}

func TestArchiveWithoutExchangesLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	a := mustOpen(t, dir, nil, testOptions(1e6))
	if err := a.Finish(); err != nil || len(read(t, dir)) > 0 {
		t.Errorf("error %v, files %q", err, read(t, dir).names())
	}
	mustOpen(t, dir, a.Position(), testOptions(1e6))
}

// crawl adds batches from one on, and finishes. It returns the position after
// each and what the folder held then, beginning with those before the first.
func crawl(t *testing.T, dir string, kept []byte, from int, maxSize int64) (positions [][]byte, folders []folder) {
	t.Helper()
	a := mustOpen(t, dir, kept, testOptions(maxSize))
	keep := func() {
		positions = append(positions, a.Position())
		folders = append(folders, read(t, dir))
	}
	keep()
	for n := from; n < batches; n++ {
		mustAdd(t, a, pages(n*batchSize, batchSize)...)
		keep()
	}
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	keep()
	return positions, folders
}

const (
	batches   = 4
	batchSize = 3
)

// goesOn opens what a crash left at the position that was committed, and goes on.
func goesOn(t *testing.T, left folder, kept []byte, from int, maxSize int64, want folder) {
	t.Helper()
	dir := left.put(t)
	_, folders := crawl(t, dir, kept, from, maxSize)
	sameFolder(t, folders[len(folders)-1], want)
}

func TestArchiveIsExactAfterACrashAtEveryByte(t *testing.T) {
	t.Parallel()
	positions, folders := crawl(t, t.TempDir(), nil, 0, 1e6)
	want := folders[len(folders)-1]
	checkArchive(t, want, batches*batchSize)

	// The last batch is written byte by byte, its list too.
	const last = batches - 1
	before, after := folders[last], folders[last+1]
	name, list := before.names()[1], before.names()[0]
	goesBack := func(left folder) {
		t.Helper()
		dir := left.put(t)
		mustOpen(t, dir, positions[last], testOptions(1e6)).Close()
		sameFolder(t, read(t, dir), before)
	}
	a := &Archive{id: archiveID}
	length := len(before[name])
	for n := length; n <= len(after[name]); n++ {
		ours, err := a.wroteAll(section(after[name][length:n]), 1)
		if err != nil || !ours {
			t.Errorf("broken off after %d bytes: not ours, error %v", n-length, err)
		}
		if n < length+12 || n%199 == 0 {
			goesBack(before.with(name, after[name][:n]))
		}
	}
	for n := 0; n <= len(after[list]); n += 100 {
		goesBack(after.with(list, after[list][:n]))
	}

	// A power cut leaves the length and not the bytes, or the list not at all.
	zeros := strings.Repeat("\x00", 5000)
	goesBack(before.with(name, before[name]+zeros))
	goesBack(before.with(name, after[name][:len(after[name])-100]+zeros))
	goesBack(after.with(list))
	goesBack(after.with(list, "junk"+after[list]))

	// Or all but some of the sectors.
	for at := length; at < len(after[name]); at = min(at-at%512+512, len(after[name])) {
		end := min(at-at%512+512, len(after[name]))
		hole := after[name][:at] + strings.Repeat("\x00", end-at) + after[name][end:]
		goesBack(before.with(name, hole))
		goesBack(before.with(name, hole[:length]+strings.Repeat("\x00", at-length)+after[name][at:end]))
	}
}

func TestArchiveIsExactAfterACrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, maxSize := range []int64{3500, 1e6} {
		t.Run(fmt.Sprint(maxSize), func(t *testing.T) {
			t.Parallel()
			positions, folders := crawl(t, t.TempDir(), nil, 0, maxSize)
			want := folders[len(folders)-1]
			checkArchive(t, want, batches*batchSize)
			for n := range batches + 1 {
				for _, left := range between(folders[n], folders[n+1]) {
					goesOn(t, left, positions[n], n, maxSize, want)
					if n >= 2 {
						isAhead(t, left.put(t), positions[n-2], maxSize)
					}
				}
			}
		})
	}
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

// TestArchiveIsExactAfterACrashAtItsEnd goes on where the last position was
// committed and the rest was done in part.
func TestArchiveIsExactAfterACrashAtItsEnd(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	mustAdd(t, a, pages(0, 3)...)
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	finished := read(t, dir)
	if err := a.Committed(); err != nil {
		t.Fatal(err)
	}
	known := read(t, dir)
	a.Close()
	closed := read(t, dir)
	checkArchive(t, closed, 3)
	for _, left := range []folder{finished, known, closed} {
		dir := left.put(t)
		mustOpen(t, dir, a.Position(), testOptions(1e6)).Close()
		if !maps.Equal(read(t, dir), closed) {
			t.Errorf("files %q", read(t, dir).all())
		}
	}
}

// between is what a folder may hold after a crash on the way from one state to
// another: for each file that was completed or begun, the steps of that.
func between(before, after folder) []folder {
	states := []folder{before, after}
	// That the position before is committed is known first of all.
	state, text := after.state()
	now := before.with(state, text)
	if _, wasThere := before[state]; !wasThere {
		states = append(states, before.with(state, ""), before.with(state, text[:slotSize]))
	}
	states = append(states, now)
	for _, name := range after.names() {
		file := strings.TrimSuffix(name, ".open")
		if serialOf(file) < 0 || before[name] == after[name] {
			continue
		}
		list, index := listName(file), indexName(file)
		text := after[name]
		if _, begun := before[file+".open"]; !begun {
			temporary := (&Archive{id: archiveID}).temporary()
			info := text[:len(text)/3]
			states = append(states, now.with(temporary, ""), now.with(temporary, info), now.with(temporary, text).with(file+".open", text))
			now = now.with(file+".open", text[:len(text)*2/3])
			states = append(states, now)
			now = now.with(list, "")
		}
		now = now.with(file+".open", text)
		states = append(states, now)
		if name != file {
			now = now.with(list, after[list])
			states = append(states, now)
			continue
		}
		// The list held the lines of the index, in another order.
		lines := slices.Collect(strings.Lines(after[index]))
		slices.Reverse(lines)
		now = now.with(list, strings.Join(lines, ""))
		states = append(states, now)
		now = now.with(file+".open").with(file, text)
		states = append(states, now, now.with(index+".tmp", after[index][:len(after[index])/2]), now.with(index+".runs", "x"))
		now = now.with(index, after[index])
		states = append(states, now)
		now = now.with(list)
		states = append(states, now)
	}
	return states
}

func TestArchiveLeavesTheFilesOfOthers(t *testing.T) {
	// Others wrote with the same prefix in the same second, among them another
	// crawl that is not over.
	others := folder{
		"crawl-20260304120000-00001.warc.gz":      string(write(t, page(7))),
		"crawl-20260304120000-00002.warc.gz.open": string(write(t, page(8))),
		"crawl-20260304120000-00003.cdxj":         "theirs",
		"crawl-20260304120000-00004.warc.gz.open": "",
		"crawl-20260304120000-00009.warc.gz":      "junk",
		"notes.txt":                               "hello",
	}
	dir := others.put(t)
	if err := os.Mkdir(filepath.Join(dir, "crawl-20260304120000-00012.warc.gz"), 0o777); err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, dir, nil, testOptions(1))
	begun := a.Position()
	mustAdd(t, a, pages(0, 6)...)
	a.Close()
	second, err := Open(dir, "crawl", nil, testOptions(1))
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, second, pages(0, 6)...)
	if err := second.Finish(); err != nil {
		t.Fatal(err)
	}
	all := read(t, dir)
	for name, text := range others {
		if all[name] != text {
			t.Errorf("%s was changed", name)
		}
	}

	// The first goes back to its beginning, and all else stays.
	mustOpen(t, dir, begun, testOptions(1))
	now := read(t, dir)
	if len(now.names()) != len(others)+12 {
		t.Errorf("files %q", now.names())
	}
	for _, name := range now.names() {
		if all[name] != now[name] {
			t.Errorf("%s was changed", name)
		}
	}
}

// theirGzip is the beginning of a text that was compressed by somebody else.
const theirGzip = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x28\xc9\xc8\x2c\x56\x00\xa2\x44\x85\x92\xd4\x8a\x12\x85\xfc\x34\x85\xe2\xfc\xdc\xd4\xa4\xfc\x94\x4a\x85\xd4\x9c\xe2\x54\xf5\x62\x1d\x85\xf2\x8c\xcc\xe4\x0c\x90\x9a\xbc\x7c\x85\xa2\xd4\xe4"

func TestArchiveRefusesWhatOthersChanged(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	mustAdd(t, a, pages(0, 3)...)
	kept := mustAdd(t, a, pages(3, 3)...)
	a.Close()
	ok := read(t, dir)
	name := ok.names()[1]
	text := ok[name]
	theirs := string(write(t, page(9)))
	for title, f := range map[string]folder{
		"removed":               ok.with(name),
		"shorter":               ok.with(name, text[:len(text)-1]),
		"emptied":               ok.with(name, ""),
		"changed at the end":    ok.with(name, text[:len(text)-3]+"abc"),
		"changed before":        ok.with(name, text[:len(text)-2000]+"abc"+text[len(text)-1997:]),
		"added to":              ok.with(name, text+theirs),
		"added to, broken off":  ok.with(name, text+theirs[:len(theirs)-3]),
		"text added":            ok.with(name, text+"hello"),
		"some zeros added":      ok.with(name, text+"hello"+strings.Repeat("\x00", 15)),
		"many zeros added":      ok.with(name, text+"hello"+strings.Repeat("\x00", 2000)),
		"zeros further on":      ok.with(name, text+strings.Repeat("hello", 500)+strings.Repeat("\x00", 2000)+"hello"),
		"gzip with zeros added": ok.with(name, text+theirGzip+strings.Repeat("\x00", 2000)+"hello"),
		"gzip added":            ok.with(name, text+"\x1f\x8b\x08\x08abc"),
		"completed, added to":   ok.with(name).with(strings.TrimSuffix(name, ".open"), text+theirs),
		"completed and changed": ok.with(name).with(strings.TrimSuffix(name, ".open"), "x"+text[1:len(text)-1]+"y"),
	} {
		t.Run(title, func(t *testing.T) {
			f := f.with("crawl-20260304120009-00009.warc.gz", theirs)
			dir := f.put(t)
			_, err := open(dir, "crawl", kept, testOptions(1e6), archiveID)
			var changed *ChangedError
			if !errors.As(err, &changed) || !strings.Contains(err.Error(), "choose another folder") || !strings.Contains(err.Error(), filepath.Join(dir, "crawl-20260304120000-00001.warc.gz")) {
				t.Errorf("error %v", err)
			}
			sameFolder(t, read(t, dir), f)
		})
	}
	t.Run("a link", func(t *testing.T) {
		dir := ok.with(name).put(t)
		if err := os.Symlink(filepath.Join(ok.put(t), name), filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		if _, err := Open(dir, "crawl", kept, testOptions(1e6)); err == nil {
			t.Error("no error")
		}
	})
}

func TestArchiveKeepsItsError(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	kept := mustAdd(t, a, pages(0, 3)...)
	a.file.Close()
	err := a.Add(pages(3, 3))
	if err == nil || !errors.Is(a.Add(pages(3, 3)), err) || !errors.Is(a.Finish(), err) || !bytes.Equal(a.Position(), kept) {
		t.Errorf("error %v, then %v", err, a.Finish())
	}
	a.Close()
	a = mustOpen(t, dir, kept, testOptions(1e6))
	mustAdd(t, a, pages(3, 3)...)
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	checkArchive(t, read(t, dir), 6)
}

func TestArchiveDoesNotOverwriteWhenItCompletesAFile(t *testing.T) {
	dir := t.TempDir()
	a := mustOpen(t, dir, nil, testOptions(1e6))
	mustAdd(t, a, page(1))
	path := filepath.Join(dir, a.name)
	if err := os.WriteFile(path, []byte("theirs"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := a.Finish(); err == nil || read(t, dir)[a.name] != "theirs" {
		t.Errorf("error %v", err)
	}
}

func TestPositionsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{
		"", "null", "{}", "[]", `{"v":2}`, `{"v":1,"id":"00"}`,
		`{"v":1,"id":"01020300000000000000000000000000","serial":-1}`,
		`{"v":1,"id":"01020300000000000000000000000000","serial":1,"file":"../x-20260304120000-00001.warc.gz"}`,
		`{"v":1,"id":"01020300000000000000000000000000","serial":2,"file":"x-20260304120000-00001.warc.gz"}`,
	} {
		if _, err := Open(dir, "crawl", []byte(p), testOptions(1)); err == nil {
			t.Errorf("%q is taken", p)
		}
	}
	for _, prefix := range []string{"", ".x", "a/b", "a b", strings.Repeat("a", 101)} {
		if _, err := Open(dir, prefix, nil, testOptions(1)); err == nil {
			t.Errorf("prefix %q is taken", prefix)
		}
	}
	for _, o := range []Options{{}, {MaxSize: 1, Level: 10}, {MaxSize: 0, Level: 1}} {
		if _, err := Open(dir, "crawl", nil, o); err == nil {
			t.Errorf("options %+v are taken", o)
		}
	}
}
