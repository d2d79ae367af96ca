package fetch

import (
	"bufio"
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

// Cookies are RFC 6265bis: parsing as in section 5.6, storage as in 5.7,
// retrieval as in 5.8. net/http/cookiejar is not used: it cannot be listed, so
// a crawl could not keep it, and a ledger beside it would have to be the same
// jar again, with bounds.

const (
	// maxCookie is the most that a cookie's name and value have, in bytes,
	// and maxAttribute that of each of its attributes.
	maxCookie    = 4096
	maxAttribute = 1024
	// maxSiteCookies and maxSiteBytes bound what a site can have remembered.
	maxSiteCookies = 50
	maxSiteBytes   = 16 << 10
	// maxSites and maxJarBytes bound a jar; cookieCost is what a cookie has in
	// memory beside its texts, about.
	maxSites    = 10_000
	maxJarBytes = 32 << 20
	cookieCost  = 128
	// maxSetCookies is how many lines of an answer are looked at.
	maxSetCookies = 200
	// maxCookieAge is how long a cookie can be kept.
	maxCookieAge = 400 * 24 * time.Hour
	// maxCookieLine is the longest line of a cookies.txt.
	maxCookieLine = 16 << 10
	// renewal is how long a later expiry alone may wait until it makes a site
	// count as changed; the shortest time is for cookies that live for minutes.
	renewal, minRenewal = time.Hour, time.Minute
	// jarVersion begins each encoded site.
	jarVersion = "1\n"
)

// Jar keeps the cookies that servers set (RFC 6265bis) and says which of them a
// request brings back. Cookies never leave their site: the registrable domain
// by the public suffix list, or the host itself when it has none or is an
// address. All are kept until they expire or the crawl is over, session cookies
// too; SameSite and HttpOnly say nothing to a crawler, whose every request is a
// top-level navigation.
//
// A jar is bounded: 4 KB for each cookie, 50 cookies and 16 KB for each site,
// 10,000 sites and 32 MB in all. Beyond that, what was used longest ago goes.
//
// It may be used by many goroutines at once.
type Jar struct {
	mu       sync.Mutex
	sites    map[string]*list.Element // of *site, all of them in used
	used     *list.List               // the one used last in front
	changed  map[string]struct{}      // names of sites for Changed
	size     int
	clock    uint64 // counts uses of cookies
	maxSites int
	maxBytes int
}

// SiteCookies are the cookies of one site, for a file.
type SiteCookies struct {
	// Site is the registrable domain, or the host when it has none.
	Site string
	// Data is for Restore. It is empty when the site has no cookies any more,
	// and what was kept of it should go. It holds secrets.
	Data []byte
}

type site struct {
	name    string
	cookies []*cookie // the oldest first
	size    int
	kept    bool // Changed has told of it
	saved   time.Time
}

type cookie struct {
	name, value  string
	domain, path string // domain without a leading dot
	hostOnly     bool   // not for hosts below domain
	secure       bool
	expires      int64 // Unix seconds, 0: with the crawl
	saved        int64 // expires as Changed has told it
	used         uint64
}

// NewJar returns an empty jar.
func NewJar() *Jar {
	return &Jar{
		sites: make(map[string]*list.Element), used: list.New(), changed: make(map[string]struct{}),
		maxSites: maxSites, maxBytes: maxJarBytes,
	}
}

// Changed returns the sites whose cookies are not what they were when it, or
// Restore, last told of them, in order of their names. That a cookie lives on
// for longer counts once an hour, or when half of its life is over if that is
// sooner, so that a server which renews it with every page does not make each
// page a change.
func (j *Jar) Changed() []SiteCookies {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.changed) == 0 {
		return nil
	}
	now := time.Now()
	var all []SiteCookies
	for name := range j.changed {
		told := SiteCookies{Site: name}
		if e := j.sites[name]; e != nil {
			s := e.Value.(*site)
			kept := s.kept
			j.expire(s, now)
			if told.Data = s.encode(now); told.Data == nil {
				j.drop(e)
			}
			if told.Data == nil && !kept {
				continue
			}
		}
		all = append(all, told)
	}
	clear(j.changed)
	slices.SortFunc(all, func(a, b SiteCookies) int { return cmp.Compare(a.Site, b.Site) })
	return all
}

