//go:build !unix

package warc

// syncDir has no counterpart here: the file system makes names durable itself.
func syncDir(string) error { return nil }
