package hostile

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Names is a handler for a domain in which every name answers and links names
// that were never seen: n0.DOMAIN links n1.DOMAIN and so on. A crawl that
// follows them (scope domain or any) finds hosts without end; each must cost it
// little, and it must end at its limits.
type Names struct {
	Domain string
	Fanout int // names that a page links, 1 or more
}

// ServeHTTP answers for the name that the request is sent to, with any port.
func (n *Names) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, port, _ := strings.Cut(r.Host, ":")
	if port != "" {
		port = ":" + port
	}
	number, _ := strconv.ParseInt(strings.TrimPrefix(strings.TrimSuffix(name, "."+n.Domain), "n"), 10, 64)
	if r.URL.Path == "/robots.txt" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<title>%d</title>", number)
	for i := range int64(n.Fanout) {
		fmt.Fprintf(w, "<a href=http://n%d.%s%s/>x</a>\n", number*int64(n.Fanout)+i+1, n.Domain, port)
	}
}
