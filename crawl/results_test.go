package crawl

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/page"
	"pawl/storage"
)

// visits gives the visits of the file with their numbers, in order.
func (s *site) visits() (seqs []uint64, visits []*storage.Visit) {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	err = EachVisit(file, 1, 1<<62, func(seq uint64, v *storage.Visit) error {
		seqs, visits = append(seqs, seq), append(visits, v)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return seqs, visits
}

// keptOf gives what is kept of each visit.
func (s *site) keptOf(what storage.Keep) map[string][]byte {
	s.t.Helper()
	seqs, visits := s.visits()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	kept := map[string][]byte{}
	err = file.View(func(r *storage.Reader) error {
		for i, seq := range seqs {
			value, err := r.Kept(what, seq)
			if err != nil {
				return err
			}
			if value != nil {
				kept[visits[i].URL] = bytes.Clone(value)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return kept
}

func TestLinksAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/")
		s.opt.KeepLinks = true
		s.opt.PageRules = []PageRule{{Match: "/row", Store: StoreRow}}
		web.on("http://a.test/", answer{body: `<link rel=next href=b><a href=b rel="me nofollow">B</a><a href=b>again</a><img src=c.png alt=C>
			<a href=http://other.test/ rel=ugc>O</a><link rel=canonical href=http://other.test/>`})
		web.on("http://a.test/b", answer{status: 404, body: `<a href=/row>lost</a>`})
		web.on("http://a.test/plain", text("no links"))
		web.on("http://a.test/moved", moved("/row"))
		web.on("http://a.test/row", linking("/x"))
		s.opt.Input.Args = append(s.opt.Input.Args, "http://a.test/moved", "http://a.test/plain")
		s.finish()
		var unpacker storage.Unpacker
		got := map[string]string{}
		for url, value := range s.keptOf(storage.KeepLinks) {
			var lines []string
			err := unpacker.EachLink(value, url, func(l *storage.PageLink) error {
				lines = append(lines, fmt.Sprintf("%s %s %d %q %q %v", page.Kind(l.Kind), l.URL, l.Count, l.Anchor, l.Rel, l.NoFollow))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			got[strings.TrimPrefix(url, "http://a.test")] = strings.Join(lines, "; ")
		}
		want := map[string]string{
			"/": `a http://a.test/b 2 "B" "me nofollow" false; next http://a.test/b 1 "" "next" false; img http://a.test/c.png 1 "C" "" false; ` +
				`a http://other.test/ 1 "O" "ugc" true; canonical http://other.test/ 1 "" "canonical" false`,
			"/b":     `a http://a.test/row 1 "lost" "" false`,
			"/moved": `redirect http://a.test/row 1 "" "" false`,
		}
		if !maps.Equal(got, want) {
			t.Errorf("kept\n%v\nwant\n%v", got, want)
		}
	})
}

func TestBodiesAreKeptOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/")
		s.opt.StoreBodies, s.opt.Workers = true, 1
		s.opt.PageRules = []PageRule{{Match: "/none", Store: StoreNothing}}
		same := text("the same text on two pages, which is long enough to be worth something")
		home := linking("/1", "/2", "/none", "/404", "/moved")
		web.on("http://a.test/", home)
		web.on("http://a.test/1", same)
		web.on("http://a.test/2", same)
		web.on("http://a.test/none", same)
		web.on("http://a.test/404", answer{status: 404, body: "nothing here"})
		web.on("http://a.test/moved", moved("/1"))
		s.finish()
		seqs, visits := s.visits()
		first := map[uint64]string{}
		for i, v := range visits {
			first[seqs[i]] = v.URL
		}
		var unpacker storage.Unpacker
		got := map[string]string{}
		for url, value := range s.keptOf(storage.KeepBody) {
			b, err := unpacker.Body(value)
			if err != nil {
				t.Fatal(err)
			}
			asked, _, _ := strings.Cut(string(b.Request), "\r\n")
			answered, _, _ := strings.Cut(string(b.Response), "\r\n")
			content := string(b.Content)
			if b.First != 0 {
				content = "as " + first[b.First] + content
			}
			got[strings.TrimPrefix(url, "http://a.test")] = asked + "|" + answered + "|" + content
		}
		want := map[string]string{
			"/":      "GET / HTTP/1.1|HTTP/1.1 200 OK|" + home.body,
			"/1":     "GET /1 HTTP/1.1|HTTP/1.1 200 OK|" + same.body,
			"/2":     "GET /2 HTTP/1.1|HTTP/1.1 200 OK|as http://a.test/1",
			"/404":   "GET /404 HTTP/1.1|HTTP/1.1 404 Not Found|nothing here",
			"/moved": "GET /moved HTTP/1.1|HTTP/1.1 302 Found|",
		}
		if !maps.Equal(got, want) {
			t.Errorf("kept\n%v\nwant\n%v", got, want)
		}
	})
}

// What a pattern says of pages: their fields, whether they are rows, and that
// they are not to be fetched.
func TestPageRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/list/1")
		s.opt.Fields = []string{"all=h1"}
		s.opt.PageRules = []PageRule{
			{Match: "/item/", Fields: []string{"price:int=b"}, LinksFrom: []string{".more"}},
			{Match: "/list/", Store: StoreNothing},
			{Match: "/secret/", Ignore: true},
		}
		web.on("http://a.test/list/1", answer{body: `<h1>List</h1><a href=/item/x/1>1</a><a href=/secret/2>2</a>`})
		web.on("http://a.test/item/x/1", answer{body: `<base href=/item/><h1>One</h1><b>1,234</b><div class=more><a href=3>3</a></div><a href=/item/4>4</a>`})
		web.on("http://a.test/item/3", answer{body: `<h1></h1><p>nothing</p><a href=/item/4></a>`})
		s.finish()
		s.want(map[string]string{
			"http://a.test/list/1": "fetched", "http://a.test/item/x/1": "fetched", "http://a.test/item/3": "fetched",
		})
		s.wantSkipped(map[string]string{"http://a.test/secret/2": "exclude"})
		_, visits := s.visits()
		for _, v := range visits {
			var fields []string
			for _, f := range v.Record.Fields {
				fields = append(fields, f.Name+"="+strings.Join(f.Values, "|"))
			}
			want := map[string]string{"/list/1": "all=List unlisted", "/item/x/1": "all=One price=1234", "/item/3": ""}[strings.TrimPrefix(v.URL, "http://a.test")]
			got := strings.Join(fields, " ")
			if v.Unlisted {
				got += " unlisted"
			}
			if got != want {
				t.Errorf("%s: %q, want %q", v.URL, got, want)
			}
		}
	})
}

