package sitemap

import "bytes"

// maxProlog is how far a root element may be from the beginning of a file, behind comments and what programs complain of.
const maxProlog = 64 << 10

// tag is a tag name that says something here.
type tag uint8

const (
	tagOther tag = iota
	tagURLSet
	tagIndex
	tagRSS // also RDF and Atom
	tagHTML
	tagURL
	tagSitemap
	tagItem  // also entry
	tagLoc   // leads to the address
	tagPlain // holds text that says nothing here
	tagLastMod
	tagUpdated // says the same in feeds, and more surely than the next
	tagPublished
	tagLink
	tagGUID
)

// tagOf returns the tag for a name without prefix, in any letter case.
func tagOf(name []byte) tag {
	var lower [len("sitemapindex")]byte
	if len(name) > len(lower) {
		return tagOther
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "urlset":
		return tagURLSet
	case "sitemapindex":
		return tagIndex
	case "rss", "rdf", "feed":
		return tagRSS
	case "html":
		return tagHTML
	case "url":
		return tagURL
	case "sitemap":
		return tagSitemap
	case "item", "entry":
		return tagItem
	case "loc":
		return tagLoc
	case "changefreq", "priority":
		return tagPlain
	case "lastmod":
		return tagLastMod
	case "updated", "modified":
		return tagUpdated
	case "pubdate", "date", "published", "issued":
		return tagPublished
	case "link":
		return tagLink
	case "guid":
		return tagGUID
	}
	return tagOther
}

// markup is where in a file in XML the parser stands.
type markup struct {
	started bool // there was a tag
	open    bool // the root is
	root    tag
	parent  tag // the url, sitemap or item that is open, if any
	prefix  []byte
	depth   int  // of unknown elements within it
	hadLoc  bool // it has an address, whether that makes sense or not
	guid    []byte

	field tag // the element that is open whose text is wanted, if any
	value []byte
	long  bool // the text is too long

	attr []byte
}

func (p *parser) readMarkup() {
	for !p.stop && p.readChars() {
		p.readMark()
	}
	if p.markup.open && !p.stop && !p.report.Cut && p.report.Broken == "" && p.scanner.ended() {
		p.report.Broken = "cut off within the root element"
	}
	if p.pending {
		p.flush()
	}
}

// readChars reads text up to the next "<", and reports false at the end of the file.
func (p *parser) readChars() bool {
	m, s := &p.markup, p.scanner
	if m.field != tagOther {
		for {
			run, ok := s.until('<')
			if !m.long && len(run) > 0 {
				m.value = p.values.appendText(m.value, run)
			}
			m.long = m.long || !ok || tooLong(m.value)
			full := s.full()
			s.skip(len(run))
			if ok || !full {
				return ok
			}
		}
	}
	if !m.open {
		s.skipSpace()
		switch next := s.peek(1); {
		case len(next) == 0:
			return false
		case p.report.Kind == None && s.offset() > maxProlog:
			return false
		case next[0] != '<' && p.report.Broken == "":
			p.report.Broken = "text outside of the root element"
		}
	}
	return s.skipTo("<")
}

// readMark reads what starts with a "<".
func (p *parser) readMark() {
	const cdata = "<![CDATA["
	s := p.scanner
	head := s.peek(len(cdata))
	switch {
	case len(head) < 2 || head[1] != '!' && head[1] != '?':
		p.readTag()
	case head[1] == '?':
		s.skipInstruction()
	case bytes.HasPrefix(head, []byte("<!--")):
		s.skip(len("<!--"))
		s.skipPast("-->")
	case string(head) == cdata:
		s.skip(len(cdata))
		p.readCDATA()
	default:
		if s.skipDeclaration() && p.report.Kind == None {
			p.stop = true
		}
	}
}

// readTag reads a tag, or a "<" that starts none.
func (p *parser) readTag() {
	e, ok := p.scanner.tag()
	switch {
	case !ok:
		p.scanner.skip(1)
		if m := &p.markup; m.field != tagOther && !m.long {
			m.value = append(m.value, '<')
		}
	case e.end:
		p.endTag(e)
	default:
		p.startTag(e)
	}
}

// readCDATA reads a section up to its end, or up to the next "<" in an element whose text is wanted, for no address
// has one: there the end was forgotten.
func (p *parser) readCDATA() {
	m, s := &p.markup, p.scanner
	if m.field == tagOther {
		s.skipPast("]]>")
		return
	}
	for {
		run := s.rest()
		next := bytes.IndexByte(run, '<')
		if next >= 0 {
			run = run[:next]
		}
		end := bytes.Index(run, []byte("]]>"))
		if end >= 0 {
			run = run[:end]
		}
		if end >= 0 || next >= 0 {
			if !m.long {
				m.value = append(m.value, p.values.utf8(run)...)
			}
			m.long = m.long || tooLong(m.value)
			s.skip(len(run))
			if end >= 0 {
				s.skip(len("]]>"))
			}
			return
		}
		if s.full() {
			m.long = true
			s.skip(len(run) - len("]]"))
		}
		if !s.fill() {
			m.long = true
			s.skip(len(run))
			return
		}
	}
}

