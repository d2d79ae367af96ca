package warc

import (
	"bufio"
	"bytes"
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

// restore brings the folder to a position: the file that was open is open again,
// or complete when it was that already, and what was begun later goes.
func (a *Archive) restore(p position) error {
	if p.File != "" {
		// This comes first, for when the folder is refused it must not have been changed.
		if err := a.resume(p); err != nil {
			return err
		}
	}
	return a.removeLater(p.Serial)
}

// resume goes back to the position in the file that was open then. The file is
// found under one of two names, for it may have been completed since.
func (a *Archive) resume(p position) error {
	path := a.path(p.File)
	completed := false
	file, err := openRegular(path + ".open")
	if errors.Is(err, fs.ErrNotExist) {
		completed = true
		file, err = openRegular(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &ChangedError{path + ".open", "is missing"}
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
		return nil, &ChangedError{file.Name(), "is shorter than it was"}
	}
	tail := make([]byte, min(p.Length, tailSize))
	if _, err := file.ReadAt(tail, p.Length-int64(len(tail))); err != nil {
		return nil, err
	}
	if sumTail(tail) != p.Tail {
		return nil, &ChangedError{file.Name(), "is not what it was"}
	}
	ours, err := a.wroteAll(io.NewSectionReader(file, p.Length, size-p.Length), p.Serial)
	if err == nil && !ours {
		err = &ChangedError{file.Name(), "was added to"}
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
	list, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return 0, 0, err
	}
	defer list.Close()
	sum := crc32.NewIEEE()
	n, err := io.CopyN(sum, list, p.Lines)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	if n == p.Lines && sum.Sum32() == p.LineSum {
		return n, p.LineSum, list.Truncate(n)
	}

	if err := list.Truncate(0); err != nil {
		return 0, 0, err
	}
	if _, err := list.Seek(0, io.SeekStart); err != nil {
		return 0, 0, err
	}
	sum.Reset()
	out := bufio.NewWriterSize(io.MultiWriter(list, sum), 1<<16)
	n = 0
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

// removeLater removes what this archive began after the file with that number.
// A file is ours when its warcinfo has the id that only we could give it.
func (a *Archive) removeLater(serial int) error {
	if err := removeAll(a.path(a.temporary())); err != nil {
		return err
	}
	names, err := os.ReadDir(a.dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		name := strings.TrimSuffix(n.Name(), ".open")
		number := serialOf(name)
		if number <= serial || !n.Type().IsRegular() || !a.began(a.path(n.Name()), number) {
			continue
		}
		// The file itself goes last: until then the others can be told by it.
		var paths []string
		for _, s := range siblings(name) {
			paths = append(paths, a.path(s))
		}
		if err := removeAll(append(paths, a.path(n.Name()))...); err != nil {
			return err
		}
	}
	return syncDir(a.dir)
}

// began reports whether a file begins with the warcinfo that this archive gives
// to the file of that number.
func (a *Archive) began(path string, number int) bool {
	file, err := openRegular(path)
	if err != nil {
		return false
	}
	defer file.Close()
	rec, err := newMembers(file).next()
	return err == nil && rec.get("WARC-Record-ID") == string(appendUUID(nil, uuid(infoID(a.id, number))))
}

// wroteAll reports whether all that a reader holds looks like what this archive
// was writing to a file when it ended: records that name the warcinfo of the file,
// and after the last whole one the beginning of another, or the zeros that a power
// cut leaves.
func (a *Archive) wroteAll(r *io.SectionReader, serial int) (bool, error) {
	id := string(appendUUID(nil, uuid(infoID(a.id, serial))))
	for m := newMembers(r); ; {
		at := m.offset()
		rec, err := m.next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return brokenOff(io.NewSectionReader(r, at, r.Size()-at))
		}
		if rec.get("WARC-Warcinfo-ID") != id {
			return false, nil
		}
		if _, err := rec.skip(); err != nil {
			return true, nil // it breaks off, but its head says whose it is
		}
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
	if err == nil || bytes.Contains(text, []byte("\r\n\r\n")) {
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

// openRegular opens a file to be read, and nothing that is no file: a pipe would
// block, and what a link points to is not ours.
func openRegular(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &ChangedError{path, "is no file"}
	}
	return os.Open(path)
}

func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
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
