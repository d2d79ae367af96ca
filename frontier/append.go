package frontier

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// append puts an event into the batch and folds it. An error means a bug or a
// damaged file: the run must end without a commit.
func (f *Frontier) append(e storage.Event) error {
	seq, event := f.batch.Add(e)
	return f.fold(seq, event)
}

// Candidate is a link as the scope judged it. URL is canonical.
type Candidate struct {
	storage.Link
	FP     uint64
	Reason storage.Reason // NoReason: it may be admitted
	// Restored: it comes back also if it was dropped.
	Restored bool
}

// Finish appends the outcome of a job, with the links of its page. Links that
// are new are admitted or recorded as skipped, as their Reason says; a link
// that was known but not admitted is admitted when it passes now. retryAfter
// is what the server asked for. It fills the visit's Job, Attempt, Origin,
// Ask.Hold and Ask.Penalty; the candidates are reordered.
func (f *Frontier) Finish(j *Job, v *storage.Visit, links []Candidate, retryAfter time.Duration) error {
	f.settle(j)
	v.Job, v.URL, v.FoundOn, v.Origin, v.Attempt = j.ID, j.URL, j.FoundOn, j.Origin, j.Attempt
	v.Listed, v.NoFollow = j.Listed, j.NoFollow
	v.Record.FoundAt, v.Record.Anchor, v.Record.Kind = j.FoundAt, j.Anchor, j.Kind
	giveUp := f.judge(j, &v.Ask, retryAfter)
	fresh, refused := f.sift(links, &v.Origin)
	v.Links = nil
	if len(fresh) > 0 && fresh[0].Lane == storage.LaneNormal {
		v.Links = oneEvent(fresh)
	}
	if err := f.append(v); err != nil {
		return err
	}
	at := v.Time + int64(v.Took)
	if err := f.appendLinks(v.URL, at, v.Origin, fresh[len(v.Links):]); err != nil {
		return err
	}
	if err := f.appendSkips(v.URL, at, v.Origin, refused); err != nil {
		return err
	}
	return f.afterAnswer(j, giveUp, blame(&v.Ask, v.Class), at)
}

// Unknown gives those of the links that are not admitted yet, in their order.
// It changes the slice. Most links of a page are known; asking for all of them
// at once is much faster than one by one, for the answers come from all over the
// memory.
func (f *Frontier) Unknown(links []Candidate) []Candidate {
	for i := range links {
		f.seen.admitted.touch(links[i].FP)
	}
	left := links[:0]
	for i := range links {
		if !f.seen.admitted.has(links[i].FP) {
			if len(left) != i {
				links[len(left)] = links[i]
			}
			left = links[:len(left)+1]
		}
	}
	return left
}

// sifted is memory that sift uses again.
type sifted struct {
	fresh   []storage.Link
	sorted  []storage.Link
	fps     []uint64 // of fresh
	sortFPs []uint64 // of sorted
	refused []storage.SkipLink
	origins []string
	groups  []int
	order   []int
}

