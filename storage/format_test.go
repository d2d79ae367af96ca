package storage

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

// formatExamples are the examples of docs/format.md by their name there.
var formatExamples = []struct {
	name  string
	bytes []byte
}{
	{"visit", (&Visit{
		Job: JobID{Host: 0, Ord: 5}, URL: "https://example.com/b", Attempt: 1,
		Origin:  Origin{Depth: 1},
		Ask:     Ask{Asked: true, Time: 1795000000000, Took: 120, Transferred: 5120},
		Outcome: Fetched, Status: 200,
		FoundOn: "https://example.com/", Canonical: "https://example.com/b",
		Record: Record{Kind: 4, Title: "B", Size: 9000},
		Links:  []Link{{URL: "https://example.com/c", Kind: 4, Anchor: "C"}, {URL: "https://example.org/", Kind: 4}},
	}).appendTo(nil)},
	{"links", (&Links{
		FoundOn: "https://example.com/b", Time: 1795000000120, Origin: Origin{Depth: 1},
		Links: []Link{{URL: "https://example.com/d", Kind: 4, Anchor: "D"}},
	}).appendTo(nil)},
	{"lane", (&Links{
		FoundOn: "https://example.com/b", Time: 1795000000120, Origin: Origin{Depth: 1},
		Links: []Link{{URL: "https://example.com/e", Kind: 4, Lane: LaneHigh}},
	}).appendTo(nil)},
	{"seeds", (&Seeds{
		Time:   1795000000000,
		Source: &Source{Path: "/s.txt", Size: 300, MTime: 1794990000000000000, Offset: 150},
		Links:  []Link{{URL: "https://example.com/", Kind: 1}},
		Known:  []Link{{URL: "https://example.com/b", Kind: 1}},
	}).appendTo(nil)},
	{"skip", (&Skip{
		FoundOn: "https://example.com/b", Time: 1795000000120, Origin: Origin{Depth: 1},
		Links: []SkipLink{{Link: Link{URL: "https://example.com/x", Kind: 4, NoFollow: true}, Reason: Excluded}},
	}).appendTo(nil)},
	{"drop", (&Skip{
		FoundOn: "https://example.com/b", Time: 1795000000120, Origin: Origin{Depth: 1}, Withdrawn: true, Dropped: true, Job: JobID{Host: 3},
		Links: []SkipLink{
			{Link: Link{URL: "https://example.com/x", Kind: 4}, Reason: Parked, Ord: 200},
			{Link: Link{URL: "https://example.com/y", Kind: 4}, Reason: Parked, Ord: 201},
		},
	}).appendTo(nil)},
	{"reopen", (&Reopen{
		Time: 1795000000120, Edit: 5000, Upto: 2100, Visits: []Reopened{
			{Seq: 2000, Host: 3, HTTPS: true, Depth: 2, Outcome: Failed, Class: Timeout},
			{Seq: 2001, Host: 0, HTTPS: true, Depth: 1, Outcome: Blocked, Lane: LaneHigh},
		},
	}).appendTo(nil)},
	{"reopened", reopenedValue(2, 5001, []uint64{8200, 8201, 12000})},
	{"retry", (&Retry{
		Job: JobID{Host: 0, Ord: 6}, Attempt: 1, Ask: Ask{Asked: true, Time: 1795000000000, Took: 30000},
		Class: Timeout, Due: 1795000034000, Error: "timeout",
	}).appendTo(nil)},
	{"host", (&Host{
		Origin: "https://example.com", Ask: Ask{Asked: true, Time: 1795000000000, Took: 50},
		State: RobotsRules, Status: 200, Attempt: 1, Expires: 1795086400050, Delay: 2000, Text: "User-agent: *\n",
	}).appendTo(nil)},
	{"edit", (&Edit{Edit: EditSettings, Time: 1795000000000, Settings: []byte(`{"max_depth":3}`)}).appendTo(nil)},
	{"pagelinks", appendPageLinks(nil, "https://example.com/b", []PageLink{
		{URL: "https://example.com/d", Kind: 4, NoFollow: true, Count: 2, Anchor: "D", Rel: "me"},
		{URL: "https://example.com/d", Kind: 16, Count: 1},
	})},
	{"out", encodeOut([]Mark{{Job: JobID{Host: 0, Ord: 7}, Running: true}, {Job: JobID{Host: 3, Ord: OrdRobotsHTTPS}, Marks: 2, Alone: 1}})},
}

// The examples of docs/format.md are what the code writes.
func TestFormatIsAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/format.md")
	must(t, err)
	blocks := map[string][]byte{}
	for _, m := range regexp.MustCompile("(?s)```hex ([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		var digits strings.Builder
		for line := range strings.Lines(m[2]) {
			line, _, _ = strings.Cut(line, ";")
			digits.WriteString(strings.Join(strings.Fields(line), ""))
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		blocks[m[1]] = b
	}
	for _, e := range formatExamples {
		if !bytes.Equal(blocks[e.name], e.bytes) {
			t.Errorf("%s is documented as\n%x\nand written as\n%x", e.name, blocks[e.name], e.bytes)
		}
		delete(blocks, e.name)
	}
	for name := range blocks {
		t.Errorf("%s is documented, but there is no such example", name)
	}
}
