package crawl

import (
	"context"
	"sync"
	"time"

	"pawl/storage"
)

// desk is where others ask the goroutine that owns the frontier, and tell it what
// the user wants.
type desk struct {
	asks chan *question
	over chan struct{} // closed when nobody answers any more
	once *sync.Once
}

func newDesk() desk {
	return desk{asks: make(chan *question), over: make(chan struct{}), once: new(sync.Once)}
}

func (d *desk) close() { d.once.Do(func() { close(d.over) }) }

// question is something to be done by the goroutine that owns the frontier, in well
// under a millisecond.
type question struct {
	do     func(*loop) error
	done   chan error // of one place
	later  bool       // do has seen to it that somebody answers
	onDisk bool       // the answer waits until what do appended is on disk
	seq    uint64     // with onDisk
}

// Over is closed when the run has come to its end.
func (c *Crawl) Over() <-chan struct{} { return c.desk.over }

// do has something done by the goroutine that owns the frontier. Nobody may use
// what do uses when it returns with an error of ctx: it may still be done.
func (c *Crawl) do(ctx context.Context, do func(*loop) error) error {
	return c.put(ctx, &question{do: do, done: make(chan error, 1)})
}

// change is do for what appends events: it returns when they are on disk.
func (c *Crawl) change(ctx context.Context, do func(*loop) error) error {
	return c.put(ctx, &question{do: do, done: make(chan error, 1), onDisk: true})
}

// settled waits until all that is appended by now is on disk.
func (c *Crawl) settled(ctx context.Context) error {
	a := &question{done: make(chan error, 1), later: true}
	a.do = func(l *loop) error {
		if a.seq = l.frontier.Seq(); a.seq <= l.onDisk {
			a.done <- nil
		} else {
			l.counter.durable = append(l.counter.durable, a)
		}
		return nil
	}
	return c.put(ctx, a)
}

func (c *Crawl) put(ctx context.Context, a *question) error {
	select {
	case c.desk.asks <- a:
	case <-c.desk.over:
		return ErrOver
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.desk.over:
		select {
		case err := <-a.done: // just before the end
			return err
		default:
			return ErrOver
		}
	}
}

// askShare is for how many times as long as an answer took the next one waits, so
// that no flood of questions takes more than a fifth of the goroutine's time.
const askShare = 4

// counter is the loop's side of the desk.
type counter struct {
	until   time.Time   // nothing is answered before
	durable []*question // that are answered when their events are on disk
}

// asked is where questions come from; nil: none is answered now.
func (l *loop) asked() <-chan *question {
	if !l.resting && l.now().Before(l.counter.until) {
		return nil
	}
	return l.desk.asks
}

// answer does what is asked.
func (l *loop) answer(a *question) {
	began := time.Now()
	before := l.frontier.Seq()
	err := a.do(l)
	l.counter.until = l.now().Add(askShare * time.Since(began))
	switch {
	case a.later && err == nil:
	case err == nil && a.onDisk && l.frontier.Seq() > before:
		l.touch()
		a.seq = l.frontier.Seq()
		l.counter.durable = append(l.counter.durable, a)
	default:
		a.done <- err
	}
}

// tellDurable answers those whose events are on disk now.
func (l *loop) tellDurable() {
	left := l.counter.durable[:0]
	for _, a := range l.counter.durable {
		if a.seq <= l.onDisk {
			a.done <- nil
		} else {
			left = append(left, a)
		}
	}
	l.counter.durable = left
}

// Rest answers what is asked of the crawl, without fetching anything, until ctx is
// cancelled; then it commits what is left. It is for a crawl that nobody runs:
// instead of Run, once. Edits go on that were not carried out to their end.
func (c *Crawl) Rest(ctx context.Context) error {
	defer c.desk.close()
	l, err := c.newLoop()
	if err != nil {
		return err
	}
	l.resting = true
	if l.jar, err = c.jar(); err != nil {
		return err
	}
	l.outs, err = startOutputs(nil)
	if err != nil {
		return err
	}
	committer := l.startCommitter()
	err = l.rest(ctx)
	close(l.commits)
	<-committer
	return err
}

func (l *loop) rest(ctx context.Context) error {
	l.onDisk = l.frontier.Seq()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		l.stopping = ctx.Err() != nil
		if err := l.carryOut(); err != nil {
			return err
		}
		if err := l.review(); err != nil {
			return err
		}
		if err := l.commit(); err != nil {
			return err
		}
		if ctx.Err() != nil && !l.committing && l.frontier.Waiting() == 0 {
			return nil
		}
		timer.Reset(l.sleep())
		select {
		case done := <-l.done:
			if err := l.committed(done); err != nil {
				return err
			}
		case a := <-l.asked():
			l.answer(a)
		case <-ctx.Done():
			if !l.committing && l.frontier.Waiting() == 0 {
				return nil
			}
			if l.committing {
				if err := l.committed(<-l.done); err != nil {
					return err
				}
			}
		case <-timer.C:
		}
	}
}

