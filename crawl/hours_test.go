package crawl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

func TestParseHours(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{" ", ""},
		{"22:00-06:00", "22:00-06:00"},
		{"8:00-9:30", "08:00-09:30"},
		{" 22:00 - 06:00 ", "22:00-06:00"},
		{"12:00-13:00, 22:00-06:00", "12:00-13:00,22:00-06:00"},
		{"12:00-13:00,12:00-13:00", "12:00-13:00"},
		{"00:00-24:00", "00:00-24:00"},
		{"22:00-24:00", "22:00-24:00"},
		{"22:00-00:00", "22:00-00:00"},
		{"fri 22:00-06:00", "fri 22:00-06:00"},
		{"Mon-Fri  12:00-13:00,SAT-sun", "mon-fri 12:00-13:00,sat-sun"},
		{"sun-sun", "sun"},
		{"fri-mon 01:00-02:00", "fri-mon 01:00-02:00"},
	} {
		h, err := ParseHours(c.text)
		if err != nil || h.String() != c.want {
			t.Errorf("%q is spelled %q, want %q; %v", c.text, h, c.want, err)
		}
		again, err := ParseHours(h.String())
		if err != nil || again.String() != h.String() || fmt.Sprint(again.open) != fmt.Sprint(h.open) {
			t.Errorf("%q is read as %v, and then as %v; %v", c.text, h.open, again.open, err)
		}
	}
}

func TestHoursThatCannotBe(t *testing.T) {
	const noRange = "is neither a range of times such as 22:00-06:00 nor a day such as fri or mon-fri"
	for _, c := range []struct{ text, want string }{
		{"25:00-06:00", `"25:00" is not a time of day such as 22:00`},
		{"22:60-06:00", `"22:60" is not a time of day such as 22:00`},
		{"24:01-06:00", `"24:01" is not a time of day such as 22:00`},
		{"22-6", `"22" is not a time of day such as 22:00`},
		{"22:0-6:00", `"22:0" is not a time of day such as 22:00`},
		{"022:00-6:00", `"022:00" is not a time of day such as 22:00`},
		{":00-6:00", `":00" is not a time of day such as 22:00`},
		{"22:00-", `"" is not a time of day such as 22:00`},
		{"22:00-06:00-07:00", `"06:00-07:00" is not a time of day such as 22:00`},
		{"22:00", `"22:00" is not a range of times such as 22:00-06:00`},
		{"22:00-06:00,", `"" is not a range of times such as 22:00-06:00`},
		{"24:00-06:00", `"24:00-06:00" begins when the day ends; write 00:00`},
		{"06:00-06:00", `"06:00-06:00" ends when it begins; all day is 00:00-24:00`},
		{"00:00-00:00", `"00:00-00:00" ends when it begins; all day is 00:00-24:00`},
		{"10pm-6am", `"10pm-6am" ` + noRange},
		{"at night", `"at" ` + noRange},
		{"monday 22:00-06:00", `"monday" ` + noRange},
		{"mon-fri 22:00", `"mon-fri 22:00" is not a range of times such as 22:00-06:00`},
		{"22:00–06:00", `"22:00–06:00" ` + noRange},
		{"-1:00-06:00", `"" is not a time of day such as 22:00`},
		{"\x1b[2J", `"\x1b[2j" ` + noRange},
		{strings.Repeat("x", 60), `"` + strings.Repeat("x", 40) + `…" ` + noRange},
		{strings.Repeat("22:00-06:00,", 100) + "22:00-06:00", `"22:00-06:00,22:00-06:00,22:00-06:00,22:0…" is longer than 1000 characters`},
	} {
		h, err := ParseHours(c.text)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q is %v, %v; want %s", c.text, h.open, err, c.want)
		}
	}
}

// zone is a time zone, if this machine knows it.
func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	where, err := time.LoadLocation(name)
	if err != nil {
		t.Skip(err)
	}
	return where
}

