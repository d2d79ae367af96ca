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
package frontier

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
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
	case o.Delay < 0:
		return errors.New("the delay must not be negative")
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
	// Condemned is set when the job killed the process too often: it is to be
	// finished as crashed.
	Condemned bool
	// Careful jobs must not start before a commit has marked them as out.
	Careful bool
	// Alone jobs must not start before everything else has finished, and
	// RunsAlone has been called and committed.
	Alone bool
	// TellSent asks for a call of Sent as soon as the request has gone out,
	// because the host may be asked again before the answer is there.
	TellSent bool

	asked uint32 // number of the host that is asked
}

// retry is a job that waits for another attempt, or is out for one.
type retry struct {
	place
	attempt uint8
	hops    uint8
	class   storage.Class
	due     int64
	raw     string
	out     bool
}

// Frontier: see the package comment.
type Frontier struct {
	options    Options
	key0, key1 uint64

	// Folded from the log.
	seen      set
	hosts     []*host
	names     map[string]uint32
	retries   map[storage.JobID]*retry
	rootHosts []string // hosts of seeds and of what joined, in order
	roots     map[string]bool
	prefixes  set // fingerprints of seeds' folders
	counts    storage.Counts
	settings  []byte
	sources   map[string]storage.Source
	review    review
	seq       uint64 // the last event

	// Of this run.
	ready    hostHeap
	out      map[storage.JobID]*storage.Mark
	suspects map[storage.JobID]storage.Mark
	careful  int
	batch    *storage.Batch
	spare    *storage.Batch
	staged   []push // jobs of the batch that is being filled
	sealed   []push // jobs of the batch that is being committed
	loading  bool
	run      storage.Run
	leftAt   int64
}

// push is jobs that an event brought and that are not handed out before the
// event is on disk.
type push struct {
	host  uint32
	place place
	count int
}

// review is the judging anew of skipped links after a change of settings or
// scope.
type review struct {
	upto uint64 // last event to look at, 0: none is open
	done uint64 // looked at up to here
}

// Load folds the whole log of a crawl file.
func Load(file *storage.File, o Options) (*Frontier, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	secret := file.Header().Secret
	f := &Frontier{
		options:  o,
		key0:     binary.LittleEndian.Uint64(secret[:8]),
		key1:     binary.LittleEndian.Uint64(secret[8:]),
		names:    map[string]uint32{},
		retries:  map[storage.JobID]*retry{},
		roots:    map[string]bool{},
		sources:  map[string]storage.Source{},
		out:      map[storage.JobID]*storage.Mark{},
		suspects: map[storage.JobID]storage.Mark{},
		loading:  true,
	}
	var last uint64
	var state storage.State
	err := file.View(func(r *storage.Reader) (err error) {
		last = r.Last()
		state, err = r.State()
		return err
	})
	if err != nil {
		return nil, err
	}
	err = file.Walk(1, last, func(seq uint64, event []byte) error {
		if seq != f.seq+1 {
			return fmt.Errorf("%w: event %d follows event %d", storage.ErrDamaged, seq, f.seq)
		}
		return f.fold(seq, event)
	})
	if err != nil {
		return nil, err
	}
	f.loading = false
	f.run = state.Run
	for _, m := range state.Out {
		if state.Run.Running && f.isPending(m.Job) {
			m.Marks++
			f.suspects[m.Job] = m
		}
	}
	f.counts.LeastLeft = state.Counts.LeastLeft
	f.batch = &storage.Batch{First: f.seq + 1}
	f.spare = new(storage.Batch)
	return f, nil
}

// Start begins a run at the given time. After an unclean end no host is asked
// before its gap has passed since then, because a request may have gone out
// that the file does not know of; and the first window jobs, like those that
// were out, are handed out as Careful.
func (f *Frontier) Start(now time.Time, pid, window int) (unclean bool) {
	unclean = f.run.Running
	f.run = storage.Run{Number: f.run.Number + 1, Running: true, PID: pid, Started: now.UnixMilli()}
	if unclean {
		f.careful = window
	}
	at := now.UnixNano()
	for _, h := range f.hosts {
		gap := int64(h.gap(&f.options))
		h.nextAt = 0
		if h.lastSent > 0 {
			h.nextAt = min(h.lastSent, at) + gap
		}
		if unclean {
			h.nextAt = at + gap
		}
		h.hold = min(h.hold, at+int64(maxHold))
		for i := range h.errands {
			h.errands[i].due = min(h.errands[i].due, at+int64(maxHold))
		}
		f.wake(h)
	}
	for _, r := range f.retries {
		r.due = min(r.due, at+int64(maxHold))
	}
	return unclean
}

// Stop marks the run as cleanly ended; the next commit stores it.
func (f *Frontier) Stop() {
	f.run.Running = false
	clear(f.out)
	clear(f.suspects)
}

// Set changes the options from now on.
func (f *Frontier) Set(o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	f.options = o
	for _, h := range f.hosts {
		f.wake(h)
	}
	return nil
}

// Fingerprint is the 64-bit name under which an address is known: SipHash-2-4
// with a secret of the crawl file. It may be called concurrently.
func (f *Frontier) Fingerprint(url string) uint64 {
	return siphash.Hash(f.key0, f.key1, []byte(url))
}

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
	c.Known, c.Hosts, c.Retrying = uint64(f.seen.n), uint64(len(f.hosts)), uint64(len(f.retries))
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
func (f *Frontier) RootHosts() []string { return f.rootHosts }

