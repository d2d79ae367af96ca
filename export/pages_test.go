package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// variedCrawl has a job of each sort, with other events between them.
func variedCrawl(t testing.TB) *storage.File {
	job := func(ord uint32) storage.JobID { return storage.JobID{Ord: ord} }
	asked := func(seconds int64, took uint32) storage.Ask {
		return storage.Ask{Asked: true, Time: noon + seconds*1000, Took: took}
	}
	sized := func(a storage.Ask, n int64) storage.Ask {
		a.Transferred = n
		return a
	}
	page := samplePage(1)
	page.Links = []storage.Link{{URL: "https://example.org/new", Kind: 4, Anchor: "new"}}
	return of(
		t,
		&storage.Seeds{Time: noon - 60_000, Links: []storage.Link{{URL: "https://example.org/", Kind: 1}}},
		&storage.Host{Origin: "https://example.org", Ask: asked(0, 20), State: storage.RobotsAllow, Status: 404},
		&storage.Visit{
			Job: job(0), URL: "https://example.org/", Attempt: 1, Origin: storage.Origin{Seed: true}, Ask: sized(asked(1, 30), 310),
			Outcome: storage.Redirected, Status: 301, Redirect: "https://example.org/home",
			Record: storage.Record{FoundAt: noon - 60_000, Kind: 1, ContentType: "text/html", Size: 162, TTFB: 29, HTTPVersion: "HTTP/1.1", IP: "2001:db8::1"},
			Links:  []storage.Link{{URL: "https://example.org/home", Kind: 2, Redirect: true}},
		},
		page,
		&storage.Links{FoundOn: page.URL, Time: noon, Origin: page.Origin, Links: []storage.Link{{URL: "https://example.org/more", Kind: 4}}},
		&storage.Retry{Job: job(2), Attempt: 1, Ask: asked(3, 0), Class: storage.DNS, Due: noon + 9_000, Error: "no such host"},
		&storage.Visit{
			Job: job(2), URL: "https://gone.example.org/", Attempt: 5, Origin: storage.Origin{Depth: 1}, Ask: asked(4, 1),
			Outcome: storage.Failed, Class: storage.DNS, FoundOn: page.URL,
			Record: storage.Record{FoundAt: noon + 1, Anchor: "gone", Kind: 4, Error: `lookup "gone.example.org": no such host`},
		},
		&storage.Visit{
			Job: job(3), URL: "https://example.org/404", Attempt: 1, Origin: storage.Origin{Depth: 2}, Ask: asked(5, 12),
			Outcome: storage.Failed, Status: 404, FoundOn: page.URL, Canonical: "https://example.org/404",
			Record: storage.Record{FoundAt: noon + 2, Kind: 4, ContentType: "text/html", TTFB: 0, HTTPVersion: "HTTP/1.1"},
		},
		&storage.Visit{
			Job: job(4), URL: "https://example.org/private", Attempt: 0, Origin: storage.Origin{Depth: 1},
			Ask: storage.Ask{Time: noon + 6_000}, Outcome: storage.Blocked, FoundOn: page.URL,
			Record: storage.Record{FoundAt: noon + 3, Kind: 4, Anchor: "Log in"},
		},
		&storage.Skip{FoundOn: page.URL, Time: noon, Links: []storage.SkipLink{{Link: storage.Link{URL: "https://elsewhere.example/", Kind: 4}, Reason: storage.OutOfScope}}},
		&storage.Visit{
			Job: job(5), URL: "https://example.org/logo.png", Attempt: 2, Origin: storage.Origin{Depth: 1}, Ask: sized(asked(7, 2_345), 1<<40),
			Outcome: storage.Fetched, Status: 200,
			Record: storage.Record{FoundAt: noon + 4, Kind: 16, ContentType: "image/png", Size: 1 << 40, Truncated: true, TTFB: 5, Worker: 16},
		},
		&storage.Visit{
			Job: job(6), URL: "https://example.org/print", Attempt: 1, Ask: asked(8, 9),
			Outcome: storage.Fetched, Status: 200, Canonical: "https://example.org/",
			Record: storage.Record{ContentType: "TEXT/HTML;charset=x", MetaRobots: "noindex, nofollow", XRobotsTag: "none", NoIndex: true},
		},
		&storage.Visit{
			Job: job(7), URL: "https://example.org/hostile?a=1,2", Attempt: 1, Ask: asked(9, 9),
			Outcome: storage.Fetched, Status: 200, FoundOn: "https://example.org/\"quoted\"",
			Record: storage.Record{
				Title: "=HYPERLINK(\"https://evil.example/\",\"x\")", MetaDescription: "two\nlines\r\nand a\ttab", H1: "@SUM(1)", Anchor: "-1+1",
				ETag: "nul\x00 and \xff\xfe broken", Language: "+", Error: "<b>&amp;</b> \u2028 \u00fc \U0001F577", Charset: "\ttab", LastModified: "\rcr",
				XRobotsTag: "back\\slash \x01\x1b",
			},
		},
		&storage.Edit{Edit: storage.EditSettings, Time: noon, Settings: []byte(`{}`)},
		&storage.Visit{
			Job: job(8), URL: "https://down.example/", Attempt: 1, Ask: storage.Ask{Time: noon + 10_000},
			Outcome: storage.Failed, Class: storage.Robots, Record: storage.Record{FoundAt: noon, Error: "robots.txt: connection refused"},
		},
	)
}

