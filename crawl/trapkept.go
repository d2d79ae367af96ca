package crawl

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"pawl/storage"
)

// What is counted of traps follows from no event: it is a help for decisions,
// which are events themselves. It is kept so that a crawl of many short runs
// finds traps too; what is lost, or cannot be read, only makes that take longer.
//
// A host is kept as: version; forms, each a string, uints found, bred, fetched,
// fresh, a byte of flags, with several parameters the bits of their values, and
// twice (worth, content) the bits and the place; places, each a string and 0 when
// there are too many words, else their number and 1, and their hashes (8 bytes,
// little-endian); then the chunks (words, rest, loose) and images, each the room for them,
// a number and the hashes (4 bytes, little-endian), the newest last.
const (
	trapsVersion = 1
	// maxTrapsKept bounds what is written at a time, in bytes: first of the hosts
	// that were used last.
	maxTrapsKept = 8 << 20
	maxHostKept  = 4 << 20
)

const (
	formValues byte = 1 << iota
	formParked
)

// changed appends what has changed since it was last called.
func (t *traps) changed(dst []storage.SideValue) []storage.SideValue {
	for _, host := range t.gone {
		if t.hosts[host] == nil {
			dst = append(dst, storage.SideValue{Side: storage.SideTraps, Key: host})
		}
	}
	t.gone = nil
	names := slices.SortedFunc(maps.Keys(t.hosts), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.hosts[b].used, t.hosts[a].used), cmp.Compare(a, b))
	})
	size := 0
	for _, host := range names {
		w := t.hosts[host]
		if w.used <= t.keptAt || size > maxTrapsKept {
			break
		}
		value := w.encode()
		if len(value) > maxHostKept {
			continue
		}
		size += len(value)
		dst = append(dst, storage.SideValue{Side: storage.SideTraps, Key: host, Value: value})
	}
	t.keptAt = t.turn
	return dst
}

// restore takes over what the file keeps. What cannot be read is left.
func (t *traps) restore(file *storage.File) error {
	return file.View(func(r *storage.Reader) error {
		return r.EachSide(storage.SideTraps, func(host string, value []byte) error {
			if len(t.hosts) < maxWatched {
				if w, err := decodeWatched(value); err == nil {
					t.hosts[host] = w
					t.room(w)
				}
			}
			return nil
		})
	})
}

func (w *watched) encode() []byte {
	b := []byte{trapsVersion}
	uint := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	text := func(s string) { uint(len(s)); b = append(b, s...) }
	uint(len(w.forms))
	for _, pattern := range slices.Sorted(maps.Keys(w.forms)) {
		f := w.forms[pattern]
		text(pattern)
		for _, n := range []int{f.found, f.bred, f.fetched, f.fresh} {
			uint(n)
		}
		var flags byte
		if f.values != nil {
			flags |= formValues
		}
		if f.parked {
			flags |= formParked
		}
		b = append(b, flags)
		if f.values != nil {
			for i := range f.values {
				for _, word := range f.values[i] {
					b = binary.LittleEndian.AppendUint64(b, word)
				}
			}
		}
		for _, l := range []*lately{&f.worth, &f.content} {
			for _, word := range l.bits {
				b = binary.LittleEndian.AppendUint64(b, word)
			}
			uint(l.next)
		}
	}
	uint(len(w.places))
	for _, path := range slices.Sorted(maps.Keys(w.places)) {
		met := w.places[path]
		text(path)
		if met == nil {
			uint(0)
			continue
		}
		uint(len(met) + 1)
		for _, word := range slices.Sorted(maps.Keys(met)) {
			b = binary.LittleEndian.AppendUint64(b, word)
		}
	}
	for i := range w.said {
		r := &w.said[i]
		uint(len(r.slots))
		uint(r.n)
		for _, h := range slices.Backward(r.slots) {
			if h != 0 {
				b = binary.LittleEndian.AppendUint32(b, h)
			}
		}
	}
	return b
}

var errTrapsKept = errors.New("what is kept of traps makes no sense")

func decodeWatched(b []byte) (*watched, error) {
	failed := len(b) == 0 || b[0] != trapsVersion
	take := func(n int) []byte {
		if failed || n < 0 || n > len(b) {
			failed = true
			return make([]byte, window/8)
		}
		part := b[:n:n]
		b = b[n:]
		return part
	}
	uint := func(most int) int {
		n, size := binary.Uvarint(b)
		if failed || size <= 0 || n > uint64(most) {
			failed = true
			return 0
		}
		b = b[size:]
		return int(n)
	}
	text := func() string { return string(take(uint(len(b)))) }
	take(1)
	w := &watched{forms: map[string]*form{}, places: map[string]map[uint64]struct{}{}}
	for range uint(maxForms) {
		f := &form{pattern: text()}
		for _, n := range []*int{&f.found, &f.bred, &f.fetched, &f.fresh} {
			*n = uint(1 << 40)
		}
		flags := take(1)[0]
		f.parked = flags&formParked != 0
		if flags&formValues != 0 {
			f.values = new(variety)
			for i := range f.values {
				for k := range f.values[i] {
					f.values[i][k] = binary.LittleEndian.Uint64(take(8))
				}
			}
		}
		for _, l := range []*lately{&f.worth, &f.content} {
			l.read(take(window / 8))
			l.next = uint(window - 1)
		}
		if failed {
			return nil, errTrapsKept
		}
		w.forms[f.pattern] = f
	}
	for range uint(maxPlaces) {
		path := text()
		n := uint(manyWords + 1)
		var met map[uint64]struct{}
		for i := range n {
			if i == 0 {
				met = map[uint64]struct{}{}
				continue
			}
			met[binary.LittleEndian.Uint64(take(8))] = struct{}{}
		}
		w.places[path] = met
	}
	for i := range w.said {
		r := &w.said[i]
		r.slots = make([]uint32, uint(maxChunks))
		if n := len(r.slots); n%minChunks != 0 {
			return nil, errTrapsKept
		}
		for range uint(len(r.slots)) {
			if h := binary.LittleEndian.Uint32(take(4)); h != 0 {
				r.meet(h, 0)
			}
		}
	}
	if failed || len(b) > 0 {
		return nil, errTrapsKept
	}
	w.count()
	return w, nil
}
