package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"pawl/internal/fakeweb"
)

// TestSnapshotKill makes snapshots of a crawl that runs, and kills what makes them
// and the crawl at random. What has the name of a snapshot is a whole crawl, which
// comes to the same end as the one that it was taken of.
func TestSnapshotKill(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a crawl that was killed leaves its socket there for a while")
	}
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = 2, 300
	o.Faults.NotFound = 20
	o.Latency = func(string, string) time.Duration { return 8 * time.Millisecond }
	_, roots := startWeb(t, o)
	dir := t.TempDir()
	db := filepath.Join(dir, "crawl.pawl")
	bin := realBinary(t)
	crawl := func(db string, more ...string) []string {
		return append([]string{"crawl", "--db", db, "--delay", "0", "--per-host", "4", "--links", "--progress", "none", "--log-level", "error"}, more...)
	}
	var copies []string
	for n := 0; ; n++ {
		cmd, done, talk := start(t, bin, crawl(db, roots...))
		ended, killed := false, false
		for shots := 0; !ended && !killed; shots++ {
			to := filepath.Join(dir, fmt.Sprintf("%d-%d.pawl", n, shots))
			wait := time.Duration(-1)
			if shots%2 == 0 {
				wait = time.Duration(rand.IntN(60)) * time.Millisecond
			}
			shot, shotDone, _ := start(t, bin, []string{"snapshot", "--db", db, "-o", to})
			var kill <-chan time.Time
			if wait >= 0 {
				kill = time.After(wait)
			}
			select {
			case <-shotDone: // before there is a file it is refused
			case <-kill:
				shot.Process.Kill()
				<-shotDone
			}
			if _, err := os.Stat(to); err == nil {
				copies = append(copies, to)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Fatalf("the crawl failed: %v\n%s", err, talk.String())
				}
				ended = true
			default:
				if n < 2 && shots >= 4 {
					cmd.Process.Kill()
					<-done
					killed = true
				}
			}
		}
		if ended {
			break
		}
	}
	if len(copies) < 4 {
		t.Fatalf("only %d snapshots", len(copies))
	}
	t.Logf("%d snapshots", len(copies))
	for _, c := range copies {
		command(t, bin, "verify", "--db", c)
	}
	want := readRows(t, bin, db)
	for _, c := range []string{copies[0], copies[len(copies)/2], copies[len(copies)-1]} {
		done := readRows(t, bin, c)
		command(t, bin, crawl(c)...)
		got := readRows(t, bin, c)
		for url, row := range want {
			if got[url] != row {
				t.Errorf("gone on with %s: %s: %v, want %v", filepath.Base(c), url, got[url], row)
			}
		}
		if len(got) != len(want) || len(done) > len(want) {
			t.Errorf("gone on with %s: %d rows, want %d", filepath.Base(c), len(got), len(want))
		}
	}
}

// TestCompactKill kills what gives space back, at random: the file is always the
// old one or the new one, and both are the crawl.
func TestCompactKill(t *testing.T) {
	t.Parallel()
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = 1, 400
	_, roots := startWeb(t, o)
	dir := t.TempDir()
	db := filepath.Join(dir, "crawl.pawl")
	bin := realBinary(t)
	command(t, bin, "crawl", "--db", db, "--delay", "0", "--links", "--progress", "none", "--log-level", "error", roots[0])
	want := command(t, bin, "export", "--db", db)
	old, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	smaller := 0
	for range 8 {
		if err := os.WriteFile(db, old, 0o600); err != nil {
			t.Fatal(err)
		}
		runAndKill(t, bin, []string{"compact", "--db", db}, time.Duration(rand.IntN(60))*time.Millisecond)
		now, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(now, old) {
			smaller++
			if len(now) >= len(old) {
				t.Errorf("the new file has %d bytes, the old one %d", len(now), len(old))
			}
			command(t, bin, "verify", "--db", db)
			if !slices.Equal(command(t, bin, "export", "--db", db), want) {
				t.Error("the new file is another crawl")
			}
		}
	}
	t.Logf("%d of 8 came to their end", smaller)
}
