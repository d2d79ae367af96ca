package fetch

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of the tests: nothing takes long, nobody is private, and there is a
// Rate that nobody has to wait for.
func options() Options {
	o := Defaults()
	o.AllowPrivate = true
	o.Rate = NewRate(1 << 40)
	o.Timeout = 10 * time.Second
	return o
}

func fetcher(tb testing.TB, o Options) *Fetcher {
	tb.Helper()
	f, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(f.Close)
	return f
}

func server(tb testing.TB, h http.HandlerFunc) *httptest.Server {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s
}

func get(f *Fetcher, url string) Response {
	return f.Fetch(context.Background(), Request{URL: url}, new(Buffer))
}

func TestFetchTellsWhatHappened(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Method+" "+r.Host+" "+r.Header.Get("User-Agent"))
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte("hello"))
	})
	before := time.Now()
	res := get(fetcher(t, options()), s.URL+"/a?b=c")
	if res.Class != None || res.Err != "" || res.Status != 404 || string(res.Body) != "hello" {
		t.Fatalf("got %+v", res)
	}
	if want := "GET " + s.Listener.Addr().String() + " pawl"; res.Header.Get("X-Seen") != want {
		t.Errorf("server saw %q, want %q", res.Header.Get("X-Seen"), want)
	}
	if res.Proto != "HTTP/1.1" || res.IP != "127.0.0.1" || res.Transferred != 5 || res.Truncated {
		t.Errorf("got %+v", res)
	}
	if res.Started.Before(before) || res.Sent.Before(res.Started) || res.TTFB <= 0 || res.Total < res.TTFB {
		t.Errorf("times do not follow each other: %+v", res)
	}
	if first := res.Started.Add(res.TTFB); first.Before(res.Sent) {
		t.Errorf("first byte at %v, before the request was sent at %v", first, res.Sent)
	}
}

// quiet is for servers that would write about what the tests do to them.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
