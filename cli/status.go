package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"pawl/crawl"
	"pawl/storage"
)

func statusCommand() *command {
	return &command{
		name: "status", summary: "tell what the crawl is doing, or where it stands",
		options: []option{
			fileOption(),
			{name: "watch", group: groupFile, usage: "go on telling, until the crawl is finished: a panel on a terminal, elsewhere a line every 30s"},
			{name: "json", group: groupFile, usage: "as JSON; with --watch a line every second"},
		},
		run: runStatus,
	}
}

func runStatus(ctx context.Context, c *call) error {
	if err := c.noArgs("status"); err != nil {
		return err
	}
	asJSON, err := c.given.isOn("json")
	if err != nil {
		return err
	}
	watch, err := c.given.isOn("watch")
	if err != nil {
		return err
	}
	path, again := c.file()
	if watch {
		return c.watchCrawl(ctx, path, asJSON)
	}
	s, err := c.statusNow(ctx, path)
	if err != nil {
		return err
	}
	if asJSON {
		return c.writeJSON(s)
	}
	_, err = io.WriteString(c.Stdout, statusText(s, path, again, time.Now()))
	return quiet(err)
}

// statusNow asks how the crawl in a file stands. A crawl that ends just then is
// asked again, at rest.
func (c *call) statusNow(ctx context.Context, path string) (*crawl.Status, error) {
	for tries := 0; ; tries++ {
		session, err := c.dial(ctx, path)
		if err != nil {
			return nil, err
		}
		s, err := session.Status(ctx)
		session.close()
		if err == nil || !session.isLive || !isPassing(err) || tries == 3 {
			return s, err
		}
	}
}

// close ends the connection to the process that runs the crawl, if there is one.
func (s *session) close() {
	if c, ok := s.Crawl.(interface{ Close() }); ok {
		c.Close()
	}
}

// tellSettings fills in the settings by the names of their flags.
func tellSettings(s *crawl.Status) {
	if s.Remembered == nil {
		return
	}
	settings, usual := remembered(*s.Remembered), crawl.Defaults(ownAgent())
	for _, st := range crawlSettings() {
		s.Settings[st.name] = st.show(&settings)
		if st.key(&settings) != st.key(&usual) {
			s.Changed = append(s.Changed, st.name+" "+st.show(&settings))
		}
	}
}

// statusOutcomes lists how jobs ended.
func statusOutcomes(s *crawl.Status) string {
	var now storage.Counts
	for _, o := range allOutcomes {
		now.Outcomes[o] = s.Outcomes[o.String()]
	}
	now.Classes[storage.NoClass] = s.ErrorStatus
	for word, n := range s.ErrorClasses {
		if class, ok := storage.ParseClass(word); ok {
			now.Classes[class] = n
		}
	}
	return outcomes(&now, new(storage.Counts))
}

const (
	// How many patterns, hosts and depths are named to people.
	parkedShown = 20
	hostsShown  = 5
	depthsShown = 12
)

// statusText tells the status to people. What is not known is not told.
func statusText(s *crawl.Status, path, again string, now time.Time) string {
	t := &statusLines{s: s, now: now, again: again}
	t.line("file", "%s, %s", clean(path), roughSize(float64(s.Bytes)))
	t.line("crawl of", "%s", hostList(cleaned(s.Seeds)))
	t.line("state", "%s", stateText(s))
	if h := holdOf(s); h != nil {
		t.line("held", "%s", clean(holdSentence(h, now)))
	}
	t.counts()
	t.activity()
	t.hosts()
	t.failures()
	t.parked()
	for i := range s.Edits {
		t.line(onlyOnce("edits", i), "%s", clean(editText(&s.Edits[i])))
	}
	if s.Reviewing {
		t.line("review", "links that were skipped are being judged again")
	}
	if len(s.Changed) > 0 {
		t.line("settings", "%s", clean(strings.Join(s.Changed, ", ")))
	}
	switch {
	case s.Live != nil && s.State == "paused":
		t.line("go on with", "pawl resume%s", again)
	case s.Live != nil:
	case s.Unread:
		t.line("go on with", "the command that pipes the seeds: they were not read to their end")
	case s.State == "limit":
		t.line("go on with", "pawl crawl%s --%s N, where N is more", again, s.Limit)
	case s.Pending > 0:
		t.line("go on with", "pawl resume%s", again)
	}
	return t.b.String()
}

