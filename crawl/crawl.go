// Package crawl runs a crawl: it hands out jobs, has workers visit them, and
// commits what came of it.
//
// The life of a URL. A seed, or a link on a page, is spelled canonically
// (package weburl) and judged by the scope. If it passes and is new, the event
// that brings it to the crawl file admits it: from that commit on it is
// pending (package frontier). When its host may be asked, the loop hands it to
// a worker, which asks for it (package fetch), reads the page (package page)
// and returns a result. The loop decides what the result means, an outcome or
// another attempt, and appends it to the next commit together with the links
// that are new. So page, queue and seen-set change in one transaction, and a
// job is pending in the file until its outcome is there: nothing needs repair
// after a crash, and what was on its way is simply asked again.
//
// One goroutine, [Crawl.Run], owns the frontier. Workers see neither queue nor
// disk, share no state, and a panic in one becomes the outcome of its page.
// Commits are written by a goroutine of their own, so that the next jobs go
// out meanwhile; what a commit brings is handed out when it is on disk.
package crawl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"pawl/fetch"
	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// Input is where seeds come from, beside the seeds file of the settings.
type Input struct {
	Args     []string
	Sitemaps []string  // whose entries are seeds
	Stdin    io.Reader // one address a line; nil: none
	Cookies  []byte    // a cookies.txt, to be kept from now on; see CheckCookies
}

// Options are what a crawl is made from.
type Options struct {
	Settings
	Input     Input
	Log       *slog.Logger      // nil: nothing is logged
	Transport http.RoundTripper // nil: the network
	// Probe tells whether the network is there, after hosts (names with ports, at
	// least one) could not be reached; the error says what is missing. It may take a
	// few seconds. nil: fetch.Probe, but with a Transport of one's own failures are
	// believed at once.
	Probe   func(ctx context.Context, hosts []string) error
	Outputs []Output // are told of what is committed
	// Links adds links to those of an answer: addresses, absolute or relative to
	// it, which the scope judges as it judges others. It is called for every
	// answer that was fetched, by several goroutines at once, and again when the
	// page is fetched again because the process had died. nil: none are added.
	Links func(*Answer) []string
	// Archive keeps all exchanges; nil: there is none. What is kept of it in the
	// crawl file stands there under ArchiveKey.
	Archive    Archive
	ArchiveKey string
	// Folders are the files and folders where outputs are written, beside the crawl
	// file: the run ends in time when a disk of theirs is filling up.
	Folders []string
}

// Crawl is one crawl of one file. Make it with New and run it once.
type Crawl struct {
	file        *storage.File
	frontier    *frontier.Frontier
	settings    *Settings // never changed, but replaced by the goroutine of Run
	changed     bool      // the settings differ from those remembered
	input       Input
	log         *slog.Logger
	transport   http.RoundTripper
	outputs     []Output
	links       func(*Answer) []string
	archive     Archive
	archiveKey  string
	folders     []string
	probe       func(ctx context.Context, hosts []string) error
	clock       func() time.Time // the machine's
	speller     *weburl.Speller
	hash        func([]byte) uint64
	source      storage.Source
	sourceKnown bool
	progress    atomic.Pointer[Progress]
	live        atomic.Pointer[LiveStatus] // without what is worked out when it is asked for
	hosts       hostsLook
	desk        desk
	beside      atomic.Int32  // what else is at work in the process, see Beside
	overAfter   time.Duration // see memoryWatch
}

// Rules are the rules of canonical spelling for a new crawl file with the given
// settings, which must be valid, as storage.Create takes them.
func Rules(s *Settings) json.RawMessage {
	rules, err := s.Rules()
	if err != nil {
		panic("crawl: rules of spelling: " + err.Error())
	}
	text, err := json.Marshal(rules)
	if err != nil {
		panic("crawl: rules of spelling: " + err.Error())
	}
	return text
}

// CheckCookies tells what is wrong with a cookies.txt.
func CheckCookies(text []byte) error {
	_, err := fetch.NewJar().LoadCookies(bytes.NewReader(text))
	return err
}

// Remembered gives the settings that a crawl file remembers, without reading
// the whole file; ok is false when there are none yet.
func Remembered(file *storage.File) (s Settings, ok bool, err error) {
	err = file.View(func(r *storage.Reader) error {
		state, err := r.State()
		if err != nil || state.Counts.Settings == 0 {
			return err
		}
		edit, err := storage.DecodeEdit(r.Event(state.Counts.Settings))
		if err != nil {
			return err
		}
		ok = true
		if err := json.Unmarshal(edit.Settings, &s); err != nil {
			return fmt.Errorf("%w: settings: %w", storage.ErrDamaged, err)
		}
		return nil
	})
	return s, ok, err
}

