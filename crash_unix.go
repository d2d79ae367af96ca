//go:build unix

package main

import (
	"os"
	"os/signal"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// partStderr gives the messages of the program a descriptor of their own, so that
// crashTo can have the runtime write to a file, and not among them, when the
// process dies by itself. That death is a signal then, which shells tell: the exit
// code of the runtime is the one of wrong usage here.
func partStderr() (stderr *os.File, crashTo func(f *os.File) error) {
	own, err := unix.FcntlInt(uintptr(unix.Stderr), unix.F_DUPFD_CLOEXEC, unix.Stderr+1)
	if err != nil {
		return os.Stderr, nil // there is none, perhaps
	}
	stderr = os.NewFile(uintptr(own), os.Stderr.Name())
	quit := make(chan os.Signal, 1)
	go func() {
		// Ctrl-\ is the user's: what the runtime says to it is for the terminal.
		for range quit {
			_ = unix.Dup2(own, unix.Stderr)
			signal.Reset(unix.SIGQUIT)
			_ = unix.Kill(unix.Getpid(), unix.SIGQUIT)
		}
	}()
	return stderr, func(f *os.File) error {
		if f == nil {
			signal.Stop(quit)
			debug.SetTraceback("single")
			return unix.Dup2(own, unix.Stderr)
		}
		// A core may be as large as all that is free, and holds the user's secrets.
		var limit unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil {
			limit.Cur = 0
			_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit)
		}
		debug.SetTraceback("crash")
		if !signal.Ignored(unix.SIGQUIT) {
			signal.Notify(quit, unix.SIGQUIT)
		}
		return unix.Dup2(int(f.Fd()), unix.Stderr)
	}
}
