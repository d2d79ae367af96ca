package export

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

// packedBody is what is kept of an exchange.
func packedBody(t testing.TB, first uint64, content string) []storage.Kept {
	t.Helper()
	p, err := storage.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	return []storage.Kept{p.Body(&storage.Body{Request: []byte("GET / HTTP/1.1\r\n\r\n"), Response: []byte("HTTP/1.1 200 OK\r\n\r\n"), First: first, Content: []byte(content)})}
}

func paragraph(s string) string {
	return "<html><body><article><p>" + s + " is what this page is about, and it says so at some length.</p></article></body></html>"
}

func TestText(t *testing.T) {
	with := func(i int, first uint64, content string) *storage.Visit {
		v := samplePage(i)
		v.Kept = packedBody(t, first, content)
		return v
	}
	image := with(3, 0, paragraph("an image"))
	image.Record.ContentType = "image/png"
	f := of(t, with(0, 0, paragraph("Water")), samplePage(1), with(2, 1, ""), image, with(4, 0, paragraph("Wood")), with(5, 2, ""))
	for column, o := range map[string]Options{"text": {}, "markdown": {}} {
		o.Format, o.Columns = JSONL, []string{"seq", column}
		got, _ := exported(t, func(w io.Writer, f *storage.File, o Options) (int, error) {
			return Pages(writerFunc(func(p []byte) (int, error) {
				noTransaction(t)
				return w.Write(p)
			}), f, o)
		}, f, o)
		var want []string
		for i, said := range []string{"Water", "", "Water", "", "Wood", ""} {
			cell := "null"
			if said != "" {
				cell = fmt.Sprintf("%q", said+" is what this page is about, and it says so at some length.")
			}
			want = append(want, fmt.Sprintf(`{"seq":%d,"%s":%s}`, i+1, column, cell))
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(got), "\n")); diff != "" {
			t.Errorf("%s: %s", column, diff)
		}
	}
	t.Run("as a filter", func(t *testing.T) {
		got := cells(t, Pages, f, Options{Columns: []string{"seq"}, Where: `text startsWith "Water"`})
		if !cmp.Equal(got, []string{"1", "3"}) {
			t.Error(got)
		}
	})
	t.Run("not in a spreadsheet", func(t *testing.T) {
		for _, format := range []Format{CSV, TSV} {
			o := Options{Format: format, Columns: []string{"text"}, Fields: []Field{{Name: "f"}}}
			for name, check := range map[string]func(Options) error{"pages": CheckPages, "duplicates": CheckDuplicates, "fields": CheckFields} {
				var refused *ColumnError
				if err := check(o); !errors.As(err, &refused) || !strings.Contains(err.Error(), "jsonl") {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	})
	t.Run("no bodies", func(t *testing.T) {
		if _, err := Pages(io.Discard, of(t, samplePage(0)), Options{Format: JSONL, Columns: []string{"markdown"}}); !errors.Is(err, ErrNoBodies) {
			t.Error(err)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		v := with(0, 0, paragraph("Water"))
		v.Kept[0].Value = v.Kept[0].Value[:10]
		if _, err := Pages(io.Discard, of(t, v), Options{Format: JSONL, Columns: []string{"text"}}); !errors.Is(err, storage.ErrDamaged) {
			t.Error(err)
		}
	})
	t.Run("sitemaps and graphs do not filter by it", func(t *testing.T) {
		for _, check := range []func(Options) error{CheckSitemap, CheckGraph} {
			if err := check(Options{Where: `text == ""`}); err == nil {
				t.Error("accepted")
			}
		}
	})
}
