package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pawl/crawl"
)

var updatePanels = flag.Bool("panel.update", false, "write the golden files of panels anew")

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// busyCrawl is a crawl with something of all that a panel shows, some of it
// hostile.
func busyCrawl() *crawl.Status {
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339Nano) }
	recent := make([]float64, 60)
	for i := range recent {
		recent[i] = float64(i*i%37) / 2
	}
	return &crawl.Status{
		State: "running", Done: 1_231_456, Pending: 56_789, LeastLeftMS: 7_500_000,
		Outcomes: map[string]uint64{"fetched": 1_200_000, "failed": 31_456},
		Live: &crawl.LiveStatus{
			PID: 4711, Workers: 16, InFlight: 16, HostsWait: 12, Seeding: true,
			Rates:  []crawl.Rate{{Minutes: 1, Seconds: 60, Pages: 12.3, Requests: 13.1, Bytes: 1.2e6, Failed: 0.2}},
			Recent: recent, RecentSlice: 2,
			Busiest: []crawl.HostStatus{
				{Host: "www.example.com", Pending: 12_345, InFlight: 1, Waits: "answer", Rate: 3.25},
				{Host: "shop.a-very-long-name-of-a-host.example.org:8443", Pending: 4, Waits: "gap", Until: at(1500 * time.Millisecond), Rate: 0.5},
				{Host: "evil.example\x1b[2J", Pending: 1, Waits: "hold", Until: at(3 * time.Minute), Rate: 0.1},
				{Host: "dead.example", Pending: 1_000_000, Waits: "lost", GivenUp: "dns"},
			},
			Failures: []crawl.Failure{
				{At: at(-time.Minute), URL: "https://www.example.com/older", Status: 500},
				{At: at(-3 * time.Second), URL: "https://www.example.com/a/rather/long/path/to/a/page/that/is/not/there?with=a&query=string", Status: 404},
				{At: at(-time.Second), URL: "https://日本.example/\u202e\x1b]0;owned\x07", Class: "tls", Error: "x509: 証明書 is for e\u0301 other\nnames"},
			},
		},
	}
}

// heldBy is a hold that began 3 minutes before noon, and ends that long after it.
func heldBy(reason crawl.HoldReason, why string, ends time.Duration) *crawl.HoldStatus {
	h := &crawl.HoldStatus{Reason: reason, Text: why, Since: noon.Add(-3 * time.Minute).Format(time.RFC3339Nano)}
	if ends != 0 {
		h.Until = noon.Add(ends).Format(time.RFC3339Nano)
	}
	return h
}

func TestPanels(t *testing.T) {
	quiet := &crawl.Status{State: "running", Live: new(crawl.LiveStatus)}
	paused := busyCrawl()
	paused.State = "paused"
	paused.Edits = []crawl.EditStatus{{Kind: "drop", Host: "a.example", Match: "/x/", Changed: 12_000}}
	stopping := busyCrawl()
	stopping.State = "stopping"
	held := busyCrawl()
	held.Live.Hold, held.Live.InFlight = heldBy(crawl.HeldByNetwork, "no route to any host", 12*time.Second), 0
	held.Live.Busiest[0].Waits = "worker"
	for _, c := range []struct {
		name  string
		s     *crawl.Status
		style style
	}{
		{"busy", busyCrawl(), style{wide: true}},
		{"ascii", busyCrawl(), style{}},
		{"colour", busyCrawl(), style{wide: true, color: true}},
		{"paused", paused, style{wide: true}},
		{"stopping", stopping, style{}},
		{"quiet", quiet, style{wide: true}},
		{"held", held, style{wide: true, color: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			for _, size := range [][2]int{{20, 24}, {40, 24}, {80, 24}, {200, 50}, {80, 10}, {20, 6}} {
				st := c.style
				st.now = noon
				fmt.Fprintf(&b, "-- %d by %d\n", size[0], size[1])
				for _, line := range panelLines(c.s, size[0], size[1], st) {
					b.WriteString(strings.ReplaceAll(line, "\x1b", "␛") + "\n")
				}
			}
			golden(t, "panel-"+c.name+".txt", b.String())
		})
	}
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updatePanels {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s is not as it was; after a look, go test -run %s -panel.update\n%s", path, t.Name(), got)
	}
}

