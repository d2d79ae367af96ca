package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"pawl/storage"
)

func infoCommand() *command {
	return &command{
		name: "info", summary: "tell what the crawl file holds and what takes the space",
		text: "It reads the whole file, also while the crawl runs.",
		options: []option{
			fileOption(),
			{name: "json", group: groupFile, usage: "as JSON"},
		},
		run: runInfo,
	}
}

func runInfo(ctx context.Context, c *call) error {
	if err := c.noArgs("info"); err != nil {
		return err
	}
	asJSON, err := c.given.isOn("json")
	if err != nil {
		return err
	}
	path, again := c.file()
	s, err := c.dial(ctx, path)
	if err != nil {
		return err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return stoppedOr(ctx, c.outOfReach(err))
	}
	if asJSON {
		return c.writeJSON(info)
	}
	_, err = io.WriteString(c.Stdout, infoText(info, path, again))
	return quiet(err)
}

// bucketNames are what people are told of the buckets.
var bucketNames = map[string]string{
	"meta": "header", "state": "counts and jobs that are out",
	"seen": "checkpoint: known addresses", "queue": "checkpoint: places of jobs",
	"contents": "checkpoint: contents of pages", "heads": "checkpoint: hosts and the rest",
	"cookies": "cookies", "traps": "what is counted to find traps", "positions": "how far files are written",
	"links": "links of pages", "bodies": "bodies of pages", "reopened": "outcomes that were withdrawn",
}

// partName is what people are told of a part.
func partName(p *storage.InfoPart) string {
	if p.Kind != "" {
		return p.Bucket + ": " + p.Kind
	}
	if name, ok := bucketNames[p.Bucket]; ok {
		return name
	}
	return p.Bucket
}

// infoText tells to people what a file holds.
func infoText(i *storage.Info, path, again string) string {
	var b strings.Builder
	head := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	head("file", "%s, %s, format %d, pages of %s bytes", clean(path), roughSize(float64(i.Bytes)), i.Format, grouped(uint64(i.PageBytes)))
	head("crawl", "%s, created %s", i.ID, i.Created)
	head("events", "up to %s", grouped(i.Last))
	if i.Checkpoint > 0 {
		head("checkpoint", "of event %s", grouped(i.Checkpoint))
	} else {
		head("checkpoint", "none")
	}
	b.WriteByte('\n')
	row := func(name, count string, bytes int64) {
		share := ""
		if i.Bytes > 0 {
			share = strconv.FormatFloat(float64(bytes)/float64(i.Bytes)*100, 'f', 1, 64) + "%"
		}
		fmt.Fprintf(&b, "%-34s %13s %10s %6s\n", clean(name), count, roughSize(float64(bytes)), share)
	}
	for n := range i.Parts {
		p := &i.Parts[n]
		row(partName(p), grouped(p.Count), p.Bytes)
	}
	row("what holds them together", "", i.Tree)
	row("free pages", "", i.Free)
	row("not used yet", "", i.Reserved)
	row("all", "", i.Bytes)
	if gain := i.Gain(); float64(gain) >= worthwhile*float64(i.Bytes) {
		fmt.Fprintf(&b, "\npawl compact%s would give back about %s\n", again, roughSize(float64(gain)))
	}
	return b.String()
}