func (p *parser) startTag(e element) {
	m := &p.markup
	t := tagOf(e.name)
	first := !m.started
	m.started = true
	switch {
	case t == tagURLSet || t == tagIndex || t == tagRSS && (first || m.root == tagRSS):
		p.startRoot(t, e)
		return
	case m.root == tagOther:
		p.stop = t == tagHTML
		return
	}
	if m.field != tagOther {
		if t == tagOther {
			return
		}
		p.endField()
	}
	switch {
	case p.isParent(t) && (m.depth == 0 || bytes.Equal(e.prefix, m.prefix)):
		p.endParent()
		m.parent, m.prefix = t, append(m.prefix[:0], e.prefix...)
		if e.empty {
			p.endParent()
		}
	case t == tagLink:
		p.link(e)
	case m.parent != tagOther && (m.depth > 0 || !p.isLeaf(t, e)):
		if !e.empty {
			m.depth++
		}
	case t == tagLoc || t >= tagLastMod:
		if p.isLeaf(t, e) && (t != tagGUID || permanent(e)) {
			p.startField(t)
			if e.empty {
				p.endField()
			}
		}
	}
}

func (p *parser) startRoot(t tag, e element) {
	m := &p.markup
	p.endField()
	p.endParent()
	m.root, m.open = t, !e.empty
	m.prefix = append(m.prefix[:0], e.prefix...)
	if p.report.Kind != None {
		return
	}
	switch t {
	case tagURLSet:
		p.report.Kind = URLSet
	case tagIndex:
		p.report.Kind = Index
	case tagRSS:
		p.report.Kind = Feed
		p.setBase(e)
	}
}

// setBase takes the base that a feed names (RFC 4287, section 2).
func (p *parser) setBase(e element) {
	value, _ := e.attr("xml:base")
	if len(value) == 0 {
		return
	}
	p.markup.attr = p.values.appendText(p.markup.attr[:0], value)
	if addr, err := p.base.Raw(string(p.values.clean(p.markup.attr))); err == nil {
		if base, err := p.speller.NewBase(addr); err == nil {
			p.base = base
		}
	}
}

func (p *parser) endTag(e element) {
	m := &p.markup
	t := tagOf(e.name)
	if m.field != tagOther {
		if t == tagOther {
			return
		}
		field := m.field
		p.endField()
		if t == field {
			return
		}
	}
	switch {
	case t == m.root && t != tagOther:
		p.endParent()
		m.open = false
	case t == m.parent && t != tagOther && (m.depth == 0 || bytes.Equal(e.prefix, m.prefix)):
		p.endParent()
	case t != tagLink && m.depth > 0:
		m.depth--
	}
}

// isParent reports whether a tag starts an entry.
func (p *parser) isParent(t tag) bool {
	if p.markup.root == tagRSS {
		return t == tagItem
	}
	return t == tagURL || t == tagSitemap
}

// isLeaf reports whether a tag says something about the entry, and belongs to the same vocabulary.
func (p *parser) isLeaf(t tag, e element) bool {
	m := &p.markup
	if m.root == tagRSS {
		return m.parent != tagOther && t >= tagUpdated
	}
	return t >= tagLoc && t <= tagLastMod && (len(e.prefix) == 0 || bytes.Equal(e.prefix, m.prefix))
}

// endParent ends the entry that is open, if there is one, and hands it out.
func (p *parser) endParent() {
	m := &p.markup
	switch {
	case m.parent == tagOther:
	case m.root == tagRSS:
		if !m.hadLoc && isWeb(m.guid) {
			p.add(m.guid, false)
		}
	case !m.hadLoc:
		p.report.Malformed++
	}
	p.flush()
	m.parent, m.depth, m.hadLoc, m.guid = tagOther, 0, false, m.guid[:0]
}

func (p *parser) startField(t tag) {
	m := &p.markup
	m.field, m.value, m.long = t, m.value[:0], false
}

// endField takes in the text of the element that is open.
func (p *parser) endField() {
	m := &p.markup
	t := m.field
	m.field = tagOther
	switch {
	case t == tagLink && !m.long && len(p.values.clean(m.value)) == 0:
		// There may be a guid.
	case t == tagLoc || t == tagLink:
		m.hadLoc = true
		if m.long {
			p.report.Malformed++
			return
		}
		p.add(m.value, m.root == tagIndex || m.parent == tagSitemap)
	case m.long:
	case t == tagLastMod || t == tagUpdated:
		p.lastMod = p.date.parse(m.value)
	case t == tagPublished && p.lastMod == "":
		p.lastMod = p.date.parse(m.value)
	case t == tagGUID:
		m.guid = append(m.guid[:0], p.values.clean(m.value)...)
	}
}

// link reads an element of that name: of Atom or XHTML, which has its address in an attribute, or of RSS. Those of the first
// kind are often left open in files that are otherwise XML, so it counts as an element that has no end tag.
func (p *parser) link(e element) {
	m := &p.markup
	href, ok := e.attr("href")
	if !ok {
		if m.root == tagRSS && m.parent != tagOther && m.depth == 0 && !e.empty {
			p.startField(tagLink)
		}
		return
	}
	if m.parent == tagOther || m.root == tagRSS && m.depth > 0 {
		return
	}
	if rel, ok := e.attr("rel"); !alternate(rel) && (ok || m.root != tagRSS) {
		return
	}
	m.attr = p.values.appendText(m.attr[:0], href)
	switch {
	case m.root != tagRSS:
		p.addAlternate(m.attr)
	case !m.hadLoc || len(e.prefix) == 0:
		m.hadLoc = true
		p.add(m.attr, false)
	}
}

// alternate reports whether a rel attribute has that word.
func alternate(rel []byte) bool {
	for word := range bytes.FieldsSeq(rel) {
		if fold(word, "alternate") {
			return true
		}
	}
	return false
}

// permanent reports whether a guid is an address.
func permanent(e element) bool {
	value, ok := e.attr("ispermalink")
	return !ok || !fold(value, "false")
}
