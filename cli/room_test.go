package cli

import (
	"os"
	"syscall"
	"testing"

	"pawl/crawl"
	"pawl/storage"
)

func TestEndsForWantOfRoom(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   crawl.End
		why   string
		limit int64
		again string
		quiet bool
		piped bool // seeds that were not read to their end
		want  string
	}{
		{
			"disk", crawl.NoSpace, "only 48.2 MB are free on the disk of /data\x1b", 0, " --db x.pawl", false, true,
			"pawl: stopped with 1,234 pending: only 48.2 MB are free on the disk of /data\\u001b\n" +
				"pawl: nothing is lost; make room and go on with: pawl resume --db x.pawl; to keep less free: pawl crawl --db x.pawl --min-free SIZE\n" +
				"pawl: the seeds from stdin were not read to their end; pipe them again to go on\n",
		},
		{
			"disk, quiet", crawl.NoSpace, "only 48.2 MB are free on the disk of /data", 0, "", true, false,
			"pawl: stopped with 1,234 pending: only 48.2 MB are free on the disk of /data\n",
		},
		{
			"memory by the flag", crawl.NoMemory, "the crawl needs 310 MB", 256_000_000, "", false, false,
			"pawl: stopped with 1,234 pending: the crawl needs 310 MB\n" +
				"pawl: nothing is lost; raise it: pawl crawl --max-memory 512MB\n",
		},
		{
			"memory of the system", crawl.NoMemory, "the crawl needs 310 MB", 0, " --db x.pawl", false, false,
			"pawl: stopped with 1,234 pending: the crawl needs 310 MB\n" +
				"pawl: nothing is lost; where the process may have more memory, go on with: pawl resume --db x.pawl\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := new(world)
			said := given{}
			if c.quiet {
				said["quiet"] = textSaid("true")
			}
			g := &crawling{call: &call{System: &System{Stderr: &w.stderr, Env: func(string) string { return "" }}, given: said}, again: c.again}
			g.settings.MaxMemory = c.limit
			var err error
			if g.talk, err = newTalk(g.call); err != nil {
				t.Fatal(err)
			}
			s := &crawl.Summary{End: c.end, Unread: c.piped, Why: c.why, Counts: storage.Counts{Known: 2000, Admitted: 2000, Pending: 1234}}
			if c.end == crawl.NoMemory {
				s.Memory = &crawl.MemoryError{Needs: 310_000_000, Limit: c.limit, Set: c.limit > 0}
			}
			if code, _ := judge(g.conclude(s)); code != ExitFull {
				t.Errorf("exit code %d", code)
			}
			if got := w.stderr.String(); got != c.want {
				t.Errorf("said\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestMoreMemoryIsEnough(t *testing.T) {
	for _, c := range []struct {
		e    crawl.MemoryError
		want string
	}{
		{crawl.MemoryError{Limit: 64_000_000, Needs: 70_000_000, Set: true}, "raise it: pawl crawl --db x --max-memory 128MB"},
		{crawl.MemoryError{Limit: 64_000_000, Needs: 300_000_000, Set: true}, "raise it: pawl crawl --db x --max-memory 512MB"},
		{crawl.MemoryError{Limit: 64_000_000, Needs: 300_000_000}, "where the process may have more memory, go on with: pawl resume --db x"},
	} {
		if got := moreMemory(&c.e, " --db x"); got != c.want {
			t.Errorf("%+v: %q, want %q", c.e, got, c.want)
		}
	}
}

func TestMend(t *testing.T) {
	for e, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "make room", syscall.EDQUOT: "make room", syscall.EIO: "the disk does not work as it should; see to it",
		syscall.EROFS: "the disk can only be read; see to it",
	} {
		err := &crawl.SinkError{Key: "x.csv", Err: &os.PathError{Op: "write", Path: "x.csv", Err: e}}
		if got := mend(err); got != want || !isDisk(err) {
			t.Errorf("%v: %q, want %q", e, got, want)
		}
	}
	if isDisk(os.ErrPermission) {
		t.Error("a lack of rights is taken for a full disk")
	}
}
