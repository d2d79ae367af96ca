package crawl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"pawl/frontier"
	"pawl/page"
	"pawl/storage"
	"pawl/weburl"
)

// seedBatch is addresses on their way from the user to the frontier.
type seedBatch struct {
	links  []frontier.Candidate
	source *storage.Source // how far the file is read with them
}

const (
	seedBatchSize = storage.MaxLinks
	maxSeedLine   = weburl.MaxLength
	// warnedSeeds is how many unreadable seeds are named; the others are only
	// counted.
	warnedSeeds = 20
)

// feeder reads seeds and sends them in batches. It waits for the receiver, so
// a million of them take no more memory than one batch.
type feeder struct {
	speller *weburl.Speller
	hash    func([]byte) uint64
	log     *slog.Logger
	send    func(seedBatch) bool // false: nobody wants more
	kind    page.Kind
	batch   seedBatch
	good    int
	bad     int
}

// seedStats is what came of reading the seeds.
type seedStats struct {
	good, bad int
	err       error // reading broke off
	isWhole   bool  // all was read, to the end of stdin
}

func (f *feeder) add(text, where string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	u, err := ParseSeed(f.speller, text)
	if err != nil {
		f.bad++
		if f.bad <= warnedSeeds {
			f.log.Warn("this seed cannot be used", "seed", shorten(WithoutUserinfo(text), 200), "at", where, "error", err)
		}
		return
	}
	if WithoutUserinfo(text) != text {
		f.log.Warn("the name and password in a seed are not used; give --user", "seed", string(u))
	}
	f.good++
	f.batch.links = append(f.batch.links, frontier.Candidate{
		Link: storage.Link{URL: string(u), Kind: uint8(f.kind)},
		FP:   f.hash([]byte(u)),
	})
}

func (f *feeder) flush(source *storage.Source) bool {
	if len(f.batch.links) == 0 && source == nil {
		return true
	}
	f.batch.source = source
	ok := f.send(f.batch)
	f.batch = seedBatch{}
	return ok
}

// args feeds the addresses of the command line.
func (f *feeder) args(seeds []string) bool {
	for i, s := range seeds {
		f.add(s, fmt.Sprintf("argument %d", i+1))
		if len(f.batch.links) >= seedBatchSize && !f.flush(nil) {
			return false
		}
	}
	return f.flush(nil)
}

// lines feeds one address a line. With a source the place that was reached is
// sent along; it starts at source.Offset. isWhole tells that it came to the end.
func (f *feeder) lines(r io.Reader, what string, source *storage.Source) (isWhole bool, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	where := func(n int) string {
		if source != nil && source.Offset > 0 && n > 0 {
			return fmt.Sprintf("%s:+%d", what, n)
		}
		return fmt.Sprintf("%s:%d", what, n)
	}
	var at storage.Source
	if source != nil {
		at = *source
	}
	reached := func() *storage.Source {
		if source == nil {
			return nil
		}
		copied := at
		return &copied
	}
	for n := 1; ; n++ {
		line, size, err := readLine(b)
		if err != nil && !errors.Is(err, io.EOF) {
			// The lines before it are seeds all the same.
			f.flush(reached())
			return false, err
		}
		at.Offset += size
		switch {
		case size > maxSeedLine:
			f.bad++
			if f.bad <= warnedSeeds {
				f.log.Warn("this seed cannot be used", "at", where(n), "error", "the line is too long")
			}
		case !strings.HasPrefix(strings.TrimSpace(line), "#"):
			if n == 1 {
				line = strings.TrimPrefix(line, "\ufeff")
			}
			f.add(line, where(n))
		}
		end := errors.Is(err, io.EOF)
		// What a slow pipe has brought so far does not wait for more.
		if len(f.batch.links) >= seedBatchSize || end || b.Buffered() == 0 {
			if !f.flush(reached()) {
				return false, nil
			}
		}
		if end {
			return true, nil
		}
	}
}

