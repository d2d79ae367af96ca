// Command pawl crawls websites and keeps what it finds in one file, from which
// it goes on after any stop.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"pawl/cli"
)

func main() {
	// A closed pipe is an error of the write then, and not the end of a crawl
	// whose messages nobody reads any more.
	signal.Ignore(syscall.SIGPIPE)
	// net/http has its own word on what some servers send, and no other outlet.
	log.SetOutput(io.Discard)
	// A recursion that does not end shall not take the machine's memory with it.
	debug.SetMaxStack(maxStack)
	ctx, cancel := context.WithCancel(context.Background())
	go stop(cancel)
	sys := cli.System{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv}
	if os.Getenv("GOTRACEBACK") == "" { // otherwise somebody wants to see it
		sys.Stderr, sys.CrashTo = partStderr()
	}
	os.Exit(cli.Run(ctx, os.Args, sys))
}

// maxStack is how large the stack of a goroutine may become, in bytes. What is
// deepest, on hostile input, takes a hundredth of it.
const maxStack = 64 << 20

// sameSignal is how soon after the first a signal is the same one, told twice.
const sameSignal = 3 * time.Millisecond

// stop ends the work in order at the first signal and at once at the second.
func stop(cancel func()) {
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		// What was started with nohup is not to be stopped by a hang-up.
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	<-signals
	cancel()
	// Some who stop a process, as timeout does, tell it and then its group.
	for again := time.Now().Add(sameSignal); ; {
		if <-signals; time.Now().After(again) {
			os.Exit(cli.ExitStopped)
		}
	}
}
