package cli

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"pawl/crawl"
	"pawl/storage"
)

const (
	plainEvery = 30 * time.Second
	rateOver   = 10 * time.Second // how far back the rate of now looks
)

// watchStatus shows the progress of a crawl until stop is called, which may be
// done twice. What look gives is nil before the first look.
func (t *talk) watchStatus(look func() *crawl.Status) (stop func()) {
	switch t.progress {
	case "bar":
		v := &view{screen: t.screen, style: t.style, look: look}
		return v.keep(redraw)
	case "plain":
		return t.watchPlain(look)
	}
	return func() {}
}

// view is a panel that is kept up to date.
type view struct {
	screen *screen
	style  style
	// look gives what is to be shown; nil: nothing. It is called often.
	look func() *crawl.Status
}

// keep shows the panel, renewed that often and whenever the terminal's size
// changes, until stop is called, which may be done twice.
func (v *view) keep(every time.Duration) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	resized, suspended, release := terminalSignals()
	if f, ok := v.screen.out.(*os.File); ok {
		v.screen.ours = func() bool { return isOurs(f) }
	}
	v.draw()
	done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		flush := time.NewTicker(flushEvery)
		defer flush.Stop()
		for {
			select {
			case <-quit:
				return
			case <-flush.C:
				v.screen.flushText()
			case <-tick.C:
				v.draw()
			case <-resized:
				v.draw()
			case <-suspended:
				v.screen.away(suspend)
				v.draw()
			}
		}
	})
	return sync.OnceFunc(func() {
		release()
		close(quit)
		done.Wait()
		v.screen.hide()
	})
}

func (v *view) draw() {
	s := v.look()
	if s == nil {
		v.screen.show(nil, false)
		return
	}
	width, height := terminalSize(v.screen.out)
	if width == 0 {
		width, height = 80, 24
	}
	st := v.style
	st.now = time.Now()
	v.screen.show(panelLines(s, width, height, st), s.State == "stopping")
}

// watchPlain writes a line now and then.
func (t *talk) watchPlain(look func() *crawl.Status) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		line := time.NewTicker(plainEvery)
		defer line.Stop()
		var times lineTimes
		for {
			select {
			case <-quit:
				return
			case <-line.C:
			}
			switch s := look(); {
			case s == nil, !times.isDue(s, time.Now()):
			case t.json:
				t.log.Info("progress", progressAttrs(s)...)
			default:
				t.sayf("%s", progressLine(s, time.Now()))
			}
		}
	})
	return sync.OnceFunc(func() {
		close(quit)
		done.Wait()
	})
}

// progressLine tells how a crawl stands in a line, with what matters most first,
// for its end may be cut off.
func progressLine(s *crawl.Status, now time.Time) string {
	live := s.Live
	if live == nil {
		live = new(crawl.LiveStatus)
	}
	bytes := 0.0
	if len(live.Rates) > 0 {
		bytes = live.Rates[0].Bytes
	}
	parts := []string{
		grouped(s.Done) + " done",
		grouped(s.Pending) + " pending",
		rate(pagesNow(live)) + "/s",
		roughSize(bytes) + "/s",
	}
	if h := holdOf(s); h != nil {
		parts = append(holdWords(h, now), parts...)
	}
	if s.State == "paused" || s.State == "stopping" {
		parts = append([]string{s.State}, parts...)
	}
	if n := s.Outcomes[storage.Failed.String()]; n > 0 {
		parts = append(parts, grouped(n)+" failed")
	}
	parts = append(parts, fmt.Sprintf("%d in flight", live.InFlight))
	switch live.HostsWait {
	case 0:
	case 1:
		parts = append(parts, "1 host waits")
	default:
		parts = append(parts, grouped(uint64(live.HostsWait))+" hosts wait")
	}
	if live.Seeding {
		parts = append(parts, "reading seeds")
	}
	if left := leastLeft(s); left >= time.Second {
		parts = append(parts, "at least "+roughDuration(left)+" left")
	}
	return strings.Join(parts, ", ")
}

func progressAttrs(s *crawl.Status) []any {
	live := s.Live
	if live == nil {
		live = new(crawl.LiveStatus)
	}
	bytes := 0.0
	if len(live.Rates) > 0 {
		bytes = live.Rates[0].Bytes
	}
	attrs := []any{
		slog.Uint64("done", s.Done), slog.Uint64("pending", s.Pending),
		slog.Float64("pages_per_second", pagesNow(live)), slog.Float64("bytes_per_second", bytes),
		slog.Uint64("failed", s.Outcomes[storage.Failed.String()]), slog.Int("in_flight", live.InFlight),
		slog.Int("hosts_waiting", live.HostsWait), slog.Int64("least_left_ms", s.LeastLeftMS),
	}
	if h := holdOf(s); h != nil {
		attrs = append(attrs, slog.String("hold", string(h.Reason)), slog.String("hold_until", h.Until))
	}
	return attrs
}

func rate(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.1f", n)
	}
	return grouped(uint64(n + 0.5))
}
