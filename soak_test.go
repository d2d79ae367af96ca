//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pawl/cli/control"
	"pawl/internal/fakeweb"
)

var (
	soakPages   = flag.Int("soak.pages", 3000, "how many pages TestSoak crawls")
	soakHosts   = flag.Int("soak.hosts", 30, "how many hosts they are on")
	soakFor     = flag.Duration("soak.for", 2*time.Second, "how long the crawl would take at least if nobody disturbed it; from a minute on all is larger: cuts, sleeps, hostile servers")
	soakEvents  = flag.Int("soak.events", 5, "how often it is disturbed")
	soakSeed    = flag.Uint64("soak.seed", 0, "seed of how it is disturbed, and of the web; 0: by chance")
	soakPlain   = flag.Bool("soak.plain", false, "use no namespaces: no network without a route, no disk of a few bytes")
	soakInside  = flag.Bool("soak.inside", false, "set by the test itself: it runs in namespaces of its own")
	soakBinary  = flag.String("soak.binary", "", "set by the test itself: the binary to crawl with")
	soakWorkers = flag.Int("soak.workers", 64, "how many workers the crawl has")
)

// TestSoak crawls many hosts, hostile ones among them, while everything goes wrong:
// the crawler is killed, stopped and suspended, the network is gone in several
// manners, the disk is full. Each time the same command runs again. It holds what
// comes of it against the truth and the server's count:
//
//   - each page ends with one outcome, the right one; what is skipped is too;
//   - no page ends as failed because the network was gone, though it was gone for
//     longer than all retries take;
//   - no page with an outcome is asked for again, and what is asked for again
//     otherwise is what was in flight or not committed;
//   - the file that grows is at any stop a beginning of the export;
//   - a host never sees two requests at a time;
//   - memory, goroutines and descriptors do not grow but for what an address takes.
//
// On Linux it runs in namespaces of its own, where they are allowed: there the
// network can lose its route, and the disk its last byte.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some time")
	}
	if *soakSeed == 0 {
		*soakSeed = rand.Uint64()
	}
	// What dies with us dies with this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bin := *soakBinary
	if bin == "" {
		bin = realBinary(t)
	}
	if !*soakInside && !*soakPlain {
		if runInside(t, bin) {
			return
		}
	}
	t.Logf("-soak.seed %d", *soakSeed)
	s := newSoak(t, bin)
	s.run()
	s.check()
	s.report()
}

// runInside runs the test in namespaces of its own; false: they are not allowed.
func runInside(t *testing.T, bin string) bool {
	args := []string{"-test.run=^TestSoak$", "-test.v", "-test.count=1", "-soak.inside", "-soak.binary=" + bin}
	flag.Visit(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "soak.") || f.Name == "test.timeout" {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd := exec.Command(os.Args[0], append(args, fmt.Sprint("-soak.seed=", *soakSeed))...)
	ownSystem(cmd)
	if cmd.SysProcAttr == nil {
		return false
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Logf("without namespaces: %v", err)
		return false
	}
	ran := false
	lines := bufio.NewScanner(out)
	for lines.Buffer(nil, 16<<20); lines.Scan(); {
		// Without the place, for this one is told as well.
		line := strings.TrimSpace(lines.Text())
		if place, text, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(place, "soak_test.go:") {
			line = text
		}
		ran = ran || strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "--- SKIP")
		t.Log(line)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("inside: %v", err)
		return true
	}
	return ran
}

// event is how the crawl is disturbed.
type event struct {
	kind    eventKind
	at      int64         // when so many requests were made
	failing failing       // of a cut
	lasts   time.Duration // of a cut or a sleep
	amid    eventKind     // what happens amid a cut
	small   bool          // of a full disk: no file may grow, rather than no byte is left
}

// ends tells whether a process is over after it.
func (e *event) ends() bool { return e.kind == killed || e.kind == stopped || e.kind == diskFull }

type eventKind string

const (
	noEvent   eventKind = ""
	killed    eventKind = "killed"
	stopped   eventKind = "stopped"
	suspended eventKind = "suspended"
	cutOff    eventKind = "cut off"
	diskFull  eventKind = "disk full"
)

// footprint is what a process took at one moment.
type footprint struct {
	pid       int
	known     uint64 // addresses
	resident  int64  // bytes
	anonymous int64  // bytes; resident without the pages of files
	descriptors, threads,
	goroutines int
}

