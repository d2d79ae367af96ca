package frontier

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pawl/storage"
)

// rig is a crawl without a network: a real file, a frontier on it, and a clock
// that only the test moves.
type rig struct {
	tb   testing.TB
	path string
	file *storage.File
	f    *Frontier
	o    Options
	now  time.Time
	// committed, if any, sees each batch after it is on disk.
	committed func(*storage.Batch)
	firsts    map[string]First // by address, what fetchedWith finished
}

// window is how many jobs are Careful after an unclean end.
const window = 4

var epoch = time.UnixMilli(1_700_000_000_000)

// quick are options without any waiting.
func quick() Options { return Options{PerHost: 1, IgnoreRobots: true} }

func newRig(tb testing.TB, o Options) *rig {
	tb.Helper()
	r := &rig{tb: tb, path: filepath.Join(tb.TempDir(), "crawl.pawl"), o: o, now: epoch}
	file, err := storage.Create(r.path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.file = file
	tb.Cleanup(func() { r.file.Close() })
	r.load()
	return r
}

// load folds the file and begins a run.
func (r *rig) load() {
	r.tb.Helper()
	f, err := Load(r.file, r.o)
	r.ok(err)
	r.f = f
	_, err = f.Start(r.now, 1, window)
	r.ok(err)
}

// reopen is a new process: whatever was not committed is gone.
func (r *rig) reopen() {
	r.tb.Helper()
	r.ok(r.file.Close())
	file, err := storage.Open(r.path, false)
	r.ok(err)
	r.file = file
	r.load()
}

// stop ends the run cleanly and begins another.
func (r *rig) stop() {
	r.tb.Helper()
	r.f.Stop()
	r.commit()
	r.ok(r.f.Rest(r.file))
	r.reopen()
}

func (r *rig) commit() {
	r.tb.Helper()
	b := r.f.Seal(r.now)
	r.ok(r.file.Commit(b))
	if r.committed != nil {
		r.committed(b)
	}
	r.f.Committed()
}

func (r *rig) ok(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}

// candidates are links that pass.
func (r *rig) candidates(urls ...string) []Candidate {
	links := make([]Candidate, 0, len(urls))
	for _, u := range urls {
		links = append(links, Candidate{Link: storage.Link{URL: u}, FP: r.f.Fingerprint(u)})
	}
	return links
}

func (r *rig) refused(reason storage.Reason, urls ...string) []Candidate {
	links := r.candidates(urls...)
	for i := range links {
		links[i].Reason = reason
	}
	return links
}

// seed adds seeds and commits them.
func (r *rig) seed(urls ...string) {
	r.tb.Helper()
	_, err := r.f.AddSeeds(r.candidates(urls...), nil, r.now)
	r.ok(err)
	r.commit()
}

func (r *rig) next() (j Job, ok bool) {
	r.tb.Helper()
	r.ok(r.file.View(func(reader *storage.Reader) (err error) {
		j, ok, err = r.f.Next(r.now, reader)
		return err
	}))
	return j, ok
}

// want hands out the job of this address now.
func (r *rig) want(url string) *Job {
	r.tb.Helper()
	j, ok := r.next()
	if !ok {
		at, waits := r.f.Wake()
		r.tb.Fatalf("nothing is handed out, want %s; the next in %v (%v)", url, at.Sub(r.now), waits)
	}
	if j.URL != url {
		r.tb.Fatalf("handed out %s, want %s", j.URL, url)
	}
	return &j
}

// none checks that nothing is handed out now.
func (r *rig) none() {
	r.tb.Helper()
	if j, ok := r.next(); ok {
		r.tb.Fatalf("handed out %s, want nothing", j.URL)
	}
}

// wakes checks how long the frontier wants to be left alone.
func (r *rig) wakes(in time.Duration) {
	r.tb.Helper()
	r.none()
	at, ok := r.f.Wake()
	if got := at.Sub(r.now).Round(10 * time.Millisecond); !ok || got != in {
		r.tb.Fatalf("the next job is due in %v (%v), want %v", got, ok, in)
	}
}

// answer is a visit whose request goes out now.
func (r *rig) answer(outcome storage.Outcome) *storage.Visit {
	return &storage.Visit{Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, Outcome: outcome}
}

// fetched finishes a job in no time.
func (r *rig) fetched(j *Job, links ...Candidate) {
	r.tb.Helper()
	r.f.Release(j, r.now)
	r.ok(r.f.Finish(j, r.answer(storage.Fetched), links, 0))
}

// again puts a job off for the given time.
func (r *rig) again(j *Job, due time.Duration) {
	r.tb.Helper()
	r.f.Release(j, r.now)
	r.ok(r.f.Retry(j, &storage.Retry{
		Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, Attempt: j.Attempt, Due: r.now.Add(due).UnixMilli(),
	}, 0))
}

// robots finishes a robots job.
func (r *rig) robots(j *Job, state storage.RobotsState, delay, life time.Duration) {
	r.tb.Helper()
	if !j.Robots {
		r.tb.Fatalf("%s is no robots.txt job", j.URL)
	}
	r.f.Release(j, r.now)
	r.ok(r.f.Robots(j, &storage.Host{
		Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, State: state,
		Delay: uint32(delay.Milliseconds()), Expires: r.now.Add(life).UnixMilli(),
	}, 0))
}

func (r *rig) pass(d time.Duration) { r.now = r.now.Add(d) }

// folded writes down everything that follows from the log, and nothing else.
func folded(f *Frontier) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("seq %d counts %+v", f.seq, f.Counts())
	line("settings %q review %+v", f.settings, f.review)
	line("outside %d host %d folder %d review %d", f.firstOutside, f.lastHost, f.lastFolder, f.lastReview)
	line("roots %q %v", f.scope.hosts, f.scope.how)
	line("edits %+v edited %d restored %d", f.edits, len(f.edited), f.restored)
	line("sources %v", f.sources)
	line("seen %v", standingsOf(&f.seen))
	line("prefixes %v", f.scope.folders.contents())
	line("contents %x", contentsOf(f))
	line("parks %v unparks %v", f.parks, f.unparks)
	for h := range f.hosts.all() {
		q, t := &h.queue, h.trouble
		if t == nil {
			t = new(trouble)
		}
		line("host %d %s left %d took %d fetched %d sent %d hold %d throttles %d since %d good %d penalty %d gave up %v until %d by %d alive %v edited %b",
			h.id, h.name, h.left, h.took, h.fetched, h.lastSent, t.hold, h.throttles, t.throttleSince, h.good, h.penalty, h.gaveUp, t.gaveUpUntil, t.gaveUpBy, h.alive, h.edited)
		line("  queue total %d base %d groups %v", q.total, q.base, q.groups())
		for ord := q.base; ord < q.total; ord++ {
			if q.isDone(ord) {
				line("  done %d", ord)
			}
		}
		for i := range h.origins {
			o, u := &h.origins[i], &t.robots[i]
			line("  robots %v attempt %d hops %d class %v copy %d delay %d next %q expires %d due %d until %d by %d",
				o.state, u.attempt, u.hops, u.class, o.copy, o.delay, u.next, o.expires, u.due, u.until, u.by)
		}
		var waiting []storage.JobID
		for id := range f.retries {
			if id.Host == h.id {
				waiting = append(waiting, id)
			}
		}
		slices.SortFunc(waiting, func(a, b storage.JobID) int { return int(a.Ord) - int(b.Ord) })
		for _, id := range waiting {
			t := *f.retries[id]
			t.heap = 0
			line("  retry %v %+v", id, t)
		}
		var order []uint32
		waits := slices.Clone(t.retries)
		sort.Slice(waits, waits.Less)
		for _, t := range waits {
			order = append(order, t.ord)
		}
		line("  waits %v", order)
	}
	return b.String()
}

