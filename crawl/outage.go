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
// because a probe says so. Where others answer that takes no time, so one dead host
// among living ones is charged as ever.
//
// If the probe says that the network is gone, that is an outage: the crawl is held.
// What was held back is asked again, uncharged. Then it is probed with back-off
// whether the network is back, and each time a few jobs are tried, whatever the probe
// says, for to ask a host is the best probe there is. The first answer ends the outage.
//
// A probe that finds the network may be wrong. So it is an outage, too, when several
// hosts that have given pages before cannot be reached together and nobody answers;
// and when many connections are reset at once, after a silence, the network was gone
// for that moment. But hosts may be to blame for that. So while the probe finds the
// network, a host has the benefit of the doubt once, until it answers itself; and an
// outage ends when its tries have failed for long enough.
//
// A captive portal is an outage that answers: many hosts at once redirect to the
// same foreign one, or cannot prove any more who they are (TLS). Redirects to a foreign
// host are held back in the same way.
//
// That a host answers says nothing of name servers: its name may be known, or it may
// have none. So what fails by its name is believed by a probe alone; where others
// answer meanwhile, only such jobs are put off while the name servers are gone.
const (
	// doubtFor is how long others have to prove that the network is there, before
	// it is probed.
	doubtFor = 250 * time.Millisecond
	// mostDoubts is how many failures are held back; with more nothing is handed
	// out.
	mostDoubts = 256
	// The network is probed after the one time, then after twice as long, and so on
	// up to the other.
	firstProbe = time.Second
	maxProbe   = 30 * time.Second
	// mostTries is how many jobs are tried at a time, while a probe finds the network.
	mostTries = 4
	// severalHosts is how many hosts that have given pages before cannot be reached
	// together when that is an outage, and outagePatience how long their tries fail
	// until they are to blame.
	severalHosts   = 2
	outagePatience = 5 * time.Minute
	// silentHosts is the same of those that do not answer on a connection that had
	// served before. It proves less, for in a crawl of bad hosts these may be all that
	// are left.
	silentHosts    = 3
	silentPatience = 20 * time.Second
	// A network that passes nothing for a moment and then resets all connections, as
	// one behind a VPN or a router that starts anew, is there again when it is asked:
	// so many hosts fail within the one time, after nobody had answered for the other.
	gustHosts = 3
	gustFor   = 250 * time.Millisecond
	gustCalm  = 500 * time.Millisecond
	// mostPardoned is how many hosts may have had the benefit of the doubt.
	mostPardoned = 10_000
	// A portal is where so many hosts redirect to that have given pages before, or so
	// many in all. How long they may until it is none is the other.
	portalHosts   = 3
	portalNew     = 5
	portalServed  = 12 * time.Hour
	portalPatient = 30 * time.Minute
	// portalFor is how long redirects to a foreign host are held back, at the most,
	// when there are fewer of them.
	portalFor = 2 * time.Second
	// mostForeign is of how many hosts it is known where they redirect to.
	mostForeign = 10_000
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

	doubts   []doubt // held back, the oldest first
	weight   int     // bytes in them
	heard    time.Time
	spoiled  time.Time // what was asked before is not charged
	spoiler  string    // for this
	pardoned map[string]bool
	foreign  map[string]string // where a host has redirected to last
	accepted map[string]bool   // foreign hosts that are no portals
	proxyAt  time.Time         // the trouble of the proxy that was probed last

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
	isGone  bool           // as the last probe said
	// patience is how long tries may fail while the probe finds the network, blamed how
	// long they have, and failed whether one has since it was probed, at lookedAt.
	patience time.Duration
	blamed   time.Duration
	failed   bool
	lookedAt time.Time
}

// doubt is a result that may be the fault of the network.
type doubt struct {
	r      *result
	host   string
	portal string // the foreign host that it redirects to; empty: it failed
	served bool   // the host has given pages before
}

func (o *outage) isOn() bool { return o.reason != "" }

// excuse is why what fails in an outage is not charged.
func (o *outage) excuse() string {
	if o.reason == HeldByPortal {
		return "the network asks for a log-in"
	}
	return "the network was gone"
}

// start has the outage ready for a run; stop ends it.
func (o *outage) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	o.ctx, o.probed = ctx, make(chan error, 1)
	o.trying, o.accepted, o.pardoned, o.foreign = map[*task]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}
	return func() {
		cancel()
		o.probes.Wait()
	}
}

