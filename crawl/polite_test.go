package crawl

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

// numbered are links to /1, /2 and so on, on a host where all of them are
// pages.
func numbered(p *paper, host string, n int, a answer) (links []string) {
	for i := range n {
		path := fmt.Sprintf("/%d", i+1)
		links = append(links, path)
		p.on(host+path, a)
	}
	p.on(host+"/", linking(links...))
	return links
}

func TestGapBetweenRequests(t *testing.T) {
	for _, c := range []struct {
		name        string
		delay       time.Duration
		robots      string
		answer      time.Duration // how long each takes
		least, most time.Duration // of the gap, from the third request on
	}{
		{"none", 0, "", 0, 0, 0},
		{"fixed", 3 * time.Second, "", time.Second, 3 * time.Second, 3 * time.Second},
		{"fixed, shorter than the answer", time.Second, "", 4 * time.Second, 4 * time.Second, 4 * time.Second},
		{"Crawl-delay", 0, "User-agent: *\nCrawl-delay: 5", time.Second, 5 * time.Second, 5 * time.Second},
		{"Crawl-delay shorter than the user's", 7 * time.Second, "User-agent: *\nCrawl-delay: 5", 0, 7 * time.Second, 7 * time.Second},
		{"Crawl-delay of another agent", 0, "User-agent: other\nCrawl-delay: 5\n\nUser-agent: *\nDisallow:", 0, 0, 0},
		{"adaptive, fast host", Adaptive, "", 10 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
		{"adaptive, slow host", Adaptive, "", 2 * time.Second, 2 * time.Second, 2 * time.Second},
		{"adaptive, very slow host", Adaptive, "", 25 * time.Second, 25 * time.Second, 25 * time.Second},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/")
			s.opt.Delay = c.delay
			if c.robots != "" {
				p.on("http://a.test/robots.txt", text(c.robots))
			}
			numbered(p, "http://a.test", 12, slow(linking(), c.answer))
			for range 3 {
				if c.answer < grace { // or a stop would break it off
					s.stopAfter(c.most + time.Millisecond)
				}
			}
			s.finish()
			at := p.times("a.test")
			if len(at) != 14 {
				t.Fatalf("%d requests", len(at))
			}
			for i := 3; i < len(at); i++ {
				// The file keeps milliseconds, and a commit may come between.
				if gap := at[i].Sub(at[i-1]); gap < c.least || gap > c.most+60*time.Millisecond {
					t.Errorf("gap %d is %v", i, gap)
				}
			}
		})
	}
}

// With several connections the answers of a slow host overlap, and the gap is
// still kept from start to start.
func TestGapOfSeveralConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.PerHost, s.opt.Delay = 3, time.Second
		numbered(p, "http://a.test", 40, slow(linking(), 2500*time.Millisecond))
		for range 4 {
			s.stopAfter(5300 * time.Millisecond)
		}
		s.finish()
		if gap := p.gap("a.test"); gap < time.Second {
			t.Errorf("a gap of %v", gap)
		}
		if p.most != 3 {
			t.Errorf("%d requests at a time", p.most)
		}
	})
}

func TestThrottledHostIsAskedLess(t *testing.T) {
	for _, code := range []int{429, 503} {
		inBubble(t, fmt.Sprint(code), func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/", "http://b.test/")
			links := numbered(p, "http://a.test", 30, linking())
			p.on("http://a.test"+links[4], refusal(code, 90*time.Second), linking())
			numbered(p, "http://b.test", 30, linking())
			s.stopAfter(20 * time.Second)
			s.finish()
			at := p.times("a.test")
			longest := 0
			for i := 1; i < len(at); i++ {
				if at[i].Sub(at[i-1]) > at[longest].Sub(at[max(longest-1, 0)]) {
					longest = i
				}
			}
			if gap := at[longest].Sub(at[longest-1]); gap < 90*time.Second || gap > 95*time.Second {
				t.Errorf("the host was left alone for %v", gap)
			}
			// From then on more slowly, but not for ever.
			if gap := at[longest+2].Sub(at[longest+1]); gap < time.Second {
				t.Errorf("then it was asked every %v", gap)
			}
			if gap := at[len(at)-1].Sub(at[len(at)-2]); gap > 900*time.Millisecond {
				t.Errorf("in the end it was asked every %v", gap)
			}
			if gap := p.gap("b.test"); gap > time.Second {
				t.Errorf("the other host waited: %v", gap)
			}
		})
	}
}

