package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"pawl/crawl"
	"pawl/storage"
)

// statusOf is a crawl that runs and knows hosts.
func statusOf(hosts int) *crawl.Status {
	s := &crawl.Status{
		File: "/tmp/crawl.pawl", Bytes: 4096, State: "running", Runs: 2,
		LastRun: "2026-01-02T03:04:05.000Z", LastActivity: "2026-01-02T03:05:05.500Z",
		Outcomes:     map[string]uint64{"fetched": 100, "redirected": 10, "failed": 7, "blocked": 3},
		ErrorClasses: map[string]uint64{}, ErrorStatus: 5,
		Pending: 42, Retrying: 2, Known: 1000, Hosts: uint64(hosts), HostsPending: hosts, Requests: 130, Transferred: 1 << 20,
		LeastLeftMS: 1500, Depths: []uint64{2, 40}, Reopened: 1,
		Parked: []crawl.ParkedPattern{{Host: "parked.example", Pattern: "/{n}"}},
		Edits:  []crawl.EditStatus{{Kind: "retry", Host: "edited.example"}},
		Live: &crawl.LiveStatus{
			Version: "1.2.3", Workers: 16, InFlight: 4, HostsWait: 3, LastCommit: "2026-01-02T03:05:06Z", CommitMS: 12.5,
			Failures: []crawl.Failure{{URL: "https://failed.example/"}},
			Hold:     &crawl.HoldStatus{Reason: crawl.HeldByHours},
		},
	}
	for c := storage.NoClass + 1; ; c++ {
		if _, ok := storage.ParseClass(c.String()); !ok {
			break
		}
		s.ErrorClasses[c.String()] = uint64(c)
	}
	for i := range min(hosts, 20) {
		h := crawl.HostStatus{Host: fmt.Sprintf("host%d.example", i), Pending: 1}
		s.Fullest, s.Slowest, s.Live.Busiest = append(s.Fullest, h), append(s.Slowest, h), append(s.Live.Busiest, h)
	}
	return s
}

func telling(s *crawl.Status) func(context.Context) (*crawl.Status, error) {
	return func(context.Context) (*crawl.Status, error) { return s, nil }
}

// serve is a server on loopback that is gone at the end of the test, with all it
// started.
func serve(t *testing.T, o MetricsOptions) (m *Metrics, at string) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	if o.Addr == "" {
		o.Addr = ":0"
	}
	m, err := ServeMetrics(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Stop()
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, ignore)
	})
	return m, "http://" + m.Addr.String()
}