// IsRootHost tells whether the host is among RootHosts.
func (f *Frontier) IsRootHost(host string) bool { return f.roots[host] }

// UnderRoot tells whether a seed stands in the address's folder or in one
// above it, on the same host.
func (f *Frontier) UnderRoot(u weburl.URL) bool {
	path := u.Path()
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
		if _, ok := f.prefixes.get(f.prefix(u.Host(), path[:i+1])); ok {
			return true
		}
	}
	return false
}

func (f *Frontier) prefix(host, folder string) uint64 {
	return f.Fingerprint(host + folder)
}

// IsRoot tells whether the address would widen no scope as a seed.
func (f *Frontier) IsRoot(u weburl.URL) bool {
	if !f.roots[u.Host()] {
		return false
	}
	path := u.Path()
	_, ok := f.prefixes.get(f.prefix(u.Host(), path[:strings.LastIndexByte(path, '/')+1]))
	return ok
}

func (f *Frontier) addRoot(u weburl.URL) {
	if h := u.Host(); !f.roots[h] {
		h = strings.Clone(h)
		f.roots[h] = true
		f.rootHosts = append(f.rootHosts, h)
	}
	path := u.Path()
	f.prefixes.put(f.prefix(u.Host(), path[:strings.LastIndexByte(path, '/')+1]), admitted)
}

// --- folding ---------------------------------------------------------------

