package crawl

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pawl/internal/fakeweb"
	"pawl/internal/hostile"
	"pawl/storage"
)

var hostileRounds = flag.Int("hostile.rounds", 1, "how often TestHostileWeb crawls; from the tenth on memory must stay flat")

// settled is after how many rounds memory must stay flat: net/http holds closed
// HTTP/2 connections until their idle timers run out, for 40 seconds here.
const settled = 9

// hostileCost is what a crawl may leave on the heap, in bytes: code paths that
// were taken for the first time, pools.
const hostileCost = 8 << 20

// A site is crawled together with every hostile server there is: each of its
// pages is had, each server comes to the end it must, and nothing is left
// behind.
func TestHostileWeb(t *testing.T) {
	// net/http writes of what servers do; main discards it too.
	writer := log.Writer()
	log.SetOutput(io.Discard)
	defer log.SetOutput(writer)
	before := standing(t)
	var after [][2]uint64
	for round := range *hostileRounds {
		crawlHostile(t)
		if t.Failed() {
			t.FailNow()
		}
		after = append(after, standing(t))
		t.Logf("round %d: heap %d KB, %d descriptors; before %d KB, %d", round+1, after[round][0]>>10, after[round][1], before[0]>>10, before[1])
	}
	last := after[len(after)-1]
	if last[0] > before[0]+hostileCost {
		t.Errorf("the heap holds %d KB, before it was %d KB", last[0]>>10, before[0]>>10)
	}
	if len(after) > settled && last[0] > after[settled-1][0]+hostileCost/8 {
		t.Errorf("the heap grows from %d KB in round %d to %d KB in the last", after[settled-1][0]>>10, settled, last[0]>>10)
	}
	if last[1] > before[1] {
		t.Errorf("%d file descriptors are open, before it were %d", last[1], before[1])
	}
}

// standing is the heap in use, in bytes, and the number of open files, 0 where
// it cannot be told.
func standing(t *testing.T) [2]uint64 {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools had
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		open = nil
	}
	return [2]uint64{m.HeapAlloc, uint64(len(open))}
}

// crawlHostile is one such crawl.
func crawlHostile(t *testing.T) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = 2, 60
	o.Faults = fakeweb.AllFaults()
	o.Faults.Throttled, o.Faults.Slow = 0, 0 // for they take time
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	roots, stop, err := web.Start(o.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	s := &site{t: t, path: newPath(t), web: web}
	s.opt = Options{Settings: Defaults("pawl/test"), Input: Input{Args: roots}}
	// All that stalls does so at the same time, and once.
	s.opt.Workers, s.opt.Delay, s.opt.Retries = 256, 0, 0
	s.opt.Timeout, s.opt.MaxBody = 5*time.Second, 256<<10
	s.opt.Insecure = true
	servers := map[*hostile.Server]hostile.Fault{}
	for i, f := range hostile.All() {
		if raceOn && i%4 != 0 {
			continue // else a busy machine runs out of time
		}
		server, err := hostile.Start(f)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		servers[server] = f
		s.opt.Input.Args = append(s.opt.Input.Args, server.Root)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	sum := s.run(ctx)
	if sum.End != Finished || sum.Counts.Pending != 0 {
		t.Fatalf("ended %s with %d pending", sum.End, sum.Counts.Pending)
	}

	rows, skipped := s.outcomes(), s.skipped()
	for server, f := range servers {
		wantFault(t, server, &f, rows, skipped)
	}
	for url := range rows {
		if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
			t.Errorf("there is a row for %s", url)
		}
	}
	for want := range web.Expected(fakeweb.Walk{Roots: roots}) {
		if want.Outcome == fakeweb.Skipped {
			if got := skipped[want.URL]; got != want.Reason {
				t.Errorf("%s is skipped because of %q, want %q", want.URL, got, want.Reason)
			}
			continue
		}
		got := rows[want.URL]
		if got == nil {
			t.Errorf("%s is missing, want %s", want.URL, want.Outcome)
			continue
		}
		if string(want.Outcome) != got.Outcome.String() || want.Status != int(got.Status) || want.ErrorClass != got.Class.String() {
			t.Errorf("%s: %s %d %s, want %s %d %s", want.URL, got.Outcome, got.Status, got.Class, want.Outcome, want.Status, want.ErrorClass)
		}
		if want.Outcome == fakeweb.Fetched && want.Title != got.Record.Title {
			t.Errorf("%s has title %q, want %q", want.URL, got.Record.Title, want.Title)
		}
	}
}

