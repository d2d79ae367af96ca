package crawl

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// howFound says where and how an address was found.
func howFound(f *storage.Found) string {
	kind := page.Kind(f.Kind)
	on := clean(f.FoundOn, 4096)
	var how string
	anchor := clean(f.Anchor, 200)
	switch {
	case f.FoundOn == "" && kind.SitemapFile():
		return "named by the user as a sitemap"
	case f.FoundOn == "" && kind == page.KindSitemap:
		return "listed in a sitemap that the user named"
	case f.FoundOn == "":
		return "given as a seed"
	case kind.SitemapFile() && weburl.URL(f.FoundOn).PathQuery() == "/robots.txt":
		how = "named as a sitemap by " + on
	case kind.SitemapFile() && !f.Redirect:
		how = "named as a sitemap by the index " + on
	case kind == page.KindSitemap:
		how = "listed in the sitemap " + on
		if anchor != "" {
			how += fmt.Sprintf(" (changed %s)", anchor)
		}
		anchor = ""
	case f.Redirect:
		how, anchor = "redirected to from "+on, ""
		if f.Hops > 1 {
			how += fmt.Sprintf(" (redirect %d in a row)", f.Hops)
		}
	default:
		how = fmt.Sprintf("linked from %s (%s", on, kind)
		if anchor != "" && !kind.SitemapFile() {
			how += fmt.Sprintf(", %q", anchor)
		}
		if f.NoFollow {
			how += ", nofollow"
		}
		how += ")"
	}
	how += fmt.Sprintf(", depth %d", f.Depth)
	switch f.Lane {
	case storage.LaneHigh, storage.LaneLow:
		how += fmt.Sprintf(", priority %s", f.Lane)
	}
	return how
}

// attemptOf says what came of an attempt that was not the last.
func attemptOf(e *storage.Retry) string {
	text := fmt.Sprintf("attempt %d: %s", e.Attempt, failureOf(e.Class, e.Status, e.Error))
	if e.Class == storage.NoClass && e.Status == 0 && e.Error != "" {
		text = clean(e.Error, 200) // which says that it is none
	}
	if e.Class == storage.NoClass && e.Status >= 300 && e.Status < 400 { // which is no failure
		text = fmt.Sprintf("status %d, redirected to another spelling of the same address", e.Status)
	}
	if e.Took > 0 {
		text += fmt.Sprintf(", after %s", span(time.Duration(e.Took)*time.Millisecond))
	}
	if e.Raw != "" {
		text += fmt.Sprintf("; to be asked for as %s", clean(e.Raw, 4096))
	}
	if e.Due > 0 {
		text += fmt.Sprintf("; the next is due at %s", stamp(e.Due))
	}
	return text
}

// lastAttempt says what came of the last attempt.
func lastAttempt(e *storage.Retry) string {
	if e.Class == storage.NoClass && e.Status == 0 && e.Error != "" {
		return clean(e.Error, 200) // uncharged
	}
	return fmt.Sprintf("attempt %d failed (%s)", e.Attempt, failureOf(e.Class, e.Status, e.Error))
}

// failureOf says what went wrong.
func failureOf(class storage.Class, status uint16, why string) string {
	var parts []string
	if status != 0 {
		parts = append(parts, fmt.Sprintf("status %d", status))
	}
	if class != storage.NoClass {
		parts = append(parts, class.String())
	}
	if why = clean(why, 200); why != "" && why != fmt.Sprintf("status %d", status) {
		parts = append(parts, why)
	}
	if len(parts) == 0 {
		return "it did not work"
	}
	return strings.Join(parts, ", ")
}

// outcomeOf says how a job ended, and the main cells of its row.
func outcomeOf(v *storage.Visit) string {
	rec := &v.Record
	var b strings.Builder
	switch v.Outcome {
	case storage.Blocked:
		fmt.Fprintf(&b, "blocked by %s", cmp.Or(clean(rec.Error, 200), "robots.txt"))
	case storage.Failed:
		fmt.Fprintf(&b, "failed: %s", failureOf(v.Class, v.Status, rec.Error))
	case storage.Redirected:
		fmt.Fprintf(&b, "redirected, status %d, to %s", v.Status, cmp.Or(clean(v.Redirect, 4096), "nowhere"))
	default:
		fmt.Fprintf(&b, "%s, status %d", v.Outcome, v.Status)
	}
	add := func(is bool, format string, args ...any) {
		if is {
			fmt.Fprintf(&b, ", "+format, args...)
		}
	}
	add(v.Attempt > 1, "attempt %d", v.Attempt)
	add(v.Took > 0, "after %s", span(time.Duration(v.Took)*time.Millisecond))
	if v.Outcome == storage.Fetched {
		add(rec.ContentType != "", "%s", clean(rec.ContentType, 100))
		add(rec.Size > 0, "%d bytes", rec.Size)
		add(rec.Truncated, "cut at --max-body")
		add(rec.Title != "", "titled %q", clean(rec.Title, 100))
		add(rec.NoIndex, "noindex")
		add(v.Canonical != "" && v.Canonical != v.URL, "canonical %s", clean(v.Canonical, 4096))
		add(v.DuplicateOf != "", "the same content as %s", clean(v.DuplicateOf, 4096))
		add(v.Unlisted, "no row of the results, by a rule for its page")
	}
	add(v.Join != "", "its host joined the scope, as a seed redirects there")
	return b.String()
}

