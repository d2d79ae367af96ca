package crawl

import (
	"context"
	"errors"
	"testing"
	"time"

	"pawl/storage"
)

func dropping(re string) Edit { return Edit{Kind: Drop, Predicate: storage.Predicate{Match: re}} }

func restoring(re string) Edit { return Edit{Kind: Restore, Predicate: storage.Predicate{Match: re}} }

// edits carries out edits, one after the other.
func (s *site) edits(ctx context.Context, c *Crawl, all ...Edit) {
	for _, e := range all {
		_, err := c.Edit(ctx, e)
		must(s.t, err)
	}
}

func TestDropsAreCountedApart(t *testing.T) {
	s, _ := wide(t, 30)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(3500 * time.Millisecond)
		s.edits(ctx, c, dropping(`/p[12]\d$`))
	}
	s.inBubble(func() {
		if n := s.finish().Counts; n.Dropped != 20 || n.Parked != 20 {
			s.t.Errorf("%d dropped, %d parked", n.Dropped, n.Parked)
		}
	})
}

// What is asked last counts, at rest and while it runs, for few and for many.
func TestEditsAreCarriedOutInTheirOrder(t *testing.T) {
	for _, n := range []int{10, 12000} {
		s, _ := wide(t, n)
		s.beside = func(ctx context.Context, c *Crawl) {
			time.Sleep(1500 * time.Millisecond)
			s.edits(ctx, c, dropping("/p[5-9]"), restoring("/p[5-9]"), dropping("/p[5-9]"))
			if q, err := c.Queue(ctx, QueueQuery{Match: "/p[5-9]"}); err != nil || len(q.Jobs) > 0 {
				s.t.Errorf("%d: dropped last, and %d are in the queue, %v", n, len(q.Jobs), err)
			}
			must(s.t, c.Stop(ctx))
		}
		s.inBubble(func() { s.run(s.t.Context()) })
		s.beside = nil
		s.atRest(func(ctx context.Context, c *Crawl) { s.edits(ctx, c, restoring("/p[5-9]")) })
		s.atRest(func(ctx context.Context, c *Crawl) {
			if q, err := c.Queue(ctx, QueueQuery{Match: "/p[5-9]"}); err != nil || len(q.Jobs) == 0 {
				t.Errorf("%d: restored at rest, and none is in the queue, %v", n, err)
			}
			s.edits(ctx, c, dropping("/p[5-9]"))
			if q, err := c.Queue(ctx, QueueQuery{Match: "/p[5-9]"}); err != nil || len(q.Jobs) > 0 {
				t.Errorf("%d: dropped at rest, and %d are in the queue, %v", n, len(q.Jobs), err)
			}
		})
	}
}

// openEdit leaves a drop in the file that is not carried out.
func openEdit(t *testing.T, n int) *site {
	s, _ := wide(t, n)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(3500 * time.Millisecond)
		must(s.t, c.change(ctx, func(l *loop) error {
			l.toStop = true
			return l.frontier.OpenDrop(storage.Predicate{Match: "/p"}, l.now())
		}))
	}
	s.inBubble(func() { s.run(s.t.Context()) })
	s.beside = nil
	return s
}

// loaded is the crawl in the file, until the test ends.
func (s *site) loaded(readOnly bool) *Crawl {
	s.t.Helper()
	file, err := storage.Open(s.path, readOnly)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { must(s.t, file.Close()) })
	settings, _, err := Remembered(file)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := New(file, Options{Settings: settings})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestAnOpenEditIsShownByWhoOnlyReads(t *testing.T) {
	s := openEdit(t, 30)
	c := s.loaded(true)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- c.Rest(ctx) }()
	if st, err := c.Status(ctx); err != nil || len(st.Edits) != 1 || st.Edits[0].Match != "/p" {
		t.Errorf("%+v %v", st, err)
	}
	if q, err := c.Queue(ctx, QueueQuery{}); err != nil || len(q.Jobs) == 0 {
		t.Errorf("%+v %v", q, err)
	}
	cancel()
	must(t, <-over)
}

func TestAnOpenEditIsNotCarriedOutByWhoLeaves(t *testing.T) {
	s := openEdit(t, 12000)
	c := s.loaded(false)
	before := c.Counts()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, c.Rest(ctx))
	if now := c.Counts(); now.Pending != before.Pending {
		t.Errorf("%d were dropped", before.Pending-now.Pending)
	}
}

// A limit that is reached does not keep an edit from being carried out.
func TestAnOpenEditIsCarriedOutAtALimit(t *testing.T) {
	s := openEdit(t, 5000)
	s.opt.MaxPages = 3
	s.inBubble(func() {
		if sum := s.run(s.t.Context()); sum.Counts.Pending > 0 {
			s.t.Errorf("%s, %d pending", sum.End, sum.Counts.Pending)
		}
	})
}

func TestAnEditThatIsNoneIsRefused(t *testing.T) {
	s, _ := wide(t, 3)
	s.beside = func(ctx context.Context, c *Crawl) {
		for _, e := range []Edit{
			{Kind: "dorp"},
			{},
			{Kind: Drop},
			{Kind: Retry, Predicate: storage.Predicate{Statuses: []storage.StatusRange{{From: 200, To: 299}}}},
			{Kind: Drop, Predicate: storage.Predicate{Match: "("}},
			{Kind: Drop, Predicate: storage.Predicate{Classes: []string{"dns"}}},
			{Kind: Restore, Predicate: storage.Predicate{Since: 1}},
			{Kind: Retry, Predicate: storage.Predicate{Classes: []string{"none"}}},
		} {
			var query *QueryError
			if _, err := c.Edit(ctx, e); !errors.As(err, &query) {
				s.t.Errorf("%+v: %v", e, err)
			}
		}
	}
	s.inBubble(func() { s.finish() })
}

