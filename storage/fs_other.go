//go:build !unix

package storage

// syncDir has no counterpart here: the file system makes names durable itself.
func syncDir(string) error { return nil }

func isReadOnlyFS(error) bool { return false }
