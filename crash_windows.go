package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// partStderr gives what has the runtime write to a file, and not among the
// messages of the program, when the process dies by itself.
func partStderr() (stderr *os.File, crashTo func(f *os.File) error) {
	// The runtime asks for the handle each time, os.Stderr has asked for it once.
	return os.Stderr, func(f *os.File) error {
		if f == nil {
			f = os.Stderr
		}
		return windows.SetStdHandle(windows.STD_ERROR_HANDLE, windows.Handle(f.Fd()))
	}
}
