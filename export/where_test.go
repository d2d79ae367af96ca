package export

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"pawl/storage"
)

// filterRow has a column of each kind.
type filterRow struct {
	seq    int64
	url    string
	word   string
	status int64 // 0: empty
	score  float64
	yes    int // 0: empty, 1: false, 2: true
	at     int64
	tags   []string
	stars  []string
	prices []string
}

func filterTable() *table[filterRow] {
	return &table[filterRow]{
		name:     "filtered",
		defaults: 1,
		columns: []column[filterRow]{
			{name: "seq", key: true, integer: func(r *filterRow) (int64, bool) { return r.seq, true }},
			{name: "url", text: func(r *filterRow) string { return r.url }},
			{name: "outcome", plain: func(b []byte, r *filterRow) []byte { return append(b, r.word...) }},
			{name: "status", integer: func(r *filterRow) (int64, bool) { return r.status, r.status != 0 }},
			{name: "score", float: func(r *filterRow) (float64, bool) { return r.score, !math.IsNaN(r.score) }},
			{name: "yes", boolean: func(r *filterRow) (is, known bool) { return r.yes == 2, r.yes != 0 }},
			{name: "fetched_at", time: func(r *filterRow) int64 { return r.at }},
			{name: "tags", list: func(r *filterRow) []string { return r.tags }},
			{name: "stars", list: func(r *filterRow) []string { return r.stars }, items: FieldInt},
			{name: "prices", list: func(r *filterRow) []string { return r.prices }, items: FieldFloat},
			{name: "my-field", integer: func(r *filterRow) (int64, bool) { return r.seq * 10, true }},
			{name: "count", integer: func(r *filterRow) (int64, bool) { return r.seq, true }},
		},
	}
}

// filterRows are full, empty, and of another sort.
func filterRows() []filterRow {
	return []filterRow{
		{
			seq: 1, url: "https://example.org/blog/a?x=1", word: "fetched", status: 200, score: 4.5, yes: 2, at: noon,
			tags: []string{"red", "green"}, stars: []string{"5", "", "7"}, prices: []string{"0.5"},
		},
		{seq: 2, score: math.NaN()},
		{
			seq: 3, url: "https://example.org/\u00dcber", word: "failed", status: 404, score: -1, yes: 1, at: noon + 86_400_000,
			tags: []string{"\xff"}, stars: []string{"x"}, prices: []string{"1e3"},
		},
	}
}

func passing(t *testing.T, where string) string {
	t.Helper()
	table := filterTable()
	if err := table.complete(); err != nil {
		t.Fatal(err)
	}
	wanted, err := table.filter(where)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return ""
	}
	var passed []string
	for _, row := range filterRows() {
		if wanted(&row) {
			passed = append(passed, fmt.Sprint(row.seq))
		}
	}
	return strings.Join(passed, " ")
}

