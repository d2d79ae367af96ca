//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isOurs tells whether the terminal is that of this process: not when a shell has
// it in the background.
func isOurs(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil || group == 0 || group == unix.Getpgrp()
}

// canSteer makes a terminal follow escape codes, if it can.
func canSteer(*os.File) bool { return true }

// terminalSignals sends the terminal's wishes to what it returns: to be redrawn,
// or to leave it to the shell for a while (see suspend).
func terminalSignals() (resized, suspended chan os.Signal, stop func()) {
	resized, suspended = make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH, syscall.SIGCONT)
	if !signal.Ignored(syscall.SIGTSTP) {
		signal.Notify(suspended, syscall.SIGTSTP)
	}
	return resized, suspended, func() {
		signal.Stop(resized)
		signal.Stop(suspended)
	}
}

// suspend stops the process until somebody has it go on, as Ctrl-Z would have
// done had nobody asked for its signal. Where there is no shell to go on by, the
// system does not stop it.
func suspend(suspended chan os.Signal) {
	signal.Reset(syscall.SIGTSTP)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTSTP)
	// It reaches another thread, perhaps. Should this not be long enough, it comes
	// by the channel once more.
	time.Sleep(20 * time.Millisecond)
	signal.Notify(suspended, syscall.SIGTSTP)
}