// sift parts links into those to admit, sorted by lane, of which the normal one
// is the first, and by origin so that each origin's stand together, and those to
// record as skipped. parent is nil for seeds. Both
// are valid until the next call. The events that admit the first must be
// appended next, in this order; the fold then need not hash them again.
func (f *Frontier) sift(links []Candidate, parent *storage.Origin) ([]storage.Link, []storage.SkipLink) {
	s := &f.sifted
	s.fresh, s.refused, s.origins, s.groups = s.fresh[:0], s.refused[:0], s.origins[:0], s.groups[:0]
	s.fps = s.fps[:0]
	mixed := false
	for i := range links {
		c := &links[i]
		st, known := f.seen.get(c.FP)
		if known && st == admitted {
			continue
		}
		if known && st == dropped && (c.Reason != storage.NoReason || parent != nil && !c.Restored) {
			continue // whatever finds it
		}
		if c.Reason == storage.NoReason {
			// Twice in one list: the second time it is not new.
			f.seen.put(c.FP, admitted)
			s.groups = append(s.groups, s.group(weburl.URL(c.URL).Origin()))
			s.fresh = append(s.fresh, c.Link)
			mixed = mixed || c.Lane != s.fresh[0].Lane
			s.fps = append(s.fps, c.FP)
			continue
		}
		var depth uint32
		if parent != nil {
			depth = parent.Child(c.Redirect, c.Listed).Depth
		}
		if now := refusedAt(depth, c.NoFollow); !known || now < st {
			f.seen.put(c.FP, now)
			s.refused = append(s.refused, storage.SkipLink{Link: c.Link, Reason: c.Reason})
		}
	}
	if len(s.origins) < 2 && !mixed {
		f.sieved = s.fps
		return s.fresh, s.refused
	}
	s.order, s.sorted, s.sortFPs = s.order[:0], s.sorted[:0], s.sortFPs[:0]
	for i := range s.fresh {
		s.order = append(s.order, i)
	}
	slices.SortStableFunc(s.order, func(a, b int) int {
		if mixed && s.fresh[a].Lane != s.fresh[b].Lane {
			return cmp.Compare(s.fresh[a].Lane, s.fresh[b].Lane)
		}
		return cmp.Compare(s.groups[a], s.groups[b])
	})
	for _, k := range s.order {
		s.sorted = append(s.sorted, s.fresh[k])
		s.sortFPs = append(s.sortFPs, s.fps[k])
	}
	f.sieved = s.sortFPs
	return s.sorted, s.refused
}

// group numbers origins. Only the last few are looked at: one that comes again
// late gets another number, and no more is lost than a little order.
func (s *sifted) group(origin string) int {
	recent := max(0, len(s.origins)-8)
	if g := slices.Index(s.origins[recent:], origin); g >= 0 {
		return recent + g
	}
	s.origins = append(s.origins, origin)
	return len(s.origins) - 1
}

// oneEvent is as many of the first links as one event may hold: they are of one
// lane.
func oneEvent(links []storage.Link) []storage.Link {
	n := 0
	for n < min(len(links), storage.MaxLinks) && links[n].Lane == links[0].Lane {
		n++
	}
	return links[:n]
}

func (f *Frontier) appendLinks(foundOn string, at int64, parent storage.Origin, links []storage.Link) error {
	for part := oneEvent(links); len(part) > 0; part = oneEvent(links) {
		links = links[len(part):]
		if err := f.append(&storage.Links{FoundOn: foundOn, Time: at, Origin: parent, Links: part}); err != nil {
			return err
		}
	}
	return nil
}

func (f *Frontier) appendSkips(foundOn string, at int64, parent storage.Origin, links []storage.SkipLink) error {
	for part := range slices.Chunk(links, storage.MaxLinks) {
		if err := f.append(&storage.Skip{FoundOn: foundOn, Time: at, Origin: parent, Links: part}); err != nil {
			return err
		}
	}
	return nil
}

// blame is the class for which a host is given up after an answer.
func blame(a *storage.Ask, class storage.Class) storage.Class {
	if a.Throttled || class == storage.NoClass {
		return storage.Throttled
	}
	return class
}

// afterAnswer gives a host up when its answer was one too many, and lets it be
// asked again as its answer allows.
func (f *Frontier) afterAnswer(j *Job, giveUp bool, class storage.Class, at int64) error {
	h := f.hosts.at(j.asked)
	if giveUp && h.lost() == storage.NoClass {
		err := f.append(&storage.Host{
			Origin: h.originURL(false), Ask: storage.Ask{Time: at}, GiveUp: class,
			Expires: at + GivenUpFor.Milliseconds(),
			Error:   fmt.Sprintf("the host was given up after %d failures running", h.throttles),
		})
		if err != nil {
			return err
		}
	}
	f.wake(h)
	if j.asked != j.ID.Host {
		f.wake(f.hosts.at(j.ID.Host))
	}
	return nil
}

// judge decides what the answer to a job means for its host, and has it rest as
// long as the job asks for.
func (f *Frontier) judge(j *Job, a *storage.Ask, retryAfter time.Duration) (giveUp bool) {
	f.learn(j, a)
	giveUp = f.hosts.at(j.asked).judge(a, retryAfter, &f.options)
	if a.Asked && j.rest > 0 {
		// Time is in whole milliseconds: round up, so as never to be early.
		rest := min((j.rest+2*int64(time.Millisecond)-1)/int64(time.Millisecond), maxHold.Milliseconds())
		a.Hold = max(a.Hold, a.Time+rest)
	}
	return giveUp
}

