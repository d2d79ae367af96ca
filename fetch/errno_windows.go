package fetch

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// The numbers of errors of a connect, which Windows has of its own.
const errnoRefused = windows.WSAECONNREFUSED

func isNoRoute(e syscall.Errno) bool {
	switch e {
	case windows.WSAENETUNREACH, windows.WSAEHOSTUNREACH, windows.WSAENETDOWN, windows.WSAEHOSTDOWN,
		windows.WSAEADDRNOTAVAIL, windows.WSAEAFNOSUPPORT, windows.WSAEACCES:
		return true
	}
	return false
}
