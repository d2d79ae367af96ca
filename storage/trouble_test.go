package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestDiskTrouble(t *testing.T) {
	write := func(e syscall.Errno) error { return &fs.PathError{Op: "write", Path: "x", Err: e} }
	for _, c := range []struct {
		name      string
		err       error
		isWindows bool
		want      syscall.Errno // 0: none
	}{
		{"full", write(syscall.ENOSPC), false, syscall.ENOSPC},
		{"a quota", write(syscall.EDQUOT), false, syscall.EDQUOT},
		{"a limit of file sizes", write(syscall.EFBIG), false, syscall.EFBIG},
		{"read-only", write(syscall.EROFS), false, syscall.EROFS},
		{"at fault", write(syscall.EIO), false, syscall.EIO},
		{"in a commit", &WriteError{write(syscall.EIO)}, false, syscall.EIO},
		{"in a commit, in words", &WriteError{fmt.Errorf("file resize error: %s", syscall.EDQUOT)}, false, syscall.EDQUOT},
		{"in words alone", errors.New("the page says " + syscall.EIO.Error()), false, 0},
		{"another number of a commit", &WriteError{write(syscall.EBADF)}, false, 0},
		{"a lack of rights", write(syscall.EACCES), false, 0},
		{"nothing", nil, false, 0},
		{"full, on Windows", write(112), true, syscall.ENOSPC},
		{"full by another call, on Windows", write(39), true, syscall.ENOSPC},
		{"a quota, on Windows", write(1295), true, syscall.EDQUOT},
		{"a limit of file sizes, on Windows", write(223), true, syscall.EFBIG},
		{"write-protected, on Windows", write(19), true, syscall.EROFS},
		{"at fault, on Windows", write(1117), true, syscall.EIO},
		{"a sector that is at fault, on Windows", write(23), true, syscall.EIO},
		{"said by pawl, on Windows", write(syscall.ENOSPC), true, syscall.ENOSPC},
		{"a number of Windows elsewhere", write(1295), false, 0},
	} {
		got, ok := diskTrouble(c.err, c.isWindows)
		if got != c.want || ok != (c.want != 0) {
			t.Errorf("%s: %d, %t; want %d", c.name, got, ok, c.want)
		}
	}
}
