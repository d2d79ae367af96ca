package crawl

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Hours are times of the week at which a crawl may ask. The zero Hours are always
// open. They never change, and may be used concurrently.
type Hours struct {
	text string
	open []weekSpan // in order, apart from each other; nil: always
}

// weekSpan is a part of the week, in minutes since the beginning of Sunday: from
// the first to before the second.
type weekSpan struct{ from, to int }

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	// maxHours is how long the text of Hours may be, in bytes.
	maxHours = 1000
)

// dayNames are the days as time.Weekday counts them.
var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads times of the day, 22:00-06:00, or several of these with commas. A
// range that ends before it begins goes on to the next day; 24:00 is the end of a day.
// Days may stand before a range, which then holds for those on which it begins: fri
// 22:00-06:00, mon-fri 12:00-13:00. Days alone are all of them: sat-sun. Ranges may
// overlap. An empty text is always.
func ParseHours(text string) (Hours, error) {
	if strings.TrimSpace(text) == "" {
		return Hours{}, nil
	}
	if len(text) > maxHours {
		return Hours{}, fmt.Errorf("%q is longer than %d characters", shortened(text), maxHours)
	}
	var spelled []string
	var open []weekSpan
	for entry := range strings.SplitSeq(text, ",") {
		r, err := parseDayHours(strings.ToLower(strings.TrimSpace(entry)))
		if err != nil {
			return Hours{}, err
		}
		if s := r.String(); !slices.Contains(spelled, s) {
			spelled = append(spelled, s)
		}
		open = r.spans(open)
	}
	return Hours{text: strings.Join(spelled, ","), open: merged(open)}, nil
}

// dayHours is a range of times on some days. One that ends before it begins ends on
// the next day.
type dayHours struct {
	first, last int  // days, from Sunday; the last may come before the first
	isDaily     bool // no days were named
	isWhole     bool // no times were named
	from, to    int  // minutes of the day
}

func parseDayHours(text string) (r dayHours, err error) {
	days, times, isBoth := strings.Cut(text, " ")
	if strings.TrimLeft(text, "0123456789:- ") == "" {
		r.last, r.isDaily, times = 6, true, text
	} else if r.first, r.last, err = parseDays(days); err != nil {
		return r, err
	} else if !isBoth {
		r.isWhole, r.to = true, dayMinutes
		return r, nil
	}
	from, to, ok := strings.Cut(times, "-")
	if !ok {
		return r, fmt.Errorf("%q is not a range of times such as 22:00-06:00", shortened(text))
	}
	if r.from, err = parseTimeOfDay(strings.TrimSpace(from)); err != nil {
		return r, err
	}
	if r.to, err = parseTimeOfDay(strings.TrimSpace(to)); err != nil {
		return r, err
	}
	switch {
	case r.from == dayMinutes:
		return r, fmt.Errorf("%q begins when the day ends; write 00:00", shortened(text))
	case r.from == r.to:
		return r, fmt.Errorf("%q ends when it begins; all day is 00:00-24:00", shortened(text))
	}
	return r, nil
}

// parseDays reads fri, or mon-fri.
func parseDays(text string) (first, last int, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, last = slices.Index(dayNames[:], from), slices.Index(dayNames[:], to)
	if first < 0 || last < 0 {
		return 0, 0, fmt.Errorf("%q is neither a range of times such as 22:00-06:00 nor a day such as fri or mon-fri", shortened(text))
	}
	return first, last, nil
}

// parseTimeOfDay reads 22:00 as minutes since midnight.
func parseTimeOfDay(text string) (minutes int, err error) {
	hours, rest, ok := strings.Cut(text, ":")
	h, okHours := parseDigits(hours, 1)
	m, okMinutes := parseDigits(rest, 2)
	if minutes = 60*h + m; !ok || !okHours || !okMinutes || m > 59 || minutes > dayMinutes {
		return 0, fmt.Errorf("%q is not a time of day such as 22:00", shortened(text))
	}
	return minutes, nil
}

// parseDigits reads a number of that many digits, or two.
func parseDigits(text string, least int) (n int, ok bool) {
	if len(text) < least || len(text) > 2 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// shortened is a text of the user, fit for a message.
func shortened(text string) string {
	if len(text) > 40 {
		return strings.ToValidUTF8(text[:40], "") + "…"
	}
	return text
}

// String spells the range as parseDayHours reads it.
func (r dayHours) String() string {
	var b strings.Builder
	if !r.isDaily {
		b.WriteString(dayNames[r.first])
		if r.last != r.first {
			b.WriteString("-" + dayNames[r.last])
		}
		if r.isWhole {
			return b.String()
		}
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "%02d:%02d-%02d:%02d", r.from/60, r.from%60, r.to/60, r.to%60)
	return b.String()
}

// spans appends what the range is of a week.
func (r dayHours) spans(list []weekSpan) []weekSpan {
	to := r.to
	if to < r.from {
		to += dayMinutes
	}
	for i := range (r.last-r.first+7)%7 + 1 {
		day := (r.first + i) % 7 * dayMinutes
		span := weekSpan{day + r.from, day + to}
		if span.to > weekMinutes { // from Saturday into Sunday
			list = append(list, weekSpan{0, span.to - weekMinutes})
			span.to = weekMinutes
		}
		list = append(list, span)
	}
	return list
}

// merged sorts spans and joins those that meet.
func merged(list []weekSpan) []weekSpan {
	slices.SortFunc(list, func(a, b weekSpan) int { return a.from - b.from })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}

// String spells the hours as ParseHours reads them, in the one way that such hours
// are remembered; empty: always.
func (h Hours) String() string { return h.text }

// Closed tells whether it is none of these times at now, by the clock of now's time
// zone, and when the next one begins; zero: that is not known. Where clocks are set
// forward a time that is left out never comes: what begins in it and ends behind it
// begins with the first minute that there is, what lies all in it does not come that day.
// Where they are set back what comes twice is open twice. It allocates nothing.
func (h Hours) Closed(now time.Time) (opens time.Time, isClosed bool) {
	if h.open == nil {
		return time.Time{}, false
	}
	wait := h.wait(now)
	if wait == 0 {
		return time.Time{}, false
	}
	at := now.Round(0) // what is to come is by the machine's clock
	for range maxZones {
		// Until clocks are set, time goes on as it does on them.
		_, set := at.ZoneBounds()
		if next := at.Add(wait); set.IsZero() || next.Before(set) {
			return next, true
		}
		at = set.In(at.Location())
		if wait = h.wait(at); wait == 0 {
			return at, true
		}
	}
	return time.Time{}, true
}

// maxZones bounds how often clocks are set before the hours open.
const maxZones = 100

// wait is how long it is until the hours open, if clocks are not set before; 0: they
// are open.
func (h Hours) wait(at time.Time) time.Duration {
	hour, minute, second := at.Clock()
	now := int(at.Weekday())*dayMinutes + hour*60 + minute
	from := h.open[0].from + weekMinutes
	for _, s := range h.open {
		if now < s.from {
			from = s.from
			break
		}
		if now < s.to {
			return 0
		}
	}
	return time.Duration(from-now)*time.Minute - time.Duration(second)*time.Second - time.Duration(at.Nanosecond())
}
