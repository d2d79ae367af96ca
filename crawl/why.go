package crawl

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"pawl/fetch"
	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// Story is all that a crawl knows of an address.
type Story struct {
	URL       string    `json:"url"`       // as it was asked for
	Canonical string    `json:"canonical"` // as the crawl spells it
	Standing  string    `json:"standing"`  // unknown, queued, retrying, out, done, parked or skipped
	Because   string    `json:"because"`   // the rule that decided, in a sentence
	Chapters  []Chapter `json:"chapters"`  // in the order of the log
}

// Chapter is something that happened to an address.
type Chapter struct {
	Seq  uint64 `json:"seq,omitempty"` // of the event, 0: of none
	At   string `json:"at,omitempty"`
	What string `json:"what"` // found, attempt, outcome, skipped, parked, dropped, restored or reopened
	Text string `json:"text"` // a sentence
}

// storyOptions say what a story is about, and how the reading of it shares the
// machine with others.
type storyOptions struct {
	url     string // as a user spells it; what ParseSeed reads
	speller *weburl.Speller
	// readers is how many goroutines read the log; less than 2: one.
	readers int
	// pace is called between short transactions, with how long the last one took,
	// by several goroutines when there are several readers.
	pace func(took time.Duration)
	// ask has the goroutine that owns the frontier do something, in well under a
	// millisecond.
	ask func(do func(*keeper)) error
	// most is for how many failed attempts on the host there is memory; 0: maxTries.
	most int
}

// keeper is what the goroutine that owns the frontier lets others look at, for a
// moment.
type keeper struct {
	frontier                  *frontier.Frontier
	scope                     *scope
	now                       time.Time
	running, paused, stopping bool
	held                      *Hold
}

// findStory tells the story of an address, from one reading of the log: it takes
// as long as that, some seconds with ten million addresses, and no memory to
// speak of.
func findStory(ctx context.Context, file *storage.File, o storyOptions) (*Story, error) {
	t, err := newTeller(file, &o)
	if err != nil {
		return nil, err
	}
	if err := t.meetHost(); err != nil {
		return nil, err
	}
	done := uint64(0)
	for range 2 { // the crawl has gone on meanwhile
		last, err := lastEvent(file)
		if err != nil {
			return nil, err
		}
		readers := o.readers
		if done > 0 {
			readers = 1
		}
		if err := t.seek(ctx, file, done+1, last, readers, o.pace); err != nil {
			return nil, err
		}
		done = last
	}
	t.found.sort()
	if err := t.read(); err != nil {
		return nil, err
	}
	if err := t.look(); err != nil {
		return nil, err
	}
	if err := t.attempts(ctx, done, &o); err != nil {
		return nil, err
	}
	t.decide()
	slices.SortStableFunc(t.story.Chapters, func(a, b Chapter) int { return cmp.Compare(a.Seq, b.Seq) })
	return &t.story, nil
}

// Why tells the story of an address, while Run or Rest runs: as a user spells it. What
// is no address is a *QueryError. It may be called concurrently.
func (c *Crawl) Why(ctx context.Context, url string) (*Story, error) {
	return findStory(ctx, c.file, c.storyOptions(ctx, url))
}

func (c *Crawl) storyOptions(ctx context.Context, url string) storyOptions {
	var worked, owed atomic.Int64
	o := storyOptions{url: url, speller: c.speller, readers: 2}
	o.pace = func(took time.Duration) {
		k := c.Patience()
		if time.Duration(worked.Add(int64(took))) > briefly {
			k = min(k, storyPatience)
		}
		// Each rest ends later than it should when the machine is busy: few long ones
		// are shorter than many.
		owes := time.Duration(owed.Add(int64(k * float64(min(took, longestPause)))))
		if owes < shortestRest {
			return
		}
		owed.Add(-int64(owes))
		rest := time.NewTimer(owes)
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
	}
	o.ask = func(do func(*keeper)) error {
		return c.do(ctx, func(l *loop) error {
			do(&keeper{
				frontier: l.frontier, scope: l.scope, now: l.now(),
				running: !l.resting, paused: l.paused, stopping: l.stopping, held: l.held,
			})
			return nil
		})
	}
	return o
}

