package fetch

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	robotsSeed  = flag.Uint64("robots.seed", 0, "seed of the random robots.txt files, 0 for one by the clock")
	robotsFiles = flag.Int("robots.files", defaultRobotsFiles, "how many random robots.txt files to compare, 50 paths each")
)

// --- a second, plain reading of RFC 9309 to compare with ---
//
// It shares no code with the package and works in another way: lines by
// regular expressions, every pattern as a list of octets, matching by the set
// of all places that a pattern can lead to, the rule by trying them all. What
// it adds to the RFC is what ParseRobots says that it adds.

var (
	plainPair    = regexp.MustCompile(`(?s)^([^:]*):(.*)$`)
	plainWords   = regexp.MustCompile(`^([^ \t:]+)[ \t]+([^ \t:]+)$`)
	plainAgent   = regexp.MustCompile(`^[A-Za-z_-]+`)
	plainForAll  = regexp.MustCompile(`^\*([\t\v\f ]|$)`)
	plainAgents  = regexp.MustCompile(`(?i)^user[- ]?agent`)
	plainDeny    = regexp.MustCompile(`(?i)^(disallow|dissallow|dissalow|disalow|diasllow|disallaw)`)
	plainPermit  = regexp.MustCompile(`(?i)^allow`)
	plainEscaped = regexp.MustCompile(`^%[0-9A-Fa-f]{2}`)
)

// plainRule is a rule whose pattern is a list of octets.
type plainRule struct {
	allow   bool
	pattern []string
}

// plainRules reads the rules of a file for a crawler: every step makes a list
// and the next one works on it.
func plainRules(file []byte, token string) []plainRule {
	text := string(file)
	for _, mark := range []string{"\xef\xbb\xbf", "\xef\xbb", "\xef"} {
		if rest, found := strings.CutPrefix(text, mark); found {
			text = rest
			break
		}
	}
	type pair struct{ key, value string }
	var pairs []pair
	for _, line := range strings.FieldsFunc(text, func(c rune) bool { return c == '\r' || c == '\n' }) {
		line, _, _ = strings.Cut(line, "\x00")
		line, _, _ = strings.Cut(line, "#")
		line = strings.Trim(line, "\t\v\f ")
		m := plainPair.FindStringSubmatch(line)
		if m == nil {
			m = plainWords.FindStringSubmatch(line)
		}
		if m != nil {
			pairs = append(pairs, pair{strings.Trim(m[1], "\t\v\f "), strings.Trim(m[2], "\t\v\f ")})
		}
	}

	type block struct {
		agents []string
		rules  []plainRule
	}
	var blocks []block
	agentsDone := true
	for _, p := range pairs {
		allow := plainPermit.MatchString(p.key)
		switch {
		case plainAgents.MatchString(p.key):
			if agentsDone {
				blocks = append(blocks, block{})
				agentsDone = false
			}
			agent := strings.ToLower(plainAgent.FindString(p.value))
			if plainForAll.MatchString(p.value) {
				agent = "*"
			}
			b := &blocks[len(blocks)-1]
			b.agents = append(b.agents, agent)
		case allow || plainDeny.MatchString(p.key):
			agentsDone = true
			if len(blocks) > 0 {
				b := &blocks[len(blocks)-1]
				b.rules = append(b.rules, plainRule{allow, plainOctets(p.value, true)})
			}
		}
	}

	var rules []plainRule
	for _, agent := range []string{strings.ToLower(token), "*"} {
		found := false
		for _, b := range blocks {
			if slices.Contains(b.agents, agent) {
				found = true
				rules = append(rules, b.rules...)
			}
		}
		if found {
			break
		}
	}

	for _, r := range slices.Clone(rules) {
		slash := len(r.pattern) - 1
		for slash >= 0 && r.pattern[slash] != "/" {
			slash--
		}
		if r.allow && slash >= 0 && strings.HasPrefix(strings.Join(r.pattern[slash:], ""), "/index.htm") {
			rules = append(rules, plainRule{true, append(slices.Clone(r.pattern[:slash+1]), "end")})
		}
	}
	return rules
}

