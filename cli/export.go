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
	"sync"
	"time"

	"pawl/cli/control"
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
	write func(io.Writer, *exportSource, export.Options) (rows int, err error)
	plain bool // it is no table of rows: it has a format of its own
	// profile has pages written as another program would; 0: none.
	profile export.Profile
}

func tables() []table {
	return []table{
		{"pages", "a row for each address that has an outcome", export.CheckPages, ofFile(export.Pages), false, 0},
		{"errors", "those of them that failed", export.CheckPages, ofFile(export.Errors), false, 0},
		{"redirects", "those that redirect, and where that ends", export.CheckRedirects, ofFile(export.Redirects), false, 0},
		{"duplicates", "those with the content of another", export.CheckDuplicates, ofFile(export.Duplicates), false, 0},
		{"fields", "those where a --field was found, with what was", export.CheckFields, ofFile(export.Fields), false, 0},
		{"links", "a row for each link of each page (needs --links)", export.CheckLinks, writeLinks, false, 0},
		{"hosts", "a row for each host", export.CheckHosts, ofFile(export.Hosts), false, 0},
		{"queue", "addresses that have no outcome yet", export.CheckQueue, writeQueue, false, 0},
		{"skipped", "addresses that were not admitted, and why", export.CheckSkipped, writeSkipped, false, 0},
		{"sitemap", "an XML sitemap of the pages", export.CheckSitemap, ofFile(export.Sitemap), true, 0},
		{"graph", "pages and links as GraphML (needs --links)", export.CheckGraph, ofFile(export.Graph), true, 0},
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

// ofFile is a table for which the file is enough.
func ofFile(write func(io.Writer, *storage.File, export.Options) (int, error)) func(io.Writer, *exportSource, export.Options) (int, error) {
	return func(w io.Writer, s *exportSource, o export.Options) (int, error) { return write(w, s.file, o) }
}

func runExport(ctx context.Context, c *call) error {
	e, err := c.wantedExport()
	if err != nil {
		return err
	}
	what, err := tableOf(&e)
	if err != nil {
		return c.usage(err)
	}
	path, _ := c.file()
	name := c.given.text("output", "-")
	isFile := name != "-" && name != ""
	if isFile {
		if err := refuseTarget(name, path); err != nil {
			return c.given["output"].wrong(err)
		}
	}
	if e.Follow {
		return c.followExport(ctx, &e, name, path)
	}
	if !isFile && (what.name == "warc" || !what.plain && !e.Options.Format.Appends()) && isTerminal(c.Stdout) {
		return usageError{error: errors.New("this is nothing for a terminal: name a file with -o"), command: "export"}
	}
	err = c.exportNow(ctx, &e, name, path)
	return c.usage(err)
}

// exportTries is how often an export is begun, when the run ends meanwhile.
const exportTries = 3

// exportNow writes what there is now.
func (c *call) exportNow(ctx context.Context, e *control.Export, name, path string) error {
	// A run that ends while it is asked leaves a crawl at rest, or another run.
	for try := 1; ; try++ {
		s, err := c.dial(ctx, path)
		if err != nil {
			return err
		}
		if s.isLive {
			if err := refuseGrowing(ctx, s, name); err != nil {
				return err
			}
		}
		err = exportTo(ctx, e, name, c.Stdout, func(w io.Writer) error { return s.Export(ctx, *e, w) })
		if !s.isLive {
			return c.inUse(ctx, path, err)
		}
		if !errors.Is(err, control.ErrLost) && !errors.Is(err, crawl.ErrOver) {
			return err
		}
		if try == exportTries || name == "-" || name == "" {
			return hintedError{errors.New("the run came to its end before the export was whole"), "what was written is a part of it: export again"}
		}
	}
}

// exportTo has an export written to a file of the name, or to stdout.
func exportTo(ctx context.Context, e *control.Export, name string, stdout io.Writer, write func(io.Writer) error) error {
	if name == "-" || name == "" {
		err := quiet(write(stdout))
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%w before the export was whole; what was written is a part of it", errStopped)
		}
		return err
	}
	e.Options.TempDir = filepath.Dir(name) // for this process alone
	var err error
	if e.What == "sitemap" && isRegular(name) {
		// It may take several files, which are made where the crawl file is read.
		if e.Path, err = filepath.Abs(name); err == nil {
			err = write(io.Discard)
		}
	} else {
		err = writeFile(ctx, name, write)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w before the export was whole; %s was not written", errStopped, name)
	}
	return err
}

// isRegular tells whether the name is that of a file, or of nothing yet.
func isRegular(name string) bool {
	info, err := os.Stat(name)
	return err != nil || info.Mode().IsRegular()
}

// exportSource is what exports are made of: the file of a crawl, and what only
// its frontier knows. What is a function is called once at most for each export,
// before anything is written, and only when it is needed.
type exportSource struct {
	file     *storage.File
	settings *crawl.Settings // that the crawl remembers
	queue    func() (iter.Seq2[export.QueueRow, error], error)
	still    func() (func(urls []string) ([]bool, error), error)
	inScope  func() (func(url string) bool, error)
	pace     func(took time.Duration) // see export.Options; nil: none
}

// sourceAtRest is that of a crawl at rest, and of the settings that it remembers.
func sourceAtRest(file *storage.File, settings *crawl.Settings) *exportSource {
	load := sync.OnceValues(func() (*frontier.Frontier, error) { return frontier.Load(file, frontier.Defaults()) })
	return &exportSource{
		file: file, settings: settings,
		queue: func() (iter.Seq2[export.QueueRow, error], error) {
			f, err := load()
			if err != nil {
				return nil, err
			}
			return queueRows(f.Pending(file)), nil
		},
		still: func() (func(urls []string) ([]bool, error), error) {
			f, err := load()
			if err != nil {
				return nil, err
			}
			return stillSkipped(f), nil
		},
		inScope: func() (func(url string) bool, error) { return crawl.InScope(file) },
	}
}

// stillSkipped tells which addresses are not admitted to the queue.
func stillSkipped(f *frontier.Frontier) func(urls []string) ([]bool, error) {
	hash := f.Hasher()
	return func(urls []string) ([]bool, error) {
		still := make([]bool, len(urls))
		for i, url := range urls {
			_, isAdmitted := f.Knows(hash([]byte(url)))
			still[i] = !isAdmitted
		}
		return still, nil
	}
}

// writeExport writes an export, of a crawl at rest or of one that runs. What is
// wrong with what was asked for is a *control.UsageError, and shows before
// anything is written.
func writeExport(ctx context.Context, e control.Export, w io.Writer, s *exportSource) error {
	what, err := tableOf(&e)
	if err != nil {
		return err
	}
	o := e.Options
	o.Pace, o.Stop = s.pace, ctx.Err
	if o.Fields, err = exportFields(s.settings); err != nil {
		return fmt.Errorf("%s: %w", s.file.Path(), err)
	}
	if err := wrongOptions(what.check(o), len(o.Columns) > 0); err != nil {
		return err
	}
	if e.Path != "" {
		if err := checkPath(e.Path, s.file.Path()); err != nil {
			return &control.UsageError{Text: err.Error()}
		}
	}
	switch {
	case e.Follow:
		err = followRows(ctx, &e, w, s, o)
	case e.Path == "":
		_, err = what.write(&stoppable{ctx: ctx, w: w}, s, o)
	case what.name == "sitemap":
		_, _, err = export.SitemapFiles(ctx, e.Path, s.file, o)
	default:
		err = &control.UsageError{Text: "only a sitemap, and pages that are followed, are written to a path"}
	}
	if errors.Is(err, export.ErrNoLinks) {
		return hintedError{err, "it is remembered, and keeps the links of pages that are fetched from then on"}
	}
	return err
}

// wrongOptions tells what to do about options that cannot be.
func wrongOptions(err error, isChosen bool) error {
	column, where := (*export.ColumnError)(nil), (*export.WhereError)(nil)
	switch {
	case err == nil, errors.Is(err, export.ErrNoFields):
		return err
	case errors.As(err, &column) && !isChosen:
		return &control.UsageError{Text: err.Error(), Hint: "choose the columns: --columns A,B,C"}
	case errors.As(err, &where):
		return &control.UsageError{Flag: "where", Text: err.Error()}
	case errors.As(err, &column) && column.Nearest != "":
		// All columns are listed only to those who did not just mistype one.
		return &control.UsageError{
			Flag: "columns", Text: fmt.Sprintf("there is no column %q", column.Name), Hint: "did you mean " + column.Nearest + "?",
		}
	case errors.As(err, &column):
		return &control.UsageError{Flag: "columns", Text: err.Error()}
	}
	var usage *control.UsageError
	if errors.As(err, &usage) {
		return usage
	}
	return &control.UsageError{Text: err.Error()}
}

// usage puts a mistake into the words of who made it.
func (c *call) usage(err error) error {
	var usage *control.UsageError
	if !errors.As(err, &usage) {
		return err
	}
	if said, ok := c.given[usage.Flag]; ok {
		err = said.wrong(errors.New(usage.Text))
	} else {
		err = usageError{error: errors.New(usage.Text), command: "export"}
	}
	if usage.Hint != "" {
		return hintedError{err, usage.Hint}
	}
	return err
}

// tableOf is the table that is asked for, as long as what is said of it goes
// together. Its error is a *control.UsageError.
func tableOf(e *control.Export) (table, error) {
	all := tables()
	at := slices.IndexFunc(all, func(t table) bool { return t.name == e.What })
	if at < 0 {
		var names []string
		for _, t := range all {
			names = append(names, t.name)
		}
		err := &control.UsageError{Text: fmt.Sprintf("there is no table %q to export, but %s", e.What, strings.Join(names, ", "))}
		if near := nearest(e.What, names); near != "" {
			err.Hint = "did you mean " + near + "?"
		}
		return table{}, err
	}
	what := all[at]
	wrong := func(flag, text string) (table, error) { return table{}, &control.UsageError{Flag: flag, Text: text} }
	switch {
	case e.Profile != "" && what.name != "pages":
		return wrong("profile", "is for pages alone")
	case e.Profile != "" && e.Follow:
		return wrong("profile", "cannot be followed")
	case e.Follow && what.name != "pages":
		return wrong("follow", "is for pages alone")
	case e.Options.SitemapBase != "" && what.name != "sitemap":
		return wrong("base", "is for sitemap alone")
	}
	if e.Follow {
		what.check = export.CheckFollow
	}
	if e.Profile == "" {
		return what, nil
	}
	p, err := export.ParseProfile(e.Profile)
	if err != nil {
		return wrong("profile", err.Error())
	}
	what.profile = p
	what.check = func(o export.Options) error { return export.CheckProfile(p, o) }
	what.write = ofFile(func(w io.Writer, file *storage.File, o export.Options) (int, error) {
		return export.ProfilePages(w, file, p, o)
	})
	return what, nil
}

func checkWARC(o export.Options) error {
	if len(o.Columns) > 0 || o.Where != "" {
		return errors.New("warc has no columns to choose, nor rows")
	}
	return nil
}

func writeWARC(w io.Writer, s *exportSource, o export.Options) (int, error) {
	return export.WARC(w, s.file, warcInfo(s.file, s.settings), o)
}

func writeLinks(w io.Writer, s *exportSource, o export.Options) (int, error) {
	if len(o.Columns) == 0 || slices.Contains(o.Columns, "in_scope") || strings.Contains(o.Where, "in_scope") {
		// At rest the whole frontier is read for it.
		var err error
		if o.InScope, err = s.inScope(); err != nil {
			return 0, err
		}
	}
	return export.Links(w, s.file, o)
}

func writeQueue(w io.Writer, s *exportSource, o export.Options) (int, error) {
	rows, err := s.queue()
	if err != nil {
		return 0, err
	}
	return export.Queue(w, o, rows)
}

func writeSkipped(w io.Writer, s *exportSource, o export.Options) (int, error) {
	still, err := s.still()
	if err != nil {
		return 0, err
	}
	return export.Skipped(w, s.file, o, still)
}

// wantedExport is what the user asks for.
func (c *call) wantedExport() (e control.Export, err error) {
	said := c.given
	e.What, e.Options, e.Profile = "pages", export.Defaults(), said.text("profile", "")
	if len(c.args) > 1 {
		return e, usagef("export takes one table, not %d", len(c.args))
	}
	if len(c.args) == 1 {
		e.What = c.args[0]
	}
	if e.Follow, err = said.isOn("follow"); err != nil {
		return e, err
	}
	what, err := tableOf(&e)
	if err != nil {
		return e, c.usage(err)
	}
	o, isKnown := &e.Options, false
	if o.Format, isKnown = export.FormatOf(said.text("output", "")); !isKnown {
		o.Format = export.CSV
		if what.profile != 0 {
			o.Format = what.profile.Format()
		}
	}
	if s, ok := said["format"]; ok {
		if what.plain {
			return e, s.wrong(fmt.Errorf("%s has a format of its own", what.name))
		}
		if o.Format, err = export.ParseFormat(s.last()); err != nil {
			return e, s.wrong(err)
		}
	}
	for name := range strings.SplitSeq(said.text("columns", ""), ",") {
		if name = strings.TrimSpace(name); name != "" {
			o.Columns = append(o.Columns, name)
		}
	}
	if s, ok := said["columns"]; ok && len(o.Columns) == 0 {
		return e, s.wrong(errors.New("names no column"))
	}
	if s, ok := said["base"]; ok && what.name != "sitemap" {
		return e, s.wrong(errors.New("is for sitemap alone"))
	}
	o.Where, o.SitemapBase = said.text("where", ""), said.text("base", "")
	o.Raw, err = said.isOn("raw")
	return e, err
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
		return fmt.Errorf("%s is the crawl file itself", name)
	}
	return nil
}

