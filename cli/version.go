package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

func versionCommand() *command {
	return &command{name: "version", summary: "tell the version", run: runVersion}
}

func runVersion(_ context.Context, c *call) error {
	if err := c.noArgs("version"); err != nil {
		return err
	}
	commit := ""
	if id := c.commit(); id != "" {
		commit = " (" + id + ")"
	}
	_, err := fmt.Fprintf(c.Stdout, "pawl %s%s %s %s/%s\n", c.version(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return quiet(err)
}

// version is what was built in, otherwise that of the module if it is a
// released one.
func (sys *System) version() string {
	if sys.Version != "" {
		return strings.TrimPrefix(sys.Version, "v")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; strings.HasPrefix(v, "v") && !strings.ContainsAny(v, "-+") {
			return v[1:]
		}
	}
	return "dev"
}

func (sys *System) commit() string {
	id, modified := sys.Commit, ""
	if info, ok := debug.ReadBuildInfo(); ok && id == "" {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				id = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = ", changed"
			}
		}
	}
	if len(id) > 12 {
		id = id[:12]
	}
	if id == "" {
		return ""
	}
	return id + modified
}
