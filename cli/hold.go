package cli

import (
	"time"

	"pawl/crawl"
)

// heldEvery is how often a line tells of a crawl that is held and does nothing.
const heldEvery = 10 * time.Minute

// holdOf is why a crawl hands out nothing for a while; nil: nothing keeps it from
// that, or it will not come to it anyhow.
func holdOf(s *crawl.Status) *crawl.HoldStatus {
	if s.Live == nil || s.State == "stopping" {
		return nil
	}
	return s.Live.Hold
}

// holdWords tell of a hold in a few words, and then in others what comes next, if that
// is known.
func holdWords(h *crawl.HoldStatus, now time.Time) []string {
	words := clean(string(h.Reason))
	switch h.Reason {
	case crawl.HeldByNetwork:
		words = "no network"
	case crawl.HeldByPortal:
		words = "the network wants a log-in"
	case crawl.HeldByProxy:
		words = "the proxy does not serve"
	case crawl.HeldByHours:
		words = "outside of --hours"
	case crawl.HeldByMemory:
		words = "memory is short"
	}
	if next := holdNext(h, now); next != "" {
		return []string{words, next}
	}
	return []string{words}
}

// holdNext tells when a hold ends, or when it is looked at again; empty: that is not
// known.
func holdNext(h *crawl.HoldStatus, now time.Time) string {
	until, err := time.Parse(time.RFC3339, h.Until)
	if err != nil {
		return ""
	}
	if h.Reason == crawl.HeldByHours {
		return "goes on at " + clock(until, now)
	}
	in := until.Sub(now).Round(time.Second)
	if in <= 0 {
		return "tries again now"
	}
	return "tries again in " + exactDuration(in)
}

// holdSentence tells of a hold all that is known.
func holdSentence(h *crawl.HoldStatus, now time.Time) string {
	since := ""
	if at, err := time.Parse(time.RFC3339, h.Since); err == nil {
		since = " since " + clock(at, now)
	}
	next := ""
	if text := holdNext(h, now); text != "" {
		next = "; it " + text
	}
	why := ""
	if h.Text != "" {
		why = " (" + h.Text + ")"
	}
	switch h.Reason {
	case crawl.HeldByNetwork:
		return "the network is gone" + since + why + "; nothing is asked until it is back" + next
	case crawl.HeldByPortal:
		return "the network wants a log-in" + since + why + "; nothing is asked until it leads to the hosts" + next
	case crawl.HeldByProxy:
		return "the proxy does not serve" + since + why + "; nothing is asked until it does" + next
	case crawl.HeldByHours:
		return "it is " + h.Text + since + "; nothing is asked until they begin" + next
	case crawl.HeldByMemory:
		return "memory is short" + since + "; nothing is asked until there is more" + next
	}
	return "nothing is asked" + since + why + next
}

// holdsRobots tells of a host whose robots.txt would be asked for by the end of a hold.
func holdsRobots(hold *crawl.HoldStatus, h *crawl.HostStatus, now time.Time) bool {
	if h.Waits != "robots" || h.InFlight > 0 {
		return false
	}
	due, err := time.Parse(time.RFC3339, h.Until)
	if err != nil || !due.After(now) {
		return true
	}
	ends, err := time.Parse(time.RFC3339, hold.Until)
	return err == nil && !due.After(ends)
}

// holdWait tells what a host waits for that is held up by a hold alone.
func holdWait(h *crawl.HoldStatus) string {
	switch h.Reason {
	case crawl.HeldByNetwork, crawl.HeldByPortal:
		return "waits for the network"
	case crawl.HeldByProxy:
		return "waits for the proxy"
	case crawl.HeldByHours:
		return "waits for --hours"
	case crawl.HeldByMemory:
		return "waits for memory"
	}
	return "waits"
}

// clock is a time for people, in the time zone of now: 22:00, Mon 22:00, 2026-05-04
// 22:00.
func clock(at, now time.Time) string {
	at = at.In(now.Location())
	// Two days of the same name are a week apart.
	switch apart := at.Sub(now).Abs(); {
	case at.YearDay() == now.YearDay() && at.Year() == now.Year():
		return at.Format("15:04")
	case apart < 6*24*time.Hour:
		return at.Format("Mon 15:04")
	}
	return at.Format("2006-01-02 15:04")
}

// lineTimes decide when a line is due that tells how a crawl stands.
type lineTimes struct {
	last  time.Time
	state string
}

// isDue tells whether a line is due, which is then taken as written: now and then,
// less often while nothing is done, and at once when something else than before
// happens.
func (t *lineTimes) isDue(s *crawl.Status, now time.Time) bool {
	state, every := s.State, plainEvery
	if h := holdOf(s); h != nil {
		state += " " + string(h.Reason)
		if s.Live.InFlight == 0 {
			every = heldEvery
		}
	}
	// Whoever asks does so by a clock that ticks a little early now and then.
	if state == t.state && now.Sub(t.last) < every-time.Second {
		return false
	}
	t.last, t.state = now, state
	return true
}
