//go:build !unix

package export

import (
	"errors"
	"io"
	"syscall"
)

// What Windows says when nobody reads the pipe any more.
const (
	errorBrokenPipe = syscall.Errno(109)
	errorNoData     = syscall.Errno(232)
)

// readerLeft tells whether nobody reads the pipe any more.
func readerLeft(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, errorBrokenPipe) || errors.Is(err, errorNoData)
}
