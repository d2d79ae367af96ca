package frontier

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"pawl/storage"
)

// The heads of a checkpoint are records, each a byte that says what it is and
// its fields; docs/format.md lists them. A record never goes over the end of a
// piece.
const (
	headGeneral byte = 1 + iota
	headRoot
	headFolders
	headSource
	headHost
	headRetry
	headPark
	headUnpark
	headEdit
)

// Bits of a host's record.
const (
	hostAlive byte = 1 << iota
	hostHTTP       // what is known of its robots.txt for http follows
	hostHTTPS
	hostOpen // it has unfinished jobs in the queue
	hostTrouble
	// Above these: what the oldest open edit has done here.
	hostEditedShift = iota
)

// longRecord is more than most records take.
const longRecord = 160

// headWriter cuts records into pieces.
type headWriter struct {
	pieces [][]byte
	b      []byte
}

// begin begins a record.
func (w *headWriter) begin(kind byte) {
	if len(w.b) > storage.PieceSize-longRecord {
		w.cut()
	}
	if w.b == nil {
		w.b = make([]byte, 0, storage.PieceSize+longRecord)
	}
	w.b = append(w.b, kind)
}

func (w *headWriter) cut() {
	w.pieces = append(w.pieces, w.b)
	w.b = nil
}

func (w *headWriter) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *headWriter) byte(c byte)   { w.b = append(w.b, c) }

// time writes nanoseconds that are whole milliseconds.
func (w *headWriter) time(ns int64) { w.uint(uint64(ns / int64(time.Millisecond))) }

func (w *headWriter) string(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *headWriter) job(id storage.JobID) {
	w.uint(uint64(id.Host))
	w.uint(uint64(id.Ord))
}

// heads gives everything that is folded but fingerprints and groups, as of the
// last event: also the jobs that are not yet in their queues count.
func (f *Frontier) heads() [][]byte {
	w := &headWriter{}
	w.begin(headGeneral)
	w.uint(f.seq)
	w.uint(uint64(f.hosts.n))
	counts := f.counts
	counts.LeastLeft = 0
	text, err := json.Marshal(counts)
	if err != nil {
		panic("frontier: counts: " + err.Error())
	}
	w.string(string(text))
	w.string(string(f.settings))
	for _, n := range []uint64{f.review.upto, f.review.done, f.firstOutside, f.lastHost, f.lastFolder, f.lastReview, uint64(f.restored)} {
		w.uint(n)
	}
	for _, name := range f.scope.hosts {
		w.begin(headRoot)
		w.string(name)
		w.byte(byte(f.scope.how[name]))
	}
	folders := make([]uint64, 0, f.scope.folders.n)
	for fp := range f.scope.folders.all() {
		folders = append(folders, fp)
	}
	slices.Sort(folders)
	for part := range slices.Chunk(folders, longRecord/10) {
		w.begin(headFolders)
		w.uint(uint64(len(part)))
		for _, fp := range part {
			w.b = binary.LittleEndian.AppendUint64(w.b, fp)
		}
	}
	paths := make([]string, 0, len(f.sources))
	for path := range f.sources {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		s := f.sources[path]
		w.begin(headSource)
		w.string(path)
		w.uint(uint64(s.Size))
		w.uint(uint64(s.MTime))
		w.uint(uint64(s.Offset))
	}
	for _, p := range f.parks {
		w.begin(headPark)
		w.uint(p.Seq)
		w.string(p.Host)
		w.string(p.Pattern)
	}
	for _, u := range f.unparks {
		w.begin(headUnpark)
		w.uint(u.Seq)
		w.string(u.Host)
		w.string(u.Match)
	}
	for i := range f.edits {
		e := &f.edits[i]
		w.begin(headEdit)
		w.uint(e.Seq)
		w.byte(byte(e.Kind))
		text, err := json.Marshal(e.Predicate)
		if err != nil {
			panic("frontier: a predicate: " + err.Error())
		}
		w.string(string(text))
		w.uint(e.Upto)
		w.job(e.Job)
		w.uint(e.Done)
		w.uint(e.Changed)
	}
	staged := map[uint32]stagedJobs{}
	for _, p := range f.staged {
		s := staged[p.host]
		staged[p.host] = stagedJobs{groups: s.groups + 1, jobs: s.jobs + uint32(p.count)}
	}
	for h := range f.hosts.all() {
		w.host(h, staged[h.id])
	}
	ids := make([]storage.JobID, 0, len(f.retries))
	for id := range f.retries {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareJobs)
	for _, id := range ids {
		r := f.retries[id]
		w.begin(headRetry)
		w.job(id)
		w.uint(r.seq)
		w.uint(uint64(r.index))
		w.byte(bit(r.https, 1))
		w.byte(r.attempt)
		w.byte(r.hops)
		w.time(r.due)
		w.string(r.raw)
		w.uint(r.event)
	}
	w.cut()
	return w.pieces
}

