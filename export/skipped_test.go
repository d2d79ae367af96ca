package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"pawl/page"
	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

func skipLink(url string, reason storage.Reason) storage.SkipLink {
	return storage.SkipLink{Link: storage.Link{URL: url, Kind: uint8(page.KindA), Anchor: "to " + url}, Reason: reason}
}

// skippingCrawl has addresses that were skipped once, several times, and that
// were admitted later.
func skippingCrawl(t testing.TB) *storage.File {
	const at = "https://example.org"
	redirect := skipLink("https://elsewhere.example/", storage.OutOfScope)
	redirect.Kind, redirect.Redirect, redirect.Anchor = uint8(page.KindRedirect), true, ""
	return of(
		t,
		&storage.Skip{FoundOn: at + "/deep", Time: noon, Origin: storage.Origin{Depth: 5}, Links: []storage.SkipLink{
			skipLink(at+"/too-deep", storage.TooDeep),
			skipLink(at+"/nearer-later", storage.TooDeep),
			skipLink(at+"/admitted-later", storage.TooDeep),
		}},
		samplePage(0),
		&storage.Skip{FoundOn: at + "/", Time: noon + 1_500, Origin: storage.Origin{Seed: true}, Links: []storage.SkipLink{
			skipLink(at+"/nearer-later", storage.NoFollow),
			redirect,
			skipLink("https://other.example/=1,2", storage.OutOfScope),
		}},
		&storage.Links{FoundOn: at + "/", Time: noon, Links: []storage.Link{{URL: at + "/admitted-later", Kind: uint8(page.KindA)}}},
		&storage.Skip{FoundOn: at + "/deep", Time: noon + 2_000, Origin: storage.Origin{Depth: 3}, Withdrawn: true, Job: storage.JobID{Ord: 9}, Links: []storage.SkipLink{
			skipLink(at+"/left-the-queue", storage.Excluded),
		}},
	)
}

// eachOf asks for one address after the other.
func eachOf(still func(url string) bool) func(urls []string) ([]bool, error) {
	return func(urls []string) (answers []bool, err error) {
		for _, url := range urls {
			answers = append(answers, still(url))
		}
		return answers, nil
	}
}

func TestSkipped(t *testing.T) {
	f := skippingCrawl(t)
	asked := map[string]int{}
	still := eachOf(func(url string) bool {
		asked[url]++
		return !strings.HasSuffix(url, "/admitted-later")
	})
	for _, format := range []Format{CSV, TSV, JSONL} {
		t.Run(format.String(), func(t *testing.T) {
			clear(asked)
			var b bytes.Buffer
			rows, err := Skipped(&b, f, Options{Format: format}, still)
			if err != nil || rows != 5 {
				t.Fatalf("%d rows, %v", rows, err)
			}
			golden(t, "skipped."+format.String(), b.Bytes())
			for url, n := range asked {
				if n != 1 {
					t.Errorf("asked %d times for %s", n, url)
				}
			}
			if len(asked) != 6 {
				t.Errorf("asked for %d addresses, want 6", len(asked))
			}
		})
	}
	t.Run("with all that were ever skipped", func(t *testing.T) {
		var b bytes.Buffer
		rows, err := Skipped(&b, f, Options{Columns: []string{"url"}}, nil)
		want := "url\r\nhttps://example.org/too-deep\r\nhttps://example.org/admitted-later\r\nhttps://example.org/nearer-later\r\n" +
			"https://elsewhere.example/\r\n\"https://other.example/=1,2\"\r\nhttps://example.org/left-the-queue\r\n"
		if err != nil || rows != 6 || b.String() != want {
			t.Errorf("%d rows %q, %v", rows, b.String(), err)
		}
	})
}

