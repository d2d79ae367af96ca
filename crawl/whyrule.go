package crawl

import (
	"fmt"
	"regexp"
	"strings"

	"pawl/fetch"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// explain says which rule of the settings refused an address, in a sentence. What
// is about parked addresses is for others to say.
func explain(reason storage.Reason, s *Settings, f *finding) string {
	u := f.url
	switch reason {
	case storage.OutOfScope:
		switch s.Scope {
		case ScopeHost:
			return fmt.Sprintf("its host %s is none of the seeds' hosts (--scope host)", u.Host())
		case ScopeDomain:
			return fmt.Sprintf("its domain %s is none of the seeds' domains (--scope domain)", domain(u.Hostname()))
		case ScopePrefix:
			return fmt.Sprintf("%s%s is in no folder of a seed (--scope prefix)", u.Host(), u.Path())
		}
		return "it was out of scope"
	case storage.NotIncluded:
		return fmt.Sprintf("no --include matches it (%s)", listed(s.Include))
	case storage.Excluded:
		if re := firstMatch(s.Exclude, u); re != "" {
			return fmt.Sprintf("--exclude %s matches it", re)
		}
		for i := range s.PageRules {
			if p := &s.PageRules[i]; p.Ignore && firstMatch([]string{p.Match}, u) != "" {
				return fmt.Sprintf("the rule for pages that match %s ignores it", p.Match)
			}
		}
		return "it was excluded"
	case storage.TooDeep:
		if f.kind.SitemapFile() && s.MaxDepth == 0 {
			return "it is a sitemap, and only the seeds are to be fetched (--max-depth 0)"
		}
		return fmt.Sprintf("it stands at depth %d, and the deepest to be fetched is %d (--max-depth %d)", f.origin.Depth, s.MaxDepth, s.MaxDepth)
	case storage.NoFollow:
		return "the link, or the page that it stands on, says nofollow (--ignore-nofollow is off)"
	case storage.TooLong:
		return fmt.Sprintf("it is %d bytes long, and more than %d are taken for a trap", len(u), MaxURLLength)
	case storage.Repeating:
		segment, n := mostRepeated(u.Path())
		return fmt.Sprintf("%q stands %d times in its path, and more than %d times are taken for a trap", segment, n, MaxSameSegment)
	case storage.TooManySegments:
		return fmt.Sprintf("its path has %d segments, and more than %d are taken for a trap", strings.Count(u.Path(), "/"), MaxPathSegments)
	case storage.TooManyParams:
		return fmt.Sprintf("its query has %d parameters, and more than %d are taken for a trap", strings.Count(u.Query(), "&")+1, MaxQueryParams)
	case storage.TooManyRedirects:
		return fmt.Sprintf("%d redirects lead to it, and at most %d are followed (--max-redirects %d)", f.origin.Hops, s.MaxRedirects, s.MaxRedirects)
	case storage.Asset:
		return fmt.Sprintf("it is a part of a page (%s), and those are not asked for (--assets is off)", f.kind)
	case storage.Form:
		return "it is the address of a form (--forms is off)"
	case storage.Sitemaps:
		if s.NoSitemaps {
			return "it is a sitemap (--sitemaps off)"
		}
		return "it is a sitemap, and its host names more of them than are asked for"
	case storage.Parked:
		return "it is parked"
	}
	return fmt.Sprintf("it was refused: %s", reason)
}

// firstMatch is the first of some regular expressions that matches, empty: none.
func firstMatch(list []string, u weburl.URL) string {
	for _, text := range list {
		if re, err := regexp.Compile(text); err == nil && re.MatchString(string(u)) {
			return text
		}
	}
	return ""
}

// listed names some of a list.
func listed(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d others", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// mostRepeated is the segment of a path that stands there most often.
func mostRepeated(path string) (segment string, n int) {
	count := map[string]int{}
	for part := range strings.SplitSeq(path, "/") {
		if count[part]++; part != "" && count[part] > n {
			segment, n = part, count[part]
		}
	}
	return clean(segment, 100), n
}

// forbids says which line of a robots.txt forbids an address, empty: none does.
func forbids(text, token string, u weburl.URL) string {
	r := fetch.ParseRobots([]byte(text), token)
	if r.Allowed(u.PathQuery()) {
		return ""
	}
	line, rule := r.Why(u.PathQuery())
	return clean(fmt.Sprintf("robots.txt line %d: %s", line, rule), 200)
}

// howFound says where and how an address was found.
func howFound(f *storage.Found, u weburl.URL) string {
	kind := page.Kind(f.Kind)
	on := clean(f.FoundOn, 4096)
	var how string
	anchor := clean(f.Anchor, 200)
	switch {
	case f.FoundOn == "" && kind.SitemapFile():
		return "named by the user as a sitemap"
	case f.FoundOn == "" && kind == page.KindSitemap:
		return "listed in a sitemap that the user named"
	case f.FoundOn == "":
		return "given as a seed"
	case kind.SitemapFile() && weburl.URL(f.FoundOn).PathQuery() == "/robots.txt":
		how = "named as a sitemap by " + on
	case kind.SitemapFile() && !f.Redirect:
		how = "named as a sitemap by the index " + on
	case kind == page.KindSitemap:
		how = "listed in the sitemap " + on
		if anchor != "" {
			how += fmt.Sprintf(" (changed %s)", anchor)
		}
		anchor = ""
	case f.Redirect:
		how, anchor = "redirected to from "+on, ""
		if f.Hops > 1 {
			how += fmt.Sprintf(" (redirect %d in a row)", f.Hops)
		}
	default:
		how = fmt.Sprintf("linked from %s (%s", on, kind)
		if anchor != "" && !kind.SitemapFile() {
			how += fmt.Sprintf(", %q", anchor)
		}
		if f.NoFollow {
			how += ", nofollow"
		}
		how += ")"
	}
	how += fmt.Sprintf(", depth %d", f.Depth)
	switch f.Lane {
	case storage.LaneHigh, storage.LaneLow:
		how += fmt.Sprintf(", priority %s", f.Lane)
	}
	return how
}
