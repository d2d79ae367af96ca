//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pawl/cli"
	"pawl/internal/disktrace"
	"pawl/internal/fakeweb"
	"pawl/internal/warccheck"
)

var (
	faultAll  = flag.Bool("fault.all", false, "have every operation of the disk fail in TestDiskFaults, not some")
	faultOnly = flag.String("fault.only", "", "only faults of this name: ENOSPC, EIO once")
)

// diskFault is a way in which a disk fails.
type diskFault struct {
	name  string
	errno syscall.Errno
	once  bool // and works again
	short bool // half of the first write that fails is written
	hits  func(op *disktrace.Op, dir string) bool
}

func diskFaults() []diskFault {
	return []diskFault{
		{"ENOSPC", syscall.ENOSPC, false, false, takesRoom},
		{"ENOSPC in the middle of a write", syscall.ENOSPC, false, true, isWrite},
		{"ENOSPC once", syscall.ENOSPC, true, false, takesRoom},
		{"EDQUOT", syscall.EDQUOT, false, false, takesRoom},
		{"EROFS", syscall.EROFS, false, false, changes},
		{"EIO", syscall.EIO, false, false, isAny},
		{"EIO once", syscall.EIO, true, false, isAny},
	}
}

func isAny(op *disktrace.Op, _ string) bool { return op.Kind != disktrace.Stdout }

func isWrite(op *disktrace.Op, _ string) bool { return op.Kind == disktrace.Write }

// changes tells whether an operation cannot be on a file system that can only be
// read.
func changes(op *disktrace.Op, dir string) bool {
	return isAny(op, dir) && op.Kind != disktrace.Sync
}

// takesRoom tells whether an operation needs some.
func takesRoom(op *disktrace.Op, dir string) bool {
	switch op.Kind {
	case disktrace.Create, disktrace.Mkdir, disktrace.Write:
		return true
	case disktrace.Truncate:
		info, err := os.Stat(filepath.Join(dir, op.Path))
		return err == nil && info.Size() < op.Length
	}
	return false
}

// policy has operations fail from the nth of those on that a fault hits, and notes
// which was the first.
func (f *diskFault) policy(dir string, nth int, first *string) func(*disktrace.Op) disktrace.Fault {
	n := 0
	return func(op *disktrace.Op) disktrace.Fault {
		if !f.hits(op, dir) {
			return disktrace.Fault{}
		}
		n++
		switch {
		case n-1 < nth, n-1 > nth && f.once:
			return disktrace.Fault{}
		case n-1 == nth:
			*first = op.String()
			if f.short && op.Length > 1 {
				return disktrace.Fault{Short: int(op.Length / 2)}
			}
		}
		return disktrace.Fault{Errno: f.errno}
	}
}

// ending is how a command ended.
type ending struct {
	code      int
	out, talk string
}

// faulty is a command whose disk fails.
type faulty struct {
	fault diskFault
	nth   int
	dir   string // all that is written is below it
	first string // the operation that failed first; empty: none did
	ending
}

// run runs the command. It must end by itself.
func (f *faulty) run(t *testing.T, args ...string) {
	t.Helper()
	f.traced(t, f.fault.policy(f.dir, f.nth, &f.first), args...)
}

// traced runs the command under another policy.
func (f *faulty) traced(t *testing.T, policy func(*disktrace.Op) disktrace.Fault, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, talk bytes.Buffer
	rec, err := disktrace.Run(ctx, disktrace.Command{
		Args: args, Folder: f.dir, Stdout: &out, Stderr: &talk, WithoutData: true, Policy: policy,
	})
	if errors.Is(err, disktrace.ErrUnsupported) {
		t.Skip(err)
	}
	f.ending = ending{rec.Status.ExitStatus(), out.String(), talk.String()}
	if err != nil {
		t.Fatalf("%s: %v\n%s", f, err, f.talk)
	}
}

func (f *faulty) String() string {
	return fmt.Sprintf("%s at the operation %d, %s", f.fault.name, f.nth, f.first)
}

// call runs a command in this process.
func call(args ...string) ending {
	var out, talk bytes.Buffer
	code := cli.Run(context.Background(), append([]string{"pawl"}, args...), cli.System{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Env: func(string) string { return "" },
	})
	return ending{code, out.String(), talk.String()}
}

// good runs a command in this process that must succeed.
func (f *faulty) good(t *testing.T, args ...string) string {
	t.Helper()
	end := call(args...)
	if end.code != cli.ExitOK {
		t.Errorf("%s: then pawl %s: exit code %d: %s%s\nit had said %s", f, strings.Join(args, " "), end.code, end.out, end.talk, f.talk)
	}
	return end.out
}

