//go:build !unix

package storage

import bolt "go.etcd.io/bbolt"

// advise has no counterpart here.
func advise(*bolt.Tx, bool) {}
