package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pawl/storage"
)

// hostileTitles need quotes, are formulas, or hold what formats replace.
var hostileTitles = []string{"plain", "=1+1", "a,b\t\"c\"", "two\r\nlines", "nul\x00 \xff", "", "\u2028ü", "'"}

// followPage is a page with a short row.
func followPage(i int) *storage.Visit {
	v := &storage.Visit{
		Job: storage.JobID{Ord: uint32(i)}, URL: fmt.Sprintf("https://a.example/%d", i), Attempt: 1,
		Ask: storage.Ask{Asked: true, Time: noon + int64(i)}, Outcome: storage.Fetched, Status: 200,
		Record: storage.Record{Title: hostileTitles[i%len(hostileTitles)], ContentType: "text/html"},
	}
	if i%3 == 0 {
		v.Record.Fields = []storage.Field{{Name: "price", Values: []string{fmt.Sprint(i), "7"}}}
	}
	return v
}

// addPages adds n pages from the i-th on, with events between them that are no
// rows, and pages that are none.
func (c *crawl) addPages(i, n int) {
	for ; n > 0; n-- {
		if i%4 == 1 {
			c.add(&storage.Retry{Job: storage.JobID{Ord: uint32(i)}, Attempt: 1, Due: noon})
		}
		c.add(followPage(i))
		if i%5 == 2 {
			hidden := followPage(i)
			hidden.Unlisted = true
			c.add(hidden)
		}
		i++
	}
	c.commit()
}

func (c *crawl) last() uint64 { return c.batch.First - 1 }

// Three ways to write the same log.
var (
	shortOptions = Options{Columns: []string{"seq", "url", "title"}}
	priceOptions = Options{Columns: []string{"seq", "price", "title"}, Fields: []Field{{Name: "price", Type: FieldInt, List: true}}, Raw: true}
	jsonlOptions = Options{Format: JSONL, Columns: []string{"url", "status", "title"}}
)

func follow(t testing.TB, path string, f *storage.File, o Options, position []byte) *Follower {
	t.Helper()
	w, err := Follow(path, f, o, position)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func (w *Follower) must(t testing.TB, last uint64) {
	t.Helper()
	if err := w.Write(last); err != nil {
		t.Fatal(err)
	}
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
}

func holds(t testing.TB, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Fatalf("%d bytes, want %d; from byte %d on they are %.60q, want %.60q", len(got), len(want), i, got[i:], want[i:])
	}
}

func put(t testing.TB, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Some file systems write at once what takes the place of an emptied file.
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(content))); err != nil {
		t.Fatal(err)
	}
}

// At each point the file holds the bytes that an export gives there.
func TestFollowIsPages(t *testing.T) {
	for _, o := range []Options{
		Defaults(),
		{Format: TSV, Raw: true},
		{Format: JSONL},
		{Columns: []string{"title"}},
		shortOptions, priceOptions, jsonlOptions,
	} {
		t.Run(fmt.Sprint(o.Format, o.Columns), func(t *testing.T) {
			c := newCrawl(t)
			path := filepath.Join(t.TempDir(), "pages")
			w := follow(t, path, c.file, o, nil)
			pages := 0
			for _, n := range []int{0, 1, 20, 1700, 3} {
				w.must(t, c.last())
				want, _ := exported(t, Pages, c.file, o)
				holds(t, path, want)
				c.addPages(pages, n)
				pages += n
			}
			before := w.Position()
			w.must(t, c.last())
			if bytes.Equal(before, w.Position()) {
				t.Error("the position stays the same")
			}
			want, _ := exported(t, Pages, c.file, o)
			holds(t, path, want)
			before = w.Position()
			w.must(t, c.last())
			if !bytes.Equal(before, w.Position()) {
				t.Error("the position changes without news")
			}
		})
	}
}

