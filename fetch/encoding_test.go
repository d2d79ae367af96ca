package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// The encoders are the standard library's where it has one.
var encoders = map[string]func(io.Writer) io.WriteCloser{
	"gzip": func(w io.Writer) io.WriteCloser {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		return z
	},
	"zlib": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 1) },
	"deflate": func(w io.Writer) io.WriteCloser {
		z, _ := flate.NewWriter(w, flate.BestSpeed)
		return z
	},
	"zstd": func(w io.Writer) io.WriteCloser {
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		return z
	},
}

func encode(name, text string) string {
	var b strings.Builder
	w := encoders[name](&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func TestEncodings(t *testing.T) {
	text := strings.Repeat("<p>Grüße aus dem Netz. ", 500)
	zip, br, zs := encode("gzip", text), encode("br", text), encode("zstd", text)
	skipped := "\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"
	cases := []struct {
		name, header, body string
		want               string
		class              Class
	}{
		{"none", "", text, text, None},
		{"identity", "identity", text, text, None},
		{"a charset", "UTF-8", text, text, None},
		{"gzip", "gzip", zip, text, None},
		{"x-gzip", "x-gzip", zip, text, None},
		{"gzip in capitals", " GZIP ", zip, text, None},
		{"gzip with identity", "identity, gzip", zip, text, None},
		{"gzip of two members", "gzip", zip + zip, text + text, None},
		{"gzip of empty members", "gzip", strings.Repeat(encode("gzip", ""), 50) + zip, text, None},
		{"gzip with something behind", "gzip", zip + "\x00\x00junk", text, None},
		{"gzip with one byte behind", "gzip", zip + "\x1f", text, None},
		{"gzip that is plain", "gzip", text, text, None},
		{"gzip that is one byte", "gzip", "a", "a", None},
		{"gzip of nothing", "gzip", encode("gzip", ""), "", None},
		{"gzip without a body", "gzip", "", "", None},
		{"gzip cut short", "gzip", zip[:len(zip)-9], "", Protocol},
		{"gzip cut in its header", "gzip", zip[:5], "", Protocol},
		{"gzip with a wrong checksum", "gzip", zip[:len(zip)-8] + "12345678", "", Protocol},
		{"gzip full of junk", "gzip", zip[:10] + strings.Repeat("\xff", 99), "", Protocol},
		{"br", "br", br, text, None},
		{"br without a body", "br", "", "", None},
		{"br cut short", "br", br[:len(br)-3], "", Protocol},
		{"br that is plain", "br", text, "", Protocol},
		{"zstd", "zstd", zs, text, None},
		{"zstd of two frames", "zstd", zs + zs, text + text, None},
		{"zstd with a frame to skip", "zstd", skipped + zs, text, None},
		{"zstd that is plain", "zstd", text, text, None},
		{"zstd without a body", "zstd", "", "", None},
		{"zstd cut short", "zstd", zs[:len(zs)-6], "", Protocol},
		{"zstd with a window of 16 MiB", "zstd", "\x28\xb5\x2f\xfd\x00\x70" + "\x0b\x00\x00a", "", Protocol},
		{"zlib", "deflate", encode("zlib", text), text, None},
		{"deflate without header", "deflate", encode("deflate", text), text, None},
		{"deflate without a body", "deflate", "", "", None},
		{"deflate that is plain", "deflate", text, "", Protocol},
		{"gzip in br", "gzip, br", encode("br", zip), text, None},
		{"gzip in gzip", "gzip, gzip", encode("gzip", zip), text, None},
		{"two layers without a body", "gzip, br", "", "", None},
		{"three layers", "gzip, gzip, gzip", "", "", Protocol},
		{"unknown", "lzma", text, "", Protocol},
		{"unknown below gzip", "compress, gzip", zip, "", Protocol},
		{"unknown of great length", strings.Repeat("x", 5000), text, "", Protocol},
	}
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		var i int
		fmt.Sscanf(r.URL.Path, "/%d", &i)
		if cases[i].header != "" {
			w.Header().Set("Content-Encoding", cases[i].header)
		}
		w.Header().Set("Content-Type", "text/html")
		if r.URL.RawQuery == "chunked" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, cases[i].body)
	})
	f, buf := fetcher(t, options()), new(Buffer)
	for _, how := range []string{"", "?chunked", "?again"} { // decoders are used again after an error
		for i, c := range cases {
			res := f.Fetch(t.Context(), Request{URL: fmt.Sprint(s.URL, "/", i, how)}, buf)
			if res.Class != c.class || res.Status != 200 {
				t.Errorf("%s%s: class %q (%s), want %q", c.name, how, res.Class, res.Err, c.class)
				continue
			}
			if c.class == None && (string(res.Body) != c.want || res.Transferred != int64(len(c.body)) || res.Truncated) {
				t.Errorf("%s%s: got %d bytes of %d on the wire, want %d of %d", c.name, how, len(res.Body), res.Transferred, len(c.want), len(c.body))
			}
			if len(res.Err) > maxErr {
				t.Errorf("%s%s: error has %d bytes", c.name, how, len(res.Err))
			}
		}
	}
}