// What a rule no longer ignores is fetched, and what one ignores now is not.
func TestIgnoreChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/")
		s.opt.MaxPages = 1
		s.opt.PageRules = []PageRule{{Match: "/1", Ignore: true}}
		web.on("http://a.test/", linking("/1", "/2"))
		web.on("http://a.test/1", text("one"))
		web.on("http://a.test/2", text("two"))
		ctx, cancel := withPatience(t)
		defer cancel()
		s.run(ctx)
		s.opt.MaxPages = 0
		s.opt.PageRules = []PageRule{{Match: "/2", Ignore: true}}
		s.finish()
		s.want(map[string]string{"http://a.test/": "fetched", "http://a.test/1": "fetched"})
		s.wantSkipped(map[string]string{"http://a.test/2": "exclude"})
	})
}

// Pages that are no rows do not count for the limit of rows.
func TestMaxPagesCountsRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/list/0")
		s.opt.MaxPages = 3
		s.opt.PageRules = []PageRule{{Match: "/list/", Store: StoreNothing}}
		web.all = func(url string) (answer, bool) {
			var n int
			if _, err := fmt.Sscanf(url, "http://a.test/list/%d", &n); err == nil {
				return linking(fmt.Sprintf("/list/%d", n+1), fmt.Sprintf("/item/%d", n)), true
			}
			return text(url), strings.Contains(url, "/item/")
		}
		ctx, cancel := withPatience(t)
		defer cancel()
		if sum := s.run(ctx); sum.End != MaxPages || sum.Counts.Rows() != 3 {
			t.Errorf("ended %s with %d rows", sum.End, sum.Counts.Rows())
		}
	})
}

