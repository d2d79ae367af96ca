//go:build darwin || freebsd

package storage

import "golang.org/x/sys/unix"

// blockSize is what the numbers of blocks are counted in.
func blockSize(s *unix.Statfs_t) int64 { return int64(s.Bsize) }
