//go:build !linux && !darwin && !freebsd && !windows

package storage

// DiskOf looks at the file system of a folder; ok is false when the system does
// not tell, as here.
func DiskOf(string) (d Disk, ok bool) { return Disk{}, false }
