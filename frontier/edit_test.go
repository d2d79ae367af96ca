package frontier

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// finish ends a job without fetching anything.
func (r *rig) finish(j *Job, outcome storage.Outcome, class storage.Class, asked bool) {
	r.tb.Helper()
	v := &storage.Visit{Ask: storage.Ask{Asked: asked, Time: r.now.UnixMilli()}, Outcome: outcome, Class: class}
	sent := time.Time{}
	if asked {
		sent = r.now
	}
	r.f.Release(j, sent)
	r.ok(r.f.Finish(j, v, nil, 0))
}

// drop drops all jobs whose address wants to, in slices of n, and tells how many
// there were.
func (r *rig) drop(n int, wants func(url string) bool) (dropped int) {
	r.tb.Helper()
	r.ok(r.f.OpenDrop(storage.Predicate{}, r.now))
	for len(r.f.Edits()) > 0 {
		dropped += r.dropSlice(n, wants)
	}
	r.commit()
	return dropped
}

func (r *rig) dropSlice(n int, wants func(url string) bool) int {
	r.tb.Helper()
	jobs, next, more := r.f.JobsFrom(nil, r.f.Edits()[0].Job, n)
	var list []Dropped
	r.ok(r.file.View(func(reader *storage.Reader) error {
		for i := range jobs {
			found, err := jobs[i].Found(reader, new(storage.FoundReader))
			if err != nil {
				return err
			}
			if wants(found.URL) {
				list = append(list, Dropped{jobs[i].ID, found})
			}
		}
		return nil
	}))
	k, err := r.f.Drop(list, next, !more, r.now)
	r.ok(err)
	return k
}

func all(string) bool { return true }

// reopen reopens every outcome that is on disk, in slices of n events.
func (r *rig) reopenAll(n uint64, lane storage.Lane) (reopened int) {
	r.tb.Helper()
	r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
	for len(r.f.Edits()) > 0 {
		reopened += r.reopenSlice(n, lane)
	}
	r.commit()
	return reopened
}

func (r *rig) reopenSlice(n uint64, lane storage.Lane) (reopened int) {
	r.tb.Helper()
	e := r.f.Edits()[0]
	r.ok(r.file.View(func(reader *storage.Reader) (err error) {
		var visits []storage.Reopened
		err = reader.Scan(e.Done+1, func(seq uint64, event []byte) (bool, error) {
			if storage.KindOf(event) != storage.KindVisit || seq > min(e.Upto, e.Done+n) {
				return seq <= e.Done+n, nil
			}
			v, err := storage.DecodeVisitHead(event)
			if v.Outcome == storage.Failed || v.Outcome == storage.Blocked {
				visits = append(visits, storage.Reopened{
					Seq: seq, Host: v.Job.Host, HTTPS: weburl.URL(v.URL).Scheme() == "https", Depth: v.Depth,
					Outcome: v.Outcome, Class: v.Class, Lane: lane,
				})
			}
			return true, err
		})
		if err != nil {
			return err
		}
		reopened, err = r.f.Reopen(reader, visits, e.Done+n, r.now)
		return err
	}))
	return reopened
}

// skipped counts the skip events with their links.
func (r *rig) skipped() (events, links int) {
	r.tb.Helper()
	r.ok(r.file.Walk(1, r.f.Seq(), func(_ uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindSkip {
			return nil
		}
		h, err := storage.DecodeLinksHead(event)
		events++
		links += h.Links.Left()
		return err
	}))
	return events, links
}

