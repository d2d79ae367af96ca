package hostile

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryFaultIsTold(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		switch {
		case f.Name == "" || f.Must == "" || seen[f.Name]:
			t.Errorf("fault %q has no name of its own, or does not say what must be", f.Name)
		case (f.connect == nil) == (f.answer == nil):
			t.Errorf("%s: it must either take connections or answer requests", f.Name)
		case f.Class == "" && f.Status == 0:
			t.Errorf("%s: nothing is seen of it", f.Name)
		case f.connect != nil && !f.Whole:
			t.Errorf("%s: nothing good can be had of it", f.Name)
		}
		seen[f.Name] = true
	}
}

// A server serves what is not its fault, and counts.
func TestServer(t *testing.T) {
	s, err := Start(Fault{answer: keeps(ok, "Content-Length: 4\r\n\r\noops")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		url    string
		status int
		body   string
	}{
		{s.Root, 200, "oops"},
		{s.Root + "any?query", 200, "oops"},
		{s.Good(), 200, Fine},
		{s.Good() + "?query", 200, Fine},
		{s.Root + "robots.txt", 404, ""},
	} {
		res, err := client.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != c.status || string(body) != c.body {
			t.Errorf("%s: %v, status %d, %q", c.url, err, res.StatusCode, body)
		}
	}
	if s.Asked() != 2 || s.Conns() != 1 {
		t.Errorf("%d requests on %d connections", s.Asked(), s.Conns())
	}
}

// A server closes while clients hang on it.
func TestCloseEndsWhatHangs(t *testing.T) {
	for _, f := range All() {
		if f.Class != "timeout" || f.TLS {
			continue
		}
		s, err := Start(f)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			res, err := (&http.Client{Transport: transport}).Get(s.Root)
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}()
		s.Close()
		s.Close()
		<-done
		transport.CloseIdleConnections()
	}
}

func TestNamesLinkNewNames(t *testing.T) {
	h := &Names{Domain: "wild.test", Fanout: 2}
	for host, want := range map[string]string{
		"n0.wild.test":    "<title>0</title><a href=http://n1.wild.test/>x</a>\n<a href=http://n2.wild.test/>x</a>\n",
		"n2.wild.test:81": "<title>2</title><a href=http://n5.wild.test:81/>x</a>\n<a href=http://n6.wild.test:81/>x</a>\n",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://"+host+"/", nil))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://n7.wild.test/robots.txt", nil))
	if w.Code != 404 || strings.Contains(w.Body.String(), "href") {
		t.Errorf("robots.txt: %d %s", w.Code, w.Body)
	}
}
