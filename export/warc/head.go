package warc

import (
	"bytes"
	"strconv"
)

// maxHead bounds a head that is written; header lines beyond it are left out.
// A server cannot reach it, for a client that reads so long a head gives up.
const maxHead = 1 << 20

// AppendResponseHead appends the head of a response to dst such that it fits
// a body of that many bytes, which has neither content coding nor transfer
// coding. It ends with an empty line.
//
// Content-Encoding, Transfer-Encoding and Content-Length are renamed to
// X-Archive-Orig-Content-Encoding and so on, as other archiving crawlers do, and
// one right Content-Length is added. A head that has no coding and the right
// Content-Length keeps it. The status line of HTTP/2 and later becomes that of HTTP/1.1.
//
// The head may be anything: what follows its first empty line is ignored, lines
// without a proper name are left out, controls in values become spaces, and
// lines beyond a megabyte are left out. Octets from 0x80 on stay as they are.
// It reports false, and appends nothing, when the first line is no status line.
func AppendResponseHead(dst, head []byte, length int64) ([]byte, bool) {
	version, status, ok := statusLine(head)
	if !ok {
		return dst, false
	}
	start := len(dst)
	dst = append(dst, version...)
	dst = append(dst, ' ')
	dst = appendValue(dst, status)
	dst = append(dst, "\r\n"...)

	fits := saysLength(head, length)
	_, rest := cutLine(head)
	for {
		name, value, more, ok := nextField(&rest)
		if !more {
			break
		}
		if !ok || len(dst)-start+len(name)+len(value) > maxHead {
			continue
		}
		if isCoding(name) || isLength(name) && !fits {
			dst = append(dst, "X-Archive-Orig-"...)
		}
		dst = appendField(dst, name, value)
	}
	if !fits {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, length, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), true
}

// appendRequestHead appends the head of a request, made well-formed as that of
// a response is, without the fields that hold credentials: archives are given
// away. It reports false when there is no request line.
func appendRequestHead(dst, head []byte) ([]byte, bool) {
	line, rest := cutLine(head)
	method, target, found := bytes.Cut(line, []byte(" "))
	if !found || !isToken(method) || len(line) > 4*MaxURL {
		return dst, false
	}
	if i := bytes.LastIndexByte(target, ' '); i >= 0 {
		target = target[:i]
	}
	start := len(dst)
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = appendURI(dst, string(target))
	dst = append(dst, " HTTP/1.1\r\n"...)
	for {
		name, value, more, ok := nextField(&rest)
		if !more {
			break
		}
		if ok && !isCredential(name) && len(dst)-start+len(name)+len(value) <= maxHead {
			dst = appendField(dst, name, value)
		}
	}
	return append(dst, "\r\n"...), true
}

// statusLine takes the first line of a head apart: the version that is to be
// written, and the status code with the reason.
func statusLine(head []byte) (version string, status []byte, ok bool) {
	line, _ := cutLine(head)
	first, status, found := bytes.Cut(line, []byte(" "))
	if !found || !bytes.HasPrefix(first, []byte("HTTP/")) {
		return "", nil, false
	}
	status = bytes.TrimLeft(status, " ")
	if len(status) < 3 || len(status) > 3 && status[3] != ' ' {
		return "", nil, false
	}
	for _, c := range status[:3] {
		if c < '0' || c > '9' {
			return "", nil, false
		}
	}
	if len(status) > 1024 {
		status = status[:1024]
	}
	if string(first) == "HTTP/1.0" {
		return "HTTP/1.0", status, true
	}
	return "HTTP/1.1", status, true
}

// cutLine takes the first line off a head. A line ends with LF or CR LF.
func cutLine(head []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(head, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// nextField takes the next header line off a head. It reports more until the
// head has ended, and ok when the line is a field.
func nextField(rest *[]byte) (name, value []byte, more, ok bool) {
	line, after := cutLine(*rest)
	*rest = after
	if len(line) == 0 {
		return nil, nil, false, false
	}
	name, value, ok = bytes.Cut(line, []byte(":"))
	return name, bytes.Trim(value, " \t"), true, ok && isToken(name)
}

// saysLength reports whether a head already fits a body of that length.
func saysLength(head []byte, length int64) bool {
	_, rest := cutLine(head)
	said := 0
	for {
		name, value, more, ok := nextField(&rest)
		switch {
		case !more:
			return said == 1
		case !ok:
		case isCoding(name):
			return false
		case isLength(name):
			if string(value) != strconv.FormatInt(length, 10) {
				return false
			}
			said++
		}
	}
}

func isCoding(name []byte) bool {
	return bytes.EqualFold(name, []byte("Content-Encoding")) || bytes.EqualFold(name, []byte("Transfer-Encoding"))
}

func isLength(name []byte) bool { return bytes.EqualFold(name, []byte("Content-Length")) }

func isCredential(name []byte) bool {
	return bytes.EqualFold(name, []byte("Cookie")) ||
		bytes.EqualFold(name, []byte("Authorization")) || bytes.EqualFold(name, []byte("Proxy-Authorization"))
}

func appendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = appendValue(dst, value)
	return append(dst, "\r\n"...)
}

func appendValue(dst, value []byte) []byte {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// isToken reports whether a name is a token (RFC 9110, 5.6.2) of at most 256 bytes.
func isToken(name []byte) bool {
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), c) >= 0 {
			return false
		}
	}
	return 0 < len(name) && len(name) <= 256
}

// statusAndType reads from the head of a response what an index says of it: the
// status code and the media type without parameters, empty when there is none.
func statusAndType(head []byte) (status, mime string) {
	if _, s, ok := statusLine(head); ok {
		status = string(s[:3])
	}
	_, rest := cutLine(head)
	for {
		name, value, more, ok := nextField(&rest)
		if !more {
			return status, ""
		}
		if ok && bytes.EqualFold(name, []byte("Content-Type")) {
			return status, mediaType(value)
		}
	}
}

// mediaType is a media type without its parameters, at most 255 bytes of it.
func mediaType(value []byte) string {
	if i := bytes.IndexAny(value, "; \t\r\n\v\f"); i >= 0 {
		value = value[:i]
	}
	return string(value[:min(len(value), 255)])
}
