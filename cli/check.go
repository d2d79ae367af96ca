package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"pawl/crawl"
	"pawl/page"
	"pawl/page/field"
	"pawl/storage"
	"pawl/weburl"
)

func checkCommand() *command {
	// What spares the machine means nothing for a page.
	options := slices.DeleteFunc(settingOptions(), func(o option) bool { return o.group == groupMachine })
	options = insertOption(options, option{name: "cookies", arg: "FILE", group: groupFetch, usage: "take cookies from a cookies.txt (Netscape format)"})
	return &command{
		name: "check", args: "[FILE] [URL...]", summary: "check a recipe, and try it on a page",
		text: "FILE is what pawl crawl takes by --config. With a URL that one page is fetched\n" +
			"as a crawl would, and told is what would be taken from it and followed. Flags\n" +
			"win over the file, and do without one: pawl check URL --field price=.price\n" +
			"No crawl file is read or written.",
		options: append(
			options,
			configOption(),
			option{name: "all", group: groupCheck, usage: "list all values and links, not the first 20 of each kind"},
			option{name: "json", group: groupCheck, usage: "as JSON"},
		),
		run: runCheck,
	}
}

// report is what a check finds. Its JSON is a promise: fields are added, never
// renamed.
type report struct {
	File   string       `json:"file,omitempty"`
	Rules  int          `json:"rules"`
	Fields int          `json:"fields"`
	Seeds  int          `json:"seeds"`
	Pages  []pageReport `json:"pages"`
}

type pageReport struct {
	URL string `json:"url"`
	// Skipped is why a crawl would not fetch it, exclude or ignore; here it is
	// fetched all the same.
	Skipped     string        `json:"skipped,omitempty"`
	Outcome     string        `json:"outcome,omitempty"`
	Status      int           `json:"status,omitempty"`
	ErrorClass  string        `json:"error_class,omitempty"`
	Error       string        `json:"error,omitempty"`
	ContentType string        `json:"content_type,omitempty"`
	Size        int64         `json:"size"`
	Truncated   bool          `json:"truncated,omitempty"`
	Redirect    string        `json:"redirect_url,omitempty"`
	Rules       []int         `json:"rules"` // that match, from 1
	Matches     []string      `json:"-"`
	Store       string        `json:"store"` // true, row or false
	Fields      []fieldReport `json:"fields"`
	FieldsError string        `json:"fields_error,omitempty"`
	Links       []linkReport  `json:"links"`
}

type fieldReport struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

type linkReport struct {
	URL      string `json:"url"`
	Kind     string `json:"kind"`
	Anchor   string `json:"anchor,omitempty"`
	Followed bool   `json:"followed"`
	Reason   string `json:"reason,omitempty"` // why not
	Priority string `json:"priority,omitempty"`
}

func runCheck(ctx context.Context, c *call) error {
	asJSON, err := c.given.isOn("json")
	if err != nil {
		return err
	}
	all, err := c.given.isOn("all")
	if err != nil {
		return err
	}
	path, urls := c.splitRecipe()
	if path == "" && len(urls) == 0 {
		return usageError{error: errors.New("name a recipe or a URL"), command: "check"}
	}
	rep := report{File: path, Pages: []pageReport{}}
	c.args = urls
	if path != "" {
		r, err := c.readNamed(path)
		if err != nil {
			return err
		}
		rep.Seeds = len(r.seeds)
		c.args = urls // the seeds of the recipe are no pages to try
	}
	settings := crawl.Defaults(ownAgent())
	if err := overlay(&settings, c.given); err != nil {
		return err
	}
	fields, err := settings.AllFields()
	if err != nil {
		return usagef("%w", err)
	}
	rep.Rules, rep.Fields = len(settings.PageRules), len(fields)
	if len(urls) > 0 {
		rep.Pages, err = c.tryPages(ctx, settings, urls)
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%w before the page had come", errStopped)
		}
		if err != nil {
			return err
		}
	}
	if asJSON {
		return c.writeJSON(&rep)
	}
	_, err = io.WriteString(c.Stdout, rep.text(all))
	return quiet(err)
}