// soak is a crawl that is disturbed.
type soak struct {
	t                  *testing.T
	bin, dir, db, rows string
	chance             *rand.Rand
	isLong             bool
	retries            int
	timeout            time.Duration
	net                *network
	site               *soakSite
	disk               string // a disk that can be full; empty: there is none
	hasRoute           bool   // that can be taken away
	expected           int64  // addresses with an outcome
	args               []string
	events             []event
	began              time.Time

	counts   map[eventKind]int
	cuts     map[failing]int
	read     int64 // how far the file that grows was read
	seen     []uint64
	others   map[string]int // rows of hosts that are not ours
	finished bool

	mu      sync.Mutex
	pid     int // of the process that runs; 0: none
	samples []footprint
	held    int // samples that say that the network is gone
}

func newSoak(t *testing.T, bin string) *soak {
	s := &soak{
		t: t, bin: bin, chance: rand.New(rand.NewPCG(*soakSeed, 0)), isLong: *soakFor >= time.Minute,
		retries: 2, timeout: 10 * time.Second,
		counts: map[eventKind]int{}, cuts: map[failing]int{}, others: map[string]int{},
	}
	s.takeSystem()
	hostiles := hostileFaults(s.chance, map[bool]int{false: 12, true: 0}[s.isLong])
	s.net = startNetwork(t, *soakHosts+len(hostiles), s.chance)

	o := fakeweb.Defaults()
	o.Seed, o.Hosts, o.Pages, o.Tally = *soakSeed, *soakHosts, *soakPages / *soakHosts, false
	o.PageBytes, o.LinksPerPage, o.CrossEvery = 2<<10, 12, 4
	o.Faults = fakeweb.Faults{
		NotFound: 20, ServerError: 2, Redirect: 30, Chain: 5, Loop: 3, Bounce: 10, Slow: 2, Reset: 2, Cut: 2, Binary: 20,
		Gzip: 300, ChainHops: 3, SlowBy: 300 * time.Millisecond,
	}
	if s.isLong {
		// A host that throttled once is asked once a second for some time.
		o.Faults.Throttled, o.Faults.ThrottleAsks, o.Faults.RetryAfter = 1, 1, time.Second
	}
	latency := *soakFor * time.Duration(min(*soakWorkers, *soakHosts)) / time.Duration(*soakPages)
	o.Latency = func(host, path string) time.Duration {
		return latency/2 + time.Duration(len(path)*7919%1000)*latency/1000
	}
	s.site = startSite(t, s.net, o, 5)
	for n := range s.site.ledger.Size() {
		if row, ok := s.site.ledger.Row(n); ok && row.Outcome != fakeweb.Skipped {
			s.expected++
		}
	}
	s.seen = make([]uint64, s.site.ledger.Size()/64+1)

	seeds := filepath.Join(s.dir, "seeds.txt")
	var text strings.Builder
	for _, root := range addHostile(t, s.net, o.Hosts, hostiles) {
		fmt.Fprintln(&text, root)
	}
	for h := range o.Hosts {
		fmt.Fprintln(&text, s.net.root(h))
	}
	if err := os.WriteFile(seeds, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.db, s.rows = filepath.Join(s.dir, "crawl.pawl"), filepath.Join(s.dir, "pages.csv")
	s.args = []string{
		"crawl", "--seeds", seeds, "--db", s.db, "-o", s.rows, "--delay", "0", "--workers", fmt.Sprint(*soakWorkers),
		"--retries", fmt.Sprint(s.retries), "--timeout", s.timeout.String(), "--max-body", "512KB",
		"--progress", "none", "--log-level", "error",
	}
	s.plan()
	t.Logf("%d addresses on %d hosts, %d hostile ones; answers take %v", s.expected, o.Hosts, len(hostiles), latency)
	return s
}

// takeSystem takes what can be disturbed of the system, and a folder.
func (s *soak) takeSystem() {
	s.dir = s.t.TempDir()
	if !*soakInside {
		return
	}
	if err := setLoopback(true); err != nil {
		s.t.Skipf("without namespaces: loopback: %v", err)
	}
	s.hasRoute = true
	// An address takes about 1.5 KB in the two files, a third of which are spare.
	if size := s.diskSize(); memoryFree() < size {
		s.t.Logf("no disk of our own: too little memory")
	} else if err := mountDisk(s.t, s.dir, size); err != nil {
		s.t.Logf("no disk of our own: %v", err)
	} else {
		s.disk = s.dir
	}
}

// diskSize is how large the disk is that is not full.
func (s *soak) diskSize() int64 { return 1<<30 + int64(*soakPages)*3000 }

// plan decides how the crawl is disturbed.
func (s *soak) plan() {
	kinds := []eventKind{killed, cutOff, killed, diskFull, cutOff, killed, stopped, suspended}
	for i := range *soakEvents {
		e := event{kind: kinds[i%len(kinds)]}
		// Not too near to each other: a page that is under way when the process dies
		// three times running is given up.
		e.at = int64(float64(s.expected) * (0.03 + 0.87*(float64(i)+s.chance.Float64()*0.7)/float64(*soakEvents)))
		e.lasts = time.Second + time.Duration(s.chance.Int64N(int64(time.Second)))
		if s.isLong {
			// Some are longer than an answer may take.
			e.lasts = time.Duration((1 + 24*s.chance.Float64()*s.chance.Float64()) * float64(time.Second))
		}
		s.events = append(s.events, e)
	}
	s.chance.Shuffle(len(s.events), func(i, j int) {
		a, b := &s.events[i], &s.events[j]
		a.kind, b.kind = b.kind, a.kind
	})
	// The last of a long crawl are such that one process lives through them.
	last := len(s.events) * 4 / 5
	for i := last; s.isLong && i < len(s.events); i++ {
		for j := 0; s.events[i].ends() && j < last; j++ {
			if a, b := &s.events[i], &s.events[j]; !b.ends() {
				a.kind, b.kind = b.kind, a.kind
			}
		}
	}
	gone, short := []failing{refusing, resetting}, []failing{pausing, silent}
	if s.hasRoute {
		gone = append(gone, routeless)
	}
	for _, m := range [][]failing{gone, short} {
		s.chance.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	}
	amid := []eventKind{noEvent, killed, noEvent}
	if s.isLong {
		amid = append(amid, stopped) // which waits for what is under way
	}
	cuts, fulls := 0, 0
	for i := range s.events {
		switch e := &s.events[i]; e.kind {
		case cutOff:
			if e.amid = amid[s.chance.IntN(len(amid))]; s.isLong && i >= last {
				e.amid = noEvent
			}
			if e.failing = short[cuts/2%len(short)]; cuts%2 == 0 {
				e.failing = gone[cuts/2%len(gone)]
				// Longer than all retries take.
				e.lasts = max(e.lasts, 5*time.Second)
			}
			cuts++
		case diskFull:
			e.small = s.disk == "" || fulls%2 == 1
			fulls++
		}
	}
}

// running is a process that crawls.
type running struct {
	*exec.Cmd
	done <-chan error
	talk *bytes.Buffer
}

func (s *soak) start() *running {
	s.t.Helper()
	args := s.args
	// The disk that is full is met by a commit, or seen before.
	args = append(slices.Clone(args), "--min-free", [...]string{"auto", "0"}[s.chance.IntN(2)])
	talk, done := new(bytes.Buffer), make(chan error, 1)
	cmd := exec.Command(s.bin, args...)
	cmd.Stderr = talk
	dieWithUs(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { done <- cmd.Wait() }()
	s.mu.Lock()
	s.pid = cmd.Process.Pid
	s.mu.Unlock()
	return &running{cmd, done, talk}
}

// ended takes in that a process is over, and tells whether the crawl is.
func (s *soak) ended(p *running, err error, want int, how eventKind) bool {
	s.t.Helper()
	s.mu.Lock()
	s.pid = 0
	s.mu.Unlock()
	s.site.rest()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode() // -1: by a signal
	} else if err != nil {
		s.t.Fatal(err)
	}
	talk := p.talk.String()
	if code != want && code != 0 || strings.Contains(talk, "goroutine ") || strings.Contains(talk, "internal error") {
		s.t.Fatalf("%s: exit code %d, want %d\n%s", how, code, want, talk)
	}
	if crash, err := os.ReadFile(s.db + ".crash"); err == nil && len(crash) > 0 {
		s.t.Fatalf("%s: it died by itself\n%s", how, crash)
	}
	s.finished = code == 0
	if code == want {
		s.counts[how]++
	}
	s.takeRows()
	if len(s.samples) == 0 || !s.isLong || s.chance.IntN(10) == 0 || s.finished {
		if _, err := os.Stat(s.db); err == nil {
			command(s.t, s.bin, "verify", "--db", s.db)
		}
	}
	return s.finished
}

// stuck is how long nothing may be asked. An outage on loopback is over when the
// next probe is made, at most half a minute after the network is back.
const stuck = 7 * time.Minute

// wait waits for a channel, or until the process is over, or nothing happens any
// more.
func (s *soak) wait(p *running, until <-chan struct{}) (isOver bool, err error) {
	s.t.Helper()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case err := <-p.done:
			return true, err
		case <-until:
			return false, nil
		case <-look.C:
			if s.site.idle() > stuck {
				var talk strings.Builder
				for _, args := range [][]string{{"why"}, {"status"}} {
					out, _ := exec.Command(s.bin, append(args, "--db", s.db)...).CombinedOutput()
					talk.Write(out)
				}
				p.Process.Signal(syscall.SIGQUIT)
				<-p.done
				s.t.Fatalf("nothing was asked for %v\n%s\n%s", stuck, talk.String(), p.talk.String())
			}
		}
	}
}

