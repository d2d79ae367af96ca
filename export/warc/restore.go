package warc

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// enter takes the archive for this process and brings its folder to a position,
// which is known to be committed by that.
func (a *Archive) enter(p position) error {
	s, err := openState(a.path(a.stateName()))
	if err != nil {
		return err
	}
	if err := a.restore(s, p); err != nil {
		err = errors.Join(err, a.detach())
		return errors.Join(err, s.close(s.empty))
	}
	a.state = s
	return nil
}

// restore brings the folder to a position: the file that was open is open again,
// or complete when it was that already, and what was begun later goes.
// When the folder is refused, nothing in it has been changed.
func (a *Archive) restore(s *state, p position) error {
	if s.known && s.acked.beyond(p.mark()) {
		return a.ahead()
	}
	later, err := a.later(p.Serial)
	if err != nil {
		return err
	}
	if len(later) > 0 && !s.known {
		return a.ahead()
	}
	if p.File != "" {
		if err := a.resume(p, s.known); err != nil {
			return err
		}
	}
	if err := a.removeLater(later); err != nil {
		return err
	}
	isNew := !s.known
	if err := s.ack(p.mark()); err != nil {
		return err
	}
	if !isNew {
		return nil
	}
	return cmp.Or(s.file.Sync(), syncDir(a.dir))
}

// ahead is the error of a folder that holds what is committed elsewhere.
func (a *Archive) ahead() error {
	return &ChangedError{File: a.dir, Reason: "was written on from another copy of the crawl file", isAhead: true}
}

