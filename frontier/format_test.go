package frontier

import (
	"bytes"
	"encoding/hex"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pawl/storage"
)

// The pieces of checkpoints that docs/format.md shows are what the code writes
// and reads.
func TestPiecesAreAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]byte{}
	for _, m := range regexp.MustCompile("(?s)```hex-piece ([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		var digits strings.Builder
		for line := range strings.Lines(m[2]) {
			line, _, _ = strings.Cut(line, ";")
			digits.WriteString(strings.Join(strings.Fields(line), ""))
		}
		if blocks[m[1]], err = hex.DecodeString(digits.String()); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
	}

	var s set
	j := journal{on: true}
	for fp, st := range map[uint64]standing{0x102e4ba15cb0d476: admitted, 0xf1c0779de211530a: refusedAt(3, false)} {
		s.put(fp, st)
		j.sawAddress(fp)
	}
	if got := s.piece(j.sortedSeen()); !bytes.Equal(got, blocks["seen"]) {
		t.Errorf("seen: documented as\n%x, written as\n%x", blocks["seen"], got)
	}
	var again set
	p, err := openSeenPiece(blocks["seen"])
	if again.putPieces([]seenPiece{p}); err != nil || !maps.Equal(standingsOf(&again), standingsOf(&s)) {
		t.Errorf("%v, %v", standingsOf(&again), err)
	}

	j.contents = []content{{0xfcb0d476, 48001}, {0xe211530a, 48000}}
	var table contents
	if err := table.putPieces([][]byte{blocks["contents"]}, 48001); err != nil {
		t.Error(err)
	}
	for _, c := range j.contents {
		if got := table.find(nil, c.key); !slices.Equal(got, []uint64{c.seq}) {
			t.Errorf("content %x is in the events %v, want %d", c.key, got, c.seq)
		}
	}
	if got := contentBlock(j.sortedContents()); !bytes.Equal(got, blocks["contents"]) {
		t.Errorf("contents: documented as\n%x, written as\n%x", blocks["contents"], got)
	}

	pushes := []push{
		{host: 7, place: place{seq: 48000, https: true}, count: 8},
		{host: 12, place: place{seq: 48000, index: 8}, count: 1},
		{host: 7, lane: storage.LaneHigh, place: place{seq: 48001, https: true}, count: 5},
	}
	for _, p := range pushes {
		j.pushed(p)
	}
	if !bytes.Equal(j.queue[0], blocks["queue"]) {
		t.Errorf("queue: documented as\n%x, written as\n%x", blocks["queue"], j.queue[0])
	}
	i := 0
	err = readGroups(blocks["queue"], func(groups []push) error {
		for _, p := range groups {
			if p != pushes[i] {
				t.Errorf("group %d: %+v, want %+v", i, p, pushes[i])
			}
			i++
		}
		return nil
	})
	if err != nil || i != len(pushes) {
		t.Errorf("%d groups, %v", i, err)
	}
}
