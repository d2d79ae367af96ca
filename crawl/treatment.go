package crawl

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"sync"
	"time"

	"pawl/page/field"
	"pawl/storage"
)

// treatment is what the settings say of an address: what is to be taken from
// the page, and how it is asked for.
type treatment struct {
	rules  []int // those that match, by their place in the settings
	fields []field.Field
	take   *field.Set // nil: nothing
	// fromParts: only links in the parts that take finds are followed.
	fromParts bool
	delay     time.Duration
	lane      storage.Lane
	store     Store
	ignore    bool
}

// treatments finds the treatment of addresses. It may be used concurrently.
type treatments struct {
	settings *Settings
	rules    []*regexp.Regexp
	usual    *treatment // of addresses that no rule matches

	mu    sync.Mutex
	known map[string]*treatment // by the rules that match
}

// maxTreatments bounds how many combinations of rules are remembered.
const maxTreatments = 10_000

func newTreatments(s *Settings) (*treatments, error) {
	t := &treatments{settings: s, known: map[string]*treatment{}}
	for i := range s.PageRules {
		re, err := regexp.Compile(s.PageRules[i].Match)
		if err != nil {
			return nil, err
		}
		t.rules = append(t.rules, re)
	}
	var err error
	t.usual, err = t.make(nil)
	if err == nil {
		_, err = t.make(all(len(t.rules))) // so that all are known to be good
	}
	return t, err
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// of gives the treatment of a canonical address.
func (t *treatments) of(url string) *treatment {
	if len(t.rules) == 0 {
		return t.usual
	}
	var space [8]int
	match := space[:0]
	for i, re := range t.rules {
		if re.MatchString(url) {
			match = append(match, i)
		}
	}
	if len(match) == 0 {
		return t.usual
	}
	var key []byte
	for _, i := range match {
		key = binary.AppendUvarint(key, uint64(i))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.known[string(key)]; known != nil {
		return known
	}
	made, err := t.make(match)
	if err != nil {
		panic("crawl: a treatment that was good is not: " + err.Error())
	}
	if len(t.known) == maxTreatments {
		clear(t.known)
	}
	t.known[string(key)] = made
	return made
}

// make makes the treatment of what the rules match.
func (t *treatments) make(match []int) (*treatment, error) {
	made := &treatment{rules: append([]int(nil), match...), store: StoreAll}
	specs, linksFrom := t.settings.Fields, []string(nil)
	hasLane, hasStore := false, false
	for _, i := range match {
		p := &t.settings.PageRules[i]
		specs = append(specs[:len(specs):len(specs)], p.Fields...)
		if len(linksFrom) == 0 {
			linksFrom = p.LinksFrom
		}
		if made.delay == 0 {
			made.delay = p.Delay
		}
		if p.Priority != "" && !hasLane {
			lane, ok := storage.ParseLane(p.Priority)
			if !ok {
				return nil, fmt.Errorf("priority is high, normal or low, not %q", p.Priority)
			}
			made.lane, hasLane = lane, true
		}
		if p.Store != "" && !hasStore {
			made.store, hasStore = p.Store, true
		}
		made.ignore = made.ignore || p.Ignore
	}
	if len(linksFrom) == 0 {
		linksFrom = t.settings.LinksFrom
	}
	if len(specs) == 0 && len(linksFrom) == 0 {
		return made, nil
	}
	fields, err := distinct(specs)
	if err != nil {
		return nil, err
	}
	var from []field.Selector
	for _, text := range linksFrom {
		selector, err := field.ParseSelector(text)
		if err != nil {
			return nil, err
		}
		from = append(from, selector)
	}
	made.fields, made.take, made.fromParts = fields, field.NewSet(fields, from), len(from) > 0
	return made, nil
}

// AllFields are all the fields that the settings name, in their order: those of all
// pages first. Of a name that occurs again the first counts.
func (s *Settings) AllFields() ([]field.Field, error) {
	specs := s.Fields
	for i := range s.PageRules {
		specs = append(specs[:len(specs):len(specs)], s.PageRules[i].Fields...)
	}
	return distinct(specs)
}

// distinct gives the fields of the specs. Of a name that occurs again the first
// counts.
func distinct(specs []string) (fields []field.Field, err error) {
	taken := map[string]bool{}
	for _, spec := range specs {
		f, err := field.Parse(spec)
		if err != nil {
			return nil, err
		}
		if !taken[f.Name] {
			fields = append(fields, f)
		}
		taken[f.Name] = true
	}
	return fields, nil
}
