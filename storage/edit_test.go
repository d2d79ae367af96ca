package storage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func reopenOf(visits ...uint64) *Reopen {
	e := &Reopen{}
	for _, seq := range visits {
		e.Visits = append(e.Visits, Reopened{Seq: seq, Outcome: Failed})
	}
	return e
}

// What a reader says of reopened visits is what the events say, up to whichever
// of them it is asked.
func TestReopenedVisitsAgainstAMap(t *testing.T) {
	rnd := newRand(t)
	f := newFile(t)
	must(t, f.View(func(r *Reader) error {
		if r.HasReopened() || r.IsReopened(1, 100) {
			t.Error("something is reopened in a new file")
		}
		return nil
	}))
	by := map[uint64]uint64{} // visit to event
	const visits = 5 * visitsABlock
	seq := uint64(visits)
	for range 20 {
		b := &Batch{First: seq + 1}
		for range 1 + rnd.IntN(3) {
			var list []uint64
			from := rnd.Uint64N(visits)
			for v := from + 1; v < min(visits, from+9000) && len(list) < MaxReopened; v += 1 + rnd.Uint64N(40) {
				if by[v] == 0 {
					list = append(list, v)
				}
			}
			seq, _ = b.Add(reopenOf(list...))
			for _, v := range list {
				by[v] = seq
			}
			if len(list) > 0 && (!b.IsReopened(list[0]) || b.IsReopened(visits+1)) {
				t.Fatal("the batch does not know what it reopens")
			}
		}
		must(t, f.Commit(b))
		b.Reset(seq + 1)
		if b.IsReopened(1) {
			t.Fatal("an empty batch reopens something")
		}
	}
	must(t, f.View(func(r *Reader) error {
		if !r.HasReopened() {
			t.Error("nothing is reopened")
		}
		for _, last := range []uint64{0, visits, visits + 5, seq - 3, seq, ^uint64(0)} {
			for range 3000 {
				v := rnd.Uint64N(visits)
				if rnd.IntN(2) == 0 {
					v++ // often the neighbour
				}
				want := by[v] != 0 && by[v] <= last
				if r.IsReopened(v, last) != want {
					t.Fatalf("visit %d up to event %d: reopened is %v", v, last, !want)
				}
			}
		}
		n := 0
		must(t, r.ScanReopened(0, 0, func(block, event uint64, visits []uint64) (bool, error) {
			for _, v := range visits {
				if by[v] != event || BlockOf(v) != block {
					t.Fatalf("visit %d is said to be reopened by %d, and was by %d", v, event, by[v])
				}
				n++
			}
			if got := r.ReopenedBy(block, event); !slices.Equal(got, visits) {
				t.Fatalf("%v and %v", got, visits)
			}
			return true, nil
		}))
		if n != len(by) {
			t.Fatalf("%d visits are reopened, want %d", n, len(by))
		}
		return nil
	}))
}

// Whatever stands in the bucket, it is read or called damage.
func TestDamageOfReopenedVisitsIsSeen(t *testing.T) {
	key, good := reopenedKey(0, 9), reopenedValue(0, 9, []uint64{1, 3})
	sound := func(value []byte) []byte { return withSum(9, value) }
	for _, c := range []struct {
		name       string
		key, value []byte
	}{
		{"a flipped bit", key[:], append([]byte{good[0] ^ 1}, good[1:]...)},
		{"a cut value", key[:], good[:3]},
		{"an empty value", key[:], nil},
		{"no visits", key[:], sound(nil)},
		{"a visit twice", key[:], sound([]byte{1, 0})},
		{"a visit of another block", key[:], sound([]byte{0xff, 0xff, 1})},
		{"a number that is cut off", key[:], sound([]byte{0x80})},
		{"another event's value", key[:], reopenedValue(0, 8, []uint64{1, 3})},
		{"a long key", append(key[:], 0), good},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFile(t)
			must(t, f.update(func(tx *bolt.Tx) error {
				bucket, err := tx.CreateBucket(bucketReopened)
				must(t, err)
				return bucket.Put(c.key, c.value)
			}))
			err := f.View(func(r *Reader) error {
				r.IsReopened(1, 100)
				return nil
			})
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("read as %v", err)
			}
			err = f.View(func(r *Reader) error {
				return r.ScanReopened(0, 0, func(uint64, uint64, []uint64) (bool, error) { return true, nil })
			})
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("scanned as %v", err)
			}
		})
	}
}

