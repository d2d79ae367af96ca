package crawl

import (
	"fmt"
	"regexp"
	"strings"

	"pawl/fetch"
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
