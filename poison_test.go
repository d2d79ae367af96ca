//go:build unix

package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pawl/storage"
)

var (
	poisonPages = flag.Int("poison.pages", 60, "how many pages each host of TestPoison has")
	poisonAll   = flag.Bool("poison.all", false, "run all of TestPoison, which takes a minute")
	poisonSeed  = flag.Uint64("poison.seed", 0, "seed of the instants at which somebody else kills, 0: by chance")
)

// deadlyWeb is a few hosts on loopback with pages that kill the process that
// asks for them, as the kernel does when memory runs out.
type deadlyWeb struct {
	hosts   []string // "127.0.0.1:4711"
	pages   int      // of each host
	latency time.Duration
	poison  map[string]manner

	mu     sync.Mutex
	victim *os.Process
	asked  map[string]int
	deaths map[string]int // by address that killed
}

// manner is how a page kills.
type manner int

const (
	atOnce  manner = iota // before a byte of the answer
	amid                  // in the middle of the body
	belated               // when others had time to come and go
)

func newDeadlyWeb(t *testing.T, hosts, pages int) *deadlyWeb {
	t.Helper()
	w := &deadlyWeb{pages: pages, poison: map[string]manner{}, asked: map[string]int{}, deaths: map[string]int{}}
	for range hosts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.hosts = append(w.hosts, l.Addr().String())
		server := &http.Server{Handler: w, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	return w
}

func (w *deadlyWeb) url(host int, path string) string { return "http://" + w.hosts[host] + path }

func (w *deadlyWeb) seeds() (urls []string) {
	for h := range w.hosts {
		urls = append(urls, w.url(h, "/"))
	}
	return urls
}

// links are where a page leads: seven pages each, and now and then the next host.
func (w *deadlyWeb) links(host int, path string) (urls []string) {
	n := 0
	if path != "/" {
		if _, err := fmt.Sscanf(path, "/%d", &n); err != nil {
			return nil
		}
	}
	for i := 7*n + 1; i <= min(7*n+7, w.pages-1); i++ {
		urls = append(urls, w.url(host, fmt.Sprintf("/%d", i)))
	}
	if next := (host + 1) % len(w.hosts); n%10 == 3 && next != host {
		urls = append(urls, w.url(next, path))
	}
	return urls
}

func (w *deadlyWeb) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	address := "http://" + r.Host + r.URL.Path
	w.mu.Lock()
	w.asked[address]++
	victim := w.victim
	w.mu.Unlock()
	if how, isPoison := w.poison[address]; isPoison {
		switch how {
		case amid:
			fmt.Fprint(rw, "<title>half of it</title><p>", strings.Repeat("words and more words ", 2000))
			_ = rw.(http.Flusher).Flush
		case belated:
			select {
			case <-time.After(150 * time.Millisecond):
			case <-r.Context().Done():
				return // the process has died already
			}
		}
		w.mu.Lock()
		if victim == w.victim {
			w.deaths[address]++
			_ = victim.Kill()
		}
		w.mu.Unlock()
		<-r.Context().Done()
		return
	}
	select { // so that many are out at a time
	case <-time.After(w.latency/2 + time.Duration(len(w.links(0, r.URL.Path))*int(w.latency)/8)):
	case <-r.Context().Done():
		return
	}
	host := -1
	for h := range w.hosts {
		if w.hosts[h] == r.Host {
			host = h
		}
	}
	switch {
	case r.URL.Path == "/robots.txt":
		fmt.Fprintf(rw, "User-agent: *\nDisallow: /private\nSitemap: http://%s/sitemap.xml\n", r.Host)
	case r.URL.Path == "/sitemap.xml":
		fmt.Fprintf(rw, "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"><url><loc>http://%s/1</loc></url></urlset>", r.Host)
	default:
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, "<title>%s</title>", r.URL.Path)
		for _, l := range w.links(host, r.URL.Path) {
			fmt.Fprintf(rw, "<a href=%q>x</a>\n", l)
		}
	}
}