func TestHostThatThrottlesForEver(t *testing.T) {
	for _, wish := range []time.Duration{0, time.Second, 10 * time.Minute} {
		inBubble(t, wish.String(), func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/", "http://b.test/")
			links := numbered(p, "http://a.test", 600, refusal(429, wish))
			numbered(p, "http://b.test", 5, linking())
			s.stopAfter(time.Minute)
			sum := s.finish()
			if n := len(p.times("a.test")); n > 100 {
				t.Errorf("the host was asked %d times", n)
			}
			if sum.Took > 24*time.Hour {
				t.Errorf("it took %v", sum.Took)
			}
			rows := s.brief()
			for _, l := range links {
				if row := rows["http://a.test"+l]; row != "failed throttled" {
					t.Fatalf("%s is %q", l, row)
				}
			}
			if len(rows) != 602+5 {
				t.Errorf("%d rows", len(rows))
			}
		})
	}
}

func TestRobotsAnswers(t *testing.T) {
	const a = "http://a.test/"
	forbid := text("User-agent: *\nDisallow: /no")
	chain := func(n int) map[string][]answer {
		web := map[string][]answer{a + "robots.txt": {moved("/r1")}}
		for i := 1; i < n; i++ {
			web[fmt.Sprintf("%sr%d", a, i)] = []answer{moved(fmt.Sprintf("/r%d", i+1))}
		}
		web[fmt.Sprintf("%sr%d", a, n)] = []answer{forbid}
		return web
	}
	for _, c := range []struct {
		name string
		web  map[string][]answer
		want string // of /no
		asks int    // for robots.txt itself
		most time.Duration
	}{
		{"rules", map[string][]answer{a + "robots.txt": {forbid}}, "blocked", 1, time.Second},
		{"404", map[string][]answer{a + "robots.txt": {status(404)}}, "fetched", 1, time.Second},
		{"401", map[string][]answer{a + "robots.txt": {status(401)}}, "fetched", 1, time.Second},
		{"403", map[string][]answer{a + "robots.txt": {status(403)}}, "fetched", 1, time.Second},
		{"410", map[string][]answer{a + "robots.txt": {status(410)}}, "fetched", 1, time.Second},
		{"empty", map[string][]answer{a + "robots.txt": {text("")}}, "fetched", 1, time.Second},
		{"a web page", map[string][]answer{a + "robots.txt": {linking("/x")}}, "fetched", 1, time.Second},
		{"500 for ever", map[string][]answer{a + "robots.txt": {status(500)}}, "failed robots", 5, time.Minute},
		{"501 for ever", map[string][]answer{a + "robots.txt": {status(501)}}, "failed robots", 5, time.Minute},
		{"503 for ever", map[string][]answer{a + "robots.txt": {status(503)}}, "failed robots", 5, 5 * time.Minute},
		{"503 for an hour", map[string][]answer{a + "robots.txt": {refusal(503, time.Hour), forbid}}, "blocked", 2, 2 * time.Hour},
		{"429 for ever", map[string][]answer{a + "robots.txt": {status(429)}}, "failed robots", 5, 5 * time.Minute},
		{"500 at first", map[string][]answer{a + "robots.txt": {status(500), status(500), forbid}}, "blocked", 3, 10 * time.Second},
		{"connection refused", map[string][]answer{a + "robots.txt": {refused}}, "failed robots", 5, time.Minute},
		{"no such host", map[string][]answer{a + "robots.txt": {noHost}}, "failed robots", 5, time.Minute},
		{"no answer", map[string][]answer{a + "robots.txt": {slow(forbid, time.Hour)}}, "failed robots", 5, 10 * time.Minute},
		{"connection lost", map[string][]answer{a + "robots.txt": {reset}}, "failed robots", 5, time.Minute},
		{"five redirects", chain(5), "blocked", 1, 10 * time.Second},
		{"six redirects", chain(6), "fetched", 1, 10 * time.Second},
		{"redirect to itself", map[string][]answer{a + "robots.txt": {moved("/robots.txt")}}, "fetched", 6, 10 * time.Second},
		{"redirect to nowhere", map[string][]answer{a + "robots.txt": {moved("")}}, "fetched", 1, 10 * time.Second},
		{"redirect to another scheme", map[string][]answer{a + "robots.txt": {moved("ftp://a.test/robots.txt")}}, "fetched", 1, 10 * time.Second},
		{
			"redirect to another host",
			map[string][]answer{a + "robots.txt": {moved("http://www.test/x")}, "http://www.test/x": {forbid}},
			"blocked", 1, 10 * time.Second,
		},
		{
			"redirect to another host that is broken at first",
			map[string][]answer{a + "robots.txt": {moved("http://www.test/x")}, "http://www.test/x": {reset, status(500), forbid}},
			"blocked", 1, 20 * time.Second,
		},
		{
			"redirect to another host that is not there",
			map[string][]answer{a + "robots.txt": {moved("http://www.test/x")}, "http://www.test/x": {noHost}},
			"failed robots", 1, time.Minute,
		},
		{
			"redirect to another host that has nothing",
			map[string][]answer{a + "robots.txt": {moved("http://www.test/x")}},
			"fetched", 1, 10 * time.Second,
		},
		{
			"redirect to another host and back",
			map[string][]answer{a + "robots.txt": {moved("http://www.test/x")}, "http://www.test/x": {moved(a + "y")}, a + "y": {forbid}},
			"blocked", 1, 10 * time.Second,
		},
	} {
		for _, restarts := range some(0, 6) {
			inBubble(t, fmt.Sprintf("%s, %d restarts", c.name, restarts), func(t *testing.T) {
				s, p := onPaper(t, a+"no")
				p.on(a+"no", linking())
				for url, answers := range c.web {
					p.on(url, answers...)
				}
				var took time.Duration
				for range restarts {
					if c.web[a+"robots.txt"][0].wait > grace {
						break // a stop would break it off
					}
					sum := s.stopAfter(400 * time.Millisecond)
					took += sum.Took
				}
				sum := s.finish()
				s.want(map[string]string{a + "no": c.want})
				if n := p.of(a + "robots.txt"); n != c.asks {
					t.Errorf("robots.txt was asked for %d times, want %d", n, c.asks)
				}
				if took += sum.Took; took > c.most+time.Second {
					t.Errorf("it took %v, want at most %v", took, c.most)
				}
				for url := range c.web {
					if url != a+"robots.txt" && c.want == "blocked" && len(c.web[url]) == 1 && p.of(url) != 1 {
						t.Errorf("%s was asked for %d times", url, p.of(url))
					}
				}
			})
		}
	}
}

