package frontier

import (
	"cmp"
	"encoding/binary"
	"slices"

	"pawl/storage"
)

// contents tells which event first fetched a content. It keeps 32 bits of a
// keyed hash of the content's own hash, and the seq of the event: 8 bytes in a
// table that is 64 to 80 % full. What has the same bits is told apart by the hash
// in the event. The zero value is empty.
type contents struct {
	shards [shards]contentShard
	n      int
}

// contentShard holds 24 bits of the key and 40 of the seq in a slot, with linear
// probing; 0 is free. The other 8 bits of the key pick the shard.
type contentShard struct {
	slots []uint64
	n     int
}

const (
	seqBits = 40
	seqMask = 1<<seqBits - 1
	tagBits = 24
)

// content is an entry of contents.
type content struct {
	key uint32
	seq uint64
}

func (c content) slot() uint64 { return uint64(c.key)<<seqBits | c.seq&seqMask }

// home is the slot where a tag belongs.
func (s *contentShard) home(slot uint64) int {
	return int((slot >> seqBits) * uint64(len(s.slots)) >> tagBits)
}

func (s *contentShard) put(slot uint64) {
	i := s.home(slot)
	for s.slots[i] != 0 {
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	s.slots[i] = slot
}

func (t *contents) put(c content) {
	sh := &t.shards[c.key>>tagBits]
	if sh.n >= len(sh.slots)*4/5 {
		old := sh.slots
		sh.slots = make([]uint64, max(smallest+int(c.key>>tagBits)%(smallest/4), len(old)+len(old)/4))
		for _, slot := range old {
			if slot != 0 {
				sh.put(slot)
			}
		}
	}
	sh.put(c.slot())
	sh.n++
	t.n++
}

// find appends the seqs of the contents with the key.
func (t *contents) find(dst []uint64, key uint32) []uint64 {
	sh := &t.shards[key>>tagBits]
	if sh.n == 0 {
		return dst
	}
	want := content{key: key}.slot()
	for i := sh.home(want); sh.slots[i] != 0; {
		if sh.slots[i]&^seqMask == want {
			dst = append(dst, sh.slots[i]&seqMask)
		}
		if i++; i == len(sh.slots) {
			i = 0
		}
	}
	return dst
}

// contentBytes is what an entry takes in a piece: the key and the seq,
// little-endian.
const contentBytes = 4 + seqBits/8

// contentPieces gives the entries of the journal, beginning with piece number
// first. They are sorted, so that a start fills the table in the order of memory.
func (j *journal) contentPieces(first uint64) (pieces []storage.Piece) {
	for part := range slices.Chunk(j.sortedContents(), storage.PieceSize/contentBytes) {
		pieces = append(pieces, storage.NewPiece(storage.PartContents, first+uint64(len(pieces)), contentBlock(part)))
	}
	return pieces
}

func (j *journal) sortedContents() []content {
	slices.SortFunc(j.contents, func(a, b content) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq)) })
	return j.contents
}

func contentBlock(list []content) []byte {
	b := make([]byte, 0, len(list)*contentBytes+8)
	for _, c := range list {
		b = binary.LittleEndian.AppendUint32(b, c.key)
		b = binary.LittleEndian.AppendUint64(b, c.seq)[:len(b)+seqBits/8]
	}
	return b
}

// contentRun is entries of a checkpoint that are being read, by rising key.
type contentRun [][]byte

// key is that of the first entry.
func (r contentRun) key() uint32 { return binary.LittleEndian.Uint32(r[0]) }

// next takes the first entry out.
func (r *contentRun) next() content {
	b := (*r)[0]
	c := content{key: binary.LittleEndian.Uint32(b)}
	for i, v := range b[4:contentBytes] {
		c.seq |= uint64(v) << (8 * i)
	}
	if (*r)[0] = b[contentBytes:]; len((*r)[0]) == 0 {
		*r = (*r)[1:]
	}
	return c
}

// putPieces puts what contentPieces wrote. Entries are put shard by shard, from all
// checkpoints, for a shard fits into the processor's cache and the table does not.
// last is the last event that they may name.
func (t *contents) putPieces(pieces [][]byte, last uint64) error {
	var runs []contentRun
	n, before := 0, uint32(0)
	for _, b := range pieces {
		if len(b)%contentBytes != 0 || len(b) == 0 {
			return errPiece
		}
		n += len(b) / contentBytes
		run := contentRun{b}
		if run.key() < before || len(runs) == 0 {
			runs = append(runs, nil)
		}
		end := len(runs) - 1
		runs[end] = append(runs[end], b)
		before = binary.LittleEndian.Uint32(b[len(b)-contentBytes:])
	}
	t.reserve(n)
	for shard := range uint32(shards) {
		for i := range runs {
			for len(runs[i]) > 0 && runs[i].key()>>tagBits <= shard {
				c := runs[i].next()
				if c.seq == 0 || c.seq > last {
					return errPiece
				}
				t.put(c)
			}
		}
	}
	return nil
}

// reserve makes room for n entries in an empty table.
func (t *contents) reserve(n int) {
	for i := range t.shards {
		size := n/shards*4/3 + n/shards/16
		t.shards[i].slots = make([]uint64, max(size, smallest))
	}
}

// foldContent takes in that a content was fetched for the first time.
func (f *Frontier) foldContent(seq uint64, hash []byte) {
	c := content{f.contentKey(hash), seq}
	f.contents.put(c)
	if f.journal.on {
		f.journal.contents = append(f.journal.contents, c)
	}
}

func (f *Frontier) contentKey(hash []byte) uint32 { return uint32(f.hash(hash) >> 32) }

// First is the visit that fetched a content first. The zero value: it is new.
type First struct {
	URL  string
	Seq  uint64 // of the visit's event
	Time int64  // when it was asked for, Unix milliseconds
}

// FirstWith tells which visit fetched the content with a hash first. Events that
// are appended count, committed or not.
func (f *Frontier) FirstWith(file *storage.File, hash []byte) (first First, err error) {
	var space [8]uint64
	seqs := f.contents.find(space[:0], f.contentKey(hash))
	if len(seqs) == 0 {
		return First{}, nil
	}
	var stored []uint64
	for _, seq := range seqs {
		event := f.batch.Event(seq)
		if event == nil && f.spare != nil {
			event = f.spare.Event(seq)
		}
		if event == nil {
			stored = append(stored, seq)
		} else if first, ok := visitWith(seq, event, hash); ok {
			return first, nil
		}
	}
	if len(stored) == 0 {
		return First{}, nil
	}
	err = file.View(func(r *storage.Reader) error {
		for _, seq := range stored {
			if event := r.Event(seq); event != nil {
				var ok bool
				if first, ok = visitWith(seq, event, hash); ok {
					break
				}
			}
		}
		return nil
	})
	return first, err
}

// visitWith gives a visit, if the hash is that of its content.
func visitWith(seq uint64, event, hash []byte) (First, bool) {
	v, err := storage.DecodeVisitHead(event)
	if err != nil || string(v.ContentHash) != string(hash) {
		return First{}, false // what is damaged is found elsewhere
	}
	return First{URL: string(v.URL), Seq: seq, Time: v.Time}, true
}
