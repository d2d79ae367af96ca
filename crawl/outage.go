package crawl

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// A failure may be the fault of the host, or of the network between: a cable is
// pulled, a laptop is carried out of its Wi-Fi. So what fails by the network is
// not believed at once. It is held back, its job is neither finished nor charged
// with an attempt, and no commit tells of it, until the network has proved to be
// there: because any host answered a request that went out afterwards, or else
// because a probe says so.
// Where others answer that takes no time, so one dead host among living ones is
// charged as ever.
//
// If the probe says that the network is gone, or if several hosts that have given
// pages before fail together and nobody answers, that is an outage: the crawl is
// held. What was held back is asked again, uncharged. Then it is probed with
// back-off whether the network is back, and each time a few jobs are tried: to ask
// a host is the best probe there is. The first answer ends the outage. It ends,
// too, when a probe has said for a while that the network is there and nobody
// answers all the same: then the hosts are to blame.
//
// A captive portal is an outage that answers: many hosts at once redirect to the
// same foreign one. Redirects to a foreign host are held back in the same way.
const (
	// doubtFor is how long others have to prove that the network is there, before
	// it is probed.
	doubtFor = 250 * time.Millisecond
	// mostDoubts is how many failures are held back; with more nothing is handed
	// out.
	mostDoubts = 256
	// probeTime is how long a probe may take.
	probeTime = 10 * time.Second
	// The network is probed after the one time, then after twice as long, and so on
	// up to the other.
	firstProbe = time.Second
	maxProbe   = 30 * time.Second
	// outagePatience is how long nobody answers although the network is there, until
	// the hosts are to blame.
	outagePatience = 5 * time.Minute
	// severalHosts is how many hosts that have given pages before cannot be reached
	// together when that is an outage.
	severalHosts = 2
	// silentHosts is the same of those that do not answer on a connection that had
	// served before. It proves less: in a crawl of bad hosts these may be all that are
	// left. So nobody has patience for long, and not again soon.
	silentHosts    = 3
	silentPatience = 20 * time.Second
	silentAgain    = 10 * time.Minute
	// mostTries is how many jobs are tried at a time.
	mostTries = 4
	// A portal is where so many hosts redirect to that have answered otherwise
	// before, or so many of which nothing is known.
	portalHosts = 3
	portalNew   = 5
	// portalFor is how long redirects to a foreign host are held back, at the most,
	// when there are fewer of them.
	portalFor = 2 * time.Second
	// A network that passes nothing for a moment and then resets all connections, as
	// one behind a VPN or a router that starts anew, is there again when it is asked:
	// so many hosts fail within the one time, after nobody had answered for the other.
	// Not again before a third is over, for bad hosts may do the same.
	gustHosts = 3
	gustFor   = 250 * time.Millisecond
	gustCalm  = 500 * time.Millisecond
	gustAgain = 30 * time.Second
	// standstill is how late the clock ticks when the process, or the machine, stood
	// still.
	standstill = 10 * time.Second
)

// outage is what there is to know of the network. Its times are those of the clock
// of the machine that only goes forward.
type outage struct {
	// probe tells whether the network is there, after these hosts could not be
	// reached. nil: failures are never doubted.
	probe   func(ctx context.Context, hosts []string) error
	ctx     context.Context
	probes  sync.WaitGroup
	probing bool
	probed  chan error

	doubts  []doubt   // held back, the oldest first
	spoiled time.Time // what was asked before is not charged
	heard   time.Time // the last answer
	gust    time.Time // the last one

	// Of an outage; reason is empty when there is none.
	reason  HoldReason
	portal  string // where all hosts redirect to
	why     string
	since   time.Time
	until   time.Time // the next probe
	backoff time.Duration
	hosts   []string       // that could not be reached, some of them
	tries   int            // jobs that may be tried
	trying  map[*task]bool // jobs that are being tried
	there   time.Time      // since when the network is there and nobody answers; zero: it is not

	silent     bool      // it began with hosts that were asked and did not answer, and none was unreachable since
	quietUntil time.Time // silent hosts are no outage

	weary    bool            // hosts that fail together are to blame, until one answers
	accepted map[string]bool // foreign hosts that are no portals
	proxyAt  time.Time       // the trouble of the proxy that was probed last
}

// doubt is a result that may be the fault of the network.
type doubt struct {
	r      *result
	host   string
	portal string // the foreign host that it redirects to; empty: it failed
	served bool   // the host has given pages before
	// unreachable: it was not found or did not take the connection.
	unreachable bool
}

func (o *outage) isOn() bool { return o.reason != "" }

// start has the outage ready for a run; stop ends it.
func (o *outage) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	o.ctx, o.probed, o.trying, o.accepted = ctx, make(chan error, 1), map[*task]bool{}, map[string]bool{}
	return func() {
		cancel()
		o.probes.Wait()
	}
}

