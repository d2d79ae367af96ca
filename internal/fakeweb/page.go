package fakeweb

import (
	"bytes"
	"strconv"
	"strings"
)

// words are lower-case ASCII letters, as paths and titles are made of them. None
// is the name of a folder that [Web.find] knows.
var words = [...]string{
	"amber", "anchor", "apple", "autumn", "basalt", "beacon", "birch", "bramble",
	"bridge", "candle", "canyon", "cedar", "chalk", "cinder", "clover", "copper",
	"coral", "cotton", "crystal", "dawn", "delta", "desert", "dune", "eagle",
	"ember", "falcon", "feather", "fern", "field", "flint", "forest", "garden",
	"glacier", "granite", "harbour", "hazel", "heron", "hollow", "island", "ivory",
	"juniper", "kestrel", "lantern", "laurel", "lichen", "linen", "maple", "marble",
	"meadow", "mirror", "north", "orchard", "paper", "pebble", "pepper", "quarry",
	"raven", "river", "saffron", "silver", "thistle", "timber", "velvet", "willow",
}

// text is the stock that pages are put together from.
type text struct {
	paragraphs [256]string
}

func makeText(seed uint64) text {
	small := [...]string{"the", "of", "and", "a", "to", "in", "by", "near", "with", "under", "was", "is"}
	c := chance(mix(seed + forBody))
	var t text
	var b strings.Builder
	for i := range t.paragraphs {
		b.Reset()
		b.WriteString("<p>")
		for sentence := range 3 + c.below(4) {
			if sentence > 0 {
				b.WriteByte(' ')
			}
			for k := range 6 + c.below(9) {
				x := c.next()
				word := words[x>>8%uint64(len(words))]
				switch {
				case k == 0:
					word = strings.ToUpper(word[:1]) + word[1:]
				case x%64 == 0:
					word = "café"
				case x%64 == 1:
					word = "salt &amp; " + word
				case x%64 == 2:
					word = "<em>" + word + "</em>"
				case x%2 == 0:
					word = small[x>>16%uint64(len(small))]
				}
				if k > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(word)
			}
			b.WriteByte('.')
		}
		b.WriteString("</p>\n")
		t.paragraphs[i] = b.String()
	}
	return t
}

// assets are the files that pages refer to but do not link. Their path begins
// with /assets/.
var assets = [...]struct{ path, contentType, body string }{
	{"/assets/style.css", "text/css", "body { font: 1em/1.5 serif; max-width: 40em; background: url(/lost/1) }\n"},
	{"/assets/site.js", "text/javascript", "document.documentElement.dataset.ready = '<a href=\"/lost/2\">';\n"},
	{"/assets/one.png", "image/png", pngFile},
	{"/assets/two.png", "image/png", pngFile},
}

// Files that begin and end as they should and hold, where a careless reader
// would find it, an address that is none.
const (
	pngFile = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
		"\x00\x00\x00\x0dIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
	pdfFile = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n% <a href=\"/lost/3\">\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
)

// appendTitle appends the title of page n of host h, without escapes.
func (w *Web) appendTitle(dst []byte, h, n int) []byte {
	x := w.hash(h, n, forTitle)
	first := words[x>>8%uint64(len(words))]
	dst = append(dst, first[0]-'a'+'A')
	dst = append(append(dst, first[1:]...), ' ')
	if x%8 == 0 {
		dst = append(dst, "& "...)
	}
	dst = append(dst, words[x>>16%uint64(len(words))]...)
	return strconv.AppendInt(append(dst, ' '), int64(n), 10)
}

func (w *Web) appendDescription(dst []byte, h, n int) []byte {
	dst = w.appendTitle(append(dst, "Notes on “"...), h, n)
	return strconv.AppendInt(append(dst, "”, on site "...), int64(h), 10)
}

// escape escapes what dst holds from start on for HTML text and attributes.
func escape(dst []byte, start int) []byte {
	if bytes.IndexByte(dst[start:], '&') < 0 {
		return dst
	}
	return append(dst[:start], bytes.ReplaceAll(dst[start:], []byte("&"), []byte("&amp;"))...)
}