// New loads the crawl in the file, to be run with the given settings. The file
// must be open for writing and stays the caller's to close.
func New(file *storage.File, o Options) (*Crawl, error) {
	if err := o.Settings.Validate(); err != nil {
		return nil, err
	}
	var rules weburl.Rules
	if err := json.Unmarshal(file.Header().Rules, &rules); err != nil {
		return nil, fmt.Errorf("%w: rules of spelling: %w", storage.ErrDamaged, err)
	}
	speller, err := weburl.New(rules)
	if err != nil {
		return nil, fmt.Errorf("%w: rules of spelling: %w", storage.ErrTooNew, err)
	}
	c := &Crawl{
		file: file, settings: &o.Settings, input: o.Input, log: o.Log, transport: o.Transport, speller: speller,
		outputs: o.Outputs, links: o.Links, archive: o.Archive, archiveKey: o.ArchiveKey, folders: o.Folders, probe: o.Probe, clock: time.Now,
		overAfter: overAfter,
	}
	if c.probe == nil && c.transport == nil {
		c.probe = fetch.Probe
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if err := c.loadWithin(c.settings.MaxMemory); err != nil {
		return nil, err
	}
	text, err := json.Marshal(c.settings)
	if err != nil {
		return nil, err
	}
	c.changed = string(text) != string(c.frontier.Settings())
	c.source, c.sourceKnown = c.frontier.Source(c.settings.SeedsFile)
	c.progress.Store(&Progress{Counts: c.frontier.Counts()})
	c.desk, c.hosts = newDesk(), newHostsLook()
	return c, nil
}

// load brings the frontier to where the log ends.
func (c *Crawl) load() error {
	f, damage, err := frontier.Restore(c.file, c.settings.frontierOptions())
	if err != nil {
		return err
	}
	var last uint64
	if err := c.file.View(func(r *storage.Reader) error { last = r.Last(); return nil }); err != nil {
		return err
	}
	switch behind := last - f.Seq(); {
	case damage != nil:
		c.log.Warn("the checkpoint cannot be used; it is made anew from the log", "events", behind, "error", damage)
	case behind > worthTelling && f.Seq() == 0:
		c.log.Warn("there is no checkpoint; it is made from the log", "events", behind)
	}
	c.frontier, c.hash = f, f.Hasher()
	return f.CatchUp(c.file)
}

// Counts are the totals that the crawl starts from. Not to be called while Run
// runs; see Progress.
func (c *Crawl) Counts() storage.Counts { return c.frontier.Counts() }

// RootHosts are the hosts of the seeds so far. Not to be called while Run
// runs.
func (c *Crawl) RootHosts() []string { return slices.Clone(c.frontier.RootHosts()) }

// Knows tells whether an address is a job of the crawl. Not to be called while
// Run runs.
func (c *Crawl) Knows(u weburl.URL) bool {
	_, isAdmitted := c.frontier.Knows(c.frontier.Fingerprint(string(u)))
	return isAdmitted
}

// Speller spells addresses by the rules of this crawl.
func (c *Crawl) Speller() *weburl.Speller { return c.speller }

// End says why a run ended.
type End string

const (
	// Finished: nothing is pending.
	Finished End = "finished"
	// Stopped: the context was cancelled.
	Stopped End = "stopped"
	// MaxPages and the others: a limit that the user set was reached.
	MaxPages        End = "max-pages"
	MaxPagesPerHost End = "max-pages-per-host"
	MaxDuration     End = "max-duration"
	MaxBytes        End = "max-bytes"
	// NoProxy: the proxy did not serve for too long.
	NoProxy End = "no-proxy"
	// NoSpace: too little is free on a disk that is written. All is committed.
	NoSpace End = "no-space"
	// NoMemory: the crawl cannot go on within the memory it may take. All is
	// committed.
	NoMemory End = "no-memory"
)

// Summary is what a run came to.
type Summary struct {
	End      End
	Why      string       // with NoProxy, NoSpace and NoMemory: what is the matter
	Memory   *MemoryError // with NoMemory: the same
	Counts   storage.Counts
	Before   storage.Counts // when the run began
	Unclean  bool           // the run before did not end cleanly
	Seeds    int            // seeds read, good ones
	BadSeeds int
	NewSeeds int // that became jobs
	SeedsErr error
	// Behind: the crawl was stopped, and an output was not written to its end: the
	// next run goes on with it. The call of its Write that takes so long may go on
	// after Run has returned; no other follows.
	Behind bool
	Unread bool // the Input.Stdin of this run, or of one before, was not read to its end
	Took   time.Duration
}

// Progress is a look at a running crawl.
type Progress struct {
	Time      time.Time
	Counts    storage.Counts // appended so far, a little ahead of the file
	InFlight  int
	Hosts     int    // hosts that wait until they may be asked again
	Stopping  bool   // nothing more is handed out
	Seeding   bool   // seeds are still being read
	Paused    bool   // nothing is handed out until the user says so
	Hold      *Hold  // why nothing is handed out for a while; nil: nothing keeps it from that
	Committed uint64 // the last event on disk
}

// Progress is the newest look at the crawl. It may be called concurrently.
func (c *Crawl) Progress() Progress { return *c.progress.Load() }

const (
	// commitEvents is how many events make a commit due at once.
	commitEvents = 256
	// A smaller batch waits this long for company: little while workers are
	// idle, for the links it brings may be what they wait for.
	lingerIdle = 5 * time.Millisecond
	lingerBusy = 50 * time.Millisecond
	// grace is how long a stop waits for what is in flight.
	grace = 10 * time.Second
	// brokenPipe is how soon before a stop an end of stdin may be due to the same
	// Ctrl-C.
	brokenPipe = 500 * time.Millisecond
	// look is how often Progress is renewed.
	look = 200 * time.Millisecond
	// From here on it is said what a host asks for.
	longWait  = 10 * time.Second
	longDelay = 2 * time.Second
	// What came of pages stays in memory until it is committed: from so many bytes
	// on a commit is due at once, and from more nothing is handed out.
	commitWeight = 4 << 20
	mostWeight   = 16 << 20
	// worthTelling is from how many events on it takes a while to read them.
	worthTelling = 500_000
	// maxLarge is how many sitemaps are in memory at a time.
	maxLarge = 2
	// trapsKept is how often what is counted of traps is kept in the file.
	trapsKept = 5 * time.Minute
	// isThere is how often it is looked whether the crawl file is still where it was.
	isThere = 5 * time.Second
	// reviewSlice is how many events, or links in them, a review of skipped links
	// takes at once.
	reviewSlice = 2000
)

// loop is a run of a Crawl: the goroutine that owns the frontier, and what it
// needs for that.
type loop struct {
	*Crawl
	scope  *scope
	treat  *treatments
	terms  *terms // of tasks to come
	outs   *outputs
	packer *storage.Packer
	jar    *fetch.Jar
	traps  traps
	proxy  proxyTrouble
	outage outage
	memory memoryWatch
	space  *space
	hours  Hours
	// closedSince is since when it is none of the hours.
	closedSince time.Time
	memoryTold  time.Time // when it was last told that memory is short
	// memoryCleared is when what can be made again was last given up for it.
	memoryCleared time.Time
	rate          *fetch.Rate
	rules         ruleCache

	sitemapFiles map[string]int  // asked for in this run, by host
	began        time.Time       // when the run began, by the clock that only goes forward
	start        time.Time       // the same by the machine's clock
	ctx          context.Context // of the fetches; cancelled to abort them

	workers sync.WaitGroup
	hired   int // workers so far
	parsers *sync.Pool
	large   chan struct{}
	tasks   chan *task
	results chan *result
	sent    chan sending
	commits chan commitment
	done    chan committed // a commit is through

	shares     []*fetch.Share      // by what the next commit writes
	exchanges  []Exchange          // to be archived with the next commit
	exchanged  int                 // bytes in them
	positions  []storage.SideValue // of the outputs, to be kept
	committing bool
	onDisk     uint64    // the last event that is committed
	sealed     uint64    // the last event of the commit under way
	oldest     time.Time // of the events not sealed; zero: there are none
	busy       int       // tasks at workers
	rowsOut    int       // jobs handed out, not settled, that may become rows
	careful    []*task   // to be started when a commit has marked them
	marked     []*task   // marked by the commit that is under way
	alone      *task     // to be run when nothing else is
	aloneOut   bool
	aloneSince time.Time        // when it was handed out
	trapsKept  time.Time        // when what is counted of traps was last kept
	wholeAt    time.Time        // when stdin was read to its end
	deadline   <-chan time.Time // of this run; nil: there is none
	stopping   bool
	paused     bool  // nothing is handed out until the user says so
	held       *Hold // why nothing is handed out for a while; nil: nothing keeps it from that
	toStop     bool  // the user wants the run to stop
	resting    bool  // nothing is to be fetched: only what is asked is answered
	feeding    bool  // seeds are still being read
	gauge      gauge
	counter    counter
	sweep      sweep
	isLast     bool  // the commit to come is the last, and not because the crawl was stopped
	sinkErr    error // of writing what was left at the end
	end        End
	summary    Summary
}

// Run crawls until nothing is pending, a limit is reached or ctx is cancelled.
// Then it waits a few seconds for what is in flight and commits. An error
// means that the crawl file could not be read or written; what was committed
// before is in the file.
func (c *Crawl) Run(ctx context.Context) (Summary, error) {
	defer c.desk.close()
	l, err := c.newLoop()
	if err != nil {
		return Summary{}, err
	}
	if l.jar, err = c.jar(); err != nil {
		return Summary{}, err
	}
	if l.terms, err = l.newTerms(c.settings); err != nil {
		return Summary{}, err
	}
	defer func() { l.terms.fetcher.Close() }()
	if l.packer, err = storage.NewPacker(); err != nil {
		return Summary{}, err
	}
	if err := l.traps.restore(c.file); err != nil {
		return Summary{}, err
	}
	var abort context.CancelFunc
	l.ctx, abort = context.WithCancel(context.WithoutCancel(ctx))
	stopProbing := l.outage.start(l.ctx)
	l.hire(c.settings.Workers)
	committer := l.startCommitter()
	if l.outs, err = startOutputs(c.outputs); err == nil {
		err = l.run(ctx, abort)
	}
	if err != nil {
		l.summary.Behind = !l.outs.end(ctx, true) // the first trouble is told
	}
	// After an error results may still come; nobody needs them.
	abort()
	stopProbing()
	close(l.tasks)
	gone := make(chan struct{})
	go func() { l.workers.Wait(); close(gone) }()
	for waiting := true; waiting; {
		select {
		case <-l.results:
		case <-gone:
			waiting = false
		}
	}
	close(l.commits)
	<-committer
	l.summary.Took = time.Since(l.began)
	l.summary.Counts = c.frontier.Counts()
	return l.summary, err
}

// newLoop makes what is needed to run the crawl, or to edit it at rest.
func (c *Crawl) newLoop() (*loop, error) {
	treat, err := newTreatments(c.settings)
	if err != nil {
		return nil, err
	}
	scope, err := newScope(c.settings, c.frontier, treat)
	if err != nil {
		return nil, err
	}
	l := &loop{
		Crawl: c, scope: scope, treat: treat, began: time.Now(), trapsKept: time.Now(),
		sitemapFiles: map[string]int{},
		traps:        newTraps(c.frontier, &scope.parking),
		rules:        ruleCache{token: fetch.ProductToken(c.settings.UserAgent), kept: map[uint64]*rules{}},
		parsers:      new(sync.Pool), large: make(chan struct{}, maxLarge),
		commits: make(chan commitment, 1), done: make(chan committed, 1),
		sweep: sweep{unwanted: map[storage.JobID]bool{}},
	}
	// More workers than there are places may be hired later: who is idle then takes
	// what waits.
	n := c.settings.Workers
	l.tasks, l.results, l.sent = make(chan *task, n), make(chan *result, n), make(chan sending, n)
	l.start = c.clock().Round(0)
	l.rate = fetch.NewRate(c.settings.MaxRate)
	l.outage.probe = c.probe
	if l.hours, err = ParseHours(c.settings.Hours); err != nil {
		return nil, err
	}
	return l, l.resumed()
}

// terms are what tasks are done by. They never change: others take their place.
type terms struct {
	settings *Settings
	fetcher  *fetch.Fetcher
}

func (l *loop) newTerms(s *Settings) (*terms, error) {
	o, err := s.fetchOptions()
	if err != nil {
		return nil, err
	}
	o.Transport, o.Jar, o.Rate, o.Budget = l.transport, l.jar, l.rate, &l.memory.budget
	fetcher, err := fetch.New(o)
	if err != nil {
		return nil, err
	}
	return &terms{settings: s, fetcher: fetcher}, nil
}

// hire starts workers until there are n. Those that are too many stay, idle.
func (l *loop) hire(n int) {
	for ; l.hired < n; l.hired++ {
		w := &worker{
			number: l.hired + 1, speller: l.speller, hash: l.hash, token: fetch.ProductToken(l.settings.UserAgent),
			log: l.log.With("worker", l.hired+1), sent: l.sent, large: l.large, parsers: l.parsers,
			packer: l.packer.Another(), archives: l.archive != nil, links: l.Crawl.links,
		}
		l.workers.Go(func() { w.run(l.ctx, l.tasks, l.results) })
	}
}

// startCommitter starts the goroutine that writes commits, until there are no more.
func (l *loop) startCommitter() (gone <-chan struct{}) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		for m := range l.commits {
			began := time.Now()
			err := l.Crawl.commit(m)
			for _, h := range m.shares {
				h.Release()
			}
			l.done <- committed{err, time.Since(began)}
		}
	}()
	return over
}

