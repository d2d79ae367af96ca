package fetch

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// secretLines are not shown to anybody but the host they are for.
var secretLines = []string{"Authorization", "Cookie", "Proxy-Authorization"}

// harmlessLines may be shown although the user has set them.
var harmlessLines = []string{"Accept", "Accept-Language", "Accept-Encoding", "Referer", "From", "Dnt"}

// heads gives request and answer as text of HTTP/1.1 (RFC 9112).
func (f *Fetcher) heads(req *http.Request, answer *http.Response) (asked, answered []byte) {
	path := requestPath(req.URL)
	if req.URL.Opaque == "" {
		path = req.URL.RequestURI()
	}
	asked = append(asked, req.Method+" "+path+" HTTP/1.1\r\nHost: "+req.Host+"\r\n"...)
	hidden := secretLines
	for _, h := range f.opts.Headers {
		if name := textproto.CanonicalMIMEHeaderKey(h.Name); !slices.Contains(harmlessLines, name) {
			hidden = append(hidden[:len(hidden):len(hidden)], name)
		}
	}
	asked = appendLines(asked, req.Header, hidden)
	reason := strings.TrimSpace(strings.TrimPrefix(answer.Status, strconv.Itoa(answer.StatusCode)))
	if reason == "" {
		reason = http.StatusText(answer.StatusCode) // HTTP/2 has none
	}
	answered = append(answered, "HTTP/1.1 "+strconv.Itoa(answer.StatusCode)+" "+inOneLine.Replace(reason)+"\r\n"...)
	for _, coding := range answer.TransferEncoding {
		answered = append(answered, "Transfer-Encoding: "+inOneLine.Replace(coding)+"\r\n"...)
	}
	return asked, appendLines(answered, answer.Header, nil)
}

// inOneLine keeps what net/http lets through from ending a line.
var inOneLine = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

// appendLines appends the lines of a header, sorted by name, but for some, and
// the empty line.
func appendLines(dst []byte, h http.Header, without []string) []byte {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if slices.Contains(without, name) {
			continue
		}
		for _, value := range h[name] {
			dst = append(dst, inOneLine.Replace(name)+": "+inOneLine.Replace(value)+"\r\n"...)
		}
	}
	return append(dst, "\r\n"...)
}
