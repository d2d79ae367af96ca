package crawl

import (
	"fmt"
	"regexp"
	"time"

	"pawl/frontier"
	"pawl/storage"
	"pawl/weburl"
)

// Unparked is what a wish for parked addresses comes to.
type Unparked struct {
	Patterns  int // that it takes back, as a whole or in part
	Addresses int // that were refused because they were parked; others may still be in the queue
	Examples  []string
}

// unparkExamples is how many addresses are named.
const unparkExamples = 5

// Unpark has parked addresses come back into the crawl of a file that is at rest,
// with the next run. With dry it only tells what that would be. The file must be
// open, and for writing unless dry.
func Unpark(file *storage.File, wish storage.Restore, dry bool) (u Unparked, err error) {
	re, err := regexp.Compile(wish.Match)
	if err != nil {
		return u, fmt.Errorf("%q is not a regular expression: %w", wish.Match, err)
	}
	f, err := frontier.Load(file, frontier.Defaults())
	if err != nil {
		return u, err
	}
	p := parking{frontier: f}
	parks, unparks := f.Parks(), f.Unparks()
	for i := range parks {
		back := wish.Host != "" && wish.Host != parks[i].Host
		for k := range unparks {
			back = back || unparks[k].TakesBack(&parks[i])
		}
		if !back {
			u.Patterns++
		}
	}
	if u.Patterns == 0 {
		return u, nil
	}
	met := map[uint64]struct{}{}
	err = file.Walk(1, f.Seq(), func(_ uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindSkip {
			return nil
		}
		head, err := storage.DecodeLinksHead(event)
		if err != nil {
			return err
		}
		for head.Links.Next() {
			url := weburl.URL(head.Links.Link.URL)
			if head.Links.Link.Reason != storage.Parked || wish.Host != "" && url.Host() != wish.Host || !re.MatchString(string(url)) {
				continue
			}
			fp := f.Fingerprint(string(url))
			_, isAdmitted := f.Knows(fp)
			if _, ok := met[fp]; ok || isAdmitted || !p.has(url) {
				continue
			}
			met[fp] = struct{}{}
			u.Addresses++
			if len(u.Examples) < unparkExamples {
				u.Examples = append(u.Examples, string(url))
			}
		}
		return head.Links.Err()
	})
	if err != nil || dry {
		return u, err
	}
	if err := f.Unpark(wish, time.Now()); err != nil {
		return u, err
	}
	return u, file.Commit(f.Seal(time.Now()))
}
