package disktrace

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// recorded is a record as Run would make it: file 0 is the folder, file 1 a file f
// with two sectors of dots.
func recorded(ops ...Op) *Recording {
	return &Recording{
		Before:  map[string][]byte{".": nil, "f": sectors("..")},
		numbers: map[string]int{".": 0, "f": 1},
		Ops:     ops,
	}
}

// sectors gives a sector for each letter.
func sectors(letters string) []byte {
	var b []byte
	for _, letter := range []byte(letters) {
		b = append(b, bytes.Repeat([]byte{letter}, SectorSize)...)
	}
	return b
}

// brief tells the sectors of a file by a letter each: 0 zeros, ? all others.
func brief(b []byte) string {
	var s strings.Builder
	for sector := range slices.Chunk(b, SectorSize) {
		letter := sector[0]
		for _, c := range sector {
			if c != letter {
				letter = '?'
			}
		}
		switch {
		case letter == 0:
			letter = '0'
		case letter != '.' && (letter < 'a' || letter > 'z'):
			letter = '?'
		}
		s.WriteByte(letter)
	}
	return s.String()
}

// states gives all states of the last cut.
func states(r *Recording, o CutOptions) []string {
	all := map[string]bool{}
	for cut := range r.Cuts(o) {
		if cut.At < len(r.Ops) {
			continue
		}
		var files []string
		for _, name := range slices.Sorted(maps.Keys(cut.Files)) {
			if name != "." {
				files = append(files, name+"="+brief(cut.Files[name]))
			}
		}
		all[strings.Join(files, " ")] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func write(at int64, letters string) Op {
	return Op{Kind: Write, Path: "f", File: 1, Offset: at * SectorSize, Data: sectors(letters)}
}

func synced(path string, file, began int) Op {
	return Op{Kind: Sync, Path: path, File: file, Began: began}
}

func TestCutsKeepWhatWasSynced(t *testing.T) {
	create := Op{Kind: Create, Path: "n", File: 2}
	rename := Op{Kind: Rename, Path: "n", To: "f", File: 2}
	write2 := Op{Kind: Write, Path: "n", File: 2, Data: sectors("n")}
	for _, test := range []struct {
		name string
		ops  []Op
		want string
	}{
		{"nothing", nil, "f=.."},
		{"a synced write", []Op{write(0, "ab"), synced("f", 1, 1)}, "f=ab"},
		{"a write", []Op{write(0, "ab")}, "f=.., f=.b, f=a., f=ab"},
		{"a write while a sync ran", []Op{write(0, "a"), write(1, "b"), synced("f", 1, 1)}, "f=a., f=ab"},
		{"a write over a write", []Op{write(0, "a"), write(0, "b")}, "f=.., f=a., f=b."},
		{"a sync that failed", []Op{write(0, "a"), {Kind: Sync, Path: "f", File: 1, Began: 1, Err: 5}}, "f=.., f=a."},
		{"a write behind the end", []Op{write(2, "a")}, "f=.., f=..0, f=..?, f=..a"},
		{"a file made shorter", []Op{{Kind: Truncate, Path: "f", File: 1, Length: SectorSize}}, "f=., f=.., f=.0"},
		{"a new file", []Op{create}, "f=.., f=.. n="},
		{"a new file that is synced alone", []Op{create, write2, synced("n", 2, 2)}, "f=.., f=.. n=n"},
		{"a new file in a synced folder", []Op{create, synced(".", 0, 1)}, "f=.. n="},
		{"a file replaced in order", []Op{create, write2, synced("n", 2, 2), rename, synced(".", 0, 4)}, "f=n"},
		{"a file replaced, but the folder not synced", []Op{create, write2, synced("n", 2, 2), rename}, "f=.., f=.. n=n, f=n"},
		{"a file replaced that is not synced", []Op{create, write2, rename, synced(".", 0, 3)}, "f=, f=0, f=?, f=n"},
		{"a removed file", []Op{{Kind: Unlink, Path: "f", File: 1}}, ", f=.."},
		{"a removed file, for good", []Op{{Kind: Unlink, Path: "f", File: 1}, synced(".", 0, 1)}, ""},
	} {
		got := strings.Join(states(recorded(test.ops...), CutOptions{Seed: 1, Random: 200}), ", ")
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestCutsAreTheSameEachTime(t *testing.T) {
	r := recorded(write(0, "abcdefgh"), Op{Kind: Create, Path: "n", File: 2}, write(3, "stuv"), Op{Kind: Write, Path: "n", File: 2, Data: sectors("xyz")})
	list := func(seed uint64) (all []string) {
		for cut := range r.Cuts(CutOptions{Seed: seed, Random: 20}) {
			all = append(all, fmt.Sprint(cut, " ", brief(cut.Files["f"]), " ", brief(cut.Files["n"])))
		}
		return all
	}
	if a, b := list(7), list(7); !slices.Equal(a, b) {
		t.Error("the same seed gives others")
	}
	if slices.Equal(list(7), list(8)) {
		t.Error("another seed gives the same")
	}
}

func TestLiesLoseWhatWasSynced(t *testing.T) {
	r := recorded(write(0, "ab"), synced("f", 1, 1))
	if got := states(r, CutOptions{Random: 50, Lies: func(*Op) bool { return true }}); len(got) != 4 {
		t.Error(got)
	}
}

func TestSettledAndSaid(t *testing.T) {
	r := recorded(write(0, "a"), synced("f", 1, 1), Op{Kind: Stdout, Data: []byte("done\n")}, write(1, "b"))
	for cut := range r.Cuts(CutOptions{}) {
		if want := cut.At != 1 && cut.At != 4; cut.Settled("f") != want {
			t.Errorf("%v: settled is %v", cut, !want)
		}
		if want := cut.At >= 3; (len(cut.Stdout) > 0) != want {
			t.Errorf("%v: said %q", cut, cut.Stdout)
		}
	}
}
