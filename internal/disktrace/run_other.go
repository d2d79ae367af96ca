//go:build !linux || !(amd64 || arm64)

package disktrace

import "context"

// Run runs the command and records what it does. Here it returns ErrUnsupported.
func Run(context.Context, Command) (*Recording, error) { return nil, ErrUnsupported }