// keepDoubtful takes in what a result tells of the network, and keeps it when it is not
// to be believed yet.
func (l *loop) keepDoubtful(r *result) (isKept bool, err error) {
	o := &l.outage
	wasTry := o.trying[r.task]
	delete(o.trying, r.task)
	switch {
	case o.probe == nil || r.aborted:
		return false, nil
	case r.sent.IsZero():
		if wasTry {
			o.tries++ // it was none
		}
		return false, nil
	}
	d, isDoubtful := l.doubt(r)
	if r.hasAnswer() && (d.portal == "" || o.reason == HeldByNetwork) {
		// Its header has come, whatever became of the body.
		delete(o.pardoned, d.host)
		if err := l.hostAnswered(r.sent, r.sent.Add(r.answered)); err != nil {
			return false, err
		}
	}
	switch {
	case !isDoubtful, l.sweep.unwanted[r.task.job.ID]:
		return false, nil
	case o.isOn():
		if wasTry {
			o.failed = true
			o.note(d.host)
		}
		if d.isUnreached() && d.served && o.reason == HeldByNetwork {
			o.patience = outagePatience
		}
		if !o.isGone {
			o.pardon(d.host)
		}
		return true, l.putOff(&d, o.excuse())
	case r.sent.Before(o.spoiled):
		return true, l.putOff(&d, o.spoiler)
	case l.stopping && d.portal != "":
		return false, nil
	}
	o.doubts = append(o.doubts, d)
	o.weight += r.weight()
	return true, nil
}

// weight is how much memory a result keeps, in bytes, beside what each takes.
func (r *result) weight() int {
	n := len(r.packed.Value) + len(r.keptLinks.Value)
	if e := r.exchange; e != nil {
		n += len(e.Body) + len(e.Request) + len(e.Response)
	}
	return n
}

// doubt tells whether a result may be the fault of the network.
func (l *loop) doubt(r *result) (d doubt, isDoubtful bool) {
	j := &r.task.job
	d = doubt{r: r, host: j.Asked, served: l.frontier.HasServed(j)}
	switch r.class() {
	case storage.DNS:
		return d, !isNowhere(hostname(j.Asked))
	case storage.Connect, storage.Timeout, storage.Reset, storage.TLS:
		return d, true
	case storage.NoClass:
		o, to := &l.outage, r.foreign(j.Asked)
		if to == "" || o.accepted[to] || l.frontier.IsRootHost(to) || l.frontier.Counts().Hosts < portalHosts {
			return d, false
		}
		// A portal sends all to one place.
		was := o.foreign[d.host]
		if was == "" && len(o.foreign) >= mostForeign {
			clear(o.foreign)
		}
		o.foreign[d.host] = to
		if was == "" || was == to || to == o.portal {
			d.portal = to
		}
		return d, d.portal != ""
	}
	return d, false
}

// isUnreached tells whether the host was not found or did not take the connection.
func (d *doubt) isUnreached() bool {
	if d.r.robots != nil {
		return d.r.robots.Unreachable
	}
	return d.r.visit != nil && d.r.visit.Unreachable
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
		return l.pardonDoubts()
	}
	return l.believe(func(d *doubt) bool { return d.r.ended.Before(asked) && d.r.class() != storage.DNS })
}

// pardon notes that a host has had the benefit of the doubt.
func (o *outage) pardon(host string) {
	if len(o.pardoned) < mostPardoned {
		o.pardoned[host] = true
	}
}

// mayPardon tells whether a host may have it.
func (o *outage) mayPardon(d *doubt) bool {
	return d.portal == "" && d.served && !o.pardoned[d.host] && len(o.pardoned) < mostPardoned
}

// pardonDoubts goes on after the network was gone for a moment.
func (l *loop) pardonDoubts() error {
	l.log.Info("the network was gone for a moment")
	for i := range l.outage.doubts {
		l.outage.pardon(l.outage.doubts[i].host)
	}
	return l.putOffDoubts("the network was gone for a moment")
}

