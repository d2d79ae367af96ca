package cli

import (
	"sync"

	"pawl/crawl"
	"pawl/storage"
)

// watch shows the progress of a crawl of which only that is known.
func (t *talk) watch(look func() crawl.Progress) (stop func()) {
	var mu sync.Mutex
	m := new(meter)
	return t.watchStatus(func() *crawl.Status {
		mu.Lock()
		defer mu.Unlock()
		f := m.look(look())
		return f.status()
	})
}

// figures are a look at a crawl, with rates.
type figures struct {
	crawl.Progress
	pages, bytes float64 // per second
}

func (f figures) String() string { return progressLine(f.status()) }

// status is what a status would say of it.
func (f figures) status() *crawl.Status {
	c := &f.Counts
	s := &crawl.Status{
		State: "running", Done: c.Done(), Pending: c.Pending, LeastLeftMS: c.LeastLeft,
		Outcomes: map[string]uint64{storage.Failed.String(): c.Of(storage.Failed)},
		Live: &crawl.LiveStatus{
			InFlight: f.InFlight, HostsWait: f.Hosts, Seeding: f.Seeding,
			Rates: []crawl.Rate{{Minutes: 1, Pages: f.pages, Bytes: f.bytes}},
		},
	}
	if f.Stopping {
		s.State = "stopping"
	}
	return s
}

// meter computes rates over the last seconds from successive looks.
type meter struct {
	looks []crawl.Progress // within rateOver, oldest first
}

func (m *meter) look(p crawl.Progress) figures {
	if p.Time.IsZero() {
		return figures{Progress: p} // the crawl has not told anything yet
	}
	if n := len(m.looks); n == 0 || p.Time.After(m.looks[n-1].Time) {
		m.looks = append(m.looks, p)
	}
	for len(m.looks) > 2 && p.Time.Sub(m.looks[1].Time) >= rateOver {
		m.looks = m.looks[1:]
	}
	f := figures{Progress: p}
	first := m.looks[0]
	if s := p.Time.Sub(first.Time).Seconds(); s > 0 {
		f.pages = float64(p.Counts.Done()-first.Counts.Done()) / s
		f.bytes = float64(p.Counts.Transferred-first.Counts.Transferred) / s
	}
	return f
}