// committed is the news that a commit is through.
type committed struct {
	err  error
	took time.Duration
}

// commitment is what a commit is made of.
type commitment struct {
	batch     *storage.Batch
	shares    []*fetch.Share // of memory, until it is through
	exchanges []Exchange
	isLast    bool // nothing is pending any more
}

// commit archives exchanges and then commits their visits together with how far
// the archive has come.
func (c *Crawl) commit(m commitment) error {
	if c.archive == nil {
		return c.file.Commit(m.batch)
	}
	if len(m.exchanges) > 0 {
		if err := c.archive.Add(m.exchanges); err != nil {
			return &SinkError{c.archiveKey, err}
		}
	}
	if m.isLast {
		if err := c.archive.Finish(); err != nil {
			return &SinkError{c.archiveKey, err}
		}
	}
	position := storage.SideValue{Side: storage.SidePositions, Key: c.archiveKey, Value: c.archive.Position()}
	m.batch.Side = append(m.batch.Side, position)
	return c.file.Commit(m.batch)
}

// now is the time by a clock that does not jump when the machine's is set.
func (l *loop) now() time.Time { return l.start.Add(time.Since(l.began)) }

// at is a time that a worker took, by the same clock.
func (l *loop) at(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return l.start.Add(t.Sub(l.began))
}

// followClock sets the crawl's clock by the machine's when the two part: a
// machine that slept has not counted the time, and a user may set its clock.
func (l *loop) followClock() error {
	by := l.clock().Round(0).Sub(l.now())
	if by.Abs() < time.Second {
		return nil
	}
	l.log.Info("the machine slept or its clock was set", "by", by.Round(time.Second))
	l.start = l.start.Add(by)
	if !l.oldest.IsZero() {
		l.oldest = l.oldest.Add(by)
	}
	l.touch()
	if by > 0 && !l.resting {
		if err := l.stoodStill(); err != nil {
			return err
		}
	}
	return l.frontier.ClockMoved(by, l.now())
}

