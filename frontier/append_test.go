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

// events reads the whole log.
func (r *rig) events() (events []storage.Event) {
	r.tb.Helper()
	r.ok(r.file.View(func(reader *storage.Reader) error {
		return reader.Scan(1, func(seq uint64, event []byte) (bool, error) {
			e, err := storage.Decode(event)
			events = append(events, e)
			return true, err
		})
	}))
	return events
}

func TestManyLinksOfOnePage(t *testing.T) {
	const pages = 10_000
	for _, c := range []struct {
		name string
		do   func(r *rig, links []Candidate)
	}{
		{"a page", func(r *rig, links []Candidate) {
			r.seed("http://start.test/")
			r.fetched(r.want("http://start.test/"), links...)
		}},
		{"seeds", func(r *rig, links []Candidate) {
			added, err := r.f.AddSeeds(links, &storage.Source{Path: "/seeds", Offset: 7}, r.now)
			r.ok(err)
			if added != pages {
				t.Errorf("%d of the seeds are new", added)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			links := make([]Candidate, 0, 2*pages)
			for i := range pages {
				links = append(links, r.candidates(fmt.Sprintf("http://h%d.test/%d", i%500, i))...)
				links = append(links, r.refused(storage.Excluded, fmt.Sprintf("http://x.test/%d", i))...)
			}
			c.do(r, links)
			if n := r.f.Waiting(); n > 2*pages/storage.MaxLinks+5 {
				t.Errorf("%d events", n)
			}
			r.commit()
			var admittedLinks, skipped, lastSource int
			for i, e := range r.events() {
				n := 0
				switch e := e.(type) {
				case *storage.Visit:
					n = len(e.Links)
					admittedLinks += n
				case *storage.Links:
					n = len(e.Links)
					admittedLinks += n
				case *storage.Seeds:
					n = len(e.Links)
					admittedLinks += n
					if e.Source != nil {
						lastSource = admittedLinks
					}
				case *storage.Skip:
					n = len(e.Links)
					skipped += n
				}
				if n > storage.MaxLinks {
					t.Fatalf("event %d holds %d links", i+1, n)
				}
			}
			if skipped != pages || admittedLinks < pages {
				t.Errorf("%d links admitted and %d skipped", admittedLinks, skipped)
			}
			if _, ok := r.f.Source("/seeds"); ok && lastSource != pages {
				t.Errorf("the source is stored after %d links", lastSource)
			}
			if got := r.f.Counts(); got.Pending != pages || got.Known < 2*pages {
				t.Errorf("counts %+v", got)
			}
			for h := range r.f.hosts.all() {
				if len(h.queue.groups()) > pages/500 {
					t.Errorf("%s has %d groups of %d jobs", h.name, len(h.queue.groups()), h.queue.total)
				}
			}
			r.isPure()
		})
	}
}

func TestLinksOfOneOriginStandTogether(t *testing.T) {
	r := newRig(t, quick())
	var links []string
	for i := range 200 {
		links = append(links, fmt.Sprintf("http://h%d.test/%d", i%4, i))
	}
	r.seed(links...)
	for h := range r.f.hosts.all() {
		if len(h.queue.groups()) != 1 {
			t.Errorf("%s has %d groups", h.name, len(h.queue.groups()))
		}
	}
}

func TestRefusedThenAdmitted(t *testing.T) {
	const link = "http://a.test/deep/link"
	for _, c := range []struct {
		name string
		do   func(r *rig)
		at   storage.Origin // where it stands when it is handed out
	}{
		{"by a later page", func(r *rig) {
			r.fetched(r.want("http://a.test/1"), r.refused(storage.TooDeep, link)...)
			r.fetched(r.want("http://a.test/2"), r.candidates(link)...)
		}, storage.Origin{Depth: 1}},
		{"by the same page", func(r *rig) {
			r.fetched(r.want("http://a.test/1"), append(r.refused(storage.NoFollow, link), r.candidates(link, link)...)...)
		}, storage.Origin{Depth: 1}},
		{"by the same page, the other way round", func(r *rig) {
			r.fetched(r.want("http://a.test/1"), append(r.candidates(link), r.refused(storage.NoFollow, link)...)...)
		}, storage.Origin{Depth: 1}},
		{"as a seed", func(r *rig) {
			r.fetched(r.want("http://a.test/1"), r.refused(storage.TooDeep, link)...)
			r.commit()
			r.seed(link)
		}, storage.Origin{Seed: true}},
		{"by a redirect of a seed", func(r *rig) {
			r.fetched(r.want("http://a.test/1"), r.refused(storage.OutOfScope, link)...)
			to := r.candidates(link)
			to[0].Redirect = true
			r.fetched(r.want("http://a.test/2"), to...)
		}, storage.Origin{Seed: true, Hops: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			r.seed("http://a.test/1", "http://a.test/2")
			c.do(r)
			r.commit()
			r.isPure()
			r.stop()
			for {
				j, ok := r.next()
				if !ok {
					t.Fatal("the link never comes")
				}
				if j.URL == link {
					if j.Origin != c.at {
						t.Errorf("found at %+v, want %+v", j.Origin, c.at)
					}
					r.fetched(&j)
					break
				}
				r.fetched(&j)
			}
			if n := r.f.Counts().Pending; n != 0 {
				t.Errorf("%d pending", n)
			}
			if added, err := r.f.AddSeeds(r.candidates(link), nil, r.now); added != 0 || err != nil {
				t.Errorf("it is admitted twice: %v", err)
			}
		})
	}
}

func TestScopeGrew(t *testing.T) {
	refuse := func(r *rig) {
		_, err := r.f.AddSeeds(r.refused(storage.OutOfScope, "http://x.test/"), nil, r.now)
		r.ok(err)
	}
	for _, c := range []struct {
		name            string
		do              func(r *rig)
		hosts, byFolder bool
	}{
		{"nothing was refused", func(r *rig) { r.seed("http://a.test/", "http://b.test/") }, false, false},
		{"refused for another reason", func(r *rig) {
			_, err := r.f.AddSeeds(r.refused(storage.Excluded, "http://x.test/"), nil, r.now)
			r.ok(err)
			r.seed("http://a.test/")
		}, false, false},
		{"refused after the last host came", func(r *rig) { r.seed("http://a.test/"); refuse(r) }, false, false},
		{"a host came", func(r *rig) { refuse(r); r.seed("http://a.test/") }, true, true},
		{"a folder came", func(r *rig) { r.seed("http://a.test/"); refuse(r); r.seed("http://a.test/x/y") }, false, true},
		{"nothing new came", func(r *rig) { r.seed("http://a.test/"); refuse(r); r.seed("http://a.test/y") }, false, false},
		{"a review was opened since", func(r *rig) {
			refuse(r)
			r.seed("http://a.test/x/y")
			r.ok(r.f.OpenReview(r.now))
		}, false, false},
		{"a host came since the review", func(r *rig) {
			refuse(r)
			r.ok(r.f.OpenReview(r.now))
			r.seed("http://a.test/")
		}, true, true},
		{"the one who names it again changes nothing", func(r *rig) {
			refuse(r)
			r.seed("http://a.test/")
			r.ok(r.f.OpenReview(r.now))
			r.seed("http://a.test/")
		}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			c.do(r)
			for range 2 {
				if hosts, folders := r.f.ScopeGrew(false), r.f.ScopeGrew(true); hosts != c.hosts || folders != c.byFolder {
					t.Errorf("grew by a host %v, by a folder %v, want %v %v", hosts, folders, c.hosts, c.byFolder)
				}
				r.commit()
				r.isPure()
				r.reopen()
			}
		})
	}
}

