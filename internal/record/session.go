package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"

	"pawl/internal/fakeweb"
)

// A script is Markdown. What stands in its blocks of kind console is carried out
// line by line:
//
//	$ COMMAND            run, and show it with what it writes
//	$4 COMMAND           the same, and it must end with exit code 4
//	& NAME COMMAND       start, and go on; it is shown with all that it will write
//	&tty NAME COMMAND    the same at a terminal of 24 lines of 100 columns, of which
//	                     nothing is shown here
//	%screen NAME         show the command, and what that terminal shows now
//	%end NAME CODE       wait until what was started ends, with this exit code
//	%run COMMAND         run, and do not show it
//	%until COMMAND       the same, again and again until it succeeds
//	%hold N              have each host leave requests after the N-th unanswered
//	%held N              wait until N requests are unanswered
//	%release             answer them
//
// Any other line is shown as it is. {web} and {other} are the roots of two hosts,
// without a scheme, and {port} is a free port.

const (
	// No command of a script takes this long.
	commandTime = 20 * time.Second
	// What is shown for {web}, {other} and {port}.
	shownWeb   = "127.0.0.1:18001"
	shownOther = "127.0.0.1:18002"
	shownPort  = "19100"
	lines      = 24
	columns    = 100
)

// session is a script that is being played.
type session struct {
	ctx    context.Context
	dir    string
	env    []string
	gate   *gate
	stable *stable
	names  *strings.Replacer // of what stands in braces
	begun  map[string]*started
	text   []func() string // in their order; some are known only at the end
}

// started is a command that runs beside the others.
type started struct {
	command string
	cmd     *exec.Cmd
	output  syncBuffer
	screen  *screen // nil: it is not at a terminal
	done    chan struct{}
	code    int
}

// play carries out a script with a binary, and returns what is shown. dir is an
// empty folder.
func play(ctx context.Context, script, binary, dir string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := newGate()
	web, err := fakeweb.New(webOptions(g))
	if err != nil {
		return "", err
	}
	roots, stop, err := web.Start(2)
	if err != nil {
		return "", err
	}
	defer stop()
	defer g.hold(-1)
	port, err := freePort()
	if err != nil {
		return "", err
	}
	work, bin := filepath.Join(dir, "crawls"), filepath.Join(dir, "bin")
	for _, d := range []string{work, bin} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return "", err
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return "", err
	}
	if err := os.Symlink(binary, filepath.Join(bin, "pawl")); err != nil {
		return "", err
	}
	web1, web2 := address(roots[0]), address(roots[1])
	s := &session{
		ctx: ctx, dir: work, gate: g, begun: map[string]*started{},
		env: []string{
			"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir,
			"TERM=xterm-256color", "LANG=C.UTF-8", "TZ=UTC",
		},
		names: strings.NewReplacer("{web}", web1, "{other}", web2, "{port}", port),
		stable: newStable(map[string]string{
			web1: shownWeb, web2: shownOther, "127.0.0.1:" + port: "127.0.0.1:" + shownPort, "--listen " + port: "--listen " + shownPort,
			work: "/home/me/crawls",
		}),
	}
	err = s.playAll(script)
	cancel()
	for _, b := range s.begun {
		<-b.done
	}
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, text := range s.text {
		b.WriteString(text())
	}
	return b.String(), nil
}

// webOptions is a web of two small sites on which some pages are gone, moved or
// not to be had.
func webOptions(g *gate) fakeweb.Options {
	o := fakeweb.Defaults()
	o.Hosts, o.Pages, o.Tally = 2, 60, false
	// A host's own order of pages is the same each time.
	o.CrossEvery = 0
	o.Faults.NotFound, o.Faults.Reset = 60, 60
	o.Latency = func(host, path string) time.Duration {
		if path != "/robots.txt" {
			g.pass(host)
		}
		return 5 * time.Millisecond
	}
	return o
}