func TestClosed(t *testing.T) {
	const clock = "Mon 2006-01-02 15:04:05 -0700"
	for _, c := range []struct {
		name, hours, zone, now, opens string // opens is empty: it is open
	}{
		{"always", "", "UTC", "2026-05-04T12:00:00Z", ""},
		{"in the evening", "22:00-06:00", "UTC", "2026-05-04T22:00:00Z", ""},
		{"after midnight", "22:00-06:00", "UTC", "2026-05-05T05:59:59Z", ""},
		{"at its end", "22:00-06:00", "UTC", "2026-05-05T06:00:00Z", "Tue 2026-05-05 22:00:00 +0000"},
		{"a moment before", "22:00-06:00", "UTC", "2026-05-05T21:59:59.75Z", "Tue 2026-05-05 22:00:00 +0000"},
		{"before the first of two", "12:00-13:00,22:00-23:00", "UTC", "2026-05-05T11:00:00Z", "Tue 2026-05-05 12:00:00 +0000"},
		{"between two", "12:00-13:00,22:00-23:00", "UTC", "2026-05-05T13:00:00Z", "Tue 2026-05-05 22:00:00 +0000"},
		{"after the last", "12:00-13:00,22:00-23:00", "UTC", "2026-12-31T23:00:00Z", "Fri 2027-01-01 12:00:00 +0000"},
		{"ranges that meet", "12:00-13:00,13:00-14:00", "UTC", "2026-05-05T13:00:00Z", ""},
		{"ranges that overlap", "12:00-18:00,13:00-14:00", "UTC", "2026-05-05T17:59:00Z", ""},
		{"until midnight", "22:00-24:00", "UTC", "2026-05-05T00:00:00Z", "Tue 2026-05-05 22:00:00 +0000"},
		{"all day", "00:00-24:00", "UTC", "2026-05-05T00:00:00Z", ""},
		{"on a working day", "mon-fri 22:00-06:00,sat-sun", "UTC", "2026-05-05T12:00:00Z", "Tue 2026-05-05 22:00:00 +0000"},
		{"at the weekend", "mon-fri 22:00-06:00,sat-sun", "UTC", "2026-05-09T12:00:00Z", ""},
		{"Friday night", "fri 22:00-06:00", "UTC", "2026-05-09T05:59:00Z", ""},
		{"Saturday night", "fri 22:00-06:00", "UTC", "2026-05-09T22:00:00Z", "Fri 2026-05-15 22:00:00 +0000"},
		{"from Saturday into Sunday", "sat 22:00-06:00", "UTC", "2026-05-10T05:00:00Z", ""},
		{"days over the end of the week", "fri-mon", "UTC", "2026-05-05T00:00:00Z", "Fri 2026-05-08 00:00:00 +0000"},
		{"a zone of half an hour", "22:00-06:00", "half", "2026-05-05T12:00:00Z", "Tue 2026-05-05 22:00:00 +0530"},

		// Clocks are set forward on 29 March 2026 at 02:00, back on 25 October at 03:00.
		{"a night of 23 hours", "22:00-06:00", "Europe/Berlin", "2026-03-29T04:00:00Z", "Sun 2026-03-29 22:00:00 +0200"},
		{"before it", "03:00-06:00", "Europe/Berlin", "2026-03-29T00:59:59Z", "Sun 2026-03-29 03:00:00 +0200"},
		{"a time that is left out", "02:15-02:45", "Europe/Berlin", "2026-03-28T12:00:00Z", "Mon 2026-03-30 02:15:00 +0200"},
		{"a beginning that is left out", "02:30-06:00", "Europe/Berlin", "2026-03-29T00:30:00Z", "Sun 2026-03-29 03:00:00 +0200"},
		{"an end that is left out", "01:00-02:30", "Europe/Berlin", "2026-03-29T01:00:00Z", "Mon 2026-03-30 01:00:00 +0200"},
		{"a time that comes twice", "02:30-03:00", "Europe/Berlin", "2026-10-25T00:45:00Z", ""},
		{"between both", "02:30-03:00", "Europe/Berlin", "2026-10-25T01:00:00Z", "Sun 2026-10-25 02:30:00 +0100"},
		{"the second one", "02:30-03:00", "Europe/Berlin", "2026-10-25T01:45:00Z", ""},
		{"after both", "02:30-03:00", "Europe/Berlin", "2026-10-25T02:00:00Z", "Mon 2026-10-26 02:30:00 +0100"},
		{"a day that is left out", "thu 22:00-23:00", "Pacific/Apia", "2011-12-30T12:00:00Z", "Thu 2012-01-05 22:00:00 +1400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			where := time.FixedZone("half", 5*3600+1800)
			if c.zone != "half" {
				where = zone(t, c.zone)
			}
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			h, err := ParseHours(c.hours)
			if err != nil {
				t.Fatal(err)
			}
			opens, isClosed := h.Closed(now.In(where))
			if got := opens.Format(clock); isClosed && got != c.opens || isClosed != (c.opens != "") {
				t.Errorf("at %s %s is closed %v, opens %s, want %s", now.In(where).Format(clock), c.hours, isClosed, got, c.opens)
			}
		})
	}
}

// allows tells by its text whether hours are open in a minute.
func allows(ranges []dayHours, at time.Time) bool {
	minute := at.Hour()*60 + at.Minute()
	begins := func(r dayHours, day int) bool {
		day = (day + 7) % 7
		if r.first <= r.last {
			return r.first <= day && day <= r.last
		}
		return day >= r.first || day <= r.last
	}
	for _, r := range ranges {
		day := int(at.Weekday())
		switch {
		case r.from < r.to:
			if begins(r, day) && r.from <= minute && minute < r.to {
				return true
			}
		case begins(r, day) && minute >= r.from, begins(r, day-1) && minute < r.to:
			return true
		}
	}
	return false
}

