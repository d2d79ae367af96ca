package crawl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

// atRest asks the crawl in the file, which nobody runs.
func (s *site) atRest(do func(ctx context.Context, c *Crawl)) {
	s.t.Helper()
	file, err := storage.Open(s.path, false)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	settings, known, err := Remembered(file)
	if err != nil || !known {
		s.t.Fatal("no settings", err)
	}
	c, err := New(file, Options{Settings: settings})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	over := make(chan error, 1)
	go func() { over <- c.Rest(ctx) }()
	do(ctx, c)
	cancel()
	if err := <-over; err != nil {
		s.t.Error(err)
	}
}

// wide is a site of n pages which the first one links to.
func wide(t *testing.T, n int) (*site, *paper) {
	s, p := onPaper(t, "http://a.test/")
	var links []string
	for i := range n {
		url := fmt.Sprintf("http://a.test/p%d", i)
		links = append(links, url)
		p.on(url, linking("/", "/p0"))
	}
	p.on("http://a.test/", linking(links...))
	s.opt.Delay, s.opt.IgnoreRobots = time.Second, true
	return s, p
}

func (s *site) inBubble(do func()) {
	synctest.Test(s.t, func(t *testing.T) {
		was := s.t
		s.t = t
		defer func() { s.t = was }()
		do()
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestAPauseHoldsWhatIsNotInFlight(t *testing.T) {
	s, p := wide(t, 20)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(5500 * time.Millisecond)
		must(s.t, c.Pause(ctx))
		time.Sleep(time.Second)
		before := len(p.times("a.test"))
		time.Sleep(time.Hour)
		if n := len(p.times("a.test")); n != before {
			s.t.Errorf("%d requests while it was paused", n-before)
		}
		if st, err := c.Status(ctx); err != nil || st.State != "paused" {
			s.t.Errorf("%+v %v", st, err)
		}
		must(s.t, c.Resume(ctx))
	}
	s.inBubble(func() {
		if sum := s.finish(); sum.Counts.Of(storage.Fetched) != 21 {
			s.t.Errorf("%d fetched", sum.Counts.Of(storage.Fetched))
		}
	})
}

// Somebody who pauses a crawl to drop and add finds it still there.
func TestAPausedCrawlDoesNotEndByItself(t *testing.T) {
	s, p := wide(t, 20)
	p.on("http://b.test/", text("x"))
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(3500 * time.Millisecond)
		must(s.t, c.Pause(ctx))
		_, err := c.Edit(ctx, Edit{Kind: Drop, Predicate: storage.Predicate{Match: "."}})
		must(s.t, err)
		time.Sleep(time.Minute)
		a, err := c.Add(ctx, []string{"b.test"})
		if err != nil || a.Added != 1 {
			s.t.Errorf("%+v %v", a, err)
		}
		must(s.t, c.Resume(ctx))
	}
	s.inBubble(func() {
		s.finish()
		if rows := s.brief(); rows["http://b.test/"] != "fetched" {
			s.t.Errorf("rows are %v", rows)
		}
	})
}

func TestStopEndsTheRunInOrder(t *testing.T) {
	s, _ := wide(t, 20)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(5 * time.Second)
		must(s.t, c.Stop(ctx))
		<-c.Over()
		if err := c.Pause(ctx); !errors.Is(err, ErrOver) {
			s.t.Errorf("after the end: %v", err)
		}
	}
	s.inBubble(func() {
		if sum := s.run(s.t.Context()); sum.End != Stopped || sum.Counts.Pending == 0 {
			s.t.Errorf("%s, %d pending", sum.End, sum.Counts.Pending)
		}
		s.beside = nil
		s.finish()
	})
}

