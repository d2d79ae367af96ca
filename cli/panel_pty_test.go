//go:build unix

package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"pawl/internal/fakeweb"
)

// played is a program on a terminal, and what is to be seen there.
type played struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	news chan struct{} // something was written since it was last received from
	over chan struct{} // nothing more will be

	mu   sync.Mutex
	term *terminal
	all  []byte // everything that was written
}

// play starts a program on a terminal of that size.
func play(t *testing.T, width, height int, env []string, name string, args ...string) *played {
	t.Helper()
	p := &played{t: t, cmd: exec.Command(name, args...), news: make(chan struct{}, 1), over: make(chan struct{}), term: newTerminal(width, height)}
	p.cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C.UTF-8", "NO_COLOR=", "PS1=$ ")
	p.cmd.Env = append(p.cmd.Env, env...)
	tty, err := pty.StartWithSize(p.cmd, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)})
	if err != nil {
		t.Fatal(err)
	}
	p.tty = tty
	go func() {
		defer close(p.over)
		buf := make([]byte, 4096)
		for {
			n, err := tty.Read(buf)
			if n > 0 {
				p.mu.Lock()
				p.term.Write(buf[:n])
				p.all = append(p.all, buf[:n]...)
				p.mu.Unlock()
				select {
				case p.news <- struct{}{}:
				default:
				}
			}
			if err != nil { // the program has left
				return
			}
		}
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		tty.Close()
		<-p.over
	})
	return p
}

func (p *played) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.term.String()
}

// until waits for something to be seen.
func (p *played) until(what string, seen func(screen string) bool) {
	p.t.Helper()
	late := time.After(time.Minute)
	for {
		if seen(p.screen()) {
			return
		}
		select {
		case <-p.news:
		case <-p.over:
			if !seen(p.screen()) {
				p.t.Fatalf("ended without %s:\n%s", what, p.screen())
			}
			return
		case <-late:
			p.t.Fatalf("waited in vain for %s:\n%s", what, p.screen())
		}
	}
}

func (p *played) untilPanel() {
	p.t.Helper()
	p.until("a panel", func(s string) bool { return panelLine.MatchString(s) })
}

