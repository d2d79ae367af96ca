package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pawl/crawl"
	"pawl/export"
	"pawl/page/field"
)

// setting is an option whose value the crawl file remembers.
type setting struct {
	option
	read func(s *crawl.Settings, values []string) error
	// reset gives it the value it has in usual.
	reset func(s, usual *crawl.Settings)
	show  func(s *crawl.Settings) string // for people; secrets are not in it
	key   func(s *crawl.Settings) string // differs whenever the value does
}

// Groups of options, in the order in which help shows them.
const (
	groupSeeds      = "Seeds"
	groupScope      = "Scope"
	groupLimits     = "Limits"
	groupMachine    = "Machine"
	groupPoliteness = "Politeness"
	groupFetch      = "Fetch"
	groupResults    = "Results"
	groupCheck      = "Check"
	groupExport     = "Export"
	groupQueue      = "Queue"
	groupFile       = "File"
	groupTalk       = "Talk"
)

// crawlSettings are the options of a crawl that its file remembers.
func crawlSettings() []setting {
	return []setting{
		{
			option: option{name: "seeds", arg: "FILE", group: groupSeeds, usage: "read seeds from a file, one a line; - is stdin"},
			read:   readSeedsFile,
			reset:  func(s, usual *crawl.Settings) { s.SeedsFile = usual.SeedsFile },
			show:   func(s *crawl.Settings) string { return orNone(s.SeedsFile) },
			key:    func(s *crawl.Settings) string { return s.SeedsFile },
		},
		choice("sitemaps", groupSeeds, "auto|off", "read the sitemaps that robots.txt names, or not (auto)",
			func(s *crawl.Settings) *bool { return &s.NoSitemaps }, "auto", "off"),
		text("scope", groupScope, "host|domain|prefix|any", "which links to follow: those to the seeds' hosts, to their registrable domains, into the seeds' folders, or all (host)",
			func(s *crawl.Settings) *string { return (*string)(&s.Scope) }),
		list("include", "", groupScope, "RE", "follow only addresses that match; repeatable",
			func(s *crawl.Settings) *[]string { return &s.Include }, nil),
		list("exclude", "", groupScope, "RE", "fetch no addresses that match; repeatable",
			func(s *crawl.Settings) *[]string { return &s.Exclude }, nil),
		list("links-from", "", groupScope, "SELECTOR", "take only links inside the elements that a CSS selector or xpath:EXPR matches; repeatable",
			func(s *crawl.Settings) *[]string { return &s.LinksFrom }, nil),
		toggle("assets", groupScope, "fetch images, styles, scripts and media too",
			func(s *crawl.Settings) *bool { return &s.Assets }),
		toggle("forms", groupScope, "also follow the addresses of forms that ask by GET",
			func(s *crawl.Settings) *bool { return &s.Forms }),
		toggle("ignore-nofollow", groupScope, "follow links that ask not to be followed",
			func(s *crawl.Settings) *bool { return &s.IgnoreNoFollow }),
		choice("traps", groupScope, "park|follow", "park addresses of patterns that bring nothing new, or follow them too (park)",
			func(s *crawl.Settings) *bool { return &s.KeepTraps }, "park", "follow"),
		toggle("keep-query", groupScope, "keep parameters of advertisers and sessions in addresses; fixed when the file is made",
			func(s *crawl.Settings) *bool { return &s.KeepQuery }),
		list("drop-param", "", groupScope, "NAME", "take this parameter out of addresses too, or all that begin so: ref_*; repeatable; fixed when the file is made",
			func(s *crawl.Settings) *[]string { return &s.DropParams }, nil),
		toggle("sort-query", groupScope, "sort the parameters of addresses; fixed when the file is made",
			func(s *crawl.Settings) *bool { return &s.SortQuery }),
		{
			option: option{name: "max-depth", arg: "N", group: groupLimits, usage: "follow links over N steps; seeds are 0, so 0 fetches only them and what they redirect to (none)"},
			read:   readDepth,
			reset:  func(s, usual *crawl.Settings) { s.MaxDepth = usual.MaxDepth },
			show:   showDepth,
			key:    showDepth,
		},
		count("max-pages", groupLimits, "stop at N fetched pages over the life of the crawl (none)", true,
			func(s *crawl.Settings) *int { return &s.MaxPages }),
		count("max-pages-per-host", groupLimits, "fetch at most N pages of a host (none)", true,
			func(s *crawl.Settings) *int { return &s.MaxPagesPerHost }),
		duration("max-duration", groupLimits, "stop this run after D (none)", true,
			func(s *crawl.Settings) *time.Duration { return &s.MaxDuration }),
		size("max-bytes", groupLimits, "stop when SIZE bytes have come over the network (none)",
			func(s *crawl.Settings) *int64 { return &s.MaxBytes }),
		{
			option: option{name: "hours", arg: "HH:MM-HH:MM", group: groupMachine, usage: "ask only at these times of the day, by the machine's clock: 22:00-06:00; several with commas, and with days: mon-fri 22:00-06:00,sat-sun (always)"},
			read:   readHours,
			reset:  func(s, usual *crawl.Settings) { s.Hours = usual.Hours },
			show:   func(s *crawl.Settings) string { return orNone(s.Hours) },
			key:    func(s *crawl.Settings) string { return s.Hours },
		},
		{
			option: option{name: "max-rate", arg: "SIZE/s", group: groupMachine, usage: "take at most SIZE a second from the network, all hosts together: 2MB/s (none)"},
			read:   readRate,
			reset:  func(s, usual *crawl.Settings) { s.MaxRate = usual.MaxRate },
			show:   showRate,
			key:    showRate,
		},
		atLeast(leastMemory, size("max-memory", groupMachine, "hold back before the process takes more memory than SIZE; stop cleanly if it cannot do with less (what the system allows it)",
			func(s *crawl.Settings) *int64 { return &s.MaxMemory })),
		{
			option: option{name: "min-free", arg: "SIZE", group: groupMachine, usage: "stop cleanly when less than SIZE is free on a disk that is written; auto suits the disk, 0 is no limit (auto)"},
			read:   readMinFree,
			reset:  func(s, usual *crawl.Settings) { s.MinFree = usual.MinFree },
			show:   showMinFree,
			key:    showMinFree,
		},
		count("workers", groupPoliteness, "requests in flight at most (16)", false,
			func(s *crawl.Settings) *int { return &s.Workers }),
		count("per-host", groupPoliteness, "connections to one host at most (1)", false,
			func(s *crawl.Settings) *int { return &s.PerHost }),
		{
			option: option{name: "delay", arg: "D", group: groupPoliteness, usage: "least gap between two requests to one host; adaptive is as long as the last answer took, within 100ms and 10s (adaptive)"},
			read:   readDelay,
			reset:  func(s, usual *crawl.Settings) { s.Delay = usual.Delay },
			show:   showDelay,
			key:    showDelay,
		},
		toggle("ignore-robots", groupPoliteness, "do not ask for robots.txt, nor obey it",
			func(s *crawl.Settings) *bool { return &s.IgnoreRobots }),
		text("user-agent", groupPoliteness, "S", "name to send and to look for in robots.txt (pawl/VERSION)",
			func(s *crawl.Settings) *string { return &s.UserAgent }),
		text("contact", groupPoliteness, "URL_OR_MAIL", "where to complain; sent with the name (none)",
			func(s *crawl.Settings) *string { return &s.Contact }),
		duration("timeout", groupFetch, "longest time for one exchange (30s)", true,
			func(s *crawl.Settings) *time.Duration { return &s.Timeout }),
		size("max-body", groupFetch, "cut bodies at SIZE (10MB)",
			func(s *crawl.Settings) *int64 { return &s.MaxBody }),
		list("header", "H", groupFetch, "'Name: value'", "send a header; repeatable",
			func(s *crawl.Settings) *[]string { return &s.Headers }, headerName),
		secret("user", "USER:PASS", "log in by HTTP Basic to the seeds' hosts",
			func(s *crawl.Settings) *string { return &s.User }, func(string) string { return "***" }),
		secret("proxy", "URL", "ask through a proxy: http, https, socks5 (names are looked up here) or socks5h (there)",
			func(s *crawl.Settings) *string { return &s.Proxy }, maskedProxy),
		count("retries", groupFetch, "further attempts after a failure that may pass (4)", false,
			func(s *crawl.Settings) *int { return &s.Retries }),
		count("max-redirects", groupFetch, "longest chain of redirects (10)", false,
			func(s *crawl.Settings) *int { return &s.MaxRedirects }),
		toggle("http1", groupFetch, "do not speak HTTP/2",
			func(s *crawl.Settings) *bool { return &s.HTTP1 }),
		toggle("insecure", groupFetch, "accept any TLS certificate",
			func(s *crawl.Settings) *bool { return &s.Insecure }),
		toggle("allow-private", groupFetch, "also ask hosts with private and other special addresses that are no seeds",
			func(s *crawl.Settings) *bool { return &s.AllowPrivate }),
		list("field", "", groupResults, "NAME=SELECTOR", "take a value from each page into a column: NAME=h1, stars[]:int=.bar, link=a@href, price=jsonld:Product.offers.price; repeatable",
			func(s *crawl.Settings) *[]string { return &s.Fields }, nil),
		{
			option: option{name: "output", short: "o", arg: "FILE", group: groupResults, usage: "write pages to a csv, tsv or jsonl file as the crawl goes on (none)"},
			read:   readOutput,
			reset:  func(s, usual *crawl.Settings) { s.Output = usual.Output },
			show:   func(s *crawl.Settings) string { return orNone(s.Output) },
			key:    func(s *crawl.Settings) string { return s.Output },
		},
		toggle("links", groupResults, "keep every link: for links, graph and inlinks of pawl export",
			func(s *crawl.Settings) *bool { return &s.KeepLinks }),
		toggle("store-bodies", groupResults, "keep the bodies of pages in the crawl file",
			func(s *crawl.Settings) *bool { return &s.StoreBodies }),
		{
			option: option{name: "warc", arg: "DIR", group: groupResults, usage: "write requests and responses into WARC files in a folder (none)"},
			read:   readWARC,
			reset:  func(s, usual *crawl.Settings) { s.WARC = usual.WARC },
			show:   func(s *crawl.Settings) string { return orNone(s.WARC) },
			key:    func(s *crawl.Settings) string { return s.WARC },
		},
		{
			option: option{name: "rules", inFile: true},
			read:   readRules,
			reset:  func(s, usual *crawl.Settings) { s.PageRules = usual.PageRules },
			show: func(s *crawl.Settings) string {
				if len(s.PageRules) == 0 {
					return "none"
				}
				return strconv.Itoa(len(s.PageRules))
			},
			key: func(s *crawl.Settings) string { return strings.Join(spellRules(s.PageRules), "\n") },
		},
	}
}

