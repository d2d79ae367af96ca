package cli

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pawl/crawl"
	"pawl/export"
	"pawl/export/warc"
	"pawl/page/field"
	"pawl/storage"
)

// results are what a crawl writes beside its file.
type results struct {
	outputs    []crawl.Output
	archive    crawl.Archive
	archiveKey string
	close      []func() error
}

// openResults opens what the settings ask for, where it was left.
func (g *crawling) openResults() (r *results, err error) {
	r = &results{}
	defer func() {
		if err != nil {
			_ = r.Close()
		}
	}()
	if g.given.text("output", "") == "-" {
		o, err := g.rowOptions("")
		if err != nil {
			return r, err
		}
		f, err := export.FollowTo(g.Stdout, g.file, o)
		if err != nil {
			return r, err
		}
		r.add("stdout", f)
	}
	if path := g.settings.Output; path != "" {
		if err := g.follow(r, path); err != nil {
			return r, err
		}
	}
	if dir := g.settings.WARC; dir != "" {
		position, err := crawl.Position(g.file, dir)
		if err != nil {
			return r, err
		}
		a, err := warc.Open(dir, "pawl", position, g.warcOptions())
		if err != nil {
			return r, g.archiveError(dir, err)
		}
		r.archive, r.archiveKey = &archive{a, g.file.Header().ID}, dir
		r.close = append(r.close, func() error { return closeArchive(a, g.file, dir) })
	}
	return r, nil
}

// rowOptions say how rows are written: by the ending of a file's name, as CSV
// without one.
func (g *crawling) rowOptions(path string) (o export.Options, err error) {
	o = export.Defaults()
	if format, ok := export.FormatOf(path); ok {
		o.Format = format
	}
	o.Fields, err = exportFields(&g.settings)
	return o, err
}

// follow opens the file that the rows are written to.
func (g *crawling) follow(r *results, path string) error {
	o, err := g.rowOptions(path)
	if err != nil {
		return err
	}
	position, err := crawl.Position(g.file, path)
	if err != nil {
		return err
	}
	f, err := export.Follow(path, g.file, o, position)
	if changed := (*export.ChangedError)(nil); errors.As(err, &changed) {
		return hintedError{err, "to write elsewhere: pawl crawl" + g.again + " -o OTHER; to write no file: -o ''"}
	}
	if err != nil {
		return fmt.Errorf("-o %s: %w", path, err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		g.talk.sayf("%s is a pipe: its rows wait until somebody reads it", path)
	}
	if why := f.Rewritten(); why != "" {
		g.talk.sayf("%s is written anew: %s", path, why)
	}
	r.add(path, f)
	return nil
}

func (r *results) add(key string, f *export.Follower) {
	r.outputs = append(r.outputs, crawl.Output{Key: key, Sink: follower{f}})
	r.close = append(r.close, f.Close)
}

// Close closes what was opened.
func (r *results) Close() error {
	var errs []error
	for _, closer := range r.close {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

// follower makes a Sink of a Follower.
type follower struct{ *export.Follower }

func (f follower) Sync() ([]byte, error) {
	err := f.Follower.Sync()
	return f.Position(), err
}

// exportFields are the columns of the fields that the settings name.
func exportFields(s *crawl.Settings) (columns []export.Field, err error) {
	fields, err := s.AllFields()
	for i := range fields {
		f := &fields[i]
		column := export.Field{Name: f.Name, List: f.List}
		switch f.Type {
		case field.Int:
			column.Type = export.FieldInt
		case field.Float:
			column.Type = export.FieldFloat
		}
		columns = append(columns, column)
	}
	return columns, err
}

// warcOptions are what WARC files say of themselves.
func (g *crawling) warcOptions() warc.Options {
	o := warc.Defaults()
	o.Info = warcInfo(g.file, &g.settings)
	return o
}

func warcInfo(file *storage.File, s *crawl.Settings) warc.Info {
	id := file.Header().ID
	info := warc.Info{
		Software: ownAgent(), UserAgent: s.Agent(), Robots: "obey", Operator: s.Contact,
		IsPartOf: "pawl-" + hex.EncodeToString(id[:]),
	}
	if s.IgnoreRobots {
		info.Robots = "ignore"
	}
	return info
}

// archiveError says what to do when a folder of WARC files cannot be written.
func (g *crawling) archiveError(dir string, err error) error {
	hint := "to write elsewhere: pawl crawl" + g.again + " --warc OTHER; to write none: --warc none"
	switch {
	case errors.Is(err, warc.ErrBusy):
		hint = "wait for it; " + hint
	case isDisk(err):
		hint = mend(err) + "; " + hint
	}
	if changed := (*warc.ChangedError)(nil); !errors.As(err, &changed) {
		err = fmt.Errorf("--warc %s: %w", dir, err)
	}
	return hintedError{err, hint}
}

// closeArchive closes an archive. When the crawl file has its position, no older
// one, in a copy of the crawl file, may take back what is behind that.
func closeArchive(a *warc.Archive, file *storage.File, key string) error {
	var told error
	kept, err := crawl.Position(file, key)
	if err == nil && bytes.Equal(kept, a.Position()) {
		told = a.Committed()
	}
	return errors.Join(err, told, a.Close())
}

// archive makes an Archive of a folder of WARC files.
type archive struct {
	*warc.Archive
	crawl [16]byte
}

// Add archives exchanges.
func (a *archive) Add(exchanges []crawl.Exchange) error {
	list := make([]*warc.Exchange, len(exchanges))
	for i := range exchanges {
		e := &exchanges[i]
		x := &warc.Exchange{
			ID: warc.DeriveID(a.crawl, e.Seq), URL: e.URL, Time: e.Time, IP: e.IP, Request: e.Request, Response: e.Response,
			Protocol: e.Proto, Body: e.Body,
		}
		if e.Truncated {
			x.Truncated = "length"
		}
		if e.DuplicateOf != "" {
			x.Refers = &warc.Refers{URL: e.DuplicateOf, Time: e.DuplicateTime}
		}
		list[i] = x
	}
	return a.Archive.Add(list)
}

// tellOpenArchive says so when another folder of WARC files is left with one that
// is not complete, as after a kill.
func (g *crawling) tellOpenArchive(was *crawl.Settings) {
	if was.WARC == "" || was.WARC == g.settings.WARC {
		return
	}
	if open, _ := filepath.Glob(filepath.Join(was.WARC, "*.warc.gz.open")); len(open) > 0 {
		g.talk.sayf("%s holds a file that is not complete; to complete it: pawl crawl%s --warc %s", was.WARC, g.again, quoted(was.WARC))
	}
}
