package crawl

import (
	"time"

	"pawl/storage"
)

const (
	// When the proxy itself is in trouble nothing is handed out for a while, twice
	// as long each time.
	firstProxyHold = time.Second
	maxProxyHold   = 30 * time.Second
	// proxyPatience is how long that may go on before the run is stopped.
	proxyPatience = 2 * time.Minute
)

// proxyTrouble is what there is to know of a proxy that does not serve. No host
// is to blame for that, so nothing is charged to any.
type proxyTrouble struct {
	since time.Time // zero: it serves
	until time.Time // nothing is handed out before
	hold  time.Duration
	why   string
}

// noteProxy takes in whether a request had trouble with the proxy itself.
func (l *loop) noteProxy(r *result) {
	p, now := &l.proxy, l.now()
	switch {
	case r.proxy == "" && !r.sent.IsZero():
		if !p.since.IsZero() {
			l.log.Info("the proxy serves again")
		}
		*p = proxyTrouble{}
	case r.proxy == "" || now.Before(p.until): // of the same moment
	case l.outage.isOn(): // to be reached it takes a network
	default:
		if p.since.IsZero() {
			p.since = now
			l.log.Warn("the proxy does not serve; nothing is asked until it does", "error", r.proxy)
		}
		p.hold = min(max(2*p.hold, firstProxyHold), maxProxyHold)
		p.until, p.why = now.Add(p.hold), r.proxy
	}
}

// isOver tells whether the proxy has been in trouble for too long.
func (p *proxyTrouble) isOver(now time.Time) bool {
	return !p.since.IsZero() && now.Sub(p.since) >= proxyPatience
}

// askAgain has a job asked for again from a time on, without charging an attempt: its
// host is not to blame. at is what is kept of the request, for its host's rest.
func (l *loop) askAgain(r *result, at storage.Ask, from time.Time, why string) error {
	j := &r.task.job
	due := from.UnixMilli()
	if j.Robots {
		e := &storage.Host{
			Ask: at, State: storage.RobotsRetry, Attempt: j.Attempt - 1, Hops: j.Hops, Due: due, Error: why,
		}
		if j.Hops > 0 {
			e.Next = j.URL
		}
		return l.frontier.Robots(j, e, 0)
	}
	return l.frontier.Retry(j, &storage.Retry{
		Attempt: j.Attempt - 1, Hops: j.Hops, Ask: at, Raw: j.Raw, Due: due, Error: why,
	}, 0)
}
