package crawl

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

// site is a crawl file and what crawls it in a test.
type site struct {
	t    *testing.T
	path string
	web  *fakeweb.Web
	opt  Options

	during    func(*storage.File)           // called before each run
	withFile  func(*storage.File, *Options) // called before each run
	atDeath   func()                        // called when the process dies
	beside    func(context.Context, *Crawl) // goes on beside each run
	clock     func() time.Time              // the machine's; nil: the real one
	overAfter time.Duration                 // see Crawl; 0: as ever
}

// newPath is a place for a crawl file: in memory where there is such a place,
// because in the time of a bubble a crawl commits thousands of times, and each
// waits for the disk.
func newPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "pawl-test-")
	if err != nil {
		dir = t.TempDir()
	} else {
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	return filepath.Join(dir, "crawl.pawl")
}

func newSite(t *testing.T, o fakeweb.Options) *site {
	t.Helper()
	o.Tally = true
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, path: newPath(t), web: web}
	s.opt = Options{Settings: Defaults("pawl/test"), Transport: web, Input: Input{Args: web.Seeds()}, Probe: thereIs}
	return s
}

// run crawls until the context ends or the crawl does.
func (s *site) run(ctx context.Context) Summary {
	s.t.Helper()
	sum, err := s.try(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return sum
}

// try is run for a crawl that may go wrong.
func (s *site) try(ctx context.Context) (Summary, error) {
	s.t.Helper()
	file, err := storage.Open(s.path, false)
	if err != nil {
		file, err = storage.Create(s.path, Rules(new(Settings)))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	if s.withFile != nil {
		s.withFile(file, &s.opt)
	}
	c, err := New(file, s.opt)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.clock != nil {
		c.clock = s.clock
	}
	if s.overAfter > 0 {
		c.overAfter = s.overAfter
	}
	if s.during != nil {
		s.during(file)
	}
	var beside sync.WaitGroup
	if s.beside != nil {
		beside.Go(func() { s.beside(ctx, c) })
	}
	sum, err := c.Run(ctx)
	beside.Wait()
	if err != nil {
		return sum, err
	}
	if found, err := file.Check(10); err != nil || len(found) > 0 {
		s.t.Fatalf("the file is not sound: %v %v", found, err)
	}
	return sum, nil
}

// outcomes reads every visit; a URL with two outcomes fails the test.
func (s *site) outcomes() map[string]*storage.Visit {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	rows := map[string]*storage.Visit{}
	reopened := map[uint64]bool{}
	err = file.View(func(r *storage.Reader) error {
		return r.Scan(1, func(seq uint64, _ []byte) (bool, error) {
			reopened[seq] = r.IsReopened(seq, r.Last())
			return true, nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	err = file.Walk(1, 1<<62, func(seq uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindVisit || reopened[seq] {
			return nil
		}
		v, err := storage.DecodeVisit(event)
		if err != nil {
			return err
		}
		if rows[v.URL] != nil {
			s.t.Errorf("%s has two outcomes", v.URL)
		}
		rows[v.URL] = v
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// skipped reads the reasons of skipped links.
func (s *site) skipped() map[string]string {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	reasons := map[string]string{}
	err = file.Walk(1, 1<<62, func(seq uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindSkip {
			return nil
		}
		e, err := storage.Decode(event)
		if err != nil {
			return err
		}
		for _, l := range e.(*storage.Skip).Links {
			reasons[l.URL] = l.Reason.String()
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return reasons
}

// compare holds the rows against the truth of the web.
func (s *site) compare(walk fakeweb.Walk) {
	s.t.Helper()
	rows := s.outcomes()
	skipped := s.skipped()
	for want := range s.web.Expected(walk) {
		if want.Outcome == fakeweb.Skipped {
			if got := skipped[want.URL]; got != want.Reason || rows[want.URL] != nil {
				s.t.Errorf("%s is skipped because of %q, want %q", want.URL, got, want.Reason)
			}
			continue
		}
		got := rows[want.URL]
		delete(rows, want.URL)
		if got == nil {
			s.t.Errorf("%s is missing, want %s", want.URL, want.Outcome)
			continue
		}
		if want.Outcome != fakeweb.Fetched {
			want.Title = got.Record.Title // of an error page, of no interest
		}
		have := fmt.Sprintf("%s %d %s %q", got.Outcome, got.Status, got.Class, got.Record.Title)
		if wish := fmt.Sprintf("%s %d %s %q", want.Outcome, want.Status, want.ErrorClass, want.Title); have != wish {
			s.t.Errorf("%s: %s, want %s", want.URL, have, wish)
		}
		if got.Redirect != want.RedirectURL {
			s.t.Errorf("%s redirects to %q, want %q", want.URL, got.Redirect, want.RedirectURL)
		}
	}
	for _, url := range slices.Sorted(maps.Keys(rows)) {
		s.t.Errorf("%s was not expected: %s", url, rows[url].Outcome)
	}
}

func TestCrawlFindsEverythingOnce(t *testing.T) {
	for _, workers := range []int{1, 16, 500} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := fakeweb.Defaults()
				o.Hosts, o.Pages = 3, 60
				o.Faults = fakeweb.AllFaults()
				o.Latency = fakeweb.Fixed(20 * time.Millisecond)
				s := newSite(t, o)
				s.opt.Workers = workers
				sum := s.run(t.Context())
				if sum.End != Finished || sum.Counts.Pending != 0 {
					t.Fatalf("ended %s with %d pending", sum.End, sum.Counts.Pending)
				}
				s.compare(fakeweb.Walk{})
				for host, tally := range s.web.Tally().Hosts() {
					if tally.MaxOpen > 1 {
						t.Errorf("%s saw %d requests at a time", host, tally.MaxOpen)
					}
					if tally.MinGap < 100*time.Millisecond {
						t.Errorf("%s saw a gap of %v", host, tally.MinGap)
					}
				}
				// Once more: nothing is left to do.
				before := s.web.Tally().Total()
				if again := s.run(t.Context()); again.End != Finished || s.web.Tally().Total() != before {
					t.Errorf("the second run ended %s after %d requests", again.End, s.web.Tally().Total()-before)
				}
			})
		})
	}
}