func TestSkipsAreStoredWhenTheyComeCloser(t *testing.T) {
	const link = "http://a.test/link"
	r := newRig(t, quick())
	r.seed("http://a.test/0")
	skips := func() (n int) {
		for _, e := range r.events() {
			if s, ok := e.(*storage.Skip); ok {
				n += len(s.Links)
			}
		}
		return n
	}
	noFollow := r.refused(storage.NoFollow, link)
	noFollow[0].NoFollow = true
	parent := r.want("http://a.test/0")
	r.fetched(parent, append(r.candidates("http://a.test/1"), noFollow...)...)
	r.commit()
	steps := []struct {
		name  string
		links []Candidate
		want  int
	}{
		{"met by nofollow alone", nil, 1},
		{"nofollow again", noFollow, 1},
		{"deep", r.refused(storage.TooDeep, link), 2},
		{"deep and deeper", r.refused(storage.TooDeep, link, link), 2},
	}
	for i, c := range steps {
		if i > 0 {
			j := r.want(fmt.Sprintf("http://a.test/%d", i))
			r.fetched(j, append(c.links, r.candidates(fmt.Sprintf("http://a.test/%d", i+1))...)...)
			r.commit()
		}
		if n := skips(); n != c.want {
			t.Errorf("%s: %d skips in the log, want %d", c.name, n, c.want)
		}
	}
	_, err := r.f.AddSeeds(r.refused(storage.Excluded, link), nil, r.now)
	r.ok(err)
	r.commit()
	if n := skips(); n != 3 {
		t.Errorf("as a seed: %d skips in the log, want 3", n)
	}
	r.isPure()
}