// TestHoursByTheMinute compares with a walk through a fortnight, minute by minute, in
// which clocks are set.
func TestHoursByTheMinute(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	zones := []*time.Location{time.UTC, time.FixedZone("", -(3*3600 + 1800))}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"} {
		if where, err := time.LoadLocation(name); err == nil {
			zones = append(zones, where)
		}
	}
	// Each has a change of some zone in its fortnight.
	starts := []time.Time{
		time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 22, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC),
	}
	for range 40 {
		var ranges []dayHours
		var text []string
		for range 1 + random.IntN(3) {
			r := dayHours{last: 6, isDaily: true, from: random.IntN(dayMinutes), to: 1 + random.IntN(dayMinutes)}
			if random.IntN(2) == 0 {
				r.first, r.last, r.isDaily = random.IntN(7), random.IntN(7), false
			}
			if r.from != r.to {
				ranges, text = append(ranges, r), append(text, r.String())
			}
		}
		if len(ranges) == 0 {
			continue
		}
		h, err := ParseHours(strings.Join(text, ","))
		if err != nil {
			t.Fatal(text, err)
		}
		where := zones[random.IntN(len(zones))]
		at := starts[random.IntN(len(starts))].In(where)
		var opens time.Time // as told in the last minute
		for range 14 * dayMinutes {
			next, isClosed := h.Closed(at)
			switch {
			case isClosed == allows(ranges, at):
				t.Fatalf("%s in %s: closed %v at %v", h, where, isClosed, at)
			case !opens.IsZero() && isClosed && !next.Equal(opens):
				t.Fatalf("%s in %s: at %v it opens at %v, a minute before it was %v", h, where, at, next, opens)
			case !opens.IsZero() && !isClosed && !at.Equal(opens):
				t.Fatalf("%s in %s: it opened at %v, and was to at %v", h, where, at, opens)
			}
			opens = next
			at = at.Add(time.Minute)
		}
	}
}

func FuzzParseHours(f *testing.F) {
	for _, s := range []string{"22:00-06:00", "mon-fri 12:00-13:00,sat-sun", "24:00-24:00", "-,- :", "sat 23:59-00:01"} {
		f.Add(s, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		h, err := ParseHours(text)
		if err != nil {
			return
		}
		again, err := ParseHours(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%q is spelled %q, which is %q, %v", text, h, again, err)
		}
		now := time.Unix(unix%(1<<36), 0).UTC()
		opens, isClosed := h.Closed(now)
		if !isClosed {
			return
		}
		if wait := opens.Sub(now); wait <= 0 || wait > 8*24*time.Hour {
			t.Fatalf("%q opens in %v", h, wait)
		}
		if _, still := h.Closed(opens); still {
			t.Fatalf("%q does not open at %v", h, opens)
		}
		if _, was := h.Closed(opens.Add(-1)); !was {
			t.Fatalf("%q opens before %v", h, opens)
		}
	})
}

func BenchmarkClosed(b *testing.B) {
	h, err := ParseHours("mon-fri 22:00-06:00,sat-sun")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 5, 5, 12, 0, 0, 0, time.Local)
	b.ReportAllocs()
	for b.Loop() {
		if _, isClosed := h.Closed(now); !isClosed {
			b.Fatal("open")
		}
	}
}

func TestNothingIsAskedOutsideTheHours(t *testing.T) {
	var often []string // ten minutes of each hour
	for hour := range 24 {
		often = append(often, fmt.Sprintf("%d:20-%d:30", hour, hour))
	}
	for _, c := range []struct {
		name, hours string
		delay       time.Duration
		pages       int
		mayAsk      func(at time.Time) bool
		spell       time.Duration // how far the hours are apart
		spells      int           // in which it crawls, at least
		isLong      bool
	}{
		{"often", strings.Join(often, ","), time.Minute, 40, func(at time.Time) bool { return at.Minute()/10 == 2 }, time.Hour, 4, false},
		{"at night", "22:00-06:00", 40 * time.Minute, 15, func(at time.Time) bool { return at.Hour() < 6 || at.Hour() >= 22 }, 12 * time.Hour, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.isLong && raceOn {
				t.Skip("a crawl of days takes long")
			}
			s, p := wide(t, c.pages)
			s.opt.Hours, s.opt.Delay = c.hours, c.delay
			// An answer may come when it is closed already, and is taken.
			for i := range c.pages {
				p.on(fmt.Sprintf("http://a.test/p%d", i), slow(linking("/late"), 25*time.Second))
			}
			p.on("http://a.test/late", linking())
			s.inBubble(func() {
				sum := s.finish()
				if n := sum.Counts.Of(storage.Fetched); n != uint64(c.pages+2) {
					s.t.Errorf("%d fetched", n)
				}
				spells := map[int64]bool{}
				for _, a := range p.asked {
					if !c.mayAsk(a.at) {
						s.t.Errorf("%s was asked for at %v", a.url, a.at)
					}
					spells[a.at.Unix()/int64(c.spell.Seconds())] = true
				}
				if len(spells) < c.spells {
					s.t.Errorf("crawled in %d spells, which is too few to tell", len(spells))
				}
			})
		})
	}
}