// What the user drops from the queue is parked, whatever it was skipped for before;
// many leave by one event.
func TestDroppedIsSkipped(t *testing.T) {
	const at = "https://example.org"
	f := of(t,
		&storage.Edit{Edit: storage.EditPark, Settings: []byte(`{"host":"example.org","pattern":"/p/#"}`)},
		&storage.Skip{FoundOn: at + "/", Time: noon, Links: []storage.SkipLink{
			skipLink(at+"/p/1", storage.Parked), skipLink(at+"/p/2", storage.TooDeep), skipLink(at+"/p/3", storage.TooDeep), skipLink(at+"/p/4", storage.TooDeep),
		}},
		&storage.Skip{FoundOn: at + "/", Time: noon, Withdrawn: true, Dropped: true, Job: storage.JobID{Host: 1}, Links: []storage.SkipLink{
			skipLink(at+"/p/2", storage.Parked), skipLink(at+"/p/4", storage.Parked), skipLink(at+"/p/5", storage.Parked),
		}},
		&storage.Skip{FoundOn: at + "/", Time: noon, Links: []storage.SkipLink{skipLink(at+"/p/5", storage.Excluded)}},
	)
	got, _ := exported(t, func(w io.Writer, f *storage.File, o Options) (int, error) {
		return Skipped(w, f, o, eachOf(func(url string) bool { return url != at+"/p/4" })) // which was restored
	}, f, Options{Columns: []string{"url", "reason"}})
	want := "url,reason\r\n" + at + "/p/1,parked\r\n" + at + "/p/3,depth\r\n" + at + "/p/2,parked\r\n" + at + "/p/5,exclude\r\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSkippedAgainstAModel compares a crawl of many slices with a map.
func TestSkippedAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := newCrawl(t)
	type skip struct{ order, reason int }
	last := map[string]skip{}
	order := 0
	for range 3000 {
		s := &storage.Skip{FoundOn: "https://example.org/", Time: noon}
		for range random.IntN(6) {
			// Most addresses come once, some often.
			url := fmt.Sprintf("https://example.org/%d", random.IntN(1+random.IntN(20_000)))
			reason := 1 + random.IntN(5)
			s.Links = append(s.Links, skipLink(url, storage.Reason(reason)))
			last[url] = skip{order, reason}
			order++
		}
		c.add(s)
	}
	c.commit()
	gone := func(url string) bool { return strings.HasSuffix(url, "7") }

	want := make([]string, order)
	for url, s := range last {
		if !gone(url) {
			want[s.order] = url + "," + storage.Reason(s.reason).String()
		}
	}
	lines := []string{"url,reason"}
	for _, line := range want {
		if line != "" {
			lines = append(lines, line)
		}
	}
	var b bytes.Buffer
	rows, err := Skipped(&b, c.file, Options{Columns: []string{"url", "reason"}}, eachOf(func(url string) bool { return !gone(url) }))
	if err != nil || rows != len(lines)-1 {
		t.Errorf("%d rows, want %d, %v", rows, len(lines)-1, err)
	}
	if diff := cmp.Diff(lines, strings.Split(strings.TrimSuffix(b.String(), "\r\n"), "\r\n")); diff != "" {
		t.Error(diff)
	}
}

