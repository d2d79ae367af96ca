package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pawl/internal/fakeweb"
)

var politeRun = flag.Bool("polite", false, "run TestPolite, which takes real time and measures it")

// TestPolite crawls 50 hosts over loopback with the real binary, stopping it
// and killing it now and then, and reports what the servers saw: never more
// than one request at a time on a host, and never less than the delay from one
// to the next. It measures time, so it runs on request only; the same is held
// exactly, in fake time, by the tests of package crawl.
func TestPolite(t *testing.T) {
	if !*politeRun {
		t.Skip("measures real time; make polite runs it")
	}
	const hosts, delay = 50, 200 * time.Millisecond
	o := fakeweb.Defaults()
	o.Hosts, o.Pages, o.CrossEvery = hosts, 60, 5
	o.Faults = fakeweb.Faults{NotFound: 30, Redirect: 50, Reset: 10}
	o.Latency = fakeweb.Fixed(20 * time.Millisecond)
	o.Tally = true
	web, roots := startWeb(t, o)
	dir := t.TempDir()
	bin := realBinary(t)
	args := append([]string{
		"crawl", "--db", filepath.Join(dir, "crawl.pawl"), "--delay", delay.String(), "--workers", "64",
		"--progress", "none", "--log-level", "error", "--retries", "1",
	}, roots...)
	kills, stops := 0, 0
	for n := 0; ; n++ {
		cmd, done, talk := start(t, bin, args)
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%v\n%s", err, talk.String())
			}
		case <-time.After(time.Second + rand.N(time.Second)):
			if n%2 == 0 {
				kills++
				cmd.Process.Kill()
			} else {
				stops++
				cmd.Process.Signal(os.Interrupt)
			}
			<-done
			continue
		}
		break
	}
	least, most, requests := time.Hour, 0, 0
	for host, tally := range web.Tally().Hosts() {
		if tally.MaxOpen > 1 {
			t.Errorf("%s saw %d requests at a time", host, tally.MaxOpen)
		}
		if tally.MinGap < delay {
			t.Errorf("%s saw a gap of %v", host, tally.MinGap)
		}
		least, most, requests = min(least, tally.MinGap), max(most, tally.MaxOpen), requests+tally.Requests
	}
	t.Logf("%d hosts, %d requests, %d kills and %d stops: least gap %v (asked for %v), most at a time %d",
		hosts, requests, kills, stops, least, delay, most)
}
