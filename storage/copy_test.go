package storage

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

// contents is all that stands in a file, as text: one line for each entry.
func contents(t testing.TB, f *File) []string {
	t.Helper()
	var all []string
	must(t, f.view(func(_ *Reader, tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			all = append(all, string(name))
			return b.ForEach(func(key, value []byte) error {
				all = append(all, fmt.Sprintf("%s %d ", name, len(key))+string(key)+string(value))
				return nil
			})
		})
	}))
	return all
}

// appendAll commits visits from..to with everything that there can be beside
// them.
func appendAll(t testing.TB, f *File, from, to uint64) {
	t.Helper()
	var b Batch
	for ; from <= to; from += uint64(b.Len()) {
		b.Reset(from)
		for n := from; n <= to && n < from+250; n++ {
			v := testVisit(n)
			if n%3 == 0 {
				v.Kept = append(v.Kept, Kept{KeepLinks, fmt.Appendf(nil, "links of %d", n)})
			}
			if n%50 == 0 {
				v.Kept = append(v.Kept, Kept{KeepBody, bytes.Repeat([]byte{byte(n)}, int(n%7)*3000+1)})
			}
			b.Add(v)
		}
		last := from + uint64(b.Len()) - 1
		b.State.Counts.Known = last
		b.State.Run.PID = int(last)
		b.Side = []SideValue{{SideCookies, "example.com", fmt.Append(nil, last)}, {SideTraps, fmt.Sprint("host ", last%1000), []byte("x")}}
		must(t, f.Commit(&b))
	}
}

// checkpointOf commits a checkpoint of which every part has as many pieces.
func checkpointOf(t testing.TB, f *File, generation uint32, pieces int) {
	t.Helper()
	var all []Piece
	for part := range parts {
		for i := range pieces {
			number := uint64(i)
			if part == PartHeads {
				number = HeadNumber(generation, i)
			}
			all = append(all, NewPiece(part, number, bytes.Repeat([]byte{byte(part), byte(i)}, 5000)))
		}
	}
	n := uint64(pieces)
	must(t, f.WriteCheckpoint(all, &Checkpoint{Seq: 1, Generation: generation, Seen: n, Queue: n, Contents: n, Heads: uint32(n)}))
}

func copyOf(t testing.TB, f *File, pace func(time.Duration)) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.pawl")
	must(t, f.CopyTo(t.Context(), path, pace))
	g, err := Open(path, false)
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	checkSound(t, g)
	return g
}

func TestACopyIsTheFile(t *testing.T) {
	f := newFile(t)
	for _, n := range []uint64{0, 1, 1000, 7000} {
		var from uint64
		must(t, f.View(func(r *Reader) error { from = r.Last(); return nil }))
		appendAll(t, f, from+1, n)
		if n > 1 {
			checkpointOf(t, f, uint32(n), int(n/100))
			must(t, f.update(func(tx *bolt.Tx) error {
				// What a later version may bring.
				b, err := tx.CreateBucketIfNotExists([]byte("later"))
				if err != nil {
					return err
				}
				if _, err := tx.CreateBucketIfNotExists([]byte("empty")); err != nil {
					return err
				}
				return b.Put(fmt.Append(nil, n), []byte("something"))
			}))
		}
		rests := 0
		g := copyOf(t, f, func(time.Duration) { rests++ })
		if want, got := contents(t, f), contents(t, g); !slices.Equal(want, got) {
			t.Fatalf("%d events: the copy holds %d entries, not the %d of the file", n, len(got), len(want))
		}
		if !cmp.Equal(f.Header(), g.Header()) {
			t.Errorf("header %+v, want %+v", g.Header(), f.Header())
		}
		if n > 2*slice && rests == 0 {
			t.Error("there were no rests")
		}
		if g.Size() > f.Size() {
			t.Errorf("%d events: the copy takes %d bytes, the file %d", n, g.Size(), f.Size())
		}
		appendAll(t, g, n+1, n+200) // it can be gone on with
	}
	noTemporaries(t, filepath.Dir(f.Path()))
}

// noTemporaries checks that nothing is left of what was made on the way.
func noTemporaries(t testing.TB, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".pawl-*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

func TestACopyIsTheFileAtOneInstant(t *testing.T) {
	f := newFile(t)
	appendAll(t, f, 1, 5000)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { // as fast as it can
		next := uint64(5001)
		for generation := uint32(1); ; generation++ {
			select {
			case <-stop:
				return
			default:
			}
			appendAll(t, f, next, next+1999)
			next += 2000
			checkpointOf(t, f, generation, min(int(generation), 30))
		}
	})
	for range 3 {
		g := copyOf(t, f, func(time.Duration) { runtime.Gosched() })
		isPrefix(t, f, g)
	}
	close(stop)
	writer.Wait()
}

