package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0: a new one")

// newRand gives a source of random numbers and shows how to have it again.
func newRand(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// fill sets every exported field of a value, also those that are added later.
func fill(rnd *rand.Rand, v reflect.Value) {
	extreme := rnd.IntN(4)
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		switch extreme {
		case 0:
			v.SetUint(0)
		case 1:
			v.SetUint(math.MaxUint64 >> (64 - v.Type().Bits()))
		default:
			v.SetUint(rnd.Uint64() >> rnd.IntN(64) & (math.MaxUint64 >> (64 - v.Type().Bits())))
		}
	case reflect.Int, reflect.Int64:
		switch extreme {
		case 0:
			v.SetInt(0)
		case 1:
			v.SetInt([]int64{math.MinInt64, -1, math.MaxInt64}[rnd.IntN(3)])
		default:
			v.SetInt(int64(rnd.Uint64() >> rnd.IntN(64)))
		}
	case reflect.String:
		v.SetString(randomString(rnd))
	case reflect.Slice:
		n := 0
		switch extreme {
		case 1:
			if rnd.IntN(8) == 0 {
				n = MaxLinks
			}
		case 2, 3:
			n = rnd.IntN(10)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rnd, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rnd, v.Index(i))
		}
	case reflect.Pointer:
		if extreme != 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rnd, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rnd, v.Field(i))
		}
	default:
		panic("no random value of kind " + v.Kind().String())
	}
}

func randomString(rnd *rand.Rand) string {
	switch rnd.IntN(8) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("\x00\xff", rnd.IntN(300))
	case 2:
		b := make([]byte, rnd.IntN(20))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return string(b)
	default:
		// Addresses that have a beginning in common.
		return "https://example.com/a/long/path/to/page.html"[:rnd.IntN(45)] + fmt.Sprint(rnd.Uint32()>>rnd.IntN(32))
	}
}

var eventKinds = []struct {
	name string
	make func() Event
}{
	{"visit", func() Event { return new(Visit) }},
	{"links", func() Event { return new(Links) }},
	{"seeds", func() Event { return new(Seeds) }},
	{"skip", func() Event { return new(Skip) }},
	{"retry", func() Event { return new(Retry) }},
	{"host", func() Event { return new(Host) }},
	{"edit", func() Event { return new(Edit) }},
	{"reopen", func() Event { return new(Reopen) }},
}

// randomEvent gives an event as the other packages make them.
func randomEvent(rnd *rand.Rand, e Event) Event {
	fill(rnd, reflect.ValueOf(e).Elem())
	links := func(ls []Link, lane Lane) {
		for i := range ls {
			ls[i].Kind &= kindMask
			ls[i].Lane = lane
		}
	}
	lane := Lane(rnd.IntN(int(lanes)))
	switch e := e.(type) {
	case *Visit:
		links(e.Links, LaneNormal)
		e.Kept = nil // stands beside the event
	case *Links:
		links(e.Links, lane)
	case *Seeds:
		links(e.Links, lane)
		links(e.Known, LaneNormal)
	case *Skip:
		if !e.Withdrawn {
			e.Job, e.Dropped = JobID{}, false
		}
		for i := range e.Links {
			l := &e.Links[i]
			l.Kind &= kindMask
			l.Lane = LaneNormal
			if e.Dropped {
				l.Reason = Parked
			} else {
				l.Ord = 0
			}
		}
		if e.Dropped {
			e.Job.Ord = 0
		}
	case *Reopen:
		before := uint64(0)
		for i := range e.Visits {
			v := &e.Visits[i]
			v.Outcome = []Outcome{Failed, Blocked}[rnd.IntN(2)]
			v.Lane = Lane(rnd.IntN(int(lanes)))
			v.Seq = before + 1 + rnd.Uint64N(1<<rnd.IntN(50))
			before = v.Seq
		}
	}
	return e
}