type exporter func(io.Writer, *storage.File, Options) (int, error)

// exported is what the exporter writes, and how many rows that are.
func exported(t testing.TB, do exporter, f *storage.File, o Options) (string, int) {
	t.Helper()
	var b bytes.Buffer
	rows, err := do(&b, f, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), rows
}

func TestPages(t *testing.T) {
	f := variedCrawl(t)
	for _, format := range []Format{CSV, TSV, JSONL} {
		t.Run(format.String(), func(t *testing.T) {
			got, rows := exported(t, Pages, f, Options{Format: format})
			golden(t, "pages."+format.String(), []byte(got))
			if rows != 9 {
				t.Errorf("%d rows, want 9", rows)
			}
		})
	}
	t.Run("the same bytes again", func(t *testing.T) {
		first, _ := exported(t, Pages, f, Defaults())
		again, _ := exported(t, Pages, f, Defaults())
		if first != again {
			t.Error("two exports of one file differ")
		}
	})
}

func TestErrors(t *testing.T) {
	got, rows := exported(t, Errors, variedCrawl(t), Options{Columns: []string{"seq", "outcome", "status", "error_class"}})
	want := "seq,outcome,status,error_class\r\n7,failed,,dns\r\n8,failed,404,\r\n15,failed,,robots\r\n"
	if got != want || rows != 3 {
		t.Errorf("%d rows %q, want 3 rows %q", rows, got, want)
	}
}

func TestPagesOfAnEmptyCrawl(t *testing.T) {
	f := newCrawl(t).file
	if got, rows := exported(t, Pages, f, Defaults()); got != strings.Join(PageColumns(), ",")+"\r\n" || rows != 0 {
		t.Errorf("CSV: %d rows, %q", rows, got)
	}
	if got, rows := exported(t, Pages, f, Options{Format: JSONL}); got != "" || rows != 0 {
		t.Errorf("JSON Lines: %d rows, %q", rows, got)
	}
}

// promised are the columns in the order that users were promised.
const promised = "seq, url, outcome, status, error_class, error, content_type, charset, language, title, meta_description, h1, canonical, " +
	"meta_robots, x_robots_tag, indexability, redirect_url, depth, found_on, anchor, outlinks, size, transferred, truncated, content_hash, " +
	"word_count, last_modified, etag, ttfb_ms, total_ms, http_version, ip, attempts, found_at, fetched_at, duplicate_of, simhash"

func TestPageColumns(t *testing.T) {
	if got := strings.Join(PageColumns(), ", "); got != promised {
		t.Errorf("columns\n%s\nwant\n%s", got, promised)
	}
	for _, c := range pageTable(nil).columns {
		if _, one := c.kindOf(); !one {
			t.Errorf("column %s must have one function", c.name)
		}
	}
}

