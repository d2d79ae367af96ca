package warc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
)

// ErrBusy says that the archive is open already, in this process or in another
// that has a copy of its position.
var ErrBusy = errors.New("another process is writing to the archive")

// mark is how far an archive has come. Marks rise with every position.
type mark struct {
	serial int   // of the file that was begun last
	length int64 // of that file, or complete
}

// complete is the length of a file that is not written any more.
const complete = math.MaxInt64

func (p *position) mark() mark {
	if p.File == "" {
		return mark{p.Serial, complete}
	}
	return mark{p.Serial, p.Length}
}

func (m mark) beyond(other mark) bool {
	return m.serial > other.serial || m.serial == other.serial && m.length > other.length
}

// state is the file .warc-ID.state, which keeps the archive from being opened
// twice and tells how far it is known to be committed: nobody may go back behind
// that, who has a copy of the crawl file from before for example.
//
// It is there before anything is added, and until all that was added is known to
// be committed and no file is open. So a folder without it holds nothing that
// may be removed.
//
// It has two slots that are written in turn, so that one is whole at any time.
// They are not synced with every batch: the death of the process takes nothing
// from them, and after a power cut an older mark only protects less.
type state struct {
	file  *os.File
	empty bool   // nothing was ever written to it
	known bool   // it holds a mark
	acked mark   // all up to it is committed
	turn  uint64 // of the slot that was written last
}

const slotSize = 512

func (a *Archive) stateName() string { return ".warc-" + hex.EncodeToString(a.id[:]) + ".state" }

// openState opens the state of an archive, or makes an empty one.
func openState(path string) (*state, error) {
	const tries = 10
	for range tries {
		file, err := openLocked(path)
		if errors.Is(err, ErrBusy) {
			break
		} else if err != nil {
			return nil, err
		}
		if !leadsTo(path, file) { // it was removed before it was locked
			file.Close()
			continue
		}
		s := &state{file: file}
		if err := s.read(); err != nil {
			file.Close()
			return nil, err
		}
		return s, nil
	}
	return nil, fmt.Errorf("%s: %w", filepath.Dir(path), ErrBusy)
}

// leadsTo reports whether a path leads to an open file.
func leadsTo(path string, file *os.File) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, there)
}

func (s *state) read() error {
	var b [2 * slotSize]byte
	n, err := s.file.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.empty = n == 0
	for at := 0; at < n; at += slotSize {
		if turn, m, ok := decodeSlot(b[at:min(at+slotLength, n)]); ok && (!s.known || turn > s.turn) {
			s.turn, s.acked, s.known = turn, m, true
		}
	}
	return nil
}

// ack keeps that all up to a mark is committed.
func (s *state) ack(m mark) error {
	if s.known && s.acked == m {
		return nil
	}
	s.turn++
	if _, err := s.file.WriteAt(encodeSlot(s.turn, m), int64(s.turn%2)*slotSize); err != nil {
		return err
	}
	s.acked, s.known, s.empty = m, true, false
	return nil
}

// close gives the state up, and removes it when it is of no use.
func (s *state) close(isOver bool) error {
	path := s.file.Name()
	// As long as it is locked nobody else has it; but not all systems remove a
	// file that is open.
	gone := !isOver || os.Remove(path) == nil
	err := s.file.Close()
	if !gone {
		_ = os.Remove(path) // another may have it by now
	}
	return err
}

const (
	slotForm   = "pawl WARC state 1 %016x %016x %016x "
	slotLength = 18 + 3*17 + 9
)

func encodeSlot(turn uint64, m mark) []byte {
	b := fmt.Appendf(nil, slotForm, turn, uint64(m.serial), uint64(m.length))
	return fmt.Appendf(b, "%08x\n", crc32.ChecksumIEEE(b))
}

func decodeSlot(b []byte) (turn uint64, m mark, ok bool) {
	var serial, length uint64
	if _, err := fmt.Sscanf(string(b), slotForm, &turn, &serial, &length); err != nil {
		return 0, mark{}, false
	}
	m = mark{int(serial), int64(length)}
	return turn, m, bytes.Equal(b, encodeSlot(turn, m))
}
