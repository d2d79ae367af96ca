package hostile

import (
	"compress/flate"
	"compress/gzip"
	"io"
	"strings"
)

const (
	gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
	// emptyBlock is a stored block of no bytes, in deflate.
	emptyBlock = "\x00\x00\x00\xff\xff"
	// brotliHead and brotliPiece are a mebibyte of zeros each, as a brotli
	// encoder writes it between two flushes; the second can be repeated.
	brotliHead  = "\xab\xff\xff\x07\x40\x02\x20\x1e\x0b\x24\xf7\xfe\xc1\x00"
	brotliPiece = "\xfa\xff\x7f\x00\x24\x00\xe2\xb0\x00\x74\xef\x1f\x0c"
	// zstdHead begins a frame with a window of 1 MB (RFC 8878 section 3.1.1),
	// zstdPiece is a block of 128 KB of zeros.
	zstdHead  = "\x28\xb5\x2f\xfd\x00\x50"
	zstdPiece = "\x02\x00\x10\x00"
)

// codings are bodies whose encoding is a trap or a lie. Every bomb is 10 GB of
// zeros or more, sent in 10 MB or less; the nested one has no end.
func codings() []Fault {
	const (
		bomb = "decode no more than the body's limit"
		deep = "refuse encodings that lie more than two deep"
		lie  = "take a body for what it is, or refuse it"
	)
	html := "<title>coded</title>"
	zip := zipped(html)
	label := func(name string) string { return ok + "Content-Encoding: " + name + "\r\n" }
	// sized is an answer with a length, after which the connection goes on.
	sized := func(name, body string) func(*call) {
		return keeps(label(name), "Content-Length: ", itoa(len(body)), "\r\n\r\n", body)
	}
	zeros := "\x00\x00\x00\x00"
	mega := deflated(strings.Repeat("\x00", 1<<20))
	giga := deflated(strings.Repeat(mega, 64))
	return []Fault{
		{Name: "gzip bomb", Must: bomb, Status: 200, Truncated: true, Fresh: true, Body: zeros, answer: pours(label("gzip")+"\r\n"+gzipHeader, mega, 10_240*int64(len(mega)))},
		{Name: "gzip bomb of many members", Must: bomb, Status: 200, Truncated: true, Fresh: true, Body: zeros, answer: pours(label("gzip")+"\r\n", zipped(strings.Repeat("\x00", 1<<20)), 10<<20)},
		{Name: "deflate bomb", Must: bomb, Status: 200, Truncated: true, Fresh: true, Body: zeros, answer: pours(label("deflate")+"\r\n", mega, 10_240*int64(len(mega)))},
		{Name: "brotli bomb", Must: bomb, Status: 200, Truncated: true, Fresh: true, Body: zeros, answer: pours(label("br")+"\r\n"+brotliHead, brotliPiece, 10_240*int64(len(brotliPiece)))},
		{Name: "zstd bomb", Must: bomb, Status: 200, Truncated: true, Fresh: true, Body: zeros, answer: pours(label("zstd")+"\r\n"+zstdHead, zstdPiece, 8*10_240*int64(len(zstdPiece)))},
		{Name: "gzip bomb in gzip", Must: bomb, Status: 200, Truncated: true, Fresh: true, Body: zeros, answer: pours(label("gzip, gzip")+"\r\n"+gzipHeader+deflated(gzipHeader), giga, endless)},
		{Name: "zstd window of 2 GB", Must: "refuse to take the memory", Class: "protocol", Status: 200, answer: sized("zstd", "\x28\xb5\x2f\xfd\x00\xa8"+"\x03\x00\x10\x00")},
		{Name: "gzip members of nothing for ever", Must: "give up at a limit of what is sent", Class: "protocol", Status: 200, Fresh: true, answer: pours(label("gzip")+"\r\n", zipped(""), endless)},
		{Name: "gzip header without end", Must: "give up at a limit of what is sent", Class: "protocol", Status: 200, Fresh: true, answer: pours(label("gzip")+"\r\n\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xff", filler, endless)},

		{Name: "gzip in gzip", Must: "decode both", Status: 200, Body: html, answer: sized("gzip, gzip", zipped(zip))},
		{Name: "gzip in gzip on two lines", Must: "decode both", Status: 200, Body: html, answer: sized("gzip\r\nContent-Encoding: gzip", zipped(zip))},
		{Name: "gzip three deep", Must: deep, Class: "protocol", Status: 200, Fresh: true, answer: sized("gzip, gzip, gzip", zipped(zipped(zip)))},
		{Name: "a thousand encodings", Must: deep, Class: "protocol", Status: 200, Fresh: true, answer: sized(strings.Repeat("br,", 1000), zip)},
		{Name: "unknown encoding", Must: "refuse what it cannot read", Class: "protocol", Status: 200, Fresh: true, answer: sized("compress", html)},
		{Name: "encoding of control characters", Must: "refuse it, and not show them", Class: "protocol", Fresh: true, answer: sized("\x1b[31m\a", html)},
		{Name: "plain text called gzip", Must: lie, Status: 200, Body: html, answer: sized("gzip", html)},
		{Name: "plain text called zstd", Must: lie, Status: 200, Body: html, answer: sized("zstd", html)},
		{Name: "plain text called brotli", Must: lie, Class: "protocol", Status: 200, answer: sized("br", html)},
		{Name: "gzip called brotli", Must: lie, Class: "protocol", Status: 200, answer: sized("br", zip)},
		{Name: "gzip called deflate", Must: lie, Class: "protocol", Status: 200, answer: sized("deflate", zip)},
		{Name: "gzip cut short", Must: "call it damaged", Class: "protocol", Status: 200, answer: sized("gzip", zip[:len(zip)-9])},
		{Name: "gzip with a wrong checksum", Must: "call it damaged", Class: "protocol", Status: 200, answer: sized("gzip", zip[:len(zip)-8]+"12345678")},
		{Name: "gzip with junk behind", Must: lie, Status: 200, Body: html, answer: sized("gzip", zip+"\x00junk")},
	}
}

func zipped(text string) string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// deflated is a text as blocks of deflate that end at a byte and refer to
// nothing before them, so that they can be repeated.
func deflated(text string) string {
	var b strings.Builder
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic("hostile: " + err.Error())
	}
	_, _ = io.WriteString(w, text)
	_ = w.Flush()
	return b.String()
}
