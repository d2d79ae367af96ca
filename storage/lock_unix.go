//go:build unix && !aix && !solaris

package storage

import (
	"errors"
	"os"
	"syscall"
)

// LockTemp keeps others from taking a temporary file for a leftover until it is
// closed, or the process ends. It does nothing where there are no such locks.
func LockTemp(f *os.File) { _ = tryLock(f) }

// tryLock takes the lock on a file, as bbolt does: EWOULDBLOCK when another has it.
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// removeUnlocked removes a file that nobody has locked. It tells whether there is a
// lock to go by.
func removeUnlocked(path string) (tells bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	switch err := tryLock(f); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return true
	case err != nil:
		return false
	}
	is, err := os.Lstat(path)
	was, werr := f.Stat()
	if err == nil && werr == nil && os.SameFile(is, was) {
		_ = os.Remove(path)
	}
	return true
}
