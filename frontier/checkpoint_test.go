package frontier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pawl/storage"
)

// crawlSome fetches pages that bring new links on several hosts, and leaves
// something of everything behind: waiting retries, skipped links, a robots.txt
// that is to be asked for again, a host that was given up.
func (r *rig) crawlSome(pages int) {
	r.tb.Helper()
	for n := range pages {
		j, ok := r.next()
		if !ok {
			r.commit() // what it brings may be waited for
			if at, waits := r.f.Wake(); waits && at.After(r.now) {
				r.now = at
			}
			continue
		}
		r.pass(time.Millisecond)
		r.f.Release(&j, r.now)
		switch {
		case j.Robots && n%5 == 3:
			r.ok(r.f.Robots(&j, &storage.Host{
				Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli(), Throttled: n%2 == 0}, State: storage.RobotsRetry,
				Attempt: j.Attempt, Due: r.now.Add(time.Second).UnixMilli(),
			}, 0))
		case j.Robots:
			r.ok(r.f.Robots(&j, &storage.Host{
				Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli()}, State: storage.RobotsRules, Text: "User-agent: *\nDisallow: /x\n",
				Delay: 5, Expires: r.now.Add(time.Hour).UnixMilli(),
			}, 0))
		case n%7 == 5 && j.Attempt < 3:
			r.ok(r.f.Retry(&j, &storage.Retry{
				Ask: storage.Ask{Asked: true, Time: r.now.UnixMilli(), Throttled: true}, Attempt: j.Attempt,
				Due: r.now.Add(time.Minute).UnixMilli(), Raw: j.URL + "?raw", Class: storage.Throttled,
			}, time.Second))
		default:
			links := r.candidates(
				fmt.Sprintf("https://h%d.test/%d/a", n%50, n), fmt.Sprintf("https://h%d.test/%d/b", n%50, n),
				fmt.Sprintf("http://h%d.test/%d", n%13, n), fmt.Sprintf("http://new%d.test/", n))
			links = append(links, r.refused(storage.OutOfScope, fmt.Sprintf("http://other.test/%d", n%40))...)
			r.ok(r.f.Finish(&j, r.answer(storage.Fetched), links, 0))
		}
		if n%16 == 0 {
			r.commit()
		}
	}
	r.commit()
}

// checkpointRig is a crawl with plenty in it.
func checkpointRig(tb testing.TB, every int) *rig {
	o := Defaults()
	o.Adaptive, o.PerHost, o.CheckpointEvery = false, 3, every
	r := newRig(tb, o)
	_, err := r.f.AddSeeds(r.candidates("http://a.test/x/", "https://b.test/"), &storage.Source{Path: "/seeds", Size: 9, MTime: 5, Offset: 9}, r.now)
	r.ok(err)
	r.ok(r.f.Remember([]byte(`{"a":1}`), r.now))
	r.commit()
	return r
}

// stands gives the newest complete checkpoint of the file.
func (r *rig) stands() (c storage.Checkpoint) {
	r.tb.Helper()
	r.ok(r.file.View(func(reader *storage.Reader) (err error) {
		c, _, err = reader.Checkpoint()
		return err
	}))
	return c
}

func TestStartReadsTheCheckpointAndWhatCameAfter(t *testing.T) {
	r := checkpointRig(t, 1<<40)
	r.crawlSome(800)
	r.f.Stop()
	r.commit()
	if c := r.stands(); c.Seq != 0 {
		t.Fatalf("a checkpoint that nobody asked for: %+v", c)
	}
	r.f.check.every = 1 // this is not a small crawl
	r.ok(r.f.Rest(r.file))
	last := r.f.Seq()
	f, damage, err := Restore(r.file, r.o)
	if err != nil || damage != nil || f.Seq() != last {
		t.Fatalf("restored up to event %d of %d: %v, %v", f.Seq(), last, damage, err)
	}
	r.isPure()
	r.reopen()
	r.isPure()
	r.crawlSome(300)
	r.isPure()
	if c := r.stands(); c.Seq != last {
		t.Errorf("the checkpoint is that of event %d, want %d", c.Seq, last)
	}
	// A file that is only read gets none.
	r.ok(r.file.Close())
	file, err := storage.Open(r.path, true)
	r.ok(err)
	r.file = file
	f, err = Load(file, r.o)
	r.ok(err)
	if f.Seq() <= last || r.stands().Seq != last {
		t.Errorf("event %d, checkpoint %d", f.Seq(), r.stands().Seq)
	}
}