// fold changes the frontier as the event says. It is the only code that
// changes folded state, while loading as well as while crawling.
func (f *Frontier) fold(seq uint64, event []byte) error {
	f.seq = seq
	err := f.foldEvent(seq, event)
	if err != nil && !errors.Is(err, storage.ErrDamaged) {
		err = fmt.Errorf("%w: %w", storage.ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("event %d: %w", seq, err)
	}
	return nil
}

func (f *Frontier) foldEvent(seq uint64, event []byte) error {
	switch storage.KindOf(event) {
	case storage.KindVisit:
		return f.foldVisit(seq, event)
	case storage.KindLinks, storage.KindSeeds:
		return f.foldLinks(seq, event)
	case storage.KindSkip:
		return f.foldSkip(event)
	case storage.KindRetry:
		return f.foldRetry(event)
	case storage.KindHost:
		return f.foldHost(seq, event)
	case storage.KindEdit:
		return f.foldEdit(seq, event)
	}
	return fmt.Errorf("%w: an event of a kind or version that this pawl does not know", storage.ErrDamaged)
}

func (f *Frontier) foldVisit(seq uint64, event []byte) error {
	v, err := storage.DecodeVisitHead(event)
	if err != nil {
		return err
	}
	h, err := f.finish(v.Job)
	if err != nil {
		return err
	}
	h.answered(&v.Ask)
	if v.Asked {
		f.counts.Requests++
	}
	f.counts.Transferred += uint64(v.Transferred)
	f.counts.LastTime = max(f.counts.LastTime, v.Time)
	if int(v.Outcome) >= len(f.counts.Outcomes) || int(v.Class) >= len(f.counts.Classes) {
		return errors.New("an outcome that this pawl does not know")
	}
	f.counts.Outcomes[v.Outcome]++
	switch v.Outcome {
	case storage.Failed:
		f.counts.Classes[v.Class]++
	case storage.Fetched:
		h.fetched++
	}
	if v.Join != "" {
		f.addRoot(weburl.URL(v.Join))
	}
	return f.admit(seq, &v.Links, false)
}

func (f *Frontier) foldLinks(seq uint64, event []byte) error {
	l, err := storage.DecodeLinksHead(event)
	if err != nil {
		return err
	}
	seeds := storage.KindOf(event) == storage.KindSeeds
	if err := f.admit(seq, &l.Links, seeds); err != nil || !seeds {
		return err
	}
	if l.Source != nil {
		f.sources[l.Source.Path] = *l.Source
	}
	known := l.Known()
	for known.Next() {
		f.addRoot(weburl.URL(known.Link.URL))
	}
	return known.Err()
}

// admit pushes the links of an event on their hosts' queues.
func (f *Frontier) admit(seq uint64, links *storage.LinkBlock, seeds bool) error {
	var run push
	var origin []byte // scheme://host of the run
	flush := func() {
		if run.count > 0 {
			f.push(run)
		}
	}
	for i := 0; links.Next(); i++ {
		u := links.Link.URL
		f.seen.put(siphash.Hash(f.key0, f.key1, u), admitted)
		f.counts.Admitted++
		f.counts.Pending++
		if seeds {
			f.addRoot(weburl.URL(u))
		}
		if n := len(origin); n > 0 && len(u) > n && u[n] == '/' && string(u[:n]) == string(origin) {
			run.count++
			continue
		}
		flush()
		url := weburl.URL(u)
		origin = append(origin[:0], url.Origin()...)
		run = push{
			host:  f.intern(url.Host()),
			place: place{seq: seq, index: uint16(i), https: url.Scheme() == "https"},
			count: 1,
		}
	}
	flush()
	return links.Err()
}

func (f *Frontier) push(p push) {
	f.hosts[p.host].left += uint32(p.count)
	if f.loading {
		f.hosts[p.host].queue.push(p.place, p.count)
		return
	}
	f.staged = append(f.staged, p)
}

// intern gives the number of a host, making it known.
func (f *Frontier) intern(name string) uint32 {
	if id, ok := f.names[name]; ok {
		return id
	}
	name = strings.Clone(name)
	id := uint32(len(f.hosts))
	f.names[name] = id
	f.hosts = append(f.hosts, &host{id: id, name: name, heap: -1})
	return id
}

func (f *Frontier) foldSkip(event []byte) error {
	s, err := storage.DecodeLinksHead(event)
	if err != nil {
		return err
	}
	if s.Withdrawn {
		if _, err := f.finish(s.Job); err != nil {
			return err
		}
		f.counts.Withdrawn++
	}
	for s.Links.Next() {
		l := &s.Links.Link
		fp := siphash.Hash(f.key0, f.key1, l.URL)
		st, known := f.seen.get(fp)
		now := refusedAt(l.Depth, l.NoFollow)
		if known && (st != admitted || !s.Withdrawn) {
			now = min(now, st)
		}
		f.seen.put(fp, now)
	}
	return s.Links.Err()
}

func (f *Frontier) foldRetry(event []byte) error {
	r, err := storage.DecodeRetry(event)
	if err != nil {
		return err
	}
	h, err := f.host(r.Job)
	if err != nil {
		return err
	}
	h.answered(&r.Ask)
	if r.Asked {
		f.counts.Requests++
	}
	f.counts.LastTime = max(f.counts.LastTime, r.Time)
	now := retry{
		attempt: r.Attempt, hops: r.Hops, class: r.Class,
		due: r.Due * int64(time.Millisecond), raw: r.Raw,
	}
	if old := f.retries[r.Job]; old != nil {
		now.place = old.place
	} else {
		// From here on it is not in the queue but among the retries.
		now.place, err = h.queue.find(r.Job.Ord)
		if err != nil {
			return err
		}
		if err := h.queue.finish(r.Job.Ord); err != nil {
			return err
		}
	}
	f.retries[r.Job] = &now
	f.scheduleRetry(h, r.Job)
	return nil
}

func (f *Frontier) scheduleRetry(h *host, id storage.JobID) {
	h.retries = slices.DeleteFunc(h.retries, func(x storage.JobID) bool { return x == id })
	due := f.retries[id].due
	i := sort.Search(len(h.retries), func(i int) bool { return f.retries[h.retries[i]].due > due })
	h.retries = slices.Insert(h.retries, i, id)
}

func (f *Frontier) foldHost(seq uint64, event []byte) error {
	e, err := storage.DecodeHost(event)
	if err != nil {
		return err
	}
	u := weburl.URL(e.Origin + "/")
	id := f.intern(u.Host())
	h := f.hosts[id]
	asked := h
	if e.At != "" {
		asked = f.hosts[f.intern(e.At)]
	}
	asked.answered(&e.Ask)
	if e.Asked {
		f.counts.Requests++
	}
	if e.GiveUp != storage.NoClass {
		h.gaveUp = e.GiveUp
	}
	https := u.Scheme() == "https"
	ord := storage.OrdRobotsHTTP
	if https {
		ord = storage.OrdRobotsHTTPS
	}
	job := storage.JobID{Host: id, Ord: ord}
	o := h.origin(https)
	switch e.State {
	case storage.RobotsNone:
		return nil
	case storage.RobotsRules:
		if !e.Same {
			o.copy = seq
		}
		o.delay = e.Delay
	case storage.RobotsAllow:
		o.copy, o.delay = 0, 0
	case storage.RobotsGivenUp:
		o.class = e.Class
	case storage.RobotsRetry, storage.RobotsRedirect:
		o.attempt, o.hops, o.next = e.Attempt, e.Hops, e.Next
		o.due = e.Due * int64(time.Millisecond)
		o.state, o.busy = e.State, true
		at := u
		if e.Next != "" {
			at = weburl.URL(e.Next)
		}
		f.addErrand(f.hosts[f.intern(at.Host())], errand{id: job, url: o.url(u), due: o.due})
		return nil
	default:
		return errors.New("a robots.txt state that this pawl does not know")
	}
	o.state, o.busy, o.attempt, o.hops, o.due, o.next = e.State, false, 0, 0, 0, ""
	o.expires = e.Expires * int64(time.Millisecond)
	return nil
}

// url is where the origin's robots.txt is to be asked for.
func (o *origin) url(root weburl.URL) string {
	if o.next != "" {
		return o.next
	}
	return root.Origin() + "/robots.txt"
}

func (f *Frontier) addErrand(h *host, e errand) {
	h.errands = slices.DeleteFunc(h.errands, func(x errand) bool { return x.id == e.id })
	h.errands = append(h.errands, e)
}

func (f *Frontier) foldEdit(seq uint64, event []byte) error {
	e, err := storage.DecodeEdit(event)
	if err != nil {
		return err
	}
	switch e.Edit {
	case storage.EditSettings:
		f.settings = e.Settings
		f.counts.Settings = seq
	case storage.EditReview:
		f.review = review{upto: e.Upto}
	case storage.EditReviewed:
		f.review.done = e.Upto
		if e.Upto >= f.review.upto {
			f.review = review{}
		}
	default:
		return errors.New("an edit that this pawl does not know")
	}
	return nil
}

func (f *Frontier) host(id storage.JobID) (*host, error) {
	if int64(id.Host) >= int64(len(f.hosts)) {
		return nil, fmt.Errorf("host %d is not known", id.Host)
	}
	return f.hosts[id.Host], nil
}

// finish takes a job out of the queue or out of the retries.
func (f *Frontier) finish(id storage.JobID) (*host, error) {
	h, err := f.host(id)
	if err != nil {
		return nil, err
	}
	if f.retries[id] != nil {
		delete(f.retries, id)
		h.retries = slices.DeleteFunc(h.retries, func(x storage.JobID) bool { return x == id })
	} else if err := h.queue.finish(id.Ord); err != nil {
		return nil, err
	}
	if f.counts.Pending == 0 || h.left == 0 {
		return nil, errors.New("more jobs finished than admitted")
	}
	f.counts.Pending--
	h.left--
	return h, nil
}

func (f *Frontier) isPending(id storage.JobID) bool {
	h, err := f.host(id)
	if err != nil {
		return false
	}
	if id.IsRobots() {
		o := h.origin(id.Ord == storage.OrdRobotsHTTPS)
		return o.state != storage.RobotsRules && o.state != storage.RobotsAllow && o.state != storage.RobotsGivenUp
	}
	return f.retries[id] != nil || id.Ord < h.queue.total && !h.queue.isDone(id.Ord)
}

// --- appending -------------------------------------------------------------

// append puts an event into the batch and folds it. An error means a bug or a
// damaged file: the run must end without a commit.
func (f *Frontier) append(e storage.Event) error {
	seq, event := f.batch.Add(e)
	return f.fold(seq, event)
}

// Candidate is a link as the scope judged it. URL is canonical.
type Candidate struct {
	storage.Link
	FP       uint64
	Reason   storage.Reason // NoReason: it may be admitted
	NoFollow bool
}

// Finish appends the outcome of a job, with the links of its page. Links that
// are new are admitted or recorded as skipped, as their Reason says; a link
// that was known but not admitted is admitted when it passes now. retryAfter
// is what the server asked for. It fills the visit's Job, Attempt, Origin,
// Ask.Hold and Ask.Penalty; the candidates are reordered.
func (f *Frontier) Finish(j *Job, v *storage.Visit, links []Candidate, retryAfter time.Duration) error {
	f.settle(j)
	v.Job, v.URL, v.FoundOn, v.Origin, v.Attempt = j.ID, j.URL, j.FoundOn, j.Origin, j.Attempt
	v.Record.FoundAt, v.Record.Anchor, v.Record.Kind = j.FoundAt, j.Anchor, j.Kind
	giveUp := f.hosts[j.ID.Host].judge(&v.Ask, retryAfter, &f.options)
	fresh, refused := f.sift(links, v.Origin)
	head := min(len(fresh), storage.MaxLinks)
	v.Links = fresh[:head]
	if err := f.append(v); err != nil {
		return err
	}
	at := v.Time + int64(v.Took)
	if err := f.appendLinks(v.URL, at, v.Origin, fresh[head:]); err != nil {
		return err
	}
	if err := f.appendSkips(v.URL, at, v.Origin, refused); err != nil {
		return err
	}
	return f.afterAnswer(j, giveUp, at)
}

// sift parts links into those to admit, sorted by origin so that each origin's
// stand together, and those to record as skipped.
func (f *Frontier) sift(links []Candidate, parent storage.Origin) (fresh []storage.Link, refused []storage.SkipLink) {
	var origins []string
	var groups []int
	for i := range links {
		c := &links[i]
		st, known := f.seen.get(c.FP)
		if known && st == admitted {
			continue
		}
		if c.Reason == storage.NoReason {
			// Twice in one list: the second time it is not new.
			f.seen.put(c.FP, admitted)
			o := weburl.URL(c.URL).Origin()
			g := slices.Index(origins[max(0, len(origins)-8):], o)
			if g < 0 {
				origins = append(origins, o)
				g = len(origins) - 1
			} else {
				g += max(0, len(origins)-8)
			}
			fresh = append(fresh, c.Link)
			groups = append(groups, g)
			continue
		}
		depth := parent.Depth
		if !c.Redirect {
			depth++
		}
		if now := refusedAt(depth, c.NoFollow); !known || now < st {
			f.seen.put(c.FP, now)
			refused = append(refused, storage.SkipLink{Link: c.Link, Reason: c.Reason, NoFollow: c.NoFollow})
		}
	}
	if len(origins) > 1 {
		order := make([]int, len(fresh))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(groups[a], groups[b]) })
		sorted := make([]storage.Link, len(fresh))
		for i, k := range order {
			sorted[i] = fresh[k]
		}
		fresh = sorted
	}
	return fresh, refused
}

