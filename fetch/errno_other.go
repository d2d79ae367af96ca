//go:build !windows

package fetch

import "syscall"

const errnoRefused = syscall.ECONNREFUSED

// isNoRoute tells whether a connect ended on this side, or at a router. EPERM and
// EACCES are the word of a firewall on this machine; of a route that is there to
// forbid, EINVAL may be as well, but that says other things too.
func isNoRoute(e syscall.Errno) bool {
	switch e {
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPERM, syscall.EACCES:
		return true
	}
	return false
}
