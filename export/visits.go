package export

import (
	"errors"
	"hash/maphash"
	"math"
	"math/bits"
	"time"

	"pawl/storage"
)

var (
	// ErrNoLinks is the error of an export that needs the links of all pages,
	// for a crawl that did not keep them.
	ErrNoLinks = errors.New("the links of the pages were not kept: start the crawl with --links")
	// ErrNoBodies is the error of an export that needs the content of pages, for
	// a crawl that did not keep it.
	ErrNoBodies = errors.New("the bodies of the pages were not kept: start the crawl with --store-bodies")

	errTooManyVisits = errors.New("more pages than can be numbered")
)

// addresses gives addresses numbers: those of visits, of which each goes by how
// many stand before it in the log. They are told apart by 64 bits under a key
// that is drawn anew each time, so that nobody can craft two with the same; of
// ten million, two are taken for one another by chance once in 370,000 exports.
//
// It takes fifteen bytes an address: an open table of fingerprints and numbers,
// four fifths full.
type addresses struct {
	seed    maphash.Seed
	prints  []uint64 // 0: free
	numbers []uint32
	n       int // taken
}

// newAddresses makes room for so many; more are no harm.
func newAddresses(n uint64) *addresses {
	v := &addresses{seed: maphash.MakeSeed()}
	v.size(int(n)*5/4 + 16)
	return v
}

func (v *addresses) size(n int) { v.prints, v.numbers = make([]uint64, n), make([]uint32, n) }

func (v *addresses) fingerprint(url string) uint64   { return max(maphash.String(v.seed, url), 1) }
func (v *addresses) fingerprintOf(url []byte) uint64 { return max(maphash.Bytes(v.seed, url), 1) }

// slot is where the fingerprint stands, or the free place where it belongs.
func (v *addresses) slot(fp uint64) int {
	i, _ := bits.Mul64(fp, uint64(len(v.prints)))
	for v.prints[i] != 0 && v.prints[i] != fp {
		if i++; i == uint64(len(v.prints)) {
			i = 0
		}
	}
	return int(i)
}

// put gives the fingerprint the number, instead of one that it had.
func (v *addresses) put(fp uint64, number uint32) {
	if (v.n+1)*5 > len(v.prints)*4 {
		v.grow()
	}
	i := v.slot(fp)
	if v.prints[i] == 0 {
		v.n++
	}
	v.prints[i], v.numbers[i] = fp, number
}

func (v *addresses) grow() {
	prints, numbers := v.prints, v.numbers
	v.size(len(prints)*3/2 + 16)
	for i, fp := range prints {
		if fp != 0 {
			at := v.slot(fp)
			v.prints[at], v.numbers[at] = fp, numbers[i]
		}
	}
}

// number gives the number of the fingerprint, a new one if it has none.
func (v *addresses) number(fp uint64, next func() uint32) uint32 {
	if number, ok := v.find(fp); ok {
		return number
	}
	number := next()
	v.put(fp, number)
	return number
}

func (v *addresses) find(fp uint64) (number uint32, ok bool) {
	i := v.slot(fp)
	return v.numbers[i], v.prints[i] != 0
}

// expected is how many visits the log is likely to hold. It is only a hint, and
// what stands in a damaged file shall not take gigabytes.
func expected(f *storage.File) (n uint64, err error) {
	err = f.View(func(r *storage.Reader) error {
		s, err := r.State()
		n = s.Counts.Done()
		return err
	})
	return min(n, uint64(f.Size())/64), err
}

// eachVisit calls do for the visits up to the event last, with their numbers.
func eachVisit(f *storage.File, last uint64, pace pacing, do func(number uint32, seq uint64, event []byte) error) error {
	n := uint32(0)
	return walk(f, last, pace, func(seq uint64, event []byte) (bool, error) {
		kind := storage.KindOf(event)
		if kind != storage.KindVisit {
			return true, known(kind)
		}
		if n == math.MaxUint32 {
			return false, errTooManyVisits
		}
		err := do(n, seq, event)
		n++
		return true, err
	}, func() error { return nil })
}