func (f *Frontier) appendLinks(foundOn string, at int64, parent storage.Origin, links []storage.Link) error {
	for part := range slices.Chunk(links, storage.MaxLinks) {
		if err := f.append(&storage.Links{FoundOn: foundOn, Time: at, Origin: parent, Links: part}); err != nil {
			return err
		}
	}
	return nil
}

func (f *Frontier) appendSkips(foundOn string, at int64, parent storage.Origin, links []storage.SkipLink) error {
	for part := range slices.Chunk(links, storage.MaxLinks) {
		if err := f.append(&storage.Skip{FoundOn: foundOn, Time: at, Origin: parent, Links: part}); err != nil {
			return err
		}
	}
	return nil
}

// afterAnswer gives a host up when its answer was one too many, and lets it be
// asked again as its answer allows.
func (f *Frontier) afterAnswer(j *Job, giveUp bool, at int64) error {
	h := f.hosts[j.asked]
	if giveUp && h.gaveUp == storage.NoClass {
		err := f.append(&storage.Host{
			Origin: "http://" + h.name, Ask: storage.Ask{Time: at}, GiveUp: storage.Throttled,
			Error: fmt.Sprintf("throttled %d times running", h.throttles),
		})
		if err != nil {
			return err
		}
	}
	f.wake(h)
	f.wake(f.hosts[j.ID.Host])
	return nil
}