func TestIndexability(t *testing.T) {
	const url = "https://example.org/a"
	for name, c := range map[string]struct {
		visit storage.Visit
		want  string
	}{
		"fetched":             {storage.Visit{Outcome: storage.Fetched, Status: 200}, "Indexable"},
		"canonical is itself": {storage.Visit{Outcome: storage.Fetched, Status: 200, Canonical: url}, "Indexable"},
		"image":               {storage.Visit{Outcome: storage.Fetched, Status: 200, Record: storage.Record{ContentType: "image/png"}}, "Indexable"},
		"canonical is other":  {storage.Visit{Outcome: storage.Fetched, Status: 200, Canonical: url + "b"}, "Non-Indexable"},
		"noindex":             {storage.Visit{Outcome: storage.Fetched, Status: 200, Record: storage.Record{NoIndex: true}}, "Non-Indexable"},
		"redirected":          {storage.Visit{Outcome: storage.Redirected, Status: 301}, "Non-Indexable"},
		"failed":              {storage.Visit{Outcome: storage.Failed, Status: 404}, "Non-Indexable"},
		"blocked":             {storage.Visit{Outcome: storage.Blocked}, "Non-Indexable"},
	} {
		t.Run(name, func(t *testing.T) {
			c.visit.URL = url
			got, _ := exported(t, Pages, of(t, &c.visit), Options{Columns: []string{"indexability"}})
			if want := "indexability\r\n" + c.want + "\r\n"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestChooseColumns(t *testing.T) {
	f := of(t, samplePage(0))
	for _, c := range []struct {
		name    string
		columns []string
		want    string
	}{
		{"one", []string{"status"}, "status\r\n200\r\n"},
		{"another order", []string{"depth", "url"}, "depth,url\r\n0,https://example.org/section-0/article-0.html\r\n"},
		{"on request", []string{"seq", "worker"}, "seq,worker\r\n1,3\r\n"},
		{"an empty cell alone is quoted", []string{"simhash"}, "simhash\r\n\"\"\r\n"},
		{"two empty cells are not", []string{"simhash", "error"}, "simhash,error\r\n,\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := exported(t, Pages, f, Options{Columns: c.columns}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestRefusedColumns(t *testing.T) {
	f := of(t, samplePage(0))
	for _, c := range []struct {
		name    string
		columns []string
		column  string
		nearest string
		says    string
	}{
		{"typing error", []string{"url", "titel"}, "titel", "title", `did you mean "title"?`},
		{"upper case", []string{"URL"}, "URL", "url", `did you mean "url"?`},
		{"hyphen", []string{"content-type"}, "content-type", "content_type", `did you mean "content_type"?`},
		{"with a space", []string{"url", " status"}, " status", "status", `did you mean "status"?`},
		{"nothing near", []string{"price_in_euro"}, "price_in_euro", "", "is unknown. The columns are seq, url, "},
		{"empty", []string{"url", ""}, "", "", "is unknown. The columns are seq, url, "},
		{"very long", []string{strings.Repeat("x", 1<<20)}, strings.Repeat("x", 1<<20), "", "is unknown."},
		{"twice", []string{"url", "seq", "url"}, "url", "", "is named twice."},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			o := Options{Columns: c.columns}
			rows, err := Pages(&b, f, o)
			var refused *ColumnError
			if !errors.As(err, &refused) {
				t.Fatalf("%v, want a *ColumnError", err)
			}
			if refused.Name != c.column || refused.Nearest != c.nearest || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q of %q, nearest %q", err, refused.Name, refused.Nearest)
			}
			if !slices.Contains(refused.Known, "worker") {
				t.Error("the list leaves out a column")
			}
			if rows != 0 || b.Len() != 0 {
				t.Errorf("wrote %d bytes all the same", b.Len())
			}
			if CheckPages(o) == nil {
				t.Error("CheckPages accepts it")
			}
		})
	}
	if CheckPages(Options{Format: formats}) == nil {
		t.Error("an unknown format is accepted")
	}
	for _, rest := range []float64{-1, math.NaN(), math.Inf(1), maxRest + 1} {
		if CheckPages(Options{Rest: rest}) == nil {
			t.Errorf("a rest of %v is accepted", rest)
		}
	}
}

func TestFormulaGuard(t *testing.T) {
	for _, c := range []struct{ cell, guarded, raw string }{
		{"=1+1", `'=1+1`, `=1+1`},
		{"+1", `'+1`, `+1`},
		{"-1", `'-1`, `-1`},
		{"@SUM(A1)", `'@SUM(A1)`, `@SUM(A1)`},
		{"\tx", "'\tx", "\tx"},
		{"\rx", "\"'\rx\"", "\"\rx\""},
		{"=A1,\"b\"", `"'=A1,""b"""`, `"=A1,""b"""`},
		{"=", `'=`, `=`},
		{"a=1", `a=1`, `a=1`},
		{" =1", ` =1`, ` =1`},
		{"'=1", `'=1`, `'=1`},
		{"", ``, ``},
		{"−1", `−1`, `−1`},
	} {
		v := samplePage(0)
		v.Record.Title = c.cell
		f := of(t, v)
		columns := []string{"seq", "title"}
		if got, _ := exported(t, Pages, f, Options{Columns: columns}); got != "seq,title\r\n1,"+c.guarded+"\r\n" {
			t.Errorf("guarded %q: %q", c.cell, got)
		}
		if got, _ := exported(t, Pages, f, Options{Columns: columns, Raw: true}); got != "seq,title\r\n1,"+c.raw+"\r\n" {
			t.Errorf("raw %q: %q", c.cell, got)
		}
		got, _ := exported(t, Pages, f, Options{Format: JSONL, Columns: columns})
		var row struct{ Title string }
		if err := json.Unmarshal([]byte(got), &row); err != nil || row.Title != c.cell {
			t.Errorf("JSON of %q: %q, %v", c.cell, got, err)
		}
	}
}

// TestStandardReaders has the readers of the standard library understand the
// whole of an export.
func TestStandardReaders(t *testing.T) {
	f := variedCrawl(t)
	table, rows := exported(t, Pages, f, Options{Raw: true})
	r := csv.NewReader(strings.NewReader(table))
	cells, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	tabbed, _ := exported(t, Pages, f, Options{Format: TSV, Raw: true})
	r = csv.NewReader(strings.NewReader(tabbed))
	r.Comma = '\t'
	fromTabs, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cells, fromTabs); diff != "" {
		t.Errorf("CSV and TSV differ:\n%s", diff)
	}
	if len(cells) != rows+1 || !slices.Equal(cells[0], PageColumns()) {
		t.Fatalf("%d lines, header %q", len(cells), cells[0])
	}
	lines, _ := exported(t, Pages, f, Options{Format: JSONL})
	d := json.NewDecoder(strings.NewReader(lines))
	d.UseNumber()
	for _, line := range cells[1:] {
		var object map[string]any
		if err := d.Decode(&object); err != nil {
			t.Fatal(err)
		}
		if len(object) != len(line) {
			t.Errorf("%d keys for %d columns", len(object), len(line))
		}
		for i, name := range cells[0] {
			var want any = line[i]
			switch {
			case line[i] == "":
				want = nil
			case pageTable(nil).columns[i].integer != nil:
				want = json.Number(line[i])
			}
			if s, ok := object[name].(string); ok {
				object[name] = strings.ReplaceAll(s, "\r\n", "\n") // as the CSV reader does
			}
			if object[name] != want {
				t.Errorf("%s: %#v in JSON, %#v in CSV", name, object[name], want)
			}
		}
	}
	if d.More() {
		t.Error("more objects than lines")
	}
}

// noTransaction fails when the caller was called from within a transaction of
// the crawl file.
func noTransaction(t *testing.T) {
	t.Helper()
	if bytes.Contains(debug.Stack(), []byte("bbolt.(*DB).View")) {
		t.Fatal("called while a transaction is open") // a commit might now wait for ever
	}
}

// TestPagesWhileCommitting exports up to the mark at which it started, however
// much is committed meanwhile, even by the writer itself.
func TestPagesWhileCommitting(t *testing.T) {
	c := newCrawl(t)
	const before = 2*sliceEvents + 5
	for i := range before {
		c.add(samplePage(i))
	}
	c.commit()
	before1, _ := exported(t, Pages, c.file, Defaults())

	var during bytes.Buffer
	writes := 0
	rows, err := Pages(writerFunc(func(p []byte) (int, error) {
		noTransaction(t)
		writes++
		for i := range 300 {
			c.add(samplePage(before + writes*300 + i))
		}
		c.commit()
		return during.Write(p)
	}), c.file, Defaults())
	if err != nil || rows != before {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if writes < 3 {
		t.Errorf("only %d writes: all rows were held", writes)
	}
	if during.String() != before1 {
		t.Error("an export during commits differs from the one before")
	}
	after, _ := exported(t, Pages, c.file, Defaults())
	if len(after) <= len(before1) || after[:len(before1)] != before1 {
		t.Error("a later export does not begin with the earlier one")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestPagesBesideACommitter is the same with a goroutine that commits.
func TestPagesBesideACommitter(t *testing.T) {
	c := newCrawl(t)
	for i := range 500 {
		c.add(samplePage(i))
	}
	c.commit()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 500; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			c.batch.Add(samplePage(i))
			if err := c.file.Commit(&c.batch); err != nil {
				done <- err
				return
			}
			c.batch.Reset(c.batch.First + 1)
		}
	}()
	previous := ""
	for range 5 {
		got, rows := exported(t, Pages, c.file, Options{Columns: []string{"seq", "url", "title"}})
		if rows < 500 || strings.Count(got, "\r\n") != rows+1 {
			t.Errorf("%d rows in %d lines", rows, strings.Count(got, "\r\n"))
		}
		if !strings.HasPrefix(got, previous) {
			t.Error("an export does not begin with the one before it")
		}
		previous = got
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWriteErrorComesBackAsItIs(t *testing.T) {
	f := variedCrawl(t)
	broken := errors.New("broken pipe")
	for good := range 2 {
		left := good
		rows, err := Pages(writerFunc(func(p []byte) (int, error) {
			if left == 0 {
				return 0, broken
			}
			left--
			return len(p), nil
		}), f, Defaults())
		if err != broken || rows != 0 {
			t.Errorf("after %d writes: %d rows, %v", good, rows, err)
		}
	}
}

// TestDamagedEvents flips bits of a stored visit.
func TestDamagedEvents(t *testing.T) {
	v := samplePage(0)
	v.Record.Error = strings.Repeat("long", 50)
	whole := of(t, v)
	var event []byte
	err := whole.View(func(r *storage.Reader) error {
		event = bytes.Clone(r.Event(1))
		return nil
	})
	if err != nil || len(event) < 200 {
		t.Fatal(len(event), err)
	}
	// What the rows are made of must not panic on any damage.
	e, err := pageTable(nil).encoder(Options{Columns: pageTable(nil).names()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range event {
		for _, bit := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(event)
			damaged[i] ^= bit
			if v, err := storage.DecodeVisit(damaged); err == nil {
				e.appendRow(nil, &pageRow{seq: 1, Visit: v})
			}
		}
	}
}

func TestFormatNames(t *testing.T) {
	for f := range formats {
		if got, err := ParseFormat(f.String()); got != f || err != nil {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("xlsx"); err == nil || !strings.Contains(err.Error(), "csv, tsv, jsonl") {
		t.Error(err)
	}
}

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		where   string
		columns []string
		want    bool
	}{
		{"", nil, false},
		{"", []string{"url", "inlinks"}, true},
		{"inlinks > 2", nil, true},
		{`not (col("inlinks") == nil)`, []string{"url"}, true},
		{`url contains "inlinks" and unique_inlinks == 0`, nil, false},
	} {
		table := pageTable(nil)
		if err := table.complete(); err != nil {
			t.Fatal(err)
		}
		if got := table.needs(Options{Columns: c.columns, Where: c.where}, "inlinks"); got != c.want {
			t.Errorf("%q %q: %v", c.columns, c.where, got)
		}
	}
	if !linkTable().needs(Defaults(), "target_status") {
		t.Error("a default column is not needed")
	}
}
