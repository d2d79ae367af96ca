package fetch

// How a robots.txt file is read here, and who answers.
//
// github.com/temoto/robotstxt is the matcher that answers. Handed a file as it
// was fetched it departs from RFC 9309 in many ways, so it never sees one. The
// file is read by the rules of RFC 9309 and of Google's published parser, the
// groups that speak to our product token are merged, their rules normalised,
// and the library gets one clean group.
//
// What the library does with that group: a rule without * or $ is a prefix, and
// ranks by its length; one with them becomes a regular expression that may
// match anywhere in the path, and ranks by the length of the expression; the
// highest rank answers, among equals the first. With plain prefixes only that
// is already right, provided that Allow stands before Disallow. As soon as one
// rule is more than a prefix, every rule and every path is re-encoded:
//
//	PATH         /~~~~/"PATH"~~~~    with lead times ~ before, tail times after
//	RULE         /~~~~/"RULE         without *: the same lead, so still a prefix
//	RULE$        /~~~~/"RULE"
//	RULE         /"RULE*"~~          with *: k times ~, k from 0 to tail
//	RULE$        /"RULE"~~
//
// A normalised path or rule never holds a raw ", so the two of an expression
// can only match the two around PATH: the first anchors RULE at its beginning,
// the second stands for its end. That also gives most expressions a literal
// beginning, by which they fail at once. The ~ at the end always match and only
// make the expression longer: k gives it the length of a prefix of as many
// octets, * and $ counted. So the longest rule in octets wins, as the RFC asks.
//
// The plain matcher below names the deciding rule for Why. It also answers in
// place of the library where regular expressions would cost too much (see
// maxExpressions and maxMatchWork); both give the same answers. Where even it
// would take more than a few milliseconds, an answer may be stricter than the
// file (see maxPlainWork).

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temoto/robotstxt"
)

const (
	// MaxRobots is how many octets of a robots.txt file count; RFC 9309
	// section 2.5 asks for at least this many. What follows is ignored.
	MaxRobots = 500 << 10

	// MaxCrawlDelay is the longest Crawl-delay that is obeyed; a longer one
	// counts as this much. Without a limit one line could hold a crawl for ever.
	MaxCrawlDelay = 5 * time.Minute

	// MaxRobotsSitemaps is how many Sitemap lines of one file are kept.
	MaxRobotsSitemaps = 10_000

	// maxRobotsLine is where Google's parser cuts a line.
	maxRobotsLine = 2083*8 - 1

	// maxExpressions bounds the octets of all regular expressions of one file,
	// which is some hundreds of wildcard rules and a few megabytes once
	// compiled; maxLead the padding that goes before each rule. Beyond them the
	// library gets no group and the plain matcher answers for the file.
	maxExpressions = 16 << 10
	maxLead        = 64

	// maxMatchWork bounds one answer of the library: octets of expressions
	// times octets of path, at worst some 10 ns each. A check that would need
	// more is answered by the plain matcher.
	maxMatchWork = 1 << 19

	// maxPlainWork bounds one answer of the plain matcher: octets of path that
	// wildcards pass over, at worst a nanosecond each, and searchWork for each
	// piece between them. Beyond longPiece octets, package strings searches at
	// half the speed. No file of MaxRobots octets needs more for a path of 50
	// octets, and none with a thousand wildcard rules for one of 4,000.
	maxPlainWork = 1 << 22
	searchWork   = 16
	longPiece    = 63
)

// Robots holds what one robots.txt file says to one product token. It does not
// change after ParseRobots, so its methods may be called concurrently. The
// zero Robots allows everything.
type Robots struct {
	rules []robotsRule // most octets first, Allow before Disallow

	group      *robotstxt.Group // nil: no rules, or too costly for the library
	lead, tail string           // what goes around a path given to group
	cost       int              // octets of the group's regular expressions

	delay    time.Duration
	hasDelay bool
	sitemaps []string
}

// robotsRule is one Allow or Disallow line. In pattern a raw * is a wildcard
// and a raw $ the end of the path; either as a character is %2A or %24.
type robotsRule struct {
	pattern string
	octets  int // of the rule, with each * of a row
	allow   bool
	line    int
	text    string
}

