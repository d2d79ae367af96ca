package page

import (
	"bytes"

	"pawl/weburl"
)

// manyAttrs is how many attributes a tag may have before the Tokenizer is replaced: it keeps a map of their names, which
// it clears for each tag at the cost of the largest that it has met.
const (
	manyAttrs     = 64
	manyAttrBytes = 1024 // a shorter tag is not counted
)

func hasManyAttrs(raw []byte) bool {
	if len(raw) < manyAttrBytes {
		return false
	}
	rest := raw[len("<")+len(tagName(raw, len("<"))):]
	for n := 0; n < manyAttrs; n++ {
		var name []byte
		if name, _, rest = nextAttr(rest); name == nil {
			return false
		}
	}
	return true
}

// breakWord sets the text that follows apart from what came before.
func (p *Parser) breakWord() {
	p.words.space()
	p.anchor.space()
	p.h1.space()
}

// readText takes in the text token that the Tokenizer stands at, without its last cut bytes.
func (p *Parser) readText(cut int) {
	element := p.state.raw
	p.state.raw = tagOther
	if p.state.template > 0 || element != tagOther && !(element == tagTitle && p.state.inTitle) {
		return
	}
	text := p.z.Raw()
	if bytes.HasPrefix(text, []byte("<![CDATA[")) {
		p.addText(p.z.Text())
		return
	}
	if bytes.IndexByte(text, '&') >= 0 {
		text = p.z.Text()
	}
	text = text[:max(0, len(text)-cut)]
	if element == tagTitle {
		p.title.add(text)
		return
	}
	p.addText(text)
}

// addText adds text to all that is gathered from it where the Parser stands.
func (p *Parser) addText(text []byte) {
	if p.state.inA {
		p.anchor.add(text)
	}
	if p.state.inH1 {
		p.h1.add(text)
	}
	if !p.state.noscript {
		p.words.digest.inLink = p.state.inA
		p.words.add(text)
	}
}

func (p *Parser) endTag(t tag) {
	p.state.raw = tagOther
	if p.state.template > 0 && t != tagTemplate {
		return
	}
	if t != tagInline && t != tagA {
		p.breakWord()
	}
	switch t {
	case tagA:
		p.endAnchor()
	case tagH1, tagHeading:
		p.state.inH1 = false
	case tagTemplate:
		p.state.template = max(0, p.state.template-1)
	case tagSVG:
		p.state.svg = max(0, p.state.svg-1)
	case tagNoscript:
		p.state.noscript = false
	}
}

// startTag takes in a start tag. If it closes itself it is an end tag too, but only in XML and in drawings.
func (p *Parser) startTag(t tag, raw []byte, selfClosing bool) {
	closes := selfClosing && (p.xml || p.state.svg > 0)
	p.openTag(t, raw, selfClosing)
	if closes && t.startsRaw() {
		p.z.NextIsNotRawText()
	}
	if closes && t != tagSVG {
		p.endTag(t)
	}
}

func (p *Parser) openTag(t tag, raw []byte, selfClosing bool) {
	p.state.raw = tagOther
	p.state.stale = p.state.stale || hasManyAttrs(raw)
	switch {
	case t == tagInline:
		return
	case t == tagNoscript || t == tagNoframes:
		p.z.NextIsNotRawText()
	case t.startsRaw():
		p.state.raw = t
	case t == tagTemplate && p.state.template == 0:
		// That of a shadow tree is shown, so what it holds counts as if the template were not there.
		p.attrs.read(p.z, raw)
		if mode := p.attrs.get(attrShadowRoot); !equalFold(mode, "open") && !equalFold(mode, "closed") {
			p.state.template = 1
		}
	case t == tagTemplate:
		p.state.template++
	}
	if p.state.template > 0 {
		return
	}
	if t != tagA {
		p.breakWord()
	}
	switch t {
	case tagOther:
		return
	case tagH1:
		p.state.inH1 = len(p.h1.buf) == 0
	case tagHeading:
		p.state.inH1 = false
	case tagNoscript:
		p.state.noscript = true
	case tagSVG:
		if !selfClosing {
			p.state.svg++
		}
	case tagTitle:
		p.state.inTitle = p.state.svg == 0 && len(p.title.buf) == 0
	default:
		p.attrs.read(p.z, raw)
		p.element(t)
	}
}

