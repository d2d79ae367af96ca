package crawl

import (
	"fmt"
	"io"
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