// Restore puts the cookies of a site back as Changed had them, in place of
// those of the same names. What has expired since, or belongs to another site
// by today's list of public suffixes, is left out. After an error, which is for
// data that Changed cannot have made, the jar is as it was.
func (j *Jar) Restore(name string, data []byte) error {
	text, ok := strings.CutPrefix(string(data), jarVersion)
	if !ok {
		return errors.New("cookies: unknown version")
	}
	var all []*cookie
	for line := range strings.Lines(text) {
		c, ok := decodeCookie(line)
		if !ok || len(all) == maxSiteCookies {
			return fmt.Errorf("cookies of %s are damaged", oneLine(name))
		}
		all = append(all, c)
	}
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	_, known := j.sites[name]
	s := j.site(name)
	s.kept, s.saved = true, now
	for _, c := range all {
		if siteOf(c.domain) == name {
			j.put(s, c, now)
			c.saved = c.expires
		}
	}
	j.changed[s.name] = struct{}{}
	if !known && len(s.cookies) == len(all) {
		delete(j.changed, name)
	}
	j.trim()
	return nil
}

// LoadCookies reads a cookies.txt, the format of Netscape that curl, wget and
// extensions of browsers write: lines of seven fields between tabs, which are
// domain, TRUE if hosts below it count, path, TRUE for https only, expiry in
// Unix seconds (0 or empty: none), name and value. Lines that begin with # are
// comments, but for #HttpOnly_. It returns how many of its cookies are in the
// jar now; those that have expired are left out, and of a cookie that stands
// there twice the last one counts. What is more than a jar holds is an error; if
// it is so only with what the jar had before, that goes. An error names the line
// and repeats nothing that may be secret; the jar is then as it was.
func (j *Jar) LoadCookies(r io.Reader) (int, error) {
	now := time.Now()
	var all []*cookie
	each := make(map[string]*site) // stands in for the sites of the jar
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxCookieLine)
	n, size := 0, 0
	for lines.Scan() {
		n++
		c, err := netscapeCookie(lines.Text())
		if err == nil && (c == nil || c.expired(now)) {
			continue
		}
		if err == nil {
			s := each[siteOf(c.domain)]
			if s == nil {
				s = new(site)
				each[siteOf(c.domain)] = s
				size += cookieCost
			}
			s.cookies = append(s.cookies, c)
			s.size += c.size()
			size += c.size() + cookieCost
			switch {
			case len(s.cookies) > maxSiteCookies:
				err = fmt.Errorf("more than %d cookies for %s", maxSiteCookies, siteOf(c.domain))
			case s.size > maxSiteBytes:
				err = fmt.Errorf("more than %d bytes of cookies for %s", maxSiteBytes, siteOf(c.domain))
			case len(each) > j.maxSites:
				err = fmt.Errorf("cookies for more than %d sites", j.maxSites)
			case size > j.maxBytes:
				err = fmt.Errorf("more than %d bytes of cookies", j.maxBytes)
			}
		}
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, c)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return 0, fmt.Errorf("line %d: longer than %d bytes", n+1, maxCookieLine)
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range all {
		j.put(j.site(siteOf(c.domain)), c, now)
		j.trim()
	}
	n = 0
	for _, c := range all {
		if e := j.sites[siteOf(c.domain)]; e != nil && slices.Contains(e.Value.(*site).cookies, c) {
			n++
		}
	}
	return n, nil
}

// netscapeCookie reads a line of a cookies.txt. It returns nil for one that
// says nothing.
func netscapeCookie(line string) (*cookie, error) {
	line = strings.TrimPrefix(line, "\ufeff")
	line, httpOnly := strings.CutPrefix(line, "#HttpOnly_")
	if !httpOnly && strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
		return nil, nil
	}
	field := strings.Split(line, "\t")
	if len(field) == 6 {
		field = append(field, "") // the tab before an empty value is lost easily
	}
	if len(field) != 7 {
		return nil, fmt.Errorf("%d fields between tabs, not 7", len(field))
	}
	below, ok1 := netscapeBool(field[1])
	secure, ok2 := netscapeBool(field[3])
	if !ok1 || !ok2 {
		return nil, errors.New("the fields 2 and 4 must be TRUE or FALSE")
	}
	whole, _, _ := strings.Cut(field[4], ".")
	if field[4] == "" {
		whole = "0" // Python's http.cookiejar has it so for a session
	}
	expires, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || expires < -1 {
		return nil, errors.New("field 5 must be the expiry in Unix seconds, or 0")
	}
	domain := strings.ToLower(strings.TrimPrefix(field[0], "."))
	c := &cookie{
		name: field[5], value: field[6], domain: domain, path: field[2],
		hostOnly: !below || standsAlone(domain), secure: secure, expires: max(expires, 0),
	}
	switch {
	case !validDomain(domain):
		return nil, errors.New("field 1 must be a domain, in ASCII")
	case !strings.HasPrefix(c.path, "/") || len(c.path) > maxAttribute:
		return nil, errors.New("field 3 must be a path")
	case len(c.name)+len(c.value) > maxCookie:
		return nil, fmt.Errorf("the cookie is longer than %d bytes", maxCookie)
	case !c.sound():
		return nil, errors.New("the cookie has no name and no value, or holds control characters")
	}
	return c, nil
}