func (p *played) keys(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// resize gives the terminal another size, as a person does who pulls at its edge.
func (p *played) resize(width, height int) {
	p.t.Helper()
	p.mu.Lock()
	if width < p.term.width {
		p.term.reflow(width)
	}
	p.term.resize(width, height)
	p.mu.Unlock()
	if err := pty.Setsize(p.tty, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		p.t.Fatal(err)
	}
}

// ended waits for the end of the program and gives its exit code.
func (p *played) ended() int {
	p.t.Helper()
	select {
	case <-p.over:
	case <-time.After(time.Minute):
		p.t.Fatalf("it does not end:\n%s", p.screen())
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// panelLine is what only a panel has.
var panelLine = regexp.MustCompile(`(?m)^((stopping|paused), )?[\d,.kM]+ done(, [\d,.kM]+ pending)?$|^[\d,.kM]+ done, [\d,.kM]+ pending, |pages/s`)

// clean fails when something of a panel is left, or the terminal is not as it was.
func (p *played) isClean() {
	p.t.Helper()
	screen := p.screen()
	if left := panelLine.FindString(screen); left != "" {
		p.t.Errorf("%q is left of the panel:\n%s", left, screen)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.term.unknown) > 0 {
		p.t.Errorf("sent %q", p.term.unknown)
	}
	if p.term.noWrap || p.term.column != 0 {
		p.t.Errorf("left the terminal without wrapping (%v), at column %d", p.term.noWrap, p.term.column)
	}
	for _, row := range p.term.rows[p.term.row:] {
		if len(row) > 0 {
			p.t.Errorf("%q is below the cursor", string(row))
		}
	}
}

// slowSite serves pages of which all but the first wait for the gate.
func slowSite(t *testing.T) (root string, open func()) {
	t.Helper()
	gate := make(chan struct{})
	o := fakeweb.Defaults()
	o.Pages = 60
	o.Faults.NotFound = 200
	o.Latency = func(_, path string) time.Duration {
		if path != "/" && path != "/robots.txt" {
			<-gate
		}
		return 0
	}
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	roots, stop, err := web.Start(1)
	if err != nil {
		t.Fatal(err)
	}
	open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(func() {
		open()
		stop()
	})
	return roots[0], open
}

func TestPanelLeavesNothingBehind(t *testing.T) {
	bin := builtPawl(t)
	for _, size := range [][2]int{{20, 8}, {40, 12}, {80, 24}, {200, 50}} {
		t.Run(fmt.Sprintf("%d by %d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			root, open := slowSite(t)
			p := play(t, size[0], size[1], nil, bin, "crawl", root, "--db", filepath.Join(t.TempDir(), "crawl.pawl"), "--delay", "0", "--log-level", "debug")
			p.untilPanel()
			open()
			if code := p.ended(); code != ExitOK {
				t.Errorf("exit code %d", code)
			}
			p.isClean()
			if !strings.Contains(string(p.all), "finished: nothing is left") {
				t.Errorf("does not say that it is finished:\n%s", p.screen())
			}
		})
	}
}

func TestPanelFollowsTheSizeOfTheTerminal(t *testing.T) {
	root, open := slowSite(t)
	p := play(t, 100, 24, nil, builtPawl(t), "crawl", root, "--db", filepath.Join(t.TempDir(), "crawl.pawl"), "--delay", "0")
	p.untilPanel()
	for _, size := range [][2]int{{30, 24}, {150, 24}, {80, 6}, {20, 5}, {60, 30}} {
		p.resize(size[0], size[1])
		p.mu.Lock()
		p.all = p.all[:0]
		p.mu.Unlock()
		// Twice, for the first may have been on its way already.
		p.until("another panel", func(string) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return strings.Count(string(p.all), wrapOn) >= 2
		})
		screen := p.screen()
		if n := len(panelLine.FindAllString(screen, -1)); n > 2 {
			t.Errorf("%v: %d lines of panels:\n%s", size, n, screen)
		}
	}
	open()
	if code := p.ended(); code != ExitOK {
		t.Errorf("exit code %d", code)
	}
	p.isClean()
}

func TestInterruptLeavesACleanTerminal(t *testing.T) {
	root, open := slowSite(t)
	p := play(t, 80, 24, nil, builtPawl(t), "crawl", root, "--db", filepath.Join(t.TempDir(), "crawl.pawl"), "--delay", "0")
	p.untilPanel()
	p.keys("\x03")
	p.until("that it stops", func(s string) bool { return strings.Contains(s, "stopping: waiting for") })
	open()
	if code := p.ended(); code != ExitStopped {
		t.Errorf("exit code %d", code)
	}
	p.isClean()
	if !strings.Contains(p.screen(), "go on with: pawl resume") {
		t.Errorf("does not say how to go on:\n%s", p.screen())
	}
}

func TestSecondInterruptLeavesThePanelAbove(t *testing.T) {
	root, _ := slowSite(t)
	p := play(t, 80, 24, nil, builtPawl(t), "crawl", root, "--db", filepath.Join(t.TempDir(), "crawl.pawl"), "--delay", "0")
	p.untilPanel()
	p.keys("\x03")
	p.until("that it stops", func(s string) bool { return strings.Contains(s, "\nstopping, ") })
	p.keys("\x03")
	if code := p.ended(); code != ExitStopped {
		t.Errorf("exit code %d", code)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// The terminal itself shows ^C where the cursor is.
	below := strings.TrimSpace(strings.ReplaceAll(string(slicesJoin(p.term.rows[p.term.row:])), "^C", ""))
	if below != "" {
		t.Errorf("%q is below the cursor:\n%s", below, p.term)
	}
}

func slicesJoin(rows [][]rune) (all []rune) {
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}

// TestSuspendedLeavesTheTerminalToTheShell presses Ctrl-Z under a shell, and goes
// on with fg.
func TestSuspendedLeavesTheTerminalToTheShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	root, open := slowSite(t)
	p := play(t, 80, 24, nil, bash, "--norc", "--noprofile", "--noediting", "-i")
	p.keys(builtPawl(t) + " crawl " + root + " --db " + filepath.Join(t.TempDir(), "crawl.pawl") + " --delay 0\n")
	p.untilPanel()
	p.keys("\x1a")
	p.until("the shell", func(s string) bool { return strings.Contains(s, "Stopped") && strings.HasSuffix(s, "\n$ \n") })
	if left := panelLine.FindString(p.screen()); left != "" {
		t.Errorf("%q is left of the panel:\n%s", left, p.screen())
	}
	p.keys("fg\n")
	p.untilPanel()
	open()
	p.until("the end", func(s string) bool {
		return strings.Contains(s, "finished: nothing is left") && strings.HasSuffix(s, "\n$ \n")
	})
	if left := panelLine.FindString(p.screen()); left != "" {
		t.Errorf("%q is left of the panel:\n%s", left, p.screen())
	}
	p.keys("exit\n")
	p.ended()
}

func TestDumbTerminalGetsNoPanel(t *testing.T) {
	root, open := slowSite(t)
	open()
	p := play(t, 80, 24, []string{"TERM=dumb", "NO_COLOR=1"}, builtPawl(t), "crawl", root, "--db", filepath.Join(t.TempDir(), "crawl.pawl"), "--delay", "0", "--progress", "bar")
	if code := p.ended(); code != ExitOK {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(string(p.all), "\x1b") {
		t.Errorf("sent escape codes: %q", p.all)
	}
}

// TestWatchShowsThePanelElsewhere looks on from a second terminal.
func TestWatchShowsThePanelElsewhere(t *testing.T) {
	bin := builtPawl(t)
	root, open := slowSite(t)
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	crawler := play(t, 80, 24, nil, bin, "crawl", root, "--db", db, "--delay", "0")
	crawler.untilPanel()
	p := play(t, 60, 20, nil, bin, "status", "--watch", "--db", db)
	p.untilPanel()
	left := play(t, 60, 20, nil, bin, "status", "--watch", "--db", db)
	left.untilPanel()
	left.keys("\x03")
	if code := left.ended(); code != ExitOK {
		t.Errorf("after Ctrl-C: exit code %d", code)
	}
	open()
	if code := crawler.ended(); code != ExitOK {
		t.Errorf("crawl: exit code %d", code)
	}
	if code := p.ended(); code != ExitOK {
		t.Errorf("watch: exit code %d", code)
	}
	p.isClean()
	if !strings.Contains(p.screen(), "finished: nothing is left") {
		t.Errorf("does not say that it is finished:\n%s", p.screen())
	}
}
