package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	bolt "go.etcd.io/bbolt"
)

// Predicate says which addresses an edit of the user is about: those for which
// all hold that it names. The zero value is about all.
type Predicate struct {
	Host  string `json:"host,omitempty"`  // with its port, when that is not the default
	Match string `json:"match,omitempty"` // regular expression on the canonical address
	// Of addresses with an outcome: an answer with one of the statuses, or a
	// failure of one of the classes. None of both: all that failed or were blocked.
	Classes  []string      `json:"classes,omitempty"`
	Statuses []StatusRange `json:"statuses,omitempty"`
	// When they were finished, Unix milliseconds; 0: not said.
	Since int64 `json:"since,omitempty"`
	Until int64 `json:"until,omitempty"`
}

// StatusRange is HTTP statuses, both ends included.
type StatusRange struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// Reopen is a slice of an EditRetry: outcomes that are withdrawn. Their addresses
// are jobs again.
type Reopen struct {
	Time   int64
	Edit   uint64     // seq of the EditRetry
	Upto   uint64     // it has come to this event
	Visits []Reopened // by rising Seq, at most MaxReopened
}

// MaxReopened is the most visits that one Reopen may name.
const MaxReopened = 4096

// Reopened is a visit whose outcome is withdrawn, with what the fold needs to know
// of it.
type Reopened struct {
	Seq     uint64 // of the Visit
	Host    uint32 // of its Job
	HTTPS   bool
	Depth   uint32
	Outcome Outcome // not Fetched, nor Redirected
	Class   Class
	Lane    Lane // of the new job
}

// SelfIndex as the index of a link in a Visit means the visit's own address: the
// job of a reopened outcome stands there.
const SelfIndex = 1<<16 - 1

// Bits of a visit in a Reopen; its lane stands above them.
const (
	reopenedHTTPS = 1 << iota
	reopenedBlocked
	reopenedClass // it has a class, which follows
	reopenedLane  = iota
)

func (e *Reopen) appendTo(dst []byte) []byte {
	if len(e.Visits) > MaxReopened {
		panic(fmt.Sprintf("storage: an event that reopens %d visits", len(e.Visits)))
	}
	dst = append(dst, byte(KindReopen), eventVersion, 0)
	dst = appendInt(dst, e.Time)
	dst = binary.AppendUvarint(dst, e.Edit)
	dst = binary.AppendUvarint(dst, e.Upto)
	dst = binary.AppendUvarint(dst, uint64(len(e.Visits)))
	before := uint64(0)
	for i := range e.Visits {
		v := &e.Visits[i]
		if v.Seq <= before || v.Outcome != Failed && v.Outcome != Blocked || v.Lane >= lanes {
			panic(fmt.Sprintf("storage: an event that reopens %+v behind %d", *v, before))
		}
		flags := byte(v.Lane) << reopenedLane
		if v.HTTPS {
			flags |= reopenedHTTPS
		}
		if v.Outcome == Blocked {
			flags |= reopenedBlocked
		}
		if v.Class != NoClass {
			flags |= reopenedClass
		}
		dst = binary.AppendUvarint(dst, v.Seq-before)
		dst = binary.AppendUvarint(dst, uint64(v.Host))
		dst = binary.AppendUvarint(dst, uint64(v.Depth))
		dst = append(dst, flags)
		if v.Class != NoClass {
			dst = append(dst, byte(v.Class))
		}
		before = v.Seq
	}
	return dst
}