// want is what must become of each address: "fetched", "failed crashed" or
// "failed robots".
func (w *deadlyWeb) want() map[string]string {
	want := map[string]string{}
	var visit func(host int, path string)
	visit = func(host int, path string) {
		address := w.url(host, path)
		if want[address] != "" {
			return
		}
		if _, lost := w.poison[w.url(host, "/robots.txt")]; lost {
			want[address] = "failed robots"
			return
		}
		if _, isPoison := w.poison[address]; isPoison {
			want[address] = "failed crashed"
			return
		}
		want[address] = "fetched"
		if path == "/sitemap.xml" {
			visit(host, "/1")
			return
		}
		for _, l := range w.links(host, path) {
			at := strings.TrimPrefix(l, "http://")
			for h := range w.hosts {
				if rest, ok := strings.CutPrefix(at, w.hosts[h]); ok {
					visit(h, rest)
				}
			}
		}
	}
	for h := range w.hosts {
		visit(h, "/")
		if _, lost := w.poison[w.url(h, "/robots.txt")]; !lost {
			visit(h, "/sitemap.xml")
		}
	}
	return want
}

// slowMachine is how many deaths more a page costs that does not get to its server
// within a second, as on a very busy machine.
const slowMachine = 2

// TestPoison crawls with the real binary, which pages kill with SIGKILL as they
// are asked for, and runs the same command again until it ends: each of them is
// finished as crashed within a few runs, no other page is, and what was stored
// is not asked for again.
func TestPoison(t *testing.T) {
	seed := *poisonSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for _, c := range []struct {
		name    string
		hosts   int
		poison  map[string]manner // by host's number and path
		workers int
		perHost int
		kills   int // by somebody else
		most    int // deaths that it may take
		brief   bool
	}{
		{"none", 2, nil, 16, 8, 0, 0, false},
		{"page, before it answers", 4, map[string]manner{"1/5": atOnce}, 16, 4, 0, 6, true},
		{"page, amid its body", 4, map[string]manner{"1/5": amid}, 16, 4, 0, 6, false},
		{"page, belated", 4, map[string]manner{"1/5": belated}, 16, 4, 0, 6, false},
		{"page, one worker", 2, map[string]manner{"1/5": atOnce}, 1, 1, 0, 6, false},
		{"page found late", 2, map[string]manner{"0/55": atOnce}, 16, 8, 0, 6, false},
		{"only host", 1, map[string]manner{"0/5": belated}, 16, 16, 0, 6, false},
		{"two pages of a host", 3, map[string]manner{"1/2": atOnce, "1/9": belated}, 16, 6, 0, 12, false},
		{"two pages of two hosts", 3, map[string]manner{"0/2": belated, "1/9": amid}, 16, 6, 0, 12, true},
		{"five pages", 5, map[string]manner{"0/2": atOnce, "0/3": belated, "1/9": amid, "2/20": atOnce, "4/40": belated}, 16, 4, 0, 30, false},
		{"robots.txt", 3, map[string]manner{"1/robots.txt": atOnce}, 16, 6, 0, 9, true},
		{"seed", 3, map[string]manner{"1/": atOnce}, 16, 6, 0, 6, false},
		{"only seed", 1, map[string]manner{"0/": atOnce}, 16, 6, 0, 6, false},
		{"sitemap", 3, map[string]manner{"1/sitemap.xml": amid}, 16, 6, 0, 6, false},
		{"page, and somebody who kills", 4, map[string]manner{"1/5": belated}, 16, 4, 4, 6, true},
		{"nothing but somebody who kills", 4, nil, 16, 4, 12, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.brief && !*poisonAll {
				t.Skip("make crash runs it")
			}
			t.Parallel()
			w := newDeadlyWeb(t, c.hosts, *poisonPages)
			w.latency = 6 * time.Millisecond
			if c.kills > 0 {
				w.latency = 150 * time.Millisecond // so that it lasts long enough
			}
			for at, how := range c.poison {
				var host int
				var path string
				if _, err := fmt.Sscanf(at, "%d%s", &host, &path); err != nil {
					t.Fatal(err)
				}
				w.poison[w.url(host, path)] = how
			}
			db := filepath.Join(t.TempDir(), "crawl.pawl")
			args := append([]string{
				"crawl", "--db", db, "--delay", "0", "--workers", fmt.Sprint(c.workers), "--per-host", fmt.Sprint(c.perHost),
				"--progress", "none", "--log-level", "error", "--retries", "1", "--traps", "follow",
			}, w.seeds()...)
			chance := rand.New(rand.NewPCG(seed, uint64(len(c.name))))
			stored := map[string]int{}
			deaths, killed := 0, 0
			for {
				var after time.Duration
				if killed < c.kills {
					after = 50*time.Millisecond + time.Duration(chance.Int64N(int64(300*time.Millisecond)))
					// Once when suspects run alone: who is killed twice while the same one
					// does has reason to blame it.
					if killed == int(seed%uint64(c.kills)) {
						after += time.Second
					}
				}
				died, byUs := w.run(t, args, after)
				w.checkStored(t, db, stored)
				if !died {
					break
				}
				if byUs {
					killed++
					continue
				}
				if deaths++; deaths > c.most+slowMachine*len(c.poison) {
					t.Fatalf("it has died %d times (-poison.seed %d): %v", deaths, seed, w.deaths)
				}
			}
			t.Logf("%d deaths by %v, %d by somebody else", deaths, w.deaths, killed)
			w.checkRows(t, db)
			repeated := 0
			for address, n := range w.asked {
				if _, isPoison := w.poison[address]; !isPoison && !strings.HasSuffix(address, "/robots.txt") {
					repeated += n - 1
				}
			}
			if limit := (deaths + killed) * (c.workers + 256); repeated > limit {
				t.Errorf("%d pages were asked for again in %d deaths", repeated, deaths+killed)
			}
			command(t, "pawl", "verify", "--db", db)
		})
	}
}

