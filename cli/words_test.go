package cli

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pawl/crawl"
)

func TestArrange(t *testing.T) {
	for _, c := range []struct {
		line    string // arguments, separated by blanks
		command string
		flags   string
		args    string
	}{
		{"crawl u", "crawl", "", "u"},
		{"crawl --max-depth 2 u", "crawl", "--max-depth=2", "u"},
		{"crawl u --max-depth 2", "crawl", "--max-depth=2", "u"},
		{"crawl u --max-depth=2 v", "crawl", "--max-depth=2", "u v"},
		{"crawl u -max-depth 2", "crawl", "--max-depth=2", "u"},
		{"--max-depth 2 crawl u", "crawl", "--max-depth=2", "u"},
		{"-q --db f crawl u", "crawl", "--quiet=true --db=f", "u"},
		{"--db=f status", "status", "--db=f", ""},
		{"--db crawl status", "status", "--db=crawl", ""},
		{"crawl --user-agent --assets u", "crawl", "--user-agent=--assets", "u"},
		{"crawl --user-agent -- u", "crawl", "--user-agent=--", "u"},
		{"crawl -- --max-depth 2", "crawl", "", "--max-depth 2"},
		{"crawl u -- -q -- v", "crawl", "", "u -q -- v"},
		{"crawl --seeds -", "crawl", "--seeds=-", ""},
		{"crawl -", "crawl", "", "-"},
		{"crawl -H a:b -H c:d", "crawl", "--header=a:b --header=c:d", ""},
		{"crawl -H=a=b", "crawl", "--header=a=b", ""},
		{"crawl --include=", "crawl", "--include=", ""},
		{"export pages -o f --columns a,b", "export", "--output=f --columns=a,b", "pages"},
		{"--version", "version", "", ""},
		{"help", "", "", ""},
		{"help crawl", "crawl", "", ""},
		{"crawl help", "crawl", "", "help"},
		{"--help crawl", "crawl", "", ""},
	} {
		t.Run(c.line, func(t *testing.T) {
			w, err := arrange(append([]string{"pawl"}, strings.Fields(c.line)...), commands())
			if err != nil {
				t.Fatal(err)
			}
			got := []string{w.command, strings.Join(w.flags, " "), strings.Join(w.args, " ")}
			if diff := cmp.Diff([]string{c.command, c.flags, c.args}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzArrange(f *testing.F) {
	f.Add("crawl\nhttp://h.test\n--max-depth\n2")
	f.Add("--db\nx\nexport\n--\n--raw")
	f.Add("help\n--version")
	all := commands()
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\n")
		w, err := arrange(append([]string{"pawl"}, args...), all)
		if err != nil {
			if code, _ := judge(err); code != ExitUsage {
				t.Errorf("exit code %d for %q", code, err)
			}
			return
		}
		if w.help {
			return
		}
		cmd := find(all, w.command)
		if cmd == nil {
			t.Fatalf("command %q", w.command)
		}
		for _, flag := range w.flags {
			name, _, ok := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
			if !ok || cmd.option(name) == nil {
				t.Errorf("the library would not know %q", flag)
			}
		}
		for _, arg := range w.args {
			if !slices.Contains(args, arg) {
				t.Errorf("argument %q came from nowhere", arg)
			}
		}
	})
}

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64 // -1: refused
	}{
		{"0", 0},
		{"123", 123},
		{"123B", 123},
		{"512KB", 512_000},
		{"512kb", 512_000},
		{"512k", 512_000},
		{"10MB", 10_000_000},
		{"10 MB", 10_000_000},
		{"1.5MB", 1_500_000},
		{"2GiB", 2 << 30},
		{"1KiB", 1024},
		{"3TB", 3_000_000_000_000},
		{"", -1},
		{"MB", -1},
		{"-1", -1},
		{"-1MB", -1},
		{"10XB", -1},
		{"1e3", -1},
		{"0x10", -1},
		{"NaN", -1},
		{"inf", -1},
		{"infMB", -1},
		{"9999999TiB", -1},
		{"1_000", -1},
	} {
		got, err := parseSize(c.text)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("parseSize(%q) = %d, want %d", c.text, got, c.want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"10MB", "2GiB", "1.5k", "-3", "1e9", "inf", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("parseSize(%q) = %d", s, n)
		}
		// Beyond 53 bits a float does not hold every number.
		if again, err := parseSize(exactSize(n)); n < 1<<53 && (err != nil || again != n) {
			t.Errorf("%q is %d, spelled %q, which is %d, %v", s, n, exactSize(n), again, err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration // -1: refused
	}{
		{"0", 0},
		{"90s", 90 * time.Second},
		{"1h30m", 90 * time.Minute},
		{"500ms", 500 * time.Millisecond},
		{"1.5s", 1500 * time.Millisecond},
		{"5", -1},
		{"", -1},
		{"-1s", -1},
		{"adaptive", -1},
		{"999999999h", -1},
	} {
		got, err := parseDuration(c.text)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("parseDuration(%q) = %v, want %v", c.text, got, c.want)
		}
		if err == nil {
			if again, err := parseDuration(exactDuration(got)); err != nil || again != got {
				t.Errorf("%v is spelled %q", got, exactDuration(got))
			}
		}
	}
}

func TestSpelledForPeople(t *testing.T) {
	for _, c := range [][2]string{
		{grouped(0), "0"},
		{grouped(999), "999"},
		{grouped(1000), "1,000"},
		{grouped(1234567), "1,234,567"},
		{grouped(math.MaxUint64), "18,446,744,073,709,551,615"},
		{roughSize(0), "0 B"},
		{roughSize(999), "999 B"},
		{roughSize(1000), "1.0 kB"},
		{roughSize(999_999), "1.0 MB"},
		{roughSize(12.3e6), "12.3 MB"},
		{exactSize(10_000_000), "10MB"},
		{exactSize(2 << 30), "2GiB"},
		{exactSize(1), "1B"},
		{exactSize(0), "0B"},
		{roughDuration(0), "0.0s"},
		{roughDuration(3240 * time.Millisecond), "3.2s"},
		{roughDuration(12*time.Minute + 5*time.Second), "12m5s"},
		{roughDuration(4*time.Hour + 10*time.Minute), "4h10m"},
		{roughDuration(74 * time.Hour), "3d2h"},
		{exactDuration(time.Hour), "1h"},
		{exactDuration(90 * time.Minute), "1h30m"},
		{exactDuration(0), "0s"},
		{exactDuration(10 * time.Second), "10s"},
		{quoted("a.pawl"), "a.pawl"},
		{quoted("my file"), "'my file'"},
		{quoted("it's"), `'it'\''s'`},
		{quoted(""), "''"},
		{clean("a\nb\tc\x1b\u202e"), `a; b c\u001b\u202e`},
		{clean("grüße 日本"), "grüße 日本"},
		{counted(1, "page", "pages"), "1 page"},
		{counted(2000, "page", "pages"), "2,000 pages"},
		{hostList(nil), "no host yet"},
		{hostList([]string{"a", "b"}), "a, b"},
		{hostList(make([]string, 1001)), " and 1,000 other hosts"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"max-depth", "max-pages", "max-pages-per-host", "delay", "db", "quiet"}
	for word, want := range map[string]string{
		"max-dept": "max-depth", "maxdepth": "max-depth", "depth": "", "max-page": "max-pages", "deley": "delay", "MAX-DEPTH": "max-depth",
		"frobnicate": "", "": "", strings.Repeat("max-depth", 100): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// TestEverySettingCanBeSaid holds that each setting is read, shown, told when
// it changes, and can be taken back.
func TestEverySettingCanBeSaid(t *testing.T) {
	samples := map[string][2]string{ // a value, and how it is shown
		"scope": {"domain", "domain"}, "include": {"a", "a"}, "exclude": {"b", "b"}, "assets": {"true", "on"}, "ignore-nofollow": {"true", "on"},
		"max-depth": {"0", "0"}, "max-pages": {"5", "5"}, "max-pages-per-host": {"6", "6"}, "max-duration": {"90s", "1m30s"}, "max-bytes": {"1GiB", "1GiB"},
		"workers": {"3", "3"}, "per-host": {"2", "2"}, "delay": {"0", "0s"}, "ignore-robots": {"yes", "on"}, "user-agent": {"me/1", "me/1"},
		"contact": {"me@example.com", "me@example.com"}, "timeout": {"1m", "1m"}, "max-body": {"0", "none"}, "header": {"Cookie: secret", "Cookie"},
		"sitemaps": {"off", "off"}, "forms": {"on", "on"}, "traps": {"follow", "follow"}, "keep-query": {"on", "on"}, "drop-param": {"ref", "ref"}, "sort-query": {"on", "on"},
		"user": {"me:secret", "***"}, "proxy": {"http://me:secret@proxy:8080", "http://***@proxy:8080"}, "links-from": {"#list", "#list"}, "field": {"name=h1", "name=h1"}, "output": {"/x/pages.csv", "/x/pages.csv"}, "links": {"on", "on"}, "store-bodies": {"on", "on"}, "warc": {"/x/warc", "/x/warc"},
		"rules": {`{"match":"x"}`, "1"},
		"hours": {"22:00-06:00", "22:00-06:00"}, "max-rate": {"2MB/s", "2MB/s"}, "max-memory": {"1GiB", "1GiB"}, "min-free": {"1GB", "1GB"},
		"retries": {"0", "0"}, "max-redirects": {"0", "0"}, "http1": {"on", "on"}, "insecure": {"1", "on"}, "allow-private": {"t", "on"},
	}
	usual := crawl.Defaults("pawl/1")
	for _, st := range crawlSettings() {
		if st.name == "seeds" {
			continue // needs a file; see the scripts
		}
		sample, ok := samples[st.name]
		if !ok {
			t.Errorf("no sample of %s", st.name)
			continue
		}
		s := usual
		if err := overlay(&s, given{st.name: {texts: []string{sample[0]}, where: st.flag()}}); err != nil {
			t.Errorf("%s %s: %v", st.flag(), sample[0], err)
			continue
		}
		if got := st.show(&s); got != sample[1] {
			t.Errorf("%s %s is shown as %q, want %q", st.flag(), sample[0], got, sample[1])
		}
		want := []string{st.name + " " + sample[1] + " (was " + st.show(&usual) + ")"}
		if diff := cmp.Diff(want, changes(&usual, &s)); diff != "" {
			t.Errorf("changes of %s: %s", st.name, diff)
		}
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	for _, c := range [][2]string{
		{"scope", "moon"},
		{"include", "("},
		{"max-depth", "-1"},
		{"max-depth", "many"},
		{"max-pages", "-5"},
		{"max-pages", "99999999999"},
		{"workers", "0"},
		{"delay", "-1s"},
		{"delay", "25h"},
		{"max-body", "big"},
		{"header", "nothing"},
		{"user", "me"},
		{"contact", "me"},
		{"hours", "22-6"},
		{"hours", "at night"},
		{"hours", "06:00-06:00"},
		{"max-rate", "fast"},
		{"max-rate", "-1MB/s"},
		{"max-rate", "16mbit"},
		{"max-rate", "16Mb/s"},
		{"max-rate", "16 Mbps"},
		{"max-rate", "2MB/h"},
		{"max-rate", "2"},
		{"max-memory", "half"},
		{"max-memory", "512"},
		{"min-free", "-1"},
		{"min-free", "5%"},
		{"field", "h1"},
		{"field", "title=h1"},
		{"field", "inlinks=h1"},
		{"output", "pages"},
		{"output", "pages.parquet"},
		{"rules", `{"match":"("}`},
		{"rules", `{"match":"x","priority":"most"}`},
		{"rules", `{"match":"x","fields":["url=h1"]}`},
		{"assets", "perhaps"},
		{"timeout", "5"},
		{"seeds", "/does/not/exist"},
	} {
		s := crawl.Defaults("pawl/1")
		err := overlay(&s, given{c[0]: {texts: []string{c[1]}, where: "--" + c[0]}})
		if code, _ := judge(err); err == nil || code != ExitUsage {
			t.Errorf("--%s %s: %v", c[0], c[1], err)
		}
	}
}

func TestValuesOfTheMachineGroup(t *testing.T) {
	for _, c := range [][3]string{ // a setting, what is said, how it is shown
		{"hours", "8:00 - 9:30, SAT-sun", "08:00-09:30,sat-sun"},
		{"hours", "none", "none"},
		{"max-rate", "500KB/s", "500KB/s"},
		{"max-rate", "500kb/s", "500KB/s"},
		{"max-rate", "2MB", "2MB/s"},
		{"max-rate", "1.5 MB /s", "1500KB/s"},
		{"max-rate", "64KiB/s", "64KiB/s"},
		{"max-rate", "0", "none"},
		{"max-memory", "0", "none"},
		{"max-memory", "512MiB", "512MiB"},
		{"min-free", "auto", "auto"},
		{"min-free", "none", "auto"},
		{"min-free", "0", "0"},
		{"min-free", "2GB", "2GB"},
	} {
		s := crawl.Defaults("pawl/1")
		if err := overlay(&s, given{c[0]: {texts: []string{c[1]}, where: "--" + c[0]}}); err != nil {
			t.Errorf("--%s %s: %v", c[0], c[1], err)
		}
		for _, st := range crawlSettings() {
			if got := st.show(&s); st.name == c[0] && got != c[2] {
				t.Errorf("--%s %s is shown as %q, want %q", c[0], c[1], got, c[2])
			}
		}
	}
}

func TestGatherPrefersFlags(t *testing.T) {
	env := map[string]string{"PAWL_DB": "from-env", "PAWL_DELAY": "1s", "PAWL_HEADER": "A: 1\nB: 2, 3", "PAWL_SCOPE": ""}
	o := []option{{name: "db"}, {name: "delay"}, {name: "header", repeat: true}, {name: "scope"}, {name: "include", repeat: true}}
	values := make([]*value, len(o))
	for i := range o {
		values[i] = &value{option: &o[i]}
	}
	for _, text := range []string{"x", "y"} {
		_ = values[0].Set(text) // the last one wins
		_ = values[4].Set(text) // all count
	}
	got := gather(values, func(name string) string { return env[name] })
	want := given{
		"db":      {texts: []string{"y"}, where: "--db"},
		"delay":   {texts: []string{"1s"}, where: "PAWL_DELAY"},
		"header":  {texts: []string{"A: 1", "B: 2, 3"}, where: "PAWL_HEADER"},
		"include": {texts: []string{"x", "y"}, where: "--include"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(said{}, fileLine{})); diff != "" {
		t.Error(diff)
	}
}
