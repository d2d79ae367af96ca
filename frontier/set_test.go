package frontier

import (
	"maps"
	"math/rand/v2"
	"testing"
)

func TestSetAgainstMap(t *testing.T) {
	for _, c := range []struct {
		name string
		fp   func(rng *rand.Rand) uint64
	}{
		{"spread", func(rng *rand.Rand) uint64 { return rng.Uint64() }},
		{"few, often again", func(rng *rand.Rand) uint64 { return rng.Uint64N(500) * 0x9e3779b97f4a7c15 }},
		{"one shard", func(rng *rand.Rand) uint64 { return rng.Uint64() >> 8 }},
		{"one slot", func(rng *rand.Rand) uint64 { return rng.Uint64N(500) }},
		{"last slots", func(rng *rand.Rand) uint64 { return 0xFF<<56 - 1<<24 + rng.Uint64N(500) }},
		{"around the end", func(rng *rand.Rand) uint64 { return 1<<56 - rng.Uint64N(1<<34) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var s set
			want := map[uint64]standing{}
			for range 5_000 {
				fp, st := c.fp(rng), standing(rng.Uint32())
				if rng.Uint32()%2 == 0 {
					st = admitted
				}
				if fp == 0 {
					continue
				}
				_, known := want[fp]
				if old, ok := s.get(fp); ok != known || known && old != want[fp] {
					t.Fatalf("%x: standing %d (%v), want %d (%v)", fp, old, ok, want[fp], known)
				}
				s.put(fp, st)
				want[fp] = st
				if s.len() != len(want) {
					t.Fatalf("%d fingerprints, want %d", s.len(), len(want))
				}
			}
			for fp, st := range want {
				if got, ok := s.get(fp); !ok || got != st {
					t.Fatalf("%x: standing %d (%v), want %d", fp, got, ok, st)
				}
			}
			if !maps.Equal(standingsOf(&s), want) {
				t.Error("contents differ")
			}
			for i := range s.admitted.shards {
				if sh := &s.admitted.shards[i]; sh.n >= len(sh.slots) && sh.n > 0 {
					t.Errorf("shard %d is full: %d of %d", i, sh.n, len(sh.slots))
				}
			}
		})
	}
}

func TestSetTakesFingerprintZero(t *testing.T) {
	var s set
	if _, ok := s.get(0); ok {
		t.Error("0 is in an empty set")
	}
	s.put(0, 7)
	s.put(0, 8)
	if st, ok := s.get(0); !ok || st != 8 || s.len() != 1 {
		t.Errorf("0 stands at %d (%v) of %d", st, ok, s.len())
	}
}

// slotsPerFingerprint tells how much larger a table is than what is in it.
func slotsPerFingerprint(t *table) float64 {
	slots := 0
	for i := range t.shards {
		slots += len(t.shards[i].slots)
	}
	return float64(slots) / float64(t.n)
}

func TestSetGrowsByAQuarter(t *testing.T) {
	var s set
	rng := rand.New(rand.NewPCG(3, 4))
	grown := 0 // slots of the shards that grew in the last step
	for s.len() < 200_000 {
		before := s.admitted
		for range 1000 {
			s.put(rng.Uint64(), admitted)
		}
		grown = 0
		for i := range before.shards {
			if len(before.shards[i].slots) != len(s.admitted.shards[i].slots) {
				grown++
			}
		}
		if s.len() > 50_000 && grown > shards/2 {
			t.Errorf("at %d fingerprints %d shards grow at once", s.len(), grown)
		}
	}
	// Between growing and the next growth a shard is 64 to 80 % full.
	if n := slotsPerFingerprint(&s.admitted); n > 1.6 {
		t.Errorf("%.2f slots for each fingerprint", n)
	}
}

func TestReservedTableDoesNotGrow(t *testing.T) {
	var reserved table
	const n = 300_000
	reserved.reserve(n)
	before := reserved
	rng := rand.New(rand.NewPCG(3, 4))
	for range n {
		reserved.put(rng.Uint64(), 0)
	}
	grown := 0
	for i := range before.shards {
		if len(before.shards[i].slots) != len(reserved.shards[i].slots) {
			grown++
		}
	}
	if grown > shards/8 {
		t.Errorf("%d shards grew", grown)
	}
	if n := slotsPerFingerprint(&reserved); n > 1.5 {
		t.Errorf("%.2f slots for each fingerprint", n)
	}
}

func TestStandingOrdersFindings(t *testing.T) {
	for _, c := range []struct {
		name     string
		depth    uint32
		noFollow bool
		want     standing
	}{
		{"a seed", 0, false, 1},
		{"a link of a seed", 1, false, 2},
		{"the deepest told apart", 125, false, 126},
		{"deeper", 126, false, 127},
		{"as deep as can be", ^uint32(0), false, 127},
		{"nofollow", 0, true, 128},
		{"nofollow, as deep as can be", ^uint32(0), true, 254},
	} {
		if got := refusedAt(c.depth, c.noFollow); got != c.want || got == admitted {
			t.Errorf("%s: standing %d, want %d", c.name, got, c.want)
		}
	}
}

func BenchmarkSetPut(b *testing.B) {
	b.ReportAllocs()
	rng := rand.New(rand.NewPCG(1, 1))
	var s set
	for i := range b.N {
		if i%1_000_000 == 0 {
			b.StopTimer()
			s = set{}
			b.StartTimer()
		}
		s.put(rng.Uint64(), admitted)
	}
}

func BenchmarkSetGet1M(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var s set
	fps := make([]uint64, 1_000_000)
	for i := range fps {
		fps[i] = rng.Uint64()
		s.put(fps[i], admitted)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, ok := s.get(fps[i*7919%len(fps)]); !ok {
			b.Fatal("lost")
		}
	}
	b.ReportMetric(8*slotsPerFingerprint(&s.admitted), "bytes/url")
}
