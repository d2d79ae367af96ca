//go:build unix

package crawl_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"pawl/crawl"
	"pawl/export"
	"pawl/export/warc"
	"pawl/fetch"
	"pawl/storage"
)

// The end-to-end benchmark: a site of 20,000 pages of 20 KB with 50 links each, one host, 16 connections, no delay. The
// server and each crawler are processes of their own, this test binary started again, so that time, CPU and memory are
// those of the crawler alone. They share the machine, and take turns.
//
//	go test ./crawl -run '^$' -bench Site
//	go test ./crawl -run '^$' -bench Site -short                   a tenth of the pages, in seconds
//	go test ./crawl -run '^$' -bench Site -speed.profile cpu.prof  writes the CPU profile of the last crawl of pawl
//
// The profile is split by go tool pprof -top -focus and -ignore: pawl/weburl is resolving, pawl/page without it parsing,
// pawl/fetch and net/http fetching, pawl/storage and bbolt storing, pawl/frontier without those the queue.
var (
	speedPages   = flag.Int("speed.pages", 20_000, "pages of the site")
	speedRounds  = flag.Int("speed.rounds", 3, "crawls of each kind")
	speedOnly    = flag.String("speed.only", "", "the only crawler to run: naive, fetch or pawl")
	speedProfile = flag.String("speed.profile", "", "file for the CPU profile of pawl")
	speedHeap    = flag.String("speed.allocs", "", "file for the profile of all that pawl allocated")

	// For the processes that the benchmark starts.
	speedRole = flag.String("speed.role", "", "server, naive, fetch or pawl")
	speedRoot = flag.String("speed.root", "", "first page of the site")
)

