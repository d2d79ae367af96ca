package crawl

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// storyOf tells the story of an address of a site at rest.
func (s *site) storyOf(url string, readers int) *Story {
	s.t.Helper()
	var story *Story
	s.atRest(func(ctx context.Context, c *Crawl) {
		o := c.storyOptions(ctx, url)
		if o.readers = readers; readers > 1 {
			o.most = 1
		}
		var err error
		if story, err = findStory(ctx, c.file, o); err != nil {
			s.t.Fatalf("the story of %s: %v", url, err)
		}
	})
	return story
}

// told is a story in lines without times.
func told(s *Story) string {
	var b strings.Builder
	b.WriteString(s.Standing + ": " + s.Because + "\n")
	for _, c := range s.Chapters {
		b.WriteString("  " + c.What + " " + c.Text + "\n")
	}
	return b.String()
}

func TestStories(t *testing.T) {
	long := "http://a.test/" + strings.Repeat("x", MaxURLLength)
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.Delay, s.opt.MaxDepth, s.opt.Retries, s.opt.MaxRedirects = 0, 2, 2, 1
		s.opt.Exclude = []string{"never", "private"}
		s.opt.PageRules = []PageRule{{Match: "/ignored", Ignore: true}, {Match: "/first", Priority: "high"}}
		p.on("http://a.test/robots.txt", text("User-agent: *\nAllow: /\nDisallow: /no\n"))
		p.on("http://a.test/", linking(
			"/one", "/no/1", "http://b.test/", "/private/x", "/ignored", "nofollow /nofollowed", "/a/a/a/a/b", long,
			"/moved", "/flaky", "/broken", "/copy", "/bounce", "/first", strings.Repeat("/d", 61), "/q?"+strings.Repeat("a&", 60),
			"/away", "/gone", "/dead",
		))
		p.on("http://a.test/one", answer{body: `<title>One &amp; only</title><a href="/two">to  two</a>`})
		p.on("http://a.test/two", answer{body: `<a href="/three">x</a>`})
		p.on("http://a.test/moved", moved("/target"))
		p.on("http://a.test/away", moved("/target"))
		p.on("http://a.test/target", moved("/twice"))
		p.on("http://a.test/flaky", status(503), reset, answer{body: "<p>at last"})
		p.on("http://a.test/broken", status(500))
		p.on("http://a.test/dead", noHost)
		p.on("http://a.test/copy", answer{body: `<title>One &amp; only</title><a href="/two">to  two</a>`})
		p.on("http://a.test/bounce", moved("/bounce?utm_source=x"))
		p.on("http://a.test/bounce?utm_source=x", answer{body: "<p>there"})
		s.finish()
		for _, c := range []struct {
			name, url string
			want      []string
		}{
			{"a seed", "a.test", []string{"done: fetched, status 200,", "  found given as a seed\n", "  outcome fetched, status 200"}},
			{"a page", "http://A.test:80/one?utm_source=x#y", []string{
				`titled "One & only"`, `  found linked from http://a.test/ (a, "x"), depth 1`,
			}},
			{"its depth", "http://a.test/two", []string{`  found linked from http://a.test/one (a, "to two"), depth 2`}},
			{"too deep", "http://a.test/three", []string{"skipped: it stands at depth 3, and the deepest to be fetched is 2 (--max-depth 2)\n", "  skipped linked from http://a.test/two"}},
			{"another host", "http://b.test", []string{"skipped: its host b.test is none of the seeds' hosts (--scope host)\n"}},
			{"excluded", "http://a.test/private/x", []string{"skipped: --exclude private matches it"}},
			{"ignored by a rule", "http://a.test/ignored", []string{"skipped: the rule for pages that match /ignored ignores it"}},
			{"nofollow", "http://a.test/nofollowed", []string{"skipped: the link, or the page that it stands on, says nofollow", `(a, "x", nofollow)`}},
			{"a segment again and again", "http://a.test/a/a/a/a/b", []string{`skipped: "a" stands 4 times in its path`}},
			{"too long", long, []string{"skipped: it is 4110 bytes long, and more than 4096"}},
			{"too many segments", "http://a.test" + strings.Repeat("/d", 61), []string{"skipped: its path has 61 segments"}},
			{"too many parameters", "http://a.test/q?" + strings.Repeat("a&", 60), []string{"skipped: its query has 61 parameters"}},
			{"blocked", "http://a.test/no/1", []string{"done: blocked by robots.txt line 3: Disallow: /no"}},
			{"redirected", "http://a.test/moved", []string{"done: redirected, status 302, to http://a.test/target"}},
			{"the target of redirects", "http://a.test/target", []string{
				"  found redirected to from http://a.test/moved, depth 1\n", "  found redirected to from http://a.test/away, when it was known already\n",
			}},
			{"too many redirects", "http://a.test/twice", []string{"skipped: 2 redirects lead to it, and at most 1 are followed (--max-redirects 1)"}},
			{"asked for three times", "http://a.test/flaky", []string{
				"done: fetched, status 200, attempt 3", "  attempt attempt 1: status 503, throttled", "; the next is due at ", "  attempt attempt 2: reset, ",
			}},
			{"given up", "http://a.test/broken", []string{"done: failed: status 500, attempt 3", "  attempt attempt 1: status 500", "  attempt attempt 2: status 500"}},
			{"no such host", "http://a.test/dead", []string{"done: failed: dns, "}},
			{"a copy", "http://a.test/copy", []string{"the same content as http://a.test/one"}},
			{"another spelling", "http://a.test/bounce", []string{"  attempt status 302, redirected to another spelling of the same address; to be asked for as http://a.test/bounce?utm_source=x", "done: fetched, status 200,"}},
			{"a rule gave it its place", "http://a.test/first", []string{", priority high\n", "done: failed: status 404"}},
			{"robots.txt", "http://a.test/robots.txt", []string{
				"unknown: it is the robots.txt of its host", "  attempt asked for as the robots.txt of its host: status 200, its rules are in force until 2000-01-02T00:",
			}},
			{"never met", "http://a.test/unheard", []string{"unknown: no page that was read links to it", "it would be fetched, at depth 2 at the most\n"}},
			{"never met and forbidden", "http://a.test/no/where", []string{"it would be blocked by robots.txt line 3: Disallow: /no\n"}},
			{"never met on another host", "http://c.test/x", []string{"it would be skipped: its host c.test is none of the seeds' hosts (--scope host)\n"}},
			{"never met and excluded", "http://a.test/never", []string{"it would be skipped: --exclude never matches it\n"}},
		} {
			story := s.storyOf(c.url, 1)
			got := told(story)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: the story lacks %q:\n%s", c.name, want, got)
				}
			}
			if again := told(s.storyOf(c.url, 3)); again != got {
				t.Errorf("%s: several readers without memory tell another story:\n%s\nthan one:\n%s", c.name, again, got)
			}
			if c.name != "robots.txt" && strings.HasPrefix(got, "unknown") != (len(story.Chapters) == 0) {
				t.Errorf("%s: an address that is unknown has no story, and no other has none:\n%s", c.name, got)
			}
			for i, ch := range story.Chapters {
				if ch.At == "" || ch.Seq == 0 || i > 0 && ch.Seq < story.Chapters[i-1].Seq {
					t.Errorf("%s: chapter %d stands at event %d, %q", c.name, i, ch.Seq, ch.At)
				}
			}
		}
	})
}

func TestStoryOfWhatIsNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := onPaper(t, "http://a.test/")
		s.finish()
		s.atRest(func(ctx context.Context, c *Crawl) {
			for _, url := range []string{"", "mailto:a@a.test", "/path", "no address at all", "http://"} {
				var query *QueryError
				if story, err := c.Why(ctx, url); !errors.As(err, &query) {
					t.Errorf("%q: %v %v, want that it is no address", url, story, err)
				}
			}
		})
		story := s.storyOf("http://me:secret@a.test/", 1)
		if strings.Contains(story.URL+story.Canonical+told(story), "secret") || story.Standing != "done" {
			t.Errorf("the story is %+v", story)
		}
	})
}

// What is in the queue says what it waits for, and how many are before it.
func TestStoriesOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.Delay = time.Hour
		p.on("http://a.test/robots.txt", text("User-agent: *\nDisallow: /no\n"))
		p.on("http://a.test/", linking("/1", "/2", "/3", "/no", "/4"))
		p.on("http://a.test/1", status(503))
		s.stopAfter(150 * time.Minute) // robots.txt, the seed and /1
		for url, want := range map[string]string{
			"http://a.test/1":  "retrying: attempt 1 failed (status 503, throttled), and the next is due at ",
			"http://a.test/2":  "queued: the crawl does not run; it is the next of its host",
			"http://a.test/3":  "queued: the crawl does not run; 1 job of its host is before it; it comes in at least ",
			"http://a.test/no": "queued: it will be blocked by robots.txt line 2: Disallow: /no; the crawl does not run; 2 jobs",
		} {
			if got := told(s.storyOf(url, 1)); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s\nwant %s", url, got, want)
			}
		}
		s.opt.Exclude = []string{"/3"}
		s.stopAfter(time.Second)
		got, want := told(s.storyOf("http://a.test/3", 1)), "queued: by the settings of now it will leave the queue when its turn comes: --exclude /3 matches it"
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
		s.finish()
		got = told(s.storyOf("http://a.test/3", 1))
		for _, want := range []string{"skipped: --exclude /3 matches it\n", "  found linked from ", "  skipped taken out of the queue: --exclude /3 matches it\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("the story lacks %q:\n%s", want, got)
			}
		}
		s.atRest(func(ctx context.Context, c *Crawl) {
			if err := c.Change(ctx, func(s *Settings) error { s.Exclude = nil; return nil }); err != nil {
				t.Fatal(err)
			}
			story, err := c.Why(ctx, "http://a.test/3")
			const want = "queued: the crawl does not run; it is the next of its host\n"
			if err != nil || !strings.HasPrefix(told(story), want) {
				t.Errorf("%v %v\nwant %s", story, err, want)
			}
		})
		s.opt.Exclude = nil
		s.finish()
		got = told(s.storyOf("http://a.test/3", 1))
		for _, want := range []string{"done: failed: status 404", "  found let in after all: linked from "} {
			if !strings.Contains(got, want) {
				t.Errorf("the story lacks %q:\n%s", want, got)
			}
		}
	})
}

