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

// IsHTML reports whether a body is an HTML page by its Content-Type or, if that is missing or says nothing, by the
// beginning of the body (https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type).
func IsHTML(contentType string, body []byte) bool {
	switch MediaType(contentType) {
	case "text/html", "application/xhtml+xml":
		return true
	case "", "*/*", "unknown/unknown", "application/unknown":
		return looksHTML(body)
	}
	return false
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
