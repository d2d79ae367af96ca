package storage

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	// leftoverAge is for how long nothing was written to a temporary file that
	// nobody works on any more. A machine may have slept for longer, so that nobody
	// may have it locked either.
	leftoverAge = 24 * time.Hour
	// unlockedAge is the same where locks tell nothing.
	unlockedAge = 30 * 24 * time.Hour
)

// temporaryForm is how temporary files are named, by this package and by those that
// export: with nothing but numbers of their own.
var temporaryForm = regexp.MustCompile(`^\.pawl-(export-|sitemap-)?[0-9a-f]+(-[0-9]+)?\.tmp$`)

// RemoveLeftovers removes the temporary files that processes have left in a folder
// which were killed, or lost their power: to which nobody has written for a day, and
// that nobody has locked; see LockTemp. A copy of a large crawl would take its room
// for ever. What cannot be removed stays.
func RemoveLeftovers(dir string) { removeLeftovers(dir, time.Now()) }

func removeLeftovers(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !temporaryForm.MatchString(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) <= leftoverAge {
			continue
		}
		path := filepath.Join(dir, e.Name())
		// The parts of a sitemap are many, and closed until all are written.
		tells := !strings.HasPrefix(e.Name(), ".pawl-sitemap-") && removeUnlocked(path)
		if !tells && now.Sub(info.ModTime()) > unlockedAge {
			_ = os.Remove(path)
		}
	}
}
