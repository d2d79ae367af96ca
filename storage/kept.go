package storage

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Keep is a kind of what is kept of visits when the user asks for it: beside
// the log, for it is large and nothing is folded from it. Each kind has a bucket
// of its own, whose keys are those of the visits.
type Keep uint8

const (
	KeepLinks Keep = iota // all links of a page, see Packer.Links
	KeepBody              // the exchange, see Packer.Body
	keeps
)

var keepBuckets = [keeps][]byte{[]byte("links"), []byte("bodies")}

// Kept is what is kept of a visit, encoded.
type Kept struct {
	Keep  Keep
	Value []byte
}

type kept struct {
	Kept
	seq uint64
}

// Weight is the size of the events in the batch and of what is kept of visits, in
// bytes: it stays in memory until it is committed.
func (b *Batch) Weight() int { return len(b.buf) + b.keptBytes }

func putKept(tx *bolt.Tx, all []kept) error {
	var buckets [keeps]*bolt.Bucket
	var key [8]byte
	for i := range all {
		k := &all[i]
		bucket := buckets[k.Keep]
		if bucket == nil {
			var err error
			if bucket, err = tx.CreateBucketIfNotExists(keepBuckets[k.Keep]); err != nil {
				return err
			}
			bucket.FillPercent = 1 // keys only ever rise
			buckets[k.Keep] = bucket
		}
		binary.BigEndian.PutUint64(key[:], k.seq)
		if err := bucket.Put(key[:], withChecksum(k.Value, 0, k.seq)); err != nil {
			return err
		}
	}
	return nil
}

// Has tells whether anything of the kind was ever kept.
func (r *Reader) Has(what Keep) bool {
	r.ours = true
	bucket := r.tx.Bucket(keepBuckets[what])
	r.ours = false
	return bucket != nil
}

// Kept gives what is kept of a visit, nil when nothing is. It is valid until the
// transaction ends.
func (r *Reader) Kept(what Keep, seq uint64) ([]byte, error) {
	r.ours = true
	var value []byte
	if bucket := r.tx.Bucket(keepBuckets[what]); bucket != nil {
		var key [8]byte
		binary.BigEndian.PutUint64(key[:], seq)
		value = r.plausible(bucket.Get(key[:]))
	}
	r.ours = false
	if value == nil {
		return nil, nil
	}
	return keptOf(what, seq, value)
}

func keptOf(what Keep, seq uint64, value []byte) ([]byte, error) {
	b, ok := withoutChecksum(seq, value)
	if !ok {
		return nil, damage("%s of event %d do not match their checksum", keepBuckets[what], seq)
	}
	return b, nil
}

// ScanKept calls do with what is kept of the visits from seq on, in order, until
// do returns false or an error, or there is no more.
func (r *Reader) ScanKept(what Keep, from uint64, do func(seq uint64, value []byte) (bool, error)) error {
	r.ours = true
	bucket := r.tx.Bucket(keepBuckets[what])
	if bucket == nil {
		r.ours = false
		return nil
	}
	cursor := bucket.Cursor()
	var start [8]byte
	binary.BigEndian.PutUint64(start[:], from)
	for key, value := cursor.Seek(start[:]); key != nil; key, value = cursor.Next() {
		seq := seqOf(key)
		value = r.plausible(value)
		r.ours = false
		b, err := keptOf(what, seq, value)
		if err != nil {
			return err
		}
		if more, err := do(seq, b); err != nil || !more {
			return err
		}
		r.ours = true
	}
	r.ours = false
	return nil
}

// PageLink is a link of a page, as it is kept when all are.
type PageLink struct {
	URL      string
	Kind     uint8 // page.Kind
	NoFollow bool
	Count    uint32 // how often the page has it, at least 1
	Anchor   string
	Rel      string
}

const pageLinkNoFollow = 0x80

// appendPageLinks appends the links of a page at the address base, uncompressed. Each
// is: the length of what its address shares with that of the link
// before (of base for the first), the rest of the address, the kind (with 0x80:
// nofollow), how often it stands there, anchor and rel.
func appendPageLinks(dst []byte, base string, links []PageLink) []byte {
	for i := range links {
		l := &links[i]
		dst = appendShared(dst, base, l.URL)
		kind := l.Kind
		if l.NoFollow {
			kind |= pageLinkNoFollow
		}
		dst = append(dst, kind)
		dst = binary.AppendUvarint(dst, uint64(l.Count))
		dst = appendString(dst, l.Anchor)
		dst = appendString(dst, l.Rel)
		base = l.URL
	}
	return dst
}

func eachLink(b []byte, base string, do func(*PageLink) error) error {
	r := reader{b: b}
	var l PageLink
	for len(r.b) > 0 {
		n := r.uvarint()
		rest := r.bytes()
		if n > uint64(len(base)) {
			r.fail("a link shares more than there is")
		}
		kind := r.byte()
		count := r.uvarint()
		anchor, rel := r.bytes(), r.bytes()
		if r.err != nil {
			return fmt.Errorf("%w: links of a page: %w", ErrDamaged, r.err)
		}
		l = PageLink{
			URL: base[:n] + string(rest), Kind: kind &^ pageLinkNoFollow, NoFollow: kind&pageLinkNoFollow != 0,
			Count: uint32(count), Anchor: string(anchor), Rel: string(rel),
		}
		if err := do(&l); err != nil {
			return err
		}
		base = l.URL
	}
	return nil
}
