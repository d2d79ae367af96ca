package crawl

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeebo/xxh3"

	"pawl/fetch"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// weighing is what a memoryWatch is told, in percent of its limit, and what it makes
// of that.
type weighing struct {
	inUse      int64
	collection uint64
	isIdle     bool
	isTight    bool
	isOver     bool
}

// largeQueue may be what fills 100 MB.
var largeQueue = storage.Counts{Known: 4_234_567, Hosts: 89}

func TestMemoryWatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks []weighing
	}{
		{"there is enough", []weighing{
			{50, 1, false, false, false}, {84, 2, false, false, false}, {84, 3, true, false, false},
		}},
		{"what was alive is gone", []weighing{
			{94, 1, false, false, false}, {94, 1, false, false, false}, {30, 2, false, false, false}, {94, 3, false, false, false},
		}},
		{"what is alive stays", []weighing{
			{90, 1, false, false, false}, {90, 2, false, true, false}, {90, 3, false, true, false},
		}},
		{"it is not handed out again before there is room", []weighing{
			{90, 1, false, false, false},
			{90, 2, false, true, false},
			{80, 3, false, true, false},
			{76, 4, false, true, false},
			{74, 5, false, false, false},
			{80, 6, false, false, false},
		}},
		{"with nothing in flight a little room is enough", []weighing{
			{90, 1, false, false, false},
			{90, 2, false, true, false},
			{80, 3, true, true, false},
			{80, 4, true, true, false},
			{80, 5, true, true, false},
			{80, 6, true, false, false},
		}},
		{"with nothing in flight it is too much", []weighing{
			{90, 1, true, false, false}, {90, 2, true, true, false}, {90, 3, true, true, false}, {90, 4, true, true, false}, {86, 5, true, true, true},
		}},
		{"with nothing in flight it takes more than many collections", []weighing{
			{90, 1, true, false, false}, {90, 8, true, true, false}, {90, 12, true, true, false}, {90, 16, true, true, false}, {90, 17, true, true, true},
		}},
		{"what comes in between counts anew", []weighing{
			{90, 1, true, false, false},
			{90, 2, true, true, false},
			{90, 4, true, true, false},
			{90, 9, false, true, false},
			{90, 10, true, true, false},
			{90, 12, true, true, false},
			{90, 13, true, true, false},
			{90, 14, true, true, true},
		}},
		{"far beyond the limit", []weighing{
			{1000, 1, false, true, false}, {1000, 2, false, true, false}, {1000, 3, true, true, false}, {1000, 4, true, true, false}, {1000, 5, true, true, false}, {1000, 6, true, true, true},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memoryWatch{limit: 100_000_000}
			defer m.collector.Wait()
			now := time.Unix(1e9, 0)
			for i, w := range c.looks {
				now = now.Add(overAfter / 3)
				m.take(now, w.inUse*m.limit/100, w.collection, &work{out: 64, workers: 64, isIdle: w.isIdle, counts: largeQueue, patience: overAfter})
				isOver := m.over != nil
				if m.isTight() != w.isTight || isOver != w.isOver {
					t.Errorf("look %d: tight is %v, over is %v", i, m.isTight(), isOver)
				}
				if isOver && !strings.Contains(m.over.Error(), "4,234,567 addresses and 89 hosts") {
					t.Error(m.over)
				}
			}
		})
	}
}

// A queue that is small cannot be what fills the memory: the crawl goes on with one at
// a time.
func TestSmallQueueGoesOnOneByOne(t *testing.T) {
	m := &memoryWatch{limit: 100_000_000}
	defer m.collector.Wait()
	now := time.Unix(1e9, 0)
	open := 0
	for n := range uint64(20 * 60 * 5) {
		now = now.Add(look)
		m.take(now, 200_000_000, n+1, &work{workers: 64, isIdle: true, counts: storage.Counts{Known: 31, Hosts: 1}})
		if m.over != nil {
			t.Fatal(m.over)
		}
		if !m.isTight() {
			open++
		}
		if n > 10 && m.most(64) != 1 {
			t.Fatalf("look %d: %d may be out", n, m.most(64))
		}
	}
	if open < 20*60*5*9/10 {
		t.Errorf("at %d of %d looks one may be out", open, 20*60*5)
	}
	for n := range uint64(3) { // and it is not for ever
		now = now.Add(widenEvery)
		m.take(now, 50_000_000, 1e6+n, &work{workers: 64})
	}
	if m.most(64) < 3 {
		t.Errorf("only %d may be out when there is room", m.most(64))
	}
}

