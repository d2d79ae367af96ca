package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// A copy is made while the crawl goes on, which must not notice it:
//
//   - What only grows (the log, what is kept of visits, the pieces of a
//     checkpoint that stay) is read in short transactions, from the front on,
//     with rests in between.
//   - When little is left, one last transaction reads that, and everything that
//     changes. So the copy is the file as it stood at that instant.
//
// Which buckets are of the first kind is told here; every other bucket is of the
// second, also one that is not known to this version.

const (
	// copyBytes is from how many bytes on a transaction takes no more. What is
	// read is held in memory until it is written.
	copyBytes = 4 << 20
	// lastBytes is the same for the last transaction, which must not wait for the
	// disk if that can be had.
	lastBytes = 16 << 20
	// copyWindow is after how many transactions it is looked whether the crawl
	// runs ahead of the copy.
	copyWindow = 8
)

// CopyTo makes a copy of the crawl file at path, where nothing may be: ErrExists.
// It holds what the file held at one instant between the call and its return,
// event for event under the same numbers, also while another goroutine commits;
// packed, and without free pages but a few. It appears under its name only when
// it is whole and on disk.
//
// It is read in short transactions. After each, pace is told how long that took,
// so that it can rest in proportion; nil: no rests. It is told less than that,
// down to nothing, when the crawl commits faster than the copy gets on: it always
// comes to an end.
//
// ErrDamaged is the error of a file whose events or kept pages do not match their
// checksums; a checkpoint that cannot be read is left out of the copy, which makes
// it anew from its log. A [WriteError] is one of writing the copy; the crawl file
// is never written. CopyTo may be called concurrently with everything.
func (f *File) CopyTo(ctx context.Context, path string, pace func(took time.Duration)) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	tmp, err := f.copyTemp(ctx, path, pace)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	return Publish(tmp, path)
}

// Publish gives a finished file in the same folder its name, unless the name is
// taken: ErrExists. It is durable then.
func Publish(tmp, path string) error {
	if err := publish(tmp, path); err != nil {
		return createError(path, err)
	}
	_ = os.Remove(tmp) // the second name, where it was linked
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return &WriteError{fmt.Errorf("%s: %w", path, err)}
	}
	return nil
}

// SyncResults is SyncDir for a folder of files that can be made anew from the crawl
// file. One that may be written, but not read, as that of a drop box, cannot be
// synced, and that is no error then.
func SyncResults(dir string) error {
	err := SyncDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// TempName is a name in the folder of path under which nothing is, for a file that
// is to be given to Publish or Replace. What is left there after a crash may be
// deleted: see RemoveLeftovers.
func TempName(path string) string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".pawl-%x.tmp", b))
}

// Replace puts a copy of the file in its place, with the same permissions and
// owner, and closes the file. The copy must be in the folder that RealPath tells.
// The file must be open for writing, so that nobody else has it open. Whatever
// happens, its name is that of the one or the other; when there is an error
// besides a [WriteError], it is still the file's, and the copy is where it was.
func (f *File) Replace(with string) error {
	err := f.replace(with)
	if cerr := f.Close(); err == nil && cerr != nil && runtime.GOOS != "windows" {
		err = cerr
	}
	return err
}

func (f *File) replace(with string) error {
	path, err := f.RealPath()
	if err != nil {
		return err
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if err := keepOwner(with, info); err != nil {
		return fmt.Errorf("%s: %w: its owner cannot be kept: %w", path, ErrReadOnly, err)
	}
	if err := os.Chmod(with, info.Mode().Perm()); err != nil {
		return createError(path, err)
	}
	if runtime.GOOS == "windows" {
		// There a file that is open cannot be replaced: not by us, nor while
		// somebody else has come to open it.
		if err := f.Close(); err != nil {
			return err
		}
	}
	// The lock is held until the name is given away; who waits for it finds that
	// it is that of a file that is gone.
	if err := os.Rename(with, path); err != nil {
		return createError(path, err)
	}
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return &WriteError{fmt.Errorf("%s: %w", path, err)}
	}
	return nil
}

