package warc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pawl/internal/warccheck"
)

func index(t *testing.T, file []byte, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Index(&b, bytes.NewReader(file), name, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestIndexLeadsToTheRecords(t *testing.T) {
	xs := pages(0, 50)
	slices.Reverse(xs)
	again := page(60)
	again.Body, again.Refers = xs[3].Body, &Refers{xs[3].URL, xs[3].Time}
	odd := page(61)
	odd.URL = "http://h/\"\\é%zz"
	odd.Response = []byte("HTTP/1.1 404 No\r\nContent-Type: \r\n\r\n")
	file := write(t, append(xs, again, odd)...)
	if err := warccheck.Index(index(t, file, "a.warc.gz"), file, "a.warc.gz"); err != nil {
		t.Error(err)
	}
}

func TestIndexLine(t *testing.T) {
	got := string((&entry{
		url: "http://www.Example.org/a?x", mime: "a/\"\\\x01é😀\xff", status: "200", digest: "sha1:ABC",
		time: noon, offset: 12, length: 345,
	}).appendTo(nil, "f.warc.gz"))
	want := `org,example)/a?x 20260304120000 {"url": "http://www.Example.org/a?x", "mime": "a/\"\\\u0001\u00e9\ud83d\ude00\ufffd", ` +
		`"status": "200", "digest": "sha1:ABC", "length": "345", "offset": "12", "filename": "f.warc.gz"}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(got[strings.IndexByte(got, '{'):]), &m); err != nil || m["mime"] != "a/\"\\\x01é😀\ufffd" {
		t.Errorf("JSON %q, error %v", m, err)
	}
}

func TestIndexOfWhatIsNoWARCSaysWhere(t *testing.T) {
	file := write(t, page(1), page(2))
	for name, b := range map[string][]byte{
		"cut off":       file[:len(file)-20],
		"cut in a head": file[:len(write(t))+5],
		"changed byte":  append(append(bytes.Clone(file[:900]), file[900]^0x10), file[901:]...),
		"text":          []byte("WARC/1.1\r\n\r\n"),
		"junk after it": append(bytes.Clone(file), 0),
	} {
		t.Run(name, func(t *testing.T) {
			err := Index(&bytes.Buffer{}, bytes.NewReader(b), "a", t.TempDir())
			if err == nil || !strings.Contains(err.Error(), "offset") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLinesAreSortedBeyondMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	s := sorter{path: filepath.Join(dir, "runs")}
	var want []string
	for size := 0; size < 2*sorterMemory+sorterMemory/2; {
		line := fmt.Sprintf("%x %s\n", random.Uint64(), strings.Repeat("x", random.IntN(2000)))
		size += len(line)
		want = append(want, line)
		if err := s.add([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	var got bytes.Buffer
	if err := s.writeTo(&got); err != nil {
		t.Fatal(err)
	}
	if len(s.runs) < 3 || got.String() != strings.Join(want, "") {
		t.Errorf("%d runs, %d bytes", len(s.runs), got.Len())
	}
	s.close()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSURT(t *testing.T) {
	id := strings.Repeat("0a", 16)
	for _, c := range []struct{ url, want string }{
		{"http://example.org/", "org,example)/"},
		{"http://example.org", "org,example)/"},
		{"https://WWW.Example.ORG/", "org,example)/"},
		{"http://www2.example.org/", "org,example)/"},
		{"http://www2example.org/", "org,www2example)/"},
		{"http://www.www.example.org/", "org,example,www)/"},
		{"http://a.b.example.co.uk/", "uk,co,example,b,a)/"},
		{"http://user:pass@example.org/", "org,example)/"},
		{"http://example.org:80/", "org,example)/"},
		{"https://example.org:443/", "org,example)/"},
		{"https://example.org:80/", "org,example:80)/"},
		{"http://example.org:8080/x", "org,example:8080)/x"},
		{"http://127.0.0.1:8080/", "1,0,0,127:8080)/"},
		{"http://[::1]:8080/", "::1:8080)/"},
		{"http://example.org./", "org,example)/"},
		{"http://example.org/A/B/", "org,example)/a/b"},
		{"http://example.org/a//b/./c/../d", "org,example)/a/b/d"},
		{"http://example.org/a#b", "org,example)/a"},
		{"http://example.org/?", "org,example)/"},
		{"http://example.org?q", "org,example)/?q"},
		{"http://example.org/?b=2&a=1&a&A=0", "org,example)/?a&a=0&a=1&b=2"},
		{"http://example.org/?&r=1&b=2", "org,example)/?&b=2&r=1"},
		{"http://example.org/?q=a+b%20c%2Fd", "org,example)/?q=a+b%20c/d"},
		{"http://example.org/%41%2541%252541", "org,example)/aaa"},
		{"http://example.org/100%", "org,example)/100%25"},
		{"http://example.org/100%25", "org,example)/100%25"},
		{"http://example.org/%C3%A9", "org,example)/%c3%a9"},
		{"http://example.org/a|b", "org,example)/a|b"},
		{"http://example.org/a%7Cb", "org,example)/a|b"},
		{"http://example.org/x?PHPSESSID=" + id + "&a=1", "org,example)/x?a=1"},
		{"http://example.org/x?a=1&jsessionid=" + id, "org,example)/x?&a=1"},
		{"http://example.org/x?sid=" + id, "org,example)/x"},
		{"http://example.org/x?sid=" + id + "0", "org,example)/x?sid=" + id + "0"},
		{"http://example.org/x?CFID=1&CFTOKEN=2&d=3", "org,example)/x?d=3"},
		{"http://example.org/(S(4hqa0555fwsecu455xqckv45))/m.aspx", "org,example)/m.aspx"},
		{"http://example.org/(4hqa0555fwsecu455xqckv45)/m.aspx", "org,example)/m.aspx"},
		{"dns:example.org", "dns:example.org"},
		{"", ""},
	} {
		if got := SURT(c.url); got != c.want {
			t.Errorf("SURT(%q) = %q, want %q", c.url, got, c.want)
		}
	}
}

func TestDatesOfOtherPrecisionAreRead(t *testing.T) {
	for s, want := range map[string]time.Time{
		"2026-03-04T05:06:07Z":           time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		"2026-03-04T05:06:07.123456789Z": time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC),
		"2026-03-04":                     time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC),
		"2026":                           time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := parseDate(s); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if _, err := parseDate("yesterday"); err == nil {
		t.Error("no error")
	}
}
