package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Info is what a crawl file holds and what takes the space. Of a file that grows
// meanwhile, the parts are of slightly different instants. Its JSON is a promise:
// fields and parts are added, never renamed.
type Info struct {
	File       string `json:"file"` // absolute
	Format     int    `json:"format"`
	ID         string `json:"id"`      // in hexadecimal
	Created    string `json:"created"` // by RFC 3339
	Last       uint64 `json:"last_event"`
	Checkpoint uint64 `json:"checkpoint_event"` // the last one in the newest checkpoint; 0: there is none
	PageBytes  int    `json:"page_bytes"`

	// All of these together are Bytes.
	Parts    []InfoPart `json:"parts"`
	Tree     int64      `json:"tree_bytes"`     // what holds the parts together, and room in their pages that nothing uses
	Free     int64      `json:"free_bytes"`     // pages to be used again
	Reserved int64      `json:"reserved_bytes"` // at the end of the file, not used yet
	Bytes    int64      `json:"file_bytes"`

	// About how many bytes a copy would take, which has neither free pages nor
	// room in them.
	Packed int64 `json:"packed_bytes"`
}

// InfoPart is what stands in one bucket, or those of the log that are of one kind.
type InfoPart struct {
	Bucket string `json:"bucket"`
	Kind   string `json:"kind,omitempty"` // of event
	Count  uint64 `json:"count"`
	Bytes  int64  `json:"bytes"` // keys and values
}

// Gain is about how many bytes a packed copy has less.
func (i *Info) Gain() int64 { return max(0, i.Bytes-i.Packed) }

