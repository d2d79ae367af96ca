//go:build unix

package crawl

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pawl/storage"
)

// Flags by which the test binary runs itself as another process.
var (
	serveHosts   = flag.Int("wait.serve", 0, "serve so many slow hosts until stdin ends")
	crawlWorkers = flag.Int("wait.crawl", 0, "crawl the seeds on stdin with so many workers")
)

// again is a command that runs one test of this binary in another process.
func again(test string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"-test.run", "^" + test + "$"}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// slowWeb is a web of many hosts that think before they answer. The hosts have
// no robots.txt.
type slowWeb struct {
	roots []string                                     // "http://127.0.0.1:4711"
	page  func(w http.ResponseWriter, r *http.Request) // answers for all pages
	stop  func()
}

// serve starts so many hosts, each on a port of loopback of its own.
func (w *slowWeb) serve(hosts int) error {
	var serving sync.WaitGroup
	var servers []*http.Server
	w.stop = func() {
		for _, s := range servers {
			s.Close()
		}
		serving.Wait()
	}
	for range hosts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.stop()
			return err
		}
		s := &http.Server{Handler: w, ErrorLog: log.New(io.Discard, "", 0)}
		servers = append(servers, s)
		serving.Go(func() { _ = s.Serve(l) })
		w.roots = append(w.roots, "http://"+l.Addr().String())
	}
	return nil
}

func (w *slowWeb) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/robots.txt" {
		rw.WriteHeader(http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.page(rw, r)
}

