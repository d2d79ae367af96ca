//go:build !unix || aix || solaris

package export

import "os"

// lockFile takes no lock: where there are such, they keep readers away as well.
func lockFile(*os.File) bool { return true }
