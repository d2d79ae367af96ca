package frontier

import (
	"iter"
	"slices"
)

// set holds what is known of every address that was ever met: a 64-bit
// fingerprint and a standing of one byte. It is exact up to 64 bits: among ten
// million addresses a pair that shares a fingerprint is expected once in some
// 370,000 crawls. The zero value is an empty set.
//
// Nearly all questions are about addresses that are admitted, so these have a
// table of their own: its answer costs one look at memory.
type set struct {
	admitted table
	refused  table // with standings
}

// len is the number of fingerprints.
func (s *set) len() int { return s.admitted.n + s.refused.n }

// get gives the standing of a fingerprint, and whether it is known at all.
func (s *set) get(fp uint64) (standing, bool) {
	if s.admitted.has(fp) {
		return admitted, true
	}
	if s.refused.n == 0 {
		return 0, false
	}
	return s.refused.get(fp)
}

// put gives the fingerprint a standing.
func (s *set) put(fp uint64, st standing) {
	to, from := &s.admitted, &s.refused
	if st != admitted {
		to, from = from, to
	}
	to.put(fp, st)
	if from.n > 0 {
		from.remove(fp)
	}
}

// standing says how an address is known.
type standing uint8

const (
	admitted standing = 0
	// 1 to 127: not admitted, and met at depth standing-1 at the least by a link
	// that may be followed; 128 to 254: met by nofollow links only, at depth
	// standing-128 at the least. Depths from 126 on are not told apart.
	maxStandingDepth          = 126
	byNoFollow       standing = 127
	// dropped: the user took it out of the queue. Only the user brings it back.
	dropped standing = 255
)

func refusedAt(depth uint32, noFollow bool) standing {
	st := standing(1 + min(depth, maxStandingDepth))
	if noFollow {
		st += byNoFollow
	}
	return st
}

// table is an open-addressing hash table of fingerprints, with a standing each
// when one was ever put that is not 0.
//
// It is split in shards that grow one at a time and by a quarter, so that
// growing neither stalls the crawl nor doubles its memory; they begin with
// different sizes, so that they do not all grow at once. A fingerprint's top
// byte picks the shard and the bits below its place there: fingerprints in
// rising order lie in rising places, so that many are put fast when sorted.
type table struct {
	shards  [shards]shard
	n       int
	touched uint64 // makes the compiler keep what touch does
}

const shards = 256

type shard struct {
	slots    []uint64 // linear probing; 0 is free
	standing []standing
	n        int
}

// home is the slot where the fingerprint belongs.
func (s *shard) home(fp uint64) int { return homeOf(fp, len(s.slots)) }

func homeOf(fp uint64, slots int) int { return int(uint64(uint32(fp>>24)) * uint64(slots) >> 32) }

// slot finds where the fingerprint stands, or else may be put.
func (s *shard) slot(fp uint64) int {
	i := s.home(fp)
	for s.slots[i] != 0 && s.slots[i] != fp {
		i++
		if i == len(s.slots) {
			i = 0
		}
	}
	return i
}

// touch looks where the fingerprint belongs. Nothing depends on what is there,
// so the processor need not wait for it: to touch many, and then to ask for
// them, is much faster than to ask for one after the other.
func (t *table) touch(fp uint64) {
	if sh := &t.shards[fp>>56]; len(sh.slots) > 0 {
		t.touched ^= sh.slots[sh.home(fp)]
	}
}

// find gives where the fingerprint stands; ok is false when it is not there.
func (t *table) find(fp uint64) (sh *shard, i int, ok bool) {
	fp = nonZero(fp)
	sh = &t.shards[fp>>56]
	if sh.n == 0 {
		return sh, 0, false
	}
	i = sh.slot(fp)
	return sh, i, sh.slots[i] == fp
}

func (t *table) has(fp uint64) bool {
	_, _, ok := t.find(fp)
	return ok
}

func (t *table) get(fp uint64) (standing, bool) {
	sh, i, ok := t.find(fp)
	if !ok {
		return 0, false
	}
	return sh.at(i), true
}

// at is the standing in a slot.
func (s *shard) at(i int) standing {
	if s.standing == nil {
		return 0
	}
	return s.standing[i]
}

// all gives every fingerprint with its standing, in no order.
func (t *table) all() iter.Seq2[uint64, standing] {
	return func(yield func(uint64, standing) bool) {
		for k := range t.shards {
			sh := &t.shards[k]
			for i, fp := range sh.slots {
				if fp != 0 && !yield(fp, sh.at(i)) {
					return
				}
			}
		}
	}
}

// put reports whether the fingerprint was new.
func (t *table) put(fp uint64, st standing) bool {
	fp = nonZero(fp)
	sh := &t.shards[fp>>56]
	if sh.n >= len(sh.slots)*4/5 {
		sh.resize(max(smallest+int(fp>>56)%(smallest/4), len(sh.slots)+len(sh.slots)/4))
	}
	i := sh.slot(fp)
	if st != 0 && sh.standing == nil {
		sh.standing = make([]standing, len(sh.slots))
	}
	if sh.standing != nil {
		sh.standing[i] = st
	}
	if sh.slots[i] == fp {
		return false
	}
	sh.slots[i] = fp
	sh.n++
	t.n++
	return true
}

func (t *table) clone() table {
	c := *t
	for i := range c.shards {
		sh := &c.shards[i]
		sh.slots, sh.standing = slices.Clone(sh.slots), slices.Clone(sh.standing)
	}
	return c
}

// remove takes the fingerprint out. Those that stand behind it because its
// place was taken move up.
func (t *table) remove(fp uint64) {
	sh, free, ok := t.find(fp)
	if !ok {
		return
	}
	size := len(sh.slots)
	for i := (free + 1) % size; sh.slots[i] != 0; i = (i + 1) % size {
		// It may move when its home is not between the free slot and its own.
		if (i-sh.home(sh.slots[i])+size)%size < (i-free+size)%size {
			continue
		}
		sh.slots[free] = sh.slots[i]
		if sh.standing != nil {
			sh.standing[free] = sh.standing[i]
		}
		free = i
	}
	sh.slots[free] = 0
	sh.n--
	t.n--
}

// smallest is how many slots a shard begins with at the least.
const smallest = 32

// reserve makes room for n fingerprints in an empty table.
func (t *table) reserve(n int) {
	for i := range t.shards {
		// As full as they are on average, each differently.
		size := n / shards * 5 / 4
		size += size * (i % (shards / 4)) / shards
		t.shards[i].resize(max(size+size/50, smallest))
	}
}

func (s *shard) resize(size int) {
	old := *s
	s.slots = make([]uint64, size)
	if old.standing != nil {
		s.standing = make([]standing, size)
	}
	for i, fp := range old.slots {
		if fp != 0 {
			j := s.slot(fp)
			s.slots[j] = fp
			if s.standing != nil {
				s.standing[j] = old.standing[i]
			}
		}
	}
}

func nonZero(fp uint64) uint64 {
	if fp == 0 {
		return 1
	}
	return fp
}
