// Command record makes docs/terminal.md: sessions at a terminal with every command
// of pawl.
//
//	go run ./internal/record -o docs/terminal.md
//
// It builds pawl, serves a generated web on loopback, and carries out what
// terminal.md beside it says, in a shell and in a folder of its own. What differs from one
// recording to the next, as ports, times and process ids, is put into a form that
// does not; see stable.go. It fails when a command ends with another exit code than
// the script expects, so that a recording is also a test.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

// script is what is to be recorded; session.go tells its language.
//
//go:embed terminal.md
var script string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := record(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func record(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	binary := flags.String("pawl", "", "the binary to record, instead of one that is built now")
	output := flags.String("o", "", "write to this file instead of stdout")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	dir, err := os.MkdirTemp("", "pawl-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *binary == "" {
		if *binary, err = build(ctx, dir); err != nil {
			return err
		}
	}
	text, err := play(ctx, script, *binary, dir)
	if err != nil {
		return err
	}
	if *output == "" {
		_, err = os.Stdout.WriteString(text)
		return err
	}
	return os.WriteFile(*output, []byte(text), 0o644)
}

// build makes the binary, as a release has it but for its version.
func build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "built", "pawl")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w -X pawl/cli.version=1.0.0", "-o", path, "pawl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pawl: %w\n%s", err, out)
	}
	return path, nil
}
