package crawl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pawl/fetch"
	"pawl/storage"
)

// flood is a reader of very many seeds.
type flood struct {
	next, total int
	line        func(i int) string
	rest        bytes.Buffer
	reads       int
	look        func(given int) // called before each read
}

func (f *flood) Read(b []byte) (int, error) {
	f.reads++
	f.look(f.next)
	for f.rest.Len() < len(b) && f.next < f.total {
		f.rest.WriteString(f.line(f.next))
		f.next++
	}
	return f.rest.Read(b)
}

// Seeds stream in while the crawl runs already, and the reader is never far
// ahead of what is on disk.
func TestSeedsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		total := 200_000
		if raceOn {
			total = 20_000
		}
		s, p := onPaper(t)
		s.opt.Delay = time.Second
		p.all = func(string) (answer, bool) { return linking(), true }
		var file *storage.File
		s.during = func(f *storage.File) { file = f }
		furthest, fetched := 0, uint64(0)
		in := &flood{total: total, line: func(i int) string {
			switch i % 100 {
			case 50:
				return "not an address\n"
			case 51:
				return fmt.Sprintf("http://h%d.test/%d\n", (i-1)%7, i-2) // again
			case 52:
				return "# a comment\n"
			case 53:
				return "\r\n"
			}
			return fmt.Sprintf("http://h%d.test/%d\n", i%7, i)
		}}
		in.look = func(given int) {
			if in.reads%3 == 0 {
				time.Sleep(5 * time.Second)
			}
			err := file.View(func(r *storage.Reader) error {
				state, err := r.State()
				furthest = max(furthest, given-int(state.Counts.Admitted)*100/96)
				fetched = state.Counts.Of(storage.Fetched)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		s.opt.Input.Stdin = in
		sum := s.stopAfter(10 * time.Minute)
		if sum.Seeds != total/100*97 || sum.BadSeeds != total/100 || sum.SeedsErr != nil {
			t.Errorf("%d good seeds, %d bad, %v", sum.Seeds, sum.BadSeeds, sum.SeedsErr)
		}
		distinct := map[string]bool{}
		for i := range total {
			if l := strings.TrimSpace(in.line(i)); strings.HasPrefix(l, "http") {
				distinct[l] = true
			}
		}
		if sum.NewSeeds != len(distinct) || sum.Counts.Admitted != uint64(len(distinct)) {
			t.Errorf("%d new seeds, %d admitted, want %d", sum.NewSeeds, sum.Counts.Admitted, len(distinct))
		}
		if fetched == 0 {
			t.Error("nothing was fetched before the last seed was read")
		}
		if most := (2*commitEvents + 8) * seedBatchSize; furthest > most {
			t.Errorf("the reader was %d seeds ahead of the file, want at most %d", furthest, most)
		}
	})
}

