package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pawl/internal/fakeweb"
)

var (
	storeKills = flag.Int("store.kills", 5, "how often TestAppStore kills each crawler")
	storeSeed  = flag.Uint64("store.seed", 0, "seed of the instants at which it kills, 0: by chance")
)

// TestAppStore runs the recipe of examples/ for an app store, kills it at random
// instants and starts it again until it is done, and holds every cell of what it
// wrote against the truth: no app is missing, none is there twice, and what a
// page does not say is empty.
func TestAppStore(t *testing.T) {
	t.Parallel()
	seed := *storeSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-store.seed %d", seed)
	bin := realBinary(t)
	for i, test := range []struct {
		name  string
		apps  int
		kills int
		rows  int
	}{
		{"all similar apps, killed", 600, *storeKills, 420},
		{"a thousand of them, killed", 1600, *storeKills, 1000},
		{"a thousand of them, in one go", 1600, 0, 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, uint64(i)))
			o := fakeweb.DefaultStore()
			o.Apps, o.Tally = test.apps, false
			// The crawl shall last as long as it takes to kill it that often.
			const perKill = 150 * time.Millisecond
			if test.kills > 0 {
				o.Latency = fakeweb.Fixed(time.Duration(test.kills) * perKill / time.Duration(test.rows))
			}
			store, root := startStore(t, o)
			dir := t.TempDir()
			db, out := filepath.Join(dir, "apps.pawl"), filepath.Join(dir, "apps.csv")
			args := []string{
				"crawl", "--config", "examples/appstore.yaml", root + "/app/1", "-o", out, "--db", db,
				"--delay", "0", "--progress", "none", "--log-level", "error",
			}
			kills := 0
			var left [][]byte // what the file held after each kill
			for {
				wait := time.Duration(-1)
				if kills < test.kills {
					wait = time.Duration(chance.Int64N(int64(2 * perKill)))
				}
				if !runAndKill(t, bin, args, wait) {
					break
				}
				kills++
				rows, err := os.ReadFile(out)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				left = append(left, rows)
			}
			if kills < test.kills {
				t.Errorf("the crawl was over after %d kills of %d", kills, test.kills)
			}
			written, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			for i, rows := range left {
				if !bytes.HasPrefix(written, rows) {
					t.Errorf("what was written before kill %d was changed later", i+1)
				}
			}

			truth := store.Similar("/app/1", 0)
			checkCells(t, "-o", written, root, truth, test.rows, defused)
			checkCells(t, "export pages", command(t, bin, "export", "pages", "--db", db), root, truth, test.rows, defused)
			fields := command(t, bin, "export", "fields", "--db", db)
			checkCells(t, "export fields", fields, root, truth, test.rows, defused)
			checkCells(t, "export fields --raw", command(t, bin, "export", "fields", "--db", db, "--raw"), root, truth, test.rows, strings.Clone)
			if test.kills == 0 {
				// Which apps are the first thousand is certain only when no page was put off.
				checkCells(t, "the first of them", fields, root, truth[:test.rows], test.rows, defused)
			}
			if runAndKill(t, bin, args, -1) {
				t.Error("running it once more did not end")
			}
			if again, err := os.ReadFile(out); err != nil || !bytes.Equal(again, written) {
				t.Errorf("running it once more changed the file (%v)", err)
			}
		})
	}
}

// startStore serves a store on loopback until the test ends. root has no slash at
// its end.
func startStore(t *testing.T, o fakeweb.StoreOptions) (store *fakeweb.Store, root string) {
	t.Helper()
	store, err := fakeweb.NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	return store, server.URL
}

