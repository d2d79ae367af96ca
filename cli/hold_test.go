package cli

import (
	"strings"
	"testing"
	"time"

	"pawl/crawl"
)

func TestHoldsInWords(t *testing.T) {
	for _, c := range []struct {
		name            string
		hold            *crawl.HoldStatus
		words, sentence string
		waits           string
	}{
		{
			"network", heldBy(crawl.HeldByNetwork, "no route to any host", 12*time.Second),
			"no network, tries again in 12s",
			"the network is gone since 11:57 (no route to any host); nothing is asked until it is back; it tries again in 12s",
			"waits for the network",
		},
		{
			"network that is probed now", heldBy(crawl.HeldByNetwork, "", -time.Second),
			"no network, tries again now",
			"the network is gone since 11:57; nothing is asked until it is back; it tries again now",
			"waits for the network",
		},
		{
			"portal", heldBy(crawl.HeldByPortal, "all hosts redirect to wifi.example: log in there with a browser", 29600*time.Millisecond),
			"the network wants a log-in, tries again in 30s",
			"the network wants a log-in since 11:57 (all hosts redirect to wifi.example: log in there with a browser); nothing is asked until it leads to the hosts; it tries again in 30s",
			"waits for the network",
		},
		{
			"proxy", heldBy(crawl.HeldByProxy, "connection refused", 2*time.Second),
			"the proxy does not serve, tries again in 2s",
			"the proxy does not serve since 11:57 (connection refused); nothing is asked until it does; it tries again in 2s",
			"waits for the proxy",
		},
		{
			"hours", heldBy(crawl.HeldByHours, "outside of --hours 22:00-06:00", 10*time.Hour),
			"outside of --hours, goes on at 22:00",
			"it is outside of --hours 22:00-06:00 since 11:57; nothing is asked until they begin; it goes on at 22:00",
			"waits for --hours",
		},
		{
			"hours of tomorrow", heldBy(crawl.HeldByHours, "outside of --hours tue", 12*time.Hour),
			"outside of --hours, goes on at Tue 00:00",
			"it is outside of --hours tue since 11:57; nothing is asked until they begin; it goes on at Tue 00:00",
			"waits for --hours",
		},
		{
			"hours of next week", heldBy(crawl.HeldByHours, "outside of --hours mon 06:00-07:00", 162*time.Hour),
			"outside of --hours, goes on at 2026-05-11 06:00",
			"it is outside of --hours mon 06:00-07:00 since 11:57; nothing is asked until they begin; it goes on at 2026-05-11 06:00",
			"waits for --hours",
		},
		{
			"memory", heldBy(crawl.HeldByMemory, "memory is short", 0),
			"memory is short",
			"memory is short since 11:57; nothing is asked until there is more",
			"waits for memory",
		},
		{
			"of a later version", &crawl.HoldStatus{Reason: "tide\x1b", Text: "it is low"},
			`tide\u001b`,
			"nothing is asked (it is low)",
			"waits",
		},
	} {
		if got := strings.Join(holdWords(c.hold, noon), ", "); got != c.words {
			t.Errorf("%s: %q, want %q", c.name, got, c.words)
		}
		if got := holdSentence(c.hold, noon); got != c.sentence {
			t.Errorf("%s: %q, want %q", c.name, got, c.sentence)
		}
		s := &crawl.Status{State: "running", Done: 3, Live: &crawl.LiveStatus{Hold: c.hold}}
		if got, want := progressLine(s, noon), c.words+", 3 done, 0 pending, 0.0/s, 0 B/s, 0 in flight"; got != want {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
		h := &crawl.HostStatus{Waits: "worker"}
		if got := waitText(h, s.State, c.hold, noon); got != c.waits {
			t.Errorf("%s: a host %q, want %q", c.name, got, c.waits)
		}
		if got := waitText(&crawl.HostStatus{Waits: "robots"}, s.State, c.hold, noon); got != c.waits {
			t.Errorf("%s: a host whose robots.txt could not be had %q, want %q", c.name, got, c.waits)
		}
		if got := waitText(&crawl.HostStatus{Waits: "robots", InFlight: 1}, s.State, c.hold, noon); got != "waits for robots.txt" {
			t.Errorf("%s: a host whose robots.txt is asked for %q", c.name, got)
		}
		later := noon.Add(24 * 30 * time.Hour).Format(time.RFC3339Nano)
		if got := waitText(&crawl.HostStatus{Waits: "robots", Until: later}, s.State, c.hold, noon); got != "waits for robots.txt" {
			t.Errorf("%s: a host whose robots.txt is to be asked for much later %q", c.name, got)
		}
		// A pause is the user's own doing, and nothing begins again before a stop.
		if got := waitText(h, "paused", c.hold, noon); got != "waits out the pause" {
			t.Errorf("%s and paused: a host %q", c.name, got)
		}
		s.State = "paused"
		if got := progressLine(s, noon); !strings.HasPrefix(got, "paused, "+c.words+", 3 done") {
			t.Errorf("%s and paused: %q", c.name, got)
		}
		s.State = "stopping"
		if got := progressLine(s, noon); !strings.HasPrefix(got, "stopping, 3 done") {
			t.Errorf("%s and stopping: %q", c.name, got)
		}
	}
}

func TestTimesForPeopleAreInTheirZone(t *testing.T) {
	east := time.FixedZone("", 2*3600)
	now := noon.In(east) // 14:00
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "14:00"},
		{9*time.Hour + 59*time.Minute, "23:59"},
		{10 * time.Hour, "Tue 00:00"},
		{-14 * time.Hour, "00:00"},
		{-15 * time.Hour, "Sun 23:00"},
		{5 * 24 * time.Hour, "Sat 14:00"},
		{6 * 24 * time.Hour, "2026-05-10 14:00"},
		{365 * 24 * time.Hour, "2027-05-04 14:00"},
	} {
		if got := clock(noon.Add(c.after), now); got != c.want {
			t.Errorf("%v from now is %q, want %q", c.after, got, c.want)
		}
	}
}

func TestAHeldCrawlHasFewLines(t *testing.T) {
	running := &crawl.Status{State: "running", Live: new(crawl.LiveStatus)}
	held := &crawl.Status{State: "running", Live: &crawl.LiveStatus{Hold: heldBy(crawl.HeldByHours, "", time.Hour)}}
	leaving := &crawl.Status{State: "running", Live: &crawl.LiveStatus{InFlight: 1, Hold: held.Live.Hold}}
	now := noon
	var times lineTimes
	count := func(s *crawl.Status, d time.Duration) (n int) {
		for end := now.Add(d); now.Before(end); now = now.Add(time.Second) {
			if times.isDue(s, now) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name string
		s    *crawl.Status
		want int
	}{
		{"running", running, 120},
		{"with something in flight", leaving, 120},
		{"held", held, 6},
		{"running again", running, 120},
	} {
		if n := count(c.s, time.Hour); n < c.want-1 || n > c.want+5 {
			t.Errorf("%s: %d lines in an hour, want about %d", c.name, n, c.want)
		}
	}
	if times.isDue(running, now); !times.isDue(held, now) || times.isDue(held, now) || !times.isDue(running, now) {
		t.Error("a hold is not told at once, or twice")
	}
}