func text(name, group, arg, usage string, field func(*crawl.Settings) *string) setting {
	return setting{
		option: option{name: name, group: group, arg: arg, usage: usage},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read:   func(s *crawl.Settings, v []string) error { *field(s) = v[0]; return nil },
		show:   func(s *crawl.Settings) string { return orNone(*field(s)) },
		key:    func(s *crawl.Settings) string { return *field(s) },
	}
}

// secret is an option of which only a part may be shown.
func secret(name, arg, usage string, field func(*crawl.Settings) *string, masked func(string) string) setting {
	return setting{
		option: option{name: name, arg: arg, group: groupFetch, usage: usage},
		read:   func(s *crawl.Settings, v []string) error { *field(s) = v[0]; return nil },
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		show: func(s *crawl.Settings) string {
			if *field(s) == "" {
				return "none"
			}
			return masked(*field(s))
		},
		key: func(s *crawl.Settings) string { return *field(s) },
	}
}

// maskedProxy is the address of a proxy without name and password.
func maskedProxy(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = "***@" + rest[i+1:]
	}
	return scheme + "://" + rest
}

// choice is an option with two values, of which the second turns something on.
func choice(name, group, arg, usage string, field func(*crawl.Settings) *bool, off, on string) setting {
	show := func(s *crawl.Settings) string {
		if *field(s) {
			return on
		}
		return off
	}
	return setting{
		option: option{name: name, group: group, arg: arg, usage: usage},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read: func(s *crawl.Settings, v []string) error {
			if v[0] != off && v[0] != on {
				return fmt.Errorf("%q is neither %s nor %s", v[0], off, on)
			}
			*field(s) = v[0] == on
			return nil
		},
		show: show, key: show,
	}
}

