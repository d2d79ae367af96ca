package storage

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Part says what a piece of a checkpoint holds. Each part has a bucket of its
// own, for a leaf with a large value is written whole whenever a neighbour
// changes.
type Part uint8

const (
	PartSeen  Part = iota // fingerprints; pieces are only ever added
	PartQueue             // where the jobs stand in the log; pieces are only ever added
	PartHeads             // everything else; anew in each generation
	// PartContents: the hashes of fetched contents; pieces are only ever added.
	PartContents
	parts
)

var partBuckets = [parts][]byte{[]byte("seen"), []byte("queue"), []byte("heads"), []byte("contents")}

// checkpointVersion goes up with every change of the pieces, and with every
// change of what the fold of an old log comes to.
const checkpointVersion = 4

var keyCheckpoint = []byte("checkpoint")

// PieceSize is how large a piece of a checkpoint should be, in bytes: bbolt
// leaves two to a leaf, which then fill eight pages of 4 KB to the brim. It
// writes a whole leaf anew whenever a piece comes to it: with pieces of 48 KB
// three times as much was written as there is in them, with these a fifth more.
const PieceSize = (8*4096-pageHeaderSize)/2 - elementSize - 8 - checksumSize

// Piece is a part of a checkpoint that is written at once. Make it with
// NewPiece.
type Piece struct {
	part  Part
	key   [8]byte
	value []byte // with the checksum
}

// NewPiece makes a piece of the value, which it takes over. Number is its place
// in the part: the pieces of PartSeen and PartQueue are numbered from 0 over
// all checkpoints of a file, as are those of PartContents; those of PartHeads see HeadNumber.
func NewPiece(part Part, number uint64, value []byte) Piece {
	p := Piece{part: part}
	binary.BigEndian.PutUint64(p.key[:], number)
	p.value = withChecksum(value, 0, number)
	return p
}

// Size is the number of bytes of the piece.
func (p *Piece) Size() int { return len(p.value) }

// HeadNumber is the number of the i-th piece of PartHeads in a generation.
func HeadNumber(generation uint32, i int) uint64 { return uint64(generation)<<32 | uint64(uint32(i)) }

// Checkpoint says which pieces make up the state after the event Seq. It is
// written when all of them are in the file, and until then the one before it
// stands: all of its pieces are still there.
type Checkpoint struct {
	// Version of how its pieces are written, and of what is folded from the log;
	// it is filled in. A checkpoint of another version is of no use.
	Version    int    `json:"version"`
	Seq        uint64 `json:"seq"`
	Generation uint32 `json:"generation"`
	Seen       uint64 `json:"seen"`     // number of pieces
	Queue      uint64 `json:"queue"`    // likewise
	Contents   uint64 `json:"contents"` // likewise
	Heads      uint32 `json:"heads"`    // likewise
	// Fingerprints in it, so that room can be made for them, and how many of them
	// are not admitted.
	Known   uint64 `json:"known"`
	Refused uint64 `json:"refused"`
}

// putPieces writes pieces, and the checkpoint that they complete, nil when
// there are more to come. What belongs to no checkpoint then is deleted.
func putPieces(tx *bolt.Tx, pieces []Piece, complete *Checkpoint) error {
	for i := range pieces {
		p := &pieces[i]
		bucket, err := tx.CreateBucketIfNotExists(partBuckets[p.part])
		if err != nil {
			return err
		}
		bucket.FillPercent = 1 // keys mostly rise
		if err := bucket.Put(p.key[:], p.value); err != nil {
			return err
		}
	}
	if complete == nil {
		return nil
	}
	for part, keep := range [parts][2]uint64{
		PartSeen:     {0, complete.Seen},
		PartQueue:    {0, complete.Queue},
		PartContents: {0, complete.Contents},
		PartHeads:    {HeadNumber(complete.Generation, 0), HeadNumber(complete.Generation, int(complete.Heads))},
	} {
		if err := prune(tx.Bucket(partBuckets[part]), keep[0], keep[1]); err != nil {
			return err
		}
	}
	stored := *complete
	stored.Version = checkpointVersion
	text, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyCheckpoint, text)
}

// prune deletes what has a number below from, or not below to.
func prune(bucket *bolt.Bucket, from, to uint64) error {
	if bucket == nil {
		return nil
	}
	var doomed [][]byte
	c := bucket.Cursor()
	keep := func(key []byte) bool {
		if len(key) != 8 {
			return false
		}
		n := binary.BigEndian.Uint64(key)
		return n >= from && n < to
	}
	for key, _ := c.First(); key != nil && !keep(key); key, _ = c.Next() {
		doomed = append(doomed, key)
	}
	for key, _ := c.Last(); key != nil && !keep(key); key, _ = c.Prev() {
		doomed = append(doomed, key)
	}
	for _, key := range doomed {
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// WriteCheckpoint writes pieces in a transaction of their own, and the
// checkpoint that they complete, nil when there are more to come. Errors are
// those of Commit, with which it must not run together.
func (f *File) WriteCheckpoint(pieces []Piece, complete *Checkpoint) error {
	return f.update(func(tx *bolt.Tx) error { return putPieces(tx, pieces, complete) })
}

// DropCheckpoint removes all that there is of checkpoints: the log is enough to
// make them anew. Errors are those of Commit, with which it must not run
// together.
func (f *File) DropCheckpoint() error {
	return f.update(func(tx *bolt.Tx) error {
		for _, name := range partBuckets {
			if err := tx.DeleteBucket(name); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Delete(keyCheckpoint)
	})
}

// Checkpoint gives the newest complete checkpoint; ok is false when there is
// none. Errors are ErrDamaged.
func (r *Reader) Checkpoint() (c Checkpoint, ok bool, err error) {
	r.ours = true
	text := r.meta.Get(keyCheckpoint)
	r.ours = false
	if text == nil {
		return c, false, nil
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, false, damage("checkpoint: %v", err)
	}
	if c.Version != checkpointVersion {
		return c, false, damage("a checkpoint of version %d, not %d", c.Version, checkpointVersion)
	}
	return c, true, nil
}

// Piece gives the value of a piece, which is valid until the transaction ends.
// Errors are ErrDamaged, also when it is not there.
func (r *Reader) Piece(part Part, number uint64) ([]byte, error) {
	var value []byte
	// Not in a defer: what panics here is damage, see guarded.
	r.ours = true
	if bucket := r.tx.Bucket(partBuckets[part]); bucket != nil {
		binary.BigEndian.PutUint64(r.key[:], number)
		value = bucket.Get(r.key[:])
	}
	r.ours = false
	if value == nil {
		return nil, damage("checkpoint: piece %d of %s is missing", number, partBuckets[part])
	}
	if int64(len(value)) <= r.size {
		if b, ok := withoutChecksum(number, value); ok {
			return b, nil
		}
	}
	return nil, damage("checkpoint: piece %d of %s does not match its checksum", number, partBuckets[part])
}