func (l *loop) run(ctx context.Context, abort context.CancelFunc) error {
	l.onDisk = l.frontier.Seq()
	l.summary.Before = l.frontier.Counts()
	var err error
	l.summary.Unclean, err = l.frontier.Start(l.now(), os.Getpid(), l.settings.Workers+commitEvents)
	if err != nil {
		return err
	}
	if l.changed {
		if err := l.remember(); err != nil {
			return err
		}
	}
	if err := l.seedArgs(); err != nil {
		return err
	}
	if l.input.Stdin != nil {
		// Only the user has them. Should this run end before all are read, later
		// ones have to say so.
		l.frontier.SetUnread(true)
	}
	l.gauge.tick(l)
	// The file must say that a run is under way before the first request goes
	// out: should that kill the process, the next run has to know.
	l.seal()
	if err := l.committed(<-l.done); err != nil {
		return err
	}
	l.publish()
	feedCtx, stopFeed := context.WithCancel(ctx)
	defer stopFeed()
	seeds, seedsDone := make(chan seedBatch), make(chan seedStats, 1)
	go l.feed(feedCtx, l.settings.SeedsFile, seeds, seedsDone)
	l.feeding = true
	defer func() {
		stopFeed()
		if l.feeding && l.input.Stdin == nil {
			<-seedsDone // a read from a terminal or pipe cannot be broken off
		}
	}()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	ticked := time.Now()
	thereAt := ticked
	var graceOver <-chan time.Time
	l.setDeadline()
	l.memory.setLimit(l.settings.MaxMemory)
	defer l.memory.stop()
	l.space = watchSpace(append([]string{l.file.Path()}, l.folders...), l.settings.MinFree)
	defer l.space.stop()
	cancelled := ctx.Done()
	var sinkErr error
	stop := func(end End, why string) {
		if l.stopping {
			return
		}
		l.stopping, l.end, l.summary.Why = true, end, why
		cancelled, l.deadline = nil, nil
		if end == Stopped && !l.wholeAt.IsZero() && time.Since(l.wholeAt) < brokenPipe {
			// Ctrl-C may have ended whoever wrote the seeds a moment earlier.
			l.frontier.SetUnread(true)
			l.touch()
		}
		stopFeed()
		graceOver = time.After(grace)
		l.publish()
	}
	if ctx.Err() != nil {
		stop(Stopped, "") // before anything is handed out
	}
	select {
	case why := <-l.space.low: // from the start
		stop(NoSpace, why)
	default:
	}
	if err := checkMemory(l.frontier.Counts(), l.settings.MaxMemory); err != nil {
		stop(NoMemory, err.Error())
	}
	for {
		if l.proxy.isOver(l.now()) {
			stop(NoProxy, l.proxy.why)
		}
		if err := l.advance(); err != nil {
			return err
		}
		if over, err := l.over(); err != nil || over {
			if err != nil {
				return err
			}
			break
		}
		wake := l.sleep()
		timer.Reset(wake)
		input := seeds
		if l.stopping || l.frontier.Waiting() >= commitEvents || l.memory.isTight() {
			input = nil
		}
		select {
		case r := <-l.results:
			if err := l.receive(r); err != nil {
				return err
			}
			if err := l.drain(); err != nil {
				return err
			}
		case s := <-l.sent:
			l.frontier.Sent(s.job, l.at(s.at))
		case done := <-l.done:
			if err := l.committed(done); err != nil {
				return err
			}
		case gone := <-l.outage.probed:
			if err := l.networkProbed(gone); err != nil {
				return err
			}
		case a := <-l.asked():
			l.answer(a)
			if l.toStop {
				stop(Stopped, "")
			}
		case err := <-l.outs.failed:
			sinkErr = err
			stop(Stopped, "")
		case b := <-input:
			if err := l.seed(b); err != nil {
				return err
			}
		case st := <-seedsDone:
			l.feeding = false
			l.summary.Seeds += st.good
			l.summary.BadSeeds += st.bad
			l.summary.SeedsErr = st.err
			if st.err != nil {
				l.log.Error("the seeds cannot be read to their end", "error", st.err)
			}
			if l.input.Stdin != nil && st.isWhole && !l.stopping {
				l.frontier.SetUnread(false)
				l.wholeAt = time.Now()
				l.touch()
			}
		case <-ticker.C:
			late := time.Since(ticked) > standstill
			ticked = time.Now()
			if late {
				l.log.Info("the process stood still")
				if err := l.stoodStill(); err != nil {
					return err
				}
			}
			if err := l.followClock(); err != nil {
				return err
			}
			if time.Since(thereAt) >= isThere {
				if thereAt = time.Now(); l.file.IsReplaced() {
					return storage.ErrGone // what is written from now on nobody would find
				}
			}
			l.lookAtMemory()
			if e := l.memory.over; e != nil {
				l.summary.Memory = e
				stop(NoMemory, e.Error())
			}
			l.publish()
			l.gauge.tick(l)
		case why := <-l.space.low:
			stop(NoSpace, why)
		case <-timer.C:
		case <-l.deadline:
			stop(MaxDuration, "")
		case <-cancelled:
			stop(Stopped, "")
		case <-graceOver:
			abort()
		}
	}
	if l.nothingLeft() {
		l.end = Finished // also when it was being stopped
	}
	l.summary.End, l.summary.Unread = l.end, l.frontier.Unread()
	if err := l.finish(ctx); err != nil {
		return err
	}
	return errors.Join(sinkErr, l.sinkErr)
}

// sleep is how long the loop may wait for news before there is something to do
// by itself.
func (l *loop) sleep() time.Duration {
	d := time.Hour
	now := l.now()
	if !l.oldest.IsZero() && !l.committing {
		d = min(d, l.oldest.Add(l.linger()).Sub(now))
	}
	switch at, ok := l.frontier.Wake(); {
	case l.held != nil && !l.mayTry():
		if u := l.held.Until; u.After(now) {
			d = min(d, u.Sub(now))
		}
	case ok && l.room():
		d = min(d, at.Sub(now))
	}
	if in, ok := l.networkWake(); ok {
		d = min(d, in)
	}
	if l.alone != nil && !l.aloneOut && l.busy > 0 {
		d = min(d, l.aloneSince.Add(l.alone.job.Within).Sub(now))
	}
	if at, ok := l.sweep.wake(l); ok {
		d = min(d, at.Sub(now))
	}
	if l.counter.until.After(now) {
		d = min(d, l.counter.until.Sub(now))
	}
	return max(d, 0)
}

func (l *loop) linger() time.Duration {
	if l.busy < l.settings.Workers {
		return lingerIdle
	}
	return lingerBusy
}

// advance does all that can be done without waiting: commit, review, hand out.
func (l *loop) advance() error {
	if err := l.watchNetwork(); err != nil {
		return err
	}
	was := l.held
	l.held = l.hold()
	l.tellHold(was)
	if err := l.carryOut(); err != nil {
		return err
	}
	if err := l.review(); err != nil {
		return err
	}
	l.waitForNone()
	if err := l.handOut(); err != nil {
		return err
	}
	return l.commit()
}

