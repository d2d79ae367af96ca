package frontier

import (
	"math/rand/v2"
	"testing"
)

// TestQueueAgainstSlice pushes and finishes jobs out of order, and compares
// with a slice that holds every job.
func TestQueueAgainstSlice(t *testing.T) {
	type job struct {
		at       place
		finished bool
	}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q queue
		var jobs []job
		open, base := 0, 0
		for seq := uint64(1); seq < 600; seq++ {
			if rng.IntN(3) > 0 {
				at := place{seq: seq, index: uint16(rng.IntN(200)), https: rng.IntN(2) == 0}
				count := 1 + rng.IntN(56)
				q.push(at, count)
				for i := range count {
					jobs = append(jobs, job{at: place{seq, at.index + uint16(i), at.https}})
				}
				open += count
			}
			for range rng.IntN(80) {
				ord := uint32(rng.IntN(len(jobs) + 2))
				if rng.IntN(2) == 0 && open > 0 {
					if ord, _ = q.peek(); int(ord) >= len(jobs) {
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
			if next, ok := q.peek(); ok != (open > 0) && int(next) != len(jobs) {
				t.Fatalf("next is %d (%v), %d open", next, ok, open)
			}
		}
	}
}

func TestQueueReleasesItsMemory(t *testing.T) {
	var q queue
	for seq := range uint64(100_000) {
		q.push(place{seq: seq}, 3)
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
		q.push(place{seq: seq}, 1)
	}
	for seq := range uint64(100_000) {
		q.push(place{seq: seq}, 1)
		if err := q.finish(q.base); err != nil {
			t.Fatal(err)
		}
		if b := q.open; cap(b.groups) > 8000 || cap(b.done) > 64 {
			t.Fatalf("after %d jobs it holds %d groups and %d words", q.total, cap(b.groups), cap(b.done))
		}
	}
}
