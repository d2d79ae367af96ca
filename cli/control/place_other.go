//go:build !unix && !windows

package control

import (
	"errors"
	"io/fs"
)

const besideFile = false

func folderName() string { return "pawl" }

func mkdirOwn(string) error { return errors.ErrUnsupported }

func checkOwn(string, fs.FileInfo) error { return errors.ErrUnsupported }

func besides() []string { return nil }

func ownerOf(string) int { return -1 }

func fileID(string) string { return "" }

func samePath(a, b string) bool { return a == b }