func TestWithdraw(t *testing.T) {
	const seed, page, moved = "http://a.test/", "http://a.test/page", "http://a.test/moved"
	for _, c := range []struct {
		url  string
		want storage.Origin // of the link when it is judged again
	}{
		{seed, storage.Origin{Seed: true}},
		{page, storage.Origin{Depth: 1}},
		{moved, storage.Origin{Depth: 0, Hops: 1, Seed: true}},
	} {
		t.Run(c.url, func(t *testing.T) {
			r := newRig(t, quick())
			r.seed(seed, "http://a.test/other")
			if c.url != seed {
				links := r.candidates(c.url)
				links[0].Redirect = c.url == moved
				r.fetched(r.want(seed), links...)
				r.fetched(r.want("http://a.test/other"))
				r.commit()
			}
			j := r.want(c.url)
			r.f.Release(j, time.Time{})
			r.ok(r.f.Withdraw(j, storage.OutOfScope, r.now))
			r.commit()
			r.isPure()
			if known, isAdmitted := r.f.Knows(r.f.Fingerprint(c.url)); !known || isAdmitted {
				t.Errorf("known %v, admitted %v", known, isAdmitted)
			}
			events := r.events()
			skip := events[len(events)-1].(*storage.Skip)
			r.ok(r.file.View(func(reader *storage.Reader) error {
				head, err := storage.DecodeLinksHead(reader.Event(r.f.Seq()))
				r.ok(err)
				if !head.Links.Next() || string(head.Links.Link.URL) != c.url || head.Links.Link.Origin != c.want {
					t.Errorf("the skip is %+v, read as %+v, want %+v", skip, head.Links.Link.Origin, c.want)
				}
				return nil
			}))
			// It may come back, as a job of its own.
			r.seed(c.url)
			r.stop()
			for _, k := range r.take() {
				if k.URL == c.url && k.ID == j.ID {
					t.Error("the same job comes again")
				}
				r.fetched(k)
			}
			for _, k := range r.take() {
				r.fetched(k)
			}
			if n := r.f.Counts(); n.Pending != 0 || n.Withdrawn != 1 {
				t.Errorf("counts %+v", n)
			}
		})
	}
}

func TestRoots(t *testing.T) {
	r := newRig(t, quick())
	r.seed("http://a.test/docs/guide/start.html", "http://b.test:8080/")
	j := r.want("http://a.test/docs/guide/start.html")
	r.f.Release(j, r.now)
	v := r.answer(storage.Redirected)
	v.Join = "https://www.a.test/new/"
	r.ok(r.f.Finish(j, v, nil, 0))
	r.commit()
	r.stop()
	if got, want := r.f.RootHosts(), []string{"a.test", "b.test:8080", "www.a.test"}; !slices.Equal(got, want) {
		t.Errorf("root hosts %q, want %q", got, want)
	}
	for _, c := range []struct {
		url                 weburl.URL
		under, isRoot, seed bool
	}{
		{"http://a.test/docs/guide/start.html", true, true, true},
		{"http://a.test/docs/guide/", true, true, true},
		{"https://a.test/docs/guide/more?x=/", true, true, true},
		{"http://a.test/docs/guide/deep/page", true, false, true},
		{"http://a.test/docs/", false, false, true},
		{"http://a.test/docs/guidebook", false, false, true},
		{"http://a.test/", false, false, true},
		{"http://b.test:8080/any/thing", true, false, true},
		{"http://b.test/", false, false, false},
		{"http://www.a.test/new/x", true, false, false},
		{"http://www.a.test/x", false, false, false},
	} {
		if got := r.f.UnderRoot(c.url); got != c.under {
			t.Errorf("%s is under a root: %v", c.url, got)
		}
		if got := r.f.IsRoot(c.url); got != c.isRoot {
			t.Errorf("%s is a root: %v", c.url, got)
		}
		if got := r.f.IsSeedHost(c.url.Host()); got != c.seed {
			t.Errorf("%s is on a seed's host: %v", c.url, got)
		}
	}
	// A seed that is a job already opens its folder, and its host.
	r.seed("https://www.a.test/other/")
	r.seed("https://www.a.test/other/")
	if !r.f.IsSeedHost("www.a.test") || !r.f.IsRoot("http://www.a.test/other/") {
		t.Error("the seed opens nothing")
	}
}

