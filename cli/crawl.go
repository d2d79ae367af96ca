package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/export"
	"pawl/storage"
	"pawl/weburl"
)

func crawlCommand() *command {
	options := settingOptions()
	options = insertOption(options, option{name: "sitemap", arg: "URL", group: groupSeeds, usage: "a sitemap, feed or list whose addresses are seeds; repeatable", repeat: true})
	options = insertOption(options, option{name: "cookies", arg: "FILE", group: groupFetch, usage: "take cookies from a cookies.txt (Netscape format); the crawl file keeps them"})
	options = append(options, fileOption(), configOption())
	options = append(options, talkOptions()...)
	options = append(options, listenOptions()...)
	return &command{
		name: "crawl", args: "[URL...]", summary: "start a crawl, or go on with the one in the file",
		text: "The crawl ends by itself when nothing is left to fetch. Stop it with Ctrl-C: the\n" +
			"same command goes on. The crawl file remembers the settings; those given again\n" +
			"win. An empty value or 'none' takes a setting back.\n" +
			"Durations: 500ms, 90s, 1h30m. Sizes: 512KB, 10MB, 2GiB. 0 means no limit for\n" +
			"sizes, durations and page counts.",
		options: options, run: runCrawl,
	}
}

// insertOption puts an option behind the others of its group.
func insertOption(options []option, o option) []option {
	for i := len(options); i > 0; i-- {
		if options[i-1].group == o.group {
			return slices.Insert(options, i, o)
		}
	}
	return append(options, o)
}

func resumeCommand() *command {
	return &command{
		name: "resume", summary: "go on with the crawl in the file",
		options: slices.Concat([]option{fileOption()}, talkOptions(), listenOptions()),
		run:     runResume,
	}
}

// crawling is a crawl that is about to run.
type crawling struct {
	*call
	talk     *talk
	file     *storage.File
	again    string // how to name the file in a further command
	isNew    bool   // there was no crawl in the file
	made     bool   // nor was there a file
	state    storage.State
	settings crawl.Settings
	changes  []string
	seeds    []string
	sitemaps []string
	stdin    io.Reader
	cookies  []byte
}

func runCrawl(ctx context.Context, c *call) error {
	if err := c.readRecipe(); err != nil {
		return err
	}
	t, err := newTalk(c)
	if err != nil {
		return err
	}
	defer t.close()
	g := &crawling{call: c, talk: t}
	if err := g.checkSeeds(); err != nil {
		return err
	}
	if err := g.readCookies(); err != nil {
		return err
	}
	path, again := c.file()
	g.again = again
	if err := g.open(path); err != nil {
		return c.inUse(ctx, path, err)
	}
	defer g.file.Close()
	return g.run(ctx)
}

// wake ends the pause of a crawl that another process runs.
func (g *crawling) wake(ctx context.Context, path string) (woke bool, err error) {
	client, err := g.speak(ctx, path)
	if err != nil {
		return false, nil // opening the file tells what is wrong
	}
	defer client.Close()
	s, err := client.Status(ctx)
	switch {
	case errors.Is(err, crawl.ErrOver), errors.Is(err, control.ErrLost):
		return false, nil // it has just ended
	case err != nil:
		return false, err
	}
	pid := client.Hello().PID
	if s.State != "paused" {
		return false, hintedError{
			textError{storage.ErrInUse, fmt.Sprintf("%s: process %d crawls it already, and it is not paused", path, pid)},
			"see: pawl status" + g.again,
		}
	}
	if err := client.Resume(ctx); err != nil {
		return false, err
	}
	if s, err = client.Status(ctx); err == nil {
		if hold := holdOf(s); hold != nil {
			g.talk.sayf("the pause is over, in process %d, but the crawl is held: %s", pid, strings.Join(holdWords(hold, time.Now()), ", "))
			return true, nil
		}
	}
	g.talk.sayf("the crawl goes on, in process %d", pid)
	return true, nil
}

func runResume(ctx context.Context, c *call) error {
	if err := c.noArgs("resume"); err != nil {
		return hintedError{err, "to add seeds: pawl crawl URL"}
	}
	t, err := newTalk(c)
	if err != nil {
		return err
	}
	defer t.close()
	g := &crawling{call: c, talk: t}
	path, again := c.file()
	g.again = again
	if woke, err := g.wake(ctx, path); woke || err != nil {
		return err
	}
	if g.file, err = storage.Open(path, false); err != nil {
		return c.inUse(ctx, path, err)
	}
	defer g.file.Close()
	if err := g.recall(); err != nil {
		return err
	}
	if g.isNew {
		return fmt.Errorf("%s: %w", path, errNoCrawl)
	}
	return g.run(ctx)
}

