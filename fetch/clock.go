package fetch

import (
	"context"
	"sync"
	"time"
)

// clock ends an exchange when its time is over. One timer serves all steps: the whole
// exchange, the wait for the header once the request is sent, and the gaps between the
// reads of a body.
//
// What the exchange has waited for the Rate is looked up when the timer fires, which
// then goes on for as long: so without a Rate it costs nothing.
type clock struct {
	cancel context.CancelCauseFunc
	header time.Duration // 0: no bound
	idle   time.Duration // 0: no bound
	trace  *trace        // that knows what was waited for the Rate; nil: nothing was
	most   int64         // bytes that it may have read, or what was waited for them counts

	mu        sync.Mutex
	timer     *time.Timer // nil: nothing is bounded yet
	end       time.Time   // of the whole exchange; zero: no bound
	step      time.Time   // when the step began that is bounded by gap
	gap       time.Duration
	pause     time.Time // until when it stands still; zero: it does not
	hasHeader bool
	isOver    bool
}

// start starts the clock of an exchange that began now and may take total; 0: that is
// not bounded. The result is done when its time is over, or parent is.
func (c *clock) start(parent context.Context, now time.Time, total time.Duration) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	if total > 0 {
		c.end = now.Add(total)
		c.timer = time.AfterFunc(total, c.fire)
	}
	return ctx
}

// fire ends the exchange, unless the Rate has taken some of its time.
func (c *clock) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isOver {
		return
	}
	now := time.Now()
	if left := c.left(now); left > 0 {
		c.timer.Reset(left)
		return
	}
	if !c.pause.IsZero() {
		c.cancel(errCrowded)
		return
	}
	c.cancel(errTimedOut)
}

// left is the time until the exchange is to be ended; mu is locked.
func (c *clock) left(now time.Time) time.Duration {
	if !c.pause.IsZero() {
		return c.pause.Sub(now)
	}
	waited, last := c.trace.waited(now, c.most)
	left := time.Duration(-1)
	if !c.end.IsZero() {
		left = c.end.Add(waited).Sub(now)
	}
	if c.gap > 0 {
		// What was read goes on to whom it is for as soon as it has been waited for.
		gap := later(c.step, last).Add(c.gap).Sub(now)
		if c.end.IsZero() {
			return gap
		}
		left = min(left, gap)
	}
	return left
}

// begin begins a step, which ends the one before; mu is locked. A gap of 0 bounds nothing.
func (c *clock) begin(gap time.Duration) {
	if c.isOver {
		return
	}
	now := time.Now()
	c.step, c.gap = now, gap
	left := gap
	if !c.end.IsZero() {
		// The timer looks at what the end has been moved by.
		left = c.end.Sub(now)
		if gap > 0 {
			left = min(left, gap)
		}
	}
	switch {
	case c.timer != nil && gap == 0 && c.end.IsZero():
		c.timer.Stop()
	case c.timer != nil:
		c.timer.Reset(left)
	case gap > 0:
		c.timer = time.AfterFunc(left, c.fire)
	}
}

// sent is called when a request has gone out.
func (c *clock) sent() {
	if c.header == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hasHeader { // a server may answer before it has the whole request
		c.begin(c.header)
	}
}

// answered is called when the header of an answer has come.
func (c *clock) answered() {
	if c.header == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasHeader = true
	c.begin(0)
}

// reading is called before each read of a body.
func (c *clock) reading() {
	if c.idle == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(c.idle)
}

// standStill has the clock stand still for as long as the exchange waits for what is
// not the server's to give, but no longer than for most.
func (c *clock) standStill(most time.Duration) (since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since = time.Now()
	if c.isOver {
		return since
	}
	c.pause = since.Add(most)
	if c.timer == nil {
		c.timer = time.AfterFunc(most, c.fire)
	} else {
		c.timer.Reset(most)
	}
	return since
}

// goOn goes on after the clock stood still.
func (c *clock) goOn(paused time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pause = time.Time{}
	if !c.end.IsZero() {
		c.end = c.end.Add(paused)
	}
	c.begin(c.gap)
}

func (c *clock) stop() {
	c.mu.Lock()
	c.isOver = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.cancel(nil)
}
