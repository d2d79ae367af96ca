//go:build !windows && (!unix || aix || solaris)

package warc

import "os"

const noFollow = 0

// openLocked opens a file, or makes it. It takes no lock here.
func openLocked(path string) (*os.File, error) { return openOwn(path, os.O_RDWR|os.O_CREATE) }
