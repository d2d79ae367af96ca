package export

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// cell is a row of one cell between two others.
type cell struct{ s string }

func cellTable() *table[cell] {
	return &table[cell]{
		defaults: 3,
		columns: []column[cell]{
			{name: "before", integer: func(*cell) (int64, bool) { return 1, true }},
			{name: "cell", text: func(c *cell) string { return c.s }},
			{name: "after", text: func(*cell) string { return "after" }},
		},
	}
}

func written(t *testing.T, o Options, s string) string {
	t.Helper()
	e, err := cellTable().encoder(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(e.appendRow(nil, &cell{s}))
}

// readStrictly reads a line of RFC 4180 without the liberties that
// encoding/csv takes with line ends; ok is false when it is not one.
func readStrictly(line string, comma byte) (cells []string, ok bool) {
	for {
		var cell []byte
		if strings.HasPrefix(line, `"`) {
			line = line[1:]
			for {
				i := strings.IndexByte(line, '"')
				if i < 0 {
					return nil, false
				}
				cell = append(cell, line[:i]...)
				line = line[i+1:]
				if !strings.HasPrefix(line, `"`) {
					break
				}
				cell = append(cell, '"')
				line = line[1:]
			}
		} else {
			i := strings.IndexAny(line, "\"\r\n"+string(comma))
			if i < 0 {
				return nil, false
			}
			cell, line = []byte(line[:i]), line[i:]
		}
		cells = append(cells, string(cell))
		if line == "\r\n" {
			return cells, true
		}
		if line == "" || line[0] != comma {
			return nil, false
		}
		line = line[1:]
	}
}

// cleaned is what is expected of a cell, made another way than clean does it.
func cleaned(s string) string {
	runes := []rune(s)
	for i, r := range runes {
		if r == 0 {
			runes[i] = utf8.RuneError
		}
	}
	return string(runes)
}

func checkCell(t *testing.T, s string) {
	t.Helper()
	want := cleaned(s)
	for _, o := range []Options{{Format: CSV, Raw: true}, {Format: TSV, Raw: true}, {Format: CSV}} {
		comma := byte(',')
		if o.Format == TSV {
			comma = '\t'
		}
		line := written(t, o, s)
		if !o.Raw && want != "" && strings.IndexByte("=+-@\t\r", want[0]) >= 0 {
			want = "'" + want
		}
		cells, ok := readStrictly(line, comma)
		if !ok || len(cells) != 3 || cells[0] != "1" || cells[1] != want || cells[2] != "after" {
			t.Errorf("%v of %q: %q reads as %q, want %q", o.Format, s, line, cells, want)
		}
		r := csv.NewReader(strings.NewReader(line))
		r.Comma = rune(comma)
		cells, err := r.Read()
		// It reads \r\n within quotes as \n.
		if err != nil || len(cells) != 3 || cells[1] != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("%v of %q: %q reads as %q, %v", o.Format, s, line, cells, err)
		}
		if quoted := strings.HasPrefix(line[2:], `"`); quoted != (strings.IndexByte(s, comma) >= 0 || strings.ContainsAny(s, "\"\r\n")) {
			t.Errorf("%v of %q: %q is quoted without need, or not with it", o.Format, s, line)
		}
	}
	line := written(t, Options{Format: JSONL}, s)
	var object struct {
		Before int
		Cell   *string
		After  string
	}
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	got := ""
	if object.Cell != nil {
		got = *object.Cell
	}
	if want = cleaned(s); got != want || (object.Cell == nil) != (s == "") || object.Before != 1 || object.After != "after" {
		t.Errorf("JSON of %q: %q reads as %q", s, line, got)
	}
	if body := strings.TrimSuffix(line, "\n"); strings.ContainsAny(body, "\n\r\u0085\u2028\u2029") || !utf8.ValidString(body) {
		t.Errorf("JSON of %q is not one line of UTF-8: %q", s, line)
	}
}

// cellSeeds are the cells that formats stumble over.
func cellSeeds() []string {
	return []string{
		"", "plain", "a,b", "a\tb", `say "hi"`, `"`, `""`, "\n", "\r", "\r\n", "\r\r\n\n", "a\r\nb", "trailing\r", " leading", "trailing ",
		"=1", "+1", "-1", "@a", "\tx", "\rx", "=\"a\",b", "'=1", "nul\x00nul", "\x00", "\xff", "\xffa\xc3", "\xe2\x80", "\xe2\x80\xa8", "\u2029x\u2028",
		"\xed\xa0\x80", "\u00fc\u00e4", "\U0001F577", "\uFEFFbom", "back\\slash", `\n`, `\.`, "\x01\x1f\x7f", "<b>&amp;</b>", "#comment", ";=1", "\u0085",
	}
}

func TestCellsSurvive(t *testing.T) {
	for _, s := range cellSeeds() {
		checkCell(t, s)
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range cellSeeds() {
		f.Add(s)
	}
	f.Fuzz(checkCell)
}

func TestAppendTime(t *testing.T) {
	for _, c := range []struct {
		ms   int64
		want string
	}{
		{0, ""},
		{noon, "2026-11-22T12:00:00.000Z"},
		{noon + 7, "2026-11-22T12:00:00.007Z"},
		{noon + 999, "2026-11-22T12:00:00.999Z"},
		{noon + 1_120, "2026-11-22T12:00:01.120Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli(), "9999-12-31T23:59:59.000Z"},
	} {
		if got := string(appendTime(nil, c.ms)); got != c.want {
			t.Errorf("%d: %s, want %s", c.ms, got, c.want)
		}
	}
	for _, ms := range []int64{-1 << 63, 1<<63 - 1} {
		if got := string(appendTime(nil, ms)); !strings.HasSuffix(got, "Z") {
			t.Errorf("%d: %s", ms, got)
		}
	}
}

// What is asked for from elsewhere comes as JSON, without what belongs to who has
// the crawl file.
func TestOptionsAreJSON(t *testing.T) {
	o := Options{
		Format: Parquet, Columns: []string{"url"}, Raw: true, Where: "status > 3", SitemapBase: "https://a.example/",
		Fields: []Field{{Name: "price"}}, TempDir: "/tmp", Rest: 9, InScope: func(string) bool { return true },
		Pace: func(time.Duration) {}, Stop: func() error { return nil },
	}
	text, err := json.Marshal(o)
	want := `{"format":"parquet","columns":["url"],"raw":true,"where":"status \u003e 3","base":"https://a.example/"}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	var back Options
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Format != Parquet || !back.Raw || back.Where != o.Where || back.Fields != nil || back.TempDir != "" {
		t.Errorf("%+v", back)
	}
	if err := json.Unmarshal([]byte(`{"format":"xlsx"}`), &back); err == nil {
		t.Error("an unknown format is read")
	}
	if err := json.Unmarshal([]byte(`{}`), new(Options)); err != nil {
		t.Error(err)
	}
}
