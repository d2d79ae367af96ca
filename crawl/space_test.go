package crawl

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

const mega = 1_000_000

func TestMargin(t *testing.T) {
	for _, c := range []struct {
		name                string
		minFree, size, want int64
	}{
		{"a laptop", Automatic, 500_000 * mega, 256 * mega},
		{"just large enough for the most", Automatic, 252 * 16 * mega, 256 * mega},
		{"a gigabyte", Automatic, 1_000 * mega, 66_500_000},
		{"a small one", Automatic, 24 * mega, 5_500_000},
		{"a quarter of a tiny one", Automatic, 4 * mega, 1 * mega},
		{"the user's", 70 * mega, 4 * mega, 70 * mega},
		{"one byte", 1, 500_000 * mega, 1},
	} {
		if got := marginOf(c.minFree, c.size); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// paperDisks are disks by the folder that is looked at.
type paperDisks struct {
	mu    sync.Mutex
	disks map[string]storage.Disk
	fall  int64 // bytes per second
	began time.Time
	looks []time.Time
	hangs chan struct{} // looking at the folder "hangs" waits for it
}

func (p *paperDisks) look(dir string) (storage.Disk, bool) {
	if filepath.Base(dir) == "hangs" {
		<-p.hangs
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks = append(p.looks, time.Now())
	d, ok := p.disks[filepath.Base(dir)]
	ok = ok && d.ID != ""
	d.Free -= int64(time.Since(p.began).Seconds() * float64(p.fall))
	return d, ok
}

// set puts another disk, or none without an ID, under a folder.
func (p *paperDisks) set(folder string, d storage.Disk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disks[folder] = d
}

// watchPaper watches folders of paper.
func watchPaper(t *testing.T, p *paperDisks, margin int64, names ...string) *space {
	t.Helper()
	p.began = time.Now()
	s := newSpace(margin)
	s.look = p.look
	dir := t.TempDir()
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(dir, name)
		if err := os.Mkdir(paths[i], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.watch(paths)
	t.Cleanup(s.stop)
	return s
}

// isLow tells what was said by now, empty if nothing was.
func isLow(s *space) string {
	synctest.Wait()
	select {
	case why := <-s.low:
		return why
	default:
		return ""
	}
}

func TestSpace(t *testing.T) {
	t.Run("is low from the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{disks: map[string]storage.Disk{"data": {ID: "1", Free: 48_200_000, Size: 500_000 * mega}}}
			s := watchPaper(t, p, Automatic, "data")
			select {
			case why := <-s.low: // without a wait
				want := "only 48.2 MB are free on the disk of "
				if !strings.HasPrefix(why, want) || !strings.HasSuffix(why, "data, and --min-free auto keeps 256.0 MB") {
					t.Errorf("says %q", why)
				}
			default:
				t.Error("nothing is said")
			}
			time.Sleep(time.Hour)
			if why := isLow(s); why != "" {
				t.Errorf("says it again: %s", why)
			}
		})
	})
	t.Run("is told before it is full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const fall, margin = 50 * mega, 100 * mega
			p := &paperDisks{disks: map[string]storage.Disk{"data": {ID: "1", Free: 10_000 * mega, Size: 20_000 * mega}}, fall: fall}
			s := watchPaper(t, p, margin, "data")
			why := <-s.low
			late := time.Since(p.began) - (10_000-100)*time.Second/50
			if late < 0 || late > 2*fallenSpaceRest {
				t.Errorf("told %v after it was so", late)
			}
			if !strings.HasSuffix(why, ", and --min-free keeps 100.0 MB") {
				t.Errorf("says %q", why)
			}
			if n := len(p.looks); n > 300 {
				t.Errorf("looked %d times in %v", n, time.Since(p.began))
			}
		})
	})
	t.Run("is looked at once a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{disks: map[string]storage.Disk{"data": {ID: "1", Free: 5_000 * mega, Size: 20_000 * mega}}}
			s := watchPaper(t, p, Automatic, "data")
			time.Sleep(time.Minute - time.Millisecond)
			if why := isLow(s); why != "" || len(p.looks) != 60 {
				t.Errorf("looked %d times in a minute; says %q", len(p.looks), why)
			}
		})
	})
	t.Run("is looked at once for all folders on it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{disks: map[string]storage.Disk{
				"data": {ID: "1", Free: 5_000 * mega, Size: 20_000 * mega}, "out": {ID: "1", Free: 5_000 * mega, Size: 20_000 * mega},
			}}
			watchPaper(t, p, Automatic, "data", "out")
			time.Sleep(time.Minute - time.Millisecond)
			synctest.Wait()
			if len(p.looks) != 61 {
				t.Errorf("looked %d times in a minute", len(p.looks))
			}
		})
	})
	t.Run("is looked at by another folder when one is gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			there := storage.Disk{ID: "1", Free: 5_000 * mega, Size: 20_000 * mega}
			p := &paperDisks{disks: map[string]storage.Disk{"data": there, "out": there}}
			s := watchPaper(t, p, Automatic, "data", "out")
			for _, gone := range []string{"data", "out"} { // whichever was first
				time.Sleep(time.Minute)
				p.set(gone, storage.Disk{})
				time.Sleep(time.Minute)
				p.set(gone, there)
			}
			if why := isLow(s); why != "" {
				t.Errorf("says %q", why)
			}
			p.set("data", storage.Disk{})
			time.Sleep(time.Minute)
			there.Free = 1
			p.set("out", there)
			time.Sleep(time.Minute)
			if why := isLow(s); !strings.Contains(why, "out, ") {
				t.Errorf("says %q", why)
			}
		})
	})
	t.Run("of the second disk", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{disks: map[string]storage.Disk{
				"data": {ID: "1", Free: 5_000 * mega, Size: 20_000 * mega}, "out": {ID: "2", Free: -1, Size: 20_000 * mega},
			}}
			s := watchPaper(t, p, Automatic, "data", "out")
			if why := isLow(s); !strings.HasPrefix(why, "nothing is free on the disk of ") || !strings.Contains(why, "out, ") {
				t.Errorf("says %q", why)
			}
		})
	})
	t.Run("on a disk beside one that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{disks: map[string]storage.Disk{
				"data": {ID: "1", Free: 1, Size: 20_000 * mega}, "hangs": {ID: "2", Free: 1, Size: 20_000 * mega},
			}, hangs: make(chan struct{})}
			s := watchPaper(t, p, Automatic, "hangs", "data")
			if took := time.Since(p.began); took > firstSpace {
				t.Errorf("waited %v", took)
			}
			if why := isLow(s); why == "" {
				t.Error("nothing is said")
			}
			close(p.hangs) // the stop did not wait for it
		})
	})
	t.Run("is not known", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{}
			s := watchPaper(t, p, Automatic, "data")
			time.Sleep(time.Minute)
			if why := isLow(s); why != "" {
				t.Errorf("says %q", why)
			}
		})
	})
	t.Run("is nobody's concern", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paperDisks{disks: map[string]storage.Disk{"data": {ID: "1", Free: 50 * mega, Size: 20_000 * mega}}}
			s := watchPaper(t, p, 0, "data")
			time.Sleep(time.Minute)
			if why := isLow(s); why != "" || len(p.looks) > 0 {
				t.Errorf("looked %d times; says %q", len(p.looks), why)
			}
			s.setMargin(20 * mega)
			if why := isLow(s); why != "" || len(p.looks) != 1 {
				t.Errorf("looked %d times; says %q", len(p.looks), why)
			}
			s.setMargin(Automatic)
			if why := isLow(s); why == "" {
				t.Error("nothing is said under another margin")
			}
		})
	})
}

