package storage

import "encoding/binary"

// State are the small values that are written with every commit.
type State struct {
	Counts Counts
	Out    []Mark
	Run    Run
	Parked []uint64 // seqs of the EditPark events that are in force
}

// Counts are the totals of a crawl. All but those of the estimate follow from
// the log; they are kept so that a file at rest can be asked without reading
// all of it, and so that verify has something to hold against the log.
type Counts struct {
	Known       uint64           `json:"known"`             // addresses met, admitted or not
	Admitted    uint64           `json:"admitted"`          // jobs ever made of them
	Pending     uint64           `json:"pending"`           // jobs without an outcome
	Retrying    uint64           `json:"retrying"`          // of these, waiting for another attempt
	Withdrawn   uint64           `json:"withdrawn"`         // jobs that left the queue without an outcome
	Parked      uint64           `json:"parked"`            // times that an address was parked, in the queue or before; again when it is met closer to a seed
	Dropped     uint64           `json:"dropped,omitempty"` // of these, by the user
	Hosts       uint64           `json:"hosts"`             // hosts with at least one job
	Requests    uint64           `json:"requests"`          // requests sent, robots.txt and retries included
	Transferred uint64           `json:"transferred"`
	Outcomes    [outcomes]uint64 `json:"outcomes"`           // by Outcome
	Unlisted    uint64           `json:"unlisted"`           // fetched pages that are no rows of the results
	Classes     [classes]uint64  `json:"classes"`            // failed jobs by Class; [0]: a plain 4xx or 5xx
	Reopened    uint64           `json:"reopened,omitempty"` // outcomes that the user withdrew
	Depths      [Depths]uint64   `json:"depths"`             // pending jobs by depth; the last also counts those that are deeper
	Settings    uint64           `json:"settings"`           // seq of the last settings, 0: none
	LastTime    int64            `json:"last"`               // time of the newest finished job or retry
	LeastLeft   int64            `json:"left"`               // estimate, milliseconds: the longest host queue times its gap
}

// Depths is how many depths are told apart in Counts.
const Depths = 32

// Of is the number of jobs with the outcome.
func (c *Counts) Of(o Outcome) uint64 { return c.Outcomes[o] }

// Rows is the number of fetched pages that are rows of the results.
func (c *Counts) Rows() uint64 { return c.Outcomes[Fetched] - c.Unlisted }

// Done is the number of jobs that have an outcome.
func (c *Counts) Done() uint64 {
	var n uint64
	for _, k := range c.Outcomes {
		n += k
	}
	return n
}

// Run tells of the last process that crawled.
type Run struct {
	Number  uint64 `json:"number"`
	Running bool   `json:"running"` // still true after an unclean end
	PID     int    `json:"pid"`
	Started int64  `json:"started"`           // Unix milliseconds
	Unclean int64  `json:"unclean,omitempty"` // when a run last began after an unclean end, Unix milliseconds
	Unread  bool   `json:"unread,omitempty"`  // seeds from a pipe were not read to their end
}

// Mark is a job that was out, that is: handed to a worker, at a commit, or
// that was out when an earlier run ended uncleanly.
type Mark struct {
	Job     JobID
	Marks   uint8 // unclean ends at which it was out, before this run
	Alone   uint8 // of these, ends at which it was known to be the only one
	Running bool  // it is out now
	Only    bool  // and nothing else can be out before the next commit
}

func encodeOut(out []Mark) []byte {
	dst := binary.AppendUvarint(nil, uint64(len(out)))
	for _, m := range out {
		dst = appendJob(dst, m.Job)
		var flags byte
		if m.Running {
			flags |= 1
		}
		if m.Only {
			flags |= 2
		}
		dst = append(dst, flags, m.Marks, m.Alone)
	}
	return dst
}

func decodeOut(b []byte) ([]Mark, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := reader{b: b}
	n := r.uvarint()
	if n > uint64(len(b)) {
		r.fail("the list of jobs that are out is cut off")
	}
	var out []Mark
	for range n {
		if r.err != nil {
			break
		}
		m := Mark{Job: r.job()}
		flags := r.byte()
		m.Running, m.Only = flags&1 != 0, flags&2 != 0
		m.Marks, m.Alone = r.byte(), r.byte()
		out = append(out, m)
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}