// doneSaid finds how many pages a run says that it has done.
var doneSaid = regexp.MustCompile(`pawl: (\d+) done in`)

// spared are operations that may fail without harm: of the socket, of the file for
// the last words of a process that dies, and of files that are not needed any more;
// a link, where a rename does as well; and the first of two ways in which a file is
// opened; an index that is to be gone on with, which is made anew then. What is
// left to be done is done all the same, or by the next run.
var spared = regexp.MustCompile(`^$|^unlink |^rmdir |[.]sock|[.]crash|/[.]warc-[0-9a-f]+[.]state|^link |^open |^truncate .*[.]cdxj[.]open`)

// checkEnding holds how a command ended against what is promised. whole tells
// whether it did all that it was to do.
func (f *faulty) checkEnding(t *testing.T, whole func() error) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(f.talk), "\n")
	last := lines[len(lines)-1]
	says := func(texts ...string) bool {
		return strings.HasPrefix(last, "pawl: ") &&
			slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(last, text) })
	}
	if strings.Contains(f.talk, "goroutine ") || strings.Contains(f.talk, "internal error") {
		t.Errorf("%s: it panics: %s", f, f.talk)
	}
	switch f.code {
	case cli.ExitOK:
		if !spared.MatchString(f.first) {
			t.Errorf("%s: exit code 0: %s", f, f.talk)
		}
		if err := whole(); err != nil {
			t.Errorf("%s: exit code 0: %v: %s", f, err, f.talk)
		}
	case cli.ExitFile:
		if f.fault.errno != syscall.EROFS || !says("the crawl file cannot be written") {
			t.Errorf("%s: exit code %d: %s", f, f.code, f.talk)
		}
	case cli.ExitFull:
		switch f.fault.errno {
		case syscall.ENOSPC, syscall.EDQUOT:
			// SQLite takes a quota for an I/O error.
			if !says("make room") && !(f.fault.errno == syscall.EDQUOT && says("make the database")) {
				t.Errorf("%s: does not say to make room: %s", f, f.talk)
			}
		default:
			if !says("see to it") {
				t.Errorf("%s: does not say to see to the disk: %s", f, f.talk)
			}
		}
	default:
		t.Errorf("%s: exit code %d: %s", f, f.code, f.talk)
	}
}

// sample chooses some of the numbers below n, spread evenly, others for each
// fault.
func sample(n, most, shift int) (list []int) {
	if *faultAll {
		n += n / 10 // no two runs have the same number
	}
	if *faultAll || n <= most {
		for i := range n {
			list = append(list, i)
		}
		return list
	}
	for i := range most {
		list = append(list, (i*n+shift*n/7)/most%n)
	}
	return list
}

// eachFault calls do for operations of a command that fail, in tests of their own.
// whole runs it without faults, for them to be counted.
func eachFault(t *testing.T, most int, whole, do func(*testing.T, *faulty)) {
	t.Helper()
	faults := diskFaults()
	counts := make([]int, len(faults))
	whole(t, &faulty{dir: t.TempDir(), fault: diskFault{name: "none", hits: func(op *disktrace.Op, dir string) bool {
		for i := range faults {
			if faults[i].hits(op, dir) {
				counts[i]++
			}
		}
		return false
	}}})
	for shift, fault := range faults {
		if *faultOnly != "" && *faultOnly != fault.name {
			continue
		}
		for _, nth := range sample(counts[shift], most, shift) {
			t.Run(fmt.Sprintf("%s from %d on", fault.name, nth), func(t *testing.T) {
				t.Parallel()
				// Not in a folder that is named after the test: the name of a socket must be
				// short.
				dir, err := os.MkdirTemp("", "pawl-fault-")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(dir) })
				do(t, &faulty{fault: fault, nth: nth, dir: dir})
			})
		}
	}
}