// list is a repeatable option. An empty value empties the list. masked gives
// the part of an element that may be shown; nil: all of it.
func list(name, short, group, arg, usage string, field func(*crawl.Settings) *[]string, masked func(string) string) setting {
	return setting{
		option: option{name: name, short: short, group: group, arg: arg, usage: usage, repeat: true},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read: func(s *crawl.Settings, v []string) error {
			*field(s) = slices.DeleteFunc(slices.Clone(v), func(x string) bool { return x == "" })
			return nil
		},
		show: func(s *crawl.Settings) string {
			shown := slices.Clone(*field(s))
			for i := range shown {
				if masked != nil {
					shown[i] = masked(shown[i])
				}
			}
			return orNone(strings.Join(shown, " & "))
		},
		key: func(s *crawl.Settings) string { return strings.Join(*field(s), "\n") },
	}
}

func toggle(name, group, usage string, field func(*crawl.Settings) *bool) setting {
	show := func(s *crawl.Settings) string {
		if *field(s) {
			return "on"
		}
		return "off"
	}
	return setting{
		option: option{name: name, group: group, usage: usage},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read: func(s *crawl.Settings, v []string) (err error) {
			*field(s), err = parseSwitch(v[0])
			return err
		},
		show: show, key: show,
	}
}

func count(name, group, usage string, zeroIsNone bool, field func(*crawl.Settings) *int) setting {
	show := func(s *crawl.Settings) string {
		if *field(s) == 0 && zeroIsNone {
			return "none"
		}
		return strconv.Itoa(*field(s))
	}
	return setting{
		option: option{name: name, group: group, arg: "N", usage: usage},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read: func(s *crawl.Settings, v []string) (err error) {
			*field(s), err = parseCount(v[0])
			return err
		},
		show: show, key: show,
	}
}

