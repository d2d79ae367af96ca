package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

func newPacker(t testing.TB) *Packer {
	t.Helper()
	p, err := NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLinksRoundTrip(t *testing.T) {
	const base = "http://x.org/dir/page"
	many := make([]PageLink, 100_000)
	for i := range many {
		many[i] = PageLink{URL: fmt.Sprintf("http://x.org/%d/%d", i%7, i), Kind: uint8(i % 26), Count: uint32(i + 1), NoFollow: i%3 == 0}
	}
	p, u := newPacker(t), new(Unpacker)
	for _, links := range [][]PageLink{
		nil,
		{{URL: base, Count: 1}},
		{{URL: "http://x.org/dir/page?q", Kind: 25, Count: 3, Anchor: "A \xff\x00", Rel: "nofollow ugc", NoFollow: true}, {URL: "http://x.org/", Count: 1 << 31}},
		{{URL: "", Count: 1}, {URL: "http://" + strings.Repeat("x", 70_000), Count: 1}, {URL: "", Count: 0}},
		many,
	} {
		kept := p.Links(base, links)
		var got []PageLink
		err := u.EachLink(kept.Value, base, func(l *PageLink) error { got = append(got, *l); return nil })
		if err != nil || kept.Keep != KeepLinks {
			t.Fatal(err)
		}
		if diff := cmp.Diff(links, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestBodyRoundTrip(t *testing.T) {
	noise := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	p, u := newPacker(t), new(Unpacker)
	for _, want := range []Body{
		{},
		{Request: []byte("GET / HTTP/1.1\r\n\r\n"), Response: []byte("HTTP/1.1 200 OK\r\n\r\n"), Content: []byte("<p>x")},
		{Request: []byte("GET"), First: 1 << 40},
		{Content: noise},
		{Content: bytes.Repeat([]byte("a"), 10_000_000)},
	} {
		kept := p.Body(&want)
		got, err := u.Body(kept.Value)
		if err != nil || kept.Keep != KeepBody {
			t.Fatal(err)
		}
		if got.First != want.First || !bytes.Equal(got.Request, want.Request) || !bytes.Equal(got.Response, want.Response) || !bytes.Equal(got.Content, want.Content) {
			t.Errorf("a body of %d bytes came back otherwise", len(want.Content))
		}
	}
}

// What is kept is committed with its visit, is found by its number, and is
// refused when it was damaged.
func TestKept(t *testing.T) {
	f := newFile(t)
	p := newPacker(t)
	b := &Batch{First: 1}
	b.Add(&Visit{URL: "http://x.org/1", Kept: []Kept{p.Links("", nil), p.Body(&Body{Content: []byte("one")})}})
	b.Add(&Links{FoundOn: "http://x.org/1"})
	b.Add(&Visit{URL: "http://x.org/2"})
	b.Add(&Visit{URL: "http://x.org/3", Kept: []Kept{p.Body(&Body{Content: []byte("three")})}})
	if err := f.Commit(b); err != nil {
		t.Fatal(err)
	}
	b.Reset(5)
	b.Add(&Visit{URL: "http://x.org/4"})
	if err := f.Commit(b); err != nil {
		t.Fatal(err)
	}
	var unpacker Unpacker
	look := func() (found []string, err error) {
		err = f.View(func(r *Reader) error {
			return r.ScanKept(KeepBody, 1, func(seq uint64, value []byte) (bool, error) {
				again, err := r.Kept(KeepBody, seq)
				if err != nil || !bytes.Equal(again, value) {
					t.Errorf("event %d: not the same twice: %v", seq, err)
				}
				body, err := unpacker.Body(value)
				found = append(found, fmt.Sprintf("%d %s", seq, body.Content))
				return true, err
			})
		})
		return found, err
	}
	found, err := look()
	if diff := cmp.Diff([]string{"1 one", "4 three"}, found); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	err = f.View(func(r *Reader) error {
		if value, err := r.Kept(KeepLinks, 4); value != nil || err != nil {
			t.Errorf("event 4 has links: %v, %v", value, err)
		}
		if !r.Has(KeepLinks) {
			t.Error("there are no links")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(keepBuckets[KeepBody])
		var key [8]byte
		key[7] = 4
		value := bytes.Clone(bucket.Get(key[:]))
		value[2] ^= 1
		return bucket.Put(key[:], value)
	}); err != nil {
		t.Fatal(err)
	}
	if found, err = look(); !errors.Is(err, ErrDamaged) || len(found) != 1 {
		t.Errorf("damaged: %v, %v", found, err)
	}
}

func FuzzUnpack(f *testing.F) {
	p := newPacker(f)
	f.Add(p.Links("http://x.org/", []PageLink{{URL: "http://x.org/a", Count: 1}}).Value, true)
	f.Add(p.Body(&Body{Content: []byte("x")}).Value, true)
	f.Add([]byte{5, 1, 2, 3, 4, 5, 6}, false)
	var u Unpacker
	f.Fuzz(func(t *testing.T, b []byte, packed bool) {
		if !packed {
			b = p.zstd.EncodeAll(b, []byte{0})
			_, _ = u.Body(b)
			b = b[1:]
		} else {
			_, _ = u.Body(b)
		}
		n := 0
		err := u.EachLink(b, "http://x.org/", func(l *PageLink) error { n++; return nil })
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("after %d links: %v", n, err)
		}
	})
}
