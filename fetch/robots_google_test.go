package fetch

import (
	"strings"
	"testing"
)

// The cases of the tests that Google publishes with its parser
// (github.com/google/robotstxt, robots_test.cc), each path with the answer
// expected there. Where ours is another on purpose, differs says why.
func TestRobotsGoogleCases(t *testing.T) {
	const fooBot = "user-agent: FooBot\n"
	const nothingBut = fooBot + "disallow: /\nallow: "
	const threeBots = "allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\nuser-agent: BarBot\ndisallow: /\nallow: /y/\n\n\n" +
		"allow: /w/\nuser-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n"
	const space = "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n"
	const global = "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n"
	const specific = "user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\nuser-agent: BazBot\ndisallow: /\n"
	const otherGroup = "User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n"
	const index = "User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n"
	cut := "/x/" + strings.Repeat("a", maxRobotsLine-len("disallow: /x/"))
	cutA := "/x/" + strings.Repeat("a", maxRobotsLine-len("allow: /x/"))
	cutB := "/x/" + strings.Repeat("b", maxRobotsLine-len("allow: /x/"))
	const tooLong = "GoogleOnly_LineTooLong"
	const docs = "GoogleOnly_DocumentationChecks"

	cases, differences := 0, 0
	for _, c := range []struct {
		test, file, agent string
		allowed           string // paths parted by spaces
		forbidden         string
		differs           string
	}{
		{"GoogleOnly_SystemTest", "", "FooBot", "/", "", ""},
		{"GoogleOnly_SystemTest", fooBot + "disallow: /\n", "", "/", "", ""},
		{"GoogleOnly_SystemTest", fooBot + "disallow: /\n", "FooBot", "", "/", ""},
		{"GoogleOnly_SystemTest", "", "", "/", "", ""},
		{"ID_LineSyntax_Line", fooBot + "disallow: /\n", "FooBot", "", "/x/y", ""},
		{"ID_LineSyntax_Line", "foo: FooBot\nbar: /\n", "FooBot", "/x/y", "", ""},
		{"ID_LineSyntax_Line", "user-agent FooBot\ndisallow /\n", "FooBot", "", "/x/y", ""},
		{"ID_LineSyntax_Groups", threeBots, "FooBot", "/x/b /z/d", "/y/c /foo/bar/", ""},
		{"ID_LineSyntax_Groups", threeBots, "BarBot", "/y/c /w/a", "/z/d /foo/bar/", ""},
		{"ID_LineSyntax_Groups", threeBots, "BazBot", "/z/d", "/foo/bar/", ""},
		{"ID_LineSyntax_Groups_OtherRules", "User-agent: BarBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /\n", "FooBot", "", "/", ""},
		{"ID_LineSyntax_Groups_OtherRules", "User-agent: BarBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /\n", "BarBot", "", "/", ""},
		{"ID_LineSyntax_Groups_OtherRules", "User-agent: FooBot\nInvalid-Unknown-Line: unknown\nUser-agent: *\nDisallow: /\n", "FooBot", "", "/", ""},
		{"ID_LineSyntax_Groups_OtherRules", "User-agent: FooBot\nInvalid-Unknown-Line: unknown\nUser-agent: *\nDisallow: /\n", "BarBot", "", "/", ""},
		{"ID_REPLineNamesCaseInsensitive", "USER-AGENT: FooBot\nALLOW: /x/\nDISALLOW: /\n", "FooBot", "/x/y", "/a/b", ""},
		{"ID_REPLineNamesCaseInsensitive", "user-agent: FooBot\nallow: /x/\ndisallow: /\n", "FooBot", "/x/y", "/a/b", ""},
		{"ID_REPLineNamesCaseInsensitive", "uSeR-aGeNt: FooBot\nAlLoW: /x/\ndIsAlLoW: /\n", "FooBot", "/x/y", "/a/b", ""},
		{"ID_UserAgentValueCaseInsensitive", "User-Agent: FOO BAR\nAllow: /x/\nDisallow: /\n", "Foo", "/x/y", "/a/b", ""},
		{"ID_UserAgentValueCaseInsensitive", "User-Agent: foo bar\nAllow: /x/\nDisallow: /\n", "Foo", "/x/y", "/a/b", ""},
		{"ID_UserAgentValueCaseInsensitive", "User-Agent: FoO bAr\nAllow: /x/\nDisallow: /\n", "Foo", "/x/y", "/a/b", ""},
		{"ID_UserAgentValueCaseInsensitive", "User-Agent: FOO BAR\nAllow: /x/\nDisallow: /\n", "foo", "/x/y", "/a/b", ""},
		{"ID_UserAgentValueCaseInsensitive", "User-Agent: foo bar\nAllow: /x/\nDisallow: /\n", "foo", "/x/y", "/a/b", ""},
		{"ID_UserAgentValueCaseInsensitive", "User-Agent: FoO bAr\nAllow: /x/\nDisallow: /\n", "foo", "/x/y", "/a/b", ""},
		{"GoogleOnly_AcceptUserAgentUpToFirstSpace", space, "Foo", "/x/y", "", ""},
		{"GoogleOnly_AcceptUserAgentUpToFirstSpace", space, "Foo Bar", "", "/x/y", "our own name is cut to its product token too"},
		{"ID_GlobalGroups_Secondary", "", "FooBot", "/x/y", "", ""},
		{"ID_GlobalGroups_Secondary", global, "FooBot", "", "/x/y", ""},
		{"ID_GlobalGroups_Secondary", global, "BarBot", "/x/y", "", ""},
		{"ID_GlobalGroups_Secondary", specific, "QuxBot", "/x/y", "", ""},
		{"ID_AllowDisallow_Value_CaseSensitive", fooBot + "disallow: /x/\n", "FooBot", "", "/x/y", ""},
		{"ID_AllowDisallow_Value_CaseSensitive", fooBot + "disallow: /X/\n", "FooBot", "/x/y", "", ""},
		{"ID_LongestMatch", fooBot + "disallow: /x/page.html\nallow: /x/\n", "FooBot", "", "/x/page.html", ""},
		{"ID_LongestMatch", fooBot + "allow: /x/page.html\ndisallow: /x/\n", "FooBot", "/x/page.html", "/x/", ""},
		{"ID_LongestMatch", fooBot + "disallow: \nallow: \n", "FooBot", "/x/page.html", "", ""},
		{"ID_LongestMatch", fooBot + "disallow: /\nallow: /\n", "FooBot", "/x/page.html", "", ""},
		{"ID_LongestMatch", fooBot + "disallow: /x\nallow: /x/\n", "FooBot", "/x/", "/x", ""},
		{"ID_LongestMatch", fooBot + "disallow: /x/page.html\nallow: /x/page.html\n", "FooBot", "/x/page.html", "", ""},
		{"ID_LongestMatch", fooBot + "allow: /page\ndisallow: /*.html\n", "FooBot", "/page", "/page.html", ""},
		{"ID_LongestMatch", fooBot + "allow: /x/page.\ndisallow: /*.html\n", "FooBot", "/x/page.html", "/x/y.html", ""},
		{"ID_LongestMatch", otherGroup, "FooBot", "/x/page", "/y/page", ""},
		{"ID_Encoding", nothingBut + "/foo/bar?qux=taz&baz=http://foo.bar?tar&par\n", "FooBot", "/foo/bar?qux=taz&baz=http://foo.bar?tar&par", "", ""},
		{"ID_Encoding", nothingBut + "/foo/bar/ツ\n", "FooBot", "/foo/bar/%E3%83%84", "", ""},
		{"ID_Encoding", nothingBut + "/foo/bar/ツ\n", "FooBot", "", "/foo/bar/ツ", "paths are encoded here, there by the caller"},
		{"ID_Encoding", nothingBut + "/foo/bar/%E3%83%84\n", "FooBot", "/foo/bar/%E3%83%84", "", ""},
		{"ID_Encoding", nothingBut + "/foo/bar/%E3%83%84\n", "FooBot", "", "/foo/bar/ツ", "paths are encoded here, there by the caller"},
		{"ID_Encoding", nothingBut + "/foo/bar/%62%61%7A\n", "FooBot", "", "/foo/bar/baz", "RFC 9309 section 2.2.2 decodes unreserved characters"},
		{"ID_Encoding", nothingBut + "/foo/bar/%62%61%7A\n", "FooBot", "/foo/bar/%62%61%7A", "", ""},
		{"ID_SpecialCharacters", fooBot + "Disallow: /foo/bar/quz\nAllow: /foo/*/qux\n", "FooBot", "/foo/quz /foo//quz /foo/bax/quz", "/foo/bar/quz", ""},
		{"ID_SpecialCharacters", fooBot + "Disallow: /foo/bar$\nAllow: /foo/bar/qux\n", "FooBot", "/foo/bar/qux /foo/bar/ /foo/bar/baz", "/foo/bar", ""},
		{"ID_SpecialCharacters", fooBot + "# Disallow: /\nDisallow: /foo/quz#qux\nAllow: /\n", "FooBot", "/foo/bar", "/foo/quz", ""},
		{"GoogleOnly_IndexHTMLisDirectory", index, "foobot", "/allowed-slash/ /allowed-slash/index.html", "/allowed-slash/index.htm /anyother-url", ""},
		{tooLong, fooBot + "disallow: " + cut + "/qux\n", "FooBot", "/fux", cut + "/fux", ""},
		{tooLong, fooBot + "disallow: /\nallow: " + cutA + "/qux\nallow: " + cutB + "/qux\n", "FooBot", cutA + "/qux " + cutB + "/fux", "/", ""},
		{docs, nothingBut + "/fish\n", "FooBot", "/fish /fish.html /fish/salmon.html /fishheads /fishheads/yummy.html /fish.html?id=anything", "/bar /Fish.asp /catfish /?id=fish", ""},
		{docs, nothingBut + "/fish*\n", "FooBot", "/fish /fish.html /fish/salmon.html /fishheads /fishheads/yummy.html /fish.html?id=anything", "/bar /Fish.bar /catfish /?id=fish", ""},
		{docs, nothingBut + "/fish/\n", "FooBot", "/fish/ /fish/salmon /fish/?salmon /fish/salmon.html /fish/?id=anything", "/bar /fish /fish.html /Fish/Salmon.html", ""},
		{docs, nothingBut + "/*.php\n", "FooBot", "/filename.php /folder/filename.php /folder/filename.php?parameters //folder/any.php.file.html /filename.php/ /index?f=filename.php/", "/bar /php/ /index?php /windows.PHP", ""},
		{docs, nothingBut + "/*.php$\n", "FooBot", "/filename.php /folder/filename.php", "/bar /filename.php?parameters /filename.php/ /filename.php5 /php/ /filename?php /aaaphpaaa //windows.PHP", ""},
		{docs, nothingBut + "/fish*.php\n", "FooBot", "/fish.php /fishheads/catfish.php?parameters", "/bar /Fish.PHP", ""},
		{docs, fooBot + "allow: /p\ndisallow: /\n", "FooBot", "/page", "", ""},
		{docs, fooBot + "allow: /folder\ndisallow: /folder\n", "FooBot", "/folder/page", "", ""},
		{docs, fooBot + "allow: /page\ndisallow: /*.htm\n", "FooBot", "", "/page.htm", ""},
		{docs, fooBot + "allow: /$\ndisallow: /\n", "FooBot", "/", "/page.html", ""},
	} {
		r := ParseRobots([]byte(c.file), c.agent)
		check := func(path string, want bool) {
			cases++
			if c.differs != "" {
				differences++
				want = !want
			}
			if got := r.Allowed(path); got != want {
				t.Errorf("%s: %q for %q: %.60s allowed %v, want %v", c.test, c.file, c.agent, path, got, want)
			}
		}
		for path := range strings.FieldsSeq(c.allowed) {
			check(path, true)
		}
		for path := range strings.FieldsSeq(c.forbidden) {
			check(path, false)
		}
	}

	for name, valid := range map[string]bool{
		"Foobot": true, "Foobot-Bar": true, "Foo_Bar": true,
		"": false, "ツ": false, "Foobot*": false, " Foobot ": false, "Foobot/2.1": false, "Foobot Bar": false,
	} {
		cases++
		if got := name != "" && ProductToken(name) == name; got != valid {
			t.Errorf("ID_VerifyValidUserAgentsToObey: %q valid %v", name, got)
		}
	}

	// Lines are seen there by a listener, here by the rule that decides.
	unix := "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nDisallow: /\n"
	for _, file := range []string{
		unix,
		strings.ReplaceAll(unix, "\n", "\r\n"),
		strings.ReplaceAll(unix, "\n", "\r"),
		strings.TrimSuffix(unix, "\n"),
		"User-Agent: foo\nAllow: /some/path\r\nUser-Agent: bar\n\r\n\nDisallow: /",
	} {
		cases++
		if line, _ := ParseRobots([]byte(file), "bar").Why("/x"); line != 6 {
			t.Errorf("ID_LinesNumbersAreCountedCorrectly: %q: line %d", file, line)
		}
	}
	for _, c := range []struct {
		file string
		read bool // whether the rule is one of foo's
	}{
		{"\xef\xbb\xbfUser-Agent: foo\nDisallow: /AnyValue\n", true},
		{"\xef\xbbUser-Agent: foo\nDisallow: /AnyValue\n", true},
		{"\xefUser-Agent: foo\nDisallow: /AnyValue\n", true},
		{"\xef\x11\xbfUser-Agent: foo\nDisallow: /AnyValue\n", false},
		{"User-Agent: foo\n\xef\xbb\xbfDisallow: /AnyValue\n", false},
	} {
		cases++
		if read := !ParseRobots([]byte(c.file), "foo").Allowed("/AnyValue"); read != c.read {
			t.Errorf("ID_UTF8ByteOrderMarkIsSkipped: %q: read %v", c.file, read)
		}
	}
	const sitemap, agents = "Sitemap: http://foo.bar/sitemap.xml\n", "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\n"
	for _, file := range []string{agents + sitemap, sitemap + agents} {
		cases++
		if got := ParseRobots([]byte(file), "x").Sitemaps(); len(got) != 1 || got[0] != "http://foo.bar/sitemap.xml" {
			t.Errorf("ID_NonStandardLineExample_Sitemap: %q", got)
		}
	}
	for value, want := range map[string]string{
		"http://www.example.com": "http://www.example.com", "/a/b/c": "/a/b/c", "á": "%C3%A1", "%aa": "%AA",
	} {
		cases++
		if got := normalPattern(value); got != want {
			t.Errorf("TestMaybeEscapePattern: %q: %q, want %q", value, got, want)
		}
	}
	t.Logf("%d cases, %d answered otherwise on purpose", cases, differences)
}
