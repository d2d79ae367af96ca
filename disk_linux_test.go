package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pawl/cli"
	"pawl/internal/fakeweb"
)

// onSmallDisk is set in the process that may mount a file system.
const onSmallDisk = "PAWL_TEST_SMALL_DISK"

// smallDisk has the rest of a test run in a process that has a file system of its
// own, and gives its folder there. In the process of the test ok is false, and all
// is over.
func smallDisk(t *testing.T, size string) (dir string, ok bool) {
	t.Helper()
	if os.Getenv(onSmallDisk) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), onSmallDisk+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		switch exit := (*exec.ExitError)(nil); {
		case errors.As(err, &exit):
			t.Errorf("%v\n%s", err, out)
		case err != nil:
			t.Skip("no namespaces here: ", err)
		case bytes.Contains(out, []byte("--- SKIP")):
			t.Skipf("%s", out)
		case testing.Verbose():
			t.Logf("%s", out)
		}
		return "", false
	}
	dir = t.TempDir()
	// Nothing of what is mounted is to be seen outside.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("mounts cannot be private here: ", err)
	}
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, true
}

// try runs the binary.
func try(t *testing.T, bin string, args ...string) ending {
	t.Helper()
	var out, talk bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &talk
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ending{cmd.ProcessState.ExitCode(), out.String(), talk.String()}
}

// fill writes a file that leaves as many bytes free on the disk of a folder.
func fill(t *testing.T, name string, free int64) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(name), &s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, make([]byte, int64(s.Bavail)*s.Bsize-free), 0o600); err != nil {
		t.Fatal(err)
	}
}

// soundRows verifies a crawl file and gives its rows, and the text of their export.
func soundRows(t *testing.T, db string) (rows map[string][2]string, text string) {
	t.Helper()
	for _, what := range []string{"verify", "export"} {
		end := call(what, "--db", db)
		if end.code != cli.ExitOK {
			t.Fatalf("pawl %s: exit code %d: %s%s", what, end.code, end.out, end.talk)
		}
		text = end.out
	}
	rows = map[string][2]string{}
	for _, row := range table(t, "export", []byte(text)) {
		if _, ok := rows[row["url"]]; ok {
			t.Errorf("doubled: %s", row["url"])
		}
		rows[row["url"]] = [2]string{row["outcome"], row["status"]}
	}
	return rows, text
}

// TestSmallDisk crawls on a disk with too little room, in all the ways in which
// it may run out, and goes on when there is more: every page once, every row.
func TestSmallDisk(t *testing.T) {
	dir, ok := smallDisk(t, "24m")
	if !ok {
		return
	}
	bin := thisBinary(t)
	o := fakeweb.Defaults()
	o.Pages, o.PageBytes, o.Tally = 400, 48<<10, true
	o.Latency = fakeweb.Fixed(10 * time.Millisecond)
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	root := server.URL + "/"
	want := map[string][2]string{}
	for row := range web.Expected(fakeweb.Walk{Roots: []string{root}}) {
		if row.Outcome != fakeweb.Skipped {
			want[row.URL] = [2]string{string(row.Outcome), statusText(row.Status)}
		}
	}
	large := t.TempDir() // another disk
	for _, test := range []struct {
		name    string
		where   string // of the crawl file
		more    []string
		leave   int64 // bytes that are free
		inOrder bool  // the run ends before anything fails
		nothing bool  // nothing is asked for
		says    string
	}{
		{"a margin is kept", dir, []string{"--store-bodies"}, 8_000_000, true, false, " are free on the disk of " + dir + ", and --min-free auto keeps 5.6 MB"},
		{"too little is free from the start", dir, []string{"--store-bodies"}, 3_000_000, true, true, "only 3.0 MB are free on the disk of "},
		{"nothing is watched", dir, []string{"--store-bodies", "--min-free", "0"}, 3_000_000, false, false, "no space left on device; nothing is lost: make room"},
		{"rows on the small disk", large, []string{"-o", filepath.Join(dir, "pages.csv"), "--min-free", "0"}, 100_000, false, false, "the crawl file is whole: make room and go on with: pawl resume"},
		{"WARC on the small disk", large, []string{"--warc", filepath.Join(dir, "warc"), "--min-free", "0"}, 2_000_000, false, false, "the crawl file is whole: make room and go on with: pawl resume"},
		{"WARC on the small disk, with a margin", large, []string{"--warc", filepath.Join(dir, "warc")}, 8_000_000, true, false, " are free on the disk of " + dir},
	} {
		t.Run(test.name, func(t *testing.T) {
			web.Reset()
			filler, db := filepath.Join(dir, "filler"), filepath.Join(test.where, "crawl.pawl")
			t.Cleanup(func() {
				for _, d := range []string{dir, large} {
					names, _ := filepath.Glob(filepath.Join(d, "*"))
					for _, name := range names {
						_ = os.RemoveAll(name)
					}
				}
			})
			fill(t, filler, test.leave)
			args := append([]string{"crawl", root, "--db", db, "--delay", "0", "--per-host", "16", "--progress", "none", "--log-level", "warn"}, test.more...)
			end := try(t, bin, args...)
			if end.code != cli.ExitFull || !strings.Contains(end.talk, test.says) || strings.Contains(end.talk, "goroutine ") {
				t.Fatalf("exit code %d: %s", end.code, end.talk)
			}
			t.Log(end.talk)
			rows, _ := soundRows(t, db)
			asked := 0
			for u := range want {
				n := requests(web, u)
				asked += n
				if _, ok := rows[u]; test.inOrder && n > 0 && !ok {
					t.Errorf("%s was asked for and is not there", u)
				}
			}
			if (asked == 0) != test.nothing || len(rows) == len(want) {
				t.Errorf("%d requests, %d rows", asked, len(rows))
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			if end := try(t, bin, "resume", "--db", db, "--progress", "none", "--log-level", "warn"); end.code != cli.ExitOK {
				t.Fatalf("exit code %d: %s", end.code, end.talk)
			}
			got, all := soundRows(t, db)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d rows, want %d", len(got), len(want))
			}
			if written, err := os.ReadFile(filepath.Join(dir, "pages.csv")); err == nil && string(written) != all {
				t.Error("-o is not what an export writes")
			}
			for u := range want {
				if n := requests(web, u); test.inOrder && n > 1 {
					t.Errorf("%s was asked for %d times", u, n)
				}
			}
		})
	}
}
