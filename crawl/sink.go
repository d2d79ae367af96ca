package crawl

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"pawl/storage"
)

// Sink is told of what is committed while a crawl runs. Its methods are called
// by one goroutine, beside the crawl; a slow Sink falls behind, but holds nothing
// up until the end of the run, which waits for it: for ten seconds at most when it
// was stopped.
type Sink interface {
	// Write takes in the events of the log up to last, all of which are
	// committed. It is called again and again with higher numbers, and in each
	// run once at the end with the last. What it wrote in earlier runs is for it
	// to know.
	Write(last uint64) error
	// Sync makes what was written durable and gives what is to be kept in the
	// crawl file under the sink's key; nil: nothing. Should the process die, the
	// next run has the last one that was kept, or an earlier one.
	Sync() (position []byte, err error)
}

// Output is a Sink and the key of what is kept of it.
type Output struct {
	Key  string
	Sink Sink
}

// Position is what was last kept of a sink, nil if nothing was.
func Position(file *storage.File, key string) (position []byte, err error) {
	err = file.View(func(r *storage.Reader) error {
		return r.EachSide(storage.SidePositions, func(k string, value []byte) error {
			if k == key {
				position = append([]byte{}, value...)
			}
			return nil
		})
	})
	return position, err
}

// Exchange is a request and its answer, to be archived. It is made of every
// answer that ends its job, whatever its status; not of a robots.txt.
type Exchange struct {
	Seq       uint64 // of its visit
	URL       string
	Time      time.Time // when it was sent
	IP        string
	Proto     string // "HTTP/1.1", "HTTP/2.0"
	Request   []byte // heads, as text of HTTP/1.1
	Response  []byte
	Body      []byte // decoded
	Truncated bool   // the body was cut at its limit

	// DuplicateOf is where the same content was fetched first, and when; empty:
	// it is new.
	DuplicateOf   string
	DuplicateTime time.Time
}

// Archive keeps exchanges outside of the crawl file, exactly those whose visits
// are committed: Add is called before the commit, and what Position gives then is
// committed with it, so that at the next start the archive can drop what came
// after. Its methods are called by one goroutine.
type Archive interface {
	// Add makes exchanges durable.
	Add([]Exchange) error
	// Finish is called when the crawl ends by itself: nothing is left, or a limit on
	// what it fetches is reached. A later run may add again.
	Finish() error
	// Position is what is to be kept in the crawl file. It is kept with every
	// commit, so once before the first Add.
	Position() []byte
}

// SinkError is trouble with a Sink or an Archive. The crawl has been stopped; what
// is committed is in the crawl file.
type SinkError struct {
	Key string
	Err error
}

