package control

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isNobodyHere tells of the errors that only Windows has.
func isNobodyHere(err error) bool {
	return errors.Is(err, windows.WSAECONNREFUSED) || errors.Is(err, windows.WSAEINVAL) || errors.Is(err, windows.WSAENETDOWN)
}