func TestEventsComeBackAsTheyWent(t *testing.T) {
	for _, kind := range eventKinds {
		t.Run(kind.name, func(t *testing.T) {
			rnd := newRand(t)
			check := func(e Event) {
				t.Helper()
				stored := e.appendTo(nil)
				got, err := Decode(stored)
				if err != nil {
					t.Fatalf("decode %#v: %v", e, err)
				}
				if diff := cmp.Diff(e, got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("-stored +read:\n%s", diff)
				}
			}
			check(kind.make())
			for range 100 {
				check(randomEvent(rnd, kind.make()))
			}
		})
	}
}

func TestEventsOfABatchDoNotShareMemory(t *testing.T) {
	var b Batch
	b.Reset(7)
	seq, first := b.Add(&Edit{Edit: EditReview, Upto: 1})
	if seq != 7 {
		t.Fatalf("seq %d, want 7", seq)
	}
	before := bytes.Clone(first)
	_ = append(first, "more"...)
	_, second := b.Add(&Edit{Edit: EditReviewed, Upto: 2})
	if _, err := Decode(second); err != nil || !bytes.Equal(first, before) {
		t.Fatalf("the events of a batch run into each other: %v", err)
	}
}

func TestHeadsAgreeWithDecode(t *testing.T) {
	rnd := newRand(t)
	for range 60 {
		v := randomEvent(rnd, new(Visit)).(*Visit)
		stored := v.appendTo(nil)
		h, err := DecodeVisitHead(stored)
		if err != nil {
			t.Fatal(err)
		}
		got := Visit{
			Job: h.Job, URL: string(h.URL), Attempt: h.Attempt, Origin: h.Origin, Ask: h.Ask, Outcome: h.Outcome,
			Class: h.Class, Status: h.Status, Join: h.Join, ContentHash: h.ContentHash, DuplicateOf: v.DuplicateOf, Unlisted: h.Unlisted,
			Listed: h.Listed, NoFollow: h.NoFollow,
			FoundOn: v.FoundOn, Redirect: v.Redirect, Canonical: v.Canonical, Record: v.Record, Links: v.Links,
		}
		if diff := cmp.Diff(*v, got, cmpopts.EquateEmpty()); diff != "" || h.Duplicate != (v.DuplicateOf != "") {
			t.Fatalf("-visit +head:\n%s", diff)
		}
		checkBlock(t, &h.Links, v.Links, v.Origin.Child)
		checkFound(t, stored, v.Links, Found{FoundOn: v.URL, FoundAt: v.Time + int64(v.Took)}, v.Origin.Child)

		l := randomEvent(rnd, new(Links)).(*Links)
		stored = l.appendTo(nil)
		lh := linksHeadOf(t, stored)
		if lh.FoundOn != l.FoundOn || lh.Time != l.Time || lh.Parent != l.Origin {
			t.Fatalf("head %+v of %+v", lh, l)
		}
		checkBlock(t, &lh.Links, l.Links, l.Origin.Child)
		checkFound(t, stored, l.Links, Found{FoundOn: l.FoundOn, FoundAt: l.Time}, l.Origin.Child)

		s := randomEvent(rnd, new(Seeds)).(*Seeds)
		stored = s.appendTo(nil)
		sh := linksHeadOf(t, stored)
		if sh.Time != s.Time || !cmp.Equal(sh.Source, s.Source) {
			t.Fatalf("head %+v of %+v", sh, s)
		}
		seed := func(_, _ bool) Origin { return Origin{Seed: true} }
		if rnd.IntN(2) == 0 {
			checkBlock(t, &sh.Links, s.Links, seed)
		}
		known := sh.Known()
		checkBlock(t, &known, s.Known, seed)
		checkFound(t, stored, s.Links, Found{FoundAt: s.Time}, seed)

		k := randomEvent(rnd, new(Skip)).(*Skip)
		kh := linksHeadOf(t, k.appendTo(nil))
		if kh.FoundOn != k.FoundOn || kh.Time != k.Time || kh.Parent != k.Origin || kh.Withdrawn != k.Withdrawn || kh.Job != k.Job || kh.Dropped != k.Dropped {
			t.Fatalf("head %+v of %+v", kh, k)
		}
		var links []Link
		for _, l := range k.Links {
			links = append(links, l.Link)
		}
		child := k.Origin.Child
		if k.FoundOn == "" {
			child = seed
		}
		checkBlock(t, &kh.Links, links, child)
	}
}

