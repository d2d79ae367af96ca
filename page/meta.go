package page

import (
	"bytes"
	"strings"
)

// meta takes in a meta element.
func (p *Parser) meta() {
	content := p.attrs.get(attrContent)
	switch name := p.attrs.get(attrName); {
	case len(name) == 0:
	case equalFold(name, "description"):
		if len(p.description.buf) == 0 {
			p.description.add(content)
		}
	case equalFold(name, "robots") || equalFold(name, p.agent):
		p.robotsMeta(content)
	}
	switch pragma := p.attrs.get(attrHTTPEquiv); {
	case len(pragma) == 0:
	case equalFold(pragma, "content-language"):
		p.setLanguage(string(content), languageMeta)
	case equalFold(pragma, "refresh"):
		if ref := refreshTarget(content); len(ref) > 0 {
			p.addLink(KindRefresh, ref, nil, false)
		}
	}
}

func (p *Parser) robotsMeta(content []byte) {
	if len(content) == 0 {
		return
	}
	if len(p.robots.buf) > 0 {
		p.robots.add([]byte(", "))
	}
	p.robots.add(content)
	p.obey(content)
}

// obey takes in directives to robots.
func (p *Parser) obey(directives []byte) {
	for {
		var word []byte
		word, directives = field(directives, func(c byte) bool { return c == ',' || c == ';' || isSpace(c) })
		switch {
		case len(word) == 0:
			return
		case equalFold(word, "noindex"):
			p.page.NoIndex = true
		case equalFold(word, "nofollow"):
			p.page.NoFollow = true
		case equalFold(word, "none"):
			p.page.NoIndex, p.page.NoFollow = true, true
		}
	}
}

// xRobots takes in a value of X-Robots-Tag. What follows the name of an agent and a colon is for that agent.
func (p *Parser) xRobots(value string) {
	ours := true
	for part := range strings.SplitSeq(value, ",") {
		if name, rest, ok := strings.Cut(part, ":"); ok && namesAgent(name) {
			name = strings.TrimSpace(name)
			ours = name == "*" || p.agent != "" && strings.EqualFold(name, p.agent)
			part = rest
		}
		if ours {
			p.obey([]byte(part))
		}
	}
}

// namesAgent reports whether what stands before a colon in X-Robots-Tag names an agent: a directive with a value does not,
// nor does the beginning of a time.
func namesAgent(s string) bool {
	switch s = lower(strings.TrimSpace(s)); s {
	case "", "unavailable_after", "max-snippet", "max-image-preview", "max-video-preview":
		return false
	}
	return !strings.ContainsAny(s, " \t")
}

// The sources of a language, from worst to best.
const (
	languageHeader = 1 + iota
	languageMeta
	languageXML
	languageHTML
)

// setLanguage sets the language, unless it is known from as good a source. A list of languages says nothing about the
// language of the text.
func (p *Parser) setLanguage(value string, source int) {
	if value = strings.TrimSpace(value); value == "" || strings.Contains(value, ",") || source <= p.state.language {
		return
	}
	p.state.language = source
	p.language.reset()
	p.language.add([]byte(value))
}

// refreshTarget returns the address in the content of a refresh pragma, empty if there is none
// (https://html.spec.whatwg.org/#shared-declarative-refresh-steps).
func refreshTarget(content []byte) []byte {
	rest := bytes.TrimLeft(content, " \t\n\f\r")
	afterTime := bytes.TrimLeft(rest, "0123456789.")
	if len(afterTime) == len(rest) {
		return nil
	}
	rest = bytes.TrimLeft(afterTime, " \t\n\f\r")
	if len(rest) > 0 && (rest[0] == ';' || rest[0] == ',') {
		rest = rest[1:]
	} else if len(rest) == len(afterTime) {
		return nil
	}
	rest = bytes.TrimLeft(rest, " \t\n\f\r")
	if len(rest) >= 3 && equalFold(rest[:3], "url") {
		if value := bytes.TrimLeft(rest[3:], " \t\n\f\r"); len(value) > 0 && value[0] == '=' {
			rest = bytes.TrimLeft(value[1:], " \t\n\f\r")
		}
	}
	if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		quote := rest[0]
		rest = rest[1:]
		if i := bytes.IndexByte(rest, quote); i >= 0 {
			rest = rest[:i]
		}
	}
	return trim(rest)
}

func lower(s string) string { return strings.ToLower(s) }