func TestFollowWritesOnlyUpTo(t *testing.T) {
	c := newCrawl(t)
	c.addPages(0, 10)
	path := filepath.Join(t.TempDir(), "pages.csv")
	var wants []string
	w := follow(t, path, c.file, shortOptions, nil)
	for last := range c.last() + 1 {
		w.must(t, last)
		got, _ := os.ReadFile(path)
		wants = append(wants, string(got))
	}
	whole, _ := exported(t, Pages, c.file, shortOptions)
	holds(t, path, whole)
	w.Close()
	// A start with a row that is torn does not write beyond what it is told.
	for last, want := range wants {
		put(t, path, want)
		w := follow(t, path, c.file, shortOptions, nil)
		w.must(t, uint64(last))
		holds(t, path, want)
		w.Close()
	}
}

// followSteps follows a crawl of a few pages and gives the positions on the way.
func followSteps(t testing.TB, o Options) (c *crawl, path string, positions [][]byte) {
	c = newCrawl(t)
	path = filepath.Join(t.TempDir(), "pages.csv")
	w := follow(t, path, c.file, o, nil)
	positions = append(positions, nil, w.Position())
	for i := range 4 {
		c.addPages(3*i, 3)
		w.must(t, c.last())
		positions = append(positions, w.Position())
	}
	c.addPages(12, 2)
	if err := w.Write(c.last()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return c, path, positions
}

// stride is how many bytes tests go on that try each byte of a file.
func stride() int {
	if raceOn || testing.Short() {
		return 13
	}
	return 1
}

func lengthOf(position []byte) int {
	if p := decodePosition(position); p != nil {
		return int(p.Length)
	}
	return 0
}

// Whatever is written of the file beyond a position that was kept, the next run
// makes it whole.
func TestFollowAfterACrashAtEveryByte(t *testing.T) {
	for _, o := range []Options{shortOptions, priceOptions, jsonlOptions} {
		t.Run(fmt.Sprint(o.Format, o.Columns), func(t *testing.T) {
			c, path, positions := followSteps(t, o)
			whole, _ := exported(t, Pages, c.file, o)
			for i, position := range positions {
				for n := lengthOf(position); n <= len(whole); n += stride() {
					for _, zeros := range []int{0, 5} {
						if zeros > 0 && (n == 0 || n%5 > 0) {
							continue
						}
						put(t, path, whole[:n]+strings.Repeat("\x00", zeros))
						w := follow(t, path, c.file, o, position)
						if w.Rewritten() != "" {
							t.Fatalf("position %d, %d bytes: written anew, %s", i, n, w.Rewritten())
						}
						if err := w.Write(c.last()); err != nil {
							t.Fatal(err)
						}
						if err := w.Close(); err != nil {
							t.Fatal(err)
						}
						holds(t, path, whole)
					}
				}
			}
		})
	}
}

// What was not durable may be missing in any part of the file, with zeros in its
// place, when the power went.
func TestFollowAfterAPowerCut(t *testing.T) {
	for _, o := range []Options{shortOptions, priceOptions, jsonlOptions} {
		t.Run(fmt.Sprint(o.Format, o.Columns), func(t *testing.T) {
			c, path, positions := followSteps(t, o)
			whole, _ := exported(t, Pages, c.file, o)
			for i, position := range [][]byte{positions[0], positions[3], nil} {
				for n := lengthOf(position); n < len(whole); n += 41 {
					for _, end := range []int{n - n%512 + 512, n - n%512 + 1024, len(whole)} {
						end := min(end, len(whole))
						holes := whole[:n] + strings.Repeat("\x00", end-n) + whole[end:]
						for _, content := range []string{holes, holes[:end], holes + strings.Repeat("\x00", 30)} {
							put(t, path, content)
							w := follow(t, path, c.file, o, position)
							if w.Rewritten() != "" {
								t.Fatalf("position %d, zeros at %d: written anew, %s", i, n, w.Rewritten())
							}
							w.must(t, c.last())
							if err := w.Close(); err != nil {
								t.Fatal(err)
							}
							holds(t, path, whole)
						}
					}
				}
			}
		})
	}
}

// refused tells that the file is refused and left as it is.
func refused(t *testing.T, path string, f *storage.File, o Options, position []byte) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Follow(path, f, o, position)
	if err == nil {
		w.Close()
		t.Fatal("a file that was changed is taken")
	}
	var changed *ChangedError
	if !errors.As(err, &changed) {
		t.Fatal(err)
	}
	if changed.Path != path || !strings.Contains(err.Error(), path) {
		t.Errorf("the error does not name the file: %v", err)
	}
	holds(t, path, string(before))
}

