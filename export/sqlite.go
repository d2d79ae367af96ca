package export

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"modernc.org/sqlite"

	"pawl/storage"
)

// sqliteRows writes a database of SQLite with one table. SQLite changes a file
// all over the place, so that it is made in a temporary one, which is copied to
// the writer at the end.
type sqliteRows[R any] struct {
	w       io.Writer
	batch   batch[R]
	name    string
	dir     string
	path    string // of the temporary file, empty: there is none
	lock    *os.File
	db      driver.Conn
	insert  driver.StmtExecContext
	args    []driver.NamedValue
	json    *encoder[R] // of lists
	scratch []byte
	rows    int // inserted
	whole   int // rows written
}

func newSQLiteRows[R any](w io.Writer, columns []column[R], name, dir string) *sqliteRows[R] {
	if dir == "" {
		dir = os.TempDir()
	}
	return &sqliteRows[R]{
		w: w, batch: batch[R]{columns: columns}, name: name, dir: dir, json: newEncoder(columns, Options{Format: JSONL}),
	}
}

func (s *sqliteRows[R]) begin() error { return s.told(s.create()) }

func (s *sqliteRows[R]) create() error {
	f, err := os.CreateTemp(s.dir, ".pawl-export-*.tmp")
	if err != nil {
		return err
	}
	s.path, s.lock = f.Name(), f
	storage.LockTemp(f)
	if s.db, err = new(sqlite.Driver).Open(dataSource(s.path)); err != nil {
		return err
	}
	// A file that is not whole is thrown away: it needs neither a journal nor
	// to be on the disk before the next page of it is.
	for _, statement := range []string{
		"PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA locking_mode=EXCLUSIVE",
		"PRAGMA cache_size=-16384", "BEGIN", s.tableSQL(),
	} {
		if err := s.exec(statement); err != nil {
			return err
		}
	}
	marks := strings.Repeat(",?", len(s.batch.columns))[1:]
	statement, err := s.db.Prepare("INSERT INTO " + sqliteName(s.name) + " VALUES (" + marks + ")")
	if err != nil {
		return err
	}
	s.insert = statement.(driver.StmtExecContext)
	s.args = make([]driver.NamedValue, len(s.batch.columns))
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	return nil
}

// dataSource is a path as the URI that SQLite takes for a name, so that no
// character of it has a meaning.
func dataSource(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath()
}

// tableSQL is the statement that makes the table.
func (s *sqliteRows[R]) tableSQL() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + sqliteName(s.name) + " (")
	for i := range s.batch.columns {
		c := &s.batch.columns[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(sqliteName(c.name) + " ")
		switch c.kind {
		case intCell:
			b.WriteString("INTEGER")
		case floatCell:
			b.WriteString("REAL")
		case boolCell:
			b.WriteString("BOOLEAN")
		default:
			b.WriteString("TEXT")
		}
		if c.key {
			b.WriteString(" PRIMARY KEY")
		}
	}
	return b.String() + ")"
}

func sqliteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (s *sqliteRows[R]) exec(statement string) error {
	_, err := s.db.(driver.ExecerContext).ExecContext(context.Background(), statement, nil)
	return err
}

func (s *sqliteRows[R]) add(row *R) { s.batch.add(row) }

func (s *sqliteRows[R]) waiting() int { return s.batch.size() }

// flush puts the rows into the temporary file.
func (s *sqliteRows[R]) flush() error {
	// The writer is not needed yet, but may be what stops the export.
	if _, err := s.w.Write(nil); err != nil {
		return err
	}
	texts := string(s.batch.texts) // once, not for each cell
	for row := range s.batch.rows {
		for i := range s.args {
			s.args[i].Value = s.argument(s.batch.values[row*len(s.args)+i], texts)
		}
		if _, err := s.insert.ExecContext(context.Background(), s.args); err != nil {
			return s.told(err)
		}
		s.rows++
	}
	s.batch.reset()
	return nil
}

