//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pawl/internal/fakeweb"
)

// steps is a web of one host that lets a test wait until it was asked so often.
type steps struct {
	root  string
	asked atomic.Int64
}

func newSteps(t *testing.T, pages int, latency time.Duration) *steps {
	t.Helper()
	s := &steps{}
	o := fakeweb.Defaults()
	o.Pages = pages
	o.Faults = fakeweb.Faults{NotFound: 50}
	o.Latency = func(string, string) time.Duration {
		s.asked.Add(1)
		return latency
	}
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	roots, stop, err := web.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	s.root = roots[0]
	return s
}

// until waits for something that another process does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in 30 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func linesIn(name string) int {
	b, _ := os.ReadFile(name)
	return bytes.Count(b, []byte("\n"))
}

// follower is a pawl export --follow.
type follower struct {
	*exec.Cmd
	out, said bytes.Buffer
}

func follow(t *testing.T, db string, args ...string) *follower {
	t.Helper()
	f := &follower{Cmd: exec.Command("pawl", append([]string{"export", "--follow", "--db", db}, args...)...)}
	f.Stdout, f.Stderr = &f.out, &f.said
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Process.Kill() })
	return f
}

// A crawl is killed twice while its rows are followed, to a file and to a pipe, and
// who follows it is killed as well: in the end both have what an export gives, and
// rows come while the crawl runs.
func TestFollowARunningCrawl(t *testing.T) {
	s := newSteps(t, 400, 15*time.Millisecond)
	dir := t.TempDir()
	db, out := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "out.csv")
	crawl := func() *exec.Cmd {
		cmd := exec.Command("pawl", "crawl", s.root, "--db", db, "--delay", "0", "--per-host", "2", "-q", "--retries", "0")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd
	}
	running := crawl()
	until(t, "the first pages", func() bool { return s.asked.Load() > 10 })
	toFile, toPipe := follow(t, db, "-o", out), follow(t, db)
	for kill := range 2 {
		rows, asked := linesIn(out), s.asked.Load()
		until(t, "rows of a running crawl", func() bool { return linesIn(out) > rows+10 })
		until(t, "more pages", func() bool { return s.asked.Load() > asked+60 })
		if kill == 1 {
			if err := toFile.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = toFile.Wait()
		}
		if err := running.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = running.Wait()
		if kill == 1 {
			toFile = follow(t, db, "-o", out)
		}
		running = crawl()
	}
	if err := running.Wait(); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]*follower{"to a file": toFile, "to a pipe": toPipe} {
		if err := f.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, f.said.String())
		}
	}
	whole, err := exec.Command("pawl", "export", "--db", db).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); !bytes.Equal(got, whole) {
		t.Errorf("the file has %d bytes, an export %d", len(got), len(whole))
	}
	if !bytes.Equal(toPipe.out.Bytes(), whole) {
		t.Errorf("the pipe had %d bytes, an export has %d", toPipe.out.Len(), len(whole))
	}
}

// A crawl goes on with another field: a stream of its rows, which has no column for
// that, ends with an error and says so.
func TestFollowNoticesOtherFields(t *testing.T) {
	s := newSteps(t, 400, 15*time.Millisecond)
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	crawl := func(args ...string) *exec.Cmd {
		cmd := exec.Command("pawl", append([]string{"crawl", "--db", db, "--delay", "0", "--per-host", "2", "-q"}, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd
	}
	running := crawl(s.root)
	until(t, "the first pages", func() bool { return s.asked.Load() > 10 })
	out := filepath.Join(filepath.Dir(db), "rows")
	stream, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	f := exec.Command("pawl", "export", "--follow", "--db", db)
	var said bytes.Buffer
	f.Stdout, f.Stderr = stream, &said
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Process.Kill() })
	until(t, "rows", func() bool { return linesIn(out) > 5 })
	if err := running.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = running.Wait()
	running = crawl("--field", "name=h1")
	if code := exitCode(t, f.Wait()); code != 1 || !strings.Contains(said.String(), "as when a --field was added") {
		t.Errorf("exit code %d: %s", code, &said)
	}
	// What it has is a beginning of an export without that field.
	rows, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	columns, _, _ := strings.Cut(string(rows), "\r\n")
	if err := running.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = running.Wait()
	whole, err := exec.Command("pawl", "export", "--db", db, "--columns", columns).Output()
	if err != nil || !bytes.HasPrefix(whole, rows) {
		t.Errorf("other rows were written: %v", err)
	}
}

