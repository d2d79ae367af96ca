//go:build linux

package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	idleFor   = flag.Duration("idle.for", 2*time.Second, "how long TestIdle looks at a crawl that waits")
	idleHosts = flag.String("idle.hosts", "1000", "with how many hosts")
	idleAll   = flag.Bool("idle.all", false, "wait in every way, with and without a panel and metrics")
)

// mostIdle is how much of a core a crawl that waits may take. The brief form
// cannot tell one percent, for the kernel counts in hundredths of a second.
const (
	mostIdle      = 0.01
	mostIdleBrief = 0.05
)

// mostToIdle is how long a crawl may take until it has nothing to do but wait.
const mostToIdle = 5 * time.Minute

// TestIdle runs crawls that have nothing to do but wait, with the real binary,
// and reads from the kernel how much of a core they take and how often they wake
// up.
func TestIdle(t *testing.T) {
	t.Parallel()
	// A proxy that stands for all hosts, each of which wants to be left alone for
	// long.
	var asked atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if r.URL.Path == "/robots.txt" {
				fmt.Fprint(w, "User-agent: *\nCrawl-delay: 7200\n")
			}
		}))
	}()
	for number := range strings.SplitSeq(*idleHosts, ",") {
		hosts, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			args  []string
			asks  bool // all hosts are asked for their robots.txt first
			pause bool
			apart bool // from the network
			panel bool
			brief bool
		}{
			{name: "crawl-delay", asks: true, brief: true},
			{name: "paused", asks: true, pause: true},
			{name: "outside of its hours", args: []string{"--hours", closedHours()}, brief: true},
			{name: "no network", apart: true},
			{name: "crawl-delay, with a panel", asks: true, panel: true},
			{name: "crawl-delay, with a line", asks: true, args: []string{"--progress", "plain"}},
			{name: "crawl-delay, with metrics", asks: true, args: []string{"--listen", "127.0.0.1:0"}},
		} {
			if !*idleAll && !c.brief {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d hosts", c.name, hosts), func(t *testing.T) {
				dir := t.TempDir()
				var seeds strings.Builder
				for h := range hosts {
					fmt.Fprintf(&seeds, "http://h%d.example.net/\n", h)
				}
				list, db := filepath.Join(dir, "seeds"), filepath.Join(dir, "crawl.pawl")
				if err := os.WriteFile(list, []byte(seeds.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				args := []string{"crawl", "--seeds", list, "--db", db, "--log-level", "error", "--workers", "64", "--progress", "none"}
				if !c.apart {
					args = append(args, "--proxy", "http://"+listener.Addr().String())
				}
				args = append(args, c.args...)
				cmd := exec.Command("pawl", args...)
				switch {
				case c.apart:
					cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET}
				case c.panel:
					if _, err := exec.LookPath("script"); err != nil {
						t.Skip("no program named script, which gives a terminal")
					}
					args[len(args)-3] = "bar"
					cmd = exec.Command("script", "-qfec", "exec pawl "+strings.Join(args, " "), "/dev/null")
				}
				before := asked.Load()
				cmd.Env = append(os.Environ(), "TERM=xterm")
				if err := cmd.Start(); err != nil {
					if c.apart {
						t.Skip("no namespaces here: ", err)
					}
					t.Fatal(err)
				}
				defer func() {
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
				}()
				pid := cmd.Process.Pid
				if c.panel {
					pid = child(t, pid)
				}
				// It is in the middle of waiting when nothing has come for a while.
				want := before
				if c.asks {
					want += int64(hosts)
				}
				end := time.Now().Add(mostToIdle)
				for isKnown, quiet, used := false, 0, 0.0; quiet < 3; {
					if time.Now().After(end) {
						t.Fatalf("it does not come to rest in %v: all hosts are known %v, %d of %d requests, %.2f s of a core",
							mostToIdle, isKnown, asked.Load()-before, want-before, used)
					}
					time.Sleep(500 * time.Millisecond)
					if !isKnown {
						out, _ := exec.Command("pawl", "status", "--json", "--db", db).Output()
						isKnown = strings.Contains(string(out), fmt.Sprintf(`"known": %d,`, hosts))
					}
					now, _ := usedBy(t, pid)
					if quiet++; !isKnown || asked.Load() < want || now-used > 0.05 {
						quiet = 0
					}
					used = now
				}
				if c.pause {
					command(t, "pawl", "pause", "--db", db)
				}
				cpu, wakes := usedBy(t, pid)
				time.Sleep(*idleFor)
				cpuThen, wakesThen := usedBy(t, pid)
				share := (cpuThen - cpu) / idleFor.Seconds()
				t.Logf("%.2f %% of a core, %.0f wake-ups a second", 100*share, float64(wakesThen-wakes)/idleFor.Seconds())
				most := mostIdle
				if *idleFor < 10*time.Second {
					most = mostIdleBrief
				}
				if share > most {
					t.Errorf("it takes more than %.0f %% of a core to wait", 100*most)
				}
			})
		}
	}
}

// closedHours are hours of the day at which it is not now, nor soon.
func closedHours() string {
	now := time.Now()
	return fmt.Sprintf("%02d:00-%02d:00", (now.Hour()+10)%24, (now.Hour()+11)%24)
}

// child is the process that another one has started.
func child(t *testing.T, pid int) int {
	t.Helper()
	for range 100 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			t.Skip("the kernel does not tell which processes a process has started: ", err)
		}
		if first, _, _ := strings.Cut(string(text), " "); first != "" {
			n, err := strconv.Atoi(first)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no process was started")
	return 0
}

// usedBy is how many seconds of a core a process has used so far, and how often
// its threads have gone to sleep.
func usedBy(t *testing.T, pid int) (cpu float64, sleeps int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		cpu += float64(n) / 100
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, th := range threads {
		text, _ := os.ReadFile(th)
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				n, _ := strconv.Atoi(strings.TrimSpace(value))
				sleeps += n
			}
		}
	}
	return cpu, sleeps
}
