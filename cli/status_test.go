package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pawl/crawl"
	"pawl/internal/fakeweb"
)

func TestStatusText(t *testing.T) {
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339Nano) }
	running := busyCrawl()
	running.File, running.Bytes, running.Seeds = "/x/crawl.pawl", 123_456_789, []string{"www.example.com", "evil\x1b.example"}
	running.Done, running.Outcomes = 1_231_456, map[string]uint64{"fetched": 1_200_000, "failed": 31_456}
	running.ErrorClasses, running.ErrorStatus = map[string]uint64{"timeout": 1_456, "dns": 30}, 29_970
	running.Retrying, running.Reopened, running.Unlisted = 17, 2, 5
	running.Depths = []uint64{0, 23, 1_210, 4, 0, 1}
	running.Known, running.Hosts, running.Requests, running.Transferred = 2_000_000, 12, 1_300_000, 45_000_000_000
	running.Live.Rates = []crawl.Rate{
		{Minutes: 1, Seconds: 60, Pages: 12.3, Requests: 13.1, Bytes: 1.2e6, Failed: 0.2},
		{Minutes: 5, Seconds: 300, Pages: 120, Requests: 125, Bytes: 2.2e6},
		{Minutes: 15, Seconds: 421, Pages: 11, Requests: 12, Bytes: 1e6},
	}
	running.Live.Memory, running.Live.Goroutines = 123_000_000, 45
	running.Live.LastCommit, running.Live.CommitMS = at(-2*time.Second), 3.21
	running.HostsPending = 12
	running.Fullest = running.Live.Busiest
	running.Slowest = []crawl.HostStatus{
		{Host: "slow.example", Pending: 750, GapMS: 10_000, LastMS: 4_000, LeastLeftMS: 7_500_000, Waits: "gap", Until: at(9 * time.Second)},
		{Host: "quick.example", Pending: 1, GapMS: 100, LeastLeftMS: 100, Waits: "worker"},
	}
	running.Edits = []crawl.EditStatus{{Kind: "drop", Host: "a.example", Changed: 12_000}, {Kind: "retry", Match: "/x/\x1b"}}
	running.Changed = []string{"delay 1s", "max-depth 3"}

	paused := &crawl.Status{State: "paused", Pending: 1, Live: &crawl.LiveStatus{PID: 1, Workers: 16}}
	resting := &crawl.Status{
		State: "stopped", Seeds: []string{"a.example"}, Done: 3, Pending: 7, LeastLeftMS: 90_000, LastActivity: at(-time.Hour),
		Outcomes: map[string]uint64{"fetched": 3}, Known: 10, Hosts: 2, Requests: 3, HostsPending: 2, Reviewing: true,
		Fullest:    []crawl.HostStatus{{Host: "a.example", Pending: 6}, {Host: "dead.example", Pending: 1, GivenUp: "dns"}},
		Slowest:    []crawl.HostStatus{{Host: "a.example", Pending: 6, GapMS: 15_000, LeastLeftMS: 90_000}},
		Parked:     []crawl.ParkedPattern{{Host: "a.example", Pattern: "/c/#", Found: 4000, Fetched: 300, New: 2}},
		EverParked: 3_700, EverDropped: 700,
	}
	held := &crawl.Status{
		State: "running", Pending: 12, HostsPending: 2,
		Fullest: []crawl.HostStatus{{Host: "a.example", Pending: 11, Waits: "worker"}, {Host: "b.example", Pending: 1, Waits: "hold", Until: at(time.Hour)}},
		Live:    &crawl.LiveStatus{PID: 1, Workers: 16, Hold: heldBy(crawl.HeldByHours, "outside of --hours 22:00-06:00", 10*time.Hour)},
	}
	finished := &crawl.Status{State: "finished", Seeds: []string{"a.example"}, Done: 3, Outcomes: map[string]uint64{"fetched": 3}, Known: 3, Hosts: 1, Requests: 3}
	for _, c := range []struct {
		name string
		s    *crawl.Status
	}{{"running", running}, {"paused", paused}, {"held", held}, {"resting", resting}, {"finished", finished}} {
		t.Run(c.name, func(t *testing.T) {
			text := statusText(c.s, "crawl.pawl", " --db x.pawl", noon)
			for line := range strings.Lines(text) {
				if strings.IndexFunc(strings.TrimSuffix(line, "\n"), controls) >= 0 {
					t.Errorf("%q goes to the terminal", line)
				}
			}
			golden(t, "status-"+c.name+".txt", text)
		})
	}
}

