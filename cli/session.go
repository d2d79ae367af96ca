package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/export"
	"pawl/storage"
)

// session is a crawl that can be spoken to: by the socket of the process that runs
// it, or in its file when it rests.
type session struct {
	control.Crawl
	isLive bool
	pid    int // of the process that runs it, 0: it rests
}

// findAgain is for how long it is looked for a process that has the file open but
// cannot be spoken to yet, or has just opened it for another command.
const findAgain = 3 * time.Second

// dial finds out whether the crawl in a file runs, and how to speak to it.
func (c *call) dial(ctx context.Context, path string) (*session, error) {
	if _, err := os.Stat(path); err != nil {
		// Opening tells what is wrong in the words of the file.
		if _, err := storage.Open(path, true); err != nil {
			return nil, err
		}
	}
	deadline := time.Now().Add(findAgain)
	for {
		client, err := c.speak(ctx, path)
		if err == nil {
			return &session{Crawl: client, isLive: true, pid: client.Hello().PID}, nil
		}
		if errors.Is(err, control.ErrNoAnswer) || errors.Is(err, control.ErrVersion) || ctx.Err() != nil {
			return nil, err
		}
		// A socket that may not be asked, or is another's, says nothing of a file that
		// can be opened.
		unasked := err
		file, err := storage.Open(path, true)
		if err == nil {
			file.Close()
			return &session{Crawl: &resting{call: c, path: path}}, nil
		}
		if !errors.Is(err, storage.ErrInUse) {
			return nil, err
		}
		if !errors.Is(unasked, control.ErrNoSocket) {
			return nil, unasked
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// speak finds the process that runs the crawl in a file.
func (c *call) speak(ctx context.Context, path string) (*control.Client, error) {
	return control.Dial(ctx, path, c.runtimeDir())
}

// runtimeDir is where the sockets of a user stand whose crawl files have too long a
// name for that.
func (c *call) runtimeDir() string {
	if dir := c.Env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir
	}
	return os.TempDir()
}

// inUse says which process has a crawl file open.
func (c *call) inUse(ctx context.Context, path string, err error) error {
	if !errors.Is(err, storage.ErrInUse) {
		return err
	}
	client, derr := c.speak(ctx, path)
	switch {
	case errors.Is(derr, control.ErrNoAnswer), errors.Is(derr, control.ErrOtherUser):
		return derr
	case derr != nil:
		return err
	}
	defer client.Close()
	return hintedError{
		textError{storage.ErrInUse, fmt.Sprintf("%s: the crawl file is in use: process %d crawls it", path, client.Hello().PID)},
		"it can be told what you want: pawl queue add, pawl set, pawl stop",
	}
}

// resting is the crawl in a file that no process has open. Each question opens it,
// unless it is held open.
type resting struct {
	*call
	path string
	held *opened
}

// opened is a crawl at rest that answers.
type opened struct {
	file   *storage.File
	crawl  *crawl.Crawl
	cancel context.CancelFunc
	over   chan error
}

// hold has the file open, and its crawl loaded, for many questions until the session
// is closed.
func (s *session) hold(ctx context.Context, readOnly bool) (err error) {
	if r, ok := s.Crawl.(*resting); ok {
		r.held, err = r.begin(ctx, readOnly)
	}
	return err
}

// Close closes a file that is held open. What was told is on disk already.
func (r *resting) Close() {
	if r.held != nil {
		_ = r.held.end()
		r.held = nil
	}
}

func (r *resting) begin(ctx context.Context, readOnly bool) (*opened, error) {
	file, err := storage.Open(r.path, readOnly)
	if err != nil {
		return nil, r.inUse(ctx, r.path, err)
	}
	settings, known, err := crawl.Remembered(file)
	if !known {
		settings = crawl.Defaults(ownAgent())
	}
	o := &opened{file: file, over: make(chan error, 1)}
	if err == nil {
		o.crawl, err = crawl.New(file, crawl.Options{Settings: settings})
	}
	if err != nil {
		file.Close()
		return nil, r.inFile(err)
	}
	ctx, o.cancel = context.WithCancel(ctx)
	go func() { o.over <- o.crawl.Rest(ctx) }()
	return o, nil
}

// end commits what is left and closes the file.
func (o *opened) end() error {
	o.cancel()
	err := <-o.over
	o.file.Close()
	return err
}

// open does something with the crawl in the file.
func (r *resting) open(ctx context.Context, readOnly bool, do func(ctx context.Context, c *crawl.Crawl) error) error {
	if r.held != nil {
		err := do(ctx, r.held.crawl)
		if errors.Is(err, crawl.ErrOver) {
			if rest := r.held.end(); rest != nil {
				err = rest // it says why
			}
			r.held = nil
		}
		return r.inFile(err)
	}
	o, err := r.begin(ctx, readOnly)
	if err != nil {
		return err
	}
	err = do(ctx, o.crawl)
	if rest := o.end(); err == nil || rest != nil {
		err = rest // it says why the crawl did not answer
	}
	return r.inFile(err)
}

// inFile names the crawl file in an error that speaks of it.
func (r *resting) inFile(err error) error {
	var usage *control.UsageError
	var query *crawl.QueryError
	if err == nil || errors.As(err, &usage) || errors.As(err, &query) || errors.As(err, new(usageError)) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w", r.path, err)
}

func (r *resting) Status(ctx context.Context) (s *crawl.Status, err error) {
	err = r.open(ctx, true, func(ctx context.Context, c *crawl.Crawl) (err error) {
		s, err = c.Status(ctx)
		return err
	})
	if err == nil {
		tellSettings(s)
	}
	return s, err
}

func (r *resting) Why(ctx context.Context, url string) (s *crawl.Story, err error) {
	err = r.open(ctx, true, func(ctx context.Context, c *crawl.Crawl) (err error) {
		s, err = c.Why(ctx, url)
		return err
	})
	return s, err
}

func (r *resting) Queue(ctx context.Context, q crawl.QueueQuery) (p *crawl.QueuePage, err error) {
	err = r.open(ctx, true, func(ctx context.Context, c *crawl.Crawl) (err error) {
		p, err = c.Queue(ctx, q)
		return err
	})
	return p, err
}

func (r *resting) Add(ctx context.Context, urls []string) (a *crawl.Added, err error) {
	err = r.open(ctx, false, func(ctx context.Context, c *crawl.Crawl) (err error) {
		a, err = c.Add(ctx, urls)
		return err
	})
	return a, err
}

func (r *resting) Edit(ctx context.Context, e crawl.Edit) (d *crawl.Edited, err error) {
	err = r.open(ctx, e.DryRun, func(ctx context.Context, c *crawl.Crawl) (err error) {
		d, err = c.Edit(ctx, e)
		return err
	})
	return d, err
}

func (r *resting) Set(ctx context.Context, values map[string][]string) (list []string, err error) {
	err = r.open(ctx, false, func(ctx context.Context, c *crawl.Crawl) (err error) {
		list, err = setAll(ctx, c, values, false)
		return err
	})
	return list, err
}

func (r *resting) Pause(context.Context) error  { return crawl.ErrResting }
func (r *resting) Resume(context.Context) error { return crawl.ErrResting }
func (r *resting) Stop(context.Context) error   { return crawl.ErrResting }

func (r *resting) Export(ctx context.Context, e control.Export, w io.Writer) error {
	file, err := storage.Open(r.path, true)
	if err != nil {
		return err
	}
	defer file.Close()
	settings, _, err := crawl.Remembered(file)
	if err != nil {
		return r.inFile(err)
	}
	return writeExport(ctx, e, w, sourceAtRest(file, &settings))
}

func (r *resting) Snapshot(ctx context.Context, path string) error {
	file, err := storage.Open(r.path, true)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.CopyTo(ctx, path, nil)
}

func (r *resting) Info(ctx context.Context) (*storage.Info, error) {
	file, err := storage.Open(r.path, true)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Info(ctx, nil)
}

// running is the crawl that this process runs, for others to speak to.
type running struct {
	*crawl.Crawl
	file  *storage.File
	level *slog.LevelVar // of the log
	pacer *control.Pacer
	last  atomic.Pointer[crawl.Status] // for the panel
}

func (g *crawling) newRunning(c *crawl.Crawl) *running {
	return &running{Crawl: c, file: g.file, level: g.talk.level, pacer: control.NewPacer(c.Patience)}
}

func listenOptions() []option {
	return []option{
		{name: "listen", arg: "ADDR", group: groupTalk, usage: "offer metrics and health by HTTP at PORT or HOST:PORT; without a host for this machine alone"},
		{name: "profiles", group: groupTalk, usage: "with --listen: profiles of the process too, under /debug/pprof/"},
	}
}

// listen offers metrics, if the user wants it, of the crawl that is to be given to
// begin; stop ends it.
func (g *crawling) listen(ctx context.Context) (begin func(*running), stop func(), err error) {
	begin, stop = func(*running) {}, func() {}
	said, isOn := g.given["listen"]
	profiles, err := g.given.isOn("profiles")
	if err != nil || !isOn || said.last() == "" {
		return begin, stop, err
	}
	base, err := crawl.ReadStatus(g.file)
	if err != nil {
		return nil, nil, g.inFile(err)
	}
	var now atomic.Pointer[running]
	m, err := control.ServeMetrics(ctx, control.MetricsOptions{
		Addr: said.last(), Base: base, Profiles: profiles,
		Status: func(ctx context.Context) (*crawl.Status, error) {
			if r := now.Load(); r != nil {
				return r.Status(ctx)
			}
			return base, nil
		},
	})
	switch {
	case errors.Is(err, control.ErrAddress):
		return nil, nil, said.wrong(err)
	case err != nil:
		return nil, nil, fmt.Errorf("--listen: %w", err)
	}
	if m.Warning != "" {
		g.talk.complainf("--listen: %s", m.Warning)
	}
	g.talk.sayf("metrics at http://%s/metrics", m.Addr)
	return now.Store, m.Stop, nil
}

// serve lets others speak to the crawl, until quiet is called.
func (r *running) serve(g *crawling) (quiet func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	quiet = func() {
		cancel()
		served.Wait()
	}
	l, err := control.Listen(g.file.Path(), g.runtimeDir())
	if err != nil {
		g.talk.log.Warn("nobody can speak to this crawl while it runs", "error", err)
	} else {
		served.Go(func() {
			err := l.Serve(ctx, r, control.Options{
				Version: ownVersion(), PID: os.Getpid(), Pacer: r.pacer, Usage: usageOf, Hint: hintOf,
			})
			if err != nil {
				g.talk.log.Warn("nobody can speak to this crawl any more", "error", err)
			}
		})
	}
	if g.talk.progress != "none" {
		served.Go(func() { r.lookOften(ctx) })
	}
	return quiet
}

// lookEvery is how old what the panel shows may be.
const lookEvery = 250 * time.Millisecond

// lookOften keeps the last status young.
func (r *running) lookOften(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if s, err := r.Status(ctx); err == nil {
			r.last.Store(s)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// looks gives the last status; nil before the first.
func (r *running) looks() func() *crawl.Status { return r.last.Load }

// usageOf is what a mistake of the user's is called on its way through a socket.
func usageOf(err error) *control.UsageError {
	var usage usageError
	if !errors.As(err, &usage) {
		return nil
	}
	return &control.UsageError{Text: err.Error(), Hint: hintOf(err)}
}

// hintOf is what the user can do, unless that is to read the help of a command, which
// is the asker's to know.
func hintOf(err error) string {
	_, hint := judge(err)
	if hint == helpHint {
		return ""
	}
	return hint
}

// Status of a crawl that runs.
func (r *running) Status(ctx context.Context) (*crawl.Status, error) {
	s, err := r.Crawl.Status(ctx)
	if err != nil {
		return nil, err
	}
	tellSettings(s)
	if s.Live != nil {
		s.Live.Version = ownVersion()
	}
	return s, nil
}

// logLevel is a setting of the process, not of the crawl.
const logLevel = "log-level"

func (r *running) Set(ctx context.Context, values map[string][]string) (list []string, err error) {
	words, isLevel := values[logLevel]
	var level slog.Level
	if isLevel {
		if len(words) != 1 || level.UnmarshalText([]byte(words[0])) != nil || !slices.Contains(logLevels, words[0]) {
			return nil, &control.UsageError{Flag: logLevel, Text: "log-level is debug, info, warn or error"}
		}
		rest := map[string][]string{}
		for name, v := range values {
			if name != logLevel {
				rest[name] = v
			}
		}
		values = rest
	}
	if len(values) > 0 {
		if list, err = setAll(ctx, r.Crawl, values, true); err != nil {
			return nil, err
		}
	}
	if isLevel && r.level.Level() != level {
		list = append(list, fmt.Sprintf("%s %s (was %s)", logLevel, words[0], strings.ToLower(r.level.Level().String())))
		r.level.Set(level)
	}
	return list, nil
}

func (r *running) Snapshot(ctx context.Context, path string) error {
	// Once it answers, the seeds are in the file.
	if _, err := r.Crawl.Status(ctx); err != nil {
		return err
	}
	return r.file.CopyTo(ctx, path, r.pacer.Pace(ctx))
}

func (r *running) Info(ctx context.Context) (*storage.Info, error) {
	return r.file.Info(ctx, r.pacer.Pace(ctx))
}

// atStart are the settings that only the start of a run can change.
var atStart = []string{
	"seeds", "links-from", "user-agent", "contact", "field", "output", "links",
	"store-bodies", "warc", "sitemaps", "rules",
}

// fixed are the settings that only a new crawl file can have.
var fixed = []string{"keep-query", "drop-param", "sort-query"}

// setAll changes settings by their names.
func setAll(ctx context.Context, c *crawl.Crawl, values map[string][]string, isLive bool) (list []string, err error) {
	said, err := sayAll(values, isLive)
	if err != nil {
		return nil, err
	}
	err = c.Change(ctx, func(s *crawl.Settings) error {
		was := *s
		if err := overlayMore(s, said); err != nil {
			return err
		}
		list = changes(&was, s)
		return nil
	})
	if err != nil {
		return nil, err // it may still be made
	}
	return list, nil
}

// sayAll takes values as if flags had said them.
func sayAll(wanted map[string][]string, isLive bool) (given, error) {
	all := crawlSettings()
	var names []string
	for i := range all {
		if !all[i].inFile {
			names = append(names, all[i].name)
		}
	}
	values := given{}
	for name, texts := range wanted {
		plain := strings.TrimSuffix(name, "+")
		if _, both := wanted[plain]; both && plain != name {
			return nil, usagef("%s= and %s+= say two things at once", plain, plain)
		}
		i := slices.IndexFunc(all, func(st setting) bool { return st.name == plain })
		switch {
		case plain == logLevel:
			return nil, hintedError{usagef("log-level is of a run: the crawl does not run"), "pawl crawl --log-level LEVEL"}
		case i < 0 || all[i].inFile:
			err := usagef("there is no setting %q", plain)
			if near := nearest(plain, append(names, logLevel)); near != "" {
				return nil, didYouMean(err, near)
			}
			return nil, err
		case slices.Contains(fixed, plain):
			return nil, hintedError{
				usagef("%s was fixed when the crawl file was made", plain), "start another crawl with it: --db FILE",
			}
		case isLive && slices.Contains(atStart, plain):
			return nil, hintedError{
				usagef("%s cannot change while the crawl runs", plain),
				"stop it, and go on with: pawl crawl --" + plain + " …",
			}
		case name != plain && plain != "include" && plain != "exclude":
			return nil, usagef("%s is not a list to add to: %s=VALUE", plain, plain)
		case len(texts) > 1 && !all[i].repeat:
			return nil, usagef("%s is given more than once", plain)
		}
		if len(texts) == 0 {
			texts = []string{""}
		}
		values[name] = said{texts: texts, where: name}
	}
	return values, nil
}

// overlayMore is overlay, and NAME+ adds to a list.
func overlayMore(s *crawl.Settings, all given) error {
	more := given{}
	for name, v := range all {
		if plain, ok := strings.CutSuffix(name, "+"); ok {
			was := s.Include
			if plain == "exclude" {
				was = s.Exclude
			}
			v.texts = slices.Concat(was, slices.DeleteFunc(slices.Clone(v.texts), func(t string) bool { return slices.Contains(was, t) }))
			more[plain] = v
			continue
		}
		more[name] = v
	}
	return overlay(s, more)
}

// Export of a crawl that runs.
func (r *running) Export(ctx context.Context, e control.Export, w io.Writer) error {
	if !e.Follow {
		defer r.Beside()()
	}
	settings, _, err := crawl.Remembered(r.file)
	if err != nil {
		return err
	}
	return writeExport(ctx, e, w, &exportSource{
		file: r.file, settings: &settings, pace: r.pacer.Pace(ctx),
		queue:   func() (iter.Seq2[export.QueueRow, error], error) { return jobRows(r.Jobs(ctx, storage.JobID{})), nil },
		inScope: func() (func(string) bool, error) { return r.InScope(ctx) },
		still: func() (func([]string) ([]bool, error), error) {
			return func(urls []string) ([]bool, error) { return r.StillSkipped(ctx, urls) }, nil
		},
	})
}

// jobRows are jobs as rows of an export.
func jobRows(jobs iter.Seq2[crawl.Job, error]) iter.Seq2[export.QueueRow, error] {
	return func(yield func(export.QueueRow, error) bool) {
		for j, err := range jobs {
			row := export.QueueRow{Found: j.Found, State: export.Queued, Host: j.Host}
			if t := j.Retry; t != nil {
				row.State, row.Attempts, row.Due = export.Retrying, t.Attempt, t.Due
				row.Class, row.Status, row.Error = t.Class, t.Status, t.Error
			}
			if j.IsOut {
				row.State = export.Out
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
