package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"iter"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"pawl/fetch"
	"pawl/frontier"
	"pawl/page"
	"pawl/page/field"
	"pawl/storage"
	"pawl/weburl"
)

// task is a job on its way to a worker.
type task struct {
	job     frontier.Job
	treat   *treatment
	terms   *terms // nil: those of the worker
	rules   *rules // nil: everything is allowed
	trusted bool   // the user named the host
	tell    bool   // the user's secrets may be told
}

// rules is a robots.txt that is parsed when the first worker needs it.
type rules struct {
	text  string
	token string
	once  sync.Once
	read  *fetch.Robots
}

func (r *rules) allow(pathQuery string) bool {
	if r == nil {
		return true
	}
	r.once.Do(func() { r.read = fetch.ParseRobots([]byte(r.text), r.token) })
	return r.read.Allowed(pathQuery)
}

// why names the rule that forbids a path.
func (r *rules) why(pathQuery string) string {
	line, text := r.read.Why(pathQuery)
	return clean(fmt.Sprintf("robots.txt line %d: %s", line, text), 200)
}

// result is what a worker made of a task. It says what happened; whether that
// is the end of the job is for the loop to decide.
type result struct {
	task       *task
	visit      *storage.Visit       // nil for a robots.txt and when aborted
	links      []frontier.Candidate // not judged yet
	isPage     bool                 // it was read as one
	chunks     []page.Chunk         // of its text
	images     []uint32             // hashes of the addresses of its images
	robots     *storage.Host        // for a robots.txt
	sent       time.Time            // zero: no request went out
	answered   time.Duration        // from sent to the first byte of the answer, or to the end
	ended      time.Time            // when the exchange was over
	reused     bool                 // it was on a connection that had served before
	retryAfter time.Duration
	again      string        // redirected to this other spelling of the same address
	proxy      string        // not empty: the proxy itself is in trouble, the host was not asked
	large      bool          // a sitemap that is to be asked for again, with more room
	later      time.Duration // but not before
	crowded    bool          // it had no memory for its body: nobody is to blame
	aborted    bool

	keptLinks storage.Kept  // all links, if they are to be kept
	body      *storage.Body // nil: it is not to be stored; valid but for its Content
	packed    storage.Kept  // the same
	exchange  *Exchange     // nil: it is not to be archived
	share     *fetch.Share  // of memory, for all this; nil: it is little
}

// worker turns tasks into results, one at a time. It sees neither queue nor
// disk.
type worker struct {
	number   int
	settings *Settings
	fetcher  *fetch.Fetcher
	speller  *weburl.Speller
	hash     func([]byte) uint64
	token    string
	packer   *storage.Packer
	archives bool                   // exchanges are to be archived
	links    func(*Answer) []string // of the program; nil: none
	inspects bool                   // all links are of interest, whatever the settings say
	log      *slog.Logger
	sent     chan<- sending
	large    chan struct{} // of as many places as sitemaps may be in memory
	isLarge  bool          // it has one of them
	buffer   fetch.Buffer
	parsers  *sync.Pool // of *page.Parser: a worker that waits for a host needs none
	address  []byte     // of a link, to be hashed
	keeping  []storage.PageLink
}

// sending is the news that a request has gone out.
type sending struct {
	job *frontier.Job
	at  time.Time
}

func (w *worker) run(ctx context.Context, tasks <-chan *task, results chan<- *result) {
	for t := range tasks {
		r := w.do(ctx, t)
		if n := r.size(); n >= largeResult {
			r.share = w.buffer.Keep(n)
		}
		w.buffer.Release()
		if w.isLarge {
			w.isLarge = false
			<-w.large
		}
		results <- r
	}
}

// errTimeAlone breaks off a job that has kept the others waiting for too long.
var errTimeAlone = errors.New("its time alone is over")

// do makes a result of a task, also when something in it panics.
func (w *worker) do(ctx context.Context, t *task) (res *result) {
	began := time.Now()
	if t.terms != nil {
		w.settings, w.fetcher = t.terms.settings, t.terms.fetcher
	}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		w.log.Error("this page crashed its worker; the crawl goes on", "url", t.job.URL, "panic", fmt.Sprint(p))
		w.log.Debug("where it crashed", "url", t.job.URL, "stack", string(debug.Stack()))
		// What the panic left behind is not to be trusted.
		w.buffer.Drop()
		res = crashed(t, began, time.Now(), fmt.Sprint(p))
	}()
	if t.job.Alone {
		var over context.CancelFunc
		ctx, over = context.WithTimeoutCause(ctx, t.job.Within, errTimeAlone)
		defer over()
	}
	if t.job.Robots {
		return w.robots(ctx, t)
	}
	return w.page(ctx, t)
}

