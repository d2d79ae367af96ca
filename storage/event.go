package storage

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unsafe"
)

// Kind is the first byte of a stored event.
type Kind uint8

const (
	KindVisit Kind = 1 + iota
	KindLinks
	KindSeeds
	KindSkip
	KindRetry
	KindHost
	KindEdit
	KindReopen
)

// eventVersion is the second byte of every event.
const eventVersion = 1

// Event is one entry of the log: *Visit, *Links, *Seeds, *Skip, *Retry, *Host,
// *Edit or *Reopen. Events hold decisions, never the settings, clocks or heuristics
// that led to them, so that every version of pawl folds an old log to the same
// frontier. Times are Unix milliseconds, durations milliseconds.
type Event interface {
	appendTo(dst []byte) []byte
}

// JobID names a job: the Ord-th address that was admitted on a host, where
// hosts are numbered in the order in which the log first admits an address on
// them, or first sends the asking for a robots.txt there. Both count from 0
// and follow from the log alone.
type JobID struct {
	Host uint32
	Ord  uint32
}

// The fetching of an origin's robots.txt is a job as well; it has one of these
// numbers instead of a place in the queue.
const (
	OrdRobotsHTTP  = ^uint32(0) - 1
	OrdRobotsHTTPS = ^uint32(0)
)

// IsRobots tells whether the job is the fetching of a robots.txt.
func (id JobID) IsRobots() bool { return id.Ord >= OrdRobotsHTTP }

// Ask is the part of an event that tells of a request: what politeness needs
// to know of it.
type Ask struct {
	Asked     bool   // a request went out, or was to go out and could not
	Time      int64  // when it was sent; when none went out, when the job ended
	Took      uint32 // how long the whole exchange took
	Throttled bool   // the host asked for less
	// Unreachable: the request could not be made, because the host was not
	// found or did not take the connection.
	Unreachable bool
	Hold        int64 // the host is not to be asked before this time; 0: no wish
	Penalty     uint8 // from now on the host's gap is doubled this many times
	// Transferred is the size of the body on the wire in bytes.
	Transferred int64
}

// Origin is how a job's address was found; its children inherit from it.
type Origin struct {
	Depth uint32
	Hops  uint8 // redirects that lead to this address
	Seed  bool  // a seed, or reached from one by redirects alone
}

// Child gives the origin of a link found on a page of origin o.
func (o Origin) Child(redirect, listed bool) Origin {
	switch {
	case redirect:
		return Origin{Depth: o.Depth, Hops: saturated(o.Hops), Seed: o.Seed}
	case listed:
		return Origin{Depth: o.Depth, Seed: o.Seed}
	}
	return Origin{Depth: saturated(o.Depth)}
}

// saturated is n+1, or n where that would begin again at 0.
func saturated[T uint8 | uint32](n T) T {
	if n == ^T(0) {
		return n
	}
	return n + 1
}

// Link is an address that was found for the first time.
type Link struct {
	URL      string
	Kind     uint8  // page.Kind, below 32
	Redirect bool   // the target of a redirect: same depth as its source
	Listed   bool   // named by a sitemap or a robots.txt: same depth as that
	NoFollow bool   // found by nofollow links only
	Lane     Lane   // of the job; not kept of links that make none
	Anchor   string // text of the link; of what a sitemap lists, its date of change
}

// Visit is one finished job: its outcome, the page record, and the new links
// that the page brought, so that page, queue and seen-set change together.
type Visit struct {
	Job     JobID
	URL     string
	Attempt uint8 // 1 for the first
	Origin
	Ask
	Outcome Outcome
	Class   Class
	Status  uint16
	// ContentHash is the XXH3-128 of the decoded body; nil: there was none.
	ContentHash []byte
	Join        string // address whose host joins the scope; empty: none
	FoundOn     string
	Redirect    string // target of a redirect
	Canonical   string
	// DuplicateOf is the address that the same content was first fetched from;
	// empty: it was new.
	DuplicateOf string
	Unlisted    bool // it is no row of the results: the user's rules say so
	// Listed and NoFollow are those of the link that made the job, for a job
	// that is made of the visit itself when its outcome is withdrawn.
	Listed   bool
	NoFollow bool
	Record   Record
	Links    []Link // at most MaxLinks, of the normal lane; more follow as Links events
	// Kept stands beside the event, under its number, not in it.
	Kept []Kept
}

// MaxLinks is the most links that one event may hold, so that reading one job
// from the log never means decoding megabytes.
const MaxLinks = 256

// Links are further new links of a page whose Visit stands before them, or
// links that were skipped once and pass now.
type Links struct {
	FoundOn string // address of the page
	Time    int64  // when they were found
	Origin         // of the page they were found on
	Links   []Link // all of one lane
}

