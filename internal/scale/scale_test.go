package main

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"pawl/frontier"
	"pawl/weburl"
)

func TestAddressesAreCanonicalAndDistinct(t *testing.T) {
	speller, err := weburl.New(weburl.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	length := 0
	const hosts, pages = 40, 500
	for h := range uint32(hosts) {
		for n := range uint32(pages) {
			// Early pages and late ones, few hosts and many.
			u := string(appendURL(nil, h*2503, n*n*7))
			if seen[u] {
				t.Fatalf("%s comes twice", u)
			}
			seen[u] = true
			length += len(u)
			spelled, err := speller.Parse(u)
			if err != nil || string(spelled) != u {
				t.Fatalf("%s is spelled %s (%v)", u, spelled, err)
			}
		}
	}
	if mean := length / (hosts * pages); mean < 65 || mean > 75 {
		t.Errorf("addresses have %d bytes on average, want about 70", mean)
	}
}

// grow itself checks that what is known in the end is what the generator made.
func TestGrowth(t *testing.T) {
	for hosts, marks := range map[int][]uint64{1: {10_000}, 7: {10_000, 20_000}, 6000: {10_000}} {
		b := &bench{dir: t.TempDir(), pending: 0.9, portion: 300, talk: io.Discard}
		g := &growth{bench: b, path: b.file(hosts), web: newWeb(hosts, 1)}
		if err := g.create(); err != nil {
			t.Fatal(err)
		}
		for _, mark := range marks {
			r, err := g.grow(t.Context(), mark)
			if err != nil {
				t.Fatal(err)
			}
			if r.known < mark || r.known > mark+uint64(2*b.portion*newLinks) {
				t.Errorf("%d hosts: grew to %d, not to %d", hosts, r.known, mark)
			}
			m, err := resume(g.path)
			if err != nil {
				t.Fatal(err)
			}
			if want := r.known * 9 / 10; m.Pending > want || m.Pending < want-uint64(b.portion) {
				t.Errorf("%d hosts: %d of %d pending, want %d", hosts, m.Pending, r.known, want)
			}
			if r.missed > 0 {
				t.Errorf("%d hosts: %d pages were not made ahead", hosts, r.missed)
			}
			r.rates(g.parts)
			if len(g.parts) == 0 || r.completed%b.portion != 0 {
				t.Errorf("%d hosts: %d parts, %d completed", hosts, len(g.parts), r.completed)
			}
		}
		if m, err := exportPages(g.path); err != nil || m.Rows < 2*b.portion {
			t.Errorf("%d hosts: exported %d rows: %v", hosts, m.Rows, err)
		}
		if err := g.remove(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWebIsTheSameInEveryRun(t *testing.T) {
	hash := func(b []byte) uint64 { return uint64(len(b)) }
	sum := func() (n int) {
		w := newWeb(3, 1)
		if err := w.seeds(hash, func([]frontier.Candidate) error { return nil }); err != nil {
			t.Fatal(err)
		}
		w.prepare(5, hash)
		for i := range uint32(20) {
			a := w.take(i%3, hash)
			if len(a.links) != pageLinks {
				t.Fatalf("a page has %d links", len(a.links))
			}
			for k, c := range a.links {
				n = n*31 + k + int(c.FP)
			}
		}
		return n
	}
	if a, b := sum(), sum(); a != b {
		t.Error("two runs differ")
	}
}

func TestWebIsKeptForChildren(t *testing.T) {
	w := newWeb(3, 1)
	w.Own[1] = 7
	path := filepath.Join(t.TempDir(), "web")
	if err := w.save(path); err != nil {
		t.Fatal(err)
	}
	if again, err := loadWeb(path); err != nil || again.known() != 7 || len(again.Turns) != 3 {
		t.Errorf("read %+v, %v", again, err)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{thousands(0), "0"},
		{thousands(999), "999"},
		{thousands(1_000), "1,000"},
		{thousands(10_002_005), "10,002,005"},
		{millis(0), "-"},
		{millis(2_345_678), "2.3 ms"},
		{millis(2_345_678_901), "2346 ms"},
		{millis(42_345_678_901), "42.3 s"},
		{micros(17_450), "17.4 µs"},
		{bytesOf(-1), "-"},
		{bytesOf(146.4), "146 B"},
		{megabytes(-1), "-"},
		{megabytes(217_400_000), "217 MB"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestRatesAreMedians(t *testing.T) {
	const ms = time.Millisecond
	var r row
	r.rates([]part{
		{pages: 1000, took: 100 * ms, cpu: 200 * ms},
		{pages: 1000, took: 500 * ms, cpu: 900 * ms, rehash: true},
		{pages: 1000, took: 50 * ms, cpu: 80 * ms},
		{pages: 1000, took: 20 * ms, cpu: 30 * ms},
	})
	if r.rate != 20_000 || r.slowest != 10_000 || r.fastest != 50_000 || r.rehashRate != 2_000 || r.cpu != 80*ms/1000 {
		t.Errorf("%+v", r)
	}
}