// What is received ahead and what is read after it make one body.
func TestLongEncodedBodies(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 5*maxAhead)
	for i := range text {
		text[i] = byte(noise.Uint32())
	}
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		var size, sent int
		fmt.Sscanf(r.URL.Path, "/%d/%d", &size, &sent)
		body := encode("gzip", string(text[:size]))
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		io.WriteString(w, body[:min(len(body), sent)])
	})
	f, buf := fetcher(t, options()), new(Buffer)
	const all = 1 << 30
	for _, c := range []struct{ size, sent int }{
		{1, all},
		{firstRead, all},
		{maxAhead - 100, all},
		{maxAhead, all},
		{4 * maxAhead, all},
		{maxAhead, maxAhead / 2},
		{4 * maxAhead, maxAhead},
		{4 * maxAhead, 2*maxAhead + 1},
	} {
		res := f.Fetch(t.Context(), Request{URL: fmt.Sprintf("%s/%d/%d", s.URL, c.size, c.sent)}, buf)
		switch wire := len(encode("gzip", string(text[:c.size]))); {
		case !bytes.HasPrefix(text[:c.size], res.Body):
			t.Errorf("%+v: another body of %d bytes", c, len(res.Body))
		case c.sent == all && (res.Class != None || len(res.Body) != c.size || res.Transferred != int64(wire)):
			t.Errorf("%+v: %d of %d bytes of %d, class %q (%s)", c, res.Transferred, wire, len(res.Body), res.Class, res.Err)
		case c.sent != all && (res.Class != Reset || res.Transferred != int64(c.sent) || len(res.Body) < c.sent-maxAhead):
			t.Errorf("%+v: %d bytes of %d, class %q (%s)", c, res.Transferred, len(res.Body), res.Class, res.Err)
		}
	}
}

func TestBombsAreCut(t *testing.T) {
	const limit, size = 1 << 18, 4 << 20
	zeros := make([]byte, 1<<20)
	for _, name := range []string{"gzip", "br", "zstd", "deflate"} {
		t.Run(name, func(t *testing.T) {
			var bomb bytes.Buffer
			w := encoders[name](&bomb)
			for range size / len(zeros) {
				w.Write(zeros)
			}
			w.Close()
			s := server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", name)
				w.Write(bomb.Bytes())
			})
			o := options()
			o.MaxBody = limit
			res := get(fetcher(t, o), s.URL)
			if res.Class != None || !res.Truncated || len(res.Body) != limit || res.Transferred > int64(bomb.Len()) {
				t.Errorf("%d bytes on the wire: got class %q (%s), %d bytes, truncated %v", bomb.Len(), res.Class, res.Err, len(res.Body), res.Truncated)
			}
		})
	}
}

// Bodies that go on for ever and never decode to anything.
func TestEmptyBodiesEnd(t *testing.T) {
	skipped := "\x50\x2a\x4d\x18\x00\x04\x00\x00" + strings.Repeat("x", 1024)
	for _, c := range []struct{ encoding, head, piece string }{
		{"gzip", "", encode("gzip", "")},
		{"gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\x00\x00\x00\xff\xff"}, // empty stored blocks
		{"zstd", "", skipped},
		{"zstd", "\x28\xb5\x2f\xfd\x00\x00", "\x00\x00\x00"}, // empty raw blocks
		{"br", "\x0b", "\x06"},                               // metadata of no length, if anything
	} {
		s := server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", c.encoding)
			io.WriteString(w, c.head)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(c.piece, 1000)); err != nil {
					return
				}
			}
		})
		o := options()
		o.MaxBody = 100_000
		res := get(fetcher(t, o), s.URL)
		if res.Class != Protocol || len(res.Body) != 0 || res.Transferred > 300_000 {
			t.Errorf("%s %q: class %q (%s), %d bytes, %d on the wire", c.encoding, c.piece[:1], res.Class, res.Err, len(res.Body), res.Transferred)
		}
	}
}

// A body is decoded within its limit, whatever it is, and decoders that have
// seen it decode the next one well.
func FuzzDecode(f *testing.F) {
	text := strings.Repeat("Netz ", 300)
	for _, header := range []string{"gzip", "br", "zstd", "deflate", "gzip, br", "zstd, deflate", "x"} {
		f.Add(header, []byte(text))
		for name := range encoders {
			f.Add(header, []byte(encode(name, text)))
		}
	}
	f.Add("gzip", []byte(encode("gzip", "")+encode("gzip", text)+"junk"))
	good := map[string]string{}
	for _, name := range []string{"gzip", "br", "zstd", "deflate"} {
		good[name] = encode(name, text)
	}
	fe, err := New(Defaults())
	if err != nil {
		f.Fatal(err)
	}
	const limit = 4096
	decode := func(header string, body []byte) ([]byte, error) {
		clock := new(clock)
		var buf Buffer
		var res Response
		err := fe.readBody(context.Background(), &http.Response{
			Header:        http.Header{"Content-Encoding": {header}},
			Body:          io.NopCloser(bytes.NewReader(body)),
			ContentLength: -1,
		}, limit, &buf, clock, &res)
		return res.Body, err
	}
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		got, err := decode(header, body)
		if len(got) > limit {
			t.Fatalf("%d bytes decoded, limit is %d", len(got), limit)
		}
		var encoding *encodingError
		if err != nil && !errors.As(err, &encoding) && err != errWireLimit {
			t.Fatalf("error %v has no class of its own", err)
		}
		for name, body := range good {
			if got, err := decode(name, []byte(body)); err != nil || string(got) != text {
				t.Fatalf("%s after %s: %v", name, header, err)
			}
		}
	})
}