func duration(name, group, usage string, zeroIsNone bool, field func(*crawl.Settings) *time.Duration) setting {
	show := func(s *crawl.Settings) string {
		if *field(s) == 0 && zeroIsNone {
			return "none"
		}
		return exactDuration(*field(s))
	}
	return setting{
		option: option{name: name, group: group, arg: "D", usage: usage},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read: func(s *crawl.Settings, v []string) (err error) {
			*field(s), err = parseDuration(v[0])
			return err
		},
		show: show, key: show,
	}
}

func size(name, group, usage string, field func(*crawl.Settings) *int64) setting {
	show := func(s *crawl.Settings) string {
		if *field(s) == 0 {
			return "none"
		}
		return exactSize(*field(s))
	}
	return setting{
		option: option{name: name, group: group, arg: "SIZE", usage: usage},
		reset:  func(s, usual *crawl.Settings) { *field(s) = *field(usual) },
		read: func(s *crawl.Settings, v []string) (err error) {
			*field(s), err = parseSize(v[0])
			return err
		},
		show: show, key: show,
	}
}

// leastMemory is what a process needs of itself, and leastRate what is worth waiting for,
// in bytes: a smaller number lacks its unit.
const (
	leastMemory = 16_000_000
	leastRate   = 1000
)

// atLeast refuses sizes that are less, but for 0.
func atLeast(least int64, st setting) setting {
	read := st.read
	st.read = func(s *crawl.Settings, v []string) error {
		if n, err := parseSize(v[0]); err == nil && n > 0 && n < least {
			return fmt.Errorf("%q is too little: %s is the least", v[0], exactSize(least))
		}
		return read(s, v)
	}
	return st
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func headerName(header string) string {
	name, _, _ := strings.Cut(header, ":")
	return strings.TrimSpace(name)
}

// readSeedsFile remembers the file by its absolute path. Stdin is not
// remembered and leaves a remembered file alone.
func readSeedsFile(s *crawl.Settings, v []string) error {
	if v[0] == "-" {
		return nil
	}
	path, err := filepath.Abs(v[0])
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", path)
	case !info.Mode().IsRegular():
		return nil // a pipe cannot be read again, and opening it can wait for ever
	}
	h, err := os.Open(path)
	if err != nil {
		return err
	}
	h.Close()
	s.SeedsFile = path
	return nil
}