// stagedJobs are those that are folded, and not in their host's queue before
// they are on disk.
type stagedJobs struct {
	groups int
	jobs   uint32
}

func bit(on bool, b byte) byte {
	if on {
		return b
	}
	return 0
}

func (w *headWriter) host(h *host, staged stagedJobs) {
	w.begin(headHost)
	w.string(h.name)
	q := &h.queue
	groups := len(q.groups()) + staged.groups
	flags := bit(h.alive, hostAlive) | bit(groups > 0, hostOpen) | h.edited<<hostEditedShift
	flags |= bit(h.origins[0].isFolded(), hostHTTP) | bit(h.origins[1].isFolded(), hostHTTPS)
	t := h.trouble
	if t != nil && t.isFolded() {
		flags |= hostTrouble
	}
	w.byte(flags)
	for _, n := range []uint32{q.total + staged.jobs, q.base, h.left, h.took, h.fetched} {
		w.uint(uint64(n))
	}
	w.uint(uint64(h.throttles))
	w.byte(byte(h.good))
	w.byte(h.penalty)
	w.byte(byte(h.gaveUp))
	w.time(h.lastSent)
	if groups > 0 {
		w.uint(uint64(groups))
		done, first := q.doneBits()
		w.uint(uint64(len(done)))
		for i, bits := range done {
			if i == 0 {
				bits = first
			}
			w.uint(bits)
		}
	}
	for i, flag := range schemeFlags {
		if o := &h.origins[i]; flags&flag != 0 {
			w.byte(byte(o.state))
			w.uint(o.copy)
			w.time(o.expires)
			w.uint(uint64(o.delay))
		}
	}
	if flags&hostTrouble == 0 {
		return
	}
	w.time(t.hold)
	w.time(t.throttleSince)
	w.time(t.gaveUpUntil)
	w.uint(t.gaveUpBy)
	for i := range t.robots {
		u := &t.robots[i]
		w.time(u.due)
		w.string(u.next)
		w.byte(u.attempt)
		w.byte(u.hops)
		w.byte(byte(u.class))
		w.time(u.until)
		w.uint(u.by)
	}
}

var schemeFlags = [2]byte{hostHTTP, hostHTTPS}

// isFolded tells whether anything is known of the robots.txt by the log.
func (o *origin) isFolded() bool {
	return o.state != storage.RobotsNone || o.copy != 0 || o.expires != 0 || o.delay != 0
}

// headReader takes heads over into a new frontier, and then the groups of jobs.
type headReader struct {
	*Frontier
	decoder
	general bool
	// For how many groups and hosts room is made at the most: what the heads say
	// of them may be a lie.
	mostGroups, mostHosts uint64

	known   uint64      // hosts
	queues  []queueHead // of hosts
	touched uint32
}

// queueHead is a queue while its groups are read. These stand together, apart
// from their hosts: groups come for one host after the other, and what is not
// in the processor's cache has to be waited for.
type queueHead struct {
	groups []group
	read   uint32 // jobs in the groups so far
	base   uint32
	total  uint32
	laned  bool // jobs are of several lanes
}

func (d *headReader) time() int64 { return d.int() * int64(time.Millisecond) }

func (d *headReader) job() storage.JobID {
	return storage.JobID{Host: uint32(d.upTo(1<<32 - 1)), Ord: uint32(d.upTo(1<<32 - 1))}
}

func (d *headReader) uint32() uint32 { return uint32(d.upTo(1<<32 - 1)) }

func (d *headReader) class() storage.Class { return storage.Class(d.upTo(uint64(storage.Crashed))) }

