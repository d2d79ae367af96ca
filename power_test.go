package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pawl/cli"
	"pawl/crawl"
	"pawl/export"
	"pawl/export/warc"
	"pawl/internal/disktrace"
	"pawl/internal/fakeweb"
	"pawl/internal/warccheck"
	"pawl/storage"
)

var (
	powerCuts  = flag.Int("power.cuts", 8, "at how many points of each record TestPower cuts the power, 0: at all")
	powerRuns  = flag.Int("power.runs", 2, "from how many of the states that are left a crawl goes on to its end")
	powerPages = flag.Int("power.pages", 120, "how many pages are crawled for it")
	powerSeed  = flag.Uint64("power.seed", 1, "seed of what is left to chance, 0: by chance")
)

// TestPower records what the real binary does to its files and plays a disk that
// loses its power in the middle: everything that was not synced is lost, or there
// in part, in any order, torn at 512 bytes. In each state that is left, the crawl
// file opens, verify finds nothing, what had been committed is there, and what
// stands beside it is a beginning of what it should be, or as it was before.
func TestPower(t *testing.T) {
	p := newPower(t)
	t.Run("crawl", p.testCrawl)
	t.Run("commits that were told", p.testCommits)
	t.Run("compact", p.testCompact)
	t.Run("snapshot", p.testSnapshot)
	t.Run("snapshot of a running crawl", p.testSnapshotLive)
	t.Run("export", p.testExport)
	t.Run("export --follow", p.testFollow)
	t.Run("a disk that lies", p.testLies)
}

// power is what the tests of TestPower share.
type power struct {
	bin   string
	web   *fakeweb.Web
	roots []string
	seed  uint64

	// archives are the sums of those that were found to be what they should be.
	archives map[uint64]bool
	hashSeed maphash.Seed
}

func newPower(t *testing.T) *power {
	t.Helper()
	p := &power{bin: realBinary(t), seed: *powerSeed, archives: map[uint64]bool{}, hashSeed: maphash.MakeSeed()}
	if p.seed == 0 {
		p.seed = rand.Uint64()
	}
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = 2, *powerPages/2
	o.CrossEvery = 7
	o.Faults = fakeweb.Faults{NotFound: 20, Redirect: 30, Binary: 10}
	o.Tally = true
	o.Latency = fakeweb.Fixed(3 * time.Millisecond)
	p.web, p.roots = startWeb(t, o)
	return p
}

// folder makes a folder for a test, in memory where there is such a file system:
// nothing in it has to outlive the test, and much is synced.
func folder(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "pawl-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// record runs pawl in a folder, and skips the test where that cannot be traced.
func record(t *testing.T, c disktrace.Command) *disktrace.Recording {
	t.Helper()
	var talk bytes.Buffer
	if c.Stderr == nil {
		c.Stderr = &talk
	}
	rec, err := disktrace.Run(t.Context(), c)
	if errors.Is(err, disktrace.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, talk.String())
	}
	if code := rec.Status.ExitStatus(); code != cli.ExitOK && code != cli.ExitStopped {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), rec.Failed(), talk.String())
	}
	return rec
}

// look examines a state that is left in a folder, and gives the number of the last
// event of the crawl file; 0 when there is none.
type look func(c *disktrace.Cut) (last uint64, err error)

// play cuts the power in a record, again and again, and has each state that is left
// looked at in the folder. Nothing that was durable before may be missing; what had
// been told by then is for told to know, if not nil.
func (p *power) play(t *testing.T, rec *disktrace.Recording, dir, db string, told func(*disktrace.Cut) uint64, look look) {
	t.Helper()
	p.playAt(t, rec, dir, db, *powerCuts, told, look)
}

