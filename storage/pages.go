package storage

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// bbolt believes what its pages say. A branch that leads back to itself sends
// it into endless recursion, which Go cannot recover from; a free list that
// names pages in use makes the next commit overwrite them. So the pages that
// lead to others are examined before bbolt follows them. They are few: one in
// about 170. What is wrong inside a leaf nearly always ends in a panic or a
// memory fault, which guarded turns into ErrDamaged, so of large trees only some
// leaves are looked at: reading all would mean reading the whole file. What
// remains is a leaf of a large file in whose place stands a whole branch page, as
// after a lost write; Check finds that.
//
// A page begins with its number (8 bytes), flags (2), count (2) and the number
// of pages that belong to it beside the first (4). The elements of a branch
// are position and length of the key (4 each) and a page number (8); those of
// a leaf are flags, position, length of the key and length of the value (4
// each). Positions count from the start of their element.
const (
	branchFlag   = 0x01
	leafFlag     = 0x02
	freelistFlag = 0x10

	elementSize    = 16
	bucketElement  = 0x01
	bucketHeader   = 16
	noFreelist     = ^uint64(0)
	manyInFreelist = 0xFFFF // the count stands in the first entry

	maxHeight = 40
	// Up to 16 MB of leaves are read, which takes milliseconds; of more, some,
	// lest a damaged first one hides what the level is.
	allLeaves  = 4096
	someLeaves = 64
)

// pages examines the pages of one state of a file.
type pages struct {
	file     io.ReaderAt
	pageSize uint64
	end      uint64 // the high-water mark: all pages are below it
	leaves   bool   // examine the leaves too
	seen     []uint64
	buf      []byte
}

func newPages(file io.ReaderAt, pageSize, end uint64) *pages {
	return &pages{file: file, pageSize: pageSize, end: end, seen: make([]uint64, end/64+1)}
}

// pageHead is the head of a page and its elements.
type pageHead struct {
	id       uint64
	flags    uint16
	count    uint64
	size     uint64 // bytes of the page with all that belongs to it
	elements []byte // valid until the next page is read
}