// readLine reads a line of which it keeps no more than maxSeedLine bytes; size
// is the whole of it.
func readLine(b *bufio.Reader) (line string, size int64, err error) {
	var kept []byte
	for {
		part, err := b.ReadSlice('\n')
		size += int64(len(part))
		if len(kept) <= maxSeedLine {
			kept = append(kept, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(kept), size, err
		}
	}
}

// file feeds a file of seeds, from where it was left if it is the same file.
func (f *feeder) file(path string, last storage.Source, known bool) error {
	h, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && known && last.Offset >= last.Size {
		return nil // it was read to its end
	}
	if err != nil {
		return err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return err
	}
	source := storage.Source{Path: path, Size: info.Size(), MTime: info.ModTime().UnixNano()}
	if known && last.Size == source.Size && last.MTime == source.MTime {
		source.Offset = last.Offset
		if source.Offset >= source.Size && info.Mode().IsRegular() {
			return nil
		}
		if _, err := h.Seek(source.Offset, io.SeekStart); err != nil {
			return err
		}
	}
	_, err = f.lines(h, filepath.Base(path), &source)
	return err
}

// hostLike is an address without its scheme: example.com, localhost:8080/x.
var hostLike = regexp.MustCompile(`^(?:[\p{L}\p{N}](?:[\p{L}\p{N}_-]*[\p{L}\p{N}])?\.)+[\p{L}\p{N}-]+(?::\d{1,5})?(?:[/?#]|$)|^localhost(?::\d{1,5})?(?:[/?#]|$)`)

// ParseSeed reads an address as users give them: one without a scheme is taken
// for http, which is where most sites redirect from.
func ParseSeed(speller *weburl.Speller, text string) (weburl.URL, error) {
	if hostLike.MatchString(text) {
		text = "http://" + text
	}
	u, err := speller.Parse(text)
	if err != nil && !strings.Contains(text, ":") {
		return "", errors.New("this is neither a web address nor the name of a host")
	}
	return u, err
}

// schemeLike is how an address with a scheme begins.
var schemeLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// WithoutUserinfo is an address, or what was meant to be one, without the name and
// password in it: those are shown nowhere.
func WithoutUserinfo(text string) string {
	scheme := schemeLike.FindString(text)
	if strings.EqualFold(scheme, "mailto:") {
		return text
	}
	authority := strings.TrimLeft(text[len(scheme):], `/\`)
	start := len(text) - len(authority)
	if i := strings.IndexAny(authority, `/\?#`); i >= 0 {
		authority = authority[:i]
	}
	return text[:start] + text[start+strings.LastIndexByte(authority, '@')+1:]
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// feeder makes a feeder that gives its batches to send.
func (c *Crawl) feeder(send func(seedBatch) bool) *feeder {
	return &feeder{speller: c.speller, hash: c.hash, log: c.log, kind: page.KindSeed, send: send}
}

// seedArgs appends the addresses of the command line. They are few enough to be
// taken at once, and nobody could tell later which of them were not read.
func (l *loop) seedArgs() (err error) {
	f := l.feeder(func(b seedBatch) bool {
		err = l.seed(b)
		return err == nil
	})
	if f.args(l.input.Args) {
		f.kind = page.KindSitemapFile
		f.args(l.input.Sitemaps)
	}
	l.summary.Seeds, l.summary.BadSeeds = f.good, f.bad
	return err
}

// feed reads a file of seeds, if one is named, and stdin.
func (c *Crawl) feed(ctx context.Context, file string, out chan<- seedBatch, done chan<- seedStats) {
	f := c.feeder(func(b seedBatch) bool {
		select {
		case out <- b:
			return true
		case <-ctx.Done():
			return false
		}
	})
	var err error
	isWhole := false
	if file != "" {
		err = f.file(file, c.source, c.sourceKnown)
	}
	if err == nil && c.input.Stdin != nil {
		isWhole, err = f.lines(c.input.Stdin, "stdin", nil)
	}
	done <- seedStats{good: f.good, bad: f.bad, err: err, isWhole: isWhole}
}
