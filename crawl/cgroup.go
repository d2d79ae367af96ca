package crawl

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// allowedMemory is how much memory the system allows the process, in bytes, as far
// as Linux says so in a control group; 0: it names no bound.
func allowedMemory() int64 { return groupMemory(os.DirFS("/")) }

// unboundedGroup is from which size on a bound is none: that of the first version is
// the largest number that there is room for, in whole pages.
const unboundedGroup = 1 << 60

// groupMemory is the least bound of the control groups that the process is in, of
// both versions (man 7 cgroups).
func groupMemory(root fs.FS) (least int64) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	take := func(file string) {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return // also the uppermost group, which has no bound
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && n > 0 && n < unboundedGroup && (least == 0 || n < least) {
			least = n
		}
	}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		dir, files := "", []string(nil)
		switch {
		case controllers == "":
			dir, files = "sys/fs/cgroup", []string{"memory.max", "memory.high"}
		case strings.Contains(","+controllers+",", ",memory,"):
			dir, files = "sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}
		default:
			continue
		}
		// In a container the group may stand where it is seen from outside, and the
		// mount begins with it: then only the uppermost is found.
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			for _, file := range files {
				take(path.Join(dir, group, file))
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}