// DecodeReopen reads a Reopen.
func DecodeReopen(event []byte) (*Reopen, error) {
	r, _ := begin(event, KindReopen)
	e := &Reopen{Time: r.int(), Edit: r.uvarint(), Upto: r.uvarint()}
	n := r.uvarint()
	if n > MaxReopened || n > uint64(len(r.b)) {
		r.fail("too many visits in one event")
		n = 0
	}
	e.Visits = make([]Reopened, n)
	before := uint64(0)
	for i := range e.Visits {
		v := &e.Visits[i]
		v.Seq = before + r.uvarint()
		if v.Seq <= before {
			r.fail("visits that are reopened do not rise")
		}
		before = v.Seq
		v.Host, v.Depth = r.uint32(), r.uint32()
		flags := r.byte()
		v.HTTPS, v.Outcome = flags&reopenedHTTPS != 0, Failed
		if flags&reopenedBlocked != 0 {
			v.Outcome = Blocked
		}
		if v.Lane = Lane(flags >> reopenedLane); v.Lane >= lanes {
			r.fail("a reopened visit of an unknown lane")
		}
		if flags&reopenedClass != 0 {
			v.Class = Class(r.byte())
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return e, nil
}

func (e *Reopen) seqs() []uint64 {
	seqs := make([]uint64, len(e.Visits))
	for i := range e.Visits {
		seqs[i] = e.Visits[i].Seq
	}
	return seqs
}

// reopenedBy is the visits that one event of a batch reopens, in rising order.
type reopenedBy struct {
	event  uint64
	visits []uint64
}

// IsReopened tells whether an event of the batch withdraws the outcome of a
// visit.
func (b *Batch) IsReopened(visit uint64) bool {
	for i := range b.reopened {
		if _, ok := slices.BinarySearch(b.reopened[i].visits, visit); ok {
			return true
		}
	}
	return false
}

// Which visits were reopened stands in a bucket of its own, by blocks of visits:
// whoever reads the log from front to back looks once a block, and a reading up
// to an older event passes over what was reopened since.
var bucketReopened = []byte("reopened")

const visitsABlock = 4096

func reopenedKey(block, event uint64) (key [16]byte) {
	binary.BigEndian.PutUint64(key[:8], block)
	binary.BigEndian.PutUint64(key[8:], event)
	return key
}

// reopenedValue is what stands under a key: the visits, each less the one before
// it in the block, and the checksum of the key and that.
func reopenedValue(block, event uint64, visits []uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, event)
	before := block * visitsABlock
	for _, v := range visits {
		b = binary.AppendUvarint(b, v-before)
		before = v
	}
	return binary.LittleEndian.AppendUint32(b, checksum(block, b))[8:]
}

func putReopened(tx *bolt.Tx, all []reopenedBy) error {
	for i := range all {
		visits := all[i].visits
		for len(visits) > 0 {
			bucket, err := tx.CreateBucketIfNotExists(bucketReopened)
			if err != nil {
				return err
			}
			block := visits[0] / visitsABlock
			n := sort.Search(len(visits), func(k int) bool { return visits[k]/visitsABlock > block })
			key := reopenedKey(block, all[i].event)
			if err := bucket.Put(key[:], reopenedValue(block, all[i].event, visits[:n])); err != nil {
				return err
			}
			visits = visits[n:]
		}
	}
	return nil
}

// eachReopened calls do with the visits of an entry. It panics on damage as
// bbolt does on a damaged page.
func (r *Reader) eachReopened(key, value []byte, do func(visit uint64)) {
	block, event := reopenedOf(key)
	value = r.plausible(value)
	end := len(value) - checksumSize
	if end < 1 || binary.LittleEndian.Uint32(value[end:]) != checksum(block, slices.Concat(key[8:], value[:end])) {
		panic(fmt.Sprintf("what event %d reopened does not match its checksum", event))
	}
	in := reader{b: value[:end]}
	visit := block * visitsABlock
	for first := true; len(in.b) > 0; first = false {
		more := in.uvarint()
		if in.err != nil || more >= visitsABlock || more == 0 && !first || (visit+more)/visitsABlock != block {
			panic(fmt.Sprintf("what event %d reopened makes no sense", event))
		}
		visit += more
		do(visit)
	}
}

func reopenedOf(key []byte) (block, event uint64) {
	if len(key) != 16 || binary.BigEndian.Uint64(key) > ^uint64(0)/visitsABlock {
		panic(fmt.Sprintf("a key %x of reopened visits", key))
	}
	return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
}

// reopenedBlock is a block of visits as a Reader has it at hand.
type reopenedBlock struct {
	cursor *bolt.Cursor // nil: nothing was ever reopened
	isRead bool
	block  uint64
	last   uint64 // event
	bits   [visitsABlock / 64]uint64
}

// IsReopened tells whether the outcome of a visit was withdrawn by an event up to
// last. Asked in rising order of seq, with the same last, it takes some
// nanoseconds.
func (r *Reader) IsReopened(seq, last uint64) bool {
	b := r.reopened
	if b == nil {
		b = r.openReopened()
	}
	if b.cursor == nil {
		return false
	}
	if !b.isRead || b.block != seq/visitsABlock || b.last != last {
		r.readReopened(b, seq/visitsABlock, last)
	}
	i := seq % visitsABlock
	return b.bits[i/64]>>(i%64)&1 != 0
}

// HasReopened tells whether any outcome was ever withdrawn.
func (r *Reader) HasReopened() bool {
	b := r.reopened
	if b == nil {
		b = r.openReopened()
	}
	return b.cursor != nil
}

func (r *Reader) openReopened() *reopenedBlock {
	r.ours = true
	r.reopened = new(reopenedBlock)
	if bucket := r.tx.Bucket(bucketReopened); bucket != nil {
		r.reopened.cursor = bucket.Cursor()
	}
	r.ours = false
	return r.reopened
}

func (r *Reader) readReopened(b *reopenedBlock, block, last uint64) {
	r.ours = true
	b.isRead, b.block, b.last = true, block, last
	clear(b.bits[:])
	from := reopenedKey(block, 0)
	for key, value := b.cursor.Seek(from[:]); key != nil && bytes.HasPrefix(key, from[:8]); key, value = b.cursor.Next() {
		if _, event := reopenedOf(key); event > last {
			break
		}
		r.eachReopened(key, value, func(visit uint64) {
			i := visit % visitsABlock
			b.bits[i/64] |= 1 << (i % 64)
		})
	}
	r.ours = false
}

// ScanReopened calls do for what the bucket of reopened visits holds, from a
// block of visits on and in it from an event on: the visits of the block that
// the event reopened, valid during the call. It ends when do returns false or an
// error. It is for holding the bucket against the log.
func (r *Reader) ScanReopened(block, event uint64, do func(block, event uint64, visits []uint64) (bool, error)) error {
	r.ours = true
	bucket := r.tx.Bucket(bucketReopened)
	if bucket == nil {
		r.ours = false
		return nil
	}
	cursor := bucket.Cursor()
	from := reopenedKey(block, event)
	var visits []uint64
	for key, value := cursor.Seek(from[:]); key != nil; key, value = cursor.Next() {
		block, event := reopenedOf(key)
		visits = visits[:0]
		r.eachReopened(key, value, func(visit uint64) { visits = append(visits, visit) })
		r.ours = false
		if more, err := do(block, event, visits); err != nil || !more {
			return err
		}
		r.ours = true
	}
	r.ours = false
	return nil
}

// ReopenedBy gives the visits of the block that the event reopened, as the bucket
// of reopened visits has it; nil: it has nothing of the kind.
func (r *Reader) ReopenedBy(block, event uint64) (visits []uint64) {
	r.ours = true
	if bucket := r.tx.Bucket(bucketReopened); bucket != nil {
		key := reopenedKey(block, event)
		if value := bucket.Get(key[:]); value != nil {
			r.eachReopened(key[:], value, func(visit uint64) { visits = append(visits, visit) })
		}
	}
	r.ours = false
	return visits
}

// BlockOf is the number of the block of visits that a visit belongs to, see
// ScanReopened.
func BlockOf(visit uint64) uint64 { return visit / visitsABlock }