// Beside a running crawl a story is read as patiently as all else, so that many of
// them asked for one after the other take little of a crawl that is not large. With
// a large file somebody would wait for minutes: what takes longer than briefly is
// read with this patience.
const (
	briefly       = 100 * time.Millisecond
	storyPatience = 0.2
	shortestRest  = 5 * time.Millisecond
)

func lastEvent(file *storage.File) (last uint64, err error) {
	err = file.View(func(r *storage.Reader) error {
		last = r.Last()
		return nil
	})
	return last, err
}

// teller puts a story together.
type teller struct {
	*seeker
	file  *storage.File
	u     weburl.URL
	ask   func(do func(*keeper)) error
	story Story

	settings map[uint64]*Settings // by the event that remembers them
	usual    *Settings            // where no event does

	// How it stands by the log.
	isJob    bool          // it is one
	seq      uint64        // where the job's address stands
	index    int           // likewise
	how      storage.Found // likewise
	jobs     map[storage.JobID]bool
	visit    *storage.Visit // the outcome in force, nil: none
	skip     *skipped       // that it was refused last, nil: it was not, or was let in since
	last     *storage.Retry // the last attempt at the job
	robots   string         // the robots.txt in force, empty: there is none
	hasRobot bool           // it is known whether there is one
	lastAsk  *storage.Host  // what the last asking for it came to, nil: it was not asked for

	seen circumstances
}

// skipped is that an address was refused.
type skipped struct {
	reason   storage.Reason
	dropped  bool
	restored bool // the user wants it back since
	seq      uint64
	at       int64 // that it was refused, or restored
	because  string
	link     finding
}

// circumstances are what the owner of the frontier knows.
type circumstances struct {
	running, paused, stopping bool
	held                      *Hold
	now                       time.Time
	settings                  *Settings
	known                     bool // the host is
	host                      frontier.HostLook
	job                       frontier.QueuedJob
	isJob                     bool
	before                    int            // jobs of its host
	reason                    storage.Reason // by the settings of now
	maxPages, maxBytes        bool           // a limit is reached
	drops                     bool           // an edit that is being carried out drops the job
	reviews                   bool           // the skipped links that are judged again are not through with it
}

func newTeller(file *storage.File, o *storyOptions) (*teller, error) {
	u, err := ParseSeed(o.speller, o.url)
	if err != nil {
		return nil, &QueryError{err}
	}
	t := &teller{
		seeker: newSeeker(u), file: file, u: u, ask: o.ask, settings: map[uint64]*Settings{}, usual: new(Settings),
		jobs:  map[storage.JobID]bool{},
		story: Story{URL: clean(WithoutUserinfo(o.url), 4096), Canonical: string(u), Chapters: []Chapter{}},
	}
	*t.usual = Defaults("")
	if o.most > 0 {
		t.most = o.most
	}
	return t, nil
}

// meetHost asks for the number of the address's host.
func (t *teller) meetHost() error {
	var number uint32
	var known bool
	err := t.ask(func(k *keeper) { number, known = k.frontier.HostNumber(t.u.Host()) })
	if err != nil {
		return err
	}
	t.host, t.noHost = number, !known
	return nil
}

func (t *teller) tell(seq uint64, at int64, what, text string) {
	t.story.Chapters = append(t.story.Chapters, Chapter{Seq: seq, At: stamp(at), What: what, Text: text})
}

// read reads what the log says of the address. It is little: a few transactions'
// worth at the most.
func (t *teller) read() error {
	return t.file.View(func(r *storage.Reader) error {
		for _, m := range t.found.of {
			if err := t.mention(r, m); err != nil {
				return fmt.Errorf("event %d: %w", m.seq, err)
			}
		}
		if t.skip != nil {
			ok, err := t.wasRestored(r, math.MaxUint64)
			if err != nil {
				return err
			}
			t.skip.restored = ok
		}
		if err := t.redirects(r); err != nil {
			return err
		}
		return t.robotsCopy(r)
	})
}

