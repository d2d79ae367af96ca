package control

import (
	"context"
	"sync"
	"time"
)

// Pacer shares out what readers may take of the machine while a crawl runs: after
// work that took t the next piece of work begins no sooner than k times t later,
// whoever does it. So all of them together take one part in k+1 of one
// processor. A nil *Pacer lets everybody go on at once. All methods may be called
// concurrently.
type Pacer struct {
	ratio func() float64

	mu   sync.Mutex
	free time.Time // when the next piece of work may begin
}

// longestRest bounds the rest after one piece of work, should it have taken long
// because the machine slept.
const longestRest = time.Second

// NewPacer makes a pacer. ratio gives k as of now, and may be called by several
// goroutines at once; 0: work need not wait.
func NewPacer(ratio func() float64) *Pacer { return &Pacer{ratio: ratio} }

// Took says that a piece of work is done which took so long.
func (p *Pacer) Took(d time.Duration) {
	if p != nil {
		p.took(d)
	}
}

// took gives the time when the next piece may begin.
func (p *Pacer) took(d time.Duration) time.Time {
	k, now := p.ratio(), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !(k > 0) || d < 0 {
		p.free = now
		return now
	}
	rest := longestRest
	if r := k * float64(d); r < float64(longestRest) {
		rest = time.Duration(r)
	}
	// What others did at the same time has its own rest, behind this one's.
	d = min(d, longestRest)
	if start := now.Add(-d); p.free.Before(start) {
		p.free = start
	}
	p.free = p.free.Add(d + rest)
	return p.free
}

// Wait returns when the next piece of work may begin, or with its error when the
// context is done.
func (p *Pacer) Wait(ctx context.Context) error {
	if p == nil {
		return ctx.Err()
	}
	p.mu.Lock()
	free := p.free
	p.mu.Unlock()
	return waitUntil(ctx, free)
}

// Pace gives a function for one goroutine that works in pieces: it is called
// between them with how long the last one took, and returns when the next may
// begin, or when the context is done.
func (p *Pacer) Pace(ctx context.Context) func(took time.Duration) {
	return func(took time.Duration) {
		if p != nil {
			_ = waitUntil(ctx, p.took(took)) // who works finds out by itself that it should not
		}
	}
}

func waitUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