// resume goes back to the position in the file that was open then. The file is
// found under one of two names, for it may have been completed since. Only when
// it may be cut is anything behind the position removed.
func (a *Archive) resume(p position, mayCut bool) error {
	path := a.path(p.File)
	completed := false
	file, err := openOwn(path+".open", os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		completed = true
		file, err = openOwn(path, os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{File: path + ".open", Reason: "is missing"}
	} else if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	tail, err := a.examine(file, info.Size(), p)
	if err != nil {
		return err
	}
	if info.Size() > p.Length && !mayCut {
		return a.ahead()
	}
	if completed && info.Size() == p.Length {
		return a.mend(file, p)
	}
	listed, sum, err := a.restoreList(file, p)
	if err != nil {
		return err
	}
	file.Close() // some systems rename no open file
	if completed {
		if err := a.reopen(p.File); err != nil {
			return err
		}
	}
	if info.Size() > p.Length {
		if err := truncate(path+".open", p.Length); err != nil {
			return err
		}
	}
	return a.attach(p.File, p.Length, tail, listed, sum)
}

// examine holds a file against the position: it is long enough, the bytes before
// the position are those that were written, and those after it, which are to go,
// are of this archive. It returns the bytes before the position.
func (a *Archive) examine(file *os.File, size int64, p position) ([]byte, error) {
	if size < p.Length {
		return nil, &ChangedError{File: file.Name(), Reason: "is shorter than it was"}
	}
	tail := make([]byte, min(p.Length, tailSize))
	if _, err := file.ReadAt(tail, p.Length-int64(len(tail))); err != nil {
		return nil, err
	}
	if sumTail(tail) != p.Tail {
		return nil, &ChangedError{File: file.Name(), Reason: "is not what it was"}
	}
	ours, err := a.wroteAll(io.NewSectionReader(file, p.Length, size-p.Length), p.Serial)
	if err == nil && !ours {
		err = &ChangedError{File: file.Name(), Reason: "was added to"}
	}
	return tail, err
}

// mend completes a file that had lost its suffix when the run ended.
func (a *Archive) mend(file *os.File, p position) error {
	_, err := os.Lstat(a.path(indexName(p.File)))
	if err == nil {
		return removeAll(a.path(listName(p.File)), a.path(indexName(p.File)+".runs"))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, _, err := a.restoreList(file, p); err != nil {
		return err
	}
	return a.index(p.File)
}

// reopen gives a file that was completed after the position its suffix back.
func (a *Archive) reopen(name string) error {
	index := a.path(indexName(name))
	if err := removeAll(index, index+".tmp", index+".runs"); err != nil {
		return err
	}
	if err := os.Rename(a.path(name), a.path(name)+".open"); err != nil {
		return err
	}
	return syncDir(a.dir)
}

// restoreList brings the list of a file's records to the position, from the
// records themselves when it is not what it was. It returns its length and sum.
func (a *Archive) restoreList(file *os.File, p position) (int64, uint32, error) {
	path := a.path(listName(p.File))
	if cutList(path, p) {
		return p.Lines, p.LineSum, nil
	}
	list, err := createNew(path)
	if err != nil {
		return 0, 0, err
	}
	defer list.Close()
	sum := crc32.NewIEEE()
	out := bufio.NewWriterSize(io.MultiWriter(list, sum), 1<<16)
	n := int64(0)
	var line []byte
	err = entries(io.NewSectionReader(file, 0, p.Length), func(e *entry) error {
		line = e.appendTo(line[:0], p.File)
		n += int64(len(line))
		_, err := out.Write(line)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return n, sum.Sum32(), list.Close()
}

// cutList cuts the list of a file's records at the position, and reports whether
// it was what the position says.
func cutList(path string, p position) bool {
	list, err := openOwn(path, os.O_RDWR)
	if err != nil {
		return false
	}
	defer list.Close()
	sum := crc32.NewIEEE()
	n, err := io.CopyN(sum, list, p.Lines)
	return err == nil && n == p.Lines && sum.Sum32() == p.LineSum && list.Truncate(n) == nil
}

// later are the names of the files that this archive began after the one with
// that number. A file is ours when its warcinfo has the id that only we could
// give it.
func (a *Archive) later(serial int) (files []string, err error) {
	names, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		number := serialOf(strings.TrimSuffix(n.Name(), ".open"))
		if number > serial && n.Type().IsRegular() && a.began(a.path(n.Name()), number) {
			files = append(files, n.Name())
		}
	}
	return files, nil
}

// removeLater removes files with all that belongs to them, and what was to
// become one.
func (a *Archive) removeLater(files []string) error {
	if err := removeAll(a.path(a.temporary())); err != nil {
		return err
	}
	for _, file := range files {
		// The file itself goes last: until then the others can be told by it.
		var paths []string
		for _, s := range siblings(strings.TrimSuffix(file, ".open")) {
			paths = append(paths, a.path(s))
		}
		if err := removeAll(append(paths, a.path(file))...); err != nil {
			return err
		}
	}
	return syncDir(a.dir)
}

// began reports whether a file begins with the warcinfo that this archive gives
// to the file of that number.
func (a *Archive) began(path string, number int) bool {
	file, err := openOwn(path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer file.Close()
	rec, err := newMembers(file).next()
	return err == nil && rec.get("WARC-Record-ID") == string(appendUUID(nil, uuid(infoID(a.id, number))))
}

// wroteAll reports whether all that a reader holds looks like what this archive
// was writing to a file when it ended: records that name the warcinfo of the file,
// and after the last whole one the beginning of another, or what a power cut leaves
// of it.
func (a *Archive) wroteAll(r *io.SectionReader, serial int) (bool, error) {
	id := string(appendUUID(nil, uuid(infoID(a.id, serial))))
	for m := newMembers(r); ; {
		at := m.offset()
		rec, err := m.next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			if ours, err := brokenOff(io.NewSectionReader(r, at, r.Size()-at)); ours || err != nil {
				return ours, err
			}
			_, start, _ := r.Outer()
			hole, ok, err := firstHole(io.NewSectionReader(r, at, r.Size()-at), start+at)
			if err != nil || !ok || hole == 0 {
				return ok, err
			}
			return brokenOff(io.NewSectionReader(r, at, hole))
		}
		if rec.get("WARC-Warcinfo-ID") != id {
			return false, nil
		}
		if _, err := rec.skip(); err != nil {
			return true, nil // it breaks off, but its head says whose it is
		}
	}
}

// sector is what a disk writes at once.
const sector = 512

// firstHole finds where a reader, which begins at that offset of a file, has zeros up
// to the end of a sector. What is written between two syncs comes to the disk in
// any order, so that a power cut leaves holes. What is compressed has no such zeros,
// but for a few by chance.
func firstHole(r io.Reader, at int64) (hole int64, ok bool, err error) {
	const enough = 16
	in := bufio.NewReaderSize(r, 1<<16)
	for read := int64(0); ; {
		var b [sector]byte
		n, err := io.ReadFull(in, b[:sector-(at+read)%sector])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return 0, false, err
		}
		data := len(bytes.TrimRight(b[:n], "\x00"))
		// A record does not begin with a zero.
		if n-data >= enough || read == 0 && data == 0 {
			return read + int64(data), true, nil
		}
		read += int64(n)
	}
}

// brokenOff reports whether a reader holds zeros alone, or begins with a record
// that breaks off before its head is over.
func brokenOff(r *io.SectionReader) (bool, error) {
	var first [1]byte
	if _, err := r.ReadAt(first[:], 0); err != nil {
		return false, err
	}
	if first[0] == 0 {
		return allZero(r)
	}
	zip, err := gzip.NewReader(r)
	if err != nil {
		// The head of a gzip member has 10 bytes.
		return r.Size() < 10 && bytes.HasPrefix([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), readFirst(r, 8)), nil
	}
	const version = "WARC/1.1"
	text, err := io.ReadAll(io.LimitReader(zip, maxFields))
	if !errors.Is(err, io.ErrUnexpectedEOF) || bytes.Contains(text, []byte("\r\n\r\n")) {
		return false, nil
	}
	n := min(len(text), len(version))
	return string(text[:n]) == version[:n], nil
}

// readFirst is the first n bytes of a reader, or as many as it has.
func readFirst(r *io.SectionReader, n int64) []byte {
	b, _ := io.ReadAll(io.NewSectionReader(r, 0, n))
	return b
}

func allZero(r io.Reader) (bool, error) {
	for block := make([]byte, 1<<16); ; {
		n, err := r.Read(block)
		if slices.ContainsFunc(block[:n], func(b byte) bool { return b != 0 }) {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
}

// openOwn opens a file of the archive, and nothing that is no file: a pipe would
// block, and what a link points to is not ours.
func openOwn(path string, flag int) (*os.File, error) {
	if err := checkRegular(path); err != nil && (flag&os.O_CREATE == 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	return os.OpenFile(path, flag|noFollow, 0o666)
}

func checkRegular(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &ChangedError{File: path, Reason: "is no file"}
	}
	return err
}

// createNew makes a file in the place of what had its name; where a link led is
// left as it is.
func createNew(path string) (*os.File, error) {
	if err := removeAll(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

func truncate(path string, size int64) error {
	f, err := openOwn(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

// removeAll removes files, those that exist.
func removeAll(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
