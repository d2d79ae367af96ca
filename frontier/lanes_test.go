package frontier

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pawl/storage"
)

// in gives candidates a lane.
func in(lane storage.Lane, links []Candidate) []Candidate {
	for i := range links {
		links[i].Lane = lane
	}
	return links
}

// order fetches all that there is, and gives the addresses as they came.
func (r *rig) order() (urls []string) {
	r.tb.Helper()
	for {
		j, ok := r.next()
		if !ok {
			return urls
		}
		urls = append(urls, j.URL)
		r.fetched(&j)
	}
}

func (r *rig) wantOrder(want ...string) {
	r.tb.Helper()
	if got := r.order(); !slices.Equal(got, want) {
		r.tb.Errorf("handed out\n%q, want\n%q", got, want)
	}
}

func TestHighGoesBeforeNormalBeforeLow(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(r *rig)
	}{
		{"in one run", func(*rig) {}},
		{"after the process died", (*rig).reopen},
		{"behind a checkpoint", func(r *rig) { r.f.check.every = 1; r.stop() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			r.seed("http://a.test/")
			page := r.want("http://a.test/")
			r.fetched(page, slices.Concat(
				in(storage.LaneLow, r.candidates("http://a.test/l1", "http://a.test/l2")),
				in(storage.LaneNormal, r.candidates("http://a.test/n1")),
				in(storage.LaneHigh, r.candidates("http://a.test/h1")),
				in(storage.LaneLow, r.candidates("http://a.test/l3")),
				in(storage.LaneNormal, r.candidates("http://a.test/n2")),
				in(storage.LaneHigh, r.candidates("http://a.test/h2", "http://a.test/h3")),
			)...)
			r.commit()
			c.between(r)
			first := r.want("http://a.test/h1")
			if first.Lane != storage.LaneHigh || first.FoundOn != "http://a.test/" || first.Depth != 1 {
				t.Errorf("found as %+v", first.Found)
			}
			// What comes later has its place as well.
			r.fetched(first, slices.Concat(
				in(storage.LaneNormal, r.candidates("http://a.test/n3")), in(storage.LaneHigh, r.candidates("http://a.test/h4")),
			)...)
			r.commit()
			c.between(r)
			r.wantOrder("http://a.test/h2", "http://a.test/h3", "http://a.test/h4",
				"http://a.test/n1", "http://a.test/n2", "http://a.test/n3",
				"http://a.test/l1", "http://a.test/l2", "http://a.test/l3")
			r.commit()
			r.isPure()
		})
	}
}

// Seeds of several lanes and more than an event holds: each becomes a job, and
// how far the file was read stands in the last event.
func TestSeedsOfSeveralLanes(t *testing.T) {
	r := newRig(t, quick())
	var links []Candidate
	var want []string
	for i := range 3 * storage.MaxLinks {
		links = append(links, in(laneOrder[i%3], r.candidates(fmt.Sprintf("http://a.test/%d", i)))...)
	}
	for lane := range 3 {
		for i := lane; i < len(links); i += 3 {
			want = append(want, links[i].URL)
		}
	}
	source := &storage.Source{Path: "/seeds", Size: 9, Offset: 9}
	added, err := r.f.AddSeeds(slices.Clone(links), source, r.now)
	if err != nil || added != len(links) {
		t.Fatalf("%d of %d seeds are new, %v", added, len(links), err)
	}
	r.commit()
	last := r.f.Seq()
	r.ok(r.file.View(func(reader *storage.Reader) error {
		for seq := uint64(1); seq <= last; seq++ {
			e, err := storage.Decode(reader.Event(seq))
			r.ok(err)
			if s, ok := e.(*storage.Seeds); !ok || (s.Source != nil) != (seq == last) {
				t.Errorf("event %d of %d is %T with source %v", seq, last, e, ok && s.Source != nil)
			}
		}
		return nil
	}))
	for i := range links {
		links[i].Lane = storage.LaneHigh // it is too late for that
	}
	if added, err := r.f.AddSeeds(links, nil, r.now); added != 0 || err != nil {
		t.Errorf("%d seeds are new again, %v", added, err)
	}
	r.commit()
	r.reopen()
	if got, ok := r.f.Source("/seeds"); !ok || got != *source {
		t.Errorf("read up to %+v, want %+v", got, *source)
	}
	r.wantOrder(want...)
}