func TestWhatWasDroppedComesBackByTheUserAlone(t *testing.T) {
	const url = "http://a.test/1"
	for _, c := range []struct {
		name string
		come func(r *rig) error
		back bool
	}{
		{"a link", func(r *rig) error {
			j := r.want("http://b.test/")
			r.fetched(j, r.candidates(url)...)
			return nil
		}, false},
		{"a link that is refused", func(r *rig) error {
			j := r.want("http://b.test/")
			r.fetched(j, r.refused(storage.TooDeep, url)...)
			return nil
		}, false},
		{"a sitemap", func(r *rig) error { return r.f.AddListed("http://a.test/robots.txt", r.candidates(url), r.now) }, false},
		{"a seed that is refused", func(r *rig) error {
			_, err := r.f.AddSeeds(r.refused(storage.Excluded, url), nil, r.now)
			return err
		}, false},
		{"a seed", func(r *rig) error {
			_, err := r.f.AddSeeds(r.candidates(url), nil, r.now)
			return err
		}, true},
		{"a review", func(r *rig) error {
			_, err := r.f.Readmit(&storage.LinksHead{}, r.candidates(url), r.now)
			return err
		}, false},
		{"a review of what a page brought", func(r *rig) error {
			_, err := r.f.Readmit(&storage.LinksHead{FoundOn: "http://b.test/"}, r.candidates(url), r.now)
			return err
		}, false},
		{"a restore", func(r *rig) error {
			links := r.candidates(url)
			links[0].Restored = true
			_, err := r.f.Readmit(&storage.LinksHead{}, links, r.now)
			return err
		}, true},
		{"a restore of what a page brought", func(r *rig) error {
			links := r.candidates(url)
			links[0].Restored = true
			_, err := r.f.Readmit(&storage.LinksHead{FoundOn: "http://b.test/"}, links, r.now)
			return err
		}, true},
		{"a restore that is refused", func(r *rig) error {
			links := r.refused(storage.Excluded, url)
			links[0].Restored = true
			_, err := r.f.Readmit(&storage.LinksHead{FoundOn: "http://b.test/"}, links, r.now)
			return err
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			r.seed(url, "http://b.test/")
			if n := r.drop(10, func(u string) bool { return u == url }); n != 1 {
				t.Fatalf("%d were dropped", n)
			}
			fp := r.f.Fingerprint(url)
			if known, isAdmitted := r.f.Knows(fp); !known || isAdmitted || !r.f.IsDropped(fp) {
				t.Fatalf("known %v, admitted %v", known, isAdmitted)
			}
			_, skips := r.skipped()
			r.ok(c.come(r))
			r.commit()
			if _, isAdmitted := r.f.Knows(fp); isAdmitted != c.back || r.f.IsDropped(fp) == c.back {
				t.Errorf("admitted: %v", isAdmitted)
			}
			if _, n := r.skipped(); n != skips {
				t.Errorf("%d skips more", n-skips)
			}
			r.isPure()
		})
	}
}

func TestADropTakesWhatWaitsForARetryAndLeavesWhatIsOut(t *testing.T) {
	r := newRig(t, Options{PerHost: 2, IgnoreRobots: true})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	r.again(r.want("http://a.test/1"), time.Hour)
	out := r.want("http://a.test/2")
	r.commit()
	if n := r.drop(1, all); n != 2 {
		t.Errorf("%d were dropped, want 2", n)
	}
	c := r.f.Counts()
	if c.Pending != 1 || c.Retrying != 0 || c.Withdrawn != 2 || c.Parked != 2 || c.Depths[0] != 1 {
		t.Errorf("%+v", c)
	}
	r.none()
	r.fetched(out)
	r.commit()
	r.isPure()
	r.reopen()
	r.none()
	if _, ok := r.f.Wake(); ok {
		t.Error("something waits")
	}
}

// A suspect that is dropped is forgotten: nothing waits for its turn.
func TestADropTakesSuspects(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1")
	for range 3 {
		r.want("http://a.test/1")
		r.commit()
		r.reopen()
	}
	r.none() // it is put off
	if n := r.drop(10, all); n != 1 || len(r.f.suspects) != 0 || len(r.f.deferred) != 0 {
		t.Errorf("%d dropped, suspects %v, put off %v", n, r.f.suspects, r.f.deferred)
	}
	if _, ok := r.f.Wake(); ok {
		t.Error("something waits")
	}
	r.reopen()
	r.isPure()
}

func TestADropIsFewEvents(t *testing.T) {
	r := newRig(t, quick())
	var links []Candidate
	for i := range 300 {
		links = append(links, r.candidates(fmt.Sprintf("http://a.test/%d", i))...)
	}
	r.seed("http://a.test/")
	r.fetched(r.want("http://a.test/"), links...)
	r.commit()
	if n := r.drop(1000, all); n != 300 {
		t.Fatalf("%d were dropped", n)
	}
	if events, n := r.skipped(); events != 2 || n != 300 {
		t.Errorf("%d events with %d links", events, n)
	}
	r.isPure()
	if _, open := r.f.hosts.find("a.test").queue.peek(); open || r.f.hosts.find("a.test").queue.open != nil {
		t.Error("the queue is not empty")
	}
}

