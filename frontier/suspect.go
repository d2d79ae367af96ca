package frontier

import (
	"slices"
	"time"

	"pawl/storage"
)

// A page can kill the process: by a bug, or because memory runs out. So each
// commit stores which jobs are out, and after an unclean end these are
// suspects. The art is to find the guilty one soon, and never to condemn the
// innocent when somebody kills the process a hundred times, at the worst
// moments.
//
//   - A suspect runs again as before, but a commit marks it before it starts.
//     Most are innocent and through in no time.
//   - One that was out at two unclean ends runs alone, so that the next one
//     tells. But not before the run has lasted for a while: a process that is
//     killed all the time would seem to die of whatever runs first. Until then
//     it is put off, unless nothing else is left to do: then it runs as
//     before, but not for ever. For where one page kills the process at once,
//     all that it takes with it are suspects in the end, and nothing else.
//   - No suspect keeps the others waiting for longer than a second, doubled with
//     each further mark: who takes so long most likely waits for a host that
//     hangs, and there may be many of them. Then it runs among others, until the
//     next unclean end.
//   - One that was out at three unclean ends, and was alone at two of them, is
//     condemned: it is finished as crashed without being asked for again.
//
// All pages of its origin wait for a robots.txt, and are lost with it; so it
// takes more unclean ends until one runs alone.
//
// A clean stop clears all marks.
const (
	marksToRunAlone = 2

	robotsMarksToRunAlone = 5

	// marksToWait is after how many unclean ends a suspect waits for its time
	// alone also when nothing else is left to do.
	marksToWait = 3

	marksToCondemn = 3
	aloneToCondemn = 2
	// othersPart is how many times as long as a suspect had to itself in vain others
	// have before the next one.
	othersPart = 3
	// patience is how long a run must last before suspects run alone.
	patience = time.Second
)

// survived is the mark of a job after an unclean end.
func survived(m storage.Mark) storage.Mark {
	if m.Running {
		m.Marks = saturated(m.Marks)
		if m.Only {
			m.Alone = saturated(m.Alone)
		}
	}
	m.Running, m.Only = false, false
	return m
}

func saturated(n uint8) uint8 {
	if n < 255 {
		n++
	}
	return n
}

func isCondemned(m storage.Mark) bool {
	return m.Marks >= marksToCondemn && m.Alone >= aloneToCondemn
}

// timeAlone is how long a suspect may keep all others from running.
func timeAlone(j *Job, m storage.Mark) time.Duration {
	from := marksToRunAlone
	if j.Robots {
		from = robotsMarksToRunAlone
	}
	return patience << min(max(int(m.Marks)-from, 0), 10)
}

// PutBack takes back a job that had its time alone, or waited for it in vain, and
// is released and not through. It is handed out again as its host allows, not
// alone any more in this run, and stays a suspect. Others run for some time before the
// next one may run alone.
func (f *Frontier) PutBack(j *Job, now time.Time) {
	f.patience = max(f.patience, now.UnixNano()+int64(othersPart*j.Within))
	delete(f.out, j.ID)
	f.spared[j.ID] = true
	h := f.hosts.at(j.asked)
	if j.Robots {
		f.addErrand(h, errand{id: j.ID, url: j.URL})
	} else {
		h.outPages--
		f.deferred = append(f.deferred, j.ID)
	}
	f.wake(h)
}

// runsAlone tells whether a suspect that is handed out now runs alone.
func (f *Frontier) runsAlone(j *Job, m storage.Mark, at int64) bool {
	switch {
	case j.Condemned, j.GaveUp != storage.NoClass, f.spared[j.ID]:
		return false
	case j.Robots:
		return m.Marks >= robotsMarksToRunAlone && at >= f.patience
	}
	return m.Marks >= marksToRunAlone && at >= f.patience
}

// putOff takes a job out of its host's turn when it is to run alone later.
func (f *Frontier) putOff(h *host, id storage.JobID, p place, at int64) bool {
	m, ok := f.suspects[id]
	switch {
	case !ok, m.Marks < marksToRunAlone, isCondemned(m), at >= f.patience:
		return false
	case h.lost() != storage.NoClass, f.originGaveUp(h, p.https):
		return false // it is not asked for
	}
	f.deferred = append(f.deferred, id)
	return true
}

// due is when an errand may be carried out, as far as it is concerned.
func (f *Frontier) due(e *errand) int64 {
	if m, ok := f.suspects[e.id]; ok && m.Marks >= robotsMarksToRunAlone && !isCondemned(m) {
		return max(e.due, f.patience)
	}
	return e.due
}

// deferredAt is when a job that was put off may be handed out.
func (f *Frontier) deferredAt(id storage.JobID) int64 {
	h := f.hosts.at(id.Host)
	switch {
	case h.lost() != storage.NoClass:
		return 0
	case int(h.out) >= f.options.PerHost, h.starting != 0, !f.pagesLeft(h),
		!f.options.IgnoreRobots && h.origin(f.deferredPlace(id).https).busy:
		return never
	case f.originGaveUp(h, f.deferredPlace(id).https):
		return 0
	case f.spared[id]:
		if !f.mayGo(paceSlow, f.lookedAt) {
			return never // a job has to end first
		}
		return f.gate(h)
	case f.suspects[id].Marks < marksToWait && f.nothingElse():
		return f.gate(h)
	}
	return max(f.gate(h), f.patience)
}

// nothingElse tells whether all that is left to do, and all that is out, are
// suspects that should run alone.
func (f *Frontier) nothingElse() bool {
	for p := range f.waiting {
		if len(f.waiting[p]) > 0 {
			return false
		}
	}
	for _, m := range f.out {
		if m.Marks < marksToRunAlone {
			return false
		}
	}
	return true
}

// deferredPlace is where the address of a job that was put off stands.
func (f *Frontier) deferredPlace(id storage.JobID) place {
	if t := f.retries[id]; t != nil {
		return t.place
	}
	// Its place was found when it was put off, and is kept until it is finished.
	p, _ := f.hosts.at(id.Host).queue.find(id.Ord)
	return p
}

// nextDeferred hands out a job that was put off, when its time has come.
func (f *Frontier) nextDeferred(at int64, r *storage.Reader, j *Job) (bool, error) {
	for i, id := range f.deferred {
		if f.deferredAt(id) > at {
			continue
		}
		h := f.hosts.at(id.Host)
		p := f.deferredPlace(id)
		if f.needsRobots(h, p.https, at) {
			f.wake(h)
			continue
		}
		f.deferred = slices.Delete(f.deferred, i, i+1)
		j.Attempt = 1
		if t := f.retries[id]; t != nil {
			j.Attempt, j.Hops, j.Raw = t.attempt+1, t.hops, t.raw
		}
		if err := f.hand(h, id, p, at, r, j); err != nil {
			return false, err
		}
		f.wake(h)
		return true, nil
	}
	return false, nil
}

func (f *Frontier) originGaveUp(h *host, https bool) bool {
	return !f.options.IgnoreRobots && h.origin(https).isGivenUp()
}
