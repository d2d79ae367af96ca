package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"pawl/crawl"
	"pawl/storage"
	"pawl/weburl"
)

func statusCommand() *command {
	return &command{
		name: "status", summary: "tell where the crawl in the file stands",
		options: []option{
			fileOption(),
			{name: "json", group: groupFile, usage: "as JSON"},
		},
		run: runStatus,
	}
}

// status is what is known of a crawl at rest without reading its whole file.
// Its JSON is a promise: fields are added, never renamed.
type status struct {
	File         string            `json:"file"`
	Bytes        int64             `json:"file_bytes"`
	Format       int               `json:"format"`
	Created      string            `json:"created"`
	State        string            `json:"state"` // empty, finished, stopped, limit or unclean
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
	EverParked   uint64            `json:"ever_parked"`
	Known        uint64            `json:"known"`
	Hosts        uint64            `json:"hosts"`
	Requests     uint64            `json:"requests"`
	Transferred  uint64            `json:"transferred"`
	LeastLeftMS  int64             `json:"least_left_ms"`
	Parked       []parked          `json:"parked"`   // patterns of addresses that are parked
	Settings     map[string]string `json:"settings"` // without secrets

	counts  storage.Counts
	changed []string // settings that are not the default
}

// parked is a pattern of addresses that is parked, and what was known of it when
// that was decided.
type parked struct {
	Host    string `json:"host"`
	Pattern string `json:"pattern"`
	Found   int    `json:"found"`   // addresses
	Fetched int    `json:"fetched"` // pages
	New     int    `json:"new"`     // pages that brought something new
	At      string `json:"parked_at"`
}