// An edit goes on where it was when the process died.
func TestAnEditGoesOnAfterAKill(t *testing.T) {
	r := newRig(t, quick())
	var urls []string
	for i := range 40 {
		urls = append(urls, fmt.Sprintf("http://h%d.test/", i%3), fmt.Sprintf("http://h%d.test/%d", i%3, i))
	}
	r.seed(urls...)
	want := r.f.Counts()
	r.ok(r.f.OpenDrop(storage.Predicate{Match: "x"}, r.now))
	n := 0
	for len(r.f.Edits()) > 0 {
		r.dropSlice(3, all)
		r.reopen() // and that was lost
		if len(r.f.Edits()) == 0 {
			r.ok(r.f.OpenDrop(storage.Predicate{Match: "x"}, r.now))
		}
		if e := r.f.Edits(); len(e) != 1 || e[0].Match != "x" || e[0].Changed != uint64(n) {
			t.Fatalf("edits %+v after %d", e, n)
		}
		n += r.dropSlice(5, all)
		r.commit()
		r.isPure()
		r.reopen()
	}
	c := r.f.Counts()
	if uint64(n) != want.Pending || c.Pending != 0 || c.Withdrawn != want.Pending {
		t.Errorf("%d dropped, counts %+v", n, c)
	}
}

func TestEditsAreCarriedOutInTurn(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2")
	if _, err := r.f.Drop(nil, storage.JobID{}, true, r.now); err == nil || errors.Is(err, storage.ErrDamaged) {
		t.Errorf("a drop that nobody wanted: %v", err)
	}
	r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
	r.ok(r.f.OpenDrop(storage.Predicate{}, r.now))
	seq := r.f.Seq()
	if _, err := r.f.Drop(nil, storage.JobID{}, true, r.now); err == nil || errors.Is(err, storage.ErrDamaged) {
		t.Errorf("a drop before its turn: %v", err)
	}
	view := func(visits []storage.Reopened) (err error) {
		return r.file.View(func(reader *storage.Reader) error {
			_, err := r.f.Reopen(reader, visits, 2, r.now)
			return err
		})
	}
	for _, bad := range [][]storage.Reopened{
		{{Seq: 2, Outcome: storage.Failed}, {Seq: 2, Outcome: storage.Failed}},
		{{Seq: 0, Outcome: storage.Failed}},
		{{Seq: 3, Outcome: storage.Failed}},
		{{Seq: 1, Outcome: storage.Fetched}},
	} {
		if err := view(bad); err == nil || errors.Is(err, storage.ErrDamaged) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if r.f.Seq() != seq {
		t.Error("something was appended")
	}
	r.ok(view(nil)) // there is no more in the log
	if e := r.f.Edits(); len(e) != 1 || e[0].Kind != storage.EditDrop {
		t.Fatalf("%+v", e)
	}
	jobs := []Dropped{{ID: storage.JobID{Ord: 1}}, {ID: storage.JobID{Ord: 0}}}
	if _, err := r.f.Drop(jobs, storage.JobID{}, true, r.now); err == nil || errors.Is(err, storage.ErrDamaged) {
		t.Errorf("jobs that do not rise: %v", err)
	}
	// What does not wait, or is not there at all, is passed over.
	n, err := r.f.Drop([]Dropped{{ID: storage.JobID{Ord: 7}}, {ID: storage.JobID{Ord: storage.OrdRobotsHTTP}}, {ID: storage.JobID{Host: 9}}}, storage.JobID{}, true, r.now)
	if n != 0 || err != nil || len(r.f.Edits()) != 0 {
		t.Errorf("%d were dropped, %v", n, err)
	}
	r.commit()
	r.isPure()
}

func TestAWithdrawnOutcomeIsAJobAgain(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3", "https://b.test/")
	r.finish(r.want("http://a.test/1"), storage.Failed, storage.Timeout, true)
	r.finish(r.want("https://b.test/"), storage.Blocked, storage.NoClass, false)
	r.fetched(r.want("http://a.test/2"))
	r.commit()
	if n := r.reopenAll(1, storage.LaneNormal); n != 2 {
		t.Fatalf("%d are reopened, want 2", n)
	}
	c := r.f.Counts()
	if c.Pending != 3 || c.Reopened != 2 || c.Done() != 1 || c.Classes[storage.Timeout] != 0 || c.Of(storage.Blocked) != 0 || c.Depths[0] != 3 {
		t.Errorf("%+v", c)
	}
	r.isPure()
	r.fetched(r.want("https://b.test/"))
	r.fetched(r.want("http://a.test/3"))
	j := r.want("http://a.test/1")
	if j.ID != (storage.JobID{Ord: 3}) || j.Attempt != 1 || !j.Seed || j.FoundOn != "" || j.FoundAt != epoch.UnixMilli() {
		t.Errorf("%+v", j)
	}
	r.finish(j, storage.Failed, storage.NoClass, true)
	r.commit()
	// The first outcome was withdrawn, the second is there.
	if n := r.reopenAll(100, storage.LaneHigh); n != 1 {
		t.Errorf("%d are reopened, want 1", n)
	}
	r.isPure()
	r.reopen()
	r.fetched(r.want("http://a.test/1"))
	r.commit()
	if n := r.reopenAll(100, storage.LaneNormal); n != 0 {
		t.Errorf("%d are reopened, want none", n)
	}
	r.isPure()
}

// Whether the event that has reopened a visit is on disk or not: it is not
// reopened twice.
func TestNothingIsReopenedTwice(t *testing.T) {
	for commits := range 3 {
		t.Run(fmt.Sprint(commits), func(t *testing.T) {
			r := newRig(t, quick())
			r.seed("http://a.test/1")
			r.finish(r.want("http://a.test/1"), storage.Failed, storage.NoClass, true)
			r.commit()
			r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
			r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
			if n := r.reopenSlice(100, 0); n != 1 || len(r.f.Edits()) != 1 {
				t.Fatalf("%d are reopened, edits %+v", n, r.f.Edits())
			}
			var b *storage.Batch
			if commits > 0 {
				b = r.f.Seal(r.now)
			}
			if commits > 1 {
				r.ok(r.file.Commit(b))
				r.f.Committed()
			}
			if n := r.reopenSlice(100, 0); n != 0 || len(r.f.Edits()) != 0 {
				t.Fatalf("%d are reopened, edits %+v", n, r.f.Edits())
			}
			if commits == 1 {
				r.ok(r.file.Commit(b))
				r.f.Committed()
			}
			r.commit()
			r.isPure()
		})
	}
}

// More visits than an event may name become several.
func TestManyOutcomesAreWithdrawn(t *testing.T) {
	r := newRig(t, quick())
	const n = storage.MaxReopened + 10
	var urls []string
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://a.test/%d", i))
	}
	r.seed(urls...)
	for _, u := range urls {
		r.finish(r.want(u), storage.Failed, storage.NoClass, true)
	}
	r.commit()
	if got := r.reopenAll(1<<30, 0); got != n {
		t.Errorf("%d are reopened", got)
	}
	r.isPure()
	for _, u := range urls {
		r.fetched(r.want(u))
	}
	r.none()
}

