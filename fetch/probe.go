package fetch

import "context"

// Probe tells whether the network is there, after hosts could not be reached:
// hosts are their names, or addresses, with ports. nil: it is, so these hosts are to
// blame; else the error says in a few words what is missing.
func Probe(ctx context.Context, hosts []string) error { return nil }
