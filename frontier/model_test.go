package frontier

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// model says in plain maps what a crawl file should hold. It is copied at
// every commit, so that a lost commit is undone by taking the copy.
type model struct {
	pages   map[string]page // by address: admitted now, or finished
	refused map[string]uint32
	robots  map[string]robots // by origin
	hosts   map[string]traffic
	sources map[string]storage.Source
	named   map[string]bool // hosts of the scope; whether the user named them
	folders map[string]bool // that seeds stand in

	contents map[string]string // what has been fetched, and where first
	parks    int
	unparks  []uint64 // their events
	restored int      // of these, carried out
	edits    []edit

	lastReview uint64 // its event

	settings     string
	done, upto   uint64 // of the review
	calls        int
	admitted     int
	withdrawn    int
	requests     int
	transferred  int
	outcomes     [5]int
	unlisted     int
	classes      map[storage.Class]int
	reopened     int
	marks        map[storage.JobID]storage.Mark
	robotsEvents int
}

// page is an admitted address.
type page struct {
	found    storage.Found
	call     int // the finding that admitted it
	rank     int // its place in that finding
	life     int // how often it was admitted
	finished bool
	retrying bool
	attempt  uint8
	hops     uint8
	raw      string
	due      int64
	lane     storage.Lane
	// When it is finished:
	seq     uint64 // of the visit
	outcome storage.Outcome
	class   storage.Class
}

// edit is an edit of the queue that is not carried out to its end.
type edit struct {
	OpenEdit
	done map[string]bool // hosts and origins where it has reopened something
}

// robots is what is known of an origin's robots.txt.
type robots struct {
	state   storage.RobotsState
	attempt uint8
	hops    uint8
	class   storage.Class
	next    string
	due     int64
	expires int64
	until   int64 // given up
	delay   uint32
	rules   uint64
	learned int // how many robots events there were with it
}

// traffic is what the answers of a host told.
type traffic struct {
	took      uint32
	hold      int64
	lastSent  int64
	penalty   uint8
	throttles int
	since     int64
	gaveUp    storage.Class
	until     int64 // given up
	fetched   int
	jobs      int
}

const (
	nofollowOnly = 1000 // added to the depth
	takenOut     = 1e6  // instead of a depth: dropped by the user
)

func newModel() *model {
	return &model{
		pages: map[string]page{}, refused: map[string]uint32{}, robots: map[string]robots{}, hosts: map[string]traffic{},
		sources: map[string]storage.Source{}, named: map[string]bool{}, folders: map[string]bool{},
		contents: map[string]string{},
		classes:  map[storage.Class]int{},
	}
}

func (m *model) clone() *model {
	c := *m
	c.pages, c.refused, c.robots, c.hosts = maps.Clone(m.pages), maps.Clone(m.refused), maps.Clone(m.robots), maps.Clone(m.hosts)
	c.sources, c.named, c.folders = maps.Clone(m.sources), maps.Clone(m.named), maps.Clone(m.folders)
	c.contents = maps.Clone(m.contents)
	c.unparks, c.edits = slices.Clone(m.unparks), slices.Clone(m.edits)
	for i := range c.edits {
		c.edits[i].done = maps.Clone(c.edits[i].done)
	}
	c.classes, c.marks = maps.Clone(m.classes), maps.Clone(m.marks)
	return &c
}

func (m *model) pending() (n, retrying int) {
	for _, p := range m.pages {
		if !p.finished {
			n++
			if p.retrying {
				retrying++
			}
		}
	}
	return n, retrying
}

