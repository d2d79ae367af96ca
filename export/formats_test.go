package export

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pawl/storage"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

var libreOffice = flag.Bool("libreoffice", false, "have LibreOffice read what is written, which takes seconds")

// hostileRow has a cell of each kind.
type hostileRow struct {
	n       int
	text    string
	integer *int64
	float   *float64
	boolean *bool
	time    int64
	texts   []string
	ints    []string
	floats  []string
}

func hostileTable() *table[hostileRow] {
	return &table[hostileRow]{
		name:     "hostile",
		defaults: 10,
		columns: []column[hostileRow]{
			{name: "n", key: true, integer: func(r *hostileRow) (int64, bool) { return int64(r.n), true }},
			{name: "text", indexed: true, text: func(r *hostileRow) string { return r.text }},
			{name: "word", plain: func(b []byte, r *hostileRow) []byte {
				if r.n%2 == 0 {
					return b
				}
				return append(b, "odd"...)
			}},
			{name: "integer", integer: func(r *hostileRow) (int64, bool) {
				if r.integer == nil {
					return 0, false
				}
				return *r.integer, true
			}},
			{name: "float", float: func(r *hostileRow) (float64, bool) {
				if r.float == nil {
					return 0, false
				}
				return *r.float, true
			}},
			{name: "boolean", boolean: func(r *hostileRow) (is, known bool) {
				if r.boolean == nil {
					return false, false
				}
				return *r.boolean, true
			}},
			{name: "time", time: func(r *hostileRow) int64 { return r.time }},
			{name: "texts", list: func(r *hostileRow) []string { return r.texts }},
			{name: "ints", list: func(r *hostileRow) []string { return r.ints }, items: FieldInt},
			{name: `flo"ats`, list: func(r *hostileRow) []string { return r.floats }, items: FieldFloat},
		},
	}
}

// hostileRows are the values that formats and their readers stumble over.
func hostileRows() []hostileRow {
	texts := append(
		cellSeeds(),
		"a|b", "|", "||", "123456789012345678901234567890", "1e999", "0x10", "007", "-0", "+49 30 1234", "1,234.50", "12:30", "2026-11-22", "TRUE", "null", "NULL", `\N`, "NaN",
		strings.Repeat("x", 1<<20), strings.Repeat("\"\n", 1<<19), strings.Repeat("\xff", 1<<20), strings.Repeat("\U0001F577", 1<<18),
		"  both  ", "\u00a0", "\u200b", "\u202eright to left", "e\u0301", "\x7f", "a\r", "\na", "a\n\nb", "'quoted'", "`", "$(rm -rf /)", "'; DROP TABLE pages; --",
		"=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\uFEFF=1", "\uFF1D1", "sep=;",
	)
	var rows []hostileRow
	for i, s := range texts {
		r := hostileRow{n: i, text: s}
		if len(s) < 1000 {
			r.texts = []string{s, "", "second " + s}
		}
		switch i % 3 {
		case 0:
			r.ints, r.floats = []string{"1", "", "-9223372036854775808", "9223372036854775808", "x"}, []string{"0.1", "-1e300", "NaN", "1e999", "4.50"}
		case 1:
			r.ints, r.floats = []string{"7"}, []string{""}
		}
		if i%4 != 0 {
			r.integer, r.float, r.boolean, r.time = new(int64), new(float64), new(bool), noon+int64(i)
			*r.integer, *r.float, *r.boolean = int64(i)<<50*int64(1-i%2*2), float64(i)/7*math.Pow10(i-20), i%2 == 0
		}
		rows = append(rows, r)
	}
	return rows
}

