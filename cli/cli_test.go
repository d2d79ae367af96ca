package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"pawl/crawl"
	"pawl/export"
	"pawl/frontier"
	"pawl/internal/fakeweb"
	"pawl/storage"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if builtIn != "" {
			os.RemoveAll(builtIn)
		}
		os.Exit(code)
	}))
}

// world runs the program in this process.
type world struct {
	stdin          io.Reader
	stdout, stderr bytes.Buffer
	env            map[string]string
	crashTo        func(f *os.File) error
}

func (w *world) run(t *testing.T, ctx context.Context, args ...string) int {
	t.Helper()
	w.stdout.Reset()
	w.stderr.Reset()
	return Run(ctx, append([]string{"pawl"}, args...), System{
		Stdin: w.stdin, Stdout: &w.stdout, Stderr: &w.stderr, Env: func(name string) string { return w.env[name] },
		CrashTo: w.crashTo,
	})
}

// crawled makes the file of a finished crawl.
func crawled(t *testing.T) (db string) {
	t.Helper()
	db = filepath.Join(t.TempDir(), "crawl.pawl")
	w := new(world)
	if code := w.run(t, context.Background(), "crawl", site(t), "--db", db, "--delay", "0", "-q"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	return db
}

func site(t *testing.T) (root string) {
	t.Helper()
	o := fakeweb.Defaults()
	o.Pages = 30
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	roots, stop, err := web.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return roots[0]
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code int
	}{
		{"usage", usagef("wrong"), ExitUsage},
		{"usage under a hint", didYouMean(usagef("wrong"), "right"), ExitUsage},
		{"missing", storage.ErrMissing, ExitFile},
		{"in use", storage.ErrInUse, ExitFile},
		{"exists", storage.ErrExists, ExitFile},
		{"not ours", storage.ErrNotOurs, ExitFile},
		{"too new", storage.ErrTooNew, ExitFile},
		{"damaged", storage.ErrDamaged, ExitFile},
		{"read only", storage.ErrReadOnly, ExitFile},
		{"no crawl in it", errNoCrawl, ExitFile},
		{"unsound", errFindings, ExitFile},
		{"failed commit", &storage.WriteError{Err: syscall.EIO}, ExitFull},
		{"full disk of an export", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ExitFull},
		{"quota of an export", &os.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}, ExitFull},
		{"rows on a disk at fault", &crawl.SinkError{Key: "x.csv", Err: &os.PathError{Op: "write", Path: "x", Err: syscall.EIO}}, ExitFull},
		{"a folder that can only be read", &os.PathError{Op: "mkdir", Path: "x", Err: syscall.EROFS}, ExitFull},
		{"a crawl file that can only be read", fmt.Errorf("%w: %w", storage.ErrReadOnly, syscall.EROFS), ExitFile},
		{"no right to write", &os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, ExitError},
		{"too little memory", silentError{errNoRoom}, ExitFull},
		{"a file that does not fit into memory", fmt.Errorf("x: %w", &crawl.MemoryError{Needs: 2, Limit: 1}), ExitFull},
		{"stopped", silentError{errStopped}, ExitStopped},
		{"cancelled", context.Canceled, ExitStopped},
		{"anything else", errors.New("else"), ExitError},
	} {
		t.Run(c.name, func(t *testing.T) {
			if code, _ := judge(hintedError{c.err, "try"}); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
		})
	}
}

func TestPanicIsOneLine(t *testing.T) {
	w := new(world)
	code := Run(context.Background(), []string{"pawl", "status"}, System{
		Stdout: &w.stdout, Stderr: &w.stderr, Env: func(string) string { panic("two\nlines \x1b[31m") },
	})
	if code != ExitError || strings.Count(w.stderr.String(), "\n") != 1 || strings.Contains(w.stderr.String(), "\x1b") ||
		!strings.HasPrefix(w.stderr.String(), "pawl: internal error: ") {
		t.Errorf("exit code %d, said %q", code, &w.stderr)
	}
}

