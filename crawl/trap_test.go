package crawl

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pawl/frontier"
	"pawl/internal/fakeweb"
	"pawl/storage"
	"pawl/weburl"
)

// crawlTrap crawls one of the generated sites until the crawl ends or most pages
// were fetched.
func crawlTrap(t *testing.T, s *fakeweb.Sites, name string, most int, change func(*Options)) (*site, Summary) {
	t.Helper()
	c := &site{t: t, path: newPath(t)}
	c.opt = Options{Settings: Defaults("pawl/test"), Transport: s, Input: Input{Args: []string{s.Site(name).Seed()}}}
	c.opt.Delay = 0
	c.opt.PerHost = 16
	c.opt.MaxPages = most
	c.opt.IgnoreRobots = true
	if change != nil {
		change(&c.opt)
	}
	var sum Summary
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		sum = c.run(ctx)
	})
	return c, sum
}

// fetchedPages gives the addresses that were fetched, and what was parked.
func (s *site) fetchedPages() (urls []string, parks []storage.Park) {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	err = file.View(func(r *storage.Reader) error {
		return r.Scan(1, func(_ uint64, event []byte) (bool, error) {
			switch e, err := storage.Decode(event); e := e.(type) {
			case *storage.Visit:
				if e.Outcome == storage.Fetched {
					urls = append(urls, e.URL)
				}
			case *storage.Edit:
				if e.Edit == storage.EditPark {
					var p storage.Park
					if err := json.Unmarshal(e.Settings, &p); err != nil {
						return false, err
					}
					parks = append(parks, p)
				}
			default:
				return err == nil, err
			}
			return true, nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return urls, parks
}

// isPure checks that the totals in the file are those of its log.
func (s *site) isPure() {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	f, err := frontier.Fold(file, frontier.Defaults())
	if err != nil {
		s.t.Fatal(err)
	}
	var stored storage.State
	if err := file.View(func(r *storage.Reader) (err error) { stored, err = r.State(); return err }); err != nil {
		s.t.Fatal(err)
	}
	is := f.Counts()
	is.LeastLeft = stored.Counts.LeastLeft
	if stored.Counts != is {
		s.t.Errorf("the file says %+v, its log %+v", stored.Counts, is)
	}
}

// A trap is parked before it has cost thousands of requests, and nothing of the
// site's content is lost; what is large and honest is fetched whole.
func TestTrapsAreParked(t *testing.T) {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sites.All() {
		t.Run(s.Name(), func(t *testing.T) {
			c, sum := crawlTrap(t, sites, s.Name(), 20_000, nil)
			urls, parks := c.fetchedPages()
			score := s.Score(slices.Values(urls))
			c.isPure()
			if sum.End != Finished {
				t.Errorf("the crawl ended by %s", sum.End)
			}
			if score.Lost > 0 || score.Missing > 0 || len(parks) > 0 != s.Trap() || score.Waste+score.Again > 2200 {
				t.Errorf("%+v, parked %v", score, parks)
			}
		})
	}
}

// What is parked comes back when the user wants it, and is not parked again.
func TestUnpark(t *testing.T) {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		t.Fatal(err)
	}
	c, sum := crawlTrap(t, sites, "pagination", 0, nil)
	if sum.Counts.Withdrawn == 0 {
		t.Fatal("nothing was taken out of the queue")
	}
	again := func() Summary {
		var sum Summary
		synctest.Test(t, func(t *testing.T) { sum = c.run(t.Context()) })
		return sum
	}
	if sum := again(); sum.Counts.Requests != sum.Before.Requests {
		t.Errorf("what is parked was asked for: %d requests", sum.Counts.Requests-sum.Before.Requests)
	}
	c.atRest(func(ctx context.Context, crawl *Crawl) {
		count, err := crawl.Edit(ctx, Edit{Kind: Restore, Predicate: storage.Predicate{Host: "pagination.test"}})
		if err != nil || count.Patterns != 1 || count.Addresses == 0 || len(count.Examples) == 0 {
			t.Errorf("%+v, %v", count, err)
		}
	})
	c.opt.MaxPages = 3000
	if sum := again(); sum.End != MaxPages {
		t.Errorf("ended by %s", sum.End)
	}
	if _, parks := c.fetchedPages(); len(parks) != 1 {
		t.Errorf("parked %v", parks)
	}
}

func TestTrapsAreFollowedOnRequest(t *testing.T) {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		t.Fatal(err)
	}
	c, sum := crawlTrap(t, sites, "pagination", 3000, func(o *Options) { o.KeepTraps = true })
	if _, parks := c.fetchedPages(); sum.End != MaxPages || len(parks) > 0 {
		t.Errorf("ended by %s, parked %v", sum.End, parks)
	}
}

// Runs that are too short to find a trap find it together.
func TestTrapsAreParkedOverManyShortRuns(t *testing.T) {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		t.Fatal(err)
	}
	c, sum := crawlTrap(t, sites, "calendar", 200, nil)
	runs := 1
	for ; sum.End == MaxPages && runs < 50; runs++ {
		c.opt.MaxPages += 200
		synctest.Test(t, func(t *testing.T) { sum = c.run(t.Context()) })
	}
	urls, parks := c.fetchedPages()
	score := sites.Site("calendar").Score(slices.Values(urls))
	if sum.End != Finished || len(parks) == 0 || score.Lost > 0 || score.Waste > 2500 {
		t.Errorf("after %d runs: %s, %+v, parked %v", runs, sum.End, score, parks)
	}
}

// What the user wants back before it has left the queue stays there.
func TestUnparkWhatIsStillQueued(t *testing.T) {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		t.Fatal(err)
	}
	c := &site{t: t, path: newPath(t)}
	c.opt = Options{Settings: Defaults("pawl/test"), Transport: sites, Input: Input{Args: []string{sites.Site("gallery").Seed()}}}
	c.opt.Delay, c.opt.IgnoreRobots, c.opt.MaxPages = 0, true, 500
	synctest.Test(t, func(t *testing.T) { c.run(t.Context()) })
	file, err := storage.Open(c.path, false)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frontier.Load(file, frontier.Defaults())
	if err == nil {
		err = f.Park(storage.Park{Host: "gallery.test", Pattern: "/photo/{n}"}, time.Now())
	}
	if err == nil {
		err = file.Commit(f.Seal(time.Now()))
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.atRest(func(ctx context.Context, crawl *Crawl) {
		if _, err := crawl.Edit(ctx, Edit{Kind: Restore}); err != nil {
			t.Error(err)
		}
	})
	c.opt.MaxPages = 600
	synctest.Test(t, func(t *testing.T) {
		if sum := c.run(t.Context()); sum.Counts.Withdrawn > 0 || sum.Counts.Of(storage.Fetched) < 600 {
			t.Errorf("%d fetched, %d withdrawn", sum.Counts.Of(storage.Fetched), sum.Counts.Withdrawn)
		}
	})
}

// Very many hosts that take turns do not keep each other from being watched.
func TestHostsAreWatchedLongEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := onPaper(t, "http://a.test/")
		sum := s.run(t.Context())
		_ = sum
		file, err := storage.Open(s.path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		f, err := frontier.Load(file, frontier.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		tr := newTraps(f, &parking{lists: f})
		tr.from = 0
		parked := map[string]bool{}
		for n := range 2000 {
			for h := range maxWatched + 44 {
				host := fmt.Sprintf("h%d.test", h)
				u := weburl.URL(fmt.Sprintf("http://%s/page/%d", host, n))
				r := &result{task: &task{}, visit: &storage.Visit{ContentHash: []byte("hash")}, isPage: true}
				r.links = []frontier.Candidate{{Link: storage.Link{URL: fmt.Sprintf("http://%s/page/%d", host, n+1)}}}
				if tr.saw(u, r) != nil {
					parked[host] = true
				}
			}
		}
		if len(parked) < maxWatched {
			t.Errorf("%d hosts of %d are traps, and %d are found", maxWatched+44, maxWatched+44, len(parked))
		}
	})
}

