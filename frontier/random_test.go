package frontier

import (
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

var (
	seedFlag = flag.Uint64("seed", 0, "run TestRandom with this seed alone")
	stepFlag = flag.Int("steps", 2500, "operations of each run of TestRandom")
)

// TestRandom does random things to a frontier and to a model of it, kills and
// restarts it, and checks after each operation what must hold. The seed of a
// run that fails is in its name: go test -run TestRandom -seed N.
func TestRandom(t *testing.T) {
	if *seedFlag != 0 {
		t.Run(fmt.Sprintf("seed=%d", *seedFlag), func(t *testing.T) { simulate(t, *seedFlag, *stepFlag) })
		return
	}
	for range 5 {
		seed := rand.Uint64N(1e9) + 1
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { simulate(t, seed, *stepFlag) })
	}
}

// sim is a run of random operations.
type sim struct {
	*rig
	rng *rand.Rand

	m       *model // with everything appended
	sealing *model // with the batch that is being committed
	batch   *storage.Batch
	durable *model // with what is on disk

	// Of the process.
	out      []*running
	pages    map[string]bool // handed out in this run, by address and life
	patient  time.Time       // when suspects may run alone
	suspects map[storage.JobID]storage.Mark
	careful  int
	sent     map[string]int64 // by host, nanoseconds
	rested   map[string]int64 // likewise: not before this
	floor    int64            // no host is asked before its gap since then
	fresh    map[string]bool  // origins whose robots.txt has served no job yet
	drain    bool
	laned    int // percent of links that are not of the normal lane
	ids      map[storage.JobID]string
	urls     map[storage.JobID]string // of those that were ever handed out
	outcomes map[string]int           // how often each address and life was finished
	trace    []string
}

// running is a job that is out.
type running struct {
	job      Job
	handed   time.Time
	sent     time.Time
	rest     time.Duration
	isSent   bool // the request has gone out
	released bool
	alone    bool
}

func (s *sim) fail(format string, args ...any) {
	s.tb.Helper()
	for _, line := range s.trace[max(0, len(s.trace)-40):] {
		s.tb.Log(line)
	}
	s.tb.Fatalf(format, args...)
}

func (s *sim) log(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%v ", s.now.Sub(epoch))+fmt.Sprintf(format, args...))
}

func (s *sim) chance(percent int) bool { return s.rng.IntN(100) < percent }

func simulate(t *testing.T, seed uint64, steps int) {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 1)), m: newModel(), outcomes: map[string]int{}, ids: map[storage.JobID]string{}, urls: map[storage.JobID]string{}}
	s.laned = []int{0, 5, 60}[s.rng.IntN(3)]
	s.rig = newRig(t, s.options())
	s.durable = s.m.clone()
	s.begin(false)
	for range steps {
		s.step()
		s.check()
	}
	s.finishAll()
}

func (s *sim) options() Options {
	o := Options{PerHost: 1 + s.rng.IntN(3), IgnoreRobots: s.chance(20), Adaptive: s.chance(40)}
	o.Delay = []time.Duration{0, 300 * time.Millisecond, 5 * time.Second, time.Hour}[s.rng.IntN(4)]
	if s.chance(10) {
		o.MaxPagesPerHost = 1 + s.rng.IntN(40)
	}
	o.CheckpointEvery = 1 + s.rng.IntN(600)
	return o
}

// begin is what a new process knows.
func (s *sim) begin(unclean bool) {
	s.out, s.pages, s.sent, s.fresh = nil, map[string]bool{}, map[string]int64{}, map[string]bool{}
	s.rested = map[string]int64{} // what was asked for stands in the holds
	s.suspects, s.careful = map[storage.JobID]storage.Mark{}, 0
	s.batch, s.sealing = nil, nil
	s.patient = s.now.Add(time.Second)
	if unclean {
		s.floor = s.now.UnixNano() // and remembered by the file
	}
	for o, r := range s.m.robots {
		if r.state == storage.RobotsGivenUp && r.until <= s.now.UnixMilli() {
			r.state = storage.RobotsNone
			s.m.robots[o] = r
		}
	}
	for name, h := range s.m.hosts {
		if h.until <= s.now.UnixMilli() {
			h.gaveUp = storage.NoClass
			s.m.hosts[name] = h
		}
		if h.lastSent > 0 {
			s.sent[name] = min(h.lastSent*int64(time.Millisecond), s.now.UnixNano())
		}
		if s.floor > 0 {
			s.sent[name] = max(s.sent[name], s.floor)
		}
	}
	if unclean {
		s.careful = window
		for id, m := range s.m.marks {
			if m.Running {
				m.Marks++
			}
			if m.Only {
				m.Alone++
			}
			m.Running, m.Only = false, false
			s.suspects[id] = m
		}
	}
}

func (s *sim) step() {
	switch n := s.rng.IntN(1000); {
	case n < 380:
		s.hand()
	case n < 780:
		s.advance()
	case n < 800:
		s.edit()
	case n < 880:
		s.passTime()
	case n < 900:
		s.addSeeds()
	case n < 970:
		s.seal()
	case n < 976:
		s.o = s.options()
		s.log("set %+v", s.o)
		s.ok(s.f.Set(s.o))
	case n < 977:
		s.park()
	case n < 980:
		s.m.settings = fmt.Sprint(s.rng.IntN(1000))
		s.ok(s.f.Remember([]byte(s.m.settings), s.now))
	case n < 990:
		s.review()
	case n < 997:
		s.kill()
	default:
		s.stopCleanly()
	}
}

func (s *sim) passTime() {
	switch at, ok := s.f.Wake(); {
	case ok && at.After(s.now) && s.chance(60):
		s.now = at
	case s.chance(10):
		s.pass(time.Duration(s.rng.IntN(48)) * time.Hour / 2)
	default:
		s.pass(time.Duration(s.rng.IntN(1500)) * time.Millisecond)
	}
	s.log("time")
}