func (t *teller) mention(r *storage.Reader, m mention) error {
	event := r.Event(m.seq)
	switch m.what {
	case isFound:
		f, err := storage.DecodeFound(event, m.index)
		if err != nil {
			return err
		}
		return t.wasLetIn(r, m, &f)
	case isSeed:
		h, err := storage.DecodeLinksHead(event)
		if err != nil {
			return err
		}
		t.tell(m.seq, h.Time, "found", "given as a seed, when it was known already")
	case isSkipped:
		return t.wasRefused(r, m, event)
	case isVisit:
		v, err := storage.DecodePage(event)
		if err != nil {
			return err
		}
		t.visit, t.skip, t.isJob = v, nil, false
		t.jobs[v.Job] = true
		t.tell(m.seq, v.Time, "outcome", outcomeOf(v))
		return t.wasReopened(r, m.seq)
	}
	return nil
}

// wasLetIn tells that a link became a job.
func (t *teller) wasLetIn(r *storage.Reader, m mention, f *storage.Found) error {
	text, at := howFound(f), f.FoundAt
	if t.skip != nil {
		text = "let in after all: " + text
		if _, err := t.wasRestored(r, m.seq); err != nil {
			return err
		}
		at = max(at, t.skip.at) // which may be when it was refused
	}
	t.tell(m.seq, at, "found", text)
	t.isJob, t.seq, t.index, t.how, t.skip = true, m.seq, m.index, *f, nil
	return nil
}

// wasRefused tells that a link was skipped.
func (t *teller) wasRefused(r *storage.Reader, m mention, event []byte) error {
	h, err := storage.DecodeLinksHead(event)
	if err != nil {
		return err
	}
	for range m.index + 1 {
		if !h.Links.Next() {
			return cmp.Or(h.Links.Err(), storage.ErrDamaged)
		}
	}
	l := &h.Links.Link
	f := storage.Found{
		URL: t.url, FoundOn: h.FoundOn, Anchor: string(l.Anchor), Kind: l.Kind, Redirect: l.Redirect, Listed: l.Listed,
		NoFollow: l.NoFollow, FoundAt: h.Time, Origin: l.Origin,
	}
	switch {
	case h.Dropped:
		t.jobs[storage.JobID{Host: h.Job.Host, Ord: l.Ord}] = true
	case h.Withdrawn:
		t.jobs[h.Job] = true
	}
	settings, err := t.settingsAt(r, m.seq)
	if err != nil {
		return err
	}
	s := &skipped{reason: l.Reason, dropped: h.Dropped, seq: m.seq, at: h.Time, link: finding{
		url: t.u, on: h.FoundOn, origin: l.Origin, kind: page.Kind(l.Kind), listed: l.Listed, noFollow: l.NoFollow,
	}}
	what := "skipped"
	switch {
	case h.Dropped:
		what = "dropped"
		s.because, err = t.droppedBy(r, m.seq)
	case l.Reason == storage.Parked:
		what = "parked"
		s.because, err = t.parkedBy(r, m.seq)
	default:
		s.because = explain(l.Reason, settings, &s.link)
	}
	if err != nil {
		return err
	}
	text := howFound(&f) + ": " + s.because
	if h.Withdrawn {
		text = "taken out of the queue: " + s.because
	}
	t.tell(m.seq, h.Time, what, text)
	t.skip, t.isJob = s, false
	return nil
}