func TestWhere(t *testing.T) {
	for _, c := range []struct{ where, want string }{
		{`true`, "1 2 3"},
		{`false`, ""},
		{`status == 200`, "1"},
		{`status != 200`, "2 3"},
		{`not (status == 200)`, "2 3"},
		{`!(status == 200)`, "2 3"},
		{`status < 404`, "1"},
		{`status <= 404`, "1 3"},
		{`404 > status`, "1"},
		{`not (status < 404)`, "2 3"},
		{`status >= 200 and status < 300`, "1"},
		{`status >= 200 && status < 300 || status == 404`, "1 3"},
		{`200 <= status < 300`, "1"},
		{`status == nil`, "2"},
		{`nil != status`, "1 3"},
		{`status in [404, 410]`, "3"},
		{`status not in [404, 410]`, "1 2"},
		{`status in 200..299`, "1"},
		{`status not in 200..299`, "2 3"},
		{`status in -5..300`, "1"},
		{`status in []`, ""},
		{`status == 200.0`, "1"},
		{`score > 4`, "1"},
		{`score < -0.5`, "3"},
		{`score == -1`, "3"},
		{`score in [4.5, 7]`, "1"},
		{`score == score`, "1 3"},
		{`status == score`, ""},
		{`status != score`, "1 2 3"},
		{`status - 200 == 0`, "1"},
		{`-status < -300`, "3"},
		{`+status > 300`, "3"},
		{`status * 2 == 400 or status % 100 == 4`, "1 3"},
		{`status / 0 == 1`, ""},
		{`status / 0 == nil`, "1 2 3"},
		{`status % 0 == nil`, "1 2 3"},
		{`seq / 2 == 0.5`, "1"},
		{`seq + 9223372036854775807 >= 9223372036854775807`, "1 2 3"},
		{`seq - 9223372036854775807 - 9223372036854775807 < 0`, "1 2 3"},
		{`seq * 9223372036854775807 >= 9223372036854775807`, "1 2 3"},
		{`9007199254740993 - seq == 9007199254740992`, "1"},
		{`9007199254740993 == 9007199254740992 + seq`, "1"},
		{`url == ""`, "2"},
		{`url != ""`, "1 3"},
		{`url == nil`, "2"},
		{`url contains "/blog/"`, "1"},
		{`url not contains "/blog/"`, "2 3"},
		{`url startsWith 'https:'`, "1 3"},
		{`url endsWith "=1"`, "1"},
		{`url matches "(?i)BLOG/[a-z]\\?"`, "1"},
		{"url matches `org/.ber$`", "3"},
		{`url > "https://example.org/c"`, "3"},
		{`lower(url) endsWith "` + "\u00fcber" + `"`, "3"},
		{`upper(outcome) == "FETCHED"`, "1"},
		{`len(url) == 24`, "3"},
		{`len(url) == 0`, "2"},
		{`outcome in ["failed", "blocked"]`, "3"},
		{`outcome == "fetched" or outcome == "failed"`, "1 3"},
		{`outcome contains outcome`, "1 2 3"},
		{`url contains outcome`, "2"},
		{`yes`, "1"},
		{`not yes`, "2 3"},
		{`yes == true`, "1"},
		{`yes == false`, "3"},
		{`yes != true`, "2 3"},
		{`yes == nil`, "2"},
		{`fetched_at > "2026-11-22"`, "1 3"},
		{`fetched_at >= "2026-11-22T12:00:00Z"`, "1 3"},
		{`fetched_at > "2026-11-22T12:00:00Z"`, "3"},
		{`fetched_at >= "2026-11-22T13:00:00+01:00"`, "1 3"},
		{`fetched_at == "2026-11-22 12:00"`, "1"},
		{`fetched_at in ["2026-11-22T12:00:00.000Z"]`, "1"},
		{`"2026-11-23" < fetched_at`, "3"},
		{`fetched_at < "2027"`, "1 3"},
		{`fetched_at == nil`, "2"},
		{`fetched_at == fetched_at`, "1 3"},
		{`fetched_at startsWith "2026-11-23T"`, "3"},
		{`"red" in tags`, "1"},
		{`"red" not in tags`, "2 3"},
		{"\"\uFFFD\" in tags", "3"},
		{`outcome in tags`, ""},
		{`7 in stars`, "1"},
		{`7.0 in stars`, "1"},
		{`nil == stars`, "2"},
		{`len(stars) == 3`, "1"},
		{`1000 in prices`, "3"},
		{`col("my-field") > 10`, "2 3"},
		{`col("status") == 200`, "1"},
		{`count > 1`, "2 3"},
		{"seq == 1\nor\tseq == 3", "1 3"},
		{`seq == 1 /* the first */`, "1"},
	} {
		if got := passing(t, c.where); got != c.want {
			t.Errorf("%s: rows %q, want %q", c.where, got, c.want)
		}
	}
}

