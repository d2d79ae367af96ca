package frontier

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"pawl/storage"
)

// A checkpoint is the fold of the log up to one event, so that a start reads it
// and the rest of the log instead of all. It is made of three parts:
//
//   - the fingerprints with their standings, the groups of jobs in the order of
//     the log, and where contents were fetched first. These only grow: a checkpoint adds what has come since
//     the one before. A fingerprint whose standing has changed is there again,
//     and the last one counts; groups that are finished stay, and are passed
//     over when they are read.
//   - everything else, the heads: anew each time.
//
// When one is due, Seal freezes all of that as of the batch that it seals, in
// memory: nothing that is folded later gets in. The pieces then go out with the
// batches that follow, a few with each, so that no commit takes long; the
// checkpoint counts when the last of them has. If the process dies before, the
// one before it stands. Nothing depends on a checkpoint: what is damaged is
// made anew from the log.
type checkpointer struct {
	stands storage.Checkpoint // complete, in the file or in a batch that was sealed
	coming storage.Checkpoint
	pieces []storage.Piece // of the coming one, that are in no batch yet
	open   bool            // one is coming
	size   int             // bytes of the last heads
	every  int             // weight of events after which one is due at the earliest
}

const (
	// checkpointWeight is how much of the log a start folds at the most, apart
	// from very many hosts: about 45,000 pages with 8 new links each, a fifth of a
	// second.
	checkpointWeight = 1 << 19
	// headsAWeight is how many bytes of heads are written again for a weight of 1
	// at the most.
	headsAWeight = 16
	// restWeight is from when on a checkpoint is worth while at a clean stop.
	restWeight = 1 << 14
	// piecesABatch bounds the bytes of pieces that go with one batch of events.
	piecesABatch = 15 * storage.PieceSize
	// piecesAtRest bounds those of a transaction without events.
	piecesAtRest = 4 << 20
	// catchUpEvents is how many events a start folds before it looks whether that
	// was enough for a checkpoint on the way.
	catchUpEvents = 20_000
)

// checkpoint adds what is to be written of one to the batch that is sealed.
func (f *Frontier) checkpoint(b *storage.Batch) {
	c := &f.check
	if !c.open && f.journal.on && f.journal.weight >= f.interval() {
		f.freeze()
	}
	if c.open {
		b.Pieces, b.Checkpoint = c.next(b.Pieces, piecesABatch)
	}
}

// interval is the weight at which a checkpoint is due.
func (f *Frontier) interval() int { return max(f.check.every, f.check.size/headsAWeight) }

// freeze begins a checkpoint of what is folded now.
func (f *Frontier) freeze() {
	c := &f.check
	c.coming = storage.Checkpoint{
		Seq: f.seq, Generation: c.stands.Generation + 1, Known: uint64(f.seen.len()), Refused: uint64(f.seen.refused.n),
	}
	seen := f.journal.seenPieces(&f.seen, c.stands.Seen)
	queue := f.journal.queuePieces(c.stands.Queue)
	contents := f.journal.contentPieces(c.stands.Contents)
	c.pieces = slices.Concat(seen, queue, contents)
	c.coming.Seen, c.coming.Queue = c.stands.Seen+uint64(len(seen)), c.stands.Queue+uint64(len(queue))
	c.coming.Contents = c.stands.Contents + uint64(len(contents))
	c.size = 0
	for i, b := range f.heads() {
		c.pieces = append(c.pieces, storage.NewPiece(storage.PartHeads, storage.HeadNumber(c.coming.Generation, i), b))
		c.size += len(b)
		c.coming.Heads++
	}
	f.journal.reset()
	c.open = true
}

// next gives pieces to be written in one transaction, of about limit bytes, and
// the checkpoint when it is complete with them.
func (c *checkpointer) next(pieces []storage.Piece, limit int) ([]storage.Piece, *storage.Checkpoint) {
	size := 0
	for len(c.pieces) > 0 && size < limit {
		size += c.pieces[0].Size()
		pieces = append(pieces, c.pieces[0])
		c.pieces[0] = storage.Piece{}
		c.pieces = c.pieces[1:]
	}
	if len(c.pieces) > 0 {
		return pieces, nil
	}
	c.pieces, c.open = nil, false
	c.stands = c.coming
	complete := c.stands
	return pieces, &complete
}

// Rest writes a checkpoint of all that is committed, so that the next start is
// quick; a small crawl needs none. It is for a clean end, when everything is
// committed. Errors are those of storage.File.Commit.
func (f *Frontier) Rest(file *storage.File) error {
	if f.check.open {
		// It was begun earlier; with what came since, another would follow.
		if err := f.write(file); err != nil {
			return err
		}
	}
	if !f.journal.on || f.journal.weight < min(restWeight, f.check.every) {
		return nil
	}
	f.freeze()
	return f.write(file)
}

// write writes the checkpoint that is coming, in transactions of its own.
func (f *Frontier) write(file *storage.File) error {
	for f.check.open {
		if err := file.WriteCheckpoint(f.check.next(nil, piecesAtRest)); err != nil {
			return err
		}
	}
	return nil
}

