//go:build unix

package storage

import (
	"unsafe"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// advise tells the system how the file is going to be read. bbolt maps it with
// the advice that reads are random, so that whatever is not in memory comes
// page by page; read from front to back that takes several times as long. It is
// a hint: errors do not matter. The transaction keeps the mapping where it is.
func advise(tx *bolt.Tx, sequential bool) {
	advice := unix.MADV_RANDOM
	if sequential {
		advice = unix.MADV_NORMAL
	}
	info := tx.DB().Info()
	// The address is that of the mapping, which the garbage collector does not
	// know: nothing moves it.
	data := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	if data != nil {
		_ = unix.Madvise(unsafe.Slice((*byte)(data), tx.Size()), advice)
	}
}