// isPrefix checks that a copy is what a file was after one of its commits.
func isPrefix(t testing.TB, f, g *File) {
	t.Helper()
	want, got := map[uint64][]byte{}, map[uint64][]byte{}
	var last uint64
	must(t, g.Walk(1, math.MaxUint64, func(seq uint64, b []byte) error {
		got[seq], last = slices.Clone(b), seq
		return nil
	}))
	must(t, f.Walk(1, last, func(seq uint64, b []byte) error {
		want[seq] = slices.Clone(b)
		return nil
	}))
	if !maps.EqualFunc(want, got, bytes.Equal) {
		t.Fatalf("the %d events of the copy are not the first of the file", len(got))
	}
	must(t, g.View(func(r *Reader) error {
		s, err := r.State()
		if s.Counts.Known != last || s.Run.PID != int(last) {
			t.Errorf("the log ends at event %d, but the state is that after %d", last, s.Counts.Known)
		}
		must(t, r.EachSide(SideCookies, func(_ string, value []byte) error {
			if string(value) != fmt.Sprint(last) {
				t.Errorf("the log ends at event %d, but what is kept beside it is of %s", last, value)
			}
			return nil
		}))
		for keep, every := range map[Keep]uint64{KeepLinks: 3, KeepBody: 50} {
			n := uint64(0)
			must(t, r.ScanKept(keep, 1, func(seq uint64, _ []byte) (bool, error) {
				n++
				if seq != n*every {
					t.Errorf("%s of event %d stand where those of %d should", keepBuckets[keep], seq, n*every)
				}
				return true, nil
			}))
			if n != last/every {
				t.Errorf("%d %s for %d events", n, keepBuckets[keep], last)
			}
		}
		check, ok, err2 := r.Checkpoint()
		if ok {
			for part := range parts {
				for i := range int(check.Heads) {
					number := uint64(i)
					if part == PartHeads {
						number = HeadNumber(check.Generation, i)
					}
					if _, err := r.Piece(part, number); err != nil {
						t.Error(err)
					}
				}
			}
		}
		return errors.Join(err, err2)
	}))
}

func TestACopyEndsThoughTheCrawlIsFaster(t *testing.T) {
	f := newFile(t)
	const first = 3 * slice
	appendAll(t, f, 1, first)
	next := uint64(first)
	rests := 0
	g := copyOf(t, f, func(time.Duration) {
		rests++
		if rests > 200 {
			t.Fatal("the copy goes on and on")
		}
		var b Batch
		for b.Reset(next + 1); b.Len() < slice*5/4; {
			b.Add(&Edit{})
		}
		must(t, f.Commit(&b))
		next += slice * 5 / 4
	})
	var last uint64
	must(t, g.View(func(r *Reader) error { last = r.Last(); return nil }))
	if last != next {
		t.Errorf("the copy ends at event %d of %d", last, next)
	}
}