// crawlAll crawls the seeds without a delay. It gives the number of pages, how
// long that took, and how long the workers were asking for pages in all.
func crawlAll(tb testing.TB, workers, perHost int, seeds []string) (pages int, took, asking time.Duration) {
	tb.Helper()
	file, err := storage.Create(filepath.Join(tb.TempDir(), "crawl.pawl"), Rules(new(Settings)))
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	o := Options{Settings: Defaults("pawl/bench"), Input: Input{Args: seeds}}
	o.Workers, o.PerHost, o.Delay = workers, perHost, 0
	o.Timeout = 5 * time.Minute
	c, err := New(file, o)
	if err != nil {
		tb.Fatal(err)
	}
	sum, err := c.Run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	err = file.Walk(1, 1<<62, func(_ uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindVisit {
			return nil
		}
		v, err := storage.DecodePage(event)
		if err == nil {
			asking += time.Duration(v.Took) * time.Millisecond
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return int(sum.Counts.Of(storage.Fetched)), sum.Took, asking
}

// The slow hosts of the benchmark: 64 workers can have 3,200 pages a second
// from them at most.
const (
	slowHosts   = 50
	slowLatency = 20 * time.Millisecond
	slowWorkers = 64
	slowPages   = 12_800
)

// BenchmarkSlowHosts crawls small pages of hosts in another process, each of
// which answers after 20 ms and a little, for its sleep ends late: ms/answer
// tells how long it really was. %-asking is the share of their time that the
// workers were asking for pages, and not idle or reading them.
func BenchmarkSlowHosts(b *testing.B) {
	hosts := again("TestServeSlowHosts", "-wait.serve", strconv.Itoa(slowHosts))
	in, err := hosts.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := hosts.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := hosts.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var seeds []string
	for len(seeds) < slowHosts && lines.Scan() {
		seeds = append(seeds, lines.Text())
	}
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	var took, asking time.Duration
	for b.Loop() {
		n, t, a := crawlAll(b, slowWorkers, 4, seeds)
		if n != slowPages {
			b.Fatalf("%d pages", n)
		}
		took, asking = took+t, asking+a
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(cpu)/1e3/slowPages/float64(b.N), "cpu-µs/page")
	rate := float64(slowPages) * float64(b.N) / took.Seconds()
	b.ReportMetric(rate, "pages/s")
	b.ReportMetric(100*asking.Seconds()/slowWorkers/took.Seconds(), "%-asking")
	b.ReportMetric(100*rate*slowLatency.Seconds()/slowWorkers, "%-of-ceiling")
	in.Close()
	if lines.Scan() {
		answer, err := time.ParseDuration(lines.Text())
		if err != nil {
			b.Error(err)
		}
		b.ReportMetric(answer.Seconds()*1000, "ms/answer")
	}
	io.Copy(io.Discard, out)
	if err := hosts.Wait(); err != nil {
		b.Error(err)
	}
}

// TestServeSlowHosts is the process of the hosts of BenchmarkSlowHosts. Page n
// is on host n modulo their number, and links eight new pages and eight that
// are known.
func TestServeSlowHosts(t *testing.T) {
	if *serveHosts == 0 {
		t.Skip("runs only for a benchmark")
	}
	var w slowWeb
	var answers, took atomic.Int64
	w.page = func(rw http.ResponseWriter, r *http.Request) {
		arrived := time.Now()
		time.Sleep(slowLatency)
		n, _ := strconv.Atoi(r.URL.Path[1:])
		var page bytes.Buffer
		fmt.Fprintf(&page, "<title>Page %d</title>\n", n)
		for i := range 8 {
			for _, to := range []int{*serveHosts + n*8 + i, n / (i + 2)} {
				if to < slowPages {
					fmt.Fprintf(&page, "<p>Read on: <a href=\"%s/%d\">page %d</a></p>\n", w.roots[to%len(w.roots)], to, to)
				}
			}
		}
		rw.Write(page.Bytes())
		answers.Add(1)
		took.Add(int64(time.Since(arrived)))
	}
	if err := w.serve(*serveHosts); err != nil {
		t.Fatal(err)
	}
	defer w.stop()
	for n, root := range w.roots {
		fmt.Printf("%s/%d\n", root, n)
	}
	io.Copy(io.Discard, os.Stdin)
	fmt.Println(time.Duration(took.Load() / max(answers.Load(), 1)))
}

// inFlight is how many requests wait for an answer at a time in
// TestManyInFlight, and mostMemory what the crawler may use for it, with a
// limit for its heap that leaves little room for garbage.
const (
	inFlight   = 5000
	mostMemory = 400 << 20
)

// Twice five thousand requests wait at a time, the second time after as many
// pages of 100 KB have been answered at once. The crawler, which is another
// process, stays small.
func TestManyInFlight(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the memory of a process is not told here")
	}
	if raceOn || testing.Short() {
		t.Skip("takes seconds, and much memory of its own")
	}
	const hosts = 1000
	var page bytes.Buffer
	zip := gzip.NewWriter(&page)
	io.WriteString(zip, "<title>A long page</title><a href=\"?second\">next</a>\n")
	for i := range 1000 {
		fmt.Fprintf(zip, "<p>Paragraph %d has some words to say, and a <a href=\"#%d\">link to itself: %x</a></p>\n", i, i, i*i*7919)
	}
	zip.Close()
	type wave struct {
		arrived       atomic.Int64
		full, release chan struct{}
	}
	waves := map[string]*wave{}
	for _, query := range []string{"", "second"} {
		waves[query] = &wave{full: make(chan struct{}), release: make(chan struct{})}
	}
	var w slowWeb
	w.page = func(rw http.ResponseWriter, r *http.Request) {
		w := waves[r.URL.RawQuery]
		if w.arrived.Add(1) == inFlight {
			close(w.full)
		}
		<-w.release
		rw.Header().Set("Content-Encoding", "gzip")
		rw.Write(page.Bytes())
	}
	if err := w.serve(hosts); err != nil {
		t.Skip("not enough files may be open:", err)
	}
	defer w.stop()
	var seeds strings.Builder
	for i := range inFlight {
		fmt.Fprintf(&seeds, "%s/%d\n", w.roots[i%hosts], i)
	}
	crawler := again("TestCrawlManyInFlight", "-wait.crawl", strconv.Itoa(inFlight))
	crawler.Stdin = strings.NewReader(seeds.String())
	var out bytes.Buffer
	crawler.Stdout = &out
	if err := crawler.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- crawler.Wait() }()
	for _, query := range []string{"", "second"} {
		w := waves[query]
		select {
		case <-w.full:
			t.Logf("%d wait: %d MB", inFlight, memory(t, crawler.Process.Pid, "VmRSS")>>20)
			close(w.release)
		case err := <-over:
			t.Fatalf("only %d requests came: %v\n%s", w.arrived.Load(), err, &out)
		}
	}
	if err := <-over; err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	var pages, peak int
	if _, err := fmt.Sscan(out.String(), &pages, &peak); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("at most: %d MB", peak>>20)
	if pages != 2*inFlight {
		t.Errorf("%d pages, want %d", pages, 2*inFlight)
	}
	if peak > mostMemory {
		t.Errorf("%d MB were used, %d MB may be", peak>>20, mostMemory>>20)
	}
}

// TestCrawlManyInFlight is the crawler of TestManyInFlight.
func TestCrawlManyInFlight(t *testing.T) {
	if *crawlWorkers == 0 {
		t.Skip("runs only for another test")
	}
	seeds, err := io.ReadAll(os.Stdin)
	if err != nil {
		t.Fatal(err)
	}
	defer BoundHeap()() // as the command does
	pages, _, _ := crawlAll(t, *crawlWorkers, 5, strings.Fields(string(seeds)))
	fmt.Println(pages, memory(t, os.Getpid(), "VmHWM"))
}

// memory tells what a process uses, or has used at most, in bytes.
func memory(t *testing.T, pid int, what string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(what + `:\s*(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no %s in\n%s", what, status)
	}
	kb, _ := strconv.Atoi(string(m[1]))
	return kb << 10
}
