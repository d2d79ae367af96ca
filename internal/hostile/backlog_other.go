//go:build !linux

package hostile

import "errors"

// Full is not to be had on this system: how a queue of connections fills is
// another matter on each.
func Full() (root string, stop func(), err error) {
	return "", nil, errors.ErrUnsupported
}