// What is reopened on a host that was given up is asked for again, once for each
// edit.
func TestReopeningForgetsThatAHostWasGivenUp(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsGivenUp, 0, time.Hour)
	r.commit()
	for i := range 3 {
		j := r.want(fmt.Sprintf("http://a.test/%d", i+1))
		if j.GaveUp != storage.Robots {
			t.Fatalf("%+v", j)
		}
		r.finish(j, storage.Failed, j.GaveUp, false)
	}
	r.commit()
	r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
	first := r.f.Edits()[0].Upto - 2
	if n := r.reopenSlice(first, 0); n != 1 {
		t.Fatalf("%d are reopened", n)
	}
	r.commit()
	r.isPure()
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsGivenUp, 0, time.Hour)
	r.commit()
	j := r.want("http://a.test/1")
	if j.GaveUp != storage.Robots {
		t.Fatalf("%+v", j)
	}
	r.finish(j, storage.Failed, j.GaveUp, false)
	r.reopenSlice(100, 0)
	r.commit()
	if e := r.f.Edits(); len(e) != 0 {
		t.Fatalf("%+v", e)
	}
	// It has been asked since the user said so.
	if j := r.want("http://a.test/2"); j.GaveUp != storage.Robots {
		t.Errorf("%+v", j)
	} else {
		r.finish(j, storage.Failed, j.GaveUp, false)
	}
	r.finish(r.want("http://a.test/3"), storage.Failed, storage.Robots, false)
	r.commit()
	if n := r.reopenAll(100, 0); n != 3 {
		t.Errorf("%d are reopened", n)
	}
	r.robots(r.want("http://a.test/robots.txt"), storage.RobotsAllow, 0, time.Hour)
	r.commit()
	r.isPure()
	r.fetched(r.want("http://a.test/1"))
}

