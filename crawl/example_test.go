package crawl_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"pawl/crawl"
	"pawl/storage"
)

// site is a small web in memory, in place of the network.
type site map[string]string

func (s site) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := s[r.URL.Path]
	answer := &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader(text)),
	}
	if !ok {
		answer.StatusCode = 404
	}
	return answer, nil
}

// open opens a crawl file, or makes it.
func open(path string, s *crawl.Settings) *storage.File {
	file, err := storage.Create(path, crawl.Rules(s))
	if err != nil {
		file, err = storage.Open(path, false)
	}
	if err != nil {
		log.Fatal(err)
	}
	return file
}

// A crawl of a small site. Run again on the same file it would have nothing left
// to do; killed at any moment, it would go on where it stood.
func Example() {
	dir, err := os.MkdirTemp("", "pawl")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	settings := crawl.Defaults("example/1.0")
	settings.Fields = []string{"price:int=.price"}
	settings.Workers = 1
	file := open(filepath.Join(dir, "crawl.pawl"), &settings)
	defer file.Close()
	c, err := crawl.New(file, crawl.Options{
		Settings: settings,
		Input:    crawl.Input{Args: []string{"http://shop.example/"}},
		Transport: site{
			"/":    `<title>Shop</title><a href="/cup">A cup</a> <a href="/gone">Gone</a>`,
			"/cup": `<title>Cup</title><b class="price">1,200</b>`,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	summary, err := c.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(summary.End)
	err = crawl.EachVisit(file, 1, ^uint64(0), func(seq uint64, v *storage.Visit) error {
		fmt.Println(v.URL, v.Outcome, v.Status, v.Record.Title, v.Record.Fields)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// finished
	// http://shop.example/ fetched 200 Shop []
	// http://shop.example/cup fetched 200 Cup [{price [1200]}]
	// http://shop.example/gone failed 404  []
}

// A program that takes in visits while the crawl runs, each exactly once, however
// often it is stopped: it keeps the number of the last one together with what it
// makes of them.
func ExampleVisits() {
	dir, err := os.MkdirTemp("", "pawl")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	web := site{"/": `<a href="/1">1</a><a href="/2">2</a>`, "/1": `<a href="/3">3</a>`, "/2": "", "/3": ""}

	// In a real program this is a database, and both change in one transaction.
	var store struct {
		last  uint64
		pages []string
	}
	for run := 1; run <= 3; run++ {
		settings := crawl.Defaults("example/1.0")
		settings.Workers = 1
		settings.MaxPages = 2 * run // so that it ends before its time
		file := open(filepath.Join(dir, "crawl.pawl"), &settings)
		visits := &crawl.Visits{
			File: file, After: store.last,
			Do: func(seq uint64, v *storage.Visit) error {
				store.last, store.pages = seq, append(store.pages, v.URL)
				return nil
			},
		}
		c, err := crawl.New(file, crawl.Options{
			Settings: settings, Transport: web,
			Input:   crawl.Input{Args: []string{"http://shop.example/"}},
			Outputs: []crawl.Output{{Key: "store", Sink: visits}},
		})
		if err != nil {
			log.Fatal(err)
		}
		summary, err := c.Run(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		file.Close()
		fmt.Println(summary.End, len(store.pages))
	}
	fmt.Println(strings.Join(store.pages, " "))
	// Output:
	// max-pages 2
	// finished 4
	// finished 4
	// http://shop.example/ http://shop.example/1 http://shop.example/2 http://shop.example/3
}

// A program that adds its own links: what a script of the site would load.
func ExampleOptions_links() {
	dir, err := os.MkdirTemp("", "pawl")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	settings := crawl.Defaults("example/1.0")
	settings.Workers = 1
	file := open(filepath.Join(dir, "crawl.pawl"), &settings)
	defer file.Close()
	article := regexp.MustCompile(`load\("([^"]+)"\)`)
	c, err := crawl.New(file, crawl.Options{
		Settings: settings,
		Input:    crawl.Input{Args: []string{"http://news.example/"}},
		Transport: site{
			"/":           `<script>load("articles/7"); load("articles/8")</script>`,
			"/articles/7": "seven", "/articles/8": "eight",
		},
		Links: func(a *crawl.Answer) (links []string) {
			for _, match := range article.FindAllSubmatch(a.Body, -1) {
				links = append(links, string(match[1]))
			}
			return links
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	err = crawl.EachVisit(file, 1, ^uint64(0), func(_ uint64, v *storage.Visit) error {
		fmt.Println(v.URL, v.Outcome, "depth", v.Depth)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// http://news.example/ fetched depth 0
	// http://news.example/articles/7 fetched depth 1
	// http://news.example/articles/8 fetched depth 1
}