// settingsAt are the settings that were in force when an event was appended.
func (t *teller) settingsAt(r *storage.Reader, seq uint64) (*Settings, error) {
	at := uint64(0)
	for _, e := range t.found.edits {
		if e.seq < seq && e.kind == storage.EditSettings {
			at = e.seq
		}
	}
	if at == 0 {
		return t.usual, nil
	}
	if s := t.settings[at]; s != nil {
		return s, nil
	}
	e, err := storage.DecodeEdit(r.Event(at))
	if err != nil {
		return nil, err
	}
	s := new(Settings)
	if err := json.Unmarshal(e.Settings, s); err != nil {
		return nil, fmt.Errorf("%w: settings: %w", storage.ErrDamaged, err)
	}
	t.settings[at] = s
	return s, nil
}

// parkedBy says which pattern the address was parked by.
func (t *teller) parkedBy(r *storage.Reader, seq uint64) (string, error) {
	text := "it is of a pattern that is parked"
	shape := t.u.Shape()
	for _, e := range t.found.edits {
		if e.seq >= seq || e.kind != storage.EditPark {
			continue
		}
		p, at, err := storage.DecodePark(r.Event(e.seq))
		if err != nil {
			return "", err
		}
		pattern, err := weburl.ParsePattern(p.Pattern)
		if err != nil || p.Host != t.u.Host() || !pattern.Matches(&shape) {
			continue
		}
		text = fmt.Sprintf("it is of the pattern %s%s, which was parked at %s: %d addresses found, and of %d pages fetched %d brought something new",
			p.Host, p.Pattern, stamp(at), p.Found, p.Fetched, p.New)
	}
	return text, nil
}

// droppedBy says which edit of the user took the address out of the queue.
func (t *teller) droppedBy(r *storage.Reader, seq uint64) (string, error) {
	text := "the user dropped it"
	for _, e := range t.found.edits {
		if e.seq >= seq || e.kind != storage.EditDrop {
			continue
		}
		p, at, err := predicateOf(r.Event(e.seq))
		if err != nil {
			return "", err
		}
		if fits(p.Host, p.Match, t.u) {
			text = fmt.Sprintf("the user dropped it at %s (pawl queue drop%s)", stamp(at), flagsOf(&p))
		}
	}
	return text, nil
}

// wasRestored tells which edit of the user, after the address was refused and
// before an event, wants it back; ok is false when there is none.
func (t *teller) wasRestored(r *storage.Reader, before uint64) (ok bool, err error) {
	if t.skip.reason != storage.Parked {
		return false, nil
	}
	for _, e := range t.found.edits {
		if e.seq <= t.skip.seq || e.seq >= before || e.kind != storage.EditRestore {
			continue
		}
		p, at, err := predicateOf(r.Event(e.seq))
		if err != nil {
			return false, err
		}
		if fits(p.Host, p.Match, t.u) {
			t.skip.at = max(t.skip.at, at)
			t.tell(e.seq, at, "restored", fmt.Sprintf("the user wants it back (pawl queue restore%s)", flagsOf(&p)))
			return true, nil
		}
	}
	return false, nil
}

// wasReopened tells that the outcome of a visit was withdrawn, if it was.
func (t *teller) wasReopened(r *storage.Reader, visit uint64) error {
	for _, seq := range t.found.reopens {
		if seq < visit {
			continue
		}
		e, err := storage.DecodeReopen(r.Event(seq))
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(e.Visits, func(v storage.Reopened) bool { return v.Seq == visit }) {
			continue
		}
		p, _, err := predicateOf(r.Event(e.Edit))
		if err != nil {
			return err
		}
		t.tell(seq, e.Time, "reopened", fmt.Sprintf("the user has it asked for again (pawl queue retry%s)", flagsOf(&p)))
		t.visit, t.isJob, t.seq, t.index = nil, true, visit, storage.SelfIndex
		t.how, err = storage.DecodeFound(r.Event(visit), storage.SelfIndex)
		return err
	}
	return nil
}

// predicateOf reads whom an edit of the user is about.
func predicateOf(event []byte) (p storage.Predicate, at int64, err error) {
	e, err := storage.DecodeEdit(event)
	if err != nil {
		return p, 0, err
	}
	if err := json.Unmarshal(e.Settings, &p); err != nil {
		return p, 0, fmt.Errorf("%w: an edit: %w", storage.ErrDamaged, err)
	}
	return p, e.Time, nil
}

