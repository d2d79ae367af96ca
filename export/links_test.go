package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pawl/page"
	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

func TestLinks(t *testing.T) {
	const at = "https://example.org/"
	f := of(
		t,
		&storage.Visit{URL: at, Outcome: storage.Redirected, Status: 301, Kept: packed(t, at, storage.PageLink{URL: at + "home", Kind: uint8(page.KindRedirect), Count: 1})},
		samplePage(1), // without links
		&storage.Visit{URL: at + "home", Outcome: storage.Fetched, Status: 200, Unlisted: true, Kept: packed(
			t, at+"home",
			storage.PageLink{URL: at + "gone", Kind: uint8(page.KindA), Count: 3, Anchor: "=1+1, \"so\"", Rel: "nofollow", NoFollow: true},
			storage.PageLink{URL: "https://elsewhere.example/x.png", Kind: uint8(page.KindImg), Count: 1, Anchor: "a\nb"},
			storage.PageLink{URL: at + "down", Kind: uint8(page.KindNext), Count: 1, Rel: "next"},
		)},
		&storage.Visit{URL: at + "gone", Outcome: storage.Failed, Status: 410},
		&storage.Visit{URL: at + "down", Outcome: storage.Failed, Class: storage.DNS},
	)
	inScope := func(url string) bool {
		noTransaction(t)
		return strings.HasPrefix(url, at)
	}
	got, rows := exported(t, Links, f, Options{InScope: inScope})
	want := strings.Join(LinkColumns(), ",") + "\r\n" +
		"https://example.org/,https://example.org/home,redirect,,,true,200,false,1\r\n" +
		"https://example.org/home,https://example.org/gone,a,\"'=1+1, \"\"so\"\"\",nofollow,true,410,true,3\r\n" +
		"https://example.org/home,https://elsewhere.example/x.png,img,\"a\nb\",,false,,false,1\r\n" +
		"https://example.org/home,https://example.org/down,next,,next,true,,false,1\r\n"
	if diff := cmp.Diff(want, got); diff != "" || rows != 4 {
		t.Errorf("%d rows: %s", rows, diff)
	}
	t.Run("without a scope", func(t *testing.T) {
		got, _ := exported(t, Links, f, Options{Format: JSONL, Columns: []string{"kind", "in_scope"}})
		if want := "{\"kind\":\"redirect\",\"in_scope\":null}\n"; !strings.HasPrefix(got, want) {
			t.Errorf("%q", got)
		}
	})
	t.Run("some", func(t *testing.T) {
		got := cells(t, Links, f, Options{Columns: []string{"target"}, Where: "target_status >= 400 or count == 1 and kind == 'redirect'"})
		if want := []string{"https://example.org/home", "https://example.org/gone"}; !cmp.Equal(got, want) {
			t.Error(got)
		}
	})
	t.Run("columns", func(t *testing.T) {
		const want = "source, target, kind, anchor, rel, in_scope, target_status, nofollow, count"
		if got := strings.Join(LinkColumns(), ", "); got != want {
			t.Error(got)
		}
		var refused *ColumnError
		if err := CheckLinks(Options{Columns: []string{"traget"}}); !errors.As(err, &refused) || refused.Nearest != "target" {
			t.Error(err)
		}
	})
	t.Run("none kept", func(t *testing.T) {
		var b bytes.Buffer
		if n, err := Links(&b, of(t, samplePage(0)), Defaults()); !errors.Is(err, ErrNoLinks) || n != 0 || b.Len() != 0 {
			t.Error(n, err, b.String())
		}
	})
}