func get(t *testing.T, url string) (code int, header http.Header, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func TestServeMetricsPages(t *testing.T) {
	for _, c := range []struct {
		path     string
		profiles bool
		code     int
		kind     string
		holds    []string
	}{
		{"/", false, 200, "text/plain", []string{"/metrics\n", "/healthz\n", "/v1/status\n"}},
		{"/", true, 200, "text/plain", []string{"/debug/pprof/\n"}},
		{"/healthz", false, 200, "text/plain", []string{"ok\n"}},
		{"/v1/status", false, 200, "application/json", []string{`"state": "running"`}},
		{"/metrics", false, 200, "text/plain", []string{
			"pawl_up 1\n", `pawl_outcomes{outcome="failed"} 7`, `pawl_failures{error_class="status"} 5`, `pawl_failures{error_class="dns"} 1`,
			`pawl_pending{depth="1"} 40`, `pawl_pending{depth="2"} 0`, `pawl_pending{depth="31+"} 0`,
			"pawl_least_left_seconds 1.5\n", "pawl_last_commit_duration_seconds 0.0125\n", "pawl_run_start_timestamp_seconds 1.767323045e+09\n",
			`pawl_held{reason="hours"} 1`, `pawl_held{reason="network"} 0`,
			`pawl_state{state="running"} 1`, `pawl_state{state="paused"} 0`, `pawl_build_info{version="1.2.3"} 1`,
			"go_goroutines ",
		}},
		{"/metrics?name[]=pawl_up", false, 200, "text/plain", []string{"pawl_up 1\n"}},
		{"/debug/pprof/", true, 200, "text/plain", []string{"/debug/pprof/heap\n", "/debug/pprof/profile\n", "/debug/pprof/trace\n"}},
		{"/debug/pprof/goroutine?debug=1", true, 200, "text/plain", []string{"goroutine profile: total"}},
		{"/debug/pprof/heap", true, 200, "application/octet-stream", nil},
		{"/debug/pprof/trace?seconds=0.01", true, 200, "application/octet-stream", nil},
		{"/debug/pprof/profile?seconds=9999", true, 400, "text/plain", []string{"at most"}},
		{"/debug/pprof/trace?seconds=nan", true, 400, "text/plain", []string{"at most"}},
		{"/debug/pprof/heap?seconds=301", true, 400, "text/plain", []string{"at most"}},
		{"/debug/pprof/cmdline", true, 404, "text/plain", nil},
		{"/debug/pprof/symbol", true, 404, "text/plain", nil},
		{"/debug/pprof/heap", false, 404, "text/plain", nil},
		{"/debug/pprof/", false, 404, "text/plain", nil},
		{"/favicon.ico", true, 404, "text/plain", nil},
	} {
		t.Run(strings.Trim(c.path, "/"), func(t *testing.T) {
			_, at := serve(t, MetricsOptions{Status: telling(statusOf(3)), Profiles: c.profiles})
			code, header, body := get(t, at+c.path)
			if code != c.code || !strings.HasPrefix(header.Get("Content-Type"), c.kind) {
				t.Errorf("got %d, %q", code, header.Get("Content-Type"))
			}
			for _, text := range c.holds {
				if !strings.Contains(body, text) {
					t.Errorf("%q is not in\n%s", text, body)
				}
			}
			if header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("got %v", header)
			}
			for name := range header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("others may read it: %s", name)
				}
			}
		})
	}
}