// find is a finding of links. parent is nil for seeds.
func (m *model) find(parent *storage.Origin, foundOn string, at int64, links []Candidate) (added int) {
	m.calls++
	for rank, c := range links {
		o := storage.Origin{Seed: true}
		if parent != nil {
			switch {
			case c.Redirect:
				o = storage.Origin{Depth: parent.Depth, Hops: parent.Hops + 1, Seed: parent.Seed}
			case c.Listed:
				o = storage.Origin{Depth: parent.Depth, Seed: parent.Seed}
			default:
				o = storage.Origin{Depth: parent.Depth + 1}
			}
		}
		old, known := m.pages[c.URL]
		switch {
		case m.refused[c.URL] == takenOut && (c.Reason != storage.NoReason || parent != nil && !c.Restored):
		case known:
			if parent == nil && c.Reason == storage.NoReason {
				m.root(c.URL, true)
			}
		case c.Reason == storage.NoReason:
			delete(m.refused, c.URL)
			m.pages[c.URL] = page{
				found: storage.Found{
					URL: c.URL, FoundOn: foundOn, Anchor: c.Anchor, Kind: c.Kind, Redirect: c.Redirect, Listed: c.Listed,
					NoFollow: c.NoFollow, Lane: c.Lane, FoundAt: at, Origin: o,
				},
				call: m.calls, rank: rank, life: old.life + 1, lane: c.Lane,
			}
			m.admitted++
			added++
			h := m.hosts[hostOf(c.URL)]
			h.jobs++
			m.hosts[hostOf(c.URL)] = h
			if parent == nil {
				m.root(c.URL, true)
			}
		default:
			depth := o.Depth
			if c.NoFollow {
				depth += nofollowOnly
			}
			if old, ok := m.refused[c.URL]; !ok || depth < old {
				m.refused[c.URL] = depth
			}
		}
	}
	return added
}

// drop takes a page out of the queue.
func (m *model) drop(url string) {
	delete(m.pages, url)
	m.refused[url] = takenOut
	m.withdrawn++
	m.edits[0].Changed++
}

// reopen makes a job of a finished page, by the oldest open edit.
func (m *model) reopen(url string, rank int, lane storage.Lane) {
	p := m.pages[url]
	m.outcomes[p.outcome]--
	if p.outcome == storage.Failed {
		m.classes[p.class]--
	}
	m.reopened++
	e := &m.edits[0]
	e.Changed++
	u := weburl.URL(url)
	h := m.hosts[u.Host()]
	if !e.done[u.Host()] {
		e.done[u.Host()] = true
		if h.until != 0 {
			h.gaveUp, h.until, h.throttles, h.since = storage.NoClass, 0, 0, 0
		}
		m.hosts[u.Host()] = h
		for _, scheme := range []string{"http://", "https://"} {
			if r, ok := m.robots[scheme+u.Host()]; ok && r.until != 0 && (r.state == storage.RobotsGivenUp || r.state == storage.RobotsNone) {
				r.state, r.until = storage.RobotsNone, 0
				m.robots[scheme+u.Host()] = r
			}
		}
	}
	if p.outcome == storage.Blocked || p.class == storage.Robots {
		if o := u.Origin(); !e.done[o] {
			e.done[o] = true
			if r, ok := m.robots[o]; ok {
				r.expires = 1
				m.robots[o] = r
			}
		}
	}
	p.found.Lane = storage.LaneNormal // the visit does not tell
	m.pages[url] = page{found: p.found, call: m.calls, rank: rank, life: p.life + 1, lane: lane}
}

// reviewed notes that a review has come to its end.
func (m *model) reviewed() {
	m.done, m.upto = 0, 0
	for m.restored < len(m.unparks) && m.unparks[m.restored] < m.lastReview {
		m.restored++
	}
}

func (m *model) root(url string, named bool) {
	u := weburl.URL(url)
	m.named[u.Host()] = m.named[u.Host()] || named
	m.folders[u.Host()+u.Path()[:strings.LastIndexByte(u.Path(), '/')+1]] = true
}

// asked is what an answer of the host teaches.
func (m *model) asked(name string, a *storage.Ask) {
	h := m.hosts[name]
	if a.Asked {
		m.requests++
		h.lastSent = max(h.lastSent, a.Time)
		h.took = a.Took
		h.hold = max(h.hold, a.Hold)
		h.penalty = a.Penalty
		switch {
		case a.Throttled:
			if h.throttles == 0 {
				h.since = a.Time
			}
			h.throttles++
			if h.throttles >= 10 && a.Time-h.since >= 600_000 && h.gaveUp == storage.NoClass {
				h.gaveUp, h.until = storage.Throttled, a.Time+int64(a.Took)+time.Hour.Milliseconds()
			}
		default:
			h.throttles = 0
		}
	}
	m.hosts[name] = h
}

