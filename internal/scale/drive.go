package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"
	"unsafe"

	"pawl/crawl"
	"pawl/frontier"
	"pawl/storage"
)

const (
	// As in package crawl: so many events make a commit due, and when twice as
	// many wait for the disk, nothing more is handed out.
	commitEvents = 256
	// workers is how many jobs are out at a time, and step how many come back
	// together.
	workers = 128
	step    = 64
	// tick is how far the crawl's clock goes from one job to the next.
	tick = 20 * time.Microsecond
)

// A profile shows the crawler by itself with: pprof -tagfocus phase=crawl.
var crawling = pprof.Labels("phase", "crawl")

var epoch = time.UnixMilli(1_800_000_000_000)

func options() frontier.Options { return frontier.Options{PerHost: 10_000, IgnoreRobots: true} }

// driver is a crawl without a network and without pages to read: what package
// crawl does with frontier and storage, and nothing else. One goroutine owns
// the frontier, another writes the commits.
type driver struct {
	file *storage.File
	f    *frontier.Frontier
	hash func([]byte) uint64
	now  time.Time

	out        []frontier.Job // handed out, the first one first
	sealed     chan *storage.Batch
	done       chan committed
	committing bool
	commits    []committed
}

// committed tells of a commit.
type committed struct {
	err    error
	events int
	took   time.Duration
}

// open opens a crawl file and loads the crawl in it.
func open(path string) (*driver, error) {
	file, err := storage.Open(path, false)
	if err != nil {
		return nil, err
	}
	f, err := frontier.Load(file, options())
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	d := &driver{
		file: file, f: f, hash: f.Hasher(), now: epoch,
		sealed: make(chan *storage.Batch, 1), done: make(chan committed, 1),
	}
	if last := f.Counts().LastTime; last > 0 {
		d.now = time.UnixMilli(last).Add(time.Second)
	}
	return d, nil
}

// start begins a run, which the file must say before the first job goes out.
func (d *driver) start() error {
	if _, err := d.f.Start(d.now, os.Getpid(), workers+commitEvents); err != nil {
		return err
	}
	go func() {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), crawling))
		for b := range d.sealed {
			began := time.Now()
			err := d.file.Commit(b)
			d.done <- committed{err, b.Len(), time.Since(began)}
		}
	}()
	d.seal()
	return d.settle()
}

// close ends the run in order. Nothing may be out.
func (d *driver) close() error {
	d.f.Stop()
	d.seal()
	err := d.settle()
	close(d.sealed)
	if err == nil {
		err = d.f.Rest(d.file)
	}
	return errors.Join(err, d.file.Close())
}

func (d *driver) seal() {
	d.committing = true
	d.sealed <- d.f.Seal(d.now)
}

// settle waits until the commit is through.
func (d *driver) settle() error { return d.through(<-d.done) }

func (d *driver) through(c committed) error {
	d.committing = false
	if c.err != nil {
		return c.err
	}
	d.commits = append(d.commits, c)
	d.f.Committed()
	return nil
}

// seed makes the crawl of a file that is empty.
func (d *driver) seed(w *web) error {
	settings, err := json.Marshal(crawl.Defaults("pawl/scale"))
	if err != nil {
		return err
	}
	if err := d.f.Remember(settings, d.now); err != nil {
		return err
	}
	return w.seeds(d.hash, func(links []frontier.Candidate) error {
		if _, err := d.f.AddSeeds(links, nil, d.now); err != nil {
			return err
		}
		if d.f.Waiting() < 16 {
			return nil
		}
		d.seal()
		return d.settle()
	})
}

// complete takes n jobs through the crawl until the last of them is committed
// and nothing is out.
func (d *driver) complete(n int, take source) error {
	left := n // to be handed out
	for left > 0 || len(d.out) > 0 || d.committing || d.f.Waiting() > 0 {
		select {
		case c := <-d.done:
			if err := d.through(c); err != nil {
				return err
			}
		default:
		}
		idle := left == 0 && len(d.out) == 0
		if !d.committing && (d.f.Waiting() >= commitEvents || idle && d.f.Waiting() > 0) {
			d.seal()
		}
		before := left
		if left > 0 && d.f.Waiting() < 2*commitEvents {
			if err := d.handOut(&left); err != nil {
				return err
			}
		}
		back := min(step, len(d.out))
		if d.f.Waiting() >= 2*commitEvents {
			back = 0
		}
		for i := range d.out[:back] {
			if err := d.finish(&d.out[i], take(d.out[i].ID.Host)); err != nil {
				return err
			}
		}
		d.out = append(d.out[:0], d.out[back:]...)
		if back > 0 || before != left {
			continue
		}
		switch {
		case d.committing:
			if err := d.settle(); err != nil {
				return err
			}
		case d.f.Waiting() > 0:
			d.seal()
		case left > 0:
			return fmt.Errorf("nothing to hand out, with %d pending", d.f.Counts().Pending)
		}
	}
	return nil
}

func (d *driver) handOut(left *int) error {
	return d.file.View(func(r *storage.Reader) error {
		for *left > 0 && len(d.out) < workers {
			j, ok, err := d.f.Next(d.now, r)
			if err != nil || !ok {
				return err
			}
			d.now = d.now.Add(tick / 2)
			d.out = append(d.out, j)
			*left--
		}
		return nil
	})
}

func (d *driver) finish(j *frontier.Job, a *answer) error {
	d.f.Release(j, d.f.Arrival(j, d.now, 0))
	links := d.f.Unknown(a.links) // which the scope has to judge
	a.visit.Time = d.now.UnixMilli()
	d.now = d.now.Add(tick / 2)
	return d.f.Finish(j, &a.visit, links, 0)
}

// source gives what comes of a job on a host.
type source func(host uint32) *answer

// part is a number of completions that were measured.
type part struct {
	pages  int
	known  uint64 // after it
	took   time.Duration
	cpu    time.Duration
	rehash bool
}

func (p *part) rate() float64 { return float64(p.pages) / p.took.Seconds() }

// run completes n jobs and measures that.
func (d *driver) run(ctx context.Context, n int, take source) (part, error) {
	if err := ctx.Err(); err != nil {
		return part{}, err
	}
	m := part{pages: n}
	cpu, began := cpuTime(), time.Now()
	var err error
	pprof.Do(ctx, crawling, func(context.Context) { err = d.complete(n, take) })
	m.took, m.cpu = time.Since(began), cpuTime()-cpu
	m.known = d.f.Counts().Known
	return m, err
}

// rehashed is a source that hashes as many addresses as a page has links. They
// are its new ones, again and again: a worker hashes what it has just written,
// and which it is does not matter for the cost.
func (d *driver) rehashed(take source) source {
	return func(host uint32) *answer {
		a := take(host)
		fresh := a.links[pageLinks-newLinks:]
		for i := range pageLinks {
			c := &fresh[i%newLinks]
			c.FP = d.hash(unsafe.Slice(unsafe.StringData(c.URL), len(c.URL)))
		}
		return a
	}
}
