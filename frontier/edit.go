package frontier

import (
	"time"

	"pawl/storage"
)

// OpenEdit is an edit of the user that is not carried out to its end: addresses
// that are to be dropped from the queue (EditDrop), or outcomes that are to be
// reopened (EditRetry). It is about what the log held when it was made, and is
// carried out in slices, each an event or a few.
type OpenEdit struct {
	Seq  uint64 // of its event
	Kind storage.EditKind
	storage.Predicate
	Upto    uint64        // it is about what stands in the log up to this event
	Job     storage.JobID // EditDrop: jobs before this one are through
	Done    uint64        // EditRetry: events up to this one are through
	Changed uint64        // addresses dropped or reopened so far
}

// Edits are the edits that are not carried out to their end, the oldest first.
// They are carried out one after the other.
func (f *Frontier) Edits() []OpenEdit { panic("todo") }

// OpenDrop appends that jobs of addresses which are known by now are to be
// dropped, those for which the predicate holds. See Drop.
func (f *Frontier) OpenDrop(p storage.Predicate, at time.Time) error { panic("todo") }

// OpenRetry appends that outcomes which are in the log by now are to be
// reopened, those for which the predicate holds. See Reopen.
func (f *Frontier) OpenRetry(p storage.Predicate, at time.Time) error { panic("todo") }

// QueuedJob is a job without an outcome, as the frontier knows it: its address is
// in the log.
type QueuedJob struct {
	ID      storage.JobID
	Host    string
	Seq     uint64 // of the event that its address stands in
	Index   int    // where it stands there
	Retry   uint64 // seq of the event of the last attempt, 0: none was made
	IsOut   bool   // it is handed out
	Attempt uint8  // attempts made
}

// Found reads the job's address.
func (q *QueuedJob) Found(r *storage.Reader) (storage.Found, error) { panic("todo") }

// JobsFrom gives jobs without an outcome that are on disk, from a job on, in the
// order of hosts and of finding: at most n, and fewer when many hosts have none,
// so that it takes some tens of microseconds for each hundred. next is where to go
// on; more is false when there are none behind. A job is never given twice as long
// as each call begins at the next of the one before, whatever happens meanwhile,
// but for one that was finished and reopened.
func (f *Frontier) JobsFrom(dst []QueuedJob, from storage.JobID, n int) (jobs []QueuedJob, next storage.JobID, more bool) {
	panic("todo")
}

// Dropped is a job that leaves the queue by an edit.
type Dropped struct {
	ID storage.JobID
	storage.Found
}

// Drop appends that jobs leave the queue, as the oldest open edit, an EditDrop,
// wants it, and that it has come to the job next; isDone: to its end. Jobs that
// are out, or have an outcome by now, must not be among them. Their addresses are
// parked: known, and admitted by nothing but a seed or a Restore. It returns how
// many left.
func (f *Frontier) Drop(jobs []Dropped, next storage.JobID, isDone bool, at time.Time) (int, error) {
	panic("todo")
}

// Reopen appends that the outcomes of visits are withdrawn, as the oldest open
// edit, an EditRetry, wants it, and that it has come to the event upto. Their
// addresses are jobs again, at the end of their hosts' queues. Visits that were
// reopened before are passed over, and only such that failed or were blocked may
// be among them. It returns how many there are.
func (f *Frontier) Reopen(visits []storage.Reopened, upto uint64, at time.Time) (int, error) {
	panic("todo")
}

// IsDropped tells whether an address was dropped from the queue and did not come
// back.
func (f *Frontier) IsDropped(fp uint64) bool { panic("todo") }

// Restores are those of Unparks whose review has not come to its end: the skipped
// links of drops before them, for which they hold, are to be admitted again. See
// Candidate.Restored.
func (f *Frontier) Restores() []Unpark { panic("todo") }

// HostLook is how a host stands.
type HostLook struct {
	Name    string
	Pending int // jobs without an outcome
	Out     int // requests in flight, or about to be
	Fetched int
	Gap     time.Duration // between requests, as of now
	Took    time.Duration // the last answer
	Penalty int           // how many times the gap is doubled
	Until   time.Time     // when it may be asked next; zero: now, or when what it waits for comes
	Wait    Wait
	GaveUp  storage.Class // with WaitLost
}

// Wait is what a host waits for.
type Wait uint8

const (
	WaitNothing Wait = iota // it has no jobs
	WaitWorker              // its turn has come
	WaitGap                 // until the gap since the last request is over
	WaitHold                // it asked to be left alone until then
	WaitRetry               // for the next attempt of what failed
	WaitRobots              // for its robots.txt
	WaitAnswer              // for the requests in flight: no more connections may be open
	WaitLimit               // for nothing: as many of its pages are fetched as may be
	WaitLost                // it was given up: its jobs finish without a request
	waits
)

// String is the word for it: "gap".
func (w Wait) String() string { panic("todo") }

// Hosts calls do for at most n hosts from number from on, and gives the number to
// go on from; more is false when there are none behind. What do receives is valid
// during the call.
func (f *Frontier) Hosts(from, n int, now time.Time, do func(*HostLook)) (next int, more bool) {
	panic("todo")
}

// HostNamed tells how a host stands; ok is false when it is not known.
func (f *Frontier) HostNamed(name string, now time.Time) (HostLook, bool) { panic("todo") }

// Roots are what scope is measured from: the hosts and folders of the seeds. They
// do not change any more, and may be asked by several goroutines at once.
type Roots struct{}

// Roots are a copy of those of now.
func (f *Frontier) Roots() *Roots { panic("todo") }