// settle ends the job's being out.
func (f *Frontier) settle(j *Job) {
	if !j.Robots {
		f.hosts.at(j.asked).outPages--
	}
	delete(f.out, j.ID)
	delete(f.suspects, j.ID)
	delete(f.spared, j.ID)
}

// Retry appends that a job is to be asked again. It fills the event's Job,
// Ask.Hold and Ask.Penalty.
func (f *Frontier) Retry(j *Job, r *storage.Retry, retryAfter time.Duration) error {
	f.settle(j)
	r.Job = j.ID
	giveUp := f.judge(j, &r.Ask, retryAfter)
	if err := f.append(r); err != nil {
		return err
	}
	return f.afterAnswer(j, giveUp, blame(&r.Ask, r.Class), r.Time+int64(r.Took))
}

// Abandon appends that a job's request went out and was broken off. The job
// stays pending; its host is not asked again before the gap has passed, also
// after a restart. It fills Ask.Hold and Ask.Penalty.
func (f *Frontier) Abandon(j *Job, a storage.Ask) error {
	h := f.hosts.at(j.asked)
	f.judge(j, &a, 0)
	return f.append(&storage.Host{Origin: h.originURL(false), Ask: a, Class: storage.Aborted})
}

// Robots appends what a robots job found. It fills the event's Origin, At,
// Ask.Hold and Ask.Penalty.
func (f *Frontier) Robots(j *Job, e *storage.Host, retryAfter time.Duration) error {
	f.settle(j)
	owner, https := f.hosts.at(j.ID.Host), j.ID.Ord == storage.OrdRobotsHTTPS
	e.Origin = owner.originURL(https)
	if j.Asked != j.Host {
		e.At = j.Asked
	}
	giveUp := f.judge(j, &e.Ask, retryAfter)
	if err := f.append(e); err != nil {
		return err
	}
	if o := owner.origin(https); !o.busy {
		// Its jobs carry the rules, which must be on disk for that.
		o.busy = true
		f.stagedRobots = append(f.stagedRobots, j.ID)
	}
	if e.Next != "" {
		// The errand has moved to another host.
		f.wake(f.hosts.intern(weburl.URL(e.Next).Host()))
	}
	return f.afterAnswer(j, giveUp, blame(&e.Ask, e.Class), e.Time+int64(e.Took))
}

// RobotsCopy tells what an earlier asking for the robots.txt of the job's
// origin gave, to go on with when it cannot be had now: RobotsRules,
// RobotsAllow, or RobotsNone when there was none. delay is its Crawl-delay in
// milliseconds, rules the seq of its text.
func (f *Frontier) RobotsCopy(j *Job) (state storage.RobotsState, delay uint32, rules uint64) {
	o := f.hosts.at(j.ID.Host).origin(j.ID.Ord == storage.OrdRobotsHTTPS)
	switch {
	case o.expires == 0:
		return storage.RobotsNone, 0, 0
	case o.copy == 0:
		return storage.RobotsAllow, 0, 0
	}
	return storage.RobotsRules, o.delay, o.copy
}

// AddSeeds appends addresses given by the user. Those that are jobs already
// are ignored but for the scope they open; refused ones are recorded as
// skipped. It returns how many became jobs.
func (f *Frontier) AddSeeds(links []Candidate, source *storage.Source, at time.Time) (added int, err error) {
	seeds := &storage.Seeds{Time: at.UnixMilli(), Source: source}
	var known []storage.Link
	for i := range links {
		c := &links[i]
		st, isKnown := f.seen.get(c.FP)
		if isKnown && st == admitted && c.Reason == storage.NoReason && !f.IsRoot(weburl.URL(c.URL)) {
			known = append(known, c.Link)
		}
	}
	fresh, refused := f.sift(links, nil)
	if len(fresh) == 0 && len(known) == 0 && source == nil {
		return 0, f.appendSeedSkips(refused, at)
	}
	for {
		n, k := len(oneEvent(fresh)), min(len(known), storage.MaxLinks)
		if n == len(fresh) && k == len(known) {
			break
		}
		if err := f.append(&storage.Seeds{Time: seeds.Time, Links: fresh[:n], Known: known[:k]}); err != nil {
			return added, err
		}
		added += n
		fresh, known = fresh[n:], known[k:]
	}
	// The last event carries how far the source was read, so that it is not
	// stored before all of its links are.
	seeds.Links, seeds.Known = fresh, known
	if err := f.append(seeds); err != nil {
		return added, err
	}
	return added + len(fresh), f.appendSeedSkips(refused, at)
}

