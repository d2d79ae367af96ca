// Command serve serves a generated web on loopback, for demonstrations and for
// trying pawl by hand.
//
//	go run ./internal/fakeweb/serve -pages 300 -hosts 2
//	go run ./internal/fakeweb/serve -site calendar
//	go run ./internal/fakeweb/serve -site store
//
// It prints the addresses of the roots, one a line, and serves until it is
// killed or, when its standard input is a pipe, until that is closed.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"pawl/internal/fakeweb"
)

func main() {
	if err := serve(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func serve(args []string, stdin *os.File, stdout io.Writer) error {
	o := fakeweb.Defaults()
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.IntVar(&o.Pages, "pages", o.Pages, "pages of each host")
	flags.IntVar(&o.Hosts, "hosts", o.Hosts, "number of hosts, each on a port of its own")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "another seed makes another web")
	latency := flags.Duration("latency", 0, "how long each answer takes")
	faults := flags.Bool("faults", false, "have pages fail in every way there is")
	site := flags.String("site", "", "serve this one site instead: a trap or a large honest one, as fakeweb.Sites names them, or sitemaps, cookies or store (then -pages is the number of apps); of the other flags, -pages, -seed and -latency still count where they mean something")
	file := flags.String("addr-file", "", "write the addresses to this file too, when all of them are served")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *latency > 0 {
		o.Latency = fakeweb.Fixed(*latency)
	}
	if *faults {
		o.Faults = fakeweb.AllFaults()
	}
	o.Tally = false
	var roots []string
	var stop func()
	var err error
	if *site == "" {
		var web *fakeweb.Web
		if web, err = fakeweb.New(o); err == nil {
			roots, stop, err = web.Start(o.Hosts)
		}
	} else {
		roots, stop, err = startSite(*site, o)
	}
	if err != nil {
		return err
	}
	defer stop()
	list := strings.Join(roots, "\n") + "\n"
	if *file != "" {
		// Under its name only when it is whole, for whoever waits for it.
		if err := os.WriteFile(*file+".tmp", []byte(list), 0o644); err != nil {
			return err
		}
		if err := os.Rename(*file+".tmp", *file); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(stdout, list); err != nil {
		return err
	}
	closed := make(chan struct{})
	// What a shell starts in the background has /dev/null there.
	if info, err := stdin.Stat(); err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		go func() {
			_, _ = io.Copy(io.Discard, stdin)
			close(closed)
		}()
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	select {
	case <-closed:
	case <-signals:
	}
	return nil
}

// startSite serves the site of the given name on a loopback port, with what o
// says that a site can have.
func startSite(name string, o fakeweb.Options) (roots []string, stop func(), err error) {
	var handler http.Handler
	switch name {
	case "sitemaps":
		handler, err = fakeweb.NewSitemaps(fakeweb.SitemapsOptions{Seed: o.Seed, Pages: o.Pages})
	case "cookies":
		cookies := fakeweb.DefaultCookies()
		cookies.Seed, cookies.Pages, cookies.Tally = o.Seed, o.Pages, false
		handler, err = fakeweb.NewCookies(cookies)
	case "store":
		store := fakeweb.DefaultStore()
		store.Seed, store.Latency, store.Tally = o.Seed, o.Latency, false
		if o.Pages != fakeweb.Defaults().Pages {
			store.Apps = o.Pages
		}
		handler, err = fakeweb.NewStore(store)
	default:
		options := fakeweb.DefaultSites()
		options.Seed, options.Large, options.Latency, options.Tally = o.Seed, o.Pages, o.Latency, false
		var sites *fakeweb.Sites
		if sites, err = fakeweb.NewSites(options); err != nil {
			return nil, nil, err
		}
		site := sites.Site(name)
		if site == nil {
			return nil, nil, fmt.Errorf("there is no site %q", name)
		}
		handler = site
	}
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		// Serve ends with the error that says it was closed.
		_ = server.Serve(listener)
		close(done)
	}()
	stop = func() {
		_ = listener.Close()
		_ = server.Close()
		<-done
	}
	return []string{"http://" + listener.Addr().String() + "/"}, stop, nil
}