var hostNames = []string{"a.test", "b.test:8080", "c.test", "d.test", "e.test", "f.test"}

func (s *sim) url() string {
	scheme := "http://"
	if s.chance(40) {
		scheme = "https://"
	}
	return fmt.Sprintf("%s%s/%d/%d", scheme, hostNames[s.rng.IntN(len(hostNames))], s.rng.IntN(3), s.rng.IntN(40))
}

// content gives a visit a content, which others may have had.
func (s *sim) content(url string, v *storage.Visit) {
	v.ContentHash = binary.LittleEndian.AppendUint64([]byte("content "), s.rng.Uint64N(60))
	first, err := s.f.FirstWith(s.file, v.ContentHash)
	s.ok(err)
	want := s.m.contents[string(v.ContentHash)]
	if first.URL != want {
		s.fail("the content of %s was fetched first from %q, want %q", url, first.URL, want)
	}
	if v.DuplicateOf = first.URL; want == "" {
		s.m.contents[string(v.ContentHash)] = url
	}
}

// park parks a pattern, or takes that back.
func (s *sim) park() {
	host := hostNames[s.rng.IntN(len(hostNames))]
	if s.chance(70) {
		s.ok(s.f.Park(storage.Park{Host: host, Pattern: fmt.Sprintf("/%d/{n}", s.rng.IntN(3))}, s.now))
		s.m.parks++
		s.log("parked on %s", host)
		return
	}
	s.ok(s.f.Unpark(storage.Restore{Host: host}, s.now))
	s.m.unparks = append(s.m.unparks, s.f.Seq()-1)
	s.m.lastReview = s.f.Seq()
	s.m.done, s.m.upto = 0, s.f.Seq()-1
	s.log("unparked on %s", host)
}

func (s *sim) candidate() Candidate {
	c := s.candidates(s.url())[0]
	c.Kind = uint8(s.rng.IntN(20))
	c.Anchor = []string{"", "read on", "Übersicht"}[s.rng.IntN(3)]
	if s.chance(s.laned) {
		c.Lane = []storage.Lane{storage.LaneHigh, storage.LaneLow}[s.rng.IntN(2)]
	}
	if s.chance(35) {
		c.Reason, c.NoFollow = storage.TooDeep, s.chance(30)
		if s.chance(30) {
			c.Reason = storage.Parked
		}
	}
	return c
}

func (s *sim) found() []Candidate {
	if s.drain {
		return nil
	}
	var links []Candidate
	for range s.rng.IntN(6) {
		c := s.candidate()
		links = append(links, c)
		if s.chance(10) {
			// The same once more, by another link.
			c.Reason, c.NoFollow = storage.Excluded, false
			if s.chance(50) {
				c.Reason = storage.NoReason
			}
			links = append(links, c)
		}
	}
	if s.rng.IntN(400) == 0 {
		for i := range 200 + s.rng.IntN(500) {
			c := s.candidate()
			c.URL = fmt.Sprintf("%s/%d", c.URL, i)
			c.FP = s.f.Fingerprint(c.URL)
			links = append(links, c)
		}
	}
	return links
}

func (s *sim) addSeeds() {
	links := s.found()
	var source *storage.Source
	if s.chance(20) {
		source = &storage.Source{Path: fmt.Sprint("/", s.rng.IntN(2)), Offset: s.rng.Int64N(1000)}
		s.m.sources[source.Path] = *source
	}
	want := s.m.find(nil, "", s.now.UnixMilli(), links)
	got, err := s.f.AddSeeds(slices.Clone(links), source, s.now)
	s.ok(err)
	s.log("%d seeds, %d new", len(links), got)
	if got != want {
		s.fail("%d of the seeds are new, want %d", got, want)
	}
}

// hand asks for a job and checks that it is one that may start.
func (s *sim) hand() {
	j, ok := s.next()
	if !ok {
		s.checkNone()
		return
	}
	s.log("out: %s attempt %d robots %v gave up %v careful %v alone %v condemned %v", j.URL, j.Attempt, j.Robots, j.GaveUp, j.Careful, j.Alone, j.Condemned)
	if j.Asked == "" || s.f.hosts.at(j.asked).name != j.Asked || j.Host != s.f.hosts.at(j.ID.Host).name {
		s.fail("host %q, asked %q", j.Host, j.Asked)
	}
	for _, r := range s.out {
		if r.job.ID == j.ID {
			s.fail("%s is out already", j.URL)
		}
	}
	if j.Robots {
		s.checkRobotsJob(&j)
	} else {
		s.checkPageJob(&j)
	}
	free := j.GaveUp != storage.NoClass
	if name := j.Asked; !free {
		running, hidden := 0, false
		for _, r := range s.out {
			if r.job.Asked == name && !r.released {
				running++
				hidden = hidden || r.job.TellSent && !r.isSent
			}
		}
		gap := s.m.gap(name, &s.o)
		switch {
		case running >= s.o.PerHost:
			s.fail("%d connections to %s", running+1, name)
		case hidden:
			s.fail("%s is asked while a request may not have gone out yet", name)
		case s.sent[name] > 0 && s.now.UnixNano() < s.sent[name]+int64(gap):
			s.fail("%s is asked %v after the last time, gap %v", name, time.Duration(s.now.UnixNano()-s.sent[name]), gap)
		case s.now.UnixNano() < s.rested[name]:
			s.fail("%s is asked while it is to rest for %v", name, time.Duration(s.rested[name]-s.now.UnixNano()))
		case s.now.UnixMilli() < s.m.hosts[name].hold:
			s.fail("%s is asked while it is held", name)
		case !j.Condemned && j.TellSent != (s.o.PerHost > 1 && gap > 0):
			s.fail("TellSent is %v", j.TellSent)
		}
	}
	s.checkPoison(&j)
	r := &running{job: j, handed: s.now}
	if s.chance(15) && s.laned > 0 {
		gap := time.Duration(1 + s.rng.Int64N(int64(20*time.Second)))
		s.f.Delay(&r.job, gap)
		if r.job.GaveUp == storage.NoClass && !r.job.Condemned {
			r.rest = gap
			if !r.job.TellSent {
				s.fail("%s is to be followed by a rest, and TellSent is not set", j.URL)
			}
		}
	}
	s.out = append(s.out, r)
}

