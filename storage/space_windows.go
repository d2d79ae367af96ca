package storage

import (
	"math"

	"golang.org/x/sys/windows"
)

// DiskOf looks at the file system of a folder; ok is false when the system does
// not tell. Quotas count in what is free. It can take long when the file system is
// on another machine that does not answer.
func DiskOf(dir string) (d Disk, ok bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Disk{}, false
	}
	var free, size uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, &size, nil); err != nil || size == 0 {
		return Disk{}, false
	}
	d.ID = dir
	volume := make([]uint16, windows.MAX_PATH+1)
	if err := windows.GetVolumePathName(name, &volume[0], uint32(len(volume))); err == nil {
		d.ID = windows.UTF16ToString(volume)
	}
	d.Free, d.Size = int64(min(free, math.MaxInt64)), int64(min(size, math.MaxInt64))
	return d, true
}
