// Package frontier knows which address is next and what is left.
//
// A [Frontier] is a fold of the log in a crawl file: load it and it stands
// where the log ends. It is owned by one goroutine, which is also the only
// writer of the file. Nothing here reads a clock: the time is a parameter.
//
// The life of a job: an event admits an address, which pushes a job on its
// host's queue ([Frontier.Finish], [Frontier.AddSeeds]); [Frontier.Next] hands
// it out when politeness allows; [Frontier.Release] tells that the host may be
// asked again; Finish or [Frontier.Retry] appends what came of it. Appended
// events gather in a batch, which [Frontier.Seal] gives away to be committed;
// [Frontier.Committed] then lets the jobs that it brought be handed out. A job
// is pending in the file until its outcome is there, so a crash needs no
// repair.
//
// The user edits the queue while it is worked on: [Frontier.OpenDrop] and
// [Frontier.OpenRetry] append what is wanted, [Frontier.Drop] and
// [Frontier.Reopen] carry it out, slice by slice. A slice is events that name
// what they change, so an edit survives a crash and is gone on with.
package frontier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dchest/siphash"

	"pawl/storage"
	"pawl/weburl"
)

// Options are the settings that decide when a job may be handed out. They may
// be changed while the crawl runs, see [Frontier.Set].
type Options struct {
	PerHost         int           // connections to one host at a time, at least 1
	Delay           time.Duration // least gap between starts on one host
	Adaptive        bool          // the gap is as long as the last answer took, within 100 ms and 10 s; Delay is not used
	IgnoreRobots    bool
	MaxPagesPerHost int // 0: no limit
	// Workers is how many jobs may be out at a time: so many are shared between
	// hosts that answer and hosts that keep who asks waiting; 0: it is not known,
	// and each host gets what there is at its turn.
	Workers int

	// CheckpointEvery is after how many events and links a checkpoint is due at
	// the earliest, an event counting for four; 0: after some 45,000 pages.
	CheckpointEvery int
}

// Defaults are the options of a polite crawl: one connection a host, adaptive
// gap, robots.txt obeyed.
func Defaults() Options { return Options{PerHost: 1, Adaptive: true} }

func (o *Options) validate() error {
	switch {
	case o.PerHost < 1:
		return errors.New("the number of connections per host must be at least 1")
	case o.PerHost > 10000:
		return errors.New("the number of connections per host must be at most 10000")
	case o.Delay < 0 || o.Delay > maxDelay:
		return fmt.Errorf("the delay must be from 0 to %v", maxDelay)
	case o.CheckpointEvery < 0:
		return errors.New("the events between checkpoints must not be negative")
	case o.Workers < 0:
		return errors.New("the number of workers must not be negative")
	case o.MaxPagesPerHost < 0:
		return errors.New("the number of pages per host must not be negative")
	}
	return nil
}

// Job is what a worker is to do.
type Job struct {
	ID      storage.JobID
	Robots  bool   // fetch the robots.txt of Scheme and Host; URL says where
	Host    string // host of the job's address
	Asked   string // host that is asked; differs from Host for a robots.txt that was redirected
	Rules   uint64 // seq of the Host event with the robots.txt text in force, 0: everything is allowed
	Raw     string // the spelling to ask for, when it is not URL
	Attempt uint8  // this is the n-th
	Hops    uint8  // redirects to the same canonical spelling so far
	storage.Found

	// GaveUp is set when no request shall be made, because the host was
	// given up: the job is to be finished with this class.
	GaveUp storage.Class
	// GaveUpBy is the seq of the Host event that says why.
	GaveUpBy uint64
	// Condemned is set when the job killed the process too often: it is to be
	// finished as crashed.
	Condemned bool
	// Careful jobs must not start before a commit has marked them as out.
	Careful bool
	// Alone jobs must not start before everything else has finished, and
	// RunsAlone has been called and committed. Nothing else may start before
	// they have finished.
	Alone bool
	// Within is how long an Alone job may keep others from starting, from when it
	// was handed out and again from its own start. Then it is to be broken off and
	// given to PutBack.
	Within time.Duration
	// TellSent asks for a call of Sent as soon as the request has gone out,
	// because the host may be asked again before the answer is there.
	TellSent bool

	asked uint32 // number of the host that is asked
	start uint32 // with TellSent: names this handing out
	slot  int64  // of the host, that this handing out took
	rest  int64  // how long the host is to rest after the start, nanoseconds
	pace  pace   // of the host
}

