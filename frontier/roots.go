package frontier

import (
	"maps"
	"strings"

	"github.com/dchest/siphash"

	"pawl/weburl"
)

// Roots are what scope is measured from: the hosts and folders of the seeds, as
// they were when [Frontier.Roots] was called. They do not change any more, and
// may be asked by several goroutines at once.
type Roots struct {
	key0, key1 uint64
	hosts      []string        // of seeds and of what joined, in order
	how        map[string]root // of hosts
	folders    table           // fingerprints of seeds' folders
}

// root tells how a host came to be one that scope is measured from.
type root uint8

const (
	rootNamed root = 1 << iota // the user named it
	rootClear                  // by an address of http
)

// Roots are a copy of those of now.
func (f *Frontier) Roots() *Roots {
	r := f.scope
	// What is appended to it later is behind its end.
	r.hosts = r.hosts[:len(r.hosts):len(r.hosts)]
	r.how = maps.Clone(r.how)
	r.folders = r.folders.clone()
	return &r
}

// RootHosts are the hosts of the seeds and those that joined by a seed's
// redirect, in the order in which the log names them.
func (r *Roots) RootHosts() []string { return r.hosts }

// IsRootHost tells whether the host is among RootHosts.
func (r *Roots) IsRootHost(host string) bool {
	_, ok := r.how[host]
	return ok
}

// UnderRoot tells whether a seed stands in the address's folder or in one
// above it, on the same host.
func (r *Roots) UnderRoot(u weburl.URL) bool {
	path := u.Path()
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
		if r.folders.has(r.prefix(u.Host(), path[:i+1])) {
			return true
		}
	}
	return false
}

func (r *Roots) prefix(host, folder string) uint64 {
	return siphash.Hash(r.key0, r.key1, []byte(host+folder))
}

// folder is the fingerprint of the folder that the address stands in.
func (r *Roots) folder(u weburl.URL) uint64 {
	path := u.Path()
	return r.prefix(u.Host(), path[:strings.LastIndexByte(path, '/')+1])
}

// addRoot makes the address, of the event seq, one that scope is measured
// from.
func (f *Frontier) addRoot(seq uint64, u weburl.URL, named bool) {
	r := &f.scope
	h := u.Host()
	var how root
	if named {
		how = rootNamed
		if u.Scheme() == "http" {
			how |= rootClear
		}
	}
	was, known := r.how[h]
	if !known {
		h = strings.Clone(h)
		r.hosts = append(r.hosts, h)
		f.lastHost = seq
	}
	if !known || was|how != was {
		r.how[h] = was | how
	}
	if r.folders.put(r.folder(u), admitted) {
		f.lastFolder = seq
	}
}
