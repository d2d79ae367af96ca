package warc

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Options are the settings of an [Archive], made by [Defaults].
type Options struct {
	// MaxSize is the size in bytes that a file does not exceed, unless a single
	// exchange does.
	MaxSize int64
	// Level is the level at which records are compressed, 1 to 9.
	Level int
	// Info is what the files say of themselves.
	Info Info
}

// Defaults are the options when nothing is said: files of 1 GB, which is what
// annex C of the standard recommends.
func Defaults() Options {
	return Options{MaxSize: 1e9, Level: Level}
}

func (o *Options) validate() error {
	switch {
	case o.MaxSize < 1:
		return errors.New("warc: the size of files must be positive")
	case o.Level < 1 || o.Level > 9:
		return fmt.Errorf("warc: no level of compression: %d", o.Level)
	}
	return nil
}

// ChangedError says that a file of an archive is not what its position says, so
// that somebody else has changed, moved or removed it. Nothing was done to it.
type ChangedError struct {
	File   string // its path, or that of the folder
	Reason string

	isAhead bool // the folder is beyond the position
}

func (e *ChangedError) Error() string {
	if e.isAhead {
		return fmt.Sprintf("%s %s: go on with that copy, or choose another folder", e.File, e.Reason)
	}
	return fmt.Sprintf("%s %s: put back the file as pawl left it, or choose another folder", e.File, e.Reason)
}

// Archive is a folder of WARC files to which a crawl adds.
//
// While it is written, a file is named PREFIX-20060102150405-00001.warc.gz.open,
// with the time of its first exchange and a number that rises; the list of its
// records is beside it in ….cdxj.open. When the next exchange would make it
// larger than MaxSize, or at [Archive.Finish], it loses its suffix, and its
// sorted index is written to ….cdxj.
//
// The folder is exact after an end at any instant, by this protocol. [Archive.Add]
// returns when its records are on disk; then the caller commits [Archive.Position]
// together with what it knows of the exchanges. [Open] brings the folder back
// to the position that was committed: it removes what was written after it, and
// the exchanges can be added again. It removes only what is recognised as its own,
// and of a file that is not what the position says it touches nothing.
//
// So that it recognises its own, the position must be committed once after the
// first Open, before the first Add.
//
// Nothing is removed that is known to be committed. Add, Open and
// [Archive.Committed] make known that the position before them is, and Open
// refuses an older one, that of a copy of the caller's state for example: it would
// take away what only the other copy has. What is known stands in the file
// .warc-ID.state, which is made by the first Add, and removed by Close when all is
// complete and known to be committed. Without it Open removes nothing, and refuses
// a folder that holds more than the position says. After a power cut it may be
// behind, at most by what the file that is open has grown.
//
// An Archive is for one goroutine at a time, and open once at a time ([ErrBusy]),
// where the system has locks on files. A folder may hold several archives, also
// with the same prefix, that are written at once.
type Archive struct {
	dir, prefix string
	o           Options
	id          [16]byte
	enc         *encoder
	serial      int

	file  *os.File // nil when none is open
	name  string   // without .open
	size  int64    // with what is in buf
	fresh bool     // no exchange is in it
	tail  []byte   // the last bytes that were written
	buf   bytes.Buffer

	list    *os.File // the list of its records
	lines   []byte   // to be added to it
	listed  int64
	lineSum uint32

	position []byte
	at       mark   // the same
	state    *state // nil before the first Add of a new archive
	err      error
}

// prefixForm is what the prefix of names may be: nothing that means something to
// a shell, and so short that names fit every file system.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Open opens the archive in a folder at a position, or begins one when position
// is nil; the folder is made when it is missing. It returns a [*ChangedError]
// when the open file is not as the position says, or the folder is known to be
// beyond the position, and an error that wraps [ErrBusy] when the archive is open.
//
// The files begin with the prefix: letters, digits, point, dash and low line, at
// most 100. It may be another than before.
func Open(dir, prefix string, position []byte, o Options) (*Archive, error) {
	var id [16]byte
	rand.Read(id[:])
	return open(dir, prefix, position, o, id)
}

// open is Open with the id that a new archive gets.
func open(dir, prefix string, kept []byte, o Options, id [16]byte) (*Archive, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if !prefixForm.MatchString(prefix) {
		return nil, fmt.Errorf("warc: no prefix for names of files: %q", prefix)
	}
	enc, err := newEncoder(o.Level)
	if err != nil {
		return nil, err
	}
	a := &Archive{dir: dir, prefix: prefix, o: o, id: id, enc: enc}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	if kept != nil {
		var p position
		if p, a.id, err = decodePosition(kept); err != nil {
			return nil, fmt.Errorf("warc: %w", err)
		}
		a.serial = p.Serial
		if err := a.enter(p); err != nil {
			return nil, err
		}
	}
	a.keepPosition()
	return a, nil
}

