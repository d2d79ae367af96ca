package fetch

import (
	"context"
	"slices"
	"sync"
)

// Budget bounds the memory that the bodies of all exchanges together take, and
// what is made of them. It may be shared by several Fetchers, and used
// concurrently.
//
// What a [Share] asks for beyond the bound it has to wait for, in the order of
// asking. One Share at a time, the first in the line, need not: it gets what it
// asks for until it gives everything back, so that those that wait never wait
// for each other alone. What is taken together is therefore at most the bound,
// and what one Share may come to.
type Budget struct {
	mu    sync.Mutex
	size  int64 // 0: there is no bound
	used  int64
	most  int64    // that was used
	first *Share   // need not wait; nil: nobody needed that
	line  []*Share // those that wait
}

// NewBudget makes a Budget of so many bytes; 0: no bound.
func NewBudget(size int64) *Budget { return &Budget{size: size} }

// Set changes the bound, also for those that wait.
func (b *Budget) Set(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size = size
	b.serve()
}

// BudgetUse is how much of a Budget is used.
type BudgetUse struct {
	Used    int64 // bytes
	Most    int64 // of Used so far
	Waiting int   // Shares that wait
}

// Use tells how much is used now.
func (b *Budget) Use() BudgetUse {
	b.mu.Lock()
	defer b.mu.Unlock()
	return BudgetUse{b.used, b.most, len(b.line)}
}

// Share makes a Share that has nothing yet. The nil Budget is one without bound.
func (b *Budget) Share() *Share { return &Share{of: b} }

// Share is what one holder has of a Budget. It serves one goroutine at a time;
// the nil Share has nothing and gives nothing back.
type Share struct {
	of    *Budget
	held  int64
	wants int64         // more, while it waits
	got   chan struct{} // closed when it has that
}

// Grow takes n bytes more, and waits for them when there are none: then waits is
// called first, if it is not nil. The only error is that of ctx.
func (s *Share) Grow(ctx context.Context, n int64, waits func()) error {
	b := s.of
	if b == nil || n <= 0 {
		return nil
	}
	b.mu.Lock()
	if len(b.line) == 0 || s == b.first {
		if b.fits(s, n) {
			b.give(s, n)
			b.mu.Unlock()
			return nil
		}
	}
	got := make(chan struct{})
	s.wants, s.got = n, got
	b.line = append(b.line, s)
	b.mu.Unlock()
	if waits != nil {
		waits()
	}
	select {
	case <-got:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.line, s); i >= 0 {
		b.line = slices.Delete(b.line, i, i+1)
		s.wants, s.got = 0, nil
		b.serve()
	}
	return context.Cause(ctx)
}

// tryGrow takes n bytes more if there are as many, without waiting.
func (s *Share) tryGrow(n int64) bool {
	if s == nil || s.of == nil {
		return true
	}
	b := s.of
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.line) > 0 || b.size > 0 && b.used+n > b.size {
		return false
	}
	b.give(s, n)
	return true
}

// Shrink gives bytes back until no more than n are held.
func (s *Share) Shrink(n int64) {
	if s == nil || s.of == nil || s.held <= n {
		return
	}
	b := s.of
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= s.held - n
	s.held = n
	if n == 0 && b.first == s {
		b.first = nil
	}
	b.serve()
}

// Release gives everything back. The Share can go on being used.
func (s *Share) Release() { s.Shrink(0) }

// Held is how much it has, in bytes.
func (s *Share) Held() int64 {
	if s == nil {
		return 0
	}
	return s.held
}

// split makes a Share of n bytes of this one. When this one need not wait, the
// new one takes its place: nobody else has that before both are given back.
func (s *Share) split(n int64) *Share {
	n = min(n, s.held)
	part := &Share{of: s.of}
	if s.of == nil || n <= 0 {
		return part
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.held -= n
	part.held = n
	if s.of.first == s {
		s.of.first = part
	}
	return part
}

// fits tells whether a share may have n bytes more. Who finds nobody to be first
// becomes it.
func (b *Budget) fits(s *Share, n int64) bool {
	if b.size <= 0 || s == b.first || b.used+n <= b.size {
		return true
	}
	if b.first != nil {
		return false
	}
	b.first = s
	return true
}

func (b *Budget) give(s *Share, n int64) {
	b.used += n
	s.held += n
	b.most = max(b.most, b.used)
}

// serve gives those that wait what there is for them, in their order.
func (b *Budget) serve() {
	for len(b.line) > 0 && b.fits(b.line[0], b.line[0].wants) {
		s := b.line[0]
		b.line = slices.Delete(b.line, 0, 1)
		b.give(s, s.wants)
		close(s.got)
		s.wants, s.got = 0, nil
	}
}
