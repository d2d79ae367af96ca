//go:build linux || darwin || freebsd

package storage

import (
	"fmt"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// DiskOf looks at the file system of a folder; ok is false when the system does
// not tell. Most file systems do not count quotas in what is free. It can take
// for ever when the file system is on another machine that does not answer.
func DiskOf(dir string) (d Disk, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Disk{}, false
	}
	d.Free, d.Size = blocks(s.Bavail, &s), blocks(s.Blocks, &s)
	info, err := os.Stat(dir)
	if err != nil || d.Size <= 0 { // some that are no disks say 0 of 0
		return Disk{}, false
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		d.ID = fmt.Sprint(st.Dev)
	}
	return d, true
}

// blocks is how many bytes n blocks are. What is kept for root makes the number
// of those that are free negative on some systems.
func blocks[T int64 | uint64](n T, s *unix.Statfs_t) int64 {
	size := blockSize(s)
	if n <= 0 || size <= 0 {
		return 0
	}
	if uint64(n) > math.MaxInt64/uint64(size) {
		return math.MaxInt64
	}
	return int64(n) * size
}