// Pause has nothing more handed out until Resume is called or the run ends.
func (c *Crawl) Pause(ctx context.Context) error { return c.setPaused(ctx, true) }

// Resume ends a pause.
func (c *Crawl) Resume(ctx context.Context) error { return c.setPaused(ctx, false) }

func (c *Crawl) setPaused(ctx context.Context, paused bool) error {
	return c.do(ctx, func(l *loop) error {
		switch {
		case l.resting:
			return ErrResting
		case l.stopping:
			return ErrOver
		}
		if l.paused != paused {
			word := "paused"
			if !paused {
				word = "resumed"
			}
			l.log.Info(word + " by the user")
		}
		l.paused = paused
		l.publish()
		return nil
	})
}

// Stop ends the run as a cancelled context does. It returns when the crawl has
// begun to stop.
func (c *Crawl) Stop(ctx context.Context) error {
	return c.do(ctx, func(l *loop) error {
		if l.resting {
			return ErrResting
		}
		if !l.stopping {
			l.log.Info("stopped by the user")
		}
		l.toStop = true
		return nil
	})
}

// Committed is the last event that is on disk.
func (c *Crawl) Committed() uint64 { return c.progress.Load().Committed }

// Change changes the settings: change is given a copy of those in force, which it
// may change; they are validated, take effect at once and are remembered. It
// returns when they are on disk. change must be quick, and may be called when ctx
// is cancelled already.
//
// How addresses are spelled cannot change, nor, while the crawl runs, where seeds come
// from, the name to send, what is taken and kept of pages, and where it goes: the
// error is a *QueryError then.
func (c *Crawl) Change(ctx context.Context, change func(*Settings) error) error {
	return c.change(ctx, func(l *loop) error {
		if l.stopping {
			return ErrOver
		}
		next := *l.settings
		if err := change(&next); err != nil {
			return err
		}
		if err := next.Validate(); err != nil {
			return err
		}
		if err := l.settings.mayBecome(&next, !l.resting); err != nil {
			return err
		}
		return l.change(&next)
	})
}

// change has other settings in force.
func (l *loop) change(next *Settings) error {
	treat, err := newTreatments(next)
	if err != nil {
		return err
	}
	scope, err := newScope(next, l.frontier, treat)
	if err != nil {
		return err
	}
	if !l.resting {
		terms, err := l.newTerms(next)
		if err != nil {
			return err
		}
		l.terms.fetcher.Close() // what is in flight goes on
		l.terms = terms
	}
	if o := next.frontierOptions(); o != l.settings.frontierOptions() {
		if err := l.frontier.Set(o); err != nil { // it looks at all hosts
			return err
		}
	}
	scope.parking = l.scope.parking
	*l.scope = *scope // the traps know it
	l.treat = treat
	l.settings = next
	if l.hours, err = ParseHours(next.Hours); err != nil {
		return err
	}
	if !l.resting {
		l.rate.Set(next.MaxRate)
		l.memory.setLimit(next.MaxMemory)
		l.space.setMargin(next.MinFree)
		l.hire(next.Workers)
		l.setDeadline()
		l.log.Info("settings changed by the user")
	}
	return l.remember()
}

// setDeadline has the run end when the settings say so.
func (l *loop) setDeadline() {
	l.deadline = nil
	if d := l.settings.MaxDuration; d > 0 && !l.stopping {
		l.deadline = time.After(max(0, d-time.Since(l.began)))
	}
}

// Add adds seeds to the crawl. It returns when they are on disk.
func (c *Crawl) Add(ctx context.Context, urls []string) (*Added, error) {
	a := &Added{Refused: []string{}}
	var batches []seedBatch
	f := c.feeder(func(b seedBatch) bool {
		batches = append(batches, b)
		return true
	})
	for _, text := range urls {
		if _, err := ParseSeed(c.speller, text); err != nil {
			a.Refused = append(a.Refused, shorten(WithoutUserinfo(text), 200)+": "+err.Error())
			continue
		}
		f.add(text, "the list of seeds")
		if len(f.batch.links) >= seedBatchSize {
			f.flush(nil)
		}
	}
	f.flush(nil)
	for _, b := range batches {
		links := len(b.links)
		added := 0
		var refused []string
		err := c.do(ctx, func(l *loop) error {
			if l.stopping {
				return ErrOver
			}
			before := l.summary.NewSeeds
			if err := l.seed(b); err != nil {
				return err
			}
			added = l.summary.NewSeeds - before
			for i := range b.links {
				if s := &b.links[i]; s.Reason != storage.NoReason {
					refused = append(refused, s.URL+": "+s.Reason.String())
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		a.Added += added
		a.Known += links - added - len(refused)
		a.Refused = append(a.Refused, refused...)
	}
	return a, c.settled(ctx)
}