// gap is the least time between two starts on the host.
func (m *model) gap(name string, o *Options) time.Duration {
	h := m.hosts[name]
	gap := o.Delay
	if o.Adaptive {
		gap = min(max(time.Duration(h.took)*time.Millisecond, 100*time.Millisecond), 10*time.Second)
	}
	if !o.IgnoreRobots {
		for _, scheme := range []string{"http://", "https://"} {
			gap = max(gap, time.Duration(m.robots[scheme+name].delay)*time.Millisecond)
		}
	}
	if h.penalty > 0 {
		slowed := max(gap, time.Second)
		for range h.penalty - 1 {
			slowed *= 2
		}
		gap = max(gap, min(slowed, 10*time.Minute))
	}
	return gap
}

// differs tells how the frontier's totals are not those of the model.
func (m *model) differs(f *Frontier) string {
	var known, jobHosts int
	known = len(m.pages) + len(m.refused)
	for _, h := range m.hosts {
		if h.jobs > 0 {
			jobHosts++
		}
	}
	pending, retrying := m.pending()
	want := storage.Counts{
		Known: uint64(known), Admitted: uint64(m.admitted), Pending: uint64(pending), Retrying: uint64(retrying),
		Withdrawn: uint64(m.withdrawn), Parked: f.counts.Parked, Dropped: f.counts.Dropped /* see isPure */, Hosts: uint64(jobHosts), Requests: uint64(m.requests), Transferred: uint64(m.transferred), Unlisted: uint64(m.unlisted),
		Reopened: uint64(m.reopened),
	}
	for _, p := range m.pages {
		if !p.finished {
			want.Depths[min(p.found.Depth, storage.Depths-1)]++
		}
	}
	for i, n := range m.outcomes {
		want.Outcomes[i] = uint64(n)
	}
	for c, n := range m.classes {
		want.Classes[c] = uint64(n)
	}
	got := f.Counts()
	want.Settings, want.LastTime, want.LeastLeft = got.Settings, got.LastTime, got.LeastLeft
	if got != want {
		return fmt.Sprintf("counts are\n%+v, want\n%+v", got, want)
	}
	for url := range m.pages {
		if known, isAdmitted := f.Knows(f.Fingerprint(url)); !known || !isAdmitted {
			return fmt.Sprintf("%s: known %v admitted %v, want an admitted one", url, known, isAdmitted)
		}
	}
	for url, depth := range m.refused {
		st, known := f.seen.get(f.Fingerprint(url))
		want := refusedAt(depth%nofollowOnly, depth >= nofollowOnly)
		if depth == takenOut {
			want = dropped
		}
		if !known || st != want || f.IsDropped(f.Fingerprint(url)) != (depth == takenOut) {
			return fmt.Sprintf("%s: known %v standing %d, want %d", url, known, st, want)
		}
	}
	roots := slices.Sorted(slices.Values(f.RootHosts()))
	if want := slices.Sorted(maps.Keys(m.named)); !slices.Equal(roots, want) {
		return fmt.Sprintf("root hosts %v, want %v", roots, want)
	}
	for h, named := range m.named {
		if f.IsSeedHost(h) != named {
			return fmt.Sprintf("%s is a seed's host: %v, want %v", h, !named, named)
		}
	}
	if f.scope.folders.n != len(m.folders) {
		return fmt.Sprintf("%d folders of seeds, want %d", f.scope.folders.n, len(m.folders))
	}
	if len(f.Parks()) != m.parks || len(f.Unparks()) != len(m.unparks) || len(f.Restores()) != len(m.unparks)-m.restored {
		return fmt.Sprintf("%d parks, %d unparks and %d restores, want %d, %d and %d", len(f.Parks()), len(f.Unparks()),
			len(f.Restores()), m.parks, len(m.unparks), len(m.unparks)-m.restored)
	}
	for i, e := range f.Edits() {
		if len(f.Edits()) != len(m.edits) || !reflect.DeepEqual(e, m.edits[i].OpenEdit) {
			return fmt.Sprintf("edits %+v, want %+v", f.Edits(), m.edits)
		}
	}
	if string(f.Settings()) != m.settings {
		return fmt.Sprintf("settings %q, want %q", f.Settings(), m.settings)
	}
	for path, want := range m.sources {
		if got, ok := f.Source(path); !ok || got != want {
			return fmt.Sprintf("source %v, want %v", got, want)
		}
	}
	if done, upto, open := f.Review(); done != m.done || upto != m.upto || open != (m.upto > 0) {
		return fmt.Sprintf("review %d of %d, want %d of %d", done, upto, m.done, m.upto)
	}
	return ""
}

func hostOf(url string) string { return weburl.URL(url).Host() }
