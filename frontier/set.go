package frontier

// set holds what is known of every address that was ever met: a 64-bit
// fingerprint and a standing of one byte. It is exact up to 64 bits: among ten
// million addresses a pair that shares a fingerprint is expected once in some
// 370,000 crawls. The zero value is an empty set.
//
// It is split in shards that grow one at a time and by a quarter, so that
// growing neither stalls the crawl nor doubles its memory.
type set struct {
	shards [256]shard
	n      int
}

type shard struct {
	slots    []uint64 // open addressing, linear probing; 0 is free
	standing []standing
	n        int
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
)

func refusedAt(depth uint32, noFollow bool) standing {
	st := standing(1 + min(depth, maxStandingDepth))
	if noFollow {
		st += byNoFollow
	}
	return st
}

// slot finds where the fingerprint stands or belongs.
func (s *shard) slot(fp uint64) int {
	// The low half picks the slot; the top byte picked the shard.
	i := int(uint64(uint32(fp)) * uint64(len(s.slots)) >> 32)
	for s.slots[i] != 0 && s.slots[i] != fp {
		i++
		if i == len(s.slots) {
			i = 0
		}
	}
	return i
}

// get gives the standing of a fingerprint, and whether it is known at all.
func (s *set) get(fp uint64) (standing, bool) {
	fp = nonZero(fp)
	sh := &s.shards[fp>>56]
	if sh.n == 0 {
		return 0, false
	}
	i := sh.slot(fp)
	return sh.standing[i], sh.slots[i] == fp
}

// put gives the fingerprint a standing and reports whether it was new.
func (s *set) put(fp uint64, st standing) bool {
	fp = nonZero(fp)
	sh := &s.shards[fp>>56]
	if sh.n >= len(sh.slots)*4/5 {
		sh.grow()
	}
	i := sh.slot(fp)
	sh.standing[i] = st
	if sh.slots[i] == fp {
		return false
	}
	sh.slots[i] = fp
	sh.n++
	s.n++
	return true
}

func (s *shard) grow() {
	old := *s
	size := max(16, len(old.slots)+len(old.slots)/4)
	s.slots = make([]uint64, size)
	s.standing = make([]standing, size)
	for i, fp := range old.slots {
		if fp != 0 {
			j := s.slot(fp)
			s.slots[j], s.standing[j] = fp, old.standing[i]
		}
	}
}

func nonZero(fp uint64) uint64 {
	if fp == 0 {
		return 1
	}
	return fp
}