// closedNow are hours of which now is none, and when they open.
func closedNow() (hours string, opens time.Time) {
	opens = time.Now().Truncate(time.Minute).Add(3 * time.Hour)
	return opens.Format("15:04-") + opens.Add(time.Hour).Format("15:04"), opens
}

func TestWhoSpeaksToACrawlOutsideItsHoursIsHeard(t *testing.T) {
	s, p := wide(t, 20)
	p.on("http://b.test/", linking())
	s.inBubble(func() {
		hours, opens := closedNow()
		s.opt.Hours = hours
		s.beside = func(ctx context.Context, c *Crawl) {
			time.Sleep(time.Minute)
			st, err := c.Status(ctx)
			if err != nil || st.State != "running" || st.Live == nil || st.Live.Hold == nil {
				s.t.Fatalf("%+v, %v", st, err)
			}
			if h := st.Live.Hold; h.Reason != HeldByHours || h.Until != stampOf(opens) {
				s.t.Errorf("held by %+v, want until %v", h, opens)
			}
			story, err := c.Why(ctx, "http://a.test/")
			want := "it is outside of --hours " + hours + "; nothing is asked until " + stampOf(opens) + ", and its host waits for that; it is the next of its host"
			if err != nil || story.Standing != "queued" || story.Because != want {
				s.t.Errorf("the story is %+v, %v; want %s", story, err, want)
			}
			a, err := c.Add(ctx, []string{"b.test"})
			if err != nil || a.Added != 1 {
				s.t.Errorf("%+v %v", a, err)
			}
			must(s.t, c.Change(ctx, func(s *Settings) error { s.Workers = 2; return nil }))
			if n := len(p.asked); n > 0 {
				s.t.Errorf("%d requests outside the hours", n)
			}
			must(s.t, c.Change(ctx, func(s *Settings) error { s.Hours = ""; return nil }))
			time.Sleep(10 * time.Second)
			if p.of("http://a.test/") != 1 || p.of("http://b.test/") != 1 {
				s.t.Errorf("nothing is asked though the hours were taken back")
			}
			if st, err := c.Status(ctx); err != nil || st.Live.Hold != nil {
				s.t.Errorf("%+v, %v", st.Live.Hold, err)
			}
			must(s.t, c.Change(ctx, func(s *Settings) error { s.Hours = hours; return nil }))
			time.Sleep(2 * time.Second) // what was in flight
			n := len(p.asked)
			time.Sleep(time.Hour)
			if len(p.asked) != n {
				s.t.Errorf("%d requests after the hours were set", len(p.asked)-n)
			}
			must(s.t, c.Stop(ctx))
		}
		if sum := s.stopAfter(patience); sum.End != Stopped || sum.Counts.Pending == 0 {
			s.t.Errorf("ended %s with %d pending", sum.End, sum.Counts.Pending)
		}
		if now := time.Now(); now.After(opens) {
			s.t.Errorf("the stop waited until %v, when the hours open", now)
		}
	})
}

func TestMaxDurationEndsARunOutsideItsHours(t *testing.T) {
	s, p := wide(t, 20)
	s.opt.MaxDuration = time.Hour
	s.inBubble(func() {
		s.opt.Hours, _ = closedNow()
		began := time.Now()
		sum := s.stopAfter(patience)
		if took := time.Since(began); sum.End != MaxDuration || took > time.Hour+time.Minute || len(p.asked) > 0 {
			s.t.Errorf("ended %s after %v with %d requests", sum.End, took, len(p.asked))
		}
	})
}

// A crawl of which nothing is left does not wait for its hours to end.
func TestACrawlThatIsFinishedEndsOutsideItsHours(t *testing.T) {
	s, p := wide(t, 5)
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		s.finish()
		n := len(p.asked)
		s.opt.Input.Args = nil
		s.opt.Hours, _ = closedNow()
		began := time.Now()
		s.finish()
		if took := time.Since(began); took > time.Minute || len(p.asked) > n {
			t.Errorf("took %v and %d requests", took, len(p.asked)-n)
		}
	})
}