func TestACopyIsNotMade(t *testing.T) {
	f := newFile(t)
	appendAll(t, f, 1, 3000)
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	must(t, os.WriteFile(taken, []byte("mine"), 0o600))
	if err := f.CopyTo(t.Context(), taken, nil); !errors.Is(err, ErrExists) {
		t.Errorf("over a file: %v", err)
	}
	if err := f.CopyTo(t.Context(), f.Path(), nil); !errors.Is(err, ErrExists) {
		t.Errorf("over itself: %v", err)
	}
	// One that comes while the copy is made.
	late := filepath.Join(dir, "late")
	err := f.CopyTo(t.Context(), late, func(time.Duration) { must(t, os.WriteFile(late, []byte("mine"), 0o600)) })
	if !errors.Is(err, ErrExists) {
		t.Errorf("over a file that came late: %v", err)
	}
	for _, name := range []string{taken, late} {
		if b, err := os.ReadFile(name); err != nil || string(b) != "mine" {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	if err := f.CopyTo(t.Context(), filepath.Join(dir, "none", "copy"), nil); !errors.Is(err, ErrReadOnly) {
		t.Errorf("into no folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := f.CopyTo(ctx, filepath.Join(dir, "copy"), func(time.Duration) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	must(t, f.update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketLog)
		key, value := b.Cursor().Last()
		bad := slices.Clone(value)
		bad[7] ^= 1
		return b.Put(slices.Clone(key), bad)
	}))
	if err := f.CopyTo(t.Context(), filepath.Join(dir, "copy"), nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("of a damaged file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "copy")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy was made: %v", err)
	}
	noTemporaries(t, dir)
}

func TestACheckpointThatCannotBeReadIsLeftOut(t *testing.T) {
	for name, spoil := range map[string]func(tx *bolt.Tx) error{
		"flipped": func(tx *bolt.Tx) error {
			return tx.Bucket(partBuckets[PartQueue]).Put([]byte{0, 0, 0, 0, 0, 0, 0, 1}, []byte("something else"))
		},
		"missing": func(tx *bolt.Tx) error { return prune(tx.Bucket(partBuckets[PartHeads]), 0, 0) },
		"unknown": func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyCheckpoint, []byte(`{"version":99}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t)
			appendAll(t, f, 1, 300)
			checkpointOf(t, f, 1, 3)
			must(t, f.update(spoil))
			g := copyOf(t, f, nil)
			isPrefix(t, f, g)
			must(t, g.View(func(r *Reader) error {
				if _, ok, err := r.Checkpoint(); ok || err != nil {
					t.Errorf("there is a checkpoint: %v", err)
				}
				return nil
			}))
		})
	}
}

var copyChild = flag.String("copy.child", "", "be the process that TestKilledCopy kills: copy the `file`")

// TestKilledCopy kills a process while it makes copies: what has the name of a
// copy is a whole one.
func TestKilledCopy(t *testing.T) {
	if *copyChild != "" {
		f, err := Open(*copyChild, true)
		must(t, err)
		fmt.Print(".")
		for i := 0; ; i++ {
			must(t, f.CopyTo(t.Context(), fmt.Sprintf("%s.%d", *copyChild, i), nil))
		}
	}
	f := newFile(t)
	appendAll(t, f, 1, 6000)
	checkpointOf(t, f, 1, 20)
	want := contents(t, f)
	dir := t.TempDir()
	child := filepath.Join(dir, "crawl.pawl")
	must(t, f.CopyTo(t.Context(), child, nil))
	whole := 0
	for round := 0; round < 5 || whole == 0 && round < 30; round++ {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledCopy$", "-copy.child", child)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = out.Read(make([]byte, 1))
		must(t, err)
		<-time.After(time.Duration(rand.IntN(150)) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		must(t, err)
		for _, name := range names {
			if name == child || strings.Contains(name, ".pawl-") {
				continue
			}
			g, err := Open(name, false)
			must(t, err)
			if !slices.Equal(contents(t, g), want) {
				t.Errorf("%s is not the whole file", filepath.Base(name))
			}
			checkSound(t, g)
			must(t, g.Close())
			must(t, os.Remove(name))
			whole++
		}
	}
	t.Logf("%d whole copies", whole)
}

func BenchmarkCopyTo(b *testing.B) {
	f, err := Create(filepath.Join(b.TempDir(), "crawl.pawl"), nil)
	must(b, err)
	defer f.Close()
	appendAll(b, f, 1, 50_000)
	path := filepath.Join(b.TempDir(), "copy.pawl")
	b.Run("file", func(b *testing.B) {
		b.SetBytes(f.Size())
		b.ReportAllocs()
		for b.Loop() {
			must(b, f.CopyTo(b.Context(), path, nil))
			must(b, os.Remove(path))
		}
	})
	b.Run("bytes", func(b *testing.B) { // what it takes at the least
		b.SetBytes(f.Size())
		for b.Loop() {
			from, err := os.Open(f.Path())
			must(b, err)
			to, err := os.Create(path)
			must(b, err)
			_, err = io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from}) // not by the file system alone
			must(b, errors.Join(err, to.Sync(), to.Close(), from.Close(), os.Remove(path)))
		}
	})
}

func TestInfoTellsWhatTakesTheSpace(t *testing.T) {
	f, err := Create(filepath.Join(t.TempDir(), "crawl.pawl"), nil)
	must(t, err)
	if i, err := f.Info(t.Context(), nil); err != nil || i.Last != 0 || i.Bytes != f.Size() {
		t.Errorf("of an empty file: %+v, %v", i, err)
	}
	appendAll(t, f, 1, 6000)
	var b Batch
	b.Reset(6001)
	b.Add(&Edit{Edit: EditWaits})
	must(t, f.Commit(&b))
	for generation := uint32(1); generation < 4; generation++ {
		checkpointOf(t, f, generation, 40)
	}
	for _, readOnly := range []bool{false, true} {
		g := f
		if readOnly {
			g = reopen(t, f, true)
			defer g.Close()
		}
		rests := 0
		i, err := g.Info(t.Context(), func(time.Duration) { rests++ })
		must(t, err)
		if rests == 0 {
			t.Error("there were no rests")
		}
		count := map[string]uint64{}
		sum := i.Tree + i.Free + i.Reserved
		for _, p := range i.Parts {
			count[p.Bucket+"/"+p.Kind] = p.Count
			sum += p.Bytes
		}
		want := map[string]uint64{
			"log/visit": 6000, "log/edit": 1, "links/": 2000, "bodies/": 120, "cookies/": 1, "traps/": 60, "meta/": 2, "state/": 4,
			"seen/": 40, "queue/": 40, "contents/": 40, "heads/": 40,
		}
		for name, n := range want {
			if count[name] != n && name != "traps/" && name != "state/" {
				t.Errorf("%s: %d, want %d", name, count[name], n)
			}
		}
		if sum != i.Bytes || i.Bytes != g.Size() || i.Tree <= 0 || i.Free <= 0 {
			t.Errorf("all parts are %d bytes, the file %d: %+v", sum, g.Size(), i)
		}
		if i.Last != 6001 || i.Checkpoint != 1 || i.Parts[0].Kind != "visit" {
			t.Errorf("%+v", i)
		}
		h := copyOf(t, g, nil)
		if off := float64(i.Packed-h.Size()) / float64(h.Size()); math.Abs(off) > 0.03 {
			t.Errorf("a copy was said to take %d bytes, but takes %d", i.Packed, h.Size())
		}
		if used, err := Used(g.Path()); err != nil || used != i.Bytes-i.Free-i.Reserved {
			t.Errorf("%d bytes are used, not %d; %v", i.Bytes-i.Free-i.Reserved, used, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newFile(t).Info(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestInfoOfAFileThatIsWritten(t *testing.T) {
	f := newFile(t)
	appendAll(t, f, 1, 5000)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for next := uint64(5001); ; next += 500 {
			select {
			case <-stop:
				return
			default:
				appendAll(t, f, next, next+499)
			}
		}
	})
	for range 10 {
		i, err := f.Info(t.Context(), nil)
		must(t, err)
		if i.Last < 5000 || i.Tree < 0 || i.Reserved < 0 {
			t.Errorf("%+v", i)
		}
		_, err = Used(f.Path())
		must(t, err)
	}
	close(stop)
	writer.Wait()
}

func TestReplace(t *testing.T) {
	f := newFile(t)
	appendAll(t, f, 1, 300)
	want := contents(t, f)
	dir := filepath.Dir(f.Path())
	link := filepath.Join(t.TempDir(), "link.pawl")
	if err := os.Symlink(f.Path(), link); err != nil {
		t.Skip(err)
	}
	must(t, os.Chmod(f.Path(), 0o640))
	// f holds the lock: another file.
	source := filepath.Join(dir, "source.pawl")
	must(t, f.CopyTo(t.Context(), source, nil))
	must(t, os.Chmod(source, 0o640))
	must(t, os.Remove(link))
	must(t, os.Symlink(source, link))
	g, err := Open(link, false)
	must(t, err)
	tmp := TempName(source)
	must(t, g.CopyTo(t.Context(), tmp, nil))
	before, err := os.Stat(source)
	must(t, err)
	must(t, g.Replace(tmp))
	after, err := os.Stat(source)
	must(t, err)
	if os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("the file is %v with %v, was %v with %v", after.Name(), after.Mode(), before.Name(), before.Mode())
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the symbolic link is %v, %v", info, err)
	}
	h, err := Open(link, true)
	must(t, err)
	defer h.Close()
	if !slices.Equal(contents(t, h), want) {
		t.Error("what stands there is not the file")
	}
	noTemporaries(t, dir)
}

// Who waits for the lock of a file while a copy takes its place would get that of a
// file without a name, and all that it wrote would be lost.
func TestWhoWaitsForAFileThatIsReplaced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is open cannot be replaced")
	}
	for _, readOnly := range []bool{false, true} {
		f, err := Create(filepath.Join(t.TempDir(), "crawl.pawl"), nil)
		must(t, err)
		tmp := TempName(f.Path())
		must(t, f.CopyTo(t.Context(), tmp, nil))
		waits, opened := make(chan struct{}), make(chan error)
		go func() {
			// As open does, but it can be seen when it has the old file.
			g := &File{path: f.Path()}
			h, err := os.Open(g.path)
			close(waits)
			if err == nil {
				<-opened
				g.file = h
				if !g.IsReplaced() {
					err = errors.New("it is not told")
				}
				h.Close()
			}
			opened <- err
		}()
		<-waits
		must(t, f.Replace(tmp))
		opened <- nil
		must(t, <-opened)
		g, err := Open(f.Path(), readOnly)
		must(t, err)
		must(t, g.Close())
	}
}

func BenchmarkInfo(b *testing.B) {
	f := newFile(b)
	appendAll(b, f, 1, 50_000)
	b.SetBytes(f.Size())
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.Info(b.Context(), nil)
		must(b, err)
	}
}
