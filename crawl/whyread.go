package crawl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// The log has no index by address: one would cost every address of every crawl
// more than a story now and then does, which reads the log from its beginning, in
// short transactions. An event that does not speak of the address is passed over
// without making a text of anything in it.

const (
	// mentionSlice is how many events a transaction reads.
	mentionSlice = 2000
	// A redirect to a page for logging in may stand on every page. So many are
	// told of.
	maxSources = 10
	// maxTries bounds how many failed attempts on the host are noted by their jobs,
	// 12 bytes each, before it is known which job is meant. Where there are more the
	// log is read a second time.
	maxTries = 4 << 20
)

// mention is a place in the log that speaks of an address.
type mention struct {
	seq   uint64
	index int // of the link in its event
	what  mentionKind
}

type mentionKind uint8

const (
	isFound   mentionKind = iota // a link made it a job
	isSeed                       // the user named it when it was a job already
	isSkipped                    // a link was refused
	isVisit                      // it was finished
)

// edit is an Edit event that may be about an address.
type edit struct {
	seq  uint64
	kind storage.EditKind
}

// try is a failed attempt at a job of the host: 12 bytes.
type try struct{ ord, high, low uint32 }

func (t try) seq() uint64 { return uint64(t.high)<<32 | uint64(t.low) }

// mentions is what the log says of an address.
type mentions struct {
	of      []mention
	sources []uint64 // visits of pages that redirect to it, the first of them
	redirs  int      // how many there are
	tries   []try    // of its host
	crowded bool     // there are more
	edits   []edit   // of the user, and parked patterns
	reopens []uint64 // Reopen events
	hosts   []uint64 // Host events of its host
}

// seeker looks for an address in the log.
type seeker struct {
	url    string
	origin []byte // "://host", as it stands in a Host event
	host   uint32 // number of its host
	noHost bool   // it has none: no job was ever on it
	// jobs, if there are any: only failed attempts at them are looked for.
	jobs map[storage.JobID]bool
	most int // failed attempts that are noted

	pages storage.PageDecoder
	text  [512]byte // memory for addresses
	found mentions
}

func newSeeker(u weburl.URL) *seeker {
	return &seeker{url: string(u), origin: []byte("://" + u.Host()), most: maxTries}
}

// seek reads the log from one event to another. With several readers they take
// turns at its slices. pace, if any, is called between transactions.
func (s *seeker) seek(ctx context.Context, file *storage.File, from, to uint64, readers int, pace func(time.Duration)) error {
	var next atomic.Uint64
	next.Store(from)
	run := func(s *seeker) error {
		for {
			first := next.Add(mentionSlice) - mentionSlice
			if first > to {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			began := time.Now()
			if err := s.slice(file, first, min(to, first+mentionSlice-1)); err != nil {
				return err
			}
			if pace != nil {
				pace(time.Since(began))
			}
		}
	}
	return file.Sequentially(func() error {
		if readers < 2 {
			return run(s)
		}
		var wait sync.WaitGroup
		parts := make([]seeker, readers)
		errs := make([]error, readers)
		for i := range parts {
			parts[i] = seeker{url: s.url, origin: s.origin, host: s.host, noHost: s.noHost, jobs: s.jobs, most: s.most}
			wait.Go(func() { errs[i] = run(&parts[i]) })
		}
		wait.Wait()
		for i := range parts {
			s.found.add(&parts[i].found)
		}
		return errors.Join(errs...)
	})
}

// add takes over what another has found.
func (m *mentions) add(o *mentions) {
	m.of = append(m.of, o.of...)
	m.sources = append(m.sources, o.sources...)
	m.redirs += o.redirs
	m.tries = append(m.tries, o.tries...)
	m.crowded = m.crowded || o.crowded
	m.edits = append(m.edits, o.edits...)
	m.reopens = append(m.reopens, o.reopens...)
	m.hosts = append(m.hosts, o.hosts...)
}

// sort brings all into the order of the log.
func (m *mentions) sort() {
	slices.SortFunc(m.of, func(a, b mention) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.index, b.index)) })
	slices.SortFunc(m.tries, func(a, b try) int { return cmp.Compare(a.seq(), b.seq()) })
	slices.Sort(m.sources)
	m.sources = m.sources[:min(len(m.sources), maxSources)]
	slices.SortFunc(m.edits, func(a, b edit) int { return cmp.Compare(a.seq, b.seq) })
	slices.Sort(m.reopens)
	slices.Sort(m.hosts)
}