func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

// run crawls to the end.
func (s *soak) run() {
	s.began = time.Now()
	ctx, cancel := context.WithCancel(s.t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx) })
	defer watching.Wait()
	defer cancel()

	p := s.start()
	for i := range s.events {
		e := &s.events[i]
		if isOver, err := s.wait(p, s.site.when(e.at)); isOver {
			s.ended(p, err, 0, noEvent)
			s.t.Fatalf("the crawl was over before it was disturbed for the %d. time: %d requests, %s", i+1, s.site.total.Load(), p.talk.String())
		}
		if testing.Verbose() {
			s.t.Logf("%6.1f s, %d requests: %s %s %s", time.Since(s.began).Seconds(), s.site.total.Load(), e.kind, e.failing, e.amid)
		}
		if p = s.disturb(p, e); p == nil {
			return
		}
	}
	_, err := s.wait(p, nil)
	s.ended(p, err, 0, noEvent)
}

// disturb has an event happen, and returns the process that runs then; nil: the
// crawl is over.
func (s *soak) disturb(p *running, e *event) *running {
	s.t.Helper()
	switch e.kind {
	case killed, stopped:
		return s.end(p, e.kind)
	case suspended:
		p.Process.Signal(syscall.SIGSTOP)
		<-after(e.lasts)
		p.Process.Signal(syscall.SIGCONT)
		s.counts[suspended]++
	case cutOff:
		return s.cutOff(p, e)
	case diskFull:
		return s.fill(p, e)
	}
	return p
}