// A checkpoint goes out a few pieces a commit, and whenever the process dies on
// the way the file is what the log says.
func TestCheckpointIsSpreadOverCommits(t *testing.T) {
	r := checkpointRig(t, 4000)
	// Heads of a few hundred KB, so that one takes several commits.
	var urls []string
	for i := range 3500 {
		urls = append(urls, fmt.Sprintf("http://a-host-with-a-rather-long-name-%04d.seeds.test/", i))
	}
	_, err := r.f.AddSeeds(r.candidates(urls...), nil, r.now)
	r.ok(err)
	commits, completed, deaths, coming := 0, 0, 0, false
	r.committed = func(b *storage.Batch) {
		size := 0
		for i := range b.Pieces {
			size += b.Pieces[i].Size()
		}
		if size > piecesABatch+2*storage.PieceSize {
			t.Fatalf("%d bytes of a checkpoint in one commit", size)
		}
		if size > 0 {
			commits++
		}
		coming = size > 0 && b.Checkpoint == nil
		if b.Checkpoint != nil {
			completed++
		}
	}
	for n := 0; completed < 2 && n < 500; n++ {
		r.crawlSome(16)
		if coming && deaths < 3*(completed+1) {
			deaths++
			r.reopen()
			r.isPure()
		}
	}
	if completed < 2 || deaths < 2 || commits < 2*completed {
		t.Errorf("%d checkpoints were completed in %d commits with %d deaths on the way", completed, commits, deaths)
	}
	r.reopen()
	r.isPure()
	found, err := r.file.Check(3)
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestDamagedCheckpointIsMadeAnewFromTheLog(t *testing.T) {
	complete := func(r *rig, change func(*storage.Checkpoint)) {
		c := r.stands()
		change(&c)
		r.ok(r.file.WriteCheckpoint(nil, &c))
	}
	overwrite := func(r *rig, part storage.Part, number uint64, value []byte) {
		c := r.stands()
		r.ok(r.file.WriteCheckpoint([]storage.Piece{storage.NewPiece(part, number, value)}, &c))
	}
	for _, c := range []struct {
		name   string
		damage func(*rig)
	}{
		{"a bit of the fingerprints is flipped", func(r *rig) { r.flip(storage.PartSeen, 0) }},
		{"a bit of the queue is flipped", func(r *rig) { r.flip(storage.PartQueue, 0) }},
		{"a bit of the heads is flipped", func(r *rig) { r.flip(storage.PartHeads, storage.HeadNumber(r.stands().Generation, 0)) }},
		{"a piece of fingerprints is missing", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Seen++ }) }},
		{"a piece of fingerprints too few", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Seen-- }) }},
		{"a piece of the queue too few", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Queue-- }) }},
		{"heads of another generation", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Generation++ }) }},
		{"no heads", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Heads = 0 }) }},
		{"of another event", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Seq-- }) }},
		{"of an event to come", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Seq += 5 }) }},
		{"it says that it is huge", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Known = 1 << 60 }) }},
		{"pieces of nonsense", func(r *rig) { complete(r, func(c *storage.Checkpoint) { c.Seen = 1 << 50 }) }},
		{"empty fingerprints", func(r *rig) { overwrite(r, storage.PartSeen, 0, nil) }},
		{"fingerprints cut off", func(r *rig) { overwrite(r, storage.PartSeen, 0, []byte{9, 0, 0, 0, 1}) }},
		{"groups cut off", func(r *rig) { overwrite(r, storage.PartQueue, 0, []byte{1, 0x80}) }},
		{"groups of a host that is not there", func(r *rig) { overwrite(r, storage.PartQueue, 0, []byte{1, 0xFF, 0x7F, 0, 2}) }},
		{"more jobs than the host has", func(r *rig) {
			overwrite(r, storage.PartQueue, 0, bytes.Repeat([]byte{1, 0, 0, 0xFE, 3}, 500))
		}},
		{"fingerprints that do not rise", func(r *rig) {
			overwrite(r, storage.PartSeen, 0, []byte{2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xFF, 1, 0, 0, 0, 0, 0, 0, 1, 0})
		}},
		{"a fingerprint of 0", func(r *rig) { overwrite(r, storage.PartSeen, 0, make([]byte, 4+8*5+1)) }},
		{"heads of nonsense", func(r *rig) {
			overwrite(r, storage.PartHeads, storage.HeadNumber(r.stands().Generation, 0), []byte("nonsense"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := checkpointRig(t, 500)
			r.crawlSome(600)
			if r.stands().Generation < 2 {
				t.Fatalf("checkpoint %+v", r.stands())
			}
			c.damage(r)
			// One that only reads says so and leaves it.
			r.ok(r.file.Close())
			file, err := storage.Open(r.path, true)
			r.ok(err)
			r.file = file
			f, damage, err := Restore(file, r.o)
			if err != nil || !errors.Is(damage, storage.ErrDamaged) || f.Seq() != 0 {
				t.Fatalf("restored up to event %d: %v, %v", f.Seq(), damage, err)
			}
			r.ok(f.CatchUp(file))
			// The next run makes it anew.
			r.reopen()
			r.isPure()
			r.crawlSome(400)
			r.isPure()
			if c := r.stands(); c.Seq == 0 {
				t.Error("no new checkpoint came")
			}
			r.reopen()
			r.isPure()
		})
	}
}

