package crawl

import (
	"regexp"

	"pawl/frontier"
	"pawl/weburl"
)

// parking tells which addresses are parked, by what the log says of patterns.
type parking struct {
	lists    parked
	parks    int // of the frontier's, that are taken in
	unparks  int
	hosts    map[string]*parkingPlace
	anywhere []*regexp.Regexp // what the user wants back on any host
}

// parked is what the log says of patterns. Its lists only grow.
type parked interface {
	Parks() []frontier.Park
	Unparks() []frontier.Unpark
}

// parkingPlace is what is parked on a host.
type parkingPlace struct {
	inForce []weburl.Pattern
	// What the user wants back.
	backPatterns []weburl.Pattern
	back         []*regexp.Regexp
}

func (p *parking) place(host string) *parkingPlace {
	place := p.hosts[host]
	if place == nil {
		place = new(parkingPlace)
		p.hosts[host] = place
	}
	return place
}

// follow takes in what the frontier has folded since.
func (p *parking) follow() {
	parks, unparks := p.lists.Parks(), p.lists.Unparks()
	if len(parks) == p.parks && len(unparks) == p.unparks {
		return
	}
	p.parks, p.unparks = len(parks), len(unparks)
	p.hosts, p.anywhere = map[string]*parkingPlace{}, nil
	for i := range unparks {
		u := &unparks[i]
		re, err := regexp.Compile(u.Match)
		switch {
		case u.Match == "", err != nil: // one that does not compile was never stored
		case u.Host == "":
			p.anywhere = append(p.anywhere, re)
		default:
			place := p.place(u.Host)
			place.back = append(place.back, re)
		}
	}
	for i := range parks {
		pattern, err := weburl.ParsePattern(parks[i].Pattern)
		if err != nil {
			continue
		}
		place := p.place(parks[i].Host)
		to := &place.inForce
		for k := range unparks {
			if unparks[k].TakesBack(&parks[i]) {
				to = &place.backPatterns
			}
		}
		*to = append(*to, pattern)
	}
}

// has tells whether an address is parked.
func (p *parking) has(u weburl.URL) bool {
	p.follow()
	place := p.hosts[u.Host()]
	if place == nil || len(place.inForce) == 0 {
		return false
	}
	shape := u.Shape()
	return matchesAny(place.inForce, &shape) && !p.isWanted(u)
}

// isWanted tells whether the user wanted an address back that was parked.
func (p *parking) isWanted(u weburl.URL) bool {
	p.follow()
	if matches(p.anywhere, u) {
		return true
	}
	place := p.hosts[u.Host()]
	if place == nil {
		return false
	}
	shape := u.Shape()
	return matches(place.back, u) || matchesAny(place.backPatterns, &shape)
}

// isFull tells whether as many patterns of a host are parked as ever may be.
func (p *parking) isFull(host string) bool {
	p.follow()
	place := p.hosts[host]
	return place != nil && len(place.inForce)+len(place.backPatterns) >= maxParksOfHost
}

func matchesAny(patterns []weburl.Pattern, s *weburl.Shape) bool {
	for i := range patterns {
		if patterns[i].Matches(s) {
			return true
		}
	}
	return false
}