func TestStatusPageIsTheStatus(t *testing.T) {
	want := statusOf(3)
	_, at := serve(t, MetricsOptions{Status: telling(want)})
	_, _, body := get(t, at+"/v1/status")
	got := new(crawl.Status)
	if err := json.Unmarshal([]byte(body), got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestHealth(t *testing.T) {
	with := func(change func(*crawl.Status)) func(context.Context) (*crawl.Status, error) {
		s := statusOf(1)
		change(s)
		return telling(s)
	}
	for _, c := range []struct {
		name   string
		status func(context.Context) (*crawl.Status, error)
		code   int
		body   string
	}{
		{"running", with(func(*crawl.Status) {}), 200, "ok\n"},
		{"paused", with(func(s *crawl.Status) { s.State = "paused" }), 200, "ok\n"},
		{"stopping", with(func(s *crawl.Status) { s.State = "stopping" }), 503, "stopping\n"},
		{"at rest", with(func(s *crawl.Status) { s.State, s.Live = "finished", nil }), 503, "finished\n"},
		{"over", func(context.Context) (*crawl.Status, error) { return nil, crawl.ErrOver }, 503, "the run has come to its end\n"},
		{"trouble", func(context.Context) (*crawl.Status, error) { return nil, errors.New("a\nb") }, 503, "a; b\n"},
		{"silent", func(ctx context.Context) (*crawl.Status, error) { <-ctx.Done(); return nil, ctx.Err() }, 503, "the crawl does not answer within 5s\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Five seconds pass at once.
			synctest.Test(t, func(t *testing.T) {
				w := httptest.NewRecorder()
				h := newListenHandler(t.Context(), "127.0.0.1", MetricsOptions{Status: c.status})
				h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/healthz", nil))
				if w.Code != c.code || w.Body.String() != c.body {
					t.Errorf("got %d %q", w.Code, w.Body)
				}
			})
		})
	}
}

func TestMetricsWithoutStatus(t *testing.T) {
	_, at := serve(t, MetricsOptions{Status: func(context.Context) (*crawl.Status, error) { return nil, crawl.ErrOver }})
	code, _, body := get(t, at+"/metrics")
	if code != 200 || !strings.Contains(body, "pawl_up 0\n") || strings.Contains(body, "pawl_known") {
		t.Errorf("got %d\n%s", code, body)
	}
	if code, _, _ := get(t, at+"/v1/status"); code != 503 {
		t.Errorf("status: got %d", code)
	}
}

// However many ask, the crawl is asked once a second, by one of them.
func TestStatusIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0 // not guarded: only one may ask at a time
		look := &lookout{turn: make(chan struct{}, 1), ask: func(context.Context) (*crawl.Status, error) {
			asked++
			time.Sleep(100 * time.Millisecond)
			return statusOf(asked), nil
		}}
		many := func() {
			for range 1000 {
				go func() {
					if _, err := look.status(t.Context()); err != nil {
						t.Error(err)
					}
				}()
			}
			time.Sleep(900 * time.Millisecond)
			synctest.Wait()
		}
		many()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(statusFresh)
		many()
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestWhoMayAsk(t *testing.T) {
	for _, c := range []struct {
		name   string
		named  string // in the address that the user named
		host   string
		header string
		value  string
		code   int
	}{
		{"by IPv4", "127.0.0.1", "127.0.0.1:9100", "", "", 200},
		{"by IPv6", "127.0.0.1", "[::1]:9100", "", "", 200},
		{"by IPv6 without a port", "127.0.0.1", "[::1]", "", "", 200},
		{"by another IP address", "0.0.0.0", "192.168.7.7:9100", "", "", 200},
		{"by localhost", "127.0.0.1", "LocalHost:9100", "", "", 200},
		{"by the name that the user named", "metrics.example", "metrics.example:9100", "", "", 200},
		{"by a name that leads here", "127.0.0.1", "evil.example:9100", "", "", 403},
		{"by that name without a port", "127.0.0.1", "evil.example", "", "", 403},
		{"by a name like an address", "127.0.0.1", "127.0.0.1.evil.example:9100", "", "", 403},
		{"by a name like localhost", "127.0.0.1", "localhost.evil.example", "", "", 403},
		{"by a name under localhost", "127.0.0.1", "evil.localhost:9100", "", "", 403},
		{"by half a number", "127.0.0.1", "127.1:9100", "", "", 403},
		{"by no name", "127.0.0.1", "", "", "", 403},
		{"with a user", "127.0.0.1", "evil.example@127.0.0.1:9100", "", "", 403},
		{"with a path", "127.0.0.1", "127.0.0.1:9100/x", "", "", 403},
		{"from our own page", "127.0.0.1", "127.0.0.1:9100", "Origin", "http://127.0.0.1:9100", 200},
		{"from another site", "127.0.0.1", "127.0.0.1:9100", "Origin", "http://evil.example", 403},
		{"from another port", "127.0.0.1", "127.0.0.1:9100", "Origin", "http://127.0.0.1:3000", 403},
		{"from another scheme", "127.0.0.1", "127.0.0.1:9100", "Origin", "https://127.0.0.1:9100", 403},
		{"from a frame without origin", "127.0.0.1", "127.0.0.1:9100", "Origin", "null", 403},
		{"from an empty origin", "127.0.0.1", "127.0.0.1:9100", "Origin", "", 403},
		{"typed by the user", "127.0.0.1", "127.0.0.1:9100", "Sec-Fetch-Site", "none", 200},
		{"same origin", "127.0.0.1", "127.0.0.1:9100", "Sec-Fetch-Site", "same-origin", 200},
		{"cross site", "127.0.0.1", "127.0.0.1:9100", "Sec-Fetch-Site", "cross-site", 403},
		{"another port of localhost", "127.0.0.1", "localhost:9100", "Sec-Fetch-Site", "same-site", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/", "/metrics", "/healthz", "/v1/status", "/debug/pprof/", "/debug/pprof/cmdline"} {
				h := newListenHandler(t.Context(), c.named, MetricsOptions{Status: telling(statusOf(1)), Profiles: true})
				r := httptest.NewRequest("GET", path, nil)
				r.Host = c.host
				if c.header != "" {
					r.Header.Set(c.header, c.value)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				want := c.code
				if want == 200 && strings.HasSuffix(path, "cmdline") {
					want = 404
				}
				if w.Code != want {
					t.Errorf("%s: got %d, want %d", path, w.Code, want)
				}
				if want == 403 && strings.Contains(w.Body.String(), "pawl_") {
					t.Error("told all the same")
				}
			}
		})
	}
}