func TestPanelsFitEverySize(t *testing.T) {
	for width := range 130 {
		for _, height := range []int{0, 1, 2, 3, 5, 9, 24, 60} {
			for _, wide := range []bool{false, true} {
				lines := panelLines(busyCrawl(), width, height, style{wide: wide, now: noon})
				if len(lines) > 7 || len(lines) > max(0, height-1) || width > 1 && height > 1 && len(lines) == 0 {
					t.Errorf("%d by %d: %d lines", width, height, len(lines))
				}
				for _, line := range lines {
					if textWidth(line) >= width {
						t.Errorf("%d by %d: %q is %d wide", width, height, line, textWidth(line))
					}
					if strings.IndexFunc(line, controls) >= 0 || !utf8.ValidString(line) || !wide && len(line) != textWidth(line) {
						t.Errorf("%d by %d: %q goes to the terminal", width, height, line)
					}
				}
			}
		}
	}
}

// FuzzPanel holds that no texts from elsewhere break a panel.
func FuzzPanel(f *testing.F) {
	f.Add("www.example.com", "gap", "https://example.com/", "x509", 80, 24, true)
	f.Add("\x1b[2J\xff", "\u202e", "日本\u0301\u200d", "a\nb\tc", 41, 9, false)
	f.Fuzz(func(t *testing.T, host, waits, url, text string, width, height int, wide bool) {
		width, height = width%500, height%100
		s := busyCrawl()
		s.State, s.Seeds = waits, []string{host}
		for i := range s.Live.Busiest {
			s.Live.Busiest[i] = crawl.HostStatus{Host: host, Waits: waits, Until: text, GivenUp: text, Pending: -width}
			if i == 0 {
				s.Live.Busiest[i].Waits = "lost"
			}
		}
		for i := range s.Live.Failures {
			s.Live.Failures[i] = crawl.Failure{URL: url, Class: host, Error: text}
		}
		for _, line := range panelLines(s, width, height, style{wide: wide, now: noon}) {
			if textWidth(line) >= width || strings.IndexFunc(line, controls) >= 0 || !utf8.ValidString(line) {
				t.Errorf("%q at width %d", line, width)
			}
		}
	})
}

func BenchmarkPanel(b *testing.B) {
	s := busyCrawl()
	b.ReportAllocs()
	for b.Loop() {
		panelLines(s, 120, 40, style{wide: true, color: true, now: noon})
	}
}

func TestStyleIsWhatTheTerminalCanShow(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want style
	}{
		{"nothing said", nil, style{color: true}},
		{"a locale of UTF-8", map[string]string{"LANG": "de_DE.UTF-8", "TERM": "xterm"}, style{color: true, wide: true}},
		{"spelled otherwise", map[string]string{"LC_CTYPE": "C.utf8"}, style{color: true, wide: true}},
		{"overruled", map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, style{color: true}},
		{"the console of Linux", map[string]string{"LANG": "C.UTF-8", "TERM": "linux"}, style{color: true}},
		{"dumb", map[string]string{"LANG": "C.UTF-8", "TERM": "dumb"}, style{}},
		{"no colour", map[string]string{"NO_COLOR": "1"}, style{}},
	} {
		if got := newStyle(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestWidths(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "日本": 4, "e\u0301": 1, "…": 1, "▁█": 2, "a\u00adb": 2, "👍": 2} {
		if got := textWidth(text); got != want {
			t.Errorf("%q is %d wide, want %d", text, got, want)
		}
	}
	if got := cut("a日本b", 4); got != "a日" {
		t.Errorf("cut to %q", got)
	}
}

func TestSpark(t *testing.T) {
	for _, c := range []struct {
		list []float64
		wide bool
		want string
	}{
		{nil, true, ""},
		{[]float64{0, 0}, true, "▁▁"},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, true, "▁▂▃▄▅▆▇█"},
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, false, "_.:-=+*#"},
		{[]float64{-1, 5}, false, "_#"},
	} {
		if got := spark(c.list, c.wide); got != c.want {
			t.Errorf("%v: %q, want %q", c.list, got, c.want)
		}
	}
}

