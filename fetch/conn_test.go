package fetch

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// net/http repeats a request by itself when a kept connection breaks before the
// answer. The host would be asked twice in no time.
func TestRequestIsSentOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var asked atomic.Int32
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := bufio.NewReader(c)
			for {
				req, err := http.ReadRequest(b)
				if err != nil {
					break
				}
				asked.Add(1)
				if req.URL.Path == "/break" {
					break
				}
				c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			}
			c.Close()
		}
	}()
	f, err := New(Defaults())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var buf Buffer
	url := "http://" + l.Addr().String()
	for range 3 {
		if r := f.Fetch(t.Context(), Request{URL: url + "/", Trusted: true}, &buf); r.Class != None {
			t.Fatalf("%s: %s", r.Class, r.Err)
		}
		r := f.Fetch(t.Context(), Request{URL: url + "/break", Trusted: true}, &buf)
		if r.Class != Reset || r.Sent.IsZero() {
			t.Errorf("class %q %s, sent %v", r.Class, r.Err, r.Sent)
		}
	}
	if n := asked.Load(); n != 6 {
		t.Errorf("the server was asked %d times, want 6", n)
	}
	l.Close()
	<-served
}