// began notes that a request has gone out.
func (s *sim) began(r *running) {
	name, at := r.job.Asked, r.sent.UnixNano()
	s.sent[name] = max(s.sent[name], at)
	if r.rest > 0 {
		s.rested[name] = max(s.rested[name], at+int64(r.rest))
	}
}

// checkHold checks that the log has what the host is to rest.
func (s *sim) checkHold(r *running, a *storage.Ask) {
	if until := r.sent.Add(r.rest); r.rest > 0 && a.Asked && time.UnixMilli(a.Hold).Before(until) {
		s.fail("%s is held %v too short", r.job.URL, until.Sub(time.UnixMilli(a.Hold)))
	}
}

var lanesInOrder = []storage.Lane{storage.LaneHigh, storage.LaneNormal, storage.LaneLow}

func life(url string, p *page) string { return fmt.Sprintf("%s#%d.%d", url, p.call, p.life) }

func (s *sim) checkPageJob(j *Job) {
	p, ok := s.m.pages[j.URL]
	d, isDurable := s.durable.pages[j.URL]
	switch {
	case !ok:
		s.fail("%s was never admitted", j.URL)
	case p.finished:
		s.fail("%s is finished", j.URL)
	case !isDurable || d.call != p.call:
		s.fail("%s is handed out before it is on disk", j.URL)
	case j.Found != p.found:
		s.fail("found as %+v, want %+v", j.Found, p.found)
	case j.Attempt != p.attempt+1 || j.Raw != p.raw || j.Hops != max(p.hops, p.found.Hops):
		s.fail("attempt %d raw %q hops %d, want after %+v", j.Attempt, j.Raw, j.Hops, p)
	}
	key := life(j.URL, &p)
	if old, ok := s.ids[j.ID]; ok && old != key {
		s.fail("job %v was %s and is %s", j.ID, old, key)
	}
	s.ids[j.ID], s.urls[j.ID] = key, j.URL
	if s.pages[key] && !p.retrying {
		s.fail("%s comes twice", key)
	}
	s.pages[key] = true
	o := weburl.URL(j.URL).Origin()
	if !p.retrying && !s.isPutOff(j.URL) {
		for url, q := range s.m.pages {
			if q.finished || s.isPutOff(url) || q.retrying || s.pages[life(url, &q)] || hostOf(url) != j.Host || url == j.URL {
				continue
			}
			if dq, ok := s.durable.pages[url]; !ok || dq.call != q.call {
				continue
			}
			before, after := slices.Index(lanesInOrder, q.lane), slices.Index(lanesInOrder, p.lane)
			if before != after {
				if before < after {
					s.fail("%s of the %v lane comes before %s of the %v lane", j.URL, p.lane, url, q.lane)
				}
				continue
			}
			if q.call < p.call || q.call == p.call && weburl.URL(url).Origin() == o && q.rank < p.rank {
				s.fail("%s comes before %s, which was found earlier", j.URL, url)
			}
		}
	}
	h := s.m.hosts[j.Host]
	r := s.m.robots[o]
	want := h.gaveUp
	if want == storage.NoClass && !s.o.IgnoreRobots && r.state == storage.RobotsGivenUp {
		want = storage.Robots
		if r.class == storage.PrivateAddress {
			want = r.class
		}
	}
	if j.GaveUp != want {
		s.fail("%s comes as given up with %v, want %v", j.URL, j.GaveUp, want)
	}
	if want != storage.NoClass {
		return
	}
	if s.now.UnixMilli() < p.due {
		s.fail("%s comes before it is due", j.URL)
	}
	if n := s.o.MaxPagesPerHost; n > 0 {
		out := 0
		for _, r := range s.out {
			if !r.job.Robots && r.job.Host == j.Host {
				out++
			}
		}
		if h.fetched+out >= n {
			s.fail("%s is one more than %d pages of its host", j.URL, n)
		}
	}
	if s.o.IgnoreRobots {
		return
	}
	if r.state != storage.RobotsRules && r.state != storage.RobotsAllow {
		s.fail("%s comes before its robots.txt, which is in state %v", j.URL, r.state)
	}
	if s.durable.robots[o].learned != r.learned {
		s.fail("%s comes before its robots.txt is on disk", j.URL)
	}
	for _, x := range s.out {
		if x.job.Robots && weburl.URL(s.robotsOrigin(&x.job)) == weburl.URL(o) {
			s.fail("%s comes while its robots.txt is asked for", j.URL)
		}
	}
	if s.now.UnixMilli() >= r.expires && !s.fresh[o] {
		s.fail("%s comes with a robots.txt that is too old", j.URL)
	}
	delete(s.fresh, o)
	if j.Rules != r.rules {
		s.fail("%s carries rules %d, want %d", j.URL, j.Rules, r.rules)
	}
}

func (s *sim) robotsOrigin(j *Job) string {
	if j.ID.Ord == storage.OrdRobotsHTTPS {
		return "https://" + j.Host
	}
	return "http://" + j.Host
}

