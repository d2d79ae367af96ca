package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads 90s, 1h30m, 500ms, and 0.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && isNumber(text):
		return 0, fmt.Errorf("%q lacks a unit: %ss, or %sm for minutes", text, text, text)
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration such as 90s or 1h30m", text)
	case d < 0:
		return 0, fmt.Errorf("%q is negative", text)
	}
	return d, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// units are the units of sizes. Those of files and networks are decimal, those
// with an i in them binary.
var units = [...]struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"tib", 1 << 40},
	{"kb", 1e3},
	{"mb", 1e6},
	{"gb", 1e9},
	{"tb", 1e12},
	{"k", 1e3},
	{"m", 1e6},
	{"g", 1e9},
	{"t", 1e12},
	{"b", 1},
	{"", 1},
}

// parseSize reads 512KB, 10MB, 2GiB, and plain bytes.
func parseSize(text string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, u := range units {
		digits, ok := strings.CutSuffix(lower, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		switch size := n * u.bytes; {
		case err != nil || math.IsNaN(size) || strings.ContainsAny(digits, "exp_n"):
		case size < 0:
			return 0, fmt.Errorf("%q is negative", text)
		case size >= math.MaxInt64:
			return 0, fmt.Errorf("%q is too large", text)
		default:
			return int64(size), nil
		}
		break
	}
	return 0, fmt.Errorf("%q is not a size such as 512KB, 10MB or 2GiB", text)
}

// exactSize spells a size so that parseSize reads the same one.
func exactSize(n int64) string {
	for _, u := range [...]int{7, 6, 5, 4, 3, 2, 1, 0} { // TB to KB, TiB to KiB
		if bytes := int64(units[u].bytes); n > 0 && n%bytes == 0 {
			name := strings.ToUpper(units[u].name)
			return strconv.FormatInt(n/bytes, 10) + strings.Replace(name, "I", "i", 1)
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// roughSize spells a size for people: 12.3 MB.
func roughSize(n float64) string {
	const names = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%.0f B", n)
	}
	i := -1
	for n >= 999.95 && i < len(names)-1 {
		n /= 1000
		i++
	}
	return fmt.Sprintf("%.1f %cB", n, names[i])
}

// grouped spells a number for people: 1,234,567.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted spells a number with its noun: 1 page, 1,234 pages.
func counted(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// exactDuration spells a duration as parseDuration reads it, without the zeros
// that Go's own spelling ends in.
func exactDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// roughDuration spells a duration for people: 3.2s, 12m5s, 4h10m, 3d2h.
func roughDuration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Hour:
		return exactDuration(d.Round(time.Second))
	case d < 24*time.Hour:
		return exactDuration(d.Round(time.Minute))
	}
	hours := int64(d.Round(time.Hour) / time.Hour)
	return fmt.Sprintf("%dd%dh", hours/24, hours%24)
}

// controls tells whether a rune could do more on a terminal than be seen:
// control characters, and those that turn the direction of the text around it.
func controls(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 ||
		r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
