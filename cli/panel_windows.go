package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

func isOurs(*os.File) bool { return true }

// canSteer makes a console follow escape codes, if it can.
func canSteer(f *os.File) bool {
	var mode uint32
	h := windows.Handle(f.Fd())
	if err := windows.GetConsoleMode(h, &mode); err != nil {
		return true // that of Cygwin, which does
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

func terminalSignals() (resized, suspended chan os.Signal, stop func()) {
	return nil, nil, func() {}
}

func suspend() {}