// defused is how a cell stands in a file that a spreadsheet may open.
func defused(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// table reads CSV: a map for each row, from the names of the columns.
func table(t *testing.T, what string, text []byte) (rows []map[string]string) {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if len(records) == 0 {
		t.Fatalf("%s has no header", what)
	}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, cell := range record {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// checkCells holds the rows of a table, of which there should be so many, against
// the truth.
func checkCells(t *testing.T, what string, text []byte, root string, truth []fakeweb.StoreApp, want int, spell func(string) string) {
	t.Helper()
	apps := map[string]fakeweb.StoreApp{}
	for _, app := range truth {
		apps[root+app.Path] = app
	}
	rows := table(t, what, text)
	if len(rows) != want {
		t.Errorf("%s has %d rows, want %d", what, len(rows), want)
	}
	seen := map[string]bool{}
	wrong := 0
	for _, row := range rows {
		app, ok := apps[row["url"]]
		switch {
		case seen[row["url"]]:
			t.Errorf("%s has %s twice", what, row["url"])
			continue
		case !ok:
			t.Errorf("%s has %s, which is no such app", what, row["url"])
			continue
		}
		seen[row["url"]] = true
		cells := append([]string{spell(app.Name)}, app.Ratings[:]...)
		for i, column := range []string{"name", "five", "four", "three", "two", "one"} {
			if have, ok := row[column]; !ok || have != cells[i] {
				if wrong++; wrong <= 10 {
					t.Errorf("%s: %s of %s is %q, want %q", what, column, row["url"], have, cells[i])
				}
			}
		}
	}
	if wrong > 10 {
		t.Errorf("%s has %d cells that are wrong", what, wrong)
	}
}

// TestRecipes runs the other recipes of examples/ against the store.
func TestRecipes(t *testing.T) {
	bin := realBinary(t)
	o := fakeweb.DefaultStore()
	o.Apps, o.Tally = 60, false
	store, root := startStore(t, o)
	crawl := func(t *testing.T, recipe, seed string, flags ...string) (db string) {
		t.Helper()
		recipe = filepath.Join("examples", recipe)
		command(t, bin, "check", recipe)
		db = filepath.Join(t.TempDir(), "crawl.pawl")
		args := []string{"crawl", "--config", recipe, root + seed, "--db", db, "--delay", "0", "--progress", "none", "--log-level", "error"}
		command(t, bin, append(args, flags...)...)
		return db
	}

	t.Run("shop.yaml", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "prices.csv")
		crawl(t, "shop.yaml", "/", "-o", out)
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]map[string]string{}
		for _, row := range table(t, out, text) {
			rows[row["url"]] = row
		}
		for app := range store.All() {
			row := rows[root+app.Path]
			delete(rows, root+app.Path)
			for column, want := range map[string]string{
				"product": defused(app.Name), "price": app.Price, "currency": "USD", "rating": strings.TrimSuffix(app.Average, ".0"),
			} {
				if row[column] != want {
					t.Errorf("%s of %s is %q, want %q", column, app.Path, row[column], want)
				}
			}
		}
		for url := range rows {
			t.Errorf("%s is a row", url)
		}
	})

	t.Run("audit.yaml", func(t *testing.T) {
		db := crawl(t, "audit.yaml", "/")
		pages := table(t, "pages", command(t, bin, "export", "pages", "--db", db,
			"--columns", "url,status,title,h1,canonical,unique_inlinks,h2,og_image,caching"))
		icons := 0
		for _, row := range pages {
			switch path := strings.TrimPrefix(row["url"], root); {
			case strings.HasPrefix(path, "/icon/"):
				icons++
			case path == "/app/1":
				if row["h2"] == "" || row["og_image"] != root+"/icon/1.svg" || row["unique_inlinks"] == "" || row["unique_inlinks"] == "0" {
					t.Errorf("the row of %s: %v", path, row)
				}
			}
			if row["status"] != "200" {
				t.Errorf("%s: %s", row["url"], row["status"])
			}
		}
		if icons == 0 {
			t.Error("no images were fetched")
		}
		links := table(t, "links", command(t, bin, "export", "links", "--db", db))
		if broken := table(t, "broken links", command(t, bin, "export", "links", "--db", db, "--where", "target_status >= 400")); len(links) < 1000 || len(broken) > 0 {
			t.Errorf("%d links, %d of them broken", len(links), len(broken))
		}
		command(t, bin, "export", "duplicates", "--db", db)
	})

	t.Run("dataset.yaml", func(t *testing.T) {
		db := crawl(t, "dataset.yaml", "/app/1")
		if !bytes.Contains(command(t, bin, "export", "--help"), []byte("markdown")) {
			t.Skip("export has no texts")
		}
		text := string(command(t, bin, "export", "pages", "--db", db, "--columns", "url,title,language,author,text", "--format", "jsonl"))
		lines := strings.Count(text, "\n")
		for app := range store.All() {
			if !strings.Contains(text, fmt.Sprintf("%q", root+app.Path)) {
				t.Errorf("%s has no line", app.Path)
			}
			lines--
		}
		if lines != 0 {
			t.Errorf("%d lines too many", lines)
		}
		if n := strings.Count(text, "Description"); n < 50 {
			t.Errorf("%d pages with text", n)
		}
		if !bytes.Contains(command(t, bin, "export", "pages", "--db", db, "--columns", "url,markdown", "--format", "jsonl"), []byte("## Description")) {
			t.Error("no page as Markdown")
		}
	})
}
