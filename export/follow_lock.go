//go:build unix && !aix && !solaris

package export

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock on a file that ends with the process; false: another
// has it. A file system without locks does without.
func lockFile(f *os.File) bool {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return !errors.Is(err, syscall.EWOULDBLOCK)
		}
	}
}