// fits tells whether an edit is about an address, as far as its host and text say.
func fits(host, match string, u weburl.URL) bool {
	if host != "" && host != u.Host() {
		return false
	}
	re, err := regexp.Compile(match)
	return err == nil && re.MatchString(string(u))
}

// redirects tells of pages that redirect to the address.
func (t *teller) redirects(r *storage.Reader) error {
	for i, seq := range t.found.sources {
		if slices.ContainsFunc(t.found.of, func(m mention) bool { return m.seq == seq && m.what == isFound }) {
			continue
		}
		v, err := storage.DecodePage(r.Event(seq))
		if err != nil {
			return err
		}
		text := "redirected to from " + clean(v.URL, 4096) + ", when it was known already"
		if more := t.found.redirs - len(t.found.sources); more > 0 && i == len(t.found.sources)-1 {
			text += fmt.Sprintf("; and later from %d others", more)
		}
		t.tell(seq, v.Time, "found", text)
	}
	return nil
}

// robotsCopy finds the robots.txt in force.
func (t *teller) robotsCopy(r *storage.Reader) error {
	for _, seq := range t.found.hosts {
		h, err := storage.DecodeHost(r.Event(seq))
		if err != nil {
			return fmt.Errorf("event %d: %w", seq, err)
		}
		if h.Origin != t.u.Origin() {
			continue
		}
		if t.u.PathQuery() == "/robots.txt" {
			t.tell(seq, h.Time, "attempt", robotsOf(h))
		}
		if h.State != storage.RobotsNone {
			t.lastAsk = h
		}
		switch {
		case h.State == storage.RobotsAllow:
			t.robots, t.hasRobot = "", true
		case h.State == storage.RobotsRules:
			t.hasRobot = true
			if !h.Same {
				t.robots = h.Text
			}
		}
	}
	return nil
}

// look asks the owner of the frontier how things stand.
func (t *teller) look() error {
	var c circumstances // not of the teller: it may be written to late
	err := t.ask(func(k *keeper) {
		f, s := k.frontier, k.scope.settings
		c.running, c.paused, c.stopping, c.held, c.now, c.settings = k.running, k.paused, k.stopping, k.held, k.now, s
		c.host, c.known = f.HostNamed(t.u.Host(), k.now)
		if t.isJob {
			c.job, c.before, c.isJob = f.JobAt(t.u.Host(), t.seq, t.index)
		}
		for _, e := range f.Edits() {
			c.drops = c.drops || e.Kind == storage.EditDrop && t.isJob && t.seq <= e.Upto && fits(e.Host, e.Match, t.u)
		}
		if done, upto, open := f.Review(); open && t.skip != nil {
			c.reviews = done < t.skip.seq && t.skip.seq <= upto
		}
		counts := f.Counts()
		c.maxPages = s.MaxPages > 0 && counts.Rows() >= uint64(s.MaxPages)
		c.maxBytes = s.MaxBytes > 0 && counts.Transferred >= uint64(s.MaxBytes)
		found := t.finding()
		found.treat = k.scope.treat.of(t.url)
		c.reason = k.scope.judge(found)
	})
	if err != nil {
		return err // and c may still be written to
	}
	t.seen = c
	return nil
}

// finding is the address where it was found last. One that was never met could be
// on any page.
func (t *teller) finding() finding {
	switch h := &t.how; {
	case t.isJob:
		return finding{url: t.u, on: h.FoundOn, origin: h.Origin, kind: page.Kind(h.Kind), listed: h.Listed, noFollow: h.NoFollow}
	case t.skip != nil:
		return t.skip.link
	}
	return finding{url: t.u, origin: storage.Origin{Depth: 1}, kind: page.KindA}
}