// Pieces that no pawl writes are refused in any case, and never read for ever.
func TestOddPiecesOfFingerprints(t *testing.T) {
	piece := func(fps ...uint64) []byte {
		b := binary.LittleEndian.AppendUint32(nil, uint32(len(fps)))
		for _, fp := range fps {
			b = binary.LittleEndian.AppendUint64(b, fp)
		}
		return append(b, 0)
	}
	for _, c := range []struct {
		name string
		fps  []uint64
		want int
	}{
		{"none", nil, 0},
		{"in order", []uint64{5, 1 << 56, 7 << 60}, 3},
		{"not in order", []uint64{0xFF<<56 + 1, 1<<56 + 1, 0x80 << 56, 3}, 4},
		{"twice", []uint64{1 << 56, 1 << 56, 9, 9}, 2},
		{"0", []uint64{0, 0, 1, 1 << 60}, 2},
	} {
		for _, room := range []int{0, 1000} {
			var s set
			s.admitted.reserve(room)
			p, err := openSeenPiece(piece(c.fps...))
			if err != nil {
				t.Fatal(err)
			}
			s.putPieces([]seenPiece{p, p})
			if s.len() != c.want {
				t.Errorf("%s, room for %d: %d fingerprints, want %d", c.name, room, s.len(), c.want)
			}
			for _, fp := range c.fps {
				if st, known := s.get(fp); !known || st != admitted {
					t.Errorf("%s, room for %d: %x is not there", c.name, room, fp)
				}
			}
		}
	}
}

// Heads that contradict themselves or the queue are refused, or every run would
// fail at the first page.
func TestHeadsThatContradictAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *Frontier)
	}{
		{"fewer jobs left on a host", func(f *Frontier) { f.hosts.at(0).left-- }},
		{"more jobs left on a host", func(f *Frontier) { f.hosts.at(1).left++ }},
		{"more pending", func(f *Frontier) { f.counts.Pending++ }},
		{"a class that is none", func(f *Frontier) { f.hosts.at(0).gaveUp = 200 }},
		{"a robots.txt in no state", func(f *Frontier) { f.hosts.at(0).origins[0].state = 77 }},
		{"finished before it was found", func(f *Frontier) { f.hosts.at(0).queue.base = f.hosts.at(0).queue.total + 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := checkpointRig(t, 1<<40)
			r.crawlSome(200)
			c.change(r.f)
			r.f.check.every = 1
			r.ok(r.f.Rest(r.file))
			if _, damage, err := Restore(r.file, r.o); err != nil || !errors.Is(damage, storage.ErrDamaged) {
				t.Errorf("%v, %v", damage, err)
			}
		})
	}
}

// A log from which events are missing is damaged, however many they are.
func TestGapInTheLog(t *testing.T) {
	for _, gap := range []uint64{1, catchUpEvents + 5, 1 << 40} {
		r := newRig(t, quick())
		r.seed("http://a.test/")
		b := storage.Batch{First: r.f.Seq() + 1 + gap}
		b.Add(&storage.Edit{Edit: storage.EditReviewed})
		r.ok(r.file.Commit(&b))
		if _, err := Load(r.file, r.o); !errors.Is(err, storage.ErrDamaged) {
			t.Errorf("%d events are missing: %v", gap, err)
		}
	}
}

