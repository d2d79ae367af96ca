package export

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pawl/storage"
)

// followChild names the folder in which the test process is to be a crawl that
// is going to be killed, and the columns it writes.
const followChild = "PAWL_TEST_FOLLOW"

// TestFollowChild is no test, but the process that TestFollowKilled kills.
func TestFollowChild(t *testing.T) {
	dir, columns, ok := strings.Cut(os.Getenv(followChild), "|")
	if !ok {
		t.Skip("only as a process of TestFollowKilled")
	}
	const key = "pages"
	f, err := storage.Open(filepath.Join(dir, "crawl.pawl"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var kept []byte
	c := &crawl{t: t, file: f}
	err = f.View(func(r *storage.Reader) error {
		c.batch.First = r.Last() + 1
		return r.EachSide(storage.SidePositions, func(_ string, value []byte) error {
			kept = append([]byte{}, value...)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Follow(filepath.Join(dir, "pages.csv"), f, childOptions(columns), kept)
	if err != nil {
		t.Fatal(err)
	}
	keep := func() {
		if p := w.Position(); !bytes.Equal(p, kept) {
			kept = p
			c.batch.Side = append(c.batch.Side[:0], storage.SideValue{Side: storage.SidePositions, Key: key, Value: p})
		}
	}
	keep()
	c.finishEdits()
	c.batch.Side = nil
	for round := 0; c.batch.First < childEvents; round++ {
		fmt.Println(round)
		keep()
		c.addPages(int(c.batch.First), 1+round%7*3)
		c.batch.Side = nil
		if round%4 == 3 {
			c.withdraw(w, round)
		}
		if err := w.Write(c.last()); err != nil {
			t.Fatal(err)
		}
		if round%3 == 1 {
			if err := w.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.must(t, c.last())
	fmt.Println("all")
}

const childEvents = 3000

// withdraw has some of the last pages withdrawn, in two slices, with pages and a
// Write between.
func (c *crawl) withdraw(w *Follower, round int) {
	edit := c.batch.First
	c.add(&storage.Edit{Edit: storage.EditRetry, Upto: edit - 1, Settings: []byte("{}")})
	c.commit()
	for slice := range uint64(2) {
		c.addPages(int(c.batch.First), 2)
		if err := w.Write(c.last()); err != nil {
			c.t.Fatal(err)
		}
		fmt.Println("slice", slice)
		r := &storage.Reopen{Edit: edit, Upto: edit - 2 + slice}
		err := c.file.View(func(reader *storage.Reader) error {
			for seq := max(edit, 40) - 40 + uint64(round%7) + 1; seq < edit; seq += 6 {
				at := seq + slice
				if at < edit && storage.KindOf(reader.Event(at)) == storage.KindVisit && !reader.IsReopened(at, edit) {
					r.Visits = append(r.Visits, storage.Reopened{Seq: at, Outcome: storage.Failed})
				}
			}
			return nil
		})
		if err != nil {
			c.t.Fatal(err)
		}
		c.add(r)
		c.commit()
	}
}

// finishEdits carries out what a process that was killed left.
func (c *crawl) finishEdits() {
	var e retries
	if err := e.readTo(c.file, c.batch.First-1, pacing{}); err != nil {
		c.t.Fatal(err)
	}
	for _, r := range e.open {
		c.add(&storage.Reopen{Edit: r.seq, Upto: r.upto})
	}
	c.commit()
}

func childOptions(columns string) Options {
	return map[string]Options{"short": shortOptions, "price": priceOptions, "jsonl": jsonlOptions}[columns]
}

// A process that follows its own log is killed again and again, at instants that
// nobody chose; its file is whole in the end, and a beginning of that before.
func TestFollowKilled(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	f, err := storage.Create(filepath.Join(dir, "crawl.pawl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	columns := "short"
	kills := 0
	for done := false; !done; {
		if chance.IntN(3) == 0 {
			columns = []string{"short", "price", "jsonl"}[chance.IntN(3)]
		}
		child := exec.Command(os.Args[0], "-test.run=^TestFollowChild$")
		child.Env = append(os.Environ(), followChild+"="+dir+"|"+columns)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		// The pipe holds what the child says further on.
		lines := bufio.NewScanner(out)
		said := ""
		for n := chance.IntN(12); n >= 0 && lines.Scan(); n-- {
			said = lines.Text()
		}
		if kills < 20 {
			_ = child.Process.Kill()
		}
		for lines.Scan() {
			said += "\n" + lines.Text()
		}
		err = child.Wait()
		kills++
		switch done = err == nil; {
		case done && !strings.Contains(said, "all"):
			t.Fatalf("the child ended: %s", said)
		case strings.Contains(said, "FAIL"):
			t.Fatalf("after %d kills: %s", kills, said)
		}
		checkBeginning(t, dir)
	}
	t.Log(kills-1, "kills")
	f, err = storage.Open(filepath.Join(dir, "crawl.pawl"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	whole, _ := exported(t, Pages, f, childOptions(columns))
	holds(t, filepath.Join(dir, "pages.csv"), whole)
}

// checkBeginning holds that the file is a beginning of an export.
func checkBeginning(t *testing.T, dir string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, "pages.csv"))
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := storage.Open(filepath.Join(dir, "crawl.pawl"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	withdrawals, err := reopenings(f)
	if err != nil {
		t.Fatal(err)
	}
	counts, sum := []uint64{0}, uint64(0)
	for _, seq := range slices.Sorted(maps.Keys(withdrawals)) {
		sum += uint64(withdrawals[seq])
		counts = append(counts, sum)
	}
	slices.Reverse(counts)
	for _, columns := range []string{"short", "price", "jsonl"} {
		for _, n := range counts {
			var whole strings.Builder
			w, err := FollowToAsOf(&whole, f, childOptions(columns), n)
			if err != nil {
				t.Fatal(err)
			}
			last, err := end(f)
			if err != nil {
				t.Fatal(err)
			}
			w.must(t, last)
			if strings.HasPrefix(whole.String(), string(got)) {
				return
			}
		}
	}
	t.Fatalf("%d bytes that are no beginning of an export", len(got))
}