// crashed is the result of a job that panicked. Its request counts as sent.
func crashed(t *task, began, now time.Time, why string) *result {
	ask := storage.Ask{Asked: true, Time: began.UnixMilli(), Took: milliseconds(now.Sub(began))}
	why = clean("panic: "+why, 200)
	res := &result{task: t, sent: began}
	if t.job.Robots {
		res.robots = &storage.Host{Ask: ask, State: storage.RobotsGivenUp, Class: storage.Crashed, Error: why}
		return res
	}
	res.visit = &storage.Visit{Ask: ask, Outcome: storage.Failed, Class: storage.Crashed, Record: storage.Record{Error: why}}
	return res
}

func (w *worker) fetch(ctx context.Context, t *task, url string, maxBody int64) fetch.Response {
	req := fetch.Request{
		URL: url, Trusted: t.trusted, Auth: t.tell, MaxBody: maxBody,
		Heads: (w.settings.StoreBodies || w.archives) && !t.job.Robots,
	}
	if t.job.TellSent {
		req.WhenSent = func(at time.Time) {
			select {
			case w.sent <- sending{job: &t.job, at: at}:
			case <-ctx.Done():
			}
		}
	}
	return w.fetcher.Fetch(ctx, req, &w.buffer)
}

// answered is the time from the request to the first byte of the answer, or to
// the end when there was none.
func answered(r *fetch.Response) time.Duration {
	end := r.Total
	if r.TTFB > 0 {
		end = r.TTFB
	}
	return max(r.Started.Add(end).Sub(began(r)), 0)
}

func ask(r *fetch.Response) storage.Ask {
	a := storage.Ask{
		Asked: !began(r).IsZero(), Time: r.Started.UnixMilli(), Took: milliseconds(r.Total - r.Waited),
		Throttled: r.Class == fetch.Throttled, Transferred: r.Transferred,
	}
	if a.Asked {
		a.Time = began(r).UnixMilli()
	}
	switch r.Class {
	case fetch.DNS, fetch.Connect, fetch.TimedOut:
		a.Unreachable = r.Sent.IsZero()
	}
	return a
}

// began is when the host was asked. One that could not be asked, because it was
// not found or took no connection, was tried all the same; one at an address
// that is not allowed was not.
func began(r *fetch.Response) time.Time {
	if r.Sent.IsZero() && r.Class != fetch.PrivateAddress {
		return r.Started
	}
	return r.Sent
}

func milliseconds(d time.Duration) uint32 {
	return uint32(max(d, 0).Round(time.Millisecond) / time.Millisecond)
}