func (s *sim) checkRobotsJob(j *Job) {
	o := s.robotsOrigin(j)
	r := s.m.robots[o]
	url, attempt, hops := o+"/robots.txt", uint8(0), uint8(0)
	switch r.state {
	case storage.RobotsGivenUp:
		s.fail("%s was given up", o)
	case storage.RobotsRetry, storage.RobotsRedirect:
		attempt, hops = r.attempt, r.hops
		if r.next != "" {
			url = r.next
		}
		if s.now.UnixMilli() < r.due && j.GaveUp == storage.NoClass {
			s.fail("%s comes before it is due", j.URL)
		}
	case storage.RobotsRules, storage.RobotsAllow:
		if s.now.UnixMilli() < r.expires {
			s.fail("%s is asked for again too early", j.URL)
		}
		if s.fresh[o] {
			s.fail("%s is asked for again and has not served yet", j.URL)
		}
	}
	if j.URL != url || j.Attempt != attempt+1 || j.Hops != hops || j.Asked != hostOf(url) || j.Host != hostOf(o+"/") {
		s.fail("robots job %+v, want %s attempt %d hops %d", j, url, attempt+1, hops)
	}
	if j.GaveUp != s.m.hosts[j.Asked].gaveUp {
		s.fail("%s comes as given up with %v", j.URL, j.GaveUp)
	}
}

// checkPoison holds the flags of a job against the marks of earlier ends.
func (s *sim) checkPoison(j *Job) {
	m, suspect := s.suspects[j.ID]
	careful, condemned := suspect || s.careful > 0, suspect && m.Marks >= 3 && m.Alone >= 2
	alone := suspect && !condemned
	if j.Robots {
		alone = alone && m.Marks >= 5 && !s.now.Before(s.patient)
	} else {
		alone = alone && m.Marks >= 2 && !s.now.Before(s.patient) && j.GaveUp == storage.NoClass
	}
	s.careful = max(0, s.careful-1)
	if j.Careful != careful || j.Alone != alone || j.Condemned != condemned {
		s.fail("%s is careful %v alone %v condemned %v, want %v %v %v", j.URL, j.Careful, j.Alone, j.Condemned, careful, alone, condemned)
	}
}

// isPutOff tells whether a page waits until it may run alone.
func (s *sim) isPutOff(url string) bool {
	for id, m := range s.suspects {
		if s.urls[id] == url {
			return m.Marks >= 2 && !(m.Marks >= 3 && m.Alone >= 2)
		}
	}
	return false
}

// checkNone checks that nothing could have been handed out: that no host was
// forgotten.
func (s *sim) checkNone() {
	if at, ok := s.f.Wake(); ok && !at.After(s.now) {
		s.fail("there is something to hand out since %v", at.Sub(epoch))
	}
	now := s.now.UnixMilli()
	isOpen := func(name string) bool {
		h := s.m.hosts[name]
		if h.gaveUp != storage.NoClass {
			return true
		}
		running := 0
		for _, r := range s.out {
			if r.job.Asked == name && !r.released {
				if r.job.TellSent && !r.isSent {
					return false
				}
				running++
			}
		}
		// A millisecond, because that is how exact the file is.
		gate := max(s.sent[name], s.floor) + int64(s.m.gap(name, &s.o)) + int64(time.Millisecond)
		gate = max(gate, s.rested[name])
		for _, r := range s.out {
			if r.job.Asked == name && !r.released && r.job.GaveUp == storage.NoClass {
				gate = max(gate, r.handed.UnixNano()+int64(s.m.gap(name, &s.o)))
			}
		}
		return running < s.o.PerHost && (max(s.sent[name], s.floor) == 0 && running == 0 || s.now.UnixNano() >= gate) && now >= h.hold
	}
	busy := map[string]bool{} // hosts with an origin that waits for its robots.txt
	for o, r := range s.m.robots {
		if r.state == storage.RobotsRetry || r.state == storage.RobotsRedirect {
			busy[hostOf(o+"/")] = true
			at := hostOf(o + "/")
			if r.next != "" {
				at = hostOf(r.next)
			}
			isOut := slices.ContainsFunc(s.out, func(x *running) bool { return x.job.Robots && s.robotsOrigin(&x.job) == o })
			if !isOut && isOpen(at) && (now >= r.due || s.m.hosts[at].gaveUp != storage.NoClass) {
				s.fail("the robots.txt of %s is not handed out", o)
			}
		}
		if s.durable.robots[o].learned != r.learned {
			busy[hostOf(o+"/")] = true
		}
	}
	for _, x := range s.out {
		if x.job.Robots {
			busy[x.job.Host] = true
		}
	}
	for url, p := range s.m.pages {
		name := hostOf(url)
		h := s.m.hosts[name]
		d, isDurable := s.durable.pages[url]
		isOut := slices.ContainsFunc(s.out, func(x *running) bool { return x.job.URL == url })
		if p.finished || isOut || !isDurable || d.call != p.call || !isOpen(name) {
			continue
		}
		if s.isPutOff(url) && s.now.Before(s.patient) {
			continue
		}
		if h.gaveUp == storage.NoClass {
			outPages := 0
			for _, x := range s.out {
				if !x.job.Robots && x.job.Host == name {
					outPages++
				}
			}
			n := s.o.MaxPagesPerHost
			if n > 0 && h.fetched+outPages >= n || now < p.due || busy[name] && !s.o.IgnoreRobots {
				continue
			}
		}
		s.fail("%s is not handed out", url)
	}
}