// plainAllowed answers as the RFC says: the longest match, Allow in a tie.
func plainAllowed(rules []plainRule, path string) bool {
	octets := plainOctets(path, false)
	if strings.Join(octets, "") == "/robots.txt" {
		return true
	}
	longest := map[bool]int{}
	for _, r := range rules {
		if len(r.pattern) > longest[r.allow] && (r.pattern[0] == "/" || r.pattern[0] == "star") && plainMatch(r.pattern, octets) {
			longest[r.allow] = len(r.pattern)
		}
	}
	return longest[true] >= longest[false]
}

// plainOctets is a path or pattern as the octets to compare; wildcards are the
// words "star" and "end".
func plainOctets(s string, pattern bool) []string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	const reserved = ":/?[]@!&()+,;=" // without # * $ ' which never stand as they are
	var list []string
	encode := func(c byte) {
		list = append(list, "%", "0123456789ABCDEF"[c/16:][:1], "0123456789ABCDEF"[c%16:][:1])
	}
	for len(s) > 0 {
		c, size := s[0], 1
		if plainEscaped.MatchString(s) {
			value, _ := strconv.ParseUint(s[1:3], 16, 8)
			if size = 3; strings.IndexByte(unreserved, byte(value)) >= 0 {
				list = append(list, string(rune(value)))
			} else {
				encode(byte(value))
			}
		} else if c == '%' || strings.IndexByte(unreserved+reserved, c) >= 0 {
			list = append(list, string(rune(c)))
		} else if pattern && c == '*' {
			list = append(list, "star")
		} else if pattern && s == "$" {
			list = append(list, "end")
		} else {
			encode(c)
		}
		s = s[size:]
	}
	return list
}

// plainMatch follows the pattern from every place in the path that the part
// of it read so far can lead to.
func plainMatch(pattern, path []string) bool {
	places := make([]bool, len(path)+1)
	places[0] = true
	for _, p := range pattern {
		first := slices.Index(places, true)
		if first < 0 {
			return false
		}
		for i := len(path); i >= 0; i-- { // downwards, so that a place is not used twice
			switch p {
			case "end":
				places[i] = places[i] && i == len(path)
			case "star":
				places[i] = i >= first
			default:
				places[i] = i > 0 && places[i-1] && path[i-1] == p
			}
		}
	}
	return slices.Contains(places, true)
}

// randomRobots writes files and paths out of few pieces, so that they meet often.
type randomRobots struct {
	*rand.Rand
	patterns []string // of the last file
}

func (r *randomRobots) pick(pieces ...string) string { return pieces[r.IntN(len(pieces))] }

func (r *randomRobots) path() string {
	var b strings.Builder
	b.WriteByte('/')
	for range r.IntN(8) {
		if r.IntN(3) > 0 {
			b.WriteString(r.pick("a", "b", "/", ".", "?", "="))
			continue
		}
		b.WriteString(r.pick("~", "~~", "%61", "%62", "%2F", "%2f", "$", "*", "%24", "%2A", "%2a", "%", "%%", "%25", "%2561", "%zz",
			`"`, "%22", "é", "%C3%A9", "%c3%a9", "%c3", "\xff", "\xc0\xaf", "%c0%AF", "%FF", "+", "|", "(", "[a]", "'", "%27", "&", ";",
			"index.html", "index.htm", "robots.txt", "%2", "%7e", "%7E", " ", "%20", "\t", "%00", "\x7f", "\u2028", "\\", "^", "{", ":", "@"))
	}
	return b.String()
}

// pathLike is a path that a pattern of the last file may match.
func (r *randomRobots) pathLike() string {
	if len(r.patterns) == 0 || r.IntN(4) == 0 {
		return r.path()
	}
	pieces := strings.Split(strings.TrimRight(r.pick(r.patterns...), "$"), "*")
	s := pieces[0]
	for _, piece := range pieces[1:] {
		s += r.pick("", "", "*", "a", r.path()) + piece
	}
	return "/" + strings.TrimPrefix(s, "/") + r.pick("", "", "$", "a", r.path()[1:])
}