func netscapeBool(s string) (value, ok bool) {
	value = strings.EqualFold(s, "TRUE")
	return value, value || strings.EqualFold(s, "FALSE")
}

// header returns the value of Cookie for a request, empty if there is none.
func (j *Jar) header(to *url.URL, now time.Time) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.sites) == 0 {
		return ""
	}
	host := cookieHost(to)
	e := j.sites[siteOf(host)]
	if e == nil {
		return ""
	}
	s := e.Value.(*site)
	j.used.MoveToFront(e)
	if j.expire(s, now); len(s.cookies) == 0 {
		j.drop(e)
		return ""
	}
	path := requestPath(to)
	var room [maxSiteCookies]*cookie
	fit, size := room[:0], 0
	for _, c := range s.cookies {
		if c.goesTo(host, path, to.Scheme == "https") {
			fit = append(fit, c)
			size += len(c.name) + len(c.value) + len("=; ")
			j.clock++
			c.used = j.clock
		}
	}
	if len(fit) == 0 {
		return ""
	}
	slices.SortStableFunc(fit, func(a, b *cookie) int { return len(b.path) - len(a.path) })
	var line strings.Builder
	line.Grow(size)
	for i, c := range fit {
		if i > 0 {
			line.WriteString("; ")
		}
		if c.name != "" {
			line.WriteString(c.name)
			line.WriteByte('=')
		}
		line.WriteString(c.value)
	}
	return line.String()
}

// store takes the Set-Cookie lines of an answer, the first maxSetCookies of them.
func (j *Jar) store(from *url.URL, lines []string, now time.Time) {
	host := cookieHost(from)
	if len(lines) == 0 || !validDomain(host) {
		return
	}
	name := siteOf(host)
	var room [8]*cookie
	all := room[:0]
	for _, line := range lines[:min(len(lines), maxSetCookies)] {
		if c := parseCookie(line, host, name, from, now); c != nil {
			all = append(all, c)
		}
	}
	// All workers wait for this.
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range all {
		s := j.site(name)
		if from.Scheme != "https" && !c.secure && s.overlaysSecure(c) {
			continue
		}
		j.put(s, c, now)
	}
	j.trim()
}

// site returns the site of a name, new if there is none, and makes it the one
// used last.
func (j *Jar) site(name string) *site {
	if e := j.sites[name]; e != nil {
		j.used.MoveToFront(e)
		return e.Value.(*site)
	}
	s := &site{name: strings.Clone(name)}
	_, s.kept = j.changed[name] // it was dropped, and nobody has been told
	j.sites[s.name] = j.used.PushFront(s)
	j.size += cookieCost
	return s
}

// put adds a cookie to a site, in place of the one that it renews, or takes
// that away if the cookie has expired.
func (j *Jar) put(s *site, c *cookie, now time.Time) {
	j.expire(s, now)
	at := slices.IndexFunc(s.cookies, c.renews)
	switch {
	case c.expired(now):
		if at >= 0 {
			j.remove(s, at)
		}
		return
	case at < 0:
		s.cookies = append(s.cookies, c)
		j.changed[s.name] = struct{}{}
		j.grow(s, c.size())
		j.size += cookieCost
	default:
		old := s.cookies[at]
		c.saved = old.saved
		s.cookies[at] = c
		j.grow(s, c.size()-old.size())
		if old.value != c.value || old.secure != c.secure || (old.expires == 0) != (c.expires == 0) || s.due(c, now) {
			j.changed[s.name] = struct{}{}
		}
	}
	j.clock++
	c.used = j.clock
	for len(s.cookies) > maxSiteCookies || s.size > maxSiteBytes {
		j.remove(s, s.leastUsed(c))
	}
}

