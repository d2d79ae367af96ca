package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"pawl/storage"
)

// Errors of a Follower. They are wrapped with the name of the file; use
// errors.Is.
var (
	// ErrClosed: who read the pipe that is written to has left. The error of the
	// operating system is in the chain as well.
	ErrClosed = errors.New("the reader of the pipe has left")
	// ErrBusy: another process writes to the file.
	ErrBusy = errors.New("another process is writing to the file")
)

// ChangedError is a file that holds something else than what was written to it.
// It has been left as it is.
type ChangedError struct {
	Path   string
	Offset int64  // from where on, in bytes
	Reason string // what is wrong with it
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s %s; it is left as it is: put back what was there, move it away to have it written anew, or name another file", e.Path, e.Reason)
}

// Follower writes the rows of [Pages] to a file that grows with the log, so that
// at any instant the file is a beginning of what Pages would write at the end,
// byte for byte. Nothing is ever written over: at the start the file has to be
// what the log gives, and it is continued where it stops, be it amid a row.
//
// When the user has withdrawn outcomes, rows that are in the file are none any
// more. So the rows go no further than where the user asked for that, until it is
// carried out, and then the file is replaced, whole, by one without these rows, and
// goes on. It never has two rows of one address. A stream cannot be replaced: its
// rows go on, and an address that was asked again has another row behind.
//
// What is written may get lost with the power until it is synced, and a process
// may die between any two steps. What Position gives is kept in the crawl file
// some time after a Sync; it spares the next start to compare the whole file with
// the log, and tells a file whose columns have changed from one that somebody
// else wrote.
//
// The methods are called by one goroutine at a time, which may be another one
// than that which commits.
type Follower struct {
	path   string        // as the user names it
	target string        // where that leads to
	log    *storage.File // that is followed
	wanted pageRecipe
	pace   pacing
	stream io.Writer // a pipe or device, instead of file
	pipe   *pipe     // the stream, when it is opened here
	file   *os.File  // nil: there is none yet
	made   bool      // the name of the file is not durable yet

	lines  *pageLines
	edits  *retries // read ahead from the edit that the rows have come to; nil: they have come to none
	length int64    // of the file, all of which is what the lines give
	trail  trail

	rewrite   bool // the file is to be written anew, by the wanted recipe
	rewritten string
	position  position // of the last Sync
	encoded   []byte   // position
	failed    error    // nothing more can be done with the file
	chunk     []byte   // scratch space
}

// CheckFollow tells whether [Follow] would accept the options, before anything is
// opened. A column that is unknown, or needs the whole crawl, is a *ColumnError, or
// a *WhereError when the filter names it.
func CheckFollow(o Options) error {
	_, err := recipeOf(o)
	return err
}

// Follow opens a file to which the rows of pages are written as the log grows.
// The format must be one that appends, and the columns such that follow from the
// visit alone.
//
// position is what Position gave last and the crawl file kept, nil when nothing
// is known. A file that is missing is made. One that exists has to be what the
// log gives, up to its end; *ChangedError if it is not. With a position only its
// last part is examined, 128 MB at most, and compared with the log from there on;
// without, all of it is compared. Where the power went before all was written, it
// may hold zeros in place of what was not durable; from there on it is written
// again. When the file is sound, but its columns are
// others than those that are asked for, the first Write replaces it at once by
// one with these; so it does with a file that has been taken away or emptied. See
// Rewritten.
//
// What Position gives after Follow, when it is not what was given, should be kept
// before the first Write. Otherwise a file that was replaced before the crawl
// file kept a position of it is known again only while the columns stay the same.
//
// While the file is open no other process can open it so: ErrBusy. Where the
// system has no such locks, the two notice one another by the length of the file:
// *ChangedError.
//
// A pipe or a device gets all rows from the start of the log and has no position.
// The first Write to a named pipe waits until somebody reads it.
func Follow(path string, f *storage.File, o Options, known []byte) (*Follower, error) {
	wanted, err := recipeOf(o)
	if err != nil {
		return nil, err
	}
	w := &Follower{path: path, target: path, log: f, wanted: wanted, pace: o.pacing()}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s is a link to a file that is missing", path)
		}
		info = nil
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder", path)
	case !info.Mode().IsRegular():
		w.pipe = &pipe{path: path}
		w.stream = w.pipe
		return w, w.startStream(math.MaxUint64)
	default:
		if crawl, err := os.Stat(f.Path()); err == nil && os.SameFile(info, crawl) {
			return nil, fmt.Errorf("%s is the crawl file itself", path)
		}
		// A link stays one.
		if w.target, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	}
	p := decodePosition(known)
	if err := w.open(info == nil, p); err != nil {
		w.Close()
		return nil, err
	}
	w.encoded = known
	if !reflect.DeepEqual(&w.position, p) {
		w.encoded = w.position.encode()
	}
	return w, nil
}

