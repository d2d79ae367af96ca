package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a running crawl answers is told in the words of the command that asked.
func TestARunningCrawlAnswersInTheWordsOfTheCommand(t *testing.T) {
	db := filepath.Join(t.TempDir(), "c.pawl")
	hours := time.Now().Add(2*time.Hour).Format("15:04") + "-" + time.Now().Add(3*time.Hour).Format("15:04")
	root := site(t)
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan string, 1)
	go func() {
		var w world
		w.run(t, ctx, "crawl", root, "--db", db, "--hours", hours, "--progress", "none")
		over <- w.stderr.String()
	}()
	defer func() { <-over }()
	defer stop()
	var w world
	for code := -1; code != ExitOK; {
		select {
		case said := <-over:
			over <- said
			t.Fatalf("the crawl has ended: %s", said)
		default:
			code = w.run(t, ctx, "pause", "--db", db) // once it can be spoken to
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"resume"}, ExitOK, "but the crawl is held: outside of --hours, goes on at "},
		{[]string{"set", "delay=bad"}, ExitUsage, `delay: "bad" is not a duration such as 90s or 1h30m; see: pawl set --help`},
		{[]string{"set", "warc=x"}, ExitUsage, "stop it, and go on with: pawl crawl --warc …\n"},
	} {
		if code := w.run(t, ctx, append(c.args, "--db", db)...); code != c.code || !strings.Contains(w.stderr.String(), c.want) {
			t.Errorf("%v: exit code %d, says %s", c.args, code, &w.stderr)
		}
	}
}
