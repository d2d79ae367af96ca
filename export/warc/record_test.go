package warc

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"pawl/internal/warccheck"
)

func TestExchangesBecomeValidRecords(t *testing.T) {
	plain := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	get := "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, x := range map[string]*Exchange{
		"empty body":           {URL: "http://h/", Response: []byte(plain), Request: []byte(get)},
		"no request":           {URL: "http://h/", Response: []byte(plain), Body: []byte("x")},
		"10 MB":                {URL: "http://h/", Response: []byte(plain), Request: []byte(get), Body: bytes.Repeat([]byte("0123456789"), 1<<20)},
		"binary body":          {URL: "http://h/", Response: []byte(plain), Body: []byte("\r\n\r\n\x00\xff\r\nWARC/1.1\r\n\r\n")},
		"http2":                {URL: "https://h/", Response: []byte("HTTP/2.0 200 OK\r\n\r\n"), Request: []byte("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), Protocol: "HTTP/2.0"},
		"no empty line":        {URL: "http://h/", Response: []byte("HTTP/1.1 404 Not Found"), Request: []byte("GET / HTTP/1.1\r\nHost: h")},
		"bare line feeds":      {URL: "http://h/", Response: []byte("HTTP/1.1 200 OK\nA: b\n\nrest"), Body: []byte("b")},
		"odd bytes in head":    {URL: "http://h/", Response: []byte("HTTP/1.1 200 \xff\x00\r\nA: \x00\x01\xfe\r\nB\rC: d\r\n: e\r\nno colon\r\n folded\r\n\r\n"), Body: []byte("b")},
		"long header":          {URL: "http://h/", Response: []byte("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 2<<20) + "\r\nB: c\r\n\r\n")},
		"address with spaces":  {URL: "http://h/a b|c\r\nX: y%zz%4", Response: []byte(plain), Request: []byte(get)},
		"address not in UTF-8": {URL: "http://h/\xff\xfe", Response: []byte(plain), Request: []byte(get)},
		"long address":         {URL: "http://h/" + strings.Repeat("é", MaxURL/2-8), Response: []byte(plain), Request: []byte(get)},
		"year 12000":           {URL: "http://h/", Time: noon.AddDate(10000, 0, 0), Response: []byte(plain)},
		"no IP":                {URL: "http://h/", IP: "h\r\nX: y", Response: []byte(plain), Request: []byte(get)},
		"IPv6 with zone":       {URL: "http://h/", IP: "fe80::1%eth0", Response: []byte(plain), Request: []byte(get)},
		"strange truncation":   {URL: "http://h/", Truncated: "a\r\nb", Response: []byte(plain)},
		"bad request line":     {URL: "http://h/", Request: []byte("\r\n\r\n"), Response: []byte(plain)},
	} {
		t.Run(name, func(t *testing.T) {
			rep := valid(t, write(t, x))
			if got := rep.Payload(string(appendURI(nil, x.URL))); !bytes.Equal(got, x.Body) {
				t.Errorf("body has %d bytes, want %d", len(got), len(x.Body))
			}
		})
	}
}

func TestRecordsSayWhatTheExchangeWas(t *testing.T) {
	x := page(3)
	x.Protocol, x.Truncated = "HTTP/2.0", "length"
	x.Request = []byte("GET /p HTTP/2.0\r\nHost: h\r\nCookie: secret\r\nauthorization: secret\r\nProxy-Authorization: secret\r\n\r\n")
	rep := valid(t, write(t, x))
	response, request := rep.Records[1], rep.Records[2]
	for name, want := range map[string]string{
		"WARC-Date": "2026-03-04T12:00:03.123Z", "WARC-IP-Address": "192.0.2.7",
		"WARC-Protocol": "h2", "WARC-Truncated": "length", "WARC-Warcinfo-ID": rep.Records[0].ID,
		"WARC-Target-URI": "https://www.example.org/p/3?b=2&a=1",
	} {
		if got := response.Field(name); got != want {
			t.Errorf("response: %s: %q, want %q", name, got, want)
		}
		if got := request.Field(name); got != want && name != "WARC-Truncated" {
			t.Errorf("request: %s: %q, want %q", name, got, want)
		}
	}
	if got, want := string(request.Block), "GET /p HTTP/1.1\r\nHost: h\r\n\r\n"; got != want {
		t.Errorf("request %q, want %q", got, want)
	}
	if !bytes.Equal(write(t, x), write(t, x)) {
		t.Error("two different files of one exchange")
	}
}

func TestInfoSaysWhoWroteTheFile(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, Info{Software: "pawl/1\r\nevil: x\x00\xff", Operator: "me", Time: noon, ID: [16]byte{1}})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	info := valid(t, b.Bytes()).Records[0]
	want := "software: pawl/1  evil: x \ufffd\r\nformat: WARC File Format 1.1\r\nconformsTo: " + conformsTo + "\r\noperator: me\r\n"
	if string(info.Block) != want || info.Date != "2026-03-04T12:00:00.123Z" {
		t.Errorf("warcinfo of %s: %q, want %q", info.Date, info.Block, want)
	}
}

func TestDuplicateBecomesRevisit(t *testing.T) {
	first, second, empty := page(1), page(2), page(3)
	second.Body = first.Body
	second.Refers = &Refers{first.URL, first.Time}
	empty.Body, empty.Refers = nil, second.Refers
	file := write(t, first, second, empty)
	rep := valid(t, file)
	if rep.Types["revisit"] != 1 || rep.Types["response"] != 2 || rep.Types["request"] != 3 {
		t.Errorf("records %v", rep.Types)
	}
	if !bytes.Equal(rep.Payload(second.URL), first.Body) {
		t.Error("the revisit does not lead to the body")
	}
}

func TestHeadsAreBroughtInLineWithTheBody(t *testing.T) {
	for _, c := range []struct{ name, head, want string }{
		{"coding is renamed", "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\ntransfer-encoding: chunked\r\nContent-Length: 9\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Archive-Orig-Content-Encoding: br\r\nX-Archive-Orig-transfer-encoding: chunked\r\nX-Archive-Orig-Content-Length: 9\r\nA: b\r\nContent-Length: 5\r\n\r\n"},
		{"right length stays", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"right length of coded body is renamed", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Archive-Orig-Content-Length: 5\r\nX-Archive-Orig-Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Archive-Orig-Content-Length: 5\r\nX-Archive-Orig-Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
		{"http2", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"no reason", "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n"},
		{"what follows is ignored", "HTTP/1.1 200 OK\r\n\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"lines that are none", "HTTP/1.1 200 OK\r\nA b: c\r\n: d\r\n e\r\nf\r\nG:\r\n\r\n", "HTTP/1.1 200 OK\r\nG: \r\nContent-Length: 5\r\n\r\n"},
		{"controls", "HTTP/1.1 200 O\x00K\r\nA: \x00b\rc\x7f\t\xe9\r\n\r\n", "HTTP/1.1 200 O K\r\nA:  b c \t\xe9\r\nContent-Length: 5\r\n\r\n"},
		{"no status line", "GET / HTTP/1.1\r\n\r\n", ""},
		{"no status", "HTTP/1.1 2x0 OK\r\n\r\n", ""},
		{"long status", "HTTP/1.1 2000 OK\r\n\r\n", ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := AppendResponseHead(nil, []byte(c.head), 5)
			if string(got) != c.want || ok != (c.want != "") {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestExchangesThatCannotBeArchived(t *testing.T) {
	ok := []byte("HTTP/1.1 200 OK\r\n\r\n")
	for name, x := range map[string]*Exchange{
		"no response":      {URL: "http://h/"},
		"no status":        {URL: "http://h/", Response: []byte("hello")},
		"no address":       {Response: ok},
		"relative address": {URL: "/a:b", Response: ok},
		"endless address":  {URL: "http://h/" + strings.Repeat("a", MaxURL), Response: ok},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := NewWriter(&b, testInfo)
			if err := w.Write(x); !errors.Is(err, ErrExchange) || b.Len() > 0 {
				t.Errorf("error %v, %d bytes", err, b.Len())
			}
			a := mustOpen(t, t.TempDir(), nil, testOptions(1e6))
			if err := a.Add([]*Exchange{page(1), x}); !errors.Is(err, ErrExchange) || len(read(t, a.dir)) > 0 {
				t.Errorf("error %v, files %v", err, read(t, a.dir).names())
			}
			mustAdd(t, a, page(1))
		})
	}
}

// full takes so many bytes and no more.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return f.left, errors.New("disk full")
	}
	f.left -= len(p)
	return len(p), nil
}

func TestWriterKeepsItsError(t *testing.T) {
	w := NewWriter(&full{1200}, testInfo)
	var err error
	for i := 0; err == nil && i < 10; i++ {
		err = w.Write(page(i))
	}
	if err == nil || !errors.Is(w.Write(page(1)), err) || !errors.Is(w.Close(), err) {
		t.Errorf("error %v, then %v", err, w.Close())
	}
}

func TestCheckerSeesWhatIsWrong(t *testing.T) {
	x, y := page(1), page(2)
	y.Body, y.Refers = x.Body, &Refers{x.URL, x.Time.Add(time.Second)}
	whole := write(t, x)
	for name, file := range map[string][]byte{
		"cut off":          whole[:len(whole)-1],
		"nothing":          {},
		"no gzip":          append(bytes.Clone(whole), "junk"...),
		"changed byte":     append(append(bytes.Clone(whole[:900]), whole[900]^1), whole[901:]...),
		"twice":            append(bytes.Clone(whole), whole...),
		"no warcinfo":      whole[len(write(t)):],
		"refers to nobody": write(t, x, y),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := warccheck.Validate(bytes.NewReader(file)); err == nil {
				t.Error("no error")
			}
		})
	}
}