// IsReplaced tells whether another file stands at the path by now, or none. It may be
// called concurrently.
func (f *File) IsReplaced() bool {
	is, err := os.Stat(f.path)
	if err != nil {
		return true
	}
	was, err := f.file.Stat()
	return err != nil || !os.SameFile(is, was)
}

// RealPath is where the file stands when its path is a symbolic link.
func (f *File) RealPath() (string, error) {
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// copyTemp makes the copy under a temporary name in the folder of path.
func (f *File) copyTemp(ctx context.Context, path string, pace func(time.Duration)) (string, error) {
	RemoveLeftovers(filepath.Dir(path))
	h, err := os.CreateTemp(filepath.Dir(path), ".pawl-*.tmp")
	if err != nil {
		return "", createError(path, err)
	}
	tmp := h.Name()
	h.Close()
	if err := initialise(tmp, f.header); err != nil {
		os.Remove(tmp)
		return "", createError(path, err)
	}
	if err = f.fill(ctx, tmp, pace); err == nil {
		return tmp, nil
	}
	os.Remove(tmp)
	if write := (*WriteError)(nil); errors.As(err, &write) {
		cause := write.Err
		if named := (*fs.PathError)(nil); errors.As(cause, &named) {
			cause = named.Err // the temporary name says nothing to the user
		}
		err = &WriteError{fmt.Errorf("%s: %w", path, cause)}
	}
	return "", err
}

// fill copies everything into a new file, and syncs it.
func (f *File) fill(ctx context.Context, path string, pace func(time.Duration)) error {
	to, err := open(path, false)
	if err != nil {
		return &WriteError{err}
	}
	// Nobody reads it before it is whole, so it is synced once, at the end.
	to.db.NoSync, to.db.NoGrowSync = true, true
	c := &copier{ctx: ctx, from: f, to: to, pace: pace, share: 1, next: 1, most: copyBytes}
	err = f.Sequentially(c.run)
	var size int64
	if err == nil {
		err = to.view(func(_ *Reader, tx *bolt.Tx) error {
			size = tx.Size()
			return nil
		})
	}
	if cerr := to.Close(); err == nil && cerr != nil {
		err = &WriteError{cerr}
	}
	if err != nil {
		return err
	}
	return syncAt(path, size)
}

// syncAt cuts off what bbolt has taken beyond the size, and syncs the file.
func syncAt(path string, size int64) error {
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return &WriteError{err}
	}
	info, err := h.Stat()
	if err == nil && info.Size() > size {
		err = h.Truncate(size)
	}
	if err == nil {
		err = h.Sync()
	}
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return &WriteError{err}
	}
	return nil
}

// look is View for code of this package, whose panics mean damage.
func (f *File) look(do func(*Reader, *bolt.Tx) error) error {
	return f.View(func(r *Reader) error {
		r.ours = true
		return do(r, r.tx)
	})
}

// copier makes one copy.
type copier struct {
	ctx      context.Context
	from, to *File
	pace     func(time.Duration)
	share    float64 // of the time that pace is told

	next   uint64     // the first event that is not copied, and what is kept of it
	check  Checkpoint // whose pieces are copied, but those of its heads
	copied [parts]uint64
	broken bool // the checkpoint cannot be read

	entries []copyEntry // read and not yet written
	arena   []byte
	most    int // bytes from which on it is full
}

// copyEntry is a key and a value in the arena, or with no key a bucket that is to
// be there.
type copyEntry struct {
	bucket         []byte
	at, key, value int
}

// run copies everything.
func (c *copier) run() error {
	if err := c.catchUp(); err != nil {
		return err
	}
	if err := c.last(); err != nil {
		return err
	}
	if !c.broken {
		return nil
	}
	return c.to.update(func(tx *bolt.Tx) error {
		for _, name := range partBuckets {
			if err := tx.DeleteBucket(name); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
				return err
			}
		}
		return nil
	})
}

