package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pawl/crawl"
	"pawl/export"
	"pawl/frontier"
	"pawl/storage"
)

func exportCommand() *command {
	return &command{
		name: "export", args: "[WHAT]", summary: "write what the crawl found, as CSV and more",
		text: whatText(),
		options: []option{
			{name: "format", arg: "FORMAT", group: groupExport, usage: "csv, tsv, jsonl, parquet or sqlite (by the ending of -o FILE, otherwise csv)"},
			{name: "columns", arg: "A,B,C", group: groupExport, usage: "which columns, in which order (the usual ones)"},
			{name: "where", arg: "FILTER", group: groupExport, usage: "only rows for which this holds: 'status >= 400 and depth < 3'"},
			{name: "profile", arg: "NAME", group: groupExport, usage: "pages as another program has them: screaming-frog or advertools"},
			{name: "raw", group: groupExport, usage: "leave cells that a spreadsheet would run as a formula as they are"},
			{name: "base", arg: "URL", group: groupExport, usage: "with sitemap: the folder where its parts will be found (the root of the first page)"},
			{name: "follow", group: groupExport, usage: "with pages: go on as rows come, until the crawl is finished; a file is continued where it stops"},
			{name: "output", short: "o", arg: "FILE", group: groupExport, usage: "write to a file, which appears when it is whole; - is stdout (-)"},
			fileOption(),
		},
		run: runExport,
	}
}

// table is something that can be exported.
type table struct {
	name  string
	about string
	check func(export.Options) error
	write func(io.Writer, *storage.File, export.Options) (rows int, err error)
	plain bool // it is no table of rows: it has a format of its own
	// profile has pages written as another program would; 0: none.
	profile export.Profile
}

func tables() []table {
	return []table{
		{"pages", "a row for each address that has an outcome", export.CheckPages, export.Pages, false, 0},
		{"errors", "those of them that failed", export.CheckPages, export.Errors, false, 0},
		{"redirects", "those that redirect, and where that ends", export.CheckRedirects, export.Redirects, false, 0},
		{"duplicates", "those with the content of another", export.CheckDuplicates, export.Duplicates, false, 0},
		{"fields", "those where a --field was found, with what was", export.CheckFields, export.Fields, false, 0},
		{"links", "a row for each link of each page (needs --links)", export.CheckLinks, writeLinks, false, 0},
		{"hosts", "a row for each host", export.CheckHosts, export.Hosts, false, 0},
		{"queue", "addresses that have no outcome yet", export.CheckQueue, writeQueue, false, 0},
		{"skipped", "addresses that were not admitted, and why", export.CheckSkipped, writeSkipped, false, 0},
		{"sitemap", "an XML sitemap of the pages", export.CheckSitemap, export.Sitemap, true, 0},
		{"graph", "pages and links as GraphML (needs --links)", export.CheckGraph, export.Graph, true, 0},
		{"warc", "what was asked and answered (needs --store-bodies)", checkWARC, writeWARC, true, 0},
	}
}

func whatText() string {
	var b strings.Builder
	b.WriteString("WHAT is one of (pages):\n")
	for _, t := range tables() {
		fmt.Fprintf(&b, "  %-11s %s\n", t.name, t.about)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func runExport(ctx context.Context, c *call) error {
	what, err := findTable(c.args)
	if err != nil {
		return err
	}
	if err := c.takeProfile(&what); err != nil {
		return err
	}
	o, err := c.exportOptions(&what)
	if err != nil {
		return err
	}
	path, _ := c.file()
	name := c.given.text("output", "-")
	isFile := name != "-" && name != ""
	if isFile {
		if err := refuseTarget(name, path); err != nil {
			return c.given["output"].wrong(err)
		}
		o.TempDir = filepath.Dir(name)
	}
	follow, err := c.given.isOn("follow")
	if err != nil {
		return err
	}
	if follow {
		return c.followExport(ctx, &what, name, path, o)
	}
	if !isFile && (what.name == "warc" || !what.plain && !o.Format.Appends()) && isTerminal(c.Stdout) {
		return usageError{error: errors.New("this is nothing for a terminal: name a file with -o"), command: "export"}
	}
	file, err := storage.Open(path, true)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := c.addFields(file, &what, &o); err != nil {
		return err
	}
	write := func(w io.Writer) error {
		_, err := what.write(&stoppable{ctx: ctx, w: w}, file, o)
		return err
	}
	switch {
	case !isFile:
		err = quiet(write(c.Stdout))
	case what.name == "sitemap":
		_, _, err = export.SitemapFiles(ctx, name, file, o)
	default:
		err = writeFile(ctx, name, write)
	}
	if isFile && errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w before the export was whole; %s was not written", errStopped, name)
	}
	return c.exportError(err)
}

// addFields adds the columns of the fields that the crawl takes, and then checks
// the options.
func (c *call) addFields(file *storage.File, what *table, o *export.Options) error {
	settings, _, err := crawl.Remembered(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path(), err)
	}
	if o.Fields, err = exportFields(&settings); err != nil {
		return fmt.Errorf("%s: %w", file.Path(), err)
	}
	err = c.exportError(what.check(*o))
	var usage usageError
	if err == nil || errors.As(err, &usage) || errors.Is(err, export.ErrNoFields) {
		return err
	}
	return usageError{error: err, command: "export"}
}

