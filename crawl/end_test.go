package crawl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

// inBubble runs a test whose clock moves on by itself.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestCrawlEnds(t *testing.T) {
	const a, b = "http://a.test/", "http://b.test/"
	for _, c := range []struct {
		name  string
		seeds []string
		set   func(s *site)
		web   map[string][]answer
		want  map[string]string
		most  time.Duration
	}{
		{
			name: "no seeds",
			want: map[string]string{},
		},
		{
			name: "one page", seeds: []string{a},
			web:  map[string][]answer{a: {linking()}},
			want: map[string]string{a: "fetched"},
			most: time.Second,
		},
		{
			name: "no seed can be read", seeds: []string{"http://", "::", "mailto:x@a.test", " "},
			want: map[string]string{},
		},
		{
			name: "all seeds are excluded", seeds: []string{a, b},
			set:  func(s *site) { s.opt.Exclude = []string{`\.test/`} },
			want: map[string]string{},
		},
		{
			name: "everything is gone", seeds: []string{a, b, a + "x"},
			want: map[string]string{a: "failed 404", b: "failed 404", a + "x": "failed 404"},
			most: 2 * time.Second,
		},
		{
			name: "no host is known", seeds: []string{a, b, a + "x"},
			web:  map[string][]answer{a + "robots.txt": {noHost}, b + "robots.txt": {noHost}},
			want: map[string]string{a: "failed robots", b: "failed robots", a + "x": "failed robots"},
			most: 30 * time.Second,
		},
		{
			name: "no host is known and nobody asks for robots.txt", seeds: []string{a, b, a + "x"},
			set:  func(s *site) { s.opt.IgnoreRobots = true },
			web:  map[string][]answer{a: {noHost}, b: {noHost}, a + "x": {noHost}},
			want: map[string]string{a: "failed dns", b: "failed dns", a + "x": "failed dns"},
			most: 30 * time.Second,
		},
		{
			name: "every connection is refused", seeds: []string{a, b, a + "x"},
			set:  func(s *site) { s.opt.IgnoreRobots = true },
			web:  map[string][]answer{a: {refused}, b: {refused}, a + "x": {refused}},
			want: map[string]string{a: "failed connect", b: "failed connect", a + "x": "failed connect"},
			most: time.Minute,
		},
		{
			name: "everything breaks off", seeds: []string{a, b},
			web:  map[string][]answer{a: {reset}, b: {reset}},
			want: map[string]string{a: "failed reset", b: "failed reset"},
			most: time.Minute,
		},
		{
			name: "no retries", seeds: []string{a},
			set:  func(s *site) { s.opt.Retries = 0 },
			web:  map[string][]answer{a: {reset}},
			want: map[string]string{a: "failed reset"},
			most: time.Second,
		},
		{
			name: "the third attempt succeeds", seeds: []string{a},
			web:  map[string][]answer{a: {reset, status(502), linking("/x")}, a + "x": {linking()}},
			want: map[string]string{a: "fetched", a + "x": "fetched"},
			most: 10 * time.Second,
		},
		{
			name: "no answer ever", seeds: []string{a},
			set:  func(s *site) { s.opt.Retries = 1 },
			web:  map[string][]answer{a: {slow(linking(), time.Hour)}},
			want: map[string]string{a: "failed timeout"},
			most: 3 * time.Minute,
		},
		{
			name: "a slow last page brings more", seeds: []string{a, b},
			web: map[string][]answer{
				a: {slow(linking("/x"), 29*time.Second)}, b: {linking()},
				a + "x": {slow(linking("/y"), 29*time.Second)}, a + "y": {linking()},
			},
			want: map[string]string{a: "fetched", a + "x": "fetched", a + "y": "fetched", b: "fetched"},
			most: 2 * time.Minute,
		},
		{
			name: "the last page comes after an hour", seeds: []string{a, b},
			web: map[string][]answer{
				a: {refusal(500, time.Hour), linking("/x")}, a + "x": {linking()}, b: {linking()},
			},
			want: map[string]string{a: "fetched", a + "x": "fetched", b: "fetched"},
			most: 2 * time.Hour,
		},
		{
			name: "a host wants to be left alone for an hour", seeds: []string{a, a + "x", b},
			web: map[string][]answer{
				a: {refusal(429, time.Hour), linking("/y")}, a + "x": {linking()}, a + "y": {linking()}, b: {linking()},
			},
			want: map[string]string{a: "fetched", a + "x": "fetched", a + "y": "fetched", b: "fetched"},
			most: 2 * time.Hour,
		},
		{
			name: "robots.txt forbids all", seeds: []string{a, a + "x"},
			web:  map[string][]answer{a + "robots.txt": {text("User-agent: *\nDisallow: /")}},
			want: map[string]string{a: "blocked", a + "x": "blocked"},
			most: time.Second,
		},
	} {
		for _, workers := range some(1, 16) {
			inBubble(t, fmt.Sprintf("%s, %d workers", c.name, workers), func(t *testing.T) {
				s, p := onPaper(t, c.seeds...)
				s.opt.Workers = workers
				if c.set != nil {
					c.set(s)
				}
				for url, answers := range c.web {
					p.on(url, answers...)
				}
				sum := s.finish()
				s.want(c.want)
				if sum.Took > c.most {
					t.Errorf("it took %v, want at most %v", sum.Took, c.most)
				}
			})
		}
	}
}