func address(root string) string {
	return strings.TrimSuffix(strings.TrimPrefix(root, "http://"), "/")
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func (s *session) playAll(script string) error {
	inBlock := false
	n := 0
	for line := range strings.Lines(script) {
		n++
		text := strings.TrimSuffix(line, "\n")
		var err error
		switch {
		case !inBlock:
			inBlock = text == "```console"
			s.say(line)
		case text == "```":
			inBlock = false
			s.say(line)
		default:
			err = s.step(text)
		}
		if err != nil {
			return fmt.Errorf("line %d of the script: %w", n, err)
		}
	}
	return nil
}

func (s *session) say(text string) { s.text = append(s.text, func() string { return text }) }

// step carries out a line of a block.
func (s *session) step(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "&", "&tty":
		name, command, _ := strings.Cut(rest, " ")
		return s.start(name, command, word == "&tty")
	case "%screen":
		b := s.begun[rest]
		if b == nil || b.screen == nil {
			return fmt.Errorf("no terminal is called %q", rest)
		}
		s.say(s.shown(b.command))
		s.say(s.stable.of(b.screen.text()))
		return nil
	case "%end":
		name, code, _ := strings.Cut(rest, " ")
		return s.end(name, code)
	case "%run":
		_, err := s.run(rest, 0)
		return err
	case "%until":
		return s.until(rest)
	case "%hold":
		n, err := strconv.Atoi(rest)
		s.gate.hold(n)
		return err
	case "%held":
		n, err := strconv.Atoi(rest)
		if err == nil {
			err = s.gate.held(n)
		}
		return err
	case "%release":
		s.gate.hold(-1)
		return nil
	}
	digit, isCommand := strings.CutPrefix(word, "$")
	if !isCommand {
		s.say(line + "\n")
		return nil
	}
	code := 0
	if digit != "" {
		var err error
		if code, err = strconv.Atoi(digit); err != nil {
			return err
		}
	}
	output, err := s.run(rest, code)
	if err != nil {
		return err
	}
	s.say(s.shown(rest))
	s.say(s.stable.of(output))
	return nil
}

// shown is a command after the prompt.
func (s *session) shown(command string) string {
	return "$ " + s.stable.names.Replace(s.names.Replace(command)) + "\n"
}

func (s *session) command(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", s.names.Replace(command))
	cmd.Dir, cmd.Env = s.dir, s.env
	// A crawl that is told to stop ends in order.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = commandTime
	return cmd
}

// run runs a command to its end.
func (s *session) run(command string, code int) (output string, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, commandTime)
	defer cancel()
	cmd := s.command(ctx, command)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		return "", fmt.Errorf("%s: exit code %d, expected %d\n%s", command, got, code, out)
	}
	return string(out), nil
}

func (s *session) until(command string) error {
	deadline := time.Now().Add(commandTime)
	for {
		_, err := s.run(command, 0)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || s.ctx.Err() != nil {
			return fmt.Errorf("it does not come to pass: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *session) start(name, command string, atTerminal bool) error {
	if s.begun[name] != nil {
		return fmt.Errorf("there is a %q already", name)
	}
	// Without the shell the process is the one that is known by its id.
	b := &started{command: command, cmd: s.command(s.ctx, "exec "+command), done: make(chan struct{})}
	var shown sync.WaitGroup
	if atTerminal {
		b.screen = newScreen(columns, lines)
		tty, err := pty.StartWithSize(b.cmd, &pty.Winsize{Rows: lines, Cols: columns})
		if err != nil {
			return err
		}
		shown.Go(func() {
			defer tty.Close()
			// Reading ends with an error when the last process leaves.
			_, _ = io.Copy(b.screen, tty)
		})
	} else {
		b.cmd.Stdout, b.cmd.Stderr = &b.output, &b.output
		if err := b.cmd.Start(); err != nil {
			return err
		}
		s.say(s.shown(command))
		s.text = append(s.text, func() string { return s.stable.of(b.output.String()) })
	}
	s.stable.isPID(b.cmd.Process.Pid)
	s.begun[name] = b
	go func() {
		defer close(b.done)
		_ = b.cmd.Wait()
		shown.Wait()
		b.code = b.cmd.ProcessState.ExitCode()
	}()
	return nil
}

func (s *session) end(name, code string) error {
	b := s.begun[name]
	if b == nil {
		return fmt.Errorf("nothing is called %q", name)
	}
	select {
	case <-b.done:
	case <-time.After(commandTime):
		return fmt.Errorf("%s does not end", name)
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	if code != strconv.Itoa(b.code) {
		return fmt.Errorf("%s: exit code %d, expected %s\n%s", name, b.code, code, b.seen())
	}
	return nil
}

// gate lets so many requests pass to each host.
type gate struct {
	mu     sync.Mutex
	cond   *sync.Cond
	passed map[string]int
	waits  int
	last   int // -1: all may pass
}

func newGate() *gate {
	g := &gate{last: -1, passed: map[string]int{}}
	g.cond = sync.NewCond(&g.mu)
	return g
}

func (g *gate) pass(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.last >= 0 && g.passed[host] >= g.last {
		g.waits++
		g.cond.Wait()
		g.waits--
	}
	g.passed[host]++
}

// hold lets n more pass to each host; -1: all.
func (g *gate) hold(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.passed)
	g.last = n
	g.cond.Broadcast()
}

// held waits until n wait.
func (g *gate) held(n int) error {
	deadline := time.Now().Add(commandTime)
	for time.Now().Before(deadline) {
		g.mu.Lock()
		waits := g.waits
		g.mu.Unlock()
		if waits == n {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("not %d requests wait for an answer", n)
}

// syncBuffer may be written to and read concurrently.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// seen is what came of it so far.
func (b *started) seen() string {
	if b.screen != nil {
		return b.screen.text()
	}
	return b.output.String()
}