// isGust tells whether what failed before a request went out that was answered, failed
// because the network was gone for a moment; heard was the last answer before that.
func (o *outage) isGust(heard, asked time.Time) bool {
	if len(o.doubts) < gustHosts {
		return false
	}
	hosts := map[string]bool{}
	first := o.doubts[0].r.ended
	for i := range o.doubts {
		d := &o.doubts[i]
		if o.mayPardon(d) && d.r.class() == storage.Reset && d.r.ended.Sub(first) < gustFor && d.r.ended.Before(asked) {
			hosts[d.host] = true
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
			o.weight -= d.r.weight()
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
	if l.stopping && l.ctx.Err() != nil {
		return l.putOffDoubts("the run was stopped")
	}
	if in, ok := l.networkWake(); !ok || in > 0 {
		return nil
	}
	if o.isOn() {
		l.startProbe(o.hosts)
		return nil
	}
	if l.proxy.until != o.proxyAt {
		o.proxyAt = l.proxy.until
		if !l.proxy.since.IsZero() {
			l.startProbe(nil)
			return nil
		}
	}
	if portal, isServed, isClear := o.portalSeen(); isClear && !l.stopping {
		l.beginOutage(HeldByPortal, "all hosts redirect to "+portal+": log in there with a browser")
		if o.portal, o.patience = portal, portalPatient; isServed {
			o.patience = portalServed
		}
		return l.putOffDoubts(o.excuse())
	}
	// Redirects are answers all the same: without more of them they are believed.
	err := l.believe(func(d *doubt) bool {
		return d.portal != "" && (l.stopping || now.Sub(d.r.ended) >= portalFor)
	})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(o.doubts, func(d doubt) bool { return d.portal == "" })
	if i >= 0 && (l.stopping || now.Sub(o.doubts[i].r.ended) >= doubtFor) {
		l.startProbe(o.doubtedHosts())
	}
	return nil
}

// networkWake is when there is something to do about the network.
func (l *loop) networkWake() (in time.Duration, ok bool) {
	o := &l.outage
	switch {
	case o.probe == nil || o.probing || l.resting:
		return 0, false
	case o.isOn():
		// While nothing may be tried for another reason, nobody asks for the network.
		if l.stopping || l.paused || l.held != nil && l.held.Reason != o.reason {
			return 0, false
		}
		return max(time.Until(o.until), 0), true
	case l.proxy.until != o.proxyAt && !l.stopping:
		return 0, true
	case len(o.doubts) == 0:
		return 0, false
	case l.stopping:
		return 0, true
	}
	if _, _, isClear := o.portalSeen(); isClear {
		return 0, true
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

// portalSeen tells whether many hosts redirect to the same foreign one, and whether
// enough of them have given pages before.
func (o *outage) portalSeen() (portal string, isServed, isClear bool) {
	type count struct{ served, all map[string]bool }
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
		c.all[d.host] = true
		if d.served {
			c.served[d.host] = true
		}
		if isServed := len(c.served) >= portalHosts; isServed || len(c.all) >= portalNew {
			return d.portal, isServed, true
		}
	}
	return "", false, false
}

// together tells whether several hosts that have given pages before fail together,
// whose fault that may be, and for how long.
func (o *outage) together() (reason HoldReason, patience time.Duration, ok bool) {
	unreached, silent, untrue, all := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{} // hosts
	for i := range o.doubts {
		d := &o.doubts[i]
		if d.portal != "" {
			continue
		}
		all[d.host] = true
		if !o.mayPardon(d) {
			continue
		}
		if d.isUnreached() {
			unreached[d.host] = true
		}
		switch isTLS := d.r.class() == storage.TLS; {
		case isTLS:
			untrue[d.host] = true
		case d.isUnreached() || d.r.reused:
			silent[d.host] = true
		}
	}
	switch {
	case 2*len(silent)+2*len(untrue) < len(all): // many that never gave any are failing too
		return "", 0, false
	case len(untrue) >= portalHosts:
		return HeldByPortal, portalServed, true
	case len(unreached) >= severalHosts:
		return HeldByNetwork, outagePatience, true
	}
	return HeldByNetwork, silentPatience, len(silent) >= silentHosts
}

// startProbe probes the network, after these hosts could not be reached.
func (l *loop) startProbe(hosts []string) {
	o := &l.outage
	if p, err := url.Parse(l.settings.Proxy); err == nil && p.Host != "" {
		hosts = []string{p.Host} // it is asked for all others
	}
	o.probing = true
	probe, ctx := o.probe, o.ctx
	o.probes.Go(func() { o.probed <- probe(ctx, hosts) })
}

// networkProbed takes in what a probe said.
func (l *loop) networkProbed(gone error) error {
	o := &l.outage
	o.probing = false
	switch {
	case o.isOn():
		l.lookAgain(gone)
		return nil
	case l.stopping && gone != nil:
		return l.putOffDoubts("the network was gone")
	case l.stopping:
	case gone != nil:
		if len(o.doubts) == 0 && l.proxy.since.IsZero() {
			return nil
		}
		if n := len(o.doubts); n > 0 && o.heard.After(o.doubts[0].r.ended) {
			return l.withoutNames()
		}
		l.proxy = proxyTrouble{} // to be reached it takes a network, too
		l.beginOutage(HeldByNetwork, gone.Error())
		o.isGone = true
		return l.putOffDoubts(o.excuse())
	case o.isGust(o.heard, time.Now()):
		return l.pardonDoubts()
	default:
		if reason, patience, ok := o.together(); ok {
			for i := range o.doubts {
				o.pardon(o.doubts[i].host)
			}
			why := "no host answers"
			if reason == HeldByPortal {
				why = "hosts cannot prove any more who they are (TLS)"
			}
			l.beginOutage(reason, why)
			o.patience = patience
			return l.putOffDoubts(o.excuse())
		}
	}
	return l.believe(func(d *doubt) bool { return d.portal == "" })
}

// withoutNames goes on while the name servers are gone and hosts answer all the same.
func (l *loop) withoutNames() error {
	err := l.believe(func(d *doubt) bool { return d.r.class() != storage.DNS })
	if err != nil {
		return err
	}
	doubts := l.outage.doubts
	l.outage.doubts, l.outage.weight = nil, 0
	for i := range doubts {
		if err := l.putOffUntil(&doubts[i], l.now().Add(maxProbe), "the name servers were gone"); err != nil {
			return err
		}
	}
	return nil
}

// lookAgain goes on with an outage by what a probe says.
func (l *loop) lookAgain(gone error) {
	o, now := &l.outage, time.Now()
	if o.failed && gone == nil {
		o.blamed += min(now.Sub(o.lookedAt), maxProbe) // it may have been paused
	}
	o.lookedAt, o.failed, o.isGone = now, false, gone != nil
	o.until = now.Add(o.backoff)
	o.backoff = min(2*o.backoff, maxProbe)
	if gone != nil {
		o.blamed = 0
		if o.reason == HeldByNetwork {
			o.why = gone.Error()
		}
		if len(o.trying) == 0 {
			o.tries = 1
		}
		return
	}
	if o.blamed < o.patience {
		o.tries = mostTries - len(o.trying)
		return
	}
	if o.reason == HeldByPortal {
		o.accepted[o.portal] = true
	}
	l.log.Warn("the network is there, but hosts still do not answer as before; they are believed from now on", "after", now.Sub(o.since).Round(time.Second))
	l.endOutage()
}

// beginOutage holds the crawl.
func (l *loop) beginOutage(reason HoldReason, why string) {
	o, now := &l.outage, time.Now()
	o.reason, o.why, o.since, o.lookedAt = reason, why, now, now
	o.until, o.backoff = now.Add(firstProbe), 2*firstProbe
	o.hosts, o.tries, o.isGone = o.doubtedHosts(), 0, false
	o.patience, o.blamed, o.failed = outagePatience, 0, false
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
	o.since, o.until = time.Time{}, time.Time{}
	o.spoiled, o.spoiler = time.Now(), "the network was gone"
}

// putOffDoubts has what was held back asked again, for a reason.
func (l *loop) putOffDoubts(why string) error {
	doubts := l.outage.doubts
	l.outage.doubts, l.outage.weight = nil, 0
	for i := range doubts {
		if err := l.putOff(&doubts[i], why); err != nil {
			return err
		}
	}
	return nil
}

// putOff has a job asked again, uncharged, when the network may be back.
func (l *loop) putOff(d *doubt, why string) error {
	until := l.now()
	if o := &l.outage; o.isOn() {
		until = l.at(o.until)
	}
	return l.putOffUntil(d, until, why)
}

func (l *loop) putOffUntil(d *doubt, until time.Time, why string) error {
	r, j := d.r, &d.r.task.job
	if l.sweep.unwanted[j.ID] {
		return l.conclude(r)
	}
	switch {
	case d.portal != "":
		why += ": redirected to " + d.portal
	case r.robots != nil:
		why += ": " + r.robots.Error
	case r.visit != nil:
		why += ": " + r.visit.Record.Error
	}
	at := storage.Ask{Time: l.now().UnixMilli()}
	if d.served || !d.isUnreached() {
		// Its host may have seen it, and is to rest.
		at = storage.Ask{Asked: true, Time: l.at(r.sent).UnixMilli(), Took: l.frontier.Took(j)}
	}
	l.release(r)
	l.touch()
	return l.askAgain(r, at, until, clean("not charged, for "+why, 200))
}

// mayTry tells whether a job may be handed out although the network is gone.
func (l *loop) mayTry() bool {
	return l.held.Reason == l.outage.reason && l.outage.tries > 0
}

// stoodStill takes in that the process did nothing for a while, because the machine
// slept or it was suspended: what was on its way then says nothing of hosts, and
// connections that seem to be open are not.
func (l *loop) stoodStill() error {
	const why = "the machine or the process stood still"
	l.outage.spoiled, l.outage.spoiler = time.Now(), why
	l.terms.fetcher.Forget()
	if l.outage.isOn() {
		l.outage.until = time.Now()
	}
	return l.putOffDoubts(why)
}