// stateText tells in a few words what the crawl is doing, or why it does not.
func stateText(s *crawl.Status) string {
	if l := s.Live; l != nil {
		text := fmt.Sprintf("%s, in process %d", clean(s.State), l.PID)
		if l.Seeding {
			text += ", reading seeds"
		}
		return text
	}
	switch s.State {
	case "empty":
		return "no crawl in it yet"
	case "finished":
		switch {
		case s.Unread:
			return "nothing is left of what was read"
		case len(s.Parked) > 0:
			return "finished: nothing is left but what is parked"
		}
		return "finished: nothing is left"
	case "limit":
		return fmt.Sprintf("stopped at --%s %s", s.Limit, s.Settings[s.Limit])
	case "unclean":
		return "the last run did not end cleanly; nothing is lost"
	}
	return "stopped"
}

// statusLines is a status as lines for people, each with a name in front.
type statusLines struct {
	s     *crawl.Status
	now   time.Time
	again string // what names the crawl file in a command
	b     strings.Builder
}

func (t *statusLines) line(name, format string, args ...any) {
	fmt.Fprintf(&t.b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
}

// onlyOnce is the name of the first line of several.
func onlyOnce(name string, i int) string {
	if i > 0 {
		return ""
	}
	return name
}

// cleaned are texts for a terminal.
func cleaned(list []string) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = clean(list[i])
	}
	return out
}

// ago is how long a time is over; empty: it is none.
func (t *statusLines) ago(stamp string) string {
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return ""
	}
	d := t.now.Sub(at)
	if d < time.Second {
		return "just now"
	}
	return roughDuration(d) + " ago"
}

// counts tells what was done and what is left.
func (t *statusLines) counts() {
	s := t.s
	list := statusOutcomes(s)
	if list != "" {
		list = ": " + list
	}
	t.line("done", "%s%s", grouped(s.Done), list)
	if s.Unlisted > 0 {
		t.line("", "%s of the fetched are no rows, by a rule", grouped(s.Unlisted))
	}
	if s.Reopened > 0 {
		t.line("", "%s withdrawn so far", counted(s.Reopened, "outcome was", "outcomes were"))
	}
	retrying := ""
	if s.Retrying > 0 {
		retrying = ", " + grouped(s.Retrying) + " of them after a failure"
	}
	t.line("pending", "%s%s", grouped(s.Pending), retrying)
	if depths := depthList(s.Depths); depths != "" {
		t.line("by depth", "%s", depths)
	}
	t.line("known", "%s on %s", counted(s.Known, "address", "addresses"), counted(s.Hosts, "host", "hosts"))
	t.line("requests", "%s, %s", grouped(s.Requests), roughSize(float64(s.Transferred)))
}

// depthList lists how many jobs are pending at which depth.
func depthList(depths []uint64) string {
	var parts []string
	for depth, n := range depths {
		if n == 0 {
			continue
		}
		if len(parts) == depthsShown || depth == storage.Depths-1 {
			deeper := uint64(0)
			for _, n := range depths[depth:] {
				deeper += n
			}
			parts = append(parts, fmt.Sprintf("%d and deeper: %s", depth, grouped(deeper)))
			break
		}
		parts = append(parts, fmt.Sprintf("%d: %s", depth, grouped(n)))
	}
	return strings.Join(parts, ", ")
}

// activity tells how fast the crawl goes, and what of.
func (t *statusLines) activity() {
	s, l := t.s, t.s.Live
	if l == nil {
		if ago := t.ago(s.LastActivity); ago != "" {
			t.line("last activity", "%s, %s", clean(s.LastActivity), ago)
		}
	} else {
		for i, r := range l.Rates {
			over := counted(uint64(max(r.Minutes, 0)), "minute", "minutes")
			isAll := r.Seconds < 60*float64(r.Minutes)-1
			if isAll {
				over = roughDuration(time.Duration(r.Seconds*float64(time.Second))) + ", since it began"
			}
			failed := ""
			if r.Failed > 0 {
				failed = rate(r.Failed) + " failed/s, "
			}
			t.line(onlyOnce("rate", i), "%s pages/s, %s requests/s, %s%s/s over %s", rate(r.Pages), rate(r.Requests), failed, roughSize(r.Bytes), over)
			if isAll {
				break // longer ones are the same
			}
		}
		waiting := ""
		if l.HostsWait > 0 {
			waiting = "; " + counted(uint64(l.HostsWait), "host waits", "hosts wait") + " until asked again"
		}
		t.line("in flight", "%s, of at most %d%s", counted(uint64(max(l.InFlight, 0)), "request", "requests"), l.Workers, waiting)
	}
	if left := leastLeft(s); left > 0 {
		t.line("time left", "at least %s", roughDuration(left))
	}
	if l == nil {
		return
	}
	if ago := t.ago(l.LastCommit); ago != "" {
		t.line("last commit", "%s, took %.1f ms", ago, l.CommitMS)
	}
	if l.Memory > 0 {
		t.line("memory", "%s", roughSize(float64(l.Memory)))
	}
}

