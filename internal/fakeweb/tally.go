package fakeweb

import (
	"hash/maphash"
	"maps"
	"sync"
	"time"
)

// Tally counts the requests that a [Web] was asked, robots.txt and assets
// included. It is safe for concurrent use. When [Options] switch it off it
// stays empty.
//
// A request starts when it arrives. In memory it ends when its body was read
// to the end or closed; on a socket just before the answer is written, so that
// a client which starts its next request at once is never seen with two.
// A client that gives up on a socket may be seen with two for the moment until
// the server notices.
type Tally struct {
	on     bool
	seed   maphash.Seed
	shards [64]tallyShard
}

type tallyShard struct {
	mu    sync.Mutex
	hosts map[string]*hostTally
	_     [40]byte // keeps the locks of neighbours off each other's cache line
}

type hostTally struct {
	HostTally
	open int
	last time.Time
	urls map[string]int
}

// HostTally is what was counted for one host.
type HostTally struct {
	Requests int
	MaxOpen  int           // most requests that were open at the same time
	MinGap   time.Duration // shortest time from the start of a request to the start of the next; 0 with fewer than two
}

func (t *Tally) shard(host string) *tallyShard {
	return &t.shards[maphash.String(t.seed, host)%uint64(len(t.shards))]
}

// begin counts a request that starts now and returns what end wants.
func (t *Tally) begin(host, target string) *hostTally {
	if !t.on {
		return nil
	}
	now := time.Now()
	s := t.shard(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[host]
	if h == nil {
		if s.hosts == nil {
			s.hosts = map[string]*hostTally{}
		}
		h = &hostTally{urls: map[string]int{}}
		s.hosts[host] = h
	}
	if h.Requests > 0 {
		if gap := now.Sub(h.last); h.Requests == 1 || gap < h.MinGap {
			h.MinGap = gap
		}
	}
	h.last = now
	h.Requests++
	h.urls[target]++
	h.open++
	h.MaxOpen = max(h.MaxOpen, h.open)
	return h
}

// end counts the end of a request for host that began as h. After a Reset h is
// no longer in the map, and counting it down does no harm.
func (t *Tally) end(host string, h *hostTally) {
	if h == nil {
		return
	}
	s := t.shard(host)
	s.mu.Lock()
	h.open--
	s.mu.Unlock()
}

// Total returns the number of requests.
func (t *Tally) Total() int {
	total := 0
	t.each(func(_ string, h *hostTally) { total += h.Requests })
	return total
}

// Host returns what was counted for a host, spelled as it was asked for:
// "h0.test", "127.0.0.1:8080".
func (t *Tally) Host(host string) HostTally {
	s := t.shard(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[host]; h != nil {
		return h.HostTally
	}
	return HostTally{}
}

// Hosts returns what was counted for each host that was asked.
func (t *Tally) Hosts() map[string]HostTally {
	hosts := map[string]HostTally{}
	t.each(func(host string, h *hostTally) { hosts[host] = h.HostTally })
	return hosts
}

// URLs returns how often each path and query of a host was asked, in the
// spelling of the request. The map is a copy.
func (t *Tally) URLs(host string) map[string]int {
	s := t.shard(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[host]; h != nil {
		return maps.Clone(h.urls)
	}
	return map[string]int{}
}

// URL returns how often one path and query of a host was asked, in the spelling
// of the request.
func (t *Tally) URL(host, target string) int {
	s := t.shard(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[host]; h != nil {
		return h.urls[target]
	}
	return 0
}

// Reset forgets everything. Requests that are open meanwhile belong to what
// was forgotten.
func (t *Tally) Reset() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		s.hosts = nil
		s.mu.Unlock()
	}
}

func (t *Tally) each(visit func(host string, h *hostTally)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for host, h := range s.hosts {
			visit(host, h)
		}
		s.mu.Unlock()
	}
}