// advance brings a job that is out a step further.
func (s *sim) advance() {
	if len(s.out) == 0 {
		return
	}
	i := s.rng.IntN(len(s.out))
	r := s.out[i]
	j := &r.job
	if s.chance(50) && !s.drain {
		s.pass(time.Duration(s.rng.IntN(800)) * time.Millisecond)
	}
	asks := j.GaveUp == storage.NoClass && !j.Condemned
	if !r.isSent && !r.released && asks && (s.drain || s.chance(90)) {
		if j.Alone && !r.alone && s.chance(70) {
			s.f.RunsAlone(j)
			r.alone = true
		}
		r.isSent, r.sent = true, s.now
		if j.TellSent {
			s.f.Sent(j, s.now)
			s.began(r)
		}
		return
	}
	if !r.released {
		s.f.Release(j, r.sent)
		if r.isSent {
			s.began(r)
		}
		r.released = true
		s.log("over: %s", j.URL)
		if s.chance(30) && !s.drain {
			return
		}
	}
	s.out = slices.Delete(s.out, i, i+1)
	delete(s.suspects, j.ID)
	ask := storage.Ask{Asked: r.isSent, Time: s.now.UnixMilli()}
	if r.isSent {
		ask.Time = r.sent.UnixMilli()
		ask.Took = uint32(s.now.UnixMilli() - ask.Time)
		ask.Throttled = s.chance(8)
		if j.Asked == "f.test" {
			ask.Throttled = s.chance(85)
		}
	}
	var retryAfter time.Duration
	if s.chance(20) {
		retryAfter = time.Duration(s.rng.IntN(300)) * time.Second
	}
	if j.Robots {
		s.endRobots(r, ask, retryAfter)
	} else {
		s.endPage(r, ask, retryAfter)
	}
}

func (s *sim) endPage(r *running, ask storage.Ask, retryAfter time.Duration) {
	j := &r.job
	p := s.m.pages[j.URL]
	if r.isSent && j.Attempt < 5 && (ask.Throttled || s.chance(20)) {
		e := &storage.Retry{
			Ask: ask, Attempt: j.Attempt, Hops: j.Hops, Class: storage.Timeout, Status: 503,
			Due: s.now.UnixMilli() + s.rng.Int64N(5000), Error: "no",
		}
		if s.chance(20) {
			e.Raw, e.Hops = j.URL+"?utm_source=x", min(j.Hops, 200)+1
		}
		s.ok(s.f.Retry(j, e, retryAfter))
		s.log("retry: %s", j.URL)
		s.checkHold(r, &e.Ask)
		s.m.asked(j.Host, &e.Ask)
		p.retrying, p.attempt, p.hops, p.raw, p.due = true, e.Attempt, e.Hops, e.Raw, e.Due
		s.m.pages[j.URL] = p
		return
	}
	if !r.isSent && j.GaveUp == storage.NoClass && !j.Condemned && s.chance(30) {
		s.ok(s.f.Withdraw(j, storage.OutOfScope, s.now))
		s.log("withdrawn: %s", j.URL)
		delete(s.m.pages, j.URL)
		s.m.refused[j.URL] = p.found.Depth
		if p.found.NoFollow {
			s.m.refused[j.URL] += nofollowOnly
		}
		s.m.withdrawn++
		return
	}
	ask.Transferred = s.rng.Int64N(1000)
	v := &storage.Visit{Ask: ask, Outcome: storage.Fetched}
	var links []Candidate
	switch {
	case j.Condemned:
		v.Outcome, v.Class = storage.Failed, storage.Crashed
	case j.GaveUp != storage.NoClass:
		v.Outcome, v.Class = storage.Failed, j.GaveUp
	case !r.isSent:
		v.Outcome = storage.Blocked
	case ask.Throttled:
		v.Outcome, v.Class = storage.Failed, storage.Throttled
	case s.chance(10):
		v.Outcome, v.Status = storage.Failed, 404
	case s.chance(20) && !s.drain && j.Found.Hops < 200:
		v.Outcome = storage.Redirected
		links = []Candidate{s.candidate()}
		links[0].Redirect = true
		if s.chance(50) {
			v.Join = links[0].URL
			s.m.root(v.Join, false)
		}
	default:
		links = s.found()
		if s.chance(10) { // a sitemap
			for i := range links {
				links[i].Listed = true
			}
		}
	}
	if v.Outcome == storage.Fetched && s.chance(80) {
		s.content(j.URL, v)
	}
	if v.Unlisted = s.chance(20); v.Unlisted && v.Outcome == storage.Fetched {
		s.m.unlisted++
	}
	p.seq, p.outcome, p.class = s.f.Seq()+1, v.Outcome, v.Class
	given := slices.Clone(links)
	s.ok(s.f.Finish(j, v, given, retryAfter))
	s.log("finished: %s %v %d links", j.URL, v.Outcome, len(links))
	s.checkHold(r, &v.Ask)
	key := life(j.URL, &p)
	s.outcomes[key]++
	s.m.outcomes[v.Outcome]++
	s.m.transferred += int(v.Transferred)
	if v.Outcome == storage.Failed {
		s.m.classes[v.Class]++
	}
	s.m.asked(j.Host, &v.Ask)
	if v.Outcome == storage.Fetched {
		h := s.m.hosts[j.Host]
		h.fetched++
		s.m.hosts[j.Host] = h
	}
	p.finished, p.retrying = true, false
	s.m.pages[j.URL] = p
	s.m.find(&p.found.Origin, j.URL, v.Time+int64(v.Took), links)
}

