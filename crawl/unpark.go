package crawl

import (
	"context"
	"errors"
	"slices"

	"pawl/frontier"
	"pawl/storage"
	"pawl/weburl"
)

// parkLists are the parks and unparks of a moment.
type parkLists struct {
	parks   []frontier.Park
	unparks []frontier.Unpark
}

func (p *parkLists) Parks() []frontier.Park     { return p.parks }
func (p *parkLists) Unparks() []frontier.Unpark { return p.unparks }

// inForce is how many patterns a wish takes back, as a whole or in part.
func (p *parkLists) inForce(w *wish) (n int) {
	for i := range p.parks {
		back := !w.onHost(p.parks[i].Host)
		for k := range p.unparks {
			back = back || p.unparks[k].TakesBack(&p.parks[i])
		}
		if !back {
			n++
		}
	}
	return n
}

// foreseeRestore tells what is parked and would come back; when it is to come back,
// whether anything would.
func (c *Crawl) foreseeRestore(ctx context.Context, e *Edit, w *wish, edited *Edited) error {
	lists := new(parkLists)
	any := false // was ever parked
	err := c.do(ctx, func(l *loop) error {
		// They only grow.
		lists.parks, lists.unparks = l.frontier.Parks(), l.frontier.Unparks()
		any = len(lists.parks) > 0 || l.frontier.Counts().Parked > 0
		return nil
	})
	if err != nil || !any {
		return err
	}
	edited.Patterns = lists.inForce(w)
	if !e.DryRun && edited.Patterns > 0 {
		return nil // that it comes to something is enough
	}
	p := parking{lists: lists}
	// An address is skipped again when it is met closer to a seed or dropped again.
	met := map[uint64]struct{}{}
	type candidate struct {
		url       string
		fp        uint64
		isDropped bool
	}
	var slice []candidate
	judge := func(part []candidate) error {
		return c.do(ctx, func(l *loop) error {
			for _, s := range part {
				if _, isAdmitted := l.frontier.Knows(s.fp); isAdmitted || s.isDropped && !l.frontier.IsDropped(s.fp) {
					continue
				}
				if _, ok := met[s.fp]; !ok {
					met[s.fp] = struct{}{}
					edited.Addresses++
					edited.name(s.url)
				}
			}
			return nil
		})
	}
	err = c.walk(ctx, func(_ *storage.Reader, _, _ uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindSkip {
			return nil
		}
		head, err := storage.DecodeLinksHead(event)
		if err != nil {
			return err
		}
		for head.Links.Next() {
			url := weburl.URL(head.Links.Link.URL)
			if head.Links.Link.Reason != storage.Parked || !w.onHost(url.Host()) || !w.matches(string(url)) {
				continue
			}
			fp := c.hash([]byte(url))
			if _, ok := met[fp]; !ok && (head.Dropped || p.has(url)) {
				slice = append(slice, candidate{string(url), fp, head.Dropped})
			}
		}
		return head.Links.Err()
	}, func() error {
		defer func() { slice = slice[:0] }()
		for part := range slices.Chunk(slice, jobsAtOnce) {
			if err := judge(part); err != nil {
				return err
			}
			if !e.DryRun && edited.Addresses > 0 {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// errEnough ends a walk.
var errEnough = errors.New("enough is known")
