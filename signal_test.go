//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pawl/internal/fakeweb"
)

// gate is a web that tells when it has been asked a number of times.
type gate struct {
	web     *fakeweb.Web
	root    string
	reached chan struct{} // closed at the n-th request
}

// newGate serves a site of 60 pages. Requests from the n-th on take as long as
// after says, those before no time.
func newGate(t *testing.T, n int64, after time.Duration) *gate {
	t.Helper()
	g := &gate{reached: make(chan struct{})}
	o := fakeweb.Defaults()
	o.Pages = 60
	var asked atomic.Int64
	o.Latency = func(string, string) time.Duration {
		switch i := asked.Add(1); {
		case i < n:
			return 0
		case i == n:
			close(g.reached)
		}
		return after
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
	g.web, g.root = web, roots[0]
	return g
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func TestSignalStopsAndResumeGoesOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal os.Signal
	}{{"SIGINT", os.Interrupt}, {"SIGTERM", syscall.SIGTERM}, {"SIGHUP", syscall.SIGHUP}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t, 12, 10*time.Millisecond)
			db := filepath.Join(t.TempDir(), "my crawl.pawl")
			cmd := exec.Command("pawl", "crawl", g.root, "--db", db, "--delay", "0", "--log-level", "error")
			var said strings.Builder
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-g.reached
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCode(t, cmd.Wait()); code != 4 {
				t.Errorf("exit code %d, want 4", code)
			}
			if want := "go on with: pawl resume --db '" + db + "'"; !strings.Contains(said.String(), want) {
				t.Errorf("said %q, which lacks %q", said.String(), want)
			}
			for _, args := range [][]string{{"verify"}, {"resume"}, {"verify"}} {
				out, err := exec.Command("pawl", append(args, "--db", db)...).CombinedOutput()
				if err != nil {
					t.Fatalf("pawl %s: %v: %s", args[0], err, out)
				}
				if args[0] == "resume" && strings.Contains(string(out), "did not end cleanly") {
					t.Errorf("a stop in order is told as an unclean end: %s", out)
				}
			}
			for host, tally := range g.web.Tally().Hosts() {
				for url, n := range g.web.Tally().URLs(host) {
					if n != 1 {
						t.Errorf("%s was asked for %d times", url, n)
					}
				}
				if tally.Requests < 50 {
					t.Errorf("only %d requests", tally.Requests)
				}
			}
		})
	}
}

func TestSecondSignalLeavesAtOnce(t *testing.T) {
	g := newGate(t, 3, time.Hour)
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	cmd := exec.Command("pawl", "crawl", g.root, "--db", db, "--delay", "0")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	start := time.Now()
	signal := func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	const want = "pawl: stopping: waiting for 1 request in flight (Ctrl-C again to leave at once)"
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && lines.Text() != want {
	}
	// Sooner it would count as the same signal, told twice.
	time.Sleep(2 * sameSignal)
	signal()
	rest, _ := io.ReadAll(stderr)
	if code := exitCode(t, cmd.Wait()); code != 4 {
		t.Errorf("exit code %d, want 4; said %q", code, rest)
	}
	// The first signal alone would have waited for ten seconds.
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("left after %v", took)
	}
	out, err := exec.Command("pawl", "status", "--db", db).Output()
	if err != nil || !strings.Contains(string(out), "did not end cleanly; nothing is lost") {
		t.Errorf("status: %v, %q", err, out)
	}
	if out, err := exec.Command("pawl", "verify", "--db", db).Output(); err != nil {
		t.Errorf("verify: %v, %s", err, out)
	}
}

// TestNoHangUp holds that what was started with nohup goes on after a hang-up.
func TestNoHangUp(t *testing.T) {
	g := newGate(t, 5, time.Millisecond)
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec pawl crawl "$0" --db "$1" --delay 0 -q`, g.root, db)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