// Nor do they hold others up when one row is missing.
func TestMaxPagesWaitsForRowsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/list/0")
		s.opt.MaxPages, s.opt.Workers, s.opt.PerHost, s.opt.Delay = 1, 16, 16, 0
		s.opt.PageRules = []PageRule{{Match: "/list/", Store: StoreNothing}}
		var lists []string
		for n := range 64 {
			lists = append(lists, fmt.Sprintf("/list/%d", n+1))
			web.on("http://a.test"+lists[n], slow(linking(), time.Second))
		}
		web.on("http://a.test/list/0", linking(lists...))
		web.on("http://a.test/list/64", slow(linking("/item"), time.Second))
		web.on("http://a.test/item", text("item"))
		ctx, cancel := withPatience(t)
		defer cancel()
		if sum := s.run(ctx); sum.End != Finished || web.most != 16 {
			t.Errorf("ended %s with at most %d requests at a time", sum.End, web.most)
		}
	})
}

func TestHighPriorityGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/")
		s.opt.Workers = 1
		s.opt.PageRules = []PageRule{{Match: "/low/", Priority: "low"}, {Match: "/high/", Priority: "high"}}
		web.on("http://a.test/", linking("/low/1", "/1", "/high/1", "/low/2", "/2", "/high/2"))
		web.on("http://a.test/2", linking("/high/3", "/low/3"))
		s.finish()
		var order []string
		for _, a := range web.asked {
			order = append(order, strings.TrimPrefix(a.url, "http://a.test"))
		}
		want := "/robots.txt / /high/1 /high/2 /1 /2 /high/3 /low/1 /low/2 /low/3"
		if got := strings.Join(order, " "); got != want {
			t.Errorf("asked in the order %s\nwant %s", got, want)
		}
	})
}

// follower is a Sink as others write one: it keeps what it is told in memory, and
// loses what was not synced when the process dies.
type follower struct {
	mu     sync.Mutex // the process dies beside it
	file   *storage.File
	after  uint64   // all up to it is in rows
	rows   []string // told
	synced int      // rows that survive
	at     uint64   // after, of these
	broken error
}

func (f *follower) Write(last uint64) error {
	if f.broken != nil {
		return f.broken
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := EachVisit(f.file, f.after+1, last, func(seq uint64, v *storage.Visit) error {
		f.rows = append(f.rows, fmt.Sprintf("%d %s", seq, v.URL))
		return nil
	})
	f.after = last
	return err
}

func (f *follower) Sync() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced, f.at = len(f.rows), f.after
	return binary.AppendUvarint(binary.AppendUvarint(nil, f.at), uint64(f.synced)), nil
}