func TestSettingsChangeAtOnceAndAreRemembered(t *testing.T) {
	s, p := wide(t, 40)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(3500 * time.Millisecond)
		must(s.t, c.Change(ctx, func(s *Settings) error {
			s.Delay, s.Workers, s.PerHost = 10*time.Second, 40, 3
			s.Exclude = []string{`/p[123]\d$`}
			return nil
		}))
		at := time.Now()
		before := len(p.times("a.test"))
		time.Sleep(25 * time.Second)
		if n := len(p.times("a.test")) - before; n > 3 {
			s.t.Errorf("%d requests in %v at a delay of 10 s", n, time.Since(at))
		}
	}
	s.inBubble(func() {
		s.finish()
		rows := s.brief()
		if len(rows) != 11 {
			s.t.Errorf("rows are %v", slices.Sorted(maps.Keys(rows)))
		}
	})
	file, err := storage.Open(s.path, true)
	must(t, err)
	defer file.Close()
	if now, _, err := Remembered(file); err != nil || now.Delay != 10*time.Second || now.Workers != 40 || len(now.Exclude) != 1 {
		t.Errorf("remembered are %+v %v", now, err)
	}
}

func TestAWrongSettingChangesNothing(t *testing.T) {
	s, _ := wide(t, 3)
	s.beside = func(ctx context.Context, c *Crawl) {
		if err := c.Change(ctx, func(s *Settings) error { s.Workers = -1; return nil }); err == nil {
			s.t.Error("no error")
		}
	}
	s.inBubble(func() { s.finish() })
}

// What was refused by a setting comes back when the setting changes while the crawl
// runs.
func TestALooserSettingAdmitsWhatWasSkipped(t *testing.T) {
	s, _ := wide(t, 10)
	s.opt.Exclude = []string{"/p[5-9]"}
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(2500 * time.Millisecond)
		must(s.t, c.Change(ctx, func(s *Settings) error { s.Exclude = nil; return nil }))
	}
	s.inBubble(func() {
		if sum := s.finish(); sum.Counts.Of(storage.Fetched) != 11 {
			s.t.Errorf("%d fetched", sum.Counts.Of(storage.Fetched))
		}
	})
}

func TestSeedsAreAddedWhileItRuns(t *testing.T) {
	s, p := wide(t, 5)
	p.on("http://b.test/", linking("/more"))
	p.on("http://b.test/more", text("x"))
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(1500 * time.Millisecond)
		a, err := c.Add(ctx, []string{"b.test", "http://a.test/", "not an address", "http://a.test/p1"})
		if err != nil || a.Added != 1 || a.Known != 2 || len(a.Refused) != 1 {
			s.t.Errorf("%+v %v", a, err)
		}
	}
	s.inBubble(func() { s.finish() })
	s.opt.Input.Args = nil
	rows := s.brief()
	if rows["http://b.test/more"] != "fetched" || len(rows) != 8 {
		t.Errorf("rows are %v", rows)
	}
}

func TestDropAndRestore(t *testing.T) {
	s, p := wide(t, 30)
	drop := func(ctx context.Context, c *Crawl) {
		e := Edit{Kind: Drop, Predicate: storage.Predicate{Match: `/p[12]\d$`}, DryRun: true}
		would, err := c.Edit(ctx, e)
		must(s.t, err)
		e.DryRun = false
		did, err := c.Edit(ctx, e)
		must(s.t, err)
		if would.Addresses != 20 || did.Addresses != 20 || len(did.Examples) != 5 {
			s.t.Errorf("would drop %+v, did %+v", would, did)
		}
	}
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(3500 * time.Millisecond)
		drop(ctx, c)
	}
	// The pages link to one that is dropped: it stays where it is.
	p.on("http://a.test/p9", linking("/p11", "/p12"))
	s.inBubble(func() {
		s.finish()
		if n := len(s.brief()); n != 11 {
			s.t.Errorf("%d rows after the drop", n)
		}
	})
	if skipped := s.skipped(); skipped["http://a.test/p11"] != "parked" {
		t.Errorf("skipped are %v", skipped)
	}
	s.beside = nil
	s.atRest(func(ctx context.Context, c *Crawl) {
		e := Edit{Kind: Restore, Predicate: storage.Predicate{Match: "/p1"}, DryRun: true}
		would, err := c.Edit(ctx, e)
		must(t, err)
		e.DryRun = false
		did, err := c.Edit(ctx, e)
		must(t, err)
		if would.Addresses != 10 || did.Addresses != 10 {
			t.Errorf("would restore %+v, did %+v", would, did)
		}
	})
	s.inBubble(func() {
		s.finish()
		if n := len(s.brief()); n != 21 {
			s.t.Errorf("%d rows after restoring half of it", n)
		}
	})
}