// doubts takes in what a result tells of the network, and keeps it when it is not
// to be believed yet.
func (l *loop) doubts(r *result) (isKept bool, err error) {
	o := &l.outage
	wasTry := o.trying[r.task]
	delete(o.trying, r.task)
	if o.probe == nil || r.aborted || r.sent.IsZero() {
		return false, nil
	}
	d, isDoubtful := l.doubt(r)
	if r.hasAnswer() && d.portal == "" {
		// Its header has come, whatever became of the body.
		if err := l.hostAnswered(r.sent, r.sent.Add(r.answered)); err != nil {
			return false, err
		}
	}
	switch {
	case !isDoubtful:
		return false, nil
	case o.isOn(), l.stopping, r.sent.Before(o.spoiled):
		if wasTry {
			o.note(d.host)
		}
		if d.unreachable && d.served {
			o.silent = false
		}
		return true, l.putOff(&d)
	}
	o.doubts = append(o.doubts, d)
	return true, nil
}

// doubt tells whether a result may be the fault of the network.
func (l *loop) doubt(r *result) (d doubt, isDoubtful bool) {
	j := &r.task.job
	d = doubt{r: r, host: j.Asked, served: l.frontier.HasServed(j)}
	d.unreachable = r.unreachable()
	class := r.class()
	switch class {
	case storage.DNS:
		return d, !isNowhere(hostname(j.Asked))
	case storage.Connect, storage.Timeout, storage.Reset, storage.TLS:
		return d, true
	case storage.NoClass:
		d.portal = r.foreign(j.Asked)
		if d.portal != "" && (l.outage.accepted[d.portal] || l.frontier.IsRootHost(d.portal) || l.frontier.Counts().Hosts < portalHosts) {
			d.portal = ""
		}
		return d, d.portal != ""
	}
	return d, false
}

// class is why a request failed.
func (r *result) class() storage.Class {
	switch {
	case r.robots != nil:
		return r.robots.Class
	case r.visit != nil:
		return r.visit.Class
	}
	return storage.NoClass
}

// unreachable tells whether the host was not found or did not take the connection.
func (r *result) unreachable() bool {
	if r.robots != nil {
		return r.robots.Unreachable
	}
	return r.visit != nil && r.visit.Unreachable
}

// hasAnswer tells whether a host has answered.
func (r *result) hasAnswer() bool {
	switch {
	case r.sent.IsZero():
		return false
	case r.robots != nil:
		return r.robots.Status != 0
	}
	return r.visit != nil && r.visit.Status != 0
}

