package fetch

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	robotsSeed  = flag.Uint64("robots.seed", 0, "seed of the random robots.txt files, 0 for one by the clock")
	robotsFiles = flag.Int("robots.files", defaultRobotsFiles, "how many random robots.txt files to compare")
)

// group writes a file with one group for everyone out of rules parted by " | ".
func group(rules string) string {
	return "User-agent: *\n" + strings.ReplaceAll(rules, " | ", "\n") + "\n"
}

func TestRobotsRules(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		allowed     string // paths, parted by spaces
		forbidden   string
	}{
		{"no rules", "", "/ /x", ""},
		{"disallow all", "Disallow: /", "/robots.txt /robots%2Etxt", "/ /x /?q /robots.txt.bak /robots.txt?x /a/robots.txt"},
		{"empty disallow", "Disallow:", "/ /x", ""},
		{"empty allow and disallow", "disallow: | allow: ", "/x", ""},
		{"prefix", "Disallow: /fish", "/ /Fish.asp /catfish /?id=fish", "/fish /fish.html /fish/salmon.html /fishheads /fish.html?id=anything"},
		{"prefix with wildcard at its end", "Disallow: /fish*", "/ /Fish.asp /catfish /?id=fish", "/fish /fish.html /fish/salmon.html /fishheads /fish.html?id=anything"},
		{"folder", "Disallow: /fish/", "/fish /fish.html /Fish/Salmon.asp", "/fish/ /fish/?id=anything /fish/salmon.htm"},
		{"extension anywhere", "Disallow: /*.php", "/ /windows.PHP /php/ /index?php", "/index.php /filename.php /folder/filename.php?parameters /folder/any.php.file.html /filename.php/ /index?f=filename.php/"},
		{"extension at the end", "Disallow: /*.php$", "/filename.php?parameters /filename.php/ /filename.php5 /windows.PHP /php/ /filename?php /aaaphpaaa", "/filename.php /folder/filename.php /a.php.php"},
		{"two pieces", "Disallow: /fish*.php", "/Fish.PHP /fish.asp", "/fish.php /fishheads/catfish.php?parameters"},
		{"case matters", "Disallow: /x/", "/X/y", "/x/y"},

		{"longer disallow wins", "disallow: /x/page.html | allow: /x/", "/x/ /x/page", "/x/page.html"},
		{"longer allow wins", "allow: /x/page.html | disallow: /x/", "/x/page.html", "/x/"},
		{"allow wins a tie", "disallow: /x/page.html | allow: /x/page.html", "/x/page.html", ""},
		{"allow wins a tie at the root", "disallow: / | allow: /", "/ /x", ""},
		{"trailing slash is one octet more", "disallow: /x | allow: /x/", "/x/", "/x"},
		{"wildcard longer than prefix", "allow: /page | disallow: /*.html", "/page", "/page.html"},
		{"wildcard shorter than prefix", "allow: /x/page. | disallow: /*.html", "/x/page.html", "/x/y.html"},
		{"wildcard and prefix tie", "disallow: /page | allow: /*.ph", "/page.php", "/page"},
		{"wildcard and prefix tie, allow is the prefix", "disallow: /*.ph | allow: /page", "/page.php /page", "/x.php"},
		{"quoting does not count", "disallow: /*.... | allow: /*abcd", "/....abcd", "/abc...."},
		{"wildcard counts as an octet", "allow: /fish | disallow: /fish*", "", "/fish /fishy"},
		{"wildcards in a row are one", "allow: /fish* | disallow: /fish***", "/fish", ""},
		{"order by length, not by place", "Allow: /p | Disallow: /", "/page", "/"},
		{"folder both ways", "Allow: /folder | Disallow: /folder", "/folder/page", ""},
		{"only the root", "Allow: /$ | Disallow: /", "/", "/page.htm /?q"},
		{"query anywhere", "Disallow: /*?", "/a /", "/? /a?b"},
		{"anchored at the beginning", "Disallow: /a$", "/b/a /ab /a/a", "/a"},
		{"wildcard anchored at the beginning", "Disallow: /foo*bar", "/x/foo/bar /fobar", "/foobar /foo/bar /foo/x/bary"},
		{"leading wildcard", "Disallow: *.gif$", "/a.gift /gif", "/a.gif /a/b.gif"},
		{"lone wildcard", "Disallow: *", "/robots.txt", "/ /x"},
		{"wildcard before the end", "Disallow: /a*$", "/b /b/a", "/a /ab"},
		{"pieces must not overlap", "Disallow: /ab*ba$", "/aba", "/abba /abxba"},
		{"middle piece must not overlap", "Disallow: /a*aa*a$", "/aaa", "/aaaa /a/aa/a"},
		{"inner dollar is a character", "Disallow: /a$b", "/a /ab", "/a$b /a$bc /a%24b"},
		{"dollar before a wildcard is a character", "Disallow: /a$*", "/a /ab", "/a$ /a$b"},
		{"two dollars", "Disallow: /a$$", "/a /a$b", "/a$"},
		{"dollar in the path", "Disallow: /a", "/b$", "/a$ /a$b"},
		{"encoded dollar", "Disallow: /path/foo-%24", "/path/foo- /path/foo-%23", "/path/foo-$ /path/foo-%24"},
		{"encoded star", "Disallow: /path/file-with-a-%2A.html", "/path/file-with-a-x.html", "/path/file-with-a-*.html /path/file-with-a-%2a.html"},
		{"star in the path", "Disallow: /a*b", "/b", "/a*b /a*xb"},
		{"regular expression characters", `Disallow: /*.+?()[]{}^|\`, "/x", `/x.+?()[]{}^|\ /.+?()[]%7B%7D%5E%7C%5C`},
		{"quote in rule and path", `Disallow: /*"b"`, `/b" /"b`, `/x"b" /%22b%22`},
		{"tildes and quotes in the path", "Disallow: /~~~*x | Allow: /*~", `/~ /~~ /a/~~~"x`, "/~~~x /~~~~~~~~~~x"},
		{"encoding cannot be forged", `Disallow: */private* | Disallow: */"/x$`, `/~~~~/"/public /private"~~`[:15], `/~~~~/"/private /a/"/x`},

		{"comment", "# Disallow: / | Disallow: /foo/quz#qux | Allow: /", "/foo/bar", "/foo/quz"},
		{"comment right behind", "Disallow: /foo#c | #", "/fo", "/foo"},
		{"comment instead of a value", "Disallow: # all", "/ /x", ""},
		{"space around the colon", "Disallow \t: \t/x \t", "/", "/x /x/y"},
		{"vertical white space", "\vDisallow:\f/x\v", "/", "/x"},
		{"space inside", "Disallow: /a b", "/a", "/a%20b"},
		{"no colon", "disallow /x", "/", "/x"},
		{"no colon, three words", "disallow /x /y", "/x", ""},
		{"colon only", ": /x | :", "/x", ""},
		{"key only", "Disallow", "/x", ""},
		{"value with colons", "Disallow: /a:b:c", "/a", "/a:b:c"},
		{"unknown keys", "foo: / | bar: /", "/x", ""},
		{"misspelt keys", "dissallow: /a | dissalow: /b | disalow: /c | diasllow: /d | disallaw: /e | DISALLOWED: /f", "/ /g", "/a /b /c /d /e /f"},
		{"key in any case", "dIsAlLoW: / | aLLoW: /x", "/x", "/y"},
		{"no leading slash", "Disallow: foo | Disallow: $ | Disallow: ?x", "/foo / /?x", ""},
		{"absolute URL", "Disallow: https://example.com/a", "/a /https://example.com/a", ""},
		{"index.html is its folder", "Allow: /allowed-slash/index.html | Disallow: /", "/allowed-slash/ /allowed-slash/index.html", "/allowed-slash/index.htm /anyother-url /allowed-slash/x"},
		{"index.htm is its folder", "Allow: /*/index.htm | Disallow: /", "/a/ /a/index.htm", "/a /a/x"},
		{"only allow knows index.html", "Disallow: /a/index.html", "/a/", "/a/index.html"},

		{"escapes in any case", "Disallow: /%3c%aa", "/%3C", "/%3C%AA /%3c%aa"},
		{"unreserved decoded in the rule", "Disallow: /%7Ejoe/%62%61%7A", "/joe", "/~joe/baz /%7ejoe/baz"},
		{"unreserved decoded in the path", "Disallow: /~joe/baz", "/joe", "/%7Ejoe/%62%61%7A"},
		{"reserved kept apart", "Disallow: /a%2Fb | Disallow: /c/d", "/a/b /c%2Fd", "/a%2fb /c/d"},
		{"reserved as it is", "Disallow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par", "/foo/bar", "/foo/bar?qux=taz&baz=http://foo.bar?tar&par"},
		{"beyond ASCII in the rule", "Disallow: /foo/bar/ツ", "/foo/bar/", "/foo/bar/%E3%83%84 /foo/bar/%e3%83%84x"},
		{"beyond ASCII in the path", "Disallow: /foo/bar/%E3%83%84", "/foo/bar/", "/foo/bar/ツ"},
		{"beyond ASCII counts encoded", "Disallow: /é* | Allow: /*abcdefg", "/éabcdefg", "/é /éabcdef"},
		{"not UTF-8", "Disallow: /\xff\xfe", "/", "/%FF%FE /\xff\xfe"},
		{"stray percent", "Disallow: /*%z | Disallow: /x%", "/z /x", "/a%zz /x%20"},
		{"part of an escape", "Disallow: /*%2", "/a%30", "/a%20"},
		{"apostrophe", "Disallow: /*'", "/", "/?q=' /?q=%27"},
		{"empty path", "Disallow: /$", "/x", "/"},
		{"path without slash", "Disallow: /?q", "/", "?q"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ParseRobots([]byte(group(c.rules)), "pawl")
			if len(r.rules) > 0 && r.group == nil {
				t.Error("the library was not asked")
			}
			for path := range strings.FieldsSeq(c.allowed) {
				if !r.Allowed(path) {
					t.Errorf("%s is forbidden", path)
				}
			}
			for path := range strings.FieldsSeq(c.forbidden) {
				if r.Allowed(path) {
					t.Errorf("%s is allowed", path)
				}
			}
		})
	}
	if ParseRobots([]byte(group("Disallow: /$")), "pawl").Allowed("") {
		t.Error("an empty path is not the root")
	}
}

