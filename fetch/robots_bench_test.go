package fetch

import (
	"fmt"
	"strings"
	"testing"
)

func benchmarkFile(wildcards int) []byte {
	var b strings.Builder
	b.WriteString("User-agent: *\nCrawl-delay: 1\n")
	for i := range 50 {
		if i < wildcards {
			fmt.Fprintf(&b, "Disallow: /*/section-%d/*.html$\n", i)
		} else {
			fmt.Fprintf(&b, "Disallow: /section-%d/\n", i)
		}
	}
	return []byte(b.String())
}

func BenchmarkRobotsParse(b *testing.B) {
	for _, wildcards := range []int{0, 5, 50} {
		b.Run(fmt.Sprintf("50 rules %d wildcards", wildcards), func(b *testing.B) {
			file := benchmarkFile(wildcards)
			b.ReportAllocs()
			for b.Loop() {
				ParseRobots(file, "pawl")
			}
		})
	}
}

func BenchmarkRobotsAllowed(b *testing.B) {
	for _, wildcards := range []int{0, 5, 50} {
		r := ParseRobots(benchmarkFile(wildcards), "pawl")
		b.Run(fmt.Sprintf("50 rules %d wildcards", wildcards), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Allowed("/articles/2026/11/a-page-of-usual-length.html?page=2")
			}
		})
	}
}

// The worst that a file and a path can ask for, on either side of the limits
// that keep the library's work bounded.
func BenchmarkRobotsHostile(b *testing.B) {
	for _, c := range []struct {
		name  string
		rule  string
		rules int
		path  int // octets
	}{
		{"library/long path", "/*a*a*a*a*a%db", 9, 2000},
		{"library/short path", "/*a*a*a*a*a%db", 265, 60},
		{"library/long pieces", "/*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%db", 4, 2000},
		{"plain/short path", "/*a*a*a*a*a%db", 10_000, 80},
		{"plain/long path", "/*a*a*a*a*a%db", 10_000, 2000},
		{"plain/long pieces", "/*aaaaaaaaaaaaaaaaaaaaa%db", 10_000, 2000},
	} {
		file := []byte("User-agent: *\n")
		for i := range c.rules {
			file = fmt.Appendf(file, "Disallow: "+c.rule+"\n", i)
		}
		r := ParseRobots(file, "pawl")
		path := "/" + strings.Repeat("a", c.path-1)
		library := r.group != nil && r.cost*len(path) <= maxMatchWork
		if library != strings.HasPrefix(c.name, "library") {
			b.Fatalf("%s: library %v, expressions %d, work %d", c.name, library, r.cost, r.cost*len(path))
		}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r.Allowed(path)
			}
		})
	}
}
