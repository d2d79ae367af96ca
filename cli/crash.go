package cli

import (
	"bytes"
	"io"
	"os"
	"strings"
	"time"
)

// maxCrash is how large the file of crashes may be when a run begins, in bytes. A
// larger one is put aside, in the place of the one that was before.
const maxCrash = 4 << 20

// maxCause is how many bytes are told of what a run died of.
const maxCause = 200

// crashFile is where it stands how the processes died that crawled a file.
func crashFile(db string) string { return db + ".crash" }

// keepCrash has it kept beside the crawl file how this process dies, should it
// die of a bug or for want of memory. over is to be called when it has not.
func (g *crawling) keepCrash() (over func()) {
	if g.CrashTo == nil {
		return func() {}
	}
	path := crashFile(g.file.Path())
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() > maxCrash {
		if err := os.Rename(path, path+".old"); err != nil {
			_ = os.Truncate(path, 0)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return func() {} // then it is said on stderr
	}
	if err := g.CrashTo(f); err != nil {
		f.Close()
		return func() {}
	}
	return func() {
		_ = g.CrashTo(nil)
		info, err := f.Stat()
		f.Close()
		if err == nil && info.Size() == 0 {
			os.Remove(path)
		}
	}
}

// tellCrash tells how the process died that had the file before, if it did by itself:
// in a run, or while it was loading and there was none yet. It is told until a run
// has begun. What is known of it is found in the file of before once keepCrash has put
// that aside.
func (g *crawling) tellCrash() {
	if g.made {
		return // it speaks of another file of that name
	}
	since := time.UnixMilli(max(g.state.Run.Started, g.file.Header().Created))
	path := crashFile(g.file.Path())
	why, size := lastCrash(path, since)
	if why == "" {
		return
	}
	if size > maxCrash {
		path += ".old"
	}
	g.talk.sayf("the last run died by itself: %s; what is known of it is in %s", why, path)
}

// lastCrash says in a few words how the last process died that a file of crashes
// tells of, and how large the file is; empty: nothing was added to it since then, or
// the user had the process say where it was (Ctrl-\).
func lastCrash(path string, since time.Time) (why string, size int64) {
	// Lstat, since to open a pipe may take for ever.
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.ModTime().Before(since) {
		return "", 0
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*maxCrash))
	if err != nil {
		return "", 0
	}
	why = "of an unknown cause"
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("SIGQUIT: quit")) {
			why = ""
		}
		for _, begin := range []string{"panic: ", "fatal error: ", "runtime: goroutine stack exceeds "} {
			if rest, ok := strings.CutPrefix(string(line), begin); ok {
				why = clean(strings.TrimSpace(begin + rest[:min(len(rest), maxCause)]))
			}
		}
	}
	return why, info.Size()
}
