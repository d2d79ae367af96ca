package crawl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"pawl/storage"
)

// A disk that is about to be full ends the run while there is room for all that
// is left to be written: what is in flight, what waits to be committed (up to
// mostWeight, and as much that is being committed), a step by which the crawl file
// grows (a sixteenth of it, up to 32 MB), a checkpoint, and the rows of outputs.
//
// It is a courtesy. Whoever else writes to the disk may be faster, and quotas do
// not show in what is free: then a write fails, which ends the run as well, and
// loses what was not committed yet.

const (
	// What is to stay free when that is Automatic: a sixteenth of the disk and 4 MB,
	// but at most 256 MB, and at most a quarter of the disk. So a file system of
	// 20 MB serves for a crawl of 15 MB.
	autoLeast = 4_000_000
	autoMost  = 256_000_000
	autoPart  = 16
	autoShare = 4
	// A disk is looked at once per spaceRest; more often when it is known to be
	// filling up, or when little is left and it may be.
	spaceRest       = time.Second
	nearSpaceRest   = 250 * time.Millisecond
	fallenSpaceRest = 50 * time.Millisecond
	nearSpace       = 64_000_000
	// firstSpace is how long the first look is waited for.
	firstSpace = time.Second
)

// space watches how much is free on the disks that are written. Each folder is
// looked at by a goroutine of its own: on a file system that hangs, so does that.
type space struct {
	low  chan string // that too little is free, and where; once
	look func(dir string) (storage.Disk, bool)
	over chan struct{}

	mu      sync.Mutex
	margin  int64
	changed chan struct{} // closed when the margin is another, or a disk is nobody's
	watched []string      // disks
	isLow   bool
}

// watchSpace begins to watch the disks of files and folders, until stop is called.
// Margin is Settings.MinFree. When one has too little from the start, and tells so
// within a second, low has the news when watchSpace returns.
func watchSpace(paths []string, margin int64) *space {
	s := newSpace(margin)
	s.watch(paths)
	return s
}

func newSpace(margin int64) *space {
	return &space{
		low: make(chan string, 1), look: storage.DiskOf, over: make(chan struct{}),
		margin: margin, changed: make(chan struct{}),
	}
}

func (s *space) watch(paths []string) {
	looked := make(chan struct{}, len(paths))
	for _, path := range paths {
		w := spaceWatch{space: s, path: path}
		go w.run(sync.OnceFunc(func() { looked <- struct{}{} }))
	}
	late := time.NewTimer(firstSpace)
	defer late.Stop()
	for range paths {
		select {
		case <-looked:
		case <-late.C:
			return
		}
	}
}

// setMargin changes what is to stay free. It never waits.
func (s *space) setMargin(margin int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if margin != s.margin {
		s.margin = margin
		s.change()
	}
}

// change has all watches look. mu is held.
func (s *space) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// stop ends the watch. It does not wait for a look that hangs.
func (s *space) stop() { close(s.over) }

// terms are the margin, and what is closed when it is another or a disk is nobody's.
func (s *space) terms() (margin int64, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.margin, s.changed
}

// isFirst tells whether nobody watches a disk yet.
func (s *space) isFirst(disk string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.watched, disk) {
		return false
	}
	s.watched = append(s.watched, disk)
	return true
}

// leave leaves a disk to whoever else can see it.
func (s *space) leave(disk string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = slices.DeleteFunc(s.watched, func(d string) bool { return d == disk })
	s.change()
}

// tell says that too little is free, unless it was said before or is by a margin
// that does not hold any more.
func (s *space) tell(why string, margin int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isLow && margin == s.margin {
		s.isLow = true
		s.low <- why
	}
}

// spaceWatch watches one disk.
type spaceWatch struct {
	*space
	path   string
	folder string // that is looked at
	disk   string // that nobody else watches; empty: somebody does
	free   int64  // when it was last looked at
	at     time.Time
	fall   float64 // of what is free, in bytes per second
}

// run looks until the watch is over, but rests while somebody else watches the same
// disk. It calls first when it has looked once.
func (w *spaceWatch) run(first func()) {
	defer first()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		margin, changed := w.terms()
		var again <-chan time.Time
		if margin != 0 {
			next, more := w.once(margin)
			if !more {
				return
			}
			if next > 0 {
				rest.Reset(next)
				again = rest.C
			}
		}
		first()
		select {
		case <-again:
		case <-changed:
		case <-w.over:
			return
		}
	}
}

// once looks, and tells when to look again, if ever; 0: when a disk is nobody's.
func (w *spaceWatch) once(margin int64) (next time.Duration, more bool) {
	if w.folder == "" {
		var ok bool
		if w.folder, ok = folderOf(w.path); !ok {
			return 0, false
		}
	}
	disk, ok := w.look(w.folder)
	if w.disk != "" && (!ok || disk.ID != w.disk) { // the folder is gone, or stands elsewhere
		w.leave(w.disk)
		w.disk = ""
	}
	if !ok {
		w.folder = "" // where the path leads is found out again
		return spaceRest, true
	}
	if w.disk == "" {
		if !w.isFirst(disk.ID) {
			return 0, true
		}
		w.disk = disk.ID
	}
	keep := marginOf(margin, disk.Size)
	if disk.Free < keep {
		w.tell(lowSpace(w.folder, disk.Free, keep, margin), margin)
		return spaceRest, true
	}
	return w.sooner(disk.Free, disk.Free-keep), true
}

// sooner notes what is free, and tells when to look again: at the latest in a
// quarter of the time in which what is left above the margin will be gone.
func (w *spaceWatch) sooner(free, left int64) time.Duration {
	now := time.Now()
	if took := now.Sub(w.at).Seconds(); !w.at.IsZero() && took > 0 {
		w.fall = max(float64(w.free-free)/took, w.fall/2) // it comes in bursts
	}
	w.free, w.at = free, now
	rest := spaceRest
	if left < nearSpace {
		rest = nearSpaceRest
	}
	if most := float64(left) / 4 / rest.Seconds(); w.fall <= most {
		return rest
	}
	return max(time.Duration(float64(left)/4/w.fall*float64(time.Second)), fallenSpaceRest)
}

// marginOf is what is to stay free on a disk, by Settings.MinFree.
func marginOf(minFree, size int64) int64 {
	if minFree != Automatic {
		return minFree
	}
	return min(autoLeast+size/autoPart, autoMost, size/autoShare)
}

// lowSpace says that too little is free.
func lowSpace(folder string, free, keep, margin int64) string {
	only, auto := "only "+megabytes(free)+" are", ""
	if free <= 0 {
		only = "nothing is"
	}
	if margin == Automatic {
		auto = " auto"
	}
	return fmt.Sprintf("%s free on the disk of %s, and --min-free%s keeps %s", only, folder, auto, megabytes(keep))
}

func megabytes(n int64) string {
	switch {
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n < 1_000_000_000_000:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.1f TB", float64(n)/1e12)
}

// folderOf is the folder where the file or folder really is that a path leads to;
// ok is false when it leads to something that takes no room, as a pipe.
func folderOf(path string) (folder string, ok bool) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if all, err := filepath.Abs(path); err == nil {
		path = all
	}
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return path, true
	case err == nil && !info.Mode().IsRegular():
		return "", false
	}
	return filepath.Dir(path), true
}