// TestScreen holds what a terminal shows of panel and text together.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	term := newTerminal(12, 6)
	check := func(what, want string) {
		t.Helper()
		term.Write(out.Bytes())
		out.Reset()
		if got := term.String(); got != want {
			t.Errorf("%s: shows\n%s\nwant\n%s", what, got, want)
		}
	}
	fmt.Fprint(s, "before\n")
	check("no panel", "before\n")
	s.show([]string{"one", "two"}, false)
	check("a panel", "before\none\ntwo\n")
	fmt.Fprint(s, "half ")
	s.flushText()
	check("half a line", "before\none\ntwo\n")
	fmt.Fprint(s, "a line\n")
	s.flushText()
	check("a line above", "before\nhalf a line\none\ntwo\n")
	fmt.Fprint(s, "wider than the terminal\n")
	s.flushText()
	check("a wide line", "before\nhalf a line\nwider than t\nhe terminal\none\ntwo\n")
	fmt.Fprint(s, "x\ny\n")
	s.flushText()
	check("scrolled", "wider than t\nhe terminal\nx\ny\none\ntwo\n")
	s.show([]string{"1", "2", "3"}, false)
	check("a higher panel", "he terminal\nx\ny\n1\n2\n3\n")
	s.show([]string{"one"}, false)
	check("a lower panel", "he terminal\nx\ny\none\n")
	s.show([]string{"one", "two"}, true)
	check("at rest", "he terminal\nx\ny\none\ntwo\n")
	if term.row != 5 || term.column != 0 {
		t.Errorf("at rest the cursor is at %d, %d", term.row, term.column)
	}
	fmt.Fprint(s, "z\n")
	s.flushText()
	check("text while at rest", "x\ny\nz\none\ntwo\n")
	s.away(func() { fmt.Fprint(&out, "shell\r\n") })
	check("away", "x\ny\nz\nshell\n")
	s.show([]string{"one", "two"}, false)
	check("back again", "x\ny\nz\nshell\none\ntwo\n")
	fmt.Fprint(s, "rest")
	s.hide()
	check("over", "x\ny\nz\nshell\nrest\n")
	fmt.Fprint(s, " of it\n")
	check("after", "x\ny\nz\nshell\nrest of it\n")
}

func TestScreenInTheBackgroundShowsText(t *testing.T) {
	var out bytes.Buffer
	ours := true
	s := &screen{out: &out, ours: func() bool { return ours }}
	s.show([]string{"panel"}, false)
	ours = false
	out.Reset()
	s.show([]string{"panel"}, false)
	fmt.Fprint(s, "text\n")
	s.flushText()
	if out.String() != "text\n" {
		t.Errorf("wrote %q", &out)
	}
}

// TestScreenReflowed has a terminal that breaks lines anew when it becomes
// narrower: nothing of the panel is left behind.
func TestScreenReflowed(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	term := newTerminal(20, 10)
	fmt.Fprint(s, "before\n")
	s.show([]string{"a panel that is wide", "of two lines"}, false)
	term.Write(out.Bytes())
	term.reflow(8)
	out.Reset()
	s.show([]string{"narrow", "now"}, false)
	term.Write(out.Bytes())
	if got := term.String(); got != "before\nnarrow\nnow\n" {
		t.Errorf("shows\n%s", got)
	}
}

func TestScreenLosesNothingWhenFast(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	s.show([]string{"panel"}, false)
	var want strings.Builder
	for i := range 20_000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		fmt.Fprint(s, line)
	}
	s.hide()
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		if i := strings.LastIndex(line, "line "); i >= 0 {
			got.WriteString(line[i:])
		}
	}
	if got.String() != want.String() {
		t.Errorf("%d bytes of %d", got.Len(), want.Len())
	}
	if n := strings.Count(out.String(), "panel"); n > 2000 {
		t.Errorf("the panel was drawn %d times", n)
	}
}