// restore takes the newest checkpoint over. The frontier must be new, and is of
// no use after an error; ErrDamaged says that there is no checkpoint which
// makes sense.
func (f *Frontier) restore(file *storage.File) error {
	var c storage.Checkpoint
	var ok bool
	err := file.View(func(r *storage.Reader) (err error) {
		c, ok, err = r.Checkpoint()
		return err
	})
	if err != nil || !ok {
		return err
	}
	err = file.Sequentially(func() error { return f.restoreParts(file, &c) })
	if err == nil && uint64(f.seen.len()) != c.Known {
		err = fmt.Errorf("%d fingerprints instead of %d", f.seen.len(), c.Known)
	}
	if err != nil {
		if !errors.Is(err, storage.ErrDamaged) {
			err = fmt.Errorf("%w: %w", storage.ErrDamaged, err)
		}
		return fmt.Errorf("checkpoint of event %d: %w", c.Seq, err)
	}
	f.check.stands = c
	return nil
}

// restoreParts reads the fingerprints beside all the rest, for they take the
// most time and have nothing to do with each other.
func (f *Frontier) restoreParts(file *storage.File, c *storage.Checkpoint) error {
	beside := make(chan error, 1)
	go func() {
		beside <- file.View(func(r *storage.Reader) error { return f.restoreSeen(r, c) })
	}()
	err := file.View(func(r *storage.Reader) error { return f.restoreHeads(r, c) })
	if err == nil {
		err = file.View(func(r *storage.Reader) error { return f.restoreContents(r, c) })
	}
	return cmp.Or(err, <-beside)
}

func (f *Frontier) restoreSeen(r *storage.Reader, c *storage.Checkpoint) error {
	// The file says how many there are, and a file can lie.
	most := uint64(r.Size()) / 8
	f.seen.admitted.reserve(int(min(c.Known-min(c.Known, c.Refused), most)))
	f.seen.refused.reserve(int(min(c.Refused, most)))
	var pieces []seenPiece
	for n := range c.Seen {
		b, err := r.Piece(storage.PartSeen, n)
		if err != nil {
			return err
		}
		p, err := openSeenPiece(b)
		if err != nil {
			return fmt.Errorf("seen %d: %w", n, err)
		}
		pieces = append(pieces, p)
	}
	f.seen.putPieces(pieces)
	return nil
}

func (f *Frontier) restoreHeads(r *storage.Reader, c *storage.Checkpoint) error {
	if c.Seq > r.Last() {
		return fmt.Errorf("the log ends at event %d", r.Last())
	}
	// A group takes four bytes of the file at the least, a host fifteen.
	heads := &headReader{Frontier: f, mostGroups: uint64(r.Size()) / 4, mostHosts: uint64(r.Size()) / 15}
	for i := range int(c.Heads) {
		b, err := r.Piece(storage.PartHeads, storage.HeadNumber(c.Generation, i))
		if err != nil {
			return err
		}
		f.check.size += len(b)
		if err := heads.read(b); err != nil {
			return fmt.Errorf("heads %d: %w", i, err)
		}
	}
	if err := heads.end(c.Seq); err != nil {
		return err
	}
	for n := range c.Queue {
		b, err := r.Piece(storage.PartQueue, n)
		if err != nil {
			return err
		}
		if err := readGroups(b, heads.groups); err != nil {
			return fmt.Errorf("queue %d: %w", n, err)
		}
	}
	return heads.endOfQueue()
}

func (f *Frontier) restoreContents(r *storage.Reader, c *storage.Checkpoint) error {
	var pieces [][]byte
	for n := range c.Contents {
		b, err := r.Piece(storage.PartContents, n)
		if err != nil {
			return err
		}
		pieces = append(pieces, b)
	}
	if err := f.contents.putPieces(pieces, c.Seq); err != nil {
		return fmt.Errorf("contents: %w", err)
	}
	return nil
}

// Digest tells two frontiers apart that should be the same: that of a
// checkpoint and what came after, and that of the whole log.
type Digest struct {
	Seen  uint64 // of the fingerprints and their standings
	Queue uint64 // of where the pending jobs stand
	// Contents is of what was fetched where.
	Contents uint64
	Heads    uint64 // of everything else
}

// Digest sums up all that is folded from the log. Nothing may be appended that
// is not committed.
func (f *Frontier) Digest() Digest {
	var d Digest
	var b []byte
	for _, t := range []*table{&f.seen.admitted, &f.seen.refused} {
		for fp, st := range t.all() {
			b = binary.LittleEndian.AppendUint64(b[:0], fp)
			d.Seen += f.hash(append(b, byte(st))) // in no order
		}
	}
	for h := range f.hosts.all() {
		for _, g := range h.queue.groups() {
			b = binary.LittleEndian.AppendUint64(b[:0], d.Queue)
			b = binary.LittleEndian.AppendUint64(b, g.seq)
			b = binary.LittleEndian.AppendUint32(b, h.id)
			b = binary.LittleEndian.AppendUint32(b, g.ord)
			b = binary.LittleEndian.AppendUint16(b, g.first)
			b = binary.LittleEndian.AppendUint16(b, g.count)
			d.Queue = f.hash(b)
		}
	}
	for i := range f.contents.shards {
		for _, slot := range f.contents.shards[i].slots {
			if slot != 0 {
				b = binary.LittleEndian.AppendUint64(b[:0], slot)
				d.Contents += f.hash(append(b, byte(i))) // in no order
			}
		}
	}
	for _, piece := range f.heads() {
		d.Heads = f.hash(binary.LittleEndian.AppendUint64(piece, d.Heads))
	}
	return d
}