// write writes the rows in slices, as an export does.
func write[R any](t testing.TB, w io.Writer, table *table[R], rows []R, o Options) int {
	t.Helper()
	out, err := table.rows(w, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.begin(); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		room, err := out.row(&rows[i])
		if err == nil && (!room || i%10 == 9) {
			err = out.flush()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := out.end(nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// small are the rows that a spreadsheet can hold, which ends at 32,767
// characters a cell.
func small(rows []hostileRow) []hostileRow {
	return slices.DeleteFunc(rows, func(r hostileRow) bool { return len(r.text) > 30_000 })
}

// writtenHostile writes the rows to a file.
func writtenHostile(t *testing.T, o Options, rows []hostileRow) (path string) {
	t.Helper()
	o.TempDir = t.TempDir()
	path = filepath.Join(t.TempDir(), "hostile."+o.Format.String())
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := write(t, f, hostileTable(), rows, o); n != len(rows) {
		t.Errorf("%d rows written, want %d", n, len(rows))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.TempDir); len(left) != 0 {
		t.Errorf("%s is left behind", left[0].Name())
	}
	return path
}

// lineCells is what a row should read as in CSV and TSV.
func (r *hostileRow) lineCells(raw bool) []string {
	text := func(s string) string {
		if s = cleaned(s); !raw && s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
			s = "'" + s
		}
		return s
	}
	cells := []string{strconv.Itoa(r.n), text(r.text), "", "", "", "", "", text(strings.Join(r.texts, "|")), "", ""}
	if r.n%2 == 1 {
		cells[2] = "odd"
	}
	if r.integer != nil {
		verb := byte('f')
		if size := math.Abs(*r.float); size != 0 && (size < 1e-6 || size >= 1e21) {
			verb = 'e'
		}
		cells[3], cells[4], cells[5] = strconv.FormatInt(*r.integer, 10), strconv.FormatFloat(*r.float, verb, -1, 64), strconv.FormatBool(*r.boolean)
		cells[6] = time.UnixMilli(r.time).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	switch r.n % 3 {
	case 0:
		cells[8], cells[9] = "1||-9223372036854775808||", "0.1|-1e+300|||4.5"
	case 1:
		cells[8] = "7"
	}
	return cells
}

// jsonCells is what a row should read as in formats with types, as
// encoding/json gives it with numbers left as they are.
func (r *hostileRow) jsonCells() []any {
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return cleaned(s)
	}
	cells := make([]any, 10)
	cells[0], cells[1] = json.Number(strconv.Itoa(r.n)), text(r.text)
	line := r.lineCells(true)
	if r.n%2 == 1 {
		cells[2] = "odd"
	}
	if r.integer != nil {
		cells[3], cells[4], cells[5], cells[6] = json.Number(line[3]), json.Number(line[4]), *r.boolean, line[6]
	}
	if r.texts != nil {
		var texts []any
		for _, s := range r.texts {
			texts = append(texts, cleaned(s))
		}
		cells[7] = texts
	}
	switch r.n % 3 {
	case 0:
		cells[8] = []any{json.Number("1"), nil, json.Number("-9223372036854775808"), nil, nil}
		cells[9] = []any{json.Number("0.1"), json.Number("-1e+300"), nil, nil, json.Number("4.5")}
	case 1:
		cells[8], cells[9] = []any{json.Number("7")}, []any{nil}
	}
	return cells
}

// checkLines compares what a reader of CSV gives. forgiven tells what the
// reader is known to alter.
func checkLines(t *testing.T, got [][]string, rows []hostileRow, raw bool, forgiven func(string) string) {
	t.Helper()
	want := [][]string{hostileTable().names()}
	for i := range rows {
		want = append(want, rows[i].lineCells(raw))
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		for j := range want[i] {
			if forgiven != nil {
				want[i][j] = forgiven(want[i][j])
			}
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("row %d: %s", i, shortDiff(want[i], got[i]))
		}
	}
}

func shortDiff(want, got any) string {
	d := cmp.Diff(want, got)
	return d[:min(len(d), 2000)]
}

func comma(f Format) rune {
	if f == TSV {
		return '\t'
	}
	return ','
}

func TestHostileCSV(t *testing.T) {
	for _, o := range []Options{{Format: CSV}, {Format: CSV, Raw: true}, {Format: TSV}, {Format: TSV, Raw: true}} {
		t.Run(fmt.Sprintf("%v raw %v", o.Format, o.Raw), func(t *testing.T) {
			rows := hostileRows()
			if o.Raw { // nothing new about those that are large
				rows = small(rows)
			}
			path := writtenHostile(t, o, rows)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
				t.Error("not UTF-8 without NUL")
			}
			t.Run("encoding/csv", func(t *testing.T) {
				r := csv.NewReader(bytes.NewReader(data))
				r.Comma = comma(o.Format)
				got, err := r.ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				checkLines(t, got, rows, o.Raw, func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") })
			})
			t.Run("RFC 4180 and DuckDB's sniffing", func(t *testing.T) {
				found, quoted := sniff(t, string(data))
				if found != byte(comma(o.Format)) || !quoted {
					t.Errorf("the separator looks like %q, quotes %v", found, quoted)
				}
				checkLines(t, readAllStrictly(t, string(data), found), rows, o.Raw, nil)
			})
			t.Run("python csv", func(t *testing.T) {
				var got [][]string
				python(t, `
import csv, json, sys
csv.field_size_limit(1 << 30)
with open(sys.argv[1], encoding="utf-8", newline="") as f:
    print(json.dumps(list(csv.reader(f, delimiter=sys.argv[2], strict=True))))
`, &got, path, string(comma(o.Format)))
				checkLines(t, got, rows, o.Raw, nil)
			})
		})
	}
}

// readAllStrictly reads records of RFC 4180, whose lines end in \r\n.
func readAllStrictly(t *testing.T, data string, comma byte) (records [][]string) {
	t.Helper()
	for data != "" {
		// The record ends with the first \r\n that is not between quotes.
		end, within := -1, false
		for i := 0; i+1 < len(data) && end < 0; i++ {
			switch {
			case data[i] == '"':
				within = !within
			case !within && data[i] == '\r' && data[i+1] == '\n':
				end = i + 2
			}
		}
		if end < 0 {
			t.Fatalf("record %d has no end", len(records))
		}
		cells, ok := readStrictly(data[:end], comma)
		if !ok {
			t.Fatalf("record %d is none of RFC 4180", len(records))
		}
		records, data = append(records, cells), data[end:]
	}
	return records
}

// sniff guesses the separator as DuckDB does: of those it knows the one with
// which all records of a sample have the same number of cells, the most of
// them; for each with quotes and without.
func sniff(t *testing.T, data string) (separator byte, quoted bool) {
	t.Helper()
	const sample = 20_480 / 10
	most := 0
	for _, c := range []byte{',', '|', ';', '\t'} {
		for _, quotes := range []bool{true, false} {
			width, records, cells, within, consistent := 0, 0, 1, false, true
			for i := 0; i < len(data) && records < sample && consistent; i++ {
				switch {
				case quotes && data[i] == '"':
					within = !within
				case within:
				case data[i] == c:
					cells++
				case data[i] == '\n':
					if width == 0 {
						width = cells
					}
					consistent = cells == width
					records++
					cells = 1
				}
			}
			if consistent && !within && width > most {
				most, separator, quoted = width, c, quotes
			}
		}
	}
	return separator, quoted
}

func TestHostileJSONLines(t *testing.T) {
	rows := hostileRows()
	path := writtenHostile(t, Options{Format: JSONL}, rows)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, objects []map[string]any) {
		t.Helper()
		if len(objects) != len(rows) {
			t.Fatalf("%d objects, want %d", len(objects), len(rows))
		}
		for i, o := range objects {
			got := make([]any, 0, len(o))
			for _, name := range hostileTable().names() {
				got = append(got, o[name])
			}
			if want := rows[i].jsonCells(); !sameCells(want, got) || len(o) != len(want) {
				t.Errorf("row %d: %s", i, shortDiff(want, got))
			}
		}
	}
	t.Run("encoding/json", func(t *testing.T) {
		var objects []map[string]any
		for line := range strings.Lines(string(data)) {
			objects = append(objects, nil)
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			if err := d.Decode(&objects[len(objects)-1]); err != nil {
				t.Fatal(err)
			}
		}
		check(t, objects)
	})
	t.Run("python json", func(t *testing.T) {
		var objects []map[string]any
		// str.splitlines ends a line at more than \n.
		python(t, `
import json, sys
def refuse(c): raise ValueError(c)
print(json.dumps([json.loads(l, parse_constant=refuse) for l in open(sys.argv[1], encoding="utf-8", newline="").read().splitlines()]))
`, &objects, path)
		check(t, objects)
	})
}

// sameCells compares numbers as such: 1e+300 and 1e300 are the same.
func sameCells(want, got []any) bool {
	return cmp.Equal(want, got, cmp.FilterValues(func(a, b json.Number) bool { return true }, cmp.Comparer(func(a, b json.Number) bool {
		if a == b {
			return true
		}
		x, err1 := a.Float64()
		y, err2 := b.Float64()
		return err1 == nil && err2 == nil && x == y && strings.ContainsAny(string(a+b), ".e")
	})))
}

func TestHostileSQLite(t *testing.T) {
	rows := hostileRows()
	path := writtenHostile(t, Options{Format: SQLite}, rows)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("SQLite format 3\x00")) {
		t.Error("no database of SQLite")
	}
	var got struct {
		Sound   string
		Columns [][2]string
		Indices []string
		Rows    [][]any
	}
	python(t, `
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
print(json.dumps({
    "Sound": db.execute("PRAGMA integrity_check").fetchone()[0],
    "Columns": [r[1:3] for r in db.execute("PRAGMA table_info(hostile)")],
    "Indices": [r[1] for r in db.execute("PRAGMA index_list(hostile)")],
    "Rows": db.execute("SELECT * FROM hostile ORDER BY n").fetchall(),
}))
`, &got, path)
	if got.Sound != "ok" {
		t.Error(got.Sound)
	}
	wantColumns := [][2]string{
		{"n", "INTEGER"},
		{"text", "TEXT"},
		{"word", "TEXT"},
		{"integer", "INTEGER"},
		{"float", "REAL"},
		{"boolean", "BOOLEAN"},
		{"time", "TEXT"},
		{"texts", "TEXT"},
		{"ints", "TEXT"},
		{`flo"ats`, "TEXT"},
	}
	if diff := cmp.Diff(wantColumns, got.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if len(got.Indices) != 1 || got.Indices[0] != "hostile_text" {
		t.Errorf("indices %q", got.Indices)
	}
	if len(got.Rows) != len(rows) {
		t.Fatalf("%d rows, want %d", len(got.Rows), len(rows))
	}
	for i, cells := range got.Rows {
		want := rows[i].jsonCells()
		for j := range want {
			switch x := cells[j].(type) {
			case string:
				if j >= 7 {
					var items []any
					d := json.NewDecoder(strings.NewReader(x))
					d.UseNumber()
					if err := d.Decode(&items); err != nil {
						t.Error(err)
					}
					cells[j] = items
				}
			case json.Number:
				if j == 5 {
					cells[j] = x == "1"
				}
			}
		}
		if !sameCells(want, cells) {
			t.Errorf("row %d: %s", i, shortDiff(want, cells))
		}
	}
}

func TestHostileParquet(t *testing.T) {
	rows := hostileRows()
	path := writtenHostile(t, Options{Format: Parquet}, rows)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The file ends with the length of its footer and the magic number.
	if n := len(data); n < 12 || string(data[:4]) != "PAR1" || string(data[n-4:]) != "PAR1" || int(binary.LittleEndian.Uint32(data[n-8:])) > n-12 {
		t.Fatal("not framed as a file of Parquet")
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	const schema = `message hostile {
	required int64 n (INT(64,true));
	optional binary text (STRING);
	optional binary word (STRING);
	optional int64 integer (INT(64,true));
	optional double float;
	optional boolean boolean;
	optional int64 time (TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS));
	optional group texts (LIST) {
		repeated group list {
			optional binary element (STRING);
		}
	}
	optional group ints (LIST) {
		repeated group list {
			optional int64 element (INT(64,true));
		}
	}
	optional group flo"ats (LIST) {
		repeated group list {
			optional double element;
		}
	}
}`
	if diff := cmp.Diff(schema, file.Schema().String()); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	r := parquet.NewReader(file)
	defer r.Close()
	buf := make([]parquet.Row, 1)
	for i := range rows {
		if n, err := r.ReadRows(buf); n != 1 {
			t.Fatal(i, err)
		}
		want := rows[i].jsonCells()
		if got := parquetCells(buf[0]); !sameCells(want, got) {
			t.Errorf("row %d: %s", i, shortDiff(want, got))
		}
	}
	if n, err := r.ReadRows(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("more rows than were written: %v", err)
	}
}

// What is held until it can be written is bounded, in rows and in bytes.
func TestParquetRowGroups(t *testing.T) {
	for name, c := range map[string]struct{ rows, text, least int }{
		"many rows":  {groupRows + 5_000, 1, groupRows},
		"large rows": {groupBytes/2_000 + 1_000, 2_000, groupBytes / 2_100},
	} {
		t.Run(name, func(t *testing.T) {
			table := hostileTable()
			table.columns, table.defaults = table.columns[:2], 2
			rows := make([]hostileRow, c.rows)
			text := strings.Repeat("x", c.text)
			for i := range rows {
				rows[i] = hostileRow{n: i, text: text}
			}
			var b bytes.Buffer
			if n := write(t, &b, table, rows, Options{Format: Parquet}); n != c.rows {
				t.Errorf("%d rows written, want %d", n, c.rows)
			}
			file, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
			if err != nil {
				t.Fatal(err)
			}
			groups := file.RowGroups()
			if len(groups) != 2 || file.NumRows() != int64(c.rows) || int(groups[0].NumRows()) < c.least || int(groups[0].NumRows()) > c.least*11/10 {
				t.Errorf("%d rows in %d groups, the first of %d", file.NumRows(), len(groups), groups[0].NumRows())
			}
		})
	}
}

// parquetCells gives a row as jsonCells does.
func parquetCells(row parquet.Row) []any {
	cells := make([]any, 10)
	for _, v := range row {
		var x any
		switch {
		case v.IsNull():
		case v.Kind() == parquet.ByteArray:
			x = string(v.ByteArray())
		case v.Kind() == parquet.Int64 && v.Column() == 6:
			x = time.UnixMilli(v.Int64()).UTC().Format("2006-01-02T15:04:05.000Z")
		case v.Kind() == parquet.Int64:
			x = json.Number(strconv.FormatInt(v.Int64(), 10))
		case v.Kind() == parquet.Double:
			b, _ := json.Marshal(v.Double())
			x = json.Number(b)
		case v.Kind() == parquet.Boolean:
			x = v.Boolean()
		}
		switch c := v.Column(); {
		case c < 7:
			cells[c] = x
		case v.DefinitionLevel() > 0:
			items, _ := cells[c].([]any)
			cells[c] = append(items, x)
		}
	}
	return cells
}

// python runs a program and reads the JSON that it prints.
func python(t *testing.T, program string, into any, args ...string) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 to read it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path, append([]string{"-I", "-c", program}, args...)...)
	var out, talk bytes.Buffer
	c.Stdout, c.Stderr = &out, &talk
	if err := c.Run(); err != nil {
		t.Fatalf("python3: %v\n%s", err, talk.String())
	}
	d := json.NewDecoder(&out)
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestHostileLibreOffice(t *testing.T) {
	if !*libreOffice {
		t.Skip("only with -args -libreoffice")
	}
	path, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("there is no soffice to read it")
	}
	for _, o := range []Options{{Format: CSV}, {Format: TSV}} {
		t.Run(o.Format.String(), func(t *testing.T) {
			rows := small(hostileRows())
			file := writtenHostile(t, o, rows)
			dir := t.TempDir()
			// 9 or 44: the separator; 34: quotes; 76: UTF-8; from line 1; all
			// columns by themselves; and no cell evaluated that looks like a formula.
			in := fmt.Sprintf("CSV:%d,34,76,1,,0,false,false,false,false,false", comma(o.Format))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			c := exec.CommandContext(
				ctx, path, "-env:UserInstallation=file://"+t.TempDir(), "--headless", "--infilter="+in,
				"--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,false,false", "--outdir", dir, file,
			)
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			f, err := os.Open(filepath.Join(dir, "hostile.csv"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := csv.NewReader(f)
			r.FieldsPerRecord = -1
			got, err := r.ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(rows)+1 {
				t.Fatalf("%d rows, want %d", len(got), len(rows)+1)
			}
			for i := range rows {
				// A cell's lines end in \n there, and what looks like a number is one.
				want := strings.ReplaceAll(strings.ReplaceAll(rows[i].lineCells(o.Raw)[1], "\r\n", "\n"), "\r", "\n")
				if _, err := strconv.ParseFloat(strings.ReplaceAll(want, ",", ""), 64); err == nil {
					continue
				}
				if cell := got[i+1][1]; cell != want {
					t.Errorf("text %.40q of %d bytes reads as %.40q of %d", want, len(want), cell, len(cell))
				}
			}
		})
	}
}

func TestFieldColumns(t *testing.T) {
	page := samplePage(1)
	page.Record.Fields = []storage.Field{
		{Name: "price", Values: []string{"4.50"}},
		{Name: "name", Values: []string{"=A|B", "not shown"}},
		{Name: "stars", Values: []string{"5", "", "1234"}},
		{Name: "tags", Values: []string{"a", "b|c", ""}},
		{Name: "was-text", Values: []string{"ten"}},
	}
	bare := samplePage(2)
	o := Options{
		Fields: []Field{
			{Name: "name"},
			{Name: "price", Type: FieldFloat},
			{Name: "stars", Type: FieldInt, List: true},
			{Name: "tags", List: true},
			{Name: "was-text", Type: FieldInt},
			{Name: "missing", Type: FieldInt},
		},
		Columns: []string{"status", "name", "price", "stars", "tags", "was-text", "missing"},
	}
	f := of(t, page, bare)
	for format, want := range map[Format]string{
		CSV: "status,name,price,stars,tags,was-text,missing\r\n200,'=A|B,4.5,5||1234,a|b|c|,,\r\n200,,,,,,\r\n",
		JSONL: `{"status":200,"name":"=A|B","price":4.5,"stars":[5,null,1234],"tags":["a","b|c",""],"was-text":null,"missing":null}` + "\n" +
			`{"status":200,"name":null,"price":null,"stars":null,"tags":null,"was-text":null,"missing":null}` + "\n",
	} {
		o.Format = format
		if got, _ := exported(t, Pages, f, o); got != want {
			t.Errorf("%v:\n%s\nwant\n%s", format, got, want)
		}
	}
	o.Format, o.Columns = CSV, nil
	got, _ := exported(t, Pages, f, o)
	if header, _, _ := strings.Cut(got, "\r\n"); header != strings.ReplaceAll(promised, " ", "")+",name,price,stars,tags,was-text,missing" {
		t.Errorf("header %s", header)
	}
	for name, o := range map[string]Options{
		"a field with the name of a column": {Fields: []Field{{Name: "title"}}},
		"a field twice":                     {Fields: []Field{{Name: "x"}, {Name: "x"}}},
		"a field asked for twice":           {Fields: []Field{{Name: "x"}}, Columns: []string{"x", "x"}},
		"no such field":                     {Fields: []Field{{Name: "x"}}, Columns: []string{"y"}},
		"letters of another case in SQLite": {Fields: []Field{{Name: "Title"}}, Format: SQLite},
	} {
		var wrong *ColumnError
		if err := CheckPages(o); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CheckPages(Options{Fields: []Field{{Name: "Title"}}}); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{"url": true, "worker": true, "inlinks": true, "price": false, "URL": true, "": false} {
		if IsPageColumn(name) != want {
			t.Errorf("IsPageColumn(%q) is not %v", name, want)
		}
	}
}

// A format whose file is made in the end must not leave anything behind, nor
// write anything, when the rows end with an error.
func TestBrokenExport(t *testing.T) {
	broken := errors.New("broken")
	for format := range formats {
		t.Run(format.String(), func(t *testing.T) {
			o := Options{Format: format, TempDir: t.TempDir()}
			var b bytes.Buffer
			out, err := hostileTable().rows(&b, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := out.begin(); err != nil {
				t.Fatal(err)
			}
			for _, row := range hostileRows() {
				if _, err := out.row(&row); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := out.end(broken); !errors.Is(err, broken) || n != 0 {
				t.Errorf("%d rows, %v", n, err)
			}
			if left, _ := os.ReadDir(o.TempDir); len(left) != 0 {
				t.Errorf("%s is left behind", left[0].Name())
			}
		})
	}
	for format := range formats {
		t.Run("writer of "+format.String(), func(t *testing.T) {
			o := Options{Format: format, TempDir: t.TempDir()}
			n, err := Pages(failing{broken}, variedCrawl(t), o)
			if !errors.Is(err, broken) || n != 0 {
				t.Errorf("%d rows, %v", n, err)
			}
			if left, _ := os.ReadDir(o.TempDir); len(left) != 0 {
				t.Errorf("%s is left behind", left[0].Name())
			}
		})
	}
}

// A database is written in the end, which is late for who wants it no more.
func TestSQLiteStopsEarly(t *testing.T) {
	c := newCrawl(t)
	for i := range 2 * sliceEvents {
		c.add(samplePage(i))
	}
	c.commit()
	o := Options{Format: SQLite, TempDir: t.TempDir()}
	stopped := errors.New("stopped")
	w := writerFunc(func(b []byte) (int, error) {
		left, err := os.ReadDir(o.TempDir)
		if err != nil || len(left) != 1 {
			t.Fatal(left, err)
		}
		if info, err := left[0].Info(); err != nil || info.Size() > 1<<20 {
			t.Errorf("asked when there were %d bytes: %v", info.Size(), err)
		}
		return 0, stopped
	})
	if _, err := Pages(w, c.file, o); !errors.Is(err, stopped) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestTempDir(t *testing.T) {
	for _, name := range []string{"plain", "a b", "100%", "q?mode=memory", "#x", "ü"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Skip(err)
		}
		got, rows := exported(t, Pages, variedCrawl(t), Options{Format: SQLite, TempDir: dir})
		if rows != 9 || !strings.HasPrefix(got, "SQLite format 3\x00") {
			t.Errorf("%s: %d rows, %.20q", name, rows, got)
		}
	}
	_, err := Pages(io.Discard, variedCrawl(t), Options{Format: SQLite, TempDir: filepath.Join(t.TempDir(), "missing")})
	var trouble *TempDirError
	if !errors.As(err, &trouble) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestFullTempDir(t *testing.T) {
	table := hostileTable()
	if err := table.complete(); err != nil {
		t.Fatal(err)
	}
	out := newSQLiteRows(io.Discard, table.columns, table.name, t.TempDir())
	defer out.discard()
	if err := out.begin(); err != nil {
		t.Fatal(err)
	}
	// What SQLite says then is what it says of a disk that is full.
	if err := out.exec("PRAGMA max_page_count=16"); err != nil {
		t.Fatal(err)
	}
	for _, row := range hostileRows() {
		out.add(&row)
	}
	err := out.flush()
	var trouble *TempDirError
	if !errors.As(err, &trouble) || !trouble.Full || !strings.Contains(err.Error(), "no space left in "+out.dir) {
		t.Error(err)
	}
}

// Two exports of a file at rest are the same bytes, in every format.
func TestSameBytes(t *testing.T) {
	f := variedCrawl(t)
	for format := range formats {
		first, n := exported(t, Pages, f, Options{Format: format})
		again, _ := exported(t, Pages, f, Options{Format: format})
		if first != again || n != 9 {
			t.Errorf("%v: two exports differ", format)
		}
	}
}

func TestEmptyTables(t *testing.T) {
	for format, want := range map[Format]string{Parquet: "PAR1", SQLite: "SQLite format 3\x00"} {
		got, rows := exported(t, Pages, newCrawl(t).file, Options{Format: format})
		if rows != 0 || !strings.HasPrefix(got, want) {
			t.Errorf("%v: %d rows, %.20q", format, rows, got)
		}
	}
}