// Where what is out at once does not fit, fewer are: the crawl does not stop and go.
func TestFewerAreOutAfterAShortage(t *testing.T) {
	for _, c := range []struct {
		name   string
		atRest int64 // percent of the limit
		each   int64 // of what is out
		most   int
	}{
		{"a few fit", 40, 4, 30},
		{"one fits", 78, 5, 60},
		{"not one fits", 80, 10, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memoryWatch{limit: 100_000_000}
			defer m.collector.Wait()
			now := time.Unix(1e9, 0)
			changes, out, pages := 0, 0, 0
			for n := range uint64(5 * 600) { // ten minutes
				now = now.Add(look)
				was := m.isTight()
				if n%10 == 0 { // that is how long they take
					pages += out
					out = 0
					if !m.isTight() {
						out = m.most(64)
					}
				}
				m.take(now, (c.atRest+c.each*int64(out))*m.limit/100, n+1, &work{out: out, workers: 64, isIdle: out == 0, counts: largeQueue, patience: overAfter})
				if m.isTight() != was {
					changes++
				}
			}
			if m.over != nil || changes > c.most || pages < 100 {
				t.Errorf("%d changes in ten minutes, %d pages, over: %v", changes, pages, m.over)
			}
		})
	}
}

// The collector is not kept at work for what does not change, nor during a pause.
func TestShortageLeavesTheCollectorAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		is   work
		most int
	}{
		{"with requests that hang", work{out: 3, workers: 64}, 30},
		{"during a pause", work{workers: 64, isPaused: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memoryWatch{limit: 100_000_000}
			now := time.Unix(1e9, 0)
			m.take(now, 96_000_000, 1, &work{out: 3, workers: 64})
			m.collector.Wait()
			ran := 0
			for range 5 * 120 { // two minutes
				now = now.Add(look)
				last := m.collected
				m.take(now, 96_000_000, uint64(2+ran), &c.is)
				m.collector.Wait()
				if m.collected != last {
					ran++
				}
			}
			if !m.isTight() || m.over != nil || ran > c.most {
				t.Errorf("%d collections in two minutes", ran)
			}
		})
	}
}

// Many that have no memory at the same moment count as one; the next ones again.
func TestCrowdedExchangesMakeThePlacesFewer(t *testing.T) {
	m := new(memoryWatch)
	now := time.Unix(1e9, 0)
	for range 30 {
		m.crowded(now, 64)
	}
	if m.most(64) != 32 {
		t.Errorf("%d places at first", m.most(64))
	}
	for range 30 {
		m.crowded(now.Add(crowdedEvery), 32)
	}
	if m.most(64) != 16 || m.most(8) != 8 {
		t.Errorf("%d places then", m.most(64))
	}
	for i := range 100 {
		m.look(now.Add(time.Duration(i)*widenEvery), &work{workers: 64})
	}
	if m.most(64) != 64 || m.most(1000) != 1000 {
		t.Errorf("%d places in the end", m.most(64))
	}
}

// A limit of the user does not take that of the system away.
func TestLesserLimitCounts(t *testing.T) {
	before := debug.SetMemoryLimit(500_000_000)
	defer debug.SetMemoryLimit(before)
	for _, c := range []struct {
		said, want int64
		names      string
	}{
		{4_000_000_000, 500_000_000, "the process may take 500.0 MB"},
		{0, 500_000_000, "the process may take 500.0 MB"},
		{200_000_000, 180_000_000, "--max-memory is 200.0 MB"},
	} {
		counts := storage.Counts{Known: 90_000_000, Hosts: 1}
		check := func(when string) {
			if err := checkMemory(counts, c.said); err == nil || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%d, %s: %v", c.said, when, err)
			}
		}
		check("at rest")
		var m memoryWatch
		m.setLimit(c.said)
		if got := debug.SetMemoryLimit(-1); m.limit != c.want || got != c.want {
			t.Errorf("%d: the limit is %d, and %d in the runtime", c.said, m.limit, got)
		}
		check("in a run")
		m.stop()
		if got := debug.SetMemoryLimit(-1); got != 500_000_000 {
			t.Errorf("%d: afterwards the limit is %d", c.said, got)
		}
	}
}

func TestMemoryErrorSaysWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		e    MemoryError
		want string
	}{
		{MemoryError{310_000_000, 256_000_000, true, 12_000_000, 40_000}, "the crawl needs 310.0 MB for 12,000,000 addresses and 40,000 hosts, and --max-memory is 256.0 MB"},
		{MemoryError{310_000_000, 256_000_000, false, 999, 1}, "the crawl needs 310.0 MB for 999 addresses and 1 host, and the process may take 256.0 MB"},
	} {
		if got := c.e.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestLimitIsSetAndTakenBack(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	var m memoryWatch
	m.setLimit(0)
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("none: the limit is %d", got)
	}
	for _, limit := range []int64{500_000_000, 100_000_000} {
		m.setLimit(limit)
		if got := debug.SetMemoryLimit(-1); got != limit*9/10 || m.limit != got || m.said != limit {
			t.Errorf("%d: the limit is %d, and %d in the runtime", limit, m.limit, got)
		}
	}
	m.stop()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("at the end the limit is %d", got)
	}
	// That of the process is kept to.
	debug.SetMemoryLimit(300_000_000)
	defer debug.SetMemoryLimit(before)
	m.setLimit(0)
	if m.limit != 300_000_000 || m.mostWeight() != mostWeight {
		t.Errorf("the limit is %d, and what waits %d", m.limit, m.mostWeight())
	}
	debug.SetMemoryLimit(64_000_000)
	m.setLimit(0)
	if m.mostWeight() != 4_000_000 || m.commitWeight() != 2_000_000 {
		t.Errorf("%d wait at most, and are committed from %d on", m.mostWeight(), m.commitWeight())
	}
}

// memoryPeak watches what the process takes until it is called, which gives the most
// that was alive, and that was taken, in bytes.
func memoryPeak() (end func() (alive, taken int64)) {
	runtime.GC()
	debug.FreeOSMemory()
	done := make(chan struct{})
	var all sync.WaitGroup
	var alive, taken int64
	all.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		s := []metrics.Sample{
			{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		}
		for {
			metrics.Read(s)
			alive = max(alive, int64(s[0].Value.Uint64()))
			taken = max(taken, int64(s[1].Value.Uint64()-s[2].Value.Uint64()))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() (int64, int64) {
		close(done)
		all.Wait()
		return alive, taken
	}
}

// repeated is a body of n bytes, made as it is read.
type repeated struct {
	text string
	left int
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), r.left)]
	for n := 0; n < len(p); {
		more := copy(p[n:], r.text[r.at:])
		n, r.at = n+more, (r.at+more)%len(r.text)
	}
	r.left -= len(p)
	return len(p), nil
}

