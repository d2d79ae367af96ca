//go:build linux || darwin || freebsd

package storage

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file to the owner of another.
func keepOwner(path string, of fs.FileInfo) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	is, ok1 := info.Sys().(*syscall.Stat_t)
	was, ok2 := of.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || is.Uid == was.Uid && is.Gid == was.Gid {
		return nil
	}
	return os.Chown(path, int(was.Uid), int(was.Gid))
}