// foreign is the host that an answer redirects to, if that is of another
// registrable domain than the host that was asked.
func (r *result) foreign(asked string) string {
	var to string
	switch {
	case r.robots != nil && r.robots.State == storage.RobotsRedirect:
		to = r.robots.Next
	case r.visit != nil && r.visit.Outcome == storage.Redirected:
		to = r.visit.Redirect
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || domain(u.Hostname()) == domain(hostname(asked)) {
		return ""
	}
	return u.Host
}

// hostname takes the port off a host.
func hostname(host string) string { return weburl.URL("http://" + host + "/").Hostname() }

// isNowhere tells whether a name is one that nobody has, whether the network is there
// or not (RFC 6761 section 6.4).
func isNowhere(name string) bool { return name == "invalid" || strings.HasSuffix(name, ".invalid") }

// hostAnswered takes in that a host was asked at a time, and answered at another.
func (l *loop) hostAnswered(asked, at time.Time) error {
	o := &l.outage
	o.weary = false
	before := o.heard
	o.heard = later(o.heard, at)
	if o.isOn() {
		if at.Before(o.since) {
			return nil // on its way since before
		}
		l.log.Info("the network is back", "after", time.Since(o.since).Round(time.Second))
		l.endOutage()
		return nil
	}
	if o.isGust(before, asked) {
		return l.gustOver()
	}
	return l.believe(func(d *doubt) bool { return d.r.ended.Before(asked) })
}

// gustOver goes on after the network was gone for a moment.
func (l *loop) gustOver() error {
	l.outage.gust = time.Now()
	l.log.Info("the network was gone for a moment")
	return l.putOffDoubts()
}

// isGust tells whether what failed before a request went out that was answered, failed
// because the network was gone for a moment; heard was the last answer before that.
func (o *outage) isGust(heard, asked time.Time) bool {
	if len(o.doubts) < gustHosts || time.Since(o.gust) < gustAgain {
		return false
	}
	var hosts []string
	first := o.doubts[0].r.ended
	for i := range o.doubts {
		d := &o.doubts[i]
		if d.portal == "" && d.served && d.r.ended.Sub(first) < gustFor && d.r.ended.Before(asked) && !slices.Contains(hosts, d.host) {
			hosts = append(hosts, d.host)
		}
	}
	return len(hosts) >= gustHosts && first.Sub(heard) >= gustCalm
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// believe settles the doubts that are none any more.
func (l *loop) believe(isTrue func(d *doubt) bool) error {
	o := &l.outage
	if len(o.doubts) == 0 {
		return nil
	}
	var left []doubt
	var sure []*result
	for i := range o.doubts {
		if d := &o.doubts[i]; isTrue(d) {
			sure = append(sure, d.r)
		} else {
			left = append(left, *d)
		}
	}
	o.doubts = left
	for _, r := range sure {
		if err := l.conclude(r); err != nil {
			return err
		}
	}
	return nil
}

// watchNetwork probes the network when it is time.
func (l *loop) watchNetwork() error {
	o, now := &l.outage, time.Now()
	if l.stopping {
		return l.putOffDoubts()
	}
	if o.probe == nil || o.probing || l.resting {
		return nil
	}
	if o.isOn() {
		if !now.Before(o.until) {
			l.startProbe(o.hosts)
		}
		return nil
	}
	if l.proxy.since.IsZero() {
		o.proxyAt = time.Time{}
	} else if l.proxy.until != o.proxyAt {
		o.proxyAt = l.proxy.until
		l.startProbe(nil)
		return nil
	}
	if len(o.doubts) == 0 {
		return nil
	}
	if portal, isClear := o.portalSeen(); isClear {
		l.beginOutage(HeldByPortal, "all hosts redirect to "+portal+": log in there with a browser")
		o.portal = portal
		return l.putOffDoubts()
	}
	// Redirects are answers all the same: without more of them they are believed.
	err := l.believe(func(d *doubt) bool { return d.portal != "" && now.Sub(d.r.ended) >= portalFor })
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(o.doubts, func(d doubt) bool { return d.portal == "" }); i >= 0 && now.Sub(o.doubts[i].r.ended) >= doubtFor {
		l.startProbe(o.doubtedHosts())
	}
	return nil
}

// networkWake is when there is something to do about the network.
func (l *loop) networkWake() (in time.Duration, ok bool) {
	o := &l.outage
	switch {
	case o.probe == nil || o.probing || l.stopping || l.resting:
		return 0, false
	case o.isOn():
		return max(time.Until(o.until), 0), true
	case len(o.doubts) == 0:
		return 0, false
	}
	in = time.Hour
	for i := range o.doubts {
		d, patience := &o.doubts[i], doubtFor
		if d.portal != "" {
			patience = portalFor
		}
		in = min(in, time.Until(d.r.ended.Add(patience)))
	}
	return max(in, 0), true
}

// doubtedHosts are hosts that could not be reached.
func (o *outage) doubtedHosts() []string {
	const enough = 16
	var hosts []string
	for i := range o.doubts {
		if d := &o.doubts[i]; d.portal == "" && len(hosts) < enough && !slices.Contains(hosts, d.host) {
			hosts = append(hosts, d.host)
		}
	}
	return hosts
}

// note notes a host that could not be reached.
func (o *outage) note(host string) {
	if !slices.Contains(o.hosts, host) {
		o.hosts = append([]string{host}, o.hosts[:min(len(o.hosts), mostTries)]...)
	}
}

// portalSeen tells whether many hosts redirect to the same foreign one.
func (o *outage) portalSeen() (portal string, isClear bool) {
	type count struct{ served, fresh map[string]bool }
	counts := map[string]count{}
	for i := range o.doubts {
		d := &o.doubts[i]
		if d.portal == "" {
			continue
		}
		c, ok := counts[d.portal]
		if !ok {
			c = count{map[string]bool{}, map[string]bool{}}
			counts[d.portal] = c
		}
		if d.served {
			c.served[d.host] = true
		} else {
			c.fresh[d.host] = true
		}
		if len(c.served) >= portalHosts || len(c.served)+len(c.fresh) >= portalNew {
			return d.portal, true
		}
	}
	return "", false
}

// together tells whether several hosts that have given pages before fail together,
// and whether they are all silent.
func (o *outage) together() (silent, ok bool) {
	served, unreachable, all := map[string]bool{}, map[string]bool{}, map[string]bool{} // hosts
	for i := range o.doubts {
		d := &o.doubts[i]
		if d.portal != "" {
			continue
		}
		all[d.host] = true
		if d.served && (d.unreachable || d.r.reused) {
			served[d.host] = true
		}
		if d.served && d.unreachable {
			unreachable[d.host] = true
		}
	}
	switch {
	case 2*len(served) < len(all): // many that never gave any are failing too
		return false, false
	case len(unreachable) >= severalHosts:
		return false, true
	}
	return true, len(served) >= silentHosts && time.Now().After(o.quietUntil)
}

// startProbe probes the network, after these hosts could not be reached.
func (l *loop) startProbe(hosts []string) {
	o := &l.outage
	if p, err := url.Parse(l.settings.Proxy); err == nil && p.Host != "" {
		hosts = []string{p.Host} // it is asked for all others
	}
	o.probing = true
	probe, ctx := o.probe, o.ctx
	o.probes.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		o.probed <- probe(ctx, hosts)
	})
}

