package storage

// Disk is what the system tells of the file system that a folder is on.
type Disk struct {
	ID   string // of the file system, as long as it is mounted
	Free int64  // bytes that this user can still write
	Size int64  // bytes, more than 0
}

// FreeSpace is how many bytes can still be written in a folder; ok is false when
// the system does not tell. See DiskOf.
func FreeSpace(dir string) (n int64, ok bool) {
	d, ok := DiskOf(dir)
	return d.Free, ok
}