// flip changes a bit of a piece in the file.
func (r *rig) flip(part storage.Part, number uint64) {
	r.tb.Helper()
	var value []byte
	r.ok(r.file.View(func(reader *storage.Reader) error {
		b, err := reader.Piece(part, number)
		value = bytes.Clone(b)
		return err
	}))
	r.ok(r.file.Close())
	whole, err := os.ReadFile(r.path)
	r.ok(err)
	at := bytes.LastIndex(whole, value)
	if at < 0 {
		r.tb.Fatal("the piece is not in the file")
	}
	for ; at >= 0; at = bytes.LastIndex(whole, value) { // also where it stood before
		whole[at+len(value)/2] ^= 0x10
	}
	r.ok(os.WriteFile(r.path, whole, 0o600))
	r.file, err = storage.Open(r.path, false)
	r.ok(err)
}

// A log without a checkpoint that is very long gets some while it is folded, so
// that a process that dies of the wait does not begin anew.
func TestLongLogGetsCheckpointsOnTheWay(t *testing.T) {
	r := checkpointRig(t, 1<<40)
	for range 3 * catchUpEvents / 1000 {
		for range 1000 {
			r.ok(r.f.Remember([]byte(`{}`), r.now))
		}
		r.commit()
	}
	r.crawlSome(100)
	r.o.CheckpointEvery = 100
	f, err := Load(r.file, r.o)
	r.ok(err)
	if c := r.stands(); c.Generation < 2 || c.Seq < catchUpEvents || f.Seq() != r.f.Seq() {
		t.Errorf("checkpoint %+v, event %d", c, f.Seq())
	}
	r.isPure()
}

func TestClockSetBackIsFolded(t *testing.T) {
	r := checkpointRig(t, 1<<40)
	r.crawlSome(200)
	r.pass(-30 * time.Minute)
	before := r.f.Seq()
	r.ok(r.f.ClockMoved(-30*time.Minute, r.now))
	if r.f.Seq() != before+1 {
		t.Error("the log does not say so")
	}
	r.commit()
	r.isPure()
	// A process that starts with a clock of last month finds waits of the future.
	r.pass(-30 * 24 * time.Hour)
	r.reopen()
	r.commit()
	r.isPure()
	if r.f.waitsTooLong(r.now) {
		t.Error("waits reach further than a day")
	}
	seq := r.f.Seq()
	r.reopen()
	if r.f.Seq() != seq {
		t.Error("a start that changes nothing is in the log")
	}
}

// Groups that make sense are written as they were read; others are refused.
func FuzzGroups(f *testing.F) {
	j := journal{on: true}
	for i, lane := range laneOrder {
		j.pushed(push{host: uint32(i * 200), lane: lane, place: place{seq: uint64(1) << (9 * i), index: uint16(i * 120), https: i == 1}, count: 1 + i*127})
	}
	f.Add(j.queue[0])
	f.Add([]byte{1, 0, 0, 0x80, 0x18}) // of an unknown lane
	f.Add([]byte{1, 0, 0, 0x82, 0x04}) // more jobs than an event has links
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(b []byte) (all []push, err error) {
			err = readGroups(b, func(groups []push) error {
				all = append(all, groups...)
				return nil
			})
			return all, err
		}
		groups, err := read(b)
		if err != nil {
			return
		}
		again := journal{on: true}
		for _, p := range groups {
			if p.count > storage.MaxLinks || p.lane > storage.LaneLow {
				t.Fatalf("%+v", p)
			}
			if g := newGroup(p.place, p.lane, 0, p.count); int(g.size()) != p.count || g.lane() != p.lane || g.count&httpsBit != 0 != p.place.https {
				t.Fatalf("group %+v of %+v", g, p)
			}
			again.pushed(p)
		}
		var back []push
		for _, piece := range again.queue {
			part, err := read(piece)
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, part...)
		}
		if !slices.Equal(back, groups) {
			t.Fatalf("%+v come back as %+v", groups, back)
		}
	})
}