func TestReopeningWhatWasBlockedAsksForTheRulesAgain(t *testing.T) {
	r := newRig(t, Options{PerHost: 1})
	r.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
	robots := func() {
		t.Helper()
		r.robots(r.want("http://a.test/robots.txt"), storage.RobotsRules, 0, time.Hour)
		r.commit()
	}
	robots()
	r.finish(r.want("http://a.test/1"), storage.Blocked, storage.NoClass, false)
	r.finish(r.want("http://a.test/2"), storage.Blocked, storage.NoClass, false)
	r.commit()
	r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
	r.reopenSlice(r.f.Edits()[0].Upto-1, 0)
	r.commit()
	r.isPure()
	robots()
	r.reopenSlice(100, 0)
	r.commit()
	r.isPure()
	for _, u := range []string{"3", "1", "2"} {
		r.fetched(r.want("http://a.test/" + u)) // and not for the rules again
	}
	r.none()
}

// A job of a withdrawn outcome can leave the queue as every other.
func TestWhatIsReopenedCanBeTakenOut(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(r *rig)
	}{
		{"a seed", func(r *rig) { r.seed("http://a.test/x") }},
		{"a redirect", func(r *rig) {
			r.seed("http://a.test/")
			j := r.want("http://a.test/")
			links := r.candidates("http://a.test/x")
			links[0].Redirect = true
			r.f.Release(j, r.now)
			r.ok(r.f.Finish(j, r.answer(storage.Redirected), links, 0))
		}},
		{"a link", func(r *rig) {
			r.seed("http://a.test/")
			r.fetched(r.want("http://a.test/"), r.candidates("http://a.test/x")...)
		}},
		{"what is listed", func(r *rig) {
			r.ok(r.f.AddListed("http://a.test/robots.txt", r.candidates("http://a.test/x"), r.now))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			c.make(r)
			r.commit()
			j := r.want("http://a.test/x")
			was := j.Found
			r.finish(j, storage.Failed, storage.NoClass, true)
			r.commit()
			r.reopenAll(100, 0)
			j = r.want("http://a.test/x")
			if j.Found != was {
				t.Errorf("found as %+v, was %+v", j.Found, was)
			}
			r.f.Release(j, time.Time{})
			r.ok(r.f.Withdraw(j, storage.TooDeep, r.now))
			r.commit()
			r.isPure()
			if n := r.f.Counts().Pending; n != 0 {
				t.Errorf("%d pending", n)
			}
		})
	}
}

func TestRestoresAreThoseOfTheReviewToCome(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/")
	restores := func(want ...string) {
		t.Helper()
		var got []string
		for _, u := range r.f.Restores() {
			got = append(got, u.Match)
		}
		if !slices.Equal(got, want) {
			t.Errorf("restores %q, want %q", got, want)
		}
	}
	restores()
	r.ok(r.f.OpenReview(r.now))
	r.ok(r.f.Unpark(storage.Restore{Match: "1"}, r.now))
	restores("1")
	_, upto, _ := r.f.Review()
	r.ok(r.f.Reviewed(upto-1, r.now))
	restores("1")
	r.commit()
	r.reopen()
	restores("1")
	r.ok(r.f.Unpark(storage.Restore{Match: "2"}, r.now))
	restores("1", "2")
	_, upto, _ = r.f.Review()
	r.ok(r.f.Reviewed(upto, r.now))
	restores()
	r.commit()
	r.isPure()
}

