package fetch

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// The numbers of errors of a connect, which Windows has of its own.
const errnoRefused = windows.WSAECONNREFUSED

// isNoRoute tells whether a connect ended on this side, or at a router. Package
// syscall has numbers of its own for these, by which a Transport may name them.
func isNoRoute(e syscall.Errno) bool {
	switch e {
	case windows.WSAENETUNREACH, windows.WSAEHOSTUNREACH, windows.WSAENETDOWN, windows.WSAEHOSTDOWN,
		windows.WSAEADDRNOTAVAIL, windows.WSAEAFNOSUPPORT, windows.WSAEACCES,
		syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPERM, syscall.EACCES:
		return true
	}
	return false
}
