package fetch

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHeads(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header()["X-Two"] = []string{"one", "two"}
		w.Header().Set("Date", "Sun, 22 Nov 2026 10:00:00 GMT")
		w.WriteHeader(http.StatusTeapot)
		w.Write([]byte("short"))
	}))
	defer server.Close()
	o := Defaults()
	o.AllowPrivate = true
	o.User, o.Password = "me", "hidden"
	o.Headers = []Header{{Name: "x-api-key", Value: "hidden"}, {Name: "Accept-Language", Value: "de"}, {Name: "Cookie", Value: "hidden=1"}}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Buffer
	for _, c := range []struct {
		heads          bool
		asked, replied string
	}{
		{false, "", ""},
		{
			true,
			"GET /a/b%20c?d=e&f HTTP/1.1\r\nHost: HOST\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
				"Accept-Encoding: gzip, br, zstd\r\nAccept-Language: de\r\nUser-Agent: pawl\r\n\r\n",
			"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nX-Two: one\r\nX-Two: two\r\n\r\n",
		},
	} {
		r := f.Fetch(t.Context(), Request{URL: server.URL + "/a/b%20c?d=e&f", Auth: true, Heads: c.heads}, &b)
		asked := bytes.Replace(r.RequestHead, []byte(server.Listener.Addr().String()), []byte("HOST"), 1)
		if string(asked) != c.asked || string(r.ResponseHead) != c.replied {
			t.Errorf("with heads %v:\n%q\n%q\nwant\n%q\n%q", c.heads, asked, r.ResponseHead, c.asked, c.replied)
		}
	}
}
