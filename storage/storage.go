// Package storage is the crawl file: one bbolt database whose heart is an
// append-only log of events.
//
// An [Event] is written once under a rising 64-bit number, its seq, and never
// changed. Everything else a crawl knows (which addresses were seen, which are
// still to be fetched, when a host may be asked again) can be folded from the
// log, and package frontier does so. Beside the log stand a few small values
// that are written in the same transaction as the events they belong to: the
// counts, the jobs that are out, and how the last run ended ([State]).
//
// The layout is described bucket by bucket in docs/format.md. This package is
// the only importer of bbolt.
package storage

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// FormatVersion is the version of the layout that this package writes. A file
// with a higher number is refused with [ErrTooNew].
const FormatVersion = 1

// Errors of opening a crawl file. They are wrapped with the file's name; use
// errors.Is.
var (
	ErrMissing  = errors.New("there is no such crawl file")
	ErrExists   = errors.New("the file exists already")
	ErrInUse    = errors.New("the crawl file is in use by another process")
	ErrNotOurs  = errors.New("this is not a crawl file of pawl")
	ErrTooNew   = errors.New("the crawl file was written by a newer version of pawl")
	ErrDamaged  = errors.New("the crawl file is damaged")
	ErrReadOnly = errors.New("the crawl file cannot be written")
)

// WriteError is a failed commit: a full disk, an I/O error, a file system that
// went read-only. Nothing of the failed transaction is in the file.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return "write the crawl file: " + e.Err.Error() }

// Unwrap gives the error of the operating system or of bbolt.
func (e *WriteError) Unwrap() error { return e.Err }

var (
	bucketMeta  = []byte("meta")
	bucketLog   = []byte("log")
	bucketState = []byte("state")

	keyHeader = []byte("header")
	keyCounts = []byte("counts")
	keyOut    = []byte("out")
	keyRun    = []byte("run")
)

// Header is what is fixed when a crawl file is made.
type Header struct {
	Format  int             `json:"format"`
	ID      [16]byte        `json:"id"`      // random name of the crawl
	Secret  [16]byte        `json:"secret"`  // key of the fingerprints, so that no site can craft collisions
	Created int64           `json:"created"` // Unix milliseconds
	Rules   json.RawMessage `json:"rules"`   // rules of canonical spelling
}

// File is an open crawl file. View may be called by several goroutines at
// once; Commit by one at a time, and never from within View (bbolt would
// deadlock when it has to map the file anew).
type File struct {
	db     *bolt.DB
	path   string
	header Header
}

// Create makes a new crawl file with the given rules of canonical spelling and
// opens it for writing. The file appears under its name only when it is whole:
// it is made under a temporary name, synced and linked. An existing file is
// never touched: ErrExists.
func Create(path string, rules json.RawMessage) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s: %w", path, ErrExists)
	}
	tmp, err := createTemp(path, rules)
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp)
	if err := publish(tmp, path); err != nil {
		return nil, createError(path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, &WriteError{fmt.Errorf("%s: %w", path, err)}
	}
	return Open(path, false)
}

func createTemp(path string, rules json.RawMessage) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return "", createError(path, err)
	}
	tmp := f.Name()
	f.Close()
	header := Header{Format: FormatVersion, Created: time.Now().UnixMilli(), Rules: rules}
	if header.Rules == nil {
		header.Rules = json.RawMessage("{}")
	}
	// crypto/rand.Read never fails.
	rand.Read(header.ID[:])
	rand.Read(header.Secret[:])
	err = initialise(tmp, header)
	if err != nil {
		os.Remove(tmp)
		return "", createError(path, err)
	}
	return tmp, nil
}

func createError(path string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || isReadOnlyFS(err) {
		return fmt.Errorf("%s: %w: %w", path, ErrReadOnly, err)
	}
	return &WriteError{fmt.Errorf("%s: %w", path, err)}
}

func initialise(tmp string, header Header) error {
	// bbolt refuses to be guided here: an empty file is what it initialises.
	db, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	db.AllocSize = minAlloc
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		text, err := json.Marshal(header)
		if err != nil {
			return err
		}
		if err := meta.Put(keyHeader, text); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketLog); err != nil {
			return err
		}
		_, err = tx.CreateBucket(bucketState)
		return err
	})
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// publish gives the finished file its name without ever replacing another:
// link fails when the name is taken, rename does not.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// File systems without hard links (FAT, some network shares).
	if _, serr := os.Lstat(path); serr == nil {
		return fs.ErrExist
	}
	return os.Rename(tmp, path)
}

