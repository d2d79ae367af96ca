package export

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pawl/page"
	"pawl/storage"
)

// editing is a crawl in which outcomes are withdrawn at random: two edits may be
// open at once, and are carried out one after the other.
type editing struct {
	*crawl
	chance *rand.Rand
	next   int      // number of the next new address
	due    []string // addresses that are jobs again
	failed []storage.Reopened
	urls   map[uint64]string // of the failed visits
	open   []retry
	done   uint64 // visits of the oldest edit up to here are through
}

func (e *editing) seq() uint64 { return e.batch.First + uint64(e.batch.Len()) }

// visit finishes an address, some of them in vain.
func (e *editing) visit() {
	url := fmt.Sprintf("https://a.example/%d", e.next)
	if len(e.due) > 0 && e.chance.IntN(3) == 0 {
		url, e.due = e.due[0], e.due[1:]
	} else {
		e.next++
	}
	v := followPage(e.next)
	v.URL = url
	if e.chance.IntN(3) == 0 {
		v.Outcome, v.Status, v.Class, v.Record = storage.Failed, 0, storage.Timeout, storage.Record{Error: hostileTitles[e.chance.IntN(len(hostileTitles))]}
		e.failed = append(e.failed, storage.Reopened{Seq: e.seq(), Outcome: storage.Failed, Class: storage.Timeout})
		e.urls[e.seq()] = url
	}
	e.add(v)
}

// step appends what a crawl might.
func (e *editing) step() {
	switch n := e.chance.IntN(20); {
	case n == 0 && len(e.open) < 2:
		r := retry{e.seq(), e.seq() - 1}
		e.open = append(e.open, r)
		e.add(&storage.Edit{Edit: storage.EditRetry, Upto: r.upto, Settings: []byte("{}")})
	case n < 4 && len(e.open) > 0:
		e.slice()
	default:
		e.visit()
	}
}

// slice carries on the oldest edit, which withdraws about half of what failed.
func (e *editing) slice() {
	r := &storage.Reopen{Edit: e.open[0].seq}
	size := e.chance.IntN(4)
	var rest []storage.Reopened
	isThrough := true
	for _, v := range e.failed {
		switch {
		case v.Seq <= e.done || v.Seq > e.open[0].upto || len(r.Visits) < size && v.Seq%2 == 0:
			rest = append(rest, v)
		case len(r.Visits) < size:
			r.Visits = append(r.Visits, v)
			e.due = append(e.due, e.urls[v.Seq])
			r.Upto = v.Seq
		default:
			rest, isThrough = append(rest, v), false
		}
	}
	e.failed, e.done = rest, max(e.done, r.Upto)
	if isThrough {
		r.Upto = e.open[0].upto
		e.open, e.done = e.open[1:], 0
	}
	e.add(r)
}

func newEditing(t testing.TB, seed uint64) *editing {
	return &editing{crawl: newCrawl(t), chance: rand.New(rand.NewPCG(seed, 0)), urls: map[uint64]string{}}
}

// once holds that no address has two rows.
func once(t *testing.T, table string) {
	t.Helper()
	if i := strings.LastIndex(table, "\r\n"); i >= 0 {
		table = table[:i+2] // there may be a beginning of a row
	}
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row[1]] {
			t.Fatalf("%s has two rows in\n%s", row[1], table)
		}
		seen[row[1]] = true
	}
}