func TestFollowRefusesWhatOthersChanged(t *testing.T) {
	for _, o := range []Options{shortOptions, jsonlOptions} {
		c, path, positions := followSteps(t, o)
		whole, _ := exported(t, Pages, c.file, o)
		for i, position := range positions {
			if i != 0 && i != 3 {
				continue // they take the same ways
			}
			t.Run(fmt.Sprintf("%v, position %d", o.Format, i), func(t *testing.T) {
				for at := 0; at < len(whole); at += stride() {
					flipped := []byte(whole)
					flipped[at] ^= 0x20
					put(t, path, string(flipped))
					refused(t, path, c.file, o, position)
				}
				for at := 0; at < len(whole); at += stride() { // a byte more
					if whole[at] == '9' || at > 0 && whole[at-1] == '9' {
						continue
					}
					put(t, path, whole[:at]+"9"+whole[at:])
					refused(t, path, c.file, o, position)
				}
				for at := 0; at < len(whole)-1; at += stride() { // a byte less
					if whole[at] == whole[at+1] {
						continue
					}
					put(t, path, whole[:at]+whole[at+1:])
					refused(t, path, c.file, o, position)
				}
				for n := 1; n < lengthOf(position); n += stride() { // cut
					put(t, path, whole[:n])
					refused(t, path, c.file, o, position)
				}
				if n := lengthOf(position); n > 0 { // zeros where something durable was
					put(t, path, whole[:n-4]+strings.Repeat("\x00", 4))
					refused(t, path, c.file, o, position)
				}
				for name, content := range map[string]string{
					"a row more":      whole + whole[len(whole)/2:],
					"twice":           whole + whole,
					"a line more":     whole + "\r\n",
					"another file":    "something else\n",
					"a byte":          "x",
					"zeros and a row": strings.Repeat("\x00", len(whole)) + whole[len(whole)/2:],
					"some zeros":      whole[:len(whole)-20] + strings.Repeat("\x00", 8) + whole[len(whole)-12:],
					"a row as zeros":  whole[:len(whole)/2] + strings.Repeat("\x00", len(whole)/2) + "x",
					"a BOM":           "\ufeff" + whole,
					"sorted":          whole[len(whole)/2:] + whole[:len(whole)/2],
					"other line ends": strings.ReplaceAll(whole, "\n", "\n\r"),
				} {
					t.Run(name, func(t *testing.T) {
						put(t, path, content)
						refused(t, path, c.file, o, position)
					})
				}
			})
		}
	}
}