func (s *sim) endRobots(r *running, ask storage.Ask, retryAfter time.Duration) {
	j := &r.job
	o := s.robotsOrigin(j)
	known := s.m.robots[o]
	e := &storage.Host{Ask: ask}
	life := time.Duration(s.rng.IntN(86_000)) * time.Second
	if s.chance(10) {
		life = 0
	}
	e.Expires = s.now.Add(life).UnixMilli()
	delay := []uint32{0, 0, 700, 4000}[s.rng.IntN(4)]
	state, copyDelay, rules := s.f.RobotsCopy(j)
	if rules != known.rules || state == storage.RobotsRules && copyDelay != known.delay {
		s.fail("the copy is %v of %d, want of %d", state, rules, known.rules)
	}
	switch {
	case !r.isSent, s.chance(3):
		e.State, e.Class = storage.RobotsGivenUp, storage.Timeout
		if s.chance(30) {
			e.Class = storage.PrivateAddress
		}
	case (ask.Throttled || s.chance(15)) && j.Attempt < 5:
		e.State, e.Attempt, e.Hops, e.Class = storage.RobotsRetry, j.Attempt, j.Hops, storage.Timeout
		e.Due, e.Expires = s.now.UnixMilli()+s.rng.Int64N(10_000), 0
		if j.Hops > 0 {
			e.Next = j.URL
		}
	case s.chance(20) && j.Hops < 5:
		e.State, e.Hops, e.Expires = storage.RobotsRedirect, j.Hops+1, 0
		e.Next = weburl.URL(s.url()).Origin() + "/robots2.txt"
	case state == storage.RobotsRules && s.chance(60):
		e.State, e.Same, e.Delay = state, true, delay
	case s.chance(40):
		e.State = storage.RobotsAllow
	default:
		e.State, e.Text, e.Delay = storage.RobotsRules, "User-agent: *\nDisallow: /x\n", delay
	}
	seq := s.f.Seq() + 1
	s.ok(s.f.Robots(j, e, retryAfter))
	s.checkHold(r, &e.Ask)
	s.log("robots of %s: state %v next %q", o, e.State, e.Next)
	if e.Origin != o {
		s.fail("the event is of %s, want %s", e.Origin, o)
	}
	s.m.asked(j.Asked, &e.Ask)
	s.m.robotsEvents++
	known.learned = s.m.robotsEvents
	switch known.state = e.State; e.State {
	case storage.RobotsRetry, storage.RobotsRedirect:
		known.attempt, known.hops, known.next, known.due = e.Attempt, e.Hops, e.Next, e.Due
	default:
		known.attempt, known.hops, known.next, known.due = 0, 0, "", 0
		known.expires = e.Expires
		s.fresh[o] = true
	}
	switch {
	case e.State == storage.RobotsRules && !e.Same:
		known.rules, known.delay = seq, e.Delay
	case e.State == storage.RobotsRules:
		known.delay = e.Delay
	case e.State == storage.RobotsAllow:
		known.rules, known.delay = 0, 0
	case e.State == storage.RobotsGivenUp:
		known.class, known.until = e.Class, e.Expires
	}
	s.m.robots[o] = known
}

// review judges some skipped links anew.
func (s *sim) review() {
	if s.m.upto == 0 {
		s.m.upto, s.m.done = s.f.Seq(), 0
		s.ok(s.f.OpenReview(s.now))
		s.m.lastReview = s.f.Seq()
		s.log("review opened up to %d", s.m.upto)
		return
	}
	last := s.m.done
	type finding struct {
		head  storage.LinksHead
		links []Candidate
	}
	var found []finding
	s.ok(s.file.View(func(r *storage.Reader) error {
		return r.Scan(s.m.done+1, func(seq uint64, event []byte) (bool, error) {
			if seq > s.m.upto || seq > s.m.done+100 {
				return false, nil
			}
			last = seq
			if storage.KindOf(event) != storage.KindSkip {
				return true, nil
			}
			head, err := storage.DecodeLinksHead(event)
			if err != nil {
				return false, err
			}
			var links []Candidate
			for head.Links.Next() {
				if l := head.Links.Link; s.chance(30) {
					c := s.candidates(string(l.URL))[0]
					c.Kind, c.Anchor, c.Redirect, c.Listed = l.Kind, string(l.Anchor), l.Redirect, l.Listed
					if s.chance(s.laned) {
						c.Lane = storage.LaneLow
					}
					c.Restored = s.chance(50)
					links = append(links, c)
				}
			}
			found = append(found, finding{head, links})
			return true, head.Links.Err()
		})
	}))
	for _, x := range found {
		parent, at := &x.head.Parent, x.head.Time
		if x.head.FoundOn == "" {
			parent, at = nil, s.now.UnixMilli()
			x.links = slices.DeleteFunc(x.links, func(c Candidate) bool { return s.m.refused[c.URL] == takenOut && !c.Restored })
		}
		want := s.m.find(parent, x.head.FoundOn, at, x.links)
		got, err := s.f.Readmit(&x.head, x.links, s.now)
		s.ok(err)
		if got != want {
			s.fail("%d links are admitted now, want %d", got, want)
		}
	}
	if last == s.m.done {
		return
	}
	s.ok(s.f.Reviewed(last, s.now))
	s.log("reviewed up to %d", last)
	if s.m.done = last; last >= s.m.upto {
		s.m.reviewed()
	}
}

// edit opens an edit of the queue, or carries a slice of the oldest out.
func (s *sim) edit() {
	if len(s.m.edits) == 0 || s.chance(10) {
		p := storage.Predicate{Host: hostNames[s.rng.IntN(len(hostNames))]}
		e := edit{OpenEdit: OpenEdit{Seq: s.f.Seq() + 1, Kind: storage.EditDrop, Predicate: p, Upto: s.f.Seq()}, done: map[string]bool{}}
		if s.chance(60) {
			e.Kind = storage.EditRetry
			s.ok(s.f.OpenRetry(p, s.now))
		} else {
			s.ok(s.f.OpenDrop(p, s.now))
		}
		s.m.edits = append(s.m.edits, e)
		s.log("edit %d on %s", e.Kind, p.Host)
		return
	}
	if s.m.edits[0].Kind == storage.EditDrop {
		s.drop()
	} else {
		s.reopenSome()
	}
}

