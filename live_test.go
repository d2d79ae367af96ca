package main

import (
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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/internal/fakeweb"
	"pawl/storage"
)

var (
	livePages = flag.Int("live.pages", 800, "how many pages TestLive crawls")
	liveKills = flag.Int("live.kills", 2, "how often it kills the crawler, and who speaks to it")
	liveSeed  = flag.Uint64("live.seed", 0, "seed of the instants at which it kills, 0: by chance")
)

// TestLive crawls while four clients hammer the crawl with every command and an
// export follows it, and holds what comes of it against the crawl of one who is
// left alone. Then it does so again and kills all of them now and then.
func TestLive(t *testing.T) {
	seed := *liveSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-live.seed %d", seed)
	const hosts = 8
	o := fakeweb.Defaults()
	o.Hosts, o.Pages, o.CrossEvery, o.Tally = hosts, *livePages/hosts, 5, false
	o.Faults = fakeweb.Faults{NotFound: 20, ServerError: 5, Redirect: 30, Binary: 10, Gzip: 300}
	o.Latency = fakeweb.Fixed(15 * time.Millisecond)
	web, roots := startWeb(t, o)
	bin := realBinary(t)
	want := map[string][2]string{}
	for row := range web.Expected(fakeweb.Walk{Roots: roots}) {
		if row.Outcome != fakeweb.Skipped {
			want[row.URL] = [2]string{string(row.Outcome), statusText(row.Status)}
		}
	}
	var alone time.Duration
	for _, test := range []struct {
		name    string
		clients int
		kills   int
	}{
		{"left alone", 0, 0},
		{"spoken to", 4, 0},
		{"spoken to and killed", 4, *liveKills},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			l := &liveCrawl{
				t: t, bin: bin, dir: dir, typed: map[string]int{}, db: filepath.Join(dir, "crawl.pawl"), root: roots[0],
				chance: rand.New(rand.NewPCG(seed, uint64(test.clients+test.kills))),
			}
			args := append([]string{
				"crawl", "--db", l.db, "--delay", "0", "--per-host", "2", "--workers", "16", "--retries", "0",
				"--progress", "none", "--log-level", "error", "--links",
			}, roots...)
			began := time.Now()
			l.run(args, test.clients, test.kills)
			took := time.Since(began)
			if test.clients == 0 {
				alone = took
			} else {
				t.Logf("%d questions answered, %d not, as the crawl was gone or not there yet", l.answered.Load(), l.refused.Load())
			}
			if test.kills == 0 {
				t.Logf("%d pages in %.1f s, %.2f of the time of one who is left alone", len(want), took.Seconds(), took.Seconds()/alone.Seconds())
			}
			rows := readRows(t, bin, l.db)
			for u, wish := range want {
				got, ok := rows[u]
				delete(rows, u)
				switch {
				case !ok:
					t.Errorf("lost: %s", u)
				case got != wish:
					t.Errorf("%s: %v, want %v", u, got, wish)
				}
			}
			for u, row := range rows {
				t.Errorf("not expected: %s %v", u, row)
			}
			command(t, bin, "verify", "--db", l.db)
			if test.clients == 0 {
				return
			}
			if l.answered.Load() == 0 {
				t.Error("nobody was answered")
			}
			for word, n := range l.typed {
				if n > neverAnswered {
					t.Errorf("pawl %s was typed %d times and never answered", word, n)
				}
			}
			pages := command(t, bin, "export", "--db", l.db)
			if followed, err := os.ReadFile(l.followed()); err != nil || !bytes.Equal(followed, pages) {
				t.Errorf("what was followed is not what there is: %d bytes of %d, %v", len(followed), len(pages), err)
			}
		})
	}
}

// neverAnswered is how often a command may come too early or too late, and be
// answered not once, before that is taken for a fault.
const neverAnswered = 8

// liveCrawl is a crawl that is spoken to.
type liveCrawl struct {
	t            *testing.T
	bin, dir, db string
	root         string
	chance       *rand.Rand
	answered     atomic.Int64
	refused      atomic.Int64
	mu           sync.Mutex
	clients      []*exec.Cmd
	typed        map[string]int // commands, by how often they were not answered; -1: once answered
}

func (l *liveCrawl) followed() string { return filepath.Join(l.dir, "followed.csv") }

// run crawls to the end.
func (l *liveCrawl) run(args []string, clients, kills int) {
	ctx, cancel := context.WithCancel(l.t.Context())
	var speaking sync.WaitGroup
	for i := range clients {
		if i%2 == 0 {
			speaking.Go(func() { l.speak(ctx) })
		} else {
			speaking.Go(func() { l.types(ctx, i) })
		}
	}
	var follower *exec.Cmd
	var followed <-chan error
	follow := func() {
		if clients > 0 {
			follower, followed, _ = start(l.t, l.bin, []string{"export", "--follow", "--db", l.db, "-o", l.followed()})
		}
	}
	for n := 0; ; n++ {
		wait := time.Duration(-1)
		if n < kills {
			wait = 500*time.Millisecond + time.Duration(l.chance.Int64N(int64(2*time.Second)))
		}
		cmd, done, talk := start(l.t, l.bin, args)
		if n == 0 {
			l.waitFor()
		}
		if follower == nil {
			follow()
		}
		killed := false
		if wait >= 0 {
			select {
			case <-time.After(wait):
				cmd.Process.Kill()
				l.killClients()
				if l.chance.IntN(2) == 0 {
					follower.Process.Kill()
					<-followed
					follower = nil
				}
				killed = true
			case err := <-done:
				if isInUse(err) {
					n--
					continue
				}
				l.ended(err, talk)
				goto over // before it could be killed
			}
		}
		if err := <-done; !killed {
			if isInUse(err) {
				continue
			}
			l.ended(err, talk)
			break
		}
	}
over:
	cancel()
	speaking.Wait()
	if clients > 0 {
		if follower == nil {
			follow()
		}
		if err := <-followed; err != nil {
			l.t.Errorf("the export that follows: %v", err)
		}
	}
}

