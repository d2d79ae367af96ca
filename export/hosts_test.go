package export

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pawl/storage"

	"github.com/google/go-cmp/cmp"
)

func TestHosts(t *testing.T) {
	job := func(host, ord uint32) storage.JobID { return storage.JobID{Host: host, Ord: ord} }
	asked := func(seconds int64, took uint32, bytes int64) storage.Ask {
		return storage.Ask{Asked: true, Time: noon + seconds*1000, Took: took, Transferred: bytes}
	}
	slower := asked(9, 5, 7)
	slower.Throttled = true
	f := of(
		t,
		&storage.Host{Origin: "https://a.example", Ask: asked(1, 10, 100), State: storage.RobotsRules, Status: 200, Delay: 1500, Text: "User-agent: *"},
		&storage.Retry{Job: job(1, 0), Ask: slower, Attempt: 1, Class: storage.Throttled, Status: 429},
		&storage.Retry{Job: job(1, 0), Ask: asked(10, 5, 7), Attempt: 1, Raw: "http://b.example:81/?utm_source=x"},
		&storage.Visit{
			Job: job(0, 0), URL: "https://a.example/", Ask: asked(2, 30, 1000), Outcome: storage.Fetched, Status: 200,
			Record: storage.Record{Size: 4000, TTFB: 20},
		},
		&storage.Visit{
			Job: job(0, 1), URL: "https://a.example/copy", Ask: asked(3, 31, 1000), Outcome: storage.Fetched, Status: 200, DuplicateOf: "https://a.example/",
			Record: storage.Record{Size: 4000, TTFB: 21}, Unlisted: true,
		},
		&storage.Visit{Job: job(0, 2), URL: "https://a.example/no", Ask: storage.Ask{Time: noon}, Outcome: storage.Blocked},
		&storage.Visit{Job: job(1, 0), URL: "http://b.example:81/", Ask: asked(20, 99, 0), Outcome: storage.Failed, Class: storage.Timeout},
		&storage.Host{Origin: "https://c.example", At: "d.example", Ask: asked(30, 10, 5), State: storage.RobotsRetry, Class: storage.Connect},
		&storage.Host{Origin: "https://c.example", Ask: asked(40, 10, 0), State: storage.RobotsGivenUp, Class: storage.Connect, Error: "connection refused"},
		&storage.Host{Origin: "http://b.example:81", Ask: storage.Ask{Time: noon}, GiveUp: storage.Throttled, Error: "10 failures running"},
		&storage.Edit{Edit: storage.EditSettings, Settings: []byte("{}")},
	)
	got, rows := exported(t, Hosts, f, Options{Format: JSONL})
	want := strings.Join([]string{
		`{"host":"a.example","pages":3,"fetched":2,"redirected":0,"failed":0,"blocked":1,"duplicates":1,"requests":3,"retries":0,"throttled":0,` +
			`"size":8000,"transferred":2100,"mean_ttfb_ms":20.5,"mean_total_ms":30.5,"first_request_at":"2026-11-22T12:00:01.000Z",` +
			`"last_request_at":"2026-11-22T12:00:03.000Z","robots":"rules","robots_status":200,"robots_error":null,"crawl_delay_ms":1500,` +
			`"given_up":null,"given_up_error":null}`,
		`{"host":"b.example:81","pages":1,"fetched":0,"redirected":0,"failed":1,"blocked":0,"duplicates":0,"requests":3,"retries":1,"throttled":1,` +
			`"size":0,"transferred":14,"mean_ttfb_ms":null,"mean_total_ms":99,"first_request_at":"2026-11-22T12:00:09.000Z",` +
			`"last_request_at":"2026-11-22T12:00:20.000Z","robots":null,"robots_status":null,"robots_error":null,"crawl_delay_ms":null,` +
			`"given_up":"throttled","given_up_error":"10 failures running"}`,
		`{"host":"c.example","pages":0,"fetched":0,"redirected":0,"failed":0,"blocked":0,"duplicates":0,"requests":1,"retries":0,"throttled":0,` +
			`"size":0,"transferred":0,"mean_ttfb_ms":null,"mean_total_ms":null,"first_request_at":"2026-11-22T12:00:40.000Z",` +
			`"last_request_at":"2026-11-22T12:00:40.000Z","robots":"given_up","robots_status":null,"robots_error":"connection refused","crawl_delay_ms":null,` +
			`"given_up":null,"given_up_error":null}`,
		`{"host":"d.example","pages":0,"fetched":0,"redirected":0,"failed":0,"blocked":0,"duplicates":0,"requests":1,"retries":0,"throttled":0,` +
			`"size":0,"transferred":5,"mean_ttfb_ms":null,"mean_total_ms":null,"first_request_at":"2026-11-22T12:00:30.000Z",` +
			`"last_request_at":"2026-11-22T12:00:30.000Z","robots":null,"robots_status":null,"robots_error":null,"crawl_delay_ms":null,` +
			`"given_up":null,"given_up_error":null}`,
	}, "\n") + "\n"
	if diff := cmp.Diff(want, got); diff != "" || rows != 4 {
		t.Errorf("%d rows: %s", rows, diff)
	}
}

func TestAHostThatAnswersAgainIsNotGivenUp(t *testing.T) {
	f := of(
		t,
		&storage.Host{Origin: "https://a.example", GiveUp: storage.Connect, Error: "down"},
		&storage.Visit{URL: "https://a.example/", Ask: storage.Ask{Asked: true}, Outcome: storage.Failed, Status: 404},
	)
	if got := cells(t, Hosts, f, Options{Columns: []string{"host", "given_up", "given_up_error"}}); !cmp.Equal(got, []string{"a.example,,"}) {
		t.Error(got)
	}
}

func TestHostsAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	c := newCrawl(t)
	type sums struct{ pages, requests, retries int }
	want := map[string]*sums{}
	var order []string
	const hosts = 700
	for i := range 20_000 {
		n := random.IntN(1 + random.IntN(hosts))
		host := fmt.Sprintf("h%d.example", n)
		id := storage.JobID{Host: uint32(n), Ord: uint32(i)}
		if want[host] == nil {
			// The first event of a host is a visit, so that its retries count.
			order = append(order, host)
			want[host] = new(sums)
		} else if random.IntN(3) == 0 {
			c.add(&storage.Retry{Job: id, Ask: storage.Ask{Asked: true, Time: noon}})
			want[host].requests++
			want[host].retries++
			continue
		}
		isAsked := random.IntN(2) == 0
		c.add(&storage.Visit{Job: id, URL: "https://" + host + "/x", Outcome: storage.Fetched, Ask: storage.Ask{Asked: isAsked}})
		want[host].pages++
		if isAsked {
			want[host].requests++
		}
	}
	c.commit()
	var lines []string
	for _, host := range order {
		w := want[host]
		lines = append(lines, fmt.Sprintf("%s,%d,%d,%d", host, w.pages, w.requests, w.retries))
	}
	if diff := cmp.Diff(lines, cells(t, Hosts, c.file, Options{Columns: []string{"host", "pages", "requests", "retries"}})); diff != "" {
		t.Error(diff)
	}
}