func TestRobotsGroups(t *testing.T) {
	for _, c := range []struct {
		name, file string
		allowed    string // of /a /b /c /d, those that FooBot may fetch
	}{
		{"empty file", "", "/a /b /c /d"},
		{"only white space", " \r\n\t\n", "/a /b /c /d"},
		{"no group", "Disallow: /a\n", "/a /b /c /d"},
		{"rule before any agent", "Disallow: /a\nUser-agent: *\nDisallow: /b\n", "/a /c /d"},
		{"for everyone", "User-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"for another", "User-agent: BarBot\nDisallow: /\n", "/a /b /c /d"},
		{"ours instead of everyone's", "User-agent: *\nDisallow: /a\nUser-agent: FooBot\nDisallow: /b\n", "/a /c /d"},
		{"ours before everyone's", "User-agent: FooBot\nDisallow: /b\nUser-agent: *\nDisallow: /a\n", "/a /c /d"},
		{"ours without rules", "User-agent: *\nDisallow: /\n\nUser-agent: FooBot\n", "/a /b /c /d"},
		{"ours with an empty rule", "User-agent: FooBot\nDisallow:\nUser-agent: *\nDisallow: /\n", "/a /b /c /d"},
		{"ours merged", "User-agent: FooBot\nDisallow: /a\nUser-agent: BarBot\nDisallow: /b\nUser-agent: FooBot\nDisallow: /c\n", "/b /d"},
		{"everyone's merged", "User-agent: *\nDisallow: /a\nUser-agent: BarBot\nDisallow: /b\nUser-agent: *\nDisallow: /c\n", "/b /d"},
		{"several agents", "User-agent: BarBot\nUser-agent: FooBot\nUser-agent: BazBot\nDisallow: /a\n", "/b /c /d"},
		{"blank line inside", "User-agent: BarBot\n\nUser-agent: FooBot\n\n\nDisallow: /a\n\nDisallow: /b\n", "/c /d"},
		{"named with everyone", "User-agent: FooBot\nUser-agent: *\nDisallow: /a\nUser-agent: *\nDisallow: /b\n", "/b /c /d"},
		{"sitemap between agents", "User-agent: FooBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"unknown line between agents", "User-agent: FooBot\nInvalid-Unknown-Line: x\nUser-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"crawl-delay between agents", "User-agent: FooBot\nCrawl-delay: 5\nUser-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"crawl-delay between rules", "User-agent: FooBot\nDisallow: /a\nCrawl-delay: 5\nDisallow: /b\n", "/c /d"},
		{"empty rule ends the agents", "User-agent: FooBot\nDisallow:\nUser-agent: BarBot\nDisallow: /a\n", "/a /b /c /d"},
		{"rule for nobody ends the agents", "User-agent: FooBot\nDisallow: nothing\nUser-agent: BarBot\nDisallow: /a\n", "/a /b /c /d"},
		{"agent in any case", "USER-AGENT: FOOBOT\nDisallow: /a\n", "/b /c /d"},
		{"agent with version", "User-agent: FooBot/1.0 (x)\nDisallow: /a\n", "/b /c /d"},
		{"agent with more words", "User-agent: foobot images\nDisallow: /a\n", "/b /c /d"},
		{"agent with less letters", "User-agent: Foo\nDisallow: /\n", "/a /b /c /d"},
		{"agent with more letters", "User-agent: FooBotty\nDisallow: /\n", "/a /b /c /d"},
		{"agent with a hyphen", "User-agent: FooBot-News\nDisallow: /\n", "/a /b /c /d"},
		{"agent without letters", "User-agent: 123\nUser-agent:\nDisallow: /\n", "/a /b /c /d"},
		{"everyone with more words", "User-agent: * (all)\nDisallow: /a\n", "/b /c /d"},
		{"everyone with more letters", "User-agent: *bot\nDisallow: /\n", "/a /b /c /d"},
		{"misspelt agents", "useragent: FooBot\nDisallow: /a\nuser agent: FooBot\nDisallow: /b\n", "/c /d"},
		{"no colon", "user-agent FooBot\ndisallow /a\n", "/b /c /d"},
		{"comment behind the agent", "User-agent: FooBot# us\nDisallow: /a\n", "/b /c /d"},
		{"CR", "User-agent: FooBot\rDisallow: /a\rDisallow: /b\r", "/c /d"},
		{"CR LF", "User-agent: FooBot\r\nDisallow: /a\r\nDisallow: /b\r\n", "/c /d"},
		{"no last line end", "User-agent: FooBot\nDisallow: /a", "/b /c /d"},
		{"byte order mark", "\xef\xbb\xbfUser-agent: FooBot\nDisallow: /a\n", "/b /c /d"},
		{"two thirds of a byte order mark", "\xef\xbbUser-agent: FooBot\nDisallow: /a\n", "/b /c /d"},
		{"a third of a byte order mark", "\xefUser-agent: FooBot\nDisallow: /a\n", "/b /c /d"},
		{"broken byte order mark", "\xef\x11\xbfUser-agent: FooBot\nDisallow: /a\n", "/a /b /c /d"},
		{"byte order mark inside", "User-agent: FooBot\n\xef\xbb\xbfDisallow: /a\nDisallow: /b\n", "/a /c /d"},
		{"NUL ends a line", "User-agent: FooBot\x00x\nDisallow: /a\x00b\n", "/b /c /d"},
		{"page instead of a file", "<!DOCTYPE html>\n<html><a href=\"https://x/\">\nUser-agent: FooBot Disallow: /\n", "/a /b /c /d"},
		{"every bad crawl-delay", "Crawl-delay: 1\nUser-agent: FooBot\nCrawl-delay: 5s\nCrawl-delay:\nCrawl-delay: -1\nCrawl-delay: x\nCrawl-delay: NaN\nDisallow: /a\n", "/b /c /d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ParseRobots([]byte(c.file), "FooBot")
			var allowed []string
			for _, path := range []string{"/a", "/b", "/c", "/d"} {
				if r.Allowed(path) {
					allowed = append(allowed, path)
				}
			}
			if got := strings.Join(allowed, " "); got != c.allowed {
				t.Errorf("allowed %q, want %q", got, c.allowed)
			}
		})
	}
}

// The file of Google's test ID_LineSyntax_Groups, seen by its three crawlers.
func TestRobotsGroupsOfSeveralCrawlers(t *testing.T) {
	const file = "allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\nuser-agent: BarBot\ndisallow: /\nallow: /y/\n\n\n" +
		"allow: /w/\nuser-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n"
	for _, c := range []struct{ token, allowed string }{
		{"FooBot", "/x/b /z/d"},
		{"BarBot", "/y/c /w/a"},
		{"BazBot", "/z/d"},
		{"QuxBot", "/foo/bar/ /x/b /y/c /z/d /w/a"},
	} {
		r := ParseRobots([]byte(file), c.token)
		for _, path := range []string{"/foo/bar/", "/x/b", "/y/c", "/z/d", "/w/a"} {
			want := slices.Contains(strings.Fields(c.allowed), path)
			if got := r.Allowed(path); got != want {
				t.Errorf("%s %s: allowed %v", c.token, path, got)
			}
		}
	}
}

func TestRobotsAgentWithoutToken(t *testing.T) {
	file := []byte("User-agent: 007\nDisallow: /a\nUser-agent: *\nDisallow: /b\n")
	if r := ParseRobots(file, ""); !r.Allowed("/a") || r.Allowed("/b") {
		t.Error("a crawler without a name follows the group for everyone")
	}
	if r := ParseRobots(file, "7bot/1.0"); !r.Allowed("/a") || r.Allowed("/b") {
		t.Error("a name that begins with a digit is none")
	}
}

func TestProductToken(t *testing.T) {
	for _, c := range []struct{ userAgent, want string }{
		{"pawl/1.2 (+https://example.com/)", "pawl"},
		{"pawl", "pawl"},
		{"Foo_Bar-Baz 2", "Foo_Bar-Baz"},
		{"Mozilla/5.0 (compatible; pawl)", "Mozilla"},
		{"", ""},
		{"/1.0", ""},
		{"ツ", ""},
		{"Foobot*", "Foobot"},
	} {
		if got := ProductToken(c.userAgent); got != c.want {
			t.Errorf("%q: %q, want %q", c.userAgent, got, c.want)
		}
	}
}

func TestRobotsCrawlDelay(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       time.Duration // negative for none
	}{
		{"none", "User-agent: *\nDisallow: /a\n", -1},
		{"whole seconds", group("Crawl-delay: 10"), 10 * time.Second},
		{"zero", group("Crawl-delay: 0"), 0},
		{"decimal point", group("Crawl-delay: 0.5"), 500 * time.Millisecond},
		{"no leading zero", group("Crawl-delay: .25"), 250 * time.Millisecond},
		{"decimal comma", group("Crawl-delay: 1,5"), 1500 * time.Millisecond},
		{"unit", group("Crawl-delay: 5s"), 5 * time.Second},
		{"unit as a word", group("Crawl-delay: 5 Seconds"), 5 * time.Second},
		{"comment", group("Crawl-delay: 3 # please"), 3 * time.Second},
		{"no colon", group("Crawl-delay 3"), 3 * time.Second},
		{"no hyphen", group("crawldelay: 3"), 3 * time.Second},
		{"empty", group("Crawl-delay:"), -1},
		{"negative", group("Crawl-delay: -1"), -1},
		{"other unit", group("Crawl-delay: 500ms"), -1},
		{"exponent", group("Crawl-delay: 1e10"), -1},
		{"words", group("Crawl-delay: ten"), -1},
		{"two points", group("Crawl-delay: 1.2.3"), -1},
		{"point only", group("Crawl-delay: ."), -1},
		{"not a number", group("Crawl-delay: NaN | Crawl-delay: Inf"), -1},
		{"long", group("Crawl-delay: 301"), MaxCrawlDelay},
		{"longer than a Duration", group("Crawl-delay: 99999999999"), MaxCrawlDelay},
		{"longer than a float", group("Crawl-delay: " + strings.Repeat("9", 400)), MaxCrawlDelay},
		{"longest of several", group("Crawl-delay: 2 | Crawl-delay: 4 | Crawl-delay: 1 | Crawl-delay: x"), 4 * time.Second},
		{"before any agent", "Crawl-delay: 9\nUser-agent: *\nDisallow: /a\n", -1},
		{"ours, not everyone's", "User-agent: *\nCrawl-delay: 9\nDisallow:\nUser-agent: pawl\nCrawl-delay: 2\n", 2 * time.Second},
		{"everyone's is not ours", "User-agent: *\nCrawl-delay: 9\nDisallow:\nUser-agent: pawl\nDisallow: /a\n", -1},
		{"another's before our agent line", "User-agent: other\nCrawl-delay: 9\n\nUser-agent: *\nDisallow: /a\n", -1},
		{"of all our groups", "User-agent: pawl\nCrawl-delay: 2\nDisallow:\nUser-agent: x\nDisallow:\nUser-agent: pawl\nCrawl-delay: 3\n", 3 * time.Second},
	} {
		d, ok := ParseRobots([]byte(c.file), "pawl").CrawlDelay()
		if !ok {
			if d != 0 {
				t.Errorf("%s: %v without ok", c.name, d)
			}
			d = -1
		}
		if d != c.want {
			t.Errorf("%s: %v, want %v", c.name, d, c.want)
		}
	}
}

