package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers is the import table of docs/architecture.md: what each package of the
// module may import of the others, and which libraries are its alone.
var layers = map[string][]string{
	"pawl":                        {"pawl/cli"},
	"pawl/cli/control":            {"pawl/crawl", "pawl/export", "pawl/storage"},
	"pawl/cli":                    {"pawl/cli/control", "pawl/crawl", "pawl/export", "pawl/export/warc", "pawl/fetch", "pawl/frontier", "pawl/page", "pawl/page/field", "pawl/storage", "pawl/weburl"},
	"pawl/export":                 {"pawl/export/warc", "pawl/page", "pawl/page/prose", "pawl/storage", "pawl/weburl"},
	"pawl/crawl":                  {"pawl/fetch", "pawl/frontier", "pawl/page", "pawl/page/field", "pawl/page/sitemap", "pawl/storage", "pawl/weburl"},
	"pawl/frontier":               {"pawl/storage", "pawl/weburl"},
	"pawl/fetch":                  {},
	"pawl/page":                   {"pawl/weburl"},
	"pawl/page/sitemap":           {"pawl/weburl"},
	"pawl/page/field":             {"pawl/page"},
	"pawl/page/prose":             {"pawl/page"},
	"pawl/export/warc":            {},
	"pawl/internal/warccheck":     {},
	"pawl/storage":                {},
	"pawl/weburl":                 {},
	"pawl/internal/fakeweb":       {},
	"pawl/internal/fakeweb/serve": {"pawl/internal/fakeweb"},
	"pawl/internal/hostile":       {},
	"pawl/internal/disktrace":     {},
	"pawl/internal/record":        {"pawl/internal/fakeweb"},
	"pawl/internal/scale":         {"pawl/cli", "pawl/crawl", "pawl/export", "pawl/frontier", "pawl/page", "pawl/storage"},
}

// owners are the libraries that few packages may import.
var owners = map[string][]string{
	"go.etcd.io/bbolt":                                {"pawl/storage"},
	"github.com/urfave/cli/v2":                        {"pawl/cli"},
	"github.com/temoto/robotstxt":                     {"pawl/fetch"},
	"github.com/nlnwa/whatwg-url":                     {"pawl/weburl"},
	"github.com/tinylib/msgp":                         {"pawl/storage"},
	"github.com/prometheus/client_golang":             {"pawl/cli/control"},
	"github.com/lmittmann/tint":                       {"pawl/cli"},
	"github.com/klauspost/compress":                   {"pawl/export", "pawl/export/warc", "pawl/fetch", "pawl/page/sitemap", "pawl/storage"},
	"github.com/andybalholm/brotli":                   {"pawl/fetch"},
	"github.com/zeebo/xxh3":                           {"pawl/crawl", "pawl/page"},
	"github.com/andybalholm/cascadia":                 {"pawl/page/field"},
	"github.com/antchfx/xpath":                        {"pawl/page/field"},
	"github.com/JohannesKaufmann/html-to-markdown/v2": {"pawl/page/prose"},
	"github.com/goccy/go-yaml":                        {"pawl/cli"},
	"github.com/expr-lang/expr":                       {"pawl/export"},
	"github.com/parquet-go/parquet-go":                {"pawl/export"},
	"modernc.org/sqlite":                              {"pawl/export"},
	"golang.org/x/time/rate":                          {"pawl/fetch"},
}

func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen[p.ImportPath] = true
		allowed, known := layers[p.ImportPath]
		if !known {
			t.Errorf("package %s is not in the table of layers", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "pawl/") && !slices.Contains(allowed, imported) {
				t.Errorf("%s must not import %s", p.ImportPath, imported)
			}
			for library, owners := range owners {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.Contains(owners, p.ImportPath) {
					t.Errorf("%s imports %s, which belongs to %s", p.ImportPath, imported, strings.Join(owners, ", "))
				}
			}
		}
	}
	for p := range layers {
		if !seen[p] {
			t.Errorf("package %s of the table of layers does not exist", p)
		}
	}
}

// Every direct dependency has a line in docs/dependencies.md, and every line a
// dependency.
func TestDependenciesAreExplained(t *testing.T) {
	text, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.Contains(cells[1], "/") {
			explained[strings.TrimSpace(cells[1])] = true
		}
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range strings.Fields(string(out)) {
		if !explained[module] {
			t.Errorf("docs/dependencies.md does not say why there is %s", module)
		}
		delete(explained, module)
	}
	for module := range explained {
		t.Errorf("docs/dependencies.md explains %s, which is not a direct dependency", module)
	}
}