// end ends a process and starts the next.
func (s *soak) end(p *running, how eventKind) *running {
	s.t.Helper()
	want := -1
	if how == killed {
		p.Process.Kill()
	} else {
		// It can be told to stop from when it speaks.
		for {
			c, err := control.Dial(s.t.Context(), s.db, os.TempDir())
			if err == nil {
				c.Close()
				break
			}
			if isOver, err := s.wait(p, after(5*time.Millisecond)); isOver {
				s.ended(p, err, 0, noEvent)
				return nil
			}
		}
		p.Process.Signal(os.Interrupt)
		want = 4
	}
	_, err := s.wait(p, nil)
	if s.ended(p, err, want, how) {
		return nil
	}
	return s.start()
}

func (s *soak) cutOff(p *running, e *event) *running {
	s.t.Helper()
	if e.failing == routeless {
		if err := setLoopback(false); err != nil {
			s.t.Fatal(err)
		}
	}
	s.net.cut(e.failing)
	mend := func() {
		if e.failing == routeless {
			if err := setLoopback(true); err != nil {
				s.t.Fatal(err)
			}
		}
		s.net.mend(s.t)
	}
	s.cuts[e.failing]++
	s.counts[cutOff]++
	for _, amid := range []eventKind{e.amid, noEvent} {
		if isOver, err := s.wait(p, after(e.lasts/2)); isOver {
			mend()
			s.ended(p, err, 0, cutOff)
			return nil
		}
		if amid != noEvent {
			if p = s.end(p, amid); p == nil {
				mend()
				return nil
			}
		}
	}
	mend()
	return p
}

