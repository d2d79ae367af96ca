package export

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

func redirect(from string, status uint16, to string) *storage.Visit {
	return &storage.Visit{URL: from, Outcome: storage.Redirected, Status: status, Redirect: to}
}

func TestRedirects(t *testing.T) {
	f := of(
		t,
		&storage.Visit{URL: "before", Outcome: storage.Fetched, Status: 200},
		redirect("one", 301, "before"),
		redirect("a", 301, "b"),
		redirect("b", 302, "c"),
		redirect("c", 308, "gone"),
		&storage.Visit{URL: "gone", Outcome: storage.Failed, Status: 404},
		redirect("x", 301, "y"),
		redirect("y", 301, "x"),
		redirect("into the loop", 301, "x"),
		redirect("self", 301, "self"),
		redirect("away", 307, "not visited"),
		redirect("down", 301, "dns"),
		&storage.Visit{URL: "dns", Outcome: storage.Failed, Class: storage.DNS},
		redirect("private", 301, "blocked"),
		&storage.Visit{URL: "blocked", Outcome: storage.Blocked},
	)
	columns := []string{"url", "redirect_url", "target_outcome", "target_status", "hops", "final_url", "final_outcome", "final_status", "final_error_class", "loop", "temporary"}
	want := []string{
		"one,before,fetched,200,1,before,fetched,200,,false,false",
		"a,b,redirected,302,3,gone,failed,404,,false,true",
		"b,c,redirected,308,2,gone,failed,404,,false,true",
		"c,gone,failed,404,1,gone,failed,404,,false,false",
		"x,y,redirected,301,2,x,redirected,301,,true,false",
		"y,x,redirected,301,2,y,redirected,301,,true,false",
		"into the loop,x,redirected,301,3,x,redirected,301,,true,false",
		"self,self,redirected,301,1,self,redirected,301,,true,false",
		"away,not visited,,,1,not visited,,,,false,true",
		"down,dns,failed,,1,dns,failed,,dns,false,false",
		"private,blocked,blocked,,1,blocked,blocked,,,false,false",
	}
	if diff := cmp.Diff(want, cells(t, Redirects, f, Options{Columns: columns})); diff != "" {
		t.Error(diff)
	}
}

func TestSomeRedirects(t *testing.T) {
	f := of(t, redirect("a", 301, "b"), redirect("b", 302, "c"), redirect("x", 301, "x"))
	if got := cells(t, Redirects, f, Options{Columns: []string{"url"}, Where: "final_url == 'c' or loop"}); !cmp.Equal(got, []string{"a", "b", "x"}) {
		t.Error(got)
	}
	if got := cells(t, Redirects, f, Options{Columns: []string{"url"}, Where: "hops > 1"}); !cmp.Equal(got, []string{"a"}) {
		t.Error(got)
	}
}

func TestALongChainIsCut(t *testing.T) {
	c := newCrawl(t)
	for i := range 50 {
		c.add(redirect(strconv.Itoa(i), 301, strconv.Itoa(i+1)))
	}
	c.commit()
	got := cells(t, Redirects, c.file, Options{Columns: []string{"url", "hops", "final_url", "final_outcome", "loop"}})
	for i, line := range got {
		hops, outcome := min(50-i, longestChain), "redirected"
		if i+hops == 50 {
			outcome = ""
		}
		if want := fmt.Sprintf("%d,%d,%d,%s,false", i, hops, i+hops, outcome); line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
	if len(got) != 50 {
		t.Errorf("%d rows", len(got))
	}
}

func TestRedirectsAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	c := newCrawl(t)
	to := map[string]string{}
	known := map[string]bool{}
	const n = 2500
	order := random.Perm(n)
	for _, i := range order {
		url := "https://example.org/" + strconv.Itoa(i)
		known[url] = true
		if random.IntN(3) == 0 {
			c.add(&storage.Visit{URL: url, Outcome: storage.Fetched, Status: 200})
			continue
		}
		to[url] = "https://example.org/" + strconv.Itoa(random.IntN(n+50))
		c.add(redirect(url, 301, to[url]))
	}
	c.commit()
	var want []string
	for _, i := range order {
		url := "https://example.org/" + strconv.Itoa(i)
		if to[url] == "" {
			continue
		}
		chain := []string{url}
		at := to[url]
		for !slices.Contains(chain, at) && to[at] != "" && len(chain) < longestChain {
			chain = append(chain, at)
			at = to[at]
		}
		outcome := ""
		switch {
		case to[at] != "":
			outcome = "redirected"
		case known[at]:
			outcome = "fetched"
		}
		want = append(want, fmt.Sprintf("%s,%d,%s,%s,%t", url, len(chain), at, outcome, slices.Contains(chain, at)))
	}
	got := cells(t, Redirects, c.file, Options{Columns: []string{"url", "hops", "final_url", "final_outcome", "loop"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRedirectColumns(t *testing.T) {
	const want = "seq, url, status, redirect_url, target_outcome, target_status, hops, final_url, final_outcome, final_status, " +
		"final_error_class, loop, temporary, depth, found_on, anchor, kind, fetched_at"
	if got := strings.Join(RedirectColumns(), ", "); got != want {
		t.Error(got)
	}
	if err := CheckRedirects(Options{Columns: []string{"hop"}}); err == nil || !strings.Contains(err.Error(), `"hops"`) {
		t.Error(err)
	}
}
