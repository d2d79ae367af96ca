package export

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pawl/storage"
	"pawl/weburl"
)

// Limits of https://www.sitemaps.org/protocol.html on one file, and on the
// length of an address in it.
const (
	maxSitemapURLs  = 50_000
	maxSitemapBytes = 50 << 20
	maxSitemapLoc   = 2047
)

// ErrManySitemaps is the error of [Sitemap] when one file is not enough.
var ErrManySitemaps = fmt.Errorf("more than %d addresses or %d MB, which takes several files: name the first with -o", maxSitemapURLs, maxSitemapBytes>>20)

const (
	sitemapHead = xml.Header + `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">` + "\n"
	sitemapTail = "</urlset>\n"
	indexHead   = xml.Header + `<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">` + "\n"
	indexTail   = "</sitemapindex>\n"
)

// CheckSitemap tells whether [Sitemap] and [SitemapFiles] would accept the
// options. To choose columns is a *ColumnError.
func CheckSitemap(o Options) error {
	if len(o.Columns) > 0 {
		return &ColumnError{Name: o.Columns[0], Reason: "cannot be chosen: a sitemap has no columns"}
	}
	if base, err := url.Parse(o.SitemapBase); o.SitemapBase != "" &&
		(err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "") {
		return fmt.Errorf("the base of a sitemap must be a web address of a folder, not %q", o.SitemapBase)
	}
	return checkFilter(o)
}

// Sitemap writes the pages of the crawl as an XML sitemap: each address that was
// fetched, is a row of [Pages], is of HTML, and is indexable. It returns how many
// addresses it holds. When that are more than fit into one file, the error is
// [ErrManySitemaps], and nothing has been written.
//
// lastmod is the page's Last-Modified, if that is a date between 1990 and the day
// after it was fetched. Addresses of 2,048 characters or more are left out, as
// the protocol wants. It also wants that all addresses are on the host of the
// sitemap: a crawl of several hosts gives one for all.
//
// The log is read twice, and nothing is kept in memory.
func Sitemap(w io.Writer, f *storage.File, o Options) (urls int, err error) {
	if err := CheckSitemap(o); err != nil {
		return 0, err
	}
	last, err := end(f)
	if err != nil {
		return 0, err
	}
	var size sitemapSize
	err = eachSitemapEntry(f, last, o, func(_ string, entry []byte) error {
		if !size.fits(entry) {
			return ErrManySitemaps
		}
		size.add(entry)
		return nil
	})
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, sliceBytes)
	out.WriteString(sitemapHead) // its errors stay until Flush
	err = eachSitemapEntry(f, last, o, func(_ string, entry []byte) error {
		urls++
		_, err := out.Write(entry)
		return err
	})
	if err != nil {
		return 0, err
	}
	out.WriteString(sitemapTail)
	return urls, out.Flush()
}

// SitemapFiles writes what [Sitemap] does to files: name, when one is enough;
// otherwise parts of 50,000 addresses or 50 MB at most, with -1, -2 and so on in
// front of their ending, and an index of them as name. All are compressed when
// name ends in .gz. It returns the files, the index first, and how many
// addresses they hold.
//
// The index names the parts by [Options].SitemapBase. Files appear under their
// names when all are whole, the index last; when ctx is cancelled before, none
// does. A file that is there is replaced; parts that an earlier sitemap had more
// than this one stay. The crawl file itself is not replaced, nor what is no file,
// such as a folder, a pipe or a device: that is an error, and nothing is written.
func SitemapFiles(ctx context.Context, name string, f *storage.File, o Options) (files []string, urls int, err error) {
	if err := CheckSitemap(o); err != nil {
		return nil, 0, err
	}
	if err := mayReplace(name, f); err != nil {
		return nil, 0, err
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // a link stays one
	}
	last, err := end(f)
	if err != nil {
		return nil, 0, err
	}
	s := sitemapFiles{name: name, base: o.SitemapBase, log: f}
	defer s.clean()
	err = eachSitemapEntry(f, last, o, func(url string, entry []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		urls++
		return s.add(url, entry)
	})
	if err == nil {
		err = s.publish()
	}
	if err != nil {
		return nil, 0, err
	}
	return s.files, urls, nil
}

// mayReplace refuses what is there by a name and is no file, and the crawl file.
func mayReplace(name string, f *storage.File) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", name)
	}
	if crawl, err := os.Stat(f.Path()); err == nil && os.SameFile(info, crawl) {
		return fmt.Errorf("%s is the crawl file itself", name)
	}
	return nil
}

// eachSitemapEntry calls do with the address of each page of a sitemap and its
// element, while no transaction is open.
func eachSitemapEntry(f *storage.File, last uint64, o Options, do func(url string, entry []byte) error) error {
	var buf bytes.Buffer
	var ends []int // of address and entry, in turns
	wanted, beside, err := pageFilter(f, last, o)
	if err != nil {
		return err
	}
	reader := pageReader{row: pageRow{beside: beside}}
	read := func(seq uint64, event []byte) (bool, error) {
		row, err := reader.read(seq, event, 0)
		if row == nil || !row.parsed() || !row.indexable() || len(row.URL) > maxSitemapLoc || wanted != nil && !wanted(row) {
			return true, err
		}
		buf.WriteString(row.URL)
		ends = append(ends, buf.Len())
		buf.WriteString("<url><loc>")
		_ = xml.EscapeText(&buf, []byte(row.URL)) // the errors are those of the writer
		buf.WriteString("</loc>")
		if at, ok := changed(row.Visit); ok {
			buf.WriteString("<lastmod>")
			buf.Write(at.AppendFormat(buf.AvailableBuffer(), time.RFC3339))
			buf.WriteString("</lastmod>")
		}
		buf.WriteString("</url>\n")
		ends = append(ends, buf.Len())
		return buf.Len() < sliceBytes, nil
	}
	return walk(f, last, o.pacing(), read, func() error {
		all, start := buf.Bytes(), 0
		for i := 0; i < len(ends); i += 2 {
			if err := do(string(all[start:ends[i]]), all[ends[i]:ends[i+1]]); err != nil {
				return err
			}
			start = ends[i+1]
		}
		buf.Reset()
		ends = ends[:0]
		return nil
	})
}