// settle ends the job's being out.
func (f *Frontier) settle(j *Job) {
	delete(f.out, j.ID)
	delete(f.suspects, j.ID)
}

// Retry appends that a job is to be asked again. It fills the event's Job,
// Ask.Hold and Ask.Penalty.
func (f *Frontier) Retry(j *Job, r *storage.Retry, retryAfter time.Duration) error {
	f.settle(j)
	r.Job = j.ID
	giveUp := f.hosts[j.ID.Host].judge(&r.Ask, retryAfter, &f.options)
	if err := f.append(r); err != nil {
		return err
	}
	return f.afterAnswer(j, giveUp, r.Time+int64(r.Took))
}

// Robots appends what a robots job found. It fills the event's Origin, At,
// Ask.Hold and Ask.Penalty.
func (f *Frontier) Robots(j *Job, e *storage.Host, retryAfter time.Duration) error {
	f.settle(j)
	scheme := "http://"
	if j.ID.Ord == storage.OrdRobotsHTTPS {
		scheme = "https://"
	}
	e.Origin = scheme + j.Host
	if j.Asked != j.Host {
		e.At = j.Asked
	}
	giveUp := f.hosts[j.asked].judge(&e.Ask, retryAfter, &f.options)
	if err := f.append(e); err != nil {
		return err
	}
	if e.Next != "" {
		// The errand has moved to another host.
		f.wake(f.hosts[f.intern(weburl.URL(e.Next).Host())])
	}
	return f.afterAnswer(j, giveUp, e.Time+int64(e.Took))
}

// RobotsCopy tells what an earlier asking for the robots.txt of the job's
// origin gave, to go on with when it cannot be had now: RobotsRules,
// RobotsAllow, or RobotsNone when there was none. delay is its Crawl-delay in
// milliseconds, rules the seq of its text.
func (f *Frontier) RobotsCopy(j *Job) (state storage.RobotsState, delay uint32, rules uint64) {
	o := f.hosts[j.ID.Host].origin(j.ID.Ord == storage.OrdRobotsHTTPS)
	switch {
	case o.expires == 0:
		return storage.RobotsNone, 0, 0
	case o.copy == 0:
		return storage.RobotsAllow, 0, 0
	}
	return storage.RobotsRules, o.delay, o.copy
}

// AddSeeds appends addresses given by the user. Those that are jobs already
// are ignored but for the scope they open; refused ones are recorded as
// skipped. It returns how many became jobs.
func (f *Frontier) AddSeeds(links []Candidate, source *storage.Source, at time.Time) (added int, err error) {
	seeds := &storage.Seeds{Time: at.UnixMilli(), Source: source}
	var known []storage.Link
	for i := range links {
		c := &links[i]
		st, isKnown := f.seen.get(c.FP)
		if isKnown && st == admitted && c.Reason == storage.NoReason && !f.IsRoot(weburl.URL(c.URL)) {
			known = append(known, c.Link)
		}
	}
	fresh, refused := f.sift(links, storage.Origin{})
	if len(fresh) == 0 && len(known) == 0 && source == nil {
		return 0, f.appendSeedSkips(refused, at)
	}
	for len(fresh) > storage.MaxLinks || len(known) > storage.MaxLinks {
		n, k := min(len(fresh), storage.MaxLinks), min(len(known), storage.MaxLinks)
		if err := f.append(&storage.Seeds{Time: seeds.Time, Links: fresh[:n], Known: known[:k]}); err != nil {
			return added, err
		}
		added += n
		fresh, known = fresh[n:], known[k:]
	}
	// The last event carries how far the source was read, so that it is not
	// stored before all of its links are.
	seeds.Links, seeds.Known = fresh, known
	if err := f.append(seeds); err != nil {
		return added, err
	}
	return added + len(fresh), f.appendSeedSkips(refused, at)
}

func (f *Frontier) appendSeedSkips(refused []storage.SkipLink, at time.Time) error {
	return f.appendSkips("", at.UnixMilli(), storage.Origin{Seed: true}, refused)
}

