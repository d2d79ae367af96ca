package crawl

import (
	"context"
	"fmt"
	"time"

	"pawl/fetch"
	"pawl/storage"
)

const (
	// A robots.txt is asked for again after a day (RFC 9309 section 2.4).
	robotsLife = 24 * time.Hour
	// When it cannot be had then, the last copy serves for another hour.
	robotsStale = time.Hour
	// maxRobotsHops is how many redirects lead to a robots.txt (section
	// 2.3.1.2); what stands behind more of them counts as not there.
	maxRobotsHops = 5
)

// robots asks for a robots.txt, or for what it redirects to.
func (w *worker) robots(ctx context.Context, t *task) *result {
	j := &t.job
	r := w.fetch(ctx, t, j.URL, fetch.MaxRobots)
	if r.Crowded {
		return crowded(t, &r)
	}
	if r.Class == fetch.Aborted {
		return &result{task: t, sent: r.Sent, aborted: true}
	}
	if r.Proxy {
		return &result{task: t, proxy: clean(r.Err, 200)}
	}
	e := &storage.Host{Ask: ask(&r), Status: uint16(r.Status), Class: class(r.Class), Error: clean(r.Err, 200)}
	res := &result{task: t, robots: e, sent: began(&r), answered: answered(&r), ended: r.Started.Add(r.Total), reused: r.Reused, retryAfter: r.RetryAfter}
	expires := time.Now().Add(robotsLife).UnixMilli()
	switch {
	case e.Class != storage.NoClass || r.Status >= 500:
		e.State = storage.RobotsRetry // the loop decides for how long
		if e.Error == "" {
			e.Error = fmt.Sprintf("status %d", r.Status)
		}
	case r.Status >= 400:
		e.State, e.Expires = storage.RobotsAllow, expires
	case r.Status >= 300:
		e.State, e.Expires = storage.RobotsAllow, expires
		if next := w.robotsTarget(j.URL, r.Location); next != "" && j.Hops < maxRobotsHops {
			e.State, e.Expires, e.Next, e.Hops = storage.RobotsRedirect, 0, next, j.Hops+1
		}
	default:
		e.State, e.Expires, e.Text = storage.RobotsRules, expires, string(r.Body)
		read := fetch.ParseRobots(r.Body, w.token)
		if delay, ok := read.CrawlDelay(); ok {
			e.Delay = milliseconds(delay)
		}
		res.links = w.sitemapsOf(j.URL, read)
	}
	w.log.Debug("asked for robots.txt", "url", j.URL, "status", r.Status, "class", r.Class, "took", r.Total.Round(time.Millisecond))
	return res
}

func (w *worker) robotsTarget(url, location string) string {
	base, err := w.speller.NewBase(url)
	if err != nil || location == "" {
		return ""
	}
	raw, err := base.Raw(location)
	if err != nil {
		return ""
	}
	return raw
}

// maxRulesKept bounds the robots.txt texts in memory, in bytes. Those of other
// hosts are read from the file when they are needed.
const maxRulesKept = 8 << 20

// ruleCache keeps the robots.txt files in use.
type ruleCache struct {
	token string
	kept  map[uint64]*rules // by seq of the event they stand in
	order []uint64
	bytes int
}

// clear forgets all that is kept: it can be read again.
func (c *ruleCache) clear() {
	clear(c.kept)
	c.order, c.bytes = nil, 0
}

func (c *ruleCache) get(seq uint64, r *storage.Reader) (*rules, error) {
	if seq == 0 {
		return nil, nil
	}
	if k := c.kept[seq]; k != nil {
		return k, nil
	}
	e, err := storage.DecodeHost(r.Event(seq))
	if err != nil {
		return nil, fmt.Errorf("robots.txt of event %d: %w", seq, err)
	}
	k := &rules{text: e.Text, token: c.token}
	// Parsed rules take some times the memory of their text.
	size := 4*len(e.Text) + 512
	for c.bytes+size > maxRulesKept && len(c.order) > 0 {
		c.bytes -= 4*len(c.kept[c.order[0]].text) + 512
		delete(c.kept, c.order[0])
		c.order = c.order[1:]
	}
	c.kept[seq] = k
	c.order = append(c.order, seq)
	c.bytes += size
	return k, nil
}
