package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set when a release is built, by -ldflags "-X pawl/cli.version=1.2.3",
// and never changes while the program runs.
var version string

func versionCommand() *command {
	return &command{name: "version", summary: "tell the version", run: runVersion}
}

func runVersion(_ context.Context, c *call) error {
	if err := c.noArgs("version"); err != nil {
		return err
	}
	commit := ""
	if id := builtFrom(); id != "" {
		commit = " (" + id + ")"
	}
	_, err := fmt.Fprintf(c.Stdout, "pawl %s%s %s %s/%s\n", ownVersion(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return quiet(err)
}

// ownVersion is what was built in, otherwise that of the module if it is a
// released one.
func ownVersion() string {
	if version != "" {
		return strings.TrimPrefix(version, "v")
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; strings.HasPrefix(v, "v") && !strings.ContainsAny(v, "-+") {
			return v[1:]
		}
	}
	return "dev"
}

// builtFrom is the commit, empty when the build does not know it.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	id, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			id = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}
	if id == "" {
		return ""
	}
	return id + changed
}

// ownAgent is the name that is sent by default.
func ownAgent() string { return "pawl/" + ownVersion() }
