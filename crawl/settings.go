package crawl

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"pawl/fetch"
	"pawl/frontier"
	"pawl/page/field"
	"pawl/storage"
	"pawl/weburl"
)

// Scope says which addresses belong to a crawl, measured from its seeds and
// from the hosts that seeds redirect to.
type Scope string

const (
	ScopeHost   Scope = "host"   // the same host (name with port)
	ScopeDomain Scope = "domain" // the same registrable domain
	ScopePrefix Scope = "prefix" // the same host, in a seed's folder or below
	ScopeAny    Scope = "any"
)

// Adaptive as a Delay makes the gap on a host as long as its last answer took,
// within 100 ms and 10 s.
const Adaptive = time.Duration(-1)

// Automatic as MinFree is a margin that suits the size of the disk.
const Automatic = -1

// NoLimit as MaxDepth means that depth is not limited.
const NoLimit = -1

// Settings are what a user can choose about a crawl, and what its file
// remembers. Start from Defaults: a zero is a choice of its own.
type Settings struct {
	SeedsFile string `json:"seeds_file,omitempty"` // absolute path
	// NoSitemaps: what robots.txt files name as sitemaps is not asked for, and
	// no page that happens to be one is read as such.
	NoSitemaps bool `json:"no_sitemaps,omitempty"`

	Scope          Scope    `json:"scope"`
	Include        []string `json:"include,omitempty"` // regular expressions on the canonical address
	Exclude        []string `json:"exclude,omitempty"`
	Assets         bool     `json:"assets,omitempty"` // follow images, styles, scripts and media too
	Forms          bool     `json:"forms,omitempty"`  // follow the addresses of forms that ask by GET
	IgnoreNoFollow bool     `json:"ignore_nofollow,omitempty"`
	KeepTraps      bool     `json:"keep_traps,omitempty"` // park nothing

	// LinksFrom are selectors of elements (package field): only links inside one
	// of them are taken.
	LinksFrom []string `json:"links_from,omitempty"`
	// PageRules say what is different for some addresses.
	PageRules []PageRule `json:"page_rules,omitempty"`

	// How addresses are spelled: fixed when the crawl file is made, see Rules.
	KeepQuery  bool     `json:"keep_query,omitempty"`
	DropParams []string `json:"drop_params,omitempty"`
	SortQuery  bool     `json:"sort_query,omitempty"`

	MaxDepth        int           `json:"max_depth"` // NoLimit: none
	MaxPages        int           `json:"max_pages,omitempty"`
	MaxPagesPerHost int           `json:"max_pages_per_host,omitempty"`
	MaxDuration     time.Duration `json:"max_duration,omitempty"`
	MaxBytes        int64         `json:"max_bytes,omitempty"`

	// What the machine is to be spared. Hours are the times of the day at which the
	// crawl may ask, as ParseHours reads them; empty: always. MaxRate is in bytes per
	// second over the network, MaxMemory the soft limit of the process, MinFree what
	// is to stay free on the disks that are written; 0: none, for MinFree Automatic
	// is the default.
	Hours     string `json:"hours,omitempty"`
	MaxRate   int64  `json:"max_rate,omitempty"`
	MaxMemory int64  `json:"max_memory,omitempty"`
	MinFree   int64  `json:"min_free"`

	Workers      int           `json:"workers"`
	PerHost      int           `json:"per_host"`
	Delay        time.Duration `json:"delay"`
	IgnoreRobots bool          `json:"ignore_robots,omitempty"`
	UserAgent    string        `json:"user_agent"`
	Contact      string        `json:"contact,omitempty"`

	Fields      []string `json:"fields,omitempty"`       // NAME[:TYPE]=SELECTOR, see package field
	Output      string   `json:"output,omitempty"`       // absolute path; written as the crawl goes on
	KeepLinks   bool     `json:"keep_links,omitempty"`   // all links of all pages
	StoreBodies bool     `json:"store_bodies,omitempty"` // in the crawl file
	WARC        string   `json:"warc,omitempty"`         // absolute path of a folder

	Timeout      time.Duration `json:"timeout"`
	MaxBody      int64         `json:"max_body"`
	Headers      []string      `json:"headers,omitempty"` // "Name: value"
	User         string        `json:"user,omitempty"`    // "name:password"
	Proxy        string        `json:"proxy,omitempty"`   // may hold a password
	Insecure     bool          `json:"insecure,omitempty"`
	Retries      int           `json:"retries"`
	MaxRedirects int           `json:"max_redirects"`
	HTTP1        bool          `json:"http1,omitempty"`
	AllowPrivate bool          `json:"allow_private,omitempty"`
}