// Source tells how far a file of seeds was read.
type Source struct {
	Path   string `json:"path"` // absolute
	Size   int64  `json:"size"`
	MTime  int64  `json:"mtime"`  // Unix nanoseconds
	Offset int64  `json:"offset"` // bytes read
}

// Seeds are addresses given by the user.
type Seeds struct {
	Time   int64
	Source *Source // nil: not from a file
	Links  []Link  // all of one lane
	Known  []Link  // given as seeds, but known as a job already: they only widen the scope
}

// SkipLink is a link that was not admitted.
type SkipLink struct {
	Link
	Reason Reason
	Ord    uint32 // of the job that it was, when Dropped
}

// Skip are links of a page that were refused, each when it was first met, or
// met closer to a seed than before.
type Skip struct {
	FoundOn string
	Time    int64
	Origin
	Withdrawn bool  // the one link was admitted as Job before: it leaves the queue
	Job       JobID // set when Withdrawn
	// Dropped is set beside Withdrawn when the user took the links out of the
	// queue: each was a job, of the host that Job names, and is parked.
	Dropped bool
	Links   []SkipLink
}

// Retry is a job that did not succeed and is to be asked again.
type Retry struct {
	Job     JobID
	Attempt uint8 // attempts made so far
	Hops    uint8 // redirects to the same canonical spelling so far
	Ask
	Class  Class
	Status uint16
	Due    int64
	Raw    string // the spelling to ask for, when it is not the canonical one
	Error  string
}

// RobotsState is what a robots job found.
type RobotsState uint8

const (
	RobotsNone     RobotsState = iota // nothing known yet
	RobotsRules                       // there is a robots.txt: its text is kept
	RobotsAllow                       // there is none: everything is allowed
	RobotsRedirect                    // it stands elsewhere: asked for at Next
	RobotsRetry                       // it could not be had: asked again at Due
	RobotsGivenUp                     // it could not be had in all its attempts
)

// Host is what a robots job learned about an origin, or the decision that a
// host is given up.
type Host struct {
	Origin string // scheme://host[:port]
	At     string // host that was asked, when not the origin's own
	Ask
	State   RobotsState
	Class   Class
	Status  uint16
	Attempt uint8
	Hops    uint8
	Due     int64  // with RobotsRetry
	Expires int64  // with RobotsRules and RobotsAllow
	Delay   uint32 // Crawl-delay
	Next    string // with RobotsRedirect
	Text    string // with RobotsRules, unless Same
	Same    bool   // the text is that of the last copy
	GiveUp  Class  // not NoClass: the whole host is given up
	Error   string
}

// EditKind tells what an Edit does.
type EditKind uint8

const (
	EditSettings EditKind = 1 + iota // Settings are in force from here on
	EditReview                       // skipped links up to Upto are judged again
	EditReviewed                     // the review has come to Upto
	EditWaits                        // the clock was set back by Upto milliseconds: waits are, too, and none ends more than a day after Time
	EditPark                         // addresses of a pattern are parked: Settings is a Park
	EditRestore                      // what is parked comes back, and is not parked again: Settings is a Restore
	EditDrop                         // jobs known up to Upto leave the queue: Settings is a Predicate
	EditDropped                      // a drop has come to the job Upto, its host in the upper half
	EditRetry                        // outcomes up to Upto are reopened: Settings is a Predicate
)

// Edit is a change by the user, or a step in carrying one out.
type Edit struct {
	Edit     EditKind
	Time     int64
	Settings []byte // JSON
	Upto     uint64
}

// Park is the decision that the addresses of a pattern are a trap, with what
// was known of them then.
type Park struct {
	Host    string `json:"host"`
	Pattern string `json:"pattern"` // of weburl.Pattern
	Found   int    `json:"found"`   // addresses met
	Fetched int    `json:"fetched"`
	New     int    `json:"new"` // of these, with content that was new
}

// Restore is the wish of the user that parked addresses come back.
type Restore struct {
	Host  string `json:"host,omitempty"`  // empty: any
	Match string `json:"match,omitempty"` // regular expression on the canonical address; empty: any
}

// KindOf is the kind of a stored event, 0 when it is none that this version
// knows.
func KindOf(event []byte) Kind {
	if len(event) < 2 || event[1] != eventVersion || event[0] < byte(KindVisit) || event[0] > byte(KindReopen) {
		return 0
	}
	return Kind(event[0])
}

const (
	flagAsked = 1 << iota
	flagThrottled
	flagSeed
	flagWithdrawn
	flagSame
	flagSource
	flagUnreachable
	flagDuplicate

	// What a flag says of one kind of event it does not say of another.
	flagUnlisted = flagWithdrawn
	flagListed   = flagSame   // of a visit
	flagNoFollow = flagSource // of a visit
	flagDropped  = flagSame   // of a skip
)

