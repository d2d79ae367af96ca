package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shop is a site on which every reason not to follow a link occurs.
func shop(t *testing.T) (root string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "User-agent: *\nDisallow: /secret\n")
	})
	mux.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) { t.Error("what robots.txt forbids was asked for") })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/product", http.StatusFound) })
	mux.HandleFunc("/product", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Kind", "a product")
		fmt.Fprint(w, `<title>x</title><h1>A <b>thing</b>`+"\x1b[2J"+`</h1><ul>`+strings.Repeat("<li>1,234</li>", 25)+`</ul>
<img src=/i.png><link rel=alternate href=/de>
<main><a href=/product/2>two</a><a href=/cart>cart</a><a href=/no>no</a><a href=http://elsewhere.test/>else</a><a rel=nofollow href=/nf>nf</a><a href=/list/1>list</a></main>
<a href=/outside>out</a><form action=/find></form>`)
	})
	mux.HandleFunc("/", http.NotFound)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

const shopRecipe = `exclude: /no$
links-from: main
fields: {name: h1, price: .price, kind: header:X-Kind}
rules:
  - match: /list/
    priority: high
    store: false
  - match: /cart
    ignore: true
  - match: /product
    fields: {'numbers[]:int': li, name: h2}
    store: row
seeds: [http://one.test, http://two.test]
`

func writeRecipe(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckTellsWhatIsInARecipe(t *testing.T) {
	path := writeRecipe(t, shopRecipe)
	const ok = ": ok: 3 rules, 4 fields, 2 seeds\n"
	for _, c := range []struct {
		name string
		args []string
		env  string
		want string
	}{
		{"argument", []string{path}, "", path + ok},
		{"flag", []string{"--config", path}, "", path + ok},
		{"environment", nil, path, path + ok},
		{"argument over environment", []string{path}, "/none.yaml", path + ok},
		{"flags win", []string{path, "--field", "x=h1", "--field", "y=h2"}, "", path + ": ok: 3 rules, 4 fields, 2 seeds\n"},
		{"JSON", []string{path, "--json"}, "", "{\n  \"file\": \"" + path + "\",\n  \"rules\": 3,\n  \"fields\": 4,\n  \"seeds\": 2,\n  \"pages\": []\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{env: map[string]string{"PAWL_CONFIG": c.env}}
			if code := w.run(t, context.Background(), append([]string{"check"}, c.args...)...); code != 0 || w.stderr.Len() > 0 {
				t.Errorf("exit code %d: %s", code, &w.stderr)
			}
			if diff := cmp.Diff(c.want, w.stdout.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	good := writeRecipe(t, shopRecipe)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "name a recipe or a URL; see: pawl check --help"},
		{"no such file", []string{"/none.yaml"}, "open /none.yaml: no such file or directory; see: pawl check --help"},
		{"bad recipe", []string{writeRecipe(t, "dellay: 1s")}, "there is no setting dellay; did you mean delay?\n    1 | dellay: 1s"},
		{"bad URL", []string{good, "http://"}, "\"http://\" cannot be crawled: "},
		{"bad flag", []string{good, "--field", "url=h1"}, "--field \"url=h1\": pages have a column url already; choose another name; see: pawl check --help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := new(world)
			if code := w.run(t, context.Background(), append([]string{"check"}, c.args...)...); code != ExitUsage || w.stdout.Len() > 0 {
				t.Errorf("exit code %d, said %q", code, &w.stdout)
			}
			if !strings.Contains(w.stderr.String(), c.want) {
				t.Errorf("said %q, want %q", &w.stderr, c.want)
			}
		})
	}
}

func TestCheckTriesAPage(t *testing.T) {
	root := shop(t)
	w := new(world)
	if code := w.run(t, context.Background(), "check", writeRecipe(t, shopRecipe), root+"/product"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	_, got, _ := strings.Cut(w.stdout.String(), "\n\n")
	got = strings.ReplaceAll(got, root, "ROOT")
	want := `ROOT/product
  outcome    fetched, 200, text/html; charset=utf-8, 673 B
  rule       3, /product
  store      its row alone
  fields
    name     A thing [2J
    price    (nothing found)
    kind     a product
    numbers  1234
` + strings.Repeat("             1234\n", 19) + `             and 5 others
  links to follow: 2
    ROOT/product/2
    ROOT/list/1 (priority high)
  not followed (assets): 1
    ROOT/i.png (img)
  not followed (exclude): 1
    ROOT/no
  not followed (forms): 1
    ROOT/find (form)
  not followed (ignore): 1
    ROOT/cart
  not followed (kind): 1
    ROOT/de (alternate)
  not followed (links-from): 1
    ROOT/outside
  not followed (nofollow): 1
    ROOT/nf
  not followed (scope): 1
    http://elsewhere.test/
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckTellsOutcomes(t *testing.T) {
	root := shop(t)
	recipe := writeRecipe(t, shopRecipe+"retries: 0\n")
	for _, c := range []struct{ path, want string }{
		{"/secret", `"outcome": "blocked"`},
		{"/missing", `"status": 404`},
		{"/moved", `"redirect_url": "ROOT/product"`},
		{"/cart", `"skipped": "ignore"`},
		{"/no", `"skipped": "exclude"`},
		{"/list/7", `"store": "false"`},
	} {
		t.Run(c.path, func(t *testing.T) {
			w := new(world)
			if code := w.run(t, context.Background(), "check", recipe, root+c.path, "--json"); code != 0 {
				t.Fatalf("exit code %d: %s", code, &w.stderr)
			}
			if !json.Valid(w.stdout.Bytes()) || !strings.Contains(strings.ReplaceAll(w.stdout.String(), root, "ROOT"), c.want) {
				t.Errorf("said %s, want %s", &w.stdout, c.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		w := new(world)
		if code := w.run(t, context.Background(), "check", "http://127.0.0.1:1/", "--json", "--ignore-robots", "--retries", "0"); code != 0 || !strings.Contains(w.stdout.String(), `"error_class": "connect"`) {
			t.Errorf("exit code %d: %s %s", code, &w.stdout, &w.stderr)
		}
	})
	t.Run("robots.txt that cannot be had", func(t *testing.T) {
		w := new(world)
		if code := w.run(t, context.Background(), "check", "http://127.0.0.1:1/"); code != 0 || !strings.Contains(w.stdout.String(), "outcome    not asked for: robots.txt: ") {
			t.Errorf("exit code %d: %s %s", code, &w.stdout, &w.stderr)
		}
	})
}

// TestCheckLeavesNothing holds that no crawl file is made, nor anything that the
// recipe would write.
func TestCheckLeavesNothing(t *testing.T) {
	root, dir := shop(t), t.TempDir()
	t.Chdir(dir)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if err := os.WriteFile("r.yaml", []byte("output: out.csv\nwarc: warc\nstore-bodies: true\nlinks: true\nlog-file: log\ndb: x.pawl\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := new(world)
	if code := w.run(t, context.Background(), "check", "r.yaml", root+"/product"); code != 0 {
		t.Fatalf("exit code %d: %s", code, &w.stderr)
	}
	for _, d := range []string{dir, temp} {
		entries, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "r.yaml" {
				t.Errorf("left %s", e.Name())
			}
		}
	}
}