// While the crawl runs, failed pages are asked for again: their rows go, and no
// address is in the file twice.
func TestFollowRetried(t *testing.T) {
	s := newSteps(t, 300, 15*time.Millisecond)
	dir := t.TempDir()
	db, out, own := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "out.csv"), filepath.Join(dir, "own.csv")
	crawl := exec.Command("pawl", "crawl", s.root, "--db", db, "--delay", "0", "--per-host", "2", "-q", "--retries", "0", "-o", own)
	if err := crawl.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = crawl.Process.Kill() })
	until(t, "the first pages", func() bool { return s.asked.Load() > 10 })
	f := follow(t, db, "-o", out)
	failed := func() int {
		b, _ := os.ReadFile(out)
		return bytes.Count(b, []byte(",failed,"))
	}
	for range 2 {
		until(t, "failed pages", func() bool { return failed() > 2 })
		if said, err := exec.Command("pawl", "queue", "retry", "--status", "4xx", "--db", db).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
	}
	if err := crawl.Wait(); err != nil {
		t.Error(err)
	}
	if err := f.Wait(); err != nil {
		t.Errorf("%v: %s", err, f.said.String())
	}
	whole, err := exec.Command("pawl", "export", "--db", db).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{out, own} {
		if got, _ := os.ReadFile(name); !bytes.Equal(got, whole) {
			t.Errorf("%s has %d bytes, an export %d", filepath.Base(name), len(got), len(whole))
		}
	}
	status, err := exec.Command("pawl", "status", "--json", "--db", db).Output()
	if err != nil || bytes.Contains(status, []byte(`"reopened": 0,`)) || !bytes.Contains(status, []byte(`"reopened": `)) {
		t.Errorf("nothing was asked for again: %v, %s", err, status)
	}
	urls, err := exec.Command("pawl", "export", "--db", db, "--columns", "url").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for url := range strings.SplitSeq(string(urls), "\n") {
		if url != "" && seen[url] {
			t.Errorf("%s has two rows", url)
		}
		seen[url] = true
	}
}

// Each table of a running crawl is what the crawl at rest gives, but for what has
// come since; mistakes are told in the same words.
func TestExportARunningCrawl(t *testing.T) {
	s := newSteps(t, 60, 0)
	dir := t.TempDir()
	db := filepath.Join(dir, "crawl.pawl")
	crawl := func(args ...string) *exec.Cmd {
		return exec.Command("pawl", append([]string{"crawl", "--db", db, "-q", "--retries", "0", "--links", "--store-bodies", "--field", "t=title"}, args...)...)
	}
	// It stops with pages in the queue, and then runs without doing anything.
	if out, err := crawl(s.root, "--delay", "0", "--max-pages", "30").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	type answer struct {
		out, said string
		code      int
	}
	ask := func(args ...string) answer {
		cmd := exec.Command("pawl", append([]string{"export", "--db", db}, args...)...)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		code := exitCode(t, cmd.Run())
		return answer{out.String(), said.String(), code}
	}
	questions := [][]string{
		{},
		{"errors"},
		{"redirects"},
		{"duplicates"},
		{"fields"},
		{"links"},
		{"hosts"},
		{"skipped"},
		{"queue"},
		{"sitemap"},
		{"graph"},
		{"warc"},
		{"--format", "jsonl", "--columns", "url,t,inlinks,text", "--where", "status == 200"},
		{"--profile", "screaming-frog"},
		{"links", "--where", "in_scope"},
		{"--columns", "ulr"},
		{"--columns", "url,url"},
		{"--columns", "text"},
		{"--where", "statsu > 3"},
		{"--where", "status >"},
		{"pgaes"},
		{"sitemap", "--columns", "url"},
		{"sitemap", "--base", "nowhere"},
		{"warc", "--where", "status == 200"},
		{"links", "--profile", "advertools"},
		{"--follow", "--columns", "inlinks"},
		{"--follow", "--format", "parquet"},
		{"links", "--follow"},
	}
	atRest := make([]answer, len(questions))
	for i, q := range questions {
		atRest[i] = ask(q...)
	}
	parquet := ask("--format", "parquet", "-o", filepath.Join(dir, "rest.parquet"))
	running := crawl("--delay", "1h", "--max-pages", "0")
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Process.Kill(); _ = running.Wait() })
	until(t, "the crawl runs", func() bool {
		out, err := exec.Command("pawl", "status", "--json", "--db", db).Output()
		return err == nil && bytes.Contains(out, []byte(`"live"`))
	})
	for i, q := range questions {
		want := atRest[i]
		got := ask(q...)
		if len(q) > 0 && q[0] == "queue" {
			// A page may be out by now.
			got.out = strings.ReplaceAll(got.out, ",out,", ",queued,")
		}
		if got.out != want.out {
			t.Errorf("export %q: running %d bytes, at rest %d", q, len(got.out), len(want.out))
		}
		if got.said != want.said || got.code != want.code {
			t.Errorf("export %q: running exit code %d, %q; at rest %d, %q", q, got.code, got.said, want.code, want.said)
		}
	}
	live := ask("--format", "parquet", "-o", filepath.Join(dir, "live.parquet"))
	a, _ := os.ReadFile(filepath.Join(dir, "rest.parquet"))
	b, _ := os.ReadFile(filepath.Join(dir, "live.parquet"))
	if parquet != live || len(a) == 0 || !bytes.Equal(a, b) {
		t.Errorf("parquet: running %+v, %d bytes; at rest %+v, %d", live, len(b), parquet, len(a))
	}
	if got := ask("sitemap", "-o", filepath.Join(dir, "sitemap.xml.gz")); got.code != 0 || linesIn(filepath.Join(dir, "sitemap.xml.gz")) == 0 {
		t.Errorf("sitemap -o: %+v", got)
	}
	if got := ask("--format", "sqlite", "-o", filepath.Join(dir, "live.db")); got.code != 0 || linesIn(filepath.Join(dir, "live.db")) == 0 {
		t.Errorf("sqlite: %+v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".pawl*")); len(left) > 0 {
		t.Errorf("%q were left", left)
	}
}