// fill has the disk be full until the crawl has stopped.
func (s *soak) fill(p *running, e *event) *running {
	s.t.Helper()
	var err error
	if e.small {
		var info os.FileInfo
		if info, err = os.Stat(s.db); err == nil {
			err = limitFiles(p.Process.Pid, info.Size()/2)
		}
	} else {
		err = fillDisk(s.disk)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return p
	}
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.wait(p, nil)
	isOver := s.ended(p, err, 5, diskFull)
	if !e.small {
		if err := resizeDisk(s.disk, s.diskSize()); err != nil {
			s.t.Fatal(err)
		}
	}
	if isOver {
		return nil
	}
	return s.start()
}

// watch takes samples of whichever process runs.
func (s *soak) watch(ctx context.Context) {
	period := 200 * time.Millisecond
	if s.isLong {
		period = time.Second
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		pid := s.pid
		s.mu.Unlock()
		if pid == 0 {
			continue
		}
		one, ok := footprintOf(pid)
		if !ok {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		c, err := control.Dial(ask, s.db, os.TempDir())
		if err == nil {
			status, err := c.Status(ask)
			if err == nil && status.Live != nil && status.Live.PID == pid {
				one.pid, one.known, one.goroutines = pid, status.Known, status.Live.Goroutines
				s.mu.Lock()
				s.samples = append(s.samples, one)
				if h := status.Live.Hold; h != nil && h.Reason == "network" {
					s.held++
				}
				s.mu.Unlock()
			}
			c.Close()
		}
		cancel()
	}
}

// takeRows reads what the file that grows has more than before. What stands there
// has an outcome.
func (s *soak) takeRows() {
	s.t.Helper()
	file, err := os.Open(s.rows)
	if err != nil {
		return // killed before it was made
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		s.t.Fatal(err)
	}
	if info.Size() < s.read {
		s.t.Errorf("the file that grows has %d bytes, and had %d", info.Size(), s.read)
		return
	}
	part := io.NewSectionReader(file, s.read, info.Size()-s.read)
	lines := bufio.NewReaderSize(part, 1<<20)
	isFirst := s.read == 0
	for {
		// The row that was being written ends nowhere. No cell of this web has a line
		// break, but those of hostile servers might: they are left out by their host.
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		s.read += int64(len(line))
		if isFirst {
			isFirst = false
			continue
		}
		_, rest, _ := strings.Cut(line, ",")
		address, _, _ := strings.Cut(rest, ",")
		if n, ok := s.site.ledger.Number(address); ok {
			s.site.asks[n].Or(stored)
		}
	}
}

// check holds what the crawl has found against the truth.
func (s *soak) check() {
	s.t.Helper()
	if !s.finished {
		s.t.Error("the crawl is not over")
	}
	var missing tellings
	again, asked := 0, 0
	s.checkPages()
	for n := range s.site.ledger.Size() {
		row, ok := s.site.ledger.Row(n)
		if !ok {
			continue
		}
		if row.Outcome != fakeweb.Skipped && s.seen[n/64]&(1<<(n%64)) == 0 {
			missing.add(row.URL)
		}
		times := int(s.site.asks[n].Load() &^ stored)
		asked += times
		again += max(times-s.site.usual(n, &row, s.retries), 0)
	}
	missing.report(s.t, "no row")
	s.checkSkipped()
	s.site.rude.report(s.t, "asked while another request was under way on its host")
	s.site.again.report(s.t, "asked again though it had an outcome")
	ends := s.counts[killed] + s.counts[diskFull]
	most := ends*(*soakWorkers+256) + (s.counts[stopped]+s.counts[suspended]+s.counts[cutOff])*2**soakWorkers
	s.t.Logf("%d requests for pages, %d of them again, at most %d", asked, again, most)
	if again > most {
		s.t.Errorf("%d requests again are more than the workers and one commit's worth for each end", again)
	}
	if left := command(s.t, s.bin, "export", "queue", "--db", s.db, "--columns", "url"); bytes.Count(left, []byte("\n")) != 1 {
		s.t.Errorf("there is something left:\n%.2000s", left)
	}
	before := s.site.total.Load()
	p := s.start()
	_, err := s.wait(p, nil)
	if !s.ended(p, err, 0, noEvent) || s.site.total.Load() != before {
		s.t.Errorf("running it once more made %d requests: %v", s.site.total.Load()-before, err)
	}
}

// export exports to read.
func (s *soak) export(what string, read func(io.Reader)) {
	s.t.Helper()
	cmd := exec.Command(s.bin, "export", what, "--db", s.db)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	read(out)
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		s.t.Fatalf("export %s: %v\n%s", what, err, talk.String())
	}
}