// What comes over a connection as it is, which a client would not send.
func TestOddRequests(t *testing.T) {
	_, at := serve(t, MetricsOptions{Status: telling(statusOf(1))})
	addr := strings.TrimPrefix(at, "http://")
	const ok = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	for _, c := range []struct {
		name, send string
		code       int
	}{
		{"plain", "GET /healthz" + ok + "\r\n", 200},
		{"HEAD", "HEAD /metrics" + ok + "\r\n", 200},
		{"POST", "POST /v1/status" + ok + "Content-Length: 0\r\n\r\n", 405},
		{"OPTIONS", "OPTIONS /metrics" + ok + "\r\n", 405},
		{"CONNECT", "CONNECT localhost:80" + ok + "\r\n", 405},
		{"a body", "GET /metrics" + ok + "Content-Length: 100000000\r\n\r\n", 413},
		{"a body of unknown length", "GET /metrics" + ok + "Transfer-Encoding: chunked\r\n\r\n", 413},
		{"another host in the address", "GET http://evil.example/metrics" + ok + "\r\n", 403},
		{"two hosts", "GET /metrics" + ok + "Host: evil.example\r\n\r\n", 400},
		{"no host", "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", 400},
		{"an old version without a host", "GET /metrics HTTP/1.0\r\n\r\n", 403},
		{"two origins", "GET /metrics" + ok + "Origin: http://localhost\r\nOrigin: http://evil.example\r\n\r\n", 403},
		{"a huge header", "GET /metrics" + ok + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		{"a long path", "GET /" + strings.Repeat("x", 64<<10) + ok + "\r\n", 431},
		{"a way around", "GET /x/../debug/pprof/heap" + ok + "\r\n", 307},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// The server may answer before it has read all.
			go func() { _, _ = io.WriteString(conn, c.send) }()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != c.code {
				t.Errorf("got %d, want %d", res.StatusCode, c.code)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ addr, host, port string }{
		{"9100", "127.0.0.1", "9100"},
		{":9100", "127.0.0.1", "9100"},
		{"0", "127.0.0.1", "0"},
		{"localhost:9100", "localhost", "9100"},
		{"0.0.0.0:9100", "0.0.0.0", "9100"},
		{"[::]:9100", "::", "9100"},
		{"[fe80::1%eth0]:9100", "fe80::1%eth0", "9100"},
		{"metrics.example:80", "metrics.example", "80"},
		{"", "", ""},
		{":", "", ""},
		{"localhost", "", ""},
		{"127.0.0.1", "", ""},
		{"::1", "", ""},
		{"::1:9100", "", ""},
		{"localhost:", "", ""},
		{"localhost:http", "", ""},
		{"65536", "", ""},
		{"-1", "", ""},
		{"+80", "", ""},
		{"http://localhost:9100", "", ""},
		{"localhost:9100/metrics", "", ""},
		{"a b:80", "", ""},
		{"user@localhost:80", "", ""},
	} {
		t.Run(c.addr, func(t *testing.T) {
			host, port, err := splitAddress(c.addr)
			if host != c.host || port != c.port || (err != nil) != (c.host == "") {
				t.Errorf("got %q, %q, %v", host, port, err)
			}
			if err != nil && !errors.Is(err, ErrAddress) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhereItListens(t *testing.T) {
	for _, c := range []struct {
		addr     string
		profiles bool
		warning  string // holds, empty: none
	}{
		{"0", true, ""},
		{":0", false, ""},
		{"127.0.0.1:0", false, ""},
		{"localhost:0", false, ""},
		{"0.0.0.0:0", false, "can read how this crawl stands"},
		{"0.0.0.0:0", true, "profile it"},
	} {
		t.Run(c.addr, func(t *testing.T) {
			m, _ := serve(t, MetricsOptions{Addr: c.addr, Profiles: c.profiles, Status: telling(statusOf(1))})
			if !strings.Contains(m.Warning, c.warning) || (c.warning == "") != (m.Warning == "") || strings.Contains(m.Warning, "\n") {
				t.Errorf("warns %q", m.Warning)
			}
			if ip := m.Addr.(*net.TCPAddr).IP; c.addr == "0.0.0.0:0" && !ip.Equal(net.IPv4zero) {
				t.Errorf("listens on %v", ip)
			}
			if c.warning == "" && !m.Addr.(*net.TCPAddr).IP.IsLoopback() {
				t.Errorf("listens on %v", m.Addr)
			}
		})
	}
}

func TestPortIsTaken(t *testing.T) {
	m, _ := serve(t, MetricsOptions{Status: telling(statusOf(1))})
	second, err := ServeMetrics(t.Context(), MetricsOptions{Addr: m.Addr.String(), Status: telling(statusOf(1))})
	if err == nil {
		second.Stop()
		t.Fatal("two listen on one port")
	}
	if errors.Is(err, ErrAddress) || !strings.Contains(err.Error(), m.Addr.String()) {
		t.Errorf("got %v", err)
	}
	m.Stop()
	m.Stop() // twice changes nothing
	again, err := ServeMetrics(t.Context(), MetricsOptions{Addr: m.Addr.String(), Status: telling(statusOf(1))})
	if err != nil {
		t.Fatal(err)
	}
	again.Stop()
}

// gather is what is exposed, without the runtime and the process.
func gather(t *testing.T, c *collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += "{" + l.GetValue() + "}"
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return got
}

func collectorOf(t *testing.T, base *crawl.Status, status func(context.Context) (*crawl.Status, error)) *collector {
	return newCollector(t.Context(), &lookout{ask: status, turn: make(chan struct{}, 1)}, base)
}

// The text that Prometheus gets has no problem that promlint knows of, and hosts
// are never labels: a million of them change nothing but a number.
func TestMetricsOfAMillionHosts(t *testing.T) {
	few, many := gather(t, collectorOf(t, nil, telling(statusOf(1)))), gather(t, collectorOf(t, nil, telling(statusOf(1_000_000))))
	if len(few) != len(many) || len(many) > 150 {
		t.Errorf("%d metrics for one host, %d for a million", len(few), len(many))
	}
	for name := range many {
		if strings.Contains(name, "example") {
			t.Errorf("a host is a label: %s", name)
		}
	}
	if many["pawl_hosts"] != 1e6 {
		t.Errorf("got %v hosts", many["pawl_hosts"])
	}
	_, at := serve(t, MetricsOptions{Status: telling(statusOf(1_000_000))})
	_, _, body := get(t, at+"/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v", problems, err)
	}
	if len(body) > 32<<10 {
		t.Errorf("%d bytes", len(body))
	}
}

// Counters count what this run did, and never go down, whatever a retry moves.
func TestCounters(t *testing.T) {
	base, now := statusOf(1), statusOf(1)
	asked := time.Time{}
	synctest.Test(t, func(t *testing.T) {
		c := newCollector(t.Context(), &lookout{turn: make(chan struct{}, 1), ask: func(context.Context) (*crawl.Status, error) {
			asked = time.Now()
			return now, nil
		}}, base)
		step := func(name string, want map[string]float64) {
			t.Helper()
			time.Sleep(2 * statusFresh)
			got := gather(t, c)
			if !asked.Equal(time.Now()) {
				t.Fatal("an old status")
			}
			for metric, value := range want {
				if got[metric] != value {
					t.Errorf("%s: %s is %v, want %v", name, metric, got[metric], value)
				}
			}
		}
		step("at the start", map[string]float64{"pawl_requests_total": 0, "pawl_finished_total{fetched}": 0, "pawl_finished_total{failed_or_blocked}": 0, "pawl_outcomes{failed}": 7})
		now = statusOf(1)
		now.Outcomes["fetched"], now.Outcomes["failed"], now.Requests, now.Transferred = 150, 17, 200, 2<<20
		step("after pages", map[string]float64{"pawl_requests_total": 70, "pawl_received_bytes_total": 1 << 20, "pawl_finished_total{fetched}": 50, "pawl_finished_total{failed_or_blocked}": 10, "pawl_outcomes{failed}": 17})
		retried := *now
		retried.Outcomes = map[string]uint64{"fetched": 150, "failed": 0}
		retried.Reopened += 17 + 3
		now = &retried
		step("after a retry", map[string]float64{"pawl_finished_total{failed_or_blocked}": 10, "pawl_reopened_total": 20, "pawl_outcomes{failed}": 0})
	})
}

func TestCountersWithoutBase(t *testing.T) {
	for _, c := range []struct {
		name string
		runs uint64
		want float64
	}{
		{"the first run counts from 0", 1, 130},
		{"later ones from the first look", 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := statusOf(1)
			s.Runs = c.runs
			if got := gather(t, collectorOf(t, nil, telling(s))); got["pawl_requests_total"] != c.want {
				t.Errorf("got %v", got["pawl_requests_total"])
			}
		})
	}
}

// A profile that lasts is cut off when the server stops, and nothing asks for a
// status afterwards.
func TestStopCutsOff(t *testing.T) {
	begun := make(chan struct{})
	m, at := serve(t, MetricsOptions{Profiles: true, Status: func(ctx context.Context) (*crawl.Status, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ended := make(chan struct{}, 2)
	for _, path := range []string{"/debug/pprof/trace?seconds=60", "/healthz"} {
		go func() {
			defer func() { ended <- struct{}{} }()
			if res, err := http.Get(at + path); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}()
	}
	<-begun
	m.Stop()
	<-ended
	<-ended
}

func TestAtMostSoManyScrapes(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h := atMost(2, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	ended := make(chan struct{})
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Code
	}
	for range 2 {
		go func() { ask(); ended <- struct{}{} }()
		<-entered
	}
	if code := ask(); code != 503 {
		t.Errorf("the third got %d", code)
	}
	close(leave)
	<-ended
	<-ended
	go func() { <-entered }()
	if code := ask(); code != 200 {
		t.Errorf("the next got %d", code)
	}
}

// A name by which we may be asked is an IP address, localhost or the named one, as
// a reader of addresses sees it.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"127.0.0.1:9100", "[::1]:80", "::1", "localhost", "metrics.example:1", "evil.example", "127.0.0.1@evil.example", "[::1]evil.example", "[fe80::1%25en0]:80", "localhost:80:80", "[localhost]"} {
		f.Add(host)
	}
	g := &browserGuard{named: "metrics.example"}
	f.Fuzz(func(t *testing.T, host string) {
		if !g.knows(host) {
			return
		}
		if strings.Count(host, ":") > 1 && !strings.HasPrefix(host, "[") {
			return // an IPv6 address without its brackets, which no browser sends
		}
		u, err := url.Parse("http://" + host + "/")
		if err != nil {
			return
		}
		if name := u.Hostname(); net.ParseIP(strings.SplitN(name, "%", 2)[0]) == nil && !strings.EqualFold(name, "localhost") && !strings.EqualFold(name, g.named) {
			t.Errorf("%q is taken, and means %q", host, name)
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, addr := range []string{"9100", ":9100", "0.0.0.0:9100", "[::1]:9100", "localhost:9100", "http://x:1", "::1"} {
		f.Add(addr)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		host, port, err := splitAddress(addr)
		if err != nil {
			return
		}
		if host == "" {
			t.Errorf("%q is for everybody", addr)
		}
		again, samePort, err := splitAddress(net.JoinHostPort(host, port))
		if err != nil || again != host || samePort != port {
			t.Errorf("%q: %q, %q; then %q, %q, %v", addr, host, port, again, samePort, err)
		}
	})
}

func BenchmarkScrape(b *testing.B) {
	h := newListenHandler(b.Context(), "127.0.0.1", MetricsOptions{Status: telling(statusOf(1_000_000))})
	r := httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
