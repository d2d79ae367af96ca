package warc

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"pawl/internal/warccheck"
)

func FuzzAppendResponseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n"), int64(5))
	f.Add([]byte("HTTP/2.0 404 \x00\xff\nA:b\n c\r\r\n: d\nContent-Length: 5\n\nContent-Length: 6\n\n"), int64(5))
	f.Add([]byte("HTTP/1.0 999\r\nA: "+strings.Repeat("x", 5000)), int64(0))
	f.Fuzz(func(t *testing.T, head []byte, length int64) {
		length = max(0, length)
		got, ok := AppendResponseHead([]byte("x"), head, length)
		if !ok {
			if string(got) != "x" {
				t.Fatalf("appended %q", got)
			}
			return
		}
		text := string(got[1:])
		if strings.Index(text, "\r\n\r\n") != len(text)-4 || len(text) > maxHead+2048 {
			t.Fatalf("no end, or another before it: %q", text)
		}
		for _, c := range strings.ReplaceAll(text, "\r\n", "") {
			if c < ' ' && c != '\t' || c == 0x7f {
				t.Fatalf("a control in %q", text)
			}
		}
		if strings.Count(strings.ToLower(text), "\ncontent-length:") != 1 ||
			strings.Contains(strings.ToLower(text), "\ncontent-encoding:") || strings.Contains(strings.ToLower(text), "\ntransfer-encoding:") {
			t.Fatalf("does not fit a decoded body: %q", text)
		}
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: "HEAD"})
		if err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		if resp.Header.Get("Content-Length") == "" || resp.StatusCode/100 != 1 && resp.StatusCode != 204 && resp.ContentLength != length {
			t.Fatalf("length %d, want %d: %q", resp.ContentLength, length, text)
		}
	})
}

func FuzzExchange(f *testing.F) {
	x := page(1)
	f.Add(x.URL, x.IP, x.Protocol, "length", x.Request, x.Response, x.Body)
	f.Add("http://h/ \r\n%", "::1%a", "h2", "", []byte("GET  \r\n\r\n"), []byte("HTTP/3.0 200\n\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, url, ip, protocol, truncated string, request, response, body []byte) {
		x := &Exchange{ID: [16]byte{1}, URL: url, Time: noon, IP: ip, Protocol: protocol, Truncated: truncated, Request: request, Response: response, Body: body}
		y := *x
		y.ID, y.Refers = [16]byte{2}, &Refers{url, noon}
		if x.check() != nil {
			return
		}
		file := write(t, x, &y)
		rep, err := warccheck.Validate(bytes.NewReader(file))
		if err != nil && !strings.Contains(err.Error(), "Target-URI") && !strings.Contains(err.Error(), "request:") && !strings.Contains(err.Error(), "what it refers") {
			t.Fatal(err) // what is no URL to net/url is none of our business
		}
		if rep.Types["response"] == 0 {
			t.Fatalf("records %v", rep.Types)
		}
		var out bytes.Buffer
		if err := Index(&out, bytes.NewReader(file), "a", t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Fatalf("%d lines in the index", n)
		}
	})
}

func FuzzReader(f *testing.F) {
	file := write(f, page(1), page(2))
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := entries(bytes.NewReader(b), func(e *entry) error {
			if e.offset < 0 || e.length <= 0 || e.offset+e.length > int64(len(b)) {
				t.Fatalf("record at %d with %d bytes in a file of %d", e.offset, e.length, len(b))
			}
			if line := string(e.appendTo(nil, "a")); strings.Count(line, "\n") != 1 || strings.Count(line, " ") < 2 {
				t.Fatalf("line %q", line)
			}
			return nil
		})
		a := &Archive{id: archiveID}
		ours, err2 := a.wroteAll(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), 1)
		if err2 != nil {
			t.Fatal(err2)
		}
		if ours && err == nil && len(b) > 0 {
			t.Fatal("the file of another archive passes for our own")
		}
	})
}

func FuzzSURT(f *testing.F) {
	f.Add("http://www.example.org:80/a/../B?b&a=%2541#c")
	f.Add("https://[::1]:8/%25%32%35?jsessionid=x&&")
	f.Fuzz(func(t *testing.T, url string) {
		for _, c := range []byte(SURT(url)) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("%q in the key of %q", c, url)
			}
		}
		if a, b := string(unescape(url)), string(unescape(string(unescape(url)))); a != b {
			t.Fatalf("unescape again: %q, %q", a, b)
		}
	})
}
