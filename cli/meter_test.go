package cli

import (
	"testing"
	"time"

	"pawl/crawl"
	"pawl/storage"
)

// A look before the crawl has told anything has no time, and must not stand as
// the beginning of the rate.
func TestRateCountsFromTheFirstRealLook(t *testing.T) {
	var m meter
	m.look(crawl.Progress{})
	at := time.Unix(1_795_000_000, 0)
	look := func(after time.Duration, fetched uint64) figures {
		p := crawl.Progress{Time: at.Add(after)}
		p.Counts.Outcomes[storage.Fetched] = fetched
		return m.look(p)
	}
	look(0, 10)
	if f := look(2*time.Second, 110); f.pages != 50 {
		t.Errorf("%.1f pages a second, want 50", f.pages)
	}
}