// ParseRobots reads a robots.txt file for the crawler of the given product
// token. It never fails: what cannot be understood is ignored, as are lines
// that do not end within the first MaxRobots octets.
//
// The rules are those of RFC 9309: all groups that name the token count as
// one, without any all groups for * do, without those everything is allowed.
// An agent matches when its leading letters, _ and - are the token, whatever
// the case. Only Allow and Disallow lines end a list of User-agent lines.
// Beyond the RFC, as Google does: misspelt keys, a missing colon, and an
// Allow line for index.htm(l) that allows its folder too. Body is not kept.
func ParseRobots(body []byte, token string) *Robots {
	p := robotsParser{token: []byte(ProductToken(token))}
	p.parse(body)

	said := p.everyone
	if p.named {
		said = p.ours
	}
	r := &Robots{
		rules:    said.rules,
		delay:    said.delay,
		hasDelay: said.hasDelay,
		sitemaps: p.sitemaps,
	}
	slices.SortStableFunc(r.rules, func(a, b robotsRule) int {
		if c := cmp.Compare(b.octets, a.octets); c != 0 {
			return c
		}
		switch {
		case a.allow == b.allow:
			return 0
		case a.allow:
			return -1
		}
		return 1
	})
	r.compile()
	return r
}

// Allowed reports whether the path, with its query, may be fetched. The path
// is percent-encoded or not, and normalised here; a missing leading slash is
// put before it. "/robots.txt" itself is always allowed (RFC 9309 section
// 2.2.2), with a query it is a path like others.
//
// It takes some milliseconds at most. A path of more than 50 octets and a file
// with thousands of wildcards could take longer; then the rules with wildcards
// that are left count without being compared: Disallow as matching, Allow not.
func (r *Robots) Allowed(pathQuery string) bool {
	if len(r.rules) == 0 {
		return true
	}
	path := normalPath(pathQuery)
	if path == "/robots.txt" {
		return true
	}
	if r.group == nil || r.cost*len(path) > maxMatchWork {
		rule := r.decide(path)
		return rule == nil || rule.allow
	}
	return r.group.Test(r.lead + path + r.tail)
}

// Why names the rule that decides about a path: the number of its line in the
// file, from 1, and the line without comment and surrounding white space. It is
// 0 and "" when no rule matches, which means allowed. It always agrees with
// Allowed. The text is the server's, at most some 16 KiB, and may hold any octets.
func (r *Robots) Why(pathQuery string) (line int, text string) {
	path := normalPath(pathQuery)
	if path == "/robots.txt" {
		return 0, ""
	}
	if rule := r.decide(path); rule != nil {
		return rule.line, rule.text
	}
	return 0, ""
}

// CrawlDelay is the least time between two requests that the file asks of us,
// from 0 to MaxCrawlDelay; ok is false when it asks for none. It is a number of
// seconds with a decimal point or comma ("2", "0.5", "1,5", "10 s", "5sec"); a
// line that is anything else is ignored. A Crawl-delay holds for the
// User-agent lines before it in its group; of several the longest counts.
func (r *Robots) CrawlDelay() (d time.Duration, ok bool) {
	return r.delay, r.hasDelay
}

// Sitemaps lists the values of all Sitemap lines in their order, whichever
// group they stand in, at most MaxRobotsSitemaps. Of several absolute URLs on
// one line each is a value. They are the server's words: any octets, not always
// absolute URLs. The caller must not change the slice.
func (r *Robots) Sitemaps() []string {
	return r.sitemaps
}

// ProductToken is the part of a User-Agent header that robots.txt groups are
// matched with: its leading letters, _ and - (RFC 9309 section 2.2.1). It is
// "pawl" for "pawl/1.2 (+https://example.com/)", and empty when there are none.
func ProductToken(userAgent string) string {
	for i := range len(userAgent) {
		if c := userAgent[i]; !isLetter(c) && c != '_' && c != '-' {
			return userAgent[:i]
		}
	}
	return userAgent
}

// decide finds the rule for a normalised path, nil when there is none.
func (r *Robots) decide(path string) *robotsRule {
	work := 0
	for i := range r.rules {
		rule := &r.rules[i]
		matches, cost := matchRule(rule.pattern, path, maxPlainWork-work)
		if work += cost; matches || work > maxPlainWork && cost > 0 && !rule.allow {
			return rule
		}
	}
	return nil
}