func TestSettingsAndSources(t *testing.T) {
	r := newRig(t, quick())
	if r.f.Settings() != nil {
		t.Error("settings in a new file")
	}
	r.ok(r.f.Remember([]byte("one"), r.now))
	r.ok(r.f.Remember([]byte("two"), r.now))
	_, err := r.f.AddSeeds(nil, &storage.Source{Path: "/s", Offset: 5}, r.now)
	r.ok(err)
	_, err = r.f.AddSeeds(nil, &storage.Source{Path: "/s", Offset: 9}, r.now)
	r.ok(err)
	r.commit()
	r.stop()
	if s := string(r.f.Settings()); s != "two" {
		t.Errorf("settings %q", s)
	}
	if s, ok := r.f.Source("/s"); !ok || s.Offset != 9 {
		t.Errorf("source %+v %v", s, ok)
	}
	if _, ok := r.f.Source("/other"); ok {
		t.Error("a source that was never read")
	}
}

func TestDamagedLogIsRefused(t *testing.T) {
	visit := func(id storage.JobID) *storage.Visit {
		return &storage.Visit{Job: id, URL: "http://a.test/", Outcome: storage.Fetched}
	}
	seed := &storage.Seeds{Links: []storage.Link{{URL: "http://a.test/"}}}
	for _, c := range []struct {
		name   string
		events []storage.Event
	}{
		{"a visit of an unknown host", []storage.Event{visit(storage.JobID{})}},
		{"a visit of a host number beyond all", []storage.Event{seed, visit(storage.JobID{Host: ^uint32(0)})}},
		{"a visit of an unknown job", []storage.Event{seed, visit(storage.JobID{Ord: 1})}},
		{"a visit with the number of a robots.txt", []storage.Event{seed, visit(storage.JobID{Ord: storage.OrdRobotsHTTPS})}},
		{"a job that finishes twice", []storage.Event{seed, visit(storage.JobID{}), visit(storage.JobID{})}},
		{"a retry of a finished job", []storage.Event{seed, visit(storage.JobID{}), &storage.Retry{}}},
		{"a retry of an unknown job", []storage.Event{seed, &storage.Retry{Job: storage.JobID{Ord: 9}}}},
		{"a withdrawal of a finished job", []storage.Event{seed, visit(storage.JobID{}), &storage.Skip{Withdrawn: true}}},
		{"an outcome beyond all", []storage.Event{seed, &storage.Visit{URL: "x", Outcome: 99}}},
		{"a class beyond all", []storage.Event{seed, &storage.Visit{URL: "x", Outcome: storage.Failed, Class: 99}}},
		{"a robots.txt state beyond all", []storage.Event{&storage.Host{Origin: "http://a.test", State: 99}}},
		{"an edit beyond all", []storage.Event{&storage.Edit{Edit: 99}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quick())
			b := &storage.Batch{First: 1}
			for _, e := range c.events {
				b.Add(e)
			}
			r.ok(r.file.Commit(b))
			if _, err := Load(r.file, r.o); !errors.Is(err, storage.ErrDamaged) {
				t.Errorf("Load: %v", err)
			}
		})
	}
	t.Run("a gap", func(t *testing.T) {
		r := newRig(t, quick())
		b := &storage.Batch{First: 2}
		b.Add(seed)
		r.ok(r.file.Commit(b))
		if _, err := Load(r.file, r.o); !errors.Is(err, storage.ErrDamaged) {
			t.Errorf("Load: %v", err)
		}
	})
	t.Run("odd addresses do not panic", func(t *testing.T) {
		r := newRig(t, Options{PerHost: 1})
		b := &storage.Batch{First: 1}
		b.Add(&storage.Seeds{Links: []storage.Link{{URL: ""}, {URL: "x"}, {URL: "://"}, {URL: "http://"}, {URL: "http://a?"}, {URL: "/"}}})
		b.Add(&storage.Host{Origin: "", At: "\x00", State: storage.RobotsRedirect, Next: "?"})
		b.Add(&storage.Host{Origin: "https:/", State: storage.RobotsRetry, Due: 1 << 62})
		b.Add(&storage.Edit{Edit: storage.EditReviewed, Upto: 1 << 63})
		r.ok(r.file.Commit(b))
		r.load()
		for range 100 {
			r.next()
			if at, ok := r.f.Wake(); ok && at.After(r.now) {
				r.now = at
			}
		}
	})
}
