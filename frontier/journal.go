package frontier

import (
	"encoding/binary"
	"errors"
	"slices"

	"pawl/storage"
)

// journal is what the fold has added since the last checkpoint to the parts of
// it that only grow.
type journal struct {
	on       bool     // a checkpoint may be made of it
	seen     []uint64 // fingerprints that got a standing, in the order of the log
	queue    [][]byte // groups of jobs, as pieces; the last one is being filled
	last     uint64   // seq of the last group in it
	contents []content
	weight   int // how long it would take to fold all this from the log
}

// What an event and a link in it weigh: about what they cost when they are
// folded.
const (
	eventWeight = 4
	linkWeight  = 1
)

func (j *journal) sawAddress(fp uint64) {
	if j.on {
		j.seen = append(j.seen, nonZero(fp))
	}
	j.weight += linkWeight
}

// pieceLaneShift is above the largest count with its scheme.
const pieceLaneShift = 10

// groupBytes is more than a group ever takes, with the checksum of a piece.
const groupBytes = 32

// pushed notes a group of jobs: how much higher its seq is than that of the
// group before in the piece (it wraps around where an old visit is a job again), then host, index, and count with the scheme in the
// lowest bit and the lane above, each an unsigned varint.
func (j *journal) pushed(p push) {
	if !j.on {
		return
	}
	n := len(j.queue) - 1
	if n < 0 || len(j.queue[n]) > storage.PieceSize-groupBytes {
		j.queue = append(j.queue, make([]byte, 0, storage.PieceSize))
		j.last = 0
		n++
	}
	b := binary.AppendUvarint(j.queue[n], p.place.seq-j.last)
	b = binary.AppendUvarint(b, uint64(p.host))
	b = binary.AppendUvarint(b, uint64(p.place.index))
	count := uint64(p.count)<<1 | uint64(p.lane)<<pieceLaneShift
	if p.place.https {
		count |= 1
	}
	j.queue[n] = binary.AppendUvarint(b, count)
	j.last = p.place.seq
}

// reset empties the journal; its pieces belong to somebody else now.
func (j *journal) reset() {
	seen := j.seen[:0]
	if cap(seen) > checkpointWeight {
		seen = nil // there was much to fold at the start
	}
	*j = journal{on: j.on, seen: seen, contents: j.contents[:0]}
}

// A piece of fingerprints: their number (4 bytes, little-endian), the
// fingerprints in rising order (8 bytes each, little-endian), a byte: 1 when
// standings follow, else 0, and then a byte for each, its standing.
const seenHeader = 4

// sortedSeen gives the journal's fingerprints in rising order, each once.
func (j *journal) sortedSeen() []uint64 {
	sortFingerprints(j.seen)
	return slices.Compact(j.seen)
}

// sortFingerprints sorts byte by byte from the lowest: evenly spread numbers are
// sorted several times faster than by comparing them, and the crawl waits for
// it.
func sortFingerprints(fps []uint64) {
	other := make([]uint64, len(fps))
	for shift := 0; shift < 64; shift += 8 {
		var next [256]int
		for _, fp := range fps {
			next[byte(fp>>shift)]++
		}
		at := 0
		for i, n := range next {
			next[i] = at
			at += n
		}
		for _, fp := range fps {
			i := byte(fp >> shift)
			other[next[i]] = fp
			next[i]++
		}
		fps, other = other, fps
	}
}

// seenPieces gives the standings that the journal's fingerprints have now,
// beginning with piece number first.
func (j *journal) seenPieces(s *set, first uint64) (pieces []storage.Piece) {
	most := (storage.PieceSize - seenHeader - 1) / 8
	if s.refused.n > 0 {
		most = most * 8 / 9
	}
	for fps := range slices.Chunk(j.sortedSeen(), most) {
		pieces = append(pieces, storage.NewPiece(storage.PartSeen, first+uint64(len(pieces)), s.piece(fps)))
	}
	return pieces
}

func (s *set) piece(fps []uint64) []byte {
	b := make([]byte, 0, seenHeader+9*len(fps)+8)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(fps)))
	for _, fp := range fps {
		b = binary.LittleEndian.AppendUint64(b, fp)
	}
	if s.refused.n == 0 {
		return append(b, 0)
	}
	b = append(b, 1)
	for _, fp := range fps {
		st, _ := s.get(fp)
		b = append(b, byte(st))
	}
	return b
}

var errPiece = errors.New("a piece that makes no sense")

// seenPiece is a piece of fingerprints that is being read.
type seenPiece struct {
	fps       []byte
	standings []byte // empty: all are admitted
}

func openSeenPiece(b []byte) (p seenPiece, err error) {
	if len(b) < seenHeader {
		return p, errPiece
	}
	n := int(binary.LittleEndian.Uint32(b))
	if b = b[seenHeader:]; n > len(b)/8 || len(b) <= 8*n {
		return p, errPiece
	}
	p.fps, p.standings = b[:8*n], b[8*n+1:]
	if b[8*n] > 1 || len(p.standings) != n*int(b[8*n]) {
		return p, errPiece
	}
	return p, nil
}

