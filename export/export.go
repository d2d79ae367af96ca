// Package export writes what a crawl file holds as CSV, TSV, JSON Lines, Parquet
// or a SQLite database.
//
// The rows come from the log alone, in the order of seq up to its end at the
// moment the export starts, so that two exports of a file at rest are the same
// bytes, and one taken while the crawl runs holds whole rows only and no job
// twice. Nothing is sorted and no rows are held. The log is read in short
// transactions, and nothing is written while one is open: the reader of a pipe
// may stop reading for an hour without making the crawl file grow or its
// commits wait.
//
// # Formats
//
// CSV follows RFC 4180: a header, lines that end in \r\n, and quotes around a
// cell only where it holds a comma, a quote or a line end (or is the empty cell
// of a table with a single column, which readers would take for an empty line).
// TSV is the same with a tab for the comma, quotes included, because that is
// what DuckDB, pandas and spreadsheets read by default. The items of a list are
// joined by |. JSON Lines holds an object in each line, which ends in \n, with
// all columns in order: numbers as numbers, lists as arrays, null for a cell
// that is empty, and nothing escaped but what JSON and readers by line need.
//
// Parquet has a column of its type for each: STRING, INT(64), DOUBLE, BOOLEAN,
// TIMESTAMP in milliseconds of UTC, LIST; all but seq may be null. Row groups
// end at 122,880 rows or 32 MB of cells, so that the memory for a file does not
// depend on its size; pages are compressed with zstd. A SQLite database has one
// table with the name of what is exported, an index on its addresses, and seq
// for its primary key; times are text by RFC 3339, lists are text that holds an
// array of JSON, both as SQLite's own functions take them. It is made in a
// temporary file, see [Options].TempDir, and copied to the writer when it is
// whole. Until then the writer is asked to write no bytes now and then, so that
// it can fail to stop the export.
//
// All text is UTF-8 and passed on byte for byte, with two exceptions: a byte
// that is not UTF-8 becomes U+FFFD, and so does NUL, which many readers choke
// on. In CSV and TSV a cell of text that a spreadsheet would run as a formula,
// because it starts with one of = + - @, a tab or \r, gets a ' in front, unless
// [Options].Raw is set.
//
// Times are UTC by RFC 3339 with milliseconds. A value that is not known or was
// not measured is an empty cell, or null, never a zero. So is a value of a field
// that is no number though its field now is one; in a list it leaves its place
// empty.
//
// # Filters
//
// [Options].Where chooses rows by their columns, those on request included,
// written or not. The language is a part of that of github.com/expr-lang/expr:
//
//	status >= 400 and depth < 3            == != < <= > >=, and && or || not !
//	url contains "/blog/"                  startsWith, endsWith
//	title matches "(?i)\\bsale\\b"         a regular expression of Go
//	outcome in ["failed", "blocked"]       status in 400..499
//	not (content_type startsWith "text/")  status not in [200, 304]
//	total_ms - ttfb_ms > 1000              + - * / %
//	len(title) > 60                        characters; of a list: its items
//	lower(title) == "home"                 upper
//	fetched_at >= "2026-11-22T12:00"       a date, or a time by RFC 3339
//	"red" in colours                       a list
//	status == nil                          is empty
//	col("my-field") > 3                    a name that is not a word
//
// A number, a time or a list that is empty equals nothing but nil, and each
// comparison with it is false, except that != is always the opposite of ==: so
// status != 200 holds where there was no answer. Text that is empty is "". What
// is calculated with an empty number, or divided by zero, is empty. Integers are
// exact as long as the result has 64 bits. Text is compared byte by byte, and is
// what is exported, without the ' of CSV. Times in quotes are UTC unless they
// say otherwise, and what they leave out is the least there is.
//
// What is wrong with a filter, a *WhereError, shows before anything is written.
// Nothing can go wrong later, and there are no loops: each row takes some tens
// of nanoseconds an operator.
package export

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"pawl/storage"
)

// Format is a way to write rows.
type Format uint8

const (
	CSV     Format = iota // RFC 4180
	TSV                   // as CSV, with tabs for commas
	JSONL                 // JSON Lines
	Parquet               // Apache Parquet
	SQLite                // a SQLite database
	formats
)

var formatNames = [formats]string{"csv", "tsv", "jsonl", "parquet", "sqlite"}

// String is the name of the format as ParseFormat reads it.
func (f Format) String() string {
	if f < formats {
		return formatNames[f]
	}
	return fmt.Sprintf("format(%d)", f)
}

// ParseFormat is the inverse of [Format.String]; its error lists the formats.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return 0, fmt.Errorf("unknown format %q; there are %s", name, strings.Join(formatNames[:], ", "))
}

// FormatOf gives the format that the ending of a file's name stands for, in any
// case; ok is false when it stands for none.
func FormatOf(name string) (f Format, ok bool) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return CSV, true
	case ".tsv", ".tab":
		return TSV, true
	case ".jsonl", ".ndjson", ".json":
		return JSONL, true
	case ".parquet":
		return Parquet, true
	case ".sqlite", ".sqlite3", ".db":
		return SQLite, true
	}
	return 0, false
}

// MarshalText gives the name of the format.
func (f Format) MarshalText() ([]byte, error) {
	if f >= formats {
		return nil, fmt.Errorf("unknown %v", f)
	}
	return []byte(f.String()), nil
}

