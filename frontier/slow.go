package frontier

import (
	"time"

	"pawl/storage"
)

// A host that takes requests and does not answer keeps a worker for as long as
// a request may take, and a hundred such hosts would keep all of them. So hosts
// wait for their turn by what is known of them:
//
//   - Those that answer go first: they get a worker whenever they may be asked.
//   - Strangers, which were never asked, leave those a part of the workers, as
//     many as they are likely to need soon. Most strangers answer, and are none
//     any more.
//   - Slow ones, whose last answer took long if there was one at all, get the
//     workers that the others are not likely to need soon, and part of them in any
//     case. So do strangers, while those that were asked last have mostly hung.
//
// This is about whose turn it is only: nothing of it is in the file but how long
// the last answer of a host took.
type pace uint8

const (
	paceQuick pace = iota
	paceStrange
	paceSlow
	paces
)

const (
	// slowAnswer is how long the answer of a slow host takes, or the failure.
	slowAnswer = 2 * time.Second
	// One in so many workers is kept for those that answer when strangers are
	// asked, and one in so many is for slow hosts in any case.
	workersPart = 4
	// soon is how far it is looked ahead for what will be needed.
	soon = time.Second
	// distrust rises by one with a stranger that hangs, and falls by one with a
	// stranger that answers. From so much on strangers are taken to be slow.
	distrustFrom = 4
	maxDistrust  = 8
)

// paceOf is how a host answers, as far as it is known.
func (f *Frontier) paceOf(h *host) pace {
	switch {
	case f.options.Workers == 0, h.lost() != storage.NoClass:
		return paceQuick
	case h.lastSent == 0:
		return paceStrange
	case time.Duration(h.took)*time.Millisecond >= slowAnswer:
		return paceSlow
	}
	return paceQuick
}

// learn notes how a stranger took its first request.
func (f *Frontier) learn(j *Job, a *storage.Ask) {
	switch {
	case j.pace != paceStrange || !a.Asked:
	case time.Duration(a.Took)*time.Millisecond >= slowAnswer:
		f.distrust = min(f.distrust+1, maxDistrust)
	default:
		f.distrust = max(f.distrust-1, 0)
	}
}

// mayGo tells whether a host of that pace may have another worker.
func (f *Frontier) mayGo(p pace, at int64) bool {
	w := f.options.Workers
	part := w / workersPart
	trusted := f.distrust < distrustFrom
	switch {
	case p == paceQuick:
		return true
	case p == paceStrange && trusted:
		need := f.outBy[paceQuick] + f.waiting[paceQuick].dueUpTo(at+int64(soon), part)
		return f.outBy[paceStrange]+f.outBy[paceSlow] < w-min(part, need)
	}
	doubtful := f.outBy[paceSlow]
	need := f.outBy[paceQuick] + f.waiting[paceQuick].dueUpTo(at+int64(soon), w)
	if trusted {
		need += f.outBy[paceStrange] + f.waiting[paceStrange].dueUpTo(at, w)
	} else {
		doubtful += f.outBy[paceStrange]
	}
	return doubtful < max(part, 1, w-need)
}

// nextHost is the host whose turn it is, nil: there is none.
func (f *Frontier) nextHost(at int64) *host {
	for p := range paces {
		q := &f.waiting[p]
		for len(*q) > 0 && (*q)[0].at <= at && f.paceOf((*q)[0].host) != p {
			f.wake((*q)[0].host) // more is known of it since it came here
		}
	}
	var next *host
	first := at + 1
	for p := range paces {
		if q := f.waiting[p]; len(q) > 0 && q[0].at < first && f.mayGo(p, at) {
			next, first = q[0].host, q[0].at
		}
	}
	return next
}

// nextTurn is when the next host may be asked; never: there is none to wait for.
func (f *Frontier) nextTurn() int64 {
	next := never
	for p := range paces {
		// When there are no workers for it, a job has to end first.
		if q := f.waiting[p]; len(q) > 0 && q[0].at < next && f.mayGo(p, max(q[0].at, f.lookedAt)) {
			next = q[0].at
		}
	}
	return next
}