// FollowTo is [Follow] for a writer that has no position, as standard output is:
// all rows are written to it from the start of the log, without those whose
// outcomes are withdrawn by now.
func FollowTo(out io.Writer, f *storage.File, o Options) (*Follower, error) {
	return FollowToAsOf(out, f, o, math.MaxUint64)
}

// FollowToAsOf is [FollowTo] for who has to write the same bytes once more: all
// rows but those whose outcomes were among the first so many that were withdrawn,
// as storage.Counts.Reopened counts them.
func FollowToAsOf(out io.Writer, f *storage.File, o Options, withdrawn uint64) (*Follower, error) {
	wanted, err := recipeOf(o)
	if err != nil {
		return nil, err
	}
	w := &Follower{path: "the output", log: f, wanted: wanted, pace: o.pacing(), stream: out}
	return w, w.startStream(withdrawn)
}

// startStream has the rows begin, without those of the first so many outcomes that
// were withdrawn.
func (w *Follower) startStream(withdrawn uint64) error {
	asOf, err := withdrawal(w.log, withdrawn)
	if err != nil {
		return err
	}
	return w.start(w.wanted, position{Edit: asOf})
}

// startNew has the rows of a new file begin.
func (w *Follower) startNew() error {
	last, err := end(w.log)
	if err != nil {
		return err
	}
	ends, err := endsOf(w.log, last, w.pace)
	if err != nil {
		return err
	}
	return w.start(w.wanted, position{Edit: newest(ends)})
}

func newest(ends []uint64) uint64 {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}