// due says that a cookie's expiry has moved far enough from what was told of it
// to be told again.
func (s *site) due(c *cookie, now time.Time) bool {
	if c.expires == c.saved || s.saved.IsZero() {
		return false
	}
	half := time.Unix(c.saved, 0).Sub(s.saved) / 2
	return now.Sub(s.saved) >= max(min(half, renewal), minRenewal)
}

// leastUsed is the cookie that goes when there are too many: one that is not
// Secure before one that is, then the one used longest ago, but not newest.
func (s *site) leastUsed(newest *cookie) int {
	least := -1
	for i, c := range s.cookies {
		if c == newest {
			continue
		}
		if least < 0 || s.cookies[least].secure && !c.secure ||
			s.cookies[least].secure == c.secure && c.used < s.cookies[least].used {
			least = i
		}
	}
	return least
}

// overlaysSecure says that a cookie of an insecure answer would stand before a
// Secure one.
func (s *site) overlaysSecure(c *cookie) bool {
	return slices.ContainsFunc(s.cookies, func(old *cookie) bool {
		return old.secure && old.name == c.name && pathMatches(c.path, old.path) &&
			(domainMatches(c.domain, old.domain) || domainMatches(old.domain, c.domain))
	})
}

func (j *Jar) expire(s *site, now time.Time) {
	for i := len(s.cookies) - 1; i >= 0; i-- {
		if s.cookies[i].expired(now) {
			j.remove(s, i)
		}
	}
}

func (j *Jar) remove(s *site, i int) {
	j.grow(s, -s.cookies[i].size())
	j.size -= cookieCost
	s.cookies = slices.Delete(s.cookies, i, i+1)
	j.changed[s.name] = struct{}{}
}

func (j *Jar) grow(s *site, by int) {
	s.size += by
	j.size += by
}

// trim lets the site used last go if it is empty, and then those that were used
// longest ago.
func (j *Jar) trim() {
	if e := j.used.Front(); e != nil && len(e.Value.(*site).cookies) == 0 {
		j.drop(e)
	}
	for j.used.Len() > j.maxSites || j.size > j.maxBytes {
		j.drop(j.used.Back())
	}
}

func (j *Jar) drop(e *list.Element) {
	s := j.used.Remove(e).(*site)
	delete(j.sites, s.name)
	j.size -= s.size + cookieCost*(1+len(s.cookies))
	delete(j.changed, s.name)
	if s.kept {
		j.changed[s.name] = struct{}{}
	}
}

// encode writes the cookies of a site: a line for each, of flags, expiry,
// domain, path, and "name=value". It returns nil if there are none.
func (s *site) encode(now time.Time) []byte {
	s.kept, s.saved = len(s.cookies) > 0, now
	if !s.kept {
		return nil
	}
	b := make([]byte, 0, s.size+20*len(s.cookies)+len(jarVersion))
	b = append(b, jarVersion...)
	for _, c := range s.cookies {
		c.saved = c.expires
		b = strconv.AppendInt(b, int64(c.flags()), 10)
		b = append(b, '\t')
		b = strconv.AppendInt(b, c.expires, 10)
		for _, field := range []string{"\t", c.domain, "\t", c.path, "\t", c.name, "=", c.value, "\n"} {
			b = append(b, field...)
		}
	}
	return b
}

const (
	flagHostOnly = 1 << iota
	flagSecure
)

func (c *cookie) flags() (flags int) {
	if c.hostOnly {
		flags |= flagHostOnly
	}
	if c.secure {
		flags |= flagSecure
	}
	return flags
}

func decodeCookie(line string) (*cookie, bool) {
	line, whole := strings.CutSuffix(line, "\n")
	field := strings.SplitN(line, "\t", 5)
	if !whole || len(field) != 5 {
		return nil, false
	}
	flags, err1 := strconv.ParseUint(field[0], 10, 2)
	expires, err2 := strconv.ParseInt(field[1], 10, 64)
	name, value, ok := strings.Cut(field[4], "=")
	c := &cookie{
		name: name, value: value, domain: field[2], path: field[3],
		hostOnly: flags&flagHostOnly != 0, secure: flags&flagSecure != 0, expires: expires,
	}
	return c, err1 == nil && err2 == nil && ok && expires >= 0 && c.sound() && validDomain(c.domain) &&
		strings.HasPrefix(c.path, "/") && len(c.name)+len(c.value) <= maxCookie && len(c.path) <= maxAttribute
}

