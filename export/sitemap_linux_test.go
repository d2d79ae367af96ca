package export

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody does something with the rights of a user who owns nothing, when the test
// runs with those of root.
func asNobody(do func() error) error {
	done := make(chan error, 1)
	go func() {
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // for good: the thread ends with the goroutine
			const nobody = 65534
			if _, err := unix.SetfsuidRetUid(nobody); err != nil {
				done <- err
				return
			}
		}
		done <- do()
	}()
	return <-done
}

// A sitemap can be written to a folder that may be written, but not read.
func TestSitemapInADropBox(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{filepath.Dir(top), top} {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	box := filepath.Join(top, "box")
	if err := os.Mkdir(box, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(box, 0o333); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(box, "map.xml")
	if err := asNobody(func() error { _, err := os.ReadDir(box); return err }); err == nil {
		t.Skip("the folder can be read")
	}
	if err := asNobody(func() error { return (&sitemapFiles{name: name}).publish() }); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(name); err != nil || info.Size() == 0 {
		t.Errorf("there is no sitemap: %v", err)
	}
	_ = os.Chmod(box, 0o700) // to be removed
}
