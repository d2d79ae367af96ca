package crawl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pawl/storage"
)

// Hosts that take every request and never answer keep nobody waiting but
// themselves: those that answer are through as soon as if the others were not
// there. And they come to their end as well.
func TestHangingHosts(t *testing.T) {
	const latency = 50 * time.Millisecond
	for _, c := range []struct {
		name                            string
		workers, good, pages, hanging   int
		delay, alone /* if so */, spare time.Duration
	}{
		{"fewer that hang than workers", 16, 1, 1000, 15, 0, 1000 * latency, 0},
		{"more", 16, 1, 1000, 100, 0, 1000 * latency, 0},
		{"many more", 16, 1, 1000, 1000, 0, 1000 * latency, 0},
		{"with a delay", 16, 4, 300, 200, time.Second, 303 * time.Second, time.Second},
		{"more good ones than workers are kept for them", 16, 10, 300, 200, 0, 300 * latency, 20 * time.Second},
		{"200 workers", 200, 10, 500, 1000, 0, 500 * latency, 0},
		{"four workers", 4, 1, 1000, 100, 0, 1000 * latency, 35 * time.Second},
		{"two workers", 2, 1, 1000, 50, 0, 1000 * latency, 65 * time.Second},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t)
			s.opt.Workers, s.opt.Delay, s.opt.Scope = c.workers, c.delay, ScopeAny
			for g := range c.good {
				s.opt.Input.Args = append(s.opt.Input.Args, fmt.Sprintf("http://good%d.test/", g))
			}
			p.all = func(url string) (answer, bool) {
				var g, n int
				if _, err := fmt.Sscanf(url, "http://good%d.test/", &g); err != nil {
					return answer{wait: time.Hour}, true
				}
				if strings.HasSuffix(url, "/robots.txt") {
					return status(404), true
				}
				_, _ = fmt.Sscanf(url, "http://good%d.test/%d", &g, &n)
				var links []string
				for i := 10*n + 1; i <= min(10*n+10, c.pages-1); i++ {
					links = append(links, fmt.Sprintf("/%d", i))
				}
				for h := range c.hanging {
					if h%c.pages == n && h%c.good == g {
						links = append(links, fmt.Sprintf("http://h%d.test/", h))
					}
				}
				return slow(linking(links...), latency), true
			}
			began := time.Now()
			s.finish()
			for g := range c.good {
				at := p.times(fmt.Sprintf("good%d.test", g))
				if len(at) != c.pages+1 {
					t.Errorf("good host %d was asked %d times", g, len(at))
				}
				if took := at[len(at)-1].Sub(began); took > c.alone+c.spare {
					t.Errorf("good host %d was through after %v, want %v", g, took, c.alone+c.spare)
				}
			}
			hung := 0
			for url, v := range s.outcomes() {
				if strings.HasPrefix(url, "http://h") {
					hung++
					if v.Outcome != storage.Failed || v.Class != storage.Robots {
						t.Errorf("%s is %v %v", url, v.Outcome, v.Class)
					}
				}
			}
			if hung != c.hanging {
				t.Errorf("%d hosts that hang have come to their end, want %d", hung, c.hanging)
			}
		})
	}
}

// What is asked of a host stays in the order found, and slow hosts go on while
// there is all the time something to ask of others.
func TestSlowHostsGoOn(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		s, p := onPaper(t, "http://slow.test/", "http://good.test/")
		s.opt.Workers, s.opt.Delay = 2, 0
		p.on("http://slow.test/", slow(linking("/1", "/2", "/3", "/4", "/5"), 10*time.Second))
		for i := range 5 {
			p.on(fmt.Sprintf("http://slow.test/%d", i+1), slow(linking(), 10*time.Second))
		}
		p.on("http://good.test/", linking(numbered(p, "http://good.test", 2000, slow(linking(), 50*time.Millisecond))...))
		s.finish()
		var order []string
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, a := range p.asked {
			if a.host == "slow.test" {
				order = append(order, strings.TrimPrefix(a.url, "http://slow.test"))
			}
		}
		if got, want := strings.Join(order, " "), "/robots.txt / /1 /2 /3 /4 /5"; got != want {
			t.Errorf("the slow host was asked for %s, want %s", got, want)
		}
		if last := p.asked[len(p.asked)-1]; last.host != "good.test" {
			t.Error("the slow host was put off to the end")
		}
	})
}
