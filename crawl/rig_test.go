package crawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

// patience is how long a crawl may take in a test, in the time of its bubble.
// One that takes longer hangs.
const patience = 100 * time.Hour

// answer is what an address of a paper web says.
type answer struct {
	status  int // 0: 200
	header  map[string]string
	body    string
	wait    time.Duration // before it says so
	err     error         // instead of an answer
	panics  bool
	chunked func() io.ReadCloser // instead of body
}

// paper is a web that is written down address by address. What is not written
// down is a 404, robots.txt included. It is asked by RoundTrip.
type paper struct {
	mu    sync.Mutex
	pages map[string]func(n int) answer // n: this is the n-th request, from 1
	asked []asking
	count map[string]int
	open  map[string]int
	most  int                             // requests open at a time on one host
	watch func(r *http.Request)           // called with every request
	all   func(url string) (answer, bool) // asked before pages
}

// asking is a request that a paper web has seen.
type asking struct {
	url, host string
	at        time.Time
}

func newPaper() *paper {
	return &paper{pages: map[string]func(int) answer{}, count: map[string]int{}, open: map[string]int{}}
}

// on writes down what an address answers: to the first request the first
// answer, and so on; the last one stands for ever.
func (p *paper) on(url string, answers ...answer) {
	p.pages[url] = func(n int) answer { return answers[min(n, len(answers))-1] }
}

func (p *paper) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	url := r.URL.Scheme + "://" + host + r.URL.RequestURI()
	if t := r.URL.Opaque; strings.HasPrefix(t, "//") {
		url = r.URL.Scheme + ":" + t
		if r.URL.RawQuery != "" {
			url += "?" + r.URL.RawQuery
		}
	}
	p.mu.Lock()
	p.count[url]++
	n := p.count[url]
	p.asked = append(p.asked, asking{url, host, time.Now()})
	p.open[host]++
	p.most = max(p.most, p.open[host])
	say := p.pages[url]
	watch := p.watch
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.open[host]--
		p.mu.Unlock()
	}()
	if watch != nil {
		watch(r)
	}
	a := answer{status: 404}
	if say != nil {
		a = say(n)
	} else if p.all != nil {
		if found, ok := p.all(url); ok {
			a = found
		}
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteRequest != nil && (a.err == nil || !errors.As(a.err, new(*net.DNSError))) {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	if a.wait > 0 {
		select {
		case <-time.After(a.wait):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	switch {
	case a.panics:
		panic("a bug at " + url)
	case a.err != nil:
		return nil, a.err
	case a.status == 0:
		a.status = 200
	}
	h := http.Header{"Content-Type": {"text/html"}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	body := io.NopCloser(strings.NewReader(a.body))
	if a.chunked != nil {
		body = a.chunked()
	}
	return &http.Response{
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		ContentLength: -1, Body: body, Request: r,
	}, nil
}

// of gives how often an address was asked for.
func (p *paper) of(url string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count[url]
}

// times are when a host was asked.
func (p *paper) times(host string) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var at []time.Time
	for _, a := range p.asked {
		if a.host == host {
			at = append(at, a.at)
		}
	}
	return at
}

// gap is the shortest time between two requests to a host.
func (p *paper) gap(host string) time.Duration {
	at := p.times(host)
	least := time.Duration(1<<63 - 1)
	for i := 1; i < len(at); i++ {
		least = min(least, at[i].Sub(at[i-1]))
	}
	return least
}

// linking is a page with links.
func linking(links ...string) answer {
	var b strings.Builder
	for _, l := range links {
		if l, nofollow := strings.CutPrefix(l, "nofollow "); nofollow {
			fmt.Fprintf(&b, "<a rel=nofollow href=%q>x</a>\n", l)
			continue
		}
		fmt.Fprintf(&b, "<a href=%q>x</a>\n", l)
	}
	return answer{body: b.String()}
}

func slow(a answer, wait time.Duration) answer {
	a.wait = wait
	return a
}

func moved(to string) answer {
	return answer{status: 302, header: map[string]string{"Location": to}}
}

func refusal(status int, after time.Duration) answer {
	a := answer{status: status}
	if after > 0 {
		a.header = map[string]string{"Retry-After": strconv.Itoa(int(after / time.Second))}
	}
	return a
}

func status(n int) answer { return answer{status: n} }

func text(s string) answer {
	return answer{body: s, header: map[string]string{"Content-Type": "text/plain"}}
}

var (
	refused = answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	noHost  = answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}}
	reset   = answer{err: &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}
)

// thereIs is a probe that finds the network.
func thereIs(context.Context, []string) error { return nil }

// onPaper is a site whose web is a paper one.
func onPaper(t *testing.T, seeds ...string) (*site, *paper) {
	t.Helper()
	p := newPaper()
	s := &site{t: t, path: newPath(t)}
	s.opt = Options{Settings: Defaults("pawl/test"), Transport: p, Input: Input{Args: seeds}, Probe: thereIs}
	return s, p
}

func withPatience(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience)
}

// finish crawls until the crawl ends by itself.
func (s *site) finish() Summary {
	s.t.Helper()
	ctx, cancel := withPatience(s.t)
	defer cancel()
	sum := s.run(ctx)
	if sum.End != Finished || sum.Counts.Pending != 0 {
		s.t.Fatalf("ended %s with %d pending", sum.End, sum.Counts.Pending)
	}
	return sum
}

