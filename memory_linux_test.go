package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMaxMemory has the real binary fetch many large pages at once, with a limit of
// its memory and without, and looks at what the system says it takes.
func TestMaxMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const pages, size, limit = 96, 10_000_000, 128_000_000
	text := bytes.Repeat([]byte("There is more of this page than anybody reads. "), size/47)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text)
	z.Write(text) // more than is taken
	z.Close()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/p"))
		switch {
		case r.URL.Path == "/":
			for i := range pages {
				fmt.Fprintf(w, "<a href=/p%d>x</a>\n", i)
			}
		case err != nil:
			http.NotFound(w, r)
		case n%2 == 0:
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed.Bytes())
		case n%8 == 1:
			w.Header().Set("Content-Type", "text/html")
			w.Write(text)
		default:
			w.Header().Set("Content-Type", "text/plain")
			w.Write(text)
		}
	}))
	defer web.Close()
	dir := t.TempDir()
	bin := realBinary(t)
	for i, c := range []struct {
		args []string
		most int64 // anonymous memory
	}{
		{[]string{"--max-memory", "128MB"}, limit},
		{nil, 1_200_000_000},
	} {
		db := filepath.Join(dir, fmt.Sprintf("%d.pawl", i))
		args := append([]string{"crawl", web.URL, "--db", db, "--delay", "0", "--per-host", "64", "--workers", "64", "--retries", "0", "--progress", "none", "--log-level", "error"}, c.args...)
		cmd, done, talk := start(t, bin, args)
		most := int64(0)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		var err error
		for running := true; running; {
			select {
			case err = <-done:
				running = false
			case <-tick.C:
				most = max(most, anonymous(cmd.Process.Pid))
			}
		}
		if err != nil {
			t.Fatalf("%v: %v\n%s", c.args, err, talk)
		}
		if rows := bytes.Count(command(t, bin, "export", "pages", "--db", db, "--columns", "url,outcome"), []byte(",fetched")); rows != pages+1 {
			t.Errorf("%v: %d of %d pages were fetched", c.args, rows, pages+1)
		}
		t.Logf("%v: %d MB at most, %v of CPU", c.args, most/1e6, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		if most > c.most {
			t.Errorf("%v: took %d MB", c.args, most/1e6)
		}
	}
}

// anonymous is what a process has of memory that is in no file, in bytes; 0: it is
// gone.
func anonymous(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}