// leads are the rows to which hostile servers lead a crawl beside their own. A
// star stands for the root of the server.
var leads = map[string]map[string]string{
	"redirect there and back":               {"*there": "redirected"},
	"redirect chain of a hundred":           {"*hop-1": "redirected", "*hop-10": "redirected", "*hop-11": "skipped redirects"},
	"redirect to a growing query":           {"*?x&x/": "redirected", "*?x&x&x&x&x&x&x&x&x&x&x/": "redirected", "*?x&x&x&x&x&x&x&x&x&x&x&x/": "skipped redirects"},
	"redirect to the metadata of a cloud":   {"http://169.254.169.254/latest/meta-data/": "failed private_address"},
	"redirect to loopback":                  {"http://127.0.0.2:9/": "failed private_address"},
	"redirect to loopback by number":        {"http://127.0.0.2:9/": "failed private_address"},
	"redirect to loopback in octal":         {"http://127.0.0.2:9/": "failed private_address"},
	"redirect to loopback of IPv6":          {"http://[::1]:9/": "failed private_address"},
	"redirect to loopback mapped into IPv6": {"http://[::ffff:7f00:2]:9/": "failed private_address"},
	"redirect to no address":                {"http://0.0.0.0:9/": "failed private_address"},
	"redirect to localhost":                 {"http://localhost:9/": "failed private_address"},
	"redirect to several":                   {"*fine": "fetched"},
	"redirect with a body without end":      {"*fine": "fetched"},
	"10,000 nested elements":                {"*fine": "fetched"},
	"50 MB of links without end":            {"*fine": "fetched"},
	"Link header of 200 KB":                 {"*fine": "fetched"},
	"Link headers of 5,000 lines":           {"*fine": "fetched"},
	"a million links":                       {"*fine?0": "fetched", "*fine?6": "fetched"},
}

// wantFault holds what became of a hostile server against what must.
func wantFault(t *testing.T, s *hostile.Server, f *hostile.Fault, rows map[string]*storage.Visit, skipped map[string]string) {
	t.Helper()
	want := map[string]string{s.Root: f.Outcome()}
	or := "failed " + f.Or
	switch {
	case f.Whole && f.Class != "":
		want[s.Root], or = "failed robots", ""
	case f.Whole && f.Or != "":
		or = "failed robots"
	}
	for url, outcome := range leads[f.Name] {
		want[strings.ReplaceAll(url, "*", s.Root)] = outcome
	}
	for url, outcome := range want {
		got := "no row"
		if v := rows[url]; v != nil {
			got = said(v)
		} else if reason := skipped[url]; reason != "" {
			got = "skipped " + reason
		}
		if got != outcome && (url != s.Root || got != or) {
			t.Errorf("%s: %s: %s, want %s", f.Name, url, got, outcome)
		}
	}
	n := 0
	for url, v := range rows {
		if !strings.HasPrefix(url, s.Root) {
			continue
		}
		n++
		if v.Record.Title == hostile.Forged {
			t.Errorf("%s: row %s has the title of a forged answer", f.Name, url)
		}
		r := &v.Record
		for _, kept := range []string{v.Redirect, v.Canonical, r.Error, r.ContentType, r.Charset, r.Language, r.Title, r.H1, r.MetaDescription, r.MetaRobots, r.XRobotsTag, r.LastModified, r.ETag} {
			if len(kept) > 4096 {
				t.Errorf("%s: row %s keeps %d bytes of %.40q", f.Name, url, len(kept), kept)
			}
		}
	}
	if n > 12 {
		t.Errorf("%s: %d rows", f.Name, n)
	}
	// What it leads to is asked for as well: a page links another at the most.
	if n := s.Asked(); n > 2 && f.Status != 302 {
		t.Errorf("%s was asked %d times", f.Name, n)
	}
}

// said is the outcome of a visit with its class or status.
func said(v *storage.Visit) string {
	switch {
	case v.Outcome != storage.Failed:
		return v.Outcome.String()
	case v.Class != storage.NoClass:
		return "failed " + v.Class.String()
	}
	return fmt.Sprint("failed ", v.Status)
}

// A domain in which every name answers and links new names has hosts without
// end. A crawl ends at its limit, and a host costs it little.
func TestHostsWithoutEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const pages, fanout = 200, 20
	server := httptest.NewServer(&hostile.Names{Domain: "wild.test", Fanout: fanout})
	defer server.Close()
	at := server.Listener.Addr().String()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		},
		DisableKeepAlives: true,
	}
	for _, scope := range []Scope{ScopeDomain, ScopeAny} {
		t.Run(string(scope), func(t *testing.T) {
			s := &site{t: t, path: newPath(t)}
			s.opt = Options{Settings: Defaults("pawl/test"), Transport: transport, Input: Input{Args: []string{"http://n0.wild.test/"}}}
			s.opt.Scope, s.opt.MaxPages, s.opt.Workers = scope, pages, 32
			before := standing(t)
			file, err := storage.Create(s.path, Rules(&s.opt.Settings))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			c, err := New(file, s.opt)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := c.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			after := standing(t)
			if sum.End != MaxPages || sum.Counts.Of(storage.Fetched) != pages {
				t.Errorf("ended %s with %d pages", sum.End, sum.Counts.Of(storage.Fetched))
			}
			hosts := sum.Counts.Hosts
			if hosts < pages*fanout/2 {
				t.Fatalf("%d hosts are known", hosts)
			}
			if cost := (int64(after[0]) - int64(before[0])) / int64(hosts); cost > 1000 {
				t.Errorf("each of %d hosts takes %d bytes", hosts, cost)
			}
			runtime.KeepAlive(c)
		})
	}
}
