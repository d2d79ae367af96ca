package export

import (
	"fmt"
	"io"
	"iter"
	"strconv"

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
		defaults: 13,
		columns: []column[QueueRow]{
			{name: "url", text: func(r *QueueRow) string { return r.URL }},
			{name: "state", plain: func(b []byte, r *QueueRow) []byte { return append(b, r.State.String()...) }},
			{name: "host", text: func(r *QueueRow) string { return r.Host }},
			{name: "depth", number: true, plain: func(b []byte, r *QueueRow) []byte { return strconv.AppendUint(b, uint64(r.Depth), 10) }},
			{name: "found_on", text: func(r *QueueRow) string { return r.FoundOn }},
			{name: "anchor", text: func(r *QueueRow) string {
				anchor, _ := anchorOf(r.Kind, r.Anchor)
				return anchor
			}},
			{name: "kind", plain: func(b []byte, r *QueueRow) []byte { return appendKind(b, page.Kind(r.Kind)) }},
			{name: "found_at", plain: func(b []byte, r *QueueRow) []byte { return appendTime(b, r.FoundAt) }},
			{name: "attempts", number: true, plain: func(b []byte, r *QueueRow) []byte { return strconv.AppendUint(b, uint64(r.Attempts), 10) }},
			{name: "due", plain: func(b []byte, r *QueueRow) []byte { return appendTime(b, r.Due) }},
			{name: "status", number: true, plain: func(b []byte, r *QueueRow) []byte { return appendCount(b, int64(r.Status), false) }},
			{name: "error_class", plain: func(b []byte, r *QueueRow) []byte { return append(b, r.Class.String()...) }},
			{name: "error", text: func(r *QueueRow) string { return r.Error }},
		},
	}
}

// QueueColumns gives the names of the columns of [Queue] in their order.
func QueueColumns() []string { return queueTable().names() }

// CheckQueue tells whether [Queue] would accept the options.
func CheckQueue(o Options) error {
	_, err := queueTable().encoder(o)
	return err
}

// Queue writes the jobs that have no outcome yet, in the order in which rows
// gives them; the first error that rows gives ends it. It returns how many rows
// were written whole. A slow w makes rows wait: it must not have a transaction
// of the crawl file open while it yields.
func Queue(w io.Writer, o Options, rows iter.Seq2[QueueRow, error]) (int, error) {
	e, err := queueTable().encoder(o)
	if err != nil {
		return 0, err
	}
	out := sink{w: w, buf: e.appendHeader(nil)}
	var row QueueRow
	for next, err := range rows {
		if err != nil {
			return out.rows, err
		}
		row = next
		out.buf = e.appendRow(out.buf, &row)
		out.waiting++
		if out.full() {
			if err := out.flush(); err != nil {
				return out.rows, err
			}
		}
	}
	err = out.flush()
	return out.rows, err
}
