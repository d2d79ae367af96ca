//go:build darwin || freebsd

package control

import "golang.org/x/sys/unix"

// peerOf tells which user is at the other end of a socket, and which process; 0:
// not known.
func peerOf(fd int) (uid, pid int, err error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	return int(cred.Uid), 0, nil
}
