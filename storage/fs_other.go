//go:build !unix

package storage

// SyncDir makes the names of new files in a folder durable; here the file system
// does so itself.
func SyncDir(string) error { return nil }