// AddListed appends what a robots.txt lists as the site's sitemaps: they are of
// depth 0, but no seeds.
func (f *Frontier) AddListed(foundOn string, links []Candidate, at time.Time) error {
	var parent storage.Origin
	fresh, refused := f.sift(links, &parent)
	if err := f.appendLinks(foundOn, at.UnixMilli(), parent, fresh); err != nil {
		return err
	}
	return f.appendSkips(foundOn, at.UnixMilli(), parent, refused)
}

func (f *Frontier) appendSeedSkips(refused []storage.SkipLink, at time.Time) error {
	return f.appendSkips("", at.UnixMilli(), storage.Origin{Seed: true}, refused)
}

// Withdraw appends that a job leaves the queue without an outcome, because the
// settings in force refuse it now. It is known, and not admitted, from then
// on.
func (f *Frontier) Withdraw(j *Job, reason storage.Reason, at time.Time) error {
	f.settle(j)
	err := f.append(&storage.Skip{
		FoundOn: j.FoundOn, Time: at.UnixMilli(), Origin: parentOf(&j.Found), Withdrawn: true, Job: j.ID,
		Links: []storage.SkipLink{{Link: linkOf(&j.Found), Reason: reason}},
	})
	if err != nil {
		return err
	}
	f.wake(f.hosts.at(j.asked))
	return nil
}

// parentOf is the origin of the page that an address was found on.
func parentOf(found *storage.Found) storage.Origin {
	parent := found.Origin
	switch {
	case found.Redirect:
		parent.Hops--
	case found.FoundOn != "" && !found.Listed:
		parent.Depth--
	}
	return parent
}

// linkOf is the link by which an address was found.
func linkOf(found *storage.Found) storage.Link {
	return storage.Link{
		URL: found.URL, Kind: found.Kind, Redirect: found.Redirect, Listed: found.Listed, NoFollow: found.NoFollow,
		Anchor: found.Anchor,
	}
}

// Remember appends settings, which Settings gives back after any restart.
func (f *Frontier) Remember(settings []byte, at time.Time) error {
	return f.append(&storage.Edit{Edit: storage.EditSettings, Time: at.UnixMilli(), Settings: settings})
}

// OpenReview appends that all links skipped so far are to be judged again. The
// crawl is not over before that is done; see Review.
func (f *Frontier) OpenReview(at time.Time) error {
	return f.append(&storage.Edit{Edit: storage.EditReview, Time: at.UnixMilli(), Upto: f.seq})
}

// Review tells whether skipped links wait to be judged again: those of the
// events after done, up to upto.
func (f *Frontier) Review() (done, upto uint64, open bool) {
	return f.review.done, f.review.upto, f.review.upto > 0
}

// Reviewed appends that a review has come to the event upto.
func (f *Frontier) Reviewed(upto uint64, at time.Time) error {
	return f.append(&storage.Edit{Edit: storage.EditReviewed, Time: at.UnixMilli(), Upto: upto})
}

// Readmit appends links that were skipped once and pass now. head is the head
// of the Skip event that they stand in. It may reorder the links.
func (f *Frontier) Readmit(head *storage.LinksHead, links []Candidate, at time.Time) (int, error) {
	if head.FoundOn == "" {
		// It is not the user who names them this time.
		links = slices.DeleteFunc(links, func(c Candidate) bool { return !c.Restored && f.IsDropped(c.FP) })
		return f.AddSeeds(links, nil, at)
	}
	fresh, _ := f.sift(links, &head.Parent)
	return len(fresh), f.appendLinks(head.FoundOn, head.Time, head.Parent, fresh)
}