func linksHeadOf(t *testing.T, stored []byte) LinksHead {
	t.Helper()
	h, err := DecodeLinksHead(stored)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func checkBlock(t *testing.T, b *LinkBlock, want []Link, child func(redirect, listed bool) Origin) {
	t.Helper()
	if b.Left() != len(want) {
		t.Fatalf("%d links, want %d", b.Left(), len(want))
	}
	for i, w := range want {
		if !b.Next() {
			t.Fatalf("link %d of %d: %v", i, len(want), b.Err())
		}
		l := &b.Link
		got := Link{
			URL: string(l.URL), Kind: l.Kind, Redirect: l.Redirect, Listed: l.Listed, NoFollow: l.NoFollow,
			Lane: l.Lane, Anchor: string(l.Anchor),
		}
		if got != w || l.Origin != child(w.Redirect, w.Listed) {
			t.Fatalf("link %d: %+v %+v, want %+v %+v", i, got, l.Origin, w, child(w.Redirect, w.Listed))
		}
	}
	if b.Next() || b.Err() != nil {
		t.Fatalf("the block does not end: %v", b.Err())
	}
}

func checkFound(t *testing.T, stored []byte, links []Link, want Found, child func(redirect, listed bool) Origin) {
	t.Helper()
	for i, l := range links {
		want.URL, want.Anchor, want.Kind, want.Origin = l.URL, l.Anchor, l.Kind, child(l.Redirect, l.Listed)
		want.Redirect, want.Listed, want.NoFollow, want.Lane = l.Redirect, l.Listed, l.NoFollow, l.Lane
		got, err := DecodeFound(stored, i)
		if err != nil || got != want {
			t.Fatalf("found %d: %+v, %v, want %+v", i, got, err, want)
		}
	}
	for _, i := range []int{-1, len(links), math.MaxInt} {
		if f, err := DecodeFound(stored, i); !errors.Is(err, ErrDamaged) {
			t.Fatalf("found %d: %+v, %v", i, f, err)
		}
	}
}

func TestOriginOfALink(t *testing.T) {
	for _, c := range []struct {
		name             string
		parent           Origin
		redirect, listed bool
		want             Origin
	}{
		{"a link is one deeper", Origin{Depth: 3}, false, false, Origin{Depth: 4}},
		{"a link of a seed is no seed", Origin{Seed: true}, false, false, Origin{Depth: 1}},
		{"a link after redirects starts anew", Origin{Depth: 3, Hops: 2}, false, false, Origin{Depth: 4}},
		{"a redirect is as deep", Origin{Depth: 3}, true, false, Origin{Depth: 3, Hops: 1}},
		{"a redirect of a seed is a seed", Origin{Seed: true, Hops: 4}, true, false, Origin{Seed: true, Hops: 5}},
		{"what a sitemap lists is as deep", Origin{Depth: 3, Hops: 2}, false, true, Origin{Depth: 3}},
		{"what the user's sitemap lists is a seed", Origin{Hops: 2, Seed: true}, false, true, Origin{Seed: true}},
		{"hops do not begin again", Origin{Hops: 255}, true, false, Origin{Hops: 255}},
		{"depth does not begin again", Origin{Depth: math.MaxUint32}, false, false, Origin{Depth: math.MaxUint32}},
	} {
		if got := c.parent.Child(c.redirect, c.listed); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestRecordsOfAnySize(t *testing.T) {
	for _, n := range []int{0, 1, 100, 127, 128, 16000, 16370, 16380, 16390, 1 << 21, 5 << 20} {
		v := &Visit{URL: "https://example.com/", Record: Record{Title: strings.Repeat("t", n)}, Links: []Link{{URL: "https://example.com/x"}}}
		stored := append([]byte("before"), v.appendTo(nil)...)[6:]
		got, err := Decode(stored)
		if err != nil {
			t.Fatalf("a title of %d bytes: %v", n, err)
		}
		if !cmp.Equal(Event(v), got) {
			t.Errorf("a title of %d bytes comes back otherwise", n)
		}
	}
}

func TestMoreLinksThanOneEventHolds(t *testing.T) {
	e := &Links{Links: make([]Link, MaxLinks)}
	if _, err := Decode(e.appendTo(nil)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an event was written that cannot be read")
		}
	}()
	e.Links = make([]Link, MaxLinks+1)
	e.appendTo(nil)
}

func TestLinksOfSeveralLanesAreNoEvent(t *testing.T) {
	link := func(lanes ...Lane) (links []Link) {
		for _, l := range lanes {
			links = append(links, Link{URL: "https://example.com/", Lane: l})
		}
		return links
	}
	for _, c := range []struct {
		name  string
		event Event
	}{
		{"two lanes", &Links{Links: link(LaneLow, LaneNormal)}},
		{"two lanes of seeds", &Seeds{Links: link(LaneNormal, LaneHigh)}},
		{"an unknown lane", &Links{Links: link(lanes)}},
		{"a visit with another lane", &Visit{Links: link(LaneHigh)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was written")
				}
			}()
			c.event.appendTo(nil)
		})
	}
}