func (s *sim) drop() {
	e := &s.m.edits[0]
	jobs, next, more := s.f.JobsFrom(nil, e.Job, 1+s.rng.IntN(40))
	isOut := map[storage.JobID]bool{}
	for _, r := range s.out {
		isOut[r.job.ID] = true
	}
	var doomed []Dropped
	var urls []string
	s.ok(s.file.View(func(r *storage.Reader) error {
		for i := range jobs {
			found, err := jobs[i].Found(r, new(storage.FoundReader))
			if err != nil {
				return err
			}
			if jobs[i].IsOut != isOut[jobs[i].ID] {
				s.fail("%s is out: %v", found.URL, jobs[i].IsOut)
			}
			if jobs[i].Host != e.Host || s.chance(20) {
				continue
			}
			doomed = append(doomed, Dropped{jobs[i].ID, found})
			if !jobs[i].IsOut {
				urls = append(urls, found.URL)
				delete(s.suspects, jobs[i].ID)
			}
		}
		return nil
	}))
	n, err := s.f.Drop(doomed, next, !more, s.now)
	s.ok(err)
	s.log("dropped %q up to %v", urls, next)
	if n != len(urls) {
		s.fail("%d were dropped, want %d", n, len(urls))
	}
	for _, url := range urls {
		if p, ok := s.m.pages[url]; !ok || p.finished {
			s.fail("%s was dropped, and was not in the queue", url)
		}
		s.m.drop(url)
	}
	if e.Job = next; !more {
		s.m.edits = s.m.edits[1:]
	}
}

func (s *sim) reopenSome() {
	e := &s.m.edits[0]
	reached, most := e.Done, uint64(1+s.rng.IntN(300))
	var visits []storage.Reopened
	var urls []string
	s.ok(s.file.View(func(r *storage.Reader) error {
		return r.Scan(e.Done+1, func(seq uint64, event []byte) (bool, error) {
			if seq > e.Upto || seq > e.Done+most {
				return false, nil
			}
			reached = seq
			if storage.KindOf(event) != storage.KindVisit {
				return true, nil
			}
			v, err := storage.DecodeVisitHead(event)
			url := string(v.URL)
			if v.Outcome != storage.Failed && v.Outcome != storage.Blocked || hostOf(url) != e.Host || s.chance(10) {
				return true, err
			}
			o := storage.Reopened{
				Seq: seq, Host: v.Job.Host, HTTPS: weburl.URL(url).Scheme() == "https", Depth: v.Depth, Outcome: v.Outcome, Class: v.Class,
			}
			if s.chance(s.laned) {
				o.Lane = storage.LaneHigh
			}
			visits, urls = append(visits, o), append(urls, url)
			return true, err
		})
	}))
	if reached == e.Done {
		return // nothing of it is on disk
	}
	s.m.calls++
	want := 0
	for i, url := range urls {
		// Others were reopened before, and may have another outcome by now.
		if p := s.m.pages[url]; p.finished && p.seq == visits[i].Seq {
			o := weburl.URL(url).Origin()
			was := s.m.edits[0].done[o]
			s.m.reopen(url, i, visits[i].Lane)
			if s.m.edits[0].done[o] && !was {
				delete(s.fresh, o)
			}
			want++
		}
	}
	var got int
	s.ok(s.file.View(func(r *storage.Reader) (err error) {
		got, err = s.f.Reopen(r, visits, reached, s.now)
		return err
	}))
	s.log("reopened %q up to %d", urls, reached)
	if got != want {
		s.fail("%d outcomes were withdrawn of %q, want %d", got, urls, want)
	}
	if e.Done = reached; e.Done == e.Upto {
		s.m.edits = s.m.edits[1:]
	}
}

// checkJobs checks that a walk over the queue meets all jobs that are on disk.
func (s *sim) checkJobs() {
	want := map[string]bool{}
	for url, p := range s.m.pages {
		if d, ok := s.durable.pages[url]; ok && !p.finished && d.call == p.call {
			want[url] = true
		}
	}
	var from storage.JobID
	for more := true; more; {
		var jobs []QueuedJob
		jobs, from, more = s.f.JobsFrom(nil, from, 1+s.rng.IntN(20))
		s.ok(s.file.View(func(r *storage.Reader) error {
			for i := range jobs {
				found, err := jobs[i].Found(r, new(storage.FoundReader))
				if err != nil {
					return err
				}
				p := s.m.pages[found.URL]
				if !want[found.URL] || found != p.found || jobs[i].Attempt != p.attempt || (jobs[i].Retry != 0) != p.retrying {
					s.fail("the queue has %+v, found as %+v, want %+v", jobs[i], found, p)
				}
				delete(want, found.URL)
				at, _, ok := s.f.JobAt(jobs[i].Host, jobs[i].Seq, jobs[i].Index)
				if !ok || at != jobs[i] {
					s.fail("the job %+v is not where it stands: %+v", jobs[i], at)
				}
			}
			return nil
		}))
	}
	for url := range want {
		s.fail("%s is not in the queue", url)
	}
}

// checkWaits checks that what hosts are said to wait for is true.
func (s *sim) checkWaits() {
	for h := range s.f.hosts.all() {
		if slices.ContainsFunc(s.f.deferred, func(id storage.JobID) bool { return id.Host == h.id }) {
			continue
		}
		look, _ := s.f.HostNamed(h.name, s.now)
		at, turn := s.f.when(h), s.f.wait(h)
		switch {
		case look.Wait == WaitLost:
			if look.GaveUp == storage.NoClass || at != 0 && at != never {
				s.fail("%s is given up for %v, and due at %d", h.name, look.GaveUp, at)
			}
		case turn.at != at:
			s.fail("%s waits for %v until %d, and is due at %d", h.name, look.Wait, turn.at, at)
		case at <= s.now.UnixNano() != (look.Wait == WaitWorker) && (at != never || look.Wait != WaitWorker):
			s.fail("%s waits for %v, and is due at %d", h.name, look.Wait, at)
		case look.Until.IsZero() != (at == never || at <= s.now.UnixNano()), !look.Until.IsZero() && look.Until.UnixNano() != at:
			s.fail("%s waits until %v, and is due at %d", h.name, look.Until, at)
		}
	}
}

