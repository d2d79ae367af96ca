package storage

import "golang.org/x/sys/unix"

// blockSize is what the numbers of blocks are counted in. File systems in user
// space may like to be written in larger ones, which Bsize is then.
func blockSize(s *unix.Statfs_t) int64 {
	if s.Frsize > 0 {
		return int64(s.Frsize) //nolint:unconvert // another type on other processors
	}
	return int64(s.Bsize) //nolint:unconvert // the same
}
