package fakeweb

import (
	"iter"
	"strings"
)

// Walk says what kind of crawl [Web.Expected] tells the outcome of. The zero
// value is a crawl that starts at all roots and stays on their hosts.
type Walk struct {
	// Roots are the addresses of the hosts, as Start returned them; nil means
	// those of Seeds. The root of a single listener is a web of one host.
	Roots []string
	// From are the numbers of the hosts whose roots are the seeds; nil means
	// all.
	From []int
	// AnyHost follows links to hosts that are not in From.
	AnyHost bool

	IgnoreNofollow bool
	Assets         bool // also styles, scripts and images
	// Allowed is what robots.txt says; nil means what DefaultRobots says.
	Allowed func(url string) bool
}

// Outcome is what a crawl must find for an address.
type Outcome string

// The outcomes.
const (
	Fetched    Outcome = "fetched"    // an answer below 400 that is not a redirect
	Redirected Outcome = "redirected" // a redirect, to be followed
	Failed     Outcome = "failed"     // 400 or above, or no answer
	Blocked    Outcome = "blocked"    // robots.txt forbids it
	Skipped    Outcome = "skipped"    // found, and must not be asked for
)

// Row is the truth about one address.
type Row struct {
	URL     string // canonical: without fragment and tracking parameters
	Host    int
	Kind    Kind
	Outcome Outcome
	Reason  string // why it is skipped: "scope" or "nofollow"
	// Depth is the fewest links from a seed; a redirect adds nothing. A crawl
	// that goes on while a page waits may find the links of that page by a longer
	// way, so depths agree in a crawl that takes one page after the other, in the
	// order found, of a web without pages that wait.
	Depth int

	// Status is that of the last answer, 0 when there is none. A Cut page has
	// one, although it failed.
	Status      int
	ErrorClass  string // "reset" for Reset and Cut
	RedirectURL string // canonical
	Refusals    int    // how often a new Web refuses with 429 or 503 before it answers
	Gzip        bool   // whether it is sent compressed to those who accept it

	// Empty unless it was fetched.
	ContentType  string
	Title        string
	H1           string
	Description  string
	Canonical    string
	MetaRobots   string
	ETag         string
	LastModified string
}

// Expected enumerates every address that a crawl finds, each once: those it must
// have an outcome for by depth, then those that it must skip. The order of rows
// of one depth says nothing. robots.txt is not among them.
//
// A crawl limited to some depth finds the rows up to that depth, and those
// alone. The walk holds all addresses in memory.
func (w *Web) Expected(walk Walk) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		v := &w.names
		if walk.Roots != nil {
			v = rootedAt(walk.Roots)
		}
		from := walk.From
		if from == nil {
			for h := range v.hosts {
				from = append(from, h)
			}
		}
		inScope := map[int]bool{}
		for _, h := range from {
			inScope[h] = true
		}

		seen := map[node]bool{}
		skipped := map[node]string{}
		var later []node // the keys of skipped, in order
		var level, next []node
		find := func(p node, nofollow bool, to *[]node) {
			reason := ""
			switch {
			case seen[p]:
				return
			case !walk.AnyHost && !inScope[p.h]:
				reason = "scope"
			case nofollow && !walk.IgnoreNofollow:
				reason = "nofollow"
			default:
				seen[p] = true
				*to = append(*to, p)
				return
			}
			if skipped[p] == "" {
				later = append(later, p)
				skipped[p] = reason
			}
		}
		for _, h := range from {
			find(node{h: h}, false, &level)
		}
		var links []link
		for depth := 0; len(level) > 0; depth++ {
			// level grows as it is read: a redirect's target is as deep as the
			// redirect. But an address may already have been found one deeper, so
			// redirects are resolved before the links of this depth.
			for i := 0; i < len(level); i++ {
				if to, ok := w.followed(walk, v, level[i]); ok {
					find(to, false, &level)
				}
			}
			for _, p := range level {
				row := w.row(walk, v, p)
				row.Depth = depth
				if !yield(row) {
					return
				}
				if row.Outcome != Fetched || p.place != placePage || !isPage(row.Kind) {
					continue
				}
				look := w.look(p.h, p.n)
				links = w.links(v, p.h, p.n, links[:0])
				for _, l := range links {
					find(l.to, l.nofollow || look.nofollow, &next)
				}
				if walk.Assets {
					find(node{place: placeAsset, h: p.h, n: 0}, false, &next)
					find(node{place: placeAsset, h: p.h, n: 1}, false, &next)
					find(node{place: placeAsset, h: p.h, n: 2 + p.n%2}, false, &next)
				}
			}
			level, next = next, level[:0]
		}
		for _, p := range later {
			if seen[p] {
				continue
			}
			row := Row{URL: string(w.appendURL(nil, v, p)), Host: p.h, Kind: w.kindOf(p), Outcome: Skipped, Reason: skipped[p]}
			if !yield(row) {
				return
			}
		}
	}
}

