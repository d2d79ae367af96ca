package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const damagedEvents = 1700

// soundFile gives the bytes of a crawl file whose log is three levels high.
func soundFile(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sound.pawl")
	f, err := Create(path, nil)
	must(t, err)
	appendVisits(t, f, 1, damagedEvents)
	must(t, f.Close())
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// use does with a file what pawl does: it must not crash, whatever the file.
// It gives the error of opening, and the first of those that came later.
func use(t *testing.T, path string) (opening, later error) {
	t.Helper()
	note := func(what string, err error) {
		checkDamageError(t, what, err)
		if err != nil && later == nil {
			later = fmt.Errorf("%s: %w", what, err)
		}
	}
	f, err := Open(path, true)
	if err != nil {
		return err, nil
	}
	note("read", readAll(f))
	must(t, f.Close())
	if f, err = Open(path, false); err != nil {
		return err, later
	}
	note("write", writeMore(f))
	note("read", readAll(f))
	if err := f.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	// Whatever happened, the lock is gone.
	if f, err = Open(path, true); err == nil {
		f.Close()
	} else if errors.Is(err, ErrInUse) {
		t.Errorf("open again: %v", err)
	}
	return nil, later
}

// readAll reads a file in every way and gives the first error.
func readAll(f *File) error {
	walk := f.Walk(0, math.MaxUint64, func(_ uint64, stored []byte) error {
		_, err := Decode(bytes.Clone(stored))
		return err
	})
	view := f.View(func(r *Reader) error {
		if _, err := r.State(); err != nil {
			return err
		}
		r.Last()
		for seq := uint64(1); seq <= damagedEvents; seq += 50 {
			if _, err := Decode(bytes.Clone(r.Event(seq))); err != nil {
				return err
			}
		}
		return nil
	})
	found, check := f.Check(3)
	if check == nil && len(found) > 0 {
		check = damage("%v", found[0])
	}
	for _, err := range []error{walk, view, check} {
		if err != nil {
			return err
		}
	}
	return nil
}

func writeMore(f *File) error {
	var last uint64
	if err := f.View(func(r *Reader) error { last = r.Last(); return nil }); err != nil {
		return err
	}
	for range 3 {
		var b Batch
		b.Reset(last + 1)
		for range 20 {
			last, _ = b.Add(testVisit(last + 1))
		}
		b.State.Counts.Known = last
		if err := f.Commit(&b); err != nil {
			return err
		}
	}
	return nil
}

func TestAFileThatWasCutShort(t *testing.T) {
	sound := soundFile(t)
	highWater := soundMeta(t, sound).highWater * uint64(os.Getpagesize())
	var lengths []int
	for n := 0; n < int(highWater); n += 512 {
		lengths = append(lengths, n)
	}
	lengths = append(lengths, 1, 15, 16, 19, 20, 79, 80, 81, 4095, 4097, 8191, 8193, 12345,
		int(highWater)-1, int(highWater), int(highWater)+1, len(sound))
	slices.Sort(lengths)
	path := filepath.Join(t.TempDir(), "cut.pawl")
	whole := 0
	for _, n := range slices.Backward(lengths) {
		if uint64(n) >= highWater {
			// Using it writes to it.
			must(t, os.WriteFile(path, sound[:n], 0o600))
			if opening, later := use(t, path); opening != nil || later != nil {
				t.Errorf("cut to %d bytes, of which %d are used: %v, %v", n, highWater, opening, later)
			}
			must(t, os.WriteFile(path, sound, 0o600))
			whole++
			continue
		}
		must(t, os.Truncate(path, int64(n)))
		if opening, later := use(t, path); !errors.Is(opening, ErrDamaged) && !errors.Is(opening, ErrNotOurs) {
			t.Errorf("cut to %d bytes: %v, %v", n, opening, later)
		}
	}
	if whole != 3 {
		t.Errorf("%d of %d lengths had all pages", whole, len(lengths))
	}
}

func soundMeta(t *testing.T, sound []byte) *boltMeta {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meta.pawl")
	must(t, os.WriteFile(path, sound, 0o600))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	m, err := inspectMeta(f)
	must(t, err)
	return m
}

func TestAFileThatIsCutShortWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut there")
	}
	sound := soundFile(t)
	for _, readOnly := range []bool{true, false} {
		for _, n := range []int64{0, 4096, 8192, 100 << 10} {
			path := filepath.Join(t.TempDir(), "crawl.pawl")
			must(t, os.WriteFile(path, sound, 0o600))
			f, err := Open(path, readOnly)
			must(t, err)
			must(t, os.Truncate(path, n))
			for range 2 {
				if err := f.Walk(1, damagedEvents, func(uint64, []byte) error { return nil }); !errors.Is(err, ErrDamaged) {
					t.Errorf("walk, cut to %d: %v", n, err)
				}
			}
			if found, err := f.Check(1); err == nil && len(found) == 0 {
				t.Errorf("check, cut to %d: nothing found", n)
			}
			if !readOnly {
				var b Batch
				b.Reset(damagedEvents + 1)
				b.Add(testVisit(1))
				if err := f.Commit(&b); err == nil {
					t.Errorf("commit, cut to %d: no error", n)
				}
			}
			if err := f.Close(); err != nil {
				t.Errorf("close, cut to %d: %v", n, err)
			}
		}
	}
}