// Withdraw appends that a job leaves the queue without an outcome, because the
// settings in force refuse it now. It is known, and not admitted, from then
// on.
func (f *Frontier) Withdraw(j *Job, reason storage.Reason, at time.Time) error {
	f.settle(j)
	parent := j.Origin
	link := storage.Link{URL: j.URL, Kind: j.Kind, Anchor: j.Anchor}
	switch {
	case j.Found.Hops > 0:
		link.Redirect = true
		parent.Hops--
	case j.FoundOn != "":
		parent.Depth--
	}
	err := f.append(&storage.Skip{
		FoundOn: j.FoundOn, Time: at.UnixMilli(), Origin: parent, Withdrawn: true, Job: j.ID,
		Links: []storage.SkipLink{{Link: link, Reason: reason}},
	})
	if err != nil {
		return err
	}
	f.wake(f.hosts[j.asked])
	return nil
}

// Remember appends settings, which Settings gives back after any restart.
func (f *Frontier) Remember(settings []byte, at time.Time) error {
	return f.append(&storage.Edit{Edit: storage.EditSettings, Time: at.UnixMilli(), Settings: settings})
}

// OpenReview appends that all links skipped so far are to be judged again. The
// crawl is not over before that is done; see Review.
func (f *Frontier) OpenReview(at time.Time) error {
	return f.append(&storage.Edit{Edit: storage.EditReview, Time: at.UnixMilli(), Upto: f.seq})
}

// Review tells whether skipped links wait to be judged again: those of the
// events after done, up to upto.
func (f *Frontier) Review() (done, upto uint64, open bool) {
	return f.review.done, f.review.upto, f.review.upto > 0
}

// Reviewed appends that a review has come to the event upto.
func (f *Frontier) Reviewed(upto uint64, at time.Time) error {
	return f.append(&storage.Edit{Edit: storage.EditReviewed, Time: at.UnixMilli(), Upto: upto})
}

// Readmit appends links that were skipped once and pass now. head is the head
// of the Skip event that they stand in.
func (f *Frontier) Readmit(head *storage.LinksHead, links []Candidate, at time.Time) (int, error) {
	if head.FoundOn == "" {
		return f.AddSeeds(links, nil, at)
	}
	fresh, _ := f.sift(links, head.Parent)
	return len(fresh), f.appendLinks(head.FoundOn, head.Time, head.Parent, fresh)
}

// --- committing ------------------------------------------------------------

// Waiting is the number of events that are appended and not sealed.
func (f *Frontier) Waiting() int { return f.batch.Len() }

// Seal gives the batch of all events appended since the last Seal, with the
// state after them, to be committed. Only one batch may be sealed at a time:
// call Committed before the next Seal.
func (f *Frontier) Seal(now time.Time) *storage.Batch {
	b := f.batch
	if at := now.UnixNano(); at-f.leftAt > int64(time.Second) {
		f.leftAt = at
		f.counts.LeastLeft = f.leastLeft().Milliseconds()
	}
	b.State = storage.State{Counts: f.Counts(), Run: f.run, Out: f.marks()}
	f.batch, f.spare = f.spare, nil
	f.batch.Reset(f.seq + 1)
	f.sealed, f.staged = f.staged, f.sealed[:0]
	f.spare = b
	return b
}

// marks lists the jobs that are out, and the suspects that are still to come.
func (f *Frontier) marks() []storage.Mark {
	marks := make([]storage.Mark, 0, len(f.out)+len(f.suspects))
	for _, m := range f.out {
		marks = append(marks, *m)
	}
	for id, m := range f.suspects {
		if f.out[id] == nil {
			// It has not run in this run: what the file says of it stays. A
			// death now is not its doing.
			m.Marks--
			marks = append(marks, m)
		}
	}
	slices.SortFunc(marks, func(a, b storage.Mark) int {
		return cmp.Or(cmp.Compare(a.Job.Host, b.Job.Host), cmp.Compare(a.Job.Ord, b.Job.Ord))
	})
	return marks
}

// Committed tells that the sealed batch is on disk: the jobs it brought may be
// handed out from now on.
func (f *Frontier) Committed() {
	for _, p := range f.sealed {
		h := f.hosts[p.host]
		h.queue.push(p.place, p.count)
		f.wake(h)
	}
	f.sealed = f.sealed[:0]
}

// --- handing out -----------------------------------------------------------

const never = int64(1<<63 - 1)

// wake puts the host where it belongs in the heap.
func (f *Frontier) wake(h *host) {
	at := f.when(h)
	switch {
	case at == never && h.heap >= 0:
		heap.Remove(&f.ready, int(h.heap))
	case at == never:
	case h.heap >= 0:
		h.at = at
		heap.Fix(&f.ready, int(h.heap))
	default:
		h.at = at
		heap.Push(&f.ready, h)
	}
}

// when is the earliest time at which the host has something to hand out.
func (f *Frontier) when(h *host) int64 {
	at := never
	gate := max(h.nextAt, h.hold)
	_, queued := h.queue.peek()
	if h.gaveUp != storage.NoClass {
		// Its jobs need no request.
		if queued || len(h.retries) > 0 || len(h.errands) > 0 {
			return 0
		}
		return never
	}
	if int(h.out) >= f.options.PerHost || h.isStarting {
		return never
	}
	for i := range h.errands {
		at = min(at, max(gate, h.errands[i].due))
	}
	if !f.pagesLeft(h) {
		return at
	}
	if len(h.retries) > 0 {
		r := f.retries[h.retries[0]]
		at = min(at, f.originGate(h, r.https, max(gate, r.due)))
	}
	if queued {
		if p, err := h.queue.find(h.queue.next); err == nil {
			at = min(at, f.originGate(h, p.https, gate))
		}
	}
	return at
}

