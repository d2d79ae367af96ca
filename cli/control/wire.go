package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// API is the version of the protocol.
const API = 1

// Hello is how a running crawl introduces itself.
type Hello struct {
	Version string `json:"pawl"`
	API     int    `json:"api"`
	PID     int    `json:"pid"`
	File    string `json:"file"`              // absolute
	ID      string `json:"file_id,omitempty"` // by which the system knows the file; empty: not known
}

// What the endpoints are asked and answer, where it is not what a method of Crawl
// takes or gives.
type (
	nothing  struct{}
	whyQuery struct {
		URL string `json:"url"`
	}
	addQuery struct {
		URLs []string `json:"urls"`
	}
	setQuery struct {
		Values map[string][]string `json:"values"`
	}
	setAnswer struct {
		Changes []string `json:"changes"`
	}
	snapshotQuery struct {
		Path string `json:"path"`
	}
)

// decode reads the one value that a text holds, and nothing that is not known.
// No text at all is the zero value.
func decode(text []byte, into any) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("there is more than one value")
	}
	return &UsageError{Text: "the body of the request is not what it should be: " + strings.TrimPrefix(err.Error(), "json: ")}
}

// encode is a value as a line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // addresses have many a &
	err := enc.Encode(v)
	return b.Bytes(), err
}

// cut shortens a text to at most n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// ascii escapes what is not printable ASCII in a JSON text, all of which is within
// strings.
func ascii(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r >= ' ' && r < 0x7f:
			b.WriteByte(byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
