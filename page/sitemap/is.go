package sitemap

import (
	"bufio"
	"bytes"
	"io"

	"golang.org/x/net/html/charset"
)

// Is reports whether a body is a sitemap or an index of them in XML, with or without gzip, by its first 4 KB. What the header
// says does not count, for servers call them text/html, text/plain and whatever else. Feeds and lists are not recognised:
// they are sitemaps only where a site says so, which those know that call Parse.
//
// It costs next to nothing for a body that is neither XML nor gzip.
func Is(body []byte) bool {
	for range maxLayers {
		if !bytes.HasPrefix(body, []byte(gzipMagic)) {
			break
		}
		body = unzipHead(body)
	}
	body = body[:min(len(body), sniffLength)]
	if name := wideEncoding(body); name != "" {
		e, _ := charset.Lookup(name)
		body, _ = e.NewDecoder().Bytes(body)
	}
	s := &scanner{buf: body, w: len(body), err: io.EOF}
	for {
		s.skipSpace()
		head := s.peek(len("<!--"))
		switch {
		case len(head) == 0 || head[0] != '<':
			return false
		case string(head) == "<!--":
			s.skip(len(head))
			s.skipPast("-->")
		case bytes.HasPrefix(head, []byte("<![")):
			return false
		case bytes.HasPrefix(head, []byte("<!")):
			if s.skipDeclaration() {
				return false
			}
		case bytes.HasPrefix(head, []byte("<?")):
			s.skipInstruction()
		default:
			e, ok := s.tag()
			t := tagOf(e.name)
			return ok && !e.end && (t == tagURLSet || t == tagIndex)
		}
	}
}

// unzipHead returns the beginning of what a body unpacks to, enough to unpack it once more.
func unzipHead(body []byte) []byte {
	var cut bool
	head := make([]byte, 2*sniffLength)
	src := &limited{src: &gunzip{src: bufio.NewReader(bytes.NewReader(body))}, left: MaxBytes, cut: &cut}
	n, _ := io.ReadFull(src, head)
	return head[:n]
}
