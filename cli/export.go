package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"pawl/export"
	"pawl/frontier"
	"pawl/storage"
)

func exportCommand() *command {
	return &command{
		name: "export", args: "[WHAT]", summary: "write what the crawl found as CSV, TSV or JSON Lines",
		text: "WHAT is pages, a row for each address that has an outcome; errors, those of them\n" +
			"that failed; queue, those that have no outcome yet; or skipped, those that were\n" +
			"not admitted, each with its reason. (pages)",
		options: []option{
			{name: "format", arg: "csv|tsv|jsonl", group: groupExport, usage: "(by the ending of -o FILE, otherwise csv)"},
			{name: "columns", arg: "A,B,C", group: groupExport, usage: "which columns, in which order (the usual ones)"},
			{name: "raw", group: groupExport, usage: "leave cells that a spreadsheet would run as a formula as they are"},
			{name: "output", short: "o", arg: "FILE", group: groupExport, usage: "write to a file, which appears when it is whole; - is stdout (-)"},
			fileOption(),
		},
		run: runExport,
	}
}

// table is something that can be exported.
type table struct {
	name  string
	check func(export.Options) error
	write func(io.Writer, *storage.File, export.Options) (rows int, err error)
}

func tables() []table {
	return []table{
		{"pages", export.CheckPages, export.Pages},
		{"errors", export.CheckPages, export.Errors},
		{"queue", export.CheckQueue, writeQueue},
		{"skipped", export.CheckSkipped, writeSkipped},
	}
}

func runExport(ctx context.Context, c *call) error {
	what, err := findTable(c.args)
	if err != nil {
		return err
	}
	o, err := exportOptions(c.given)
	if err != nil {
		return err
	}
	if err := what.check(o); err != nil {
		return c.columnsError(err)
	}
	path, _ := c.file()
	file, err := storage.Open(path, true)
	if err != nil {
		return err
	}
	defer file.Close()
	write := func(w io.Writer) error {
		_, err := what.write(&stoppable{ctx: ctx, w: w}, file, o)
		return err
	}
	name := c.given.text("output", "-")
	if name == "-" || name == "" {
		return quiet(write(c.Stdout))
	}
	if err := refuseTarget(name, path); err != nil {
		return c.given["output"].wrong(err)
	}
	err = writeFile(name, write)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w before the export was whole; %s was not written", errStopped, name)
	}
	return err
}

func findTable(args []string) (table, error) {
	all := tables()
	if len(args) == 0 {
		return all[0], nil
	}
	if len(args) > 1 {
		return table{}, usagef("export takes one table, not %d", len(args))
	}
	var names []string
	for _, t := range all {
		if t.name == args[0] {
			return t, nil
		}
		names = append(names, t.name)
	}
	err := usagef("there is no table %q to export, but %s", args[0], strings.Join(names, ", "))
	if near := nearest(args[0], names); near != "" {
		err = didYouMean(err, near)
	}
	return table{}, err
}

func exportOptions(said given) (export.Options, error) {
	o := export.Defaults()
	name := said.text("output", "")
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".tsv", ".tab":
		o.Format = export.TSV
	case ".jsonl", ".ndjson", ".json":
		o.Format = export.JSONL
	}
	var err error
	if s, ok := said["format"]; ok {
		if o.Format, err = export.ParseFormat(s.last()); err != nil {
			return o, s.wrong(err)
		}
	}
	for name := range strings.SplitSeq(said.text("columns", ""), ",") {
		if name = strings.TrimSpace(name); name != "" {
			o.Columns = append(o.Columns, name)
		}
	}
	if s, ok := said["columns"]; ok && len(o.Columns) == 0 {
		return o, s.wrong(errors.New("names no column"))
	}
	o.Raw, err = said.isOn("raw")
	return o, err
}

// columnsError lists all columns only to those who did not just mistype one.
func (c *call) columnsError(err error) error {
	var column *export.ColumnError
	if errors.As(err, &column) && column.Nearest != "" {
		return didYouMean(c.given["columns"].wrong(fmt.Errorf("there is no column %q", column.Name)), column.Nearest)
	}
	return c.given["columns"].wrong(err)
}

// stoppable is a writer that fails once its context is cancelled.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s *stoppable) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

// refuseTarget keeps an export from replacing what it reads, or a folder.
func refuseTarget(name, db string) error {
	info, err := os.Stat(name)
	if err != nil {
		return nil // what is wrong shows when it is made
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder", name)
	}
	if other, err := os.Stat(db); err == nil && os.SameFile(info, other) {
		return errors.New("that is the crawl file itself")
	}
	return nil
}

// writeFile writes a file under a temporary name and gives it its own when it
// is whole.
func writeFile(name string, write func(io.Writer) error) error {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		// A pipe or a device: there is nothing to replace.
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(quiet(write(f)), f.Close())
	}
	// A link stays one.
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	mode := fs.FileMode(0o666)
	if info != nil {
		mode = info.Mode().Perm()
	}
	tmp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".pawl-export-%d.tmp", os.Getpid()))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	var path *fs.PathError
	if errors.As(err, &path) {
		// The temporary name says nothing to the user.
		return fmt.Errorf("write %s: %w", name, path.Err)
	}
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

func writeQueue(w io.Writer, file *storage.File, o export.Options) (int, error) {
	f, err := frontier.Load(file, frontier.Defaults())
	if err != nil {
		return 0, err
	}
	return export.Queue(w, o, queueRows(f.Pending(file)))
}

func queueRows(pending iter.Seq2[frontier.Pending, error]) iter.Seq2[export.QueueRow, error] {
	return func(yield func(export.QueueRow, error) bool) {
		for p, err := range pending {
			row := export.QueueRow{
				Found: p.Found, State: export.Queued, Host: p.Host,
			}
			if t := p.Retry; t != nil {
				row.State, row.Attempts, row.Due = export.Retrying, t.Attempt, t.Due
				row.Class, row.Status, row.Error = t.Class, t.Status, t.Error
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func writeSkipped(w io.Writer, file *storage.File, o export.Options) (int, error) {
	f, err := frontier.Load(file, frontier.Defaults())
	if err != nil {
		return 0, err
	}
	hash := f.Hasher()
	return export.Skipped(w, file, o, func(url []byte) bool {
		_, isAdmitted := f.Knows(hash(url))
		return !isAdmitted
	})
}
