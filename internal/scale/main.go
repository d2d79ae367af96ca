// Command scale measures what a crawl costs as it grows, without a network:
// how fast jobs are completed, what is written for them, how much memory that
// takes, and how soon a crawl goes on that was stopped.
//
//	go run ./internal/scale                  # 1, 1,000 and 100,000 hosts, up to 10 M addresses
//	go run ./internal/scale -urls 1000000 -hosts 1000
//	go run ./internal/scale -quick
//
// It drives frontier and storage as package crawl does, on a real file with
// synced commits: one goroutine owns the frontier, another writes the commits.
// Each completion is a job that was handed out and comes back with a page
// record of some 240 bytes and 50 links of 70 bytes, 8 of which are new. The
// links are made beforehand, while the clock stands. The workload is the same
// in every run.
//
// The tables go to standard output, what is under way to standard error. As
// root on Linux it has the system drop its caches, to measure a cold start;
// -cold=false keeps it from that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pawl/crawl"
)

func main() {
	defer crawl.BoundHeap()() // as pawl does
	var err error
	if len(os.Args) == 4 && os.Args[1] == "child" {
		err = child(os.Args[2], os.Args[3])
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
	}
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// bench is what is to be measured.
type bench struct {
	urls    uint64
	hosts   []int
	dir     string
	pending float64
	repeats int
	portion int // pages made at a time
	cold    bool
	keep    bool
	talk    io.Writer
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	b := bench{portion: portionPages, talk: stderr}
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&b.urls, "urls", 10_000_000, "grow to so many known `URLs`; measured there and at each power of ten from 100,000 on")
	hosts := flags.String("hosts", "1,1000,100000", "`numbers` of hosts, each a crawl of its own")
	flags.StringVar(&b.dir, "dir", "", "`folder` for the crawl files (default: a temporary one, removed afterwards)")
	flags.Float64Var(&b.pending, "pending", 0.5, "before a restart is measured, complete pages without links until no more than this `share` of the known URLs is pending")
	flags.IntVar(&b.repeats, "repeats", 6, "crawls up to the first mark, which is short, are made so many times")
	flags.BoolVar(&b.cold, "cold", true, "as root on Linux, drop the system's caches to measure a cold start")
	flags.BoolVar(&b.keep, "keep", false, "leave the crawl files in -dir")
	quick := flags.Bool("quick", false, "a look in half a minute: 200,000 URLs, 1 and 1,000 hosts, unless -urls or -hosts say otherwise")
	profile := flags.String("cpuprofile", "", "write a CPU profile of the growth to this `file`; the crawler alone is in it by pprof -tagfocus phase=crawl")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *quick {
		said := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { said[f.Name] = true })
		if !said["urls"] {
			b.urls = 200_000
		}
		if !said["hosts"] {
			*hosts = "1,1000"
		}
		if !said["repeats"] {
			b.repeats = 2
		}
	}
	for word := range strings.SplitSeq(*hosts, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 || n > 1_000_000 {
			return fmt.Errorf("-hosts: %q is not a number from 1 to 1000000", word)
		}
		b.hosts = append(b.hosts, n)
	}
	if b.pending < 0 || b.pending > 1 || b.repeats < 1 || b.urls < 10_000 || b.urls > 1e9 {
		return errors.New("-pending goes from 0 to 1, -repeats from 1, -urls from 10000 to 1000000000")
	}
	if b.keep && b.dir == "" {
		return errors.New("-keep needs -dir")
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "pawl-scale-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var rows []row
	for _, n := range b.hosts {
		more, err := b.measure(ctx, n)
		if err != nil {
			return fmt.Errorf("%d hosts: %w", n, err)
		}
		rows = append(rows, more...)
	}
	return report(stdout, rows)
}