func (f *Frontier) pagesLeft(h *host) bool {
	n := f.options.MaxPagesPerHost
	return n == 0 || int(h.fetched)+int(h.outPages) < n || h.gaveUp != storage.NoClass
}

// originGate is when a job of the origin may be handed out, given when its
// host allows it.
func (f *Frontier) originGate(h *host, https bool, gate int64) int64 {
	if f.options.IgnoreRobots || h.origins == nil {
		return gate
	}
	o := &h.origins[index(https)]
	switch {
	case o.state == storage.RobotsGivenUp:
		return 0
	case o.busy:
		return never // its commit wakes the host
	}
	return gate
}

// Next hands out a job that may start at the given time; ok is false when
// there is none now, see Wake. It writes nothing: the reader is for the text of
// the job's address. Every job that Next gives must be given to Release once,
// and then to Finish, Retry, Robots or Withdraw, unless the run ends first.
func (f *Frontier) Next(now time.Time, r *storage.Reader) (j Job, ok bool, err error) {
	at := now.UnixNano()
	for len(f.ready) > 0 && f.ready[0].at <= at {
		h := f.ready[0]
		ok, err := f.pick(h, at, r, &j)
		if err != nil {
			return Job{}, false, err
		}
		f.wake(h)
		if ok {
			return j, true, nil
		}
	}
	return Job{}, false, nil
}

// pick chooses the host's next job. It gives none when the robots.txt of the
// host must be asked for first and that belongs to a later time.
func (f *Frontier) pick(h *host, at int64, r *storage.Reader, j *Job) (bool, error) {
	gate := max(h.nextAt, h.hold)
	for i := range h.errands {
		if max(gate, h.errands[i].due) <= at || h.gaveUp != storage.NoClass {
			f.handErrand(h, i, at, j)
			return true, nil
		}
	}
	if len(h.retries) > 0 && f.pagesLeft(h) {
		id := h.retries[0]
		t := f.retries[id]
		if f.originGate(h, t.https, max(gate, t.due)) <= at || h.gaveUp != storage.NoClass {
			if f.needsRobots(h, t.https, at) {
				return false, nil
			}
			h.retries = h.retries[1:]
			j.Attempt, j.Hops, j.Raw = t.attempt+1, t.hops, t.raw
			return true, f.hand(h, id, t.place, at, r, j)
		}
	}
	ord, ok := h.queue.peek()
	if !ok || !f.pagesLeft(h) {
		return false, nil
	}
	p, err := h.queue.find(ord)
	if err != nil {
		return false, fmt.Errorf("%w: %w", storage.ErrDamaged, err)
	}
	if f.originGate(h, p.https, gate) > at && h.gaveUp == storage.NoClass {
		return false, nil
	}
	if f.needsRobots(h, p.https, at) {
		return false, nil
	}
	h.queue.next = ord + 1
	j.Attempt = 1
	id := storage.JobID{Host: h.id, Ord: ord}
	return true, f.hand(h, id, p, at, r, j)
}

// needsRobots makes an errand of the origin's robots.txt when it is not known
// or too old.
func (f *Frontier) needsRobots(h *host, https bool, at int64) bool {
	if f.options.IgnoreRobots || h.gaveUp != storage.NoClass {
		return false
	}
	o := h.origin(https)
	switch {
	case o.busy:
		return true
	case o.state == storage.RobotsGivenUp:
		return false
	case o.state != storage.RobotsNone && at < o.expires:
		return false
	}
	o.busy = true
	id := storage.JobID{Host: h.id, Ord: storage.OrdRobotsHTTP}
	scheme := "http://"
	if https {
		id.Ord, scheme = storage.OrdRobotsHTTPS, "https://"
	}
	f.addErrand(h, errand{id: id, url: o.url(weburl.URL(scheme + h.name + "/"))})
	return true
}

func (f *Frontier) handErrand(h *host, i int, at int64, j *Job) {
	e := h.errands[i]
	h.errands = slices.Delete(h.errands, i, i+1)
	owner := f.hosts[e.id.Host]
	o := owner.origin(e.id.Ord == storage.OrdRobotsHTTPS)
	*j = Job{
		ID: e.id, Robots: true, Host: owner.name, Asked: h.name, asked: h.id,
		Attempt: o.attempt + 1, Hops: o.hops, Found: storage.Found{URL: e.url}, GaveUp: h.gaveUp,
	}
	f.handOut(h, at, j)
}

// hand fills the job from the log.
func (f *Frontier) hand(h *host, id storage.JobID, p place, at int64, r *storage.Reader, j *Job) error {
	found, err := storage.DecodeFound(r.Event(p.seq), int(p.index))
	if err != nil {
		return fmt.Errorf("job %d of host %s: %w", id.Ord, h.name, err)
	}
	hops := j.Hops
	*j = Job{
		ID: id, Host: h.name, Asked: h.name, asked: id.Host, Raw: j.Raw, Attempt: j.Attempt,
		Hops: max(found.Hops, hops), Found: found, GaveUp: h.gaveUp,
	}
	if !f.options.IgnoreRobots && j.GaveUp == storage.NoClass {
		o := h.origin(p.https)
		j.Rules = o.copy
		if o.state == storage.RobotsGivenUp {
			j.GaveUp = storage.Robots
		}
	}
	f.handOut(h, at, j)
	return nil
}