// PageRule is a rule for the addresses that Match, a regular expression on the
// canonical address, matches. Of several that match, the first that says
// something of a matter counts; fields add up.
type PageRule struct {
	Match     string        `json:"match"`
	Fields    []string      `json:"fields,omitempty"`
	LinksFrom []string      `json:"links_from,omitempty"`
	Delay     time.Duration `json:"delay,omitempty"`    // least gap after the start of such a request on its host; 0: not said
	Priority  string        `json:"priority,omitempty"` // high, normal, low: within a host; empty: not said
	Store     Store         `json:"store,omitempty"`
	Ignore    bool          `json:"ignore,omitempty"` // such addresses are not fetched
}

// Store says what of a page becomes a part of the results.
type Store string

const (
	StoreAll     Store = "all"  // all that is asked for
	StoreRow     Store = "row"  // its row, but no links, body or WARC record
	StoreNothing Store = "none" // it is visited for its links alone
)

// Defaults are the settings of a polite crawl of one host. userAgent is the
// name with version, "pawl/1.0".
func Defaults(userAgent string) Settings {
	return Settings{
		Scope:        ScopeHost,
		MaxDepth:     NoLimit,
		Workers:      16,
		PerHost:      1,
		Delay:        Adaptive,
		UserAgent:    userAgent,
		Timeout:      30 * time.Second,
		MaxBody:      10_000_000,
		Retries:      4,
		MinFree:      Automatic,
		MaxRedirects: 10,
	}
}

// UnmarshalJSON reads settings as a crawl file keeps them. What was not yet a setting
// when they were written is as in Defaults; most that came later have zero there.
func (s *Settings) UnmarshalJSON(text []byte) error {
	type plain Settings
	s.MinFree = Automatic
	return json.Unmarshal(text, (*plain)(s))
}

// Bounds of settings that are counts.
const (
	maxWorkers   = 10_000
	maxRetries   = 100
	maxRedirects = 200
	maxFields    = 1000
	maxPageRules = 10_000
)

// maxDelay is the longest gap between two requests to a host.
const maxDelay = 24 * time.Hour

// Validate tells what is wrong with the settings, in the words of the flags
// that set them.
func (s *Settings) Validate() error {
	switch s.Scope {
	case ScopeHost, ScopeDomain, ScopePrefix, ScopeAny:
	default:
		return fmt.Errorf("--scope is host, domain, prefix or any, not %q", s.Scope)
	}
	for _, list := range []struct {
		flag string
		res  []string
	}{{"--include", s.Include}, {"--exclude", s.Exclude}} {
		for _, re := range list.res {
			if err := checkRE(re); err != nil {
				return fmt.Errorf("%s %w", list.flag, err)
			}
		}
	}
	for _, n := range []struct {
		flag      string
		value     int
		low, high int
	}{
		{"--max-depth", s.MaxDepth, NoLimit, 1 << 30},
		{"--max-pages", s.MaxPages, 0, 1 << 50},
		{"--max-pages-per-host", s.MaxPagesPerHost, 0, 1 << 50},
		{"--workers", s.Workers, 1, maxWorkers},
		{"--per-host", s.PerHost, 1, maxWorkers},
		{"--retries", s.Retries, 0, maxRetries},
		{"--max-redirects", s.MaxRedirects, 0, maxRedirects},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s must be a number from %d to %d, not %d", n.flag, max(n.low, 0), n.high, n.value)
		}
	}
	switch {
	case s.Delay < 0 && s.Delay != Adaptive:
		return errors.New("--delay must not be negative")
	case s.Delay > maxDelay:
		return errors.New("--delay must not be longer than 24h")
	case s.MaxDuration < 0:
		return errors.New("--max-duration must not be negative")
	case s.MaxBytes < 0:
		return errors.New("--max-bytes must not be negative")
	case s.MaxRate < 0:
		return errors.New("--max-rate must not be negative")
	case s.MaxMemory < 0:
		return errors.New("--max-memory must not be negative")
	case s.MinFree < Automatic:
		return errors.New("--min-free must not be negative")
	case s.Timeout < 0:
		return errors.New("--timeout must not be negative")
	case s.MaxBody < 0:
		return errors.New("--max-body must not be negative")
	case s.User != "" && !strings.Contains(s.User, ":"):
		return errors.New("--user must be NAME:PASSWORD")
	}
	if _, err := ParseHours(s.Hours); err != nil {
		return fmt.Errorf("--hours %w", err)
	}
	for _, name := range s.DropParams {
		if strings.Contains(name, ",") {
			return fmt.Errorf("--drop-param %q is one name; repeat the flag for others", name)
		}
	}
	if _, err := s.Rules(); err != nil {
		return fmt.Errorf("--drop-param: %w", err)
	}
	if err := s.validateResults(); err != nil {
		return err
	}
	if s.Contact != "" && !isContact(s.Contact) {
		return fmt.Errorf("--contact must be a web or mail address, not %q", s.Contact)
	}
	o, err := s.fetchOptions()
	if err != nil {
		return err
	}
	f, err := fetch.New(o)
	if err != nil {
		if o.Proxy = ""; s.Proxy != "" {
			if _, other := fetch.New(o); other == nil {
				return fmt.Errorf("--proxy: %w", err)
			}
		}
		return err
	}
	f.Close()
	return nil
}