func TestDepthList(t *testing.T) {
	many := make([]uint64, 32)
	for i := range many {
		many[i] = 1
	}
	last := make([]uint64, 32)
	last[31] = 5
	for _, c := range []struct {
		name   string
		depths []uint64
		want   string
	}{
		{"none", nil, ""},
		{"some", []uint64{0, 23, 0, 1_210}, "1: 23, 3: 1,210"},
		{"many", many, "0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1, 11: 1, 12 and deeper: 20"},
		{"the last", last, "31 and deeper: 5"},
	} {
		if got := depthList(c.depths); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	s := &crawl.Status{
		State: "running", Done: 1234, Pending: 567, LeastLeftMS: 130_000, Outcomes: map[string]uint64{"failed": 3},
		Live: &crawl.LiveStatus{InFlight: 16, HostsWait: 2, Rates: []crawl.Rate{{Pages: 12.34, Bytes: 1.2e6}}},
	}
	want := "1,234 done, 567 pending, 12.3/s, 1.2 MB/s, 3 failed, 16 in flight, 2 hosts wait, at least 2m10s left"
	if got := progressLine(s, noon); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, state := range []string{"stopping", "paused"} {
		s.State = state
		if got := progressLine(s, noon); got != state+", "+want {
			t.Errorf("%q does not say that it is %s", got, state)
		}
	}
	if got := progressLine(new(crawl.Status), noon); got != "0 done, 0 pending, 0.0/s, 0 B/s, 0 in flight" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestRateOfNowLooksBackTenSeconds(t *testing.T) {
	for _, c := range []struct {
		name string
		live crawl.LiveStatus
		want float64
	}{
		{"nothing known", crawl.LiveStatus{}, 0},
		{"the last minute alone", crawl.LiveStatus{Rates: []crawl.Rate{{Pages: 7}}}, 7},
		{"slices of two seconds", crawl.LiveStatus{RecentSlice: 2, Recent: []float64{100, 100, 1, 2, 3, 4, 5}}, 3},
		{"fewer than that", crawl.LiveStatus{RecentSlice: 2, Recent: []float64{4, 6}}, 5},
		{"one long slice", crawl.LiveStatus{RecentSlice: 60, Recent: []float64{9, 1}}, 1},
	} {
		if got := pagesNow(&c.live); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWatchEndsWithTheCrawl(t *testing.T) {
	db := crawled(t)
	w := new(world)
	if code := w.run(t, t.Context(), "status", "--watch", "--db", db); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	if got := w.stdout.String(); !strings.HasPrefix(got, "finished: nothing is left; ") || strings.Count(got, "\n") != 1 {
		t.Errorf("wrote %q", got)
	}
	if code := w.run(t, t.Context(), "status", "--watch", "--json", "--db", db); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	var s crawl.Status
	if err := json.Unmarshal(w.stdout.Bytes(), &s); err != nil || s.State != "finished" || strings.Count(w.stdout.String(), "\n") != 1 {
		t.Errorf("%v, wrote %q", err, &w.stdout)
	}
	if code := w.run(t, t.Context(), "status", "--watch", "--db", db+"x"); code != ExitFile {
		t.Errorf("of a file that is missing: exit code %d", code)
	}
}

// TestWatchFollowsARunningCrawl watches a crawl from its first request to its end.
func TestWatchFollowsARunningCrawl(t *testing.T) {
	o := fakeweb.Defaults()
	o.Pages = 30
	gate := make(chan struct{})
	o.Latency = func(_, path string) time.Duration {
		if path != "/" && path != "/robots.txt" {
			<-gate
		}
		return 0
	}
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	roots, stop, err := web.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	crawler := new(world)
	ended := make(chan int, 1)
	go func() { ended <- crawler.run(t, t.Context(), "crawl", roots[0], "--db", db, "--delay", "0", "-q") }()
	r, out := io.Pipe()
	watcher, watched := new(world), make(chan int, 1)
	go func() {
		// Until there is a file there is nothing to watch.
		for {
			if _, err := os.Stat(db); !errors.Is(err, os.ErrNotExist) || t.Context().Err() != nil {
				break
			}
		}
		watched <- Run(t.Context(), []string{"pawl", "status", "--watch", "--json", "--db", db}, System{
			Stdout: out, Stderr: &watcher.stderr, Env: func(string) string { return "" },
		})
		out.Close()
	}()
	var states []string
	isOpen := false
	lines := json.NewDecoder(r)
	for {
		var s crawl.Status
		if err := lines.Decode(&s); err != nil {
			break
		}
		if len(states) == 0 || states[len(states)-1] != s.State {
			states = append(states, s.State)
		}
		if s.State == "running" && s.Live.InFlight > 0 && !isOpen {
			close(gate)
			isOpen = true
		}
	}
	if code := <-watched; code != ExitOK {
		t.Errorf("watch: exit code %d: %s", code, &watcher.stderr)
	}
	if code := <-ended; code != ExitOK {
		t.Errorf("crawl: exit code %d: %s", code, &crawler.stderr)
	}
	if got := strings.TrimPrefix(fmt.Sprint(states), "[empty "); !strings.HasPrefix(strings.TrimPrefix(got, "["), "running") || !strings.HasSuffix(got, "finished]") {
		t.Errorf("saw %v", states)
	}
}

func TestWatchSaysThatTheCrawlRests(t *testing.T) {
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	w := new(world)
	ctx, cancel := context.WithCancel(t.Context())
	if code := w.run(t, ctx, "crawl", site(t), "--db", db, "--delay", "0", "-q", "--max-pages", "3"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	// Without the limit it would go on.
	if code := w.run(t, ctx, "set", "max-pages=", "--db", db); code != 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	var out bytes.Buffer
	told := writerFunc(func(b []byte) (int, error) { defer cancel(); return out.Write(b) })
	code := Run(ctx, []string{"pawl", "status", "--watch", "--db", db}, System{Stdout: told, Stderr: &w.stderr, Env: func(string) string { return "" }})
	if code != ExitOK || !strings.Contains(out.String(), "waiting for it to go on (Ctrl-C to leave)") {
		t.Errorf("exit code %d, wrote %q, said %q", code, &out, &w.stderr)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestWatchEndsWhenNobodyReads(t *testing.T) {
	db := crawled(t)
	for _, args := range [][]string{{"--watch"}, {"--watch", "--json"}} {
		w := new(world)
		code := Run(t.Context(), append([]string{"pawl", "status", "--db", db}, args...), System{
			Stdout: brokenPipe{}, Stderr: &w.stderr, Env: func(string) string { return "" },
		})
		if code != ExitOK || w.stderr.Len() > 0 {
			t.Errorf("%q: exit code %d, said %q", args, code, &w.stderr)
		}
	}
}

func TestPanelNeedsATerminal(t *testing.T) {
	for progress, want := range map[string]string{"": "plain", "auto": "plain", "bar": "plain", "plain": "plain", "none": "none"} {
		c := &call{System: &System{Stderr: new(bytes.Buffer), Env: func(string) string { return "" }}, given: given{}}
		if progress != "" {
			c.given["progress"] = textSaid(progress)
		}
		talk, err := newTalk(c)
		if err != nil || talk.progress != want {
			t.Errorf("--progress %q: %q, %v; want %q", progress, talk.progress, err, want)
		}
	}
}

func TestPlainProgressWaitsForTheFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sharedBuffer
		c := &call{System: &System{Stderr: &out, Env: func(string) string { return "" }}, given: given{}}
		talk, err := newTalk(c)
		if err != nil {
			t.Fatal(err)
		}
		var s atomic.Pointer[crawl.Status]
		stop := talk.watchStatus(s.Load)
		time.Sleep(plainEvery + time.Second)
		synctest.Wait()
		if got := out.String(); got != "" {
			t.Errorf("before: wrote %q", got)
		}
		s.Store(&crawl.Status{Done: 1})
		time.Sleep(plainEvery)
		synctest.Wait()
		stop()
		stop()
		if got := out.String(); got != "pawl: "+progressLine(s.Load(), noon)+"\n" {
			t.Errorf("wrote %q", got)
		}
	})
}

// sharedBuffer is a buffer that one goroutine writes to and another looks at.
type sharedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sharedBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *sharedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