// However many pages are large, and however many workers there are, a crawl stays
// within its limit, and gets them all.
func TestLargePagesStayWithinTheLimit(t *testing.T) {
	const limit = 128_000_000
	const paragraph = "<p>Some words of a page that does not end, of which there is more and more.</p>\n"
	for _, c := range []struct {
		name        string
		pages, size int
		set         func(s *Settings)
	}{
		{"pages", 96, 10_000_000, func(s *Settings) {}},
		{"pages with fields", 64, 2_000_000, func(s *Settings) { s.Fields = []string{"first=p"} }},
		{"pages that are stored", 64, 4_000_000, func(s *Settings) { s.StoreBodies = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if (raceOn || testing.Short()) && c.name != "pages" {
				t.Skip("takes too long")
			}
			if raceOn {
				c.pages, c.size = 24, 2_000_000
			}
			var bomb bytes.Buffer
			z := gzip.NewWriter(&bomb)
			io.Copy(z, &repeated{text: paragraph, left: 2 * c.size}) // is cut
			z.Close()
			var sent atomic.Int64
			s, p := onPaper(t, "http://a.test/")
			var links []string
			for i := range c.pages {
				links = append(links, fmt.Sprintf("http://h%d.test/", i))
			}
			p.on("http://a.test/", linking(links...))
			p.all = func(url string) (answer, bool) {
				if strings.HasSuffix(url, "robots.txt") {
					return answer{}, false
				}
				n := sent.Add(1)
				a := answer{header: map[string]string{}}
				if n%8 > 1 {
					a.header["Content-Type"] = "text/plain" // which takes less time, not less memory
				}
				if n%2 == 0 {
					a.header["Content-Encoding"] = "gzip"
					a.chunked = func() io.ReadCloser { return io.NopCloser(bytes.NewReader(bomb.Bytes())) }
				} else {
					a.chunked = func() io.ReadCloser { return io.NopCloser(&repeated{text: paragraph, left: c.size - 1}) }
				}
				return a, true
			}
			s.opt.Workers, s.opt.Scope, s.opt.MaxMemory, s.opt.MaxBody = 64, ScopeAny, limit, int64(c.size)
			s.opt.Retries, s.opt.MaxDepth = 0, 1
			c.set(&s.opt.Settings)
			end := memoryPeak()
			sum := s.finish()
			alive, taken := end()
			if n := sum.Counts.Of(storage.Fetched); n != uint64(c.pages)+1 {
				t.Errorf("%d of %d pages were fetched: %v", n, c.pages+1, s.brief())
			}
			t.Logf("at most %d MB were alive, and %d MB taken", alive/1e6, taken/1e6)
			if alive > limit || taken > limit*11/10 {
				t.Errorf("at most %d MB were alive, and %d MB taken", alive/1e6, taken/1e6)
			}
			if debug.SetMemoryLimit(-1) != math.MaxInt64 {
				t.Error("the limit of the process stays")
			}
		})
	}
}

// A queue that does not fit ends the run, and another with more memory goes on.
func TestQueueThatDoesNotFitEndsTheRun(t *testing.T) {
	if raceOn {
		t.Skip("takes too long")
	}
	const hosts, perPage = 1_000_000, 5000
	s, p := onPaper(t, "http://a.test/0")
	p.all = func(url string) (answer, bool) {
		var page int
		if _, err := fmt.Sscanf(url, "http://a.test/%d", &page); err != nil {
			return answer{}, false
		}
		var b strings.Builder
		if next := page + 1; next*perPage < hosts {
			fmt.Fprintf(&b, "<a href=/%d>next</a>", next)
		}
		for i := range perPage {
			fmt.Fprintf(&b, "<a href=http://host%d.test/>x</a>\n", page*perPage+i)
		}
		return answer{body: b.String()}, true
	}
	s.opt.Scope, s.opt.MaxMemory, s.opt.Delay, s.opt.IgnoreRobots = ScopeAny, 48_000_000, 0, true
	s.overAfter = time.Second
	ctx, cancel := withPatience(t)
	defer cancel()
	end := memoryPeak()
	sum := s.run(ctx)
	alive, taken := end()
	t.Logf("%q with %d hosts; %d MB alive, %d MB taken", sum.Why, sum.Counts.Hosts, alive/1e6, taken/1e6)
	if sum.End != NoMemory || !strings.Contains(sum.Why, "--max-memory is 48") {
		t.Fatalf("ended %s: %q", sum.End, sum.Why)
	}
	if sum.Counts.Hosts < 10_000 || taken > 64_000_000 {
		t.Errorf("%d hosts fit, %d MB were taken", sum.Counts.Hosts, taken/1e6)
	}
	asked := len(p.asked)
	s.opt.MaxMemory = 12_000_000
	if sum := s.run(ctx); sum.End != NoMemory || len(p.asked) != asked {
		t.Errorf("with far less it ended %s after %d requests: %q", sum.End, len(p.asked)-asked, sum.Why)
	}
	p.all = func(string) (answer, bool) { return text("here"), true }
	s.opt.MaxMemory, s.opt.MaxPages = 0, int(sum.Counts.Of(storage.Fetched))+2
	if sum := s.run(ctx); sum.End != MaxPages {
		t.Errorf("with more memory it ended %s: %q", sum.End, sum.Why)
	}
}