// Position is where the archive stands after the last [Archive.Add] or
// [Archive.Finish] that returned no error, or after [Open]: about 300 bytes of
// text. The slice is not changed later.
func (a *Archive) Position() []byte { return a.position }

func (a *Archive) keepPosition() {
	p := position{Version: positionVersion, ID: hex.EncodeToString(a.id[:]), Serial: a.serial}
	if a.file != nil {
		p.File, p.Length, p.Tail, p.Lines, p.LineSum = a.name, a.size, sumTail(a.tail), a.listed, a.lineSum
	}
	a.position, a.at = p.encode(), p.mark()
}

// Add writes the records of exchanges, in order, and returns when they are
// on disk. What it did not return for counts as not written. The position from
// before must be committed: that call tells the archive so.
//
// When an exchange cannot be archived, the error wraps [ErrExchange] and nothing
// of the batch was written. After any other error, a full disk for one, all calls
// return it: the archive is to be closed, and opened at its last position.
func (a *Archive) Add(exchanges []*Exchange) error {
	if a.err != nil {
		return a.err
	}
	for _, x := range exchanges {
		if err := x.check(); err != nil {
			return err
		}
	}
	if len(exchanges) == 0 {
		return nil
	}
	if a.err = a.add(exchanges); a.err != nil {
		a.err = fmt.Errorf("write WARC: %w", a.err)
		return a.err
	}
	a.keepPosition()
	return nil
}

func (a *Archive) add(exchanges []*Exchange) error {
	const flushAt = 1 << 20
	if err := a.acknowledge(); err != nil {
		return err
	}
	for _, x := range exchanges {
		if a.file == nil {
			if err := a.create(x.Time); err != nil {
				return err
			}
		}
		start := a.buf.Len()
		e, err := a.enc.exchange(&a.buf, x)
		if err != nil {
			return err
		}
		if n := int64(a.buf.Len() - start); !a.fresh && a.size+n > a.o.MaxSize {
			// The records name the warcinfo of their file, so they are made anew.
			a.buf.Truncate(start)
			if err := a.next(x.Time); err != nil {
				return err
			}
			start = a.buf.Len()
			if e, err = a.enc.exchange(&a.buf, x); err != nil {
				return err
			}
		}
		e.offset = a.size
		a.size += int64(a.buf.Len() - start)
		a.fresh = false
		a.lines = e.appendTo(a.lines, a.name)
		if a.buf.Len() >= flushAt {
			if err := a.flush(); err != nil {
				return err
			}
		}
	}
	if err := a.flush(); err != nil {
		return err
	}
	return a.file.Sync()
}

// acknowledge keeps that the position is committed.
func (a *Archive) acknowledge() error {
	if a.state != nil {
		return a.state.ack(a.at)
	}
	// Only now, so that nothing is left of an archive whose first position was never
	// committed.
	return a.enter(position{Serial: a.serial})
}

// Committed tells the archive that its position is committed, so that no older one
// is taken from now on. It is worth calling after the last commit of a run; before
// the next Add it is not needed.
func (a *Archive) Committed() error {
	if a.err != nil || a.state == nil {
		return a.err
	}
	if err := a.state.ack(a.at); err != nil {
		return err
	}
	return a.state.file.Sync()
}

// next ends the file that is open and begins another.
func (a *Archive) next(at time.Time) error {
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.finish(); err != nil {
		return err
	}
	return a.create(at)
}

// flush writes what is buffered. The list of records is written without being
// synced: what a power cut takes from it is read from the records again.
func (a *Archive) flush() error {
	b := a.buf.Bytes()
	if _, err := a.file.Write(b); err != nil {
		return err
	}
	if len(b) >= tailSize {
		a.tail = append(a.tail[:0], b[len(b)-tailSize:]...)
	} else {
		a.tail = append(a.tail, b...)
		a.tail = a.tail[max(0, len(a.tail)-tailSize):]
	}
	a.buf = recycled(a.buf)
	if _, err := a.list.Write(a.lines); err != nil {
		return err
	}
	a.listed += int64(len(a.lines))
	a.lineSum = crc32.Update(a.lineSum, crc32.IEEETable, a.lines)
	a.lines = a.lines[:0]
	return nil
}

// create begins a file. It gets its name only when its warcinfo is on disk, so
// that it can always be recognised by that.
func (a *Archive) create(at time.Time) error {
	name := ""
	for a.serial++; ; a.serial++ {
		name = fmt.Sprintf("%s-%s-%05d.warc.gz", a.prefix, stamp(at), a.serial)
		if free, err := a.free(name); err != nil {
			return err
		} else if free {
			break
		}
	}
	info := a.o.Info
	info.Filename, info.ID, info.Time = name, infoID(a.id, a.serial), at
	var head bytes.Buffer
	if err := a.enc.info(&head, &info); err != nil {
		return err
	}
	temporary := a.path(a.temporary())
	if err := writeFile(temporary, head.Bytes()); err != nil {
		return err
	}
	if err := renameNew(temporary, a.path(name)+".open"); err != nil {
		return err
	}
	if err := syncDir(a.dir); err != nil {
		return err
	}
	return a.attach(name, int64(head.Len()), head.Bytes(), 0, 0)
}

