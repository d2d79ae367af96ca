package cli

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"pawl/crawl"
	"pawl/storage"
)

// style is what a terminal can show, and when.
type style struct {
	color bool
	wide  bool // it knows more than ASCII
	now   time.Time
}

// newStyle finds out what a terminal can show.
func newStyle(env func(string) string) style {
	kind := env("TERM")
	return style{
		color: env("NO_COLOR") == "" && kind != "dumb",
		wide:  kind != "linux" && kind != "dumb" && speaksUTF8(env),
	}
}

func speaksUTF8(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(env(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return runtime.GOOS == "windows" && env("WT_SESSION") != ""
}

// Colours, as the parameters of SGR.
const (
	plainly = ""
	faint   = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
)

// panelRows is how many lines a panel has at most on a terminal of that height.
func panelRows(height int) int {
	return max(0, min(min(max(height/3, 3), 7), height-1))
}

const (
	// narrow is below how many columns a panel has figures alone.
	narrow = 40
	// roomy is from how many on it has numbers in full, and all that is told of a
	// host.
	roomy = 60
)

// panelLines tells how a crawl stands in a few lines that fit a terminal of that
// width and height: none uses the last column, for some terminals wrap when it is.
// All that comes from elsewhere is cleaned.
func panelLines(s *crawl.Status, width, height int, st style) []string {
	p := &panel{s: s, live: s.Live, style: st, width: width - 1, rows: panelRows(height)}
	if p.live == nil {
		p.live = new(crawl.LiveStatus)
	}
	if p.width < 1 || p.rows < 1 {
		return nil
	}
	if width < narrow {
		p.figures(p.rows, true)
		p.sparkLine()
		p.failures(p.left())
		return p.lines
	}
	p.figures(1, false)
	p.sparkLine()
	// Failures get a third of what is left, and what hosts do not need.
	hosts, failures := p.live.Busiest, p.live.Failures
	n := p.left()
	forFailures := min(len(failures), max((n+1)/3, n-len(hosts)))
	p.hosts(hosts[:min(len(hosts), n-forFailures)])
	p.failures(forFailures)
	return p.lines
}

type panel struct {
	style
	s     *crawl.Status
	live  *crawl.LiveStatus
	width int
	rows  int
	lines []string
}

// left is how many lines there is room for.
func (p *panel) left() int { return p.rows - len(p.lines) }

func (p *panel) line() *line { return &line{style: p.style, left: p.width} }

func (p *panel) end(l *line) { p.lines = append(p.lines, l.b.String()) }

// piece is a figure with its noun.
type piece struct{ color, text string }

// figures puts as many of them in that many lines as fit.
func (p *panel) figures(rows int, short bool) {
	last := len(p.lines) + rows
	l, first := p.line(), true
	for _, piece := range p.pieces(short) {
		sep := ", "
		if first {
			sep = ""
		}
		need := textWidth(sep) + textWidth(piece.text)
		if need > l.left && !first {
			if len(p.lines)+1 >= last {
				continue // a shorter one behind it may fit
			}
			p.end(l)
			l, sep = p.line(), ""
		}
		l.add(plainly, sep)
		l.add(piece.color, piece.text)
		first = false
	}
	p.end(l)
}

// pieces are the figures, those that matter most first.
func (p *panel) pieces(short bool) []piece {
	s := p.s
	number := grouped
	if p.width+1 < roomy {
		number = roughCount
	}
	var list []piece
	add := func(color, format string, args ...any) {
		list = append(list, piece{color, fmt.Sprintf(format, args...)})
	}
	if s.State == "paused" || s.State == "stopping" {
		add(yellow, "%s", s.State)
	}
	if h := holdOf(s); h != nil {
		for _, words := range holdWords(h, p.now) {
			add(yellow, "%s", words)
		}
	}
	add(plainly, "%s done", number(s.Done))
	add(plainly, "%s pending", number(s.Pending))
	if short {
		add(plainly, "%s/s", rate(pagesNow(p.live)))
	}
	if n := s.Outcomes[storage.Failed.String()]; n > 0 {
		add(red, "%s failed", number(n))
	}
	add(plainly, "%d in flight", p.live.InFlight)
	if left := leastLeft(s); left >= time.Second {
		if short {
			add(plainly, "%s+ left", roughDuration(left))
		} else {
			add(plainly, "at least %s left", roughDuration(left))
		}
	}
	switch n := p.live.HostsWait; {
	case n == 1:
		add(plainly, "1 host waits")
	case n > 1:
		add(plainly, "%s hosts wait", number(uint64(n)))
	}
	if p.live.Seeding {
		add(plainly, "reading seeds")
	}
	if p.s.Reviewing {
		add(plainly, "judging skipped links again")
	}
	for i := range s.Edits {
		add(plainly, "%s", editText(&s.Edits[i]))
	}
	return list
}

// sparkLine tells how fast it goes, and went.
func (p *panel) sparkLine() {
	if p.left() < 1 {
		return
	}
	l := p.line()
	recent := p.live.Recent
	if p.width+1 >= narrow {
		l.add(plainly, fmt.Sprintf("%s pages/s", rate(pagesNow(p.live))))
		if len(p.live.Rates) > 0 {
			l.add(plainly, fmt.Sprintf(", %s/s", roughSize(p.live.Rates[0].Bytes)))
		}
		if len(recent) > 0 {
			l.add(plainly, "  ")
		}
	}
	label := ""
	recent = recent[max(0, len(recent)-l.left):]
	if over := time.Duration(float64(len(p.live.Recent)) * p.live.RecentSlice * float64(time.Second)); l.left >= len(p.live.Recent)+12 && over >= 10*time.Second {
		label = "  " + exactDuration(over.Round(time.Second))
	}
	l.add(green, spark(recent, p.wide))
	l.add(faint, label)
	if l.used {
		p.end(l)
	}
}

// hosts has a line for each.
func (p *panel) hosts(list []crawl.HostStatus) {
	names := 0
	for i := range list {
		names = max(names, textWidth(clean(list[i].Host)))
	}
	names = min(names, p.width/3)
	for i := range list {
		h := &list[i]
		l := p.line()
		l.add(plainly, padded(p.shorten(h.Host, names), names))
		l.add(plainly, fmt.Sprintf("  %6s/s", rate(h.Rate)))
		if p.width+1 >= roomy {
			l.add(plainly, fmt.Sprintf("  %9s pending", grouped(uint64(max(h.Pending, 0)))))
		}
		l.add(faint, "  "+waitText(h, p.s.State, holdOf(p.s), p.now))
		p.end(l)
	}
}

// failures has a line for each of the last n, the newest last.
func (p *panel) failures(n int) {
	list := p.live.Failures
	n = min(n, len(list), p.left())
	for i := range list[len(list)-max(n, 0):] {
		f := &list[len(list)-n+i]
		l := p.line()
		l.add(red, failureWord(f))
		l.add(plainly, " "+f.URL)
		if f.Error != "" && l.left > 20 {
			l.add(faint, "  "+f.Error)
		}
		p.end(l)
	}
}

func failureWord(f *crawl.Failure) string {
	if f.Class == "" && f.Status > 0 {
		return strconv.Itoa(f.Status)
	}
	return f.Class
}

// waitText tells what a host of a crawl waits for, that is in that state and held by
// that, if it is.
func waitText(h *crawl.HostStatus, state string, hold *crawl.HoldStatus, now time.Time) string {
	in := ""
	if at, err := time.Parse(time.RFC3339, h.Until); err == nil && at.After(now) {
		in = roughDuration(at.Sub(now))
	}
	timed := func(until, otherwise string) string {
		if in == "" {
			return otherwise
		}
		return until + " " + in
	}
	isHeldUp := h.Waits == "worker" || h.Waits == "gap" || h.Waits == "retry" && in == ""
	if isHeldUp {
		switch state {
		case "paused":
			return "waits out the pause"
		case "stopping":
			return "left for the next run"
		}
	}
	if hold != nil && (isHeldUp || holdsRobots(hold, h, now)) {
		return holdWait(hold)
	}
	switch h.Waits {
	case "nothing":
		return "has nothing left"
	case "worker":
		return "waits for a worker"
	case "gap":
		return timed("next in", "its turn comes")
	case "hold":
		return timed("asked to be left alone for", "asked to be left alone")
	case "retry":
		return timed("tries again in", "tries again")
	case "robots":
		return "waits for robots.txt"
	case "answer":
		if h.InFlight > 1 {
			return fmt.Sprintf("waits for %d answers", h.InFlight)
		}
		return "waits for an answer"
	case "limit":
		return "at its limit of pages"
	case "lost":
		return "given up: " + h.GivenUp
	}
	return h.Waits
}

func editText(e *crawl.EditStatus) string {
	text := e.Kind
	if e.Host != "" {
		text += " of " + e.Host
	}
	if e.Match != "" {
		text += " matching " + e.Match
	}
	return fmt.Sprintf("%s: %s so far", text, grouped(e.Changed))
}

// pagesNow is how many pages a second there were of late.
func pagesNow(live *crawl.LiveStatus) float64 {
	if n := int(math.Ceil(rateOver.Seconds() / max(live.RecentSlice, 0.1))); live.RecentSlice > 0 && len(live.Recent) > 0 {
		list := live.Recent[max(0, len(live.Recent)-n):]
		sum := 0.0
		for _, v := range list {
			sum += v
		}
		return sum / float64(len(list))
	}
	if len(live.Rates) > 0 {
		return live.Rates[0].Pages
	}
	return 0
}

func leastLeft(s *crawl.Status) time.Duration {
	return time.Duration(s.LeastLeftMS) * time.Millisecond
}

// spark draws numbers as heights.
func spark(list []float64, blocks bool) string {
	steps := []rune("_.:-=+*#")
	if blocks {
		steps = []rune("▁▂▃▄▅▆▇█")
	}
	most := 0.0
	for _, v := range list {
		if !math.IsInf(v, 0) {
			most = max(most, v)
		}
	}
	out := make([]rune, len(list))
	for i, v := range list {
		step := 0
		if most > 0 && v > 0 {
			step = int(math.Round(min(v/most, 1) * float64(len(steps)-1)))
		}
		out[i] = steps[step]
	}
	return string(out)
}

// roughCount spells a number in few characters: 12.3k.
func roughCount(n uint64) string {
	const names = "kMGTPE"
	if n < 10_000 {
		return grouped(n)
	}
	f, i := float64(n), -1
	for f >= 999.95 && i < len(names)-1 {
		f /= 1000
		i++
	}
	return fmt.Sprintf("%.1f%c", f, names[i])
}

// line is a line that takes what there is room for.
type line struct {
	style
	b    strings.Builder
	left int // columns
	used bool
}

// add appends a text, cleaned and cut.
func (l *line) add(color, text string) {
	text = l.shorten(text, l.left)
	if text == "" {
		return
	}
	l.left -= textWidth(text)
	l.used = true
	if l.color && color != plainly {
		text = "\x1b[" + color + "m" + text + "\x1b[0m"
	}
	l.b.WriteString(text)
}

// shorten cleans a text and makes it fit a width, with a sign that something is
// missing. What has no width of its own is left out: terminals do not agree on
// what it does to its neighbours.
func (st *style) shorten(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	// Nobody sends more than this to be read in a line.
	text = clean(text[:min(len(text), 16*columns+64)])
	seen := func(r rune) rune {
		switch {
		case r < 0x7f:
			return r
		case !st.wide || r == unicode.ReplacementChar:
			return '?'
		case runeWidth(r) == 0:
			return -1
		}
		return r
	}
	text = strings.Map(seen, text)
	if textWidth(text) <= columns {
		return text
	}
	more := ".."
	if st.wide {
		more = "…"
	}
	if columns < 4 {
		more = ""
	}
	return cut(text, columns-textWidth(more)) + more
}

// cut takes as much of the beginning of a text as fits a width.
func cut(text string, columns int) string {
	for i, r := range text {
		if columns -= runeWidth(r); columns < 0 {
			return text[:i]
		}
	}
	return text
}

func padded(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-textWidth(text)))
}

func textWidth(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is how many columns a rune takes on most terminals.
func runeWidth(r rune) int {
	switch {
	case r == 0xad: // what shows where a word may be broken
		return 0
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}
