package crawl

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pawl/storage"
)

// wantDuplicates holds what rows say of duplicates against the log: a fetched
// page with a content is that of the first that had it.
func (s *site) wantDuplicates() (n int) {
	s.t.Helper()
	file, err := storage.Open(s.path, true)
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	first := map[string]string{}
	err = file.Walk(1, 1<<62, func(_ uint64, event []byte) error {
		if storage.KindOf(event) != storage.KindVisit {
			return nil
		}
		v, err := storage.DecodeVisit(event)
		if err != nil {
			return err
		}
		want := ""
		if v.Outcome == storage.Fetched && len(v.ContentHash) > 0 {
			key := string(v.ContentHash)
			if want = first[key]; want == "" {
				first[key] = v.URL
			}
		}
		if v.DuplicateOf != want {
			s.t.Errorf("%s (%s) is a duplicate of %q, want %q", v.URL, v.Outcome, v.DuplicateOf, want)
		}
		if v.DuplicateOf != "" {
			n++
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestDuplicates(t *testing.T) {
	const a = "http://a.test/"
	same, other := text("the same"), text("another")
	for _, c := range []struct {
		name string
		web  map[string]answer // all linked by the root
		set  func(o *Options)
		want map[string]string // the others have none
	}{
		{
			name: "the first fetched is named by all",
			web:  map[string]answer{"1": same, "2": other, "3": same, "4": same, "5": other},
			want: map[string]string{"3": "1", "4": "1", "5": "2"},
		},
		{
			name: "the first in the order in which they came",
			web:  map[string]answer{"1": slow(same, time.Second), "2": slow(same, time.Minute/10), "3": same},
			set:  func(o *Options) { o.PerHost, o.Delay = 3, 0 },
			want: map[string]string{"1": "3", "2": "3"},
		},
		{
			name: "all in one commit",
			web:  map[string]answer{"1": slow(same, time.Second), "2": slow(same, time.Second), "3": slow(same, time.Second)},
			set:  func(o *Options) { o.PerHost, o.Delay = 3, 0 },
		},
		{
			name: "error pages have none and are none's",
			web:  map[string]answer{"1": {status: 404, body: same.body}, "2": same, "3": {status: 500, body: same.body}, "4": {status: 403, body: same.body}, "5": same},
			want: map[string]string{"5": "2"},
		},
		{
			name: "redirects have none",
			web: map[string]answer{
				"1": {status: 302, body: same.body, header: map[string]string{"Location": "/x"}}, "2": same,
				"3": {status: 301, body: same.body, header: map[string]string{"Location": "/2"}}, "4": same,
			},
			want: map[string]string{"4": "2"},
		},
		{
			name: "empty pages have none",
			web:  map[string]answer{"1": text(""), "2": text(""), "3": {status: 204}, "4": {status: 204}},
		},
		{
			name: "what differs in a byte is another",
			web:  map[string]answer{"1": text("the same"), "2": text("the same "), "3": text("The same")},
		},
		{
			name: "the type does not matter",
			web:  map[string]answer{"1": same, "2": typed(same, "application/pdf")},
			want: map[string]string{"2": "1"},
		},
		{
			name: "how it was packed does not matter",
			web:  map[string]answer{"1": same, "2": func() answer { z := zipped(same); z.header = map[string]string{"Content-Encoding": "gzip"}; return z }()},
			want: map[string]string{"2": "1"},
		},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			s, p := onPaper(t, a)
			if c.set != nil {
				c.set(&s.opt)
			}
			s.opt.Retries = 0
			var links []string
			for n := range len(c.web) {
				path := fmt.Sprint(n + 1)
				links = append(links, "/"+path)
				p.on(a+path, c.web[path])
			}
			p.on(a, linking(links...))
			s.finish()
			s.wantDuplicates()
			got := map[string]string{}
			for url, v := range s.outcomes() {
				if v.DuplicateOf != "" {
					got[strings.TrimPrefix(url, a)] = strings.TrimPrefix(v.DuplicateOf, a)
				}
			}
			if c.name == "all in one commit" {
				if len(got) != 2 { // which of them is first is chance
					t.Errorf("duplicates: %v", got)
				}
			} else if !maps.Equal(got, c.want) {
				t.Errorf("duplicates: %v, want %v", got, c.want)
			}
		})
	}
}

// A page is a duplicate of one that was fetched by a run before, also when the
// run died, and when what is known of its content stands behind a checkpoint.
func TestDuplicatesOverSeveralRuns(t *testing.T) {
	const a, pages, contents = "http://a.test/", 4000, 300
	web := func(t *testing.T) *site {
		s, p := onPaper(t, a)
		var links []string
		for n := range pages {
			links = append(links, fmt.Sprint("/", n))
			p.on(fmt.Sprint(a, n), text(fmt.Sprint("content ", n%contents)))
		}
		p.on(a, linking(links...))
		s.opt.Delay, s.opt.PerHost = 0, 16
		return s
	}
	want := func(s *site) {
		s.t.Helper()
		if n := s.wantDuplicates(); n != pages-contents {
			s.t.Errorf("%d duplicates, want %d", n, pages-contents)
		}
	}
	inBubble(t, "stopped and gone on", func(t *testing.T) {
		s := web(t)
		for _, most := range []int{100, 250, 290, 310, 3700, 3701, 0} {
			s.opt.MaxPages = most
			s.run(t.Context())
		}
		want(s)
	})
	inBubble(t, "behind a checkpoint", func(t *testing.T) {
		s := web(t)
		s.opt.MaxPages = 3900
		s.run(t.Context())
		file, err := storage.Open(s.path, true)
		if err != nil {
			t.Fatal(err)
		}
		err = file.View(func(r *storage.Reader) error {
			if c, ok, err := r.Checkpoint(); err != nil || !ok {
				t.Errorf("there is no checkpoint: %+v %v", c, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		s.opt.MaxPages = 0
		s.finish()
		want(s)
	})
	inBubble(t, "killed and gone on", func(t *testing.T) {
		s := web(t)
		s.opt.Delay = 10 * time.Millisecond // 40 s in all
		for _, after := range some(1, 5, 10) {
			if !s.killAfter(time.Duration(after) * time.Second) {
				t.Fatal("it was over before")
			}
		}
		s.finish()
		want(s)
	})
}

// A body that was cut is no duplicate of another that begins alike.
func TestDuplicatesOfWhatWasCut(t *testing.T) {
	const a = "http://a.test/"
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t, a)
		s.opt.MaxBody = 100
		p.on(a, linking("/1", "/2"))
		p.on(a+"1", text(strings.Repeat("x", 200)+"one"))
		p.on(a+"2", text(strings.Repeat("x", 200)+"two"))
		s.finish()
		for url, v := range s.outcomes() {
			if v.DuplicateOf != "" {
				t.Errorf("%s, cut: %v, is a duplicate of %s", url, v.Record.Truncated, v.DuplicateOf)
			}
		}
	})
}
