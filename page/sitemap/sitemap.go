// Package sitemap reads what sites publish about their addresses: sitemaps and indexes of them in XML
// (https://www.sitemaps.org/protocol.html), feeds (RSS 0.9 to 2.0, Atom) and plain lists, with gzip or without.
//
// Most sitemaps are made by small programs that no validator has seen. XML parsers refuse a file for one "&" or for a
// warning in front of it, and with it all the addresses of a site. So the file is read as a stream of tags, of which only
// those are looked at that lead to an address:
//
//   - A tag goes by its name after the colon, in any letter case. Namespaces do not count, for too many are wrong or
//     missing; where something stands does. A loc is that of a page when it is a child of url, and spelt with the same
//     prefix or none: so those of images and videos are left out.
//   - An end tag that is missing or wrong is made good by the next tag that is known.
//   - What is no reference stays as it stands, such as "&" in a query. The names that HTML knows are taken, those that a
//     document type declares are not: nothing is ever expanded.
//   - An address in UTF-8 is taken for that whatever the file says of itself; others are read in the encoding that the header
//     or the XML declaration names, and without a usable name their bytes are percent-encoded.
//   - Whatever breaks off or goes wrong, what came before is kept.
//
// Addresses may be relative, against the protocol, and may lack a scheme when they start with the host of the file. They may
// lead to other hosts: whether to believe that is for the caller to decide, as are indexes that lead to each other.
//
// The file is read in one pass in a window of 32 KB (128 KB for absurd addresses), behind at most two layers of gzip.
package sitemap

import (
	"errors"
	"io"

	"pawl/weburl"
)

// Limits on what is read of one file. What is over them is left out, and Report.Cut says so.
const (
	// MaxEntries is how many pages or sitemaps are read of a file, as the protocol has it. Those that are malformed count,
	// alternates do not.
	MaxEntries = 50_000
	// MaxAlternates is how many alternates are taken from a file.
	MaxAlternates = 4 * MaxEntries
	// MaxBytes is the length of a file, compressed or not: the 52,428,800 bytes of the protocol and a little more.
	MaxBytes = 51 << 20
)

// maxWork bounds the bytes of all addresses of a file: short references in a file with a long address make long ones.
const maxWork = 2 * MaxBytes

// Kind is what a file turned out to be.
type Kind uint8

// The kinds of files. Feed is RSS and Atom.
const (
	None Kind = iota
	URLSet
	Index
	Feed
	Text
)

// String returns the name of k in lower case.
func (k Kind) String() string {
	switch k {
	case URLSet:
		return "urlset"
	case Index:
		return "index"
	case Feed:
		return "feed"
	case Text:
		return "text"
	}
	return "none"
}

// Entry is an address that a file lists. Its strings belong to the receiver for good.
type Entry struct {
	URL weburl.URL
	// LastMod is when the page or sitemap last changed, by its own account: "2006-01-02", or a time in UTC as
	// "2006-01-02T15:04:05Z". It is empty when the file gives no date, or none that is a full date.
	LastMod string
	// Sitemap says that the address is that of another sitemap.
	Sitemap bool
	// Alternate says that the address is that of the page before it in another language or for other devices
	// (rel=alternate). Most of those that stand among the last few hundred addresses are left out: files that have each page in
	// all languages repeat them for each.
	Alternate bool
}

// Input is a file to be read.
type Input struct {
	URL         string // as fetched; what relative addresses are resolved against
	ContentType string // of the header; only its charset is used
	Body        io.Reader
	Truncated   bool // the body is the beginning of a longer one; the last line of a list, if it was begun, does not count
	Speller     *weburl.Speller
}

// Report says what became of a file.
type Report struct {
	Kind      Kind
	Entries   int    // handed out, with alternates
	Malformed int    // that have no address or one that does not parse; in a list, lines that are not an address
	Ignored   int    // addresses that are neither http nor https, and alternates over the limit
	Cut       bool   // a limit was reached
	Broken    string // what is wrong with the file as a whole, empty if nothing was found; text for people
}