// What is kept of a host comes back as it was, and what is damaged is left.
func TestWatchedHostsComeBack(t *testing.T) {
	w := &watched{forms: map[string]*form{}, places: map[string]map[uint64]struct{}{}}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		u := weburl.URL(fmt.Sprintf("http://a.test/x%c/%d/w%c%c?p=%d", 'a'+i%9, i, 'a'+i%26, 'a'+i/26, i))
		for _, f := range w.formsOf(u, nil) {
			f.found++
			f.fetched++
			f.worth.push(rng.IntN(2) == 0)
			f.content.push(rng.IntN(9) == 0)
			f.parked = rng.IntN(5) == 0
		}
		for k := range w.said {
			w.said[k].meet(rng.Uint32(), maxChunks)
		}
	}
	w.count()
	b := w.encode()
	got, err := decodeWatched(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, got, cmp.AllowUnexported(watched{}, form{}, lately{}, recently{})); diff != "" {
		t.Errorf("-kept +read:\n%s", diff)
	}
	for range 2000 {
		damaged := slices.Clone(b[:rng.IntN(len(b)+1)])
		if len(damaged) > 0 && rng.IntN(2) == 0 {
			damaged[rng.IntN(len(damaged))] ^= byte(1 + rng.IntN(255))
		}
		decodeWatched(damaged) // does not panic
	}
}

// Products whose addresses have two parameters, that link only each other, and
// that differ in one sentence among forty, are content.
func TestProductsByParametersAreNotParked(t *testing.T) {
	const products = 1600
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://shop.test/index.php?route=product&product_id=0")
		p.all = func(url string) (answer, bool) {
			var n int
			if _, err := fmt.Sscanf(url, "http://shop.test/index.php?route=product&product_id=%d", &n); err != nil || n >= products {
				return answer{}, false
			}
			var b strings.Builder
			for i := range 40 {
				fmt.Fprintf(&b, "<p>the same on all pages, paragraph %c</p>", 'a'+i)
			}
			word := func(n int) string { return string([]byte{'a' + byte(n%26), 'a' + byte(n/26%26), 'a' + byte(n/676)}) }
			fmt.Fprintf(&b, "<p>this one is of %s</p>", word(n))
			for i := range 5 {
				fmt.Fprintf(&b, "<a href='?route=product&amp;product_id=%d'>%d</a>", n*5+i+1, n)
			}
			return answer{body: b.String()}, true
		}
		s.opt.Delay, s.opt.PerHost = 0, 8
		sum := s.run(t.Context())
		if _, parks := s.fetchedPages(); len(parks) > 0 || sum.Counts.Of(storage.Fetched) != products {
			t.Errorf("%d fetched, parked %v", sum.Counts.Of(storage.Fetched), parks)
		}
	})
}

// A shop whose pages say no more than their name, which stands in their address,
// and a price, is content, since lists lead to it; so are photos without a word.
func TestPoorPagesOfListsAreNotParked(t *testing.T) {
	const items = 3000
	word := func(n int) string {
		return []string{"red", "blue", "green", "large", "small"}[n%5] + "-" + string([]byte{'a' + byte(n/5%26), 'a' + byte(n/130)})
	}
	for _, c := range []struct {
		name string
		path func(n int) string
		page func(n int) string
	}{
		{"shop", func(n int) string { return "/product/" + word(n) }, func(n int) string {
			return fmt.Sprintf("<h1>%s</h1><p>Add to basket</p><p>Price: %d.99</p>", strings.ReplaceAll(word(n), "-", " "), n%50)
		}},
		{"photos", func(n int) string { return "/photo/" + word(n) }, func(n int) string {
			return fmt.Sprintf("<h1>Photo</h1><img src=/i/%d.jpg><img src=/count?%d>", n, n)
		}},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/list/0")
			of := map[string]string{}
			for n := range items {
				of["http://a.test"+c.path(n)] = c.page(n)
			}
			p.all = func(url string) (answer, bool) {
				if body, ok := of[url]; ok {
					return answer{body: body}, true
				}
				var list int
				if _, err := fmt.Sscanf(url, "http://a.test/list/%d", &list); err != nil {
					return answer{}, false
				}
				links := []string{}
				for n := list * 50; n < min(list*50+50, items); n++ {
					links = append(links, c.path(n))
				}
				if list*50+50 < items {
					links = append(links, fmt.Sprintf("/list/%d", list+1))
				}
				return linking(links...), true
			}
			s.opt.Delay, s.opt.PerHost = 0, 8
			sum := s.run(t.Context())
			if _, parks := s.fetchedPages(); len(parks) > 0 || sum.Counts.Of(storage.Fetched) != items+items/50 {
				t.Errorf("%d fetched, parked %v", sum.Counts.Of(storage.Fetched), parks)
			}
		})
	}
}

// Small hosts are not watched: they would take the places of large ones.
func TestSmallHostsAreNotWatched(t *testing.T) {
	for _, c := range []struct {
		pages int
		want  bool
	}{{watchFrom - 4, false}, {watchFrom + 10, true}} {
		inBubble(t, fmt.Sprint(c.pages), func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/")
			links := []string{}
			for i := range c.pages {
				links = append(links, fmt.Sprintf("/%d", i))
				p.on(fmt.Sprintf("http://a.test/%d", i), linking())
			}
			p.on("http://a.test/", linking(links...))
			s.opt.Delay = 0
			s.finish()
			file, err := storage.Open(s.path, true)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			watched := false
			err = file.View(func(r *storage.Reader) error {
				return r.EachSide(storage.SideTraps, func(string, []byte) error { watched = true; return nil })
			})
			if err != nil || watched != c.want {
				t.Errorf("watched %v, want %v (%v)", watched, c.want, err)
			}
		})
	}
}
