package weburl

import (
	"strings"
	"unicode/utf8"

	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/idna"
)

// The parser maps names by stricter rules than the standard has today, which takes a name of ASCII letters as it stands,
// whatever its punycode says, since browsers do and such names are registered. The functions of this file are called before
// and after the parser's own mapping: the first one maps, and hides labels in punycode from the parser, the second one
// brings them back.

// newParser returns the full WHATWG parser. Since its release the standard has come to encode "^" in paths, as browsers do.
func newParser() whatwg.Parser {
	names := idna.New(
		idna.MapForLookup(),
		idna.BidiRule(),
		idna.CheckHyphens(false),
		idna.CheckJoiners(true),
		idna.StrictDomainName(false),
		idna.Transitional(false),
		idna.VerifyDNSLength(false),
	)
	return whatwg.NewParser(
		whatwg.WithPathPercentEncodeSet(whatwg.PathPercentEncodeSet.Set('^')),
		whatwg.WithPreParseHostFunc(func(_ *whatwg.Url, host string) string { return toASCII(names, host) }),
		whatwg.WithPostParseHostFunc(func(_ *whatwg.Url, host string) string { return showPunycode(host) }),
	)
}

// noHost is a host that the parser refuses: its punycode is empty.
const noHost = "xn--"

// toASCII does what the standard calls "domain to ASCII", and hides what is in punycode. It returns a host that the parser
// refuses for one that has no such form.
func toASCII(mapping *idna.Profile, host string) string {
	if strings.HasPrefix(host, "[") {
		return host
	}
	domain := unescape(host)
	if !isASCII(domain) {
		var err error
		if !utf8.ValidString(domain) {
			return noHost
		}
		if domain, err = mapping.ToASCII(domain); err != nil {
			return noHost
		}
	}
	if domain == "" || strings.ContainsAny(domain, "%[") {
		// Both signs are forbidden, but the parser would decode again, and take what is in brackets for an IPv6 address.
		return noHost
	}
	return hidePunycode(domain)
}

// hidePunycode puts an equals sign into each label that starts with "xn--", so that the parser takes it for a name like any
// other; and into those that already have one there, so that both can be told apart.
func hidePunycode(domain string) string {
	if !strings.Contains(domain, "n-") && !strings.ContainsAny(domain, "N=") {
		return domain // as most
	}
	var b strings.Builder
	for label := range strings.SplitAfterSeq(domain, ".") {
		if len(label) > 2 && strings.EqualFold(label[:2], "xn") && (label[2] == '=' || strings.HasPrefix(label[2:], "--")) {
			b.WriteString("xn=")
			label = label[2:]
		}
		b.WriteString(label)
	}
	return b.String()
}

// showPunycode undoes it.
func showPunycode(host string) string {
	if !strings.Contains(host, "xn=") {
		return host
	}
	var b strings.Builder
	for label := range strings.SplitAfterSeq(host, ".") {
		if rest, ok := strings.CutPrefix(label, "xn="); ok {
			b.WriteString("xn")
			label = rest
		}
		b.WriteString(label)
	}
	return b.String()
}

// unescape decodes what is percent-encoded, and keeps percent signs that encode nothing.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && unhex[s[i+1]] > 0 && unhex[s[i+2]] > 0 {
			c = (unhex[s[i+1]]-1)<<4 | (unhex[s[i+2]] - 1)
			i += 2
		}
		out = append(out, c)
	}
	return string(out)
}

// unhex holds the values of hexadecimal digits plus one.
var unhex = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16, 'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16,
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