// At each instant the file has no address twice; when all edits are carried out it
// is what an export gives, however often who writes it began anew, with whatever
// position it kept, and whatever the process that died had written.
func TestFollowWithdrawn(t *testing.T) {
	for seed := range uint64(12) {
		e := newEditing(t, seed)
		path := filepath.Join(t.TempDir(), "pages.csv")
		w := follow(t, path, e.file, shortOptions, nil)
		positions := [][]byte{nil, w.Position()}
		for range 60 {
			for range 1 + e.chance.IntN(6) {
				e.step()
			}
			e.commit()
			switch e.chance.IntN(8) {
			case 0: // the process dies
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				w = follow(t, path, e.file, shortOptions, positions[max(len(positions)-1-e.chance.IntN(3), 0)])
				positions = append(positions, w.Position())
			case 1, 2:
			default:
				if err := w.Write(e.last()); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				once(t, readText(t, path))
				if e.chance.IntN(3) == 0 {
					if err := w.Sync(); err != nil {
						t.Fatal(err)
					}
					positions = append(positions, w.Position())
				}
			}
			if len(e.open) == 0 {
				w.must(t, e.last())
				positions = append(positions, w.Position())
				whole, _ := exported(t, Pages, e.file, shortOptions)
				holds(t, path, whole)
			}
		}
		for len(e.open) > 0 {
			e.slice()
		}
		e.commit()
		w.must(t, e.last())
		whole, _ := exported(t, Pages, e.file, shortOptions)
		holds(t, path, whole)
		once(t, whole)
		// What a position says is enough, and is right.
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, position := range [][]byte{nil, w.Position()} {
			again := follow(t, path, e.file, shortOptions, position)
			again.must(t, e.last())
			holds(t, path, whole)
			if again.Rewritten() != "" {
				t.Errorf("it was written anew: %s", again.Rewritten())
			}
			again.Close()
		}
	}
}