// The limit is that of the process while a crawl runs, and changes with the settings.
func TestLimitChangesWhileTheCrawlRuns(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	s, p := onPaper(t, "http://a.test/")
	s.opt.IgnoreRobots, s.opt.MaxMemory = true, 400_000_000
	isAsked, goOn := make(chan struct{}), make(chan struct{})
	p.watch = func(*http.Request) { close(isAsked); <-goOn }
	s.beside = func(ctx context.Context, c *Crawl) {
		defer close(goOn)
		<-isAsked
		for _, limit := range []int64{400_000_000, 300_000_000, 0, 500_000_000} {
			if err := c.Change(ctx, func(s *Settings) error { s.MaxMemory = limit; return nil }); err != nil {
				t.Error(err)
			}
			want := limit / 10 * 9
			if limit == 0 {
				want = before
			}
			if got := debug.SetMemoryLimit(-1); got != want {
				t.Errorf("with --max-memory %d the limit is %d, want %d", limit, got, want)
			}
		}
	}
	s.finish()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("afterwards the limit is %d", got)
	}
}

// A limit that large pages pass again and again makes a crawl slow; it does not end it,
// for the queue is nearly nothing.
func TestLeastLimitLetsLargePagesThrough(t *testing.T) {
	if raceOn || testing.Short() {
		t.Skip("takes too long")
	}
	const pages, bombs, size = 24, 6, 9_800_000
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	io.Copy(z, &repeated{text: "boom ", left: 5 * size}) // is cut
	z.Close()
	s, p := onPaper(t, "http://a.test/")
	var links []string
	for i := range pages + bombs {
		links = append(links, fmt.Sprintf("/%d", i))
	}
	p.on("http://a.test/", linking(links...))
	p.all = func(url string) (answer, bool) {
		var n int
		if _, err := fmt.Sscanf(url, "http://a.test/%d", &n); err != nil {
			return answer{}, false
		}
		a := text("")
		if n >= pages {
			a.header["Content-Encoding"] = "gzip"
			a.chunked = func() io.ReadCloser { return io.NopCloser(bytes.NewReader(bomb.Bytes())) }
		} else {
			a.chunked = func() io.ReadCloser { return io.NopCloser(&repeated{text: "page " + fmt.Sprint(n), left: size}) }
		}
		return a, true
	}
	s.opt.MaxMemory, s.opt.PerHost, s.opt.Delay, s.opt.Workers, s.opt.StoreBodies = 16_000_000, 16, 0, 16, true
	s.overAfter = time.Millisecond
	sum := s.finish()
	if n := sum.Counts.Of(storage.Fetched); n != pages+bombs+1 {
		t.Errorf("%d of %d pages were fetched: %v", n, pages+bombs+1, s.brief())
	}
}