// Frontier: see the package comment.
type Frontier struct {
	options    Options
	key0, key1 uint64

	// Folded from the log.
	seen     set
	hosts    hosts
	retries  map[storage.JobID]*retry
	scope    Roots
	counts   storage.Counts
	settings []byte
	sources  map[string]storage.Source
	review   review
	contents contents
	parks    []Park
	unparks  []Unpark
	restored int // of unparks, those that are carried out
	edits    []OpenEdit
	edited   []uint32 // hosts on which the oldest of them has done something
	// Events: the first with a link that was out of scope, the last that
	// brought a host or a folder which scope is measured from, the last that
	// opened a review. 0: none.
	firstOutside, lastHost, lastFolder, lastReview uint64
	seq                                            uint64 // the last event

	// Of this run.
	waiting  [paces]hostHeap  // hosts that have something to hand out
	outBy    [paces]int       // jobs that are handed out and not released
	distrust int              // of strangers, see slow.go
	lookedAt int64            // when it was last looked whose turn it is
	starts   uint32           // the last start
	rests    map[uint32]int64 // by number of the host: not to be asked before
	out      map[storage.JobID]*storage.Mark
	suspects map[storage.JobID]storage.Mark
	careful  int
	deferred []storage.JobID        // suspects that are to run alone, or were put back
	spared   map[storage.JobID]bool // suspects that were put back
	patience int64                  // when they may
	alone    *storage.Mark          // of the job that runs alone
	batch    *storage.Batch
	spare    *storage.Batch
	staged   []push // jobs of the batch that is being filled
	sealed   []push // jobs of the batch that is being committed
	// Origins whose robots.txt is known by the same batches.
	stagedRobots, sealedRobots []storage.JobID
	loading                    bool
	sifted                     sifted
	sieved                     []uint64 // fingerprints that the next events will admit, and that are put already
	text                       []byte   // that addresses are read into
	found                      storage.FoundReader
	origin                     []byte // empty; memory for one
	journal                    journal
	check                      checkpointer
	run                        storage.Run
	// How far leastLeft has come round, and the longest so far.
	leftNext    int
	leftLongest time.Duration
}

// push is jobs that an event brought and that are not handed out before the
// event is on disk.
type push struct {
	host  uint32
	lane  storage.Lane
	place place
	count int
}

// review is the judging anew of skipped links after a change of settings or
// scope.
type review struct {
	upto uint64 // last event to look at, 0: none is open
	done uint64 // looked at up to here
}

// Load gives the frontier where the log of a crawl file ends, from its newest
// checkpoint and the events after it. It is Restore and CatchUp.
func Load(file *storage.File, o Options) (*Frontier, error) {
	f, _, err := Restore(file, o)
	if err != nil {
		return nil, err
	}
	return f, f.CatchUp(file)
}

// Fold gives the same from the log alone, as if there was no checkpoint.
func Fold(file *storage.File, o Options) (*Frontier, error) {
	f, err := newFrontier(file, o)
	if err != nil {
		return nil, err
	}
	return f, f.foldLog(file, false)
}

// Restore gives the frontier as of the newest checkpoint of a crawl file. To be
// used it must be brought to the end of the log by CatchUp. When there is none
// that makes sense it is empty, and damage, which is ErrDamaged, says what was
// wrong with the checkpoint; nil: there was none.
func Restore(file *storage.File, o Options) (f *Frontier, damage, err error) {
	f, err = newFrontier(file, o)
	if err != nil {
		return nil, nil, err
	}
	damage = f.restore(file)
	if damage == nil {
		return f, nil, nil
	}
	if !errors.Is(damage, storage.ErrDamaged) {
		return nil, nil, damage
	}
	f, err = newFrontier(file, o)
	if err == nil && !file.IsReadOnly() {
		err = file.DropCheckpoint()
	}
	return f, damage, err
}

// CatchUp folds the events that have come after the checkpoint. When these are
// very many and the file is open for writing, it writes checkpoints on the way.
func (f *Frontier) CatchUp(file *storage.File) error { return f.foldLog(file, !file.IsReadOnly()) }