// open finds out what the file is.
func (w *Follower) open(missing bool, p *position) error {
	if missing && (p == nil || p.Length == 0 || p.Path != w.path) {
		f, err := os.OpenFile(w.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		w.file, w.made = f, true
		w.position = w.beginning(w.wanted)
		if err := w.lock(); err != nil {
			return err
		}
		return w.startNew()
	}
	if missing {
		return w.anew("it was gone", *p)
	}
	var err error
	if w.file, err = os.OpenFile(w.target, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return err
	}
	if err := w.lock(); err != nil {
		return err
	}
	size, err := w.size()
	if err != nil {
		return err
	}
	if size == 0 {
		if p != nil && p.Length > 0 && p.Path == w.path {
			return w.anew("it was empty", *p)
		}
		w.position = w.beginning(w.wanted)
		return w.startNew()
	}
	return w.recognise(size, p)
}

// recognise finds out where in the log the file stops.
func (w *Follower) recognise(size int64, p *position) error {
	refusal := &ChangedError{Path: w.path, Offset: -1}
	last, err := end(w.log)
	if err != nil {
		return err
	}
	ends, err := endsOf(w.log, last, w.pace)
	if err != nil {
		return err
	}
	try := func(r pageRecipe, from position) (bool, error) {
		ok, err := w.compare(r, from, last, size)
		if !ok && w.length > refusal.Offset {
			refusal.Offset = w.length
		}
		return ok, err
	}
	same := p != nil && p.Next == nil && reflect.DeepEqual(p.Rows, w.wanted)
	if same {
		// What replaced the file since, because of an edit, may be shorter.
		isShort := size < p.Length
		if isShort && newest(ends) <= p.Edit {
			refusal.Offset = size
			refusal.Reason = fmt.Sprintf("has %d bytes, but %d were written to it", size, p.Length)
			return refusal
		}
		sound := false
		if !isShort {
			if sound, err = p.Trail.holds(w.file, p.Length); err != nil {
				return err
			}
		}
		if sound {
			ok, err := try(w.wanted, *p)
			if err != nil {
				return err
			}
			if ok {
				w.position = *p
				w.position.Path = w.path
				return w.cut(size)
			}
		}
	}
	// What replaced the file before its position was kept is known by the log. By
	// which of the edits it was written, too.
	asOf := append(slices.Clone(ends), 0)
	slices.Sort(asOf)
	slices.Reverse(asOf)
	for _, edit := range asOf {
		ok, err := try(w.wanted, position{Edit: edit})
		if err != nil {
			return err
		}
		if ok && !(same && edit <= p.Edit && w.length < p.Length) {
			w.position = w.beginning(w.wanted)
			return w.cut(size)
		}
	}
	if p != nil {
		for _, edit := range asOf {
			ok, err := try(p.Rows, position{Edit: edit})
			if err != nil {
				return err
			}
			if ok && (w.length >= p.Length || edit > p.Edit) {
				return w.anew("its columns were others", *p)
			}
		}
		for _, edit := range asOf {
			if p.Next == nil {
				break
			}
			ok, err := try(*p.Next, position{Edit: edit})
			if err != nil {
				return err
			}
			if ok {
				return w.anew("its columns were others", w.beginning(*p.Next))
			}
		}
	}
	refusal.Reason = fmt.Sprintf("is not what this crawl writes, from byte %d on", refusal.Offset+1)
	if p != nil && p.Path == w.path {
		refusal.Reason = "was changed by somebody else: it " + refusal.Reason
	}
	return refusal
}

// beginning is the position of a file of which nothing is known to be durable.
func (w *Follower) beginning(r pageRecipe) position {
	return position{Version: positionVersion, Path: w.path, Rows: r}
}

// anew has the first Write replace the file, which is at p.
func (w *Follower) anew(why string, p position) error {
	tmp, err := w.temporary(0o666)
	if err != nil {
		return err // better now than when the crawl runs
	}
	tmp.Close()
	if err := os.Remove(tmp.Name()); err != nil {
		return err
	}
	w.rewrite, w.rewritten = true, why
	w.position = p
	w.position.Path, w.position.Next = w.path, nil
	if !reflect.DeepEqual(p.Rows, w.wanted) {
		w.position.Next = &w.wanted
	}
	w.length, err = 0, nil
	if w.file != nil {
		w.length, err = w.size()
	}
	return err
}

// start has the lines begin at a position, by a recipe.
func (w *Follower) start(r pageRecipe, from position) (err error) {
	w.length, w.trail, w.edits = from.Length, from.Trail, nil
	w.lines, err = newPageLines(w.log, r, w.pace)
	if err == nil {
		w.lines.seq, w.lines.begun, w.lines.asOf, w.lines.goesOn = from.Seq, from.Length > 0, from.Edit, w.stream != nil
	}
	return err
}

var errEnough = errors.New("the end of the file")

// compare tells whether the file is what the lines of the recipe give from the
// position on, up to the end of the file. Then the next Write goes on from there,
// with the rest of a row of which only the beginning is there.
func (w *Follower) compare(r pageRecipe, from position, last uint64, size int64) (ok bool, err error) {
	if err := w.start(r, from); err != nil {
		return false, nil // a recipe of another version
	}
	if w.lines.seq > last {
		return false, nil
	}
	take := func() error {
		want := w.lines.buf[:min(int64(len(w.lines.buf)), size-w.length)]
		got, err := w.read(w.length, len(want))
		if err != nil {
			return err
		}
		n := len(want)
		for i := range got {
			if got[i] != want[i] {
				n = i
				break
			}
		}
		w.took(n)
		if n < len(want) || w.length == size {
			return errEnough
		}
		return nil
	}
	if w.length < size {
		if err = w.lines.begin(); err == nil {
			err = take()
		}
	}
	if err == nil && w.length < size {
		// Not a row further than the file goes: it might be more than was asked for.
		_, err = w.linesTo(last, func() bool { return w.length+int64(len(w.lines.buf)) < size }, take)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	if w.length < size {
		return w.torn(r, from, last, size)
	}
	return true, nil
}

// sector is what a disk writes at once.
const sector = 512

// torn tells whether the file holds, from here on, nothing but what the lines give
// and zeros in its place, up to the end of a sector; no row holds any. That is what
// file systems leave when the power goes before all was written: its parts come to
// the disk in any order.
func (w *Follower) torn(r pageRecipe, from position, last uint64, size int64) (bool, error) {
	if b, err := w.read(w.length, 1); err != nil || b[0] != 0 {
		return false, err
	}
	whole := &Follower{path: w.path, target: w.target, log: w.log, pace: w.pace, file: w.file}
	if err := whole.start(r, from); err != nil {
		return false, err
	}
	isTorn := true
	var hole int64 // where it ends
	take := func() error {
		want := whole.lines.buf[:min(int64(len(whole.lines.buf)), size-whole.length)]
		got, err := whole.read(whole.length, len(want))
		if err != nil {
			return err
		}
		for i, b := range got {
			at := whole.length + int64(i)
			if b != want[i] && at >= hole {
				hole = at - at%sector + sector
			}
			if b != 0 && at < hole {
				isTorn = false
				return errEnough
			}
		}
		whole.length += int64(len(want))
		whole.lines.drop(len(want))
		if whole.length == size {
			return errEnough
		}
		return nil
	}
	err := whole.lines.begin()
	if err == nil {
		err = take()
	}
	if err == nil {
		_, err = whole.linesTo(last, nil, take)
	}
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	for isTorn && whole.length < size { // the size may be of what was not committed
		b, err := whole.read(whole.length, int(min(sliceBytes, size-whole.length)))
		if err != nil {
			return false, err
		}
		isTorn = len(bytes.TrimLeft(b, "\x00")) == 0
		whole.length += int64(len(b))
	}
	return isTorn, nil
}

// cut takes off what is behind the first zero that torn found.
func (w *Follower) cut(size int64) error {
	if w.length == size {
		return nil
	}
	return os.Truncate(w.target, w.length)
}

// read gives n bytes of the file, valid until the next call.
func (w *Follower) read(at int64, n int) ([]byte, error) {
	if cap(w.chunk) < n {
		w.chunk = make([]byte, n)
	}
	b := w.chunk[:n]
	_, err := w.file.ReadAt(b, at)
	if err == io.EOF {
		err = &ChangedError{Path: w.path, Offset: at, Reason: "becomes shorter while it is read"}
	}
	return b, err
}

// took says that so many bytes of the lines are in the file.
func (w *Follower) took(n int) {
	w.trail.add(w.length, w.lines.buf[:n])
	w.length += int64(n)
	w.lines.drop(n)
}

func (w *Follower) size() (int64, error) {
	info, err := w.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// lock keeps other processes from writing to the file.
func (w *Follower) lock() error {
	if !lockFile(w.file) {
		return fmt.Errorf("%s: %w", w.path, ErrBusy)
	}
	if !w.named() {
		return fmt.Errorf("%s: %w", w.path, ErrBusy) // it was replaced meanwhile
	}
	return nil
}

// named tells whether the name still leads to the file that is open.
func (w *Follower) named() bool {
	ours, err := w.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(w.target)
	return err == nil && os.SameFile(ours, there)
}

// Write writes the rows of the events up to last, all of which must be committed.
// It holds no transaction while it writes, and costs nothing when there is
// nothing new. After an error, as that of a full disk, the file is a beginning of
// what it should be, and a later Write goes on from there; after a *ChangedError,
// and when what reads a pipe has left (ErrClosed), there is no going on.
func (w *Follower) Write(last uint64) error {
	if w.failed != nil {
		return w.failed
	}
	if w.rewrite {
		return w.replace(last)
	}
	if err := w.lines.begin(); err != nil {
		return err
	}
	// The rest of a row, or what was refused the last time.
	if err := w.flush(); err != nil {
		return err
	}
	asOf, err := w.linesTo(last, nil, w.flush)
	if err != nil || asOf <= w.lines.asOf {
		return err
	}
	size, err := w.size()
	if err != nil {
		return err
	}
	if size != w.length {
		return w.adopt(size)
	}
	w.rewrite, w.rewritten = true, "addresses were asked for again"
	return w.replace(last)
}

// linesTo has the lines given up to the event last, or up to an edit that is not
// carried out by then, or by another event than those which the lines go by: asOf.
func (w *Follower) linesTo(last uint64, more func() bool, take func() error) (asOf uint64, err error) {
	for {
		if !w.lines.atEdit() {
			if err := w.lines.upTo(last, more, take); err != nil || !w.lines.atEdit() {
				return 0, err
			}
		}
		if w.edits == nil {
			w.edits = &retries{seq: w.lines.edit - 1}
		}
		if err := w.edits.readTo(w.log, last, w.pace); err != nil {
			return 0, err
		}
		if len(w.edits.done) == 0 {
			return 0, nil // nor is this one
		}
		if first := w.edits.done[0]; first.any && first.end > w.lines.asOf {
			return newest(w.edits.ends()), nil
		}
		w.lines.passed, w.edits = w.lines.edit, nil
	}
}

// flush writes what waits.
func (w *Follower) flush() error {
	if len(w.lines.buf) == 0 {
		return nil
	}
	if w.stream != nil {
		n, err := w.stream.Write(w.lines.buf)
		w.took(n)
		if err != nil && readerLeft(err) {
			err = fmt.Errorf("%s: %w: %w", w.path, ErrClosed, err)
			w.failed = err
		}
		return err
	}
	size, err := w.size()
	if err == nil && size != w.length {
		err = w.adopt(size)
	}
	if err != nil {
		return err
	}
	n, err := w.file.Write(w.lines.buf)
	w.took(n)
	return err
}

// adopt finds bytes in the file of which no Write told. They may be those of one
// that failed.
func (w *Follower) adopt(size int64) error {
	n := size - w.length
	if n > 0 && n <= int64(len(w.lines.buf)) {
		got, err := w.read(w.length, int(n))
		if err != nil {
			return err
		}
		if bytes.Equal(got, w.lines.buf[:n]) {
			w.took(int(n))
			return nil
		}
	}
	w.failed = &ChangedError{
		Path: w.path, Offset: min(size, w.length),
		Reason: fmt.Sprintf("was changed by somebody else while it was written: it has %d bytes instead of %d", size, w.length),
	}
	return w.failed
}

// replace writes all rows up to last to a new file and gives it the name.
func (w *Follower) replace(last uint64) error {
	mode := fs.FileMode(0o666)
	if w.file != nil {
		info, err := w.file.Stat()
		if err != nil {
			return err
		}
		mode = info.Mode().Perm()
	}
	tmp, err := w.temporary(mode)
	if err != nil {
		return err
	}
	fresh := &Follower{path: w.path, target: tmp.Name(), log: w.log, pace: w.pace, file: tmp}
	ends, err := endsOf(w.log, last, w.pace)
	if err == nil {
		err = fresh.start(w.wanted, position{Edit: newest(ends)})
	}
	if err == nil {
		err = fresh.Write(last)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if w.file != nil {
		_ = tmp.Chmod(mode) // else it has less rights than it might have
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = w.publish(tmp.Name())
	}
	if err != nil {
		os.Remove(tmp.Name())
		return err
	}
	w.rewrite, w.made = false, true
	w.lines, w.edits, w.length, w.trail = fresh.lines, fresh.edits, fresh.length, fresh.trail
	w.file, err = os.OpenFile(w.target, os.O_RDWR|os.O_APPEND, 0)
	if err == nil {
		err = w.lock()
	}
	w.failed = err
	return err
}

// publish gives the new file its name, unless somebody came between.
func (w *Follower) publish(tmp string) error {
	if w.file == nil {
		err := os.Link(tmp, w.target)
		if err == nil {
			return os.Remove(tmp)
		}
		if _, serr := os.Lstat(w.target); serr == nil {
			return &ChangedError{Path: w.path, Reason: "was made by somebody else"}
		}
		return os.Rename(tmp, w.target) // a file system without hard links
	}
	size, err := w.size()
	if err != nil {
		return err
	}
	if size != w.length || !w.named() {
		w.failed = &ChangedError{Path: w.path, Offset: min(size, w.length), Reason: "was changed by somebody else since the start"}
		return w.failed
	}
	// Windows renames no file that is open, and none over one.
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, w.target); err != nil {
		w.failed = err
		return err
	}
	return nil
}

// temporary makes the file that is to replace the other. It has always the same
// name, so that a process that died leaves one at most.
func (w *Follower) temporary(mode fs.FileMode) (*os.File, error) {
	h := fnv.New64a()
	h.Write([]byte(filepath.Base(w.target)))
	// Not with the name of the file in it, which may be as long as names can be.
	name := filepath.Join(filepath.Dir(w.target), fmt.Sprintf(".pawl-%016x.tmp", h.Sum64()))
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, mode)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		// The temporary name says nothing to the user.
		return nil, fmt.Errorf("write %s: %w", w.path, path.Err)
	}
	if err == nil {
		storage.LockTemp(f)
	}
	return f, err
}

// Sync makes what was written durable, and takes note of how far that is. After
// an error nothing more can be written: what the disk holds is known only to who
// opens the file again.
func (w *Follower) Sync() error {
	if w.failed != nil {
		return w.failed
	}
	if w.rewrite || w.stream != nil {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	p := position{
		Version: positionVersion, Path: w.path, Length: w.length, Seq: w.lines.seq, Edit: w.lines.asOf, Trail: w.trail, Rows: w.wanted,
	}
	if !w.made && reflect.DeepEqual(p, w.position) {
		return nil
	}
	if err := w.sync(); err != nil {
		w.failed = err
		return err
	}
	w.position, w.encoded = p, p.encode()
	return nil
}

func (w *Follower) sync() error {
	if !w.named() {
		return &ChangedError{Path: w.path, Reason: "was moved or replaced by somebody else while it was written"}
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if w.made {
		if err := storage.SyncDir(filepath.Dir(w.target)); err != nil {
			return err
		}
		w.made = false
	}
	return nil
}

// Position is what is to be kept in the crawl file and given to the next
// [Follow]: how far the last Sync came. It is nil for a pipe or a device. It is
// not to be changed.
func (w *Follower) Position() []byte { return w.encoded }

// Rewritten tells why the file is, or was, written anew from the start: "it was
// gone". It is empty when it was not.
func (w *Follower) Rewritten() string { return w.rewritten }

// Waits tells whether rows that are in the log wait until an edit of the user is
// carried out.
func (w *Follower) Waits() bool { return w.lines != nil && w.lines.atEdit() }

// Close releases the file. Nothing is written by it; what was not synced is found
// again by the next [Follow].
func (w *Follower) Close() error {
	var err error
	if w.pipe != nil {
		err = w.pipe.Close()
	}
	if w.file != nil {
		if cerr := w.file.Close(); cerr != nil && !errors.Is(cerr, os.ErrClosed) {
			err = cerr
		}
	}
	if w.failed == nil {
		w.failed = os.ErrClosed
	}
	return err
}

// pipe is a named pipe or a device. It is opened by the first Write, for that
// waits until somebody reads it.
type pipe struct {
	path string
	file *os.File
}

func (p *pipe) Write(b []byte) (n int, err error) {
	if p.file == nil {
		if p.file, err = os.OpenFile(p.path, os.O_WRONLY, 0); err != nil {
			return 0, err
		}
	}
	return p.file.Write(b)
}

// Close closes what was opened.
func (p *pipe) Close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// pageRecipe is all that the bytes of the rows of pages depend on, beside the
// log.
type pageRecipe struct {
	Format  string   `json:"format"`
	Columns []string `json:"columns"`
	Raw     bool     `json:"raw,omitempty"`
	Where   string   `json:"where,omitempty"`
	Fields  []Field  `json:"fields,omitempty"`
}

// recipeOf checks the options.
func recipeOf(o Options) (pageRecipe, error) {
	if o.Format < formats && !o.Format.Appends() {
		return pageRecipe{}, fmt.Errorf("rows cannot be added to a file of the format %v; use csv, tsv or jsonl", o.Format)
	}
	columns, err := followedTable(o.Fields).check(o)
	if err != nil {
		return pageRecipe{}, err
	}
	r := pageRecipe{Format: o.Format.String(), Raw: o.Raw && o.Format != JSONL, Where: o.Where}
	for _, c := range columns {
		r.Columns = append(r.Columns, c.name)
	}
	for _, field := range o.Fields {
		if o.Where != "" || slices.Contains(r.Columns, field.Name) {
			r.Fields = append(r.Fields, field)
		}
	}
	return r, nil
}

func (r pageRecipe) options() (Options, error) {
	format, err := ParseFormat(r.Format)
	return Options{Format: format, Columns: r.Columns, Raw: r.Raw, Where: r.Where, Fields: r.Fields}, err
}

// followedTable is that of pages without the columns that cannot be followed.
func followedTable(fields []Field) *table[pageRow] {
	t := pageTable(fields)
	t.columns = slices.DeleteFunc(t.columns, func(c column[pageRow]) bool { return NeedsWholeCrawl(c.name) })
	t.refused = func(name string) string {
		if NeedsWholeCrawl(name) {
			return "needs more than the visit of a row, so it cannot be had as rows come"
		}
		return ""
	}
	return t
}

// pageLines gives what [Pages] writes, bit by bit.
type pageLines struct {
	log    *storage.File
	pace   pacing
	rows   *rows[pageRow]
	reader pageReader
	begun  bool
	asOf   uint64 // visits that were withdrawn up to this event are no rows
	goesOn bool   // past edits
	seq    uint64 // events up to this one were read
	edit   uint64 // the EditRetry behind it, at which they stop; 0: there is none
	passed uint64 // the last of those that they need not stop at
	buf    []byte // what they gave and nobody took
}

func newPageLines(f *storage.File, r pageRecipe, pace pacing) (*pageLines, error) {
	o, err := r.options()
	if err != nil {
		return nil, err
	}
	l := &pageLines{log: f, pace: pace}
	l.rows, err = followedTable(o.Fields).rows(l, o)
	return l, err
}

// Write takes what the rows give.
func (l *pageLines) Write(b []byte) (int, error) {
	l.buf = append(l.buf, b...)
	return len(b), nil
}

func (l *pageLines) drop(n int) { l.buf = l.buf[:copy(l.buf, l.buf[n:])] }

// begin gives the header, once.
func (l *pageLines) begin() error {
	if l.begun {
		return nil
	}
	l.begun = true
	return l.rows.begin()
}

// upTo gives the rows of the events up to last, or to an edit that they stop at, and
// calls take between transactions, of which each ends when more is false.
func (l *pageLines) upTo(last uint64, more func() bool, take func() error) error {
	if last <= l.seq {
		return nil
	}
	read := func() error {
		return walkFrom(l.log, l.seq+1, last, l.pace, func(r *storage.Reader, seq uint64, event []byte) (bool, error) {
			room, err := l.read(r, seq, event)
			if err != nil || l.atEdit() {
				return false, err
			}
			l.seq = seq
			if more != nil {
				err = l.rows.flush() // to buf
				room = room && more()
			}
			return room, err
		}, func() error {
			if err := l.rows.flush(); err != nil {
				return err
			}
			if err := take(); err != nil || !l.atEdit() {
				return err
			}
			return errAtEdit
		})
	}
	var err error
	if last-l.seq > sliceEvents {
		err = l.log.Sequentially(read)
	} else {
		err = read()
	}
	if err == errAtEdit {
		err = nil
	}
	// After an error the rows before it are in buf as well: seq says so.
	if ferr := l.rows.flush(); err == nil {
		err = ferr
	}
	return err
}

// atEdit tells whether there are no more rows because of an edit.
func (l *pageLines) atEdit() bool { return l.edit > l.passed }

var errAtEdit = errors.New("an edit")

// read takes an event.
func (l *pageLines) read(r *storage.Reader, seq uint64, event []byte) (room bool, err error) {
	switch storage.KindOf(event) {
	case storage.KindEdit:
		if _, ok, err := retryOf(seq, event); err != nil || ok && !l.goesOn && seq > l.passed {
			l.edit = seq
			return false, err
		}
		return true, nil
	case storage.KindVisit:
		if r.IsReopened(seq, l.asOf) {
			return true, nil
		}
	}
	row, err := l.reader.read(seq, event, 0)
	if row == nil || err != nil {
		return true, err
	}
	return l.rows.row(row)
}

// position is what is kept of a file.
type position struct {
	Version int         `json:"version"`
	Path    string      `json:"path"` // the name it had
	Length  int64       `json:"length"`
	Seq     uint64      `json:"seq"`            // the last event that is in it
	Edit    uint64      `json:"edit,omitempty"` // it is without the rows that were withdrawn up to this event
	Trail   trail       `json:"trail"`
	Rows    pageRecipe  `json:"rows"`
	Next    *pageRecipe `json:"next,omitempty"` // it may have been replaced by one of these rows
}

const positionVersion = 1

func (p *position) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("export: position: " + err.Error()) // it has no such type
	}
	return b
}

// decodePosition gives nil for what is none: to know nothing is slow, but right.
func decodePosition(b []byte) *position {
	var p position
	if json.Unmarshal(b, &p) != nil || p.Version != positionVersion || !p.Trail.plausible(p.Length) {
		return nil
	}
	return &p
}

// trail is the checksums of the last bytes of a file: of all when there are less
// than trailPart, else of so many to twice as many.
type trail struct {
	From   int64  `json:"from"` // a first part begins,
	Middle int64  `json:"middle"`
	First  uint32 `json:"first"`  // CRC-32C of the part up to Middle
	Second uint32 `json:"second"` // and of that from there on
}

const trailPart = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (t *trail) plausible(length int64) bool {
	return 0 <= t.From && t.From <= t.Middle && t.Middle <= length
}

// add takes note of bytes that stand behind the first length ones.
func (t *trail) add(length int64, b []byte) {
	if length-t.Middle >= trailPart {
		*t = trail{From: t.Middle, Middle: length, First: t.Second}
	}
	t.Second = crc32.Update(t.Second, castagnoli, b)
}

// holds tells whether a file still has the checksums in its first length bytes,
// of which it has no less.
func (t *trail) holds(f io.ReaderAt, length int64) (bool, error) {
	first, err := checksumOf(f, t.From, t.Middle)
	if err != nil || first != t.First {
		return false, err
	}
	second, err := checksumOf(f, t.Middle, length)
	return err == nil && second == t.Second, err
}

func checksumOf(f io.ReaderAt, from, to int64) (sum uint32, err error) {
	buf := make([]byte, min(sliceBytes, to-from))
	for from < to {
		b := buf[:min(int64(len(buf)), to-from)]
		if n, err := f.ReadAt(b, from); n < len(b) {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, b)
		from += int64(len(b))
	}
	return sum, nil
}