// pageFile is a file in which a test damages pages.
type pageFile struct {
	b    []byte
	meta *boltMeta
}

func (p pageFile) page(id uint64) []byte { return p.b[id*p.meta.pageSize:][:p.meta.pageSize] }

func (p pageFile) flags(id uint64) uint16 { return binary.LittleEndian.Uint16(p.page(id)[8:]) }

// of gives the pages with the flags that are in use.
func (p pageFile) of(t *testing.T, flags uint16) []uint64 {
	t.Helper()
	check := newPages(bytes.NewReader(p.b), p.meta.pageSize, p.meta.highWater)
	check.leaves = true
	must(t, check.tree(p.meta.root))
	var ids []uint64
	for id := uint64(2); id < p.meta.highWater; id++ {
		if check.seen[id/64]&(1<<(id%64)) != 0 && binary.LittleEndian.Uint64(p.page(id)) == id && p.flags(id) == flags {
			ids = append(ids, id)
		}
	}
	return ids
}

// child gives the place of the number of a branch's i-th child.
func (p pageFile) child(id uint64, i int) []byte { return p.page(id)[16+16*i+8:][:8] }

func put(b []byte, n uint64) { binary.LittleEndian.PutUint64(b, n) }

func get(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func TestPagesThatBboltWouldFollow(t *testing.T) {
	sound := soundFile(t)
	meta := soundMeta(t, sound)
	whole := pageFile{sound, meta}
	branches, leaves := whole.of(t, branchFlag), whole.of(t, leafFlag)
	// The root of the log is the branch that leads to branches.
	i := slices.IndexFunc(branches, func(id uint64) bool { return whole.flags(get(whole.child(id, 0))) == branchFlag })
	if i < 0 {
		t.Fatalf("the log is too low: branches %v", branches)
	}
	root := branches[i]
	low := get(whole.child(root, 0))
	// A leaf of the log that is not the first of its level.
	leaf := get(whole.child(low, 1))
	for _, c := range []struct {
		name   string
		damage func(pageFile)
		want   string // what opening says; empty: Check finds it at the latest
	}{
		{"a branch leads to itself", func(p pageFile) { put(p.child(low, 3), low) }, "referred to twice"},
		{"a branch leads to itself first", func(p pageFile) { put(p.child(low, 0), low) }, "referred to twice"},
		{"a branch leads back to the root", func(p pageFile) { put(p.child(low, 3), root) }, "referred to twice"},
		{"two branches lead to one leaf", func(p pageFile) { put(p.child(low, 3), get(p.child(low, 4))) }, "referred to twice"},
		{"a branch leads to the first page", func(p pageFile) { put(p.child(low, 3), 0) }, "page 0 of"},
		{"a branch leads to the second page", func(p pageFile) { put(p.child(low, 3), 1) }, "page 1 of"},
		{"a branch leads beyond the end", func(p pageFile) { put(p.child(low, 3), p.meta.highWater) }, "is referred to"},
		{"a branch leads to nowhere near", func(p pageFile) { put(p.child(low, 3), math.MaxUint64) }, "is referred to"},
		{"a branch leads to the free list", func(p pageFile) { put(p.child(low, 3), p.meta.freelist) }, "flags 0x10"},
		{"a branch leads to a leaf instead of a branch", func(p pageFile) { put(p.child(root, 1), leaf) }, "where 0x2 should be"},
		{"a branch has no children", func(p pageFile) { put(p.page(low)[8:], branchFlag) }, "leads nowhere"},
		{"a branch has too many children", func(p pageFile) { put(p.page(low)[8:], branchFlag|0xFFFF<<16) }, "do not fit"},
		{"a key of a branch lies outside", func(p pageFile) { p.page(low)[16+16*3+3] = 0x7f }, "lies outside"},
		{"a branch has another page's number", func(p pageFile) { put(p.page(low), low+1) }, "says that it is page"},
		{"a branch has no flags", func(p pageFile) { p.page(low)[8] = 0 }, "flags 0x0"},
		{"a branch says that it is a leaf", func(p pageFile) { p.page(low)[8] = leafFlag }, "should be"},
		{"a branch is empty", func(p pageFile) { clear(p.page(low)) }, "says that it is page"},
		{"a branch reaches beyond the end", func(p pageFile) { p.page(low)[15] = 0x7f }, "reaches beyond"},
		{"the free list is none", func(p pageFile) { p.page(p.meta.freelist)[8] = leafFlag }, "where the list of free pages should be"},
		{"the free list is longer than its page", func(p pageFile) { put(p.page(p.meta.freelist)[8:], freelistFlag|0xFFF0<<16) }, "does not fit"},
		{"the free list is longer than the file", func(p pageFile) {
			put(p.page(p.meta.freelist)[8:], freelistFlag|0xFFFF<<16)
			put(p.page(p.meta.freelist)[16:], 1<<40)
		}, "does not fit"},
		{"the free list names a branch", func(p pageFile) { put(p.page(p.meta.freelist)[16:], low) }, "referred to twice"},
		{"the free list names a leaf", func(p pageFile) { put(p.page(p.meta.freelist)[16:], leaf) }, "referred to twice"},
		{"the free list names a page twice", func(p pageFile) { copy(p.page(p.meta.freelist)[24:32], p.page(p.meta.freelist)[16:]) }, "referred to twice"},
		{"the free list names the second page", func(p pageFile) { put(p.page(p.meta.freelist)[16:], 1) }, "page 1 of"},
		{"a leaf says that it is a branch", func(p pageFile) { p.page(leaf)[8] = branchFlag }, ""},
		{"a leaf has another page's number", func(p pageFile) { put(p.page(leaf), leaf+1) }, ""},
		{"a leaf has too many entries", func(p pageFile) { p.page(leaf)[11] = 0xff }, ""},
		{"a leaf reaches beyond the end", func(p pageFile) { p.page(leaf)[15] = 0x7f }, ""},
		{"a value lies outside its leaf", func(p pageFile) { p.page(leaf)[16+15] = 0x70 }, ""},
		{"a key lies outside its leaf", func(p pageFile) { p.page(leaf)[16+7] = 0x70 }, ""},
		{"a key is empty", func(p pageFile) { p.page(leaf)[16+8] = 0 }, ""},
		{"a value is a bucket", func(p pageFile) { p.page(leaf)[16] = bucketElement }, ""},
		{"a leaf is empty", func(p pageFile) { clear(p.page(leaf)) }, ""},
		{"a leaf is another", func(p pageFile) {
			copy(p.page(leaf), p.page(get(p.child(low, 5))))
			put(p.page(leaf), leaf)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pageFile{bytes.Clone(sound), meta}
			c.damage(p)
			path := filepath.Join(t.TempDir(), "crawl.pawl")
			must(t, os.WriteFile(path, p.b, 0o600))
			opening, later := use(t, path)
			switch {
			case c.want == "" && opening == nil && later == nil:
				t.Error("nobody found it")
			case c.want != "" && (!errors.Is(opening, ErrDamaged) || !strings.Contains(opening.Error(), c.want)):
				t.Errorf("opening: %v, want %q", opening, c.want)
			}
		})
	}
	t.Logf("branches %v, %d leaves, %d pages", branches, len(leaves), meta.highWater)
}

// Whatever stands in a file, using it ends in an error or in data.
func TestRandomDamage(t *testing.T) {
	rnd := newRand(t)
	sound := soundFile(t)
	meta := soundMeta(t, sound)
	whole := pageFile{sound, meta}
	inner := append(whole.of(t, branchFlag), meta.freelist, meta.root, 0, 1)
	path := filepath.Join(t.TempDir(), "crawl.pawl")
	var refused, found, unnoticed int
	for range randomRounds() {
		p := pageFile{bytes.Clone(sound), meta}
		var did []string
		for range 1 + rnd.IntN(3) {
			id := rnd.Uint64N(meta.highWater)
			if rnd.IntN(2) == 0 {
				id = inner[rnd.IntN(len(inner))]
			}
			did = append(did, damagePage(rnd, p, id))
		}
		must(t, os.WriteFile(path, p.b, 0o600))
		opening, later := use(t, path)
		switch {
		case opening != nil:
			refused++
			if !errors.Is(opening, ErrDamaged) && !errors.Is(opening, ErrNotOurs) && !errors.Is(opening, ErrTooNew) {
				t.Errorf("%s: an error of no name: %v", did, opening)
			}
		case later != nil:
			found++
		default:
			unnoticed++
		}
		if t.Failed() {
			t.Fatalf("after %s", did)
		}
	}
	t.Logf("%d files refused, in %d damage was found, in %d not", refused, found, unnoticed)
}

// damagePage does to a page what disks, file systems and cosmic rays do.
func damagePage(rnd *rand.Rand, p pageFile, id uint64) string {
	other := rnd.Uint64N(p.meta.highWater)
	switch rnd.IntN(3) {
	case 0:
		copy(p.page(id), p.page(other))
		return fmt.Sprintf("page %d: as %d", id, other)
	case 1: // an old state of the same page
		copy(p.page(id), p.page(other))
		put(p.page(id), id)
		return fmt.Sprintf("page %d: as %d, with its own number", id, other)
	default:
		return damageBytes(rnd, p, id)
	}
}

func damageBytes(rnd *rand.Rand, p pageFile, id uint64) string {
	page := p.page(id)
	switch rnd.IntN(4) {
	case 0:
		i := rnd.IntN(len(page))
		page[i] ^= 1 << rnd.IntN(8)
		return fmt.Sprintf("page %d: bit in byte %d", id, i)
	case 1: // where the structure is
		i := rnd.IntN(100)
		page[i] = byte(rnd.Uint32())
		return fmt.Sprintf("page %d: byte %d is %#x", id, i, page[i])
	case 2:
		i := rnd.IntN(len(page) / 512)
		for j := range 512 {
			page[i*512+j] = byte(rnd.Uint32())
		}
		return fmt.Sprintf("page %d: sector %d is random", id, i)
	default:
		clear(page)
		return fmt.Sprintf("page %d: empty", id)
	}
}

// Most leaves of a large file are not looked at when it is opened.
func TestRandomDamageThatOpeningDoesNotSee(t *testing.T) {
	rnd := newRand(t)
	sound := soundFile(t)
	meta := soundMeta(t, sound)
	leaves := pageFile{sound, meta}.of(t, leafFlag)
	path := filepath.Join(t.TempDir(), "crawl.pawl")
	var found int
	for range randomRounds() {
		must(t, os.WriteFile(path, sound, 0o600))
		f, err := Open(path, rnd.IntN(2) == 0)
		must(t, err)
		p := pageFile{bytes.Clone(sound), meta}
		var did []string
		for range 1 + rnd.IntN(20) {
			did = append(did, damageBytes(rnd, p, leaves[rnd.IntN(len(leaves))]))
		}
		// bbolt sees it through its mapping.
		h, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		_, err = h.WriteAt(p.b, 0)
		must(t, err)
		must(t, h.Close())
		reading, writing := readAll(f), writeMore(f)
		checkDamageError(t, "read", reading)
		checkDamageError(t, "write", writing)
		checkDamageError(t, "read again", readAll(f))
		must(t, f.Close())
		if reading != nil {
			found++
		}
		if t.Failed() {
			t.Fatalf("after %s", did)
		}
	}
	t.Logf("in %d of %d files damage was found", found, randomRounds())
}

var roundsFlag = flag.Int("rounds", 25, "rounds of the tests with random damage")

func randomRounds() int {
	if testing.Short() {
		return min(*roundsFlag, 10)
	}
	return *roundsFlag
}

func checkDamageError(t *testing.T, what string, err error) {
	t.Helper()
	var failed *WriteError
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotOurs) && !errors.Is(err, errOrder) && !errors.As(err, &failed) {
		t.Errorf("%s: an error of no name: %v", what, err)
	}
}
