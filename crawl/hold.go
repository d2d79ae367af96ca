package crawl

import "time"

// HoldReason names why nothing is handed out for a while.
type HoldReason string

const (
	HeldByNetwork HoldReason = "network" // it is gone, or does not lead anywhere
	HeldByPortal  HoldReason = "portal"  // it answers for all hosts, to have somebody log in
	HeldByProxy   HoldReason = "proxy"   // it does not serve
	HeldByHours   HoldReason = "hours"   // it is none of the hours that the user allows
	HeldByMemory  HoldReason = "memory"  // there is too little of it for now
)

// Hold says why nothing is handed out for a while. What is in flight is let finish.
type Hold struct {
	Reason HoldReason
	Text   string    // for people, of one line: "no route to any host"
	Since  time.Time // it began
	Until  time.Time // it is looked at again, or ends; zero: not known
}

// HoldStatus is a Hold in a Status.
type HoldStatus struct {
	Reason HoldReason `json:"reason"`
	Text   string     `json:"text"`
	Since  string     `json:"since"`
	Until  string     `json:"until,omitempty"`
}

// memoryTold is how often it is told that memory is short.
const memoryTold = 10 * time.Minute

// hold is why nothing is handed out now; nil: nothing keeps it from that.
func (l *loop) hold() *Hold {
	now := l.now()
	if opens, isClosed := l.hours.Closed(now); isClosed {
		if l.closedSince.IsZero() {
			l.closedSince = now
		}
		return &Hold{HeldByHours, "outside of --hours " + l.settings.Hours, l.closedSince, opens}
	}
	l.closedSince = time.Time{}
	if l.memory.isTight() {
		return &Hold{Reason: HeldByMemory, Text: "memory is short", Since: l.memory.since}
	}
	if o := &l.outage; o.isOn() {
		return &Hold{o.reason, o.why, l.at(o.since), l.at(o.until)}
	}
	if now.Before(l.proxy.until) {
		return &Hold{HeldByProxy, l.proxy.why, l.proxy.since, l.proxy.until}
	}
	return nil
}

// tellHold logs that a hold began, or ended. Of the network and the proxy those tell
// who notice.
func (l *loop) tellHold(was *Hold) {
	reason := func(h *Hold) HoldReason {
		if h == nil {
			return ""
		}
		return h.Reason
	}
	if reason(was) == reason(l.held) {
		return
	}
	if reason(was) == HeldByHours {
		l.log.Info("inside of --hours again")
	}
	switch h := l.held; reason(h) {
	case HeldByHours:
		l.log.Info("outside of --hours; nothing is asked until they begin", "hours", l.settings.Hours, "begin", h.Until.Format("2006-01-02 15:04"))
	case HeldByMemory:
		// Where a few large pages fill it that is so again and again.
		if l.memoryTold.IsZero() || h.Since.Sub(l.memoryTold) >= memoryTold {
			l.memoryTold = h.Since
			l.log.Warn("memory is short; nothing is asked until there is more")
		}
	}
}