// A crawl that is over but for an output which nobody reads can be stopped.
func TestWhoWaitsForAnOutputAnswers(t *testing.T) {
	s, _ := wide(t, 3)
	var sink stuck
	s.opt.Outputs = []Output{{"x", &sink}}
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(time.Hour)
		if st, err := c.Status(ctx); err != nil || st.State != "stopping" {
			s.t.Errorf("%+v %v", st, err)
		}
		if err := c.Change(ctx, func(*Settings) error { return nil }); !errors.Is(err, ErrOver) {
			s.t.Errorf("a change: %v", err)
		}
		must(s.t, c.Stop(ctx))
		<-c.Over()
		close(sink.released)
	}
	s.inBubble(func() {
		sink.released = make(chan struct{})
		if sum := s.run(s.t.Context()); !sum.Behind {
			s.t.Errorf("%+v", sum)
		}
	})
}

// What the settings refuse when it is restored is not lost: a later wish brings it
// back.
func TestWhatIsRefusedWhenRestoredCanBeRestoredAgain(t *testing.T) {
	s, _ := wide(t, 12)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(1500 * time.Millisecond)
		s.edits(ctx, c, dropping("/p[5-9]$"))
		must(s.t, c.Change(ctx, func(s *Settings) error { s.Exclude = []string{"/p[5-9]$"}; return nil }))
		if d, err := c.Edit(ctx, restoring("/p[5-9]")); err != nil || d.Addresses != 0 {
			s.t.Errorf("while they are excluded: %+v %v", d, err)
		}
		must(s.t, c.Change(ctx, func(s *Settings) error { s.Exclude = nil; return nil }))
		again := restoring("/p[5-9]")
		again.DryRun = true
		if d, err := c.Edit(ctx, again); err != nil || d.Addresses != 5 {
			s.t.Errorf("what would come back: %+v %v", d, err)
		}
		if d, err := c.Edit(ctx, restoring("/p[5-9]")); err != nil || d.Addresses != 5 {
			s.t.Errorf("what comes back: %+v %v", d, err)
		}
	}
	s.inBubble(func() {
		s.finish()
		if rows := s.brief(); len(rows) != 13 {
			s.t.Errorf("%d rows", len(rows))
		}
	})
}

// A restore and a drop after it that are both open in a file are carried out one after
// the other. The drop is not about what the restore brings back after it.
func TestOpenEditsAreResumedInTheirOrder(t *testing.T) {
	s, _ := wide(t, 40)
	s.beside = func(ctx context.Context, c *Crawl) {
		time.Sleep(3500 * time.Millisecond)
		s.edits(ctx, c, dropping("/p[12]"))
		must(s.t, c.change(ctx, func(l *loop) error {
			l.toStop = true
			if err := l.frontier.Unpark(storage.Restore{Match: "/p[12]"}, l.now()); err != nil {
				return err
			}
			return l.frontier.OpenDrop(storage.Predicate{Match: "/p3"}, l.now())
		}))
	}
	s.inBubble(func() { s.run(s.t.Context()) })
	s.beside = nil
	s.inBubble(func() {
		s.finish()
		rows := s.brief()
		if rows["http://a.test/p10"] == "" || rows["http://a.test/p29"] == "" || rows["http://a.test/p39"] != "" {
			s.t.Errorf("rows are %v", rows)
		}
	})
}

func TestWhatOnlyAStartCanChangeIsRefusedLive(t *testing.T) {
	s, _ := wide(t, 3)
	s.beside = func(ctx context.Context, c *Crawl) {
		for _, change := range []func(*Settings){
			func(s *Settings) { s.UserAgent = "other/1" },
			func(s *Settings) { s.KeepQuery = true },
			func(s *Settings) { s.Fields = []string{"x=h1"} },
			func(s *Settings) { s.StoreBodies = true },
		} {
			var query *QueryError
			if err := c.Change(ctx, func(s *Settings) error { change(s); return nil }); !errors.As(err, &query) {
				s.t.Errorf("%v", err)
			}
		}
	}
	s.inBubble(func() { s.finish() })
	s.atRest(func(ctx context.Context, c *Crawl) {
		must(t, c.Change(ctx, func(s *Settings) error { s.UserAgent = "other/1"; return nil }))
		if err := c.Change(ctx, func(s *Settings) error { s.KeepQuery = true; return nil }); err == nil {
			t.Error("how addresses are spelled changed")
		}
	})
}

// What is in flight when it is to be dropped is not asked for again.
func TestADropEndsWhatIsInFlight(t *testing.T) {
	s, p := wide(t, 5)
	p.on("http://a.test/p3", slow(status(503), 10*time.Second), text("well"))
	s.beside = func(ctx context.Context, c *Crawl) {
		for p.of("http://a.test/p3") == 0 {
			time.Sleep(time.Second)
		}
		d, err := c.Edit(ctx, dropping("/p[34]"))
		if err != nil || d.InFlight != 1 || d.Addresses != 1 {
			s.t.Errorf("%+v %v", d, err)
		}
	}
	s.inBubble(func() {
		s.finish()
		if rows := s.brief(); p.of("http://a.test/p3") != 1 || rows["http://a.test/p3"] == "" || rows["http://a.test/p4"] != "" {
			s.t.Errorf("asked %d times, rows %v", p.of("http://a.test/p3"), rows)
		}
	})
}