// thisBinary is the path of pawl, which is this test under another name.
func thisBinary(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("pawl")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// faultyWeb is a small web that is crawled while the disk fails, and its rows.
func faultyWeb(t *testing.T) (root string, want map[string][2]string) {
	t.Helper()
	o := fakeweb.Defaults()
	o.Pages, o.PageBytes, o.Tally = 12, 2<<10, false
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	root, want = server.URL+"/", map[string][2]string{}
	for row := range web.Expected(fakeweb.Walk{Roots: []string{root}}) {
		if row.Outcome != fakeweb.Skipped {
			want[row.URL] = [2]string{string(row.Outcome), statusText(row.Status)}
		}
	}
	return root, want
}

// TestDiskFaults has the disk fail in a crawl: full, over quota, read-only or
// broken, from each of its operations on, or once. The run ends with exit code 5
// and says what to do; the file opens, is sound, and holds all that was told; and
// when the disk works again the same command ends with exactly the rows that
// there are, in the crawl file, in the file of -o and in the WARC files.
func TestDiskFaults(t *testing.T) {
	root, want := faultyWeb(t)
	bin := thisBinary(t)
	crawl := func(dir string) []string {
		return []string{
			"crawl", root, "--db", filepath.Join(dir, "crawl.pawl"), "-o", filepath.Join(dir, "pages.csv"),
			"--warc", filepath.Join(dir, "warc"), "--store-bodies", "--links", "--min-free", "0",
			"--delay", "0", "--per-host", "4", "--progress", "none", "--log-level", "warn",
		}
	}
	// whole tells what is missing of a crawl that is finished.
	whole := func(t *testing.T, f *faulty, isClosed bool) error {
		all := f.good(t, "export", "--db", filepath.Join(f.dir, "crawl.pawl"))
		if written, err := os.ReadFile(filepath.Join(f.dir, "pages.csv")); err != nil || string(written) != all {
			return fmt.Errorf("-o is not what an export writes (%w)", err)
		}
		got := map[string][2]string{}
		for _, row := range table(t, "export", []byte(all)) {
			got[row["url"]] = [2]string{row["outcome"], row["status"]}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("there are %d rows, want %d", len(got), len(want))
		}
		return checkResponses(filepath.Join(f.dir, "warc"), got, isClosed)
	}
	for _, test := range []struct {
		name  string
		first func(t *testing.T, f *faulty) // done before
	}{
		{"from the start", func(*testing.T, *faulty) {}},
		{"after a kill", func(t *testing.T, f *faulty) {
			// What is outside the crawl file is ahead of it then.
			syncs := 0
			f.traced(t, func(op *disktrace.Op) disktrace.Fault {
				if op.Kind == disktrace.Sync && strings.HasSuffix(op.Path, ".warc.gz.open") {
					syncs++
				}
				return disktrace.Fault{Kill: syncs == 2}
			}, append([]string{bin}, crawl(f.dir)...)...)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := func(t *testing.T, f *faulty) {
				test.first(t, f)
				f.run(t, append([]string{bin}, crawl(f.dir)...)...)
			}
			eachFault(t, 3, run, func(t *testing.T, f *faulty) {
				run(t, f)
				db := filepath.Join(f.dir, "crawl.pawl")
				f.checkEnding(t, func() error { return whole(t, f, false) })
				if _, err := os.Stat(db); err == nil {
					f.good(t, "verify", "--db", db)
					all := f.good(t, "export", "--db", db)
					rows := len(table(t, "export", []byte(all)))
					said := doneSaid.FindStringSubmatch(f.talk)
					if said != nil && said[1] != fmt.Sprint(rows) && test.name == "from the start" {
						t.Errorf("%s: %d rows are there: %s", f, rows, f.talk)
					}
					written, err := os.ReadFile(filepath.Join(f.dir, "pages.csv"))
					if err == nil && !strings.HasPrefix(all, string(written)) {
						t.Errorf("%s: -o is not a beginning of what an export writes", f)
					}
				}
				f.good(t, crawl(f.dir)...)
				f.good(t, "verify", "--db", db)
				if err := whole(t, f, true); err != nil {
					t.Errorf("%s: in the end %v; at first it said %s", f, err, f.talk)
				}
			})
		})
	}
}

// TestDiskFaultsAtRest has the disk fail under the commands that write while
// nobody crawls: the crawl file is sound and holds what it held, or what the
// command was to do; nothing but what is whole has the name of a result; and when
// the disk works again the same command does it.
func TestDiskFaultsAtRest(t *testing.T) {
	root, _ := faultyWeb(t)
	bin := thisBinary(t)
	model := filepath.Join(t.TempDir(), "crawl.pawl")
	command(t, bin, "crawl", root, "--db", model, "--store-bodies", "--max-pages", "8", "--delay", "0", "--progress", "none", "--log-level", "warn")
	crawled, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	pages := string(command(t, bin, "export", "--db", model))
	queue := strings.Count(string(command(t, bin, "queue", "list", "--db", model)), "\n")
	for _, test := range []struct {
		name   string
		args   string
		result string // the file that is made
		queue  int    // how many are pending when it is done
	}{
		{"compact", "compact", "", queue},
		{"snapshot", "snapshot -o D/copy.pawl", "copy.pawl", queue},
		{"export", "export -o D/pages.csv", "pages.csv", queue},
		{"export parquet", "export -o D/pages.parquet", "pages.parquet", queue},
		{"export sqlite", "export -o D/pages.sqlite", "pages.sqlite", queue},
		{"export warc", "export warc -o D/pages.warc.gz", "pages.warc.gz", queue},
		{"export --follow", "export --follow -o D/pages.csv", "pages.csv", queue},
		{"queue add", "queue add " + root + "added", "", queue + 1},
		{"queue drop", "queue drop --match .", "", 0},
		{"set", "set delay=2s max-pages=100", "", queue},
	} {
		t.Run(test.name, func(t *testing.T) {
			prepare := func(t *testing.T, f *faulty) (args []string) {
				if err := os.WriteFile(filepath.Join(f.dir, "crawl.pawl"), crawled, 0o600); err != nil {
					t.Error(err)
				}
				args = strings.Fields(strings.ReplaceAll(test.args, "D/", f.dir+string(filepath.Separator)))
				return append(args, "--db", filepath.Join(f.dir, "crawl.pawl"))
			}
			run := func(t *testing.T, f *faulty) { f.run(t, append([]string{bin}, prepare(t, f)...)...) }
			eachFault(t, 1, run, func(t *testing.T, f *faulty) {
				args := prepare(t, f)
				db, result := filepath.Join(f.dir, "crawl.pawl"), filepath.Join(f.dir, test.result)
				isDone := func() error {
					if n := strings.Count(f.good(t, "queue", "list", "--db", db), "\n"); n != test.queue {
						return fmt.Errorf("%d are pending, want %d", n, test.queue)
					}
					return f.checkResult(t, result, pages, false)
				}
				f.run(t, append([]string{bin}, args...)...)
				f.checkEnding(t, isDone)
				f.good(t, "verify", "--db", db)
				if f.good(t, "export", "--db", db) != pages {
					t.Errorf("%s: the rows are others: %s", f, f.talk)
				}
				if n := strings.Count(f.good(t, "queue", "list", "--db", db), "\n"); n != queue && n != test.queue {
					t.Errorf("%s: %d are pending: %s", f, n, f.talk)
				}
				f.checkNames(t, test.result)
				if _, err := os.Stat(result); err == nil && test.result != "" {
					if err := f.checkResult(t, result, pages, strings.Contains(test.args, "--follow")); err != nil {
						t.Errorf("%s: %v", f, err)
					}
					if f.code == cli.ExitOK || test.result == "copy.pawl" {
						return // a copy replaces nothing
					}
				}
				f.good(t, args...)
				if err := isDone(); err != nil {
					t.Errorf("%s: in the end %v", f, err)
				}
			})
		})
	}
}

// TestDiskFaultsBesideACrawl has the disk fail to which a running crawl is copied, and
// that on which its rows are written for a command: the command ends with exit code
// 5 and leaves nothing that is not right, and the crawl goes on.
func TestDiskFaultsBesideACrawl(t *testing.T) {
	o := fakeweb.Defaults()
	o.Pages, o.Latency, o.Tally = 5000, fakeweb.Fixed(5*time.Millisecond), false
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	bin := thisBinary(t)
	for _, fault := range diskFaults() {
		if fault.once {
			continue
		}
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			dir, beside := t.TempDir(), t.TempDir()
			db := filepath.Join(dir, "crawl.pawl")
			// Who traces must know it, and it would be made by the command.
			if err := os.WriteFile(filepath.Join(beside, "pages.csv"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var talk bytes.Buffer
			var first string // operation that failed, for nobody
			begun := make(chan struct{})
			rec := make(chan *disktrace.Recording, 1)
			go func() {
				r, err := disktrace.Run(t.Context(), disktrace.Command{
					Args:   []string{bin, "crawl", server.URL + "/", "--db", db, "--delay", "0", "--progress", "none", "--log-level", "warn"},
					Folder: beside, Stderr: &talk, WithoutData: true, Started: func(int) { close(begun) },
					Policy: fault.policy(beside, 1, &first), // what is made first is there
				})
				if err != nil {
					t.Error(err)
				}
				rec <- r
			}()
			select {
			case <-begun:
			case <-rec:
				return // it cannot be traced
			}
			until(t, "20 pages", func() bool {
				if _, err := os.Stat(db); err != nil {
					return false
				}
				end := call("status", "--db", db)
				return end.code == cli.ExitOK && strings.Count(call("export", "--db", db, "--columns", "seq").out, "\n") > 20
			})
			f := &faulty{fault: fault, dir: beside}
			for _, args := range [][]string{
				{"snapshot", "-o", filepath.Join(beside, "copy.pawl")},
				{"export", "--follow", "-o", filepath.Join(beside, "pages.csv")},
			} {
				f.ending = call(append(args, "--db", db)...)
				f.first = "pawl " + args[0]
				f.checkEnding(t, func() error { return nil })
				if _, err := os.Stat(filepath.Join(beside, "copy.pawl")); err == nil {
					t.Errorf("%s: there is a copy", f)
				}
			}
			if end := call("stop", "--db", db); end.code != cli.ExitOK {
				t.Errorf("pawl stop: exit code %d: %s", end.code, end.talk)
			}
			if r := <-rec; r.Status.ExitStatus() != cli.ExitStopped {
				t.Errorf("%v: %s", r.Failed(), talk.String())
			}
			f.good(t, "verify", "--db", db)
			if rows, _ := os.ReadFile(filepath.Join(beside, "pages.csv")); !strings.HasPrefix(f.good(t, "export", "--db", db), string(rows)) {
				t.Errorf("%s: %d bytes of other rows", f, len(rows))
			}
		})
	}
}

// checkNames fails when there is another file in the folder than the crawl file and
// the result, unless it could not be removed.
func (f *faulty) checkNames(t *testing.T, result string) {
	t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		name := e.Name()
		if name == "crawl.pawl" || name == result || f.fault.hits(&disktrace.Op{Kind: disktrace.Unlink}, f.dir) {
			continue
		}
		t.Errorf("%s: %s is left behind: %s", f, name, f.talk)
	}
}