// What the user drops is in the table of what is skipped, and no longer in that of
// the queue, whether the crawl runs or rests; what comes back is the other way
// round.
func TestDroppedAreExported(t *testing.T) {
	s := newSteps(t, 120, 0)
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	pawl := func(args ...string) string {
		out, err := exec.Command("pawl", append(args, "--db", db)...).Output()
		if err != nil {
			t.Fatalf("pawl %q: %v", args, err)
		}
		return string(out)
	}
	urls := func(args ...string) map[string]bool {
		all := map[string]bool{}
		for _, line := range strings.Split(pawl(append([]string{"export"}, args...)...), "\n")[1:] {
			if url, _, _ := strings.Cut(strings.TrimSuffix(line, "\r"), ","); url != "" {
				if all[url] {
					t.Errorf("export %q: %s has two rows", args, url)
				}
				all[url] = true
			}
		}
		return all
	}
	pawl("crawl", s.root, "--delay", "0", "--max-pages", "20", "-q")
	queued, skipped := urls("queue"), urls("skipped")
	agree := func(when string, isDropped func(url string) bool) {
		t.Helper()
		inQueue, inSkipped := urls("queue"), urls("skipped", "--where", `reason == "parked"`)
		n := 0
		for url := range queued {
			if isDropped(url) {
				n++
			}
			if inQueue[url] == isDropped(url) || inSkipped[url] != isDropped(url) {
				t.Errorf("%s: %s is in the queue: %v, skipped: %v", when, url, inQueue[url], inSkipped[url])
			}
		}
		if len(inQueue)+n != len(queued) || len(urls("skipped")) != len(skipped)+n {
			t.Errorf("%s: %d in the queue, %d skipped", when, len(inQueue), len(urls("skipped")))
		}
	}
	ends := func(with string) func(string) bool {
		return func(url string) bool { return strings.HasSuffix(url, with) }
	}
	for _, end := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "e", "l", "/"} {
		n := 0
		for url := range queued {
			if ends(end)(url) {
				n++
			}
		}
		if n == 0 || n == len(queued) {
			continue
		}
		pawl("queue", "drop", "--match", end+"$")
		agree("dropped at rest", ends(end))
		running := exec.Command("pawl", "crawl", "--db", db, "--delay", "1h", "--max-pages", "0", "-q")
		if err := running.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = running.Process.Kill(); _ = running.Wait() })
		until(t, "the crawl runs", func() bool { return strings.Contains(pawl("status", "--json"), `"live"`) })
		agree("running", ends(end))
		pawl("queue", "restore", "--match", end+"$")
		until(t, "all come back", func() bool { return len(urls("queue")) == len(queued) })
		agree("restored", func(string) bool { return false })
		pawl("queue", "drop", "--match", ".")
		dropped := urls("queue")
		if len(dropped) > 1 { // one may be out
			t.Errorf("%d are left of all that were dropped", len(dropped))
		}
		return
	}
	t.Errorf("no end of an address divides %v", queued)
}

// The rows that a running crawl writes itself are not written by anybody else.
func TestGrowingRowsHaveOneWriter(t *testing.T) {
	s := newSteps(t, 60, 20*time.Millisecond)
	dir := t.TempDir()
	db, rows := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "pages.csv")
	crawl := exec.Command("pawl", "crawl", "--db", db, "-q", "--delay", "100ms", "-o", rows, s.root)
	if err := crawl.Start(); err != nil {
		t.Fatal(err)
	}
	defer crawl.Process.Kill()
	until(t, "rows", func() bool { return linesIn(rows) > 2 })
	for _, how := range [][]string{{}, {"--follow"}} {
		var said bytes.Buffer
		export := exec.Command("pawl", append([]string{"export", "--db", db, "-o", rows}, how...)...)
		export.Stderr = &said
		if code := exitCode(t, export.Run()); code != 2 || !strings.Contains(said.String(), "itself, as it goes on (-o)") {
			t.Errorf("%v: exit %d, %s", how, code, said.String())
		}
	}
	if out, err := exec.Command("pawl", "stop", "--db", db).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if code := exitCode(t, crawl.Wait()); code != 4 {
		t.Errorf("the crawl ended with exit %d", code)
	}
}
