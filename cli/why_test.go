package cli

import (
	"strings"
	"testing"
	"time"

	"pawl/crawl"
)

func TestWhatIsLeft(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	for _, c := range []struct {
		name string
		s    crawl.Status
		want string
	}{
		{"no crawl", crawl.Status{State: "empty"}, `
nothing has begun
- there is no crawl in the file yet; start one with: pawl crawl --db x.pawl URL
`},
		{"finished", crawl.Status{State: "finished", Parked: make([]crawl.ParkedPattern, 2)}, `
finished
- it is finished: every address that was found has an outcome or was refused
- 2 patterns of addresses are parked, which keeps nothing waiting: pawl status names them,
  pawl queue restore --db x.pawl takes them back
`},
		{"stopped", crawl.Status{
			State: "stopped", Pending: 1, HostsPending: 1, LeastLeftMS: 0, Unread: true, Fullest: []crawl.HostStatus{{Host: "a.test", Pending: 1, Waits: "worker"}},
		}, `
stopped
- it does not run; go on with: pawl resume --db x.pawl
- the seeds that were piped in were not read to their end; pipe them in again
- 1 address is without an outcome, on 1 host
  a.test                                   1 pending
`},
		{"unclean", crawl.Status{
			State: "unclean", Pending: 3, HostsPending: 1, Fullest: []crawl.HostStatus{{Host: "a.test", Pending: 3, Waits: "lost", GivenUp: "dns", LeastLeftMS: 9}},
		}, `
interrupted
- it does not run, and the last run did not end cleanly; nothing is lost; go on with: pawl
  resume --db x.pawl
- 3 addresses are without an outcome, on 1 host
  a.test                                   3 pending, given up: dns
`},
		{"running", crawl.Status{
			State: "running", Pending: 12_345, Retrying: 2, HostsPending: 23, LeastLeftMS: 3_600_000, Reviewing: true,
			Edits: []crawl.EditStatus{{Kind: "drop", Host: "c.test", Match: "x", Changed: 2000}},
			Fullest: []crawl.HostStatus{
				{Host: "a.test", Pending: 12_000, InFlight: 2, Waits: "gap", Until: at(1500 * time.Millisecond), LeastLeftMS: 3_600_000},
				{Host: "b.test:81\x1b[2J", Pending: 300, Waits: "robots"},
				{Host: "c.test", Pending: 30, InFlight: 1, Waits: "answer"},
			},
			Live: &crawl.LiveStatus{InFlight: 3, Seeding: true},
		}, `
running
- seeds are still being read
- links that were skipped are judged again, as the settings or the scope have changed
- an edit of the queue is carried out, drop of c.test matching x: 2,000 so far
- 12,345 addresses are without an outcome, on 23 hosts
- 2 of them wait to be asked for again after a failure
- 3 requests are in flight
- that takes at least 1h: the longest queue of a host times the least gap between its
  requests
  a.test                              12,000 pending, next in 1.5s, 2 in flight, at least 1h
  b.test:81\u001b[2J                     300 pending, waits for robots.txt
  c.test                                  30 pending, waits for an answer
  and 20 other hosts
`},
		{"dropped", crawl.Status{State: "finished", EverParked: 1_017, EverDropped: 1_017}, `
finished
- it is finished: every address that was found has an outcome or was refused
- 1,017 addresses were dropped so far by pawl queue drop; pawl queue restore --db x.pawl
  brings back what was not
`},
		{"paused", crawl.Status{
			State: "paused", Pending: 60, HostsPending: 4, Live: &crawl.LiveStatus{},
			Fullest: []crawl.HostStatus{
				{Host: "a.test", Pending: 30, Waits: "worker"},
				{Host: "b.test", Pending: 20, Waits: "gap", Until: at(time.Second)},
				{Host: "c.test", Pending: 9, Waits: "hold", Until: at(time.Hour)},
				{Host: "d.test", Pending: 1, Waits: "answer", InFlight: 1},
			},
		}, `
paused
- it is paused; go on with: pawl resume --db x.pawl
- 60 addresses are without an outcome, on 4 hosts
  a.test                                  30 pending, waits out the pause
  b.test                                  20 pending, waits out the pause
  c.test                                   9 pending, asked to be left alone for 1h
  d.test                                   1 pending, waits for an answer
`},
		{"held", crawl.Status{
			State: "running", Pending: 60, HostsPending: 4,
			Live: &crawl.LiveStatus{Hold: &crawl.HoldStatus{Reason: "network", Text: "no route to any host\x1b", Since: at(-time.Hour), Until: at(30 * time.Second)}},
			Fullest: []crawl.HostStatus{
				{Host: "a.test", Pending: 30, Waits: "worker"},
				{Host: "b.test", Pending: 20, Waits: "gap", Until: at(time.Second)},
				{Host: "c.test", Pending: 9, Waits: "retry"},
				{Host: "d.test", Pending: 1, Waits: "retry", Until: at(time.Minute)},
			},
		}, `
running
- the network is gone since 02:04 (no route to any host\u001b); nothing is asked until it
  is back; it tries again in 30s
- 60 addresses are without an outcome, on 4 hosts
  a.test                                  30 pending, waits for the network
  b.test                                  20 pending, waits for the network
  c.test                                   9 pending, waits for the network
  d.test                                   1 pending, tries again in 1m
`},
		{"stopping", crawl.Status{State: "stopping", Live: &crawl.LiveStatus{InFlight: 1}}, `
stopping
- it is stopping, and waits for 1 request in flight
`},
	} {
		left := whatIsLeft(&c.s, " --db x.pawl", now)
		if got, want := left.text(now), strings.TrimPrefix(c.want, "\n"); got != want {
			t.Errorf("%s is told as\n%s\nwant\n%s", c.name, got, want)
		}
		if left.Because == nil || left.Hosts == nil {
			t.Errorf("%s: a list is null in JSON", c.name)
		}
	}
}

func TestStoryText(t *testing.T) {
	got := storyText(&crawl.Story{
		URL: "HTTP://a.test/\x1b", Canonical: "http://a.test/%1B", Standing: "skipped", Because: strings.Repeat("because of ", 12) + "that\n",
		Chapters: []crawl.Chapter{{Seq: 7, At: "2026-01-02T03:04:05.000Z", What: "found", Text: "linked from http://b.test/ (a, \"x\x1b[31m\")"}},
	})
	want := `http://a.test/%1B
asked for as HTTP://a.test/\u001b
skipped: because of because of because of because of because of because of because of
  because of because of because of because of because of that;
  2026-01-02T03:04:05.000Z  found     linked from http://b.test/ (a, "x\u001b[31m")
`
	if got != want {
		t.Errorf("told as\n%s\nwant\n%s", got, want)
	}
}
