package export

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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
	c.commit()
	c.batch.Side = nil
	for round := 0; c.batch.First < childEvents; round++ {
		fmt.Println(round)
		keep()
		c.addPages(int(c.batch.First), 1+round%7*3)
		c.batch.Side = nil
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
	for _, columns := range []string{"short", "price", "jsonl"} {
		if whole, _ := exported(t, Pages, f, childOptions(columns)); strings.HasPrefix(whole, string(got)) {
			return
		}
	}
	t.Fatalf("%d bytes that are no beginning of an export", len(got))
}