func TestLinksAgainstAModel(t *testing.T) {
	const n = 2500
	f, links := linkedCrawl(t, n, 20)
	visited := map[string]bool{}
	for i := range n {
		visited[samplePage(i).URL] = true
	}
	var want []string
	for i := range n {
		source := samplePage(i).URL
		for _, l := range links[source] {
			status := ""
			if visited[l.URL] {
				status = "200"
			}
			want = append(want, fmt.Sprintf("%s,%s,%v,\"a \"\"link\"\"\",%s,%t,%d", source, l.URL, page.Kind(l.Kind), status, l.NoFollow, l.Count))
		}
	}
	got := cells(t, Links, f, Options{Columns: []string{"source", "target", "kind", "anchor", "target_status", "nofollow", "count"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLinksWhileCommitting writes while no transaction is open, a large page in
// more than one piece, and nothing that is committed meanwhile.
func TestLinksWhileCommitting(t *testing.T) {
	c := newCrawl(t)
	var links []storage.PageLink
	for i := range 20_000 {
		links = append(links, storage.PageLink{URL: fmt.Sprintf("https://example.org/%d", i), Kind: uint8(page.KindA), Count: 1})
	}
	add := func() {
		v := samplePage(0)
		v.Kept = packed(t, v.URL, links...)
		c.add(v)
		c.commit()
	}
	add()
	writes := 0
	n, err := Links(writerFunc(func(p []byte) (int, error) {
		noTransaction(t)
		writes++
		add()
		return len(p), nil
	}), c.file, Defaults())
	if n != len(links) || err != nil {
		t.Error(n, err)
	}
	if writes < 5 {
		t.Errorf("%d writes: all rows were held", writes)
	}
	broken := errors.New("broken pipe")
	if _, err := Links(writerFunc(func(p []byte) (int, error) { return 0, broken }), c.file, Defaults()); err != broken {
		t.Error(err)
	}
}

func TestDamagedLinks(t *testing.T) {
	v := samplePage(0)
	v.Kept = packed(t, v.URL, storage.PageLink{URL: "https://example.org/a", Count: 1}, storage.PageLink{URL: "https://example.org/b", Count: 1})
	for i := range v.Kept[0].Value {
		damaged := bytes.Clone(v.Kept[0].Value)
		damaged[i] ^= 0x55
		w := samplePage(0)
		w.Kept = []storage.Kept{{Keep: storage.KeepLinks, Value: damaged}}
		f := of(t, w)
		for _, do := range []exporter{Links, Graph} {
			if _, err := do(io.Discard, f, Defaults()); err != nil && !errors.Is(err, storage.ErrDamaged) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
}

func TestDuplicates(t *testing.T) {
	original, copied, other, hidden := samplePage(0), samplePage(1), samplePage(2), samplePage(3)
	copied.DuplicateOf, other.DuplicateOf, hidden.DuplicateOf = original.URL, original.URL, original.URL
	hidden.Unlisted = true
	f := of(t, original, copied, other, hidden)
	got := cells(t, Duplicates, f, Defaults())
	want := []string{
		"2,https://example.org/section-1/article-1.html,https://example.org/section-0/article-0.html,000102030405060708090a0b0c0d0eff,38201," +
			"\"Article 1: what the river brought, and why\",https://example.org/section-1/article-1.html,Indexable,1,https://example.org/section-1/",
		"3,https://example.org/section-2/article-2.html,https://example.org/section-0/article-0.html,000102030405060708090a0b0c0d0eff,38201," +
			"\"Article 2: what the river brought, and why\",https://example.org/section-2/article-2.html,Indexable,2,https://example.org/section-2/",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := cells(t, Duplicates, f, Options{Columns: []string{"worker"}}); !cmp.Equal(got, []string{"3", "3"}) {
		t.Error(got)
	}
	if err := CheckDuplicates(Options{Columns: []string{"nothing"}}); err == nil {
		t.Error("accepts an unknown column")
	}
}

func TestFields(t *testing.T) {
	with := func(i int, fields ...storage.Field) *storage.Visit {
		v := samplePage(i)
		v.Record.Fields = fields
		return v
	}
	hidden := with(4, storage.Field{Name: "name", Values: []string{"hidden"}})
	hidden.Unlisted = true
	failed := samplePage(5)
	failed.Record.FieldsError = "too deep"
	f := of(
		t,
		samplePage(0),
		with(1, storage.Field{Name: "name", Values: []string{"Chess, \"the game\""}}, storage.Field{Name: "stars", Values: []string{"5", "12"}}),
		with(2, storage.Field{Name: "stars", Values: []string{"0"}}),
		with(3, storage.Field{Name: "of another crawl", Values: []string{"x"}}),
		hidden,
		failed,
	)
	o := Options{Fields: []Field{{Name: "name"}, {Name: "stars", Type: FieldInt, List: true}}}
	want := []string{
		"2,https://example.org/section-1/article-1.html,\"Chess, \"\"the game\"\"\",5|12",
		"3,https://example.org/section-2/article-2.html,,0",
	}
	if diff := cmp.Diff(want, cells(t, Fields, f, o)); diff != "" {
		t.Error(diff)
	}
	o.Format = JSONL
	got, _ := exported(t, Fields, f, o)
	if want := `{"seq":2,"url":"https://example.org/section-1/article-1.html","name":"Chess, \"the game\"","stars":[5,12]}` + "\n" +
		`{"seq":3,"url":"https://example.org/section-2/article-2.html","name":null,"stars":[0]}` + "\n"; got != want {
		t.Error(got)
	}
	if got := cells(t, Pages, f, Options{Columns: []string{"seq", "fields_error"}}); !cmp.Equal(got, []string{"1,", "2,", "3,", "4,", "6,too deep"}) {
		t.Error(got)
	}
	if _, err := Fields(io.Discard, f, Defaults()); !errors.Is(err, ErrNoFields) || CheckFields(Defaults()) == nil {
		t.Error(err)
	}
}