// catchUp copies what only grows, until little of it is left.
func (c *copier) catchUp() error {
	var began uint64 // where the window began
	var gap uint64   // that there was to the end of the log then
	for n := 0; ; n++ {
		start := time.Now()
		var left uint64
		more := false
		err := c.from.look(func(r *Reader, tx *bolt.Tx) (err error) {
			if more, err = c.events(r, tx, slice); err != nil || more {
				left = lastSeq(r.log) - c.next + 1
				return err
			}
			more, err = c.pieces(r, tx)
			return err
		})
		if err == nil {
			err = c.flush()
		}
		if err != nil || !more {
			return err
		}
		if n%copyWindow == 0 {
			if n > 0 && !c.faster(began, gap, left) {
				return nil // what is left is read at once
			}
			began, gap = c.next, left
		}
		if c.pace != nil && c.share > 0 {
			c.pace(time.Duration(float64(time.Since(start)) * c.share))
		}
	}
}

// faster looks how much nearer the copy has come to the end of the log, and gives
// up rests when that is less than half of what it has copied. False is that it
// makes none and is still hardly any faster than the crawl.
func (c *copier) faster(began, gap, left uint64) bool {
	done := c.next - began
	switch {
	case left+done/2 <= gap:
		return true
	case c.share > 0 && c.pace != nil:
		if c.share /= 2; c.share < 1.0/4 {
			c.share = 0
		}
		return true
	}
	return left+done/4 <= gap
}

// events reads the events that come next, at most as many, and what is kept of
// them. More tells whether there are others.
func (c *copier) events(r *Reader, tx *bolt.Tx, most int) (more bool, err error) {
	var from [8]byte
	binary.BigEndian.PutUint64(from[:], c.next)
	type place struct {
		cursor     *bolt.Cursor
		key, value []byte
	}
	var beside [keeps]place
	for i, name := range keepBuckets {
		if b := tx.Bucket(name); b != nil {
			p := &beside[i]
			p.cursor = b.Cursor()
			p.key, p.value = p.cursor.Seek(from[:])
		}
	}
	log := r.log.Cursor()
	for key, value := log.Seek(from[:]); key != nil; key, value = log.Next() {
		if most == 0 || c.isFull() {
			return true, nil
		}
		most--
		seq := seqOf(key)
		if seq < c.next || seq == ^uint64(0) {
			return false, damage("seq %d stands where %d or more should be", seq, c.next)
		}
		r.verified(seq, value)
		c.add(bucketLog, key, value)
		for i := range beside {
			p := &beside[i]
			if p.key == nil || bytes.Compare(p.key, key) > 0 {
				continue
			}
			if !bytes.Equal(p.key, key) {
				return false, damage("%s of event %d, which there is not", keepBuckets[i], seqOf(p.key))
			}
			if _, err := keptOf(Keep(i), seq, r.plausible(p.value)); err != nil {
				return false, err
			}
			c.add(keepBuckets[i], p.key, p.value)
			p.key, p.value = p.cursor.Next()
		}
		c.next = seq + 1
	}
	return false, nil
}

// growing are the parts of which a checkpoint has the pieces of the one before.
var growing = [...]Part{PartSeen, PartQueue, PartContents}

// pieces reads pieces of the checkpoint that stands, but its heads. More tells
// whether there are others.
func (c *copier) pieces(r *Reader, tx *bolt.Tx) (more bool, err error) {
	now, ok, err := r.Checkpoint()
	r.ours = true
	if err != nil || !ok {
		// One that is of another version, or none at all any more.
		c.broken = c.broken || err != nil || c.check.Generation > 0
		return false, nil
	}
	counts := [parts]uint64{PartSeen: now.Seen, PartQueue: now.Queue, PartContents: now.Contents}
	if now.Generation < c.check.Generation {
		c.broken = true // it was made anew
	}
	c.check = now
	for _, part := range growing {
		for ; c.copied[part] < counts[part] && !c.broken; c.copied[part]++ {
			if c.isFull() {
				return true, nil
			}
			c.piece(r, tx, part, c.copied[part])
		}
	}
	return false, nil
}