// slice reads some events in one transaction.
func (s *seeker) slice(file *storage.File, from, to uint64) error {
	return file.View(func(r *storage.Reader) error {
		return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
			if seq > to {
				return false, nil
			}
			return seq < to, s.look(seq, event)
		})
	})
}

// look looks at an event.
func (s *seeker) look(seq uint64, event []byte) error {
	kind := storage.KindOf(event)
	if len(s.jobs) > 0 && kind != storage.KindRetry {
		return nil
	}
	switch kind {
	case storage.KindVisit:
		return s.visit(seq, event)
	case storage.KindLinks, storage.KindSeeds, storage.KindSkip:
		h, err := storage.DecodeLinksHead(event)
		if err != nil {
			return err
		}
		what := isFound
		if kind == storage.KindSkip {
			what = isSkipped
		}
		if err := s.links(seq, &h.Links, what); err != nil || kind != storage.KindSeeds {
			return err
		}
		known := h.Known()
		return s.links(seq, &known, isSeed)
	case storage.KindRetry:
		return s.retry(seq, event)
	case storage.KindHost:
		// Most are of other hosts, and a robots.txt is long. The origin stands at
		// the beginning.
		if bytes.Contains(event[:min(len(event), len(s.origin)+16)], s.origin) {
			return s.aboutHost(seq, event)
		}
	case storage.KindReopen:
		s.found.reopens = append(s.found.reopens, seq)
	case storage.KindEdit:
		e, err := storage.DecodeEdit(event)
		if err != nil {
			return err
		}
		switch e.Edit {
		case storage.EditSettings, storage.EditPark, storage.EditRestore, storage.EditDrop, storage.EditRetry:
			s.found.edits = append(s.found.edits, edit{seq, e.Edit})
		}
	}
	return nil
}

func (s *seeker) visit(seq uint64, event []byte) error {
	h, err := storage.DecodeVisitHead(event)
	if err != nil {
		return err
	}
	if string(h.URL) == s.url {
		s.found.of = append(s.found.of, mention{seq: seq, index: -1, what: isVisit})
	}
	if h.Outcome == storage.Redirected {
		v, err := s.pages.Decode(event)
		if err != nil {
			return err
		}
		if v.Redirect == s.url {
			s.found.redirs++
			if len(s.found.sources) < maxSources { // they come in rising order
				s.found.sources = append(s.found.sources, seq)
			}
		}
	}
	return s.links(seq, &h.Links, isFound)
}

func (s *seeker) links(seq uint64, b *storage.LinkBlock, what mentionKind) error {
	b.Reuse(s.text[:])
	for i := 0; b.Next(); i++ {
		if string(b.Link.URL) == s.url {
			s.found.of = append(s.found.of, mention{seq: seq, index: i, what: what})
		}
	}
	return b.Err()
}

func (s *seeker) retry(seq uint64, event []byte) error {
	if s.noHost || s.found.crowded {
		return nil
	}
	r, err := storage.DecodeRetry(event)
	if err != nil {
		return err
	}
	switch {
	case r.Job.Host != s.host, len(s.jobs) > 0 && !s.jobs[r.Job]:
	case len(s.found.tries) == s.most:
		s.found.tries, s.found.crowded = nil, true
	default:
		s.found.tries = append(s.found.tries, try{r.Job.Ord, uint32(seq >> 32), uint32(seq)})
	}
	return nil
}

func (s *seeker) aboutHost(seq uint64, event []byte) error {
	h, err := storage.DecodeHost(event)
	if err != nil {
		return err
	}
	if _, host, ok := strings.Cut(h.Origin, ":"); ok && ":"+host == string(s.origin) {
		s.found.hosts = append(s.found.hosts, seq)
	}
	return nil
}