func newFrontier(file *storage.File, o Options) (*Frontier, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	secret := file.Header().Secret
	f := &Frontier{
		options:  o,
		key0:     binary.LittleEndian.Uint64(secret[:8]),
		key1:     binary.LittleEndian.Uint64(secret[8:]),
		retries:  map[storage.JobID]*retry{},
		sources:  map[string]storage.Source{},
		rests:    map[uint32]int64{},
		out:      map[storage.JobID]*storage.Mark{},
		suspects: map[storage.JobID]storage.Mark{},
		spared:   map[storage.JobID]bool{},
		loading:  true,
		text:     make([]byte, 4<<10),
	}
	f.scope = Roots{key0: f.key0, key1: f.key1, how: map[string]root{}}
	f.check.every = checkpointWeight
	if o.CheckpointEvery > 0 {
		f.check.every = o.CheckpointEvery
	}
	return f, nil
}

// foldLog folds the log from where the frontier stands to its end, and makes it
// ready for a run.
func (f *Frontier) foldLog(file *storage.File, keep bool) error {
	var last uint64
	var state storage.State
	err := file.View(func(r *storage.Reader) (err error) {
		last = r.Last()
		state, err = r.State()
		return err
	})
	if err != nil {
		return err
	}
	f.journal.on = keep
	for f.seq < last {
		to := min(last, f.seq+catchUpEvents)
		err := file.Walk(f.seq+1, to, func(seq uint64, event []byte) error {
			if seq != f.seq+1 {
				return fmt.Errorf("%w: event %d follows event %d", storage.ErrDamaged, seq, f.seq)
			}
			return f.fold(seq, event)
		})
		if err != nil {
			return err
		}
		if f.seq != to {
			return fmt.Errorf("%w: event %d is missing", storage.ErrDamaged, f.seq+1)
		}
		if keep && f.journal.weight > 4*f.interval() {
			f.freeze()
			if err := f.write(file); err != nil {
				return err
			}
		}
	}
	f.loading = false
	f.run = state.Run
	for _, m := range state.Out {
		if state.Run.Running && f.IsPending(m.Job) {
			f.suspects[m.Job] = survived(m)
		}
	}
	f.counts.LeastLeft = state.Counts.LeastLeft
	f.batch = &storage.Batch{First: f.seq + 1}
	f.spare = new(storage.Batch)
	return nil
}

// Start begins a run at the given time. After an unclean end no host is asked
// before its gap has passed since then, because a request may have gone out
// that the file does not know of; and the first window jobs, like those that
// were out, are handed out as Careful. What it appends, if anything, belongs
// into the first commit of the run.
func (f *Frontier) Start(now time.Time, pid, window int) (unclean bool, err error) {
	unclean = f.run.Running
	f.run = storage.Run{
		Number: f.run.Number + 1, Running: true, PID: pid, Started: now.UnixMilli(), Unclean: f.run.Unclean, Unread: f.run.Unread,
	}
	if unclean {
		f.careful = window
		// Kept for the runs to come, of which this may be the shortest. Rounded
		// up, for the file keeps whole milliseconds.
		f.run.Unclean = f.run.Started + 1
	}
	at := now.UnixNano()
	f.patience = at + int64(patience)
	if f.waitsTooLong(now) {
		// A jump of the clock has made them so.
		if err := f.append(&storage.Edit{Edit: storage.EditWaits, Time: now.UnixMilli()}); err != nil {
			return unclean, err
		}
	}
	for h := range f.hosts.all() {
		h.pardon(at)
		h.sent = min(max(h.lastSent, f.run.Unclean*int64(time.Millisecond)), at)
		f.wake(h)
	}
	return unclean, nil
}

// ClockMoved tells that the crawl's clock was set to another time, which is
// now: forward after the machine slept, or as the user set it. Gaps begin anew
// with the new time, so that nothing is asked too soon. Waits that were stored
// as times pass with it when it goes forward; when it goes back they are moved
// along, or they would last for as long as it went, and that is appended.
func (f *Frontier) ClockMoved(by time.Duration, now time.Time) error {
	d := int64(by)
	f.patience += d
	for h := range f.hosts.all() {
		if h.sent != 0 {
			h.sent += d
		}
		if h.slot != 0 {
			h.slot += d
		}
	}
	for id := range f.rests {
		f.rests[id] += d
	}
	var err error
	if back := -by.Milliseconds(); back > 0 {
		err = f.append(&storage.Edit{Edit: storage.EditWaits, Time: now.UnixMilli(), Upto: uint64(back)})
	}
	for h := range f.hosts.all() {
		f.wake(h)
	}
	return err
}