// networkProbed takes in what a probe said.
func (l *loop) networkProbed(gone error) error {
	o, now := &l.outage, time.Now()
	o.probing = false
	if l.stopping {
		return nil
	}
	if o.isOn() {
		o.until = now.Add(o.backoff)
		o.backoff = min(2*o.backoff, maxProbe)
		switch {
		case gone != nil:
			o.there = time.Time{}
			if o.reason == HeldByNetwork {
				o.why = gone.Error()
			}
			if len(o.trying) == 0 {
				o.tries = 1
			}
		case !o.there.IsZero() && now.Sub(o.there) >= o.patience():
			if o.reason == HeldByPortal {
				o.accepted[o.portal] = true
			}
			if o.weary = true; o.silent {
				o.quietUntil = now.Add(silentAgain)
			}
			l.log.Warn("the network is there, but hosts still do not answer as before; they are believed from now on", "after", now.Sub(o.since).Round(time.Second))
			l.endOutage()
		default:
			if o.there.IsZero() {
				o.there = now
			}
			o.tries = mostTries - len(o.trying)
		}
		return nil
	}
	if gone != nil {
		// A proxy that cannot be reached is not to blame either.
		if len(o.doubts) > 0 || !l.proxy.since.IsZero() {
			l.proxy = proxyTrouble{}
			l.beginOutage(HeldByNetwork, gone.Error())
			return l.putOffDoubts()
		}
		return nil
	}
	if o.isGust(o.heard, now) {
		return l.gustOver()
	}
	if silent, ok := o.together(); ok && !o.weary {
		l.beginOutage(HeldByNetwork, "no host answers")
		o.there, o.silent = now, silent
		return l.putOffDoubts()
	}
	return l.believe(func(d *doubt) bool { return d.portal == "" })
}

// beginOutage holds the crawl.
func (l *loop) beginOutage(reason HoldReason, why string) {
	o, now := &l.outage, time.Now()
	o.reason, o.why, o.since = reason, why, now
	o.until, o.backoff = now.Add(firstProbe), 2*firstProbe
	o.hosts, o.tries, o.there, o.silent = o.doubtedHosts(), 0, time.Time{}, false
	if reason == HeldByPortal {
		l.log.Warn("the network asks for a log-in; nothing else is asked until it leads to the hosts", "why", why)
	} else {
		l.log.Warn("the network is gone; nothing is asked until it is back", "why", why)
	}
	l.terms.fetcher.Forget()
}

func (l *loop) endOutage() {
	o := &l.outage
	o.reason, o.portal, o.why, o.hosts, o.tries = "", "", "", nil, 0
	o.since, o.until, o.there = time.Time{}, time.Time{}, time.Time{}
	o.spoiled = time.Now()
}

// patience is how long nobody answers although the network is there, until the hosts
// are to blame.
func (o *outage) patience() time.Duration {
	if o.silent {
		return silentPatience
	}
	return outagePatience
}

// putOffDoubts has what was held back asked again.
func (l *loop) putOffDoubts() error {
	doubts := l.outage.doubts
	l.outage.doubts = nil
	for i := range doubts {
		if err := l.putOff(&doubts[i]); err != nil {
			return err
		}
	}
	return nil
}

// putOff has a job asked again, uncharged, when the network may be back.
func (l *loop) putOff(d *doubt) error {
	why := "the network was gone: "
	switch r := d.r; {
	case d.portal != "":
		why = "the network asks for a log-in: redirected to " + d.portal
	case r.robots != nil:
		why += r.robots.Error
	case r.visit != nil:
		why += r.visit.Record.Error
	}
	until := l.now()
	if o := &l.outage; o.isOn() {
		until = l.at(o.until)
	}
	l.release(d.r)
	l.touch()
	return l.askAgain(d.r, until, clean("not charged, for "+why, 200))
}

// mayTry tells whether a job may be handed out although the network is gone.
func (l *loop) mayTry() bool {
	return l.held.Reason == l.outage.reason && l.outage.tries > 0
}

// stoodStill takes in that the process did nothing for a while, because the machine
// slept or it was suspended: what was on its way then says nothing of hosts, and
// connections that seem to be open are not.
func (l *loop) stoodStill() error {
	l.outage.spoiled = time.Now()
	l.terms.fetcher.Forget()
	if l.outage.isOn() {
		l.outage.until = time.Now()
	}
	return l.putOffDoubts()
}