// hosts names those with the most to do, and those that take longest.
func (t *statusLines) hosts() {
	s := t.s
	name := "fullest hosts"
	if s.HostsPending <= hostsShown {
		name = "hosts" // all of them
	}
	rates := map[string]string{}
	if s.Live != nil {
		for i := range s.Live.Busiest {
			rates[s.Live.Busiest[i].Host] = ", " + rate(s.Live.Busiest[i].Rate) + "/s"
		}
	}
	list := s.Fullest[:min(len(s.Fullest), hostsShown)]
	for i := range list {
		h := &list[i]
		text := fmt.Sprintf("%9s pending  %s", grouped(uint64(max(h.Pending, 0))), clean(h.Host))
		if s.Live != nil {
			text += rates[h.Host] + ", " + clean(waitText(h, s.State, holdOf(s), t.now))
		} else if h.GivenUp != "" {
			text += ", given up: " + clean(h.GivenUp)
		}
		t.line(onlyOnce(name, i), "%s", text)
	}
	if s.HostsPending > len(list) {
		t.line("", "and %s", counted(uint64(s.HostsPending-len(list)), "other with something pending", "others with something pending"))
	}
	list = s.Slowest[:min(len(s.Slowest), hostsShown)]
	shown := 0
	for i := range list {
		h := &list[i]
		if h.LeastLeftMS < 1000 {
			continue // that is not slow
		}
		text := fmt.Sprintf("at least %-8s  %s, now a request every %s", milliseconds(h.LeastLeftMS), clean(h.Host), milliseconds(h.GapMS))
		if h.LastMS > 0 {
			text += ", answers take " + milliseconds(h.LastMS)
		}
		if s.Live != nil {
			text += ", " + clean(waitText(h, s.State, holdOf(s), t.now))
		}
		t.line(onlyOnce("slowest hosts", shown), "%s", text)
		shown++
	}
}

func milliseconds(ms int64) string {
	if d := time.Duration(ms) * time.Millisecond; d >= time.Second {
		return roughDuration(d)
	}
	return fmt.Sprintf("%dms", ms)
}

// failures names the last pages that could not be had.
func (t *statusLines) failures() {
	if t.s.Live == nil {
		return
	}
	for i := range t.s.Live.Failures {
		f := &t.s.Live.Failures[i]
		text := failureWord(f) + " " + f.URL
		if f.Error != "" {
			text += ": " + f.Error
		}
		if ago := t.ago(f.At); ago != "" {
			text = ago + "  " + text
		}
		t.line(onlyOnce("last failures", i), "%s", clean(text))
	}
}

// parked names the patterns that were given up for bringing nothing new, and tells
// what the user gave up.
func (t *statusLines) parked() {
	s := t.s
	if len(s.Parked) > 0 {
		t.line("parked", "%s so far, of %s", counted(s.EverParked-min(s.EverDropped, s.EverParked), "address", "addresses"), counted(uint64(len(s.Parked)), "pattern in force", "patterns in force"))
	}
	for i, p := range s.Parked {
		if i == parkedShown {
			t.line("", "and %s", counted(uint64(len(s.Parked)-i), "other pattern", "other patterns"))
			break
		}
		t.line("", "%s%s: when it was parked %s found, of %s fetched %s new", clean(p.Host), clean(p.Pattern), grouped(uint64(p.Found)), grouped(uint64(p.Fetched)), grouped(uint64(p.New)))
	}
	if s.EverDropped > 0 {
		t.line("dropped", "%s so far; to bring back what was not: pawl queue restore%s", counted(s.EverDropped, "address", "addresses"), t.again)
	}
}