// waitForNone has the job that is to run alone wait no longer for those that are out
// than its time is: a host that hangs may keep one of them for long.
func (l *loop) waitForNone() {
	t := l.alone
	if t == nil || l.aloneOut || l.busy == 0 && len(l.outage.doubts) == 0 || l.now().Sub(l.aloneSince) < t.job.Within {
		return
	}
	l.frontier.Release(&t.job, time.Time{})
	l.forget(t)
	l.frontier.PutBack(&t.job, l.now())
}

// mayHandOut tells whether jobs may be handed out at all.
func (l *loop) mayHandOut() bool {
	if l.stopping || l.paused || l.resting || l.alone != nil || l.held != nil && !l.mayTry() {
		return false
	}
	c := l.frontier.Counts()
	if n := l.settings.MaxPages; n > 0 && int(c.Rows())+l.rowsOut >= n {
		return false
	}
	if n := l.settings.MaxBytes; n > 0 && int64(c.Transferred) >= n {
		return false
	}
	return true
}

// weight is what waits in memory to be committed, in bytes.
func (l *loop) weight() int { return l.frontier.Weight() + l.exchanged }

// out notes that jobs that may become rows are handed out, or have come back.
func (l *loop) out(t *task, by int) {
	if !t.job.Robots && t.treat.store != StoreNothing {
		l.rowsOut += by
	}
}

// room tells whether another job may be handed out now, if there is one.
func (l *loop) room() bool {
	return l.busy+len(l.careful)+len(l.marked) < l.memory.most(l.settings.Workers) && l.frontier.Waiting() < 2*commitEvents && l.weight() < l.memory.mostWeight() &&
		len(l.outage.doubts) < mostDoubts && l.outage.weight < mostWeight && l.mayHandOut()
}