func (w *worker) page(ctx context.Context, t *task) *result {
	j := &t.job
	url := j.URL
	if j.Raw != "" {
		url = j.Raw
	}
	if !t.rules.allow(weburl.URL(url).PathQuery()) {
		w.log.Debug("robots.txt forbids it", "url", url)
		return &result{task: t, visit: &storage.Visit{
			Ask: storage.Ask{Time: time.Now().UnixMilli()}, Outcome: storage.Blocked,
			Record: storage.Record{Error: t.rules.why(weburl.URL(url).PathQuery()), Worker: uint16(w.number)},
		}}
	}
	limit := w.settings.MaxBody
	if page.Kind(j.Kind).SitemapFile() {
		var isFree bool
		if limit, isFree = w.sitemapLimit(j); !isFree {
			return &result{
				task: t, large: true, later: largeWait,
				visit: &storage.Visit{Ask: storage.Ask{Time: time.Now().UnixMilli()}},
			}
		}
		w.isLarge = limit == maxSitemap // until the result is made
	}
	r := w.fetch(ctx, t, url, limit)
	if r.Crowded {
		return crowded(t, &r)
	}
	if r.Class == fetch.Aborted {
		return &result{task: t, sent: r.Sent, aborted: true}
	}
	if r.Proxy {
		return &result{task: t, proxy: clean(r.Err, 200)}
	}
	v := &storage.Visit{
		Ask: ask(&r), Status: uint16(r.Status), Class: class(r.Class),
	}
	v.Record = storage.Record{
		Error: clean(r.Err, 200), HTTPVersion: r.Proto, IP: r.IP, Worker: uint16(w.number), TTFB: milliseconds(r.TTFB),
	}
	res := &result{task: t, visit: v, sent: began(&r), answered: answered(&r), ended: r.Started.Add(r.Total), reused: r.Reused, retryAfter: r.RetryAfter}
	w.judge(&r, v)
	if r.Status != 0 {
		w.describe(&r, v)
	}
	if err := w.buffer.Reserve(ctx, w.needs(t, &r)); err != nil {
		return &result{task: t, sent: r.Sent, aborted: true}
	}
	switch {
	case r.Truncated && limit < maxSitemap && v.Outcome == storage.Fetched && page.Kind(j.Kind).SitemapFile():
		res.large = true
	case v.Outcome == storage.Redirected:
		w.redirect(url, &r, res)
		w.keepFound(res)
	case v.Outcome == storage.Fetched && w.isSitemap(j, r.Body):
		w.sitemap(url, &r, res)
		w.keepFound(res)
	case r.Status != 0 && (v.Class == storage.NoClass || v.Class == storage.Throttled) &&
		page.IsHTML(r.Header.Get("Content-Type"), r.Body):
		w.parse(url, &r, res)
	}
	if t.treat.take != nil && v.Outcome == storage.Fetched && !res.isPage {
		w.take(&r, res)
	}
	if r.Status != 0 && t.treat.store == StoreAll && !res.large {
		w.keepExchange(&r, res)
	}
	if w.links != nil && v.Outcome == storage.Fetched && !res.large {
		w.ownLinks(url, &Answer{URL: j.URL, Depth: int(j.Depth), Status: r.Status, Header: r.Header, Body: r.Body}, res)
	}
	if w.log.Enabled(ctx, slog.LevelDebug) { // for the arguments alone cost memory
		w.log.Debug("asked", "url", url, "status", r.Status, "class", r.Class, "took", r.Total.Round(time.Millisecond), "bytes", r.Transferred)
	}
	return res
}

// crowded is the result of an exchange that had no memory for its body in time.
func crowded(t *task, r *fetch.Response) *result {
	return &result{task: t, sent: began(r), answered: answered(r), ended: r.Started.Add(r.Total), reused: r.Reused, crowded: true}
}

// judge gives the visit its outcome.
func (w *worker) judge(r *fetch.Response, v *storage.Visit) {
	switch {
	case v.Class != storage.NoClass || r.Status >= 400:
		v.Outcome = storage.Failed
	case r.Status < 300:
		v.Outcome = storage.Fetched
	case r.Location == "" || r.Status == 304:
		v.Outcome, v.Class = storage.Failed, storage.Protocol
		v.Record.Error = fmt.Sprintf("status %d without a Location", r.Status)
		if r.Status == 304 {
			v.Record.Error = "status 304 to a request that set no condition"
		}
	default:
		v.Outcome = storage.Redirected
	}
}

// describe records what the header and the plain body tell.
func (w *worker) describe(r *fetch.Response, v *storage.Visit) {
	h := r.Header
	rec := &v.Record
	rec.ContentType = clean(h.Get("Content-Type"), 256)
	rec.LastModified = clean(h.Get("Last-Modified"), 64)
	rec.ETag = clean(h.Get("Etag"), 256)
	rec.XRobotsTag = clean(strings.Join(h.Values("X-Robots-Tag"), ", "), 1024)
	rec.Size = int64(len(r.Body))
	rec.Truncated = r.Truncated
	if len(r.Body) > 0 && !r.Truncated { // the hash of a beginning says nothing
		hash := page.ContentHash(r.Body)
		v.ContentHash = hash[:]
	}
}