// readOutput remembers the file by its absolute path; - is none.
func readOutput(s *crawl.Settings, v []string) (err error) {
	if v[0] == "-" { // for this run, beside what is remembered
		return nil
	}
	if info, err := os.Stat(v[0]); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder", v[0])
	}
	s.Output, err = filepath.Abs(v[0])
	return err
}

func readWARC(s *crawl.Settings, v []string) (err error) {
	if info, err := os.Stat(v[0]); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a folder", v[0])
	}
	s.WARC, err = filepath.Abs(v[0])
	return err
}

// readRules reads what spellRules has written.
func readRules(s *crawl.Settings, v []string) error {
	rules := make([]crawl.PageRule, len(v))
	for i, text := range v {
		if err := json.Unmarshal([]byte(text), &rules[i]); err != nil {
			return err
		}
	}
	s.PageRules = rules
	return nil
}

// spellRules spells each rule in one line.
func spellRules(rules []crawl.PageRule) []string {
	list := make([]string, len(rules))
	for i := range rules {
		text, err := json.Marshal(&rules[i])
		if err != nil {
			panic("cli: a rule cannot be spelled: " + err.Error()) // it holds nothing but texts and numbers
		}
		list[i] = string(text)
	}
	return list
}

// checkFields refuses fields by the name of a column that pages have.
func checkFields(s *crawl.Settings) error {
	check := func(specs []string) error {
		for _, spec := range specs {
			f, err := field.Parse(spec)
			if err != nil {
				return err
			}
			if export.IsPageColumn(f.Name) {
				return fmt.Errorf("--field %q: pages have a column %s already; choose another name", spec, f.Name)
			}
		}
		return nil
	}
	if err := check(s.Fields); err != nil {
		return err
	}
	for i := range s.PageRules {
		if err := check(s.PageRules[i].Fields); err != nil {
			return err
		}
	}
	return nil
}

func readDepth(s *crawl.Settings, v []string) (err error) {
	s.MaxDepth, err = parseCount(v[0])
	return err
}

func showDepth(s *crawl.Settings) string {
	if s.MaxDepth == crawl.NoLimit {
		return "none"
	}
	return strconv.Itoa(s.MaxDepth)
}

func readDelay(s *crawl.Settings, v []string) (err error) {
	if v[0] == "adaptive" {
		s.Delay = crawl.Adaptive
		return nil
	}
	s.Delay, err = parseDuration(v[0])
	return err
}

func showDelay(s *crawl.Settings) string {
	if s.Delay == crawl.Adaptive {
		return "adaptive"
	}
	return exactDuration(s.Delay)
}

// isNothing tells whether a value takes a setting back.
func isNothing(texts []string) bool {
	return !slices.ContainsFunc(texts, func(t string) bool { return t != "" && t != "none" })
}

