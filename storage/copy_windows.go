package storage

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// FreeSpace is how many bytes can still be written in a folder; ok is false when
// the system does not tell.
func FreeSpace(dir string) (n int64, ok bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, false
	}
	return int64(min(free, 1<<62)), true
}

// keepOwner has nothing to do: a new file has the rights of its folder.
func keepOwner(string, fs.FileInfo) error { return nil }