// redirect finds the target of a redirect: another address, which becomes a
// link, or another spelling of the same.
func (w *worker) redirect(url string, r *fetch.Response, res *result) {
	v := res.visit
	v.Redirect = clean(WithoutUserinfo(r.Location), 2048)
	base, err := w.speller.NewBase(url)
	if err != nil {
		return
	}
	raw, err := base.Raw(escaped(r.Location))
	if err != nil {
		// mailto:, javascript:, nonsense: said in the row, nothing to follow.
		return
	}
	target, err := w.speller.Parse(raw)
	if err != nil {
		return
	}
	v.Redirect = string(target)
	if string(target) == res.task.job.URL {
		res.again = raw
		return
	}
	kind := page.KindRedirect
	if k := page.Kind(res.task.job.Kind); k.SitemapFile() {
		kind = k // wherever it stands now
	}
	res.links = []frontier.Candidate{{
		Link: storage.Link{URL: string(target), Kind: uint8(kind), Redirect: true, Listed: res.task.job.Listed},
		FP:   w.hash([]byte(target)),
	}}
}

// escaped has the bytes of a Location percent-encoded that are no UTF-8, as
// browsers do: they are what the server calls its page.
func escaped(location string) string {
	if utf8.ValidString(location) {
		return location
	}
	var b strings.Builder
	for i := 0; i < len(location); {
		r, size := utf8.DecodeRuneInString(location[i:])
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, "%%%02X", location[i])
		} else {
			b.WriteString(location[i : i+size])
		}
		i += size
	}
	return b.String()
}

// take takes the fields from an answer, and gives the parts of the page that
// links are to be taken from.
func (w *worker) take(r *fetch.Response, res *result) []byte {
	taken := res.task.treat.take.Take(field.Input{
		ContentType: r.Header.Get("Content-Type"), Header: r.Header, Body: r.Body, HTML: res.isPage,
	})
	rec := &res.visit.Record
	for _, v := range taken.Values {
		rec.Fields = append(rec.Fields, storage.Field{Name: v.Name, Values: v.Values})
	}
	if taken.Err != nil {
		rec.FieldsError = clean(taken.Err.Error(), 200)
		w.log.Warn("not all fields could be looked for", "url", res.task.job.URL, "error", rec.FieldsError)
	}
	return taken.Parts
}

// keepExchange has an exchange kept in the crawl file, and archived, as far as
// that is asked for. The body is the worker's, so it is packed or copied.
func (w *worker) keepExchange(r *fetch.Response, res *result) {
	if w.settings.StoreBodies {
		res.body = &storage.Body{Request: r.RequestHead, Response: r.ResponseHead, Content: r.Body}
		res.packed = w.packer.Body(res.body)
		res.body.Content = nil
	}
	if w.archives {
		res.exchange = &Exchange{
			URL: res.task.job.URL, Time: began(r), IP: r.IP, Proto: r.Proto, Request: r.RequestHead, Response: r.ResponseHead,
			Body: bytes.Clone(r.Body), Truncated: r.Truncated,
		}
	}
}

// keepLinks has all links of a page kept, if that is asked for; there are about n.
func (w *worker) keepLinks(res *result, n int, all iter.Seq[storage.PageLink]) {
	if !w.inspects && (!w.settings.KeepLinks || res.task.treat.store != StoreAll) {
		return
	}
	w.keeping = slices.AppendSeq(slices.Grow(w.keeping[:0], n), all)
	if len(w.keeping) == 0 {
		return
	}
	res.keptLinks = w.packer.Links(res.task.job.URL, w.keeping)
	clear(w.keeping) // the page goes
	if len(w.keeping) > keepScratch {
		w.keeping = nil
	}
}

// pageLinks are the links of a page as they are kept: an address once for each
// kind. Who inspects a page wants to know of each address whether it is followed.
func (w *worker) pageLinks(p *page.Page) iter.Seq[storage.PageLink] {
	kept := func(l *page.Link, noFollow bool) storage.PageLink {
		return storage.PageLink{
			URL: string(l.URL), Kind: uint8(l.Kind), NoFollow: noFollow || p.NoFollow, Count: uint32(l.Count), Anchor: l.Anchor, Rel: l.Rel,
		}
	}
	return func(yield func(storage.PageLink) bool) {
		if w.inspects {
			for i := range p.Links {
				if l := &p.Links[i]; !yield(kept(l, l.NoFollow)) {
					return
				}
			}
			return
		}
		for l := range p.ByAddress() {
			if !yield(kept(l, l.KindNoFollow)) {
				return
			}
		}
	}
}

// keepScratch is for how many links memory is kept.
const keepScratch = 1000

