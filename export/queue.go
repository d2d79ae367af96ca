package export

import (
	"fmt"
	"io"
	"iter"

	"pawl/page"
	"pawl/storage"
)

// QueueState tells where a job that has no outcome yet stands.
type QueueState uint8

const (
	Queued   QueueState = 1 + iota // waits for its host's turn
	Retrying                       // was asked for in vain, is asked again when it is due
	Out                            // handed to a worker
)

// String is the state's name in exports.
func (s QueueState) String() string {
	switch s {
	case Queued:
		return "queued"
	case Retrying:
		return "retrying"
	case Out:
		return "out"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// QueueRow is a job that has no outcome yet.
type QueueRow struct {
	storage.Found
	State    QueueState
	Host     string        // with its port, when that is not the default
	Attempts uint8         // made so far
	Due      int64         // Unix milliseconds; 0: as soon as it is the host's turn
	Class    storage.Class // of the last attempt
	Status   uint16        // of the last attempt, 0: there was no answer
	Error    string        // of the last attempt
}

func queueTable() *table[QueueRow] {
	return &table[QueueRow]{
		name:     "queue",
		defaults: 13,
		columns: []column[QueueRow]{
			{name: "url", indexed: true, text: func(r *QueueRow) string { return r.URL }},
			{name: "state", plain: func(b []byte, r *QueueRow) []byte { return append(b, r.State.String()...) }},
			{name: "host", text: func(r *QueueRow) string { return r.Host }},
			{name: "depth", integer: func(r *QueueRow) (int64, bool) { return int64(r.Depth), true }},
			{name: "found_on", text: func(r *QueueRow) string { return r.FoundOn }},
			{name: "anchor", text: func(r *QueueRow) string {
				anchor, _ := anchorOf(r.Kind, r.Anchor)
				return anchor
			}},
			{name: "kind", plain: func(b []byte, r *QueueRow) []byte { return appendKind(b, page.Kind(r.Kind)) }},
			{name: "found_at", time: func(r *QueueRow) int64 { return r.FoundAt }},
			{name: "attempts", integer: func(r *QueueRow) (int64, bool) { return int64(r.Attempts), true }},
			{name: "due", time: func(r *QueueRow) int64 { return r.Due }},
			{name: "status", integer: func(r *QueueRow) (int64, bool) { return count(int64(r.Status), false) }},
			{name: "error_class", plain: func(b []byte, r *QueueRow) []byte { return append(b, r.Class.String()...) }},
			{name: "error", text: func(r *QueueRow) string { return r.Error }},
		},
	}
}

// QueueColumns gives the names of the columns of [Queue] in their order.
func QueueColumns() []string { return queueTable().names() }

// CheckQueue tells whether [Queue] would accept the options.
func CheckQueue(o Options) error {
	return queueTable().accepts(o)
}

// Queue writes the jobs that have no outcome yet, in the order in which rows
// gives them; the first error that rows gives ends it. It returns how many rows
// were written whole. A slow w makes rows wait: it must not have a transaction
// of the crawl file open while it yields.
func Queue(w io.Writer, o Options, rows iter.Seq2[QueueRow, error]) (int, error) {
	out, err := queueTable().rows(w, o)
	if err != nil {
		return 0, err
	}
	if err := out.begin(); err != nil {
		return 0, err
	}
	var row QueueRow
	for next, err := range rows {
		if err != nil {
			return out.end(err)
		}
		row = next
		room, err := out.row(&row)
		if err == nil && !room {
			err = out.flush()
		}
		if err != nil {
			return out.end(err)
		}
	}
	return out.end(nil)
}