// playAt is play with so many cut points; 0: all.
func (p *power) playAt(t *testing.T, rec *disktrace.Recording, dir, db string, most int, told func(*disktrace.Cut) uint64, look look) {
	t.Helper()
	began := time.Now()
	type state struct {
		sum     uint64
		told    int
		isEnded bool
	}
	states, cuts, points, faults := map[state]uint64{}, 0, map[int]bool{}, 0
	var floor uint64
	o := disktrace.CutOptions{Seed: p.seed, Random: 3, Most: most, Garbage: func(path string) bool {
		// There it cannot be told from what somebody else wrote, and is refused.
		return !strings.HasSuffix(path, ".csv") && !strings.HasSuffix(path, ".warc.gz.open")
	}}
	for c := range rec.Cuts(o) {
		points[c.At] = true
		cuts++
		is := state{c.Sum, len(c.Stdout), c.At == len(rec.Ops)}
		last, known := states[is]
		if !known {
			var err error
			if err = c.Write(dir); err == nil {
				last, err = look(c)
			}
			if err != nil {
				before := "the beginning"
				if c.At > 0 {
					before = rec.Ops[c.At-1].String()
				}
				t.Errorf("-power.seed %d: %v, after %s: %v", p.seed, c, before, err)
				if faults++; faults == 5 {
					t.FailNow()
				}
				continue
			}
			states[is] = last
		}
		if c.Settled(db) {
			floor = max(floor, last)
		}
		if told != nil {
			floor = max(floor, told(c))
		}
		if last < floor {
			t.Errorf("-power.seed %d: %v: the last event is %d, but %d was durable", p.seed, c, last, floor)
			if faults++; faults == 5 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d operations, %d of them syncs; %d cut points, %d variants, %d different states; %.1f s",
		len(rec.Ops), rec.Count(disktrace.Sync), len(points), cuts, len(states), time.Since(began).Seconds())
}

// pawl runs a command in this process.
func pawl(args ...string) (out string, err error) {
	var said, talk bytes.Buffer
	code := cli.Run(context.Background(), append([]string{"pawl"}, args...), cli.System{
		Stdin: strings.NewReader(""), Stdout: &said, Stderr: &talk, Env: func(string) string { return "" },
	})
	if code != cli.ExitOK {
		return said.String(), fmt.Errorf("pawl %s: exit code %d: %s%s", strings.Join(args, " "), code, said.String(), talk.String())
	}
	return said.String(), nil
}

// history is the events that a crawl file has in the end.
type history struct {
	seed   maphash.Seed
	sums   []uint64 // of the events up to each
	header storage.Header
}

// historyOf reads a crawl file.
func historyOf(t *testing.T, db string) *history {
	t.Helper()
	h := &history{seed: maphash.MakeSeed()}
	file, err := storage.Open(db, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h.header = file.Header()
	if h.sums, err = h.read(file); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *history) read(file *storage.File) (sums []uint64, err error) {
	var sum uint64
	err = file.Walk(1, 1<<62, func(seq uint64, event []byte) error {
		sum = maphash.Comparable(h.seed, [3]uint64{sum, seq, maphash.Bytes(h.seed, event)})
		sums = append(sums, sum)
		return nil
	})
	return sums, err
}

// holds tells how many events a file has, which is sound and has no other ones than
// there were.
func (h *history) holds(db string) (last uint64, err error) {
	file, err := storage.Open(db, true)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	sums, err := h.read(file)
	if err != nil {
		return 0, err
	}
	if file.Header().ID != h.header.ID {
		return 0, errors.New("this is another crawl")
	}
	for i := range sums {
		if i >= len(h.sums) || sums[i] != h.sums[i] {
			return 0, fmt.Errorf("event %d is another one than there was", i+1)
		}
	}
	_, err = pawl("verify", "--db", db)
	return uint64(len(sums)), err
}

// crawlArgs are the arguments of a crawl in a folder.
func (p *power) crawlArgs(dir string, more ...string) []string {
	args := []string{
		"crawl", "--db", filepath.Join(dir, "crawl.pawl"), "--delay", "0", "--per-host", "4", "--retries", "1", "--links",
		"--progress", "none", "--log-level", "error",
	}
	return append(append(args, more...), p.roots...)
}

// testCrawl crawls with everything that is written beside, from the creation of
// the file on; is stopped by SIGINT, and goes on to the end.
func (p *power) testCrawl(t *testing.T) {
	dir := folder(t)
	db, out, archive := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "pages.csv"), filepath.Join(dir, "archive")
	args := append([]string{p.bin}, p.crawlArgs(dir, "--store-bodies", "-o", out, "--warc", archive)...)
	var pid atomic.Int64
	syncs := 0
	first := record(t, disktrace.Command{
		Args: args, Folder: dir,
		Started: func(n int) { pid.Store(int64(n)) },
		Policy: func(op *disktrace.Op) disktrace.Fault {
			if op.Kind == disktrace.Sync && op.Path == "crawl.pawl" {
				if syncs++; syncs == 16 {
					if process, err := os.FindProcess(int(pid.Load())); err == nil {
						_ = process.Signal(os.Interrupt)
					}
				}
			}
			return disktrace.Fault{}
		},
	})
	if first.Status.ExitStatus() != cli.ExitStopped {
		t.Errorf("the first run was not stopped: %v", first.Failed())
	}
	second := record(t, disktrace.Command{Args: args, Folder: dir})
	p.checkPages(t, db)
	rows := readRows(t, p.bin, db)
	// Outcomes are withdrawn, so that the file of rows is replaced by another.
	asked := record(t, disktrace.Command{Args: []string{p.bin, "queue", "retry", "--status", "404", "--db", db}, Folder: dir})
	third := record(t, disktrace.Command{Args: args, Folder: dir})
	if third.Count(disktrace.Rename) == 0 {
		t.Error("the file of rows was not replaced")
	}
	p.checkPages(t, db)
	h := historyOf(t, db)

	runs, chance := 0, rand.New(rand.NewPCG(p.seed, 2))
	look := func(c *disktrace.Cut) (last uint64, err error) {
		if _, ok := c.Files["crawl.pawl"]; !ok {
			for _, name := range []string{"pages.csv", "archive"} {
				if len(c.Files[name]) > 0 {
					return 0, fmt.Errorf("there is %s, but no crawl file", name)
				}
			}
		} else {
			if last, err = h.holds(db); err != nil {
				return 0, err
			}
			if err := followed(db, out); err != nil {
				return 0, err
			}
			if err := p.archived(db, archive); err != nil {
				return 0, err
			}
		}
		if runs < *powerRuns && c.At > 0 && chance.IntN(40) == 0 {
			runs++
			if err := c.Write(dir); err != nil { // to begin again
				return 0, err
			}
			return last, p.goOn(t, args, dir, rows)
		}
		return last, nil
	}
	p.play(t, first, dir, "crawl.pawl", nil, look)
	runs = 0
	p.play(t, second, dir, "crawl.pawl", nil, look)
	runs = *powerRuns // what was withdrawn is asked for again
	p.play(t, asked, dir, "crawl.pawl", nil, look)
	p.play(t, third, dir, "crawl.pawl", nil, look)
}

// checkPages fails when the crawl file is not that of a whole crawl.
func (p *power) checkPages(t *testing.T, db string) {
	t.Helper()
	n := 0
	rows := readRows(t, p.bin, db)
	for want := range p.web.Expected(fakeweb.Walk{Roots: p.roots}) {
		if want.Outcome == fakeweb.Skipped {
			continue
		}
		n++
		if got := rows[want.URL]; got != [2]string{string(want.Outcome), statusText(want.Status)} {
			t.Errorf("%s: %v, want %v %v", want.URL, got, want.Outcome, want.Status)
		}
	}
	if n != len(rows) || n < 50 {
		t.Errorf("%d rows, want %d", len(rows), n)
	}
}

// goOn runs the crawl to its end, as the user would after the power is back.
func (p *power) goOn(t *testing.T, args []string, dir string, want map[string][2]string) error {
	db := filepath.Join(dir, "crawl.pawl")
	stored := map[string]int{}
	if _, err := os.Stat(db); err == nil {
		checkStored(t, p.web, db, stored, true)
	}
	if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("going on: %w: %s", err, text)
	}
	checkStored(t, p.web, db, stored, true)
	if _, err := pawl("verify", "--db", db); err != nil {
		return err
	}
	got := readRows(t, p.bin, db)
	for url, row := range want {
		if got[url] != row {
			return fmt.Errorf("gone on: %s: %v, want %v", url, got[url], row)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("gone on: %d rows, want %d", len(got), len(want))
	}
	if err := followed(db, filepath.Join(dir, "pages.csv")); err != nil {
		return err
	}
	return p.archived(db, filepath.Join(dir, "archive"))
}

// followed opens the file of rows as the next run would, writes what is missing,
// and compares it with an export.
func followed(db, out string) error {
	file, err := storage.Open(db, true)
	if err != nil {
		return err
	}
	defer file.Close()
	position, err := crawl.Position(file, out)
	if err != nil {
		return err
	}
	f, err := export.Follow(out, file, export.Defaults(), position)
	if err != nil {
		return err
	}
	defer f.Close()
	if why := f.Rewritten(); why != "" {
		return fmt.Errorf("%s is written anew: %s", out, why)
	}
	if err := f.Write(lastOf(file)); err != nil {
		return err
	}
	if f.Waits() {
		return nil // for the addresses that are asked for again
	}
	var want bytes.Buffer
	if _, err := export.Pages(&want, file, export.Defaults()); err != nil {
		return err
	}
	got, err := os.ReadFile(out)
	if err == nil && !bytes.Equal(got, want.Bytes()) {
		err = fmt.Errorf("%s has other rows than an export", out)
	}
	return err
}

func lastOf(file *storage.File) (last uint64) {
	_ = file.View(func(r *storage.Reader) error {
		last = r.Last()
		return nil
	})
	return last
}

// archived opens the WARC files as the next run would, and looks whether they hold
// exactly the answers that the crawl file has.
func (p *power) archived(db, dir string) error {
	file, err := storage.Open(db, true)
	if err != nil {
		return err
	}
	defer file.Close()
	position, err := crawl.Position(file, dir)
	if err != nil {
		return err
	}
	a, err := warc.Open(dir, "pawl", position, warc.Defaults())
	if err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.warc.gz*"))
	if err != nil {
		return err
	}
	var files []io.Reader
	sum := lastOf(file)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, bytes.NewReader(text))
		sum = maphash.Comparable(p.hashSeed, [2]uint64{sum, maphash.Bytes(p.hashSeed, text)})
	}
	if p.archives[sum] {
		return nil
	}
	found := map[string]int{}
	if len(files) > 0 {
		report, err := warccheck.Validate(files...)
		if err != nil {
			return err
		}
		for _, r := range report.Records {
			if r.Type == "response" || r.Type == "revisit" {
				found[r.URI]++
			}
		}
	}
	err = crawl.EachVisit(file, 1, 1<<62, func(seq uint64, v *storage.Visit) error {
		if v.Status != 0 {
			found[v.URL]--
		}
		return nil
	})
	for url, n := range found {
		if n != 0 {
			err = errors.Join(err, fmt.Errorf("%s has %+d answers more in the WARC files than in the crawl file", url, n))
		}
	}
	p.archives[sum] = err == nil
	return err
}