// seal takes one of the two steps of a commit.
func (s *sim) seal() {
	if s.batch == nil {
		s.m.marks = s.marks()
		s.batch = s.f.Seal(s.now)
		s.sealing = s.m.clone()
		s.log("seal %d events", s.batch.Len())
		got := map[storage.JobID]storage.Mark{}
		for _, m := range s.batch.State.Out {
			got[m.Job] = m
		}
		if !maps.Equal(got, s.m.marks) {
			s.fail("marks %v, want %v", got, s.m.marks)
		}
		if s.batch.State.Counts.Pending != s.f.Counts().Pending || !s.batch.State.Run.Running {
			s.fail("state %+v", s.batch.State)
		}
		return
	}
	s.ok(s.file.Commit(s.batch))
	s.f.Committed()
	s.log("committed")
	s.durable, s.batch, s.sealing = s.sealing, nil, nil
	if s.f.Waiting() == 0 && s.chance(30) {
		s.isPure()
	}
}

// marks are those that a commit now has to store.
func (s *sim) marks() map[storage.JobID]storage.Mark {
	marks := map[storage.JobID]storage.Mark{}
	for id, m := range s.suspects {
		marks[id] = m
	}
	for _, r := range s.out {
		m, ok := s.suspects[r.job.ID]
		if !ok {
			m.Job = r.job.ID
		}
		m.Running = true
		m.Only = len(s.out) == 1 && (s.careful > 0 && !s.now.Before(s.patient) || r.alone)
		marks[r.job.ID] = m
	}
	return marks
}

// kill ends the process without warning.
func (s *sim) kill() {
	if s.batch != nil && s.chance(50) {
		// It died after the commit, and before anybody knew.
		s.ok(s.file.Commit(s.batch))
		s.durable = s.sealing
	}
	s.log("killed")
	s.restart(true)
}

func (s *sim) stopCleanly() {
	for s.batch != nil {
		s.seal()
	}
	for _, r := range s.out {
		if !r.isSent || r.released {
			continue
		}
		// Its exchange is broken off.
		ask := storage.Ask{Asked: true, Time: r.sent.UnixMilli(), Took: uint32(s.now.Sub(r.sent).Milliseconds())}
		s.f.Release(&r.job, r.sent)
		s.ok(s.f.Abandon(&r.job, ask))
		ask.Penalty = s.f.hosts.at(r.job.asked).penalty
		if r.rest > 0 {
			ask.Hold = ask.Time + (r.rest + 2*time.Millisecond - 1).Milliseconds()
			s.checkHold(r, &ask)
		}
		s.m.asked(r.job.Asked, &ask)
	}
	s.f.Stop()
	b := s.f.Seal(s.now)
	if len(b.State.Out) > 0 || b.State.Run.Running {
		s.fail("a clean stop leaves %+v", b.State)
	}
	s.ok(s.file.Commit(b))
	if s.chance(70) {
		s.ok(s.f.Rest(s.file))
	}
	s.m.marks = nil
	s.durable = s.m.clone()
	s.log("stopped")
	s.restart(false)
}

func (s *sim) restart(unclean bool) {
	// Outcomes that were lost will come again.
	for key := range s.outcomes {
		delete(s.outcomes, key)
	}
	for url, p := range s.durable.pages {
		if p.finished {
			s.outcomes[life(url, &p)] = 1
		}
	}
	clear(s.ids)
	if s.chance(20) {
		s.pass(time.Duration(s.rng.IntN(100)) * time.Hour)
	}
	// A run that never committed left nothing to tell it from a clean end.
	unclean = unclean && s.durable.marks != nil
	s.m = s.durable.clone()
	if s.chance(30) {
		s.o = s.options()
	}
	s.reopen()
	s.begin(unclean)
	if d := s.m.differs(s.f); d != "" {
		s.fail("after a restart: %s", d)
	}
}

// check holds the totals against the model.
func (s *sim) check() {
	if n := s.f.Out(); n != len(s.out) {
		s.fail("%d jobs are out, want %d", n, len(s.out))
	}
	if !s.chance(5) {
		return
	}
	if d := s.m.differs(s.f); d != "" {
		s.fail("%s", d)
	}
	s.checkJobs()
	s.checkWaits()
	for key, n := range s.outcomes {
		if n != 1 {
			s.fail("%s was finished %d times", key, n)
		}
	}
}

// finishAll lets the crawl come to its end, which it always must.
func (s *sim) finishAll() {
	s.drain = true
	s.o.MaxPagesPerHost = 0
	s.ok(s.f.Set(s.o))
	s.log("drain")
	for range 500_000 {
		if n, _ := s.m.pending(); n == 0 && len(s.out) == 0 {
			break
		}
		j := len(s.out)
		s.hand()
		if len(s.out) > j {
			continue
		}
		if len(s.out) > 0 {
			s.advance()
			continue
		}
		switch at, ok := s.f.Wake(); {
		case ok:
			s.now = at
		case s.batch != nil || s.f.Waiting() > 0:
			s.seal()
		default:
			s.fail("jobs are pending, but no host is ever ready")
		}
	}
	if n, _ := s.m.pending(); n > 0 {
		s.fail("the crawl does not end: %d pending", n)
	}
	for s.batch != nil || s.f.Waiting() > 0 {
		s.seal()
	}
	s.isPure()
	if d := s.m.differs(s.f); d != "" {
		s.fail("at the end: %s", d)
	}
	for h := range s.f.hosts.all() {
		if h.queue.open != nil || h.left > 0 || h.nextRetry() != nil || h.out > 0 || h.outPages > 0 {
			s.fail("%s keeps %d groups, %d left, retry %v, %d out, %d pages", h.name, len(h.queue.groups()), h.left, h.nextRetry(), h.out, h.outPages)
		}
	}
}
