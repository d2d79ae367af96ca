package disktrace

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// SectorSize is how many bytes a disk writes at once; of these it writes all or
// none.
const SectorSize = 512

// CutOptions say which power cuts are played. The zero value plays each cut with
// its systematic variants alone.
type CutOptions struct {
	// Seed is of all that is left to chance.
	Seed uint64
	// Random is how many variants of each cut are made by chance.
	Random int
	// Most is how many cut points there are at most, some in a row at places drawn by
	// chance, with the first and the last ones; 0: all.
	Most int
	// Lies tells which syncs the disk only pretends to do; nil: none.
	Lies func(*Op) bool
	// Garbage tells whether a file that has been given its new size may hold, where
	// nothing was written yet, what was on the disk before; nil: every file may. Most
	// file systems see to it that there are zeros.
	Garbage func(path string) bool
}

// Cut is a state in which a power cut may leave the folder. It is valid until the
// next one is asked for.
type Cut struct {
	// At is how many operations were over when the power went.
	At int
	// Variant says what of the rest had reached the disk.
	Variant string
	// Files is what is there: content by path, nil for folders.
	Files map[string][]byte
	// Stdout is what the command had said.
	Stdout []byte
	// Sum is a checksum of Files, by which states of one call of Cuts are known
	// again.
	Sum uint64

	disk *disk
}

func (c *Cut) String() string { return fmt.Sprintf("cut after %d operations, %s", c.At, c.Variant) }

// Settled tells whether the file had a durable name and nothing was left to be
// written to it, so that every variant of the cut has it just so.
func (c *Cut) Settled(name string) bool {
	at, ok := c.disk.find(c.disk.names, name)
	if !ok || len(c.disk.files[at].pending) > 0 {
		return false
	}
	is, ok := c.disk.find(c.disk.durable, name)
	return ok && is == at
}