// checkSeeds takes the seeds of the command line that are addresses, and
// complains about the others.
func (g *crawling) checkSeeds() error {
	g.openPipe(g.given.text("seeds", ""))
	// Any rules serve to tell what is an address.
	speller, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		return err
	}
	if sitemaps, ok := g.given["sitemap"]; ok {
		for _, text := range sitemaps.texts {
			if _, err := crawl.ParseSeed(speller, strings.TrimSpace(text)); err != nil {
				return sitemaps.wrong(fmt.Errorf("%q: %w", crawl.WithoutUserinfo(text), err))
			}
			g.sitemaps = append(g.sitemaps, text)
		}
	}
	if len(g.args) == 0 {
		return nil
	}
	var bad []string
	for _, arg := range g.args {
		if _, err := crawl.ParseSeed(speller, strings.TrimSpace(arg)); err != nil {
			bad = append(bad, fmt.Sprintf("%q cannot be crawled: %v", crawl.WithoutUserinfo(arg), err))
			continue
		}
		g.seeds = append(g.seeds, arg)
	}
	if len(g.seeds) == 0 && len(g.sitemaps) == 0 && g.given.text("seeds", "") == "" {
		return usageError{error: errors.New(strings.Join(bad, "; ")), command: "crawl"}
	}
	for _, b := range bad {
		g.talk.complainf("%s", b)
	}
	return nil
}

// maxCookies is how large a cookies.txt may be, in bytes.
const maxCookies = 64 << 20

// readCookies reads the cookies of the user.
func (g *crawling) readCookies() error {
	file, ok := g.given["cookies"]
	if !ok || file.last() == "" {
		return nil
	}
	h, err := os.Open(file.last())
	if err != nil {
		return file.wrong(err)
	}
	defer h.Close()
	if g.cookies, err = io.ReadAll(io.LimitReader(h, maxCookies)); err != nil {
		return file.wrong(err)
	}
	if err := crawl.CheckCookies(g.cookies); err != nil {
		return file.wrong(fmt.Errorf("%s: %w", file.last(), err))
	}
	return nil
}

// openPipe takes stdin, or a pipe that was named, as where seeds come from
// once.
func (g *crawling) openPipe(name string) {
	if name == "-" {
		g.stdin = g.Stdin
		return
	}
	// Whatever is wrong with it is said when it is read.
	if info, err := os.Stat(name); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		g.stdin = &pipe{name: name}
	}
}

// pipe is opened by the first Read: that waits until somebody writes.
type pipe struct {
	name string
	file *os.File
}

func (p *pipe) Read(b []byte) (n int, err error) {
	if p.file == nil {
		if p.file, err = os.Open(p.name); err != nil {
			return 0, err
		}
	}
	return p.file.Read(b)
}

// open opens the crawl file, or makes it when all that the user said is good.
func (g *crawling) open(path string) error {
	file, err := storage.Open(path, false)
	if errors.Is(err, storage.ErrMissing) {
		g.isNew = true
		g.settings = crawl.Defaults(ownAgent())
		if err := g.choose(); err != nil {
			return err
		}
		g.file, err = storage.Create(path, crawl.Rules(&g.settings))
		g.made = err == nil
		return err
	}
	if err != nil {
		return err
	}
	g.file = file
	err = g.recall()
	if err == nil {
		was := g.settings
		if err = g.choose(); err == nil && !g.isNew {
			g.changes = changes(&was, &g.settings)
			g.tellOpenArchive(&was)
		}
		if err == nil {
			err = g.checkSpelling(&was)
		}
	}
	if err != nil {
		file.Close()
	}
	return err
}

// checkSpelling refuses to spell addresses in another way than so far: those
// that are known would not be known any more.
func (g *crawling) checkSpelling(was *crawl.Settings) error {
	if g.settings.SpellsLike(was) || bytes.Equal(g.file.Header().Rules, crawl.Rules(&g.settings)) {
		return nil
	}
	return hintedError{
		usagef("%s: how addresses are spelled was fixed when this file was made; --keep-query, --drop-param and --sort-query cannot change", g.file.Path()),
		"start another crawl with them: --db FILE",
	}
}

