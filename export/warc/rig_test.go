package warc

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pawl/internal/warccheck"
)

var (
	noon      = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)
	testInfo  = Info{Software: "pawl/1.0", Robots: "RFC 9309", UserAgent: "pawl", IsPartOf: "test", ID: [16]byte{7}, Time: noon}
	archiveID = [16]byte{1, 2, 3}
)

// page is the n-th exchange of a crawl.
func page(n int) *Exchange {
	body := fmt.Appendf(nil, "<html><title>Page %d</title>%s</html>", n, strings.Repeat("<p>word</p>", n%40))
	return &Exchange{
		ID:       DeriveID([16]byte{9}, uint64(n)),
		URL:      fmt.Sprintf("https://www.example.org/p/%d?b=2&a=1", n),
		Time:     noon.Add(time.Duration(n) * time.Second),
		IP:       "192.0.2.7",
		Request:  fmt.Appendf(nil, "GET /p/%d HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: pawl\r\n\r\n", n),
		Response: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\nContent-Length: 77\r\n\r\n"),
		Protocol: "HTTP/1.1",
		Body:     body,
	}
}

// write is a whole file with those exchanges.
func write(t testing.TB, xs ...*Exchange) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, testInfo)
	for _, x := range xs {
		if err := w.Write(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// valid checks a file and returns what is in it.
func valid(t testing.TB, files ...[]byte) *warccheck.Report {
	t.Helper()
	var rs []io.Reader
	for _, f := range files {
		rs = append(rs, bytes.NewReader(f))
	}
	rep, err := warccheck.Validate(rs...)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// folder is what a folder holds.
type folder map[string]string

func read(t testing.TB, dir string) folder {
	t.Helper()
	f := folder{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		f[d.Name()] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// put makes a folder that holds that.
func (f folder) put(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// with is the folder with one file changed; a nil text removes it.
func (f folder) with(name string, text ...string) folder {
	g := maps.Clone(f)
	if len(text) == 0 {
		delete(g, name)
	} else {
		g[name] = text[0]
	}
	return g
}

// names are those of what is an archive's for good: not of its state.
func (f folder) names() []string {
	return slices.DeleteFunc(f.all(), func(name string) bool { return strings.HasPrefix(name, ".") })
}

func (f folder) all() []string { return slices.Sorted(maps.Keys(f)) }

// sameFolder says where two folders differ.
func sameFolder(t *testing.T, got, want folder) {
	t.Helper()
	if !slices.Equal(got.names(), want.names()) {
		t.Fatalf("files:\n got %q\nwant %q", got.names(), want.names())
	}
	for _, name := range want.names() {
		if got[name] != want[name] {
			t.Fatalf("%s differs: %d bytes, want %d", name, len(got[name]), len(want[name]))
		}
	}
}

func testOptions(maxSize int64) Options {
	o := Defaults()
	o.MaxSize, o.Info = maxSize, testInfo
	return o
}

func mustOpen(t testing.TB, dir string, kept []byte, o Options) *Archive {
	t.Helper()
	a, err := open(dir, "crawl", kept, o, archiveID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func mustAdd(t testing.TB, a *Archive, xs ...*Exchange) []byte {
	t.Helper()
	if err := a.Add(xs); err != nil {
		t.Fatal(err)
	}
	return a.Position()
}

// pages are the exchanges from the n-th on.
func pages(n, count int) []*Exchange {
	var xs []*Exchange
	for i := range count {
		xs = append(xs, page(n+i))
	}
	return xs
}

// checkArchive validates all files of a finished archive and their indexes.
func checkArchive(t testing.TB, f folder, wantResponses int) {
	t.Helper()
	var files [][]byte
	for _, name := range f.names() {
		if serialOf(name) >= 0 {
			files = append(files, []byte(f[name]))
			if err := warccheck.Index([]byte(f[indexName(name)]), []byte(f[name]), name); err != nil {
				t.Errorf("%s: %v", indexName(name), err)
			}
		}
	}
	if rep := valid(t, files...); rep.Types["response"]+rep.Types["revisit"] != wantResponses {
		t.Errorf("archive holds %v, want %d responses", rep.Types, wantResponses)
	}
}