// changed is when a page says that it was changed last.
func changed(v *storage.Visit) (at time.Time, ok bool) {
	at, err := http.ParseTime(v.Record.LastModified)
	if err != nil || at.Year() < 1990 || at.After(time.UnixMilli(v.Time).Add(24*time.Hour)) {
		return at, false
	}
	return at.UTC(), true
}

// sitemapSize is what a file of a sitemap holds so far.
type sitemapSize struct{ urls, bytes int }

func (s *sitemapSize) fits(entry []byte) bool {
	return s.urls < maxSitemapURLs && len(sitemapHead)+s.bytes+len(entry)+len(sitemapTail) <= maxSitemapBytes
}

func (s *sitemapSize) add(entry []byte) { s.urls, s.bytes = s.urls+1, s.bytes+len(entry) }

// sitemapFiles are the files of a sitemap while they are made, under temporary
// names.
type sitemapFiles struct {
	name  string
	base  string
	log   *storage.File
	files []string // with their names to be, the index first
	size  sitemapSize
	parts []string // temporary names
	file  *os.File // of the last part
	gzip  *gzip.Writer
	out   *bufio.Writer
}

func (s *sitemapFiles) add(url string, entry []byte) error {
	if s.base == "" {
		s.base = weburl.URL(url).Origin()
	}
	if len(s.parts) == 0 || !s.size.fits(entry) {
		if err := s.close(sitemapTail); err != nil {
			return err
		}
		if err := s.open(sitemapHead); err != nil {
			return err
		}
	}
	s.size.add(entry)
	_, err := s.out.Write(entry)
	return err
}

// open begins another file.
func (s *sitemapFiles) open(head string) (err error) {
	tmp := filepath.Join(filepath.Dir(s.name), fmt.Sprintf(".pawl-sitemap-%d-%d.tmp", os.Getpid(), rand.Uint32()))
	s.file, err = os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("write %s: %w", s.name, path.Err) // the temporary name says nothing to the user
	}
	if err != nil {
		return err
	}
	s.parts, s.size = append(s.parts, tmp), sitemapSize{}
	var w io.Writer = s.file
	s.gzip = nil
	if isGzip(s.name) {
		s.gzip = gzip.NewWriter(s.file)
		w = s.gzip
	}
	s.out = bufio.NewWriterSize(w, 1<<16)
	_, err = s.out.WriteString(head)
	return err
}

// close ends the file that is open, if one is.
func (s *sitemapFiles) close(tail string) error {
	if s.file == nil {
		return nil
	}
	_, err := s.out.WriteString(tail)
	err = errors.Join(err, s.out.Flush())
	if s.gzip != nil {
		err = errors.Join(err, s.gzip.Close())
	}
	err = errors.Join(err, s.file.Sync(), s.file.Close())
	s.file = nil
	return err
}

// publish gives the files their names.
func (s *sitemapFiles) publish() error {
	if len(s.parts) == 0 {
		if err := s.open(sitemapHead); err != nil { // a sitemap without addresses
			return err
		}
	}
	if err := s.close(sitemapTail); err != nil {
		return err
	}
	s.files = []string{s.name}
	if n := len(s.parts); n > 1 {
		for i := range n {
			part := partName(s.name, i+1)
			if err := mayReplace(part, s.log); err != nil {
				return err
			}
			s.files = append(s.files, part)
		}
		if err := s.index(); err != nil {
			return err
		}
		// Like the files: the index first.
		s.parts = append(s.parts[n:], s.parts[:n]...)
	}
	dir := filepath.Dir(s.name)
	for i := len(s.files) - 1; i >= 0; i-- {
		if i == 0 && len(s.files) > 1 {
			// Also after a power cut the index names no file that is not there.
			if err := storage.SyncResults(dir); err != nil {
				return err
			}
		}
		if err := os.Rename(s.parts[i], s.files[i]); err != nil {
			return err
		}
	}
	s.parts = nil
	return storage.SyncResults(dir)
}

// index writes the index as another part.
func (s *sitemapFiles) index() error {
	if err := s.open(indexHead); err != nil {
		return err
	}
	for _, part := range s.files[1:] {
		s.out.WriteString("<sitemap><loc>") // its errors stay until close
		loc := strings.TrimSuffix(s.base, "/") + "/" + url.PathEscape(filepath.Base(part))
		if err := xml.EscapeText(s.out, []byte(loc)); err != nil {
			return err
		}
		s.out.WriteString("</loc></sitemap>\n")
	}
	return s.close(indexTail)
}

// clean removes what was not published.
func (s *sitemapFiles) clean() {
	if s.file != nil {
		s.file.Close()
	}
	for _, part := range s.parts {
		os.Remove(part)
	}
}

func isGzip(name string) bool { return strings.EqualFold(filepath.Ext(name), ".gz") }

// partName is the name of the n-th part of a sitemap: map.xml.gz has map-2.xml.gz.
func partName(name string, n int) string {
	folder, file := filepath.Split(name)
	ending := ""
	if isGzip(file) {
		ending = file[len(file)-len(".gz"):]
		file = strings.TrimSuffix(file, ending)
	}
	ending = filepath.Ext(file) + ending
	file = strings.TrimSuffix(file, filepath.Ext(file))
	return folder + file + "-" + strconv.Itoa(n) + ending
}
