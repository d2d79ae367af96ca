package crawl

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
)

// Job is a job that has no outcome.
type Job struct {
	frontier.QueuedJob
	Found storage.Found
	Retry *storage.Retry // the last attempt and when the next is due; nil: none was made
}

const jobsAtOnce = 500

// Jobs gives the jobs without an outcome from one on, in the order of hosts and of
// finding. The crawl goes on meanwhile: what is finished before its turn is not
// among them, and no job comes twice that was not reopened.
func (c *Crawl) Jobs(ctx context.Context, from storage.JobID) iter.Seq2[Job, error] {
	return c.jobsOf(ctx, "", from)
}

// jobsOf is Jobs for those of a host; no name: of all.
func (c *Crawl) jobsOf(ctx context.Context, host string, from storage.JobID) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		var queued []frontier.QueuedJob
		var jobs []Job
		for more := true; more; {
			began := time.Now()
			err := c.do(ctx, func(l *loop) error {
				var isOver bool
				if from, isOver = l.jobsBegin(host, from); isOver {
					queued, more = queued[:0], false
					return nil
				}
				queued, from, more = l.frontier.JobsFrom(queued[:0], from, jobsAtOnce)
				return nil
			})
			if err == nil {
				jobs, err = c.readJobs(jobs[:0], queued)
			}
			if err != nil {
				yield(Job{}, err)
				return
			}
			took := time.Since(began)
			for i := range jobs {
				if host != "" && jobs[i].Host != host {
					return // those of the next one
				}
				if !yield(jobs[i], nil) {
					return
				}
			}
			if err := c.pause(ctx, took); err != nil {
				yield(Job{}, err)
				return
			}
		}
	}
}

// readJobs reads what the log says of jobs.
func (c *Crawl) readJobs(jobs []Job, queued []frontier.QueuedJob) ([]Job, error) {
	err := c.file.View(func(r *storage.Reader) (err error) {
		var with storage.FoundReader
		for i := range queued {
			j := Job{QueuedJob: queued[i]}
			if j.Found, err = j.QueuedJob.Found(r, &with); err != nil {
				return err
			}
			if j.Retry, err = j.LastTry(r); err != nil {
				return err
			}
			jobs = append(jobs, j)
		}
		return nil
	})
	return jobs, err
}

// The states of jobs without an outcome.
const (
	stateQueued   = "queued"
	stateRetrying = "retrying"
	stateOut      = "out"
)

func (j *Job) state() string {
	switch {
	case j.IsOut:
		return stateOut
	case j.Retry != nil:
		return stateRetrying
	}
	return stateQueued
}

const (
	queueLimit    = 100
	maxQueueLimit = 1000
	// queueScan is how many jobs are looked at for one page.
	queueScan = 100_000
)

// Queue gives a page of the jobs without an outcome. When few match it may hold
// fewer than asked for, or none, though there are more.
func (c *Crawl) Queue(ctx context.Context, q QueueQuery) (*QueuePage, error) {
	re, err := regexp.Compile(q.Match)
	if err != nil {
		return nil, &QueryError{checkRE(q.Match)}
	}
	from, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	switch q.State {
	case "", stateQueued, stateRetrying, stateOut:
	default:
		return nil, queryErrorf("a job is queued, retrying or out, not %q", q.State)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = queueLimit
	}
	limit = min(limit, maxQueueLimit)
	p := &QueuePage{Jobs: []QueuedJob{}}
	n := 0
	for j, err := range c.jobsOf(ctx, q.Host, from) {
		if err != nil {
			return nil, err
		}
		if len(p.Jobs) == limit || n == queueScan {
			p.Next = cursor(j.ID)
			return p, nil
		}
		n++
		if q.Depth != nil && int(j.Found.Depth) != *q.Depth ||
			q.State != "" && j.state() != q.State || !re.MatchString(j.Found.URL) {
			continue
		}
		p.Jobs = append(p.Jobs, j.show())
	}
	return p, nil
}

func (j *Job) show() QueuedJob {
	q := QueuedJob{
		URL: j.Found.URL, State: j.state(), Host: j.Host, Depth: int(j.Found.Depth), FoundOn: j.Found.FoundOn,
		Anchor: j.Found.Anchor, FoundAt: stamp(j.Found.FoundAt), Attempts: int(j.Attempt),
	}
	if j.Found.Kind != 0 {
		q.Kind = page.Kind(j.Found.Kind).String()
	}
	if t := j.Retry; t != nil {
		q.Attempts, q.Due, q.Status, q.Class, q.Error = int(t.Attempt), stamp(t.Due), int(t.Status), t.Class.String(), t.Error
	}
	return q
}

func cursor(id storage.JobID) string { return fmt.Sprintf("%d.%d", id.Host, id.Ord) }

func parseCursor(s string) (id storage.JobID, err error) {
	if s == "" {
		return id, nil
	}
	host, ord, _ := strings.Cut(s, ".")
	h, err := strconv.ParseUint(host, 10, 32)
	if err != nil {
		return id, queryErrorf("%q is not where a page ended", s)
	}
	o, err := strconv.ParseUint(ord, 10, 32)
	if err != nil {
		return id, queryErrorf("%q is not where a page ended", s)
	}
	return storage.JobID{Host: uint32(h), Ord: uint32(o)}, nil
}
