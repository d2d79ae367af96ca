package frontier

import (
	"fmt"
	"testing"
)

func TestHostsAgainstMap(t *testing.T) {
	var hosts hosts
	numbers := map[string]uint32{}
	pointers := map[string]*host{}
	names := []string{""}
	for i := range 5000 {
		names = append(names, fmt.Sprintf("host-%d.test", i*7919%3000), fmt.Sprintf("%d.test:%d", i%100, i))
	}
	for _, name := range names {
		_, known := numbers[name]
		if h := hosts.find(name); (h != nil) != known {
			t.Fatalf("%q is known: %v, want %v", name, h != nil, known)
		}
		h := hosts.intern(name)
		if !known {
			numbers[name], pointers[name] = uint32(len(numbers)), h
		}
		if h.id != numbers[name] || h.name != name || h != pointers[name] || hosts.at(h.id) != h {
			t.Fatalf("%q is host %d, %q, want %d", name, h.id, h.name, numbers[name])
		}
	}
	n := uint32(0)
	for h := range hosts.all() {
		if h.id != n || numbers[h.name] != n {
			t.Fatalf("host %d is visited as the %d-th", h.id, n)
		}
		n++
	}
	if int(n) != len(numbers) || hosts.n != len(numbers) {
		t.Fatalf("%d hosts visited, %d counted, want %d", n, hosts.n, len(numbers))
	}
}