// matchRule reports whether a normalised pattern matches a normalised path, and
// what that cost: 0 without wildcards. It gives up, with no match, as soon as
// the cost is more than most. Taking the leftmost place for each piece between
// wildcards is enough, so the time is linear in the path however many
// wildcards there are.
func matchRule(pattern, path string, most int) (matches bool, cost int) {
	pattern, toEnd := strings.CutSuffix(pattern, "$")
	piece, rest, more := strings.Cut(pattern, "*")
	if !strings.HasPrefix(path, piece) {
		return false, 0
	}
	path = path[len(piece):]
	for more {
		piece, rest, more = strings.Cut(rest, "*")
		if !more && toEnd {
			return strings.HasSuffix(path, piece), cost
		}
		cost += searchWork
		if cost > most {
			return false, cost
		}
		i := strings.Index(path, piece)
		passed := i
		if i < 0 {
			passed = len(path)
		}
		if cost += passed; len(piece) > longPiece {
			cost += passed
		}
		if i < 0 {
			return false, cost
		}
		path = path[i+len(piece):]
	}
	return !toEnd || path == "", cost
}

// compile hands the rules to the library, unless that would cost too much. The
// encoding is explained at the top of the file.
func (r *Robots) compile() {
	if len(r.rules) == 0 {
		return
	}
	expressions := make([]string, len(r.rules)) // "" for a prefix
	plain, lead, tail := true, 0, 0
	for i := range r.rules {
		p := r.rules[i].pattern
		if strings.Contains(p, "*") {
			expressions[i] = encodeWildcards(p)
			lead = max(lead, expressionLen(expressions[i])-3-len(p))
			if r.rules[i].octets-len(p) > maxLead {
				return
			}
		}
		plain = plain && expressions[i] == "" && !strings.HasSuffix(p, "$")
	}
	if lead > maxLead {
		return
	}
	front := ""
	if !plain {
		front = "/" + strings.Repeat("~", lead) + `/"`
	}

	var file strings.Builder
	file.WriteString("User-agent: *\n")
	cost := 0
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.allow {
			file.WriteString("Allow: ")
		} else {
			file.WriteString("Disallow: ")
		}
		if expressions[i] == "" {
			file.WriteString(front)
			file.WriteString(encodeEnd(rule.pattern))
		} else {
			length := len(front) + rule.octets // of a prefix of as many octets
			k := length - expressionLen(expressions[i])
			tail = max(tail, k)
			cost += length
			if cost > maxExpressions {
				return
			}
			file.WriteString(expressions[i])
			file.WriteString(strings.Repeat("~", k))
		}
		file.WriteByte('\n')
	}
	// An error would be a mistake here; the plain matcher then answers.
	data, err := robotstxt.FromString(file.String())
	if err != nil {
		return
	}
	r.group, r.cost = data.FindGroup("*"), cost
	if !plain {
		r.lead, r.tail = front, `"`+strings.Repeat("~", tail)
	}
}

// encodeWildcards writes a pattern with * for the library, but for the ~ at its
// end, which is never a * that the library would drop.
func encodeWildcards(pattern string) string {
	if strings.HasSuffix(pattern, "$") {
		return `/"` + encodeEnd(pattern)
	}
	return `/"` + strings.TrimSuffix(pattern, "*") + `*"`
}

// encodeEnd writes " for a last $.
func encodeEnd(pattern string) string {
	if whole, ok := strings.CutSuffix(pattern, "$"); ok {
		return whole + `"`
	}
	return pattern
}

// expressionLen is the length of the regular expression that the library makes
// of an encoded pattern: it quotes it, then writes .* for each \*.
func expressionLen(encoded string) int { return len(regexp.QuoteMeta(encoded)) }

// robotsParser reads a file line by line.
type robotsParser struct {
	token []byte
	named bool // some group names the token

	// The group being read: whom it speaks to, and whether it has had a rule,
	// so that the next User-agent line begins another.
	forUs, forAll, ruled bool

	ours, everyone robotsGroup
	sitemaps       []string
}

// robotsGroup is what all groups for one agent say together.
type robotsGroup struct {
	rules    []robotsRule
	delay    time.Duration
	hasDelay bool
}