// The byte of a link's kind holds these as well.
const (
	kindRedirect = 0x80
	kindNoFollow = 0x40
	kindListed   = 0x20
	kindMask     = 0x1f
)

func (a *Ask) flags() byte {
	var f byte
	if a.Asked {
		f |= flagAsked
	}
	if a.Throttled {
		f |= flagThrottled
	}
	if a.Unreachable {
		f |= flagUnreachable
	}
	return f
}

func (a *Ask) appendTo(dst []byte) []byte {
	dst = appendInt(dst, a.Time)
	dst = binary.AppendUvarint(dst, uint64(a.Took))
	dst = appendInt(dst, a.Hold)
	dst = append(dst, a.Penalty)
	return appendInt(dst, a.Transferred)
}

func (o *Origin) flags() byte {
	if o.Seed {
		return flagSeed
	}
	return 0
}

func (o *Origin) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(o.Depth))
	return append(dst, o.Hops)
}

func appendJob(dst []byte, id JobID) []byte {
	dst = binary.AppendUvarint(dst, uint64(id.Host))
	return binary.AppendUvarint(dst, uint64(id.Ord))
}

func (v *Visit) appendTo(dst []byte) []byte {
	flags := v.Ask.flags() | v.Origin.flags()
	if v.DuplicateOf != "" {
		flags |= flagDuplicate
	}
	if v.Unlisted {
		flags |= flagUnlisted
	}
	if v.Listed {
		flags |= flagListed
	}
	if v.NoFollow {
		flags |= flagNoFollow
	}
	if laneFlags(v.Links) != 0 {
		panic("storage: a visit with links that are not of the normal lane")
	}
	dst = append(dst, byte(KindVisit), eventVersion, flags)
	dst = appendJob(dst, v.Job)
	dst = v.Ask.appendTo(dst)
	dst = v.Origin.appendTo(dst)
	dst = append(dst, v.Attempt, byte(v.Outcome), byte(v.Class))
	dst = binary.AppendUvarint(dst, uint64(v.Status))
	dst = appendString(dst, string(v.ContentHash))
	dst = appendString(dst, v.URL)
	dst = appendShared(dst, v.URL, v.Join)
	dst = appendShared(dst, v.URL, v.FoundOn)
	dst = appendShared(dst, v.URL, v.Redirect)
	dst = appendShared(dst, v.URL, v.Canonical)
	if v.DuplicateOf != "" {
		dst = appendShared(dst, v.URL, v.DuplicateOf)
	}
	dst = v.Record.appendTo(dst)
	return appendLinks(dst, v.URL, v.Links)
}

func (l *Links) appendTo(dst []byte) []byte {
	dst = append(dst, byte(KindLinks), eventVersion, l.Origin.flags()|laneFlags(l.Links))
	dst = appendInt(dst, l.Time)
	dst = l.Origin.appendTo(dst)
	dst = appendString(dst, l.FoundOn)
	return appendLinks(dst, l.FoundOn, l.Links)
}

func (s *Seeds) appendTo(dst []byte) []byte {
	flags := flagSeed | laneFlags(s.Links)
	if s.Source != nil {
		flags |= flagSource
	}
	dst = append(dst, byte(KindSeeds), eventVersion, flags)
	dst = appendInt(dst, s.Time)
	if s.Source != nil {
		dst = appendString(dst, s.Source.Path)
		dst = appendInt(dst, s.Source.Size)
		dst = appendInt(dst, s.Source.MTime)
		dst = appendInt(dst, s.Source.Offset)
	}
	dst = appendLinks(dst, "", s.Links)
	return appendLinks(dst, "", s.Known)
}

func (s *Skip) appendTo(dst []byte) []byte {
	flags := s.Origin.flags()
	if s.Withdrawn {
		flags |= flagWithdrawn
	}
	if s.Dropped {
		flags |= flagDropped
	}
	dst = append(dst, byte(KindSkip), eventVersion, flags)
	dst = appendInt(dst, s.Time)
	dst = s.Origin.appendTo(dst)
	switch {
	case s.Dropped:
		dst = binary.AppendUvarint(dst, uint64(s.Job.Host))
	case s.Withdrawn:
		dst = appendJob(dst, s.Job)
	}
	dst = appendString(dst, s.FoundOn)
	dst = appendCount(dst, len(s.Links))
	previous, ord := s.FoundOn, uint32(0)
	for i := range s.Links {
		l := &s.Links[i]
		dst = appendLink(dst, previous, &l.Link)
		if s.Dropped {
			// They mostly follow each other. Where one does not, the difference
			// wraps around.
			dst = binary.AppendUvarint(dst, uint64(l.Ord-ord))
			ord = l.Ord
		} else {
			dst = append(dst, byte(l.Reason))
		}
		previous = l.URL
	}
	return dst
}

