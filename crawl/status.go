package crawl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"pawl/frontier"
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
	EverDropped  uint64            `json:"ever_dropped"` // of these, by the user
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

	// Remembered are the settings themselves; nil: there are none.
	Remembered *Settings `json:"-"`

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
	Hold        *HoldStatus  `json:"hold,omitempty"` // why nothing is handed out for a while
	Rates       []Rate       `json:"rates"`          // over the last 1, 5 and 15 minutes
	Recent      []float64    `json:"recent"`         // pages per second in each of the last slices of RecentSlice seconds, the newest last
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
	LeastLeftMS int64   `json:"least_left_ms"`    // pending times the shortest that the gap may become
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
func ReadStatus(file *storage.File) (*Status, error) {
	settings, known, err := Remembered(file)
	if err != nil {
		return nil, err
	}
	var state storage.State
	s := new(Status)
	if known {
		s.Remembered = &settings
	}
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
		return nil, err
	}
	s.fill(file, &state)
	s.State, s.Limit = Standing(&state, &settings)
	return s, nil
}

// Status is how the crawl stands: while Run or Rest runs, or after it. It may be
// called concurrently, and costs the crawl next to nothing.
func (c *Crawl) Status(ctx context.Context) (*Status, error) {
	s, err := ReadStatus(c.file)
	if err != nil {
		return nil, err
	}
	s.Fullest, s.Slowest, s.HostsPending, err = c.lookAtHosts(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.fillEdits(ctx, s); err != nil {
		return nil, err
	}
	isOver := false
	select {
	case <-c.desk.over:
		isOver = true
	default:
	}
	if at := c.live.Load(); at != nil && !isOver {
		if err := c.fillLive(ctx, s, at); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// fillEdits fills in what the user wants and is not carried out to its end.
func (c *Crawl) fillEdits(ctx context.Context, s *Status) error {
	err := c.do(ctx, func(l *loop) error {
		for _, e := range l.sweep.edits {
			s.Edits = append(s.Edits, EditStatus{Kind: string(e.Kind), Host: e.Host, Match: e.Match, Changed: e.edited.Addresses})
		}
		_, _, s.Reviewing = l.frontier.Review()
		return nil
	})
	if errors.Is(err, ErrOver) {
		return nil
	}
	if s.State == "finished" && (s.Reviewing || len(s.Edits) > 0) {
		s.State = "stopped" // there is something to do
	}
	return err
}

// fillLive fills in what only a running crawl knows.
func (c *Crawl) fillLive(ctx context.Context, s *Status, at *LiveStatus) error {
	live, p := *at, c.Progress()
	s.State = "running"
	switch {
	case p.Stopping:
		s.State = "stopping"
	case p.Paused:
		s.State = "paused"
	}
	s.Limit = ""
	live.PID, live.InFlight, live.HostsWait, live.Seeding = os.Getpid(), p.InFlight, p.Hosts, p.Seeding
	if h := p.Hold; h != nil {
		live.Hold = &HoldStatus{Reason: h.Reason, Text: h.Text, Since: stampOf(h.Since), Until: stampOf(h.Until)}
	}
	live.Memory, live.Goroutines = memoryOfProcess(), runtime.NumGoroutine()
	live.Busiest = slices.Clone(live.Busiest)
	err := c.do(ctx, func(l *loop) error {
		now := l.now()
		for i := range live.Busiest {
			b := &live.Busiest[i]
			if h, ok := l.frontier.HostNamed(b.Host, now); ok {
				h.Name = b.Host
				rate := b.Rate
				*b = hostStatus(&h, now)
				b.Rate = rate
			}
		}
		return nil
	})
	if errors.Is(err, ErrOver) {
		err = nil // these are of a moment ago
	}
	s.Live = &live
	return err
}

// memoryOfProcess is what the Go runtime has from the system, and uses.
func memoryOfProcess() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() - sample[1].Value.Uint64()
}

// hostsLook is a look at all hosts, which serves for a while.
type hostsLook struct {
	turn             chan struct{} // holds one: who takes it may look
	at               time.Time
	serves           time.Duration
	fullest, slowest []HostStatus
	pending          int // hosts with pending jobs
}

func newHostsLook() hostsLook {
	h := hostsLook{turn: make(chan struct{}, 1)}
	h.turn <- struct{}{}
	return h
}

const (
	hostsShown = 20
	// hostsAtOnce is how many hosts are looked at in one go, which takes about a
	// millisecond.
	hostsAtOnce = 10_000
	// hostsServe is how long a look serves at the least, and for how many times as
	// long as it took.
	hostsServe = time.Second
	hostsRest  = 10
)

// lookAtHosts finds the hosts with the most pending jobs, and those that will take
// the longest. What it gives is not to be changed.
func (c *Crawl) lookAtHosts(ctx context.Context) (fullest, slowest []HostStatus, pending int, err error) {
	h := &c.hosts
	select {
	case <-h.turn:
	case <-ctx.Done():
		return nil, nil, 0, ctx.Err()
	}
	defer func() { h.turn <- struct{}{} }()
	if !h.at.IsZero() && time.Since(h.at) < h.serves {
		return h.fullest, h.slowest, h.pending, nil
	}
	began := time.Now()
	var full, slow top
	for next, more := 0, true; more; {
		err := c.do(ctx, func(l *loop) error {
			now := l.now()
			next, more = l.frontier.Hosts(next, hostsAtOnce, now, func(host *frontier.HostLook) {
				if host.Pending == 0 {
					return
				}
				pending++
				full.offer(int64(host.Pending), host)
				slow.offer(leastLeft(host, now), host)
			})
			return nil
		})
		switch {
		case errors.Is(err, ErrOver) && h.fullest != nil:
			return h.fullest, h.slowest, h.pending, nil // of a moment ago
		case errors.Is(err, ErrOver):
			return []HostStatus{}, []HostStatus{}, 0, nil
		case err != nil:
			return nil, nil, 0, err
		}
	}
	h.at = time.Now()
	h.fullest, h.slowest, h.pending = full.sorted(h.at), slow.sorted(h.at), pending
	h.serves = max(hostsServe, hostsRest*h.at.Sub(began))
	return h.fullest, h.slowest, h.pending, nil
}

// top keeps the hosts with the greatest keys.
type top struct {
	keys  []int64 // rising
	looks []frontier.HostLook
}

func (t *top) offer(key int64, h *frontier.HostLook) {
	if len(t.keys) == hostsShown {
		if key <= t.keys[0] {
			return
		}
		t.keys, t.looks = slices.Delete(t.keys, 0, 1), slices.Delete(t.looks, 0, 1)
	}
	i, _ := slices.BinarySearch(t.keys, key)
	look := *h
	look.Name = strings.Clone(h.Name)
	t.keys, t.looks = slices.Insert(t.keys, i, key), slices.Insert(t.looks, i, look)
}

// sorted gives them, the greatest first.
func (t *top) sorted(now time.Time) []HostStatus {
	list := make([]HostStatus, 0, len(t.looks)) // not null in JSON
	for i := range t.looks {
		list = append(list, hostStatus(&t.looks[i], now))
	}
	slices.Reverse(list)
	return list
}

// leastLeft is how long the jobs of a host take at the least, in milliseconds.
func leastLeft(h *frontier.HostLook, now time.Time) int64 {
	if h.Wait == frontier.WaitLost {
		return 0
	}
	return int64(h.Pending)*h.Least.Milliseconds() + max(0, h.Until.Sub(now).Milliseconds())
}

func hostStatus(h *frontier.HostLook, now time.Time) HostStatus {
	s := HostStatus{
		Host: h.Name, Pending: h.Pending, InFlight: h.Out, Fetched: h.Fetched,
		GapMS: h.Gap.Milliseconds(), LastMS: h.Took.Milliseconds(), Waits: h.Wait.String(), GivenUp: h.GaveUp.String(),
	}
	if h.Until.After(now) {
		s.Until = stamp(h.Until.UnixMilli())
	}
	s.LeastLeftMS = leastLeft(h, now)
	return s
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
	s.EverParked, s.EverDropped, s.Known, s.Hosts, s.Requests, s.Transferred = c.Parked, c.Dropped, c.Known, c.Hosts, c.Requests, c.Transferred
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

// stampOf is stamp for a time.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t.UnixMilli())
}

// stamp is a time as exports spell it, empty for none.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
