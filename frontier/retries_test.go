package frontier

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pawl/storage"
)

func TestRetriesAgainstSlice(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q retries
		var want []*retry
		for event := range uint64(500) {
			switch n := len(want); {
			case n > 0 && rng.IntN(3) == 0:
				i := rng.IntN(n)
				q.remove(want[i])
				q.remove(want[i]) // nothing the second time
				want = slices.Delete(want, i, i+1)
			default:
				r := &retry{due: rng.Int64N(20), event: event}
				q.push(r)
				want = append(want, r)
				slices.SortStableFunc(want, func(a, b *retry) int { return cmp.Compare(a.due, b.due) })
			}
			if len(q) != len(want) || len(q) > 0 && q[0] != want[0] {
				t.Fatalf("seed %d: %d wait, want %d; or another is the first", seed, len(q), len(want))
			}
		}
		for _, r := range want {
			if q[0] != r {
				t.Fatalf("seed %d: event %d due %d comes, want %d due %d", seed, q[0].event, q[0].due, r.event, r.due)
			}
			q.remove(r)
		}
	}
}

func TestHostForgetsItsTrouble(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsRetry, 0, 0)
	r.commit()
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsAllow, 0, time.Hour)
	r.commit()
	r.again(r.want("http://a.test/"), time.Minute)
	r.commit()
	h := r.f.hosts.find("a.test")
	if h.nextRetry() == nil {
		t.Fatal("nothing waits")
	}
	r.isPure()
	r.pass(time.Minute)
	r.fetched(r.want("http://a.test/"))
	r.commit()
	if h.trouble != nil || h.queue.open != nil {
		t.Errorf("an idle host keeps %+v and %+v", h.trouble, h.queue.open)
	}
	r.isPure()
	r.reopen()
	if h := r.f.hosts.find("a.test"); h.trouble != nil || h.queue.open != nil {
		t.Errorf("after a restart an idle host keeps %+v and %+v", h.trouble, h.queue.open)
	}
}