// appendPage appends the HTML of page n of host h.
func (w *Web) appendPage(dst []byte, names *names, h, n int) []byte {
	start := len(dst)
	look := w.look(h, n)
	self := node{h: h, n: n}

	dst = append(dst, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"...)
	at := len(dst)
	dst = escape(w.appendTitle(dst, h, n), at)
	dst = append(dst, "</title>\n"...)
	if look.base != "" {
		dst = append(dst, `<base href="`...)
		dst = append(names.appendRoot(dst, h), look.base...)
		dst = append(dst, "\">\n"...)
	}
	dst = append(dst, `<meta name="description" content="`...)
	at = len(dst)
	dst = escape(w.appendDescription(dst, h, n), at)
	dst = append(dst, "\">\n"...)
	if robots := look.robots(); robots != "" {
		dst = append(dst, `<meta name="robots" content="`...)
		dst = append(append(dst, robots...), "\">\n"...)
	}
	if look.canonical {
		dst = append(dst, `<link rel="canonical" href="`...)
		dst = append(w.appendURL(dst, names, self), "\">\n"...)
	}
	dst = append(dst, "<link rel=\"stylesheet\" href=\"/assets/style.css\">\n<script src=\"/assets/site.js\"></script>\n"...)
	if look.lost {
		dst = append(dst, "<!-- <a href=\"/lost/4\">an old page</a> -->\n"+
			"<script>document.title += '<a href=\"/lost/5\">';</script>\n"...)
	}
	dst = append(dst, "</head>\n<body>\n<nav>\n"...)

	var room [64]link
	links := w.links(names, h, n, room[:0])
	nav := min(w.o.Pages, 5)
	for _, l := range links[:nav] {
		dst = append(w.appendLink(dst, names, self, look.base, l), '\n')
	}
	dst = append(dst, "</nav>\n<main>\n<h1>"...)
	at = len(dst)
	dst = escape(w.appendTitle(dst, h, n), at)
	dst = append(dst, "</h1>\n<img src=\"/assets/"...)
	if n%2 == 0 {
		dst = append(dst, "one.png\" alt=\"\">\n"...)
	} else {
		dst = append(dst, "two.png\" alt=\"a plate\">\n"...)
	}

	// Text is spread evenly between the links.
	c := chance(w.hash(h, n, forBody))
	head := len(dst)
	body := links[nav:]
	for i, l := range body {
		want := head + (w.o.PageBytes-(head-start))*i/len(body)
		for len(dst) < want {
			dst = append(dst, w.text.paragraphs[c.next()%uint64(len(w.text.paragraphs))]...)
		}
		dst = append(dst, "<p>See "...)
		dst = append(w.appendLink(dst, names, self, look.base, l), ".</p>\n"...)
	}
	for len(dst)-start < w.o.PageBytes {
		dst = append(dst, w.text.paragraphs[c.next()%uint64(len(w.text.paragraphs))]...)
	}
	return append(dst, "</main>\n<footer><a href=\"mailto:someone@h0.test\">Write</a> "+
		"<a href=\"javascript:void(0)\">Print</a> <a href=\"tel:+100\">Call</a> <a>Up</a> "+
		"<a href=\"http://[/\">Broken</a></footer>\n</body>\n</html>\n"...)
}

func (l look) robots() string {
	switch {
	case l.noindex && l.nofollow:
		return "noindex, nofollow"
	case l.noindex:
		return "noindex"
	case l.nofollow:
		return "nofollow"
	}
	return ""
}

// appendLink appends the anchor element of l as it stands on page from, whose
// base element has the path base.
func (w *Web) appendLink(dst []byte, names *names, from node, base string, l link) []byte {
	quote := byte('"')
	if l.form == formBlanks {
		quote = '\''
	}
	dst = append(append(dst, "<a href="...), quote)
	dst = w.appendHref(dst, names, from, base, l)
	dst = append(dst, quote)
	if l.nofollow {
		dst = append(dst, ` rel="nofollow"`...)
	}
	dst = append(dst, '>')
	dst = append(dst, words[l.anchor%uint16(len(words))]...)
	dst = append(dst, ' ')
	dst = append(dst, words[l.anchor>>8%uint16(len(words))]...)
	return append(dst, "</a>"...)
}

// appendHref appends the address of l in its own spelling.
func (w *Web) appendHref(dst []byte, names *names, from node, base string, l link) []byte {
	start := len(dst)
	switch l.form {
	case formRelative:
		if base == "" {
			var room [128]byte
			base = string(w.appendPath(room[:0], from))
		}
		base, _, _ = strings.Cut(base, "?")
		up := strings.Count(base, "/") - 1
		for range up {
			dst = append(dst, "../"...)
		}
		if up == 0 {
			dst = append(dst, "./"...)
		}
		at := len(dst)
		dst = w.appendPath(dst, l.to)
		return append(dst[:at], dst[at+1:]...)
	case formAbsolute:
		return w.appendURL(dst, names, l.to)
	case formNoScheme:
		dst = names.appendRoot(dst, l.to.h)
		slashes := start + bytes.IndexByte(dst[start:], ':') + 1
		dst = append(dst[:start], dst[slashes:]...)
		return w.appendPath(dst, l.to)
	case formFragment:
		if l.to.h != from.h {
			dst = names.appendRoot(dst, l.to.h)
		}
		dst = append(w.appendPath(dst, l.to), "#part-"...)
		return strconv.AppendInt(dst, int64(l.anchor%8), 10)
	case formTracking:
		if l.to.h != from.h {
			dst = names.appendRoot(dst, l.to.h)
		}
		at := len(dst)
		dst = w.appendPath(dst, l.to)
		if bytes.IndexByte(dst[at:], '?') < 0 {
			dst = append(dst, '?')
		} else {
			dst = append(dst, "&amp;"...)
		}
		if l.anchor%4 == 0 {
			return append(dst, "gclid=Cj0KCQ"...)
		}
		dst = append(dst, "utm_source=feed&amp;utm_medium="...)
		return append(dst, words[l.anchor%8]...)
	case formDots:
		if l.anchor%2 == 0 {
			dst = append(dst, "/./old/.."...)
		} else {
			dst = append(dst, "/%2e/old/%2E%2e"...)
		}
		return w.appendPath(dst, l.to)
	case formUpper:
		dst = names.appendRoot(dst, l.to.h)
		copy(dst[start:], bytes.ToUpper(dst[start:]))
		return w.appendPath(dst, l.to)
	case formPort:
		dst = names.appendRoot(dst, l.to.h)
		if names.roots == nil && names.port == "" {
			if names.scheme == "https" {
				dst = append(dst, ":443"...)
			} else {
				dst = append(dst, ":80"...)
			}
		}
		return w.appendPath(dst, l.to)
	case formBlanks:
		dst = append(dst, " \n"...)
		return append(w.appendPath(dst, l.to), "\t "...)
	case formBackslash:
		dst = w.appendPath(dst, l.to)
		for i, b := range dst[start:] {
			if b == '/' {
				dst[start+i] = '\\'
			}
		}
		return dst
	case formRaw:
		dst = w.appendPath(dst, l.to)
		return append(dst[:start], bytes.Replace(dst[start:], []byte("%C3%A9"), []byte("é"), 1)...)
	default:
		return w.appendPath(dst, l.to)
	}
}