func (e *SinkError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap gives the error of the Sink or Archive.
func (e *SinkError) Unwrap() error { return e.Err }

// syncEvery is how often what sinks wrote is made durable while a crawl runs.
const syncEvery = 5 * time.Second

// outputs runs the sinks of a crawl.
type outputs struct {
	list   []Output
	news   chan uint64              // the last event that is committed; of one place
	synced chan []storage.SideValue // positions to be kept
	gone   atomic.Bool              // nobody waits for them any more
	failed chan error               // the first trouble, once
	over   chan struct{}
	ended  bool

	// What is asked while the end is waited for; answer tells whether the user wants
	// to stop.
	asks   <-chan *question
	answer func(*question) (stop bool)
}

// startOutputs has what is kept of the sinks kept again, as they may have
// changed since, before anything else.
func startOutputs(list []Output) (*outputs, error) {
	o := &outputs{
		list: list, news: make(chan uint64, 1), synced: make(chan []storage.SideValue, 1),
		failed: make(chan error, 1), over: make(chan struct{}),
	}
	if err := o.sync(); err != nil || len(list) == 0 {
		close(o.over)
		return o, err
	}
	go o.run()
	return o, nil
}

// tell says how far the log is committed. It never waits.
func (o *outputs) tell(last uint64) {
	if len(o.list) == 0 || o.ended {
		return
	}
	select {
	case <-o.news:
	default:
	}
	o.news <- last
}

// end has what is left written, and waits for it; but once the crawl is being
// stopped for a while only, as who reads a pipe may never do so. isWhole tells
// whether all was written.
func (o *outputs) end(ctx context.Context, isStopping bool) (isWhole bool) {
	if !o.ended {
		o.ended = true
		close(o.news)
	}
	stopped := ctx.Done()
	var tooLong <-chan time.Time
	if isStopping {
		stopped, tooLong = nil, time.After(grace)
	}
	for {
		select {
		case <-o.over:
			return true
		case <-stopped:
			stopped, tooLong = nil, time.After(grace)
		case q := <-o.asks:
			if o.answer(q) && tooLong == nil {
				stopped, tooLong = nil, time.After(grace)
			}
		case <-tooLong:
			o.gone.Store(true)
			return false
		}
	}
}

// left gives the positions that are to be kept, and the trouble that there was.
func (o *outputs) left() (positions []storage.SideValue, err error) {
	select {
	case positions = <-o.synced:
	default:
	}
	select {
	case err = <-o.failed:
	default:
	}
	return positions, err
}

func (o *outputs) run() {
	defer close(o.over)
	at := time.Now()
	for last := range o.news {
		if err := o.write(last); err != nil {
			o.fail(err)
			return
		}
		if time.Since(at) < syncEvery {
			continue
		}
		if err := o.sync(); err != nil {
			o.fail(err)
			return
		}
		at = time.Now()
	}
	if err := o.sync(); err != nil {
		o.fail(err)
	}
}

func (o *outputs) fail(err error) {
	o.failed <- err
	for range o.news { // nobody waits for it
	}
}

func (o *outputs) write(last uint64) error {
	for _, out := range o.list {
		if o.gone.Load() {
			return nil
		}
		if err := out.Sink.Write(last); err != nil {
			return &SinkError{out.Key, err}
		}
	}
	return nil
}

func (o *outputs) sync() error {
	if o.gone.Load() {
		return nil
	}
	var positions []storage.SideValue
	for _, out := range o.list {
		position, err := out.Sink.Sync()
		if err != nil {
			return &SinkError{out.Key, err}
		}
		if position != nil {
			positions = append(positions, storage.SideValue{Side: storage.SidePositions, Key: out.Key, Value: position})
		}
	}
	select {
	case <-o.synced: // not kept yet, and old now
	default:
	}
	o.synced <- positions
	return nil
}

// What EachVisit reads in one transaction, at most about: events, visits, and
// bytes of them.
const (
	sliceEvents = 2000
	sliceVisits = 200
	sliceBytes  = 1 << 20
)

// EachVisit calls do for the visits among the events from and up to last, in
// order, each once. The visit is the callee's, and no transaction of the file is
// open: do may take its time, and may read the file. A crawl may run meanwhile.
func EachVisit(file *storage.File, from, last uint64, do func(seq uint64, v *storage.Visit) error) error {
	var seqs []uint64
	var visits []*storage.Visit
	for more := true; more && from <= last; {
		seqs, visits, more = seqs[:0], visits[:0], false
		err := file.View(func(r *storage.Reader) error {
			events, size := 0, 0
			return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
				if seq > last {
					return false, nil
				}
				from, more = seq+1, true
				if storage.KindOf(event) == storage.KindVisit {
					v, err := storage.DecodeVisit(event)
					if err != nil {
						return false, fmt.Errorf("event %d: %w", seq, err)
					}
					seqs, visits = append(seqs, seq), append(visits, v)
					size += len(event)
				}
				events++
				return events < sliceEvents && len(visits) < sliceVisits && size < sliceBytes, nil
			})
		})
		if err != nil {
			return err
		}
		for i, v := range visits {
			if err := do(seqs[i], v); err != nil {
				return err
			}
		}
		clear(visits)
	}
	return nil
}
