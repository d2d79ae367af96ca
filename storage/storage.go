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
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
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
	ErrGone     = errors.New("the crawl file was removed, or another put in its place")
)

// WriteError is a failed commit: a full disk, an I/O error, a file system that
// went read-only. The file is whole: the transaction is not in it, unless its
// very last step failed (the sync after the new root was written); then it may
// be there, but never a part of it. So after a WriteError only the file knows
// where the crawl stands: close it and open it again.
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
	keyParked = []byte("parked")
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
	file   *os.File // that bbolt has open
	path   string
	header Header
	stuck  atomic.Bool // bbolt died and holds its own locks for ever
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
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return nil, &WriteError{fmt.Errorf("%s: %w", path, err)}
	}
	return Open(path, false)
}

func createTemp(path string, rules json.RawMessage) (string, error) {
	RemoveLeftovers(filepath.Dir(path))
	// Not with the name of the file in it, which may be as long as names can be.
	f, err := os.CreateTemp(filepath.Dir(path), ".pawl-*.tmp")
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
	if named := (*fs.PathError)(nil); errors.As(err, &named) {
		err = named.Err // the temporary name says nothing to the user
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w: its folder does not exist", path, ErrReadOnly)
	}
	if errors.Is(err, fs.ErrPermission) || isMissing(err) || isReadOnlyFS(err) || errors.Is(err, syscall.ENAMETOOLONG) {
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

// Open opens an existing crawl file. Several processes may have it open at
// once when all of them are readOnly, otherwise only one: ErrInUse, after
// waiting for about a second.
//
// The file is examined before bbolt follows it, because bbolt dies of a memory
// fault on a file that was cut short and runs for ever on one whose pages lead
// in circles.
func Open(path string, readOnly bool) (*File, error) {
	if err := inspect(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !readOnly {
		if err := writable(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	// First for reading: bbolt takes the lock under which the pages can be
	// examined, but does not yet touch the list of free pages.
	f, err := open(path, true)
	if err == nil && !readOnly {
		if err = f.Close(); err == nil {
			f, err = open(path, false)
		}
	}
	if err == nil && f.IsReplaced() {
		f.Close()
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func open(path string, readOnly bool) (*File, error) {
	f := &File{path: path}
	g := guarded{ours: true}
	if err := g.run(func() error { return f.open(readOnly) }); err != nil {
		if g.died && f.file != nil {
			f.file.Close()
		}
		return nil, err
	}
	var err error
	if readOnly {
		err = inspectPages(f.file)
	}
	if err == nil {
		err = f.view(func(_ *Reader, tx *bolt.Tx) error { return f.readHeader(tx) })
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func writable(path string) error {
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, syscall.EIO):
		return err // a disk that does not work, whatever the rights are
	case err != nil:
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return h.Close()
}

const (
	minAlloc = 256 << 10
	maxAlloc = 32 << 20
)

func (f *File) open(readOnly bool) error {
	options := &bolt.Options{
		Timeout:      time.Second,
		ReadOnly:     readOnly,
		FreelistType: bolt.FreelistMapType,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			var err error
			f.file, err = os.OpenFile(name, flag&^os.O_CREATE, perm)
			return f.file, err
		},
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
	case errors.Is(err, fs.ErrPermission), isReadOnlyFS(err):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return err
	}
	f.db = db
	return nil
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
func (f *File) Close() error {
	if f.stuck.Load() {
		return f.file.Close() // the mapping stays, and the lock with it
	}
	return f.db.Close()
}

// IsReadOnly tells whether the file was opened for reading alone.
func (f *File) IsReadOnly() bool { return f.db.IsReadOnly() }

// Path is the name the file was opened by.
func (f *File) Path() string { return f.path }

// Header is what was fixed when the file was made.
func (f *File) Header() Header { return f.header }

// guarded runs code over the mapping of a file and turns what bbolt does when
// the file is damaged (a panic, a memory fault) into ErrDamaged. A panic while
// ours is false comes from the caller's code: that is a bug, which must not
// look like a bad file, and is passed on.
type guarded struct {
	ours bool
	died bool // a panic was turned into an error
}

func (g *guarded) run(do func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		p := recover()
		if p == nil {
			return
		}
		// A fault is one of reading the mapping, whoever reads.
		if _, fault := p.(interface{ Addr() uintptr }); !g.ours && !fault {
			panic(p)
		}
		g.died = true
		err = damage("%v", p)
	}()
	return do()
}

// View runs do in a short read transaction. What do receives is valid only
// until it returns. Long transactions make the file grow and can hold up
// commits: read at most a few thousand events in one.
func (f *File) View(do func(*Reader) error) error {
	return f.view(func(r *Reader, tx *bolt.Tx) error {
		r.tx, r.meta, r.log, r.state, r.size = tx, tx.Bucket(bucketMeta), tx.Bucket(bucketLog), tx.Bucket(bucketState), tx.Size()
		r.ours = false
		err := do(r)
		r.ours = true
		return err
	})
}

func (f *File) view(do func(*Reader, *bolt.Tx) error) error {
	if f.stuck.Load() {
		return ErrDamaged
	}
	r := &Reader{guarded: guarded{ours: true}}
	began := false
	err := r.run(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			began = true
			return do(r, tx)
		})
	})
	if r.died && !began {
		f.stuck.Store(true)
	}
	return err
}

// Reader reads the log and the state in one transaction of [File.View].
type Reader struct {
	guarded
	tx               *bolt.Tx
	meta, log, state *bolt.Bucket
	size             int64 // of the file
	cursor           *bolt.Cursor
	key              [8]byte
	reopened         *reopenedBlock // that was asked for last; nil: none was
}

// Event gives the stored bytes of an event, nil when there is none. They are
// valid until the transaction ends.
func (r *Reader) Event(seq uint64) []byte {
	r.ours = true
	if r.cursor == nil {
		r.cursor = r.log.Cursor() // with room of its own, which Get would make each time
	}
	binary.BigEndian.PutUint64(r.key[:], seq)
	key, value := r.cursor.Seek(r.key[:])
	if bytes.Equal(key, r.key[:]) {
		value = r.verified(seq, value)
	} else {
		value = nil
	}
	r.ours = false
	return value
}

// verified takes the checksum off a stored event, and panics when it does not
// hold.
func (r *Reader) verified(seq uint64, value []byte) []byte {
	event, ok := withoutChecksum(seq, r.plausible(value))
	if !ok {
		panic(fmt.Sprintf("event %d does not match its checksum", seq))
	}
	return event
}

// withChecksum appends the checksum of the last bytes of dst, from start on, as
// what stands under a number.
func withChecksum(dst []byte, start int, number uint64) []byte {
	return binary.LittleEndian.AppendUint32(dst, checksum(number, dst[start:]))
}

// withoutChecksum takes the checksum off; ok tells whether it holds.
func withoutChecksum(number uint64, value []byte) (b []byte, ok bool) {
	n := len(value) - checksumSize
	if n < 0 || binary.LittleEndian.Uint32(value[n:]) != checksum(number, value[:n]) {
		return nil, false
	}
	return value[:n:n], true
}

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of the number of an event or a piece, big-endian, and
// its bytes.
func checksum(number uint64, b []byte) uint32 {
	// By hand, as an array that is given away would be allocated.
	crc := ^uint32(0)
	for shift := 56; shift >= 0; shift -= 8 {
		crc = castagnoli[byte(crc)^byte(number>>shift)] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, b)
}

// plausible panics on a value with a damaged length, which can say 2 GB, before
// somebody copies it.
func (r *Reader) plausible(value []byte) []byte {
	if int64(len(value)) > r.size {
		panic(fmt.Sprintf("a value of %d bytes in a file of %d", len(value), r.size))
	}
	return value
}

// Size is the size of the file in bytes.
func (r *Reader) Size() int64 { return r.size }

// Last is the highest seq in the log, 0 when it is empty.
func (r *Reader) Last() uint64 {
	r.ours = true
	seq := lastSeq(r.log)
	r.ours = false
	return seq
}

func lastSeq(log *bolt.Bucket) uint64 {
	key, _ := log.Cursor().Last()
	if key == nil {
		return 0
	}
	return seqOf(key)
}

// seqOf panics on a damaged key as bbolt does on a damaged page.
func seqOf(key []byte) uint64 {
	if len(key) != 8 {
		panic(fmt.Sprintf("a log key of %d bytes", len(key)))
	}
	return binary.BigEndian.Uint64(key)
}

// Scan calls do for the events from seq on, in order, until do returns false
// or an error, or the log ends.
func (r *Reader) Scan(from uint64, do func(seq uint64, event []byte) (bool, error)) error {
	var start [8]byte
	binary.BigEndian.PutUint64(start[:], from)
	r.ours = true
	c := r.log.Cursor()
	least := from
	for key, value := c.Seek(start[:]); key != nil; key, value = c.Next() {
		seq := seqOf(key)
		if seq < least || seq == math.MaxUint64 {
			return damage("seq %d stands where %d or more should be", seq, least)
		}
		least = seq + 1
		event := r.verified(seq, value)
		r.ours = false
		more, err := do(seq, event)
		if err != nil || !more {
			return err
		}
		r.ours = true
	}
	r.ours = false
	return nil
}

// State reads the small values beside the log.
func (r *Reader) State() (State, error) {
	r.ours = true
	s, err := readState(r.state)
	r.ours = false
	return s, err
}

func readState(state *bolt.Bucket) (State, error) {
	var s State
	if text := state.Get(keyCounts); text != nil {
		if err := json.Unmarshal(text, &s.Counts); err != nil {
			return State{}, fmt.Errorf("%w: counts: %w", ErrDamaged, err)
		}
	}
	if text := state.Get(keyRun); text != nil {
		if err := json.Unmarshal(text, &s.Run); err != nil {
			return State{}, fmt.Errorf("%w: run: %w", ErrDamaged, err)
		}
	}
	if text := state.Get(keyParked); len(text) > 0 {
		if err := json.Unmarshal(text, &s.Parked); err != nil {
			return State{}, fmt.Errorf("%w: parked: %w", ErrDamaged, err)
		}
	}
	out, err := decodeOut(state.Get(keyOut))
	if err != nil {
		return State{}, err
	}
	s.Out = out
	return s, nil
}

// Sequentially runs do, which is going to read much of the file from front to
// back: what is not in memory is then read ahead. It may be called
// concurrently with everything.
func (f *File) Sequentially(do func() error) error {
	set := func(sequential bool) error {
		return f.view(func(_ *Reader, tx *bolt.Tx) error {
			advise(tx, sequential)
			return nil
		})
	}
	if err := set(true); err != nil {
		return err
	}
	err := do()
	_ = set(false)
	return err
}

// slice is how many events one read transaction of Walk covers.
const slice = 2000

// Walk calls do for every event from seq `from` up to and including `to`, in
// order, in read transactions of a few thousand events, so that it neither
// stalls a running crawl nor makes its file grow. The bytes are valid only
// during the call.
func (f *File) Walk(from, to uint64, do func(seq uint64, event []byte) error) error {
	return f.Sequentially(func() error { return f.walk(from, to, do) })
}

func (f *File) walk(from, to uint64, do func(seq uint64, event []byte) error) error {
	for more := true; more && from <= to; {
		more = false
		n := 0
		err := f.View(func(r *Reader) error {
			return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
				if seq > to {
					return false, nil
				}
				if err := do(seq, event); err != nil {
					return false, err
				}
				from = seq + 1
				n++
				more = n == slice
				return !more, nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Batch is one transaction: events with consecutive numbers, and the state
// after them. The zero value with First set is ready for use.
type Batch struct {
	First uint64 // seq of the first event
	State State
	// Pieces of a checkpoint to be written as well, and the checkpoint that is
	// complete with them, nil when more are to come.
	Pieces     []Piece
	Checkpoint *Checkpoint
	// Side are the values kept beside the log that have changed.
	Side []SideValue

	buf      []byte
	ends     []int
	reopened []reopenedBy
	kept     []kept
	// keptBytes is the size of their values.
	keptBytes int
}

// Add appends an event and returns its seq and its stored bytes, which are
// valid until the next Add.
func (b *Batch) Add(e Event) (seq uint64, event []byte) {
	start := len(b.buf)
	b.buf = e.appendTo(b.buf)
	end := len(b.buf)
	seq = b.First + uint64(len(b.ends))
	b.buf = withChecksum(b.buf, start, seq)
	b.ends = append(b.ends, len(b.buf))
	switch e := e.(type) {
	case *Visit:
		for _, k := range e.Kept {
			b.kept = append(b.kept, kept{k, seq})
			b.keptBytes += len(k.Value)
		}
	case *Reopen:
		b.reopened = append(b.reopened, reopenedBy{seq, e.seqs()})
	}
	return seq, b.buf[start:end:end]
}

// Event gives an event of the batch, nil when it is not in it. It is valid
// until the next Reset.
func (b *Batch) Event(seq uint64) []byte {
	if seq < b.First || seq-b.First >= uint64(len(b.ends)) {
		return nil
	}
	i, start := int(seq-b.First), 0
	if i > 0 {
		start = b.ends[i-1]
	}
	end := b.ends[i] - checksumSize
	return b.buf[start:end:end]
}

// Len is the number of events in the batch.
func (b *Batch) Len() int { return len(b.ends) }

// Reset empties the batch for use from seq first on, keeping its memory.
func (b *Batch) Reset(first uint64) {
	b.First = first
	b.buf = b.buf[:0]
	b.ends = b.ends[:0]
	b.State = State{}
	clear(b.kept)
	b.kept, b.keptBytes = b.kept[:0], 0
	b.reopened = nil
	b.Written()
}

// keepBatch is up to how many bytes the memory of a batch is used again.
const keepBatch = 8 << 20

// Written lets go of the pieces of a checkpoint, which may be large, as soon as
// they are committed, and of the events when these were many.
func (b *Batch) Written() {
	if cap(b.buf) > keepBatch {
		b.buf, b.ends = nil, nil
	}
	clear(b.Pieces)
	b.Pieces, b.Checkpoint, b.Side = b.Pieces[:0], nil, nil
}

// Commit writes the batch in one synced transaction. All of it is in the file
// when it returns nil; see [WriteError] for what is there after an error. The
// events must come after all that are in the log.
func (f *File) Commit(b *Batch) error { return f.update(b.put) }

// update runs do in a synced transaction.
func (f *File) update(do func(*bolt.Tx) error) error {
	if f.stuck.Load() {
		return ErrDamaged
	}
	f.db.AllocSize = f.allocSize()
	g := guarded{ours: true}
	var began *bolt.Tx
	err := g.run(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			began = tx
			return do(tx)
		})
	})
	if g.died && (began == nil || began.DB() != nil) {
		f.stuck.Store(true) // it was not even rolled back
	}
	if err == nil || g.died || errors.Is(err, errOrder) {
		return err
	}
	return &WriteError{err}
}

// errOrder is a bug of the caller, which must not cost the events that are in
// the log already.
var errOrder = errors.New("storage: the batch does not come after the end of the log")

// allocSize grows the file in steps that fit its size: a crawl of ten pages
// shall not take 16 MB, one of ten million not sync at every commit.
func (f *File) allocSize() int {
	return int(min(max(f.Size()/16, minAlloc), maxAlloc))
}

func (b *Batch) put(tx *bolt.Tx) error {
	log := tx.Bucket(bucketLog)
	log.FillPercent = 1 // keys only ever rise
	if last := lastSeq(log); len(b.ends) > 0 && b.First <= last {
		return fmt.Errorf("%w: %d after %d", errOrder, b.First, last)
	}
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
	var parked []byte
	if len(b.State.Parked) > 0 {
		if parked, err = json.Marshal(b.State.Parked); err != nil {
			return err
		}
	}
	state := tx.Bucket(bucketState)
	for _, kv := range []struct{ key, value []byte }{
		{keyCounts, counts},
		{keyRun, run},
		{keyOut, encodeOut(b.State.Out)},
		{keyParked, parked},
	} {
		if bytes.Equal(state.Get(kv.key), kv.value) {
			continue
		}
		if err := state.Put(kv.key, kv.value); err != nil {
			return err
		}
	}
	if err := putKept(tx, b.kept); err != nil {
		return err
	}
	if err := putReopened(tx, b.reopened); err != nil {
		return err
	}
	if err := putSide(tx, b.Side); err != nil {
		return err
	}
	return putPieces(tx, b.Pieces, b.Checkpoint)
}

// Check examines every page of the file, also by bbolt's own means, and
// returns what it finds wrong, at most limit findings. It must not run together
// with a Commit.
func (f *File) Check(limit int) ([]error, error) {
	var found []error
	err := f.view(func(_ *Reader, tx *bolt.Tx) error {
		pageSize := uint64(f.db.Info().PageSize)
		p := newPages(f.file, pageSize, uint64(tx.Size())/pageSize)
		p.leaves = true
		if err := p.tree(uint64(tx.Cursor().Bucket().Root())); err != nil {
			// bbolt would crash: it checks in a goroutine of its own, beyond
			// the reach of guarded.
			found = append(found, err)
			return nil
		}
		for err := range tx.Check() {
			if len(found) < limit {
				found = append(found, err)
			}
		}
		return nil
	})
	return found, err
}

// Size is the size of the file in bytes.
func (f *File) Size() int64 {
	info, err := f.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}