// isInUse tells whether somebody had the file of the crawl at rest open to change
// it.
func isInUse(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 3
}

// waitFor waits until the crawl file is there.
func (l *liveCrawl) waitFor() {
	for {
		if _, err := os.Stat(l.db); err == nil || l.t.Context().Err() != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (l *liveCrawl) ended(err error, talk *bytes.Buffer) {
	if err != nil {
		l.t.Fatalf("the crawl failed: %v\n%s", err, talk.String())
	}
}

func (l *liveCrawl) killClients() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.clients {
		c.Process.Kill()
	}
}

// types is somebody who types commands, one after the other.
func (l *liveCrawl) types(ctx context.Context, who int) {
	for n := 0; ctx.Err() == nil; n++ {
		all := [][]string{
			{"status"},
			{"status", "--json"},
			{"why"},
			{"why", l.root},
			{"queue", "list", "--limit", "0"},
			{"queue", "drop", "--match", "/never/was", "--dry-run"},
			{"queue", "restore", "--dry-run"},
			{"queue", "retry", "--status", "599"},
			{"set", "max-depth=100"},
			{"queue", "add", l.root},
			{"info"},
			{"export", "queue"},
			{"export", "skipped"},
			{"export", "links"},
			{"export", "hosts", "--format", "jsonl"},
			{"export", "errors"},
			{"export", "--where", "depth < 3", "--format", "jsonl"},
			{"snapshot", "-o", filepath.Join(l.dir, fmt.Sprintf("copy-%d-%d.pawl", who, n))},
			{"queue", "drop", "--match", "/0/"},
			{"queue", "restore"},
		}
		args := append(all[n%len(all)], "--db", l.db)
		cmd := exec.Command(l.bin, args...)
		var talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = io.Discard, &talk
		l.mu.Lock()
		err := cmd.Start()
		l.clients = append(l.clients, cmd)
		l.mu.Unlock()
		if err == nil {
			err = cmd.Wait()
		}
		l.mu.Lock()
		switch word := strings.Join(all[n%len(all)][:min(2, len(all[n%len(all)]))], " "); {
		case err == nil:
			l.typed[word] = -1
		case l.typed[word] >= 0:
			l.typed[word]++
		}
		for i, c := range l.clients {
			if c == cmd {
				l.clients = append(l.clients[:i], l.clients[i+1:]...)
				break
			}
		}
		l.mu.Unlock()
		var exit *exec.ExitError
		switch {
		case err == nil:
			l.answered.Add(1)
		case errors.As(err, &exit) && (exit.ExitCode() == -1 || exit.ExitCode() == 3 || exit.ExitCode() == 1):
			// Killed, or the crawl was; two who open a crawl at rest to change it.
			l.refused.Add(1)
			if strings.Contains(talk.String(), "internal error") {
				l.t.Errorf("pawl %s: %s", strings.Join(args, " "), talk.String())
			}
		default:
			l.t.Errorf("pawl %s: %v\n%s", strings.Join(args, " "), err, talk.String())
		}
	}
}

// speak is a program that asks and tells without a pause.
func (l *liveCrawl) speak(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := control.Dial(ctx, l.db, os.TempDir())
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		for n := 0; ctx.Err() == nil && l.say(ctx, c, n) == nil; n++ {
			l.answered.Add(1)
		}
		l.refused.Add(1)
		c.Close()
	}
}

func (l *liveCrawl) say(ctx context.Context, c *control.Client, n int) error {
	var err error
	switch n % 10 {
	case 0:
		_, err = c.Status(ctx)
	case 1:
		q, seen := crawl.QueueQuery{Limit: 500}, map[string]bool{}
		for {
			page, err := c.Queue(ctx, q)
			if err != nil {
				return err
			}
			for _, j := range page.Jobs {
				if seen[j.URL] {
					l.t.Errorf("%s is listed twice", j.URL)
				}
				seen[j.URL] = true
			}
			if q.After = page.Next; q.After == "" {
				return nil
			}
		}
	case 2:
		_, err = c.Edit(ctx, crawl.Edit{Kind: crawl.Drop, Predicate: storage.Predicate{Match: "/1/"}})
		if err == nil {
			_, err = c.Edit(ctx, crawl.Edit{Kind: crawl.Restore})
		}
	case 3:
		_, err = c.Set(ctx, map[string][]string{"workers": {fmt.Sprint(16 + n%3)}})
	case 4:
		if err = c.Pause(ctx); err == nil {
			err = c.Resume(ctx)
		}
	case 5:
		_, err = c.Add(ctx, []string{l.root})
	case 6:
		var b bytes.Buffer
		if err = c.Export(ctx, control.Export{What: "pages"}, &b); err == nil {
			err = l.checkRows(&b)
		}
	case 7:
		_, err = c.Why(ctx, l.root)
	case 8:
		_, err = c.Info(ctx)
	case 9:
		_, err = c.Edit(ctx, crawl.Edit{Kind: crawl.Retry, Predicate: storage.Predicate{Statuses: []storage.StatusRange{{From: 404, To: 404}}}, DryRun: n%100 != 9})
	}
	return err
}

// checkRows checks that no address has two rows.
func (l *liveCrawl) checkRows(r io.Reader) error {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		l.t.Errorf("rows of a running crawl: %v", err)
		return err
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row[1]] {
			l.t.Errorf("%s has two rows", row[1])
		}
		seen[row[1]] = true
	}
	return nil
}
