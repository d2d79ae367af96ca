package fakeweb

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLedgerSaysWhatIsExpected(t *testing.T) {
	long := rough(2, 300)
	long.Faults.ChainHops = 7
	plain := Defaults()
	plain.Hosts, plain.Faults = 3, Faults{}
	for _, test := range []struct {
		name string
		o    Options
	}{
		{"demo", Defaults()},
		{"one page", rough(1, 1)},
		{"all faults", rough(3, 400)},
		{"long chains", long},
		{"no faults", plain},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := mustNew(t, test.o)
			roots := make([]string, test.o.Hosts)
			for h := range roots {
				roots[h] = "http://127.0.0." + string(rune('1'+h)) + ":8080/"
			}
			l := w.Ledger(roots)
			rows := map[int]Row{}
			for n := -1; n <= l.Size(); n++ {
				row, ok := l.Row(n)
				if !ok {
					continue
				}
				rows[n] = row
				if back, ok := l.Number(row.URL); !ok || back != n {
					t.Errorf("%s is number %d, and then %d (%v)", row.URL, n, back, ok)
				}
			}
			for want := range w.Expected(Walk{Roots: roots}) {
				n, ok := l.Number(want.URL)
				have := rows[n]
				delete(rows, n)
				want.Depth = 0
				if !ok || have != want {
					t.Errorf("number %d (%v)\nwant %+v\nhave %+v", n, ok, want, have)
				}
			}
			for n, row := range rows {
				t.Errorf("nobody finds number %d, %+v", n, row)
			}
		})
	}
}

func TestLedgerKnowsOtherSpellings(t *testing.T) {
	w := mustNew(t, rough(2, 300))
	l := w.Ledger([]string{"http://a.test:8080/", "http://b.test/"})
	bounce, ok := l.Number("http://a.test:8080" + strings.TrimPrefix(rowOf(t, w, Walk{}, Bounce).URL, "http://h0.test"))
	if !ok {
		t.Fatal("a bounce has no number")
	}
	row, _ := l.Row(bounce)
	sep := "?"
	if strings.Contains(row.URL, "?") {
		sep = "&"
	}
	for _, test := range []struct {
		address string
		ok      bool
	}{
		{row.URL + sep + "utm_source=bounce", true},
		{"http://a.test:8080/robots.txt", false},
		{"http://a.test:8080/lost/1", false},
		{"http://a.test:8080/assets/style.css", false},
		{"http://a.test/", false},
		{"http://c.test/", false},
		{"a.test:8080/", false},
		{"http://a.test:8080", false},
		{"", false},
	} {
		if n, ok := l.Number(test.address); ok != test.ok || ok && n != bounce {
			t.Errorf("%q is number %d (%v), want %d (%v)", test.address, n, ok, bounce, test.ok)
		}
	}
}

func TestHandlerAnswersForItsRoots(t *testing.T) {
	o := rough(3, 50)
	w := mustNew(t, o)
	roots := []string{"http://127.0.0.1:8080/", "http://127.0.0.2:8080/"}
	h := w.Handler(roots)
	get := func(host, target string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+target, nil)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	for row := range w.Expected(Walk{Roots: roots}) {
		if row.Kind != Healthy || row.Outcome == Skipped {
			continue
		}
		host := strings.TrimSuffix(strings.TrimPrefix(roots[row.Host], "http://"), "/")
		rec := get(host, strings.TrimPrefix(row.URL, "http://"+host))
		if rec.Code != http.StatusOK || first(titled, rec.Body.String()) != row.Title {
			t.Errorf("%s: status %d, title %q, want %q", row.URL, rec.Code, first(titled, rec.Body.String()), row.Title)
		}
		if strings.Contains(rec.Body.String(), "h2.test") || strings.Contains(rec.Body.String(), ".test:") {
			t.Errorf("%s links another host", row.URL)
		}
	}
	for _, host := range []string{"127.0.0.3:8080", "127.0.0.1", "h0.test"} {
		if rec := get(host, "/"); rec.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s answers %d", host, rec.Code)
		}
	}
}
