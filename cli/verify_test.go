package cli

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pawl/crawl"
	"pawl/frontier"
	"pawl/storage"
)

// failedCrawl is a crawl file with two failed visits, the events 2 and 3, and an
// open wish to have them reopened, the event 4. more are the events after that.
func failedCrawl(t *testing.T, more ...storage.Event) string {
	t.Helper()
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	file, err := storage.Create(db, crawl.Rules(new(crawl.Settings)))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	b := storage.Batch{First: 1}
	b.Add(&storage.Seeds{Links: []storage.Link{{URL: "http://h.test/1"}, {URL: "http://h.test/2"}}})
	for i := range 2 {
		b.Add(&storage.Visit{
			Job: storage.JobID{Ord: uint32(i)}, URL: fmt.Sprintf("http://h.test/%d", i+1), Outcome: storage.Failed,
			Origin: storage.Origin{Seed: true},
		})
	}
	b.Add(&storage.Edit{Edit: storage.EditRetry, Upto: 3, Settings: []byte("{}")})
	for _, e := range more {
		b.Add(e)
	}
	must(file.Commit(&b))
	// The counts are those of the log.
	f, err := frontier.Fold(file, frontier.Defaults())
	must(err)
	must(file.Commit(f.Seal(time.Now())))
	must(file.Close())
	return db
}

// reopened changes the bucket of reopened visits.
func reopened(t *testing.T, db string, do func(b *bolt.Bucket) error) {
	t.Helper()
	file, err := bolt.Open(db, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	err = file.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("reopened"))
		if err != nil {
			return err
		}
		return do(b)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyHoldsReopenedOutcomesAgainstTheLog(t *testing.T) {
	again := func(edit uint64, visits ...storage.Reopened) *storage.Reopen {
		return &storage.Reopen{Edit: edit, Upto: 3, Visits: visits}
	}
	first := storage.Reopened{Seq: 2, Outcome: storage.Failed}
	second := storage.Reopened{Seq: 3, Outcome: storage.Failed}
	overHTTPS := first
	overHTTPS.HTTPS = true
	key := func(event uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 8), event) }
	var foreign []byte // that event 4 had reopened the visit 2
	other := filepath.Join(t.TempDir(), "other.pawl")
	file, err := storage.Create(other, crawl.Rules(new(crawl.Settings)))
	if err != nil {
		t.Fatal(err)
	}
	b := storage.Batch{First: 4}
	b.Add(again(1, first))
	if err := file.Commit(&b); err != nil {
		t.Fatal(err)
	}
	file.Close()
	reopened(t, other, func(b *bolt.Bucket) error {
		foreign = append(foreign, b.Get(key(4))...)
		return nil
	})
	for _, c := range []struct {
		name   string
		more   []storage.Event
		tamper func(b *bolt.Bucket) error
		want   string // of the findings; empty: it is sound
	}{
		{"as it should be", []storage.Event{again(4, first, second)}, nil, ""},
		{"one of two", []storage.Event{again(4, second)}, nil, ""},
		{
			"missing",
			[]storage.Event{again(4, first)},
			func(b *bolt.Bucket) error { return b.Delete(key(5)) },
			"reopened: event 5 has withdrawn the outcome of event 2, and that is not kept",
		},
		{
			"too much",
			[]storage.Event{again(4, first)},
			func(b *bolt.Bucket) error { return b.Put(key(4), foreign) },
			"reopened: event 4 is said to have withdrawn outcomes, and has not",
		},
		{
			"damaged",
			[]storage.Event{again(4, first)},
			func(b *bolt.Bucket) error { return b.Put(key(5), []byte{1, 2, 3, 4, 5}) },
			"reopened: the crawl file is damaged",
		},
		{"of another scheme", []storage.Event{again(4, overHTTPS)}, nil, "event 5: the outcome of event 2 was another one"},
		{
			"twice",
			[]storage.Event{again(4, first), &storage.Edit{Edit: storage.EditRetry, Upto: 3, Settings: []byte("{}")}, again(6, first)},
			nil, "event 7: the outcome of event 2 was withdrawn before",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := failedCrawl(t, c.more...)
			if c.tamper != nil {
				reopened(t, db, c.tamper)
			}
			w := new(world)
			code := w.run(t, context.Background(), "verify", "--db", db)
			if c.want == "" && (code != ExitOK || !strings.HasPrefix(w.stdout.String(), "ok: ")) {
				t.Errorf("exit code %d, %s%s", code, &w.stdout, &w.stderr)
			}
			if c.want != "" && (code != ExitFile || !strings.Contains(w.stdout.String(), c.want)) {
				t.Errorf("exit code %d, found %q, want %q", code, &w.stdout, c.want)
			}
		})
	}
}