func (r *Retry) appendTo(dst []byte) []byte {
	dst = append(dst, byte(KindRetry), eventVersion, r.Ask.flags())
	dst = appendJob(dst, r.Job)
	dst = r.Ask.appendTo(dst)
	dst = append(dst, r.Attempt, r.Hops, byte(r.Class))
	dst = binary.AppendUvarint(dst, uint64(r.Status))
	dst = appendInt(dst, r.Due)
	dst = appendString(dst, r.Raw)
	return appendString(dst, r.Error)
}

func (h *Host) appendTo(dst []byte) []byte {
	flags := h.Ask.flags()
	if h.Same {
		flags |= flagSame
	}
	dst = append(dst, byte(KindHost), eventVersion, flags)
	dst = appendString(dst, h.Origin)
	dst = appendString(dst, h.At)
	dst = h.Ask.appendTo(dst)
	dst = append(dst, byte(h.State), byte(h.Class), h.Attempt, h.Hops, byte(h.GiveUp))
	dst = binary.AppendUvarint(dst, uint64(h.Status))
	dst = appendInt(dst, h.Due)
	dst = appendInt(dst, h.Expires)
	dst = binary.AppendUvarint(dst, uint64(h.Delay))
	dst = appendString(dst, h.Next)
	dst = appendString(dst, h.Error)
	return appendString(dst, h.Text)
}

func (e *Edit) appendTo(dst []byte) []byte {
	dst = append(dst, byte(KindEdit), eventVersion, 0, byte(e.Edit))
	dst = appendInt(dst, e.Time)
	dst = binary.AppendUvarint(dst, e.Upto)
	return appendString(dst, string(e.Settings))
}

// LinkBlock is an encoded run of links inside an event, to be read by its
// Next. The zero value is an empty block.
type LinkBlock struct {
	r      reader
	left   uint64
	skips  bool
	drops  bool
	base   []byte // what the first address shares with, nil when it is read
	url    []byte
	Link   FoundLink
	parent Origin
	seeds  bool
}

// FoundLink is a link as a LinkBlock reads it. URL and Anchor are valid until
// the next call of Next, or until the event's transaction ends.
type FoundLink struct {
	URL    []byte
	Anchor []byte
	Kind   uint8
	Origin
	Reason   Reason // of a skipped link
	NoFollow bool
	Redirect bool   // the target of a redirect
	Listed   bool   // named by a sitemap or a robots.txt
	Lane     Lane   // of all links of the block
	Ord      uint32 // of the job that a dropped link was
}

// Left is the number of links not read yet.
func (b *LinkBlock) Left() int { return int(b.left) }

// Next reads the next link into b.Link; false at the end or on damage, see
// Err.
func (b *LinkBlock) Next() bool {
	if b.left == 0 || b.r.err != nil {
		return false
	}
	b.left--
	shared := b.r.uvarint()
	suffix := b.r.bytes()
	previous := b.url
	if b.base != nil {
		previous = b.base
	}
	if shared > uint64(len(previous)) {
		b.r.fail("a link shares more than there is")
	}
	if b.r.err != nil {
		return false
	}
	if b.base != nil {
		b.url = append(b.url, b.base[:shared]...)
		b.base = nil
	}
	b.url = append(b.url[:shared], suffix...)
	kind := b.r.byte()
	l := &b.Link
	l.URL = b.url
	l.Kind, l.NoFollow = kind&kindMask, kind&kindNoFollow != 0
	l.Redirect, l.Listed = kind&kindRedirect != 0, kind&kindListed != 0
	l.Anchor = b.r.bytes()
	if b.seeds {
		l.Origin = Origin{Seed: true}
	} else {
		l.Origin = b.parent.Child(l.Redirect, l.Listed)
	}
	switch {
	case b.drops:
		l.Reason = Parked
		l.Ord += b.r.uint32()
	case b.skips:
		l.Reason = Reason(b.r.byte())
	}
	return b.r.err == nil
}

// Reuse has the addresses made in the given memory, as far as it goes. To be
// called before the first Next.
func (b *LinkBlock) Reuse(buf []byte) { b.url = buf[:0] }

// Err is the damage that Next met, nil when there was none.
func (b *LinkBlock) Err() error { return b.r.err }

func appendLinks(dst []byte, base string, links []Link) []byte {
	dst = appendCount(dst, len(links))
	for i := range links {
		dst = appendLink(dst, base, &links[i])
		base = links[i].URL
	}
	return dst
}

// appendCount panics rather than write an event that nobody could read again.
func appendCount(dst []byte, links int) []byte {
	if links > MaxLinks {
		panic(fmt.Sprintf("storage: an event with %d links", links))
	}
	return binary.AppendUvarint(dst, uint64(links))
}