func (s *sqliteRows[R]) argument(v value, texts string) driver.Value {
	switch v.kind {
	case textCell:
		return texts[v.bits>>32 : v.bits&math.MaxUint32]
	case intCell:
		return int64(v.bits)
	case floatCell:
		return math.Float64frombits(v.bits)
	case boolCell:
		return int64(v.bits)
	case timeCell:
		return string(appendTime(nil, int64(v.bits)))
	case listCell:
		return s.array(s.batch.list(v), texts)
	}
	return nil
}

// array gives a list as JSON, which is how SQLite knows lists.
func (s *sqliteRows[R]) array(items []value, texts string) string {
	dst := s.scratch[:0]
	separator := byte('[')
	for _, v := range items {
		dst = append(dst, separator)
		separator = ','
		switch v.kind {
		case textCell:
			dst = s.json.appendString(dst, texts[v.bits>>32:v.bits&math.MaxUint32])
		case intCell:
			dst = strconv.AppendInt(dst, int64(v.bits), 10)
		case floatCell:
			dst = appendFloat(dst, math.Float64frombits(v.bits))
		default:
			dst = append(dst, "null"...)
		}
	}
	s.scratch = append(dst, ']')
	return string(s.scratch)
}

func (s *sqliteRows[R]) end() error {
	if err := s.told(s.finish()); err != nil {
		return err
	}
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	// Not by f.WriteTo: the writer may have to see each piece, to be stopped.
	if _, err := io.Copy(s.w, struct{ io.Reader }{f}); err != nil {
		return err
	}
	s.whole = s.rows
	return nil
}

// finish makes the temporary file a whole database.
func (s *sqliteRows[R]) finish() error {
	for i := range s.batch.columns {
		if c := &s.batch.columns[i]; c.indexed {
			index := sqliteName(s.name + "_" + c.name)
			if err := s.exec("CREATE INDEX " + index + " ON " + sqliteName(s.name) + " (" + sqliteName(c.name) + ")"); err != nil {
				return err
			}
		}
	}
	if err := s.exec("COMMIT"); err != nil {
		return err
	}
	return s.close()
}

func (s *sqliteRows[R]) close() error {
	if s.db == nil {
		return nil
	}
	var err error
	if s.insert != nil {
		err = s.insert.(driver.Stmt).Close()
	}
	err = errors.Join(err, s.db.Close())
	s.db, s.insert = nil, nil
	return err
}

// told makes an error say where it happened: in a place that the user did not
// name, and may have no room for the database.
func (s *sqliteRows[R]) told(err error) error {
	const readonly, ioerr, full = 8, 10, 13 // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL
	var failure *sqlite.Error
	if err == nil {
		return nil
	}
	if errors.As(err, &failure) {
		// It keeps what the system said to itself. A quota is an I/O error to it.
		switch failure.Code() & 0xff {
		case full:
			err = fmt.Errorf("%w: %w", syscall.ENOSPC, err)
		case readonly: // also where it could not be opened for writing
			err = fmt.Errorf("%w: %w", syscall.EROFS, err)
		case ioerr:
			err = fmt.Errorf("%w: %w", syscall.EIO, err)
		}
	}
	e, _ := storage.DiskTrouble(err)
	return &TempDirError{Dir: s.dir, Full: e == syscall.ENOSPC, Err: err}
}

// discard removes the temporary file.
func (s *sqliteRows[R]) discard() {
	_ = s.close() // of a file that is not wanted
	if s.path != "" {
		s.lock.Close() // not before the database: that would take its locks away
		os.Remove(s.path)
		s.path = ""
	}
}

func (s *sqliteRows[R]) written() int { return s.whole }

// TempDirError is trouble with the temporary file in which a SQLite database is
// made.
type TempDirError struct {
	Dir  string
	Full bool // there is no room left
	Err  error
}

func (e *TempDirError) Error() string {
	if e.Full {
		return fmt.Sprintf("no space left in %s, where the database is made before it is written, or in the system's folder for temporary files, where its index is sorted", e.Dir)
	}
	return fmt.Sprintf("make the database in %s: %v", e.Dir, e.Err)
}

// Unwrap gives the cause.
func (e *TempDirError) Unwrap() error { return e.Err }
