package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// firstRead is the size at which a body of unknown size begins.
	firstRead = 16 << 10
	// keepBuffer is the size up to which memory is kept for the next body,
	// and believed of a Content-Length.
	keepBuffer = 1 << 20
	// believed of a Content-Length is so many times what has come.
	believed = 4
	// freeBody is the size from which on a body is counted by the Budget.
	freeBody = 64 << 10
	// maxPause is how long an exchange may wait for its share of the Budget: few
	// servers keep a connection for longer that nobody reads from.
	maxPause = 2 * time.Minute
	// longPause is from when on a server may have given up an exchange that waits.
	longPause = 5 * time.Second
	// drainLimit is what is read of a body that has ended by its encoding but
	// not yet on the wire: a last chunk, so that the connection can be kept.
	drainLimit = 16 << 10
	// wireSlack and an eighth of the limit is what a body may be larger on
	// the wire than decoded.
	wireSlack = 64 << 10
	// maxAhead is what is received of an encoded body before the first byte is
	// decoded.
	maxAhead = 64 << 10
	// maxEmptyReads is how often a body may give neither a byte nor an end.
	maxEmptyReads = 100
)

var (
	errWireLimit = errors.New("encoded body is far larger than its content")
	// errCrowded ends an exchange that has waited for the Budget for too long.
	errCrowded = errors.New("no memory for the body in time")
)

// crowdedError is the end of an exchange that came of its waiting for the Budget, or
// may have: the server is not to blame.
type crowdedError struct{ err error }

func (e *crowdedError) Error() string { return e.err.Error() }
func (e *crowdedError) Unwrap() error { return e.err }

// Buffer is the memory of one worker: bodies are read into it, and the small
// things of an exchange are used again. The zero Buffer is ready. It serves
// one Fetch at a time.
//
// While a worker waits for a host it has no memory for a body: that is taken
// when the header of an answer has come, and goes back to all workers of the
// Fetcher with Release, or with the next Fetch.
type Buffer struct {
	body  []byte
	kept  *[]byte    // for body when it goes back; nil: it has no memory
	from  *sync.Pool // where it goes
	share *Share     // of the Budget; nil: never asked for
	wire  wire
	trace *trace // of an exchange that is over, if it can be used again
	addr  netip.Addr
	ip    string // addr as text
}

// Release gives the memory of the last body back, which is not valid from now
// on, and what was taken of the Budget for it. A worker that waits for something
// else should have called it.
func (b *Buffer) Release() {
	b.share.Release()
	if b.kept == nil {
		return
	}
	if cap(b.body) <= keepBuffer {
		*b.kept = b.body
		b.from.Put(b.kept)
	}
	b.body, b.kept, b.from = nil, nil, nil
}

// Drop gives back what was taken of the Budget, but not the memory: for one who
// does not know any more what is in it.
func (b *Buffer) Drop() {
	b.share.Release()
	*b = Buffer{}
}

// Reserve takes n bytes more of the Budget of the last Fetch, for what is to be
// made of its body, and waits for them if need be. Release gives them back, too.
// The only error is that of ctx.
func (b *Buffer) Reserve(ctx context.Context, n int64) error {
	if b.share == nil {
		return nil
	}
	return b.share.Grow(ctx, n, nil)
}

// Keep sets n bytes of what was taken of the Budget aside, for what lives on
// when the body is released: until the Share is. They are fewer when not as much
// was taken.
func (b *Buffer) Keep(n int64) *Share {
	if b.share == nil || b.share.held == 0 {
		return nil
	}
	return b.share.split(n)
}

// take gets memory for a body: what another has left behind, when that fits.
func (b *Buffer) take(from *sync.Pool) {
	b.kept, b.from = borrow(from), from
	if cap(*b.kept) > freeBody && !b.share.tryGrow(int64(cap(*b.kept))) {
		*b.kept = nil
	}
	b.body = *b.kept
}

