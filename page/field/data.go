package field

import (
	"strings"

	"golang.org/x/net/html"

	"pawl/page"
)

// data is what a page says in meta elements and in scripts of JSON-LD. It is read from the tokens, so a page of which no tree
// can be made has it all the same.
type data struct {
	metas   []meta
	scripts []string
}

// meta is a meta element with content.
type meta struct {
	property, name, itemprop, pragma string
	content                          string // cleaned, but for spaces in numbers
}

// maxMetas bounds the meta elements of a page, and the scripts of JSON-LD.
const maxMetas = 10_000

// readData reads the meta elements and the JSON-LD of a page, but not what is in templates.
func readData(text []byte) data {
	var d data
	z := page.NewTokens(text)
	templates := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return d
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "template" && templates > 0 {
				templates--
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			switch string(name) {
			case "noscript":
				z.NextIsNotRawText()
			case "template":
				templates++
			case "meta":
				if m := readMeta(z, more); templates == 0 && m.content != "" && len(d.metas) < maxMetas {
					d.metas = append(d.metas, m)
				}
			case "script":
				if !isJSONLD(z, more) || templates > 0 || len(d.scripts) == maxMetas {
					continue
				}
				if z.Next() == html.TextToken {
					d.scripts = append(d.scripts, string(z.Text()))
				}
			}
		}
	}
}

func readMeta(z *page.Tokens, more bool) meta {
	var m meta
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		var to *string
		switch string(key) {
		case "property":
			to = &m.property
		case "name":
			to = &m.name
		case "itemprop":
			to = &m.itemprop
		case "http-equiv":
			to = &m.pragma
		case "content":
			to = &m.content
		default:
			continue
		}
		if *to == "" {
			*to = clean(string(value), true)
		}
	}
	return m
}

func isJSONLD(z *page.Tokens, more bool) bool {
	for more {
		var key, value []byte
		if key, value, more = z.TagAttr(); string(key) == "type" {
			mediaType, _, _ := strings.Cut(string(value), ";")
			return strings.EqualFold(strings.TrimSpace(mediaType), "application/ld+json")
		}
	}
	return false
}

// named reports whether the element bears a name; only property and name count if it is of OpenGraph or its like.
func (m *meta) named(name string, graph bool) bool {
	if strings.EqualFold(m.property, name) || strings.EqualFold(m.name, name) {
		return true
	}
	return !graph && (strings.EqualFold(m.itemprop, name) || strings.EqualFold(m.pragma, name))
}