func TestMessagesCannotSteerTheTerminal(t *testing.T) {
	w := new(world)
	for _, args := range [][]string{
		{"\x1b[2J"},
		{"--\x1b[2J"},
		{"crawl", "--\x1b[2J"},
		{"crawl", "http://\x1b[2J"},
		{"crawl", "--db", "\x1b[2J/x", "http://h.test"},
		{"status", "--db", "\u202e\x1b[2J"},
		{"export", "\x1b[2J"},
		{"export", "--columns", "\x9b2J"},
	} {
		if code := w.run(t, context.Background(), args...); code == 0 {
			t.Errorf("%q: exit code 0", args)
		}
		if said := w.stderr.String(); strings.ContainsAny(strings.TrimSuffix(said, "\n"), "\x1b\n\u009b\u202e") {
			t.Errorf("%q: said %q", args, said)
		}
		if w.stdout.Len() > 0 {
			t.Errorf("%q: wrote %q to stdout", args, &w.stdout)
		}
	}
}

func TestLogCannotSteerTheTerminal(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		c := &call{System: &System{Stderr: &out, Env: func(string) string { return "" }}, given: given{
			"log-format": {texts: []string{format}},
		}}
		talk, err := newTalk(c)
		if err != nil {
			t.Fatal(err)
		}
		hostile := "http://h.test/\x1b]0;owned\x07\u009b31m\u202e\r\n\x00"
		talk.log.Info("failed", "url", hostile, "error", errors.New(hostile), slog.Group("g", "url", hostile))
		talk.sayf("going on with %s", hostile)
		talk.complainf("%s", hostile)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 3 {
			t.Errorf("%s: %d lines, want 3: %q", format, len(lines), lines)
		}
		for _, line := range lines {
			if i := strings.IndexFunc(line, controls); i >= 0 {
				t.Errorf("%s: %q goes to the terminal", format, line[i:])
			}
		}
	}
}

// brokenPipe is what stdout is after head has left.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

func TestClosedStdoutIsNoError(t *testing.T) {
	db := crawled(t)
	for _, args := range [][]string{
		{"export", "--db", db},
		{"export", "skipped", "--db", db},
		{"status", "--db", db},
		{"status", "--json", "--db", db},
		{"verify", "--db", db},
		{"version"},
		{"--help"},
		{"crawl", "--help"},
	} {
		w := new(world)
		code := Run(context.Background(), append([]string{"pawl"}, args...), System{
			Stdout: brokenPipe{}, Stderr: &w.stderr, Env: func(string) string { return "" },
		})
		if code != 0 || w.stderr.Len() > 0 {
			t.Errorf("%q: exit code %d, said %q", args, code, &w.stderr)
		}
	}
}

