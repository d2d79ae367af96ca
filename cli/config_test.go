package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pawl/crawl"
)

// settingsOf reads a recipe over the defaults.
func settingsOf(t *testing.T, text string) (*recipe, crawl.Settings) {
	t.Helper()
	r, err := parseRecipe("dir/crawl.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := crawl.Defaults(ownAgent())
	if err := overlay(&s, r.given); err != nil {
		t.Fatal(err)
	}
	return r, s
}

func TestRecipe(t *testing.T) {
	seeds := filepath.Join(t.TempDir(), "seeds.txt")
	if err := os.WriteFile(seeds, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, got := settingsOf(t, `# a store
seeds: [https://store.test/app/1, "store.test/app/2"]
seeds-file: `+seeds+`
include: /app/
exclude:
  - '\?page='
  - >-
    /very/
    long
max-pages: 1000
max-body: 5MB
delay: 2s
assets: true
forms: yes
sitemaps: off
header: ['Accept: a, b']
proxy: none
links-from: &list
  - section.cluster:first-of-type
fields:
  name: h1
  five[]:int: .five-star .bar-number
output: out/apps.csv
warc: warc
rules:
  - match: '^https?://[^/]+/app/'
    fields: {"price:float": "#price"}
    links-from: *list
    delay: 1m
    priority: high
    store: row
  -
    match: /cart
    ignore: true
  - match: .
    field: [b=h2, c=h3]
    store: false
    priority: low
`)
	abs := func(name string) string {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := crawl.Defaults(ownAgent())
	want.SeedsFile = seeds
	want.Include = []string{"/app/"}
	want.Exclude = []string{`\?page=`, "/very/ long"}
	want.MaxPages, want.MaxBody, want.Delay = 1000, 5_000_000, 2*time.Second
	want.Assets, want.Forms, want.NoSitemaps = true, true, true
	want.Headers = []string{"Accept: a, b"}
	want.LinksFrom = []string{"section.cluster:first-of-type"}
	want.Fields = []string{"name=h1", "five[]:int=.five-star .bar-number"}
	want.Output, want.WARC = abs("dir/out/apps.csv"), abs("dir/warc")
	want.PageRules = []crawl.PageRule{
		{Match: "^https?://[^/]+/app/", Fields: []string{"price:float=#price"}, LinksFrom: want.LinksFrom, Delay: time.Minute, Priority: "high", Store: crawl.StoreRow},
		{Match: "/cart", Ignore: true},
		{Match: ".", Fields: []string{"b=h2", "c=h3"}, Store: crawl.StoreNothing, Priority: "low"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"https://store.test/app/1", "store.test/app/2"}, r.seeds); diff != "" {
		t.Error(diff)
	}
}

// TestRecipeTakesBack holds that a recipe can say everything that a flag can, also
// that something is as usual.
func TestRecipeTakesBack(t *testing.T) {
	for _, text := range []string{
		"max-depth: none", "max-depth: ''", "include: []", "include: none", "include: ['']",
		"field: []", "fields: {}", "output: none", "warc: none", "rules: []", "rules: none",
		"delay: none", "links: none", "scope: ''",
	} {
		t.Run(text, func(t *testing.T) {
			r, err := parseRecipe("crawl.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			s := crawl.Defaults(ownAgent())
			s.MaxDepth, s.Include, s.Fields, s.Output, s.WARC = 1, []string{"a"}, []string{"a=b"}, "/x.csv", "/warc"
			s.Delay, s.KeepLinks, s.Scope, s.PageRules = time.Second, true, crawl.ScopeAny, []crawl.PageRule{{Match: "x"}}
			was := s
			if err := overlay(&s, r.given); err != nil {
				t.Fatal(err)
			}
			if n := len(changes(&was, &s)); n != 1 {
				t.Errorf("%d settings changed: %v", n, changes(&was, &s))
			}
		})
	}
}

// TestEveryFlagCanBeSaidInARecipe holds that none is forgotten.
func TestEveryFlagCanBeSaidInARecipe(t *testing.T) {
	samples := map[string]string{
		"seeds": "/dev/null", "sitemap": "http://h.test/s.xml", "sitemaps": "off", "scope": "any", "include": "x", "exclude": "x", "links-from": "main",
		"traps": "follow", "drop-param": "x", "user-agent": "me/1", "contact": "me@h.test", "header": "'A: 1'", "user": "a:b",
		"proxy": "http://p.test", "field": "a=h1", "output": "x.csv", "warc": "x", "cookies": "c.txt", "db": "x.pawl",
		"progress": "plain", "log-level": "warn", "log-format": "json", "log-file": "l.txt",
		"max-duration": "9s", "hours": "22:00-06:00,sat-sun", "max-rate": "2MB/s", "max-memory": "64MB", "min-free": "auto", "delay": "9s", "timeout": "9s",
	}
	for _, o := range crawlCommand().options {
		if o.name == "config" {
			continue
		}
		key, text := o.name, samples[o.name]
		switch {
		case o.name == "seeds":
			key = keySeedsFile
		case o.arg == "":
			text = "true"
		case text == "":
			text = "7"
		}
		r, err := parseRecipe("crawl.yaml", []byte(key+": "+text))
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		said, ok := r.given[o.name]
		if !ok || said.where != "crawl.yaml:1" || len(r.given) != 1 {
			t.Errorf("%s says %v", key, r.given)
		}
	}
	for _, st := range crawlSettings() {
		if st.inFile && st.name != keyRules {
			t.Errorf("nothing can say %s", st.name)
		}
	}
}

func TestBrokenRecipes(t *testing.T) {
	const quote = "; quote values that begin with one of @`#[{&*!|>% or hold ': ' or ' #', and indent by blanks"
	const usage = "; see: pawl crawl --help"
	for _, c := range []struct{ name, text, want string }{
		{
			"unknown key", "delay: 1s\nmax-dept: 3\n",
			"c.yaml:2:1: there is no setting max-dept; did you mean max-depth?\n    2 | max-dept: 3",
		},
		{"unknown key far from all", "frobnicate: 3", "c.yaml:1:1: there is no setting frobnicate" + usage + "\n    1 | frobnicate: 3"},
		{"key with underscores", "max_depth: 3", "c.yaml:1:1: there is no setting max_depth; did you mean max-depth?\n    1 | max_depth: 3"},
		{"key with dashes", "--max-depth: 3", "c.yaml:1:1: there is no setting --max-depth; did you mean max-depth?\n    1 | --max-depth: 3"},
		{"short key", "H: 'A: 1'", "c.yaml:1:1: there is no setting H; did you mean header?\n    1 | H: 'A: 1'"},
		{"key of a rule", "match: x", "c.yaml:1:1: match is said of the addresses of a rule, and belongs below rules:" + usage + "\n    1 | match: x"},
		{"number as key", "5: x", "c.yaml:1:1: there is no setting 5" + usage + "\n    1 | 5: x"},
		{"key twice", "delay: 1s\nassets: true\n\"delay\": 2s", "c.yaml:3:1: delay stands in line 1 already" + usage + "\n    3 | \"delay\": 2s"},
		{"key twice in a rule", "rules:\n- match: x\n  match: y", "c.yaml:3:3: match stands in line 2 already" + usage + "\n    3 |   match: y"},
		{"field twice in a map", "fields:\n  a: h1\n  a: h2", "c.yaml:3:3: a stands in line 2 already" + usage + "\n    3 |   a: h2"},
		{"fields and field", "fields: {a: h1}\nfield: b=h1", "c.yaml:2:1: fields stand in line 1 already; write all of them there" + usage + "\n    2 | field: b=h1"},
		{"another recipe", "config: x.yaml", "c.yaml:1:1: a recipe cannot name another one" + usage + "\n    1 | config: x.yaml"},
		{"no value", "max-depth:\nassets: true", "c.yaml:1:11: max-depth has no value: to take it back write none; a value that begins with # must be quoted" + usage + "\n    1 | max-depth:"},
		{"comment for a selector", "fields:\n  price: #price\n", "c.yaml:2:10: price has no value: to take it back write none; a value that begins with # must be quoted" + usage + "\n    2 |   price: #price"},
		{"list for one", "scope: [a, b]", "c.yaml:1:8: scope takes a single value, not a list; one that begins with [ must be quoted" + usage + "\n    1 | scope: [a, b]"},
		{"map for one", "scope: {a: b}", "c.yaml:1:8: scope takes a single value, not a map; one that holds ': ' or begins with { must be quoted" + usage + "\n    1 | scope: {a: b}"},
		{"map for a list", "include: {a: b}", "c.yaml:1:10: include takes a single value, not a map; one that holds ': ' or begins with { must be quoted" + usage + "\n    1 | include: {a: b}"},
		{"list in a list", "include:\n- a\n- [b]", "c.yaml:3:3: include takes a single value, not a list; one that begins with [ must be quoted" + usage + "\n    3 | - [b]"},
		{"switch for a text", "scope: true", "c.yaml:1:8: scope is not a switch; if the word true is meant, quote it" + usage + "\n    1 | scope: true"},
		{"text for a switch", "assets: perhaps", "c.yaml:1:9: assets: \"perhaps\" is neither true nor false" + usage + "\n    1 | assets: perhaps"},
		{"text for a number", "max-pages: many", "c.yaml:1:12: max-pages: \"many\" is not a whole number from 0 on" + usage + "\n    1 | max-pages: many"},
		{"number with a point", "max-pages: 1.5", "c.yaml:1:12: max-pages: \"1.5\" is not a whole number from 0 on" + usage + "\n    1 | max-pages: 1.5"},
		{"number with underscores", "max-pages: 1_000", "c.yaml:1:12: max-pages: \"1_000\" is not a whole number from 0 on" + usage + "\n    1 | max-pages: 1_000"},
		{"duration without unit", "delay: 5", "c.yaml:1:8: delay: \"5\" lacks a unit: 5s, or 5m for minutes" + usage + "\n    1 | delay: 5"},
		{"word that cannot be", "delay: 1s\nscope: moon", "c.yaml:2:8: scope is host, domain, prefix or any, not \"moon\"" + usage + "\n    2 | scope: moon"},
		{"bound of a number", "retries: 2\nworkers: 0\nassets: true", "c.yaml:2:10: workers must be a number from 1 to 10000, not 0" + usage + "\n    2 | workers: 0"},
		{
			"regular expression in a list", "include:\n  - a\n  - b\n  - '('\n  - c\nassets: true",
			"c.yaml:4:5: include \"(\" is not a regular expression: missing closing ): `(`" + usage + "\n    4 |   - '('",
		},
		{"field without selector", "field: h1", "c.yaml:1:8: field \"h1\" is not NAME=SELECTOR" + usage + "\n    1 | field: h1"},
		{
			"field that is a column", "fields:\n  name: h1\n  title: h2\n  x: h3",
			"c.yaml:3:3: field \"title=h2\": pages have a column title already; choose another name" + usage + "\n    3 |   title: h2",
		},
		{"field with an equals sign", "fields:\n  a=b: h1", "c.yaml:2:3: a=b is no name of a field" + usage + "\n    2 |   a=b: h1"},
		{"output of a format that cannot grow", "output: a.parquet", "c.yaml:1:9: output \"" + absolute("a.parquet") + "\" cannot be written while a crawl goes on, only .csv, .tsv and .jsonl can; export it afterwards: pawl export -o FILE" + usage + "\n    1 | output: a.parquet"},
		{"output without ending", "output: pages", "c.yaml:1:9: output \"" + absolute("pages") + "\" must end in .csv, .tsv or .jsonl" + usage + "\n    1 | output: pages"},
		{"file of seeds that is not there", "seeds-file: none.txt", "c.yaml:1:13: seeds-file: stat " + absolute("none.txt") + ": no such file or directory" + usage + "\n    1 | seeds-file: none.txt"},
		{"seed", "seeds:\n  - h.test\n  - 'http://'", "c.yaml:3:5: \"http://\" cannot be crawled: invalid address: the input has a special scheme, but does not contain a host" + usage + "\n    3 |   - 'http://'"},
		{"rules that are no list", "rules:\n  match: x", "c.yaml:2:3: rules is a list, in which each rule begins with - match:" + usage + "\n    2 |   match: x"},
		{"rule that is no map", "rules:\n  - /app/", "c.yaml:2:5: a rule is a map: match: RE and what holds for it, not a single value" + usage + "\n    2 |   - /app/"},
		{"rule without match", "rules:\n  - match: x\n  - store: row\n    delay: 1s", "c.yaml:3:5: rule 2: match is missing: a regular expression on addresses" + usage + "\n    3 |   - store: row"},
		{"match", "rules:\n  - match: x\n  - delay: 1s\n    match: '['", "c.yaml:4:12: rule 2: match \"[\" is not a regular expression: missing closing ]: `[`" + usage + "\n    4 |     match: '['"},
		{"delay of a rule", "rules:\n  - match: x\n    delay: adaptive", "c.yaml:3:12: delay: \"adaptive\" is not a duration such as 90s or 1h30m" + usage + "\n    3 |     delay: adaptive"},
		{"long delay of a rule", "rules:\n  - match: x\n    delay: 25h", "c.yaml:3:12: rule 1: delay must not be longer than 24h" + usage + "\n    3 |     delay: 25h"},
		{"priority of a rule", "rules:\n  - match: x\n    priority: higher", "c.yaml:3:15: rule 1: priority is high, normal or low, not \"higher\"" + usage + "\n    3 |     priority: higher"},
		{"store of a rule", "rules:\n  - match: x\n    store: all", "c.yaml:3:12: store: \"all\" is neither true, row nor false" + usage + "\n    3 |     store: all"},
		{"ignore of a rule", "rules:\n  - match: x\n    ignore: 7", "c.yaml:3:13: ignore: \"7\" is neither true nor false" + usage + "\n    3 |     ignore: 7"},
		{"key that a rule does not have", "rules:\n  - match: x\n    max-depth: 3", "c.yaml:3:5: max-depth holds for the whole crawl, and cannot stand in a rule" + usage + "\n    3 |     max-depth: 3"},
		{"unknown key of a rule", "rules:\n  - match: x\n    priorty: low", "c.yaml:3:5: a rule says nothing of priorty, but match, fields, links-from, delay, priority, store, ignore; did you mean priority?\n    3 |     priorty: low"},
		{
			"field of two types", "fields: {'a:int': h1}\nrules:\n  - match: x\n    fields:\n      b: h1\n      a: h2\n      c: h3",
			"c.yaml:6:7: rule 1: field \"a=h2\": elsewhere a is a:int, and a column is of one type" + usage + "\n    6 |       a: h2",
		},
		{"selector", "fields:\n  a: .b\n  c: '.d['", "c.yaml:3:3: field c: CSS selector \".d[\" does not parse: expected identifier, found EOF instead" + usage + "\n    3 |   c: '.d['"},
		{"selector of links", "links-from: [main, '.a[']", "c.yaml:1:20: links-from: CSS selector \".a[\" does not parse: expected identifier, found EOF instead" + usage + "\n    1 | links-from: [main, '.a[']"},
		{"selector of a rule", "rules:\n- match: x\n  links-from: ..", "c.yaml:3:15: rule 1: links-from: CSS selector \"..\" does not parse: expected identifier, found . instead" + usage + "\n    3 |   links-from: .."},
		{"field twice", "field: [a=h1, a=h2]", "c.yaml:1:15: field \"a=h2\": there is a field a already" + usage + "\n    1 | field: [a=h1, a=h2]"},
		{"type in a map of braces", "fields: {price:int: h1}", "c.yaml:1:10: write a blank behind the colon of price, or quote a key that holds one" + usage + "\n    1 | fields: {price:int: h1}"},
		{"list at the top", "- a\n- b", "c.yaml:1:1: a recipe is a map of settings, not a list" + usage + "\n    1 | - a"},
		{"text at the top", "just text", "c.yaml:1:1: a recipe is a map of settings, not a single value" + usage + "\n    1 | just text"},
		{"open list", "delay: 1s\ninclude: [a", "c.yaml:2:10: this is not YAML: sequence end token ']' not found" + quote + "\n    2 | include: [a"},
		{"at sign", "field: @x", "c.yaml:1:8: this is not YAML: '@' is a reserved character" + quote + "\n    1 | field: @x"},
		{"tab", "rules:\n\t- match: x", "c.yaml:2:1: this is not YAML: found character ' ' that cannot start any token" + quote + "\n    2 |  - match: x"},
		{"two documents", "delay: 1s\n---\ndelay: 2s", "c.yaml:3:6: there is a second document in the file; one is read" + usage + "\n    3 | delay: 2s"},
		{"directive", "%YAML 1.2\n---\ndelay: 1s", "c.yaml:1:1: directives of YAML are not read" + usage + "\n    1 | %YAML 1.2"},
		{"tag", "delay: !!str 1s", "c.yaml:1:8: tags of YAML are not read; a value that begins with ! must be quoted" + usage + "\n    1 | delay: !!str 1s"},
		{"merge", "rules:\n- &a {match: x}\n- <<: *a", "c.yaml:3:3: maps cannot be merged by <<" + usage + "\n    3 | - <<: *a"},
		{"alias of nothing", "include: *x", "c.yaml:1:10: there is no anchor &x above; a value that begins with * must be quoted" + usage + "\n    1 | include: *x"},
		{"alias of itself", "include: &x [a, *x]", "c.yaml:1:13: include takes a single value, not a list; one that begins with [ must be quoted" + usage + "\n    1 | include: &x [a, *x]"},
		{"complex key", "? a\n: b", "c.yaml:1:1: a key must be a word" + usage + "\n    1 | ? a"},
		{"not UTF-8", "delay: 1s\nfield: \xff", "c.yaml:2:1: this is not UTF-8" + usage + "\n    2 | field: \ufffd"},
		{"what controls a terminal", "\x1b[2J: x", "c.yaml:1:1: there is no setting \\u001b[2J" + usage + "\n    1 | \\u001b[2J: x"},
		{"long line", strings.Repeat("x", 300) + ": 1", "c.yaml:1:1: there is no setting " + strings.Repeat("x", 60) + "…" + usage + "\n    1 | " + strings.Repeat("x", 200) + "…"},
		{"windows line ends", "delay: 1s\r\nscope: moon\r\n", "c.yaml:2:8: scope is host, domain, prefix or any, not \"moon\"" + usage + "\n    2 | scope: moon"},
		{"byte order mark", "\ufeffscope: moon", "c.yaml:1:8: scope is host, domain, prefix or any, not \"moon\"" + usage + "\n    1 | scope: moon"},

		// What may be a secret is not shown.
		{"user", "user: topsecret", "c.yaml:1:7: user must be NAME:PASSWORD" + usage},
		{"header", "header:\n- 'Cookie: topsecret'\n- topsecret", "c.yaml:3:3: -H must be 'Name: value', with a colon" + usage},
		{"proxy", "proxy: 'ftp://topsecret@h.test'", "c.yaml:1:8: proxy: proxy must be of the scheme http, https, socks5 or socks5h" + usage},
		{"password in a seed", "seeds: ['ftp://me:topsecret@h.test']", "c.yaml:1:9: \"ftp://h.test\" cannot be crawled: not an http or https address" + usage},
		{"broken line of a secret", "header:\n  - 'X-Key: topsecret\n", "c.yaml:2:5: this is not YAML: could not find end character of single-quoted text" + quote},
		{"secret without a colon", "user topsecret", "c.yaml:1:1: a recipe is a map of settings, not a single value" + usage},
		{"secret behind others", "{delay: 1s, proxy: {topsecret: x}}", "c.yaml:1:20: proxy takes a single value, not a map; one that holds ': ' or begins with { must be quoted" + usage},
		{"no secret", "user-agent: [x]", "c.yaml:1:13: user-agent takes a single value, not a list; one that begins with [ must be quoted" + usage + "\n    1 | user-agent: [x]"},
		{"nested secret", "{header: {topsecret: x}}", "c.yaml:1:10: header takes a single value, not a map; one that holds ': ' or begins with { must be quoted" + usage},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			c.want = strings.ReplaceAll(c.want, absolute(""), dir+string(filepath.Separator))
			if err := os.WriteFile("c.yaml", []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			w := new(world)
			if code := w.run(t, context.Background(), "crawl", "--config", "c.yaml"); code != ExitUsage {
				t.Errorf("exit code %d", code)
			}
			if diff := cmp.Diff("pawl: "+c.want+"\n", strings.ReplaceAll(w.stderr.String(), "\n     ", "\n    ")); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(w.stderr.String(), "topsecret") || w.stdout.Len() > 0 {
				t.Errorf("said %q and %q", &w.stdout, &w.stderr)
			}
			if _, err := os.Stat(defaultFile); err == nil {
				t.Error("a crawl file was made")
			}
		})
	}
}

// absolute stands for the path of a file in the folder of a test.
func absolute(name string) string { return "\x00" + name }

// TestRecipeBombs holds that no small file takes long to read or much memory.
func TestRecipeBombs(t *testing.T) {
	var laughs strings.Builder
	laughs.WriteString("field: &a0 [a=h1, b=h2]\n")
	for i := range 40 {
		fmt.Fprintf(&laughs, "x%d: &a%d [*a%d, *a%d, *a%d]\n", i, i+1, i, i, i)
	}
	var rules strings.Builder
	fmt.Fprintf(&rules, "fields: &f\n")
	for i := range 900 {
		fmt.Fprintf(&rules, "  f%d: h1\n", i)
	}
	rules.WriteString("rules:\n" + strings.Repeat("- {match: x, fields: *f}\n", 10_000))
	var keys strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&keys, "k%d: x\n", i)
	}
	var steps strings.Builder
	for i := 0; steps.Len() < 300_000; i++ {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for _, c := range []struct{ name, text string }{
		{"laughs", laughs.String()},
		{"laughs in lists of rules", rules.String()},
		{"open brackets", strings.Repeat("[", 60_000)},
		{"open braces", strings.Repeat("{", 60_000)},
		{"open braces with keys", strings.Repeat("{a: ", 40_000)},
		{"dashes", strings.Repeat("- ", 40_000)},
		{"question marks", strings.Repeat("? ", 40_000)},
		{"tags", strings.Repeat("!a ", 30_000)},
		{"anchors", strings.Repeat("&a ", 30_000)},
		{"indented", steps.String()},
		{"indented dashes", strings.ReplaceAll(steps.String(), "a:", "- - - - - - - - -")},
		{"unknown keys", keys.String()},
		{"keys in a map of braces", "{" + strings.ReplaceAll(keys.String(), "\n", ", ") + "}"},
		{"colons", strings.Repeat(":", 60_000)},
		{"pairs of colons", strings.Repeat(": ", 40_000)},
		{"quotes", strings.Repeat("\"", 60_000)},
		{"pipes", strings.Repeat("|\n", 40_000)},
		{"bad pattern behind many", "include:\n" + strings.Repeat("- abcdefgh\n", 5_000) + "- (\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseRecipe("c.yaml", []byte(c.text))
			if code, _ := judge(err); err == nil || code != ExitUsage {
				t.Errorf("not refused: %v", err)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(strings.Repeat("# long\n", 200_000)), 0o600); err != nil {
			t.Fatal(err)
		}
		w := new(world)
		if code := w.run(t, context.Background(), "crawl", "--config", path); code != ExitUsage || !strings.Contains(w.stderr.String(), "larger than 1 MiB") {
			t.Errorf("exit code %d, said %q", code, &w.stderr)
		}
	})
}

func TestRecipeThatIsNotThere(t *testing.T) {
	w := new(world)
	for _, name := range []string{"/does/not/exist.yaml", t.TempDir()} {
		if code := w.run(t, context.Background(), "crawl", "--config", name); code != ExitUsage || !strings.HasPrefix(w.stderr.String(), "pawl: --config: ") {
			t.Errorf("exit code %d, said %q", code, &w.stderr)
		}
	}
}

// TestPrecedence holds which source wins where several say the same.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	for _, c := range []struct {
		name                         string
		flag, env, file, remembered  string // of max-depth; empty: does not say it
		want                         string
		envList, fileList, wantLists string // of exclude
	}{
		{name: "nobody", want: "none", wantLists: "none"},
		{name: "all", flag: "1", env: "2", file: "3", remembered: "4", want: "1", envList: "a\nb", fileList: "[c, d]", wantLists: "a & b"},
		{name: "no flag", env: "2", file: "3", remembered: "4", want: "2", fileList: "[c, d]", wantLists: "c & d"},
		{name: "file", file: "3", remembered: "4", want: "3", wantLists: "none"},
		{name: "remembered", remembered: "4", want: "4", wantLists: "none"},
		{name: "flag and file", flag: "1", file: "3", want: "1", fileList: "c", wantLists: "c"},
		{name: "flag takes back what the file says", flag: "none", file: "3", want: "none", wantLists: "none"},
		{name: "file takes back what is remembered", file: "none", remembered: "4", want: "none", wantLists: "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "# nothing\n"
			if c.file != "" {
				text += "max-depth: " + c.file + "\n"
			}
			if c.fileList != "" {
				text += "exclude: " + c.fileList + "\n"
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{"PAWL_CONFIG": file, "PAWL_MAX_DEPTH": c.env, "PAWL_EXCLUDE": c.envList}
			var values []*value
			for _, o := range crawlCommand().options {
				v := &value{option: &o}
				if o.name == "max-depth" && c.flag != "" {
					_ = v.Set(c.flag)
				}
				values = append(values, v)
			}
			call := &call{given: gather(values, func(name string) string { return env[name] })}
			if err := call.readRecipe(); err != nil {
				t.Fatal(err)
			}
			s := crawl.Defaults(ownAgent())
			if c.remembered != "" {
				if err := overlay(&s, given{"max-depth": {texts: []string{c.remembered}}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := overlay(&s, call.given); err != nil {
				t.Fatal(err)
			}
			if got := showDepth(&s); got != c.want {
				t.Errorf("max-depth is %s, want %s", got, c.want)
			}
			if got := orNone(strings.Join(s.Exclude, " & ")); got != c.wantLists {
				t.Errorf("exclude is %s, want %s", got, c.wantLists)
			}
		})
	}
}

// TestWhatARecipeSaysIsNamed holds that errors found later name the line too.
func TestWhatARecipeSaysIsNamed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"progress: maybe", `:1: "maybe" is none of auto, bar, plain, none`},
		{"# first\nlog-level: loud", `:2: "loud" is none of debug, info, warn, error`},
		{"sitemap: ['http://']", `:1: "http://": `},
		{"cookies: nowhere.txt", `:1: open `},
		{"quiet: 5", `:1: "5" is neither true nor false`},
	} {
		t.Run(c.text, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(c.text+"\nseeds: http://h.test"), 0o600); err != nil {
				t.Fatal(err)
			}
			w := new(world)
			code := w.run(t, context.Background(), "crawl", "--config", file)
			if code != ExitUsage || !strings.Contains(w.stderr.String(), file+c.want) {
				t.Errorf("exit code %d, said %q", code, &w.stderr)
			}
		})
	}
}

