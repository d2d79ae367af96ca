package storage

import (
	"math"
	"path/filepath"
	"testing"
)

func BenchmarkEncodeVisit(b *testing.B) {
	v := testVisit(12345)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = v.appendTo(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes/visit")
	b.ReportMetric(float64(len(v.Record.appendTo(nil))), "bytes/record")
}

func BenchmarkDecodeVisitHead(b *testing.B) {
	stored := testVisit(12345).appendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		h, err := DecodeVisitHead(stored)
		if err != nil {
			b.Fatal(err)
		}
		for h.Links.Next() {
		}
		if h.Links.Err() != nil {
			b.Fatal(h.Links.Err())
		}
	}
}

func BenchmarkDecodeVisit(b *testing.B) {
	stored := testVisit(12345).appendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeVisit(stored); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeFound(b *testing.B) {
	stored := testVisit(12345).appendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeFound(stored, 7); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit256(b *testing.B) {
	f, err := Create(filepath.Join(b.TempDir(), "crawl.pawl"), nil)
	must(b, err)
	defer f.Close()
	start := f.Size()
	var visits []*Visit
	for n := range uint64(256) {
		visits = append(visits, testVisit(n))
	}
	var batch Batch
	seq := uint64(1)
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset(seq)
		for _, v := range visits {
			batch.Add(v)
		}
		seq += 256
		must(b, f.Commit(&batch))
	}
	b.ReportMetric(float64(f.Size()-start)/float64(seq-1), "bytes/visit")
	b.ReportMetric(float64(seq-1)/b.Elapsed().Seconds(), "visits/s")
}

func BenchmarkEvent(b *testing.B) {
	f := newFile(b)
	const n = 20000
	appendVisits(b, f, 1, n)
	seq := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		seq = (seq + 7919) % n
		must(b, f.View(func(r *Reader) error {
			_, err := DecodeFound(r.Event(seq+1), 3)
			return err
		}))
	}
}

func BenchmarkWalk(b *testing.B) {
	f := newFile(b)
	const n = 20000
	appendVisits(b, f, 1, n)
	b.ReportAllocs()
	for b.Loop() {
		must(b, f.Walk(1, math.MaxUint64, func(uint64, []byte) error { return nil }))
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// Opening examines every branch page, so it grows with the file, slowly.
func BenchmarkOpen(b *testing.B) {
	f, err := Create(filepath.Join(b.TempDir(), "crawl.pawl"), nil)
	must(b, err)
	appendVisits(b, f, 1, 100_000)
	size := f.Size()
	must(b, f.Close())
	b.ReportAllocs()
	for b.Loop() {
		f, err := Open(f.Path(), false)
		must(b, err)
		must(b, f.Close())
	}
	b.ReportMetric(float64(size)/1e6, "MB")
}