const (
	speedPageBytes = 20_000
	speedLinks     = 50
	speedConns     = 16
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *speedRole == "" {
		os.Exit(m.Run())
	}
	if err := speedProcess(*speedRole); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// speedCost is what a crawl cost the process that made it.
type speedCost struct {
	pages   int
	elapsed time.Duration
	cpu     time.Duration // user and system, from the start of the process to its end
	rss     int64         // bytes at the peak
	mallocs int64
	bytes   int64 // allocated
	written int64 // size of its files
}

func (c speedCost) rate() float64   { return float64(c.pages) / c.elapsed.Seconds() }
func (c speedCost) micros() float64 { return float64(c.cpu.Microseconds()) / float64(c.pages) }

// BenchmarkSite compares pawl, which does all that it promises, with the loop that anyone writes first: net/http, the
// tokenizer, a map of what was seen; it keeps nothing. The third bar asks for the same pages by package fetch alone.
func BenchmarkSite(b *testing.B) {
	if testing.Short() {
		*speedPages = min(*speedPages, 2000)
	}
	root, stop := startSpeedSite(b)
	defer stop()
	costs := map[string][]speedCost{}
	for b.Loop() {
		for range *speedRounds {
			for _, role := range []string{"naive", "fetch", "pawl"} {
				if *speedOnly != "" && role != *speedOnly {
					continue
				}
				c := runSpeed(b, role, root)
				if asked := askedPages(b, root); c.pages != *speedPages || asked != *speedPages {
					b.Fatalf("%s: %d pages fetched, %d asked for, not %d", role, c.pages, asked, *speedPages)
				}
				b.Logf("%-5s %6.0f pages/s %4.0f µs CPU a page %3d MB %5.0f allocations and %6.0f bytes a page",
					role, c.rate(), c.micros(), c.rss>>20, float64(c.mallocs)/float64(c.pages), float64(c.bytes)/float64(c.pages))
				costs[role] = append(costs[role], c)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for role, of := range costs {
		b.ReportMetric(median(of, speedCost.rate), role+"-pages/s")
		b.ReportMetric(median(of, speedCost.micros), role+"-µs/page")
		b.ReportMetric(median(of, func(c speedCost) float64 { return float64(c.rss >> 20) }), role+"-MB")
	}
	if naive, pawl := costs["naive"], costs["pawl"]; len(naive) > 0 && len(pawl) > 0 {
		// By rounds, so that what slows the machine for a while slows both.
		pairs := make([][2]speedCost, len(pawl))
		for i := range pairs {
			pairs[i] = [2]speedCost{naive[i], pawl[i]}
		}
		b.ReportMetric(median(pairs, func(p [2]speedCost) float64 { return p[1].rate() / p[0].rate() }), "rate-ratio")
		b.ReportMetric(median(pairs, func(p [2]speedCost) float64 { return p[1].micros() / p[0].micros() }), "cpu-ratio")
	}
}

func median[T any](of []T, value func(T) float64) float64 {
	var values []float64
	for _, v := range of {
		values = append(values, value(v))
	}
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

// speedCommand is this binary in another role.
func speedCommand(role string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"-speed.role=" + role, "-speed.pages=" + strconv.Itoa(*speedPages)}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// startSpeedSite starts the server, which ends with its standard input.
func startSpeedSite(b *testing.B) (root string, stop func()) {
	b.Helper()
	cmd := speedCommand("server")
	input, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	root, err = bufio.NewReader(output).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(root), func() { input.Close(); cmd.Wait() }
}

// askedPages is how many pages the server has given since it was asked last.
func askedPages(b *testing.B, root string) (n int) {
	b.Helper()
	resp, err := http.Get(root + "asked")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := fmt.Fscan(resp.Body, &n); err != nil {
		b.Fatal(err)
	}
	return n
}

func runSpeed(b *testing.B, role, root string) (c speedCost) {
	b.Helper()
	args := []string{"-speed.root=" + root}
	if role != "naive" && role != "fetch" {
		args = append(args, "-speed.profile="+*speedProfile, "-speed.allocs="+*speedHeap)
	}
	cmd := speedCommand(role, args...)
	output, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v", role, err)
	}
	var elapsed int64
	if _, err := fmt.Sscan(string(output), &c.pages, &elapsed, &c.mallocs, &c.bytes, &c.written); err != nil {
		b.Fatalf("%s: %v: %s", role, err, output)
	}
	c.elapsed = time.Duration(elapsed)
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	// No less than this process had when it started the other: it stays small.
	c.rss = int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS != "darwin" {
		c.rss <<= 10
	}
	return c
}

// speedProcess is what a process does that the benchmark has started.
func speedProcess(role string) error {
	if role == "server" {
		return serveSpeedSite()
	}
	if *speedProfile != "" {
		f, err := os.Create(*speedProfile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	crawler := map[string]func(root string) (int, error){"naive": naive, "fetch": fetchOnly, "pawl": crawlSite}[role]
	if extra, ok := speedExtras[role]; ok {
		crawler = func(root string) (int, error) { return crawlSiteWith(root, extra) }
	}
	start := time.Now()
	pages, err := crawler(*speedRoot)
	if err != nil {
		return err
	}
	elapsed := time.Since(start)
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	fmt.Println(pages, int64(elapsed), mem.Mallocs, mem.TotalAlloc, speedWritten)
	if *speedHeap != "" {
		f, err := os.Create(*speedHeap)
		if err != nil {
			return err
		}
		defer f.Close()
		return pprof.Lookup("allocs").WriteTo(f, 0)
	}
	return nil
}

// crawlSite crawls with everything that pawl promises.
func crawlSite(root string) (int, error) { return crawlSiteWith(root, nil) }

// speedExtras are what results can cost besides.
var speedExtras = map[string]func(dir string, file *storage.File, o *crawl.Options) error{
	"limit":  func(_ string, _ *storage.File, o *crawl.Options) error { o.MaxMemory = 64_000_000; return nil },
	"links":  func(_ string, _ *storage.File, o *crawl.Options) error { o.KeepLinks = true; return nil },
	"bodies": func(_ string, _ *storage.File, o *crawl.Options) error { o.StoreBodies = true; return nil },
	"fields": func(_ string, _ *storage.File, o *crawl.Options) error {
		for i, selector := range []string{"h1", "p", "a@href", "title", "xpath://p[2]", "body > p:last-of-type"} {
			o.Fields = append(o.Fields, fmt.Sprintf("f%d=%s", i, selector))
		}
		return nil
	},
	"csv": func(dir string, file *storage.File, o *crawl.Options) error {
		f, err := export.Follow(filepath.Join(dir, "pages.csv"), file, export.Defaults(), nil)
		o.Outputs = []crawl.Output{{Key: "csv", Sink: speedSink{f}}}
		return err
	},
	"warc": func(dir string, _ *storage.File, o *crawl.Options) error {
		a, err := warc.Open(filepath.Join(dir, "warc"), "speed", nil, warc.Defaults())
		o.Archive, o.ArchiveKey = speedArchive{a}, "warc"
		return err
	},
}

type speedSink struct{ *export.Follower }

func (s speedSink) Sync() ([]byte, error) { return s.Position(), s.Follower.Sync() }

type speedArchive struct{ *warc.Archive }

func (a speedArchive) Add(exchanges []crawl.Exchange) error {
	var list []*warc.Exchange
	for i := range exchanges {
		e := &exchanges[i]
		list = append(list, &warc.Exchange{
			URL: e.URL, Time: e.Time, IP: e.IP, Request: e.Request, Response: e.Response, Protocol: e.Proto, Body: e.Body,
		})
	}
	return a.Archive.Add(list)
}

// BenchmarkResults tells what each kind of result costs a crawl of the same site.
//
//	go test ./crawl -run '^$' -bench Results
func BenchmarkResults(b *testing.B) {
	if testing.Short() {
		*speedPages = min(*speedPages, 2000)
	}
	root, stop := startSpeedSite(b)
	defer stop()
	costs := map[string][]speedCost{}
	roles := append([]string{"pawl"}, slices.Sorted(maps.Keys(speedExtras))...)
	if *speedOnly != "" {
		roles = []string{"pawl", *speedOnly}
	}
	for b.Loop() {
		for range *speedRounds {
			for _, role := range roles {
				c := runSpeed(b, role, root)
				if c.pages != *speedPages {
					b.Fatalf("%s: %d pages fetched, not %d", role, c.pages, *speedPages)
				}
				costs[role] = append(costs[role], c)
			}
		}
	}
	askedPages(b, root)
	b.ReportMetric(0, "ns/op")
	for role, of := range costs {
		ratios := make([]float64, len(of))
		for i := range of {
			ratios[i] = of[i].micros() / costs["pawl"][i].micros()
		}
		b.Logf("%-6s %6.0f pages/s %4.0f µs CPU a page %5.2f of pawl's %4d MB, %5.0f bytes of files a page",
			role, median(of, speedCost.rate), median(of, speedCost.micros), median(ratios, func(r float64) float64 { return r }),
			of[0].rss>>20, float64(of[0].written)/float64(of[0].pages))
		b.ReportMetric(median(ratios, func(r float64) float64 { return r }), role+"-cpu-ratio")
	}
}

// crawlSiteWith crawls and makes a kind of result besides.
func crawlSiteWith(root string, extra func(string, *storage.File, *crawl.Options) error) (int, error) {
	dir, err := os.MkdirTemp("", "pawl-speed-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	file, err := storage.Create(filepath.Join(dir, "crawl.pawl"), crawl.Rules(new(crawl.Settings)))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	o := crawl.Options{Settings: crawl.Defaults("pawl/bench"), Input: crawl.Input{Args: []string{root}}}
	o.Workers, o.PerHost, o.Delay = speedConns, speedConns, 0
	if extra != nil {
		if err := extra(dir, file, &o); err != nil {
			return 0, err
		}
	}
	c, err := crawl.New(file, o)
	if err != nil {
		return 0, err
	}
	sum, err := c.Run(context.Background())
	speedWritten, _ = sizeOf(dir)
	return int(sum.Counts.Of(storage.Fetched)), err
}

// speedWritten is the size of all files of the crawl, in bytes.
var speedWritten int64

func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// fetchOnly asks for all pages by their numbers, and reads none.
func fetchOnly(root string) (int, error) {
	o := fetch.Defaults()
	o.PerHost, o.AllowPrivate = speedConns, true
	fetcher, err := fetch.New(o)
	if err != nil {
		return 0, err
	}
	defer fetcher.Close()
	var next, fetched atomic.Int64
	var workers sync.WaitGroup
	for range speedConns {
		workers.Go(func() {
			var buf fetch.Buffer
			for n := int(next.Add(1)) - 1; n < *speedPages; n = int(next.Add(1)) - 1 {
				address := root + string(appendSpeedPath(nil, n)[1:])
				if r := fetcher.Fetch(context.Background(), fetch.Request{URL: address}, &buf); len(r.Body) == speedPageBytes {
					fetched.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return int(fetched.Load()), nil
}

// naive crawls in memory.
func naive(root string) (int, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: speedConns, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	ready := sync.NewCond(&mu)
	queue, seen, out, fetched := []string{root}, map[string]bool{root: true}, 0, 0
	var failed error
	var workers sync.WaitGroup
	for range speedConns {
		workers.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for {
				for len(queue) == 0 && out > 0 {
					ready.Wait()
				}
				if len(queue) == 0 {
					ready.Broadcast()
					return
				}
				u := queue[0]
				queue = queue[1:]
				out++
				mu.Unlock()
				links, err := naiveVisit(client, u)
				mu.Lock()
				out--
				fetched++
				if err != nil {
					failed = err
				}
				for _, l := range links {
					if !seen[l] {
						seen[l] = true
						queue = append(queue, l)
					}
				}
				ready.Broadcast()
			}
		})
	}
	workers.Wait()
	return fetched, failed
}

func naiveVisit(client *http.Client, address string) (links []string, err error) {
	resp, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	base := resp.Request.URL
	z := html.NewTokenizer(resp.Body)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if z.Err() == io.EOF {
				return links, nil
			}
			return nil, z.Err()
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) != "a" {
				continue
			}
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				if string(key) != "href" {
					continue
				}
				if u, err := base.Parse(string(value)); err == nil && u.Host == base.Host && u.Scheme == base.Scheme {
					u.Fragment = ""
					links = append(links, u.String())
				}
			}
		}
	}
}

// speedSite is the server of the generated site. Pages are put together from ready parts.
type speedSite struct {
	pages int
	text  [64]string // paragraphs
	index map[string]int
	asked atomic.Int64
	pool  sync.Pool
}

func serveSpeedSite() error {
	s := &speedSite{pages: *speedPages, index: map[string]int{"/": 0}}
	s.pool.New = func() any { b := make([]byte, 0, 2*speedPageBytes); return &b }
	for n := range s.pages {
		s.index[string(appendSpeedPath(nil, n))] = n
	}
	for i := range s.text {
		s.text[i] = speedParagraph(uint64(i))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s}
	go server.Serve(l)
	fmt.Printf("http://%s/\n", l.Addr())
	io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

func (s *speedSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, ok := s.index[r.URL.Path]
	switch {
	case r.URL.Path == "/asked":
		fmt.Fprintln(w, s.asked.Swap(0))
		return
	case !ok:
		http.NotFound(w, r)
		return
	}
	s.asked.Add(1)
	body := s.pool.Get().(*[]byte)
	*body = s.appendPage((*body)[:0], n)
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(*body))}
	h["Last-Modified"] = []string{"Sun, 06 Sep 2026 10:00:00 GMT"}
	w.Write(*body)
	s.pool.Put(body)
}

var speedWords = [...]string{
	"amber", "anchor", "autumn", "basalt", "beacon", "birch", "bridge", "candle", "canyon", "cedar", "copper", "coral",
	"crystal", "desert", "ember", "falcon", "feather", "forest", "garden", "glacier", "harbour", "hollow", "island", "lantern",
	"meadow", "mirror", "orchard", "pebble", "river", "silver", "timber", "willow",
}

// speedHash spreads numbers.
func speedHash(x uint64) uint64 {
	x = (x ^ x>>31) * 0x9e3779b97f4a7c15
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

func speedWord(x uint64) string { return speedWords[speedHash(x)%uint64(len(speedWords))] }

func speedParagraph(x uint64) string {
	small := [...]string{"the", "of", "and", "a", "to", "in", "by", "near", "with", "under", "was", "is"}
	var b strings.Builder
	b.WriteString("<p>")
	for i := range uint64(45) {
		word := speedWord(x<<8 + i)
		if i%2 == 1 {
			word = small[speedHash(x<<8+i)%uint64(len(small))]
		}
		switch speedHash(x<<16+i) % 24 {
		case 0:
			word = "<em>" + word + "</em>"
		case 1:
			word += ","
		case 2:
			word = "café"
		case 3:
			word = "salt &amp; " + word
		}
		b.WriteString(word)
		b.WriteByte(" ."[i/44])
	}
	b.WriteString("</p>\n")
	return b.String()
}

// appendSpeedPath appends the path of a page.
func appendSpeedPath(dst []byte, n int) []byte {
	if n == 0 {
		return append(dst, '/')
	}
	x := uint64(n)
	dst = append(append(dst, '/'), speedWord(x%23)...)
	dst = append(append(dst, '/'), speedWord(x+1<<32)...)
	dst = append(append(dst, '-'), speedWord(x+1<<33)...)
	dst = strconv.AppendInt(append(dst, '-'), int64(n), 10)
	return append(dst, ".html"...)
}

func appendSpeedTitle(dst []byte, n int) []byte {
	dst = append(append(dst, speedWord(uint64(n)+1<<32)...), " and "...)
	dst = append(append(dst, speedWord(uint64(n)+1<<33)...), ' ')
	return strconv.AppendInt(dst, int64(n), 10)
}

// speedTargets are the pages that page n links to, all different: ten of the navigation; those below it in a tree of ten
// branches, through which every page can be reached; and others.
func (s *speedSite) targets(dst []int, n int) []int {
	for i := range 10 {
		dst = append(dst, i)
	}
	for i := 10*n + 1; i <= 10*n+10 && i < s.pages; i++ {
		if i >= 10 {
			dst = append(dst, i)
		}
	}
	for x := uint64(n) << 20; len(dst) < speedLinks; x++ {
		if k := int(speedHash(x) % uint64(s.pages)); !slices.Contains(dst, k) {
			dst = append(dst, k)
		}
	}
	return dst
}

func (s *speedSite) appendPage(dst []byte, n int) []byte {
	var space [speedLinks]int
	targets := s.targets(space[:0], n)
	dst = append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"...)
	dst = appendSpeedTitle(dst, n)
	dst = append(dst, " | Example</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"description\" content=\"All about "...)
	dst = appendSpeedTitle(dst, n)
	dst = append(dst, "\">\n<link rel=\"canonical\" href=\""...)
	dst = appendSpeedPath(dst, n)
	dst = append(dst, `">
<link rel="stylesheet" href="/static/main.4f2a.css">
<link rel="icon" href="/favicon.ico">
<style>body { font: 1em/1.5 serif; max-width: 60em } nav a > span { color: #333 } .teaser { display: grid }</style>
<script>window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) } gtag('js', new Date());</script>
<script src="/static/app.81bc.js" defer></script>
</head>
<body class="page page--article">
<header><nav class="main-nav" aria-label="Main"><ul>
`...)
	for _, k := range targets[:10] {
		dst = append(dst, `<li class="main-nav__item"><a class="main-nav__link" href="`...)
		dst = appendSpeedPath(dst, k)
		dst = append(append(append(dst, `">`...), speedWord(uint64(k)%23)...), "</a></li>\n"...)
	}
	dst = append(dst, "</ul></nav></header>\n<main id=\"content\"><h1>"...)
	dst = appendSpeedTitle(dst, n)
	dst = append(dst, "</h1>\n<!-- article -->\n"...)
	for i, k := range targets[10:] {
		if i%4 == 0 {
			dst = append(dst, s.text[speedHash(uint64(n)<<8+uint64(i))%uint64(len(s.text))]...)
		}
		if i%8 == 0 {
			dst = append(dst, `<figure><img class="figure__image" src="/images/`...)
			dst = append(append(dst, speedWord(uint64(k))...), `.jpg" alt="A picture" width="640" height="360" loading="lazy"></figure>`...)
		}
		dst = append(dst, "<div class=\"teaser\"><h3 class=\"teaser__title\"><a class=\"teaser__link\" href=\""...)
		dst = appendSpeedPath(dst, k)
		dst = append(dst, "\" data-track=\"click\">"...)
		dst = appendSpeedTitle(dst, k)
		dst = append(dst, "</a></h3></div>\n"...)
	}
	const end = "</main>\n<footer><p>Example, a site that nobody wrote.</p></footer>\n</body>\n</html>\n"
	dst = append(dst, "<section class=\"more\">\n"...)
	for i := 0; ; i++ {
		text := s.text[speedHash(uint64(n)<<8+128+uint64(i))%uint64(len(s.text))]
		left := speedPageBytes - len(dst) - len("</section>\n<!---->\n") - len(end)
		if len(text) > left {
			dst = append(dst, "</section>\n<!--"...)
			dst = append(dst, strings.Repeat("-+", left/2+1)[:left]...)
			dst = append(dst, "-->\n"...)
			return append(dst, end...)
		}
		dst = append(dst, text...)
	}
}
