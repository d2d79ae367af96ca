package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"pawl/crawl"
	"pawl/storage"
)

func queueCommand() *command {
	return &command{
		name: "queue", args: "list|add|drop|restore|retry", summary: "see and edit what is left to do, while the crawl runs or rests",
		text: "  list      addresses that have no outcome: --host, --match, --depth, --state,\n" +
			"            --limit, --after, --json\n" +
			"  add       seeds: pawl queue add URL..., or - for one a line from stdin\n" +
			"  drop      takes addresses out of the queue and parks them: --host, --match\n" +
			"  restore   brings back what was dropped or parked: --host, --match\n" +
			"  retry     asks again for what failed: --errors (all), --errors timeout,dns,\n" +
			"            blocked, --status 5xx,429, --host, --match, --since, --until; what\n" +
			"            they came to is withdrawn from the results\n" +
			"With --dry-run drop, restore and retry only tell what that would be.",
		options: []option{
			{name: "host", arg: "HOST", group: groupQueue, usage: "only addresses of a host, with its port if it is not the usual one"},
			{name: "match", arg: "RE", group: groupQueue, usage: "only addresses that match a regular expression"},
			{name: "depth", arg: "N", group: groupQueue, usage: "list: only those at this depth"},
			{name: "state", arg: "queued|retrying|out", group: groupQueue, usage: "list: only those that wait for their turn, for another attempt, or are in flight"},
			{name: "limit", arg: "N", group: groupQueue, usage: "list: at most N addresses (100; 0: all)"},
			{name: "after", arg: "CURSOR", group: groupQueue, usage: "list: go on where a list before ended"},
			{name: "json", group: groupQueue, usage: "list: as JSON Lines; otherwise as JSON"},
			{name: "errors", group: groupQueue, usage: "retry: whatever failed, or with words what failed so: --errors dns,timeout"},
			{name: "status", arg: "5xx", group: groupQueue, usage: "retry: what was answered with one of these statuses: 5xx, 403,429, 500-503"},
			{name: "since", arg: "D", group: groupQueue, usage: "retry: what was finished in the last D (24h), or since a time by RFC 3339"},
			{name: "until", arg: "D", group: groupQueue, usage: "retry: what was finished longer than D ago, or before a time"},
			{name: "dry-run", group: groupQueue, usage: "only tell what that would be"},
			fileOption(),
		},
		run: runQueue,
	}
}

// queueFlags are the flags that each edit of the queue takes.
var queueFlags = map[string][]string{
	"list":    {"host", "match", "depth", "state", "limit", "after", "json"},
	"add":     {"json"},
	"drop":    {"host", "match", "dry-run", "json"},
	"restore": {"host", "match", "dry-run", "json"},
	"retry":   {"host", "match", "errors", "status", "since", "until", "dry-run", "json"},
}

func runQueue(ctx context.Context, c *call) error {
	words := []string{"list", "add", "drop", "restore", "retry"}
	if len(c.args) == 0 {
		return usageError{error: errors.New("name what to do with the queue: " + strings.Join(words, ", ")), command: "queue"}
	}
	word, args := c.args[0], c.args[1:]
	if !slices.Contains(words, word) {
		err := usageError{error: fmt.Errorf("the queue cannot be told to %q, but %s", word, strings.Join(words, ", ")), command: "queue"}
		if near := nearest(word, words); near != "" {
			return didYouMean(err, near)
		}
		return err
	}
	for _, o := range queueCommand().options {
		if said, ok := c.given[o.name]; ok && o.group == groupQueue && !slices.Contains(queueFlags[word], o.name) && strings.HasPrefix(said.where, "-") {
			return said.wrong(fmt.Errorf("is not for pawl queue %s", word))
		}
	}
	for _, name := range []string{"host", "match", "errors", "status"} {
		// An empty variable of a script must not mean everything.
		if said, ok := c.given[name]; ok && strings.TrimSpace(said.last()) == "" {
			return said.wrong(errors.New("is empty; leave it out to mean all"))
		}
	}
	if len(args) > 0 && word != "add" && word != "retry" {
		return usageError{error: fmt.Errorf("pawl queue %s takes no arguments, and %q is one", word, args[0]), command: "queue"}
	}
	switch word {
	case "list":
		return c.queueList(ctx)
	case "add":
		return c.queueAdd(ctx, args)
	}
	return c.queueEdit(ctx, crawl.EditKind(word), args)
}