// Open opens an existing crawl file. The file is checked before bbolt maps it,
// because bbolt dies of a memory fault on a file that was cut short. With
// readOnly several processes may have it open at once.
func Open(path string, readOnly bool) (*File, error) {
	if err := inspect(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !readOnly {
		if err := writable(path); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", path, ErrReadOnly, err)
		}
	}
	f := &File{path: path}
	err := guard(func() error { return f.open(readOnly) })
	if err != nil {
		if f.db != nil {
			f.db.Close()
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func writable(path string) error {
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return h.Close()
}

const (
	minAlloc = 256 << 10
	maxAlloc = 64 << 20
)

func (f *File) open(readOnly bool) error {
	options := &bolt.Options{
		Timeout:      time.Second,
		ReadOnly:     readOnly,
		FreelistType: bolt.FreelistMapType,
	}
	if !readOnly && runtime.GOOS != "windows" && ^uint(0)>>32 != 0 {
		// Address space only; it spares the crawl the stall of mapping a
		// growing file anew. Windows would extend the file to this size.
		options.InitialMmapSize = 16 << 30
	}
	db, err := bolt.Open(f.path, 0o600, options)
	if err != nil && options.InitialMmapSize != 0 && !errors.Is(err, bolterrors.ErrTimeout) {
		// Address space may be limited (ulimit -v).
		options.InitialMmapSize = 0
		db, err = bolt.Open(f.path, 0o600, options)
	}
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	f.db = db
	return db.View(f.readHeader)
}

func (f *File) readHeader(tx *bolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil || tx.Bucket(bucketLog) == nil || tx.Bucket(bucketState) == nil {
		return ErrNotOurs
	}
	text := meta.Get(keyHeader)
	if text == nil {
		return ErrNotOurs
	}
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil || version.Format < 1 {
		return ErrNotOurs
	}
	if version.Format > FormatVersion {
		return fmt.Errorf("%w (format %d, this one reads up to %d)", ErrTooNew, version.Format, FormatVersion)
	}
	if err := json.Unmarshal(text, &f.header); err != nil {
		return fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	return nil
}

// Close releases the file. Nothing is written by it.
func (f *File) Close() error { return f.db.Close() }

// Path is the name the file was opened by.
func (f *File) Path() string { return f.path }

// Header is what was fixed when the file was made.
func (f *File) Header() Header { return f.header }

// guard turns what bbolt does on a damaged file (a panic, a memory fault in
// the mapping) into ErrDamaged.
func guard(do func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return do()
}

// View runs do in a short read transaction. What do receives is valid only
// until it returns. Long transactions make the file grow and can hold up
// commits: read at most a few thousand events in one.
func (f *File) View(do func(*Reader) error) error {
	return guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			return do(&Reader{log: tx.Bucket(bucketLog), state: tx.Bucket(bucketState)})
		})
	})
}

// Reader reads the log and the state in one transaction of [File.View].
type Reader struct {
	log, state *bolt.Bucket
}

// Event gives the stored bytes of an event, nil when there is none. They are
// valid until the transaction ends.
func (r *Reader) Event(seq uint64) []byte {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], seq)
	return r.log.Get(key[:])
}

// Last is the highest seq in the log, 0 when it is empty.
func (r *Reader) Last() uint64 {
	key, _ := r.log.Cursor().Last()
	if len(key) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}

