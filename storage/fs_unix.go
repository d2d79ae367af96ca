//go:build unix

package storage

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes the name of a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // some network file systems cannot
	}
	return err
}

func isReadOnlyFS(err error) bool { return errors.Is(err, syscall.EROFS) }
