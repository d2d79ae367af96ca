package frontier

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pawl/storage"
)

// TestQueueAgainstSlice pushes, hands out and finishes jobs out of order, of one
// lane and of all, and compares with a slice that holds every job.
func TestQueueAgainstSlice(t *testing.T) {
	type job struct {
		at       place
		lane     storage.Lane
		finished bool
		out      bool // was handed out
	}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q queue
		var jobs []job
		open, base := 0, 0
		// next is the job whose turn it is.
		next := func() int {
			for _, lane := range []storage.Lane{storage.LaneHigh, storage.LaneNormal, storage.LaneLow} {
				i := slices.IndexFunc(jobs, func(j job) bool { return j.lane == lane && !j.finished && !j.out })
				if i >= 0 {
					return i
				}
			}
			return len(jobs)
		}
		for seq := uint64(1); seq < 600; seq++ {
			if rng.IntN(3) > 0 {
				at := place{seq: seq, index: uint16(rng.IntN(200)), https: rng.IntN(2) == 0}
				count := 1 + rng.IntN(56)
				lane := storage.LaneNormal
				if seed%2 == 1 && seq > 50 {
					lane = storage.Lane(rng.IntN(3))
				}
				q.push(at, lane, count)
				for i := range count {
					jobs = append(jobs, job{at: place{seq, at.index + uint16(i), at.https}, lane: lane})
				}
				open += count
			}
			for range rng.IntN(80) {
				ord := uint32(rng.IntN(len(jobs) + 2))
				if rng.IntN(2) == 0 {
					var ok bool
					if ord, ok = q.peek(); ok != (int(ord) < len(jobs)) {
						t.Fatalf("next is %d (%v) of %d", ord, ok, len(jobs))
					}
					if !ok {
						continue
					}
					if rng.IntN(3) == 0 {
						q.take()
						jobs[ord].out = true
						continue
					}
				}
				if int(ord) >= len(jobs) {
					if q.finish(ord) == nil {
						t.Fatal("a job that was never queued is finished")
					}
					continue
				}
				j := &jobs[ord]
				if at, err := q.find(ord); !j.finished && (err != nil || at != j.at) {
					t.Fatalf("job %d is at %v (%v), want %v", ord, at, err, j.at)
				}
				if err := q.finish(ord); (err != nil) != j.finished {
					t.Fatalf("job %d was finished: %v, error %v", ord, j.finished, err)
				}
				if !j.finished {
					j.finished = true
					open--
				}
			}
			for base < len(jobs) && jobs[base].finished {
				base++
			}
			if int(q.base) != base || int(q.total) != len(jobs) {
				t.Fatalf("base %d total %d, want %d %d", q.base, q.total, base, len(jobs))
			}
			for ord := rng.IntN(50); ord < len(jobs); ord += 1 + rng.IntN(50) {
				if q.isDone(uint32(ord)) != jobs[ord].finished {
					t.Fatalf("job %d is done: %v", ord, !jobs[ord].finished)
				}
			}
			if seq%8 != 0 {
				continue // looking for the next one in the slice is slow
			}
			if got, ok := q.peek(); int(got) != next() || ok != (int(got) < len(jobs)) {
				t.Fatalf("next is %d (%v), want %d of %d", got, ok, next(), len(jobs))
			}
		}
	}
}

func TestQueueReleasesItsMemory(t *testing.T) {
	var q queue
	for seq := range uint64(100_000) {
		q.push(place{seq: seq}, storage.LaneNormal, 3)
		for ord := q.base; ord < q.total; {
			ord, _ = q.peek()
			if err := q.finish(ord); err != nil {
				t.Fatal(err)
			}
			ord++
		}
		if q.open != nil {
			t.Fatalf("after %d jobs it holds %+v", q.total, *q.open)
		}
	}
	// With a backlog that stays the same.
	for seq := range uint64(1000) {
		q.push(place{seq: seq}, storage.LaneNormal, 1)
	}
	for seq := range uint64(100_000) {
		q.push(place{seq: seq}, storage.LaneNormal, 1)
		if err := q.finish(q.base); err != nil {
			t.Fatal(err)
		}
		if b := q.open; cap(b.groups) > 8000 || cap(b.done) > 64 {
			t.Fatalf("after %d jobs it holds %d groups and %d words", q.total, cap(b.groups), cap(b.done))
		}
	}
	// While it is drained it holds not much more than it needs.
	for seq := range uint64(100_000) {
		q.push(place{seq: seq}, storage.LaneNormal, 1)
	}
	var memory *group // the end of what was copied last
	kept := 0
	for q.open != nil {
		if end := q.open.groups[:cap(q.open.groups)]; memory != &end[len(end)-1] {
			memory, kept = &end[len(end)-1], cap(end)
		}
		if n := len(q.open.groups); kept > 3*n+128 {
			t.Fatalf("with %d groups it holds memory for %d", n, kept)
		}
		if err := q.finish(q.base); err != nil {
			t.Fatal(err)
		}
	}
}

// A queue of very many jobs that wait does not make those dear that come and go
// before them.
func TestQueueOfLanesIsNotSearched(t *testing.T) {
	const waiting = 300_000
	for _, low := range []bool{true, false} {
		var q queue
		lane := storage.LaneNormal
		if low {
			lane = storage.LaneLow
		}
		for seq := range uint64(waiting) {
			q.push(place{seq: seq}, lane, 1)
		}
		// A search from the beginning for each would take many minutes.
		for seq := uint64(waiting); seq < 2*waiting; seq++ {
			q.push(place{seq: seq}, storage.LaneHigh, 1)
			ord, ok := q.peek()
			if !ok || ord != uint32(seq) {
				t.Fatalf("next is %d (%v), want %d", ord, ok, seq)
			}
			q.take()
			if at, err := q.find(ord); err != nil || at.seq != seq {
				t.Fatalf("job %d is at %v, %v", ord, at, err)
			}
			if err := q.finish(ord); err != nil {
				t.Fatal(err)
			}
		}
		for want := range uint32(waiting) {
			ord, ok := q.peek()
			if !ok || ord != want {
				t.Fatalf("next is %d (%v), want %d", ord, ok, want)
			}
			q.take()
			if err := q.finish(ord); err != nil {
				t.Fatal(err)
			}
		}
		if q.open != nil {
			t.Fatalf("it holds %d groups", len(q.groups()))
		}
	}
}