// A sitemap that may be as large as the protocol allows is counted until its commit.
func TestLargestSitemapsAreCounted(t *testing.T) {
	var file bytes.Buffer
	file.WriteString(`<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	for i := range 5000 {
		fmt.Fprintf(&file, "<url><loc>http://a.test/%d/%s</loc></url>\n", i, strings.Repeat("x", 100))
	}
	file.WriteString("</urlset>")
	p := newPaper()
	p.on("http://a.test/sitemap.xml", answer{body: file.String(), header: map[string]string{"Content-Type": "application/xml"}})
	budget := fetch.NewBudget(0)
	o := fetch.Defaults()
	o.Transport, o.Budget, o.UserAgent = p, budget, "pawl/test"
	f, err := fetch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	settings := Defaults("pawl/test")
	treats, err := newTreatments(&settings)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := settings.Rules()
	if err != nil {
		t.Fatal(err)
	}
	speller, err := weburl.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{
		settings: &settings, fetcher: f, speller: speller, hash: xxh3.Hash, log: slog.New(slog.DiscardHandler),
		large: make(chan struct{}, 1), parsers: new(sync.Pool),
	}
	job := &task{treat: treats.of("http://a.test/sitemap.xml"), trusted: true}
	job.job.URL, job.job.Kind, job.job.Hops = "http://a.test/sitemap.xml", uint8(page.KindSitemapFile), 1
	tasks, results := make(chan *task, 2), make(chan *result)
	tasks <- job
	tasks <- job
	close(tasks)
	go w.run(t.Context(), tasks, results)
	var all int64
	for i := range 2 {
		r := <-results
		if r.large || len(r.links) != 5000 || r.share.Held() < largeResult {
			t.Errorf("sitemap %d: %d links, %d bytes are counted", i, len(r.links), r.share.Held())
		}
		all += r.share.Held()
	}
	if used := budget.Use().Used; used != all {
		t.Errorf("%d bytes are used, and %d counted", used, all)
	}
}

// Pages that have to wait for the memory of others, over a slow line, are all fetched
// in the end: none is charged for that.
func TestLargePagesOverASlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pages, size, rate = 24, 4_900_000, 100_000
		line := make(chan struct{}, 1)
		s, p := onPaper(t, "http://a.test/")
		var links []string
		for i := range pages {
			links = append(links, fmt.Sprintf("http://h%d.test/", i))
		}
		p.on("http://a.test/", linking(links...))
		p.all = func(url string) (answer, bool) {
			if strings.HasSuffix(url, "robots.txt") {
				return answer{}, false
			}
			a := text("")
			a.chunked = func() io.ReadCloser {
				return io.NopCloser(&metered{repeated{text: "much of the same ", left: size}, line, rate})
			}
			return a, true
		}
		s.opt.Scope, s.opt.MaxDepth, s.opt.Retries, s.opt.Timeout, s.opt.MaxMemory = ScopeAny, 1, 0, 0, 32_000_000
		sum := s.finish()
		if n := sum.Counts.Of(storage.Fetched); n != pages+1 {
			t.Errorf("%d of %d pages were fetched: %v", n, pages+1, s.brief())
		}
		if len(p.asked) < pages*2+3 {
			t.Errorf("%d requests for %d hosts: nobody had to wait", len(p.asked), pages+1)
		}
		if len(p.asked) > pages*8 {
			t.Errorf("%d requests for %d hosts", len(p.asked), pages+1)
		}
		t.Logf("%d requests for %d hosts, in %v", len(p.asked), pages+1, sum.Took)
	})
}

// metered is a body over a line that all share, of so many bytes per second.
type metered struct {
	repeated
	line chan struct{}
	rate int
}

func (m *metered) Read(p []byte) (int, error) {
	m.line <- struct{}{}
	defer func() { <-m.line }()
	n, err := m.repeated.Read(p[:min(len(p), 16<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(m.rate))
	return n, err
}

// What a sitemap with many long addresses takes, it takes until they are committed.
func TestLargeSitemapsLeaveNothing(t *testing.T) {
	var file bytes.Buffer
	file.WriteString(`<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	for i := range 20_000 {
		fmt.Fprintf(&file, "<url><loc>http://a.test/%d/%s</loc></url>\n", i, strings.Repeat("x", 950))
	}
	file.WriteString("</urlset>")
	s, p := onPaper(t, "http://a.test/")
	p.on("http://a.test/robots.txt", text("Sitemap: http://a.test/sitemap.xml\n"))
	p.on("http://a.test/sitemap.xml", answer{
		header:  map[string]string{"Content-Type": "application/xml"},
		chunked: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(file.Bytes())) },
	})
	const most = 8 << 20
	before, asked := standing(t)[0], 0
	p.all = func(url string) (answer, bool) {
		if asked++; asked == 10 { // one after the other
			if left := int64(standing(t)[0]) - int64(before); left > most {
				t.Errorf("of a sitemap of %d MB, %d MB are left", file.Len()/1e6, left/1e6)
			}
		}
		return text("here"), true
	}
	s.opt.Delay, s.opt.MaxPages, s.opt.MaxBody = 0, 20, 30_000_000
	if sum := s.run(t.Context()); sum.End != MaxPages || sum.Counts.Known < 20_000 {
		t.Errorf("ended %s with %d addresses", sum.End, sum.Counts.Known)
	}
}

func TestFileThatCannotFitIsNotLoaded(t *testing.T) {
	for _, c := range []struct {
		name         string
		known, hosts uint64
		limit        int64
		fits         bool
	}{
		{"no limit", 1e9, 1e6, 0, true},
		{"small", 1000, 10, 1_000_000, true},
		{"many addresses that may just fit", 10_000_000, 1, 112_000_000, true},
		{"many addresses", 10_000_000, 1, 110_000_000, false},
		{"many hosts", 1_000_000, 1_000_000, 220_000_000, false},
	} {
		err := checkMemory(storage.Counts{Known: c.known, Hosts: c.hosts}, c.limit)
		if short := (*MemoryError)(nil); (err == nil) != c.fits || err != nil && (!errors.As(err, &short) || short.Needs < c.limit || !short.Set) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
