package crawl

import (
	"errors"
	"fmt"

	"pawl/storage"
)

var (
	// ErrResting is the error of what only a running crawl can be told.
	ErrResting = errors.New("the crawl does not run")
	// ErrOver is the error of asking a run that has come to its end.
	ErrOver = errors.New("the run has come to its end")
)

// QueryError is a mistake in what was asked, not in the crawl.
type QueryError struct{ Err error }

func (e *QueryError) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e *QueryError) Unwrap() error { return e.Err }

func queryErrorf(format string, args ...any) error { return &QueryError{fmt.Errorf(format, args...)} }

// Edit is a change of the queue by the user.
type Edit struct {
	Kind              EditKind `json:"kind"`
	storage.Predicate          // restore and drop: Host and Match alone
	DryRun            bool     `json:"dry_run,omitempty"` // only tell what that would be
}

// EditKind is what an Edit does.
type EditKind string

const (
	Drop    EditKind = "drop"    // jobs leave the queue, and are parked
	Restore EditKind = "restore" // what is parked comes back
	Retry   EditKind = "retry"   // what failed or was blocked is asked for again
)

// Edited is what an Edit came to.
type Edited struct {
	Patterns  int      `json:"patterns,omitempty"` // restore: parked patterns that it takes back, as a whole or in part
	Addresses uint64   `json:"addresses"`
	InFlight  uint64   `json:"in_flight,omitempty"` // drop: that match, but are being asked for, and are let finish
	Examples  []string `json:"examples"`            // the first of them
}

// Added is what came of seeds.
type Added struct {
	Added   int      `json:"added"`   // became jobs
	Known   int      `json:"known"`   // were jobs already
	Refused []string `json:"refused"` // each with its reason: "URL: reason"
}

// QueueQuery asks for jobs that have no outcome. The zero value is about all.
type QueueQuery struct {
	Host  string `json:"host,omitempty"`
	Match string `json:"match,omitempty"` // regular expression on the canonical address
	Depth *int   `json:"depth,omitempty"`
	State string `json:"state,omitempty"` // queued, retrying or out; empty: any
	After string `json:"after,omitempty"` // QueuePage.Next of the page before; empty: from the start
	Limit int    `json:"limit,omitempty"` // rows; 0: 100; at most 1000
}

// QueuePage is a page of jobs, by host and in the order in which they were found.
// No job is on two pages, whatever happens meanwhile, unless it was finished and
// then reopened.
type QueuePage struct {
	Jobs []QueuedJob `json:"jobs"`
	Next string      `json:"next,omitempty"` // to ask for the next page; empty: there is none
}

// QueuedJob is a job that has no outcome.
type QueuedJob struct {
	URL      string `json:"url"`
	State    string `json:"state"` // queued, retrying or out
	Host     string `json:"host"`
	Depth    int    `json:"depth"`
	FoundOn  string `json:"found_on,omitempty"`
	Anchor   string `json:"anchor,omitempty"`
	Kind     string `json:"kind,omitempty"`
	FoundAt  string `json:"found_at,omitempty"`
	Attempts int    `json:"attempts"`
	Due      string `json:"due,omitempty"`
	Status   int    `json:"status,omitempty"`
	Class    string `json:"error_class,omitempty"`
	Error    string `json:"error,omitempty"`
}