// element takes in the start tag of an element whose attributes matter.
func (p *Parser) element(t tag) {
	a := &p.attrs
	switch t {
	case tagA:
		p.endAnchor()
		href := attrHref
		if !a.has(attrHref) {
			href = attrXlinkHref
		}
		if i := p.addHref(KindA, href); i >= 0 {
			p.anchor.reset()
			p.state.inA, p.state.anchorFor = true, i
		}
	case tagArea:
		p.setAnchor(p.addHref(KindArea, attrHref), a.get(attrAlt))
	case tagBase:
		p.setBase()
	case tagBody:
		p.addSrc(KindImg, attrBackground)
	case tagForm:
		if m := a.get(attrMethod); !equalFold(m, "post") && !equalFold(m, "dialog") {
			p.addSrc(KindForm, attrAction)
		}
	case tagFrame:
		p.addSrc(KindFrame, attrSrc)
	case tagHTML:
		p.setLanguage(string(a.get(attrLang)), languageHTML)
		p.setLanguage(string(a.get(attrXMLLang)), languageXML)
	case tagIframe:
		p.addSrc(KindIframe, attrSrc)
	case tagImage:
		if p.state.svg == 0 { // an old spelling of img
			p.img()
			return
		}
		p.addSrc(KindImg, attrHref)
		p.addSrc(KindImg, attrXlinkHref)
	case tagImg:
		p.img()
	case tagInput:
		if equalFold(a.get(attrType), "image") {
			p.setAnchor(p.addSrc(KindImg, attrSrc), a.get(attrAlt))
		}
	case tagLink:
		p.addRel(a.get(attrHref), a.get(attrRel), KindLink)
	case tagMeta:
		p.meta()
	case tagObject:
		p.addSrc(KindMedia, attrData)
	case tagScript:
		p.addSrc(KindScript, attrSrc)
	case tagSource:
		p.addSrc(KindMedia, attrSrc)
		p.addSrcset()
	case tagAudio, tagEmbed, tagTrack, tagVideo:
		p.addSrc(KindMedia, attrSrc)
		p.addSrc(KindImg, attrPoster)
	}
}

func (p *Parser) img() {
	alt := p.attrs.get(attrAlt)
	if p.state.inA {
		p.anchor.add(alt)
		p.anchor.space()
	}
	p.setAnchor(p.addSrc(KindImg, attrSrc), alt)
	p.addSrcset()
}

// addHref adds a link that a reader can take. An empty one leads to the page itself.
func (p *Parser) addHref(k Kind, href attr) int {
	if !p.attrs.has(href) {
		return -1
	}
	rel := p.attrs.get(attrRel)
	return p.addLink(k, p.attrs.get(href), rel, relOf(rel)&relNoFollow != 0)
}

// addSrc adds a link to a part of the page. An empty one says that there is none.
func (p *Parser) addSrc(k Kind, src attr) int {
	ref := p.attrs.get(src)
	if len(ref) == 0 {
		return -1
	}
	return p.addLink(k, ref, nil, false)
}

func (p *Parser) addSrcset() {
	for rest := p.attrs.get(attrSrcset); len(rest) > 0; {
		var ref []byte
		if ref, rest = nextCandidate(rest); len(ref) > 0 {
			p.addLink(KindImg, ref, nil, false)
		}
	}
}

// nextCandidate returns the address of the first image candidate in a srcset and what follows the candidate
// (https://html.spec.whatwg.org/#parse-a-srcset-attribute). An address may hold commas, but not end with one.
func nextCandidate(srcset []byte) (ref, rest []byte) {
	ref, rest = field(bytes.TrimLeft(srcset, " \t\n\f\r,"), isSpace)
	if n := len(ref); n > 0 && ref[n-1] == ',' {
		return bytes.TrimRight(ref, ","), rest
	}
	parens := 0
	for i, c := range rest {
		switch {
		case c == '(':
			parens = 1 // they do not nest
		case c == ')':
			parens = 0
		case c == ',' && parens == 0:
			return ref, rest[i+1:]
		}
	}
	return ref, nil
}

// setBase takes in a base element. Only the first with an address counts, and it counts from where it stands: by the
// standard it is about earlier links too, but those hardly occur, as its place is at the top of the head.
func (p *Parser) setBase() {
	if p.baseSet || !p.attrs.has(attrHref) {
		return
	}
	p.baseSet = true
	ref := p.attrs.get(attrHref)
	if foreignScheme(ref) {
		return
	}
	addr, err := p.base.Append(nil, validUTF8(ref))
	if err != nil {
		return
	}
	if base, err := p.speller.NewBase(string(addr)); err == nil {
		p.base = base
		p.links.baseLen = len(addr)
		p.page.Base = weburl.URL(addr)
	}
}

// setAnchor sets the text of link i, if there is such a link.
func (p *Parser) setAnchor(i int, text []byte) {
	if i < 0 || len(text) == 0 {
		return
	}
	p.text.reset()
	p.text.add(text)
	p.links.setAnchor(i, p.text.buf)
}

// endAnchor ends the a element that is open.
func (p *Parser) endAnchor() {
	if p.state.inA {
		p.state.inA = false
		p.links.setAnchor(p.state.anchorFor, p.anchor.buf)
	}
}