// Write puts the state into a folder, which is made anew.
func (c *Cut) Write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) { // folders before what is in them
		to := filepath.Join(dir, filepath.FromSlash(name))
		var err error
		if c.Files[name] == nil {
			err = os.MkdirAll(to, 0o755)
		} else {
			err = os.WriteFile(to, c.Files[name], 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Cuts plays a disk that loses its power after each operation of the record (or
// after some of them), and gives the states that it may be in then, each once in a
// row of equal ones. The command must not have been run WithoutData.
//
// What the disk may do:
//
//   - A file holds for certain what was written to it before the last sync that
//     has ended began. Of the rest, each sector of 512 bytes is there in any of the
//     states that it had since, independently of all others and of the order of the
//     writes; a write may be torn between any two sectors.
//   - A size that was changed since is there or not, whatever became of the data.
//     Data beyond the size is lost, and where the size is there and the data is
//     not, are zeros, or what was on the disk before.
//   - Names that were given, changed or taken away since the last sync of their
//     folder are there or not, each by itself; but a rename is there as a whole or
//     not at all. That a file was synced says nothing of its name.
//
// The variants of a cut: nothing of the rest is there; all of it; names alone; data
// alone; sizes without data; only one write; all but one; all but one sector of the
// last write and that alone; the first so many names; and some by chance.
func (r *Recording) Cuts(o CutOptions) iter.Seq[*Cut] {
	if r.withoutData {
		panic("disktrace: Cuts of a record without data")
	}
	return func(yield func(*Cut) bool) {
		p := &player{
			disk: newDisk(r), options: o, chance: rand.New(rand.NewPCG(o.Seed, 1)),
			seed: maphash.MakeSeed(), yield: yield,
		}
		picked := p.pick(len(r.Ops) + 1)
		var said []byte
		for i := 0; ; i++ {
			if picked == nil || picked[i] {
				if !p.at(i, r.Ops[:i], said) {
					return
				}
			}
			if i == len(r.Ops) {
				return
			}
			op := &r.Ops[i]
			if op.Kind == Stdout && op.Err == 0 {
				said = append(said, op.Data...)
			}
			if op.Kind == Sync && o.Lies != nil && o.Lies(op) {
				continue
			}
			p.disk.do(i, op)
		}
	}
}

// Play gives the folder as it is when all operations are over.
func (r *Recording) Play() map[string][]byte {
	d := newDisk(r)
	for i := range r.Ops {
		d.do(i, &r.Ops[i])
	}
	return d.image(choice{names: allNames, data: func(string, *content) *reached { return nil }})
}

type entry struct {
	dir  int // file
	name string
}

// content is a file: what is durable of it, and what came since.
type content struct {
	isDir   bool
	bytes   []byte
	pending []change
	hash    uint64 // of bytes
	hashed  bool
}

// change is a write, or with nil data a new size.
type change struct {
	at   int // operation
	from int64
	data []byte
}

func (c *change) end() int64 { return c.from + int64(len(c.data)) }

// naming is an operation on names: each entry is given a file, or -1.
type naming struct {
	at  int
	set []entry
	to  []int
	// unsynced are the folders whose sync it waits for.
	unsynced []int
}

type disk struct {
	root    int
	files   map[int]*content
	names   map[entry]int // as the process sees them
	durable map[entry]int
	pending []naming
}

func newDisk(r *Recording) *disk {
	d := &disk{root: r.numbers["."], files: map[int]*content{}, names: map[entry]int{}}
	for name, file := range r.numbers {
		b := r.Before[name]
		d.files[file] = &content{isDir: b == nil, bytes: slices.Clone(b)}
	}
	for name, file := range r.numbers {
		if name != "." {
			d.names[entry{r.numbers[path.Dir(name)], path.Base(name)}] = file
		}
	}
	d.durable = maps.Clone(d.names)
	return d
}

// find gives the file of a path.
func (d *disk) find(names map[entry]int, name string) (file int, ok bool) {
	file, ok = d.root, true
	if name == "." {
		return file, ok
	}
	for part := range strings.SplitSeq(name, "/") {
		if file, ok = names[entry{file, part}]; !ok {
			return 0, false
		}
	}
	return file, ok
}

func (d *disk) entry(name string) entry {
	dir, ok := d.find(d.names, path.Dir(name))
	if !ok {
		panic("disktrace: " + name + " is in no folder")
	}
	return entry{dir, path.Base(name)}
}

// do has an operation be done.
func (d *disk) do(at int, op *Op) {
	if op.Err != 0 {
		return
	}
	const none = -1
	switch op.Kind {
	case Create, Mkdir:
		d.files[op.File] = &content{isDir: op.Kind == Mkdir}
		d.name(at, []entry{d.entry(op.Path)}, []int{op.File})
	case Link:
		d.name(at, []entry{d.entry(op.To)}, []int{op.File})
	case Rename:
		d.name(at, []entry{d.entry(op.Path), d.entry(op.To)}, []int{none, op.File})
	case Unlink, Rmdir:
		d.name(at, []entry{d.entry(op.Path)}, []int{none})
	case Write:
		f := d.files[op.File]
		f.pending = append(f.pending, change{at, op.Offset, op.Data})
	case Truncate:
		f := d.files[op.File]
		f.pending = append(f.pending, change{at, op.Length, nil})
	case Sync:
		d.sync(op)
	}
}

func (d *disk) name(at int, set []entry, to []int) {
	n := naming{at: at, set: set, to: to}
	for _, e := range set {
		if !slices.Contains(n.unsynced, e.dir) {
			n.unsynced = append(n.unsynced, e.dir)
		}
	}
	n.apply(d.names)
	d.pending = append(d.pending, n)
}

func (n *naming) apply(names map[entry]int) {
	for i, e := range n.set {
		if n.to[i] < 0 {
			delete(names, e)
		} else {
			names[e] = n.to[i]
		}
	}
}

func (d *disk) sync(op *Op) {
	f := d.files[op.File]
	if !f.isDir {
		n := 0
		for n < len(f.pending) && f.pending[n].at < op.Began {
			f.bytes = f.pending[n].apply(f.bytes)
			f.hashed = false
			n++
		}
		f.pending = f.pending[n:]
		return
	}
	left := d.pending[:0]
	for _, n := range d.pending {
		if n.at < op.Began {
			n.unsynced = slices.DeleteFunc(n.unsynced, func(dir int) bool { return dir == op.File })
		}
		if len(n.unsynced) == 0 {
			n.apply(d.durable)
		} else {
			left = append(left, n)
		}
	}
	d.pending = left
}

// apply has a change take place in b.
func (c *change) apply(b []byte) []byte {
	if c.data == nil {
		return resize(b, c.from)
	}
	if c.end() > int64(len(b)) {
		b = resize(b, c.end())
	}
	copy(b[c.from:], c.data)
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	old := len(b)
	b = slices.Grow(b, int(size)-old)[:size]
	clear(b[old:])
	return b
}

// reached is what of the pending changes of a file reached the disk.
type reached struct {
	// changes is how many of the pending ones a sector has seen.
	changes func(sector int64) int
	// size is that after so many changes; -1: as much as is needed for the data.
	size int
	// garbage, unless nil, is what stands where nothing was written.
	garbage *rand.Rand
}

// choice is a variant.
type choice struct {
	names func(i, n int) bool // of n that are pending
	data  func(path string, f *content) *reached
}

func allNames(int, int) bool { return true }
func noNames(int, int) bool  { return false }

func everything(n int) *reached {
	return &reached{changes: func(int64) int { return n }, size: n}
}

func nothing() *reached { return &reached{changes: func(int64) int { return 0 }} }

// render gives the content of a file of which so much reached the disk.
func (f *content) render(r *reached) []byte {
	if len(f.pending) == 0 {
		return f.bytes
	}
	n := len(f.pending)
	if r == nil {
		r = everything(n)
	}
	old, size := int64(len(f.bytes)), int64(len(f.bytes))
	most := size
	sizes := make([]int64, 0, n+1)
	sizes = append(sizes, size)
	for i := range f.pending {
		c := &f.pending[i]
		switch {
		case c.data == nil:
			size = c.from
		case c.end() > size:
			size = c.end()
		}
		sizes = append(sizes, size)
		most = max(most, size)
	}
	b := make([]byte, most)
	copy(b, f.bytes)
	written := map[int64]bool{}
	needed := old
	for i := range f.pending {
		c := &f.pending[i]
		end := c.end()
		if c.data == nil {
			end = most
		}
		for from := c.from; from < end; {
			sector := from / SectorSize
			to := min(end, (sector+1)*SectorSize)
			if i < r.changes(sector) {
				if c.data == nil {
					clear(b[from:to])
				} else {
					copy(b[from:to], c.data[from-c.from:])
					written[sector] = true
					needed = max(needed, to)
				}
			}
			from = to
		}
	}
	if r.garbage != nil {
		for sector := (old + SectorSize - 1) / SectorSize; sector*SectorSize < most; sector++ {
			if !written[sector] {
				for i := sector * SectorSize; i < min(most, (sector+1)*SectorSize); i += 8 {
					var word [8]byte
					binary.LittleEndian.PutUint64(word[:], r.garbage.Uint64())
					copy(b[i:min(i+8, most)], word[:])
				}
			}
		}
	}
	if r.size < 0 {
		return b[:min(needed, most)]
	}
	return b[:sizes[r.size]]
}

// image gives what is there by a choice.
func (d *disk) image(c choice) map[string][]byte {
	names := d.durable
	if len(d.pending) > 0 {
		names = maps.Clone(names)
		for i := range d.pending {
			if c.names(i, len(d.pending)) {
				d.pending[i].apply(names)
			}
		}
	}
	below := map[int][]entry{}
	for e := range names {
		below[e.dir] = append(below[e.dir], e)
	}
	for _, entries := range below {
		// What is left to chance goes by this order.
		slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	}
	image := map[string][]byte{".": nil}
	rendered := map[int][]byte{}
	var walk func(dir int, at string, depth int)
	walk = func(dir int, at string, depth int) {
		for _, e := range below[dir] {
			file := names[e]
			f, name := d.files[file], path.Join(at, e.name)
			if f.isDir {
				image[name] = nil
				if depth < 64 {
					walk(file, name, depth+1)
				}
				continue
			}
			b, ok := rendered[file]
			if !ok {
				if b = f.render(c.data(name, f)); b == nil {
					b = []byte{}
				}
				rendered[file] = b
			}
			image[name] = b
		}
	}
	walk(d.root, "", 0)
	return image
}

// player makes the variants.
type player struct {
	disk    *disk
	options CutOptions
	chance  *rand.Rand
	seed    maphash.Seed
	yield   func(*Cut) bool
	given   map[uint64]bool // of this cut
	cut     Cut
	stop    bool
}

// pick draws the cut points; nil: all.
func (p *player) pick(n int) map[int]bool {
	if p.options.Most == 0 || n <= p.options.Most {
		return nil
	}
	const row = 4
	picked := map[int]bool{}
	take := func(first int) {
		for i := first; i < min(first+row, n) && len(picked) < p.options.Most; i++ {
			picked[i] = true
		}
	}
	take(n - row)
	take(0)
	for len(picked) < p.options.Most {
		take(p.chance.IntN(n))
	}
	return picked
}

// give gives a variant, unless it is like another one. False is that no more are
// wanted.
func (p *player) give(variant string, c choice) bool {
	if p.stop {
		return false
	}
	p.cut.Variant, p.cut.Files = variant, p.disk.image(c)
	p.cut.Sum = p.sum(p.cut.Files)
	if p.given[p.cut.Sum] {
		return true
	}
	p.given[p.cut.Sum] = true
	p.stop = !p.yield(&p.cut)
	return !p.stop
}

// sum is a checksum of an image.
func (p *player) sum(files map[string][]byte) uint64 {
	known := map[*byte]uint64{}
	for _, f := range p.disk.files {
		if len(f.pending) == 0 && len(f.bytes) > 0 {
			if !f.hashed {
				f.hash, f.hashed = maphash.Bytes(p.seed, f.bytes), true
			}
			known[&f.bytes[0]] = f.hash
		}
	}
	var total uint64
	for name, b := range files {
		var h uint64
		if len(b) > 0 {
			var ok bool
			if h, ok = known[&b[0]]; !ok {
				h = maphash.Bytes(p.seed, b)
			}
		}
		total += maphash.Comparable(p.seed, struct {
			name   string
			hash   uint64
			length int
			isDir  bool
		}{name, h, len(b), b == nil})
	}
	return total
}

// at gives all variants of a cut after the operations. False is that no more are
// wanted.
func (p *player) at(i int, done []Op, said []byte) bool {
	p.cut = Cut{At: i, Stdout: said, disk: p.disk}
	p.given = map[uint64]bool{}
	all := func(string, *content) *reached { return nil }
	none := func(string, *content) *reached { return nothing() }
	sizes := func(_ string, f *content) *reached {
		r := nothing()
		r.size = len(f.pending)
		return r
	}
	garbage := func(name string, f *content) *reached {
		r := sizes(name, f)
		r.garbage = p.garbage(name)
		return r
	}
	p.give("nothing unsynced", choice{noNames, none})
	p.give("everything", choice{allNames, all})
	p.give("names alone", choice{allNames, none})
	p.give("data alone", choice{noNames, all})
	p.give("names and sizes without data", choice{allNames, sizes})
	p.give("sizes without data", choice{noNames, sizes})
	p.give("sizes with garbage", choice{allNames, garbage})
	for k := range p.disk.pending {
		first := func(i, _ int) bool { return i <= k }
		p.give(fmt.Sprintf("the first %d names, no data", k+1), choice{first, none})
		p.give(fmt.Sprintf("the first %d names, all data", k+1), choice{first, all})
		p.give(fmt.Sprintf("name %d alone, no data", k+1), choice{func(i, _ int) bool { return i == k }, none})
	}
	if len(done) > 0 {
		p.lastFile(&done[len(done)-1])
	}
	for n := range p.options.Random {
		p.give(fmt.Sprintf("by chance, %d", n+1), p.random())
	}
	return !p.stop
}

// garbage is what stands in a file where nothing was written; nil: zeros.
func (p *player) garbage(name string) *rand.Rand {
	if p.options.Garbage != nil && !p.options.Garbage(name) {
		return nil
	}
	return p.chance
}

// mostSingle is how many single writes and sectors are tried one by one.
const mostSingle = 16

// lastFile tries what may have become of the file that was written last.
func (p *player) lastFile(op *Op) {
	if op.Kind != Write && op.Kind != Truncate || op.Err != 0 {
		return
	}
	f := p.disk.files[op.File]
	n := len(f.pending)
	if n == 0 {
		return
	}
	give := func(variant string, r *reached) {
		p.give(variant, choice{allNames, func(_ string, is *content) *reached {
			if is == f {
				return r
			}
			return nil
		}})
	}
	for k := max(0, n-mostSingle); k < n; k++ {
		c := &f.pending[k]
		end := max(c.end(), c.from+1)
		isIn := func(sector int64) bool { return sector >= c.from/SectorSize && sector <= (end-1)/SectorSize }
		give(fmt.Sprintf("only write %d of %d", k+1, n), &reached{size: -1, changes: func(sector int64) int {
			if isIn(sector) {
				return k + 1
			}
			return 0
		}})
		give(fmt.Sprintf("all but write %d of %d", k+1, n), &reached{size: n, changes: func(sector int64) int {
			if isIn(sector) {
				return k
			}
			return n
		}})
	}
	c := &f.pending[n-1]
	if len(c.data) == 0 {
		return
	}
	first, last := c.from/SectorSize, (c.end()-1)/SectorSize
	for sector := first; sector <= min(last, first+mostSingle); sector++ {
		torn := func(is, other, rest int) func(int64) int {
			return func(s int64) int {
				switch {
				case s == sector:
					return is
				case s >= first && s <= last:
					return other
				}
				return rest
			}
		}
		give(fmt.Sprintf("of the last write only sector %d", sector-first), &reached{size: -1, changes: torn(n, n-1, n-1)})
		give(fmt.Sprintf("only sector %d of the last write", sector-first), &reached{size: -1, changes: torn(n, 0, 0)})
		give(fmt.Sprintf("all but sector %d of the last write", sector-first), &reached{size: n, changes: torn(n-1, n, n)})
	}
}

// random makes a choice by chance.
func (p *player) random() choice {
	keep := [...]float64{0, 0.1, 0.5, 0.9, 1}
	names := keep[p.chance.IntN(len(keep))]
	kept := make([]bool, len(p.disk.pending))
	for i := range kept {
		kept[i] = p.chance.Float64() < names
	}
	return choice{
		names: func(i, _ int) bool { return kept[i] },
		data: func(name string, f *content) *reached {
			n := len(f.pending)
			some := keep[p.chance.IntN(len(keep))]
			// Sectors are often written some at a time.
			shift := p.chance.IntN(5)
			chosen := map[int64]int{}
			r := &reached{size: p.chance.IntN(n+2) - 1}
			if n > 0 && p.chance.IntN(3) > 0 {
				r.size = n
			}
			if p.chance.IntN(4) == 0 {
				r.garbage = p.garbage(name)
			}
			r.changes = func(sector int64) int {
				sector >>= shift
				k, ok := chosen[sector]
				if !ok {
					switch {
					case p.chance.Float64() >= some:
						k = 0
					case p.chance.IntN(4) == 0:
						k = p.chance.IntN(n + 1)
					default:
						k = n
					}
					chosen[sector] = k
				}
				return k
			}
			return r
		},
	}
}