// appendLink front-codes the address against the one before it: most links of
// a page begin alike.
func appendLink(dst []byte, previous string, l *Link) []byte {
	dst = appendShared(dst, previous, l.URL)
	kind := l.Kind & kindMask
	if l.Redirect {
		kind |= kindRedirect
	}
	if l.Listed {
		kind |= kindListed
	}
	if l.NoFollow {
		kind |= kindNoFollow
	}
	dst = append(dst, kind)
	return appendString(dst, l.Anchor)
}

func appendShared(dst []byte, previous, s string) []byte {
	n := 0
	for n < len(previous) && n < len(s) && previous[n] == s[n] {
		n++
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	return appendString(dst, s[n:])
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendInt stores a number that is hardly ever negative.
func appendInt(dst []byte, n int64) []byte { return binary.AppendUvarint(dst, uint64(n)) }

// reader takes a stored value apart; the first fault sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, why)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("a value ends early")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 {
		r.fail("a number is cut off or too large")
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *reader) uint32() uint32 {
	n := r.uvarint()
	if n > 1<<32-1 {
		r.fail("a number is too large")
	}
	return uint32(n)
}

func (r *reader) uint16() uint16 {
	n := r.uvarint()
	if n > 1<<16-1 {
		r.fail("a number is too large")
	}
	return uint16(n)
}

func (r *reader) int() int64 { return int64(r.uvarint()) }

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("a string is longer than its value")
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) skipShared() {
	r.uvarint()
	r.bytes()
}

func (r *reader) job() JobID { return JobID{Host: r.uint32(), Ord: r.uint32()} }

func (r *reader) ask(flags byte) Ask {
	return Ask{
		Asked: flags&flagAsked != 0, Throttled: flags&flagThrottled != 0, Unreachable: flags&flagUnreachable != 0,
		Time: r.int(), Took: r.uint32(), Hold: r.int(), Penalty: r.byte(), Transferred: r.int(),
	}
}

func (r *reader) origin(flags byte) Origin {
	return Origin{Depth: r.uint32(), Hops: r.byte(), Seed: flags&flagSeed != 0}
}

// begin checks kind and version and gives the flags.
func begin(event []byte, want Kind) (r reader, flags byte) {
	r.b = event
	kind, version, flags := r.byte(), r.byte(), r.byte()
	if r.err == nil && (Kind(kind) != want || version != eventVersion) {
		r.fail(fmt.Sprintf("event of kind %d version %d where kind %d version %d should be", kind, version, want, eventVersion))
	}
	return r, flags
}

// Decode reads a stored event whole: *Visit, *Links, … The result does not
// alias the bytes; it is nil when there is an error.
func Decode(event []byte) (Event, error) {
	var e Event
	var err error
	switch KindOf(event) {
	case KindVisit:
		e, err = DecodeVisit(event)
	case KindLinks, KindSeeds:
		e, err = decodeLinks(event)
	case KindSkip:
		e, err = decodeSkip(event)
	case KindRetry:
		e, err = DecodeRetry(event)
	case KindHost:
		e, err = DecodeHost(event)
	case KindEdit:
		e, err = DecodeEdit(event)
	case KindReopen:
		e, err = DecodeReopen(event)
	default:
		err = fmt.Errorf("%w: an event of an unknown kind or version", ErrDamaged)
	}
	if err != nil {
		return nil, err // not a typed nil
	}
	return e, nil
}

// VisitHead is the part of a Visit that the frontier is folded from.
type VisitHead struct {
	Job     JobID
	Attempt uint8
	Origin
	Ask
	Outcome     Outcome
	Class       Class
	Status      uint16
	ContentHash []byte // aliases the event
	Duplicate   bool   // the same content was fetched before
	Unlisted    bool   // it is no row of the results
	Listed      bool   // see Visit
	NoFollow    bool   // see Visit
	URL         []byte // aliases the event
	Join        string
	Links       LinkBlock
}

// DecodeVisitHead reads what a fold needs of a Visit and skips the rest.
func DecodeVisitHead(event []byte) (VisitHead, error) {
	r, h := visitHead(event)
	for range 3 {
		r.skipShared()
	}
	if h.Duplicate {
		r.skipShared()
	}
	r.bytes() // record
	h.Links = linkBlock(&r, h.URL, h.Origin)
	return h, r.err
}