func TestListedAndReadmittedLinksHaveALane(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/")
	r.fetched(r.want("http://a.test/"), r.refused(storage.Excluded, "http://a.test/back", "http://a.test/back-first")...)
	skip := r.f.Seq()
	r.ok(r.f.AddListed("http://a.test/robots.txt", slices.Concat(
		r.candidates("http://a.test/normal.xml"), in(storage.LaneLow, r.candidates("http://a.test/low.xml")),
	), r.now))
	r.commit()
	var head storage.LinksHead
	r.ok(r.file.View(func(reader *storage.Reader) (err error) {
		head, err = storage.DecodeLinksHead(slices.Clone(reader.Event(skip)))
		return err
	}))
	added, err := r.f.Readmit(&head, slices.Concat(
		in(storage.LaneLow, r.candidates("http://a.test/back")), in(storage.LaneHigh, r.candidates("http://a.test/back-first")),
	), r.now)
	if added != 2 || err != nil {
		t.Fatalf("%d links are admitted, %v", added, err)
	}
	r.commit()
	r.wantOrder("http://a.test/back-first", "http://a.test/normal.xml", "http://a.test/low.xml", "http://a.test/back")
}

// A redirect's target is no link of the visit when it is of another lane; its
// origin is the same.
func TestTargetOfARedirectHasALane(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/")
	j := r.want("http://a.test/")
	links := in(storage.LaneHigh, r.candidates("http://a.test/to"))
	links[0].Redirect = true
	r.f.Release(j, r.now)
	r.ok(r.f.Finish(j, r.answer(storage.Redirected), links, 0))
	r.commit()
	r.reopen()
	j = r.want("http://a.test/to")
	if want := (storage.Origin{Hops: 1, Seed: true}); j.Origin != want || !j.Redirect || j.Lane != storage.LaneHigh {
		t.Errorf("found as %+v", j.Found)
	}
}

// A job that fails waits for its own time, and does not keep its lane's turn.
func TestRetryIsOutsideTheLanes(t *testing.T) {
	r := newRig(t, quick())
	_, err := r.f.AddSeeds(slices.Concat(
		r.candidates("http://a.test/n"), in(storage.LaneHigh, r.candidates("http://a.test/h")), in(storage.LaneLow, r.candidates("http://a.test/l")),
	), nil, r.now)
	r.ok(err)
	r.commit()
	r.again(r.want("http://a.test/h"), time.Minute)
	r.fetched(r.want("http://a.test/n"))
	r.pass(time.Minute)
	r.fetched(r.want("http://a.test/h"))
	r.wantOrder("http://a.test/l")
}

// A new high job may go at once when the host waited for the robots.txt of its
// other scheme.
func TestHighJobOfAnotherOriginWakesItsHost(t *testing.T) {
	o := quick()
	o.IgnoreRobots, o.PerHost = false, 2
	r := newRig(t, o)
	r.seed("https://a.test/")
	j, _ := r.next()
	r.robots(&j, storage.RobotsAllow, 0, time.Hour)
	r.commit()
	page := r.want("https://a.test/")
	r.f.Release(page, r.now)
	r.ok(r.f.Finish(page, r.answer(storage.Fetched), r.candidates("http://a.test/n"), 0))
	r.commit()
	r.want("http://a.test/robots.txt")
	r.none()
	_, err := r.f.AddSeeds(in(storage.LaneHigh, r.candidates("https://a.test/h")), nil, r.now)
	r.ok(err)
	r.commit()
	r.want("https://a.test/h")
}

func TestWithdrawnJobComesBackInAnotherLane(t *testing.T) {
	r := newRig(t, quick())
	_, err := r.f.AddSeeds(slices.Concat(in(storage.LaneHigh, r.candidates("http://a.test/x")), r.candidates("http://a.test/n1", "http://a.test/n2")), nil, r.now)
	r.ok(err)
	r.commit()
	j := r.want("http://a.test/x")
	r.f.Release(j, time.Time{})
	r.ok(r.f.Withdraw(j, storage.Excluded, r.now))
	_, err = r.f.AddSeeds(in(storage.LaneLow, r.candidates("http://a.test/x")), nil, r.now)
	r.ok(err)
	r.commit()
	r.isPure()
	r.wantOrder("http://a.test/n1", "http://a.test/n2", "http://a.test/x")
}

// BenchmarkLanes is a job that goes before a million that wait.
func BenchmarkLanes(b *testing.B) {
	for _, waiting := range []int{1, 1_000_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			var q queue
			for seq := range uint64(waiting) {
				q.push(place{seq: seq}, storage.LaneLow, 1)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range uint64(b.N) {
				q.push(place{seq: uint64(waiting) + i}, storage.LaneHigh, 1)
				ord, _ := q.peek()
				q.take()
				if err := q.finish(ord); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