// Info looks through the whole file and tells what takes the space. It reads as
// CopyTo does, in short transactions, and rests after each when there is a pace.
// The buckets are in the order of their names, with the log first, whose kinds
// are in that of their numbers. Errors are ErrDamaged and that of ctx. It may be
// called concurrently with everything.
func (f *File) Info(ctx context.Context, pace func(took time.Duration)) (*Info, error) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		path = f.path
	}
	i := &Info{
		File: path, Format: f.header.Format, ID: hex.EncodeToString(f.header.ID[:]),
		Created: time.UnixMilli(f.header.Created).UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	var names [][]byte
	err = f.look(func(_ *Reader, tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
			names = append(names, bytes.Clone(name))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(names, func(a, b []byte) int {
		switch {
		case bytes.Equal(a, bucketLog):
			return -1
		case bytes.Equal(b, bucketLog):
			return 1
		}
		return 0
	})
	w := &weigher{ctx: ctx, file: f, pace: pace, pageSize: int64(f.db.Info().PageSize)}
	err = f.Sequentially(func() error {
		for _, name := range names {
			if err := w.bucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = f.View(func(r *Reader) error {
		i.Last = r.Last()
		if check, ok, err := r.Checkpoint(); ok && err == nil {
			i.Checkpoint = check.Seq
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	i.PageBytes, i.Parts = int(w.pageSize), w.parts
	used, free := spaceOf(f.file)
	i.Bytes, i.Free = f.Size(), free
	i.Reserved = max(0, i.Bytes-used-free)
	i.Tree = used
	for _, p := range i.Parts {
		i.Tree -= p.Bytes
	}
	i.Tree = max(0, i.Tree) // it may have grown since
	// Two pages of meta, the list of free pages, the tree of buckets, and what the
	// last transactions leave free.
	i.Packed = w.packed + 16*w.pageSize
	return i, nil
}

// weigher counts what stands in buckets.
type weigher struct {
	ctx      context.Context
	file     *File
	pace     func(time.Duration)
	pageSize int64
	parts    []InfoPart
	packed   int64 // bytes of the pages that it takes at the least
}

// bucket counts what stands in a bucket.
func (w *weigher) bucket(name []byte) error {
	counted := map[Kind]*InfoPart{}
	isLog := bytes.Equal(name, bucketLog)
	leaf := leafFill{pageSize: w.pageSize}
	var after []byte
	for more := true; more; {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		more = false
		err := w.file.look(func(r *Reader, tx *bolt.Tx) error {
			b := tx.Bucket(name)
			if b == nil {
				return nil // it was dropped meanwhile
			}
			c := b.Cursor()
			key, value := c.First()
			if after != nil {
				if key, value = c.Seek(after); bytes.Equal(key, after) {
					key, value = c.Next()
				}
			}
			var size int
			for n := 0; key != nil; key, value = c.Next() {
				if n == slice || size >= copyBytes {
					more = true
					return nil
				}
				n++
				size += len(r.plausible(value))
				after = append(after[:0], key...)
				kind := Kind(0)
				if isLog {
					kind = KindOf(value)
				}
				p := counted[kind]
				if p == nil {
					p = &InfoPart{Bucket: string(name)}
					if isLog {
						p.Kind = kind.String()
					}
					counted[kind] = p
				}
				p.Count++
				p.Bytes += int64(len(key) + len(value))
				leaf.add(int64(len(key) + len(value)))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if more && w.pace != nil {
			w.pace(time.Since(start))
		}
	}
	w.packed += leaf.bytes()
	if len(counted) == 0 {
		w.parts = append(w.parts, InfoPart{Bucket: string(name)})
		return nil
	}
	var kinds []Kind
	for kind := range counted {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		w.parts = append(w.parts, *counted[kind])
	}
	return nil
}

var kindNames = [...]string{
	KindVisit: "visit", KindLinks: "links", KindSeeds: "seeds", KindSkip: "skip", KindRetry: "retry",
	KindHost: "host", KindEdit: "edit", KindReopen: "reopen",
}

// String is the word for the kind in docs/format.md.
func (k Kind) String() string { return name(kindNames[:], int(k), "kind") }

// leafFill counts the pages of a tree that is written in order and filled to the
// brim, as bbolt does it.
type leafFill struct {
	pageSize int64
	used     int64 // of the leaf that is being filled
	keys     int
	leaves   int64
	pages    int64
}

func (l *leafFill) add(size int64) {
	size += elementSize
	if l.keys >= 2 && pageHeaderSize+l.used+size > l.pageSize {
		l.end()
	}
	l.used += size
	l.keys++
}

func (l *leafFill) end() {
	l.pages += (pageHeaderSize + l.used + l.pageSize - 1) / l.pageSize
	l.leaves++
	l.used, l.keys = 0, 0
}

// bytes ends it.
func (l *leafFill) bytes() int64 {
	if l.keys > 0 {
		l.end()
	}
	// Branches; those of the log have keys of eight bytes.
	perBranch := (l.pageSize - pageHeaderSize) / (elementSize + 8)
	for n := l.leaves; n > 1; {
		n = (n + perBranch - 1) / perBranch
		l.pages += n
	}
	return l.pages * l.pageSize
}

// spaceOf tells how many bytes of a file are used and free. Whoever has it open
// may be writing it: then it is as it was a moment ago, or taken to be all used.
func spaceOf(file sizedFile) (used, free int64) {
	for range 3 {
		m, err := inspectMeta(file)
		if err != nil {
			continue
		}
		all := int64(m.highWater * m.pageSize)
		n, err := freePages(file, m)
		if err == nil && n <= m.highWater {
			free = int64(n * m.pageSize)
			return all - free, free
		}
		used = all
	}
	return used, 0
}

// freePages is the length of the list of free pages.
func freePages(file sizedFile, m *boltMeta) (uint64, error) {
	p := newPages(file, m.pageSize, m.highWater)
	page, err := p.read(m.freelist)
	if err != nil {
		return 0, err
	}
	if page.flags != freelistFlag {
		return 0, damage("page %d is no list of free pages", m.freelist)
	}
	if page.count != manyInFreelist {
		return page.count, nil
	}
	first, err := p.bytes(m.freelist, pageHeaderSize, 8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(first), nil
}

// Used is how many bytes of a crawl file are not free, whoever has it open: about
// what a copy takes, and never much less. Errors are those of opening the file.
func Used(path string) (int64, error) {
	if err := inspect(path); err != nil {
		return 0, err
	}
	h, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer h.Close()
	used, _ := spaceOf(h)
	return used, nil
}
