//go:build unix

package export

import (
	"errors"
	"io"
	"syscall"
)

// readerLeft tells whether nobody reads the pipe any more.
func readerLeft(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
