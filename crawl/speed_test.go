package crawl_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"pawl/crawl"
	"pawl/internal/fakeweb"
	"pawl/storage"
)

// The site of the end-to-end benchmarks: pages of 20 KB with 50 links each on
// one host, served over loopback by this process, and asked for over 16
// connections without a delay. Server and crawler share the machine.
const (
	speedPages = 5000
	speedConns = 16
)

func speedSite(b *testing.B) string {
	b.Helper()
	o := fakeweb.Defaults()
	o.Pages, o.PageBytes, o.LinksPerPage = speedPages, 20_000, 50
	o.Private, o.Nofollow, o.Faults = 0, 0, fakeweb.Faults{}
	web, err := fakeweb.New(o)
	if err != nil {
		b.Fatal(err)
	}
	roots, stop, err := web.Start(1)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stop)
	return roots[0]
}

// report turns the benchmark's time into pages a second and CPU a page, of
// server and crawler together.
func report(b *testing.B, pages int, cpu time.Duration) {
	b.ReportMetric(float64(pages)*float64(b.N)/b.Elapsed().Seconds(), "pages/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(pages)/float64(b.N), "cpu-µs/page")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSitePawl crawls the site with everything that pawl promises.
func BenchmarkSitePawl(b *testing.B) {
	root := speedSite(b)
	var pages int
	start := cpuTime()
	for b.Loop() {
		file, err := storage.Create(filepath.Join(b.TempDir(), "crawl.pawl"), crawl.Rules())
		if err != nil {
			b.Fatal(err)
		}
		o := crawl.Options{Settings: crawl.Defaults("pawl/bench"), Input: crawl.Input{Args: []string{root}}}
		o.Workers, o.PerHost, o.Delay = speedConns, speedConns, 0
		c, err := crawl.New(file, o)
		if err != nil {
			b.Fatal(err)
		}
		sum, err := c.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		file.Close()
		pages = int(sum.Counts.Of(storage.Fetched))
	}
	if pages < speedPages {
		b.Fatalf("only %d pages", pages)
	}
	report(b, pages, cpuTime()-start)
}

// BenchmarkSiteNaive is the loop that anyone writes first: net/http, the
// tokenizer, a map of what was seen. It keeps nothing.
func BenchmarkSiteNaive(b *testing.B) {
	root := speedSite(b)
	var pages int
	start := cpuTime()
	for b.Loop() {
		pages = naive(b, root)
	}
	if pages < speedPages {
		b.Fatalf("only %d pages", pages)
	}
	report(b, pages, cpuTime()-start)
}

func naive(b *testing.B, root string) int {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: speedConns, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	ready := sync.NewCond(&mu)
	queue, seen, out, fetched := []string{root}, map[string]bool{root: true}, 0, 0
	host := func(u string) string { p, _ := url.Parse(u); return p.Host }
	home := host(root)
	var workers sync.WaitGroup
	for range speedConns {
		workers.Go(func() {
			for {
				mu.Lock()
				for len(queue) == 0 && out > 0 {
					ready.Wait()
				}
				if len(queue) == 0 {
					ready.Broadcast()
					mu.Unlock()
					return
				}
				u := queue[0]
				queue = queue[1:]
				out++
				mu.Unlock()
				links := naiveVisit(b, client, u)
				mu.Lock()
				fetched++
				out--
				for _, l := range links {
					if !seen[l] && host(l) == home {
						seen[l] = true
						queue = append(queue, l)
					}
				}
				ready.Broadcast()
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return fetched
}

func naiveVisit(b *testing.B, client *http.Client, address string) (links []string) {
	resp, err := client.Get(address)
	if err != nil {
		b.Error(err)
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Error(err)
		return nil
	}
	base := resp.Request.URL
	z := html.NewTokenizer(bytes.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return links
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
				if u, err := base.Parse(string(value)); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
					u.Fragment = ""
					links = append(links, u.String())
				}
			}
		}
	}
}
