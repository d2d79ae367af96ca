package export

import (
	"io"
	"math"
	"strings"

	"pawl/storage"
	"pawl/weburl"
)

// hostRow is a row of the table hosts.
type hostRow struct {
	host         string
	outcomes     [storage.Blocked + 1]int64
	duplicates   int64
	requests     int64 // robots.txt and retries included
	retries      int64
	throttled    int64
	transferred  int64
	size         int64
	ttfb, took   mean
	first, last  int64 // requests, Unix milliseconds
	robots       storage.RobotsState
	robotsStatus uint16
	robotsError  string
	delay        uint32 // Crawl-delay, milliseconds
	givenUp      storage.Class
	why          string // it was given up
}

// mean gathers the mean of numbers that are not negative.
type mean struct{ sum, n int64 }

func (m *mean) add(x int64) { m.sum, m.n = m.sum+x, m.n+1 }

// tenths gives the mean to one place behind the point.
func (m *mean) tenths() (x float64, known bool) {
	if m.n == 0 {
		return 0, false
	}
	return math.Round(float64(m.sum)*10/float64(m.n)) / 10, true
}

func robotsWord(s storage.RobotsState) string {
	switch s {
	case storage.RobotsRules:
		return "rules"
	case storage.RobotsAllow:
		return "none"
	case storage.RobotsRedirect, storage.RobotsRetry:
		return "waiting"
	case storage.RobotsGivenUp:
		return "given_up"
	}
	return ""
}

func hostTable() *table[hostRow] {
	number := func(name string, n func(*hostRow) int64) column[hostRow] {
		return column[hostRow]{name: name, integer: func(r *hostRow) (int64, bool) { return n(r), true }}
	}
	return &table[hostRow]{
		name:     "hosts",
		defaults: 22,
		columns: []column[hostRow]{
			{name: "host", indexed: true, text: func(r *hostRow) string { return r.host }},
			number("pages", func(r *hostRow) (n int64) {
				for _, k := range r.outcomes {
					n += k
				}
				return n
			}),
			number("fetched", func(r *hostRow) int64 { return r.outcomes[storage.Fetched] }),
			number("redirected", func(r *hostRow) int64 { return r.outcomes[storage.Redirected] }),
			number("failed", func(r *hostRow) int64 { return r.outcomes[storage.Failed] }),
			number("blocked", func(r *hostRow) int64 { return r.outcomes[storage.Blocked] }),
			number("duplicates", func(r *hostRow) int64 { return r.duplicates }),
			number("requests", func(r *hostRow) int64 { return r.requests }),
			number("retries", func(r *hostRow) int64 { return r.retries }),
			number("throttled", func(r *hostRow) int64 { return r.throttled }),
			number("size", func(r *hostRow) int64 { return r.size }),
			number("transferred", func(r *hostRow) int64 { return r.transferred }),
			{name: "mean_ttfb_ms", float: func(r *hostRow) (float64, bool) { return r.ttfb.tenths() }},
			{name: "mean_total_ms", float: func(r *hostRow) (float64, bool) { return r.took.tenths() }},
			{name: "first_request_at", time: func(r *hostRow) int64 { return r.first }},
			{name: "last_request_at", time: func(r *hostRow) int64 { return r.last }},
			{name: "robots", plain: func(b []byte, r *hostRow) []byte { return append(b, robotsWord(r.robots)...) }},
			{name: "robots_status", integer: func(r *hostRow) (int64, bool) { return int64(r.robotsStatus), r.robotsStatus != 0 }},
			{name: "robots_error", text: func(r *hostRow) string { return r.robotsError }},
			{name: "crawl_delay_ms", integer: func(r *hostRow) (int64, bool) { return int64(r.delay), r.delay != 0 }},
			{name: "given_up", plain: func(b []byte, r *hostRow) []byte { return append(b, r.givenUp.String()...) }},
			{name: "given_up_error", text: func(r *hostRow) string { return r.why }},
		},
	}
}

// HostColumns gives the names of the columns of [Hosts] in their order, which
// never changes.
func HostColumns() []string { return hostTable().names() }

// CheckHosts tells whether [Hosts] would accept the options.
func CheckHosts(o Options) error { return hostTable().accepts(o) }