func (p *seenPiece) first() uint64 { return binary.LittleEndian.Uint64(p.fps) }

// next takes the first fingerprint out.
func (p *seenPiece) next() (fp uint64, st standing) {
	fp, p.fps = p.first(), p.fps[8:]
	if len(p.standings) > 0 {
		st, p.standings = standing(p.standings[0]), p.standings[1:]
	}
	return fp, st
}

// putPieces puts what piece wrote, the last piece counts. The fingerprints of a
// checkpoint are sorted; they are put shard by shard, from all checkpoints, for
// a shard fits into the processor's cache and the table does not.
func (s *set) putPieces(pieces []seenPiece) {
	var runs [][]seenPiece // each in rising order
	last := uint64(0)
	for _, p := range pieces {
		if len(p.fps) == 0 {
			continue
		}
		if first := p.first(); first < last || len(runs) == 0 {
			runs = append(runs, nil)
		}
		end := len(runs) - 1
		runs[end] = append(runs[end], p)
		last = binary.LittleEndian.Uint64(p.fps[len(p.fps)-8:])
	}
	for shard := range uint64(shards) {
		for i, run := range runs {
			for len(run) > 0 {
				p := &run[0]
				s.putShard(p, shard)
				if len(p.fps) > 0 {
					break
				}
				run = run[1:]
			}
			runs[i] = run
		}
	}
}

// putShard puts the piece's fingerprints up to those of a shard.
func (s *set) putShard(p *seenPiece, shard uint64) {
	for len(p.fps) > 0 && p.first()>>56 <= shard {
		// Of this shard, unless the piece is not sorted as it should be.
		home := p.first() >> 56
		sh := &s.admitted.shards[home]
		// Mostly all are admitted, and there is room for them.
		n := min(len(p.fps)/8, len(sh.slots)*4/5-sh.n)
		if n <= 0 || len(p.standings) > 0 || s.refused.n > 0 {
			s.put(p.next())
			continue
		}
		fps, slots, put := p.fps, sh.slots, 0
	next:
		for ; n > 0; n-- {
			fp := binary.LittleEndian.Uint64(fps)
			if fp>>56 != home {
				break
			}
			fp = nonZero(fp)
			fps = fps[8:]
			i := homeOf(fp, len(slots))
			for slots[i] != 0 {
				if slots[i] == fp {
					continue next
				}
				if i++; i == len(slots) {
					i = 0
				}
			}
			slots[i] = fp
			put++
		}
		sh.n += put
		s.admitted.n += put
		p.fps = fps
	}
}

// queuePieces gives the groups of the journal, beginning with piece number
// first.
func (j *journal) queuePieces(first uint64) (pieces []storage.Piece) {
	for i, b := range j.queue {
		pieces = append(pieces, storage.NewPiece(storage.PartQueue, first+uint64(i), b))
	}
	return pieces
}

// groupsAhead is how many groups are read at once.
const groupsAhead = 64

// readGroups calls do with the groups that pushed wrote, some at a time.
func readGroups(b []byte, do func([]push) error) error {
	d := decoder{b: b}
	seq := uint64(0)
	var groups [groupsAhead]push
	for len(d.b) > 0 {
		n := 0
		for ; n < groupsAhead && len(d.b) > 0; n++ {
			p := &groups[n]
			seq += d.uint()
			p.host = uint32(d.upTo(1<<32 - 1))
			p.place.seq, p.place.index = seq, uint16(d.upTo(storage.SelfIndex))
			count := d.upTo(uint64(storage.LaneLow)<<pieceLaneShift | 2*storage.MaxLinks + 1)
			p.lane = storage.Lane(count >> pieceLaneShift)
			count &= 1<<pieceLaneShift - 1
			p.place.https, p.count = count&1 != 0, int(count>>1)
			if p.count > storage.MaxLinks {
				d.fail()
			}
		}
		if d.failed {
			return errPiece
		}
		if err := do(groups[:n]); err != nil {
			return err
		}
	}
	return nil
}

// decoder reads what the pieces of checkpoints are made of. After a failure it
// gives zeros.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) fail() {
	d.b, d.failed = nil, true
}

func (d *decoder) uint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := uint64(d.b[0])
		d.b = d.b[1:]
		return v
	}
	return d.longUint()
}

func (d *decoder) longUint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) upTo(limit uint64) uint64 {
	v := d.uint()
	if v > limit {
		d.fail()
		return 0
	}
	return v
}

func (d *decoder) int() int64 { return int64(d.uint()) }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

// bytes gives bytes of the piece itself.
func (d *decoder) bytes() []byte { return d.take(d.uint()) }

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }
