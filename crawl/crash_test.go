package crawl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

// spy notes the credentials that hosts are sent.
type spy struct {
	http.RoundTripper
	saw map[string]string
}

var spyLock sync.Mutex

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	spyLock.Lock()
	s.saw[r.URL.Host] += r.Header.Get("Authorization")
	spyLock.Unlock()
	return s.RoundTripper.RoundTrip(r)
}

// A run whose commits fail ends with an error, at once, and what was committed
// is what the next run goes on from.
func TestCommitFails(t *testing.T) {
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 1200 * time.Millisecond} {
		for _, workers := range some(1, 200) {
			inBubble(t, fmt.Sprintf("after %v, %d workers", after, workers), func(t *testing.T) {
				o := fakeweb.Defaults()
				o.Hosts, o.Pages = 3, 30
				o.Latency = fakeweb.Fixed(70 * time.Millisecond)
				s := newSite(t, o)
				s.opt.Workers, s.opt.PerHost = workers, 2
				var timer *time.Timer
				s.during = func(file *storage.File) {
					timer = time.AfterFunc(after+511*time.Nanosecond, func() { file.Close() })
				}
				began := time.Now()
				_, err := s.try(t.Context())
				timer.Stop()
				if err == nil {
					t.Fatal("no error")
				}
				if took := time.Since(began); took > after+3*time.Second {
					t.Errorf("it took %v to notice", took)
				}
				s.during = nil
				s.finish()
				s.compare(fakeweb.Walk{})
				s.wantAsks(fakeweb.Walk{}, workers+commitEvents)
				s.wantPolite(2, 100*time.Millisecond)
			})
		}
	}
}

func TestFileCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := onPaper(t, "http://a.test/")
		s.stopAfter(0)
		file, err := storage.Open(s.path, true)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		c, err := New(file, s.opt)
		if err != nil {
			t.Fatal(err)
		}
		var write *storage.WriteError
		if _, err := c.Run(t.Context()); !errors.As(err, &write) {
			t.Errorf("error %v", err)
		}
	})
}

// A page during which the process dies again and again is finished as crashed,
// and no other.
func TestPageThatKillsTheProcess(t *testing.T) {
	for _, poison := range []string{"http://a.test/poison", "http://b.test/robots.txt", "http://a.test/"} {
		for _, workers := range some(1, 8) {
			inBubble(t, fmt.Sprintf("%s, %d workers", poison, workers), func(t *testing.T) {
				s, p := onPaper(t, "http://a.test/", "http://b.test/", "http://c.test/")
				s.opt.Workers, s.opt.PerHost, s.opt.Delay = workers, 3, 0
				want := map[string]string{}
				for _, h := range []string{"http://a.test", "http://b.test", "http://c.test"} {
					links := numbered(p, h, 12, slow(linking(), 300*time.Millisecond))
					p.on(h+"/", slow(linking(append(links, "/poison")...), 300*time.Millisecond))
					p.on(h+"/poison", linking())
					want[h+"/"], want[h+"/poison"] = "fetched", "fetched"
					for _, l := range links {
						want[h+l] = "fetched"
					}
				}
				deaths := 0
				for {
					died := s.killWhen(func(kill func()) {
						p.watch = func(r *http.Request) {
							if r.URL.String() == poison {
								// So that others are out as well.
								time.Sleep(100*time.Millisecond + 37*time.Nanosecond)
								kill()
							}
						}
					}, nil)
					if !died {
						break
					}
					if deaths++; deaths > 12 {
						t.Fatal("it dies for ever")
					}
				}
				if deaths < 3 {
					t.Errorf("condemned after %d deaths", deaths)
				}
				switch poison {
				case "http://a.test/": // nothing behind it was found
					for url := range want {
						if url[:len("http://a.test")] == "http://a.test" {
							delete(want, url)
						}
					}
					want[poison] = "failed crashed"
				case "http://b.test/robots.txt":
					for url := range want {
						if url[:len("http://b.test")] == "http://b.test" {
							delete(want, url)
						}
					}
					want["http://b.test/"] = "failed robots"
				default:
					want[poison] = "failed crashed"
				}
				s.want(want)
			})
		}
	}
}

// After two kills all that hung at both is suspected. That holds the crawl up for
// a moment each, and not until time has run out.
func TestSuspectsThatHang(t *testing.T) {
	const hanging, latency = 15, 50 * time.Millisecond
	inBubble(t, "", func(t *testing.T) {
		s, p := onPaper(t)
		s.opt.Delay, s.opt.Retries = 0, 0
		for h := range hanging {
			s.opt.Input.Args = append(s.opt.Input.Args, fmt.Sprintf("http://h%d.test/", h))
		}
		s.opt.Input.Args = append(s.opt.Input.Args, "http://good.test/")
		p.on("http://good.test/", linking(numbered(p, "http://good.test", 1000, slow(linking(), latency))...))
		p.all = func(url string) (answer, bool) {
			return answer{wait: time.Hour}, !strings.HasSuffix(url, "/robots.txt")
		}
		for range 2 {
			s.killAfter(10 * time.Second)
		}
		before, began := p.of("http://good.test/"), time.Now()
		s.finish()
		if p.of("http://good.test/") != before {
			t.Error("the good host is begun anew")
		}
		at := p.times("good.test")
		if took := at[len(at)-1].Sub(began); took > 1000*latency+(hanging+5)*time.Second {
			t.Errorf("the good host is through after %v", took)
		}
		for url, got := range s.brief() {
			want := "fetched"
			if strings.HasPrefix(url, "http://h") {
				want = "failed timeout"
			}
			if got != want {
				t.Errorf("%s is %s, want %s", url, got, want)
			}
		}
	})
}

// A page that kills the process long after it was asked for is found as well.
func TestPageThatKillsTheProcessLate(t *testing.T) {
	for _, late := range []time.Duration{500 * time.Millisecond, 5 * time.Second, 25 * time.Second} {
		inBubble(t, late.String(), func(t *testing.T) {
			s, p := onPaper(t, "http://a.test/", "http://b.test/", "http://hangs.test/")
			s.opt.Delay, s.opt.Retries = 0, 0
			want := map[string]string{"http://b.test/poison": "failed crashed", "http://hangs.test/": "failed timeout"}
			for _, h := range []string{"http://a.test", "http://b.test"} {
				links := numbered(p, h, 200, slow(linking(), 300*time.Millisecond))
				p.on(h+"/", linking(append([]string{"/poison"}, links...)...))
				p.on(h+"/poison", linking())
				for _, l := range append(links, "/") {
					want[h+l] = "fetched"
				}
			}
			want["http://a.test/poison"] = "fetched"
			p.on("http://b.test/poison", answer{wait: time.Hour})
			p.on("http://hangs.test/", answer{wait: time.Hour})
			deaths := 0
			for s.killWhen(func(kill func()) {
				p.watch = func(r *http.Request) {
					if r.URL.String() == "http://b.test/poison" {
						select {
						case <-time.After(late + 37*time.Nanosecond):
							kill()
						case <-r.Context().Done():
						}
					}
				}
			}, nil) {
				if deaths++; deaths > 12 {
					t.Fatal("it dies for ever")
				}
			}
			t.Logf("%d deaths", deaths)
			s.want(want)
		})
	}
}

// The first page of a run kills the process before anything is committed. That
// must be noticed as well, or it would do so for ever.
func TestFirstPageKillsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/", "http://a.test/poison", "http://a.test/2")
		s.opt.Delay = time.Second
		p.on("http://a.test/", linking())
		p.on("http://a.test/poison", linking())
		p.on("http://a.test/2", linking())
		s.stopAfter(1500 * time.Millisecond)
		time.Sleep(time.Minute)
		deaths := 0
		for s.killWhen(func(kill func()) {
			p.watch = func(r *http.Request) {
				if r.URL.Path == "/poison" {
					time.Sleep(time.Millisecond + 37*time.Nanosecond)
					kill()
				}
			}
		}, nil) {
			if deaths++; deaths > 12 {
				t.Fatal("it dies for ever")
			}
		}
		s.want(map[string]string{"http://a.test/": "fetched", "http://a.test/poison": "failed crashed", "http://a.test/2": "fetched"})
		if gap := p.gap("a.test"); gap < time.Second {
			t.Errorf("a gap of %v", gap)
		}
	})
}

// A process that dies by no page's doing condemns none, however often.
func TestKillsCondemnNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeweb.Defaults()
		o.Hosts, o.Pages = 3, 50
		o.Latency = fakeweb.Fixed(400 * time.Millisecond)
		s := newSite(t, o)
		s.opt.PerHost = 2
		kills := 0
		for s.killAfter(time.Duration(900+kills*37) * time.Millisecond) {
			kills++
		}
		if kills < 10 {
			t.Errorf("only %d kills", kills)
		}
		s.compare(fakeweb.Walk{})
		s.wantPolite(2, 100*time.Millisecond)
		// At most what was out at each death is asked for twice.
		s.wantAsks(fakeweb.Walk{}, kills*(3*2+1))
	})
}

// A context that is done before the run begins stops it without a request.
func TestStoppedBeforeItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/1", "http://a.test/2")
		s.opt.Delay = time.Minute
		s.stopAfter(time.Second)
		time.Sleep(time.Hour)
		before := len(p.asked)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 5 {
			if sum := s.run(ctx); sum.End != Stopped || sum.Counts.Pending != 2 {
				t.Errorf("ended %s with %d pending", sum.End, sum.Counts.Pending)
			}
		}
		if n := len(p.asked) - before; n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}