func TestDamagedEvents(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	huge := binary.AppendUvarint(nil, 1<<62)
	visit := (&Visit{URL: "u"}).appendTo(nil)
	links := []byte{byte(KindLinks), eventVersion, 0, 0, 0, 0, 0} // time, depth, hops, no page
	for _, c := range []struct {
		name  string
		event []byte
	}{
		{"nothing", nil},
		{"one byte", []byte{1}},
		{"kind 0", []byte{0, eventVersion, 0}},
		{"an unknown kind", []byte{byte(KindEdit) + 1, eventVersion, 0}},
		{"an unknown version", []byte{byte(KindEdit), eventVersion + 1, 0, 1, 0, 0, 0}},
		{"a visit without its last byte", visit[:len(visit)-1]},
		{"a string longer than its event", join(links[:6], huge)},
		{"a count of 2^62 links", join(links, huge)},
		{"257 links", join(links, binary.AppendUvarint(nil, MaxLinks+1), make([]byte, 4*MaxLinks+4))},
		{"256 links and no bytes", join(links, binary.AppendUvarint(nil, MaxLinks))},
		{"links of an unknown lane", []byte{byte(KindLinks), eventVersion, 3 << laneShift, 0, 0, 0, 0, 0}},
		{"seeds of an unknown lane", []byte{byte(KindSeeds), eventVersion, 3<<laneShift | flagSeed, 0, 0, 0}},
		{"a link that shares too much", join(links, []byte{1, 5, 1, 'x', 0, 0})},
		{"a status of 2^16", []byte{byte(KindRetry), eventVersion, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x80, 0x80, 4, 0, 0, 0}},
		{"a host number of 2^32", []byte{byte(KindRetry), eventVersion, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}},
		{"a number of eleven bytes", []byte{byte(KindEdit), eventVersion, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0}},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := Decode(c.event)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrDamaged) || e != nil {
			t.Errorf("%s: %#v, %v", c.name, e, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: took %d bytes", c.name, n)
		}
		if _, err := DecodeFound(c.event, 0); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: found: %v", c.name, err)
		}
	}
	if h, err := DecodeLinksHead(visit); !errors.Is(err, ErrDamaged) || h.Links.Next() {
		t.Errorf("a visit read as links: %v", err)
	}
	if h, err := DecodeLinksHead([]byte{0, eventVersion, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}); !errors.Is(err, ErrDamaged) || h.Links.Next() {
		t.Errorf("kind 0 read as links: %v", err)
	}
}