// queueList writes jobs that have no outcome.
func (c *call) queueList(ctx context.Context) error {
	q := crawl.QueueQuery{
		Host: c.hostGiven(), Match: c.given.text("match", ""), State: c.given.text("state", ""), After: c.given.text("after", ""),
	}
	limit := 100
	for name, to := range map[string]*int{"depth": nil, "limit": &limit} {
		said, ok := c.given[name]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(said.last())
		if err != nil || n < 0 {
			return said.wrong(fmt.Errorf("%q is not a number", said.last()))
		}
		if to == nil {
			q.Depth = &n
		} else {
			*to = n
		}
	}
	asJSON, err := c.given.isOn("json")
	if err != nil {
		return err
	}
	path, again := c.file()
	s, err := c.dial(ctx, path)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.hold(ctx, true); err != nil {
		return err
	}
	out := bufio.NewWriter(c.Stdout)
	n := 0
	for {
		if q.Limit = 1000; limit > 0 {
			q.Limit = min(q.Limit, limit-n)
		}
		p, err := s.Queue(ctx, q)
		if err != nil {
			return c.outOfReach(err)
		}
		for i := range p.Jobs {
			if err := writeJob(out, &p.Jobs[i], asJSON); err != nil {
				return quiet(err)
			}
		}
		if err := out.Flush(); err != nil {
			return quiet(err)
		}
		n += len(p.Jobs)
		q.After = p.Next
		if p.Next == "" {
			break
		}
		if limit > 0 && n >= limit {
			fmt.Fprintf(c.Stderr, "pawl: there may be more: pawl queue list%s --after %s%s\n", c.listFlags(), p.Next, again)
			return nil
		}
	}
	if n == 0 {
		fmt.Fprintln(c.Stderr, "pawl: no address without an outcome matches")
	}
	return nil
}

// listFlags are the flags of a list, to be said again.
func (c *call) listFlags() (flags string) {
	for _, name := range queueFlags["list"] {
		said, ok := c.given[name]
		switch {
		case !ok || name == "after":
		case name == "json":
			flags += " --json"
		default:
			flags += " --" + name + " " + quoted(said.last())
		}
	}
	return flags
}

// writeJob writes a job as a line.
func writeJob(w io.Writer, j *crawl.QueuedJob, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(j)
	}
	state := j.State
	if j.State == "retrying" {
		why := j.Class
		if why == "" && j.Status != 0 {
			why = strconv.Itoa(j.Status)
		}
		state += " (" + why + ", due " + j.Due + ")"
	}
	_, err := fmt.Fprintf(w, "%s\tdepth %d\t%s\n", clean(j.URL), j.Depth, clean(state))
	return err
}

const (
	// addAtOnce is how many seeds are sent together.
	addAtOnce = 10_000
	// refusedShown is how many seeds that were refused are named.
	refusedShown = 20
)

// queueAdd adds seeds.
func (c *call) queueAdd(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usageError{error: errors.New("name the addresses to add, or - for one a line from stdin"), command: "queue"}
	}
	path, again := c.file()
	s, err := c.dial(ctx, path)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.hold(ctx, false); err != nil {
		return err
	}
	sum, n := crawl.Added{}, 0
	var batch []string
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		a, err := s.Add(ctx, batch)
		if err != nil {
			return err
		}
		n += len(batch)
		batch = batch[:0]
		sum.Added += a.Added
		sum.Known += a.Known
		for _, why := range a.Refused {
			if len(sum.Refused) < refusedShown {
				fmt.Fprintf(c.Stderr, "pawl: not added: %s\n", clean(why))
			}
			sum.Refused = append(sum.Refused, "")
		}
		return nil
	}
	take := func(url string) error {
		if batch = append(batch, url); len(batch) < addAtOnce {
			return nil
		}
		return send()
	}
	for _, arg := range args {
		if arg == "-" {
			err = eachLine(c.Stdin, take)
		} else {
			err = take(arg)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = send()
	}
	if err != nil {
		return c.outOfReach(err)
	}
	text := fmt.Sprintf("added %s", counted(uint64(sum.Added), "address", "addresses"))
	if sum.Known > 0 {
		text += fmt.Sprintf("; %s known already", grouped(uint64(sum.Known)))
	}
	if len(sum.Refused) > 0 {
		text += fmt.Sprintf("; %s refused", grouped(uint64(len(sum.Refused))))
	}
	if asJSON, err := c.given.isOn("json"); err != nil {
		return err
	} else if asJSON {
		return quiet(json.NewEncoder(c.Stdout).Encode(map[string]int{"added": sum.Added, "known": sum.Known, "refused": len(sum.Refused)}))
	}
	if !s.isLive && sum.Added > 0 {
		text += "\ngo on with: pawl resume" + again
	}
	if _, err := io.WriteString(c.Stdout, text+"\n"); err != nil {
		return quiet(err)
	}
	if sum.Added == 0 && sum.Known == 0 {
		return usageError{error: errors.New("no usable address was given"), command: "queue"}
	}
	return nil
}

