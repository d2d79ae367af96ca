//go:build unix

package storage

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOpenRefusesAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	if _, err := Open(path, false); !errors.Is(err, ErrNotOurs) {
		t.Error(err)
	}
}
