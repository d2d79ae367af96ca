package fakeweb_test

import (
	"fmt"
	"net/http"
	"slices"

	"pawl/internal/fakeweb"
)

func Example() {
	o := fakeweb.Defaults()
	o.Hosts, o.Pages = 3, 100
	web, err := fakeweb.New(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := http.Client{Transport: web}
	resp, err := client.Get("http://h2.test/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))

	outcomes := map[fakeweb.Outcome]int{}
	for row := range web.Expected(fakeweb.Walk{From: []int{2}}) {
		outcomes[row.Outcome]++
	}
	fmt.Println(outcomes)
	fmt.Println(web.Tally().Host("h2.test").Requests)
	// Output:
	// 200 OK text/html; charset=utf-8
	// map[blocked:8 failed:2 fetched:95 redirected:6 skipped:111]
	// 1
}

func ExampleSites() {
	sites, err := fakeweb.NewSites(fakeweb.DefaultSites())
	if err != nil {
		fmt.Println(err)
		return
	}
	site := sites.Site("calendar")
	client := http.Client{Transport: sites}
	resp, err := client.Get(site.Seed() + "events/2031/07")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	verdict, _ := site.Judge(resp.Request.URL.String())
	fmt.Println(resp.Status, verdict)

	fetched := []string{site.Seed(), site.Seed() + "about", site.Seed() + "events/2031/07"}
	fmt.Printf("%+v\n", site.Score(slices.Values(fetched)))
	// Output:
	// 200 OK waste
	// {Content:1 Lost:227 Passage:1 Waste:1 Again:0 Missing:0}
}
