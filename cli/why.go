package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"pawl/crawl"
	"pawl/weburl"
)

func whyCommand() *command {
	return &command{
		name: "why", args: "[URL]", summary: "tell the story of an address, or what keeps the crawl from ending",
		text: "With an address: how it was found, every attempt at it, and the rule that\n" +
			"decided about it; what it waits for when it is in the queue; what would come\n" +
			"of it when it was never met. Without one: what the crawl waits for, or why\n" +
			"it has ended.",
		options: []option{
			fileOption(),
			{name: "json", group: groupFile, usage: "as JSON"},
		},
		run: runWhy,
	}
}

func runWhy(ctx context.Context, c *call) error {
	asJSON, err := c.given.isOn("json")
	if err != nil {
		return err
	}
	url := ""
	switch len(c.args) {
	case 0:
	case 1:
		url = c.args[0]
		if err := checkAddress(url); err != nil {
			return usageError{error: err, command: "why"}
		}
	default:
		return usageError{error: fmt.Errorf("one address at a time, not %d", len(c.args)), command: "why"}
	}
	path, again := c.file()
	s, err := c.dial(ctx, path)
	if err != nil {
		return err
	}
	var answer any
	var text string
	if url != "" {
		story, err := s.Why(ctx, url)
		if err != nil {
			return err
		}
		answer, text = story, storyText(story)
	} else {
		status, err := s.Status(ctx)
		if err != nil {
			return err
		}
		now := time.Now()
		left := whatIsLeft(status, again, now)
		answer, text = left, left.text(now)
	}
	if asJSON {
		return c.writeJSON(answer)
	}
	_, err = io.WriteString(c.Stdout, text)
	return quiet(err)
}

// checkAddress tells whether a text is a web address, whatever the spelling of a
// crawl.
func checkAddress(text string) error {
	speller, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		return err
	}
	if _, err := crawl.ParseSeed(speller, text); err != nil {
		return fmt.Errorf("%q: %w", clean(crawl.WithoutUserinfo(text)), err)
	}
	return nil
}

// textColumns is how wide sentences are. Addresses are not broken.
const textColumns = 90

