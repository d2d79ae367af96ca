//go:build !unix && !windows

package cli

import "os"

func isOurs(*os.File) bool { return true }

func canSteer(*os.File) bool { return true }

func terminalSignals() (resized, suspended chan os.Signal, stop func()) {
	return nil, nil, func() {}
}

func suspend() {}
