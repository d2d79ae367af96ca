package crawl

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pawl/internal/fakeweb"
	"pawl/weburl"
)

var largePages = flag.Int("large.pages", 10_000, "how many pages each site of TestLargeSites has")

// A site that is large and honest is fetched whole, however large it is.
func TestLargeSites(t *testing.T) {
	o := fakeweb.DefaultSites()
	o.Large = *largePages
	sites, err := fakeweb.NewSites(o)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"catalogue", "parts", "archive", "forum", "words", "queries"}
	if testing.Short() || raceOn {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c, sum := crawlTrap(t, sites, name, 0, nil)
			took := time.Since(began)
			urls, parks := c.fetchedPages()
			score := sites.Site(name).Score(slices.Values(urls))
			if sum.End != Finished || score.Lost > 0 || score.Missing > 0 || score.Waste > 0 || len(parks) > 0 {
				t.Errorf("ended %s with %+v, parked %v", sum.End, score, parks)
			}
			if score.Content < *largePages {
				t.Errorf("only %d pages have content", score.Content)
			}
			t.Logf("%d pages in %v, %d pages a second", len(urls), took.Round(time.Millisecond), int(float64(len(urls))/took.Seconds()))
		})
	}
}

// What is counted of a host that has nothing but different words in its
// addresses, as long as they may be, stays small.
func TestTrapsTakeLittleMemory(t *testing.T) {
	const places, words, most = 1000, 45, 8 << 20
	lettered := func(n int) string {
		return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(n))
	}
	w := &watched{forms: map[string]*form{}, places: map[string]map[uint64]struct{}{}}
	var space [3]*form
	before := standing(t)[0]
	for n := range places * words {
		w.formsOf(weburl.URL("http://a.test/"+lettered(n%40)+"/"+lettered(n/40%25)+"/"+lettered(n/places)+
			strings.Repeat("w", 900)+"?"+strings.Repeat("q", 3000)), space[:0])
	}
	if len(w.places) != places {
		t.Fatalf("words are told apart in %d places", len(w.places))
	}
	if grown := int64(standing(t)[0]) - int64(before); grown > most {
		t.Errorf("a host takes %d KB", grown>>10)
	} else {
		t.Logf("a host takes %d KB", grown>>10)
	}
	runtime.KeepAlive(w)
}