// checkResult tells what is wrong with a file that was written. One that may grow
// may be a beginning.
func (f *faulty) checkResult(t *testing.T, name, pages string, mayGrow bool) error {
	t.Helper()
	if name == f.dir {
		return nil // there is none
	}
	written, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	switch filepath.Ext(name) {
	case ".csv":
		if string(written) != pages && !(mayGrow && strings.HasPrefix(pages, string(written))) {
			return fmt.Errorf("%s holds %d bytes of %d", name, len(written), len(pages))
		}
	case ".pawl":
		f.good(t, "verify", "--db", name)
		if f.good(t, "export", "--db", name) != pages {
			return fmt.Errorf("%s is another crawl", name)
		}
	case ".gz":
		if _, err := warccheck.Validate(bytes.NewReader(written)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	case ".parquet":
		if !bytes.HasPrefix(written, []byte("PAR1")) || !bytes.HasSuffix(written, []byte("PAR1")) {
			return fmt.Errorf("%s is cut", name)
		}
	case ".sqlite":
		if len(written) < 100 || len(written) != int(binary.BigEndian.Uint16(written[16:]))*int(binary.BigEndian.Uint32(written[28:])) {
			return fmt.Errorf("%s is cut", name)
		}
	}
	return nil
}

// checkResponses tells how a folder of complete WARC files differs from the rows:
// one response for each that has a status. Of one that was not closed something may
// be left to be removed.
func checkResponses(dir string, rows map[string][2]string, isClosed bool) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	var files []io.Reader
	for _, name := range names {
		if strings.HasSuffix(name, ".cdxj") {
			continue
		}
		if !strings.HasSuffix(name, ".warc.gz") {
			if !isClosed {
				continue
			}
			return fmt.Errorf("%s is left behind", name)
		}
		file, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		index, err := os.ReadFile(strings.TrimSuffix(name, ".warc.gz") + ".cdxj")
		if err != nil {
			return err
		}
		if err := warccheck.Index(index, file, filepath.Base(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, bytes.NewReader(file))
	}
	report, err := warccheck.Validate(files...)
	if err != nil {
		return err
	}
	found := map[string]int{}
	for _, r := range report.Records {
		if r.Type == "response" || r.Type == "revisit" {
			found[r.URI]++
		}
	}
	for url, row := range rows {
		n := 0
		if row[1] != "" {
			n = 1
		}
		if found[url] != n {
			return fmt.Errorf("%d responses of %s", found[url], url)
		}
		delete(found, url)
	}
	if len(found) > 0 {
		return fmt.Errorf("responses without rows: %v", found)
	}
	return nil
}
