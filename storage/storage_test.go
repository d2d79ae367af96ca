package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	bolt "go.etcd.io/bbolt"
)

// newFile makes a crawl file that is checked page by page at the end.
func newFile(t testing.TB) *File {
	t.Helper()
	f, err := Create(filepath.Join(t.TempDir(), "crawl.pawl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkSound(t, f)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func checkSound(t testing.TB, f *File) {
	t.Helper()
	found, err := f.Check(5)
	if err != nil || len(found) > 0 {
		t.Errorf("the file is not sound: %v, %v", found, err)
	}
}

// testVisit is a page as they are: eight new links, a record of some 240
// bytes.
func testVisit(n uint64) *Visit {
	page := fmt.Sprintf("https://shop-%d.example.com/catalogue/category-%d/page-%d.html", n%50, n%7, n)
	v := &Visit{
		Job: JobID{Host: uint32(n % 50), Ord: uint32(n)}, URL: page, Attempt: 1,
		Origin:  Origin{Depth: uint32(n % 9)},
		Ask:     Ask{Asked: true, Time: 1795000000000 + int64(n), Took: 120, Transferred: 21000},
		Outcome: Fetched, Status: 200, ContentHash: []byte("0123456789abcdef"),
		FoundOn: fmt.Sprintf("https://shop-%d.example.com/catalogue/category-%d/index.html", n%50, n%7), Canonical: page,
		Record: Record{
			FoundAt: 1795000000000, Anchor: "Next page", Kind: 1, ContentType: "text/html", Charset: "utf-8", Language: "en",
			Title: fmt.Sprintf("All the books of category %d, page %d | Example shop", n%7, n), H1: "All the books",
			Outlinks: 74, Size: 78000, SimHash: 0x5ac3_99e0_1f42_77d3, WordCount: 1400,
			LastModified: "Sat, 21 Nov 2026 10:00:00 GMT", ETag: `"5f1a-62c3b1"`, TTFB: 80, HTTPVersion: "HTTP/2.0", IP: "192.0.2.17",
		},
	}
	for i := range 8 {
		v.Links = append(v.Links, Link{URL: fmt.Sprintf("https://shop-%d.example.com/catalogue/book-%d-%d/index.html", n%50, n, i), Kind: 1, Anchor: "A book"})
	}
	return v
}

// appendVisits commits events from..to of testVisit, 100 at a time.
func appendVisits(t testing.TB, f *File, from, to uint64) {
	t.Helper()
	var b Batch
	for from <= to {
		b.Reset(from)
		for ; from <= to && b.Len() < 100; from++ {
			b.Add(testVisit(from))
		}
		b.State.Counts.Known = from - 1
		if err := f.Commit(&b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsCommittedIsThereAfterReopening(t *testing.T) {
	rnd := newRand(t)
	f := newFile(t)
	path := f.Path()
	if err := f.View(func(r *Reader) error {
		s, err := r.State()
		if r.Last() != 0 || r.Event(1) != nil || err != nil || !cmp.Equal(s, State{}) {
			t.Errorf("a new file holds %d events, state %+v, %v", r.Last(), s, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	checkSound(t, f)

	var want []Event
	var state State
	var b Batch
	for range 20 {
		b.Reset(uint64(len(want)) + 1)
		for range rnd.IntN(30) {
			e := randomEvent(rnd, eventKinds[rnd.IntN(len(eventKinds))].make())
			b.Add(e)
			want = append(want, e)
		}
		fill(rnd, reflect.ValueOf(&b.State).Elem())
		state = b.State
		if err := f.Commit(&b); err != nil {
			t.Fatal(err)
		}
	}
	for _, readOnly := range []bool{true, false} {
		g := reopen(t, f, readOnly)
		if !cmp.Equal(g.Header(), f.Header()) || g.Path() != path || g.Size() == 0 {
			t.Errorf("header %+v, want %+v", g.Header(), f.Header())
		}
		var got []Event
		var last uint64
		if err := g.Walk(1, math.MaxUint64, func(seq uint64, stored []byte) error {
			if seq != last+1 {
				return fmt.Errorf("seq %d after %d", seq, last)
			}
			last = seq
			e, err := Decode(stored)
			got = append(got, e)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("-committed +read:\n%s", diff)
		}
		if err := g.View(func(r *Reader) error {
			s, err := r.State()
			if diff := cmp.Diff(state, s, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-committed +read:\n%s", diff)
			}
			if r.Last() != last || r.Event(0) != nil || r.Event(last+1) != nil || r.Event(last) == nil {
				t.Errorf("last is %d, want %d", r.Last(), last)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		f.db, f.file = g.db, g.file // for the next round and the check at the end
	}
}

// reopen closes the file and opens it once more.
func reopen(t *testing.T, f *File, readOnly bool) *File {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := Open(f.Path(), readOnly)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestWalk(t *testing.T) {
	f := newFile(t)
	const last = 2*slice + 3
	var b Batch
	b.Reset(1)
	for i := range uint64(last) {
		b.Add(&Edit{Edit: EditReview, Upto: i + 1})
	}
	if err := f.Commit(&b); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	for _, c := range []struct {
		name     string
		from, to uint64
		stopAt   uint64
		want     []uint64 // first and last seq; none
	}{
		{"everything", 0, math.MaxUint64, 0, []uint64{1, last}},
		{"up to the last", 1, last, 0, []uint64{1, last}},
		{"one slice", 1, slice, 0, []uint64{1, slice}},
		{"one slice and one", 1, slice + 1, 0, []uint64{1, slice + 1}},
		{"one event", 7, 7, 0, []uint64{7, 7}},
		{"the last event", last, math.MaxUint64, 0, []uint64{last, last}},
		{"nothing between", 7, 6, 0, nil},
		{"nothing beyond", last + 1, math.MaxUint64, 0, nil},
		{"nothing at the end of numbers", math.MaxUint64, math.MaxUint64, 0, nil},
		{"until an error", 3, last, slice + 5, []uint64{3, slice + 5}},
	} {
		var got []uint64
		err := f.Walk(c.from, c.to, func(seq uint64, event []byte) error {
			if len(got) == 0 {
				got = []uint64{seq, seq}
			} else if seq != got[1]+1 {
				t.Errorf("%s: %d after %d", c.name, seq, got[1])
			}
			got[1] = seq
			if e, err := DecodeEdit(event); err != nil || e.Upto != seq {
				t.Errorf("%s: event %d is %+v, %v", c.name, seq, e, err)
			}
			if seq == c.stopAt {
				return stop
			}
			return nil
		})
		if !cmp.Equal(got, c.want) || (c.stopAt != 0) != (err == stop) {
			t.Errorf("%s: %v, want %v, %v", c.name, got, c.want, err)
		}
	}
	if err := f.View(func(r *Reader) error {
		n := 0
		return r.Scan(5, func(seq uint64, _ []byte) (bool, error) {
			n++
			if seq != uint64(4+n) || n > 3 {
				t.Errorf("event %d as number %d", seq, n)
			}
			return n < 3, nil
		})
	}); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreOnlyAppended(t *testing.T) {
	f := newFile(t)
	appendVisits(t, f, 1, 10)
	for _, first := range []uint64{0, 1, 10} {
		var b Batch
		b.Reset(first)
		b.Add(&Edit{Edit: EditReview})
		if err := f.Commit(&b); !errors.Is(err, errOrder) {
			t.Errorf("an event was written at %d: %v", first, err)
		}
	}
	var b Batch
	b.Reset(0)
	b.State.Run = Run{Number: 3, Running: true}
	if err := f.Commit(&b); err != nil {
		t.Errorf("a state alone: %v", err)
	}
	appendVisits(t, f, 11, 12)
	if err := f.Walk(1, 12, func(seq uint64, stored []byte) error {
		if want := testVisit(seq).appendTo(nil); !bytes.Equal(stored, want) {
			return fmt.Errorf("event %d was changed", seq)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestAFailedCommitLeavesTheFileAsItWas(t *testing.T) {
	f := newFile(t)
	appendVisits(t, f, 1, 150)
	g := reopen(t, f, false)
	// Every write fails from here on, as on a full disk.
	if err := g.file.Close(); err != nil {
		t.Fatal(err)
	}
	var b Batch
	b.Reset(151)
	b.Add(testVisit(151))
	var failed *WriteError
	if err := g.Commit(&b); !errors.As(err, &failed) {
		t.Fatalf("commit: %v", err)
	}
	if err := g.Walk(1, math.MaxUint64, func(seq uint64, _ []byte) error {
		if seq > 150 {
			return errors.New("the failed event is there")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	g.db.Close()
	h, err := Open(f.Path(), false)
	if err != nil {
		t.Fatal(err)
	}
	f.db, f.file = h.db, h.file
	appendVisits(t, f, 151, 152)
}

func TestAPanicOfTheCallerIsNotDamage(t *testing.T) {
	f := newFile(t)
	appendVisits(t, f, 1, 3)
	panics := func(name string, do func(*Reader) error) {
		defer func() {
			if p := recover(); p != "a bug" {
				t.Errorf("%s: %v", name, p)
			}
		}()
		t.Errorf("%s: %v", name, f.View(do))
	}
	panics("in view", func(r *Reader) error { r.Last(); r.State(); r.Event(1); panic("a bug") })
	panics("in scan", func(r *Reader) error {
		return r.Scan(1, func(uint64, []byte) (bool, error) { panic("a bug") })
	})
	appendVisits(t, f, 4, 5) // the transactions are over
}

func TestReadersSeeWholeCommits(t *testing.T) {
	f := newFile(t)
	appendVisits(t, f, 1, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				var last uint64
				if err := f.View(func(r *Reader) error {
					s, err := r.State()
					last = r.Last()
					if s.Counts.Known != last {
						t.Errorf("the state is of %d, the log ends at %d", s.Counts.Known, last)
					}
					return err
				}); err != nil {
					t.Error(err)
				}
				var n uint64
				if err := f.Walk(1, last, func(seq uint64, stored []byte) error {
					n++
					if seq != n {
						return fmt.Errorf("event %d as number %d", seq, n)
					}
					_, err := DecodeVisitHead(stored)
					return err
				}); err != nil || n != last {
					t.Errorf("%d events of %d: %v", n, last, err)
				}
				f.Size()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := uint64(2); n < 800; n += 20 {
		appendVisits(t, f, n, n+19)
	}
	close(done)
	wg.Wait()
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	before := time.Now().UnixMilli()
	f, err := Create(filepath.Join(dir, "a.pawl"), json.RawMessage(`{"drop":["utm_*"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := f.Header()
	if h.Format != FormatVersion || string(h.Rules) != `{"drop":["utm_*"]}` || h.Created < before || h.ID == h.Secret || h.ID == [16]byte{} {
		t.Errorf("header %+v", h)
	}
	g, err := Create(filepath.Join(dir, "b.pawl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Header().ID == h.ID || g.Header().Secret == h.Secret || string(g.Header().Rules) != "{}" {
		t.Errorf("header %+v after %+v", g.Header(), h)
	}
	info, err := os.Stat(f.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	checkNames(t, dir, "a.pawl", "b.pawl")
}

func checkNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !cmp.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestCreateThatFailsLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("mine"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	for _, c := range []struct {
		name, path, rules string
		want              error
	}{
		{"a file is there", "file", "{}", ErrExists},
		{"a folder is there", "folder", "{}", ErrExists},
		{"a link to nowhere is there", "link", "{}", ErrExists},
		{"no such folder", "none/crawl.pawl", "{}", ErrReadOnly},
		{"a file as folder", "file/crawl.pawl", "{}", ErrReadOnly},
		{"a name that is too long", strings.Repeat("n", 256), "{}", ErrReadOnly},
		{"rules that are no JSON", "crawl.pawl", "{", nil},
	} {
		f, err := Create(filepath.Join(dir, c.path), json.RawMessage(c.rules))
		if err == nil {
			f.Close()
		}
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if !strings.Contains(err.Error(), filepath.Base(c.path)) {
			t.Errorf("%s: the error does not name the file: %v", c.name, err)
		}
	}
	checkNames(t, dir, "file", "folder", "link")
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "mine" {
		t.Errorf("the file was changed: %q, %v", b, err)
	}
	// The longest name that a file can have is fine.
	f, err := Create(filepath.Join(dir, strings.Repeat("n", 255)), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestOneOfManyCreates(t *testing.T) {
	for range 5 {
		dir := t.TempDir()
		path := filepath.Join(dir, "crawl.pawl")
		files := make([]*File, 8)
		errs := make([]error, len(files))
		var wg sync.WaitGroup
		for i := range files {
			wg.Go(func() { files[i], errs[i] = Create(path, nil) })
		}
		wg.Wait()
		won := 0
		for i, err := range errs {
			switch {
			case err == nil:
				won++
				checkSound(t, files[i])
				must(t, files[i].Close())
			case !errors.Is(err, ErrExists):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d made the file", won)
		}
		checkNames(t, dir, "crawl.pawl")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesByName(t *testing.T) {
	t.Parallel() // it waits for locks
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(at("empty"), nil, 0o600))
	must(t, os.WriteFile(at("text"), []byte(strings.Repeat("https://example.com/\n", 1000)), 0o600))
	must(t, os.WriteFile(at("byte"), []byte{0xED}, 0o600))
	must(t, os.Symlink("nowhere", at("link")))

	db, err := bolt.Open(at("foreign"), 0o600, nil)
	must(t, err)
	must(t, db.Close())
	db, err = bolt.Open(at("other"), 0o600, &bolt.Options{NoFreelistSync: true})
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		return b.Put([]byte("x"), []byte("y"))
	}))
	must(t, db.Close())

	header := func(name, text string) {
		f, err := Create(at(name), nil)
		must(t, err)
		must(t, f.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyHeader, []byte(text)) }))
		must(t, f.Close())
	}
	header("newer", fmt.Sprintf(`{"format":%d,"id":"of another shape"}`, FormatVersion+1))
	header("no number", `{"id":[]}`)
	header("no JSON", `{`)
	header("broken header", `{"format":1,"id":"x"}`)

	f, err := Create(at("in use"), nil)
	must(t, err)
	defer f.Close()

	for _, c := range []struct {
		name     string
		readOnly bool
		want     error
	}{
		{"missing", false, ErrMissing},
		{"link", false, ErrMissing},
		{"text/missing", false, ErrMissing},
		{".", false, ErrNotOurs},
		{"empty", false, ErrNotOurs},
		{"byte", false, ErrNotOurs},
		{"text", false, ErrNotOurs},
		{"foreign", false, ErrNotOurs},
		{"foreign", true, ErrNotOurs},
		{"other", false, ErrNotOurs},
		{"no number", false, ErrNotOurs},
		{"no JSON", false, ErrNotOurs},
		{"broken header", false, ErrDamaged},
		{"newer", false, ErrTooNew},
		{"newer", true, ErrTooNew},
		{"in use", false, ErrInUse},
		{"in use", true, ErrInUse},
	} {
		before, _ := os.ReadFile(at(c.name))
		f, err := Open(at(c.name), c.readOnly)
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if !strings.HasPrefix(err.Error(), at(c.name)) {
			t.Errorf("%s: the error does not name the file: %v", c.name, err)
		}
		if after, _ := os.ReadFile(at(c.name)); !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

func TestManyReadersOrOneWriter(t *testing.T) {
	t.Parallel() // it waits for locks
	path := filepath.Join(t.TempDir(), "crawl.pawl")
	f, err := Create(path, nil)
	must(t, err)
	appendVisits(t, f, 1, 5)
	must(t, f.Close())
	a, err := Open(path, true)
	must(t, err)
	b, err := Open(path, true)
	must(t, err)
	if _, err := Open(path, false); !errors.Is(err, ErrInUse) {
		t.Errorf("a writer beside readers: %v", err)
	}
	var batch Batch
	batch.Reset(6)
	var failed *WriteError
	if err := a.Commit(&batch); !errors.As(err, &failed) {
		t.Errorf("a reader wrote: %v", err)
	}
	checkSound(t, a)
	must(t, a.Close())
	must(t, b.Close())
	c, err := Open(path, false)
	must(t, err)
	must(t, c.Close())
}

func TestAFileWithoutWritePermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everything")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "crawl.pawl")
	f, err := Create(path, nil)
	must(t, err)
	must(t, f.Close())
	must(t, os.Chmod(path, 0o400))
	if _, err := Open(path, false); !errors.Is(err, ErrReadOnly) {
		t.Errorf("for writing: %v", err)
	}
	f, err = Open(path, true)
	must(t, err)
	must(t, f.Close())
	must(t, os.Chmod(dir, 0o500))
	if _, err := Create(filepath.Join(dir, "new.pawl"), nil); !errors.Is(err, ErrReadOnly) {
		t.Errorf("create: %v", err)
	}
}