// followed returns where a crawl is redirected from p.
func (w *Web) followed(walk Walk, v *names, p node) (to node, ok bool) {
	if !w.allowed(walk, v, p) {
		return node{}, false
	}
	switch w.kindOf(p) {
	case Redirect, Chain, Loop, Hop:
		to, _ = w.redirect(v, p)
		return to, true
	}
	return node{}, false
}

func (w *Web) allowed(walk Walk, v *names, p node) bool {
	if walk.Allowed == nil {
		return p.place != placePrivate
	}
	return walk.Allowed(string(w.appendURL(nil, v, p)))
}

func (w *Web) kindOf(p node) Kind {
	switch p.place {
	case placePrivate:
		return Private
	case placeNofollow:
		return Nofollow
	case placeHop:
		return Hop
	case placeAsset:
		return Asset
	}
	return w.kind(p.h, p.n)
}

// row returns the truth about p but for its depth.
func (w *Web) row(walk Walk, v *names, p node) Row {
	r := Row{
		URL:     string(w.appendURL(nil, v, p)),
		Host:    p.h,
		Kind:    w.kindOf(p),
		Outcome: Fetched,
		Status:  200,
	}
	if !w.allowed(walk, v, p) {
		r.Outcome, r.Status = Blocked, 0
		return r
	}
	switch r.Kind {
	case NotFound:
		r.Outcome, r.Status = Failed, 404
	case ServerError:
		r.Outcome, r.Status = Failed, 500
	case Reset:
		r.Outcome, r.Status, r.ErrorClass = Failed, 0, "reset"
	case Cut:
		r.Outcome, r.ErrorClass = Failed, "reset"
	case Redirect, Chain, Loop, Hop:
		to, status := w.redirect(v, p)
		r.Outcome, r.Status, r.RedirectURL = Redirected, status, string(w.appendURL(nil, v, to))
	case Private, Nofollow:
		r.ContentType = typeHTML
		r.Title = string(appendPlainTitle(nil, p))
		r.H1 = r.Title
	case Asset:
		r.ContentType = assets[p.n].contentType
	case Binary:
		r.ContentType, _ = w.binary(p.h, p.n)
	default:
		look := w.look(p.h, p.n)
		r.ContentType = typeHTML
		r.Title = string(w.appendTitle(nil, p.h, p.n))
		r.H1 = r.Title
		r.Description = string(w.appendDescription(nil, p.h, p.n))
		r.MetaRobots = look.robots()
		r.ETag, r.LastModified = w.validators(p.h, p.n)
		if look.canonical {
			r.Canonical = r.URL
		}
	}
	if r.Kind == Throttled {
		r.Refusals = w.o.Faults.ThrottleAsks
	}
	if p.place == placePage && (isPage(r.Kind) || r.Kind == Cut) {
		r.Gzip = w.gzipped(p.h, p.n)
	}
	return r
}

// IsHTML says whether the row's page is HTML.
func (r *Row) IsHTML() bool { return strings.HasPrefix(r.ContentType, "text/html") }
