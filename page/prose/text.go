package prose

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"pawl/page"
)

// maxIndent is how deep lists are indented; deeper ones stand as deep.
const maxIndent = 8

// Text returns what there is to read in a page, in UTF-8. Blocks such as headings and cells of a layout stand on lines of their
// own, with an empty line around paragraphs, headings, lists, tables and quotes. The items of lists begin with "- ", indented by
// two spaces in lists within lists; the cells of a row are parted by tabs. White space is collapsed, but in pre. Not text are
// the title, scripts, styles, templates, drawings' titles, frames, what is shown where no scripts run, and what is to be chosen
// from in a form.
//
// It reads tags, not a tree, so it takes pages of any depth; its time and the length of the text are linear in the length of the
// page. It fails if the body is no HTML page by page.IsHTML. Text may be called concurrently.
func Text(contentType string, body []byte) (string, error) {
	if err := checkPage(contentType, body); err != nil {
		return "", err
	}
	text, _ := page.Text(contentType, body)
	w := writer{out: make([]byte, 0, len(text)/4)}
	switch page.MediaType(contentType) {
	case "application/xhtml+xml", "application/vnd.wap.xhtml+xml", "application/xml", "text/xml":
		w.xml = true
	}
	w.read(text)
	return string(w.out), nil
}

// writer writes the text of a page.
type writer struct {
	out []byte
	xml bool

	// What is to be written before the next character, if one comes.
	lines int    // line feeds
	gap   bool   // a space
	tabs  int    // tabs before a cell
	item  bool   // the sign of an item
	kept  []byte // white space of pre

	lists     int  // open
	first     bool // no item of the last list has come
	pre       int  // open
	templates int  // open
	option    bool // within an option
	cell      bool // the row has a cell
	cellText  bool // which has text
	cellLines bool // on more than one line
	raw       string
}

