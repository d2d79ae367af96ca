package frontier

import (
	"hash/maphash"
	"iter"
	"strings"
)

// hosts are all hosts that are known, by number in the order in which the log
// names them, and by name. There may be very many: they stand in slabs, their
// names in a few big strings, and the index by name holds numbers only. A
// pointer to a host stays valid. The zero value is empty.
type hosts struct {
	slabs []*[slabHosts]host
	n     int
	// Open addressing, linear probing: the number plus one, 0 is free. A tag is
	// a part of the name's hash that spares most looks at other names.
	slots []uint32
	tags  []uint8
	seed  maphash.Seed    // of this table: no site can craft collisions
	text  strings.Builder // of names; its text never moves
}

const (
	slabHosts = 1024 // a power of two, which divides into whole pages of memory
	textBytes = 32 << 10
)

// at gives a host by its number, which must be less than n.
func (t *hosts) at(id uint32) *host { return &t.slabs[id/slabHosts][id%slabHosts] }

// all visits every host by ascending number.
func (t *hosts) all() iter.Seq[*host] {
	return func(yield func(*host) bool) {
		for id := range uint32(t.n) {
			if !yield(t.at(id)) {
				return
			}
		}
	}
}

// find gives a host by its name, nil when it is not known.
func (t *hosts) find(name string) *host {
	if t.n == 0 {
		return nil
	}
	i, _ := t.slot(name)
	if t.slots[i] == 0 {
		return nil
	}
	return t.at(t.slots[i] - 1)
}

// intern gives a host by its name, making it known.
func (t *hosts) intern(name string) *host {
	if h := t.find(name); h != nil {
		return h
	}
	if t.n >= len(t.slots)*3/4 {
		t.grow()
	}
	if t.n%slabHosts == 0 {
		t.slabs = append(t.slabs, new([slabHosts]host))
	}
	id := uint32(t.n)
	t.n++
	h := t.at(id)
	h.id, h.name, h.heap = id, t.keep(name), -1
	t.put(h)
	return h
}

// slot finds where the name stands or belongs.
func (t *hosts) slot(name string) (i int, tag uint8) {
	hash := maphash.String(t.seed, name)
	tag = uint8(hash >> 56)
	i = int(uint64(uint32(hash)) * uint64(len(t.slots)) >> 32)
	for t.slots[i] != 0 && (t.tags[i] != tag || t.at(t.slots[i]-1).name != name) {
		i++
		if i == len(t.slots) {
			i = 0
		}
	}
	return i, tag
}

func (t *hosts) put(h *host) {
	i, tag := t.slot(h.name)
	t.slots[i], t.tags[i] = h.id+1, tag
}

// reserve makes room in the index for so many hosts.
func (t *hosts) reserve(n int) {
	if size := n + n/2; size > len(t.slots) {
		t.resize(size)
	}
}

func (t *hosts) grow() { t.resize(max(64, len(t.slots)+len(t.slots)/2)) }

func (t *hosts) resize(size int) {
	t.slots, t.tags, t.seed = make([]uint32, size), make([]uint8, size), maphash.MakeSeed()
	for h := range t.all() {
		t.put(h)
	}
}

// keep copies a name into the text.
func (t *hosts) keep(name string) string {
	if t.text.Cap()-t.text.Len() < len(name) {
		t.text = strings.Builder{}
		t.text.Grow(max(textBytes, len(name)))
	}
	start := t.text.Len()
	t.text.WriteString(name)
	return t.text.String()[start:]
}
