package storage

import (
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// leftoverAge is for how long nothing was written to a temporary file that nobody
// works on any more.
const leftoverAge = 24 * time.Hour

// temporaryForm is how temporary files are named, by this package and by those that
// export: with nothing but numbers of their own.
var temporaryForm = regexp.MustCompile(`^\.pawl-(export-|sitemap-)?[0-9a-f]+(-[0-9]+)?\.tmp$`)

// removeLeftovers removes the temporary files that processes have left in a folder
// which were killed, or lost their power. A copy of a large crawl would take its
// room for ever. What cannot be removed stays.
func removeLeftovers(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !temporaryForm.MatchString(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > leftoverAge {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