// refuseGrowing keeps an export from writing the file that the running crawl writes as
// it goes on.
func refuseGrowing(ctx context.Context, running control.Crawl, name string) error {
	info, err := os.Stat(name)
	if err != nil || name == "-" || !info.Mode().IsRegular() {
		return nil
	}
	s, err := running.Status(ctx)
	if err != nil {
		return err
	}
	if other, err := os.Stat(s.Settings["output"]); err == nil && os.SameFile(info, other) {
		return usageError{error: fmt.Errorf("the crawl that runs writes %s itself, as it goes on (-o): it is up to date; name another file", name), command: "export"}
	}
	return nil
}

// checkPath refuses a path where who asks from elsewhere may not have this process
// write: the end of a run does not wait until somebody reads a pipe.
func checkPath(path, db string) error {
	if err := refuseTarget(path, db); err != nil {
		return err
	}
	if !isRegular(path) {
		return fmt.Errorf("%s is not a file", path)
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
	storage.LockTemp(f)
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
		return err
	}
	// Otherwise the file of before may be there after a power cut.
	return storage.SyncResults(filepath.Dir(name))
}

func queueRows(pending iter.Seq2[frontier.Pending, error]) iter.Seq2[export.QueueRow, error] {
	return jobRows(func(yield func(crawl.Job, error) bool) {
		for p, err := range pending {
			job := crawl.Job{QueuedJob: frontier.QueuedJob{Host: p.Host}, Found: p.Found, Retry: p.Retry}
			if !yield(job, err) {
				return
			}
		}
	})
}