func TestStoppedExportLeavesNoFile(t *testing.T) {
	db := crawled(t)
	folder := t.TempDir()
	name := filepath.Join(folder, "pages.csv")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := new(world)
	if code := w.run(t, ctx, "export", "--db", db, "-o", name); code != ExitStopped {
		t.Errorf("exit code %d, want %d: %s", code, ExitStopped, &w.stderr)
	}
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestExportKeepsWhatItCannotReplace(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "pages.csv")
	if err := os.WriteFile(name, []byte("before"), 0o640); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := writeFile(t.Context(), name, func(w io.Writer) error { io.WriteString(w, "half"); return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got, _ := os.ReadFile(name); string(got) != "before" {
		t.Errorf("holds %q", got)
	}
	link := filepath.Join(folder, "link.csv")
	if err := os.Symlink("pages.csv", link); err != nil {
		t.Skip(err)
	}
	if err := writeFile(t.Context(), link, func(w io.Writer) error { _, err := io.WriteString(w, "after"); return err }); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != "after" {
		t.Errorf("holds %q", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if info, _ := os.Stat(name); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want 0640", info.Mode())
	}
}

func TestQueueTellsWhatWaits(t *testing.T) {
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	file, err := storage.Create(db, crawl.Rules(new(crawl.Settings)))
	if err != nil {
		t.Fatal(err)
	}
	b := storage.Batch{First: 1}
	b.Add(&storage.Seeds{Links: []storage.Link{{URL: "http://h.test/"}, {URL: "http://h.test/a"}}})
	b.Add(&storage.Retry{Attempt: 1, Class: storage.Connect, Due: 1_700_000_000_000})
	if err := file.Commit(&b); err != nil {
		t.Fatal(err)
	}
	file.Close()
	w := new(world)
	if code := w.run(t, context.Background(), "export", "queue", "--db", db, "--columns", "url,state,attempts,error_class,due"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	want := "url,state,attempts,error_class,due\r\n" +
		"http://h.test/,retrying,1,connect,2023-11-14T22:13:20.000Z\r\n" +
		"http://h.test/a,queued,0,,\r\n"
	if w.stdout.String() != want {
		t.Errorf("queue %q, want %q", &w.stdout, want)
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	db := crawled(t)
	file, err := storage.Open(db, false)
	if err != nil {
		t.Fatal(err)
	}
	// One more outcome of an address that has one, for a job that never was.
	var b storage.Batch
	err = file.View(func(r *storage.Reader) (err error) {
		b.First = r.Last() + 1
		b.State, err = r.State()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Add(&storage.Visit{Job: storage.JobID{Host: 0, Ord: 9999}, URL: "http://h.test/", Outcome: storage.Fetched})
	if err := file.Commit(&b); err != nil {
		t.Fatal(err)
	}
	file.Close()
	w := new(world)
	if code := w.run(t, context.Background(), "verify", "--db", db); code != ExitFile {
		t.Errorf("exit code %d, want %d", code, ExitFile)
	}
	if !strings.Contains(w.stdout.String(), "job 9999") {
		t.Errorf("found %q", &w.stdout)
	}
}

func TestVerifyHoldsTheCheckpointAgainstTheLog(t *testing.T) {
	db := crawled(t)
	verify := func() (code int, found, hint string) {
		w := new(world)
		code = w.run(t, context.Background(), "verify", "--db", db)
		return code, w.stdout.String(), w.stderr.String()
	}
	write := func(do func(file *storage.File, last uint64)) {
		t.Helper()
		file, err := storage.Open(db, false)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		f, err := frontier.Load(file, frontier.Options{PerHost: 1, CheckpointEvery: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Rest(file); err != nil {
			t.Fatal(err)
		}
		do(file, f.Seq())
	}
	write(func(*storage.File, uint64) {})
	if code, found, hint := verify(); code != ExitOK {
		t.Fatalf("a sound checkpoint: exit code %d, %s%s", code, found, hint)
	}
	write(func(file *storage.File, last uint64) {
		c := storage.Checkpoint{Seq: last, Generation: 9, Heads: 1}
		piece := storage.NewPiece(storage.PartHeads, storage.HeadNumber(9, 0), []byte("nonsense"))
		if err := file.WriteCheckpoint([]storage.Piece{piece}, &c); err != nil {
			t.Fatal(err)
		}
	})
	code, found, hint := verify()
	if code != ExitFile || !strings.HasPrefix(found, "checkpoint: ") || !strings.Contains(hint, "the next run makes it anew") {
		t.Errorf("a damaged checkpoint: exit code %d, %q, %q", code, found, hint)
	}
	w := new(world)
	if code := w.run(t, context.Background(), "resume", "--db", db, "--log-level", "warn"); code != ExitOK || !strings.Contains(w.stderr.String(), "checkpoint cannot be used") {
		t.Errorf("resume: exit code %d, %q", code, &w.stderr)
	}
	if code, found, hint := verify(); code != ExitOK {
		t.Errorf("after a run: exit code %d, %s%s", code, found, hint)
	}
}

func TestVerifyReadsWhatIsKept(t *testing.T) {
	db := crawled(t)
	packer, err := storage.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		kept storage.Kept
		want string
	}{
		{"links", packer.Links("", []storage.PageLink{{URL: "http://h.test/", Count: 1}}), ""},
		{"body", packer.Body(&storage.Body{Content: []byte("x")}), ""},
		{"body of one that has none", packer.Body(&storage.Body{First: 1}), "that of event 1"},
		{"no links", storage.Kept{Keep: storage.KeepLinks, Value: []byte("nonsense")}, "links: of event"},
	} {
		file, err := storage.Open(db, false)
		if err != nil {
			t.Fatal(err)
		}
		var b storage.Batch
		if err := file.View(func(r *storage.Reader) (err error) {
			b.First = r.Last() + 1
			b.State, err = r.State()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		b.Add(&storage.Visit{URL: "http://h.test/" + c.name, Kept: []storage.Kept{c.kept}})
		if err := file.Commit(&b); err != nil {
			t.Fatal(err)
		}
		v := &verifier{ctx: t.Context(), file: file}
		if err := errors.Join(v.kept(storage.KeepLinks, "links"), v.kept(storage.KeepBody, "bodies")); err != nil {
			t.Fatal(err)
		}
		file.Close()
		if got := strings.Join(v.findings, "; "); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
		if c.want != "" {
			db = crawled(t)
		}
	}
}

func TestVerifyFindsTwoOutcomesOfOneAddress(t *testing.T) {
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	file, err := storage.Create(db, crawl.Rules(new(crawl.Settings)))
	if err != nil {
		t.Fatal(err)
	}
	const url = "http://h.test/"
	b := storage.Batch{First: 1}
	// The same address admitted twice, which the frontier never does.
	b.Add(&storage.Seeds{Links: []storage.Link{{URL: url}, {URL: url}}})
	for i := range 2 {
		b.Add(&storage.Visit{Job: storage.JobID{Ord: uint32(i)}, URL: url, Outcome: storage.Fetched})
	}
	b.State.Counts = storage.Counts{Known: 1, Admitted: 2, Hosts: 1}
	b.State.Counts.Outcomes[storage.Fetched] = 2
	if err := file.Commit(&b); err != nil {
		t.Fatal(err)
	}
	file.Close()
	w := new(world)
	if code := w.run(t, context.Background(), "verify", "--db", db); code != ExitFile {
		t.Errorf("exit code %d, want %d", code, ExitFile)
	}
	if want := "events 2 and 3: two outcomes of http://h.test/\n"; w.stdout.String() != want {
		t.Errorf("found %q, want %q", &w.stdout, want)
	}
}

func TestUncleanEndIsTold(t *testing.T) {
	db := crawled(t)
	file, err := storage.Open(db, false)
	if err != nil {
		t.Fatal(err)
	}
	var b storage.Batch
	err = file.View(func(r *storage.Reader) (err error) {
		b.First = r.Last() + 1
		b.State, err = r.State()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.State.Run.Running = true
	if err := file.Commit(&b); err != nil {
		t.Fatal(err)
	}
	file.Close()
	w := new(world)
	w.run(t, context.Background(), "status", "--db", db)
	if !strings.Contains(w.stdout.String(), "the last run did not end cleanly; nothing is lost") {
		t.Errorf("status says %q", &w.stdout)
	}
	w.run(t, context.Background(), "resume", "--db", db)
	if !strings.Contains(w.stderr.String(), "the last run did not end cleanly; nothing is lost, at most what was in flight is fetched again") {
		t.Errorf("resume says %q", &w.stderr)
	}
}

// TestHelpIsTrue holds that help names every flag of a command, in lines that
// fit a terminal, and no two flags by the same name or variable.
func TestHelpIsTrue(t *testing.T) {
	takesValue := map[string]bool{}
	for _, cmd := range commands() {
		w := new(world)
		if code := w.run(t, context.Background(), cmd.name, "--help"); code != 0 || w.stderr.Len() > 0 {
			t.Errorf("%s --help: exit code %d, said %q", cmd.name, code, &w.stderr)
		}
		help := w.stdout.String()
		for line := range strings.Lines(help) {
			if len(line) > helpWidth+1 {
				t.Errorf("%s: %d bytes wide: %q", cmd.name, len(line), line)
			}
		}
		seen := map[string]bool{}
		for _, o := range cmd.options {
			if !strings.Contains(help, "--"+o.name) {
				t.Errorf("%s: help lacks --%s", cmd.name, o.name)
			}
			if seen[o.name] || o.short != "" && seen[o.short] {
				t.Errorf("%s: two flags --%s -%s", cmd.name, o.name, o.short)
			}
			seen[o.name], seen[o.short] = true, true
			if was, ok := takesValue[o.name]; ok && was != (o.arg != "") {
				t.Errorf("--%s takes a value in one command and none in another", o.name)
			}
			takesValue[o.name] = o.arg != ""
		}
	}
}

// TestPromisedFlags holds the names that people and scripts rely on.
func TestPromisedFlags(t *testing.T) {
	promised := map[string]string{
		"crawl": "seeds sitemap sitemaps scope include exclude assets forms ignore-nofollow traps keep-query drop-param sort-query max-depth max-pages max-pages-per-host max-duration hours max-rate max-memory min-free max-bytes " +
			"workers per-host delay ignore-robots user-agent contact timeout max-body H user cookies proxy insecure retries max-redirects http1 allow-private " +
			"field o links store-bodies warc links-from config progress log-level log-format log-file q listen profiles db",
		"resume": "progress log-level log-format log-file q listen profiles db",
		"export": "format columns where profile raw base follow o db",
		"check": "seeds sitemaps scope include exclude assets forms ignore-nofollow traps keep-query drop-param sort-query max-depth max-pages max-pages-per-host max-duration max-bytes " +
			"workers per-host delay ignore-robots user-agent contact timeout max-body H user cookies proxy insecure retries max-redirects http1 allow-private " +
			"field o links store-bodies warc links-from config all json",
		"status":     "json watch db",
		"why":        "json db",
		"queue":      "host match depth state limit after json errors status since until dry-run db",
		"set":        "db",
		"pause":      "db",
		"stop":       "db",
		"snapshot":   "o db",
		"compact":    "db",
		"info":       "json db",
		"completion": "",
		"man":        "",
		"verify":     "db",
		"version":    "",
	}
	for _, cmd := range commands() {
		words := strings.Fields(promised[cmd.name])
		for _, word := range words {
			if cmd.option(word) == nil {
				t.Errorf("pawl %s has no flag %s", cmd.name, word)
			}
		}
		if len(words) != len(cmd.options) {
			t.Errorf("pawl %s has %d flags, want %d", cmd.name, len(cmd.options), len(words))
		}
		delete(promised, cmd.name)
	}
	if len(promised) > 0 {
		t.Errorf("missing: %v", promised)
	}
}

func TestRunsAtOnceDoNotShareState(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			w := new(world)
			for _, args := range [][]string{{"--help"}, {"crawl", "--max-depth", "x"}, {"status", "--db", "none"}, {"nope"}} {
				w.run(t, context.Background(), args...)
			}
		})
	}
}

func TestExportOptions(t *testing.T) {
	for _, c := range []struct {
		output, format string
		want           export.Format
	}{
		{"", "", export.CSV},
		{"x.csv", "", export.CSV},
		{"x.TSV", "", export.TSV},
		{"x.jsonl", "", export.JSONL},
		{"x.ndjson", "", export.JSONL},
		{"x.unknown", "", export.CSV},
		{"x.tsv", "jsonl", export.JSONL},
		{"x.parquet", "", export.Parquet},
		{"x.SQLite", "", export.SQLite},
	} {
		said := given{}
		if c.output != "" {
			said["output"] = textSaid(c.output)
		}
		if c.format != "" {
			said["format"] = textSaid(c.format)
		}
		if e, err := (&call{given: said}).wantedExport(); err != nil || e.Options.Format != c.want {
			t.Errorf("-o %q --format %q: %v, %v; want %v", c.output, c.format, e.Options.Format, err, c.want)
		}
	}
}

func textSaid(texts ...string) said { return said{texts: texts, where: "--x"} }