// UnmarshalText reads the name of a format.
func (f *Format) UnmarshalText(name []byte) (err error) {
	*f, err = ParseFormat(string(name))
	return err
}

// Appends tells whether rows can be added at the end of a file of the format.
func (f Format) Appends() bool { return f <= JSONL }

// Options say how an export looks. In JSON they are what a user may ask for; the
// rest belongs to who has the crawl file.
type Options struct {
	Format  Format   `json:"format"`
	Columns []string `json:"columns,omitempty"` // names in the order wanted; none: the default columns
	Raw     bool     `json:"raw,omitempty"`     // CSV and TSV: leave cells that a spreadsheet would run as a formula as they are
	Fields  []Field  `json:"-"`                 // of pages and errors: a column for each, behind the default ones
	Where   string   `json:"where,omitempty"`   // which rows, see Filters above; empty: all
	TempDir string   `json:"-"`                 // SQLite: the folder where the database is made; empty: os.TempDir
	// InScope tells whether an address is in the scope of the crawl, for the
	// column in_scope of links; nil: the column is empty. It is asked while no
	// transaction of the file is open.
	InScope func(url string) bool `json:"-"`
	// SitemapBase is where the parts of a sitemap will be found, which an index
	// names by their whole addresses: https://example.org/maps/. Empty: the root
	// of the first page's origin.
	SitemapBase string `json:"base,omitempty"`
	// Rest is for an export beside a running crawl: after each transaction it
	// pauses for so many times as long as that took, at most a second, so that
	// with 9 it takes a tenth of one processor. 0: it never pauses. It is 1000
	// at most.
	Rest float64 `json:"-"`
	// Pace is called instead of a pause by Rest, with how long the transaction
	// took: several exports can so share what they may take. nil: Rest says it.
	Pace func(took time.Duration) `json:"-"`
	// Stop is asked between transactions; an error ends the export, which gives it
	// back. nil: it goes on to its end.
	Stop func() error `json:"-"`
}

// pacing is what an export does between two transactions.
type pacing struct {
	rest float64
	pace func(took time.Duration)
	stop func() error
}

func (o *Options) pacing() pacing { return pacing{o.Rest, o.Pace, o.Stop} }

// pause is called after a transaction that took so long.
func (p *pacing) pause(took time.Duration) error {
	switch {
	case p.pace != nil:
		p.pace(took)
	case p.rest > 0:
		time.Sleep(time.Duration(min(p.rest*float64(took), float64(longestRest))))
	}
	if p.stop != nil {
		return p.stop()
	}
	return nil
}

// Defaults gives the options of an export of which nothing more is said: CSV
// with the default columns, safe for spreadsheets.
func Defaults() Options { return Options{Format: CSV} }

// An export reads up to so many events in one transaction, and goes on to the
// next when it has so many bytes to write.
const (
	sliceEvents = 2000
	sliceBytes  = 256 << 10
)

// end is the high-water mark of an export: what is appended to the log later
// is not part of it.
func end(f *storage.File) (last uint64, err error) {
	err = f.View(func(r *storage.Reader) error {
		last = r.Last()
		return nil
	})
	return last, err
}

const (
	maxRest = 1000
	// longestRest bounds a pause, should a transaction have taken long because
	// the machine slept.
	longestRest = time.Second
)

// walk calls read for the events up to and including last, in order, and flush
// between the transactions. It is not [storage.File.Walk], because what writes
// the rows must know when no transaction is open. read returns false to have
// the transaction end after its event. Between two transactions walk rests, see
// [Options]. What of the file is not in memory is read ahead.
//
// Visits whose outcomes were withdrawn up to last are passed over, here, in
// walkKept and in the lines of a [Follower], so that no table can forget it.
func walk(f *storage.File, last uint64, pace pacing, read func(seq uint64, event []byte) (bool, error), flush func() error) error {
	return f.Sequentially(func() error {
		return walkFrom(f, 1, last, pace, func(r *storage.Reader, seq uint64, event []byte) (bool, error) {
			if storage.KindOf(event) == storage.KindVisit && r.IsReopened(seq, last) {
				return true, nil
			}
			return read(seq, event)
		}, flush)
	})
}

// walkFrom is walk from an event on, with all events, and without anything read
// ahead.
func walkFrom(
	f *storage.File, from, last uint64, pace pacing, read func(r *storage.Reader, seq uint64, event []byte) (bool, error), flush func() error,
) error {
	for from <= last {
		began := time.Now()
		more := false
		err := f.View(func(r *storage.Reader) error {
			n := 0
			return r.Scan(from, func(seq uint64, event []byte) (bool, error) {
				if seq > last {
					return false, nil
				}
				more, from = true, seq+1
				n++
				room, err := read(r, seq, event)
				if err != nil {
					return false, fmt.Errorf("event %d: %w", seq, err)
				}
				return room && n < sliceEvents, nil
			})
		})
		if err != nil {
			return err
		}
		took := time.Since(began)
		if err := flush(); err != nil || !more {
			return err
		}
		if from <= last {
			if err := pace.pause(took); err != nil {
				return err
			}
		}
	}
	return nil
}

// known refuses an event that this version cannot read: to pass over it might
// be to lose a row without a word.
func known(kind storage.Kind) error {
	if kind == 0 {
		return fmt.Errorf("%w: an event of an unknown kind or version", storage.ErrDamaged)
	}
	return nil
}