// records reads CSV, row by row.
func (s *soak) records(r io.Reader, row func(cell func(column string) string)) {
	s.t.Helper()
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	columns := map[string]int{}
	var record []string
	cell := func(column string) string {
		i, ok := columns[column]
		if !ok {
			s.t.Fatalf("there is no column %s", column)
		}
		return record[i]
	}
	for {
		var err error
		if record, err = rows.Read(); err == io.EOF {
			return
		} else if err != nil {
			s.t.Fatal(err)
		}
		if len(columns) == 0 {
			for i, name := range record {
				columns[strings.Clone(name)] = i
			}
			continue
		}
		row(cell)
	}
}

// checkPages reads the rows of all pages.
func (s *soak) checkPages() {
	s.t.Helper()
	file, err := os.Open(s.rows)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	same := &comparison{file: bufio.NewReaderSize(file, 1<<20)}
	var wrong, doubled tellings
	var puzzles []string
	s.export("pages", func(r io.Reader) {
		s.records(io.TeeReader(r, same), func(cell func(string) string) {
			address := cell("url")
			n, ok := s.site.ledger.Number(address)
			if !ok {
				if s.others[address]++; s.others[address] > 1 {
					doubled.add(address)
				}
				return
			}
			if s.seen[n/64]&(1<<(n%64)) != 0 {
				doubled.add(address)
			}
			s.seen[n/64] |= 1 << (n % 64)
			row, ok := s.site.ledger.Row(n)
			have := strings.TrimSpace(cell("outcome") + " " + cell("status") + " " + cell("error_class"))
			want := strings.TrimSpace(string(row.Outcome) + " " + statusText(row.Status) + " " + row.ErrorClass)
			if isFaulty(row.Kind) && strings.HasPrefix(have, "failed ") {
				have = want // the last attempt may have been made while the network was gone
			}
			if !ok || row.URL != address || have != want {
				if len(puzzles) < 3 {
					puzzles = append(puzzles, strings.Clone(address))
				}
				wrong.add(fmt.Sprintf("%s (%v): %s, want %s; %s, %s attempts", address, row.Kind, have, want, cell("error"), cell("attempts")))
			}
		})
	})
	wrong.report(s.t, "wrong rows")
	for _, address := range puzzles {
		s.t.Logf("%s", command(s.t, s.bin, "why", address, "--db", s.db))
	}
	doubled.report(s.t, "two rows")
	if same.differs || !same.atEnd() {
		s.t.Errorf("the file that grows is not the export; %d bytes are the same", same.same)
	}
	for address := range s.others {
		if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
			s.t.Errorf("there is a row for %s", address)
		}
	}
}

// isFaulty tells whether a page fails however often it is asked for.
func isFaulty(kind fakeweb.Kind) bool {
	return kind == fakeweb.ServerError || kind == fakeweb.Reset || kind == fakeweb.Cut
}

// checkSkipped reads what was skipped.
func (s *soak) checkSkipped() {
	s.t.Helper()
	skipped := make([]uint64, len(s.seen))
	var wrong tellings
	s.export("skipped", func(r io.Reader) {
		s.records(r, func(cell func(string) string) {
			address := cell("url")
			n, ok := s.site.ledger.Number(address)
			if !ok {
				return
			}
			skipped[n/64] |= 1 << (n % 64)
			if row, ok := s.site.ledger.Row(n); !ok || row.Outcome != fakeweb.Skipped || row.Reason != cell("reason") {
				wrong.add(fmt.Sprintf("%s: %s, want %s %s", address, cell("reason"), row.Outcome, row.Reason))
			}
		})
	})
	wrong.report(s.t, "wrongly skipped")
	var missing tellings
	for n := range s.site.ledger.Size() {
		if row, ok := s.site.ledger.Row(n); ok && row.Outcome == fakeweb.Skipped && skipped[n/64]&(1<<(n%64)) == 0 {
			missing.add(row.URL)
		}
	}
	missing.report(s.t, "not skipped")
}

// comparison compares what is written with a file.
type comparison struct {
	file    *bufio.Reader
	buffer  []byte
	same    int64
	differs bool
}

