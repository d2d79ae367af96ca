package fakeweb_test

import (
	"fmt"
	"net/http"

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