// keepFound has the links kept that were found, when they are all there are.
func (w *worker) keepFound(res *result) {
	w.keepLinks(res, len(res.links), func(yield func(storage.PageLink) bool) {
		for i := range res.links {
			c := &res.links[i]
			l := storage.PageLink{URL: c.URL, Kind: c.Kind, Count: 1, Anchor: c.Anchor}
			if c.Kind == uint8(page.KindSitemap) || page.Kind(c.Kind).SitemapFile() {
				l.Anchor = "" // a date of change
			}
			if !yield(l) {
				return
			}
		}
	})
}

// linksIn are the links that stand in parts of a page.
func linksIn(parts []byte, parser *page.Parser, whole *page.Page, url string) []page.Link {
	if len(parts) == 0 {
		return nil
	}
	// Even an empty base element counts: it is the first, and others that may be in
	// the parts are not.
	base := `<base href="` + html.EscapeString(string(whole.Base)) + `">`
	body := slices.Concat([]byte(base), parts)
	p, err := parser.Parse(page.Input{URL: url, ContentType: "text/html; charset=utf-8", Body: body})
	if err != nil {
		return nil
	}
	return p.Links
}

func (w *worker) parse(url string, r *fetch.Response, res *result) {
	parser, ok := w.parsers.Get().(*page.Parser)
	if !ok {
		parser = page.New(w.speller, w.token)
	}
	p, err := parser.Parse(page.Input{
		URL: url, ContentType: r.Header.Get("Content-Type"), Body: r.Body,
		LinkHeaders: r.Header.Values("Link"), XRobots: r.Header.Values("X-Robots-Tag"),
		ContentLanguage: r.Header.Get("Content-Language"),
	})
	if err != nil {
		return // the address was fetched, so it parses
	}
	v := res.visit
	if p.LinksCut {
		w.log.Warn("this page has more links than are kept; the rest is passed over", "url", url, "kept", len(p.Links))
	}
	v.Canonical = string(p.Canonical)
	rec := &v.Record
	rec.Title, rec.H1, rec.MetaDescription = p.Title, p.H1, p.MetaDescription
	rec.MetaRobots, rec.NoIndex = p.MetaRobots, p.NoIndex
	rec.Charset, rec.Language = p.Charset, p.Language
	rec.WordCount, rec.Outlinks = uint32(p.WordCount), uint32(p.Outlinks)
	rec.Ignored, rec.Malformed = uint32(p.Ignored), uint32(p.Malformed)
	rec.SimHash = p.SimHash
	j := &res.task.job
	w.keepLinks(res, len(p.Links)+len(p.Also), w.pageLinks(p))
	if v.Outcome != storage.Fetched || page.Kind(j.Kind).SitemapFile() && (!j.Found.Seed || j.Listed) {
		w.parsers.Put(parser)
		// Links of error pages are not followed, nor of what a server shows in place
		// of a sitemap that it has not.
		return
	}
	res.isPage, res.chunks, res.images = true, p.Chunks, images(p)
	links := p.Links
	if treat := res.task.treat; treat.take != nil {
		parts := w.take(r, res)
		if treat.fromParts {
			links = linksIn(parts, parser, p, url)
		}
	}
	w.parsers.Put(parser)
	res.links = make([]frontier.Candidate, 0, len(links))
	for i := range links {
		l := &links[i]
		if !w.settings.followed(l.Kind) {
			continue
		}
		w.address = append(w.address[:0], l.URL...)
		res.links = append(res.links, frontier.Candidate{
			Link: storage.Link{
				URL: string(l.URL), Kind: uint8(l.Kind), NoFollow: l.NoFollow || p.NoFollow, Anchor: l.Anchor,
			},
			FP: w.hash(w.address),
		})
	}
}

func class(c fetch.Class) storage.Class {
	k, ok := storage.ParseClass(string(c))
	if !ok {
		return storage.Protocol
	}
	return k
}

// maxImages is how many images of a page are looked at.
const maxImages = 32

// images gives hashes of a page's images. Those with a query are left out: such are
// made to count visitors, and new each time.
func images(p *page.Page) (hashes []uint32) {
	for i := range p.Links {
		if l := &p.Links[i]; l.Kind == page.KindImg && len(hashes) < maxImages && !strings.Contains(string(l.URL), "?") {
			hashes = append(hashes, uint32(xxh3.HashString(string(l.URL))))
		}
	}
	return hashes
}

// clean makes one line of bounded length of what a server sent.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
