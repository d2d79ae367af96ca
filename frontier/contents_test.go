package frontier

import (
	"encoding/binary"
	"fmt"
	"testing"

	"pawl/storage"
)

// fetchedWith finishes a job with a content, and gives the address that had it
// first. What is said of that visit beside must be what the log says.
func (r *rig) fetchedWith(j *Job, hash []byte) string {
	r.tb.Helper()
	v := r.answer(storage.Fetched)
	v.ContentHash = hash
	first, err := r.f.FirstWith(r.file, hash)
	r.ok(err)
	if was, met := r.firsts[first.URL]; first.URL != "" && (!met || first != was) {
		r.tb.Errorf("the content was fetched first by %+v, want %+v", first, was)
	}
	v.DuplicateOf = first.URL
	r.f.Release(j, r.now)
	r.ok(r.f.Finish(j, v, nil, 0))
	if r.firsts == nil {
		r.firsts = map[string]First{}
	}
	r.firsts[j.URL] = First{URL: j.URL, Seq: r.f.Seq(), Time: v.Time}
	return first.URL
}

func numberedHash(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 8, 16), n)
}

// sameKeys gives so many pairs of hashes of which the table keeps the same bits.
func sameKeys(tb testing.TB, f *Frontier, n int) (pairs [][2][]byte) {
	tb.Helper()
	met := map[uint32]uint64{}
	for i := uint64(0); i < 10_000_000; i++ {
		key := f.contentKey(numberedHash(i))
		other, ok := met[key]
		if !ok {
			met[key] = i
			continue
		}
		if pairs = append(pairs, [2][]byte{numberedHash(other), numberedHash(i)}); len(pairs) == n {
			return pairs
		}
	}
	tb.Fatal("no two hashes have the same key")
	return nil
}

// Contents of which memory keeps the same bits are told apart by the events:
// those of the batch, of the commit under way, of the file, and behind a
// checkpoint.
func TestContentsWithTheSameKey(t *testing.T) {
	var underWay *storage.Batch
	for _, c := range []struct {
		name    string
		between func(r *rig)
	}{
		{"in one batch", func(*rig) {}},
		{"in a commit under way", func(r *rig) {
			if underWay != nil {
				r.ok(r.file.Commit(underWay))
				r.f.Committed()
			}
			underWay = r.f.Seal(r.now)
		}},
		{"in the file", (*rig).commit},
		{"after a restart", func(r *rig) { r.commit(); r.reopen() }},
		{"behind a checkpoint", func(r *rig) {
			r.commit()
			r.f.check.every = 1
			r.stop()
			if at, _, err := Restore(r.file, r.o); err != nil || at.Seq() == 0 {
				t.Fatalf("there is no checkpoint: %v", err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			const pairs = 3
			var urls []string
			for i := range 4 * pairs {
				urls = append(urls, fmt.Sprintf("http://a.test/%d", i))
			}
			r.seed(urls...)
			twins := sameKeys(t, r.f, pairs)
			for i, twin := range twins {
				if first := r.fetchedWith(r.want(urls[i]), twin[0]); first != "" {
					t.Fatalf("the first content is said to be that of %s", first)
				}
			}
			c.between(r)
			for i, twin := range twins {
				if first := r.fetchedWith(r.want(urls[pairs+i]), twin[1]); first != "" {
					t.Errorf("a new content is said to be that of %s", first)
				}
			}
			c.between(r)
			for i, twin := range twins {
				if first := r.fetchedWith(r.want(urls[2*pairs+i]), twin[0]); first != urls[i] {
					t.Errorf("the content of %s is said to be that of %q", urls[i], first)
				}
			}
			for i, twin := range twins {
				if first := r.fetchedWith(r.want(urls[3*pairs+i]), twin[1]); first != urls[pairs+i] {
					t.Errorf("the content of %s is said to be that of %q", urls[pairs+i], first)
				}
			}
		})
	}
}
