package cli

import (
	"bytes"
	"io"
	"os"
	"strings"
	"time"
)

// maxCrash is how large the file of crashes may be when a run begins, in bytes. A
// larger one begins anew.
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return func() {} // then it is said on stderr
	}
	if info, err := f.Stat(); err == nil && info.Size() > maxCrash {
		_ = f.Truncate(0)
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

// lastCrash says in a few words how a run died that began at the given time, and
// where more is told of it; empty: it did not die by itself.
func lastCrash(db string, began time.Time) (why, path string) {
	path = crashFile(db)
	f, err := os.Open(path)
	if err != nil {
		return "", ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.ModTime().Before(began) {
		return "", ""
	}
	text, err := io.ReadAll(io.LimitReader(f, 2*maxCrash))
	if err != nil {
		return "", ""
	}
	why = "of an unknown cause"
	for line := range bytes.Lines(text) {
		for _, begin := range []string{"panic: ", "fatal error: ", "runtime: goroutine stack exceeds "} {
			if rest, ok := strings.CutPrefix(string(line), begin); ok {
				why = clean(strings.TrimSpace(begin + rest[:min(len(rest), maxCause)]))
			}
		}
	}
	return why, path
}