func TestFolderOf(t *testing.T) {
	dir := t.TempDir()
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		dir, _ = filepath.EvalSymlinks(dir) // there temporary folders stand behind one
	}
	file, link := filepath.Join(dir, "real", "x.pawl"), filepath.Join(dir, "link.pawl")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	for _, c := range []struct {
		name, path, want string
	}{
		{"a folder", dir, dir},
		{"a file", file, filepath.Dir(file)},
		{"a file behind a link", link, filepath.Dir(file)},
		{"a file that is to come", filepath.Join(dir, "new"), dir},
		{"no file", os.DevNull, ""},
	} {
		if got, ok := folderOf(c.path); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMegabytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0.0 kB", 999: "1.0 kB", 48_200_000: "48.2 MB", 256 * mega: "256.0 MB", 2_500 * mega: "2.5 GB", 1_000_000 * mega: "1.0 TB"} {
		if got := megabytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// A crawl whose disk has too little room from the start asks for nothing, and
// loses nothing: with less to be kept it goes on.
func TestNoSpace(t *testing.T) {
	s, p := onPaper(t, "http://a.test/")
	p.on("http://a.test/", linking("/1", "/2"))
	p.on("http://a.test/1", text("one"))
	p.on("http://a.test/2", text("two"))
	s.opt.MinFree = 1 << 62
	s.inBubble(func() {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		defer cancel()
		sum := s.run(ctx)
		if sum.End != NoSpace || !strings.Contains(sum.Why, "--min-free keeps ") || sum.Counts.Pending == 0 {
			t.Errorf("ended %s with %d pending: %s", sum.End, sum.Counts.Pending, sum.Why)
		}
		if len(p.asked) > 0 {
			t.Errorf("asked for %v", p.asked)
		}
		s.opt.MinFree = 0
		s.finish()
		s.want(map[string]string{"http://a.test/": "fetched", "http://a.test/1": "fetched", "http://a.test/2": "fetched"})
	})
}

// What is in flight when a disk gets low is finished and committed, and nothing is
// asked for twice.
func TestSpaceRunsOut(t *testing.T) {
	s, p := wide(t, 30)
	p.on("http://a.test/p9", slow(linking("/", "/p0"), 5*time.Second))
	s.opt.PerHost = 4
	s.inBubble(func() {
		s.beside = func(ctx context.Context, c *Crawl) {
			time.Sleep(12*time.Second + 500*time.Millisecond)
			// No disk is as large as that.
			must(s.t, c.Change(ctx, func(s *Settings) error { s.MinFree = 1 << 62; return nil }))
		}
		ctx, cancel := withPatience(s.t)
		defer cancel()
		sum := s.run(ctx)
		s.beside = nil
		if sum.End != NoSpace || sum.Why == "" || sum.Counts.Pending == 0 || sum.Took > 20*time.Second {
			t.Errorf("ended %s after %v with %d pending: %s", sum.End, sum.Took, sum.Counts.Pending, sum.Why)
		}
		rows := s.outcomes()
		if len(rows) != len(p.asked) || rows["http://a.test/p9"] == nil {
			t.Errorf("%d rows of %d requests", len(rows), len(p.asked))
		}
		s.opt.MinFree = 0
		s.finish()
		if len(p.asked) != 31 {
			t.Errorf("%d requests", len(p.asked))
		}
	})
}
