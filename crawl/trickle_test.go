package crawl

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A pipe that brings a seed now and then is crawled as it goes.
func TestSeedsTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t)
		for i := range 3 {
			p.on(fmt.Sprintf("http://a.test/%d", i), linking())
		}
		r, w := io.Pipe()
		s.opt.Input.Stdin = r
		go func() {
			for i := range 3 {
				fmt.Fprintf(w, "http://a.test/%d\n", i)
				time.Sleep(time.Minute)
				if p.of(fmt.Sprintf("http://a.test/%d", i)) != 1 {
					t.Errorf("seed %d was not asked for within a minute", i)
				}
			}
			w.Close()
		}()
		s.finish()
	})
}

// Seeds of a pipe that was not read to its end are lost to the file: every run
// says so, until one has read a pipe to the end.
func TestUnreadSeedsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t)
		p.all = func(string) (answer, bool) { return linking(), true }
		r, w := io.Pipe()
		s.opt.Input.Stdin = r
		go func() {
			fmt.Fprint(w, "http://a.test/1\nhttp://a.test/2\n")
			time.Sleep(2 * time.Minute)
			w.Close()
		}()
		if sum := s.stopAfter(time.Minute); !sum.Unread || sum.End != Stopped {
			t.Errorf("stopped while it read: %+v", sum)
		}
		time.Sleep(2 * time.Minute) // the reader of the pipe ends
		s.opt.Input.Stdin = nil
		if sum := s.finish(); !sum.Unread || sum.End != Finished {
			t.Errorf("without the pipe: %+v", sum)
		}
		s.opt.Input.Stdin = strings.NewReader("http://a.test/1\nhttp://a.test/2\nhttp://a.test/3\n")
		if sum := s.finish(); sum.Unread || sum.Counts.Admitted != 3 {
			t.Errorf("with all of it: %+v", sum)
		}
		s.opt.Input.Stdin = nil
		if sum := s.finish(); sum.Unread {
			t.Errorf("once more: %+v", sum)
		}
	})
}

// Ctrl-C reaches all programs of a pipeline: that the seeds end at that moment
// does not mean that they were all.
func TestSeedsThatEndWithTheStopAreUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := onPaper(t)
		p.all = func(string) (answer, bool) { return linking(), true }
		s.opt.Delay = time.Hour
		r, w := io.Pipe()
		s.opt.Input.Stdin = r
		go func() {
			fmt.Fprint(w, "http://a.test/1\nhttp://a.test/2\n")
			time.Sleep(time.Minute - 10*time.Millisecond)
			w.Close()
		}()
		if sum := s.stopAfter(time.Minute); !sum.Unread {
			t.Errorf("%+v", sum)
		}
	})
}
