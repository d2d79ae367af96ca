package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"pawl/internal/fakeweb"
	"pawl/storage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pawl": main, "illpawl": illMain})
}

// TestScripts runs testdata/script/*.txtar, each of which says what it
// protects. Every script has a web of two hosts of its own: $WEB and $OTHER are
// their roots. Beside the commands of testscript there are
//
//	exits CODE COMMAND ARGS...   run a command that must exit with the code
//	patch FILE OLD NEW           replace bytes in a file by as many others
//	cut FILE SIZE                shorten a file
//	hold FILE                    have a crawl file open until the script ends
//	site NAME                    serve a site of fakeweb.Sites, or sitemaps, cookies or store, at $SITE
func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts need a shell")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               serveWeb,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "patch": patch, "cut": cutFile, "hold": hold, "site": serveSite,
		},
		Condition: func(condition string) (bool, error) {
			if condition == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, errors.New("unknown condition " + condition)
		},
	})
}

func serveWeb(e *testscript.Env) error {
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = 2, 40
	o.Faults.NotFound = 100
	web, err := fakeweb.New(o)
	if err != nil {
		return err
	}
	roots, stop, err := web.Start(o.Hosts)
	if err != nil {
		return err
	}
	e.Defer(stop)
	e.Setenv("WEB", roots[0])
	e.Setenv("OTHER", roots[1])
	return nil
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func patch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || len(args[1]) != len(args[2]) {
		ts.Fatalf("usage: patch FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o600))
}

func cutFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE SIZE")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

func serveSite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: site NAME")
	}
	var handler http.Handler
	switch args[0] {
	case "sitemaps":
		web, err := fakeweb.NewSitemaps(fakeweb.DefaultSitemaps())
		ts.Check(err)
		handler = web
	case "cookies":
		web, err := fakeweb.NewCookies(fakeweb.DefaultCookies())
		ts.Check(err)
		handler = web
	case "store":
		store, err := fakeweb.NewStore(fakeweb.DefaultStore())
		ts.Check(err)
		handler = store
	default:
		sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
		ts.Check(err)
		handler = sites.Site(args[0])
	}
	server := httptest.NewServer(handler)
	ts.Defer(server.Close)
	ts.Setenv("SITE", server.URL)
}

func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold FILE")
	}
	file, err := storage.Open(ts.MkAbs(args[0]), false)
	ts.Check(err)
	ts.Defer(func() { file.Close() })
}
