package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// illMain is main in a process that dies of what ILL says as soon as there is the
// file that ILL_WHEN names.
func illMain() {
	go func() {
		for _, err := os.Stat(os.Getenv("ILL_WHEN")); err != nil; _, err = os.Stat(os.Getenv("ILL_WHEN")) {
			time.Sleep(time.Millisecond)
		}
		switch os.Getenv("ILL") {
		case "bug":
			panic("a bug\nof two lines")
		case "recursion":
			greed = make([]byte, recurse(0))
		case "memory":
			greed = make([]byte, 1<<43)
		}
	}()
	main()
}

var greed []byte

func recurse(n int) int {
	if n < 0 {
		return 0
	}
	return recurse(n+1) + recurse(n+2)
}

// A process that dies by itself, of a bug or because there is no memory, says so
// in a file and not on the user's screen; the next run tells, and goes on.
func TestDiesByItself(t *testing.T) {
	if _, crashTo := partStderr(); crashTo == nil {
		t.Skip("the runtime writes where it wants here")
	}
	for _, c := range []struct{ of, said string }{
		{"bug", "panic: a bug"},
		{"recursion", "fatal error: stack overflow"},
		{"memory", "out of memory"},
	} {
		t.Run(c.of, func(t *testing.T) {
			dir := t.TempDir()
			db, now := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "now")
			isHealthy := atomic.Bool{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/2" && !isHealthy.Load():
					_ = os.WriteFile(now, nil, 0o600)
					<-r.Context().Done()
				default:
					w.Header().Set("Content-Type", "text/html")
					_, _ = w.Write([]byte("<a href=/1>1</a><a href=/2>2</a>"))
				}
			}))
			defer server.Close()
			args := []string{"crawl", server.URL + "/", "--db", db, "--delay", "0", "--progress", "none"}
			cmd := exec.Command("illpawl", args...)
			cmd.Env = append(os.Environ(), "ILL="+c.of, "ILL_WHEN="+now, "GOTRACEBACK=")
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("it ended with %v: %s", err, said.String())
			}
			if status, ok := exit.Sys().(syscall.WaitStatus); ok && !status.Signaled() {
				t.Errorf("it ended with %v", err)
			}
			if strings.Contains(said.String(), "goroutine") || strings.Contains(said.String(), ".go:") {
				t.Errorf("the user sees\n%.1000s", said.String())
			}
			report, err := os.ReadFile(db + ".crash")
			if err != nil || !strings.Contains(string(report), c.said) || !strings.Contains(string(report), "goroutine") {
				t.Errorf("%v, the report is\n%.1000s", err, report)
			}

			isHealthy.Store(true)
			out, err := exec.Command("pawl", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("the next run: %v\n%s", err, out)
			}
			text := string(out)
			if !strings.Contains(text, "did not end cleanly") || !strings.Contains(text, "the last run died by itself: ") ||
				!strings.Contains(text, c.said) || !strings.Contains(text, db+".crash") || !strings.Contains(text, "finished") {
				t.Errorf("the next run says\n%s", text)
			}
			command(t, "pawl", "verify", "--db", db)
			if _, err := os.Stat(db + ".crash"); err != nil {
				t.Errorf("the report is gone: %v", err)
			}
			if out, _ := exec.Command("pawl", args...).CombinedOutput(); strings.Contains(string(out), "died") {
				t.Errorf("the run after that says\n%s", out)
			}
		})
	}
}

// A process that is killed leaves an empty report, which the next run takes for
// what it is and takes away.
func TestKilledIsNotDiedByItself(t *testing.T) {
	w := make(chan struct{}, 1)
	isHealthy := atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && !isHealthy.Load() {
			w <- struct{}{}
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	args := []string{"crawl", server.URL + "/", "--db", db, "--delay", "0", "--progress", "none"}
	cmd, done, _ := start(t, "pawl", args)
	<-w
	_ = cmd.Process.Kill()
	<-done
	isHealthy.Store(true)
	out, err := exec.Command("pawl", args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "did not end cleanly") || strings.Contains(string(out), "died") {
		t.Errorf("the next run: %v\n%s", err, out)
	}
	if _, err := os.Stat(db + ".crash"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a report: %v", err)
	}
}

// Who asks a process by Ctrl-\ what it does reads the answer where it was asked; it
// did not die by itself.
func TestQuitIsToldToTheUser(t *testing.T) {
	if _, crashTo := partStderr(); crashTo == nil || runtime.GOOS == "windows" {
		t.Skip("there is no such signal, or no report")
	}
	asked := make(chan struct{}, 1)
	isHealthy := atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && !isHealthy.Load() {
			asked <- struct{}{}
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	db := filepath.Join(t.TempDir(), "crawl.pawl")
	args := []string{"crawl", server.URL + "/", "--db", db, "--delay", "0", "--progress", "none"}
	cmd, done, said := start(t, "pawl", args)
	<-asked
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-done
	if !strings.Contains(said.String(), "SIGQUIT: quit") || !strings.Contains(said.String(), "goroutine ") {
		t.Errorf("the user sees\n%.1000s", said.String())
	}
	isHealthy.Store(true)
	out, err := exec.Command("pawl", args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "did not end cleanly") || strings.Contains(string(out), "died") {
		t.Errorf("the next run: %v\n%s", err, out)
	}
}
