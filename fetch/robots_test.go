package fetch

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
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
		{"disallow all", "Disallow: /", "", "/ /x /?q"},
		{"robots.txt is always allowed", "Disallow: /robots.txt | Disallow: /", "/robots.txt /robots%2Etxt /%72obots.txt", ""},
		{"but nothing like it", "Disallow: /", "", "/robots.txt? /robots.txt?x /robots.txt/ /ROBOTS.TXT /robots.txt.bak /a/robots.txt //robots.txt"},
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
		{"wildcards in a row match as one", "Disallow: /a***b**$", "/a /b", "/ab /axb /a*b /abx"},
		{"wildcards in a row count as octets", "allow: /fish* | disallow: /fish***", "", "/fish"},
		{"wildcards in a row before index.html", "disallow: /*/x | disallow: /abcd | allow: /**/index.html", "/abcd/", "/abcd /b/x"},
		{"end counts as an octet", "allow: /a/ | disallow: /a/$", "/a/b", "/a/"},
		{"different wildcards tie", "disallow: /*b | allow: /a*", "/ab", "/xb"},
		{"wildcard and end tie", "disallow: /ab* | allow: /ab$", "/ab", "/abc"},
		{"wildcard and end tie the other way", "allow: /ab* | disallow: /ab$", "/ab /abc", ""},
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
		{"several dollars", "Disallow: /$a$b*$c$", "/ab /abc /$a$b$c$", "/$a$b$c /$a$bx$c /%24a%24b%24c"},
		{"dollar in the path", "Disallow: /a", "/b$", "/a$ /a$b"},
		{"encoded dollar", "Disallow: /path/foo-%24", "/path/foo- /path/foo-%23", "/path/foo-$ /path/foo-%24"},
		{"encoded dollar is not the end", "Disallow: /a%24", "/a", "/a$ /a$b /a%24b"},
		{"encoded star is no wildcard", "Disallow: /a%2ab", "/ab /axb", "/a*b /a%2Ab /a%2ab"},
		{"encoded star", "Disallow: /path/file-with-a-%2A.html", "/path/file-with-a-x.html", "/path/file-with-a-*.html /path/file-with-a-%2a.html"},
		{"star in the path", "Disallow: /a*b", "/b", "/a*b /a*xb"},
		{"regular expression characters", `Disallow: /*.+?()[]{}^|\`, "/x", `/x.+?()[]{}^|\ /.+?()[]%7B%7D%5E%7C%5C`},
		{"quote in rule and path", `Disallow: /*"b"`, `/b" /"b`, `/x"b" /%22b%22`},
		{"tildes and quotes in the path", "Disallow: /~~~*x | Allow: /*~", `/~ /~~ /a/~~~"x`, "/~~~x /~~~~~~~~~~x"},
		{"encoding cannot be forged", `Disallow: */private* | Disallow: */"/x$`, `/~~~~/"/public /private"~~`[:15], `/~~~~/"/private /a/"/x`},

		{"comment", "# Disallow: / | Disallow: /foo/quz#qux | Allow: /", "/foo/bar", "/foo/quz"},
		{"comment right behind", "Disallow: /foo#c | #", "/fo", "/foo"},
		{"hash in a path", "Disallow: /a%23b", "/a", "/a%23b /a%23bc"},
		{"comment behind white space", "Disallow: /foo \t# /bar", "/bar", "/foo /foo/"},
		{"comment instead of a value", "Disallow: # all", "/ /x", ""},
		{"space around the colon", "Disallow \t: \t/x \t", "/", "/x /x/y"},
		{"vertical white space", "\vDisallow:\f/x\v", "/", "/x"},
		{"space inside", "Disallow: /a b", "/a", "/a%20b"},
		{"other white space is a character", "Disallow:\u00a0/x | Disallow: /y\u0085", "/x /y", "/y%C2%85"},
		{"no colon", "disallow /x", "/", "/x"},
		{"no colon, three words", "disallow /x /y", "/x", ""},
		{"colon only", ": /x | :", "/x", ""},
		{"key only", "Disallow", "/x", ""},
		{"value with colons", "Disallow: /a:b:c", "/a", "/a:b:c"},
		{"unknown keys", "foo: / | bar: /", "/x", ""},
		{"misspelt keys", "dissallow: /a | dissalow: /b | disalow: /c | diasllow: /d | disallaw: /e | DISALLOWED: /f", "/ /g", "/a /b /c /d /e /f"},
		{"key in any case", "dIsAlLoW: / | aLLoW: /x", "/x", "/y"},
		{"no leading slash", "Disallow: foo | Disallow: $ | Disallow: ?x | Disallow: search.php | Disallow: \"/q\"", "/foo / /?x /search.php /q", ""},
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
		{"raw in the rule, encoded in the path", "Disallow: /a b\"c<d>é", "/a", "/a%20b%22c%3cd%3E%c3%A9"},
		{"encoded in the rule, raw in the path", "Disallow: /%22c%3cd%3E%c3%A9", "/c", "/\"c<d>é"},
		{"overlong slash is none", "Disallow: /a%c0%afb", "/a/b /a%2Fb", "/a%C0%AFb /a\xc0\xafb"},
		{"no escape", "Disallow: /a%zz | Disallow: /b%4 | Disallow: /c%%41", "/azz /a%ZZ /b", "/a%zz /b%4 /b%4x /c%A"},
		{"decoded once", "Disallow: /a%2541", "/aA /a%41", "/a%2541"},
		{"encoded percent", "Disallow: /a%25", "/a /a%", "/a%25 /a%25x"},
		{"encoded NUL", "Disallow: /a%00b", "/a /ab", "/a%00b /a\x00b"},
		{"query keeps its reserved characters", "Disallow: /a?u=https://b", "/a?u=https%3A%2F%2Fb /a", "/a?u=https://b/c"},
		{"query with parameters", "Disallow: /*&sort= | Disallow: /*?sort=", "/a?x=1 /a?resort=", "/a?x&sort=1 /a?sort="},
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
		{"host between agents", "User-agent: FooBot\nHost: foo.bar\nUser-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"clean-param between agents", "User-agent: FooBot\nClean-param: s /a\nUser-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"junk between agents", "User-agent: FooBot\n<br>\n\x00\n:\nUser-agent: *\nDisallow: /a\n", "/b /c /d"},
		{"sitemap between rules", "User-agent: FooBot\nDisallow: /a\nSitemap: x\nDisallow: /b\n", "/c /d"},
		// Meant for two groups, as it often is; by the RFC it is one.
		{"crawl-delay alone is no rule", "User-agent: *\nCrawl-delay: 10\n\nUser-agent: BarBot\nDisallow: /a\n", "/b /c /d"},
		{"noindex is no rule", "User-agent: FooBot\nNoindex: /a\nDisallow: /b\n", "/a /c /d"},
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
		{"first of a list of agents", "User-agent: FooBot, BarBot\nDisallow: /a\n", "/b /c /d"},
		{"second of a list of agents", "User-agent: BarBot, FooBot\nDisallow: /a\n", "/a /b /c /d"},
		{"agent with a digit behind", "User-agent: FooBot2\nDisallow: /a\n", "/b /c /d"},
		{"agent with a dot behind", "User-agent: foobot.example\nDisallow: /a\n", "/b /c /d"},
		{"agent in quotes", "User-agent: \"FooBot\"\nUser-agent: '*'\nDisallow: /a\n", "/a /b /c /d"},
		{"agent inside a header", "User-agent: Mozilla/5.0 (compatible; FooBot)\nDisallow: /a\n", "/a /b /c /d"},
		{"everyone in a list", "User-agent: *, BarBot\nDisallow: /a\n", "/a /b /c /d"},
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
		{"LF CR", "User-agent: FooBot\n\rDisallow: /a\n\rDisallow: /b\n\r", "/c /d"},
		{"line ends mixed", "User-agent: FooBot\r\r\nDisallow: /a\n\r\nDisallow: /b\r\n\n\rDisallow: /c", "/d"},
		{"other line ends are none", "User-agent: FooBot\nDisallow: /a\u2028Disallow: /b\u0085Disallow: /c\vDisallow: /d\n", "/a /b /c /d"},
		{"no last line end", "User-agent: FooBot\nDisallow: /a", "/b /c /d"},
		{"byte order mark", "\xef\xbb\xbfUser-agent: FooBot\nDisallow: /a\n", "/b /c /d"},
		{"two thirds of a byte order mark", "\xef\xbbUser-agent: FooBot\nDisallow: /a\n", "/b /c /d"},
		{"a third of a byte order mark", "\xefUser-agent: FooBot\nDisallow: /a\n", "/b /c /d"},
		{"broken byte order mark", "\xef\x11\xbfUser-agent: FooBot\nDisallow: /a\n", "/a /b /c /d"},
		{"byte order mark inside", "User-agent: FooBot\n\xef\xbb\xbfDisallow: /a\nDisallow: /b\n", "/a /c /d"},
		{"NUL ends a line", "User-agent: FooBot\x00x\nDisallow: /a\x00b\n", "/b /c /d"},
		{"byte order mark twice", "\xef\xbb\xbf\xef\xbb\xbfUser-agent: FooBot\nDisallow: /a\n", "/a /b /c /d"},
		{"UTF-16", "\xff\xfeU\x00s\x00e\x00r\x00-\x00a\x00g\x00e\x00n\x00t\x00:\x00*\x00\n\x00D\x00i\x00s\x00a\x00l\x00l\x00o\x00w\x00:\x00/\x00\n\x00", "/a /b /c /d"},
		{"picture instead of a file", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\xff\xfe:/*$%%%", "/a /b /c /d"},
		{"file inside a page", "<html><pre>\nUser-agent: *\nDisallow: /a\n</pre>\n", "/b /c /d"},
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

// What other parsers are tested with, and what stands on real sites.
func TestRobotsOfOthers(t *testing.T) {
	// The example of the draft of 1996, in the line ends of crawler-commons.
	const draft = "# /robots.txt for http://www.fict.org/\r\n# comments to webmaster@fict.org\r\nUser-agent: unhipbot\nDisallow: /\r\r\n" +
		"User-agent: webcrawler\nUser-agent: excite\rDisallow: \u0085\rUser-agent: *\r\nDisallow: /org/plans.html\nAllow: /org/\r" +
		"Allow: /serv\r\nAllow: /~mak\nDisallow: /\r\n"
	const heritrix = "User-agent: *\nDisallow: /cgi-bin/\nDisallow: /details/software\n\nUser-agent: denybot\nDisallow: /\n\nUser-agent: allowbot\nDisallow: \n\n" +
		"User-agent: delaybot\nDisallow: /\nCrawl-Delay: 20\nAllow: /images/\n"
	const html = "<HTML><TITLE>/robots.txt</TITLE>\nUser-agent: anybot<BR>\nDisallow: /a<BR>\nUser-agent: *<BR>\nDisallow: /b<BR>\n</HTML>\n"
	const govUK = "User-agent: *\nDisallow: /*/print$\n# none\nDisallow: /info/*\nSitemap: https://www.gov.uk/sitemap.xml\n# often\nUser-agent: AhrefsBot\n" +
		"Crawl-delay: 10\n# https://example.com/\nUser-agent: deepcrawl\nDisallow: /\n#\nUser-agent: MS Search 6.0 Robot\nDisallow: /\n"
	const cisco = "Crawl-delay: 1\n\nSitemap: https://a.example/sitemap.xml\n\nUser-agent: *\nDisallow: /*%\nDisallow: /*.aspx*\nDisallow: /*?author\n"
	const yandex = "User-Agent: Yandex\nAllow: /$\nAllow: /index.php$\nDisallow: /index.php?*\nDisallow: /*\nhost: a.example\n"
	for _, c := range []struct{ name, file, agent, allowed, forbidden string }{
		{"draft", draft, "UnhipBot/0.1", "/robots.txt", "/ /index.html /server.html /org/about.html /%7Emak/mak.html"},
		{"draft", draft, "WebCrawler/3.0", "/ /index.html /org/plans.html", ""},
		{"draft", draft, "Excite/1.0", "/ /org/plans.html /%7Ejim/jim.html", ""},
		{"draft", draft, "Unknown/1.0", "/robots.txt /server.html /services/fast.html /org/about.html /%7Emak/mak.html", "/ /index.html /orgo.gif /org/plans.html /%7Ejim/jim.html"},
		{"Heritrix", heritrix, "allowbot", "/ /path /cgi-bin/", ""},
		{"Heritrix", heritrix, "denybot", "", "/ /path"},
		{"Heritrix", heritrix, "anonbot", "/path", "/cgi-bin/foo.pl /details/software"},
		{"Heritrix", heritrix, "delaybot", "/images/x", "/x"},
		{"tags are not taken off", html, "anybot", "/b /a", "/a<BR>"},
		{"tags are not taken off", html, "x", "/ /a /b", ""},
		{"gov.uk", govUK, "x", "/ /print /a/print/", "/a/print /info/ /info/x"},
		{"gov.uk, two groups that are one", govUK, "AhrefsBot", "", "/"},
		{"Crawl-delay before any agent", cisco, "x", "/ /a?b", "/a%zz /a.aspx /a.aspx?b /?author=1"},
		{"only the root and one page", yandex, "Yandex", "/ /index.php", "/index.php?a /x /index.phpx"},
		{"the other way round", "*: User-agent\n/: Disallow\n", "x", "/", ""},
		{"several folders on a line", "User-agent: *\nDisallow: /a/ /b/\n", "x", "/a/ /b/", "/a/%20/b/"},
		{"another sign for comments", "; robots\n// all\nUser-agent: * ; all\nDisallow: /a\nDisallow: /b ; no\n", "x", "/b", "/a"},
		{"one line for all", "User-agent: * Disallow: /", "x", "/", ""},
		{"no space", "User-agent:*\nDisallow:/a\n", "x", "/", "/a"},
	} {
		r := ParseRobots([]byte(c.file), c.agent)
		for path := range strings.FieldsSeq(c.allowed) {
			if !r.Allowed(path) {
				t.Errorf("%s: %s is forbidden for %s", c.name, path, c.agent)
			}
		}
		for path := range strings.FieldsSeq(c.forbidden) {
			if r.Allowed(path) {
				t.Errorf("%s: %s is allowed for %s", c.name, path, c.agent)
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
		{"minutes", group("Crawl-delay: 5m"), -1},
		{"plus", group("Crawl-delay: +5"), -1},
		{"minus nothing", group("Crawl-delay: -0"), -1},
		{"hexadecimal", group("Crawl-delay: 0x10"), -1},
		{"other digits", group("Crawl-delay: ٣"), -1},
		{"thousands", group("Crawl-delay: 1,000.5"), -1},
		{"range", group("Crawl-delay: 5-10"), -1},
		{"two numbers", group("Crawl-delay: 5 10"), -1},
		{"infinity", group("Crawl-delay: inf | Crawl-delay: +Inf | Crawl-delay: Infinity"), -1},
		{"very small", group("Crawl-delay: 0." + strings.Repeat("0", 400) + "1"), 0},
		{"key in another case", group("CRAWL-DELAY: 3"), 3 * time.Second},
		{"misspelt key", group("Crawl delay: 3"), 3 * time.Second},
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
	for _, c := range []struct{ name, line, want string }{
		{"two on a line", "Sitemap: https://x/1 https://x/2", "https://x/1 | https://x/2"},
		{"a list on a line", "Sitemap: https://x/1, HTTP://x/2;\thttps://x/3", "https://x/1 | HTTP://x/2 | https://x/3"},
		{"a comma inside", "Sitemap: https://x/1,https://x/2", "https://x/1,https://x/2"},
		{"white space inside", "Sitemap: https://x/a b.xml", "https://x/a b.xml"},
		{"white space around", "Sitemap \t : \t https://x/1 \t ", "https://x/1"},
		{"junk before an address", "Sitemap: see https://x/1", "see | https://x/1"},
		{"only junk", "Sitemap: <a href=>\xff", "<a href=>\xff"},
		{"only a comment", "Sitemap: # none", ""},
		{"nothing but a comma", "Sitemap: , https://x/1", "https://x/1"},
		{"misspelt", "Site-Map: https://x/1 | SITEMAPS: https://x/2", "https://x/1 | https://x/2"},
	} {
		got := ParseRobots([]byte(strings.ReplaceAll(c.line, " | ", "\n")), "pawl").Sitemaps()
		if s := strings.Join(got, " | "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.name, s, c.want)
		}
	}
	crowded := "Sitemap: x" + strings.Repeat(" http://", MaxRobotsSitemaps/5) + "\n"
	if got := len(ParseRobots([]byte(strings.Repeat(crowded, 10)), "pawl").Sitemaps()); got != MaxRobotsSitemaps {
		t.Errorf("%d sitemaps kept of crowded lines", got)
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
		{"many wildcards in a row", many("Disallow: /*y%d"+strings.Repeat("*", 100)+"\n", 1), "/y0", false},
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

// No file and no path may hold a crawl. What would is answered without reading
// every rule, and then never more generously than the file is.
func TestRobotsHostileFiles(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	file := func(key string) *Robots {
		b := []byte("User-agent:*\n")
		for i := 0; len(b) < MaxRobots-100; i++ {
			b = fmt.Appendf(b, "%s:*%c%c%c0\n", key, letters[i/676%26], letters[i/26%26], letters[i%26])
		}
		return ParseRobots(append(b, "Disallow:/last\nAllow:/first/of/all\n"...), "pawl")
	}
	short, long := "/"+strings.Repeat("ab-", 26), "/"+strings.Repeat("ab-", 1400)
	for _, c := range []struct {
		name, key, path string
		want            bool
		text            string
	}{
		{"short path, no match", "Disallow", short, true, ""},
		{"short path, match", "Disallow", "/" + strings.Repeat("-", 60) + "bzz0", false, "Disallow:*bzz0"},
		{"long path, no match", "Disallow", long, false, "Disallow:*"},
		{"long path, longer rule", "Disallow", "/first/of/all" + long, true, "Allow:/first/of/all"},
		{"long path, only allowed", "Allow", long, true, ""},
		{"long path, plain rule behind", "Allow", "/last" + long, false, "Disallow:/last"},
	} {
		r := file(c.key)
		if got := r.Allowed(c.path); got != c.want {
			t.Errorf("%s: allowed %v", c.name, got)
		}
		if line, text := r.Why(c.path); !strings.HasPrefix(text, c.text) || (line == 0) != (c.text == "") {
			t.Errorf("%s: line %d, %q", c.name, line, text)
		}
	}
}

// What counts is what a check costs; how long that takes, the benchmarks show.
func TestRobotsMatchStopsAtItsCost(t *testing.T) {
	path := "/" + strings.Repeat("a", 1000)
	for _, c := range []struct {
		name, pattern string
		most          int
		matches       bool
		cost          int
	}{
		{"no wildcard", "/aaa", 0, true, 0},
		{"other beginning", "/b*a", 0, false, 0},
		{"only the end", "/*a$", 0, true, 0},
		{"a place at once", "/*a", 100, true, searchWork},
		{"no place", "/*b", 100, false, searchWork + 1000},
		{"no place for a long piece", "/*" + strings.Repeat("a", longPiece) + "b", 100, false, searchWork + 2000},
		{"many pieces", "/" + strings.Repeat("*a", 900), 100_000, true, 900 * searchWork},
		{"too many pieces", "/" + strings.Repeat("*a", 900), 100, false, 112},
		{"nothing left", "/*a", 0, false, searchWork},
		{"less than nothing left", "/*a", -5, false, searchWork},
	} {
		if matches, cost := matchRule(c.pattern, path, c.most); matches != c.matches || cost != c.cost {
			t.Errorf("%s: %v at %d, want %v at %d", c.name, matches, cost, c.matches, c.cost)
		}
	}
}