// read goes through the tokens of a page.
func (w *writer) read(text []byte) {
	z := page.NewTokens(text)
	z.AllowCDATA(w.xml)
	for {
		token := z.Next()
		raw := w.raw
		w.raw = ""
		switch token {
		case html.ErrorToken:
			return
		case html.TextToken:
			if raw == "" && w.templates == 0 && !w.option {
				w.text(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			tag := string(name)
			closes := token == html.SelfClosingTagToken && w.xml
			switch {
			case isHidden(tag):
				if closes {
					z.NextIsNotRawText()
				} else {
					w.raw = tag
				}
			case tag == "template":
				if !closes && !(w.templates == 0 && isShadowRoot(z, more)) {
					w.templates++
				}
			case w.templates == 0:
				w.start(tag)
				if closes {
					w.end(tag)
				}
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch tag := string(name); {
			case tag == "template":
				w.templates = max(0, w.templates-1)
			case w.templates == 0:
				w.end(tag)
			}
		}
	}
}

func isShadowRoot(z *page.Tokens, more bool) bool {
	for more {
		var key, value []byte
		if key, value, more = z.TagAttr(); string(key) == "shadowrootmode" {
			return bytes.EqualFold(value, []byte("open")) || bytes.EqualFold(value, []byte("closed"))
		}
	}
	return false
}

// isHidden reports whether an element holds raw text that is not for readers.
func isHidden(tag string) bool {
	switch tag {
	case "script", "style", "title", "noscript", "iframe", "noembed", "noframes", "textarea":
		return true
	}
	return false
}

// start takes in a start tag.
func (w *writer) start(tag string) {
	if tag != "option" && tag != "optgroup" && !formats(tag) {
		w.option = false // it was not closed
	}
	switch tag {
	case "br":
		w.lines = min(2, w.lines+1)
	case "ul", "ol", "menu", "dir":
		w.openList()
	case "li":
		w.startItem()
	case "tr":
		w.endRow()
	case "td", "th":
		w.startCell()
	case "pre", "listing", "xmp", "plaintext":
		w.breakLine(2)
		w.pre++
	case "option", "optgroup":
		w.option = true
	default:
		w.block(tag)
	}
}

// end takes in an end tag.
func (w *writer) end(tag string) {
	switch tag {
	case "br":
		w.lines = min(2, w.lines+1)
	case "ul", "ol", "menu", "dir":
		w.lists = max(0, w.lists-1)
		w.item = false
		w.breakLine(listGap(w.lists))
	case "li":
		w.breakLine(1)
	case "tr", "table":
		w.endRow()
		w.block(tag)
	case "td", "th":
		w.gap = false
	case "pre", "listing", "xmp":
		w.pre = max(0, w.pre-1)
		w.kept = w.kept[:0]
		w.breakLine(2)
	case "option", "optgroup", "select", "datalist":
		w.option = false
		w.gap = true
	default:
		w.block(tag)
	}
}

func (w *writer) openList() {
	w.breakLine(listGap(w.lists))
	w.lists++
	w.first = true
	w.item = false
}

// startItem starts an item, right below the last one even if that ended in a paragraph.
func (w *writer) startItem() {
	if w.first || w.lists == 0 {
		w.breakLine(1)
	} else {
		w.lines, w.tabs, w.gap = 1, 0, false
	}
	w.first = false
	w.item = true
}

func (w *writer) endRow() {
	w.cell, w.cellText, w.cellLines = false, false, false
	w.breakLine(1)
}

// startCell starts a cell: behind a tab, but on a line of its own if the one before it has several, as in tables that are there
// for the layout.
func (w *writer) startCell() {
	switch {
	case w.cellLines:
		w.cellText = true
		w.breakLine(1)
	case w.cell:
		w.lines = 0
		w.tabs++
	}
	w.cell, w.cellText, w.cellLines = true, false, false
	w.gap = false
}

// listGap returns how many line feeds there are around a list within others.
func listGap(lists int) int {
	if lists > 0 {
		return 1
	}
	return 2
}

// block takes in a tag of an element that is not special: whether it begins or ends, what is around it stands apart.
func (w *writer) block(tag string) {
	switch tag {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table", "dl", "figure", "hr", "hgroup":
		w.breakLine(2)
	case "address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog", "div", "dt", "fieldset", "figcaption", "footer",
		"form", "frameset", "header", "html", "legend", "main", "nav", "search", "section", "summary", "tbody", "tfoot", "thead":
		w.breakLine(1)
	default:
		if !formats(tag) {
			w.gap = true
		}
	}
}

// breakLine ends the line, with n-1 empty ones behind it, unless an item or a cell has just begun.
func (w *writer) breakLine(n int) {
	if w.item || w.cell && !w.cellText {
		return
	}
	w.lines = max(w.lines, n)
	w.tabs = 0
	w.gap = false
}

// formats reports whether an element only formats text within a word.
func formats(tag string) bool {
	switch tag {
	case "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark",
		"nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr":
		return true
	}
	return false
}

func (w *writer) text(text []byte) {
	for len(text) > 0 {
		n := 0
		for n < len(text) && ' ' < text[n] && text[n] < 0x7f {
			n++
		}
		if n > 0 {
			w.begin()
			w.cellText = w.cell
			w.out = append(w.out, text[:n]...)
			text = text[n:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case w.pre > 0 && (r == '\n' || r == '\t' || r == ' '):
			w.kept = append(w.kept, byte(r))
		case unicode.IsSpace(r) || unicode.IsControl(r):
			w.gap = w.pre == 0 || w.gap
		default:
			w.begin()
			w.cellText = w.cell
			w.out = utf8.AppendRune(w.out, r)
		}
	}
}

// begin writes what stands before the next character.
func (w *writer) begin() {
	if w.lines == 0 && w.tabs == 0 && !w.gap && !w.item && len(w.kept) == 0 {
		return
	}
	first := len(w.out) == 0
	lineStart := first || w.lines > 0
	switch {
	case first:
	case w.lines > 0:
		w.out = append(w.out, "\n\n"[:min(w.lines, 2)]...)
		w.cellLines = w.cellLines || w.cell && w.cellText
	case w.gap && w.tabs == 0 && len(w.kept) == 0:
		w.out = append(w.out, ' ')
	}
	if lineStart && (w.lists > 0 || w.item) {
		w.out = append(w.out, strings.Repeat("  ", max(0, min(w.lists, maxIndent)-1))...)
		if w.item {
			w.out = append(w.out, "- "...)
		} else {
			w.out = append(w.out, "  "...)
		}
	}
	for range w.tabs {
		w.out = append(w.out, '\t')
	}
	kept := w.kept
	if lineStart {
		// Of the white space that pre starts with, only the indentation of the first line matters.
		kept = kept[bytes.LastIndexByte(kept, '\n')+1:]
	}
	w.out = append(w.out, kept...)
	w.lines, w.tabs, w.gap, w.item, w.kept = 0, 0, false, false, w.kept[:0]
}