func (p *robotsParser) parse(body []byte) {
	if len(body) > MaxRobots {
		// One more octet, so that a line ending exactly at the limit is whole.
		body = body[:MaxRobots+1]
		body = body[:max(0, bytes.LastIndexAny(body, "\r\n"))]
	}
	// Google takes a part of the byte order mark for one too.
	for _, c := range []byte{0xEF, 0xBB, 0xBF} {
		if len(body) == 0 || body[0] != c {
			break
		}
		body = body[1:]
	}
	for number := 1; len(body) > 0; number++ {
		line := body
		if end := bytes.IndexAny(body, "\r\n"); end < 0 {
			body = nil
		} else {
			line = body[:end]
			if bytes.HasPrefix(body[end:], []byte("\r\n")) {
				end++
			}
			body = body[end+1:]
		}
		p.line(number, line)
	}
}

func (p *robotsParser) line(number int, line []byte) {
	line = line[:min(len(line), maxRobotsLine)]
	// Google reads lines as C strings, which a NUL ends.
	if end := bytes.IndexAny(line, "#\x00"); end >= 0 {
		line = line[:end]
	}
	if line = trimSpace(line); len(line) == 0 {
		return
	}
	key, value := splitRobotsLine(line)
	switch robotsField(key) {
	case fieldAgent:
		p.agent(value)
	case fieldAllow:
		p.rule(true, value, number, line)
	case fieldDisallow:
		p.rule(false, value, number, line)
	case fieldDelay:
		p.crawlDelay(string(value))
	case fieldSitemap:
		p.sitemap(value)
	}
}

func (p *robotsParser) agent(value []byte) {
	if p.ruled {
		p.forUs, p.forAll, p.ruled = false, false, false
	}
	if len(value) > 0 && value[0] == '*' && (len(value) == 1 || isSpace(value[1])) {
		p.forAll = true
		return
	}
	name := value[:len(ProductToken(string(value)))]
	if len(name) > 0 && bytes.EqualFold(name, p.token) {
		p.forUs, p.named = true, true
	}
}

// group is where lines of the group being read belong, nil when it is not for
// us. One that names us and * is ours: the part for everyone does not count then.
func (p *robotsParser) group() *robotsGroup {
	switch {
	case p.forUs:
		return &p.ours
	case p.forAll:
		return &p.everyone
	}
	return nil
}

func (p *robotsParser) rule(allow bool, value []byte, number int, line []byte) {
	p.ruled = true
	group := p.group()
	// A path begins with a slash, so no other pattern matches one.
	if group == nil || len(value) == 0 || (value[0] != '/' && value[0] != '*') {
		return
	}
	text := string(line)
	// The value is the end of its line, and shares its memory when it is plain.
	raw := text[len(text)-len(value):]
	pattern := normalPattern(raw)
	group.rules = append(group.rules, robotsRule{pattern, len(pattern) + lostStars(raw, pattern), allow, number, text})
	if !allow {
		return
	}
	slash := strings.LastIndexByte(pattern, '/')
	if slash >= 0 && strings.HasPrefix(pattern[slash:], "/index.htm") {
		folder := pattern[:slash+1]
		octets := len(folder) + lostStars(raw[:strings.LastIndexByte(raw, '/')], folder) + len("$")
		group.rules = append(group.rules, robotsRule{folder + "$", octets, allow, number, text})
	}
}

// lostStars is how many * a pattern has less than the value it was made of.
func lostStars(value, pattern string) int {
	return strings.Count(value, "*") - strings.Count(pattern, "*")
}

// sitemap keeps the value of a Sitemap line. No address holds white space, so
// one that begins behind some is another, listed on the same line.
func (p *robotsParser) sitemap(value []byte) {
	for len(value) > 0 && len(p.sitemaps) < MaxRobotsSitemaps {
		one := value
		value = nil
		for i := 1; i < len(one); i++ {
			if isSpace(one[i-1]) && beginsAddress(one[i:]) {
				one, value = bytes.TrimRight(one[:i], " \t\v\f,;"), one[i:]
				break
			}
		}
		if len(one) > 0 {
			p.sitemaps = append(p.sitemaps, string(one))
		}
	}
}

func beginsAddress(s []byte) bool {
	for _, scheme := range []string{"http://", "https://"} {
		if len(s) >= len(scheme) && strings.EqualFold(string(s[:len(scheme)]), scheme) {
			return true
		}
	}
	return false
}

func (p *robotsParser) crawlDelay(value string) {
	group := p.group()
	if group == nil {
		return
	}
	if d, ok := parseCrawlDelay(value); ok {
		group.delay = max(group.delay, d)
		group.hasDelay = true
	}
}

