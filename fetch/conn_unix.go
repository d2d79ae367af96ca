//go:build unix && !solaris && !aix

package fetch

import (
	"net"
	"syscall"
)

// pending returns what tells whether anything has come over a connection that
// is not read yet, an end excepted, without reading or waiting for it.
func pending(c net.Conn) func() bool {
	never := func() bool { return false }
	below, ok := c.(syscall.Conn)
	if !ok {
		return never
	}
	raw, err := below.SyscallConn()
	if err != nil {
		return never
	}
	var first [1]byte
	found := false
	look := func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		found = err == nil && n > 0
	}
	return func() bool {
		found = false
		// Control, unlike Read, does not wait for the reading that goes on.
		return raw.Control(look) == nil && found
	}
}