// handOut gives jobs to idle workers.
func (l *loop) handOut() error {
	if !l.room() {
		return nil
	}
	now := l.now()
	if at, ok := l.frontier.Wake(); !ok || at.After(now) {
		return nil
	}
	return l.file.View(func(r *storage.Reader) error {
		for l.room() {
			job, ok, err := l.frontier.Next(now, r)
			if err != nil || !ok {
				return err
			}
			if err := l.dispatch(job, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// dispatch brings a job on its way.
func (l *loop) dispatch(job frontier.Job, r *storage.Reader) error {
	t := &task{job: job, terms: l.terms, trusted: l.frontier.IsSeedHost(job.Asked), tell: l.frontier.MayTell(weburl.URL(job.URL))}
	j := &t.job
	if !j.Robots {
		t.treat = l.treat.of(j.URL)
	}
	l.out(t, 1)
	if j.Condemned || j.GaveUp != storage.NoClass {
		return l.conclude(l.withoutAsking(t, r))
	}
	if !j.Robots {
		// The settings may be others than when it was admitted.
		reason := l.scope.judge(finding{
			url: weburl.URL(j.URL), on: j.FoundOn, origin: j.Found.Origin, kind: page.Kind(j.Kind), listed: j.Listed, noFollow: j.NoFollow,
			treat: t.treat,
		})
		if reason != storage.NoReason {
			l.frontier.Release(j, time.Time{})
			l.out(t, -1)
			l.touch()
			return l.frontier.Withdraw(j, reason, l.now())
		}
		var err error
		if t.rules, err = l.rules.get(j.Rules, r); err != nil {
			return err
		}
		if t.treat.delay > 0 {
			l.frontier.Delay(j, t.treat.delay)
		}
	}
	if l.held != nil {
		l.outage.tries--
		l.outage.trying[t] = true
	}
	switch {
	case j.Alone:
		l.alone, l.aloneSince = t, l.now()
	case j.Careful:
		l.careful = append(l.careful, t)
	default:
		l.send(t)
	}
	return nil
}

func (l *loop) send(t *task) {
	l.busy++
	l.tasks <- t // there are no more tasks than places in the channel
}

// withoutAsking is the result of a job that no request is made for.
func (l *loop) withoutAsking(t *task, r *storage.Reader) *result {
	j := &t.job
	at := storage.Ask{Time: l.now().UnixMilli()}
	class, why := j.GaveUp, ""
	if event := r.Event(j.GaveUpBy); event != nil {
		// Not there yet when it is about to be committed.
		if e, err := storage.DecodeHost(event); err == nil {
			why = e.Error
		}
	}
	switch {
	case j.Condemned:
		class, why = storage.Crashed, "the process died again and again while this was being fetched"
	case class == storage.Robots && why != "":
		why = "robots.txt could not be had: " + why
	case why == "":
		why = "the host was given up"
	}
	res := &result{task: t}
	if j.Robots {
		res.robots = &storage.Host{Ask: at, State: storage.RobotsGivenUp, Class: class, Error: why}
		return res
	}
	res.visit = &storage.Visit{Ask: at, Outcome: storage.Failed, Class: class, Record: storage.Record{Error: why}}
	return res
}

// receive takes a result from a worker.
func (l *loop) receive(r *result) error {
	l.busy--
	if r.task == l.alone {
		l.alone, l.aloneOut = nil, false
	}
	return l.settle(r)
}

// drain takes what else has come, so that it goes into the same commit.
func (l *loop) drain() error {
	for l.frontier.Waiting() < commitEvents {
		select {
		case r := <-l.results:
			if err := l.receive(r); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// settle takes in what came of a job.
func (l *loop) settle(r *result) error {
	if isKept, err := l.keepDoubtful(r); isKept || err != nil {
		return err
	}
	return l.conclude(r)
}

// release lets the host of a job be asked again.
func (l *loop) release(r *result) {
	j := &r.task.job
	l.frontier.Release(j, l.frontier.Arrival(j, l.at(r.sent), r.answered))
	l.out(r.task, -1)
	if r.share != nil {
		l.shares = append(l.shares, r.share)
		l.touch()
	}
}

// conclude decides what a result means, and appends it.
func (l *loop) conclude(r *result) error {
	l.release(r)
	j := &r.task.job
	if r.retryAfter >= longWait {
		l.log.Info("the host asks to be left alone", "host", j.Asked, "for", r.retryAfter)
	}
	if r.aborted { // it stays pending
		if j.Alone && !l.stopping {
			l.frontier.PutBack(j, l.now())
			l.touch() // the file shall not say any more that it is alone
		}
		if r.sent.IsZero() {
			return nil
		}
		l.touch()
		return l.frontier.Abandon(j, storage.Ask{
			Asked: true, Time: r.sent.UnixMilli(), Took: milliseconds(time.Since(r.sent)),
		})
	}
	l.touch()
	if l.noteProxy(r); r.proxy != "" {
		return l.askAgain(r, storage.Ask{Time: l.now().UnixMilli()}, later(l.proxy.until, l.at(l.outage.until)), r.proxy)
	}
	if r.crowded {
		return l.goOnLater(r)
	}
	if j.Robots {
		return l.settleRobots(r)
	}
	v := r.visit
	if r.large {
		return l.frontier.Retry(j, &storage.Retry{
			Attempt: j.Attempt - 1, Hops: max(j.Hops, 1), Ask: v.Ask, Status: v.Status, Raw: j.Raw,
			Due: v.Time + int64(v.Took) + r.later.Milliseconds(),
		}, r.retryAfter)
	}
	if r.again != "" {
		if int(j.Hops) < l.settings.MaxRedirects {
			return l.frontier.Retry(j, &storage.Retry{
				Attempt: j.Attempt - 1, Hops: j.Hops + 1, Ask: v.Ask, Status: v.Status, Raw: r.again, Due: v.Time,
			}, r.retryAfter)
		}
		v.Outcome, v.Class = storage.Failed, storage.Protocol
		v.Record.Error = fmt.Sprintf("redirects to itself more than %d times", l.settings.MaxRedirects)
	}
	if v.Outcome == storage.Failed && !j.Condemned && j.GaveUp == storage.NoClass {
		wait, again := retryAfter(v.Class, int(v.Status), int(j.Attempt), l.settings.Retries, r.retryAfter)
		if again && !l.sweep.unwanted[j.ID] {
			return l.frontier.Retry(j, &storage.Retry{
				Attempt: j.Attempt, Hops: j.Hops, Ask: v.Ask, Class: v.Class, Status: v.Status, Raw: j.Raw,
				Due: v.Time + int64(v.Took) + wait.Milliseconds(), Error: v.Record.Error,
			}, r.retryAfter)
		}
	}
	if v.Outcome == storage.Failed {
		l.log.Info("failed", "worker", v.Record.Worker, "url", j.URL, "status", v.Status, "class", v.Class.String(), "error", v.Record.Error, "attempts", j.Attempt)
	}
	var first frontier.First
	var err error
	if v.Outcome == storage.Fetched && len(v.ContentHash) > 0 {
		if first, err = l.frontier.FirstWith(l.file, v.ContentHash); err != nil {
			return err
		}
		v.DuplicateOf = first.URL
	}
	l.judge(r)
	if v.Outcome == storage.Fetched {
		if err := l.watch(r, l.now()); err != nil {
			return err
		}
	}
	// Last, for it counts on the visit being the next event.
	if err := l.keep(r, &first); err != nil {
		return err
	}
	if err := l.frontier.Finish(j, v, r.links, r.retryAfter); err != nil {
		return err
	}
	delete(l.sweep.unwanted, j.ID)
	l.gauge.visited(j.Host, v)
	return nil
}

// admit fills in why a link is not admitted, or in which lane it is.
func (l *loop) admit(c *frontier.Candidate, f finding) {
	f.treat = l.treat.of(c.URL)
	c.Reason, c.Lane = l.scope.judge(f), f.treat.lane
	l.countSitemap(c)
}

// keep fills in what is kept of a visit beside its row, and what is archived.
// first had the same content.
func (l *loop) keep(r *result, first *frontier.First) error {
	v := r.visit
	v.Unlisted = r.task.treat.store == StoreNothing
	if r.keptLinks.Value != nil {
		v.Kept = append(v.Kept, r.keptLinks)
	}
	var isStored, isArchived bool
	if first.URL != "" && (r.body != nil || r.exchange != nil) {
		var err error
		if isStored, isArchived, err = l.whereIs(first); err != nil {
			return err
		}
	}
	if r.body != nil {
		kept := r.packed
		if isStored {
			kept = l.packer.Body(&storage.Body{Request: r.body.Request, Response: r.body.Response, First: first.Seq})
		}
		v.Kept = append(v.Kept, kept)
	}
	if e := r.exchange; e != nil {
		v.Record.Archive = l.archiveMark()
		e.Seq = l.frontier.Seq() + 1 // the next event
		if isArchived {
			e.DuplicateOf, e.DuplicateTime = first.URL, time.UnixMilli(first.Time)
		}
		l.exchanges = append(l.exchanges, *e)
		l.exchanged += len(e.Body) + len(e.Request) + len(e.Response)
	}
	return nil
}

// archiveMark tells the archive of this run from others.
func (c *Crawl) archiveMark() uint32 { return max(uint32(xxh3.HashString(c.archiveKey)), 1) }

// whereIs tells whether the body that a visit was the first to have is kept in
// the crawl file, and in the archive: the settings may have been others then.
func (l *loop) whereIs(first *frontier.First) (isStored, isArchived bool, err error) {
	if first.Seq > l.onDisk { // of this run
		all := l.treat.of(first.URL).store == StoreAll
		return all, all, nil
	}
	err = l.file.View(func(r *storage.Reader) error {
		body, err := r.Kept(storage.KeepBody, first.Seq)
		if err != nil {
			return err
		}
		isStored = body != nil
		if l.archive == nil {
			return nil
		}
		v, err := storage.DecodeVisit(r.Event(first.Seq))
		if err == nil {
			isArchived = v.Record.Archive == l.archiveMark()
		}
		return err
	})
	return isStored, isArchived, err
}

// judge fills in the reasons of the result's links that are not known yet, and
// lets the target of a seed's redirect join the scope.
func (l *loop) judge(r *result) {
	o := r.task.job.Found.Origin
	var target weburl.URL // of a seed's redirect
	if r.visit.Outcome == storage.Redirected && o.Seed && !r.task.job.Listed && len(r.links) > 0 {
		target = weburl.URL(r.links[0].URL)
	}
	r.links = l.frontier.Unknown(r.links)
	for i := range r.links {
		c := &r.links[i]
		l.admit(c, finding{
			url: weburl.URL(c.URL), on: r.task.job.URL, origin: o.Child(c.Redirect, c.Listed), kind: page.Kind(c.Kind), listed: c.Listed,
			noFollow: c.NoFollow,
		})
	}
	passes := len(r.links) == 0 || r.links[0].Reason == storage.NoReason
	if target != "" && passes && !l.frontier.IsRoot(target) {
		r.visit.Join = string(target)
		if host := target.Host(); !l.frontier.IsRootHost(host) {
			l.log.Info("a seed redirects here, so this host joins the scope", "host", host, "seed", r.task.job.URL)
		}
	}
}

// settleRobots decides how a robots.txt that could not be had goes on.
func (l *loop) settleRobots(r *result) error {
	j, e := &r.task.job, r.robots
	state, delay, rules := l.frontier.RobotsCopy(j)
	switch e.State {
	case storage.RobotsRetry:
		wait, again := retryAfter(e.Class, int(e.Status), int(j.Attempt), l.settings.Retries, r.retryAfter)
		if e.Class == storage.NoClass && e.Status >= 500 && int(j.Attempt) <= l.settings.Retries && !again {
			// Every 5xx holds the host, not only those that pages are
			// retried for.
			wait, again = max(r.retryAfter, firstBackoff), true
		}
		switch {
		case again:
			e.Attempt, e.Hops = j.Attempt, j.Hops
			if j.Hops > 0 {
				e.Next = j.URL
			}
			e.Due = e.Time + int64(e.Took) + wait.Milliseconds()
		case state != storage.RobotsNone:
			// The last copy goes on to serve (RFC 9309 section 2.3.1.4).
			e.State, e.Same, e.Delay = state, true, delay
			e.Expires = l.now().Add(robotsStale).UnixMilli()
			l.log.Warn("robots.txt cannot be had; its last copy goes on to serve", "host", j.Host, "error", e.Error)
		default:
			e.State = storage.RobotsGivenUp
			l.log.Warn("robots.txt cannot be had; the host is given up", "host", j.Host, "class", e.Class.String(), "error", e.Error)
		}
	case storage.RobotsRules:
		if wait := time.Duration(e.Delay) * time.Millisecond; wait >= longDelay && wait > l.settings.Delay {
			l.log.Info("robots.txt asks for a delay between requests", "host", j.Host, "delay", wait)
		}
		if rules != 0 {
			same, err := l.sameRules(rules, e.Text)
			if err != nil {
				return err
			}
			if same {
				e.Same, e.Text = true, ""
			}
		}
	}
	if e.State == storage.RobotsGivenUp {
		e.Expires = l.now().Add(frontier.GivenUpFor).UnixMilli()
	}
	if err := l.frontier.Robots(j, e, r.retryAfter); err != nil {
		return err
	}
	return l.listSitemaps(r)
}

func (l *loop) sameRules(seq uint64, text string) (same bool, err error) {
	err = l.file.View(func(r *storage.Reader) error {
		event := r.Event(seq)
		if event == nil {
			return nil // not committed yet
		}
		e, err := storage.DecodeHost(event)
		if err != nil {
			return err
		}
		same = e.Text == text
		return nil
	})
	return same, err
}

// seed appends seeds.
func (l *loop) seed(b seedBatch) error {
	for i := range b.links {
		c := &b.links[i]
		treat := l.treat.of(c.URL)
		c.Reason = l.scope.judge(finding{url: weburl.URL(c.URL), origin: storage.Origin{Seed: true}, kind: page.Kind(c.Kind), treat: treat})
		c.Lane = treat.lane
		if _, isAdmitted := l.frontier.Knows(c.FP); isAdmitted && page.Kind(c.Kind).SitemapFile() && l.summary.Before.Known > 0 {
			l.log.Info("this sitemap is a job already; if it was fetched as a page, it is not read again", "url", c.URL)
		}
	}
	n, err := l.frontier.AddSeeds(b.links, b.source, l.now())
	l.summary.NewSeeds += n
	if l.frontier.Waiting() > 0 {
		l.touch()
	}
	return err
}

// remember appends the settings of this run, and has the links judged anew
// that were skipped under others.
func (l *loop) remember() error {
	text, err := json.Marshal(l.settings)
	if err != nil {
		return err
	}
	l.touch()
	remembered := l.frontier.Settings()
	if err := l.frontier.Remember(text, l.now()); err != nil {
		return err
	}
	var before Settings
	if l.frontier.Counts().Known == 0 || json.Unmarshal(remembered, &before) == nil && before.admits(l.settings) {
		return nil
	}
	return l.frontier.OpenReview(l.now())
}

// review judges skipped links anew, a slice at a time: after a change of
// settings, and once more before the end when the scope grew.
func (l *loop) review() error {
	if !l.mayEdit() || l.committing || l.frontier.Waiting() >= commitEvents || l.sweep.isSweeping() {
		return nil
	}
	done, upto, open := l.frontier.Review()
	if !open {
		if l.resting || l.feeding || !l.scopeGrew() || !l.idle() || l.frontier.Counts().Pending > 0 {
			return nil
		}
		l.touch()
		if err := l.frontier.OpenReview(l.now()); err != nil {
			return err
		}
		done, upto, _ = l.frontier.Review()
	}
	last := min(upto, l.onDisk)
	if last <= done {
		return nil // the rest is not on disk yet
	}
	l.touch()
	restores, err := l.restores()
	if err != nil {
		return err
	}
	reached, links := done, 0
	err = l.file.View(func(r *storage.Reader) error {
		return r.Scan(done+1, func(seq uint64, event []byte) (bool, error) {
			if seq > last {
				return false, nil
			}
			reached = seq
			if storage.KindOf(event) == storage.KindSkip {
				n, err := l.reviewEvent(seq, event, restores)
				if err != nil {
					return false, err
				}
				links += n
			}
			return seq-done < reviewSlice && links < reviewSlice, nil
		})
	})
	if err != nil {
		return err
	}
	return l.frontier.Reviewed(reached, l.now())
}

// scopeGrew tells whether links were refused that may be in scope by now.
func (l *loop) scopeGrew() bool {
	s := l.settings.Scope
	return s != ScopeAny && l.frontier.ScopeGrew(s == ScopePrefix)
}

// restores are the wishes that what was dropped comes back, of the review under way.
func (l *loop) restores() (list []restore, err error) {
	for _, u := range l.frontier.Restores() {
		w, err := newWish(storage.Predicate{Host: u.Host, Match: u.Match})
		if err != nil {
			return nil, err
		}
		list = append(list, restore{u.Seq, w})
	}
	return list, nil
}

// restore is a wish of the event seq.
type restore struct {
	seq  uint64
	wish wish
}

// takesBack tells whether it brings back an address that was dropped by an event.
func (r *restore) takesBack(dropped uint64, u weburl.URL) bool {
	return r.seq > dropped && r.wish.onHost(u.Host()) && r.wish.matches(string(u))
}

// reviewEvent judges the links of a skip event anew, and tells how many there
// are.
func (l *loop) reviewEvent(seq uint64, event []byte, restores []restore) (n int, err error) {
	head, err := storage.DecodeLinksHead(event)
	if err != nil {
		return 0, err
	}
	var passed []frontier.Candidate
	for ; head.Links.Next(); n++ {
		k := &head.Links.Link
		fp := l.hash(k.URL)
		if _, isAdmitted := l.frontier.Knows(fp); isAdmitted {
			continue
		}
		u := weburl.URL(k.URL)
		isRestored := head.Dropped && slices.ContainsFunc(restores, func(r restore) bool { return r.takesBack(seq, u) })
		if head.Dropped && !isRestored {
			continue
		}
		c := frontier.Candidate{
			Link: storage.Link{
				URL: string(u), Kind: k.Kind, Redirect: k.Redirect, Listed: k.Listed, NoFollow: k.NoFollow,
			},
			FP: fp, Restored: isRestored,
		}
		l.admit(&c, finding{
			url: u, on: head.FoundOn, origin: k.Origin, kind: page.Kind(k.Kind), listed: k.Listed, noFollow: k.NoFollow,
		})
		if c.Reason == storage.NoReason {
			c.Anchor = string(k.Anchor)
			passed = append(passed, c)
			if k.Reason == storage.Parked {
				l.sweep.restored(c.URL)
			}
		}
	}
	if err := head.Links.Err(); err != nil || len(passed) == 0 {
		return n, err
	}
	_, err = l.frontier.Readmit(&head, passed, l.now())
	return n, err
}

// touch notes that there is something to commit.
func (l *loop) touch() {
	if l.oldest.IsZero() {
		l.oldest = l.now()
	}
}

// idle tells whether no job is out.
func (l *loop) idle() bool {
	return l.busy == 0 && len(l.outage.doubts) == 0 && len(l.careful) == 0 && len(l.marked) == 0 && l.alone == nil
}

// commit gives the committer what has gathered, if it is time.
func (l *loop) commit() error {
	if l.committing {
		return nil
	}
	switch {
	case len(l.careful) > 0:
	case l.alone != nil && !l.aloneOut && l.busy == 0 && len(l.outage.doubts) == 0:
		l.frontier.RunsAlone(&l.alone.job)
		l.aloneOut = true
		l.careful = []*task{l.alone}
	case l.oldest.IsZero():
		return nil
	case l.frontier.Waiting() >= commitEvents, l.weight() >= l.memory.commitWeight(), l.idle():
	case l.now().Sub(l.oldest) < l.linger():
		return nil
	}
	l.seal()
	return nil
}

// seal gives the committer what has gathered.
func (l *loop) seal() { l.sealAnd(time.Since(l.trapsKept) >= trapsKept) }

// sealAnd does so, and has what is counted of traps kept as well.
func (l *loop) sealAnd(keepTraps bool) {
	l.marked, l.careful = l.careful, nil
	l.oldest = time.Time{}
	l.committing = true
	l.sealed = l.frontier.Seq()
	b := l.frontier.Seal(l.now())
	for _, c := range l.jar.Changed() {
		b.Side = append(b.Side, storage.SideValue{Side: storage.SideCookies, Key: c.Site, Value: c.Data})
	}
	if keepTraps {
		b.Side = l.traps.changed(b.Side)
		l.trapsKept = time.Now()
	}
	select {
	case l.positions = <-l.outs.synced:
	default:
	}
	b.Side = append(b.Side, l.positions...)
	l.positions = nil
	l.commits <- commitment{b, l.shares, l.exchanges, l.isLast}
	l.shares, l.exchanges, l.exchanged = nil, nil, 0
}

// committed ends a commit: what it brought may be handed out, and the jobs
// that waited for their marks start.
func (l *loop) committed(c committed) error {
	l.committing = false
	if c.err != nil {
		return c.err
	}
	l.onDisk = l.sealed
	l.gauge.committed(l.now(), c.took)
	l.outs.tell(l.onDisk)
	l.frontier.Committed()
	l.tellDurable()
	for _, t := range l.marked {
		if l.stopping {
			l.frontier.Release(&t.job, time.Time{})
			l.forget(t)
			continue
		}
		l.send(t)
	}
	l.marked = nil
	return nil
}

// forget drops a task that was not started; its job stays pending.
func (l *loop) forget(t *task) {
	l.out(t, -1)
	delete(l.outage.trying, t)
	if t == l.alone {
		l.alone, l.aloneOut = nil, false
	}
}

// nothingLeft tells whether nothing is pending and nothing more can come.
func (l *loop) nothingLeft() bool {
	_, _, reviewing := l.frontier.Review()
	return l.frontier.Counts().Pending == 0 && !l.feeding && !reviewing && !l.scopeGrew() && !l.sweep.isOpen()
}

// over tells whether the run has come to its end.
func (l *loop) over() (bool, error) {
	if l.stopping && !l.committing {
		// What waits to be started will not be.
		for _, t := range l.careful {
			l.frontier.Release(&t.job, time.Time{})
			l.forget(t)
		}
		l.careful = nil
		if l.alone != nil && !l.aloneOut {
			l.frontier.Release(&l.alone.job, time.Time{})
			l.forget(l.alone)
		}
	}
	if !l.idle() || l.committing || l.frontier.Waiting() > 0 {
		return false, nil
	}
	if l.stopping {
		return true, nil
	}
	if l.sweep.isOpen() || l.paused {
		return false, nil // also when a limit is reached
	}
	c := l.frontier.Counts()
	_, _, reviewing := l.frontier.Review()
	switch n, bytes := l.settings.MaxPages, l.settings.MaxBytes; {
	case l.nothingLeft():
		l.end = Finished
		return true, nil
	case l.feeding && l.input.Stdin == nil:
		// The rest of the seeds file is read all the same: it is not lost.
		return false, nil
	case n > 0 && int(c.Rows()) >= n:
		l.end = MaxPages
		return true, nil
	case bytes > 0 && int64(c.Transferred) >= bytes:
		l.end = MaxBytes
		return true, nil
	case l.feeding, reviewing, c.Pending == 0:
		return false, nil
	}
	if _, ok := l.frontier.Wake(); ok {
		return false, nil
	}
	if l.settings.MaxPagesPerHost > 0 {
		l.end = MaxPagesPerHost
		return true, nil
	}
	return false, errors.New("crawl: jobs are pending, but no host will ever be ready; please report this")
}

// finish marks the run as cleanly ended, when all that came of it is written.
func (l *loop) finish(ctx context.Context) error {
	l.stopping = true // who asks for changes from now on comes too late
	l.publish()
	if l.frontier.Waiting() > 0 {
		l.seal()
		if err := l.committed(<-l.done); err != nil {
			return err
		}
	}
	l.outs.tell(l.onDisk)
	switch l.end {
	case Stopped, MaxDuration, NoProxy, NoSpace, NoMemory:
	default:
		l.isLast = true
	}
	l.outs.asks, l.outs.answer = l.desk.asks, func(q *question) (stop bool) {
		l.answer(q)
		return l.toStop
	}
	l.summary.Behind = !l.outs.end(ctx, !l.isLast)
	l.positions, l.sinkErr = l.outs.left()
	l.frontier.Stop()
	l.sealAnd(true)
	if err := l.committed(<-l.done); err != nil {
		return err
	}
	l.publish()
	err := l.frontier.Rest(l.file)
	if write := (*storage.WriteError)(nil); errors.As(err, &write) {
		// All is committed; the next start only takes longer.
		l.log.Warn("no checkpoint could be written; the next start reads more of the log", "error", err)
		return nil
	}
	return err
}

func (l *loop) publish() {
	now := l.now()
	l.progress.Store(&Progress{
		Time: now, Counts: l.frontier.Counts(), InFlight: l.busy, Hosts: l.frontier.Asleep(now),
		Stopping: l.stopping, Seeding: l.feeding, Paused: l.paused, Hold: l.held, Committed: l.onDisk,
	})
}