// respell writes a path in another way that means the same: an escape in
// another case, an octet that may stand raw or not.
func (r *randomRobots) respell(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case plainEscaped.MatchString(path[i:]):
			b.WriteString(r.pick(strings.ToUpper(path[i:i+3]), strings.ToLower(path[i:i+3])))
			i += 2
		case strings.IndexByte("%:/?[]@!&()+,;=", c) < 0 && r.IntN(3) == 0:
			fmt.Fprintf(&b, r.pick("%%%02x", "%%%02X"), c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (r *randomRobots) pattern() string {
	s := r.path()
	switch r.IntN(14) {
	case 0:
		s = s[1:]
	case 1:
		s = "*" + s[1:]
	case 2, 3:
		s += r.pick("/a", "b*", "/*b", "*.a") // longer than most
	case 4, 5:
		if len(r.patterns) > 0 { // ties with another
			s = r.respell(strings.NewReplacer("*", "a", "$", "b").Replace(r.pick(r.patterns...)))
		}
	case 6:
		if len(r.patterns) > 0 {
			s = r.pick(r.patterns...)
		}
	}
	for range r.IntN(3) {
		i := r.IntN(len(s) + 1)
		s = s[:i] + r.pick("*", "*", "*", "**", "***", "$") + s[i:]
	}
	if r.IntN(4) == 0 {
		s += r.pick("$", "$", "$", "$$", "*$", "%24")
	}
	r.patterns = append(r.patterns, s)
	return s
}

func (r *randomRobots) file() []byte {
	r.patterns = r.patterns[:0]
	var b strings.Builder
	b.WriteString(r.pick("", "", "", "\xef\xbb\xbf", "\xef\xbb", "\xef", "\xef\xbb\xbf\xef\xbb\xbf", "\ufeff "))
	b.WriteString(r.pick("", "User-agent: *\n", "User-agent: *\n", "User-agent: pawl\n", "User-agent: *\nUser-agent: pawl\n"))
	lines := 1 + r.IntN(14)
	if r.IntN(400) == 0 {
		lines = 2000 + r.IntN(3000) // more than the library is asked about
	}
	for range lines {
		b.WriteString(r.pick("", "", "", "", " ", "\t", "\v", "\ufeff"))
		colon := r.pick(": ", ": ", ":", " : ", "\t:\t", " ", "  ", "\v:\f", "::", "")
		switch r.IntN(10) {
		case 0, 1:
			if lines > 20 {
				break // else few rules would be for one agent
			}
			b.WriteString(r.pick("User-agent", "user-agent", "USERAGENT", "user agent", "User-agents", "User_agent") + colon +
				r.pick("*", "*", "* all", "*\t", "*x", "* # x", "pawl", "pawl", "Pawl/1.0", "PAWL bot", "pawl, x", "pawl2", "pawl-x", "pawl_", "paw", "pawling", "other", "", "\xffpawl", "/", "-"))
		case 2:
			b.WriteString(r.pick("", "", "# Disallow: /", "Sitemap: https://x/", "Crawl-delay: 1", "Crawl-delay: 5s", "Host: x", "Clean-param: a /", "Noindex: /",
				"junk", ": /", ":", "\xff\x00\x01", "Disallow", "Disallow: / /", "disallow / /", "<html>", "User-agent", "\x00User-agent: *"))
		default:
			b.WriteString(r.pick("Allow", "Allow", "allow", "Disallow", "Disallow", "disallow", "DISALLOW", "disalow", "dissallow", "Disallowed", "Allows", "Dis allow") + colon)
			if r.IntN(6) > 0 {
				b.WriteString(r.pattern())
			}
		}
		b.WriteString(r.pick("", "", "", "", "", " ", "#", " # x", "\x00x", "\t", "\f", "\u00a0"))
		b.WriteString(r.pick("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n\r", "\r\r\n", "\r\n\r\n"))
	}
	s := b.String()
	if r.IntN(8) == 0 { // spoil an octet
		i := r.IntN(len(s) + 1)
		s = s[:i] + r.pick("\n", "\r", "\x00", "#", "%", ":", "*", "\xff", " ") + s[i:]
	}
	return []byte(s)
}

func TestRobotsAgainstPlainReading(t *testing.T) {
	t.Parallel()
	seed := *robotsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-robots.seed %d", seed)
	r := &randomRobots{Rand: rand.New(rand.NewPCG(seed, 0))}
	forbidden, ruled, wild, total, alone := 0, 0, 0, 0, 0
	for range *robotsFiles {
		file := r.file()
		robots := ParseRobots(file, "pawl")
		if len(robots.rules) > 0 && robots.group == nil {
			if len(file) < 4000 {
				t.Fatalf("the library is not asked about %q", file)
			}
			alone++
		}
		if robots.lead != "" {
			wild++
		}
		rules := plainRules(file, "pawl")
		paths := 50
		if len(rules) > 500 {
			paths = 3 // the plain reading is slow
		}
		for range paths {
			path := r.pathLike()
			if r.IntN(4) == 0 {
				path = r.respell(path)
			}
			want := plainAllowed(rules, path)
			if got := robots.Allowed(path); got != want {
				t.Fatalf("-robots.seed %d\npath %q allowed %v, want %v\nfile %q\nmade %+v", seed, path, got, want, file, robots)
			}
			total++
			if !want {
				forbidden++
			}
			if whyAgrees(t, robots, file, path) {
				ruled++
			}
		}
	}
	t.Logf("%d decisions, %d by a rule, %d forbidden; of %d files %d with wildcards, %d without the library", total, ruled, forbidden, *robotsFiles, wild, alone)
	if *robotsFiles >= 1000 && (forbidden < total/20 || ruled < total/5 || wild < *robotsFiles/4) {
		t.Error("the random files decide too little to prove anything")
	}
}

// whyAgrees checks Why against Allowed and the file, and reports whether a rule
// decided.
func whyAgrees(t *testing.T, r *Robots, file []byte, path string) bool {
	line, text := r.Why(path)
	allow := !strings.HasPrefix(strings.ToLower(text), "d")
	if allow != r.Allowed(path) || (line == 0) != (text == "") {
		t.Fatalf("path %q allowed %v, but line %d %q decides", path, r.Allowed(path), line, text)
	}
	if line == 0 {
		return false
	}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(file)), "\n")
	if line > len(lines) || !strings.Contains(lines[line-1], text) {
		t.Fatalf("path %q: %q is not line %d of %q", path, text, line, lines)
	}
	return true
}

