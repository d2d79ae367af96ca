package page

import (
	"bytes"
	"strings"

	"github.com/zeebo/xxh3"
)

// ContentHash returns the XXH3-128 hash of a body without content encoding, in the canonical byte order, which is what
// xxh128sum prints. It tells equal bodies; against someone who makes unequal bodies look equal it is no protection.
func ContentHash(body []byte) [16]byte {
	return xxh3.Hash128(body).Bytes()
}

// MediaType returns the type and subtype of a Content-Type in lower case and without parameters. It is empty if the header
// names none.
func MediaType(contentType string) string {
	if i := strings.IndexAny(contentType, ";,"); i >= 0 {
		contentType = contentType[:i]
	}
	contentType = strings.TrimSpace(contentType)
	major, minor, ok := strings.Cut(contentType, "/")
	if !ok || major == "" || minor == "" || strings.ContainsAny(contentType, " \t") {
		return ""
	}
	return lower(contentType)
}

// isXML reports whether a media type is one of XML that a page may have.
func isXML(mediaType string) bool {
	switch mediaType {
	case "application/xhtml+xml", "application/vnd.wap.xhtml+xml", "application/xml", "text/xml":
		return true
	}
	return false
}

// IsHTML reports whether a body is an HTML page, by its Content-Type and its beginning
// (https://mimesniff.spec.whatwg.org/#determining-the-computed-mime-type-of-a-resource):
//
//   - text/html and application/xhtml+xml are, unless the body starts as an image, an archive, a PDF and the like do. The
//     standard takes the server's word for it; but there is nothing to read in those.
//   - text/xml and application/xml are if the root element is html.
//   - Where the type is missing, is none, or says nothing, the beginning decides.
//   - No other type is: not text/plain, which browsers show as it is, nor application/octet-stream, which they save.
func IsHTML(contentType string, body []byte) bool {
	switch MediaType(contentType) {
	case "text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml":
		return !looksBinary(body)
	case "text/xml", "application/xml":
		return looksXHTML(body)
	case "", "*/*", "unknown/unknown", "application/unknown":
		return looksHTML(body) || looksXHTML(body)
	}
	return false
}

// looksBinary reports whether a body starts as files of a kind do which hold no markup.
func looksBinary(body []byte) bool {
	for _, magic := range [...]string{
		"\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "%PDF-", "\x1f\x8b\x08", "PK\x03\x04", "Rar!\x1a\x07", "7z\xbc\xaf\x27\x1c",
		"\x1a\x45\xdf\xa3", "OggS\x00", "\x28\xb5\x2f\xfd", "\xfd7zXZ\x00", "\x00\x00\x01\x00", "\x7fELF", "wOFF\x00", "wOF2\x00",
	} {
		if len(body) >= len(magic) && string(body[:len(magic)]) == magic {
			return true
		}
	}
	// These might start a text.
	for _, magic := range [...]string{"GIF87a", "GIF89a", "RIFF", "BM", "ID3", "BZh", "II*\x00", "MM\x00*"} {
		if len(body) >= len(magic) && string(body[:len(magic)]) == magic {
			return hasBinaryByte(body[:min(len(body), sniffLength)])
		}
	}
	return len(body) >= 12 && string(body[4:8]) == "ftyp" && body[0] == 0 // MP4, AVIF, HEIC
}

// hasBinaryByte reports whether b holds a byte that no text does (https://mimesniff.spec.whatwg.org/#binary-data-byte).
func hasBinaryByte(b []byte) bool {
	return bytes.ContainsFunc(b, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\f' && r != '\r' && r != 0x1b
	})
}

// looksXHTML reports whether a body is XML with the root element html, as far as its first kilobyte tells.
func looksXHTML(body []byte) bool {
	rest := body[:min(len(body), sniffLength)]
	rest = bytes.TrimPrefix(rest, []byte("\xEF\xBB\xBF"))
	for {
		rest = bytes.TrimLeft(rest, " \t\n\r")
		end := ">"
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(rest, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(rest, []byte("<!")):
		default:
			name := ""
			if bytes.HasPrefix(rest, []byte("<")) {
				name = string(tagName(rest, len("<")))
			}
			return name == "html" && len(rest) > len("<html")
		}
		_, after, ok := bytes.Cut(rest, []byte(end))
		if !ok {
			return false
		}
		rest = after
	}
}

func looksHTML(body []byte) bool {
	body = body[:min(len(body), sniffLength)]
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	body = bytes.TrimLeft(body, " \t\n\f\r")
	for _, prefix := range [...]string{
		"<!doctype html", "<html", "<head", "<script", "<iframe", "<h1", "<div", "<font", "<table", "<a", "<style", "<title",
		"<b", "<body", "<br", "<p", "<!--",
	} {
		n := len(prefix)
		if len(body) < n || !equalFold(body[:n], prefix) {
			continue
		}
		if prefix == "<!--" || len(body) > n && (isSpace(body[n]) || body[n] == '>' || body[n] == '/') {
			return true
		}
	}
	return false
}