// TestStillMayWaitForACommit shows that no transaction is open while still is
// asked, and that what is committed then changes nothing.
func TestStillMayWaitForACommit(t *testing.T) {
	c := newCrawl(t)
	c.add(&storage.Skip{FoundOn: "https://example.org/", Links: []storage.SkipLink{skipLink("https://a.example/", storage.OutOfScope), skipLink("https://b.example/", storage.OutOfScope)}})
	c.commit()
	var b bytes.Buffer
	rows, err := Skipped(&b, c.file, Defaults(), eachOf(func(string) bool {
		noTransaction(t)
		for i := range 200 {
			c.add(samplePage(i))
		}
		c.add(&storage.Skip{FoundOn: "https://example.org/", Links: []storage.SkipLink{skipLink("https://a.example/", storage.TooDeep)}})
		c.commit()
		return true
	}))
	if err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// Who answers may be gone: the export ends with its error, and is never asked for
// more than a thousand addresses at a time.
func TestStillFails(t *testing.T) {
	c := newCrawl(t)
	for i := range 30 {
		s := &storage.Skip{FoundOn: "https://example.org/"}
		for j := range 100 {
			s.Links = append(s.Links, skipLink(fmt.Sprintf("https://a.example/%d", i*100+j), storage.OutOfScope))
		}
		c.add(s)
	}
	c.commit()
	gone := errors.New("gone")
	asked := 0
	rows, err := Skipped(io.Discard, c.file, Defaults(), func(urls []string) ([]bool, error) {
		if len(urls) > mostAsked {
			t.Errorf("asked for %d at a time", len(urls))
		}
		if asked += len(urls); asked > 1500 {
			return nil, gone
		}
		return make([]bool, len(urls)), nil
	})
	if rows != 0 || !errors.Is(err, gone) {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestFilterForgetsNothing(t *testing.T) {
	r := &repeats{met: make([]uint64, 1<<7)}
	random := rand.New(rand.NewPCG(3, 4))
	met := map[uint64]bool{}
	wrong := 0
	for range 1000 {
		fp := random.Uint64()
		if r.meet(fp) {
			wrong++
		}
		met[fp] = true
	}
	if wrong > 100 {
		t.Errorf("%d of 1000 taken for repeats with eight bits each", wrong)
	}
	for fp := range maps.Keys(met) {
		if !r.meet(fp) {
			t.Errorf("%x is forgotten", fp)
		}
	}
}

func TestQueue(t *testing.T) {
	rows := []QueueRow{
		{
			Found: storage.Found{URL: "https://example.org/", Kind: uint8(page.KindSeed), FoundAt: noon, Origin: storage.Origin{Seed: true}},
			State: Out, Host: "example.org",
		},
		{
			Found: storage.Found{URL: "https://example.org:8443/a?b=1,2", FoundOn: "https://example.org/", Anchor: "@home", Kind: uint8(page.KindA), FoundAt: noon, Origin: storage.Origin{Depth: 1}},
			State: Retrying, Host: "example.org:8443", Attempts: 2, Due: noon + 60_000, Class: storage.Throttled, Status: 429, Error: "429 Too Many Requests",
		},
		{Found: storage.Found{URL: "https://example.org/c"}, State: Queued, Host: "example.org"},
	}
	yield := func(rows []QueueRow, end error) func(func(QueueRow, error) bool) {
		return func(do func(QueueRow, error) bool) {
			for _, row := range rows {
				if !do(row, nil) {
					return
				}
			}
			if end != nil {
				do(QueueRow{}, end)
			}
		}
	}
	for _, format := range []Format{CSV, TSV, JSONL} {
		t.Run(format.String(), func(t *testing.T) {
			var b bytes.Buffer
			n, err := Queue(&b, Options{Format: format}, yield(rows, nil))
			if err != nil || n != len(rows) {
				t.Fatalf("%d rows, %v", n, err)
			}
			golden(t, "queue."+format.String(), b.Bytes())
		})
	}
	t.Run("more than one write", func(t *testing.T) {
		many := make([]QueueRow, 20_000)
		for i := range many {
			many[i] = rows[i%len(rows)]
		}
		var b bytes.Buffer
		n, err := Queue(&b, Options{Format: JSONL}, yield(many, nil))
		if err != nil || n != len(many) || bytes.Count(b.Bytes(), []byte("\n")) != n {
			t.Errorf("%d rows, %v", n, err)
		}
	})
	t.Run("an error ends it", func(t *testing.T) {
		damaged := errors.New("damaged")
		if _, err := Queue(&bytes.Buffer{}, Defaults(), yield(rows, damaged)); err != damaged {
			t.Error(err)
		}
	})
}

func TestCheckOptions(t *testing.T) {
	for name, c := range map[string]struct {
		check   func(Options) error
		columns []string
	}{
		"pages":   {CheckPages, PageColumns()},
		"skipped": {CheckSkipped, SkippedColumns()},
		"queue":   {CheckQueue, QueueColumns()},
	} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []Format{CSV, TSV, JSONL} {
				if err := c.check(Options{Format: format, Columns: c.columns}); err != nil {
					t.Error(err)
				}
			}
			var refused *ColumnError
			if err := c.check(Options{Columns: []string{"ulr"}}); !errors.As(err, &refused) || refused.Nearest != "url" {
				t.Error(err)
			}
		})
	}
}