// overlay puts what the user said over the settings. An empty value, or none,
// gives a setting its default.
func overlay(s *crawl.Settings, said given) error {
	usual := crawl.Defaults(ownAgent())
	all := crawlSettings()
	for i := range all {
		v, ok := said[all[i].name]
		if !ok {
			continue
		}
		if isNothing(v.texts) {
			all[i].reset(s, &usual)
			continue
		}
		if err := all[i].read(s, v.texts); err != nil {
			return v.wrong(err)
		}
	}
	if err := validate(s); err != nil {
		return usagef("%w", err)
	}
	return nil
}

func validate(s *crawl.Settings) error {
	if err := s.Validate(); err != nil {
		return err
	}
	return checkFields(s)
}

// changes tells how the settings differ, for people.
func changes(from, to *crawl.Settings) []string {
	var list []string
	all := crawlSettings()
	for i := range all {
		st := &all[i]
		if st.key(from) == st.key(to) {
			continue
		}
		was, is := st.show(from), st.show(to)
		if was == is {
			list = append(list, st.name+" (a new value)")
			continue
		}
		list = append(list, st.name+" "+is+" (was "+was+")")
	}
	return list
}

// anyOwnAgent is the name that pawl sends unless told otherwise, of whatever
// version.
var anyOwnAgent = regexp.MustCompile(`^pawl/[^ ()]+$`)

// remembered are the settings of an earlier run, for this version: a name that
// was not the user's choice changes with it.
func remembered(s crawl.Settings) crawl.Settings {
	if anyOwnAgent.MatchString(s.UserAgent) {
		s.UserAgent = ownAgent()
	}
	return s
}

func settingOptions() []option {
	var list []option
	for _, s := range crawlSettings() {
		if !s.inFile {
			list = append(list, s.option)
		}
	}
	return list
}

func fileOption() option {
	return option{name: "db", arg: "FILE", group: groupFile, usage: "the crawl file (crawl.pawl)"}
}

const defaultFile = "crawl.pawl"

// file is the path of the crawl file, and how a further command would name it.
func (c *call) file() (path, again string) {
	said, ok := c.given["db"]
	if !ok {
		return defaultFile, ""
	}
	path = said.last()
	if path != defaultFile && (strings.HasPrefix(said.where, "--") || said.line.number > 0) {
		again = " --db " + quoted(path)
	}
	return path, again
}

// readHours remembers the hours in their one spelling.
func readHours(s *crawl.Settings, v []string) error {
	h, err := crawl.ParseHours(v[0])
	if err != nil {
		return err
	}
	s.Hours = h.String()
	return nil
}

// bits is a size as networks spell it, by which others mean bits: 2Mb, 16mbit, 16mbps.
var bits = regexp.MustCompile(`^[0-9.]+ *(?:[KMGT]b|(?i:[kmgt]i?(?:bits?|bps)))$`)

// readRate reads 2MB/s, or 2MB.
func readRate(s *crawl.Settings, v []string) (err error) {
	text := strings.TrimSuffix(strings.TrimSpace(v[0]), "/s")
	if bits.MatchString(text) {
		return fmt.Errorf("%q looks like bits, and a rate is in bytes: 2MB/s are 16 Mbit/s", v[0])
	}
	if s.MaxRate, err = parseSize(text); err != nil {
		return fmt.Errorf("%q is not a rate such as 500KB/s or 2MB/s", v[0])
	}
	if s.MaxRate > 0 && s.MaxRate < leastRate {
		return fmt.Errorf("%q is too little: %s/s is the least", v[0], exactSize(leastRate))
	}
	return nil
}

func showRate(s *crawl.Settings) string {
	if s.MaxRate == 0 {
		return "none"
	}
	return exactSize(s.MaxRate) + "/s"
}

func readMinFree(s *crawl.Settings, values []string) (err error) {
	if values[0] == "auto" {
		s.MinFree = crawl.Automatic
		return nil
	}
	s.MinFree, err = parseSize(values[0])
	return err
}

func showMinFree(s *crawl.Settings) string {
	switch s.MinFree {
	case crawl.Automatic:
		return "auto"
	case 0:
		return "0" // none is auto
	}
	return exactSize(s.MinFree)
}