// brief says what became of each address in a few words.
func (s *site) brief() map[string]string {
	s.t.Helper()
	rows := map[string]string{}
	for url, v := range s.outcomes() {
		said := v.Outcome.String()
		if v.Outcome == storage.Failed && v.Class != storage.NoClass {
			said += " " + v.Class.String()
		} else if v.Outcome == storage.Failed {
			said += " " + strconv.Itoa(int(v.Status))
		}
		rows[url] = said
	}
	return rows
}

// want holds the rows against what they must be.
func (s *site) want(rows map[string]string) {
	s.t.Helper()
	got := s.brief()
	for _, url := range slices.Sorted(maps.Keys(rows)) {
		if got[url] != rows[url] {
			s.t.Errorf("%s is %q, want %q", url, got[url], rows[url])
		}
		delete(got, url)
	}
	for _, url := range slices.Sorted(maps.Keys(got)) {
		s.t.Errorf("%s is %q, want no row", url, got[url])
	}
}

// wantSkipped holds the last reasons of what was skipped, and has no row,
// against what they must be.
func (s *site) wantSkipped(reasons map[string]string) {
	s.t.Helper()
	got := s.skipped()
	for url := range s.outcomes() {
		delete(got, url)
	}
	if !maps.Equal(got, reasons) {
		s.t.Errorf("skipped are %v, want %v", got, reasons)
	}
}

// wire is the way to a web. When it is cut nothing comes through it any more,
// as when the process has died.
type wire struct {
	http.RoundTripper
	cut atomic.Bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.cut.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return w.RoundTripper.RoundTrip(r)
}

// stopAfter crawls for a while, or until the crawl ends.
func (s *site) stopAfter(d time.Duration) Summary {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	return s.run(ctx)
}

// killAfter crawls for a while, and then goes on as if the process had died at
// that moment: with the file as it was then. It must be called in a bubble,
// where no commit is under way when time moves on, so that the copy is whole.
// died is false when the crawl was over before.
func (s *site) killAfter(d time.Duration) (died bool) {
	s.t.Helper()
	var timer *time.Timer
	return s.killWhen(func(kill func()) {
		// Not at the same moment as anything else.
		timer = time.AfterFunc(d+1237*time.Nanosecond, kill)
	}, func() { timer.Stop() })
}

// killWhen is killAfter with the moment of another's choice: arm is given what
// kills. That must be called when nothing else can run: right after a wait.
func (s *site) killWhen(arm func(kill func()), disarm func()) (died bool) {
	s.t.Helper()
	web := s.opt.Transport
	cable := &wire{RoundTripper: web}
	s.opt.Transport = cable
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	grave := newPath(s.t)
	arm(func() {
		cable.cut.Store(true)
		died = true
		s.copyTo(grave)
		if s.atDeath != nil {
			s.atDeath()
		}
		cancel()
	})
	s.run(ctx)
	if disarm != nil {
		disarm()
	}
	s.opt.Transport = web
	if died {
		s.path = grave
	}
	return died
}

func (s *site) copyTo(path string) {
	data, err := os.ReadFile(s.path)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		s.t.Error(err)
	}
}

// asks is how often a crawl asks for the address of a row, in its plain
// spelling and with a tracking parameter.
func asks(r *fakeweb.Row, retries int) (plain, tracked int) {
	switch {
	case r.Outcome == fakeweb.Blocked || r.Outcome == fakeweb.Skipped:
		return 0, 0
	case r.Kind == fakeweb.Throttled:
		return 1 + r.Refusals, 0
	case r.Kind == fakeweb.Bounce:
		return 1, 1
	case r.Status == 500 || r.ErrorClass == "reset":
		return 1 + retries, 0
	}
	return 1, 0
}

// wantAsks checks that no address was asked for more or less often than the
// crawl needs to. spare requests may be too many in all, and none too few.
func (s *site) wantAsks(walk fakeweb.Walk, spare int) {
	s.t.Helper()
	want := map[string]int{}
	for h := range s.web.Tally().Hosts() {
		want["http://"+h+"/robots.txt"] = 1
	}
	for row := range s.web.Expected(walk) {
		plain, tracked := asks(&row, s.opt.Retries)
		if plain > 0 {
			want[row.URL] = plain
		}
		if tracked > 0 {
			mark := "?"
			if strings.Contains(row.URL, "?") {
				mark = "&"
			}
			want[row.URL+mark+"utm_source=bounce"] = tracked
		}
	}
	extra := 0
	for host := range s.web.Tally().Hosts() {
		for target, n := range s.web.Tally().URLs(host) {
			url := "http://" + host + target
			if n < want[url] || n > want[url] && spare == 0 {
				s.t.Errorf("%s was asked for %d times, want %d", url, n, want[url])
			}
			extra += max(n-want[url], 0)
			delete(want, url)
		}
	}
	for url, n := range want {
		s.t.Errorf("%s was never asked for, want %d", url, n)
	}
	if extra > spare {
		s.t.Errorf("%d requests too many, at most %d may be", extra, spare)
	}
}

// wantPolite checks what the hosts saw.
func (s *site) wantPolite(perHost int, gap time.Duration) {
	s.t.Helper()
	for host, tally := range s.web.Tally().Hosts() {
		if tally.MaxOpen > perHost {
			s.t.Errorf("%s saw %d requests at a time", host, tally.MaxOpen)
		}
		if tally.Requests > 1 && tally.MinGap < gap {
			s.t.Errorf("%s saw a gap of %v", host, tally.MinGap)
		}
	}
}

// some are all of the numbers, or the last alone where time is short.
func some(n ...int) []int {
	if raceOn {
		return n[len(n)-1:]
	}
	return n
}
