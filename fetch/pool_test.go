package fetch

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// pooled is a server that tells of its connections, over HTTP/1.1, TLS or HTTP/2.
type pooled struct {
	*httptest.Server
	closed  chan string   // addresses of clients whose connection has ended
	started chan struct{} // requests for /slow
	release chan struct{} // lets one of them be answered
}

func newPooled(t *testing.T, kind string) *pooled {
	p := &pooled{closed: make(chan string, 1000), started: make(chan struct{}, 10), release: make(chan struct{})}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Client", r.RemoteAddr)
		switch r.URL.Path {
		case "/slow":
			p.started <- struct{}{}
			<-p.release
		case "/half":
			io.WriteString(w, "half ")
			w.(http.Flusher).Flush()
			p.started <- struct{}{}
			<-p.release
		}
		io.WriteString(w, "done")
	}))
	p.Config.ErrorLog = quiet()
	p.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			p.closed <- c.RemoteAddr().String()
		}
	}
	switch kind {
	case "HTTP/1.1":
		p.Start()
	case "HTTP/1.1 over TLS":
		p.StartTLS()
	case "HTTP/2.0":
		p.EnableHTTP2 = true
		p.StartTLS()
	}
	t.Cleanup(p.Close)
	return p
}

// ask fetches a page that must come, and returns the address of the connection.
func (p *pooled) ask(t *testing.T, f *Fetcher, path string) string {
	t.Helper()
	res := get(f, p.URL+path)
	if res.Class != None || res.Status != 200 {
		t.Errorf("%s: got class %q, %q", path, res.Class, res.Err)
	}
	return res.Header.Get("X-Client")
}

func (p *pooled) waitClosed(t *testing.T, client string) {
	t.Helper()
	for {
		select {
		case c := <-p.closed:
			if c == client {
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the connection of %s is still open", client)
		}
	}
}

func TestForget(t *testing.T) {
	for _, kind := range []string{"HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2.0"} {
		t.Run(kind, func(t *testing.T) {
			p := newPooled(t, kind)
			o := options()
			o.Insecure, o.PerHost, o.IdleConnTimeout = true, 2, 0
			f := fetcher(t, o)

			first := p.ask(t, f, "/")
			if again := p.ask(t, f, "/"); again != first {
				t.Fatalf("the connection was not kept: %s, %s", first, again)
			}
			f.Forget()
			p.waitClosed(t, first)
			second := p.ask(t, f, "/")
			if second == first {
				t.Error("a connection that was given up serves again")
			}

			// One that is in use serves its exchange, and nobody else, before and after.
			for _, path := range []string{"/slow", "/half"} {
				var used string
				var exchange sync.WaitGroup
				exchange.Go(func() { used = p.ask(t, f, path) })
				<-p.started
				f.Forget()
				other := p.ask(t, f, "/")
				p.release <- struct{}{}
				exchange.Wait()
				p.waitClosed(t, used)
				if other == used {
					t.Errorf("%s: a new exchange used the old connection", path)
				}
				if third := p.ask(t, f, "/"); third != other {
					t.Errorf("%s: the new connection was not kept: %s, %s", path, other, third)
				}
			}
			if res := get(f, p.URL+"/"); res.Proto != kind[:8] {
				t.Errorf("%s is spoken afterwards", res.Proto)
			}
		})
	}
}

// Two exchanges share a connection of HTTP/2 when it is given up: both are served.
func TestForgetWhileShared(t *testing.T) {
	p := newPooled(t, "HTTP/2.0")
	o := options()
	o.Insecure = true
	f := fetcher(t, o)
	p.ask(t, f, "/") // so that both find it
	var used [2]string
	var exchanges sync.WaitGroup
	for i := range used {
		exchanges.Go(func() { used[i] = p.ask(t, f, "/slow") })
		<-p.started
	}
	f.Forget()
	p.release <- struct{}{}
	p.release <- struct{}{}
	exchanges.Wait()
	if used[0] != used[1] {
		t.Fatalf("not shared: %q", used)
	}
	p.waitClosed(t, used[0])
}

func TestForgetAtAnyTime(t *testing.T) {
	for _, kind := range []string{"HTTP/1.1", "HTTP/2.0"} {
		p := newPooled(t, kind)
		o := options()
		o.Insecure, o.PerHost = true, 3
		f := fetcher(t, o)
		var workers sync.WaitGroup
		for range 6 {
			workers.Go(func() {
				for range 30 {
					p.ask(t, f, "/")
				}
			})
		}
		for range 20 {
			p.ask(t, f, "/")
			f.Forget()
		}
		workers.Wait()
	}
}

func TestForgetWithTransportOfOnesOwn(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
	o := options()
	own := new(http.Transport)
	o.Transport = own
	f := fetcher(t, o)
	first := string(get(f, s.URL).Body)
	f.Forget()
	if f.pool.Load().RoundTripper != own {
		t.Error("it is not used any more")
	}
	if again := string(get(f, s.URL).Body); again == first {
		t.Error("the connection was kept")
	}
}