// parseCookie reads a Set-Cookie line of a host (RFC 6265bis sections 5.6 and
// 5.7). It returns nil for a cookie that must be ignored.
func parseCookie(line, host, siteName string, from *url.URL, now time.Time) *cookie {
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", pair
	}
	c := &cookie{name: trimBlanks(name), value: trimBlanks(value), domain: host, hostOnly: true, path: defaultPath(from)}
	if len(c.name)+len(c.value) > maxCookie || hasControls(line) || !c.sound() {
		return nil
	}
	var domain string
	var maxAge, rootPath bool
	latest := now.Add(maxCookieAge).Unix()
	for attributes != "" {
		var attribute string
		attribute, attributes, _ = strings.Cut(attributes, ";")
		key, value, _ := strings.Cut(attribute, "=")
		key, value = trimBlanks(key), trimBlanks(value)
		if len(value) > maxAttribute {
			continue
		}
		switch {
		case strings.EqualFold(key, "expires"):
			if at, ok := cookieDate(value); ok && !maxAge {
				c.expires = min(max(at.Unix(), 1), latest)
			}
		case strings.EqualFold(key, "max-age"):
			if at, ok := maxAgeEnd(value, now); ok {
				c.expires, maxAge = min(at, latest), true
			}
		case strings.EqualFold(key, "domain") && value != "":
			domain = strings.ToLower(strings.TrimPrefix(value, "."))
		case strings.EqualFold(key, "path"):
			c.path, rootPath = defaultPath(from), value == "/"
			if strings.HasPrefix(value, "/") && !strings.Contains(value, "\t") { // which parts the fields of encode
				c.path = value
			}
		case strings.EqualFold(key, "secure"):
			c.secure = true
		}
	}
	if domain != "" {
		if !domainMatches(host, domain) || siteOf(domain) != siteName {
			return nil
		}
		c.domain, c.hostOnly = domain, standsAlone(domain)
	}
	if c.secure && from.Scheme != "https" || !c.keepsPrefix(rootPath) {
		return nil
	}
	// The header that these are part of is long perhaps.
	c.name, c.value = strings.Clone(c.name), strings.Clone(c.value)
	c.domain, c.path = strings.Clone(c.domain), strings.Clone(c.path)
	return c
}

