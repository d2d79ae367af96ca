// Package page reads what a web page says: its links, and what it tells about itself.
//
// A page is read as a stream of tokens, never as a tree: a crawler meets pages of every shape, and the stream has no depth
// to run out of and keeps what came before an error. So elements are known by their tags alone. Links come from
//
//	a, area (href) · link (href, by rel) · frame, iframe (src) · img (src, srcset), input type=image, svg image,
//	video poster, body background · source, video, audio, track, embed (src), object (data) · script (src) ·
//	form method=get (action) · meta http-equiv=refresh · Link headers
//
// and not from comments, scripts, or templates, which are inert but for those of shadow trees. The content of noscript counts
// as markup: it holds what a page offers to those who run no scripts, such as crawlers. Not links either are references
// within the page ("#top"), connection hints (dns-prefetch, preconnect), empty src attributes, attributes such as ping, cite
// and formaction, and what is in a srcdoc.
//
// The cost of a page is linear in its length, whatever it holds.
package page

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/net/html"

	"pawl/weburl"
)

// Limits on what is kept of a page, in bytes unless it says otherwise. Text is cut between two characters.
const (
	MaxLinks  = 100_000 // of Page.Links and Page.Also together
	MaxText   = 2048    // Title, H1, MetaDescription and MetaRobots each
	MaxAnchor = 120     // Link.Anchor
	MaxRel    = 64      // Link.Rel
	MaxLang   = 64      // Page.Language
	MaxChunks = 256     // Page.Chunks
)

const (
	// maxToken is the longest tag, comment or text that is read whole.
	maxToken = 256 << 10
	// maxArena bounds the strings of all links of a page: short references to a page with a long address make long ones.
	maxArena = 16 << 20
	// maxWork bounds the bytes that are resolved, beyond twice those of the page itself.
	maxWork = 16 << 20
	// keepScratch is how much a Parser keeps of its buffers from page to page.
	keepScratch = 1 << 20
)

// Page is what a page says. All its strings are valid UTF-8 in which white space is collapsed.
//
// A Page belongs to the caller of Parse for good. Its strings share their memory, so one that is kept keeps all.
type Page struct {
	Title           string // of the first title with text, not of a drawing
	H1              string // of the first h1 with text
	MetaDescription string // the first that is not empty
	MetaRobots      string // of all meta elements that speak to robots or to us, joined by ", "
	Language        string // lang of html, else Content-Language as meta or header
	Charset         string // name by the Encoding standard, in lower case: "utf-8", "windows-1251"

	Canonical weburl.URL // the first valid rel=canonical; Link headers come before elements
	Base      weburl.URL // of a base element, which links in the body are resolved against; empty: there is none

	NoIndex  bool // asked for by meta elements or X-Robots-Tag; the stricter counts
	NoFollow bool // likewise; the NoFollow of single links does not repeat it

	// WordCount is the number of words in the text of the page: runs of characters without white space that hold a letter
	// or a digit. Tags that format text do not part a word, all others do. Not counted are title, scripts, styles, text
	// areas, and the content of noscript, template and iframe.
	WordCount int

	// SimHash tells pages whose texts are nearly the same, as their values differ in few of 64 bits: those of unrelated texts
	// in about 32. It is the majority of the hashes of all runs of three words (Charikar 2002; Manku et al., WWW 2007), in the
	// text that WordCount counts, in lower case and without punctuation. A change of one word in a thousand changes about two
	// bits, of ten words five. It is 0 if the page has no words. Who makes a page can make its value.
	//
	// The value of a text never changes, so it may be stored and compared; but for texts with capital letters that Unicode has
	// added after version 15, of which old and new versions of Go differ in knowing the small ones.
	SimHash uint64

	// Chunks are the distinct pieces of the text that stand between tags that do not format text, such as paragraphs, items
	// and cells, as far as they hold words that count, in the order of the document, and then the title. Of more than MaxChunks
	// they are those with the smallest Exact, so the same of the same page.
	Chunks []Chunk

	Links    []Link // distinct targets in the order of the document, Link headers first
	Also     []Link // the addresses of Links once more for each further kind they occur as, in the order of Links, then of the document
	LinksCut bool   // the page has more links than are kept

	Outlinks  int // those of Links that a reader can take: a, area, frame, iframe and refresh
	Ignored   int // links that are neither http nor https, each occurrence
	Malformed int // links that do not parse or are too long, each occurrence
}