func visitHead(event []byte) (reader, VisitHead) {
	r, flags := begin(event, KindVisit)
	h := VisitHead{Job: r.job(), Ask: r.ask(flags), Origin: r.origin(flags)}
	h.Duplicate, h.Unlisted = flags&flagDuplicate != 0, flags&flagUnlisted != 0
	h.Listed, h.NoFollow = flags&flagListed != 0, flags&flagNoFollow != 0
	h.Attempt, h.Outcome, h.Class = r.byte(), Outcome(r.byte()), Class(r.byte())
	h.Status = r.uint16()
	h.ContentHash = r.bytes()
	h.URL = r.bytes()
	n, suffix := r.uvarint(), r.bytes()
	switch {
	case n > uint64(len(h.URL)):
		r.fail("a string shares more than there is")
	case n > 0 || len(suffix) > 0:
		h.Join = string(h.URL[:n]) + string(suffix)
	}
	// appendShared of an empty string stores two zeros: there is no join then.
	return r, h
}

func linkBlock(r *reader, base []byte, parent Origin) LinkBlock {
	b := LinkBlock{left: r.uvarint(), parent: parent}
	if b.left > MaxLinks {
		r.fail("too many links in one event")
		b.left = 0
	}
	b.base = base
	b.r = *r
	return b
}

// DecodeVisit reads a Visit whole.
func DecodeVisit(event []byte) (*Visit, error) {
	v := new(Visit)
	block, err := v.decodePage(event, new(texts))
	if err != nil {
		return nil, err
	}
	v.Links = block.rest()
	if err := block.Err(); err != nil {
		return nil, err
	}
	return v, nil
}

// DecodePage reads a Visit without its links.
func DecodePage(event []byte) (*Visit, error) {
	return new(PageDecoder).Decode(event)
}

// PageDecoder reads many Visits without their links, one after the other, in
// the same memory. The zero value is ready for use, by one goroutine at a time.
type PageDecoder struct {
	visit Visit
	texts texts
}

// Decode reads a Visit without its links. It does not alias the event. The
// Visit and its texts are valid until the next call: strings that are to be
// kept have to be cloned.
func (d *PageDecoder) Decode(event []byte) (*Visit, error) {
	d.texts = d.texts[:0]
	d.visit = Visit{}
	if _, err := d.visit.decodePage(event, &d.texts); err != nil {
		return nil, err
	}
	return &d.visit, nil
}

// texts is memory for texts. When it has to grow, those that were handed out
// stay in the memory before.
type texts []byte

// join gives a copy of a and b, one behind the other.
func (t *texts) join(a, b []byte) []byte {
	start := len(*t)
	*t = append(append(*t, a...), b...)
	return (*t)[start:len(*t):len(*t)]
}

// textOf gives bytes as a string, without a copy. They must not change for as
// long as it is in use.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// decodePage reads all but the links into v, which is empty. Its texts are
// parts of a copy of the event: one is cheaper than one of each.
func (v *Visit) decodePage(event []byte, t *texts) (LinkBlock, error) {
	r, h := visitHead(t.join(event, nil))
	v.Job, v.Attempt, v.Origin, v.Ask = h.Job, h.Attempt, h.Origin, h.Ask
	v.Outcome, v.Class, v.Status, v.Join, v.Unlisted = h.Outcome, h.Class, h.Status, h.Join, h.Unlisted
	v.Listed, v.NoFollow = h.Listed, h.NoFollow
	v.URL = textOf(h.URL)
	if len(h.ContentHash) > 0 {
		v.ContentHash = h.ContentHash
	}
	v.FoundOn, v.Redirect, v.Canonical = r.sharedText(h.URL, t), r.sharedText(h.URL, t), r.sharedText(h.URL, t)
	if h.Duplicate {
		v.DuplicateOf = r.sharedText(h.URL, t)
	}
	v.Record.decode(&r)
	return linkBlock(&r, h.URL, h.Origin), r.err
}

// sharedText reads a text that is a part of what is read or of previous, or has
// to be put together in t.
func (r *reader) sharedText(previous []byte, t *texts) string {
	n := r.uvarint()
	suffix := r.bytes()
	if n > uint64(len(previous)) {
		r.fail("a string shares more than there is")
	}
	switch {
	case r.err != nil:
		return ""
	case n == 0:
		return textOf(suffix)
	case len(suffix) == 0:
		return textOf(previous[:n])
	}
	return textOf(t.join(previous[:n], suffix))
}

func (b *LinkBlock) rest() []Link {
	var links []Link
	for b.Next() {
		links = append(links, Link{
			URL: string(b.Link.URL), Kind: b.Link.Kind, Redirect: b.Link.Redirect, Listed: b.Link.Listed, NoFollow: b.Link.NoFollow,
			Lane: b.Link.Lane, Anchor: string(b.Link.Anchor),
		})
	}
	return links
}

// LinksHead is what a fold needs of a Links, Seeds or Skip event.
type LinksHead struct {
	FoundOn   string
	Time      int64
	Parent    Origin
	Source    *Source
	Withdrawn bool
	// Dropped: each link was a job of the host that Job names, see FoundLink.Ord.
	Dropped bool
	Job     JobID
	Lane    Lane // of a Links or Seeds event
	Links   LinkBlock
}

