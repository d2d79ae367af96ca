//go:build linux || darwin

package export

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFollowANamedPipe(t *testing.T) {
	c := newCrawl(t)
	c.addPages(0, 2000)
	whole, _ := exported(t, Pages, c.file, Defaults())
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // each reader gets all
		read := make(chan string)
		go func() {
			r, err := os.Open(path)
			if err != nil {
				t.Error(err)
			}
			b := make([]byte, len(whole))
			_, _ = io.ReadFull(r, b)
			r.Close()
			read <- string(b)
		}()
		w := follow(t, path, c.file, Defaults(), nil)
		if err := w.Write(c.last()); err != nil {
			t.Fatal(err)
		}
		if got := <-read; got != whole {
			t.Error("the pipe gives other bytes")
		}
		c.addPages(3000, 1)
		for range 2 {
			if err := w.Write(c.last()); !errors.Is(err, ErrClosed) || !errors.Is(err, syscall.EPIPE) {
				t.Error(err)
			}
		}
		if w.Position() != nil {
			t.Error("a pipe has a position")
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		whole, _ = exported(t, Pages, c.file, Defaults())
	}
}

// fullChild tells the test process to be one that may write small files alone.
const fullChild = "PAWL_TEST_FULL"

// A disk that is full leaves a beginning of the file, and a later Write goes on
// from there.
func TestFollowAFullDisk(t *testing.T) {
	if os.Getenv(fullChild) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestFollowAFullDisk$", "-test.v")
		child.Env = append(os.Environ(), fullChild+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	c := newCrawl(t)
	c.addPages(0, 1000)
	path := filepath.Join(t.TempDir(), "pages.csv")
	whole, _ := exported(t, Pages, c.file, shortOptions)
	priced, _ := exported(t, Pages, c.file, priceOptions)
	room := func(n int) {
		limit := syscall.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}
		if n > 0 {
			limit.Cur = uint64(n)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Skip(err)
		}
	}
	defer room(0)
	w := follow(t, path, c.file, shortOptions, nil)
	for n := 100; n < len(whole); n += len(whole) / 9 {
		room(n)
		for range 2 {
			if err := w.Write(c.last()); !errors.Is(err, syscall.EFBIG) {
				t.Fatal(err)
			}
		}
		holds(t, path, whole[:n])
		if err := w.Sync(); !errors.Is(err, syscall.EFBIG) {
			t.Error(err)
		}
	}
	room(0)
	w.must(t, c.last())
	holds(t, path, whole)
	position := w.Position()
	w.Close()
	// A new file that does not fit leaves the old one.
	w = follow(t, path, c.file, priceOptions, position)
	room(len(priced) / 2)
	for range 2 {
		if err := w.Write(c.last()); !errors.Is(err, syscall.EFBIG) {
			t.Fatal(err)
		}
		holds(t, path, whole)
	}
	room(0)
	w.must(t, c.last())
	holds(t, path, priced)
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Error("left behind:", left, err)
	}
}