// Restored and dropped again it stays dropped, whatever is reviewed later.
func TestTheLastWishCounts(t *testing.T) {
	s, _ := wide(t, 10)
	all := storage.Predicate{Match: "/p[5-9]"}
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(1500 * time.Millisecond)
		for _, kind := range []EditKind{Drop, Restore} {
			_, err := c.Edit(ctx, Edit{Kind: kind, Predicate: all})
			must(s.t, err)
		}
		_, err := c.Edit(ctx, Edit{Kind: Drop, Predicate: all})
		must(s.t, err)
		must(s.t, c.Change(ctx, func(s *Settings) error { s.MaxDepth = 7; return nil })) // has all reviewed
	}
	s.inBubble(func() {
		s.finish()
		if rows := s.brief(); len(rows) != 6 {
			s.t.Errorf("rows are %v", rows)
		}
	})
	s.atRest(func(ctx context.Context, c *Crawl) {
		d, err := c.Edit(ctx, Edit{Kind: Restore})
		if err != nil || d.Addresses != 5 {
			t.Errorf("%+v %v", d, err)
		}
	})
	s.beside = nil
	s.inBubble(func() { s.finish() })
	if rows := s.brief(); len(rows) != 11 {
		t.Errorf("rows are %v", rows)
	}
}

func TestRetryWithdrawsWhatFailed(t *testing.T) {
	s, p := wide(t, 10)
	s.opt.Retries = 0
	p.on("http://a.test/p3", status(503), text("well"))
	p.on("http://a.test/p4", status(404), text("here"))
	p.on("http://a.test/p5", reset, text("up"))
	s.inBubble(func() {
		s.finish()
		rows := s.brief()
		if rows["http://a.test/p3"] != "failed throttled" && rows["http://a.test/p3"] != "failed 503" || rows["http://a.test/p4"] != "failed 404" || rows["http://a.test/p5"] != "failed reset" {
			s.t.Errorf("rows are %v", rows)
		}
	})
	retry := func(w storage.Predicate, want uint64) {
		t.Helper()
		s.atRest(func(ctx context.Context, c *Crawl) {
			would, err := c.Edit(ctx, Edit{Kind: Retry, Predicate: w, DryRun: true})
			must(t, err)
			did, err := c.Edit(ctx, Edit{Kind: Retry, Predicate: w})
			if err != nil || did.Addresses != want || would.Addresses != want {
				t.Errorf("%+v: would reopen %+v, did %+v, want %d: %v", w, would, did, want, err)
			}
		})
	}
	retry(storage.Predicate{Statuses: []storage.StatusRange{{From: 400, To: 499}}}, 1)
	retry(storage.Predicate{Statuses: []storage.StatusRange{{From: 400, To: 499}}}, 0) // not twice
	retry(storage.Predicate{Classes: []string{"reset"}, Host: "b.test"}, 0)
	retry(storage.Predicate{Classes: []string{"reset"}, Until: 1}, 0)
	retry(storage.Predicate{Classes: []string{"reset"}, Match: "p5$"}, 1)
	s.inBubble(func() {
		s.finish()
		rows := s.brief()
		if rows["http://a.test/p4"] != "fetched" || rows["http://a.test/p5"] != "fetched" || strings.HasPrefix(rows["http://a.test/p3"], "fetched") || len(rows) != 11 {
			s.t.Errorf("rows are %v", rows)
		}
	})
	s.beside = func(ctx context.Context, c *Crawl) {
		// Nothing is left, so the run may be over before it is asked.
		_, err := c.Edit(ctx, Edit{Kind: Retry})
		if err != nil && !errors.Is(err, ErrOver) {
			s.t.Error(err)
		}
	}
	s.inBubble(func() { s.finish() })
}

