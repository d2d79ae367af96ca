package crawl

import (
	"fmt"
	"path/filepath"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// Status is how a crawl stands, whether it runs or rests. Its JSON is a promise:
// fields are added, never renamed. Times are by RFC 3339, empty for none.
type Status struct {
	File         string            `json:"file"`
	Bytes        int64             `json:"file_bytes"`
	Format       int               `json:"format"`
	Created      string            `json:"created"`
	State        string            `json:"state"` // at rest: empty, finished, stopped, limit or unclean; else: running, paused or stopping
	Limit        string            `json:"limit,omitempty"`
	Seeds        []string          `json:"seed_hosts"` // of the first seeds
	Runs         uint64            `json:"runs"`
	LastRun      string            `json:"last_run,omitempty"` // when it started
	LastActivity string            `json:"last_activity,omitempty"`
	Clean        bool              `json:"clean"`        // the last run ended in order
	Unread       bool              `json:"seeds_unread"` // seeds from stdin were not read to their end
	Done         uint64            `json:"done"`
	Outcomes     map[string]uint64 `json:"outcomes"`
	ErrorClasses map[string]uint64 `json:"error_classes"`
	ErrorStatus  uint64            `json:"error_status"` // failed by an answer from 400 on alone
	Pending      uint64            `json:"pending"`
	Retrying     uint64            `json:"retrying"`
	Withdrawn    uint64            `json:"withdrawn"`
	Unlisted     uint64            `json:"unlisted"` // fetched pages that rules keep out of the results
	Reopened     uint64            `json:"reopened"` // outcomes that the user withdrew
	EverParked   uint64            `json:"ever_parked"`
	Known        uint64            `json:"known"`
	Hosts        uint64            `json:"hosts"`
	Requests     uint64            `json:"requests"`
	Transferred  uint64            `json:"transferred"`
	LeastLeftMS  int64             `json:"least_left_ms"`
	Depths       []uint64          `json:"pending_by_depth"` // the last also counts those that are deeper
	Parked       []ParkedPattern   `json:"parked"`           // patterns of addresses that are parked
	Settings     map[string]string `json:"settings"`         // without secrets; filled in by who knows their names
	Changed      []string          `json:"settings_changed"` // of these, those that are not the default
	Edits        []EditStatus      `json:"edits"`            // of the user, that are not carried out to their end
	Reviewing    bool              `json:"reviewing"`        // skipped links are being judged again
	Fullest      []HostStatus      `json:"fullest_hosts"`    // by pending jobs, at most 20
	Slowest      []HostStatus      `json:"slowest_hosts"`    // by the least time that is left, at most 20
	HostsPending int               `json:"hosts_pending"`    // with pending jobs

	// Of a crawl that runs; nil: it rests.
	Live *LiveStatus `json:"live,omitempty"`
}

// LiveStatus is what only a running crawl knows.
type LiveStatus struct {
	PID         int          `json:"pid"`
	Version     string       `json:"version"` // of pawl; filled in by who knows it
	Workers     int          `json:"workers"`
	InFlight    int          `json:"in_flight"`
	HostsWait   int          `json:"hosts_waiting"` // that have something to hand out, but not yet
	Seeding     bool         `json:"reading_seeds"`
	Rates       []Rate       `json:"rates"`  // over the last 1, 5 and 15 minutes
	Recent      []float64    `json:"recent"` // pages per second in each of the last slices of RecentSlice seconds, the newest last
	RecentSlice float64      `json:"recent_slice_seconds"`
	Memory      uint64       `json:"memory_bytes"` // of the process, as the Go runtime has it from the system
	Goroutines  int          `json:"goroutines"`
	LastCommit  string       `json:"last_commit,omitempty"`
	CommitMS    float64      `json:"last_commit_ms"`
	Busiest     []HostStatus `json:"busiest_hosts"` // by pages fetched in the last minute or so
	Failures    []Failure    `json:"last_failures"` // the newest last
}

// Rate is what was done in the last minutes, or since the run began if that is
// less.
type Rate struct {
	Minutes  int     `json:"minutes"`
	Seconds  float64 `json:"seconds"`          // that it really covers
	Pages    float64 `json:"pages_per_second"` // outcomes
	Requests float64 `json:"requests_per_second"`
	Bytes    float64 `json:"bytes_per_second"` // over the network
	Failed   float64 `json:"failed_per_second"`
}

// HostStatus is how a host stands.
type HostStatus struct {
	Host        string  `json:"host"`
	Pending     int     `json:"pending"`
	InFlight    int     `json:"in_flight"`
	Fetched     int     `json:"fetched"`
	GapMS       int64   `json:"gap_ms"`           // least time between requests, as of now
	LastMS      int64   `json:"last_answer_ms"`   // how long the last answer took
	Waits       string  `json:"waits_for"`        // frontier.Wait, by its word
	Until       string  `json:"until,omitempty"`  // when it may be asked next
	GivenUp     string  `json:"given_up"`         // error class, empty: it is not
	LeastLeftMS int64   `json:"least_left_ms"`    // pending times gap
	Rate        float64 `json:"pages_per_second"` // in the last minute or so
}

// Failure is a page that could not be had.
type Failure struct {
	At     string `json:"at"`
	URL    string `json:"url"`
	Status int    `json:"status,omitempty"`
	Class  string `json:"error_class,omitempty"`
	Error  string `json:"error,omitempty"`
}

// ParkedPattern is a pattern of addresses that is parked, and what was known of it
// when that was decided.
type ParkedPattern struct {
	Host    string `json:"host"`
	Pattern string `json:"pattern"`
	Found   int    `json:"found"`   // addresses
	Fetched int    `json:"fetched"` // pages
	New     int    `json:"new"`     // pages that brought something new
	At      string `json:"parked_at"`
}

// EditStatus is an edit of the user that is being carried out.
type EditStatus struct {
	Kind    string `json:"kind"` // drop, restore or retry
	Host    string `json:"host,omitempty"`
	Match   string `json:"match,omitempty"`
	Changed uint64 `json:"changed"` // addresses so far
}

// ReadStatus is the status of a crawl at rest, without reading its whole file.
// Settings are those that the file remembers; known is false when there are none.
func ReadStatus(file *storage.File) (s *Status, settings Settings, known bool, err error) {
	settings, known, err = Remembered(file)
	if err != nil {
		return nil, settings, known, err
	}
	var state storage.State
	s = new(Status)
	err = file.View(func(r *storage.Reader) (err error) {
		if state, err = r.State(); err != nil {
			return err
		}
		if s.Parked, err = parkedPatterns(r, state.Parked); err != nil {
			return err
		}
		s.Seeds, err = seedHosts(r)
		return err
	})
	if err != nil {
		return nil, settings, known, err
	}
	s.fill(file, &state)
	s.State, s.Limit = Standing(&state, &settings)
	return s, settings, known, nil
}

// fill fills in what the state says.
func (s *Status) fill(file *storage.File, state *storage.State) {
	path, err := filepath.Abs(file.Path())
	if err != nil {
		path = file.Path()
	}
	c := &state.Counts
	s.File, s.Bytes, s.Format, s.Created = path, file.Size(), file.Header().Format, stamp(file.Header().Created)
	s.Runs, s.LastRun, s.LastActivity = state.Run.Number, stamp(state.Run.Started), stamp(c.LastTime)
	s.Clean, s.Unread, s.Done = !state.Run.Running, state.Run.Unread, c.Done()
	s.Outcomes, s.ErrorClasses, s.ErrorStatus = map[string]uint64{}, map[string]uint64{}, c.Classes[storage.NoClass]
	s.Pending, s.Retrying, s.Withdrawn, s.Unlisted, s.Reopened = c.Pending, c.Retrying, c.Withdrawn, c.Unlisted, c.Reopened
	s.EverParked, s.Known, s.Hosts, s.Requests, s.Transferred = c.Parked, c.Known, c.Hosts, c.Requests, c.Transferred
	deepest := 0
	for i, n := range c.Depths {
		if n > 0 {
			deepest = i + 1
		}
	}
	s.Depths = append([]uint64{}, c.Depths[:deepest]...) // not null in JSON
	if s.Settings == nil {
		s.Settings, s.Changed = map[string]string{}, []string{}
	}
	if s.Edits == nil {
		s.Edits = []EditStatus{}
	}
	if c.Pending > 0 {
		s.LeastLeftMS = c.LeastLeft
	}
	for o := range c.Outcomes {
		if word := storage.Outcome(o).String(); o > 0 {
			s.Outcomes[word] = c.Outcomes[o]
		}
	}
	for i, n := range c.Classes {
		if i > 0 {
			s.ErrorClasses[storage.Class(i).String()] = n
		}
	}
}

// Standing tells how a crawl at rest stands, and which limit it stands at.
func Standing(state *storage.State, settings *Settings) (word, limit string) {
	c := &state.Counts
	switch {
	case state.Run.Running:
		return "unclean", ""
	case c.Known == 0:
		return "empty", ""
	case c.Pending == 0:
		return "finished", ""
	case settings.MaxPages > 0 && c.Rows() >= uint64(settings.MaxPages):
		return "limit", "max-pages"
	case settings.MaxBytes > 0 && c.Transferred >= uint64(settings.MaxBytes):
		return "limit", "max-bytes"
	}
	return "stopped", ""
}

const (
	// The first seeds stand at the beginning of the log; so far is looked for
	// them.
	seedEvents = 100
	seedsShown = 10
)

// seedHosts are the hosts of the first seeds.
func seedHosts(r *storage.Reader) ([]string, error) {
	hosts := []string{} // not null in JSON
	seen := map[string]bool{}
	err := r.Scan(1, func(seq uint64, event []byte) (bool, error) {
		if storage.KindOf(event) != storage.KindSeeds {
			return seq < seedEvents, nil
		}
		head, err := storage.DecodeLinksHead(event)
		if err != nil {
			return false, err
		}
		for head.Links.Next() && len(hosts) < seedsShown {
			if h := weburl.URL(head.Links.Link.URL).Host(); !seen[h] {
				seen[h] = true
				hosts = append(hosts, h)
			}
		}
		return seq < seedEvents && len(hosts) < seedsShown, head.Links.Err()
	})
	return hosts, err
}

// parkedPatterns reads the events that park patterns.
func parkedPatterns(r *storage.Reader, seqs []uint64) ([]ParkedPattern, error) {
	list := []ParkedPattern{} // not null in JSON
	for _, seq := range seqs {
		p, at, err := storage.DecodePark(r.Event(seq))
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", seq, err)
		}
		list = append(list, ParkedPattern{
			Host: p.Host, Pattern: p.Pattern, Found: p.Found, Fetched: p.Fetched, New: p.New, At: stamp(at),
		})
	}
	return list, nil
}

// stamp is a time as exports spell it, empty for none.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
