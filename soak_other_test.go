//go:build unix && !linux

package main

import (
	"errors"
	"os/exec"
	"testing"
)

// What is done with a process and its system from outside is done on Linux alone.

func ownSystem(*exec.Cmd) {}

func dieWithUs(*exec.Cmd) {}

func setLoopback(bool) error { return errors.ErrUnsupported }

func mountDisk(*testing.T, string, int64) error { return errors.ErrUnsupported }

func resizeDisk(string, int64) error { return errors.ErrUnsupported }

func fillDisk(string) error { return errors.ErrUnsupported }

func limitFiles(int, int64) error { return errors.ErrUnsupported }

func memoryFree() int64 { return 0 }

func footprintOf(int) (s footprint, ok bool) { return s, false }

// hasPeer cannot be told: nothing goes on after a pause, and two requests at a time
// are not seen.
func (w *wire) hasPeer() bool { return false }
