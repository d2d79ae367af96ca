package crawl

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestResultsThatCannotBe(t *testing.T) {
	many := func(n int) (specs []string) {
		for i := range n {
			specs = append(specs, fmt.Sprintf("f%d=h1", i))
		}
		return specs
	}
	rule := func(p PageRule) Settings { return Settings{PageRules: []PageRule{{Match: "x"}, p}} }
	for _, c := range []struct {
		name string
		s    Settings
		want string // a part of what is said; empty: nothing is wrong
	}{
		{"nothing", Settings{}, ""},
		{"field", Settings{Fields: []string{"a=h1", "b[]:int=.x@y"}}, ""},
		{"field without selector", Settings{Fields: []string{"a"}}, `--field "a" is not NAME=SELECTOR`},
		{"field that does not parse", Settings{Fields: []string{"a=.b["}}, `--field a: CSS selector ".b[" does not parse`},
		{"field twice", Settings{Fields: []string{"a=h1", "a=h2"}}, `--field "a=h2": there is a field a already`},
		{"1,000 fields", Settings{Fields: many(1000)}, ""},
		{"1,001 fields", Settings{Fields: many(1001)}, "there may be 1000 fields, not 1001"},
		{"1,001 fields in rules", Settings{Fields: many(1000), PageRules: []PageRule{{Match: "x", Fields: []string{"g=h1"}}}}, "there may be 1000 fields"},
		{"the same 1,000 fields in rules", Settings{Fields: many(1000), PageRules: []PageRule{{Match: "x", Fields: many(1000)}}}, ""},
		{"links-from", Settings{LinksFrom: []string{"main", "xpath://nav"}}, ""},
		{"links-from that does not parse", Settings{LinksFrom: []string{"main", ".b["}}, `--links-from: CSS selector ".b[" does not parse`},
		{"10,000 rules", Settings{PageRules: make([]PageRule, 10_001)}, "there may be 10000 rules, not 10001"},
		{"rule without match", rule(PageRule{Ignore: true}), "rule 2: match is missing"},
		{"match", rule(PageRule{Match: "("}), `rule 2: match "(" is not a regular expression`},
		{"field of a rule", rule(PageRule{Match: "y", Fields: []string{"a=.b["}}), "rule 2: field a: CSS selector"},
		{"links-from of a rule", rule(PageRule{Match: "y", LinksFrom: []string{""}}), "rule 2: links-from: "},
		{"negative delay", rule(PageRule{Match: "y", Delay: -1}), "rule 2: delay must not be negative"},
		{"longest delay", rule(PageRule{Match: "y", Delay: 24 * time.Hour}), ""},
		{"longer delay", rule(PageRule{Match: "y", Delay: 24*time.Hour + 1}), "rule 2: delay must not be longer than 24h"},
		{"priority", rule(PageRule{Match: "y", Priority: "low", Store: StoreRow}), ""},
		{"unknown priority", rule(PageRule{Match: "y", Priority: "Low"}), `rule 2: priority is high, normal or low, not "Low"`},
		{"unknown store", rule(PageRule{Match: "y", Store: "true"}), `rule 2: store is all, row or none, not "true"`},
		{"one name in two rules", Settings{PageRules: []PageRule{{Match: "x", Fields: []string{"a:int=h1"}}, {Match: "y", Fields: []string{"a:int=h2"}}}}, ""},
		{"one name of two types", Settings{Fields: []string{"a:int=h1"}, PageRules: []PageRule{{Match: "y", Fields: []string{"a:float=h2"}}}}, `rule 1: field "a:float=h2": elsewhere a is a:int`},
		{"one name, a list elsewhere", Settings{Fields: []string{"a[]:int=h1"}, PageRules: []PageRule{{Match: "y", Fields: []string{"a:int=h2"}}}}, "elsewhere a is a[]:int"},
		{"output", Settings{Output: "/x/a.CSV"}, ""},
		{"output to a device", Settings{Output: "/dev/stdout"}, ""},
		{"relative output", Settings{Output: "a.csv"}, "not an absolute path"},
		{"output as Parquet", Settings{Output: "/x/a.parquet"}, "cannot be written while a crawl goes on"},
		{"output as SQLite", Settings{Output: "/x/a.sqlite"}, "cannot be written while a crawl goes on"},
		{"output of no format", Settings{Output: "/x/a"}, "must end in .csv, .tsv or .jsonl"},
		{"relative WARC folder", Settings{WARC: "x"}, "not an absolute path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Defaults("pawl/1")
			s.Fields, s.LinksFrom, s.PageRules, s.Output, s.WARC = c.s.Fields, c.s.LinksFrom, c.s.PageRules, c.s.Output, c.s.WARC
			err := s.Validate()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// Settings that were written before there was a margin of free space have that of
// the defaults, and what was chosen stays.
func TestSettingsFromBeforeTheMargin(t *testing.T) {
	for text, want := range map[string]int64{
		`{"scope":"host","workers":16}`: Automatic, `{"min_free":0}`: 0, `{"min_free":7}`: 7, `{"min_free":-1}`: Automatic,
	} {
		var s Settings
		if err := json.Unmarshal([]byte(text), &s); err != nil || s.MinFree != want {
			t.Errorf("%s: %d, %v; want %d", text, s.MinFree, err, want)
		}
	}
}
