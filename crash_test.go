package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

var (
	crashKills = flag.Int("crash.kills", 6, "how often TestKill kills the crawler")
	crashPages = flag.Int("crash.pages", 400, "how many pages it crawls")
	crashSeed  = flag.Uint64("crash.seed", 0, "seed of the instants at which it kills, 0: by chance")
)

// TestKill kills the real binary with SIGKILL at random instants of one crawl,
// starts it again until the crawl is done, and holds the guarantee of the
// README against what the server saw:
//
//   - no URL with a stored outcome is asked for again;
//   - every reachable URL ends with exactly one outcome, the right one;
//   - what is fetched again after a kill is what was in flight or not yet
//     committed;
//   - the file is sound after every kill, and an export gives the same bytes
//     each time.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-crash.seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))

	const hosts, workers = 4, 16
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = hosts, *crashPages/hosts
	o.CrossEvery = 7
	o.Faults = fakeweb.Faults{NotFound: 20, ServerError: 5, Redirect: 30, Chain: 5, Loop: 5, Bounce: 10, Binary: 10, Gzip: 300, ChainHops: 2}
	o.Tally = true
	// The crawl shall last as long as it takes to kill it that often.
	perKill := 150 * time.Millisecond
	latency := time.Duration(*crashKills) * perKill * workers / time.Duration(*crashPages)
	o.Latency = func(host, path string) time.Duration {
		h := fnv.New32a()
		h.Write([]byte(path))
		return latency/2 + time.Duration(h.Sum32()%1000)*latency/1000
	}
	web, roots := startWeb(t, o)

	dir := t.TempDir()
	db := filepath.Join(dir, "crawl.pawl")
	bin := realBinary(t)
	args := append([]string{"crawl", "--db", db, "--delay", "0", "--per-host", fmt.Sprint(workers / hosts), "--workers", fmt.Sprint(workers), "--progress", "none", "--log-level", "error", "--retries", "1"}, roots...)

	stored := map[string]int{} // URLs with an outcome, and how often they had been asked for by then
	kills := 0
	for {
		wait := time.Duration(-1)
		if kills < *crashKills {
			wait = time.Duration(chance.Int64N(int64(2 * perKill)))
		}
		killed := runAndKill(t, bin, args, wait)
		checkStored(t, web, db, stored, !killed)
		if _, err := os.Stat(db); err == nil {
			// A kill before the file was made leaves none.
			command(t, bin, "verify", "--db", db)
		}
		if !killed {
			break
		}
		kills++
	}
	if kills < *crashKills {
		t.Errorf("the crawl was over after %d kills of %d", kills, *crashKills)
	}

	rows := readRows(t, bin, db)
	asked, again := 0, 0
	for want := range web.Expected(fakeweb.Walk{Roots: roots}) {
		if want.Outcome == fakeweb.Skipped {
			continue
		}
		got, ok := rows[want.URL]
		delete(rows, want.URL)
		switch wish := [...]string{string(want.Outcome), statusText(want.Status)}; {
		case !ok:
			t.Errorf("lost: %s", want.URL)
		case got != wish:
			t.Errorf("%s: %v, want %v", want.URL, got, wish)
		}
		n := requests(web, want.URL)
		asked += n
		usual := 1
		switch {
		case want.Outcome == fakeweb.Blocked:
			usual = 0
		case want.Kind == fakeweb.ServerError, want.Kind == fakeweb.Bounce:
			usual = 2
		}
		again += max(n-usual, 0)
	}
	for u, row := range rows {
		t.Errorf("not expected: %s %v", u, row)
	}
	perKillAgain := float64(again) / float64(max(kills, 1))
	t.Logf("%d kills, %d requests, %d of them again: %.1f a kill", kills, asked, again, perKillAgain)
	if limit := float64(workers + 256); perKillAgain > limit {
		t.Errorf("%.1f pages were fetched again for each kill, more than the workers and one commit's worth", perKillAgain)
	}
	for _, what := range []string{"pages", "errors", "skipped", "queue"} {
		if a, b := command(t, bin, "export", what, "--db", db), command(t, bin, "export", what, "--db", db); !bytes.Equal(a, b) {
			t.Errorf("two exports of %s differ", what)
		}
	}
	before := web.Tally().Total()
	if runAndKill(t, bin, args, -1) || web.Tally().Total() != before {
		t.Errorf("running it once more made %d requests", web.Tally().Total()-before)
	}
}

