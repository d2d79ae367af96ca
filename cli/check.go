package cli

import (
	"context"
	"errors"
)

func checkCommand() *command {
	return &command{
		name: "check", args: "[FILE]", summary: "check a recipe, and try it on a page",
		options: []option{configOption()},
		run:     runCheck,
	}
}

func runCheck(_ context.Context, c *call) error { return errors.New("not yet") }