// recall reads what the crawl file remembers.
func (g *crawling) recall() error {
	settings, ok, err := crawl.Remembered(g.file)
	if err != nil {
		return fmt.Errorf("%s: %w", g.file.Path(), err)
	}
	err = g.file.View(func(r *storage.Reader) (err error) {
		g.state, err = r.State()
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", g.file.Path(), err)
	}
	// A run whose seeds were all bad has left its settings, but no crawl.
	g.isNew = g.state.Counts.Known == 0
	if !ok {
		settings = crawl.Defaults(ownAgent())
	}
	g.settings = remembered(settings)
	return nil
}

// choose puts what the user said over the settings.
func (g *crawling) choose() error {
	if err := overlay(&g.settings, g.given); err != nil {
		return err
	}
	if g.isNew && len(g.seeds) == 0 && len(g.sitemaps) == 0 && g.stdin == nil && g.settings.SeedsFile == "" {
		return usageError{error: errors.New("a new crawl needs a URL, --seeds FILE or --sitemap URL"), command: "crawl"}
	}
	return nil
}

// run crawls, and tells of it.
func (g *crawling) run(ctx context.Context) error {
	defer crawl.BoundHeap()()
	g.tellCrash()
	defer g.keepCrash()()
	measured, unmeasured, err := g.listen(ctx)
	var results *results
	if err == nil {
		defer unmeasured()
		results, err = g.openResults()
	}
	if err != nil {
		if g.made { // it holds nothing, and the next try makes it anew
			g.file.Close() // an open one cannot be removed everywhere
			os.Remove(g.file.Path())
		}
		return err
	}
	isBehind := false
	defer func() {
		if !isBehind { // otherwise it is being written to
			_ = results.Close()
		}
	}()
	c, err := crawl.New(g.file, crawl.Options{
		Settings: g.settings, Outputs: results.outputs, Archive: results.archive, ArchiveKey: results.archiveKey,
		Input: crawl.Input{Args: g.seeds, Sitemaps: g.sitemaps, Stdin: g.stdin, Cookies: g.cookies},
		Log:   g.talk.log, Folders: g.written(),
	})
	if memory := (*crawl.MemoryError)(nil); errors.As(err, &memory) {
		return hintedError{g.inFile(err), "nothing is lost; " + moreMemory(memory, g.again)}
	}
	if err != nil {
		return g.inFile(err)
	}
	if err := g.greet(c); err != nil {
		return g.inFile(err)
	}
	live := g.newRunning(c)
	measured(live)
	quiet := live.serve(g)
	unwatch := g.talk.watchStatus(live.looks())
	defer unwatch() // also when something panics
	over := make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() { g.tellStop(ctx, c, over) })
	summary, err := c.Run(ctx)
	isBehind = summary.Behind
	close(over)
	told.Wait()
	unwatch()
	unmeasured()
	quiet()
	// They may have been changed meanwhile.
	if now, ok, err := crawl.Remembered(g.file); err == nil && ok {
		g.settings = remembered(now)
	}
	trouble := (*crawl.SinkError)(nil)
	switch {
	case errors.Is(err, export.ErrClosed):
		g.talk.sayf("nobody reads the rows any more")
		return g.conclude(&summary)
	case errors.As(err, &trouble):
		return g.outputFailed(err, trouble, summary.Counts.Pending)
	case err != nil:
		return g.inFile(err)
	}
	return g.conclude(&summary)
}

// tellStop says that the crawl is being stopped, when it is.
func (g *crawling) tellStop(ctx context.Context, c *crawl.Crawl, over <-chan struct{}) {
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	// The crawl notices in a moment, and then knows what is in flight.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !c.Progress().Stopping {
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
	if n := c.Progress().InFlight; n > 0 {
		g.talk.sayf("stopping: waiting for %s in flight (Ctrl-C again to leave at once)", counted(uint64(n), "request", "requests"))
	}
}

// inFile names the crawl file in an error that speaks of it.
func (g *crawling) inFile(err error) error {
	return fmt.Errorf("%s: %w", g.file.Path(), err)
}

// greet tells what the crawl starts from.
func (g *crawling) greet(c *crawl.Crawl) error {
	if g.isNew {
		return nil
	}
	if g.state.Run.Running {
		g.talk.sayf("the last run did not end cleanly; nothing is lost, at most what was in flight is fetched again")
	}
	if len(g.changes) > 0 {
		g.talk.sayf("settings changed: %s", strings.Join(g.changes, ", "))
	}
	verb := "going on with"
	if g.hasNewSeeds(c) {
		verb = "adding to"
	}
	counts := c.Counts()
	g.talk.sayf("%s the crawl of %s: %s done, %s pending", verb, hostList(c.RootHosts()), grouped(counts.Done()), grouped(counts.Pending))
	return nil
}

