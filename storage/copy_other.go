//go:build !linux && !darwin && !freebsd && !windows

package storage

import "io/fs"

func keepOwner(string, fs.FileInfo) error { return nil }
