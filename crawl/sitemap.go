package crawl

import (
	"bytes"
	"time"

	"pawl/fetch"
	"pawl/frontier"
	"pawl/page"
	"pawl/page/sitemap"
	"pawl/storage"
	"pawl/weburl"
)

const (
	// maxSitemap is how large a sitemap may be, in bytes: what the protocol allows
	// (https://www.sitemaps.org/protocol.html), with a little more.
	maxSitemap = 52 << 20
	// smallSitemap is what a sitemap has at the least, in bytes.
	smallSitemap = 10 << 20
	// maxSitemapsNamed is how many sitemaps of a robots.txt are asked for.
	maxSitemapsNamed = 1000
	// maxSitemapFiles is how many sitemaps are asked for on a host in a run: as
	// many as one index may name.
	maxSitemapFiles = 50_000
)

// largeWait is when it is looked again whether there is room for a large sitemap.
const largeWait = 5 * time.Second

// sitemapLimit is how large a sitemap may be: first as large as any page, and when
// that was too little as large as the protocol allows. There is room for few of
// these: ok is false when it is taken.
func (w *worker) sitemapLimit(j *frontier.Job) (limit int64, ok bool) {
	if j.Hops == 0 {
		return min(max(w.settings.MaxBody, smallSitemap), maxSitemap-1), true
	}
	select {
	case w.large <- struct{}{}:
		return maxSitemap, true
	default:
		return 0, false
	}
}

// isSitemap tells whether an answer is to be read as a sitemap: it was named as
// one, or it says so itself.
func (w *worker) isSitemap(j *frontier.Job, body []byte) bool {
	if page.Kind(j.Kind).SitemapFile() {
		return !page.IsHTML("", body)
	}
	return !w.settings.NoSitemaps && sitemap.Is(body)
}

// named is the kind of a sitemap that one of kind k names; ok is false when that
// is too deep.
func named(k page.Kind) (kind page.Kind, ok bool) {
	switch k {
	case page.KindSitemapFile2:
		return page.KindSitemapFile3, true
	case page.KindSitemapFile3:
		return 0, false
	}
	return page.KindSitemapFile2, true
}

// sitemap reads a sitemap. What it lists stands where it stands itself, if it was
// named as a sitemap; what a page like others lists is one deeper, as its links
// would be.
func (w *worker) sitemap(url string, r *fetch.Response, res *result) {
	deeper, mayNest := named(page.Kind(res.task.job.Kind))
	isNamed, tooDeep := page.Kind(res.task.job.Kind).SitemapFile(), 0
	report := sitemap.Parse(sitemap.Input{
		URL: url, ContentType: r.Header.Get("Content-Type"), Body: bytes.NewReader(r.Body), Truncated: r.Truncated, Speller: w.speller,
	}, func(e sitemap.Entry) bool {
		kind := page.KindSitemap
		switch {
		case e.Alternate:
			return true // the page itself says so too
		case e.Sitemap && !mayNest:
			tooDeep++
			return true
		case e.Sitemap:
			kind = deeper
		}
		w.address = append(w.address[:0], e.URL...)
		res.links = append(res.links, frontier.Candidate{
			Link: storage.Link{URL: string(e.URL), Kind: uint8(kind), Listed: isNamed, Anchor: e.LastMod}, FP: w.hash(w.address),
		})
		return true
	})
	res.isPage = true // without a text: it is worth what it leads to
	rec := &res.visit.Record
	rec.Outlinks, rec.Ignored, rec.Malformed = uint32(len(res.links)), uint32(report.Ignored), uint32(report.Malformed)
	if tooDeep > 0 {
		w.log.Warn("this index of sitemaps is the third in a row; what it names is passed over", "url", url, "named", tooDeep)
	}
	switch {
	case report.Broken != "":
		rec.Error = clean("sitemap: "+report.Broken, 200)
	case tooDeep > 0:
		rec.Error = "sitemap: the third index in a row; what it names is passed over"
	case report.Cut || r.Truncated && isNamed:
		rec.Error = "sitemap: larger than the protocol allows; the rest is passed over"
	}
	if report.Cut {
		w.log.Warn("this sitemap is larger than the protocol allows; the rest is passed over", "url", url, "kept", report.Entries)
	}
	w.log.Debug("read a sitemap", "url", url, "kind", report.Kind.String(), "entries", report.Entries, "malformed", report.Malformed)
}

// sitemapsOf are the sitemaps that a robots.txt names.
func (w *worker) sitemapsOf(url string, r *fetch.Robots) (links []frontier.Candidate) {
	base, err := w.speller.NewBase(url)
	if err != nil {
		return nil
	}
	for _, ref := range r.Sitemaps() {
		if len(links) == maxSitemapsNamed {
			break
		}
		if address, err := base.Append(nil, []byte(ref)); err == nil {
			links = append(links, frontier.Candidate{
				Link: storage.Link{URL: string(address), Kind: uint8(page.KindSitemapFile), Listed: true}, FP: w.hash(address),
			})
		}
	}
	return links
}

// listSitemaps appends the sitemaps that a robots.txt names.
func (l *loop) listSitemaps(r *result) error {
	links := l.frontier.Unknown(r.links)
	if len(links) == 0 {
		return nil
	}
	on := r.task.job.URL
	for i := range links {
		c := &links[i]
		l.admit(c, finding{url: weburl.URL(c.URL), on: on, kind: page.KindSitemapFile, listed: true})
	}
	return l.frontier.AddListed(on, links, l.now())
}

// countSitemap refuses a sitemap when its host has named too many.
func (l *loop) countSitemap(c *frontier.Candidate) {
	if c.Reason != storage.NoReason || !page.Kind(c.Kind).SitemapFile() {
		return
	}
	host := weburl.URL(c.URL).Host()
	if l.sitemapFiles[host] >= maxSitemapFiles {
		c.Reason = storage.Sitemaps
		return
	}
	l.sitemapFiles[host]++
}