func statusText(status int) string {
	if status == 0 {
		return ""
	}
	return fmt.Sprint(status)
}

// startWeb serves all hosts of a web on loopback until the test ends.
func startWeb(t *testing.T, o fakeweb.Options) (web *fakeweb.Web, roots []string) {
	t.Helper()
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	roots, stop, err := web.Start(o.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return web, roots
}

// realBinary is the path of the real binary, which all tests share and none writes to.
func realBinary(t *testing.T) string {
	t.Helper()
	bin, err := builtBinary()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// builtBinary builds it beside the commands of testscript, which removes them when all
// tests are over.
var builtBinary = sync.OnceValues(func() (bin string, err error) {
	beside, err := exec.LookPath("pawl")
	if err != nil {
		return "", err
	}
	bin = filepath.Join(filepath.Dir(beside), "real", filepath.Base(beside))
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
})

// start starts the binary. done has what came of it; then talk is what it said.
func start(t *testing.T, bin string, args []string) (cmd *exec.Cmd, done <-chan error, talk *bytes.Buffer) {
	t.Helper()
	talk = new(bytes.Buffer)
	cmd = exec.Command(bin, args...)
	cmd.Stderr = talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return cmd, ended, talk
}

// runAndKill runs the crawl and kills it after the wait, unless it ends before;
// a negative wait lets it run.
func runAndKill(t *testing.T, bin string, args []string, wait time.Duration) (killed bool) {
	t.Helper()
	cmd, done, talk := start(t, bin, args)
	var kill <-chan time.Time
	if wait >= 0 {
		kill = time.After(wait)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("the crawl failed: %v\n%s", err, talk.String())
		}
		return false
	case <-kill:
		cmd.Process.Kill()
		err := <-done
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return false // it ended first
		}
		if exit.Exited() && runtime.GOOS != "windows" {
			t.Fatalf("the crawl failed: %v\n%s", err, talk.String())
		}
		return true
	}
}

// checkStored reads which URLs have an outcome, and fails when one that had it
// before was asked for since.
func checkStored(t *testing.T, web *fakeweb.Web, db string, stored map[string]int, ended bool) {
	t.Helper()
	for u, n := range stored {
		if now := requests(web, u); now != n {
			t.Errorf("%s had an outcome and was asked for again", u)
			stored[u] = now
		}
	}
	if _, err := os.Stat(db); err != nil && !ended {
		return
	}
	file, err := storage.Open(db, true)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := map[string]bool{}
	err = file.Walk(1, 1<<62, func(seq uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindVisit {
			return nil
		}
		v, err := storage.DecodeVisit(event)
		if err != nil {
			return err
		}
		if seen[v.URL] {
			t.Errorf("doubled: %s", v.URL)
		}
		seen[v.URL] = true
		if _, ok := stored[v.URL]; !ok {
			stored[v.URL] = requests(web, v.URL)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for u := range stored {
		if !seen[u] {
			t.Errorf("the outcome of %s is gone", u)
		}
	}
}

// requests is how often the server was asked for the address, in this spelling
// or with the tracking parameter that some pages bounce to.
func requests(web *fakeweb.Web, address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	target := strings.TrimPrefix(address, u.Scheme+"://"+u.Host)
	n := web.Tally().URL(u.Host, target)
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	return n + web.Tally().URL(u.Host, target+sep+"utm_source=bounce")
}

func command(t *testing.T, bin string, args ...string) []byte {
	t.Helper()
	var out, talk bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("pawl %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), talk.String())
	}
	return out.Bytes()
}

// readRows exports the pages: URL to outcome and status.
func readRows(t *testing.T, bin, db string) map[string][2]string {
	t.Helper()
	text := command(t, bin, "export", "pages", "--db", db, "--columns", "url,outcome,status")
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][2]string{}
	for _, r := range records[1:] {
		if _, ok := rows[r[0]]; ok {
			t.Errorf("doubled in the export: %s", r[0])
		}
		rows[r[0]] = [2]string{r[1], r[2]}
	}
	return rows
}