func TestStoriesOfEdits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.Delay, s.opt.Retries = time.Minute, 1
		p.on("http://a.test/", linking("/1", "/2", "/3"))
		p.on("http://a.test/1", status(500), status(503), answer{body: "<p>now"})
		s.stopAfter(3*time.Minute + 30*time.Second) // robots.txt, the seed, and twice /1 or /2
		edit := func(e Edit) {
			t.Helper()
			s.atRest(func(ctx context.Context, c *Crawl) {
				if e, err := c.Edit(ctx, e); err != nil || e.Addresses == 0 {
					t.Errorf("the edit came to %+v, %v", e, err)
				}
			})
		}
		check := func(url string, want ...string) {
			t.Helper()
			s.atRest(func(ctx context.Context, c *Crawl) {
				story, err := c.Why(ctx, url)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range want {
					if got := told(story); !strings.Contains(got, want) {
						t.Errorf("the story of %s lacks %q:\n%s", url, want, got)
					}
				}
				if story, err := c.Why(ctx, "nowhere"); !errors.As(err, new(*QueryError)) {
					t.Errorf("what is no address is %v, %v", story, err)
				}
			})
		}
		edit(Edit{Kind: Drop, Predicate: storage.Predicate{Host: "a.test", Match: "/3$"}})
		const dropped = "the user dropped it at 2000-01-01T00:"
		check("http://a.test/3", "parked: "+dropped, " (pawl queue drop --host a.test --match /3$)\n", "  dropped taken out of the queue: "+dropped)
		edit(Edit{Kind: Restore, Predicate: storage.Predicate{Match: "3"}})
		check("http://a.test/3", "  restored the user wants it back (pawl queue restore --match 3)\n")
		s.finish()
		got := s.storyOf("http://a.test/3", 1)
		for i, ch := range got.Chapters[1:] {
			if ch.At < got.Chapters[i].At {
				t.Errorf("times run backwards:\n%s at %s\n%s at %s", got.Chapters[i].What, got.Chapters[i].At, ch.What, ch.At)
			}
		}
		check("http://a.test/3", "done: failed: status 404", "  restored the user wants it back (pawl queue restore --match 3)\n", "  found let in after all: linked from http://a.test/ (a")
		check("http://a.test/1", "done: failed: status 503, throttled", "  attempt attempt 1: status 500; ")
		edit(Edit{Kind: Retry, Predicate: storage.Predicate{
			Host: "a.test", Match: "1", Classes: []string{"throttled"}, Statuses: []storage.StatusRange{{From: 500, To: 599}, {From: 429, To: 429}},
		}})
		const again = "  reopened the user has it asked for again (pawl queue retry --host a.test --match 1 --errors throttled --status 500-599,429)\n"
		check("http://a.test/1", "queued: the crawl does not run; it is the next of its host", again)
		s.finish()
		check("http://a.test/1", "done: fetched, status 200", "  outcome failed: status 503, throttled", again, "  attempt attempt 1: status 500; ")
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 6 * time.Millisecond: "6ms", 1240 * time.Millisecond: "1.2s", 10 * time.Second: "10s", 59600 * time.Millisecond: "1m",
		time.Hour: "1h", 100 * time.Minute: "1h40m", 277*time.Hour + 51*time.Minute + 48*time.Second: "11d14h", 48 * time.Hour: "2d0h",
	} {
		if got := span(d); got != want {
			t.Errorf("%s is told as %s, want %s", time.Duration(d), got, want)
		}
	}
}