// storyText tells the story of an address to people.
func storyText(s *crawl.Story) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", clean(s.Canonical))
	if s.URL != s.Canonical {
		fmt.Fprintf(&b, "asked for as %s\n", clean(s.URL))
	}
	writeWrapped(&b, s.Standing+": ", "  ", clean(s.Because))
	for i := range s.Chapters {
		ch := &s.Chapters[i]
		// Their texts may hold what sites say.
		fmt.Fprintf(&b, "  %-24s  %-8s  %s", clean(ch.At), clean(ch.What), clean(ch.Text))
		if ch.What == "outcome" {
			fmt.Fprintf(&b, " (seq %d)", ch.Seq)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// writeWrapped writes a text in lines, of which all but the first begin with the
// indent.
func writeWrapped(b *strings.Builder, begin, indent, text string) {
	b.WriteString(begin)
	column := textWidth(begin)
	for i, word := range strings.Fields(text) {
		width := textWidth(word)
		switch {
		case i == 0:
		case column+1+width > textColumns:
			b.WriteString("\n" + indent)
			column = textWidth(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	b.WriteByte('\n')
}

// left is what keeps a crawl from ending. Its JSON is a promise: fields are added,
// never renamed.
type left struct {
	State       string             `json:"state"`          // as in a status
	Hold        *crawl.HoldStatus  `json:"hold,omitempty"` // likewise
	Because     []string           `json:"because"`
	Pending     uint64             `json:"pending"`
	LeastLeftMS int64              `json:"least_left_ms"`
	Hosts       []crawl.HostStatus `json:"hosts"` // by pending jobs, at most 20
	OtherHosts  int                `json:"other_hosts"`

	isLive bool // it runs: what hosts wait for is of now
}

// whatIsLeft takes from a status what keeps the crawl from ending, or says why it
// has ended.
func whatIsLeft(s *crawl.Status, again string, now time.Time) *left {
	w := &left{State: s.State, Hold: holdOf(s), Pending: s.Pending, LeastLeftMS: s.LeastLeftMS, Hosts: s.Fullest, OtherHosts: max(0, s.HostsPending-len(s.Fullest)), isLive: s.Live != nil}
	if w.Hosts == nil {
		w.Hosts = []crawl.HostStatus{}
	}
	if s.Pending == 0 {
		w.Hosts, w.OtherHosts, w.LeastLeftMS = w.Hosts[:0], 0, 0
	}
	w.Because = []string{}
	say := func(is bool, format string, args ...any) {
		if is {
			w.Because = append(w.Because, fmt.Sprintf(format, args...))
		}
	}
	live := s.Live
	if live == nil {
		live = new(crawl.LiveStatus)
	}
	switch s.State {
	case "empty":
		say(true, "there is no crawl in the file yet; start one with: pawl crawl%s URL", again)
	case "finished":
		say(true, "it is finished: every address that was found has an outcome or was refused")
	case "limit":
		say(true, "it stopped at --%s %s; go on with: pawl crawl%s --%s N, where N is more", s.Limit, s.Settings[s.Limit], again, s.Limit)
	case "stopped":
		say(true, "it does not run; go on with: pawl resume%s", again)
	case "unclean":
		say(true, "it does not run, and the last run did not end cleanly; nothing is lost; go on with: pawl resume%s", again)
	case "paused":
		say(true, "it is paused; go on with: pawl resume%s", again)
	case "stopping":
		say(true, "it is stopping, and waits for %s in flight", counted(uint64(live.InFlight), "request", "requests"))
	}
	if w.Hold != nil {
		say(true, "%s", clean(holdSentence(w.Hold, now)))
	}
	say(s.Unread, "the seeds that were piped in were not read to their end; pipe them in again")
	say(live.Seeding, "seeds are still being read")
	say(s.Reviewing, "links that were skipped are judged again, as the settings or the scope have changed")
	for i := range s.Edits {
		say(true, "an edit of the queue is carried out, %s", clean(editText(&s.Edits[i])))
	}
	say(s.Pending > 0, "%s without an outcome, on %s", counted(s.Pending, "address is", "addresses are"), counted(uint64(s.HostsPending), "host", "hosts"))
	say(s.Retrying > 0, "%s after a failure", counted(s.Retrying, "of them waits to be asked for again", "of them wait to be asked for again"))
	say(s.Pending > 0 && live.InFlight > 0 && s.State != "stopping", "%s in flight", counted(uint64(live.InFlight), "request is", "requests are"))
	say(s.Pending > 0 && w.LeastLeftMS > 0, "that takes at least %s: the longest queue of a host times the least gap between its requests", roughDuration(leastLeft(s)))
	say(len(s.Parked) > 0, "%s parked, which keeps nothing waiting: pawl status names them, pawl queue restore%s takes them back", counted(uint64(len(s.Parked)), "pattern of addresses is", "patterns of addresses are"), again)
	say(s.EverDropped > 0, "%s dropped so far by pawl queue drop; pawl queue restore%s brings back what was not", counted(s.EverDropped, "address was", "addresses were"), again)
	return w
}

// text tells it to people.
func (w *left) text(now time.Time) string {
	var b strings.Builder
	switch w.State {
	case "empty":
		b.WriteString("nothing has begun\n")
	case "limit":
		b.WriteString("at its limit\n")
	case "unclean":
		b.WriteString("interrupted\n")
	default:
		fmt.Fprintf(&b, "%s\n", clean(w.State))
	}
	for _, line := range w.Because {
		writeWrapped(&b, "- ", "  ", line)
	}
	for i := range w.Hosts {
		h := &w.Hosts[i]
		fmt.Fprintf(&b, "  %-30s  %10s pending", clean(h.Host), grouped(uint64(h.Pending)))
		if w.isLive || h.Waits == "lost" || h.Waits == "limit" || h.Waits == "hold" {
			fmt.Fprintf(&b, ", %s", clean(waitText(h, w.State, w.Hold, now)))
		}
		if h.InFlight > 0 && h.Waits != "answer" {
			fmt.Fprintf(&b, ", %d in flight", h.InFlight)
		}
		if at := time.Duration(h.LeastLeftMS) * time.Millisecond; at > 0 && h.GivenUp == "" {
			fmt.Fprintf(&b, ", at least %s", roughDuration(at))
		}
		b.WriteByte('\n')
	}
	if w.OtherHosts > 0 {
		fmt.Fprintf(&b, "  and %s\n", counted(uint64(w.OtherHosts), "other host", "other hosts"))
	}
	return b.String()
}