// withSum is a value of block 0 with the right checksum.
func withSum(event uint64, value []byte) []byte {
	key := reopenedKey(0, event)
	sum := checksum(0, slices.Concat(key[8:], value))
	return append(bytes.Clone(value), byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
}

// A job of a withdrawn outcome is found as the one before was, also when the visit
// is of a version that did not say all of it.
func TestAVisitTellsHowItWasFound(t *testing.T) {
	for _, c := range []struct {
		name             string
		v                Visit
		redirect, listed bool
	}{
		{"a link", Visit{FoundOn: "http://a.test/", Origin: Origin{Depth: 1}}, false, false},
		{"a nofollow link", Visit{FoundOn: "http://a.test/", Origin: Origin{Depth: 1}, NoFollow: true}, false, false},
		{"a seed", Visit{Origin: Origin{Seed: true}}, false, false},
		{"a seed's redirect", Visit{FoundOn: "http://a.test/", Origin: Origin{Hops: 1, Seed: true}}, true, false},
		{"a redirect", Visit{FoundOn: "http://a.test/", Origin: Origin{Depth: 3, Hops: 2}}, true, false},
		{"listed by a sitemap", Visit{FoundOn: "http://a.test/s.xml", Origin: Origin{Depth: 2}, Listed: true}, false, true},
		{"listed by robots.txt, and not said", Visit{FoundOn: "http://a.test/robots.txt"}, false, true},
		{"listed by a seed, and not said", Visit{FoundOn: "http://a.test/s.xml", Origin: Origin{Depth: 1, Seed: true}}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.v.URL = "http://a.test/b"
			c.v.Record = Record{FoundAt: 7, Anchor: "B", Kind: 4}
			got, err := DecodeFound(c.v.appendTo(nil), SelfIndex)
			must(t, err)
			want := Found{
				URL: c.v.URL, FoundOn: c.v.FoundOn, Anchor: "B", Kind: 4, FoundAt: 7, Origin: c.v.Origin,
				Redirect: c.redirect, Listed: c.listed, NoFollow: c.v.NoFollow,
			}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	if _, err := DecodeFound((&Links{Links: []Link{{URL: "x"}}}).appendTo(nil), SelfIndex); !errors.Is(err, ErrDamaged) {
		t.Errorf("links have an address of their own: %v", err)
	}
}

func TestReopensThatMakeNoSense(t *testing.T) {
	good := (&Reopen{Visits: []Reopened{{Seq: 5, Outcome: Failed}, {Seq: 6, Outcome: Blocked}}}).appendTo(nil)
	for _, c := range []struct {
		name  string
		event []byte
	}{
		{"cut", good[:len(good)-1]},
		{"too many", []byte{byte(KindReopen), eventVersion, 0, 0, 0, 0, 0xff, 0x7f}},
		{"more than there is room for", []byte{byte(KindReopen), eventVersion, 0, 0, 0, 0, 3, 1, 1, 1, 0}},
		{"a visit twice", []byte{byte(KindReopen), eventVersion, 0, 0, 0, 0, 2, 5, 1, 1, 0, 0, 1, 1, 0}},
		{"a visit 0", []byte{byte(KindReopen), eventVersion, 0, 0, 0, 0, 1, 0, 1, 1, 0}},
		{"an unknown lane", []byte{byte(KindReopen), eventVersion, 0, 0, 0, 0, 1, 5, 1, 1, 0xf8}},
	} {
		if e, err := Decode(c.event); e != nil || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, %v", c.name, e, err)
		}
	}
	if e, err := Decode([]byte{byte(KindSkip), eventVersion, flagDropped, 0, 0, 0, 0, 0, 0, 0}); e != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("dropped without being withdrawn: %v, %v", e, err)
	}
}

func BenchmarkIsReopened(b *testing.B) {
	for _, some := range []bool{false, true} {
		name := map[bool]string{false: "none", true: "some"}[some]
		b.Run(name, func(b *testing.B) {
			f := newFile(b)
			if some {
				rnd := rand.New(rand.NewPCG(1, 1))
				batch := &Batch{First: 1 << 20}
				for block := range uint64(200) {
					batch.Add(reopenOf(block*visitsABlock+1+rnd.Uint64N(100), block*visitsABlock+200+rnd.Uint64N(100)))
				}
				must(b, f.Commit(batch))
			}
			b.ReportAllocs()
			must(b, f.View(func(r *Reader) error {
				for i := 0; b.Loop(); i++ {
					r.IsReopened(uint64(i%(200*visitsABlock)), ^uint64(0))
				}
				return nil
			}))
		})
	}
}