func TestPanicIsAnOutcome(t *testing.T) {
	inBubble(t, "of a page", func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.Workers = 2
		want := map[string]string{"http://a.test/": "fetched"}
		var links []string
		for i := range 20 {
			path := fmt.Sprintf("/%d", i)
			links = append(links, path)
			if i%2 == 0 {
				p.on("http://a.test"+path, answer{panics: true})
				want["http://a.test"+path] = "failed crashed"
				continue
			}
			p.on("http://a.test"+path, linking(path+"/below"))
			p.on("http://a.test"+path+"/below", linking())
			want["http://a.test"+path], want["http://a.test"+path+"/below"] = "fetched", "fetched"
		}
		p.on("http://a.test/", linking(links...))
		s.finish()
		s.want(want)
		if n := p.of("http://a.test/0"); n != 1 {
			t.Errorf("the page that panics was asked for %d times", n)
		}
		// It costs its delay, and no more.
		if gap := p.gap("a.test"); gap < 100*time.Millisecond {
			t.Errorf("a gap of %v", gap)
		}
	})
	inBubble(t, "of robots.txt", func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/", "http://b.test/")
		p.on("http://a.test/robots.txt", answer{panics: true})
		p.on("http://b.test/", linking())
		s.finish()
		s.want(map[string]string{"http://a.test/": "failed robots", "http://b.test/": "fetched"})
		if n := p.of("http://a.test/"); n != 0 {
			t.Error("a page was asked for without its robots.txt")
		}
	})
}

func TestMaxDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeweb.Defaults()
		o.Pages = 100
		s := newSite(t, o)
		s.opt.Delay = time.Second
		s.opt.MaxDuration = 30 * time.Second
		runs := 0
		for sum := s.run(t.Context()); sum.End != Finished; sum = s.run(t.Context()) {
			runs++
			if sum.End != MaxDuration || sum.Took < s.opt.MaxDuration || sum.Took > s.opt.MaxDuration+time.Second {
				t.Fatalf("a run ended %s after %v", sum.End, sum.Took)
			}
			if runs > 20 {
				t.Fatal("too many runs")
			}
		}
		if runs < 3 {
			t.Errorf("%d runs were enough", runs)
		}
		s.compare(fakeweb.Walk{})
		s.wantAsks(fakeweb.Walk{}, 0)
		s.wantPolite(1, time.Second)
	})
}

func TestMaxPagesIsExact(t *testing.T) {
	for _, c := range []struct {
		name             string
		workers, perHost int
		runs             int // that are stopped on the way
	}{
		{"one worker", 1, 1, 0},
		{"many workers", 100, 5, 0},
		{"many workers, over restarts", 100, 5, 5},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			o := fakeweb.Defaults()
			o.Hosts, o.Pages = 3, 50
			o.Faults = fakeweb.AllFaults()
			o.Latency = fakeweb.Fixed(30 * time.Millisecond)
			s := newSite(t, o)
			s.opt.Workers, s.opt.PerHost = c.workers, c.perHost
			s.opt.MaxPages = 83
			for range c.runs {
				s.stopAfter(700 * time.Millisecond)
			}
			sum := s.run(t.Context())
			if n := sum.Counts.Of(storage.Fetched); sum.End != MaxPages || n != 83 {
				t.Fatalf("ended %s with %d pages", sum.End, n)
			}
			before := s.web.Tally().Total()
			if sum = s.run(t.Context()); sum.End != MaxPages || s.web.Tally().Total() != before {
				t.Errorf("the next run ended %s after %d requests", sum.End, s.web.Tally().Total()-before)
			}
			s.opt.MaxPages = 100
			if sum = s.run(t.Context()); sum.End != MaxPages || sum.Counts.Of(storage.Fetched) != 100 {
				t.Errorf("the run with a higher limit ended %s with %d pages", sum.End, sum.Counts.Of(storage.Fetched))
			}
			s.opt.MaxPages = 0
			s.finish()
			s.compare(fakeweb.Walk{})
			s.wantAsks(fakeweb.Walk{}, 0)
		})
	}
}

func TestMaxPagesMoreThanThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeweb.Defaults()
		o.Pages = 20
		s := newSite(t, o)
		s.opt.MaxPages = 1000
		s.finish()
		s.compare(fakeweb.Walk{})
	})
}

func TestMaxPagesPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeweb.Defaults()
		o.Hosts, o.Pages = 3, 60
		o.Faults = fakeweb.AllFaults()
		o.Latency = fakeweb.Fixed(30 * time.Millisecond)
		s := newSite(t, o)
		s.opt.PerHost = 4
		s.opt.MaxPagesPerHost = 17
		s.stopAfter(time.Second)
		sum := s.run(t.Context())
		if sum.End != MaxPagesPerHost || sum.Counts.Of(storage.Fetched) != 3*17 {
			t.Errorf("ended %s with %d pages", sum.End, sum.Counts.Of(storage.Fetched))
		}
		fetched := map[string]int{}
		for url, v := range s.outcomes() {
			if v.Outcome == storage.Fetched {
				fetched[url[:len("http://h0")]]++
			}
		}
		for host, n := range fetched {
			if n != 17 {
				t.Errorf("%s has %d pages", host, n)
			}
		}
		s.opt.MaxPagesPerHost = 0
		s.finish()
		s.compare(fakeweb.Walk{})
		s.wantAsks(fakeweb.Walk{}, 0)
	})
}

func TestMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeweb.Defaults()
		o.Pages = 100
		s := newSite(t, o)
		s.opt.Workers = 4
		s.opt.MaxBytes = 200_000
		sum := s.run(t.Context())
		if n := sum.Counts.Transferred; sum.End != MaxBytes || n < 200_000 || n > 200_000+4*20_000 {
			t.Errorf("ended %s after %d bytes", sum.End, n)
		}
		s.opt.MaxBytes = 0
		s.finish()
		s.compare(fakeweb.Walk{})
		s.wantAsks(fakeweb.Walk{}, 0)
	})
}

func TestStopBeforeAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeweb.Defaults()
		o.Pages = 10
		s := newSite(t, o)
		for range 5 {
			if sum := s.stopAfter(0); sum.End != Stopped {
				t.Errorf("ended %s", sum.End)
			}
		}
		s.finish()
		s.compare(fakeweb.Walk{})
		s.wantAsks(fakeweb.Walk{}, 0)
	})
}

// A stop waits ten seconds for what is on its way. What takes longer is broken
// off and stays in the queue.
func TestStopBreaksOffWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/", "http://b.test/")
		s.opt.Timeout = 0
		s.opt.Delay = time.Minute
		p.on("http://a.test/", slow(linking(), 5*time.Minute))
		p.on("http://b.test/", slow(linking(), 9*time.Second))
		sum := s.stopAfter(61 * time.Second)
		if sum.End != Stopped || sum.Took > 72*time.Second || sum.Counts.Pending != 1 {
			t.Errorf("ended %s after %v with %d pending", sum.End, sum.Took, sum.Counts.Pending)
		}
		s.want(map[string]string{"http://b.test/": "fetched"})
		s.finish()
		s.want(map[string]string{"http://a.test/": "fetched", "http://b.test/": "fetched"})
		if gap := p.gap("a.test"); gap < time.Minute {
			t.Errorf("a.test was asked again %v after the request that was broken off", gap)
		}
	})
}

// A crawl whose file is taken away says so, and does not go on for nobody.
func TestCrawlFileIsTakenAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file in use cannot be removed")
	}
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		numbered(p, "http://a.test", 1000, linking())
		s.opt.Delay = time.Second
		time.AfterFunc(10*time.Second, func() { os.Remove(s.path) })
		began := time.Now()
		_, err := s.try(t.Context())
		if !errors.Is(err, storage.ErrGone) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("after %v", took)
		}
	})
}