// keepsPrefix holds a cookie against what its name promises. The cookie may
// lack a name, and look as if it had one when it is sent.
func (c *cookie) keepsPrefix(rootPath bool) bool {
	name := c.name
	if name == "" {
		name = c.value
	}
	switch {
	case hasPrefixFold(name, "__Secure-"):
		return c.secure && c.name != ""
	case hasPrefixFold(name, "__Host-"):
		return c.secure && c.hostOnly && rootPath && c.name != ""
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// sound says that a cookie can be sent as part of a header.
func (c *cookie) sound() bool {
	return c.name+c.value != "" && !hasControls(c.name) && !hasControls(c.value) && !hasControls(c.path) &&
		!strings.ContainsAny(c.name, "=;") && !strings.Contains(c.value, ";")
}

func (c *cookie) size() int {
	return len(c.name) + len(c.value) + len(c.domain) + len(c.path)
}

func (c *cookie) expired(now time.Time) bool { return c.expires != 0 && c.expires <= now.Unix() }

func (c *cookie) renews(old *cookie) bool {
	return c.name == old.name && c.domain == old.domain && c.path == old.path && c.hostOnly == old.hostOnly
}

func (c *cookie) goesTo(host, path string, secure bool) bool {
	return (secure || !c.secure) && (host == c.domain || !c.hostOnly && domainMatches(host, c.domain)) && pathMatches(path, c.path)
}

// domainMatches is RFC 6265bis section 5.1.3, for names in lower case.
func domainMatches(host, domain string) bool {
	return host == domain ||
		strings.HasSuffix(host, domain) && host[len(host)-len(domain)-1] == '.' && !isAddress(host)
}

// pathMatches is RFC 6265bis section 5.1.4.
func pathMatches(path, prefix string) bool {
	return strings.HasPrefix(path, prefix) &&
		(len(path) == len(prefix) || prefix[len(prefix)-1] == '/' || path[len(prefix)] == '/')
}

// siteOf returns the registrable domain of a host, or the host if it has none.
func siteOf(host string) string {
	if isAddress(host) {
		return host
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

// standsAlone says that hosts below a domain are other sites, or not hosts.
func standsAlone(domain string) bool {
	if isAddress(domain) {
		return true
	}
	_, err := publicsuffix.EffectiveTLDPlusOne(domain)
	return err != nil
}

func isAddress(host string) bool {
	if host == "" || host[len(host)-1] > '9' && !strings.Contains(host, ":") {
		return false // what nearly all hosts are
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func validDomain(s string) bool {
	return s != "" && len(s) <= maxAttribute && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("/?#@;=", r)
	})
}

// cookieHost is the host of an address as cookies have it.
func cookieHost(u *url.URL) string { return strings.ToLower(u.Hostname()) }

// defaultPath is RFC 6265bis section 5.1.4.
func defaultPath(u *url.URL) string {
	path := requestPath(u)
	if end := strings.LastIndexByte(path, '/'); end > 0 && path[0] == '/' && end <= maxAttribute {
		return path[:end]
	}
	return "/"
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

// hasControls says that a text holds a control character other than a tab.
func hasControls(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// maxAgeEnd reads the attribute Max-Age, and returns the time when it is over
// in Unix seconds.
func maxAgeEnd(value string, now time.Time) (int64, bool) {
	digits := strings.TrimPrefix(value, "-")
	if value == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	switch {
	case value[0] == '-' || err == nil && seconds == 0:
		return 1, true
	case err != nil:
		seconds = int64(maxCookieAge / time.Second)
	}
	return now.Unix() + min(seconds, int64(maxCookieAge/time.Second)), true
}

// cookieDate is the algorithm of RFC 6265bis section 5.1.1, which reads every
// way in which dates are written.
func cookieDate(value string) (time.Time, bool) {
	var hour, minute, second, day, month, year int
	var haveTime, haveDay, haveMonth, haveYear bool
	for token := range strings.FieldsFuncSeq(value, dateDelimiter) {
		if !haveTime {
			if h, m, s, ok := clockTime(token); ok {
				hour, minute, second, haveTime = h, m, s, true
				continue
			}
		}
		n, digits := leadingNumber(token)
		switch {
		case !haveDay && (digits == 1 || digits == 2):
			day, haveDay = n, true
		case !haveMonth && monthOf(token) > 0:
			month, haveMonth = monthOf(token), true
		case !haveYear && digits >= 2 && digits <= 4:
			year, haveYear = n, true
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year < 70:
		year += 2000
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return at, haveTime && haveDay && haveMonth && haveYear && year >= 1601 && at.Day() == day &&
		hour <= 23 && minute <= 59 && second <= 59
}

func dateDelimiter(r rune) bool {
	return r == '\t' || r >= ' ' && r <= '/' || r >= ';' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
}

func clockTime(token string) (hour, minute, second int, ok bool) {
	h, rest, ok1 := strings.Cut(token, ":")
	m, s, ok2 := strings.Cut(rest, ":")
	hour, hours := leadingNumber(h)
	minute, minutes := leadingNumber(m)
	second, seconds := leadingNumber(s)
	ok = ok1 && ok2 && hours == len(h) && minutes == len(m) && hours >= 1 && hours <= 2 &&
		minutes >= 1 && minutes <= 2 && seconds >= 1 && seconds <= 2
	return hour, minute, second, ok
}

// leadingNumber reads the digits that a token begins with, of which there are
// at most four in a date.
func leadingNumber(token string) (n, digits int) {
	for digits < len(token) && token[digits] >= '0' && token[digits] <= '9' {
		if digits < 5 {
			n = n*10 + int(token[digits]-'0')
		}
		digits++
	}
	return n, digits
}

func monthOf(token string) int {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(token) < 3 {
		return 0
	}
	if at := strings.Index(names, strings.ToLower(token[:3])); at >= 0 && at%3 == 0 {
		return at/3 + 1
	}
	return 0
}