// room is what an exchange may take of the Budget.
type room struct {
	ctx   context.Context
	clock *clock
	share *Share // nil: there is no Budget
	body  int64  // what was taken for the body
	// waited is for how long the exchange has waited.
	waited time.Duration
}

// forBody makes room for a body of n bytes in all.
func (r *room) forBody(n int64) error {
	if r.share == nil || n <= freeBody || n <= r.body {
		return nil
	}
	if err := r.take(n - r.body); err != nil {
		return err
	}
	r.body = n
	return nil
}

// has tells what the memory of the body is: what was taken beyond that is given back.
func (r *room) has(n int64) {
	if r.share == nil || r.body <= n {
		return
	}
	if n <= freeBody {
		n = 0 // it is not counted
	}
	r.giveBack(r.body - n)
	r.body = n
}

// blame puts right who is to blame for the end of the exchange: one who was kept
// waiting may lose the connection, or its patience; what is wrong with the content is
// its own.
func (r *room) blame(err error) error {
	cause, broken := context.Cause(r.ctx), (*brokenError)(nil)
	switch {
	case err == nil:
		return nil
	case cause == errCrowded:
		return &crowdedError{cause}
	case r.waited < longPause:
		return err
	case cause == errTimedOut, errors.As(cause, &broken):
		return &crowdedError{err}
	case cause != nil: // it was stopped
		return err
	}
	if class, _ := classify(err); class == Reset || class == TimedOut {
		return &crowdedError{err}
	}
	return err
}

// take takes n bytes. The time that it waits for them is not the server's.
func (r *room) take(n int64) error {
	if r.share == nil {
		return nil
	}
	var since time.Time
	err := r.share.Grow(r.ctx, n, func() { since = r.clock.standStill(maxPause - r.waited) })
	if !since.IsZero() {
		waited := time.Since(since)
		r.waited += waited
		r.clock.goOn(waited)
	}
	return err
}

// giveBack gives back n bytes of what was taken.
func (r *room) giveBack(n int64) {
	if n > 0 {
		r.share.Shrink(r.share.Held() - n)
	}
}

// borrow takes an empty slice from a pool, that holds pointers so as not to
// allocate when one is given back.
func borrow(from *sync.Pool) *[]byte {
	m, ok := from.Get().(*[]byte)
	if !ok {
		m = new([]byte)
	}
	*m = (*m)[:0]
	return m
}

// readBody reads the body of an answer into the buffer, decodes it, and
// closes it. It sets the fields of res that speak of the body.
func (f *Fetcher) readBody(ctx context.Context, answer *http.Response, limit int64, buf *Buffer, clock *clock, res *Response) error {
	if answer.Body == nil {
		return nil
	}
	// Closing before the end has been read gives the connection up, so a
	// server never decides how much is read.
	defer answer.Body.Close()
	w := &buf.wire
	*w = wire{body: answer.Body, clock: clock, limit: limit + limit/8 + wireSlack}
	defer func() {
		if w.kept != nil {
			f.wires.Put(w.kept)
		}
		*w = wire{}
	}()

	if f.opts.Budget != nil && (buf.share == nil || buf.share.of != f.opts.Budget) {
		buf.share = f.opts.Budget.Share()
	}
	space := room{ctx: ctx, clock: clock, share: buf.share}
	defer func() { res.Waited += space.waited }()
	err := f.decode(answer.Header, w, &space, func(r io.Reader) (n int, err error) {
		buf.take(&f.bodies)
		if had := int64(cap(buf.body)); had > freeBody {
			space.body = had
		}
		buf.body, err = readUpTo(buf.body, r, limit+1, answer.ContentLength, &space)
		space.has(int64(cap(buf.body)))
		return len(buf.body), err
	})
	if int64(len(buf.body)) > limit {
		buf.body = buf.body[:limit]
		res.Truncated = true
		err = nil
	}
	if err == nil && !res.Truncated {
		w.drain()
	}
	res.Body, res.Transferred = buf.body, w.count
	return space.blame(err)
}

