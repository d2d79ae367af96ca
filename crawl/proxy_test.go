package crawl

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

// onWarning calls do once, when the first warning is logged.
type onWarning struct {
	slog.Handler
	of   string // what it is about
	once sync.Once
	do   func()
}

func (h *onWarning) Enabled(context.Context, slog.Level) bool { return true }

func (h *onWarning) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && strings.Contains(r.Message, h.of) {
		h.once.Do(h.do)
	}
	return nil
}

func (h *onWarning) WithAttrs([]slog.Attr) slog.Handler { return h }

// Trouble of the proxy is charged to no host: when it serves again the crawl goes
// on as if nothing had been.
func TestProxyTroubleIsNobodysFault(t *testing.T) {
	t.Run("of the proxy", func(t *testing.T) { proxyTroubleIsNobodysFault(t, "the proxy does not serve", nil) })
	// The run would end if this went on, but waits for a network.
	t.Run("of the network", func(t *testing.T) {
		proxyTroubleIsNobodysFault(t, "the network is gone", errors.New("no route to any network"))
	})
}

// proxyTroubleIsNobodysFault crawls through a proxy that begins to serve when trouble is
// logged; probed is what a probe says until then.
func proxyTroubleIsNobodysFault(t *testing.T, trouble string, probed error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			http.NotFound(rw, r)
		}
	})}
	defer server.Close()
	s := &site{t: t, path: newPath(t)}
	s.opt = Options{Settings: Defaults("pawl/test"), Input: Input{Args: []string{"http://a.test/", "http://b.test/"}}}
	s.opt.Delay, s.opt.Proxy, s.opt.Retries = 0, "http://"+address, 0
	var isBack atomic.Bool
	s.opt.Probe = func(_ context.Context, hosts []string) error {
		if len(hosts) != 1 || hosts[0] != address {
			t.Errorf("probed for %v", hosts)
		}
		if isBack.Load() {
			return nil
		}
		return probed
	}
	s.opt.Log = slog.New(&onWarning{of: trouble, do: func() {
		isBack.Store(true)
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		go server.Serve(listener)
	}})
	sum := s.run(t.Context())
	if sum.Counts.Of(storage.Fetched) != 2 || sum.Counts.Of(storage.Failed) > 0 {
		t.Errorf("%+v", sum.Counts)
	}
	for url, v := range s.outcomes() {
		if v.Attempt != 1 {
			t.Errorf("%s took %d attempts", url, v.Attempt)
		}
	}
}

func TestProxyHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &loop{Crawl: &Crawl{log: slog.New(slog.DiscardHandler)}, began: now, start: now}
		trouble, served := &result{proxy: "no"}, &result{sent: now}
		var holds []time.Duration
		for !l.proxy.isOver(l.now()) {
			for range 3 { // requests of the same moment count once
				l.noteProxy(trouble)
			}
			holds = append(holds, l.proxy.until.Sub(l.now()))
			time.Sleep(holds[len(holds)-1])
		}
		if len(holds) != 8 || holds[0] != firstProxyHold || holds[3] != 8*firstProxyHold || holds[7] != maxProxyHold {
			t.Errorf("held for %v", holds)
		}
		l.noteProxy(&result{}) // a page that robots.txt forbids says nothing of the proxy
		if !l.proxy.isOver(l.now()) {
			t.Error("it is taken to serve again")
		}
		l.noteProxy(served)
		if l.proxy != (proxyTrouble{}) {
			t.Errorf("it served, and %+v", l.proxy)
		}
	})
}
