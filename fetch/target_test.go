package fetch

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

var targets = []struct{ path, want string }{
	{"", "/"},
	{"/", "/"},
	{"?", "/?"},
	{"?q", "/?q"},
	{"/#part", "/"},
	{"/a?b#part?c", "/a?b"},
	{"/a/../b/./c", "/a/../b/./c"},
	{"/a//b///", "/a//b///"},
	{"/?", "/?"},
	{"/a??b", "/a??b"},
	{"/a?b=c&d=e+f%20g", "/a?b=c&d=e+f%20g"},
	{"/%7Euser/%7euser/~user", "/%7Euser/%7euser/~user"},
	{"/a%2Fb%2fc", "/a%2Fb%2fc"},
	{"/%zz", "/%zz"},
	{"/%", "/%"},
	{"/100%?50%", "/100%?50%"},
	{"/a|b^c", "/a|b^c"},
	{"/[a]{b}", "/[a]{b}"},
	{"/\"'`<>\\", "/\"'`<>\\"},
	{"/a;b=c,d:e@f!$&'()*+=", "/a;b=c,d:e@f!$&'()*+="},
	{"/?|^[]{}\"'`<>\\%zz", "/?|^[]{}\"'`<>\\%zz"},
	{"/*", "/*"},
	{"/ü?ü", "/ü?ü"},
	{"//a", "//a"},
	{"//a//b?c", "//a//b?c"},
	{"//a%20b", "//a%20b"},
	{"//evil.example/a|b?c|d", "http://HOST//evil.example/a|b?c|d"},
}

func TestTargetIsSentByteForByte(t *testing.T) {
	lines := make(chan string, 1)
	addr := raw(t, func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		lines <- line
		io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	f := fetcher(t, options())
	for _, c := range targets {
		res := get(f, "http://"+addr+c.path)
		if res.Status != 204 {
			t.Errorf("%s: %s", c.path, res.Err)
			continue
		}
		want := "GET " + strings.ReplaceAll(c.want, "HOST", addr) + " HTTP/1.1\r\n"
		if got := <-lines; got != want {
			t.Errorf("%s: sent %q, want %q", c.path, got, want)
		}
	}
}

func TestTargetIsSentByteForByteOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Target", r.RequestURI)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	o := options()
	o.Insecure = true
	f := fetcher(t, o)
	for _, path := range []string{"/", "/?", "/a|b^c", "/\"{}", "/%7Eu", "//a", "//a|b?c|d", "/?|^%zz"} {
		res := get(f, s.URL+path)
		if got := res.Header.Get("X-Target"); res.Proto != "HTTP/2.0" || got != path {
			t.Errorf("%s: sent %q by %s (%s)", path, got, res.Proto, res.Err)
		}
	}
}

func TestTargetRefused(t *testing.T) {
	for _, address := range []string{
		"", "x", "/a", "http:", "http:/a", "http://", "http:///a", "http://?", "http://user@/", "http://:80/",
		"ftp://h/", "HTTP://h/", "javascript:alert(1)", "file:///etc/passwd",
		"http://h/a b", "http://h/a\nb", "http://h/a\r\nX: y", "http://h /", "http://h/\x00", "http://h/\x7f", "http://h/?\t",
	} {
		res := get(fetcher(t, options()), address)
		if res.Class != Protocol || res.Err != "malformed address" || !res.Sent.IsZero() || res.Started.IsZero() {
			t.Errorf("%q: got %+v", address, res)
		}
	}
}

func TestTargetLeavesCredentialsOut(t *testing.T) {
	u, err := target("https://user:p@ss@host.example:8080/a@b")
	if err != nil || u.Host != "host.example:8080" || u.User != nil || u.RequestURI() != "/a@b" {
		t.Errorf("got %#v, %v", u, err)
	}
}

// What is sent is what was given, whatever it was; never a second line.
func FuzzTarget(f *testing.F) {
	for _, c := range targets {
		f.Add("http://host.example:81" + c.path)
	}
	f.Add("https://u:p@[::1]:8/%E2%82?%#")
	f.Fuzz(func(t *testing.T, address string) {
		u, err := target(address)
		if err != nil {
			return
		}
		sent := u.RequestURI()
		if strings.ContainsAny(sent, " \r\n\x00") {
			t.Fatalf("%q is sent as %q", address, sent)
		}
		_, rest, _ := strings.Cut(address, "://")
		rest, _, _ = strings.Cut(rest, "#")
		given := ""
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			given = rest[i:]
		}
		if !strings.HasPrefix(given, "/") {
			given = "/" + given
		}
		if absolute := u.Scheme + "://" + u.Host + given; sent != given && !(strings.HasPrefix(given, "//") && sent == absolute) {
			t.Fatalf("%q is sent as %q", address, sent)
		}
		if strings.ContainsAny(u.Host, "/?#@") {
			t.Fatalf("%q asks host %q", address, u.Host)
		}
		if u.Opaque == "" {
			if again, err := url.Parse(u.String()); err == nil && again.Host != u.Host {
				t.Fatalf("%q asks host %q, net/url says %q", address, u.Host, again.Host)
			}
		}
	})
}

// raw is a server below HTTP: serve has each connection to itself, one at a
// time. It returns the address.
func raw(tb testing.TB, serve func(net.Conn)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	tb.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}
