//go:build unix && !aix && !solaris

package warc

import (
	"errors"
	"os"
	"syscall"
)

// noFollow has the system refuse links that take the place of a file.
const noFollow = syscall.O_NOFOLLOW

// openLocked opens a file, or makes it, and takes the lock on it that ends with
// the process; [ErrBusy]: another has it. A file system without locks does without.
func openLocked(path string) (*os.File, error) {
	f, err := openOwn(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			f.Close()
			return nil, ErrBusy
		}
		return f, nil
	}
}
