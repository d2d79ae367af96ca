package sitemap

import (
	"bytes"
	"strings"
	"time"
)

// maxDate is the longest date that is read.
const maxDate = 64

// dates reads dates. Most files have the same for many entries, so the last one is kept.
type dates struct {
	raw  [maxDate]byte
	n    int
	text string
}

// parse returns a date as Entry.LastMod has it: of a W3C datetime (https://www.w3.org/TR/NOTE-datetime), of a time as in
// mail (RFC 822 to 5322), or of what programs make of these. A time without zone is taken for UTC.
func (d *dates) parse(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) > maxDate {
		return ""
	}
	if string(raw) != string(d.raw[:d.n]) {
		d.n = copy(d.raw[:], raw)
		d.text = parseDate(raw)
	}
	return d.text
}

func parseDate(raw []byte) string {
	rest := raw
	year, ok1 := digits(&rest, 4, "-")
	month, ok2 := digits(&rest, 2, "-")
	date, ok3 := digits(&rest, 2, "")
	if !ok1 || !ok2 || !ok3 {
		return parseMailDate(string(raw))
	}
	day := time.Date(year, time.Month(month), date, 0, 0, 0, 0, time.UTC)
	if day.Month() != time.Month(month) || year == 0 {
		return ""
	}
	if len(rest) == 0 {
		return string(raw)
	}
	if c := rest[0]; (c == 'T' || c == 't' || c == ' ') && len(rest) > 1 && isDigit(rest[1]) {
		return parseTime(day, rest[1:])
	}
	if _, ok := zone(rest); ok {
		return string(raw[:len(time.DateOnly)])
	}
	return ""
}

// parseTime returns the day with the time of day in rest.
func parseTime(day time.Time, rest []byte) string {
	hour, ok1 := digits(&rest, 2, ":")
	minute, ok2 := digits(&rest, 2, "")
	second := 0
	ok3 := true
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
		second, ok3 = digits(&rest, 2, "")
		if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') && isDigit(rest[1]) {
			rest = bytes.TrimLeft(rest[1:], "0123456789")
		}
	}
	offset, ok4 := zone(rest)
	if !ok1 || !ok2 || !ok3 || !ok4 || hour > 23 || minute > 59 || second > 60 {
		return ""
	}
	return format(day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute +
		time.Duration(min(second, 59))*time.Second - offset))
}

func format(t time.Time) string {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return ""
	}
	return t.Format(time.RFC3339)
}

// digits takes n digits and what follows them from text.
func digits(text *[]byte, n int, then string) (value int, ok bool) {
	b := *text
	if len(b) < n+len(then) || string(b[n:n+len(then)]) != then {
		return 0, false
	}
	for _, c := range b[:n] {
		if !isDigit(c) {
			return 0, false
		}
		value = 10*value + int(c-'0')
	}
	*text = b[n+len(then):]
	return value, true
}

// zone reads a time zone: nothing, a name, +hh:mm, +hhmm or +hh.
func zone(text []byte) (offset time.Duration, ok bool) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return 0, true
	}
	if sign := text[0]; sign == '+' || sign == '-' {
		text = text[1:]
		hours, ok := digits(&text, 2, "")
		minutes := 0
		if text = bytes.TrimPrefix(text, []byte(":")); ok && len(text) > 0 {
			minutes, ok = digits(&text, 2, "")
		}
		offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
		if sign == '-' {
			offset = -offset
		}
		return offset, ok && len(text) == 0 && hours < 24 && minutes < 60
	}
	switch strings.ToUpper(string(text)) { // RFC 822, section 5
	case "Z", "UT", "UTC", "GMT":
		return 0, true
	case "EDT":
		return -4 * time.Hour, true
	case "EST", "CDT":
		return -5 * time.Hour, true
	case "CST", "MDT":
		return -6 * time.Hour, true
	case "MST", "PDT":
		return -7 * time.Hour, true
	case "PST":
		return -8 * time.Hour, true
	}
	return 0, false
}

// parseMailDate reads "Mon, 02 Jan 2006 15:04:05 -0700" with what may be left out of it, and dates without leading zeros.
func parseMailDate(raw string) string {
	if _, after, found := strings.Cut(raw, ","); found {
		raw = after
	}
	words := strings.Fields(raw)
	if len(words) == 0 {
		return ""
	}
	if len(words) == 1 {
		for _, layout := range []string{"2006-1-2", "2006/1/2"} {
			if t, err := time.Parse(layout, words[0]); err == nil && t.Year() > 0 {
				return t.Format(time.DateOnly)
			}
		}
		return ""
	}
	var offset time.Duration
	if len(words) > 4 {
		var ok bool
		if offset, ok = zone([]byte(strings.Join(words[4:], ""))); !ok {
			return ""
		}
		words = words[:4]
	}
	raw = strings.Join(words, " ")
	for _, layout := range []string{"2 Jan 2006 15:04:05", "2 Jan 2006 15:04", "2 Jan 06 15:04:05", "2 Jan 06 15:04"} {
		if t, err := time.Parse(layout, raw); err == nil {
			return format(t.Add(-offset))
		}
	}
	if t, err := time.Parse("2 Jan 2006", raw); err == nil && t.Year() > 0 {
		return t.Format(time.DateOnly)
	}
	return ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
