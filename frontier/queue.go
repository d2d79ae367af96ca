package frontier

import (
	"fmt"
	"math/bits"
	"slices"
	"sort"

	"pawl/storage"
)

// queue is the jobs of one host in the order in which they were found. Their
// addresses stay in the log; a group says where a run of them stands. A job is
// known by its ordinal: the n-th that was ever pushed. They are handed out by
// lane, and in this order within a lane.
type queue struct {
	open  *backlog // nil: every job is finished
	total uint32   // folded; jobs ever pushed
	base  uint32   // folded; every job below is finished
}

// backlog is what a queue holds while it has unfinished jobs.
type backlog struct {
	groups []group  // folded; from the first that is not finished altogether
	done   []uint64 // folded; bit i: job base&^63+i is finished
	next   uint32   // how far jobs were handed out; at least base. With lanes it says nothing
	found  uint32   // the group that was found last
	lanes  *lanes   // nil: all jobs are of the normal lane
}

// lanes is how far the jobs of each lane were handed out.
type lanes struct {
	at   [storage.LaneLow + 1]cursor
	turn storage.Lane // of the job that peek gave last
}

// cursor is how far the jobs of a lane were handed out. It goes over each group
// once, whatever the other lanes do.
type cursor struct {
	group uint32 // the groups before hold no job of the lane that is to be handed out
	next  uint32 // neither does it itself below this ordinal
}

// laneOrder is the order in which lanes are handed out.
var laneOrder = [...]storage.Lane{storage.LaneHigh, storage.LaneNormal, storage.LaneLow}

// group is a run of jobs whose addresses stand side by side in one event.
type group struct {
	seq   uint64
	ord   uint32 // ordinal of the first
	first uint16 // its place among the event's links
	count uint16 // with httpsBit and the lane
}

const (
	httpsBit  = 1 << 15
	laneShift = 13
	sizeMask  = 1<<laneShift - 1
)

func newGroup(at place, lane storage.Lane, ord uint32, count int) group {
	g := group{seq: at.seq, ord: ord, first: at.index, count: uint16(count) | uint16(lane)<<laneShift}
	if at.https {
		g.count |= httpsBit
	}
	return g
}

func (g *group) size() uint32       { return uint32(g.count & sizeMask) }
func (g *group) lane() storage.Lane { return storage.Lane(g.count &^ httpsBit >> laneShift) }

// place is where a job's address stands in the log.
type place struct {
	seq   uint64
	index uint16
	https bool
}

// push appends count jobs.
func (q *queue) push(at place, lane storage.Lane, count int) {
	if q.open == nil {
		q.open = &backlog{next: q.base}
	}
	b := q.open
	if lane != storage.LaneNormal && b.lanes == nil {
		b.lanes = &lanes{}
		b.lanes.at[storage.LaneNormal].next = b.next
	}
	b.groups = append(b.groups, newGroup(at, lane, q.total, count))
	q.total += uint32(count)
}

// groups are those with an unfinished job.
func (q *queue) groups() []group {
	if q.open == nil {
		return nil
	}
	return q.open.groups
}

// find gives the place of an unfinished job.
func (q *queue) find(ord uint32) (place, error) {
	live := q.groups()
	// Mostly it is the next one after the last that was found.
	i := -1
	if q.open != nil {
		i = int(q.open.found)
	}
	if i >= 0 && i < len(live) && live[i].ord+live[i].size() == ord {
		i++
	}
	if i < 0 || i >= len(live) || ord-live[i].ord >= live[i].size() {
		i = sort.Search(len(live), func(i int) bool { return live[i].ord > ord }) - 1
	}
	if i < 0 || ord-live[i].ord >= live[i].size() {
		return place{}, fmt.Errorf("job %d is not in its host's queue", ord)
	}
	q.open.found = uint32(i)
	g := &live[i]
	return place{seq: g.seq, index: g.first + uint16(ord-g.ord), https: g.count&httpsBit != 0}, nil
}