// Hosts writes a row for each host that was asked for something, or that an
// address with an outcome is on, in the order in which they were first met so. A
// host is a name, with its port when that is not the default. It returns how
// many rows were written whole.
//
// pages are the addresses that have an outcome, by which they are counted in the
// four columns behind; what rules keep out of the results is counted as well.
// requests, throttled and transferred count robots.txt, retries and what was
// withdrawn too; throttled are the answers that asked for less. size sums the
// decoded bodies. The means are over the addresses that were answered and asked
// for.
//
// robots is what is known of robots.txt, of the origin of the host that was
// asked last: rules (there is one), none, waiting (it is to be asked for again)
// or given_up, with robots_status and robots_error; it is empty when it was not
// asked for. given_up is why the whole host is given up, an error_class, until
// it answers again.
//
// Some five hundred bytes are in memory for each host. Retries of a host that
// has neither an outcome nor a robots.txt yet are not counted.
func Hosts(w io.Writer, f *storage.File, o Options) (int, error) {
	out, err := hostTable().rows(w, o)
	if err != nil {
		return 0, err
	}
	last, err := end(f)
	if err != nil {
		return 0, err
	}
	c := hostCounts{byName: map[string]*hostRow{}, byNumber: map[uint32]*hostRow{}, retries: map[uint32]*hostRow{}}
	err = f.Sequentially(func() error {
		// Not walk: what was asked for in vain was asked for, also when its outcome
		// was withdrawn.
		return walkFrom(f, 1, last, o.pacing(), func(r *storage.Reader, seq uint64, event []byte) (bool, error) {
			return c.count(event, r.IsReopened(seq, last))
		}, func() error { return nil })
	})
	if err != nil {
		return 0, err
	}
	if err := out.begin(); err != nil {
		return 0, err
	}
	for _, row := range c.rows {
		room, err := out.row(row)
		if err == nil && !room {
			err = out.flush()
		}
		if err != nil {
			return out.end(err)
		}
	}
	return out.end(nil)
}

// hostCounts are the rows as far as the log is read.
type hostCounts struct {
	rows     []*hostRow
	byName   map[string]*hostRow
	byNumber map[uint32]*hostRow
	retries  map[uint32]*hostRow // of hosts whose name is not known yet
	decoder  storage.PageDecoder
}

func (c *hostCounts) named(host string) *hostRow {
	row := c.byName[host]
	if row == nil {
		host = strings.Clone(host) // it may be a part of what is used again
		row = &hostRow{host: host}
		c.byName[host] = row
		c.rows = append(c.rows, row)
	}
	return row
}

func (c *hostCounts) count(event []byte, isWithdrawn bool) (more bool, err error) {
	switch kind := storage.KindOf(event); kind {
	case storage.KindVisit:
		v, err := c.decoder.Decode(event)
		if err != nil {
			return false, err
		}
		c.visit(v, isWithdrawn)
	case storage.KindRetry:
		r, err := storage.DecodeRetry(event)
		if err != nil {
			return false, err
		}
		row := c.byNumber[r.Job.Host]
		if row == nil {
			if row = c.retries[r.Job.Host]; row == nil {
				row = new(hostRow)
				c.retries[r.Job.Host] = row
			}
		}
		row.ask(&r.Ask)
		if r.Raw == "" { // otherwise it is another spelling, not another attempt
			row.retries++
		}
	case storage.KindHost:
		h, err := storage.DecodeHost(event)
		if err != nil {
			return false, err
		}
		c.robots(h)
	default:
		return true, known(kind)
	}
	return true, nil
}

func (c *hostCounts) visit(v *storage.Visit, isWithdrawn bool) {
	row := c.named(weburl.URL(v.URL).Host())
	if c.byNumber[v.Job.Host] == nil {
		c.byNumber[v.Job.Host] = row
		if r := c.retries[v.Job.Host]; r != nil {
			row.requests, row.retries, row.throttled = row.requests+r.requests, row.retries+r.retries, row.throttled+r.throttled
			row.transferred += r.transferred
			row.asked(r.first)
			row.asked(r.last)
			delete(c.retries, v.Job.Host)
		}
	}
	row.ask(&v.Ask)
	if isWithdrawn {
		return
	}
	if v.Outcome < storage.Outcome(len(row.outcomes)) {
		row.outcomes[v.Outcome]++
	}
	row.size += v.Record.Size
	if v.DuplicateOf != "" {
		row.duplicates++
	}
	if v.Asked {
		row.took.add(int64(v.Took))
	}
	if v.Status != 0 {
		row.ttfb.add(int64(v.Record.TTFB))
		row.givenUp, row.why = storage.NoClass, ""
	}
}

// robots takes in what was learned about a host.
func (c *hostCounts) robots(h *storage.Host) {
	row := c.named(weburl.URL(h.Origin).Host())
	asked := row
	if h.At != "" {
		asked = c.named(h.At)
	}
	asked.ask(&h.Ask)
	if h.State != storage.RobotsNone {
		row.robots, row.robotsStatus, row.robotsError = h.State, h.Status, h.Error
		if h.State == storage.RobotsRules || h.State == storage.RobotsAllow {
			row.delay = h.Delay
		}
	}
	if h.GiveUp != storage.NoClass {
		row.givenUp, row.why = h.GiveUp, h.Error
	}
}

// ask takes in a request.
func (r *hostRow) ask(a *storage.Ask) {
	if a.Throttled {
		r.throttled++
	}
	r.transferred += a.Transferred
	if a.Asked {
		r.requests++
		r.asked(a.Time)
	}
}

func (r *hostRow) asked(at int64) {
	if at == 0 {
		return
	}
	if r.first == 0 || at < r.first {
		r.first = at
	}
	r.last = max(r.last, at)
}
