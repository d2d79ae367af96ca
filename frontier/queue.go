package frontier

import (
	"fmt"
	"slices"
	"sort"
)

// queue is the jobs of one host in the order in which they were found. Their
// addresses stay in the log; a group says where a run of them stands. A job is
// known by its ordinal: the n-th that was ever pushed.
//
// base, done and total are folded from the log. next is not: it is how far
// jobs were handed out, and starts at base.
type queue struct {
	groups []group
	head   int      // the groups before are finished altogether
	total  uint32   // jobs ever pushed
	base   uint32   // every job below is finished
	next   uint32   // the next job to look at for handing out
	done   []uint64 // bit i: job base&^63+i is finished
}

// group is a run of jobs whose addresses stand side by side in one event.
type group struct {
	seq   uint64
	ord   uint32 // ordinal of the first
	first uint16 // its place among the event's links
	count uint16 // with httpsBit
}

const httpsBit = 1 << 15

func (g *group) size() uint32 { return uint32(g.count &^ httpsBit) }

// place is where a job's address stands in the log.
type place struct {
	seq   uint64
	index uint16
	https bool
}

// push appends count jobs.
func (q *queue) push(at place, count int) {
	c := uint16(count)
	if at.https {
		c |= httpsBit
	}
	q.groups = append(q.groups, group{seq: at.seq, ord: q.total, first: at.index, count: c})
	q.total += uint32(count)
}

// find gives the place of an unfinished job.
func (q *queue) find(ord uint32) (place, error) {
	live := q.groups[q.head:]
	i := sort.Search(len(live), func(i int) bool { return live[i].ord > ord }) - 1
	if i < 0 || ord-live[i].ord >= live[i].size() {
		return place{}, fmt.Errorf("job %d is not in its host's queue", ord)
	}
	g := &live[i]
	return place{seq: g.seq, index: g.first + uint16(ord-g.ord), https: g.count&httpsBit != 0}, nil
}

func (q *queue) isDone(ord uint32) bool {
	if ord < q.base {
		return true
	}
	i := ord - q.base&^63
	return int(i/64) < len(q.done) && q.done[i/64]>>(i%64)&1 != 0
}

// finish marks a job as finished. It fails when the job is not an unfinished
// one of this queue.
func (q *queue) finish(ord uint32) error {
	if ord >= q.total || q.isDone(ord) {
		return fmt.Errorf("job %d is finished already or was never queued", ord)
	}
	start := q.base &^ 63
	i := ord - start
	for int(i/64) >= len(q.done) {
		q.done = append(q.done, 0)
	}
	q.done[i/64] |= 1 << (i % 64)
	for q.base < q.total && q.isDone(q.base) {
		q.base++
		if q.base%64 == 0 {
			q.done = q.done[1:]
		}
	}
	if q.base == q.total {
		q.done = nil
	}
	q.next = max(q.next, q.base)
	q.forget()
	return nil
}

// forget drops groups that are finished altogether.
func (q *queue) forget() {
	for q.head < len(q.groups) && q.groups[q.head].ord+q.groups[q.head].size() <= q.base {
		q.head++
	}
	switch {
	case q.head == len(q.groups):
		q.groups, q.head = nil, 0
	case q.head > 32 && q.head > len(q.groups)/2:
		q.groups, q.head = slices.Clip(append([]group(nil), q.groups[q.head:]...)), 0
	}
}

// peek gives the next job to hand out, skipping those that are finished.
func (q *queue) peek() (ord uint32, ok bool) {
	for q.next < q.total && q.isDone(q.next) {
		q.next++
	}
	return q.next, q.next < q.total
}
