package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"pawl/crawl"
	"pawl/storage"
)

func queueCommand() *command {
	return &command{
		name: "queue", args: "restore", summary: "take addresses back into the queue that were parked",
		text: "Addresses of a pattern that brings thousands of pages and nothing new are\n" +
			"parked: pawl status names the patterns, pawl export skipped the addresses.\n" +
			"restore brings them back with the next run, and they are not parked again.",
		options: []option{
			{name: "host", arg: "HOST", group: groupQueue, usage: "only those of a host"},
			{name: "match", arg: "RE", group: groupQueue, usage: "only addresses that match"},
			{name: "dry-run", group: groupQueue, usage: "only tell what that would be"},
			fileOption(),
		},
		run: runQueue,
	}
}

func runQueue(_ context.Context, c *call) error {
	switch {
	case len(c.args) == 0:
		return usageError{error: errors.New("name what to do with the queue: restore"), command: "queue"}
	case c.args[0] != "restore" || len(c.args) > 1:
		return usageError{error: fmt.Errorf("the queue cannot be told to %q, but restore", strings.Join(c.args, " ")), command: "queue"}
	}
	wish := storage.Restore{Host: c.given.text("host", ""), Match: c.given.text("match", "")}
	if _, err := regexp.Compile(wish.Match); err != nil {
		return c.given["match"].wrong(fmt.Errorf("%q is not a regular expression: %s", wish.Match, strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
	}
	dry, err := c.given.isOn("dry-run")
	if err != nil {
		return err
	}
	path, again := c.file()
	file, err := storage.Open(path, dry)
	if err != nil {
		return err
	}
	defer file.Close()
	u, err := crawl.Unpark(file, wish, dry)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = io.WriteString(c.Stdout, unparked(&u, dry, again))
	return quiet(err)
}

// unparked tells what comes back.
func unparked(u *crawl.Unparked, dry bool, again string) string {
	if u.Patterns == 0 {
		return "nothing is parked\n"
	}
	var b strings.Builder
	would := ""
	if dry {
		would = "would be "
	}
	fmt.Fprintf(&b, "%s %srestored, of %s; what matches and is still in the queue stays there\n",
		counted(uint64(u.Addresses), "parked address", "parked addresses"), would, counted(uint64(u.Patterns), "pattern", "patterns"))
	for _, url := range u.Examples {
		fmt.Fprintf(&b, "  %s\n", clean(url))
	}
	if more := u.Addresses - len(u.Examples); more > 0 {
		fmt.Fprintf(&b, "  and %s\n", counted(uint64(more), "other", "others"))
	}
	if !dry {
		fmt.Fprintf(&b, "go on with: pawl resume%s\n", again)
	}
	return b.String()
}