// parseCrawlDelay reads seconds; see Robots.CrawlDelay.
func parseCrawlDelay(s string) (d time.Duration, ok bool) {
	end := 0
	for end < len(s) && (isDigit(s[end]) || s[end] == '.' || s[end] == ',') {
		end++
	}
	switch strings.ToLower(strings.TrimLeft(s[end:], " \t")) {
	case "", "s", "sec", "secs", "second", "seconds":
	default:
		return 0, false
	}
	seconds, err := strconv.ParseFloat(strings.Replace(s[:end], ",", ".", 1), 64)
	if seconds >= MaxCrawlDelay.Seconds() {
		return MaxCrawlDelay, true // also +Inf, with an error, for a number out of range
	}
	if err != nil {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// splitRobotsLine parts a trimmed line at its colon. Without one, and as Google
// does, two words are a key and its value. The key is empty when it is neither.
func splitRobotsLine(line []byte) (key, value []byte) {
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		return trimSpace(line[:i]), trimSpace(line[i+1:])
	}
	i := bytes.IndexAny(line, " \t")
	if i < 0 {
		return nil, nil
	}
	value = bytes.TrimLeft(line[i:], " \t")
	if bytes.ContainsAny(value, " \t") {
		return nil, nil
	}
	return trimSpace(line[:i]), trimSpace(value)
}

// The fields of a robots.txt line that mean something here.
const (
	fieldOther = iota
	fieldAgent
	fieldAllow
	fieldDisallow
	fieldDelay
	fieldSitemap
)

// robotsField tells what a key means. Like Google it looks at the beginning of
// the key only, in any case, and accepts the misspellings seen most.
func robotsField(key []byte) int {
	begins := func(names ...string) bool {
		for _, name := range names {
			if len(key) >= len(name) && strings.EqualFold(string(key[:len(name)]), name) {
				return true
			}
		}
		return false
	}
	switch {
	case begins("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"):
		return fieldDisallow
	case begins("allow"):
		return fieldAllow
	case begins("user-agent", "useragent", "user agent"):
		return fieldAgent
	case begins("sitemap", "site-map"):
		return fieldSitemap
	case begins("crawl-delay", "crawldelay", "crawl delay"):
		return fieldDelay
	}
	return fieldOther
}

// normalPath brings a path with its query to the form that patterns match.
func normalPath(pathQuery string) string {
	if !strings.HasPrefix(pathQuery, "/") {
		pathQuery = "/" + pathQuery
	}
	return normalise(pathQuery, false)
}

func normalPattern(value string) string { return normalise(value, true) }

// normalise percent-encodes what RFC 9309 section 2.2.2 compares: octets that a
// URI cannot hold are encoded, encoded unreserved characters (RFC 3986 section
// 2.3) decoded, all other escapes kept with capital digits. A % that begins no
// escape stays. In a pattern * and a last $ stay as they are, and of ** only
// one *; wherever these two are plain characters they are encoded (RFC 9309
// section 2.2.3). A string that is normal already is returned as it is.
//
// Reserved characters stay as they are, so that / is not %2F. One example of
// the RFC encodes them in a query ("baz=https://foo.bar"), but which ones, and
// how a rule without ? would match then, it does not say; no parser does it.
func normalise(s string, isPattern bool) string {
	i := 0
	for i < len(s) && isLiteral(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+16), s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case isLiteral(c):
			b = append(b, c)
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				b = append(b, c)
				break
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if isLetter(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~' {
				b = append(b, c)
			} else {
				b = append(b, '%', hex[c>>4], hex[c&15])
			}
		case isPattern && c == '*':
			if len(b) == 0 || b[len(b)-1] != '*' {
				b = append(b, c)
			}
		case isPattern && c == '$' && i == len(s)-1:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// isLiteral reports whether an octet always stands for itself: neither part of
// an escape nor a wildcard nor outside what a URI may hold. The apostrophe is
// left out because URL parsers encode it in a query and rules do not.
func isLiteral(c byte) bool {
	switch c {
	case '%', '*', '$', '"', '#', '\'', '<', '>', '\\', '^', '`', '{', '|', '}':
		return false
	}
	return c > ' ' && c < 0x7f
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// trimSpace trims what isSpace reports, unlike bytes.TrimSpace no other octets.
func trimSpace(s []byte) []byte {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