// The gap of a host that answers slowly, or throttles, may become shorter again.
func TestStoryCountsTheLeastGap(t *testing.T) {
	h := frontier.HostLook{Wait: frontier.WaitWorker, Gap: 10 * time.Second, Least: time.Second}
	x := &teller{story: Story{Standing: "queued"}, seen: circumstances{before: 5, host: h}}
	if got := x.atLeast(); got != 5*time.Second {
		t.Errorf("5 jobs before it take at least %s", got)
	}
}

// A story is told while the crawl runs, of what is out and of what waits.
func TestStoriesOfARunningCrawl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.Delay = time.Minute
		p.on("http://a.test/", linking("/slow", "/1", "/2"))
		p.on("http://a.test/slow", slow(linking(), 10*time.Second))
		file, err := storage.Create(s.path, Rules(new(Settings)))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		c, err := New(file, s.opt)
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error)
		go func() {
			_, err := c.Run(t.Context())
			over <- err
		}()
		check := func(url, want string) {
			t.Helper()
			story, err := c.Why(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if got := told(story); !strings.HasPrefix(got, want) {
				t.Errorf("the story of %s is\n%swant %s", url, got, want)
			}
		}
		time.Sleep(2*time.Minute + 5*time.Second) // of the bubble
		check("http://a.test/slow", "out: it is being asked for, or its outcome is being written\n")
		check("http://a.test/1", "queued: its host waits for the request in flight (--per-host 1); it is the next of its host\n")
		time.Sleep(15 * time.Second)
		check("http://a.test/slow", "done: fetched, status 200, after 10s")
		check("http://a.test/2", "queued: its host waits for the gap of 1m between requests (40s more); 1 job of its host is before it; it comes in at least 1m40s\n")
		if err := c.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		check("http://a.test/2", "queued: the crawl is paused, and its host waits for the end of the pause; 1 job of its host is before it; it comes in at least 1m40s when the crawl goes on\n")
		if err := c.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-over; err != nil {
			t.Fatal(err)
		}
		if _, err := c.Why(t.Context(), "http://a.test/"); !errors.Is(err, ErrOver) {
			t.Errorf("after the end a story is %v, want that it is over", err)
		}
	})
}

func TestHoldsInAStory(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		hold Hold
		want string
	}{
		{
			Hold{Reason: HeldByNetwork, Text: "no route to any host", Until: now.Add(12 * time.Second)},
			"the network is gone (no route to any host); nothing is asked until it is back (it is tried again in 12s)",
		},
		{
			Hold{Reason: HeldByPortal, Text: "all hosts redirect to evil\x1b.test", Until: now},
			"the network wants a log-in (all hosts redirect to evil .test); nothing is asked until it leads to the hosts",
		},
		{Hold{Reason: HeldByProxy, Text: "connection refused"}, "the proxy does not serve (connection refused); nothing is asked until it does"},
		{
			Hold{Reason: HeldByHours, Text: "outside of --hours sun", Until: now.Add(time.Hour)},
			"it is outside of --hours sun; nothing is asked until 2026-05-04T13:00:00.000Z",
		},
		{Hold{Reason: HeldByHours, Text: "outside of --hours sun"}, "it is outside of --hours sun"},
		{Hold{Reason: HeldByMemory, Text: "memory is short"}, "memory is short; nothing is asked until there is more"},
	} {
		if got := holdOf(&c.hold, now); got != c.want {
			t.Errorf("%s: %q, want %q", c.hold.Reason, got, c.want)
		}
	}
}