// robotsOf says what came of asking for a robots.txt, or that its host was given
// up.
func robotsOf(h *storage.Host) string {
	var text string
	switch h.State {
	case storage.RobotsNone:
		return "its host was given up: " + failureOf(h.GiveUp, h.Status, h.Error)
	case storage.RobotsRules:
		text = fmt.Sprintf("asked for as the robots.txt of its host: status %d, its rules are in force until %s", h.Status, stamp(h.Expires))
	case storage.RobotsAllow:
		text = fmt.Sprintf("asked for as the robots.txt of its host: status %d, so that everything is allowed until %s", h.Status, stamp(h.Expires))
	case storage.RobotsRedirect:
		text = fmt.Sprintf("asked for as the robots.txt of its host: status %d, redirected to %s", h.Status, clean(h.Next, 4096))
	case storage.RobotsRetry:
		text = fmt.Sprintf("asked for as the robots.txt of its host, attempt %d: %s; the next is due at %s",
			h.Attempt, failureOf(h.Class, h.Status, h.Error), stamp(h.Due))
	default:
		text = "asked for as the robots.txt of its host, and given up: " + failureOf(h.Class, h.Status, h.Error)
	}
	if h.Delay > 0 {
		text += fmt.Sprintf(", Crawl-delay %s", span(time.Duration(h.Delay)*time.Millisecond))
	}
	return text
}

// waitOf says what a host waits for.
func waitOf(h *frontier.HostLook, now time.Time, s *Settings) string {
	until := ""
	if !h.Until.IsZero() && h.Until.After(now) {
		until = fmt.Sprintf(" (%s more)", span(h.Until.Sub(now)))
	}
	switch h.Wait {
	case frontier.WaitWorker:
		return "its host waits for a worker"
	case frontier.WaitGap:
		return fmt.Sprintf("its host waits for the gap of %s between requests%s", span(h.Gap), until)
	case frontier.WaitHold:
		return fmt.Sprintf("its host asked to be left alone until %s%s", stamp(h.Until.UnixMilli()), until)
	case frontier.WaitRetry:
		return fmt.Sprintf("its host waits for an attempt that is due at %s", stamp(h.Until.UnixMilli()))
	case frontier.WaitRobots:
		return "its host waits for its robots.txt"
	case frontier.WaitAnswer:
		if h.Out == 1 {
			return fmt.Sprintf("its host waits for the request in flight (--per-host %d)", s.PerHost)
		}
		return fmt.Sprintf("its host waits for the %d requests in flight (--per-host %d)", h.Out, s.PerHost)
	case frontier.WaitLimit:
		return fmt.Sprintf("as many pages of its host are fetched as may be (--max-pages-per-host %d)", s.MaxPagesPerHost)
	case frontier.WaitLost:
		return fmt.Sprintf("its host was given up (%s), so it fails without a request", h.GaveUp)
	}
	return "its host has nothing to do"
}

// holdOf says why nothing is asked for now.
func holdOf(h *Hold, now time.Time) string {
	why := ""
	if h.Text != "" {
		why = fmt.Sprintf(" (%s)", clean(h.Text, 200))
	}
	again := ""
	if h.Until.After(now) {
		again = fmt.Sprintf(" (it is tried again in %s)", span(h.Until.Sub(now)))
	}
	switch h.Reason {
	case HeldByNetwork:
		return "the network is gone" + why + "; nothing is asked until it is back" + again
	case HeldByPortal:
		return "the network wants a log-in" + why + "; nothing is asked until it leads to the hosts" + again
	case HeldByProxy:
		return "the proxy does not serve" + why + "; nothing is asked until it does" + again
	case HeldByHours:
		if h.Until.IsZero() {
			return "it is " + h.Text
		}
		return fmt.Sprintf("it is %s; nothing is asked until %s", h.Text, stampOf(h.Until))
	case HeldByMemory:
		return "memory is short; nothing is asked until there is more"
	}
	return "nothing is asked" + why + again
}

// span spells a duration for people: 6ms, 3.2s, 12m5s, 4h10m, 3d2h.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		d = d.Round(time.Second)
	case d < 24*time.Hour:
		d = d.Round(time.Minute)
	default:
		hours := int64(d.Round(time.Hour) / time.Hour)
		return fmt.Sprintf("%dd%dh", hours/24, hours%24)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// flagsOf spells a predicate as it was given.
func flagsOf(p *storage.Predicate) string {
	var b strings.Builder
	for _, f := range []struct{ name, value string }{
		{"host", p.Host}, {"match", p.Match}, {"errors", strings.Join(p.Classes, ",")},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " --%s %s", f.name, clean(f.value, 200))
		}
	}
	for i, s := range p.Statuses {
		b.WriteString([...]string{",", " --status "}[min(1, max(0, 1-i))])
		fmt.Fprintf(&b, "%d", s.From)
		if s.To != s.From {
			fmt.Fprintf(&b, "-%d", s.To)
		}
	}
	return b.String()
}
