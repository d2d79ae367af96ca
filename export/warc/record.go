package warc

import (
	"bytes"
	"crypto/sha1"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	identical  = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
	conformsTo = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
)

// encoder turns exchanges into gzip members. Its buffers are used again.
type encoder struct {
	zip      *gzip.Writer
	sum      hash.Hash
	warcinfo [16]byte // of the file that is being written
	head     []byte   // head of the record
	http     []byte   // head of the message in it
	uri      []byte
}

func newEncoder(level int) (*encoder, error) {
	zip, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		return nil, err
	}
	return &encoder{zip: zip, sum: sha1.New()}, nil
}

// info appends the warcinfo record of a new file, to which the records after it belong.
func (e *encoder) info(dst *bytes.Buffer, info *Info) error {
	e.warcinfo = uuid(info.ID)
	e.begin("warcinfo", e.warcinfo, info.Time)
	if info.Filename != "" {
		e.head = append(e.head, "WARC-Filename: "...)
		e.head = append(appendText(e.head, info.Filename), "\r\n"...)
	}
	e.field("Content-Type", "application/warc-fields")

	e.http = e.http[:0]
	for _, f := range [...]struct{ name, value string }{
		{"software", info.Software},
		{"format", "WARC File Format 1.1"},
		{"conformsTo", conformsTo},
		{"operator", info.Operator},
		{"robots", info.Robots},
		{"isPartOf", info.IsPartOf},
		{"description", info.Description},
		{"http-header-user-agent", info.UserAgent},
		{"http-header-from", info.From},
	} {
		if f.value != "" {
			e.http = append(append(e.http, f.name...), ": "...)
			e.http = append(appendText(e.http, f.value), "\r\n"...)
		}
	}
	return e.end(dst, e.http, nil)
}

// exchange appends the records of an exchange that was checked, the response
// first. The entry is that of the response; its offset counts from the end of dst.
func (e *encoder) exchange(dst *bytes.Buffer, x *Exchange) (entry, error) {
	before := dst.Len()
	id := uuid(x.ID)
	e.uri = appendURI(e.uri[:0], x.URL)
	head, ok := AppendResponseHead(e.http[:0], x.Response, int64(len(x.Body)))
	if !ok {
		return entry{}, fmt.Errorf("%w: no status line", ErrExchange)
	}
	e.http = head

	revisit := x.Refers != nil && len(x.Body) > 0 && len(x.Refers.URL) <= MaxURL && schemeLength(x.Refers.URL) > 0
	kind := "response"
	if revisit {
		kind = "revisit"
	}
	e.begin(kind, id, x.Time)
	e.capture(x)
	payload := e.digest(x.Body, nil)
	e.field("WARC-Payload-Digest", payload)
	body, reason := x.Body, truncation(x.Truncated)
	if revisit {
		// The block lacks what is the same: 6.7.2 wants that said as a truncation.
		body, reason = nil, "length"
		e.field("WARC-Profile", identical)
		e.head = append(e.head, "WARC-Refers-To-Target-URI: "...)
		e.head = append(appendURI(e.head, x.Refers.URL), "\r\n"...)
		e.head = append(e.head, "WARC-Refers-To-Date: "...)
		e.head = append(appendDate(e.head, x.Refers.Time), "\r\n"...)
	}
	if reason != "" {
		e.field("WARC-Truncated", reason)
	}
	e.field("Content-Type", "application/http;msgtype=response")
	if err := e.end(dst, e.http, body); err != nil {
		return entry{}, err
	}
	en := entry{url: string(e.uri), time: x.Time, digest: payload, length: int64(dst.Len() - before)}
	en.status, en.mime = statusAndType(e.http)
	if revisit {
		en.mime = mimeRevisit
	}

	if head, ok := appendRequestHead(e.http[:0], x.Request); ok {
		e.http = head
		e.begin("request", named(id, "request"), x.Time)
		e.capture(x)
		e.head = append(e.head, "WARC-Concurrent-To: "...)
		e.head = append(appendUUID(e.head, id), "\r\n"...)
		e.field("Content-Type", "application/http;msgtype=request")
		if err := e.end(dst, e.http, nil); err != nil {
			return entry{}, err
		}
	}
	return en, nil
}

// begin begins the head of a record.
func (e *encoder) begin(kind string, id [16]byte, at time.Time) {
	e.head = append(e.head[:0], "WARC/1.1\r\nWARC-Type: "...)
	e.head = append(e.head, kind...)
	e.head = append(e.head, "\r\nWARC-Record-ID: "...)
	e.head = appendUUID(e.head, id)
	e.head = append(e.head, "\r\nWARC-Date: "...)
	e.head = append(appendDate(e.head, at), "\r\n"...)
}

// capture adds what both records of an exchange say.
func (e *encoder) capture(x *Exchange) {
	e.head = append(e.head, "WARC-Warcinfo-ID: "...)
	e.head = append(appendUUID(e.head, e.warcinfo), "\r\n"...)
	e.head = append(e.head, "WARC-Target-URI: "...)
	e.head = append(append(e.head, e.uri...), "\r\n"...)
	before := len(e.head)
	e.head = append(e.head, "WARC-IP-Address: "...)
	if head, ok := appendIP(e.head, x.IP); ok {
		e.head = append(head, "\r\n"...)
	} else {
		e.head = e.head[:before]
	}
	if p := protocolID(x.Protocol, x.URL); p != "" {
		e.field("WARC-Protocol", p)
	}
}

// end ends the head of a record and writes all of it as one member.
func (e *encoder) end(dst *bytes.Buffer, block, body []byte) error {
	e.field("WARC-Block-Digest", e.digest(block, body))
	e.head = append(e.head, "Content-Length: "...)
	e.head = strconv.AppendInt(e.head, int64(len(block)+len(body)), 10)
	e.head = append(e.head, "\r\n\r\n"...)
	e.zip.Reset(dst)
	e.zip.ModTime = time.Unix(0, 0) // none; the zero Time would become a date
	for _, part := range [...][]byte{e.head, block, body, []byte("\r\n\r\n")} {
		if _, err := e.zip.Write(part); err != nil {
			return err
		}
	}
	return e.zip.Close()
}

func (e *encoder) field(name, value string) {
	e.head = append(append(e.head, name...), ": "...)
	e.head = append(append(e.head, value...), "\r\n"...)
}

// digest is the labelled digest of two stretches of bytes, one after the other.
func (e *encoder) digest(a, b []byte) string {
	var sum [sha1.Size]byte
	e.sum.Reset()
	e.sum.Write(a)
	e.sum.Write(b)
	e.sum.Sum(sum[:0])
	return "sha1:" + base32.StdEncoding.EncodeToString(sum[:])
}

func appendUUID(dst []byte, id [16]byte) []byte {
	dst = append(dst, "<urn:uuid:"...)
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		at := [...]int{0, 4, 6, 8, 10}[i]
		dst = hex.AppendEncode(dst, id[at:at+n])
	}
	return append(dst, '>')
}