// attempts tells of those that failed.
func (t *teller) attempts(ctx context.Context, last uint64, o *storyOptions) error {
	if t.seen.isJob {
		t.jobs[t.seen.job.ID] = true
	}
	if t.found.crowded && len(t.jobs) > 0 && len(t.found.of) > 0 {
		again := &seeker{url: t.url, host: t.host, jobs: t.jobs, most: maxTries}
		if err := again.seek(ctx, t.file, t.found.of[0].seq, last, o.readers, o.pace); err != nil {
			return err
		}
		again.found.sort()
		t.found.tries = again.found.tries
	}
	return t.file.View(func(r *storage.Reader) error {
		for _, try := range t.found.tries {
			if !t.jobs[storage.JobID{Host: t.host, Ord: try.ord}] {
				continue
			}
			e, err := storage.DecodeRetry(r.Event(try.seq()))
			if err != nil {
				return fmt.Errorf("event %d: %w", try.seq(), err)
			}
			t.last = e
			t.tell(try.seq(), e.Time, "attempt", attemptOf(e))
		}
		return nil
	})
}

// decide says how the address stands, and why.
func (t *teller) decide() {
	s := &t.story
	switch {
	case t.isJob:
		s.Standing = "queued"
		switch {
		case t.seen.isJob && t.seen.job.IsOut:
			s.Standing = "out"
		case t.last != nil && t.seen.isJob && t.seen.job.Attempt > 0:
			s.Standing = "retrying"
		}
		s.Because = t.waits()
	case t.visit != nil:
		s.Standing = "done"
		s.Because = outcomeOf(t.visit)
	case t.skip != nil:
		s.Standing = "skipped"
		if t.skip.reason == storage.Parked {
			s.Standing = "parked"
		}
		s.Because = t.skip.because
		switch {
		case t.seen.reason != storage.NoReason || t.skip.dropped && !t.skip.restored:
		case t.seen.reviews && !t.seen.running:
			s.Because += "; by the settings of now it is let in, with the next run"
		case t.seen.reviews:
			s.Because += "; by the settings of now it is let in: the links that were skipped are being judged again"
		default:
			s.Because += "; by the settings of now it is let in when the links that were skipped are judged again, as a run does that begins with other settings"
		}
	default:
		s.Standing = "unknown"
		if s.Because = t.wouldBe(); t.lastAsk != nil && t.u.PathQuery() == "/robots.txt" {
			s.Because = "it is the robots.txt of its host, which is asked for, but is no page of the crawl"
		}
	}
}

