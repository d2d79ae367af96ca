package crawl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"pawl/fetch"
	"pawl/frontier"
	"pawl/page"
	"pawl/page/field"
	"pawl/storage"
	"pawl/weburl"
)

// Inspection is what a crawl with certain settings would make of one page.
type Inspection struct {
	URL       string        // canonical
	Rules     []int         // of the settings that match, by their places
	Fields    []field.Field // that are looked for
	FromParts bool          // links are taken from parts of the page alone
	Store     Store
	Visit     *storage.Visit // its row, with the fields; what needs a crawl (duplicates, depth) is empty
	Links     []InspectedLink
	Blocked   string // the line of robots.txt that forbids it; empty: none does
	Robots    string // why robots.txt could not be had; empty: it was, or was not asked for
}

// InspectedLink is a link of the page.
type InspectedLink struct {
	URL      string
	Kind     uint8 // page.Kind
	Anchor   string
	NoFollow bool
	Taken    bool           // otherwise it is of a kind that is not followed, or none that links are taken from
	Reason   storage.Reason // why it would not be admitted
	Lane     storage.Lane
}

// Inspect asks for one page as a crawl would, and for the robots.txt of its host
// before, and tells what would come of it. Redirects are not followed. The file
// must be a new one made with the settings' Rules; nothing is written to it.
func Inspect(ctx context.Context, file *storage.File, o Options, url string) (*Inspection, error) {
	c, err := New(file, o)
	if err != nil {
		return nil, err
	}
	w, done, err := c.inspector()
	if err != nil {
		return nil, err
	}
	defer done()
	treats, err := newTreatments(c.settings)
	if err != nil {
		return nil, err
	}
	u, err := ParseSeed(c.speller, url)
	if err != nil {
		return nil, err
	}
	scope, err := newScope(c.settings, c.frontier, treats)
	if err != nil {
		return nil, err
	}
	// The frontier learns what is in scope; the file does not.
	seed := frontier.Candidate{Link: storage.Link{URL: string(u)}, FP: c.hash([]byte(u))}
	if _, err := c.frontier.AddSeeds([]frontier.Candidate{seed}, nil, time.Now()); err != nil {
		return nil, err
	}
	treat := treats.of(string(u))
	in := &Inspection{URL: string(u), Rules: treat.rules, Fields: treat.fields, FromParts: treat.fromParts, Store: treat.store}
	t := &task{treat: treat, trusted: true, tell: c.frontier.MayTell(u)}
	t.job.URL, t.job.Host, t.job.Asked, t.job.Attempt, t.job.Seed = string(u), u.Host(), u.Host(), 1, true
	if !c.settings.IgnoreRobots {
		if t.rules, in.Robots, err = w.robotsFor(ctx, u); err != nil {
			return nil, err
		}
	}
	if in.Robots != "" {
		return in, nil
	}
	r := w.do(ctx, t)
	switch {
	case r.aborted:
		return nil, context.Cause(ctx)
	case r.proxy != "":
		return nil, fmt.Errorf("the proxy does not serve: %s", r.proxy)
	case r.visit == nil:
		return nil, errors.New("crawl: no visit")
	}
	in.Visit = r.visit
	in.Visit.URL, in.Visit.Attempt, in.Visit.Seed = string(u), 1, true
	if r.visit.Outcome == storage.Blocked {
		in.Blocked = r.visit.Record.Error
	}
	in.Links, err = c.inspectLinks(r, treats, scope)
	in.Visit.Kept = nil
	return in, err
}

// inspector is a worker of its own.
func (c *Crawl) inspector() (w *worker, done func(), err error) {
	options, err := c.settings.fetchOptions()
	if err != nil {
		return nil, nil, err
	}
	options.Transport = c.transport
	if options.Jar, err = c.jar(); err != nil {
		return nil, nil, err
	}
	fetcher, err := fetch.New(options)
	if err != nil {
		return nil, nil, err
	}
	w = &worker{
		number: 1, settings: c.settings, fetcher: fetcher, speller: c.speller, hash: c.hash,
		token: fetch.ProductToken(c.settings.UserAgent), log: c.log, large: make(chan struct{}, 1), parsers: new(sync.Pool), inspects: true,
	}
	w.packer, err = storage.NewPacker()
	return w, fetcher.Close, err
}

// robotsFor asks for the robots.txt that is in force for an address. why is not
// empty when it cannot be had, and the page must not be asked for.
func (w *worker) robotsFor(ctx context.Context, u weburl.URL) (in *rules, why string, err error) {
	url, hops := u.Origin()+"/robots.txt", uint8(0)
	for {
		at := weburl.URL(url).Host()
		t := &task{trusted: at == u.Host()}
		t.job.Robots, t.job.URL, t.job.Host, t.job.Asked, t.job.Attempt, t.job.Hops = true, url, u.Host(), at, 1, hops
		r := w.do(ctx, t)
		switch {
		case r.aborted:
			return nil, "", context.Cause(ctx)
		case r.proxy != "":
			return nil, "", fmt.Errorf("the proxy does not serve: %s", r.proxy)
		}
		switch e := r.robots; e.State {
		case storage.RobotsRules:
			return &rules{text: e.Text, token: w.token}, "", nil
		case storage.RobotsAllow:
			return nil, "", nil
		case storage.RobotsRedirect:
			url, hops = e.Next, e.Hops
		default:
			return nil, e.Error, nil
		}
	}
}

// inspectLinks judges all links of the page.
func (c *Crawl) inspectLinks(r *result, treat *treatments, scope *scope) (links []InspectedLink, err error) {
	taken := make(map[string]*frontier.Candidate, len(r.links))
	for i := range r.links {
		taken[r.links[i].URL] = &r.links[i]
	}
	if r.keptLinks.Value == nil {
		return nil, nil
	}
	o := storage.Origin{Seed: true}
	var unpacker storage.Unpacker
	err = unpacker.EachLink(r.keptLinks.Value, r.task.job.URL, func(k *storage.PageLink) error {
		l := InspectedLink{URL: k.URL, Kind: k.Kind, Anchor: k.Anchor, NoFollow: k.NoFollow}
		if found := taken[k.URL]; found != nil {
			l.Taken = true
			linked := treat.of(k.URL)
			l.Reason = scope.judge(finding{
				url: weburl.URL(k.URL), on: r.task.job.URL, origin: o.Child(found.Redirect, found.Listed), kind: page.Kind(found.Kind),
				listed: found.Listed, noFollow: found.NoFollow, treat: linked,
			})
			l.Lane = linked.lane
		}
		links = append(links, l)
		return nil
	})
	return links, err
}