// read takes a piece of the heads over.
func (d *headReader) read(b []byte) error {
	d.decoder = decoder{b: b}
	for len(d.b) > 0 {
		var err error
		switch d.byte() {
		case headGeneral:
			err = d.readGeneral()
		case headRoot:
			name := d.string()
			d.scope.how[name] = root(d.byte())
			d.scope.hosts = append(d.scope.hosts, name)
		case headFolders:
			for fps := d.take(8 * d.upTo(1<<20)); len(fps) > 0; fps = fps[8:] {
				d.scope.folders.put(binary.LittleEndian.Uint64(fps), 0)
			}
		case headSource:
			s := storage.Source{Path: d.string()}
			s.Size, s.MTime, s.Offset = d.int(), d.int(), d.int()
			d.sources[s.Path] = s
		case headPark:
			d.parks = append(d.parks, Park{Seq: d.uint(), Host: d.string(), Pattern: d.string()})
		case headUnpark:
			d.unparks = append(d.unparks, Unpark{Seq: d.uint(), Restore: storage.Restore{Host: d.string(), Match: d.string()}})
		case headEdit:
			err = d.readEdit()
		case headHost:
			err = d.readHost()
		case headRetry:
			err = d.readRetry()
		default:
			d.fail()
		}
		if err != nil {
			return err
		}
	}
	if d.failed {
		return errPiece
	}
	return nil
}

func (d *headReader) readGeneral() error {
	d.general = true
	d.seq = d.uint()
	d.known = d.upTo(d.mostHosts)
	d.hosts.reserve(int(d.known))
	if err := json.Unmarshal(d.bytes(), &d.counts); err != nil {
		return err
	}
	if settings := d.bytes(); len(settings) > 0 {
		d.settings = slices.Clone(settings)
	}
	for _, n := range []*uint64{&d.review.upto, &d.review.done, &d.firstOutside, &d.lastHost, &d.lastFolder, &d.lastReview} {
		*n = d.uint()
	}
	d.restored = int(d.upTo(math.MaxInt32))
	return nil
}

func (d *headReader) readEdit() error {
	e := OpenEdit{Seq: d.uint(), Kind: storage.EditKind(d.byte())}
	if err := json.Unmarshal(d.bytes(), &e.Predicate); err != nil {
		return err
	}
	e.Upto, e.Job, e.Done, e.Changed = d.uint(), d.job(), d.uint(), d.uint()
	d.edits = append(d.edits, e)
	return nil
}

func (d *headReader) readHost() error {
	known := d.hosts.n
	h := d.hosts.intern(string(d.bytes()))
	if d.failed || d.hosts.n == known {
		return errors.New("a host that is there twice")
	}
	flags := d.byte()
	q := &h.queue
	for _, n := range []*uint32{&q.total, &q.base, &h.left, &h.took, &h.fetched} {
		*n = d.uint32()
	}
	h.alive = flags&hostAlive != 0
	if h.edited = flags >> hostEditedShift; h.edited != 0 {
		d.Frontier.edited = append(d.Frontier.edited, h.id)
	}
	h.throttles = uint16(d.upTo(1<<16 - 1))
	h.good, h.penalty, h.gaveUp = uint16(d.byte()), d.byte(), d.class()
	h.lastSent = d.time()
	if flags&hostOpen != 0 {
		q.open = &backlog{next: q.base}
		if n := d.upTo(d.mostGroups); !d.failed {
			d.mostGroups -= n
			q.open.groups = make([]group, 0, n)
		}
		for range d.upTo(uint64(len(d.b))) {
			q.open.done = append(q.open.done, d.uint())
		}
	}
	if q.base > q.total || (q.open == nil) != (q.base == q.total) {
		return fmt.Errorf("host %s: %d of %d jobs are finished", h.name, q.base, q.total)
	}
	for i, flag := range schemeFlags {
		if o := &h.origins[i]; flags&flag != 0 {
			o.state = storage.RobotsState(d.upTo(uint64(storage.RobotsGivenUp)))
			o.copy, o.expires, o.delay = d.uint(), d.time(), d.uint32()
		}
	}
	if flags&hostTrouble == 0 {
		return nil
	}
	t := h.inTrouble()
	t.hold, t.throttleSince, t.gaveUpUntil, t.gaveUpBy = d.time(), d.time(), d.time(), d.uint()
	for i := range t.robots {
		u := &t.robots[i]
		u.due, u.next = d.time(), d.string()
		u.attempt, u.hops, u.class = d.byte(), d.byte(), d.class()
		u.until, u.by = d.time(), d.uint()
	}
	return nil
}

