package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"pawl/crawl"
	"pawl/frontier"
	"pawl/storage"
)

func verifyCommand() *command {
	return &command{
		name: "verify", summary: "check the crawl file and all that must be true of it",
		text: "Reads the whole file and changes nothing. What is wrong is printed, one finding\n" +
			"a line, and the exit code is then 3.",
		options: []option{fileOption()},
		run:     runVerify,
	}
}

func runVerify(ctx context.Context, c *call) error {
	if err := c.noArgs("verify"); err != nil {
		return err
	}
	path, again := c.file()
	file, err := storage.Open(path, true)
	if errors.Is(err, storage.ErrInUse) {
		return hintedError{
			c.inUse(ctx, path, err),
			"to check a copy: pawl snapshot -o COPY" + again + ", which does so",
		}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	v := &verifier{ctx: ctx, file: file}
	if err := v.run(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(v.findings) == 0 {
		n := &v.counts
		_, err := fmt.Fprintf(c.Stdout, "ok: %s, %s, %s pending, %s, %s\n",
			counted(v.last, "event", "events"), counted(n.Done(), "outcome", "outcomes"), grouped(n.Pending),
			counted(n.Known, "known address", "known addresses"), counted(n.Hosts, "host", "hosts"))
		return quiet(err)
	}
	for _, finding := range v.findings {
		if _, err := io.WriteString(c.Stdout, clean(finding)+"\n"); err != nil {
			break // the exit code tells the rest
		}
	}
	fault := errFindings
	if v.harmless {
		fault = errHarmless
	}
	return fmt.Errorf("%s: %w: %s", path, fault, counted(uint64(len(v.findings)), "finding", "findings"))
}

// mostFindings is where a verification ends: a file with so many faults needs
// no longer list.
const mostFindings = 100

type verifier struct {
	ctx      context.Context
	file     *storage.File
	last     uint64 // event
	counts   storage.Counts
	findings []string
	harmless bool // all that was found is a checkpoint that cannot be used
}

func (v *verifier) foundf(format string, args ...any) {
	if len(v.findings) < mostFindings {
		v.findings = append(v.findings, fmt.Sprintf(format, args...))
	}
}

// run looks from the pages of the file up to what the whole log says. What is
// built on something unsound is not looked at.
func (v *verifier) run() error {
	faults, err := v.file.Check(mostFindings)
	if err != nil {
		return err
	}
	for _, f := range faults {
		v.foundf("file: %v", f)
	}
	if len(v.findings) > 0 {
		return nil
	}
	var state storage.State
	err = v.file.View(func(r *storage.Reader) (err error) {
		v.last = r.Last()
		state, err = r.State()
		return err
	})
	if err != nil {
		v.foundf("state: %v", err)
		return nil
	}
	restored, unusable := v.restored()
	if unusable != nil {
		v.foundf("checkpoint: %v", unusable)
	}
	f, err := frontier.Fold(v.file, frontier.Defaults())
	if err != nil {
		v.foundf("log: %v", err)
		return nil
	}
	if restored != nil {
		v.compareDigests(restored, f.Digest())
	}
	defer func() { v.harmless = unusable != nil && len(v.findings) == 1 }()
	v.counts = f.Counts()
	v.compareCounts(&state.Counts)
	if _, _, err := crawl.Remembered(v.file); err != nil {
		v.foundf("settings: %v", err)
	}
	if isSound, err := v.reopened(); err != nil || !isSound {
		return err
	}
	done, err := v.outcomes(f)
	if err != nil {
		return err
	}
	pending, err := v.pending(f, done)
	if err != nil {
		return err
	}
	c := &v.counts
	if n := sum(c.Depths[:]); n != c.Pending {
		v.foundf("counts: %d addresses are pending, but %d by their depths", c.Pending, n)
	}
	if pending != c.Pending {
		v.foundf("queue: %d addresses stand in it, but %d are pending", pending, c.Pending)
	}
	if c.Admitted != c.Done()+c.Pending+c.Withdrawn {
		v.foundf("counts: %d addresses were admitted, but %d are done, %d pending and %d withdrawn", c.Admitted, c.Done(), c.Pending, c.Withdrawn)
	}
	for _, m := range state.Out {
		if !f.IsPending(m.Job) {
			v.foundf("out: job %d of host %d is not pending", m.Job.Ord, m.Job.Host)
		}
	}
	if err := v.kept(storage.KeepLinks, "links"); err != nil {
		return err
	}
	return v.kept(storage.KeepBody, "bodies")
}

// keptSlice is how much of what is kept of visits is read in one transaction.
const keptSlice = 200

// kept reads what is kept of visits, and checks that it belongs to one.
func (v *verifier) kept(what storage.Keep, name string) error {
	var unpacker storage.Unpacker
	for from, more := uint64(1), true; more; {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		more = false
		n := 0
		err := v.file.View(func(r *storage.Reader) error {
			return r.ScanKept(what, from, func(seq uint64, value []byte) (bool, error) {
				from, more = seq+1, true
				if err := v.keptOf(r, what, seq, value, &unpacker); err != nil {
					v.foundf("%s: of event %d: %v", name, seq, err)
				}
				n++
				return n < keptSlice, nil
			})
		})
		if err != nil { // where the next one stands is not known
			v.foundf("%s: %v", name, err)
			return nil
		}
	}
	return nil
}

func (v *verifier) keptOf(r *storage.Reader, what storage.Keep, seq uint64, value []byte, unpacker *storage.Unpacker) error {
	event := r.Event(seq)
	if storage.KindOf(event) != storage.KindVisit {
		return errors.New("that is no visit")
	}
	visit, err := storage.DecodeVisitHead(event)
	if err != nil {
		return err
	}
	if what == storage.KeepLinks {
		return unpacker.EachLink(value, string(visit.URL), func(*storage.PageLink) error { return nil })
	}
	body, err := unpacker.Body(value)
	if err != nil || body.First == 0 {
		return err
	}
	first, err := r.Kept(storage.KeepBody, body.First)
	if err == nil && (first == nil || body.First >= seq) {
		err = fmt.Errorf("the content is said to be that of event %d, which has none", body.First)
	}
	return err
}

// restored sums up what a run would start from: the newest checkpoint and the
// events after it. It is nil when there is no checkpoint.
func (v *verifier) restored() (*frontier.Digest, error) {
	f, damage, err := frontier.Restore(v.file, frontier.Defaults())
	if err != nil || damage != nil || f.Seq() == 0 {
		return nil, cmp.Or(err, damage)
	}
	if err := f.CatchUp(v.file); err != nil {
		return nil, err
	}
	d := f.Digest()
	return &d, nil
}

// compareDigests holds the checkpoint against the whole log.
func (v *verifier) compareDigests(restored *frontier.Digest, log frontier.Digest) {
	for _, part := range []struct {
		name    string
		was, is uint64
	}{
		{"the known addresses", restored.Seen, log.Seen},
		{"the places of pending jobs", restored.Queue, log.Queue},
		{"the contents of pages", restored.Contents, log.Contents},
		{"hosts and retries", restored.Heads, log.Heads},
	} {
		if part.was != part.is {
			v.foundf("checkpoint: %s are not what the log says; that is a fault of pawl, please report it", part.name)
		}
	}
}

// compareCounts holds the stored counts against those of the log.
func (v *verifier) compareCounts(stored *storage.Counts) {
	if sum(stored.Depths[:]) == 0 {
		// Jobs were not always counted by their depth. The next commit brings it.
		with := *stored
		with.Depths = v.counts.Depths
		stored = &with
	}
	if *stored == v.counts {
		return
	}
	was, err := fields(stored)
	if err != nil {
		v.foundf("counts: %v", err)
		return
	}
	is, err := fields(&v.counts)
	if err != nil {
		v.foundf("counts: %v", err)
		return
	}
	for name := range was {
		if string(was[name]) != string(is[name]) {
			v.foundf("counts: %s is %s, but the log says %s", name, was[name], is[name])
		}
	}
	slices.Sort(v.findings)
}

func fields(c *storage.Counts) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	return all, json.Unmarshal(text, &all)
}

// outcomes checks that no address has two outcomes, and gives the sorted
// fingerprints of those that have one.
func (v *verifier) outcomes(f *frontier.Frontier) ([]uint64, error) {
	hash := f.Hasher()
	done := make([]uint64, 0, v.counts.Done())
	err := v.visits(func(seq uint64, url []byte) {
		fp := hash(url)
		if _, isAdmitted := f.Knows(fp); !isAdmitted {
			v.foundf("event %d: %s has an outcome, but was never admitted", seq, url)
		}
		done = append(done, fp)
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(done)
	twice := map[uint64]uint64{} // fingerprint to the first event
	for i := 1; i < len(done) && len(twice) < mostFindings; i++ {
		if done[i] == done[i-1] {
			twice[done[i]] = 0
		}
	}
	if len(twice) == 0 {
		return done, nil
	}
	return done, v.visits(func(seq uint64, url []byte) {
		fp := hash(url)
		switch first, ok := twice[fp]; {
		case !ok:
		case first == 0:
			twice[fp] = seq
		default:
			v.foundf("events %d and %d: two outcomes of %s", first, seq, url)
		}
	})
}

// eventsASlice is how many events are read in one transaction.
const eventsASlice = 2000

// events calls do for each event of a kind, with the reader of its transaction.
func (v *verifier) events(kind storage.Kind, do func(r *storage.Reader, seq uint64, event []byte)) error {
	return v.file.Sequentially(func() error {
		for from := uint64(1); from <= v.last; from += eventsASlice {
			if err := v.ctx.Err(); err != nil {
				return err
			}
			err := v.file.View(func(r *storage.Reader) error {
				return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
					if seq-from >= eventsASlice || seq > v.last {
						return false, nil
					}
					if storage.KindOf(event) == kind {
						do(r, seq, event)
					}
					return true, nil
				})
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// visits calls do for each outcome in the log that was not withdrawn.
func (v *verifier) visits(do func(seq uint64, url []byte)) error {
	return v.events(storage.KindVisit, func(r *storage.Reader, seq uint64, event []byte) {
		// All of it is read, also what a fold has no need of.
		visit, err := storage.DecodeVisit(event)
		switch {
		case err != nil:
			v.foundf("event %d: %v", seq, err)
		case !r.IsReopened(seq, v.last):
			do(seq, []byte(visit.URL))
		}
	})
}

// reopened holds what is kept of the outcomes that were withdrawn against the
// events that withdrew them, both ways, and these against the outcomes. When it
// cannot be read, it is not sound.
func (v *verifier) reopened() (isSound bool, err error) {
	var block, event uint64
	for more := true; more; {
		if err := v.ctx.Err(); err != nil {
			return false, err
		}
		more = false
		n := 0
		err := v.file.View(func(r *storage.Reader) error {
			return r.ScanReopened(block, event, func(b, by uint64, visits []uint64) (bool, error) {
				if !namedBy(r.Event(by), visits) {
					v.foundf("reopened: event %d is said to have withdrawn outcomes, and has not", by)
				}
				block, event, more = b, by+1, true
				n++
				return n < keptSlice, nil
			})
		})
		if err != nil {
			v.foundf("reopened: %v", err)
			return false, nil
		}
	}
	return true, v.events(storage.KindReopen, func(r *storage.Reader, seq uint64, event []byte) {
		e, err := storage.DecodeReopen(event)
		if err != nil {
			v.foundf("event %d: %v", seq, err)
			return
		}
		v.reopenedBy(r, seq, e.Visits)
	})
}

// reopenedBy looks whether each visit that an event reopens is kept as such, once,
// and ended as the event says.
func (v *verifier) reopenedBy(r *storage.Reader, seq uint64, visits []storage.Reopened) {
	var block uint64
	var kept []uint64
	for i := range visits {
		o := &visits[i]
		if b := storage.BlockOf(o.Seq); i == 0 || b != block {
			block, kept = b, r.ReopenedBy(b, seq)
		}
		if _, ok := slices.BinarySearch(kept, o.Seq); !ok {
			v.foundf("reopened: event %d has withdrawn the outcome of event %d, and that is not kept", seq, o.Seq)
		}
		if r.IsReopened(o.Seq, seq-1) {
			v.foundf("event %d: the outcome of event %d was withdrawn before", seq, o.Seq)
		}
		visit := r.Event(o.Seq)
		h, err := storage.DecodeVisitHead(visit)
		switch {
		case storage.KindOf(visit) != storage.KindVisit || o.Seq >= seq:
			v.foundf("event %d: the outcome of event %d is withdrawn, which has none", seq, o.Seq)
		case err != nil:
			v.foundf("event %d: %v", o.Seq, err)
		case h.Job.Host != o.Host || h.Depth != o.Depth || h.Outcome != o.Outcome || h.Class != o.Class ||
			bytes.HasPrefix(h.URL, []byte("https:")) != o.HTTPS:
			v.foundf("event %d: the outcome of event %d was another one", seq, o.Seq)
		}
	}
}

// namedBy tells whether an event reopens the visits.
func namedBy(event []byte, visits []uint64) bool {
	if storage.KindOf(event) != storage.KindReopen {
		return false
	}
	e, err := storage.DecodeReopen(event)
	if err != nil {
		return false
	}
	for _, visit := range visits {
		_, ok := slices.BinarySearchFunc(e.Visits, visit, func(o storage.Reopened, seq uint64) int { return cmp.Compare(o.Seq, seq) })
		if !ok {
			return false
		}
	}
	return true
}

func sum(numbers []uint64) (n uint64) {
	for _, k := range numbers {
		n += k
	}
	return n
}

// pending checks that what waits has no outcome, and counts it.
func (v *verifier) pending(f *frontier.Frontier, done []uint64) (n uint64, err error) {
	for p, err := range f.Pending(v.file) {
		if err != nil {
			v.foundf("queue: %v", err)
			return n, nil
		}
		if err := v.ctx.Err(); err != nil {
			return n, err
		}
		n++
		if _, ok := slices.BinarySearch(done, f.Fingerprint(p.URL)); ok {
			v.foundf("queue: %s waits in it, but has an outcome", p.URL)
		}
	}
	return n, nil
}
