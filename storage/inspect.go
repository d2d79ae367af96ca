package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// The first two pages of a bbolt file are its meta pages: a page header of 16
// bytes, then magic, version, page size, flags (4 bytes each), root page,
// root sequence, free list page, high-water mark, transaction number and an
// FNV-1a checksum over all of them (8 bytes each), in the byte order of the
// machine, which is little-endian on every platform pawl is built for.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	pageHeaderSize = 16
	metaSize       = 64
)

type boltMeta struct {
	pageSize  uint64
	root      uint64
	freelist  uint64
	highWater uint64
	txid      uint64
}

// inspect decides whether bbolt may be let near the file.
func inspect(path string) error {
	info, err := os.Stat(path)
	switch {
	case isMissing(err):
		return ErrMissing
	case err != nil:
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case info.IsDir():
		return fmt.Errorf("%w: it is a folder", ErrNotOurs)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", ErrNotOurs)
	case info.Size() == 0:
		return fmt.Errorf("%w: it is empty", ErrNotOurs)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	defer f.Close()
	_, err = inspectMeta(f)
	return err
}

// isMissing tells whether there is nothing at a path, be it that what should
// be a folder on the way is a file.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// sizedFile is what inspectMeta needs of an *os.File.
type sizedFile interface {
	io.ReaderAt
	Stat() (fs.FileInfo, error)
}

// inspectMeta gives the meta page that bbolt will use.
func inspectMeta(f sizedFile) (*boltMeta, error) {
	var newest *boltMeta
	magic := false
	consider := func(offset int64) {
		m, isBolt := readMeta(f, offset)
		magic = magic || isBolt
		if m == nil || offset > 0 && m.pageSize != uint64(offset) {
			return
		}
		if newest == nil || m.txid > newest.txid {
			newest = m
		}
	}
	consider(0)
	if newest != nil {
		consider(int64(newest.pageSize))
	} else {
		// The first page is broken: the second stands at one of the page
		// sizes that bbolt itself tries.
		for shift := range 7 {
			consider(int64(1024) << shift)
		}
	}
	if newest == nil {
		if magic {
			return nil, damage("neither of its first two pages is whole")
		}
		return nil, ErrNotOurs
	}
	// The size is asked for last: whoever has the file open may be growing it.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size, need := uint64(info.Size()), newest.highWater*newest.pageSize
	if newest.highWater > 1<<40 || need > size {
		return nil, damage("it was cut short (%d bytes of at least %d)", size, need)
	}
	return newest, nil
}

// inspectPages examines what bbolt follows blindly. The file must be locked,
// or a commit of another process would look like damage.
func inspectPages(f sizedFile) error {
	m, err := inspectMeta(f)
	if err != nil {
		return err
	}
	p := newPages(f, m.pageSize, m.highWater)
	if err := p.tree(m.root); err != nil {
		return err
	}
	return p.freelist(m.freelist)
}

// readMeta gives the meta page at the offset, nil when it is not valid;
// isBolt tells whether it at least begins like one.
func readMeta(f io.ReaderAt, offset int64) (m *boltMeta, isBolt bool) {
	var page [pageHeaderSize + metaSize]byte
	n, _ := f.ReadAt(page[:], offset)
	b := page[pageHeaderSize:]
	if n < pageHeaderSize+4 || binary.LittleEndian.Uint32(b) != boltMagic {
		return nil, false
	}
	if n < len(page) || binary.LittleEndian.Uint32(b[4:]) != boltVersion {
		return nil, true
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	if sum.Sum64() != binary.LittleEndian.Uint64(b[56:]) {
		return nil, true
	}
	m = &boltMeta{
		pageSize:  uint64(binary.LittleEndian.Uint32(b[8:])),
		root:      binary.LittleEndian.Uint64(b[16:]),
		freelist:  binary.LittleEndian.Uint64(b[32:]),
		highWater: binary.LittleEndian.Uint64(b[40:]),
		txid:      binary.LittleEndian.Uint64(b[48:]),
	}
	if m.pageSize < 512 || m.pageSize > 1<<20 {
		return nil, true
	}
	return m, true
}
