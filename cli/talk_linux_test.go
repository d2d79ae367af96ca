package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// A log that cannot be written does not end the crawl, but is told of, once.
func TestLogThatCannotBeWritten(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var w world
		db := filepath.Join(t.TempDir(), "c.pawl")
		code := w.run(t, context.Background(), "crawl", site(t), "--db", db, "--delay", "0", "--progress", "none", "--log-level", "debug", "--log-format", format, "--log-file", "/dev/full")
		said := w.stderr.String()
		if code != ExitOK || strings.Count(said, "the log cannot be written") != 1 || !strings.Contains(said, "/dev/full: no space left on device") {
			t.Errorf("%s: exit code %d: %s", format, code, said)
		}
	}
}
