package fakeweb

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// CookiesOptions says what a [Cookies] site is like. Start from
// [DefaultCookies].
type CookiesOptions struct {
	Seed  uint64
	Pages int // pages beside the root, 1 to 10,000
	// Attributes stand after the cookie, as "; Path=/; HttpOnly".
	Attributes string
	// Everywhere makes every page redirect to itself until the cookie is sent,
	// not only the root.
	Everywhere bool
	Tally      bool // counts requests, see [Tally]
}

// DefaultCookies returns a site of 50 pages whose cookie is for the whole site.
func DefaultCookies() CookiesOptions {
	return CookiesOptions{Seed: 1, Pages: 50, Attributes: "; Path=/; HttpOnly; SameSite=Lax", Tally: true}
}

// Cookies is a site that is closed to those who keep no cookies. Its root
// redirects to itself and gives out a session, until a session comes back. All
// other pages are 403 without one, unless Everywhere says otherwise. A session
// is good for ever. It is safe for concurrent use.
//
// In memory it is cookies.test; on a socket it answers under any name.
type Cookies struct {
	o       CookiesOptions
	lex     *lexicon
	stage   *stage
	given   atomic.Int64
	refused atomic.Int64
}

// CookiesHost is the name of a [Cookies] site in memory.
const CookiesHost = "cookies.test"

// NewCookies returns the site that o describes, or an error that names what is
// wrong with o.
func NewCookies(o CookiesOptions) (*Cookies, error) {
	if o.Pages < 1 || o.Pages > 10_000 {
		return nil, fmt.Errorf("fakeweb: %d pages behind a cookie, want 1 to 10000", o.Pages)
	}
	if strings.ContainsAny(o.Attributes, "\r\n") {
		return nil, fmt.Errorf("fakeweb: cookie attributes %q", o.Attributes)
	}
	return &Cookies{o: o, lex: makeLexicon(o.Seed), stage: newStage(o.Tally)}, nil
}

// Seed returns the address to start at in memory.
func (c *Cookies) Seed() string { return "http://" + CookiesHost + "/" }

// Content enumerates the paths of all pages, the root first. A crawl that keeps
// cookies fetches them all; one that keeps none fetches nothing.
func (c *Cookies) Content() iter.Seq[string] {
	return func(yield func(string) bool) {
		for n := range c.o.Pages + 1 {
			if !yield(string(appendMember(nil, n))) {
				return
			}
		}
	}
}

// Sessions returns how many sessions were given out. One is enough for a crawl
// that keeps its cookie.
func (c *Cookies) Sessions() int { return int(c.given.Load()) }

// Refused returns how many requests were answered with 403.
func (c *Cookies) Refused() int { return int(c.refused.Load()) }

// Tally returns what the site has counted so far. It is always the same one.
func (c *Cookies) Tally() *Tally { return &c.stage.tally }

// ServeHTTP answers under whatever name it is asked.
func (c *Cookies) ServeHTTP(rw http.ResponseWriter, r *http.Request) { c.stage.serve(rw, r, c.answer) }

// RoundTrip answers in memory for [CookiesHost] on any port. Any other name is
// a [*net.DNSError].
func (c *Cookies) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.stage.roundTrip(r, func(name string) answerer {
		if name == CookiesHost {
			return c.answer
		}
		return nil
	})
}

// appendMember appends the path of page n, 0 for the root.
func appendMember(dst []byte, n int) []byte {
	if n == 0 {
		return append(dst, '/')
	}
	return strconv.AppendInt(append(dst, "/members/"...), int64(n), 10)
}

func (c *Cookies) answer(dst []byte, q ask) ([]byte, reply) {
	a := reply{status: http.StatusOK, contentType: typeHTML}
	if q.target == "/robots.txt" {
		a.contentType = typeText
		return append(dst, "User-agent: *\nDisallow:\n"...), a
	}
	n := 0
	if q.target != "/" {
		digits, _ := strings.CutPrefix(q.target, "/members/")
		var ok bool
		if n, ok = number(digits); !ok || n < 1 || n > c.o.Pages || !strings.HasPrefix(q.target, "/members/") {
			a.status = http.StatusNotFound
			return append(dst, "<!DOCTYPE html>\n<title>Not found</title>\n<p>There is no such page.</p>\n"...), a
		}
	}
	if !c.knows(q.header) {
		if n > 0 && !c.o.Everywhere {
			c.refused.Add(1)
			a.status = http.StatusForbidden
			return append(dst, "<!DOCTYPE html>\n<title>Forbidden</title>\n<p>Please enable cookies and <a href=\"/\">begin at the front page</a>.</p>\n"...), a
		}
		a.status, a.location = http.StatusFound, q.target
		a.cookie = "visit=" + c.session(uint64(c.given.Add(1))) + c.o.Attributes
		return append(dst, "<!DOCTYPE html>\n<title>One moment</title>\n"...), a
	}

	subject := mix(c.o.Seed + uint64(n)*golden)
	title := c.lex.name(subject, 3)
	dst = append(append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>"...), title...)
	dst = append(append(append(dst, "</title>\n<h1>"...), title...), "</h1>\n"...)
	dst = c.lex.appendParagraphs(dst, subject, 1200)
	dst = append(dst, "<ul>\n<li><a href=\"/\">Home</a></li>\n"...)
	for child := 5*n + 1; child <= min(5*n+5, c.o.Pages); child++ {
		dst = append(appendMember(append(dst, "<li><a href=\""...), child), "\">"...)
		dst = append(append(dst, c.lex.name(mix(c.o.Seed+uint64(child)*golden), 3)...), "</a></li>\n"...)
	}
	return append(dst, "</ul>\n</html>\n"...), a
}

// session returns the n-th session. It can be told from a made-up one without
// being kept.
func (c *Cookies) session(n uint64) string {
	room := make([]byte, 0, 32)
	room = appendHex(room, n)
	return string(appendHex(room, mix(mix(c.o.Seed+forPrivate)+n*golden)))
}

// knows says whether a request holds a session.
func (c *Cookies) knows(header http.Header) bool {
	for _, line := range header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			value, ok := strings.CutPrefix(strings.TrimSpace(part), "visit=")
			if !ok || len(value) != 32 || !isHex(value[:16]) {
				continue
			}
			if n, err := strconv.ParseUint(value[:16], 16, 64); err == nil && n > 0 && c.session(n) == value {
				return true
			}
		}
	}
	return false
}

var (
	_ http.Handler      = (*Cookies)(nil)
	_ http.RoundTripper = (*Cookies)(nil)
)
