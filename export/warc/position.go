package warc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// position is where an archive stands, as the caller keeps it.
type position struct {
	Version int    `json:"v"`
	ID      string `json:"id"`     // of the archive, random, in hex
	Serial  int    `json:"serial"` // of the file that was begun last

	// The file that is open, without its suffix .open; empty when none is.
	File    string `json:"file,omitempty"`
	Length  int64  `json:"length,omitempty"`
	Tail    string `json:"tail,omitempty"`    // of the bytes before Length
	Lines   int64  `json:"lines,omitempty"`   // length of the list of its records
	LineSum uint32 `json:"lineSum,omitempty"` // CRC-32 of the list
}

const positionVersion = 1

// tailSize is how many bytes before the length of a file its position vouches for.
const tailSize = 4096

// sumTail is the checksum of the end of a file.
func sumTail(tail []byte) string {
	sum := sha256.Sum256(tail)
	return hex.EncodeToString(sum[:])
}

func (p *position) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("warc: " + err.Error())
	}
	return b
}

// decodePosition reads a position back and checks that it can be one.
func decodePosition(b []byte) (p position, id [16]byte, err error) {
	if err := json.Unmarshal(b, &p); err != nil {
		return p, id, fmt.Errorf("read position: %w", err)
	}
	raw, err := hex.DecodeString(p.ID)
	switch {
	case p.Version != positionVersion:
		err = fmt.Errorf("read position: version %d is not known", p.Version)
	case err != nil || len(raw) != len(id) || p.Serial < 0 || p.Length < 0 || p.Lines < 0:
		err = errors.New("read position: damaged")
	case p.File != "" && serialOf(p.File) != p.Serial:
		err = errors.New("read position: damaged name of file")
	}
	copy(id[:], raw)
	return p, id, err
}

// fileName is the form of the names of files, apart from .open.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*-[0-9]{14}-([0-9]{5,9})\.warc\.gz$`)

// serialOf is the serial number in the name of a file, -1 when it has none.
func serialOf(name string) int {
	m := fileName.FindStringSubmatch(name)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}
