package control

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"pawl/crawl"
	"pawl/export"
)

// docs/control.md names every path, code, and field.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/control.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	names := func(what, name string) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/control.md does not name the %s %s", what, name)
		}
	}
	for path := range new(server).endpointsOf(&fake{}) {
		names("path", path)
	}
	for _, c := range codes {
		names("code", c.code)
	}
	for _, c := range []string{codeUsage, codeRefused, codeWrite, codeInternal} {
		names("code", c)
	}
	for _, v := range []any{
		Hello{},
		answer{},
		crawl.Status{},
		crawl.LiveStatus{},
		crawl.HoldStatus{},
		crawl.Rate{},
		crawl.HostStatus{},
		crawl.Failure{},
		crawl.ParkedPattern{},
		crawl.EditStatus{},
		crawl.Story{},
		crawl.QueueQuery{},
		crawl.Edit{},
		Export{},
		export.Options{},
	} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" && !strings.Contains(text, `"`+name+`":`) {
				names("field", name)
			}
		}
	}
}