func FuzzRobots(f *testing.F) {
	for _, rules := range []string{
		"Disallow: /", "Disallow: /*.php$ | Allow: /a*", "Disallow: /%7Ea%2fb | Allow: /*%22", "Crawl-delay: 1,5 | Sitemap: x http://y",
		"Allow: /a/index.html | Disallow: /", "Disallow: /a$b$ | Disallow: **\"~~", "disallow /é#x", "Disallow: /***a | Allow: /*%C3%a9**",
		"User-agent: pawl/1 | disalow\t/a | useragent: x | Host: y | user agent: * bot | Allow: /$",
	} {
		f.Add([]byte(group(rules)), "/a.php?b=%e9\"~")
	}
	f.Add([]byte("\xef\xbbUser-agent: pawl\r\rDisallow:\x00\n\rAllow: /\xff%zz%\r\n"), "%zz")
	f.Fuzz(func(t *testing.T, file []byte, path string) {
		r := ParseRobots(file, "pawl")
		whyAgrees(t, r, file, path)
		if d, ok := r.CrawlDelay(); d < 0 || d > MaxCrawlDelay || !ok && d != 0 {
			t.Errorf("crawl delay %v %v", d, ok)
		}
		for _, s := range r.Sitemaps() {
			if s == "" || strings.ContainsAny(s, "\r\n") {
				t.Errorf("sitemap %q", s)
			}
		}
		// The plain reading has none of the limits.
		if len(file) > 4000 || len(path) > 400 || !strings.HasPrefix(path, "/") {
			return
		}
		if got, want := r.Allowed(path), plainAllowed(plainRules(file, "pawl"), path); got != want {
			t.Errorf("path %q allowed %v, want %v, file %q", path, got, want, file)
		}
		// Most of what is tried is no file; as a pattern it all counts.
		rules := []byte(group("Allow: /a*b | Disallow: /" + strings.Map(func(c rune) rune {
			if strings.ContainsRune("\r\n", c) {
				return 'x'
			}
			return c
		}, string(file))))
		if got, want := ParseRobots(rules, "pawl").Allowed(path), plainAllowed(plainRules(rules, "pawl"), path); got != want {
			t.Errorf("path %q allowed %v, want %v, file %q", path, got, want, rules)
		}
	})
}