func TestSeedsFile(t *testing.T) {
	lines := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "http://h%d.test/%d\n", i%3, i)
		}
		return b.String()
	}
	setup := func(t *testing.T, content string) (*site, *paper, func(content string)) {
		s, p := onPaper(t)
		s.opt.Delay = 0
		p.all = func(url string) (answer, bool) { return linking(), !strings.HasSuffix(url, "robots.txt") }
		s.opt.SeedsFile = filepath.Join(t.TempDir(), "seeds.txt")
		write := func(content string) {
			if err := os.WriteFile(s.opt.SeedsFile, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(content)
		return s, p, write
	}
	inBubble(t, "is read once", func(t *testing.T) {
		s, _, _ := setup(t, "\ufeff"+lines(0, 3000)+"h0.test/bare") // no newline at the end
		if sum := s.finish(); sum.Seeds != 3001 || sum.NewSeeds != 3001 || sum.BadSeeds != 0 {
			t.Errorf("%d seeds, %d new, %d bad", sum.Seeds, sum.NewSeeds, sum.BadSeeds)
		}
		if sum := s.finish(); sum.Seeds != 0 || sum.Counts.Admitted != 3001 {
			t.Errorf("read %d seeds again, %d admitted", sum.Seeds, sum.Counts.Admitted)
		}
	})
	inBubble(t, "is read on where it was left", func(t *testing.T) {
		s, p, _ := setup(t, lines(0, 3000))
		s.opt.Delay = 10 * time.Millisecond
		read := 0
		for i := range 6 {
			if i%2 == 0 {
				s.killAfter(time.Duration(i) * time.Second)
			} else {
				read += s.stopAfter(time.Second).Seeds
			}
		}
		sum := s.finish()
		if read+sum.Seeds > 3000 || sum.Counts.Admitted != 3000 || len(s.outcomes()) != 3000 {
			t.Errorf("read %d, %d admitted", read+sum.Seeds, sum.Counts.Admitted)
		}
		if gap := p.gap("h0.test"); gap < 10*time.Millisecond {
			t.Errorf("a gap of %v", gap)
		}
	})
	inBubble(t, "has grown", func(t *testing.T) {
		s, p, write := setup(t, lines(0, 600))
		s.finish()
		write(lines(0, 900))
		if sum := s.finish(); sum.NewSeeds != 300 || sum.Counts.Admitted != 900 {
			t.Errorf("%d new seeds, %d admitted", sum.NewSeeds, sum.Counts.Admitted)
		}
		if n := p.of("http://h0.test/0"); n != 1 {
			t.Errorf("a seed was fetched %d times", n)
		}
	})
	inBubble(t, "is another of the same name", func(t *testing.T) {
		s, _, write := setup(t, lines(0, 600))
		s.finish()
		write(lines(500, 700))
		if sum := s.finish(); sum.NewSeeds != 100 || sum.Counts.Admitted != 700 {
			t.Errorf("%d new seeds, %d admitted", sum.NewSeeds, sum.Counts.Admitted)
		}
	})
	inBubble(t, "holds much that is no seed", func(t *testing.T) {
		s, _, _ := setup(t, "http://a.test/\n"+strings.Repeat("x", 1<<20)+"\n# http://b.test/\n  http://a.test/2  \r\n::\n\n\t\nhttp://\nmailto:a@b.test\n"+strings.Repeat("nonsense\n", 1000))
		sum := s.finish()
		s.want(map[string]string{"http://a.test/": "fetched", "http://a.test/2": "fetched"})
		if sum.Seeds != 2 || sum.BadSeeds != 1004 {
			t.Errorf("%d good seeds, %d bad", sum.Seeds, sum.BadSeeds)
		}
	})
	inBubble(t, "is not there", func(t *testing.T) {
		s, p, _ := setup(t, "")
		s.opt.SeedsFile += "x"
		s.opt.Input.Args = []string{"http://a.test/"}
		p.on("http://a.test/", linking())
		if sum := s.finish(); !errors.Is(sum.SeedsErr, os.ErrNotExist) {
			t.Errorf("error %v", sum.SeedsErr)
		}
		s.want(map[string]string{"http://a.test/": "fetched"})
	})
	inBubble(t, "breaks off", func(t *testing.T) {
		s, p, _ := setup(t, "")
		s.opt.SeedsFile = ""
		s.opt.Input.Stdin = io.MultiReader(strings.NewReader("http://a.test/\nhttp://a.test/2"), brokenReader{})
		p.on("http://a.test/", linking())
		if sum := s.finish(); sum.SeedsErr == nil {
			t.Error("no error")
		}
		if got := s.brief()["http://a.test/"]; got != "fetched" {
			t.Errorf("the seed before it is %q", got)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestSeedsGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/", "a.test", "http://A.test:80/#x", "http://a.test/?utm_source=y")
		s.opt.Exclude = []string{"hidden"}
		few(p, `
			http://a.test/       /1 /hidden nofollow /n http://b.test/x
			http://a.test/1      
			http://a.test/n      /n2
			http://a.test/n2
			http://a.test/hidden
			http://b.test/x      /y
			http://b.test/y
		`)
		p.on("http://a.test/old", moved("http://b.test/y"))
		if sum := s.finish(); sum.NewSeeds != 1 || sum.Seeds != 4 {
			t.Errorf("%d new of %d", sum.NewSeeds, sum.Seeds)
		}
		want := map[string]string{"http://a.test/": "fetched", "http://a.test/1": "fetched"}
		s.want(want)
		for _, step := range []struct {
			seed string
			set  func()
			add  []string
		}{
			{"http://a.test/1", nil, nil}, // finished as a link
			{"http://a.test/hidden", nil, nil},
			{"http://a.test/n", nil, []string{"http://a.test/n", "http://a.test/n2"}}, // skipped as nofollow
			{"http://a.test/old", nil, []string{"http://a.test/old", "http://b.test/y", "http://b.test/x"}},
			{"http://b.test/x", nil, nil}, // found as a link on a host that joined
			{"", func() { s.opt.Exclude = nil }, []string{"http://a.test/hidden"}},
		} {
			s.opt.Input.Args = []string{step.seed}
			if step.set != nil {
				step.set()
			}
			s.finish()
			for _, url := range step.add {
				want[url] = "fetched"
				if url == "http://a.test/old" {
					want[url] = "redirected"
				}
			}
			if got := s.brief(); !maps.Equal(got, want) {
				t.Fatalf("after the seed %s: %v", step.seed, slices.Sorted(maps.Keys(got)))
			}
		}
		for url := range want {
			if n := p.of(url); n != 1 {
				t.Errorf("%s was asked for %d times", url, n)
			}
		}
	})
}

// A host that only joined the scope is not one that the user vouches for.
func TestOnlySeedHostsAreTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, "http://a.test/")
		s.opt.User = "me:secret"
		saw := map[string]string{}
		p.on("http://a.test/", moved("http://b.test/"))
		few(p, "http://b.test/ /1 \n http://b.test/1")
		p.watch = nil
		s.opt.Transport = spy{p, saw}
		s.finish()
		s.want(map[string]string{"http://a.test/": "redirected", "http://b.test/": "fetched", "http://b.test/1": "fetched"})
		if saw["a.test"] == "" || saw["b.test"] != "" {
			t.Errorf("credentials sent: %v", saw)
		}
		if fetch.ProductToken(s.opt.UserAgent) != "pawl" {
			t.Errorf("token %q", fetch.ProductToken(s.opt.UserAgent))
		}
	})
}

func TestWithoutUserinfo(t *testing.T) {
	for text, want := range map[string]string{
		"http://u:secret@a.test/":      "http://a.test/",
		"http:u:secret@a.test":         "http:a.test",
		"//u:secret@a.test/x":          "//a.test/x",
		`/\u:secret@a.test`:            `/\a.test`,
		"u:secret@a.test:99999":        "u:a.test:99999",
		"ftp://u:p@ss@a.test/":         "ftp://a.test/",
		"https://a.test/@user/post":    "https://a.test/@user/post",
		"https://a.test/?mail=me@b.nl": "https://a.test/?mail=me@b.nl",
		"mailto:me@a.test":             "mailto:me@a.test",
		"a.test":                       "a.test",
		"":                             "",
	} {
		if got := WithoutUserinfo(text); got != want {
			t.Errorf("%s is shown as %s, want %s", text, got, want)
		}
	}
}
