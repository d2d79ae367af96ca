package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pawl/crawl"
)

// newListenHandler is what ServeMetrics serves. base lives as long as the server,
// host is the one that the user named.
func newListenHandler(base context.Context, host string, o MetricsOptions) http.Handler {
	look := &lookout{ask: o.Status, turn: make(chan struct{}, 1)}
	own := newCollector(base, look, o.Base)
	registry := prometheus.NewRegistry()
	registry.MustRegister(own, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	mux := http.NewServeMux()
	index := []string{"/healthz", "/metrics", "/v1/status"}
	mux.Handle("/healthz", healthPage(look))
	mux.Handle("/metrics", atMost(scrapesAtOnce, promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})))
	mux.Handle("/v1/status", statusPage(look))
	if o.Profiles {
		index = append(index, "/debug/pprof/")
		addProfiles(mux)
	}
	mux.Handle("/{$}", listPage("pawl: a crawl that runs", index))
	return &browserGuard{named: host, next: mux}
}

// longestProfile is how many seconds of a profile can be asked for.
const longestProfile = 300

// addProfiles adds what net/http/pprof serves, but for two: the command line,
// which can hold passwords, and the symbols, which profiles of Go bring along.
func addProfiles(mux *http.ServeMux) {
	// These last as long as they are asked to.
	long := map[string]http.HandlerFunc{"profile": pprof.Profile, "trace": pprof.Trace}
	var names []string
	for name := range long {
		names = append(names, name)
	}
	for _, p := range runtimepprof.Profiles() {
		names = append(names, p.Name())
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = "/debug/pprof/" + name
	}
	some := atMost(scrapesAtOnce, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if !slices.Contains(names, "/debug/pprof/"+name) {
			http.NotFound(w, r)
			return
		}
		if seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && !(seconds <= longestProfile) {
			http.Error(w, fmt.Sprintf("at most %d seconds", longestProfile), http.StatusBadRequest)
			return
		}
		// Not every writer has deadlines, but connections do. That for reading
		// would cut a profile short, as it watches for who asks to go away.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		if h := long[name]; h != nil {
			h(w, r)
			return
		}
		pprof.Handler(name).ServeHTTP(w, r)
	}))
	mux.Handle("/debug/pprof/{$}", listPage("profiles, for go tool pprof; ?seconds=N of profile and trace say how long", names))
	mux.Handle("/debug/pprof/{name}", some)
}

// healthPage tells whether the crawl does what it should, which can be to wait.
func healthPage(look *lookout) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := look.status(r.Context())
		switch {
		case err != nil:
			http.Error(w, oneLine(err), http.StatusServiceUnavailable)
		case s.Live == nil || s.State != "running" && s.State != "paused":
			http.Error(w, s.State, http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintln(w, "ok")
		}
	})
}

func statusPage(look *lookout) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := look.status(r.Context())
		if err != nil {
			http.Error(w, oneLine(err), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		// It fails when nobody reads any more.
		_ = e.Encode(s)
	})
}

// listPage serves a title and what is under it.
func listPage(title string, paths []string) http.Handler {
	text := title + "\n\n" + strings.Join(paths, "\n") + "\n"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, text)
	})
}

// atMost turns requests away while n are under way.
func atMost(n int, next http.Handler) http.Handler {
	slots := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, fmt.Sprintf("%d others are asking for this", n), http.StatusServiceUnavailable)
		}
	})
}

// oneLine is an error as the text of an answer.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

const (
	// A status is good for so long, however many ask.
	statusFresh = time.Second
	// A crawl that does not answer within this is not well.
	statusPatience = 5 * time.Second
)

var errNoAnswer = fmt.Errorf("the crawl does not answer within %v", statusPatience)

// lookout asks for the status on behalf of all requests.
type lookout struct {
	ask  func(context.Context) (*crawl.Status, error)
	turn chan struct{} // who has put something in may use what follows
	last *crawl.Status
	at   time.Time
}

// status is how the crawl stands, or stood a moment ago. It takes no longer than
// statusPatience.
func (l *lookout) status(ctx context.Context) (*crawl.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, statusPatience, errNoAnswer)
	defer cancel()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l.last != nil && time.Since(l.at) < statusFresh {
		return l.last, nil
	}
	s, err := l.ask(ctx)
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	l.last, l.at = s, time.Now()
	return s, nil
}
