package cli

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"pawl/crawl"
	"pawl/storage"
)

const (
	redraw     = 200 * time.Millisecond
	plainEvery = 30 * time.Second
	rateOver   = 10 * time.Second
)

// watch shows the progress of a crawl until stop is called.
func (t *talk) watch(look func() crawl.Progress) (stop func()) {
	switch t.progress {
	case "bar":
		return t.watchLive(look)
	case "plain":
		return t.watchPlain(look)
	}
	return func() {}
}

// watchLive keeps one line at the bottom of the terminal up to date.
func (t *talk) watchLive(look func() crawl.Progress) (stop func()) {
	p := mpb.New(mpb.WithOutput(t.screen.out), mpb.WithRefreshRate(redraw))
	m := new(meter)
	bar, err := p.Add(0, mpb.BarFillerFunc(func(w io.Writer, st decor.Statistics) error {
		// One column stays free: some terminals wrap when the last is used.
		_, err := io.WriteString(w, cut(m.look(look()).String(), st.AvailableWidth-1))
		return err
	}), mpb.BarFillerTrim())
	if err != nil {
		return func() {}
	}
	t.screen.setLive(p)
	return func() {
		bar.Abort(true)
		p.Wait()
		t.screen.setLive(nil)
	}
}

// watchPlain writes a line now and then.
func (t *talk) watchPlain(look func() crawl.Progress) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		m := new(meter)
		sample := time.NewTicker(time.Second)
		defer sample.Stop()
		line := time.NewTicker(plainEvery)
		defer line.Stop()
		for {
			select {
			case <-quit:
				return
			case <-sample.C:
				m.look(look())
			case <-line.C:
				f := m.look(look())
				if t.json {
					t.log.Info("progress", f.attrs()...)
				} else {
					t.sayf("%s", f)
				}
			}
		}
	})
	return func() {
		close(quit)
		done.Wait()
	}
}

// figures are what a line of progress tells.
type figures struct {
	crawl.Progress
	pages, bytes float64 // per second
}

// String puts first what matters most, for the end may be cut off.
func (f figures) String() string {
	c := &f.Counts
	parts := []string{
		grouped(c.Done()) + " done",
		grouped(c.Pending) + " pending",
		rate(f.pages) + "/s",
		roughSize(f.bytes) + "/s",
	}
	if f.Stopping {
		parts = append([]string{"stopping"}, parts...)
	}
	if n := c.Of(storage.Failed); n > 0 {
		parts = append(parts, grouped(n)+" failed")
	}
	parts = append(parts, fmt.Sprintf("%d in flight", f.InFlight))
	switch f.Hosts {
	case 0:
	case 1:
		parts = append(parts, "1 host waits")
	default:
		parts = append(parts, grouped(uint64(f.Hosts))+" hosts wait")
	}
	if f.Seeding {
		parts = append(parts, "reading seeds")
	}
	if left := time.Duration(c.LeastLeft) * time.Millisecond; left >= time.Second {
		parts = append(parts, "at least "+roughDuration(left)+" left")
	}
	return strings.Join(parts, ", ")
}

func (f figures) attrs() []any {
	c := &f.Counts
	return []any{
		slog.Uint64("done", c.Done()), slog.Uint64("pending", c.Pending),
		slog.Float64("pages_per_second", f.pages), slog.Float64("bytes_per_second", f.bytes),
		slog.Uint64("failed", c.Of(storage.Failed)), slog.Int("in_flight", f.InFlight),
		slog.Int("hosts_waiting", f.Hosts), slog.Int64("least_left_ms", c.LeastLeft),
	}
}

func rate(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.1f", n)
	}
	return grouped(uint64(n + 0.5))
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

// cut makes a line of ASCII fit a width.
func cut(s string, width int) string {
	width = max(width, 0)
	if len(s) <= width {
		return s
	}
	return s[:width]
}
