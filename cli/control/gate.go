package control

import (
	"context"
	"sync"
	"time"
)

// limits are what clients may take.
type limits struct {
	conns   int // open at once
	work    int // requests at work at once
	exports int // of them
	follows int // exports that go on as rows come, which are not among them
	stories int // of the work, the stories of addresses, each of which may read the whole log
	adds    int // requests at once whose bodies may be large
	line    int // requests that wait to be let in

	inLine time.Duration // how long one waits at most
	header time.Duration // to send the header of a request
	idle   time.Duration // between requests
	stall  time.Duration // without any progress of a body, or of an answer
	body   time.Duration // to send a body
	grace  time.Duration // to come to an end when the crawl does

	small, large int64 // bytes of a body

	// Between requests, and between connections, when there were more than the
	// burst at once.
	gap   time.Duration
	burst int
}

func defaultLimits() limits {
	return limits{
		conns: 64, work: 8, exports: 4, follows: 16, stories: 1, adds: 2, line: 32,
		inLine: 10 * time.Second, header: 10 * time.Second, idle: time.Minute,
		stall: 30 * time.Second, body: 2 * time.Minute, grace: 2 * time.Second,
		small: 1 << 20, large: 16 << 20,
		gap: 5 * time.Millisecond, burst: 200,
	}
}

// gate lets in so many at once.
type gate struct {
	limits                                *limits
	work, exports, follows, stories, adds chan struct{}
	line                                  chan struct{}
}

func newGate(l *limits) *gate {
	return &gate{
		limits: l, work: make(chan struct{}, l.work), exports: make(chan struct{}, l.exports), stories: make(chan struct{}, l.stories),
		follows: make(chan struct{}, l.follows), adds: make(chan struct{}, l.adds), line: make(chan struct{}, l.line),
	}
}

// enter waits for a place in each of the rooms, for a while, and gives the
// function that leaves them; it may be called more than once. With too many in
// line already, or after too long a time, the error is ErrBusy.
func (g *gate) enter(ctx context.Context, rooms ...chan struct{}) (leave func(), err error) {
	in := 0
	out := func() {
		for ; in > 0; in-- {
			<-rooms[in-1]
		}
	}
	var (
		inLine  bool
		tooLong <-chan time.Time
	)
	for _, room := range rooms {
		select {
		case room <- struct{}{}:
			in++
			continue
		default:
		}
		if !inLine {
			select {
			case g.line <- struct{}{}:
				inLine = true
				defer func() { <-g.line }()
			default:
				out()
				return nil, ErrBusy
			}
			timer := time.NewTimer(g.limits.inLine)
			defer timer.Stop()
			tooLong = timer.C
		}
		select {
		case room <- struct{}{}:
			in++
		case <-tooLong:
			out()
			return nil, ErrBusy
		case <-ctx.Done():
			out()
			return nil, ctx.Err()
		}
	}
	return sync.OnceFunc(out), nil
}

// meter spreads out what comes too often.
type meter struct {
	gap   time.Duration
	burst int // that pass at once

	mu   sync.Mutex
	next time.Time // when the next one may pass, but for the burst
}

func newMeter(l *limits) *meter {
	return &meter{gap: l.gap, burst: l.burst}
}

// pass waits until one may pass.
func (m *meter) pass(ctx context.Context) error {
	m.mu.Lock()
	if earliest := time.Now().Add(-time.Duration(m.burst) * m.gap); m.next.Before(earliest) {
		m.next = earliest
	}
	m.next = m.next.Add(m.gap)
	t := m.next
	m.mu.Unlock()
	return waitUntil(ctx, t)
}

// shared has many who want the same answer at once get the same.
type shared struct {
	mu     sync.Mutex
	last   *flight
	lastAt time.Time // when it was there
}

// statusAge is how old a status may be.
const statusAge = 200 * time.Millisecond

// flight is an answer that comes.
type flight struct {
	done chan struct{} // closed: the answer is there
	text []byte
	err  error
}

// get gives the answer that is there if it is young enough, or waits for the one
// that comes, which start must bring about by calling land, soon or later. An
// error is for those who have waited for it only.
func (s *shared) get(ctx context.Context, start func(land func(text []byte, err error))) ([]byte, error) {
	s.mu.Lock()
	f := s.last
	if f == nil || !s.lastAt.IsZero() && (f.err != nil || time.Since(s.lastAt) >= statusAge) {
		f = &flight{done: make(chan struct{})}
		s.last, s.lastAt = f, time.Time{}
		s.mu.Unlock()
		start(func(text []byte, err error) {
			s.mu.Lock()
			f.text, f.err = text, err
			if s.last == f {
				s.lastAt = time.Now()
			}
			s.mu.Unlock()
			close(f.done)
		})
	} else {
		s.mu.Unlock()
	}
	select {
	case <-f.done:
		return f.text, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forget has whoever asks from now on get an answer that is found out from now on.
func (s *shared) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
}