// Events that contradict what is folded are damage, whatever wrote them.
func TestEditsThatMakeNoSense(t *testing.T) {
	drop := func(ord uint32) *storage.Skip {
		return &storage.Skip{Withdrawn: true, Dropped: true, Links: []storage.SkipLink{{Link: storage.Link{URL: "http://a.test/1"}, Ord: ord}}}
	}
	reopen := func(edit, upto uint64, v ...storage.Reopened) *storage.Reopen {
		return &storage.Reopen{Edit: edit, Upto: upto, Visits: v}
	}
	wants := func(k storage.EditKind) *storage.Edit {
		return &storage.Edit{Edit: k, Upto: 3, Settings: []byte("{}")}
	}
	failed := storage.Reopened{Seq: 2, Outcome: storage.Failed}
	for _, c := range []struct {
		name   string
		events []storage.Event
	}{
		{"a drop that nobody wanted", []storage.Event{drop(1)}},
		{"a step of one", []storage.Event{&storage.Edit{Edit: storage.EditDropped}}},
		{"a drop of a finished job", []storage.Event{wants(storage.EditDrop), drop(0)}},
		{"a drop of no job", []storage.Event{wants(storage.EditDrop), drop(9)}},
		{"a drop at another depth", []storage.Event{wants(storage.EditDrop), &storage.Skip{
			FoundOn: "http://a.test/", Origin: storage.Origin{Depth: 4}, Withdrawn: true, Dropped: true,
			Links: []storage.SkipLink{{Link: storage.Link{URL: "http://a.test/2"}, Ord: 1}},
		}}},
		{"a drop by a retry", []storage.Event{wants(storage.EditRetry), drop(1)}},
		{"withdrawing that nobody wanted", []storage.Event{reopen(4, 3, failed)}},
		{"withdrawing by another edit", []storage.Event{wants(storage.EditRetry), reopen(5, 3, failed)}},
		{"withdrawing by a drop", []storage.Event{wants(storage.EditDrop), reopen(4, 3, failed)}},
		{"withdrawing beyond the edit", []storage.Event{wants(storage.EditRetry), reopen(4, 5, failed)}},
		{"withdrawing beyond the slice", []storage.Event{wants(storage.EditRetry), reopen(4, 1, failed)}},
		{"withdrawing twice", []storage.Event{wants(storage.EditRetry), reopen(4, 2, failed), reopen(4, 3, failed)}},
		{"going back", []storage.Event{wants(storage.EditRetry), reopen(4, 2), reopen(4, 1)}},
		{"an unknown host", []storage.Event{wants(storage.EditRetry), reopen(4, 3, storage.Reopened{Seq: 2, Host: 7, Outcome: storage.Failed})}},
		{"an outcome that was not there", []storage.Event{wants(storage.EditRetry), reopen(4, 3, storage.Reopened{Seq: 2, Outcome: storage.Blocked})}},
		{"a class that was not there", []storage.Event{wants(storage.EditRetry), reopen(4, 3, storage.Reopened{Seq: 2, Outcome: storage.Failed, Class: storage.DNS})}},
		{"an unknown class", []storage.Event{wants(storage.EditRetry), reopen(4, 3, storage.Reopened{Seq: 2, Outcome: storage.Failed, Class: 200})}},
		{"a wish that is no JSON", []storage.Event{&storage.Edit{Edit: storage.EditDrop, Settings: []byte("{")}}},
		{"a job that leaves twice", []storage.Event{&storage.Skip{Withdrawn: true, Job: storage.JobID{Ord: 1}, Links: make([]storage.SkipLink, 2)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			r.seed("http://a.test/1", "http://a.test/2")
			r.finish(r.want("http://a.test/1"), storage.Failed, storage.NoClass, true)
			r.ok(r.f.Remember(nil, r.now))
			r.commit() // three events
			b := &storage.Batch{First: 4}
			for _, e := range c.events {
				b.Add(e)
			}
			r.ok(r.file.Commit(b))
			if _, err := Fold(r.file, r.o); !errors.Is(err, storage.ErrDamaged) {
				t.Errorf("folded: %v", err)
			}
		})
	}
}

func TestRootsStayAsTheyWere(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/x/1")
	roots := r.f.Roots()
	r.seed("http://b.test/y/1", "http://a.test/z/1")
	for _, c := range []struct {
		url          weburl.URL
		host, folder bool
	}{
		{"http://a.test/x/2", true, true},
		{"http://a.test/x/y/2", true, true},
		{"http://a.test/z/2", true, false},
		{"http://b.test/y/2", false, false},
	} {
		if roots.IsRootHost(c.url.Host()) != c.host || roots.UnderRoot(c.url) != c.folder {
			t.Errorf("%s: host %v, folder %v", c.url, !c.host, !c.folder)
		}
		if !r.f.IsRootHost(c.url.Host()) || !r.f.UnderRoot(c.url) {
			t.Errorf("%s is no root by now", c.url)
		}
	}
	if got := roots.RootHosts(); !slices.Equal(got, []string{"a.test"}) {
		t.Errorf("%q", got)
	}
}