// DecodeLinksHead reads the head of a Links, Seeds or Skip event; its links
// are read from the block.
func DecodeLinksHead(event []byte) (LinksHead, error) {
	r, h := linksHead(event)
	h.Links = linkBlock(&r, []byte(h.FoundOn), h.Parent)
	h.Links.skips, h.Links.drops = KindOf(event) == KindSkip, h.Dropped
	// A skipped seed was found on no page.
	h.Links.seeds = KindOf(event) == KindSeeds || h.Links.skips && h.FoundOn == ""
	h.Links.Link.Lane = h.Lane
	return h, r.err
}

func linksHead(event []byte) (reader, LinksHead) {
	kind := KindOf(event)
	r, flags := begin(event, kind)
	if kind != KindLinks && kind != KindSeeds && kind != KindSkip {
		r.fail("an event without a block of links")
	}
	h := LinksHead{Time: r.int()}
	if kind != KindSkip {
		h.Lane = r.lane(flags)
	}
	if kind == KindSeeds {
		if flags&flagSource != 0 {
			h.Source = &Source{Path: r.string(), Size: r.int(), MTime: r.int(), Offset: r.int()}
		}
		return r, h
	}
	h.Parent = r.origin(flags)
	if kind == KindSkip {
		h.Withdrawn, h.Dropped = flags&flagWithdrawn != 0, flags&flagDropped != 0
	}
	switch {
	case h.Dropped && !h.Withdrawn:
		r.fail("links that were dropped and not withdrawn")
	case h.Dropped:
		h.Job.Host = r.uint32()
	case h.Withdrawn:
		h.Job = r.job()
	}
	h.FoundOn = r.string()
	return r, h
}

// Known reads the second block of a Seeds event: seeds that were jobs already.
// Links that were not read yet are passed over.
func (h *LinksHead) Known() LinkBlock {
	for h.Links.Next() {
	}
	r := h.Links.r
	b := linkBlock(&r, nil, Origin{})
	b.seeds = true
	return b
}