// splitRecipe finds the recipe: that of --config, otherwise the first argument if
// it is a file. The other arguments are addresses.
func (c *call) splitRecipe() (path string, urls []string) {
	config, named := c.given["config"]
	if named && strings.HasPrefix(config.where, "--") {
		return config.last(), c.args
	}
	if len(c.args) > 0 && isRecipe(c.args[0]) {
		return c.args[0], c.args[1:]
	}
	if named {
		return config.last(), c.args
	}
	return "", c.args
}

// isRecipe tells whether an argument is a recipe rather than an address, which
// has no need to begin with http.
func isRecipe(arg string) bool {
	switch strings.ToLower(filepath.Ext(arg)) {
	case ".yaml", ".yml":
		return !strings.Contains(arg, "://")
	}
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}

// readNamed reads the recipe and puts it below what the user said.
func (c *call) readNamed(path string) (*recipe, error) {
	r, err := openRecipe(path)
	var wrong lineError
	switch {
	case errors.As(err, &wrong):
		return nil, err
	case err != nil:
		return nil, usagef("%w", err)
	}
	c.follow(r)
	return r, nil
}

// tryPages fetches pages one after the other, as a crawl with the settings would.
func (c *call) tryPages(ctx context.Context, settings crawl.Settings, urls []string) ([]pageReport, error) {
	rules, err := settings.Rules()
	if err != nil {
		return nil, err
	}
	speller, err := weburl.New(rules)
	if err != nil {
		return nil, err
	}
	for _, url := range urls {
		if _, err := crawl.ParseSeed(speller, strings.TrimSpace(url)); err != nil {
			return nil, usagef("%q cannot be crawled: %w", crawl.WithoutUserinfo(url), err)
		}
	}
	g := crawling{call: c}
	if err := g.readCookies(); err != nil {
		return nil, err
	}
	// Where it would go is of no interest.
	settings.Output, settings.WARC, settings.StoreBodies, settings.SeedsFile = "", "", false, ""
	pages := []pageReport{}
	for _, url := range urls {
		in, err := inspect(ctx, crawl.Options{
			Settings: settings, Input: crawl.Input{Cookies: g.cookies}, Log: slog.New(slog.DiscardHandler),
		}, strings.TrimSpace(url))
		if err != nil {
			return nil, err
		}
		p, err := reportPage(&settings, in)
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

// inspect fetches a page with a crawl file of its own, which is gone afterwards.
func inspect(ctx context.Context, o crawl.Options, url string) (*crawl.Inspection, error) {
	dir, err := os.MkdirTemp("", "pawl-check-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file, err := storage.Create(filepath.Join(dir, defaultFile), crawl.Rules(&o.Settings))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return crawl.Inspect(ctx, file, o, url)
}

// reportPage tells what was found on a page in the words of exports.
func reportPage(s *crawl.Settings, in *crawl.Inspection) (pageReport, error) {
	p := pageReport{URL: in.URL, Rules: []int{}, Store: storeWord(in.Store), Fields: []fieldReport{}, Links: []linkReport{}}
	for _, i := range in.Rules {
		p.Rules = append(p.Rules, i+1)
		p.Matches = append(p.Matches, s.PageRules[i].Match)
	}
	excluded, err := refusal(s)
	if err != nil {
		return p, err
	}
	p.Skipped = excluded(in.URL, in.Rules)
	if in.Robots != "" {
		p.Error, p.ErrorClass = "robots.txt: "+in.Robots, storage.Robots.String()
	}
	v := in.Visit
	if v == nil {
		return p, nil
	}
	p.Outcome, p.Status, p.ErrorClass, p.Error = v.Outcome.String(), int(v.Status), v.Class.String(), v.Record.Error
	p.ContentType, p.Size, p.Truncated, p.Redirect = v.Record.ContentType, v.Record.Size, v.Record.Truncated, v.Redirect
	p.FieldsError = v.Record.FieldsError
	p.Fields = reportFields(in.Fields, v.Record.Fields)
	for i := range in.Links {
		l := &in.Links[i]
		kind := page.Kind(l.Kind)
		r := linkReport{URL: l.URL, Kind: kind.String(), Anchor: l.Anchor, Followed: l.Taken && l.Reason == storage.NoReason}
		switch {
		case r.Followed:
			r.Priority = l.Lane.String()
		case l.Reason == storage.Excluded:
			r.Reason = excluded(l.URL, nil)
		case l.Reason != storage.NoReason:
			r.Reason = l.Reason.String()
		default:
			r.Reason = passedOver(s, kind, p.Outcome, in.FromParts)
		}
		p.Links = append(p.Links, r)
	}
	return p, nil
}

// refusal tells of addresses which of exclude and ignore keeps them from being
// fetched, empty if none does. The places of the rules that match may be given.
func refusal(s *crawl.Settings) (func(url string, matching []int) string, error) {
	var excludes, ignores []*regexp.Regexp
	for _, text := range s.Exclude {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, err
		}
		excludes = append(excludes, re)
	}
	for i := range s.PageRules {
		if !s.PageRules[i].Ignore {
			continue
		}
		re, err := regexp.Compile(s.PageRules[i].Match)
		if err != nil {
			return nil, err
		}
		ignores = append(ignores, re)
	}
	return func(url string, matching []int) string {
		match := func(re *regexp.Regexp) bool { return re.MatchString(url) }
		switch {
		case slices.ContainsFunc(excludes, match):
			return storage.Excluded.String()
		case slices.ContainsFunc(ignores, match):
			return "ignore"
		}
		return ""
	}, nil
}

// passedOver is why a link is not even looked at.
func passedOver(s *crawl.Settings, kind page.Kind, outcome string, linksFrom bool) string {
	switch {
	case outcome != storage.Fetched.String():
		return "outcome" // links of error pages are not followed
	case kind.Asset() && !s.Assets:
		return storage.Asset.String()
	case kind == page.KindForm && !s.Forms:
		return storage.Form.String()
	case linksFrom && (kind.Navigation() || kind.Asset() || kind == page.KindForm):
		return "links-from"
	}
	return "kind"
}

func storeWord(s crawl.Store) string {
	switch s {
	case crawl.StoreRow:
		return "row"
	case crawl.StoreNothing:
		return "false"
	}
	return "true"
}

// reportFields gives each field that was looked for with what was found.
func reportFields(wanted []field.Field, found []storage.Field) []fieldReport {
	list := []fieldReport{}
	for i := range wanted {
		r := fieldReport{Name: wanted[i].Name, Values: []string{}}
		for i := range found {
			if found[i].Name == r.Name {
				r.Values = append(r.Values, found[i].Values...)
			}
		}
		list = append(list, r)
	}
	return list
}

// shownOfEach is how many values and links of each kind people see unless they
// ask for all.
const shownOfEach = 20

// text tells the report to people.
func (r *report) text(all bool) string {
	var b strings.Builder
	if r.File != "" {
		fmt.Fprintf(&b, "%s: ok: %s, %s, %s\n", clean(r.File), counted(uint64(r.Rules), "rule", "rules"),
			counted(uint64(r.Fields), "field", "fields"), counted(uint64(r.Seeds), "seed", "seeds"))
	}
	for i := range r.Pages {
		if r.File != "" || i > 0 {
			b.WriteByte('\n')
		}
		r.Pages[i].writeTo(&b, all)
	}
	return b.String()
}

func (p *pageReport) writeTo(b *strings.Builder, all bool) {
	fmt.Fprintf(b, "%s\n", clean(p.URL))
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-10s %s\n", name, clean(fmt.Sprintf(format, args...)))
	}
	if p.Skipped != "" {
		line("skipped", "a crawl would not fetch it: %s", p.Skipped)
	}
	line("outcome", "%s", p.outcome())
	if p.Redirect != "" {
		line("redirects", "to %s", p.Redirect)
	}
	for i, match := range p.Matches {
		line("rule", "%d, %s", p.Rules[i], match)
	}
	switch p.Store {
	case "row":
		line("store", "its row alone")
	case "false":
		line("store", "nothing, it is visited for its links")
	}
	if p.FieldsError != "" {
		line("trouble", "%s", p.FieldsError)
	}
	if len(p.Fields) > 0 {
		b.WriteString("  fields\n")
	}
	width := 0
	for i := range p.Fields {
		width = max(width, len(p.Fields[i].Name))
	}
	for i := range p.Fields {
		p.Fields[i].writeTo(b, width, all)
	}
	if p.Outcome == storage.Fetched.String() || len(p.Links) > 0 {
		p.writeLinks(b, all)
	}
}

// outcome sums up the answer.
func (p *pageReport) outcome() string {
	if p.Outcome == "" {
		return "not asked for: " + p.Error
	}
	parts := []string{p.Outcome}
	if p.Status != 0 {
		parts = append(parts, fmt.Sprint(p.Status), orNone(p.ContentType), roughSize(float64(p.Size)))
	}
	if p.Truncated {
		parts = append(parts, "cut at --max-body")
	}
	if p.ErrorClass != "" {
		parts = append(parts, p.ErrorClass)
	}
	if p.Error != "" {
		parts = append(parts, p.Error)
	}
	return strings.Join(parts, ", ")
}

// shownRunes is how much of a value is shown unless all is asked for.
const shownRunes = 200

func (f *fieldReport) writeTo(b *strings.Builder, width int, all bool) {
	name := f.Name
	if len(f.Values) == 0 {
		fmt.Fprintf(b, "    %-*s  (nothing found)\n", width, name)
		return
	}
	for i, v := range f.Values {
		if i == shownOfEach && !all {
			fmt.Fprintf(b, "    %-*s  and %s\n", width, "", counted(uint64(len(f.Values)-i), "other", "others"))
			return
		}
		if r := []rune(v); len(r) > shownRunes && !all {
			v = string(r[:shownRunes]) + "…"
		}
		fmt.Fprintf(b, "    %-*s  %s\n", width, name, clean(v))
		name = ""
	}
}

// writeLinks lists the links that would be followed, then those that would not by
// their reasons.
func (p *pageReport) writeLinks(b *strings.Builder, all bool) {
	groups := map[string][]*linkReport{}
	var reasons []string
	for i := range p.Links {
		l := &p.Links[i]
		if _, ok := groups[l.Reason]; !ok && l.Reason != "" {
			reasons = append(reasons, l.Reason)
		}
		groups[l.Reason] = append(groups[l.Reason], l)
	}
	slices.Sort(reasons)
	write := func(title string, links []*linkReport) {
		fmt.Fprintf(b, "  %s: %s\n", title, grouped(uint64(len(links))))
		for i, l := range links {
			if i == shownOfEach && !all {
				fmt.Fprintf(b, "    and %s\n", counted(uint64(len(links)-i), "other", "others"))
				return
			}
			fmt.Fprintf(b, "    %s\n", clean(l.text()))
		}
	}
	write("links to follow", groups[""])
	for _, reason := range reasons {
		write("not followed ("+reason+")", groups[reason])
	}
}

func (l *linkReport) text() string {
	text := l.URL
	var notes []string
	if l.Kind != page.KindA.String() {
		notes = append(notes, l.Kind)
	}
	if l.Priority != "" && l.Priority != storage.LaneNormal.String() {
		notes = append(notes, "priority "+l.Priority)
	}
	if len(notes) > 0 {
		text += " (" + strings.Join(notes, ", ") + ")"
	}
	return text
}