func TestWhereErrors(t *testing.T) {
	for _, c := range []struct {
		where  string
		column int
		says   string
	}{
		{`statsu >= 400`, 1, `there is no column "statsu"; did you mean status?`},
		{`seq > 1 and outcom == "x"`, 13, `did you mean outcome?`},
		{`xyzzy == 1`, 1, `the columns are seq, url, outcome`},
		{`my-field > 1`, 1, `did you mean col("my-field")?`},
		{`myfield > 1`, 1, `did you mean col("my-field")?`},
		{`col("my-feild") > 1`, 5, `did you mean col("my-field")?`},
		{`col(url)`, 1, `in quotes`},
		{`col("\x73eq") == 1`, 5, `without escapes`},
		{`status == null`, 11, `did you mean nil?`},
		{`status`, 1, `this is a number`},
		{`url`, 1, `this is text`},
		{`seq + 1`, 5, `this is a number`},
		{`status == "404"`, 8, `a number and text cannot be compared`},
		{`url == 1`, 5, `text and a number cannot be compared`},
		{`status contains "4"`, 1, `contains works on text, not on a number`},
		{`tags contains "red"`, 1, `"x" in the_list`},
		{`"x" in url`, 8, `contains`},
		{`1 in tags`, 1, `in works on text`},
		{`"x" in stars`, 1, `numbers`},
		{`status in ["a"]`, 12, `cannot be compared`},
		{`status in [seq]`, 12, `a list is made of numbers`},
		{`status in 1..seq`, 14, `a range is made of two numbers`},
		{`1..3`, 2, `behind "in"`},
		{`[1, 2] == tags`, 1, `behind "in" only`},
		{`tags == tags`, 6, `"==" does not compare a list with a list`},
		{`not status == 404`, 5, `not (status == 404)`},
		{`status and seq == 1`, 1, `"and" takes conditions, not a number`},
		{`seq == 1 or url`, 13, `"or" takes conditions, not text`},
		{`url + "x" == ""`, 1, `"+" calculates with numbers, not with text`},
		{`-url == 1`, 2, `calculates`},
		{`status = 404`, 8, `to compare, write ==`},
		{`status <> 404`, 9, `not equal is !=`},
		{`status == 1 AND seq == 1`, 13, `write and in small letters`},
		{`url like "%x"`, 5, `contains`},
		{`status is nil`, 8, `== nil`},
		{`status > nil`, 8, `nothing is less or more than nil`},
		{`"x" == nil`, 1, `never empty`},
		{`url matches "("`, 13, `missing closing )`},
		{`url matches outcome`, 13, `in quotes`},
		{`fetched_at > "yesterday"`, 14, `is no time`},
		{`fetched_at > 5`, 14, `a time is compared with one in quotes`},
		{`fetched_at > url`, 14, `a time is compared with one in quotes`},
		{`trim(url) == ""`, 1, `there is no function trim`},
		{`lenn(url) == 3`, 1, `did you mean len?`},
		{`len(url, url) == 3`, 1, `one value, not 2`},
		{`len(status) == 3`, 5, `works on text`},
		{`any(tags, # == "red")`, 1, `there is no function any`},
		{`tags[0] == "red"`, 5, `no parts`},
		{`url.host == ""`, 5, `no parts`},
		{`url?.host == ""`, 6, `no parts`},
		{`tags[0:1] == tags`, 5, `not part of the language`},
		{`seq == 1 ? true : false`, 0, `not part of the language`},
		{`let x = 1; x == 1`, 0, `not part of the language`},
		{`seq == 1; seq == 2`, 0, `not part of the language`},
		{`{"a": 1} == 1`, 1, `not part of the language`},
		{`b"x" == url`, 1, `not part of the language`},
		{`seq ** 2 == 4`, 5, `"**" is not part`},
		{`(status ?? 0) == 0`, 9, `not part`},
		{`seq == (1`, 0, `ends too early`},
		{`seq ==`, 0, `ends too early`},
		{`seq == 99999999999999999999`, 0, `integer`},
		{``, 0, `ends too early`},
		{`"abc`, 0, `literal not terminated`},
		{"url == \"\xff\"", 1, `UTF-8`},
		{strings.Repeat("(", 1000), 0, `ends too early`},
		{strings.Repeat("(", longestWhere), 0, `ends too early`},
		{strings.Repeat("!", longestWhere), 0, ``},
		{strings.Repeat("-", longestWhere-1) + "1", 0, ``},
		{"seq==1" + strings.Repeat(" or seq==1", 6000), 0, `nodes`},
		{strings.Repeat(" ", longestWhere+1), 1, `longer than`},
	} {
		table := filterTable()
		if err := table.complete(); err != nil {
			t.Fatal(err)
		}
		_, err := table.filter(c.where)
		var wrong *WhereError
		if !errors.As(err, &wrong) {
			t.Errorf("%.100s: %v", c.where, err)
			continue
		}
		if wrong.Column < 1 || c.column != 0 && wrong.Column != c.column || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.100s: %v, want %q at %d", c.where, err, c.says, c.column)
		}
	}
}