// longestLine is how long a line of seeds may be.
const longestLine = 64 << 10

func eachLine(r io.Reader, do func(string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := do(line); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return usagef("a line of the seeds is longer than %d bytes", longestLine)
	}
	return lines.Err()
}

// hostGiven is the host that the user named, as the crawl spells it.
func (c *call) hostGiven() string {
	host := strings.ToLower(strings.TrimSpace(c.given.text("host", "")))
	if _, after, ok := strings.Cut(host, "://"); ok {
		host, _, _ = strings.Cut(after, "/") // an address will do
	}
	return host
}

// queueEdit drops, restores or retries.
func (c *call) queueEdit(ctx context.Context, kind crawl.EditKind, args []string) error {
	e := crawl.Edit{Kind: kind, Predicate: storage.Predicate{Host: c.hostGiven(), Match: c.given.text("match", "")}}
	var err error
	if e.DryRun, err = c.given.isOn("dry-run"); err != nil {
		return err
	}
	if kind == crawl.Retry {
		if err := c.retryWish(&e.Predicate, args, time.Now()); err != nil {
			return err
		}
	}
	if kind == crawl.Drop && e.Host == "" && e.Match == "" {
		return usageError{error: errors.New("name what to drop: --host HOST, --match RE; --match . drops everything that is queued"), command: "queue"}
	}
	path, again := c.file()
	s, err := c.dial(ctx, path)
	if err != nil {
		return err
	}
	done, err := s.Edit(ctx, e)
	switch {
	case errors.Is(err, crawl.ErrOver):
		return hintedError{err, "what was begun goes on with the next run: pawl resume" + again}
	case ctx.Err() != nil && !e.DryRun:
		return hintedError{errStopped, "what was begun is carried out all the same, by the crawl that runs or with the next run"}
	case err != nil:
		return err
	}
	if asJSON, err := c.given.isOn("json"); err != nil || asJSON {
		if err != nil {
			return err
		}
		enc := json.NewEncoder(c.Stdout)
		enc.SetEscapeHTML(false)
		return quiet(enc.Encode(done))
	}
	_, err = io.WriteString(c.Stdout, editedText(&e, done, s.isLive, again))
	return quiet(err)
}

// retryWish reads what is to be asked for again.
func (c *call) retryWish(p *storage.Predicate, args []string, now time.Time) error {
	said, ok := c.given["errors"]
	if len(args) > 0 && !ok {
		return usageError{error: fmt.Errorf("pawl queue retry takes no arguments, and %q is one", args[0]), command: "queue"}
	}
	if ok {
		words := args
		if last := said.last(); last != "true" {
			words = append(words, last)
		}
		for _, word := range words {
			for name := range strings.SplitSeq(word, ",") {
				if name = strings.TrimSpace(name); name != "" {
					p.Classes = append(p.Classes, name)
				}
			}
		}
		all := errorClasses()
		if len(p.Classes) == 0 {
			// Whatever failed; not what is blocked.
			p.Classes = all[:len(all)-1]
			p.Statuses = append(p.Statuses, storage.StatusRange{From: 400, To: 999})
		}
		for _, name := range p.Classes {
			if !slices.Contains(all, name) {
				return said.wrong(fmt.Errorf("there is no error class %q, but %s", name, strings.Join(all, ", ")))
			}
		}
	}
	if said, ok := c.given["status"]; ok {
		for word := range strings.SplitSeq(said.last(), ",") {
			r, err := parseStatuses(strings.TrimSpace(word))
			if err != nil {
				return said.wrong(err)
			}
			p.Statuses = append(p.Statuses, r)
		}
	}
	for name, to := range map[string]*int64{"since": &p.Since, "until": &p.Until} {
		said, ok := c.given[name]
		if !ok {
			continue
		}
		at, err := parseWhen(said.last(), now)
		if err != nil {
			return said.wrong(err)
		}
		*to = at.UnixMilli()
	}
	return nil
}