func decodeLinks(event []byte) (Event, error) {
	h, err := DecodeLinksHead(event)
	if err != nil {
		return nil, err
	}
	links := h.Links.rest()
	if err := h.Links.Err(); err != nil {
		return nil, err
	}
	if KindOf(event) == KindLinks {
		return &Links{FoundOn: h.FoundOn, Time: h.Time, Origin: h.Parent, Links: links}, nil
	}
	known := h.Known()
	s := &Seeds{Time: h.Time, Source: h.Source, Links: links, Known: known.rest()}
	if err := known.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func decodeSkip(event []byte) (Event, error) {
	h, err := DecodeLinksHead(event)
	if err != nil {
		return nil, err
	}
	s := &Skip{FoundOn: h.FoundOn, Time: h.Time, Origin: h.Parent, Withdrawn: h.Withdrawn, Job: h.Job, Dropped: h.Dropped}
	for h.Links.Next() {
		l := &h.Links.Link
		s.Links = append(s.Links, SkipLink{
			Link: Link{
				URL: string(l.URL), Kind: l.Kind, Redirect: l.Redirect, Listed: l.Listed, NoFollow: l.NoFollow,
				Anchor: string(l.Anchor),
			},
			Reason: l.Reason,
			Ord:    l.Ord,
		})
	}
	if err := h.Links.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// DecodeRetry reads a Retry.
func DecodeRetry(event []byte) (*Retry, error) {
	r, flags := begin(event, KindRetry)
	v := &Retry{Job: r.job(), Ask: r.ask(flags)}
	v.Attempt, v.Hops, v.Class = r.byte(), r.byte(), Class(r.byte())
	v.Status = r.uint16()
	v.Due, v.Raw, v.Error = r.int(), r.string(), r.string()
	if r.err != nil {
		return nil, r.err
	}
	return v, nil
}

// DecodeHost reads a Host.
func DecodeHost(event []byte) (*Host, error) {
	r, flags := begin(event, KindHost)
	h := &Host{Same: flags&flagSame != 0, Origin: r.string(), At: r.string(), Ask: r.ask(flags)}
	h.State, h.Class, h.Attempt, h.Hops, h.GiveUp = RobotsState(r.byte()), Class(r.byte()), r.byte(), r.byte(), Class(r.byte())
	h.Status = r.uint16()
	h.Due, h.Expires, h.Delay = r.int(), r.int(), r.uint32()
	h.Next, h.Error, h.Text = r.string(), r.string(), r.string()
	if r.err != nil {
		return nil, r.err
	}
	return h, nil
}

// DecodeEdit reads an Edit.
func DecodeEdit(event []byte) (*Edit, error) {
	r, _ := begin(event, KindEdit)
	e := &Edit{Edit: EditKind(r.byte()), Time: r.int(), Upto: r.uvarint(), Settings: append([]byte(nil), r.bytes()...)}
	if r.err != nil {
		return nil, r.err
	}
	return e, nil
}

// DecodePark reads an EditPark event.
func DecodePark(event []byte) (p Park, at int64, err error) {
	e, err := DecodeEdit(event)
	if err != nil {
		return p, 0, err
	}
	if e.Edit != EditPark {
		return p, 0, fmt.Errorf("%w: an edit %d that should park a pattern", ErrDamaged, e.Edit)
	}
	if err := json.Unmarshal(e.Settings, &p); err != nil {
		return p, 0, fmt.Errorf("%w: a park: %w", ErrDamaged, err)
	}
	return p, e.Time, nil
}

// Found is a job's address as it stands in the log, and how it was found.
type Found struct {
	URL      string
	FoundOn  string
	Anchor   string
	Kind     uint8
	Redirect bool // found as the target of a redirect
	Listed   bool // named by a sitemap or a robots.txt
	NoFollow bool // found by nofollow links only
	Lane     Lane
	FoundAt  int64
	Origin
}

// DecodeFound reads the index-th link of a Visit, Links or Seeds event. With
// SelfIndex it is the visit's own address, as the link was that made its job;
// but which lane that had is not known.
func DecodeFound(event []byte, index int) (Found, error) {
	return new(FoundReader).read(event, 0, index)
}

// FoundReader reads jobs' addresses. Those of one event are read the faster for
// coming one after the other, in their order. It is for one transaction, and for one
// goroutine; the zero value is ready for use.
type FoundReader struct {
	seq   uint64    // of the event that is being read, 0: none
	next  int       // index of the link that block reads next
	block LinkBlock // of the event
	found Found     // what all of its links share
	buf   [512]byte
}

// Decode is DecodeFound, in memory that is used again.
func (d *FoundReader) Decode(event []byte, index int) (Found, error) { return d.read(event, 0, index) }

// Read reads the index-th link of the event seq, see DecodeFound.
func (d *FoundReader) Read(r *Reader, seq uint64, index int) (Found, error) {
	if seq == d.seq && seq != 0 && index >= d.next {
		return d.seek(index)
	}
	return d.read(r.Event(seq), seq, index)
}

func (d *FoundReader) read(event []byte, seq uint64, index int) (Found, error) {
	d.seq, d.next, d.found = 0, 0, Found{}
	switch KindOf(event) {
	case KindVisit:
		if index == SelfIndex {
			return decodeOwnFound(event)
		}
		h, err := DecodeVisitHead(event)
		if err != nil {
			return Found{}, err
		}
		d.block, d.found.FoundOn, d.found.FoundAt = h.Links, string(h.URL), h.Time+int64(h.Took)
	case KindLinks, KindSeeds:
		h, err := DecodeLinksHead(event)
		if err != nil {
			return Found{}, err
		}
		d.block, d.found.FoundOn, d.found.FoundAt = h.Links, h.FoundOn, h.Time
	default:
		return Found{}, fmt.Errorf("%w: a job points at an event without links", ErrDamaged)
	}
	d.block.Reuse(d.buf[:])
	d.seq = seq
	return d.seek(index)
}

// seek reads on to the index-th link.
func (d *FoundReader) seek(index int) (Found, error) {
	for index >= 0 && d.block.Next() {
		d.next++
		if d.next-1 < index {
			continue
		}
		f, l := d.found, &d.block.Link
		f.URL, f.Anchor, f.Kind, f.Origin = string(l.URL), string(l.Anchor), l.Kind, l.Origin
		f.Redirect, f.Listed, f.NoFollow, f.Lane = l.Redirect, l.Listed, l.NoFollow, l.Lane
		return f, nil
	}
	d.seq = 0
	if err := d.block.Err(); err != nil {
		return Found{}, err
	}
	return Found{}, fmt.Errorf("%w: a job points behind the links of its event", ErrDamaged)
}

func decodeOwnFound(event []byte) (Found, error) {
	v, err := DecodePage(event)
	if err != nil {
		return Found{}, err
	}
	isRedirect := v.Hops > 0
	return Found{
		URL: v.URL, FoundOn: v.FoundOn, Anchor: v.Record.Anchor, Kind: v.Record.Kind, FoundAt: v.Record.FoundAt,
		Redirect: isRedirect, NoFollow: v.NoFollow, Origin: v.Origin,
		// Visits did not always tell. What is found on a page is deeper than that,
		// and no seed.
		Listed: v.Listed || !isRedirect && v.FoundOn != "" && (v.Depth == 0 || v.Seed),
	}, nil
}