func (q *queue) isDone(ord uint32) bool {
	if ord < q.base {
		return true
	}
	if q.open == nil {
		return false
	}
	i := ord - q.base&^63
	return int(i/64) < len(q.open.done) && q.open.done[i/64]>>(i%64)&1 != 0
}

// doneBits are the bits of the finished jobs from base on, as short as can be.
// first stands for the first of them: without the bits below base, which say
// nothing.
func (q *queue) doneBits() (done []uint64, first uint64) {
	if q.open == nil || len(q.open.done) == 0 {
		return nil, 0
	}
	done = q.open.done
	first = done[0] >> (q.base % 64) << (q.base % 64)
	for len(done) > 1 && done[len(done)-1] == 0 {
		done = done[:len(done)-1]
	}
	if len(done) == 1 && first == 0 {
		return nil, 0
	}
	return done, first
}

// doneAhead is the number of finished jobs beyond base.
func (q *queue) doneAhead() (n uint32) {
	done, first := q.doneBits()
	for i, word := range done {
		if i == 0 {
			word = first
		}
		n += uint32(bits.OnesCount64(word))
	}
	return n
}

// finish marks a job as finished. It fails when the job is not an unfinished
// one of this queue.
func (q *queue) finish(ord uint32) error {
	if ord >= q.total || q.isDone(ord) {
		return fmt.Errorf("job %d is finished already or was never queued", ord)
	}
	b := q.open
	was := q.base
	i := ord - was&^63
	for int(i/64) >= len(b.done) {
		b.done = append(b.done, 0)
	}
	b.done[i/64] |= 1 << (i % 64)
	for q.base < q.total && q.isDone(q.base) {
		q.base++
		if q.base%64 == 0 {
			b.done = b.done[1:]
		}
	}
	if q.base == q.total {
		q.open = nil
		return nil
	}
	b.next = max(b.next, q.base)
	b.forget(was, q.base)
	return nil
}

// forget drops groups that are finished altogether, when base rises.
func (b *backlog) forget(was, base uint32) {
	n := uint32(0)
	for b.groups[n].ord+b.groups[n].size() <= base {
		n++
	}
	if n == 0 {
		return
	}
	b.groups = b.groups[n:]
	b.found -= min(b.found, n)
	if b.lanes != nil {
		for i := range b.lanes.at {
			b.lanes.at[i].group -= min(b.lanes.at[i].group, n)
		}
	}
	// What was dropped still takes memory until the groups are copied: once in
	// about as many jobs as there are groups.
	if few := max(6, bits.Len(uint(len(b.groups)))-1); was>>few != base>>few {
		b.groups = slices.Clone(b.groups)
	}
}

// peek gives the next job to hand out, skipping those that are finished.
func (q *queue) peek() (ord uint32, ok bool) {
	b := q.open
	if b == nil {
		return q.total, false
	}
	if b.lanes != nil {
		return q.peekLanes()
	}
	for b.next < q.total && q.isDone(b.next) {
		b.next++
	}
	return b.next, b.next < q.total
}

func (q *queue) peekLanes() (ord uint32, ok bool) {
	b := q.open
	for _, lane := range laneOrder {
		c := &b.lanes.at[lane]
		for ; int(c.group) < len(b.groups); c.group++ {
			g := &b.groups[c.group]
			if g.lane() != lane {
				continue
			}
			c.next = max(c.next, g.ord)
			for end := g.ord + g.size(); c.next < end; c.next++ {
				if !q.isDone(c.next) {
					b.lanes.turn = lane
					return c.next, true
				}
			}
		}
	}
	return q.total, false
}

// take tells that the job that peek gave is handed out.
func (q *queue) take() {
	b := q.open
	if b.lanes != nil {
		b.lanes.at[b.lanes.turn].next++
		return
	}
	b.next++
}

// hasLanes tells whether there are jobs of another lane than the normal one.
func (q *queue) hasLanes() bool { return q.open != nil && q.open.lanes != nil }
