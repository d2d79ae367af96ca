package control

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pawl/crawl"
	"pawl/storage"
)

// family is a metric, or several that differ in one label.
type family struct {
	name, help string
	label      string // empty: there is one metric
	counts     bool   // a counter; others can go down
	live       bool   // only a running crawl knows it
	read       func(s *crawl.Status, put putMetric)
}

// putMetric takes a value, and which one of the family it is.
type putMetric func(value float64, label string)

// single is a family of one metric.
func single(read func(*crawl.Status) float64) func(*crawl.Status, putMetric) {
	return func(s *crawl.Status, put putMetric) { put(read(s), "") }
}

// families are the metrics of a crawl. How many there are depends on no page and no
// host.
func families() []family {
	return []family{
		{name: "pawl_build_info", help: "Always 1; the version that runs.", label: "version", live: true, read: func(s *crawl.Status, put putMetric) {
			put(1, s.Live.Version)
		}},
		{name: "pawl_state", help: "1 for what the crawl is doing, else 0.", label: "state", read: readStates},

		// What this run has done.
		{name: "pawl_finished_total", help: "Addresses that came to an outcome in this run; again when it was withdrawn by a retry.", label: "outcome", counts: true, read: readFinished},
		{name: "pawl_requests_total", help: "Requests sent in this run, robots.txt and repeated attempts included.", counts: true, read: single(func(s *crawl.Status) float64 { return float64(s.Requests) })},
		{name: "pawl_received_bytes_total", help: "Bytes of answers that came over the network in this run.", counts: true, read: single(func(s *crawl.Status) float64 { return float64(s.Transferred) })},
		{name: "pawl_reopened_total", help: "Outcomes that were withdrawn by a retry in this run.", counts: true, read: single(func(s *crawl.Status) float64 { return float64(s.Reopened) })},
		{name: "pawl_parked_total", help: "Times that an address was parked in this run.", counts: true, read: single(func(s *crawl.Status) float64 { return float64(s.EverParked) })},

		// How the crawl stands.
		{name: "pawl_outcomes", help: "Addresses of the crawl by their outcome.", label: "outcome", read: readMap(func(s *crawl.Status) map[string]uint64 { return s.Outcomes })},
		{name: "pawl_failures", help: "Addresses of the crawl that failed, by why; status: answered by an HTTP status from 400 on.", label: "error_class", read: func(s *crawl.Status, put putMetric) {
			put(float64(s.ErrorStatus), "status")
			readMap(func(s *crawl.Status) map[string]uint64 { return s.ErrorClasses })(s, put)
		}},
		{name: "pawl_pending", help: "Addresses without an outcome, by their depth.", label: "depth", read: readDepths},
		{name: "pawl_retrying", help: "Pending addresses that wait for another attempt.", read: single(func(s *crawl.Status) float64 { return float64(s.Retrying) })},
		{name: "pawl_withdrawn", help: "Addresses that left the queue without an outcome.", read: single(func(s *crawl.Status) float64 { return float64(s.Withdrawn) })},
		{name: "pawl_unlisted", help: "Fetched pages that rules keep out of the results.", read: single(func(s *crawl.Status) float64 { return float64(s.Unlisted) })},
		{name: "pawl_known", help: "Addresses met, whether they belong to the crawl or not.", read: single(func(s *crawl.Status) float64 { return float64(s.Known) })},
		{name: "pawl_hosts", help: "Hosts with at least one address in the crawl.", read: single(func(s *crawl.Status) float64 { return float64(s.Hosts) })},
		{name: "pawl_hosts_pending", help: "Hosts with pending addresses.", read: single(func(s *crawl.Status) float64 { return float64(s.HostsPending) })},
		{name: "pawl_parked_patterns", help: "Patterns of addresses that are parked.", read: single(func(s *crawl.Status) float64 { return float64(len(s.Parked)) })},
		{name: "pawl_edits", help: "Edits of the queue that are being carried out.", read: single(func(s *crawl.Status) float64 { return float64(len(s.Edits)) })},
		{name: "pawl_runs", help: "Runs of the crawl so far, this one included.", read: single(func(s *crawl.Status) float64 { return float64(s.Runs) })},
		{name: "pawl_least_left_seconds", help: "What is pending takes at least this long, and mostly longer.", read: single(func(s *crawl.Status) float64 { return float64(s.LeastLeftMS) / 1000 })},
		{name: "pawl_file_bytes", help: "Size of the crawl file.", read: single(func(s *crawl.Status) float64 { return float64(s.Bytes) })},
		{name: "pawl_run_start_timestamp_seconds", help: "When this run began, as Unix time.", read: readTime(func(s *crawl.Status) string { return s.LastRun })},
		{name: "pawl_last_activity_timestamp_seconds", help: "When a job was finished or put off last, as Unix time.", read: readTime(func(s *crawl.Status) string { return s.LastActivity })},

		// What only a run knows.
		{name: "pawl_workers", help: "Requests that may be under way at a time.", live: true, read: single(func(s *crawl.Status) float64 { return float64(s.Live.Workers) })},
		{name: "pawl_in_flight", help: "Jobs that are being asked for.", live: true, read: single(func(s *crawl.Status) float64 { return float64(s.Live.InFlight) })},
		{name: "pawl_hosts_waiting", help: "Hosts that have something to hand out, but may not be asked yet.", live: true, read: single(func(s *crawl.Status) float64 { return float64(s.Live.HostsWait) })},
		{name: "pawl_reading_seeds", help: "1 while seeds are being read, else 0.", live: true, read: single(func(s *crawl.Status) float64 {
			if s.Live.Seeding {
				return 1
			}
			return 0
		})},
		{name: "pawl_held", help: "1 for what keeps the crawl from asking for now, else 0.", label: "reason", live: true, read: readHolds},
		{name: "pawl_last_commit_timestamp_seconds", help: "When results were written to the crawl file last, as Unix time.", live: true, read: readTime(func(s *crawl.Status) string { return s.Live.LastCommit })},
		{name: "pawl_last_commit_duration_seconds", help: "How long that took.", live: true, read: single(func(s *crawl.Status) float64 { return s.Live.CommitMS / 1000 })},
	}
}