func TestRobotsSitemaps(t *testing.T) {
	file := "\xef\xbb\xbfSitemap: https://foo.bar/1.xml # first\nUser-agent: x\nsite-map: /2.xml\nDisallow: /\nSITEMAP:https://foo.bar/3.xml?a=b:c\n" +
		"Sitemap:\nsitemap https://foo.bar/4.xml\nUser-agent: pawl\nSitemap: https://foo.bar/1.xml\n"
	// "sitemap https://…" has a colon, so its key is all that stands before it.
	want := []string{"https://foo.bar/1.xml", "/2.xml", "https://foo.bar/3.xml?a=b:c", "//foo.bar/4.xml", "https://foo.bar/1.xml"}
	if got := ParseRobots([]byte(file), "pawl").Sitemaps(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	many := strings.Repeat("Sitemap: /x\n", MaxRobotsSitemaps+5)
	if got := len(ParseRobots([]byte(many), "pawl").Sitemaps()); got != MaxRobotsSitemaps {
		t.Errorf("%d sitemaps kept", got)
	}
}

func TestRobotsWhy(t *testing.T) {
	const file = "\ufeff# ours\r\nUser-agent: *\r\n\r\n  Disallow : /private/ # keep out\r\nAllow: /private/open\rallow /*.css$\n" +
		"Disallow: /a/index.html\nAllow: /a/index.html\nDisallow: /a/\nDisallow: /private/\n"
	r := ParseRobots([]byte(file), "pawl")
	for _, c := range []struct {
		path string
		line int
		text string
	}{
		{"/", 0, ""},
		{"/robots.txt", 0, ""},
		{"/private/x", 4, "Disallow : /private/"},
		{"/private/open/x", 5, "Allow: /private/open"},
		{"/style.css", 6, "allow /*.css$"},
		{"/a/index.html", 8, "Allow: /a/index.html"},
		{"/a/", 8, "Allow: /a/index.html"},
		{"/a/b", 9, "Disallow: /a/"},
	} {
		if line, text := r.Why(c.path); line != c.line || text != c.text {
			t.Errorf("%s: %d %q, want %d %q", c.path, line, text, c.line, c.text)
		}
	}
	if line, text := new(Robots).Why("/"); line != 0 || text != "" || !new(Robots).Allowed("/") {
		t.Error("the zero Robots decides something")
	}
}

func TestRobotsLongLines(t *testing.T) {
	long := "/x/" + strings.Repeat("a", maxRobotsLine-len("disallow: /x/"))
	r := ParseRobots([]byte("user-agent: *\ndisallow: "+long+"/qux\n"), "pawl")
	if !r.Allowed("/fux") || !r.Allowed(long[:len(long)-1]) {
		t.Error("a cut line forbids too much")
	}
	if r.Allowed(long + "/fux") {
		t.Error("a cut line forbids nothing")
	}
	// What the cut leaves behind is no line of its own.
	r = ParseRobots([]byte("user-agent: *\ndisallow: "+long+"\x00disallow: /\ndisallow: /y\n"), "pawl")
	if !r.Allowed("/x") || r.Allowed("/y") {
		t.Error("the rest of a cut line is read")
	}
}

func TestRobotsSizeLimit(t *testing.T) {
	head := "User-agent: *\nDisallow: /a\n"
	filler := func(size int) string { return strings.Repeat("#", size-1) + "\n" }
	last := "Disallow: /b\n"
	for _, c := range []struct {
		name string
		file string
		want bool // whether /b is allowed
	}{
		{"last line within", head + filler(MaxRobots-len(head)-len(last)) + last + filler(100), false},
		{"last line ends at the limit", head + filler(MaxRobots-len(head)-len(last)+1) + last + filler(100), false},
		{"last line ends behind the limit", head + filler(MaxRobots-len(head)-len(last)+2) + last + filler(100), true},
		{"all behind the limit", head + filler(MaxRobots) + last, true},
	} {
		r := ParseRobots([]byte(c.file), "pawl")
		if r.Allowed("/a") || r.Allowed("/b") != c.want {
			t.Errorf("%s: /a %v, /b %v", c.name, r.Allowed("/a"), r.Allowed("/b"))
		}
	}
	if r := ParseRobots(bytes.Repeat([]byte("x"), MaxRobots+10), "pawl"); !r.Allowed("/") {
		t.Error("a file without lines forbids something")
	}
}

// Files that would cost the library too much are answered all the same.
func TestRobotsCostlyFiles(t *testing.T) {
	many := func(format string, n int) string {
		var b strings.Builder
		b.WriteString("User-agent: *\nAllow: /open\n")
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, file, forbidden string
		library               bool
	}{
		{"many plain rules", many("Disallow: /%06d\n", 20_000), "/019999", true},
		{"some wildcard rules", many("Disallow: /*/%06d$\n", 500), "/x/000499", true},
		{"many wildcard rules", many("Disallow: /*a*a*b%06d\n", 15_000), "/aab014999", false},
		{"much to quote", many("Disallow: /*x%d"+strings.Repeat(".", 1000)+"\n", 1), "/x0" + strings.Repeat(".", 1000), false},
	} {
		r := ParseRobots([]byte(c.file), "pawl")
		if (r.group != nil) != c.library {
			t.Errorf("%s: asks the library: %v", c.name, r.group != nil)
		}
		if r.Allowed(c.forbidden) || !r.Allowed("/open") || !r.Allowed("/other") {
			t.Errorf("%s: wrong answer", c.name)
		}
	}
	// One long path against wildcards is beyond maxMatchWork.
	r := ParseRobots([]byte(many("Disallow: /*/%06d$\n", 100)), "pawl")
	if long := strings.Repeat("/a", 1000); r.Allowed(long+"/000099") || !r.Allowed(long) {
		t.Error("a long path: wrong answer")
	}
}

// --- a second, plain reading of RFC 9309 to compare with ---

// plainRule is a rule whose pattern is a list of octets.
type plainRule struct {
	key     string
	pattern []string
}

// plainRules reads a file slowly and without any code of the package: every
// step makes a list and the next one works on it.
func plainRules(file []byte, token string) []plainRule {
	type line struct{ key, value string }
	type block struct {
		agents []string
		rules  []line
	}

	text := strings.TrimPrefix(string(file), "\xef\xbb\xbf")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var lines []line
	for l := range strings.SplitSeq(text, "\n") {
		l, _, _ = strings.Cut(l, "\x00")
		l, _, _ = strings.Cut(l, "#")
		key, value, found := strings.Cut(l, ":")
		if words := strings.Fields(l); !found && len(words) == 2 {
			key, value = words[0], words[1]
		} else if !found {
			continue
		}
		lines = append(lines, line{strings.ToLower(strings.Trim(key, " \t")), strings.Trim(value, " \t")})
	}

	var blocks []block
	agentsDone := true
	for _, l := range lines {
		switch l.key {
		case "user-agent", "useragent":
			if agentsDone {
				blocks = append(blocks, block{})
				agentsDone = false
			}
			b := &blocks[len(blocks)-1]
			agent, _, _ := strings.Cut(l.value, " ")
			agent, _, _ = strings.Cut(agent, "/")
			b.agents = append(b.agents, strings.ToLower(agent))
		case "allow", "disallow":
			agentsDone = true
			if len(blocks) > 0 {
				b := &blocks[len(blocks)-1]
				b.rules = append(b.rules, l)
			}
		}
	}

	var rules []plainRule
	for _, agent := range []string{strings.ToLower(token), "*"} {
		found := false
		for _, b := range blocks {
			if !slices.Contains(b.agents, agent) {
				continue
			}
			found = true
			for _, r := range b.rules {
				rules = append(rules, plainRule{r.key, plainOctets(r.value, true)})
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
		if r.key == "allow" && slash >= 0 && strings.HasPrefix(strings.Join(r.pattern[slash:], ""), "/index.htm") {
			rules = append(rules, plainRule{r.key, append(slices.Clone(r.pattern[:slash+1]), "end")})
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
	longest := map[string]int{}
	for _, r := range rules {
		if len(r.pattern) > longest[r.key] && (r.pattern[0] == "/" || r.pattern[0] == "star") && plainMatch(r.pattern, octets) {
			longest[r.key] = len(r.pattern)
		}
	}
	return longest["allow"] >= longest["disallow"]
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
		c := s[0]
		var escaped byte
		isEscape := false
		if c == '%' && len(s) >= 3 && strings.Trim(s[1:3], "0123456789abcdefABCDEF") == "" {
			value, err := strconv.ParseUint(s[1:3], 16, 8)
			escaped, isEscape = byte(value), err == nil
		}
		switch {
		case isEscape && strings.IndexByte(unreserved, escaped) >= 0:
			list = append(list, string(rune(escaped)))
		case isEscape:
			encode(escaped)
		case c == '%', strings.IndexByte(unreserved+reserved, c) >= 0:
			list = append(list, string(rune(c)))
		case pattern && c == '*':
			if len(list) == 0 || list[len(list)-1] != "star" {
				list = append(list, "star")
			}
		case pattern && c == '$' && len(s) == 1:
			list = append(list, "end")
		default:
			encode(c)
		}
		if isEscape {
			s = s[3:]
		} else {
			s = s[1:]
		}
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
		b.WriteString(r.pick("a", "b", "/", "a", "b", "/", ".", "?", "~", "~~", "%61", "%2F", "%2f", "$", "*", "%24", "%2A", "%",
			`"`, "%22", "é", "%C3%A9", "\xff", "+", "|", "(", "[a]", "'", "%27", "index.html", "=", "%2", "%7e"))
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

func (r *randomRobots) pattern() string {
	s := r.path()
	switch r.IntN(12) {
	case 0:
		s = s[1:]
	case 1:
		s = "*" + s[1:]
	case 2, 3:
		s += r.pick("/a", "b*", "/*b", "*.a") // longer than most
	}
	if r.IntN(3) == 0 {
		i := r.IntN(len(s) + 1)
		s = s[:i] + r.pick("*", "*", "**") + s[i:]
	}
	if r.IntN(4) == 0 {
		s += "$"
	}
	r.patterns = append(r.patterns, s)
	return s
}

func (r *randomRobots) file() []byte {
	r.patterns = r.patterns[:0]
	var b strings.Builder
	b.WriteString(r.pick("", "", "", "\xef\xbb\xbf"))
	b.WriteString(r.pick("", "User-agent: *\n", "User-agent: *\n", "User-agent: pawl\n", "User-agent: *\nUser-agent: pawl\n"))
	for range 1 + r.IntN(14) {
		b.WriteString(r.pick("", "", "", " ", "\t"))
		colon := r.pick(": ", ": ", ":", " : ", "\t:\t", " ")
		switch r.IntN(10) {
		case 0, 1:
			b.WriteString(r.pick("User-agent", "user-agent", "USERAGENT") + colon + r.pick("*", "*", "pawl", "Pawl/1.0", "paw", "pawling", "other", ""))
		case 2:
			b.WriteString(r.pick("", "", "# Disallow: /", "Sitemap: https://x/", "Crawl-delay: 1", "Crawl-delay: 5s", "junk", ": /", "\xff\x00\x01", "Disallow"))
		default:
			b.WriteString(r.pick("Allow", "Disallow", "Disallow", "disallow") + colon)
			if r.IntN(5) > 0 {
				b.WriteString(r.pattern())
			}
		}
		b.WriteString(r.pick("", "", "", "", " ", "#", " # x", "\x00x"))
		b.WriteString(r.pick("\n", "\n", "\n", "\r\n", "\r", "\n\n"))
	}
	return []byte(b.String())
}

func TestRobotsAgainstPlainReading(t *testing.T) {
	seed := *robotsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-robots.seed %d", seed)
	r := &randomRobots{Rand: rand.New(rand.NewPCG(seed, 0))}
	forbidden, ruled, wild, total := 0, 0, 0, 0
	for range *robotsFiles {
		file := r.file()
		robots := ParseRobots(file, "pawl")
		if len(robots.rules) > 0 && robots.group == nil {
			t.Fatalf("the library is not asked about %q", file)
		}
		if robots.lead != "" {
			wild++
		}
		rules := plainRules(file, "pawl")
		for range 50 {
			path := r.pathLike()
			want := plainAllowed(rules, path)
			if got := robots.Allowed(path); got != want {
				t.Fatalf("-robots.seed %d\npath %q allowed %v, want %v\nfile %q\nmade %+v", seed, path, got, want, file, robots)
			}
			total++
			if !want {
				forbidden++
			}
			if whyAgrees(t, robots, path) {
				ruled++
			}
		}
	}
	t.Logf("%d decisions, %d by a rule, %d forbidden; %d of %d files with wildcards", total, ruled, forbidden, wild, *robotsFiles)
	if *robotsFiles >= 1000 && (forbidden < total/20 || ruled < total/5 || wild < *robotsFiles/4) {
		t.Error("the random files decide too little to prove anything")
	}
}

// whyAgrees checks Why against Allowed and reports whether a rule decided.
func whyAgrees(t *testing.T, r *Robots, path string) bool {
	line, text := r.Why(path)
	allow := !strings.HasPrefix(strings.ToLower(text), "d")
	if allow != r.Allowed(path) || (line == 0) != (text == "") {
		t.Fatalf("path %q allowed %v, but line %d %q decides", path, r.Allowed(path), line, text)
	}
	return line > 0
}

func FuzzRobots(f *testing.F) {
	for _, rules := range []string{
		"Disallow: /", "Disallow: /*.php$ | Allow: /a*", "Disallow: /%7Ea%2fb | Allow: /*%22", "Crawl-delay: 1,5 | Sitemap: x",
		"Allow: /a/index.html | Disallow: /", "Disallow: /a$b$ | Disallow: **\"~~", "disallow /é#x",
	} {
		f.Add([]byte(group(rules)), "/a.php?b=%e9\"~")
	}
	f.Fuzz(func(t *testing.T, file []byte, path string) {
		r := ParseRobots(file, "pawl")
		whyAgrees(t, r, path)
		if d, ok := r.CrawlDelay(); d < 0 || d > MaxCrawlDelay || !ok && d != 0 {
			t.Errorf("crawl delay %v %v", d, ok)
		}
		// The plain reading knows none of Google's additions and limits.
		if len(file) > maxRobotsLine || !strings.HasPrefix(path, "/") {
			return
		}
		rules := []byte(group("Allow: /a*b | Disallow: " + strings.Map(func(c rune) rune {
			if strings.ContainsRune("\r\n\v\f", c) {
				return 'x'
			}
			return c
		}, string(file))))
		if got, want := ParseRobots(rules, "pawl").Allowed(path), plainAllowed(plainRules(rules, "pawl"), path); got != want {
			t.Errorf("path %q allowed %v, want %v, file %q", path, got, want, rules)
		}
	})
}

func benchmarkFile(wildcards int) []byte {
	var b strings.Builder
	b.WriteString("User-agent: *\nCrawl-delay: 1\n")
	for i := range 50 {
		if i < wildcards {
			fmt.Fprintf(&b, "Disallow: /*/section-%d/*.html$\n", i)
		} else {
			fmt.Fprintf(&b, "Disallow: /section-%d/\n", i)
		}
	}
	return []byte(b.String())
}

func BenchmarkRobotsParse(b *testing.B) {
	for _, wildcards := range []int{0, 5, 50} {
		b.Run(fmt.Sprintf("50 rules %d wildcards", wildcards), func(b *testing.B) {
			file := benchmarkFile(wildcards)
			b.ReportAllocs()
			for b.Loop() {
				ParseRobots(file, "pawl")
			}
		})
	}
}

func BenchmarkRobotsAllowed(b *testing.B) {
	for _, wildcards := range []int{0, 5, 50} {
		r := ParseRobots(benchmarkFile(wildcards), "pawl")
		b.Run(fmt.Sprintf("50 rules %d wildcards", wildcards), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Allowed("/articles/2026/11/a-page-of-usual-length.html?page=2")
			}
		})
	}
}

// The worst that a file and a path can ask for, on either side of the limits
// that keep the library's work bounded.
func BenchmarkRobotsHostile(b *testing.B) {
	for _, c := range []struct {
		name  string
		rule  string
		rules int
		path  int // octets
	}{
		{"library/long path", "/*a*a*a*a*a%db", 9, 2000},
		{"library/short path", "/*a*a*a*a*a%db", 265, 60},
		{"library/long pieces", "/*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%db", 4, 2000},
		{"plain/short path", "/*a*a*a*a*a%db", 10_000, 80},
		{"plain/long path", "/*a*a*a*a*a%db", 10_000, 2000},
		{"plain/long pieces", "/*aaaaaaaaaaaaaaaaaaaaa%db", 10_000, 2000},
	} {
		file := []byte("User-agent: *\n")
		for i := range c.rules {
			file = fmt.Appendf(file, "Disallow: "+c.rule+"\n", i)
		}
		r := ParseRobots(file, "pawl")
		path := "/" + strings.Repeat("a", c.path-1)
		library := r.group != nil && r.cost*len(path) <= maxMatchWork
		if library != strings.HasPrefix(c.name, "library") {
			b.Fatalf("%s: library %v, expressions %d, work %d", c.name, library, r.cost, r.cost*len(path))
		}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r.Allowed(path)
			}
		})
	}
}
