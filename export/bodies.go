package export

import (
	"io"
	"time"

	"pawl/export/warc"
	"pawl/storage"
)

// WARC writes the exchanges that were stored with the bodies as one WARC/1.1
// stream, compressed record by record: what a visit duplicates is a revisit of
// the first. The same crawl gives the same bytes. It returns how many exchanges were written. Visits whose bodies are
// not kept are not among them. Of the options only Rest counts. A crawl that kept
// no bodies is [ErrNoBodies].
//
// It reads one exchange at a time, and nothing is written while a transaction of
// the file is open.
func WARC(w io.Writer, f *storage.File, info warc.Info, o Options) (exchanges int, err error) {
	last, err := keptEnd(f, storage.KeepBody)
	if err != nil {
		return 0, err
	}
	crawl := f.Header().ID
	if info.ID == [16]byte{} {
		info.ID = warc.DeriveID(crawl, 0) // no event has this number
	}
	out := warc.NewWriter(w, info)
	var unpacker storage.Unpacker
	var pending *warc.Exchange
	// One exchange a transaction: each may be as large as a body can be.
	next := uint64(1)
	err = walk(f, last, o.pacing(), func(seq uint64, event []byte) (bool, error) {
		if storage.KindOf(event) != storage.KindVisit {
			return true, known(storage.KindOf(event))
		}
		if seq < next {
			return true, nil
		}
		v, err := storage.DecodeVisit(event)
		if err != nil {
			return false, err
		}
		next = seq + 1
		pending = &warc.Exchange{
			ID: warc.DeriveID(crawl, seq), URL: v.URL, Time: time.UnixMilli(v.Time), IP: v.Record.IP, Protocol: v.Record.HTTPVersion,
		}
		if v.Record.Truncated {
			pending.Truncated = "length"
		}
		return false, nil
	}, func() error {
		if pending == nil {
			return nil
		}
		x := pending
		pending = nil
		found, err := exchangeOf(f, next-1, &unpacker, x)
		if err != nil || !found {
			return err
		}
		exchanges++
		return out.Write(x)
	})
	if err == nil {
		err = out.Close()
	}
	return exchanges, err
}

// exchangeOf fills in what is kept of a visit. found is false when nothing is.
func exchangeOf(f *storage.File, seq uint64, unpacker *storage.Unpacker, x *warc.Exchange) (found bool, err error) {
	err = f.View(func(r *storage.Reader) error {
		value, err := r.Kept(storage.KeepBody, seq)
		if err != nil || value == nil {
			return err
		}
		b, err := unpacker.Body(value)
		if err != nil {
			return err
		}
		found = true
		x.Request, x.Response, x.Body = b.Request, b.Response, b.Content
		if b.First == 0 {
			return nil
		}
		first, err := storage.DecodeVisit(r.Event(b.First))
		if err != nil {
			return err
		}
		x.Request, x.Response = append([]byte(nil), b.Request...), append([]byte(nil), b.Response...)
		x.Refers = &warc.Refers{URL: first.URL, Time: time.UnixMilli(first.Time)}
		if value, err = r.Kept(storage.KeepBody, b.First); err != nil || value == nil {
			return err
		}
		original, err := unpacker.Body(value)
		x.Body = original.Content
		return err
	})
	return found, err
}