// longLog is a file with visits and no frontier, and the address of the n-th of
// them. Each brings two links.
func longLog(tb testing.TB, events int) (file *storage.File, address func(n int) string) {
	tb.Helper()
	const links = 2
	file, err := storage.Create(filepath.Join(tb.TempDir(), "crawl.pawl"), Rules(new(Settings)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { file.Close() })
	address = func(n int) string {
		return fmt.Sprintf("https://h%d.test/en/articles/of-%d/winter-guide-%d.html", n%1000, n%77, n)
	}
	batch := &storage.Batch{First: 1}
	for n := range events {
		v := &storage.Visit{
			Job: storage.JobID{Ord: uint32(n)}, URL: address(n), Attempt: 1, Outcome: storage.Fetched, Status: 200, ContentHash: make([]byte, 16),
			FoundOn: address(n / links), Record: storage.Record{
				Title: "winter guide of many words", ContentType: "text/html; charset=utf-8", Anchor: "winter guide", Size: 30_000, MetaDescription: strings.Repeat("about ", 20),
			},
		}
		for i := range links {
			v.Links = append(v.Links, storage.Link{URL: address(n*links + i + 1), Kind: uint8(page.KindA), Anchor: "a guide"})
		}
		if batch.Add(v); batch.Len() == 5000 || n == events-1 {
			if err := file.Commit(batch); err != nil {
				tb.Fatal(err)
			}
			batch.Reset(uint64(n) + 2)
		}
	}
	return file, address
}

// However many readers there are, each event is read once.
func TestSeekReadsAllOnce(t *testing.T) {
	const events = 3*mentionSlice + 7
	file, address := longLog(t, events)
	for _, n := range []int{0, 1, mentionSlice - 1, mentionSlice, 2*mentionSlice - 1, events - 1} {
		for _, readers := range []int{1, 2, 7} {
			var slices atomic.Int32
			s := newSeeker(weburl.URL(address(n)))
			if err := s.seek(t.Context(), file, 1, events, readers, func(time.Duration) { slices.Add(1) }); err != nil {
				t.Fatal(err)
			}
			s.found.sort()
			want := []mention{{seq: uint64(n) + 1, index: -1, what: isVisit}}
			if n > 0 {
				want = append([]mention{{seq: uint64(n-1)/2 + 1, index: (n - 1) % 2}}, want...)
			}
			if !reflect.DeepEqual(s.found.of, want) || slices.Load() != 4 {
				t.Errorf("%d readers find %s at %+v in %d slices, want %+v in 4", readers, address(n), s.found.of, slices.Load(), want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newSeeker("http://a.test/").seek(ctx, file, 1, events, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search gives %v", err)
	}
}

// Reading the log is nearly all of a story. Ten million addresses are some five
// million events like these.
func BenchmarkStory(b *testing.B) {
	const events = 100_000
	file, address := longLog(b, events)
	for _, readers := range []int{1, 2} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := newSeeker(weburl.URL(address(events - 1)))
				if err := s.seek(b.Context(), file, 1, events, readers, nil); err != nil || len(s.found.of) != 2 {
					b.Fatal(err, s.found)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
		})
	}
}

// A host whose robots.txt cannot be had says so, and so does one that is given up.
func TestStoriesOfRobots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		p.on("http://a.test/robots.txt", refusal(503, 10*time.Minute))
		s.stopAfter(time.Minute)
		s.atRest(func(ctx context.Context, c *Crawl) {
			story, err := c.Why(ctx, "a.test/robots.txt")
			if err != nil || !strings.Contains(told(story), "  attempt asked for as the robots.txt of its host, attempt 1: status 503, throttled; the next is due at 2000-01-01T00:10:0") {
				t.Errorf("%v %v", story, err)
			}
		})
		s.finish()
		got := told(s.storyOf("a.test/robots.txt", 1))
		if !strings.Contains(got, "  attempt asked for as the robots.txt of its host, and given up: status 503, throttled\n") {
			t.Error(got)
		}
		if got := told(s.storyOf("a.test", 1)); !strings.HasPrefix(got, "done: failed: robots, robots.txt could not be had: status 503\n") {
			t.Error(got)
		}
	})
}

// Whatever the address and the reason, a rule is named in one line.
func FuzzExplain(f *testing.F) {
	f.Add("http://a.test/x/x?y", uint8(1))
	f.Add("http://a.test/"+strings.Repeat("x/", 99), uint8(7))
	f.Fuzz(func(t *testing.T, url string, reason uint8) {
		speller, err := weburl.New(weburl.DefaultRules())
		if err != nil {
			t.Fatal(err)
		}
		u, err := speller.Parse(url)
		if err != nil {
			return
		}
		s := Defaults("pawl/test")
		s.Include, s.Exclude, s.Scope = []string{"a"}, []string{"b"}, []Scope{ScopeHost, ScopeDomain, ScopePrefix, ScopeAny}[len(url)%4]
		text := explain(storage.Reason(reason), &s, &finding{url: u})
		if text == "" || strings.ContainsAny(text, "\n\x1b") {
			t.Errorf("%q", text)
		}
	})
}