func TestFollowRefusesOtherThings(t *testing.T) {
	c := newCrawl(t)
	c.addPages(0, 5)
	dir := t.TempDir()
	path := filepath.Join(dir, "pages.csv")
	w := follow(t, path, c.file, shortOptions, nil)
	w.must(t, c.last())
	position := w.Position()
	w.Close()
	check := func(t *testing.T, path, want string) {
		t.Helper()
		for _, p := range [][]byte{nil, position} {
			w, err := Follow(path, c.file, shortOptions, p)
			if err == nil {
				w.Close()
				t.Fatal("taken")
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
	t.Run("a folder", func(t *testing.T) { check(t, dir, "is a folder") })
	t.Run("no folder", func(t *testing.T) { check(t, filepath.Join(dir, "none", "pages.csv"), "no such file") })
	t.Run("the crawl file", func(t *testing.T) { check(t, c.file.Path(), "is the crawl file itself") })
	t.Run("the rows of another crawl", func(t *testing.T) {
		other := newCrawl(t)
		other.addPages(100, 5)
		w, err := Follow(path, other.file, shortOptions, nil)
		if changed := (*ChangedError)(nil); !errors.As(err, &changed) {
			t.Fatal(w, err)
		}
	})
	t.Run("a link to nothing", func(t *testing.T) {
		link := filepath.Join(dir, "dangling")
		if err := os.Symlink(filepath.Join(dir, "nothing"), link); err != nil {
			t.Skip(err)
		}
		check(t, link, "is a link to a file that is missing")
	})
	t.Run("no permission", func(t *testing.T) {
		locked := filepath.Join(dir, "locked.csv")
		put(t, locked, "")
		if err := os.Chmod(locked, 0o444); err != nil {
			t.Fatal(err)
		}
		if f, err := os.OpenFile(locked, os.O_WRONLY, 0); err == nil {
			f.Close()
			t.Skip("this user may write to everything")
		}
		check(t, locked, "permission denied")
	})
	t.Run("a column that needs the whole crawl", func(t *testing.T) {
		const why = `column "inlinks" needs more than the visit of a row, so it cannot be had as rows come`
		var column *ColumnError
		if err := CheckFollow(Options{Columns: []string{"url", "inlinks"}}); !errors.As(err, &column) || column.Name != "inlinks" || !strings.HasPrefix(err.Error(), why+". The columns are seq, url,") {
			t.Error(err)
		}
		var where *WhereError
		if err := CheckFollow(Options{Where: "depth > 1 or inlinks > 1"}); !errors.As(err, &where) || err.Error() != "filter, character 14: the "+why {
			t.Error(err)
		}
	})
	t.Run("an option", func(t *testing.T) {
		for _, o := range []Options{{Format: Parquet}, {Format: SQLite}, {Format: formats}, {Columns: []string{"nope"}}, {Columns: []string{"inlinks"}}, {Columns: []string{"url", "discovery_path"}}} {
			none := filepath.Join(dir, "option.csv")
			if w, err := Follow(none, c.file, o, nil); err == nil {
				w.Close()
				t.Errorf("%+v is taken", o)
			}
			if CheckFollow(o) == nil {
				t.Errorf("CheckFollow takes %+v", o)
			}
			if _, err := os.Lstat(none); err == nil {
				t.Fatalf("%+v: a file was made", o)
			}
		}
	})
}

// A link stays a link, also when the file it leads to is replaced.
func TestFollowThroughALink(t *testing.T) {
	c := newCrawl(t)
	c.addPages(0, 5)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.csv"), filepath.Join(dir, "link.csv")
	put(t, target, "")
	if err := os.Symlink("target.csv", link); err != nil {
		t.Skip(err)
	}
	var position []byte
	for _, o := range []Options{shortOptions, priceOptions} {
		w := follow(t, link, c.file, o, position)
		w.must(t, c.last())
		position = w.Position()
		w.Close()
		want, _ := exported(t, Pages, c.file, o)
		holds(t, target, want)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is none any more")
	}
}

// A file that is gone or empty is written anew, whole at once, and a crash at any
// instant does no harm.
func TestFollowWritesAnewWhatIsGone(t *testing.T) {
	for _, gone := range []bool{true, false} {
		t.Run(fmt.Sprint("gone ", gone), func(t *testing.T) {
			c, path, positions := followSteps(t, shortOptions)
			whole, _ := exported(t, Pages, c.file, shortOptions)
			position := positions[3]
			for _, o := range []Options{shortOptions, priceOptions} {
				want, _ := exported(t, Pages, c.file, o)
				if os.Remove(path); !gone {
					put(t, path, "")
				}
				w := follow(t, path, c.file, o, position)
				if w.Rewritten() == "" {
					t.Error("nothing is said")
				}
				kept := w.Position()
				if err := w.Sync(); err != nil { // nothing to be done yet
					t.Fatal(err)
				}
				w.must(t, c.last())
				holds(t, path, want)
				w.Close()
				// The position of the new file was not kept.
				w = follow(t, path, c.file, o, kept)
				w.must(t, c.last())
				holds(t, path, want)
				w.Close()
				w = follow(t, path, c.file, shortOptions, kept)
				w.must(t, c.last())
				holds(t, path, whole)
				w.Close()
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
			if err != nil || len(left) > 0 {
				t.Error("left behind:", left, err)
			}
		})
	}
	t.Run("made by somebody else meanwhile", func(t *testing.T) {
		c, path, positions := followSteps(t, shortOptions)
		os.Remove(path)
		w := follow(t, path, c.file, shortOptions, positions[3])
		put(t, path, "theirs")
		if changed := (*ChangedError)(nil); !errors.As(w.Write(c.last()), &changed) {
			t.Error("taken")
		}
		holds(t, path, "theirs")
	})
	t.Run("another name", func(t *testing.T) {
		c, path, positions := followSteps(t, shortOptions)
		whole, _ := exported(t, Pages, c.file, shortOptions)
		other := path + "2"
		w := follow(t, other, c.file, shortOptions, positions[3])
		if w.Rewritten() != "" {
			t.Error("another file was not there before, but it is said that", w.Rewritten())
		}
		w.must(t, c.last())
		holds(t, other, whole)
	})
}

// When the columns change the file is replaced at once. At whatever instant the
// process dies, and whatever columns are asked for then, the file is known again
// as long as what Position gives is kept before the first Write.
func TestFollowWithOtherColumns(t *testing.T) {
	all := []Options{shortOptions, priceOptions, jsonlOptions}
	for i, a := range all {
		for j, b := range all {
			if i == j {
				continue
			}
			t.Run(fmt.Sprintf("%d to %d", i, j), func(t *testing.T) {
				c, path, positions := followSteps(t, a)
				wholeA, _ := exported(t, Pages, c.file, a)
				wholeB, _ := exported(t, Pages, c.file, b)
				old := positions[4]
				tmp := ""
				put(t, path, wholeA[:len(wholeA)-9]) // torn
				w := follow(t, path, c.file, b, old)
				if w.Rewritten() == "" {
					t.Error("nothing is said")
				}
				holds(t, path, wholeA[:len(wholeA)-9])
				intent := w.Position()
				if f, err := w.temporary(0o644); err != nil {
					t.Fatal(err)
				} else {
					tmp = f.Name()
					f.Close()
				}
				w.must(t, c.last())
				holds(t, path, wholeB)
				done := w.Position()
				w.Close()
				type state struct {
					name, file string
					position   []byte
				}
				states := []state{
					{"not yet", wholeA[:len(wholeA)-9], old},
					{"intent kept", wholeA[:len(wholeA)-9], intent},
					{"intent kept, whole", wholeA, intent},
					{"replaced", wholeB, intent},
					{"replaced with fewer rows", wholeB[:len(wholeB)-7], intent},
					{"position kept", wholeB, done},
				}
				for _, s := range states {
					for k, o := range all {
						t.Run(fmt.Sprintf("%s, then %d", s.name, k), func(t *testing.T) {
							put(t, path, s.file)
							put(t, tmp, wholeB[:len(wholeB)/3])
							whole, _ := exported(t, Pages, c.file, o)
							w := follow(t, path, c.file, o, s.position)
							again := w.Position()
							w.must(t, c.last())
							holds(t, path, whole)
							w.Close()
							w = follow(t, path, c.file, o, again)
							w.must(t, c.last())
							holds(t, path, whole)
						})
					}
				}
				// Nobody kept the intent: it is known while the columns stay.
				put(t, path, wholeB)
				w = follow(t, path, c.file, b, old)
				w.must(t, c.last())
				holds(t, path, wholeB)
				w.Close()
				// What somebody changed is not replaced.
				for at := 0; at < len(wholeA); at += stride() {
					flipped := []byte(wholeA)
					flipped[at] ^= 1
					put(t, path, string(flipped))
					refused(t, path, c.file, b, old)
					refused(t, path, c.file, b, intent)
				}
				put(t, path, wholeA[:lengthOf(old)-3])
				refused(t, path, c.file, b, old)
			})
		}
	}
	t.Run("changed by somebody since the start", func(t *testing.T) {
		c, path, positions := followSteps(t, shortOptions)
		w := follow(t, path, c.file, priceOptions, positions[4])
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, "theirs")
		f.Close()
		before, _ := os.ReadFile(path)
		if changed := (*ChangedError)(nil); !errors.As(w.Write(c.last()), &changed) {
			t.Error("replaced")
		}
		holds(t, path, string(before))
	})
}

// A position that is none is as if nothing were known.
func TestFollowPositionIsNone(t *testing.T) {
	c, path, positions := followSteps(t, shortOptions)
	whole, _ := exported(t, Pages, c.file, shortOptions)
	good := string(positions[4])
	for _, p := range []string{
		"", "x", "{}", "null", "[]", `{"version":1}`, `{"version":99,"length":5}`, good[:len(good)/2],
		strings.Replace(good, `"length":`, `"length":-`, 1),
		strings.Replace(good, `"from":0`, `"from":-1`, 1),
		strings.Replace(good, `"middle":0`, `"middle":99999999`, 1),
		strings.Replace(good, `"seq":`, `"seq":9999`, 1),
		strings.Replace(good, `"format":"csv"`, `"format":"nope"`, 1),
	} {
		put(t, path, whole)
		w := follow(t, path, c.file, shortOptions, []byte(p))
		w.must(t, c.last())
		holds(t, path, whole)
		w.Close()
	}
}

func TestFollowNoticesOthersWhileItWrites(t *testing.T) {
	begin := func(t *testing.T) (*crawl, string, *Follower) {
		c := newCrawl(t)
		c.addPages(0, 5)
		path := filepath.Join(t.TempDir(), "pages.csv")
		w := follow(t, path, c.file, shortOptions, nil)
		w.must(t, c.last())
		c.addPages(5, 5)
		return c, path, w
	}
	t.Run("another process", func(t *testing.T) {
		c, path, w := begin(t)
		if lockFile(w.file) && !lockFile(nil) {
			t.Skip("no locks here")
		}
		if _, err := Follow(path, c.file, shortOptions, w.Position()); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		w.Close()
		follow(t, path, c.file, shortOptions, w.Position()).must(t, c.last())
	})
	for name, change := range map[string]func(path string) error{
		"appends": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("theirs\n")
				f.Close()
			}
			return err
		},
		"cuts":    func(path string) error { return os.Truncate(path, 20) },
		"empties": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			c, path, w := begin(t)
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			var changed *ChangedError
			for range 2 {
				if err := w.Write(c.last()); !errors.As(err, &changed) {
					t.Error(err)
				}
			}
			if err := w.Sync(); !errors.As(err, &changed) {
				t.Error(err)
			}
			holds(t, path, string(before))
		})
	}
	t.Run("takes it away", func(t *testing.T) {
		c, path, w := begin(t)
		kept := w.Position()
		if err := os.Remove(path); err != nil {
			t.Skip(err)
		}
		if err := w.Write(c.last()); err != nil {
			t.Error(err)
		}
		if changed := (*ChangedError)(nil); !errors.As(w.Sync(), &changed) {
			t.Error("synced")
		}
		w.Close()
		whole, _ := exported(t, Pages, c.file, shortOptions)
		w = follow(t, path, c.file, shortOptions, kept)
		w.must(t, c.last())
		holds(t, path, whole)
	})
}

