package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"pawl/cli/control"
	"pawl/crawl"
	"pawl/storage"
)

// watchEvery is how often a crawl is asked how it stands.
const watchEvery = time.Second

// watchCrawl goes on telling how the crawl in a file stands, until it is finished
// or ctx is done. While it rests its file is left alone, so that the crawl can go
// on.
func (c *call) watchCrawl(ctx context.Context, path string, asJSON bool) error {
	w := &watcher{call: c, path: path}
	defer w.leave()
	show := w.showLines()
	switch {
	case asJSON:
		show = w.showJSON()
	case isTerminal(c.Stdout) && takesPanel(c.Stdout, c.Env):
		var stop func()
		show, stop = w.showPanel()
		defer stop()
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case s == nil: // nothing new
		default:
			if err := show(s); err != nil {
				return quiet(err)
			}
			if isOver(s) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// isOver tells whether a crawl does not go on by itself, and has nothing to go on
// with.
func isOver(s *crawl.Status) bool {
	return s.Live == nil && (s.State == "finished" && !s.Unread || s.State == "limit")
}

// watcher looks at a crawl again and again.
type watcher struct {
	*call
	path    string
	session *session    // while the crawl runs
	seen    fs.FileInfo // the crawl file when the crawl was last seen at rest
}

func (w *watcher) leave() {
	if w.session != nil {
		w.session.close()
		w.session = nil
	}
}

// look gives the status; nil when there is nothing new, or just no answer.
func (w *watcher) look(ctx context.Context) (*crawl.Status, error) {
	if w.session == nil {
		info, err := os.Stat(w.path)
		if err == nil && w.seen != nil && info.ModTime().Equal(w.seen.ModTime()) && info.Size() == w.seen.Size() && os.SameFile(info, w.seen) {
			return nil, nil
		}
		w.session, err = w.dial(ctx, w.path)
		switch {
		case errors.Is(err, storage.ErrInUse), isPassing(err):
			return nil, nil // it will end, or begin to listen
		case err != nil:
			return nil, err
		}
		w.seen = nil
		if !w.session.isLive {
			w.seen = info
		}
	}
	s, err := w.session.Status(ctx)
	if err != nil || !w.session.isLive {
		w.leave()
	}
	switch {
	case errors.Is(err, storage.ErrInUse), isPassing(err):
		w.seen = nil
		return nil, nil
	case err != nil:
		return nil, err
	case w.session != nil && s.Live == nil:
		return nil, nil // it is about to begin
	}
	return s, nil
}

// isPassing tells of an answer that was not to be had, but the next one may be.
func isPassing(err error) bool {
	return errors.Is(err, control.ErrLost) || errors.Is(err, control.ErrNoSocket) || errors.Is(err, control.ErrNoAnswer) || errors.Is(err, control.ErrBusy) || errors.Is(err, crawl.ErrOver)
}

// showJSON writes a line of JSON for each status.
func (w *watcher) showJSON() func(*crawl.Status) error {
	e := json.NewEncoder(w.Stdout)
	e.SetEscapeHTML(false)
	return func(s *crawl.Status) error { return e.Encode(s) }
}

// showLines writes a line now and then, and when something else than usual is to
// be told.
func (w *watcher) showLines() func(*crawl.Status) error {
	var times lineTimes
	return func(s *crawl.Status) error {
		now := time.Now()
		if !times.isDue(s, now) {
			return nil
		}
		_, err := fmt.Fprintln(w.Stdout, watchLine(s, now))
		return err
	}
}

// watchLine tells how a crawl stands, in a line.
func watchLine(s *crawl.Status, now time.Time) string {
	if s.Live != nil {
		return progressLine(s, now)
	}
	text := fmt.Sprintf("%s; %s done, %s pending", stateText(s), grouped(s.Done), grouped(s.Pending))
	if !isOver(s) {
		text += "; waiting for it to go on (Ctrl-C to leave)"
	}
	return text
}

// showPanel shows the panel of the crawl while it runs, and a line when it does
// not.
func (w *watcher) showPanel() (show func(*crawl.Status) error, stop func()) {
	screen := &screen{out: w.Stdout}
	var now atomic.Pointer[crawl.Status]
	v := &view{screen: screen, style: newStyle(w.Env), look: now.Load}
	stop = v.keep(watchEvery)
	state := ""
	return func(s *crawl.Status) error {
		if s.Live != nil {
			now.Store(s)
			state = ""
			v.draw()
			return nil
		}
		now.Store(nil)
		v.draw()
		if s.State == state {
			return nil
		}
		state = s.State
		_, err := fmt.Fprintln(screen, watchLine(s, time.Now()))
		screen.flushText()
		return err
	}, stop
}
