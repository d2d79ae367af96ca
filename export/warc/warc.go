// Package warc writes what a crawl fetched as WARC/1.1 files (ISO 28500:2017)
// and indexes them as CDXJ.
//
// An [Exchange] becomes two records: a response (or a revisit, when the body
// was archived before) and the request that asked for it. Every record is a
// gzip member of its own, as annex D of the standard recommends, so that one can
// be read without those before it. A file begins with a warcinfo record.
//
// [Writer] streams records to anything. [Archive] writes them to a folder, in
// files of bounded size with an index beside each, and is exact after the
// process dies at any instant: it hands out a position that the caller keeps
// with its own state, and goes back to that position when it is opened again.
//
// Bodies are archived decoded, for that is how they are kept. The head of a
// response is changed so that it tells the truth about such a body:
// [AppendResponseHead] says how.
package warc

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxURL is the length in bytes up to which an address can be archived.
const MaxURL = 16 << 10

// ErrExchange is wrapped by the error of an exchange that cannot be archived:
// it has no status line, or its URL is empty, relative or longer than [MaxURL].
var ErrExchange = errors.New("warc: exchange cannot be archived")

// Exchange is one request and the answer to it.
// Whatever stands in it, what is written is well-formed.
type Exchange struct {
	// ID makes the id of the response; that of the request follows from it.
	// The zero ID stands for a random one. See [DeriveID].
	ID [16]byte
	// URL is the absolute address that was asked for. Octets that RFC 3986 does
	// not allow are written percent-encoded.
	URL string
	// Time is when the exchange began; milliseconds are kept.
	Time time.Time
	// IP is the address of the server as text. One that is none is left out.
	IP string
	// Request and Response are the heads as HTTP/1.1 text: start line and header
	// lines. What follows the first empty line is ignored. Without a Request no
	// request record is written. Credentials that stand in Request (Cookie,
	// Authorization, Proxy-Authorization) are left out.
	Request, Response []byte
	// Protocol is the protocol that was spoken, as net/http names it. For HTTP/2
	// and HTTP/3, whose messages have no text form, the records say so in
	// WARC-Protocol.
	Protocol string
	// Body is the body without any coding. It is not kept.
	Body []byte
	// Truncated says why Body is not the whole body: length, time, disconnect or
	// unspecified. Empty when it is.
	Truncated string
	// Refers is the response with the same body that was archived before: the
	// body is then not written again. It is ignored when Body is empty.
	Refers *Refers
}

// Refers names a response record by what the exchange behind it was.
type Refers struct {
	// URL and Time must be the URL and Time of an Exchange that was archived with
	// its body, best one of the same archive.
	URL  string
	Time time.Time
}

// Info is what the warcinfo record at the beginning of a file says.
// Empty fields are left out.
type Info struct {
	Software    string // name and version of the program
	Operator    string // who runs it, with an address to write to
	UserAgent   string // the User-Agent usually sent
	From        string // the From header usually sent
	Robots      string // the robots policy that was followed
	IsPartOf    string // the crawl that the file belongs to
	Description string
	// Filename is the name of the file. An Archive fills it in.
	Filename string
	// ID makes the id of the record. The zero ID stands for a random one. An
	// Archive fills it in.
	ID [16]byte
	// Time is when the file was begun. The zero Time stands for that of the first
	// exchange.
	Time time.Time
}

// DeriveID is an [Exchange] ID that follows from what was numbered and its
// number, so that the same exchange has the same ID whenever it is written.
func DeriveID(crawl [16]byte, seq uint64) [16]byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(crawl[:], seq))
	return [16]byte(sum[:16])
}

// uuid makes an id an UUID of version 8 (RFC 9562, 5.8), which may hold anything;
// the zero id becomes a random one of version 4.
func uuid(id [16]byte) [16]byte {
	version := byte(0x80)
	if id == ([16]byte{}) {
		rand.Read(id[:])
		version = 0x40
	}
	id[6] = id[6]&0x0f | version
	id[8] = id[8]&0x3f | 0x80
	return id
}

// named is the UUID of version 5 (RFC 9562, 5.5) with that name in the name
// space of another.
func named(space [16]byte, name string) [16]byte {
	sum := sha1.Sum(append(space[:], name...))
	id := [16]byte(sum[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// check says why the exchange cannot be archived.
func (x *Exchange) check() error {
	switch _, _, ok := statusLine(x.Response); {
	case !ok:
		return fmt.Errorf("%w: no status line: %.100q", ErrExchange, x.URL)
	case len(x.URL) > MaxURL:
		return fmt.Errorf("%w: the address has %d bytes: %.100q", ErrExchange, len(x.URL), x.URL)
	case schemeLength(x.URL) == 0:
		return fmt.Errorf("%w: not an absolute address: %.100q", ErrExchange, x.URL)
	}
	return nil
}

// schemeLength is the length of a URL's scheme with its colon, 0 when it has none.
func schemeLength(url string) int {
	for i := 0; i < len(url); i++ {
		switch c := url[i] | 0x20; {
		case 'a' <= c && c <= 'z':
		case i > 0 && url[i] == ':':
			return i + 1
		case i > 0 && ('0' <= url[i] && url[i] <= '9' || strings.IndexByte("+-.", url[i]) >= 0):
		default:
			return 0
		}
	}
	return 0
}

// appendURI writes an address with nothing in it but what RFC 3986 allows in
// one, section 2: what browsers leave bare is percent-encoded, a stray % too.
func appendURI(dst []byte, url string) []byte {
	for i := 0; i < len(url); i++ {
		c := url[i]
		bare := c > ' ' && c < 0x7f && strings.IndexByte("\"<>\\^`{|}", c) < 0
		if c == '%' {
			bare = i+2 < len(url) && hexDigit(url[i+1]) >= 0 && hexDigit(url[i+2]) >= 0
		}
		if bare {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// appendIP writes an address as WARC-IP-Address has it: no zone, no IPv4 in IPv6.
func appendIP(dst []byte, ip string) ([]byte, bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return dst, false
	}
	return addr.Unmap().WithZone("").AppendTo(dst), true
}

// appendDate writes a time as WARC-Date has it. Years outside of four digits,
// which it cannot hold, become the nearest that it can.
func appendDate(dst []byte, t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y < 0 {
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	} else if y > 9999 {
		t = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

// protocolID is the name of a protocol that the head of a message does not tell.
func protocolID(protocol, url string) string {
	switch {
	case strings.HasPrefix(protocol, "HTTP/3"):
		return "h3"
	case protocol == "h2", strings.HasPrefix(protocol, "HTTP/2"):
		if strings.HasPrefix(url, "http:") {
			return "h2c"
		}
		return "h2"
	}
	return ""
}

// truncation is the reason that a record may give.
func truncation(reason string) string {
	switch reason {
	case "", "length", "time", "disconnect", "unspecified":
		return reason
	}
	return "unspecified"
}

// appendText writes a text as the value of a field of a warcinfo block: on one
// line, without controls, as UTF-8, cut at 4 KiB.
func appendText(dst []byte, s string) []byte {
	const most = 4096
	if len(s) > most {
		s = s[:most]
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
