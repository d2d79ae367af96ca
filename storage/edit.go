package storage

// Predicate says which addresses an edit of the user is about: those for which
// all hold that it names. The zero value is about all.
type Predicate struct {
	Host  string `json:"host,omitempty"`  // with its port, when that is not the default
	Match string `json:"match,omitempty"` // regular expression on the canonical address
	// Of addresses with an outcome: an answer with one of the statuses, or a
	// failure of one of the classes. None of both: all that failed or were blocked.
	Classes  []string      `json:"classes,omitempty"`
	Statuses []StatusRange `json:"statuses,omitempty"`
	// When they were finished, Unix milliseconds; 0: not said.
	Since int64 `json:"since,omitempty"`
	Until int64 `json:"until,omitempty"`
}

// StatusRange is HTTP statuses, both ends included.
type StatusRange struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// Reopen is a slice of an EditRetry: outcomes that are withdrawn. Their addresses
// are jobs again.
type Reopen struct {
	Time   int64
	Edit   uint64 // seq of the EditRetry
	Upto   uint64 // it has come to this event
	Visits []Reopened
}

// Reopened is a visit whose outcome is withdrawn, with what the fold needs to know
// of it.
type Reopened struct {
	Seq     uint64 // of the Visit
	Host    uint32 // of its Job
	HTTPS   bool
	Depth   uint32
	Outcome Outcome // not Fetched, nor Redirected
	Class   Class
	Lane    Lane // of the new job
}

// SelfIndex as the index of a link in a Visit means the visit's own address: the
// job of a reopened outcome stands there.
const SelfIndex = 1<<16 - 1

// IsReopened tells whether the outcome of a visit was withdrawn by an event up to
// last.
func (r *Reader) IsReopened(seq, last uint64) bool { return false }

// HasReopened tells whether any outcome was ever withdrawn.
func (r *Reader) HasReopened() bool { return false }