// hasNewSeeds tells whether a seed of the command line is not yet a job.
func (g *crawling) hasNewSeeds(c *crawl.Crawl) bool {
	return slices.ContainsFunc(slices.Concat(g.seeds, g.sitemaps), func(s string) bool {
		u, err := crawl.ParseSeed(c.Speller(), strings.TrimSpace(s))
		return err == nil && !c.Knows(u)
	})
}

// hostList names hosts, but not a thousand of them.
func hostList(hosts []string) string {
	switch n := len(hosts); {
	case n == 0:
		return "no host yet"
	case n <= 3:
		return strings.Join(hosts, ", ")
	default:
		return hosts[0] + " and " + counted(uint64(n-1), "other host", "other hosts")
	}
}

// conclude tells how the run ended, and what can be done next.
func (g *crawling) conclude(s *crawl.Summary) error {
	did := ended(&s.Counts) - ended(&s.Before)
	if did > 0 {
		g.talk.sayf("%s", g.tally(s))
	}
	if s.BadSeeds > 0 {
		g.talk.complainf("%s could not be used", counted(uint64(s.BadSeeds), "seed", "seeds"))
	}
	if !g.isNew && s.NewSeeds > 0 {
		g.talk.sayf("added %s", counted(uint64(s.NewSeeds), "seed", "seeds"))
	}
	isEmpty := s.Counts.Known == 0
	switch {
	case s.Behind:
		g.talk.complainf("stopped before all rows were written; go on with: pawl resume%s", g.again)
		return silentError{errStopped}
	case s.SeedsErr != nil:
		hint := "what was read of them is in the crawl"
		if g.settings.SeedsFile != "" {
			hint += "; to forget the file: pawl crawl" + g.again + " --seeds ''"
		}
		return hintedError{fmt.Errorf("read seeds: %w", s.SeedsErr), hint}
	case s.End == crawl.Finished && isEmpty:
		return usageError{error: errors.New("there is no usable seed, so there is nothing to crawl"), command: "crawl"}
	case s.End == crawl.Stopped && (isEmpty || s.Unread):
		// What was not read of the seeds yet only the user has.
		g.talk.sayf("stopped with %s pending%s", grouped(s.Counts.Pending), g.repeat(isEmpty))
		return silentError{errStopped}
	case s.End == crawl.Finished && s.Unread:
		g.talk.sayf("nothing is left of what was read%s", g.repeat(false))
		return silentError{errStopped}
	case s.End == crawl.NoProxy:
		g.talk.complainf("stopped with %s pending: the proxy did not serve for 2 minutes: %s", grouped(s.Counts.Pending), clean(s.Why))
		g.talk.sayf("nothing is lost; to go on: pawl resume%s, or pawl crawl%s --proxy URL with another one", g.again, g.again)
		return silentError{errStopped}
	case s.End == crawl.NoSpace, s.End == crawl.NoMemory:
		return g.endFull(s)
	case s.End == crawl.Stopped:
		g.talk.sayf("stopped with %s pending; go on with: pawl resume%s", grouped(s.Counts.Pending), g.again)
		return silentError{errStopped}
	case s.End != crawl.Finished:
		g.talk.sayf("%s; %s pending; to go on%s", g.limit(s), grouped(s.Counts.Pending), g.raise(s))
		if s.Unread {
			g.talk.sayf("the seeds from stdin were not read to their end; pipe them again to go on")
		}
		if s.Counts.Of(storage.Fetched) > 0 {
			g.talk.sayf("%s", g.seePages())
		}
	case s.Counts.Admitted == 0:
		g.talk.sayf("nothing was crawled: every seed was refused, by --exclude or because it is too long; see: pawl export skipped%s", g.again)
	case did == 0 && s.Before.Admitted > 0 && s.NewSeeds == 0:
		g.talk.sayf("nothing is left to do; %s done; %s", grouped(s.Counts.Done()), g.seePages())
	case s.Counts.Of(storage.Fetched) == 0:
		g.talk.sayf("finished, but no page was fetched; to see why: pawl export%s", g.again)
	default:
		g.talk.sayf("finished: nothing is left; %s", g.seePages())
	}
	if n := s.Counts.Parked - s.Before.Parked - (s.Counts.Dropped - s.Before.Dropped); n > 0 {
		g.talk.complainf("%s of patterns that brought nothing new; to see which: pawl status%s; to fetch them too: pawl queue restore%s",
			counted(n, "address was parked,", "addresses were parked,"), g.again, g.again)
	}
	return nil
}