// Chunk stands for a piece of text by hashes of its words, in lower case and without punctuation. Words in links do not
// count: they are about what stands elsewhere. The hashes of a text never change, as SimHash; 0 is for no words at all.
type Chunk struct {
	Exact uint32 // of all words; never 0
	Words uint32 // of those without a digit, so that dates and numbers do not make a chunk a new one
	Rest  uint32 // of those that do not stand in the page's own address, as what was asked for does
	Loose uint32 // of those without a digit that do not stand there either
}

// Link is one target that a page links to as one kind.
//
// A target that occurs more than once stands in Page.Links once, in the place where it first stands, as the kind that leads
// furthest, and of several the first: what a reader can take before other navigation, before assets, before the rest. The other
// kinds that it occurs as are in Page.Also. Rel is that of the first occurrence of the kind, and Anchor that of the first which
// has one.
type Link struct {
	URL  weburl.URL
	Kind Kind
	// NoFollow is rel=nofollow, ugc or sponsored at all occurrences of the kind; in Page.Links, if the kind is navigation, at all
	// of the target as any kind that is navigation.
	NoFollow     bool
	KindNoFollow bool   // that at all occurrences of the kind alone
	Rel          string // in lower case
	Anchor       string // text of an a element, with the alt texts of its images; alt text of an img or area
	Count        int    // how often it occurs as this kind
}

// Input is a page as it was fetched.
type Input struct {
	URL             string   // as requested; what links are resolved against
	ContentType     string   // header value, may be empty
	Body            []byte   // without content encoding; not changed, not kept
	LinkHeaders     []string // values of Link
	XRobots         []string // values of X-Robots-Tag
	ContentLanguage string   // header value
}

// Parser reads pages, one at a time: it is used by one goroutine, and reuses its buffers from page to page.
type Parser struct {
	speller *weburl.Speller
	agent   string // in lower case

	title, h1, anchor, text gather
	description, robots     gather
	language                gather

	links linkSet
	attrs attrs
	feed  feed
	slow  bool // leaves all to the Tokenizer; tests compare the two ways

	// What follows is about the page at hand.
	page       *Page
	body       []byte // in UTF-8
	z          *html.Tokenizer
	tokenizers int // that the page has taken
	end        int // of the current token in body
	base       *weburl.Base
	query      queryEncoder
	words      wordReader
	state      state
	baseSet    bool
	xml        bool // by its Content-Type
}

// state is where in the document the Parser stands, as far as that matters.
type state struct {
	raw       tag // element whose raw text comes next, or tagOther
	template  int // depth
	svg       int // depth
	noscript  bool
	inTitle   bool // the raw text to come is a title that is wanted
	inH1      bool
	inA       bool
	anchorFor int // index of the link whose anchor is gathered while inA
	language  int // how good a source the language has, see setLanguage
	stale     bool
}

// New returns a Parser. The agent is the product token by which meta elements and X-Robots-Tag headers may speak to this
// crawler alone; it may be empty.
func New(sp *weburl.Speller, agent string) *Parser {
	p := &Parser{speller: sp, agent: lower(agent)}
	for _, g := range []*gather{&p.title, &p.h1, &p.description, &p.robots} {
		g.max = MaxText
	}
	p.anchor.max, p.text.max, p.language.max = MaxAnchor, MaxRel, MaxLang
	p.links.reset()
	return p
}

// Parse reads a page. It fails only if in.URL is no http or https address; whatever else is wrong with a page, or if it is
// no page at all, Parse returns what could be read.
func (p *Parser) Parse(in Input) (*Page, error) {
	base, err := p.speller.NewBase(in.URL)
	if err != nil {
		return nil, fmt.Errorf("base address: %w", err)
	}
	p.start(in, base)
	p.readHeaders(in)
	p.readBody()
	return p.finish(in), nil
}

