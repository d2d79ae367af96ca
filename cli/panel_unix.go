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
	if !signal.Ignored(syscall.SIGTSTP) && hasShell() {
		signal.Notify(suspended, syscall.SIGTSTP)
	}
	return resized, suspended, func() {
		signal.Stop(resized)
		signal.Stop(suspended)
	}
}

// hasShell tells whether there is a shell that can have the process go on when it
// was stopped: it gives each of its jobs a process group, apart from its own.
func hasShell() bool {
	session, err := unix.Getsid(0)
	return err == nil && session != unix.Getpgrp()
}

// suspend stops the process until somebody has it go on. That is what Ctrl-Z would
// have done, had nobody asked for its signal; the runtime does not give that back.
func suspend() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	// It may reach another thread first. Nothing is to be written meanwhile.
	time.Sleep(20 * time.Millisecond)
}