// handOut takes the host's slot and marks the job.
func (f *Frontier) handOut(h *host, at int64, j *Job) {
	mark := &storage.Mark{Job: j.ID}
	if m, ok := f.suspects[j.ID]; ok {
		*mark = m
		switch {
		case m.Alone:
			j.Condemned = true
		case m.Marks >= 2:
			j.Alone = true
		}
		j.Careful = true
	}
	if f.careful > 0 {
		f.careful--
		j.Careful = true
	}
	f.out[j.ID] = mark
	h.out++
	if !j.Robots {
		h.outPages++
	}
	if j.GaveUp != storage.NoClass || j.Condemned {
		return
	}
	gap := int64(h.gap(&f.options))
	h.nextAt = at + gap
	if gap > 0 && f.options.PerHost > 1 {
		// The next one may start while this one still runs: its gap counts
		// from when this one is really sent.
		h.starting, h.isStarting, j.TellSent = j.ID, true, true
	}
}

// Sent tells that the request of a job with TellSent has gone out.
func (f *Frontier) Sent(j *Job, at time.Time) {
	h := f.hosts[j.asked]
	if h.isStarting && h.starting == j.ID {
		h.isStarting = false
	}
	h.nextAt = max(h.nextAt, at.UnixNano()+int64(h.gap(&f.options)))
	f.wake(h)
}

// RunsAlone marks a job as running alone, to be called right before the Seal
// that precedes its start.
func (f *Frontier) RunsAlone(j *Job) { f.out[j.ID].Alone = true }

// Release tells that a job's exchange is over, or was never begun, so that its
// host may be asked again. sent is when the request went out, zero when none
// did.
func (f *Frontier) Release(j *Job, sent time.Time) {
	h := f.hosts[j.asked]
	h.out--
	if !j.Robots {
		h.outPages--
	}
	if h.isStarting && h.starting == j.ID {
		h.isStarting = false
	}
	gap := int64(h.gap(&f.options))
	switch {
	case !sent.IsZero():
		h.nextAt = max(h.nextAt, sent.UnixNano()+gap)
		h.lastSent = max(h.lastSent, sent.UnixNano())
	case h.out == 0:
		// No request was made: it costs no delay.
		h.nextAt = 0
		if h.lastSent > 0 {
			h.nextAt = h.lastSent + gap
		}
	}
	f.wake(h)
}

// Wake is when the next job may be handed out; ok is false when there is none
// to wait for.
func (f *Frontier) Wake() (at time.Time, ok bool) {
	if len(f.ready) == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, f.ready[0].at), true
}

// Asleep is the number of hosts that have something to hand out but not yet.
func (f *Frontier) Asleep(now time.Time) int {
	n := 0
	at := now.UnixNano()
	for _, h := range f.ready {
		if h.at > at {
			n++
		}
	}
	return n
}

// Out is the number of jobs that are handed out and neither finished nor
// retried.
func (f *Frontier) Out() int { return len(f.out) }

// leastLeft is the least time that what is pending will take: the longest
// host queue times its gap.
func (f *Frontier) leastLeft() time.Duration {
	var longest time.Duration
	for _, h := range f.hosts {
		if h.gaveUp == storage.NoClass {
			longest = max(longest, time.Duration(h.left)*h.gap(&f.options))
		}
	}
	return longest
}

// Pending is a job without an outcome.
type Pending struct {
	Host    string
	Attempt uint8 // attempts made
	Class   storage.Class
	Due     int64 // Unix milliseconds, 0: as soon as politeness allows
	storage.Found
}

// Pending gives every job without an outcome, host by host in the order in
// which they were found. The crawl must be at rest.
func (f *Frontier) Pending(file *storage.File) iter.Seq2[Pending, error] {
	return func(yield func(Pending, error) bool) {
		for id, h := range f.hosts {
			for ord := uint32(0); ord < h.queue.total; {
				var rows []Pending
				err := file.View(func(r *storage.Reader) (err error) {
					rows, ord, err = f.pendingSlice(r, uint32(id), ord)
					return err
				})
				if err != nil {
					yield(Pending{}, err)
					return
				}
				for _, p := range rows {
					if !yield(p, nil) {
						return
					}
				}
			}
		}
	}
}

const pendingRows = 1000

func (f *Frontier) pendingSlice(r *storage.Reader, id, ord uint32) (rows []Pending, next uint32, err error) {
	h := f.hosts[id]
	for ; ord < h.queue.total && len(rows) < pendingRows; ord++ {
		p := Pending{Host: h.name}
		var at place
		if t := f.retries[storage.JobID{Host: id, Ord: ord}]; t != nil {
			at, p.Attempt, p.Class, p.Due = t.place, t.attempt, t.class, t.due/int64(time.Millisecond)
		} else if h.queue.isDone(ord) {
			continue
		} else if at, err = h.queue.find(ord); err != nil {
			return nil, 0, fmt.Errorf("%w: %w", storage.ErrDamaged, err)
		}
		p.Found, err = storage.DecodeFound(r.Event(at.seq), int(at.index))
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, p)
	}
	return rows, ord, nil
}