func runStatus(_ context.Context, c *call) error {
	if err := c.noArgs("status"); err != nil {
		return err
	}
	asJSON, err := c.given.isOn("json")
	if err != nil {
		return err
	}
	path, again := c.file()
	file, err := storage.Open(path, true)
	if err != nil {
		return err
	}
	defer file.Close()
	s, err := readStatus(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if asJSON {
		e := json.NewEncoder(c.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return quiet(e.Encode(s))
	}
	_, err = io.WriteString(c.Stdout, s.text(path, again, time.Now()))
	return quiet(err)
}

func readStatus(file *storage.File) (*status, error) {
	settings, known, err := crawl.Remembered(file)
	if err != nil {
		return nil, err
	}
	var state storage.State
	var hosts []string
	var patterns []parked
	err = file.View(func(r *storage.Reader) (err error) {
		if state, err = r.State(); err != nil {
			return err
		}
		if patterns, err = parkedPatterns(r, state.Parked); err != nil {
			return err
		}
		hosts, err = seedHosts(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(file.Path())
	if err != nil {
		path = file.Path()
	}
	c := &state.Counts
	s := &status{
		File: path, Bytes: file.Size(), Format: file.Header().Format, Created: stamp(file.Header().Created),
		Seeds: hosts, Runs: state.Run.Number, LastRun: stamp(state.Run.Started), LastActivity: stamp(c.LastTime),
		Clean: !state.Run.Running, Unread: state.Run.Unread, Done: c.Done(),
		Outcomes: map[string]uint64{}, ErrorClasses: map[string]uint64{}, ErrorStatus: c.Classes[storage.NoClass],
		Pending: c.Pending, Retrying: c.Retrying, Withdrawn: c.Withdrawn, Unlisted: c.Unlisted, EverParked: c.Parked, Known: c.Known, Hosts: c.Hosts,
		Requests: c.Requests, Transferred: c.Transferred,
		Parked: patterns, Settings: map[string]string{},
		counts: *c,
	}
	if c.Pending > 0 {
		s.LeastLeftMS = c.LeastLeft
	}
	for _, o := range allOutcomes {
		s.Outcomes[o.String()] = c.Of(o)
	}
	for i, n := range c.Classes {
		if i > 0 {
			s.ErrorClasses[storage.Class(i).String()] = n
		}
	}
	if known {
		settings, usual := remembered(settings), crawl.Defaults(ownAgent())
		for _, st := range crawlSettings() {
			s.Settings[st.name] = st.show(&settings)
			if st.key(&settings) != st.key(&usual) {
				s.changed = append(s.changed, st.name+" "+st.show(&settings))
			}
		}
	}
	s.State, s.Limit = standing(&state, &settings)
	return s, nil
}

// standing tells how the crawl stands, and which limit it stands at.
func standing(state *storage.State, settings *crawl.Settings) (word, limit string) {
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
	// parkedShown is how many parked patterns are named to people.
	parkedShown = 20
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
func parkedPatterns(r *storage.Reader, seqs []uint64) ([]parked, error) {
	list := []parked{} // not null in JSON
	for _, seq := range seqs {
		p, at, err := storage.DecodePark(r.Event(seq))
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", seq, err)
		}
		list = append(list, parked{
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

// text tells the status to people.
func (s *status) text(path, again string, now time.Time) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("file", "%s, %s", clean(path), roughSize(float64(s.Bytes)))
	line("crawl of", "%s", hostList(s.Seeds))
	switch s.State {
	case "empty":
		line("state", "no crawl in it yet")
	case "finished":
		if s.Unread {
			line("state", "nothing is left of what was read")
			break
		}
		if len(s.Parked) > 0 {
			line("state", "finished: nothing is left but what is parked")
			break
		}
		line("state", "finished: nothing is left")
	case "limit":
		line("state", "stopped at --%s %s", s.Limit, s.Settings[s.Limit])
	case "unclean":
		line("state", "the last run did not end cleanly; nothing is lost")
	default:
		line("state", "stopped")
	}
	none := new(storage.Counts)
	detail := func(list string) string {
		if list == "" {
			return ""
		}
		return ": " + list
	}
	line("done", "%s%s", grouped(s.Done), detail(outcomes(&s.counts, none)))
	if s.Unlisted > 0 {
		line("", "%s of the fetched are no rows, by a rule", grouped(s.Unlisted))
	}
	retrying := ""
	if s.Retrying > 0 {
		retrying = ", " + grouped(s.Retrying) + " of them after a failure"
	}
	line("pending", "%s%s", grouped(s.Pending), retrying)
	line("known", "%s on %s", counted(s.Known, "address", "addresses"), counted(s.Hosts, "host", "hosts"))
	line("requests", "%s, %s", grouped(s.Requests), roughSize(float64(s.Transferred)))
	if s.counts.LastTime > 0 {
		line("last activity", "%s, %s ago", s.LastActivity, roughDuration(max(0, now.Sub(time.UnixMilli(s.counts.LastTime)))))
	}
	if left := time.Duration(s.LeastLeftMS) * time.Millisecond; left > 0 {
		line("time left", "at least %s", roughDuration(left))
	}
	if len(s.Parked) > 0 {
		line("parked", "%s so far, of %s", counted(s.EverParked, "address", "addresses"), counted(uint64(len(s.Parked)), "pattern in force", "patterns in force"))
	}
	for i, p := range s.Parked {
		if i == parkedShown {
			line("", "and %s", counted(uint64(len(s.Parked)-i), "other pattern", "other patterns"))
			break
		}
		line("", "%s%s: when it was parked %s found, of %s fetched %s new", clean(p.Host), clean(p.Pattern), grouped(uint64(p.Found)), grouped(uint64(p.Fetched)), grouped(uint64(p.New)))
	}
	if len(s.changed) > 0 {
		line("settings", "%s", clean(strings.Join(s.changed, ", ")))
	}
	switch {
	case s.Unread:
		line("go on with", "the command that pipes the seeds: they were not read to their end")
	case s.State == "limit":
		line("go on with", "pawl crawl%s --%s N, where N is more", again, s.Limit)
	case s.Pending > 0:
		line("go on with", "pawl resume%s", again)
	}
	return b.String()
}