// Scan calls do for the events from seq on, in order, until do returns false
// or an error, or the log ends.
func (r *Reader) Scan(from uint64, do func(seq uint64, event []byte) (bool, error)) error {
	var start [8]byte
	binary.BigEndian.PutUint64(start[:], from)
	c := r.log.Cursor()
	for key, value := c.Seek(start[:]); key != nil; key, value = c.Next() {
		if len(key) != 8 {
			return fmt.Errorf("%w: a log key of %d bytes", ErrDamaged, len(key))
		}
		more, err := do(binary.BigEndian.Uint64(key), value)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// State reads the small values beside the log.
func (r *Reader) State() (State, error) {
	var s State
	if text := r.state.Get(keyCounts); text != nil {
		if err := json.Unmarshal(text, &s.Counts); err != nil {
			return s, fmt.Errorf("%w: counts: %w", ErrDamaged, err)
		}
	}
	if text := r.state.Get(keyRun); text != nil {
		if err := json.Unmarshal(text, &s.Run); err != nil {
			return s, fmt.Errorf("%w: run: %w", ErrDamaged, err)
		}
	}
	out, err := decodeOut(r.state.Get(keyOut))
	if err != nil {
		return s, err
	}
	s.Out = out
	return s, nil
}

// slice is how many events one read transaction of Walk covers.
const slice = 2000

// Walk calls do for every event from seq `from` up to and including `to`, in
// order, in read transactions of a few thousand events, so that it neither
// stalls a running crawl nor makes its file grow. The bytes are valid only
// during the call.
func (f *File) Walk(from, to uint64, do func(seq uint64, event []byte) error) error {
	for from <= to {
		next := from
		err := f.View(func(r *Reader) error {
			n := 0
			return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
				if seq > to {
					return false, nil
				}
				if err := do(seq, event); err != nil {
					return false, err
				}
				next = seq + 1
				n++
				return n < slice, nil
			})
		})
		if err != nil {
			return err
		}
		if next == from {
			return nil
		}
		from = next
	}
	return nil
}

// Batch is one transaction: events with consecutive numbers, and the state
// after them. The zero value with First set is ready for use.
type Batch struct {
	First uint64 // seq of the first event
	State State
	buf   []byte
	ends  []int
}

// Add appends an event and returns its seq and its stored bytes, which are
// valid until the next Add.
func (b *Batch) Add(e Event) (seq uint64, event []byte) {
	start := len(b.buf)
	b.buf = e.appendTo(b.buf)
	b.ends = append(b.ends, len(b.buf))
	return b.First + uint64(len(b.ends)) - 1, b.buf[start:]
}

// Len is the number of events in the batch.
func (b *Batch) Len() int { return len(b.ends) }

// Reset empties the batch for use from seq first on, keeping its memory.
func (b *Batch) Reset(first uint64) {
	b.First = first
	b.buf = b.buf[:0]
	b.ends = b.ends[:0]
	b.State = State{}
}

// Commit writes the batch in one synced transaction: all of it is in the file
// when it returns nil, nothing of it after an error (a *WriteError, unless the
// file is damaged).
func (f *File) Commit(b *Batch) error {
	f.db.AllocSize = f.allocSize()
	err := guard(func() error { return f.db.Update(b.put) })
	if err == nil || errors.Is(err, ErrDamaged) {
		return err
	}
	return &WriteError{err}
}

// allocSize grows the file in steps that fit its size: a crawl of ten pages
// shall not take 16 MB, one of ten million not sync at every commit.
func (f *File) allocSize() int {
	info, err := os.Stat(f.path)
	if err != nil {
		return minAlloc
	}
	return int(min(max(info.Size()/8, minAlloc), maxAlloc))
}

func (b *Batch) put(tx *bolt.Tx) error {
	log := tx.Bucket(bucketLog)
	log.FillPercent = 1 // keys only ever rise
	start := 0
	// Put copies the key, but not the value.
	var key [8]byte
	for i, end := range b.ends {
		binary.BigEndian.PutUint64(key[:], b.First+uint64(i))
		if err := log.Put(key[:], b.buf[start:end:end]); err != nil {
			return err
		}
		start = end
	}
	counts, err := json.Marshal(b.State.Counts)
	if err != nil {
		return err
	}
	run, err := json.Marshal(b.State.Run)
	if err != nil {
		return err
	}
	state := tx.Bucket(bucketState)
	for _, kv := range []struct{ key, value []byte }{
		{keyCounts, counts},
		{keyRun, run},
		{keyOut, encodeOut(b.State.Out)},
	} {
		if bytes.Equal(state.Get(kv.key), kv.value) {
			continue
		}
		if err := state.Put(kv.key, kv.value); err != nil {
			return err
		}
	}
	return nil
}

// Check has bbolt examine every page of the file and returns what it finds
// wrong, at most limit findings.
func (f *File) Check(limit int) ([]error, error) {
	var found []error
	err := guard(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				if len(found) < limit {
					found = append(found, err)
				}
			}
			return nil
		})
	})
	return found, err
}

// Size is the size of the file in bytes.
func (f *File) Size() int64 {
	info, err := os.Stat(f.path)
	if err != nil {
		return 0
	}
	return info.Size()
}