// piece reads a piece.
func (c *copier) piece(r *Reader, tx *bolt.Tx, part Part, number uint64) {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], number)
	var value []byte
	if b := tx.Bucket(partBuckets[part]); b != nil {
		value = r.plausible(b.Get(key[:]))
	}
	if _, ok := withoutChecksum(number, value); !ok {
		c.broken = true
		return
	}
	c.add(partBuckets[part], key[:], value)
}

// last reads all that is left, in one transaction.
func (c *copier) last() error {
	c.most = lastBytes
	err := c.from.look(func(r *Reader, tx *bolt.Tx) error {
		for {
			more, err := c.events(r, tx, -1)
			if err != nil {
				return err
			}
			if !more {
				break
			}
			if err := c.flush(); err != nil {
				return err
			}
		}
		for {
			more, err := c.pieces(r, tx)
			if err != nil {
				return err
			}
			if !more {
				break
			}
			if err := c.flush(); err != nil {
				return err
			}
		}
		for i := 0; i < int(c.check.Heads) && !c.broken; i++ {
			if err := c.flushFull(); err != nil {
				return err
			}
			c.piece(r, tx, PartHeads, HeadNumber(c.check.Generation, i))
		}
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error { return c.bucket(r, name, b) })
	})
	if err != nil {
		return err
	}
	return c.flush()
}

// bucket reads a bucket as a whole, unless it is one of those that are read bit by
// bit.
func (c *copier) bucket(r *Reader, name []byte, b *bolt.Bucket) error {
	is := func(other []byte) bool { return bytes.Equal(name, other) }
	if slices.ContainsFunc(partBuckets[:], is) {
		return nil
	}
	// It tells something that it is there, even when it is empty.
	name = bytes.Clone(name) // it is written when the transaction may have ended
	c.entries = append(c.entries, copyEntry{bucket: name})
	if is(bucketLog) || slices.ContainsFunc(keepBuckets[:], is) {
		return nil
	}
	return b.ForEach(func(key, value []byte) error {
		if value == nil {
			return damage("a bucket inside the bucket %q", name)
		}
		if is(bucketMeta) && bytes.Equal(key, keyCheckpoint) && c.broken {
			return nil
		}
		if err := c.flushFull(); err != nil {
			return err
		}
		c.add(name, key, r.plausible(value))
		return nil
	})
}

// add takes a copy of key and value, to be written.
func (c *copier) add(bucket, key, value []byte) {
	c.entries = append(c.entries, copyEntry{bucket, len(c.arena), len(key), len(value)})
	c.arena = append(append(c.arena, key...), value...)
}

// isFull tells whether enough is read for a transaction.
func (c *copier) isFull() bool { return len(c.arena) >= c.most }

// flushFull writes what is read when it is more than should be held in memory.
func (c *copier) flushFull() error {
	if !c.isFull() {
		return nil
	}
	return c.flush()
}

// flush writes what is read.
func (c *copier) flush() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if len(c.entries) == 0 {
		return nil
	}
	err := c.to.update(func(tx *bolt.Tx) error {
		buckets := map[string]*bolt.Bucket{}
		for _, e := range c.entries {
			b := buckets[string(e.bucket)]
			if b == nil {
				var err error
				if b, err = tx.CreateBucketIfNotExists(e.bucket); err != nil {
					return err
				}
				b.FillPercent = 1 // keys come in order
				buckets[string(e.bucket)] = b
			}
			if e.key == 0 {
				continue
			}
			value := e.at + e.key
			if err := b.Put(c.arena[e.at:value:value], c.arena[value:value+e.value:value+e.value]); err != nil {
				return err
			}
		}
		return nil
	})
	c.entries, c.arena = c.entries[:0], c.arena[:0]
	return err
}