func readMap(of func(*crawl.Status) map[string]uint64) func(*crawl.Status, putMetric) {
	return func(s *crawl.Status, put putMetric) {
		for label, n := range of(s) {
			put(float64(n), label)
		}
	}
}

// readTime leaves out a time that is not known.
func readTime(of func(*crawl.Status) string) func(*crawl.Status, putMetric) {
	return func(s *crawl.Status, put putMetric) {
		if t, err := time.Parse(time.RFC3339, of(s)); err == nil {
			put(float64(t.UnixMilli())/1000, "")
		}
	}
}

func readStates(s *crawl.Status, put putMetric) {
	for _, state := range []string{"running", "paused", "stopping"} {
		value := 0.0
		if s.State == state {
			value = 1
		}
		put(value, state)
	}
}

func readHolds(s *crawl.Status, put putMetric) {
	now := crawl.HoldReason("")
	if h := s.Live.Hold; h != nil {
		now = h.Reason
	}
	for _, reason := range []crawl.HoldReason{crawl.HeldByNetwork, crawl.HeldByPortal, crawl.HeldByProxy, crawl.HeldByHours, crawl.HeldByMemory} {
		value := 0.0
		if reason == now {
			value = 1
		}
		put(value, string(reason))
	}
}

// readFinished adds up what a retry moves between failed, blocked and reopened:
// the sum alone never goes down, as a counter must not.
func readFinished(s *crawl.Status, put putMetric) {
	fetched, redirected := storage.Fetched.String(), storage.Redirected.String()
	put(float64(s.Outcomes[fetched]), fetched)
	put(float64(s.Outcomes[redirected]), redirected)
	put(float64(s.Outcomes[storage.Failed.String()]+s.Outcomes[storage.Blocked.String()]+s.Reopened), "failed_or_blocked")
}

// readDepths gives all depths, as a metric should not vanish when it comes to
// nothing.
func readDepths(s *crawl.Status, put putMetric) {
	for depth := range storage.Depths {
		var n uint64
		if depth < len(s.Depths) {
			n = s.Depths[depth]
		}
		label := strconv.Itoa(depth)
		if depth == storage.Depths-1 {
			label += "+"
		}
		put(float64(n), label)
	}
}

// collector reads a status whenever metrics are asked for.
type collector struct {
	base context.Context // of the server; a scrape has none
	look *lookout

	families []family
	descs    []*prometheus.Desc // of each of them
	up       *prometheus.Desc

	mu    sync.Mutex
	start map[series]float64 // where counters count from; nil: not known yet
}

// series is a metric of a family.
type series struct {
	family int
	label  string
}

func newCollector(base context.Context, look *lookout, start *crawl.Status) *collector {
	c := &collector{
		base: base, look: look, families: families(),
		up: prometheus.NewDesc("pawl_up", "1 when the crawl tells how it stands, else 0, and there is nothing else of it.", nil, nil),
	}
	for _, f := range c.families {
		var labels []string
		if f.label != "" {
			labels = []string{f.label}
		}
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, labels, nil))
	}
	if start != nil {
		c.startAt(start)
	}
	return c
}

// startAt has counters count from what they are in s.
func (c *collector) startAt(s *crawl.Status) {
	c.start = map[series]float64{}
	for i, f := range c.families {
		if f.counts {
			f.read(s, func(value float64, label string) { c.start[series{i, label}] = value })
		}
	}
}

// Describe is part of prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.up
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect is part of prometheus.Collector. It may be called concurrently.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s, err := c.look.status(c.base)
	if err != nil {
		sendMetric(ch, c.up, prometheus.GaugeValue, 0, nil)
		return
	}
	sendMetric(ch, c.up, prometheus.GaugeValue, 1, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.start != nil:
	case s.Runs <= 1: // nothing was before it
		c.start = map[series]float64{}
	default:
		c.startAt(s)
	}
	for i, f := range c.families {
		if f.live && s.Live == nil {
			continue
		}
		kind := prometheus.GaugeValue
		if f.counts {
			kind = prometheus.CounterValue
		}
		f.read(s, func(value float64, label string) {
			var labels []string
			if f.label != "" {
				labels = []string{label}
			}
			if f.counts {
				value = max(value-c.start[series{i, label}], 0)
			}
			sendMetric(ch, c.descs[i], kind, value, labels)
		})
	}
}

// sendMetric hands over a metric. One that the library does not take, as a label that is
// not UTF-8, is told to who asks, and ends nothing.
func sendMetric(ch chan<- prometheus.Metric, d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) {
	m, err := prometheus.NewConstMetric(d, kind, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	ch <- m
}