// A sink is told of every visit once and in order, however often the crawl dies.
func TestOutputsAcrossDeaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/0")
		web.all = func(url string) (answer, bool) {
			var n int
			if _, err := fmt.Sscanf(url, "http://a.test/%d", &n); err != nil || n > 300 {
				return answer{}, false
			}
			return linking(fmt.Sprint(n*2+1), fmt.Sprint(n*2+2)), true
		}
		var durable []string
		var last *follower
		dead := true
		random := rand.New(rand.NewPCG(1, 2))
		s.withFile = func(file *storage.File, o *Options) {
			position, err := Position(file, "rows")
			if err != nil {
				t.Fatal(err)
			}
			f := &follower{file: file, rows: durable}
			if position != nil {
				at, n := binary.Uvarint(position)
				rows, _ := binary.Uvarint(position[n:])
				if int(rows) > len(durable) {
					t.Errorf("the file knows %d rows of %d", rows, len(durable))
				}
				f.after, f.rows = at, slices.Clone(durable[:rows])
			} else {
				f.rows = nil
			}
			o.Outputs = []Output{{Key: "rows", Sink: f}}
			last = f
			s.atDeath = func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				dead = true
				durable = slices.Clone(f.rows[:max(f.synced, len(f.rows)-random.IntN(5))])
			}
		}
		for dead {
			dead = false
			s.killAfter(time.Duration(1+random.IntN(20)) * time.Second)
		}
		durable = last.rows
		_, visits := s.visits()
		if len(visits) < 300 || len(durable) != len(visits) {
			t.Fatalf("%d rows of %d visits", len(durable), len(visits))
		}
		for i, v := range visits {
			if _, url, _ := strings.Cut(durable[i], " "); url != v.URL {
				t.Fatalf("row %d is %s, want %s", i, url, v.URL)
			}
		}
	})
}

func TestOutputFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/")
		web.on("http://a.test/", linking("/1", "/2"))
		broken := errors.New("it is full")
		s.opt.Outputs = []Output{{Key: "rows", Sink: &follower{broken: broken}}}
		ctx, cancel := withPatience(t)
		defer cancel()
		_, err := s.try(ctx)
		if trouble := (*SinkError)(nil); !errors.As(err, &trouble) || trouble.Key != "rows" || !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
		s.opt.Outputs = nil
		s.finish()
		if n := web.of("http://a.test/"); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// shelf is an Archive: what is on it beyond the position that was committed is
// taken off at the next start.
type shelf struct {
	exchanges []Exchange
	broken    error
}

func (a *shelf) Add(list []Exchange) error {
	if a.broken != nil {
		return a.broken
	}
	a.exchanges = append(a.exchanges, list...)
	return nil
}

func (a *shelf) Finish() error { return a.broken }

func (a *shelf) Position() []byte { return binary.AppendUvarint(nil, uint64(len(a.exchanges))) }

// An archive holds exactly the exchanges of the visits that are committed.
func TestArchiveAcrossDeaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/0")
		web.all = func(url string) (answer, bool) {
			var n int
			if _, err := fmt.Sscanf(url, "http://a.test/%d", &n); err != nil || n > 200 {
				return answer{}, false
			}
			if n%7 == 3 {
				return moved(fmt.Sprint(n * 2)), true
			}
			return linking(fmt.Sprint(n*2+1), fmt.Sprint(n*2+2)), true
		}
		archive := &shelf{}
		s.withFile = func(file *storage.File, o *Options) {
			position, err := Position(file, "shelf")
			if err != nil {
				t.Fatal(err)
			}
			kept, _ := binary.Uvarint(position)
			archive.exchanges = archive.exchanges[:kept]
			o.Archive, o.ArchiveKey = archive, "shelf"
		}
		random := rand.New(rand.NewPCG(3, 4))
		for s.killAfter(time.Duration(1+random.IntN(20)) * time.Second) {
		}
		seqs, visits := s.visits()
		byNumber := map[uint64]*storage.Visit{}
		for i, v := range visits {
			if v.Status != 0 {
				byNumber[seqs[i]] = v
			}
		}
		if len(archive.exchanges) != len(byNumber) || len(byNumber) < 100 {
			t.Errorf("%d exchanges of %d visits", len(archive.exchanges), len(byNumber))
		}
		if !slices.IsSortedFunc(archive.exchanges, func(a, b Exchange) int { return cmp.Compare(a.Seq, b.Seq) }) {
			t.Error("the exchanges are not in order")
		}
		for _, e := range archive.exchanges {
			v := byNumber[e.Seq]
			if v == nil || v.URL != e.URL || v.DuplicateOf != e.DuplicateOf || v.Record.Size != int64(len(e.Body)) {
				t.Errorf("exchange %d of %s belongs to %v", e.Seq, e.URL, v)
			}
		}
		archive.broken = errors.New("no room")
		s.opt.Input.Args = []string{"http://a.test/more"}
		ctx, cancel := withPatience(t)
		defer cancel()
		before, _ := s.visits()
		if _, err := s.try(ctx); !errors.Is(err, archive.broken) {
			t.Errorf("the error is %v", err)
		}
		if after, _ := s.visits(); len(after) != len(before) {
			t.Error("a visit was committed that is not archived")
		}
	})
}

// An exchange bears the number of its visit, also when a trap is parked just then.
func TestArchiveOfATrap(t *testing.T) {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		t.Fatal(err)
	}
	archive := &shelf{}
	s, _ := crawlTrap(t, sites, "pagination", 2000, func(o *Options) { o.Archive, o.ArchiveKey = archive, "shelf" })
	if _, parks := s.fetchedPages(); len(parks) == 0 {
		t.Fatal("nothing was parked")
	}
	seqs, visits := s.visits()
	urls := map[uint64]string{}
	for i, v := range visits {
		urls[seqs[i]] = v.URL
	}
	for _, e := range archive.exchanges {
		if urls[e.Seq] != e.URL {
			t.Errorf("exchange %d of %s bears the number of %q", e.Seq, e.URL, urls[e.Seq])
		}
	}
}

// stuck is a Sink that never comes back.
type stuck struct{ released chan struct{} }

func (s stuck) Write(uint64) error    { <-s.released; return nil }
func (s stuck) Sync() ([]byte, error) { return nil, nil }

// A stop does not wait for ever for who writes the rows, and ends in order.
func TestStopWithAStuckOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, web := onPaper(t, "http://a.test/")
		web.all = func(url string) (answer, bool) {
			var n int
			_, _ = fmt.Sscanf(url, "http://a.test/%d", &n)
			return linking(fmt.Sprint(n + 1)), !strings.Contains(url, "robots")
		}
		sink := stuck{make(chan struct{})}
		s.opt.Outputs = []Output{{Key: "rows", Sink: sink}}
		began := time.Now()
		sum := s.stopAfter(time.Minute)
		if sum.End != Stopped || !sum.Behind || time.Since(began) > time.Minute+grace+time.Second {
			t.Errorf("ended %s after %v, behind: %v", sum.End, time.Since(began), sum.Behind)
		}
		close(sink.released)
		s.opt.Outputs = nil
		if sum = s.stopAfter(time.Second); sum.Unclean {
			t.Error("it did not end in order")
		}
	})
}

func TestInspect(t *testing.T) {
	s, web := onPaper(t)
	s.opt.Fields = []string{"name=h1"}
	s.opt.PageRules = []PageRule{{Match: "/never", Ignore: true}, {Match: "/high", Priority: "high"}, {Match: "/$", Store: StoreNothing}}
	web.on("http://a.test/", answer{body: `<h1>Hello</h1><a href=/high>h</a><a href=/never>n</a><a href=http://b.test/>b</a><img src=i.png>`})
	web.on("http://a.test/robots.txt", text("User-agent: *\nDisallow: /no"))
	file, err := storage.Create(newPath(t), Rules(&s.opt.Settings))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in, err := Inspect(t.Context(), file, s.opt, "a.test")
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for _, l := range in.Links {
		links = append(links, fmt.Sprintf("%s %v %s %s", l.URL, l.Taken, l.Reason, l.Lane))
	}
	got := fmt.Sprint(in.URL, in.Rules, in.Visit.Outcome, in.Visit.Record.Fields, links)
	want := "http://a.test/[2] fetched [{name [Hello]}] [http://a.test/high true  high http://a.test/never true exclude normal" +
		" http://b.test/ true scope normal http://a.test/i.png false  normal]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if in, err = Inspect(t.Context(), file, s.opt, "http://a.test/no"); err != nil || !strings.Contains(in.Blocked, "Disallow: /no") {
		t.Errorf("%v, blocked by %q", err, in.Blocked)
	}
}