func readText(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func isChanged(err error) bool {
	var changed *ChangedError
	return errors.As(err, &changed)
}

// A file that somebody else changed is refused also when outcomes were withdrawn.
func TestFollowWithdrawnAndChanged(t *testing.T) {
	e := newEditing(t, 1)
	path := filepath.Join(t.TempDir(), "pages.csv")
	w := follow(t, path, e.file, shortOptions, nil)
	for range 100 {
		e.step()
	}
	for len(e.open) > 0 {
		e.slice()
	}
	e.commit()
	w.must(t, e.last())
	w.Close()
	text := readText(t, path)
	put(t, path, strings.Replace(text, "a.example", "b.example", 1))
	if _, err := Follow(path, e.file, shortOptions, w.Position()); !isChanged(err) {
		t.Errorf("a changed row: %v", err)
	}
	put(t, path, text+"more\r\n")
	if _, err := Follow(path, e.file, shortOptions, nil); !isChanged(err) {
		t.Errorf("a row more: %v", err)
	}
	put(t, path, text)
	follow(t, path, e.file, shortOptions, w.Position())
}

// A stream goes on: it has the new row of an address behind the old one. The same
// bytes come again for who says how much was withdrawn when it began.
func TestStreamOfWithdrawn(t *testing.T) {
	e := newEditing(t, 7)
	for range 200 {
		e.step()
	}
	e.commit()
	withdrawals, err := reopenings(e.file)
	if err != nil {
		t.Fatal(err)
	}
	before := uint64(0)
	for _, n := range withdrawals {
		before += uint64(n)
	}
	if before == 0 {
		t.Fatal("nothing was withdrawn")
	}
	now, _ := exported(t, Pages, e.file, shortOptions)
	var first, again bytes.Buffer
	w, err := FollowTo(&first, e.file, shortOptions)
	if err != nil {
		t.Fatal(err)
	}
	w.must(t, e.last())
	if first.String() != now {
		t.Error("a stream does not begin with what an export gives")
	}
	for range 200 {
		e.step()
	}
	e.commit()
	w.must(t, e.last())
	if !strings.HasPrefix(first.String(), now) {
		t.Error("a stream does not go on")
	}
	if later, _ := exported(t, Pages, e.file, shortOptions); first.String() == later {
		t.Error("nothing was withdrawn while the stream went on")
	}
	if w, err = FollowToAsOf(&again, e.file, shortOptions, before); err != nil {
		t.Fatal(err)
	}
	w.must(t, e.last())
	if first.String() != again.String() {
		t.Error("other bytes come again")
	}
	again.Reset()
	if w, err = FollowToAsOf(&again, e.file, shortOptions, 0); err != nil {
		t.Fatal(err)
	}
	w.must(t, e.last())
	if again.Len() <= first.Len() {
		t.Error("a stream of all has no more rows")
	}
}

// No table has a row of what was withdrawn, and an export that is under way does
// not change by an edit that is made meanwhile.
func TestWithdrawnIsNowhere(t *testing.T) {
	build := func(withdrawn bool) *crawl {
		c := newCrawl(t)
		lost := &storage.Visit{
			Job: storage.JobID{Ord: 1}, URL: "https://a.example/lost", FoundOn: "https://a.example/", Attempt: 1,
			Ask: storage.Ask{Asked: true, Time: noon, Transferred: 100}, Outcome: storage.Failed, Status: 503,
			Record:      storage.Record{Title: "sorry", ContentType: "text/html", Fields: []storage.Field{{Name: "price", Values: []string{"1"}}}},
			DuplicateOf: "https://a.example/", ContentHash: []byte("0123456789abcdef"),
		}
		packer, err := storage.NewPacker()
		if err != nil {
			t.Fatal(err)
		}
		if withdrawn {
			lost.Kept = append(lost.Kept,
				packer.Links(lost.URL, []storage.PageLink{{URL: "https://a.example/2", Kind: uint8(page.KindA), Count: 1}}),
				packer.Body(&storage.Body{Request: []byte("GET /lost HTTP/1.1\r\n\r\n"), Response: []byte("HTTP/1.1 503 Sorry\r\n\r\n"), Content: []byte("sorry")}))
		}
		for i := range 3 {
			v := followPage(i)
			v.Kept = append(v.Kept,
				packer.Links(v.URL, []storage.PageLink{{URL: lost.URL, Kind: uint8(page.KindA), Count: 1}}),
				packer.Body(&storage.Body{Request: []byte("GET / HTTP/1.1\r\n\r\n"), Response: []byte("HTTP/1.1 200 OK\r\n\r\n"), Content: []byte("x")}))
			c.add(v)
			if i == 1 {
				if withdrawn {
					c.add(lost)
				} else {
					c.add(&storage.Retry{Job: storage.JobID{Ord: 9}, Attempt: 1}) // for the same seqs
				}
			}
		}
		c.commit()
		return c
	}
	with, without := build(true), build(false)
	withdraw := func() {
		with.add(&storage.Edit{Edit: storage.EditRetry, Upto: with.last(), Settings: []byte("{}")})
		with.add(&storage.Reopen{Edit: with.batch.First, Upto: with.last(), Visits: []storage.Reopened{{Seq: 3, Outcome: storage.Failed}}})
		with.commit()
	}
	tables := map[string]func(io.Writer, *storage.File, Options) (int, error){
		"pages": Pages, "errors": Errors, "redirects": Redirects, "duplicates": Duplicates, "fields": Fields, "links": Links,
		"sitemap": Sitemap, "graph": Graph,
		"counts": func(w io.Writer, f *storage.File, o Options) (int, error) {
			o.Columns = []string{"url", "inlinks", "unique_inlinks", "discovery_path"}
			return Pages(w, f, o)
		},
		"text": func(w io.Writer, f *storage.File, o Options) (int, error) {
			o.Columns, o.Format = []string{"url", "text"}, JSONL
			return Pages(w, f, o)
		},
		"hosts": func(w io.Writer, f *storage.File, o Options) (int, error) {
			o.Columns = []string{"host", "pages", "failed", "duplicates", "size", "mean_total_ms"}
			return Hosts(w, f, o)
		},
		"frog": func(w io.Writer, f *storage.File, o Options) (int, error) {
			return ProfilePages(w, f, ScreamingFrog, o)
		},
		"advertools": func(w io.Writer, f *storage.File, o Options) (int, error) {
			o.Format = JSONL
			return ProfilePages(w, f, Advertools, o)
		},
	}
	o := Options{Fields: []Field{{Name: "price"}}}
	before := map[string]string{}
	for name, table := range tables {
		before[name], _ = exported(t, table, with.file, o)
	}
	// The edit is made while the export is under way.
	var once bool
	during := o
	during.Stop = func() error {
		if !once {
			once = true
			withdraw()
		}
		return nil
	}
	for i := range 3 * sliceEvents { // for more than one transaction
		with.add(&storage.Retry{Job: storage.JobID{Ord: uint32(100 + i)}, Attempt: 1})
	}
	with.commit()
	if got, _ := exported(t, Pages, with.file, during); got != before["pages"] || !once {
		t.Errorf("an export under way has become\n%s", got)
	}
	for name, table := range tables {
		got, _ := exported(t, table, with.file, o)
		want, _ := exported(t, table, without.file, o)
		if got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
		if name != "sitemap" && name != "redirects" && name != "links" && got == before[name] {
			t.Errorf("%s was the same before", name)
		}
	}
}
