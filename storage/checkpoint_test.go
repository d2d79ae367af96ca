package storage

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// pieceText is a value that no other piece has.
func pieceText(part Part, number uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d/%d ", part, number), 5000)
}

func testPieces(part Part, from, to uint64) (pieces []Piece) {
	for n := from; n < to; n++ {
		pieces = append(pieces, NewPiece(part, n, pieceText(part, n)))
	}
	return pieces
}

// havePieces checks which pieces of a part are there, below limit.
func havePieces(t *testing.T, f *File, part Part, from, to, limit uint64) {
	t.Helper()
	must(t, f.View(func(r *Reader) error {
		for n := range limit {
			value, err := r.Piece(part, n)
			switch want := n >= from && n < to; {
			case err == nil != want:
				t.Errorf("piece %d of %s: there %v, want %v", n, partBuckets[part], err == nil, want)
			case !want && !errors.Is(err, ErrDamaged):
				t.Errorf("piece %d: %v", n, err)
			case want && !bytes.Equal(value, pieceText(part, n)):
				t.Errorf("piece %d of %s holds something else", n, partBuckets[part])
			}
		}
		return nil
	}))
}

func TestCheckpointStandsUntilTheNextIsComplete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.pawl")
	f, err := Create(path, nil)
	must(t, err)
	defer func() { f.Close() }()
	reopen := func() {
		must(t, f.Close())
		f, err = Open(path, false)
		must(t, err)
	}
	stands := func(want Checkpoint) {
		t.Helper()
		must(t, f.View(func(r *Reader) error {
			got, ok, err := r.Checkpoint()
			got.Version = 0 // of no interest here
			if err != nil || ok != (want.Seq > 0) || got != want {
				t.Errorf("got %+v, %v, %v; want %+v", got, ok, err, want)
			}
			return nil
		}))
	}
	stands(Checkpoint{})
	first := Checkpoint{Seq: 10, Generation: 0, Seen: 3, Queue: 1, Heads: 5, Known: 7}
	must(t, f.WriteCheckpoint(testPieces(PartSeen, 0, 3), nil))
	stands(Checkpoint{})
	must(t, f.WriteCheckpoint(append(testPieces(PartQueue, 0, 1), testPieces(PartHeads, 0, 5)...), &first))
	reopen()
	stands(first)
	// The next one is begun, together with events, and broken off.
	b := Batch{First: 1}
	b.Add(testVisit(1))
	b.Pieces = append(testPieces(PartSeen, 3, 9), testPieces(PartHeads, HeadNumber(1, 0), HeadNumber(1, 2))...)
	must(t, f.Commit(&b))
	reopen()
	stands(first)
	havePieces(t, f, PartSeen, 0, 9, 9)
	havePieces(t, f, PartHeads, 0, 5, 8)
	// Another begins anew and needs fewer pieces: nothing of the other stays.
	second := Checkpoint{Seq: 20, Generation: 1, Seen: 5, Queue: 1, Heads: 1, Known: 9}
	must(t, f.WriteCheckpoint(append(testPieces(PartSeen, 3, 5), testPieces(PartHeads, HeadNumber(1, 0), HeadNumber(1, 1))...), &second))
	reopen()
	stands(second)
	havePieces(t, f, PartSeen, 0, 5, 12)
	havePieces(t, f, PartQueue, 0, 1, 3)
	havePieces(t, f, PartHeads, 0, 0, 8)
	must(t, f.View(func(r *Reader) error {
		if _, err := r.Piece(PartHeads, HeadNumber(1, 0)); err != nil {
			t.Error(err)
		}
		if _, err := r.Piece(PartHeads, HeadNumber(1, 1)); err == nil {
			t.Error("a piece of the checkpoint that was broken off is still there")
		}
		return nil
	}))
	found, err := f.Check(5)
	must(t, err)
	if len(found) > 0 {
		t.Errorf("the file is not sound: %v", found)
	}
	must(t, f.DropCheckpoint())
	reopen()
	stands(Checkpoint{})
	havePieces(t, f, PartSeen, 0, 0, 5)
	must(t, f.DropCheckpoint())
	must(t, f.View(func(r *Reader) error {
		if r.Last() != 1 {
			t.Error("the log is gone with the checkpoint")
		}
		return nil
	}))
}

func TestDamagedPieceIsFound(t *testing.T) {
	f, err := Create(filepath.Join(t.TempDir(), "c.pawl"), nil)
	must(t, err)
	defer f.Close()
	must(t, f.WriteCheckpoint(testPieces(PartSeen, 0, 3), &Checkpoint{Seq: 1, Seen: 3}))
	for name, value := range map[string][]byte{
		"a bit is flipped":         flipped(testPieces(PartSeen, 1, 2)[0].value),
		"cut off":                  testPieces(PartSeen, 1, 2)[0].value[:1000],
		"empty":                    {},
		"that of another number":   testPieces(PartSeen, 2, 3)[0].value,
		"shorter than a check sum": {1, 2, 3},
	} {
		must(t, f.update(func(tx *bolt.Tx) error {
			return tx.Bucket(partBuckets[PartSeen]).Put([]byte{0, 0, 0, 0, 0, 0, 0, 1}, value)
		}))
		must(t, f.View(func(r *Reader) error {
			if _, err := r.Piece(PartSeen, 1); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := r.Piece(PartSeen, 2); err != nil {
				t.Errorf("%s: the next piece: %v", name, err)
			}
			return nil
		}))
	}
	for _, text := range []string{"{", `{"seq":1,"seen":3}`, `{"version":99,"seq":1,"seen":3}`} {
		must(t, f.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyCheckpoint, []byte(text)) }))
		must(t, f.View(func(r *Reader) error {
			if _, _, err := r.Checkpoint(); !errors.Is(err, ErrDamaged) {
				t.Errorf("checkpoint %s: %v", text, err)
			}
			return nil
		}))
	}
}

func flipped(b []byte) []byte {
	b[len(b)/2] ^= 4
	return b
}