// Bytes that are no event must be refused, and what is read must be what would
// be written.
func FuzzDecode(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, kind := range eventKinds {
		f.Add(kind.make().appendTo(nil))
		for range 3 {
			f.Add(randomEvent(rnd, kind.make()).appendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		e, err := Decode(stored)
		if err != nil {
			if e != nil || !errors.Is(err, ErrDamaged) {
				t.Fatalf("%#v, %v", e, err)
			}
			return
		}
		again := e.appendTo(nil)
		e2, err := Decode(again)
		if err != nil {
			t.Fatalf("%#v is written so that it cannot be read: %v", e, err)
		}
		if !cmp.Equal(e, e2, cmpopts.EquateEmpty()) {
			t.Fatalf("%#v comes back as %#v", e, e2)
		}
		if !bytes.Equal(again, e2.appendTo(nil)) {
			t.Fatalf("%#v is written in two ways", e)
		}
	})
}

func FuzzDecodeFound(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, kind := range eventKinds[:4] {
		for i := range 3 {
			f.Add(randomEvent(rnd, kind.make()).appendTo(nil), i)
		}
	}
	f.Fuzz(func(t *testing.T, stored []byte, index int) {
		found, err := DecodeFound(stored, index)
		if err != nil {
			if found != (Found{}) && !errors.Is(err, ErrDamaged) {
				t.Fatalf("%+v, %v", found, err)
			}
		} else if index == SelfIndex {
			if v, err := DecodePage(stored); err != nil || v.URL != found.URL || v.Origin != found.Origin {
				t.Fatalf("a visit %+v, %v comes from %+v", v, err, found)
			}
		} else if index < 0 || index >= MaxLinks {
			t.Fatalf("link %d is %+v", index, found)
		}
		// A block yields what it promises or says why not.
		drain := func(b LinkBlock) {
			promised, n := b.Left(), 0
			for b.Next() {
				n++
			}
			if promised > MaxLinks || n > promised || n < promised && b.Err() == nil {
				t.Fatalf("%d links of %d: %v", n, promised, b.Err())
			}
		}
		if h, err := DecodeVisitHead(stored); err == nil {
			drain(h.Links)
		}
		if h, err := DecodeLinksHead(stored); err == nil {
			drain(h.Links)
			if KindOf(stored) == KindSeeds {
				drain(h.Known())
			}
		}
		// Whoever can be read whole has the same links.
		e, err := Decode(stored)
		if err != nil || index < 0 {
			return
		}
		var links []Link
		switch e := e.(type) {
		case *Visit:
			links = e.Links
		case *Links:
			links = e.Links
		case *Seeds:
			links = e.Links
		}
		if index < len(links) && found.URL != links[index].URL {
			t.Fatalf("link %d is %q, want %q", index, found.URL, links[index].URL)
		}
	})
}

func TestJobsThatAreOutComeBack(t *testing.T) {
	rnd := newRand(t)
	for range 200 {
		var out []Mark
		fill(rnd, reflect.ValueOf(&out).Elem())
		got, err := decodeOut(encodeOut(out))
		if err != nil || !cmp.Equal(out, got, cmpopts.EquateEmpty()) {
			t.Fatalf("%v comes back as %v, %v", out, got, err)
		}
	}
	for _, b := range [][]byte{{1}, {3, 0, 0, 0}, binary.AppendUvarint(nil, 1<<62), {1, 0, 0xff}} {
		if out, err := decodeOut(b); !errors.Is(err, ErrDamaged) || out != nil {
			t.Errorf("%x: %v, %v", b, out, err)
		}
	}
}

func TestWordsHaveNames(t *testing.T) {
	for o := Fetched; o < outcomes; o++ {
		if o.String() == "" {
			t.Errorf("outcome %d has no name", o)
		}
	}
	for c := NoClass; c < classes; c++ {
		if got, ok := ParseClass(c.String()); !ok || got != c || (c.String() == "") != (c == NoClass) {
			t.Errorf("class %d is called %q, which is read as %d, %v", c, c, got, ok)
		}
	}
	for l := LaneNormal; l < lanes; l++ {
		if got, ok := ParseLane(l.String()); !ok || got != l {
			t.Errorf("lane %d is called %q, which is read as %d, %v", l, l, got, ok)
		}
	}
	if l, ok := ParseLane("urgent"); ok || l != LaneNormal {
		t.Errorf("an unknown lane is read as %v, %v", l, ok)
	}
	for r := NoReason + 1; r < reasons; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
	if got := Outcome(200).String() + Class(200).String() + Reason(200).String(); got != "outcome(200)class(200)reason(200)" {
		t.Errorf("unknown words are called %q", got)
	}
}
