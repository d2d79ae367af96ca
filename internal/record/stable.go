package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stable takes from outputs what differs each time. Names become other names. The
// times in one output become seconds that follow each other, in their order. Ids of
// processes become 4711, that of a crawl another one, and workers number 1. How long
// something took is left as it was.
type stable struct {
	names *strings.Replacer

	mu   sync.Mutex
	pids []string
}

var (
	stamps  = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	ids     = regexp.MustCompile(`(?m)^(crawl +)[0-9a-f]{32}\b`)
	workers = regexp.MustCompile(`\bworker=\d+\b`)
	clocks  = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d `)
	begins  = regexp.MustCompile(`\bsince \d\d:\d\d;`)
	opens   = regexp.MustCompile(`\bgoes on at (?:\w{3} )?(\d\d:\d\d)`)
)

func newStable(names map[string]string) *stable {
	var pairs []string
	for from, to := range names {
		pairs = append(pairs, from, to)
	}
	return &stable{names: strings.NewReplacer(pairs...)}
}

// isPID says that a number is the id of a process.
func (s *stable) isPID(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pids = append(s.pids, strconv.Itoa(n))
}

func (s *stable) of(output string) string {
	output = s.names.Replace(output)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range s.pids {
		output = regexp.MustCompile(`\b`+pid+`\b`).ReplaceAllString(output, "4711")
	}
	at := stamps.FindAllString(output, -1)
	slices.Sort(at)
	at = slices.Compact(at)
	begin := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	output = stamps.ReplaceAllStringFunc(output, func(stamp string) string {
		format := "2006-01-02T15:04:05Z"
		if strings.Contains(stamp, ".") {
			format = "2006-01-02T15:04:05.000Z"
		}
		return begin.Add(time.Duration(slices.Index(at, stamp)) * time.Second).Format(format)
	})
	output = ids.ReplaceAllString(output, "${1}6b1f0c4e9d7a4c3e8f5a2b7d9c0e1f34")
	output = workers.ReplaceAllString(output, "worker=1")
	output = begins.ReplaceAllString(output, "since 09:30;")
	output = opens.ReplaceAllString(output, "goes on at Tue $1")
	return clocks.ReplaceAllString(output, "09:30:00 ")
}
