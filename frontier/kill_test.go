package frontier

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pawl/storage"
)

var (
	killChild = flag.String("kill.child", "", "be the process that TestKill kills: crawl into this `file` for ever")
	killTimes = flag.Int("kill.times", 10, "how often TestKill kills")
)

// TestKill kills a process that commits as fast as it can, with checkpoints on
// their way nearly all the time. After each kill what a start would take from
// the checkpoint and the rest of the log must be what the whole log says.
func TestKill(t *testing.T) {
	if *killChild != "" {
		endless(t, *killChild)
	}
	path := filepath.Join(t.TempDir(), "crawl.pawl")
	var known, seq uint64
	var generation uint32
	edited := false
	withRest := 0 // kills after which the log went on behind the checkpoint
	for range *killTimes {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKill$", "-kill.child", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It says when it has loaded; from then on it may be killed any time.
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatalf("the process ended by itself: %v", errors.Join(err, cmd.Wait()))
		}
		<-time.After(time.Duration(rand.IntN(250)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed

		file, err := storage.Open(path, true)
		if err != nil {
			t.Fatal(err)
		}
		f, damage, err := Restore(file, quick())
		if err = errors.Join(damage, err); err != nil {
			t.Fatal(err)
		}
		restored := f.Seq()
		if err := f.CatchUp(file); err != nil {
			t.Fatal(err)
		}
		whole, err := Fold(file, quick())
		if err != nil {
			t.Fatal(err)
		}
		if a, b := f.Digest(), whole.Digest(); a != b {
			t.Fatalf("checkpoint %+v comes to %+v, the log to %+v", f.check.stands, a, b)
		}
		c := f.Counts()
		reopened, twice := countReopened(t, file)
		if reopened != c.Reopened || twice > 0 || c.Admitted != c.Done()+c.Pending+c.Withdrawn {
			t.Fatalf("%d outcomes are withdrawn, %d of them twice; counts %+v", reopened, twice, c)
		}
		edited = edited || c.Reopened > 0 && c.Withdrawn > 0
		if f.Counts().Known < known || f.Seq() < seq {
			t.Errorf("%d addresses in %d events after %d in %d", f.Counts().Known, f.Seq(), known, seq)
		}
		if found, err := file.Check(3); err != nil || len(found) > 0 {
			t.Fatalf("the file is not sound: %v, %v", found, err)
		}
		known, seq, generation = f.Counts().Known, f.Seq(), f.check.stands.Generation
		if restored < seq {
			withRest++
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d addresses, %d checkpoints, %d kills with events behind the last one", known, generation, withRest)
	if !edited {
		t.Error("nothing was dropped or reopened")
	}
	if generation < 5 || withRest == 0 {
		t.Errorf("%d checkpoints, %d kills with events behind the last one: too few to show anything", generation, withRest)
	}
}

// countReopened counts the withdrawn outcomes of a log, as the readers of visits
// know them, and those that the log withdraws twice.
func countReopened(t *testing.T, file *storage.File) (n, twice uint64) {
	t.Helper()
	met := map[uint64]bool{}
	err := file.View(func(r *storage.Reader) error {
		return r.Scan(1, func(seq uint64, event []byte) (bool, error) {
			switch storage.KindOf(event) {
			case storage.KindVisit:
				if r.IsReopened(seq, ^uint64(0)) {
					n++
				}
			case storage.KindReopen:
				e, err := storage.DecodeReopen(event)
				if err != nil {
					return false, err
				}
				for _, v := range e.Visits {
					if met[v.Seq] {
						twice++
					}
					met[v.Seq] = true
				}
			}
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, twice
}

// endless crawls as fast as it can until it is killed.
func endless(t *testing.T, path string) {
	o := quick()
	o.CheckpointEvery = 1500
	r := &rig{tb: t, path: path, o: o, now: epoch}
	file, err := storage.Open(path, false)
	if errors.Is(err, storage.ErrMissing) || errors.Is(err, fs.ErrNotExist) {
		file, err = storage.Create(path, nil)
	}
	r.ok(err)
	r.file = file
	r.load()
	if r.f.Counts().Known == 0 {
		var urls []string
		for i := range 2000 { // so that heads take a few commits
			urls = append(urls, fmt.Sprintf("http://host-%04d.test/", i))
		}
		r.seed(urls...)
	}
	fmt.Print(".")
	for {
		for range 20 {
			j, ok := r.next()
			if !ok {
				break
			}
			n := r.f.Seq()
			links := r.candidates(fmt.Sprintf("http://host-%04d.test/%d", n%2000, n), fmt.Sprintf("http://host-%04d.test/%d", n*7%2000, n))
			if n%5 == 0 {
				r.finish(&j, storage.Failed, storage.Timeout, true)
				continue
			}
			r.fetched(&j, append(links, r.refused(storage.TooDeep, fmt.Sprintf("http://a.test/%d", n%5000))...)...)
		}
		switch e := r.f.Edits(); {
		case len(e) == 0 && r.f.Seq()%3 == 0:
			r.ok(r.f.OpenDrop(storage.Predicate{}, r.now))
		case len(e) == 0:
			r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
		case e[0].Kind == storage.EditDrop:
			r.dropSlice(40, func(url string) bool { return len(url)%3 == 0 })
		default:
			r.reopenSlice(200, storage.LaneNormal)
		}
		r.commit()
	}
}