// run runs the crawl until it ends or dies, and kills it after a while if that
// is more than nothing.
func (w *deadlyWeb) run(t *testing.T, args []string, after time.Duration) (died, byUs bool) {
	t.Helper()
	var talk bytes.Buffer
	cmd := exec.Command("pawl", args...)
	cmd.Stderr = &talk
	w.mu.Lock()
	err := cmd.Start()
	w.victim = cmd.Process
	w.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.victim == cmd.Process && cmd.Process.Kill() == nil {
				byUs = true
			}
		})
		defer timer.Stop()
	}
	err = cmd.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.victim = nil
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false, false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		return true, byUs
	}
	t.Fatalf("the crawl failed: %v\n%s", err, talk.String())
	return false, false
}

// checkStored reads which addresses have an outcome, and fails when one that
// had it before was asked for since.
func (w *deadlyWeb) checkStored(t *testing.T, db string, stored map[string]int) {
	t.Helper()
	if _, err := os.Stat(db); err != nil {
		return // it was killed before it made the file
	}
	file, err := storage.Open(db, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for address, n := range stored {
		if w.asked[address] != n {
			t.Errorf("%s had an outcome and was asked for again", address)
		}
	}
	err = file.Walk(1, 1<<62, func(seq uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindVisit {
			return nil
		}
		v, err := storage.DecodeVisit(event)
		if err == nil {
			stored[v.URL] = w.asked[v.URL]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkRows holds the rows of an export against what they must be.
func (w *deadlyWeb) checkRows(t *testing.T, db string) {
	t.Helper()
	text := command(t, "pawl", "export", "pages", "--db", db, "--columns", "url,outcome,error_class")
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := w.want()
	for _, r := range records[1:] {
		got := strings.TrimSpace(r[1] + " " + r[2])
		if want[r[0]] != got {
			t.Errorf("%s is %q, want %q", r[0], got, want[r[0]])
		}
		delete(want, r[0])
	}
	for address := range want {
		t.Errorf("lost: %s", address)
	}
}