// limit is where the body of a request is cut.
func (f *Fetcher) limit(req *Request) int64 {
	limit := req.MaxBody
	if limit == 0 {
		limit = f.opts.MaxBody
	}
	if limit <= 0 || limit > HardMaxBody {
		return HardMaxBody
	}
	return limit
}

// readUpTo appends what r gives to body until its end or until body is limit
// bytes long. The hint is a size that has been promised, or -1: memory is made as the
// body comes, but what it will take of the Budget is taken before, so that those who
// wait have nothing yet.
func readUpTo(body []byte, r io.Reader, limit, hint int64, space *room) ([]byte, error) {
	first := min(max(firstRead, min(hint+1, keepBuffer)), limit)
	if err := space.forBody(max(first, min(hint+1, limit))); err != nil {
		return body, err
	}
	if int64(cap(body)) < first {
		body = make([]byte, 0, first)
	}
	for {
		if int64(len(body)) >= limit {
			return body, nil
		}
		if had := int64(cap(body)); len(body) == cap(body) {
			more := 2 * had
			if hint >= had && hint < believed*had {
				more = hint + 1 // with the end
			}
			more = min(more, limit)
			if err := space.forBody(more); err != nil {
				return body, err
			}
			grown := make([]byte, len(body), more)
			copy(grown, body)
			body = grown
		}
		n, err := r.Read(body[len(body):min(int64(cap(body)), limit)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
}

// wire reads a body as it was sent. It counts, keeps the time of each read,
// and stops at a limit.
type wire struct {
	body  io.Reader
	clock *clock
	count int64
	limit int64
	ahead []byte  // received, and still to be read
	kept  *[]byte // the memory of ahead; nil: it has none
	last  error   // what comes after ahead, nil: more
	empty int     // receptions in a row that gave nothing
	err   error   // why it ended; io.EOF at the end of the body
}

func (w *wire) Read(p []byte) (int, error) {
	if w.err == nil && w.count >= w.limit {
		w.err = errWireLimit
	}
	if w.err == nil && len(w.ahead) == 0 {
		w.err = w.last
	}
	if w.err != nil {
		return 0, w.err
	}
	p = p[:min(int64(len(p)), w.limit-w.count)]
	if len(w.ahead) > 0 {
		n := copy(p, w.ahead)
		w.ahead = w.ahead[n:]
		w.count += int64(n)
		return n, nil
	}
	n, err := w.receive(p)
	w.count += int64(n)
	w.err = err
	return n, err
}

// receive waits for bytes of the body.
func (w *wire) receive(p []byte) (int, error) {
	w.clock.reading()
	n, err := w.body.Read(p)
	w.empty++
	if n > 0 {
		w.empty = 0
	}
	if err == nil && w.empty > maxEmptyReads {
		err = io.ErrNoProgress
	}
	return n, err
}

// readAhead receives the whole body, or its first maxAhead bytes, before the
// first Read, into memory of the pool. That is kept until the wire is not read
// any more.
func (w *wire) readAhead(from *sync.Pool) {
	w.kept = borrow(from)
	b := *w.kept
	for len(b) < maxAhead && w.last == nil {
		if len(b) == cap(b) {
			b = slices.Grow(b, firstRead)
		}
		var n int
		n, w.last = w.receive(b[len(b):min(cap(b), maxAhead)])
		b = b[:len(b)+n]
	}
	w.ahead, *w.kept = b, b
}

// broken returns the error of the wire, nil if it has none of its own.
func (w *wire) broken() error {
	if w.err == io.EOF {
		return nil
	}
	return w.err
}

// drain reads on to the end of the body if it is near. What it meets does not
// matter: the content is complete.
func (w *wire) drain() {
	if w.err == nil {
		io.CopyN(io.Discard, w, drainLimit)
	}
}