// Parse reads a file and hands out its entries one by one, in their order, until emit returns false. A file that is none of
// the kinds, such as a page in HTML, has Kind None and no entries.
//
// Everything is reported: Parse has no errors, for what was read before one is as good as the rest. It keeps nothing and may
// be called concurrently.
func Parse(in Input, emit func(Entry) bool) Report {
	p := &parser{emit: emit}
	var err error
	if p.base, err = in.Speller.NewBase(in.URL); err != nil {
		return Report{Broken: "address of the file: " + err.Error()}
	}
	if u, err := in.Speller.Parse(in.URL); err == nil {
		p.host, p.hostname = u.Host(), u.Hostname()
	}
	p.speller = in.Speller
	src, label, err := open(in, &p.report.Cut)
	if err != nil {
		return Report{Broken: err.Error(), Cut: p.report.Cut}
	}
	p.values.label = label
	p.scanner = newScanner(src)
	p.parse(in.Truncated)
	if err := p.scanner.err; err != nil && !errors.Is(err, io.EOF) && p.report.Broken == "" {
		p.report.Broken = brief(err)
	}
	return p.report
}

// brief returns what an error says, which may repeat what a stranger sent.
func brief(err error) string {
	const most = 200
	text := err.Error()
	return text[:min(len(text), most)]
}

// parser reads one file.
type parser struct {
	scanner        *scanner
	speller        *weburl.Speller
	base           *weburl.Base
	host, hostname string
	emit           func(Entry) bool
	report         Report
	stop           bool // nothing more is to be read

	values values
	date   dates
	markup markup

	pages, alternates int // references that were resolved, whether they make sense or not
	work              int // bytes of the addresses that were handed out

	// An entry is handed out when its element ends, for what is said about it may stand behind its address.
	pending bool
	loc     []byte
	lastMod string
	sitemap bool
	alts    []byte      // the alternates of the entry, each followed by a space
	recent  [256]uint64 // hashes of references
}

func (p *parser) parse(truncated bool) {
	p.scanner.skipSpace()
	if isWeb(p.scanner.peek(len("https://"))) {
		p.readText(truncated)
	} else {
		p.readMarkup()
	}
}

// add makes ref the address of the entry, and hands out the one before it. It takes what the file says between its tags,
// with references resolved.
func (p *parser) add(ref []byte, sitemap bool) {
	if p.pending {
		p.flush()
	}
	if p.pages >= MaxEntries {
		p.report.Cut, p.stop = true, true
		return
	}
	p.pages++
	ref = p.values.clean(ref)
	p.isRecent(ref)
	p.loc, p.pending = p.resolve(p.loc[:0], ref)
	p.sitemap = sitemap
}

// addAlternate adds an alternate to the entry.
func (p *parser) addAlternate(ref []byte) {
	ref = p.values.clean(ref)
	if p.isRecent(ref) {
		return
	}
	if p.alternates >= MaxAlternates {
		p.report.Cut = true
		p.report.Ignored++
		return
	}
	p.alternates++
	if alts, ok := p.resolve(p.alts, ref); ok {
		p.alts = append(alts, ' ')
	}
	if len(p.alts) > weburl.MaxLength {
		p.flush()
	}
}

// isRecent reports whether ref is among the last few hundred references, and makes it one of them.
func (p *parser) isRecent(ref []byte) bool {
	hash := uint64(14695981039346656037) // FNV-1a, for what is left out must not depend on chance
	for _, c := range ref {
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	at := &p.recent[(hash^hash>>32)%uint64(len(p.recent))]
	if *at == hash {
		return true
	}
	*at = hash
	return false
}

// resolve appends the address that ref leads to, or counts it.
func (p *parser) resolve(dst, ref []byte) (addr []byte, ok bool) {
	if len(ref) == 0 {
		p.report.Malformed++
		return dst, false
	}
	addr, err := p.base.Append(dst, p.withScheme(ref))
	switch {
	case err == nil:
		return addr, true
	case errors.Is(err, weburl.ErrScheme):
		p.report.Ignored++
	default:
		p.report.Malformed++
	}
	return dst, false
}

// flush hands out the entry with its alternates, if there is one.
func (p *parser) flush() {
	if p.pending {
		p.handOut(Entry{URL: weburl.URL(p.loc), LastMod: p.lastMod, Sitemap: p.sitemap})
	}
	for from, i := 0, 0; i < len(p.alts); i++ {
		if p.alts[i] == ' ' { // no address holds one
			if addr := p.alts[from:i]; !p.pending || string(addr) != string(p.loc) {
				p.handOut(Entry{URL: weburl.URL(addr), Alternate: true})
			}
			from = i + 1
		}
	}
	p.pending, p.lastMod, p.alts = false, "", p.alts[:0]
}

func (p *parser) handOut(e Entry) {
	if p.stop {
		return
	}
	if p.work += len(e.URL); p.work > maxWork {
		p.report.Cut, p.stop = true, true
		return
	}
	p.report.Entries++
	p.stop = !p.emit(e)
}