func TestAListPagesWithoutGivingAJobTwice(t *testing.T) {
	s, _ := wide(t, 100)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(2500 * time.Millisecond)
		seen := map[string]bool{}
		q := QueueQuery{Limit: 7}
		for {
			page, err := c.Queue(ctx, q)
			if err != nil {
				s.t.Error(err)
				return
			}
			for _, j := range page.Jobs {
				if seen[j.URL] {
					s.t.Errorf("%s is listed twice", j.URL)
				}
				seen[j.URL] = true
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
			time.Sleep(1100 * time.Millisecond) // one is fetched meanwhile
		}
		if len(seen) < 80 || seen["http://a.test/"] {
			s.t.Errorf("%d are listed", len(seen))
		}
		one, depth := QueueQuery{Match: "/p99$"}, 7
		if page, err := c.Queue(ctx, one); err != nil || len(page.Jobs) != 1 || page.Jobs[0].FoundOn != "http://a.test/" || page.Jobs[0].Depth != 1 {
			s.t.Errorf("%+v %v", page, err)
		}
		for _, none := range []QueueQuery{{Host: "b.test"}, {Depth: &depth}, {State: "retrying"}} {
			if page, err := c.Queue(ctx, none); err != nil || len(page.Jobs) != 0 {
				s.t.Errorf("%+v: %+v %v", none, page, err)
			}
		}
		for _, bad := range []QueueQuery{{Match: "("}, {State: "x"}, {After: "y"}} {
			if _, err := c.Queue(ctx, bad); err == nil {
				s.t.Errorf("%+v is no error", bad)
			}
		}
	}
	s.inBubble(func() { s.finish() })
}

func TestStatusOfARunningCrawl(t *testing.T) {
	s, p := wide(t, 30)
	p.on("http://a.test/p2", status(404))
	p.on("http://b.test/", text("x"))
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(10500 * time.Millisecond)
		st, err := c.Status(ctx)
		if err != nil {
			s.t.Error(err)
			return
		}
		l := st.Live
		if st.State != "running" || l == nil || st.Pending == 0 || st.Depths[1] != st.Pending {
			s.t.Fatalf("%+v", st)
		}
		if len(l.Rates) != 3 || l.Rates[0].Pages < 0.8 || l.Rates[0].Pages > 1.3 || len(l.Recent) < 3 {
			s.t.Errorf("rates %+v, recent %v", l.Rates, l.Recent)
		}
		if len(st.Fullest) != 1 || st.Fullest[0].Host != "a.test" || uint64(st.Fullest[0].Pending) != st.Pending || st.Fullest[0].GapMS != 1000 || st.Fullest[0].Waits != "gap" {
			s.t.Errorf("fullest %+v of %d", st.Fullest, st.Pending)
		}
		if len(l.Failures) != 1 || l.Failures[0].Status != 404 || len(l.Busiest) != 1 || l.LastCommit == "" {
			s.t.Errorf("%+v", l)
		}
	}
	s.inBubble(func() { s.finish() })
	s.atRest(func(ctx context.Context, c *Crawl) {
		if st, err := c.Status(ctx); err != nil || st.State != "finished" || st.Live != nil || len(st.Fullest) != 0 {
			t.Errorf("%+v %v", st, err)
		}
		if err := c.Pause(ctx); !errors.Is(err, ErrResting) {
			t.Errorf("pause at rest: %v", err)
		}
	})
}