// exportError tells what to do about options that cannot be.
func (c *call) exportError(err error) error {
	column, where := (*export.ColumnError)(nil), (*export.WhereError)(nil)
	_, isChosen := c.given["columns"]
	switch {
	case errors.As(err, &column) && !isChosen:
		return hintedError{usageError{error: err, command: "export"}, "choose the columns: --columns A,B,C"}
	case errors.As(err, &where):
		return c.given["where"].wrong(err)
	case errors.As(err, &column) && column.Nearest != "":
		// All columns are listed only to those who did not just mistype one.
		return didYouMean(c.given["columns"].wrong(fmt.Errorf("there is no column %q", column.Name)), column.Nearest)
	case errors.As(err, &column):
		return c.given["columns"].wrong(err)
	case errors.Is(err, export.ErrNoLinks):
		return hintedError{err, "it is remembered, and keeps the links of pages that are fetched from then on"}
	}
	return err
}

// takeProfile has the table of pages written as another program would.
func (c *call) takeProfile(what *table) error {
	said, ok := c.given["profile"]
	if !ok {
		return nil
	}
	p, err := export.ParseProfile(said.last())
	switch {
	case err != nil:
		return said.wrong(err)
	case what.name != "pages":
		return said.wrong(errors.New("is for pages alone"))
	}
	if _, ok := c.given["follow"]; ok {
		return said.wrong(errors.New("cannot be followed"))
	}
	what.profile = p
	what.check = func(o export.Options) error { return export.CheckProfile(p, o) }
	what.write = func(w io.Writer, file *storage.File, o export.Options) (int, error) {
		return export.ProfilePages(w, file, p, o)
	}
	return nil
}

func checkWARC(o export.Options) error {
	if len(o.Columns) > 0 || o.Where != "" {
		return usagef("warc has no columns to choose, nor rows")
	}
	return nil
}

func writeWARC(w io.Writer, file *storage.File, o export.Options) (int, error) {
	settings, _, err := crawl.Remembered(file)
	if err != nil {
		return 0, err
	}
	return export.WARC(w, file, warcInfo(file, &settings), o)
}

func writeLinks(w io.Writer, file *storage.File, o export.Options) (int, error) {
	if len(o.Columns) == 0 || slices.Contains(o.Columns, "in_scope") || strings.Contains(o.Where, "in_scope") {
		// The whole frontier is read for it.
		var err error
		if o.InScope, err = crawl.InScope(file); err != nil {
			return 0, err
		}
	}
	return export.Links(w, file, o)
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

func (c *call) exportOptions(what *table) (export.Options, error) {
	o := export.Defaults()
	said := c.given
	isKnown := false
	if o.Format, isKnown = export.FormatOf(said.text("output", "")); !isKnown {
		o.Format = export.CSV
		if what.profile != 0 {
			o.Format = what.profile.Format()
		}
	}
	var err error
	if s, ok := said["format"]; ok {
		if what.plain {
			return o, s.wrong(fmt.Errorf("%s has a format of its own", what.name))
		}
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
	if s, ok := said["base"]; ok && what.name != "sitemap" {
		return o, s.wrong(errors.New("is for sitemap alone"))
	}
	o.Where, o.SitemapBase = said.text("where", ""), said.text("base", "")
	o.Raw, err = said.isOn("raw")
	return o, err
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

// openPipe opens a pipe or device for writing, which waits until somebody reads it.
func openPipe(ctx context.Context, name string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.f, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// writeFile writes a file under a temporary name and gives it its own when it
// is whole.
func writeFile(ctx context.Context, name string, write func(io.Writer) error) error {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		// A pipe or a device: there is nothing to replace.
		f, err := openPipe(ctx, name)
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
	tmp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".pawl-export-%d-%d.tmp", os.Getpid(), rand.Uint32()))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	var path *fs.PathError
	if errors.As(err, &path) {
		// The temporary name says nothing to the user.
		return fmt.Errorf("write %s: %w", name, path.Err)
	}
	if err != nil {
		return err
	}
	err = write(f)
	if errors.As(err, &path) && path.Path == tmp {
		err = fmt.Errorf("write %s: %w", name, path.Err)
	}
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