// Stop marks the run as cleanly ended; the next commit stores it.
func (f *Frontier) Stop() {
	f.run.Running = false
	clear(f.out)
	clear(f.suspects)
	clear(f.spared)
	f.deferred = nil
}

// SetUnread tells whether there are seeds that the file cannot name and that
// are not read yet: those of a pipe. The next commit stores it.
func (f *Frontier) SetUnread(unread bool) { f.run.Unread = unread }

// Unread tells what SetUnread has said last, in this run or in one before.
func (f *Frontier) Unread() bool { return f.run.Unread }

// Set changes the options from now on.
func (f *Frontier) Set(o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	f.options = o
	for h := range f.hosts.all() {
		f.wake(h)
	}
	return nil
}

// Fingerprint is the 64-bit name under which an address is known: SipHash-2-4
// with a secret of the crawl file. It may be called concurrently.
func (f *Frontier) Fingerprint(url string) uint64 {
	return f.hash([]byte(url))
}

func (f *Frontier) hash(url []byte) uint64 { return siphash.Hash(f.key0, f.key1, url) }

// Hasher gives Fingerprint without the rest of the frontier, for workers.
func (f *Frontier) Hasher() func(url []byte) uint64 {
	key0, key1 := f.key0, f.key1
	return func(url []byte) uint64 { return siphash.Hash(key0, key1, url) }
}

// Knows tells whether an address is known, and whether it was ever admitted.
func (f *Frontier) Knows(fp uint64) (known, isAdmitted bool) {
	st, known := f.seen.get(fp)
	return known, known && st == admitted
}

// Counts are the totals as of the last appended event.
func (f *Frontier) Counts() storage.Counts {
	c := f.counts
	c.Known, c.Retrying = uint64(f.seen.len()), uint64(len(f.retries))
	return c
}

// Settings are the last settings stored, nil when there are none.
func (f *Frontier) Settings() []byte { return f.settings }

// Source tells how far a file of seeds was read.
func (f *Frontier) Source(path string) (storage.Source, bool) {
	s, ok := f.sources[path]
	return s, ok
}

// Seq is the number of the last event, committed or not.
func (f *Frontier) Seq() uint64 { return f.seq }

// RootHosts are the hosts of the seeds and those that joined by a seed's
// redirect, in the order in which the log names them. The slice only grows.
func (f *Frontier) RootHosts() []string { return f.scope.hosts }

// IsRootHost tells whether the host is among RootHosts.
func (f *Frontier) IsRootHost(host string) bool { return f.scope.IsRootHost(host) }

// IsSeedHost tells whether the user named the host as a seed.
func (f *Frontier) IsSeedHost(host string) bool { return f.scope.how[host]&rootNamed != 0 }

// MayTell tells whether the user's secrets may be told at an address: the user
// named its host, and they are not sent in the clear unless it was named so.
func (f *Frontier) MayTell(u weburl.URL) bool {
	r := f.scope.how[u.Host()]
	return r&rootNamed != 0 && (r&rootClear != 0 || u.Scheme() == "https")
}

// UnderRoot tells whether a seed stands in the address's folder or in one
// above it, on the same host.
func (f *Frontier) UnderRoot(u weburl.URL) bool { return f.scope.UnderRoot(u) }

// IsRoot tells whether the address would widen no scope as a seed.
func (f *Frontier) IsRoot(u weburl.URL) bool {
	return f.scope.how[u.Host()]&rootNamed != 0 && f.scope.folders.has(f.scope.folder(u))
}

// ScopeGrew tells whether links were refused as out of scope before a host, or
// a folder when folders count, came to those that scope is measured from, and
// no review was opened since.
func (f *Frontier) ScopeGrew(folders bool) bool {
	last := f.lastHost
	if folders {
		last = max(last, f.lastFolder)
	}
	return f.firstOutside != 0 && f.firstOutside < last && f.lastReview < last
}