// A robots.txt that cannot be had does not hold up other hosts.
func TestRobotsHoldsOnlyItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/", "http://b.test/", "https://b.test/")
		s.opt.Workers = 1
		p.on("http://a.test/robots.txt", refusal(503, 10*time.Minute))
		p.on("http://b.test/", linking())
		p.on("https://b.test/robots.txt", status(500))
		p.on("https://b.test/", linking())
		s.stopAfter(time.Minute)
		s.want(map[string]string{"http://b.test/": "fetched", "https://b.test/": "failed robots"})
		s.finish()
		s.want(map[string]string{"http://a.test/": "failed robots", "http://b.test/": "fetched", "https://b.test/": "failed robots"})
	})
}

// robots.txt is asked for again after a day. When it cannot be had then, its
// last copy goes on to serve.
func TestRobotsIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.Delay = 10 * time.Minute
		s.opt.Retries = 1
		numbered(p, "http://a.test", 20, linking("/no"))
		p.on("http://a.test/robots.txt", text("User-agent: *\nDisallow: /no"), status(500))
		s.stopAfter(25 * time.Minute)
		time.Sleep(22 * time.Hour)
		s.finish()
		want := map[string]string{"http://a.test/": "fetched", "http://a.test/no": "blocked"}
		for i := range 20 {
			want[fmt.Sprintf("http://a.test/%d", i+1)] = "fetched"
		}
		s.want(want)
		var asked []time.Duration
		for _, a := range p.asked {
			if strings.HasSuffix(a.url, "/robots.txt") {
				asked = append(asked, a.at.Sub(p.asked[0].at))
			}
		}
		// Once more after a day, in two attempts, and an hour later.
		if len(asked) < 4 || asked[1] < 24*time.Hour || asked[1] > 24*time.Hour+11*time.Minute || asked[3] < asked[2]+time.Hour {
			t.Errorf("robots.txt was asked for after %v", asked)
		}
		if gap := p.gap("a.test"); gap < 10*time.Minute {
			t.Errorf("a gap of %v", gap)
		}
	})
}

// What is learned of a host outlives the process.
func TestHoldOutlivesTheProcess(t *testing.T) {
	for _, kill := range []bool{false, true} {
		inBubble(t, fmt.Sprintf("killed %v", kill), func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/1", "http://a.test/2")
			p.on("http://a.test/1", refusal(429, time.Hour), linking())
			p.on("http://a.test/2", linking())
			for range 5 {
				if kill {
					s.killAfter(5 * time.Minute)
				} else {
					s.stopAfter(5 * time.Minute)
				}
			}
			s.finish()
			s.want(map[string]string{"http://a.test/1": "fetched", "http://a.test/2": "fetched"})
			at := p.times("a.test")
			if len(at) != 4 || at[2].Sub(at[1]) < time.Hour || at[2].Sub(at[1]) > time.Hour+5*time.Minute {
				t.Errorf("asked at %v", at)
			}
			if v := s.outcomes()["http://a.test/1"]; v.Attempt != 2 || v.Outcome != storage.Fetched {
				t.Errorf("attempt %d", v.Attempt)
			}
		})
	}
}
