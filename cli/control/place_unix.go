//go:build unix

package control

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// besideFile: sockets have permissions of their own, and so can stand anywhere.
const besideFile = true

func folderName() string { return "pawl-" + strconv.Itoa(os.Geteuid()) }

func mkdirOwn(folder string) error { return os.Mkdir(folder, 0o700) }

func checkOwn(folder string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user", folder)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users", folder)
	}
	return nil
}

// besides are folders for the sockets of users that processes with another
// environment may use: those of a login, and of a service.
func besides() []string { return []string{"/run/user/" + strconv.Itoa(os.Geteuid()), "/tmp"} }

// ownerOf tells whose a file is; -1: not known.
func ownerOf(path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}

// fileID is how the system knows a file; empty: not known.
func fileID(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(uint64(stat.Dev), 16) + ":" + strconv.FormatUint(uint64(stat.Ino), 16)
}

func samePath(a, b string) bool { return a == b }
