package storage

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// trouble is what a number of the system says of a disk.
type trouble struct{ number, means syscall.Errno }

// troubles are the usual numbers. Windows has invented numbers for them, which this
// program uses too, but never sees from the system.
var troubles = [...]trouble{
	{syscall.ENOSPC, syscall.ENOSPC},
	{syscall.EDQUOT, syscall.EDQUOT},
	{syscall.EFBIG, syscall.EFBIG},
	{syscall.EROFS, syscall.EROFS},
	{syscall.EIO, syscall.EIO},
}

// windowsTroubles are what Windows says itself.
var windowsTroubles = [...]trouble{
	{112, syscall.ENOSPC},  // ERROR_DISK_FULL
	{39, syscall.ENOSPC},   // ERROR_HANDLE_DISK_FULL
	{1295, syscall.EDQUOT}, // ERROR_DISK_QUOTA_EXCEEDED
	{223, syscall.EFBIG},   // ERROR_FILE_TOO_LARGE
	{19, syscall.EROFS},    // ERROR_WRITE_PROTECT
	{1117, syscall.EIO},    // ERROR_IO_DEVICE
	{23, syscall.EIO},      // ERROR_CRC
}

// DiskTrouble tells what keeps a disk from taking what is written, on all systems in
// the same numbers: ENOSPC (full), EDQUOT (a quota), EFBIG (a limit of file sizes), EROFS
// (it can only be read) or EIO (it is at fault). ok is false when the error is none of
// these.
func DiskTrouble(err error) (e syscall.Errno, ok bool) {
	return diskTrouble(err, runtime.GOOS == "windows")
}

func diskTrouble(err error, isWindows bool) (e syscall.Errno, ok bool) {
	if err == nil {
		return 0, false
	}
	known := troubles[:]
	if isWindows {
		known = slices.Concat(windowsTroubles[:], known)
	}
	for _, t := range known {
		if errors.Is(err, t.number) {
			return t.means, true
		}
	}
	// bbolt keeps only the words of some.
	if write := (*WriteError)(nil); errors.As(err, &write) {
		for _, t := range known {
			if strings.Contains(err.Error(), t.number.Error()) {
				return t.means, true
			}
		}
	}
	return 0, false
}

// isReadOnlyFS tells of a file system that can only be read.
func isReadOnlyFS(err error) bool {
	e, _ := DiskTrouble(err)
	return e == syscall.EROFS
}