// TestExamplesAreRecipes holds that what is shown to newcomers is read.
func TestExamplesAreRecipes(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if _, err := openRecipe(file); err != nil {
			t.Error(err)
		}
	}
}

func TestRulesAreSpelledExactly(t *testing.T) {
	rules := []crawl.PageRule{
		{Match: "a<&>\"\n\u2028", Fields: []string{"x=a > b"}, LinksFrom: []string{"y"}, Delay: time.Second, Priority: "low", Store: crawl.StoreRow, Ignore: true},
		{Match: "b"},
	}
	var s crawl.Settings
	if err := readRules(&s, spellRules(rules)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rules, s.PageRules, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// FuzzRecipe holds that a recipe is read or refused with a line that it has, and
// that no line of secrets is shown.
func FuzzRecipe(f *testing.F) {
	for _, text := range []string{
		"delay: 1s\nrules:\n  - match: x\n    fields: {a: h1}\n",
		"include: &a [x, y]\nexclude: *a\n",
		"user: me:secret\nheader: ['A: b']",
		"fields:\n  a[]:int: |\n    h1\n",
		"? - {", "!!a &b *c", "%TAG ! x\n---\n", "\xff", "a: \"\\x", "- - -\n  - :", "seeds: http://a:b@c/", "&I\x1e\r>\x1e0\x10:",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 || strings.Contains(text, keySeedsFile) {
			return // files are looked for
		}
		r, err := parseRecipe("c.yaml", []byte(text))
		if err == nil {
			s := crawl.Defaults(ownAgent())
			if err := overlay(&s, r.given); err != nil {
				t.Fatalf("refused later only: %v", err)
			}
			return
		}
		var wrong lineError
		if !errors.As(err, &wrong) || wrong.line.number < 1 || wrong.line.number > 1+strings.Count(text, "\n")+strings.Count(text, "\r") {
			t.Fatalf("%v in line %d", err, wrong.line.number)
		}
		if shown := wrong.line.show(); strings.Count(shown, "\n") > 1 {
			t.Fatalf("shows %q", shown)
		}
		if slices.Contains([]string{"user", "proxy", "header"}, strings.TrimSpace(strings.Split(wrong.line.text, ":")[0])) {
			t.Fatalf("shows %q", wrong.line.text)
		}
	})
}
