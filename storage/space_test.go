package storage

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestDiskOf(t *testing.T) {
	dir := t.TempDir()
	d, ok := DiskOf(dir)
	if !ok {
		t.Skip("nothing is told here")
	}
	if d.ID == "" || d.Free < 0 || d.Size <= 0 || d.Free > d.Size {
		t.Errorf("a disk of %+v", d)
	}
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	if b, ok := DiskOf(below); !ok || b.ID != d.ID || b.Size != d.Size {
		t.Errorf("the folder below is on %+v, not on %+v", b, d)
	}
	if n, ok := FreeSpace(dir); !ok || n < 0 {
		t.Errorf("%d are free, %t", n, ok)
	}
	if d, ok := DiskOf(filepath.Join(dir, "none")); ok {
		t.Errorf("a folder that is not there is on %+v", d)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if d, ok := DiskOf("/proc"); ok {
		t.Errorf("what has no size is a disk of %+v", d)
	}
}