// marks are the numbers of known URLs at which is measured.
func (b *bench) marks() (marks []uint64) {
	for n := uint64(100_000); n < b.urls; n *= 10 {
		marks = append(marks, n)
	}
	return append(marks, b.urls)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.talk, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// report prints the machine and the tables.
func report(w io.Writer, rows []row) error {
	var t strings.Builder
	about := fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if m := machine(); m != "" {
		about += ", " + m
	}
	fmt.Fprintf(&t, "%s.\n\n", about)
	fmt.Fprintf(&t, "A completion is a page with %d links, %d of them new; %d jobs out, %d or more completions a synced commit.\n\n", pageLinks, newLinks, workers, commitEvents)
	first := rows[0]
	for i := range rows {
		if i > 0 && rows[i].hosts != rows[i-1].hosts {
			first = rows[i]
		}
		rows[i].ratio = rows[i].rate / first.rate
	}
	table(&t, rows, []column{
		{"hosts", func(r *row) string { return thousands(uint64(r.hosts)) }},
		{"known URLs", func(r *row) string { return thousands(r.known) }},
		{"completions/s", func(r *row) string { return thousands(uint64(r.rate)) }},
		{"new URLs/s", func(r *row) string { return thousands(uint64(r.rate * newLinks)) }},
		{"to the first", func(r *row) string { return fmt.Sprintf("%.2f", r.ratio) }},
		{"range of completions/s", func(r *row) string {
			return thousands(uint64(r.slowest)) + " to " + thousands(uint64(r.fastest))
		}},
		{"with hashing", func(r *row) string { return thousands(uint64(r.rehashRate)) }},
		{"CPU a completion", func(r *row) string { return micros(r.cpu) }},
		{"commit p50 / p99 / max", func(r *row) string {
			return millis(r.commit50) + " / " + millis(r.commit99) + " / " + millis(r.commitMax)
		}},
		{"completions a commit", func(r *row) string { return fmt.Sprintf("%.0f", r.commitEvents) }},
		{"written a new URL", func(r *row) string { return bytesOf(r.writtenPerURL) }},
		{"file a known URL", func(r *row) string { return bytesOf(r.filePerURL) }},
	})
	fmt.Fprintln(&t)
	table(&t, rows, []column{
		{"hosts", func(r *row) string { return thousands(uint64(r.hosts)) }},
		{"known URLs", func(r *row) string { return thousands(r.known) }},
		{"pending", func(r *row) string { return thousands(r.warm.Pending) }},
		{"file", func(r *row) string { return megabytes(r.size) }},
		{"status", func(r *row) string { return millis(r.status.Took) }},
		{"open and load", func(r *row) string { return millis(r.warm.Load) }},
		{"first job", func(r *row) string { return millis(r.warm.First) }},
		{"cold: open and load", func(r *row) string { return millis(r.cold.Load) }},
		{"cold: first job", func(r *row) string { return millis(r.cold.First) }},
		{"memory after a resume", func(r *row) string { return megabytes(r.warm.Memory) }},
		{"memory while running", func(r *row) string { return megabytes(r.goOn.Memory) }},
		{"export rows/s", func(r *row) string {
			return thousands(uint64(float64(r.exported.Rows) / r.exported.Took.Seconds()))
		}},
		{"memory of export", func(r *row) string { return megabytes(r.exported.Memory) }},
	})
	for _, r := range rows {
		if r.missed > r.completed/100 {
			fmt.Fprintf(&t, "\n%d hosts, %d known: %d of %d pages had to be made while the clock ran.\n",
				r.hosts, r.known, r.missed, r.completed)
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

type column struct {
	name string
	cell func(*row) string
}

func table(t *strings.Builder, rows []row, columns []column) {
	for _, c := range columns {
		fmt.Fprintf(t, "| %s ", c.name)
	}
	t.WriteString("|\n")
	t.WriteString(strings.Repeat("|--:", len(columns)) + "|\n")
	for i := range rows {
		for _, c := range columns {
			fmt.Fprintf(t, "| %s ", c.cell(&rows[i]))
		}
		t.WriteString("|\n")
	}
}

func thousands(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// none stands for what could not be measured.
const none = "-"

func micros(d time.Duration) string {
	if d <= 0 {
		return none
	}
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

func millis(d time.Duration) string {
	switch {
	case d <= 0:
		return none
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func bytesOf(n float64) string {
	if n < 0 {
		return none
	}
	return fmt.Sprintf("%.0f B", n)
}

func megabytes(n int64) string {
	if n <= 0 {
		return none
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}