func (c *comparison) Write(p []byte) (int, error) {
	if !c.differs {
		c.buffer = slices.Grow(c.buffer[:0], len(p))[:len(p)]
		if _, err := io.ReadFull(c.file, c.buffer); err != nil || !bytes.Equal(c.buffer, p) {
			c.differs = true
		} else {
			c.same += int64(len(p))
		}
	}
	return len(p), nil
}

func (c *comparison) atEnd() bool {
	_, err := c.file.ReadByte()
	return err == io.EOF
}

// What a process may take. An address costs about 25 bytes while it is known, and
// more while it waits; connections that are kept for reuse are 256 at the most,
// with two goroutines each.
const (
	perKnown  = 40
	headMost  = 32 << 20
	keptConns = 256
)

// report tells what the crawl took, and fails when it grew.
func (s *soak) report() {
	t := s.t
	t.Helper()
	t.Logf("%.1f s, %d requests; killed %d times, stopped %d, suspended %d, cut off %d (%v), disk full %d; held for the network in %d of %d samples",
		time.Since(s.began).Seconds(), s.site.total.Load(), s.counts[killed], s.counts[stopped], s.counts[suspended], s.counts[cutOff], s.cuts, s.counts[diskFull], s.held, len(s.samples))
	if s.isLong && s.held == 0 && s.cuts[refusing]+s.cuts[silent] > 0 {
		t.Error("no status told that the network was gone")
	}
	s.compare("all", s.samples)
	if s.isLong {
		lives := map[int][]footprint{}
		longest := 0
		for _, one := range s.samples {
			lives[one.pid] = append(lives[one.pid], one)
			if len(lives[one.pid]) > len(lives[longest]) {
				longest = one.pid
			}
		}
		s.compare("the process that lived longest", lives[longest])
	}
}

// compare holds the last third of samples against the first.
func (s *soak) compare(what string, samples []footprint) {
	t := s.t
	t.Helper()
	third := len(samples) / 3
	if third == 0 {
		t.Logf("%s: too few samples to tell", what)
		return
	}
	t.Logf("%s: %d samples, min/median/max of the first, second and last third", what, len(samples))
	parts := [][]footprint{samples[:third], samples[third : 2*third], samples[2*third:]}
	most := func(part []footprint, of func(footprint) int64) int64 {
		n := of(part[0])
		for _, one := range part {
			n = max(n, of(one))
		}
		return n
	}
	for _, m := range []struct {
		name string
		unit int64
		of   func(footprint) int64
	}{
		{"known addresses", 1, func(s footprint) int64 { return int64(s.known) }},
		{"resident, MB", 1 << 20, func(s footprint) int64 { return s.resident }},
		{"anonymous, MB", 1 << 20, func(s footprint) int64 { return s.anonymous }},
		{"goroutines", 1, func(s footprint) int64 { return int64(s.goroutines) }},
		{"threads", 1, func(s footprint) int64 { return int64(s.threads) }},
		{"descriptors", 1, func(s footprint) int64 { return int64(s.descriptors) }},
	} {
		var b strings.Builder
		for _, part := range parts {
			values := make([]int64, len(part))
			for i, one := range part {
				values[i] = m.of(one) / m.unit
			}
			slices.Sort(values)
			fmt.Fprintf(&b, "%20s", fmt.Sprintf("%d/%d/%d", values[0], values[len(values)/2], values[len(values)-1]))
		}
		t.Logf("  %-16s%s", m.name, b.String())
	}
	first, last := parts[0], parts[2]
	anonymous := func(s footprint) int64 { return s.anonymous }
	known := int64(last[len(last)-1].known)
	if limit := most(first, anonymous) + known*perKnown + headMost; most(last, anonymous) > limit {
		t.Errorf("%s: memory grows from %d MB to %d MB, with %d addresses known", what, most(first, anonymous)>>20, most(last, anonymous)>>20, known)
	}
	for _, m := range []struct {
		name  string
		of    func(footprint) int64
		limit int64
	}{
		{"goroutines", func(s footprint) int64 { return int64(s.goroutines) }, int64(5**soakWorkers + 3*keptConns + 100)},
		{"descriptors", func(s footprint) int64 { return int64(s.descriptors) }, int64(2**soakWorkers + keptConns + 60)},
	} {
		before, then := most(first, m.of), most(last, m.of)
		if then > m.limit || then > before+before/4+int64(*soakWorkers) {
			t.Errorf("%s: %d %s in the last third, %d in the first; %d are allowed", what, then, m.name, before, m.limit)
		}
	}
}
