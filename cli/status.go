package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"pawl/crawl"
	"pawl/storage"
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
	_, err = io.WriteString(c.Stdout, statusText(s, path, again, time.Now()))
	return quiet(err)
}

// readStatus is the status of a crawl at rest.
func readStatus(file *storage.File) (*crawl.Status, error) {
	s, settings, known, err := crawl.ReadStatus(file)
	if err != nil || !known {
		return s, err
	}
	tellSettings(s, settings)
	return s, nil
}

// tellSettings fills in the settings by the names of their flags.
func tellSettings(s *crawl.Status, settings crawl.Settings) {
	settings, usual := remembered(settings), crawl.Defaults(ownAgent())
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

// parkedShown is how many parked patterns are named to people.
const parkedShown = 20

// text tells the status to people.
func statusText(s *crawl.Status, path, again string, now time.Time) string {
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
	detail := func(list string) string {
		if list == "" {
			return ""
		}
		return ": " + list
	}
	line("done", "%s%s", grouped(s.Done), detail(statusOutcomes(s)))
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
	if at, err := time.Parse(time.RFC3339, s.LastActivity); err == nil {
		line("last activity", "%s, %s ago", s.LastActivity, roughDuration(max(0, now.Sub(at))))
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
	if len(s.Changed) > 0 {
		line("settings", "%s", clean(strings.Join(s.Changed, ", ")))
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
