package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"pawl/cli/control"
	"pawl/crawl"
)

func setCommand() *command {
	return &command{
		name: "set", args: "KEY=VALUE...", summary: "change settings of the crawl, while it runs or rests",
		text: "KEY is the name of a flag of pawl crawl: delay=2s workers=8 per-host=2\n" +
			"max-pages=5000 exclude='/tag/'. It takes effect at once and is remembered.\n" +
			"A list is replaced: say its key again for each value; exclude+=RE and\n" +
			"include+=RE add to it. KEY= takes a setting back to what is usual. Of a\n" +
			"running crawl log-level=debug|info|warn|error can be set as well, which is not\n" +
			"remembered; what only the start of a run can change is said.",
		options: []option{fileOption()},
		run:     runSet,
	}
}

func runSet(ctx context.Context, c *call) error {
	values, err := parsePairs(c.args)
	if err != nil {
		return err
	}
	path, _ := c.file()
	s, err := c.dial(ctx, path)
	if err != nil {
		return err
	}
	list, err := s.Set(ctx, values)
	if usage := (*control.UsageError)(nil); errors.As(err, &usage) {
		return usageError{error: err, command: "set"}
	}
	if err != nil {
		return c.outOfReach(err)
	}
	text := "nothing has changed\n"
	if len(list) > 0 {
		text = "settings changed: " + clean(strings.Join(list, ", ")) + "\n"
	}
	_, err = io.WriteString(c.Stdout, text)
	return quiet(err)
}

// parsePairs reads KEY=VALUE words.
func parsePairs(args []string) (map[string][]string, error) {
	if len(args) == 0 {
		return nil, usageError{error: errors.New("name what to set: KEY=VALUE"), command: "set"}
	}
	values := map[string][]string{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, usageError{error: fmt.Errorf("%q is not KEY=VALUE", arg), command: "set"}
		}
		key = strings.TrimPrefix(key, "--")
		switch {
		case value != "" || values[key] != nil:
			values[key] = append(values[key], value)
		default:
			values[key] = []string{}
		}
	}
	return values, nil
}

func pauseCommand() *command {
	return &command{
		name: "pause", summary: "have the running crawl ask for nothing more, until pawl resume",
		text:    "What is in flight is let finish. A pause ends with the run: it is not\nremembered.",
		options: []option{fileOption()},
		run: func(ctx context.Context, c *call) error {
			return c.tellRunning(ctx, "pause", "paused; go on with: pawl resume", (*session).pause)
		},
	}
}

func stopCommand() *command {
	return &command{
		name: "stop", summary: "stop the running crawl, as Ctrl-C does",
		text:    "It lets what is in flight finish, for ten seconds at most, commits and ends with\nexit code 4. pawl resume goes on with it.",
		options: []option{fileOption()},
		run: func(ctx context.Context, c *call) error {
			return c.tellRunning(ctx, "stop", "stopping; go on later with: pawl resume", (*session).stop)
		},
	}
}

func (s *session) pause(ctx context.Context) error { return s.Pause(ctx) }
func (s *session) stop(ctx context.Context) error  { return s.Stop(ctx) }

// tellRunning tells a running crawl something.
func (c *call) tellRunning(ctx context.Context, name, done string, tell func(*session, context.Context) error) error {
	if err := c.noArgs(name); err != nil {
		return err
	}
	path, again := c.file()
	s, err := c.dial(ctx, path)
	if err == nil {
		err = tell(s, ctx)
	}
	switch {
	case errors.Is(err, crawl.ErrResting):
		return hintedError{fmt.Errorf("%s: %w", path, err), "start it with: pawl resume" + again}
	case err != nil:
		return c.outOfReach(err)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s%s\n", done, again)
	return quiet(err)
}

// outOfReach says what it means that a run came to its end while it was asked.
func (c *call) outOfReach(err error) error {
	if errors.Is(err, crawl.ErrOver) {
		return hintedError{err, "try again"}
	}
	return err
}