func TestFollowAPipe(t *testing.T) {
	c := newCrawl(t)
	c.addPages(0, 500)
	whole, _ := exported(t, Pages, c.file, Defaults())
	r, pipe := io.Pipe()
	w, err := FollowTo(pipe, c.file, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		b := make([]byte, len(whole))
		_, _ = io.ReadFull(r, b)
		read <- string(b)
		r.Close()
	}()
	if err := w.Write(c.last()); err != nil {
		t.Fatal(err)
	}
	if err := w.Sync(); err != nil || w.Position() != nil {
		t.Error(err, w.Position())
	}
	if got := <-read; got != whole {
		t.Error("the pipe gives other bytes")
	}
	c.addPages(500, 1)
	for range 2 {
		if err := w.Write(c.last()); !errors.Is(err, ErrClosed) || !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// Runs of any length end by a crash that loses any part of what was not synced,
// while the log grows, and the columns change now and then. A simple model knows
// what the file may hold.
func TestFollowRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	all := []Options{shortOptions, priceOptions, jsonlOptions}
	for range 3 {
		c := newCrawl(t)
		path := filepath.Join(t.TempDir(), "pages.csv")
		var kept []byte
		o, pages := shortOptions, 0
		for range 60 {
			if chance.IntN(4) == 0 {
				o = all[chance.IntN(len(all))]
			}
			w := follow(t, path, c.file, o, kept)
			kept = w.Position()
			safe := 0 // the bytes that are surely durable
			if w.Rewritten() == "" {
				safe = lengthOf(kept)
			}
			replaced := w.Rewritten() != ""
			wrote := false
			for range chance.IntN(6) {
				n := chance.IntN(4)
				c.addPages(pages, n)
				pages += n
				if chance.IntN(3) > 0 {
					if err := w.Write(c.last()); err != nil {
						t.Fatal(err)
					}
					if replaced && !wrote {
						safe = int(w.length) // it was synced before it got its name
					}
					wrote = true
				}
				if chance.IntN(3) == 0 {
					if err := w.Sync(); err != nil {
						t.Fatal(err)
					}
					if !replaced || wrote {
						safe = int(w.length)
					}
					if chance.IntN(2) == 0 {
						kept = w.Position()
					}
				}
			}
			w.Close()
			if replaced && !wrote {
				continue // the old file is as it was
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := info.Size() - int64(safe); n > 0 && chance.IntN(2) == 0 {
				if err := os.Truncate(path, int64(safe)+chance.Int64N(n+1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		w := follow(t, path, c.file, o, kept)
		w.must(t, c.last())
		whole, _ := exported(t, Pages, c.file, o)
		holds(t, path, whole)
	}
}

// The trail covers the last bytes, and no more than twice its part.
func TestTrail(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 3*trailPart/16)
	var tr trail
	length := int64(0)
	for b := range slices.Chunk(content, 300<<10) {
		tr.add(length, b)
		length += int64(len(b))
		if n := length - tr.From; !tr.plausible(length) || n > 2*(trailPart+300<<10) || n < min(length, trailPart) {
			t.Fatalf("%+v at %d", tr, length)
		}
	}
	check := func(want bool) {
		t.Helper()
		if ok, err := tr.holds(bytes.NewReader(content), length); ok != want || err != nil {
			t.Error(ok, err)
		}
	}
	check(true)
	for at, want := range map[int64]bool{tr.From - 1: true, tr.From: false, tr.Middle - 1: false, tr.Middle: false, length - 1: false} {
		content[at] ^= 1
		check(want)
		content[at] ^= 1
	}
	content = content[:length-1]
	if ok, err := tr.holds(bytes.NewReader(content), length); ok || err == nil {
		t.Error("a file that is too short holds")
	}
}

func BenchmarkFollow(b *testing.B) {
	const rows = 20_000
	f := benchFile(b, rows)
	last, err := end(f)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "pages.csv")
	rate := func(b *testing.B) {
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("pages", func(b *testing.B) { // to compare with
		b.ReportAllocs()
		for b.Loop() {
			out, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := Pages(out, f, Defaults()); n != rows || err != nil {
				b.Fatal(n, err)
			}
			out.Close()
			os.Remove(path)
		}
		rate(b)
	})
	for _, step := range []uint64{rows, 256} {
		b.Run(fmt.Sprintf("step=%d", step), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := follow(b, path, f, Defaults(), nil)
				for at := uint64(0); at < last; at += step {
					if err := w.Write(min(at+step, last)); err != nil {
						b.Fatal(err)
					}
				}
				w.Close()
				os.Remove(path)
			}
			rate(b)
		})
	}
	w := follow(b, path, f, Defaults(), nil)
	w.must(b, last)
	b.Run("nothing new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := w.Write(last); err != nil {
				b.Fatal(err)
			}
		}
	})
	position := w.Position()
	w.Close()
	for name, position := range map[string][]byte{"start=position": position, "start=whole": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				follow(b, path, f, Defaults(), position).Close()
			}
			rate(b)
		})
	}
}