func (p *Parser) start(in Input, base *weburl.Base) {
	p.page = new(Page)
	for _, g := range []*gather{&p.title, &p.h1, &p.anchor, &p.description, &p.robots, &p.language} {
		g.reset()
	}
	p.body, p.page.Charset, p.query = decode(in.Body, in.ContentType)
	p.body = slices.Clip(p.body) // digest looks behind its text, and what is behind the body is not ours
	p.links.budget = maxWork + 2*len(p.body)
	p.links.baseLen = len(in.URL)
	p.base, p.baseSet = base, false
	p.words.reset()
	p.words.digest.setOwn(in.URL)
	p.xml = isXML(MediaType(in.ContentType))
	p.state = state{}
}

func (p *Parser) finish(in Input) *Page {
	p.endAnchor()
	p.setLanguage(in.ContentLanguage, languageHeader)
	page := p.page
	p.words.space()
	page.WordCount, page.SimHash = p.words.n, p.words.digest.sim.sum()
	p.words.digest.inLink = false
	p.words.add(p.title.buf)
	p.words.space()
	page.Chunks = p.words.digest.chunks.export()
	p.links.export(page, p.title.buf, p.h1.buf, p.description.buf, p.robots.buf, p.language.buf)
	p.links.reset()
	p.page, p.body, p.z, p.base, p.query = nil, nil, nil, nil, queryEncoder{}
	p.feed.body = nil
	if cap(p.attrs.decoded) > keepScratch {
		p.attrs.decoded = nil
	}
	p.attrs.values = [attrCount][]byte{} // they point into the page
	return page
}

// readBody goes through the tokens of the body.
func (p *Parser) readBody() {
	p.feed = feed{body: p.body}
	p.tokenizers = 0
	p.restart(0)
	for {
		p.readPlain()
		p.feed.token(p.state.raw != tagOther)
		p.z.AllowCDATA(p.xml || p.state.svg > 0)
		token := p.z.Next()
		raw := p.z.Raw()
		p.end += len(raw)
		if len(raw) >= maxToken {
			if !p.oversize(token, raw) {
				return
			}
			continue
		}
		switch token {
		case html.ErrorToken:
			return
		case html.TextToken:
			p.readText(0)
		case html.StartTagToken:
			p.startTag(tagOf(tagName(raw, len("<"))), raw, false)
		case html.SelfClosingTagToken:
			p.startTag(tagOf(tagName(raw, len("<"))), raw, true)
		case html.EndTagToken:
			p.endTag(tagOf(tagName(raw, len("</"))))
		}
		if p.state.stale && p.state.raw == tagOther {
			p.restart(p.end)
		}
	}
}

// restart reads on at an offset in the body with a new Tokenizer.
func (p *Parser) restart(offset int) {
	p.end = offset
	p.feed.next = offset
	p.state.raw = tagOther
	p.state.stale = false
	p.z = html.NewTokenizer(&p.feed)
	p.z.SetMaxBuf(maxToken)
	p.tokenizers++
}

// oversize goes on after a token that is longer than maxToken and of which raw is the beginning. It returns false if that
// was the end of the page.
func (p *Parser) oversize(token html.TokenType, raw []byte) bool {
	closing := ">"
	switch element := p.state.raw; {
	case token == html.TextToken && element != tagOther:
		p.readText(0)
		return p.skipRaw(element)
	case token == html.TextToken:
		// The Tokenizer gave up on its last byte without looking at it, and the one before may start a tag.
		cut := 0
		if i := bytes.LastIndexByte(raw[len(raw)-2:], '<'); i >= 0 {
			cut = 2 - i
		}
		p.readText(cut)
		p.restart(p.end - cut)
		return true
	case token == html.CommentToken && bytes.HasPrefix(raw, []byte("<!--")):
		closing = "-->"
	}
	from := p.end - len(closing)
	i := bytes.Index(p.body[from:], []byte(closing))
	if i < 0 {
		return false
	}
	p.restart(from + i + len(closing))
	return true
}

// skipRaw goes on at the end tag of an element whose raw text was too long.
func (p *Parser) skipRaw(element tag) bool {
	from := p.end - maxName
	for {
		i := bytes.Index(p.body[from:], []byte("</"))
		if i < 0 {
			return false
		}
		from += i
		if tagOf(tagName(p.body[from:min(len(p.body), from+maxName)], len("</"))) == element {
			p.restart(from)
			return true
		}
		from += len("</")
	}
}
