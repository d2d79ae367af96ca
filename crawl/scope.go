package crawl

import (
	"context"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// Guards against traps: addresses beyond these are skipped, not fetched.
const (
	MaxURLLength    = 4096 // bytes
	MaxPathSegments = 60
	MaxSameSegment  = 3  // times that one segment may occur in a path
	MaxQueryParams  = 60 // separated by &
)

// scope judges which links belong to the crawl. It is used by the goroutine
// that owns the frontier.
type scope struct {
	settings         *Settings
	treat            *treatments
	include, exclude []*regexp.Regexp
	roots            roots
	parking          parking
	domains          map[string]bool // registrable domains of the first `counted` root hosts
	counted          int
}

// roots are what scope is measured from.
type roots interface {
	RootHosts() []string // the slice only grows
	IsRootHost(host string) bool
	UnderRoot(u weburl.URL) bool
}

func newScope(s *Settings, f *frontier.Frontier, t *treatments) (*scope, error) {
	sc := &scope{settings: s, treat: t, roots: f, domains: map[string]bool{}, parking: parking{lists: f}}
	for _, list := range []struct {
		from []string
		to   *[]*regexp.Regexp
	}{{s.Include, &sc.include}, {s.Exclude, &sc.exclude}} {
		for _, text := range list.from {
			re, err := regexp.Compile(text)
			if err != nil {
				return nil, err
			}
			*list.to = append(*list.to, re)
		}
	}
	return sc, nil
}

// finding is an address where it was found.
type finding struct {
	url      weburl.URL
	on       string         // the page; empty for seeds
	origin   storage.Origin // where it would stand itself
	kind     page.Kind
	listed   bool // by a sitemap that was named as one
	noFollow bool
	treat    *treatment // of the address
}

// judge tells why a link is not admitted, NoReason when it is. Seeds, and what
// they redirect to, make the scope, so they are only held against --exclude and
// the guards. A sitemap belongs to whoever names it: a robots.txt in scope may name
// one anywhere, an index those of its own host.
func (s *scope) judge(f finding) storage.Reason {
	u, o := f.url, f.origin
	if !o.Seed {
		switch {
		case f.kind.Asset() && !s.settings.Assets:
			return storage.Asset
		case f.kind == page.KindForm && !s.settings.Forms:
			return storage.Form
		case f.kind.SitemapFile() && s.settings.NoSitemaps:
			return storage.Sitemaps
		case f.kind.SitemapFile() && s.settings.MaxDepth == 0:
			return storage.TooDeep // only the seeds are to be fetched
		case !s.contains(u) && !s.isOwnSitemap(&f):
			return storage.OutOfScope
		case f.noFollow && !s.settings.IgnoreNoFollow:
			return storage.NoFollow
		case s.settings.MaxDepth != NoLimit && int64(o.Depth) > int64(s.settings.MaxDepth):
			return storage.TooDeep
		}
	}
	if int(o.Hops) > s.settings.MaxRedirects {
		return storage.TooManyRedirects
	}
	if reason := trap(u); reason != storage.NoReason {
		return reason
	}
	// Of a long list the user may want a part.
	if len(s.include) > 0 && (!o.Seed || f.kind == page.KindSitemap) && !f.kind.SitemapFile() && !matches(s.include, u) {
		return storage.NotIncluded
	}
	if matches(s.exclude, u) || f.treat.ignore {
		return storage.Excluded
	}
	// What the site itself lists is no trap.
	if !o.Seed && !f.listed && !s.settings.KeepTraps && s.parking.has(u) {
		return storage.Parked
	}
	return storage.NoReason
}

// within tells whether an address is one that the crawl is about, however it is
// found.
func (s *scope) within(u weburl.URL) bool {
	return s.contains(u) && (len(s.include) == 0 || matches(s.include, u)) && !matches(s.exclude, u) && !s.treat.of(string(u)).ignore
}

// InScope gives what tells whether a canonical address is in the scope of the
// crawl in the file by the settings that it remembers: of its hosts, domains or
// folders, and included, not excluded, by regular expressions. It is for one
// goroutine. The crawl file must be at rest.
func InScope(file *storage.File) (func(url string) bool, error) {
	settings, _, err := Remembered(file)
	if err != nil {
		return nil, err
	}
	f, err := frontier.Load(file, settings.frontierOptions())
	if err != nil {
		return nil, err
	}
	treat, err := newTreatments(&settings)
	if err != nil {
		return nil, err
	}
	s, err := newScope(&settings, f, treat)
	if err != nil {
		return nil, err
	}
	return func(url string) bool { return s.within(weburl.URL(url)) }, nil
}

// InScope is the function InScope for a crawl that runs: by the settings and seeds
// of now, whatever comes later.
func (c *Crawl) InScope(ctx context.Context) (func(url string) bool, error) {
	var s *scope
	err := c.do(ctx, func(l *loop) error {
		treat, err := newTreatments(l.settings)
		if err != nil {
			return err
		}
		if s, err = newScope(l.settings, l.frontier, treat); err == nil {
			s.roots = l.frontier.Roots()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return func(url string) bool { return s.within(weburl.URL(url)) }, nil
}

// StillSkipped tells of canonical addresses whether they are not admitted, as of
// now.
func (c *Crawl) StillSkipped(ctx context.Context, urls []string) ([]bool, error) {
	fps, still := make([]uint64, len(urls)), make([]bool, len(urls))
	for i, u := range urls {
		fps[i] = c.hash([]byte(u))
	}
	err := c.do(ctx, func(l *loop) error {
		for i, fp := range fps {
			_, isAdmitted := l.frontier.Knows(fp)
			still[i] = !isAdmitted
		}
		return nil
	})
	if err != nil {
		return nil, err // they may still be filled in
	}
	return still, nil
}

// isOwnSitemap tells whether it is a sitemap that may be asked for wherever it
// stands. The robots.txt of a host that is only asked for such a sitemap names
// none, or one host could lead to the next without end. In a scope of folders it
// is the host that counts.
func (s *scope) isOwnSitemap(f *finding) bool {
	if !f.kind.SitemapFile() {
		return false
	}
	on := weburl.URL(f.on)
	if on.PathQuery() == "/robots.txt" {
		return s.contains(on) || s.roots.IsRootHost(on.Host())
	}
	return on.Host() == f.url.Host()
}

func matches(res []*regexp.Regexp, u weburl.URL) bool {
	for _, re := range res {
		if re.MatchString(string(u)) {
			return true
		}
	}
	return false
}

func (s *scope) contains(u weburl.URL) bool {
	switch s.settings.Scope {
	case ScopeHost:
		return s.roots.IsRootHost(u.Host())
	case ScopeDomain:
		hosts := s.roots.RootHosts()
		for ; s.counted < len(hosts); s.counted++ {
			s.domains[domain(weburl.URL("http://"+hosts[s.counted]+"/").Hostname())] = true
		}
		return s.domains[domain(u.Hostname())]
	case ScopePrefix:
		return s.roots.UnderRoot(u)
	}
	return true
}

// domain is the registrable domain of a host name, by the public suffix list;
// a name that has none stands for itself.
func domain(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(host, "."))
	if err != nil {
		return host
	}
	return d
}

// trap tells what makes an address look like one of an endless supply.
func trap(u weburl.URL) storage.Reason {
	if len(u) > MaxURLLength {
		return storage.TooLong
	}
	path := u.Path()
	if n := strings.Count(path, "/"); n > MaxPathSegments {
		return storage.TooManySegments
	} else if n > MaxSameSegment && repeats(path) {
		return storage.Repeating
	}
	if strings.Count(u.Query(), "&") >= MaxQueryParams {
		return storage.TooManyParams
	}
	return storage.NoReason
}

// repeats tells whether a segment occurs too often. The number of segments is
// bounded, so comparing all of them is cheaper than a map.
func repeats(path string) bool {
	var segments [MaxPathSegments + 1]string
	n := 0
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		same := 1
		for _, other := range segments[:n] {
			if other == part {
				same++
			}
		}
		if same > MaxSameSegment {
			return true
		}
		segments[n] = part
		n++
	}
	return false
}

// followed tells whether links of the kind are followed at all. Those that are
// not leave no trace but in the counts of their page.
func (s *Settings) followed(k page.Kind) bool {
	return k.Navigation() || s.Assets && k.Asset() || s.Forms && k == page.KindForm
}