func checkRE(re string) error {
	if _, err := regexp.Compile(re); err != nil {
		return fmt.Errorf("%q is not a regular expression: %s", re, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return nil
}

// validateResults checks what is to be taken from pages, and where it goes.
func (s *Settings) validateResults() error {
	names := fieldNames{}
	if err := names.add(s.Fields); err != nil {
		return fmt.Errorf("--field %w", err)
	}
	if err := checkSelectors(s.LinksFrom); err != nil {
		return fmt.Errorf("--links-from: %w", err)
	}
	if len(s.PageRules) > maxPageRules {
		return fmt.Errorf("there may be %d rules, not %d", maxPageRules, len(s.PageRules))
	}
	for i := range s.PageRules {
		if err := s.PageRules[i].validate(names); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	if len(names) > maxFields {
		return fmt.Errorf("there may be %d fields, not %d", maxFields, len(names))
	}
	if s.Output != "" {
		if !filepath.IsAbs(s.Output) {
			return fmt.Errorf("--output %q is not an absolute path", s.Output)
		}
		if err := checkOutput(s.Output); err != nil {
			return fmt.Errorf("--output %w", err)
		}
	}
	if s.WARC != "" && !filepath.IsAbs(s.WARC) {
		return fmt.Errorf("--warc %q is not an absolute path", s.WARC)
	}
	return nil
}

// checkOutput tells whether rows can be appended to a file of that name. A
// device has no ending.
func checkOutput(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case slices.Contains([]string{".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json"}, ext), strings.HasPrefix(path, "/dev/"):
		return nil
	case ext == ".parquet", ext == ".sqlite", ext == ".sqlite3", ext == ".db":
		return fmt.Errorf("%q cannot be written while a crawl goes on, only .csv, .tsv and .jsonl can; export it afterwards: pawl export -o FILE", path)
	default:
		return fmt.Errorf("%q must end in .csv, .tsv or .jsonl", path)
	}
}

// validate checks a rule, with the fields of those before it and of the
// whole crawl in names.
func (p *PageRule) validate(names fieldNames) error {
	if p.Match == "" {
		return errors.New("match is missing: a regular expression on addresses")
	}
	if err := checkRE(p.Match); err != nil {
		return fmt.Errorf("match %w", err)
	}
	if err := names.add(p.Fields); err != nil {
		return fmt.Errorf("field %w", err)
	}
	if err := checkSelectors(p.LinksFrom); err != nil {
		return fmt.Errorf("links-from: %w", err)
	}
	switch {
	case p.Delay < 0:
		return errors.New("delay must not be negative")
	case p.Delay > maxDelay:
		return errors.New("delay must not be longer than 24h")
	}
	if _, ok := storage.ParseLane(p.Priority); !ok && p.Priority != "" {
		return fmt.Errorf("priority is high, normal or low, not %q", p.Priority)
	}
	switch p.Store {
	case "", StoreAll, StoreRow, StoreNothing:
		return nil
	}
	return fmt.Errorf("store is all, row or none, not %q", string(p.Store))
}

func checkSelectors(list []string) error {
	for _, text := range list {
		if _, err := field.ParseSelector(text); err != nil {
			return err
		}
	}
	return nil
}

// fieldNames are the fields of a crawl by their names in small letters. Several rules may name
// the same one, and then it is one column.
type fieldNames map[string]field.Field

// add adds the fields of one rule, of which no two may have the same name.
func (f fieldNames) add(specs []string) error {
	var own map[string]bool
	for _, spec := range specs {
		is, err := field.Parse(spec)
		if err != nil {
			return errors.New(strings.TrimPrefix(err.Error(), "field ")) // which the flag says already
		}
		if own[is.Name] {
			return fmt.Errorf("%q: there is a field %s already", spec, is.Name)
		}
		if own == nil {
			own = make(map[string]bool, len(specs))
		}
		own[is.Name] = true
		key := strings.ToLower(is.Name)
		was, ok := f[key]
		if ok && was.Name != is.Name {
			return fmt.Errorf("%q: elsewhere it is %s; names that differ in their capitals alone are one column to SQLite", spec, was.Name)
		}
		if ok && (was.Type != is.Type || was.List != is.List) {
			return fmt.Errorf("%q: elsewhere %s is %s, and a column is of one type", spec, is.Name, fieldKind(was))
		}
		f[key] = is
	}
	return nil
}

// fieldKind is the type of a field as it is written: NAME[]:int.
func fieldKind(f field.Field) string {
	kind := f.Name
	if f.List {
		kind += "[]"
	}
	return kind + ":" + f.Type.String()
}

// Rules are the rules of canonical spelling that the settings ask for.
func (s *Settings) Rules() (weburl.Rules, error) {
	return weburl.DefaultRules().With(s.KeepQuery, s.DropParams, s.SortQuery)
}

// mayBecome tells what of other settings cannot take the place of these, while a crawl
// runs or at all.
func (s *Settings) mayBecome(next *Settings, isLive bool) error {
	if !s.SpellsLike(next) {
		return queryErrorf("how addresses are spelled was fixed when the crawl file was made")
	}
	if !isLive {
		return nil
	}
	same := *next
	same.SeedsFile, same.NoSitemaps, same.UserAgent, same.Contact = s.SeedsFile, s.NoSitemaps, s.UserAgent, s.Contact
	same.LinksFrom, same.PageRules, same.Fields, same.Output = s.LinksFrom, s.PageRules, s.Fields, s.Output
	same.KeepLinks, same.StoreBodies, same.WARC = s.KeepLinks, s.StoreBodies, s.WARC
	if !reflect.DeepEqual(&same, next) {
		return queryErrorf("seeds file, sitemaps, names, fields, rules, links and outputs cannot change while the crawl runs")
	}
	return nil
}

// SpellsLike tells whether the settings spell addresses as others do.
func (s *Settings) SpellsLike(o *Settings) bool {
	sorted := func(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
	return s.KeepQuery == o.KeepQuery && s.SortQuery == o.SortQuery && slices.Equal(sorted(s.DropParams), sorted(o.DropParams))
}

// admits tells whether the settings admit the same links as others do.
func (s *Settings) admits(o *Settings) bool {
	return s.Scope == o.Scope && slices.Equal(s.Include, o.Include) && slices.Equal(s.Exclude, o.Exclude) &&
		s.Assets == o.Assets && s.Forms == o.Forms && s.KeepTraps == o.KeepTraps && s.NoSitemaps == o.NoSitemaps && s.IgnoreNoFollow == o.IgnoreNoFollow && s.MaxDepth == o.MaxDepth &&
		s.MaxRedirects == o.MaxRedirects && slices.Equal(s.ignored(), o.ignored())
}

// ignored are the rules for what is not to be fetched.
func (s *Settings) ignored() (matches []string) {
	for i := range s.PageRules {
		if s.PageRules[i].Ignore {
			matches = append(matches, s.PageRules[i].Match)
		}
	}
	return matches
}

func isContact(s string) bool {
	if u, err := url.Parse(s); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return true
	}
	a, err := mail.ParseAddress(strings.TrimPrefix(s, "mailto:"))
	return err == nil && a.Name == ""
}

func (s *Settings) frontierOptions() frontier.Options {
	o := frontier.Defaults()
	o.PerHost = s.PerHost
	o.Adaptive = s.Delay == Adaptive
	o.Delay = max(s.Delay, 0)
	o.IgnoreRobots = s.IgnoreRobots
	o.MaxPagesPerHost = s.MaxPagesPerHost
	o.Workers = s.Workers
	return o
}

// idleMargin is how much longer than the crawl delay an idle connection lives:
// a new one costs four times what an old one does.
const idleMargin = 30 * time.Second

func (s *Settings) fetchOptions() (fetch.Options, error) {
	o := fetch.Defaults()
	o.UserAgent = s.Agent()
	o.Timeout = s.Timeout
	o.MaxBody = s.MaxBody
	for _, h := range s.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return o, errors.New("-H must be 'Name: value', with a colon") // what was said may be a secret
		}
		if strings.EqualFold(strings.TrimSpace(name), "User-Agent") {
			return o, errors.New("-H cannot set User-Agent, by which robots.txt is read too: use --user-agent")
		}
		o.Headers = append(o.Headers, fetch.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	o.User, o.Password, _ = strings.Cut(s.User, ":")
	o.Proxy = s.Proxy
	o.HTTP1 = s.HTTP1
	o.Insecure = s.Insecure
	o.AllowPrivate = s.AllowPrivate
	o.PerHost = s.PerHost
	o.MaxConns = max(s.Workers*2, 100)
	o.IdleConnTimeout = max(s.Delay, 10*time.Second) + idleMargin
	return o, nil
}

// Agent is the User-Agent header. With a contact it ends in "(+CONTACT)".
func (s *Settings) Agent() string {
	if s.Contact == "" {
		return s.UserAgent
	}
	return s.UserAgent + " (+" + s.Contact + ")"
}