// errorClasses are the words for them, blocked last.
func errorClasses() (words []string) {
	for class := storage.NoClass + 1; ; class++ {
		if _, ok := storage.ParseClass(class.String()); !ok {
			return append(words, crawl.Blocked)
		}
		words = append(words, class.String())
	}
}

// parseStatuses reads 5xx, 429 or 500-503.
func parseStatuses(word string) (r storage.StatusRange, err error) {
	bad := fmt.Errorf("%q is neither a status (429), nor many (5xx, 500-503)", word)
	if len(word) == 3 && strings.EqualFold(word[1:], "xx") && word[0] >= '1' && word[0] <= '9' {
		from := uint16(word[0]-'0') * 100
		r = storage.StatusRange{From: from, To: from + 99}
	} else {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return r, bad
		}
		to, err := strconv.ParseUint(last, 10, 16)
		if err != nil || to < from {
			return r, bad
		}
		r = storage.StatusRange{From: uint16(from), To: uint16(to)}
	}
	if r.From < 100 || r.To > 999 {
		return r, bad
	}
	if r.To < 400 {
		return r, fmt.Errorf("only what failed can be asked for again, and an answer with %s has not", word)
	}
	return r, nil
}

// parseWhen reads a time, or how long ago it was.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, time.UTC); err == nil {
		return at, nil
	}
	d, err := parseDuration(text)
	if err != nil || d < 0 {
		return now, fmt.Errorf("%q is neither a time (2026-11-22, 2026-11-22T10:00:00Z) nor how long ago it was (24h)", text)
	}
	return now.Add(-d), nil
}

// editedText tells what an edit came to.
func editedText(e *crawl.Edit, d *crawl.Edited, isLive bool, again string) string {
	var b strings.Builder
	n := d.Addresses
	would := ""
	if e.DryRun {
		would = "would be "
	}
	switch {
	case e.Kind == crawl.Restore && d.Patterns == 0 && n == 0:
		return "nothing is parked that matches\n"
	case e.Kind == crawl.Restore:
		of := ""
		if d.Patterns > 0 {
			of = ", of " + counted(uint64(d.Patterns), "pattern", "patterns")
		}
		fmt.Fprintf(&b, "%s %srestored%s; what matches and is still in the queue stays there\n", counted(n, "parked address", "parked addresses"), would, of)
	case e.Kind == crawl.Drop && n == 0 && d.InFlight == 0:
		return "nothing in the queue matches\n"
	case e.Kind == crawl.Retry && n == 0:
		return "nothing that failed or was blocked matches\n"
	case e.Kind == crawl.Drop:
		fmt.Fprintf(&b, "%s %sdropped from the queue, and parked\n", counted(n, "address", "addresses"), would)
		if d.InFlight > 0 {
			fmt.Fprintf(&b, "%s in flight, and let finish\n", counted(d.InFlight, "other is", "others are"))
		}
	default:
		fmt.Fprintf(&b, "%s %sasked for again; what they came to %s withdrawn\n", counted(n, "address", "addresses"), would, map[bool]string{true: "would be", false: "is"}[e.DryRun])
	}
	for _, url := range d.Examples {
		fmt.Fprintf(&b, "  %s\n", clean(url))
	}
	if more := n - min(n, uint64(len(d.Examples))); more > 0 {
		fmt.Fprintf(&b, "  and %s\n", counted(more, "other", "others"))
	}
	switch {
	case e.DryRun || n == 0 && e.Kind != crawl.Restore:
	case e.Kind == crawl.Drop:
		fmt.Fprintf(&b, "to bring them back: pawl queue restore%s%s\n", predicateFlags(&e.Predicate), again)
	case !isLive:
		fmt.Fprintf(&b, "go on with: pawl resume%s\n", again)
	}
	return b.String()
}

// predicateFlags are the flags that say host and match again.
func predicateFlags(p *storage.Predicate) (flags string) {
	if p.Host != "" {
		flags += " --host " + quoted(p.Host)
	}
	if p.Match != "" {
		flags += " --match " + quoted(p.Match)
	}
	return flags
}
