//go:build !windows

package cli

// isPipeGone tells of what other systems say when a reader has left.
func isPipeGone(error) bool { return false }