// repeat tells how to go on when seeds were not read that only the user has.
func (g *crawling) repeat(isEmpty bool) string {
	if isEmpty {
		return "; to go on, repeat the command with its seeds"
	}
	return ", but the seeds from stdin were not read to their end; to go on, repeat the command that pipes them"
}

// seePages says where the pages are, or the command that most want next.
func (g *crawling) seePages() string {
	if path := g.settings.Output; path != "" && !strings.HasPrefix(path, "/dev/") {
		return "the pages are in " + path
	}
	return "to see the pages: pawl export" + g.again + " -o pages.csv"
}

// limit says which limit was reached.
func (g *crawling) limit(s *crawl.Summary) string {
	set := &g.settings
	switch s.End {
	case crawl.MaxPages:
		return fmt.Sprintf("reached --max-pages %d", set.MaxPages)
	case crawl.MaxPagesPerHost:
		return fmt.Sprintf("reached --max-pages-per-host %d on every host that has more", set.MaxPagesPerHost)
	case crawl.MaxBytes:
		return "reached --max-bytes " + exactSize(set.MaxBytes)
	case crawl.MaxDuration:
		return "reached --max-duration " + exactDuration(set.MaxDuration)
	}
	return "reached " + string(s.End)
}

// raise tells how to go on beyond the limit that was reached.
func (g *crawling) raise(s *crawl.Summary) string {
	set := &g.settings
	base := ", raise it: pawl crawl" + g.again
	switch s.End {
	case crawl.MaxPages:
		return fmt.Sprintf("%s --max-pages %d", base, 2*max(uint64(set.MaxPages), s.Counts.Rows()))
	case crawl.MaxPagesPerHost:
		return fmt.Sprintf("%s --max-pages-per-host %d", base, 2*set.MaxPagesPerHost)
	case crawl.MaxBytes:
		const mb = 1_000_000
		return base + " --max-bytes " + exactSize(2*max(set.MaxBytes, int64(s.Counts.Transferred)/mb*mb))
	}
	return ": pawl resume" + g.again
}

// tally sums up the run.
func (g *crawling) tally(s *crawl.Summary) string {
	var b strings.Builder
	done := ended(&s.Counts) - ended(&s.Before)
	bytes := s.Counts.Transferred - s.Before.Transferred
	fmt.Fprintf(&b, "%s done in %s", grouped(done), roughDuration(s.Took))
	if sec := s.Took.Seconds(); sec >= 0.1 {
		fmt.Fprintf(&b, " (%s/s)", rate(float64(done)/sec))
	}
	fmt.Fprintf(&b, ", %s: ", roughSize(float64(bytes)))
	b.WriteString(outcomes(&s.Counts, &s.Before))
	if n := s.Counts.Reopened - s.Before.Reopened; n > 0 {
		fmt.Fprintf(&b, "; %s withdrawn", counted(n, "outcome was", "outcomes were"))
	}
	if n := s.Counts.Unlisted - s.Before.Unlisted; n > 0 {
		fmt.Fprintf(&b, "; %s of them no rows, by a rule", grouped(n))
	}
	return b.String()
}

var allOutcomes = [...]storage.Outcome{storage.Fetched, storage.Redirected, storage.Failed, storage.Blocked}

// ended is how many outcomes there ever were, those that the user withdrew
// included.
func ended(c *storage.Counts) uint64 { return c.Done() + c.Reopened }

// since is how much a count has risen; one that the user took back may have fallen.
func since(now, before uint64) uint64 { return now - min(now, before) }

// outcomes lists how jobs ended since before.
func outcomes(now, before *storage.Counts) string {
	var parts []string
	for _, o := range allOutcomes {
		n := since(now.Of(o), before.Of(o))
		if n == 0 {
			continue
		}
		part := grouped(n) + " " + o.String()
		if o == storage.Failed {
			part += " (" + classes(now, before) + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// classes lists why jobs failed since before.
func classes(now, before *storage.Counts) string {
	var parts []string
	for i := range now.Classes {
		n := since(now.Classes[i], before.Classes[i])
		if n == 0 {
			continue
		}
		name := "by status"
		if i > 0 {
			name = storage.Class(i).String()
		}
		parts = append(parts, grouped(n)+" "+name)
	}
	return strings.Join(parts, ", ")
}
