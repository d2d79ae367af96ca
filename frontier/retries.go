package frontier

import "container/heap"

// retry is a job that waits for another attempt, or is out for one.
type retry struct {
	place
	raw     string
	due     int64
	event   uint64 // seq of the Retry that tells of it
	ord     uint32
	heap    int32 // place among those of the host that wait, -1: not one of them
	attempt uint8
	hops    uint8
}

// retries are the jobs of one host that wait for another attempt, ordered as
// they are due and then as they were put off. A retry knows its place.
type retries []*retry

func (q retries) Len() int { return len(q) }

func (q retries) Less(i, j int) bool {
	a, b := q[i], q[j]
	return a.due < b.due || a.due == b.due && a.event < b.event
}

func (q retries) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].heap, q[j].heap = int32(i), int32(j)
}

// Push implements heap.Interface.
func (q *retries) Push(x any) {
	r := x.(*retry)
	r.heap = int32(len(*q))
	*q = append(*q, r)
}

// Pop implements heap.Interface.
func (q *retries) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	r.heap = -1
	(*q)[last] = nil
	*q = (*q)[:last]
	return r
}

func (q *retries) push(r *retry) { heap.Push(q, r) }

// remove takes a retry out, if it is in.
func (q *retries) remove(r *retry) {
	if r.heap >= 0 {
		heap.Remove(q, int(r.heap))
	}
}