// waits says what a job waits for.
func (t *teller) waits() string {
	c := &t.seen
	if t.story.Standing == "out" {
		return "it is being asked for, or its outcome is being written"
	}
	switch {
	case c.drops:
		return "the user drops it: that edit is being carried out"
	case c.reason != storage.NoReason:
		return "by the settings of now it will leave the queue when its turn comes: " + t.refusal()
	}
	var parts []string
	if t.story.Standing == "retrying" {
		parts = append(parts, fmt.Sprintf("%s, and the next is due at %s", lastAttempt(t.last), stamp(t.last.Due)))
	}
	if rule := t.forbidden(); rule != "" {
		parts = append(parts, "it will be blocked by "+rule)
	}
	switch {
	case !c.running:
		parts = append(parts, "the crawl does not run")
	case c.stopping:
		parts = append(parts, "the crawl is stopping")
	case c.paused && c.isHeldUp():
		parts = append(parts, "the crawl is paused, and its host waits for the end of the pause")
	case c.paused:
		parts = append(parts, "the crawl is paused")
	case c.held != nil:
		text := holdOf(c.held, c.now)
		if c.isHeldUp() {
			text += ", and its host waits for that"
		}
		parts = append(parts, text)
	}
	switch {
	case c.maxPages:
		parts = append(parts, fmt.Sprintf("as many pages are fetched as may be (--max-pages %d)", c.settings.MaxPages))
	case c.maxBytes:
		parts = append(parts, fmt.Sprintf("as much was transferred as may be (--max-bytes %d)", c.settings.MaxBytes))
	}
	if !c.known || !c.isJob {
		return strings.Join(append(parts, "it is in the queue"), "; ")
	}
	isToBeTold := c.running && !((c.paused || c.stopping || c.held != nil) && c.isHeldUp())
	if isToBeTold || c.host.Wait == frontier.WaitLost || c.host.Wait == frontier.WaitLimit {
		wait := waitOf(&c.host, c.now, c.settings)
		if h := t.lastAsk; h != nil && h.State == storage.RobotsRetry && c.host.Wait == frontier.WaitRobots {
			wait += fmt.Sprintf(" (attempt %d: %s; the next is due at %s)", h.Attempt, failureOf(h.Class, h.Status, h.Error), stamp(h.Due))
		}
		parts = append(parts, wait)
	}
	if t.story.Standing == "queued" {
		switch c.before {
		case 0:
			parts = append(parts, "it is the next of its host")
		case 1:
			parts = append(parts, "1 job of its host is before it")
		default:
			parts = append(parts, fmt.Sprintf("%d jobs of its host are before it", c.before))
		}
	}
	if least := t.atLeast(); least > 0 {
		text := fmt.Sprintf("it comes in at least %s", span(least))
		if !c.running || c.paused || c.stopping || c.held != nil {
			text += " when the crawl goes on"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// isHeldUp tells of a host that waits for nothing else than to be asked, or for
// less than a pause takes.
func (c *circumstances) isHeldUp() bool {
	if !c.known || !c.isJob {
		return false
	}
	switch c.host.Wait {
	case frontier.WaitWorker, frontier.WaitGap:
		return true
	case frontier.WaitRobots: // that is to be asked for
		return c.held != nil && c.host.Out == 0 && (!c.host.Until.After(c.now) || !c.host.Until.After(c.held.Until))
	}
	return false
}

// atLeast is the least time until the job is handed out, 0: there is none to tell.
func (t *teller) atLeast() time.Duration {
	c := &t.seen
	if c.host.Wait == frontier.WaitLost || c.host.Wait == frontier.WaitLimit {
		return 0
	}
	if t.story.Standing == "retrying" {
		return max(0, time.UnixMilli(t.last.Due).Sub(c.now))
	}
	least := time.Duration(c.before) * c.host.Least
	if !c.host.Until.IsZero() {
		least += max(0, c.host.Until.Sub(c.now))
	}
	return least
}

// forbidden says which line of the robots.txt in force forbids the address.
func (t *teller) forbidden() string {
	s := t.seen.settings
	if s.IgnoreRobots || !t.hasRobot || t.robots == "" {
		return ""
	}
	return forbids(t.robots, fetch.ProductToken(s.UserAgent), t.u)
}

// refusal says which rule refuses the address by the settings of now.
func (t *teller) refusal() string {
	if t.seen.reason == storage.Parked {
		var text string
		err := t.file.View(func(r *storage.Reader) (err error) {
			text, err = t.parkedBy(r, math.MaxUint64)
			return err
		})
		if err == nil {
			return text
		}
	}
	f := t.finding()
	return explain(t.seen.reason, t.seen.settings, &f)
}

// wouldBe says what would come of an address that was never met.
func (t *teller) wouldBe() string {
	text := "no page that was read links to it in a way that is followed, and it is no seed; if a page linked to it now, it would be "
	s := t.seen.settings
	if t.seen.reason != storage.NoReason {
		return text + "skipped: " + t.refusal()
	}
	if rule := t.forbidden(); rule != "" {
		return text + "blocked by " + rule
	}
	text += "fetched"
	if s.MaxDepth != NoLimit && s.MaxDepth > 0 {
		text += fmt.Sprintf(", at depth %d at the most", s.MaxDepth)
	}
	if !s.IgnoreRobots && !t.hasRobot {
		text += ", if its robots.txt, which is not known yet, allows it"
	}
	return text
}
