package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pawl/internal/fakeweb"
	"pawl/internal/warccheck"
	"pawl/page"
)

// TestWARC crawls a site with faults and duplicates, kills the crawler at random
// instants and starts it again until it is done. Then the WARC files of the
// folder, and those exported from the bodies that were stored, must hold exactly
// one response for each row that has a status, with the content that its hash
// stands for.
func TestWARC(t *testing.T) {
	t.Parallel()
	bin := realBinary(t)
	o := fakeweb.Defaults()
	o.Pages, o.Latency, o.Tally = 250, fakeweb.Fixed(10*time.Millisecond), false
	web, err := fakeweb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	db, out, archive := filepath.Join(dir, "crawl.pawl"), filepath.Join(dir, "pages.csv"), filepath.Join(dir, "archive")
	args := []string{
		"crawl", server.URL + "/", "-o", out, "--warc", archive, "--store-bodies", "--links", "--db", db,
		"--delay", "0", "--retries", "1", "--progress", "none", "--log-level", "error",
	}
	kills := 0
	for {
		wait := time.Duration(-1)
		if kills < *storeKills {
			wait = time.Duration(50+rand.IntN(200)) * time.Millisecond
		}
		if !runAndKill(t, bin, args, wait) {
			break
		}
		kills++
	}
	t.Logf("%d kills", kills)
	command(t, bin, "verify", "--db", db)
	rows := command(t, bin, "export", "--db", db)
	if written, err := os.ReadFile(out); err != nil || !bytes.Equal(written, rows) {
		t.Errorf("-o is not what an export writes (%v)", err)
	}

	names, err := filepath.Glob(filepath.Join(archive, "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var files []io.Reader
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasSuffix(name, ".warc.gz"):
			files = append(files, bytes.NewReader(file))
			index, err := os.ReadFile(strings.TrimSuffix(name, ".warc.gz") + ".cdxj")
			if err != nil {
				t.Fatal(err)
			}
			if err := warccheck.Index(index, file, filepath.Base(name)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case !strings.HasSuffix(name, ".cdxj"):
			t.Errorf("%s is left behind", name)
		}
	}
	checkArchive(t, "--warc", rows, files...)
	checkArchive(t, "export warc", rows, bytes.NewReader(command(t, bin, "export", "warc", "--db", db)))
}

// checkArchive holds WARC files against the rows of pages.
func checkArchive(t *testing.T, what string, rows []byte, files ...io.Reader) {
	t.Helper()
	report, err := warccheck.Validate(files...)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	found := map[string]*warccheck.Record{}
	for _, r := range report.Records {
		if r.Type != "response" && r.Type != "revisit" {
			continue
		}
		if found[r.URI] != nil {
			t.Errorf("%s: two responses of %s", what, r.URI)
		}
		found[r.URI] = r
	}
	revisits := 0
	for _, row := range table(t, what, rows) {
		r := found[row["url"]]
		delete(found, row["url"])
		switch {
		case row["status"] == "":
			if r != nil {
				t.Errorf("%s: a response of %s, which gave none", what, row["url"])
			}
			continue
		case r == nil:
			t.Errorf("%s: no response of %s", what, row["url"])
			continue
		}
		if row["duplicate_of"] != "" {
			revisits++
		}
		if (r.Type == "revisit") != (row["duplicate_of"] != "") {
			t.Errorf("%s: %s is a %s, a duplicate of %q", what, row["url"], r.Type, row["duplicate_of"])
		}
		if hash := row["content_hash"]; hash != "" && hashOf(report.Payload(row["url"])) != hash {
			t.Errorf("%s: %s has another content", what, row["url"])
		}
	}
	for uri := range found {
		t.Errorf("%s: a response of %s, which has no row", what, uri)
	}
	if revisits == 0 {
		t.Errorf("%s: the site has no duplicates", what)
	}
}

// hashOf is the column content_hash.
func hashOf(content []byte) string {
	hash := page.ContentHash(content)
	return hex.EncodeToString(hash[:])
}