// contentsOf gives all that is known of contents, in order.
func contentsOf(f *Frontier) (all []uint64) {
	for i := range f.contents.shards {
		for _, slot := range f.contents.shards[i].slots {
			if slot != 0 {
				all = append(all, slot, uint64(i))
			}
		}
	}
	slices.Sort(all)
	return all
}

func standingsOf(s *set) map[uint64]standing {
	all := s.admitted.contents()
	maps.Copy(all, s.refused.contents())
	return all
}

func (t *table) contents() map[uint64]standing { return maps.Collect(t.all()) }

// isPure checks that a frontier made from the file anew is what the crawl has
// in memory, by the newest checkpoint as well as by the whole log. Everything
// must be committed.
func (r *rig) isPure() {
	r.tb.Helper()
	cold, damage, err := Restore(r.file, r.o)
	r.ok(err)
	r.ok(damage)
	r.ok(cold.foldLog(r.file, false))
	r.isSame("file", cold)
	whole, err := Fold(r.file, r.o)
	r.ok(err)
	r.isSame("log", whole)
	if a, b := cold.Digest(), whole.Digest(); a != b {
		r.tb.Fatalf("the checkpoint comes to %+v, the log to %+v", a, b)
	}
}

func (r *rig) isSame(name string, cold *Frontier) {
	r.tb.Helper()
	for id, t := range cold.retries {
		// What is out waits nowhere.
		if r.f.out[id] != nil || slices.Contains(r.f.deferred, id) {
			cold.hosts.at(id.Host).trouble.retries.remove(t)
		}
	}
	for h := range cold.hosts.all() {
		for k := range h.origins {
			if o := h.origins[k]; (o.state == storage.RobotsRetry || o.state == storage.RobotsRedirect) != cold.hasErrand(h.id, k) {
				r.tb.Fatalf("%s: robots.txt in state %v, an errand waits: %v", h.name, o.state, cold.hasErrand(h.id, k))
			}
		}
	}
	if live, cold := folded(r.f), folded(cold); live != cold {
		r.tb.Fatalf("the frontier in memory is not that of the %s:\n%s", name, difference(live, cold))
	}
}

// hasErrand tells whether the robots.txt of an origin is to be asked for at
// some host.
func (f *Frontier) hasErrand(number uint32, scheme int) bool {
	id := storage.JobID{Host: number, Ord: storage.OrdRobotsHTTP + uint32(scheme)}
	for h := range f.hosts.all() {
		if slices.ContainsFunc(h.errands(), func(e errand) bool { return e.id == id }) {
			return true
		}
	}
	return false
}

func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for i := range max(len(x), len(y)) {
		var p, q string
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if p != q {
			out = append(out, "memory: "+p, "file:   "+q)
		}
		if len(out) > 20 {
			break
		}
	}
	return strings.Join(out, "\n")
}