// attach opens a file, and the list of its records, to be written on.
func (a *Archive) attach(name string, size int64, tail []byte, listed int64, lineSum uint32) error {
	file, err := openOwn(a.path(name)+".open", os.O_RDWR)
	if err != nil {
		return err
	}
	list, err := openOwn(a.path(listName(name)), os.O_RDWR|os.O_CREATE)
	if err != nil {
		file.Close()
		return err
	}
	a.file, a.list, a.name = file, list, name
	a.size, a.tail, a.listed, a.lineSum = size, bytes.Clone(tail), listed, lineSum
	a.fresh = listed == 0
	a.enc.warcinfo = uuid(infoID(a.id, serialOf(name)))
	_, errFile := file.Seek(size, io.SeekStart)
	_, errList := list.Seek(listed, io.SeekStart)
	return cmp.Or(errFile, errList, list.Truncate(listed))
}

// Finish ends the file that is open, if there is one: the crawl is over. A
// later Add begins another. The position is to be committed afterwards.
func (a *Archive) Finish() error {
	if a.err != nil || a.file == nil {
		return a.err
	}
	if a.err = a.finish(); a.err != nil {
		a.err = fmt.Errorf("finish WARC: %w", a.err)
		return a.err
	}
	a.keepPosition()
	return nil
}

func (a *Archive) finish() error {
	name := a.name
	if err := cmp.Or(a.file.Sync(), a.state.file.Sync()); err != nil {
		return err
	}
	if err := a.detach(); err != nil {
		return err
	}
	if _, err := os.Lstat(a.path(name)); err == nil {
		return fmt.Errorf("%s exists", a.path(name))
	}
	if err := os.Rename(a.path(name)+".open", a.path(name)); err != nil {
		return err
	}
	if err := syncDir(a.dir); err != nil {
		return err
	}
	return a.index(name)
}

// index writes the index of a file that is complete, from the list of its records.
func (a *Archive) index(name string) error {
	if err := indexFile(a.path(indexName(name)), a.path(listName(name))); err != nil {
		return err
	}
	if err := removeAll(a.path(listName(name)), a.path(indexName(name)+".runs")); err != nil {
		return err
	}
	return syncDir(a.dir)
}

// Close leaves the archive as it stands at its position, for the next [Open].
// It is of no use afterwards.
func (a *Archive) Close() error {
	isWhole := a.err == nil && a.at.length == complete
	a.err = cmp.Or(a.err, errors.New("warc: archive is closed"))
	err := a.detach()
	if s := a.state; s != nil {
		a.state = nil
		err = cmp.Or(err, s.close(isWhole && s.acked == a.at))
	}
	return err
}

func (a *Archive) detach() error {
	if a.file == nil {
		return nil
	}
	err := cmp.Or(a.file.Close(), a.list.Close())
	a.file, a.list = nil, nil
	return err
}

func (a *Archive) path(name string) string { return filepath.Join(a.dir, name) }

// temporary is the name of a file that is being begun: the archive's alone.
func (a *Archive) temporary() string { return "warc-" + hex.EncodeToString(a.id[:]) + ".new" }

// indexName and listName are the names of the index of a file and of the list of
// its records, which becomes the index.
func indexName(name string) string { return strings.TrimSuffix(name, ".warc.gz") + ".cdxj" }
func listName(name string) string  { return indexName(name) + ".open" }

// siblings are the names of all files that belong to one, apart from itself.
func siblings(name string) []string {
	index := indexName(name)
	return []string{index, index + ".open", index + ".tmp", index + ".runs"}
}

// free reports whether nothing has a name that a file of that name would need.
func (a *Archive) free(name string) (bool, error) {
	for _, n := range append(siblings(name), name, name+".open") {
		switch _, err := os.Lstat(a.path(n)); {
		case err == nil:
			return false, nil
		case !errors.Is(err, fs.ErrNotExist):
			return false, err
		}
	}
	return true, nil
}

// infoID is the id that the warcinfo of an archive's file is made of. Nobody else
// has it, for that of the archive is random.
func infoID(archive [16]byte, serial int) [16]byte {
	return named(archive, fmt.Sprintf("warcinfo %d", serial))
}

// stamp is a time as the names of files have it.
func stamp(t time.Time) string {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		t = time.Time{}
	}
	return t.Format("20060102150405")
}

func writeFile(path string, b []byte) error {
	f, err := createNew(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// renameNew renames a file to a name that nothing may have. Where the file system
// has links, nothing is overwritten even if somebody takes the name meanwhile.
func renameNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(from, to)
}
