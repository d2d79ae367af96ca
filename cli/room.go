package cli

import (
	"pawl/crawl"
	"pawl/storage"
)

// written are the files and folders that a run writes beside the crawl file. What they
// are is found out by who watches their disks.
func (g *crawling) written() (paths []string) {
	for _, path := range []string{g.settings.Output, g.settings.WARC, g.given.text("log-file", "")} {
		if path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// endFull tells how to go on after a run that had too little disk or memory.
func (g *crawling) endFull(s *crawl.Summary) error {
	g.talk.complainf("stopped with %s pending: %s", grouped(s.Counts.Pending), clean(s.Why))
	hint := "make room and go on with: pawl resume" + g.again + "; to keep less free: pawl crawl" + g.again + " --min-free SIZE"
	switch {
	case s.Counts.Known == 0:
		g.talk.sayf("to go on, make room and repeat the command with its seeds")
		return silentError{errNoRoom}
	case s.Memory != nil:
		hint = moreMemory(s.Memory, g.again)
	}
	g.talk.sayf("nothing is lost; %s", hint)
	if s.Unread { // only the user has the rest
		g.talk.sayf("the seeds from stdin were not read to their end; pipe them again to go on")
	}
	return silentError{errNoRoom}
}

// moreMemory says how to go on with a crawl that needs more memory than it may take.
func moreMemory(e *crawl.MemoryError, again string) string {
	if !e.Set {
		return "where the process may have more memory, go on with: pawl resume" + again
	}
	enough := 2 * e.Limit
	for enough < e.Needs {
		enough *= 2
	}
	return "raise it: pawl crawl" + again + " --max-memory " + exactSize(enough)
}

// outputFailed is the error of a run that ended because rows or an archive cannot be
// written.
func (g *crawling) outputFailed(err error, trouble *crawl.SinkError, pending uint64) error {
	g.talk.sayf("stopped with %s pending: %s cannot be written", grouped(pending), trouble.Key)
	what := "see to it"
	if isDisk(err) {
		what = mend(err)
	}
	return hintedError{err, "the crawl file is whole: " + what + " and go on with: pawl resume" + g.again}
}

// isDisk tells of a disk that does not take what is written, whatever that is.
func isDisk(err error) bool {
	_, ok := storage.DiskTrouble(err)
	return ok
}
