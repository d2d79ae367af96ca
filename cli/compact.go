package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"pawl/storage"
)

func compactCommand() *command {
	return &command{
		name: "compact", summary: "give space in the crawl file back that nothing uses",
		text: "Only while no crawl runs in it. A packed copy is made beside the file, checked\n" +
			"as pawl verify does, and takes its place; until then it needs room of its own.\n" +
			"pawl info tells about how much that will give back.",
		options: []option{fileOption()},
		run:     runCompact,
	}
}

// worthwhile is the part of a file that is to be given back at the least.
const worthwhile = 0.01

func runCompact(ctx context.Context, c *call) error {
	if err := c.noArgs("compact"); err != nil {
		return err
	}
	path, again := c.file()
	// For writing, so that nobody else has it open until it is replaced.
	file, err := storage.Open(path, false)
	if errors.Is(err, storage.ErrInUse) {
		s, derr := c.dial(ctx, path)
		if derr == nil && s.isLive {
			err = hintedError{
				fmt.Errorf("%s: %w: process %d crawls it", path, storage.ErrInUse, s.pid),
				"stop it first: pawl stop" + again,
			}
		}
	}
	if err != nil {
		return err
	}
	isOpen := true
	defer func() {
		if isOpen {
			file.Close()
		}
	}()
	before := file.Size()
	info, err := file.Info(ctx, nil)
	if err != nil {
		return stoppedOr(ctx, fmt.Errorf("%s: %w", path, err))
	}
	if float64(info.Gain()) < worthwhile*float64(before) {
		_, err := fmt.Fprintf(c.Stdout, "%s: %s, there is nothing to give back\n", clean(path), roughSize(float64(before)))
		return quiet(err)
	}
	real, err := file.RealPath()
	if err != nil {
		return err
	}
	storage.RemoveLeftovers(filepath.Dir(real))
	if err := roomFor(path, filepath.Dir(real), info.Packed); err != nil {
		return err
	}
	tmp := storage.TempName(real)
	defer os.Remove(tmp)
	if err := file.CopyTo(ctx, tmp, nil); err != nil {
		return stoppedOr(ctx, renamed(err, tmp, path))
	}
	_, after, err := c.verifyCopy(ctx, tmp, path)
	if err != nil {
		return err
	}
	isOpen = false
	if err := file.Replace(tmp); err != nil {
		return renamed(err, tmp, path)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s: %s, was %s: %s given back\n", clean(path),
		roughSize(float64(after)), roughSize(float64(before)), roughSize(float64(before-after)))
	return quiet(err)
}

// stoppedOr is the error of something that the user may have stopped.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return silentError{errStopped}
	}
	return err
}