// powerFolder names the folder in which the test process is to commit.
const powerFolder = "PAWL_TEST_POWER"

// TestPowerChild is no test, but the process that testCommits records.
func TestPowerChild(t *testing.T) {
	dir := os.Getenv(powerFolder)
	if dir == "" {
		t.Skip("only as a process of TestPower")
	}
	file, err := storage.Create(filepath.Join(dir, "crawl.pawl"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fmt.Println("ack 0")
	chance := rand.New(rand.NewPCG(1, 1))
	var b storage.Batch
	for seq := uint64(1); seq < 2000; {
		b.Reset(seq)
		for range 1 + chance.IntN(60) {
			v := &storage.Visit{URL: fmt.Sprintf("https://a.example/%d/%s", seq, strings.Repeat("x", chance.IntN(300)))}
			if chance.IntN(4) == 0 {
				body := make([]byte, chance.IntN(20000))
				for i := range body {
					body[i] = byte(chance.Uint32())
				}
				v.Kept = append(v.Kept, storage.Kept{Keep: storage.KeepBody, Value: body})
			}
			seq, _ = b.Add(v)
			seq++
		}
		b.State.Counts.Known = seq
		if err := file.Commit(&b); err != nil {
			t.Fatal(err)
		}
		fmt.Println("ack", seq-1)
	}
}

// acked is the last number that the child told.
func acked(c *disktrace.Cut) (seq uint64, any bool) {
	lines := strings.Split(string(c.Stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		if _, err := fmt.Sscanf(line, "ack %d", &seq); err == nil {
			any = true
		}
	}
	return seq, any
}

// testCommits records a process that says so after each commit: what it said is
// in the file.
func (p *power) testCommits(t *testing.T) {
	dir := folder(t)
	rec := p.recordCommits(t, dir)
	db := filepath.Join(dir, "crawl.pawl")
	h := historyOf(t, db)
	told := func(c *disktrace.Cut) uint64 {
		seq, _ := acked(c)
		return seq
	}
	look := func(c *disktrace.Cut) (uint64, error) { return h.committed(c, db) }
	// Each cut point of the creation, and some of what follows.
	creation := *rec
	creation.Ops = rec.Ops[:1+slices.IndexFunc(rec.Ops, func(op disktrace.Op) bool { return op.Kind == disktrace.Stdout })]
	p.playAt(t, &creation, dir, "crawl.pawl", 0, told, look)
	p.play(t, rec, dir, "crawl.pawl", told, look)
}

func (p *power) recordCommits(t *testing.T, dir string) *disktrace.Recording {
	t.Helper()
	return record(t, disktrace.Command{
		Args: []string{os.Args[0], "-test.run", "^TestPowerChild$"}, Env: append(os.Environ(), powerFolder+"="+dir), Folder: dir,
	})
}

// committed is holds without the invariants of a crawl, which the child does not
// keep.
func (h *history) committed(c *disktrace.Cut, db string) (uint64, error) {
	if _, ok := c.Files["crawl.pawl"]; !ok {
		if _, any := acked(c); any {
			return 0, errors.New("the crawl file is gone")
		}
		return 0, nil
	}
	file, err := storage.Open(db, true)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	found, err := file.Check(3)
	if err = errors.Join(append(found, err)...); err != nil {
		return 0, err
	}
	sums, err := h.read(file)
	if err != nil {
		return 0, err
	}
	for i := range sums {
		if i >= len(h.sums) || sums[i] != h.sums[i] {
			return 0, fmt.Errorf("event %d is another one than there was", i+1)
		}
	}
	var state storage.State
	err = file.View(func(r *storage.Reader) (err error) {
		state, err = r.State()
		return err
	})
	if err == nil && len(sums) > 0 && state.Counts.Known != uint64(len(sums))+1 {
		err = fmt.Errorf("the state is that after event %d of %d", state.Counts.Known-1, len(sums))
	}
	return uint64(len(sums)), err
}

// crawled makes a crawl file in a new folder.
func (p *power) crawled(t *testing.T) (dir, db string, h *history) {
	t.Helper()
	dir = folder(t)
	command(t, p.bin, p.crawlArgs(dir)...)
	db = filepath.Join(dir, "crawl.pawl")
	return dir, db, historyOf(t, db)
}

// testCompact: the file is always the old one or the new one, whole.
func (p *power) testCompact(t *testing.T) {
	dir, db, h := p.crawled(t)
	rec := record(t, disktrace.Command{Args: []string{p.bin, "compact", "--db", db}, Folder: dir})
	if rec.Count(disktrace.Rename) != 1 {
		t.Fatal("nothing was given back")
	}
	after := rec.Play()["crawl.pawl"]
	p.play(t, rec, dir, "crawl.pawl", func(*disktrace.Cut) uint64 { return uint64(len(h.sums)) }, func(c *disktrace.Cut) (uint64, error) {
		now := c.Files["crawl.pawl"]
		switch {
		case bytes.Equal(now, after):
		case !bytes.Equal(now, rec.Before["crawl.pawl"]):
			return 0, errors.New("the file is neither the old nor the new one")
		case len(c.Stdout) > 0:
			return 0, errors.New("the file is the old one, but it was told that it is the new one")
		}
		return h.holds(db)
	})
}

// testSnapshot: the copy is not there, or whole; the crawl file is as it was.
func (p *power) testSnapshot(t *testing.T) {
	dir, db, h := p.crawled(t)
	to := filepath.Join(dir, "copy.pawl")
	rec := record(t, disktrace.Command{Args: []string{p.bin, "snapshot", "--db", db, "-o", to}, Folder: dir})
	all := func(*disktrace.Cut) uint64 { return uint64(len(h.sums)) }
	p.play(t, rec, dir, "crawl.pawl", all, func(c *disktrace.Cut) (uint64, error) {
		if !bytes.Equal(c.Files["crawl.pawl"], rec.Before["crawl.pawl"]) {
			return 0, errors.New("the crawl file was changed")
		}
		if _, ok := c.Files["copy.pawl"]; ok {
			return h.holds(to)
		}
		if len(c.Stdout) > 0 {
			return 0, errors.New("the copy was told to be there")
		}
		return all(c), nil
	})
}

// testSnapshotLive takes a snapshot of a crawl while it runs.
func (p *power) testSnapshotLive(t *testing.T) {
	dir := folder(t)
	db, to := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "copy.pawl")
	// The crawl makes the copy, and another process gives it its name: both are
	// recorded.
	script := `db=$1; to=$2; shift 2; "$@" & until "$1" status --db "$db" >/dev/null 2>&1 && "$1" snapshot --db "$db" -o "$to" 2>/dev/null; do sleep 0.02; done; wait`
	args := append([]string{"/bin/sh", "-c", script, "sh", db, to, p.bin}, p.crawlArgs(dir)...)
	rec := record(t, disktrace.Command{Args: args, Folder: dir})
	h := historyOf(t, db)
	part := historyOf(t, to)
	if len(part.sums) >= len(h.sums) {
		t.Logf("the snapshot has all %d events", len(h.sums))
	}
	p.play(t, rec, dir, "crawl.pawl", nil, func(c *disktrace.Cut) (last uint64, err error) {
		if _, ok := c.Files["copy.pawl"]; ok {
			n, err := h.holds(to)
			if err != nil || n != uint64(len(part.sums)) {
				return 0, fmt.Errorf("the copy has %d events, should have %d (%w)", n, len(part.sums), err)
			}
		} else if len(c.Stdout) > 0 {
			return 0, errors.New("the copy was told to be there")
		}
		if _, ok := c.Files["crawl.pawl"]; !ok {
			return 0, nil
		}
		return h.holds(db)
	})
}

// testExport: the file is not there or the old one, or whole.
func (p *power) testExport(t *testing.T) {
	_, db, _ := p.crawled(t)
	for _, test := range []struct {
		name string
		old  []byte
	}{
		{"pages.csv", nil},
		{"pages.csv", []byte("old")},
		{"pages.jsonl", nil},
		{"pages.sqlite", []byte("old")},
		{"pages.parquet", nil},
		{"sitemap.xml", []byte("old")},
	} {
		t.Run(fmt.Sprintf("%s, %d bytes before", test.name, len(test.old)), func(t *testing.T) {
			dir := folder(t)
			to := filepath.Join(dir, test.name)
			if test.old != nil {
				if err := os.WriteFile(to, test.old, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			table, _, _ := strings.Cut(test.name, ".")
			rec := record(t, disktrace.Command{Args: []string{p.bin, "export", table, "--db", db, "-o", to}, Folder: dir})
			whole := rec.Play()[test.name]
			if len(whole) < 1000 {
				t.Fatalf("the export has %d bytes", len(whole))
			}
			p.play(t, rec, dir, test.name, nil, func(c *disktrace.Cut) (uint64, error) {
				now, ok := c.Files[test.name]
				switch {
				case bytes.Equal(now, whole):
					return 0, nil
				case c.At == len(rec.Ops):
					return 0, errors.New("the file is not the new one, but the command had ended")
				case ok != (test.old != nil) || !bytes.Equal(now, test.old):
					return 0, fmt.Errorf("the file of %d bytes is neither the old nor the new one", len(now))
				}
				return 0, nil
			})
		})
	}
}

// testFollow: run again after the cut, export --follow writes the same bytes as
// if nothing had been.
func (p *power) testFollow(t *testing.T) {
	_, db, _ := p.crawled(t)
	dir := folder(t)
	to := filepath.Join(dir, "pages.csv")
	args := []string{"export", "pages", "--follow", "--db", db, "-o", to}
	rec := record(t, disktrace.Command{Args: append([]string{p.bin}, args...), Folder: dir})
	whole := rec.Play()["pages.csv"]
	p.play(t, rec, dir, "pages.csv", nil, func(c *disktrace.Cut) (uint64, error) {
		if now := c.Files["pages.csv"]; c.At == len(rec.Ops) && !bytes.Equal(now, whole) {
			return 0, errors.New("the file is not whole, but the command had ended")
		}
		if _, err := pawl(args...); err != nil {
			return 0, err
		}
		now, err := os.ReadFile(to)
		if err == nil && !bytes.Equal(now, whole) {
			err = errors.New("gone on, the file is not what it should be")
		}
		return 0, err
	})
}

// testLies shows that all this can fail: a disk that says that it has synced, and
// has not, breaks the file.
func (p *power) testLies(t *testing.T) {
	dir := folder(t)
	rec := p.recordCommits(t, dir)
	db := filepath.Join(dir, "crawl.pawl")
	h := historyOf(t, db)
	// A commit syncs twice: the pages, and then the one that says where the root is.
	pages := map[*disktrace.Op]bool{}
	names := map[*disktrace.Op]bool{}
	for i := range rec.Ops {
		op := &rec.Ops[i]
		if op.Kind != disktrace.Sync {
			continue
		}
		if op.Path == "." {
			names[op] = true
			continue
		}
		for j := i + 1; j < len(rec.Ops); j++ {
			next := &rec.Ops[j]
			if next.File == op.File && (next.Kind == disktrace.Write || next.Kind == disktrace.Sync) {
				pages[op] = next.Kind == disktrace.Write && next.Offset < 2*4096
				break
			}
		}
	}
	for _, test := range []struct {
		name string // what the disk lies of
		lies func(*disktrace.Op) bool
	}{
		{"every sync", func(*disktrace.Op) bool { return true }},
		{"the pages of a commit", func(op *disktrace.Op) bool { return pages[op] }},
		{"the root of a commit", func(op *disktrace.Op) bool { return op.Path != "." && !pages[op] }},
		{"the folder", func(op *disktrace.Op) bool { return names[op] }},
	} {
		faults, cuts := map[string]int{}, 0
		for c := range rec.Cuts(disktrace.CutOptions{Seed: p.seed, Random: 20, Most: 12, Lies: test.lies}) {
			if cuts++; faults["damage"]+faults["loss"] >= 3 {
				break
			}
			if err := c.Write(dir); err != nil {
				t.Fatal(err)
			}
			told, _ := acked(c)
			switch last, err := h.committed(c, db); {
			case err != nil:
				faults["damage"]++
			case last < told:
				faults["loss"]++
			}
		}
		t.Logf("%s: %d variants, %v", test.name, cuts, faults)
		if len(faults) == 0 {
			t.Errorf("a disk that lies of %s does no harm", test.name)
		}
	}
}
