package page

import "bytes"

// readHeaders takes in what headers say about the page. Their links are about the page as requested: no base element
// changes what they are resolved against.
func (p *Parser) readHeaders(in Input) {
	for _, value := range in.XRobots {
		p.xRobots(value)
	}
	for _, value := range in.LinkHeaders {
		p.linkHeader([]byte(value))
	}
}

// linkHeader adds the links in a value of Link (RFC 8288, appendix B.2).
func (p *Parser) linkHeader(value []byte) {
	for len(value) > 0 {
		value = bytes.TrimLeft(value, " \t,")
		if len(value) == 0 || value[0] != '<' {
			return
		}
		end := bytes.IndexByte(value, '>')
		if end < 0 {
			return
		}
		ref := trim(value[1:end])
		var params linkParams
		params, value = parseLinkParams(value[end+1:])
		if !params.elsewhere {
			p.addRel(ref, params.rel, KindHeader)
		}
	}
}

// linkParams are the parameters of a link in a header.
type linkParams struct {
	rel       []byte
	elsewhere bool // the link is from something else than the page (anchor)
}

// parseLinkParams reads the parameters of a link up to the comma that ends it, and returns what follows that.
func parseLinkParams(s []byte) (params linkParams, rest []byte) {
	var haveRel bool
	for {
		s = bytes.TrimLeft(s, " \t;")
		if len(s) == 0 {
			return params, nil
		}
		if s[0] == ',' {
			return params, s[1:]
		}
		n := bytes.IndexAny(s, "=;,")
		if n < 0 {
			return params, nil
		}
		name := bytes.TrimRight(s[:n], " \t")
		s = s[n:]
		if s[0] != '=' {
			continue
		}
		var value []byte
		value, s = headerValue(bytes.TrimLeft(s[1:], " \t"))
		switch {
		case equalFold(name, "rel") && !haveRel:
			params.rel, haveRel = value, true
		case equalFold(name, "anchor"):
			params.elsewhere = true
		}
	}
}

// headerValue returns the token or quoted string that s starts with, and what follows it.
func headerValue(s []byte) (value, rest []byte) {
	if len(s) == 0 || s[0] != '"' {
		n := bytes.IndexAny(s, ";,")
		if n < 0 {
			n = len(s)
		}
		return trim(s[:n]), s[n:]
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			if i < len(s) {
				value = append(value, s[i])
			}
		case '"':
			return value, s[i+1:]
		default:
			value = append(value, s[i])
		}
	}
	return value, nil
}