// The filter is checked before anything is written, for every table.
func TestWhereOfExports(t *testing.T) {
	f := variedCrawl(t)
	for _, c := range []struct{ where, want string }{
		{`status >= 400`, "seq\r\n8\r\n"},
		{`outcome == "failed" and status == nil`, "seq\r\n7\r\n15\r\n"},
		{`worker == 16`, "seq\r\n11\r\n"},
		{`indexability == "Indexable" and content_type startsWith "text/html"`, "seq\r\n4\r\n"},
		{`content_hash endsWith "eff" and fetched_at >= "2026-11-22"`, "seq\r\n4\r\n"},
		{`size > 1000000 * 1000`, "seq\r\n11\r\n"},
		{`depth in 2..9`, "seq\r\n8\r\n"},
		{`title matches "^=HYPER"`, "seq\r\n13\r\n"},
	} {
		got, rows := exported(t, Pages, f, Options{Columns: []string{"seq"}, Where: c.where})
		if got != c.want || rows != strings.Count(c.want, "\n")-1 {
			t.Errorf("%s: %d rows %q, want %q", c.where, rows, got, c.want)
		}
	}
	got, _ := exported(t, Errors, f, Options{Columns: []string{"seq"}, Where: "status != nil"})
	if got != "seq\r\n8\r\n" {
		t.Errorf("errors: %q", got)
	}
	var wrong *WhereError
	if n, err := Pages(failing{errors.New("written")}, f, Options{Where: "statsu == 1"}); !errors.As(err, &wrong) || n != 0 {
		t.Error(n, err)
	}
	for name, check := range map[string]func(Options) error{"pages": CheckPages, "queue": CheckQueue, "skipped": CheckSkipped} {
		if err := check(Options{Where: "nonsense == 1"}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
		if err := check(Options{Where: `url contains "x" and depth > 1`}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	page := samplePage(1)
	page.Record.Fields = []storage.Field{{Name: "my-price", Values: []string{"4.5"}}}
	o := Options{Columns: []string{"status"}, Fields: []Field{{Name: "my-price", Type: FieldFloat}}, Where: `col("my-price") < 5`}
	if got, _ := exported(t, Pages, of(t, page, samplePage(2)), o); got != "status\r\n200\r\n" {
		t.Errorf("by a field: %q", got)
	}
}

// Whatever an expression is, it is refused or works for all rows.
func FuzzWhere(f *testing.F) {
	for _, s := range []string{
		`status >= 400 and seq < 3`, `url contains "/blog/" or not yes`, `outcome in ["failed"] && status in 1..5`, `"red" in tags`,
		`col("my-field") % 7 == -seq`, `lower(url) matches "a+" `, `fetched_at > "2026-01"`, `score == nil != yes`, `a.b[1:2]?.c(d) ?? {} | e`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, where string) {
		table := filterTable()
		if err := table.complete(); err != nil {
			t.Fatal(err)
		}
		wanted, err := table.filter(where)
		if err != nil {
			var wrong *WhereError
			if !errors.As(err, &wrong) || wrong.Column < 1 || wrong.Reason == "" {
				t.Fatalf("%q: %v", where, err)
			}
			return
		}
		opposite, err := table.filter("not (" + where + "\n)")
		for _, row := range filterRows() {
			is := wanted(&row)
			if err == nil && opposite(&row) == is {
				t.Fatalf("%q and its opposite are both %v", where, is)
			}
		}
	})
}

func BenchmarkWhere(b *testing.B) {
	const rows = 20_000
	f := benchFile(b, rows)
	for _, c := range []struct{ name, where string }{
		{"none", ""},
		{"numbers", `status >= 200 and depth < 100`},
		{"text", `url contains "/section-" and outcome in ["fetched", "failed"]`},
		{"expression", `title matches "(?i)article"`},
		{"few rows", `depth == 6 and word_count > 100`},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Pages(io.Discard, f, Options{Where: c.where}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkFilter is one row, without reading and writing it.
func BenchmarkFilter(b *testing.B) {
	row := pageRow{seq: 123456, Visit: samplePage(7)}
	for _, where := range []string{`status >= 200 and depth < 100`, `outcome in ["fetched", "failed"]`, `url contains "/article"`, `fetched_at > "2026-01-01"`} {
		b.Run(where, func(b *testing.B) {
			t := pageTable(nil)
			if err := t.complete(); err != nil {
				b.Fatal(err)
			}
			wanted, err := t.filter(where)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !wanted(&row) {
					b.Fatal("refused")
				}
			}
		})
	}
}