// visitsOf finds all visits up to the event last, and calls each for them.
func visitsOf(f *storage.File, last uint64, pace pacing, each func(number uint32, seq uint64, h *storage.VisitHead)) (*addresses, error) {
	n, err := expected(f)
	if err != nil {
		return nil, err
	}
	v := newAddresses(n)
	err = eachVisit(f, last, pace, func(number uint32, seq uint64, event []byte) error {
		h, err := storage.DecodeVisitHead(event)
		if err != nil {
			return err
		}
		v.put(v.fingerprintOf(h.URL), number)
		each(number, seq, &h)
		return nil
	})
	return v, err
}

// keptVisit is the event of a visit and what is kept of it.
type keptVisit struct {
	seq   uint64
	event []byte
	value []byte // nil: nothing
}

// walkKept calls do with what is kept of the visits up to the event last, in
// their order, and with all others as well if it is to: while no transaction is
// open, so that do may take its time and write.
func walkKept(f *storage.File, what storage.Keep, all bool, last uint64, pace pacing, do func(*keptVisit) error) error {
	return f.Sequentially(func() error {
		w := keptWalk{what: what, all: all, last: last, from: 1}
		for w.from <= last {
			began := time.Now()
			w.visits, w.bytes, w.read = w.visits[:0], w.bytes[:0], 0
			if err := f.View(w.slice); err != nil || w.read == 0 {
				return err
			}
			took := time.Since(began)
			for i := range w.visits {
				if err := do(&w.visits[i]); err != nil {
					return err
				}
			}
			if err := pace.pause(took); err != nil {
				return err
			}
		}
		return nil
	})
}

// keptWalk reads a slice of a walk in each transaction.
type keptWalk struct {
	what   storage.Keep
	all    bool
	last   uint64
	from   uint64
	read   int
	visits []keptVisit
	bytes  []byte
}

func (w *keptWalk) slice(r *storage.Reader) error {
	if !w.all {
		return r.ScanKept(w.what, w.from, func(seq uint64, value []byte) (bool, error) {
			if r.IsReopened(seq, w.last) {
				return w.pass(seq), nil
			}
			return w.take(seq, r.Event(seq), value)
		})
	}
	return r.Scan(w.from, func(seq uint64, event []byte) (more bool, err error) {
		kind := storage.KindOf(event)
		if kind != storage.KindVisit || r.IsReopened(seq, w.last) {
			return w.pass(seq), known(kind)
		}
		value, err := r.Kept(w.what, seq)
		if err != nil {
			return false, err
		}
		return w.take(seq, event, value)
	})
}

// pass goes over an event; false when the slice ends with it or before.
func (w *keptWalk) pass(seq uint64) bool {
	if seq > w.last {
		return false
	}
	w.from = seq + 1
	w.read++
	return w.read < sliceEvents && len(w.bytes) < sliceBytes
}

// take makes a copy of a visit, which is valid until the next slice.
func (w *keptWalk) take(seq uint64, event, value []byte) (more bool, err error) {
	if seq > w.last {
		return false, nil
	}
	v := keptVisit{seq: seq, event: w.keep(event)}
	if value != nil {
		v.value = w.keep(value)
	}
	w.visits = append(w.visits, v)
	return w.pass(seq), nil
}

func (w *keptWalk) keep(b []byte) []byte {
	start := len(w.bytes)
	w.bytes = append(w.bytes, b...)
	return w.bytes[start:len(w.bytes):len(w.bytes)]
}

// keptEnd is end, for an export that needs what was kept.
func keptEnd(f *storage.File, what storage.Keep) (last uint64, err error) {
	if err := has(f, what); err != nil {
		return 0, err
	}
	return end(f)
}

// has tells whether anything of the kind was kept, by the error that says not.
func has(f *storage.File, what storage.Keep) error {
	kept := false
	err := f.View(func(r *storage.Reader) error {
		kept = r.Has(what)
		return nil
	})
	switch {
	case err != nil || kept:
		return err
	case what == storage.KeepLinks:
		return ErrNoLinks
	}
	return ErrNoBodies
}

// keptBy gives what is kept of a visit, in buf as far as it goes; nil when
// nothing is.
func keptBy(f *storage.File, what storage.Keep, seq uint64, buf []byte) (value []byte, err error) {
	err = f.View(func(r *storage.Reader) error {
		b, err := r.Kept(what, seq)
		if b != nil {
			value = append(buf[:0], b...)
		}
		return err
	})
	return value, err
}