// tree examines the tree of the top bucket and those of the buckets in it.
func (p *pages) tree(root uint64) error {
	var roots []uint64
	err := p.walk(root, true, func(page *pageHead) error {
		for i := range page.count {
			if binary.LittleEndian.Uint32(page.elements[i*elementSize:])&bucketElement == 0 {
				continue
			}
			root, err := p.bucketRoot(page, i)
			if err != nil {
				return err
			}
			if root != 0 {
				roots = append(roots, root)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, root := range roots {
		err := p.walk(root, p.leaves, func(page *pageHead) error {
			for i := range page.count {
				if binary.LittleEndian.Uint32(page.elements[i*elementSize:])&bucketElement != 0 {
					return damage("page %d: a bucket inside a bucket", page.id)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walk goes through a tree level by level. All leaves of a tree are on one
// level, so that a few of its pages tell what the others have to be.
func (p *pages) walk(root uint64, leaves bool, leaf func(*pageHead) error) error {
	level := []uint64{root}
	for height := 0; len(level) > 0; height++ {
		if height == maxHeight {
			return damage("a tree of more than %d levels", maxHeight)
		}
		// In the order of the file: much faster when it is not in memory.
		slices.Sort(level)
		var next []uint64
		var want uint16
		step := 1
		if len(level) > allLeaves && !leaves {
			step = len(level) / someLeaves
		}
		for i, id := range level {
			if err := p.visit(id); err != nil {
				return err
			}
			if want == leafFlag && i%step != 0 {
				continue
			}
			page, err := p.read(id)
			if err != nil {
				return err
			}
			if i == 0 {
				want = page.flags
			}
			switch {
			case page.flags != want || want != leafFlag && want != branchFlag:
				return damage("page %d: flags %#x where %#x should be", id, page.flags, want)
			case want == branchFlag:
				if next, err = p.children(next, &page); err != nil {
					return err
				}
			default:
				if err := p.checkLeaf(&page, leaf); err != nil {
					return err
				}
			}
		}
		level = next
	}
	return nil
}

// visit notes that a page is in use and refuses it the second time.
func (p *pages) visit(id uint64) error {
	if id < 2 || id >= p.end {
		return damage("page %d of %d is referred to", id, p.end)
	}
	if p.seen[id/64]&(1<<(id%64)) != 0 {
		return damage("page %d is referred to twice", id)
	}
	p.seen[id/64] |= 1 << (id % 64)
	return nil
}

// read reads the head and the elements of a page.
func (p *pages) read(id uint64) (page pageHead, err error) {
	var head [pageHeaderSize]byte
	if _, err := p.file.ReadAt(head[:], int64(id*p.pageSize)); err != nil {
		return page, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	more := uint64(binary.LittleEndian.Uint32(head[12:]))
	page = pageHead{
		id:    id,
		flags: binary.LittleEndian.Uint16(head[8:]),
		count: uint64(binary.LittleEndian.Uint16(head[10:])),
		size:  (more + 1) * p.pageSize,
	}
	if number := binary.LittleEndian.Uint64(head[:]); number != id {
		return page, damage("page %d says that it is page %d", id, number)
	}
	if more >= p.end-id {
		return page, damage("page %d reaches beyond the end", id)
	}
	for i := range more {
		if err := p.visit(id + 1 + i); err != nil {
			return page, err
		}
	}
	if page.flags == freelistFlag {
		return page, nil
	}
	n := page.count * elementSize
	if pageHeaderSize+n > page.size {
		return page, damage("page %d: %d elements do not fit", id, page.count)
	}
	page.elements, err = p.bytes(id, pageHeaderSize, n)
	return page, err
}

// bytes reads n bytes of a page; they are valid until the next call.
func (p *pages) bytes(id, offset, n uint64) ([]byte, error) {
	p.buf = slices.Grow(p.buf[:0], int(n))[:n]
	if _, err := p.file.ReadAt(p.buf, int64(id*p.pageSize+offset)); err != nil {
		return nil, fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	return p.buf, nil
}

func (p *pages) children(ids []uint64, page *pageHead) ([]uint64, error) {
	if page.count == 0 {
		return nil, damage("page %d: a branch that leads nowhere", page.id)
	}
	for i := range page.count {
		e := page.elements[i*elementSize:]
		start := pageHeaderSize + i*elementSize + uint64(binary.LittleEndian.Uint32(e))
		key := uint64(binary.LittleEndian.Uint32(e[4:]))
		if key == 0 || start+key > page.size {
			return nil, damage("page %d: key %d lies outside", page.id, i)
		}
		ids = append(ids, binary.LittleEndian.Uint64(e[8:]))
	}
	return ids, nil
}

func (p *pages) checkLeaf(page *pageHead, leaf func(*pageHead) error) error {
	for i := range page.count {
		start, key, value := leafElement(page.elements, i)
		if key == 0 || pageHeaderSize+start+key+value > page.size {
			return damage("page %d: entry %d lies outside", page.id, i)
		}
	}
	return leaf(page)
}

// leafElement gives where the key of an element starts, counted from the first
// element, and how long key and value are.
func leafElement(elements []byte, i uint64) (start, key, value uint64) {
	e := elements[i*elementSize:]
	start = i*elementSize + uint64(binary.LittleEndian.Uint32(e[4:]))
	return start, uint64(binary.LittleEndian.Uint32(e[8:])), uint64(binary.LittleEndian.Uint32(e[12:]))
}

// bucketRoot gives the root page of the bucket that is the value of an
// element; 0 when the bucket is so small that it stands in the value itself.
func (p *pages) bucketRoot(page *pageHead, i uint64) (uint64, error) {
	start, key, length := leafElement(page.elements, i)
	if length < bucketHeader || length > p.pageSize {
		return 0, damage("page %d: entry %d is no bucket", page.id, i)
	}
	value := make([]byte, length)
	at := page.id*p.pageSize + pageHeaderSize + start + key
	if _, err := p.file.ReadAt(value, int64(at)); err != nil {
		return 0, fmt.Errorf("%w: page %d: %w", ErrDamaged, page.id, err)
	}
	root := binary.LittleEndian.Uint64(value)
	if root != 0 {
		return root, nil
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeaderSize || binary.LittleEndian.Uint16(inline[8:]) != leafFlag {
		return 0, damage("page %d: entry %d is no bucket", page.id, i)
	}
	elements := inline[pageHeaderSize:]
	count := uint64(binary.LittleEndian.Uint16(inline[10:]))
	if count*elementSize > uint64(len(elements)) {
		return 0, damage("page %d: the elements of bucket %d do not fit", page.id, i)
	}
	for j := range count {
		start, key, value := leafElement(elements, j)
		if key == 0 || start+key+value > uint64(len(elements)) {
			return 0, damage("page %d: entry %d of bucket %d lies outside", page.id, j, i)
		}
	}
	return 0, nil
}

// freelist examines the list of free pages. It comes after the trees, so that
// a page cannot be both free and a part of one.
func (p *pages) freelist(id uint64) error {
	if id == noFreelist {
		// pawl always writes one.
		return fmt.Errorf("%w: it has no list of free pages", ErrNotOurs)
	}
	if err := p.visit(id); err != nil {
		return err
	}
	page, err := p.read(id)
	if err != nil {
		return err
	}
	if page.flags != freelistFlag {
		return damage("page %d: flags %#x where the list of free pages should be", id, page.flags)
	}
	count, offset := page.count, uint64(pageHeaderSize)
	if count == manyInFreelist {
		first, err := p.bytes(id, offset, 8)
		if err != nil {
			return err
		}
		count, offset = binary.LittleEndian.Uint64(first), offset+8
	}
	if count > p.end || offset+count*8 > page.size {
		return damage("page %d: a list of %d free pages does not fit", id, count)
	}
	ids, err := p.bytes(id, offset, count*8)
	if err != nil {
		return err
	}
	for i := range count {
		if err := p.visit(binary.LittleEndian.Uint64(ids[i*8:])); err != nil {
			return fmt.Errorf("free list: %w", err)
		}
	}
	return nil
}

func damage(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}
