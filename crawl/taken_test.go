package crawl

import (
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

// Seeds that are given when the crawl stands at its limit are in the queue when
// the limit is raised.
func TestSeedsAtALimitAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		p.on("http://a.test/", linking("/1", "/2"))
		for _, u := range []string{"http://a.test/1", "http://a.test/2", "http://b.test/"} {
			p.on(u, linking())
		}
		s.opt.MaxPages = 2
		if sum := s.run(t.Context()); sum.End != MaxPages {
			t.Fatalf("ended %s", sum.End)
		}
		s.opt.Input.Args = []string{"http://b.test/"}
		if sum := s.run(t.Context()); sum.End != MaxPages || sum.NewSeeds != 1 {
			t.Fatalf("ended %s with %d new seeds", sum.End, sum.NewSeeds)
		}
		s.opt.Input.Args, s.opt.MaxPages = nil, 0
		s.finish()
		if s.outcomes()["http://b.test/"] == nil {
			t.Error("the seed is lost")
		}
	})
}

// What came into the queue by a setting leaves it when that is taken back, and
// comes back with it.
func TestSettingsAreTakenBack(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		set          func(*Settings, bool)
	}{
		{"ignore-nofollow", "nofollow", func(s *Settings, on bool) { s.IgnoreNoFollow = on }},
		{"assets", "assets", func(s *Settings, on bool) { s.Assets = on }},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/")
			links := []string{}
			for i := range 20 {
				links = append(links, fmt.Sprintf("nofollow /n%d", i))
				p.on(fmt.Sprintf("http://a.test/n%d", i), linking())
				p.on(fmt.Sprintf("http://a.test/i%d.png", i), text("png"))
			}
			a := linking(links...)
			if c.name == "assets" {
				a.body = ""
				for i := range 20 {
					a.body += fmt.Sprintf("<img src=/i%d.png>\n", i)
				}
			}
			p.on("http://a.test/", a)
			c.set(&s.opt.Settings, true)
			s.opt.MaxPages = 5
			s.run(t.Context())
			s.opt.MaxPages = 0
			c.set(&s.opt.Settings, false)
			if sum := s.finish(); sum.Counts.Of(storage.Fetched) != 5 || sum.Counts.Withdrawn != 16 {
				t.Errorf("%d fetched, %d withdrawn", sum.Counts.Of(storage.Fetched), sum.Counts.Withdrawn)
			}
			for u, reason := range s.skipped() {
				if reason != c.reason {
					t.Errorf("%s is skipped because of %q", u, reason)
				}
			}
			c.set(&s.opt.Settings, true)
			if sum := s.finish(); sum.Counts.Of(storage.Fetched) != 21 {
				t.Errorf("%d fetched in the end", sum.Counts.Of(storage.Fetched))
			}
		})
	}
}

// A run that begins an hour after a host was given up asks it again.
func TestDeadHostMayComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/1")
		p.on("http://a.test/robots.txt", refusal(500, 0))
		s.finish()
		s.want(map[string]string{"http://a.test/1": "failed robots"})
		time.Sleep(2 * time.Hour)
		p.on("http://a.test/robots.txt", status(404))
		p.on("http://a.test/2", linking())
		s.opt.Input.Args = []string{"http://a.test/2"}
		s.finish()
		if v := s.outcomes()["http://a.test/2"]; v == nil || v.Outcome != storage.Fetched {
			t.Errorf("%+v", v)
		}
	})
}

// Every body counts against --max-bytes, also those of failed attempts.
func TestBytesOfFailedAttemptsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		a := refusal(500, 0)
		a.body = string(make([]byte, 1000))
		p.on("http://a.test/", a)
		sum := s.finish()
		if n := sum.Counts.Transferred; n < 5000 {
			t.Errorf("%d bytes of five answers", n)
		}
	})
}

// blackout is a web that cannot be reached for a while.
type blackout struct {
	http.RoundTripper
	from, to time.Time
	tried    int
}

func (o *blackout) RoundTrip(r *http.Request) (*http.Response, error) {
	if now := time.Now(); now.After(o.from) && now.Before(o.to) {
		o.tried++
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return o.RoundTripper.RoundTrip(r)
}

// A host that answered and then is gone for a while is waited for: its queue is
// not burnt, and it is not tried all the time.
func TestHostIsGoneForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		numbered(p, "http://a.test", 300, linking())
		o := &blackout{RoundTripper: p, from: time.Now().Add(5 * time.Second), to: time.Now().Add(3 * time.Minute)}
		s.opt.Transport, s.opt.Workers = o, 1
		sum := s.finish()
		if n := sum.Counts.Of(storage.Failed); n > 3 {
			t.Errorf("%d pages failed", n)
		}
		if o.tried > 12 {
			t.Errorf("it was tried %d times", o.tried)
		}
	})
}

// When it does not come back the crawl ends.
func TestHostIsGoneForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		numbered(p, "http://a.test", 300, linking())
		began := time.Now()
		s.opt.Transport, s.opt.Workers = &blackout{RoundTripper: p, from: began.Add(5 * time.Second), to: began.Add(1000 * time.Hour)}, 1
		sum := s.finish()
		if sum.Counts.Classes[storage.Connect] < 200 {
			t.Errorf("%+v", sum.Counts)
		}
		if took := time.Since(began); took > 20*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
