package frontier

import (
	"fmt"
	"testing"

	"pawl/storage"
)

// millionJobs are 2^20 jobs of 500 hosts, found on pages with 8 new links each.
func millionJobs(b *testing.B) *rig {
	r := newRig(b, Options{PerHost: 1, IgnoreRobots: true})
	links := make([]Candidate, 8)
	for page := range 1 << 17 {
		on := fmt.Sprintf("https://host%d.test/section/%d/", page%500, page)
		for i := range links {
			u := fmt.Sprintf("%spage-%d.html", on, i)
			links[i] = Candidate{Link: storage.Link{URL: u, Kind: 4, Anchor: "read more"}, FP: r.f.Fingerprint(u)}
		}
		fresh, _ := r.f.sift(links, &storage.Origin{Depth: 3})
		r.ok(r.f.appendLinks(on, r.now.UnixMilli(), storage.Origin{Depth: 3}, fresh))
		if page%1000 == 999 {
			r.commit()
		}
	}
	r.commit()
	return r
}

// BenchmarkDrop drops a million jobs in slices of 1000, each committed, with the
// reading of their addresses.
func BenchmarkDrop(b *testing.B) {
	b.ReportAllocs()
	rounds := 0
	for ; b.Loop(); rounds++ {
		b.StopTimer()
		r := millionJobs(b)
		n, before := r.f.Counts().Pending, r.f.Seq()
		b.StartTimer()
		r.ok(r.f.OpenDrop(storage.Predicate{}, r.now))
		for len(r.f.Edits()) > 0 {
			r.dropSlice(1000, all)
			r.commit()
		}
		b.StopTimer()
		if r.f.Counts().Pending != 0 {
			b.Fatal("some are left")
		}
		size := 0
		r.ok(r.file.Walk(before+1, r.f.Seq(), func(_ uint64, event []byte) error {
			size += len(event) + 12 // key and checksum
			return nil
		}))
		b.ReportMetric(float64(size)/float64(n), "bytes/job")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds+1)/float64(n), "ns/job")
		b.StartTimer()
	}
}

// BenchmarkJobsFrom walks over a million jobs, a hundred at a time.
func BenchmarkJobsFrom(b *testing.B) {
	r := millionJobs(b)
	b.ReportAllocs()
	b.ResetTimer()
	var jobs []QueuedJob
	var from storage.JobID
	n := 0
	for b.Loop() {
		var more bool
		if jobs, from, more = r.f.JobsFrom(jobs[:0], from, 100); !more {
			from = storage.JobID{}
		}
		n += len(jobs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/job")
}

// BenchmarkReopen withdraws 2^17 outcomes in slices of 2000 events, each
// committed.
func BenchmarkReopen(b *testing.B) {
	b.ReportAllocs()
	const n = 1 << 17
	rounds := 0
	for ; b.Loop(); rounds++ {
		b.StopTimer()
		r := newRig(b, Options{PerHost: 2000, IgnoreRobots: true})
		for range n / 1024 {
			var urls []string
			for range 1024 {
				urls = append(urls, fmt.Sprintf("https://host%d.test/%d", len(urls)%500, int(r.f.Seq())+len(urls)))
			}
			r.seed(urls...)
			for range urls {
				j, _ := r.next()
				r.finish(&j, storage.Failed, storage.Timeout, true)
			}
			r.commit()
		}
		before := r.f.Seq()
		b.StartTimer()
		r.ok(r.f.OpenRetry(storage.Predicate{}, r.now))
		for len(r.f.Edits()) > 0 {
			r.reopenSlice(2000, 0)
			r.commit()
		}
		b.StopTimer()
		if r.f.Counts().Pending != n {
			b.Fatal("some are not reopened")
		}
		size := 0
		r.ok(r.file.Walk(before+1, r.f.Seq(), func(_ uint64, event []byte) error {
			size += len(event) + 12
			return nil
		}))
		b.ReportMetric(float64(size)/n, "bytes/job")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds+1)/n, "ns/job")
		b.StartTimer()
	}
}