func (d *headReader) readRetry() error {
	id := d.job()
	r := &retry{ord: id.Ord, heap: -1}
	r.seq, r.index, r.https = d.uint(), uint16(d.upTo(storage.SelfIndex)), d.byte()&1 != 0
	r.attempt, r.hops, r.due = d.byte(), d.byte(), d.time()
	r.raw, r.event = d.string(), d.uint()
	h, err := d.host(id)
	if err != nil {
		return err
	}
	if d.retries[id] != nil {
		return fmt.Errorf("job %d of host %s waits twice", id.Ord, h.name)
	}
	d.retries[id] = r
	h.inTrouble().retries.push(r)
	return nil
}

// end checks that the heads are those of the event seq, and makes the errands
// of robots.txt files that are under way.
func (d *headReader) end(seq uint64) error {
	if !d.general || d.seq != seq {
		return fmt.Errorf("heads of event %d", d.seq)
	}
	known := d.hosts.n
	for h := range d.hosts.all() {
		for i := range h.origins {
			if s := h.origins[i].state; s == storage.RobotsRetry || s == storage.RobotsRedirect {
				d.addErrandOf(h, i == 1)
			}
		}
	}
	if d.hosts.n != known || uint64(known) != d.known {
		return fmt.Errorf("%d hosts instead of %d", d.hosts.n, d.known)
	}
	d.queues = make([]queueHead, known)
	for h := range d.hosts.all() {
		q := &d.queues[h.id]
		q.base, q.total = h.queue.base, h.queue.total
		if h.queue.open != nil {
			q.groups = h.queue.open.groups
		}
	}
	return nil
}

// groups takes over those groups that have unfinished jobs.
func (d *headReader) groups(groups []push) error {
	for i := range groups {
		// The looks at the memory overlap, see table.touch.
		if p := &groups[i]; int(p.host) < len(d.queues) {
			d.touched += d.queues[p.host].base
		}
	}
	for i := range groups {
		p := &groups[i]
		if int(p.host) >= len(d.queues) {
			return fmt.Errorf("host %d is not known", p.host)
		}
		q := &d.queues[p.host]
		ord := q.read
		q.read += uint32(p.count)
		if q.read < ord || q.read > q.total {
			return fmt.Errorf("host %d has more than %d jobs", p.host, q.total)
		}
		if q.read > q.base {
			q.groups = append(q.groups, newGroup(p.place, p.lane, ord, p.count))
			q.laned = q.laned || p.lane != storage.LaneNormal
		}
	}
	return nil
}

// endOfQueue checks that all groups were there, and that there are as many jobs
// as the heads say.
func (d *headReader) endOfQueue() error {
	retrying := make(map[uint32]uint32, len(d.retries))
	for id := range d.retries {
		retrying[id.Host]++
	}
	pending := uint64(0)
	for h := range d.hosts.all() {
		q := &d.queues[h.id]
		if q.read != q.total {
			return fmt.Errorf("host %s has %d jobs instead of %d", h.name, q.read, q.total)
		}
		left := q.total - q.base + retrying[h.id]
		if h.queue.open != nil {
			h.queue.open.groups = q.groups
			if q.laned {
				h.queue.open.lanes = &lanes{}
			}
			left -= h.queue.doneAhead()
		}
		if left != h.left {
			return fmt.Errorf("host %s has %d unfinished jobs instead of %d", h.name, left, h.left)
		}
		pending += uint64(left)
	}
	byDepth := uint64(0)
	for _, n := range d.counts.Depths {
		byDepth += n
	}
	if pending != d.counts.Pending || byDepth != pending {
		return fmt.Errorf("%d unfinished jobs instead of %d, %d by their depths", pending, d.counts.Pending, byDepth)
	}
	if d.restored > len(d.unparks) {
		return errors.New("more is restored than was wished for")
	}
	return nil
}
