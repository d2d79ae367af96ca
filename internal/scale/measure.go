package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"pawl/crawl"
	"pawl/storage"
)

// row is what was measured of a crawl of some hosts at a number of known URLs.
type row struct {
	hosts     int
	known     uint64
	completed int
	missed    int

	rate, slowest, fastest float64 // completions a second: the median, the extremes
	ratio                  float64
	rehashRate             float64
	cpu                    time.Duration // a completion
	commit50, commit99     time.Duration
	commitMax              time.Duration
	commitEvents           float64
	writtenPerURL          float64 // -1: not known
	filePerURL             float64

	size                               int64
	status, warm, cold, goOn, exported finding
}

const (
	// portionPages is how many pages are made at a time: 16 commits.
	portionPages = 16 * commitEvents
	// A mark is measured by the last parts before it, at most so many, and none
	// from the first half of the way.
	partsAtMark = 20
)

// measure grows a crawl of some hosts and measures it at each mark.
func (b *bench) measure(ctx context.Context, hosts int) (rows []row, err error) {
	marks := b.marks()
	var parts []part
	once := *b
	once.pending = 1 // nothing is looked at in these
	for i := range b.repeats - 1 {
		g := &growth{bench: &once, path: b.file(hosts), web: newWeb(hosts, 1), phase: i}
		err := g.create()
		if err == nil {
			_, err = g.grow(ctx, marks[0])
		}
		if err := errors.Join(err, g.remove()); err != nil {
			return nil, err
		}
		parts = append(parts, g.parts...)
	}
	g := &growth{bench: b, path: b.file(hosts), web: newWeb(hosts, 1), phase: b.repeats - 1}
	if err := g.create(); err != nil {
		return nil, err
	}
	defer func() {
		if !b.keep {
			err = errors.Join(err, g.remove())
		}
	}()
	for i, mark := range marks {
		r, err := g.grow(ctx, mark)
		if err != nil {
			return nil, err
		}
		r.rates(append(parts, g.parts...))
		parts = nil
		b.say("%d hosts, %d known: %.0f completions/s", hosts, r.known, r.rate)
		if err := g.look(ctx, &r, i == len(marks)-1); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) file(hosts int) string {
	return filepath.Join(b.dir, fmt.Sprintf("scale-%d.pawl", hosts))
}

// growth is a crawl that grows.
type growth struct {
	*bench
	path  string
	web   *web
	phase int
	parts []part // of the last leg, those that count
}

func (g *growth) create() error {
	file, err := storage.Create(g.path, crawl.Rules(new(crawl.Settings)))
	if err != nil {
		return err
	}
	return file.Close()
}

func (g *growth) remove() error {
	err := os.Remove(g.path)
	if rerr := os.Remove(webFile(g.path)); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// grow is a run of the crawl until so many URLs are known, and then until no
// more than the wanted share of them is pending.
func (g *growth) grow(ctx context.Context, mark uint64) (r row, err error) {
	d, err := open(g.path)
	if err != nil {
		return r, err
	}
	defer func() {
		if d != nil {
			err = errors.Join(err, d.file.Close())
		}
	}()
	if err := d.start(); err != nil {
		return r, err
	}
	if d.f.Counts().Known == 0 {
		if err := d.seed(g.web); err != nil {
			return r, err
		}
		d.seal()
		if err := d.settle(); err != nil {
			return r, err
		}
	}
	d.commits = nil
	r = row{hosts: len(g.web.Own)}
	start, size, wrote := d.f.Counts(), d.file.Size(), written()
	take := func(host uint32) *answer { return g.web.take(host, d.hash) }
	var parts []part
	for d.f.Counts().Known < mark || len(parts) < 2 {
		// One part hashes the links, the next does not.
		rehash := (len(parts)+g.phase)%2 == 1
		ahead := g.portion + g.portion/8
		if g.web.Completed == 0 {
			// In which order hosts have their first turn, nothing tells.
			ahead += len(g.web.Turns)
		}
		g.web.prepare(ahead, d.hash)
		g.web.missed = 0
		from := take
		if rehash {
			from = d.rehashed(take)
		}
		m, err := d.run(ctx, g.portion, from)
		if err != nil {
			return r, err
		}
		g.web.served()
		m.rehash = rehash
		parts = append(parts, m)
		r.completed += g.portion
		r.missed += g.web.missed
	}
	c := d.f.Counts()
	if c.Known != g.web.known() || c.Admitted != c.Known {
		return r, fmt.Errorf("%d URLs are known and %d admitted, where there are %d", c.Known, c.Admitted, g.web.known())
	}
	r.known = c.Known
	r.commitTimes(d.commits)
	fresh := float64(c.Known - start.Known)
	r.filePerURL = float64(d.file.Size()-size) / fresh
	r.writtenPerURL = -1
	if wrote >= 0 {
		r.writtenPerURL = float64(written()-wrote) / fresh
	}
	g.parts = slices.DeleteFunc(parts, func(m part) bool { return m.known < mark/2 })
	g.parts = g.parts[max(0, len(g.parts)-partsAtMark):]
	g.say("%d hosts, %d known, %d pending", r.hosts, r.known, c.Pending)
	if err := g.drain(ctx, d); err != nil {
		return r, err
	}
	g.say("%d hosts, %d known, %d pending", r.hosts, r.known, d.f.Counts().Pending)
	r.size = d.file.Size()
	err = d.close()
	d = nil
	return r, err
}

// drain completes pages without links until enough of them have an outcome.
func (g *growth) drain(ctx context.Context, d *driver) error {
	for {
		c := d.f.Counts()
		keep := uint64(g.pending * float64(c.Known))
		if c.Pending <= keep {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.complete(int(min(uint64(g.portion), c.Pending-keep)), g.web.takeBare); err != nil {
			return err
		}
		g.web.served()
	}
}

// rates fills in what the parts tell.
func (r *row) rates(parts []part) {
	var plain, rehashed, cpu []float64
	for i := range parts {
		p := &parts[i]
		if p.rehash {
			rehashed = append(rehashed, p.rate())
			continue
		}
		plain = append(plain, p.rate())
		cpu = append(cpu, float64(p.cpu)/float64(p.pages))
	}
	r.rate, r.rehashRate, r.cpu = median(plain), median(rehashed), time.Duration(median(cpu))
	if len(plain) > 0 {
		r.slowest, r.fastest = slices.Min(plain), slices.Max(plain)
	}
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

func (r *row) commitTimes(commits []committed) {
	took := make([]time.Duration, 0, len(commits))
	events := 0
	for _, c := range commits {
		took = append(took, c.took)
		events += c.events
	}
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	r.commit50, r.commit99, r.commitMax = at(0.5), at(0.99), at(1)
	r.commitEvents = float64(events) / float64(len(commits))
}

// look has children measure the crawl at rest, and going on. When it is to
// grow further, that is done with a copy.
func (g *growth) look(ctx context.Context, r *row, last bool) (err error) {
	ask := func(into *finding, name, path string) {
		if err == nil {
			*into, err = inChild(ctx, name, path)
		}
	}
	var first finding
	ask(&first, "resume", g.path) // reads the file into the system's cache
	ask(&r.warm, "resume", g.path)
	ask(&r.status, "status", g.path)
	ask(&r.exported, "export", g.path)
	if err == nil && g.cold && dropCaches() {
		ask(&r.cold, "resume", g.path)
	}
	if err != nil {
		return err
	}
	if err := g.web.save(webFile(g.path)); err != nil {
		return err
	}
	if last {
		r.goOn, err = inChild(ctx, "go-on", g.path)
		return err
	}
	other := &growth{bench: g.bench, path: g.path + ".copy", web: g.web}
	if err := copyFile(other.path, g.path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.remove()) }()
	if err := g.web.save(webFile(other.path)); err != nil {
		return err
	}
	r.goOn, err = inChild(ctx, "go-on", other.path)
	return err
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
